//! Waiting for the first of several things. Knows descriptors, and what a thing says of itself; knows no thing.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};

use super::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::shm::Deadline;
use crate::sys::socket;

/// After how long a waiter asks the things again, should one of them have become ready without its descriptor (a thread of this process closed it).
const SLICE: Duration = Duration::from_millis(250);

/// How one finds out whether a thing is ready: see [`Waitable`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Readiness<'a> {
    /// It is ready now.
    Ready,
    /// It is ready once this descriptor can be read, or is at its end.
    Readable(BorrowedFd<'a>),
    /// It is ready once the other side of this descriptor is gone.
    Ended(BorrowedFd<'a>),
}

/// What [`wait()`] waits for. For a connection, ready means that it can be received from without waiting, or is at its end; for a listener, that somebody wants to be
/// accepted; for a plain descriptor, that it can be read.
///
/// Implement it for whatever has a descriptor that `poll` tells something about.
pub trait Waitable {
    /// Whether this is ready at the moment, or which descriptor tells. Asked before every sleep.
    fn readiness(&self) -> Result<Readiness<'_>>;

    /// Asked after the descriptor told: whether this is ready indeed. If not, it is waited for again, so the descriptor must be quiet by then.
    fn confirm(&self) -> Result<bool> {
        Ok(true)
    }
}

impl Waitable for Connection {
    fn readiness(&self) -> Result<Readiness<'_>> {
        match self.check_readable() {
            Ok(()) => Ok(Readiness::Readable(self.as_fd())),
            Err(_) if !self.is_closed() => Ok(Readiness::Ended(self.as_fd())),
            Err(error) => Err(error),
        }
    }
}

impl Waitable for BorrowedFd<'_> {
    fn readiness(&self) -> Result<Readiness<'_>> {
        Ok(Readiness::Readable(*self))
    }
}

impl Waitable for OwnedFd {
    fn readiness(&self) -> Result<Readiness<'_>> {
        Ok(Readiness::Readable(self.as_fd()))
    }
}

impl<W: Waitable + ?Sized> Waitable for &W {
    fn readiness(&self) -> Result<Readiness<'_>> {
        (**self).readiness()
    }

    fn confirm(&self) -> Result<bool> {
        (**self).confirm()
    }
}

/// Waits until at least one of `things` is ready; the indices of all that are. Nothing is ready within `time`: no index, and no error. `time`: none is for ever.
///
/// A thing that is ready stays so until somebody takes what it has: between this call and the next, another thread or process may.
///
/// **Errors**: of a thing (a closed connection: [`ErrorKind::Closed`]); [`ErrorKind::InvalidArgument`] for no things and no time, which would be a sleep without end.
///
/// ```
/// use std::time::Duration;
/// let (a, b) = polyproc_ipc::pipe()?;
/// let (c, d) = polyproc_ipc::pipe()?;
/// assert!(polyproc_ipc::wait(&[&b, &d], Some(Duration::ZERO))?.is_empty());
/// c.send_bytes(b"x")?;
/// assert_eq!(polyproc_ipc::wait(&[&b, &d], None)?, [1]);
/// drop(a);
/// assert_eq!(polyproc_ipc::wait(&[&b, &d], None)?, [0, 1]);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub fn wait(things: &[&dyn Waitable], time: Option<Duration>) -> Result<Vec<usize>> {
    let deadline = Deadline::after(time);
    if things.is_empty() && matches!(deadline, Deadline::Never) {
        return Err(Error::new(ErrorKind::InvalidArgument, "a wait for nothing, without a time, would never end"));
    }
    loop {
        let left = deadline.left(SLICE);
        let ready = look(things, left.unwrap_or_default())?;
        if !ready.is_empty() || left.is_none() {
            return Ok(ready);
        }
    }
}

/// One round: all that are ready; waits for the first at most `time`.
fn look(things: &[&dyn Waitable], time: Duration) -> Result<Vec<usize>> {
    let mut ready = Vec::new();
    let (mut fds, mut owners) = (Vec::with_capacity(things.len()), Vec::with_capacity(things.len()));
    for (index, thing) in things.iter().enumerate() {
        let (fd, events) = match thing.readiness()? {
            Readiness::Ready => {
                ready.push(index);
                continue;
            }
            Readiness::Readable(fd) => (fd, PollFlags::IN),
            Readiness::Ended(fd) => (fd, PollFlags::empty()),
        };
        fds.push(PollFd::from_borrowed_fd(fd, events));
        owners.push(index);
    }
    socket::poll(&mut fds, if ready.is_empty() { time } else { Duration::ZERO })?;
    for (fd, &index) in fds.iter().zip(&owners) {
        if fd.revents().contains(PollFlags::NVAL) {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("the descriptor of thing {index} is not open")));
        }
        if !fd.revents().is_empty() && things[index].confirm()? {
            ready.push(index);
        }
    }
    ready.sort_unstable();
    Ok(ready)
}
