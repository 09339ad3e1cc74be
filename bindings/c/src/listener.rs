//! Listeners and clients: connections to processes that share nothing but an address.

use std::ffi::c_char;

use std::ffi::c_void;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;

use polyproc::{Address, Connection, Listener, Peering};

use crate::abi::PP_NOT_FOUND;
use crate::boundary::{Call, Options, free, guard};
use crate::connection::{framing_of, pp_connection_t};
use crate::error::{Fault, pp_error_t};
use crate::wait::{duration, interruptibly, wait};

/// A socket that others connect to.
pub struct pp_listener_t(pub(crate) Listener);

/// The terms of connections, the same for a listener and its clients; PP_PEERING_OPTIONS_INIT begins one.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pp_peering_options_t {
    /// sizeof(pp_peering_options_t)
    pub size: usize,
    /// A key that both sides must know; NULL: none.
    pub key: *const c_void,
    /// Its bytes.
    pub key_len: usize,
    /// A PP_FRAMING_ number.
    pub framing: i32,
    /// HMAC-MD5 is allowed, which is all that CPython before 3.12 has.
    pub allow_md5: u32,
    /// Nanoseconds that a client has to show that it knows the key; 0: 10 seconds.
    pub handshake_time: i64,
    /// A client that is refused is an error of pp_listener_accept.
    pub report_refused: u32,
    /// How many may wait to be accepted; 0: 16.
    pub backlog: u32,
}

impl Default for pp_peering_options_t {
    fn default() -> Self {
        pp_peering_options_t { size: 0, key: std::ptr::null(), key_len: 0, framing: 0, allow_md5: 0, handshake_time: 0, report_refused: 0, backlog: 0 }
    }
}

// SAFETY: numbers and a pointer, the first a `usize`.
unsafe impl Options for pp_peering_options_t {}

fn terms(call: &Call, options: *const pp_peering_options_t) -> Result<Peering, Fault> {
    let options = call.options("options", options)?;
    let mut terms = Peering::new().framing(framing_of(options.framing)?).allow_md5(options.allow_md5 != 0).report_refused(options.report_refused != 0);
    if !options.key.is_null() {
        terms = terms.authkey(call.bytes("options.key", options.key, options.key_len)?);
    }
    if options.handshake_time != 0 {
        terms = terms.handshake_time(duration("options.handshake_time", options.handshake_time)?);
    }
    if options.backlog != 0 {
        terms = terms.backlog(u16::try_from(options.backlog).map_err(|_| Fault::argument("options.backlog is more than 65535"))?);
    }
    Ok(terms)
}

/// A path with a slash in it is a Unix socket; `host:port` with numbers is TCP.
fn address_of(text: &str) -> Result<Address, Fault> {
    if text.contains('/') {
        return Ok(Address::Unix(PathBuf::from(text)));
    }
    let address = text
        .parse::<SocketAddr>()
        .map_err(|_| Fault::argument(format!("'{text}' is no address: it is a path with a slash in it, or as 127.0.0.1:4000 or [::1]:4000")))?;
    Ok(Address::Tcp(address))
}

/// Listens at an address.
///
/// Parameters: address: a path with a slash in it, or as 127.0.0.1:4000 (port 0: one is found); NULL: a private Unix socket; options: may be NULL; listener: gets it; error: may be NULL.
/// Returns: PP_OK; PP_ALREADY_EXISTS or PP_OS: the address is taken; PP_INVALID_ARGUMENT.
/// Threads: any.
/// Death: a client that dies holds up nobody; the file of a private listener goes even if its maker is killed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_listener_open(
    address: *const c_char,
    options: *const pp_peering_options_t,
    listener: *mut *mut pp_listener_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("listener", listener)?;
        let terms = terms(call, options)?;
        let made = match call.maybe_text("address", address)? {
            Some(address) => Listener::bind(address_of(address)?, &terms),
            None => Listener::private(&terms),
        };
        out.give(pp_listener_t(made?));
        Ok(())
    })
}

/// Frees the handle, and closes the listener.
///
/// Parameters: listener: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: a client that dies holds up nobody; the file of a private listener goes even if its maker is killed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_listener_free(listener: *mut pp_listener_t) {
    free(listener);
}

/// Ends listening in this process; threads that wait here get PP_CLOSED.
///
/// Parameters: listener; error: may be NULL.
/// Returns: PP_OK, also for the second time.
/// Threads: any.
/// Death: a client that dies holds up nobody; the file of a private listener goes even if its maker is killed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_listener_close(listener: *const pp_listener_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("listener", listener)?.0.close()?))
}

/// Lets the next client in.
///
/// Parameters: listener; timeout: nanoseconds, negative for ever, 0 a try; connection: gets it; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED; PP_NOT_AUTHENTICATED: only with report_refused.
/// Threads: any.
/// Death: a client that dies holds up nobody; the file of a private listener goes even if its maker is killed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_listener_accept(
    listener: *const pp_listener_t,
    timeout: i64,
    connection: *mut *mut pp_connection_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("connection", connection)?;
        let listener = &call.shared("listener", listener)?.0;
        let accepted = wait(timeout, |time| time.map_or_else(|| listener.accept(), |time| listener.accept_timeout(time)));
        out.give(pp_connection_t(accepted?));
        Ok(())
    })
}

/// Where it listens, as pp_connect takes it.
///
/// Parameters: listener; text: gets it with a NUL; room: its bytes, 128 are enough; error: may be NULL.
/// Returns: PP_OK; PP_TOO_LARGE: it does not fit.
/// Threads: any.
/// Death: a client that dies holds up nobody; the file of a private listener goes even if its maker is killed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_listener_address(listener: *const pp_listener_t, text: *mut c_char, room: usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| call.write_text("text", text, room, &call.shared("listener", listener)?.0.address().to_string()))
}

/// Where the last client was, if it came by TCP.
///
/// Parameters: listener; text: gets it with a NUL; room: its bytes, 128 are enough; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND: none, or not by TCP; PP_TOO_LARGE: it does not fit.
/// Threads: any.
/// Death: a client that dies holds up nobody; the file of a private listener goes even if its maker is killed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_listener_last_accepted(listener: *const pp_listener_t, text: *mut c_char, room: usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let last = call.shared("listener", listener)?.0.last_accepted();
        let last = last.ok_or_else(|| Fault::Own(PP_NOT_FOUND, "no client came by TCP yet".into()))?;
        call.write_text("text", text, room, &last.to_string())
    })
}

/// Whether it was closed in this process.
///
/// Parameters: listener; closed: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_listener_is_closed(listener: *const pp_listener_t, closed: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("closed", closed)?;
        let listener = &call.shared("listener", listener)?.0;
        out.set(listener.is_closed());
        Ok(())
    })
}

/// The listening socket, for event loops: readable when somebody connects.
///
/// Parameters: listener; fd: gets it, lent until the listener is freed; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a client that dies holds up nobody; the file of a private listener goes even if its maker is killed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_listener_fd(listener: *const pp_listener_t, fd: *mut i32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("fd", fd)?;
        out.set(call.shared("listener", listener)?.0.as_fd().as_raw_fd());
        Ok(())
    })
}

/// Connects to a listener.
///
/// Parameters: address: as pp_listener_address tells it; options: may be NULL; timeout: nanoseconds, negative for ever; connection: gets it; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_NOT_FOUND or PP_OS: nobody listens; PP_NOT_AUTHENTICATED; PP_INVALID_ARGUMENT.
/// Threads: any.
/// Death: a client that dies holds up nobody; the file of a private listener goes even if its maker is killed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_connect(
    address: *const c_char,
    options: *const pp_peering_options_t,
    timeout: i64,
    connection: *mut *mut pp_connection_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("connection", connection)?;
        let (address, terms) = (address_of(call.text("address", address)?)?, terms(call, options)?);
        let made: Result<Connection, Fault> = match crate::wait::time(timeout) {
            None => interruptibly(|| polyproc::connect(&address, &terms)),
            Some(_) => wait(timeout, |time| polyproc::connect_timeout(&address, &terms, time.unwrap_or_default())),
        };
        out.give(pp_connection_t(made?));
        Ok(())
    })
}
