// Pools of workers, and the futures of their calls.
#ifndef POLYPROC_POOL_HPP
#define POLYPROC_POOL_HPP

#include "fabric.hpp"
#include "message.hpp"
#include "time.hpp"

namespace polyproc {

// As in polyproc.h; 0 is the default of each. Times are nanoseconds(5s).
struct call_options : pp_call_options_t {
    call_options() : pp_call_options_t PP_CALL_OPTIONS_INIT {}
};
struct pool_options : pp_pool_options_t {
    pool_options() : pp_pool_options_t PP_POOL_OPTIONS_INIT {}
    explicit pool_options(uint32_t count) : pool_options() { workers = count; }
};

// The results of the calls of one submission.
template <class R>
class futures : public handle<pp_future_t, pp_future_free> {
  public:
    using handle::handle;

    std::size_t size() const noexcept { return pp_future_count(native()); }
    bool is_done() const noexcept { return pp_future_is_done(native()); }
    // Until all are over, well or badly.
    void wait(failing how = {}) const { how(pp_future_wait, native(), PP_FOREVER); }
    // False: time was up.
    bool wait_for(timeout wait, failing how = {}) const { return how.or_else<PP_TIMEOUT>(pp_future_wait, native(), wait.nanoseconds()) == PP_OK; }
    // The result of one of the calls. May be asked again. task_error: it failed; worker_died_error; timeout_error: not in that time.
    R get(std::size_t index, timeout wait = forever, failing how = {}) const
    {
        message result(made<pp_message_t>(how, pp_future_result, native(), index, wait.nanoseconds()));
        if constexpr (!std::is_void_v<R>) {
            return result ? unpack<R>(std::move(result), how) : R{};
        }
    }
    // All results, in order; of the first that failed, its error.
    std::vector<R> all(timeout wait = forever, failing how = {}) const
    {
        std::vector<R> out;
        error problem;
        bool ended = failing{problem}(pp_future_wait, native(), wait.nanoseconds());
        for (std::size_t i = 0; ended && i < size(); i++) {
            out.push_back(get(i, forever, problem));
            ended = !problem;
        }
        how.begin();
        if (problem) {
            how.fail(std::move(problem));
            out.clear();
        }
        return out;
    }
    // Cancels what is not over; false: all was. One that runs is told, and killed after the grace.
    bool cancel(std::chrono::nanoseconds grace = std::chrono::seconds(1), failing how = {}) const
    {
        return asked<bool>(how, pp_future_cancel, native(), int64_t{grace.count()});
    }
    // Readable when all are over.
    int32_t fd(failing how = {}) const { return asked<int32_t>(how, pp_future_fd, native()); }
};

// The result of one call.
template <class R>
class future : public futures<R> {
  public:
    using futures<R>::futures;
    R get(timeout wait = forever, failing how = {}) const { return futures<R>::get(0, wait, how); }
};

class pool : public handle<pp_pool_t, pp_pool_free> {
  public:
    using handle::handle;

    // Its tasks are those of this program, which begins with main(). The end of the handle terminates it: close and join first if all work is to be done.
    explicit pool(const pool_options &options, failing how = {})
        : handle(made<pp_pool_t>(how, pp_pool_create, static_cast<const pp_pool_options_t *>(&options)))
    {
    }
    explicit pool(uint32_t workers, failing how = {}) : pool(pool_options(workers), how) {}
    // Another process's pool of this name.
    static pool connect(const fabric &in, const std::string &name, failing how = {})
    {
        return pool(made<pp_pool_t>(how, pp_pool_connect, in.native(), name.c_str()));
    }

    // One call of a task of any language. Does not wait.
    template <class R, class... Arguments>
    future<R> submit(const std::string &task, const Arguments &...arguments) const
    {
        return submit_with<R>(failing(), nullptr, task, arguments...);
    }
    template <class R, class... Arguments>
    future<R> submit(error &problem, const std::string &task, const Arguments &...arguments) const
    {
        return submit_with<R>(failing(problem), nullptr, task, arguments...);
    }
    template <class R, class... Arguments>
    future<R> submit(const call_options &options, const std::string &task, const Arguments &...arguments) const
    {
        return submit_with<R>(failing(), &options, task, arguments...);
    }
    template <class R, class... Arguments>
    future<R> submit(error &problem, const call_options &options, const std::string &task, const Arguments &...arguments) const
    {
        return submit_with<R>(failing(problem), &options, task, arguments...);
    }
    // The same, and waits for the result.
    template <class R, class... Arguments>
    R call(const std::string &task, const Arguments &...arguments) const
    {
        return submit<R>(task, arguments...).get();
    }

    // A call for each item, which is its only argument. Does not wait.
    template <class R, class Items>
    futures<R> submit_each(const std::string &task, const Items &items, failing how = {}) const
    {
        packed_many data(how);
        for (const auto &item : items) {
            if (!data.add(item)) {
                return {};
            }
        }
        return map_of<R>(task, data, 1, data.size(), nullptr, how);
    }
    template <class R, class Items>
    futures<R> submit_each(const call_options &options, const std::string &task, const Items &items, failing how = {}) const
    {
        packed_many data(how);
        for (const auto &item : items) {
            if (!data.add(item)) {
                return {};
            }
        }
        return map_of<R>(task, data, 1, data.size(), &options, how);
    }
    // The results of all items, in order.
    template <class R, class Items>
    std::vector<R> map(const std::string &task, const Items &items, failing how = {}) const
    {
        auto results = submit_each<R>(task, items, how);
        return results ? results.all(forever, how) : std::vector<R>();
    }
    // The same of tuples, whose parts are the arguments of a call.
    template <class R, class Tuples>
    std::vector<R> starmap(const std::string &task, const Tuples &items, failing how = {}) const
    {
        packed_many data(how);
        std::size_t calls = 0;
        for (const auto &item : items) {
            if (!std::apply([&data](const auto &...part) { return (data.add(part) && ...); }, item)) {
                return {};
            }
            calls++;
        }
        auto results = map_of<R>(task, data, calls == 0 ? 1 : data.size() / calls, calls, nullptr, how);
        return results ? results.all(forever, how) : std::vector<R>();
    }

    // No more work is taken.
    void close(failing how = {}) const { how(pp_pool_close, native()); }
    // Kills the workers; what is not done is `terminated`.
    void terminate(failing how = {}) const { how(pp_pool_terminate, native()); }
    // After close or terminate, until all is over. False: time was up.
    bool join(timeout wait = forever, failing how = {}) const { return how.or_else<PP_TIMEOUT>(pp_pool_join, native(), wait.nanoseconds()) == PP_OK; }
    bool is_open() const noexcept { return pp_pool_is_open(native()); }
    void resize(uint32_t workers, failing how = {}) const { how(pp_pool_resize, native(), workers); }
    pp_progress_t progress(failing how = {}) const { return asked<pp_progress_t>(how, pp_pool_progress, native()); }
    // Of its workers; nothing: there are not so many.
    std::optional<pp_worker_info_t> worker(std::size_t index, failing how = {}) const
    {
        pp_worker_info_t out{};
        return how.or_else<PP_NOT_FOUND>(pp_pool_worker, native(), index, &out) == PP_OK ? std::optional(out) : std::nullopt;
    }
    int32_t fd(failing how = {}) const { return asked<int32_t>(how, pp_pool_fd, native()); }

  private:
    template <class R, class... Arguments>
    future<R> submit_with(failing how, const call_options *options, const std::string &task, const Arguments &...arguments) const
    {
        packed_many data(how);
        if (!(data.add(arguments) && ...)) {
            return {};
        }
        const pp_call_options_t *base = options;
        return future<R>(made<pp_future_t>(how, pp_pool_submit, native(), task.c_str(), data.data(), data.size(), base));
    }
    template <class R>
    futures<R> map_of(const std::string &task, const packed_many &data, std::size_t each, std::size_t calls, const call_options *options, const failing &how) const
    {
        const pp_call_options_t *base = options;
        return futures<R>(made<pp_future_t>(how, pp_pool_map, native(), task.c_str(), data.data(), each, calls, base));
    }
};

} // namespace polyproc

#endif
