//! Dicts, sets and namespaces without a server process: sixteen shards, each a compact dict under a lock of its own.
//!
//! | file | idea |
//! | --- | --- |
//! | `layout` | the object's words and where they stand |
//! | `keys` | when two keys are the same, and their hash |
//! | `entry` | one entry: an immutable chunk |
//! | `arena` | a shard's slots and index |
//! | `shard` | one shard under its lock: the protocol, its commits, its repair |
//! | `table` | what all three kinds do, in bytes |
//! | `iter` | going through a table in the order of insertion |
//! | `bytes`, `typed` | [`BytesDict`]; [`Dict`]: the same with Rust values |
//! | `set` | [`BytesSet`], [`Set`] |
//! | `namespace` | [`Namespace`] |
//! | this file | what they do in the fabric |

mod arena;
mod bytes;
mod entry;
mod iter;
mod keys;
mod layout;
mod namespace;
mod operators;
mod set;
mod shard;
mod table;
mod typed;

use std::sync::atomic::Ordering;

pub use bytes::{BytesDict, BytesEntries};
pub use namespace::Namespace;
pub use set::{BytesSet, Set, SetItems, SetOperand};
pub use typed::{Dict, DictItems, DictKeys, DictValues, Versioned};

use crate::error::{Error, Result};
use crate::fabric::kinds::{Held, Ops, Parting};
use crate::objects::Header;
use crate::shm::{Owner, Shm};
use crate::sync::word;
use arena::Arena;
use entry::Entry;
use layout::Words;

/// What these objects do in the fabric.
pub(crate) const OPS: Ops = Ops { quiesce, outlive: Some(outlive), hold: Some(hold) };

/// Ends a dict that is about to be destroyed; may be repeated.
fn quiesce(shm: &Shm, object: Header<'_>) -> Result<()> {
    let w = Words::of_header(shm, object)?;
    let guards = w.all_shards().map(|s| shard::lock(w, s)).collect::<Result<Vec<_>>>()?;
    w.birth().store(0, Ordering::Release);
    drop(guards);
    for s in w.all_shards() {
        let guard = shard::lock(w, s)?;
        shard::purge(w, s, guard.me)?;
    }
    w.tell();
    Ok(())
}

/// Brings a dict past the death of a member, before the sweep frees what that one held: every shard is repaired that needs it, so that no intent names a chunk that is about to be free. A shard
/// whose lock is free has no intent.
fn outlive(shm: &Shm, object: Header<'_>, _: Owner, parting: Parting) -> Result<()> {
    if parting == Parting::Left {
        return Ok(());
    }
    let w = Words::of_header(shm, object)?;
    for s in w.all_shards().filter(|s| !word::is_free(s.lock().load(Ordering::Acquire))) {
        drop(shard::lock(w, s)?);
    }
    Ok(())
}

/// All locks of a dict, for the checker, and the chunks that it ought to hold besides its own. What is derived is compared with what it is derived from.
fn hold<'a>(shm: &'a Shm, object: Header<'a>) -> Result<Held<'a>> {
    let w = Words::of_header(shm, object)?;
    let guards = w.all_shards().map(|s| shard::lock(w, s)).collect::<Result<Vec<_>>>()?;
    let mut chunks = Vec::new();
    for s in w.all_shards() {
        let offset = s.arena().load(Ordering::Acquire);
        if offset == 0 {
            continue;
        }
        chunks.push(offset);
        let arena = Arena::at(w, offset)?;
        let current = s.epoch().load(Ordering::Relaxed) == w.epoch().load(Ordering::Relaxed);
        if current && arena.count()? as u64 != s.live().load(Ordering::Relaxed) {
            return Err(Error::corrupt(format_args!("a dict's shard has {} entries and says {}", arena.count()?, s.live().load(Ordering::Relaxed))));
        }
        let mut last = None;
        for slot in 0..arena.used()? {
            let entry = arena.entry(slot)?.load(Ordering::Relaxed);
            let sequence = Some(arena.sequence(slot)?);
            if sequence <= last {
                return Err(Error::corrupt(format_args!("a dict's slot {slot} is older than the one before")));
            }
            last = sequence;
            if entry == 0 {
                continue;
            }
            chunks.push(entry);
            if current && !arena.knows(Entry::at(w, entry)?.hash()? as u32, slot)? {
                return Err(Error::corrupt(format_args!("a dict's index does not know slot {slot}")));
            }
        }
    }
    Ok(Held { guards, chunks })
}
