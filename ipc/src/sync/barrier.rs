//! The barrier: processes and threads that wait until all have come.
//!
//! Object layout, after the common header:
//!
//! | offset | word | guarded by |
//! | --- | --- | --- |
//! | 192 | internal lock | |
//! | 200 to 248 | the list of parties (`waiters.rs`); an entry's `about` is the number of its round | internal lock, and each its own entry |
//! | 256 | round: `number << 3 \| state` | internal lock; read by all |
//! | 264 | parties | set at creation |
//! | 272 | default time-out in nanoseconds; all ones: none | set at creation |
//! | 320 | wait word (u32): all sleep on it, since all are woken at once | |
//!
//! | state of the round | to | by | store |
//! | --- | --- | --- | --- |
//! | 0 OPEN | 1 ACTING | the last party, if it has an action to run | commit of the round's being complete |
//! | 0 OPEN, 1 ACTING | 2 RELEASING | the last party | commit of the release; then each party of the round becomes NOTIFIED, each PAST one of the round before FREE; then OPEN with number + 1 |
//! | 0 OPEN, 1 ACTING | 3 BROKEN | time-out, abort, failed action, sweep of a dead party | commit of the breaking; then each party becomes BROKEN |
//! | 0, 1, 3 | 4 RESETTING | reset | commit; then each party becomes BROKEN, each PAST one FREE; then OPEN with number + 2 |
//!
//! What follows a commit is repeated by the repair. A party that went on stays in the list as PAST until the next round is complete: so it is known who took part. **A dead party** that waits, or is PAST of the round
//! just before the present one, breaks the barrier when it is swept: the others would wait for it for ever. After a reset no round was just before, as the number skips one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::guard::Guard;
use super::wait;
use super::waiters::{BROKEN as ENTRY_BROKEN, FREE, Fate, NOTIFIED, PAST, Place, WAITING, Waiters, state};
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::Fabric;
use crate::fabric::handle::{Handle, How, gone, shared_object};
use crate::fabric::kinds::{Held, Ops, Parting};
use crate::objects::{HEADER, Header, Kind};
use crate::shm::{Deadline, Fixed, Owner, Shm};
use crate::sys;

const LOCK: usize = HEADER;
const LIST: usize = HEADER + 8;
const ROUND: usize = HEADER + 64;
const PARTIES: usize = HEADER + 72;
const TIME: usize = HEADER + 80;
const WAIT: usize = HEADER + 128;
const SIZE: usize = HEADER + 192;

const OPEN: u64 = 0;
const ACTING: u64 = 1;
const RELEASING: u64 = 2;
const BROKEN: u64 = 3;
const RESETTING: u64 = 4;
/// Number of an object's first round: nobody took part in a round before it.
const FIRST: u64 = 2;

/// A barrier between processes: each [wait](Barrier::wait) returns once as many parties wait as the barrier was made for. Then the next round begins.
///
/// Parties are calls: threads of one process and other processes count alike, and there may be more of them than the barrier asks for. Each party of a round is given another
/// number from 0 on, in the order of coming; the last one runs the [action](Barrier::with_action), if its handle has one, before any goes on.
///
/// A barrier *breaks* when a wait runs out of time, when the action fails or panics, and by [`Barrier::abort`]. Everybody who waits then, or comes later, gets [`ErrorKind::BrokenBarrier`], until [`Barrier::reset`].
///
/// **When a process dies** while it waits, or after it took part in the last complete round (its next wait will never come), the barrier breaks as soon as somebody sweeps the fabric; those
/// who wait do so once a second. A process that *leaves* (drops its last handle of the fabric) breaks nothing.
///
/// ```
/// use polyproc_ipc::{Barrier, Fabric};
/// let fabric = Fabric::new()?;
/// let barrier = Barrier::new(&fabric, 2, None)?;
/// let other = barrier.clone(); // or by name or ticket in another process
/// let there = std::thread::spawn(move || other.wait());
/// let mut numbers = [barrier.wait()?, there.join().unwrap()?];
/// numbers.sort();
/// assert_eq!(numbers, [0, 1]);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone)]
pub struct Barrier {
    handle: Arc<Handle>,
    action: Option<Action>,
}

type Action = Arc<dyn Fn() -> Result<()> + Send + Sync>;

impl Barrier {
    /// A barrier without a name for so many parties, with the time-out of a plain [`wait`](Barrier::wait). It goes with its last handle here, unless its [ticket](Barrier::ticket) was made.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for no parties, here and below.
    pub fn new(fabric: &Fabric, parties: usize, time: Option<Duration>) -> Result<Barrier> {
        Barrier::get(fabric, How::New, parties, time)
    }

    /// Makes the barrier of this name: see [`Barrier::new`].
    pub fn create(fabric: &Fabric, name: &str, parties: usize, time: Option<Duration>) -> Result<Barrier> {
        Barrier::get(fabric, How::Create(name), parties, time)
    }

    /// Opens the barrier of this name.
    pub fn open(fabric: &Fabric, name: &str) -> Result<Barrier> {
        Barrier::get(fabric, How::Open(name), 1, None)
    }

    /// Opens the barrier of this name, with the parties and the time-out that it has, or makes it.
    pub fn open_or_create(fabric: &Fabric, name: &str, parties: usize, time: Option<Duration>) -> Result<Barrier> {
        Barrier::get(fabric, How::OpenOrCreate(name), parties, time)
    }

    /// This handle with an action, which its process runs when a call on this handle is the last to come, before the round is released. No lock of the library is held meanwhile. If the action fails, the barrier breaks and that call
    /// answers the action's error; if it panics, the barrier breaks and the panic goes on. Other processes have their own handles, with their own action or none.
    #[must_use]
    pub fn with_action(mut self, action: impl Fn() -> Result<()> + Send + Sync + 'static) -> Barrier {
        self.action = Some(Arc::new(action));
        self
    }

    /// Waits until all parties have come; this party's number in the round. With the barrier's own time-out.
    ///
    /// # Errors
    /// [`ErrorKind::BrokenBarrier`] if the barrier is or gets broken, or time was up (which breaks it); [`ErrorKind::Gone`] if it is destroyed meanwhile; [`ErrorKind::OutOfMemory`] if there is no room to wait in (this party has not come then).
    pub fn wait(&self) -> Result<usize> {
        let nanos = self.words().time().load(Ordering::Relaxed);
        self.wait_own((nanos != u64::MAX).then(|| Duration::from_nanos(nanos)))
    }

    /// As [`Barrier::wait`], but for at most `time`. Time counts from this party's coming until the last one has come: nobody times out while the action runs.
    pub fn wait_timeout(&self, time: Duration) -> Result<usize> {
        self.wait_own(Some(time))
    }

    /// As [`Barrier::wait`], with the action given to this call. `None`: however long it takes.
    ///
    /// # Errors
    /// As [`Barrier::wait`], and whatever the action answers.
    pub fn wait_then<E: From<Error>>(&self, time: Option<Duration>, action: impl FnOnce() -> Result<(), E>) -> Result<usize, E> {
        self.run(time, Some(action))
    }

    /// Begins anew: whoever waits gets [`ErrorKind::BrokenBarrier`], a broken barrier is whole again, and who took part before is forgotten.
    pub fn reset(&self) -> Result<()> {
        self.put_round(|_| Some(RESETTING))
    }

    /// Breaks the barrier: whoever waits, or comes later, gets [`ErrorKind::BrokenBarrier`] until somebody [resets](Barrier::reset) it.
    pub fn abort(&self) -> Result<()> {
        self.put_round(|_| Some(BROKEN))
    }

    /// How many parties make a round.
    pub fn parties(&self) -> usize {
        self.words().parties().load(Ordering::Relaxed) as usize
    }

    /// How many parties wait for others to come at this moment.
    pub fn n_waiting(&self) -> Result<usize> {
        let (w, _guard) = self.enter()?;
        let round = w.round().load(Ordering::Acquire);
        if state(round) == OPEN { w.count(number(round)) } else { Ok(0) }
    }

    /// Whether the barrier is broken at this moment. False of one that was destroyed.
    pub fn broken(&self) -> bool {
        let w = self.words();
        state(w.round().load(Ordering::Acquire)) == BROKEN && w.birth().load(Ordering::Acquire) == self.handle.id.birth
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn of(handle: Handle) -> Barrier {
        Barrier { handle: Arc::new(handle), action: None }
    }

    fn get(fabric: &Fabric, how: How<'_>, parties: usize, time: Option<Duration>) -> Result<Barrier> {
        if parties == 0 {
            return Err(Error::new(ErrorKind::InvalidArgument, "a barrier for no parties would let nobody through; give it 1 at least"));
        }
        let nanos = time.map_or(u64::MAX, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        let handle = Handle::get(fabric, Kind::Barrier, how, SIZE, |_, body| {
            body.u64(PARTIES - HEADER)?.store(parties as u64, Ordering::Relaxed);
            body.u64(TIME - HEADER)?.store(nanos, Ordering::Relaxed);
            body.u64(ROUND - HEADER)?.store(FIRST << 3 | OPEN, Ordering::Release);
            Ok(())
        })?;
        Ok(Barrier::of(handle))
    }

    fn words(&self) -> Words<'_> {
        Words { shm: self.handle.shm(), at: self.handle.fixed(), offset: self.handle.id.offset }
    }

    /// The internal lock, of an object that still is the one meant.
    fn enter(&self) -> Result<(Words<'_>, Guard<'_>)> {
        let w = self.words();
        let guard = w.lock()?;
        if w.birth().load(Ordering::Acquire) != self.handle.id.birth {
            return Err(gone(Kind::Barrier));
        }
        Ok((w, guard))
    }

    /// Puts the round into the state that `to` says of it, if any; does what follows from that, and wakes everybody.
    fn put_round(&self, to: impl FnOnce(u64) -> Option<u64>) -> Result<()> {
        let (w, guard) = self.enter()?;
        if let Some(state) = to(w.round().load(Ordering::Acquire)) {
            w.put(state)?;
        }
        drop(guard);
        wait::wake(w.wait(), u32::MAX);
        Ok(())
    }

    fn wait_own(&self, time: Option<Duration>) -> Result<usize> {
        self.run(time, self.action.as_deref())
    }

    fn run<E: From<Error>>(&self, time: Option<Duration>, action: Option<impl FnOnce() -> Result<(), E>>) -> Result<usize, E> {
        let w = self.words();
        let gone = || w.birth().load(Ordering::Acquire) != self.handle.id.birth;
        // While a round's action runs, whoever comes is of the next round and stays outside.
        let outside = || gone() || state(w.round().load(Ordering::Acquire)) != ACTING;
        let party = self.handle.until(w.wait(), Deadline::Never, outside, || self.come(action.is_some()))?;
        let Some(party) = party else { return Err(Error::new(ErrorKind::Timeout, "a signal ended the wait before the barrier was entered").into()) };
        if party.acts {
            let end = EndOfAction { barrier: self, round: party.round };
            if let Some(action) = action {
                // A failure or a panic drops `end`, which breaks the barrier.
                action()?;
            }
            end.release()?;
        }
        Ok(self.stay(&party, Deadline::after(time))?)
    }

    /// Becomes a party of the round, and releases it if it is the last and has no action to run. None while the action of a round runs.
    fn come(&self, has_action: bool) -> Result<Option<Party<'_>>> {
        let (w, guard) = self.enter()?;
        let round = w.round().load(Ordering::Acquire);
        match state(round) {
            OPEN => {}
            ACTING => return Ok(None),
            _ => return Err(self.broken_error("reset it first")),
        }
        let index = w.count(number(round))?;
        let last = index as u64 + 1 >= w.parties().load(Ordering::Relaxed);
        let place = w.waiters()?.enlist(guard.me, number(round))?;
        let acts = last && has_action;
        if last {
            w.put(if acts { ACTING } else { RELEASING })?;
            drop(guard);
            wait::wake(w.wait(), u32::MAX);
        }
        Ok(Some(Party { place, round, index, acts }))
    }

    /// Waits for the end of the round.
    fn stay(&self, party: &Party<'_>, deadline: Deadline) -> Result<usize> {
        let w = self.words();
        let gone_now = || w.birth().load(Ordering::Acquire) != self.handle.id.birth;
        let ready = || !party.place.still_waits() || gone_now();
        let look = || match party.place.pass() {
            None if gone_now() => Ok(Some(Fate::Gone)),
            fate => Ok(fate),
        };
        let mut fate = self.handle.until(w.wait(), deadline, ready, look)?;
        if fate.is_none() {
            // Time is up, unless all have come and the action runs.
            self.put_round(|round| (party.place.still_waits() && state(round) == OPEN).then_some(BROKEN))?;
            let _firm = sys::interrupt::firm();
            fate = self.handle.until(w.wait(), Deadline::Never, ready, look)?;
        }
        match fate {
            Some(Fate::Notified) => Ok(party.index),
            Some(Fate::Broken) => Err(self.broken_error("not all parties came")),
            _ => Err(gone(Kind::Barrier)),
        }
    }

    fn broken_error(&self, why: &str) -> Error {
        Error::new(ErrorKind::BrokenBarrier, format!("barrier {} is broken: {why}", self.handle.label()))
    }
}

/// One call of a round.
struct Party<'a> {
    place: Place<'a>,
    /// The round word when it came.
    round: u64,
    index: usize,
    /// It came last and runs the action.
    acts: bool,
}

/// The end of an action: the release, or if it is merely dropped, the breaking.
struct EndOfAction<'a> {
    barrier: &'a Barrier,
    round: u64,
}

impl EndOfAction<'_> {
    fn release(self) -> Result<()> {
        self.put(RELEASING)?;
        std::mem::forget(self);
        Ok(())
    }

    /// Unless the round was broken or reset meanwhile.
    fn put(&self, to: u64) -> Result<()> {
        self.barrier.put_round(|round| (round == number(self.round) << 3 | ACTING).then_some(to))
    }
}

impl Drop for EndOfAction<'_> {
    fn drop(&mut self) {
        // Of a barrier that was destroyed, nothing is left to break.
        let _ = self.put(BROKEN);
    }
}

shared_object!(Barrier, Kind::Barrier, SIZE, "barrier");

/// A barrier's words.
#[derive(Clone, Copy)]
struct Words<'a> {
    shm: &'a Shm,
    at: Fixed<'a, SIZE>,
    offset: u64,
}

fn number(round: u64) -> u64 {
    round >> 3
}

impl<'a> Words<'a> {
    fn of(shm: &'a Shm, object: Header<'_>) -> Result<Words<'a>> {
        Ok(Words { shm, at: shm.segment.fixed(object.offset)?, offset: object.offset })
    }
    fn birth(self) -> &'a AtomicU64 {
        self.at.u64(24)
    }
    fn round(self) -> &'a AtomicU64 {
        self.at.u64(ROUND)
    }
    fn parties(self) -> &'a AtomicU64 {
        self.at.u64(PARTIES)
    }
    fn time(self) -> &'a AtomicU64 {
        self.at.u64(TIME)
    }
    fn wait(self) -> &'a AtomicU32 {
        self.at.u32(WAIT)
    }

    fn waiters(self) -> Result<Waiters<'a>> {
        Waiters::of(self.shm, self.offset, self.at.span(), LIST)
    }

    fn lock(self) -> Result<Guard<'a>> {
        Guard::enter(self.shm, self.at.u64(LOCK), |me| {
            self.waiters()?.repair(me)?;
            self.settle()
        })
    }

    /// How many have come to the round.
    fn count(self, number: u64) -> Result<usize> {
        let mut count = 0;
        for entry in self.waiters()?.entries() {
            let entry = entry?;
            count += usize::from(state(entry.word()) == WAITING && entry.about() == number);
        }
        Ok(count)
    }

    /// Commits a new state of the round, and does what follows from it.
    fn put(self, state: u64) -> Result<()> {
        self.round().store(number(self.round().load(Ordering::Acquire)) << 3 | state, Ordering::Release);
        self.settle()
    }

    /// Does what follows from the round's state. May be repeated.
    fn settle(self) -> Result<()> {
        let round = self.round().load(Ordering::Acquire);
        let (waiting, past) = match state(round) {
            RELEASING => (NOTIFIED, FREE),
            BROKEN => (ENTRY_BROKEN, PAST),
            RESETTING => (ENTRY_BROKEN, FREE),
            _ => return Ok(()),
        };
        for entry in self.waiters()?.entries() {
            let entry = entry?;
            let word = entry.word();
            match state(word) {
                WAITING => drop(entry.change(word, waiting)),
                // Who was just let through may be PAST by now: it is of this round, and stays.
                PAST if state(round) != RELEASING || entry.about() != number(round) => drop(entry.change(word, past)),
                _ => {}
            }
        }
        match state(round) {
            RELEASING => self.round().store((number(round) + 1) << 3 | OPEN, Ordering::Release),
            RESETTING => self.round().store((number(round) + 2) << 3 | OPEN, Ordering::Release),
            _ => {}
        }
        Ok(())
    }
}

/// What barriers do in the fabric.
pub(crate) const OPS: Ops = Ops { quiesce, outlive: Some(outlive), hold: Some(hold) };

fn quiesce(shm: &Shm, object: Header<'_>) -> Result<()> {
    let w = Words::of(shm, object)?;
    let guard = w.lock()?;
    w.birth().store(0, Ordering::Release);
    w.waiters()?.end()?;
    drop(guard);
    wait::wake(w.wait(), u32::MAX);
    Ok(())
}

fn outlive(shm: &Shm, object: Header<'_>, gone: Owner, parting: Parting) -> Result<()> {
    let w = Words::of(shm, object)?;
    let guard = w.lock()?;
    let round = w.round().load(Ordering::Acquire);
    let mut missed = false;
    for entry in w.waiters()?.entries() {
        let entry = entry?;
        missed |= entry.owner() == gone
            && match state(entry.word()) {
                WAITING => true,
                NOTIFIED | PAST => entry.about().wrapping_add(1) == number(round),
                _ => false,
            };
    }
    // Whoever leaves has handles no longer, so it waits for nothing.
    let breaks = missed && parting == Parting::Died && state(round) != BROKEN;
    if breaks {
        w.put(BROKEN)?;
    }
    w.waiters()?.forget(gone)?;
    drop(guard);
    if breaks {
        wait::wake(w.wait(), u32::MAX);
    }
    Ok(())
}

fn hold<'a>(shm: &'a Shm, object: Header<'a>) -> Result<Held<'a>> {
    let w = Words::of(shm, object)?;
    let guards = vec![w.lock()?];
    Ok(Held { guards, chunks: w.waiters()?.chunks()? })
}

const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Barrier>();
};
