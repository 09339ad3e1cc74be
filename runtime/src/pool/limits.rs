//! What the pool knows of a worker beside its calls: how much memory it has, why it was killed, how it left; and the limits on it.
//!
//! The supervisor writes what it sees, the collector reads it when the worker's death note comes. Must not know queues.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::table::Worker;
use crate::error::{Death, Failure};
use crate::memory;

/// How often memory is measured while calls run, without and with a limit that kills.
const LOOK: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(20));

/// How much memory each worker of a pool may have of its own: see [`PoolBuilder::memory_limit`](crate::PoolBuilder::memory_limit).
///
/// What counts is what the worker shares with nobody: resident memory without the fabric's pages and without those of the program's file.
///
/// ```
/// use polyproc::MemoryLimit;
///
/// let limit = MemoryLimit::soft(512 << 20).or_hard(1 << 30);
/// assert_eq!((limit.soft_bytes(), limit.hard_bytes()), (Some(512 << 20), Some(1 << 30)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryLimit {
    soft: Option<u64>,
    hard: Option<u64>,
}

impl MemoryLimit {
    /// A worker that has more than so many bytes after a call leaves, and is replaced. No call fails by it.
    pub fn soft(bytes: u64) -> MemoryLimit {
        MemoryLimit { soft: Some(bytes), hard: None }
    }

    /// A worker that has more than so many bytes is killed, and the call that it runs fails with [`ErrorKind::MemoryLimit`](crate::ErrorKind::MemoryLimit).
    pub fn hard(bytes: u64) -> MemoryLimit {
        MemoryLimit { soft: None, hard: Some(bytes) }
    }

    /// This limit, and a [hard](MemoryLimit::hard) one.
    #[must_use]
    pub fn or_hard(self, bytes: u64) -> MemoryLimit {
        MemoryLimit { hard: Some(bytes), ..self }
    }

    /// The soft limit.
    pub fn soft_bytes(&self) -> Option<u64> {
        self.soft
    }

    /// The hard limit.
    pub fn hard_bytes(&self) -> Option<u64> {
        self.hard
    }

    /// What is wrong with it.
    pub(super) fn fault(&self) -> Option<String> {
        if self.soft == Some(0) || self.hard == Some(0) {
            return Some("a memory limit of 0 bytes allows no worker".into());
        }
        match (self.soft, self.hard) {
            (Some(soft), Some(hard)) if soft > hard => Some(format!("the soft memory limit ({soft} bytes) is above the hard one ({hard} bytes)")),
            _ => None,
        }
    }
}

/// What is known of one worker.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Its own memory when last seen; 0: never.
    pub(super) resident: AtomicU64,
    /// The pool itself sent the signal that ended it.
    pub(super) killed_by_pool: AtomicBool,
    /// The hard memory limit that it was killed for; 0: none.
    pub(super) over: AtomicU64,
    /// The verdict on a death.
    out_of_memory: OnceLock<bool>,
    /// It said that it leaves.
    pub(super) left: AtomicBool,
    /// What it said of why it cannot go on.
    pub(super) unfit: OnceLock<Failure>,
}

impl Worker {
    /// Its death, with what is known of it.
    pub(super) fn death(&self, code: i32) -> Death {
        let resident = Some(self.facts.resident.load(Ordering::Relaxed)).filter(|&bytes| bytes > 0);
        Death { resident, out_of_memory: self.facts.out_of_memory.get().copied(), ..Death::new(self.child.pid(), code) }
    }

    /// Whether it was not at fault: it left in order, or was killed for what was asked of the pool.
    pub(super) fn ended_on_purpose(&self) -> bool {
        let facts = &self.facts;
        facts.left.load(Ordering::Relaxed) || (facts.killed_by_pool.load(Ordering::Relaxed) && facts.over.load(Ordering::Relaxed) == 0)
    }
}

/// The supervisor's eye on memory.
#[derive(Debug)]
pub(super) struct Watch {
    hard: Option<u64>,
    looked: Option<Instant>,
    kills: Kills,
}

impl Watch {
    pub(super) fn new(limit: MemoryLimit) -> Watch {
        Watch { hard: limit.hard, looked: None, kills: Kills::new(Instant::now(), polyproc_ipc::out_of_memory_kills()) }
    }

    /// How long from one look to the next, while calls run.
    pub(super) fn pause(&self) -> Duration {
        if self.hard.is_some() { LOOK.1 } else { LOOK.0 }
    }

    /// Measures every worker, if it is time, and kills those that have too much.
    pub(super) fn look(&mut self, live: &[Arc<Worker>], now: Instant) {
        if self.looked.is_some_and(|looked| now.duration_since(looked) < self.pause()) {
            return;
        }
        self.looked = Some(now);
        self.kills.look(now, polyproc_ipc::out_of_memory_kills);
        for worker in live {
            let Some(bytes) = memory::own_bytes(worker.child.pid()) else { continue };
            worker.facts.resident.store(bytes, Ordering::Relaxed);
            if let Some(limit) = self.hard.filter(|&limit| bytes > limit && !worker.is_guest()) {
                worker.facts.over.store(limit, Ordering::Relaxed);
                worker.facts.killed_by_pool.store(true, Ordering::Relaxed);
                // One that has ended meanwhile had too much all the same.
                let _ = worker.child.signal(Signal::KILL);
            }
        }
    }

    /// Says of workers that have just died whether it was for lack of memory.
    pub(super) fn judge(&mut self, dead: &[(Arc<Worker>, i32)]) {
        let killed = |(worker, code): &(Arc<Worker>, i32)| *code == -libc::SIGKILL && !worker.facts.killed_by_pool.load(Ordering::Relaxed);
        let victims = dead.iter().filter(|entry| killed(entry)).count() as u64;
        let of_victims = if victims > 0 { self.kills.judge(victims, polyproc_ipc::out_of_memory_kills()) } else { None };
        for entry in dead {
            if let Some(of_this) = if killed(entry) { of_victims } else { Some(false) } {
                let _ = entry.0.facts.out_of_memory.set(of_this);
            }
        }
    }
}

/// A death is noticed within that time after its kill was counted, and a kill that was counted long before was another's.
const AGE: Duration = Duration::from_secs(2);

/// The kernel's count of kills for lack of memory, some time ago and more recently.
#[derive(Debug)]
struct Kills([Mark; 2]);

#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Instant,
    count: Option<u64>,
    /// Workers that were ended since by a SIGKILL that the pool did not send.
    victims: u64,
}

impl Kills {
    fn new(at: Instant, count: Option<u64>) -> Kills {
        Kills([Mark { at, count, victims: 0 }; 2])
    }

    /// Keeps the older mark between one and two ages old, or as new as this look if there was none for long.
    fn look(&mut self, now: Instant, count: impl Fn() -> Option<u64>) {
        let age = now.duration_since(self.0[1].at);
        if age >= AGE {
            let new = Mark { at: now, count: count(), victims: 0 };
            self.0 = [if age >= 2 * AGE { new } else { self.0[1] }, new];
        }
    }

    /// Whether that many more deaths by SIGKILL were for lack of memory, now that the count is this.
    fn judge(&mut self, victims: u64, count: Option<u64>) -> Option<bool> {
        self.0.iter_mut().for_each(|mark| mark.victims += victims);
        verdict(self.0[0].count, count, self.0[0].victims)
    }
}

/// Whether so many deaths by SIGKILL were for lack of memory; `None` where some may have been and others not.
fn verdict(before: Option<u64>, now: Option<u64>, victims: u64) -> Option<bool> {
    match now?.saturating_sub(before?) {
        0 => Some(false),
        kills if kills >= victims => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_follows_the_count() {
        assert_eq!(verdict(Some(3), Some(3), 1), Some(false));
        assert_eq!(verdict(Some(3), Some(4), 1), Some(true));
        assert_eq!(verdict(Some(3), Some(5), 2), Some(true));
        assert_eq!(verdict(Some(3), Some(4), 2), None, "one of two: which?");
        assert_eq!((verdict(None, Some(4), 1), verdict(Some(3), None, 1)), (None, None));
    }

    #[test]
    fn kills_of_long_ago_are_anothers() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut kills = Kills::new(start, Some(5));
        assert_eq!(kills.judge(1, Some(6)), Some(true));
        assert_eq!(kills.judge(1, Some(7)), Some(true), "two kills at once, whose deaths are noticed one after the other");
        assert_eq!(kills.judge(1, Some(7)), None, "one of three was not");
        kills.look(at(1), || unreachable!("too early"));
        kills.look(at(2), || Some(7));
        kills.look(at(4), || Some(8));
        assert_eq!(kills.judge(1, Some(8)), Some(true), "counted just before the last look, noticed just after it");
        kills.look(at(60), || Some(20));
        assert_eq!(kills.judge(1, Some(20)), Some(false), "those in between were none of ours");
    }

    #[test]
    fn limits_that_allow_nothing_are_faults() {
        assert_eq!(MemoryLimit::default().fault(), None);
        assert_eq!(MemoryLimit::soft(1).or_hard(1).fault(), None);
        for bad in [MemoryLimit::soft(0), MemoryLimit::hard(0), MemoryLimit::soft(2).or_hard(1)] {
            assert!(bad.fault().is_some(), "{bad:?}");
        }
    }
}
