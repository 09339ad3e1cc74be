//! Asking the fork server for a process, and having one to ask.
//!
//! The server is this program, started again as `Entry::Server`, with one end of a socket of packets. An *order* is one packet with the descriptors that the child needs, and one
//! end of a socket of its own, the *link*. Over the link comes first, from the child itself, its pid with a pidfd; and later, from the server, how the child ended.
//!
//! | killed | what the parent sees | what it does |
//! | --- | --- | --- |
//! | the server, before it took the order | the link's end, and nothing came over it | makes a new server and orders again: no child was made that runs |
//! | the server, between the fork and the child's word | the child's word: the child goes on alone | as usual |
//! | the child, before its word | the server's report, without a word before it | a start that failed |
//! | both, before the child's word | the link's end | as the first: the child had not begun |
//! | the server, later | the link's end; the pidfd goes on telling of the child | the child runs on, and its exit code is lost unless its mailbox tells it |
//! | this process | the server sees its socket's end, and the child the life pipe's | the server kills and collects what it started, except what outlives, and ends |
//!
//! Must not know what the children run.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use polyproc_ipc::codec;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags,
    SocketType,
};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use super::options::Environment;
use super::spawn::{self, Target};
use super::stdio::Streams;
use super::tail::Told;
use super::{Call, Entry, SAFE, Traits, arguments, fork_generation, life, refused};
use crate::child::Child;
use crate::error::{Error, ErrorKind, Result};
use crate::process::current;
use crate::task::Task;

/// A process to be forked by the server. With it go the link, the fabric's memory and the three standard streams.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) call: String,
    pub(super) environment: Environment,
    pub(super) directory: Option<Vec<u8>>,
    pub(super) group: bool,
}

/// How many descriptors go with an order; and how many with one for a process whose standard error is kept.
pub(super) const DESCRIPTORS: (usize, usize) = (5, 8);

/// What comes over a link.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Word {
    /// The child is there; its pidfd goes with this.
    Born { pid: i32 },
    /// The child ended, with this exit code or minus signal; none: somebody else collected it.
    Ended { code: Option<i32> },
    /// There will be no child.
    Refused { what: String, errno: Option<i32> },
}

/// The longest packet. The kernel's own limit is about the same.
pub(super) const LONGEST: usize = 256 << 10;

struct Server {
    child: Child,
    /// The process that made it.
    home: u32,
}

static SERVER: Mutex<Option<Server>> = Mutex::new(None);
static PRELOAD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What the fork server runs before it forks for the first time, in this order: tasks that load what every child needs, so that they find it loaded.
///
/// A preloaded task runs in the server, in no fabric. It should start no threads: a fork copies only one. If it panics, every start by the server fails with what it said.
///
/// ```
/// use polyproc::{Process, StartMethod, set_fork_server_preload, task};
/// use std::sync::OnceLock;
///
/// static WORDS: OnceLock<Vec<String>> = OnceLock::new();
///
/// #[task]
/// fn load() {
///     WORDS.set(vec!["loaded once".into()]).unwrap();
/// }
///
/// #[task]
/// fn use_it() {
///     assert_eq!(WORDS.get().unwrap()[0], "loaded once");
/// }
///
/// set_fork_server_preload(&[load])?;
/// assert!(Process::builder(use_it, ()).start_method(StartMethod::ForkServer).start()?.join()?.success());
/// # Ok::<(), polyproc::Error>(())
/// ```
///
/// # Errors
///
/// `InvalidArgument` if the server runs already: it would have no effect.
pub fn set_fork_server_preload(tasks: &[Task<fn()>]) -> Result<()> {
    let mut server = lock(&SERVER);
    if usable(&mut server) {
        return Err(Error::argument("the fork server runs already, and preloads nothing any more: choose before the first start by it"));
    }
    *lock(&PRELOAD) = tasks.iter().map(|task| task.name().into()).collect();
    Ok(())
}

/// The process id of the fork server, if one runs.
pub fn fork_server_pid() -> Option<u32> {
    let mut server = lock(&SERVER);
    if usable(&mut server) { server.as_ref().map(|server| server.child.pid()) } else { None }
}

/// Runs `body` while no other thread is about to talk to the server, so that a fork finds the lock free.
pub(super) fn hold_still<R>(body: impl FnOnce() -> R) -> R {
    let _held = (lock(&SERVER), lock(&PRELOAD));
    body()
}

/// As [`hold_still`], until what it gives is dropped.
pub(super) fn be_still() -> impl Sized + 'static {
    (lock(&SERVER), lock(&PRELOAD))
}

/// Has a process forked: its pid, a pidfd, and the link.
pub(super) fn order(order: &Order, memory: BorrowedFd<'_>, streams: &Streams, told: Option<&Told>) -> Result<(Pid, OwnedFd, OwnedFd)> {
    let mut bytes = Vec::new();
    codec::encode(order, &mut bytes)?;
    if bytes.len() > LONGEST {
        return Err(Error::argument(format!("the environment of a process for the fork server takes {} bytes, and may take {LONGEST}", bytes.len())));
    }
    let failed = |what: &str, errno| refused("this program by the fork server", what, errno);
    // Where a stream is as it is here, it is as it is here now, and not as it was when the server started.
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let own = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
    let nothing = rustix::fs::open(c"/dev/null", rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC, rustix::fs::Mode::empty());
    let nothing = nothing.map_err(|errno| failed("standard streams", errno))?;
    let stream = |i: usize| match &streams[i] {
        Some(stream) => stream.as_fd(),
        None if rustix::io::fcntl_getfd(own[i]).is_ok() => own[i],
        None => nothing.as_fd(),
    };
    for _ in 0..2 {
        let (ours, theirs) = pair().map_err(|errno| failed("link", errno))?;
        let mut descriptors = vec![theirs.as_fd(), memory, stream(0), stream(1), stream(2)];
        descriptors.extend(told.into_iter().flatten().map(AsFd::as_fd));
        {
            let mut server = lock(&SERVER);
            if !usable(&mut server) {
                *server = Some(start()?);
            }
            let Some(control) = life::control() else { continue };
            match send(control, &bytes, &descriptors) {
                Ok(()) => {}
                Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => {
                    *server = None;
                    continue;
                }
                Err(errno) => return Err(failed("order", errno)),
            }
        }
        drop(theirs);
        match receive(ours.as_fd(), RecvFlags::empty()) {
            Ok(Some((word, descriptors))) => match (word, descriptors.into_iter().next()) {
                (Word::Born { pid }, Some(pidfd)) => {
                    let pid = Pid::from_raw(pid).ok_or_else(|| failed("answer", Errno::PROTO))?;
                    return Ok((pid, pidfd, ours));
                }
                (Word::Refused { what, errno: Some(errno) }, _) => return Err(failed(&what, Errno::from_raw_os_error(errno))),
                (Word::Refused { what, errno: None }, _) => return Err(Error::new(ErrorKind::SpawnFailed, format!("the fork server starts nothing: {what}"))),
                (Word::Ended { code }, _) => {
                    let how = code.map_or_else(String::new, |code| format!(" (exit code, or minus signal: {code})"));
                    return Err(Error::new(ErrorKind::SpawnFailed, format!("a process of the fork server ended before it began{how}")));
                }
                (Word::Born { .. }, _) => return Err(failed("pidfd", Errno::MFILE)),
            },
            // The server is gone, or has no descriptor left for a link; in both cases nothing that runs was made.
            Ok(None) | Err(Errno::CONNRESET) => {}
            Err(errno) => return Err(failed("answer", errno)),
        }
    }
    Err(Error::new(
        ErrorKind::SpawnFailed,
        "the fork server ended, or could not take the order, twice: what it printed may say why (its limit of open files, or a preloaded task?)",
    ))
}

/// Whether there is a server of this process that lives. One that does not is forgotten.
fn usable(server: &mut Option<Server>) -> bool {
    let lives = server.as_ref().is_some_and(|server| server.home == fork_generation() && matches!(server.child.reap(), Ok(None)));
    if !lives && server.take().is_some() {
        life::set_control(None);
    }
    lives
}

/// Starts a server. The caller holds the server's lock.
fn start() -> Result<Server> {
    let failed = |what: &str, errno| refused("this program as the fork server", what, errno);
    let (ours, theirs) = pair().map_err(|errno| failed("socket", errno))?;
    let life = life::read_end().map_err(|errno| failed("life pipe", errno))?;
    let call =
        Call { parent: std::process::id(), traits: Traits::default(), name: String::from("fork server"), parent_name: current::name(), entry: Entry::Server };
    let environment = Environment::default().strings(&call.to_string());
    let target = Target { path: c"/proc/self/exe", arguments: &arguments(super::What::Own)?, environment: &environment, directory: None, group: false };
    let pid = spawn::spawn(&target, &[Some(theirs.as_fd()), Some(life)], &[None, None, None]).map_err(|errno| failed("posix_spawn", errno))?;
    let (pidfd, lost) = super::watch(pid).map_err(|errno| failed("watching it", errno))?;
    let child = Child::new(super::Launched { pid, pidfd, lost, report: None, pipes: super::Pipes::default() });
    let mut preload = Vec::new();
    codec::encode(&*lock(&PRELOAD), &mut preload)?;
    send(ours.as_fd(), &preload, &[]).map_err(|errno| failed("preload", errno))?;
    life::set_control(Some(ours));
    Ok(Server { child, home: fork_generation() })
}

/// Two connected sockets of packets, where a child's fixed descriptors cannot overwrite them.
fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (a, b) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    Ok((rustix::io::fcntl_dupfd_cloexec(&a, SAFE)?, rustix::io::fcntl_dupfd_cloexec(&b, SAFE)?))
}

/// Sends one packet with descriptors.
fn send(to: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS.1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::TOOBIG);
    }
    loop {
        match rustix::net::sendmsg(to, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            other => return other.map(drop),
        }
    }
}

/// Receives one packet with its descriptors; `None`: the other side is gone.
pub(super) fn receive_bytes(from: BorrowedFd<'_>, bytes: &mut [u8], flags: RecvFlags) -> Result<Option<(usize, Vec<OwnedFd>)>, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS.1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = loop {
        match rustix::net::recvmsg(from, &mut [IoSliceMut::new(bytes)], &mut control, flags | RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            other => break other?,
        }
    };
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    if got.flags.contains(ReturnFlags::CTRUNC) {
        return Err(Errno::MFILE);
    }
    Ok((got.bytes > 0).then_some((got.bytes, descriptors)))
}

/// Says something over a link.
pub(super) fn say(link: BorrowedFd<'_>, word: &Word, descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut bytes = Vec::new();
    codec::encode(word, &mut bytes).map_err(|_| Errno::INVAL)?;
    send(link, &bytes, descriptors)
}

/// What comes over a link; `None`: its end.
fn receive(link: BorrowedFd<'_>, flags: RecvFlags) -> Result<Option<(Word, Vec<OwnedFd>)>, Errno> {
    let mut bytes = vec![0; 16 << 10];
    let Some((count, descriptors)) = receive_bytes(link, &mut bytes, flags)? else { return Ok(None) };
    let word = codec::decode(&bytes[..count]).map_err(|_| Errno::PROTO)?;
    Ok(Some((word, descriptors)))
}

/// What a link says of its child's end, without waiting.
pub(crate) enum Report {
    /// Nothing yet.
    Silent,
    /// It ended so; none: nobody knows how.
    Ended(Option<i32>),
    /// The server is gone.
    Gone,
}

/// Looks at a link.
pub(crate) fn look(link: BorrowedFd<'_>) -> Report {
    match receive(link, RecvFlags::DONTWAIT) {
        Ok(Some((Word::Ended { code }, _))) => Report::Ended(code),
        Err(Errno::AGAIN) => Report::Silent,
        _ => Report::Gone,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
