//! The worker's side of a pool: take a batch under a lease, run its calls, put a record for each.
//!
//! Whatever instruction it is killed at, the lease and its progress say which call was running; see the protocol in
//! `runtime/src/README.md`. Must not know jobs, nor what arguments mean.

use std::time::{Duration, Instant};

use polyproc_ipc::{BytesQueue, ErrorKind as Ipc, Fabric, Ticket};

use super::journal::Calls;
use crate::error::{Error, ErrorKind, Failure, Result};
use crate::panic;
use crate::registry::{self, Run};
use crate::wire::{self, Batch};

/// A record that waited longer than this is announced at once, and not with the batch's last.
const PROMPT: Duration = Duration::from_millis(1);
/// How long a worker waits before it tries again to put a record into a fabric without memory: nothing tells when there is some.
const FULL: Duration = Duration::from_millis(5);

/// Works until the pool is closed. The answer is the exit code.
pub(crate) fn run(fabric: &Fabric, number: u32, tasks: &Ticket, results: &Ticket, events: Option<&Ticket>) -> i32 {
    match serve(fabric, number, tasks, results, events) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("polyproc: worker {number} (pid {}) ends: {error}", std::process::id());
            1
        }
    }
}

fn serve(fabric: &Fabric, number: u32, tasks: &Ticket, results: &Ticket, events: Option<&Ticket>) -> Result<()> {
    let tasks = BytesQueue::from_ticket(tasks)?;
    let results = BytesQueue::from_ticket(results)?;
    let owner = fabric.member()?.to_bits();
    // Before the first lease: the pool must know whose leases to ask for.
    put(&results, &wire::hello(number, owner))?;
    let mut worker = Worker { results, owner, record: Vec::new(), known: None, calls: Calls::new(events) };
    tracing::debug!(target: crate::logging::TARGET, "takes calls");
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
    owner: u64,
    /// The record being written; kept for its memory.
    record: Vec<u8>,
    /// The task of the last batch.
    known: Option<(String, Run)>,
    calls: Calls,
}

impl Worker {
    fn run(&mut self, batch: &Batch<'_>, progress: impl Fn(u64)) -> Result<()> {
        let task = self.find(batch.name);
        self.calls.enter(batch.name);
        let mut announced = Instant::now();
        for (i, arguments) in batch.items().enumerate() {
            let index = batch.first + i as u64;
            // 0: nothing has begun; i + 1: call i has.
            progress(i as u64 + 1);
            self.calls.begin(batch.job, index);
            wire::done(&mut self.record, batch.job, index, self.owner);
            let answer = match &task {
                Ok(run) => panic::watch(batch.name, || run(arguments, &mut self.record)),
                Err(failure) => Err(failure.clone()),
            };
            self.calls.end(answer.is_ok());
            if let Err(failure) = answer {
                wire::failed(&mut self.record, batch.job, index, self.owner, &failure);
            }
            self.put_record(batch, index)?;
            if announced.elapsed() > PROMPT {
                self.results.wake();
                announced = Instant::now();
            }
        }
        Ok(())
    }

    fn find(&mut self, name: &str) -> Result<Run, Failure> {
        match &self.known {
            Some((known, run)) if known == name => Ok(*run),
            _ => {
                let run = registry::find(name)?;
                self.known = Some((name.into(), run));
                Ok(run)
            }
        }
    }

    /// Puts the record; one that the fabric has no room for becomes a failure that says so.
    fn put_record(&mut self, batch: &Batch<'_>, index: u64) -> Result<()> {
        match self.results.put_quiet(&self.record) {
            Ok(()) => Ok(()),
            Err(error) if matches!(error.kind(), Ipc::TooLarge | Ipc::OutOfMemory) => {
                let bytes = self.record.len();
                let sentence = format!("the result of task '{}' ({bytes} bytes) does not fit into the fabric: {error}", batch.name);
                let failure = Failure::new(ErrorKind::BadResult, batch.name, sentence);
                wire::failed(&mut self.record, batch.job, index, self.owner, &failure);
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
