//! One entry: an immutable chunk with a key and a value. Built while PRIVATE to a process, then HELD by the dict for as long as a slot leads to it.
//!
//! | offset | what |
//! | --- | --- |
//! | 0 | hash of the key |
//! | 8 | version: number of the change that put it here; written before the chunk is HELD |
//! | 16 | length of the key's canonical bytes; `<< 32` the length of the key as it was first given, where that is something else, else 0 |
//! | 24 | length of the value (48 bits); `<< 48` the key's codec; `<< 56` the value's codec |
//! | 32 | canonical bytes of the key, then the key as given, then the value |

use std::sync::atomic::{AtomicU64, Ordering};

use super::keys::Key;
use super::layout::Words;
use crate::error::{Error, ErrorKind, Result};
use crate::heap::Chunk;
use crate::heap::cell::Cell;
use crate::packed::Packed;
use crate::queue::Message;
use crate::shm::{Owner, Shm, Span};

const HEADER: usize = 32;
const MOST: u64 = 1 << 48;

/// An entry that was found, checked.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) offset: u64,
    bytes: Span<'a>,
    key_len: usize,
    given_len: usize,
    value_len: usize,
    codecs: (u8, u8),
}

impl<'a> Entry<'a> {
    /// The entry that a slot leads to.
    #[inline(always)]
    pub(crate) fn at(w: Words<'a>, offset: u64) -> Result<Entry<'a>> {
        let chunk = w.shm.chunk(offset)?;
        if chunk.cell.load(Ordering::Acquire) != Cell::held(w.id.offset).0 {
            return Err(Error::corrupt(format_args!("a {} leads to a chunk that it does not hold ({:?})", w.kind.word(), chunk.holder())));
        }
        Entry::of_chunk(w, &chunk)
    }

    #[inline(always)]
    fn of_chunk(w: Words<'a>, chunk: &Chunk<'a>) -> Result<Entry<'a>> {
        let bytes = chunk.bytes(w.shm)?;
        let lens = bytes.u64(16)?.load(Ordering::Relaxed);
        let value = bytes.u64(24)?.load(Ordering::Relaxed);
        let (key_len, given_len, value_len) = (lens & 0xFFFF_FFFF, lens >> 32, value & (MOST - 1));
        if HEADER as u64 + key_len + given_len + value_len > chunk.capacity {
            return Err(Error::corrupt(format_args!(
                "an entry of a {} says it has {key_len}, {given_len} and {value_len} bytes, in a chunk of {}",
                w.kind.word(),
                chunk.capacity
            )));
        }
        let codecs = ((value >> 48) as u8, (value >> 56) as u8);
        Ok(Entry { offset: chunk.offset, bytes, key_len: key_len as usize, given_len: given_len as usize, value_len: value_len as usize, codecs })
    }

    /// The hash of the key of an entry that a slot led to; the chunk may be on its way back to the heap.
    pub(crate) fn hash_at(w: Words<'_>, offset: u64) -> Result<u64> {
        let chunk = w.shm.chunk(offset)?;
        Ok(chunk.bytes(w.shm)?.u64(0)?.load(Ordering::Relaxed))
    }

    pub(crate) fn hash(&self) -> Result<u64> {
        Ok(self.bytes.u64(0)?.load(Ordering::Relaxed))
    }

    #[inline(always)]
    pub(crate) fn version(&self) -> Result<u64> {
        Ok(self.bytes.u64(8)?.load(Ordering::Relaxed))
    }

    /// Whether this is the entry of that key.
    #[inline(always)]
    pub(crate) fn is_of(&self, key: &Key<'_>) -> Result<bool> {
        Ok(self.key_len == key.canonical.len() && self.codecs.0 == key.codec && same(self.bytes, HEADER, &key.canonical)?)
    }

    /// Whether its key was first given as `key` is.
    pub(crate) fn is_given_as(&self, key: &Key<'_>) -> Result<bool> {
        let given = key.given.unwrap_or(&[]);
        Ok(self.given_len == given.len() && same(self.bytes, HEADER + self.key_len, given)?)
    }

    /// The key as it was first given, where that differs from its canonical bytes.
    pub(crate) fn given(&self) -> Result<Option<Vec<u8>>> {
        let mut given = Vec::new();
        self.bytes.append_to(HEADER + self.key_len, self.given_len, &mut given)?;
        Ok(Some(given).filter(|given| !given.is_empty()))
    }

    /// The key's canonical bytes.
    pub(crate) fn canonical(&self) -> Result<Message> {
        Message::copy(self.bytes, HEADER, self.key_len, u32::from(self.codecs.0))
    }

    /// The key as it was first given.
    pub(crate) fn key(&self) -> Result<Message> {
        match self.given_len {
            0 => self.canonical(),
            len => Message::copy(self.bytes, HEADER + self.key_len, len, u32::from(self.codecs.0)),
        }
    }

    #[inline(always)]
    pub(crate) fn value(&self) -> Result<Message> {
        Message::copy(self.bytes, HEADER + self.key_len + self.given_len, self.value_len, u32::from(self.codecs.1))
    }

    /// Bytes that a copy of it takes.
    pub(crate) fn len(&self) -> usize {
        self.key_len + self.given_len + self.value_len
    }
}

/// Whether the bytes at `at` are these.
#[inline(always)]
fn same(span: Span<'_>, at: usize, bytes: &[u8]) -> Result<bool> {
    let mut piece = [0; 64];
    for (i, part) in bytes.chunks(piece.len()).enumerate() {
        let piece = &mut piece[..part.len()];
        span.read(at + i * 64, piece)?;
        if piece != part {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A chunk that this process holds and fills; given back when dropped.
pub(crate) struct Own<'a> {
    shm: &'a Shm,
    pub(crate) chunk: Chunk<'a>,
    me: Owner,
}

impl<'a> Own<'a> {
    pub(crate) fn new(shm: &'a Shm, len: u64) -> Result<Own<'a>> {
        let me = shm.me()?;
        Ok(Own { shm, chunk: shm.alloc(len)?, me })
    }

    /// An entry with all but its version.
    #[inline]
    pub(crate) fn entry(shm: &'a Shm, key: &Key<'_>, given: Option<&[u8]>, value: Packed<'_>) -> Result<Own<'a>> {
        let given = given.unwrap_or(&[]);
        let len = (HEADER + key.canonical.len() + given.len()) as u64 + value.bytes.len() as u64;
        if value.bytes.len() as u64 >= MOST {
            return Err(Error::new(ErrorKind::TooLarge, format!("a value of {} bytes is longer than any value may be", value.bytes.len())));
        }
        let own = Own::new(shm, len)?;
        let bytes = own.chunk.bytes(shm)?;
        bytes.u64(0)?.store(key.hash, Ordering::Relaxed);
        bytes.u64(16)?.store((given.len() as u64) << 32 | key.canonical.len() as u64, Ordering::Relaxed);
        let codecs = u64::from(key.codec) << 48 | u64::from(value.codec) << 56;
        bytes.u64(24)?.store(value.bytes.len() as u64 | codecs, Ordering::Relaxed);
        bytes.write(HEADER, &key.canonical)?;
        bytes.write(HEADER + key.canonical.len(), given)?;
        bytes.write(HEADER + key.canonical.len() + given.len(), value.bytes)?;
        Ok(own)
    }

    /// The word for the entry's version.
    pub(crate) fn version(&self) -> Result<&'a AtomicU64> {
        self.chunk.bytes(self.shm)?.u64(8)
    }

    /// The chunk is about to be the dict's: nothing is to be given back.
    #[inline(always)]
    pub(crate) fn keep(mut self) -> Chunk<'a> {
        self.me = Owner::NOBODY;
        self.chunk
    }
}

impl Drop for Own<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.me != Owner::NOBODY {
            self.shm.free(self.chunk, Cell::private(self.me));
        }
    }
}
