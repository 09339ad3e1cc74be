//! Dead letters: messages that were handed out as often as their queue allows, or that a holder gave up. Knows how they leave their queue; how another takes them in is `put.rs`.
//!
//! **Burying** (consumer lock): what is noted (how often handed out, why) written into the entry's message word; buried count raised; state := BURIED, the commit. A buried message is never
//! handed out by its queue again. It counts neither in `len` nor as unfinished.
//!
//! **Moving** a buried message of queue Q to the dead-letter queue D, under Q's consumer lock and then D's producer lock:
//!
//! | step | killed after it |
//! | --- | --- |
//! | record written behind D's tail (a ring is added first if need be, as for any put) | nothing happened |
//! | Q.moving := entry | Q's repair passes through D's producer lock, finds the entry BURIED, and clears it |
//! | D.receiving := {entry, Q, D's tail word} | D's repair: D's tail is as before; cleared |
//! | a chunk's cell HELD(Q) -> HELD(D) | the same, and the cell is set back |
//! | D's tail := next, **the commit** | D's repair: D's tail differs; entry's state := FREE; cleared |
//! | entry's state := FREE | the same again |
//! | D.receiving := none | the entry is FREE; nothing to do |
//! | Q.moving := none | done |
//!
//! Both locks are the dead one's, and D's repair may run first, alone, while Q still waits for its own: D's repair then changes an entry of Q. That is sound because nobody uses Q's entries
//! before Q's repair ran, and that one, if Q.moving is set, first passes through D's producer lock, that is, through D's repair. After it D may put what it likes: whether the move
//! happened is no longer asked. If D was destroyed meanwhile (another birth), its end passed through the same lock. Entries are never given back, so D.receiving never names a free chunk.
//!
//! **Lock order.** A queue's dead-letter queue is named when the queue is made, so it is older: births grow. Whoever holds locks of two queues took the younger one's first (the checker goes by
//! falling births), so there is no circle, and a queue cannot be its own. D may be destroyed and its header used again by a younger queue while somebody waits for its lock:
//! the waiter asks between naps whether D is still D. A producer lock's holder takes no further queue's lock.
//!
//! **Never lost.** If D is gone, closed or there is no memory for a ring, the message stays BURIED in Q, and it is tried again whenever something else is buried, at every sweep that
//! found somebody dead, and by long waiting getters of Q. D's capacity does not refuse dead letters, as it does not refuse messages that come back from a lease. `get_buried` takes them by hand.

use std::sync::atomic::Ordering;

use super::entry::{self, BURIED, Entry};
use super::get::Getter;
use super::layout::Words;
use super::{lease, put};
use crate::error::Result;
use crate::heap::cell::Holder;
use crate::objects::{Header, Kind, ObjectId};
use crate::sync::guard::Guard;
use crate::sync::wait;

/// What is known of a dead letter: see [`Message::dead_letter`](crate::Message::dead_letter).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// How often it had been handed out (8191: as often or more).
    pub deliveries: u32,
    /// Why it was given up.
    pub reason: DeadReason,
}

/// Why a message became a dead letter. The numbers are in shared memory; they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)]
pub enum DeadReason {
    /// Its last holder gave it back, and it had been handed out as often as the queue allows.
    GivenBack = 1,
    /// The time of its last lease ran out, likewise.
    Expired = 2,
    /// Its last holder died, likewise.
    HolderDied = 3,
    /// A holder [buried](crate::Lease::bury) it.
    Buried = 4,
}

const MOST: u32 = (1 << 13) - 1;

impl DeadLetter {
    /// 16 bits: deliveries, and the reason in the upper three. 0: not a dead letter.
    pub(crate) fn from_note(note: u16) -> Option<DeadLetter> {
        let reason = match note >> 13 {
            1 => DeadReason::GivenBack,
            2 => DeadReason::Expired,
            3 => DeadReason::HolderDied,
            4 => DeadReason::Buried,
            _ => return None,
        };
        Some(DeadLetter { deliveries: u32::from(note) & MOST, reason })
    }

    fn note(self) -> u16 {
        (self.deliveries.min(MOST) | (self.reason as u32) << 13) as u16
    }
}

/// The message is handed out no more. The caller [forwards](forward) it after.
pub(crate) fn bury(w: Words<'_>, entry: Entry<'_>, reason: DeadReason) -> Result<()> {
    entry.note(DeadLetter { deliveries: entry.deliveries()?, reason }.note())?;
    // Counted first, as what comes back is.
    w.buried().fetch_add(1, Ordering::AcqRel);
    entry.state()?.store(BURIED, Ordering::Release);
    Ok(())
}

/// Moves what is buried to the dead-letter queue, as far as that one takes it. Under the consumer lock.
#[cold]
#[inline(never)]
pub(crate) fn forward(w: Words<'_>) -> Result<()> {
    if w.buried().load(Ordering::Relaxed) == 0 {
        return Ok(());
    }
    let Some(to) = dead_letter_queue(w)? else { return Ok(()) };
    // What is wrong there is told to who uses it; here the message stays what it is.
    let Ok(Some(guard)) = lock(to) else { return Ok(()) };
    let mut moved = 0;
    while let Some(entry) = entry::first_buried(w)? {
        w.moving().store(entry.offset, Ordering::Release);
        let done = put::receive(to, &guard, w, entry).unwrap_or(false);
        w.moving().store(0, Ordering::Release);
        if !done {
            break;
        }
        w.buried().fetch_sub(1, Ordering::AcqRel);
        moved += 1;
    }
    drop(guard);
    if moved > 0 {
        wait::wake(to.data(), moved);
    }
    Ok(())
}

/// Takes out the buried message that was put first.
pub(crate) fn take(getter: &Getter<'_>, fabric: &crate::Fabric) -> Result<Option<crate::Message>> {
    let w = getter.w;
    let Some(entry) = entry::first_buried(w)? else { return Ok(None) };
    let message = lease::take_out(getter, entry, fabric)?;
    w.buried().fetch_sub(1, Ordering::AcqRel);
    Ok(Some(message))
}

/// This queue's part of the consumer side's repair: see the top. May be repeated.
pub(crate) fn repair(w: Words<'_>) -> Result<()> {
    if w.moving().load(Ordering::Acquire) != 0 {
        if let Some(to) = dead_letter_queue(w)? {
            drop(lock(to)?);
        }
        w.moving().store(0, Ordering::Release);
    }
    Ok(())
}

/// The queue that takes this one's dead letters, if it was given one that is still there.
fn dead_letter_queue(w: Words<'_>) -> Result<Option<Words<'_>>> {
    let id = ObjectId { offset: w.dead_letters().load(Ordering::Relaxed), birth: w.dead_letters_birth().load(Ordering::Relaxed) };
    // Undamaged words name no younger queue: the order of locks rests on that. (The word and not the handle's copy: a repair may come by a stale handle.)
    if id.offset == 0 || id.birth >= w.birth().load(Ordering::Relaxed) {
        return Ok(None);
    }
    if w.shm.chunk(id.offset)?.holder() != Holder::Held(id.offset) || Header::at(w.shm, id.offset)?.kind() != Kind::Queue as u64 {
        return Ok(None);
    }
    Ok(Some(Words::of(w.shm, id)?).filter(|to| to.is_here()))
}

/// Its producer lock, unless it is destroyed meanwhile.
fn lock(to: Words<'_>) -> Result<Option<Guard<'_>>> {
    let guard = Guard::enter_while(to.shm, to.producer_lock(), || to.is_here(), |me| put::repair(to, me))?;
    Ok(guard.filter(|_| to.is_here()))
}
