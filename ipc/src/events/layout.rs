//! Where the words of an event ring stand among its cells.
//!
//! Offsets in the data chunk, `n` names and `e` events (a power of two):
//!
//! | offset | what |
//! | --- | --- |
//! | 0 | `e`; set at creation |
//! | 8 | `n`; set at creation |
//! | 64 | number of the next event: a writer's fetch-and-add claims one |
//! | 128 | `n` places for names, 128 bytes each: `names.rs` |
//! | 128 + 128 n | `e` events of 32 bytes: `ring.rs`. Event number `i` stands at place `i mod e` |

use std::sync::atomic::Ordering;

use crate::error::{Error, Result};
use crate::shm::Span;

pub(super) const LEAST: usize = 16;
pub(super) const MOST: usize = 1 << 24;

pub(super) const NEXT: usize = 64;
const NAMES: usize = 128;
/// Bytes of a place for a name, and of an event.
pub(super) const NAME: usize = 128;
pub(super) const EVENT: usize = 32;

/// How many events and names there are. Checked once against the number of cells, so that every place lies inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    events: usize,
    names: usize,
}

impl Geometry {
    pub(super) fn of(capacity: usize) -> Option<Geometry> {
        if !(LEAST..=MOST).contains(&capacity) {
            return None;
        }
        let events = capacity.next_power_of_two();
        Some(Geometry { events, names: (events / 16).clamp(16, 1024) })
    }

    pub(super) fn events(self) -> usize {
        self.events
    }

    pub(super) fn names(self) -> usize {
        self.names
    }

    /// How many cells that takes.
    pub(super) fn words(self) -> usize {
        (NAMES + self.names * NAME + self.events * EVENT) / 8
    }

    /// All bytes of a new ring.
    pub(super) fn contents(self) -> Vec<u8> {
        let mut bytes = vec![0; self.words() * 8];
        bytes[..8].copy_from_slice(&(self.events as u64).to_ne_bytes());
        bytes[8..16].copy_from_slice(&(self.names as u64).to_ne_bytes());
        bytes
    }

    /// Where name number `index` (from 0) stands.
    pub(super) fn name(index: usize) -> usize {
        NAMES + index * NAME
    }

    /// Where event `number` stands.
    #[inline(always)]
    pub(super) fn event(self, number: u64) -> usize {
        NAMES + self.names * NAME + (number as usize & (self.events - 1)) * EVENT
    }
}

/// The geometry that the memory of `words` cells says it has.
pub(super) fn found(data: Span<'_>, words: usize) -> Result<Geometry> {
    let damaged = |what: String| Error::corrupt(format_args!("an event ring of {words} cells {what}"));
    if words * 8 < NAMES {
        return Err(damaged("is too small to be one".into()));
    }
    let (events, names) = (data.u64(0)?.load(Ordering::Relaxed), data.u64(8)?.load(Ordering::Relaxed));
    let geometry = usize::try_from(events).ok().filter(|events| events.is_power_of_two()).and_then(Geometry::of);
    match geometry {
        Some(geometry) if geometry.names as u64 == names && geometry.words() == words => Ok(geometry),
        _ => Err(damaged(format!("says that it has {events} events and {names} names"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capacity_is_rounded_up_and_bounded() {
        assert_eq!(Geometry::of(2000), Some(Geometry { events: 2048, names: 128 }));
        assert_eq!(Geometry::of(16), Some(Geometry { events: 16, names: 16 }));
        assert_eq!((Geometry::of(15), Geometry::of(MOST + 1)), (None, None));
        // What a pool has by default fits two units.
        assert!(Geometry::of(2048).unwrap().words() * 8 <= 2 * 65536);
    }

    #[test]
    fn places_do_not_overlap() {
        let geometry = Geometry::of(32).unwrap();
        assert_eq!(Geometry::name(15) + NAME, geometry.event(0));
        assert_eq!(geometry.event(31) + EVENT, geometry.words() * 8);
        assert_eq!(geometry.event(32), geometry.event(0));
    }
}
