//! The usual case in a straight line: short messages into lane 0 of a queue that has room, and out of a queue where nothing is to be looked at but the ring.
//!
//! The same locks as in `put.rs` and `get.rs`, and the same commits: one store of the tail word for all that is put in one go, one store of the head word for all that is taken. No
//! intent is written, as none is needed for messages that stand in the ring. Killed before the commit: nothing happened; after it: all of it did. Where anything is unusual (no
//! room, no ring, a ring to be left, lanes, chunks, what came back, damage), nothing was changed, and the caller goes the long way, which tells what there is to tell.

use std::sync::atomic::Ordering;

use super::layout::{Mark, Words};
use super::message::Message;
use super::ring::{INLINE, Payload, Record, Ring};
use super::{get, put};
use crate::error::Result;

/// What a look found.
pub(crate) enum Look<T> {
    /// This, and how many more there are behind it as far as this side has seen.
    Got(T, u32),
    /// Nothing, and nothing else to do.
    Nothing,
    /// Something that is for the long way.
    Unusual,
}

/// Puts as many of the first messages as are short and have room; how many. 0: go the long way.
#[inline(always)]
pub(crate) fn put(w: Words<'_>, messages: &[&[u8]], codec: u8) -> Result<usize> {
    let _guard = put::lock(w)?;
    let lane = w.lane(0)?;
    let offset = lane.tail_ring().load(Ordering::Relaxed);
    if !w.is_here() || w.closed().load(Ordering::Relaxed) != 0 || offset == 0 {
        return Ok(0);
    }
    let ring = Ring::at(w.shm, offset)?;
    let (mut tail, head) = (Mark(ring.tail()?.load(Ordering::Relaxed)), Mark(lane.seen_head().load(Ordering::Relaxed)));
    let capacity = w.capacity().load(Ordering::Relaxed);
    let mut room = messages.len();
    if capacity != 0 {
        let waiting = tail.count().wrapping_sub(w.seen_got().load(Ordering::Relaxed) as u32);
        if w.lanes().load(Ordering::Relaxed) > 1 {
            return Ok(0);
        }
        room = room.min(capacity.saturating_sub(u64::from(waiting)) as usize);
    }
    let mut written = 0;
    for message in &messages[..room] {
        if message.len() > INLINE {
            break;
        }
        let Some(next) = ring.write(tail, head, Payload::Inline(message), u32::from(codec))? else { break };
        tail = next;
        written += 1;
    }
    if written != 0 {
        ring.tail()?.store(tail.0, Ordering::Release);
    }
    Ok(written)
}

/// Where lane 0's getters stand: the ring, its head word, and the tail word as far as is to be seen.
struct Front<'a> {
    ring: Ring<'a>,
    head: Mark,
    tail: Mark,
}

impl Front<'_> {
    #[inline(always)]
    fn waiting(&self) -> u32 {
        self.tail.count().wrapping_sub(self.head.count())
    }

    /// Looks how far the putters are.
    #[inline(always)]
    fn look_again(&mut self, w: Words<'_>) -> Result<()> {
        self.tail = Mark(self.ring.tail()?.load(Ordering::Acquire));
        w.lane(0)?.seen_tail().store(self.tail.0, Ordering::Relaxed);
        Ok(())
    }

    /// Copies the next message out, if it stands in the ring; it is not taken yet.
    #[inline(always)]
    fn copy_to(&mut self, message: &mut Message) -> Result<bool> {
        let (record, next) = self.ring.read(self.head)?;
        let Record::Inline { at, len, tags } = record else { return Ok(false) };
        message.copy_from(self.ring.bytes(), at, len, tags)?;
        self.head = next;
        Ok(true)
    }

    #[inline(always)]
    fn commit(&self) -> Result<()> {
        self.ring.head()?.store(self.head.0, Ordering::Release);
        Ok(())
    }
}

/// Under the consumer lock: whether there is a message in the ring, and nothing else to look at.
#[inline(always)]
fn front(w: Words<'_>) -> Result<Look<Front<'_>>> {
    if w.aside().load(Ordering::Relaxed) != 0 || !w.is_here() {
        return Ok(Look::Unusual);
    }
    let lane = w.lane(0)?;
    let offset = lane.head_ring().load(Ordering::Acquire);
    if offset == 0 {
        return Ok(Look::Nothing);
    }
    let ring = Ring::at(w.shm, offset)?;
    let mut front = Front { ring, head: Mark(ring.head()?.load(Ordering::Relaxed)), tail: Mark(lane.seen_tail().load(Ordering::Relaxed)) };
    if front.waiting() == 0 {
        front.look_again(w)?;
        if front.waiting() == 0 {
            let empty = ring.next()?.load(Ordering::Acquire) == 0 && !get::is_roomy(ring);
            return Ok(if empty { Look::Nothing } else { Look::Unusual });
        }
    }
    let waiting = front.waiting();
    Ok(if waiting as usize > ring.size() / 8 { Look::Unusual } else { Look::Got(front, waiting) })
}

/// Takes the next message, if it is a short one, to an empty one.
#[inline(always)]
pub(crate) fn get(w: Words<'_>, message: &mut Message) -> Result<Look<()>> {
    let _guard = get::lock(w)?;
    let mut front = match front(w)? {
        Look::Got(front, _) => front,
        Look::Nothing => return Ok(Look::Nothing),
        Look::Unusual => return Ok(Look::Unusual),
    };
    if !front.copy_to(message)? {
        return Ok(Look::Unusual);
    }
    front.commit()?;
    Ok(Look::Got((), front.waiting()))
}

/// Takes up to `max` messages and all that there are, if they are short; at least one.
#[inline(always)]
pub(crate) fn get_many(w: Words<'_>, max: usize) -> Result<Look<Vec<Message>>> {
    let _guard = get::lock(w)?;
    let mut front = match front(w)? {
        Look::Got(front, _) => front,
        Look::Nothing => return Ok(Look::Nothing),
        Look::Unusual => return Ok(Look::Unusual),
    };
    if (front.waiting() as usize) < max {
        front.look_again(w)?;
    }
    let count = front.waiting() as usize;
    if count > front.ring.size() / 8 || count < max && front.ring.next()?.load(Ordering::Acquire) != 0 {
        return Ok(Look::Unusual);
    }
    let mut all = Vec::with_capacity(count.min(max).min(1024));
    for _ in 0..count.min(max) {
        all.push(Message::empty());
        match all.last_mut().map_or(Ok(false), |message| front.copy_to(message)) {
            Ok(true) => {}
            Ok(false) => return Ok(Look::Unusual),
            Err(error) if all.len() == 1 => return Err(error),
            // What is damaged behind is told to the next getter; these are taken.
            Err(_) => {
                all.pop();
                break;
            }
        }
    }
    front.commit()?;
    Ok(Look::Got(all, front.waiting()))
}
