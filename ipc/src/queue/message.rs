//! What a getter receives: bytes of its own, or a view of a chunk that this process alone holds; and a chunk to be filled in place.
#![allow(unsafe_code)]

use std::fmt;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::os::fd::BorrowedFd;

use super::dead::DeadLetter;
use crate::error::Result;
use crate::fabric::Fabric;
use crate::heap::cell::Cell;
use crate::shm::{Owner, Span};

/// Bytes that a message has room for in itself.
const SMALL: usize = 128;

/// A received message: its bytes, by [`Deref`].
///
/// Up to some two thousand bytes it is a copy. A larger one is a read-only view of the chunk that the sender filled (no copy was made); the
/// chunk is this process's until the message is dropped. **If this process dies**, the chunk is given back by the next sweep.
pub struct Message {
    bytes: Bytes,
    /// The codec, and what is noted on a dead letter.
    tags: u32,
}

enum Bytes {
    Small(Small),
    Large(Vec<u8>),
    Chunk(View),
}

/// Some bytes in place. They begin where the message begins, so that what was copied in by whole lines of a register is moved by the same.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Small {
    /// The first `len` are initialised.
    bytes: [MaybeUninit<u8>; SMALL],
    len: u8,
    /// Has one value only: the others tell the other kinds of [`Bytes`].
    _kind: OnlySmall,
}

#[derive(Clone, Copy)]
#[repr(u8)]
enum OnlySmall {
    It = 0,
}

impl Small {
    const EMPTY: Small = Small { bytes: [MaybeUninit::uninit(); SMALL], len: 0, _kind: OnlySmall::It };

    /// `fill` initialises exactly the bytes it is given, or fails; there are no more than [`SMALL`].
    #[inline(always)]
    fn fill(&mut self, len: usize, fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> Result<()>) -> Result<()> {
        self.len = 0;
        fill(&mut self.bytes[..len])?;
        self.len = len as u8;
        Ok(())
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        let bytes = &self.bytes[..self.len as usize];
        // SAFETY: `fill` initialised the first `len` bytes before it said so.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
    }
}

/// A chunk that this process holds, freed on drop. Of `NOBODY`: somebody else sees to it that the chunk stays.
pub(crate) struct View {
    fabric: Fabric,
    offset: u64,
    len: usize,
    me: Owner,
}

impl Message {
    /// No bytes: a place to [copy](Message::copy_from) to.
    #[inline(always)]
    pub(crate) fn empty() -> Message {
        Message { bytes: Bytes::Small(Small::EMPTY), tags: 0 }
    }

    /// A copy of `len` bytes at `at`.
    pub(crate) fn copy(span: Span<'_>, at: usize, len: usize, tags: u32) -> Result<Message> {
        let mut message = Message::empty();
        message.copy_from(span, at, len, tags)?;
        Ok(message)
    }

    /// Becomes a copy of `len` bytes at `at`. (In place, since a message that is answered is moved once per function on its way.)
    #[inline(always)]
    pub(crate) fn copy_from(&mut self, span: Span<'_>, at: usize, len: usize, tags: u32) -> Result<()> {
        self.tags = tags;
        if len <= SMALL
            && let Bytes::Small(small) = &mut self.bytes
        {
            return small.fill(len, |bytes| span.read_to(at, bytes));
        }
        let mut bytes = Vec::with_capacity(len);
        span.append_to(at, len, &mut bytes)?;
        self.bytes = Bytes::Large(bytes);
        Ok(())
    }

    /// A copy of bytes of this process, as if it had been received.
    #[inline(always)]
    pub fn of(from: &[u8], codec: u8) -> Message {
        if from.len() <= SMALL {
            let mut small = Small { len: from.len() as u8, ..Small::EMPTY };
            for (place, byte) in small.bytes.iter_mut().zip(from) {
                place.write(*byte);
            }
            return Message { bytes: Bytes::Small(small), tags: u32::from(codec) };
        }
        Message { bytes: Bytes::Large(from.to_vec()), tags: u32::from(codec) }
    }

    /// A view of a chunk that is PRIVATE to `me`; `len` is not more than its capacity.
    pub(crate) fn view(fabric: &Fabric, offset: u64, len: u64, me: Owner, tags: u32) -> Message {
        Message { bytes: Bytes::Chunk(View { fabric: fabric.clone(), offset, len: len as usize, me }), tags }
    }

    /// Bytes that are this process's own already.
    pub(crate) fn own(bytes: Vec<u8>, codec: u8) -> Message {
        Message { bytes: Bytes::Large(bytes), tags: u32::from(codec) }
    }

    /// Whether this is a view of shared memory and not a copy.
    pub fn is_shared(&self) -> bool {
        matches!(self.bytes, Bytes::Chunk(_))
    }

    /// The codec that the sender named: 0 raw bytes, 1 MessagePack.
    pub fn codec(&self) -> u8 {
        self.tags as u8
    }

    /// Why this message is a dead letter, if it is one: got from a [dead-letter queue](crate::QueueBuilder::dead_letters), or by [`get_buried`](crate::BytesQueue::get_buried).
    pub fn dead_letter(&self) -> Option<DeadLetter> {
        DeadLetter::from_note((self.tags >> 8) as u16)
    }

    /// The same bytes of a chunk in memory of our own.
    pub(crate) fn to_copy(&self) -> Message {
        Message { bytes: Bytes::Large(self.to_vec()), tags: self.tags }
    }

    /// The file that the bytes are in, and where, if this is a view of shared memory that is this process's.
    pub(super) fn place_in_file(&self) -> Option<(BorrowedFd<'_>, u64)> {
        let Bytes::Chunk(view) = &self.bytes else { return None };
        let shm = view.fabric.shm();
        (shm.me_if_joined() == Some(view.me)).then(|| (shm.segment.file(), view.offset))
    }

    /// The chunk, if this is one.
    pub(crate) fn into_view(self) -> Result<View, Box<Message>> {
        match self.bytes {
            Bytes::Chunk(view) => Ok(view),
            bytes => Err(Box::new(Message { bytes, tags: self.tags })),
        }
    }

    /// The same message: a copy, or another view of the chunk that frees nothing; the caller sees to it that the chunk stays.
    pub(crate) fn again(&self) -> Message {
        let bytes = match &self.bytes {
            Bytes::Small(small) => Bytes::Small(*small),
            Bytes::Large(bytes) => Bytes::Large(bytes.clone()),
            Bytes::Chunk(View { fabric, offset, len, .. }) => Bytes::Chunk(View { fabric: fabric.clone(), offset: *offset, len: *len, me: Owner::NOBODY }),
        };
        Message { bytes, tags: self.tags }
    }

    /// The chunk is `me`'s from now on.
    pub(crate) fn owned_by(mut self, me: Owner) -> Message {
        if let Bytes::Chunk(view) = &mut self.bytes {
            view.me = me;
        }
        self
    }

    /// The bytes as a vector of this process's own; a copy only where there is none yet.
    pub fn into_vec(self) -> Vec<u8> {
        match self.bytes {
            Bytes::Large(bytes) => bytes,
            _ => self.to_vec(),
        }
    }
}

impl Deref for Message {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Small(small) => small.bytes(),
            Bytes::Large(bytes) => bytes,
            Bytes::Chunk(view) => view.bytes(),
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message of {} bytes, codec {}", self.len(), self.codec())
    }
}

impl View {
    pub(crate) fn fabric(&self) -> &Fabric {
        &self.fabric
    }

    /// How many bytes the whole chunk has.
    pub(crate) fn room(&self) -> usize {
        self.fabric.shm().chunk(self.offset).map_or(self.len, |chunk| chunk.capacity as usize)
    }

    pub(crate) fn into_loan(self) -> Loan {
        Loan(self)
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match self.fabric.shm().segment.span(self.offset, self.len as u64) {
            // SAFETY: the chunk's cell says PRIVATE(me) until this is put or dropped, and `&mut self` excludes any other reference here.
            Ok(span) => unsafe { span.as_mut_slice() },
            Err(_) => &mut [],
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self.fabric.shm().segment.span(self.offset, self.len as u64) {
            // SAFETY: the chunk's cell says PRIVATE(me) from the taking until our drop, so no other process touches it, and this process only reads it.
            Ok(span) => unsafe { span.as_slice() },
            Err(_) => &[], // cannot be: the span was checked when the chunk was taken, and the file never shrinks
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let shm = self.fabric.shm();
        // In a forked child the chunk is still the parent's.
        if shm.me_if_joined() == Some(self.me)
            && let Ok(chunk) = shm.chunk(self.offset)
        {
            shm.free(chunk, Cell::private(self.me));
        }
    }
}

/// A chunk to be filled in place and then put, without a copy: [`BytesQueue::loan`](crate::BytesQueue::loan). Dropped without being put, it is given back.
///
/// Its bytes are whatever stood there before.
pub struct Loan(View);

impl Loan {
    pub(crate) fn new(fabric: &Fabric, offset: u64, len: usize, me: Owner) -> Loan {
        Loan(View { fabric: fabric.clone(), offset, len, me })
    }

    /// A chunk of at least `len` bytes, all of which are the loan's.
    pub(crate) fn take(fabric: &Fabric, len: u64) -> Result<Loan> {
        let shm = fabric.shm();
        let me = shm.me()?;
        let chunk = shm.alloc(len.max(1))?;
        Ok(Loan::new(fabric, chunk.offset, chunk.capacity as usize, me))
    }

    pub(crate) fn into_view(self) -> View {
        self.0
    }

    /// How many bytes the whole chunk has.
    pub(crate) fn room(&self) -> usize {
        self.0.room()
    }

    /// The message is the first `len` bytes of the chunk, which has as many.
    pub(crate) fn set_len(&mut self, len: usize) {
        self.0.len = len;
    }

    /// What was not sent, as if it had been received.
    pub(crate) fn into_message(self, codec: u8) -> Message {
        Message { bytes: Bytes::Chunk(self.0), tags: u32::from(codec) }
    }

    pub(crate) fn offset(&self) -> u64 {
        self.0.offset
    }

    pub(crate) fn fabric(&self) -> &Fabric {
        &self.0.fabric
    }

    /// The chunk is the queue's now: nothing is to be given back.
    pub(crate) fn forget(mut self) {
        self.0.me = Owner::NOBODY;
    }
}

impl Deref for Loan {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl DerefMut for Loan {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }
}

impl fmt::Debug for Loan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loan of {} bytes", self.0.len)
    }
}
