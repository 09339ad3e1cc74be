//! The fabric's heap: chunks of 64 bytes to the cap, 64-byte aligned, each with a cell that says who holds it.
//!
//! Lock order: class < units; nothing is held across a wait. Knows no object: what an object holds says HELD(object), what a
//! process holds says PRIVATE(process), and giving that back when it dies is one walk over the cells.

pub(crate) mod cell;
pub(crate) mod check;
mod classes;
mod slabs;
mod units;

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, ErrorKind, Result};
use crate::shm::layout::UNIT;
use crate::shm::{Owner, Shm, Span};
use cell::{Cell, Holder};
use classes::{LARGEST, class_of};

/// A chunk that exists: its cell, where and how large it is.
#[derive(Clone, Copy)]
pub(crate) struct Chunk<'a> {
    pub(crate) offset: u64,
    pub(crate) capacity: u64,
    pub(crate) cell: &'a AtomicU64,
    /// None: an extent of units.
    class: Option<usize>,
}

impl<'a> Chunk<'a> {
    pub(crate) fn holder(&self) -> Holder {
        Cell(self.cell.load(Ordering::Acquire)).holder()
    }

    /// Changes who holds the chunk; false if it was not `from`.
    #[inline(always)]
    pub(crate) fn change(&self, from: Cell, to: Cell) -> bool {
        self.cell.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    pub(crate) fn bytes(&self, shm: &'a Shm) -> Result<Span<'a>> {
        shm.segment.span(self.offset, self.capacity)
    }
}

impl Shm {
    /// A chunk of at least `len` bytes that this process holds. Its bytes are whatever was there before.
    ///
    /// At the cap, slabs without a chunk in use are given back before the answer is `OutOfMemory`.
    pub(crate) fn alloc(&self, len: u64) -> Result<Chunk<'_>> {
        if len > self.segment.plan().max_units * UNIT {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("{len} bytes are more than {} can ever hold (its cap is {} bytes)", self.label, self.segment.cap()),
            ));
        }
        match self.try_alloc(len) {
            Err(error) if error.kind() == ErrorKind::OutOfMemory && slabs::give_back_empty(self)? > 0 => self.try_alloc(len),
            other => other,
        }
    }

    #[inline(always)]
    fn try_alloc(&self, len: u64) -> Result<Chunk<'_>> {
        let offset = if len <= LARGEST { slabs::alloc(self, class_of(len))? } else { units::Units::lock(self)?.take(len.div_ceil(UNIT))? };
        self.chunk(offset)
    }

    /// The chunk that begins at `offset`. The offset may come from shared memory: it is checked to be the beginning of a chunk.
    #[inline(always)]
    pub(crate) fn chunk(&self, offset: u64) -> Result<Chunk<'_>> {
        self.find_chunk(offset).ok_or_else(|| Error::corrupt(format_args!("no chunk of {} begins at {offset:#x}", self.label)))
    }

    #[inline(always)]
    fn find_chunk(&self, offset: u64) -> Option<Chunk<'_>> {
        let heap = self.segment.plan().heap;
        let unit = offset.checked_sub(heap)? / UNIT;
        let count = self.segment.units();
        if unit >= count {
            return None;
        }
        let entry = self.segment.map_entry(unit).ok()?;
        let (head, class) = match Cell(units::cell_of(entry).load(Ordering::Acquire)).holder() {
            Holder::Slab(class) => (unit, class),
            Holder::Tail => {
                let head = unit.checked_sub(units::info_of(entry).load(Ordering::Relaxed))?;
                match Cell(units::cell_of(self.segment.map_entry(head).ok()?).load(Ordering::Acquire)).holder() {
                    Holder::Slab(class) if unit - head < classes::TABLE.get(class)?.units => (head, class),
                    _ => return None,
                }
            }
            Holder::Unknown => return None,
            _ => {
                let extent = units::head(self, unit, count).ok()?;
                let begins = offset == units::offset_of(self, unit);
                return begins.then_some(Chunk { offset, capacity: extent.units * UNIT, cell: extent.cell, class: None });
            }
        };
        let slab = slabs::Slab::at(self, head, class).ok()?;
        Some(Chunk { offset, capacity: slab.chunk_size(), cell: slab.find(offset)?, class: Some(class) })
    }

    /// Gives a chunk back; `from` is what its cell must say. False: it said something else, and nothing was done.
    #[inline(always)]
    pub(crate) fn free(&self, chunk: Chunk<'_>, from: Cell) -> bool {
        match chunk.class {
            Some(class) => {
                let done = chunk.change(from, Cell::FREE);
                if done {
                    slabs::freed(self, class, chunk.offset);
                }
                done
            }
            None => units::free(self, units::Extent { unit: (chunk.offset - self.segment.plan().heap) / UNIT, units: 0, cell: chunk.cell }, from),
        }
    }

    /// Frees the chunk that `word` names if its cell says `from`, and clears the word: cell -> PRIVATE(me), word := 0, cell -> FREE. So no word that a repair reads ever names a free
    /// chunk, which might be reshaped or be another's by then. (A sweep frees what is PRIVATE to the dead: it has every object repaired first.)
    pub(crate) fn give_back(&self, word: &AtomicU64, from: Cell, me: Owner) -> Result<()> {
        let chunk = self.chunk(word.load(Ordering::Acquire))?;
        let mine = Cell::private(me);
        let ours = chunk.change(from, mine);
        word.store(0, Ordering::Release);
        if ours {
            self.free(chunk, mine);
        }
        Ok(())
    }

    /// Gives back every chunk that this (dead or leaving) process holds; how many.
    pub(crate) fn free_all_of(&self, owner: Owner) -> Result<u64> {
        let from = Cell::private(owner);
        Ok(slabs::release_all(self, from)? + units::Units::lock(self)?.release_all(from)?)
    }
}
