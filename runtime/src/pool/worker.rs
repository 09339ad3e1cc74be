//! The worker's side of a pool: take a batch under a lease, run its calls, put a record for each.
//!
//! Whatever instruction it is killed at, the lease and its progress say which call was running; see the protocol in
//! `runtime/src/README.md`. Must not know jobs, nor what arguments mean.

use std::sync::Arc;
use std::time::Duration;

use polyproc_ipc::{BytesQueue, ErrorKind as Ipc, Fabric, Ticket};

use super::desk::{self, Desk};
use crate::error::{Error, ErrorKind, Failure, Result};
use crate::registry::{self, Run};
use crate::wire::{self, Batch};
use crate::{current, panic};

/// A record that waited longer than this, in nanoseconds, is announced at once, and not with the batch's last.
const PROMPT: u64 = 1_000_000;
/// How long a worker waits before it tries again to put a record into a fabric without memory: nothing tells when there is some.
const FULL: Duration = Duration::from_millis(5);

/// Works until the pool is closed. The answer is the exit code.
pub(crate) fn run(fabric: &Fabric, number: u32, tickets: [&Ticket; 4]) -> i32 {
    match serve(fabric, number, tickets) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("polyproc: worker {number} (pid {}) ends: {error}", std::process::id());
            1
        }
    }
}

fn serve(fabric: &Fabric, number: u32, [tasks, results, page, cancelled]: [&Ticket; 4]) -> Result<()> {
    let tasks = BytesQueue::from_ticket(tasks)?;
    let results = BytesQueue::from_ticket(results)?;
    let desk = Desk::new(page, cancelled)?;
    let owner = fabric.member()?.to_bits();
    // Before the first lease: the pool must know whose leases to ask for.
    put(&results, &wire::hello(number, owner))?;
    let mut worker = Worker { results, desk, owner, record: Vec::new(), known: None };
    loop {
        let lease = match tasks.get_lease() {
            Ok(lease) => lease,
            Err(error) if error.kind() == Ipc::Closed => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        // A batch that cannot be read is left unacknowledged: the pool gets it back with this worker's end, and knows.
        let batch = Batch::parse(&lease).map_err(|wire::Damaged| damaged())?;
        worker.run(&batch, |progress| lease.set_progress(progress))?;
        worker.results.wake();
        lease.ack()?;
    }
}

pub(super) fn damaged() -> Error {
    Error::from(polyproc_ipc::Error::new(Ipc::Corrupt, "a batch of the pool's task queue is damaged"))
}

struct Worker {
    results: BytesQueue,
    desk: Desk,
    owner: u64,
    /// The record being written; kept for its memory.
    record: Vec<u8>,
    /// The task of the last batch.
    known: Option<(Arc<str>, Run)>,
}

impl Worker {
    fn run(&mut self, batch: &Batch<'_>, progress: impl Fn(u64)) -> Result<()> {
        let task = self.find(batch.name);
        self.desk.open(batch)?;
        if let (Ok(_), Some((name, _))) = (&task, &self.known) {
            current::prepare(name, batch.first, &batch.terms, self.desk.page());
        }
        let mut started = desk::now();
        let mut announced = started;
        for (i, arguments) in batch.items().enumerate() {
            let index = batch.first + i as u64;
            // 0: nothing has begun; i + 1: call i has. Before the desk: who is condemned there, the lease names.
            progress(i as u64 + 1);
            let serial = self.desk.begin(started)?;
            wire::done(&mut self.record, batch.job, index, self.owner);
            let answer = match &task {
                _ if self.desk.must_skip(batch.job)? => Err(Failure::new(ErrorKind::Cancelled, batch.name, "")),
                Ok(run) => current::with(index, serial, started, || panic::watch(batch.name, || run(arguments, &mut self.record))),
                Err(failure) => Err(failure.clone()),
            };
            let failure = answer.err();
            if let Some(failure) = &failure {
                let may_come_again = batch.terms.bring_back && failure.number == ErrorKind::Panicked.number();
                let back = if may_come_again { arguments } else { &[] };
                wire::failed(&mut self.record, [batch.job, index, self.owner], batch.terms.attempt, failure, back);
            }
            if !self.desk.finish()? {
                // Condemned: the pool has decided what became of this call, and ends this process.
                loop {
                    std::thread::park();
                }
            }
            self.put_record(batch, index, failure)?;
            started = desk::now();
            if started - announced > PROMPT {
                self.results.wake();
                announced = started;
            }
        }
        Ok(())
    }

    fn find(&mut self, name: &str) -> Result<Run, Failure> {
        match &self.known {
            Some((known, run)) if **known == *name => Ok(*run),
            _ => {
                let run = registry::find(name)?;
                self.known = Some((name.into(), run));
                Ok(run)
            }
        }
    }

    /// Puts the record; a value that the fabric has no room for becomes a failure that says so, and a failure comes without the arguments, for good.
    fn put_record(&mut self, batch: &Batch<'_>, index: u64, failure: Option<Failure>) -> Result<()> {
        match self.results.put_quiet(&self.record) {
            Ok(()) => Ok(()),
            Err(error) if matches!(error.kind(), Ipc::TooLarge | Ipc::OutOfMemory) => {
                let bytes = self.record.len();
                let failure = failure.unwrap_or_else(|| {
                    let sentence = format!("the result of task '{}' ({bytes} bytes) does not fit into the fabric: {error}", batch.name);
                    Failure::new(ErrorKind::BadResult, batch.name, sentence)
                });
                wire::failed(&mut self.record, [batch.job, index, self.owner], batch.terms.attempt, &failure, &[]);
                put(&self.results, &self.record)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Puts a small record, however long the fabric stays full: the pool, which empties the queue, must hear of every call.
fn put(results: &BytesQueue, record: &[u8]) -> Result<()> {
    loop {
        match results.put(record) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == Ipc::OutOfMemory => std::thread::sleep(FULL),
            Err(error) => return Err(error.into()),
        }
    }
}
