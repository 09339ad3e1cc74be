//! What two processes share: a *fabric* of shared memory with named objects in it, safe against SIGKILL at any instruction.
//!
//! - [`Fabric`]: one shared world. Private ones are inherited, named ones are found by unrelated programs.
//! - [`Queue`] and [`BytesQueue`]: any number of putters and getters, in any language; large messages without a copy on the way out.
//! - [`Dict`], [`Set`], [`Namespace`]: Python's managed ones, without a manager process.
//! - [`Lock`]: at most one process holds it, and if that one is killed, the next is told.
//! - [`RLock`], [`Semaphore`] and [`BoundedSemaphore`], [`RwLock`], [`Event`]: the other things that processes wait for; what the dead held comes back.
//! - [`Condition`], [`Barrier`]: waiting until another process says so, or until all have come.
//! - [`Value`] and [`Array`]: typed cells with a C layout, under a lock, atomic, or in place.
//! - [`pipe()`], [`Listener`] and [`connect`]: messages between two sides, with descriptors inside them; [`wait()`] for several.
//! - [`SharedMemory`] and [`ShareableList`]: named blocks outside any fabric, as other programs have them.
//! - [`List`] and [`BytesList`]: Python's list, shared; every call is one step for everybody.
//! - [`Events`]: the last events of many processes, read while they run or after they crashed.
//! - [`Manager`]: one place that makes them all, as Python's does, without a server.
//! - [`Ticket`]: how an object travels to another process.
//!
//! There is no server process, and no helper thread but where something asks for one: a [`Pollable`] (one thread for all of a process), a [`Listener`] while it accepts. The common path is a few stores in shared memory and no system call.
//!
//! ```
//! use polyproc_ipc::{Fabric, Lock, Queue};
//!
//! let fabric = Fabric::new()?;                       // or Fabric::open_or_create("name")
//! let queue = Queue::<u64>::create(&fabric, "numbers", 100)?;
//! queue.put_many(&[1, 2, 3])?;
//! assert_eq!(Queue::<u64>::open(&fabric, "numbers")?.get()?, 1);
//!
//! let lock = Lock::new(&fabric)?;
//! let guard = lock.lock().unwrap();
//! drop(guard);
//! # Ok::<(), polyproc_ipc::Error>(())
//! ```
//!
//! # Caveats
//!
//! - Members trust each other: they run as one user, and a member that scribbles over the segment can make others answer [`ErrorKind::Corrupt`]
//!   (never crash or hang).
//! - A forked child of a threaded program may use the fabric (it becomes a member of its own), with the usual care that fork asks for.
//! - Linux 5.4 or later on x86-64, with `/proc` mounted. From Linux 5.16 on, a death wakes its waiters at once; before, within 50 ms, or 250 where they have waited long.

#![deny(missing_docs)]

mod block;
mod cells;
pub mod channel;
pub mod codec;
mod dict;
mod error;
mod events;
mod fabric;
mod heap;
mod list;
mod manager;
mod named;
mod objects;
mod packed;
mod pipe;
mod poll;
mod queue;
mod shm;
mod sync;
mod sys;

pub use block::{Block, Packing, Parcel, Plain, RawBlock};
/// The crate by whose traits C structs are cells: see [`Struct`].
pub use bytemuck;
pub use cells::{Array, ArrayGuard, Cell, CellType, Cells, CellsGuard, Char, Element, Elements, Integer, Locking, Struct, Value, ValueGuard};
pub use dict::{BytesDict, BytesEntries, BytesSet, Dict, DictItems, DictKeys, DictValues, Namespace, Set, SetItems, SetOperand, Versioned};
pub use error::{Error, ErrorKind, Result};
pub use events::{EventName, EventRecord, Events, History};
pub use fabric::{Backing, Fabric, FabricBuilder, FabricId, ObjectInfo, Report, Ticket};
pub use list::{BytesIter, BytesList, Iter as ListIter, List, Slice};
pub use manager::Manager;
pub use named::{ShareableItem, ShareableList, SharedMemory};
pub use objects::Kind;
pub use packed::Packed;
pub use pipe::{Address, Connection, Framing, Listener, Peering, Readiness, Waitable, connect, connect_timeout, pipe, pipe_one_way, wait};
pub use poll::Pollable;
pub use queue::{BytesQueue, DeadLetter, DeadReason, Lease, LeaseInfo, Loan, Message, Privately, Queue, QueueBuilder, Reclaimed, TypedLease, Unsent, Values};
pub use shm::{Member, Owner};
pub use sync::{
    Acquired, Barrier, BoundedSemaphore, Condition, ConditionGuard, Event, Lock, LockError, LockGuard, PendingWait, Permit, RLock, RLockGuard, RwLock,
    RwLockReadGuard, RwLockWriteGuard, Semaphore, Waited,
};
pub use sys::interrupt::{interrupt_waits, interruptible};
pub use sys::limits::{available_cpus, out_of_memory_kills};
