//! A message on a lease, as its holder has it; and what a dead holder left.

use std::sync::atomic::Ordering;

use super::BytesQueue;
use super::get::Getter;
use super::lease::{self, Entry};
use super::message::Message;
use crate::error::{Error, ErrorKind, Result};
use crate::shm::Owner;
use crate::sync::wait;

/// A message taken on a lease: see [`BytesQueue::get_lease`]. Its bytes, by `Deref`.
#[derive(Debug)]
pub struct Lease {
    pub(super) queue: BytesQueue,
    pub(super) entry: u64,
    pub(super) me: Owner,
    pub(super) deliveries: u32,
    /// Of a chunk: a view that frees nothing; the queue holds it.
    pub(super) bytes: Message,
    pub(super) chunk: u64,
    pub(super) done: bool,
}

/// What a dead process had on lease: see [`BytesQueue::reclaim`].
#[derive(Debug)]
pub struct Reclaimed {
    /// The message; it is the caller's now.
    pub message: Message,
    /// What the dead process last said by [`Lease::set_progress`].
    pub progress: u64,
    /// How often the message was handed out.
    pub deliveries: u32,
}

impl Lease {
    /// The message is done with: it leaves the queue for good.
    pub fn ack(mut self) -> Result<()> {
        self.done = true;
        self.end(true)
    }

    /// How often this message was handed out, this time included.
    pub fn deliveries(&self) -> u32 {
        self.deliveries
    }

    /// Leaves a word that whoever [reclaims](BytesQueue::reclaim) this lease after our death will read. One store.
    #[inline]
    pub fn set_progress(&self, progress: u64) {
        // Of a queue that was destroyed, the entry may be another queue's by now.
        if let Some(w) = self.queue.words_if_here()
            && let Ok(word) = Entry::at(w, self.entry).and_then(Entry::progress)
        {
            word.store(progress, Ordering::Release);
        }
    }

    fn end(&self, done: bool) -> Result<()> {
        let shm = self.queue.0.handle.shm();
        if shm.me_if_joined() != Some(self.me) {
            return Ok(()); // a forked child: the lease is its parent's
        }
        let w = self.queue.words();
        let getter = match Getter::enter(w) {
            Err(error) if error.kind() == ErrorKind::Gone => {
                lease::let_go(w, self.entry, self.chunk, self.me)?;
                return Err(error);
            }
            other => other?,
        };
        let entry = Entry::at(w, self.entry)?;
        if !entry.is_leased_to(self.me)? {
            return Err(Error::corrupt("a lease is not where it was"));
        }
        if done {
            return lease::acknowledge(&getter, entry);
        }
        lease::give_back(w, entry)?;
        drop(getter);
        wait::wake(w.data(), 1);
        Ok(())
    }
}

impl std::ops::Deref for Lease {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.done {
            // Damaged memory or an ended queue: there is no front to go back to.
            let _ = self.end(false);
        }
    }
}
