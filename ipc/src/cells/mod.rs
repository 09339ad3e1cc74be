//! Value and Array: cells with a C layout that every language reads and writes in place, under a lock or without.
//!
//! | file | idea |
//! | --- | --- |
//! | `types` | what a cell may be: type codes, C structs, and the Rust types that are cells |
//! | `layout` | where the words stand, and what they say of the cells |
//! | `pins` | who uses the cells: the chunk with them lives as long as somebody may touch it |
//! | `locking` | the own lock, a given one, or none |
//! | `object` | making, opening, access as bytes: what bindings of dynamic languages use |
//! | `value`, `array` | the same with a Rust type |
//! | `atomic` | atomic operations on integer cells |
//! | `inplace` | the cells as Rust slices, for bulk work |
//!
//! What a death leaves: making and destroying commit as every object's do (`objects.rs`, `object.rs`, `pins.rs`). A cell of up to 8 bytes is written by one store, so it is the old one or the new
//! one; of larger ones and of ranges any part may be written. Whoever takes the lock next is told that its owner died.

mod array;
mod atomic;
mod inplace;
mod layout;
mod locking;
mod object;
mod pins;
mod types;
mod value;

use std::sync::atomic::Ordering;

use crate::error::Result;
use crate::fabric::kinds::{Held, Ops, Parting};
use crate::objects::Header;
use crate::shm::{Owner, Shm};
use layout::Words;

pub use array::{Array, ArrayGuard, Elements};
pub use locking::{CellsGuard, Locking};
pub use object::Cells;
pub use types::{Cell, CellType, Char, Integer, Struct};
pub use value::{Element, Value, ValueGuard};

/// What values and arrays do in the fabric.
pub(crate) const OPS: Ops = Ops { quiesce, outlive: Some(outlive), hold: Some(hold) };

/// Ends an object that is about to be destroyed; the cells go back with the last pin.
fn quiesce(shm: &Shm, object: Header<'_>) -> Result<()> {
    let w = Words::of(shm, object)?;
    let guard = pins::lock(w)?;
    w.kept().store(1, Ordering::Release);
    w.birth().store(0, Ordering::Release);
    pins::settle(w, guard.me)?;
    drop(guard);
    // The holder's hold ends here; waiters come up one after the other: each acquires, sees, releases.
    w.own_lock().reset();
    Ok(())
}

/// A member that is gone uses no cells.
fn outlive(shm: &Shm, object: Header<'_>, gone: Owner, _: Parting) -> Result<()> {
    pins::unpin(Words::of(shm, object)?, gone)
}

fn hold<'a>(shm: &'a Shm, object: Header<'a>) -> Result<Held<'a>> {
    let w = Words::of(shm, object)?;
    let guard = pins::lock(w)?;
    let data = w.data().load(Ordering::Acquire);
    Ok(Held { guards: vec![guard], chunks: (data != 0).then_some(data).into_iter().collect() })
}
