//! Starting this program again as a child: `posix_spawn` with the fabric's memory and the life pipe at fixed descriptors.
//!
//! One record in the environment ([`Call`]) tells the child what it is; everything else goes through the fabric. Must not
//! know what a child does, nor wait for one.
#![allow(unsafe_code)]

use std::ffi::{CString, OsStr};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};

use crate::boot::Call;
use crate::error::{Error, ErrorKind, Result};
use crate::logging;

/// The variable that holds a child's [`Call`].
pub(crate) const VARIABLE: &str = "POLYPROC_CHILD";
/// Where a child finds the fabric's memory.
pub(crate) const MEMORY: RawFd = 3;
/// Where a child finds the read end of its parent's life pipe.
pub(crate) const LIFE: RawFd = 4;

/// Descriptors from here on cannot collide with the fixed ones.
const SAFE: RawFd = 10;

/// Starts `program` (or this program) as the child that `call` describes. Returns its pid and a pidfd.
///
/// Standard input is empty; standard output and error are kept; every other descriptor is closed.
pub(crate) fn spawn(program: Option<&Path>, call: &Call, memory: BorrowedFd<'_>) -> Result<(Pid, OwnedFd)> {
    if crate::boot::pending() {
        return Err(Error::new(
            ErrorKind::SpawnFailed,
            "this process was itself started as a polyproc child, but its constructors did not run: call polyproc::init() first \
             in main",
        ));
    }
    let refused = |what: &str, errno: Errno| {
        let shown = program.unwrap_or(Path::new("/proc/self/exe")).display();
        let hint = match errno {
            Errno::AGAIN => " (the limit of processes, `ulimit -u` or the container's, is reached)",
            Errno::MFILE | Errno::NFILE => " (the limit of open files, `ulimit -n`, is reached)",
            _ => "",
        };
        let source = polyproc_ipc::Error::os(errno, format!("{what}{hint}"));
        Error::because(ErrorKind::SpawnFailed, format!("cannot start a process of {shown}"), source)
    };
    let memory = above_fixed(memory).map_err(|errno| refused("descriptor of the fabric", errno))?;
    let life = life_pipe().map_err(|errno| refused("life pipe", errno))?;
    let path = match program {
        Some(path) => CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::argument("a program's path cannot contain a zero byte"))?,
        // The link, not what it says: the same program also when its file was replaced or removed meanwhile.
        None => c"/proc/self/exe".into(),
    };
    let zeroth = std::env::args_os().next().unwrap_or_default();
    let argument = CString::new(zeroth.into_vec()).unwrap_or_default();
    let environment = environment(call);
    let pid = posix_spawn(&path, &argument, &environment, memory.as_fd().as_raw_fd(), life).map_err(|errno| refused("posix_spawn", errno))?;
    // Nobody but this process may collect the child, so its pid cannot have been given to another yet.
    match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => Ok((pid, pidfd)),
        // Gone already: it was collected by a wait for any child, or SIGCHLD is ignored.
        Err(Errno::SRCH) => Err(refused("watching the new process, which somebody else collected", Errno::SRCH)),
        Err(errno) => {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
            Err(refused("watching the new process", errno))
        }
    }
}

/// Counts how often this process is the child of a fork, so that handles know whether they crossed one.
pub(crate) fn fork_generation() -> u32 {
    watch_forks();
    FORKS.load(Ordering::Relaxed)
}

static FORKS: AtomicU32 = AtomicU32::new(0);
/// Both ends of this process's life pipe, `read << 32 | write`; 0: none yet. The write end stays open as long as the process lives.
static LIFE_PIPE: AtomicU64 = AtomicU64::new(0);

fn life_pipe() -> Result<RawFd, Errno> {
    watch_forks();
    let known = LIFE_PIPE.load(Ordering::Acquire);
    if known != 0 {
        return Ok((known >> 32) as RawFd);
    }
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let (read, write) = (rustix::io::fcntl_dupfd_cloexec(&read, SAFE)?, rustix::io::fcntl_dupfd_cloexec(&write, SAFE)?);
    let both = (read.as_raw_fd() as u64) << 32 | write.as_raw_fd() as u64;
    match LIFE_PIPE.compare_exchange(0, both, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            let _ = write.into_raw_fd();
            Ok(read.into_raw_fd())
        }
        Err(other) => Ok((other >> 32) as RawFd),
    }
}

/// A forked child must not hold its parent's life pipe open, and makes its own when it starts a process.
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
    let both = LIFE_PIPE.swap(0, Ordering::Relaxed);
    if both != 0 {
        // SAFETY: the descriptors are this process's copies of the life pipe, and nothing else refers to them.
        unsafe {
            libc::close((both >> 32) as RawFd);
            libc::close(both as u32 as RawFd);
        }
    }
}

/// `memory` itself, or a copy of it that the fixed descriptors cannot overwrite.
fn above_fixed(memory: BorrowedFd<'_>) -> Result<Either<'_>, Errno> {
    if memory.as_raw_fd() >= SAFE {
        return Ok(Either::Given(memory));
    }
    rustix::io::fcntl_dupfd_cloexec(memory, SAFE).map(Either::Copied)
}

enum Either<'a> {
    Given(BorrowedFd<'a>),
    Copied(OwnedFd),
}

impl AsFd for Either<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Either::Given(fd) => *fd,
            Either::Copied(fd) => fd.as_fd(),
        }
    }
}

/// This process's environment, with the child's call in it, and what the call adds.
fn environment(call: &Call) -> Vec<CString> {
    let entry = |name: &OsStr, value: &OsStr| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok();
    let ours = |name: &OsStr| name == VARIABLE || name == logging::VARIABLE;
    let replaced = |name: &OsStr| ours(name) || call.environment.iter().any(|(added, _)| name == added.as_str());
    let kept = std::env::vars_os().filter(|(name, _)| !replaced(name)).filter_map(|(name, value)| entry(&name, &value));
    let added = call.environment.iter().filter_map(|(name, value)| entry(name.as_ref(), value.as_ref()));
    let log = logging::level().and_then(|level| entry(logging::VARIABLE.as_ref(), level.as_ref()));
    kept.chain(added).chain(log).chain(entry(VARIABLE.as_ref(), call.to_string().as_ref())).collect()
}

fn posix_spawn(path: &CString, argument: &CString, environment: &[CString], memory: RawFd, life: RawFd) -> Result<Pid, Errno> {
    let actions = Actions::new(memory, life)?;
    let attributes = Attributes::new()?;
    let arguments = [argument.as_ptr().cast_mut(), ptr::null_mut()];
    let mut variables: Vec<_> = environment.iter().map(|entry| entry.as_ptr().cast_mut()).collect();
    variables.push(ptr::null_mut());
    let mut pid = 0;
    // SAFETY: path and all strings are zero-terminated, both lists end with null, and all of them outlive the call.
    let code = unsafe { libc::posix_spawn(&raw mut pid, path.as_ptr(), &raw const actions.0, &raw const attributes.0, arguments.as_ptr(), variables.as_ptr()) };
    check(code)?;
    Pid::from_raw(pid).ok_or(Errno::SRCH)
}

/// What happens to descriptors in the child.
struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    fn new(memory: RawFd, life: RawFd) -> Result<Actions, Errno> {
        let mut raw = MaybeUninit::uninit();
        // SAFETY: the call writes the whole object if it answers 0.
        check(unsafe { libc::posix_spawn_file_actions_init(raw.as_mut_ptr()) })?;
        // SAFETY: initialised by the call above.
        let mut actions = Actions(unsafe { raw.assume_init() });
        let raw = &raw mut actions.0;
        // SAFETY: `raw` is initialised, and the path is a constant string.
        check(unsafe { libc::posix_spawn_file_actions_addopen(raw, 0, c"/dev/null".as_ptr(), libc::O_RDONLY, 0) })?;
        // SAFETY: `raw` is initialised; the sources are open and above every target.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(raw, memory, MEMORY) })?;
        // SAFETY: as above.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(raw, life, LIFE) })?;
        // SAFETY: `raw` is initialised.
        check(unsafe { libc::posix_spawn_file_actions_addclosefrom_np(raw, LIFE + 1) })?;
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
    fn new() -> Result<Attributes, Errno> {
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
            let flags = libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
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
