//! The wait word: sleeping until something changes, without a count or list of sleepers that a death could falsify.
//!
//! A `u32` futex: bit 0 is SLEEPERS (somebody may be asleep), bits 1..32 a sequence number.
//!
//! | step | by | store |
//! | --- | --- | --- |
//! | announce | a sleeper, before its last look | compare-and-swap to `word + 2 \| SLEEPERS`: a new number each time, so that a waker's clearing cannot miss it |
//! | wake | whoever made the change, after it | if SLEEPERS: compare-and-swap to `word + 2` (a sleeper about to sleep sees a change), then futex wake |
//! | clear | a waker that woke nobody | compare-and-swap its own value to the same without SLEEPERS; fails if a sleeper came meanwhile |
//!
//! A killed sleeper leaves SLEEPERS set: the next waker makes one needless system call and clears it. A waker killed before its
//! wake: sleepers sleep no longer than a nap ([`Nap`](crate::shm::Nap)). A woken sleeper killed before it acts: nor do the others.

use std::time::Duration;

use super::atomic::{AtomicU32, Ordering, fence};
use crate::shm::Shm;
use crate::sys;

const SLEEPERS: u32 = 1;

/// Announces a sleeper. The caller then looks at what it waits for once more, and sleeps with the answer if it is still not there.
pub(crate) fn announce(word: &AtomicU32) -> u32 {
    let mut now = word.load(Ordering::Relaxed);
    loop {
        let mine = now.wrapping_add(2) | SLEEPERS;
        match word.compare_exchange_weak(now, mine, Ordering::SeqCst, Ordering::Relaxed) {
            Ok(_) => {
                fence(Ordering::SeqCst); // our announcement before our last look
                return mine;
            }
            Err(changed) => now = changed,
        }
    }
}

/// Sleeps until the word is no longer what [`announce`] answered, at most `time`.
pub(crate) fn sleep(shm: &Shm, word: &AtomicU32, announced: u32, time: Duration) {
    shm.sleep(word, announced, time);
}

/// Wakes up to `count` sleepers, if there are any. The change that they wait for was stored before, with an atomic swap since.
#[inline(always)]
pub(crate) fn wake(word: &AtomicU32, count: u32) {
    sys::store_load_barrier_after_swap();
    if word.load(Ordering::Relaxed) & SLEEPERS != 0 {
        wake_slow(word, count);
    }
}

#[cold]
#[inline(never)]
fn wake_slow(word: &AtomicU32, count: u32) {
    let mut now = word.load(Ordering::Relaxed);
    while now & SLEEPERS != 0 {
        let bumped = now.wrapping_add(2);
        match word.compare_exchange(now, bumped, Ordering::SeqCst, Ordering::Relaxed) {
            Ok(_) => {
                if sys::futex_wake(word, count) == 0 {
                    let _ = word.compare_exchange(bumped, bumped & !SLEEPERS, Ordering::SeqCst, Ordering::Relaxed);
                }
                return;
            }
            Err(changed) => now = changed,
        }
    }
}
