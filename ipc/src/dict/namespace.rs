//! `Namespace`: attributes by name, each with a value of any type. A table with one shard whose keys are text.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::layout::SIZE;
use super::table::{Table, When};
use super::typed::{decoded, encoded, encoded_pair};
use crate::codec;
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::Fabric;
use crate::fabric::handle::{Handle, How, shared_object};
use crate::objects::Kind;
use crate::packed::Packed;
use crate::queue::Message;

/// Attributes that processes share: each name has a value of its own type, which other languages read too. Handles may be values.
///
/// **When a process dies**, at whatever instruction: its last change is there, or it is not; nobody waits for it.
///
/// ```
/// use polyproc_ipc::{Fabric, Namespace};
/// let shared = Namespace::create(&Fabric::new()?, "settings")?;
/// shared.set("threads", &4)?;
/// shared.set("title", "first run")?;
/// assert_eq!(shared.get::<u32>("threads")?, 4);
/// assert_eq!(shared.names()?, ["threads", "title"]);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone)]
pub struct Namespace(Table);

impl Namespace {
    /// A namespace without a name. It goes with its last handle here, unless its [ticket](Namespace::ticket) was made.
    pub fn new(fabric: &Fabric) -> Result<Namespace> {
        Namespace::get_by(fabric, How::New)
    }

    /// Makes the namespace of this name.
    pub fn create(fabric: &Fabric, name: &str) -> Result<Namespace> {
        Namespace::get_by(fabric, How::Create(name))
    }

    /// Opens the namespace of this name.
    pub fn open(fabric: &Fabric, name: &str) -> Result<Namespace> {
        Namespace::get_by(fabric, How::Open(name))
    }

    /// Opens the namespace of this name, or makes it.
    pub fn open_or_create(fabric: &Fabric, name: &str) -> Result<Namespace> {
        Namespace::get_by(fabric, How::OpenOrCreate(name))
    }

    /// Gives an attribute a value.
    pub fn set<V: Serialize + ?Sized>(&self, name: &str, value: &V) -> Result<()> {
        encoded_pair(name, value, |name, value| self.write(name, value))
    }

    /// Gives an attribute a value that is encoded already.
    pub fn set_bytes<'v>(&self, name: &str, value: impl Into<Packed<'v>>) -> Result<()> {
        encoded(name, |name| self.write(name, value.into()))
    }

    /// The value of an attribute; [`ErrorKind::NotFound`] if there is none of this name, [`ErrorKind::Decode`] if it is not a `V`.
    pub fn get<V: DeserializeOwned>(&self, name: &str) -> Result<V> {
        decoded(self.get_bytes(name)?)
    }

    /// The value of an attribute as it is encoded; [`ErrorKind::NotFound`] if there is none of this name.
    pub fn get_bytes(&self, name: &str) -> Result<Message> {
        let found = encoded(name, |name| self.0.get(&self.0.key(name.bytes, name.codec)?))?;
        found.map(|(value, _)| value).ok_or_else(|| self.no(name))
    }

    /// Whether there is an attribute of this name.
    pub fn contains(&self, name: &str) -> Result<bool> {
        encoded(name, |name| self.0.contains(&self.0.key(name.bytes, name.codec)?))
    }

    /// Takes an attribute out; [`ErrorKind::NotFound`] if there is none of this name.
    pub fn delete(&self, name: &str) -> Result<()> {
        if encoded(name, |name| self.0.delete(&self.0.key(name.bytes, name.codec)?))? { Ok(()) } else { Err(self.no(name)) }
    }

    /// The names of all attributes at one instant, in the order they came.
    pub fn names(&self) -> Result<Vec<String>> {
        self.0.snapshot(|entry| entry.key())?.into_iter().map(decoded).collect()
    }

    /// All attributes at one instant: names, and values as they are encoded.
    pub fn items(&self) -> Result<Vec<(String, Message)>> {
        self.0.snapshot(|entry| Ok((entry.key()?, entry.value()?)))?.into_iter().map(|(name, value)| Ok((decoded(name)?, value))).collect()
    }

    /// As [`BytesDict::version`](crate::BytesDict::version).
    pub fn version(&self) -> Result<u64> {
        self.0.here()?;
        Ok(self.0.words().version())
    }

    /// As [`BytesDict::wait_change`](crate::BytesDict::wait_change).
    pub fn wait_change(&self, since: u64, time: Option<Duration>) -> Result<u64> {
        let late = || Error::new(ErrorKind::Timeout, format!("namespace {} did not change within the time given", self.0.handle().label()));
        self.0.wait(since, time)?.ok_or_else(late)
    }

    fn write(&self, name: Packed<'_>, value: Packed<'_>) -> Result<()> {
        debug_assert_eq!(name.codec, codec::MESSAGEPACK);
        self.0.write(&self.0.key(name.bytes, name.codec)?, value, When::Always).map(drop)
    }

    #[cold]
    fn no(&self, name: &str) -> Error {
        Error::new(ErrorKind::NotFound, format!("namespace {} has no attribute '{name}'", self.0.handle().label()))
    }

    fn get_by(fabric: &Fabric, how: How<'_>) -> Result<Namespace> {
        Table::get_by(fabric, Kind::Namespace, how, 1).map(Namespace)
    }

    fn handle(&self) -> &Handle {
        self.0.handle()
    }

    fn of(handle: Handle) -> Namespace {
        Namespace(Table::of(handle, Kind::Namespace))
    }
}

shared_object!(Namespace, Kind::Namespace, SIZE, "namespace");
