//! Connections: messages between two sides, with descriptors inside them.

use std::ffi::c_void;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd};

use polyproc::{Connection, Framing};

use crate::boundary::{free, guard};
use crate::datum::pp_datum_t;
use crate::error::{Fault, pp_error_t};
use crate::message::pp_message_t;
use crate::wait::{wait, wait_until};

/// One side of a connection. Threads may share it: messages never mix.
pub struct pp_connection_t(pub(crate) Connection);

/// polyproc's own frame around messages.
pub const PP_FRAMING_NATIVE: i32 = 0;
/// The frame of CPython's multiprocessing.connection, to talk to a program that uses that; it carries bytes only.
pub const PP_FRAMING_CPYTHON: i32 = 1;

pub(crate) fn framing_of(framing: i32) -> Result<Framing, Fault> {
    match framing {
        PP_FRAMING_NATIVE => Ok(Framing::Native),
        PP_FRAMING_CPYTHON => Ok(Framing::Reference),
        other => Err(Fault::argument(format!("framing is {other}, which is no PP_FRAMING_ number"))),
    }
}

/// Makes a connection within this process, to be shared with a child.
///
/// Parameters: one_way: `a` only receives and `b` only sends; a: gets a side; b: gets the other; error: may be NULL.
/// Returns: PP_OK; PP_OS.
/// Threads: any.
/// Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pipe(one_way: bool, a: *mut *mut pp_connection_t, b: *mut *mut pp_connection_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let (a, b) = (call.out("a", a)?, call.out("b", b)?);
        let (first, second) = if one_way { polyproc::pipe_one_way()? } else { polyproc::pipe()? };
        a.give(pp_connection_t(first));
        b.give(pp_connection_t(second));
        Ok(())
    })
}

/// A connection over an open stream socket or an end of an OS pipe. It has a descriptor of its own; the one that was given stays the caller's, who closes it.
///
/// Parameters: fd; framing: a PP_FRAMING_ number; limit: bytes of the longest message to be received, 0: none is refused; connection: gets it; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: no such descriptor, or of another kind.
/// Threads: any.
/// Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_connection_from_fd(fd: i32, framing: i32, limit: u64, connection: *mut *mut pp_connection_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("connection", connection)?;
        let framing = framing_of(framing)?;
        let mut made = Connection::from_fd(call.own_fd("fd", fd)?)?.framed(framing);
        if limit > 0 {
            made = made.limited(limit);
        }
        out.give(pp_connection_t(made));
        Ok(())
    })
}

/// Frees the handle, and closes this side.
///
/// Parameters: connection: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_connection_free(connection: *mut pp_connection_t) {
    free(connection);
}

/// Closes this side: the other side reads to the end and then gets PP_CLOSED, and threads that wait here get it within a quarter of a second.
///
/// Parameters: connection; error: may be NULL.
/// Returns: PP_OK, also for the second time.
/// Threads: any.
/// Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_connection_close(connection: *const pp_connection_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("connection", connection)?.0.close()?))
}

/// The descriptor, for event loops: readable when a message, or the end, begins to come.
///
/// Parameters: connection; fd: gets it, lent until the connection is freed; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_connection_fd(connection: *const pp_connection_t, fd: *mut i32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("fd", fd)?;
        out.set(call.shared("connection", connection)?.0.as_fd().as_raw_fd());
        Ok(())
    })
}

/// A second descriptor of this side, for a child or another library.
///
/// Parameters: connection; fd: gets it, close-on-exec; the caller closes it; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: part of a message has been read already, or a thread is receiving.
/// Threads: any.
/// Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_connection_duplicate_fd(connection: *const pp_connection_t, fd: *mut i32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("fd", fd)?;
        out.set(call.shared("connection", connection)?.0.duplicate_fd()?.into_raw_fd());
        Ok(())
    })
}

/// Whether this side was closed in this process.
///
/// Parameters: connection; answer: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_connection_is_closed(connection: *const pp_connection_t, answer: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("answer", answer)?;
        let connection = &call.shared("connection", connection)?.0;
        out.set(connection.is_closed());
        Ok(())
    })
}

/// Whether this side receives.
///
/// Parameters: connection; answer: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_connection_is_readable(connection: *const pp_connection_t, answer: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("answer", answer)?;
        let connection = &call.shared("connection", connection)?.0;
        out.set(connection.is_readable());
        Ok(())
    })
}

/// Whether this side sends.
///
/// Parameters: connection; answer: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_connection_is_writable(connection: *const pp_connection_t, answer: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("answer", answer)?;
        let connection = &call.shared("connection", connection)?.0;
        out.set(connection.is_writable());
        Ok(())
    })
}

/// Sends a message.
///
/// Parameters: connection; datum; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED: nothing was sent; PP_CLOSED: nobody receives any more, or an earlier message was cut; PP_INVALID_ARGUMENT: this side only receives; PP_UNSUPPORTED: it cannot carry descriptors.
/// Threads: any.
/// Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_connection_send(connection: *const pp_connection_t, datum: pp_datum_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let connection = &call.shared("connection", connection)?.0;
        let datum = datum.read(call, "datum")?;
        wait(timeout, |time| connection.send_encoded(&datum.bytes, datum.codec, time))
    })
}

/// Sends raw bytes, and descriptors with them; over Unix sockets.
///
/// Parameters: connection; data; len; fds: they stay the caller's; count: 253 at most; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED: nothing was sent; PP_CLOSED: nobody receives any more, or an earlier message was cut; PP_INVALID_ARGUMENT: this side only receives; PP_UNSUPPORTED: it cannot carry descriptors.
/// Threads: any.
/// Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_connection_send_with(
    connection: *const pp_connection_t,
    data: *const c_void,
    len: usize,
    fds: *const i32,
    count: usize,
    timeout: i64,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let connection = &call.shared("connection", connection)?.0;
        let data = call.bytes("data", data, len)?;
        let fds: Vec<BorrowedFd<'_>> = call.slice("fds", fds, count)?.iter().map(|fd| call.borrow_fd("fds", *fd)).collect::<Result<_, _>>()?;
        wait(timeout, |time| time.map_or_else(|| connection.send_with(data, &fds), |time| connection.send_with_timeout(data, &fds, time)))
    })
}

/// Receives a message.
///
/// Parameters: connection; timeout: nanoseconds, negative for ever, 0 a try; message: gets it; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED: the next call goes on in the same message; PP_CLOSED: the other side is at its end; PP_CORRUPT: a message was cut in the middle; PP_TOO_LARGE: longer than the limit, and still to be received; PP_INVALID_ARGUMENT: this side only sends.
/// Threads: any.
/// Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_connection_recv(
    connection: *const pp_connection_t,
    timeout: i64,
    message: *mut *mut pp_message_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("message", message)?;
        let connection = &call.shared("connection", connection)?.0;
        out.give(wait(timeout, |time| connection.recv_message(time))?.into());
        Ok(())
    })
}

/// As pp_connection_recv, if the message has no more than so many bytes. A longer one is PP_TOO_LARGE, and can still be received.
///
/// Parameters: connection; most: bytes of the message; timeout: nanoseconds, negative for ever, 0 a try; message: gets it; error: may be NULL.
/// Returns: PP_OK; PP_TOO_LARGE: longer, and still to be received; else as pp_connection_recv.
/// Threads: any.
/// Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_connection_recv_max(
    connection: *const pp_connection_t,
    most: u64,
    timeout: i64,
    message: *mut *mut pp_message_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("message", message)?;
        let connection = &call.shared("connection", connection)?.0;
        out.give(wait(timeout, |time| connection.recv_message_max(most, time))?.into());
        Ok(())
    })
}

/// Receives a message into the caller's memory. One that does not fit comes with the error (pp_error_take_message).
///
/// Parameters: connection; buffer; size: its bytes; timeout: nanoseconds, negative for ever, 0 a try; len: gets the bytes of the message; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED: the next call goes on in the same message; PP_CLOSED: the other side is at its end; PP_CORRUPT: a message was cut in the middle; PP_TOO_LARGE: longer than the limit, and still to be received; PP_INVALID_ARGUMENT: this side only sends.
/// Threads: any.
/// Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_connection_recv_into(
    connection: *const pp_connection_t,
    buffer: *mut c_void,
    size: usize,
    timeout: i64,
    len: *mut usize,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("len", len)?;
        let connection = &call.shared("connection", connection)?.0;
        let buffer = call.buffer("buffer", buffer, size)?;
        let received = wait(timeout, |time| match time {
            None => connection.recv_bytes_into(buffer),
            Some(time) => connection.recv_bytes_into_timeout(buffer, time),
        })?;
        out.set(received);
        Ok(())
    })
}

/// Receives a message and the descriptors in it.
///
/// Parameters: connection; timeout: nanoseconds, negative for ever, 0 a try; message: gets it; fds: gets up to `room` descriptors, close-on-exec, which the caller closes; those beyond are closed; room; count: gets how many came; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED: the next call goes on in the same message; PP_CLOSED: the other side is at its end; PP_CORRUPT: a message was cut in the middle; PP_TOO_LARGE: longer than the limit, and still to be received; PP_INVALID_ARGUMENT: this side only sends.
/// Threads: any.
/// Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_connection_recv_with(
    connection: *const pp_connection_t,
    timeout: i64,
    message: *mut *mut pp_message_t,
    fds: *mut i32,
    room: usize,
    count: *mut usize,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let (out, count) = (call.out("message", message)?, call.out("count", count)?);
        let connection = &call.shared("connection", connection)?.0;
        call.slice("fds", fds.cast_const(), room)?;
        let (received, descriptors) = wait(timeout, |time| connection.recv_with(time))?;
        count.set(descriptors.len());
        call.fill("fds", fds, room, descriptors.into_iter().take(room).map(IntoRawFd::into_raw_fd))?;
        out.give(received.into());
        Ok(())
    })
}

/// Waits until there is a message, or the end.
///
/// Parameters: connection; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED: this side was closed here.
/// Threads: any.
/// Death: the other side of a dead process gets PP_CLOSED; a message that it was in the middle of is PP_CORRUPT once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_connection_poll(connection: *const pp_connection_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let connection = &call.shared("connection", connection)?.0;
        wait_until(timeout, "nothing came", |time| connection.poll(time))
    })
}
