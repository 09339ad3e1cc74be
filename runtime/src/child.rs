//! A started process as its parent sees it: pidfd, end, signals, and the list of those that nobody waits for any more.
//!
//! All through the pidfd, so a pid that was given to somebody else is never touched. Must not know what the process runs.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use polyproc_ipc::Fabric;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use crate::boot::{Call, Entry};
use crate::error::{Error, Result};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its exit code, or minus the signal.
    Code(i32),
    /// It ended, but its exit status went to somebody else.
    Lost,
}

/// A child of this process.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    pidfd: OwnedFd,
    end: Mutex<Option<End>>,
}

impl Child {
    /// Starts this program, or `program`, as a child of `entry` in `fabric`.
    pub(crate) fn start(program: Option<&Path>, entry: Entry, fabric: &Fabric) -> Result<Child> {
        Child::start_call(program, &Call::new(entry), fabric)
    }

    /// The same for a whole record.
    pub(crate) fn start_call(program: Option<&Path>, call: &Call, fabric: &Fabric) -> Result<Child> {
        reap_orphans();
        let (pid, pidfd) = crate::spawn::spawn(program, call, fabric.descriptor())?;
        Ok(Child { pid, pidfd, end: Mutex::new(None) })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get() as u32
    }

    /// Readable once the process has ended.
    pub(crate) fn sentinel(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Waits until the process has ended, but no longer than `limit`, and collects it. `None`: it still runs.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> Result<Option<End>> {
        if let Some(end) = self.reap()? {
            return Ok(Some(end));
        }
        let until = limit.and_then(|limit| std::time::Instant::now().checked_add(limit));
        loop {
            let left = until.map(|until| until.saturating_duration_since(std::time::Instant::now()));
            let timeout = left.and_then(|left| left.try_into().ok());
            match poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], timeout.as_ref()) {
                Ok(0) if left.is_some_and(|left| left.is_zero()) => return self.reap(),
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => {
                    if let Some(end) = self.reap()? {
                        return Ok(Some(end));
                    }
                }
                Err(errno) => return Err(Error::os(errno, format!("waiting for process {}", self.pid()))),
            }
        }
    }

    /// Collects the process if it has ended, without waiting.
    pub(crate) fn reap(&self) -> Result<Option<End>> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        if end.is_none() {
            *end = match waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
                Ok(None) | Err(Errno::INTR) => None,
                Ok(Some(status)) => {
                    let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| -signal));
                    Some(code.map_or(End::Lost, End::Code))
                }
                // Collected by a wait for any child, or SIGCHLD is ignored.
                Err(Errno::CHILD) => Some(End::Lost),
                Err(errno) => return Err(Error::os(errno, format!("collecting process {}", self.pid()))),
            };
        }
        Ok(*end)
    }

    /// Sends a signal; nothing happens if the process has ended.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => Err(Error::os(errno, format!("sending a signal to process {}", self.pid()))),
        }
    }
}

static ORPHANS: Mutex<Vec<Box<dyn Orphan>>> = Mutex::new(Vec::new());

/// A process whose handle was dropped while it ran.
pub(crate) trait Orphan: Send {
    /// Collects the process if it has ended; true if there is nothing left to do.
    fn collect(&self) -> bool;
}

/// Remembers a process until it can be collected.
pub(crate) fn adopt(orphan: Box<dyn Orphan>) {
    if !orphan.collect() {
        ORPHANS.lock().unwrap_or_else(PoisonError::into_inner).push(orphan);
    }
}

/// Collects every forgotten process that has ended.
pub(crate) fn reap_orphans() {
    // Taken out first: what an orphan holds may start or drop processes itself. If another thread is at it, that will do.
    let Ok(mut held) = ORPHANS.try_lock() else { return };
    if held.is_empty() {
        return;
    }
    let mut list = std::mem::take(&mut *held);
    drop(held);
    list.retain(|orphan| !orphan.collect());
    ORPHANS.lock().unwrap_or_else(PoisonError::into_inner).append(&mut list);
}
