//! A value on its way: the encoded body, and beside it what goes straight to the message's place in shared memory. Knows how a message with blocks is laid out (`docs/format.md`).

use std::cell::RefCell;

use polyproc::codec::{MESSAGEPACK, WITH_BLOCKS};
use pyo3::prelude::*;

use super::PICKLE;
use super::encode::{Not, Part, Writer};
use super::pickled::{self, View};

const ALIGN: usize = 64;
/// A body that is kept for the next message has at most this room.
const KEPT: usize = 1 << 16;

thread_local! {
    static BODY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// An encoded value.
pub(crate) struct Outgoing {
    body: Vec<u8>,
    codec: u8,
    parts: Vec<Part>,
    blocks: Vec<View>,
}

/// `value` as a message: neutral if it is plain, else a pickle.
#[inline]
pub(crate) fn encode(value: &Bound<'_, PyAny>) -> PyResult<Outgoing> {
    let mut body = BODY.take();
    body.clear();
    let mut writer = Writer::new(body);
    match writer.value(value, 0) {
        Ok(()) => Ok(Outgoing { body: writer.body, codec: MESSAGEPACK, parts: writer.parts, blocks: Vec::new() }),
        Err(Not::Possible(error)) => Err(error),
        Err(Not::Plain) => {
            let (body, blocks) = pickled::dumps(value)?;
            let codec = if blocks.is_empty() { PICKLE } else { PICKLE | WITH_BLOCKS };
            Ok(Outgoing { body, codec, parts: Vec::new(), blocks })
        }
    }
}

impl Outgoing {
    pub(crate) fn codec(&self) -> u8 {
        self.codec
    }

    /// The whole message, if it is in one piece already.
    #[inline]
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        (self.parts.is_empty() && self.blocks.is_empty()).then_some(&self.body)
    }

    /// Bytes of the whole message.
    pub(crate) fn len(&self) -> usize {
        let parts: usize = self.parts.iter().map(|part| part.len).sum();
        let table = if self.blocks.is_empty() { 0 } else { self.blocks.len() * 16 + 16 };
        self.blocks_end() + self.body.len() + parts + table
    }

    /// The whole message, into a place of its length.
    pub(crate) fn write(&self, place: &mut [u8]) {
        let mut at = 0_usize;
        let mut table = Vec::with_capacity(self.blocks.len() * 16 + 16);
        for block in &self.blocks {
            let from = at.next_multiple_of(ALIGN);
            at = from + block.len();
            block.copy_to(&mut place[from..at]);
            table.extend_from_slice(&(from as u64).to_le_bytes());
            table.extend_from_slice(&(block.len() as u64).to_le_bytes());
        }
        let body_at = at as u64;
        let mut put = |bytes: &[u8]| {
            place[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        let mut done = 0;
        for part in &self.parts {
            put(&self.body[done..part.at]);
            put(part.bytes());
            done = part.at;
        }
        put(&self.body[done..]);
        if !self.blocks.is_empty() {
            table.extend_from_slice(&body_at.to_le_bytes());
            table.extend_from_slice(&(self.blocks.len() as u64).to_le_bytes());
            put(&table);
        }
    }

    /// The whole message in memory of this process.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len()];
        self.write(&mut bytes);
        bytes
    }

    fn blocks_end(&self) -> usize {
        self.blocks.iter().fold(0, |end: usize, block| end.next_multiple_of(ALIGN) + block.len())
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if self.body.capacity() <= KEPT {
            // Nothing is lost if the thread is ending.
            let _ = BODY.try_with(|kept| kept.replace(std::mem::take(&mut self.body)));
        }
    }
}
