//! Bytes with the number of their codec, as dicts and lists are handed them. Knows no container.

use crate::codec;
use crate::queue::Message;

/// A key, value or item as bytes, with the codec that it is in. Plain bytes turn into one of codec [`RAW`](crate::codec::RAW), `(bytes, codec)` and a received [`Message`] into what they say.
///
/// ```
/// use polyproc_ipc::{Packed, codec};
/// let raw = Packed::from(b"bytes");
/// assert_eq!((raw.bytes, raw.codec), (&b"bytes"[..], codec::RAW));
/// let number = codec::to_vec(&5)?;
/// assert_eq!(Packed::from((&number[..], codec::MESSAGEPACK)).codec, codec::MESSAGEPACK);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// The codec's number.
    pub codec: u8,
}

impl<'a> Packed<'a> {
    pub(crate) fn messagepack(bytes: &'a [u8]) -> Packed<'a> {
        Packed { bytes, codec: codec::MESSAGEPACK }
    }
}

impl<'a> From<&'a [u8]> for Packed<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Packed { bytes, codec: codec::RAW }
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Packed<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Packed { bytes, codec: codec::RAW }
    }
}

impl<'a> From<&'a Vec<u8>> for Packed<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Packed { bytes, codec: codec::RAW }
    }
}

impl<'a> From<(&'a [u8], u8)> for Packed<'a> {
    fn from((bytes, codec): (&'a [u8], u8)) -> Self {
        Packed { bytes, codec }
    }
}

impl<'a> From<&'a Message> for Packed<'a> {
    fn from(message: &'a Message) -> Self {
        Packed { bytes: message, codec: message.codec() }
    }
}
