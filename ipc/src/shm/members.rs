//! The process table: joining, leaving, who is alive, and sleeping without waiting for the dead.
//!
//! A slot's state word is `generation << 32 | state`:
//!
//! | state | meaning | who may change it |
//! | --- | --- | --- |
//! | 0 FREE | nobody's | whoever holds the slot's byte lock (the kernel arbitrates): to LIVE with generation + 1, last store of a join |
//! | 1 LIVE | a process's | that process when it leaves, or a sweeper under the table lock once the process is dead: to FREE, last store |
//!
//! Killed in a join before the last store: the byte lock goes with the process and the slot is still FREE. Killed in a leave or a sweep
//! before the last store: the slot is LIVE and its byte unlocked, which is what a dead member looks like; the next sweep repeats it.
//! Knows no lock word and nothing of what a member may hold; giving that back is the fabric's sweep.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::layout::{SLOT_SIZE, SLOTS, at, slot};
use super::{Segment, Shm};
use crate::error::{Error, ErrorKind, Result};
use crate::sys;

const FREE: u64 = 0;
const LIVE: u64 = 1;
/// Liveness bytes lie far behind any data.
pub(crate) const LIVENESS: u64 = 1 << 40;
/// So near the end of the table, or behind so many slots that are not free, a joiner sees to it that the dead are swept.
const CROWD: usize = 64;
/// The number by which a Rust program names its language in its slot.
const LANGUAGE_RUST: u32 = 1;

/// One member process, for ever: its slot and the slot's generation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner(u64);

impl Owner {
    /// Nobody.
    pub const NOBODY: Owner = Owner(0);

    /// An owner that never lived: the holder of a lock whose repair failed.
    pub(crate) const DEAD: Owner = Owner(0xFFFF);

    fn new(slot: usize, generation: u32) -> Owner {
        Owner((generation as u64) << 32 | (slot as u64 + 1))
    }

    /// The number that stands for this owner in shared memory: `generation << 32 | slot + 1`.
    #[inline(always)]
    pub fn to_bits(self) -> u64 {
        self.0
    }

    /// The owner that a number stands for. Any number is accepted; one that names nobody is [not alive](crate::Fabric::alive).
    #[inline(always)]
    pub fn from_bits(bits: u64) -> Owner {
        Owner(bits)
    }

    /// The index of the slot.
    pub fn slot(self) -> usize {
        (self.0 as u32 as usize).wrapping_sub(1)
    }

    /// The slot's generation when this process joined.
    pub fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Owner::NOBODY { f.write_str("nobody") } else { write!(f, "slot {}.{:x}", self.slot(), self.generation()) }
    }
}

/// What the process table says of one member.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name in shared memory.
    pub owner: Owner,
    /// Process id, as its own pid namespace counts. For display; liveness does not rest on it.
    pub pid: u32,
    /// When the process started, in ticks since boot. For display.
    pub start_time: u64,
    /// The language of the program (1: Rust).
    pub language: u32,
    /// Whether the process lives.
    pub alive: bool,
}

/// This process's place in the table.
pub(crate) struct Members {
    me: AtomicU64,
    /// `forks() + 1` of the process that `me` belongs to; anything else: not joined.
    joined: AtomicU64,
    /// `forks() + 1` of the process in which a thread is joining right now; of another process: stale, left behind by a fork.
    joining: AtomicU64,
    liveness: sys::ChildClosed,
    /// This process's join met many slots that are not free, or came near the end of the table: a sweep is due before there is no room for another member.
    crowded: AtomicBool,
}

impl Members {
    pub(crate) fn new() -> Members {
        Members {
            me: AtomicU64::new(0),
            joined: AtomicU64::new(0),
            joining: AtomicU64::new(0),
            liveness: sys::ChildClosed::new(),
            crowded: AtomicBool::new(false),
        }
    }
}

impl Shm {
    /// This process's owner; joins first if this process has no slot yet (as in a forked child).
    #[inline(always)]
    pub(crate) fn me(&self) -> Result<Owner> {
        if self.members.joined.load(Ordering::Acquire) == sys::forks() + 1 {
            return Ok(Owner(self.members.me.load(Ordering::Relaxed)));
        }
        self.join()
    }

    /// This process's owner if it has one.
    #[inline(always)]
    pub(crate) fn me_if_joined(&self) -> Option<Owner> {
        (self.members.joined.load(Ordering::Acquire) == sys::forks() + 1).then(|| Owner(self.members.me.load(Ordering::Relaxed)))
    }

    /// Whether `owner` is a living member.
    pub(crate) fn alive(&self, owner: Owner) -> bool {
        if self.me_if_joined() == Some(owner) {
            return true;
        }
        let index = owner.slot();
        if index >= SLOTS || state_of(&self.segment, index).load(Ordering::Acquire) != (owner.generation() as u64) << 32 | LIVE {
            return false;
        }
        // Our own slot with our own generation was answered above; our own slot's byte never looks locked to us.
        let probe = |fd: BorrowedFd<'_>| sys::byte_is_locked(fd, LIVENESS + index as u64);
        match self.members.liveness.get() {
            Some(fd) => probe(fd).unwrap_or(true),
            None => sys::reopen(self.segment.file()).and_then(|fd| probe(fd.as_fd())).unwrap_or(true),
        }
    }

    /// Who has this slot, alive or dead.
    pub(crate) fn member_in(&self, index: usize) -> Option<Owner> {
        let state = if index < SLOTS { state_of(&self.segment, index).load(Ordering::Acquire) } else { FREE };
        (state as u32 as u64 == LIVE).then(|| Owner::new(index, (state >> 32) as u32))
    }

    /// All members that the table lists, dead ones that nobody swept included.
    pub(crate) fn list_members(&self) -> Vec<Member> {
        (0..SLOTS)
            .filter_map(|index| {
                let state = state_of(&self.segment, index).load(Ordering::Acquire);
                if state as u32 as u64 != LIVE {
                    return None;
                }
                let owner = Owner::new(index, (state >> 32) as u32);
                let header = self.segment.header();
                let base = at::SLOTS + index * SLOT_SIZE;
                Some(Member {
                    owner,
                    pid: header.u32(base + slot::PID).load(Ordering::Relaxed),
                    start_time: header.u64(base + slot::START).load(Ordering::Relaxed),
                    language: header.u32(base + slot::LANGUAGE).load(Ordering::Relaxed),
                    alive: self.alive(owner),
                })
            })
            .collect()
    }

    /// Whether a member can be looked at from here (it is in this pid namespace) and is not stopped.
    pub(crate) fn seen_running(&self, owner: Owner) -> bool {
        if owner.slot() >= SLOTS {
            return false;
        }
        let (header, base) = (self.segment.header(), at::SLOTS + owner.slot() * SLOT_SIZE);
        let pid = header.u32(base + slot::PID).load(Ordering::Relaxed);
        let start = header.u64(base + slot::START).load(Ordering::Relaxed);
        start != 0 && start == sys::start_time(pid) && !sys::is_stopped(pid)
    }

    /// Whether a sweep is due because the table fills up; asked once per join.
    pub(crate) fn take_crowded(&self) -> bool {
        self.members.crowded.load(Ordering::Relaxed) && self.members.crowded.swap(false, Ordering::Relaxed)
    }

    /// The last step of a sweep or a leave: the slot may be taken again. For a sweep, under the table lock.
    pub(crate) fn free_slot(&self, owner: Owner) {
        let live = (owner.generation() as u64) << 32 | LIVE;
        let _ = state_of(&self.segment, owner.slot()).compare_exchange(live, (owner.generation() as u64) << 32 | FREE, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Leaves: the slot is free, the liveness lock gone. What this process held was given back before.
    pub(crate) fn leave(&self, me: Owner) {
        self.free_slot(me);
        self.members.joined.store(0, Ordering::Release);
        self.members.liveness.close();
    }

    /// Tells every sleeper of the segment that somebody died.
    pub(crate) fn announce_death(&self) {
        let deaths = self.segment.header().u32(at::DEATHS);
        deaths.fetch_add(1, Ordering::Release);
        sys::futex_wake(deaths, u32::MAX);
    }

    /// Sleeps while `word` holds `expected`, at most `time`; a sweep of a dead member ends it too, if it is no short one. The caller looks again in any case.
    pub(crate) fn sleep(&self, word: &AtomicU32, expected: u32, time: Duration) {
        let deaths = self.segment.header().u32(at::DEATHS);
        sys::futex_wait(word, expected, (deaths, deaths.load(Ordering::Relaxed)), time);
    }

    #[cold]
    #[inline(never)]
    fn join(&self) -> Result<Owner> {
        let members = &self.members;
        let epoch = sys::forks() + 1;
        loop {
            if members.joined.load(Ordering::Acquire) == epoch {
                return Ok(Owner(members.me.load(Ordering::Relaxed)));
            }
            let other = members.joining.load(Ordering::Acquire);
            if other != epoch && members.joining.compare_exchange(other, epoch, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                break;
            }
            std::thread::yield_now();
        }
        let joined = self.take_slot().and_then(|owner| (self.on_join)(&self.segment).map(|()| owner));
        if let Ok(owner) = joined {
            members.me.store(owner.0, Ordering::Relaxed);
            members.joined.store(epoch, Ordering::Release);
        }
        members.joining.store(0, Ordering::Release);
        joined
    }

    fn take_slot(&self) -> Result<Owner> {
        let header = self.segment.header();
        let liveness = sys::reopen(self.segment.file())?;
        let first = header.u64(at::NEXT_SLOT).load(Ordering::Relaxed) as usize % SLOTS;
        for (passed, index) in (first..SLOTS).chain(0..first).enumerate() {
            let state = state_of(&self.segment, index);
            if state.load(Ordering::Acquire) as u32 as u64 != FREE || !sys::lock_byte(liveness.as_fd(), LIVENESS + index as u64)? {
                continue;
            }
            // The byte is ours. Somebody may have joined here and died between the look and the lock.
            let was = state.load(Ordering::Acquire);
            if was as u32 as u64 != FREE {
                sys::unlock_byte(liveness.as_fd(), LIVENESS + index as u64)?; // else the dead would look alive for as long as we live
                continue;
            }
            let base = at::SLOTS + index * SLOT_SIZE;
            header.u32(base + slot::PID).store(std::process::id(), Ordering::Relaxed);
            header.u32(base + slot::LANGUAGE).store(LANGUAGE_RUST, Ordering::Relaxed);
            header.u64(base + slot::START).store(sys::start_time(std::process::id()), Ordering::Relaxed);
            let owner = Owner::new(index, next_generation(was, self.segment.id()));
            self.members.liveness.set(liveness);
            self.members.crowded.store(passed >= CROWD || index >= SLOTS - CROWD, Ordering::Relaxed);
            state.store((owner.generation() as u64) << 32 | LIVE, Ordering::Release);
            header.u64(at::NEXT_SLOT).store(index as u64 + 1, Ordering::Relaxed);
            return Ok(owner);
        }
        Err(Error::new(ErrorKind::TooManyMembers, format!("{} has {SLOTS} members and no room for one more; sweep it if some are dead", self.label)))
    }
}

fn state_of(segment: &Segment, index: usize) -> &AtomicU64 {
    segment.header().u64(at::SLOTS + index * SLOT_SIZE + slot::STATE)
}

/// Generations begin at a number of the fabric's own, so that damaged words hardly ever name a living member.
fn next_generation(state: u64, id: [u8; 16]) -> u32 {
    match (state >> 32) as u32 {
        0 => u32::from_ne_bytes([id[0], id[1], id[2], id[3]]) | 1 << 20,
        generation => generation.wrapping_add(1).max(1),
    }
}

/// When a wait must end; sooner if a signal is to end it ([`sys::interrupt`]).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deadline {
    Never,
    At(Instant),
}

impl Deadline {
    /// None: never. A time too long to count: never.
    pub(crate) fn after(time: Option<Duration>) -> Deadline {
        time.and_then(|time| Instant::now().checked_add(time)).map_or(Deadline::Never, Deadline::At)
    }

    pub(crate) fn is_over(self) -> bool {
        let over = match self {
            Deadline::Never => false,
            Deadline::At(end) => Instant::now() >= end,
        };
        over || sys::interrupt::due()
    }

    /// What is left, at most `most`; none if it is over.
    pub(crate) fn left(self, most: Duration) -> Option<Duration> {
        if sys::interrupt::due() {
            return None;
        }
        match self {
            Deadline::Never => Some(most),
            Deadline::At(end) => Some(end.checked_duration_since(Instant::now())?.min(most)).filter(|left| !left.is_zero()),
        }
    }
}

/// The lengths of one waiter's sleeps, its *naps*: 1 ms, doubling to 50 ms; once it has waited for long, a sixteenth of the time waited so far, at most 250 ms. Nobody sleeps longer without looking again.
///
/// What that bounds is how late a waiter learns of a change whose wake-up was lost: with a waker killed between its commit and its wake, or with a woken one killed before it acted. A sweep that finds
/// the death wakes all sleepers at once, but for those in their first naps of some milliseconds; nothing else depends on naps.
pub(crate) struct Nap {
    time: Duration,
    waited: Duration,
    long: bool,
}

impl Nap {
    /// The longest of them.
    pub(crate) const MOST: Duration = Duration::from_millis(250);
    /// The longest of the first second.
    const USUAL: Duration = Duration::from_millis(50);

    pub(crate) fn new() -> Nap {
        Nap { time: Duration::from_millis(1), waited: Duration::ZERO, long: false }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let now = self.time;
        let waited = self.waited.saturating_add(now);
        self.long = waited.as_secs() != self.waited.as_secs();
        self.waited = waited;
        self.time = (now * 2).min((waited / 16).clamp(Nap::USUAL, Nap::MOST));
        now
    }

    /// Whether nothing was slept yet.
    pub(crate) fn is_first(&self) -> bool {
        self.waited.is_zero()
    }

    /// Whether the wait has only begun: what is waited for may come soon.
    pub(crate) fn is_early(&self) -> bool {
        self.time < Nap::USUAL
    }

    /// True about once a second: a long sleeper then looks whether somebody died unnoticed.
    pub(crate) fn is_long(&self) -> bool {
        self.long
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naps_grow_with_the_wait_and_every_second_of_it_is_noticed_once() {
        let (mut nap, mut waited, mut long) = (Nap::new(), Duration::ZERO, 0);
        assert!(nap.is_first() && nap.is_early() && !nap.is_long());
        for _ in 0..200 {
            let before = waited;
            let time = nap.next();
            waited += time;
            assert!(time <= Duration::from_millis(50).max(before / 16), "{time:?} after {before:?}");
            assert!(time <= Nap::MOST);
            assert_eq!(nap.is_early(), waited < Duration::from_millis(63));
            assert_eq!(nap.is_long(), waited.as_secs() > before.as_secs());
            long += u64::from(nap.is_long());
        }
        assert_eq!((nap.next(), long), (Nap::MOST, waited.as_secs()));
    }
}
