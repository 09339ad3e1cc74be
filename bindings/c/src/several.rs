//! Waiting for several things at once.

use std::os::fd::BorrowedFd;

use polyproc::Waitable;

use crate::abi::PP_TIMEOUT;
use crate::boundary::guard;
use crate::connection::pp_connection_t;
use crate::error::{Fault, pp_error_t};
use crate::listener::pp_listener_t;
use crate::pollable::pp_pollable_t;
use crate::wait::time;

/// Something to wait for: one of these is given, and the others are NULL (and `fd` is -1).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pp_waitable_t {
    /// Ready when a message, or the end, can be received.
    pub connection: *const pp_connection_t,
    /// Ready when somebody wants to be let in.
    pub listener: *const pp_listener_t,
    /// Ready when its object is worth a try.
    pub pollable: *const pp_pollable_t,
    /// A plain descriptor: ready when it can be read.
    pub fd: i32,
}

/// Waits until one or more of several things are ready.
///
/// Parameters: things; count; timeout: nanoseconds, negative for ever, 0 a look; ready: gets the indices of those that are, room for `count`; ready_count: gets how many; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED: one was closed in this process; PP_INVALID_ARGUMENT.
/// Threads: any.
/// Death: the other side of a connection that dies makes it ready.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_wait(
    things: *const pp_waitable_t,
    count: usize,
    timeout: i64,
    ready: *mut usize,
    ready_count: *mut usize,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("ready_count", ready_count)?;
        let things = call.slice("things", things, count)?;
        call.slice("ready", ready.cast_const(), count)?;
        let fds: Vec<Option<BorrowedFd<'_>>> =
            things.iter().map(|thing| if thing.fd < 0 { Ok(None) } else { call.borrow_fd("things", thing.fd).map(Some) }).collect::<Result<_, Fault>>()?;
        let mut all: Vec<&dyn Waitable> = Vec::with_capacity(count);
        for (index, (thing, fd)) in things.iter().zip(&fds).enumerate() {
            let connection = call.maybe(thing.connection).map(|thing| &thing.0 as &dyn Waitable);
            let listener = call.maybe(thing.listener).map(|thing| &thing.0 as &dyn Waitable);
            let pollable = call.maybe(thing.pollable).map(|thing| &thing.0 as &dyn Waitable);
            let mut given = [connection, listener, pollable, fd.as_ref().map(|fd| fd as &dyn Waitable)].into_iter().flatten();
            match (given.next(), given.next()) {
                (Some(one), None) => all.push(one),
                _ => return Err(Fault::argument(format!("things[{index}] is not exactly one thing"))),
            }
        }
        let (found, signalled) = polyproc::interruptible(|| polyproc::wait(&all, time(timeout)));
        let found = found?;
        if found.is_empty() {
            return Err(if signalled && timeout != 0 {
                Fault::interrupted()
            } else {
                Fault::Own(PP_TIMEOUT, "nothing was ready within the time given".into())
            });
        }
        out.set(found.len());
        call.fill("ready", ready, count, found.into_iter())
    })
}
