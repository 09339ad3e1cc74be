//! `Listener`: lets others connect, and lets in who knows the key. Runs any number of handshakes beside each other, so that no stranger holds up anybody.
//!
//! A client is *at the door* from being accepted by the system until its handshake is done, fails, or its time is over. At most [`MOST`] are there at a time; while so many are, further
//! ones wait in the system's backlog. Calls of `accept` take turns; what is at the door stays between calls. A forked child has a door of its own.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::address::{Address, Peering};
use super::connection::Connection;
use super::handshake::Handshake;
use super::place::{PrivatePlace, SocketFile};
use super::turn::Turns;
use super::wait::{Readiness, Waitable};
use crate::error::{Error, ErrorKind, Result};
use crate::shm::Deadline;
use crate::sys;
use crate::sys::endpoint::{self, Gate};
use crate::sys::socket;

/// The most clients at the door.
const MOST: usize = 64;
/// How long an `accept` may take to see that another thread of its process closed the listener.
const SLICE: Duration = Duration::from_millis(250);

/// Lets other processes [connect](crate::connect): at a Unix socket or a TCP port, with or without a key.
///
/// With a key, only who knows it is let in ([`Peering::authkey`]); who does not, who hangs and who sends anything else costs the others nothing but the time of a few system calls. **Without
/// a key** whoever reaches the address is let in: choose [`Listener::private`], or a path in a directory that is this user's alone.
///
/// **When this process dies**, clients are refused from then on. The file of a socket at a path of one's own choice stays then (`bind` there answers [`ErrorKind::AlreadyExists`] until
/// somebody removes it); that of [`Listener::private`] is removed by the next one who makes such a listener. **Fork**: both processes may accept; the file belongs to the maker.
///
/// ```
/// use polyproc_ipc::{Listener, Peering, connect};
/// let terms = Peering::new().authkey(b"secret");
/// let listener = Listener::private(&terms)?;
/// let address = listener.address().clone(); // for whom it may concern
///
/// let client = std::thread::spawn(move || connect(&address, &terms)?.send(&"hello"));
/// assert_eq!(listener.accept()?.recv::<String>()?, "hello");
/// client.join().unwrap()?;
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub struct Listener {
    socket: OwnedFd,
    gate: Gate,
    address: Address,
    terms: Peering,
    forks: u64,
    door: Turns<Door>,
    last: Turns<Option<Address>>,
    closed: AtomicBool,
    /// The socket's file, until closed.
    file: Mutex<File>,
}

enum File {
    None,
    Private(#[expect(dead_code, reason = "removed on drop")] PrivatePlace),
    Chosen(#[expect(dead_code, reason = "removed on drop")] SocketFile),
}

type Door = Vec<Client>;

/// Who is at the door.
struct Client {
    connection: Connection,
    handshake: Handshake,
    until: Option<Instant>,
    from: Option<Address>,
}

impl Listener {
    /// Listens at `address`. [`ErrorKind::AlreadyExists`] if something is there.
    pub fn bind(address: impl Into<Address>, terms: &Peering) -> Result<Listener> {
        let address = address.into();
        let socket = endpoint::listen(address.place(), terms.backlog)?;
        match address {
            Address::Unix(path) => {
                let file = File::Chosen(SocketFile::made(&path));
                Listener::over(socket, Address::Unix(path), terms, file)
            }
            Address::Tcp(asked) => {
                let address = endpoint::local_address(socket.as_fd())?.unwrap_or(asked);
                Listener::over(socket, Address::Tcp(address), terms, File::None)
            }
        }
    }

    /// Listens at a Unix socket of a new name, in a directory that nobody but this user may enter.
    pub fn private(terms: &Peering) -> Result<Listener> {
        let place = PrivatePlace::new()?;
        let address = Address::Unix(place.socket());
        let socket = endpoint::listen(address.place(), terms.backlog)?;
        Listener::over(socket, address, terms, File::Private(place))
    }

    fn over(socket: OwnedFd, address: Address, terms: &Peering, file: File) -> Result<Listener> {
        sys::count_forks();
        let gate = Gate::new()?;
        gate.add(socket.as_fd())?;
        let (door, last) = (Turns::new(), Turns::new());
        Ok(Listener { socket, gate, address, terms: terms.clone(), forks: sys::forks(), door, last, closed: AtomicBool::new(false), file: Mutex::new(file) })
    }

    /// The next client; waits for one.
    ///
    /// Clients that fail to authenticate are passed over, unless [`Peering::report_refused`] says otherwise.
    pub fn accept(&self) -> Result<Connection> {
        self.accept_until(Deadline::Never)
    }

    /// The next client, if one is let in within `time`. Handshakes that are under way then go on in the next call.
    pub fn accept_timeout(&self, time: Duration) -> Result<Connection> {
        self.accept_until(Deadline::after(Some(time)))
    }

    /// Where it listens, with the port that the system chose.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Where the client came from that this process accepted last: its TCP address, and nothing for a Unix socket.
    pub fn last_accepted(&self) -> Option<Address> {
        self.last.take(Deadline::Never).and_then(|mut turn| turn.state().clone())
    }

    /// Stops to listen in this process and removes the file that it made, but no other. Calls from now on answer [`ErrorKind::Closed`]; threads that wait in `accept` do within a quarter of a second.
    /// May be called again. The drop does the same.
    pub fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        if self.forks == sys::forks() {
            self.gate.remove(self.socket.as_fd());
        }
        socket::release(self.socket.as_fd()).inspect_err(|_| self.closed.store(false, Ordering::Release))?;
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = File::None;
        Ok(())
    }

    /// Whether [`Listener::close`] was called in this process.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn check_open(&self) -> Result<()> {
        if self.is_closed() { Err(Error::new(ErrorKind::Closed, format!("the listener at {} was closed in this process", self.address))) } else { Ok(()) }
    }

    fn accept_until(&self, deadline: Deadline) -> Result<Connection> {
        let late = || Error::new(ErrorKind::Timeout, format!("nobody was let in at {} in the time given", self.address));
        self.check_open()?;
        let mut turn = self.door.take(deadline).ok_or_else(late)?;
        let door = turn.state();
        loop {
            self.check_open()?;
            if let Some(connection) = self.admit(door)? {
                return Ok(connection);
            }
            if door.len() < MOST
                && let Some((accepted, from)) = self.next()?
            {
                let connection = Connection::from_fd(accepted)?.framed(self.terms.framing);
                let from = from.map(Address::Tcp);
                if self.terms.key.is_none() {
                    return Ok(self.enter(connection, from));
                }
                // Who is gone already is no client.
                if let Ok(handshake) = Handshake::listener(&connection) {
                    if self.forks == sys::forks() {
                        self.gate.add(connection.as_fd())?;
                    }
                    door.push(Client { connection, handshake, until: Instant::now().checked_add(self.terms.time), from });
                }
                if !deadline.is_over() {
                    continue;
                }
            }
            self.sleep(door, deadline.left(SLICE).ok_or_else(late)?)?;
        }
    }

    fn next(&self) -> Result<Option<(OwnedFd, Option<SocketAddr>)>> {
        // After a close the number leads elsewhere, and the system's answer is about that.
        endpoint::accept(self.socket.as_fd()).or_else(|error| self.check_open().and(Err(error)))
    }

    /// Goes on with all handshakes; the first client who is done with it.
    fn admit(&self, door: &mut Door) -> Result<Option<Connection>> {
        let mut at = 0;
        while let Some(client) = door.get_mut(at) {
            let late = || Error::new(ErrorKind::NotAuthenticated, format!("a client of {} did not authenticate in time", self.address));
            match client.handshake.step(&client.connection, &self.terms) {
                Ok(false) if client.until.is_none_or(|until| Instant::now() < until) => at += 1,
                outcome => {
                    let client = door.swap_remove(at);
                    if self.forks == sys::forks() {
                        self.gate.remove(client.connection.as_fd());
                    }
                    match outcome {
                        Ok(true) => return Ok(Some(self.enter(client.connection, client.from))),
                        Ok(false) if self.terms.report => return Err(late()),
                        Err(error) if self.terms.report => return Err(error),
                        _ => {}
                    }
                }
            }
        }
        Ok(None)
    }

    fn enter(&self, connection: Connection, from: Option<Address>) -> Connection {
        if let Some(mut turn) = self.last.take(Deadline::Never) {
            *turn.state() = from;
        }
        connection
    }

    /// Until somebody comes, a handshake can go on, or a client's time is over; at most `time`.
    fn sleep(&self, door: &Door, time: Duration) -> Result<()> {
        let now = Instant::now();
        let time = door.iter().filter_map(|client| client.until).map(|until| until.saturating_duration_since(now)).fold(time, Duration::min);
        let mut fds: Vec<PollFd<'_>> = door.iter().map(|client| PollFd::new(&client.connection, PollFlags::IN)).collect();
        if door.len() < MOST {
            fds.push(PollFd::new(&self.socket, PollFlags::IN));
        }
        socket::poll(&mut fds, time).map(drop)
    }
}

impl AsFd for Listener {
    /// The listening socket.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Waitable for Listener {
    /// Ready once somebody connects or a handshake can go on: an `accept` with a time-out gets on then, and may still answer [`ErrorKind::Timeout`]. In a forked child, handshakes under way do
    /// not count.
    fn readiness(&self) -> Result<Readiness<'_>> {
        self.check_open()?;
        Ok(Readiness::Readable(if self.forks == sys::forks() { self.gate.as_fd() } else { self.socket.as_fd() }))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener at {} ({:?})", self.address, self.terms)
    }
}
