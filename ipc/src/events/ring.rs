//! One event: four words that many processes write without a lock, and that tell by themselves whether they are whole.
//!
//! | offset | word |
//! | --- | --- |
//! | 0 | seal: number of the event (low 32 bits) `<< 32 \|` check sum of its whole number and the three other words |
//! | 8 | time |
//! | 16 | kind (8 bits) `<< 56 \|` name (16 bits) `<< 32 \|` who |
//! | 24 | value |
//!
//! **Write**: claim a number (fetch-and-add), store the three words, store the seal (the commit). Killed before the seal: the place has the seal of the event that was there before, or none. A
//! reader knows which number must stand in each place, so it sees that this event is not there; the next writer of the place, one round later, makes it whole again. Nobody waits.
//!
//! **Overtaken**: a writer that stood still while all others went round the whole ring writes into the place of a younger event. Whatever mixture of both is left, seal and words do not fit together
//! (but for one in four billion), and the place counts as torn until the next round. The same tells a reader that is overtaken.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use super::layout::{EVENT, Geometry, NEXT};
use super::{EventRecord, layout};
use crate::error::Result;
use crate::shm::Span;

/// The words of an event but for its seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) time: u64,
    pub(super) about: u64,
    pub(super) value: u64,
}

/// What a reader found.
pub(super) struct Found {
    pub(super) events: Vec<(u64, Event)>,
    pub(super) overwritten: u64,
    pub(super) torn: u64,
    pub(super) next: u64,
}

/// Kind, name and who in one word.
#[inline(always)]
pub(super) fn about(kind: u8, name: u16, who: u32) -> u64 {
    u64::from(kind) << 56 | u64::from(name) << 32 | u64::from(who)
}

impl Event {
    #[inline(always)]
    fn seal(self, number: u64) -> u64 {
        let mut sum = number ^ 0x9e37_79b9_7f4a_7c15;
        for word in [self.time, self.about, self.value] {
            sum = (sum ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
            sum ^= sum >> 32;
        }
        number << 32 | sum & 0xffff_ffff
    }

    pub(super) fn decode(self, number: u64, names: &[Option<Arc<str>>]) -> EventRecord {
        let name = (self.about >> 32) as u16;
        EventRecord {
            number,
            time: self.time,
            kind: (self.about >> 56) as u8,
            name: usize::from(name).checked_sub(1).and_then(|at| names.get(at)?.clone()),
            who: self.about as u32,
            value: self.value,
        }
    }
}

#[inline(always)]
pub(super) fn write(data: Span<'_>, geometry: Geometry, event: Event) -> Result<()> {
    let number = data.u64(NEXT)?.fetch_add(1, Ordering::Relaxed);
    let place = data.part(geometry.event(number), EVENT)?.fixed::<EVENT>()?;
    place.u64(8).store(event.time, Ordering::Relaxed);
    place.u64(16).store(event.about, Ordering::Relaxed);
    place.u64(24).store(event.value, Ordering::Relaxed);
    place.u64(0).store(event.seal(number), Ordering::Release);
    Ok(())
}

/// The events from number `from` on, as far as they are still there.
pub(super) fn read(data: Span<'_>, geometry: Geometry, from: u64) -> Result<Found> {
    let next = data.u64(layout::NEXT)?.load(Ordering::Acquire);
    let first = next.saturating_sub(geometry.events() as u64);
    let mut found = Found { events: Vec::new(), overwritten: first.saturating_sub(from), torn: 0, next };
    for number in first.max(from)..next {
        let place = data.part(geometry.event(number), EVENT)?.fixed::<EVENT>()?;
        let seal = place.u64(0).load(Ordering::Acquire);
        let [time, about, value] = [8, 16, 24].map(|at| place.u64(at).load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let event = Event { time, about, value };
        if seal == event.seal(number) {
            found.events.push((number, event));
        } else {
            found.torn += 1;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_was_never_written_is_no_event() {
        let nothing = Event { time: 0, about: 0, value: 0 };
        assert!((0..100_000).all(|number| nothing.seal(number) != 0));
    }

    /// Every mixture of two events of one place, with the seal of either, is told from both.
    #[test]
    fn mixtures_of_two_events_are_torn() {
        let mut state = 1_u64;
        let mut roll = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 20
        };
        for number in 0..20_000 {
            let a = Event { time: roll(), about: about(1, 2, 3), value: roll() % 4 };
            let b = Event { time: a.time + 1 + roll() % 1000, about: about(2, 2, 3), value: a.value + 1 };
            let (seal_a, seal_b) = (a.seal(number), b.seal(number + 64));
            for mixture in 0..8 {
                let pick = |bit: u32, a: u64, b: u64| if mixture >> bit & 1 == 0 { a } else { b };
                let mixed = Event { time: pick(0, a.time, b.time), about: pick(1, a.about, b.about), value: pick(2, a.value, b.value) };
                assert_eq!(mixed.seal(number) == seal_a, mixed == a, "{a:?} {b:?} {mixture}");
                assert_eq!(mixed.seal(number + 64) == seal_b, mixed == b, "{a:?} {b:?} {mixture}");
                assert_ne!(mixed.seal(number + 64), seal_a, "the number is part of it");
            }
        }
    }

    #[test]
    fn kind_name_and_who_are_read_as_written() {
        let names = [Some(Arc::from("a")), None, Some(Arc::from("c"))];
        let read = |name| Event { time: 5, about: about(255, name, u32::MAX), value: 6 }.decode(9, &names);
        let event = read(3);
        assert_eq!((event.number, event.time, event.kind, event.who, event.value), (9, 5, 255, u32::MAX, 6));
        assert_eq!([0, 1, 2, 3, 4].map(|name| read(name).name.as_deref().map(str::to_owned)), [None, Some("a".into()), None, Some("c".into()), None]);
    }
}
