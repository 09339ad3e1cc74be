//! Event, as `polyproc::Event` has it.

use std::ffi::c_char;

use polyproc::Event;

use crate::boundary::{free, guard};
use crate::error::pp_error_t;
use crate::fabric::{Wish, pp_fabric_t};
use crate::pollable::pp_pollable_t;
use crate::ticket::{pp_ticket_t, ticket_of};
use crate::wait::wait_until;

/// A flag that processes wait for.
pub struct pp_event_t(pub(crate) Event);

/// Opens or makes an event.
///
/// Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; event: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: killed here, the event was made or not; one without a name goes with its maker.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_event_open(
    fabric: *const pp_fabric_t,
    name: *const c_char,
    how: i32,
    event: *mut *mut pp_event_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("event", event)?;
        let fabric = call.shared("fabric", fabric)?.get();
        let made = match Wish::read(call, name, how)? {
            Wish::New => Event::new(fabric),
            Wish::Create(name) => Event::create(fabric, name),
            Wish::Open(name) => Event::open(fabric, name),
            Wish::OpenOrCreate(name) => Event::open_or_create(fabric, name),
        };
        out.give(pp_event_t(made?));
        Ok(())
    })
}

/// The event that a ticket leads to.
///
/// Parameters: ticket; event: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
/// Threads: any.
/// Death: the object stays when this process dies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_event_from_ticket(ticket: *const pp_ticket_t, event: *mut *mut pp_event_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("event", event)?;
        out.give(pp_event_t(Event::from_ticket(&ticket_of(call, ticket)?)?));
        Ok(())
    })
}

/// Frees the handle. The event itself goes only if it has no name and no ticket.
///
/// Parameters: event: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_event_free(event: *mut pp_event_t) {
    free(event);
}

/// How another process attaches to the event. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
///
/// Parameters: event; lend; ticket: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_event_ticket(event: *const pp_event_t, lend: bool, ticket: *mut pp_ticket_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("ticket", ticket)?;
        let event = &call.shared("event", event)?.0;
        out.set(if lend { event.lend() } else { event.ticket() }.into());
        Ok(())
    })
}

/// Destroys the event for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
///
/// Parameters: event; error: may be NULL.
/// Returns: PP_OK; PP_GONE: it was destroyed before.
/// Threads: any.
/// Death: killed here, it is destroyed or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_event_destroy(event: *const pp_event_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("event", event)?.0.destroy()?))
}

/// A descriptor that is readable when the event is set.
///
/// Parameters: event; pollable: gets it; error: may be NULL.
/// Returns: PP_OK; PP_OS.
/// Threads: any; starts one helper thread of the library, once in a process.
/// Death: as pp_pollable_fd.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_event_pollable(event: *const pp_event_t, pollable: *mut *mut pp_pollable_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("pollable", pollable)?;
        out.give(pp_pollable_t(call.shared("event", event)?.0.pollable()?));
        Ok(())
    })
}

/// Sets the event: all who wait go on, and who comes later does not wait.
///
/// Parameters: event; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_event_set(event: *const pp_event_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("event", event)?.0.set()?))
}

/// Clears the event. Who was waiting when it was set goes on all the same.
///
/// Parameters: event; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_event_clear(event: *const pp_event_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("event", event)?.0.clear()?))
}

/// Whether the event is set.
///
/// Parameters: event; set: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_event_is_set(event: *const pp_event_t, set: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("set", set)?;
        let event = &call.shared("event", event)?.0;
        out.set(event.is_set());
        Ok(())
    })
}

/// Waits until the event is set.
///
/// Parameters: event; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
/// Threads: any.
/// Death: nothing is held.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_event_wait(event: *const pp_event_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let event = &call.shared("event", event)?.0;
        wait_until(timeout, "the event was not set", |time| event.wait(time))
    })
}
