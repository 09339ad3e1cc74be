//! Descriptors for event loops: readable when an object is worth a try. Knows no object.

use std::os::fd::AsRawFd;

use polyproc::Pollable;

use crate::boundary::{free, guard};
use crate::error::pp_error_t;
use crate::wait::wait_until;

/// A descriptor that becomes readable when its object has something. Readable means: try now, others may be faster.
pub struct pp_pollable_t(pub(crate) Pollable);

/// Frees a pollable and closes its descriptor.
///
/// Parameters: pollable: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses it any more.
/// Death: nothing is left behind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pollable_free(pollable: *mut pp_pollable_t) {
    free(pollable);
}

/// The descriptor, for poll, epoll and event loops.
///
/// Parameters: pollable; fd: gets it, lent until pp_pollable_free; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: what a death makes ready makes it readable, at once where somebody sweeps, else within about a second.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pollable_fd(pollable: *const pp_pollable_t, fd: *mut i32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("fd", fd)?;
        out.set(call.shared("pollable", pollable)?.0.as_raw_fd());
        Ok(())
    })
}

/// Watches the object again, after its try found nothing more. If it is ready now, the descriptor is readable when this returns.
///
/// Parameters: pollable; error: may be NULL.
/// Returns: PP_OK; PP_UNSUPPORTED: in a forked child, where the parent made it.
/// Threads: any.
/// Death: as pp_pollable_fd.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pollable_rearm(pollable: *const pp_pollable_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("pollable", pollable)?.0.rearm()?))
}

/// Waits until the descriptor is readable.
///
/// Parameters: pollable; timeout: nanoseconds, negative for ever, 0 a look; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED.
/// Threads: any.
/// Death: as pp_pollable_fd.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pollable_wait(pollable: *const pp_pollable_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let pollable = &call.shared("pollable", pollable)?.0;
        wait_until(timeout, "nothing became ready", |time| pollable.wait(time))
    })
}
