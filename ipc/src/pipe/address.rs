//! Where a listener is, and on what terms it and its clients talk. Knows no socket.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::frame::Framing;
use crate::sys::endpoint::Place;

/// Where a [`Listener`](crate::Listener) listens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// A Unix socket, by the path of its file (107 bytes at most).
    Unix(PathBuf),
    /// A TCP port; as an address to listen at, port 0 lets the system choose one.
    Tcp(SocketAddr),
}

impl Address {
    pub(super) fn place(&self) -> Place<'_> {
        match self {
            Address::Unix(path) => Place::Unix(path),
            Address::Tcp(address) => Place::Tcp(*address),
        }
    }
}

impl From<PathBuf> for Address {
    fn from(path: PathBuf) -> Address {
        Address::Unix(path)
    }
}

impl From<&Path> for Address {
    fn from(path: &Path) -> Address {
        Address::Unix(path.to_owned())
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        Address::Tcp(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => path.display().fmt(f),
            Address::Tcp(address) => address.fmt(f),
        }
    }
}

/// The terms of a connection, the same for the [`Listener`](crate::Listener) and those who [`connect`](crate::connect): a key, a frame.
///
/// ```
/// use polyproc_ipc::{Framing, Peering};
/// let terms = Peering::new().authkey(b"secret");
/// let python = Peering::new().authkey(b"secret").framing(Framing::Reference).allow_md5(true); // also CPython before 3.12
/// # let _ = (terms, python);
/// ```
#[derive(Clone)]
pub struct Peering {
    pub(super) key: Option<Vec<u8>>,
    pub(super) framing: Framing,
    pub(super) md5: bool,
    pub(super) time: Duration,
    pub(super) report: bool,
    pub(super) backlog: i32,
}

impl Peering {
    /// No key, the native frame.
    pub fn new() -> Peering {
        Peering { key: None, framing: Framing::Native, md5: false, time: Duration::from_secs(10), report: false, backlog: 16 }
    }

    /// Each side must show the other that it knows this key, by the challenge of CPython's `multiprocessing.connection` (HMAC of random bytes, SHA-256). The key itself is never sent. What is
    /// sent after that is neither encrypted nor authenticated.
    #[must_use]
    pub fn authkey(mut self, key: &[u8]) -> Peering {
        self.key = Some(key.to_owned());
        self
    }

    /// The frame around messages; [`Framing::Reference`] to talk to a program that uses CPython's `multiprocessing.connection`.
    #[must_use]
    pub fn framing(mut self, framing: Framing) -> Peering {
        self.framing = framing;
        self
    }

    /// Whether HMAC-MD5 is good enough: all that CPython before 3.12 has. Refused unless allowed.
    #[must_use]
    pub fn allow_md5(mut self, allow: bool) -> Peering {
        self.md5 = allow;
        self
    }

    /// How long the other side may take to show that it knows the key (10 seconds if not given).
    #[must_use]
    pub fn handshake_time(mut self, time: Duration) -> Peering {
        self.time = time;
        self
    }

    /// Whether `accept` answers [`ErrorKind::NotAuthenticated`](crate::ErrorKind::NotAuthenticated) when a client fails to authenticate, as the reference does. If not, it goes on with the next client, so that
    /// no stranger can end a loop that accepts.
    #[must_use]
    pub fn report_refused(mut self, report: bool) -> Peering {
        self.report = report;
        self
    }

    /// How many clients may wait to be accepted (16 if not given).
    #[must_use]
    pub fn backlog(mut self, clients: u16) -> Peering {
        self.backlog = i32::from(clients);
        self
    }
}

impl Default for Peering {
    fn default() -> Peering {
        Peering::new()
    }
}

impl fmt::Debug for Peering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.key.is_some() { "a key" } else { "no key" };
        write!(f, "Peering with {key}, {:?} frame", self.framing)
    }
}
