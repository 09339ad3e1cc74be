//! Array: a row of cells with a Rust type: single cells, ranges in one copy, text.

use std::marker::PhantomData;
use std::ops::{Bound, Deref, RangeBounds};
use std::time::Duration;

use bytemuck::Zeroable;

use super::locking::{CellsGuard, Locking};
use super::object::Cells;
use super::types::{Cell, Char};
use super::value::{Locked, typed_handle, with};
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::Fabric;
use crate::objects::Kind;
use crate::sync::LockError;

/// A row of typed cells that processes of every language share, in a C layout and with a lock. Its length is fixed.
///
/// As with [`Value`](crate::Value), the array's own calls take the lock, [`lock`](Array::lock) holds it over several steps, [`unlocked`](Array::unlocked) takes none, and integers have atomic
/// operations. Ranges are copied in one go. An index outside is [`ErrorKind::InvalidArgument`]. What is said there of deaths, `Gone` and forks holds here; a range can be
/// half written by a death, and by who writes without the lock.
///
/// ```
/// use polyproc_ipc::{Array, Fabric};
/// let fabric = Fabric::new()?;
/// let numbers = Array::new(&fabric, &[1_i32, 2, 3, 4])?;
/// numbers.set(0, 10)?;
/// numbers.write_range(2, &[30, 40])?;
/// assert_eq!(numbers.read_range(1..)?, [2, 30, 40]);
/// assert_eq!(numbers.lock()?.to_vec()?.iter().sum::<i32>(), 82);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub struct Array<T> {
    pub(super) cells: Cells,
    pub(super) cell: PhantomData<fn() -> T>,
}

/// An array's cells, used without taking its lock.
pub struct Elements<'a, T> {
    cells: &'a Cells,
    cell: PhantomData<fn() -> T>,
}

/// An array with its lock held until the guard is dropped. [`Elements`]' calls do not lock again.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct ArrayGuard<'a, T> {
    elements: Elements<'a, T>,
    _guard: CellsGuard<'a>,
}

impl<T: Cell> Array<T> {
    /// An array without a name, with these contents. It goes with its last handle here, unless its [ticket](Array::ticket) was made.
    pub fn new(fabric: &Fabric, contents: &[T]) -> Result<Array<T>> {
        Array::new_with(fabric, contents, Locking::Own)
    }

    /// An array without a name, with a lock to be chosen.
    pub fn new_with(fabric: &Fabric, contents: &[T], locking: Locking) -> Result<Array<T>> {
        Array::of(Cells::create(fabric, Kind::Array, None, &T::TYPE, contents.len(), locking, Some(&T::bytes_of(contents)))?)
    }

    /// An array without a name, all of whose bytes are 0.
    pub fn zeroed(fabric: &Fabric, len: usize) -> Result<Array<T>> {
        Array::zeroed_with(fabric, len, Locking::Own)
    }

    /// An array without a name, all of whose bytes are 0, with a lock to be chosen.
    pub fn zeroed_with(fabric: &Fabric, len: usize, locking: Locking) -> Result<Array<T>> {
        Array::of(Cells::create(fabric, Kind::Array, None, &T::TYPE, len, locking, None)?)
    }

    /// Makes the array of this name, with these contents.
    pub fn create(fabric: &Fabric, name: &str, contents: &[T]) -> Result<Array<T>> {
        Array::create_with(fabric, name, contents, Locking::Own)
    }

    /// Makes the array of this name, with a lock to be chosen.
    pub fn create_with(fabric: &Fabric, name: &str, contents: &[T], locking: Locking) -> Result<Array<T>> {
        Array::of(Cells::create(fabric, Kind::Array, Some(name), &T::TYPE, contents.len(), locking, Some(&T::bytes_of(contents)))?)
    }

    /// Makes the array of this name, all of whose bytes are 0.
    pub fn create_zeroed(fabric: &Fabric, name: &str, len: usize) -> Result<Array<T>> {
        Array::of(Cells::create(fabric, Kind::Array, Some(name), &T::TYPE, len, Locking::Own, None)?)
    }

    /// Opens the array of this name; [`ErrorKind::WrongType`] if its cells are of another type.
    pub fn open(fabric: &Fabric, name: &str) -> Result<Array<T>> {
        Array::of(Cells::open(fabric, Kind::Array, name)?)
    }

    /// Opens the array of this name, or makes it with all bytes 0; [`ErrorKind::WrongType`] if it is there with another type or length.
    pub fn open_or_create(fabric: &Fabric, name: &str, len: usize) -> Result<Array<T>> {
        Array::of(Cells::open_or_create(fabric, Kind::Array, name, &T::TYPE, len, Locking::Own, None)?)
    }

    /// A typed handle; [`ErrorKind::WrongType`] if the cells are of another type.
    pub fn of(cells: Cells) -> Result<Array<T>> {
        cells.expect(&T::TYPE, None)?;
        if cells.kind() != Kind::Array {
            return Err(Error::new(ErrorKind::WrongType, format!("{cells:?} is not an array")));
        }
        Ok(Array { cells, cell: PhantomData })
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// What a cell holds.
    #[inline]
    pub fn get(&self, index: usize) -> Locked<T, ArrayGuard<'_, T>> {
        let _held = self.enter()?;
        Ok(self.unlocked().get(index)?)
    }

    /// Replaces what a cell holds.
    #[inline]
    pub fn set(&self, index: usize, value: T) -> Locked<(), ArrayGuard<'_, T>> {
        let _held = self.enter()?;
        Ok(self.unlocked().set(index, value)?)
    }

    /// Changes what a cell holds, under the lock. [`ErrorKind::InvalidArgument`] if there is no lock.
    pub fn update<R>(&self, index: usize, change: impl FnOnce(&mut T) -> R) -> Locked<R, ArrayGuard<'_, T>> {
        let held = self.lock()?;
        Ok(held.update(index, change)?)
    }

    /// What the cells of a range hold.
    pub fn read_range(&self, range: impl RangeBounds<usize>) -> Locked<Vec<T>, ArrayGuard<'_, T>> {
        let _held = self.enter()?;
        Ok(self.unlocked().read_range(range)?)
    }

    /// Copies the cells from number `from` on into `to`.
    pub fn read_into(&self, from: usize, to: &mut [T]) -> Locked<(), ArrayGuard<'_, T>> {
        let _held = self.enter()?;
        Ok(self.unlocked().read_into(from, to)?)
    }

    /// Replaces the cells from number `from` on.
    pub fn write_range(&self, from: usize, values: &[T]) -> Locked<(), ArrayGuard<'_, T>> {
        let _held = self.enter()?;
        Ok(self.unlocked().write_range(from, values)?)
    }

    /// Makes every cell of a range hold `value`.
    pub fn fill(&self, range: impl RangeBounds<usize>, value: T) -> Locked<(), ArrayGuard<'_, T>> {
        let _held = self.enter()?;
        Ok(self.unlocked().fill(range, value)?)
    }

    /// What all cells hold.
    pub fn to_vec(&self) -> Locked<Vec<T>, ArrayGuard<'_, T>> {
        self.read_range(..)
    }

    /// Goes through what all cells hold at this moment.
    pub fn snapshot(&self) -> Locked<std::vec::IntoIter<T>, ArrayGuard<'_, T>> {
        Ok(self.to_vec()?.into_iter())
    }

    /// Takes the lock, however long it takes. [`ErrorKind::InvalidArgument`] if there is none.
    pub fn lock(&self) -> Locked<ArrayGuard<'_, T>, ArrayGuard<'_, T>> {
        with(self.cells.guard(None), |guard| self.held(guard))
    }

    /// Takes the lock if that is possible within `time`; else [`ErrorKind::Timeout`].
    pub fn lock_timeout(&self, time: Duration) -> Locked<ArrayGuard<'_, T>, ArrayGuard<'_, T>> {
        with(self.cells.guard(Some(time)), |guard| self.held(guard))
    }

    /// The cells without their lock: for arrays that have none, for readers who can do with any state, and for who took the lock with [`Cells::acquire`].
    #[inline]
    pub fn unlocked(&self) -> Elements<'_, T> {
        Elements { cells: &self.cells, cell: PhantomData }
    }

    /// A new array without a name and with a lock of its own, that holds the same.
    pub fn copy(&self) -> Locked<Array<T>, ArrayGuard<'_, T>> {
        let contents = self.to_vec()?;
        Ok(Array::new(self.fabric(), &contents)?)
    }

    #[inline]
    fn enter(&self) -> Locked<Option<CellsGuard<'_>>, ArrayGuard<'_, T>> {
        self.cells.enter().map_err(|error| match error {
            LockError::OwnerDied(guard) => LockError::OwnerDied(self.held(guard)),
            LockError::Failed(error) => LockError::Failed(error),
        })
    }

    fn held<'a>(&'a self, guard: CellsGuard<'a>) -> ArrayGuard<'a, T> {
        ArrayGuard { elements: self.unlocked(), _guard: guard }
    }
}

impl<T: Cell> Elements<'_, T> {
    /// What a cell holds.
    #[inline]
    pub fn get(&self, index: usize) -> Result<T> {
        let mut stored = T::Stored::zeroed();
        self.cells.read(index, bytemuck::bytes_of_mut(&mut stored))?;
        Ok(T::from_stored(stored))
    }

    /// Replaces what a cell holds.
    #[inline]
    pub fn set(&self, index: usize, value: T) -> Result<()> {
        self.cells.write(index, bytemuck::bytes_of(&value.to_stored()))
    }

    /// Changes what a cell holds: what others write to it meanwhile is lost, unless they and we hold the lock.
    pub fn update<R>(&self, index: usize, change: impl FnOnce(&mut T) -> R) -> Result<R> {
        let mut value = self.get(index)?;
        let answer = change(&mut value);
        self.set(index, value)?;
        Ok(answer)
    }

    /// What the cells of a range hold.
    pub fn read_range(&self, range: impl RangeBounds<usize>) -> Result<Vec<T>> {
        let (from, len) = self.resolve(range)?;
        let mut values = vec![T::from_stored(T::Stored::zeroed()); len];
        self.read_into(from, &mut values)?;
        Ok(values)
    }

    /// Copies the cells from number `from` on into `to`.
    pub fn read_into(&self, from: usize, to: &mut [T]) -> Result<()> {
        self.cells.check(from, to.len())?;
        T::from_bytes(to, |bytes| self.cells.read(from, bytes))
    }

    /// Replaces the cells from number `from` on.
    pub fn write_range(&self, from: usize, values: &[T]) -> Result<()> {
        self.cells.check(from, values.len())?;
        self.cells.write(from, &T::bytes_of(values))
    }

    /// Makes every cell of a range hold `value`.
    pub fn fill(&self, range: impl RangeBounds<usize>, value: T) -> Result<()> {
        const AT_ONCE: usize = 1024;
        let (from, len) = self.resolve(range)?;
        let values = vec![value; len.min(AT_ONCE)];
        let bytes = T::bytes_of(&values);
        for at in (from..from + len).step_by(AT_ONCE) {
            let now = (from + len - at).min(AT_ONCE);
            self.cells.write(at, &bytes[..now * T::TYPE.size()])?;
        }
        Ok(())
    }

    /// What all cells hold.
    pub fn to_vec(&self) -> Result<Vec<T>> {
        self.read_range(..)
    }

    /// A range as first index and length.
    fn resolve(&self, range: impl RangeBounds<usize>) -> Result<(usize, usize)> {
        let from = match range.start_bound() {
            Bound::Included(at) => *at,
            Bound::Excluded(at) => at.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(at) => at.saturating_add(1),
            Bound::Excluded(at) => *at,
            Bound::Unbounded => self.cells.len(),
        };
        let len = end.saturating_sub(from);
        self.cells.check(from, len)?;
        Ok((from, len))
    }
}

/// Text of bytes, as the reference's arrays of `c` have it.
impl Array<Char> {
    /// The bytes up to the first NUL, or all.
    pub fn value(&self) -> Locked<Vec<u8>, ArrayGuard<'_, Char>> {
        let mut bytes = self.raw()?;
        bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
        Ok(bytes)
    }

    /// Replaces the text from the beginning on, and ends it with a NUL where there is room for one. [`ErrorKind::InvalidArgument`] if it is too long.
    pub fn set_value(&self, text: &[u8]) -> Locked<(), ArrayGuard<'_, Char>> {
        let room = text.len() < self.len();
        let chars: Vec<Char> = text.iter().copied().chain(room.then_some(0)).map(Char).collect();
        self.write_range(0, &chars)
    }

    /// All bytes.
    pub fn raw(&self) -> Locked<Vec<u8>, ArrayGuard<'_, Char>> {
        Ok(self.snapshot()?.map(|char| char.0).collect())
    }
}

/// Text of code points, as the reference's arrays of `u` have it.
impl Array<char> {
    /// The text up to the first NUL, or all.
    pub fn value(&self) -> Locked<String, ArrayGuard<'_, char>> {
        Ok(self.snapshot()?.take_while(|char| *char != '\0').collect())
    }

    /// Replaces the text from the beginning on, and ends it with a NUL where there is room for one. [`ErrorKind::InvalidArgument`] if it is too long.
    pub fn set_value(&self, text: &str) -> Locked<(), ArrayGuard<'_, char>> {
        let mut chars: Vec<char> = text.chars().collect();
        if chars.len() < self.len() {
            chars.push('\0');
        }
        self.write_range(0, &chars)
    }
}

impl<'a, T> Deref for ArrayGuard<'a, T> {
    type Target = Elements<'a, T>;

    fn deref(&self) -> &Elements<'a, T> {
        &self.elements
    }
}

impl<T> std::fmt::Debug for ArrayGuard<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ArrayGuard of {:?}", self.elements.cells)
    }
}

typed_handle!(Array, "array");
