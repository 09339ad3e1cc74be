//! List, as `polyproc::BytesList` has it: items one by one. Slices and what goes through the whole list are in `list_many.rs`.

use std::ffi::c_char;

use polyproc::BytesList;

use crate::boundary::{free, guard};
use crate::datum::pp_datum_t;
use crate::error::pp_error_t;
use crate::fabric::{Wish, pp_fabric_t};
use crate::message::pp_message_t;
use crate::ticket::{pp_ticket_t, ticket_of};
use crate::wait::wait;

/// Python's list, shared: every call is one step for everybody. Negative indices count from the end.
pub struct pp_list_t(pub(crate) BytesList);

/// Opens or makes a list.
///
/// Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; list: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: killed here, the list was made or not; one without a name goes with its maker.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_open(
    fabric: *const pp_fabric_t,
    name: *const c_char,
    how: i32,
    list: *mut *mut pp_list_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("list", list)?;
        let fabric = call.shared("fabric", fabric)?.get();
        let made = match Wish::read(call, name, how)? {
            Wish::New => BytesList::new(fabric),
            Wish::Create(name) => BytesList::create(fabric, name),
            Wish::Open(name) => BytesList::open(fabric, name),
            Wish::OpenOrCreate(name) => BytesList::open_or_create(fabric, name),
        };
        out.give(pp_list_t(made?));
        Ok(())
    })
}

/// The list that a ticket leads to.
///
/// Parameters: ticket; list: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
/// Threads: any.
/// Death: the object stays when this process dies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_from_ticket(ticket: *const pp_ticket_t, list: *mut *mut pp_list_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("list", list)?;
        out.give(pp_list_t(BytesList::from_ticket(&ticket_of(call, ticket)?)?));
        Ok(())
    })
}

/// Frees the handle. The list itself goes only if it has no name and no ticket.
///
/// Parameters: list: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_free(list: *mut pp_list_t) {
    free(list);
}

/// How another process attaches to the list. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
///
/// Parameters: list; lend; ticket: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_ticket(list: *const pp_list_t, lend: bool, ticket: *mut pp_ticket_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("ticket", ticket)?;
        let list = &call.shared("list", list)?.0;
        out.set(if lend { list.lend() } else { list.ticket() }.into());
        Ok(())
    })
}

/// Destroys the list for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
///
/// Parameters: list; error: may be NULL.
/// Returns: PP_OK; PP_GONE: it was destroyed before.
/// Threads: any.
/// Death: killed here, it is destroyed or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_destroy(list: *const pp_list_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("list", list)?.0.destroy()?))
}

/// How many items there are.
///
/// Parameters: list; len: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_len(list: *const pp_list_t, len: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("len", len)?;
        let list = &call.shared("list", list)?.0;
        out.set(list.len()?);
        Ok(())
    })
}

/// An item.
///
/// Parameters: list; index; message: gets it; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: no such index; PP_GONE.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_get(list: *const pp_list_t, index: i64, message: *mut *mut pp_message_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("message", message)?;
        out.give(call.shared("list", list)?.0.get(index)?.into());
        Ok(())
    })
}

/// Sets an item.
///
/// Parameters: list; index; item; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: no such index; PP_GONE. PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_set(list: *const pp_list_t, index: i64, item: pp_datum_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("list", list)?.0.set(index, &item.read(call, "item")?)?))
}

/// Appends an item.
///
/// Parameters: list; item; error: may be NULL.
/// Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_append(list: *const pp_list_t, item: pp_datum_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("list", list)?.0.append(&item.read(call, "item")?)?))
}

/// Inserts an item before an index, or at the nearer end.
///
/// Parameters: list; index; item; error: may be NULL.
/// Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_insert(list: *const pp_list_t, index: i64, item: pp_datum_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("list", list)?.0.insert(index, &item.read(call, "item")?)?))
}

/// Takes the last item out.
///
/// Parameters: list; message: gets it; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: the list is empty; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_pop(list: *const pp_list_t, message: *mut *mut pp_message_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("message", message)?;
        out.give(call.shared("list", list)?.0.pop()?.into());
        Ok(())
    })
}

/// Takes an item out.
///
/// Parameters: list; index; message: gets it; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: no such index; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_pop_at(list: *const pp_list_t, index: i64, message: *mut *mut pp_message_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("message", message)?;
        out.give(call.shared("list", list)?.0.pop_at(index)?.into());
        Ok(())
    })
}

/// Deletes an item.
///
/// Parameters: list; index; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: no such index; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_delete(list: *const pp_list_t, index: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("list", list)?.0.delete(index)?))
}

/// Deletes all items.
///
/// Parameters: list; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_clear(list: *const pp_list_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("list", list)?.0.clear()?))
}

/// An item, and the version of the list that it is of.
///
/// Parameters: list; index; message: gets it; version: gets it; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: no such index; PP_GONE.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_get_with_version(
    list: *const pp_list_t,
    index: i64,
    message: *mut *mut pp_message_t,
    version: *mut u64,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let (out, version) = (call.out("message", message)?, call.out("version", version)?);
        let (item, number) = call.shared("list", list)?.0.get_with_version(index)?;
        out.give(item.into());
        version.set(number);
        Ok(())
    })
}

/// Sets an item if the list still has this version.
///
/// Parameters: list; index; version; item; done: gets whether it was set; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: no such index; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_set_at_version(
    list: *const pp_list_t,
    index: i64,
    version: u64,
    item: pp_datum_t,
    done: *mut bool,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("done", done)?;
        out.set(call.shared("list", list)?.0.set_at_version(index, version, &item.read(call, "item")?)?);
        Ok(())
    })
}

/// Sets an item if it is equal to the one expected: the same bytes and codec.
///
/// Parameters: list; index; expected; item; done: gets whether it was set; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: no such index; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_compare_and_set(
    list: *const pp_list_t,
    index: i64,
    expected: pp_datum_t,
    item: pp_datum_t,
    done: *mut bool,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("done", done)?;
        let list = &call.shared("list", list)?.0;
        out.set(list.compare_and_set(index, &expected.read(call, "expected")?, &item.read(call, "item")?)?);
        Ok(())
    })
}

/// Adds to an integer item in one step.
///
/// Parameters: list; index; delta; value: gets the sum, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT or PP_NOT_FOUND: no such index; PP_GONE. PP_WRONG_TYPE or PP_DECODE: not an integer, or the sum does not fit; nothing was changed.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_increment(list: *const pp_list_t, index: i64, delta: i64, value: *mut i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let sum = call.shared("list", list)?.0.increment(index, delta)?;
        if let Some(out) = call.maybe_out(value) {
            out.set(sum);
        }
        Ok(())
    })
}

/// A number that grows with every change of the list.
///
/// Parameters: list; version: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_version(list: *const pp_list_t, version: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("version", version)?;
        let list = &call.shared("list", list)?.0;
        out.set(list.version()?);
        Ok(())
    })
}

/// Waits until the list has another version than this one.
///
/// Parameters: list; since; timeout: nanoseconds, negative for ever, 0 a try; version: gets it, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
/// Threads: any.
/// Death: nothing is held.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_wait_change(list: *const pp_list_t, since: u64, timeout: i64, version: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let list = &call.shared("list", list)?.0;
        let now = wait(timeout, |time| list.wait_changed(since, time))?;
        if let Some(out) = call.maybe_out(version) {
            out.set(now);
        }
        Ok(())
    })
}
