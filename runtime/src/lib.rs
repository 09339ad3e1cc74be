//! Processes and pools over shared memory: multiprocessing with types, safe against SIGKILL.
//!
//! ```
//! use polyproc::{Pool, task};
//!
//! #[task]
//! fn square(n: u64) -> u64 {
//!     n * n
//! }
//!
//! fn main() -> polyproc::Result<()> {
//!     let pool = Pool::new(4)?;
//!     println!("{:?}", pool.map(square, 0..5)?); // [0, 1, 4, 9, 16], computed by four processes
//!     Ok(())
//! }
//! ```
//!
//! `square` is still an ordinary function; its name is also a typed constant that [`Pool`] and [`Process`] take. A child is this
//! program, started again: it finds before `main` that it is one, so `main` needs no guard.
//!
//! Everything of [`polyproc_ipc`] is here as well: [`Fabric`], [`Queue`], [`Lock`]. They go into a task as arguments, and are the same object
//! in every process:
//!
//! ```
//! use polyproc::{Fabric, Pool, Queue, task};
//!
//! #[task]
//! fn count(until: u32, out: Queue<u32>) {
//!     (0..until).for_each(|n| out.put(&n).unwrap());
//! }
//!
//! let out = Queue::new(&Fabric::current()?, 0)?;
//! Pool::new(2)?.apply(count, (3, out.clone()))?;
//! assert_eq!((out.get()?, out.get()?, out.get()?), (0, 1, 2));
//! # Ok::<(), polyproc::Error>(())
//! ```
//!
//! # When a process dies
//!
//! Any process may be killed at any instruction. A worker that dies fails the one call it was running, with the cause
//! ([`ErrorKind::WorkerDied`]); calls it held but had not begun run on another worker, results it had put are kept, and it is replaced. A
//! child of a process that dies ends with it, also after SIGKILL.
//!
//! # What to know first
//!
//! - Linux only, for now.
//! - Nothing of `main` has run in a child: no logger (but `log_to_stderr` is inherited), no panic hook, no global state. Constructors have.
//! - A task's name is a constant: a local variable beside it cannot have the same name.
//! - A task's value travels as MessagePack. Large data is better put into the fabric, and passed by a handle.
//! - In a program built with `panic = "abort"`, a panic of a task is the death of its process, by SIGABRT.
//! - The call that a killed worker was running may have had effects. It fails, and is run again only where [`Retry`] says so.
//! - A worker ignores Ctrl-C, which the terminal sends to all: it ends with its pool, or with the parent.
//! - Where constructors do not run (see [`init`]), call `polyproc::init()` first in `main`.

extern crate self as polyproc;

mod boot;
mod calling;
mod child;
mod encoded;
mod error;
mod letter;
mod logging;
mod memory;
mod offer;
mod panic;
mod pool;
mod process;
pub mod progress;
mod registry;
mod serving;
mod start;
mod task;
pub mod trace;
mod wire;
pub mod worker;

pub use boot::init;
pub use calling::{CurrentCall, cancelled, current_call};
pub use encoded::{Answer, Encoded};
pub use error::{Error, ErrorKind, Failure, Result};
#[cfg(feature = "log")]
pub use logging::log_to_stderr;
pub use offer::{OfferedCall, offer};
pub use polyproc_ipc as ipc;
pub use polyproc_ipc::*;
pub use polyproc_macros::task;
pub use pool::{
    AsCompleted, AsyncResult, Calls, Collected, Completions, Imap, JobProgress, Leaver, MemoryLimit, Options, Pool, PoolBuilder, PoolClient, Priority,
    Progress, Retry, StartedWorker, Starter, Stepped, WaitUntil, Worker, WorkerInfo, WorkerOrder, WorkerProgress, as_completed, wait_calls,
};
pub use process::{CommandBuilder, CurrentProcess, Exit, ParentProcess, Process, ProcessBuilder, active_children, current, parent};
pub use start::server::{fork_server_pid, set_fork_server_preload};
pub use start::{StartMethod, Stdio, StillForFork, set_start_method, start_method};
pub use task::{Task, TaskFn};
#[cfg(feature = "log")]
pub use tracing::Level as LogLevel;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct CrateReadme;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// What `#[task]` expands to. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
    pub use std::vec::Vec;

    pub use crate::boot::boots_in_main;
    pub use crate::error::Failure;
    pub use crate::registry::Entry;
    pub use crate::task::{Exchange, run};
}
