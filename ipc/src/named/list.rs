//! ShareableList: a fixed number of cells in a block of shared memory, each with room of a fixed size for a value.
//!
//! The layout is ours, not CPython's: there, lengths are guessed from trailing NULs (which are lost), and a value killed in the middle of a change is half changed. Here every value has its
//! length, and its cell has room for two, of which one word says which is meant: **that word's store is the commit of a change**, so a killed writer leaves the old value or the new one.
//!
//! | offset | word |
//! | --- | --- |
//! | 0 | magic `PPSHLIST`; stored last by the maker |
//! | 8 | version: 1 |
//! | 16 | number of cells |
//! | 24 | bytes in all |
//! | 32 + 24 i | cell i: state |
//! | 40 + 24 i | offset of its room (8-aligned) |
//! | 48 + 24 i | capacity: bytes of a half of its room (a multiple of 8) |
//!
//! State: bits 0 to 31 length; 32 to 35 type (0 none, 1 bool, 2 integer of 8 bytes, 3 float of 8 bytes, 4 UTF-8 text, 5 bytes); 36 which half; 40 to 63 how often it was changed.
//!
//! A change writes into the half that the state does not mean, then stores the state. A reader copies, looks at the state again, and copies anew if it changed. Two writers of *one* cell at the
//! same time need a lock of theirs.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::atomic::{Ordering, fence};

use super::block::SharedMemory;
use crate::error::{Error, ErrorKind, Result};

const MAGIC: u64 = u64::from_le_bytes(*b"PPSHLIST");
const VERSION: u64 = 1;
const COUNT: usize = 16;
const TOTAL: usize = 24;
const CELLS: usize = 32;
const CELL: usize = 24;
const HALF: u64 = 1 << 36;
/// How often a reader begins anew before it says that it cannot keep up.
const TRIES: u32 = 1 << 16;

/// What a cell of a [`ShareableList`] holds.
#[derive(Clone, Debug, PartialEq, PartialOrd, Default)]
pub enum ShareableItem {
    /// Nothing.
    #[default]
    None,
    /// A bool.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// A float of 64 bits.
    Float(f64),
    /// Text.
    Str(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A list of a fixed number of cells in a named block of shared memory, as Python's `ShareableList`: `None`, bools, integers, floats, text and bytes, each to be replaced by whatever fits
/// its cell. Text and bytes keep trailing NULs (the reference loses them).
///
/// The list lives until somebody [unlinks](ShareableList::unlink) it; see [`SharedMemory`]. A change is whole or has not happened, also when the writer is killed; **two processes that
/// change the same cell at the same time need a lock** ([`Lock`](crate::Lock)). A damaged list answers [`ErrorKind::Corrupt`]. The layout is this library's own, not CPython's.
///
/// ```
/// use polyproc_ipc::{ShareableItem, ShareableList};
/// let list = ShareableList::create(None, &["polyproc".into(), 7_i64.into(), ShareableItem::None])?;
/// let other = ShareableList::attach(list.shm().name())?;
/// other.set(1, 2.5)?;
/// other.set(0, "pp\0")?;
/// assert_eq!(list.to_vec()?, ["pp\0".into(), 2.5.into(), ShareableItem::None]);
/// list.unlink()?;
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Debug)]
pub struct ShareableList {
    shm: SharedMemory,
    count: usize,
}

/// One cell's place, checked.
struct Room {
    state: usize,
    offset: usize,
    capacity: usize,
}

impl ShareableList {
    /// Makes a list of these values, with this name or one that nobody has. Text and bytes have room for what they are, rounded up as in the reference, so at least 8 bytes.
    pub fn create(name: Option<&str>, items: &[ShareableItem]) -> Result<ShareableList> {
        ShareableList::with_capacity(name, items, 0)
    }

    /// Makes a list whose every cell has room for at least so many bytes.
    pub fn with_capacity(name: Option<&str>, items: &[ShareableItem], least: usize) -> Result<ShareableList> {
        let too_large = || Error::new(ErrorKind::TooLarge, "the values do not fit into one list");
        let capacity = |item: &ShareableItem| {
            let len = item.bytes().len().max(least);
            let text = matches!(item, ShareableItem::Str(_) | ShareableItem::Bytes(_)) && len == item.bytes().len();
            // Text has room for one byte more than it needs, rounded up.
            len.checked_add(usize::from(text)).map(|len| len.max(1)).and_then(|len| len.checked_next_multiple_of(8))
        };
        let mut at = items.len().checked_mul(CELL).and_then(|cells| cells.checked_add(CELLS)).ok_or_else(too_large)?;
        let mut rooms = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let capacity = capacity(item).ok_or_else(too_large)?;
            rooms.push(Room { state: CELLS + index * CELL, offset: at, capacity });
            at = capacity.checked_mul(2).and_then(|room| at.checked_add(room)).ok_or_else(too_large)?;
        }
        let shm = SharedMemory::create(name, at)?;
        let list = ShareableList { shm, count: items.len() };
        let filled = list.fill(items, &rooms, at);
        filled.inspect_err(|_| drop(list.unlink()))?;
        Ok(list)
    }

    /// Attaches to the list of this name. [`ErrorKind::WrongType`] if the block is something else (or its maker has not finished it).
    pub fn attach(name: &str) -> Result<ShareableList> {
        ShareableList::of(SharedMemory::attach(name)?)
    }

    /// Attaches to the list of this name, to read only.
    pub fn attach_read_only(name: &str) -> Result<ShareableList> {
        ShareableList::of(SharedMemory::attach_read_only(name)?)
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What a cell holds. [`ErrorKind::InvalidArgument`] for an index outside; [`ErrorKind::Timeout`] if the cell changes faster than it can be read.
    pub fn get(&self, index: usize) -> Result<ShareableItem> {
        let room = self.room(index)?;
        let mut bytes = Vec::new();
        let mut state = self.shm.load(room.state)?;
        for _ in 0..TRIES {
            let len = state as u32 as usize;
            if len > room.capacity {
                return Err(self.damaged(&format!("cell {index} says that it holds {len} bytes, and has room for {}", room.capacity)));
            }
            bytes.resize(len, 0);
            self.shm.read(room.offset + usize::from(state & HALF != 0) * room.capacity, &mut bytes)?;
            fence(Ordering::Acquire);
            let now = self.shm.load(room.state)?;
            if now == state {
                return ShareableItem::of(state >> 32 & 0xF, bytes).ok_or_else(|| self.damaged(&format!("cell {index} holds what is no value")));
            }
            state = now;
        }
        Err(Error::new(ErrorKind::Timeout, format!("cell {index} of list '{}' changes faster than it can be read", self.shm.name())))
    }

    /// Replaces what a cell holds, by a value of any type that fits; [`ErrorKind::TooLarge`] if it does not.
    pub fn set(&self, index: usize, value: impl Into<ShareableItem>) -> Result<()> {
        self.shm.check_writable()?;
        let (room, value) = (self.room(index)?, value.into());
        let bytes = value.bytes();
        if bytes.len() > room.capacity {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("{} bytes do not fit into cell {index} of list '{}', which has room for {}", bytes.len(), self.shm.name(), room.capacity),
            ));
        }
        let before = self.shm.load(room.state)?;
        let half = !before & HALF;
        // Who sees what is written now also sees that the half was left before.
        fence(Ordering::Release);
        self.shm.write(room.offset + usize::from(half != 0) * room.capacity, &bytes)?;
        let changes = (before >> 40).wrapping_add(1) << 40;
        self.shm.store(room.state, changes | half | value.number() << 32 | bytes.len() as u64)
    }

    /// Room that a cell has for a value, in bytes.
    pub fn capacity(&self, index: usize) -> Result<usize> {
        Ok(self.room(index)?.capacity)
    }

    /// What all cells hold. Each is whole; they are not of one moment.
    pub fn to_vec(&self) -> Result<Vec<ShareableItem>> {
        (0..self.count).map(|index| self.get(index)).collect()
    }

    /// How many cells hold this.
    pub fn count(&self, value: &ShareableItem) -> Result<usize> {
        (0..self.count).try_fold(0, |count, index| Ok(count + usize::from(self.get(index)? == *value)))
    }

    /// The first cell that holds this; none if no cell does.
    pub fn index(&self, value: &ShareableItem) -> Result<Option<usize>> {
        for index in 0..self.count {
            if self.get(index)? == *value {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// The cells' types, each in the `struct` module's letter: `x` none, `?` bool, `q` integer, `d` float, and text or bytes as `s` with the cell's room before it.
    pub fn format(&self) -> Result<String> {
        let mut format = String::new();
        for index in 0..self.count {
            match self.get(index)? {
                ShareableItem::None => format.push('x'),
                ShareableItem::Bool(_) => format.push('?'),
                ShareableItem::Int(_) => format.push('q'),
                ShareableItem::Float(_) => format.push('d'),
                ShareableItem::Str(_) | ShareableItem::Bytes(_) => write!(format, "{}s", self.capacity(index)?).expect("text takes what is written"),
            }
        }
        Ok(format)
    }

    /// The block that the list is in.
    pub fn shm(&self) -> &SharedMemory {
        &self.shm
    }

    /// Takes the list's name away; it goes with the last who is attached.
    pub fn unlink(&self) -> Result<()> {
        self.shm.unlink()
    }

    fn of(shm: SharedMemory) -> Result<ShareableList> {
        if shm.size() < CELLS || shm.load(0)? != MAGIC {
            return Err(Error::new(ErrorKind::WrongType, format!("shared memory '{}' is not a list of this library, or not finished", shm.name())));
        }
        let version = shm.load(8)?;
        if version != VERSION {
            return Err(Error::new(ErrorKind::ForeignVersion, format!("list '{}' is of version {version}, this program knows {VERSION}", shm.name())));
        }
        let (count, total) = (shm.load(COUNT)?, shm.load(TOTAL)?);
        let list = ShareableList { shm, count: count as usize };
        let cells_end = count.checked_mul(CELL as u64).and_then(|cells| cells.checked_add(CELLS as u64));
        if total > list.shm.size() as u64 || cells_end.is_none_or(|end| end > total) {
            return Err(list.damaged(&format!("it says that it has {count} cells in {total} bytes, of {}", list.shm.size())));
        }
        Ok(list)
    }

    fn fill(&self, items: &[ShareableItem], rooms: &[Room], total: usize) -> Result<()> {
        for (item, room) in items.iter().zip(rooms) {
            let bytes = item.bytes();
            self.shm.write(room.offset, &bytes)?;
            self.shm.store(room.state, item.number() << 32 | bytes.len() as u64)?;
            self.shm.store(room.state + 8, room.offset as u64)?;
            self.shm.store(room.state + 16, room.capacity as u64)?;
        }
        for (at, value) in [(8, VERSION), (COUNT, items.len() as u64), (TOTAL, total as u64), (0, MAGIC)] {
            self.shm.store(at, value)?;
        }
        Ok(())
    }

    fn room(&self, index: usize) -> Result<Room> {
        if index >= self.count {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("index {index} is outside list '{}' of {} cells", self.shm.name(), self.count)));
        }
        let state = CELLS + index * CELL;
        let (offset, capacity) = (self.shm.load(state + 8)?, self.shm.load(state + 16)?);
        let end = capacity.checked_mul(2).and_then(|room| room.checked_add(offset));
        if end.is_none_or(|end| end > self.shm.size() as u64) || offset < (CELLS + self.count * CELL) as u64 || capacity > u64::from(u32::MAX) {
            return Err(self.damaged(&format!("cell {index} says that its room is at {offset} with twice {capacity} bytes")));
        }
        Ok(Room { state, offset: offset as usize, capacity: capacity as usize })
    }

    #[cold]
    fn damaged(&self, what: &str) -> Error {
        Error::corrupt(format_args!("list '{}': {what}", self.shm.name()))
    }
}

impl ShareableItem {
    fn number(&self) -> u64 {
        match self {
            ShareableItem::None => 0,
            ShareableItem::Bool(_) => 1,
            ShareableItem::Int(_) => 2,
            ShareableItem::Float(_) => 3,
            ShareableItem::Str(_) => 4,
            ShareableItem::Bytes(_) => 5,
        }
    }

    fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            ShareableItem::None => (&[][..]).into(),
            ShareableItem::Bool(value) => vec![u8::from(*value)].into(),
            ShareableItem::Int(value) => value.to_le_bytes().to_vec().into(),
            ShareableItem::Float(value) => value.to_le_bytes().to_vec().into(),
            ShareableItem::Str(value) => value.as_bytes().into(),
            ShareableItem::Bytes(value) => value.into(),
        }
    }

    fn of(number: u64, bytes: Vec<u8>) -> Option<ShareableItem> {
        let eight = || <[u8; 8]>::try_from(&bytes[..]).ok();
        Some(match number {
            0 if bytes.is_empty() => ShareableItem::None,
            1 if bytes == [0] || bytes == [1] => ShareableItem::Bool(bytes == [1]),
            2 => ShareableItem::Int(i64::from_le_bytes(eight()?)),
            3 => ShareableItem::Float(f64::from_le_bytes(eight()?)),
            4 => ShareableItem::Str(String::from_utf8(bytes).ok()?),
            5 => ShareableItem::Bytes(bytes),
            _ => return None,
        })
    }
}

macro_rules! items {
    ($($from:ty => |$value:ident| $item:expr;)*) => {
        $(impl From<$from> for ShareableItem {
            fn from($value: $from) -> ShareableItem {
                $item
            }
        })*
    };
}

items! {
    () => |_nothing| ShareableItem::None;
    bool => |value| ShareableItem::Bool(value);
    i64 => |value| ShareableItem::Int(value);
    f64 => |value| ShareableItem::Float(value);
    String => |value| ShareableItem::Str(value);
    &str => |value| ShareableItem::Str(value.to_owned());
    Vec<u8> => |value| ShareableItem::Bytes(value);
    &[u8] => |value| ShareableItem::Bytes(value.to_vec());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_from_their_bytes() {
        for item in [ShareableItem::None, true.into(), false.into(), i64::MIN.into(), f64::INFINITY.into(), "ä\0\0".into(), (&b"\0\xFF"[..]).into(), "".into()]
        {
            assert_eq!(ShareableItem::of(item.number(), item.bytes().into_owned()), Some(item));
        }
        for (number, bytes) in [(0, vec![0]), (1, vec![2]), (1, vec![]), (2, vec![0; 7]), (3, vec![0; 9]), (4, vec![0xFF]), (6, vec![])] {
            assert_eq!(ShareableItem::of(number, bytes), None);
        }
    }
}
