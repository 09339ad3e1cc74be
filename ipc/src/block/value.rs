//! A block as a value: what stands for it in an encoding. Beside the codec where a parcel is packed or read, else as bytes in it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::parcel::{self, EXTENSION};
use super::source::Source;
use super::{Block, Piece, Place, Plain};
use crate::cells::CellType;

pub(super) const HERE: u8 = 0;
pub(super) const BESIDE: u8 = 1;
pub(super) const HEAD: usize = 4;

impl<T: Plain> Serialize for Block<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let size = u16::try_from(size_of::<T>()).map_err(|_| S::Error::custom("a block's value has at most 65535 bytes"))?;
        let len = size_of_val::<[T]>(self);
        let piece = || match &self.place {
            Place::Own(values) => Piece { source: Source::Own(values.clone()), at: 0, len },
            Place::Shared(piece, _) => piece.clone(),
        };
        let place = parcel::pack(piece, len);
        let mut bytes = Vec::with_capacity(HEAD + place.map_or(len, |_| 4));
        bytes.extend_from_slice(&[if place.is_some() { BESIDE } else { HERE }, T::TYPE.code() as u8]);
        bytes.extend_from_slice(&size.to_le_bytes());
        match place {
            Some(place) => bytes.extend_from_slice(&place.to_le_bytes()),
            None => bytes.extend_from_slice(bytemuck::cast_slice(self)),
        }
        serializer.serialize_newtype_struct(rmp_serde::MSGPACK_EXT_STRUCT_NAME, &(EXTENSION, Raw(bytes)))
    }
}

impl<'de, T: Plain> Deserialize<'de> for Block<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Block<T>, D::Error> {
        deserializer.deserialize_newtype_struct(rmp_serde::MSGPACK_EXT_STRUCT_NAME, Parts(PhantomData))
    }
}

/// The block that these bytes stand for.
fn read<T: Plain>(bytes: &[u8]) -> Result<Block<T>, String> {
    let Some((&[form, code, low, high], rest)) = bytes.split_first_chunk::<HEAD>() else { return Err("a block's head is cut short".into()) };
    let size = usize::from(u16::from_le_bytes([low, high]));
    let expected = T::TYPE;
    let same = CellType::from_code(code.into()).map_or(code == expected.code() as u8, |found| found.is_same(&expected));
    if !same || size != size_of::<T>() {
        return Err(format!("a block of '{}' ({size} bytes) where one of {expected} is expected", char::from(code).escape_default()));
    }
    let copied = |bytes: &[u8]| {
        if size == 0 || !bytes.len().is_multiple_of(size) {
            return Err(format!("{} bytes are no whole number of {expected}", bytes.len()));
        }
        let mut values = vec![T::zeroed(); bytes.len() / size];
        bytemuck::cast_slice_mut(&mut values).copy_from_slice(bytes);
        Ok(Block::from(values))
    };
    match form {
        HERE => copied(rest),
        BESIDE => {
            let place = rest.try_into().ok().map(u32::from_le_bytes);
            let piece = place.and_then(parcel::unpack).ok_or("a block lies outside of its message")?;
            let whole = bytemuck::try_cast_slice::<u8, T>(piece.bytes()).is_ok();
            if whole { Ok(Block::shared(piece)) } else { copied(piece.bytes()) }
        }
        other => Err(format!("a block of the unknown form {other}")),
    }
}

struct Raw(Vec<u8>);

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

/// The parts of an extension: its type, and bytes, of which a block is made where they are.
struct Parts<T>(PhantomData<T>);

impl<'de, T: Plain> Visitor<'de> for Parts<T> {
    type Value = Block<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a block of {} (extension type {EXTENSION})", T::TYPE)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Block<T>, D::Error> {
        deserializer.deserialize_tuple(2, self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Block<T>, A::Error> {
        let kind: Option<i8> = seq.next_element()?;
        if kind != Some(EXTENSION) {
            return Err(A::Error::custom(format_args!("extension type {kind:?} is no block")));
        }
        let made: Option<Made<T>> = seq.next_element()?;
        made.map(|made| made.0).ok_or_else(|| A::Error::custom("a block without bytes"))
    }
}

struct Made<T>(Block<T>);

impl<'de, T: Plain> Deserialize<'de> for Made<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Made<T>, D::Error> {
        struct Bytes<T>(PhantomData<T>);
        impl<T: Plain> Visitor<'_> for Bytes<T> {
            type Value = Made<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the bytes of a block")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Made<T>, E> {
                read(bytes).map(Made).map_err(E::custom)
            }
        }
        deserializer.deserialize_bytes(Bytes(PhantomData))
    }
}
