//! An `RwLock`'s words in shared memory, and what may happen to them: a writer's word, a ledger of readers, and whose turn it is.
//!
//! Offsets in the object (after the common header of 192 bytes); all words but the wait words are changed under the lock, and may be read by anybody:
//!
//! | offset | word |
//! | --- | --- |
//! | 192 | lock of the words below: `guard.rs` |
//! | 200 | writer: owner bits of who has it for writing; 0: nobody |
//! | 208 | readers: sum of the ledger, a cache |
//! | 216 | died: 1 from a writer's death until some writer got in |
//! | 224 | wanted: owner bits of one process that waits to write; 0: none |
//! | 232 | asking: 1 once a reader had to wait; a writer that leaves turns it into a turn |
//! | 240 | turn: 1: readers need not mind `wanted` |
//! | 256, 320 | wait words (u32) of readers and of writers |
//! | 384 | the ledger (`ledger.rs`): how often each slot's process has it for reading |
//!
//! | operation | allowed if | commit | then |
//! | --- | --- | --- | --- |
//! | read | no writer, and nobody wants to write or it is the readers' turn | entry `+ 1` | readers |
//! | write | no writer, no readers | writer := me | died, wanted (if it is me) and turn := 0 |
//! | release of a read | entry > 0 | entry `- 1` | readers; turn := 0; the last one wakes a writer |
//! | release of a write | writer is me | writer := 0 | before it turn := asking, asking := 0; after it everybody who may go on is woken |
//! | a reader died or left | | entry := 0 | as its releases |
//! | a writer died or left | | writer := 0 | before it died := 1; as its release |
//! | who wanted to write died, left or gave up | | wanted := 0 | readers are woken |
//! | destruction | | birth := 0 | all cleared, everybody woken |
//!
//! **Nobody starves**: a writer that waits holds new readers back; readers that had to wait have a turn after each writer, which ends with the first read released. `wanted`, `asking` and `turn` only say who
//! goes first; any value of theirs is harmless, but that readers look whether the process that `wanted` names lives. **Repair**: readers is computed anew. Killed before a commit: nothing happened;
//! after it: the dead one has the lock, until its death is seen by a waiter or a sweep. Killed before a wake: sleepers sleep a nap at most.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::guard::Guard;
use super::ledger::{self, Ledger, damaged};
use super::wait;
use super::word::Acquired;
use crate::error::Result;
use crate::fabric::handle::Handle;
use crate::objects::HEADER;
use crate::shm::{Fixed, Owner, Shm};

const READERS_WAIT: usize = 256;
const WRITERS_WAIT: usize = 320;
const LEDGER: usize = 384;
/// Bytes of an `RwLock` object.
pub(crate) const SIZE: usize = LEDGER + ledger::SIZE;

/// What somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// An `RwLock`'s words.
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

    #[inline(always)]
    fn writer_word(self) -> &'a AtomicU64 {
        self.at.u64(HEADER + 8)
    }

    #[inline(always)]
    fn readers_word(self) -> &'a AtomicU64 {
        self.at.u64(HEADER + 16)
    }

    #[inline(always)]
    fn died(self) -> &'a AtomicU64 {
        self.at.u64(HEADER + 24)
    }

    #[inline(always)]
    fn wanted(self) -> &'a AtomicU64 {
        self.at.u64(HEADER + 32)
    }

    #[inline(always)]
    fn asking(self) -> &'a AtomicU64 {
        self.at.u64(HEADER + 40)
    }

    #[inline(always)]
    fn turn(self) -> &'a AtomicU64 {
        self.at.u64(HEADER + 48)
    }

    /// What those sleep on who want this.
    #[inline(always)]
    pub(crate) fn waiting(self, access: Access) -> &'a AtomicU32 {
        self.at.u32(if access == Access::Read { READERS_WAIT } else { WRITERS_WAIT })
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

    /// Who has it for writing, alive or dead.
    #[inline(always)]
    pub(crate) fn writer(self) -> Owner {
        Owner::from_bits(self.writer_word().load(Ordering::Relaxed))
    }

    /// How many have it for reading.
    #[inline(always)]
    pub(crate) fn readers(self) -> u64 {
        self.readers_word().load(Ordering::Relaxed)
    }

    /// Whether this may be had now, for anybody.
    #[inline(always)]
    pub(crate) fn allows(self, access: Access) -> bool {
        self.writer() == Owner::NOBODY
            && match access {
                Access::Read => self.wanted().load(Ordering::Relaxed) == 0 || self.turn().load(Ordering::Relaxed) != 0,
                Access::Write => self.readers() == 0,
            }
    }

    /// Takes the lock of the words; after a death under it, with the words whole again.
    #[inline(always)]
    pub(crate) fn lock(self) -> Result<Guard<'a>> {
        Guard::enter(self.shm, self.at.u64(HEADER), |_| {
            self.count_readers();
            Ok(())
        })
    }

    /// Under the lock: takes it if that is allowed; else leaves word that somebody waits.
    #[inline(always)]
    pub(crate) fn take(self, access: Access, me: Owner) -> Result<Option<Acquired>> {
        if !self.allows(access) {
            match access {
                Access::Read => self.asking().store(1, Ordering::Relaxed),
                Access::Write if self.wanted().load(Ordering::Relaxed) == 0 => self.wanted().store(me.to_bits(), Ordering::Relaxed),
                Access::Write => {}
            }
            return Ok(None);
        }
        let acquired = if self.died().load(Ordering::Relaxed) == 0 { Acquired::Clean } else { Acquired::OwnerDied };
        match access {
            Access::Read => {
                let held = self.ledger().held(me.slot()).checked_add(1).ok_or_else(|| damaged("rwlock"))?;
                self.ledger().set(me.slot(), held);
                self.readers_word().store(self.readers().wrapping_add(1), Ordering::Relaxed);
            }
            Access::Write => {
                self.writer_word().store(me.to_bits(), Ordering::Release);
                self.died().store(0, Ordering::Release); // not before the commit
                self.want_no_more(me);
                self.turn().store(0, Ordering::Relaxed);
            }
        }
        Ok(Some(acquired))
    }

    /// Under the lock: gives it back. False: this process does not have it so.
    #[inline(always)]
    pub(crate) fn give_back(self, access: Access, me: Owner) -> bool {
        match access {
            Access::Read => {
                let held = self.ledger().held(me.slot());
                if held == 0 {
                    return false;
                }
                self.ledger().set(me.slot(), held - 1);
                self.readers_word().store(self.readers().wrapping_sub(1), Ordering::Relaxed);
                self.turn().store(0, Ordering::Relaxed);
            }
            Access::Write => {
                if self.writer() != me {
                    return false;
                }
                self.writer_leaves();
            }
        }
        true
    }

    /// Under the lock: this process does not wait to write any more. (If another of its threads does, that one says so again at its next nap.)
    #[inline(always)]
    pub(crate) fn want_no_more(self, me: Owner) {
        if self.wanted().load(Ordering::Relaxed) == me.to_bits() {
            self.wanted().store(0, Ordering::Relaxed);
        }
    }

    /// After a change, with the lock left: wakes who may go on now.
    #[inline(always)]
    pub(crate) fn wake(self) {
        if self.allows(Access::Write) {
            wait::wake(self.waiting(Access::Write), 1);
        }
        if self.allows(Access::Read) {
            wait::wake(self.waiting(Access::Read), u32::MAX);
        }
    }

    /// A dead process in whose way it is that somebody gets in, if a look at a few finds one.
    pub(crate) fn dead_in_the_way(self) -> Option<Owner> {
        let named = [self.writer_word(), self.wanted()].map(|word| Owner::from_bits(word.load(Ordering::Relaxed)));
        named.into_iter().find(|owner| *owner != Owner::NOBODY && !self.shm.alive(*owner)).or_else(|| self.ledger().dead_holder(self.shm))
    }

    /// Whatever a dead or leaving member has or wants is so no more, and who waits for it is woken.
    pub(crate) fn bury(self, owner: Owner) -> Result<()> {
        let guard = self.lock()?;
        // The slot may be somebody else's by now; the other words name the process itself.
        if self.shm.member_in(owner.slot()) == Some(owner) && self.ledger().held(owner.slot()) > 0 {
            self.ledger().set(owner.slot(), 0);
            self.count_readers();
            self.turn().store(0, Ordering::Relaxed);
        }
        if self.writer() == owner {
            self.died().store(1, Ordering::Relaxed); // before the writer's word is 0
            self.writer_leaves();
        }
        self.want_no_more(owner);
        drop(guard);
        self.wake();
        Ok(())
    }

    /// Under the lock: an `RwLock` that nobody has.
    pub(crate) fn clear(self) {
        self.ledger().clear();
        for at in (HEADER + 8..=HEADER + 48).step_by(8) {
            self.at.u64(at).store(0, Ordering::Release);
        }
    }

    /// With the lock left, after a destruction.
    pub(crate) fn wake_all(self) {
        wait::wake(self.waiting(Access::Read), u32::MAX);
        wait::wake(self.waiting(Access::Write), u32::MAX);
    }

    #[inline(always)]
    fn writer_leaves(self) {
        self.turn().store(self.asking().load(Ordering::Relaxed), Ordering::Relaxed);
        self.asking().store(0, Ordering::Relaxed);
        self.writer_word().store(0, Ordering::Release);
    }

    fn count_readers(self) {
        self.readers_word().store(self.ledger().sum(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fabric;
    use crate::sync::rwlock::RwLock;

    fn fresh(check: impl FnOnce(Words<'_>, [Owner; 3])) {
        let fabric = Fabric::builder().cap(4 << 20).private().unwrap();
        let lock = RwLock::new(&fabric).unwrap();
        check(Words::of_handle(lock.handle()), [1, 2, 3].map(|slot| Owner::from_bits(7 << 32 | slot)));
    }

    #[test]
    fn a_waiting_writer_comes_before_new_readers_and_waiting_readers_before_the_next_writer() {
        fresh(|w, [a, b, c]| {
            assert_eq!(w.take(Access::Read, a).unwrap(), Some(Acquired::Clean));
            assert_eq!(w.take(Access::Write, b).unwrap(), None);
            assert_eq!(w.take(Access::Read, c).unwrap(), None, "a writer waits");
            assert!(w.give_back(Access::Read, a));
            assert_eq!(w.take(Access::Write, b).unwrap(), Some(Acquired::Clean));
            assert_eq!(w.take(Access::Write, a).unwrap(), None);
            assert!(w.give_back(Access::Write, b));
            // It is the readers' turn, until the first of them goes.
            assert_eq!(w.take(Access::Read, c).unwrap(), Some(Acquired::Clean));
            assert_eq!(w.take(Access::Read, b).unwrap(), Some(Acquired::Clean));
            assert!(w.give_back(Access::Read, c));
            assert_eq!(w.take(Access::Read, c).unwrap(), None);
            assert!(w.give_back(Access::Read, b));
            assert_eq!(w.take(Access::Write, a).unwrap(), Some(Acquired::Clean));
            assert!(!w.give_back(Access::Write, b) && !w.give_back(Access::Read, a));
            assert!(w.give_back(Access::Write, a));
        });
    }

    #[test]
    fn a_writer_that_wants_no_more_holds_nobody_back() {
        fresh(|w, [a, b, _]| {
            w.take(Access::Read, a).unwrap();
            assert_eq!(w.take(Access::Write, b).unwrap(), None);
            assert!(!w.allows(Access::Read));
            // Dead, as no such member lives.
            assert_eq!(w.dead_in_the_way(), Some(b));
            w.bury(b).unwrap();
            assert!(w.allows(Access::Read));
        });
    }

    #[test]
    fn a_writers_death_is_told_until_a_writer_got_in() {
        fresh(|w, [a, b, c]| {
            w.take(Access::Write, a).unwrap();
            w.bury(a).unwrap();
            assert_eq!(w.take(Access::Read, b).unwrap(), Some(Acquired::OwnerDied));
            assert_eq!(w.take(Access::Read, c).unwrap(), Some(Acquired::OwnerDied));
            assert!(w.give_back(Access::Read, b) && w.give_back(Access::Read, c));
            assert_eq!(w.take(Access::Write, b).unwrap(), Some(Acquired::OwnerDied));
            assert!(w.give_back(Access::Write, b));
            assert_eq!(w.take(Access::Read, c).unwrap(), Some(Acquired::Clean));
        });
    }
}
