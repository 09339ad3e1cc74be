//! The verbs of `sys` for byte streams: sockets and OS pipes, with a time-out for each call and descriptors beside the bytes. Knows no frame and no connection.
//!
//! Nothing here changes a flag of an open file description, because other processes share it: a call that must not wait says so itself (`MSG_DONTWAIT`), and waiting is
//! `poll` on a descriptor. No write here raises SIGPIPE.
#![allow(unsafe_code)]

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{FileType, OFlags};
use rustix::io::{Errno, FdFlags};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown,
    SocketFlags, SocketType, sockopt,
};

use super::interrupt;
use crate::error::{Error, ErrorKind, Result};

/// The most descriptors that the kernel carries beside one write.
pub(crate) const MOST_DESCRIPTORS: usize = 253;

/// What a descriptor is, as far as streams go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    /// A Unix stream socket: carries descriptors.
    Unix,
    /// A TCP socket.
    Tcp,
    /// An end of an OS pipe, which may be read or written.
    Pipe,
}

/// What a descriptor is, whether one may read it, and whether one may write it. [`ErrorKind::InvalidArgument`] if it is no stream of bytes.
pub(crate) fn look_at(fd: BorrowedFd<'_>) -> Result<(Medium, bool, bool)> {
    let refuse = |what: &str| {
        Err(Error::new(ErrorKind::InvalidArgument, format!("descriptor {} is {what}; a connection needs a stream socket or a pipe", fd.as_raw_fd())))
    };
    let failed = |errno| Error::os(errno, format_args!("looking at descriptor {}", fd.as_raw_fd()));
    let stat = rustix::fs::fstat(fd).map_err(failed)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Socket => {
            if sockopt::socket_type(fd).map_err(failed)? != SocketType::STREAM {
                return refuse("a socket that is not a stream");
            }
            if sockopt::socket_acceptconn(fd).map_err(failed)? {
                return refuse("a listening socket");
            }
            match sockopt::socket_domain(fd).map_err(failed)? {
                AddressFamily::UNIX => Ok((Medium::Unix, true, true)),
                AddressFamily::INET | AddressFamily::INET6 => Ok((Medium::Tcp, true, true)),
                _ => refuse("a socket of another family"),
            }
        }
        FileType::Fifo => {
            let mode = rustix::fs::fcntl_getfl(fd).map_err(failed)? & OFlags::RWMODE;
            Ok((Medium::Pipe, mode != OFlags::WRONLY, mode != OFlags::RDONLY))
        }
        _ => refuse("neither a socket nor a pipe"),
    }
}

/// Two sockets that are connected with each other.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).map_err(|errno| Error::os(errno, "making a pair of sockets"))
}

/// No process that is started from here gets the descriptor by accident.
pub(crate) fn close_on_exec(fd: BorrowedFd<'_>) -> Result<()> {
    rustix::io::fcntl_setfd(fd, FdFlags::CLOEXEC).map_err(|errno| Error::os(errno, "marking a descriptor close-on-exec"))
}

/// A second descriptor of the same open file.
pub(crate) fn duplicate(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd, 3).map_err(|errno| Error::os(errno, "duplicating a descriptor"))
}

/// Nobody writes into this side from now on, in whatever process: the other side reads the end.
pub(crate) fn end_writing(fd: BorrowedFd<'_>) {
    let _ = rustix::net::shutdown(fd, Shutdown::Write);
}

/// Small messages leave at once, and a machine that is gone is noticed some day.
pub(crate) fn tune_tcp(fd: BorrowedFd<'_>) {
    let _ = sockopt::set_tcp_nodelay(fd, true);
    let _ = sockopt::set_socket_keepalive(fd, true);
}

/// Lets go of what is behind `fd`, at once and although the number is still borrowed: the number leads to something harmless from now on.
pub(crate) fn release(fd: BorrowedFd<'_>) -> Result<()> {
    let failed = |errno| Error::os(errno, "closing a connection");
    // Not blocking: a thread that is just about to read or write does not wait in it either.
    let nothing = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK).map_err(failed)?;
    loop {
        // SAFETY: both numbers are open for the whole call and owned by this library; the number `fd` stays open, so a borrow of it stays good.
        let done = unsafe { libc::dup3(nothing.as_raw_fd(), fd.as_raw_fd(), libc::O_CLOEXEC) };
        match std::io::Error::last_os_error().raw_os_error() {
            _ if done >= 0 => return Ok(()),
            Some(libc::EINTR | libc::EBUSY) => {}
            other => return Err(failed(Errno::from_raw_os_error(other.unwrap_or(libc::EIO)))),
        }
    }
}

/// Whether `fd` is ready for `events` (or broken), within `time`. A signal ends the wait early: false.
pub(crate) fn ready(fd: BorrowedFd<'_>, events: PollFlags, time: Duration) -> Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(fd, events)];
    Ok(poll(&mut fds, time)? > 0)
}

/// `poll` once, at most `time` long. A signal ends it early: 0.
pub(crate) fn poll(fds: &mut [PollFd<'_>], time: Duration) -> Result<usize> {
    let time = Timespec { tv_sec: time.as_secs().min(1 << 40) as i64, tv_nsec: i64::from(time.subsec_nanos()) };
    match rustix::event::poll(fds, Some(&time)) {
        Err(Errno::INTR) => {
            interrupt::came();
            Ok(0)
        }
        other => other.map_err(|errno| Error::os(errno, "waiting for descriptors (poll)")),
    }
}

/// Writes what it can of `parts`, of which there is at least one byte, without waiting; how much. `AGAIN` where nothing could be written.
/// `descriptors` go along with the first byte; only [`Medium::Unix`] carries them.
pub(crate) fn write(fd: BorrowedFd<'_>, medium: Medium, parts: &[IoSlice<'_>], descriptors: &[BorrowedFd<'_>]) -> Result<usize, Errno> {
    loop {
        let done = match medium {
            Medium::Pipe => write_pipe(fd, parts),
            Medium::Unix | Medium::Tcp => {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
                    return Err(Errno::TOOBIG);
                }
                rustix::net::sendmsg(fd, parts, &mut control, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
            }
        };
        match done {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

/// A pipe takes at least this many bytes without waiting once `poll` says that it is writable (PIPE_BUF).
const ROOM: usize = 4096;

fn write_pipe(fd: BorrowedFd<'_>, parts: &[IoSlice<'_>]) -> Result<usize, Errno> {
    if !is_ready(fd, PollFlags::OUT) {
        return Err(Errno::AGAIN);
    }
    let mut room = ROOM;
    let few: Vec<IoSlice<'_>> = parts
        .iter()
        .map(|part| {
            let len = part.len().min(room);
            room -= len;
            IoSlice::new(&part[..len])
        })
        .collect();
    without_sigpipe(|| rustix::io::writev(fd, &few))
}

/// Runs a write; a SIGPIPE that it raises reaches nobody, whatever this process does about that signal.
pub(crate) fn without_sigpipe<R>(write: impl FnOnce() -> R) -> R {
    // SAFETY: a signal set is plain data, for which zero is a value; the calls write into it before it is read.
    let (mut pipe, mut old, mut pending): (libc::sigset_t, libc::sigset_t, libc::sigset_t) = unsafe { std::mem::zeroed() };
    // SAFETY: the sets are valid for the whole of each call; the mask is this thread's own and is put back below.
    let was_pending = unsafe {
        libc::sigemptyset(&raw mut pipe);
        libc::sigaddset(&raw mut pipe, libc::SIGPIPE);
        libc::sigpending(&raw mut pending);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const pipe, &raw mut old);
        libc::sigismember(&raw const pending, libc::SIGPIPE) == 1
    };
    let result = write();
    if !was_pending {
        let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the set and the time are valid for the call, and no information about the signal is asked for.
        while unsafe { libc::sigtimedwait(&raw const pipe, std::ptr::null_mut(), &raw const at_once) } == -1
            && std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR)
        {}
    }
    // SAFETY: `old` was filled above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const old, std::ptr::null_mut()) };
    result
}

/// Reads into `buffer` without waiting; how much, and 0 at the end of the stream. `AGAIN` where nothing is there.
pub(crate) fn read(fd: BorrowedFd<'_>, medium: Medium, buffer: &mut [u8]) -> Result<usize, Errno> {
    loop {
        let done = match medium {
            Medium::Pipe if !is_ready(fd, PollFlags::IN) => Err(Errno::AGAIN),
            Medium::Pipe => rustix::io::read(fd, &mut *buffer),
            // Descriptors that come here are in nobody's message: the kernel closes what no buffer is given for.
            Medium::Unix | Medium::Tcp => rustix::net::recv(fd, &mut *buffer, RecvFlags::DONTWAIT).map(|(count, _)| count),
        };
        match done {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

/// As [`read`], and appends up to `most` bytes to `bytes`, whose capacity is enough.
pub(crate) fn read_onto(fd: BorrowedFd<'_>, medium: Medium, bytes: &mut Vec<u8>, most: usize) -> Result<usize, Errno> {
    let len = bytes.len();
    let spare = bytes.spare_capacity_mut();
    let most = most.min(spare.len());
    let room = &mut spare[..most];
    let count = loop {
        let done = match medium {
            Medium::Pipe if !is_ready(fd, PollFlags::IN) => Err(Errno::AGAIN),
            Medium::Pipe => rustix::io::read(fd, &mut *room).map(|(filled, _)| filled.len()),
            Medium::Unix | Medium::Tcp => rustix::net::recv(fd, &mut *room, RecvFlags::DONTWAIT).map(|((filled, _), _)| filled.len()),
        };
        match done {
            Err(Errno::INTR) => {}
            other => break other?,
        }
    };
    // SAFETY: the kernel has just filled `count` bytes from `len` on, within the capacity.
    unsafe { bytes.set_len(len + count) };
    Ok(count)
}

/// As [`read`] on a Unix socket, with the descriptors that came along, all close-on-exec. True: some were lost, because this process has no number left for them.
pub(crate) fn read_with(fd: BorrowedFd<'_>, buffer: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> Result<(usize, bool), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(buffer)];
    let got = loop {
        match rustix::net::recvmsg(fd, &mut parts, &mut control, RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            other => break other?,
        }
    };
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    Ok((got.bytes, got.flags.contains(ReturnFlags::CTRUNC)))
}

/// Whether a read or write of a pipe, for which there is no flag that says so, would return at once. (Another process that shares the end may still be faster.)
fn is_ready(fd: BorrowedFd<'_>, events: PollFlags) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, events)];
    matches!(rustix::event::poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1..))
}

/// Bytes that nobody can foresee; an error where the system has none.
pub(crate) fn random(bytes: &mut [u8]) -> Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::os(errno, "getting random bytes")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_descriptor_is_known_for_what_it_is() {
        let (a, _b) = pair().unwrap();
        assert_eq!(look_at(a.as_fd()).unwrap(), (Medium::Unix, true, true));
        let (r, w) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        assert_eq!(look_at(r.as_fd()).unwrap(), (Medium::Pipe, true, false));
        assert_eq!(look_at(w.as_fd()).unwrap(), (Medium::Pipe, false, true));
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(look_at(file.as_fd()).unwrap_err().kind(), ErrorKind::InvalidArgument);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(look_at(listener.as_fd()).unwrap_err().kind(), ErrorKind::InvalidArgument);
        let packets = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(look_at(packets.as_fd()).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn a_pipe_without_reader_raises_no_signal() {
        // Rust programs ignore the signal; as others see it here, it would end the process.
        let (r, w) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        drop(r);
        // SAFETY: the action of one signal is changed to the default and back; this thread is the only one that writes into a pipe without reader.
        let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let result = write(w.as_fd(), Medium::Pipe, &[IoSlice::new(b"x")], &[]);
        // SAFETY: as above.
        unsafe { libc::signal(libc::SIGPIPE, before) };
        assert_eq!(result, Err(Errno::PIPE));
    }

    #[test]
    fn a_released_number_is_still_open_and_the_other_side_reads_the_end() {
        let (a, b) = pair().unwrap();
        release(a.as_fd()).unwrap();
        assert_eq!(read(b.as_fd(), Medium::Unix, &mut [0; 4]), Ok(0));
        assert!(rustix::io::fcntl_getfd(a.as_fd()).unwrap().contains(FdFlags::CLOEXEC));
    }
}
