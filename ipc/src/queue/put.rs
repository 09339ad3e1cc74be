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

use super::layout::{Mark, Words};
use super::ring::{FIRST_RING, LARGEST_RING, Payload, Ring};
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::handle::gone;
use crate::heap::cell::Cell;
use crate::objects::Kind;
use crate::shm::Owner;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::guard::Guard;

/// The producer lock, held, the structure whole.
#[inline(always)]
pub(crate) fn lock(w: Words<'_>) -> Result<Guard<'_>> {
    Guard::enter(w.shm, w.producer_lock(), |me| repair(w, me))
}

/// Puts what there is room for, in order; how many. 0: the queue is full. All of one codec.
#[inline(always)]
pub(crate) fn put(w: Words<'_>, items: &[Payload<'_>], codec: u8) -> Result<usize> {
    let guard = lock(w)?;
    if w.birth().load(Ordering::Relaxed) != w.id.birth {
        return Err(gone(Kind::Queue));
    }
    if w.closed().load(Ordering::Relaxed) != 0 {
        return Err(Error::new(ErrorKind::Closed, "the queue is closed: nothing more can be put"));
    }
    let (done, result) = Putter::new(w, &guard)?.put_all(items, codec);
    if done == 0 { result.map(|()| 0) } else { Ok(done) }
}

struct Putter<'a> {
    w: Words<'a>,
    guard: &'a Guard<'a>,
    ring: Ring<'a>,
    tail: Mark,
    head: Mark,
}

impl<'a> Putter<'a> {
    #[inline(always)]
    fn new(w: Words<'a>, guard: &'a Guard<'a>) -> Result<Putter<'a>> {
        let ring = match w.tail_ring().load(Ordering::Relaxed) {
            0 => grow(w, guard, None, 0)?,
            offset => Ring::at(w.shm, offset)?,
        };
        let tail = Mark(ring.tail()?.load(Ordering::Relaxed));
        Ok(Putter { w, guard, ring, tail, head: Mark(w.seen_head().load(Ordering::Relaxed)) })
    }

    /// How many were committed, and why it ended.
    #[inline(always)]
    fn put_all(mut self, items: &[Payload<'_>], codec: u8) -> (usize, Result<()>) {
        let mut written = 0;
        let mut result = Ok(());
        for &item in items {
            match self.put_one(item, codec) {
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
    fn put_one(&mut self, item: Payload<'_>, codec: u8) -> Result<bool> {
        let capacity = self.w.capacity().load(Ordering::Relaxed);
        if capacity != 0 && !self.has_room(capacity)? {
            return Ok(false);
        }
        let next = loop {
            if let Some(next) = self.ring.write(self.tail, self.head, item, codec)? {
                break next;
            }
            self.make_room()?;
        };
        if let Payload::Chunk { offset, .. } = item {
            self.commit()?;
            return self.put_chunk(offset, next).map(|()| true);
        }
        self.tail = next;
        Ok(true)
    }

    /// Whether a bounded queue takes one more.
    #[inline(always)]
    fn has_room(&self, capacity: u64) -> Result<bool> {
        // Gets only ever grow, so what was seen before errs on the full side; and it stands on the putters' own line.
        let len = |got: u32| u64::from(self.tail.count().wrapping_sub(got));
        Ok(len(self.w.seen_got().load(Ordering::Relaxed) as u32) < capacity || len(self.look_at_gets()?) < capacity)
    }

    /// How many messages were got. Under the producer lock the head ring stays what it is; getters move on inside it.
    #[cold]
    fn look_at_gets(&self) -> Result<u32> {
        let head = Ring::at(self.w.shm, self.w.head_ring().load(Ordering::Acquire))?;
        let got = Mark(head.head()?.load(Ordering::Acquire)).count();
        self.w.seen_got().store(u64::from(got), Ordering::Relaxed);
        Ok(got)
    }

    fn see(&mut self, head: Mark) {
        self.head = head;
        self.w.seen_head().store(head.0, Ordering::Relaxed);
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
        self.ring = grow(self.w, self.guard, Some(self.ring), self.tail.count())?;
        self.tail = Mark(self.ring.tail()?.load(Ordering::Relaxed));
        let head = Mark(self.ring.head()?.load(Ordering::Relaxed));
        self.see(head);
        Ok(())
    }

    fn put_chunk(&mut self, offset: u64, next: Mark) -> Result<()> {
        let w = self.w;
        let chunk = w.shm.chunk(offset)?;
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

/// Adds a ring behind `old`, or the first one.
#[cold]
#[inline(never)]
fn grow<'a>(w: Words<'a>, guard: &Guard<'_>, old: Option<Ring<'a>>, count: u32) -> Result<Ring<'a>> {
    let size = old.map_or(FIRST_RING, |ring| ((ring.size() + super::ring::RING_HEADER) * 4).clamp(FIRST_RING, LARGEST_RING));
    let chunk = w.shm.alloc(size as u64).or_else(|error| match old {
        Some(_) if size > FIRST_RING => w.shm.alloc(FIRST_RING as u64),
        _ => Err(error),
    })?;
    let prepared = Ring::prepare(w.shm, chunk.offset, (chunk.capacity as usize).min(LARGEST_RING), count);
    if let Err(error) = prepared {
        w.shm.free(chunk, Cell::private(guard.me));
        return Err(error);
    }
    w.growing().store(chunk.offset, Ordering::Release);
    chunk.change(Cell::private(guard.me), Cell::held(w.id.offset));
    if let Some(old) = old {
        old.next()?.store(chunk.offset, Ordering::Release);
    } else {
        w.seen_head().store(Mark::new(count, 0).0, Ordering::Relaxed);
        w.seen_got().store(u64::from(count), Ordering::Relaxed);
        w.seen_tail().store(Mark::new(count, 0).0, Ordering::Relaxed);
        w.head_ring().store(chunk.offset, Ordering::Release);
    }
    w.tail_ring().store(chunk.offset, Ordering::Release);
    w.growing().store(0, Ordering::Release);
    Ring::at(w.shm, chunk.offset)
}

/// Frees the chunk that `word` names if its cell says `from`, and clears the word: see the top of this file.
pub(crate) fn give_back(w: Words<'_>, word: &AtomicU64, from: Cell, me: Owner) -> Result<()> {
    let chunk = w.shm.chunk(word.load(Ordering::Acquire))?;
    let mine = Cell::private(me);
    let ours = chunk.change(from, mine);
    word.store(0, Ordering::Release);
    if ours {
        w.shm.free(chunk, mine);
    }
    Ok(())
}

/// Undoes or finishes what a dead putter (or a getter that held both locks) had begun. May be repeated.
fn repair(w: Words<'_>, me: Owner) -> Result<()> {
    let held = Cell::held(w.id.offset);
    let tail_ring = w.tail_ring().load(Ordering::Acquire);
    let growing = w.growing().load(Ordering::Acquire);
    if growing != 0 {
        let link = if tail_ring == 0 { w.head_ring() } else { Ring::at(w.shm, tail_ring)?.next()? };
        if tail_ring == growing || link.load(Ordering::Acquire) == growing {
            w.tail_ring().store(growing, Ordering::Release);
            w.growing().store(0, Ordering::Release);
        } else {
            give_back(w, w.growing(), held, me)?;
        }
    }
    let tail_ring = w.tail_ring().load(Ordering::Acquire);
    let putting = w.putting().load(Ordering::Acquire);
    if putting != 0 {
        let committed = tail_ring == 0 || Ring::at(w.shm, tail_ring)?.tail()?.load(Ordering::Acquire) != w.putting_tail().load(Ordering::Relaxed);
        if committed {
            w.putting().store(0, Ordering::Release);
        } else {
            give_back(w, w.putting(), held, me)?;
        }
    }
    let retiring = w.retiring().load(Ordering::Acquire);
    if retiring != 0 {
        if w.head_ring().load(Ordering::Acquire) == retiring {
            w.retiring().store(0, Ordering::Release);
        } else {
            give_back(w, w.retiring(), held, me)?;
        }
    }
    if tail_ring != 0 {
        // The copy of the head word may be of another ring: what it says must hold for this one.
        w.seen_head().store(Ring::at(w.shm, tail_ring)?.head()?.load(Ordering::Acquire), Ordering::Release);
    }
    Ok(())
}
