//! Starting the workers of a pool: as children of its own, or by a [`Starter`], which starts processes in the way of another language.
//!
//! Nothing is locked while a starter works, since it runs foreign code. So a process that it has started must not take part before the pool knows it: its *post* (the line of text that it is given) only says
//! where its call will be, and who waits for it to go on. What each death leaves is in `runtime/src/README.md`, "Workers by a starter". Must not know how the process becomes a worker.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, PoisonError};

use polyproc_ipc::{Array, BytesQueue};
use rustix::process::Signal;

use super::PoolBuilder;
use super::cpus::Pinned;
use super::desk::Page;
use super::limits::Facts;
use super::table::{Shared, Worker};
use crate::child::{Child, Foreign};
use crate::error::{Error, ErrorKind, Result};
use crate::logging::TARGET;
use crate::process::current;
use crate::start::{Call, Entry, Post, Traits, WorkerTickets, start_method};

/// Starts the workers of a pool by other means than the pool's own: by a process class of another language, say, which prepares what its functions need. See [`PoolBuilder::starter`].
pub trait Starter: Send + Sync {
    /// Starts one process, which is to call [`worker::serve`](crate::worker::serve) with the order's line, and answers without waiting for that. Called by the thread that builds the pool for the first workers, and by a
    /// thread of the pool for those that come later; nothing of the pool is locked.
    ///
    /// # Errors
    ///
    /// Why it cannot be started: part of an error of kind [`ErrorKind::SpawnFailed`] that [`build`](PoolBuilder::build) answers for the first workers. Later ones are tried again, as it says there.
    fn start(&self, order: &WorkerOrder) -> Result<Box<dyn StartedWorker>, String>;
}

/// A process that a [`Starter`] has started. The pool watches and signals it through its pidfd.
pub trait StartedWorker: Send + Sync {
    /// Its process id, in this process's pid namespace.
    fn pid(&self) -> u32;

    /// Collects it, once it has ended; called without any lock, by a thread of the pool. A process that is nobody's else to collect is left to the pool.
    fn collect(&self) -> Collected {
        Collected::ByPool
    }
}

/// What became of the exit status of a worker that a [`Starter`] has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collected {
    /// It was collected: its exit code, or minus the signal that ended it.
    Code(i32),
    /// It was collected by somebody who does not tell.
    Unknown,
    /// It is a child of this process, and the pool is to collect it.
    ByPool,
}

/// What a [`Starter`] is to start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerOrder {
    /// What the process passes to [`worker::serve`](crate::worker::serve): one line of plain text. It is good for one process.
    pub line: String,
    /// What the worker will call its [number](crate::worker::number).
    pub number: usize,
    /// Variables that should be set in its environment.
    pub environment: Vec<(String, String)>,
}

/// A pool's starter, if it has one.
#[derive(Clone, Default)]
pub(super) struct Means(Option<Arc<dyn Starter>>);

impl Means {
    pub(super) fn is_foreign(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_foreign() { "a starter" } else { "its own" })
    }
}

impl PoolBuilder {
    /// Has the pool's workers started by `starter`, in place of [`program`](PoolBuilder::program) and [`start_method`](PoolBuilder::start_method). The processes have the pool's fabric attached, or find it by its name; they may be
    /// children of this process or, as those of a fork server, of another. All that a pool promises of its workers' deaths holds for them; and a worker ends at once when the pool's process is gone.
    ///
    /// It cannot be joined with [`capture_stderr`](PoolBuilder::capture_stderr) and [`hide_stderr`](PoolBuilder::hide_stderr): standard streams are the starter's.
    ///
    /// ```no_run
    /// use polyproc::{Pool, StartedWorker, Starter, WorkerOrder, task};
    /// use std::process::Command;
    ///
    /// #[task]
    /// fn square(n: u64) -> u64 {
    ///     n * n
    /// }
    ///
    /// struct Again;
    /// struct Child(u32);
    ///
    /// impl Starter for Again {
    ///     fn start(&self, order: &WorkerOrder) -> Result<Box<dyn StartedWorker>, String> {
    ///         // The fabric has a name, by which the process finds it.
    ///         let child = Command::new("/proc/self/exe").args(["worker", &order.line]).spawn().map_err(|error| error.to_string())?;
    ///         Ok(Box::new(Child(child.id())))
    ///     }
    /// }
    ///
    /// impl StartedWorker for Child {
    ///     fn pid(&self) -> u32 {
    ///         self.0
    ///     }
    /// }
    ///
    /// fn main() -> polyproc::Result<()> {
    ///     if let Some(line) = std::env::args().nth(2) {
    ///         std::process::exit(polyproc::worker::serve(&line)?);
    ///     }
    ///     let fabric = polyproc::Fabric::create("squares")?;
    ///     let pool = Pool::builder().fabric(&fabric).workers(2).starter(Again).build()?;
    ///     assert_eq!(pool.map(square, 0..3)?, [0, 1, 4]);
    ///     Ok(())
    /// }
    /// ```
    pub fn starter(mut self, starter: impl Starter + 'static) -> PoolBuilder {
        self.means = Means(Some(Arc::new(starter)));
        self
    }
}

impl Shared {
    /// Starts a worker; `again`: in the place of one that is gone.
    pub(super) fn start_worker(&self, place: u32, again: bool) -> Result<Arc<Worker>> {
        let (number, page) = (self.next_number(), self.spare_page()?);
        let (tasks, results, cancelled) = (self.tasks.lend(), self.results.lend(), self.board.lend());
        let (setup, events) = (self.setup.as_ref().map(Array::lend), self.journal.lend());
        let tickets = WorkerTickets { tasks, results, page: page.lend(), cancelled, setup, events };
        let entry = Entry::Worker { number, place, tickets: Box::new(tickets) };
        if let Some(starter) = &self.settings.means.0 {
            return self.start_foreign(&**starter, (number, place), page, entry, again);
        }
        let settings = &self.settings;
        self.board
            .introduce(page, |page| {
                // Entered under the lock, so that the collector finds a worker that announces itself at once.
                let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
                let pinned = Pinned::to(&self.settings.cpus, place).inspect_err(|_| self.keep_page(page.clone()))?;
                let child = Child::start(settings.method, settings.program.as_deref(), entry, settings.options_of_workers(), &self.fabric);
                let child = child.inspect_err(|_| self.keep_page(page.clone()))?;
                drop(pinned);
                let worker = Worker::new((number, place), child, page);
                workers.push(worker.clone());
                Ok(worker)
            })
            .inspect(|worker| self.tell_start(worker, again))
    }

    fn start_foreign(&self, starter: &dyn Starter, (number, place): (u32, u32), page: Page, entry: Entry, again: bool) -> Result<Arc<Worker>> {
        let started = self.launch_foreign(starter, place).inspect_err(|_| self.keep_page(page.clone()))?;
        let (child, mailbox) = started;
        let worker = self.board.introduce(page, |page| {
            let worker = Worker::new((number, place), child, page);
            self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(worker.clone());
            Ok(worker)
        })?;
        // From here on its end is noted as that of any worker. It is told what it is behind that, so that nothing is done which nobody watches.
        let traits = Traits { daemon: false, outlives: false, method: start_method(), tail: 0 };
        let call = Call { parent: std::process::id(), traits, name: format!("PoolWorker-{}", number + 1), parent_name: current::name(), entry };
        if mailbox.put(call.to_string().as_bytes()).is_err() {
            // Without memory for a line it cannot be told; it ends, and is one that died before it could do anything.
            let _ = mailbox.destroy();
            let _ = worker.child.signal(Signal::KILL);
        }
        self.tell_start(&worker, again);
        Ok(worker)
    }

    /// A process that will be a worker when it is told, and where it is told.
    fn launch_foreign(&self, starter: &dyn Starter, place: u32) -> Result<(Child, BytesQueue)> {
        let mailbox = BytesQueue::new(&self.fabric, 0)?;
        let owner = self.fabric.member().inspect_err(|_| drop(mailbox.destroy()))?;
        let post = Post { parent: std::process::id(), owner: owner.to_bits(), fabric: self.fabric.name().map(str::to_owned), mailbox: mailbox.lend() };
        let order = WorkerOrder { line: post.to_string(), number: place as usize, environment: self.settings.environment.clone() };
        let start = || {
            let pinned = Pinned::to(&self.settings.cpus, place)?;
            let started = starter.start(&order).map_err(|why| Error::new(ErrorKind::SpawnFailed, format!("cannot start a worker: {why}")))?;
            drop(pinned);
            let pid = started.pid();
            Child::foreign(Foreign { started, mailbox: mailbox.clone() }).map_err(|errno| {
                Error::because(
                    ErrorKind::SpawnFailed,
                    format!("cannot watch process {pid}, a worker by a starter"),
                    polyproc_ipc::Error::os(errno, "pidfd_open"),
                )
            })
        };
        match start() {
            Ok(child) => Ok((child, mailbox)),
            Err(error) => {
                // A process that was started all the same finds nobody.
                let _ = mailbox.destroy();
                Err(error)
            }
        }
    }

    fn tell_start(&self, worker: &Worker, again: bool) {
        let (pid, number) = (worker.child.pid(), worker.number);
        self.journal.started(pid, number, again);
        tracing::info!(target: TARGET, worker = number, pid, again, "worker started");
    }
}

impl Worker {
    fn new((number, place): (u32, u32), child: Child, page: Page) -> Arc<Worker> {
        let (owner, [finished, failed], buried) = (AtomicU64::new(0), [AtomicU64::new(0), AtomicU64::new(0)], AtomicBool::new(false));
        Arc::new(Worker { number, place, child, page, buried, owner, finished, failed, facts: Facts::default() })
    }
}
