//! The consumer side: getting under the consumer lock, leaving an emptied ring, and the repair after a getter's death.
//!
//! **Inline message**: copied out; `head := next` is the commit. Killed before: it is still there. After: it is taken (at most once, as with any queue).
//!
//! **Chunk message**: taking := {chunk, CLAIMED(me), which word commits, its value now}; cell HELD(queue) -> CLAIMED(me); `head := next`, the commit; cell -> PRIVATE(me);
//! taking := none. CLAIMED is what no sweep touches. Repair: cell not CLAIMED by the dead: nothing. Commit word unchanged: cell -> HELD, still there. Changed: the message went with its
//! getter; the chunk is given back (as in `put.rs`). The same record serves the taking of a returned lease and its acknowledgement, whose commit word is the entry's state.
//!
//! **Leaving a ring** (empty, and it has a next): under both locks: retiring := ring; `head ring := next`, the commit; ring given back (as in `put.rs`), retiring := none in it. Repaired on the producer side, before anything else
//! of this queue can be allocated; so this side's repair begins by passing through the producer lock.

use std::sync::atomic::Ordering;

use super::entry::{self, Entry};
use super::layout::{LANES, Lane, MANY_LANES, Mark, Words};
use super::message::Message;
use super::ring::{FIRST_RING, Record, Ring};
use super::{joined, lease, put, timed};
use crate::error::{Error, Result};
use crate::fabric::Fabric;
use crate::fabric::handle::gone;
use crate::heap::Chunk;
use crate::heap::cell::{Cell, Holder};
use crate::objects::Kind;
use crate::shm::Owner;
use crate::sync::guard::Guard;

/// An empty ring of more bytes than that is given back: hundreds of messages went through it.
const ROOMY: usize = 64 << 10;

/// The consumer lock, held, the structure whole.
#[inline(always)]
pub(crate) fn lock(w: Words<'_>) -> Result<Guard<'_>> {
    Guard::enter(w.shm, w.consumer_lock(), |me| repair(w, me))
}

/// Whether a getter would find something (or the end): a look without any lock, for spinning and sleeping.
#[inline(always)]
pub(crate) fn looks_ready(w: Words<'_>) -> bool {
    let aside = w.aside().load(Ordering::Relaxed);
    if aside as u32 != 0 || !w.is_here() || w.closed().load(Ordering::Acquire) != 0 && !timed::will_come_back(w) {
        return true;
    }
    // A ring that was freed under our eyes: go and look under the lock.
    (aside != 0 && (timed::is_due(w) || aside & MANY_LANES != 0 && in_rings(w).unwrap_or(1) != 0)) || lane_looks_ready(w).unwrap_or(true)
}

#[inline(always)]
fn lane_looks_ready(w: Words<'_>) -> Result<bool> {
    let offset = w.lane(0)?.head_ring().load(Ordering::Acquire);
    if offset == 0 {
        return Ok(false);
    }
    let ring = Ring::at(w.shm, offset)?;
    let (tail, head) = (Mark(ring.tail()?.load(Ordering::Acquire)), Mark(ring.head()?.load(Ordering::Relaxed)));
    Ok(tail.count() != head.count() || ring.next()?.load(Ordering::Relaxed) != 0)
}

/// Messages in the rings of all lanes at this moment: what a bounded queue counts.
pub(crate) fn in_rings(w: Words<'_>) -> Result<usize> {
    w.all_lanes().try_fold(0, |sum: usize, lane| Ok(sum.saturating_add(in_lane(w, lane?)?)))
}

/// Messages in the rings of one lane at this moment.
pub(crate) fn in_lane(w: Words<'_>, lane: Lane<'_>) -> Result<usize> {
    loop {
        let rings = (lane.head_ring().load(Ordering::Acquire), lane.tail_ring().load(Ordering::Acquire));
        if rings.0 == 0 || rings.1 == 0 {
            return Ok(0);
        }
        let count = || -> Result<usize> {
            let head = Mark(Ring::at(w.shm, rings.0)?.head()?.load(Ordering::Acquire));
            let tail = Mark(Ring::at(w.shm, rings.1)?.tail()?.load(Ordering::Acquire));
            Ok(tail.count().wrapping_sub(head.count()) as usize)
        };
        let count = count();
        if rings == (lane.head_ring().load(Ordering::Acquire), lane.tail_ring().load(Ordering::Acquire)) {
            return count;
        }
    }
}

/// The consumer side, entered.
pub(crate) struct Getter<'a> {
    pub(crate) w: Words<'a>,
    pub(crate) me: Owner,
    /// The lane that it looks at.
    pub(crate) lane: Lane<'a>,
    ring: Option<Ring<'a>>,
    head: Mark,
    _guard: Guard<'a>,
}

/// What stands at the front.
pub(crate) enum Front<'a> {
    /// A lease that came back.
    Returned(Entry<'a>),
    /// A record in the ring, and the head word that takes it.
    Record(Ring<'a>, Record, Mark),
}

impl<'a> Getter<'a> {
    #[inline(always)]
    pub(crate) fn enter(w: Words<'a>) -> Result<Getter<'a>> {
        let getter = Getter::enter_any(w)?;
        if w.birth().load(Ordering::Relaxed) != w.id.birth {
            return Err(gone(Kind::Queue));
        }
        Ok(getter)
    }

    /// Enters even if the queue was destroyed.
    #[inline(always)]
    fn enter_any(w: Words<'a>) -> Result<Getter<'a>> {
        let guard = lock(w)?;
        let mut getter = Getter { w, me: guard.me, lane: w.lane(0)?, ring: None, head: Mark(0), _guard: guard };
        getter.load_ring()?;
        Ok(getter)
    }

    #[inline(always)]
    fn load_ring(&mut self) -> Result<()> {
        let offset = self.lane.head_ring().load(Ordering::Acquire);
        self.ring = None;
        if offset != 0 {
            let ring = Ring::at(self.w.shm, offset)?;
            self.head = Mark(ring.head()?.load(Ordering::Relaxed));
            self.ring = Some(ring);
        }
        Ok(())
    }

    fn enter_lane(&mut self, number: usize) -> Result<()> {
        if self.lane.number != number {
            self.lane = self.w.lane(number)?;
            self.load_ring()?;
        }
        Ok(())
    }

    /// What a get would take now, without taking it.
    #[inline(always)]
    pub(crate) fn front(&mut self) -> Result<Option<Front<'a>>> {
        if self.w.aside().load(Ordering::Relaxed) != 0 { self.front_of_all() } else { self.front_of_lane() }
    }

    /// The same where there is more to look at than one lane: the clock, what came back, all lanes.
    #[inline(never)]
    fn front_of_all(&mut self) -> Result<Option<Front<'a>>> {
        let w = self.w;
        timed::look(w)?;
        let returned = if w.returned() == 0 { None } else { entry::first_returned(w)? };
        let (mut number, mut looks) = (0, 0);
        while number < w.lane_count() {
            if let Some((lane, entry)) = returned
                && lane <= number
            {
                return Ok(Some(Front::Returned(entry)));
            }
            self.enter_lane(number)?;
            if let Some(front) = self.front_of_lane()? {
                // While we looked here something may have come into a lane before: it was first there by the time this one is taken.
                looks += 1;
                match self.lane_before(number)? {
                    Some(before) if looks <= LANES => number = before,
                    _ => return Ok(Some(front)),
                }
            } else {
                number += 1;
            }
        }
        Ok(returned.map(|(_, entry)| Front::Returned(entry)))
    }

    /// The first lane before this one that holds something.
    fn lane_before(&self, number: usize) -> Result<Option<usize>> {
        for lane in self.w.all_lanes().take(number) {
            let lane = lane?;
            if in_lane(self.w, lane)? != 0 {
                return Ok(Some(lane.number));
            }
        }
        Ok(None)
    }

    #[inline(always)]
    fn front_of_lane(&mut self) -> Result<Option<Front<'a>>> {
        loop {
            let Some(ring) = self.ring else { return Ok(None) };
            let mut tail = Mark(self.lane.seen_tail().load(Ordering::Relaxed));
            if tail.count() == self.head.count() {
                tail = Mark(ring.tail()?.load(Ordering::Acquire));
                self.lane.seen_tail().store(tail.0, Ordering::Relaxed);
            }
            let waiting = tail.count().wrapping_sub(self.head.count()) as usize;
            if waiting > ring.size() / 8 {
                return Err(Error::corrupt(format_args!("a ring of {} bytes says it holds {waiting} messages", ring.size())));
            }
            if waiting != 0 {
                let (record, next) = ring.read(self.head)?;
                return Ok(Some(Front::Record(ring, record, next)));
            }
            if ring.next()?.load(Ordering::Acquire) == 0 || !self.leave(ring)? {
                return Ok(None);
            }
        }
    }

    /// Takes the front message.
    #[inline(always)]
    pub(crate) fn take(&mut self, fabric: &Fabric) -> Result<Option<Message>> {
        if self.w.aside().load(Ordering::Relaxed) != 0 {
            return self.take_of_all(fabric);
        }
        match self.front_of_lane()? {
            Some(Front::Record(ring, record, next)) => self.take_record(fabric, ring, record, next),
            _ => Ok(None),
        }
    }

    #[inline(never)]
    fn take_of_all(&mut self, fabric: &Fabric) -> Result<Option<Message>> {
        match self.front_of_all()? {
            None => Ok(None),
            Some(Front::Record(ring, record, next)) => {
                let tally = joined::begin(self, ring.head_offset(), self.head.0)?;
                let taken = self.take_record(fabric, ring, record, next);
                joined::finish(self, tally, taken.is_ok())?;
                taken
            }
            Some(Front::Returned(entry)) => {
                let message = self.take_entry(entry, fabric)?;
                self.w.set_returned(self.w.returned().saturating_sub(1));
                Ok(Some(message))
            }
        }
    }

    /// Takes a message out of the ledger: the caller's from now on, and its task if the queue is joinable.
    pub(crate) fn take_entry(&self, entry: Entry<'_>, fabric: &Fabric) -> Result<Message> {
        let tally = joined::begin(self, entry.state_offset(), entry.state()?.load(Ordering::Relaxed))?;
        let taken = lease::take_out(self, entry, fabric);
        joined::finish(self, tally, taken.is_ok())?;
        taken
    }

    #[inline(always)]
    fn take_record(&mut self, fabric: &Fabric, ring: Ring<'a>, record: Record, next: Mark) -> Result<Option<Message>> {
        match record {
            Record::Inline { at, len, tags } => {
                let message = Message::copy(ring.bytes(), at, len, tags)?;
                self.advance(ring, next)?;
                Ok(Some(message))
            }
            Record::Chunk { offset, len, tags } => {
                let chunk = self.held_chunk(offset, len)?;
                let (word, before) = (ring.head_offset(), self.head.0);
                self.claim(chunk, word, before);
                self.advance(ring, next)?;
                self.own(chunk);
                Ok(Some(Message::view(fabric, offset, len, self.me, tags)))
            }
        }
    }

    /// `head := next`: the message is taken.
    #[inline(always)]
    pub(crate) fn advance(&mut self, ring: Ring<'_>, next: Mark) -> Result<()> {
        ring.head()?.store(next.0, Ordering::Release);
        self.head = next;
        Ok(())
    }

    pub(crate) fn head(&self) -> Mark {
        self.head
    }

    /// How much more there is behind what was just taken, as far as this side has seen.
    #[inline(always)]
    pub(crate) fn more(&self) -> u32 {
        if self.w.aside().load(Ordering::Relaxed) & MANY_LANES != 0 {
            return in_rings(self.w).unwrap_or(1) as u32;
        }
        Mark(self.lane.seen_tail().load(Ordering::Relaxed)).count().wrapping_sub(self.head.count())
    }

    /// The chunk of a message, checked to be the queue's and large enough.
    pub(crate) fn held_chunk(&self, offset: u64, len: u64) -> Result<Chunk<'a>> {
        let chunk = self.w.shm.chunk(offset)?;
        if len > chunk.capacity {
            return Err(Error::corrupt(format_args!("a message of {len} bytes in a chunk of {}", chunk.capacity)));
        }
        if chunk.cell.load(Ordering::Acquire) != Cell::held(self.w.id.offset).0 {
            return Err(Error::corrupt(format_args!("a queued message leads to a chunk that the queue does not hold ({:?})", chunk.holder())));
        }
        Ok(chunk)
    }

    /// First half of taking a chunk: before the commit.
    pub(crate) fn claim(&self, chunk: Chunk<'_>, word: u64, before: u64) {
        let w = self.w;
        let claimed = Cell::claimed(self.me);
        w.taking_cell().store(claimed.0, Ordering::Relaxed);
        w.taking_word().store(word, Ordering::Relaxed);
        w.taking_before().store(before, Ordering::Relaxed);
        w.taking().store(chunk.offset, Ordering::Release);
        chunk.change(Cell::held(w.id.offset), claimed);
    }

    /// Second half: after the commit, the chunk is this process's.
    pub(crate) fn own(&self, chunk: Chunk<'_>) {
        chunk.change(Cell::claimed(self.me), Cell::private(self.me));
        self.w.taking().store(0, Ordering::Release);
    }

    /// Second half for an acknowledged chunk: nobody needs it any more.
    pub(crate) fn discard(&self, chunk: Chunk<'_>) {
        self.own(chunk);
        self.w.shm.free(chunk, Cell::private(self.me));
    }

    /// Goes to the next ring. False: there is none after all.
    #[cold]
    #[inline(never)]
    fn leave(&mut self, ring: Ring<'a>) -> Result<bool> {
        let w = self.w;
        let _producers = put::lock(w)?;
        let next = ring.next()?.load(Ordering::Acquire);
        if next == 0 {
            return Ok(false);
        }
        if self.lane.tail_ring().load(Ordering::Relaxed) == ring.offset {
            return Err(Error::corrupt("a queue's last ring leads to another"));
        }
        if Mark(ring.tail()?.load(Ordering::Acquire)).count() != self.head.count() {
            self.lane.seen_tail().store(self.head.0, Ordering::Relaxed);
            return Ok(true); // something was put between the look and the link: stay, and look again
        }
        let new = Ring::at(w.shm, next)?;
        retire(w, self.lane, ring, next, self.me)?;
        self.lane.seen_tail().store(new.tail()?.load(Ordering::Acquire), Ordering::Relaxed);
        self.load_ring()?;
        Ok(true)
    }

    /// Of lanes that are empty, gives the rings back that grew large; each keeps a small one. (A ring is added and the old one left, by the ways that exist.)
    #[cold]
    pub(crate) fn shrink(&mut self) -> Result<()> {
        for number in 0..self.w.lane_count() {
            self.enter_lane(number)?;
            let Some(ring) = self.ring else { continue };
            if ring.size() <= ROOMY {
                continue;
            }
            {
                let guard = put::lock(self.w)?;
                let is_last = self.lane.tail_ring().load(Ordering::Relaxed) == ring.offset;
                if !is_last || ring.waiting()? != 0 || put::grow(self.w, self.lane, &guard, Some(ring), self.head.count(), FIRST_RING).is_err() {
                    continue; // in use; or no memory, and that is no reason to fail
                }
            }
            self.leave(ring)?;
        }
        Ok(())
    }

    /// Whether the ring that is looked at is one to give back when it is empty.
    pub(crate) fn is_roomy(&self) -> bool {
        self.ring.is_some_and(is_roomy)
    }
}

/// Whether a ring is one to give back when it is empty.
#[inline(always)]
pub(crate) fn is_roomy(ring: Ring<'_>) -> bool {
    ring.size() > ROOMY
}

/// Frees a ring that nobody will use again; both locks are held. `next`: the new head ring, or 0 when the queue ends.
pub(crate) fn retire(w: Words<'_>, lane: Lane<'_>, ring: Ring<'_>, next: u64, me: Owner) -> Result<()> {
    let chunk = w.shm.chunk(ring.offset)?;
    if chunk.holder() != Holder::Held(w.id.offset) {
        return Err(Error::corrupt(format_args!("a queue's ring stands in a chunk that the queue does not hold ({:?})", chunk.holder())));
    }
    w.intent_lane().store(lane.number as u64, Ordering::Relaxed);
    w.retiring().store(ring.offset, Ordering::Release);
    lane.head_ring().store(next, Ordering::Release);
    w.shm.give_back(w.retiring(), Cell::held(w.id.offset), me)
}

/// Ends a queue that is about to be destroyed: nobody puts or gets from now on, and all that it held is given back but its lease entries, which stay with the
/// header chunk for the next queue made of it. Every step is one of the above and may be cut short by a kill; the whole may be repeated.
pub(crate) fn end(w: Words<'_>) -> Result<()> {
    let mut getter = Getter::enter_any(w)?;
    {
        let _producers = put::lock(w)?;
        w.birth().store(0, Ordering::Release);
        w.closed().store(1, Ordering::Release);
    }
    getter.load_ring()?; // the first ring may have come since the look above, with a message in it; from here on none comes
    lease::end(w)?;
    for number in 0..w.lane_count() {
        getter.enter_lane(number)?;
        getter.end_lane()?;
    }
    Ok(())
}

impl Getter<'_> {
    fn end_lane(&mut self) -> Result<()> {
        while let Some(Front::Record(ring, record, next)) = self.front_of_lane()? {
            if let Record::Chunk { offset, len, .. } = record {
                let chunk = self.held_chunk(offset, len)?;
                self.claim(chunk, ring.head_offset(), self.head.0);
                self.advance(ring, next)?;
                self.discard(chunk);
            } else {
                self.advance(ring, next)?;
            }
        }
        if let Some(ring) = self.ring {
            let _producers = put::lock(self.w)?;
            self.lane.tail_ring().store(0, Ordering::Release);
            retire(self.w, self.lane, ring, 0, self.me)?;
        }
        Ok(())
    }
}

/// Undoes or finishes what a dead getter had begun. May be repeated.
fn repair(w: Words<'_>, me: Owner) -> Result<()> {
    drop(put::lock(w)?);
    let held = Cell::held(w.id.offset);
    let taking = w.taking().load(Ordering::Acquire);
    if taking != 0 {
        let chunk = w.shm.chunk(taking)?;
        let claimed = Cell(w.taking_cell().load(Ordering::Relaxed));
        let word = w.shm.segment.span(w.taking_word().load(Ordering::Relaxed), 8)?;
        if word.u64(0)?.load(Ordering::Acquire) == w.taking_before().load(Ordering::Relaxed) {
            chunk.change(claimed, held);
            w.taking().store(0, Ordering::Release);
        } else {
            w.shm.give_back(w.taking(), claimed, me)?;
        }
    }
    joined::repair(w)?;
    lease::repair(w, me)?;
    for lane in w.all_lanes() {
        let lane = lane?;
        let offset = lane.head_ring().load(Ordering::Acquire);
        if offset != 0 {
            lane.seen_tail().store(Ring::at(w.shm, offset)?.tail()?.load(Ordering::Acquire), Ordering::Release);
        }
    }
    Ok(())
}
