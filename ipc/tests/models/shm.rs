//! `src/shm` of the model: processes with a place each, and memory that consists of the words that somebody made.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use crate::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::error::{Error, Result};
use crate::kernel::{self, Futex};

/// As in `src/shm/members.rs`: `generation << 32 | slot + 1`; the generation is always 1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Owner(u64);

impl Owner {
    pub(crate) const NOBODY: Owner = Owner(0);
    pub(crate) const DEAD: Owner = Owner(0xFFFF);

    pub(crate) fn of_process(number: usize) -> Owner {
        Owner(1 << 32 | (number as u64 + 1))
    }
    pub(crate) fn slot(self) -> usize {
        (self.0 as u32 as usize).wrapping_sub(1)
    }
    pub(crate) fn process(self) -> Option<usize> {
        (self.0 >> 32 == 1).then(|| (self.0 as u32 as usize) - 1)
    }
    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }
    pub(crate) fn from_bits(bits: u64) -> Owner {
        Owner(bits)
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {:?}", self.process())
    }
}

pub(crate) struct Shm {
    pub(crate) segment: Segment,
    pub(crate) label: String,
    deaths: AtomicU32,
}

impl Shm {
    pub(crate) fn new(segment: Segment) -> Shm {
        Shm { segment, label: "the model".into(), deaths: AtomicU32::new(0) }
    }

    pub(crate) fn me(&self) -> Result<Owner> {
        Ok(kernel::me())
    }

    pub(crate) fn member_in(&self, slot: usize) -> Option<Owner> {
        Some(Owner::of_process(slot))
    }

    pub(crate) fn alive(&self, owner: Owner) -> bool {
        kernel::alive(owner)
    }

    pub(crate) fn seen_running(&self, owner: Owner) -> bool {
        kernel::alive(owner)
    }

    /// As in `src/shm/members.rs`: the word is read in the kernel, the deaths before the call.
    pub(crate) fn sleep(&self, word: &impl Futex, expected: u32, _time: Duration) {
        let seen = self.deaths.load(Ordering::Relaxed);
        kernel::sleep(word, expected, &self.deaths, seen);
    }

    /// As in `src/shm/members.rs`: the end of a sweep.
    pub(crate) fn announce_death(&self) {
        self.deaths.fetch_add(1, Ordering::Release);
        kernel::wake(&self.deaths, u32::MAX);
    }
}

/// No time passes in a model.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deadline {
    Never,
}

impl Deadline {
    pub(crate) fn after(_time: Option<Duration>) -> Deadline {
        Deadline::Never
    }
    pub(crate) fn is_over(self) -> bool {
        false
    }
    pub(crate) fn left(self, most: Duration) -> Option<Duration> {
        Some(most)
    }
}

pub(crate) struct Nap;

impl Nap {
    pub(crate) const MOST: Duration = Duration::from_millis(250);

    pub(crate) fn new() -> Nap {
        Nap
    }
    pub(crate) fn next(&mut self) -> Duration {
        Duration::from_millis(1)
    }
}

pub(crate) mod layout {
    pub(crate) const UNIT: u64 = 4096;
    pub(crate) const SLOTS: usize = 8;
}

pub(crate) mod view {
    use crate::atomic::AtomicU64;

    /// The kernel of the model knows which half of a 64-bit word is the futex.
    pub(crate) type Half = AtomicU64;

    pub(crate) fn low_half(word: &AtomicU64) -> &Half {
        word
    }
}

/// Memory: words by their offset. Bulk bytes are words that are loaded and stored relaxed, so a copy that was not ordered is seen as a stale one.
#[derive(Default)]
pub(crate) struct Segment {
    words: BTreeMap<u64, AtomicU64>,
    halves: BTreeMap<u64, AtomicU32>,
}

impl Segment {
    pub(crate) fn with(words: impl IntoIterator<Item = u64>, halves: impl IntoIterator<Item = u64>) -> Segment {
        Segment { words: words.into_iter().map(|at| (at, AtomicU64::new(0))).collect(), halves: halves.into_iter().map(|at| (at, AtomicU32::new(0))).collect() }
    }

    fn word(&self, at: u64) -> &AtomicU64 {
        self.words.get(&at).unwrap_or_else(|| panic!("the model has no word at {at:#x}"))
    }

    /// What bounds a walk.
    pub(crate) fn units(&self) -> u64 {
        16
    }

    pub(crate) fn units_in_file(&self) -> u64 {
        16
    }

    pub(crate) fn span(&self, offset: u64, len: u64) -> Result<Span<'_>> {
        if offset == 0 { Err(Error::corrupt("a span at 0")) } else { Ok(Span { segment: self, start: offset, len: len as usize }) }
    }

    pub(crate) fn fixed<const N: usize>(&self, offset: u64) -> Result<Fixed<'_, N>> {
        Ok(Fixed { segment: self, start: offset })
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Span<'a> {
    segment: &'a Segment,
    start: u64,
    len: usize,
}

impl<'a> Span<'a> {
    pub(crate) fn len(self) -> usize {
        self.len
    }

    fn check(self, at: usize, len: usize) -> Result<u64> {
        if at + len <= self.len && at.is_multiple_of(8) {
            Ok(self.start + at as u64)
        } else {
            Err(Error::corrupt(format_args!("{len} bytes at {at} of {}", self.len)))
        }
    }

    pub(crate) fn u64(self, at: usize) -> Result<&'a AtomicU64> {
        Ok(self.segment.word(self.check(at, 8)?))
    }

    pub(crate) fn part(self, at: usize, len: usize) -> Result<Span<'a>> {
        Ok(Span { segment: self.segment, start: self.check(at, len)?, len })
    }

    pub(crate) fn fixed<const N: usize>(self) -> Result<Fixed<'a, N>> {
        Ok(Fixed { segment: self.segment, start: self.check(0, N)? })
    }

    pub(crate) fn copy_from(self, at: usize, other: Span<'_>, from: usize, len: usize) -> Result<()> {
        let mut bytes = vec![0; len];
        other.read(from, &mut bytes)?;
        self.write(at, &bytes)
    }

    pub(crate) fn write(self, at: usize, from: &[u8]) -> Result<()> {
        let place = self.check(at, from.len())?;
        for (number, bytes) in (0..).zip(from.chunks(8)) {
            self.segment.word(place + number * 8).store(u64::from_le_bytes(bytes.try_into().expect("whole words")), Ordering::Relaxed);
        }
        Ok(())
    }

    pub(crate) fn read(self, at: usize, to: &mut [u8]) -> Result<()> {
        let place = self.check(at, to.len())?;
        for (number, bytes) in (0..).zip(to.chunks_mut(8)) {
            bytes.copy_from_slice(&self.segment.word(place + number * 8).load(Ordering::Relaxed).to_le_bytes());
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Fixed<'a, const N: usize> {
    segment: &'a Segment,
    start: u64,
}

impl<'a, const N: usize> Fixed<'a, N> {
    pub(crate) fn span(self) -> Span<'a> {
        Span { segment: self.segment, start: self.start, len: N }
    }

    pub(crate) fn u64(self, at: usize) -> &'a AtomicU64 {
        self.segment.word(self.start + at as u64)
    }

    pub(crate) fn u32(self, at: usize) -> &'a AtomicU32 {
        self.segment.halves.get(&(self.start + at as u64)).unwrap_or_else(|| panic!("the model has no half word at {at:#x}"))
    }
}
