//! `src/heap` of the model: a few chunks of two sizes, each with its cell, which is the real one.

use crate::atomic::{AtomicU64, Ordering};
use crate::error::{Error, ErrorKind, Result};
use crate::shm::{Owner, Shm, Span};

#[path = "../../src/heap/cell.rs"]
pub(crate) mod cell;

use cell::{Cell, Holder};

/// Chunks begin here, each with a cell of its own eight bytes before it: first those for rings, then those for entries of a ledger or a list of waiters.
pub(crate) const FIRST: u64 = 0x1_0000;
pub(crate) const APART: u64 = 0x1000;
pub(crate) const RINGS: u64 = 4;
pub(crate) const ENTRIES: u64 = 3;
/// Room for two records of 16 bytes behind a ring's header: full and wrapped at once.
pub(crate) const CAPACITY: u64 = 384 + 32;
/// An entry's chunk says that it has so many bytes; of its words the model has those that it was made with.
const ENTRY: u64 = 0xF00;

/// Where a chunk begins.
pub(crate) fn place(number: u64) -> u64 {
    FIRST + number * APART
}

#[derive(Clone, Copy)]
pub(crate) struct Chunk<'a> {
    pub(crate) offset: u64,
    pub(crate) capacity: u64,
    pub(crate) cell: &'a AtomicU64,
}

impl<'a> Chunk<'a> {
    pub(crate) fn holder(&self) -> Holder {
        Cell(self.cell.load(Ordering::Acquire)).holder()
    }
    pub(crate) fn change(&self, from: Cell, to: Cell) -> bool {
        self.cell.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
    pub(crate) fn bytes(&self, shm: &'a Shm) -> Result<Span<'a>> {
        shm.segment.span(self.offset, self.capacity)
    }
}

impl Shm {
    /// A ring is asked for by more bytes than an entry has.
    pub(crate) fn alloc(&self, len: u64) -> Result<Chunk<'_>> {
        let me = Cell::private(self.me()?);
        let numbers = if len > ENTRY { 0..RINGS } else { RINGS..RINGS + ENTRIES };
        let all = numbers.map(|number| self.chunk(place(number)));
        all.flatten().find(|chunk| chunk.change(Cell::FREE, me)).ok_or_else(|| Error::new(ErrorKind::OutOfMemory, "no chunk is free"))
    }
    pub(crate) fn chunk(&self, offset: u64) -> Result<Chunk<'_>> {
        let cell = self.segment.span(offset.wrapping_sub(8), 8)?.u64(0)?;
        Ok(Chunk { offset, capacity: if offset < place(RINGS) { CAPACITY } else { ENTRY }, cell })
    }
    pub(crate) fn free(&self, chunk: Chunk<'_>, from: Cell) -> bool {
        chunk.change(from, Cell::FREE)
    }
    /// As in `src/heap/mod.rs`.
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
}
