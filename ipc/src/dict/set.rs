//! Sets: a table whose values are empty. `BytesSet` for every language, `Set<T>` with Rust elements and Python's operators on top.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bytes::BytesEntries;
use super::iter::Entries;
use super::layout::{SHARDS, SIZE};
use super::table::{Table, When};
use super::typed::{decoded, encoded};
use crate::codec;
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::handle::{Handle, How, shared_object};
use crate::fabric::{Fabric, Ticket};
use crate::objects::Kind;
use crate::packed::Packed;
use crate::queue::Message;

/// A set of bytes between processes. Elements compare as the keys of a [`BytesDict`](crate::BytesDict) do, and all that is said there of deaths and iteration holds here. [`Set`] has typed elements on top.
///
/// ```
/// use polyproc_ipc::{BytesSet, Fabric};
/// let set = BytesSet::new(&Fabric::new()?)?;
/// assert!(set.add(b"one")?);
/// assert!(!set.add(b"one")?); // was there
/// assert!(set.discard(b"one")?);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone)]
pub struct BytesSet(Table);

const NOTHING: Packed<'_> = Packed { bytes: &[], codec: codec::RAW };

impl BytesSet {
    /// A set without a name. It goes with its last handle here, unless its [ticket](BytesSet::ticket) was made.
    pub fn new(fabric: &Fabric) -> Result<BytesSet> {
        BytesSet::get_by(fabric, How::New)
    }

    /// Makes the set of this name.
    pub fn create(fabric: &Fabric, name: &str) -> Result<BytesSet> {
        BytesSet::get_by(fabric, How::Create(name))
    }

    /// Opens the set of this name.
    pub fn open(fabric: &Fabric, name: &str) -> Result<BytesSet> {
        BytesSet::get_by(fabric, How::Open(name))
    }

    /// Opens the set of this name, or makes it.
    pub fn open_or_create(fabric: &Fabric, name: &str) -> Result<BytesSet> {
        BytesSet::get_by(fabric, How::OpenOrCreate(name))
    }

    /// Puts an element in; whether it was not there.
    pub fn add<'e>(&self, element: impl Into<Packed<'e>>) -> Result<bool> {
        let element = element.into();
        let key = self.0.key(element.bytes, element.codec)?;
        Ok(!self.0.contains(&key)? && self.0.write(&key, NOTHING, When::At(None))?.is_some())
    }

    /// Whether an element is there.
    pub fn contains<'e>(&self, element: impl Into<Packed<'e>>) -> Result<bool> {
        let element = element.into();
        self.0.contains(&self.0.key(element.bytes, element.codec)?)
    }

    /// Takes an element out; whether it was there.
    pub fn discard<'e>(&self, element: impl Into<Packed<'e>>) -> Result<bool> {
        let element = element.into();
        self.0.delete(&self.0.key(element.bytes, element.codec)?)
    }

    /// Takes an element out; [`ErrorKind::NotFound`] if it is absent.
    pub fn remove<'e>(&self, element: impl Into<Packed<'e>>) -> Result<()> {
        if self.discard(element)? { Ok(()) } else { Err(Error::new(ErrorKind::NotFound, format!("set {} has no such element", self.0.handle().label()))) }
    }

    /// Takes some element out (the one that came last); [`ErrorKind::NotFound`] if the set is empty.
    pub fn pop(&self) -> Result<Message> {
        let last = self.0.take_last()?;
        last.map(|(element, _)| element).ok_or_else(|| Error::new(ErrorKind::NotFound, format!("set {} is empty", self.0.handle().label())))
    }

    /// Empties the set, in one instant.
    pub fn clear(&self) -> Result<()> {
        self.0.clear()
    }

    /// How many elements. Exact if nobody writes meanwhile; 0 if the set was destroyed.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no element at this moment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Goes through the elements in the order they came, while others write: as [`BytesDict::items`](crate::BytesDict::items).
    pub fn items(&self) -> BytesEntries<Message> {
        BytesEntries(Entries::new(&self.0, false, |entry| entry.key()))
    }

    /// All elements of one instant. Writers wait while they are copied.
    pub fn snapshot(&self) -> Result<Vec<Message>> {
        self.0.snapshot(|entry| entry.key())
    }

    /// As [`BytesDict::version`](crate::BytesDict::version).
    pub fn version(&self) -> Result<u64> {
        self.0.here()?;
        Ok(self.0.words().version())
    }

    /// As [`BytesDict::wait_change`](crate::BytesDict::wait_change).
    pub fn wait_change(&self, since: u64, time: Option<Duration>) -> Result<u64> {
        let late = || Error::new(ErrorKind::Timeout, format!("set {} did not change within the time given", self.0.handle().label()));
        self.0.wait(since, time)?.ok_or_else(late)
    }

    fn get_by(fabric: &Fabric, how: How<'_>) -> Result<BytesSet> {
        Table::get_by(fabric, Kind::Set, how, SHARDS).map(BytesSet)
    }

    fn handle(&self) -> &Handle {
        self.0.handle()
    }

    fn of(handle: Handle) -> BytesSet {
        BytesSet(Table::of(handle, Kind::Set))
    }
}

shared_object!(BytesSet, Kind::Set, SIZE, "set");

/// A set of Rust values between processes: [`BytesSet`] with MessagePack on top. The operators take another `&Set` or anything that gives `T`s, and answer local vectors: own
/// elements first, each side in its order. They look at each side in its own time; for sets that others change meanwhile, at what is there then.
///
/// ```
/// use polyproc_ipc::{Fabric, Set};
/// let fabric = Fabric::new()?;
/// let primes = Set::<u32>::new(&fabric)?;
/// primes.update([2, 3, 5, 7])?;
/// assert!(primes.contains(&3)? && !primes.add(&3)?);
/// assert_eq!(primes.intersection([1, 2, 3])?, [2, 3]);
///
/// let odd = Set::<u32>::new(&fabric)?;
/// odd.update([1, 3, 5, 7, 9])?;
/// assert_eq!(primes.difference(&odd)?, [2]);
/// primes.intersection_update(&odd)?;
/// assert!(primes.is_subset(&odd)?);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub struct Set<T> {
    bytes: BytesSet,
    elements: PhantomData<fn(T) -> T>,
}

/// What a set's operators take: another `&Set<T>`, or anything that gives `T`s.
pub trait SetOperand<T> {
    /// Every element, encoded, with its codec.
    #[doc(hidden)]
    fn packed(self) -> Result<Vec<(Vec<u8>, u8)>>;
}

impl<T: Serialize, I: IntoIterator<Item = T>> SetOperand<T> for I {
    fn packed(self) -> Result<Vec<(Vec<u8>, u8)>> {
        self.into_iter().map(|element| Ok((codec::to_vec(&element)?, codec::MESSAGEPACK))).collect()
    }
}

impl<T> SetOperand<T> for &Set<T> {
    fn packed(self) -> Result<Vec<(Vec<u8>, u8)>> {
        self.bytes.items().map(|element| element.map(|element| (element.to_vec(), element.codec()))).collect()
    }
}

/// The elements that an operator is given, for those of [`BytesSet`].
fn with<T, R>(other: impl SetOperand<T>, act: impl FnOnce(&[Packed<'_>]) -> Result<R>) -> Result<R> {
    let other = other.packed()?;
    let packed: Vec<Packed<'_>> = other.iter().map(|(bytes, codec)| Packed::from((&bytes[..], *codec))).collect();
    act(&packed)
}

fn all<T: DeserializeOwned>(elements: Vec<Message>) -> Result<Vec<T>> {
    elements.into_iter().map(decoded).collect()
}

impl<T> Set<T> {
    fn of(bytes: BytesSet) -> Set<T> {
        Set { bytes, elements: PhantomData }
    }

    /// As [`BytesSet::new`].
    pub fn new(fabric: &Fabric) -> Result<Set<T>> {
        BytesSet::new(fabric).map(Set::of)
    }

    /// As [`BytesSet::create`].
    pub fn create(fabric: &Fabric, name: &str) -> Result<Set<T>> {
        BytesSet::create(fabric, name).map(Set::of)
    }

    /// As [`BytesSet::open`].
    pub fn open(fabric: &Fabric, name: &str) -> Result<Set<T>> {
        BytesSet::open(fabric, name).map(Set::of)
    }

    /// As [`BytesSet::open_or_create`].
    pub fn open_or_create(fabric: &Fabric, name: &str) -> Result<Set<T>> {
        BytesSet::open_or_create(fabric, name).map(Set::of)
    }

    /// As [`BytesSet::from_ticket`].
    pub fn from_ticket(ticket: &Ticket) -> Result<Set<T>> {
        BytesSet::from_ticket(ticket).map(Set::of)
    }

    /// As [`BytesSet::ticket`].
    pub fn ticket(&self) -> Ticket {
        self.bytes.ticket()
    }

    /// As [`BytesSet::destroy`].
    pub fn destroy(&self) -> Result<()> {
        self.bytes.destroy()
    }

    /// The same set, as bytes.
    pub fn bytes(&self) -> &BytesSet {
        &self.bytes
    }

    /// As [`BytesSet::clear`].
    pub fn clear(&self) -> Result<()> {
        self.bytes.clear()
    }

    /// As [`BytesSet::len`].
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// As [`BytesSet::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether every element here is one of `other`.
    pub fn is_subset(&self, other: impl SetOperand<T>) -> Result<bool> {
        with(other, |other| self.bytes.is_subset(other))
    }

    /// Whether every element of `other` is one here.
    pub fn is_superset(&self, other: impl SetOperand<T>) -> Result<bool> {
        with(other, |other| self.bytes.is_superset(other))
    }

    /// Whether no element of `other` is one here.
    pub fn is_disjoint(&self, other: impl SetOperand<T>) -> Result<bool> {
        with(other, |other| self.bytes.is_disjoint(other))
    }

    /// Adds all elements of `other`, each by itself.
    pub fn update(&self, other: impl SetOperand<T>) -> Result<()> {
        with(other, |other| self.bytes.update(other))
    }

    /// Takes out what `other` has not, each by itself.
    pub fn intersection_update(&self, other: impl SetOperand<T>) -> Result<()> {
        with(other, |other| self.bytes.intersection_update(other))
    }

    /// Takes out what `other` has, each by itself.
    pub fn difference_update(&self, other: impl SetOperand<T>) -> Result<()> {
        with(other, |other| self.bytes.difference_update(other))
    }

    /// Takes out what both have, and adds what only `other` has, each by itself.
    pub fn symmetric_difference_update(&self, other: impl SetOperand<T>) -> Result<()> {
        with(other, |other| self.bytes.symmetric_difference_update(other))
    }
}

impl<T: Serialize> Set<T> {
    /// Puts an element in; whether it was not there.
    pub fn add(&self, element: &T) -> Result<bool> {
        encoded(element, |element| self.bytes.add(element))
    }

    /// Whether an element is there.
    pub fn contains(&self, element: &T) -> Result<bool> {
        encoded(element, |element| self.bytes.contains(element))
    }

    /// Takes an element out; whether it was there.
    pub fn discard(&self, element: &T) -> Result<bool> {
        encoded(element, |element| self.bytes.discard(element))
    }

    /// Takes an element out; [`ErrorKind::NotFound`] if it is absent.
    pub fn remove(&self, element: &T) -> Result<()> {
        encoded(element, |element| self.bytes.remove(element))
    }
}

impl<T: DeserializeOwned> Set<T> {
    /// Takes some element out (the one that came last); [`ErrorKind::NotFound`] if the set is empty.
    pub fn pop(&self) -> Result<T> {
        decoded(self.bytes.pop()?)
    }

    /// Goes through the elements in the order they came, while others write: as [`BytesSet::items`].
    pub fn items(&self) -> SetItems<T> {
        SetItems(self.bytes.items(), PhantomData)
    }

    /// All elements of one instant.
    pub fn snapshot(&self) -> Result<Vec<T>> {
        all(self.bytes.snapshot()?)
    }

    /// What one side or the other has.
    pub fn union(&self, other: impl SetOperand<T>) -> Result<Vec<T>> {
        all(with(other, |other| self.bytes.union(other))?)
    }

    /// What both have.
    pub fn intersection(&self, other: impl SetOperand<T>) -> Result<Vec<T>> {
        all(with(other, |other| self.bytes.intersection(other))?)
    }

    /// What only this set has.
    pub fn difference(&self, other: impl SetOperand<T>) -> Result<Vec<T>> {
        all(with(other, |other| self.bytes.difference(other))?)
    }

    /// What only one of the two has.
    pub fn symmetric_difference(&self, other: impl SetOperand<T>) -> Result<Vec<T>> {
        all(with(other, |other| self.bytes.symmetric_difference(other))?)
    }
}

/// Elements of a set in the order they came: [`Set::items`].
pub struct SetItems<T>(BytesEntries<Message>, PhantomData<fn() -> T>);

impl<T: DeserializeOwned> Iterator for SetItems<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        Some(self.0.next()?.and_then(decoded))
    }
}

impl<T> fmt::Debug for SetItems<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> Clone for Set<T> {
    fn clone(&self) -> Self {
        Set::of(self.bytes.clone())
    }
}

impl<T> fmt::Debug for Set<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.fmt(f)
    }
}

impl<T> Serialize for Set<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.bytes.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Set<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Set<T>, D::Error> {
        BytesSet::deserialize(deserializer).map(Set::of)
    }
}
