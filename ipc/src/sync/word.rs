//! The lock word: owner and lock in one `u64`, so that no instant exists in which a lock is held by nobody.
//!
//! | bits | meaning |
//! | --- | --- |
//! | 0..16 | slot + 1 of the owner; 0: free |
//! | 31 | SLEEPERS: somebody may be asleep on the low half |
//! | 32..64 | generation of the owner's slot |
//!
//! | transition | by | store |
//! | --- | --- | --- |
//! | free -> owned | any process | compare-and-swap from `0` or `SLEEPERS` to `owner \| sleepers`; acquire |
//! | owned -> owned + SLEEPERS | a waiter, before it sleeps | compare-and-swap |
//! | owned by the dead -> owned | a waiter that probed the owner | compare-and-swap from the dead owner's exact word; acquire; the new owner is told |
//! | owned -> free | the owner; for a user's lock any process | swap to 0; release; then one wake if SLEEPERS was set |
//!
//! Killed before a store: nothing happened. Killed after the release and before its wake: sleepers sleep a nap at most. Who acquired
//! after a sleep keeps SLEEPERS set, so that those who sleep on are not forgotten by the next release.

use super::atomic::{AtomicU64, Ordering};
use crate::shm::view::{Half, low_half};
use crate::shm::{Deadline, Nap, Owner, Shm};
use crate::sys;

const SLEEPERS: u64 = 1 << 31;
/// Beats of the spin before a waiter sleeps: longer than any of the library's critical sections by far.
const SPIN: u32 = 512;
/// Beats between its looks, the first and the longest. Each look takes the line away from the holder, which else goes on using it, often for the next turn too.
const GAPS: (u32, u32) = (32, 128);

/// How a lock came to its new owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// From nobody: whoever held it before released it.
    Clean,
    /// From a process that died holding it. What the lock protects may be half changed.
    OwnerDied,
}

/// Whose word this is, if anybody's.
#[inline(always)]
pub(crate) fn owner(word: u64) -> Owner {
    Owner::from_bits(word & !SLEEPERS)
}

/// Whether the word says free.
#[inline(always)]
pub(crate) fn is_free(word: u64) -> bool {
    word & !SLEEPERS == 0
}

/// Takes the lock if it is free, and only then.
#[inline(always)]
pub(crate) fn try_acquire(word: &AtomicU64, me: Owner) -> bool {
    word.compare_exchange(0, me.to_bits(), Ordering::Acquire, Ordering::Relaxed).is_ok()
}

/// Takes the lock; none if the deadline passes first.
#[inline(always)]
pub(crate) fn acquire(shm: &Shm, word: &AtomicU64, me: Owner, deadline: Deadline) -> Option<Acquired> {
    if try_acquire(word, me) {
        return Some(Acquired::Clean);
    }
    acquire_slow(shm, word, me, deadline)
}

/// Gives the lock back, whoever holds it. False: nobody held it.
#[inline(always)]
pub(crate) fn release(word: &AtomicU64) -> bool {
    let was = word.swap(0, Ordering::Release);
    if was & SLEEPERS != 0 {
        sys::futex_wake(low_half(word), 1);
    }
    !is_free(was)
}

/// Gives the lock back if it is `me` who holds it. False: somebody else has it, or nobody.
#[inline(always)]
pub(crate) fn release_own(word: &AtomicU64, me: Owner) -> bool {
    word.compare_exchange(me.to_bits(), 0, Ordering::Release, Ordering::Relaxed).is_ok() || release_own_awaited(word, me)
}

#[cold]
#[inline(never)]
fn release_own_awaited(word: &AtomicU64, me: Owner) -> bool {
    let released = word.compare_exchange(me.to_bits() | SLEEPERS, 0, Ordering::Release, Ordering::Relaxed).is_ok();
    if released {
        sys::futex_wake(low_half(word), 1);
    }
    released
}

/// For a sleeper that will not take the lock itself but tell somebody: none if it could be had now, else what to sleep on.
pub(crate) fn arm<'a>(shm: &Shm, word: &'a AtomicU64) -> Option<(&'a Half, u32)> {
    let mut now = word.load(Ordering::Relaxed);
    loop {
        if is_free(now) || !shm.alive(owner(now)) {
            // The one wake of a release may have come to us: it is for those who sleep to take the lock.
            sys::futex_wake(low_half(word), 1);
            return None;
        }
        match word.compare_exchange(now, now | SLEEPERS, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return Some((low_half(word), (now | SLEEPERS) as u32)),
            Err(changed) => now = changed,
        }
    }
}

/// Puts a dead owner's word back in place of ours, so that the next one who comes is told of the death again.
pub(crate) fn hand_back(word: &AtomicU64, dead: Owner) {
    word.store(dead.to_bits() | SLEEPERS, Ordering::Release);
    sys::futex_wake(low_half(word), 1);
}

#[cold]
#[inline(never)]
fn acquire_slow(shm: &Shm, word: &AtomicU64, me: Owner, deadline: Deadline) -> Option<Acquired> {
    let mut nap = Nap::new();
    let mut sleepers = 0; // what our own word will say of others, once we have slept
    let spin = if sys::can_spin() { SPIN } else { 0 };
    loop {
        let (mut beats, mut gap) = (0, GAPS.0);
        let seen = loop {
            let now = word.load(Ordering::Relaxed);
            if is_free(now) {
                if word.compare_exchange(now, me.to_bits() | now | sleepers, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                    return Some(Acquired::Clean);
                }
            } else if beats >= spin {
                break now;
            }
            for _ in 0..gap {
                sys::pause();
            }
            beats += gap;
            gap = (gap * 2).min(GAPS.1);
        };
        let Some(time) = deadline.left(nap.next()) else {
            // Time is up; a dead owner is worth one last look, so that a try finds a lock of the dead too.
            return take_over(shm, word, word.load(Ordering::Relaxed), me);
        };
        if seen & SLEEPERS == 0 && word.compare_exchange(seen, seen | SLEEPERS, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            continue;
        }
        shm.sleep(low_half(word), (seen | SLEEPERS) as u32, time);
        sleepers = SLEEPERS;
        let now = word.load(Ordering::Relaxed);
        if owner(now) == owner(seen)
            && let Some(acquired) = take_over(shm, word, now, me)
        {
            return Some(acquired);
        }
    }
}

/// Takes the lock over if `seen` names a dead owner and the word still says so.
fn take_over(shm: &Shm, word: &AtomicU64, seen: u64, me: Owner) -> Option<Acquired> {
    if is_free(seen) || shm.alive(owner(seen)) {
        return None;
    }
    let mine = me.to_bits() | SLEEPERS;
    word.compare_exchange(seen, mine, Ordering::Acquire, Ordering::Relaxed).is_ok().then_some(Acquired::OwnerDied)
}
