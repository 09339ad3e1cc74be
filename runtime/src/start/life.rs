//! The life pipe: how a child learns that its parent is gone, however that ended, and what a fork must not keep.
//!
//! Each process that starts others has one pipe. It alone holds the write end; each child has the read end, and nobody ever writes. The last write end goes with the
//! parent, and a thread of each child, which sleeps in a read, ends the child then.
//!
//! | descriptor | who has it | in a forked child |
//! | --- | --- | --- |
//! | write end of the own pipe | this process | closed by the handler below, before `fork` returns there |
//! | read end of the own pipe | this process, each child | closed by the handler; a child that is to be watched has a copy made before the fork |
//! | read end of the parent's pipe | this process, if it is a child | closed by the handler: its parent is another |
//! | the fork server's control socket | this process, once it has a server | closed by the handler: the server is its parent's |
//!
//! The handler touches atomics and calls `close`, nothing else. Must not know who is started, nor how.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};

use rustix::io::Errno;

use super::SAFE;
use crate::error::Error;

const NONE: RawFd = -1;

static FORKS: AtomicU32 = AtomicU32::new(0);
/// Both ends of this process's life pipe, `read << 32 | write`; 0: none yet. They stay open as long as the process lives.
static PIPE: AtomicU64 = AtomicU64::new(0);
/// The read end of the parent's pipe.
static PARENT: AtomicI32 = AtomicI32::new(NONE);
/// Whether a thread of this process waits for the parent's end.
static WATCHED: AtomicBool = AtomicBool::new(false);
/// This process's end of its fork server's control socket.
static CONTROL: AtomicI32 = AtomicI32::new(NONE);

/// Counts how often this process is the child of a fork, so that handles know whether they crossed one.
pub(crate) fn fork_generation() -> u32 {
    watch_forks();
    FORKS.load(Ordering::Relaxed)
}

/// The read end of this process's life pipe, for its children.
pub(crate) fn read_end() -> Result<BorrowedFd<'static>, Errno> {
    watch_forks();
    let known = PIPE.load(Ordering::Acquire);
    // SAFETY: both ends stay open as long as the process lives; a forked child has forgotten the numbers.
    let borrow = |both: u64| unsafe { BorrowedFd::borrow_raw((both >> 32) as RawFd) };
    if known != 0 {
        return Ok(borrow(known));
    }
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let (read, write) = (rustix::io::fcntl_dupfd_cloexec(&read, SAFE)?, rustix::io::fcntl_dupfd_cloexec(&write, SAFE)?);
    let both = (read.as_raw_fd() as u64) << 32 | write.as_raw_fd() as u64;
    match PIPE.compare_exchange(0, both, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            let _ = (read.into_raw_fd(), write.into_raw_fd());
            Ok(borrow(both))
        }
        Err(other) => Ok(borrow(other)),
    }
}

/// From now on this process is the child of whoever holds the other end of `life`, and with `end` it ends with it.
pub(crate) fn be_child_of(life: OwnedFd, end: bool) -> Result<(), std::io::Error> {
    watch_forks();
    let fd = life.into_raw_fd();
    PARENT.store(fd, Ordering::Release);
    if end {
        // SAFETY: the descriptor stays open as long as the process lives; a forked child does not have this thread.
        let life = unsafe { BorrowedFd::borrow_raw(fd) };
        std::thread::Builder::new().name("polyproc-life".into()).stack_size(64 << 10).spawn(move || {
            wait_for_end(life);
            leave(1)
        })?;
        WATCHED.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// Whether a thread of this process waits for the parent's end.
pub(super) fn is_watched() -> bool {
    WATCHED.load(Ordering::Relaxed)
}

/// A copy of the read end of the parent's pipe, if this process is a child: readable once the parent is gone.
pub(crate) fn parent_end() -> Option<Result<OwnedFd, Errno>> {
    let fd = PARENT.load(Ordering::Acquire);
    // SAFETY: the descriptor stays open as long as the process lives.
    (fd != NONE).then(|| rustix::io::fcntl_dupfd_cloexec(unsafe { BorrowedFd::borrow_raw(fd) }, SAFE))
}

/// Keeps the control socket of a fork server; the one before is closed. `None` only closes.
pub(super) fn set_control(control: Option<OwnedFd>) {
    watch_forks();
    let old = CONTROL.swap(control.map_or(NONE, IntoRawFd::into_raw_fd), Ordering::AcqRel);
    if old != NONE {
        // SAFETY: this place was its only owner, and its users hold the server's lock, as the caller does.
        unsafe { libc::close(old) };
    }
}

/// The control socket of this process's fork server. To be used under the server's lock only.
pub(super) fn control() -> Option<BorrowedFd<'static>> {
    let fd = CONTROL.load(Ordering::Acquire);
    // SAFETY: it is closed by `set_control` only, whose callers hold the server's lock.
    (fd != NONE).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Waits until whoever holds the other end of `life` is gone.
pub(crate) fn wait_for_end(life: BorrowedFd<'_>) {
    let mut byte = [0];
    // Nobody writes into a life pipe; it is read to learn that its one writer is gone.
    while rustix::io::read(life, &mut byte) == Err(Errno::INTR) {}
}

/// Ends the process at once: no destructor, no handler, no buffer written.
pub(crate) fn leave(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

/// Ends a child that cannot start.
pub(crate) fn give_up(why: &str) -> ! {
    eprintln!("polyproc: a child process (pid {}) cannot start: {why}", std::process::id());
    leave(1);
}

/// As [`give_up`], for an error.
pub(crate) fn give_up_for(error: &Error) -> ! {
    give_up(&error.to_string())
}

fn watch_forks() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler is a function of this program that does only what is allowed between fork and exec.
        unsafe {
            libc::pthread_atfork(None, None, Some(after_fork));
        }
    });
}

unsafe extern "C" fn after_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    WATCHED.store(false, Ordering::Relaxed);
    let both = PIPE.swap(0, Ordering::Relaxed);
    if both != 0 {
        // SAFETY: the descriptors are this process's copies of the life pipe, and nothing else refers to them.
        unsafe {
            libc::close((both >> 32) as RawFd);
            libc::close(both as u32 as RawFd);
        }
    }
    for place in [&PARENT, &CONTROL] {
        let fd = place.swap(NONE, Ordering::Relaxed);
        if fd != NONE {
            // SAFETY: the place was the descriptor's only owner, and the thread that reads it is not in this process.
            unsafe { libc::close(fd) };
        }
    }
}
