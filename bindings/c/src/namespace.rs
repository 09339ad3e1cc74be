//! Namespace, as `polyproc::Namespace` has it.

use std::ffi::c_char;

use std::ffi::CString;

use polyproc::Namespace;

use crate::boundary::answer;
use crate::boundary::{free, guard};
use crate::datum::pp_datum_t;
use crate::error::c_text;
use crate::error::pp_error_t;
use crate::fabric::{Wish, pp_fabric_t};
use crate::message::pp_message_t;
use crate::ticket::{pp_ticket_t, ticket_of};
use crate::wait::wait;

/// Named attributes, shared.
pub struct pp_namespace_t(pub(crate) Namespace);

/// The names of a namespace at one instant.
pub struct pp_names_t(pub(crate) Vec<CString>);

/// Opens or makes a namespace.
///
/// Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; namespace: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: killed here, the namespace was made or not; one without a name goes with its maker.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_namespace_open(
    fabric: *const pp_fabric_t,
    name: *const c_char,
    how: i32,
    namespace: *mut *mut pp_namespace_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("namespace", namespace)?;
        let fabric = call.shared("fabric", fabric)?.get();
        let made = match Wish::read(call, name, how)? {
            Wish::New => Namespace::new(fabric),
            Wish::Create(name) => Namespace::create(fabric, name),
            Wish::Open(name) => Namespace::open(fabric, name),
            Wish::OpenOrCreate(name) => Namespace::open_or_create(fabric, name),
        };
        out.give(pp_namespace_t(made?));
        Ok(())
    })
}

/// The namespace that a ticket leads to.
///
/// Parameters: ticket; namespace: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
/// Threads: any.
/// Death: the object stays when this process dies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_namespace_from_ticket(ticket: *const pp_ticket_t, namespace: *mut *mut pp_namespace_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("namespace", namespace)?;
        out.give(pp_namespace_t(Namespace::from_ticket(&ticket_of(call, ticket)?)?));
        Ok(())
    })
}

/// Frees the handle. The namespace itself goes only if it has no name and no ticket.
///
/// Parameters: namespace: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_namespace_free(namespace: *mut pp_namespace_t) {
    free(namespace);
}

/// How another process attaches to the namespace. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
///
/// Parameters: namespace; lend; ticket: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_namespace_ticket(namespace: *const pp_namespace_t, lend: bool, ticket: *mut pp_ticket_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("ticket", ticket)?;
        let namespace = &call.shared("namespace", namespace)?.0;
        out.set(if lend { namespace.lend() } else { namespace.ticket() }.into());
        Ok(())
    })
}

/// Destroys the namespace for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
///
/// Parameters: namespace; error: may be NULL.
/// Returns: PP_OK; PP_GONE: it was destroyed before.
/// Threads: any.
/// Death: killed here, it is destroyed or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_namespace_destroy(namespace: *const pp_namespace_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("namespace", namespace)?.0.destroy()?))
}

/// Sets an attribute.
///
/// Parameters: namespace; attribute: its name; value; error: may be NULL.
/// Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_namespace_set(namespace: *const pp_namespace_t, attribute: *const c_char, value: pp_datum_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let namespace = &call.shared("namespace", namespace)?.0;
        Ok(namespace.set_bytes(call.text("attribute", attribute)?, &value.read(call, "value")?)?)
    })
}

/// The value of an attribute.
///
/// Parameters: namespace; attribute: its name; message: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_namespace_get(
    namespace: *const pp_namespace_t,
    attribute: *const c_char,
    message: *mut *mut pp_message_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("message", message)?;
        let namespace = &call.shared("namespace", namespace)?.0;
        out.give(namespace.get_bytes(call.text("attribute", attribute)?)?.into());
        Ok(())
    })
}

/// Whether there is an attribute.
///
/// Parameters: namespace; attribute: its name; found: gets it; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_namespace_contains(
    namespace: *const pp_namespace_t,
    attribute: *const c_char,
    found: *mut bool,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("found", found)?;
        let namespace = &call.shared("namespace", namespace)?.0;
        out.set(namespace.contains(call.text("attribute", attribute)?)?);
        Ok(())
    })
}

/// Deletes an attribute.
///
/// Parameters: namespace; attribute: its name; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_namespace_delete(namespace: *const pp_namespace_t, attribute: *const c_char, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let namespace = &call.shared("namespace", namespace)?.0;
        Ok(namespace.delete(call.text("attribute", attribute)?)?)
    })
}

/// The names of all attributes.
///
/// Parameters: namespace; names: gets them; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_namespace_names(namespace: *const pp_namespace_t, names: *mut *mut pp_names_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("names", names)?;
        let names = call.shared("namespace", namespace)?.0.names()?;
        out.give(pp_names_t(names.iter().map(|name| c_text(name)).collect()));
        Ok(())
    })
}

/// A number that grows with every change of the namespace.
///
/// Parameters: namespace; version: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_namespace_version(namespace: *const pp_namespace_t, version: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("version", version)?;
        let namespace = &call.shared("namespace", namespace)?.0;
        out.set(namespace.version()?);
        Ok(())
    })
}

/// Waits until the namespace has another version than this one.
///
/// Parameters: namespace; since; timeout: nanoseconds, negative for ever, 0 a try; version: gets it, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
/// Threads: any.
/// Death: nothing is held.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_namespace_wait_change(
    namespace: *const pp_namespace_t,
    since: u64,
    timeout: i64,
    version: *mut u64,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let namespace = &call.shared("namespace", namespace)?.0;
        let now = wait(timeout, |time| namespace.wait_change(since, time))?;
        if let Some(out) = call.maybe_out(version) {
            out.set(now);
        }
        Ok(())
    })
}

/// Frees names.
///
/// Parameters: names: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_names_free(names: *mut pp_names_t) {
    free(names);
}

/// How many names there are.
///
/// Parameters: names: may be NULL.
/// Returns: the number.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_names_len(names: *const pp_names_t) -> usize {
    answer(0, |call| Ok(call.shared("names", names)?.0.len()))
}

/// One of the names, lent until they are freed.
///
/// Parameters: names: may be NULL; index.
/// Returns: the name; NULL: none of that number.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_names_get(names: *const pp_names_t, index: usize) -> *const c_char {
    answer(std::ptr::null(), |call| Ok(call.shared("names", names)?.0.get(index).map_or(std::ptr::null(), |name| name.as_ptr())))
}
