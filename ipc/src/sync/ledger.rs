//! The ledger: who holds how many, one entry per slot of the process table, so that what a dead process held is known and comes back, exactly.
//!
//! | offset | word | |
//! | --- | --- | --- |
//! | 0 | top | one more than the highest slot that ever had an entry; set before the entry |
//! | 64 + 4 s | entry of slot s (u32) | how many that slot's process holds |
//!
//! All of it is changed under the lock of the object that has it. An entry is changed by one store, which commits whatever the object does; sums that the object keeps beside it are caches
//! that the repair of its lock makes anew. A slot gets another process only after every object was brought past the death of the last one (`kinds.rs`), so an entry is always that of
//! the process that has the slot. Knows nothing of what is held.

use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use super::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::error::{Error, Result};
use crate::fabric::handle::Handle;
use crate::shm::layout::SLOTS;
use crate::shm::{Deadline, Fixed, Owner, Shm};

/// Bytes that a ledger takes.
pub(crate) const SIZE: usize = 64 + SLOTS * 4;
/// Holders that one look asks after: each is a system call.
const ASKED: usize = 4;
/// Time between two looks of one waiter.
const BETWEEN: Duration = Duration::from_millis(1);

/// The ledger at `at` of an object of `N` bytes.
#[derive(Clone, Copy)]
pub(crate) struct Ledger<'a, const N: usize> {
    object: Fixed<'a, N>,
    at: usize,
}

impl<'a, const N: usize> Ledger<'a, N> {
    #[inline(always)]
    pub(crate) fn of(object: Fixed<'a, N>, at: usize) -> Self {
        Ledger { object, at }
    }

    #[inline(always)]
    fn top(self) -> &'a AtomicU64 {
        self.object.u64(self.at)
    }

    /// Panics for a slot that the process table does not have; owners of slots come from there.
    #[inline(always)]
    fn entry(self, slot: usize) -> &'a AtomicU32 {
        assert!(slot < SLOTS);
        self.object.u32(self.at + 64 + slot * 4)
    }

    fn slots(self) -> std::ops::Range<usize> {
        0..(self.top().load(Ordering::Relaxed) as usize).min(SLOTS)
    }

    /// How many the process of this slot holds.
    #[inline(always)]
    pub(crate) fn held(self, slot: usize) -> u32 {
        self.entry(slot).load(Ordering::Relaxed)
    }

    /// The process of this slot holds so many from now on: the store that commits.
    #[inline(always)]
    pub(crate) fn set(self, slot: usize, held: u32) {
        if slot as u64 >= self.top().load(Ordering::Relaxed) {
            self.top().store(slot as u64 + 1, Ordering::Relaxed);
        }
        self.entry(slot).store(held, Ordering::Release);
    }

    /// How many all hold together.
    pub(crate) fn sum(self) -> u64 {
        self.slots().map(|slot| u64::from(self.held(slot))).sum()
    }

    /// Who holds most, and how many that is; of equals the lowest slot; none if nobody holds any.
    pub(crate) fn largest(self) -> Option<(usize, u32)> {
        self.slots().map(|slot| (slot, self.held(slot))).filter(|(_, held)| *held > 0).reduce(|most, other| if other.1 > most.1 { other } else { most })
    }

    /// Nobody holds any.
    pub(crate) fn clear(self) {
        self.slots().for_each(|slot| self.entry(slot).store(0, Ordering::Relaxed));
        self.top().store(0, Ordering::Relaxed);
    }

    /// A dead holder, if the few that this look asks after include one. Later looks ask after others.
    pub(crate) fn dead_holder(self, shm: &Shm) -> Option<Owner> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let slots = self.slots();
        let first = NEXT.load(Ordering::Relaxed) % slots.end.max(1);
        let holders = (first..slots.end).chain(0..first).filter(|slot| self.held(*slot) > 0);
        let mut asked = holders.filter_map(|slot| shm.member_in(slot)).take(ASKED);
        asked.find(|owner| {
            NEXT.store(owner.slot() + 1, Ordering::Relaxed);
            !shm.alive(*owner)
        })
    }
}

/// Waits as [`Handle::until`] does, and also looks from time to time, and once more when time is up, whether what is waited for is held by the dead: `bury` asks, gives
/// it back, and says whether there was any. So a waiter goes on within a nap though nobody sweeps, and a mere try finds what the dead hold.
#[cold]
pub(crate) fn wait<T>(
    handle: &Handle,
    word: &AtomicU32,
    time: Option<Duration>,
    ready: impl Fn() -> bool,
    mut attempt: impl FnMut() -> Result<Option<T>>,
    bury: impl Fn() -> Result<bool>,
) -> Result<Option<T>> {
    let mut look_at = Instant::now() + BETWEEN;
    let found = handle.until(word, Deadline::after(time), ready, || {
        if let Some(found) = attempt()? {
            return Ok(Some(found));
        }
        if Instant::now() < look_at {
            return Ok(None);
        }
        let found = after_burials(&mut attempt, &bury);
        look_at = Instant::now() + BETWEEN;
        found
    })?;
    if found.is_some() { Ok(found) } else { after_burials(attempt, bury) }
}

/// Tries after each burial, as long as there are any.
fn after_burials<T>(mut attempt: impl FnMut() -> Result<Option<T>>, bury: impl Fn() -> Result<bool>) -> Result<Option<T>> {
    for _ in 0..SLOTS {
        if !bury()? {
            break;
        }
        if let Some(found) = attempt()? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What every user of a ledger says of one whose entries cannot be.
#[cold]
pub(crate) fn damaged(what: &str) -> Error {
    Error::corrupt(format_args!("the ledger of a {what} says that more is held than there is"))
}
