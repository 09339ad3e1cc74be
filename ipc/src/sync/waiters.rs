//! A list of those who wait, in the order in which they came: each sleeps on a word of its own, so that exactly whom it concerns is woken. Knows entries and who stands in them; what they
//! wait for is the object's.
//!
//! Words in the object, six of them:
//!
//! | offset | word |
//! | --- | --- |
//! | 0 | first entry |
//! | 8 | linking: entry being added |
//! | 16 | number of the next who comes |
//! | 24, 32, 40 | passing: entry of a dead one whose notification is passed on; entry that it goes to; that one's state word before |
//!
//! Entry (one chunk HELD by the object, never given back while the object's header chunk exists, so that one who comes late may touch its own):
//!
//! | offset | word | |
//! | --- | --- | --- |
//! | 0 | next entry | set when linked |
//! | 8 | state | `sequence << 3 \| state`; its low half is the futex of who waits by it |
//! | 16 | owner | whose process it is; set before the state, as are the next two |
//! | 24 | number | the order of coming |
//! | 32 | about | the object's: which round of a barrier |
//!
//! | state | to | by | store |
//! | --- | --- | --- | --- |
//! | 0 FREE | 1 WAITING, sequence + 1 | who comes, under the object's lock | store; the commit of coming |
//! | 1 WAITING | 2 NOTIFIED | who notifies, under the lock | compare-and-swap; the commit, one for each who waits |
//! | 1 WAITING | 0 FREE | who waits and gave up | compare-and-swap, without a lock |
//! | 1 WAITING | 3 BROKEN | who breaks a barrier, under the lock | compare-and-swap |
//! | 2 NOTIFIED | 0 FREE, sequence + 1 | who was notified, once it has what it came for (a condition's lock) | compare-and-swap, without a lock |
//! | 2 NOTIFIED | 4 PAST | who was let through a barrier | compare-and-swap, without a lock |
//! | 3 BROKEN | 0 FREE | who was told | compare-and-swap, without a lock |
//! | 4 PAST | 0 FREE | the barrier, when the record is of no more use, under the lock | compare-and-swap |
//! | any of the dead | 0 FREE | the sweep, under the lock | compare-and-swap |
//!
//! **A death while WAITING**: the entry is freed. **While NOTIFIED**: the notification is passed on to the one who waits longest, if anybody does: passing := {dead, heir, heir's word}; heir := NOTIFIED, the
//! commit; dead := FREE; passing := none. Killed in between: if the heir's word says that it was notified, the repair frees the dead one's entry; else the notification still is the dead one's and the sweep begins
//! anew. (An heir that gave up meanwhile is FREE with its old sequence, one that was notified and went on is FREE with the next.)
//! **Linking**: linking := entry; cell PRIVATE -> HELD; next := first; first := entry, the commit; linking := none.

use std::time::Duration;

use super::atomic::{AtomicU64, Ordering};
use crate::error::{Error, Result};
use crate::heap::cell::Cell;
use crate::shm::layout::UNIT;
use crate::shm::view::{Half, low_half};
use crate::shm::{Fixed, Owner, Shm, Span};
use crate::sys;

/// Bytes of the words in the object.
const WORDS: usize = 48;
/// Bytes of an entry.
const SIZE: usize = 64;

/// Nobody's.
pub(crate) const FREE: u64 = 0;
/// Somebody waits by it.
pub(crate) const WAITING: u64 = 1;
/// Whoever waits by it may go on.
pub(crate) const NOTIFIED: u64 = 2;
/// Whoever waits by it waits in vain.
pub(crate) const BROKEN: u64 = 3;
/// Somebody was let through, and that is remembered.
pub(crate) const PAST: u64 = 4;

const STATE: u64 = 7;

/// The state of a state word.
pub(crate) fn state(word: u64) -> u64 {
    word & STATE
}

pub(super) fn with(word: u64, state: u64) -> u64 {
    word & !STATE | state
}

/// With the next sequence number.
fn next_with(word: u64, state: u64) -> u64 {
    with(word.wrapping_add(STATE + 1), state)
}

/// One entry, checked to lie in the segment.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(super) offset: u64,
    pub(super) at: Fixed<'a, SIZE>,
}

impl<'a> Entry<'a> {
    fn next(self) -> &'a AtomicU64 {
        self.at.u64(0)
    }
    pub(super) fn state(self) -> &'a AtomicU64 {
        self.at.u64(8)
    }
    fn number(self) -> u64 {
        self.at.u64(24).load(Ordering::Relaxed)
    }
    /// Its state word.
    pub(crate) fn word(self) -> u64 {
        self.state().load(Ordering::Acquire)
    }
    /// Whose process it is; of a free one: was.
    pub(crate) fn owner(self) -> Owner {
        Owner::from_bits(self.at.u64(16).load(Ordering::Relaxed))
    }
    /// What the object noted when somebody came.
    pub(crate) fn about(self) -> u64 {
        self.at.u64(32).load(Ordering::Relaxed)
    }
    /// From this word to that state, in the same sequence. False: it was something else.
    pub(crate) fn change(self, from: u64, state: u64) -> bool {
        self.state().compare_exchange(from, with(from, state), Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
    /// Whoever was notified is done with that.
    pub(super) fn done(self, from: u64) -> bool {
        self.state().compare_exchange(from, next_with(from, FREE), Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
    fn wake(self) -> usize {
        sys::futex_wake(low_half(self.state()), u32::MAX)
    }
}

/// Somebody's place in the list, as it has it itself.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(super) entry: Entry<'a>,
    /// Its state word while it waits.
    pub(super) waiting: u64,
}

/// A place as it is kept without a borrow: its entry's offset, and its state word while it waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key(u64, u64);

/// What became of somebody who waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It gave up.
    Withdrawn,
    Notified,
    Broken,
    /// The object was destroyed.
    Gone,
}

impl<'a> Place<'a> {
    /// To find it again.
    pub(crate) fn key(self) -> Key {
        Key(self.entry.offset, self.waiting)
    }

    /// For somebody who sleeps elsewhere: none if something has happened, else the futex to sleep on and what it must say.
    pub(crate) fn arm(self) -> Option<(&'a Half, u32)> {
        self.still_waits().then(|| (low_half(self.entry.state()), self.waiting as u32))
    }

    /// Whether nothing has happened yet.
    #[inline]
    pub(crate) fn still_waits(self) -> bool {
        self.entry.word() == self.waiting
    }

    /// Sleeps until something happened, or somebody died, or for `nap`.
    pub(crate) fn sleep(self, shm: &Shm, time: Duration) {
        shm.sleep(low_half(self.entry.state()), self.waiting as u32, time);
    }

    /// Leaves the list, whatever has happened; what it was.
    pub(crate) fn leave(self) -> Fate {
        if self.entry.change(self.waiting, FREE) {
            Fate::Withdrawn
        } else if self.entry.done(with(self.waiting, NOTIFIED)) {
            Fate::Notified
        } else if self.entry.change(with(self.waiting, BROKEN), FREE) {
            Fate::Broken
        } else {
            Fate::Gone
        }
    }

    /// As [`leave`](Place::leave) if something has happened; whoever was notified stays in the list as PAST.
    pub(crate) fn pass(self) -> Option<Fate> {
        if self.still_waits() {
            None
        } else if self.entry.change(with(self.waiting, NOTIFIED), PAST) {
            Some(Fate::Notified)
        } else if self.entry.change(with(self.waiting, BROKEN), FREE) {
            Some(Fate::Broken)
        } else {
            Some(Fate::Gone)
        }
    }
}

/// The list of an object. All that changes it but a [`Place`] is called under the object's lock.
#[derive(Clone, Copy)]
pub(crate) struct Waiters<'a> {
    shm: &'a Shm,
    object: u64,
    words: Fixed<'a, WORDS>,
}

impl<'a> Waiters<'a> {
    /// The list of the object at `offset`, whose words begin at `at` of it.
    #[inline(always)]
    pub(crate) fn of(shm: &'a Shm, offset: u64, object: Span<'a>, at: usize) -> Result<Waiters<'a>> {
        Ok(Waiters { shm, object: offset, words: object.part(at, WORDS)?.fixed()? })
    }

    fn first(self) -> &'a AtomicU64 {
        self.words.u64(0)
    }
    fn linking(self) -> &'a AtomicU64 {
        self.words.u64(8)
    }
    pub(super) fn passing(self) -> (&'a AtomicU64, &'a AtomicU64, &'a AtomicU64) {
        (self.words.u64(24), self.words.u64(32), self.words.u64(40))
    }

    /// A place that was kept.
    pub(crate) fn place(self, key: Key) -> Result<Place<'a>> {
        Ok(Place { entry: self.entry(key.0)?, waiting: key.1 })
    }

    /// Whether nobody ever waited here.
    #[inline]
    pub(crate) fn is_new(self) -> bool {
        self.first().load(Ordering::Acquire) == 0
    }

    /// Every entry, free ones included.
    pub(crate) fn entries(self) -> impl Iterator<Item = Result<Entry<'a>>> {
        let mut next = self.first().load(Ordering::Acquire);
        let mut left = self.shm.segment.units().saturating_mul(UNIT / SIZE as u64) + 1;
        std::iter::from_fn(move || {
            if next == 0 {
                return None;
            }
            let entry = if left == 0 { Err(Error::corrupt("a list of waiters runs in a circle")) } else { self.entry(next) };
            left = left.saturating_sub(1);
            next = entry.as_ref().map_or(0, |entry| entry.next().load(Ordering::Acquire));
            Some(entry)
        })
    }

    /// Puts `me` at the end of the list.
    pub(crate) fn enlist(self, me: Owner, about: u64) -> Result<Place<'a>> {
        let mut free = None;
        for entry in self.entries() {
            let entry = entry?;
            if state(entry.word()) == FREE {
                free = Some(entry);
                break;
            }
        }
        let entry = match free {
            Some(entry) => entry,
            None => self.link(me)?,
        };
        let numbers = self.words.u64(16);
        let number = numbers.load(Ordering::Relaxed).wrapping_add(1);
        numbers.store(number, Ordering::Relaxed);
        entry.at.u64(16).store(me.to_bits(), Ordering::Relaxed);
        entry.at.u64(24).store(number, Ordering::Relaxed);
        entry.at.u64(32).store(about, Ordering::Relaxed);
        let waiting = next_with(entry.word(), WAITING);
        entry.state().store(waiting, Ordering::Release);
        Ok(Place { entry, waiting })
    }

    /// Notifies up to `most` of those who wait, the longest first, and wakes them; how many. A dead one that is found on the way does not count.
    pub(crate) fn notify(self, most: usize) -> Result<usize> {
        let mut told = 0;
        if most == 1 {
            // The usual case needs no list. Each turn leaves one fewer that waits, and nobody comes meanwhile.
            while told == 0
                && let Some((entry, word)) = self.oldest()?
            {
                told += usize::from(self.tell(entry, word));
            }
            return Ok(told);
        }
        for (entry, word) in self.in_order()? {
            if told == most {
                break;
            }
            told += usize::from(self.tell(entry, word));
        }
        Ok(told)
    }

    /// Notifies one that waited by this word, and wakes it. False: it gave up meanwhile, or it is dead.
    fn tell(self, entry: Entry<'a>, word: u64) -> bool {
        if !entry.change(word, NOTIFIED) {
            return false;
        }
        if entry.wake() == 0 && !self.shm.alive(entry.owner()) {
            entry.done(with(word, NOTIFIED));
            return false;
        }
        true
    }

    /// A process died: what it waited for is forgotten, what it was notified of goes to those who wait longest.
    pub(crate) fn outlive(self, dead: Owner) -> Result<()> {
        for entry in self.entries() {
            let entry = entry?;
            if entry.owner() != dead {
                continue;
            }
            let word = entry.word();
            match state(word) {
                FREE => {}
                NOTIFIED => self.pass_on(entry, word, dead)?,
                _ => drop(entry.change(word, FREE)),
            }
        }
        Ok(())
    }

    /// A process is gone, and nothing of what it waited for or was told is of use to anybody.
    pub(crate) fn forget(self, gone: Owner) -> Result<()> {
        for entry in self.entries() {
            let entry = entry?;
            let word = entry.word();
            if entry.owner() == gone && state(word) != FREE {
                entry.done(word);
            }
        }
        Ok(())
    }

    /// The object ends: everybody leaves, whoever sleeps is woken.
    pub(crate) fn end(self) -> Result<()> {
        for entry in self.entries() {
            let entry = entry?;
            loop {
                let word = entry.word();
                if state(word) == FREE || entry.done(word) {
                    break;
                }
            }
            entry.wake();
        }
        Ok(())
    }

    /// After the holder of the object's lock died. May be repeated.
    pub(crate) fn repair(self, me: Owner) -> Result<()> {
        let linking = self.linking().load(Ordering::Acquire);
        if linking != 0 {
            if self.first().load(Ordering::Acquire) == linking {
                self.linking().store(0, Ordering::Release);
            } else {
                self.shm.give_back(self.linking(), Cell::held(self.object), me)?;
            }
        }
        let (dead, heir, before) = self.passing();
        let offset = dead.load(Ordering::Acquire);
        if offset != 0 {
            let (entry, heir, before) = (self.entry(offset)?, self.entry(heir.load(Ordering::Relaxed))?, before.load(Ordering::Relaxed));
            let word = entry.word();
            if heir.word() != before && heir.word() != with(before, FREE) && state(word) == NOTIFIED {
                entry.done(word);
            }
            dead.store(0, Ordering::Release);
        }
        Ok(())
    }

    /// Every chunk that the list holds, for the checker.
    pub(crate) fn chunks(self) -> Result<Vec<u64>> {
        self.entries().map(|entry| entry.map(|entry| entry.offset)).collect()
    }

    pub(super) fn entry(self, offset: u64) -> Result<Entry<'a>> {
        let chunk = self.shm.chunk(offset)?;
        if chunk.cell.load(Ordering::Acquire) != Cell::held(self.object).0 || chunk.capacity < SIZE as u64 {
            return Err(Error::corrupt(format_args!("an entry of waiters at {offset:#x} is not its object's ({:?})", chunk.holder())));
        }
        Ok(Entry { offset, at: self.shm.segment.fixed(offset)? })
    }

    fn link(self, me: Owner) -> Result<Entry<'a>> {
        let chunk = self.shm.alloc(SIZE as u64)?;
        let entry = Entry { offset: chunk.offset, at: self.shm.segment.fixed(chunk.offset)? };
        for at in (0..SIZE).step_by(8) {
            entry.at.u64(at).store(0, Ordering::Relaxed);
        }
        self.linking().store(chunk.offset, Ordering::Release);
        chunk.change(Cell::private(me), Cell::held(self.object));
        entry.next().store(self.first().load(Ordering::Relaxed), Ordering::Relaxed);
        self.first().store(chunk.offset, Ordering::Release);
        self.linking().store(0, Ordering::Release);
        Ok(entry)
    }

    /// Who waits longest, with its state word.
    fn oldest(self) -> Result<Option<(Entry<'a>, u64)>> {
        let mut oldest: Option<(Entry<'a>, u64)> = None;
        for entry in self.entries() {
            let entry = entry?;
            let word = entry.word();
            if state(word) == WAITING && oldest.is_none_or(|(other, _)| entry.number() < other.number()) {
                oldest = Some((entry, word));
            }
        }
        Ok(oldest)
    }

    /// Those who wait, the longest first, with their state words.
    fn in_order(self) -> Result<Vec<(Entry<'a>, u64)>> {
        let mut waiting = Vec::new();
        for entry in self.entries() {
            let entry = entry?;
            let word = entry.word();
            if state(word) == WAITING {
                waiting.push((entry, word));
            }
        }
        waiting.sort_unstable_by_key(|(entry, _)| entry.number());
        Ok(waiting)
    }

    /// Gives a dead one's notification to who waits longest, once.
    pub(super) fn pass_on(self, from: Entry<'a>, word: u64, dead: Owner) -> Result<()> {
        let (passing, to, before) = self.passing();
        for (heir, waiting) in self.in_order()? {
            if heir.owner() == dead {
                continue;
            }
            before.store(waiting, Ordering::Relaxed);
            to.store(heir.offset, Ordering::Relaxed);
            passing.store(from.offset, Ordering::Release);
            let passed = heir.change(waiting, NOTIFIED);
            if passed {
                from.done(word);
            }
            passing.store(0, Ordering::Release);
            if passed {
                heir.wake();
                return Ok(());
            }
        }
        from.done(word);
        Ok(())
    }
}
