//! `Pool`: worker processes that run tasks. The protocol is in `runtime/src/README.md`.
//!
//! | file | idea |
//! | --- | --- |
//! | this one, `builder`, `options` | the public face: what a pool is made with, and how calls are run |
//! | `calls`, `job`, `gather`, `imap` | calls on their way: typed and submitted; together, or one by one |
//! | `encoded` | the same for calls by name whose arguments and results stay bytes |
//! | `handle`, `many`, `completions`, `cancel` | the handle of calls that run meanwhile; several of them, also for event loops; ending them |
//! | `table` | what the threads of a pool share |
//! | `collector`, `supervisor`, `warden` | the threads: who settles calls, who keeps workers, who acts when a time has come |
//! | `ended` | the descriptor that tells of a pool's end |
//! | `restarts`, `elastic`, `limits`, `cpus` | what these decide by |
//! | `worker`, `setup`, `hooks` | the worker's side, and what it is told |
//! | `starter` | how workers are started, also by the means of another language |
//! | `stderr` | where workers' standard error leads |
//! | `desk` | who is in which call, in shared memory |
//! | `journal`, `progress` | what happened, and how far it is |
//! | `named`, `notes`, `guests` | a pool's name, what is said to those who come by it, and how they are let in |
//! | `joined`, `client` | who comes: a worker that joined by itself, and who submits from elsewhere |

mod builder;
pub(crate) mod calls;
mod cancel;
mod client;
mod collector;
mod completions;
mod cpus;
pub(crate) mod desk;
mod elastic;
mod encoded;
mod ended;
mod gather;
mod guests;
mod handle;
mod hooks;
mod imap;
mod job;
mod joined;
mod journal;
mod limits;
mod many;
mod named;
mod notes;
mod options;
mod progress;
mod restarts;
#[cfg(test)]
mod retry_tests;
mod setup;
mod starter;
mod stderr;
mod supervisor;
mod table;
mod warden;
pub(crate) mod worker;

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::task::{Task, TaskFn};
pub use builder::PoolBuilder;
pub use calls::Calls;
pub use client::PoolClient;
pub use completions::Completions;
use ended::End;
pub use handle::AsyncResult;
pub use imap::Imap;
pub use joined::{Leaver, Stepped, Worker};
pub use limits::MemoryLimit;
pub use many::{AsCompleted, WaitUntil, as_completed, wait_calls};
pub use options::{Options, Priority, Retry};
pub use progress::{JobProgress, Progress, WorkerProgress};
pub use starter::{Collected, StartedWorker, Starter, WorkerOrder};
use table::{Phase, Shared};

/// Worker processes that run tasks.
///
/// A worker is this program, started again. Calls are taken by whichever worker is free. The pool may be shared between threads.
///
/// **Deaths.** A worker that dies, at whatever instruction, fails the one call it was running ([`ErrorKind::WorkerDied`], with signal or exit
/// code) and is replaced; what it had finished counts, and what it had not begun runs elsewhere. No call runs twice, unless [retries](Retry) were asked for. If workers die again and
/// again before they can do anything, the pool gives up, and every call fails with [`ErrorKind::GaveUp`].
///
/// **Drop** terminates: see [`terminate`](Pool::terminate). No process and no thread is left.
///
/// ```
/// use polyproc::{ErrorKind, Pool, task};
///
/// #[task]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// #[task]
/// fn die() {
///     std::process::abort();
/// }
///
/// let pool = Pool::new(2)?;
/// assert_eq!(pool.map(square, 0..5)?, [0, 1, 4, 9, 16]);
/// assert_eq!(pool.apply(die, ()).unwrap_err().kind(), ErrorKind::WorkerDied);
/// assert_eq!(pool.apply(square, (7,))?, 49); // on a new worker, or on the other
/// # Ok::<(), polyproc::Error>(())
/// ```
pub struct Pool {
    shared: Arc<Shared>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
    ended: End,
}

/// One worker of a pool, at the moment of [`Pool::workers`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// The process's id.
    pub pid: u32,
    /// Whether it has joined the fabric and takes calls.
    pub ready: bool,
    /// How many calls it has finished.
    pub finished: u64,
    /// What it calls its [number](crate::worker::number).
    pub number: usize,
    /// Whether it [joined by itself](crate::Worker): then its number means nothing.
    pub joined: bool,
    /// How much memory it had of its own when the pool last looked, which it does while calls run.
    pub memory: Option<u64>,
}

impl Pool {
    /// A pool of `workers` processes in the current fabric.
    ///
    /// # Errors
    ///
    /// As [`PoolBuilder::build`].
    pub fn new(workers: usize) -> Result<Pool> {
        Pool::builder().workers(workers).build()
    }

    /// A pool that is not started yet, to be given a fabric, a size or a chunk size.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    /// Runs `task` with `args`, a tuple, on a worker, and waits for its value.
    ///
    /// # Errors
    ///
    /// As [`AsyncResult::get`], and as [`apply_async`](Pool::apply_async).
    pub fn apply<F: TaskFn>(&self, task: Task<F>, args: F::Args) -> Result<F::Output> {
        self.calls().apply(task, args)
    }

    /// The pool's calls with these options in place of its own: retries, limits, priority, chunks.
    ///
    /// ```
    /// # use polyproc::{Options, Pool, Priority, task};
    /// # #[task]
    /// # fn square(n: u64) -> u64 { n * n }
    /// let pool = Pool::new(2)?;
    /// let first = pool.with(Options::new().priority(Priority::High));
    /// assert_eq!(first.submit(square, (7,))?.get()?, 49);
    /// assert_eq!(first.map(square, 0..3)?, [0, 1, 4]);
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn with(&self, options: Options) -> Calls<'_> {
        Calls::new(&self.shared, options)
    }

    fn calls(&self) -> Calls<'_> {
        self.with(self.shared.settings.options)
    }

    /// Submits one call, and returns without waiting for it. While as many submissions as the pool holds are unfinished ([`PoolBuilder::max_pending`]), it first waits for
    /// one to be over; not so in a callback of any pool. In a thread that must not wait, as an executor's, [`try_submit`](Pool::try_submit) is the one to use.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PoolClosed`], [`ErrorKind::Terminated`] or [`ErrorKind::GaveUp`]; [`ErrorKind::BadArguments`] if they cannot be encoded; an error of
    /// the fabric. Nothing was submitted then.
    pub fn submit<F: TaskFn>(&self, task: Task<F>, args: F::Args) -> Result<AsyncResult<F::Output>> {
        self.calls().submit(task, args)
    }

    /// As [`submit`](Pool::submit), but does not wait for room: then the error is `Full` (of [`polyproc_ipc::ErrorKind`]).
    pub fn try_submit<F: TaskFn>(&self, task: Task<F>, args: F::Args) -> Result<AsyncResult<F::Output>> {
        self.calls().try_submit(task, args)
    }

    /// As [`submit`](Pool::submit), of a task that is known only by its name; see [`call`](Pool::call).
    pub fn submit_by_name<R: DeserializeOwned>(&self, name: &str, args: impl Serialize) -> Result<AsyncResult<R>> {
        self.calls().submit_by_name(name, args)
    }

    /// [`submit`](Pool::submit) by the reference's name.
    pub fn apply_async<F: TaskFn>(&self, task: Task<F>, args: F::Args) -> Result<AsyncResult<F::Output>> {
        self.submit(task, args)
    }

    /// As [`apply_async`](Pool::apply_async), with a callback for the result. It is called from the thread that brings the pool's results, and should be
    /// short, as every other result waits for it; if the pool is terminated first, from the thread that does so.
    pub fn apply_async_with<F: TaskFn>(&self, task: Task<F>, args: F::Args, callback: impl FnOnce(Result<F::Output>) + Send + 'static) -> Result<()> {
        self.calls().submit_with(task, args, callback)
    }

    /// Runs a task that is known only by its name, as one of another language. `args` is a tuple; the result's type is given at the call.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownTask`] if the workers' program has none of this name; [`ErrorKind::BadArguments`] or [`ErrorKind::BadResult`] if the types
    /// do not fit; and as [`apply`](Pool::apply).
    ///
    /// ```
    /// # use polyproc::{Pool, task};
    /// #[task(name = "demo.square")]
    /// fn square(n: u64) -> u64 {
    ///     n * n
    /// }
    ///
    /// let pool = Pool::new(1)?;
    /// assert_eq!(pool.call::<u64>("demo.square", (7,))?, 49);
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn call<R: DeserializeOwned>(&self, name: &str, args: impl Serialize) -> Result<R> {
        self.submit_by_name(name, args)?.get()
    }

    /// Runs `task` on every item, and waits for the values, in the order of the items.
    ///
    /// All items are submitted at once, so their arguments must fit into the fabric together; [`imap`](Pool::imap) takes them as there is room.
    ///
    /// # Errors
    ///
    /// If a call fails, the others still run; the error is that of the lowest index. Otherwise as [`apply`](Pool::apply).
    pub fn map<A, R>(&self, task: Task<fn(A) -> R>, items: impl IntoIterator<Item = A>) -> Result<Vec<R>>
    where
        fn(A) -> R: TaskFn<Args = (A,), Output = R>,
        A: Serialize,
        R: DeserializeOwned,
    {
        self.calls().map(task, items)
    }

    /// As [`map`](Pool::map), where a worker takes `chunk` calls at once.
    pub fn map_chunked<A, R>(&self, task: Task<fn(A) -> R>, items: impl IntoIterator<Item = A>, chunk: usize) -> Result<Vec<R>>
    where
        fn(A) -> R: TaskFn<Args = (A,), Output = R>,
        A: Serialize,
        R: DeserializeOwned,
    {
        self.with(self.shared.settings.options.chunk_size(chunk)).map(task, items)
    }

    /// Submits a call for every item, and returns without waiting for them.
    pub fn map_async<A, R>(&self, task: Task<fn(A) -> R>, items: impl IntoIterator<Item = A>) -> Result<AsyncResult<Vec<R>>>
    where
        fn(A) -> R: TaskFn<Args = (A,), Output = R>,
        A: Serialize,
        R: DeserializeOwned,
    {
        self.calls().map_async(task, items)
    }

    /// As [`map`](Pool::map), for tasks of several arguments: every item is their tuple.
    pub fn starmap<F: TaskFn>(&self, task: Task<F>, items: impl IntoIterator<Item = F::Args>) -> Result<Vec<F::Output>> {
        self.calls().starmap(task, items)
    }

    /// As [`map_async`](Pool::map_async), for tasks of several arguments: every item is their tuple.
    pub fn starmap_async<F: TaskFn>(&self, task: Task<F>, items: impl IntoIterator<Item = F::Args>) -> Result<AsyncResult<Vec<F::Output>>> {
        self.calls().starmap_async(task, items)
    }

    /// An iterator over the values in the order of the items, which are read only as values are taken. A worker takes one call at
    /// once, unless the pool was built with a chunk size.
    pub fn imap<A, R, I>(&self, task: Task<fn(A) -> R>, items: I) -> Result<Imap<I::IntoIter, R>>
    where
        fn(A) -> R: TaskFn<Args = (A,), Output = R>,
        A: Serialize,
        R: DeserializeOwned,
        I: IntoIterator<Item = A>,
    {
        self.calls().imap(task, items)
    }

    /// As [`imap`](Pool::imap), with the values in the order in which they arrive.
    pub fn imap_unordered<A, R, I>(&self, task: Task<fn(A) -> R>, items: I) -> Result<Imap<I::IntoIter, R>>
    where
        fn(A) -> R: TaskFn<Args = (A,), Output = R>,
        A: Serialize,
        R: DeserializeOwned,
        I: IntoIterator<Item = A>,
    {
        self.calls().imap_unordered(task, items)
    }

    /// The workers at this moment.
    pub fn workers(&self) -> Vec<WorkerInfo> {
        let workers = self.shared.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = workers
            .iter()
            .map(|worker| WorkerInfo {
                pid: worker.child.pid(),
                ready: worker.owner().is_some(),
                finished: worker.finished.load(Ordering::Relaxed),
                number: worker.place as usize,
                joined: worker.is_guest(),
                memory: worker.death(0).resident,
            })
            .collect();
        all.sort_by_key(|worker| worker.pid);
        all
    }

    /// From now on the pool has `workers` workers: more are started at once; those too many leave one by one as they become idle, in order (see
    /// [`on_exit`](PoolBuilder::on_exit)), and no call is lost. Bounds that it was [built with](PoolBuilder::workers_between) hold no more. Does not wait.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for no workers, or in a forked process.
    pub fn resize(&self, workers: usize) -> Result<()> {
        if workers == 0 || !self.shared.at_home() {
            return Err(Error::argument("a pool needs at least one worker, and is resized by the process that made it"));
        }
        self.shared.resize(workers);
        Ok(())
    }

    /// The ring of the pool's last events, unless it was made [without](PoolBuilder::events). What they mean is in [`trace`](crate::trace).
    pub fn events(&self) -> Option<&polyproc_ipc::Events> {
        self.shared.journal.events()
    }

    /// Writes what the pool and its workers did until now, as far as its [events](PoolBuilder::events) are still there, to a file that <https://ui.perfetto.dev> and `chrome://tracing` show.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the pool keeps no events; and as [`trace::write`](crate::trace::write).
    ///
    /// ```
    /// # use polyproc::{Pool, task};
    /// # #[task]
    /// # fn square(n: u64) -> u64 { n * n }
    /// let pool = Pool::builder().workers(2).events(10_000).build()?;
    /// pool.map(square, 0..1000)?;
    /// # let path = std::env::temp_dir().join(format!("polyproc-pool-trace-{}.json", std::process::id()));
    /// pool.trace(&path)?;
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn trace(&self, path: impl AsRef<std::path::Path>) -> Result<()> {
        let events = self.events().ok_or_else(|| Error::argument("this pool keeps no events: make it with `events`, or in a fabric with room for them"))?;
        crate::trace::write(events, path)
    }

    /// Takes no more jobs. What was submitted runs to its end; an [`Imap`] that was begun goes on. Then the workers leave.
    pub fn close(&self) {
        if self.shared.at_home() {
            self.shared.close();
        }
    }

    /// Ends the workers at once, with SIGKILL. Every call that is not done fails with [`ErrorKind::Terminated`]. Does not wait.
    pub fn terminate(&self) {
        if self.shared.at_home() {
            self.shared.stop(&table::terminated());
        }
    }

    /// Waits until a closed or terminated pool is over: every call done, every worker gone. An [`Imap`] that still holds input gets no more of
    /// it, and says so with [`ErrorKind::PoolClosed`] when it comes there.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the pool is open, or in a callback of this pool: it would wait for itself.
    pub fn join(&self) -> Result<()> {
        if table::is_collector(&self.shared) || !self.shared.at_home() {
            return Err(Error::argument("a pool cannot be joined from its own callback, or in a forked process"));
        }
        if matches!(self.shared.phase(), Phase::Open) {
            return Err(Error::argument("the pool is open, and would never end: close or terminate it before the join"));
        }
        self.shared.cut();
        self.wait_for_threads();
        Ok(())
    }

    fn wait_for_threads(&self) {
        let mut supervisor = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(supervisor) = supervisor.take() {
            let _ = supervisor.join();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if !self.shared.at_home() {
            // The threads are in the parent.
            std::mem::forget(self.supervisor.lock().unwrap_or_else(PoisonError::into_inner).take());
            return;
        }
        self.terminate();
        if !table::is_collector(&self.shared) {
            self.wait_for_threads();
        }
        self.shared.journal.end();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("workers", &self.shared.settings.bounds.most).finish_non_exhaustive()
    }
}
