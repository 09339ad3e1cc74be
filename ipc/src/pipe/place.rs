//! The file of a Unix socket that listens: who made it, and that nobody else's is removed. Knows no connection.
//!
//! A private place is a directory `listener-<random>` of mode 0700 in the runtime directory, with the one file `socket`. Its maker holds `flock` on the directory, which the kernel drops
//! with the last process that has it. So whoever gets that lock may remove the directory: its listener is gone. A maker who lost the lock to such a remover (between
//! making and locking) makes another.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, Stat};

use crate::error::{Error, ErrorKind, Result};
use crate::fabric::runtime_directory;
use crate::sys;
use crate::sys::socket;

const PREFIX: &str = "listener-";
const SOCKET: &str = "socket";

/// A directory for one socket, removed on drop with the socket in it.
pub(super) struct PrivatePlace {
    path: PathBuf,
    _lock: OwnedFd,
    forks: u64,
}

impl PrivatePlace {
    pub(super) fn new() -> Result<PrivatePlace> {
        sys::count_forks();
        let base = runtime_directory()?;
        collect(&base);
        for _ in 0..100 {
            let mut random = [0; 8];
            socket::random(&mut random)?;
            let path = base.join(format!("{PREFIX}{:016x}", u64::from_le_bytes(random)));
            rustix::fs::mkdir(&path, Mode::RWXU).map_err(|errno| Error::os(errno, format_args!("making {}", path.display())))?;
            if let Some(lock) = locked(&path) {
                return Ok(PrivatePlace { path, _lock: lock, forks: sys::forks() });
            }
        }
        Err(Error::new(ErrorKind::AlreadyExists, format!("no directory for a socket can be made in {}: each was removed at once", base.display())))
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.path.join(SOCKET)
    }
}

impl Drop for PrivatePlace {
    fn drop(&mut self) {
        // In a forked child it is still the parent's.
        if self.forks == sys::forks() {
            remove(&self.path);
        }
    }
}

fn remove(path: &Path) {
    let _ = rustix::fs::unlink(path.join(SOCKET));
    let _ = rustix::fs::rmdir(path);
}

/// The directory's lock, if nobody has it and the directory is still there.
fn locked(path: &Path) -> Option<OwnedFd> {
    let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).ok()?;
    rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive).ok()?;
    let (there, here) = (rustix::fs::lstat(path).ok()?, rustix::fs::fstat(&fd).ok()?);
    (identity(&there) == identity(&here)).then_some(fd)
}

/// Removes the places of listeners that are gone.
fn collect(base: &Path) {
    for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX))
            && let Some(_lock) = locked(&entry.path())
        {
            remove(&entry.path());
        }
    }
}

/// A socket's file at a path that the caller chose; removed on drop, if it is still the same file.
pub(super) struct SocketFile {
    path: PathBuf,
    identity: Option<(u64, u64)>,
    forks: u64,
}

impl SocketFile {
    /// The file that was just made at `path`.
    pub(super) fn made(path: &Path) -> SocketFile {
        sys::count_forks();
        SocketFile { path: path.to_owned(), identity: rustix::fs::lstat(path).ok().as_ref().map(identity), forks: sys::forks() }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let there = rustix::fs::lstat(&self.path).ok().as_ref().map(identity);
        if self.forks == sys::forks() && there.is_some() && there == self.identity {
            let _ = rustix::fs::unlinkat(rustix::fs::CWD, &self.path, AtFlags::empty());
        }
    }
}

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}
