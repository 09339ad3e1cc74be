//! Starting a program from its beginning: `posix_spawn`, with two descriptors at fixed places and the standard streams chosen. Must not know what the program is, nor wait for it.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;

use rustix::io::Errno;
use rustix::process::Pid;

use super::stdio::Streams;
use super::{MEMORY, SAFE};

/// What to start.
pub(super) struct Target<'a> {
    pub(super) path: &'a CStr,
    pub(super) arguments: &'a [CString],
    pub(super) environment: &'a [CString],
    pub(super) directory: Option<&'a CStr>,
    /// In a process group of its own.
    pub(super) group: bool,
}

/// Starts it. `inherited` goes to [`MEMORY`], [`LIFE`](super::LIFE) and the numbers behind; streams that are none are as they are here; every other descriptor is closed.
pub(super) fn spawn(target: &Target<'_>, inherited: &[Option<BorrowedFd<'_>>], streams: &Streams) -> Result<Pid, Errno> {
    let mut copies = Vec::new();
    let mut moves = Vec::new();
    for (fd, to) in inherited.iter().zip(MEMORY..) {
        let Some(fd) = fd else { continue };
        let from = above_fixed(*fd, &mut copies)?;
        moves.push((from, to));
    }
    moves.extend(streams.iter().zip(0..).filter_map(|(stream, to)| Some((stream.as_ref()?.as_raw_fd(), to))));
    let actions = Actions::new(&moves, MEMORY + (inherited.len() as RawFd), target.directory)?;
    let attributes = Attributes::new(target.group)?;
    let list = |strings: &[CString]| -> Vec<*mut libc::c_char> {
        strings.iter().map(|text| text.as_ptr().cast_mut()).chain(std::iter::once(ptr::null_mut())).collect()
    };
    let (arguments, variables) = (list(target.arguments), list(target.environment));
    let (path, actions, attributes) = (target.path.as_ptr(), &raw const actions.0, &raw const attributes.0);
    let mut pid = 0;
    // SAFETY: path and all strings are zero-terminated, both lists end with null, and all of them outlive the call.
    check(unsafe { libc::posix_spawn(&raw mut pid, path, actions, attributes, arguments.as_ptr(), variables.as_ptr()) })?;
    Pid::from_raw(pid).ok_or(Errno::SRCH)
}

/// `fd` itself, or a copy of it that the fixed descriptors cannot overwrite.
fn above_fixed(fd: BorrowedFd<'_>, copies: &mut Vec<OwnedFd>) -> Result<RawFd, Errno> {
    if fd.as_raw_fd() >= SAFE {
        return Ok(fd.as_raw_fd());
    }
    let copy = rustix::io::fcntl_dupfd_cloexec(fd, SAFE)?;
    let number = copy.as_fd().as_raw_fd();
    copies.push(copy);
    Ok(number)
}

/// What happens to descriptors and directory in the child.
struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    fn new(moves: &[(RawFd, RawFd)], rest: RawFd, directory: Option<&CStr>) -> Result<Actions, Errno> {
        let mut raw = MaybeUninit::uninit();
        // SAFETY: the call writes the whole object if it answers 0.
        check(unsafe { libc::posix_spawn_file_actions_init(raw.as_mut_ptr()) })?;
        // SAFETY: initialised by the call above.
        let mut actions = Actions(unsafe { raw.assume_init() });
        let raw = &raw mut actions.0;
        for &(from, to) in moves {
            // SAFETY: `raw` is initialised; the sources are open and above every target.
            check(unsafe { libc::posix_spawn_file_actions_adddup2(raw, from, to) })?;
        }
        // SAFETY: `raw` is initialised.
        check(unsafe { libc::posix_spawn_file_actions_addclosefrom_np(raw, rest) })?;
        if let Some(directory) = directory {
            // SAFETY: `raw` is initialised, and the call copies the path.
            check(unsafe { libc::posix_spawn_file_actions_addchdir_np(raw, directory.as_ptr()) })?;
        }
        Ok(actions)
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, and not used after this.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

/// What happens to signals in the child: none blocked, and those back to their default whose being ignored here is no wish for the
/// child (SIGPIPE: std's, SIGINT: a worker's) or would take its own children's exit status away (SIGCHLD).
struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new(group: bool) -> Result<Attributes, Errno> {
        let mut raw = MaybeUninit::uninit();
        // SAFETY: the call writes the whole object if it answers 0.
        check(unsafe { libc::posix_spawnattr_init(raw.as_mut_ptr()) })?;
        // SAFETY: initialised by the call above.
        let mut attributes = Attributes(unsafe { raw.assume_init() });
        let mut none = MaybeUninit::uninit();
        let mut defaults = MaybeUninit::uninit();
        let raw = &raw mut attributes.0;
        // SAFETY: both sets are written by sigemptyset before they are read, and `raw` is initialised.
        unsafe {
            libc::sigemptyset(none.as_mut_ptr());
            libc::sigemptyset(defaults.as_mut_ptr());
            for signal in [libc::SIGPIPE, libc::SIGINT, libc::SIGCHLD] {
                libc::sigaddset(defaults.as_mut_ptr(), signal);
            }
            check(libc::posix_spawnattr_setsigmask(raw, none.as_ptr()))?;
            check(libc::posix_spawnattr_setsigdefault(raw, defaults.as_ptr()))?;
            check(libc::posix_spawnattr_setpgroup(raw, 0))?;
            let group = if group { libc::POSIX_SPAWN_SETPGROUP } else { 0 };
            let flags = libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF | group;
            check(libc::posix_spawnattr_setflags(raw, flags as _))?;
        }
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, and not used after this.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}

fn check(code: libc::c_int) -> Result<(), Errno> {
    if code == 0 { Ok(()) } else { Err(Errno::from_raw_os_error(code)) }
}
