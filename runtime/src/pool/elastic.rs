//! How many workers a pool should have at the moment: between two bounds, by what is under way.
//!
//! Only arithmetic on what the supervisor saw, and when; the rules are in `runtime/src/README.md`, "Size". Must not know processes or queues.

use std::time::{Duration, Instant};

/// How long more must be under way than there are workers before the pool grows, and how often it looks meanwhile.
const GROW: Duration = Duration::from_millis(5);
/// How often it looks, while it might shrink.
const SHRINK: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(5);

/// Between how many workers a pool may have, and how long one is idle before it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) idle: Duration,
}

/// The size of one pool.
#[derive(Debug)]
pub(super) struct Size {
    bounds: Bounds,
    target: usize,
    /// Since when more was under way than there are workers.
    hungry: Option<Instant>,
    /// The most that was under way since this time.
    peak: usize,
    since: Instant,
}

impl Size {
    pub(super) fn new(bounds: Bounds, now: Instant) -> Size {
        Size { bounds, target: bounds.least, hungry: None, peak: bounds.least, since: now }
    }

    /// How many workers there should be.
    pub(super) fn target(&self) -> usize {
        self.target
    }

    /// From now on so many, neither more nor less.
    pub(super) fn resize(&mut self, workers: usize) {
        (self.bounds.least, self.bounds.most, self.target, self.hungry) = (workers, workers, workers, None);
    }

    /// Takes note of how many batches are under way, and changes the target if it is time.
    pub(super) fn look(&mut self, under_way: usize, now: Instant) {
        self.hungry = if under_way > self.target && self.target < self.bounds.most { self.hungry.or(Some(now)) } else { None };
        self.peak = self.peak.max(under_way);
        if self.hungry.is_some_and(|since| now.duration_since(since) >= GROW) {
            self.begin_again(under_way.min(self.bounds.most), under_way, now);
        } else if now.duration_since(self.since) >= self.bounds.idle {
            self.begin_again(self.target.min(self.peak).max(self.bounds.least), under_way, now);
        }
    }

    /// How long until the next look at the latest; `None`: nothing can change by itself.
    pub(super) fn next_look(&self, under_way: usize) -> Option<Duration> {
        if under_way > 0 && self.target < self.bounds.most {
            return Some(GROW);
        }
        (self.target > self.bounds.least).then(|| (self.bounds.idle / 4).clamp(*SHRINK.start(), *SHRINK.end()))
    }

    fn begin_again(&mut self, target: usize, under_way: usize, now: Instant) {
        (self.target, self.hungry, self.peak, self.since) = (target, None, under_way, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size() -> (Size, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        (Size::new(Bounds { least: 1, most: 4, idle: Duration::from_millis(100) }, start), move |millis| start + Duration::from_millis(millis))
    }

    #[test]
    fn it_grows_with_what_waits_and_not_for_a_moment() {
        let (mut size, at) = size();
        size.look(3, at(0));
        size.look(1, at(3));
        size.look(3, at(6));
        assert_eq!(size.target(), 1, "not long enough");
        assert_eq!(size.next_look(3), Some(GROW));
        size.look(3, at(11));
        assert_eq!(size.target(), 3);
        size.look(90, at(12));
        size.look(90, at(20));
        assert_eq!(size.target(), 4, "never more than the most");
        assert_ne!(size.next_look(90), Some(GROW));
    }

    #[test]
    fn it_shrinks_to_what_was_needed_and_never_below_the_least() {
        let (mut size, at) = size();
        size.look(4, at(0));
        size.look(4, at(10));
        assert_eq!(size.target(), 4);
        for time in (20..=100).step_by(20) {
            size.look(2, at(time));
        }
        assert_eq!(size.target(), 4, "idle not long enough");
        assert!(size.next_look(0).is_some());
        size.look(2, at(115));
        assert_eq!(size.target(), 4, "of this time it still needed four at the beginning");
        size.look(2, at(220));
        assert_eq!(size.target(), 2);
        size.look(0, at(330));
        size.look(0, at(440));
        assert_eq!((size.target(), size.next_look(0)), (1, None));
    }

    #[test]
    fn a_given_size_stays() {
        let (mut size, at) = size();
        size.resize(3);
        size.look(90, at(0));
        size.look(90, at(10));
        size.look(0, at(500));
        assert_eq!((size.target(), size.next_look(90)), (3, None));
    }
}
