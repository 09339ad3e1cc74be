//! One ring of a queue's chain: a byte buffer that is single-producer single-consumer between the two sides.
//!
//! Chunk: `+0` bytes in the buffer, `+8` next ring (offset; 0: none), `+128` tail word, `+256` head word, `+384` buffer.
//! Record: one `u64` head `length | kind << 32 | tags << 40`, then the payload, padded to 8. Tags, 24 bits: the codec in the low 8, above it what `dead.rs` notes on a dead letter. A record never wraps: where it does not fit before the end, a WRAP head
//! marks the rest as skipped. Kinds: 1 INLINE (the payload follows), 2 CHUNK (offset and length of a chunk, 8 bytes each), 3 WRAP.
//!
//! The tail word is stored by the holder of the producer lock only, after the record (release); the head word by the holder of the consumer lock only, after
//! the record was used (release). Equal counts: empty. Equal offsets with other counts: full. Everything read here is checked against the buffer.

use super::layout::Mark;
use crate::error::{Error, Result};
use crate::shm::{Shm, Span};
use crate::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a ring chunk before its buffer.
pub(crate) const RING_HEADER: usize = 384;
/// Chunk sizes of the first and the largest ring.
pub(crate) const FIRST_RING: usize = 8 * 1024;
pub(crate) const LARGEST_RING: usize = 16 * 1024 * 1024;
/// Longest payload that stands in the ring itself.
pub(crate) const INLINE: usize = 2048;

const KIND_INLINE: u64 = 1;
const KIND_CHUNK: u64 = 2;
const KIND_WRAP: u64 = 3;

/// A ring, checked.
#[derive(Clone, Copy)]
pub(crate) struct Ring<'a> {
    pub(crate) offset: u64,
    head_part: Span<'a>,
    buffer: Span<'a>,
}

/// A message as it stands in a ring.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Record {
    Inline { at: usize, len: usize, tags: u32 },
    Chunk { offset: u64, len: u64, tags: u32 },
}

/// What is to be put.
#[derive(Clone, Copy)]
pub(crate) enum Payload<'a> {
    Inline(&'a [u8]),
    Chunk {
        offset: u64,
        len: u64,
    },
    /// Bytes that stand elsewhere in shared memory: where, and how many.
    Shared(Span<'a>, usize, usize),
}

impl Payload<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        match self {
            Payload::Inline(bytes) => bytes.len(),
            Payload::Shared(_, _, len) => *len,
            Payload::Chunk { .. } => 16,
        }
    }
}

#[cold]
fn damaged(what: impl std::fmt::Display) -> Error {
    Error::corrupt(format_args!("a queue's ring: {what}"))
}

impl<'a> Ring<'a> {
    #[inline(always)]
    pub(crate) fn at(shm: &'a Shm, offset: u64) -> Result<Ring<'a>> {
        let head_part = shm.segment.span(offset, RING_HEADER as u64)?;
        let size = head_part.u64(0)?.load(Ordering::Relaxed);
        if size == 0 || size > LARGEST_RING as u64 || !size.is_multiple_of(8) {
            return Err(damaged(format_args!("a buffer of {size} bytes")));
        }
        Ok(Ring { offset, head_part, buffer: shm.segment.span(offset + RING_HEADER as u64, size)? })
    }

    /// Writes the words of a new ring in a chunk of `capacity` bytes that this process holds.
    pub(crate) fn prepare(shm: &Shm, offset: u64, capacity: usize, count: u32) -> Result<()> {
        let chunk = shm.segment.span(offset, RING_HEADER as u64)?;
        chunk.u64(0)?.store((capacity - RING_HEADER) as u64, Ordering::Relaxed);
        chunk.u64(8)?.store(0, Ordering::Relaxed);
        chunk.u64(128)?.store(Mark::new(count, 0).0, Ordering::Relaxed);
        chunk.u64(256)?.store(Mark::new(count, 0).0, Ordering::Release);
        Ok(())
    }

    #[inline(always)]
    pub(crate) fn next(self) -> Result<&'a AtomicU64> {
        self.head_part.u64(8)
    }

    #[inline(always)]
    pub(crate) fn tail(self) -> Result<&'a AtomicU64> {
        self.head_part.u64(128)
    }

    #[inline(always)]
    pub(crate) fn head(self) -> Result<&'a AtomicU64> {
        self.head_part.u64(256)
    }

    /// Messages in this ring as the two words say; what they say is checked where it is used.
    pub(crate) fn waiting(self) -> Result<usize> {
        let head = Mark(self.head()?.load(Ordering::Acquire));
        Ok(Mark(self.tail()?.load(Ordering::Acquire)).count().wrapping_sub(head.count()) as usize)
    }

    /// Where the head word stands in the segment: what a taking's commit is told by.
    pub(crate) fn head_offset(self) -> u64 {
        self.offset + 256
    }

    pub(crate) fn size(self) -> usize {
        self.buffer.len()
    }

    /// Bytes that a message of this payload takes.
    #[inline(always)]
    pub(crate) fn need(len: usize) -> usize {
        8 + len.next_multiple_of(8)
    }

    /// Writes a record behind `tail`, with the getters at `head` or farther; the tail word that would commit it. None: no room.
    #[inline(always)]
    pub(crate) fn write(self, tail: Mark, head: Mark, payload: Payload<'_>, tags: u32) -> Result<Option<Mark>> {
        let size = self.buffer.len();
        let (at, used) = (tail.offset(), head.offset());
        let need = Ring::need(payload.len());
        let empty = tail.count() == head.count();
        if at >= size {
            return Err(damaged(format_args!("a tail of {at} in {size} bytes")));
        }
        let place = if at > used || empty {
            let behind = if empty { at } else { used };
            if size - at >= need {
                at
            } else if behind >= need {
                self.buffer.u64(at)?.store(KIND_WRAP << 32, Ordering::Relaxed);
                0
            } else {
                return Ok(None);
            }
        } else if used - at >= need {
            at
        } else {
            return Ok(None);
        };
        match payload {
            Payload::Inline(bytes) => {
                self.buffer.u64(place)?.store(bytes.len() as u64 | KIND_INLINE << 32 | (tags as u64) << 40, Ordering::Relaxed);
                self.buffer.write(place + 8, bytes)?;
            }
            Payload::Chunk { offset, len } => {
                self.buffer.u64(place)?.store(16 | KIND_CHUNK << 32 | (tags as u64) << 40, Ordering::Relaxed);
                self.buffer.u64(place + 8)?.store(offset, Ordering::Relaxed);
                self.buffer.u64(place + 16)?.store(len, Ordering::Relaxed);
            }
            Payload::Shared(from, at, len) => {
                self.buffer.u64(place)?.store(len as u64 | KIND_INLINE << 32 | (tags as u64) << 40, Ordering::Relaxed);
                self.buffer.part(place + 8, need - 8)?.copy_from(0, from, at, len)?;
            }
        }
        let end = place + need;
        Ok(Some(Mark::new(tail.count().wrapping_add(1), if end == size { 0 } else { end })))
    }

    /// The record at `head`, and the head word that would commit its taking. There is one: the counts differ.
    #[inline(always)]
    pub(crate) fn read(self, head: Mark) -> Result<(Record, Mark)> {
        let size = self.buffer.len();
        let mut at = head.offset();
        let mut word = self.buffer.u64(at)?.load(Ordering::Relaxed);
        if word >> 32 & 0xFF == KIND_WRAP {
            at = 0;
            word = self.buffer.u64(0)?.load(Ordering::Relaxed);
        }
        let (len, tags) = (word as u32 as usize, (word >> 40) as u32);
        let end = at + Ring::need(len);
        if end > size {
            return Err(damaged(format_args!("a record of {len} bytes at {at} in {size}")));
        }
        let record = match word >> 32 & 0xFF {
            KIND_INLINE if len <= INLINE => Record::Inline { at: at + 8, len, tags },
            KIND_CHUNK if len == 16 => {
                let word = |at| self.buffer.u64(at).map(|word| word.load(Ordering::Relaxed));
                Record::Chunk { offset: word(at + 8)?, len: word(at + 16)?, tags }
            }
            kind => return Err(damaged(format_args!("a record of kind {kind} and {len} bytes"))),
        };
        Ok((record, Mark::new(head.count().wrapping_add(1), if end == size { 0 } else { end })))
    }

    pub(crate) fn bytes(self) -> Span<'a> {
        self.buffer
    }
}
