//! What this crate asks of the operating system: a dozen verbs. Knows no object and no layout.
//!
//! A port to another system supplies these names with these meanings and nothing else:
//!
//! | name | meaning |
//! | --- | --- |
//! | [`memory_file`], [`reopen`] | anonymous shared memory that goes with its last holder; a second, independent opening of it |
//! | [`reserve_file`], [`file_len`], [`identity`] | grow a file so that touching it cannot fail; its length and identity as the kernel knows them |
//! | [`map`] | reserve and map a range once, behind which the file grows |
//! | [`lock_byte`], [`unlock_byte`], [`byte_is_locked`], [`lock_range_held`] | a lock that the kernel drops when the opening it was taken through is closed or its holder dies |
//! | [`futex_wait`], [`futex_wait_any`], [`futex_wake`] | sleep on a word shared between processes, and on others too if the system can |
//! | [`signal_descriptor`], [`signal`], [`clear_signal`], [`is_signalled`], [`wait_readable`] | a descriptor for event loops, readable while it is signalled |
//! | [`forks`], [`ChildClosed`] | how often this process was forked; descriptors that a forked child must not keep |
//! | [`interrupt`] | waits that signals end, where a caller asks for that |
//! | [`thread_id`] | tells the threads of this process apart |
//! | [`socket`], [`endpoint`] | streams of bytes between processes, with time-outs and descriptors; sockets to listen and to connect |
//! | [`limits`] | memory and processors that this process may use |
//! | [`now`] | a clock that all processes of the machine share |
//! | [`pause`], [`step_aside`], [`can_spin`] | spinning |

pub(crate) mod endpoint;
mod fork;
pub(crate) mod interrupt;
pub(crate) mod limits;
mod linux;
pub(crate) mod socket;

pub(crate) use fork::{ChildClosed, children, count_forks, forks};
pub(crate) use linux::{
    MOST_WORDS, Map, byte_is_locked, clear_signal, file_len, futex_wait, futex_wait_any, futex_wake, identity, is_signalled, is_stopped, lock_byte,
    lock_range_held, map, memory_file, now, random_id, reopen, reserve_file, seal_against_shrinking, signal, signal_descriptor, start_time, thread_id,
    unlock_byte, wait_readable,
};

use std::sync::OnceLock;

/// One beat of a spin loop.
#[inline(always)]
pub(crate) fn pause() {
    std::hint::spin_loop();
}

/// Lets others run on this processor that wait for it, if there are any.
pub(crate) fn step_aside() {
    std::thread::yield_now();
}

/// Whether spinning can help: never on a single processor.
#[inline]
pub(crate) fn can_spin() -> bool {
    static MANY: OnceLock<bool> = OnceLock::new();
    *MANY.get_or_init(limits::is_parallel)
}

/// Orders an earlier store before a later load, given that an atomic swap stands between the two.
///
/// On x86-64 a swap is a full barrier already, so only the compiler must be held back.
#[inline(always)]
pub(crate) fn store_load_barrier_after_swap() {
    #[cfg(target_arch = "x86_64")]
    std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
    #[cfg(not(target_arch = "x86_64"))]
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}
