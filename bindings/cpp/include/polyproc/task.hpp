// Tasks: functions and lambdas that pools of any language call by name.
#ifndef POLYPROC_TASK_HPP
#define POLYPROC_TASK_HPP

#include "message.hpp"

#include <chrono>

namespace polyproc {

// The call that a task runs: a task that wants to know it takes `const polyproc::call &` as its first parameter.
class call {
  public:
    explicit call(const pp_call_t *lent) noexcept : call_(lent) {}

    std::string task() const { return pp_call_task(call_); }
    uint64_t number() const noexcept { return pp_call_number(call_); }
    uint32_t attempt() const noexcept { return pp_call_attempt(call_); }
    // Whether it should stop.
    bool cancelled() const noexcept { return pp_call_cancelled(call_); }
    // Nothing: there is no limit.
    std::optional<std::chrono::nanoseconds> time_left() const noexcept
    {
        int64_t left = pp_call_time_left(call_);
        return left < 0 ? std::nullopt : std::optional(std::chrono::nanoseconds(left));
    }
    const pp_call_t *native() const noexcept { return call_; }

  private:
    const pp_call_t *call_;
};

namespace detail {

template <class Result, class... Parameters>
struct signature {
    using result = Result;
    using arguments = std::tuple<std::decay_t<Parameters>...>;
    static constexpr bool wants_call = false;
};
template <class Result, class... Parameters>
struct signature<Result, const call &, Parameters...> : signature<Result, Parameters...> {
    static constexpr bool wants_call = true;
};

template <class Function>
struct callable : callable<decltype(&Function::operator())> {};
template <class Result, class... Parameters>
struct callable<Result (*)(Parameters...)> : signature<Result, Parameters...> {};
template <class Result, class... Parameters>
struct callable<Result (*)(Parameters...) noexcept> : signature<Result, Parameters...> {};
template <class Object, class Result, class... Parameters>
struct callable<Result (Object::*)(Parameters...) const> : signature<Result, Parameters...> {};
template <class Object, class Result, class... Parameters>
struct callable<Result (Object::*)(Parameters...)> : signature<Result, Parameters...> {};
template <class Object, class Result, class... Parameters>
struct callable<Result (Object::*)(Parameters...) const noexcept> : signature<Result, Parameters...> {};
template <class Object, class Result, class... Parameters>
struct callable<Result (Object::*)(Parameters...) noexcept> : signature<Result, Parameters...> {};

// What the library calls: reads the arguments, calls the function, writes the result. No exception leaves it.
template <class Function>
int32_t run_task(void *context, const pp_call_t *lent, const void *data, std::size_t size, pp_writer_t *result)
{
    using of = callable<Function>;
    using arguments = typename of::arguments;
    try {
        error problem;
        arguments read{};
        reading from{data, size, 0, failing(problem)};
        if (!coder<arguments>::read(from, read)) {
            return pp_call_bad_arguments(lent, problem.what());
        }
        auto &function = *static_cast<Function *>(context);
        call this_call(lent);
        auto with = [&](auto &...item) -> typename of::result {
            if constexpr (of::wants_call) {
                return function(this_call, std::move(item)...);
            } else {
                return function(std::move(item)...);
            }
        };
        if constexpr (std::is_void_v<typename of::result>) {
            std::apply(with, read);
        } else {
            std::decay_t<typename of::result> answer = std::apply(with, read);
            coder<std::decay_t<typename of::result>>::write(writing{result, failing()}, answer);
        }
        return PP_OK;
    } catch (const std::exception &failed) {
        return pp_call_fail(lent, failed.what(), nullptr);
    } catch (...) {
        return pp_call_fail(lent, "the task threw something that is no std::exception", nullptr);
    }
}

} // namespace detail

// Offers a function or lambda as a task of this process, for good. Its parameters and result are values; an exception of it is the caller's task_error. Tasks are offered before main().
// With what it captures it is as it was when it was offered here: a worker is this program started again, not a copy of this process.
template <class Function>
void task(const std::string &name, Function function, failing how = {})
{
    using kept = std::decay_t<Function>;
    auto context = std::make_unique<kept>(std::move(function));
    if (how(pp_task_offer, name.c_str(), pp_task_t{detail::run_task<kept>}, static_cast<void *>(context.get()))) {
        (void)context.release(); // it is used as long as the process lives
    }
}

// Behind every task() and before all else in main: where this program was started as a worker, it works here, and never comes behind this line.
inline void main(failing how = {}) { how(pp_main); }

} // namespace polyproc

#endif
