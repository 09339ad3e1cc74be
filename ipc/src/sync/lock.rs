//! The user's lock: the lock word as an object of the fabric, with names, tickets, time-outs and news of a dead owner.
//!
//! Object layout: common header, then at +192 the lock word (`word.rs` has its table). Destroying a lock sets its birth to 0; whoever acquires
//! it afterwards sees that under the lock and gives it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::word::{self, Acquired};
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::Fabric;
use crate::fabric::handle::{Handle, How, gone, shared_object};
use crate::fabric::kinds::Ops;
use crate::objects::{HEADER, Header, Kind};
use crate::poll::{Pollable, Source};
use crate::shm::{Deadline, Owner, Shm};

const WORD: usize = HEADER;
const SIZE: usize = HEADER + 64;

/// A lock between processes: at most one holds it, and if that one is killed, the next is told and goes on.
///
/// The *process* is the owner, as in the reference: any thread of it may release, and [`Lock::release`] may even be called by another process
/// (python docs, `multiprocessing.Lock`). It is not recursive. A waiter spins for about a microsecond, then sleeps.
///
/// **When the owner dies** the next acquire succeeds and says so: [`LockError::OwnerDied`] carries the guard, as `std`'s poisoned mutex
/// does. It comes at once if somebody sweeps the fabric, else after some 1 to 50 ms, up to 250 for who has waited seconds.
///
/// **Fork**: a forked child does not hold its parent's locks; a guard it inherited does nothing when dropped there.
///
/// ```
/// use polyproc_ipc::{Fabric, Lock};
/// let fabric = Fabric::new()?;
/// let lock = Lock::new(&fabric)?;
/// {
///     let _held = lock.lock()?;
///     assert!(lock.locked());
///     assert!(lock.try_lock().is_err());
/// }
/// assert!(!lock.locked());
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone)]
pub struct Lock(Arc<Handle>);

/// The lock, held until the guard is dropped.
#[must_use = "the lock is released when the guard is dropped"]
pub struct LockGuard<'a> {
    lock: &'a Lock,
    me: Owner,
}

/// Why a lock was not simply acquired.
pub enum LockError<G> {
    /// It *was* acquired, from a process that died holding it: what it protects may be half changed.
    OwnerDied(G),
    /// It was not acquired.
    Failed(Error),
}

impl<G> LockError<G> {
    /// The guard if the lock was acquired all the same, else the error.
    pub fn into_guard(self) -> Result<G> {
        match self {
            LockError::OwnerDied(guard) => Ok(guard),
            LockError::Failed(error) => Err(error),
        }
    }
}

impl<G> std::fmt::Debug for LockError<G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl<G> std::fmt::Display for LockError<G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LockError::OwnerDied(_) => f.write_str("the lock was acquired, but its last owner died holding it; check what it protects"),
            LockError::Failed(error) => error.fmt(f),
        }
    }
}

impl<G> std::error::Error for LockError<G> {}

impl<G> From<Error> for LockError<G> {
    fn from(error: Error) -> Self {
        LockError::Failed(error)
    }
}

/// For `?`: a guard that came from the dead is dropped, and the lock with it.
impl<G> From<LockError<G>> for Error {
    fn from(error: LockError<G>) -> Error {
        match error {
            LockError::OwnerDied(_) => Error::new(ErrorKind::OwnerDied, "the lock's last owner died holding it; what it protects may be half changed"),
            LockError::Failed(error) => error,
        }
    }
}

impl Lock {
    /// A lock without a name. It goes with its last handle here, unless its [ticket](Lock::ticket) was made.
    pub fn new(fabric: &Fabric) -> Result<Lock> {
        Lock::get(fabric, How::New)
    }

    /// Makes the lock of this name.
    pub fn create(fabric: &Fabric, name: &str) -> Result<Lock> {
        Lock::get(fabric, How::Create(name))
    }

    /// Opens the lock of this name.
    pub fn open(fabric: &Fabric, name: &str) -> Result<Lock> {
        Lock::get(fabric, How::Open(name))
    }

    /// Opens the lock of this name, or makes it.
    pub fn open_or_create(fabric: &Fabric, name: &str) -> Result<Lock> {
        Lock::get(fabric, How::OpenOrCreate(name))
    }

    /// Acquires the lock, however long it takes.
    #[inline]
    pub fn lock(&self) -> Result<LockGuard<'_>, LockError<LockGuard<'_>>> {
        self.guard(None)
    }

    /// Acquires the lock if it is free (or its owner dead); [`ErrorKind::Timeout`] if not.
    pub fn try_lock(&self) -> Result<LockGuard<'_>, LockError<LockGuard<'_>>> {
        self.guard(Some(Duration::ZERO))
    }

    /// Acquires the lock if that is possible within `time`; else [`ErrorKind::Timeout`].
    pub fn lock_timeout(&self, time: Duration) -> Result<LockGuard<'_>, LockError<LockGuard<'_>>> {
        self.guard(Some(time))
    }

    /// Acquires without a guard, for callers who release elsewhere; `None`: however long it takes.
    #[inline]
    pub fn acquire(&self, time: Option<Duration>) -> Result<Acquired> {
        self.acquire_as_me(time).map(|(acquired, _)| acquired)
    }

    /// Releases the lock, whoever holds it, as the reference allows; [`ErrorKind::NotHeld`] if nobody does.
    #[inline]
    pub fn release(&self) -> Result<()> {
        let (word, birth) = self.words();
        if birth.load(Ordering::Relaxed) != self.0.id.birth {
            return Err(gone(Kind::Lock));
        }
        // Releasing a lock that nobody holds changes nothing. (A look first would cost a third of the whole: a load just after a locked instruction waits for it.)
        if word::release(word) { Ok(()) } else { Err(self.nobody_held_it()) }
    }

    /// Whether a living process holds the lock at this moment.
    pub fn locked(&self) -> bool {
        self.owner().is_some()
    }

    /// The living process that holds the lock at this moment.
    pub fn owner(&self) -> Option<Owner> {
        let (word, birth) = self.words();
        let owner = word::owner(word.load(Ordering::Relaxed));
        if birth.load(Ordering::Acquire) != self.0.id.birth {
            return None;
        }
        (owner != Owner::NOBODY && self.0.shm().alive(owner)).then_some(owner)
    }

    /// A descriptor for event loops, readable when the lock may be acquired: see [`Pollable`].
    pub fn pollable(&self) -> Result<Pollable> {
        Pollable::new(self.clone())
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.0
    }

    pub(crate) fn of(handle: Handle) -> Lock {
        Lock(Arc::new(handle))
    }

    fn get(fabric: &Fabric, how: How<'_>) -> Result<Lock> {
        let handle = Handle::get(fabric, Kind::Lock, how, SIZE, |_, body| {
            // In a chunk that was a lock before, whoever held that one has no claim any more.
            word::release(body.u64(WORD - HEADER)?);
            Ok(())
        })?;
        Ok(Lock::of(handle))
    }

    #[inline(always)]
    fn words(&self) -> (&AtomicU64, &AtomicU64) {
        let object = self.0.fixed::<SIZE>();
        (object.u64(WORD), object.u64(24))
    }

    #[inline(always)]
    fn acquire_as_me(&self, time: Option<Duration>) -> Result<(Acquired, Owner)> {
        let shm = self.0.shm();
        let me = shm.me()?;
        let (word, birth) = self.words();
        let acquired = if word::try_acquire(word, me) { Acquired::Clean } else { self.wait(word, me, time)? };
        if birth.load(Ordering::Relaxed) != self.0.id.birth {
            word::release_own(word, me);
            return Err(gone(Kind::Lock));
        }
        Ok((acquired, me))
    }

    #[cold]
    fn nobody_held_it(&self) -> Error {
        Error::new(ErrorKind::NotHeld, format!("lock {} was released, but nobody held it", self.0.label()))
    }

    #[cold]
    fn wait(&self, word: &AtomicU64, me: Owner, time: Option<Duration>) -> Result<Acquired> {
        // Another lock may live in the chunk by now, and be held.
        if self.words().1.load(Ordering::Acquire) != self.0.id.birth {
            return Err(gone(Kind::Lock));
        }
        word::acquire(self.0.shm(), word, me, Deadline::after(time)).ok_or_else(|| {
            let holder = word::owner(word.load(Ordering::Relaxed));
            Error::new(ErrorKind::Timeout, format!("lock {} was not free within the time given (held by {holder:?})", self.0.label()))
        })
    }

    #[inline(always)]
    fn guard(&self, time: Option<Duration>) -> Result<LockGuard<'_>, LockError<LockGuard<'_>>> {
        let (acquired, me) = self.acquire_as_me(time)?;
        let guard = LockGuard { lock: self, me };
        match acquired {
            Acquired::Clean => Ok(guard),
            Acquired::OwnerDied => Err(LockError::OwnerDied(guard)),
        }
    }
}

impl Drop for LockGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // Only what this process acquired, and only if it is still this process: not in a forked child, not once somebody else released it, not
        // if the lock was destroyed and its chunk is another lock's.
        let (word, birth) = self.lock.words();
        if self.lock.0.shm().me_if_joined() == Some(self.me) && birth.load(Ordering::Relaxed) == self.lock.0.id.birth {
            word::release_own(word, self.me);
        }
    }
}

impl std::fmt::Debug for LockGuard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LockGuard of lock {}", self.lock.0.label())
    }
}

impl Source for Lock {
    fn arm(&self) -> Option<(&AtomicU32, u32)> {
        let (word, birth) = self.words();
        if birth.load(Ordering::Acquire) != self.0.id.birth {
            return None;
        }
        word::arm(self.0.shm(), word)
    }

    fn fabric(&self) -> &Fabric {
        self.0.fabric()
    }
}

shared_object!(Lock, Kind::Lock, SIZE, "lock");

pub(crate) const OPS: Ops = Ops { quiesce, outlive: None, hold: None };

/// Ends a lock: whoever acquires it from now on finds its birth 0 and gives it back.
fn quiesce(shm: &Shm, object: Header<'_>) -> Result<()> {
    object.birth().store(0, Ordering::Release);
    // Waiters come up one after the other: each acquires, sees, releases. The holder's hold ends here.
    word::release(shm.segment.fixed::<SIZE>(object.offset)?.u64(WORD));
    Ok(())
}

const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Lock>();
};
