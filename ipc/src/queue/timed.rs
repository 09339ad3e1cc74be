//! Time: leases that run out, and messages that come back later. Knows the clock and the due word; nobody ticks: whoever looks at the queue looks at the clock first.
//!
//! `due` is not later than the due word of any DELAYED entry or of any LEASED one that has a limit; bit TIMED of the aside word is set while there may be such an entry. So `due` is lowered **before**
//! an entry's state or due word changes, and raised only after a walk over all entries; killed in between, it is too early, which costs one walk. A sleeping getter sleeps at most until
//! `due`, and who lowers it to less than a nap from now wakes all sleepers, so that they know: no helper thread is needed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::dead::DeadReason;
use super::entry::{self, DELAYED, LEASED, RETURNED};
use super::get::Getter;
use super::layout::{TIMED, Words};
use super::lease;
use crate::error::Result;
use crate::shm::Nap;
use crate::sync::wait;
use crate::sys;

/// The time that far from now; at most some centuries.
pub(crate) fn after(time: Duration) -> u64 {
    sys::now().saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)).min(u64::MAX - 1)
}

/// Something is about to be due then. Under the consumer lock.
pub(crate) fn expect(w: Words<'_>, due: u64) {
    let now = w.due().load(Ordering::Relaxed);
    if now == 0 || due < now {
        w.due().store(due, Ordering::Release);
    }
    w.aside().store(w.aside().load(Ordering::Relaxed) | TIMED, Ordering::Release);
}

/// After the lock was left: who sleeps is told, if it would sleep too long.
pub(crate) fn tell(w: Words<'_>, time: Duration) {
    if time < Nap::MOST {
        wait::wake(w.data(), u32::MAX);
    }
}

/// How long it is until something is due, if something will be.
#[inline(always)]
pub(crate) fn until_due(w: Words<'_>) -> Option<Duration> {
    if w.aside().load(Ordering::Relaxed) & TIMED == 0 {
        return None;
    }
    let due = w.due().load(Ordering::Acquire);
    (due != 0).then(|| Duration::from_nanos(due.saturating_sub(sys::now())))
}

/// Whether something may be due.
#[inline(always)]
pub(crate) fn is_due(w: Words<'_>) -> bool {
    until_due(w).is_some_and(|time| time.is_zero())
}

/// Gives back what is due. Under the consumer lock.
pub(crate) fn look(w: Words<'_>) -> Result<()> {
    if is_due(w) { pass(w) } else { Ok(()) }
}

/// The same for who holds no lock.
pub(crate) fn look_alone(w: Words<'_>) {
    if is_due(w) {
        // Damaged memory is told by the call that meets it.
        let _ = Getter::enter(w).and_then(|_getter| look(w));
    }
}

#[cold]
#[inline(never)]
fn pass(w: Words<'_>) -> Result<()> {
    let now = sys::now();
    let mut next = 0;
    for entry in entry::all(w) {
        let entry = entry?;
        let (phase, due) = (entry.phase()?, entry.due()?.load(Ordering::Acquire));
        if due == 0 || !matches!(phase, LEASED | DELAYED) {
            continue;
        }
        if due > now {
            next = if next == 0 { due } else { due.min(next) };
        } else if phase == LEASED {
            lease::give_back(w, entry, None, DeadReason::Expired)?;
        } else {
            w.set_returned(w.returned().saturating_add(1));
            entry.state()?.store(RETURNED, Ordering::Release);
        }
    }
    set(w, next);
    super::dead::forward(w)?;
    super::joined::tell(w);
    Ok(())
}

fn set(w: Words<'_>, due: u64) {
    w.due().store(due, Ordering::Release);
    let rest = w.aside().load(Ordering::Relaxed) & !TIMED;
    w.aside().store(if due == 0 { rest } else { rest | TIMED }, Ordering::Release);
}

/// Whether a message will come back by itself: a closed queue is not drained before.
pub(crate) fn will_come_back(w: Words<'_>) -> bool {
    w.aside().load(Ordering::Relaxed) & TIMED != 0 && entry::count(w, DELAYED).is_ok_and(|count| count > 0)
}

/// Part of the consumer side's repair: the due word as it ought to be. May be repeated.
pub(crate) fn repair(w: Words<'_>) -> Result<()> {
    let mut next = 0;
    for entry in entry::all(w) {
        let entry = entry?;
        let due = entry.due()?.load(Ordering::Acquire);
        if due != 0 && matches!(entry.phase()?, LEASED | DELAYED) {
            next = if next == 0 { due } else { due.min(next) };
        }
    }
    set(w, next);
    Ok(())
}
