//! The list under its lock: looking at slots, and the few ways in which it changes. Everything public is made of these.
//!
//! | change | what commits | fresh | stale |
//! | --- | --- | --- | --- |
//! | append in the last block, or in blocks added to the directory | mark | new blocks | |
//! | append where the directory has no room | directory word | new blocks, a directory twice as large | old directory |
//! | another item at an index | slot | | old item |
//! | pop from the end | mark | | item; a last block that was empty already |
//! | anything else: a range of items becomes other items | directory word | directory, the blocks that change | old ones of both, items that go |
//! | everything goes | directory word (to 0) | | everything |
//!
//! Blocks that do not change are shared by the new directory. Nothing is ever moved in place.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::blocks::{Directory, Entry, Run, blocks_behind, even_blocks, new_directory};
use super::change::{self, Commit, Fresh};
use super::item::{self, Slot};
use super::layout::{DIRECTORY, MOST_SLOTS, Mark, Words, damaged};
use crate::error::Result;
use crate::fabric::handle::gone;
use crate::objects::Kind;
use crate::queue::Message;
use crate::sync::guard::Guard;
use crate::sync::wait;

/// A block this short is joined with its neighbour when it changes.
const SHORT: usize = MOST_SLOTS / 4;

/// A list, its lock held.
pub(super) struct Locked<'a> {
    pub(super) w: Words<'a>,
    guard: Guard<'a>,
    directory: Option<Directory<'a>>,
}

impl<'a> Locked<'a> {
    /// The list, if it is still the one meant.
    #[inline(always)]
    pub(super) fn enter(w: Words<'a>) -> Result<Locked<'a>> {
        let guard = change::lock(w)?;
        if w.birth().load(Ordering::Relaxed) != w.id.birth {
            return Err(gone(Kind::List));
        }
        Locked::of(w, guard)
    }

    /// The list, whichever it is.
    #[inline(always)]
    pub(super) fn of(w: Words<'a>, guard: Guard<'a>) -> Result<Locked<'a>> {
        let directory = match w.directory().load(Ordering::Relaxed) {
            0 => None,
            offset => Some(Directory::at(w.shm, offset)?),
        };
        Ok(Locked { w, guard, directory })
    }

    /// Lets go of the lock after a change, and wakes who waits for one.
    #[inline(always)]
    pub(super) fn leave(self) {
        let w = self.w;
        drop(self);
        wait::wake(w.changes(), u32::MAX);
    }

    /// The lock alone.
    pub(super) fn into_guard(self) -> Guard<'a> {
        self.guard
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.directory.map_or(0, |directory| directory.mark.items())
    }

    pub(super) fn version(&self) -> u64 {
        self.w.version().load(Ordering::Relaxed)
    }

    /// The block and the slot of an item that exists.
    #[inline(always)]
    fn place(&self, index: usize) -> Result<(Run<'a>, usize)> {
        let directory = self.directory.ok_or_else(|| damaged("it has an item and no directory"))?;
        let run = directory.run(directory.find(index)?)?;
        let at = index.wrapping_sub(run.start);
        if at >= run.len {
            return Err(damaged(format_args!("its item {index} is not in the block where it ought to be")));
        }
        Ok((run, at))
    }

    /// The slot of an item that exists.
    #[inline(always)]
    pub(super) fn slot(&self, index: usize) -> Result<Slot> {
        let (run, at) = self.place(index)?;
        Ok(Slot(run.slot(at)?.load(Ordering::Relaxed)))
    }

    /// A copy of an item that exists.
    #[inline(always)]
    pub(super) fn read(&self, index: usize) -> Result<Message> {
        item::read(self.w, self.slot(index)?)
    }

    /// The slots of a range that exists.
    pub(super) fn slots(&self, range: Range<usize>) -> Result<Vec<u64>> {
        let mut slots = Vec::new();
        let Some(directory) = self.directory.filter(|_| !range.is_empty()) else { return Ok(slots) };
        let mut at = range.start;
        for index in directory.find(at)?..directory.mark.blocks() {
            let run = directory.run(index)?;
            if run.start > at {
                break;
            }
            let end = (run.start + run.len).min(range.end);
            run.copy(at - run.start, end - run.start, &mut slots)?;
            at = end.max(at);
            if at == range.end {
                return Ok(slots);
            }
        }
        Err(damaged(format_args!("its items {} to {} are not in its blocks", range.start, range.end)))
    }

    /// Every chunk that the list holds besides its own.
    pub(super) fn chunks(&self) -> Result<Vec<u64>> {
        let Some(directory) = self.directory else { return Ok(Vec::new()) };
        let mut slots = Vec::new();
        let mut chunks = vec![directory.offset];
        for index in 0..directory.mark.blocks() {
            let run = directory.run(index)?;
            chunks.push(run.offset);
            slots.clear();
            run.copy(0, run.len, &mut slots)?;
            chunks.extend(items(&slots));
        }
        Ok(chunks)
    }

    /// Adds items at the end.
    #[inline(always)]
    pub(super) fn extend(&self, slots: &[u64], mut fresh: Fresh<'_>) -> Result<()> {
        if let Some(directory) = self.directory {
            let mark = directory.mark;
            let last = directory.run(mark.blocks() - 1)?;
            let (here, rest) = slots.split_at(slots.len().min(last.room - last.len));
            for (index, slot) in (last.len..).zip(here) {
                last.slot(index)?.store(*slot, Ordering::Relaxed);
            }
            if rest.is_empty() {
                return if here.is_empty() { Ok(()) } else { self.set_mark(Mark::new(mark.blocks(), mark.items() + here.len()), fresh, &[]) };
            }
            let behind = blocks_behind(self.w.shm, &mut fresh, rest, mark.items() + here.len(), last.room)?;
            return self.add_blocks(directory, &behind, slots.len(), fresh);
        }
        if slots.is_empty() {
            return Ok(());
        }
        let entries = blocks_behind(self.w.shm, &mut fresh, slots, 0, 0)?;
        let offset = new_directory(self.w.shm, &mut fresh, &entries, slots.len(), entries.len())?;
        self.swing(offset, fresh, &[])
    }

    #[inline(never)]
    fn add_blocks(&self, directory: Directory<'_>, behind: &[Entry], added: usize, mut fresh: Fresh<'_>) -> Result<()> {
        let (blocks, items) = (directory.mark.blocks() + behind.len(), directory.mark.items() + added);
        if blocks <= directory.room {
            for (index, entry) in (directory.mark.blocks()..).zip(behind) {
                directory.write(index, *entry)?;
            }
            return self.set_mark(Mark::new(blocks, items), fresh, &[]);
        }
        let mut entries = entries(directory)?;
        entries.extend_from_slice(behind);
        let offset = new_directory(self.w.shm, &mut fresh, &entries, items, entries.len().max(directory.room * 2))?;
        self.swing(offset, fresh, &[directory.offset])
    }

    /// Another item where one is.
    #[inline(always)]
    pub(super) fn set(&self, index: usize, slot: u64, fresh: Fresh<'_>) -> Result<()> {
        let (run, at) = self.place(index)?;
        let word = run.slot(at)?;
        let stale = Slot(word.load(Ordering::Relaxed)).chunk();
        change::commit(self.w, self.guard.me, Commit { at: run.slot_offset(at), word }, slot, fresh, stale.as_slice())
    }

    /// Takes the last item away; there is one.
    #[inline(always)]
    pub(super) fn pop(&self) -> Result<()> {
        let Some(directory) = self.directory else { return Ok(()) };
        let mark = directory.mark;
        let mut stale = [0; 2];
        let mut count = 0;
        let mut blocks = mark.blocks();
        let mut last = directory.run(blocks - 1)?;
        if last.len == 0 && blocks > 1 {
            stale[0] = last.offset;
            count = 1;
            blocks -= 1;
            last = directory.run(blocks - 1)?;
        }
        if last.len == 0 {
            return Err(damaged("its last block but one is empty"));
        }
        if let Some(chunk) = Slot(last.slot(last.len - 1)?.load(Ordering::Relaxed)).chunk() {
            stale[count] = chunk;
            count += 1;
        }
        self.set_mark(Mark::new(blocks, mark.items() - 1), Fresh::new(self.w.shm)?, &stale[..count])
    }

    /// The items of a range become those in `slots`, among which may be ones that stood there; `removed` are the chunks of items that go.
    pub(super) fn replace(&self, range: Range<usize>, slots: &[u64], removed: Vec<u64>, mut fresh: Fresh<'_>) -> Result<()> {
        let Some(directory) = self.directory else { return self.extend(slots, fresh) };
        let items = self.len() - range.len() + slots.len();
        if range.is_empty() && range.start == self.len() {
            return self.extend(slots, fresh);
        }
        if items == 0 {
            return self.clear();
        }
        let blocks = directory.mark.blocks();
        let mut first = directory.find(range.start)?;
        let mut end = 1 + if range.is_empty() { first } else { directory.find(range.end - 1)? };
        let (front, back) = (directory.run(first)?, directory.run(end - 1)?);
        let misplaced = || damaged(format_args!("its items {} to {} are not in their blocks", range.start, range.end));
        let mut all = Vec::with_capacity(slots.len() + 2 * MOST_SLOTS);
        front.copy(0, range.start.checked_sub(front.start).ok_or_else(misplaced)?, &mut all)?;
        all.extend_from_slice(slots);
        back.copy(range.end.checked_sub(back.start).ok_or_else(misplaced)?, back.len, &mut all)?;
        let mut start = front.start;
        if !all.is_empty() && all.len() < SHORT {
            if end < blocks && directory.run(end)?.len + all.len() <= MOST_SLOTS {
                let next = directory.run(end)?;
                next.copy(0, next.len, &mut all)?;
                end += 1;
            } else if first > 0 && directory.run(first - 1)?.len + all.len() <= MOST_SLOTS {
                first -= 1;
                let previous = directory.run(first)?;
                let mut joined = Vec::with_capacity(MOST_SLOTS);
                previous.copy(0, previous.len, &mut joined)?;
                joined.append(&mut all);
                (all, start) = (joined, previous.start);
            }
        }
        let old = entries(directory)?;
        let mut stale = removed;
        stale.push(directory.offset);
        stale.extend(old[first..end].iter().map(|entry| entry.block));
        let mut entries = Vec::with_capacity(old.len() + all.len() / MOST_SLOTS + 2);
        entries.extend_from_slice(&old[..first]);
        entries.extend(even_blocks(self.w.shm, &mut fresh, &all, start)?);
        let (before, now) = (range.len(), slots.len());
        entries.extend(old[end..].iter().map(|entry| Entry { block: entry.block, start: (entry.start + now).saturating_sub(before) }));
        let offset = new_directory(self.w.shm, &mut fresh, &entries, items, entries.len() + entries.len() / 8 + 2)?;
        self.swing(offset, fresh, &stale)
    }

    /// Takes everything away.
    pub(super) fn clear(&self) -> Result<()> {
        if self.directory.is_none() {
            return Ok(());
        }
        self.swing(0, Fresh::new(self.w.shm)?, &self.chunks()?)
    }

    #[inline(always)]
    fn set_mark(&self, mark: Mark, fresh: Fresh<'_>, stale: &[u64]) -> Result<()> {
        let Some(directory) = self.directory else { return Err(damaged("it has no directory")) };
        let (at, word) = directory.mark_word()?;
        change::commit(self.w, self.guard.me, Commit { at, word }, mark.0, fresh, stale)
    }

    fn swing(&self, to: u64, fresh: Fresh<'_>, stale: &[u64]) -> Result<()> {
        let commit = Commit { at: self.w.id.offset + DIRECTORY, word: self.w.directory() };
        change::commit(self.w, self.guard.me, commit, to, fresh, stale)
    }
}

fn entries(directory: Directory<'_>) -> Result<Vec<Entry>> {
    (0..directory.mark.blocks()).map(|index| directory.entry(index)).collect()
}

/// The chunks among these slots.
pub(super) fn items(slots: &[u64]) -> impl Iterator<Item = u64> {
    slots.iter().filter_map(|slot| Slot(*slot).chunk())
}
