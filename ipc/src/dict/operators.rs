//! What a set does with many elements at once: Python's operators and comparisons. Knows elements as bytes; `Set<T>` has them typed on top.
//!
//! A change of many elements is a change of each by itself, so a death in the middle leaves some done.

use std::collections::HashSet;

use super::keys;
use super::set::BytesSet;
use crate::codec;
use crate::error::Result;
use crate::packed::Packed;
use crate::queue::Message;

/// Elements by what they are compared by.
#[derive(Default)]
struct Seen(HashSet<(Vec<u8>, u8)>);

impl Seen {
    fn of(elements: &[Packed<'_>]) -> Result<Seen> {
        let mut seen = Seen(HashSet::with_capacity(elements.len()));
        elements.iter().try_for_each(|element| seen.enter(*element).map(drop))?;
        Ok(seen)
    }

    fn name(element: Packed<'_>) -> Result<(Vec<u8>, u8)> {
        let plain = element.codec == codec::MESSAGEPACK;
        Ok((if plain { keys::canonical(element.bytes)?.into_owned() } else { element.bytes.to_vec() }, element.codec))
    }

    /// Whether it is new.
    fn enter(&mut self, element: Packed<'_>) -> Result<bool> {
        Ok(self.0.insert(Seen::name(element)?))
    }

    fn has(&self, element: &Message) -> Result<bool> {
        Ok(self.0.contains(&Seen::name(element.into())?))
    }
}

/// The operators of sets, between this one and any elements. Answers are own elements first, each side in its order. Each side is looked at in its own time.
///
/// ```
/// use polyproc_ipc::{BytesSet, Fabric, Packed};
/// let set = BytesSet::new(&Fabric::new()?)?;
/// let other = [Packed::from(b"one"), Packed::from(b"two")];
/// set.add(b"one")?;
/// assert_eq!(set.union(&other)?.len(), 2);
/// assert!(set.is_subset(&other)? && !set.is_superset(&other)?);
/// set.update(&other)?;
/// assert!(set.is_superset(&other)?);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
impl BytesSet {
    /// What one side or the other has.
    pub fn union(&self, other: &[Packed<'_>]) -> Result<Vec<Message>> {
        let (mut all, mut seen) = (Vec::new(), Seen::default());
        for element in self.items() {
            let element = element?;
            seen.enter((&element).into())?;
            all.push(element);
        }
        rest(other, seen, &mut all)?;
        Ok(all)
    }

    /// What both have.
    pub fn intersection(&self, other: &[Packed<'_>]) -> Result<Vec<Message>> {
        self.those(&Seen::of(other)?, true)
    }

    /// What only this set has.
    pub fn difference(&self, other: &[Packed<'_>]) -> Result<Vec<Message>> {
        self.those(&Seen::of(other)?, false)
    }

    /// What only one of the two has.
    pub fn symmetric_difference(&self, other: &[Packed<'_>]) -> Result<Vec<Message>> {
        let (mut all, mut seen, theirs) = (Vec::new(), Seen::default(), Seen::of(other)?);
        for element in self.items() {
            let element = element?;
            seen.enter((&element).into())?;
            if !theirs.has(&element)? {
                all.push(element);
            }
        }
        rest(other, seen, &mut all)?;
        Ok(all)
    }

    /// Whether every element here is one of `other`.
    pub fn is_subset(&self, other: &[Packed<'_>]) -> Result<bool> {
        let other = Seen::of(other)?;
        for element in self.items() {
            if !other.has(&element?)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether every element of `other` is one here.
    pub fn is_superset(&self, other: &[Packed<'_>]) -> Result<bool> {
        for element in other {
            if !self.contains(*element)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether no element of `other` is one here.
    pub fn is_disjoint(&self, other: &[Packed<'_>]) -> Result<bool> {
        for element in other {
            if self.contains(*element)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Adds all elements of `other`, each by itself.
    pub fn update(&self, other: &[Packed<'_>]) -> Result<()> {
        other.iter().try_for_each(|element| self.add(*element).map(drop))
    }

    /// Takes out what `other` has not, each by itself.
    pub fn intersection_update(&self, other: &[Packed<'_>]) -> Result<()> {
        let other = Seen::of(other)?;
        for element in self.items() {
            let element = element?;
            if !other.has(&element)? {
                self.discard(&element)?;
            }
        }
        Ok(())
    }

    /// Takes out what `other` has, each by itself.
    pub fn difference_update(&self, other: &[Packed<'_>]) -> Result<()> {
        other.iter().try_for_each(|element| self.discard(*element).map(drop))
    }

    /// Takes out what both have, and adds what only `other` has, each by itself.
    pub fn symmetric_difference_update(&self, other: &[Packed<'_>]) -> Result<()> {
        let mut seen = Seen::default();
        for element in other {
            if seen.enter(*element)? && !self.discard(*element)? {
                self.add(*element)?;
            }
        }
        Ok(())
    }

    /// Own elements that `other` has, or has not.
    fn those(&self, other: &Seen, wanted: bool) -> Result<Vec<Message>> {
        let mut all = Vec::new();
        for element in self.items() {
            let element = element?;
            if other.has(&element)? == wanted {
                all.push(element);
            }
        }
        Ok(all)
    }
}

/// Appends what was not seen yet.
fn rest(other: &[Packed<'_>], mut seen: Seen, all: &mut Vec<Message>) -> Result<()> {
    for element in other {
        if seen.enter(*element)? {
            all.push(Message::of(element.bytes, element.codec));
        }
    }
    Ok(())
}
