//! How processes are started: by which method, told what, with which descriptors. Must not know what a process runs, nor wait for its end.
//!
//! | file | idea |
//! | --- | --- |
//! | `call` | the line of text that tells a child what it is |
//! | `post` | the line of text by which a process that somebody else started finds its pool |
//! | `options` | what the user chose: environment, directory, streams; and the checks |
//! | `stdio` | where the standard streams lead |
//! | `tail` | the last of what a child writes to its standard error |
//! | `life` | the life pipe: a child ends with its parent |
//! | `spawn` | this program, or another, from its beginning (`posix_spawn`) |
//! | `fork` | a copy of this process |
//! | `still` | what holds still while another language forks |
//! | `server` | asking the fork server for a process |
//! | `serve` | the fork server |
//!
//! Every child has the same life afterwards: see `boot.rs`.

mod call;
pub(crate) mod fork;
pub(crate) mod life;
mod options;
mod post;
pub(crate) mod serve;
pub(crate) mod server;
mod spawn;
mod stdio;
mod still;
pub(crate) mod tail;

use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use polyproc_ipc::Fabric;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};

pub(crate) use call::{Call, Entry, Traits, WorkerTickets};
pub(crate) use life::fork_generation;
pub(crate) use options::{Options, find_program, shared_options};
pub(crate) use post::Post;
pub(crate) use stdio::Pipes;
pub use stdio::Stdio;
pub use still::StillForFork;

use crate::error::{Error, ErrorKind, Result};
use crate::logging;
use crate::process::current;

/// The variable that holds a child's [`Call`].
pub(crate) const VARIABLE: &str = "POLYPROC_CHILD";
/// Where a child finds the fabric's memory.
pub(crate) const MEMORY: RawFd = 3;
/// Where a child finds the read end of its parent's life pipe.
pub(crate) const LIFE: RawFd = 4;
/// Where a child finds what it needs to have its standard error kept, if it is: three descriptors.
pub(crate) const TOLD: RawFd = 5;
/// Descriptors from here on cannot collide with the fixed ones.
const SAFE: RawFd = 10;

/// How a process that runs a task is started.
///
/// | | cost | what it finds | beware |
/// | --- | --- | --- | --- |
/// | `Spawn` | a program's start | nothing of this process but what it is given | |
/// | `Fork` | least; more with more memory | all memory as it is here | threads: see below |
/// | `ForkServer` | as a fork of a small process | what was preloaded | the environment is that of the server's first use |
///
/// **Fork and threads.** A fork copies one thread and all memory, so a lock that another thread held at that moment is held for ever in the child. The memory allocator, standard output and error and
/// what this library locks are taken care of; other libraries and your own locks are not. A fork while other threads run is warned of, once, on standard error. The child
/// runs the task, and then ends without running what was registered to run at this process's end (`atexit`), and without writing what this process had
/// not written yet. Destructors of values that were copied do not run.
///
/// ```
/// use polyproc::{Process, StartMethod, task};
///
/// #[task]
/// fn work() {}
///
/// for method in [StartMethod::Spawn, StartMethod::Fork, StartMethod::ForkServer] {
///     assert!(Process::builder(work, ()).start_method(method).start()?.join()?.success());
/// }
/// # Ok::<(), polyproc::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StartMethod {
    /// This program is started again, and runs the task instead of `main`.
    #[default]
    Spawn,
    /// This process is copied.
    Fork,
    /// A small process with one thread, which was started for it, is copied. The server is this program again; it starts with the first use, and ends with this process. If it
    /// is killed, processes that it started go on, and the next start makes a new one; the exit code of a process that is ended by a signal or leaves by itself after that is lost.
    ForkServer,
}

static METHOD: AtomicU8 = AtomicU8::new(0);

/// From now on, processes of this one are started by `method` where nothing else is said. Children inherit the choice.
pub fn set_start_method(method: StartMethod) {
    METHOD.store(method as u8, Ordering::Relaxed);
}

/// How processes are started where nothing else is said: [`StartMethod::Spawn`], unless it was [set](set_start_method).
pub fn start_method() -> StartMethod {
    [StartMethod::Spawn, StartMethod::Fork, StartMethod::ForkServer][usize::from(METHOD.load(Ordering::Relaxed)).min(2)]
}

/// A process to be started.
pub(crate) struct Launch<'a> {
    pub(crate) entry: Entry,
    pub(crate) fabric: &'a Fabric,
    /// None: what was set for all.
    pub(crate) method: Option<StartMethod>,
    pub(crate) what: What<'a>,
    pub(crate) name: &'a str,
}

/// The program of a process.
#[derive(Clone, Copy)]
pub(crate) enum What<'a> {
    /// This one.
    Own,
    /// Another that contains polyproc.
    Program(&'a Path),
    /// Any, with its arguments.
    Command(&'a Path, &'a [OsString]),
}

/// A process that was started.
pub(crate) struct Launched {
    pub(crate) pid: Pid,
    pub(crate) pidfd: OwnedFd,
    /// It ended and was collected by somebody else before it could be watched; `pidfd` only stands for it, and can always be read.
    pub(crate) lost: bool,
    /// Where the fork server reports its end.
    pub(crate) report: Option<OwnedFd>,
    pub(crate) pipes: Pipes,
}

/// Starts a process.
pub(crate) fn launch(launch: Launch<'_>, options: Options) -> Result<Launched> {
    if crate::boot::pending() {
        return Err(Error::new(
            ErrorKind::SpawnFailed,
            "this process was itself started as a polyproc child, but has not begun as one: call polyproc::init() (in C, pp_main) first in main",
        ));
    }
    if current::is_daemon() {
        return Err(Error::argument(format!("'{}' is a daemon process, which may not start processes of its own", current::name())));
    }
    options.check()?;
    let method = match (launch.what, launch.method) {
        (What::Own, method) => method.unwrap_or_else(start_method),
        (_, None | Some(StartMethod::Spawn)) => StartMethod::Spawn,
        (_, Some(_)) => return Err(Error::argument("another program can only be started by StartMethod::Spawn")),
    };
    let subject = match launch.what {
        What::Own => String::from("this program"),
        What::Program(path) | What::Command(path, _) => path.display().to_string(),
    };
    let refused = |what: &str, errno| refused(&subject, what, errno);
    let path = match launch.what {
        // The link, not what it says: the same program also when its file was replaced or removed meanwhile.
        What::Own => PathBuf::from("/proc/self/exe"),
        What::Program(path) => find_program(std::path::absolute(path).unwrap_or_else(|_| path.into()).as_os_str())?,
        What::Command(path, _) => find_program(path.as_os_str())?,
    };
    let life = life::read_end().map_err(|errno| refused("life pipe", errno))?;
    let traits = Traits { daemon: options.daemon, outlives: options.outlives, method: start_method(), tail: options.tail };
    let entry = match launch.entry {
        Entry::Command { .. } => {
            let inode = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).map(|stat| stat.st_ino);
            let inodes = inode(launch.fabric.descriptor()).and_then(|memory| Ok((memory, inode(life)?)));
            let (memory, life) = inodes.map_err(|errno| refused("looking at descriptors", errno))?;
            Entry::Command { memory, life }
        }
        entry => entry,
    };
    let call = Call { parent: std::process::id(), traits, name: launch.name.into(), parent_name: current::name(), entry };
    let shows = matches!(options.stdio[2], Stdio::Inherit);
    let (mut streams, mut pipes) = stdio::open(options.stdio).map_err(|errno| refused("standard streams", errno))?;
    let mut told = None;
    if options.tail > 0 {
        let (stream, tail, for_child) = tail::open(options.tail, shows).map_err(|errno| refused("keeping its standard error", errno))?;
        (streams[2], pipes.tail, told) = (Some(stream), Some(tail), Some(for_child));
    }
    let (directory, group, mut environment) = (options.directory, options.group, options.environment);
    // A fork has it already.
    if let (Some(level), true) = (logging::level(), method != StartMethod::Fork) {
        environment.set(logging::VARIABLE.as_ref(), level.as_ref());
    }
    let (pid, report) = match method {
        StartMethod::Spawn => {
            let arguments = arguments(launch.what)?;
            let environment = environment.strings(&call.to_string());
            let directory = directory.map(|path| CString::new(path.into_os_string().into_vec()).unwrap_or_default());
            let path = CString::new(path.into_os_string().into_vec()).unwrap_or_default();
            let mut descriptors = vec![Some(launch.fabric.descriptor()), Some(life)];
            descriptors.extend(told.iter().flatten().map(|fd| Some(fd.as_fd())));
            let target = spawn::Target { path: &path, arguments: &arguments, environment: &environment, directory: directory.as_deref(), group };
            (spawn::spawn(&target, &descriptors, &streams).map_err(|errno| refused("posix_spawn", errno))?, None)
        }
        StartMethod::Fork => {
            let life = rustix::io::fcntl_dupfd_cloexec(life, SAFE).map_err(|errno| refused("life pipe", errno))?;
            let copy = fork::Copy { call, fabric: launch.fabric.clone(), life, streams, told, environment, directory, group };
            (fork::fork(copy, &mut pipes).map_err(|errno| refused("fork", errno))?, None)
        }
        StartMethod::ForkServer => {
            let order = server::Order { call: call.to_string(), environment, directory: directory.map(|path| path.as_os_str().as_bytes().to_vec()), group };
            let (pid, pidfd, report) = server::order(&order, launch.fabric.descriptor(), &streams, told.as_ref())?;
            return Ok(Launched { pid, pidfd, lost: false, report: Some(report), pipes });
        }
    };
    let (pidfd, lost) = watch(pid).map_err(|errno| refused("watching the new process", errno))?;
    Ok(Launched { pid, pidfd, lost, report, pipes })
}

/// A descriptor that tells of the end of `pid`, a child just started. True: it is over, and was collected by a wait for any child, or because SIGCHLD is ignored.
fn watch(pid: Pid) -> std::result::Result<(OwnedFd, bool), Errno> {
    use rustix::event::{EventfdFlags, eventfd};
    // Nobody but this process may collect the child, so its pid cannot have been given to another yet.
    match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => Ok((pidfd, false)),
        Err(Errno::SRCH) => Ok((eventfd(1, EventfdFlags::CLOEXEC)?, true)),
        Err(errno) => {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
            Err(errno)
        }
    }
}

/// The error of a start that the system refused.
pub(crate) fn refused(subject: &str, what: &str, errno: Errno) -> Error {
    let hint = match errno {
        Errno::AGAIN => " (the limit of processes, `ulimit -u` or the container's, is reached)",
        Errno::MFILE | Errno::NFILE => " (the limit of open files, `ulimit -n`, is reached)",
        Errno::NOEXEC => " (the file is no program, and no script that begins with `#!`)",
        _ => "",
    };
    let source = polyproc_ipc::Error::os(errno, format!("{what}{hint}"));
    Error::because(ErrorKind::SpawnFailed, format!("cannot start a process of {subject}"), source)
}

fn arguments(what: What<'_>) -> Result<Vec<CString>> {
    let zeroth = match what {
        What::Own | What::Program(_) => std::env::args_os().next().unwrap_or_default(),
        What::Command(path, _) => path.as_os_str().to_owned(),
    };
    let rest = match what {
        What::Command(_, rest) => rest,
        What::Own | What::Program(_) => &[],
    };
    let zero = |_| Error::argument("an argument of a program cannot contain a zero byte");
    let zeroth = CString::new(zeroth.into_vec()).map_err(zero);
    std::iter::once(zeroth).chain(rest.iter().map(|argument| CString::new(argument.as_bytes()).map_err(zero))).collect()
}
