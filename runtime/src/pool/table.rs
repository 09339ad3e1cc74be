//! What the threads of one pool share: its phase, its unfinished jobs, its workers, and the bell of the supervisor.
//!
//! Lock order: table before job; no lock is held across user code or a wait. Must not know how jobs keep their outcomes.

use std::cell::Cell;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use polyproc_ipc::{Array, BytesQueue, ErrorKind as Ipc, Fabric, Owner};

use super::builder::Settings;
use super::desk::{Board, Page, Seen};
use super::guests::Standing;
use super::journal::Journal;
use super::limits::Facts;
use super::options::LANES;
use super::progress::Reports;
use super::warden::Warden;
use crate::child::Child;
use crate::error::{Error, ErrorKind, Result};
use crate::logging::TARGET;
use crate::wire::{self, Letter};

pub(super) use super::job::{Job, Outcome, Payload, Retried, Room, Settled};

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
    /// How many threads wait for room.
    waiting: usize,
    /// Calls of jobs that left.
    departed: u64,
}

/// One worker process.
pub(super) struct Worker {
    pub(super) number: u32,
    /// What the worker calls its number; its successor has the same.
    pub(super) place: u32,
    pub(super) child: Child,
    /// Its page of the desk. After its death it is its successor's; see [`Worker::look`].
    pub(super) page: Page,
    /// It is dead, and the collector is done with it.
    pub(super) buried: AtomicBool,
    /// `Owner` bits, once the worker has announced itself; 0 before.
    pub(super) owner: AtomicU64,
    pub(super) finished: AtomicU64,
    pub(super) facts: Facts,
    /// Of those, how many failed.
    pub(super) failed: AtomicU64,
}

impl Worker {
    /// What its page shows, as long as that is its page. A serial number that was seen here is never one of a successor.
    pub(super) fn look(&self) -> Result<Option<Seen>> {
        let seen = self.page.look()?;
        Ok(seen.filter(|_| !self.buried.load(Ordering::SeqCst)))
    }

    pub(super) fn owner(&self) -> Option<Owner> {
        Some(self.owner.load(Ordering::Acquire)).filter(|&bits| bits != 0).map(Owner::from_bits)
    }
}

pub(super) struct Shared {
    pub(super) fabric: Fabric,
    /// What other processes there are beside this one.
    pub(super) standing: Standing,
    pub(super) tasks: BytesQueue,
    pub(super) results: BytesQueue,
    pub(super) settings: Settings,
    pub(super) bell: OwnedFd,
    /// How many forks lay behind the process that made the pool.
    pub(super) forks: u32,
    /// What workers are told at their start, if there is anything.
    pub(super) setup: Option<Array<u8>>,
    /// Workers whose death the collector has not handled.
    pub(super) workers: Mutex<Vec<Arc<Worker>>>,
    /// Pages of workers that are gone.
    pub(super) pages: Mutex<Vec<Page>>,
    /// The cancelled jobs, as workers see them.
    pub(super) board: Board,
    pub(super) warden: Warden,
    /// Leave notes that are out; one goes with its worker, under the lock of the list above.
    pub(super) leaves: AtomicUsize,
    /// What exit hooks returned, until somebody asks.
    pub(super) exits: Mutex<Vec<Outcome>>,
    /// The size that was asked for and the supervisor has not seen; 0: none.
    resize: AtomicUsize,
    /// The supervisor sleeps until somebody rings.
    dozing: AtomicBool,
    pub(super) journal: Journal,
    pub(super) reports: Reports,
    /// Calls that returned a value.
    pub(super) done: AtomicU64,
    table: Mutex<Table>,
    /// Rung when a job leaves while somebody waits for room.
    room: Condvar,
    started: AtomicU64,
    jobs: AtomicU64,
}

impl Shared {
    pub(super) fn new(fabric: Fabric, settings: Settings) -> Result<Shared> {
        // A dead worker's lease waits for the collector, and is not handed to the next worker: its first call may be what killed.
        let tasks = BytesQueue::builder().lanes(LANES).keep_dead_leases().new_in(&fabric)?;
        let results = BytesQueue::new(&fabric, 0).inspect_err(|_| drop(tasks.destroy()))?;
        let no_queues = || drop((tasks.destroy(), results.destroy()));
        let board = Board::new(&fabric).inspect_err(|_| no_queues())?;
        let setup = settings.setup.share(&fabric).inspect_err(|_| no_queues())?;
        let journal = Journal::new(&fabric, &settings.events).inspect_err(|_| no_queues())?;
        let standing = Standing::of_pool(&fabric, settings.name.as_deref()).inspect_err(|_| no_queues())?;
        let shared = Shared { setup, ..Shared::of(fabric, settings, standing, [tasks, results], board, journal)? };
        shared.claim_name()?;
        Ok(shared)
    }

    /// What pools and clients have in common.
    pub(super) fn of(
        fabric: Fabric,
        settings: Settings,
        standing: Standing,
        [tasks, results]: [BytesQueue; 2],
        board: Board,
        journal: Journal,
    ) -> Result<Shared> {
        let bell = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK)
            .map_err(|errno| crate::start::refused("a pool", "its bell", errno))?;
        Ok(Shared {
            fabric,
            standing,
            tasks,
            results,
            settings,
            bell,
            forks: crate::start::fork_generation(),
            setup: None,
            workers: Mutex::default(),
            pages: Mutex::default(),
            board,
            warden: Warden::default(),
            leaves: AtomicUsize::new(0),
            exits: Mutex::default(),
            resize: AtomicUsize::new(0),
            dozing: AtomicBool::new(false),
            journal,
            reports: Reports::default(),
            done: AtomicU64::new(0),
            table: Mutex::new(Table { phase: Phase::Open, jobs: HashMap::new(), waiting: 0, departed: 0 }),
            room: Condvar::new(),
            started: AtomicU64::new(0),
            jobs: AtomicU64::new(0),
        })
    }

    /// Numbers this one's jobs from here on.
    pub(super) fn number_jobs_from(mut self, first: u64) -> Shared {
        *self.jobs.get_mut() = first;
        self
    }

    pub(super) fn next_number(&self) -> u32 {
        self.started.fetch_add(1, Ordering::Relaxed) as u32
    }

    /// A page for a worker. The successor of a dead one must not depend on there being memory.
    pub(super) fn spare_page(&self) -> Result<Page> {
        let spare = self.pages.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.map_or_else(|| Page::new(&self.fabric), Page::pass_on)
    }

    /// Whether this is the process that made the pool, and no fork of it.
    pub(super) fn at_home(&self) -> bool {
        self.forks == crate::start::fork_generation()
    }

    pub(super) fn phase(&self) -> Phase {
        self.lock().phase.clone()
    }

    /// Enters a job; from now on it will be settled, whatever happens. A thread that brings a pool's results never waits here: others may wait for it.
    pub(super) fn enter(self: &Arc<Self>, job: Arc<dyn Job>, room: Room) -> Result<u64> {
        if !self.at_home() {
            return Err(Error::argument("a pool cannot be used in a forked process: make a new one there"));
        }
        let room = if is_any_collector() { Room::Ignore } else { room };
        let most = self.settings.max_pending;
        let mut table = self.lock();
        loop {
            match &table.phase {
                Phase::Open => {}
                Phase::Closed | Phase::Drained => return Err(closed()),
                Phase::Stopped(error) => return Err(error.clone()),
            }
            if table.jobs.len() < most || room == Room::Ignore {
                break;
            }
            if room == Room::Refuse {
                let sentence = format!("{most} jobs of the pool are not finished, and it was made to hold no more");
                return Err(polyproc_ipc::Error::new(Ipc::Full, sentence).into());
            }
            table.waiting += 1;
            table = self.room.wait(table).unwrap_or_else(PoisonError::into_inner);
            table.waiting -= 1;
        }
        if let Some(limit) = job.options().hard {
            if self.remote().is_some() {
                return Err(Error::argument("a client's calls have no hard limit: only the process that has the pool ends calls, and only its own"));
            }
            self.warden.guard(self, limit)?;
        }
        let id = self.jobs.fetch_add(1, Ordering::Relaxed) + 1;
        table.jobs.insert(id, job);
        Ok(id)
    }

    pub(super) fn find(&self, id: u64) -> Option<Arc<dyn Job>> {
        self.lock().jobs.get(&id).cloned()
    }

    /// Takes a job out of which nothing is left; with the last one a closed pool is drained.
    pub(super) fn leave(&self, id: u64) {
        let mut table = self.lock();
        let job = table.jobs.remove(&id);
        table.departed += job.as_ref().map_or(0, |job| job.counts().0);
        if table.waiting > 0 {
            self.room.notify_one();
        }
        self.drain_if_done(table);
        let Some(job) = job else { return };
        if let Some(limit) = job.options().hard {
            self.warden.release(limit);
        }
        if job.is_cancelled() {
            // One that stays in the set, because the fabric has no memory, costs a look and nothing else: its number does not come again.
            let _ = self.board.unlist(id, |each| self.workers().iter().for_each(|worker| each(&worker.page)));
        }
    }

    /// Does what follows from a change of a job.
    pub(super) fn follow(&self, id: u64, job: &dyn Job, settled: Settled) {
        if settled.over {
            self.leave(id);
        }
        if settled.complete {
            job.announce();
        }
    }

    /// Puts a batch where workers find it.
    pub(super) fn submit(&self, batch: Letter) -> Result<()> {
        let (lane, Letter { body, packing }) = (wire::lane(&batch.body), batch);
        let put = if packing.is_empty() { self.tasks.put_to(lane, &body) } else { self.tasks.put_packed_to(lane, packing, &body) };
        put.map_err(|error| match self.phase() {
            Phase::Stopped(error) => error,
            _ if self.remote().is_some() && matches!(error.kind(), Ipc::Closed | Ipc::Gone) => closed(),
            _ => Error::from(error),
        })?;
        // One of the two fences comes first: we see the doze, or the supervisor sees the batch.
        fence(Ordering::SeqCst);
        if let Some(remote) = self.remote() {
            remote.wake_supervisor();
        }
        if self.dozing.load(Ordering::Relaxed) && self.dozing.swap(false, Ordering::Relaxed) {
            self.ring();
        }
        Ok(())
    }

    /// The supervisor says that it will sleep until somebody rings, and looks once more at what is [under way](Shared::under_way).
    pub(super) fn doze(&self) {
        self.dozing.store(true, Ordering::Relaxed);
        self.doze_in_public();
        fence(Ordering::SeqCst);
    }

    /// Batches that wait or are on lease.
    pub(super) fn under_way(&self) -> usize {
        (self.tasks.len() + self.tasks.leased()).saturating_sub(self.leaves.load(Ordering::Acquire))
    }

    /// Asks for another size.
    pub(super) fn resize(&self, workers: usize) {
        self.resize.store(workers, Ordering::Release);
        self.ring();
    }

    /// The size that was asked for since the last time.
    pub(super) fn wanted(&self) -> Option<usize> {
        Some(self.resize.swap(0, Ordering::AcqRel)).filter(|&workers| workers != 0)
    }

    /// How many workers that the pool started there are whose death was not handled, and how many leave notes are out.
    pub(super) fn present(&self) -> (usize, usize) {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        (workers.iter().filter(|worker| !worker.is_guest()).count(), self.leaves.load(Ordering::Acquire))
    }

    /// Submits again what was begun or taken before, unless its job was cancelled: then it is settled. False: the fabric is full at the moment.
    pub(super) fn submit_or_settle(&self, id: u64, letter: &Letter) -> bool {
        if let Ok(wire::Batch { terms: wire::Terms { reply: Some(reply), .. }, .. }) = wire::Batch::parse(&letter.body)
            && self.remote().is_none()
        {
            return self.pass_on(&reply, letter);
        }
        let Some(job) = self.find(id) else { return true };
        let (Ok(batch), false) = (wire::Batch::parse(&letter.body), job.is_cancelled()) else {
            if let Ok(batch) = wire::Batch::parse(&letter.body) {
                self.settle_all(&job, &batch, |index| Error::skipped(batch.name, index));
            }
            return true;
        };
        match self.submit(letter.again()) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::Ipc(Ipc::OutOfMemory) => false,
            Err(error) => {
                self.settle_all(&job, &batch, |_| error.clone());
                true
            }
        }
    }

    fn settle_all(&self, job: &Arc<dyn Job>, batch: &wire::Batch<'_>, error: impl Fn(u64) -> Error) {
        for index in (batch.first..).take(batch.count as usize) {
            self.follow(batch.job, &**job, job.settle(index, Err(error(index))));
        }
    }

    /// Says in the result queue that a job was cancelled. False: the fabric is full at the moment.
    pub(super) fn mark(&self, id: u64) -> bool {
        !matches!(self.results.put(&wire::cancel(id)), Err(error) if error.kind() == Ipc::OutOfMemory)
    }

    /// The workers whose death the collector has not handled.
    pub(super) fn workers(&self) -> Vec<Arc<Worker>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn close(&self) {
        let mut table = self.lock();
        if matches!(table.phase, Phase::Open) {
            table.phase = Phase::Closed;
        }
        self.room.notify_all();
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
            let jobs = std::mem::take(&mut table.jobs);
            table.departed += jobs.values().map(|job| job.counts().0).sum::<u64>();
            jobs
        };
        self.room.notify_all();
        tracing::info!(target: TARGET, "pool stopped: {error}");
        self.ring();
        for job in jobs.values() {
            if job.fail(error) {
                job.announce();
            }
        }
    }

    /// Jobs that wait for more input get no more, so that a join cannot wait for the thread that joins.
    pub(super) fn cut(&self) {
        let jobs: Vec<_> = self.lock().jobs.iter().map(|(id, job)| (*id, job.clone())).collect();
        for (id, job) in jobs {
            self.follow(id, &*job, job.cut());
        }
    }

    /// Wakes the supervisor.
    pub(super) fn ring(&self) {
        // It can only fail for a counter that is full, and then the bell rings already.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    /// The collector is done with a dead worker: its page is the next one's.
    pub(super) fn bury(&self, worker: &Worker) {
        worker.buried.store(true, Ordering::SeqCst);
        self.keep_page(worker.page.clone());
    }

    pub(super) fn keep_page(&self, page: Page) {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).push(page);
    }

    /// Takes a worker out of the list, and the leave notes that it used up.
    pub(super) fn forget(&self, number: u32, leaves: usize) -> Option<Arc<Worker>> {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let at = workers.iter().position(|worker| worker.number == number)?;
        self.leaves.fetch_sub(leaves, Ordering::AcqRel);
        Some(workers.swap_remove(at))
    }

    /// Calls that were ever submitted, that are not over, and that returned a value.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        let table = self.lock();
        let (mut submitted, mut left) = (table.departed, 0);
        for job in table.jobs.values() {
            let counts = job.counts();
            submitted += counts.0;
            left += counts.1.min(counts.0);
        }
        (submitted, left, self.done.load(Ordering::Relaxed))
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

/// Whether this thread brings some pool's results.
pub(super) fn is_any_collector() -> bool {
    !COLLECTS_FOR.get().is_null()
}
