//! Joinable queues: who waits until all that was put is done with. Knows what counts as unfinished; there is no counter of it.
//!
//! Unfinished is derived, so that no death can make it wrong: messages in the rings (committed tails less committed heads), entries LEASED, RETURNED or DELAYED (one each), and tallies. A
//! **tally** is an entry that says how many items one member got by plain gets and has not called `task_done` for. What is buried is nobody's work any more and does not count.
//!
//! **Plain get** of a joinable queue: tallying := {the member's tally or a free entry, its state after, which word commits, its value before}; the commit of the get; state := after; tallying :=
//! none. Killed between: the repair asks the commit word, as for a chunk. **`task_done`**: the caller's own tally, else the first that is found, one less (of one: FREE); one store.
//! **A getter that is gone** (killed, or left the fabric) leaves its tally: losing := {entry, lost after}; state := FREE, the commit; lost := after; losing := none. So `join` never waits for the dead, and
//! `lost` says how many items were never said to be done.

use std::time::Duration;

use super::BytesQueue;
use super::entry::{self, BURIED, Entry, FREE, TALLY};
use super::get::{self, Getter};
use super::layout::Words;
use crate::error::{Error, ErrorKind, Result};
use crate::shm::{Deadline, Owner};
use crate::sync::atomic::{Ordering, fence};
use crate::sync::wait;

impl BytesQueue {
    /// One item that this process got is done with: [`join`](BytesQueue::join) does not wait for it any longer. Who got an item by a lease acknowledges that instead.
    ///
    /// Counted against the items of this process, else (where the item was handed on) against those of another. [`ErrorKind::NotHeld`] if nothing that was got is unfinished; then
    /// nothing was changed.
    pub fn task_done(&self) -> Result<()> {
        let w = self.joinable()?;
        let getter = Getter::enter(w)?;
        let own = entry::find(w, |entry| Ok(entry.phase()? == TALLY && entry.holder()? == getter.me))?;
        let tally = match own {
            Some(entry) => Some(entry),
            None => entry::find(w, |entry| Ok(entry.phase()? == TALLY))?,
        };
        if let Some(entry) = tally {
            let count = entry.tally()?;
            entry.state()?.store(if count > 1 { TALLY | (count - 1) << 8 } else { FREE }, Ordering::Release);
        } else {
            // Its getter is gone, and somebody else did the work.
            let lost = w.lost().load(Ordering::Relaxed);
            if lost == 0 {
                let label = self.handle().label();
                return Err(Error::new(ErrorKind::NotHeld, format!("task_done was called more often than items were got from queue {label}")));
            }
            w.lost().store(lost - 1, Ordering::Release);
        }
        drop(getter);
        tell(w);
        Ok(())
    }

    /// Waits until everything that was put is done with: acknowledged, or got and said to be done by [`task_done`](BytesQueue::task_done).
    ///
    /// **If a process dies** (or leaves) with items that it got, they count as done, and as [lost](BytesQueue::lost): nobody waits for them. What it had on lease goes back into the queue and is waited for.
    pub fn join(&self) -> Result<()> {
        self.join_by(Deadline::Never)
    }

    /// As [`BytesQueue::join`]; at most `time`, then [`ErrorKind::Timeout`].
    pub fn join_timeout(&self, time: Duration) -> Result<()> {
        self.join_by(Deadline::after(Some(time)))
    }

    /// Items that were put and are not done with. Exact if nobody puts, gets or finishes meanwhile.
    pub fn unfinished(&self) -> Result<usize> {
        let w = self.joinable()?;
        let _getter = Getter::enter(w)?;
        unfinished(w)
    }

    /// Items that count as done because the process that got them died, or left, before it said so.
    pub fn lost(&self) -> usize {
        self.words_if_here().map_or(0, |w| w.lost().load(Ordering::Acquire) as usize)
    }

    fn join_by(&self, deadline: Deadline) -> Result<()> {
        let w = self.joinable()?;
        let look = || {
            let _getter = Getter::enter(w)?;
            Ok((unfinished(w)? == 0).then_some(()))
        };
        let ready = || !w.is_here() || unfinished(w).is_ok_and(|count| count == 0);
        let label = || self.handle().label();
        self.handle()
            .until(w.done(), deadline, ready, look)?
            .ok_or_else(|| Error::new(ErrorKind::Timeout, format!("queue {} had unfinished items when the time given was over", label())))
    }

    fn joinable(&self) -> Result<Words<'_>> {
        let w = self.words();
        if w.is_here() && !w.is_joinable() {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("queue {} was not made joinable", self.handle().label())));
        }
        Ok(w)
    }
}

/// What is put and not done with. Exact under the consumer lock; without it, at a quiet moment.
pub(crate) fn unfinished(w: Words<'_>) -> Result<usize> {
    let mut count = get::in_rings(w)? as u64;
    for entry in entry::all(w) {
        let entry = entry?;
        count = count.saturating_add(match entry.phase()? {
            FREE | BURIED => 0,
            TALLY => entry.tally()?,
            _ => 1,
        });
    }
    Ok(count as usize)
}

/// After something was done with: who joins is woken, if that was all.
pub(crate) fn tell(w: Words<'_>) {
    if w.is_joinable() {
        fence(Ordering::SeqCst);
        if unfinished(w).is_ok_and(|count| count == 0) {
            wait::wake(w.done(), u32::MAX);
        }
    }
}

/// Before the commit of a plain get: the getter will have one more, if the queue is joinable.
pub(crate) fn begin<'a>(getter: &Getter<'a>, word: u64, before: u64) -> Result<Option<Entry<'a>>> {
    let w = getter.w;
    if !w.is_joinable() {
        return Ok(None);
    }
    let own = entry::find(w, |entry| Ok(entry.phase()? == TALLY && entry.holder()? == getter.me))?;
    let (entry, count) = if let Some(entry) = own {
        (entry, entry.tally()?)
    } else {
        let entry = entry::free(w, getter.me)?;
        entry.set_holder(getter.me)?;
        (entry, 0)
    };
    w.tallying_after().store(TALLY | (count + 1) << 8, Ordering::Relaxed);
    w.tallying_word().store(word, Ordering::Relaxed);
    w.tallying_before().store(before, Ordering::Relaxed);
    w.tallying().store(entry.offset, Ordering::Release);
    Ok(Some(entry))
}

/// After the commit; or after it failed (`taken` is false).
pub(crate) fn finish(getter: &Getter<'_>, entry: Option<Entry<'_>>, taken: bool) -> Result<()> {
    let Some(entry) = entry else { return Ok(()) };
    let w = getter.w;
    if taken {
        entry.state()?.store(w.tallying_after().load(Ordering::Relaxed), Ordering::Release);
    }
    w.tallying().store(0, Ordering::Release);
    Ok(())
}

/// A member is gone: what it got and did not finish is lost. Under the consumer lock; may be repeated.
pub(crate) fn lose(w: Words<'_>, gone: Owner) -> Result<()> {
    while let Some(entry) = entry::find(w, |entry| Ok(entry.phase()? == TALLY && entry.holder()? == gone))? {
        w.losing_after().store(w.lost().load(Ordering::Relaxed).saturating_add(entry.tally()?), Ordering::Relaxed);
        w.losing().store(entry.offset, Ordering::Release);
        entry.state()?.store(FREE, Ordering::Release);
        w.lost().store(w.losing_after().load(Ordering::Relaxed), Ordering::Release);
        w.losing().store(0, Ordering::Release);
    }
    Ok(())
}

/// The joiners' part of the consumer side's repair. May be repeated.
pub(crate) fn repair(w: Words<'_>) -> Result<()> {
    let tallying = w.tallying().load(Ordering::Acquire);
    if tallying != 0 {
        let word = w.shm.segment.span(w.tallying_word().load(Ordering::Relaxed), 8)?;
        if word.u64(0)?.load(Ordering::Acquire) != w.tallying_before().load(Ordering::Relaxed) {
            Entry::at(w, tallying)?.state()?.store(w.tallying_after().load(Ordering::Relaxed), Ordering::Release);
        }
        w.tallying().store(0, Ordering::Release);
    }
    let losing = w.losing().load(Ordering::Acquire);
    if losing != 0 {
        if Entry::at(w, losing)?.phase()? == FREE {
            w.lost().store(w.losing_after().load(Ordering::Relaxed), Ordering::Release);
        }
        w.losing().store(0, Ordering::Release);
    }
    Ok(())
}
