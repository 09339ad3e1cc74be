//! Dict, as `polyproc::BytesDict` has it.

use std::ffi::c_char;

use polyproc::BytesDict;

use crate::abi::PP_NOT_FOUND;
use crate::boundary::{free, guard};
use crate::datum::pp_datum_t;
use crate::entries::pp_entries_t;
use crate::error::Fault;
use crate::error::pp_error_t;
use crate::fabric::{Wish, pp_fabric_t};
use crate::message::{pp_message_t, pp_messages_t};
use crate::ticket::{pp_ticket_t, ticket_of};
use crate::wait::wait;

/// Python's dict, shared: keys in the order of their insertion, compared as Python compares them, in every language.
pub struct pp_dict_t(pub(crate) BytesDict);

fn absent() -> Fault {
    Fault::Own(PP_NOT_FOUND, "the dict has no such key".into())
}

/// Opens or makes a dict.
///
/// Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; dict: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: killed here, the dict was made or not; one without a name goes with its maker.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_open(
    fabric: *const pp_fabric_t,
    name: *const c_char,
    how: i32,
    dict: *mut *mut pp_dict_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("dict", dict)?;
        let fabric = call.shared("fabric", fabric)?.get();
        let made = match Wish::read(call, name, how)? {
            Wish::New => BytesDict::new(fabric),
            Wish::Create(name) => BytesDict::create(fabric, name),
            Wish::Open(name) => BytesDict::open(fabric, name),
            Wish::OpenOrCreate(name) => BytesDict::open_or_create(fabric, name),
        };
        out.give(pp_dict_t(made?));
        Ok(())
    })
}

/// The dict that a ticket leads to.
///
/// Parameters: ticket; dict: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
/// Threads: any.
/// Death: the object stays when this process dies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_from_ticket(ticket: *const pp_ticket_t, dict: *mut *mut pp_dict_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("dict", dict)?;
        out.give(pp_dict_t(BytesDict::from_ticket(&ticket_of(call, ticket)?)?));
        Ok(())
    })
}

/// Frees the handle. The dict itself goes only if it has no name and no ticket.
///
/// Parameters: dict: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_free(dict: *mut pp_dict_t) {
    free(dict);
}

/// How another process attaches to the dict. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
///
/// Parameters: dict; lend; ticket: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_ticket(dict: *const pp_dict_t, lend: bool, ticket: *mut pp_ticket_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("ticket", ticket)?;
        let dict = &call.shared("dict", dict)?.0;
        out.set(if lend { dict.lend() } else { dict.ticket() }.into());
        Ok(())
    })
}

/// Destroys the dict for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
///
/// Parameters: dict; error: may be NULL.
/// Returns: PP_OK; PP_GONE: it was destroyed before.
/// Threads: any.
/// Death: killed here, it is destroyed or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_destroy(dict: *const pp_dict_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("dict", dict)?.0.destroy()?))
}

/// The value of a key.
///
/// Parameters: dict; key; message: gets it; version: gets its version, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND: no such key; PP_INVALID_ARGUMENT: a map cannot be a key; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_get(
    dict: *const pp_dict_t,
    key: pp_datum_t,
    message: *mut *mut pp_message_t,
    version: *mut u64,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("message", message)?;
        let dict = &call.shared("dict", dict)?.0;
        let (value, number) = dict.get_versioned(&key.read(call, "key")?)?.ok_or_else(absent)?;
        out.give(value.into());
        if let Some(out) = call.maybe_out(version) {
            out.set(number);
        }
        Ok(())
    })
}

/// Whether there is a key.
///
/// Parameters: dict; key; found: gets it; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_contains(dict: *const pp_dict_t, key: pp_datum_t, found: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("found", found)?;
        out.set(call.shared("dict", dict)?.0.contains(&key.read(call, "key")?)?);
        Ok(())
    })
}

/// Sets the value of a key.
///
/// Parameters: dict; key; value; version: gets its version, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: a map cannot be a key; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_set(dict: *const pp_dict_t, key: pp_datum_t, value: pp_datum_t, version: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let dict = &call.shared("dict", dict)?.0;
        let number = dict.set(&key.read(call, "key")?, &value.read(call, "value")?)?;
        if let Some(out) = call.maybe_out(version) {
            out.set(number);
        }
        Ok(())
    })
}

/// The value of a key, which is set if there is none.
///
/// Parameters: dict; key; value; message: gets it; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: a map cannot be a key; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_set_default(
    dict: *const pp_dict_t,
    key: pp_datum_t,
    value: pp_datum_t,
    message: *mut *mut pp_message_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("message", message)?;
        let dict = &call.shared("dict", dict)?.0;
        out.give(dict.set_default(&key.read(call, "key")?, &value.read(call, "value")?)?.into());
        Ok(())
    })
}

/// Sets the value of a key if its version is the one expected.
///
/// Parameters: dict; key; expected: NULL: there must be no such key; value; done: gets whether it was set; version: gets the new version if it was, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: a map cannot be a key; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_compare_and_set(
    dict: *const pp_dict_t,
    key: pp_datum_t,
    expected: *const u64,
    value: pp_datum_t,
    done: *mut bool,
    version: *mut u64,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let done = call.out("done", done)?;
        let dict = &call.shared("dict", dict)?.0;
        let set = dict.compare_and_set(&key.read(call, "key")?, call.maybe(expected).copied(), &value.read(call, "value")?)?;
        done.set(set.is_some());
        if let (Some(out), Some(number)) = (call.maybe_out(version), set) {
            out.set(number);
        }
        Ok(())
    })
}

/// Deletes a key if its version is the one expected.
///
/// Parameters: dict; key; expected; done: gets whether it was deleted; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_compare_and_delete(
    dict: *const pp_dict_t,
    key: pp_datum_t,
    expected: u64,
    done: *mut bool,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("done", done)?;
        out.set(call.shared("dict", dict)?.0.compare_and_delete(&key.read(call, "key")?, expected)?);
        Ok(())
    })
}

/// Deletes a key.
///
/// Parameters: dict; key; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND: no such key; PP_INVALID_ARGUMENT: a map cannot be a key; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_delete(dict: *const pp_dict_t, key: pp_datum_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("dict", dict)?.0.delete(&key.read(call, "key")?)?))
}

/// Takes the value of a key out.
///
/// Parameters: dict; key; message: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND: no such key; PP_INVALID_ARGUMENT: a map cannot be a key; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_pop(dict: *const pp_dict_t, key: pp_datum_t, message: *mut *mut pp_message_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("message", message)?;
        out.give(call.shared("dict", dict)?.0.pop(&key.read(call, "key")?)?.into());
        Ok(())
    })
}

/// Takes the entry out that came last.
///
/// Parameters: dict; key: gets it; value: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND: the dict is empty; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_pop_item(
    dict: *const pp_dict_t,
    key: *mut *mut pp_message_t,
    value: *mut *mut pp_message_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let (key, value) = (call.out("key", key)?, call.out("value", value)?);
        let (found, its) = call.shared("dict", dict)?.0.pop_item()?;
        key.give(found.into());
        value.give(its.into());
        Ok(())
    })
}

/// Adds to the integer of a key in one step; a key that is not there counts as 0.
///
/// Parameters: dict; key; delta; value: gets the sum (one above INT64_MAX as uint64_t), may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_WRONG_TYPE or PP_DECODE: not an integer, or the sum does not fit into 64 bits; nothing was changed; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_increment(dict: *const pp_dict_t, key: pp_datum_t, delta: i64, value: *mut i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let dict = &call.shared("dict", dict)?.0;
        let sum = dict.increment(&key.read(call, "key")?, delta)?;
        if let Some(out) = call.maybe_out(value) {
            out.set(sum as i64);
        }
        Ok(())
    })
}

/// Sets several keys, one after the other.
///
/// Parameters: dict; keys; values: as many; count; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: a map cannot be a key; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
/// Threads: any.
/// Death: killed here, the first so many are set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_update(
    dict: *const pp_dict_t,
    keys: *const pp_datum_t,
    values: *const pp_datum_t,
    count: usize,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let dict = &call.shared("dict", dict)?.0;
        let (keys, values) = (call.slice("keys", keys, count)?, call.slice("values", values, count)?);
        for (key, value) in keys.iter().zip(values) {
            dict.set(&key.read(call, "keys")?, &value.read(call, "values")?)?;
        }
        Ok(())
    })
}

/// Sets all entries of another dict.
///
/// Parameters: dict; other; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: a map cannot be a key; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
/// Threads: any.
/// Death: killed here, the first so many are set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_update_from(dict: *const pp_dict_t, other: *const pp_dict_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let other = &call.shared("other", other)?.0;
        Ok(call.shared("dict", dict)?.0.update_from(other)?)
    })
}

/// A new dict without a name, with the same entries.
///
/// Parameters: dict; copy: gets it; error: may be NULL.
/// Returns: PP_OK; PP_OUT_OF_MEMORY; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_copy(dict: *const pp_dict_t, copy: *mut *mut pp_dict_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("copy", copy)?;
        out.give(pp_dict_t(call.shared("dict", dict)?.0.copy()?));
        Ok(())
    })
}

/// Deletes all entries, in one instant.
///
/// Parameters: dict; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_clear(dict: *const pp_dict_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("dict", dict)?.0.clear()?))
}

/// How many entries there are.
///
/// Parameters: dict; len: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_len(dict: *const pp_dict_t, len: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("len", len)?;
        let dict = &call.shared("dict", dict)?.0;
        out.set(dict.len());
        Ok(())
    })
}

/// All entries of one instant, in order; writers wait for it.
///
/// Parameters: dict; keys: gets them; values: gets as many; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_snapshot(
    dict: *const pp_dict_t,
    keys: *mut *mut pp_messages_t,
    values: *mut *mut pp_messages_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let (keys, values) = (call.out("keys", keys)?, call.out("values", values)?);
        let (found, theirs) = call.shared("dict", dict)?.0.snapshot()?.into_iter().unzip();
        keys.give(pp_messages_t::of(found));
        values.give(pp_messages_t::of(theirs));
        Ok(())
    })
}

/// Goes through the entries while others write: what stays is seen exactly once, what comes or goes meanwhile at most once.
///
/// Parameters: dict; backward: the newest first; entries: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is held between two entries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_iterate(dict: *const pp_dict_t, backward: bool, entries: *mut *mut pp_entries_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("entries", entries)?;
        let dict = &call.shared("dict", dict)?.0;
        out.give(pp_entries_t::Pairs(if backward { dict.items_reversed() } else { dict.items() }));
        Ok(())
    })
}

/// A number that grows with every change of the dict.
///
/// Parameters: dict; version: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_version(dict: *const pp_dict_t, version: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("version", version)?;
        let dict = &call.shared("dict", dict)?.0;
        out.set(dict.version()?);
        Ok(())
    })
}

/// Waits until the dict has another version than this one.
///
/// Parameters: dict; since; timeout: nanoseconds, negative for ever, 0 a try; version: gets it, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
/// Threads: any.
/// Death: nothing is held.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_wait_change(dict: *const pp_dict_t, since: u64, timeout: i64, version: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let dict = &call.shared("dict", dict)?.0;
        let now = wait(timeout, |time| dict.wait_change(since, time))?;
        if let Some(out) = call.maybe_out(version) {
            out.set(now);
        }
        Ok(())
    })
}

/// Waits until a key has another version than this one.
///
/// Parameters: dict; key; since: NULL: until it is there; timeout: nanoseconds, negative for ever, 0 a try; message: gets the value; version: gets its version, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND: it was deleted; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
/// Threads: any.
/// Death: nothing is held.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_dict_wait_key(
    dict: *const pp_dict_t,
    key: pp_datum_t,
    since: *const u64,
    timeout: i64,
    message: *mut *mut pp_message_t,
    version: *mut u64,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("message", message)?;
        let dict = &call.shared("dict", dict)?.0;
        let key = key.read(call, "key")?;
        let since = call.maybe(since).copied();
        let (value, number) = wait(timeout, |time| dict.wait_key(&key, since, time))?.ok_or_else(absent)?;
        out.give(value.into());
        if let Some(out) = call.maybe_out(version) {
            out.set(number);
        }
        Ok(())
    })
}
