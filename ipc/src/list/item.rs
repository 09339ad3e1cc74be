//! One item: as a slot of the list has it. Knows no block and no lock.

use std::sync::atomic::Ordering;

use super::layout::{HEAD, Words, damaged};
use crate::error::Result;
use crate::heap::cell::Holder;
use crate::packed::Packed;
use crate::queue::Message;
use crate::shm::Span;

/// Longest item, and largest codec number, that a slot holds itself.
const INLINE: usize = 7;
const INLINE_CODEC: u8 = 15;

/// A slot's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(pub(super) u64);

impl Slot {
    /// The item itself, if it is small enough.
    #[inline(always)]
    pub(super) fn inline(item: Packed<'_>) -> Option<Slot> {
        if item.bytes.len() > INLINE || item.codec > INLINE_CODEC {
            return None;
        }
        let head = 1 | (item.bytes.len() as u64) << 1 | u64::from(item.codec) << 4;
        Some(Slot(item.bytes.iter().rev().fold(0, |word, byte| (word | u64::from(*byte)) << 8) | head))
    }

    /// The offset of the item's chunk; none: the slot is the item.
    #[inline(always)]
    pub(super) fn chunk(self) -> Option<u64> {
        (self.0 & 1 == 0).then_some(self.0)
    }

    /// The item's bytes (of which the length counts), length and codec.
    #[inline(always)]
    fn small(self) -> ([u8; INLINE], usize, u8) {
        let word = self.0.to_le_bytes();
        (word[1..].try_into().expect("seven bytes"), (self.0 >> 1 & 7) as usize, (self.0 >> 4 & 15) as u8)
    }
}

/// A copy of the item in this slot of the list.
#[inline(always)]
pub(super) fn read(w: Words<'_>, slot: Slot) -> Result<Message> {
    match slot.chunk() {
        None => {
            let (bytes, len, codec) = slot.small();
            Ok(Message::of(&bytes[..len], codec))
        }
        Some(offset) => {
            let (bytes, len, codec) = large(w, offset)?;
            Message::copy(bytes, HEAD, len, u32::from(codec))
        }
    }
}

/// Whether the slot holds just this item.
pub(super) fn is(w: Words<'_>, slot: Slot, item: Packed<'_>) -> Result<bool> {
    let small = Slot::inline(item);
    let Some(offset) = slot.chunk() else { return Ok(small == Some(slot)) };
    if small.is_some() {
        return Ok(false);
    }
    let (bytes, len, codec) = large(w, offset)?;
    if (len, codec) != (item.bytes.len(), item.codec) {
        return Ok(false);
    }
    let mut at = 0;
    let mut piece = [0; 256];
    for want in item.bytes.chunks(piece.len()) {
        let got = &mut piece[..want.len()];
        bytes.read(HEAD + at, got)?;
        if got != want {
            return Ok(false);
        }
        at += want.len();
    }
    Ok(true)
}

/// An item's chunk, its length and its codec, checked.
fn large(w: Words<'_>, offset: u64) -> Result<(Span<'_>, usize, u8)> {
    let chunk = w.shm.chunk(offset)?;
    if chunk.holder() != Holder::Held(w.id.offset) {
        return Err(damaged(format_args!("its item at {offset:#x} is not its own")));
    }
    let bytes = chunk.bytes(w.shm)?;
    let head = bytes.u64(8)?.load(Ordering::Relaxed);
    let (len, codec) = ((head & ((1 << 56) - 1)) as usize, (head >> 56) as u8);
    if len > bytes.len() - HEAD {
        return Err(damaged(format_args!("its item at {offset:#x} has {len} bytes in a chunk of {}", bytes.len())));
    }
    Ok((bytes, len, codec))
}

/// Writes an item into a chunk that is this process's.
pub(super) fn write(chunk: Span<'_>, item: Packed<'_>) -> Result<()> {
    chunk.u64(8)?.store(item.bytes.len() as u64 | u64::from(item.codec) << 56, Ordering::Relaxed);
    chunk.write(HEAD, item.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_items_are_their_slot() {
        for len in 0..=INLINE {
            for codec in [0, 1, INLINE_CODEC] {
                let bytes: Vec<u8> = (0..len).map(|i| 0xF1 + i as u8).collect();
                let slot = Slot::inline(Packed { bytes: &bytes, codec }).unwrap();
                assert_eq!(slot.chunk(), None);
                let (back, back_len, back_codec) = slot.small();
                assert_eq!((&back[..back_len], back_codec), (&bytes[..], codec));
                assert!(back[len..].iter().all(|byte| *byte == 0), "equal items are equal slots");
            }
        }
        assert_eq!(Slot::inline(Packed { bytes: &[0; 8], codec: 0 }), None);
        assert_eq!(Slot::inline(Packed { bytes: &[], codec: 16 }), None);
        assert_eq!(Slot(64).chunk(), Some(64));
    }
}
