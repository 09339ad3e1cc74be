//! Who has what on lease, for people who look at a queue. Changes nothing.

use std::sync::atomic::Ordering;

use super::BytesQueue;
use super::entry::{self, BYTES, Entry, Kept, LEASED};
use super::get::Getter;
use super::layout::Words;
use crate::block::parcel::WITH_BLOCKS;
use crate::error::{Error, Result};
use crate::heap::cell::Holder;
use crate::shm::Owner;

/// A message on lease, as [`BytesQueue::leases`] lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseInfo {
    /// The process that has it.
    pub holder: Owner,
    /// What that process last said by [`Lease::set_progress`](crate::Lease::set_progress).
    pub progress: u64,
    /// How often the message was handed out.
    pub deliveries: u32,
    /// The first bytes of the message, or of the value in it if it has blocks.
    pub head: Vec<u8>,
}

impl BytesQueue {
    /// Every lease at this moment, with up to `head` bytes of its message. Holds the queue's lock for as long as that takes to copy.
    pub fn leases(&self, head: usize) -> Result<Vec<LeaseInfo>> {
        let w = self.words();
        let _getter = Getter::enter(w)?;
        let mut all = Vec::new();
        for entry in entry::all(w) {
            let entry = entry?;
            if entry.phase()? == LEASED {
                let (progress, deliveries) = (entry.progress()?.load(Ordering::Acquire), entry.deliveries()?);
                all.push(LeaseInfo { holder: entry.holder()?, progress, deliveries, head: first_bytes(w, entry, head)? });
            }
        }
        Ok(all)
    }
}

fn first_bytes(w: Words<'_>, entry: Entry<'_>, most: usize) -> Result<Vec<u8>> {
    let (kept, len, tags) = entry.kept()?;
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(most)];
    match kept {
        Kept::Inline => entry.span.read(BYTES, &mut bytes)?,
        Kept::Chunk(offset) => {
            let chunk = w.shm.chunk(offset)?;
            if chunk.holder() != Holder::Held(w.id.offset) {
                return Err(Error::corrupt(format_args!("a message on lease at {offset:#x} is not the queue's ({:?})", chunk.holder())));
            }
            let span = chunk.bytes(w.shm)?;
            let mut from = 0;
            if tags as u8 & WITH_BLOCKS != 0 {
                // What is first in a message with blocks is not its beginning.
                let mut word = [0; 8];
                span.read(usize::try_from(len).ok().and_then(|len| len.checked_sub(16)).unwrap_or(0), &mut word)?;
                from = u64::from_le_bytes(word).min(len) as usize;
                bytes.truncate(len as usize - from);
            }
            span.read(from, &mut bytes)?;
        }
    }
    Ok(bytes)
}
