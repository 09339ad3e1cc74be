//! Leases: messages taken but not yet acknowledged. Kept in the queue, so that a holder's death loses nothing.
//!
//! Entry (one chunk HELD by the queue, never given back while the queue's header chunk exists, so that a late holder may touch its own):
//!
//! | offset | word | |
//! | --- | --- | --- |
//! | 0 | next entry | set when linked |
//! | 8 | state | 0 FREE, 1 LEASED, 2 RETURNED |
//! | 16 | holder | owner bits; set before LEASED |
//! | 24 | `number << 32 \| deliveries` | the message's number in the queue (modulo 2^32), how often it was handed out |
//! | 32 | progress | the holder's own word; any thread of it, without a lock |
//! | 40 | message | `kind << 32 \| codec << 40`: 1 inline, 2 chunk |
//! | 48 | length | |
//! | 56 | chunk | offset, for kind 2 |
//! | 64 | bytes | for kind 1 |
//!
//! All transitions happen under the consumer lock. **Leasing** a record: entry filled; leasing := {entry, head}; state := LEASED; `head := next`, the commit; leasing := none. Killed before the
//! commit: the repair makes the entry FREE. **Acknowledging**: state := FREE is the commit (a chunk is claimed before and freed after, as in `get.rs`). **Return**
//! (dropped, or its holder died): state := RETURNED, at the front for the next getter. **Linking** a new entry: linking := entry; cell PRIVATE -> HELD; next := first; first := entry, the commit; linking := none.

use std::sync::atomic::{AtomicU64, Ordering};

use super::get::{self, Front, Getter};
use super::layout::Words;
use super::message::Message;
use super::ring::{INLINE, Record, Ring};
use crate::error::{Error, Result};
use crate::fabric::Fabric;
use crate::heap::cell::Cell;
use crate::shm::layout::UNIT;
use crate::shm::{Owner, Span};

const BYTES: usize = 64;
const SIZE: usize = BYTES + INLINE;

const FREE: u64 = 0;
const LEASED: u64 = 1;
const RETURNED: u64 = 2;

/// One entry, checked to lie in the segment.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) offset: u64,
    span: Span<'a>,
}

/// What an entry holds.
enum Kept {
    Inline,
    Chunk(u64),
}

impl<'a> Entry<'a> {
    pub(crate) fn at(w: Words<'a>, offset: u64) -> Result<Entry<'a>> {
        let chunk = w.shm.chunk(offset)?;
        if chunk.cell.load(Ordering::Acquire) != Cell::held(w.id.offset).0 || chunk.capacity < SIZE as u64 {
            return Err(Error::corrupt(format_args!("a queue's lease entry at {offset:#x} is not the queue's ({:?})", chunk.holder())));
        }
        Ok(Entry { offset, span: w.shm.segment.span(offset, SIZE as u64)? })
    }
    fn word(self, at: usize) -> Result<&'a AtomicU64> {
        self.span.u64(at)
    }
    fn state(self) -> Result<&'a AtomicU64> {
        self.word(8)
    }
    fn holder(self) -> Result<Owner> {
        Ok(Owner::from_bits(self.word(16)?.load(Ordering::Acquire)))
    }
    pub(crate) fn deliveries(self) -> Result<u32> {
        Ok(self.word(24)?.load(Ordering::Relaxed) as u32)
    }
    pub(crate) fn progress(self) -> Result<&'a AtomicU64> {
        self.word(32)
    }
    /// What it holds, its length and codec.
    fn kept(self) -> Result<(Kept, u64, u8)> {
        let (message, len) = (self.word(40)?.load(Ordering::Acquire), self.word(48)?.load(Ordering::Relaxed));
        let codec = (message >> 40) as u8;
        match message >> 32 & 0xFF {
            1 if len <= INLINE as u64 => Ok((Kept::Inline, len, codec)),
            2 => Ok((Kept::Chunk(self.word(56)?.load(Ordering::Relaxed)), len, codec)),
            kind => Err(Error::corrupt(format_args!("a lease entry of kind {kind} and {len} bytes"))),
        }
    }
    /// Whether `me` holds a message by it.
    pub(crate) fn is_leased_to(self, me: Owner) -> Result<bool> {
        Ok(self.state()?.load(Ordering::Acquire) == LEASED && self.holder()? == me)
    }
}

/// All entries of a queue.
pub(crate) fn entries(w: Words<'_>) -> impl Iterator<Item = Result<Entry<'_>>> {
    let mut next = w.leases().load(Ordering::Acquire);
    let mut left = w.shm.segment.units_in_file().saturating_mul(UNIT / SIZE as u64) + 1;
    std::iter::from_fn(move || {
        if next == 0 {
            return None;
        }
        let entry = if left == 0 { Err(Error::corrupt("a queue's lease entries run in a circle")) } else { Entry::at(w, next) };
        left = left.saturating_sub(1);
        next = entry.as_ref().ok().and_then(|entry| Some(entry.word(0).ok()?.load(Ordering::Acquire))).unwrap_or(0);
        Some(entry)
    })
}

fn first_in(w: Words<'_>, state: u64) -> Result<Option<Entry<'_>>> {
    for entry in entries(w) {
        let entry = entry?;
        if entry.state()?.load(Ordering::Acquire) == state {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// Of the messages that came back, the one that was put first; `head` numbers the next one in the ring.
pub(crate) fn first_returned(w: Words<'_>, head: u32) -> Result<Option<Entry<'_>>> {
    let mut found: Option<(u32, Entry<'_>)> = None;
    for entry in entries(w) {
        let entry = entry?;
        if entry.state()?.load(Ordering::Acquire) == RETURNED {
            let age = head.wrapping_sub((entry.word(24)?.load(Ordering::Relaxed) >> 32) as u32);
            if found.is_none_or(|(oldest, _)| age > oldest) {
                found = Some((age, entry));
            }
        }
    }
    let found = found.map(|(_, entry)| entry);
    if found.is_none() {
        w.returned().store(0, Ordering::Release); // a death between a taking's commit and the count
    }
    Ok(found)
}

/// A message handed out on a lease.
pub(crate) struct Leased {
    pub(crate) entry: u64,
    pub(crate) deliveries: u32,
    pub(crate) what: LeasedBytes,
}

/// Its bytes: a copy, or where the chunk stands that the queue goes on holding.
pub(crate) enum LeasedBytes {
    Copy(Message),
    Chunk { offset: u64, len: u64 },
}

/// Takes the front message on a lease.
pub(crate) fn lease(getter: &mut Getter<'_>) -> Result<Option<Leased>> {
    let w = getter.w;
    match getter.front()? {
        None => Ok(None),
        Some(Front::Returned(entry)) => {
            if let (Kept::Chunk(offset), len, _) = entry.kept()? {
                getter.held_chunk(offset, len)?;
            }
            entry.word(16)?.store(getter.me.to_bits(), Ordering::Relaxed);
            let delivered = entry.word(24)?.load(Ordering::Relaxed);
            entry.word(24)?.store(delivered.wrapping_add(1), Ordering::Relaxed);
            entry.progress()?.store(0, Ordering::Relaxed);
            entry.state()?.store(LEASED, Ordering::Release);
            w.returned().fetch_sub(1, Ordering::AcqRel);
            hand_out(entry).map(Some)
        }
        Some(Front::Record(ring, record, next)) => {
            let entry = match first_in(w, FREE)? {
                Some(entry) => entry,
                None => link(getter)?,
            };
            entry.word(16)?.store(getter.me.to_bits(), Ordering::Relaxed);
            entry.word(24)?.store((getter.head().count() as u64) << 32 | 1, Ordering::Relaxed);
            entry.progress()?.store(0, Ordering::Relaxed);
            let (kind, codec, len) = match record {
                Record::Inline { at, len, codec } => {
                    entry.span.copy_from(BYTES, ring.bytes(), at, len)?;
                    (1, codec, len as u64)
                }
                Record::Chunk { offset, len, codec } => {
                    getter.held_chunk(offset, len)?;
                    entry.word(56)?.store(offset, Ordering::Relaxed);
                    (2, codec, len)
                }
            };
            entry.word(48)?.store(len, Ordering::Relaxed);
            entry.word(40)?.store(kind << 32 | (codec as u64) << 40, Ordering::Release);
            w.leasing_before().store(getter.head().0, Ordering::Relaxed);
            w.leasing().store(entry.offset, Ordering::Release);
            entry.state()?.store(LEASED, Ordering::Release);
            getter.advance(ring, next)?;
            w.leasing().store(0, Ordering::Release);
            hand_out(entry).map(Some)
        }
    }
}

fn hand_out(entry: Entry<'_>) -> Result<Leased> {
    let (kept, len, codec) = entry.kept()?;
    let what = match kept {
        Kept::Inline => LeasedBytes::Copy(Message::copy(entry.span, BYTES, len as usize, codec)?),
        Kept::Chunk(offset) => LeasedBytes::Chunk { offset, len },
    };
    Ok(Leased { entry: entry.offset, deliveries: entry.deliveries()?, what })
}

/// Takes a message out of its entry, for good: it is the caller's.
fn take_out(getter: &Getter<'_>, entry: Entry<'_>, fabric: &Fabric) -> Result<Message> {
    let (kept, len, codec) = entry.kept()?;
    let state = entry.state()?;
    match kept {
        Kept::Inline => {
            let message = Message::copy(entry.span, BYTES, len as usize, codec)?;
            state.store(FREE, Ordering::Release);
            Ok(message)
        }
        Kept::Chunk(offset) => {
            let chunk = getter.held_chunk(offset, len)?;
            getter.claim(chunk, entry.offset + 8, state.load(Ordering::Acquire));
            state.store(FREE, Ordering::Release);
            getter.own(chunk);
            Ok(Message::view(fabric, offset, len, getter.me, codec))
        }
    }
}

/// A plain get of a message that came back.
pub(crate) fn take_returned(getter: &Getter<'_>, entry: Entry<'_>, fabric: &Fabric) -> Result<Message> {
    let message = take_out(getter, entry, fabric)?;
    getter.w.returned().fetch_sub(1, Ordering::AcqRel);
    Ok(message)
}

/// The message is done with.
pub(crate) fn acknowledge(getter: &Getter<'_>, entry: Entry<'_>) -> Result<()> {
    if let (Kept::Chunk(offset), len, _) = entry.kept()? {
        let chunk = getter.held_chunk(offset, len)?;
        getter.claim(chunk, entry.offset + 8, LEASED);
        entry.state()?.store(FREE, Ordering::Release);
        getter.discard(chunk);
    } else {
        entry.state()?.store(FREE, Ordering::Release);
    }
    Ok(())
}

/// The queue ended while `me` had a message on lease: its chunk (0: none) is `me`'s, or still the queue's where the ending was cut short before it came to this
/// entry; it goes either way, so that the ending when it is repeated does not give it to a holder who is done with it.
pub(crate) fn let_go(w: Words<'_>, entry: u64, chunk: u64, me: Owner) -> Result<()> {
    let _guard = get::lock(w)?;
    let entry = Entry::at(w, entry)?;
    // With another birth the header is another queue's, and so is the entry.
    let cut_short = w.birth().load(Ordering::Acquire) == 0 && entry.is_leased_to(me)?;
    if chunk != 0 {
        let chunk = w.shm.chunk(chunk)?;
        if !w.shm.free(chunk, Cell::private(me)) && cut_short {
            w.shm.free(chunk, Cell::held(w.id.offset));
        }
    }
    if cut_short {
        entry.state()?.store(FREE, Ordering::Release);
    }
    Ok(())
}

/// The message goes back to the front.
pub(crate) fn give_back(w: Words<'_>, entry: Entry<'_>) -> Result<()> {
    // Counted first: a count too high is put right by the next look, one too low would hide a message.
    w.returned().fetch_add(1, Ordering::AcqRel);
    entry.state()?.store(RETURNED, Ordering::Release);
    Ok(())
}

/// Every message that this process held by a lease.
pub(crate) fn held_by(w: Words<'_>, owner: Owner) -> Result<Vec<Entry<'_>>> {
    entries(w).filter_map(|entry| entry.and_then(|entry| Ok(entry.is_leased_to(owner)?.then_some(entry))).transpose()).collect()
}

/// Takes out what a dead process held: message, progress, deliveries.
pub(crate) fn reclaim(getter: &Getter<'_>, owner: Owner, fabric: &Fabric) -> Result<Vec<(Message, u64, u32)>> {
    let mut all = Vec::new();
    for entry in held_by(getter.w, owner)? {
        let (progress, deliveries) = (entry.progress()?.load(Ordering::Acquire), entry.deliveries()?);
        all.push((take_out(getter, entry, fabric)?, progress, deliveries));
    }
    Ok(all)
}

/// The queue is ending: what is still leased by the living becomes theirs, the rest is given back.
pub(crate) fn end(w: Words<'_>) -> Result<()> {
    for entry in entries(w) {
        let entry = entry?;
        let state = entry.state()?.load(Ordering::Acquire);
        if state == FREE {
            continue;
        }
        // No chunk begins there: an ending cut short gave it to its holder, who is done with it.
        if let (Kept::Chunk(offset), ..) = entry.kept()?
            && let Ok(chunk) = w.shm.chunk(offset)
        {
            let holder = entry.holder()?;
            if state == LEASED && w.shm.alive(holder) {
                chunk.change(Cell::held(w.id.offset), Cell::private(holder));
            } else {
                w.shm.free(chunk, Cell::held(w.id.offset));
            }
        }
        entry.state()?.store(FREE, Ordering::Release);
    }
    w.returned().store(0, Ordering::Release);
    Ok(())
}

/// Chunks that the leases of this queue hold: entries and messages. For the checker.
pub(crate) fn chunks(w: Words<'_>) -> Result<Vec<u64>> {
    let mut all = Vec::new();
    for entry in entries(w) {
        let entry = entry?;
        all.push(entry.offset);
        if entry.state()?.load(Ordering::Acquire) != FREE
            && let (Kept::Chunk(offset), ..) = entry.kept()?
        {
            all.push(offset);
        }
    }
    Ok(all)
}

fn link<'a>(getter: &Getter<'a>) -> Result<Entry<'a>> {
    let w = getter.w;
    let chunk = w.shm.alloc(SIZE as u64)?;
    let entry = Entry { offset: chunk.offset, span: chunk.bytes(w.shm)? };
    for at in (0..BYTES).step_by(8) {
        entry.word(at)?.store(0, Ordering::Relaxed);
    }
    w.linking().store(chunk.offset, Ordering::Release);
    chunk.change(Cell::private(getter.me), Cell::held(w.id.offset));
    entry.word(0)?.store(w.leases().load(Ordering::Relaxed), Ordering::Relaxed);
    w.leases().store(chunk.offset, Ordering::Release);
    w.linking().store(0, Ordering::Release);
    Ok(entry)
}

/// The leases' part of the consumer side's repair. May be repeated.
pub(crate) fn repair(w: Words<'_>, ring: Option<Ring<'_>>, me: Owner) -> Result<()> {
    let linking = w.linking().load(Ordering::Acquire);
    if linking != 0 {
        if w.leases().load(Ordering::Acquire) == linking {
            w.linking().store(0, Ordering::Release);
        } else {
            w.shm.give_back(w.linking(), Cell::held(w.id.offset), me)?;
        }
    }
    let leasing = w.leasing().load(Ordering::Acquire);
    if leasing != 0 {
        let head = ring.map(Ring::head).transpose()?.map(|head| head.load(Ordering::Acquire));
        if head == Some(w.leasing_before().load(Ordering::Relaxed)) {
            Entry::at(w, leasing)?.state()?.store(FREE, Ordering::Release);
        }
        w.leasing().store(0, Ordering::Release);
    }
    // Counts may be off by what the dead was doing.
    let mut returned = 0;
    for entry in entries(w) {
        returned += u64::from(entry?.state()?.load(Ordering::Acquire) == RETURNED);
    }
    w.returned().store(returned, Ordering::Release);
    Ok(())
}
