//! How a list changes: one store commits, and what goes into the list or out of it is decided by that store alone. The lock, and the repair.
//!
//! **A change without chunks** (an inline item appended, set or popped): what cannot be seen yet is written (slots behind the mark), version + 1, and one store commits it: the slot, or the
//! directory's mark. Killed before: nothing happened.
//!
//! **A change with chunks**: *fresh* chunks (items, blocks, a directory) are written while they are PRIVATE to us, and chained by their links; the *stale* ones, which the list has and is to lose,
//! are chained too. Then:
//!
//! | step | store | killed after it |
//! | --- | --- | --- |
//! | 1 | before, fresh, stale, and last pending := where the word stands that commits | not committed: the repair clears `pending`; the fresh chunks are the dead one's own, and swept |
//! | 2 | version + 1 | as above |
//! | 3 | the word: a slot, the mark, or `directory` (the commit) | the repair goes on with 4 |
//! | 4 | each fresh cell PRIVATE -> HELD(list); fresh := none | as above; each may be repeated |
//! | 5 | for each stale chunk: cell HELD(list) -> PRIVATE(me), stale := next, cell -> FREE | the repair goes on; a chunk that is PRIVATE to the dead is passed over, and swept |
//! | 6 | pending := none | nothing to do |
//!
//! So before the commit nothing is to be undone, and after it all is to be finished. Committed is: the word is not what it was `before`; nobody changes it while `pending` is set, for the lock is held.
//! Between 3 and 4 the list leads to chunks that are PRIVATE to the dead: a sweep has every list pass its lock, and so its repair, before it frees those (`outlive`). The chains never lead to
//! a free chunk: `fresh` is not looked at before the commit, and a stale chunk is let go of before it is freed.

use std::sync::atomic::{AtomicU64, Ordering};

use super::item::{self, Slot};
use super::layout::{HEAD, Words, damaged};
use crate::error::Result;
use crate::heap::Chunk;
use crate::heap::cell::{Cell, Holder};
use crate::packed::Packed;
use crate::shm::layout::UNIT;
use crate::shm::{Owner, Shm};
use crate::sync::guard::Guard;

/// The lock, held, the structure whole.
#[inline(always)]
pub(super) fn lock(w: Words<'_>) -> Result<Guard<'_>> {
    Guard::enter(w.shm, w.lock(), |me| repair(w, me))
}

/// Chunks on their way into a list: this process's own until the commit. Dropped before that, they are given back.
pub(super) struct Fresh<'a> {
    shm: &'a Shm,
    me: Owner,
    chunks: Vec<u64>,
}

impl<'a> Fresh<'a> {
    pub(super) fn new(shm: &'a Shm) -> Result<Fresh<'a>> {
        Ok(Fresh { shm, me: shm.me()?, chunks: Vec::new() })
    }

    /// A new chunk of at least `len` bytes.
    pub(super) fn chunk(&mut self, len: usize) -> Result<Chunk<'a>> {
        let chunk = self.shm.alloc(len as u64)?;
        self.chunks.push(chunk.offset);
        Ok(chunk)
    }

    /// The slot that will have this item.
    #[inline(always)]
    pub(super) fn item(&mut self, item: Packed<'_>) -> Result<u64> {
        if let Some(slot) = Slot::inline(item) {
            return Ok(slot.0);
        }
        let chunk = self.chunk(HEAD + item.bytes.len())?;
        item::write(chunk.bytes(self.shm)?, item)?;
        Ok(chunk.offset)
    }
}

impl Drop for Fresh<'_> {
    fn drop(&mut self) {
        for offset in &self.chunks {
            // Nothing can be done about damaged memory here; the checker names it.
            if let Ok(chunk) = self.shm.chunk(*offset) {
                self.shm.free(chunk, Cell::private(self.me));
            }
        }
    }
}

/// The word whose change commits: where it stands, and the word.
#[derive(Clone, Copy)]
pub(super) struct Commit<'a> {
    pub(super) at: u64,
    pub(super) word: &'a AtomicU64,
}

/// Commits by storing `to`; `fresh` are the list's then, and `stale` nobody's. Under the lock.
#[inline(always)]
pub(super) fn commit(w: Words<'_>, me: Owner, commit: Commit<'_>, to: u64, fresh: Fresh<'_>, stale: &[u64]) -> Result<()> {
    if fresh.chunks.is_empty() && stale.is_empty() {
        next_version(w);
        commit.word.store(to, Ordering::Release);
        return Ok(());
    }
    commit_chunks(w, me, commit, to, fresh, stale)
}

#[inline(never)]
fn commit_chunks(w: Words<'_>, me: Owner, commit: Commit<'_>, to: u64, mut fresh: Fresh<'_>, stale: &[u64]) -> Result<()> {
    for offset in stale {
        let holder = w.shm.chunk(*offset)?.holder();
        if holder != Holder::Held(w.id.offset) {
            return Err(damaged(format_args!("its chunk at {offset:#x} is not its own")));
        }
    }
    chain(w.shm, &fresh.chunks)?;
    chain(w.shm, stale)?;
    w.before().store(commit.word.load(Ordering::Relaxed), Ordering::Relaxed);
    w.fresh().store(fresh.chunks.first().copied().unwrap_or(0), Ordering::Relaxed);
    w.stale().store(stale.first().copied().unwrap_or(0), Ordering::Relaxed);
    w.pending().store(commit.at, Ordering::Release);
    next_version(w);
    commit.word.store(to, Ordering::Release);
    let taken = std::mem::take(&mut fresh.chunks);
    for offset in taken {
        w.shm.chunk(offset)?.change(Cell::private(me), Cell::held(w.id.offset));
    }
    w.fresh().store(0, Ordering::Release);
    for (index, offset) in stale.iter().enumerate() {
        let_go(w, me, w.shm.chunk(*offset)?, stale.get(index + 1).copied().unwrap_or(0));
    }
    w.pending().store(0, Ordering::Release);
    Ok(())
}

/// Gives back the first stale chunk, and names the next one.
fn let_go(w: Words<'_>, me: Owner, chunk: Chunk<'_>, next: u64) {
    let mine = Cell::private(me);
    let ours = chunk.change(Cell::held(w.id.offset), mine);
    w.stale().store(next, Ordering::Release);
    if ours {
        w.shm.free(chunk, mine);
    }
}

/// Before the commit, so that nobody ever sees a change under an old number.
#[inline(always)]
fn next_version(w: Words<'_>) {
    w.version().store(w.version().load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

fn chain(shm: &Shm, chunks: &[u64]) -> Result<()> {
    for (index, offset) in chunks.iter().enumerate() {
        let next = chunks.get(index + 1).copied().unwrap_or(0);
        shm.segment.span(*offset, 8)?.u64(0)?.store(next, Ordering::Relaxed);
    }
    Ok(())
}

/// Finishes what a dead process had committed, and forgets what it had not. May be repeated.
fn repair(w: Words<'_>, me: Owner) -> Result<()> {
    let pending = w.pending().load(Ordering::Acquire);
    if pending == 0 {
        return Ok(());
    }
    let word = w.shm.segment.span(pending, 8)?.u64(0)?;
    if word.load(Ordering::Acquire) != w.before().load(Ordering::Relaxed) {
        let most = w.shm.segment.units() * (UNIT / 64);
        let mut at = w.fresh().load(Ordering::Acquire);
        for _ in 0..most {
            if at == 0 {
                break;
            }
            let chunk = w.shm.chunk(at)?;
            let cell = chunk.cell.load(Ordering::Acquire);
            match Cell(cell).holder() {
                Holder::Held(object) if object == w.id.offset => {}
                Holder::Private(_) if chunk.change(Cell(cell), Cell::held(w.id.offset)) => {}
                other => return Err(damaged(format_args!("its new chunk at {at:#x} is {other:?}"))),
            }
            at = link(w.shm, at)?;
        }
        w.fresh().store(0, Ordering::Release);
        for _ in 0..most {
            let at = w.stale().load(Ordering::Acquire);
            if at == 0 {
                break;
            }
            let next = link(w.shm, at)?;
            let_go(w, me, w.shm.chunk(at)?, next);
        }
    }
    w.pending().store(0, Ordering::Release);
    Ok(())
}

fn link(shm: &Shm, offset: u64) -> Result<u64> {
    Ok(shm.segment.span(offset, 8)?.u64(0)?.load(Ordering::Acquire))
}
