//! `PoolClient`: submitting to a pool that another process has.
//!
//! A client has the first half of a pool: its table of jobs, and a collector, which reads the client's own reply queue. In place of a supervisor a *keeper* waits for the death of the pool's
//! process, and for the client's own end. See `runtime/src/README.md`, "Pools with a name". Must not know workers.

use std::fmt;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use polyproc_ipc::{Array, BytesQueue, Fabric};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::calls::Calls;
use super::desk::Board;
use super::guests::{Remote, Standing};
use super::handle::AsyncResult;
use super::imap::Imap;
use super::journal::Journal;
use super::named::{self, owner_died};
use super::notes::Role;
use super::options::Options;
use super::table::{self, Phase, Shared};
use super::{Pool, PoolBuilder, collector};
use crate::child::Child;
use crate::error::{Error, ErrorKind, Result};
use crate::task::{Task, TaskFn};

/// A pool of another process, as one that submits to it sees it: what [`Pool::connect`] gives. Its methods are those of [`Pool`], where each is explained. It may be shared between threads.
///
/// Calls have retries, priorities, soft limits and windows as the client says. Only the process that has the pool can cancel calls and give them hard limits: both are `InvalidArgument` here.
///
/// **Deaths.** If a worker dies in a call, that call fails with [`ErrorKind::WorkerDied`], or is retried, as for the pool itself. If the pool's process dies, every call that is not done fails at once with
/// [`ErrorKind::Terminated`]; if the pool ends, with [`ErrorKind::PoolClosed`]. If the client's process dies, its calls that have not begun are mostly not run, and nothing is left.
///
/// **Drop** fails what is not done with [`ErrorKind::Terminated`]; calls that have begun run to their end.
///
/// ```
/// use polyproc::{Fabric, Pool, Process, task};
///
/// #[task]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// /// What another program would do.
/// #[task]
/// fn submits(fabric: String) -> u64 {
///     let pool = Pool::connect(&Fabric::open(&fabric).unwrap(), "squares").unwrap();
///     pool.map(square, 0..4).unwrap().iter().sum()
/// }
///
/// let name = format!("doc-connect-{}", std::process::id());
/// let pool = Pool::builder().fabric(&Fabric::create(&name)?).name("squares").workers(2).build()?;
/// let elsewhere = Pool::new(1)?;
/// assert_eq!(elsewhere.apply(submits, (name,))?, 14);
/// # drop(pool);
/// # Ok::<(), polyproc::Error>(())
/// ```
pub struct PoolClient {
    shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

impl Pool {
    /// Connects to the pool of this [name](PoolBuilder::name), which another process has (or this one), to submit calls to it.
    ///
    /// # Errors
    ///
    /// `NotFound` if no pool of this name lives; [`ErrorKind::PoolClosed`] if it takes no more work; an error of the fabric, as `OutOfMemory` at once; `InvalidArgument` if the pool's process cannot be watched from here, as in
    /// another pid namespace.
    pub fn connect(fabric: &Fabric, name: &str) -> Result<PoolClient> {
        PoolClient::new(fabric, name)
    }
}

impl PoolClient {
    fn new(fabric: &Fabric, name: &str) -> Result<PoolClient> {
        let pool = named::find(fabric, name)?;
        let listed = fabric.members().into_iter().find(|member| member.owner == pool.owner);
        let watched = Child::of_member(fabric, pool.owner, listed.map_or(0, |member| member.pid))?;
        let open = |ticket| BytesQueue::from_ticket(ticket).map_err(|_| table::closed());
        let (tasks, results, reply) = (open(&pool.tasks)?, open(&pool.results)?, BytesQueue::new(fabric, 0)?);
        let board = Board::from_ticket(&pool.cancelled).map_err(|_| table::closed())?;
        let doze = Array::from_ticket(&pool.doze).map_err(|_| table::closed())?;
        let welcome = named::knock(fabric, &pool, &results, &reply, Role::Client)?;
        let settings = PoolBuilder::default().name(name).workers(pool.workers as usize).events(0).settings()?;
        let journal = Journal::new(fabric, &settings.events)?;
        let standing = Standing::Client(Box::new(Remote { results, doze, reply: reply.lend() }));
        let shared = Shared::of(fabric.clone(), settings, standing, [tasks, reply], board, journal)?;
        let shared = Arc::new(shared.number_jobs_from(u64::from(welcome.number) << 40));
        let keeper = std::thread::Builder::new().name("polyproc-keep".into()).spawn({
            let shared = shared.clone();
            move || keep(&shared, &watched)
        });
        let keeper = keeper.map_err(|error| {
            let _ = shared.results.destroy();
            Error::new(ErrorKind::SpawnFailed, format!("cannot start a thread of a pool's client: {error}"))
        })?;
        Ok(PoolClient { shared, keeper: Mutex::new(Some(keeper)) })
    }

    /// Whether the pool still takes calls, as far as this client has heard.
    pub fn is_open(&self) -> bool {
        matches!(self.shared.phase(), Phase::Open)
    }

    /// As [`Pool::with`].
    pub fn with(&self, options: Options) -> Calls<'_> {
        Calls::new(&self.shared, options)
    }

    pub(super) fn calls(&self) -> Calls<'_> {
        self.with(self.shared.settings.options)
    }

    /// As [`Pool::apply`].
    pub fn apply<F: TaskFn>(&self, task: Task<F>, args: F::Args) -> Result<F::Output> {
        self.calls().apply(task, args)
    }

    /// As [`Pool::submit`].
    pub fn submit<F: TaskFn>(&self, task: Task<F>, args: F::Args) -> Result<AsyncResult<F::Output>> {
        self.calls().submit(task, args)
    }

    /// As [`Pool::try_submit`].
    pub fn try_submit<F: TaskFn>(&self, task: Task<F>, args: F::Args) -> Result<AsyncResult<F::Output>> {
        self.calls().try_submit(task, args)
    }

    /// As [`Pool::submit_by_name`].
    pub fn submit_by_name<R: DeserializeOwned>(&self, name: &str, args: impl Serialize) -> Result<AsyncResult<R>> {
        self.calls().submit_by_name(name, args)
    }

    /// As [`Pool::apply_async`].
    pub fn apply_async<F: TaskFn>(&self, task: Task<F>, args: F::Args) -> Result<AsyncResult<F::Output>> {
        self.submit(task, args)
    }

    /// As [`Pool::apply_async_with`].
    pub fn apply_async_with<F: TaskFn>(&self, task: Task<F>, args: F::Args, callback: impl FnOnce(Result<F::Output>) + Send + 'static) -> Result<()> {
        self.calls().submit_with(task, args, callback)
    }

    /// As [`Pool::call`].
    pub fn call<R: DeserializeOwned>(&self, name: &str, args: impl Serialize) -> Result<R> {
        self.submit_by_name(name, args)?.get()
    }

    /// As [`Pool::map`].
    pub fn map<A, R>(&self, task: Task<fn(A) -> R>, items: impl IntoIterator<Item = A>) -> Result<Vec<R>>
    where
        fn(A) -> R: TaskFn<Args = (A,), Output = R>,
        A: Serialize,
        R: DeserializeOwned,
    {
        self.calls().map(task, items)
    }

    /// As [`Pool::map_async`].
    pub fn map_async<A, R>(&self, task: Task<fn(A) -> R>, items: impl IntoIterator<Item = A>) -> Result<AsyncResult<Vec<R>>>
    where
        fn(A) -> R: TaskFn<Args = (A,), Output = R>,
        A: Serialize,
        R: DeserializeOwned,
    {
        self.calls().map_async(task, items)
    }

    /// As [`Pool::starmap`].
    pub fn starmap<F: TaskFn>(&self, task: Task<F>, items: impl IntoIterator<Item = F::Args>) -> Result<Vec<F::Output>> {
        self.calls().starmap(task, items)
    }

    /// As [`Pool::starmap_async`].
    pub fn starmap_async<F: TaskFn>(&self, task: Task<F>, items: impl IntoIterator<Item = F::Args>) -> Result<AsyncResult<Vec<F::Output>>> {
        self.calls().starmap_async(task, items)
    }

    /// As [`Pool::imap`].
    pub fn imap<A, R, I>(&self, task: Task<fn(A) -> R>, items: I) -> Result<Imap<I::IntoIter, R>>
    where
        fn(A) -> R: TaskFn<Args = (A,), Output = R>,
        A: Serialize,
        R: DeserializeOwned,
        I: IntoIterator<Item = A>,
    {
        self.calls().imap(task, items)
    }

    /// As [`Pool::imap_unordered`].
    pub fn imap_unordered<A, R, I>(&self, task: Task<fn(A) -> R>, items: I) -> Result<Imap<I::IntoIter, R>>
    where
        fn(A) -> R: TaskFn<Args = (A,), Output = R>,
        A: Serialize,
        R: DeserializeOwned,
        I: IntoIterator<Item = A>,
    {
        self.calls().imap_unordered(task, items)
    }
}

impl Shared {
    /// The queue of records was closed and is drained. For a client that is the end of its pool; a pool does it itself.
    pub(super) fn has_ended(&self) {
        if self.remote().is_some() {
            self.stop(&Error::new(ErrorKind::PoolClosed, "the pool ended before the call was done"));
        }
    }
}

/// Waits for the end of the pool, of its process, or of the client, and leaves nothing of the client behind.
fn keep(shared: &Arc<Shared>, pool: &Child) {
    let collector = std::thread::Builder::new().name("polyproc-collect".into()).spawn({
        let shared = shared.clone();
        move || collector::run(&shared)
    });
    if let Err(error) = &collector {
        shared.stop(&Error::new(ErrorKind::SpawnFailed, format!("cannot start a thread of a pool's client: {error}")));
    }
    while !matches!(shared.phase(), Phase::Stopped(_)) {
        let mut watched = [PollFd::from_borrowed_fd(shared.bell.as_fd(), PollFlags::IN), PollFd::from_borrowed_fd(pool.sentinel(), PollFlags::IN)];
        match poll(&mut watched, None) {
            Ok(_) if !watched[1].revents().is_empty() => {
                // What its workers put goes on until they end with it; nobody tells what of it is missing.
                let _ = shared.fabric.sweep();
                shared.stop(&owner_died());
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => shared.stop(&Error::os(errno, "watching the pool's process")),
        }
        let _ = rustix::io::read(&shared.bell, &mut [0; 8]);
    }
    let _ = shared.results.close();
    if let Ok(collector) = collector {
        let _ = collector.join();
    }
    shared.warden.end();
    let _ = shared.results.destroy();
}

impl Drop for PoolClient {
    fn drop(&mut self) {
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if !self.shared.at_home() {
            // The threads are in the parent.
            std::mem::forget(keeper);
            return;
        }
        self.shared.stop(&Error::new(ErrorKind::Terminated, "the pool's client was dropped before the call was done"));
        if !table::is_collector(&self.shared)
            && let Some(keeper) = keeper
        {
            let _ = keeper.join();
        }
    }
}

impl fmt::Debug for PoolClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolClient").field("open", &self.is_open()).finish_non_exhaustive()
    }
}
