//! The pool's side of a name: guests that join and submit, and what a client adds to what it shares with a pool.
//!
//! The collector lets guests in, and passes on what a dead worker had of a client; see `runtime/src/README.md`, "Pools with a name". Must not know
//! what guests do with it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use polyproc_ipc::{Array, BytesQueue, ErrorKind as Ipc, Fabric, Locking, Ticket};

use super::desk::Why;
use super::limits::Facts;
use super::named::{Claim, Description};
use super::notes::{self, Join, Lost, Role};
use super::options::Options;
use super::table::{self, Phase, Shared, Worker};
use super::warden::{AGAIN, Deed};
use crate::child::Child;
use crate::error::{CallId, Error, ErrorKind, Result};
use crate::logging::TARGET;
use crate::wire::{Batch, Letter, Terms};

/// The place of a worker that has none, as it joined by itself.
pub(super) const NO_PLACE: u32 = u32::MAX;

/// How a pool, or a client of one, stands to other processes.
pub(super) enum Standing {
    /// Nobody finds it.
    Alone,
    /// Guests find it by its name.
    Named(Box<Named>),
    /// It is a client: it submits to a pool of another process.
    Client(Box<Remote>),
}

/// What a pool with a name has beside.
pub(super) struct Named {
    claim: OnceLock<Claim>,
    /// 1 while the supervisor dozes.
    doze: Array<u64>,
    /// Joined workers that the supervisor has not seen.
    arrived: Mutex<Vec<Arc<Worker>>>,
    /// The reply queues of clients.
    clients: Mutex<Vec<Ticket>>,
    /// The last client's number.
    last: AtomicU32,
}

/// What a client knows of its pool.
pub(super) struct Remote {
    pub(super) results: BytesQueue,
    pub(super) doze: Array<u64>,
    /// The client's own queue, for records.
    pub(super) reply: Ticket,
}

impl Standing {
    pub(super) fn of_pool(fabric: &Fabric, name: Option<&str>) -> Result<Standing> {
        if name.is_none() {
            return Ok(Standing::Alone);
        }
        let doze = Array::zeroed_with(fabric, 1, Locking::None)?;
        Ok(Standing::Named(Box::new(Named { claim: OnceLock::new(), doze, arrived: Mutex::default(), clients: Mutex::default(), last: AtomicU32::new(0) })))
    }
}

impl Remote {
    /// Rings the supervisor if it dozes. With a fence between a put and this: either it saw the batch, or we see the doze.
    pub(super) fn wake_supervisor(&self) {
        if self.doze.load(0).is_ok_and(|doze| doze == 1) && self.doze.swap(0, 0).is_ok_and(|doze| doze == 1) && self.results.put(&notes::BELL).is_err() {
            // No memory for it: the next one rings.
            let _ = self.doze.store(0, 1);
        }
    }
}

impl Worker {
    /// Whether it joined by itself: it is no child, and nobody's place.
    pub(super) fn is_guest(&self) -> bool {
        !self.child.is_kin()
    }
}

impl Shared {
    pub(super) fn named(&self) -> Option<&Named> {
        match &self.standing {
            Standing::Named(named) => Some(named),
            _ => None,
        }
    }

    pub(super) fn remote(&self) -> Option<&Remote> {
        match &self.standing {
            Standing::Client(remote) => Some(remote),
            _ => None,
        }
    }

    /// What a first attempt's batch says.
    pub(super) fn terms(&self, options: &Options) -> Terms {
        Terms { reply: self.remote().map(|remote| remote.reply), ..options.terms() }
    }

    /// Makes a pool with a name findable.
    pub(super) fn claim_name(&self) -> Result<()> {
        let (Some(named), Some(name)) = (self.named(), &self.settings.name) else { return Ok(()) };
        let description = Description {
            workers: u32::try_from(self.settings.bounds.most).unwrap_or(u32::MAX),
            owner: self.fabric.member()?,
            tasks: self.tasks.lend(),
            results: self.results.lend(),
            cancelled: self.board.lend(),
            doze: named.doze.lend(),
            setup: self.setup.as_ref().map(Array::lend),
            events: self.journal.lend(),
        };
        let _ = named.claim.set(Claim::new(&self.fabric, name, &description)?);
        Ok(())
    }

    /// Nobody finds the pool any more.
    pub(super) fn give_name_back(&self) {
        if let Some(claim) = self.named().and_then(|named| named.claim.get()) {
            claim.release();
        }
    }

    /// Tells every client that the pool is over: nothing more comes. Needs no memory.
    pub(super) fn part_with_clients(&self) {
        let Some(named) = self.named() else { return };
        for ticket in std::mem::take(&mut *named.clients.lock().unwrap_or_else(PoisonError::into_inner)) {
            let _ = BytesQueue::from_ticket(&ticket).and_then(|queue| queue.close());
        }
        let _ = named.doze.destroy();
    }

    /// Says in shared memory that the supervisor dozes.
    pub(super) fn doze_in_public(&self) {
        if let Some(named) = self.named() {
            let _ = named.doze.store(0, 1);
        }
    }

    /// Joined workers that came since the last time.
    pub(super) fn arrivals(&self) -> Vec<Arc<Worker>> {
        self.named().map_or_else(Vec::new, |named| std::mem::take(&mut *named.arrived.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Answers one who wants to come in. A worker is the collector's to remember, with its owner.
    pub(super) fn admit(&self, join: &Join) -> Option<(u64, Arc<Worker>)> {
        let named = self.named()?;
        // One that has died has no mailbox.
        let mailbox = BytesQueue::from_ticket(&join.mailbox).ok()?;
        let answer = match (self.phase(), join.role) {
            (Phase::Open, Role::Worker) => self.admit_worker(join),
            (Phase::Open, Role::Client) => {
                let mut clients = named.clients.lock().unwrap_or_else(PoisonError::into_inner);
                clients.retain(|client| BytesQueue::from_ticket(client).is_ok_and(|queue| !queue.is_closed()));
                clients.push(join.mailbox);
                Ok((named.last.fetch_add(1, Ordering::Relaxed) + 1, None))
            }
            _ => Err(table::closed()),
        };
        let note = match &answer {
            Ok((number, worker)) => notes::welcome(*number, worker.as_ref().map(|worker| worker.page.lend())),
            Err(error) => notes::refused(error.kind().number(), &error.to_string()),
        };
        let told = mailbox.put(&note);
        if told.is_err() {
            let _ = mailbox.close();
        }
        let worker = answer.ok()?.1?;
        if told.is_err() {
            // It takes nothing without an answer.
            self.forget(worker.number, 0);
            self.bury(&worker);
            return None;
        }
        named.arrived.lock().unwrap_or_else(PoisonError::into_inner).push(worker.clone());
        self.ring();
        Some((join.owner.to_bits(), worker))
    }

    fn admit_worker(&self, join: &Join) -> Result<(u32, Option<Arc<Worker>>)> {
        if join.pid == std::process::id() {
            return Err(Error::argument("the process that has a pool cannot be its worker as well: join from another one"));
        }
        if self.workers().iter().any(|worker| worker.owner() == Some(join.owner)) {
            return Err(Error::argument("this process is a worker of the pool already"));
        }
        let child = Child::of_member(&self.fabric, join.owner, join.pid)?;
        let (number, page) = (self.next_number(), self.spare_page()?);
        self.board.introduce(page, |page| {
            let (owner, [finished, failed]) = (AtomicU64::new(join.owner.to_bits()), [AtomicU64::new(0), AtomicU64::new(0)]);
            let (buried, facts) = (AtomicBool::new(false), Facts::default());
            let worker = Arc::new(Worker { number, place: NO_PLACE, child, page, buried, owner, finished, failed, facts });
            self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(worker.clone());
            self.journal.started(join.pid, number, false);
            tracing::info!(target: TARGET, worker = number, pid = join.pid, "worker joined");
            Ok((number, Some(worker)))
        })
    }

    /// Submits a client's batch again. False: the fabric is full at the moment. One that cannot be submitted is told to the client by the end of the pool.
    pub(super) fn pass_on(&self, reply: &Ticket, batch: &Letter) -> bool {
        // Nobody waits for the calls of a client that is gone.
        BytesQueue::from_ticket(reply).is_err() || !matches!(self.submit(batch.again()), Err(error) if error.kind() == ErrorKind::Ipc(Ipc::OutOfMemory))
    }

    /// Tells a client, when there is room.
    pub(super) fn tell_client(self: &Arc<Self>, reply: &Ticket, letter: Letter) {
        let Ok(to) = BytesQueue::from_ticket(reply) else { return };
        let Letter { body, packing } = letter.again();
        let put = if packing.is_empty() { to.put(&body) } else { to.put_packed(packing, &body) };
        if put.is_err_and(|error| error.kind() == Ipc::OutOfMemory)
            && let Err(refused) = self.warden.later(self, AGAIN, Deed::Tell { reply: *reply, letter })
        {
            self.stop(&refused);
        }
    }
}

impl Lost {
    /// What the death of its worker means for a call, and whether the pool did it.
    pub(super) fn error(&self, batch: &Batch<'_>, call: CallId) -> (Error, bool) {
        let (error, by_error) = match (self.why, self.memory) {
            (None, 0) => (Error::died(self.death, batch.name, call), false),
            (None, limit) => (Error::memory_limit(self.death, limit, batch.name, call), false),
            (Some(Why::Cancelled), _) => (Error::cancelled(self.death, batch.name, call), true),
            (Some(Why::OverLimit), _) => (Error::time_limit(self.death, batch.name, call, Duration::from_nanos(batch.terms.hard)), true),
        };
        (error.saying(self.stderr.clone()), by_error)
    }
}

#[cfg(test)]
mod tests {
    use polyproc_ipc::Queue;

    use super::*;
    use crate::pool::Pool;
    use crate::task;

    #[task]
    fn waits(open: Queue<u64>) -> u64 {
        open.get().unwrap()
    }

    /// Waits for what will come, or the test is ended from outside.
    fn until(condition: impl Fn() -> bool) {
        while !condition() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_client_wakes_a_pool_that_dozes() {
        let fabric = Fabric::builder().cap(32 << 20).private().unwrap();
        let open = Queue::new(&fabric, 0).unwrap();
        let idle = Duration::from_millis(20);
        let pool = Pool::builder().fabric(&fabric).name("dozes").workers_between(1, 3).idle_timeout(idle).build().unwrap();
        let client = Pool::connect(&fabric, "dozes").unwrap();
        let doze = &pool.shared.named().unwrap().doze;
        for round in 0..3 {
            // Back to one worker, all idle, and nobody looks until somebody rings.
            until(|| pool.shared.present() == (1, 0) && pool.shared.under_way() == 0 && doze.load(0).unwrap() == 1);
            let calls: Vec<_> = (0..3).map(|_| client.submit(waits, (open.clone(),)).unwrap()).collect();
            // Each call needs a worker of its own.
            until(|| pool.progress().workers.iter().filter(|worker| worker.busy_with.is_some()).count() == 3);
            open.put_many(&[round; 3]).unwrap();
            assert!(calls.into_iter().all(|call| call.get().unwrap() == round));
        }
        drop(client);
    }
}
