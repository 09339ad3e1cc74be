//! `Dict<K, V>`: a `BytesDict` with Rust keys and values, as MessagePack. Knows no shared memory.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bytes::{BytesDict, BytesEntries};
use crate::codec;
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::{Fabric, Ticket};
use crate::packed::Packed;
use crate::queue::Message;

/// A dict of Rust keys and values between processes: [`BytesDict`] with MessagePack on top, so that every other language reads them too. All that is said there holds here.
///
/// Handles may be values: a `Dict<String, Queue<u64>>` gives every process the same queues.
///
/// **Errors** beyond those of [`BytesDict`]: [`ErrorKind::Encode`] for what does not serialise, [`ErrorKind::Decode`] for a key or value that is of another type
/// ([`Error::into_message`] has its bytes; it stays in the dict, except for what [`pop`](Dict::pop) and its like took out).
///
/// ```
/// use polyproc_ipc::{Dict, Fabric};
/// let fabric = Fabric::new()?;
/// let stock = Dict::<String, u32>::new(&fabric)?;
/// stock.set("pears", &3)?;
/// stock.set("plums", &5)?;
/// assert_eq!(stock.get("pears")?, Some(3));
/// assert_eq!(stock.increment("pears", 2)?, 5);
/// stock.update_with("plums", |old| old.filter(|n| *n < 5))?; // none is left: the key goes
/// assert_eq!(stock.snapshot()?, [("pears".to_owned(), 5)]);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub struct Dict<K, V> {
    bytes: BytesDict,
    types: PhantomData<fn(K) -> V>,
}

/// A value with its version: [`Dict::get_versioned`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versioned<V> {
    /// The value.
    pub value: V,
    /// A number that no earlier value of this key had.
    pub version: u64,
}

impl<K, V> Dict<K, V> {
    fn of(bytes: BytesDict) -> Dict<K, V> {
        Dict { bytes, types: PhantomData }
    }

    /// As [`BytesDict::new`].
    pub fn new(fabric: &Fabric) -> Result<Dict<K, V>> {
        BytesDict::new(fabric).map(Dict::of)
    }

    /// As [`BytesDict::create`].
    pub fn create(fabric: &Fabric, name: &str) -> Result<Dict<K, V>> {
        BytesDict::create(fabric, name).map(Dict::of)
    }

    /// As [`BytesDict::open`].
    pub fn open(fabric: &Fabric, name: &str) -> Result<Dict<K, V>> {
        BytesDict::open(fabric, name).map(Dict::of)
    }

    /// As [`BytesDict::open_or_create`].
    pub fn open_or_create(fabric: &Fabric, name: &str) -> Result<Dict<K, V>> {
        BytesDict::open_or_create(fabric, name).map(Dict::of)
    }

    /// As [`BytesDict::with_shards`].
    pub fn with_shards(fabric: &Fabric, name: Option<&str>, shards: usize) -> Result<Dict<K, V>> {
        BytesDict::with_shards(fabric, name, shards).map(Dict::of)
    }

    /// As [`BytesDict::from_ticket`].
    pub fn from_ticket(ticket: &Ticket) -> Result<Dict<K, V>> {
        BytesDict::from_ticket(ticket).map(Dict::of)
    }

    /// As [`BytesDict::ticket`].
    pub fn ticket(&self) -> Ticket {
        self.bytes.ticket()
    }

    /// As [`BytesDict::destroy`].
    pub fn destroy(&self) -> Result<()> {
        self.bytes.destroy()
    }

    /// The same dict, as bytes.
    pub fn bytes(&self) -> &BytesDict {
        &self.bytes
    }

    /// As [`BytesDict::copy`].
    pub fn copy(&self) -> Result<Dict<K, V>> {
        self.bytes.copy().map(Dict::of)
    }

    /// As [`BytesDict::update_from`].
    pub fn update_from(&self, other: &Dict<K, V>) -> Result<()> {
        self.bytes.update_from(&other.bytes)
    }

    /// As [`BytesDict::clear`].
    pub fn clear(&self) -> Result<()> {
        self.bytes.clear()
    }

    /// As [`BytesDict::len`].
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// As [`BytesDict::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// As [`BytesDict::version`].
    pub fn version(&self) -> Result<u64> {
        self.bytes.version()
    }

    /// As [`BytesDict::wait_change`].
    pub fn wait_change(&self, since: u64, time: Option<Duration>) -> Result<u64> {
        self.bytes.wait_change(since, time)
    }
}

impl<K, V> Dict<K, V> {
    /// Whether a key is there.
    pub fn contains<Q: Serialize + ?Sized>(&self, key: &Q) -> Result<bool>
    where
        K: Borrow<Q>,
    {
        encoded(key, |key| self.bytes.contains(key))
    }

    /// Takes a key out; [`ErrorKind::NotFound`] if it is absent.
    pub fn delete<Q: Serialize + ?Sized>(&self, key: &Q) -> Result<()>
    where
        K: Borrow<Q>,
    {
        encoded(key, |key| self.bytes.delete(key))
    }

    /// As [`BytesDict::compare_and_delete`].
    pub fn compare_and_delete<Q: Serialize + ?Sized>(&self, key: &Q, expected: u64) -> Result<bool>
    where
        K: Borrow<Q>,
    {
        encoded(key, |key| self.bytes.compare_and_delete(key, expected))
    }
}

impl<K, V: DeserializeOwned> Dict<K, V> {
    /// The value of a key, if it is there.
    pub fn get<Q: Serialize + ?Sized>(&self, key: &Q) -> Result<Option<V>>
    where
        K: Borrow<Q>,
    {
        encoded(key, |key| self.bytes.get(key))?.map(decoded).transpose()
    }

    /// The value of a key; where it is absent, this one.
    pub fn get_or<Q: Serialize + ?Sized>(&self, key: &Q, default: V) -> Result<V>
    where
        K: Borrow<Q>,
    {
        Ok(self.get(key)?.unwrap_or(default))
    }

    /// The value of a key; [`ErrorKind::NotFound`] if it is absent.
    pub fn item<Q: Serialize + ?Sized>(&self, key: &Q) -> Result<V>
    where
        K: Borrow<Q>,
    {
        decoded(encoded(key, |key| self.bytes.item(key))?)
    }

    /// The value of a key and its version, if it is there.
    pub fn get_versioned<Q: Serialize + ?Sized>(&self, key: &Q) -> Result<Option<Versioned<V>>>
    where
        K: Borrow<Q>,
    {
        encoded(key, |key| self.bytes.get_versioned(key))?.map(versioned).transpose()
    }

    /// Takes a key out; the value it had. [`ErrorKind::NotFound`] if it is absent.
    pub fn pop<Q: Serialize + ?Sized>(&self, key: &Q) -> Result<V>
    where
        K: Borrow<Q>,
    {
        decoded(encoded(key, |key| self.bytes.pop(key))?)
    }

    /// Takes a key out; the value it had, or this one if it is absent.
    pub fn pop_or<Q: Serialize + ?Sized>(&self, key: &Q, default: V) -> Result<V>
    where
        K: Borrow<Q>,
    {
        encoded(key, |key| self.bytes.take(key))?.map_or(Ok(default), decoded)
    }

    /// As [`BytesDict::wait_key`].
    pub fn wait_key<Q: Serialize + ?Sized>(&self, key: &Q, since: Option<u64>, time: Option<Duration>) -> Result<Option<Versioned<V>>>
    where
        K: Borrow<Q>,
    {
        encoded(key, |key| self.bytes.wait_key(key, since, time))?.map(versioned).transpose()
    }

    /// As [`BytesDict::increment`]; the sum as this dict's type of values ([`ErrorKind::Decode`] if it is too large or too small for that; it was added all the same).
    pub fn increment<Q: Serialize + ?Sized>(&self, key: &Q, delta: i64) -> Result<V>
    where
        K: Borrow<Q>,
    {
        let sum = encoded(key, |key| self.bytes.increment(key, delta))?;
        let mut bytes = Vec::with_capacity(9);
        super::keys::put_integer(&mut bytes, sum);
        codec::decode(&bytes)
    }

    /// All values in order, some at a time: as [`BytesDict::items`].
    pub fn values(&self) -> DictValues<V> {
        DictValues(self.bytes.values(), PhantomData)
    }
}

impl<K, V: Serialize> Dict<K, V> {
    /// Gives a key a value; the version of that. A key that is there keeps its place.
    pub fn set<Q: Serialize + ?Sized>(&self, key: &Q, value: &V) -> Result<u64>
    where
        K: Borrow<Q>,
    {
        encoded_pair(key, value, |key, value| self.bytes.set(key, value))
    }

    /// As [`BytesDict::compare_and_set`].
    pub fn compare_and_set<Q: Serialize + ?Sized>(&self, key: &Q, expected: Option<u64>, value: &V) -> Result<Option<u64>>
    where
        K: Borrow<Q>,
    {
        encoded_pair(key, value, |key, value| self.bytes.compare_and_set(key, expected, value))
    }

    /// Sets many, each by itself, up to the first that fails.
    pub fn update(&self, entries: impl IntoIterator<Item = (K, V)>) -> Result<()>
    where
        K: Serialize,
    {
        entries.into_iter().try_for_each(|(key, value)| self.set(&key, &value).map(drop))
    }

    /// A new dict without a name that has each of these keys, with the same value.
    pub fn from_keys(fabric: &Fabric, keys: impl IntoIterator<Item = K>, value: &V) -> Result<Dict<K, V>>
    where
        K: Serialize,
    {
        let dict = Dict::new(fabric)?;
        keys.into_iter().try_for_each(|key| dict.set(&key, value).map(drop))?;
        Ok(dict)
    }
}

impl<K, V: Serialize + DeserializeOwned> Dict<K, V> {
    /// The value of a key; where it is absent, it is given this one first.
    pub fn set_default<Q: Serialize + ?Sized>(&self, key: &Q, value: &V) -> Result<V>
    where
        K: Borrow<Q>,
    {
        decoded(encoded_pair(key, value, |key, value| self.bytes.set_default(key, value))?)
    }

    /// Changes a value by a function of the old one (`None`: absent, and as an answer: to be taken out); the new one. No lock is held while the function runs; if somebody else changed
    /// the value meanwhile, it is called again with that one, so it may run more than once.
    pub fn update_with<Q: Serialize + ?Sized>(&self, key: &Q, mut change: impl FnMut(Option<V>) -> Option<V>) -> Result<Option<V>>
    where
        K: Borrow<Q>,
    {
        loop {
            let old = self.get_versioned(key)?;
            let version = old.as_ref().map(|old| old.version);
            let new = change(old.map(|old| old.value));
            let done = match (&new, version) {
                (Some(value), _) => self.compare_and_set(key, version, value)?.is_some(),
                (None, Some(version)) => self.compare_and_delete(key, version)?,
                (None, None) => true,
            };
            if done {
                return Ok(new);
            }
        }
    }
}

impl<K: DeserializeOwned, V> Dict<K, V> {
    /// All keys in order, some at a time: as [`BytesDict::items`].
    pub fn keys(&self) -> DictKeys<K> {
        DictKeys(self.bytes.keys(), PhantomData)
    }

    /// All keys from the last to the first, some at a time: as [`BytesDict::items`].
    pub fn keys_reversed(&self) -> DictKeys<K> {
        DictKeys(self.bytes.keys_reversed(), PhantomData)
    }
}

impl<K: DeserializeOwned, V: DeserializeOwned> Dict<K, V> {
    /// Takes out the entry whose key came last; [`ErrorKind::NotFound`] if the dict is empty.
    pub fn pop_item(&self) -> Result<(K, V)> {
        decoded_pair(self.bytes.pop_item()?)
    }

    /// All entries in order, some at a time: as [`BytesDict::items`]. An entry of another type is an error that does not end the iteration.
    pub fn items(&self) -> DictItems<K, V> {
        DictItems(self.bytes.items(), PhantomData)
    }

    /// As [`items`](Dict::items), from the last to the first.
    pub fn items_reversed(&self) -> DictItems<K, V> {
        DictItems(self.bytes.items_reversed(), PhantomData)
    }

    /// All entries of one instant, in order: as [`BytesDict::snapshot`].
    pub fn snapshot(&self) -> Result<Vec<(K, V)>> {
        self.bytes.snapshot()?.into_iter().map(decoded_pair).collect()
    }
}

/// Entries of a dict in order: [`Dict::items`].
pub struct DictItems<K, V>(BytesEntries<(Message, Message)>, PhantomData<fn() -> (K, V)>);
/// Keys of a dict in order: [`Dict::keys`].
pub struct DictKeys<K>(BytesEntries<Message>, PhantomData<fn() -> K>);
/// Values of a dict in order: [`Dict::values`].
pub struct DictValues<V>(BytesEntries<Message>, PhantomData<fn() -> V>);

impl<K: DeserializeOwned, V: DeserializeOwned> Iterator for DictItems<K, V> {
    type Item = Result<(K, V)>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.next()?.and_then(decoded_pair))
    }
}

impl<K: DeserializeOwned> Iterator for DictKeys<K> {
    type Item = Result<K>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.next()?.and_then(decoded))
    }
}

impl<V: DeserializeOwned> Iterator for DictValues<V> {
    type Item = Result<V>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.next()?.and_then(decoded))
    }
}

impl<K, V> fmt::Debug for DictItems<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<K> fmt::Debug for DictKeys<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<V> fmt::Debug for DictValues<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Encodes into a buffer that this thread keeps, and uses the bytes.
fn scratch<R>(encode: impl Fn(&mut Vec<u8>) -> Result<usize>, call: impl FnOnce(&[u8], &[u8]) -> Result<R>) -> Result<R> {
    SCRATCH.with(|scratch| {
        // A value whose serialisation uses a dict itself finds the buffer in use.
        let mut own = Vec::new();
        let mut kept = scratch.try_borrow_mut();
        let buffer = kept.as_deref_mut().unwrap_or(&mut own);
        buffer.clear();
        let middle = encode(buffer)?;
        let done = call(&buffer[..middle], &buffer[middle..]);
        if buffer.capacity() > 1 << 20 {
            *buffer = Vec::new();
        }
        done
    })
}

pub(super) fn encoded<Q: Serialize + ?Sized, R>(key: &Q, call: impl FnOnce(Packed<'_>) -> Result<R>) -> Result<R> {
    scratch(|buffer| codec::encode(key, buffer).map(|()| buffer.len()), |key, _| call((key, codec::MESSAGEPACK).into()))
}

pub(super) fn encoded_pair<Q: Serialize + ?Sized, V: Serialize + ?Sized, R>(
    key: &Q,
    value: &V,
    call: impl FnOnce(Packed<'_>, Packed<'_>) -> Result<R>,
) -> Result<R> {
    let encode = |buffer: &mut Vec<u8>| {
        codec::encode(key, buffer)?;
        let middle = buffer.len();
        codec::encode(value, buffer).map(|()| middle)
    };
    scratch(encode, |key, value| call((key, codec::MESSAGEPACK).into(), (value, codec::MESSAGEPACK).into()))
}

pub(super) fn decoded<T: DeserializeOwned>(message: Message) -> Result<T> {
    let value = if message.codec() == codec::MESSAGEPACK {
        codec::decode(&message)
    } else {
        Err(Error::new(ErrorKind::Decode, format!("what stands there is of codec {}, not MessagePack: get it as bytes", message.codec())))
    };
    value.map_err(|error| error.with_message(message))
}

fn decoded_pair<K: DeserializeOwned, V: DeserializeOwned>((key, value): (Message, Message)) -> Result<(K, V)> {
    Ok((decoded(key)?, decoded(value)?))
}

fn versioned<V: DeserializeOwned>((value, version): (Message, u64)) -> Result<Versioned<V>> {
    Ok(Versioned { value: decoded(value)?, version })
}

impl<K, V> Clone for Dict<K, V> {
    fn clone(&self) -> Self {
        Dict::of(self.bytes.clone())
    }
}

impl<K, V> fmt::Debug for Dict<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.fmt(f)
    }
}

impl<K, V> Serialize for Dict<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.bytes.serialize(serializer)
    }
}

impl<'de, K, V> Deserialize<'de> for Dict<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Dict<K, V>, D::Error> {
        BytesDict::deserialize(deserializer).map(Dict::of)
    }
}
