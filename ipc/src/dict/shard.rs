//! One shard under its lock: finding, putting, deleting, growing, and the repair after a death.
//!
//! Every change swings one word (a slot's `entry`, or the shard's `arena`), and that store is the commit. Around it:
//!
//! 1. version + 1; the new chunk is built, PRIVATE to us, or there is none
//! 2. intent: new, old (what the word says now; 0: nothing), then place (which word)
//! 3. new chunk PRIVATE(me) -> HELD; the word := new, **the commit**
//! 4. index and `live` follow
//! 5. old chunk given back (`Shm::give_back`: PRIVATE(me), old := 0, FREE); place := 0
//!
//! | change | word | new | old |
//! | --- | --- | --- | --- |
//! | insert | the entry of a dead slot that was just appended | entry | 0 |
//! | replace | the slot's entry | entry | entry |
//! | delete | the slot's entry | 0 | entry |
//! | grow, compact | arena | arena | arena, or 0 for the first |
//! | purge (of a cleared or destroyed dict) | each entry, then the arena | 0 | what stood there |
//!
//! **Repair**, if place is set: the word still says `old`: not committed; the new chunk is given back if it is HELD (if it is PRIVATE to the dead, the sweep does that). Else: committed; the index is put right for that
//! one slot, the old chunk given back. Then `live` is counted anew and place cleared. Where `give_back` has cleared `new` or `old` already, the same rule finds nothing left to do. Every step may be repeated.
//! A death before step 2 leaves a PRIVATE chunk for the sweep, a version that nothing has, or a dead slot.
//!
//! **Clear** (`table.rs`): under all shard locks, dict epoch + 1 is the one commit. A shard of another epoch is purged by whoever enters it next, before anything else.
//!
//! Lock order: shards by their index, then the heap's.

use std::sync::atomic::{AtomicU64, Ordering};

use super::arena::{Arena, cells_for, len_for};
use super::entry::{Entry, Own};
use super::keys::Key;
use super::layout::{ARENA, Shard, Words};
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::handle::gone;
use crate::heap::cell::Cell;
use crate::packed::Packed;
use crate::shm::Owner;
use crate::sync::guard::Guard;

/// A shard's lock, held, and the shard whole, though it may be of a destroyed dict or of another epoch.
#[inline(always)]
pub(crate) fn lock<'a>(w: Words<'a>, s: Shard<'a>) -> Result<Guard<'a>> {
    Guard::enter(w.shm, s.lock(), |me| repair(w, s, me))
}

/// A shard, entered.
pub(crate) struct Locked<'a> {
    w: Words<'a>,
    s: Shard<'a>,
    guard: Guard<'a>,
    arena: Option<Arena<'a>>,
}

/// An entry and where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) slot: usize,
    pub(crate) entry: Entry<'a>,
}

impl<'a> Locked<'a> {
    #[inline(always)]
    pub(crate) fn enter(w: Words<'a>, s: Shard<'a>) -> Result<Locked<'a>> {
        let guard = lock(w, s)?;
        if w.birth().load(Ordering::Relaxed) != w.id.birth {
            return Err(gone(w.kind));
        }
        if s.epoch().load(Ordering::Relaxed) != w.epoch().load(Ordering::Relaxed) {
            purge(w, s, guard.me)?;
        }
        let arena = match s.arena().load(Ordering::Relaxed) {
            0 => None,
            offset => Some(Arena::at(w, offset)?),
        };
        Ok(Locked { w, s, guard, arena })
    }

    /// The slots, if there are any.
    pub(crate) fn arena(&self) -> Option<Arena<'a>> {
        self.arena
    }

    pub(crate) fn words(&self) -> Words<'a> {
        self.w
    }

    /// Looks a key up.
    #[inline(always)]
    pub(crate) fn find(&self, key: &Key<'_>) -> Result<Option<Found<'a>>> {
        let Some(arena) = self.arena else { return Ok(None) };
        arena.find(key.hash as u32, |slot| {
            let entry = Entry::at(self.w, arena.entry(slot)?.load(Ordering::Relaxed))?;
            Ok(entry.is_of(key)?.then_some(Found { slot, entry }))
        })
    }

    /// The last entry, with its sequence number.
    pub(crate) fn last(&self) -> Result<Option<(u64, usize)>> {
        let Some(arena) = self.arena else { return Ok(None) };
        for slot in (0..arena.used()?).rev() {
            if arena.entry(slot)?.load(Ordering::Relaxed) != 0 {
                return Ok(Some((arena.sequence(slot)?, slot)));
            }
        }
        Ok(None)
    }

    /// What stands in a slot of [`last`](Locked::last).
    pub(crate) fn found(&self, slot: usize) -> Result<Found<'a>> {
        let arena = self.arena.ok_or_else(|| Error::corrupt("a dict's shard lost its arena under its lock"))?;
        Ok(Found { slot, entry: Entry::at(self.w, arena.entry(slot)?.load(Ordering::Relaxed))? })
    }

    /// Puts an entry in place of the one found, or as a new one; its version. If it fails, nothing has changed.
    #[inline(always)]
    pub(crate) fn put(&mut self, key: &Key<'_>, value: Packed<'_>, new: Own<'a>, found: Option<Found<'a>>) -> Result<u64> {
        let w = self.w;
        if let Some(Found { slot, entry }) = found {
            let new = if entry.is_given_as(key)? { new } else { Own::entry(w.shm, key, entry.given()?.as_deref(), value)? };
            let word = self.arena_there()?.entry(slot)?;
            let version = self.stamp(&new)?;
            self.swing(Some(new), entry.offset, slot as u64 + 1, word);
            self.finish()?;
            return Ok(version);
        }
        self.make_room()?;
        let arena = self.arena_there()?;
        let version = self.stamp(&new)?;
        let slot = arena.append(w.sequence().fetch_add(1, Ordering::Relaxed))?;
        let word = arena.entry(slot)?;
        self.swing(Some(new), 0, slot as u64 + 1, word);
        arena.index(key.hash as u32, slot)?;
        self.s.live().store(self.s.live().load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        self.finish()?;
        Ok(version)
    }

    /// Takes an entry out.
    #[inline(always)]
    pub(crate) fn delete(&mut self, found: Found<'a>) -> Result<()> {
        let arena = self.arena_there()?;
        let (word, tag) = (arena.entry(found.slot)?, found.entry.hash()? as u32);
        self.next_version();
        self.swing(None, found.entry.offset, found.slot as u64 + 1, word);
        arena.forget(tag, found.slot)?;
        self.s.live().store(self.s.live().load(Ordering::Relaxed).wrapping_sub(1), Ordering::Release);
        arena.trim()?;
        self.finish()
    }

    fn arena_there(&self) -> Result<Arena<'a>> {
        self.arena.ok_or_else(|| Error::corrupt("a dict's shard has entries and no arena"))
    }

    /// Before the change, so that whoever sees the number and then looks waits for the change at the lock.
    #[inline(always)]
    fn next_version(&self) -> u64 {
        let version = self.s.version().load(Ordering::Relaxed).wrapping_add(1);
        self.s.version().store(version, Ordering::Release);
        version
    }

    #[inline(always)]
    fn stamp(&self, new: &Own<'_>) -> Result<u64> {
        let word = new.version()?;
        let version = self.next_version();
        word.store(version, Ordering::Relaxed);
        Ok(version)
    }

    /// Intent, hand-over and commit.
    #[inline(always)]
    fn swing(&self, new: Option<Own<'_>>, old: u64, place: u64, word: &AtomicU64) {
        swing(self.w, self.s, self.guard.me, new, old, place, word);
    }

    #[inline(always)]
    fn finish(&self) -> Result<()> {
        finish(self.w, self.s, self.guard.me)
    }

    /// Makes sure that one more entry has room: a larger arena, or the same size without the dead slots.
    #[inline(always)]
    fn make_room(&mut self) -> Result<()> {
        match self.arena {
            Some(arena) if arena.has_room()? => Ok(()),
            arena => self.grow(arena),
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, old: Option<Arena<'a>>) -> Result<()> {
        let (w, s) = (self.w, self.s);
        let live = old.map_or(Ok(0), Arena::count)?;
        let (wish, least) = (cells_for(live * 2), cells_for(live + 1));
        let (chunk, cells) = match Own::new(w.shm, len_for(wish)) {
            Ok(chunk) => (chunk, wish),
            Err(error) if error.kind() == ErrorKind::OutOfMemory && least < wish => (Own::new(w.shm, len_for(least))?, least),
            Err(error) => return Err(error),
        };
        let new = Arena::prepare(w, chunk.chunk.offset, cells)?;
        if let Some(old) = old {
            old.copy_to(new)?;
        }
        self.swing(Some(chunk), old.map_or(0, |old| old.offset), ARENA, s.arena());
        self.finish()?;
        self.arena = Some(new);
        Ok(())
    }
}

/// Steps 2 and 3.
#[inline(always)]
fn swing(w: Words<'_>, s: Shard<'_>, me: Owner, new: Option<Own<'_>>, old: u64, place: u64, word: &AtomicU64) {
    let new = new.map(Own::keep);
    let offset = new.map_or(0, |chunk| chunk.offset);
    // In this order, and not before an earlier intent was cleared.
    s.new_chunk().store(offset, Ordering::Release);
    s.old_chunk().store(old, Ordering::Release);
    s.place().store(place, Ordering::Release);
    if let Some(chunk) = new {
        chunk.change(Cell::private(me), Cell::held(w.id.offset));
    }
    word.store(offset, Ordering::Release);
}

/// Step 5.
#[inline(always)]
fn finish(w: Words<'_>, s: Shard<'_>, me: Owner) -> Result<()> {
    if s.old_chunk().load(Ordering::Relaxed) != 0 {
        w.shm.give_back(s.old_chunk(), Cell::held(w.id.offset), me)?;
    }
    s.place().store(0, Ordering::Release);
    Ok(())
}

/// Gives back all that a shard holds, and makes it of the dict's epoch. May be repeated.
#[cold]
#[inline(never)]
pub(crate) fn purge(w: Words<'_>, s: Shard<'_>, me: Owner) -> Result<()> {
    let offset = s.arena().load(Ordering::Relaxed);
    if offset != 0 {
        let arena = Arena::at(w, offset)?;
        for slot in 0..arena.used()? {
            let word = arena.entry(slot)?;
            let entry = word.load(Ordering::Relaxed);
            if entry != 0 {
                swing(w, s, me, None, entry, slot as u64 + 1, word);
                finish(w, s, me)?;
            }
        }
        swing(w, s, me, None, offset, ARENA, s.arena());
        finish(w, s, me)?;
    }
    s.live().store(0, Ordering::Relaxed);
    s.epoch().store(w.epoch().load(Ordering::Relaxed), Ordering::Release);
    Ok(())
}

/// Undoes or finishes what a dead holder of the lock had begun. May be repeated.
#[cold]
fn repair(w: Words<'_>, s: Shard<'_>, me: Owner) -> Result<()> {
    let held = Cell::held(w.id.offset);
    let (place, new, old) = (s.place().load(Ordering::Acquire), s.new_chunk().load(Ordering::Relaxed), s.old_chunk().load(Ordering::Relaxed));
    if place == 0 {
        return Ok(());
    }
    let slot = place.wrapping_sub(1) as usize;
    let arena = match s.arena().load(Ordering::Acquire) {
        0 => None,
        offset => Some(Arena::at(w, offset)?),
    };
    let now = match arena {
        _ if place == ARENA => arena.map_or(0, |arena| arena.offset),
        Some(arena) => arena.entry(slot)?.load(Ordering::Acquire),
        None => return Err(Error::corrupt("a dict's shard was changing a slot and has no arena")),
    };
    if now == old {
        if new != 0 {
            w.shm.give_back(s.new_chunk(), held, me)?;
        }
    } else {
        if let Some(arena) = arena.filter(|_| place != ARENA) {
            if now != 0 {
                arena.ensure(Entry::hash_at(w, now)? as u32, slot)?;
            } else {
                arena.forget(Entry::hash_at(w, old)? as u32, slot)?;
            }
        }
        if old != 0 {
            w.shm.give_back(s.old_chunk(), held, me)?;
        }
    }
    s.live().store(arena.map_or(Ok(0), Arena::count)? as u64, Ordering::Release);
    s.place().store(0, Ordering::Release);
    Ok(())
}
