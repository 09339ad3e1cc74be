//! Locks between processes. Uses bounded views and sleeping from `shm`; makes no system call of its own.
//!
//! | file | idea |
//! | --- | --- |
//! | `atomic` | the atomics themselves, under a name of our own |
//! | `word` | the lock word: owner and lock in one store, taken over from the dead |
//! | `wait` | the wait word: sleeping until something changes, without a list of sleepers |
//! | `guard` | the library's own lock: repair before use |
//! | `lock` | the user's [`Lock`] |

pub(crate) mod atomic;
pub(crate) mod guard;
mod lock;
pub(crate) mod wait;
pub(crate) mod word;

pub(crate) use lock::quiesce as quiesce_lock;
pub use lock::{Lock, LockError, LockGuard};
pub use word::Acquired;
