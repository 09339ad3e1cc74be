//! The user's lock that its thread may take again: the recursive lock word (`recursive.rs` has its table) as an object of the fabric.
//!
//! Object layout: common header, then at +192 the three words of `recursive.rs`. Destroying sets the birth to 0, then resets the words; whoever acquires
//! it afterwards sees that and gives it back. Killed anywhere: the lock word names the dead, and the next owner is told.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::lock::LockError;
use super::recursive::{self, Recursive};
use super::word::{self, Acquired};
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::Fabric;
use crate::fabric::handle::{Handle, How, gone, shared_object};
use crate::fabric::kinds::Ops;
use crate::objects::{HEADER, Header, Kind};
use crate::poll::{Pollable, Source};
use crate::shm::{Deadline, Owner, Shm};
use crate::sys;

const SIZE: usize = HEADER + recursive::SIZE;
/// How long a waiter waits before it looks whether the lock is still the one it came for.
const SLICE: Duration = Duration::from_secs(1);

/// A lock between processes that the thread which holds it may take again; it is free when that thread has released it as often.
///
/// The *thread* is the owner, as in the reference: a release by any other thread or process is [`ErrorKind::NotHeld`]. So the guard stays in its thread (it is not
/// `Send`): dropped elsewhere it could give nothing back. A thread that ends without releasing keeps the lock for as long as its process lives.
///
/// **When the owner's process dies** the next acquire succeeds and says so, however deep the dead one was in: [`LockError::OwnerDied`] carries the guard. It comes at
/// once if somebody sweeps the fabric, else after some 1 to 50 ms, up to 250 for who has waited seconds.
///
/// **Fork**: a forked child does not hold its parent's locks; a guard it inherited does nothing when dropped there.
///
/// ```
/// use polyproc_ipc::{Fabric, RLock};
/// let fabric = Fabric::new()?;
/// let lock = RLock::new(&fabric)?;
/// let outer = lock.lock()?;
/// let inner = lock.try_lock()?;
/// assert_eq!(lock.depth(), 2);
/// drop(inner);
/// assert!(lock.locked());
/// drop(outer);
/// assert!(!lock.locked());
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone)]
pub struct RLock(Arc<Handle>);

/// The lock, held once more until the guard is dropped, in the thread that took it.
#[must_use = "the lock is released when the guard is dropped"]
pub struct RLockGuard<'a> {
    lock: &'a RLock,
    me: Owner,
    /// The thread is the owner: not `Send`.
    here: PhantomData<*const ()>,
}

impl RLock {
    /// A lock without a name. It goes with its last handle here, unless its [ticket](RLock::ticket) was made.
    pub fn new(fabric: &Fabric) -> Result<RLock> {
        RLock::get(fabric, How::New)
    }

    /// Makes the lock of this name.
    pub fn create(fabric: &Fabric, name: &str) -> Result<RLock> {
        RLock::get(fabric, How::Create(name))
    }

    /// Opens the lock of this name.
    pub fn open(fabric: &Fabric, name: &str) -> Result<RLock> {
        RLock::get(fabric, How::Open(name))
    }

    /// Opens the lock of this name, or makes it.
    pub fn open_or_create(fabric: &Fabric, name: &str) -> Result<RLock> {
        RLock::get(fabric, How::OpenOrCreate(name))
    }

    /// Acquires the lock, however long it takes; at once if this thread has it.
    #[inline]
    pub fn lock(&self) -> Result<RLockGuard<'_>, LockError<RLockGuard<'_>>> {
        self.guard(None)
    }

    /// Acquires the lock if it is free, this thread's, or its owner dead; [`ErrorKind::Timeout`] if not.
    pub fn try_lock(&self) -> Result<RLockGuard<'_>, LockError<RLockGuard<'_>>> {
        self.guard(Some(Duration::ZERO))
    }

    /// Acquires the lock if that is possible within `time`; else [`ErrorKind::Timeout`].
    pub fn lock_timeout(&self, time: Duration) -> Result<RLockGuard<'_>, LockError<RLockGuard<'_>>> {
        self.guard(Some(time))
    }

    /// Acquires without a guard, for callers who release elsewhere in this thread; `None`: however long it takes.
    #[inline]
    pub fn acquire(&self, time: Option<Duration>) -> Result<Acquired> {
        self.acquire_as_me(time).map(|(acquired, _)| acquired)
    }

    /// Releases the lock once; [`ErrorKind::NotHeld`] if this thread does not hold it.
    #[inline]
    pub fn release(&self) -> Result<()> {
        let (words, birth) = self.words();
        if birth.load(Ordering::Relaxed) != self.0.id.birth {
            return Err(gone(Kind::RLock));
        }
        if words.release(self.0.shm().me()?) { Ok(()) } else { Err(self.not_mine()) }
    }

    /// Whether a thread of a living process holds the lock at this moment.
    pub fn locked(&self) -> bool {
        self.owner().is_some()
    }

    /// The living process of which a thread holds the lock at this moment.
    pub fn owner(&self) -> Option<Owner> {
        let (words, birth) = self.words();
        let owner = word::owner(words.word.load(Ordering::Relaxed));
        if birth.load(Ordering::Acquire) != self.0.id.birth {
            return None;
        }
        (owner != Owner::NOBODY && self.0.shm().alive(owner)).then_some(owner)
    }

    /// How often this thread holds the lock; 0: it does not.
    pub fn depth(&self) -> u64 {
        let (words, birth) = self.words();
        let depth = self.0.shm().me_if_joined().map_or(0, |me| words.depth(me));
        if birth.load(Ordering::Acquire) == self.0.id.birth { depth } else { 0 }
    }

    /// A descriptor for event loops, readable when the lock may be acquired: see [`Pollable`].
    pub fn pollable(&self) -> Result<Pollable> {
        Pollable::new(self.clone())
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.0
    }

    pub(crate) fn of(handle: Handle) -> RLock {
        RLock(Arc::new(handle))
    }

    fn get(fabric: &Fabric, how: How<'_>) -> Result<RLock> {
        let handle = Handle::get(fabric, Kind::RLock, how, SIZE, |_, body| {
            // In a chunk that was a lock before, whoever held that one has no claim any more.
            Recursive::at(body, 0)?.reset();
            Ok(())
        })?;
        Ok(RLock::of(handle))
    }

    #[inline(always)]
    fn words(&self) -> (Recursive<'_>, &AtomicU64) {
        let object = self.0.fixed::<SIZE>();
        (Recursive::of(object.u64(HEADER), object.u64(HEADER + 8), object.u64(HEADER + 16)), object.u64(24))
    }

    #[inline(always)]
    fn acquire_as_me(&self, time: Option<Duration>) -> Result<(Acquired, Owner)> {
        let shm = self.0.shm();
        let me = shm.me()?;
        let (words, birth) = self.words();
        let acquired = if words.try_acquire(me) { Acquired::Clean } else { self.wait(words, me, time)? };
        if birth.load(Ordering::Relaxed) != self.0.id.birth {
            words.release(me);
            return Err(gone(Kind::RLock));
        }
        Ok((acquired, me))
    }

    #[cold]
    fn wait(&self, words: Recursive<'_>, me: Owner, mut time: Option<Duration>) -> Result<Acquired> {
        loop {
            // Another lock may live in the chunk by now, and be held, for long.
            if self.words().1.load(Ordering::Acquire) != self.0.id.birth {
                return Err(gone(Kind::RLock));
            }
            let slice = time.map_or(SLICE, |time| time.min(SLICE));
            if let Some(acquired) = words.acquire(self.0.shm(), me, Deadline::after(Some(slice))) {
                return Ok(acquired);
            }
            time = time.map(|time| time.saturating_sub(slice));
            if time == Some(Duration::ZERO) || sys::interrupt::due() {
                return Err(self.not_free());
            }
        }
    }

    #[inline(always)]
    fn guard(&self, time: Option<Duration>) -> Result<RLockGuard<'_>, LockError<RLockGuard<'_>>> {
        let (acquired, me) = self.acquire_as_me(time)?;
        let guard = RLockGuard { lock: self, me, here: PhantomData };
        match acquired {
            Acquired::Clean => Ok(guard),
            Acquired::OwnerDied => Err(LockError::OwnerDied(guard)),
        }
    }

    #[cold]
    fn not_free(&self) -> Error {
        let holder = word::owner(self.words().0.word.load(Ordering::Relaxed));
        Error::new(ErrorKind::Timeout, format!("rlock {} was not free within the time given (held by {holder:?})", self.0.label()))
    }

    #[cold]
    fn not_mine(&self) -> Error {
        let holder = word::owner(self.words().0.word.load(Ordering::Relaxed));
        let who = if holder == Owner::NOBODY { "nobody holds it".to_owned() } else { format!("another thread holds it (of {holder:?})") };
        Error::new(ErrorKind::NotHeld, format!("rlock {} was released by a thread that does not hold it: {who}", self.0.label()))
    }
}

impl Drop for RLockGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // Only what this thread acquired, and only if this is still that process: not in a forked child, not if the lock was destroyed and its chunk is another lock's.
        let (words, birth) = self.lock.words();
        if self.lock.0.shm().me_if_joined() == Some(self.me) && birth.load(Ordering::Relaxed) == self.lock.0.id.birth {
            words.release(self.me);
        }
    }
}

impl std::fmt::Debug for RLockGuard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RLockGuard of rlock {}", self.lock.0.label())
    }
}

impl Source for RLock {
    fn arm(&self) -> Option<(&AtomicU32, u32)> {
        let (words, birth) = self.words();
        // One that is gone is tried, and says so.
        if birth.load(Ordering::Acquire) == self.0.id.birth { word::arm(self.0.shm(), words.word) } else { None }
    }

    fn fabric(&self) -> &Fabric {
        self.0.fabric()
    }
}

shared_object!(RLock, Kind::RLock, SIZE, "rlock");

pub(crate) const OPS: Ops = Ops { quiesce, outlive: None, hold: None };

/// Ends a lock: whoever acquires it from now on finds another birth and gives it back.
fn quiesce(shm: &Shm, object: Header<'_>) -> Result<()> {
    object.birth().store(0, Ordering::Release);
    let at = shm.segment.fixed::<SIZE>(object.offset)?;
    // Waiters come up one after the other: each acquires, sees, releases. The holder's hold ends here.
    Recursive::of(at.u64(HEADER), at.u64(HEADER + 8), at.u64(HEADER + 16)).reset();
    Ok(())
}

const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<RLock>();
};
