// Workers: processes that join a pool by its name, from any language, and offer their tasks.
#ifndef POLYPROC_WORKER_HPP
#define POLYPROC_WORKER_HPP

#include "sync.hpp"
#include "task.hpp"

namespace polyproc {

// Makes a worker leave from another thread, or from a signal's handler.
class leaver : public handle<pp_leaver_t, pp_leaver_free> {
  public:
    using handle::handle;
    void leave() const noexcept { pp_leaver_leave(native()); }
};

class worker : public handle<pp_worker_t, pp_worker_free> {
  public:
    worker() = default;
    // Waits until the pool has let it in. not_found: no pool of this name lives.
    worker(const fabric &in, const std::string &pool, failing how = {}) : handle(made<pp_worker_t>(how, pp_worker_join, in.native(), pool.c_str())) {}

    // Runs calls until the pool is over, or it was asked to leave.
    void run(failing how = {}) { how(pp_worker_run, native()); }
    // Waits for a batch of calls and runs it; false: there was none in that time. pool_closed_error: it has left.
    bool step(timeout wait = forever, failing how = {}) { return how.or_else<PP_TIMEOUT>(pp_worker_step, native(), wait.nanoseconds()) == PP_OK; }
    void leave(failing how = {}) { how(pp_worker_leave, native()); }
    bool has_left() const noexcept { return pp_worker_has_left(native()); }
    uint64_t batches() const noexcept { return pp_worker_batches(native()); }
    polyproc::leaver leaver(failing how = {}) const { return polyproc::leaver(made<pp_leaver_t>(how, pp_worker_leaver, native())); }
    polyproc::pollable pollable(failing how = {}) const { return polyproc::pollable(made<pp_pollable_t>(how, pp_worker_pollable, native())); }
};

} // namespace polyproc

#endif
