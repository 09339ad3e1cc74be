//! Where a dict's words stand, and the words themselves. `shard.rs` says who may change them when; sets and namespaces are the same object under other kinds.
//!
//! Offsets in the object (after the common header of 192 bytes):
//!
//! | offset | word | guarded by |
//! | --- | --- | --- |
//! | 192 | number of shards in use: 1, 2, 4, 8 or 16 | set at creation |
//! | 200 | epoch: how often the dict was cleared; a shard of another epoch is empty, whatever it holds | all shard locks |
//! | 256 | sequence: numbers keys in the order of their insertion | fetch-and-add under any shard's lock |
//! | 320 | changes: wait word (u32) of those who wait for a change | |
//! | 384 + 128 i | shard i, 0 to 15 | its lock |
//!
//! Shard, on two cache lines of its own:
//!
//! | offset | word | |
//! | --- | --- | --- |
//! | 0 | lock word | |
//! | 8 | epoch that its contents belong to | |
//! | 16 | arena: offset of the chunk with its slots and index; 0: none yet | its change is a commit |
//! | 24 | live: how many entries; derived | read by all |
//! | 32 | version: number of the last change | goes up *before* the change; read by all |
//! | 40, 48 | intent: new chunk, old chunk | |
//! | 56 | intent: which word leads to them: slot + 1, or all ones for the arena word; 0: no intent | |
//!
//! Sequence, epochs and versions never go back, not even when the chunk is another object's next.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::fabric::handle::Handle;
use crate::objects::{HEADER, Header, Kind, ObjectId};
use crate::shm::{Fixed, Shm};
use crate::sync::wait;

/// Shards that an object has room for.
pub(crate) const SHARDS: usize = 16;
const FIRST: usize = 384;
const STEP: usize = 128;
/// Bytes of a dict object.
pub(crate) const SIZE: usize = FIRST + SHARDS * STEP;
/// [`Shard::place`]: the intent is about the arena word.
pub(crate) const ARENA: u64 = u64::MAX;

/// A dict's words.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    pub(crate) shm: &'a Shm,
    at: Fixed<'a, SIZE>,
    pub(crate) id: ObjectId,
    pub(crate) kind: Kind,
}

impl<'a> Words<'a> {
    #[inline(always)]
    pub(crate) fn of_handle(handle: &'a Handle, kind: Kind) -> Words<'a> {
        Words { shm: handle.shm(), at: handle.fixed(), id: handle.id, kind }
    }

    pub(crate) fn of_header(shm: &'a Shm, object: Header<'_>) -> Result<Words<'a>> {
        let id = ObjectId { offset: object.offset, birth: object.birth().load(Ordering::Acquire) };
        Ok(Words { shm, at: shm.segment.fixed(object.offset)?, id, kind: Kind::Dict })
    }

    #[inline(always)]
    pub(crate) fn birth(self) -> &'a AtomicU64 {
        self.at.u64(24)
    }

    #[inline(always)]
    pub(crate) fn epoch(self) -> &'a AtomicU64 {
        self.at.u64(HEADER + 8)
    }

    #[inline(always)]
    pub(crate) fn sequence(self) -> &'a AtomicU64 {
        self.at.u64(256)
    }

    /// How many shards are in use.
    #[inline(always)]
    pub(crate) fn shards(self) -> Result<usize> {
        let count = self.at.u64(HEADER).load(Ordering::Relaxed) as usize;
        if count.is_power_of_two() && count <= SHARDS {
            Ok(count)
        } else {
            Err(Error::corrupt(format_args!("a {} says it has {count} shards", self.kind.word())))
        }
    }

    /// The shard's words; `index` below [`SHARDS`].
    #[inline(always)]
    pub(crate) fn shard(self, index: usize) -> Shard<'a> {
        Shard { at: self.at, base: FIRST + index % SHARDS * STEP }
    }

    /// All shards, used or not.
    pub(crate) fn all_shards(self) -> impl Iterator<Item = Shard<'a>> {
        (0..SHARDS).map(move |index| self.shard(index))
    }

    /// What those sleep on who wait for a change.
    #[inline(always)]
    pub(crate) fn changes(self) -> &'a AtomicU32 {
        self.at.u32(320)
    }

    /// Wakes them; after the change, with the shard's lock given back since.
    #[inline(always)]
    pub(crate) fn tell(self) {
        wait::wake(self.changes(), u32::MAX);
    }

    /// A number that is another one after every change: all counters only go up, so their sums are equal only if all are. Whoever reads entries after it sees every change that it counts.
    pub(crate) fn version(self) -> u64 {
        self.all_shards().fold(self.epoch().load(Ordering::Acquire), |sum, shard| sum.wrapping_add(shard.version().load(Ordering::Acquire)))
    }

    /// Whether the object is still the one meant.
    #[inline(always)]
    pub(crate) fn is_here(self) -> bool {
        self.birth().load(Ordering::Acquire) == self.id.birth
    }
}

/// One shard's words.
#[derive(Clone, Copy)]
pub(crate) struct Shard<'a> {
    at: Fixed<'a, SIZE>,
    base: usize,
}

macro_rules! words {
    ($($name:ident = $at:expr;)*) => {
        impl<'a> Shard<'a> {
            $(#[inline(always)] pub(crate) fn $name(self) -> &'a AtomicU64 { self.at.u64(self.base + $at) })*
        }
    };
}

words! {
    lock = 0;
    epoch = 8;
    arena = 16;
    live = 24;
    version = 32;
    new_chunk = 40;
    old_chunk = 48;
    place = 56;
}
