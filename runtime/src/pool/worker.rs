//! The worker's side of a pool: run the start hook, then take batches under a lease, run their calls, put a record for each; leave in order.
//!
//! Whatever instruction it is killed at, the lease and its progress say which call was running; see the protocol in
//! `runtime/src/README.md`. Must not know jobs, nor what arguments mean.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use polyproc_ipc::{BytesQueue, ErrorKind as Ipc, Fabric, Lease, Packing, Parcel, Ticket, codec, interruptible};

use super::desk::{self, Desk};
use super::journal::Calls;
use super::setup::Setup;
use crate::error::{Error, ErrorKind, Failure, Result};
use crate::memory::Gauge;
use crate::registry::{self, Run};
use crate::serving::OnSignal;
use crate::start::WorkerTickets;
use crate::task::Exchange;
use crate::wire::{self, Batch};
use crate::{calling, panic};

/// A record that waited longer than this, in nanoseconds, is announced at once, and not with the batch's last.
const PROMPT: u64 = 1_000_000;
/// How long a worker waits before it tries again to put a record into a fabric without memory: nothing tells when there is some.
const FULL: Duration = Duration::from_millis(5);

/// How often a worker that waits asks whether a signal came: one may come just before it begins to wait.
const LOOK: Duration = Duration::from_secs(1);

/// In the progress of a lease: so many calls are over, and none is running; the worker leaves.
pub(super) const LEFT: u64 = 1 << 32;

/// Works until the pool is closed, or wants this worker no more. The answer is the exit code.
pub(crate) fn run(fabric: &Fabric, number: u32, tickets: &WorkerTickets, on_signal: Option<OnSignal<'_>>) -> i32 {
    match serve(fabric, number, tickets, on_signal) {
        Ok(code) => code,
        // The pool is over, and said so to nobody.
        Err(error) if error.kind() == ErrorKind::Ipc(Ipc::Gone) => 1,
        Err(error) => {
            eprintln!("polyproc: worker {number} (pid {}) ends: {error}", std::process::id());
            1
        }
    }
}

fn serve(fabric: &Fabric, number: u32, tickets: &WorkerTickets, mut on_signal: Option<OnSignal<'_>>) -> Result<i32> {
    let tasks = BytesQueue::from_ticket(&tickets.tasks)?;
    let results = BytesQueue::from_ticket(&tickets.results)?;
    let desk = Desk::new(&tickets.page, &tickets.cancelled)?;
    let setup = Setup::read(tickets.setup.as_ref())?;
    let owner = fabric.member()?.to_bits();
    if let Some(hook) = &setup.on_start
        && let Err(failure) = call(hook, &mut Vec::new())
    {
        put(&results, &wire::unfit(number, &failure))?;
        return Ok(1);
    }
    // Before the first lease: the pool must know whose leases to ask for.
    put(&results, &wire::hello(number, owner))?;
    let mut worker = Worker::new(results, desk, owner, tickets.events.as_ref());
    (worker.left, worker.gauge) = (setup.most_calls, setup.soft_memory.map(Gauge::new));
    tracing::debug!(target: crate::logging::TARGET, "takes calls");
    let mut code = 0;
    loop {
        let lease = match next(&tasks, on_signal.as_mut()) {
            Ok(ControlFlow::Continue(lease)) => lease,
            Ok(ControlFlow::Break(wanted)) => {
                code = wanted;
                break;
            }
            Err(error) if error.kind() == Ipc::Closed => break,
            Err(error) => return Err(error.into()),
        };
        if wire::is_leave(&lease) {
            // It is used up when the pool finds it in the hands of this worker after its end, and so at any death.
            std::mem::forget(lease);
            break;
        }
        if !worker.serve(number, lease)? || worker.is_done() {
            break;
        }
    }
    worker.say_goodbye(number, setup.on_exit.as_deref())?;
    Ok(code)
}

/// Waits for a batch; or for a signal that makes this worker leave, with the exit code that it says.
fn next(tasks: &BytesQueue, on_signal: Option<&mut OnSignal<'_>>) -> polyproc_ipc::Result<ControlFlow<i32, Lease>> {
    let Some(on_signal) = on_signal else { return tasks.get_lease().map(ControlFlow::Continue) };
    let mut time = Duration::ZERO;
    loop {
        let (lease, _) = interruptible(|| match if time.is_zero() { None } else { on_signal() } {
            Some(code) => Ok(ControlFlow::Break(code)),
            None => tasks.get_lease_timeout(Some(time)).map(ControlFlow::Continue),
        });
        match lease {
            Err(error) if error.kind() == Ipc::Timeout => time = LOOK,
            lease => return lease,
        }
    }
}

pub(crate) fn damaged(what: &str) -> Error {
    Error::from(polyproc_ipc::Error::new(Ipc::Corrupt, format!("{what} is damaged")))
}

/// Runs a hook, which is a batch of one call, and appends its value.
pub(super) fn call(hook: &[u8], output: &mut Vec<u8>) -> Result<(), Failure> {
    let Ok(batch) = Batch::parse(hook) else {
        return Err(Failure::new(ErrorKind::BadArguments, "", "a hook of the pool is damaged"));
    };
    let arguments = batch.items().next().unwrap_or_default();
    let run = registry::find(batch.name)?;
    panic::watch(batch.name, || run.call(&mut Exchange { arguments, parcel: None, packing: &mut Packing::new(), output }))
}

/// A batch on its lease; as a parcel if there are blocks beside it, which may be kept by whom they were given to.
enum Taken {
    Lease(Lease),
    Parcel(Arc<Parcel>),
}

impl Taken {
    /// One with blocks that cannot be read stays what it is, and is no batch.
    fn new(lease: Lease) -> Taken {
        let readable = |body| Batch::parse(body).is_ok();
        if lease.message().codec() & codec::WITH_BLOCKS == 0 || !codec::body_of(&lease, lease.message().codec()).is_ok_and(readable) {
            return Taken::Lease(lease);
        }
        Parcel::open_lease(lease).map_or_else(|lease| Taken::Lease(*lease), Taken::Parcel)
    }

    fn bury(self) -> Result<()> {
        match self {
            Taken::Lease(lease) => Ok(lease.bury()?),
            // It was read when it was taken.
            Taken::Parcel(_) => Ok(()),
        }
    }

    fn body(&self) -> &[u8] {
        match self {
            Taken::Lease(lease) => lease,
            Taken::Parcel(parcel) => parcel.body(),
        }
    }

    fn parcel(&self) -> Option<&Arc<Parcel>> {
        match self {
            Taken::Lease(_) => None,
            Taken::Parcel(parcel) => Some(parcel),
        }
    }

    fn set_progress(&self, progress: u64) {
        match self {
            Taken::Lease(lease) => lease.set_progress(progress),
            Taken::Parcel(parcel) => drop(parcel.with_lease(|lease| lease.set_progress(progress))),
        }
    }

    fn ack(self) -> Result<()> {
        match self {
            Taken::Lease(lease) => Ok(lease.ack()?),
            Taken::Parcel(parcel) => Ok(parcel.ack()?),
        }
    }
}

/// A worker at its work, whether the pool started it or it joined by itself.
pub(super) struct Worker {
    results: BytesQueue,
    replies: Replies,
    desk: Desk,
    owner: u64,
    /// The record being written; kept for its memory.
    record: Vec<u8>,
    /// Blocks that go with it.
    packing: Packing,
    /// The task of the last batch.
    known: Option<(Arc<str>, Run)>,
    /// How many more calls it may run, if not any number.
    left: Option<u64>,
    /// Watches for the soft memory limit.
    gauge: Option<Gauge>,
    calls: Calls,
}

impl Worker {
    /// One without limits.
    pub(super) fn new(results: BytesQueue, desk: Desk, owner: u64, events: Option<&Ticket>) -> Worker {
        let (record, packing, replies, calls) = (Vec::new(), Packing::new(), Replies::default(), Calls::new(events));
        Worker { results, replies, desk, owner, record, packing, known: None, left: None, gauge: None, calls }
    }

    /// Does what a lease says. False: it is to leave, and has the rest of the batch in hand.
    pub(super) fn serve(&mut self, number: u32, lease: Lease) -> Result<bool> {
        let taken = Taken::new(lease);
        let Ok(batch) = Batch::parse(taken.body()) else {
            let damage = damaged("a batch of the pool's task queue");
            let failure = Failure { number: Ipc::Corrupt.number(), message: damage.to_string(), ..Failure::default() };
            // Told first, so that no call waits for what nobody can read; then put where nobody gets it.
            put(&self.results, &wire::unfit(number, &failure))?;
            taken.bury()?;
            return Err(damage);
        };
        let reply = match &batch.terms.reply {
            None => None,
            Some(ticket) => {
                let open = self.replies.open(ticket)?;
                if open.is_none() {
                    // The client is gone, and nobody waits for its calls.
                    taken.ack()?;
                    return Ok(true);
                }
                open
            }
        };
        let begun = self.run(&batch, reply.as_ref(), &taken)?;
        reply.as_ref().unwrap_or(&self.results).wake();
        if begun < batch.count {
            // The rest goes on as that of a worker that died here, but nothing of it was running.
            taken.set_progress(LEFT | u64::from(begun));
            std::mem::forget(taken);
            return Ok(false);
        }
        taken.ack()?;
        Ok(true)
    }

    /// Runs the calls of a batch until it is to leave. The answer is how many have begun, and are done; all, if nobody waits for the rest.
    fn run(&mut self, batch: &Batch<'_>, reply: Option<&BytesQueue>, taken: &Taken) -> Result<u32> {
        let task = self.find(batch.name);
        self.desk.open(batch)?;
        if let (Ok(_), Some((name, _))) = (&task, &self.known) {
            calling::prepare(name, batch.first, &batch.terms, self.desk.page());
        }
        self.calls.enter(batch.name);
        let mut started = desk::now();
        let mut announced = started;
        for (i, arguments) in batch.items().enumerate() {
            let index = batch.first + i as u64;
            // 0: nothing has begun; i + 1: call i has. Before the desk: who is condemned there, the lease names.
            taken.set_progress(i as u64 + 1);
            let serial = self.desk.begin(started)?;
            self.calls.begin(batch.job, index);
            wire::done(&mut self.record, batch.job, index, self.owner);
            let answer = match &task {
                _ if self.desk.must_skip(batch.job)? => Err(Failure::new(ErrorKind::Cancelled, batch.name, "")),
                Ok(run) => calling::with(index, serial, started, || {
                    let _span = crate::logging::span_of(batch.name, batch.job, index, batch.terms.attempt);
                    panic::watch(batch.name, || {
                        run.call(&mut Exchange { arguments, parcel: taken.parcel(), packing: &mut self.packing, output: &mut self.record })
                    })
                }),
                Err(failure) => Err(failure.clone()),
            };
            let failure = answer.err();
            self.calls.end(failure.is_none());
            if let Some(failure) = &failure {
                let may_come_again = batch.terms.bring_back && failure.is_own();
                let back = if may_come_again { arguments } else { &[] };
                wire::failed(&mut self.record, [batch.job, index, self.owner], batch.terms.attempt, failure, back);
                self.packing = Packing::new();
                if let (Some(parcel), true) = (taken.parcel(), may_come_again) {
                    self.packing.adopt(parcel);
                }
            }
            if !self.desk.finish()? {
                // Condemned: the pool has decided what became of this call, and ends this process.
                loop {
                    std::thread::park();
                }
            }
            match self.put_record(batch, reply, index, failure) {
                Err(error) if reply.is_some() && matches!(error.kind(), ErrorKind::Ipc(Ipc::Gone | Ipc::Closed)) => return Ok(batch.count),
                put => put?,
            }
            #[cfg(test)]
            tests::behind_record();
            started = desk::now();
            if started - announced > PROMPT {
                reply.unwrap_or(&self.results).wake();
                announced = started;
            }
            self.left = self.left.map(|left| left.saturating_sub(1));
            if self.is_done() {
                return Ok(i as u32 + 1);
            }
        }
        Ok(batch.count)
    }

    /// Whether this worker has done its share, or has too much memory.
    fn is_done(&mut self) -> bool {
        self.left == Some(0) || self.gauge.as_mut().is_some_and(Gauge::is_over)
    }

    /// The last that a worker does: runs the exit hook, and says that it leaves.
    pub(super) fn say_goodbye(&mut self, number: u32, hook: Option<&[u8]>) -> Result<()> {
        self.record.clear();
        if let Some(hook) = hook {
            wire::done(&mut self.record, 0, 0, self.owner);
            if let Err(failure) = call(hook, &mut self.record) {
                wire::failed(&mut self.record, [0, 0, self.owner], 0, &failure, &[]);
            }
        }
        let bytes = self.record.len();
        match self.results.put(&wire::bye(number, &self.record)) {
            Err(error) if matches!(error.kind(), Ipc::TooLarge | Ipc::OutOfMemory) && bytes > 0 => {
                let sentence = format!("the result of the exit hook ({bytes} bytes) does not fit into the fabric: {error}");
                wire::failed(&mut self.record, [0, 0, self.owner], 0, &Failure::new(ErrorKind::BadResult, "", sentence), &[]);
                put(&self.results, &wire::bye(number, &self.record))
            }
            Err(error) if error.kind() == Ipc::OutOfMemory => put(&self.results, &wire::bye(number, &[])),
            put => Ok(put?),
        }
    }

    fn find(&mut self, name: &str) -> Result<Run, Failure> {
        match &self.known {
            Some((known, run)) if **known == *name => Ok(run.clone()),
            _ => {
                let run = registry::find(name)?;
                self.known = Some((name.into(), run.clone()));
                Ok(run)
            }
        }
    }

    /// Puts the record; a value that the fabric has no room for becomes a failure that says so, and a failure comes without the arguments, for good.
    fn put_record(&mut self, batch: &Batch<'_>, reply: Option<&BytesQueue>, index: u64, failure: Option<Failure>) -> Result<()> {
        let results = reply.unwrap_or(&self.results);
        let done = if self.packing.is_empty() { results.put_quiet(&self.record) } else { results.put_packed(std::mem::take(&mut self.packing), &self.record) };
        match done {
            Ok(()) => Ok(()),
            Err(error) if matches!(error.kind(), Ipc::TooLarge | Ipc::OutOfMemory) => {
                let bytes = self.record.len();
                let failure = failure.unwrap_or_else(|| {
                    let sentence = format!("the result of task '{}' ({bytes} bytes) does not fit into the fabric: {error}", batch.name);
                    Failure::new(ErrorKind::BadResult, batch.name, sentence)
                });
                wire::failed(&mut self.record, [batch.job, index, self.owner], batch.terms.attempt, &failure, &[]);
                put(results, &self.record)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The reply queues of clients, each opened once.
#[derive(Default)]
struct Replies(Vec<(Ticket, BytesQueue)>);

impl Replies {
    /// So many are remembered.
    const MOST: usize = 64;

    /// The queue of this ticket; `None` if its client is gone.
    fn open(&mut self, ticket: &Ticket) -> Result<Option<BytesQueue>> {
        if let Some((_, queue)) = self.0.iter().find(|(known, _)| known == ticket) {
            return Ok(Some(queue.clone()).filter(|queue| !queue.is_closed()));
        }
        match BytesQueue::from_ticket(ticket) {
            Ok(queue) if queue.is_closed() => Ok(None),
            Ok(queue) => {
                if self.0.len() >= Replies::MOST {
                    self.0.retain(|(_, queue)| !queue.is_closed());
                }
                if self.0.len() >= Replies::MOST {
                    self.0.remove(0);
                }
                self.0.push((*ticket, queue.clone()));
                Ok(Some(queue))
            }
            Err(error) if error.kind() == Ipc::Gone => Ok(None),
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

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    use super::*;
    use crate::pool::Pool;
    use crate::task;

    static DIES: AtomicBool = AtomicBool::new(false);

    /// This worker is to be killed as soon as the record of the call that it runs is put.
    pub(in super::super) fn die_behind_record() {
        DIES.store(true, Ordering::Relaxed);
    }

    pub(super) fn behind_record() {
        if DIES.load(Ordering::Relaxed) {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
    }

    #[task]
    fn same(n: u64) -> u64 {
        n
    }

    #[test]
    fn a_batch_that_nobody_can_read_ends_the_pool_with_every_call() {
        let pool = Pool::builder().workers(2).build().unwrap();
        assert_eq!(pool.apply(same, (7,)).unwrap(), 7);
        pool.shared.tasks.put(b"no batch").unwrap();
        // It is open until a worker has come upon it.
        while pool.apply(same, (1,)).is_ok() {}
        let error = pool.apply(same, (1,)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Ipc(Ipc::Corrupt), "{error}");
        assert!(error.to_string().contains("batch"), "{error}");
        pool.join().unwrap();
    }
}
