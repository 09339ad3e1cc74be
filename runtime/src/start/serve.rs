//! The fork server: a process with one thread that forks on request, collects what it forked, and reports how each ended.
//!
//! It waits for three things: orders on its socket, the end of its parent (its socket's end or the life pipe's), and the end of its children. It joins no fabric; a child attaches the one whose
//! memory came with its order. When the parent is gone, the children that do not outlive it are killed and collected first, so that not even zombies are left. See `server` for who sees what.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use polyproc_ipc::{Packing, codec};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustix::process::{PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid};

use super::server::{DESCRIPTORS, LONGEST, Order, Word, receive_bytes, say};
use super::tail::Told;
use super::{Call, fork, life};
use crate::error::{Error, Failure};
use crate::task::Exchange;
use crate::{panic, registry};

/// One process that the server started.
struct Forked {
    pidfd: OwnedFd,
    link: OwnedFd,
    outlives: bool,
}

struct Server {
    /// None in a child that is being made, which has nothing of the server's.
    own: Option<Own>,
    children: Vec<Forked>,
    /// Why nothing can be started, if so.
    trouble: Option<String>,
}

struct Own {
    control: OwnedFd,
    life: OwnedFd,
}

/// Serves until the parent is gone. The answer is the exit code.
pub(crate) fn serve(control: OwnedFd, life: OwnedFd) -> i32 {
    let mut bytes = vec![0; LONGEST];
    let Ok(Some((count, _))) = receive_bytes(control.as_fd(), &mut bytes, RecvFlags::empty()) else { return 1 };
    let preload = codec::decode::<Vec<String>>(&bytes[..count]).map_err(|error| error.to_string());
    let trouble = preload.and_then(|tasks| preload_all(&tasks, &life)).err();
    let mut server = Server { own: Some(Own { control, life }), children: Vec::new(), trouble };
    while server.step(&mut bytes) {}
    let ours = || server.children.iter().filter(|child| !child.outlives);
    for child in ours() {
        let _ = pidfd_send_signal(&child.pidfd, Signal::KILL);
    }
    for child in ours() {
        while matches!(waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED), Err(Errno::INTR)) {}
    }
    0
}

impl Server {
    /// Waits for something to happen, and deals with it. False: the parent is gone.
    fn step(&mut self, bytes: &mut [u8]) -> bool {
        let Some(own) = &self.own else { return false };
        let mut watched = vec![PollFd::new(&own.life, PollFlags::IN), PollFd::new(&own.control, PollFlags::IN)];
        watched.extend(self.children.iter().map(|child| PollFd::new(&child.pidfd, PollFlags::IN)));
        match poll(&mut watched, None) {
            Ok(_) => {}
            Err(Errno::INTR) => return true,
            Err(_) => return false,
        }
        let told: Vec<bool> = watched.iter().map(|fd| !fd.revents().is_empty()).collect();
        if told[0] {
            return false;
        }
        let mut ended = told[2..].iter();
        self.children.retain(|child| !(ended.next() == Some(&true) && child.collect()));
        if !told[1] {
            return true;
        }
        match receive_bytes(own.control.as_fd(), bytes, RecvFlags::empty()) {
            Ok(None) => return false,
            Ok(Some((count, descriptors))) => self.take(&bytes[..count], descriptors),
            // An order whose descriptors did not fit: its link was closed with them, so its parent knows.
            Err(_) => {}
        }
        true
    }

    /// Deals with an order.
    fn take(&mut self, bytes: &[u8], descriptors: Vec<OwnedFd>) {
        // Anything else is no order of ours; without its link there is nobody to tell.
        let mut descriptors = descriptors;
        let told = if descriptors.len() > DESCRIPTORS.0 { Told::try_from(descriptors.split_off(DESCRIPTORS.0)).ok() } else { None };
        let Ok([link, memory, stdin, stdout, stderr]) = <[OwnedFd; DESCRIPTORS.0]>::try_from(descriptors) else { return };
        let mut link = Some(link);
        if let Some(trouble) = &self.trouble {
            return refuse(link, trouble, None);
        }
        let order = codec::decode::<Order>(bytes).ok();
        let Some((order, call)) = order.and_then(|order| Call::parse(&order.call).map(|call| (order, call))) else {
            return refuse(link, "the order is damaged", None);
        };
        let outlives = call.traits.outlives;
        fork::warn_of_threads();
        let (server, its_link) = (&mut *self, &mut link);
        let born = fork::split(move || {
            let own = server.own.take();
            server.children.clear();
            let (Some(own), Some(link)) = (own, its_link.take()) else { return 1 };
            drop(own.control);
            child(order, call, link, own.life, memory, [stdin, stdout, stderr].map(Some), told)
        });
        let pid = match born {
            Ok(pid) => pid,
            Err(errno) => return refuse(link, "fork", Some(errno)),
        };
        match (pidfd_open(pid, PidfdFlags::empty()), link) {
            (Ok(pidfd), Some(link)) => self.children.push(Forked { pidfd, link, outlives }),
            (Err(errno), link) => {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
                let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
                refuse(link, "watching the new process", Some(errno));
            }
            (Ok(_), None) => {}
        }
    }
}

impl Forked {
    /// Collects the process, if it has ended, and says how.
    fn collect(&self) -> bool {
        let code = match waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
            Ok(None) | Err(Errno::INTR) => return false,
            Ok(Some(status)) => status.exit_status().or_else(|| status.terminating_signal().map(|signal| -signal)),
            Err(_) => None,
        };
        // Whoever asked for the process may not care any more.
        let _ = say(self.link.as_fd(), &Word::Ended { code }, &[]);
        true
    }
}

/// The child's side, from the fork on. The answer is its exit code.
fn child(order: Order, call: Call, link: OwnedFd, life: OwnedFd, memory: OwnedFd, streams: [Option<OwnedFd>; 3], told: Option<Told>) -> i32 {
    let me = rustix::process::getpid();
    let word = Word::Born { pid: me.as_raw_nonzero().get() };
    let born = pidfd_open(me, PidfdFlags::empty()).and_then(|pidfd| say(link.as_fd(), &word, &[pidfd.as_fd()]));
    // Nobody knows of this process: nothing of it may happen.
    if born.is_err() {
        return 1;
    }
    drop(link);
    if let Err(error) = life::be_child_of(life, !call.traits.outlives) {
        life::give_up(&format!("no thread can be started: {error}"));
    }
    let directory = order.directory.map(|path| PathBuf::from(std::ffi::OsString::from_vec(path)));
    fork::arrange(&streams, &order.environment, directory.as_deref(), order.group, true);
    drop(streams);
    crate::boot::end_ignoring_interrupts();
    let fabric = crate::boot::attach(memory);
    crate::boot::run(&call, &fabric, told)
}

fn refuse(link: Option<OwnedFd>, what: &str, errno: Option<Errno>) {
    if let Some(link) = link {
        let _ = say(link.as_fd(), &Word::Refused { what: what.into(), errno: errno.map(Errno::raw_os_error) }, &[]);
    }
}

/// Runs the tasks to be preloaded. Meanwhile, and only then, a second thread watches the life pipe.
fn preload_all(tasks: &[String], life: &OwnedFd) -> Result<(), String> {
    if tasks.is_empty() {
        return Ok(());
    }
    crate::panic::install();
    let done = eventfd(0, EventfdFlags::CLOEXEC).map_err(|errno| errno.to_string())?;
    std::thread::scope(|scope| {
        let watch = || {
            let mut watched = [PollFd::new(life, PollFlags::IN), PollFd::new(&done, PollFlags::IN)];
            while poll(&mut watched, None) == Err(Errno::INTR) {}
            if !watched[0].revents().is_empty() {
                life::leave(1);
            }
        };
        let watch = std::thread::Builder::new().name("polyproc-life".into()).spawn_scoped(scope, watch).map_err(|error| error.to_string())?;
        let ran = tasks.iter().try_for_each(|name| {
            let run = registry::find(name)?;
            panic::watch(name, || run.call(&mut Exchange { arguments: &[0x90], parcel: None, packing: &mut Packing::new(), output: &mut Vec::new() }))
        });
        let _ = rustix::io::write(&done, &1_u64.to_ne_bytes());
        let _ = watch.join();
        ran.map_err(|failure: Failure| format!("a preloaded task failed: {}", Error::from_failure(failure)))
    })
}
