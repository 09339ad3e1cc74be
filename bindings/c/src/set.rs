//! Set, as `polyproc::BytesSet` has it.

use std::ffi::c_char;

use polyproc::BytesSet;

use crate::boundary::{free, guard};
use crate::datum::pp_datum_t;
use crate::entries::pp_entries_t;
use crate::error::pp_error_t;
use crate::fabric::{Wish, pp_fabric_t};
use crate::message::{pp_message_t, pp_messages_t};
use crate::ticket::{pp_ticket_t, ticket_of};
use crate::wait::wait;

/// Python's set, shared. Elements are what may be keys of a dict.
pub struct pp_set_t(pub(crate) BytesSet);

/// Opens or makes a set.
///
/// Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; set: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: killed here, the set was made or not; one without a name goes with its maker.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_open(fabric: *const pp_fabric_t, name: *const c_char, how: i32, set: *mut *mut pp_set_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("set", set)?;
        let fabric = call.shared("fabric", fabric)?.get();
        let made = match Wish::read(call, name, how)? {
            Wish::New => BytesSet::new(fabric),
            Wish::Create(name) => BytesSet::create(fabric, name),
            Wish::Open(name) => BytesSet::open(fabric, name),
            Wish::OpenOrCreate(name) => BytesSet::open_or_create(fabric, name),
        };
        out.give(pp_set_t(made?));
        Ok(())
    })
}

/// The set that a ticket leads to.
///
/// Parameters: ticket; set: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
/// Threads: any.
/// Death: the object stays when this process dies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_from_ticket(ticket: *const pp_ticket_t, set: *mut *mut pp_set_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("set", set)?;
        out.give(pp_set_t(BytesSet::from_ticket(&ticket_of(call, ticket)?)?));
        Ok(())
    })
}

/// Frees the handle. The set itself goes only if it has no name and no ticket.
///
/// Parameters: set: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_free(set: *mut pp_set_t) {
    free(set);
}

/// How another process attaches to the set. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
///
/// Parameters: set; lend; ticket: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_ticket(set: *const pp_set_t, lend: bool, ticket: *mut pp_ticket_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("ticket", ticket)?;
        let set = &call.shared("set", set)?.0;
        out.set(if lend { set.lend() } else { set.ticket() }.into());
        Ok(())
    })
}

/// Destroys the set for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
///
/// Parameters: set; error: may be NULL.
/// Returns: PP_OK; PP_GONE: it was destroyed before.
/// Threads: any.
/// Death: killed here, it is destroyed or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_destroy(set: *const pp_set_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("set", set)?.0.destroy()?))
}

/// Adds an element.
///
/// Parameters: set; element; added: gets whether it is new, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: a map cannot be a key; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_add(set: *const pp_set_t, element: pp_datum_t, added: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let set = &call.shared("set", set)?.0;
        let done = set.add(&element.read(call, "element")?)?;
        if let Some(out) = call.maybe_out(added) {
            out.set(done);
        }
        Ok(())
    })
}

/// Takes an element out, if it is there.
///
/// Parameters: set; element; was_there: gets whether it was, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: a map cannot be a key; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_discard(set: *const pp_set_t, element: pp_datum_t, was_there: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let set = &call.shared("set", set)?.0;
        let done = set.discard(&element.read(call, "element")?)?;
        if let Some(out) = call.maybe_out(was_there) {
            out.set(done);
        }
        Ok(())
    })
}

/// Whether an element is there.
///
/// Parameters: set; element; found: gets it; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_contains(set: *const pp_set_t, element: pp_datum_t, found: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("found", found)?;
        out.set(call.shared("set", set)?.0.contains(&element.read(call, "element")?)?);
        Ok(())
    })
}

/// Takes an element out.
///
/// Parameters: set; element; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_INVALID_ARGUMENT; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_remove(set: *const pp_set_t, element: pp_datum_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("set", set)?.0.remove(&element.read(call, "element")?)?))
}

/// Takes the element out that came last.
///
/// Parameters: set; message: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND: the set is empty; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_pop(set: *const pp_set_t, message: *mut *mut pp_message_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("message", message)?;
        out.give(call.shared("set", set)?.0.pop()?.into());
        Ok(())
    })
}

/// Takes all elements out, in one instant.
///
/// Parameters: set; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_clear(set: *const pp_set_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("set", set)?.0.clear()?))
}

/// How many elements there are.
///
/// Parameters: set; len: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_len(set: *const pp_set_t, len: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("len", len)?;
        let set = &call.shared("set", set)?.0;
        out.set(set.len());
        Ok(())
    })
}

/// All elements of one instant, in order.
///
/// Parameters: set; elements: gets them; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_snapshot(set: *const pp_set_t, elements: *mut *mut pp_messages_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("elements", elements)?;
        out.give(pp_messages_t::of(call.shared("set", set)?.0.snapshot()?));
        Ok(())
    })
}

/// Goes through the elements while others write.
///
/// Parameters: set; entries: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is held between two elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_iterate(set: *const pp_set_t, entries: *mut *mut pp_entries_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("entries", entries)?;
        out.give(pp_entries_t::Elements(call.shared("set", set)?.0.items()));
        Ok(())
    })
}

/// A number that grows with every change of the set.
///
/// Parameters: set; version: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_version(set: *const pp_set_t, version: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("version", version)?;
        let set = &call.shared("set", set)?.0;
        out.set(set.version()?);
        Ok(())
    })
}

/// Waits until the set has another version than this one.
///
/// Parameters: set; since; timeout: nanoseconds, negative for ever, 0 a try; version: gets it, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
/// Threads: any.
/// Death: nothing is held.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_wait_change(set: *const pp_set_t, since: u64, timeout: i64, version: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let set = &call.shared("set", set)?.0;
        let now = wait(timeout, |time| set.wait_change(since, time))?;
        if let Some(out) = call.maybe_out(version) {
            out.set(now);
        }
        Ok(())
    })
}
