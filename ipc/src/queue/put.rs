//! The producer side: putting under the producer lock, growing the chain, and the repair after a putter's death.
//!
//! **Inline message**: record written behind the tail; `tail := next` is the commit. Killed before: nothing happened.
//!
//! **Chunk message** (its bytes were written before, in a chunk PRIVATE to us): record written; putting := {chunk, tail}; cell PRIVATE(me) -> HELD(queue); `tail := next`, the
//! commit; putting := none. Killed before the commit: if the cell says HELD, the repair gives the chunk back, else the sweep does. After: nothing to do.
//!
//! **Growing** (no room, or no ring yet): new ring PRIVATE(me); growing := ring; cell -> HELD(queue); linked (`next` of the old, or the head ring for the first);
//! `tail ring := ring`, the commit; growing := none. Killed before it was linked: the repair gives it back. After: the repair finishes it, for a getter may already look at it.
//!
//! **Giving back** a chunk that one of these words names: cell -> PRIVATE(me), the word := none, cell -> FREE. So no such word ever names a free chunk, which might be
//! reshaped or be another's by the time a repair reads it. (A sweep frees what is PRIVATE to the dead: it passes through both locks of every queue first.)

use super::entry::{BYTES, Entry, FREE, Kept};
use super::get::in_rings;
use super::layout::{Lane, Mark, Words};
use super::ring::{FIRST_RING, LARGEST_RING, Payload, Ring};
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::handle::gone;
use crate::heap::cell::Cell;
use crate::objects::{Kind, ObjectId};
use crate::shm::Owner;
use crate::sync::atomic::Ordering;
use crate::sync::guard::Guard;

/// The producer lock, held, the structure whole.
#[inline(always)]
pub(crate) fn lock(w: Words<'_>) -> Result<Guard<'_>> {
    Guard::enter(w.shm, w.producer_lock(), |me| repair(w, me))
}

/// Puts what there is room for into a lane, in order; how many. 0: the queue is full. All of one codec.
#[inline(always)]
pub(crate) fn put(w: Words<'_>, lane: usize, items: &[Payload<'_>], codec: u8) -> Result<usize> {
    let guard = lock(w)?;
    if w.birth().load(Ordering::Relaxed) != w.id.birth {
        return Err(gone(Kind::Queue));
    }
    if w.closed().load(Ordering::Relaxed) != 0 {
        return Err(Error::new(ErrorKind::Closed, "the queue is closed: nothing more can be put"));
    }
    if lane != 0 && lane >= w.lane_count() {
        return Err(Error::new(ErrorKind::InvalidArgument, format!("there is no lane {lane}: the queue has {}", w.lane_count())));
    }
    let (done, result) = Putter::new(w, w.lane(lane)?, &guard)?.put_all(items, u32::from(codec));
    if done == 0 { result.map(|()| 0) } else { Ok(done) }
}

struct Putter<'a> {
    w: Words<'a>,
    lane: Lane<'a>,
    guard: &'a Guard<'a>,
    ring: Ring<'a>,
    tail: Mark,
    head: Mark,
}

impl<'a> Putter<'a> {
    #[inline(always)]
    fn new(w: Words<'a>, lane: Lane<'a>, guard: &'a Guard<'a>) -> Result<Putter<'a>> {
        let ring = match lane.tail_ring().load(Ordering::Relaxed) {
            0 => grow(w, lane, guard, None, 0, FIRST_RING)?,
            offset => Ring::at(w.shm, offset)?,
        };
        let tail = Mark(ring.tail()?.load(Ordering::Relaxed));
        Ok(Putter { w, lane, guard, ring, tail, head: Mark(lane.seen_head().load(Ordering::Relaxed)) })
    }

    /// How many were committed, and why it ended.
    #[inline(always)]
    fn put_all(mut self, items: &[Payload<'_>], tags: u32) -> (usize, Result<()>) {
        let mut written = 0;
        let mut result = Ok(());
        for &item in items {
            match self.put_one(item, tags) {
                Ok(true) => written += 1,
                Ok(false) => break,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        match self.commit() {
            Ok(()) => (written, result),
            Err(error) => (0, Err(error)),
        }
    }

    #[inline(always)]
    fn commit(&self) -> Result<()> {
        self.ring.tail()?.store(self.tail.0, Ordering::Release);
        Ok(())
    }

    #[inline(always)]
    fn put_one(&mut self, item: Payload<'_>, tags: u32) -> Result<bool> {
        let capacity = self.w.capacity().load(Ordering::Relaxed);
        if capacity != 0 && !self.has_room(capacity)? {
            return Ok(false);
        }
        let next = self.write(item, tags)?;
        if let Payload::Chunk { offset, .. } = item {
            self.commit()?;
            return self.put_chunk(offset, next).map(|()| true);
        }
        self.tail = next;
        Ok(true)
    }

    /// Writes a record behind the tail; the tail word that would commit it.
    #[inline(always)]
    fn write(&mut self, item: Payload<'_>, tags: u32) -> Result<Mark> {
        loop {
            if let Some(next) = self.ring.write(self.tail, self.head, item, tags)? {
                return Ok(next);
            }
            self.make_room()?;
        }
    }

    /// Whether a bounded queue takes one more.
    #[inline(always)]
    fn has_room(&self, capacity: u64) -> Result<bool> {
        if self.w.lanes().load(Ordering::Relaxed) > 1 {
            return self.has_room_in_all(capacity);
        }
        // Gets only ever grow, so what was seen before errs on the full side; and it stands on the putters' own line.
        let len = |got: u32| u64::from(self.tail.count().wrapping_sub(got));
        Ok(len(self.w.seen_got().load(Ordering::Relaxed) as u32) < capacity || len(self.look_at_gets()?) < capacity)
    }

    /// The same with many lanes, whose messages count together. Under the producer lock their number can only fall.
    #[inline(never)]
    fn has_room_in_all(&self, capacity: u64) -> Result<bool> {
        let committed = Mark(self.ring.tail()?.load(Ordering::Relaxed)).count();
        let written = self.tail.count().wrapping_sub(committed) as usize;
        Ok((in_rings(self.w)?.saturating_add(written) as u64) < capacity)
    }

    /// How many messages were got. Under the producer lock the head ring stays what it is; getters move on inside it.
    #[cold]
    fn look_at_gets(&self) -> Result<u32> {
        let head = Ring::at(self.w.shm, self.lane.head_ring().load(Ordering::Acquire))?;
        let got = Mark(head.head()?.load(Ordering::Acquire)).count();
        self.w.seen_got().store(u64::from(got), Ordering::Relaxed);
        Ok(got)
    }

    fn see(&mut self, head: Mark) {
        self.head = head;
        self.lane.seen_head().store(head.0, Ordering::Relaxed);
    }

    /// Looks where the getters are; if they have not moved, adds a ring.
    #[cold]
    fn make_room(&mut self) -> Result<()> {
        let now = Mark(self.ring.head()?.load(Ordering::Acquire));
        if now != self.head {
            self.see(now);
            return Ok(());
        }
        self.commit()?;
        let size = ((self.ring.size() + super::ring::RING_HEADER) * 4).clamp(FIRST_RING, LARGEST_RING);
        self.ring = grow(self.w, self.lane, self.guard, Some(self.ring), self.tail.count(), size)?;
        self.tail = Mark(self.ring.tail()?.load(Ordering::Relaxed));
        let head = Mark(self.ring.head()?.load(Ordering::Relaxed));
        self.see(head);
        Ok(())
    }

    fn put_chunk(&mut self, offset: u64, next: Mark) -> Result<()> {
        let w = self.w;
        let chunk = w.shm.chunk(offset)?;
        w.intent_lane().store(self.lane.number as u64, Ordering::Relaxed);
        w.putting_tail().store(self.tail.0, Ordering::Relaxed);
        w.putting().store(offset, Ordering::Release);
        if !chunk.change(Cell::private(self.guard.me), Cell::held(w.id.offset)) {
            w.putting().store(0, Ordering::Release);
            return Err(Error::corrupt(format_args!("the chunk {offset:#x} to be put is not this process's")));
        }
        self.tail = next;
        self.commit()?;
        w.putting().store(0, Ordering::Release);
        Ok(())
    }
}

/// Takes a buried message of another queue in: see `dead.rs`. False: it stays where it is.
pub(crate) fn receive(w: Words<'_>, guard: &Guard<'_>, from: Words<'_>, entry: Entry<'_>) -> Result<bool> {
    if w.closed().load(Ordering::Relaxed) != 0 {
        return Ok(false);
    }
    let lane = entry.lane()?.min(w.lane_count() - 1);
    let (kept, len, tags) = entry.kept()?;
    let (payload, chunk) = match kept {
        Kept::Inline => (Payload::Shared(entry.span, BYTES, len as usize), None),
        Kept::Chunk(offset) => (Payload::Chunk { offset, len }, Some(w.shm.chunk(offset)?)),
    };
    let state = entry.state()?;
    let mut putter = Putter::new(w, w.lane(lane)?, guard)?;
    let next = putter.write(payload, tags)?;
    // What could fail has been done: the record does not outlive this call.
    w.intent_lane().store(lane as u64, Ordering::Relaxed);
    w.receiving_from().store(from.id.offset, Ordering::Relaxed);
    w.receiving_tail().store(putter.tail.0, Ordering::Relaxed);
    w.receiving().store(entry.offset, Ordering::Release);
    if chunk.is_some_and(|chunk| !chunk.change(Cell::held(from.id.offset), Cell::held(w.id.offset))) {
        w.receiving().store(0, Ordering::Release);
        return Ok(false);
    }
    putter.tail = next;
    putter.commit()?;
    state.store(FREE, Ordering::Release);
    w.receiving().store(0, Ordering::Release);
    Ok(true)
}

/// Adds a ring of about `size` bytes behind `old`, or the first one.
#[cold]
#[inline(never)]
pub(crate) fn grow<'a>(w: Words<'a>, lane: Lane<'a>, guard: &Guard<'_>, old: Option<Ring<'a>>, count: u32, size: usize) -> Result<Ring<'a>> {
    let chunk = w.shm.alloc(size as u64).or_else(|error| match old {
        Some(_) if size > FIRST_RING => w.shm.alloc(FIRST_RING as u64),
        _ => Err(error),
    })?;
    let prepared = Ring::prepare(w.shm, chunk.offset, (chunk.capacity as usize).min(LARGEST_RING), count);
    if let Err(error) = prepared {
        w.shm.free(chunk, Cell::private(guard.me));
        return Err(error);
    }
    w.intent_lane().store(lane.number as u64, Ordering::Relaxed);
    w.growing().store(chunk.offset, Ordering::Release);
    chunk.change(Cell::private(guard.me), Cell::held(w.id.offset));
    lane.seen_head().store(Mark::new(count, 0).0, Ordering::Relaxed);
    if let Some(old) = old {
        old.next()?.store(chunk.offset, Ordering::Release);
    } else {
        if lane.number == 0 {
            w.seen_got().store(u64::from(count), Ordering::Relaxed);
        }
        lane.seen_tail().store(Mark::new(count, 0).0, Ordering::Relaxed);
        lane.head_ring().store(chunk.offset, Ordering::Release);
    }
    lane.tail_ring().store(chunk.offset, Ordering::Release);
    w.growing().store(0, Ordering::Release);
    Ring::at(w.shm, chunk.offset)
}

/// Undoes or finishes what a dead putter (or a getter that held both locks) had begun. May be repeated.
pub(crate) fn repair(w: Words<'_>, me: Owner) -> Result<()> {
    let held = Cell::held(w.id.offset);
    let lane = w.lane(w.intent_lane().load(Ordering::Relaxed) as usize)?;
    let tail_ring = lane.tail_ring().load(Ordering::Acquire);
    let growing = w.growing().load(Ordering::Acquire);
    if growing != 0 {
        let link = if tail_ring == 0 { lane.head_ring() } else { Ring::at(w.shm, tail_ring)?.next()? };
        if tail_ring == growing || link.load(Ordering::Acquire) == growing {
            lane.tail_ring().store(growing, Ordering::Release);
            w.growing().store(0, Ordering::Release);
        } else {
            w.shm.give_back(w.growing(), held, me)?;
        }
    }
    let tail_ring = lane.tail_ring().load(Ordering::Acquire);
    let putting = w.putting().load(Ordering::Acquire);
    if putting != 0 {
        let committed = tail_ring == 0 || Ring::at(w.shm, tail_ring)?.tail()?.load(Ordering::Acquire) != w.putting_tail().load(Ordering::Relaxed);
        if committed {
            w.putting().store(0, Ordering::Release);
        } else {
            w.shm.give_back(w.putting(), held, me)?;
        }
    }
    let receiving = w.receiving().load(Ordering::Acquire);
    if receiving != 0 {
        let from = Words::of(w.shm, ObjectId { offset: w.receiving_from().load(Ordering::Relaxed), birth: 0 })?;
        let entry = Entry::at(from, receiving)?;
        if tail_ring == 0 || Ring::at(w.shm, tail_ring)?.tail()?.load(Ordering::Acquire) != w.receiving_tail().load(Ordering::Relaxed) {
            entry.state()?.store(FREE, Ordering::Release);
        } else if let Some(chunk) = entry.chunk()? {
            w.shm.chunk(chunk)?.change(held, Cell::held(from.id.offset));
        }
        w.receiving().store(0, Ordering::Release);
    }
    let retiring = w.retiring().load(Ordering::Acquire);
    if retiring != 0 {
        if lane.head_ring().load(Ordering::Acquire) == retiring {
            w.retiring().store(0, Ordering::Release);
        } else {
            w.shm.give_back(w.retiring(), held, me)?;
        }
    }
    for lane in w.all_lanes() {
        let lane = lane?;
        let tail_ring = lane.tail_ring().load(Ordering::Acquire);
        if tail_ring != 0 {
            // The copy of the head word may be of another ring: what it says must hold for this one.
            lane.seen_head().store(Ring::at(w.shm, tail_ring)?.head()?.load(Ordering::Acquire), Ordering::Release);
        }
    }
    Ok(())
}
