//! Starting a copy of this process, and what the copy must do before it is a child like any other.
//!
//! | of the parent | in the child |
//! | --- | --- |
//! | locks of this library, of standard output and error, and of panics | held by the forking thread over the fork, so free on both sides |
//! | text not written yet | written before the fork where it is Rust's; the C library's copy is thrown away |
//! | `atexit` handlers | never run: the child leaves by `_exit`, and by a handler of its own in front of all others if the task calls `exit` |
//! | liveness, life pipe, fork server | closed by the fork handlers of `ipc` and of `life` |
//! | children | the parent's: forgotten, and their pipes closed |
//!
//! Used by this process for `StartMethod::Fork`, and by the fork server for its children. Must not know what the child runs.
#![allow(unsafe_code)]

use std::io::{BufRead as _, Write as _};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use polyproc_ipc::Fabric;
use rustix::io::Errno;
use rustix::process::Pid;

use super::options::Environment;
use super::stdio::{Pipes, Streams};
use super::tail::Told;
use super::{Call, life, server};
use crate::process::{current, family};
use crate::registry;

/// A child to be made, with all that it takes along.
pub(super) struct Copy {
    pub(super) call: Call,
    pub(super) fabric: Fabric,
    /// The read end of the parent's life pipe.
    pub(super) life: OwnedFd,
    pub(super) streams: Streams,
    pub(super) told: Option<Told>,
    pub(super) environment: Environment,
    pub(super) directory: Option<PathBuf>,
    pub(super) group: bool,
}

/// Starts it, and answers its pid. `pipes` stay the parent's: a child that held the other end of its own input would never read the end of it.
pub(super) fn fork(copy: Copy, pipes: &mut Pipes) -> Result<Pid, Errno> {
    warn_of_threads();
    let alone = other_threads() == 0;
    split(move || {
        *pipes = Pipes::default();
        arrange(&copy.streams, &copy.environment, copy.directory.as_deref(), copy.group, alone);
        if let Err(error) = life::be_child_of(copy.life, !copy.call.traits.outlives) {
            life::give_up(&format!("no thread can be started: {error}"));
        }
        drop(copy.streams);
        crate::boot::run(&copy.call, &copy.fabric, copy.told)
    })
}

/// Forks: `child` runs in the copy, which then ends with its answer as exit code. Nothing of what was registered in this process runs there.
pub(super) fn split(child: impl FnOnce() -> i32) -> Result<Pid, Errno> {
    // First: who is in the hook may be about to print.
    let still = crate::panic::hold_still();
    let (out, err) = (std::io::stdout(), std::io::stderr());
    let (mut out, err) = (out.lock(), err.lock());
    // Standard output that cannot be written is the program's to notice.
    let _ = out.flush();
    // SAFETY: the child goes on in this very thread, with the locks that other threads could hold in our hands; it never returns from here.
    let pid = server::hold_still(|| family::hold_still(|| current::hold_still(|| registry::hold_still(|| Fabric::hold_still(|| unsafe { libc::fork() })))));
    drop((out, err));
    drop(still);
    match pid {
        0 => {}
        -1 => return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::AGAIN)),
        pid => return Pid::from_raw(pid).ok_or(Errno::SRCH),
    }
    family::forget();
    forget_c_output();
    end_before_all_others();
    // The process ends with what the body leaves behind, so nothing broken can be seen.
    let code = catch_unwind(AssertUnwindSafe(child)).unwrap_or(1);
    finish(code)
}

/// Standard streams, environment, directory and process group as they were asked for.
pub(super) fn arrange(streams: &Streams, environment: &Environment, directory: Option<&std::path::Path>, group: bool, alone: bool) {
    if alone && streams[0].is_some() {
        forget_input();
    }
    for (stream, number) in streams.iter().zip(0..) {
        if let Some(stream) = stream {
            place(stream.as_raw_fd(), number);
        }
    }
    if group && let Err(errno) = rustix::process::setpgid(None, None) {
        life::give_up(&format!("it cannot have a process group of its own: {errno}"));
    }
    if !environment.is_kept() {
        let wanted = environment.changed();
        for (name, _) in std::env::vars_os() {
            if !wanted.iter().any(|(kept, _)| *kept == name) {
                // SAFETY: this is the child's only thread.
                unsafe { std::env::remove_var(name) };
            }
        }
        for (name, value) in wanted {
            // SAFETY: as above.
            unsafe { std::env::set_var(name, value) };
        }
    }
    if let Some(directory) = directory
        && let Err(error) = std::env::set_current_dir(directory)
    {
        life::give_up(&format!("it cannot start in {}: {error}", directory.display()));
    }
}

/// Ends a forked child: its own text is written, its daemons are told, and nothing of its parent's runs.
pub(super) fn finish(code: i32) -> ! {
    let _ = std::io::stdout().flush();
    family::end_daemons();
    flush_c_output();
    life::leave(code)
}

/// As the reference does: a process with other threads is told once that it forks. The library's own threads wait without any lock, or are known to the handles.
pub(super) fn warn_of_threads() {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if WARNED.load(Ordering::Relaxed) {
        return;
    }
    let others = other_threads();
    if others > 0 && !WARNED.swap(true, Ordering::Relaxed) {
        eprintln!(
            "polyproc: process {} forks while {others} other thread(s) run; what they have locked stays locked in the child, which may wait for ever for it: use \
             StartMethod::Spawn or StartMethod::ForkServer",
            std::process::id()
        );
    }
}

/// Threads beside this one that are not the library's.
pub(super) fn other_threads() -> usize {
    use std::os::unix::fs::MetadataExt;
    // A thread is a directory there, so the links count them. The thread at the life pipe may not have its name yet.
    let known = 3 + u64::from(life::is_watched());
    if std::fs::metadata("/proc/self/task").is_ok_and(|tasks| tasks.nlink() == known) {
        return 0;
    }
    let me = rustix::thread::gettid().as_raw_nonzero().get().to_string();
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return 0 };
    let names = threads.flatten().filter(|entry| entry.file_name() != *me).map(|entry| std::fs::read(entry.path().join("comm")).unwrap_or_default());
    let (own, foreign): (Vec<_>, Vec<_>) = names.partition(|name| name.starts_with(b"polyproc-"));
    let unnamed = life::is_watched() && !own.iter().any(|name| name.starts_with(b"polyproc-life"));
    foreign.len().saturating_sub(usize::from(unnamed))
}

/// What the parent has read ahead is the parent's. To be called where no other thread can hold the lock of standard input.
fn forget_input() {
    let Ok(nothing) = std::fs::File::open("/dev/null") else { return };
    place(nothing.as_raw_fd(), 0);
    let mut input = std::io::stdin().lock();
    let ahead = input.fill_buf().map_or(0, <[u8]>::len);
    input.consume(ahead);
}

/// Puts a copy of `fd` where a standard stream was.
fn place(fd: RawFd, number: RawFd) {
    // SAFETY: both are numbers of this process; what was at `number` was a standard stream, which nobody owns.
    if unsafe { libc::dup2(fd, number) } < 0 {
        life::give_up(&format!("its standard streams cannot be set: {}", std::io::Error::last_os_error()));
    }
}

// SAFETY: both are of every C library of Linux, with these types.
unsafe extern "C" {
    static stdout: *mut libc::FILE;
    fn __fpurge(stream: *mut libc::FILE);
}

/// Throws away what the parent's C code had not written yet: the parent writes it.
fn forget_c_output() {
    // SAFETY: the C library's own stream, in a process with one thread.
    unsafe { __fpurge(stdout) };
}

/// Writes what the child's C code printed.
fn flush_c_output() {
    // SAFETY: the C library's own stream.
    unsafe { libc::fflush(stdout) };
}

/// The C library runs handlers last in, first out: so if the task calls `exit`, this one is first, and the parent's never run.
#[cfg(target_env = "gnu")]
fn end_before_all_others() {
    unsafe extern "C" {
        fn on_exit(handler: extern "C" fn(libc::c_int, *mut libc::c_void), argument: *mut libc::c_void) -> libc::c_int;
    }
    extern "C" fn at_exit(code: libc::c_int, _: *mut libc::c_void) {
        family::end_daemons();
        flush_c_output();
        life::leave(code)
    }
    // SAFETY: a plain function for the whole life of the program, and an argument that it does not use.
    unsafe { on_exit(at_exit, std::ptr::null_mut()) };
}

/// Other C libraries do not tell a handler the exit code, so a task must not call `exit` in a fork there.
#[cfg(not(target_env = "gnu"))]
fn end_before_all_others() {}
