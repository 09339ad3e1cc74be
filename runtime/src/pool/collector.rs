//! The collector: the one thread of a pool that reads records and settles jobs, so that their order is the queue's order.
//!
//! A worker's death comes as a record, too, behind all that the worker put: what it finished counts, then the call it was running
//! fails, then what it had not begun is submitted again. Must not wait for anything but the next record.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use polyproc_ipc::{ErrorKind as Ipc, Message, Parcel, Reclaimed, codec};

use super::notes::{self, Lost, Note};
use super::restarts::{Doing, Restarts};
use super::table::{self, Job, Outcome, Payload, Shared, Worker};
use super::warden::{AGAIN, Deed};
use super::worker::{LEFT, damaged};
use crate::error::{CallId, Death, Error, Failure, Result};
use crate::logging::TARGET;
use crate::wire::{self, Batch, BatchBuilder, Letter, Record, Terms};

/// Records taken at once.
const AT_ONCE: usize = 256;

/// Runs until the results queue is closed and drained.
pub(super) fn run(shared: &Arc<Shared>) {
    table::collect_for(shared);
    let mut collector = Collector { shared, known: Vec::new(), job: None, restarts: Restarts::new(shared.settings.restarts) };
    loop {
        let messages = match shared.results.get_many(AT_ONCE) {
            Ok(messages) => messages,
            Err(error) if error.kind() == Ipc::Closed => return shared.has_ended(),
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
        if message.codec() & codec::WITH_BLOCKS != 0 {
            return self.handle_parcel(message);
        }
        match Record::parse(&message) {
            Ok(Record::Done { job, index, owner, at }) => {
                self.credit(owner, true);
                self.settle(job, index, Ok(Payload::Message { message, at }));
            }
            Ok(Record::Failed { job, index, owner, attempt, failure, arguments }) => {
                self.failed(job, owner, CallId { number: index, attempt }, failure, &arguments, None);
            }
            Ok(Record::Cancel { job }) => {
                if let Some(cancelled) = self.shared.find(job) {
                    self.follow(job, &cancelled, cancelled.skip());
                }
            }
            Ok(Record::Hello { worker, owner }) => self.greet(worker, owner),
            Ok(Record::Death { worker, code }) => self.bury(worker, code),
            Ok(Record::Bye { worker, at }) => {
                self.shared.take_leave(worker, at, message);
                // Its process may go on, so no death comes.
                if let Some(guest) = self.shared.worker(worker).filter(|worker| worker.is_guest()) {
                    self.shared.journal.gone(guest.child.pid(), 0);
                    self.bury(worker, 0);
                }
            }
            Ok(Record::Unfit { worker, failure }) => self.shared.take_complaint(worker, failure),
            Err(_) => self.open(&message),
        }
    }

    /// A call of this client ended with its worker.
    fn lost(&mut self, lost: &Lost, bytes: &[u8], parcel: Option<&Parcel>) {
        let Ok(batch) = Batch::parse(bytes) else { return self.shared.stop(&damaged("a record of the pool's result queue")) };
        let call = CallId { number: batch.first, attempt: lost.attempt };
        let (error, by_error) = lost.error(&batch, call);
        self.fail(batch.job, call, error, by_error, Some(Letter::with_blocks_of(parcel, bytes.to_vec())));
    }

    /// What is no record may be a note.
    fn open(&mut self, message: &Message) {
        match Note::parse(message) {
            Ok(Note::Join(join)) if self.shared.named().is_some() => self.known.extend(self.shared.admit(&join)),
            Ok(Note::Ring) => self.shared.ring(),
            Ok(Note::Lost(lost, bytes)) => self.lost(&lost, bytes, None),
            _ => self.shared.stop(&damaged("a record of the pool's result queue")),
        }
    }

    /// A value with blocks beside it, or arguments that come back with theirs.
    fn handle_parcel(&mut self, message: Message) {
        let damaged = || polyproc_ipc::Error::new(Ipc::Corrupt, "a record of the pool's result queue is damaged").into();
        let Ok(parcel) = Parcel::open(message) else { return self.shared.stop(&damaged()) };
        if let Ok(Note::Lost(lost, bytes)) = Note::parse(parcel.body()) {
            return self.lost(&lost, bytes, Some(&parcel));
        }
        match Record::parse(parcel.body()) {
            Ok(Record::Done { job, index, owner, at }) => {
                self.credit(owner, true);
                self.settle(job, index, Ok(Payload::Parcel { parcel, at }));
            }
            Ok(Record::Failed { job, index, owner, attempt, failure, arguments }) => {
                self.failed(job, owner, CallId { number: index, attempt }, failure, &arguments, Some(&parcel));
            }
            _ => self.shared.stop(&damaged()),
        }
    }

    fn failed(&mut self, job: u64, owner: u64, call: CallId, failure: Failure, arguments: &[u8], parcel: Option<&Parcel>) {
        self.credit(owner, false);
        let batch = self.again(job, call, &failure, arguments).map(|body| Letter::with_blocks_of(parcel, body));
        self.fail(job, call, Error::failed(failure, call), true, batch);
    }

    fn settle(&mut self, id: u64, index: u64, outcome: Outcome) {
        // A job may be gone: its submission failed half-way, or the pool was stopped.
        let (shared, good) = (self.shared, outcome.is_ok());
        let Some(job) = self.job(id) else { return };
        if good {
            shared.done.fetch_add(1, Ordering::Relaxed);
        }
        let settled = job.settle(index, outcome);
        if settled.over || settled.complete {
            let job = job.clone();
            self.follow(id, &job, settled);
        }
    }

    /// The batch for the next attempt of a call that panicked. The worker sent the arguments back if there may be one.
    fn again(&mut self, id: u64, call: CallId, failure: &Failure, arguments: &[u8]) -> Option<Vec<u8>> {
        if arguments.is_empty() || !failure.is_own() {
            return None;
        }
        let shared = self.shared;
        let terms = Terms { attempt: call.attempt, ..shared.terms(self.job(id)?.options()) }.again();
        let mut batch = BatchBuilder::new(id, call.number, &failure.task, terms);
        batch.push_encoded(arguments);
        Some(batch.finish().body)
    }

    /// A call failed, which may be told twice: by its record, and by the death of its worker before the next *begin*. It is run again if it may be, as `batch` says, and settled with `error` otherwise.
    fn fail(&mut self, id: u64, call: CallId, error: Error, by_error: bool, batch: Option<Letter>) {
        let Some(job) = self.job(id) else { return };
        let mut told = false;
        job.retried(&mut |retried| told = retried.has(call));
        if told {
            return;
        }
        // If its result was there before, that counts.
        if !job.is_open(call.number) {
            return self.settle(id, call.number, Err(error));
        }
        let wait = job.options().retry.after(call.attempt, by_error).filter(|_| !job.is_cancelled());
        if wait.is_some() && batch.is_some() {
            job.retried(&mut |retried| retried.add(call));
        }
        match (wait, batch) {
            (Some(wait), Some(batch)) if wait.is_zero() => self.submit_again(id, batch),
            (Some(wait), Some(batch)) => {
                if let Err(refused) = self.shared.warden.later(self.shared, wait, Deed::Submit { job: id, batch }) {
                    self.settle(id, call.number, Err(refused));
                }
            }
            _ => self.settle(id, call.number, Err(error)),
        }
    }

    /// The job of this number; the last one is remembered.
    fn job(&mut self, id: u64) -> Option<&Arc<dyn Job>> {
        if self.job.as_ref().is_none_or(|(known, _)| *known != id) {
            self.job = self.shared.find(id).map(|job| (id, job));
        }
        self.job.as_ref().map(|(_, job)| job)
    }

    fn follow(&mut self, id: u64, job: &Arc<dyn Job>, settled: table::Settled) {
        if settled.over {
            self.job = None;
        }
        self.shared.follow(id, &**job, settled);
    }

    fn greet(&mut self, number: u32, owner: u64) {
        let workers = self.shared.workers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(worker) = workers.iter().find(|worker| worker.number == number) {
            worker.owner.store(owner, Ordering::Release);
            self.known.push((owner, worker.clone()));
        }
    }

    fn credit(&mut self, owner: u64, good: bool) {
        self.restarts.worked();
        if let Some((_, worker)) = self.known.iter().find(|(known, _)| *known == owner) {
            worker.finished.fetch_add(1, Ordering::Relaxed);
            worker.failed.fetch_add(u64::from(!good), Ordering::Relaxed);
        }
    }

    /// Decides what a dead worker held. All that it put is handled, and the fabric is swept.
    fn bury(&mut self, number: u32, code: i32) {
        let Some(worker) = self.shared.worker(number) else { return };
        self.known.retain(|(_, known)| known.number != number);
        let death = worker.death(code);
        // It announced itself before its first lease: without an owner it held none.
        let parted = worker.is_guest() && worker.facts.left.load(Ordering::Relaxed);
        let held = match worker.owner().filter(|_| !parted).map_or(Ok(Vec::new()), |owner| self.shared.tasks.reclaim(owner)) {
            Ok(held) => held,
            Err(error) => return self.shared.stop(&error.into()),
        };
        let leaves = held.iter().filter(|lease| wire::is_leave(&lease.message)).count();
        self.shared.forget(number, leaves);
        let mut doing = Doing { held: false, began: false };
        for lease in held.into_iter().filter(|lease| !wire::is_leave(&lease.message)) {
            doing.held = true;
            match self.inherit(&worker, death, lease) {
                Ok(began) => doing.began |= began,
                Err(error) => return self.shared.stop(&error),
            }
        }
        // Of calls for clients no record comes here; its page tells of them.
        if self.shared.named().is_some() && matches!(worker.page.look(), Ok(Some(_))) {
            self.restarts.worked();
        }
        self.shared.bury(&worker);
        if !worker.is_guest()
            && let Some(error) = self.restarts.died(&worker, death, doing)
        {
            self.shared.journal.gave_up();
            tracing::error!(target: TARGET, "{error}");
            self.shared.stop(&error);
        }
        // What the supervisor counts has changed.
        self.shared.ring();
    }

    /// Decides what becomes of the calls of a batch that a dead worker had. Whether one of them had begun.
    fn inherit(&mut self, worker: &Worker, death: Death, lease: Reclaimed) -> Result<bool> {
        let unreadable = || damaged("a batch of the pool's task queue");
        let parcel = Parcel::open(lease.message).map_err(|_| unreadable())?;
        let batch = Batch::parse(parcel.body()).map_err(|wire::Damaged| unreadable())?;
        let has_left = lease.progress & LEFT != 0;
        let progress = u32::try_from(lease.progress & !LEFT).unwrap_or(u32::MAX).min(batch.count);
        if let Some(running) = progress.checked_sub(1).filter(|_| !has_left) {
            let call = CallId { number: batch.first + u64::from(running), attempt: batch.terms.attempt };
            let (why, memory) = (worker.page.verdict(batch.job, call.number), worker.facts.over.load(Ordering::Relaxed));
            let lost = Lost { death, why, memory, attempt: call.attempt, stderr: worker.child.stderr() };
            let alone = batch.single(running, batch.terms.again());
            // If its result was put before the death, it is there already, and this changes nothing.
            if let Some(reply) = &batch.terms.reply {
                let note = notes::lost(&lost, &alone.unwrap_or_default());
                self.shared.tell_client(reply, Letter::with_blocks_of(Some(&parcel), note));
            } else {
                let (error, by_error) = lost.error(&batch, call);
                self.fail(batch.job, call, error, by_error, alone.map(|body| Letter::with_blocks_of(Some(&parcel), body)));
            }
        }
        if let Some(tail) = batch.tail(progress) {
            tracing::debug!(target: TARGET, task = batch.name, calls = batch.count - progress, "calls of a dead worker are submitted again");
            self.submit_again(batch.job, Letter::with_blocks_of(Some(&parcel), tail));
        }
        Ok(progress > 0)
    }

    /// Submits again what the dead worker had not begun, or what may be run again.
    fn submit_again(&mut self, id: u64, batch: Letter) {
        self.job = None;
        if !self.shared.submit_or_settle(id, &batch)
            && let Err(refused) = self.shared.warden.later(self.shared, AGAIN, Deed::Submit { job: id, batch })
        {
            self.shared.stop(&refused);
        }
    }
}
