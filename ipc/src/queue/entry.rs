//! The ledger of a queue: entries that say what was taken and is not yet done with. Knows where an entry's words stand and how the list is walked; what happens to them is said elsewhere.
//!
//! Entry (one chunk HELD by the queue, never given back while the queue's header chunk exists, so that a late holder may touch its own):
//!
//! | offset | word | |
//! | --- | --- | --- |
//! | 0 | next entry | set when linked |
//! | 8 | state | low 8 bits: 0 FREE, 1 LEASED, 2 RETURNED, 3 DELAYED, 4 BURIED, 5 TALLY; of a tally, above them: how many |
//! | 16 | holder | owner bits; set before LEASED or TALLY |
//! | 24 | `number << 32 \| deliveries` | the message's number in its lane (modulo 2^32), how often it was handed out |
//! | 32 | progress | the holder's own word; any thread of it, without a lock |
//! | 40 | message | `lane \| kind << 32 \| tags << 40`: kind 1 inline, 2 chunk; tags as in `ring.rs` |
//! | 48 | length | |
//! | 56 | chunk | offset, for kind 2 |
//! | 64 | due | LEASED: when the lease runs out, 0: never; DELAYED: when the message comes back |
//! | 72 | serial | raised before each handing out: tells a lease from all others by this entry |
//! | 80 | bytes | for kind 1 |
//!
//! All transitions happen under the consumer lock (one exception: `dead.rs`):
//!
//! | from, to | | file |
//! | --- | --- | --- |
//! | FREE -> LEASED | taken from a ring; committed by the ring's head | `lease.rs` |
//! | RETURNED -> LEASED | handed out again | `lease.rs` |
//! | LEASED -> RETURNED, DELAYED -> RETURNED | given back; its time has come | `lease.rs`, `timed.rs` |
//! | LEASED -> DELAYED | given back for later | `lease.rs` |
//! | LEASED -> BURIED -> FREE | a dead letter; moved or taken | `dead.rs` |
//! | LEASED, RETURNED -> FREE | acknowledged; taken by a plain get | `lease.rs` |
//! | FREE -> TALLY(1) -> TALLY(n) -> FREE | items that a member got from a joinable queue by plain gets | `joined.rs` |
//!
//! **Linking** a new entry: linking := entry; cell PRIVATE -> HELD; next := first; first := entry, the commit; linking := none.

use super::layout::{Mark, Words};
use super::ring::{INLINE, Ring};
use crate::error::{Error, Result};
use crate::heap::cell::Cell;
use crate::shm::layout::UNIT;
use crate::shm::{Owner, Span};
use crate::sync::atomic::{AtomicU64, Ordering};

pub(crate) const BYTES: usize = 80;
const SIZE: usize = BYTES + INLINE;

pub(crate) const FREE: u64 = 0;
pub(crate) const LEASED: u64 = 1;
pub(crate) const RETURNED: u64 = 2;
pub(crate) const DELAYED: u64 = 3;
pub(crate) const BURIED: u64 = 4;
pub(crate) const TALLY: u64 = 5;

/// One entry, checked to lie in the segment.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) offset: u64,
    pub(crate) span: Span<'a>,
}

/// What an entry holds.
#[derive(Clone, Copy)]
pub(crate) enum Kept {
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
    /// The whole state word.
    pub(crate) fn state(self) -> Result<&'a AtomicU64> {
        self.word(8)
    }
    /// Where it stands in the segment: what a commit is told by.
    pub(crate) fn state_offset(self) -> u64 {
        self.offset + 8
    }
    /// The state without the tally's count.
    pub(crate) fn phase(self) -> Result<u64> {
        Ok(self.state()?.load(Ordering::Acquire) & 0xFF)
    }
    /// Of a tally: how many.
    pub(crate) fn tally(self) -> Result<u64> {
        Ok(self.state()?.load(Ordering::Acquire) >> 8)
    }
    pub(crate) fn holder(self) -> Result<Owner> {
        Ok(Owner::from_bits(self.word(16)?.load(Ordering::Acquire)))
    }
    pub(crate) fn set_holder(self, holder: Owner) -> Result<()> {
        self.word(16)?.store(holder.to_bits(), Ordering::Relaxed);
        Ok(())
    }
    /// `number << 32 | deliveries`.
    pub(crate) fn delivered(self) -> Result<&'a AtomicU64> {
        self.word(24)
    }
    pub(crate) fn deliveries(self) -> Result<u32> {
        Ok(self.delivered()?.load(Ordering::Relaxed) as u32)
    }
    pub(crate) fn progress(self) -> Result<&'a AtomicU64> {
        self.word(32)
    }
    pub(crate) fn lane(self) -> Result<usize> {
        Ok(self.word(40)?.load(Ordering::Acquire) as u32 as usize)
    }
    pub(crate) fn due(self) -> Result<&'a AtomicU64> {
        self.word(64)
    }
    pub(crate) fn serial(self) -> Result<&'a AtomicU64> {
        self.word(72)
    }
    /// What it holds, its length and tags.
    pub(crate) fn kept(self) -> Result<(Kept, u64, u32)> {
        let (message, len) = (self.word(40)?.load(Ordering::Acquire), self.word(48)?.load(Ordering::Relaxed));
        let tags = (message >> 40) as u32;
        match message >> 32 & 0xFF {
            1 if len <= INLINE as u64 => Ok((Kept::Inline, len, tags)),
            2 => Ok((Kept::Chunk(self.word(56)?.load(Ordering::Relaxed)), len, tags)),
            kind => Err(Error::corrupt(format_args!("a lease entry of kind {kind} and {len} bytes"))),
        }
    }
    /// Says what it holds; inline bytes are copied by the caller.
    pub(crate) fn keep(self, lane: usize, kept: Kept, len: u64, tags: u32) -> Result<()> {
        let kind = match kept {
            Kept::Inline => 1,
            Kept::Chunk(offset) => {
                self.word(56)?.store(offset, Ordering::Relaxed);
                2
            }
        };
        self.word(48)?.store(len, Ordering::Relaxed);
        self.word(40)?.store(lane as u64 | kind << 32 | u64::from(tags) << 40, Ordering::Release);
        Ok(())
    }
    /// Replaces the note of a dead letter.
    pub(crate) fn note(self, note: u16) -> Result<()> {
        let message = self.word(40)?;
        message.store(message.load(Ordering::Relaxed) & ((1 << 48) - 1) | u64::from(note) << 48, Ordering::Release);
        Ok(())
    }
    /// The chunk of the message that it holds, if it holds one.
    pub(crate) fn chunk(self) -> Result<Option<u64>> {
        if matches!(self.phase()?, FREE | TALLY) {
            return Ok(None);
        }
        Ok(if let (Kept::Chunk(offset), ..) = self.kept()? { Some(offset) } else { None })
    }
    /// Whether `me` holds a message by it.
    pub(crate) fn is_leased_to(self, me: Owner) -> Result<bool> {
        Ok(self.phase()? == LEASED && self.holder()? == me)
    }
}

/// All entries of a queue.
pub(crate) fn all(w: Words<'_>) -> impl Iterator<Item = Result<Entry<'_>>> {
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

/// How many entries are in this state.
pub(crate) fn count(w: Words<'_>, state: u64) -> Result<u32> {
    all(w).try_fold(0, |count, entry| Ok(count + u32::from(entry?.phase()? == state)))
}

/// The first entry for which `is` says so.
pub(crate) fn find<'a>(w: Words<'a>, is: impl Fn(Entry<'a>) -> Result<bool>) -> Result<Option<Entry<'a>>> {
    for entry in all(w) {
        let entry = entry?;
        if is(entry)? {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// A free entry; a new one if there is none. Under the consumer lock.
pub(crate) fn free(w: Words<'_>, me: Owner) -> Result<Entry<'_>> {
    match find(w, |entry| Ok(entry.phase()? == FREE))? {
        Some(entry) => Ok(entry),
        None => link(w, me),
    }
}

/// Of the messages that came back, the one that goes first: of the first lane, the one that was put first.
pub(crate) fn first_returned(w: Words<'_>) -> Result<Option<(usize, Entry<'_>)>> {
    let found = first(w, RETURNED)?;
    if found.is_none() {
        w.set_returned(0); // a death between a taking's commit and the count
    }
    Ok(found)
}

/// Of the buried messages, the one that was put first.
pub(crate) fn first_buried(w: Words<'_>) -> Result<Option<Entry<'_>>> {
    let found = first(w, BURIED)?;
    if found.is_none() {
        w.buried().store(0, Ordering::Release); // as above
    }
    Ok(found.map(|(_, entry)| entry))
}

fn first(w: Words<'_>, state: u64) -> Result<Option<(usize, Entry<'_>)>> {
    let mut found: Option<(usize, u32, Entry<'_>)> = None;
    for entry in all(w) {
        let entry = entry?;
        if entry.phase()? == state {
            let lane = entry.lane()?;
            let age = got(w, lane)?.wrapping_sub((entry.delivered()?.load(Ordering::Relaxed) >> 32) as u32);
            if found.is_none_or(|(first, oldest, _)| lane < first || lane == first && age > oldest) {
                found = Some((lane, age, entry));
            }
        }
    }
    Ok(found.map(|(lane, _, entry)| (lane, entry)))
}

/// How many messages of a lane were taken from its rings. Under the consumer lock.
fn got(w: Words<'_>, lane: usize) -> Result<u32> {
    match w.lane(lane)?.head_ring().load(Ordering::Acquire) {
        0 => Ok(0),
        ring => Ok(Mark(Ring::at(w.shm, ring)?.head()?.load(Ordering::Relaxed)).count()),
    }
}

fn link(w: Words<'_>, me: Owner) -> Result<Entry<'_>> {
    let chunk = w.shm.alloc(SIZE as u64)?;
    let entry = Entry { offset: chunk.offset, span: chunk.bytes(w.shm)? };
    for at in (0..BYTES).step_by(8) {
        entry.word(at)?.store(0, Ordering::Relaxed);
    }
    w.linking().store(chunk.offset, Ordering::Release);
    chunk.change(Cell::private(me), Cell::held(w.id.offset));
    entry.word(0)?.store(w.leases().load(Ordering::Relaxed), Ordering::Relaxed);
    w.leases().store(chunk.offset, Ordering::Release);
    w.linking().store(0, Ordering::Release);
    Ok(entry)
}

/// Undoes or finishes a linking that was cut short. May be repeated.
pub(crate) fn repair(w: Words<'_>, me: Owner) -> Result<()> {
    let linking = w.linking().load(Ordering::Acquire);
    if linking != 0 {
        if w.leases().load(Ordering::Acquire) == linking {
            w.linking().store(0, Ordering::Release);
        } else {
            w.shm.give_back(w.linking(), Cell::held(w.id.offset), me)?;
        }
    }
    Ok(())
}

/// Chunks that the ledger holds: entries and messages. For the checker.
pub(crate) fn chunks(w: Words<'_>) -> Result<Vec<u64>> {
    let mut chunks = Vec::new();
    for entry in all(w) {
        let entry = entry?;
        chunks.push(entry.offset);
        chunks.extend(entry.chunk()?);
    }
    Ok(chunks)
}
