//! The frame of a message on a stream: what stands before its bytes. Knows bytes only, no descriptor and no time.
//!
//! [`Framing::Native`]: one little-endian `u64`, then the payload.
//!
//! | bits of the header | what | checked by the receiver |
//! | --- | --- | --- |
//! | 0 to 47 | length of the payload in bytes | against the receiver's limit; memory is taken as bytes come, never on the word of a header |
//! | 48 to 55 | codec of the payload: 0 raw bytes, 1 MessagePack | by whoever decodes |
//! | 56 to 63 | number of descriptors that go along with the header's first byte, 0 to 253 | must be as many as came |
//!
//! [`Framing::Reference`]: as CPython's `multiprocessing.connection` has it. A big-endian `i32` length, or -1 and a big-endian `u64` length; no codec, no descriptors.

use crate::codec;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::socket::MOST_DESCRIPTORS;

/// How messages are separated on the stream. Both sides must use the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// polyproc's own frame: a length, a codec and descriptors (`docs/format.md`, "Frames").
    #[default]
    Native,
    /// The frame of CPython's `multiprocessing.connection`, to talk to a program that uses that. It carries bytes only.
    Reference,
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) length: u64,
    pub(super) codec: u8,
    pub(super) descriptors: u8,
}

/// What a header's first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    /// This many bytes are needed to say more.
    Needs(usize),
    Whole(Header),
}

/// The longest header.
pub(super) const LONGEST: usize = 12;
/// No message is longer: 256 TiB.
const MOST: u64 = (1 << 48) - 1;

impl Framing {
    /// Writes the header to `bytes`; how long it is.
    pub(super) fn encode(self, header: Header, bytes: &mut [u8; LONGEST]) -> Result<usize> {
        let Header { length, codec, descriptors } = header;
        if length > MOST {
            return Err(Error::new(ErrorKind::TooLarge, format!("a message of {length} bytes is longer than any frame can be")));
        }
        match self {
            Framing::Native => {
                let word = length | u64::from(codec) << 48 | u64::from(descriptors) << 56;
                bytes[..8].copy_from_slice(&word.to_le_bytes());
                Ok(8)
            }
            Framing::Reference if codec != codec::RAW || descriptors != 0 => {
                Err(Error::new(ErrorKind::Unsupported, "the frame of CPython's connections carries plain bytes only; send bytes, or use the native frame"))
            }
            Framing::Reference => {
                if let Ok(short) = i32::try_from(length) {
                    bytes[..4].copy_from_slice(&short.to_be_bytes());
                    return Ok(4);
                }
                bytes[..4].copy_from_slice(&(-1_i32).to_be_bytes());
                bytes[4..].copy_from_slice(&length.to_be_bytes());
                Ok(12)
            }
        }
    }

    /// Reads as much of a header as `bytes` holds, at most [`LONGEST`]. [`ErrorKind::Corrupt`] for what no sender writes.
    pub(super) fn decode(self, bytes: &[u8]) -> Result<Decoded> {
        let corrupt = |why: String| Err(Error::new(ErrorKind::Corrupt, format!("the other side sent no frame of a message: {why}; close this connection")));
        match self {
            Framing::Native => {
                let Some(word) = bytes.first_chunk::<8>() else { return Ok(Decoded::Needs(8)) };
                let word = u64::from_le_bytes(*word);
                let header = Header { length: word & MOST, codec: (word >> 48) as u8, descriptors: (word >> 56) as u8 };
                if usize::from(header.descriptors) > MOST_DESCRIPTORS {
                    return corrupt(format!("{} descriptors with one message", header.descriptors));
                }
                Ok(Decoded::Whole(header))
            }
            Framing::Reference => {
                let Some(short) = bytes.first_chunk::<4>() else { return Ok(Decoded::Needs(4)) };
                let length = match i32::from_be_bytes(*short) {
                    -1 => match bytes.get(4..12).and_then(|long| <[u8; 8]>::try_from(long).ok()) {
                        Some(long) => u64::from_be_bytes(long),
                        None => return Ok(Decoded::Needs(12)),
                    },
                    short => match u64::try_from(short) {
                        Ok(length) => length,
                        Err(_) => return corrupt(format!("a length of {short}")),
                    },
                };
                if length > MOST {
                    return corrupt(format!("a length of {length}"));
                }
                Ok(Decoded::Whole(Header { length, codec: codec::RAW, descriptors: 0 }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(framing: Framing, length: u64, codec: u8, descriptors: u8) -> Vec<u8> {
        let mut bytes = [0; LONGEST];
        let len = framing.encode(Header { length, codec, descriptors }, &mut bytes).unwrap();
        bytes[..len].to_vec()
    }

    #[test]
    fn golden_bytes() {
        assert_eq!(encoded(Framing::Native, 0, 0, 0), [0; 8]);
        assert_eq!(encoded(Framing::Native, 5, 1, 0), [5, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(encoded(Framing::Native, 0x0102_0304_0506, 1, 253), [6, 5, 4, 3, 2, 1, 1, 253]);
        assert_eq!(encoded(Framing::Reference, 5, 0, 0), [0, 0, 0, 5]);
        assert_eq!(encoded(Framing::Reference, 0x7fff_ffff, 0, 0), [0x7f, 0xff, 0xff, 0xff]);
        assert_eq!(encoded(Framing::Reference, 0x8000_0000, 0, 0), [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0x80, 0, 0, 0]);
    }

    #[test]
    fn what_a_frame_cannot_say_is_an_error() {
        let mut bytes = [0; LONGEST];
        let mut kind = |framing: Framing, length, codec, descriptors| framing.encode(Header { length, codec, descriptors }, &mut bytes).unwrap_err().kind();
        assert_eq!(kind(Framing::Native, 1 << 48, 0, 0), ErrorKind::TooLarge);
        assert_eq!(kind(Framing::Reference, 1, 1, 0), ErrorKind::Unsupported);
        assert_eq!(kind(Framing::Reference, 1, 0, 1), ErrorKind::Unsupported);
    }

    #[test]
    fn forged_headers() {
        let corrupt = |framing: Framing, bytes: &[u8]| assert_eq!(framing.decode(bytes).unwrap_err().kind(), ErrorKind::Corrupt);
        corrupt(Framing::Native, &[0, 0, 0, 0, 0, 0, 0, 254]);
        corrupt(Framing::Reference, &[0xff, 0xff, 0xff, 0xfe]);
        corrupt(Framing::Reference, &[0xff; 12]);
    }

    proptest! {
        #[test]
        fn any_header_comes_back(length in 0..=MOST, codec: u8, descriptors in 0..=253_u8) {
            let bytes = encoded(Framing::Native, length, codec, descriptors);
            prop_assert_eq!(Framing::Native.decode(&bytes).unwrap(), Decoded::Whole(Header { length, codec, descriptors }));
            let bytes = encoded(Framing::Reference, length, 0, 0);
            prop_assert_eq!(Framing::Reference.decode(&bytes).unwrap(), Decoded::Whole(Header { length, codec: 0, descriptors: 0 }));
        }

        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..=LONGEST)) {
            for framing in [Framing::Native, Framing::Reference] {
                if let Ok(Decoded::Needs(more)) = framing.decode(&bytes) {
                    prop_assert!(more > bytes.len() && more <= LONGEST);
                }
            }
        }
    }
}
