//! The lock for many readers or one writer, as users see it. `shared.rs` has the words in shared memory and who may change them when.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::guard::Guard;
use super::ledger;
use super::lock::LockError;
use super::shared::{Access, SIZE, Words};
use super::word::Acquired;
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::Fabric;
use crate::fabric::handle::{Handle, How, gone, shared_object};
use crate::fabric::kinds::{Held, Ops, Parting};
use crate::objects::{Header, Kind};
use crate::shm::{Owner, Shm};

/// A lock between processes that many may hold for reading, or one for writing.
///
/// The *process* is the owner, of a write as of each read: any thread of it may release. Nobody starves: while a writer waits, new readers wait too; readers that had to wait go before the next writer.
///
/// There is no way from a read to a write; release the one, then acquire the other. A thread that has the lock must not wait for it again, not even twice for reading: a writer may have
/// come to wait in between, and would wait for the first read as the second waits for it.
///
/// **When a process dies**, what it read is released. A writer's death is told to everybody who gets in after it, reading ([`LockError::OwnerDied`] with the guard) or writing, until one got in to write: that
/// one is told, and those after it are not. It comes at once if somebody sweeps the fabric, else a waiter finds out within some 50 ms (250 once it has waited seconds). A process that died waiting is in nobody's way.
///
/// **Fork**: a forked child holds nothing of its parent's; a guard it inherited does nothing when dropped there.
///
/// ```
/// use polyproc_ipc::{Fabric, RwLock};
/// let fabric = Fabric::new()?;
/// let lock = RwLock::new(&fabric)?;
/// let (one, other) = (lock.read()?, lock.read()?);
/// assert_eq!(lock.readers(), 2);
/// assert!(lock.try_write().is_err());
/// drop((one, other));
/// let all_mine = lock.write()?;
/// assert!(lock.try_read().is_err());
/// # drop(all_mine);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone)]
pub struct RwLock(Arc<Handle>);

/// The lock, held for reading until the guard is dropped.
#[must_use = "the lock is released when the guard is dropped"]
pub struct RwLockReadGuard<'a>(Hold<'a>);

/// The lock, held for writing until the guard is dropped.
#[must_use = "the lock is released when the guard is dropped"]
pub struct RwLockWriteGuard<'a>(Hold<'a>);

struct Hold<'a> {
    lock: &'a RwLock,
    me: Owner,
    access: Access,
}

impl RwLock {
    /// A lock without a name. It goes with its last handle here, unless its [ticket](RwLock::ticket) was made.
    pub fn new(fabric: &Fabric) -> Result<RwLock> {
        RwLock::get(fabric, How::New)
    }

    /// Makes the lock of this name.
    pub fn create(fabric: &Fabric, name: &str) -> Result<RwLock> {
        RwLock::get(fabric, How::Create(name))
    }

    /// Opens the lock of this name.
    pub fn open(fabric: &Fabric, name: &str) -> Result<RwLock> {
        RwLock::get(fabric, How::Open(name))
    }

    /// Opens the lock of this name, or makes it.
    pub fn open_or_create(fabric: &Fabric, name: &str) -> Result<RwLock> {
        RwLock::get(fabric, How::OpenOrCreate(name))
    }

    /// Acquires the lock for reading, however long it takes.
    #[inline]
    pub fn read(&self) -> Result<RwLockReadGuard<'_>, LockError<RwLockReadGuard<'_>>> {
        self.hold(Access::Read, None, RwLockReadGuard)
    }

    /// Acquires the lock for reading if that is possible now; [`ErrorKind::Timeout`] if not.
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_>, LockError<RwLockReadGuard<'_>>> {
        self.hold(Access::Read, Some(Duration::ZERO), RwLockReadGuard)
    }

    /// Acquires the lock for reading if that is possible within `time`; else [`ErrorKind::Timeout`].
    pub fn read_timeout(&self, time: Duration) -> Result<RwLockReadGuard<'_>, LockError<RwLockReadGuard<'_>>> {
        self.hold(Access::Read, Some(time), RwLockReadGuard)
    }

    /// Acquires the lock for writing, however long it takes.
    #[inline]
    pub fn write(&self) -> Result<RwLockWriteGuard<'_>, LockError<RwLockWriteGuard<'_>>> {
        self.hold(Access::Write, None, RwLockWriteGuard)
    }

    /// Acquires the lock for writing if that is possible now; [`ErrorKind::Timeout`] if not.
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_>, LockError<RwLockWriteGuard<'_>>> {
        self.hold(Access::Write, Some(Duration::ZERO), RwLockWriteGuard)
    }

    /// Acquires the lock for writing if that is possible within `time`; else [`ErrorKind::Timeout`].
    pub fn write_timeout(&self, time: Duration) -> Result<RwLockWriteGuard<'_>, LockError<RwLockWriteGuard<'_>>> {
        self.hold(Access::Write, Some(time), RwLockWriteGuard)
    }

    /// Acquires for reading without a guard, for callers who release elsewhere; `None`: however long it takes.
    #[inline]
    pub fn acquire_read(&self, time: Option<Duration>) -> Result<Acquired> {
        self.acquire(Access::Read, time).map(|(acquired, _)| acquired)
    }

    /// Acquires for writing without a guard, for callers who release elsewhere; `None`: however long it takes.
    #[inline]
    pub fn acquire_write(&self, time: Option<Duration>) -> Result<Acquired> {
        self.acquire(Access::Write, time).map(|(acquired, _)| acquired)
    }

    /// Releases one read of this process; [`ErrorKind::NotHeld`] if it has none.
    #[inline]
    pub fn release_read(&self) -> Result<()> {
        self.release(Access::Read, None)
    }

    /// Releases the write of this process; [`ErrorKind::NotHeld`] if it has none.
    #[inline]
    pub fn release_write(&self) -> Result<()> {
        self.release(Access::Write, None)
    }

    /// Whether a living process holds the lock for writing, or anybody for reading, at this moment.
    pub fn locked(&self) -> bool {
        self.writer().is_some() || self.readers() > 0
    }

    /// How often the lock is held for reading at this moment, by the dead that nobody has noticed too.
    pub fn readers(&self) -> u64 {
        self.enter().map_or(0, |(w, _guard)| w.readers())
    }

    /// The living process that holds the lock for writing at this moment.
    pub fn writer(&self) -> Option<Owner> {
        let w = Words::of_handle(&self.0);
        let writer = w.writer();
        (w.is(self.0.id.birth) && writer != Owner::NOBODY && w.shm.alive(writer)).then_some(writer)
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.0
    }

    pub(crate) fn of(handle: Handle) -> RwLock {
        RwLock(Arc::new(handle))
    }

    fn get(fabric: &Fabric, how: How<'_>) -> Result<RwLock> {
        let shm = fabric.shm();
        let handle = Handle::get(fabric, Kind::RwLock, how, SIZE, |object, _| {
            let w = Words::of(shm, object.offset)?;
            // In a chunk that was one before, somebody late may be under the lock.
            let _guard = w.lock()?;
            w.clear();
            Ok(())
        })?;
        Ok(RwLock::of(handle))
    }

    /// The lock of the words, held, if the object still is the one meant.
    #[inline(always)]
    fn enter(&self) -> Result<(Words<'_>, Guard<'_>)> {
        let w = Words::of_handle(&self.0);
        let guard = w.lock()?;
        if w.is(self.0.id.birth) { Ok((w, guard)) } else { Err(gone(Kind::RwLock)) }
    }

    #[inline(always)]
    fn acquire(&self, access: Access, time: Option<Duration>) -> Result<(Acquired, Owner)> {
        match self.attempt(access)? {
            Some(acquired) => Ok(acquired),
            None => self.wait(access, time),
        }
    }

    #[inline(always)]
    fn attempt(&self, access: Access) -> Result<Option<(Acquired, Owner)>> {
        let (w, guard) = self.enter()?;
        Ok(w.take(access, guard.me)?.map(|acquired| (acquired, guard.me)))
    }

    #[cold]
    #[inline(never)]
    fn wait(&self, access: Access, time: Option<Duration>) -> Result<(Acquired, Owner)> {
        let w = Words::of_handle(&self.0);
        let ready = || w.allows(access) || !w.is(self.0.id.birth);
        let bury = || match w.dead_in_the_way() {
            Some(dead) => w.bury(dead).map(|()| true),
            None => Ok(false),
        };
        let found = ledger::wait(&self.0, w.waiting(access), time, ready, || self.attempt(access), bury)?;
        found.map_or_else(|| self.give_up(access), Ok)
    }

    /// Time is up: readers need not wait for this writer any more.
    fn give_up(&self, access: Access) -> Result<(Acquired, Owner)> {
        let (w, guard) = self.enter()?;
        if access == Access::Write {
            w.want_no_more(guard.me);
        }
        drop(guard);
        w.wake();
        let (what, who) = match (access, w.writer()) {
            (Access::Read, Owner::NOBODY) => ("reading", "somebody waits to write".to_owned()),
            (Access::Write, Owner::NOBODY) => ("writing", format!("{} are reading", w.readers())),
            (Access::Read, writer) => ("reading", format!("{writer:?} has it")),
            (Access::Write, writer) => ("writing", format!("{writer:?} has it")),
        };
        Err(Error::new(ErrorKind::Timeout, format!("rwlock {} was not free for {what} within the time given ({who})", self.0.label())))
    }

    /// Gives back what `expected`, or this process, has.
    #[inline(always)]
    fn release(&self, access: Access, expected: Option<Owner>) -> Result<()> {
        let (w, guard) = self.enter()?;
        let given = expected.is_none_or(|me| me == guard.me) && w.give_back(access, guard.me);
        drop(guard);
        if given {
            w.wake();
            return Ok(());
        }
        Err(self.not_held(access))
    }

    #[cold]
    fn not_held(&self, access: Access) -> Error {
        let what = if access == Access::Read { "read" } else { "write" };
        Error::new(ErrorKind::NotHeld, format!("a {what} of rwlock {} was released by a process that holds none", self.0.label()))
    }

    #[inline(always)]
    fn hold<'a, G>(&'a self, access: Access, time: Option<Duration>, guard: impl FnOnce(Hold<'a>) -> G) -> Result<G, LockError<G>> {
        let (acquired, me) = self.acquire(access, time)?;
        let guard = guard(Hold { lock: self, me, access });
        match acquired {
            Acquired::Clean => Ok(guard),
            Acquired::OwnerDied => Err(LockError::OwnerDied(guard)),
        }
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        // Not in a forked child, and nothing of an object that is gone. Nothing can be done about damaged memory here.
        if self.lock.0.shm().me_if_joined() == Some(self.me) {
            let _ = self.lock.release(self.access, Some(self.me));
        }
    }
}

impl std::fmt::Debug for RwLockReadGuard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RwLockReadGuard of rwlock {}", self.0.lock.0.label())
    }
}

impl std::fmt::Debug for RwLockWriteGuard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RwLockWriteGuard of rwlock {}", self.0.lock.0.label())
    }
}

shared_object!(RwLock, Kind::RwLock, SIZE, "rwlock");

pub(crate) const OPS: Ops = Ops { quiesce, outlive: Some(outlive), hold: Some(hold) };

/// Ends a lock that is about to be destroyed; may be repeated.
fn quiesce(shm: &Shm, object: Header<'_>) -> Result<()> {
    let w = Words::of(shm, object.offset)?;
    let guard = w.lock()?;
    object.birth().store(0, Ordering::Release);
    w.clear();
    drop(guard);
    w.wake_all();
    Ok(())
}

/// What a dead or leaving member has of the lock is released.
fn outlive(shm: &Shm, object: Header<'_>, owner: Owner, _: Parting) -> Result<()> {
    Words::of(shm, object.offset)?.bury(owner)
}

fn hold<'a>(shm: &'a Shm, object: Header<'a>) -> Result<Held<'a>> {
    Ok(Held { guards: vec![Words::of(shm, object.offset)?.lock()?], chunks: Vec::new() })
}

const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<(RwLock, RwLockReadGuard<'_>, RwLockWriteGuard<'_>)>();
};
