//! The extension types for what MessagePack has no form of: tuples, sets, big and complex numbers. Knows bytes only, no types of Rust.
//!
//! Tuples and sets are an extension around an ordinary array. A language that tells them from lists reads the extension; one that does not, or that
//! expects a sequence anyway, reads the array: [`as_arrays`] takes the heads of such extensions away, so that what is left is plain MessagePack.

/// Extension type of a tuple, where a language tells it from a list: around an array. Rust's tuples are plain arrays.
pub const TUPLE: i8 = 1;
/// Extension type of a set: around an array of its elements, in any order.
pub const SET: i8 = 2;
/// Extension type of a set that cannot change and so can be a key: around an array of its elements, in any order.
pub const FROZEN_SET: i8 = 3;
/// Extension type of an integer that needs more than 64 bits: two's complement, most significant byte first, as few bytes as hold it.
pub const BIG_INTEGER: i8 = 4;
/// Extension type of a complex number: real and imaginary part, each as the eight bytes of a 64-bit float, most significant first.
pub const COMPLEX: i8 = 5;

/// Arrays, maps and shapes within one another that are followed.
const DEPTH: usize = 1024;

/// These bytes with each tuple and set as the array that it is around; `None` where there is none, or where the bytes are not MessagePack.
pub(super) fn as_arrays(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut walk = Walk { bytes, at: 0, kept: 0, out: Vec::new() };
    walk.value(0)?;
    if walk.at != bytes.len() || walk.kept == 0 {
        return None;
    }
    walk.out.extend_from_slice(&bytes[walk.kept..]);
    Some(walk.out)
}

/// A position in the bytes; what lies before `kept` is in `out`, without heads.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    kept: usize,
    out: Vec<u8>,
}

impl Walk<'_> {
    fn skip(&mut self, len: u64) -> Option<()> {
        let end = self.at.checked_add(usize::try_from(len).ok()?)?;
        (end <= self.bytes.len()).then(|| self.at = end)
    }

    fn number(&mut self, len: u64) -> Option<u64> {
        let from = self.at;
        self.skip(len)?;
        Some(self.bytes[from..self.at].iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        let from = self.at;
        let first = self.number(1)? as u8;
        match first {
            0x00..=0x7F | 0xE0..=0xFF | 0xC0 | 0xC2 | 0xC3 => Some(()),
            0xA0..=0xBF => self.skip(u64::from(first & 31)),
            0xCA => self.skip(4),
            0xCB => self.skip(8),
            0xCC..=0xCF => self.skip(1 << (first - 0xCC)),
            0xD0..=0xD3 => self.skip(1 << (first - 0xD0)),
            0xD9..=0xDB => self.number(1 << (first - 0xD9)).and_then(|len| self.skip(len)),
            0xC4..=0xC6 => self.number(1 << (first - 0xC4)).and_then(|len| self.skip(len)),
            0x90..=0x9F => self.values(u64::from(first & 15), depth),
            0xDC | 0xDD => self.number(2 << (first - 0xDC)).and_then(|len| self.values(len, depth)),
            0x80..=0x8F => self.values(u64::from(first & 15) * 2, depth),
            0xDE | 0xDF => self.number(2 << (first - 0xDE)).and_then(|len| self.values(len * 2, depth)),
            0xD4..=0xD8 => self.extension(from, 1 << (first - 0xD4), depth),
            0xC7..=0xC9 => self.number(1 << (first - 0xC7)).and_then(|len| self.extension(from, len, depth)),
            0xC1 => None,
        }
    }

    fn values(&mut self, count: u64, depth: usize) -> Option<()> {
        (depth < DEPTH).then_some(())?;
        (0..count).try_for_each(|_| self.value(depth + 1))
    }

    fn extension(&mut self, from: usize, len: u64, depth: usize) -> Option<()> {
        if !matches!(self.number(1)? as i8, TUPLE | SET | FROZEN_SET) {
            return self.skip(len);
        }
        self.out.extend_from_slice(&self.bytes[self.kept..from]);
        self.kept = self.at;
        let end = self.at.checked_add(usize::try_from(len).ok()?)?;
        let is_array = matches!(self.bytes.get(self.at)?, 0x90..=0x9F | 0xDC | 0xDD);
        (is_array && depth < DEPTH).then_some(())?;
        self.value(depth + 1)?;
        (self.at == end).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::codec::decode;

    use super::*;

    /// `[(1, 2), {3}]`, and beside it a ticket's extension that stays.
    const MIXED: [u8; 15] = [0x93, 0xC7, 3, 1, 0x92, 1, 2, 0xD5, 2, 0x91, 3, 0xD4, 6, 0x91, 0xC0];

    #[test]
    fn shapes_become_the_arrays_they_are_around() {
        assert_eq!(as_arrays(&MIXED[..13]), None, "cut short");
        let mut bytes = MIXED[..14].to_vec();
        assert_eq!(as_arrays(&bytes).unwrap(), [0x93, 0x92, 1, 2, 0x91, 3, 0xD4, 6, 0x91]);
        bytes.push(0);
        assert_eq!(as_arrays(&bytes), None, "left over");
        assert_eq!(as_arrays(&[0x92, 1, 2]), None, "nothing to do");
        assert_eq!(as_arrays(&[0xC7, 3, 1, 0x91, 1, 2]), None, "an array that ends before its extension");
        assert_eq!(as_arrays(&[0xC7, 1, 1, 0x05]), None, "a tuple that is no array");
        assert_eq!(as_arrays(&[0x91].repeat(5000)), None, "too deep");
        // Within one another: ((), frozenset((1,))).
        assert_eq!(as_arrays(&[0xC7, 8, 1, 0x92, 0xD4, 1, 0x90, 0xD5, 3, 0x91, 1]).unwrap(), [0x92, 0x90, 0x91, 1]);
    }

    #[test]
    fn what_expects_a_sequence_reads_tuples_and_sets() {
        let bytes = &[0x92, 0xC7, 3, 1, 0x92, 1, 2, 0xD5, 2, 0x91, 3];
        assert_eq!(decode::<((u8, u8), HashSet<u8>)>(bytes).unwrap(), ((1, 2), HashSet::from([3])));
        assert_eq!(decode::<Vec<Vec<u8>>>(bytes).unwrap(), [vec![1, 2], vec![3]]);
        assert!(decode::<Vec<Vec<String>>>(bytes).is_err());
    }
}
