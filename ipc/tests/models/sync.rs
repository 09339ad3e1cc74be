//! `src/sync`, from there, with the models' atomics.

pub(crate) use crate::atomic;

#[path = "../../src/sync/guard.rs"]
pub(crate) mod guard;
#[path = "../../src/sync/ledger.rs"]
pub(crate) mod ledger;
#[path = "../../src/sync/permits.rs"]
pub(crate) mod permits;
#[path = "../../src/sync/wait.rs"]
pub(crate) mod wait;
#[path = "../../src/sync/waiters.rs"]
pub(crate) mod waiters;
#[path = "../../src/sync/word.rs"]
pub(crate) mod word;
