//! `List<T>`: the list with Rust values, MessagePack on top of `BytesList`. Whatever a `T` does (decoding, comparing, a closure) is done without any lock held.

use std::cmp::Ordering;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bytes::BytesList;
use super::iter::Iter;
use super::slice::Slice;
use crate::codec;
use crate::error::Result;
use crate::fabric::{Fabric, Ticket};
use crate::packed::Packed;
use crate::queue::{Message, decoded as decoded_message, encoded};

/// A list of Rust values between processes: [`BytesList`] with MessagePack on top, so that every other language reads them too. All that is said there holds here.
///
/// A handle (a [`Queue`](crate::Queue), another `List`) may itself be an item: it comes out as a handle of the same object.
///
/// **Equal** values, for [`index`](List::index), [`remove`](List::remove) and so on, are those that `==` says are. An item that is not a `T` equals none.
///
/// **Errors** beyond those of [`BytesList`]: [`ErrorKind::Encode`](crate::ErrorKind::Encode) for a value that does not serialise (nothing was changed),
/// [`ErrorKind::Decode`](crate::ErrorKind::Decode) for an item that is not a `T` ([`Error::into_message`](crate::Error::into_message) gives it back, also where it was taken out).
///
/// ```
/// use polyproc_ipc::{Fabric, List};
/// let list = List::<u32>::new(&Fabric::new()?)?;
/// list.extend(&[3, 1, 2])?;
/// list.sort()?;
/// assert_eq!(list.to_vec()?, [1, 2, 3]);
/// assert_eq!(list.pop_at(0)?, 1);
/// assert_eq!(list.index(&3)?, Some(1));
/// assert_eq!(list.increment(-1, 10)?, 13);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub struct List<T> {
    list: BytesList,
    values: PhantomData<fn(T) -> T>,
}

impl<T> List<T> {
    fn of(list: BytesList) -> List<T> {
        List { list, values: PhantomData }
    }

    /// As [`BytesList::new`].
    pub fn new(fabric: &Fabric) -> Result<List<T>> {
        BytesList::new(fabric).map(List::of)
    }

    /// As [`BytesList::create`].
    pub fn create(fabric: &Fabric, name: &str) -> Result<List<T>> {
        BytesList::create(fabric, name).map(List::of)
    }

    /// As [`BytesList::open`].
    pub fn open(fabric: &Fabric, name: &str) -> Result<List<T>> {
        BytesList::open(fabric, name).map(List::of)
    }

    /// As [`BytesList::open_or_create`].
    pub fn open_or_create(fabric: &Fabric, name: &str) -> Result<List<T>> {
        BytesList::open_or_create(fabric, name).map(List::of)
    }

    /// As [`BytesList::from_ticket`].
    pub fn from_ticket(ticket: &Ticket) -> Result<List<T>> {
        BytesList::from_ticket(ticket).map(List::of)
    }

    /// As [`BytesList::ticket`].
    pub fn ticket(&self) -> Ticket {
        self.list.ticket()
    }

    /// As [`BytesList::lend`].
    pub fn lend(&self) -> Ticket {
        self.list.lend()
    }

    /// As [`BytesList::destroy`].
    pub fn destroy(&self) -> Result<()> {
        self.list.destroy()
    }

    /// The same list, item by item as bytes.
    pub fn bytes(&self) -> &BytesList {
        &self.list
    }

    /// As [`BytesList::len`].
    pub fn len(&self) -> Result<usize> {
        self.list.len()
    }

    /// As [`BytesList::is_empty`].
    pub fn is_empty(&self) -> Result<bool> {
        self.list.is_empty()
    }

    /// As [`BytesList::delete`].
    pub fn delete(&self, index: i64) -> Result<()> {
        self.list.delete(index)
    }

    /// As [`BytesList::delete_slice`].
    pub fn delete_slice(&self, slice: impl Into<Slice>) -> Result<()> {
        self.list.delete_slice(slice)
    }

    /// As [`BytesList::clear`].
    pub fn clear(&self) -> Result<()> {
        self.list.clear()
    }

    /// As [`BytesList::reverse`].
    pub fn reverse(&self) -> Result<()> {
        self.list.reverse()
    }

    /// As [`BytesList::repeat`]: Python's `*=`.
    pub fn repeat(&self, times: usize) -> Result<()> {
        self.list.repeat(times)
    }

    /// As [`BytesList::increment`].
    pub fn increment(&self, index: i64, delta: i64) -> Result<i64> {
        self.list.increment(index, delta)
    }

    /// As [`BytesList::version`].
    pub fn version(&self) -> Result<u64> {
        self.list.version()
    }

    /// As [`BytesList::wait_changed`].
    pub fn wait_changed(&self, version: u64, time: Option<Duration>) -> Result<u64> {
        self.list.wait_changed(version, time)
    }
}

impl<T: Serialize> List<T> {
    /// As [`BytesList::set`].
    pub fn set(&self, index: i64, value: &T) -> Result<()> {
        encoded(value, |bytes| self.list.set(index, Packed::messagepack(bytes)))
    }

    /// As [`BytesList::append`].
    pub fn append(&self, value: &T) -> Result<()> {
        encoded(value, |bytes| self.list.append(Packed::messagepack(bytes)))
    }

    /// As [`BytesList::extend`]: all or none. Python's `+=`.
    pub fn extend(&self, values: &[T]) -> Result<()> {
        self.list.extend(&Encoded::of(values)?.items())
    }

    /// As [`BytesList::insert`].
    pub fn insert(&self, index: i64, value: &T) -> Result<()> {
        encoded(value, |bytes| self.list.insert(index, Packed::messagepack(bytes)))
    }

    /// As [`BytesList::set_slice`].
    pub fn set_slice(&self, slice: impl Into<Slice>, values: &[T]) -> Result<()> {
        self.list.set_slice(slice, &Encoded::of(values)?.items())
    }

    /// As [`BytesList::set_at_version`].
    pub fn set_at_version(&self, index: i64, version: u64, value: &T) -> Result<bool> {
        encoded(value, |bytes| self.list.set_at_version(index, version, Packed::messagepack(bytes)))
    }
}

impl<T: DeserializeOwned> List<T> {
    /// As [`BytesList::get`].
    pub fn get(&self, index: i64) -> Result<T> {
        decoded(self.list.get(index)?)
    }

    /// As [`BytesList::get_with_version`].
    pub fn get_with_version(&self, index: i64) -> Result<(T, u64)> {
        let (item, version) = self.list.get_with_version(index)?;
        Ok((decoded(item)?, version))
    }

    /// As [`BytesList::get_slice`].
    pub fn get_slice(&self, slice: impl Into<Slice>) -> Result<Vec<T>> {
        self.list.get_slice(slice)?.into_iter().map(decoded).collect()
    }

    /// All values, of one instant: Python's `copy`.
    pub fn to_vec(&self) -> Result<Vec<T>> {
        self.get_slice(..)
    }

    /// The values in order: see [`Iter`].
    pub fn iter(&self) -> Iter<T> {
        Iter::of(self.list.iter())
    }

    /// As [`BytesList::pop`].
    pub fn pop(&self) -> Result<T> {
        decoded(self.list.pop()?)
    }

    /// As [`BytesList::pop_at`].
    pub fn pop_at(&self, index: i64) -> Result<T> {
        decoded(self.list.pop_at(index)?)
    }

    /// All values and then these, as a vector: Python's `+`.
    pub fn plus(&self, more: impl IntoIterator<Item = T>) -> Result<Vec<T>> {
        let mut all = self.to_vec()?;
        all.extend(more);
        Ok(all)
    }

    /// All values, so many times over, as a vector: Python's `*`.
    pub fn times(&self, times: usize) -> Result<Vec<T>> {
        let items = self.list.to_vec()?;
        std::iter::repeat_n(&items, times).flatten().map(value_of).collect()
    }

    /// Puts the values in order; equal ones stay in theirs.
    pub fn sort(&self) -> Result<()>
    where
        T: Ord,
    {
        self.sort_by(T::cmp)
    }

    /// Puts the values in the order of what `key` makes of them. As [`sort_by`](List::sort_by); `key` is called once for each.
    pub fn sort_by_key<K: Ord>(&self, mut key: impl FnMut(&T) -> K) -> Result<()> {
        self.list.rearrange(|items| {
            let keys = items.iter().map(|item| value_of(item).map(|value| key(&value))).collect::<Result<Vec<K>>>()?;
            Ok(order_of(items.len(), |a, b| keys[a].cmp(&keys[b])))
        })
    }

    /// Puts the values in the order of `compare`; equal ones stay in theirs. It works on a copy, and starts again if the list was changed meanwhile: see [`BytesList::rearrange`].
    pub fn sort_by(&self, mut compare: impl FnMut(&T, &T) -> Ordering) -> Result<()> {
        self.list.rearrange(|items| {
            let values = items.iter().map(value_of).collect::<Result<Vec<T>>>()?;
            Ok(order_of(values.len(), |a, b| compare(&values[a], &values[b])))
        })
    }
}

impl<T: DeserializeOwned + PartialEq> List<T> {
    /// The first index at which an equal value stands. It goes through the list as [`iter`](List::iter) does.
    pub fn index(&self, value: &T) -> Result<Option<usize>> {
        self.index_in(value, ..)
    }

    /// As [`index`](List::index), within a slice with step 1 (others: [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument)). The answer is an index of the list.
    pub fn index_in(&self, value: &T, slice: impl Into<Slice>) -> Result<Option<usize>> {
        Ok(self.list.scan(slice.into(), |item| equals(item, value))?.map(|(index, _)| index))
    }

    /// Whether the list has an equal value.
    pub fn contains(&self, value: &T) -> Result<bool> {
        Ok(self.index(value)?.is_some())
    }

    /// How many equal values the list has.
    pub fn count(&self, value: &T) -> Result<usize> {
        self.list.iter().try_fold(0, |count, item| Ok(count + usize::from(equals(&item?, value))))
    }

    /// Deletes the first equal value. False: there is none.
    pub fn remove(&self, value: &T) -> Result<bool> {
        while let Some((index, item)) = self.list.scan(Slice::default(), |item| equals(item, value))? {
            if self.list.delete_if(index, &item)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the list holds just these values.
    pub fn equals(&self, values: &[T]) -> Result<bool> {
        let items = self.list.to_vec()?;
        Ok(items.len() == values.len() && items.iter().zip(values).all(|(item, value)| equals(item, value)))
    }
}

impl<T: Serialize + DeserializeOwned> List<T> {
    /// What stands at `index` becomes what `change` makes of it; the new value. `change` is called without any lock held, and again if another value stands there by then.
    pub fn update_with(&self, index: i64, mut change: impl FnMut(T) -> T) -> Result<T> {
        let mut made = None;
        self.list.update(index, |item| {
            let value = change(value_of(item)?);
            let bytes = codec::to_vec(&value)?;
            made = Some(value);
            Ok((bytes, codec::MESSAGEPACK))
        })?;
        Ok(made.expect("an update calls its closure"))
    }
}

impl<T: Serialize + DeserializeOwned + PartialEq> List<T> {
    /// Another value at `index`, if one equal to `expected` stands there. False: another stands there, and nothing was done.
    pub fn compare_and_set(&self, index: i64, expected: &T, value: &T) -> Result<bool> {
        loop {
            let old = self.list.get(index)?;
            if !equals(&old, expected) {
                return Ok(false);
            }
            if encoded(value, |bytes| self.list.compare_and_set(index, &old, Packed::messagepack(bytes)))? {
                return Ok(true);
            }
        }
    }
}

/// Values encoded one behind the other.
struct Encoded {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Encoded {
    fn of<T: Serialize>(values: &[T]) -> Result<Encoded> {
        let mut all = Encoded { bytes: Vec::new(), ends: Vec::with_capacity(values.len()) };
        for value in values {
            codec::encode(value, &mut all.bytes)?;
            all.ends.push(all.bytes.len());
        }
        Ok(all)
    }

    fn items(&self) -> Vec<Packed<'_>> {
        let mut start = 0;
        self.ends.iter().map(|end| Packed::messagepack(&self.bytes[std::mem::replace(&mut start, *end)..*end])).collect()
    }
}

pub(super) fn decoded<T: DeserializeOwned>(item: Message) -> Result<T> {
    decoded_message(item)
}

fn value_of<T: DeserializeOwned>(item: &Message) -> Result<T> {
    decoded(Message::of(item, item.codec()))
}

fn equals<T: DeserializeOwned + PartialEq>(item: &Message, value: &T) -> bool {
    item.codec() == codec::MESSAGEPACK && codec::decode::<T>(item).is_ok_and(|item| item == *value)
}

fn order_of(len: usize, mut compare: impl FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by(|a, b| compare(*a, *b));
    order
}

impl<T: DeserializeOwned> IntoIterator for &List<T> {
    type Item = Result<T>;
    type IntoIter = Iter<T>;

    fn into_iter(self) -> Iter<T> {
        self.iter()
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        List::of(self.list.clone())
    }
}

impl<T> std::fmt::Debug for List<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.list.fmt(f)
    }
}

impl<T> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<List<T>, D::Error> {
        BytesList::deserialize(deserializer).map(List::of)
    }
}
