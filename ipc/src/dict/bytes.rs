//! `BytesDict`: the public face of a dict whose keys and values are bytes with a codec. What every language binds to.

use std::fmt;
use std::time::Duration;

use super::entry::Entry;
use super::iter::Entries;
use super::layout::{SHARDS, SIZE};
use super::table::{Table, When};
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::Fabric;
use crate::fabric::handle::{Handle, How, shared_object};
use crate::objects::Kind;
use crate::packed::Packed;
use crate::queue::Message;

/// A dict of bytes between processes, with the meaning of Python's: keys in the order of their first insertion, and no server process. [`Dict`](crate::Dict) has typed keys and values on top.
///
/// Keys of codec [`MESSAGEPACK`](crate::codec::MESSAGEPACK) compare by Python's rules: `1 == 1.0 == True` is one key, text is not bytes, tuples (arrays) are keys, maps are not
/// ([`ErrorKind::InvalidArgument`]); all NaN are one key. The key that was given first is what iteration shows. Raw keys, and those of other codecs, are compared byte by byte.
///
/// Every value has a **version**: a number that no earlier value of this key had. What is decided by a version is decided by [`compare_and_set`](BytesDict::compare_and_set), and no lock is held while the caller thinks.
///
/// **When a process dies**, at whatever instruction: its last change is there, or it is not; nobody waits for it. `OutOfMemory` changes nothing.
///
/// ```
/// use polyproc_ipc::{BytesDict, Fabric};
/// let fabric = Fabric::new()?;
/// let dict = BytesDict::create(&fabric, "settings")?;
/// dict.set(b"colour", b"green")?;
/// assert_eq!(&*dict.item(b"colour")?, b"green");
///
/// let (_, version) = dict.get_versioned(b"colour")?.unwrap();
/// assert!(dict.compare_and_set(b"colour", Some(version), b"blue")?.is_some());
/// assert!(dict.compare_and_set(b"colour", Some(version), b"red")?.is_none()); // somebody was faster
/// assert_eq!(dict.len(), 1);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone)]
pub struct BytesDict(Table);

impl BytesDict {
    /// A dict without a name. It goes with its last handle here, unless its [ticket](BytesDict::ticket) was made.
    pub fn new(fabric: &Fabric) -> Result<BytesDict> {
        BytesDict::get_by(fabric, How::New, SHARDS)
    }

    /// Makes the dict of this name.
    pub fn create(fabric: &Fabric, name: &str) -> Result<BytesDict> {
        BytesDict::get_by(fabric, How::Create(name), SHARDS)
    }

    /// Opens the dict of this name.
    pub fn open(fabric: &Fabric, name: &str) -> Result<BytesDict> {
        BytesDict::get_by(fabric, How::Open(name), SHARDS)
    }

    /// Opens the dict of this name, or makes it.
    pub fn open_or_create(fabric: &Fabric, name: &str) -> Result<BytesDict> {
        BytesDict::get_by(fabric, How::OpenOrCreate(name), SHARDS)
    }

    /// A dict without a name (`None`), or the one of this name, made if there is none, with 1, 2, 4, 8 or 16 shards (else [`ErrorKind::InvalidArgument`]). More shards let more processes write at the same
    /// time; fewer take less memory while there are few entries. The others have 16.
    pub fn with_shards(fabric: &Fabric, name: Option<&str>, shards: usize) -> Result<BytesDict> {
        BytesDict::get_by(fabric, name.map_or(How::New, How::OpenOrCreate), shards)
    }

    /// A new dict without a name that has each of these keys, with the same value.
    pub fn from_keys<'k>(fabric: &Fabric, keys: impl IntoIterator<Item = Packed<'k>>, value: Packed<'_>) -> Result<BytesDict> {
        let dict = BytesDict::new(fabric)?;
        keys.into_iter().try_for_each(|key| dict.set(key, value).map(drop))?;
        Ok(dict)
    }

    /// The value of a key, if it is there.
    #[inline]
    pub fn get<'k>(&self, key: impl Into<Packed<'k>>) -> Result<Option<Message>> {
        Ok(self.get_versioned(key)?.map(|(value, _)| value))
    }

    /// The value of a key and its version, if it is there.
    #[inline]
    pub fn get_versioned<'k>(&self, key: impl Into<Packed<'k>>) -> Result<Option<(Message, u64)>> {
        let key = key.into();
        self.0.get(&self.0.key(key.bytes, key.codec)?)
    }

    /// The value of a key; [`ErrorKind::NotFound`] if it is absent.
    pub fn item<'k>(&self, key: impl Into<Packed<'k>>) -> Result<Message> {
        self.get(key)?.ok_or_else(|| self.0.absent())
    }

    /// Whether a key is there.
    pub fn contains<'k>(&self, key: impl Into<Packed<'k>>) -> Result<bool> {
        let key = key.into();
        self.0.contains(&self.0.key(key.bytes, key.codec)?)
    }

    /// Gives a key a value; the version of that. A key that is there keeps its place.
    #[inline]
    pub fn set<'k, 'v>(&self, key: impl Into<Packed<'k>>, value: impl Into<Packed<'v>>) -> Result<u64> {
        self.write(key.into(), value.into(), When::Always)?.ok_or_else(|| Error::corrupt("a write without a condition was refused"))
    }

    /// The value of a key; where it is absent, it is given this one first.
    pub fn set_default<'k, 'v>(&self, key: impl Into<Packed<'k>>, value: impl Into<Packed<'v>>) -> Result<Message> {
        let (key, value) = (key.into(), value.into());
        loop {
            if let Some(there) = self.get(key)? {
                return Ok(there);
            }
            self.write(key, value, When::At(None))?;
        }
    }

    /// Gives a key a value if it has the version `expected` at this moment (`None`: if it is absent); the new version. `None`: it has another one, and nothing was changed.
    pub fn compare_and_set<'k, 'v>(&self, key: impl Into<Packed<'k>>, expected: Option<u64>, value: impl Into<Packed<'v>>) -> Result<Option<u64>> {
        self.write(key.into(), value.into(), When::At(expected))
    }

    /// Takes a key out if it has the version `expected` at this moment. False: it has another one, or is absent.
    pub fn compare_and_delete<'k>(&self, key: impl Into<Packed<'k>>, expected: u64) -> Result<bool> {
        let key = key.into();
        Ok(self.0.take(&self.0.key(key.bytes, key.codec)?, When::At(Some(expected)))?.is_some())
    }

    /// Takes a key out; [`ErrorKind::NotFound`] if it is absent.
    pub fn delete<'k>(&self, key: impl Into<Packed<'k>>) -> Result<()> {
        let key = key.into();
        if self.0.delete(&self.0.key(key.bytes, key.codec)?)? { Ok(()) } else { Err(self.0.absent()) }
    }

    /// Takes a key out; the value it had, if it was there.
    pub fn take<'k>(&self, key: impl Into<Packed<'k>>) -> Result<Option<Message>> {
        let key = key.into();
        self.0.take(&self.0.key(key.bytes, key.codec)?, When::Always)
    }

    /// Takes a key out; the value it had. [`ErrorKind::NotFound`] if it is absent.
    pub fn pop<'k>(&self, key: impl Into<Packed<'k>>) -> Result<Message> {
        self.take(key)?.ok_or_else(|| self.0.absent())
    }

    /// Takes out the entry whose key came last; [`ErrorKind::NotFound`] if the dict is empty.
    pub fn pop_item(&self) -> Result<(Message, Message)> {
        self.0.take_last()?.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("dict {} is empty", self.0.handle().label())))
    }

    /// Adds to the integer that a key has, and answers the sum; an absent key counts as 0. The value is MessagePack, as every language writes integers.
    ///
    /// [`ErrorKind::Decode`] if something else stands there, [`ErrorKind::InvalidArgument`] if the sum does not fit into 64 bits (signed or unsigned); nothing is changed then.
    pub fn increment<'k>(&self, key: impl Into<Packed<'k>>, delta: i64) -> Result<i128> {
        let key = key.into();
        self.0.add(&self.0.key(key.bytes, key.codec)?, delta)
    }

    /// Sets many, each by itself, up to the first that fails.
    pub fn update<'k>(&self, entries: impl IntoIterator<Item = (Packed<'k>, Packed<'k>)>) -> Result<()> {
        entries.into_iter().try_for_each(|(key, value)| self.set(key, value).map(drop))
    }

    /// Sets all that another dict has, each by itself.
    pub fn update_from(&self, other: &BytesDict) -> Result<()> {
        other.items().try_for_each(|entry| entry.and_then(|(key, value)| self.set(&key, &value).map(drop)))
    }

    /// A new dict without a name that has what this one has at one instant.
    pub fn copy(&self) -> Result<BytesDict> {
        let copy = BytesDict::new(self.fabric())?;
        for (key, value) in self.snapshot()? {
            copy.set(&key, &value)?;
        }
        Ok(copy)
    }

    /// Empties the dict, in one instant.
    pub fn clear(&self) -> Result<()> {
        self.0.clear()
    }

    /// How many entries. Exact if nobody writes meanwhile; 0 if the dict was destroyed.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry at this moment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All entries of one instant, in order. Writers wait while they are copied: for much, use [`items`](BytesDict::items).
    pub fn snapshot(&self) -> Result<Vec<(Message, Message)>> {
        self.0.snapshot(both)
    }

    /// Goes through the entries in order, some at a time, while others write: an entry that stays is seen exactly once, one that comes or goes meanwhile at most once. The
    /// iterator ends with what was there when it began, and with an error.
    pub fn items(&self) -> BytesEntries<(Message, Message)> {
        BytesEntries(Entries::new(&self.0, false, both))
    }

    /// As [`items`](BytesDict::items), from the last to the first.
    pub fn items_reversed(&self) -> BytesEntries<(Message, Message)> {
        BytesEntries(Entries::new(&self.0, true, both))
    }

    /// The keys alone, as [`items`](BytesDict::items).
    pub fn keys(&self) -> BytesEntries<Message> {
        BytesEntries(Entries::new(&self.0, false, |entry| entry.key()))
    }

    /// The keys alone, from the last to the first.
    pub fn keys_reversed(&self) -> BytesEntries<Message> {
        BytesEntries(Entries::new(&self.0, true, |entry| entry.key()))
    }

    /// The values alone, as [`items`](BytesDict::items).
    pub fn values(&self) -> BytesEntries<Message> {
        BytesEntries(Entries::new(&self.0, false, |entry| entry.value()))
    }

    /// A number that is another one after every change of the dict. Whoever reads the dict after it sees every change that it counts.
    pub fn version(&self) -> Result<u64> {
        self.0.here()?;
        Ok(self.0.words().version())
    }

    /// Waits until [`version`](BytesDict::version) is another than `since`, at most `time` (`None`: for ever); what it is then. [`ErrorKind::Timeout`] if nothing changes.
    pub fn wait_change(&self, since: u64, time: Option<Duration>) -> Result<u64> {
        let late = || Error::new(ErrorKind::Timeout, format!("dict {} did not change within the time given", self.0.handle().label()));
        self.0.wait(since, time)?.ok_or_else(late)
    }

    /// Waits until a key has another version than `since` (`None`: absent), at most `time` (`None`: for ever); its value and version then, or that it is absent.
    /// [`ErrorKind::Timeout`] if it keeps the one it has.
    pub fn wait_key<'k>(&self, key: impl Into<Packed<'k>>, since: Option<u64>, time: Option<Duration>) -> Result<Option<(Message, u64)>> {
        let key = key.into();
        self.0.wait_key(&self.0.key(key.bytes, key.codec)?, since, time)
    }

    #[inline(always)]
    fn write(&self, key: Packed<'_>, value: Packed<'_>, when: When) -> Result<Option<u64>> {
        self.0.write(&self.0.key(key.bytes, key.codec)?, value, when)
    }

    fn get_by(fabric: &Fabric, how: How<'_>, shards: usize) -> Result<BytesDict> {
        Table::get_by(fabric, Kind::Dict, how, shards).map(BytesDict)
    }

    fn handle(&self) -> &Handle {
        self.0.handle()
    }

    fn of(handle: Handle) -> BytesDict {
        BytesDict(Table::of(handle, Kind::Dict))
    }
}

fn both(entry: Entry<'_>) -> Result<(Message, Message)> {
    Ok((entry.key()?, entry.value()?))
}

/// Entries of a [`BytesDict`] or [`BytesSet`](crate::BytesSet) in order, while others write: [`BytesDict::items`].
pub struct BytesEntries<T>(pub(super) Entries<T>);

impl<T> Iterator for BytesEntries<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        self.0.next()
    }
}

impl<T> fmt::Debug for BytesEntries<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

shared_object!(BytesDict, Kind::Dict, SIZE, "dict");
