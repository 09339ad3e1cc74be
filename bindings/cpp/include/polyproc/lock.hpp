// Locks: mutex, recursive_mutex and shared_mutex (lock, rlock and rwlock of other languages), and the guards that say when the last owner died.
#ifndef POLYPROC_LOCK_HPP
#define POLYPROC_LOCK_HPP

#include "fabric.hpp"
#include "time.hpp"

namespace polyproc {

// What became of the wish to have a lock.
enum class acquired {
    no,       // not in that time, or there was an error
    yes,      // it is held
    recovered // it is held, and the last owner died holding it: what it protects may be half changed
};

namespace detail {
template <class Function, class Handle>
acquired acquire(Function function, const Handle *handle, timeout wait, const failing &how)
{
    error problem;
    int32_t status = failing(problem).or_else<PP_OWNER_DIED>(function, handle, wait.nanoseconds());
    how.begin();
    if (status == PP_OK || status == PP_OWNER_DIED) {
        return status == PP_OK ? acquired::yes : acquired::recovered;
    }
    if (status != PP_TIMEOUT) {
        how.fail(std::move(problem));
    }
    return acquired::no;
}
} // namespace detail

// What std::lock_guard and the like ask of a lock, from its functions in polyproc.h.
template <class Handle, int32_t (*Acquire)(const Handle *, int64_t, pp_error_t **), int32_t (*Release)(const Handle *, pp_error_t **), class Object>
class lockable : public Object {
  public:
    using Object::Object;

    acquired acquire(timeout wait = forever, failing how = {}) const { return detail::acquire(Acquire, this->native(), wait, how); }
    // True: the last owner died holding it.
    bool lock(failing how = {}) const { return acquire(forever, how) == acquired::recovered; }
    bool try_lock(failing how = {}) const { return acquire(std::chrono::seconds(0), how) != acquired::no; }
    bool try_lock_for(timeout wait, failing how = {}) const { return acquire(wait, how) != acquired::no; }
    template <class Clock, class Duration>
    bool try_lock_until(const std::chrono::time_point<Clock, Duration> &when, failing how = {}) const
    {
        return try_lock_for(until(when), how);
    }
    // False: it was not held (by this thread, of an rlock), or the lock is gone. It never throws, as the ends of guards must not.
    bool unlock() const noexcept { return Release(this->native(), nullptr) == PP_OK; }
    void unlock(error &problem) const { failing{problem}(Release, this->native()); }
};

// The lock of polyproc.h; std has the name of the method for guards.
class mutex : public lockable<pp_lock_t, pp_lock_acquire, pp_lock_release, object<pp_lock_t, pp_lock_free, pp_lock_ticket, pp_lock_destroy>> {
  public:
    mutex() = default;
    explicit mutex(const fabric &in, name name = {}, open mode = open::or_create, failing how = {})
        : lockable(made<pp_lock_t>(how, pp_lock_open, in.native(), name.get(), detail::opening(name, mode)))
    {
    }
    explicit mutex(const polyproc::ticket &ticket, failing how = {}) : lockable(made<pp_lock_t>(how, pp_lock_from_ticket, &ticket)) {}

    // The member that holds it; 0: nobody.
    uint64_t owner(failing how = {}) const { return asked<uint64_t>(how, pp_lock_owner, native()); }
};

// The rlock of polyproc.h: the thread that holds it may take it again.
class recursive_mutex : public lockable<pp_rlock_t, pp_rlock_acquire, pp_rlock_release, object<pp_rlock_t, pp_rlock_free, pp_rlock_ticket, pp_rlock_destroy>> {
  public:
    recursive_mutex() = default;
    explicit recursive_mutex(const fabric &in, name name = {}, open mode = open::or_create, failing how = {})
        : lockable(made<pp_rlock_t>(how, pp_rlock_open, in.native(), name.get(), detail::opening(name, mode)))
    {
    }
    explicit recursive_mutex(const polyproc::ticket &ticket, failing how = {}) : lockable(made<pp_rlock_t>(how, pp_rlock_from_ticket, &ticket)) {}

    uint64_t owner(failing how = {}) const { return asked<uint64_t>(how, pp_rlock_owner, native()); }
    uint64_t depth(failing how = {}) const { return asked<uint64_t>(how, pp_rlock_depth, native()); }
};

// The rwlock of polyproc.h: many readers or one writer. lock and so on are the writer's; lock_shared and so on the readers', for std::shared_lock.
class shared_mutex
    : public lockable<pp_rwlock_t, pp_rwlock_acquire_write, pp_rwlock_release_write, object<pp_rwlock_t, pp_rwlock_free, pp_rwlock_ticket, pp_rwlock_destroy>> {
  public:
    shared_mutex() = default;
    explicit shared_mutex(const fabric &in, name name = {}, open mode = open::or_create, failing how = {})
        : lockable(made<pp_rwlock_t>(how, pp_rwlock_open, in.native(), name.get(), detail::opening(name, mode)))
    {
    }
    explicit shared_mutex(const polyproc::ticket &ticket, failing how = {}) : lockable(made<pp_rwlock_t>(how, pp_rwlock_from_ticket, &ticket)) {}

    acquired acquire_shared(timeout wait = forever, failing how = {}) const { return detail::acquire(pp_rwlock_acquire_read, native(), wait, how); }
    bool lock_shared(failing how = {}) const { return acquire_shared(forever, how) == acquired::recovered; }
    bool try_lock_shared(failing how = {}) const { return acquire_shared(std::chrono::seconds(0), how) != acquired::no; }
    bool try_lock_shared_for(timeout wait, failing how = {}) const { return acquire_shared(wait, how) != acquired::no; }
    template <class Clock, class Duration>
    bool try_lock_shared_until(const std::chrono::time_point<Clock, Duration> &when, failing how = {}) const
    {
        return try_lock_shared_for(until(when), how);
    }
    bool unlock_shared() const noexcept { return pp_rwlock_release_read(native(), nullptr) == PP_OK; }
    void unlock_shared(error &problem) const { failing{problem}(pp_rwlock_release_read, native()); }

    uint64_t readers(failing how = {}) const { return asked<uint64_t>(how, pp_rwlock_readers, native()); }
    uint64_t writer(failing how = {}) const { return asked<uint64_t>(how, pp_rwlock_writer, native()); }
};

// Holds a lock until its scope ends. Of a shared_mutex: as the writer; shared_guard: as a reader.
template <class Lock, bool Shared = false>
class guard {
  public:
    explicit guard(const Lock &of, timeout wait = forever, failing how = {}) : lock_(&of)
    {
        if constexpr (Shared) {
            state_ = of.acquire_shared(wait, how);
        } else {
            state_ = of.acquire(wait, how);
        }
    }
    guard(guard &&from) noexcept : lock_(from.lock_), state_(std::exchange(from.state_, acquired::no)) {}
    guard &operator=(guard &&from) noexcept
    {
        unlock();
        lock_ = from.lock_;
        state_ = std::exchange(from.state_, acquired::no);
        return *this;
    }
    ~guard() { unlock(); }

    // False: time was up, or it was unlocked.
    bool owns_lock() const noexcept { return state_ != acquired::no; }
    explicit operator bool() const noexcept { return owns_lock(); }
    // The last owner died holding it: what it protects may be half changed.
    bool recovered() const noexcept { return state_ == acquired::recovered; }
    void unlock() noexcept
    {
        if (owns_lock()) {
            if constexpr (Shared) {
                lock_->unlock_shared();
            } else {
                lock_->unlock();
            }
        }
        state_ = acquired::no;
    }

  private:
    const Lock *lock_;
    acquired state_;
};

template <class Lock>
class shared_guard : public guard<Lock, true> {
  public:
    using guard<Lock, true>::guard;
};
template <class Lock>
shared_guard(const Lock &) -> shared_guard<Lock>;
template <class Lock>
shared_guard(const Lock &, timeout) -> shared_guard<Lock>;
template <class Lock>
shared_guard(const Lock &, timeout, failing) -> shared_guard<Lock>;

} // namespace polyproc

#endif
