//! `src/heap` of the model: four chunks of one size, each with its cell, which is the real one.

use crate::atomic::{AtomicU64, Ordering};
use crate::error::{Error, ErrorKind, Result};
use crate::shm::{Owner, Shm, Span};

#[path = "../../src/heap/cell.rs"]
pub(crate) mod cell;

use cell::{Cell, Holder};

/// Chunks begin here, each with a cell of its own eight bytes before it.
pub(crate) const FIRST: u64 = 0x1_0000;
pub(crate) const APART: u64 = 0x1000;
pub(crate) const CHUNKS: u64 = 4;
/// Room for two records of 16 bytes behind a ring's header: full and wrapped at once.
pub(crate) const CAPACITY: u64 = 384 + 32;

#[derive(Clone, Copy)]
pub(crate) struct Chunk<'a> {
    pub(crate) offset: u64,
    pub(crate) capacity: u64,
    pub(crate) cell: &'a AtomicU64,
}

impl Chunk<'_> {
    pub(crate) fn holder(&self) -> Holder {
        Cell(self.cell.load(Ordering::Acquire)).holder()
    }
    pub(crate) fn change(&self, from: Cell, to: Cell) -> bool {
        self.cell.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl Shm {
    pub(crate) fn alloc(&self, _len: u64) -> Result<Chunk<'_>> {
        let me = Cell::private(self.me()?);
        let all = (0..CHUNKS).map(|number| self.chunk(FIRST + number * APART));
        all.flatten().find(|chunk| chunk.change(Cell::FREE, me)).ok_or_else(|| Error::new(ErrorKind::OutOfMemory, "no chunk is free"))
    }
    pub(crate) fn chunk(&self, offset: u64) -> Result<Chunk<'_>> {
        let cell = self.segment.span(offset.wrapping_sub(8), 8)?.u64(0)?;
        Ok(Chunk { offset, capacity: CAPACITY, cell })
    }
    pub(crate) fn free(&self, chunk: Chunk<'_>, from: Cell) -> bool {
        chunk.change(from, Cell::FREE)
    }
}
