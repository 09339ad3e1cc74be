//! Values as bytes: MessagePack through serde, structs as maps with field names so that every language reads them. Knows no queue.

mod shapes;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};

/// Codec number of raw bytes, which nobody interprets.
pub const RAW: u8 = 0;
/// Codec number of MessagePack.
pub const MESSAGEPACK: u8 = 1;
pub use crate::block::parcel::{WITH_BLOCKS, body_of};
pub use shapes::{BIG_INTEGER, COMPLEX, FROZEN_SET, SET, TUPLE};

/// Appends the encoding of `value` to `bytes`; [`ErrorKind::Encode`] if it does not serialise (`bytes` may have grown).
pub fn encode<T: Serialize + ?Sized>(value: &T, bytes: &mut Vec<u8>) -> Result<()> {
    let mut serializer = rmp_serde::Serializer::new(bytes).with_struct_map();
    value.serialize(&mut serializer).map_err(|error| Error::new(ErrorKind::Encode, format!("a {} cannot be encoded: {error}", std::any::type_name::<T>())))
}

/// The encoding of `value`.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes)?;
    Ok(bytes)
}

/// The value that `bytes` encode, all of them; else [`ErrorKind::Decode`]. Tuples and sets of languages that tell them from lists ([`TUPLE`], [`SET`]) are
/// read by whatever type expects a sequence.
///
/// ```
/// let bytes = polyproc_ipc::codec::to_vec(&(1, "two"))?;
/// assert_eq!(polyproc_ipc::codec::decode::<(u8, String)>(&bytes)?, (1, "two".into()));
/// assert!(polyproc_ipc::codec::decode::<u8>(&bytes).is_err());
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // Who has no use for other languages' shapes pays nothing for them.
    read(bytes).or_else(|fault| shapes::as_arrays(bytes).map_or(Err(fault), |plain| read(&plain)))
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let fault = |why: String| Error::new(ErrorKind::Decode, format!("{} bytes are not a {}: {why}", bytes.len(), std::any::type_name::<T>()));
    let mut rest = bytes;
    let value = T::deserialize(&mut rmp_serde::Deserializer::new(&mut rest)).map_err(|error| fault(error.to_string()))?;
    if rest.is_empty() { Ok(value) } else { Err(fault(format!("{} bytes are left over", rest.len()))) }
}
