//! A shard's arena: one chunk with the slots in the order of insertion, and an index from hashes to slots. Arithmetic and bounds; `shard.rs` says when what is written.
//!
//! | offset | what |
//! | --- | --- |
//! | 0 | the object, so that a stray offset is found out |
//! | 8 | cells of the index: a power of two, 8 at least |
//! | 16 | used: slots in use, dead ones included |
//! | 24 | filled: index cells that are not 0, at least |
//! | 64 | slots, 5 for every 8 cells: `sequence`, `entry` (offset of its chunk; 0: dead) |
//! | 64 + 16 slots | index cells: tag (low 32 bits of the hash) `<< 32 \| slot + 1`; low half 0: empty, all ones: was deleted |
//!
//! **The slots are the truth, the index follows from them.** Slots below `used` are sorted by sequence, dead ones too. A key is looked for from cell `tag % cells` on, up to the first empty one;
//! `filled` counts a cell before it is filled, so that at least three of eight cells are empty and every search ends.

use std::sync::atomic::{AtomicU64, Ordering};

use super::layout::Words;
use crate::error::{Error, Result};
use crate::shm::Span;

const HEADER: usize = 64;
const SLOT: usize = 16;
const LEAST: usize = 8;
const MOST: usize = 1 << 31;
const DELETED: u64 = 0xFFFF_FFFF;

/// An arena, checked.
#[derive(Clone, Copy)]
pub(crate) struct Arena<'a> {
    pub(crate) offset: u64,
    bytes: Span<'a>,
    cells: usize,
}

#[cold]
fn damaged(what: impl std::fmt::Display) -> Error {
    Error::corrupt(format_args!("a dict's arena: {what}"))
}

/// Slots that go with so many cells.
#[inline(always)]
const fn room(cells: usize) -> usize {
    cells / 8 * 5
}

/// Cells of the smallest arena that has room for so many slots.
pub(crate) fn cells_for(slots: usize) -> usize {
    (slots.div_ceil(5) * 8).next_power_of_two().max(LEAST)
}

/// Bytes of an arena with so many cells.
pub(crate) fn len_for(cells: usize) -> u64 {
    (HEADER + room(cells) * SLOT + cells * 8) as u64
}

impl<'a> Arena<'a> {
    #[inline(always)]
    pub(crate) fn at(w: Words<'a>, offset: u64) -> Result<Arena<'a>> {
        let header = w.shm.segment.span(offset, HEADER as u64)?;
        let cells = header.u64(8)?.load(Ordering::Relaxed);
        let object = header.u64(0)?.load(Ordering::Relaxed);
        if object != w.id.offset || cells > MOST as u64 || !cells.is_power_of_two() || cells < LEAST as u64 {
            return Err(damaged(format_args!("it says it is of object {object:#x} and has {cells} cells")));
        }
        let arena = Arena { offset, bytes: w.shm.segment.span(offset, len_for(cells as usize))?, cells: cells as usize };
        if arena.used_word()?.load(Ordering::Relaxed) > room(arena.cells) as u64 {
            return Err(damaged("more slots are used than there are"));
        }
        Ok(arena)
    }

    /// Writes an empty arena of so many cells in a chunk that this process holds.
    pub(crate) fn prepare(w: Words<'a>, offset: u64, cells: usize) -> Result<Arena<'a>> {
        const ZEROS: [u8; 4096] = [0; 4096];
        let arena = Arena { offset, bytes: w.shm.segment.span(offset, len_for(cells))?, cells };
        arena.bytes.u64(0)?.store(w.id.offset, Ordering::Relaxed);
        arena.bytes.u64(8)?.store(cells as u64, Ordering::Relaxed);
        arena.used_word()?.store(0, Ordering::Relaxed);
        arena.filled()?.store(0, Ordering::Relaxed);
        let (mut at, end) = (arena.cell_at(0), arena.cell_at(cells));
        while at < end {
            let len = (end - at).min(ZEROS.len());
            arena.bytes.write(at, &ZEROS[..len])?;
            at += len;
        }
        Ok(arena)
    }

    fn used_word(self) -> Result<&'a AtomicU64> {
        self.bytes.u64(16)
    }

    fn filled(self) -> Result<&'a AtomicU64> {
        self.bytes.u64(24)
    }

    fn cell_at(self, cell: usize) -> usize {
        HEADER + room(self.cells) * SLOT + cell * 8
    }

    #[inline(always)]
    fn cell(self, cell: usize) -> Result<&'a AtomicU64> {
        self.bytes.u64(self.cell_at(cell & (self.cells - 1)))
    }

    /// How many slots are in use, dead ones included. Never more than there are.
    #[inline(always)]
    pub(crate) fn used(self) -> Result<usize> {
        Ok((self.used_word()?.load(Ordering::Relaxed) as usize).min(room(self.cells)))
    }

    /// The word of a slot that leads to its entry.
    #[inline(always)]
    pub(crate) fn entry(self, slot: usize) -> Result<&'a AtomicU64> {
        if slot >= room(self.cells) {
            return Err(damaged(format_args!("slot {slot} of {}", room(self.cells))));
        }
        self.bytes.u64(HEADER + slot * SLOT + 8)
    }

    /// The sequence number of a slot.
    #[inline(always)]
    pub(crate) fn sequence(self, slot: usize) -> Result<u64> {
        Ok(self.sequence_word(slot)?.load(Ordering::Relaxed))
    }

    fn sequence_word(self, slot: usize) -> Result<&'a AtomicU64> {
        if slot >= room(self.cells) {
            return Err(damaged(format_args!("slot {slot} of {}", room(self.cells))));
        }
        self.bytes.u64(HEADER + slot * SLOT)
    }

    /// Whether one more slot and one more cell may be filled.
    #[inline(always)]
    pub(crate) fn has_room(self) -> Result<bool> {
        Ok(self.used()? < room(self.cells) && self.filled()?.load(Ordering::Relaxed) < room(self.cells) as u64)
    }

    /// Adds a dead slot at the end; its number. There is room.
    #[inline(always)]
    pub(crate) fn append(self, sequence: u64) -> Result<usize> {
        let slot = self.used()?;
        self.sequence_word(slot)?.store(sequence, Ordering::Relaxed);
        self.entry(slot)?.store(0, Ordering::Release);
        self.used_word()?.store(slot as u64 + 1, Ordering::Release);
        Ok(slot)
    }

    /// Takes dead slots off the end.
    #[inline(always)]
    pub(crate) fn trim(self) -> Result<()> {
        let before = self.used()?;
        let mut used = before;
        while used > 0 && self.entry(used - 1)?.load(Ordering::Relaxed) == 0 {
            used -= 1;
        }
        if used != before {
            self.used_word()?.store(used as u64, Ordering::Release);
        }
        Ok(())
    }

    /// How many slots lead to an entry.
    pub(crate) fn count(self) -> Result<usize> {
        let mut live = 0;
        for slot in 0..self.used()? {
            live += usize::from(self.entry(slot)?.load(Ordering::Relaxed) != 0);
        }
        Ok(live)
    }

    /// The first slot whose sequence is not below `sequence`; `used` if there is none.
    pub(crate) fn first_from(self, sequence: u64) -> Result<usize> {
        let (mut low, mut high) = (0, self.used()?);
        while low < high {
            let middle = low.midpoint(high);
            if self.sequence(middle)? < sequence { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    /// The slot of this tag for which `is` says yes.
    #[inline(always)]
    pub(crate) fn find<T>(self, tag: u32, mut is: impl FnMut(usize) -> Result<Option<T>>) -> Result<Option<T>> {
        let used = self.used()?;
        for step in 0..self.cells {
            let cell = self.cell(tag as usize + step)?.load(Ordering::Relaxed);
            let slot = cell & 0xFFFF_FFFF;
            if slot == 0 {
                return Ok(None);
            }
            if (cell >> 32) as u32 == tag && slot != DELETED {
                if slot > used as u64 {
                    return Err(damaged(format_args!("the index leads to slot {} of {used}", slot - 1)));
                }
                if let Some(found) = is(slot as usize - 1)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// Where the index leads to this slot.
    fn cell_of(self, tag: u32, slot: usize) -> Result<Option<&'a AtomicU64>> {
        for step in 0..self.cells {
            let word = self.cell(tag as usize + step)?;
            match word.load(Ordering::Relaxed) {
                cell if cell == pack(tag, slot) => return Ok(Some(word)),
                cell if cell as u32 == 0 => return Ok(None),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Makes the index lead to a slot.
    #[inline(always)]
    pub(crate) fn index(self, tag: u32, slot: usize) -> Result<()> {
        for step in 0..self.cells {
            let word = self.cell(tag as usize + step)?;
            let low = word.load(Ordering::Relaxed) & 0xFFFF_FFFF;
            if low == 0 || low == DELETED {
                if low == 0 {
                    let filled = self.filled()?;
                    filled.store(filled.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
                }
                word.store(pack(tag, slot), Ordering::Release);
                return Ok(());
            }
        }
        Err(damaged("its index is full"))
    }

    /// Makes the index forget a slot, if it knows it.
    #[inline(always)]
    pub(crate) fn forget(self, tag: u32, slot: usize) -> Result<()> {
        if let Some(cell) = self.cell_of(tag, slot)? {
            cell.store(DELETED, Ordering::Release);
        }
        Ok(())
    }

    /// Makes the index lead to a slot if it does not yet.
    pub(crate) fn ensure(self, tag: u32, slot: usize) -> Result<()> {
        if self.cell_of(tag, slot)?.is_none() { self.index(tag, slot) } else { Ok(()) }
    }

    /// Copies all live slots, in order, into an empty arena that has room for them.
    pub(crate) fn copy_to(self, new: Arena<'_>) -> Result<()> {
        let used = self.used()?;
        // The slots' tags stand in the index only.
        let mut tags: Vec<Option<u32>> = vec![None; used];
        for cell in 0..self.cells {
            let cell = self.cell(cell)?.load(Ordering::Relaxed);
            if let Some(tag) = (cell & 0xFFFF_FFFF).checked_sub(1).and_then(|slot| tags.get_mut(slot as usize)) {
                *tag = Some((cell >> 32) as u32);
            }
        }
        for (slot, tag) in tags.into_iter().enumerate() {
            let entry = self.entry(slot)?.load(Ordering::Relaxed);
            if entry == 0 {
                continue;
            }
            let tag = tag.ok_or_else(|| damaged(format_args!("the index does not lead to slot {slot}")))?;
            let to = new.append(self.sequence(slot)?)?;
            new.entry(to)?.store(entry, Ordering::Relaxed);
            new.index(tag, to)?;
        }
        Ok(())
    }

    /// Whether the index leads to this slot; for the checker.
    pub(crate) fn knows(self, tag: u32, slot: usize) -> Result<bool> {
        Ok(self.cell_of(tag, slot)?.is_some())
    }
}

fn pack(tag: u32, slot: usize) -> u64 {
    u64::from(tag) << 32 | (slot as u64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arenas_have_room_and_empty_cells() {
        for slots in [0, 1, 5, 6, 10, 11, 1000, 100_000] {
            let cells = cells_for(slots);
            assert!(room(cells) >= slots && cells.is_power_of_two());
            assert!(cells == LEAST || room(cells / 2) < slots, "{slots}");
            assert!(cells - room(cells) >= cells * 3 / 8);
        }
        assert_eq!(len_for(8), 64 + 5 * 16 + 64);
    }
}
