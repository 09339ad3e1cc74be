//! The supervisor: the one thread of a pool that starts workers again, and sees them die.
//!
//! It waits on their pidfds and the bell. Of a death it sweeps the fabric and puts a note behind all that the worker had put; what
//! follows from it is the collector's to decide. It ends last of all, and leaves no process and no object behind.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::sync::{Arc, PoisonError};

use polyproc_ipc::ErrorKind as Ipc;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

use super::collector;
use super::table::{Phase, Shared, Worker};
use crate::child::End;
use crate::error::{Death, Error, ErrorKind};
use crate::logging::TARGET;
use crate::wire;

/// How often starting a worker may fail in a row.
const ATTEMPTS: u32 = 10;
/// After what time something that the system or a full fabric refused is tried again.
const AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// Runs until the pool is drained or stopped, and every worker is gone.
pub(super) fn run(shared: &Arc<Shared>, live: Vec<Arc<Worker>>) {
    let collector = std::thread::Builder::new().name("polyproc-collect".into()).spawn({
        let shared = shared.clone();
        move || collector::run(&shared)
    });
    if let Err(error) = &collector {
        shared.stop(&Error::new(ErrorKind::SpawnFailed, format!("cannot start a thread of the pool: {error}")));
    }
    let mut supervisor = Supervisor { shared, live, notes: VecDeque::new(), failed_starts: 0 };
    while supervisor.step() {}
    // Nothing is put any more: the collector drains the queue, and ends.
    let _ = shared.results.close();
    if let Ok(collector) = collector {
        let _ = collector.join();
    }
    clear_away(shared);
    shared.reports.end();
    tracing::info!(target: TARGET, "pool is over");
}

/// Ends what still runs, and gives the pool's memory back.
pub(super) fn clear_away(shared: &Shared) {
    for worker in std::mem::take(&mut *shared.workers.lock().unwrap_or_else(PoisonError::into_inner)) {
        let _ = worker.child.signal(Signal::KILL);
        let _ = worker.child.wait(None);
    }
    let _ = shared.fabric.sweep();
    let _ = shared.tasks.destroy();
    let _ = shared.results.destroy();
}

struct Supervisor<'a> {
    shared: &'a Arc<Shared>,
    live: Vec<Arc<Worker>>,
    /// Deaths for which the results queue had no memory yet: worker and code.
    notes: VecDeque<(u32, i32)>,
    failed_starts: u32,
}

impl Supervisor<'_> {
    /// Waits for something to happen, and deals with it. False: all is over.
    fn step(&mut self) -> bool {
        match self.shared.phase() {
            Phase::Open | Phase::Closed => self.fill_up(),
            Phase::Drained | Phase::Stopped(_) if self.live.is_empty() => return false,
            Phase::Drained => {}
            Phase::Stopped(_) => self.live.iter().for_each(|worker| drop(worker.child.signal(Signal::KILL))),
        }
        self.wait();
        let mut rung = [0; 8];
        let _ = rustix::io::read(&self.shared.bell, &mut rung);
        self.reap();
        true
    }

    /// Starts workers until there are as many as there should be. A death is noted before its successor starts.
    fn fill_up(&mut self) {
        self.put_notes();
        while self.notes.is_empty() && self.live.len() < self.shared.settings.workers {
            match self.shared.start_worker() {
                Ok(worker) => {
                    self.live.push(worker);
                    self.failed_starts = 0;
                }
                Err(error) => {
                    self.failed_starts += 1;
                    tracing::warn!(target: TARGET, attempt = self.failed_starts, "a worker cannot be started: {error}");
                    if self.failed_starts >= ATTEMPTS {
                        let sentence = format!("the pool gave up: no worker can be started: {error}");
                        self.shared.journal.gave_up();
                        tracing::error!(target: TARGET, "{sentence}");
                        self.shared.stop(&Error::new(ErrorKind::GaveUp, sentence));
                    }
                    return;
                }
            }
        }
    }

    fn wait(&self) {
        let mut watched = vec![PollFd::from_borrowed_fd(self.shared.bell.as_fd(), PollFlags::IN)];
        watched.extend(self.live.iter().map(|worker| PollFd::from_borrowed_fd(worker.child.sentinel(), PollFlags::IN)));
        let again = self.failed_starts > 0 || !self.notes.is_empty();
        // An interrupted or refused wait is a wait that ended early.
        let _ = poll(&mut watched, again.then_some(&AGAIN));
    }

    fn reap(&mut self) {
        let dead: Vec<_> = self.live.extract_if(.., |worker| !matches!(worker.child.reap(), Ok(None))).collect();
        if dead.is_empty() {
            return;
        }
        // One that fails is repeated by the next member that needs it.
        let _ = self.shared.fabric.sweep();
        for worker in dead {
            let code = match worker.child.reap() {
                Ok(Some(End::Code(code))) => code,
                _ => 255,
            };
            self.shared.journal.gone(worker.child.pid(), code);
            tell(&worker, code, &self.shared.phase());
            match self.shared.phase() {
                Phase::Open | Phase::Closed => self.notes.push_back((worker.number, code)),
                // Nothing is left that it could have held.
                Phase::Drained | Phase::Stopped(_) => drop(self.shared.forget(worker.number)),
            }
        }
        self.put_notes();
    }

    fn put_notes(&mut self) {
        while let Some(&(worker, code)) = self.notes.front() {
            match self.shared.results.put(&wire::death(worker, code)) {
                Ok(()) => drop(self.notes.pop_front()),
                // The collector makes room.
                Err(error) if error.kind() == Ipc::OutOfMemory => return,
                Err(error) => return self.shared.stop(&error.into()),
            }
        }
    }
}

/// Logs the end of a worker: as a warning, unless it was meant.
fn tell(worker: &Worker, code: i32, phase: &Phase) {
    let (number, pid) = (worker.number, worker.child.pid());
    let how = Death { pid, code };
    match phase {
        Phase::Drained if code == 0 => tracing::info!(target: TARGET, worker = number, pid, "worker left"),
        Phase::Stopped(_) => tracing::info!(target: TARGET, worker = number, pid, "worker ended with its pool"),
        _ => tracing::warn!(target: TARGET, worker = number, pid, "worker {how}"),
    }
}
