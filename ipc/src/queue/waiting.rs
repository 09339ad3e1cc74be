//! How a getter waits: a bounded spin that learns, then sleep; and whom it wakes when it has got something.

use std::sync::atomic::{AtomicU32, Ordering};

use super::BytesQueue;
use super::get::{self, Getter};
use super::layout::Words;
use super::{dead, timed};
use crate::error::Result;
use crate::fabric::Fabric;
use crate::poll::{Pollable, Source};
use crate::shm::{Deadline, Nap};
use crate::sync::wait;
use crate::sys;

/// Beats between two looks of a spinning getter: it backs off so that the putter gets ahead.
const BEATS: u32 = 40;
/// Looks before a getter sleeps: at most about 20 microseconds, learnt from how it went before.
const LOOKS: std::ops::RangeInclusive<u32> = 2..=MOST_LOOKS;
/// The upper end of that: where a handle begins.
pub(super) const MOST_LOOKS: u32 = 24;

impl BytesQueue {
    /// A descriptor for event loops, readable when there is something to get, or the queue is closed: see [`Pollable`].
    pub fn pollable(&self) -> Result<Pollable> {
        Pollable::new(self.clone())
    }

    /// Tries until there is something, the queue is closed, or time is up; spins a little, then sleeps.
    #[inline(always)]
    pub(super) fn wait_for<T>(&self, deadline: Deadline, mut attempt: impl FnMut(Words<'_>) -> Result<Option<T>>) -> Result<T> {
        let w = self.words();
        let mut nap = Nap::new();
        let mut last = None;
        loop {
            if let Some(got) = attempt(w)? {
                return Ok(got);
            }
            if let Some(closed) = last {
                return Err(self.nothing(closed));
            }
            // What a look finds may be somebody else's at once, time after time, so the clock is read then too.
            // Each end is followed by one more look: for what was put between the look and the closing, or while time ran out.
            if w.is_closed() && !timed::will_come_back(w) {
                last = Some(true);
            } else if (!nap.is_early() || !self.spin(w) || deadline.is_over()) && !self.sleep(w, &mut nap, deadline) {
                last = Some(false);
            }
        }
    }

    /// Looks for a while whether something came.
    #[cold]
    #[inline(never)]
    fn spin(&self, w: Words<'_>) -> bool {
        let looks = if sys::can_spin() { self.0.looks.load(Ordering::Relaxed) } else { 0 };
        for _ in 0..looks {
            for _ in 0..BEATS {
                sys::pause();
            }
            if get::looks_ready(w) {
                self.0.looks.store((looks * 2).min(*LOOKS.end()), Ordering::Relaxed);
                return true;
            }
        }
        self.0.looks.store((looks / 2).max(*LOOKS.start()), Ordering::Relaxed);
        false
    }

    /// Sleeps until something may have come. False: time is up.
    #[cold]
    fn sleep(&self, w: Words<'_>, nap: &mut Nap, deadline: Deadline) -> bool {
        let Some(time) = deadline.left(nap.next()) else { return false };
        let announced = wait::announce(w.data());
        // What is due wakes its sleepers itself: they sleep no longer than until then.
        let time = timed::until_due(w).map_or(time, |due| due.min(time));
        if !get::looks_ready(w) {
            wait::sleep(w.shm, w.data(), announced, time);
        }
        if nap.is_long() {
            tidy(w);
        }
        self.sweep_now_and_then(nap);
        true
    }

    /// What is waited for may be held by somebody who died with nobody to notice: a message on a lease, memory.
    pub(super) fn sweep_now_and_then(&self, nap: &Nap) {
        if nap.is_long() {
            // Damaged memory is told by the call that meets it.
            let _ = self.fabric().sweep();
        }
    }
}

impl Source for BytesQueue {
    fn arm(&self) -> Option<(&AtomicU32, u32)> {
        let w = self.words();
        let announced = wait::announce(w.data());
        (!get::looks_ready(w)).then_some((w.data(), announced))
    }

    fn fabric(&self) -> &Fabric {
        BytesQueue::fabric(self)
    }
}

/// What a long waiter does for the queue now and then: dead letters that could not go are tried again, and memory that nobody needs is given back.
fn tidy(w: Words<'_>) {
    // Damaged memory is told by the call that meets it.
    let _ = Getter::enter(w).and_then(|mut getter| {
        dead::forward(w)?;
        getter.shrink()
    });
}

/// After a getter left the lock: putters that wait for room, and getters for what is left behind, are woken.
#[inline(always)]
pub(super) fn after_get(w: Words<'_>, more: u32) {
    let capacity = w.capacity().load(Ordering::Relaxed);
    if capacity != 0 && u64::from(more) <= capacity / 2 {
        wait::wake(w.space(), (capacity / 2).clamp(1, u64::from(u32::MAX)) as u32);
    }
    if more > 0 {
        wait::wake(w.data(), 1);
    }
}
