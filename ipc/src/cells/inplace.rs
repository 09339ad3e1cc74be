//! An array's cells in place, as Rust slices: for bulk work that a copy would double. The callers answer for what the type system cannot know of other processes.
#![allow(unsafe_code)]

use super::array::Array;
use super::types::Cell;
use crate::error::Result;

impl<T: Cell> Array<T> {
    /// Where the cells are in this process: [`Array::len`] cells, aligned to 64 bytes. Valid while this handle or a clone of it lives, also when the array is destroyed meanwhile; a
    /// forked child asks anew. Nothing guards an access through it.
    pub fn as_ptr(&self) -> Result<*mut T::Stored> {
        Ok(self.cells.as_ptr()?.cast())
    }

    /// The cells in place.
    ///
    /// # Safety
    /// While the slice is in use nobody writes to the cells, in this process or any other. That is so, for instance, while all writers take the array's lock and the caller holds it. A forked
    /// child does not use its parent's slices.
    pub unsafe fn as_slice(&self) -> Result<&[T::Stored]> {
        let start = self.as_ptr()?;
        // SAFETY: `len` cells are mapped at `start` and aligned, since their type was checked; the chunk is pinned while the handle, which the slice borrows, lives; any bytes are a
        // valid `Stored`; nobody writes, by the caller's duty.
        Ok(unsafe { std::slice::from_raw_parts(start, self.len()) })
    }

    /// The cells in place, to be written.
    ///
    /// # Safety
    /// While the slice is in use nobody else reads or writes the cells, in this process or any other; no other slice of them is in use. That is so, for instance, while everybody takes the
    /// array's lock and the caller holds it. A forked child does not use its parent's slices.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn as_mut_slice(&self) -> Result<&mut [T::Stored]> {
        let start = self.as_ptr()?;
        // SAFETY: as above; nobody else uses the cells, by the caller's duty.
        Ok(unsafe { std::slice::from_raw_parts_mut(start, self.len()) })
    }
}
