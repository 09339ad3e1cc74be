//! A list's directory and blocks, checked as they are read, and written while they are still nobody's. Knows no lock and no commit.

use std::sync::atomic::{AtomicU64, Ordering};

use super::change::Fresh;
use super::layout::{DIRECTORY_HEAD, ENTRY, FIRST_SLOTS, HEAD, MOST_BLOCKS, MOST_SLOTS, Mark, damaged};
use crate::error::{Error, ErrorKind, Result};
use crate::shm::{Shm, Span};

/// Directories and blocks come in few sizes (powers of two), so that the room that one leaves serves the next, even where memory is full. Directories larger than this are of whole units.
const LEAST_EXTENT: usize = 32 << 10;

/// A directory, with its mark as it was when looked at.
#[derive(Clone, Copy)]
pub(super) struct Directory<'a> {
    shm: &'a Shm,
    pub(super) offset: u64,
    bytes: Span<'a>,
    /// Entries that there is room for.
    pub(super) room: usize,
    pub(super) mark: Mark,
}

/// A block as a directory names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) block: u64,
    /// Index of its first item.
    pub(super) start: usize,
}

/// A block with the items that it has.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) offset: u64,
    slots: Span<'a>,
    /// Slots that there are.
    pub(super) room: usize,
    /// Index of its first item.
    pub(super) start: usize,
    /// Items that it has.
    pub(super) len: usize,
}

impl<'a> Directory<'a> {
    #[inline(always)]
    pub(super) fn at(shm: &'a Shm, offset: u64) -> Result<Directory<'a>> {
        let head = shm.segment.span(offset, DIRECTORY_HEAD as u64)?;
        let room = head.u64(8)?.load(Ordering::Relaxed);
        let mark = Mark(head.u64(16)?.load(Ordering::Relaxed));
        if room > MOST_BLOCKS as u64 || mark.blocks() == 0 || mark.blocks() as u64 > room || mark.items() > mark.blocks() * MOST_SLOTS {
            return Err(damaged(format_args!("its directory says {} items in {} of {room} blocks", mark.items(), mark.blocks())));
        }
        let bytes = shm.segment.span(offset, DIRECTORY_HEAD as u64 + room * ENTRY as u64)?;
        Ok(Directory { shm, offset, bytes, room: room as usize, mark })
    }

    /// The word that holds the mark, and where it stands.
    #[inline(always)]
    pub(super) fn mark_word(self) -> Result<(u64, &'a AtomicU64)> {
        Ok((self.offset + 16, self.bytes.u64(16)?))
    }

    #[inline(always)]
    pub(super) fn entry(self, index: usize) -> Result<Entry> {
        let at = DIRECTORY_HEAD + index * ENTRY;
        Ok(Entry { block: self.bytes.u64(at)?.load(Ordering::Relaxed), start: self.start(index)? })
    }

    /// Writes an entry that the mark does not count yet.
    pub(super) fn write(self, index: usize, entry: Entry) -> Result<()> {
        write_entry(self.bytes, index, entry)
    }

    /// Index of a block's first item; of the block after the last: how many items there are.
    #[inline(always)]
    fn start(self, index: usize) -> Result<usize> {
        if index == self.mark.blocks() {
            return Ok(self.mark.items());
        }
        Ok(self.bytes.u64(DIRECTORY_HEAD + index * ENTRY + 8)?.load(Ordering::Relaxed) as usize)
    }

    /// Block `index`, which exists.
    #[inline(always)]
    pub(super) fn run(self, index: usize) -> Result<Run<'a>> {
        let Entry { block, start } = self.entry(index)?;
        let end = self.start(index + 1)?;
        let room = self.shm.segment.span(block, HEAD as u64)?.u64(8)?.load(Ordering::Relaxed) as usize;
        if room == 0 || room > MOST_SLOTS || start > end || end > self.mark.items() || end - start > room {
            return Err(damaged(format_args!("its block {index} has items {start} to {end} in {room} slots")));
        }
        Ok(Run { offset: block, slots: self.shm.segment.span(block + HEAD as u64, room as u64 * 8)?, room, start, len: end - start })
    }

    /// The block that has the item `index`, which exists: which block it is.
    #[inline(always)]
    pub(super) fn find(self, index: usize) -> Result<usize> {
        let blocks = self.mark.blocks();
        // Blocks are mostly of about one length.
        let guess = index * blocks / self.mark.items().max(1);
        if guess < blocks && self.start(guess)? <= index && index < self.start(guess + 1)? {
            return Ok(guess);
        }
        let (mut low, mut high) = (0, blocks);
        while high - low > 1 {
            let middle = low.midpoint(high);
            if self.start(middle)? <= index { low = middle } else { high = middle }
        }
        Ok(low)
    }
}

impl<'a> Run<'a> {
    /// Slot `index` of the block.
    #[inline(always)]
    pub(super) fn slot(self, index: usize) -> Result<&'a AtomicU64> {
        self.slots.u64(index * 8)
    }

    /// Where that slot stands in the segment.
    pub(super) fn slot_offset(self, index: usize) -> u64 {
        self.offset + (HEAD + index * 8) as u64
    }

    /// Appends the block's slots from `from` to `to` to a vector.
    pub(super) fn copy(self, from: usize, to: usize, into: &mut Vec<u64>) -> Result<()> {
        into.reserve(to.saturating_sub(from));
        for index in from..to {
            into.push(self.slot(index)?.load(Ordering::Relaxed));
        }
        Ok(())
    }
}

fn write_entry(directory: Span<'_>, index: usize, entry: Entry) -> Result<()> {
    let at = DIRECTORY_HEAD + index * ENTRY;
    directory.u64(at)?.store(entry.block, Ordering::Relaxed);
    directory.u64(at + 8)?.store(entry.start as u64, Ordering::Relaxed);
    Ok(())
}

/// Makes a directory of these blocks, with room for at least `room` in all; its offset.
pub(super) fn new_directory(shm: &Shm, fresh: &mut Fresh<'_>, entries: &[Entry], items: usize, room: usize) -> Result<u64> {
    if entries.len() > MOST_BLOCKS {
        return Err(Error::new(ErrorKind::TooLarge, format!("a list of {items} items is more than a list can hold")));
    }
    let len = DIRECTORY_HEAD + room.clamp(entries.len(), MOST_BLOCKS) * ENTRY;
    let chunk = fresh.chunk(if len > LEAST_EXTENT { len } else { len.next_power_of_two().max(HEAD + FIRST_SLOTS * 8) })?;
    let bytes = chunk.bytes(shm)?;
    let room = ((bytes.len() - DIRECTORY_HEAD) / ENTRY).min(MOST_BLOCKS);
    bytes.u64(8)?.store(room as u64, Ordering::Relaxed);
    bytes.u64(16)?.store(Mark::new(entries.len(), items).0, Ordering::Relaxed);
    for (index, entry) in entries.iter().enumerate() {
        write_entry(bytes, index, *entry)?;
    }
    Ok(chunk.offset)
}

/// Makes a block with these slots, and room for at least `room` in all; its offset.
fn new_block(shm: &Shm, fresh: &mut Fresh<'_>, slots: &[u64], room: usize) -> Result<u64> {
    let chunk = fresh.chunk((HEAD + room.clamp(FIRST_SLOTS.max(slots.len()), MOST_SLOTS) * 8).next_power_of_two())?;
    let bytes = chunk.bytes(shm)?;
    let room = ((bytes.len() - HEAD) / 8).min(MOST_SLOTS);
    bytes.u64(8)?.store(room as u64, Ordering::Relaxed);
    for (index, slot) in slots.iter().enumerate() {
        bytes.u64(HEAD + index * 8)?.store(*slot, Ordering::Relaxed);
    }
    Ok(chunk.offset)
}

/// Makes blocks that go on behind a block with room for `last` slots; the items begin at `start`. All are full but the last, which has room to grow.
pub(super) fn blocks_behind(shm: &Shm, fresh: &mut Fresh<'_>, slots: &[u64], mut start: usize, last: usize) -> Result<Vec<Entry>> {
    let room = (last * 2 + 2).clamp(FIRST_SLOTS, MOST_SLOTS);
    let mut entries = Vec::with_capacity(slots.len().div_ceil(MOST_SLOTS));
    for part in slots.chunks(MOST_SLOTS) {
        entries.push(Entry { block: new_block(shm, fresh, part, room)?, start });
        start += part.len();
    }
    Ok(entries)
}

/// Makes as few blocks as may be, all of about one length; the items begin at `start`.
pub(super) fn even_blocks(shm: &Shm, fresh: &mut Fresh<'_>, slots: &[u64], start: usize) -> Result<Vec<Entry>> {
    let count = slots.len().div_ceil(MOST_SLOTS);
    let mut entries = Vec::with_capacity(count);
    for index in 0..count {
        let (from, to) = (slots.len() * index / count, slots.len() * (index + 1) / count);
        entries.push(Entry { block: new_block(shm, fresh, &slots[from..to], to - from)?, start: start + from });
    }
    Ok(entries)
}
