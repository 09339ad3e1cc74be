//! polyproc for C: translation only. Each file is one object of the header; `boundary.rs` is the only one that trusts a pointer.
//!
//! The rules of the header are in `preamble.h`, which opens `include/polyproc.h`. An export is an `unsafe extern "C" fn` whose body is safe code inside `boundary::guard`: C's word that a
//! pointer is what the header says is taken in `boundary.rs` and nowhere else (`tests/rules.rs` checks that).
//!
//! | file | idea |
//! | --- | --- |
//! | `boundary` | the guard, and every use of a pointer that came from C |
//! | `abi` | numbers: ABI, versions, status |
//! | `error` | error objects |
//! | one for each object | its functions, in the order of the header |
#![allow(unsafe_code, non_camel_case_types, clippy::missing_safety_doc)]

mod abi;
mod barrier;
mod block;
mod boundary;
mod cells;
mod cells_atomic;
mod condition;
mod connection;
mod datum;
mod dict;
mod entries;
mod error;
mod event;
mod events;
mod fabric;
mod future;
mod lease;
mod list;
mod list_many;
mod listener;
mod loan;
mod lock;
mod members;
mod message;
mod msgpack;
mod namespace;
mod pollable;
mod pool;
mod pool_options;
mod process;
mod queue;
mod queue_state;
mod reader;
mod rlock;
mod rwlock;
mod semaphore;
mod set;
mod set_operators;
mod several;
mod shareable;
mod shm;
mod task;
mod ticket;
mod wait;
mod worker;
mod writer;

pub use abi::*;
pub use barrier::*;
pub use block::*;
pub use cells::*;
pub use cells_atomic::*;
pub use condition::*;
pub use connection::*;
pub use datum::*;
pub use dict::*;
pub use entries::*;
pub use error::*;
pub use event::*;
pub use events::*;
pub use fabric::*;
pub use future::*;
pub use lease::*;
pub use list::*;
pub use list_many::*;
pub use listener::*;
pub use loan::*;
pub use lock::*;
pub use members::*;
pub use message::*;
pub use namespace::*;
pub use pollable::*;
pub use pool::*;
pub use pool_options::*;
pub use process::*;
pub use queue::*;
pub use queue_state::*;
pub use reader::*;
pub use rlock::*;
pub use rwlock::*;
pub use semaphore::*;
pub use set::*;
pub use set_operators::*;
pub use several::*;
pub use shareable::*;
pub use shm::*;
pub use task::*;
pub use ticket::*;
pub use worker::*;
pub use writer::*;
