//! The condition: processes that wait until another says that something has changed, and the lock that goes with it.
//!
//! Object layout, after the common header:
//!
//! | offset | word | guarded by |
//! | --- | --- | --- |
//! | 192 | internal lock | |
//! | 200 to 248 | the list of waiters (`waiters.rs`) | internal lock, and each its own entry |
//! | 256 | its own lock (`recursive.rs`) | |
//! | 320, 328, 336 | which lock: kind (0: its own), offset, birth (`userlock.rs`) | set at creation |
//!
//! **Waiting**: enter the list; release the lock, however deep; sleep until notified or time is up; acquire the lock as deep as before; leave the list.
//!
//! | killed | what is left |
//! | --- | --- |
//! | before it is in the list | nothing; the lock's next owner is told |
//! | in the list, not notified | an entry, which the sweep frees |
//! | notified, still in the list: asleep, or waiting for the lock, or holding it | the sweep passes the notification on |
//! | after it left the list | it held the lock: the next owner is told. If nobody comes for the lock before the sweep, the sweep notifies the one who waits longest, who then is that owner |
//!
//! **Notifying**: for each of those who wait longest, one store. The lock is held meanwhile, so nobody enters the list; no lock is acquired while the internal one is held.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::guard::Guard;
use super::lock::LockError;
use super::recursive::{self, Recursive};
use super::userlock::{self, Choice, UserLock};
use super::waiters::{Fate, Key, Place, Waiters};
use super::word::{self, Acquired};
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::handle::{Handle, How, gone, shared_object, spin};
use crate::fabric::kinds::{Held, Ops, Parting};
use crate::fabric::{Fabric, Ticket};
use crate::objects::{HEADER, Header, Kind};
use crate::shm::{Deadline, Fixed, Nap, Owner, Shm};

const LOCK: usize = HEADER;
const LIST: usize = HEADER + 8;
const OWN: usize = HEADER + 64;
const WHICH: usize = HEADER + 128;
const SIZE: usize = HEADER + 192;
const _: () = assert!(OWN + recursive::SIZE <= WHICH && WHICH + userlock::WORDS <= SIZE);

/// A condition between processes: [wait](ConditionGuard::wait) until another process says that something has changed, under a lock.
///
/// By default it has a lock of its own, which its thread may take again; [`Condition::on`] makes one on a [`Lock`](crate::Lock) or `RLock` that is there already, and several conditions may stand on
/// one lock. Each waiter sleeps on a word of its own: [`notify`](Condition::notify) wakes exactly as many as asked for, those who wait longest first. But somebody else may have the lock
/// before the one who was woken, so look again after a wait, or let [`wait_for`](ConditionGuard::wait_for) do so.
///
/// **When a process dies**: one that waits is forgotten. One that was notified and had not yet gone on swallows nothing: its notification goes to the one who waits longest, as soon as somebody
/// sweeps; those who wait do so once a second. One that held the lock: the next owner is told, also where it gets the lock back from a wait ([`LockError::OwnerDied`], [`Waited::acquired`]); if nobody
/// has come for the lock by then, the sweep wakes one who waits, so that somebody is told.
///
/// **Fork**: a forked child does not hold its parent's lock.
///
/// ```
/// use polyproc_ipc::{Condition, Fabric};
/// let fabric = Fabric::new()?;
/// let condition = Condition::create(&fabric, "door")?;
/// let visitor = std::thread::spawn(move || {
///     let door = Condition::open(&fabric, "door")?; // in whatever process
///     let guard = door.lock()?;
///     guard.notify(1)
/// });
/// let mut guard = condition.lock()?;
/// let opened = guard.wait(Some(std::time::Duration::from_millis(50)))?;
/// # drop(guard);
/// # assert!(visitor.join().unwrap()? <= 1 && [true, false].contains(&opened));
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone)]
pub struct Condition(Arc<Handle>);

/// The condition's lock, held by this thread until the guard is dropped.
#[must_use = "the lock is released when the guard is dropped"]
pub struct ConditionGuard<'a> {
    condition: &'a Condition,
    lock: UserLock<'a>,
    me: Owner,
    /// The lock is this thread's.
    thread: PhantomData<*const ()>,
}

/// How a wait without a guard ended. The lock is held again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the lock's last owner may have died"]
pub struct Waited {
    /// What was waited for happened: a notification came, or the predicate said yes. False: time was up.
    pub happened: bool,
    /// How the lock came back.
    pub acquired: Acquired,
}

impl Condition {
    /// A condition without a name, with a lock of its own. It goes with its last handle here, unless its [ticket](Condition::ticket) was made.
    pub fn new(fabric: &Fabric) -> Result<Condition> {
        Condition::get(fabric, How::New, Choice::Own)
    }

    /// Makes the condition of this name, with a lock of its own.
    pub fn create(fabric: &Fabric, name: &str) -> Result<Condition> {
        Condition::get(fabric, How::Create(name), Choice::Own)
    }

    /// Opens the condition of this name.
    pub fn open(fabric: &Fabric, name: &str) -> Result<Condition> {
        Condition::get(fabric, How::Open(name), Choice::Own)
    }

    /// Opens the condition of this name, or makes it with a lock of its own.
    pub fn open_or_create(fabric: &Fabric, name: &str) -> Result<Condition> {
        Condition::get(fabric, How::OpenOrCreate(name), Choice::Own)
    }

    /// A condition without a name on the [`Lock`](crate::Lock) or `RLock` that `lock` leads to, for instance `&lock.ticket()`. It does not keep that lock alive: once the lock was destroyed, the condition answers
    /// [`ErrorKind::Gone`].
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`] if the ticket leads to no lock, [`ErrorKind::InvalidArgument`] if to one of another fabric, [`ErrorKind::Gone`] if the lock was destroyed.
    ///
    /// ```
    /// # use polyproc_ipc::{Condition, Fabric, Lock};
    /// # let fabric = Fabric::new()?;
    /// let lock = Lock::new(&fabric)?;
    /// let (filled, emptied) = (Condition::on(&fabric, &lock.lend())?, Condition::on(&fabric, &lock.lend())?);
    /// let guard = filled.lock()?;
    /// assert!(lock.locked());
    /// # drop(guard);
    /// # assert!(emptied.try_lock().is_ok());
    /// # Ok::<(), polyproc_ipc::Error>(())
    /// ```
    pub fn on(fabric: &Fabric, lock: &Ticket) -> Result<Condition> {
        Condition::get(fabric, How::New, Choice::given(fabric, lock)?)
    }

    /// Makes the condition of this name on a lock: see [`Condition::on`].
    pub fn create_on(fabric: &Fabric, name: &str, lock: &Ticket) -> Result<Condition> {
        Condition::get(fabric, How::Create(name), Choice::given(fabric, lock)?)
    }

    /// Opens the condition of this name, with the lock that it has, or makes it on this one: see [`Condition::on`].
    pub fn open_or_create_on(fabric: &Fabric, name: &str, lock: &Ticket) -> Result<Condition> {
        Condition::get(fabric, How::OpenOrCreate(name), Choice::given(fabric, lock)?)
    }

    /// Acquires the lock, however long it takes.
    #[inline]
    pub fn lock(&self) -> Result<ConditionGuard<'_>, LockError<ConditionGuard<'_>>> {
        self.guard(None)
    }

    /// Acquires the lock if it is free (or its owner dead, or this thread's already); [`ErrorKind::Timeout`] if not.
    pub fn try_lock(&self) -> Result<ConditionGuard<'_>, LockError<ConditionGuard<'_>>> {
        self.guard(Some(Duration::ZERO))
    }

    /// Acquires the lock if that is possible within `time`; else [`ErrorKind::Timeout`].
    pub fn lock_timeout(&self, time: Duration) -> Result<ConditionGuard<'_>, LockError<ConditionGuard<'_>>> {
        self.guard(Some(time))
    }

    /// Acquires the lock without a guard, for callers who release elsewhere; `None`: however long it takes.
    #[inline]
    pub fn acquire(&self, time: Option<Duration>) -> Result<Acquired> {
        self.acquire_for(self.handle().shm().me()?, time).map(|(acquired, _)| acquired)
    }

    /// Releases the lock once; [`ErrorKind::NotHeld`] if it is not this process's (this thread's, unless it is a [`Lock`](crate::Lock)).
    #[inline]
    pub fn release(&self) -> Result<()> {
        let lock = self.user_lock()?;
        if lock.release(self.handle().shm().me()?) { Ok(()) } else { Err(self.not_held("released")) }
    }

    /// Releases the lock, however deep it is held, waits for a notification, and acquires it again as deep, however long that takes: the lock is held after every return but [`ErrorKind::Gone`] of the lock. `None`: without end.
    ///
    /// # Errors
    /// [`ErrorKind::NotHeld`] if the lock is not this process's (this thread's, unless it is a [`Lock`](crate::Lock)), [`ErrorKind::Gone`] if the condition or its lock is destroyed meanwhile, [`ErrorKind::OutOfMemory`] if there is no
    /// room to wait in; nothing was changed then.
    pub fn wait(&self, time: Option<Duration>) -> Result<Waited> {
        self.wait_with(&self.user_lock()?, Deadline::after(time))
    }

    /// Waits until `predicate`, which is called with the lock held, says yes, or time is up. If the lock's last owner died in between it returns at once, without asking the predicate.
    ///
    /// # Errors
    /// As [`Condition::wait`].
    pub fn wait_for(&self, predicate: impl FnMut() -> bool, time: Option<Duration>) -> Result<Waited> {
        self.wait_for_with(&self.user_lock()?, predicate, time)
    }

    /// Wakes up to `count` waiters, those who wait longest first; how many. They go on once the lock is released.
    ///
    /// # Errors
    /// [`ErrorKind::NotHeld`] if the lock is not this process's (this thread's, unless it is a [`Lock`](crate::Lock)).
    #[inline]
    pub fn notify(&self, count: usize) -> Result<usize> {
        self.notify_with(&self.user_lock()?, count)
    }

    /// Wakes every waiter; how many. As [`Condition::notify`].
    pub fn notify_all(&self) -> Result<usize> {
        self.notify(usize::MAX)
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.0
    }

    pub(crate) fn of(handle: Handle) -> Condition {
        Condition(Arc::new(handle))
    }

    fn get(fabric: &Fabric, how: How<'_>, choice: Choice) -> Result<Condition> {
        let handle = Handle::get(fabric, Kind::Condition, how, SIZE, |_, body| {
            choice.store(body, WHICH - HEADER)?;
            // In a chunk that was a condition before, whoever held that one's lock has no claim any more.
            body.u64(OWN - HEADER + 8)?.store(0, Ordering::Relaxed);
            word::release(body.u64(OWN - HEADER)?);
            Ok(())
        })?;
        Ok(Condition::of(handle))
    }

    #[inline(always)]
    fn words(&self) -> Words<'_> {
        Words { shm: self.0.shm(), at: self.0.fixed(), offset: self.0.id.offset }
    }

    #[inline(always)]
    fn user_lock(&self) -> Result<UserLock<'_>> {
        self.words().user_lock(self.0.id.birth)
    }

    #[inline(always)]
    fn acquire_for(&self, me: Owner, time: Option<Duration>) -> Result<(Acquired, UserLock<'_>)> {
        let lock = self.user_lock()?;
        let acquired = lock.acquire(me, time)?.ok_or_else(|| self.not_free(&lock))?;
        Ok((acquired, lock))
    }

    #[cold]
    fn not_free(&self, lock: &UserLock<'_>) -> Error {
        let sentence = format!("the lock of condition {} was not free within the time given (held by {:?})", self.0.label(), lock.owner());
        Error::new(ErrorKind::Timeout, sentence)
    }

    #[inline(always)]
    fn guard(&self, time: Option<Duration>) -> Result<ConditionGuard<'_>, LockError<ConditionGuard<'_>>> {
        let me = self.0.shm().me()?;
        let (acquired, lock) = self.acquire_for(me, time)?;
        let guard = ConditionGuard { condition: self, lock, me, thread: PhantomData };
        match acquired {
            Acquired::Clean => Ok(guard),
            Acquired::OwnerDied => Err(LockError::OwnerDied(guard)),
        }
    }

    fn wait_with(&self, lock: &UserLock<'_>, deadline: Deadline) -> Result<Waited> {
        let me = self.0.shm().me()?;
        let place = self.words().waiters()?.place(self.enlist_with(lock, me)?)?;
        // Released by somebody else meanwhile, as anybody may: then once.
        let depth = lock.release_all(me).max(1);
        self.sleep(place, deadline);
        let acquired = lock.acquire_again(me, depth);
        let fate = place.leave();
        let acquired = acquired?;
        match fate {
            Fate::Notified => Ok(Waited { happened: true, acquired }),
            Fate::Withdrawn => Ok(Waited { happened: false, acquired }),
            Fate::Broken | Fate::Gone => Err(gone(Kind::Condition)),
        }
    }

    fn enlist_with(&self, lock: &UserLock<'_>, me: Owner) -> Result<Key> {
        if !lock.is_mine(me) {
            return Err(self.not_held("waited for"));
        }
        let (w, _guard) = self.enter()?;
        Ok(w.waiters()?.enlist(me, 0)?.key())
    }

    /// For a wait in two halves (`pending.rs`): into the list, with the lock held.
    pub(crate) fn enlist(&self, me: Owner) -> Result<Key> {
        self.enlist_with(&self.user_lock()?, me)
    }

    /// Then, the lock released; how deep it was.
    pub(crate) fn release_for_wait(&self, me: Owner) -> Result<u64> {
        Ok(self.user_lock()?.release_all(me).max(1))
    }

    /// At the end, the lock acquired again.
    pub(crate) fn acquire_after_wait(&self, me: Owner, depth: u64) -> Result<Acquired> {
        self.user_lock()?.acquire_again(me, depth)
    }

    /// Passes a notification on that somebody got and has no use for.
    pub(crate) fn notify_unheld(&self, count: usize) -> Result<usize> {
        let (w, _guard) = self.enter()?;
        w.waiters()?.notify(count)
    }

    pub(crate) fn waiters(&self) -> Result<Waiters<'_>> {
        self.words().waiters()
    }

    fn wait_for_with(&self, lock: &UserLock<'_>, mut predicate: impl FnMut() -> bool, time: Option<Duration>) -> Result<Waited> {
        if !lock.is_mine(self.0.shm().me()?) {
            return Err(self.not_held("waited for"));
        }
        let deadline = Deadline::after(time);
        let mut acquired = Acquired::Clean;
        loop {
            let happened = acquired == Acquired::Clean && predicate();
            if happened || acquired == Acquired::OwnerDied || deadline.is_over() {
                return Ok(Waited { happened, acquired });
            }
            acquired = self.wait_with(lock, deadline)?.acquired;
        }
    }

    #[inline(always)]
    fn notify_with(&self, lock: &UserLock<'_>, count: usize) -> Result<usize> {
        if !lock.is_mine(self.0.shm().me()?) {
            return Err(self.not_held("notified"));
        }
        if self.words().waiters()?.is_new() {
            return Ok(0); // nobody comes while we hold the lock
        }
        self.notify_unheld(count)
    }

    /// The internal lock, of an object that still is the one meant.
    fn enter(&self) -> Result<(Words<'_>, Guard<'_>)> {
        let w = self.words();
        let guard = w.lock()?;
        if w.birth().load(Ordering::Acquire) != self.0.id.birth {
            return Err(gone(Kind::Condition));
        }
        Ok((w, guard))
    }

    fn sleep(&self, place: Place<'_>, deadline: Deadline) {
        let done = || !place.still_waits() || deadline.is_over();
        if done() || spin(&done) {
            return;
        }
        let mut nap = Nap::new();
        while place.still_waits()
            && let Some(time) = deadline.left(nap.next())
        {
            place.sleep(self.0.shm(), time);
            if nap.is_long() {
                // Our notification may be with somebody who died with nobody to notice. Damaged memory is told by the call that meets it.
                let _ = self.0.fabric().sweep();
            }
        }
    }

    #[cold]
    fn not_held(&self, done: &str) -> Error {
        Error::new(ErrorKind::NotHeld, format!("condition {} was {done} without its lock; acquire it first", self.0.label()))
    }
}

impl ConditionGuard<'_> {
    /// Releases the lock, however deep this thread holds it, waits for a notification, and acquires it again as deep, however long that takes. True: notified; false: time was up. `None`: without end.
    ///
    /// # Errors
    /// [`LockError::OwnerDied`] with the same answer: the lock is held again, but its last owner died holding it. Otherwise as [`Condition::wait`].
    pub fn wait(&mut self, time: Option<Duration>) -> Result<bool, LockError<bool>> {
        told(self.condition.wait_with(&self.lock, Deadline::after(time))?)
    }

    /// Waits until `predicate`, which is called with the lock held, says yes (true), or time is up (false).
    ///
    /// # Errors
    /// [`LockError::OwnerDied`] at once if the lock's last owner died meanwhile: the lock is held, but what it protects may be half changed, and the predicate was not asked. Otherwise as [`Condition::wait`].
    pub fn wait_for(&mut self, predicate: impl FnMut() -> bool, time: Option<Duration>) -> Result<bool, LockError<bool>> {
        told(self.condition.wait_for_with(&self.lock, predicate, time)?)
    }

    /// As [`Condition::notify`].
    #[inline]
    pub fn notify(&self, count: usize) -> Result<usize> {
        self.condition.notify_with(&self.lock, count)
    }

    /// As [`Condition::notify_all`].
    pub fn notify_all(&self) -> Result<usize> {
        self.notify(usize::MAX)
    }
}

impl Drop for ConditionGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // Only what this process acquired, not in a forked child, not once the lock was destroyed.
        if self.condition.0.shm().me_if_joined() == Some(self.me) {
            self.lock.release(self.me);
        }
    }
}

impl std::fmt::Debug for ConditionGuard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConditionGuard of condition {}", self.condition.0.label())
    }
}

shared_object!(Condition, Kind::Condition, SIZE, "condition");

fn told(waited: Waited) -> Result<bool, LockError<bool>> {
    match waited.acquired {
        Acquired::Clean => Ok(waited.happened),
        Acquired::OwnerDied => Err(LockError::OwnerDied(waited.happened)),
    }
}

/// A condition's words.
#[derive(Clone, Copy)]
struct Words<'a> {
    shm: &'a Shm,
    at: Fixed<'a, SIZE>,
    offset: u64,
}

impl<'a> Words<'a> {
    fn of(shm: &'a Shm, object: Header<'_>) -> Result<Words<'a>> {
        Ok(Words { shm, at: shm.segment.fixed(object.offset)?, offset: object.offset })
    }

    fn birth(self) -> &'a AtomicU64 {
        self.at.u64(24)
    }

    /// The users' lock, of an object that has this birth.
    #[inline(always)]
    fn user_lock(self, birth: u64) -> Result<UserLock<'a>> {
        let which = [self.at.u64(WHICH), self.at.u64(WHICH + 8), self.at.u64(WHICH + 16)];
        let own = Recursive::of(self.at.u64(OWN), self.at.u64(OWN + 8), self.at.u64(OWN + 16));
        UserLock::find(self.shm, which, own, (self.birth(), birth), Kind::Condition)
    }

    #[inline(always)]
    fn waiters(self) -> Result<Waiters<'a>> {
        Waiters::of(self.shm, self.offset, self.at.span(), LIST)
    }

    fn lock(self) -> Result<Guard<'a>> {
        Guard::enter(self.shm, self.at.u64(LOCK), |me| self.waiters()?.repair(me))
    }
}

/// What conditions do in the fabric.
pub(crate) const OPS: Ops = Ops { quiesce, outlive: Some(outlive), hold: Some(hold) };

fn quiesce(shm: &Shm, object: Header<'_>) -> Result<()> {
    let w = Words::of(shm, object)?;
    let _guard = w.lock()?;
    w.birth().store(0, Ordering::Release);
    w.waiters()?.end()?;
    // The holder's hold ends here; whoever waits for the lock comes up, sees, releases.
    word::release(w.at.u64(OWN));
    Ok(())
}

fn outlive(shm: &Shm, object: Header<'_>, dead: Owner, parting: Parting) -> Result<()> {
    if parting == Parting::Left {
        return Ok(()); // it waits for nothing: who waits has a handle, and that keeps the fabric
    }
    let w = Words::of(shm, object)?;
    let _guard = w.lock()?;
    w.waiters()?.outlive(dead)?;
    // Nobody may come for a lock that the dead one held, though what it would have done is waited for: somebody is woken, gets the lock, and is told.
    let birth = w.birth().load(Ordering::Acquire);
    if birth != 0 && w.user_lock(birth).is_ok_and(|lock| lock.owner() == dead) {
        w.waiters()?.notify(1)?;
    }
    Ok(())
}

fn hold<'a>(shm: &'a Shm, object: Header<'a>) -> Result<Held<'a>> {
    let w = Words::of(shm, object)?;
    let guards = vec![w.lock()?];
    Ok(Held { guards, chunks: w.waiters()?.chunks()? })
}

const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Condition>();
};
