//! Atomic operations on integer cells of 8 to 64 bits, beside the lock and without it. All are sequentially consistent; who writes the same cell with `set` or a range writes over
//! them, in whole.
//!
//! One instruction is the commit: killed before it, nothing happened; killed after it, it is done.

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::SeqCst};

use super::array::Array;
use super::object::Cells;
use super::types::Integer;
use super::value::Value;
use crate::error::Result;

/// An integer cell as an atomic of its size.
enum Word<'a> {
    U8(&'a AtomicU8),
    U16(&'a AtomicU16),
    U32(&'a AtomicU32),
    U64(&'a AtomicU64),
}

/// Does the same to the atomic of whatever size; bits above it are cut off going in.
macro_rules! each {
    ($word:expr, |$atomic:ident| $act:expr) => {
        match $word {
            Word::U8($atomic) => u64::from($act),
            Word::U16($atomic) => u64::from($act),
            Word::U32($atomic) => u64::from($act),
            Word::U64($atomic) => $act,
        }
    };
}

impl Cells {
    #[inline(always)]
    fn word<T: Integer>(&self, index: usize) -> Result<Word<'_>> {
        self.check(index, 1)?;
        let (data, at) = (self.attached().data()?, index * size_of::<T>());
        Ok(match size_of::<T>() {
            1 => Word::U8(data.u8(at)?),
            2 => Word::U16(data.u16(at)?),
            4 => Word::U32(data.u32(at)?),
            _ => Word::U64(data.u64(at)?),
        })
    }

    #[inline(always)]
    fn atomic_load<T: Integer>(&self, index: usize) -> Result<T> {
        Ok(T::from_bits(each!(self.word::<T>(index)?, |at| at.load(SeqCst))))
    }

    #[inline(always)]
    fn atomic_swap<T: Integer>(&self, index: usize, new: T) -> Result<T> {
        Ok(T::from_bits(each!(self.word::<T>(index)?, |at| at.swap(new.to_bits() as _, SeqCst))))
    }

    #[inline(always)]
    fn atomic_add<T: Integer>(&self, index: usize, more: T) -> Result<T> {
        Ok(T::from_bits(each!(self.word::<T>(index)?, |at| at.fetch_add(more.to_bits() as _, SeqCst))))
    }

    #[inline(always)]
    fn atomic_sub<T: Integer>(&self, index: usize, less: T) -> Result<T> {
        Ok(T::from_bits(each!(self.word::<T>(index)?, |at| at.fetch_sub(less.to_bits() as _, SeqCst))))
    }

    #[inline(always)]
    fn atomic_exchange<T: Integer>(&self, index: usize, current: T, new: T) -> Result<Result<T, T>> {
        let exchanged;
        let was = each!(self.word::<T>(index)?, |at| {
            let done = at.compare_exchange(current.to_bits() as _, new.to_bits() as _, SeqCst, SeqCst);
            exchanged = done.is_ok();
            done.unwrap_or_else(|other| other)
        });
        Ok(if exchanged { Ok(T::from_bits(was)) } else { Err(T::from_bits(was)) })
    }
}

/// Atomic operations; they take no lock.
impl<T: Integer> Value<T> {
    /// What the cell holds.
    #[inline]
    pub fn load(&self) -> Result<T> {
        self.cells.atomic_load(0)
    }

    /// Replaces what the cell holds.
    #[inline]
    pub fn store(&self, value: T) -> Result<()> {
        self.cells.atomic_swap(0, value).map(drop)
    }

    /// Replaces what the cell holds; what it held before.
    #[inline]
    pub fn swap(&self, value: T) -> Result<T> {
        self.cells.atomic_swap(0, value)
    }

    /// Adds, wrapping around; what the cell held before.
    #[inline]
    pub fn fetch_add(&self, more: T) -> Result<T> {
        self.cells.atomic_add(0, more)
    }

    /// Subtracts, wrapping around; what the cell held before.
    #[inline]
    pub fn fetch_sub(&self, less: T) -> Result<T> {
        self.cells.atomic_sub(0, less)
    }

    /// Replaces what the cell holds if that is `current`: `Ok` with it; else nothing is done: `Err` with what it holds.
    #[inline]
    pub fn compare_exchange(&self, current: T, new: T) -> Result<Result<T, T>> {
        self.cells.atomic_exchange(0, current, new)
    }
}

/// Atomic operations; they take no lock.
impl<T: Integer> Array<T> {
    /// What a cell holds.
    #[inline]
    pub fn load(&self, index: usize) -> Result<T> {
        self.cells.atomic_load(index)
    }

    /// Replaces what a cell holds.
    #[inline]
    pub fn store(&self, index: usize, value: T) -> Result<()> {
        self.cells.atomic_swap(index, value).map(drop)
    }

    /// Replaces what a cell holds; what it held before.
    #[inline]
    pub fn swap(&self, index: usize, value: T) -> Result<T> {
        self.cells.atomic_swap(index, value)
    }

    /// Adds, wrapping around; what the cell held before.
    #[inline]
    pub fn fetch_add(&self, index: usize, more: T) -> Result<T> {
        self.cells.atomic_add(index, more)
    }

    /// Subtracts, wrapping around; what the cell held before.
    #[inline]
    pub fn fetch_sub(&self, index: usize, less: T) -> Result<T> {
        self.cells.atomic_sub(index, less)
    }

    /// Replaces what a cell holds if that is `current`: `Ok` with it; else nothing is done: `Err` with what it holds.
    #[inline]
    pub fn compare_exchange(&self, index: usize, current: T, new: T) -> Result<Result<T, T>> {
        self.cells.atomic_exchange(index, current, new)
    }
}
