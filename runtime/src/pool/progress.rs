//! How far a pool is, as data: counted from its table of jobs, its workers, and what they have on lease. And threads that tell it again and again.
//!
//! What is submitted and not over is what the jobs in the table say; what returned is what the collector counted; the rest failed. So the sum is right whatever ended a call. Must not
//! change anything of the pool.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use polyproc_ipc::Events;

use super::table::{self, Shared};
use super::{AsyncResult, Imap, Pool};
use crate::error::{Error, ErrorKind, Result};
use crate::trace;
use crate::wire;

/// How far a pool is: [`Pool::progress`].
///
/// `submitted` is `done + failed + running + queued`. The numbers are of one moment as far as there is one: workers go on while they are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Calls that the pool was ever given.
    pub submitted: u64,
    /// Calls that returned a value.
    pub done: u64,
    /// Calls that ended without one, for whatever reason.
    pub failed: u64,
    /// Calls that a worker is in.
    pub running: u64,
    /// Calls that no worker has begun.
    pub queued: u64,
    /// The workers, by their numbers.
    pub workers: Vec<WorkerProgress>,
    /// The pool is over: no worker is left, and none will be started.
    pub over: bool,
}

/// What a worker does: part of [`Progress`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerProgress {
    /// The process's id.
    pub pid: u32,
    /// Its number: the how-manieth that this pool started, from 0.
    pub number: u32,
    /// Calls that it finished, failed ones included.
    pub finished: u64,
    /// Calls of it that failed.
    pub failed: u64,
    /// The task that it is in.
    pub busy_with: Option<String>,
    /// Since when it is in that call; not known if the pool keeps no [events](super::PoolBuilder::events), or more of them than it keeps came after this call's begin.
    pub since: Option<Instant>,
}

/// How far one job is: [`AsyncResult::progress`], [`Imap::progress`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobProgress {
    /// Calls that are over, well or badly.
    pub done: u64,
    /// Calls that were submitted. Of an [`Imap`] that still reads input, more may come.
    pub total: u64,
}

impl Pool {
    /// How far the pool is: calls, and what each worker does.
    ///
    /// Costs some microseconds, and the workers at most a moment's wait.
    ///
    /// ```
    /// use polyproc::{Pool, task};
    ///
    /// #[task]
    /// fn half(n: u64) -> u64 {
    ///     assert!(n % 2 == 0, "{n} is odd");
    ///     n / 2
    /// }
    ///
    /// let pool = Pool::new(2)?;
    /// let halves = pool.map_async(half, 0..100)?;
    /// halves.wait(None);
    /// let progress = pool.progress();
    /// assert_eq!((progress.submitted, progress.done, progress.failed), (100, 50, 50));
    /// assert_eq!(halves.progress().done, 100);
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn progress(&self) -> Progress {
        progress(&self.shared)
    }

    /// Calls `report` now and then `every` so often (a millisecond at least), and for the last time when the pool is over.
    ///
    /// It is called from a thread made for it, so it may take its time, but as long as it runs [`join`](Pool::join) and dropping the pool wait for it. It cannot wait for results of
    /// the pool itself. If it panics, it is called no more. In a pool that is over it is called once, by this thread.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpawnFailed`] if there can be no more threads.
    ///
    /// ```
    /// # use polyproc::{Pool, task};
    /// # use std::time::Duration;
    /// # #[task]
    /// # fn square(n: u64) -> u64 { n * n }
    /// let pool = Pool::new(2)?;
    /// pool.on_progress(Duration::from_millis(100), |progress| eprintln!("{} of {} calls", progress.done, progress.submitted))?;
    /// pool.map(square, 0..1000)?;
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn on_progress(&self, every: Duration, mut report: impl FnMut(&Progress) + Send + 'static) -> Result<()> {
        if !self.shared.at_home() {
            return Err(Error::argument("a pool cannot be used in a forked process: make a new one there"));
        }
        let every = every.max(Duration::from_millis(1));
        let body = move |shared: &Shared| {
            loop {
                let now = progress(shared);
                let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| report(&now)));
                if now.over || told.is_err() {
                    return;
                }
                shared.reports.wait(every);
            }
        };
        Reports::start(&self.shared, body).map_err(|error| Error::new(ErrorKind::SpawnFailed, format!("cannot start a thread of the pool: {error}")))
    }
}

impl<T> AsyncResult<T> {
    /// How many of its calls are over.
    pub fn progress(&self) -> JobProgress {
        let (total, left) = table::Job::counts(&*self.job);
        JobProgress { done: total - left.min(total), total }
    }
}

impl<I: Iterator, R> Imap<I, R> {
    /// How many of its calls are over, of those that were submitted until now.
    pub fn progress(&self) -> JobProgress {
        let (total, left) = self.counts();
        JobProgress { done: total - left.min(total), total }
    }
}

/// The first bytes of a batch: those that name the task, unless it has a very long name.
const HEAD: usize = 512;

fn progress(shared: &Shared) -> Progress {
    let over = shared.reports.is_over();
    // Who is busy first: a call that ends meanwhile is then not counted twice, but running.
    let workers = workers(shared);
    let running = workers.iter().filter(|worker| worker.busy_with.is_some()).count() as u64;
    let (submitted, left, done) = shared.counts();
    let running = running.min(left);
    let done = done.min(submitted - left);
    Progress { submitted, done, failed: submitted - left - done, running, queued: left - running, workers, over }
}

fn workers(shared: &Shared) -> Vec<WorkerProgress> {
    use std::sync::atomic::Ordering::Relaxed;
    // A pool that is over has no queue any more.
    let leases = shared.tasks.leases(HEAD).unwrap_or_default();
    let list = shared.workers.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut all: Vec<WorkerProgress> = list
        .iter()
        .map(|worker| {
            let mut busy = leases.iter().filter(|lease| lease.progress > 0 && worker.owner() == Some(lease.holder));
            let busy_with = busy.find_map(|lease| wire::task_of(&lease.head));
            let (finished, failed) = (worker.finished.load(Relaxed), worker.failed.load(Relaxed));
            WorkerProgress { pid: worker.child.pid(), number: worker.number, finished, failed, busy_with, since: None }
        })
        .collect();
    all.sort_by_key(|worker| worker.number);
    if let Some(events) = shared.journal.events()
        && all.iter().any(|worker| worker.busy_with.is_some())
    {
        tell_since(&mut all, events);
    }
    all
}

/// Of each busy worker, when its last call began, if its last event is that begin.
fn tell_since(workers: &mut [WorkerProgress], events: &Events) {
    let Ok(history) = events.read() else { return };
    let (now, clock) = (Instant::now(), Events::now());
    for worker in workers.iter_mut().filter(|worker| worker.busy_with.is_some()) {
        let last = history.events.iter().rev().find(|event| event.who == worker.pid);
        if let Some(began) = last.filter(|event| event.kind == trace::BEGAN) {
            worker.since = now.checked_sub(Duration::from_nanos(clock.saturating_sub(began.time)));
        }
    }
}

/// The threads that report progress, and how they hear that the pool is over.
#[derive(Default)]
pub(super) struct Reports {
    over: Mutex<bool>,
    ended: Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Reports {
    fn start(shared: &Arc<Shared>, body: impl FnOnce(&Shared) + Send + 'static) -> std::io::Result<()> {
        // Under the lock: the end of the pool either sees the thread, or is seen here.
        let mut threads = shared.reports.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.reports.is_over() {
            drop(threads);
            body(shared);
            return Ok(());
        }
        let shared = shared.clone();
        let thread = std::thread::Builder::new().name("polyproc-progress".into()).spawn(move || {
            // It cannot wait for the pool, which waits for it.
            table::collect_for(&shared);
            body(&shared);
        })?;
        threads.push(thread);
        Ok(())
    }

    fn is_over(&self) -> bool {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, time: Duration) {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.ended.wait_timeout_while(over, time, |over| !*over));
    }

    /// The pool is over: every reporter reports once more, and ends.
    pub(super) fn end(&self) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ended.notify_all();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

const _: fn() = || {
    fn sent<T: Send + Sync>() {}
    sent::<Arc<Reports>>();
};
