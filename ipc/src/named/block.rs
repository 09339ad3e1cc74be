//! SharedMemory: a block of memory with a name in `/dev/shm`, the same that CPython's `SharedMemory` makes and attaches to. Knows bytes and bounds, no layout.
//!
//! Made and mapped by the `shared_memory` crate, with its holes closed: the memory is *reserved* before anybody touches it (the crate sets a length only, so that a full `/dev/shm` kills with
//! SIGBUS whoever writes); it is never *owned* in the crate's sense (an owner's drop removes the name, also the drop in a forked child). What the crate cannot do is beside it: a
//! mapping for reading only is memmap2's, removing a name and reserving are system calls by name.
//!
//! | killed | left |
//! | --- | --- |
//! | in create, before the memory is reserved | the name, with memory that is reserved by whoever attaches |
//! | later | the name with its memory, until somebody unlinks it |
#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{Mode, fstat, fstatvfs};
use rustix::io::Errno;
use rustix::shm;
use shared_memory::{Shmem, ShmemConf, ShmemError};

use crate::error::{Error, ErrorKind, Result};
use crate::sys;

/// Longest name of a block, in bytes.
const MAX_NAME: usize = 250;

/// A block of shared memory with a name that every program of this user can attach to: CPython's `multiprocessing.shared_memory.SharedMemory`, in either direction.
///
/// The block has a fixed size, is readable and writable for its user alone, and **lives until somebody unlinks it**: it goes neither with a handle nor with its maker, also
/// when that is killed. There is no resource tracker; whoever makes a block sees to [`unlink`](SharedMemory::unlink). What should go by itself belongs into a [fabric](crate::Fabric).
///
/// Nothing guards the bytes: who reads while another process writes may see part of the write. Another program that makes the block's file shorter takes its memory away,
/// and touching that is a bus error, as with every mapping of a file.
///
/// ```
/// use polyproc_ipc::SharedMemory;
/// let block = SharedMemory::create(None, 4096)?;
/// let other = SharedMemory::attach(block.name())?;
/// block.write(100, b"hello")?;
/// let mut bytes = [0; 5];
/// other.read(100, &mut bytes)?;
/// assert_eq!(&bytes, b"hello");
/// block.unlink()?;
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub struct SharedMemory {
    name: String,
    start: NonNull<u8>,
    size: usize,
    writable: bool,
    /// What `start` points into.
    _map: Map,
}

enum Map {
    ReadWrite(#[allow(dead_code)] Shmem),
    ReadOnly(#[allow(dead_code)] MmapRaw),
}

// SAFETY: the mapping may be used from any thread; all access through `&self` is by copies and atomics, or by `unsafe` calls whose callers answer for it.
unsafe impl Send for SharedMemory {}
// SAFETY: as above.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// Makes a block of `size` bytes, all 0, with this name or one that nobody has. [`ErrorKind::AlreadyExists`] if the name is taken; [`ErrorKind::OutOfMemory`] if `/dev/shm` has
    /// no room for it: then nothing is left.
    pub fn create(name: Option<&str>, size: usize) -> Result<SharedMemory> {
        if size == 0 {
            return Err(Error::new(ErrorKind::InvalidArgument, "a block of shared memory has at least one byte"));
        }
        let Some(name) = name else {
            loop {
                let random = u64::from_ne_bytes(sys::random_id()[..8].try_into().expect("8 bytes"));
                match SharedMemory::make(&format!("pp_{random:016x}"), size) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    other => return other,
                }
            }
        };
        SharedMemory::make(checked(name)?, size)
    }

    /// Attaches to the block of this name, to read and write. [`ErrorKind::NotFound`] if there is none.
    pub fn attach(name: &str) -> Result<SharedMemory> {
        let name = checked(name)?;
        // Its maker, in another program, may not have reserved it.
        reserve(name, &open(name, shm::OFlags::RDWR)?)?;
        let map = ShmemConf::new().os_id(os_name(name)).open().map_err(|error| failed(&error, "attaching to", name))?;
        Ok(SharedMemory::of(name, map))
    }

    /// Attaches to the block of this name, to read only: writing answers [`ErrorKind::InvalidArgument`].
    pub fn attach_read_only(name: &str) -> Result<SharedMemory> {
        let name = checked(name)?;
        match open(name, shm::OFlags::RDWR) {
            Ok(file) => reserve(name, &file)?,
            // Who may not write cannot reserve either; the maker has, if it is this library.
            Err(error) if error.os_error() == Some(Errno::ACCESS.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
        let file = open(name, shm::OFlags::RDONLY)?;
        let map = MmapOptions::new().map_raw_read_only(&File::from(file)).map_err(|error| {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
            Error::os(errno, format_args!("attaching to shared memory '{name}' to read"))
        })?;
        let start = NonNull::new(map.as_mut_ptr()).expect("a mapping is never at 0");
        Ok(SharedMemory { name: name.to_owned(), start, size: map.len(), writable: false, _map: Map::ReadOnly(map) })
    }

    /// The name by which others attach; CPython's too.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes in the block.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether this handle may write.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Detaches; the block stays. Dropping does the same.
    pub fn close(self) {}

    /// Takes the name away: nobody can attach any more, and the memory goes with the last who is attached. [`ErrorKind::NotFound`] if it is gone already.
    pub fn unlink(&self) -> Result<()> {
        SharedMemory::unlink_name(&self.name)
    }

    /// Takes away the name of a block that this process is not attached to: for what the killed left.
    pub fn unlink_name(name: &str) -> Result<()> {
        let name = checked(name)?;
        shm::unlink(os_name(name)).map_err(|errno| failed(&ShmemError::MapOpenFailed(errno.raw_os_error() as u32), "unlinking", name))
    }

    /// Copies bytes from `at` on into `to`.
    pub fn read(&self, at: usize, to: &mut [u8]) -> Result<()> {
        let from = self.check(at, to.len())?;
        // SAFETY: the source lies inside the mapping, the target is private memory, so they do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    /// Copies `from` to `at`.
    pub fn write(&self, at: usize, from: &[u8]) -> Result<()> {
        self.check_writable()?;
        let to = self.check(at, from.len())?;
        // SAFETY: the target lies inside the mapping, which is writable; the source is private memory, so they do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to.as_ptr(), from.len()) };
        Ok(())
    }

    /// Where the block is in this process, while this handle lives. Not to be written through if it was attached to read.
    pub fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// The bytes in place.
    ///
    /// # Safety
    /// Nobody, in this process or any other, writes to the block while the slice is in use.
    pub unsafe fn as_slice(&self) -> &[u8] {
        // SAFETY: mapped and readable while the handle lives, which the slice borrows; not written meanwhile, by the caller's duty.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.size) }
    }

    /// The bytes in place, to be written; [`ErrorKind::InvalidArgument`] if it was attached to read.
    ///
    /// # Safety
    /// Nobody else, in this process or any other, reads or writes the block while the slice is in use.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn as_mut_slice(&self) -> Result<&mut [u8]> {
        self.check_writable()?;
        // SAFETY: mapped and writable while the handle lives, which the slice borrows; nobody else uses it, by the caller's duty.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.size) })
    }

    /// Reads the word at `at` (a multiple of 8).
    pub(super) fn load(&self, at: usize) -> Result<u64> {
        let word = self.word(at)?;
        // SAFETY: inside the mapping and 8-aligned; a load of 8 bytes works in memory that is for reading only too.
        Ok(unsafe { AtomicU64::from_ptr(word) }.load(Ordering::Acquire))
    }

    /// Writes the word at `at` (a multiple of 8).
    pub(super) fn store(&self, at: usize, value: u64) -> Result<()> {
        self.check_writable()?;
        let word = self.word(at)?;
        // SAFETY: inside the mapping, writable and 8-aligned; an atomic is valid for other processes' writes.
        unsafe { AtomicU64::from_ptr(word) }.store(value, Ordering::Release);
        Ok(())
    }

    fn word(&self, at: usize) -> Result<*mut u64> {
        let word = self.check(at, 8)?;
        if at.is_multiple_of(8) { Ok(word.as_ptr().cast()) } else { Err(self.outside(at, 8)) }
    }

    pub(super) fn check_writable(&self) -> Result<()> {
        if self.writable {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidArgument, format!("shared memory '{}' was attached to read only; attach to write", self.name)))
    }

    fn check(&self, at: usize, len: usize) -> Result<NonNull<u8>> {
        if at > self.size || len > self.size - at {
            return Err(self.outside(at, len));
        }
        // SAFETY: `at <= size`, so the result stays inside the mapping or at its end.
        Ok(unsafe { self.start.add(at) })
    }

    #[cold]
    fn outside(&self, at: usize, len: usize) -> Error {
        Error::new(ErrorKind::InvalidArgument, format!("{len} bytes at {at} are outside shared memory '{}' of {} bytes", self.name, self.size))
    }

    fn make(name: &str, size: usize) -> Result<SharedMemory> {
        let mut map = ShmemConf::new().os_id(os_name(name)).size(size).create().map_err(|error| failed(&error, "making", name))?;
        map.set_owner(false);
        let reserved = open(name, shm::OFlags::RDWR).and_then(|file| reserve(name, &file));
        if let Err(error) = reserved {
            let _ = shm::unlink(os_name(name));
            return Err(error);
        }
        Ok(SharedMemory::of(name, map))
    }

    fn of(name: &str, map: Shmem) -> SharedMemory {
        let start = NonNull::new(map.as_ptr()).expect("a mapping is never at 0");
        SharedMemory { name: name.to_owned(), start, size: map.len(), writable: true, _map: Map::ReadWrite(map) }
    }
}

impl std::fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SharedMemory '{}' of {} bytes", self.name, self.size)
    }
}

/// A block's name by its rules, without the slash that some write before it.
fn checked(name: &str) -> Result<&str> {
    let plain = name.strip_prefix('/').unwrap_or(name);
    let fault = if plain.is_empty() || plain == "." || plain == ".." {
        "it names no file".to_owned()
    } else if plain.len() > MAX_NAME {
        format!("it has {} bytes, {MAX_NAME} are allowed", plain.len())
    } else if plain.contains(['/', '\0']) {
        "it contains '/' or NUL".to_owned()
    } else {
        return Ok(plain);
    };
    Err(Error::new(ErrorKind::BadName, format!("{name:?} is not a name for shared memory: {fault}")))
}

fn os_name(name: &str) -> String {
    format!("/{name}")
}

fn open(name: &str, flags: shm::OFlags) -> Result<OwnedFd> {
    shm::open(os_name(name), flags, Mode::empty()).map_err(|errno| failed(&ShmemError::MapOpenFailed(errno.raw_os_error() as u32), "attaching to", name))
}

/// Makes sure that touching the block cannot fail: all its memory is there from now on.
fn reserve(name: &str, file: &OwnedFd) -> Result<()> {
    let doing = |errno| Error::os(errno, format_args!("reserving the memory of '{name}' in /dev/shm"));
    let stat = fstat(file).map_err(doing)?;
    let (size, has) = (stat.st_size as u64, stat.st_blocks as u64 * 512);
    if size == 0 {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("shared memory '{name}' has no bytes yet; its maker is at work, or was killed at it: unlink it then"),
        ));
    }
    if has >= size {
        return Ok(());
    }
    // Asked first: to be refused what there is no room for costs less than to be given all there is.
    let room = fstatvfs(file).map_err(doing)?;
    if room.f_blocks != 0 && room.f_bavail.saturating_mul(room.f_frsize) < size - has {
        return Err(doing(Errno::NOSPC));
    }
    sys::reserve_file(file.as_fd(), 0, size).map_err(doing)
}

/// The crate's error as ours.
fn failed(error: &ShmemError, doing: &str, name: &str) -> Error {
    let errno = match error {
        ShmemError::MappingIdExists => {
            return Error::new(ErrorKind::AlreadyExists, format!("there is shared memory '{name}' already; attach to it, or choose another name"));
        }
        ShmemError::MapCreateFailed(errno) | ShmemError::MapOpenFailed(errno) | ShmemError::UnknownOsError(errno) => Errno::from_raw_os_error(*errno as i32),
        other => return Error::new(ErrorKind::Os, format!("{doing} shared memory '{name}': {other}")),
    };
    if errno == Errno::NOENT {
        return Error::new(ErrorKind::NotFound, format!("there is no shared memory '{name}'; create it first"));
    }
    Error::os(errno, format_args!("{doing} shared memory '{name}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for name in ["", "/", ".", "..", "a/b", "/a/b", "a\0b", &"x".repeat(251)] {
            assert_eq!(checked(name).unwrap_err().kind(), ErrorKind::BadName, "{name:?}");
        }
        assert_eq!(checked("/psm_1").unwrap(), "psm_1");
        assert_eq!(checked("psm_1").unwrap(), "psm_1");
    }
}
