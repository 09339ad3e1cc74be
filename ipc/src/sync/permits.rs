//! A semaphore's words in shared memory, and what may happen to them: permits that processes hold, known by a ledger, so that what the dead held comes back.
//!
//! Offsets in the object (after the common header of 192 bytes):
//!
//! | offset | word | who may change it |
//! | --- | --- | --- |
//! | 192 | lock of the words below | `guard.rs` |
//! | 200 | total: permits that there are, free and held | the lock's holder |
//! | 208 | free: `total - sum of the ledger`, a cache that anybody may read | the lock's holder |
//! | 216 | bound + 1; 0: unbounded | set at creation |
//! | 224 | goal: `free permits to be reached << 16 \| slot + 1 of the releaser`; 0: none | the lock's holder |
//! | 232 | many: 1 once anybody waited for more than one permit | anybody, to 1 only |
//! | 256 | wait word (u32) | |
//! | 320 | the ledger (`ledger.rs`): permits per slot | the lock's holder |
//!
//! | operation | commit | then |
//! | --- | --- | --- |
//! | acquire n | entry of the acquirer `+ n` | free |
//! | release n of one's own | entry of the releaser `- n` | free; a wake after the lock |
//! | release n without holding n | goal := free + n | *settling*: the releaser's entry, then the largest entry again and again, goes down until free reaches the goal; where no entry is left, total goes up; free; goal := none |
//! | a holder dies or leaves | its entry := 0 | free; a wake after the lock |
//! | destruction | birth := 0 | ledger, total, free and goal cleared; everybody woken |
//!
//! **Repair**: with a goal, the settling is gone on with (how much is missing is derived from total and ledger each time, so it may be repeated); then free is computed anew. Killed before a commit:
//! nothing happened. Killed after an acquire's: the dead one holds the permits, and they come back. Killed before a wake: sleepers sleep a nap at most.

use super::atomic::{AtomicU32, AtomicU64, Ordering};
use super::guard::Guard;
use super::ledger::{self, Ledger, damaged};
use super::wait;
use crate::error::{Error, Result};
use crate::fabric::handle::Handle;
use crate::objects::HEADER;
use crate::shm::layout::SLOTS;
use crate::shm::{Fixed, Owner, Shm};

const WAIT: usize = 256;
const LEDGER: usize = 320;
/// Bytes of a semaphore object.
pub(crate) const SIZE: usize = LEDGER + ledger::SIZE;

/// A semaphore's words.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    pub(crate) shm: &'a Shm,
    at: Fixed<'a, SIZE>,
}

impl<'a> Words<'a> {
    pub(crate) fn of(shm: &'a Shm, offset: u64) -> Result<Words<'a>> {
        Ok(Words { shm, at: shm.segment.fixed(offset)? })
    }

    #[inline(always)]
    pub(crate) fn of_handle(handle: &'a Handle) -> Words<'a> {
        Words { shm: handle.shm(), at: handle.fixed() }
    }

    pub(crate) fn total(self) -> &'a AtomicU64 {
        self.at.u64(HEADER + 8)
    }

    /// How many permits are free.
    #[inline(always)]
    pub(crate) fn free(self) -> &'a AtomicU64 {
        self.at.u64(HEADER + 16)
    }

    /// More free permits than this there may never be; none: no bound.
    #[inline(always)]
    pub(crate) fn bound(self) -> Option<u64> {
        self.at.u64(HEADER + 24).load(Ordering::Relaxed).checked_sub(1)
    }

    pub(crate) fn goal(self) -> &'a AtomicU64 {
        self.at.u64(HEADER + 32)
    }

    /// Not 0: some sleeper wants more than one permit.
    #[inline(always)]
    pub(crate) fn many(self) -> &'a AtomicU64 {
        self.at.u64(HEADER + 40)
    }

    /// What acquirers sleep on.
    #[inline(always)]
    pub(crate) fn waiting(self) -> &'a AtomicU32 {
        self.at.u32(WAIT)
    }

    #[inline(always)]
    pub(crate) fn ledger(self) -> Ledger<'a, SIZE> {
        Ledger::of(self.at, LEDGER)
    }

    /// Whether the object is the one of this birth.
    #[inline(always)]
    pub(crate) fn is(self, birth: u64) -> bool {
        self.at.u64(24).load(Ordering::Relaxed) == birth
    }

    /// Takes the lock of the words; after a death under it, with the words whole again.
    #[inline(always)]
    pub(crate) fn lock(self) -> Result<Guard<'a>> {
        Guard::enter(self.shm, self.at.u64(HEADER), |_| self.repair())
    }

    /// After a release of `count`, with the lock left: wakes as many as may go on now.
    #[inline(always)]
    pub(crate) fn wake(self, count: u32) {
        wait::wake(self.waiting(), if self.many().load(Ordering::Relaxed) == 0 { count } else { u32::MAX });
    }

    /// Under the lock: a new semaphore.
    pub(crate) fn begin(self, value: u32, bounded: bool) {
        self.clear();
        self.many().store(0, Ordering::Relaxed);
        self.at.u64(HEADER + 24).store(if bounded { u64::from(value) + 1 } else { 0 }, Ordering::Relaxed);
        self.total().store(u64::from(value), Ordering::Relaxed);
        self.free().store(u64::from(value), Ordering::Relaxed);
    }

    /// Under the lock: nobody holds anything, and there is nothing.
    pub(crate) fn clear(self) {
        self.goal().store(0, Ordering::Release);
        self.ledger().clear();
        self.total().store(0, Ordering::Release); // after the entries, or a repair would find more held than there is
        self.free().store(0, Ordering::Relaxed);
    }

    /// Under the lock: `count` of the `free` permits go to the process of `slot`.
    #[inline(always)]
    pub(crate) fn take(self, slot: usize, count: u32, free: u64) -> Result<()> {
        let held = self.ledger().held(slot).checked_add(count).ok_or_else(|| damaged("semaphore"))?;
        self.ledger().set(slot, held);
        self.free().store(free - u64::from(count), Ordering::Relaxed);
        Ok(())
    }

    /// Under the lock: the process of `slot` releases `count`, so that `after` are free then.
    #[inline(always)]
    pub(crate) fn release(self, slot: usize, count: u32, after: u64) -> Result<()> {
        let held = self.ledger().held(slot);
        if held < count {
            self.goal().store(after << 16 | (slot as u64 + 1), Ordering::Release);
            return self.settle();
        }
        self.ledger().set(slot, held - count);
        self.free().store(after, Ordering::Relaxed);
        Ok(())
    }

    /// What a dead or leaving member holds is free again, and whoever waits for it is woken. Does nothing if the slot is somebody else's by now.
    pub(crate) fn bury(self, owner: Owner) -> Result<()> {
        let guard = self.lock()?;
        if self.shm.member_in(owner.slot()) != Some(owner) {
            return Ok(());
        }
        let held = self.ledger().held(owner.slot());
        if held == 0 {
            return Ok(());
        }
        self.ledger().set(owner.slot(), 0);
        self.free().store(self.derived_free()?, Ordering::Relaxed);
        drop(guard);
        self.wake(held);
        Ok(())
    }

    fn derived_free(self) -> Result<u64> {
        self.total().load(Ordering::Relaxed).checked_sub(self.ledger().sum()).ok_or_else(|| damaged("semaphore"))
    }

    pub(crate) fn repair(self) -> Result<()> {
        if self.goal().load(Ordering::Acquire) != 0 {
            return self.settle();
        }
        self.free().store(self.derived_free()?, Ordering::Relaxed);
        Ok(())
    }

    /// Reaches the goal: takes from the entries what is missing, and adds to the total what no entry has.
    #[cold]
    #[inline(never)]
    fn settle(self) -> Result<()> {
        let goal = self.goal().load(Ordering::Acquire);
        let (after, slot) = (goal >> 16, (goal & 0xFFFF) as usize);
        if slot == 0 || slot > SLOTS || after > u64::from(u32::MAX) {
            return Err(Error::corrupt(format_args!("a semaphore is to reach {after} free permits by a release of slot {slot}")));
        }
        let ledger = self.ledger();
        let mut missing = after.saturating_sub(self.derived_free()?);
        let mut from = Some((slot - 1, ledger.held(slot - 1)));
        while missing > 0 {
            let Some((slot, held)) = from else {
                let total = self.total().load(Ordering::Relaxed).saturating_add(missing);
                self.total().store(total, Ordering::Release);
                break;
            };
            let taken = missing.min(u64::from(held));
            ledger.set(slot, held - taken as u32);
            missing -= taken;
            from = ledger.largest();
        }
        self.free().store(after, Ordering::Relaxed);
        self.goal().store(0, Ordering::Release);
        Ok(())
    }
}
