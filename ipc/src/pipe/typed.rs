//! Values through a connection: MessagePack by serde, and other connections inside them. Knows no stream.
//!
//! A connection inside a value is extension type 7 of two bytes: which of the message's descriptors it is, and a set of bits (1 receives, 2 sends, 4 has CPython's frame). While a value
//! is encoded, a thread-local list collects the descriptors; while one is decoded, it hands them out, each once. Outside of such a call a connection does not encode.

use std::cell::RefCell;
use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use serde::de::{DeserializeOwned, Error as _, SeqAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::connection::Connection;
use super::frame::Framing;
use crate::codec;
use crate::error::{Error, ErrorKind, Result};
use crate::queue::Message;
use crate::shm::Deadline;
use crate::sys::socket::MOST_DESCRIPTORS;

/// MessagePack extension type of a connection (`docs/format.md`).
const EXTENSION: i8 = 7;
const RECEIVES: u8 = 1;
const SENDS: u8 = 2;
const REFERENCE: u8 = 4;

thread_local! {
    /// The descriptors of the value that this thread is encoding; none: it encodes no message of a connection.
    static LEAVING: RefCell<Option<Vec<OwnedFd>>> = const { RefCell::new(None) };
    /// The descriptors of the value that this thread is decoding.
    static ARRIVING: RefCell<Vec<Option<OwnedFd>>> = const { RefCell::new(Vec::new()) };
}

impl Connection {
    /// Sends a value. Connections inside it go along, and stay this process's too until it drops them.
    ///
    /// [`ErrorKind::Encode`] if it does not serialise: nothing was sent.
    ///
    /// ```
    /// let (a, b) = polyproc_ipc::pipe()?;
    /// let (mine, theirs) = polyproc_ipc::pipe()?;
    /// a.send(&("answer here", theirs))?;
    ///
    /// let (text, back): (String, polyproc_ipc::Connection) = b.recv()?; // in whatever process
    /// back.send(&text.len())?;
    /// assert_eq!(mine.recv::<usize>()?, 11);
    /// # Ok::<(), polyproc_ipc::Error>(())
    /// ```
    pub fn send<T: Serialize + ?Sized>(&self, value: &T) -> Result<()> {
        self.send_value(value, Deadline::Never)
    }

    /// Sends a value; waits at most `time` for room.
    pub fn send_timeout<T: Serialize + ?Sized>(&self, value: &T, time: Duration) -> Result<()> {
        self.send_value(value, Deadline::after(Some(time)))
    }

    /// The next message, which must be a value of this type. [`ErrorKind::Decode`] if it is not: the error [has the message](Error::into_message), without the descriptors that came along.
    pub fn recv<T: DeserializeOwned>(&self) -> Result<T> {
        self.recv_value(Deadline::Never)
    }

    /// As [`Connection::recv`], if it comes within `time`.
    pub fn recv_timeout<T: DeserializeOwned>(&self, time: Duration) -> Result<T> {
        self.recv_value(Deadline::after(Some(time)))
    }

    fn send_value<T: Serialize + ?Sized>(&self, value: &T, deadline: Deadline) -> Result<()> {
        let outer = LEAVING.replace(Some(Vec::new()));
        let encoded = codec::to_vec(value);
        let descriptors = LEAVING.replace(outer).unwrap_or_default();
        let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        self.send_message(&encoded?, codec::MESSAGEPACK, &descriptors, deadline)
    }

    fn recv_value<T: DeserializeOwned>(&self, deadline: Deadline) -> Result<T> {
        let frame = self.receive(self.limit(), deadline)?;
        let value = if frame.codec == codec::MESSAGEPACK {
            let outer = ARRIVING.replace(frame.descriptors.into_iter().map(Some).collect());
            let value = codec::decode(&frame.bytes);
            ARRIVING.set(outer);
            value
        } else {
            Err(Error::new(ErrorKind::Decode, format!("the message is of codec {}, not MessagePack: receive it as bytes", frame.codec)))
        };
        value.map_err(|error| error.with_message(Message::own(frame.bytes, frame.codec)))
    }

    fn bits(&self) -> u8 {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        bit(self.is_readable(), RECEIVES) | bit(self.is_writable(), SENDS) | bit(self.framing() == Framing::Reference, REFERENCE)
    }

    fn arrived(index: u8, bits: u8) -> Result<Connection, String> {
        let fd = ARRIVING.with_borrow_mut(|arriving| arriving.get_mut(usize::from(index)).and_then(Option::take));
        let fd = fd.ok_or("no descriptor came with this connection; it travels in messages of connections only")?;
        let connection = Connection::from_fd(fd).map_err(|error| error.to_string())?;
        match bits {
            1..=7 if bits & (RECEIVES | SENDS) != 0 => {}
            _ => return Err(format!("no connection has the bits {bits}")),
        }
        let connection = if bits & RECEIVES == 0 { connection.sending_only() } else { connection };
        let connection = if bits & SENDS == 0 { connection.receiving_only() } else { connection };
        Ok(if bits & REFERENCE == 0 { connection } else { connection.framed(Framing::Reference) })
    }
}

impl Serialize for Connection {
    /// Inside a value that [`Connection::send`] sends; an error anywhere else.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let index = LEAVING.with_borrow_mut(|leaving| {
            let leaving = leaving.as_mut().ok_or_else(|| S::Error::custom("a connection travels in messages of connections only"))?;
            if leaving.len() == MOST_DESCRIPTORS {
                return Err(S::Error::custom(format!("a message carries at most {MOST_DESCRIPTORS} connections")));
            }
            leaving.push(self.duplicate_fd().map_err(S::Error::custom)?);
            Ok(leaving.len() as u8 - 1)
        })?;
        serializer.serialize_newtype_struct(rmp_serde::MSGPACK_EXT_STRUCT_NAME, &(EXTENSION, TwoBytes([index, self.bits()])))
    }
}

struct TwoBytes([u8; 2]);

impl Serialize for TwoBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for TwoBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TwoBytes, D::Error> {
        struct Raw;
        impl Visitor<'_> for Raw {
            type Value = TwoBytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("two bytes")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<TwoBytes, E> {
                bytes.try_into().map(TwoBytes).map_err(|_| E::invalid_length(bytes.len(), &self))
            }
        }
        deserializer.deserialize_bytes(Raw)
    }
}

impl<'de> Deserialize<'de> for Connection {
    /// Inside a value that [`Connection::recv`] receives; an error anywhere else.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Connection, D::Error> {
        struct Parts;
        impl<'de> Visitor<'de> for Parts {
            type Value = Connection;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a connection (extension type 7)")
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Connection, D::Error> {
                deserializer.deserialize_tuple(2, self)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Connection, A::Error> {
                let kind: Option<i8> = seq.next_element()?;
                let bytes: Option<TwoBytes> = seq.next_element()?;
                match (kind, bytes) {
                    (Some(EXTENSION), Some(TwoBytes([index, bits]))) => Connection::arrived(index, bits).map_err(A::Error::custom),
                    _ => Err(A::Error::custom("not a connection")),
                }
            }
        }
        deserializer.deserialize_newtype_struct(rmp_serde::MSGPACK_EXT_STRUCT_NAME, Parts)
    }
}
