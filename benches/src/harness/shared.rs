//! A page that processes share, for what a lock protects and for peers that need raw shared memory. Made of a plain memfd, so
//! that no subject's own memory is favoured. It knows nothing of locks.
#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU32, AtomicU64};

use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::MemfdFlags;

use super::Trouble;

const LENGTH: usize = 4096;
/// The counter has a cache line of its own, as a lock's neighbour would in a program that cares.
const COUNTER: usize = 2048;
const WORDS: usize = 8;

/// One shared page: room for a peer's lock at its start, a counter in its middle.
pub(crate) struct SharedPage {
    file: File,
    map: MmapRaw,
}

impl SharedPage {
    pub(crate) fn new() -> Result<SharedPage, Trouble> {
        let file = File::from(rustix::fs::memfd_create("polyproc-bench", MemfdFlags::CLOEXEC)?);
        file.set_len(LENGTH as u64)?;
        SharedPage::open(file)
    }

    pub(crate) fn open(file: File) -> Result<SharedPage, Trouble> {
        let map = MmapOptions::new().len(LENGTH).map_raw(&file)?;
        Ok(SharedPage { file, map })
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// What the locks under test protect. Callers load, add and store: two at a time would lose an increment.
    pub(crate) fn counter(&self) -> &AtomicU64 {
        // SAFETY: inside the mapping, aligned (a page's address plus 2048), zeroed by the kernel, alive as long as `self`, and used
        // as an atomic by every process.
        unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(COUNTER).cast()) }
    }

    /// Another number of the page, each in a cache line of its own: for what the two sides of a scenario tell each other.
    pub(crate) fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < WORDS);
        // SAFETY: as above; at most `WORDS` cache lines behind the counter, which the assertion keeps inside the page.
        unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(COUNTER + 64 * (1 + index)).cast()) }
    }

    /// A word that the kernel can wait on.
    pub(crate) fn futex(&self) -> &AtomicU32 {
        // SAFETY: as above; behind the words.
        unsafe { AtomicU32::from_ptr(self.map.as_mut_ptr().add(COUNTER + 64 * (1 + WORDS)).cast()) }
    }

    /// The first half of the page, for a peer's own lock.
    pub(crate) fn room(&self) -> *mut u8 {
        self.map.as_mut_ptr()
    }
}
