//! Locks between processes, and the other things that processes wait for. Uses bounded views and sleeping from `shm`; makes no system call of its own.
//!
//! | file | idea |
//! | --- | --- |
//! | `atomic` | the atomics themselves, under a name of our own |
//! | `word` | the lock word: owner and lock in one store, taken over from the dead |
//! | `wait` | the wait word: sleeping until something changes, without a list of sleepers |
//! | `guard` | the library's own lock: repair before use |
//! | `recursive` | a lock word that its thread may take again |
//! | `ledger` | who holds how many, per slot of the process table |
//! | `permits`, `shared` | the words of a semaphore, of an rwlock |
//! | `waiters` | those who wait, in order, each asleep on a word of its own |
//! | `pending` | a condition's wait in two halves, for event loops |
//! | `userlock` | the lock that a condition stands on: its own, or a given one |
//! | `lock`, `rlock`, `semaphore`, `rwlock`, `event`, `condition`, `barrier` | the users' objects |

pub(crate) mod atomic;
pub(crate) mod barrier;
pub(crate) mod condition;
pub(crate) mod event;
pub(crate) mod guard;
pub(crate) mod ledger;
pub(crate) mod lock;
pub(crate) mod pending;
pub(crate) mod permits;
pub(crate) mod recursive;
pub(crate) mod rlock;
pub(crate) mod rwlock;
pub(crate) mod semaphore;
pub(crate) mod shared;
pub(crate) mod userlock;
pub(crate) mod wait;
pub(crate) mod waiters;
#[cfg(test)]
mod waiters_tests;
pub(crate) mod word;

pub use barrier::Barrier;
pub use condition::{Condition, ConditionGuard, Waited};
pub use event::Event;
pub use lock::{Lock, LockError, LockGuard};
pub use pending::PendingWait;
pub use rlock::{RLock, RLockGuard};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{BoundedSemaphore, Permit, Semaphore};
pub use word::Acquired;
