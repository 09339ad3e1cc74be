//! `Pool`: worker processes that run tasks. The protocol is in `runtime/src/README.md`.
//!
//! This file is the public face: it types calls and submits them. Which worker runs what, and what a death means, is decided in
//! `collector`, `supervisor` and `worker`.

mod builder;
mod collector;
mod gather;
mod imap;
mod journal;
mod progress;
mod supervisor;
mod table;
pub(crate) mod worker;

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};
use crate::task::{Task, TaskFn, encode_args};
use crate::wire::{BatchBuilder, LONGEST_NAME};
pub use builder::PoolBuilder;
pub use gather::AsyncResult;
use gather::Gather;
pub use imap::Imap;
pub use progress::{JobProgress, Progress, WorkerProgress};
use table::{Phase, Shared};

/// A batch of calls is cut at this size, so that large arguments spread over the workers.
const LARGE_BATCH: usize = 256 << 10;

/// Worker processes that run tasks.
///
/// A worker is this program, started again. Calls are taken by whichever worker is free. The pool may be shared between threads.
///
/// **Deaths.** A worker that dies, at whatever instruction, fails the one call it was running ([`ErrorKind::WorkerDied`], with signal or exit
/// code) and is replaced; what it had finished counts, and what it had not begun runs elsewhere. No call runs twice. If workers die again and
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
        self.apply_async(task, args)?.get()
    }

    /// Submits one call, and returns at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PoolClosed`], [`ErrorKind::Terminated`] or [`ErrorKind::GaveUp`]; [`ErrorKind::BadArguments`] if they cannot be encoded; an error of
    /// the fabric. Nothing was submitted then.
    pub fn apply_async<F: TaskFn>(&self, task: Task<F>, args: F::Args) -> Result<AsyncResult<F::Output>> {
        self.submit_one(Cow::Borrowed(task.name()), |out| encode_args(&args, out))
    }

    /// As [`apply_async`](Pool::apply_async), with a callback for the result. It is called from the thread that brings the pool's results, and should be
    /// short, as every other result waits for it; if the pool is terminated first, from the thread that does so.
    pub fn apply_async_with<F: TaskFn>(&self, task: Task<F>, args: F::Args, callback: impl FnOnce(Result<F::Output>) + Send + 'static) -> Result<()> {
        let name = task.name();
        let mut batch = BatchBuilder::new(0, 0, name);
        batch.push(|out| encode_args(&args, out)).map_err(|error| bad_arguments(name, 0, error))?;
        let job = Gather::with_callback(Box::new(move |outcomes| callback(gather::one(outcomes, name))));
        self.submit_job(Arc::new(job), batch)
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
        if name.len() > LONGEST_NAME {
            return Err(Error::new(ErrorKind::UnknownTask, format!("no task has a name of {} bytes", name.len())));
        }
        let mut encoded = Vec::new();
        encode_args(&args, &mut encoded).map_err(|error| bad_arguments(name, 0, error))?;
        if !matches!(encoded.first(), Some(0x90..=0x9f | 0xdc | 0xdd)) {
            let sentence = format!("the arguments of task '{name}' are no tuple: one argument is given as (value,), none as ()");
            return Err(Error::new(ErrorKind::BadArguments, sentence));
        }
        self.submit_one::<R>(Cow::Owned(name.into()), |out| {
            out.extend_from_slice(&encoded);
            Ok(())
        })?
        .get()
    }

    /// Runs `task` on every item, and waits for the values, in the order of the items.
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
        self.map_async(task, items)?.get()
    }

    /// As [`map`](Pool::map), where a worker takes `chunk` calls at once.
    pub fn map_chunked<A, R>(&self, task: Task<fn(A) -> R>, items: impl IntoIterator<Item = A>, chunk: usize) -> Result<Vec<R>>
    where
        fn(A) -> R: TaskFn<Args = (A,), Output = R>,
        A: Serialize,
        R: DeserializeOwned,
    {
        if chunk == 0 {
            return Err(Error::argument("a chunk needs at least one call"));
        }
        self.submit_all(task.name(), items.into_iter().map(|item| (item,)), Some(chunk))?.get()
    }

    /// Submits a call for every item, and returns without waiting for them.
    pub fn map_async<A, R>(&self, task: Task<fn(A) -> R>, items: impl IntoIterator<Item = A>) -> Result<AsyncResult<Vec<R>>>
    where
        fn(A) -> R: TaskFn<Args = (A,), Output = R>,
        A: Serialize,
        R: DeserializeOwned,
    {
        self.submit_all(task.name(), items.into_iter().map(|item| (item,)), None)
    }

    /// As [`map`](Pool::map), for tasks of several arguments: every item is their tuple.
    pub fn starmap<F: TaskFn>(&self, task: Task<F>, items: impl IntoIterator<Item = F::Args>) -> Result<Vec<F::Output>> {
        self.starmap_async(task, items)?.get()
    }

    /// As [`map_async`](Pool::map_async), for tasks of several arguments: every item is their tuple.
    pub fn starmap_async<F: TaskFn>(&self, task: Task<F>, items: impl IntoIterator<Item = F::Args>) -> Result<AsyncResult<Vec<F::Output>>> {
        self.submit_all(task.name(), items.into_iter(), None)
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
        Imap::new(&self.shared, Cow::Borrowed(task.name()), items.into_iter(), true, None)
    }

    /// As [`imap`](Pool::imap), with the values in the order in which they arrive.
    pub fn imap_unordered<A, R, I>(&self, task: Task<fn(A) -> R>, items: I) -> Result<Imap<I::IntoIter, R>>
    where
        fn(A) -> R: TaskFn<Args = (A,), Output = R>,
        A: Serialize,
        R: DeserializeOwned,
        I: IntoIterator<Item = A>,
    {
        Imap::new(&self.shared, Cow::Borrowed(task.name()), items.into_iter(), false, None)
    }

    /// The workers at this moment.
    pub fn workers(&self) -> Vec<WorkerInfo> {
        let workers = self.shared.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = workers
            .iter()
            .map(|worker| WorkerInfo { pid: worker.child.pid(), ready: worker.owner().is_some(), finished: worker.finished.load(Ordering::Relaxed) })
            .collect();
        all.sort_by_key(|worker| worker.pid);
        all
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

    fn submit_one<R: DeserializeOwned>(&self, task: Cow<'static, str>, write: impl FnOnce(&mut Vec<u8>) -> polyproc_ipc::Result<()>) -> Result<AsyncResult<R>> {
        let mut batch = BatchBuilder::new(0, 0, &task);
        batch.push(write).map_err(|error| bad_arguments(&task, 0, error))?;
        let job = Arc::new(Gather::new(1, false));
        self.submit_job(job.clone(), batch)?;
        Ok(AsyncResult { job, shared: self.shared.clone(), task, decode: gather::one })
    }

    /// Submits the one batch of a job.
    fn submit_job(&self, job: Arc<Gather>, mut batch: BatchBuilder) -> Result<()> {
        let id = self.shared.enter(job.clone())?;
        batch.set_job(id);
        let submitted = self.shared.submit(&batch.finish());
        if submitted.is_err() {
            self.shared.leave(id);
            // Stopped meanwhile: the job has its answer, and has called back.
            if job.is_done() {
                return Ok(());
            }
        }
        submitted
    }

    fn submit_all<A: Serialize, R: DeserializeOwned>(
        &self,
        task: &'static str,
        items: impl Iterator<Item = A>,
        chunk: Option<usize>,
    ) -> Result<AsyncResult<Vec<R>>> {
        match (chunk.or(self.shared.settings.chunk), items.size_hint()) {
            (Some(chunk), _) => self.submit_chunks(task, items, chunk),
            (None, (low, Some(high))) if low == high => self.submit_chunks(task, items, self.share(low)),
            _ => {
                let items: Vec<A> = items.collect();
                let chunk = self.share(items.len());
                self.submit_chunks(task, items.into_iter(), chunk)
            }
        }
    }

    /// A quarter of each worker's share: coarse enough to be cheap, fine enough that all end at about the same time.
    fn share(&self, calls: usize) -> usize {
        calls.div_ceil(4 * self.shared.settings.workers).max(1)
    }

    fn submit_chunks<A: Serialize, R: DeserializeOwned>(
        &self,
        task: &'static str,
        items: impl Iterator<Item = A>,
        chunk: usize,
    ) -> Result<AsyncResult<Vec<R>>> {
        let job = Arc::new(Gather::new(0, true));
        let growth = Growth { id: self.shared.enter(job.clone())?, shared: &self.shared, job: &job };
        let mut batch = BatchBuilder::new(growth.id, 0, task);
        let mut first = 0;
        for item in items {
            batch.push(|out| encode_args(&item, out)).map_err(|error| bad_arguments(task, first + u64::from(batch.count()), error))?;
            if batch.count() as usize >= chunk || batch.size() >= LARGE_BATCH {
                first += u64::from(batch.count());
                let full = std::mem::replace(&mut batch, BatchBuilder::new(growth.id, first, task));
                growth.submit(full)?;
            }
        }
        if batch.count() > 0 {
            growth.submit(batch)?;
        }
        drop(growth);
        Ok(AsyncResult { job, shared: self.shared.clone(), task: Cow::Borrowed(task), decode: gather::all })
    }
}

/// A job that still grows. However its submission ends, also by an iterator's panic, the job can end.
struct Growth<'a> {
    id: u64,
    shared: &'a Shared,
    job: &'a Gather,
}

impl Growth<'_> {
    fn submit(&self, batch: BatchBuilder) -> Result<()> {
        let count = batch.count() as usize;
        self.job.grow(count);
        self.shared.submit(&batch.finish()).inspect_err(|error| self.job.abandon(count, error))
    }
}

impl Drop for Growth<'_> {
    fn drop(&mut self) {
        if self.job.grown() {
            self.shared.leave(self.id);
        }
    }
}

fn bad_arguments(task: &str, index: u64, error: polyproc_ipc::Error) -> Error {
    Error::because(ErrorKind::BadArguments, format!("the arguments of task '{task}' (call {index}) cannot be encoded"), error)
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
        f.debug_struct("Pool").field("workers", &self.shared.settings.workers).finish_non_exhaustive()
    }
}
