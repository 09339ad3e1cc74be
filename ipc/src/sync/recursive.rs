//! A lock word that its thread may take again: the heart of `RLock`, and the default lock inside `Condition`, `Value` and `Array`.
//!
//! Three words on a line of 64 bytes, wherever an object has them:
//!
//! | offset | word | who may change it |
//! | --- | --- | --- |
//! | 0 | lock word (`word.rs`) | as there: its compare-and-swap is the commit of acquiring and of releasing |
//! | 8 | thread: which thread of the owning process; 0: none | the holder: after it acquired, and to 0 before it releases |
//! | 16 | depth: how often the holder has it | the holder |
//!
//! The thread's number has the owner's slot and generation mixed in, so that what a dead owner left in `thread` is taken for nobody's here; so whoever finds its own number there has the lock, and
//! need not look at the word. Killed anywhere in between: the lock word names the
//! dead, and the next owner is told and sets both other words anew. Who ends the object while somebody holds it resets `thread` too: the next hold by another thread of the
//! same process must not look like the old one's.

use std::sync::atomic::{AtomicU64, Ordering};

use super::word::{self, Acquired};
use crate::error::Result;
use crate::shm::{Deadline, Owner, Shm, Span};
use crate::sys;

/// Bytes that the words take.
pub(crate) const SIZE: usize = 64;

/// The words.
#[derive(Clone, Copy)]
pub(crate) struct Recursive<'a> {
    pub(crate) word: &'a AtomicU64,
    thread: &'a AtomicU64,
    depth: &'a AtomicU64,
}

impl<'a> Recursive<'a> {
    /// The words at `at` of an object.
    pub(crate) fn at(object: Span<'a>, at: usize) -> Result<Recursive<'a>> {
        Ok(Recursive { word: object.u64(at)?, thread: object.u64(at + 8)?, depth: object.u64(at + 16)? })
    }

    /// The words of an object whose offsets are known to be inside.
    #[inline(always)]
    pub(crate) fn of(word: &'a AtomicU64, thread: &'a AtomicU64, depth: &'a AtomicU64) -> Recursive<'a> {
        Recursive { word, thread, depth }
    }

    /// Takes the lock, once more if this thread has it; none if the deadline passes first.
    #[inline]
    pub(crate) fn acquire(self, shm: &Shm, me: Owner, deadline: Deadline) -> Option<Acquired> {
        if self.try_acquire(me) {
            return Some(Acquired::Clean);
        }
        let acquired = word::acquire(shm, self.word, me, deadline)?;
        self.begin(me, 1);
        Some(acquired)
    }

    /// Takes the lock if it is free, and only then, or once more if this thread has it.
    #[inline(always)]
    pub(crate) fn try_acquire(self, me: Owner) -> bool {
        if word::try_acquire(self.word, me) {
            self.begin(me, 1);
            return true;
        }
        if self.is_mine(me) {
            self.depth.store(self.depth.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
            return true;
        }
        false
    }

    /// Gives it back once. False: this thread does not have it.
    #[inline]
    pub(crate) fn release(self, me: Owner) -> bool {
        if !self.is_mine(me) {
            return false;
        }
        let depth = self.depth.load(Ordering::Relaxed);
        if depth > 1 {
            self.depth.store(depth - 1, Ordering::Relaxed);
            return true;
        }
        self.let_go(me)
    }

    /// Gives it back altogether, however deep; how deep. 0: this thread does not have it.
    pub(crate) fn release_all(self, me: Owner) -> u64 {
        if !self.is_mine(me) {
            return 0;
        }
        let depth = self.depth.load(Ordering::Relaxed).max(1);
        self.let_go(me);
        depth
    }

    /// Takes it as deep as it was before [`release_all`](Recursive::release_all); none if the deadline passes first.
    pub(crate) fn acquire_again(self, shm: &Shm, me: Owner, depth: u64, deadline: Deadline) -> Option<Acquired> {
        let acquired = word::acquire(shm, self.word, me, deadline)?;
        self.begin(me, depth);
        Some(acquired)
    }

    /// Nobody has it any more, and no thread takes it for its own: for an object that ends, and one that begins where another was.
    pub(crate) fn reset(self) {
        self.thread.store(0, Ordering::Relaxed);
        self.depth.store(0, Ordering::Relaxed);
        word::release(self.word);
    }

    /// Whether this thread of this process has it. The thread's number stands there only while it does: no other writes it, and it is taken away before the lock word is.
    #[inline(always)]
    pub(crate) fn is_mine(self, me: Owner) -> bool {
        self.thread.load(Ordering::Relaxed) == this_thread(me)
    }

    /// How often this thread has it.
    pub(crate) fn depth(self, me: Owner) -> u64 {
        if self.is_mine(me) { self.depth.load(Ordering::Relaxed) } else { 0 }
    }

    #[inline(always)]
    fn begin(self, me: Owner, depth: u64) {
        self.depth.store(depth, Ordering::Relaxed);
        self.thread.store(this_thread(me), Ordering::Relaxed);
    }

    #[inline(always)]
    fn let_go(self, me: Owner) -> bool {
        self.thread.store(0, Ordering::Relaxed);
        word::release_own(self.word, me)
    }
}

/// The number of this thread, mixed with its process's own: 32 bits generation, 10 bits slot, 22 bits thread (the most that Linux gives out). Never 0.
#[inline(always)]
fn this_thread(me: Owner) -> u64 {
    u64::from(me.generation()) << 32 | (me.slot() as u64 & 0x3FF) << 22 | u64::from(sys::thread_id() & 0x3F_FFFF)
}
