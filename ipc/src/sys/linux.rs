//! The verbs of `sys` on Linux: memfd, fallocate, open-file-description locks, futex. Knows no object and no layout.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;
use rustix::thread::futex;
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::interrupt;
use crate::error::{Error, Result};

/// Anonymous shared memory of length 0 that goes when its last holder goes.
pub(crate) fn memory_file(name: &str) -> Result<OwnedFd> {
    rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).map_err(|e| Error::os(e, "making shared memory (memfd_create)"))
}

/// Nobody may make the file shorter from now on, so that a length once seen stays true.
pub(crate) fn seal_against_shrinking(fd: BorrowedFd<'_>) -> Result<()> {
    rustix::fs::fcntl_add_seals(fd, SealFlags::SHRINK).map_err(|e| Error::os(e, "sealing shared memory against shrinking"))
}

/// A second opening of the same file, with an open file description of its own.
pub(crate) fn reopen(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| Error::os(e, "opening shared memory again through /proc/self/fd (is /proc mounted?)"))
}

/// Makes `[offset, offset + len)` of the file exist in memory; a lack of memory is an error here and not a signal later.
pub(crate) fn reserve_file(fd: BorrowedFd<'_>, offset: u64, len: u64) -> Result<(), Errno> {
    loop {
        match rustix::fs::fallocate(fd, FallocateFlags::empty(), offset, len) {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

/// The file's length as the kernel knows it.
pub(crate) fn file_len(fd: BorrowedFd<'_>) -> Result<u64> {
    rustix::fs::fstat(fd).map(|s| s.st_size as u64).map_err(|e| Error::os(e, "asking for the length of shared memory"))
}

/// This thread's number, of which no other thread of this process has the same.
#[inline]
pub(crate) fn thread_id() -> u32 {
    thread_local! {
        static KNOWN: Cell<(u64, u32)> = const { Cell::new((u64::MAX, 0)) };
    }
    let forks = super::forks();
    let (of, id) = KNOWN.get();
    if of == forks {
        return id;
    }
    let id = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
    KNOWN.set((forks, id));
    id
}

/// Device and inode: the same for every opening of one file.
pub(crate) fn identity(fd: BorrowedFd<'_>) -> Result<(u64, u64)> {
    rustix::fs::fstat(fd).map(|s| (s.st_dev, s.st_ino)).map_err(|e| Error::os(e, "asking for the identity of shared memory"))
}

/// A mapping of a file, longer than the file may be at the moment.
pub(crate) struct Map(MmapRaw);

impl Map {
    pub(crate) fn base(&self) -> NonNull<u8> {
        NonNull::new(self.0.as_mut_ptr()).expect("a mapping is never at address 0")
    }
}

/// Maps `len` bytes of the file, shared, without reserving memory for them.
pub(crate) fn map(fd: BorrowedFd<'_>, len: u64) -> Result<Map> {
    MmapOptions::new().len(len as usize).no_reserve_swap().map_raw(&fd).map(Map).map_err(|e| {
        let errno = Errno::from_io_error(&e).unwrap_or(Errno::NOMEM);
        Error::os(errno, format_args!("reserving {len} bytes of address space for shared memory"))
    })
}

fn range(kind: libc::c_int, start: u64, len: u64) -> libc::flock64 {
    libc::flock64 { l_type: kind as libc::c_short, l_whence: libc::SEEK_SET as libc::c_short, l_start: start as i64, l_len: len as i64, l_pid: 0 }
}

/// Tries to take the lock of byte `at` for the opening behind `fd`. False: another opening has it.
pub(crate) fn lock_byte(fd: BorrowedFd<'_>, at: u64) -> Result<bool> {
    let mut lock = range(libc::F_WRLCK, at, 1);
    // SAFETY: `lock` is a valid flock64 for the whole call.
    let done = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_SETLK, &raw mut lock) };
    if done == 0 {
        return Ok(true);
    }
    match std::io::Error::last_os_error().raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        other => Err(Error::os(Errno::from_raw_os_error(other.unwrap_or(libc::EIO)), "locking a liveness byte")),
    }
}

/// Gives the lock of byte `at` back.
pub(crate) fn unlock_byte(fd: BorrowedFd<'_>, at: u64) -> Result<()> {
    let mut lock = range(libc::F_UNLCK, at, 1);
    // SAFETY: `lock` is a valid flock64 for the whole call.
    let done = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_SETLK, &raw mut lock) };
    if done == 0 { Ok(()) } else { Err(Error::os(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO), "unlocking a liveness byte")) }
}

/// Whether an opening other than the one behind `fd` has the lock of byte `at`.
pub(crate) fn byte_is_locked(fd: BorrowedFd<'_>, at: u64) -> Result<bool> {
    lock_range_held(fd, at, 1)
}

/// Whether an opening other than the one behind `fd` has the lock of any byte of the range.
pub(crate) fn lock_range_held(fd: BorrowedFd<'_>, start: u64, len: u64) -> Result<bool> {
    let mut lock = range(libc::F_WRLCK, start, len);
    // SAFETY: `lock` is a valid flock64 for the whole call.
    let done = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    if done == 0 {
        return Ok(i32::from(lock.l_type) != libc::F_UNLCK);
    }
    Err(Error::os(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO), "probing a liveness byte"))
}

static NO_WAITV: AtomicBool = AtomicBool::new(false);

/// Waiting on two words costs half a microsecond more than on one: not worth it for a sleep of so little time.
const SHORT: Duration = Duration::from_millis(8);

/// Sleeps while `word` holds `expected` (and, for more than a short time and where the system can wait on two words, while `other.0` holds `other.1`), at most
/// `time`. Returns early for a wake, a change, a signal, or no reason: the caller looks again in any case.
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, other: (&AtomicU32, u32), time: Duration) {
    if time > SHORT && waitv(&[wait_of(word, expected), wait_of(other.0, other.1)], time) {
        return;
    }
    let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) };
    if futex::wait(word, futex::Flags::empty(), expected, Some(&time)) == Err(Errno::INTR) {
        interrupt::came();
    }
}

/// The most words that [`futex_wait_any`] watches.
pub(crate) const MOST_WORDS: usize = 128;

/// As [`futex_wait`] on up to [`MOST_WORDS`] words. Where the system can wait on one word only, that is the first, for a few milliseconds at most.
pub(crate) fn futex_wait_any(words: &[(&AtomicU32, u32)], time: Duration) {
    let waits: Vec<futex::Wait> = words.iter().take(MOST_WORDS).map(|(word, expected)| wait_of(word, *expected)).collect();
    if waits.is_empty() || waitv(&waits, time) {
        return;
    }
    let time = Timespec { tv_sec: 0, tv_nsec: i64::from(time.min(Duration::from_millis(5)).subsec_nanos()) };
    let _ = futex::wait(words[0].0, futex::Flags::empty(), words[0].1, Some(&time));
}

fn wait_of(word: &AtomicU32, expected: u32) -> futex::Wait {
    let mut wait = futex::Wait::new();
    wait.val = u64::from(expected);
    wait.uaddr = futex::WaitPtr::new(word.as_ptr().cast());
    wait.flags = futex::WaitFlags::SIZE_U32;
    wait
}

/// Sleeps on several words. False: this system cannot.
fn waitv(waits: &[futex::Wait], time: Duration) -> bool {
    if NO_WAITV.load(Ordering::Relaxed) {
        return false;
    }
    let now = clock_gettime(ClockId::Monotonic);
    let nanos = now.tv_nsec + i64::from(time.subsec_nanos());
    let until = Timespec { tv_sec: now.tv_sec.saturating_add(time.as_secs() as i64).saturating_add(nanos / 1_000_000_000), tv_nsec: nanos % 1_000_000_000 };
    let slept = futex::waitv(waits, futex::WaitvFlags::empty(), Some(&until), ClockId::Monotonic);
    if slept == Err(Errno::INTR) {
        interrupt::came();
    }
    let cannot = matches!(slept, Err(Errno::NOSYS | Errno::PERM));
    if cannot {
        NO_WAITV.store(true, Ordering::Relaxed);
    }
    !cannot
}

/// A descriptor that is readable once it was signalled, until it is cleared.
pub(crate) fn signal_descriptor() -> Result<OwnedFd> {
    rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK)
        .map_err(|e| Error::os(e, "making a descriptor for an event loop (eventfd)"))
}

/// Makes it readable.
pub(crate) fn signal(fd: BorrowedFd<'_>) {
    // It can only fail because it is signalled already.
    let _ = rustix::io::write(fd, &1_u64.to_ne_bytes());
}

/// Makes it unreadable.
pub(crate) fn clear_signal(fd: BorrowedFd<'_>) {
    let _ = rustix::io::read(fd, &mut [0_u8; 8]);
}

/// Whether it is readable.
pub(crate) fn is_signalled(fd: BorrowedFd<'_>) -> bool {
    wait_readable(fd, Some(Duration::ZERO)).unwrap_or(false)
}

/// How long a wait for a descriptor sleeps before it looks whether a signal is to end it.
const SLICE: Duration = Duration::from_millis(250);

/// Waits until a descriptor is readable; `None`: however long it takes. False: time was up.
pub(crate) fn wait_readable(fd: BorrowedFd<'_>, time: Option<Duration>) -> Result<bool> {
    let end = time.and_then(|time| Instant::now().checked_add(time));
    loop {
        let left = end.map_or(SLICE, |end| end.saturating_duration_since(Instant::now()).min(SLICE));
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        let mut polled = [rustix::event::PollFd::from_borrowed_fd(fd, rustix::event::PollFlags::IN)];
        match rustix::event::poll(&mut polled, Some(&left)) {
            Err(Errno::INTR) => interrupt::came(),
            Ok(0) => {}
            other => return other.map(|ready| ready > 0).map_err(|e| Error::os(e, "waiting for a descriptor (poll)")),
        }
        if interrupt::due() || end.is_some_and(|end| Instant::now() >= end) {
            return Ok(false);
        }
    }
}

/// Nanoseconds of the clock that all processes of this machine share and that nobody sets (processes in a time namespace with an offset of its own see another). Never 0.
pub(crate) fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64).max(1)
}

/// Wakes up to `count` sleepers of `word`; how many there were.
pub(crate) fn futex_wake(word: &AtomicU32, count: u32) -> usize {
    futex::wake(word, futex::Flags::empty(), count).unwrap_or(0)
}

/// 16 bytes that no other call on this machine returns.
pub(crate) fn random_id() -> [u8; 16] {
    let mut id = [0_u8; 16];
    // SAFETY: the buffer is 16 bytes long and writable.
    let got = unsafe { libc::getrandom(id.as_mut_ptr().cast(), id.len(), 0) };
    if got != 16 {
        let now = clock_gettime(ClockId::Realtime);
        id[..8].copy_from_slice(&now.tv_nsec.to_ne_bytes());
        id[8..].copy_from_slice(&(now.tv_sec ^ (i64::from(std::process::id()) << 32)).to_ne_bytes());
    }
    id
}

/// Whether process `pid` is stopped (by a signal or a debugger) or waits where no signal reaches it.
pub(crate) fn is_stopped(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['T', 't', 'D']))
}

/// When process `pid` started, in clock ticks since boot; 0 where it cannot be told. For display and as a second check.
pub(crate) fn start_time(pid: u32) -> u64 {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return 0 };
    // The name (second field) may hold blanks and brackets: count from the last closing one.
    stat.rsplit_once(')').and_then(|(_, rest)| rest.split_ascii_whitespace().nth(19)?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_byte_lock_belongs_to_its_opening() {
        let file = memory_file("polyproc-test").unwrap();
        let (a, b) = (reopen(file.as_fd()).unwrap(), reopen(file.as_fd()).unwrap());
        assert!(lock_byte(a.as_fd(), 7).unwrap());
        assert!(!lock_byte(b.as_fd(), 7).unwrap());
        assert!(byte_is_locked(b.as_fd(), 7).unwrap());
        assert!(!byte_is_locked(a.as_fd(), 7).unwrap(), "one's own lock is not seen");
        assert!(lock_range_held(b.as_fd(), 0, 100).unwrap());
        drop(a);
        assert!(!byte_is_locked(b.as_fd(), 7).unwrap());
    }

    #[test]
    fn this_process_started_some_time() {
        assert!(start_time(std::process::id()) > 0);
        assert_eq!(start_time(u32::MAX), 0);
    }
}
