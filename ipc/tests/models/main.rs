//! The lock word, the wait word, the queue's two sides and its ledger, a semaphore's permits and a condition's waiters under a model checker (loom): every interleaving of a few processes up to a number of preemptions, every
//! value that a load may see by the memory model, and a death before any store or system call.
//!
//! **The code that is checked is the code that ships**: of `sync` word, wait, guard, ledger, permits and waiters, of `queue` layout, ring, put, get, entry, lease, timed, dead and joined, and `cell.rs` and `error.rs` are
//! compiled here from `src` by their paths, in a small world that stands for the rest. The files reach atomics by `crate::sync::atomic` only, which is loom's here; nothing else in `src` knows of this.
//!
//! | file of the world | stands for | how it differs |
//! | --- | --- | --- |
//! | `atomic` | std's atomics | a process may be killed before each store |
//! | `kernel` | futex and liveness | sleepers are woken first come first served; **no nap**, unless a model asks for it |
//! | `shm` | `src/shm` | a process is a thread; memory is the words that the code touches |
//! | `heap`, `queue`, `world` | heap, messages, objects, fabric | a few chunks of two sizes; one queue of one lane, whose messages are one word each; no time passes |
//!
//! A sleep *without nap* ends by a wake-up only: a lost wake-up is a deadlock, which loom finds. What the nap is there for by design is shown by models that deadlock
//! without it (`should_panic`) and end with it. Where x86-64 has no fence (`store_load_barrier_after_swap`), the model has the fence of the other machines; that a swap is
//! one on x86-64 is the processor's promise.

// The same files as in `src`, of which not all is used here; and stand-ins, whose signatures are those of what they stand for.
#![allow(dead_code, unused_imports, unreachable_pub)]
#![allow(clippy::unused_self, clippy::unnecessary_wraps, clippy::arc_with_non_send_sync)]

mod atomic;
mod condition;
#[path = "../../src/error.rs"]
mod error;
mod heap;
mod kernel;
mod lock;
mod queue;
mod semaphore;
mod shm;
mod sync;
mod sys;
mod two_sides;
mod waiting;
mod world;

use fabric::Fabric;
use queue::Message;
use world::{fabric, objects};
