//! A started process as its parent sees it: pidfd, end, signals.
//!
//! All through the pidfd, so a pid that was given to somebody else is never touched. A child of the fork server is collected there, and its end comes over a link; if the server
//! dies, the pidfd still tells that the child ended, but perhaps nobody how. Must not know what the process runs.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use polyproc_ipc::{BytesQueue, Fabric, Owner};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid};

use crate::boot::Entry;
use crate::error::{Error, Result};
use crate::pool::{Collected, StartedWorker};
use crate::start::server::{Report, look};
use crate::start::tail::Tail;
use crate::start::{Launch, Launched, Options, StartMethod, What, fork_generation, launch};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its exit code, or minus the signal.
    Code(i32),
    /// It ended, but its exit status went to somebody else.
    Lost,
}

/// How long the fork server, while it lives, may take to say how a child ended whose end is seen already.
const REPORT: Duration = Duration::from_secs(5);

/// A child of this process.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    pidfd: OwnedFd,
    /// Where the fork server reports the end.
    report: Option<OwnedFd>,
    /// The process whose child it is.
    home: u32,
    end: Mutex<Known>,
    /// What is kept of its standard error.
    tail: Option<Tail>,
    /// Whether it was started from here; else it can be watched, and not collected.
    kin: bool,
    /// Who started it for us, and perhaps collects it.
    foreign: Option<Foreign>,
}

/// A process that was started by somebody else's means, and the queue in which it finds what it is to be.
pub(crate) struct Foreign {
    pub(crate) started: Box<dyn StartedWorker>,
    pub(crate) mailbox: BytesQueue,
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} by a starter", self.started.pid())
    }
}

#[derive(Debug, Clone, Copy)]
enum Known {
    Nothing,
    /// The fork server is gone.
    ServerGone,
    End(End),
}

impl Child {
    /// Starts this program, or `program`, as a child of `entry` in `fabric`.
    pub(crate) fn start(method: StartMethod, program: Option<&Path>, entry: Entry, options: Options, fabric: &Fabric) -> Result<Child> {
        let what = program.map_or(What::Own, What::Program);
        let name = match &entry {
            Entry::Worker { number, .. } => format!("PoolWorker-{}", number + 1),
            _ => String::from("Process"),
        };
        Ok(Child::new(launch(Launch { entry, fabric, method: Some(method), what, name: &name }, options)?))
    }

    pub(crate) fn new(launched: Launched) -> Child {
        let Launched { pid, pidfd, lost, report, pipes } = launched;
        let known = if lost { Known::End(End::Lost) } else { Known::Nothing };
        Child { pid, pidfd, report, home: fork_generation(), end: Mutex::new(known), tail: pipes.tail, kin: true, foreign: None }
    }

    /// One that a starter has started just now.
    pub(crate) fn foreign(foreign: Foreign) -> Result<Child, Errno> {
        let pid = i32::try_from(foreign.started.pid()).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
        let (pidfd, known) = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => (pidfd, Known::Nothing),
            // It has ended, and somebody has collected it.
            Err(Errno::SRCH) => {
                let end = if let Collected::Code(code) = foreign.started.collect() { End::Code(code) } else { End::Lost };
                (eventfd(1, EventfdFlags::CLOEXEC)?, Known::End(end))
            }
            Err(errno) => {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
                return Err(errno);
            }
        };
        Ok(Child { pid, pidfd, report: None, home: fork_generation(), end: Mutex::new(known), tail: None, kin: true, foreign: Some(foreign) })
    }

    /// A member of a fabric, which was not started from here.
    ///
    /// # Errors
    ///
    /// If it is gone, or another process has its pid as this one counts: then it is in another pid namespace.
    pub(crate) fn of_member(fabric: &Fabric, owner: Owner, pid: u32) -> Result<Child> {
        let strange = || Error::argument(format!("process {pid} cannot be watched from here: it is gone, or in another pid namespace"));
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(strange)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|errno| Error::os(errno, format!("watching process {}", pid.as_raw_nonzero())))?;
        // Looked at behind the opening: a member that lives now has had its pid all the time.
        let listed = fabric.members().into_iter().find(|member| member.owner == owner && member.alive).ok_or_else(strange)?;
        if i32::try_from(listed.pid) != Ok(pid.as_raw_nonzero().get()) || start_time(listed.pid) != Some(listed.start_time) {
            return Err(strange());
        }
        Ok(Child { pid, pidfd, report: None, home: fork_generation(), end: Mutex::new(Known::Nothing), tail: None, kin: false, foreign: None })
    }

    /// Whether it was started from here.
    pub(crate) fn is_kin(&self) -> bool {
        self.kin
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get() as u32
    }

    /// Readable once the process has ended.
    pub(crate) fn sentinel(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Whether this is the process whose child it is, and no fork of that.
    pub(crate) fn at_home(&self) -> bool {
        self.home == fork_generation()
    }

    /// Whether the process has ended, without collecting it.
    pub(crate) fn has_ended(&self) -> bool {
        readable(self.pidfd.as_fd(), Some(Duration::ZERO)).unwrap_or(false)
    }

    /// Whether its pid is its own for sure: it was not collected, and nobody else will while it runs.
    pub(crate) fn holds_its_number(&self) -> bool {
        let known = *self.end.lock().unwrap_or_else(PoisonError::into_inner);
        self.at_home() && !matches!(known, Known::End(_)) && (self.report.is_none() || !self.has_ended())
    }

    /// Waits until the process has ended, but no longer than `limit`, and collects it. `None`: it still runs.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> Result<Option<End>> {
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            if let Some(end) = self.reap()? {
                return Ok(Some(end));
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            let told = readable(self.pidfd.as_fd(), left);
            told.map_err(|errno| Error::os(errno, format!("waiting for process {}", self.pid())))?;
        }
    }

    /// Collects the process if it has ended, without waiting.
    pub(crate) fn reap(&self) -> Result<Option<End>> {
        let end = self.collect()?;
        if end.is_some() {
            // What it said last is shown at once.
            self.stderr();
        }
        Ok(end)
    }

    /// After its end was seen: the last that it wrote to its standard error, if that is kept.
    pub(crate) fn stderr(&self) -> Option<Arc<str>> {
        self.tail.as_ref().map(|tail| tail.end().clone())
    }

    fn collect(&self) -> Result<Option<End>> {
        if !self.at_home() {
            return Err(Error::argument(format!(
                "process {} is a child of the process that this one was forked from: only that one can wait for it",
                self.pid()
            )));
        }
        if let Some(foreign) = &self.foreign {
            if !self.has_ended() {
                return Ok(None);
            }
            self.collect_foreign(foreign);
        }
        let mut known = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        if let Known::End(end) = *known {
            return Ok(Some(end));
        }
        if let (Some(report), Known::Nothing) = (&self.report, *known) {
            if let Some(learnt) = self.ask(report)? {
                *known = learnt;
            }
            match *known {
                Known::End(end) => return Ok(Some(end)),
                Known::Nothing => return Ok(None),
                Known::ServerGone => {}
            }
        }
        // A child of a server that is gone is somebody else's to collect, and that says nothing of whether it runs.
        if (self.report.is_some() || !self.kin) && !self.has_ended() {
            return Ok(None);
        }
        if !self.kin {
            *known = Known::End(End::Lost);
            return Ok(Some(End::Lost));
        }
        let end = match waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
            Ok(None) | Err(Errno::INTR) => return Ok(None),
            Ok(Some(status)) => {
                let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| -signal));
                code.map_or(End::Lost, End::Code)
            }
            // Collected by a wait for any child, or SIGCHLD is ignored.
            Err(Errno::CHILD) => End::Lost,
            Err(errno) => return Err(Error::os(errno, format!("collecting process {}", self.pid()))),
        };
        *known = Known::End(end);
        Ok(Some(end))
    }

    /// Has it collected by who started it, if that is not ours to do.
    fn collect_foreign(&self, foreign: &Foreign) {
        if matches!(*self.end.lock().unwrap_or_else(PoisonError::into_inner), Known::End(_)) {
            return;
        }
        let _ = foreign.mailbox.destroy();
        // Foreign code: nothing is locked.
        let end = match foreign.started.collect() {
            Collected::Code(code) => End::Code(code),
            Collected::Unknown => End::Lost,
            Collected::ByPool => return,
        };
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Known::End(end);
    }

    /// What the fork server has to say.
    fn ask(&self, report: &OwnedFd) -> Result<Option<Known>> {
        if !self.has_ended() {
            // The server says nothing before, but it may be gone: then nobody waits for its word later.
            return Ok(None);
        }
        let told = readable(report.as_fd(), Some(REPORT)).map_err(|errno| Error::os(errno, format!("waiting for process {}", self.pid())))?;
        if !told {
            return Ok(None);
        }
        Ok(match look(report.as_fd()) {
            Report::Silent => None,
            Report::Ended(code) => Some(Known::End(code.map_or(End::Lost, End::Code))),
            Report::Gone => Some(Known::ServerGone),
        })
    }

    /// Sends a signal; nothing happens if the process has ended.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        if matches!(*self.end.lock().unwrap_or_else(PoisonError::into_inner), Known::End(_)) {
            return Ok(());
        }
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => Err(Error::os(errno, format!("sending a signal to process {}", self.pid()))),
        }
    }
}

/// When a process started, in ticks since the machine did.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(19)?.parse().ok()
}

/// Waits until `fd` can be read, at most `time`. A signal ends the wait early: false.
pub(crate) fn readable(fd: BorrowedFd<'_>, time: Option<Duration>) -> Result<bool, Errno> {
    let time: Option<Timespec> = time.and_then(|time| time.try_into().ok());
    match poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], time.as_ref()) {
        Ok(count) => Ok(count > 0),
        Err(Errno::INTR) => Ok(false),
        Err(errno) => Err(errno),
    }
}
