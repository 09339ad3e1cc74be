//! Where a queue's words stand, and the words themselves. The files of the protocols say who may change them when.
//!
//! Offsets in the object (after the common header of 192 bytes), each side on lines of its own:
//!
//! | offset | word | guarded by |
//! | --- | --- | --- |
//! | 192 | capacity in messages; 0: unbounded | set at creation |
//! | 200 | flags: bit 0 leases of the dead wait for `reclaim` | set at creation |
//! | 208 | closed: 1 | producer lock; read by all, so it stands on a line that hardly ever changes |
//! | 216 | lanes, 1 to 8 | set at creation |
//! | 224 | most deliveries; 0: no limit | set at creation |
//! | 232, 240 | dead-letter queue: offset (0: none) and birth | set at creation |
//! | 256 | producer lock | |
//! | 264, 272 | lane 0: tail ring, where putters write; head word as putters last saw it | producer lock |
//! | 280 | how many messages were got, as putters last saw it (of a queue with one lane) | producer lock |
//! | 288, 296 | putting: chunk; the ring's tail word before | producer lock |
//! | 304 | growing: ring being linked | producer lock |
//! | 312 | retiring: ring being freed by a getter that holds both locks | producer lock |
//! | 320 | the lane that putting, growing, retiring and receiving are about | producer lock |
//! | 328, 336, 344 | receiving: lease entry of another queue; that queue; the ring's tail word before | producer lock |
//! | 384 | consumer lock | |
//! | 392, 400 | lane 0: head ring, where getters read; tail word as getters last saw it | consumer lock (the first too when the ring is the first or is left) |
//! | 408 | aside: what a getter must look at besides lane 0 (below) | consumer lock; read by all |
//! | 416, 424, 432, 440 | taking: chunk; its claimed cell; offset of the word whose change commits; its value before | consumer lock |
//! | 448, 456, 464 | leasing: entry; offset of the head word whose change commits; its value before | consumer lock |
//! | 472 | linking: lease entry being added | consumer lock |
//! | 480 | first lease entry | consumer lock |
//! | 488 | due: no lease ends and no message comes back before this time; 0: none will | consumer lock; read by all |
//! | 496 | moving: entry on its way to the dead-letter queue | consumer lock |
//! | 504 | how many entries are BURIED | consumer lock; read by all |
//! | 512, 520, 528, 536 | tallying: entry; its state after; offset of the word whose change commits; its value before | consumer lock |
//! | 544, 552 | losing: entry; `lost` after | consumer lock |
//! | 560 | lost: items whose getter went before `task_done` | consumer lock; read by all |
//! | 576 | data wait word (u32) | |
//! | 640 | space wait word (u32) | |
//! | 704 | done wait word (u32): who joins sleeps on it | |
//! | 768 + 16 k | lane k + 1, k from 0 to 6: as lane 0's at 264 | producer lock |
//! | 896 + 16 k | lane k + 1: as lane 0's at 392 | consumer lock |
//!
//! Both the tail and the head word are `count << 32 | offset / 8`: the number of messages put (or got) so far and the place of the next one in the ring's
//! buffer, so that one store commits a message and its number.
//!
//! **Aside**: bits 0..32 how many entries are RETURNED; bit 60 TIMED (`due` is set); bit 61 JOINABLE; bit 62 LANES (more than one). 0 in an ordinary queue where nothing came back: the
//! way of a getter is then one look at this word and lane 0.

use crate::error::{Error, Result};
use crate::fabric::handle::Handle;
use crate::objects::{HEADER, ObjectId};
use crate::shm::{Fixed, Shm};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Bytes of a queue object.
pub(crate) const SIZE: usize = 1024;
/// Lanes that a queue may have.
pub(crate) const LANES: usize = 8;

/// A queue's words.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    pub(crate) shm: &'a Shm,
    pub(crate) at: Fixed<'a, SIZE>,
    pub(crate) id: ObjectId,
}

/// One lane. Of lane 0, known as such to the compiler, every word is at a constant place.
#[derive(Clone, Copy)]
pub(crate) struct Lane<'a> {
    at: Fixed<'a, SIZE>,
    pub(crate) number: usize,
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $at:expr;)*) => {
        impl<'a> Words<'a> {
            $($(#[$doc])* #[inline(always)] pub(crate) fn $name(self) -> &'a AtomicU64 { self.at.u64($at) })*
        }
    };
}

words! {
    birth = 24;
    capacity = HEADER;
    flags = HEADER + 8;
    closed = HEADER + 16;
    lanes = HEADER + 24;
    most_deliveries = HEADER + 32;
    dead_letters = HEADER + 40;
    dead_letters_birth = HEADER + 48;
    producer_lock = 256;
    seen_got = 280;
    putting = 288;
    putting_tail = 296;
    growing = 304;
    retiring = 312;
    intent_lane = 320;
    receiving = 328;
    receiving_from = 336;
    receiving_tail = 344;
    consumer_lock = 384;
    aside = 408;
    taking = 416;
    taking_cell = 424;
    taking_word = 432;
    taking_before = 440;
    leasing = 448;
    leasing_word = 456;
    leasing_before = 464;
    linking = 472;
    leases = 480;
    due = 488;
    moving = 496;
    buried = 504;
    tallying = 512;
    tallying_after = 520;
    tallying_word = 528;
    tallying_before = 536;
    losing = 544;
    losing_after = 552;
    lost = 560;
}

impl<'a> Lane<'a> {
    /// A word that lane 0 has at `first`, and the others, 16 bytes apart, from `others` on.
    #[inline(always)]
    fn word(self, first: usize, others: usize) -> &'a AtomicU64 {
        if self.number == 0 { self.at.u64(first) } else { self.at.u64(others + 16 * (self.number - 1)) }
    }
    #[inline(always)]
    pub(crate) fn tail_ring(self) -> &'a AtomicU64 {
        self.word(264, 768)
    }
    #[inline(always)]
    pub(crate) fn seen_head(self) -> &'a AtomicU64 {
        self.word(272, 776)
    }
    #[inline(always)]
    pub(crate) fn head_ring(self) -> &'a AtomicU64 {
        self.word(392, 896)
    }
    #[inline(always)]
    pub(crate) fn seen_tail(self) -> &'a AtomicU64 {
        self.word(400, 904)
    }
}

/// Flag: leases of dead members stay until `reclaim`, instead of going back to the front by themselves.
pub(crate) const KEEP_DEAD_LEASES: u64 = 1;

/// Bits of the aside word.
pub(crate) const TIMED: u64 = 1 << 60;
pub(crate) const JOINABLE: u64 = 1 << 61;
pub(crate) const MANY_LANES: u64 = 1 << 62;

impl<'a> Words<'a> {
    #[inline(always)]
    pub(crate) fn of(shm: &'a Shm, id: ObjectId) -> Result<Words<'a>> {
        Ok(Words { shm, at: shm.segment.fixed(id.offset)?, id })
    }

    #[inline(always)]
    pub(crate) fn of_handle(handle: &'a Handle) -> Words<'a> {
        Words { shm: handle.shm(), at: handle.fixed(), id: handle.id }
    }

    /// What getters sleep on.
    #[inline(always)]
    pub(crate) fn data(self) -> &'a AtomicU32 {
        self.at.u32(576)
    }

    /// What putters sleep on.
    #[inline(always)]
    pub(crate) fn space(self) -> &'a AtomicU32 {
        self.at.u32(640)
    }

    /// What sleeps on it waits until all is done.
    pub(crate) fn done(self) -> &'a AtomicU32 {
        self.at.u32(704)
    }

    pub(crate) fn is_closed(self) -> bool {
        self.closed().load(Ordering::Acquire) != 0
    }

    /// Whether the words are still those of the queue that was meant.
    #[inline(always)]
    pub(crate) fn is_here(self) -> bool {
        self.birth().load(Ordering::Acquire) == self.id.birth
    }

    /// How many lanes it has.
    pub(crate) fn lane_count(self) -> usize {
        (self.lanes().load(Ordering::Relaxed) as usize).clamp(1, LANES)
    }

    /// One of its lanes.
    #[inline(always)]
    pub(crate) fn lane(self, number: usize) -> Result<Lane<'a>> {
        if number >= LANES {
            return Err(Error::corrupt(format_args!("a queue has no lane {number}")));
        }
        Ok(Lane { at: self.at, number })
    }

    /// All its lanes.
    pub(crate) fn all_lanes(self) -> impl Iterator<Item = Result<Lane<'a>>> {
        (0..self.lane_count()).map(move |number| self.lane(number))
    }

    /// How many entries are RETURNED.
    #[inline(always)]
    pub(crate) fn returned(self) -> u32 {
        self.aside().load(Ordering::Relaxed) as u32
    }

    /// Under the consumer lock.
    pub(crate) fn set_returned(self, count: u32) {
        let rest = self.aside().load(Ordering::Relaxed) >> 32 << 32;
        self.aside().store(rest | u64::from(count), Ordering::Release);
    }

    pub(crate) fn is_joinable(self) -> bool {
        self.aside().load(Ordering::Relaxed) & JOINABLE != 0
    }
}

/// A tail or head word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(pub(crate) u64);

impl Mark {
    #[inline(always)]
    pub(crate) fn new(count: u32, offset: usize) -> Mark {
        Mark((count as u64) << 32 | (offset as u64 / 8))
    }
    /// Messages so far, modulo 2^32.
    #[inline(always)]
    pub(crate) fn count(self) -> u32 {
        (self.0 >> 32) as u32
    }
    /// Where the next message begins in the buffer.
    #[inline(always)]
    pub(crate) fn offset(self) -> usize {
        (self.0 as u32 as usize) * 8
    }
}
