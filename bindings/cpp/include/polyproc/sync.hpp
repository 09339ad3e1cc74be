// Condition, event, semaphore and barrier, with the names that std gives to such things, and pollables for event loops.
#ifndef POLYPROC_SYNC_HPP
#define POLYPROC_SYNC_HPP

#include "lock.hpp"

namespace polyproc {

// A descriptor that is readable when a try is worth it.
class pollable : public handle<pp_pollable_t, pp_pollable_free> {
  public:
    using handle::handle;

    // Lent, for poll and the like.
    int32_t fd(failing how = {}) const { return asked<int32_t>(how, pp_pollable_fd, native()); }
    // After a try that found nothing.
    void rearm(failing how = {}) const { how(pp_pollable_rearm, native()); }
    bool wait_for(timeout wait, failing how = {}) const { return how.or_else<PP_TIMEOUT>(pp_pollable_wait, native(), wait.nanoseconds()) == PP_OK; }
};

// Of a mutex, recursive_mutex, semaphore, event or queue.
inline pollable poll_of(const mutex &of, failing how = {}) { return pollable(made<pp_pollable_t>(how, pp_lock_pollable, of.native())); }
inline pollable poll_of(const recursive_mutex &of, failing how = {}) { return pollable(made<pp_pollable_t>(how, pp_rlock_pollable, of.native())); }

// Waiting for news. The condition has a lock: one that was given, or a recursive one of its own.
class condition : public lockable<pp_condition_t, pp_condition_acquire, pp_condition_release,
                                  object<pp_condition_t, pp_condition_free, pp_condition_ticket, pp_condition_destroy>> {
  public:
    condition() = default;
    explicit condition(const fabric &in, name name = {}, open mode = open::or_create, failing how = {})
        : lockable(made<pp_condition_t>(how, pp_condition_open, in.native(), name.get(), detail::opening(name, mode), nullptr))
    {
    }
    // On this mutex or recursive_mutex, by its ticket.
    condition(const fabric &in, const polyproc::ticket &lock, name name = {}, open mode = open::or_create, failing how = {})
        : lockable(made<pp_condition_t>(how, pp_condition_open, in.native(), name.get(), detail::opening(name, mode), &lock))
    {
    }
    explicit condition(const polyproc::ticket &ticket, failing how = {}) : lockable(made<pp_condition_t>(how, pp_condition_from_ticket, &ticket)) {}

    // With the lock held. True: notified; the lock came from the dead: recovered; no: time was up. The lock is held again in each case.
    acquired wait(timeout wait = forever, failing how = {}) const { return detail::acquire(pp_condition_wait, native(), wait, how); }
    // Until it is so; false: time was up, and it is not so.
    template <class Predicate>
    bool wait_until_so(Predicate is_so, timeout wait = forever, failing how = {}) const
    {
        auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(std::min<int64_t>(wait.nanoseconds(), INT64_MAX / 4));
        while (!is_so()) {
            error problem;
            timeout left = wait.nanoseconds() < 0 ? forever : until(end);
            if (this->wait(left, problem) == acquired::no) {
                how.begin();
                if (problem) {
                    how.fail(std::move(problem));
                    return false;
                }
                return is_so();
            }
        }
        how.begin();
        return true;
    }
    std::size_t notify(std::size_t count = 1, failing how = {}) const { return asked<std::size_t>(how, pp_condition_notify, native(), count); }
    std::size_t notify_all(failing how = {}) const { return notify(SIZE_MAX, how); }
};

// A flag that one can wait for.
class event : public object<pp_event_t, pp_event_free, pp_event_ticket, pp_event_destroy> {
  public:
    event() = default;
    explicit event(const fabric &in, name name = {}, open mode = open::or_create, failing how = {})
        : object(made<pp_event_t>(how, pp_event_open, in.native(), name.get(), detail::opening(name, mode)))
    {
    }
    explicit event(const polyproc::ticket &ticket, failing how = {}) : object(made<pp_event_t>(how, pp_event_from_ticket, &ticket)) {}

    void set(failing how = {}) const { how(pp_event_set, native()); }
    void clear(failing how = {}) const { how(pp_event_clear, native()); }
    bool is_set(failing how = {}) const { return asked<bool>(how, pp_event_is_set, native()); }
    void wait(failing how = {}) const { how(pp_event_wait, native(), PP_FOREVER); }
    // False: time was up.
    bool wait_for(timeout wait, failing how = {}) const { return how.or_else<PP_TIMEOUT>(pp_event_wait, native(), wait.nanoseconds()) == PP_OK; }
};

inline pollable poll_of(const event &of, failing how = {}) { return pollable(made<pp_pollable_t>(how, pp_event_pollable, of.native())); }

// Permits. Those of a process that dies come back.
class semaphore : public object<pp_semaphore_t, pp_semaphore_free, pp_semaphore_ticket, pp_semaphore_destroy> {
  public:
    semaphore() = default;
    // Bounded: a release beyond `permits` is an error.
    explicit semaphore(const fabric &in, uint32_t permits = 1, bool bounded = false, name name = {}, open mode = open::or_create, failing how = {})
        : object(made<pp_semaphore_t>(how, pp_semaphore_open, in.native(), name.get(), detail::opening(name, mode), permits, bounded))
    {
    }
    explicit semaphore(const polyproc::ticket &ticket, failing how = {}) : object(made<pp_semaphore_t>(how, pp_semaphore_from_ticket, &ticket)) {}

    void acquire(uint32_t count = 1, failing how = {}) const { how(pp_semaphore_acquire, native(), count, PP_FOREVER); }
    bool try_acquire(uint32_t count = 1, failing how = {}) const { return try_acquire_for(std::chrono::seconds(0), count, how); }
    bool try_acquire_for(timeout wait, uint32_t count = 1, failing how = {}) const
    {
        return how.or_else<PP_TIMEOUT>(pp_semaphore_acquire, native(), count, wait.nanoseconds()) == PP_OK;
    }
    template <class Clock, class Duration>
    bool try_acquire_until(const std::chrono::time_point<Clock, Duration> &when, uint32_t count = 1, failing how = {}) const
    {
        return try_acquire_for(until(when), count, how);
    }
    void release(uint32_t count = 1, failing how = {}) const { how(pp_semaphore_release, native(), count); }
    uint32_t value(failing how = {}) const { return asked<uint32_t>(how, pp_semaphore_value, native()); }
    // By this process.
    uint32_t held(failing how = {}) const { return asked<uint32_t>(how, pp_semaphore_held, native()); }
    // -1: unbounded.
    int64_t bound(failing how = {}) const { return asked<int64_t>(how, pp_semaphore_bound, native()); }
};

inline pollable poll_of(const semaphore &of, failing how = {}) { return pollable(made<pp_pollable_t>(how, pp_semaphore_pollable, of.native())); }

// Waits until all parties have come. A wait that ends early, or a party that dies, breaks it: broken_barrier.
class barrier : public object<pp_barrier_t, pp_barrier_free, pp_barrier_ticket, pp_barrier_destroy> {
  public:
    barrier() = default;
    barrier(const fabric &in, std::size_t parties, name name = {}, timeout wait = forever, open mode = open::or_create, failing how = {})
        : object(made<pp_barrier_t>(how, pp_barrier_open, in.native(), name.get(), detail::opening(name, mode), parties, wait.nanoseconds()))
    {
    }
    explicit barrier(const polyproc::ticket &ticket, failing how = {}) : object(made<pp_barrier_t>(how, pp_barrier_from_ticket, &ticket)) {}

    // The number of this party, from 0. Without a time-out: that of the barrier.
    std::size_t wait(timeout wait = forever, failing how = {}) const { return asked<std::size_t>(how, pp_barrier_wait, native(), wait.nanoseconds()); }
    void reset(failing how = {}) const { how(pp_barrier_reset, native()); }
    void abort(failing how = {}) const { how(pp_barrier_abort, native()); }
    std::size_t parties(failing how = {}) const { return asked<std::size_t>(how, pp_barrier_parties, native()); }
    std::size_t waiting(failing how = {}) const { return asked<std::size_t>(how, pp_barrier_n_waiting, native()); }
    bool broken(failing how = {}) const { return asked<bool>(how, pp_barrier_broken, native()); }
};

} // namespace polyproc

#endif
