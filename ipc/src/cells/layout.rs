//! Where the words of a value or array stand, and what they say of its cells.
//!
//! Offsets in the object (after the common header of 192 bytes):
//!
//! | offset | word | guarded by |
//! | --- | --- | --- |
//! | 192 | type code in the low byte (`types.rs`) | set at creation, as all up to 248 but the data |
//! | 200 | bytes of a cell; alignment `<< 32` | |
//! | 208 | number of cells | |
//! | 216 | data: offset of the chunk with the cells, HELD by this object | written at creation under the directory lock; to 0 under the pins lock |
//! | 224 | which lock: 0 none, 1 the one at 256, 2 a given one | |
//! | 232, 240, 248 | the given lock: kind, offset, birth | |
//! | 256 | the object's own lock: 64 bytes, `sync/recursive.rs` has the table | whoever holds it |
//! | 320 | pins lock | |
//! | 384 | pins: 1024 bits, one per slot of the process table | pins lock |
//! | 512 | bytes in the description of a struct | set at creation |
//! | 520 | the description, up to 120 bytes | set at creation |
//!
//! The cells stand one after the other in the data chunk, as a C array.

use std::sync::atomic::{AtomicU64, Ordering};

use super::types::{CellType, MAX_FORMAT};
use crate::error::{Error, Result};
use crate::heap::cell::Holder;
use crate::objects::{HEADER, Header};
use crate::shm::layout::SLOTS;
use crate::shm::{Fixed, Owner, Shm};
use crate::sync::recursive::Recursive;

/// Bytes of a value or array object.
pub(crate) const SIZE: usize = 640;

const CODE: usize = HEADER;
const SIZES: usize = HEADER + 8;
const COUNT: usize = HEADER + 16;
const DATA: usize = HEADER + 24;
const MODE: usize = HEADER + 32;
const GIVEN: usize = HEADER + 40;
const OWN_LOCK: usize = 256;
const PINS_LOCK: usize = 320;
const PINS: usize = 384;
const FORMAT_LEN: usize = 512;
const FORMAT: usize = 520;

const _: () = assert!(PINS + SLOTS / 8 <= FORMAT_LEN && FORMAT + MAX_FORMAT <= SIZE);

/// The words of a value or array.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    pub(crate) shm: &'a Shm,
    pub(crate) offset: u64,
    pub(crate) at: Fixed<'a, SIZE>,
}

/// Which lock guards the cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    None,
    Own,
    /// Kind's number, offset and birth.
    Given([u64; 3]),
}

/// What a process knows of an object's cells, checked once: it stays so while the process has the object pinned.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) cell: CellType,
    pub(crate) count: usize,
    pub(crate) data: u64,
    pub(crate) mode: Mode,
}

impl Shape {
    /// Bytes of all cells.
    pub(crate) fn bytes(&self) -> usize {
        self.count * self.cell.size()
    }
}

impl<'a> Words<'a> {
    pub(crate) fn of(shm: &'a Shm, object: Header<'_>) -> Result<Words<'a>> {
        Ok(Words { shm, offset: object.offset, at: shm.segment.fixed(object.offset)? })
    }

    #[inline(always)]
    pub(crate) fn birth(self) -> &'a AtomicU64 {
        self.at.u64(24)
    }
    pub(crate) fn kept(self) -> &'a AtomicU64 {
        self.at.u64(48)
    }
    pub(crate) fn data(self) -> &'a AtomicU64 {
        self.at.u64(DATA)
    }
    pub(crate) fn pins_lock(self) -> &'a AtomicU64 {
        self.at.u64(PINS_LOCK)
    }
    #[inline(always)]
    pub(crate) fn own_lock(self) -> Recursive<'a> {
        Recursive::of(self.at.u64(OWN_LOCK), self.at.u64(OWN_LOCK + 8), self.at.u64(OWN_LOCK + 16))
    }

    /// The pin of a member: word and bit.
    pub(crate) fn pin(self, of: Owner) -> (&'a AtomicU64, u64) {
        let slot = of.slot() % SLOTS;
        (self.at.u64(PINS + slot / 64 * 8), 1 << (slot % 64))
    }

    pub(crate) fn is_pinned(self) -> bool {
        (0..SLOTS / 64).any(|word| self.at.u64(PINS + word * 8).load(Ordering::Acquire) != 0)
    }

    /// Writes all but the data and the locks. Nobody reads it before the object's birth is set.
    pub(crate) fn describe(self, cell: &CellType, count: usize, mode: Mode) -> Result<()> {
        let set = |at: usize, value: u64| self.at.u64(at).store(value, Ordering::Relaxed);
        set(CODE, cell.code() as u64);
        set(SIZES, cell.size() as u64 | (cell.align() as u64) << 32);
        set(COUNT, count as u64);
        let (number, given) = match mode {
            Mode::None => (0, [0; 3]),
            Mode::Own => (1, [0; 3]),
            Mode::Given(given) => (2, given),
        };
        set(MODE, number);
        (0..3).for_each(|i| set(GIVEN + i * 8, given[i]));
        set(FORMAT_LEN, cell.format().len() as u64);
        self.at.span().write(FORMAT, cell.format().as_bytes())
    }

    /// What the object says of its cells, checked. The caller has it pinned.
    pub(crate) fn shape(self) -> Result<Shape> {
        let get = |at: usize| self.at.u64(at).load(Ordering::Relaxed);
        let damaged = |what: &str| Error::corrupt(format_args!("object {:#x} says {what}", self.offset));
        let mut format = vec![0; get(FORMAT_LEN).min(MAX_FORMAT as u64 + 1) as usize];
        self.at.span().read(FORMAT, &mut format)?;
        let format = String::from_utf8(format).ok();
        let (size, align) = (get(SIZES) & 0xFFFF_FFFF, get(SIZES) >> 32);
        let code = u8::try_from(get(CODE)).ok();
        let cell = code.zip(format).and_then(|(code, format)| CellType::found(code, size as usize, align as usize, format));
        let cell = cell.ok_or_else(|| damaged("that its cells are of no known type"))?;
        let (count, data) = (get(COUNT), self.data().load(Ordering::Acquire));
        let chunk = self.shm.chunk(data)?;
        let fits = count.checked_mul(size).is_some_and(|bytes| bytes <= chunk.capacity);
        if !fits || chunk.holder() != Holder::Held(self.offset) {
            return Err(damaged(&format!("that it has {count} cells of {size} bytes at {data:#x}, where they are not")));
        }
        let mode = match get(MODE) {
            0 => Mode::None,
            1 => Mode::Own,
            2 => Mode::Given([get(GIVEN), get(GIVEN + 8), get(GIVEN + 16)]),
            other => return Err(damaged(&format!("that its lock is of mode {other}"))),
        };
        Ok(Shape { cell, count: count as usize, data, mode })
    }
}
