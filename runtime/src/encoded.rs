//! `Encoded` and `Answer`: values that are bytes already, on their way out and as they came. For those who know types only while they run, as bindings of other languages do, and for
//! programs that pass values on.
//!
//! The bytes are MessagePack, as `docs/format.md` has it. What somebody hands in is walked through once before it goes anywhere, so that a bad value fails where it was made. Must not know tasks or pools.

use std::fmt;
use std::sync::Arc;

use polyproc_ipc::{ErrorKind as Ipc, Packing, Parcel, codec};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::letter::Letter;
use crate::task;

/// Deeper than that nobody reads.
const DEEPEST: usize = 1024;

/// A value that is encoded already, with the [blocks](crate::Block) that lie beside it: the arguments of a call, or what an [offered](crate::offer()) task returns.
///
/// ```
/// use polyproc::Encoded;
///
/// let bytes = Encoded::from(vec![0x92, 1, 0xa1, b'x']); // what another encoder made
/// let value = Encoded::of(&(1, "x"))?;
/// assert_eq!(bytes.bytes(), value.bytes());
/// # Ok::<(), polyproc::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    body: Vec<u8>,
    packing: Packing,
}

impl Encoded {
    /// Encodes a value. Its large blocks go beside it.
    ///
    /// # Errors
    ///
    /// `Encode` if it does not serialise.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Encoded> {
        let mut encoded = Encoded::default();
        encoded.packing.encode(value, &mut encoded.body)?;
        Ok(encoded)
    }

    /// Encodes the arguments of a call, a tuple: `()` for none, `(value,)` for one.
    ///
    /// # Errors
    ///
    /// As [`Encoded::of`].
    pub fn arguments<A: Serialize + ?Sized>(arguments: &A) -> Result<Encoded> {
        let mut encoded = Encoded::default();
        task::encode_args(arguments, &mut encoded.packing, &mut encoded.body)?;
        Ok(encoded)
    }

    /// Bytes in which blocks are named by their place in `packing`: those that [`Packing::encode`] appended to them, or that came with a parcel which was [adopted](Packing::adopt).
    pub fn with_blocks(body: Vec<u8>, packing: Packing) -> Encoded {
        Encoded { body, packing }
    }

    /// The encoded value.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn has_blocks(&self) -> bool {
        !self.packing.is_empty()
    }

    pub(crate) fn into_letter(self) -> Letter {
        Letter { body: self.body, packing: self.packing }
    }

    /// One whole value, and nothing behind it.
    pub(crate) fn check(&self) -> polyproc_ipc::Result<()> {
        check(&self.body).map_err(|why| polyproc_ipc::Error::new(Ipc::Encode, format!("{} bytes are no encoded value: {why}", self.body.len())))
    }

    /// One whole array: the arguments of a call.
    pub(crate) fn check_arguments(&self) -> polyproc_ipc::Result<()> {
        if !is_array(&self.body) {
            let sentence = "they are no array: one argument is given as an array of one value, none as an empty one";
            return Err(polyproc_ipc::Error::new(Ipc::Encode, sentence));
        }
        self.check()
    }
}

/// Bytes without blocks.
impl From<Vec<u8>> for Encoded {
    fn from(body: Vec<u8>) -> Encoded {
        Encoded { body, packing: Packing::new() }
    }
}

/// A value as it came, still encoded: what a call by encoded arguments returns. Clones share its memory.
///
/// ```
/// use polyproc::{Encoded, Pool, task};
///
/// #[task(name = "square")]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// let pool = Pool::new(1)?;
/// let answer = pool.submit_encoded("square", Encoded::arguments(&(7,))?)?.get()?;
/// assert_eq!(answer.bytes(), [49]);
/// assert_eq!(answer.decode::<u64>()?, 49);
/// # Ok::<(), polyproc::Error>(())
/// ```
#[derive(Clone)]
pub struct Answer(Place);

#[derive(Clone)]
enum Place {
    Own(Arc<[u8]>),
    /// The body of a parcel from this byte on.
    Parcel(Arc<Parcel>, usize),
}

impl Answer {
    pub(crate) fn own(bytes: &[u8]) -> Answer {
        Answer(Place::Own(bytes.into()))
    }

    pub(crate) fn in_parcel(parcel: Arc<Parcel>, at: usize) -> Answer {
        Answer(Place::Parcel(parcel, at))
    }

    /// The encoded value.
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Place::Own(bytes) => bytes,
            Place::Parcel(parcel, at) => parcel.body().get(*at..).unwrap_or_default(),
        }
    }

    /// The parcel in which the value's blocks lie, if it has any.
    pub fn parcel(&self) -> Option<&Arc<Parcel>> {
        match &self.0 {
            Place::Own(_) => None,
            Place::Parcel(parcel, _) => Some(parcel),
        }
    }

    /// The value, with blocks as views of the memory that they came in.
    ///
    /// # Errors
    ///
    /// `Decode` if it is no `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(match &self.0 {
            Place::Own(bytes) => codec::decode(bytes)?,
            Place::Parcel(parcel, _) => parcel.decode(self.bytes())?,
        })
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer of {} bytes", self.bytes().len())
    }
}

/// Whether the value that begins here is an array.
fn is_array(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(0x90..=0x9f | 0xdc | 0xdd))
}

/// Walks through one value; every step takes at least a byte.
fn check(bytes: &[u8]) -> Result<(), &'static str> {
    let mut rest = bytes;
    // How many values are still to come, of each array or map that is open.
    let mut open = vec![1_u64];
    while let Some(left) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        *left -= 1;
        let inside = step(&mut rest)?;
        if inside > 0 {
            if open.len() > DEEPEST {
                return Err("it is nested too deep");
            }
            open.push(inside);
        }
    }
    if rest.is_empty() { Ok(()) } else { Err("there are bytes behind it") }
}

/// Takes one value, or the beginning of an array or map: how many values are inside.
fn step(rest: &mut &[u8]) -> Result<u64, &'static str> {
    let first = take(rest, 1)?[0];
    let (skip, text, inside) = match first {
        0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => (0, false, 0),
        0x80..=0x8f => (0, false, 2 * u64::from(first & 0xf)),
        0x90..=0x9f => (0, false, u64::from(first & 0xf)),
        0xa0..=0xbf => (u64::from(first & 0x1f), true, 0),
        0xc1 => return Err("it has a byte that means nothing"),
        0xc4..=0xc6 => (number(rest, first - 0xc4)?, false, 0),
        0xc7..=0xc9 => (number(rest, first - 0xc7)? + 1, false, 0),
        0xca => (4, false, 0),
        0xcb => (8, false, 0),
        0xcc..=0xcf => (1 << (first - 0xcc), false, 0),
        0xd0..=0xd3 => (1 << (first - 0xd0), false, 0),
        0xd4..=0xd8 => ((1 << (first - 0xd4)) + 1, false, 0),
        0xd9..=0xdb => (number(rest, first - 0xd9)?, true, 0),
        0xdc | 0xdd => (0, false, number(rest, first - 0xdb)?),
        0xde | 0xdf => (0, false, 2 * number(rest, first - 0xdd)?),
    };
    let bytes = take(rest, usize::try_from(skip).map_err(|_| CUT)?)?;
    if text && std::str::from_utf8(bytes).is_err() {
        return Err("a text in it is not UTF-8");
    }
    Ok(inside)
}

const CUT: &str = "it is cut off";

/// A big-endian number of 1, 2 or 4 bytes.
fn number(rest: &mut &[u8], power: u8) -> Result<u64, &'static str> {
    Ok(take(rest, 1 << power)?.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], &'static str> {
    let (taken, left) = rest.split_at_checked(length).ok_or(CUT)?;
    *rest = left;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use polyproc_ipc::{Block, Fabric, Queue};

    use super::*;

    #[test]
    fn what_the_codec_writes_is_a_value_and_nothing_shorter_or_longer_is() {
        let map = BTreeMap::from([("a".to_owned(), vec![1_i64, -1, 200, -200, 70_000, -70_000, i64::MAX]), ("b".repeat(300), vec![0; 20])]);
        let fabric = Fabric::builder().cap(16 << 20).private().unwrap();
        let queue = Queue::<u8>::new(&fabric, 0).unwrap();
        let block: Block<u8> = vec![7; 200].into();
        let value = (map, (1.5_f32, 2.5_f64, None::<u8>, true), "\u{e9}".repeat(70_000), (queue, block));
        let good = codec::to_vec(&value).unwrap();
        check(&good).unwrap();
        for end in (0..good.len()).step_by(7) {
            assert_eq!(check(&good[..end]), Err(CUT), "{end}");
        }
        let longer = [&good[..], &[0xc0]].concat();
        assert!(check(&longer).is_err());
    }

    #[test]
    fn bad_bytes_are_told_and_never_a_panic_or_an_endless_walk() {
        for bad in
            [&[][..], &[0xc1], &[0xa1, 0xff], &[0xdd, 0xff, 0xff, 0xff, 0xff], &[0xdf, 0xff, 0xff, 0xff, 0xff, 1], &[0xc9, 0xff, 0xff, 0xff, 0xff, 1], &[0x91]]
        {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        let mut deep = vec![0x91; DEEPEST];
        deep.push(0x90);
        check(&deep).unwrap();
        deep.insert(0, 0x91);
        deep.push(0xc0);
        assert!(check(&deep).is_err());
        let mut seed = 1_u64;
        for _ in 0..20_000 {
            let mut bytes = Vec::new();
            for _ in 0..seed % 24 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                bytes.push((seed >> 56) as u8);
            }
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Whatever another reader takes for a value, this one does too, but for what it cannot read at all.
            let _ = check(&bytes);
        }
    }

    #[test]
    fn arguments_are_an_array() {
        Encoded::arguments(&()).unwrap().check_arguments().unwrap();
        Encoded::arguments(&(1, "x")).unwrap().check_arguments().unwrap();
        assert!(Encoded::of(&1).unwrap().check_arguments().is_err());
        assert!(Encoded::from(vec![0x92, 1]).check_arguments().is_err());
    }
}
