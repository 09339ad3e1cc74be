//! Tickets and fabric ids: how an object is named outside the segment. Knows bytes and text; attaching is the handle's.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, ErrorKind, Result};
use crate::objects::{Kind, ObjectId};

/// A fabric's identity: 16 random bytes given at its birth.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FabricId(pub(crate) [u8; 16]);

impl fmt::Display for FabricId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FabricId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The small description by which another process attaches to an object: as text it fits a command line or an environment variable, and through serde it
/// travels inside messages. Making one gives the object to the fabric: it no longer goes with its maker.
///
/// A ticket is not a claim: it does not keep the object alive. Using one whose object was destroyed answers [`ErrorKind::Gone`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    fabric: FabricId,
    kind: u64,
    id: ObjectId,
}

/// MessagePack extension type of a ticket (`docs/format.md`).
const EXTENSION: i8 = 6;

impl Ticket {
    pub(crate) fn new(fabric: FabricId, kind: Kind, id: ObjectId) -> Ticket {
        Ticket { fabric, kind: kind as u64, id }
    }

    pub(crate) fn id(&self) -> ObjectId {
        self.id
    }

    /// The fabric that the object lives in.
    pub fn fabric(&self) -> FabricId {
        self.fabric
    }

    /// What the ticket leads to, if this version knows the kind.
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_number(self.kind)
    }

    /// The ticket as 40 bytes, in the form of `docs/format.md`.
    pub fn to_bytes(self) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[..16].copy_from_slice(&self.fabric.0);
        for (i, word) in [self.kind, self.id.offset, self.id.birth].into_iter().enumerate() {
            bytes[16 + i * 8..][..8].copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// The ticket of these bytes; `None` for another number of them.
    pub fn from_bytes(bytes: &[u8]) -> Option<Ticket> {
        let bytes: &[u8; 40] = bytes.try_into().ok()?;
        let word = |i: usize| u64::from_le_bytes(bytes[16 + i * 8..][..8].try_into().expect("8 bytes"));
        Some(Ticket { fabric: FabricId(bytes[..16].try_into().expect("16 bytes")), kind: word(0), id: ObjectId { offset: word(1), birth: word(2) } })
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Ticket {
    type Err = Error;

    fn from_str(text: &str) -> Result<Ticket> {
        let digits = || Error::new(ErrorKind::Decode, "a ticket is 80 hexadecimal digits");
        if text.len() != 80 || !text.is_ascii() {
            return Err(digits());
        }
        let bytes: Vec<u8> = (0..40).map(|i| u8::from_str_radix(&text[i * 2..][..2], 16)).collect::<Result<_, _>>().map_err(|_| digits())?;
        Ticket::from_bytes(&bytes).ok_or_else(digits)
    }
}

impl Serialize for Ticket {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Bytes([u8; 40]);
        impl Serialize for Bytes {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(&self.0)
            }
        }
        serializer.serialize_newtype_struct(rmp_serde::MSGPACK_EXT_STRUCT_NAME, &(EXTENSION, Bytes(self.to_bytes())))
    }
}

impl<'de> Deserialize<'de> for Ticket {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ticket, D::Error> {
        struct Parts;
        impl<'de> Visitor<'de> for Parts {
            type Value = Ticket;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a ticket (extension type 6)")
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Ticket, D::Error> {
                deserializer.deserialize_tuple(2, self)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Ticket, A::Error> {
                let kind: Option<i8> = seq.next_element()?;
                let bytes: Option<Bytes> = seq.next_element()?;
                match (kind, bytes.and_then(|bytes| Ticket::from_bytes(&bytes.0))) {
                    (Some(EXTENSION), Some(ticket)) => Ok(ticket),
                    _ => Err(A::Error::custom("not a ticket")),
                }
            }
        }
        struct Bytes(Vec<u8>);
        impl<'de> Deserialize<'de> for Bytes {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
                struct Raw;
                impl Visitor<'_> for Raw {
                    type Value = Bytes;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("bytes")
                    }
                    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                        Ok(Bytes(bytes.to_vec()))
                    }
                }
                deserializer.deserialize_bytes(Raw)
            }
        }
        deserializer.deserialize_newtype_struct(rmp_serde::MSGPACK_EXT_STRUCT_NAME, Parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_survives_text_and_messagepack() {
        let ticket = Ticket::new(FabricId([7; 16]), Kind::Queue, ObjectId { offset: 0x1234_0000, birth: 99 });
        assert_eq!(ticket.to_string().parse::<Ticket>().unwrap(), ticket);
        let bytes = rmp_serde::to_vec(&("a", ticket)).unwrap();
        let back: (String, Ticket) = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!(back.1, ticket);
        assert!("00".parse::<Ticket>().is_err());
        assert!("é".repeat(40).parse::<Ticket>().is_err());
    }
}
