//! Lists: Python's, between processes, without a server.
//!
//! | file | idea |
//! | --- | --- |
//! | `layout` | the words of the object, its directory, its blocks and items, and where they stand |
//! | `change` | how one store commits, whatever changes; the lock and its repair |
//! | `blocks` | directories and blocks, checked as they are read |
//! | `item` | one item, in the hand and in a slot |
//! | `edit` | the list under its lock, and the few ways in which it changes |
//! | `slice` | indices and slices as Python has them |
//! | `bytes`, `many`, `versions`, `iter` | [`BytesList`]: single items; many at once; versions and waiting; iteration |
//! | `typed` | [`List`]: the same with Rust values |
//! | this file | what lists do in the fabric |

mod blocks;
mod bytes;
mod change;
mod edit;
mod item;
mod iter;
mod layout;
mod many;
mod slice;
mod typed;
mod versions;

use std::sync::atomic::Ordering;

pub use bytes::BytesList;
pub use iter::{BytesIter, Iter};
pub use slice::Slice;
pub use typed::List;

use crate::error::Result;
use crate::fabric::kinds::{Held, Ops, Parting};
use crate::objects::{Header, ObjectId};
use crate::shm::{Owner, Shm};
use edit::Locked;
use layout::Words;

/// What lists do in the fabric.
pub(crate) const OPS: Ops = Ops { quiesce, outlive: Some(outlive), hold: Some(hold) };

/// Empties a list that is about to be destroyed; may be repeated.
fn quiesce(shm: &Shm, object: Header<'_>) -> Result<()> {
    let w = Words::of(shm, ObjectId { offset: object.offset, birth: 0 })?;
    let guard = change::lock(w)?;
    w.birth().store(0, Ordering::Release);
    let list = Locked::of(w, guard)?;
    list.clear()?;
    list.leave();
    Ok(())
}

/// Brings a list past the death of a member, before the sweep frees what that one held: chunks among them that a change had put into the list already.
fn outlive(shm: &Shm, object: Header<'_>, _: Owner, parting: Parting) -> Result<()> {
    if parting == Parting::Died {
        drop(change::lock(Words::of(shm, ObjectId { offset: object.offset, birth: 0 })?)?);
    }
    Ok(())
}

/// A list's lock, for the checker, and the chunks that the list ought to hold besides its own.
fn hold<'a>(shm: &'a Shm, object: Header<'a>) -> Result<Held<'a>> {
    let w = Words::of(shm, ObjectId { offset: object.offset, birth: 0 })?;
    let list = Locked::of(w, change::lock(w)?)?;
    let chunks = list.chunks()?;
    Ok(Held { guards: vec![list.into_guard()], chunks })
}
