//! Where a queue's words stand, and the words themselves. `ring.rs`, `put.rs`, `get.rs` and `lease.rs` say who may change them when.
//!
//! Offsets in the object (after the common header of 192 bytes), each side on lines of its own:
//!
//! | offset | word | guarded by |
//! | --- | --- | --- |
//! | 192 | capacity in messages; 0: unbounded | set at creation |
//! | 200 | flags: bit 0 leases of the dead wait for `reclaim` | set at creation |
//! | 208 | closed: 1 | producer lock; read by all, so it stands on a line that hardly ever changes |
//! | 256 | producer lock | |
//! | 264 | tail ring: where putters write | producer lock |
//! | 272, 280 | putting: chunk; the ring's tail word before | producer lock |
//! | 288 | growing: ring being linked | producer lock |
//! | 296 | retiring: ring being freed by a getter that holds both locks | producer lock |
//! | 304 | head word as putters last saw it | producer lock |
//! | 312 | how many messages were got, as putters last saw it | producer lock |
//! | 384 | consumer lock | |
//! | 392 | head ring: where getters read | consumer lock (and the producer lock when it is the first ring) |
//! | 400, 408, 416, 424 | taking: chunk; its claimed cell; offset of the word whose change commits; its value before | consumer lock |
//! | 432 | leasing: entry; its commit word is the head ring's head, value before at 440 | consumer lock |
//! | 448 | linking: lease entry being added | consumer lock |
//! | 456 | first lease entry | consumer lock |
//! | 464 | how many entries are RETURNED | consumer lock; read by all |
//! | 472 | tail word as getters last saw it | consumer lock |
//! | 512 | data wait word (u32) | |
//! | 576 | space wait word (u32) | |
//!
//! Both the tail and the head word are `count << 32 | offset / 8`: the number of messages put (or got) so far and the place of the next one in the ring's
//! buffer, so that one store commits a message and its number.

use crate::error::Result;
use crate::fabric::handle::Handle;
use crate::objects::{HEADER, ObjectId};
use crate::shm::{Fixed, Shm};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Bytes of a queue object.
pub(crate) const SIZE: usize = 704;

/// A queue's words.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    pub(crate) shm: &'a Shm,
    pub(crate) at: Fixed<'a, SIZE>,
    pub(crate) id: ObjectId,
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
    producer_lock = 256;
    tail_ring = 264;
    putting = 272;
    putting_tail = 280;
    growing = 288;
    retiring = 296;
    seen_head = 304;
    seen_got = 312;
    consumer_lock = 384;
    head_ring = 392;
    taking = 400;
    taking_cell = 408;
    taking_word = 416;
    taking_before = 424;
    leasing = 432;
    leasing_before = 440;
    linking = 448;
    leases = 456;
    returned = 464;
    seen_tail = 472;
}

/// Flag: leases of dead members stay until `reclaim`, instead of going back to the front by themselves.
pub(crate) const KEEP_DEAD_LEASES: u64 = 1;

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
        self.at.u32(512)
    }

    /// What putters sleep on.
    #[inline(always)]
    pub(crate) fn space(self) -> &'a AtomicU32 {
        self.at.u32(576)
    }

    pub(crate) fn is_closed(self) -> bool {
        self.closed().load(Ordering::Acquire) != 0
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
