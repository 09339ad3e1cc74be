//! `Worker`: this program as a worker of a pool that another one has. It comes by the pool's name, and leaves when it wants to.
//!
//! It takes the steps of `worker.rs`; what differs stands in `runtime/src/README.md`, "Pools with a name". Must not know jobs.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use polyproc_ipc::{BytesQueue, ErrorKind as Ipc, Fabric, Pollable, interruptible};

use super::desk::Desk;
use super::named::{self, Description};
use super::notes::Role;
use super::setup::Setup;
use super::table;
use super::worker::{self, damaged};
use crate::error::{Error, ErrorKind, Result};
use crate::wire;

/// How long it waits for a batch before it looks whether it is to leave, and whether the pool's process lives.
const LOOK: Duration = Duration::from_millis(250);
/// How long a leave note is kept from it, as it is for another.
const NOT_MINE: Duration = Duration::from_millis(5);

/// This program as a worker of a [pool with a name](crate::PoolBuilder::name): it offers its tasks, and runs the calls that it gets.
///
/// All workers of a pool should offer the same tasks, since any of them may get any call; one that does not know a call's task fails it with
/// [`ErrorKind::UnknownTask`]. The pool's `on_start` hook is run when it joins, its `on_exit` hook when it leaves. The pool's limits of calls and memory are not its own, nor does it count in
/// the pool's size. Each [`Fabric`] that a process has opened can be in a pool once at a time, and no process in its own pool.
///
/// **Deaths.** The pool watches its process as that of any worker: if it dies, the call that it was running fails with [`ErrorKind::WorkerDied`] (or is retried), the rest runs elsewhere. How it ended is not known, as
/// it is no child of the pool. Nobody starts it again. A call that is cancelled or over its hard limit is ended by killing its process, as with any worker. If the pool ends, or its process dies, the worker
/// has [left](Stepped::Left).
///
/// **Drop** leaves.
///
/// ```
/// use polyproc::{Fabric, Pool, Process, Worker, task};
///
/// #[task]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// /// What another program would do.
/// #[task]
/// fn lend_a_hand(fabric: String) -> u64 {
///     let mut worker = Worker::join(&fabric, "squares").unwrap();
///     worker.run().unwrap(); // until the pool is closed
///     worker.batches()
/// }
///
/// let name = format!("doc-join-{}", std::process::id());
/// let fabric = Fabric::create(&name)?;
/// let pool = Pool::builder().fabric(&fabric).name("squares").workers(0).build()?;
/// let other = Process::spawn(lend_a_hand, (name,))?;
/// assert_eq!(pool.map(square, 0..5)?, [0, 1, 4, 9, 16]);
/// pool.close();
/// pool.join()?;
/// assert!(other.join()?.success());
/// # Ok::<(), polyproc::Error>(())
/// ```
pub struct Worker {
    fabric: Fabric,
    pool: Description,
    tasks: BytesQueue,
    core: worker::Worker,
    number: u32,
    on_exit: Option<Vec<u8>>,
    asked: Arc<AtomicBool>,
    left: bool,
    batches: u64,
    /// How many forks lay behind the process that joined.
    forks: u32,
}

/// What a [step](Worker::step) came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// It ran a batch of calls.
    Ran,
    /// There was nothing to do within the time.
    Idle,
    /// The worker has left: it was asked to, or the pool is over. It does nothing any more.
    Left,
}

/// Makes a [`Worker`] leave, from any thread.
#[derive(Clone, Debug)]
pub struct Leaver(Arc<AtomicBool>);

impl Leaver {
    /// The worker leaves when the batch that it runs is over, or within a quarter of a second if it waits. Does not wait for that.
    pub fn leave(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Worker {
    /// Opens the fabric of this name, and joins the pool of that name in it.
    ///
    /// # Errors
    ///
    /// As [`Worker::new`]; `NotFound` if there is no such fabric.
    pub fn join(fabric: &str, pool: &str) -> Result<Worker> {
        Worker::new(&Fabric::open(fabric)?, pool)
    }

    /// Joins a pool of this fabric, and waits until it has let this process in.
    ///
    /// # Errors
    ///
    /// `NotFound` if no pool of this name lives; [`ErrorKind::PoolClosed`] if it ends; what the `on_start` hook failed with; `InvalidArgument` if this process has the pool,
    /// is a worker of it already by the same [`Fabric`], or cannot be watched from the pool's process, as in another pid namespace; `OutOfMemory` at once if the fabric has no room for that.
    pub fn new(fabric: &Fabric, pool: &str) -> Result<Worker> {
        let pool = named::find(fabric, pool)?;
        let over = |error: Error| if error.kind() == ErrorKind::Ipc(Ipc::Gone) { table::closed() } else { error };
        let (tasks, results) = (BytesQueue::from_ticket(&pool.tasks), BytesQueue::from_ticket(&pool.results));
        let (tasks, results) = (tasks.map_err(|error| over(error.into()))?, results.map_err(|error| over(error.into()))?);
        let setup = Setup::read(pool.setup.as_ref()).map_err(over)?;
        crate::panic::install();
        if let Some(hook) = &setup.on_start {
            worker::call(hook, &mut Vec::new()).map_err(Error::from_failure)?;
        }
        let mailbox = BytesQueue::new(fabric, 0)?;
        let welcome = named::knock(fabric, &pool, &results, &mailbox, Role::Worker)?;
        let page = welcome.page.ok_or_else(|| damaged("a pool's answer"))?;
        let desk = Desk::new(&page, &pool.cancelled).map_err(over)?;
        let core = worker::Worker::new(results, desk, fabric.member()?.to_bits(), pool.events.as_ref());
        tracing::debug!(target: crate::logging::TARGET, number = welcome.number, "joined a pool");
        let (asked, forks) = (Arc::default(), crate::start::fork_generation());
        Ok(Worker { fabric: fabric.clone(), pool, tasks, core, number: welcome.number, on_exit: setup.on_exit, asked, left: false, batches: 0, forks })
    }

    /// Runs calls until the pool is over, or the worker was [asked](Worker::leaver) to leave. Then it has left.
    ///
    /// # Errors
    ///
    /// `Corrupt` for damaged memory.
    pub fn run(&mut self) -> Result<()> {
        while self.step(None)? != Stepped::Left {}
        Ok(())
    }

    /// Waits for a batch of calls, no longer than `limit` (`None`: for ever), and runs it: for programs with a loop of their own. How many calls a batch has is for who submits to say
    /// ([chunks](crate::Options::chunk_size)). A pool that is closed does not wait for a worker that takes no step.
    ///
    /// # Errors
    ///
    /// `Corrupt` for damaged memory, and `InvalidArgument` in a forked process.
    pub fn step(&mut self, limit: Option<Duration>) -> Result<Stepped> {
        self.advance(limit, false)
    }

    /// As [`step`](Worker::step), but a signal ends the wait, as [`interruptible`] has it: for programs whose language runs its handlers between calls.
    ///
    /// # Errors
    ///
    /// As there; `Interrupted` if a signal came while it waited, and no call was begun then.
    pub fn step_or_signal(&mut self, limit: Option<Duration>) -> Result<Stepped> {
        self.advance(limit, true)
    }

    fn advance(&mut self, limit: Option<Duration>, by_signals: bool) -> Result<Stepped> {
        if self.forks != crate::start::fork_generation() {
            return Err(Error::argument("a worker cannot be used in a forked process: join anew there"));
        }
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        while !self.left {
            if self.asked.load(Ordering::Relaxed) {
                self.depart(true);
                break;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let look = Some(left.map_or(LOOK, |left| left.min(LOOK)));
            let (lease, signalled) =
                if by_signals { interruptible(|| self.tasks.get_lease_timeout(look)) } else { (self.tasks.get_lease_timeout(look), false) };
            match lease {
                Ok(lease) if wire::is_leave(&lease) => self.settle(lease.nak(NOT_MINE).map_err(Error::from))?,
                Ok(lease) => {
                    self.batches += 1;
                    let served = self.core.serve(self.number, lease).map(drop);
                    self.settle(served)?;
                    return Ok(if self.left { Stepped::Left } else { Stepped::Ran });
                }
                Err(error) if error.kind() == Ipc::Timeout && signalled && limit != Some(Duration::ZERO) => {
                    return Err(polyproc_ipc::Error::new(Ipc::Interrupted, "a signal ended a worker's wait for calls").into());
                }
                Err(error) if error.kind() == Ipc::Timeout => {
                    if !self.fabric.alive(self.pool.owner) {
                        // Nothing of a pool that has died is left then.
                        self.settle(self.fabric.sweep().map(drop).map_err(Error::from))?;
                        self.left = true;
                    } else if left.is_some_and(|left| left <= LOOK) {
                        return Ok(Stepped::Idle);
                    }
                }
                Err(error) if error.kind() == Ipc::Closed => self.depart(true),
                Err(error) => self.settle(Err(error.into()))?,
            }
        }
        Ok(Stepped::Left)
    }

    /// A descriptor for event loops, readable when there may be a batch to [step](Worker::step) for, or the pool is closed or has ended: see [`Pollable`]. After a step that was
    /// [idle](Stepped::Idle), [`rearm`](Pollable::rearm) it. The loop should step now and then all the same: somebody who asks by a [`Leaver`], or whose pool's process died, is not seen by it at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PoolClosed`] if it has left; or the system has no descriptor to spare.
    pub fn pollable(&self) -> Result<Pollable> {
        if self.left {
            return Err(table::closed());
        }
        Ok(self.tasks.pollable()?)
    }

    /// Leaves now, in order. Nothing happens if it has left.
    pub fn leave(&mut self) {
        self.depart(true);
    }

    /// Whether it has left, or the pool has ended.
    pub fn has_left(&self) -> bool {
        self.left
    }

    /// What makes it leave from another thread.
    pub fn leaver(&self) -> Leaver {
        Leaver(self.asked.clone())
    }

    /// How many batches of calls it has taken.
    pub fn batches(&self) -> u64 {
        self.batches
    }

    /// What an error means: the pool is over, or memory is damaged.
    fn settle(&mut self, done: Result<()>) -> Result<()> {
        match done {
            Err(error) if matches!(error.kind(), ErrorKind::Ipc(Ipc::Gone | Ipc::Closed)) => self.left = true,
            Err(error) => {
                self.left = true;
                return Err(error);
            }
            Ok(()) => {}
        }
        Ok(())
    }

    fn depart(&mut self, hook: bool) {
        if !std::mem::replace(&mut self.left, true) {
            // A pool that is over hears nothing.
            let _ = self.core.say_goodbye(self.number, self.on_exit.as_deref().filter(|_| hook));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.forks == crate::start::fork_generation() {
            self.depart(!std::thread::panicking());
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("number", &self.number).field("left", &self.left).finish_non_exhaustive()
    }
}
