//! Semaphore and BoundedSemaphore, as `polyproc` has them: one handle for both, since they are one object.

use std::ffi::c_char;

use polyproc::{BoundedSemaphore, Semaphore};

use crate::boundary::{free, guard};
use crate::error::pp_error_t;
use crate::fabric::{Wish, pp_fabric_t};
use crate::pollable::pp_pollable_t;
use crate::ticket::{pp_ticket_t, ticket_of};
use crate::wait::wait;

/// Permits that processes take and give back. It knows who holds how many, and those of the dead come back.
pub struct pp_semaphore_t(pub(crate) Semaphore);

/// Opens or makes a semaphore.
///
/// Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; value: permits, used by who makes it; bounded: a release beyond `value` is refused; semaphore: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: killed here, the semaphore was made or not; one without a name goes with its maker.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_semaphore_open(
    fabric: *const pp_fabric_t,
    name: *const c_char,
    how: i32,
    value: u32,
    bounded: bool,
    semaphore: *mut *mut pp_semaphore_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("semaphore", semaphore)?;
        let fabric = call.shared("fabric", fabric)?.get();
        let made = match Wish::read(call, name, how)? {
            Wish::New if bounded => BoundedSemaphore::new(fabric, value).map(|s| Semaphore::clone(&s)),
            Wish::Create(name) if bounded => BoundedSemaphore::create(fabric, name, value).map(|s| Semaphore::clone(&s)),
            Wish::Open(name) if bounded => BoundedSemaphore::open(fabric, name).map(|s| Semaphore::clone(&s)),
            Wish::OpenOrCreate(name) if bounded => BoundedSemaphore::open_or_create(fabric, name, value).map(|s| Semaphore::clone(&s)),
            Wish::New => Semaphore::new(fabric, value),
            Wish::Create(name) => Semaphore::create(fabric, name, value),
            Wish::Open(name) => Semaphore::open(fabric, name),
            Wish::OpenOrCreate(name) => Semaphore::open_or_create(fabric, name, value),
        };
        out.give(pp_semaphore_t(made?));
        Ok(())
    })
}

/// The semaphore that a ticket leads to.
///
/// Parameters: ticket; semaphore: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
/// Threads: any.
/// Death: the object stays when this process dies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_semaphore_from_ticket(ticket: *const pp_ticket_t, semaphore: *mut *mut pp_semaphore_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("semaphore", semaphore)?;
        out.give(pp_semaphore_t(Semaphore::from_ticket(&ticket_of(call, ticket)?)?));
        Ok(())
    })
}

/// Frees the handle. The semaphore itself goes only if it has no name and no ticket.
///
/// Parameters: semaphore: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_semaphore_free(semaphore: *mut pp_semaphore_t) {
    free(semaphore);
}

/// How another process attaches to the semaphore. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
///
/// Parameters: semaphore; lend; ticket: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_semaphore_ticket(semaphore: *const pp_semaphore_t, lend: bool, ticket: *mut pp_ticket_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("ticket", ticket)?;
        let semaphore = &call.shared("semaphore", semaphore)?.0;
        out.set(if lend { semaphore.lend() } else { semaphore.ticket() }.into());
        Ok(())
    })
}

/// Destroys the semaphore for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
///
/// Parameters: semaphore; error: may be NULL.
/// Returns: PP_OK; PP_GONE: it was destroyed before.
/// Threads: any.
/// Death: killed here, it is destroyed or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_semaphore_destroy(semaphore: *const pp_semaphore_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("semaphore", semaphore)?.0.destroy()?))
}

/// A descriptor that is readable when a permit may be had.
///
/// Parameters: semaphore; pollable: gets it; error: may be NULL.
/// Returns: PP_OK; PP_OS.
/// Threads: any; starts one helper thread of the library, once in a process.
/// Death: as pp_pollable_fd.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_semaphore_pollable(semaphore: *const pp_semaphore_t, pollable: *mut *mut pp_pollable_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("pollable", pollable)?;
        out.give(pp_pollable_t(call.shared("semaphore", semaphore)?.0.pollable()?));
        Ok(())
    })
}

/// Takes permits, all of them or none.
///
/// Parameters: semaphore; count; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
/// Threads: any.
/// Death: permits of a process that dies come back, within a quarter of a second or at the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_semaphore_acquire(semaphore: *const pp_semaphore_t, count: u32, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let semaphore = &call.shared("semaphore", semaphore)?.0;
        wait(timeout, |time| semaphore.acquire_many(count, time))
    })
}

/// Gives permits back.
///
/// Parameters: semaphore; count; error: may be NULL.
/// Returns: PP_OK; PP_NOT_HELD: more than a bounded one has; PP_GONE.
/// Threads: any, of any process.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_semaphore_release(semaphore: *const pp_semaphore_t, count: u32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("semaphore", semaphore)?.0.release(count)?))
}

/// Free permits at this moment.
///
/// Parameters: semaphore; value: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_semaphore_value(semaphore: *const pp_semaphore_t, value: *mut u32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("value", value)?;
        let semaphore = &call.shared("semaphore", semaphore)?.0;
        out.set(semaphore.value()?);
        Ok(())
    })
}

/// Permits that this process holds.
///
/// Parameters: semaphore; held: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_semaphore_held(semaphore: *const pp_semaphore_t, held: *mut u32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("held", held)?;
        let semaphore = &call.shared("semaphore", semaphore)?.0;
        out.set(semaphore.held()?);
        Ok(())
    })
}

/// The most permits that it may have.
///
/// Parameters: semaphore; bound: gets it, -1: no bound; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_semaphore_bound(semaphore: *const pp_semaphore_t, bound: *mut i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("bound", bound)?;
        let semaphore = &call.shared("semaphore", semaphore)?.0;
        out.set(semaphore.bound().map_or(-1, i64::from));
        Ok(())
    })
}
