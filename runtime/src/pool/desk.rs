//! The desk: shared memory that says which call each worker is in, and by which pool and worker decide who ends a call.
//!
//! Each worker has a *page* of eight words. `turn` is the worker's serial number of a call, and that call's state; a serial number never comes
//! again on its page, so whoever changes `turn` from what it saw acts on that very call and on no other.
//!
//! | state | means | may become | by |
//! | --- | --- | --- | --- |
//! | `Writing` | no call; the words of a batch are being written | `Busy` | the worker |
//! | `Busy` | the call has begun | `Told`, condemned, `Done` | pool, pool, worker |
//! | `Told` | and was told to stop | condemned, `Done` | pool, worker |
//! | `Done` | the worker may put the record | `Busy` or `Writing`, of the next serial number | the worker |
//! | condemned, and why | the worker will be killed, and puts no record of the call | nothing | |
//!
//! Pool and worker change `turn` from `Busy` or `Told` by compare-and-swap: who comes first has decided. A worker that finds itself condemned waits for its
//! end. The other words do not change while `turn` does not, unless it is `Writing`.
//!
//! **Cancelled before it ran.** The numbers of cancelled jobs are in a set. The worker writes `Busy`, and then looks into the set; the pool
//! enters the job, and then looks at the pages. So one of them sees the other: either the worker skips the call, or the pool knows that it has begun.
//!
//! Must not know processes, queues or jobs.

use std::sync::atomic::{Ordering, fence};
use std::sync::{Mutex, PoisonError};

use polyproc_ipc::{Array, BytesSet, ErrorKind as Ipc, Fabric, Locking, Ticket};

use crate::error::Result;
use crate::wire::Batch;

const TURN: usize = 0;
const JOB: usize = 1;
/// Index of the batch's first call, and its serial number.
const FIRST: usize = 2;
const BASE: usize = 3;
/// When the running call began, and its hard limit.
const STARTED: usize = 4;
const HARD: usize = 5;
/// How many jobs are in the set of the cancelled.
const CANCELLED: usize = 6;
const WORDS: usize = 8;

const STATE_BITS: u32 = 3;
const WRITING: u64 = 0;
const BUSY: u64 = 1;
const TOLD: u64 = 2;
const DONE: u64 = 3;
const CONDEMNED: u64 = 4;
const OVER_LIMIT: u64 = 5;

/// So often a page may change under a look before it must be damaged.
const PATIENCE: u32 = 1_000_000;

/// Nanoseconds of the clock that all processes of a machine share.
pub(crate) fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Why a call is ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    Cancelled,
    OverLimit,
}

/// A call as a page shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) serial: u64,
    pub(crate) job: u64,
    pub(crate) index: u64,
    /// Whether it can still be told and condemned.
    pub(crate) running: bool,
    pub(crate) started: u64,
    /// Nanoseconds; 0 for none.
    pub(crate) hard: u64,
}

/// One worker's page.
#[derive(Debug, Clone)]
pub(crate) struct Page(Array<u64>);

impl Page {
    pub(crate) fn new(fabric: &Fabric) -> Result<Page> {
        Ok(Page(Array::zeroed_with(fabric, WORDS, Locking::None)?))
    }

    /// A dead worker's page for its successor: it shows no call, and goes on with the serial numbers.
    pub(crate) fn pass_on(self) -> Result<Page> {
        let serial = self.0.load(TURN)? >> STATE_BITS;
        self.0.store(TURN, (serial + 1) << STATE_BITS | WRITING)?;
        Ok(self)
    }

    pub(crate) fn from_ticket(ticket: &Ticket) -> Result<Page> {
        Ok(Page(Array::from_ticket(ticket)?))
    }

    /// For the worker, which does not outlive the pool.
    pub(crate) fn lend(&self) -> Ticket {
        self.0.lend()
    }

    /// With its pool: the last handle is not enough, if its process has forked meanwhile.
    pub(crate) fn destroy(&self) {
        let _ = self.0.destroy();
    }

    /// What the worker is in, or was in last; `None` before its first call, and between batches.
    pub(crate) fn look(&self) -> Result<Option<Seen>> {
        for _ in 0..PATIENCE {
            let turn = self.0.load(TURN)?;
            let [job, first, base, started, hard] = [self.get(JOB)?, self.get(FIRST)?, self.get(BASE)?, self.get(STARTED)?, self.get(HARD)?];
            if self.0.load(TURN)? == turn {
                let (serial, state) = (turn >> STATE_BITS, turn & ((1 << STATE_BITS) - 1));
                let running = matches!(state, BUSY | TOLD);
                let index = first.wrapping_add(serial.wrapping_sub(base));
                return Ok((state != WRITING).then_some(Seen { serial, job, index, running, started, hard }));
            }
            std::hint::spin_loop();
        }
        Err(polyproc_ipc::Error::new(Ipc::Corrupt, "a worker's page of the pool's desk never comes to rest").into())
    }

    /// Tells the call to stop, if it still runs.
    pub(crate) fn tell(&self, serial: u64) -> Result<bool> {
        self.change(serial, BUSY, TOLD)
    }

    /// Ends the call, if it still runs: true if it did. Then the worker must be killed.
    pub(crate) fn condemn(&self, serial: u64, why: Why) -> Result<bool> {
        let state = match why {
            Why::Cancelled => CONDEMNED,
            Why::OverLimit => OVER_LIMIT,
        };
        Ok(self.change(serial, BUSY, state)? || self.change(serial, TOLD, state)?)
    }

    /// Why the worker, which is dead, was killed in this call; `None` if the pool did not do it.
    pub(crate) fn verdict(&self, job: u64, index: u64) -> Option<Why> {
        let seen = self.look().ok()??;
        let state = self.0.load(TURN).ok()? & ((1 << STATE_BITS) - 1);
        match state {
            CONDEMNED if (seen.job, seen.index) == (job, index) => Some(Why::Cancelled),
            OVER_LIMIT if (seen.job, seen.index) == (job, index) => Some(Why::OverLimit),
            _ => None,
        }
    }

    /// Whether the call was told to stop.
    pub(crate) fn told(&self, serial: u64) -> bool {
        self.0.load(TURN).is_ok_and(|turn| turn == (serial << STATE_BITS | TOLD))
    }

    fn change(&self, serial: u64, from: u64, to: u64) -> Result<bool> {
        Ok(self.0.compare_exchange(TURN, serial << STATE_BITS | from, serial << STATE_BITS | to)?.is_ok())
    }

    fn get(&self, word: usize) -> Result<u64> {
        Ok(self.0.unlocked().get(word)?)
    }

    /// One release store.
    fn set(&self, word: usize, value: u64) -> Result<()> {
        Ok(self.0.unlocked().set(word, value)?)
    }
}

/// A worker at its page.
pub(crate) struct Desk {
    page: Page,
    cancelled: BytesSet,
    /// Of the running call, or of the last.
    serial: u64,
}

impl Desk {
    pub(crate) fn new(page: &Ticket, cancelled: &Ticket) -> Result<Desk> {
        let page = Page::from_ticket(page)?;
        let serial = page.0.load(TURN)? >> STATE_BITS;
        Ok(Desk { page, cancelled: BytesSet::from_ticket(cancelled)?, serial })
    }

    pub(crate) fn page(&self) -> &Page {
        &self.page
    }

    /// Writes down a batch, of which no call has begun.
    pub(crate) fn open(&mut self, batch: &Batch<'_>) -> Result<()> {
        let base = self.serial + 1;
        self.page.set(TURN, base << STATE_BITS | WRITING)?;
        for (word, value) in [(JOB, batch.job), (FIRST, batch.first), (BASE, base), (HARD, batch.terms.hard)] {
            self.page.set(word, value)?;
        }
        Ok(())
    }

    /// The next call of the batch begins: its serial number.
    #[inline]
    pub(crate) fn begin(&mut self, started: u64) -> Result<u64> {
        self.serial += 1;
        self.page.set(STARTED, started)?;
        // Sequentially consistent: what is looked at next is looked at later.
        self.page.0.store(TURN, self.serial << STATE_BITS | BUSY)?;
        Ok(self.serial)
    }

    /// Whether the call that has begun must not run, as its job was cancelled.
    #[inline]
    pub(crate) fn must_skip(&self, job: u64) -> Result<bool> {
        if self.page.0.load(CANCELLED)? == 0 {
            return Ok(false);
        }
        fence(Ordering::SeqCst);
        Ok(self.cancelled.contains(&job.to_le_bytes()[..])?)
    }

    /// The call is over. False: it was condemned, and this process with it.
    #[inline]
    pub(crate) fn finish(&self) -> Result<bool> {
        Ok(self.page.change(self.serial, BUSY, DONE)? || self.page.change(self.serial, TOLD, DONE)?)
    }
}

/// The set of cancelled jobs, as the pool sees it.
pub(crate) struct Board {
    set: BytesSet,
    /// How many there are. Held while a job is entered or taken out, so that the set and what the job thinks of itself agree.
    listed: Mutex<u64>,
}

impl Board {
    pub(crate) fn new(fabric: &Fabric) -> Result<Board> {
        Ok(Board { set: BytesSet::new(fabric)?, listed: Mutex::new(0) })
    }

    /// As a client of the pool sees it, which looks at it only.
    pub(crate) fn from_ticket(ticket: &Ticket) -> Result<Board> {
        Ok(Board { set: BytesSet::from_ticket(ticket)?, listed: Mutex::new(0) })
    }

    pub(crate) fn lend(&self) -> Ticket {
        self.set.lend()
    }

    /// Enters a job, says so on every page, and then asks `confirm` whether it shall stay. `publish` calls its argument with every page.
    pub(crate) fn list(&self, job: u64, publish: impl Fn(&dyn Fn(&Page)), confirm: impl FnOnce() -> bool) -> Result<bool> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let new = self.set.add(&job.to_le_bytes()[..])?;
        *listed += u64::from(new);
        Board::tell(*listed, &publish);
        fence(Ordering::SeqCst);
        let stays = confirm();
        if !stays && new {
            self.take_out(&mut listed, job, &publish)?;
        }
        Ok(stays)
    }

    /// Takes out a job that no worker can meet any more.
    pub(crate) fn unlist(&self, job: u64, publish: impl Fn(&dyn Fn(&Page))) -> Result<()> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        self.take_out(&mut listed, job, &publish)
    }

    /// Says on a new worker's page what the others' say. `enter` makes the page known to `publish`; until it has, nothing changes.
    pub(crate) fn introduce<T>(&self, page: Page, enter: impl FnOnce(Page) -> Result<T>) -> Result<T> {
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        page.0.store(CANCELLED, *listed)?;
        enter(page)
    }

    pub(crate) fn destroy(&self) {
        let _ = self.set.destroy();
    }

    fn take_out(&self, listed: &mut u64, job: u64, publish: &impl Fn(&dyn Fn(&Page))) -> Result<()> {
        if self.set.discard(&job.to_le_bytes()[..])? {
            *listed = listed.saturating_sub(1);
            Board::tell(*listed, publish);
        }
        Ok(())
    }

    fn tell(listed: u64, publish: &impl Fn(&dyn Fn(&Page))) {
        // A page that cannot be written is of a worker whose fabric is damaged: it finds that itself.
        publish(&|page| drop(page.0.store(CANCELLED, listed)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::wire::{BatchBuilder, Terms};

    fn batch(job: u64, first: u64, calls: u32) -> Vec<u8> {
        let mut batch = BatchBuilder::new(job, first, "t", Terms { hard: job, ..Terms::PLAIN });
        (0..calls).for_each(|_| batch.push_encoded(&[0x90]));
        batch.finish().body
    }

    fn desk(fabric: &Fabric) -> (Desk, Page, Board) {
        let (page, board) = (Page::new(fabric).unwrap(), Board::new(fabric).unwrap());
        (Desk::new(&page.lend(), &board.lend()).unwrap(), page, board)
    }

    #[test]
    fn a_page_shows_the_call_and_its_end() {
        let (mut desk, page, board) = desk(&Fabric::new().unwrap());
        assert_eq!(page.look().unwrap(), None);
        let bytes = batch(7, 100, 2);
        desk.open(&Batch::parse(&bytes).unwrap()).unwrap();
        assert_eq!(page.look().unwrap(), None);
        let serial = desk.begin(5).unwrap();
        let seen = Seen { serial, job: 7, index: 100, running: true, started: 5, hard: 7 };
        assert_eq!(page.look().unwrap(), Some(seen));
        assert!(page.tell(serial).unwrap() && page.told(serial) && !page.tell(serial).unwrap());
        assert_eq!(page.verdict(7, 100), None);
        assert!(desk.finish().unwrap() && !page.told(serial));
        assert!(!page.condemn(serial, Why::Cancelled).unwrap(), "too late");
        let next = desk.begin(6).unwrap();
        assert!(!page.condemn(serial, Why::Cancelled).unwrap(), "another call");
        assert!(page.condemn(next, Why::OverLimit).unwrap() && !desk.finish().unwrap());
        assert_eq!((page.verdict(7, 101), page.verdict(7, 100), page.verdict(8, 101)), (Some(Why::OverLimit), None, None));
        let page = page.pass_on().unwrap();
        assert_eq!((page.look().unwrap(), page.verdict(7, 101)), (None, None));
        let mut successor = Desk::new(&page.lend(), &board.lend()).unwrap();
        assert!(successor.begin(0).unwrap() > next && !page.condemn(next, Why::Cancelled).unwrap());
    }

    #[test]
    fn a_cancelled_job_is_skipped_until_it_is_taken_out() {
        let fabric = Fabric::new().unwrap();
        let (mut desk, page, board) = desk(&fabric);
        desk.begin(0).unwrap();
        let publish = |each: &dyn Fn(&Page)| each(&page);
        assert!(board.list(7, publish, || true).unwrap() && !board.list(8, publish, || false).unwrap());
        assert_eq!((desk.must_skip(7).unwrap(), desk.must_skip(8).unwrap()), (true, false));
        let late = board.introduce(Page::new(&fabric).unwrap(), Ok).unwrap();
        assert_eq!(late.0.load(CANCELLED).unwrap(), 1, "a new worker is told as well");
        board.unlist(7, publish).unwrap();
        assert_eq!((desk.must_skip(7).unwrap(), page.0.load(CANCELLED).unwrap()), (false, 0));
    }

    /// The two sides in two threads: what one sees fits together, and exactly one of them ends each call.
    #[test]
    fn one_side_decides() {
        let (mut desk, page, _board) = desk(&Fabric::new().unwrap());
        let (stop, condemned) = (AtomicBool::new(false), Mutex::new(Vec::new()));
        let lost = std::thread::scope(|scope| {
            let pool = scope.spawn(|| {
                let mut looks = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    let Some(seen) = page.look().unwrap() else { continue };
                    // Batch n is of job n, has 3 calls, begins at 1000 n, and its first has the serial number 3 n + 1.
                    assert_eq!((seen.job, seen.index % 1000, seen.hard), ((seen.serial - 1) / 3, (seen.serial - 1) % 3, seen.job));
                    looks += 1;
                    if looks.is_multiple_of(3) && page.condemn(seen.serial, Why::Cancelled).unwrap() {
                        condemned.lock().unwrap().push(seen.serial);
                    }
                }
            });
            let mut lost = Vec::new();
            for job in 0..30_000 {
                let bytes = batch(job, 1000 * job, 3);
                desk.open(&Batch::parse(&bytes).unwrap()).unwrap();
                for _ in 0..3 {
                    let serial = desk.begin(job).unwrap();
                    if !desk.finish().unwrap() {
                        lost.push(serial);
                    }
                }
            }
            stop.store(true, Ordering::Relaxed);
            pool.join().unwrap();
            lost
        });
        assert_eq!(lost, condemned.into_inner().unwrap());
    }
}
