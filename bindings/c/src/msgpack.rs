//! The wire format of values, one item after the other: for programs without a MessagePack library. Knows bytes only; docs/format.md has the format.

use crate::abi::{PP_DECODE, PP_WRONG_TYPE};
use crate::error::Fault;

/// Extension type of a ticket.
pub(crate) const TICKET: i8 = 6;

/// One item: a simple value, or the head of a list or map whose items follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Item<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    /// Above `i64::MAX`.
    Uint(u64),
    Float(f64),
    /// Of 32 bits, where it came so.
    Float32(f32),
    Text(&'a str),
    Bytes(&'a [u8]),
    List(u64),
    Map(u64),
    Extension(i8, &'a [u8]),
}

/// A place in encoded bytes.
pub(crate) struct Read<'a> {
    bytes: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Read<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Read<'a> {
        Read { bytes, at: 0 }
    }

    /// From here on; behind the end is the end.
    pub(crate) fn from(bytes: &'a [u8], at: usize) -> Read<'a> {
        Read { bytes, at: at.min(bytes.len()) }
    }

    /// The next item; none at the end. The place stays where it was if there is an error.
    pub(crate) fn next(&mut self) -> Result<Option<Item<'a>>, Fault> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let start = self.at;
        let item = self.item();
        if item.is_err() {
            self.at = start;
        }
        item.map(Some)
    }

    /// Goes past the next value, whatever is in it. False at the end.
    pub(crate) fn skip(&mut self) -> Result<bool, Fault> {
        let (start, mut left) = (self.at, 1_u64);
        while left > 0 {
            let item = match self.next() {
                Ok(Some(item)) => item,
                Ok(None) if self.at == start => return Ok(false),
                Ok(None) => {
                    self.at = start;
                    return Err(short());
                }
                Err(fault) => {
                    self.at = start;
                    return Err(fault);
                }
            };
            // Each item is a byte at least, and a head promises no more than there are bytes, so this ends and does not overflow.
            left = left - 1
                + match item {
                    Item::List(count) => count,
                    Item::Map(count) => count * 2,
                    _ => 0,
                };
        }
        Ok(true)
    }

    fn item(&mut self) -> Result<Item<'a>, Fault> {
        let first = self.take(1)?[0];
        Ok(match first {
            0x00..=0x7f => Item::Int(first.into()),
            0x80..=0x8f => self.map(u64::from(first & 15))?,
            0x90..=0x9f => self.list(u64::from(first & 15))?,
            0xa0..=0xbf => self.text(usize::from(first & 31))?,
            0xc0 => Item::Nil,
            0xc2 => Item::Bool(false),
            0xc3 => Item::Bool(true),
            0xc4..=0xc6 => {
                let len = self.unsigned(1 << (first - 0xc4))?;
                Item::Bytes(self.take(len as usize)?)
            }
            0xc7..=0xc9 => {
                let len = self.unsigned(1 << (first - 0xc7))?;
                self.extension(len as usize)?
            }
            0xca => Item::Float32(f32::from_bits(self.unsigned(4)? as u32)),
            0xcb => Item::Float(f64::from_bits(self.unsigned(8)?)),
            0xcc..=0xcf => {
                let value = self.unsigned(1 << (first - 0xcc))?;
                i64::try_from(value).map_or(Item::Uint(value), Item::Int)
            }
            0xd0 => Item::Int((self.unsigned(1)? as i8).into()),
            0xd1 => Item::Int((self.unsigned(2)? as i16).into()),
            0xd2 => Item::Int((self.unsigned(4)? as i32).into()),
            0xd3 => Item::Int(self.unsigned(8)? as i64),
            0xd4..=0xd8 => self.extension(1 << (first - 0xd4))?,
            0xd9..=0xdb => {
                let len = self.unsigned(1 << (first - 0xd9))?;
                self.text(len as usize)?
            }
            0xdc | 0xdd => {
                let count = self.unsigned(if first == 0xdc { 2 } else { 4 })?;
                self.list(count)?
            }
            0xde | 0xdf => {
                let count = self.unsigned(if first == 0xde { 2 } else { 4 })?;
                self.map(count)?
            }
            0xe0..=0xff => Item::Int((first as i8).into()),
            0xc1 => return Err(Fault::Own(PP_DECODE, "the byte c1 begins no value".into())),
        })
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..len)).ok_or_else(short)?;
        self.at += len;
        Ok(taken)
    }

    /// A big-endian number of so many bytes.
    fn unsigned(&mut self, bytes: usize) -> Result<u64, Fault> {
        Ok(self.take(bytes)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn text(&mut self, len: usize) -> Result<Item<'a>, Fault> {
        std::str::from_utf8(self.take(len)?).map(Item::Text).map_err(|_| Fault::Own(PP_DECODE, "a text is not UTF-8".into()))
    }

    fn extension(&mut self, len: usize) -> Result<Item<'a>, Fault> {
        let kind = self.take(1)?[0] as i8;
        Ok(Item::Extension(kind, self.take(len)?))
    }

    fn list(&self, count: u64) -> Result<Item<'a>, Fault> {
        self.promised(count)?;
        Ok(Item::List(count))
    }

    fn map(&self, count: u64) -> Result<Item<'a>, Fault> {
        self.promised(count * 2)?;
        Ok(Item::Map(count))
    }

    /// So many items may still follow.
    fn promised(&self, items: u64) -> Result<(), Fault> {
        if items <= (self.bytes.len() - self.at) as u64 { Ok(()) } else { Err(short()) }
    }
}

impl<'a> Item<'a> {
    /// What it is, in words.
    pub(crate) fn word(&self) -> String {
        match self {
            Item::Nil => "nil".into(),
            Item::Bool(_) => "a bool".into(),
            Item::Int(value) => format!("the integer {value}"),
            Item::Uint(value) => format!("the integer {value}"),
            Item::Float(value) => format!("the float {value}"),
            Item::Float32(value) => format!("the float {value}"),
            Item::Text(text) => format!("a text of {} bytes", text.len()),
            Item::Bytes(bytes) => format!("a byte string of {} bytes", bytes.len()),
            Item::List(count) => format!("a list of {count} items"),
            Item::Map(count) => format!("a map of {count} entries"),
            Item::Extension(TICKET, _) => "an object (a ticket)".into(),
            Item::Extension(kind, bytes) => format!("an extension of type {kind} with {} bytes", bytes.len()),
        }
    }

    #[cold]
    fn not(&self, wanted: &str) -> Fault {
        Fault::Own(PP_WRONG_TYPE, format!("the value is {}, not {wanted}", self.word()))
    }

    pub(crate) fn int(self) -> Result<i64, Fault> {
        match self {
            Item::Int(value) => Ok(value),
            other => Err(other.not("an integer of 64 bits with sign")),
        }
    }

    pub(crate) fn uint(self) -> Result<u64, Fault> {
        match self {
            Item::Uint(value) => Ok(value),
            Item::Int(value) if value >= 0 => Ok(value as u64),
            other => Err(other.not("an integer of 64 bits without sign")),
        }
    }

    pub(crate) fn float(self) -> Result<f64, Fault> {
        match self {
            Item::Float(value) => Ok(value),
            Item::Float32(value) => Ok(value.into()),
            Item::Int(value) if value.unsigned_abs() <= 1 << 53 => Ok(value as f64),
            other => Err(other.not("a float")),
        }
    }

    pub(crate) fn bool(self) -> Result<bool, Fault> {
        match self {
            Item::Bool(value) => Ok(value),
            other => Err(other.not("a bool")),
        }
    }

    pub(crate) fn text(self) -> Result<&'a str, Fault> {
        match self {
            Item::Text(text) => Ok(text),
            other => Err(other.not("a text")),
        }
    }
}

#[cold]
fn short() -> Fault {
    Fault::Own(PP_DECODE, "the bytes end in the middle of a value".into())
}

/// Appends the head of a text, byte string, list, map or extension: the first byte of its shortest form, and its length. `fixed` are the forms of up to so many with the length inside.
pub(crate) fn head(bytes: &mut Vec<u8>, fixed: Option<(u8, u64)>, sized: [Option<u8>; 3], len: u64) -> Result<(), Fault> {
    match (fixed, sized) {
        (Some((first, most)), _) if len < most => bytes.push(first | len as u8),
        (_, [Some(first), ..]) if len < 1 << 8 => bytes.extend([first, len as u8]),
        (_, [_, Some(first), _]) if len < 1 << 16 => {
            bytes.push(first);
            bytes.extend((len as u16).to_be_bytes());
        }
        (_, [_, _, Some(first)]) if len < 1 << 32 => {
            bytes.push(first);
            bytes.extend((len as u32).to_be_bytes());
        }
        _ => return Err(Fault::Own(crate::abi::PP_ENCODE, format!("{len} is too much for one value: 4294967295 bytes or items are the most"))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use polyproc::codec::to_vec;

    use super::*;

    fn first(bytes: &[u8]) -> Item<'_> {
        let mut read = Read::new(bytes);
        let item = read.next().ok().flatten().expect("an item");
        assert_eq!(read.at, bytes.len());
        item
    }

    #[test]
    fn what_the_codec_writes_is_read_the_same() {
        for value in [0, 1, 127, 128, 255, 256, 65535, 65536, u32::MAX.into(), i64::MAX, -1, -32, -33, -128, -129, -32769, i64::MIN] {
            assert_eq!(first(&to_vec(&value).unwrap()), Item::Int(value));
        }
        assert_eq!(first(&to_vec(&u64::MAX).unwrap()), Item::Uint(u64::MAX));
        assert_eq!(first(&to_vec(&1.5_f32).unwrap()), Item::Float32(1.5));
        assert_eq!(first(&to_vec(&1.5_f32).unwrap()).float().ok(), Some(1.5));
        assert_eq!(first(&to_vec(&-0.1).unwrap()), Item::Float(-0.1));
        assert_eq!(first(&to_vec(&true).unwrap()), Item::Bool(true));
        assert_eq!(first(&to_vec(&()).unwrap()), Item::Nil);
        for len in [0, 31, 32, 255, 256, 65536] {
            let text = "x".repeat(len);
            assert_eq!(first(&to_vec(&text).unwrap()), Item::Text(&text));
        }
    }

    #[test]
    fn damaged_bytes_are_an_error_and_a_promise_is_checked() {
        for bytes in [&[0xc1][..], &[0xdd, 255, 255, 255, 255], &[0xdf, 255, 255, 255, 255], &[0xa5, b'x'], &[0xa1, 0xff], &[0xc6, 255, 255, 255, 255], &[0xd9]]
        {
            assert!(Read::new(bytes).next().is_err() && Read::new(bytes).skip().is_err(), "{bytes:x?}");
        }
        let nested = to_vec(&(1, vec![vec!["a"]; 5], 2)).unwrap();
        let mut read = Read::new(&nested);
        assert!(read.skip().is_ok_and(|more| more) && read.at == nested.len() && !read.skip().unwrap_or(true));
        let mut short = Read::new(&nested[..nested.len() - 1]);
        assert!(short.skip().is_err() && short.at == 0);
    }
}
