//! Leases: messages taken but not yet acknowledged. Kept in the queue's ledger (`entry.rs`), so that a holder's death loses nothing.
//!
//! **Leasing** a record: entry filled; leasing := {entry, which head word, its value}; state := LEASED; `head := next`, the commit; leasing := none. Killed before the commit: the repair makes the
//! entry FREE. **Leasing again** what came back: holder, deliveries, due, serial; state := LEASED is the commit; then the count. **Acknowledging**: state := FREE is the commit (a chunk is claimed
//! before and freed after, as in `get.rs`). **Return** (dropped, refused, out of time, or its holder died): count raised; state := RETURNED, the commit, at the front of its lane for the next
//! getter; or due word, state := DELAYED; or, handed out often enough, BURIED (`dead.rs`).
//!
//! A lease is told from all others by its entry and that entry's serial number. One with a limit may be lost at any time, so its holder has a copy of the bytes and never looks into the chunk.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::dead::{self, DeadReason};
use super::entry::{self, BYTES, DELAYED, Entry, FREE, Kept, LEASED, RETURNED, TALLY};
use super::get::{self, Front, Getter};
use super::layout::Words;
use super::message::Message;
use super::ring::Record;
use super::timed;
use crate::error::Result;
use crate::fabric::Fabric;
use crate::heap::cell::Cell;
use crate::shm::Owner;

/// A message handed out on a lease.
pub(crate) struct Leased {
    pub(crate) entry: u64,
    pub(crate) serial: u64,
    pub(crate) deliveries: u32,
    pub(crate) what: LeasedBytes,
}

/// Its bytes: a copy, or where the chunk stands that the queue goes on holding.
pub(crate) enum LeasedBytes {
    Copy(Message),
    Chunk { offset: u64, len: u64, tags: u32 },
}

/// Takes the front message on a lease. With a limit, that begins at once for an inline message; for a chunk the caller makes its copy first and then [sets it](limit).
pub(crate) fn lease(getter: &mut Getter<'_>, time: Option<Duration>) -> Result<Option<Leased>> {
    let w = getter.w;
    let due = |kept: Kept| match (time, kept) {
        (Some(time), Kept::Inline) => {
            let due = timed::after(time);
            timed::expect(w, due);
            due
        }
        _ => 0,
    };
    match getter.front()? {
        None => Ok(None),
        Some(Front::Returned(entry)) => {
            let (kept, len, _) = entry.kept()?;
            if let Kept::Chunk(offset) = kept {
                getter.held_chunk(offset, len)?;
            }
            let delivered = entry.delivered()?.load(Ordering::Relaxed);
            entry.delivered()?.store(delivered & !0xFFFF_FFFF | u64::from((delivered as u32).saturating_add(1)), Ordering::Relaxed);
            begin(entry, getter.me, due(kept))?;
            entry.state()?.store(LEASED, Ordering::Release);
            w.set_returned(w.returned().saturating_sub(1));
            hand_out(entry).map(Some)
        }
        Some(Front::Record(ring, record, next)) => {
            let entry = entry::free(w, getter.me)?;
            entry.delivered()?.store((getter.head().count() as u64) << 32 | 1, Ordering::Relaxed);
            let (kept, len, tags) = match record {
                Record::Inline { at, len, tags } => {
                    entry.span.copy_from(BYTES, ring.bytes(), at, len)?;
                    (Kept::Inline, len as u64, tags)
                }
                Record::Chunk { offset, len, tags } => {
                    getter.held_chunk(offset, len)?;
                    (Kept::Chunk(offset), len, tags)
                }
            };
            entry.keep(getter.lane.number, kept, len, tags)?;
            begin(entry, getter.me, due(kept))?;
            w.leasing_word().store(ring.head_offset(), Ordering::Relaxed);
            w.leasing_before().store(getter.head().0, Ordering::Relaxed);
            w.leasing().store(entry.offset, Ordering::Release);
            entry.state()?.store(LEASED, Ordering::Release);
            getter.advance(ring, next)?;
            w.leasing().store(0, Ordering::Release);
            hand_out(entry).map(Some)
        }
    }
}

fn begin(entry: Entry<'_>, me: Owner, due: u64) -> Result<()> {
    entry.set_holder(me)?;
    entry.progress()?.store(0, Ordering::Relaxed);
    entry.due()?.store(due, Ordering::Relaxed);
    let serial = entry.serial()?;
    serial.store(serial.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    Ok(())
}

fn hand_out(entry: Entry<'_>) -> Result<Leased> {
    let (kept, len, tags) = entry.kept()?;
    let what = match kept {
        Kept::Inline => LeasedBytes::Copy(Message::copy(entry.span, BYTES, len as usize, tags)?),
        Kept::Chunk(offset) => LeasedBytes::Chunk { offset, len, tags },
    };
    Ok(Leased { entry: entry.offset, serial: entry.serial()?.load(Ordering::Relaxed), deliveries: entry.deliveries()?, what })
}

/// The entry of this lease, if its holder has it still.
pub(crate) fn held<'a>(getter: &Getter<'a>, entry: u64, serial: u64) -> Result<Option<Entry<'a>>> {
    let entry = Entry::at(getter.w, entry)?;
    Ok((entry.is_leased_to(getter.me)? && entry.serial()?.load(Ordering::Relaxed) == serial).then_some(entry))
}

/// From now on the lease ends by itself.
pub(crate) fn limit(w: Words<'_>, entry: Entry<'_>, time: Duration) -> Result<()> {
    let due = timed::after(time);
    timed::expect(w, due);
    entry.due()?.store(due, Ordering::Release);
    Ok(())
}

/// Takes a message out of its entry, for good: it is the caller's.
pub(crate) fn take_out(getter: &Getter<'_>, entry: Entry<'_>, fabric: &Fabric) -> Result<Message> {
    let (kept, len, tags) = entry.kept()?;
    let state = entry.state()?;
    match kept {
        Kept::Inline => {
            let message = Message::copy(entry.span, BYTES, len as usize, tags)?;
            state.store(FREE, Ordering::Release);
            Ok(message)
        }
        Kept::Chunk(offset) => {
            let chunk = getter.held_chunk(offset, len)?;
            getter.claim(chunk, entry.state_offset(), state.load(Ordering::Acquire));
            state.store(FREE, Ordering::Release);
            getter.own(chunk);
            Ok(Message::view(fabric, offset, len, getter.me, tags))
        }
    }
}

/// The message is done with.
pub(crate) fn acknowledge(getter: &Getter<'_>, entry: Entry<'_>, keep: bool) -> Result<()> {
    if let (Kept::Chunk(offset), len, _) = entry.kept()? {
        let chunk = getter.held_chunk(offset, len)?;
        getter.claim(chunk, entry.state_offset(), LEASED);
        entry.state()?.store(FREE, Ordering::Release);
        if keep { getter.own(chunk) } else { getter.discard(chunk) }
    } else {
        entry.state()?.store(FREE, Ordering::Release);
    }
    Ok(())
}

/// The queue ended while `me` had a message on lease: its chunk (0: none) is `me`'s, or still the queue's where the ending was cut short before it came to this
/// entry; it goes either way, so that the ending when it is repeated does not give it to a holder who is done with it.
/// With `keep` it is `me`'s in either case.
pub(crate) fn let_go(w: Words<'_>, entry: u64, chunk: u64, me: Owner, keep: bool) -> Result<()> {
    let _guard = get::lock(w)?;
    let entry = Entry::at(w, entry)?;
    // With another birth the header is another queue's, and so is the entry.
    let cut_short = w.birth().load(Ordering::Acquire) == 0 && entry.is_leased_to(me)?;
    if chunk != 0 {
        let chunk = w.shm.chunk(chunk)?;
        if keep {
            if cut_short {
                chunk.change(Cell::held(w.id.offset), Cell::private(me));
            }
        } else if !w.shm.free(chunk, Cell::private(me)) && cut_short {
            w.shm.free(chunk, Cell::held(w.id.offset));
        }
    }
    if cut_short {
        entry.state()?.store(FREE, Ordering::Release);
    }
    Ok(())
}

/// The message goes back: to the front, or (with a time) later, or to the dead letters if it was handed out often enough. Under the consumer lock.
pub(crate) fn give_back(w: Words<'_>, entry: Entry<'_>, later: Option<Duration>, reason: DeadReason) -> Result<()> {
    let most = w.most_deliveries().load(Ordering::Relaxed);
    if most != 0 && u64::from(entry.deliveries()?) >= most {
        return dead::bury(w, entry, reason);
    }
    if let Some(time) = later.filter(|time| !time.is_zero()) {
        limit(w, entry, time)?;
        entry.state()?.store(DELAYED, Ordering::Release);
        return Ok(());
    }
    // Counted first: a count too high is put right by the next look, one too low would hide a message.
    w.set_returned(w.returned().saturating_add(1));
    entry.state()?.store(RETURNED, Ordering::Release);
    Ok(())
}

/// Every message that this process held by a lease.
pub(crate) fn held_by(w: Words<'_>, owner: Owner) -> Result<Vec<Entry<'_>>> {
    entry::all(w).filter_map(|entry| entry.and_then(|entry| Ok(entry.is_leased_to(owner)?.then_some(entry))).transpose()).collect()
}

/// Takes out what a dead process held: message, progress, deliveries.
pub(crate) fn reclaim(getter: &Getter<'_>, owner: Owner, fabric: &Fabric) -> Result<Vec<(Message, u64, u32)>> {
    let mut all = Vec::new();
    for entry in held_by(getter.w, owner)? {
        let (progress, deliveries) = (entry.progress()?.load(Ordering::Acquire), entry.deliveries()?);
        all.push((getter.take_entry(entry, fabric)?, progress, deliveries));
    }
    Ok(all)
}

/// The queue is ending: what is still leased by the living becomes theirs, the rest is given back.
pub(crate) fn end(w: Words<'_>) -> Result<()> {
    for entry in entry::all(w) {
        let entry = entry?;
        let phase = entry.phase()?;
        if phase == FREE {
            continue;
        }
        // No chunk begins there: an ending cut short gave it to its holder, who is done with it.
        if phase != TALLY
            && let (Kept::Chunk(offset), ..) = entry.kept()?
            && let Ok(chunk) = w.shm.chunk(offset)
        {
            let holder = entry.holder()?;
            // Who has a limited lease has a copy.
            if phase == LEASED && entry.due()?.load(Ordering::Relaxed) == 0 && w.shm.alive(holder) {
                chunk.change(Cell::held(w.id.offset), Cell::private(holder));
            } else {
                w.shm.free(chunk, Cell::held(w.id.offset));
            }
        }
        entry.state()?.store(FREE, Ordering::Release);
    }
    w.set_returned(0);
    w.buried().store(0, Ordering::Release);
    timed::repair(w)
}

/// The ledger's part of the consumer side's repair. May be repeated.
pub(crate) fn repair(w: Words<'_>, me: Owner) -> Result<()> {
    entry::repair(w, me)?;
    let leasing = w.leasing().load(Ordering::Acquire);
    if leasing != 0 {
        let head = w.shm.segment.span(w.leasing_word().load(Ordering::Relaxed), 8)?;
        if head.u64(0)?.load(Ordering::Acquire) == w.leasing_before().load(Ordering::Relaxed) {
            Entry::at(w, leasing)?.state()?.store(FREE, Ordering::Release);
        }
        w.leasing().store(0, Ordering::Release);
    }
    dead::repair(w)?;
    // Counts may be off by what the dead was doing.
    w.set_returned(entry::count(w, RETURNED)?);
    w.buried().store(u64::from(entry::count(w, entry::BURIED)?), Ordering::Release);
    timed::repair(w)
}
