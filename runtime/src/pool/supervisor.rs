//! The supervisor: the one thread of a pool that starts workers again, and sees them die.
//!
//! It waits on their pidfds and the bell. Of a death it sweeps the fabric and puts a note behind all that the worker had put; what
//! follows from it is the collector's to decide. While something is under way it looks now and then: at memory, and whether the pool has the right
//! size; else it dozes. It ends last of all, and leaves no process and no object behind.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use polyproc_ipc::ErrorKind as Ipc;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::Signal;

use super::desk::Page;
use super::elastic::Size;
use super::limits::Watch;
use super::table::{Phase, Shared, Worker};
use super::{collector, restarts};
use crate::child::End;
use crate::error::{Death, Error, ErrorKind};
use crate::logging::TARGET;
use crate::wire;

/// How often starting a worker may fail in a row while there is no other.
const ATTEMPTS: u32 = 10;
/// After what time something that the system or a full fabric refused is tried again; and where that went on for long.
const AGAIN: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Runs until the pool is drained or stopped, and every worker is gone.
pub(super) fn run(shared: &Arc<Shared>, live: Vec<Arc<Worker>>) {
    let collector = std::thread::Builder::new().name("polyproc-collect".into()).spawn({
        let shared = shared.clone();
        move || collector::run(&shared)
    });
    if let Err(error) = &collector {
        shared.stop(&Error::new(ErrorKind::SpawnFailed, format!("cannot start a thread of the pool: {error}")));
    }
    let size = Size::new(shared.settings.bounds, Instant::now());
    let watch = Watch::new(shared.settings.memory);
    let mut supervisor = Supervisor { shared, live, notes: VecDeque::new(), failed_starts: 0, gone: 0, size, watch, unsent: false };
    while supervisor.step() {}
    shared.give_name_back();
    // Nothing is put any more: the collector drains the queue, and ends.
    let _ = shared.results.close();
    if let Ok(collector) = collector {
        let _ = collector.join();
    }
    shared.part_with_clients();
    clear_away(shared);
    shared.reports.end();
    tracing::info!(target: TARGET, "pool is over");
}

/// Ends what still runs, and gives the pool's memory back.
pub(super) fn clear_away(shared: &Shared) {
    for worker in std::mem::take(&mut *shared.workers.lock().unwrap_or_else(PoisonError::into_inner)) {
        if !worker.is_guest() {
            let _ = worker.child.signal(Signal::KILL);
            let _ = worker.child.wait(None);
        }
        shared.bury(&worker);
    }
    shared.warden.end();
    shared.give_name_back();
    let _ = shared.fabric.sweep();
    shared.board.destroy();
    std::mem::take(&mut *shared.pages.lock().unwrap_or_else(PoisonError::into_inner)).iter().for_each(Page::destroy);
    let _ = shared.tasks.destroy();
    let _ = shared.results.destroy();
    if let Some(setup) = &shared.setup {
        let _ = setup.destroy();
    }
}

struct Supervisor<'a> {
    shared: &'a Arc<Shared>,
    live: Vec<Arc<Worker>>,
    /// Deaths for which the results queue had no memory yet: worker and code.
    notes: VecDeque<(u32, i32)>,
    failed_starts: u32,
    /// Workers that are gone and have no successor yet.
    gone: usize,
    size: Size,
    watch: Watch,
    /// A leave note for which the tasks queue had no memory yet.
    unsent: bool,
}

impl Supervisor<'_> {
    /// Waits for something to happen, and deals with it. False: all is over.
    fn step(&mut self) -> bool {
        let mut next_look = None;
        self.live.extend(self.shared.arrivals());
        // Joined workers that have left; the others come here by their death.
        self.live.retain(|worker| !worker.buried.load(Ordering::Acquire));
        match self.shared.phase() {
            Phase::Open | Phase::Closed => {
                next_look = self.look();
                self.put_notes();
                self.fill_up();
                self.send_away();
            }
            phase @ (Phase::Drained | Phase::Stopped(_)) if self.is_over(&phase) => return false,
            Phase::Drained => {
                self.put_notes();
                // Nobody tells when a joined worker, or a dead one's lease, is done with.
                next_look = (self.own() < self.live.len()).then_some(AGAIN.0);
            }
            Phase::Stopped(_) => self.live.iter().for_each(|worker| drop(worker.child.signal(Signal::KILL))),
        }
        self.wait(next_look);
        let mut rung = [0; 8];
        let _ = rustix::io::read(&self.shared.bell, &mut rung);
        self.reap();
        true
    }

    /// Whether a pool that has no work of its own any more is over. Joined workers do what there is for clients, and then leave; one that is elsewhere is not waited for, and none that is
    /// in a call of a stopped pool.
    fn is_over(&mut self, phase: &Phase) -> bool {
        if matches!(phase, Phase::Stopped(_)) {
            self.live.retain(|worker| !worker.is_guest());
        }
        self.live.is_empty() || (self.own() == 0 && self.notes.is_empty() && self.shared.under_way() == 0)
    }

    /// How many of the workers the pool has started.
    fn own(&self) -> usize {
        self.live.iter().filter(|worker| !worker.is_guest()).count()
    }

    /// Looks at what is under way: at the workers' memory, and whether the pool should grow or shrink. How long until the next look; `None`: the bell will ring.
    fn look(&mut self) -> Option<Duration> {
        if let Some(workers) = self.shared.wanted() {
            self.size.resize(workers);
        }
        let now = Instant::now();
        let mut under_way = self.shared.under_way();
        self.size.look(under_way, now);
        if under_way > 0 {
            self.watch.look(&self.live, now);
        } else {
            // Whoever submits from here on rings; what was submitted before is seen now.
            self.shared.doze();
            under_way = self.shared.under_way();
        }
        let of_size = self.size.next_look(under_way);
        let of_memory = (under_way > 0).then(|| self.watch.pause());
        of_size.into_iter().chain(of_memory).min()
    }

    /// Starts workers until there are as many as there should be. A death is noted before its successor starts.
    fn fill_up(&mut self) {
        while self.notes.is_empty() && self.present() < self.size.target() {
            match self.shared.start_worker(self.free_place(), self.gone > 0) {
                Ok(worker) => {
                    self.live.push(worker);
                    self.gone = self.gone.saturating_sub(1);
                    self.failed_starts = 0;
                }
                Err(error) => {
                    self.failed_starts += 1;
                    tracing::warn!(target: TARGET, attempt = self.failed_starts, "a worker cannot be started: {error}");
                    // With fewer workers than it should have, the pool works all the same.
                    if self.failed_starts >= ATTEMPTS && self.live.is_empty() {
                        let given_up = restarts::cannot_start(&error);
                        self.shared.journal.gave_up();
                        tracing::error!(target: TARGET, "{given_up}");
                        self.shared.stop(&given_up);
                    }
                    return;
                }
            }
        }
    }

    /// Puts a leave note for each worker too many.
    fn send_away(&mut self) {
        self.unsent = false;
        while self.present() > self.size.target() {
            // Out before it is put, so that a worker that takes it at once is not counted twice; nobody else counts.
            self.shared.leaves.fetch_add(1, Ordering::AcqRel);
            if let Err(error) = self.shared.tasks.put(&wire::LEAVE_NOTE) {
                self.shared.leaves.fetch_sub(1, Ordering::AcqRel);
                match error.kind() {
                    // Workers make room.
                    Ipc::OutOfMemory => self.unsent = true,
                    // Drained meanwhile: they leave anyway.
                    Ipc::Closed => {}
                    _ => self.shared.stop(&error.into()),
                }
                return;
            }
        }
    }

    /// How many workers there are and will be: without those that will take a leave note.
    fn present(&self) -> usize {
        match self.shared.present() {
            // Nobody leaves: the dead are gone at once, whether their death was handled or not.
            (_, 0) => self.own(),
            (workers, leaves) => workers.saturating_sub(leaves),
        }
    }

    /// The first place that no living worker has.
    fn free_place(&self) -> u32 {
        (0..=self.live.len() as u32).find(|place| self.live.iter().all(|worker| worker.place != *place)).unwrap_or(0)
    }

    fn wait(&self, next_look: Option<Duration>) {
        let mut watched = vec![PollFd::from_borrowed_fd(self.shared.bell.as_fd(), PollFlags::IN)];
        watched.extend(self.live.iter().map(|worker| PollFd::from_borrowed_fd(worker.child.sentinel(), PollFlags::IN)));
        let refused = self.failed_starts > 0 || !self.notes.is_empty() || self.unsent;
        let again = refused.then_some(if self.failed_starts > ATTEMPTS { AGAIN.1 } else { AGAIN.0 });
        let limit = next_look.into_iter().chain(again).min().and_then(|limit| limit.try_into().ok());
        // An interrupted wait is a wait that ended early. It is refused if fewer descriptors are allowed by now than are watched.
        if poll(&mut watched, limit.as_ref()).is_err_and(|errno| errno != Errno::INTR) {
            std::thread::sleep(AGAIN.0);
        }
    }

    fn reap(&mut self) {
        let gone = self.live.extract_if(.., |worker| !matches!(worker.child.reap(), Ok(None)));
        let code = |worker: &Worker| if let Ok(Some(End::Code(code))) = worker.child.reap() { code } else { how_lost(worker) };
        let dead: Vec<_> = gone.map(|worker| (code(&worker), worker)).map(|(code, worker)| (worker, code)).collect();
        if dead.is_empty() {
            return;
        }
        // One that fails is repeated by the next member that needs it.
        let _ = self.shared.fabric.sweep();
        self.watch.judge(&dead);
        self.gone += dead.iter().filter(|(worker, _)| !worker.is_guest()).count();
        for (worker, code) in dead {
            self.shared.journal.gone(worker.child.pid(), code);
            tell(&worker, code, &self.shared.phase());
            match self.shared.phase() {
                Phase::Open | Phase::Closed => self.notes.push_back((worker.number, code)),
                // What it held was a client's.
                Phase::Drained if self.shared.named().is_some() => self.notes.push_back((worker.number, code)),
                // Nothing is left that it could have held.
                Phase::Drained | Phase::Stopped(_) => {
                    if let Some(worker) = self.shared.forget(worker.number, 0) {
                        self.shared.bury(&worker);
                    }
                }
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

/// What is said of a worker whose exit status nobody has.
fn how_lost(worker: &Worker) -> i32 {
    if worker.is_guest() { Death::UNKNOWN } else { 255 }
}

/// Logs the end of a worker: as a warning, unless it was meant.
fn tell(worker: &Worker, code: i32, phase: &Phase) {
    let (number, pid) = (worker.number, worker.child.pid());
    let how = Death::new(pid, code);
    match phase {
        Phase::Drained if code == 0 => tracing::info!(target: TARGET, worker = number, pid, "worker left"),
        Phase::Stopped(_) => tracing::info!(target: TARGET, worker = number, pid, "worker ended with its pool"),
        _ => tracing::warn!(target: TARGET, worker = number, pid, "worker {how}"),
    }
}
