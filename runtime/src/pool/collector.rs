//! The collector: the one thread of a pool that reads records and settles jobs, so that their order is the queue's order.
//!
//! A worker's death comes as a record, too, behind all that the worker put: what it finished counts, then the call it was running
//! fails, then what it had not begun is submitted again. Must not wait for anything but the next record.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use polyproc_ipc::{ErrorKind as Ipc, Message};

use super::table::{self, Job, Outcome, Payload, Shared, Worker};
use super::worker::damaged;
use crate::error::{Death, Error, ErrorKind};
use crate::logging::TARGET;
use crate::wire::{Batch, Record};

/// Records taken at once.
const AT_ONCE: usize = 256;
/// This many workers in a row that died before they did anything are no accident.
const FRUITLESS: u32 = 10;

/// Runs until the results queue is closed and drained.
pub(super) fn run(shared: &Arc<Shared>) {
    table::collect_for(shared);
    let mut collector = Collector { shared, known: Vec::new(), job: None, fruitless: 0 };
    loop {
        let messages = match shared.results.get_many(AT_ONCE) {
            Ok(messages) => messages,
            Err(error) if error.kind() == Ipc::Closed => return,
            Err(error) => return shared.stop(&error.into()),
        };
        for message in messages {
            collector.handle(message);
        }
        // Not kept while waiting: a job's outcomes belong to whoever asked for them.
        collector.job = None;
    }
}

struct Collector<'a> {
    shared: &'a Arc<Shared>,
    /// Workers that announced themselves, by owner.
    known: Vec<(u64, Arc<Worker>)>,
    /// The job of the last record: the next is mostly of the same.
    job: Option<(u64, Arc<dyn Job>)>,
    /// Deaths in a row that had nothing to do with a call.
    fruitless: u32,
}

impl Collector<'_> {
    fn handle(&mut self, message: Message) {
        match Record::parse(&message) {
            Ok(Record::Done { job, index, owner, at }) => {
                self.credit(owner, true);
                self.settle(job, index, Ok(Payload { message, at }));
            }
            Ok(Record::Failed { job, index, owner, failure }) => {
                self.credit(owner, false);
                self.settle(job, index, Err(Error::from_failure(failure)));
            }
            Ok(Record::Hello { worker, owner }) => self.greet(worker, owner),
            Ok(Record::Death { worker, code }) => self.bury(worker, code),
            Err(_) => self.shared.stop(&polyproc_ipc::Error::new(Ipc::Corrupt, "a record of the pool's result queue is damaged").into()),
        }
    }

    fn settle(&mut self, id: u64, index: u64, outcome: Outcome) {
        if self.job.as_ref().is_none_or(|(known, _)| *known != id) {
            self.job = self.shared.find(id).map(|job| (id, job));
        }
        // A job may be gone: its submission failed half-way, or the pool was stopped.
        let Some((_, job)) = &self.job else { return };
        if outcome.is_ok() {
            self.shared.done.fetch_add(1, Ordering::Relaxed);
        }
        if job.settle(index, outcome) {
            let job = job.clone();
            self.job = None;
            self.shared.leave(id);
            job.announce();
        }
    }

    fn greet(&mut self, number: u32, owner: u64) {
        let workers = self.shared.workers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(worker) = workers.iter().find(|worker| worker.number == number) {
            worker.owner.store(owner, Ordering::Release);
            self.known.push((owner, worker.clone()));
        }
    }

    fn credit(&mut self, owner: u64, good: bool) {
        self.fruitless = 0;
        if let Some((_, worker)) = self.known.iter().find(|(known, _)| *known == owner) {
            worker.finished.fetch_add(1, Ordering::Relaxed);
            worker.failed.fetch_add(u64::from(!good), Ordering::Relaxed);
        }
    }

    /// Decides what a dead worker held. All that it put is handled, and the fabric is swept.
    fn bury(&mut self, number: u32, code: i32) {
        let Some(worker) = self.shared.forget(number) else { return };
        self.known.retain(|(_, known)| known.number != number);
        let death = Death { pid: worker.child.pid(), code };
        // It announced itself before its first lease: without an owner it held none.
        let held = match worker.owner().map_or(Ok(Vec::new()), |owner| self.shared.tasks.reclaim(owner)) {
            Ok(held) => held,
            Err(error) => return self.shared.stop(&error.into()),
        };
        let (mut began, mut held_any) = (false, false);
        for lease in held {
            held_any = true;
            let Ok(batch) = Batch::parse(&lease.message) else { return self.shared.stop(&damaged()) };
            let progress = u32::try_from(lease.progress).unwrap_or(u32::MAX).min(batch.count);
            if let Some(running) = progress.checked_sub(1) {
                began = true;
                // If its result was put before the death, it is there already, and this changes nothing.
                self.settle(batch.job, batch.first + u64::from(running), Err(Error::died(death, batch.name)));
            }
            self.submit_again(&batch, progress);
        }
        let finished = worker.finished.load(Ordering::Relaxed) > 0;
        if began {
            self.fruitless = 0;
        } else if worker.owner().is_none() || held_any || (code >= 0 && !finished) {
            self.fruitless += 1;
            if self.fruitless >= FRUITLESS {
                let sentence = format!(
                    "the pool gave up: {FRUITLESS} workers in a row died before they could run a call; the last (pid {}) {death}; what they \
                     printed may say why",
                    death.pid
                );
                self.shared.journal.gave_up();
                tracing::error!(target: TARGET, "{sentence}");
                self.shared.stop(&Error::with_death(ErrorKind::GaveUp, death, sentence));
            }
        }
    }

    /// Submits again what the dead worker had not begun.
    fn submit_again(&mut self, batch: &Batch<'_>, begun: u32) {
        let Some(tail) = batch.tail(begun) else { return };
        if self.shared.find(batch.job).is_none() {
            return;
        }
        tracing::debug!(target: TARGET, task = batch.name, calls = batch.count - begun, "calls of a dead worker are submitted again");
        if let Err(error) = self.shared.submit(&tail) {
            for i in begun..batch.count {
                self.settle(batch.job, batch.first + u64::from(i), Err(error.clone()));
            }
        }
    }
}
