// Time-outs: std::chrono on one side, the nanoseconds of polyproc.h on the other.
#ifndef POLYPROC_TIME_HPP
#define POLYPROC_TIME_HPP

#include <polyproc.h>

#include <chrono>
#include <cstdint>

namespace polyproc {

// How long a call may wait. None: for ever.
class timeout {
  public:
    constexpr timeout() = default;
    template <class Count, class Period>
    constexpr timeout(std::chrono::duration<Count, Period> wait) : nanoseconds_(of(wait)) {} // NOLINT: 5s is what one writes

    constexpr int64_t nanoseconds() const noexcept { return nanoseconds_; }
    constexpr bool is_try() const noexcept { return nanoseconds_ == 0; }

  private:
    // 0 if it is over, rounded up otherwise, so that no wait is shorter than what was asked for; the longest if it is longer than that.
    template <class Count, class Period>
    static constexpr int64_t of(std::chrono::duration<Count, Period> wait)
    {
        using namespace std::chrono;
        if (!(wait > duration<Count, Period>::zero())) {
            return 0;
        }
        if (duration<double>(wait).count() >= 9.2e9) { // 2^63 nanoseconds are 9.22e9 seconds
            return INT64_MAX;
        }
        return static_cast<int64_t>(ceil<std::chrono::nanoseconds>(wait).count());
    }

    int64_t nanoseconds_ = PP_FOREVER;
};

inline constexpr timeout forever{};

// Until that time.
template <class Clock, class Duration>
timeout until(const std::chrono::time_point<Clock, Duration> &when)
{
    return timeout(when - Clock::now());
}

// Nanoseconds, for members of options.
template <class Count, class Period>
constexpr int64_t nanoseconds(std::chrono::duration<Count, Period> length)
{
    return timeout(length).nanoseconds();
}

} // namespace polyproc

#endif
