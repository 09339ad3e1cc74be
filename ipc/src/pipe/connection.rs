//! `Connection`: one side of a pipe, messages being bytes. Decides whose turn it is and which errors a call may answer; how a message travels is the directions' concern.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::PollFlags;

use super::frame::Framing;
use super::incoming::{Frame, Incoming};
use super::outgoing::Outgoing;
use super::stream::{Stream, timed_out};
use super::turn::{Turn, Turns};
use crate::codec;
use crate::error::{Error, ErrorKind, Result};
use crate::queue::Message;
use crate::shm::Deadline;
use crate::sys::socket::{self, Medium};

/// One side of a [`pipe`], or of a connection made by [`connect`](crate::connect) and [`Listener::accept`](crate::Listener::accept): sends and receives messages, of 0 bytes or of gigabytes.
///
/// **Threads**: any number may send and receive; each message goes and comes whole.
///
/// **Processes**: a side passes to a child as a descriptor ([`AsFd`], [`Connection::from_fd`]), or to whatever process inside a message (a `Connection` is a value
/// that [`send`](Connection::send) takes). After a fork both processes have it; let one of them use it, or see to it that they do not use one direction at the same time. A side is at
/// its end when *no* process has the other side any more: drop what a process does not need. No descriptor is inherited over `exec` by accident.
///
/// **When a process dies** that has the other side: what it has sent can still be received, then [`ErrorKind::Closed`]. If it died in the middle of a message, that one is
/// [`ErrorKind::Corrupt`] (once, then `Closed`): a short message is never taken for a whole one. Sending answers `Closed`, and never raises SIGPIPE.
///
/// **Time**: the plain forms wait for ever, `*_timeout` answers [`ErrorKind::Timeout`]. A receive that ran out of time in the middle of a message keeps what has come, and the next
/// one goes on. A send that ran out of time before its first byte has sent nothing; one that ran out of time after it cuts the message, answers `Closed`, and this
/// side cannot send any more (the other side gets `Corrupt`, as for a death). A message up to a page is never cut.
///
/// ```
/// let (left, right) = polyproc_ipc::pipe()?;
/// left.send_bytes(b"hello")?;
/// assert_eq!(right.recv_bytes()?, b"hello");
///
/// right.send(&("an answer", 42))?; // a value: MessagePack, for every language
/// assert_eq!(left.recv::<(String, u64)>()?, ("an answer".into(), 42));
///
/// drop(right);
/// assert_eq!(left.recv_bytes().unwrap_err().kind(), polyproc_ipc::ErrorKind::Closed);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub struct Connection {
    stream: Stream,
    readable: bool,
    writable: bool,
    limit: u64,
    reading: Turns<Incoming>,
    writing: Turns<Outgoing>,
}

/// Two connected sides, each of which sends and receives.
pub fn pipe() -> Result<(Connection, Connection)> {
    let (a, b) = socket::pair()?;
    Ok((Connection::from_fd(a)?, Connection::from_fd(b)?))
}

/// A pipe of one way: the side that receives, and the side that sends.
///
/// ```
/// let (receiver, sender) = polyproc_ipc::pipe_one_way()?;
/// sender.send_bytes(b"down")?;
/// assert_eq!(receiver.recv_bytes()?, b"down");
/// assert!(!receiver.is_writable() && !sender.is_readable());
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub fn pipe_one_way() -> Result<(Connection, Connection)> {
    let (receiver, sender) = socket::pair()?;
    // A pair of sockets and not an OS pipe: it carries descriptors, and has time-outs that no other process can upset.
    socket::end_writing(receiver.as_fd());
    Ok((Connection::from_fd(receiver)?.receiving_only(), Connection::from_fd(sender)?.sending_only()))
}

impl Connection {
    /// A connection over an open stream socket (Unix or TCP) or an end of an OS pipe, such as a descriptor that this process was started with. The descriptor becomes close-on-exec.
    ///
    /// Descriptors in messages need a Unix socket. On an OS pipe, a time-out can be missed if other processes use the same end at the same time.
    ///
    /// [`ErrorKind::InvalidArgument`] for any other descriptor.
    pub fn from_fd(fd: OwnedFd) -> Result<Connection> {
        let (medium, readable, writable) = socket::look_at(fd.as_fd())?;
        socket::close_on_exec(fd.as_fd())?;
        if medium == Medium::Tcp {
            socket::tune_tcp(fd.as_fd());
        }
        Ok(Connection { stream: Stream::new(fd, medium), readable, writable, limit: u64::MAX, reading: Turns::new(), writing: Turns::new() })
    }

    /// The same with another frame around its messages. Both sides must use the same.
    #[must_use]
    pub fn framed(mut self, framing: Framing) -> Connection {
        self.stream.framing = framing;
        self
    }

    /// The same, refusing to receive longer messages (none is refused without this). A longer one is [`ErrorKind::TooLarge`], and can still be received by [`Connection::recv_bytes_max`].
    ///
    /// Without a limit, a hostile side can make this one take as much memory as it really sends, and no more than that.
    #[must_use]
    pub fn limited(mut self, bytes: u64) -> Connection {
        self.limit = bytes;
        self
    }

    /// The same, which only receives from now on.
    #[must_use]
    pub fn receiving_only(mut self) -> Connection {
        self.writable = false;
        self
    }

    /// The same, which only sends from now on.
    #[must_use]
    pub fn sending_only(mut self) -> Connection {
        self.readable = false;
        self
    }

    /// The descriptor, for a child or another library. [`ErrorKind::InvalidArgument`] if part of a message has been read already (the connection is closed then; look by
    /// [`Connection::duplicate_fd`] first).
    pub fn into_fd(self) -> Result<OwnedFd> {
        self.check_between_messages()?;
        Ok(self.stream.fd)
    }

    /// A second descriptor of this side. Errors as [`Connection::into_fd`]; or [`ErrorKind::InvalidArgument`] while a thread is receiving.
    pub fn duplicate_fd(&self) -> Result<OwnedFd> {
        self.check_between_messages()?;
        socket::duplicate(self.stream.fd())
    }

    /// Sends a message.
    pub fn send_bytes(&self, message: &[u8]) -> Result<()> {
        self.send_message(message, codec::RAW, &[], Deadline::Never)
    }

    /// Sends a message; waits at most `time` for room.
    pub fn send_bytes_timeout(&self, message: &[u8], time: Duration) -> Result<()> {
        self.send_message(message, codec::RAW, &[], Deadline::after(Some(time)))
    }

    /// Sends a message with descriptors beside it, at most 253, which stay this process's too. [`ErrorKind::Unsupported`] if this is no Unix socket.
    pub fn send_with(&self, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<()> {
        self.send_message(message, codec::RAW, descriptors, Deadline::Never)
    }

    /// As [`Connection::send_with`]; waits at most `time` for room.
    pub fn send_with_timeout(&self, message: &[u8], descriptors: &[BorrowedFd<'_>], time: Duration) -> Result<()> {
        self.send_message(message, codec::RAW, descriptors, Deadline::after(Some(time)))
    }

    /// Sends bytes that another codec made; for bindings. `time`: none is for ever.
    pub fn send_encoded(&self, message: &[u8], codec: u8, time: Option<Duration>) -> Result<()> {
        self.send_message(message, codec, &[], Deadline::after(time))
    }

    /// The next message. Descriptors that come with it are closed.
    pub fn recv_bytes(&self) -> Result<Vec<u8>> {
        Ok(self.receive(self.limit, Deadline::Never)?.bytes)
    }

    /// The next message, if it comes within `time`.
    pub fn recv_bytes_timeout(&self, time: Duration) -> Result<Vec<u8>> {
        Ok(self.receive(self.limit, Deadline::after(Some(time)))?.bytes)
    }

    /// The next message, if it has no more than `most` bytes. A longer one is [`ErrorKind::TooLarge`], and can still be received.
    ///
    /// ```
    /// let (a, b) = polyproc_ipc::pipe()?;
    /// a.send_bytes(b"too long")?;
    /// assert_eq!(b.recv_bytes_max(4).unwrap_err().kind(), polyproc_ipc::ErrorKind::TooLarge);
    /// assert_eq!(b.recv_bytes_max(8)?, b"too long");
    /// # Ok::<(), polyproc_ipc::Error>(())
    /// ```
    pub fn recv_bytes_max(&self, most: u64) -> Result<Vec<u8>> {
        Ok(self.receive(most, Deadline::Never)?.bytes)
    }

    /// As [`Connection::recv_bytes_max`], if it comes within `time`.
    pub fn recv_bytes_max_timeout(&self, most: u64, time: Duration) -> Result<Vec<u8>> {
        Ok(self.receive(most, Deadline::after(Some(time)))?.bytes)
    }

    /// Receives the next message into `buffer`; its length. One that is longer is [`ErrorKind::TooLarge`], and comes with the error ([`Error::into_message`]).
    pub fn recv_bytes_into(&self, buffer: &mut [u8]) -> Result<usize> {
        self.turn_to_read(Deadline::Never)?.state().receive_into(&self.stream, self.limit, Deadline::Never, buffer)
    }

    /// As [`Connection::recv_bytes_into`], if it comes within `time`.
    pub fn recv_bytes_into_timeout(&self, buffer: &mut [u8], time: Duration) -> Result<usize> {
        let deadline = Deadline::after(Some(time));
        self.turn_to_read(deadline)?.state().receive_into(&self.stream, self.limit, deadline, buffer)
    }

    /// The next message with its codec. `time`: none is for ever.
    pub fn recv_message(&self, time: Option<Duration>) -> Result<Message> {
        let frame = self.receive(self.limit, Deadline::after(time))?;
        Ok(Message::own(frame.bytes, frame.codec))
    }

    /// As [`Connection::recv_message`], if it has no more than `most` bytes. A longer one is [`ErrorKind::TooLarge`], and can still be received.
    pub fn recv_message_max(&self, most: u64, time: Option<Duration>) -> Result<Message> {
        let frame = self.receive(most, Deadline::after(time))?;
        Ok(Message::own(frame.bytes, frame.codec))
    }

    /// The next message with its descriptors, all of them close-on-exec. `time`: none is for ever.
    ///
    /// If this process has no numbers left for the descriptors, they are lost: the error is of the system (`EMFILE`), and the message comes with it.
    pub fn recv_with(&self, time: Option<Duration>) -> Result<(Message, Vec<OwnedFd>)> {
        let frame = self.receive(self.limit, Deadline::after(time))?;
        Ok((Message::own(frame.bytes, frame.codec), frame.descriptors))
    }

    /// Whether something can be received, or the end is reached, within `time` (none: for ever).
    pub fn poll(&self, time: Option<Duration>) -> Result<bool> {
        self.check_readable()?;
        self.stream.wait(PollFlags::IN, Deadline::after(time))
    }

    /// Closes this side in this process. Calls from now on answer [`ErrorKind::Closed`]; threads that wait in one answer that within a quarter of a second. May be called again.
    ///
    /// The descriptor's number stays taken until the drop.
    pub fn close(&self) -> Result<()> {
        self.stream.close()
    }

    /// Whether [`Connection::close`] was called in this process. (That the other side is closed shows when one receives.)
    pub fn is_closed(&self) -> bool {
        self.stream.is_closed()
    }

    /// Whether this side receives.
    pub fn is_readable(&self) -> bool {
        self.readable
    }

    /// Whether this side sends.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// The frame around its messages.
    pub fn framing(&self) -> Framing {
        self.stream.framing
    }
}

impl Connection {
    pub(super) fn send_message(&self, message: &[u8], codec: u8, descriptors: &[BorrowedFd<'_>], deadline: Deadline) -> Result<()> {
        self.stream.check_open()?;
        if !self.writable {
            return Err(Error::new(ErrorKind::InvalidArgument, "this side of the pipe only receives"));
        }
        let mut turn = self.writing.take(deadline).ok_or_else(|| timed_out("sending"))?;
        turn.state().send(&self.stream, message, codec, descriptors, deadline)
    }

    pub(super) fn receive(&self, most: u64, deadline: Deadline) -> Result<Frame> {
        self.turn_to_read(deadline)?.state().receive(&self.stream, most, deadline)
    }

    /// The longest message that is received without being asked for.
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn check_readable(&self) -> Result<()> {
        self.stream.check_open()?;
        if self.readable { Ok(()) } else { Err(Error::new(ErrorKind::InvalidArgument, "this side of the pipe only sends")) }
    }

    fn turn_to_read(&self, deadline: Deadline) -> Result<Turn<'_, Incoming>> {
        self.check_readable()?;
        self.reading.take(deadline).ok_or_else(|| timed_out("receiving"))
    }

    fn check_between_messages(&self) -> Result<()> {
        self.stream.check_open()?;
        let idle = self.reading.take(Deadline::after(Some(Duration::ZERO))).is_some_and(|mut turn| turn.state().is_idle());
        if idle { Ok(()) } else { Err(Error::new(ErrorKind::InvalidArgument, "a message of this connection is being received; receive it first")) }
    }
}

impl AsFd for Connection {
    /// The descriptor, to wait for it or to hand it to a child. Of a closed connection: a number that leads nowhere.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.fd()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_closed() { "closed" } else { "open" };
        let way = match (self.readable, self.writable) {
            (true, true) => "both ways",
            (true, false) => "receives",
            _ => "sends",
        };
        write!(f, "Connection over {:?} {}, {way}, {state}", self.stream.medium, self.stream.fd.as_raw_fd())
    }
}
