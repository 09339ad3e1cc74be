// What went wrong, as an exception or as an answer: one class for both. `failing` is how a call is told which.
#ifndef POLYPROC_ERROR_HPP
#define POLYPROC_ERROR_HPP

#include <polyproc.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace polyproc {

class message;

// The numbers of polyproc.h, where each has its explanation.
enum class status : int32_t {
    ok = PP_OK,
    timeout = PP_TIMEOUT,
    empty = PP_EMPTY,
    full = PP_FULL,
    closed = PP_CLOSED,
    out_of_memory = PP_OUT_OF_MEMORY,
    too_large = PP_TOO_LARGE,
    corrupt = PP_CORRUPT,
    foreign_version = PP_FOREIGN_VERSION,
    foreign_abi = PP_FOREIGN_ABI,
    not_a_fabric = PP_NOT_A_FABRIC,
    not_found = PP_NOT_FOUND,
    already_exists = PP_ALREADY_EXISTS,
    wrong_type = PP_WRONG_TYPE,
    bad_name = PP_BAD_NAME,
    not_owner = PP_NOT_OWNER,
    too_many_members = PP_TOO_MANY_MEMBERS,
    gone = PP_GONE,
    not_attached = PP_NOT_ATTACHED,
    encode = PP_ENCODE,
    decode = PP_DECODE,
    unreachable = PP_UNREACHABLE,
    invalid_argument = PP_INVALID_ARGUMENT,
    not_held = PP_NOT_HELD,
    os = PP_OS,
    interrupted = PP_INTERRUPTED,
    unsupported = PP_UNSUPPORTED,
    owner_died = PP_OWNER_DIED,
    broken_barrier = PP_BROKEN_BARRIER,
    lease_lost = PP_LEASE_LOST,
    not_authenticated = PP_NOT_AUTHENTICATED,
    unknown_task = PP_UNKNOWN_TASK,
    bad_arguments = PP_BAD_ARGUMENTS,
    bad_result = PP_BAD_RESULT,
    panicked = PP_PANICKED,
    worker_died = PP_WORKER_DIED,
    pool_closed = PP_POOL_CLOSED,
    terminated = PP_TERMINATED,
    spawn_failed = PP_SPAWN_FAILED,
    gave_up = PP_GAVE_UP,
    not_started = PP_NOT_STARTED,
    ambiguous_task = PP_AMBIGUOUS_TASK,
    cancelled = PP_CANCELLED,
    time_limit = PP_TIME_LIMIT,
    memory_limit = PP_MEMORY_LIMIT,
    internal = PP_INTERNAL
};

// An error, or none. As an exception it is always one; as the last argument of a call it is set by that call.
class error : public std::runtime_error {
  public:
    error() : std::runtime_error(std::string()) {}
    error(polyproc::status status, const std::string &what) : std::runtime_error(what), status_(status) {}
    // Takes what a call of polyproc.h gave out.
    error(int32_t status, pp_error_t *object) : std::runtime_error(std::string()), status_(static_cast<polyproc::status>(status)), object_(object, pp_error_free) {}

    // Whether something went wrong.
    explicit operator bool() const noexcept { return status_ != polyproc::status::ok; }
    polyproc::status status() const noexcept { return status_; }
    // One sentence that names the object and says what to do.
    const char *what() const noexcept override { return object_ ? pp_error_message(object_.get()) : std::runtime_error::what(); }

    // Of a call that failed: its task, what the task said, and where; empty if there is nothing of that kind.
    std::string task() const { return text(pp_error_task(object_.get())); }
    std::string remote_message() const { return text(pp_error_remote_message(object_.get())); }
    std::string remote_backtrace() const { return text(pp_error_remote_backtrace(object_.get())); }
    std::string standard_error() const { return text(pp_error_stderr(object_.get())); }
    // Of a worker that died: 0 if unknown.
    uint32_t pid() const noexcept { return pp_error_pid(object_.get()); }
    int32_t signal() const noexcept { return pp_error_signal(object_.get()); }
    uint32_t attempt() const noexcept { return pp_error_attempt(object_.get()); }
    // The number of the operating system.
    int32_t os() const noexcept { return pp_error_os(object_.get()); }
    // For all else that polyproc.h tells about errors; NULL if this library made the error.
    const pp_error_t *object() const noexcept { return object_.get(); }

    // The message that came with the error because it did not fit or is of another type, so that it is not lost. Empty: none. (In message.hpp.)
    inline message take_message();

    void clear() noexcept
    {
        status_ = polyproc::status::ok;
        object_.reset();
        message_.reset();
    }
    // Keeps a message that was taken out and could not be given to the caller.
    void keep(pp_message_t *taken) { message_ = std::make_shared<kept>(taken, pp_message_free); }

  private:
    using kept = std::unique_ptr<pp_message_t, void (*)(pp_message_t *)>;

    static std::string text(const char *text) { return text == nullptr ? std::string() : std::string(text); }

    polyproc::status status_ = polyproc::status::ok;
    std::shared_ptr<pp_error_t> object_;
    std::shared_ptr<kept> message_; // copies of an error share it; the first that takes it has it
};

// The kinds that one would catch alone. They add nothing to error.
template <status Status>
class error_of : public error {
  public:
    explicit error_of(error base) : error(std::move(base)) {}
};

using timeout_error = error_of<status::timeout>;
using empty_error = error_of<status::empty>;
using full_error = error_of<status::full>;
using closed_error = error_of<status::closed>;
using out_of_memory_error = error_of<status::out_of_memory>;
using not_found_error = error_of<status::not_found>;
using already_exists_error = error_of<status::already_exists>;
using wrong_type_error = error_of<status::wrong_type>;
using gone_error = error_of<status::gone>;
using invalid_argument_error = error_of<status::invalid_argument>;
using not_held_error = error_of<status::not_held>;
using interrupted_error = error_of<status::interrupted>;
using broken_barrier_error = error_of<status::broken_barrier>;
using lease_lost_error = error_of<status::lease_lost>;
using task_error = error_of<status::panicked>; // the task failed, and says why in remote_message()
using worker_died_error = error_of<status::worker_died>;
using pool_closed_error = error_of<status::pool_closed>;
using cancelled_error = error_of<status::cancelled>;

// Throws an error as its class.
[[noreturn]] inline void raise(error what)
{
    switch (what.status()) {
    case status::timeout: throw timeout_error(std::move(what));
    case status::empty: throw empty_error(std::move(what));
    case status::full: throw full_error(std::move(what));
    case status::closed: throw closed_error(std::move(what));
    case status::out_of_memory: throw out_of_memory_error(std::move(what));
    case status::not_found: throw not_found_error(std::move(what));
    case status::already_exists: throw already_exists_error(std::move(what));
    case status::wrong_type: throw wrong_type_error(std::move(what));
    case status::gone: throw gone_error(std::move(what));
    case status::invalid_argument: throw invalid_argument_error(std::move(what));
    case status::not_held: throw not_held_error(std::move(what));
    case status::interrupted: throw interrupted_error(std::move(what));
    case status::broken_barrier: throw broken_barrier_error(std::move(what));
    case status::lease_lost: throw lease_lost_error(std::move(what));
    case status::panicked: throw task_error(std::move(what));
    case status::worker_died: throw worker_died_error(std::move(what));
    case status::pool_closed: throw pool_closed_error(std::move(what));
    case status::cancelled: throw cancelled_error(std::move(what));
    default: throw what;
    }
}

// How a call fails: by an exception, or, made from an error, into that.
class failing {
  public:
    failing() = default;
    failing(error &into) : into_(&into) {} // NOLINT: `problem` is what one writes

    // Calls a function of polyproc.h with these arguments and an error at the end; true if it answers PP_OK.
    template <class Function, class... Arguments>
    bool operator()(Function function, Arguments... arguments) const
    {
        return status_of(function, arguments...) == PP_OK;
    }

    // The same, with the two answers that are no failure: PP_OK and `also`.
    template <int32_t Also, class Function, class... Arguments>
    int32_t or_else(Function function, Arguments... arguments) const
    {
        pp_error_t *object = nullptr;
        int32_t status = function(arguments..., &object);
        if (status == PP_OK || status == Also) {
            pp_error_free(object);
            begin();
        } else {
            fail(error(status, object));
        }
        return status;
    }

    void fail(error what) const
    {
        if (into_ == nullptr) {
            raise(std::move(what));
        }
        *into_ = std::move(what);
    }

    // Nothing went wrong so far.
    void begin() const noexcept
    {
        if (into_ != nullptr) {
            into_->clear();
        }
    }

  private:
    template <class Function, class... Arguments>
    int32_t status_of(Function function, Arguments... arguments) const
    {
        return or_else<PP_OK>(function, arguments...);
    }

    error *into_ = nullptr;
};

} // namespace polyproc

#endif
