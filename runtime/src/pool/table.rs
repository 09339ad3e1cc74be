//! What the threads of one pool share: its phase, its unfinished jobs, its workers, and the bell of the supervisor.
//!
//! Lock order: table before job; no lock is held across user code or a wait. Must not know how jobs keep their outcomes.

use std::cell::Cell;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use polyproc_ipc::{BytesQueue, Fabric, Message, Owner};

use super::builder::Settings;
use crate::boot::Entry;
use crate::child::Child;
use crate::error::{Error, ErrorKind, Result};

/// What a call came to: its encoded value, or why there is none.
pub(super) type Outcome = Result<Payload>;

/// An encoded value where it arrived: nothing is copied before somebody decodes it.
#[derive(Debug)]
pub(super) struct Payload {
    pub(super) message: Message,
    pub(super) at: usize,
}

impl Payload {
    pub(super) fn bytes(&self) -> &[u8] {
        self.message.get(self.at..).unwrap_or_default()
    }
}

/// Calls that were submitted together.
pub(super) trait Job: Send + Sync {
    /// Keeps the outcome of a call, unless it has one. True if this was the last: the job leaves the table.
    fn settle(&self, index: u64, outcome: Outcome) -> bool;
    /// Ends every call that has no outcome yet with `error`.
    fn fail(&self, error: &Error);
    /// Takes no further input. True if nothing is left to do: the job leaves the table.
    fn cut(&self) -> bool {
        false
    }
    /// Called once, after the job left the table complete.
    fn announce(&self) {}
}

/// Where a pool is in its life. It only moves down this list.
#[derive(Clone)]
pub(super) enum Phase {
    /// Takes work.
    Open,
    /// Takes no new jobs.
    Closed,
    /// Closed, and all is done: workers leave.
    Drained,
    /// Ended early, and why.
    Stopped(Error),
}

struct Table {
    phase: Phase,
    jobs: HashMap<u64, Arc<dyn Job>>,
}

/// One worker process.
pub(super) struct Worker {
    pub(super) number: u32,
    pub(super) child: Child,
    /// `Owner` bits, once the worker has announced itself; 0 before.
    pub(super) owner: AtomicU64,
    pub(super) finished: AtomicU64,
}

impl Worker {
    pub(super) fn owner(&self) -> Option<Owner> {
        Some(self.owner.load(Ordering::Acquire)).filter(|&bits| bits != 0).map(Owner::from_bits)
    }
}

pub(super) struct Shared {
    pub(super) fabric: Fabric,
    pub(super) tasks: BytesQueue,
    pub(super) results: BytesQueue,
    pub(super) settings: Settings,
    pub(super) bell: OwnedFd,
    /// How many forks lay behind the process that made the pool.
    pub(super) forks: u32,
    /// Workers whose death the collector has not handled.
    pub(super) workers: Mutex<Vec<Arc<Worker>>>,
    table: Mutex<Table>,
    started: AtomicU64,
    jobs: AtomicU64,
}

impl Shared {
    pub(super) fn new(fabric: Fabric, settings: Settings) -> Result<Shared> {
        let bell = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK)
            .map_err(|errno| Error::os(errno, "the bell of a pool"))?;
        // A dead worker's lease waits for the collector, and is not handed to the next worker: its first call may be what killed.
        let tasks = BytesQueue::new_for_reclaim(&fabric, 0)?;
        let results = BytesQueue::new(&fabric, 0).inspect_err(|_| drop(tasks.destroy()))?;
        Ok(Shared {
            fabric,
            tasks,
            results,
            settings,
            bell,
            forks: crate::start::fork_generation(),
            workers: Mutex::default(),
            table: Mutex::new(Table { phase: Phase::Open, jobs: HashMap::new() }),
            started: AtomicU64::new(0),
            jobs: AtomicU64::new(0),
        })
    }

    /// Whether this is the process that made the pool, and no fork of it.
    pub(super) fn at_home(&self) -> bool {
        self.forks == crate::start::fork_generation()
    }

    pub(super) fn phase(&self) -> Phase {
        self.lock().phase.clone()
    }

    /// Enters a job; from now on it will be settled, whatever happens.
    pub(super) fn enter(&self, job: Arc<dyn Job>) -> Result<u64> {
        if !self.at_home() {
            return Err(Error::argument("a pool cannot be used in a forked process: make a new one there"));
        }
        let id = self.jobs.fetch_add(1, Ordering::Relaxed) + 1;
        let mut table = self.lock();
        match &table.phase {
            Phase::Open => {}
            Phase::Closed | Phase::Drained => return Err(closed()),
            Phase::Stopped(error) => return Err(error.clone()),
        }
        table.jobs.insert(id, job);
        Ok(id)
    }

    pub(super) fn find(&self, id: u64) -> Option<Arc<dyn Job>> {
        self.lock().jobs.get(&id).cloned()
    }

    /// Takes a complete job out; with the last one a closed pool is drained.
    pub(super) fn leave(&self, id: u64) {
        let mut table = self.lock();
        table.jobs.remove(&id);
        self.drain_if_done(table);
    }

    /// Puts a batch where workers find it.
    pub(super) fn submit(&self, batch: &[u8]) -> Result<()> {
        self.tasks.put(batch).map_err(|error| match self.phase() {
            Phase::Stopped(error) => error,
            _ => Error::from(error),
        })
    }

    pub(super) fn close(&self) {
        let mut table = self.lock();
        if matches!(table.phase, Phase::Open) {
            table.phase = Phase::Closed;
        }
        self.drain_if_done(table);
    }

    /// Ends the pool early: every unfinished call fails with `error`, and the supervisor ends the workers.
    pub(super) fn stop(&self, error: &Error) {
        let jobs = {
            let mut table = self.lock();
            if matches!(table.phase, Phase::Stopped(_)) {
                return;
            }
            table.phase = Phase::Stopped(error.clone());
            std::mem::take(&mut table.jobs)
        };
        self.ring();
        for job in jobs.values() {
            job.fail(error);
            job.announce();
        }
    }

    /// Jobs that wait for more input get no more, so that a join cannot wait for the thread that joins.
    pub(super) fn cut(&self) {
        let jobs: Vec<_> = self.lock().jobs.iter().map(|(id, job)| (*id, job.clone())).collect();
        for (id, job) in jobs {
            if job.cut() {
                self.leave(id);
            }
        }
    }

    /// Wakes the supervisor.
    pub(super) fn ring(&self) {
        // It can only fail for a counter that is full, and then the bell rings already.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    pub(super) fn start_worker(&self) -> Result<Arc<Worker>> {
        let number = self.started.fetch_add(1, Ordering::Relaxed) as u32;
        let entry = Entry::Worker { number, tasks: self.tasks.lend(), results: self.results.lend() };
        // Entered under the lock, so that the collector finds a worker that announces itself at once.
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let child = Child::start(self.settings.method, self.settings.program.as_deref(), entry, &self.fabric)?;
        let worker = Arc::new(Worker { number, child, owner: AtomicU64::new(0), finished: AtomicU64::new(0) });
        workers.push(worker.clone());
        Ok(worker)
    }

    /// Takes a worker out of the list.
    pub(super) fn forget(&self, number: u32) -> Option<Arc<Worker>> {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let at = workers.iter().position(|worker| worker.number == number)?;
        Some(workers.swap_remove(at))
    }

    fn drain_if_done(&self, mut table: MutexGuard<'_, Table>) {
        if matches!(table.phase, Phase::Closed) && table.jobs.is_empty() {
            table.phase = Phase::Drained;
            drop(table);
            // Fails only if the fabric is damaged; then the supervisor ends the workers.
            if let Err(error) = self.tasks.close() {
                self.stop(&error.into());
            }
            self.ring();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn closed() -> Error {
    Error::new(ErrorKind::PoolClosed, "the pool is closed, and takes no more work")
}

pub(super) fn terminated() -> Error {
    Error::new(ErrorKind::Terminated, "the pool was terminated before the call was done")
}

thread_local! {
    static COLLECTS_FOR: Cell<*const Shared> = const { Cell::new(std::ptr::null()) };
}

/// Marks this thread as the collector of a pool, where callbacks run.
pub(super) fn collect_for(shared: &Arc<Shared>) {
    COLLECTS_FOR.set(Arc::as_ptr(shared));
}

/// Whether this thread is the collector of this very pool: it would wait for itself.
pub(super) fn is_collector(shared: &Arc<Shared>) -> bool {
    COLLECTS_FOR.get() == Arc::as_ptr(shared)
}
