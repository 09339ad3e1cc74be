//! A received message in a mapping of its own, to be written to without anybody else seeing it. Knows pages; not who uses them.
//!
//! The mapping is a private one of the segment's file: a page is the chunk's until it is written to, and a copy from then on. So the chunk stays this process's for as long as the mapping is
//! there (killed before: the sweep frees both). A forked child has the mapping too, but not the chunk: [`before_fork`] makes every page a copy first.
#![allow(unsafe_code)]

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use memmap2::{MmapOptions, MmapRaw};

use super::message::Message;
use crate::error::{Error, Result};

const PAGE: usize = 4096;

/// A message as memory that is this process's own, without a copy of what is never written to. From [`Message::privately`].
#[derive(Clone)]
pub struct Privately(Arc<Inner>);

struct Inner {
    map: MmapRaw,
    /// Holds the chunk. (Dropped after the mapping.)
    _message: Message,
}

static ALL: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

impl Message {
    /// The message's bytes, writable and nobody else's, without copying them all; the message itself if it is no view of shared memory.
    ///
    /// # Errors
    /// As the system's, if it cannot map them; the message is in [`Error::into_message`].
    pub fn privately(self) -> Result<Result<Privately, Message>> {
        let Some((file, offset)) = self.place_in_file() else { return Ok(Err(self)) };
        // SAFETY: what is mapped is copied by the kernel before this process writes to it. Others do not write: the chunk is this process's while the message lives, which the mapping keeps.
        let mapped = unsafe { MmapOptions::new().offset(offset).len(self.len()).map_copy(file.as_raw_fd()) };
        match mapped {
            Ok(map) => {
                let inner = Arc::new(Inner { map: MmapRaw::from(map), _message: self });
                let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
                if all.len() == all.capacity() {
                    all.retain(|map| map.strong_count() > 0);
                }
                all.push(Arc::downgrade(&inner));
                Ok(Ok(Privately(inner)))
            }
            Err(error) => {
                let errno = error.raw_os_error().map_or(rustix::io::Errno::NOMEM, rustix::io::Errno::from_raw_os_error);
                Err(Error::os(errno, "mapping a message privately").with_message(self))
            }
        }
    }
}

impl Privately {
    /// Where its bytes begin; they stay there while this lives.
    pub fn as_ptr(&self) -> *mut u8 {
        self.0.map.as_mut_ptr()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.map.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Debug for Privately {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Privately mapped message of {} bytes", self.len())
    }
}

/// Makes copies of all pages that are still the chunks', since a child that is about to be forked has no claim to those.
pub(crate) fn before_fork() {
    let all: Vec<Arc<Inner>> = ALL.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect();
    for inner in all {
        let (start, len) = (inner.map.as_mut_ptr(), inner.map.len());
        let mut at = 0;
        while at < len {
            // SAFETY: inside the mapping, which `inner` keeps.
            let byte = unsafe { AtomicU8::from_ptr(start.add(at)) };
            // A write that changes nothing, whoever else writes there. (`fetch_or(0)` would become a load.)
            let _ = byte.compare_exchange(0, 0, Ordering::Relaxed, Ordering::Relaxed);
            // On to the next page.
            at += PAGE - (start.addr() + at) % PAGE;
        }
    }
}

const _: () = assert!(PAGE.is_power_of_two());

#[cfg(test)]
mod tests {
    use crate::{BytesQueue, Fabric};

    #[test]
    fn what_is_written_stays_here_and_the_chunk_is_held_meanwhile() {
        let fabric = Fabric::builder().cap(16 << 20).private().unwrap();
        let queue = BytesQueue::new(&fabric, 0).unwrap();
        queue.put(&vec![7; 300_000]).unwrap();
        let message = queue.get().unwrap();
        let chunk = message.as_ptr();
        let mapped = message.privately().unwrap().unwrap();
        assert_ne!(mapped.as_ptr().cast_const(), chunk);
        // SAFETY: the mapping's own bytes.
        let bytes = unsafe { std::slice::from_raw_parts_mut(mapped.as_ptr(), mapped.len()) };
        assert!(bytes.iter().all(|byte| *byte == 7));
        bytes[299_999] = 8;
        super::before_fork();
        // Every page is a copy now: what is done to the chunk is not seen.
        // SAFETY: the chunk's first byte, which this process holds.
        unsafe { chunk.cast_mut().write(1) };
        assert_eq!((bytes[0], bytes[299_999], fabric.check().unwrap().private_chunks), (7, 8, 1));
        drop(mapped);
        assert_eq!(fabric.check().unwrap().private_chunks, 0);
        queue.put(b"short").unwrap();
        assert_eq!(&*queue.get().unwrap().privately().unwrap().unwrap_err(), b"short");
    }
}
