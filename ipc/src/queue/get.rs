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

use super::layout::{Mark, Words};
use super::message::Message;
use super::ring::{Record, Ring};
use super::{lease, put};
use crate::error::{Error, Result};
use crate::fabric::Fabric;
use crate::fabric::handle::gone;
use crate::heap::Chunk;
use crate::heap::cell::{Cell, Holder};
use crate::objects::Kind;
use crate::shm::Owner;
use crate::sync::guard::Guard;

/// The consumer lock, held, the structure whole.
#[inline(always)]
pub(crate) fn lock(w: Words<'_>) -> Result<Guard<'_>> {
    Guard::enter(w.shm, w.consumer_lock(), |me| repair(w, me))
}

/// Whether a getter would find something (or the end): a look without any lock, for spinning and sleeping.
#[inline(always)]
pub(crate) fn looks_ready(w: Words<'_>) -> bool {
    let offset = w.head_ring().load(Ordering::Acquire);
    if w.returned().load(Ordering::Relaxed) != 0 || w.closed().load(Ordering::Acquire) != 0 || w.birth().load(Ordering::Relaxed) != w.id.birth {
        return true;
    }
    if offset == 0 {
        return false;
    }
    let look = || -> Result<bool> {
        let ring = Ring::at(w.shm, offset)?;
        let (tail, head) = (Mark(ring.tail()?.load(Ordering::Acquire)), Mark(ring.head()?.load(Ordering::Relaxed)));
        Ok(tail.count() != head.count() || ring.next()?.load(Ordering::Relaxed) != 0)
    };
    look().unwrap_or(true) // a ring that was freed under our eyes: go and look under the lock
}

/// The consumer side, entered.
pub(crate) struct Getter<'a> {
    pub(crate) w: Words<'a>,
    pub(crate) me: Owner,
    ring: Option<Ring<'a>>,
    head: Mark,
    _guard: Guard<'a>,
}

/// What stands at the front.
pub(crate) enum Front<'a> {
    /// A lease that came back: the entry's offset.
    Returned(lease::Entry<'a>),
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
        let mut getter = Getter { w, me: guard.me, ring: None, head: Mark(0), _guard: guard };
        getter.load_ring()?;
        Ok(getter)
    }

    #[inline(always)]
    fn load_ring(&mut self) -> Result<()> {
        let offset = self.w.head_ring().load(Ordering::Acquire);
        if offset != 0 {
            let ring = Ring::at(self.w.shm, offset)?;
            self.head = Mark(ring.head()?.load(Ordering::Relaxed));
            self.ring = Some(ring);
        }
        Ok(())
    }

    /// What a get would take now, without taking it.
    #[inline(always)]
    pub(crate) fn front(&mut self) -> Result<Option<Front<'a>>> {
        if self.w.returned().load(Ordering::Relaxed) != 0
            && let Some(entry) = lease::first_returned(self.w, self.head.count())?
        {
            return Ok(Some(Front::Returned(entry)));
        }
        loop {
            let Some(ring) = self.ring else { return Ok(None) };
            let mut tail = Mark(self.w.seen_tail().load(Ordering::Relaxed));
            if tail.count() == self.head.count() {
                tail = Mark(ring.tail()?.load(Ordering::Acquire));
                self.w.seen_tail().store(tail.0, Ordering::Relaxed);
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
        match self.front()? {
            None => Ok(None),
            Some(Front::Record(ring, Record::Inline { at, len, codec }, next)) => {
                let message = Message::copy(ring.bytes(), at, len, codec)?;
                self.advance(ring, next)?;
                Ok(Some(message))
            }
            Some(Front::Record(ring, Record::Chunk { offset, len, codec }, next)) => {
                let chunk = self.held_chunk(offset, len)?;
                let (word, before) = (ring.head_offset(), self.head.0);
                self.claim(chunk, word, before);
                self.advance(ring, next)?;
                self.own(chunk);
                Ok(Some(Message::view(fabric, offset, len, self.me, codec)))
            }
            Some(Front::Returned(entry)) => lease::take_returned(self, entry, fabric).map(Some),
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

    /// Whether more stands behind what was just taken, as far as this side has seen.
    pub(crate) fn more(&self) -> u32 {
        Mark(self.w.seen_tail().load(Ordering::Relaxed)).count().wrapping_sub(self.head.count())
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
        if w.tail_ring().load(Ordering::Relaxed) == ring.offset {
            return Err(Error::corrupt("a queue's last ring leads to another"));
        }
        if Mark(ring.tail()?.load(Ordering::Acquire)).count() != self.head.count() {
            self.w.seen_tail().store(self.head.0, Ordering::Relaxed);
            return Ok(true); // something was put between the look and the link: stay, and look again
        }
        let new = Ring::at(w.shm, next)?;
        retire(w, ring, next, self.me)?;
        w.seen_tail().store(new.tail()?.load(Ordering::Acquire), Ordering::Relaxed);
        self.load_ring()?;
        Ok(true)
    }
}

/// Frees a ring that nobody will use again; both locks are held. `next`: the new head ring, or 0 when the queue ends.
pub(crate) fn retire(w: Words<'_>, ring: Ring<'_>, next: u64, me: Owner) -> Result<()> {
    let chunk = w.shm.chunk(ring.offset)?;
    if chunk.holder() != Holder::Held(w.id.offset) {
        return Err(Error::corrupt(format_args!("a queue's ring stands in a chunk that the queue does not hold ({:?})", chunk.holder())));
    }
    w.retiring().store(ring.offset, Ordering::Release);
    w.head_ring().store(next, Ordering::Release);
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
    while let Some(front) = getter.front()? {
        let Front::Record(ring, record, next) = front else { return Err(Error::corrupt("a lease came back to a queue that has ended")) };
        if let Record::Chunk { offset, len, .. } = record {
            let chunk = getter.held_chunk(offset, len)?;
            getter.claim(chunk, ring.head_offset(), getter.head.0);
            getter.advance(ring, next)?;
            getter.discard(chunk);
        } else {
            getter.advance(ring, next)?;
        }
    }
    if let Some(ring) = getter.ring {
        let _producers = put::lock(w)?;
        w.tail_ring().store(0, Ordering::Release);
        retire(w, ring, 0, getter.me)?;
    }
    Ok(())
}

/// Undoes or finishes what a dead getter had begun. May be repeated.
fn repair(w: Words<'_>, me: Owner) -> Result<()> {
    drop(put::lock(w)?);
    let held = Cell::held(w.id.offset);
    let ring = match w.head_ring().load(Ordering::Acquire) {
        0 => None,
        offset => Some(Ring::at(w.shm, offset)?),
    };
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
    lease::repair(w, ring, me)?;
    if let Some(ring) = ring {
        w.seen_tail().store(ring.tail()?.load(Ordering::Acquire), Ordering::Release);
    }
    Ok(())
}
