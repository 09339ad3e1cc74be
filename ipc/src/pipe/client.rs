//! `connect`: the other side of a listener. Waits for the handshake; what it says is the machine's concern.

use std::time::{Duration, Instant};

use super::address::{Address, Peering};
use super::connection::Connection;
use super::handshake::Handshake;
use crate::error::{Error, ErrorKind, Result};
use crate::shm::Deadline;
use crate::sys::endpoint;

/// Connects to the [`Listener`](crate::Listener) at `address`. Waits as long as that one's backlog is full; the handshake has its [time](Peering::handshake_time).
///
/// **Errors**: [`ErrorKind::NotFound`] if nobody listens there; [`ErrorKind::NotAuthenticated`] if the listener does not know the key, or refuses ours; [`ErrorKind::Timeout`] if it lets
/// the time of the handshake pass. **If the listener dies** meanwhile, one of these.
pub fn connect(address: &Address, terms: &Peering) -> Result<Connection> {
    meet(address, terms, Deadline::Never)
}

/// As [`connect`], and takes no longer than `time` in all.
pub fn connect_timeout(address: &Address, terms: &Peering, time: Duration) -> Result<Connection> {
    meet(address, terms, Deadline::after(Some(time)))
}

fn meet(address: &Address, terms: &Peering, deadline: Deadline) -> Result<Connection> {
    let connection = Connection::from_fd(endpoint::connect(address.place(), deadline)?)?.framed(terms.framing);
    if terms.key.is_none() {
        return Ok(connection);
    }
    let own = Instant::now().checked_add(terms.time);
    let until = match (deadline, own) {
        (Deadline::At(end), Some(own)) => Some(end.min(own)),
        (Deadline::At(end), None) => Some(end),
        (Deadline::Never, own) => own,
    };
    let mut handshake = Handshake::client();
    while !handshake.step(&connection, terms)? {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if !connection.poll(left)? {
            return Err(Error::new(ErrorKind::Timeout, format!("the listener at {address} did not finish the handshake in time; has it a key at all?")));
        }
    }
    Ok(connection)
}
