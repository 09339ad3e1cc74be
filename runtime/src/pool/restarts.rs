//! When a pool gives up: workers that die before they can do anything, or more deaths in a time than its maker allows.
//!
//! Counts, and says when it is too much. Must not know what a death does to calls.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::table::Worker;
use crate::error::{Death, Error, ErrorKind};

/// This many workers in a row that died before they did anything are no accident.
const FRUITLESS: u32 = 10;

/// What a dead worker had been doing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doing {
    /// It had a batch.
    pub(super) held: bool,
    /// A call of it had begun.
    pub(super) began: bool,
}

/// The deaths of one pool.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    /// Deaths in a row that had nothing to do with a call.
    fruitless: u32,
    /// So many deaths within the time are the last that are made good.
    limit: Option<(usize, Duration)>,
    /// When those were that still count.
    recent: VecDeque<Instant>,
}

impl Restarts {
    pub(super) fn new(limit: Option<(usize, Duration)>) -> Restarts {
        Restarts { limit, ..Restarts::default() }
    }

    /// A call was finished: workers can work.
    pub(super) fn worked(&mut self) {
        self.fruitless = 0;
    }

    /// Counts the death of a worker that did not leave in order. `Some`: the pool gives up, with this.
    pub(super) fn died(&mut self, worker: &Worker, death: Death, doing: Doing) -> Option<Error> {
        if worker.ended_on_purpose() {
            return None;
        }
        let finished = worker.finished.load(std::sync::atomic::Ordering::Relaxed) > 0;
        self.count(Instant::now(), worker.owner().is_some(), finished, death, doing).map(|sentence| {
            let cause = worker.facts.unfit.get().cloned();
            let said = cause.as_ref().map_or_else(|| "; what they printed may say why".into(), |cause| format!(": {}", Error::from_failure(cause.clone())));
            Error::gave_up(death, cause, format!("the pool gave up: {sentence}; the last (pid {}) {death}{said}", death.pid)).saying(worker.child.stderr())
        })
    }

    fn count(&mut self, now: Instant, joined: bool, finished: bool, death: Death, doing: Doing) -> Option<String> {
        if let Some((most, within)) = self.limit {
            self.recent.push_back(now);
            while self.recent.front().is_some_and(|&first| now.duration_since(first) > within) {
                self.recent.pop_front();
            }
            if self.recent.len() > most {
                return Some(format!("{} workers died within {within:?}, and it was made to replace {most}", self.recent.len()));
            }
        }
        if doing.began {
            self.fruitless = 0;
        } else if !joined || doing.held || (death.code >= 0 && !finished) {
            self.fruitless += 1;
            if self.fruitless >= FRUITLESS {
                return Some(format!("{FRUITLESS} workers in a row died before they could run a call"));
            }
        }
        None
    }
}

/// What a pool says in which no worker can be started.
pub(super) fn cannot_start(error: &Error) -> Error {
    Error::new(ErrorKind::GaveUp, format!("the pool gave up: no worker can be started: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Doing = Doing { held: false, began: false };
    const CALL: Doing = Doing { held: true, began: true };

    #[test]
    fn ten_fruitless_deaths_in_a_row_are_enough() {
        let now = Instant::now();
        let mut restarts = Restarts::default();
        let killed = Death::new(7, -9);
        for round in 0..3 {
            for _ in 0..FRUITLESS - 1 {
                assert_eq!(restarts.count(now, false, false, killed, IDLE), None, "round {round}");
            }
            match round {
                0 => restarts.worked(),
                1 => assert_eq!(restarts.count(now, true, false, killed, CALL), None, "a call began"),
                _ => assert!(restarts.count(now, false, false, killed, IDLE).is_some()),
            }
        }
        let mut idle = Restarts::default();
        assert!((0..100).all(|_| idle.count(now, true, false, killed, IDLE).is_none()), "killed while idle");
    }

    #[test]
    fn deaths_count_for_the_time_given() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut restarts = Restarts::new(Some((2, Duration::from_millis(100))));
        let mut died = |millis| restarts.count(at(millis), true, true, Death::new(7, -9), CALL).is_some();
        assert!(!died(0) && !died(50) && !died(120) && !died(200), "never three within the time");
        assert!(died(210));
        let mut none = Restarts::new(Some((0, Duration::from_secs(1))));
        assert!(none.count(start, true, true, Death::new(7, -9), CALL).is_some());
    }
}
