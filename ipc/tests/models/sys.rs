//! `src/sys`, as far as it is used: a spin would only repeat what the checker does anyway, so there is one processor.

use crate::kernel::{self, Futex};

pub(crate) fn futex_wake(word: &impl Futex, count: u32) -> usize {
    kernel::wake(word, count)
}

/// No time passes in a model.
pub(crate) fn now() -> u64 {
    1
}

pub(crate) fn pause() {
    loom::thread::yield_now();
}

pub(crate) fn can_spin() -> bool {
    false
}

pub(crate) fn store_load_barrier_after_swap() {
    loom::sync::atomic::fence(loom::sync::atomic::Ordering::SeqCst);
}

/// No signal comes in a model.
pub(crate) mod interrupt {
    pub(crate) struct Firm;

    pub(crate) fn firm() -> Firm {
        Firm
    }

    pub(crate) fn due() -> bool {
        false
    }
}
