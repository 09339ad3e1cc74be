//! RLock, as `polyproc::RLock` has it.

use std::ffi::c_char;

use polyproc::{Owner, RLock};

use crate::boundary::{free, guard};
use crate::error::pp_error_t;
use crate::fabric::{Wish, pp_fabric_t};
use crate::pollable::pp_pollable_t;
use crate::ticket::{pp_ticket_t, ticket_of};
use crate::wait::{acquired, wait};

/// A lock that the thread which holds it may take again, and releases as often. The thread is the owner.
pub struct pp_rlock_t(pub(crate) RLock);

/// Opens or makes an rlock.
///
/// Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; rlock: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: killed here, the rlock was made or not; one without a name goes with its maker.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rlock_open(
    fabric: *const pp_fabric_t,
    name: *const c_char,
    how: i32,
    rlock: *mut *mut pp_rlock_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("rlock", rlock)?;
        let fabric = call.shared("fabric", fabric)?.get();
        let made = match Wish::read(call, name, how)? {
            Wish::New => RLock::new(fabric),
            Wish::Create(name) => RLock::create(fabric, name),
            Wish::Open(name) => RLock::open(fabric, name),
            Wish::OpenOrCreate(name) => RLock::open_or_create(fabric, name),
        };
        out.give(pp_rlock_t(made?));
        Ok(())
    })
}

/// The rlock that a ticket leads to.
///
/// Parameters: ticket; rlock: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
/// Threads: any.
/// Death: the object stays when this process dies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rlock_from_ticket(ticket: *const pp_ticket_t, rlock: *mut *mut pp_rlock_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("rlock", rlock)?;
        out.give(pp_rlock_t(RLock::from_ticket(&ticket_of(call, ticket)?)?));
        Ok(())
    })
}

/// Frees the handle. The rlock itself goes only if it has no name and no ticket.
///
/// Parameters: rlock: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rlock_free(rlock: *mut pp_rlock_t) {
    free(rlock);
}

/// How another process attaches to the rlock. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
///
/// Parameters: rlock; lend; ticket: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rlock_ticket(rlock: *const pp_rlock_t, lend: bool, ticket: *mut pp_ticket_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("ticket", ticket)?;
        let rlock = &call.shared("rlock", rlock)?.0;
        out.set(if lend { rlock.lend() } else { rlock.ticket() }.into());
        Ok(())
    })
}

/// Destroys the rlock for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
///
/// Parameters: rlock; error: may be NULL.
/// Returns: PP_OK; PP_GONE: it was destroyed before.
/// Threads: any.
/// Death: killed here, it is destroyed or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rlock_destroy(rlock: *const pp_rlock_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("rlock", rlock)?.0.destroy()?))
}

/// A descriptor that is readable when the rlock may be acquired.
///
/// Parameters: rlock; pollable: gets it; error: may be NULL.
/// Returns: PP_OK; PP_OS.
/// Threads: any; starts one helper thread of the library, once in a process.
/// Death: as pp_pollable_fd.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rlock_pollable(rlock: *const pp_rlock_t, pollable: *mut *mut pp_pollable_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("pollable", pollable)?;
        out.give(pp_pollable_t(call.shared("rlock", rlock)?.0.pollable()?));
        Ok(())
    })
}

/// Acquires the rlock, once more if this thread has it.
///
/// Parameters: rlock; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
/// Returns: PP_OK; PP_OWNER_DIED: acquired, from a process that died holding it; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
/// Threads: any; it belongs to the thread that acquired it, and a thread that ends keeps it while its process lives.
/// Death: a holder that is killed is found within a quarter of a second; the next to acquire is told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rlock_acquire(rlock: *const pp_rlock_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let rlock = &call.shared("rlock", rlock)?.0;
        acquired(wait(timeout, |time| rlock.acquire(time))?)
    })
}

/// Releases the rlock once.
///
/// Parameters: rlock; error: may be NULL.
/// Returns: PP_OK; PP_NOT_HELD: this thread does not have it; PP_GONE.
/// Threads: the one that acquired it.
/// Death: killed here, it is released, or the next to acquire is told of the death.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rlock_release(rlock: *const pp_rlock_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("rlock", rlock)?.0.release()?))
}

/// The living process that holds the rlock at this moment.
///
/// Parameters: rlock; owner: gets it, 0: nobody; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a dead holder is nobody.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rlock_owner(rlock: *const pp_rlock_t, owner: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("owner", owner)?;
        let rlock = &call.shared("rlock", rlock)?.0;
        out.set(rlock.owner().map_or(0, Owner::to_bits));
        Ok(())
    })
}

/// How often this thread has the rlock.
///
/// Parameters: rlock; depth: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rlock_depth(rlock: *const pp_rlock_t, depth: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("depth", depth)?;
        let rlock = &call.shared("rlock", rlock)?.0;
        out.set(rlock.depth());
        Ok(())
    })
}
