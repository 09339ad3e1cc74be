//! How getters and putters wait: a bounded spin that learns, then sleep; and whom a getter wakes when it has got something.
//!
//! Whoever spins steps aside between two looks: where there are more processes than processors, those that could bring what is waited for run then, and come to many messages in one go,
//! without any wake-up.

use std::sync::atomic::{AtomicU32, Ordering};

use super::BytesQueue;
use super::get::{self, Getter};
use super::layout::Words;
use super::message::Message;
use super::quick::{self, Look};
use super::{dead, timed};
use crate::error::Result;
use crate::fabric::Fabric;
use crate::poll::{Pollable, Source};
use crate::shm::{Deadline, Nap};
use crate::sync::wait;
use crate::sys;

/// Beats between two looks: who spins backs off so that the other side gets ahead.
const BEATS: u32 = 40;
/// Looks before a waiter sleeps: at most some tens of microseconds of its own, learnt from how it went before.
const LOOKS: std::ops::RangeInclusive<u32> = 2..=MOST_LOOKS;
/// Looks before it begins to step aside.
const ALONE: u32 = 2;
/// After so many waits in vain a long one is tried again.
const RETRY: u32 = 32;
/// What one of them counts in the word.
const FAILED: u32 = 64;
/// The upper end of that: where a handle begins.
pub(super) const MOST_LOOKS: u32 = 24;

impl BytesQueue {
    /// A descriptor for event loops, readable when there is something to get, or the queue is closed: see [`Pollable`].
    pub fn pollable(&self) -> Result<Pollable> {
        Pollable::new(self.clone())
    }

    /// Gets a message by whatever way there is; waits for one.
    #[inline(never)]
    pub(super) fn get_slowly(&self, deadline: Deadline) -> Result<Message> {
        self.wait_for(deadline, |w| {
            let mut message = Message::empty();
            let (message, more) = match quick::get(w, &mut message)? {
                Look::Got((), more) => (message, more),
                Look::Nothing => return Ok(None),
                Look::Unusual => {
                    let mut getter = Getter::enter(w)?;
                    let Some(message) = getter.take(self.fabric())? else { return Ok(None) };
                    (message, getter.more())
                }
            };
            after_get(w, more);
            Ok(Some(message))
        })
    }

    /// The same of up to `max` messages.
    #[inline(never)]
    pub(super) fn get_many_slowly(&self, max: usize, deadline: Deadline) -> Result<Vec<Message>> {
        self.wait_for(deadline, |w| {
            let (all, more) = match quick::get_many(w, max)? {
                Look::Got(all, more) => (all, more),
                Look::Nothing => return Ok(None),
                Look::Unusual => {
                    let mut getter = Getter::enter(w)?;
                    let Some(first) = getter.take(self.fabric())? else { return Ok(None) };
                    let mut all = Vec::with_capacity(max.min(getter.more() as usize + 1).min(1024));
                    all.push(first);
                    while all.len() < max {
                        match getter.take(self.fabric()) {
                            Ok(Some(message)) => all.push(message),
                            // What is damaged behind is told to the next getter; these were taken.
                            Ok(None) | Err(_) => break,
                        }
                    }
                    (all, getter.more())
                }
            };
            after_get(w, more);
            Ok(Some(all))
        })
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
        spin(&self.0.looks, || get::looks_ready(w))
    }

    /// Looks for a while whether there is room.
    #[cold]
    #[inline(never)]
    pub(super) fn spin_for_room(&self, w: Words<'_>) -> bool {
        spin(&self.0.looks_for_room, || has_room(w))
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

/// Looks for a while whether it is so; `looks` learns whether that is worth while: the next number of looks, and above it how often in a row it was not.
///
/// Two sides that answer each other, and both sleep, would never see that they need not: each takes as long as the other's waking. So a long look is tried again now and then.
fn spin(looks: &AtomicU32, ready: impl Fn() -> bool) -> bool {
    let learnt = looks.load(Ordering::Relaxed);
    let (count, in_vain) = if sys::can_spin() { (learnt % FAILED, learnt / FAILED) } else { (0, 0) };
    for look in 0..count {
        for _ in 0..BEATS {
            sys::pause();
        }
        if look >= ALONE {
            sys::step_aside();
        }
        if ready() {
            looks.store((count * 2).min(*LOOKS.end()), Ordering::Relaxed);
            return true;
        }
    }
    let in_vain = (in_vain + 1) % RETRY;
    let next = if in_vain == 0 { *LOOKS.end() } else { (count / 2).max(*LOOKS.start()) };
    looks.store(next + in_vain * FAILED, Ordering::Relaxed);
    false
}

/// Whether a putter would find room (or the end): a look without any lock.
pub(super) fn has_room(w: Words<'_>) -> bool {
    get::in_rings(w).is_ok_and(|waiting| (waiting as u64) < w.capacity().load(Ordering::Relaxed)) || w.is_closed() || !w.is_here()
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
