//! The table of names: places that are filled once and never changed.
//!
//! A place has 128 bytes:
//!
//! | offset | what |
//! | --- | --- |
//! | 0 | state: 0 free; owner bits `\| 1 << 31`: being filled by that process; `1 << 30 \|` length: filled |
//! | 8 | up to 120 bytes of UTF-8 |
//!
//! **Fill**: state 0 -> being filled by me (compare-and-swap), the bytes, state -> filled (the commit). Killed in between, the place is the dead's; whoever finds it so later takes it over by
//! a compare-and-swap against the dead owner's exact word. A place that is being filled by the living is passed by, so nobody waits; two processes may thus fill in the same name at once, in two
//! places. Both numbers mean it. The table is never looked through twice, so a call ends after one round.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::layout::{Geometry, NAME};
use crate::error::Result;
use crate::shm::{Owner, Shm, Span};

const FILLING: u64 = 1 << 31;
const FILLED: u64 = 1 << 30;
const BYTES: usize = 8;
const LONGEST: usize = NAME - BYTES;

/// The number of `name`, from 1 on; 0 if there is no room for it.
pub(super) fn intern(shm: &Shm, data: Span<'_>, geometry: Geometry, name: &str) -> Result<u16> {
    let name = end_of(name);
    if name.is_empty() {
        return Ok(0);
    }
    for index in 0..geometry.names() {
        if filled(data.part(Geometry::name(index), NAME)?)?.is_some_and(|bytes| bytes == name.as_bytes()) {
            return Ok(index as u16 + 1);
        }
    }
    let mine = shm.me()?.to_bits() | FILLING;
    for index in 0..geometry.names() {
        let place = data.part(Geometry::name(index), NAME)?;
        let state = place.u64(0)?;
        let found = state.load(Ordering::Acquire);
        let is_free = found == 0 || (found & FILLING != 0 && !shm.alive(Owner::from_bits(found & !FILLING)));
        if is_free && state.compare_exchange(found, mine, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            place.write(BYTES, name.as_bytes())?;
            state.store(FILLED | name.len() as u64, Ordering::Release);
            return Ok(index as u16 + 1);
        }
        // Somebody was faster, perhaps with this very name.
        if filled(place)?.is_some_and(|bytes| bytes == name.as_bytes()) {
            return Ok(index as u16 + 1);
        }
    }
    Ok(0)
}

/// The names in the table; none for a place that is not filled, or whose bytes are no text.
pub(super) fn all(data: Span<'_>, geometry: Geometry) -> Result<Vec<Option<Arc<str>>>> {
    let name = |index| {
        let bytes = filled(data.part(Geometry::name(index), NAME)?)?;
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map(Arc::from))
    };
    (0..geometry.names()).map(name).collect()
}

/// The bytes of a filled place.
fn filled(place: Span<'_>) -> Result<Option<Vec<u8>>> {
    let state = place.u64(0)?.load(Ordering::Acquire);
    let len = (state & !FILLED) as usize;
    if state & FILLED == 0 || state >> 31 != 0 || len > LONGEST {
        return Ok(None);
    }
    let mut bytes = vec![0; len];
    place.read(BYTES, &mut bytes)?;
    Ok(Some(bytes))
}

/// As much of the end of a name as has room: of a path the end says most.
fn end_of(name: &str) -> &str {
    let from = name.len().saturating_sub(LONGEST);
    (from..name.len()).find_map(|at| name.get(at..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_at_its_beginning() {
        assert_eq!(end_of("short"), "short");
        assert_eq!(end_of(""), "");
        let long = format!("{}{}", "x".repeat(50), "y".repeat(LONGEST));
        assert_eq!(end_of(&long), "y".repeat(LONGEST));
        // Never inside a character.
        let wide = "\u{e9}".repeat(100) + "a";
        assert_eq!(end_of(&wide), format!("{}a", "\u{e9}".repeat(59)));
    }

    #[test]
    fn an_owner_is_never_taken_for_a_name() {
        let bits = Owner::from_bits(u64::from(u32::MAX) << 32 | 1024).to_bits();
        assert_eq!(bits & (FILLING | FILLED), 0);
    }
}
