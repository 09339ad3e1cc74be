//! The descriptor under a connection: what it is, whether this process let go of it, and waiting for it. Knows no frame's content and no turn.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::io::Errno;

use super::frame::Framing;
use crate::error::{Error, ErrorKind, Result};
use crate::shm::Deadline;
use crate::sys::socket::{self, Medium};

/// How long a thread that waits may take to see that another thread of its process closed the connection. (What other processes do wakes it at once.)
const SLICE: Duration = Duration::from_millis(250);

pub(super) struct Stream {
    pub(super) fd: OwnedFd,
    pub(super) medium: Medium,
    pub(super) framing: Framing,
    closed: AtomicBool,
}

impl Stream {
    pub(super) fn new(fd: OwnedFd, medium: Medium) -> Stream {
        Stream { fd, medium, framing: Framing::Native, closed: AtomicBool::new(false) }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Whether descriptors can go along.
    pub(super) fn carries_descriptors(&self) -> bool {
        self.medium == Medium::Unix && self.framing == Framing::Native
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn check_open(&self) -> Result<()> {
        if self.is_closed() { Err(Error::new(ErrorKind::Closed, "this connection was closed in this process")) } else { Ok(()) }
    }

    /// Lets go of the descriptor; the number stays until the drop, so that nobody's borrow of it leads elsewhere.
    pub(super) fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        socket::release(self.fd()).inspect_err(|_| self.closed.store(false, Ordering::Release))
    }

    /// Waits until the descriptor is ready for `events` or broken; false once the deadline is over. [`ErrorKind::Closed`] if another thread closes the connection.
    pub(super) fn wait(&self, events: PollFlags, deadline: Deadline) -> Result<bool> {
        loop {
            self.check_open()?;
            let left = deadline.left(SLICE);
            if socket::ready(self.fd(), events, left.unwrap_or_default())? {
                self.check_open()?;
                return Ok(true);
            }
            if left.is_none() {
                return Ok(false);
            }
        }
    }
}

/// Whether this is how the system says that the other side is gone.
pub(super) fn is_end(errno: Errno) -> bool {
    matches!(errno, Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN | Errno::CONNABORTED | Errno::SHUTDOWN | Errno::TIMEDOUT)
}

pub(super) fn timed_out(what: &str) -> Error {
    Error::new(ErrorKind::Timeout, format!("the time given for {what} a message passed"))
}
