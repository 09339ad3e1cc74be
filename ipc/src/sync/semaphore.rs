//! The semaphore, bounded or not, as users see it. `permits.rs` has the words in shared memory and who may change them when.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::guard::Guard;
use super::ledger::{self, damaged};
use super::permits::{SIZE, Words};
use super::wait;
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::handle::{Handle, How, gone, shared_object};
use crate::fabric::kinds::{Held, Ops, Parting};
use crate::fabric::{Fabric, Ticket};
use crate::objects::{Header, Kind};
use crate::poll::{Pollable, Source};
use crate::shm::{Owner, Shm};

/// A counter of permits between processes: whoever acquires one while none is free waits until somebody releases one.
///
/// As in the reference, a release need not come from who acquired, so it also serves for signals. What it adds: it knows which process holds how many.
///
/// **When a process dies or leaves**, the permits that it acquired and that nobody gave back are free again: at once if somebody sweeps the fabric, else a waiter finds
/// out within some 50 ms (250 once it has waited seconds).
///
/// **A release by a process that holds no permit** (a signal, or a hand-over) gives back a permit that some other process holds, the one with the most; only when nobody holds
/// any is there one permit more than before. So the number of free permits is what any semaphore has: the initial value, plus releases, minus acquires. And the death of a
/// process that consumed signals brings back at most those that nobody has "given back" since by signalling again.
///
/// **Fork**: a forked child holds none of its parent's permits; a [`Permit`] it inherited does nothing when dropped there.
///
/// There is no queue of waiters: who comes when a permit is free gets it. Who waits for many at once may be overtaken by those who want few.
///
/// ```
/// use polyproc_ipc::{ErrorKind, Fabric, Semaphore};
/// let fabric = Fabric::new()?;
/// let places = Semaphore::new(&fabric, 2)?;
/// let first = places.permit()?;
/// places.acquire(None)?;
/// assert_eq!(places.try_acquire().unwrap_err().kind(), ErrorKind::Timeout);
/// drop(first);
/// assert_eq!(places.value()?, 1);
/// places.release(1)?;
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone)]
pub struct Semaphore(Arc<Handle>);

/// A [`Semaphore`] that never has more free permits than it was made with: a release too many is an error, and changes nothing.
///
/// The bound is the object's own: it holds for whoever opens it, also as a plain [`Semaphore`].
///
/// ```
/// use polyproc_ipc::{BoundedSemaphore, ErrorKind, Fabric};
/// let fabric = Fabric::new()?;
/// let places = BoundedSemaphore::new(&fabric, 2)?;
/// places.acquire(None)?;
/// places.release(1)?;
/// assert_eq!(places.release(1).unwrap_err().kind(), ErrorKind::NotHeld);
/// assert_eq!(places.value()?, 2);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone)]
pub struct BoundedSemaphore(Semaphore);

/// Permits, held until this is dropped.
#[must_use = "the permits are released when this is dropped"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    me: Owner,
    count: u32,
}

impl Semaphore {
    /// Most permits that a semaphore can have.
    pub const MAX: u32 = i32::MAX as u32;

    /// A semaphore without a name, with so many free permits; [`ErrorKind::TooLarge`] above [`Semaphore::MAX`]. It goes with its last handle here, unless its
    /// [ticket](Semaphore::ticket) was made.
    pub fn new(fabric: &Fabric, value: u32) -> Result<Semaphore> {
        Semaphore::get(fabric, How::New, value, false)
    }

    /// Makes the semaphore of this name.
    pub fn create(fabric: &Fabric, name: &str, value: u32) -> Result<Semaphore> {
        Semaphore::get(fabric, How::Create(name), value, false)
    }

    /// Opens the semaphore of this name, bounded or not.
    pub fn open(fabric: &Fabric, name: &str) -> Result<Semaphore> {
        Semaphore::get(fabric, How::Open(name), 0, false)
    }

    /// Opens the semaphore of this name, or makes it; `value` counts only for who makes it.
    pub fn open_or_create(fabric: &Fabric, name: &str, value: u32) -> Result<Semaphore> {
        Semaphore::get(fabric, How::OpenOrCreate(name), value, false)
    }

    /// Acquires a permit; `None`: however long it takes. [`ErrorKind::Timeout`] if none was free within the time.
    #[inline]
    pub fn acquire(&self, time: Option<Duration>) -> Result<()> {
        self.acquire_as_me(1, time).map(drop)
    }

    /// Acquires a permit if one is free (or its holder dead); [`ErrorKind::Timeout`] if not.
    #[inline]
    pub fn try_acquire(&self) -> Result<()> {
        self.acquire(Some(Duration::ZERO))
    }

    /// Acquires so many permits, all at once or none; [`ErrorKind::InvalidArgument`] for 0 and for more than a bounded semaphore has.
    pub fn acquire_many(&self, count: u32, time: Option<Duration>) -> Result<()> {
        self.acquire_as_me(count, time).map(drop)
    }

    /// Acquires a permit and gives it back when the guard is dropped.
    pub fn permit(&self) -> Result<Permit<'_>> {
        self.permits(1, None)
    }

    /// As [`Semaphore::permit`], if a permit is free; [`ErrorKind::Timeout`] if not.
    pub fn try_permit(&self) -> Result<Permit<'_>> {
        self.permits(1, Some(Duration::ZERO))
    }

    /// As [`Semaphore::permit`], if that is possible within `time`; else [`ErrorKind::Timeout`].
    pub fn permit_timeout(&self, time: Duration) -> Result<Permit<'_>> {
        self.permits(1, Some(time))
    }

    /// Acquires so many permits as [`Semaphore::acquire_many`] does, and gives them back when the guard is dropped.
    pub fn permits(&self, count: u32, time: Option<Duration>) -> Result<Permit<'_>> {
        let me = self.acquire_as_me(count, time)?;
        Ok(Permit { semaphore: self, me, count })
    }

    /// Releases so many permits, whoever acquired them (see [`Semaphore`]). All of them or, on an error, none: [`ErrorKind::NotHeld`] if a bounded semaphore would have more
    /// than it was made with, [`ErrorKind::TooLarge`] above [`Semaphore::MAX`], [`ErrorKind::InvalidArgument`] for 0.
    #[inline]
    pub fn release(&self, count: u32) -> Result<()> {
        if count == 0 {
            return Err(self.none_released());
        }
        let (w, guard) = self.enter()?;
        let after = w.free().load(Ordering::Relaxed).saturating_add(u64::from(count));
        if w.bound().is_some_and(|bound| after > bound) || after > u64::from(Semaphore::MAX) {
            drop(guard);
            return Err(self.too_many(w, count));
        }
        w.release(guard.me.slot(), count, after)?;
        drop(guard);
        w.wake(count);
        Ok(())
    }

    /// How many permits are free at this moment.
    pub fn value(&self) -> Result<u32> {
        let (w, _guard) = self.enter()?;
        u32::try_from(w.free().load(Ordering::Relaxed)).map_err(|_| damaged("semaphore"))
    }

    /// Whether no permit is free at this moment.
    pub fn locked(&self) -> bool {
        self.value().is_ok_and(|value| value == 0)
    }

    /// How many permits this process holds at this moment.
    pub fn held(&self) -> Result<u32> {
        let (w, guard) = self.enter()?;
        Ok(w.ledger().held(guard.me.slot()))
    }

    /// The number of free permits that a bounded semaphore never passes; none: not bounded.
    pub fn bound(&self) -> Option<u32> {
        self.words().bound().and_then(|bound| u32::try_from(bound).ok())
    }

    /// A descriptor for event loops, readable when a permit is free: see [`Pollable`].
    pub fn pollable(&self) -> Result<Pollable> {
        Pollable::new(self.clone())
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.0
    }

    pub(crate) fn of(handle: Handle) -> Semaphore {
        Semaphore(Arc::new(handle))
    }

    fn get(fabric: &Fabric, how: How<'_>, value: u32, bounded: bool) -> Result<Semaphore> {
        if value > Semaphore::MAX {
            return Err(Error::new(ErrorKind::TooLarge, format!("a semaphore cannot have {value} permits; {} is the most", Semaphore::MAX)));
        }
        let shm = fabric.shm();
        let handle = Handle::get(fabric, Kind::Semaphore, how, SIZE, |object, _| {
            let w = Words::of(shm, object.offset)?;
            // In a chunk that was a semaphore before, somebody late may have been killed under the lock: the repair is not to meet half a semaphore.
            let _guard = w.lock()?;
            w.begin(value, bounded);
            Ok(())
        })?;
        Ok(Semaphore::of(handle))
    }

    #[inline(always)]
    fn words(&self) -> Words<'_> {
        Words::of_handle(&self.0)
    }

    /// The lock, held, of a semaphore that still is the one meant.
    #[inline(always)]
    fn enter(&self) -> Result<(Words<'_>, Guard<'_>)> {
        let w = self.words();
        let guard = w.lock()?;
        if w.is(self.0.id.birth) { Ok((w, guard)) } else { Err(gone(Kind::Semaphore)) }
    }

    #[inline(always)]
    fn acquire_as_me(&self, count: u32, time: Option<Duration>) -> Result<Owner> {
        if count != 1 {
            self.check_count(count)?;
        }
        match self.attempt(count)? {
            Some(me) => Ok(me),
            None => self.wait(count, time),
        }
    }

    #[inline(always)]
    fn attempt(&self, count: u32) -> Result<Option<Owner>> {
        let (w, guard) = self.enter()?;
        let free = w.free().load(Ordering::Relaxed);
        if free < u64::from(count) {
            return Ok(None);
        }
        w.take(guard.me.slot(), count, free)?;
        Ok(Some(guard.me))
    }

    #[cold]
    #[inline(never)]
    fn wait(&self, count: u32, time: Option<Duration>) -> Result<Owner> {
        let w = self.words();
        if count > 1 {
            w.many().store(1, Ordering::SeqCst);
        }
        let ready = || w.free().load(Ordering::Relaxed) >= u64::from(count) || !w.is(self.0.id.birth);
        let bury = || match w.ledger().dead_holder(w.shm) {
            Some(dead) => w.bury(dead).map(|()| true),
            None => Ok(false),
        };
        ledger::wait(&self.0, w.waiting(), time, ready, || self.attempt(count), bury)?.ok_or_else(|| {
            let what = if count == 1 { "no permit was".to_owned() } else { format!("{count} permits were not") };
            Error::new(ErrorKind::Timeout, format!("{what} free within the time given in semaphore {}", self.0.label()))
        })
    }

    #[cold]
    fn check_count(&self, count: u32) -> Result<()> {
        let most = self.words().bound().unwrap_or(u64::from(Semaphore::MAX));
        if count == 0 || u64::from(count) > most {
            let sentence = format!("{count} permits of semaphore {} can never be acquired at once; ask for 1 to {most}", self.0.label());
            return Err(Error::new(ErrorKind::InvalidArgument, sentence));
        }
        Ok(())
    }

    #[cold]
    fn none_released(&self) -> Error {
        Error::new(ErrorKind::InvalidArgument, format!("a release of no permit of semaphore {} makes no sense; release 1 or more", self.0.label()))
    }

    #[cold]
    fn too_many(&self, w: Words<'_>, count: u32) -> Error {
        match w.bound() {
            Some(bound) => Error::new(
                ErrorKind::NotHeld,
                format!("{count} permits of semaphore {} were released, but it would then have more than its {bound}", self.0.label()),
            ),
            None => Error::new(ErrorKind::TooLarge, format!("semaphore {} would have more than {} free permits", self.0.label(), Semaphore::MAX)),
        }
    }
}

impl BoundedSemaphore {
    /// A bounded semaphore without a name, as [`Semaphore::new`].
    pub fn new(fabric: &Fabric, value: u32) -> Result<BoundedSemaphore> {
        Semaphore::get(fabric, How::New, value, true).map(BoundedSemaphore)
    }

    /// Makes the bounded semaphore of this name.
    pub fn create(fabric: &Fabric, name: &str, value: u32) -> Result<BoundedSemaphore> {
        Semaphore::get(fabric, How::Create(name), value, true).map(BoundedSemaphore)
    }

    /// Opens the bounded semaphore of this name; [`ErrorKind::WrongType`] if it has no bound.
    pub fn open(fabric: &Fabric, name: &str) -> Result<BoundedSemaphore> {
        Semaphore::open(fabric, name).and_then(BoundedSemaphore::checked)
    }

    /// Opens the bounded semaphore of this name, or makes it; `value` counts only for who makes it. [`ErrorKind::WrongType`] if there is one without a bound.
    pub fn open_or_create(fabric: &Fabric, name: &str, value: u32) -> Result<BoundedSemaphore> {
        Semaphore::get(fabric, How::OpenOrCreate(name), value, true).and_then(BoundedSemaphore::checked)
    }

    /// The bounded semaphore that a ticket leads to; [`ErrorKind::WrongType`] if it has no bound.
    pub fn from_ticket(ticket: &Ticket) -> Result<BoundedSemaphore> {
        Semaphore::from_ticket(ticket).and_then(BoundedSemaphore::checked)
    }

    fn checked(semaphore: Semaphore) -> Result<BoundedSemaphore> {
        if semaphore.bound().is_some() {
            return Ok(BoundedSemaphore(semaphore));
        }
        Err(Error::new(ErrorKind::WrongType, format!("semaphore {} has no bound; open it as a plain semaphore", semaphore.0.label())))
    }
}

impl Deref for BoundedSemaphore {
    type Target = Semaphore;

    fn deref(&self) -> &Semaphore {
        &self.0
    }
}

impl std::fmt::Debug for BoundedSemaphore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BoundedSemaphore {}", self.0.0.label())
    }
}

impl serde::Serialize for BoundedSemaphore {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for BoundedSemaphore {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<BoundedSemaphore, D::Error> {
        BoundedSemaphore::checked(Semaphore::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.semaphore.0.shm().me_if_joined() != Some(self.me) {
            return; // a forked child
        }
        // Only what this process still holds: somebody else may have given it back. Nothing can be done about damaged memory here.
        let Ok((w, guard)) = self.semaphore.enter() else { return };
        let count = self.count.min(w.ledger().held(self.me.slot()));
        let after = w.free().load(Ordering::Relaxed).saturating_add(u64::from(count));
        let released = w.release(self.me.slot(), count, after);
        drop(guard);
        if released.is_ok() {
            w.wake(count);
        }
    }
}

impl std::fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Permit ({}) of semaphore {}", self.count, self.semaphore.0.label())
    }
}

impl Source for Semaphore {
    fn arm(&self) -> Option<(&AtomicU32, u32)> {
        let w = self.words();
        let announced = wait::announce(w.waiting());
        // One that is gone is tried, and says so.
        (w.free().load(Ordering::Relaxed) == 0 && w.is(self.0.id.birth)).then(|| (w.waiting(), announced))
    }

    fn fabric(&self) -> &Fabric {
        self.0.fabric()
    }
}

shared_object!(Semaphore, Kind::Semaphore, SIZE, "semaphore");

pub(crate) const OPS: Ops = Ops { quiesce, outlive: Some(outlive), hold: Some(hold) };

/// Ends a semaphore that is about to be destroyed; may be repeated.
fn quiesce(shm: &Shm, object: Header<'_>) -> Result<()> {
    let w = Words::of(shm, object.offset)?;
    let guard = w.lock()?;
    object.birth().store(0, Ordering::Release);
    w.clear();
    drop(guard);
    w.wake(u32::MAX);
    Ok(())
}

/// What a dead or leaving member holds is free again.
fn outlive(shm: &Shm, object: Header<'_>, owner: Owner, _: Parting) -> Result<()> {
    Words::of(shm, object.offset)?.bury(owner)
}

fn hold<'a>(shm: &'a Shm, object: Header<'a>) -> Result<Held<'a>> {
    Ok(Held { guards: vec![Words::of(shm, object.offset)?.lock()?], chunks: Vec::new() })
}

const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<(Semaphore, BoundedSemaphore, Permit<'_>)>();
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fabric;

    /// The words of a new semaphore of `value`, in which slots hold what `held` says.
    fn with(held: &[(usize, u32)], value: u32, check: impl FnOnce(Words<'_>)) {
        let fabric = Fabric::builder().cap(4 << 20).private().unwrap();
        let semaphore = Semaphore::new(&fabric, value).unwrap();
        let w = Words::of_handle(semaphore.handle());
        for &(slot, count) in held {
            w.take(slot, count, w.free().load(Ordering::Relaxed)).unwrap();
        }
        check(w);
    }

    fn state(w: Words<'_>) -> (u64, u64, Vec<u32>) {
        (w.total().load(Ordering::Relaxed), w.free().load(Ordering::Relaxed), (0..4).map(|slot| w.ledger().held(slot)).collect())
    }

    #[test]
    fn a_release_takes_from_the_releaser_then_from_the_largest_then_adds() {
        with(&[(0, 1), (1, 2), (2, 4), (3, 4)], 11, |w| {
            w.release(0, 1, 1).unwrap();
            assert_eq!(state(w), (11, 1, vec![0, 2, 4, 4]));
            w.release(0, 1, 2).unwrap();
            assert_eq!(state(w), (11, 2, vec![0, 2, 3, 4]));
            w.release(0, 3, 5).unwrap();
            assert_eq!(state(w), (11, 5, vec![0, 2, 3, 1]), "all of the largest, then of the next");
            w.release(1, 5, 10).unwrap();
            assert_eq!(state(w), (11, 10, vec![0, 0, 0, 1]));
            w.release(1, 5, 15).unwrap();
            assert_eq!(state(w), (15, 15, vec![0; 4]));
            assert_eq!(w.goal().load(Ordering::Relaxed), 0);
        });
    }

    #[test]
    fn a_settling_goes_on_from_anywhere() {
        // Wherever it was killed, entries and total have come some of the way.
        for (left, total) in [([1, 4], 5), ([0, 4], 5), ([0, 1], 5), ([0, 0], 5), ([0, 0], 6)] {
            with(&[(0, 1), (1, 4)], 5, |w| {
                w.goal().store(6 << 16 | 1, Ordering::Relaxed);
                (0..2).for_each(|slot| w.ledger().set(slot, left[slot]));
                w.total().store(total, Ordering::Relaxed);
                w.repair().unwrap();
                assert_eq!(state(w), (6, 6, vec![0; 4]));
            });
        }
    }

    #[test]
    fn damage_is_named() {
        for goal in [1, 7 << 16, 7 << 16 | 0x401, u64::MAX] {
            with(&[], 1, |w| {
                w.goal().store(goal, Ordering::Relaxed);
                let error = w.repair();
                assert!(goal == 1 || error.is_err(), "{goal:#x}");
            });
        }
        with(&[(1, 1)], 1, |w| {
            w.ledger().set(2, 1);
            assert!(w.repair().is_err(), "more is held than there is");
        });
    }
}
