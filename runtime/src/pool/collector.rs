//! The collector: the one thread of a pool that reads records and settles jobs, so that their order is the queue's order.
//!
//! A worker's death comes as a record, too, behind all that the worker put: what it finished counts, then the call it was running
//! fails, then what it had not begun is submitted again. Must not wait for anything but the next record.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use polyproc_ipc::{ErrorKind as Ipc, Message};

use super::restarts::{Doing, Restarts};
use super::table::{self, Job, Outcome, Payload, Shared, Worker};
use super::worker::{LEFT, damaged};
use crate::error::Error;
use crate::wire::{self, Batch, Record};

/// Records taken at once.
const AT_ONCE: usize = 256;

/// Runs until the results queue is closed and drained.
pub(super) fn run(shared: &Arc<Shared>) {
    table::collect_for(shared);
    let mut collector = Collector { shared, known: Vec::new(), job: None, restarts: Restarts::new(shared.settings.restarts) };
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
    restarts: Restarts,
}

impl Collector<'_> {
    fn handle(&mut self, message: Message) {
        match Record::parse(&message) {
            Ok(Record::Done { job, index, owner, at }) => {
                self.credit(owner);
                self.settle(job, index, Ok(Payload { message, at }));
            }
            Ok(Record::Failed { job, index, owner, failure }) => {
                self.credit(owner);
                self.settle(job, index, Err(Error::from_failure(failure)));
            }
            Ok(Record::Hello { worker, owner }) => self.greet(worker, owner),
            Ok(Record::Death { worker, code }) => self.bury(worker, code),
            Ok(Record::Bye { worker, at }) => self.shared.take_leave(worker, at, message),
            Ok(Record::Unfit { worker, failure }) => self.shared.take_complaint(worker, failure),
            Err(_) => self.shared.stop(&polyproc_ipc::Error::new(Ipc::Corrupt, "a record of the pool's result queue is damaged").into()),
        }
    }

    fn settle(&mut self, id: u64, index: u64, outcome: Outcome) {
        if self.job.as_ref().is_none_or(|(known, _)| *known != id) {
            self.job = self.shared.find(id).map(|job| (id, job));
        }
        // A job may be gone: its submission failed half-way, or the pool was stopped.
        let Some((_, job)) = &self.job else { return };
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

    fn credit(&mut self, owner: u64) {
        self.restarts.worked();
        if let Some((_, worker)) = self.known.iter().find(|(known, _)| *known == owner) {
            worker.finished.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Decides what a dead worker held. All that it put is handled, and the fabric is swept.
    fn bury(&mut self, number: u32, code: i32) {
        let Some(worker) = self.shared.worker(number) else { return };
        self.known.retain(|(_, known)| known.number != number);
        let death = worker.death(code);
        // It announced itself before its first lease: without an owner it held none.
        let held = match worker.owner().map_or(Ok(Vec::new()), |owner| self.shared.tasks.reclaim(owner)) {
            Ok(held) => held,
            Err(error) => return self.shared.stop(&error.into()),
        };
        let leaves = held.iter().filter(|lease| wire::is_leave(&lease.message)).count();
        self.shared.forget(number, leaves);
        let mut doing = Doing { held: false, began: false };
        for lease in held.into_iter().filter(|lease| !wire::is_leave(&lease.message)) {
            doing.held = true;
            let Ok(batch) = Batch::parse(&lease.message) else { return self.shared.stop(&damaged("a batch of the pool's task queue")) };
            let has_left = lease.progress & LEFT != 0;
            let progress = u32::try_from(lease.progress & !LEFT).unwrap_or(u32::MAX).min(batch.count);
            doing.began |= progress > 0;
            if let Some(running) = progress.checked_sub(1).filter(|_| !has_left) {
                // If its result was put before the death, it is there already, and this changes nothing.
                self.settle(batch.job, batch.first + u64::from(running), Err(worker.died_in(death, batch.name)));
            }
            self.submit_again(&batch, progress);
        }
        if let Some(error) = self.restarts.died(&worker, death, doing) {
            self.shared.stop(&error);
        }
        // What the supervisor counts has changed.
        self.shared.ring();
    }

    /// Submits again what the dead worker had not begun.
    fn submit_again(&mut self, batch: &Batch<'_>, begun: u32) {
        let Some(tail) = batch.tail(begun) else { return };
        if self.shared.find(batch.job).is_none() {
            return;
        }
        if let Err(error) = self.shared.submit(&tail) {
            for i in begun..batch.count {
                self.settle(batch.job, batch.first + u64::from(i), Err(error.clone()));
            }
        }
    }
}
