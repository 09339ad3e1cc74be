//! The verbs of `sys` for meeting: sockets that listen, and sockets that connect, each within a time. Knows no protocol.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use crate::error::{Error, ErrorKind, Result};
use crate::shm::Deadline;

/// Where a socket is.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    Unix(&'a Path),
    Tcp(SocketAddr),
}

impl Place<'_> {
    fn family(self) -> AddressFamily {
        match self {
            Place::Unix(_) => AddressFamily::UNIX,
            Place::Tcp(SocketAddr::V4(_)) => AddressFamily::INET,
            Place::Tcp(SocketAddr::V6(_)) => AddressFamily::INET6,
        }
    }

    fn say(self) -> String {
        match self {
            Place::Unix(path) => path.display().to_string(),
            Place::Tcp(address) => address.to_string(),
        }
    }

    fn socket(self, flags: SocketFlags) -> Result<OwnedFd> {
        rustix::net::socket_with(self.family(), SocketType::STREAM, SocketFlags::CLOEXEC | flags, None).map_err(|errno| Error::os(errno, "making a socket"))
    }

    fn unix(path: &Path) -> Result<SocketAddrUnix> {
        SocketAddrUnix::new(path).map_err(|_| {
            let sentence = format!("{} cannot be the path of a socket: such a path has 1 to 107 bytes and no zero", path.display());
            Error::new(ErrorKind::InvalidArgument, sentence)
        })
    }
}

/// A socket that listens at `place`; [`accept`] never waits for it. [`ErrorKind::AlreadyExists`] if something is there.
pub(crate) fn listen(place: Place<'_>, backlog: i32) -> Result<OwnedFd> {
    let socket = place.socket(SocketFlags::NONBLOCK)?;
    let bound = match place {
        Place::Unix(path) => rustix::net::bind(&socket, &Place::unix(path)?),
        Place::Tcp(address) => {
            sockopt::set_socket_reuseaddr(&socket, true).map_err(|errno| Error::os(errno, "preparing a socket to listen"))?;
            rustix::net::bind(&socket, &address)
        }
    };
    let failed = |errno| match errno {
        Errno::ADDRINUSE => Error::new(ErrorKind::AlreadyExists, format!("something is at {} already; choose another address, or remove it", place.say())),
        errno => Error::os(errno, format_args!("listening at {}", place.say())),
    };
    bound.map_err(failed)?;
    rustix::net::listen(&socket, backlog).map_err(failed)?;
    Ok(socket)
}

/// Where a TCP socket listens: the port, if the system chose it.
pub(crate) fn local_address(socket: BorrowedFd<'_>) -> Result<Option<SocketAddr>> {
    let address = rustix::net::getsockname(socket).map_err(|errno| Error::os(errno, "asking for the address of a socket"))?;
    Ok(SocketAddr::try_from(address).ok())
}

/// The next one who wants to connect, with the address if there is one; none if nobody does at the moment.
pub(crate) fn accept(socket: BorrowedFd<'_>) -> Result<Option<(OwnedFd, Option<SocketAddr>)>> {
    match rustix::net::acceptfrom_with(socket, SocketFlags::CLOEXEC) {
        Ok((accepted, from)) => Ok(Some((accepted, from.and_then(|from: SocketAddrAny| SocketAddr::try_from(from).ok())))),
        // Who wanted to connect is gone again, or the network has something to say about it.
        Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED | Errno::PROTO | Errno::NETDOWN | Errno::HOSTDOWN | Errno::HOSTUNREACH | Errno::NETUNREACH) => {
            Ok(None)
        }
        Err(errno) => Err(Error::os(errno, "accepting a connection")),
    }
}

/// A socket connected to who listens at `place`. [`ErrorKind::NotFound`] if nobody does.
pub(crate) fn connect(place: Place<'_>, deadline: Deadline) -> Result<OwnedFd> {
    let socket = place.socket(SocketFlags::empty())?;
    let late = || Error::new(ErrorKind::Timeout, format!("{} did not accept a connection in time", place.say()));
    let set_time =
        |time| sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, time).map_err(|errno| Error::os(errno, "setting a time-out of a socket"));
    loop {
        if matches!(deadline, Deadline::At(_)) {
            let left = deadline.left(Duration::from_secs(1 << 20)).ok_or_else(late)?;
            // The system rounds down, and takes 0 for ever.
            set_time(Some(left.max(Duration::from_millis(1))))?;
        }
        let connected = match place {
            Place::Unix(path) => rustix::net::connect(&socket, &Place::unix(path)?),
            Place::Tcp(address) => rustix::net::connect(&socket, &address),
        };
        match connected {
            Ok(()) | Err(Errno::ISCONN) => break,
            Err(Errno::INTR | Errno::ALREADY) => {}
            Err(Errno::AGAIN | Errno::INPROGRESS | Errno::TIMEDOUT) => return Err(late()),
            Err(Errno::NOENT | Errno::CONNREFUSED) => {
                return Err(Error::new(ErrorKind::NotFound, format!("nobody listens at {}; start the listener first", place.say())));
            }
            Err(errno) => return Err(Error::os(errno, format_args!("connecting to {}", place.say()))),
        }
    }
    set_time(None)?;
    Ok(socket)
}

/// One descriptor that can be read when any of several can. Not for a forked child, which would change its parent's.
pub(crate) struct Gate(OwnedFd);

impl Gate {
    pub(crate) fn new() -> Result<Gate> {
        epoll::create(CreateFlags::CLOEXEC).map(Gate).map_err(|errno| Error::os(errno, "making an epoll descriptor"))
    }

    pub(crate) fn add(&self, fd: BorrowedFd<'_>) -> Result<()> {
        epoll::add(&self.0, fd, EventData::new_u64(0), EventFlags::IN).map_err(|errno| Error::os(errno, "watching a descriptor"))
    }

    pub(crate) fn remove(&self, fd: BorrowedFd<'_>) {
        let _ = epoll::delete(&self.0, fd);
    }
}

impl AsFd for Gate {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
