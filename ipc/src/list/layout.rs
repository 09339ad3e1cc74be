//! Where a list's words stand: in the object, in its directory, in its blocks and in an item's chunk. `change.rs` says who may change them when.
//!
//! Object, after the common header of 192 bytes; one line holds all that an operation touches:
//!
//! | offset | word | |
//! | --- | --- | --- |
//! | 256 | lock | guards everything below |
//! | 264 | directory | offset of the directory; 0: the list is empty and has none. Its change commits all that is more than a slot or a mark |
//! | 272 | version | grows with every change, before the change is committed |
//! | 280 | pending | offset of the word whose change commits what is going on; 0: nothing is |
//! | 288 | before | that word's value before |
//! | 296 | fresh | first of the chain of chunks that are the list's from the commit on |
//! | 304 | stale | first of the chain of chunks that are nobody's from the commit on |
//! | 320 (u32) | changes | wait word |
//!
//! Every chunk that a list holds begins with `+0` link: the next one of the chain of fresh or stale chunks; without meaning while no chain leads here.
//!
//! **Directory**: `+8` how many entries it has room for, `+16` mark, `+32` entries of 16 bytes: offset of the block, index of its first item. The **mark** is `blocks << 40 | items`, so
//! that one store commits both.
//! **Block**: `+8` how many slots it has, `+16` slots. A block has the items up to where the next one starts. Only the last block may be empty.
//! **Item chunk**, never changed while the list holds it: `+8` `length | codec << 56`, `+16` the bytes.
//!
//! **Slot**: with bit 0 set the item itself: bits 1 to 3 its length (0 to 7), bits 4 to 7 its codec, byte `i` in bits `8 + 8 i` and up, the rest 0. Else the offset of an item chunk.

use std::sync::atomic::{AtomicU32, AtomicU64};

use crate::error::{Error, Result};
use crate::fabric::handle::Handle;
use crate::objects::ObjectId;
use crate::shm::{Fixed, Shm};

/// Bytes of a list object.
pub(super) const SIZE: usize = 384;
/// Where the directory word stands in the object.
pub(super) const DIRECTORY: u64 = 264;

/// Bytes of a directory before its entries, and of each entry.
pub(super) const DIRECTORY_HEAD: usize = 32;
pub(super) const ENTRY: usize = 16;
/// Blocks at most.
pub(super) const MOST_BLOCKS: usize = 1 << 23;
/// Bytes of a block before its slots, and of an item chunk before its bytes.
pub(super) const HEAD: usize = 16;
/// Slots that a block has at most, and the first block of a list that grows.
pub(super) const MOST_SLOTS: usize = 510;
pub(super) const FIRST_SLOTS: usize = 30;

/// A list's words.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) shm: &'a Shm,
    at: Fixed<'a, SIZE>,
    pub(super) id: ObjectId,
}

macro_rules! words {
    ($($name:ident = $at:expr;)*) => {
        impl<'a> Words<'a> {
            $(#[inline(always)] pub(super) fn $name(self) -> &'a AtomicU64 { self.at.u64($at) })*
        }
    };
}

words! {
    birth = 24;
    lock = 256;
    directory = DIRECTORY as usize;
    version = 272;
    pending = 280;
    before = 288;
    fresh = 296;
    stale = 304;
}

impl<'a> Words<'a> {
    pub(super) fn of(shm: &'a Shm, id: ObjectId) -> Result<Words<'a>> {
        Ok(Words { shm, at: shm.segment.fixed(id.offset)?, id })
    }

    #[inline(always)]
    pub(super) fn of_handle(handle: &'a Handle) -> Words<'a> {
        Words { shm: handle.shm(), at: handle.fixed(), id: handle.id }
    }

    /// What those sleep on who wait for a change.
    pub(super) fn changes(self) -> &'a AtomicU32 {
        self.at.u32(320)
    }
}

/// How many blocks and items a directory has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(pub(super) u64);

const ITEMS: u32 = 40;

impl Mark {
    pub(super) fn new(blocks: usize, items: usize) -> Mark {
        Mark((blocks as u64) << ITEMS | items as u64)
    }
    #[inline(always)]
    pub(super) fn blocks(self) -> usize {
        (self.0 >> ITEMS) as usize
    }
    #[inline(always)]
    pub(super) fn items(self) -> usize {
        (self.0 & ((1 << ITEMS) - 1)) as usize
    }
}

#[cold]
pub(super) fn damaged(what: impl std::fmt::Display) -> Error {
    Error::corrupt(format_args!("a list: {what}"))
}
