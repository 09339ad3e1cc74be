//! RwLock, as `polyproc::RwLock` has it.

use std::ffi::c_char;

use polyproc::{Owner, RwLock};

use crate::boundary::{free, guard};
use crate::error::pp_error_t;
use crate::fabric::{Wish, pp_fabric_t};
use crate::ticket::{pp_ticket_t, ticket_of};
use crate::wait::{acquired, wait};

/// Many readers or one writer, owned by the process. A waiting writer holds new readers back.
pub struct pp_rwlock_t(pub(crate) RwLock);

/// Opens or makes an rwlock.
///
/// Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; rwlock: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: killed here, the rwlock was made or not; one without a name goes with its maker.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rwlock_open(
    fabric: *const pp_fabric_t,
    name: *const c_char,
    how: i32,
    rwlock: *mut *mut pp_rwlock_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("rwlock", rwlock)?;
        let fabric = call.shared("fabric", fabric)?.get();
        let made = match Wish::read(call, name, how)? {
            Wish::New => RwLock::new(fabric),
            Wish::Create(name) => RwLock::create(fabric, name),
            Wish::Open(name) => RwLock::open(fabric, name),
            Wish::OpenOrCreate(name) => RwLock::open_or_create(fabric, name),
        };
        out.give(pp_rwlock_t(made?));
        Ok(())
    })
}

/// The rwlock that a ticket leads to.
///
/// Parameters: ticket; rwlock: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
/// Threads: any.
/// Death: the object stays when this process dies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rwlock_from_ticket(ticket: *const pp_ticket_t, rwlock: *mut *mut pp_rwlock_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("rwlock", rwlock)?;
        out.give(pp_rwlock_t(RwLock::from_ticket(&ticket_of(call, ticket)?)?));
        Ok(())
    })
}

/// Frees the handle. The rwlock itself goes only if it has no name and no ticket.
///
/// Parameters: rwlock: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rwlock_free(rwlock: *mut pp_rwlock_t) {
    free(rwlock);
}

/// How another process attaches to the rwlock. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
///
/// Parameters: rwlock; lend; ticket: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rwlock_ticket(rwlock: *const pp_rwlock_t, lend: bool, ticket: *mut pp_ticket_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("ticket", ticket)?;
        let rwlock = &call.shared("rwlock", rwlock)?.0;
        out.set(if lend { rwlock.lend() } else { rwlock.ticket() }.into());
        Ok(())
    })
}

/// Destroys the rwlock for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
///
/// Parameters: rwlock; error: may be NULL.
/// Returns: PP_OK; PP_GONE: it was destroyed before.
/// Threads: any.
/// Death: killed here, it is destroyed or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rwlock_destroy(rwlock: *const pp_rwlock_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("rwlock", rwlock)?.0.destroy()?))
}

/// Acquires the rwlock to read.
///
/// Parameters: rwlock; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
/// Returns: PP_OK; PP_OWNER_DIED: acquired, after a writer died (readers are told until somebody wrote); PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
/// Threads: any; no second read by who has one, and no upgrade.
/// Death: the reads of a dead reader are released; a dead writer is told of.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rwlock_acquire_read(rwlock: *const pp_rwlock_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let rwlock = &call.shared("rwlock", rwlock)?.0;
        acquired(wait(timeout, |time| rwlock.acquire_read(time))?)
    })
}

/// Releases the rwlock that was acquired to read.
///
/// Parameters: rwlock; error: may be NULL.
/// Returns: PP_OK; PP_NOT_HELD; PP_GONE.
/// Threads: any of the process.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rwlock_release_read(rwlock: *const pp_rwlock_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("rwlock", rwlock)?.0.release_read()?))
}

/// Acquires the rwlock to write.
///
/// Parameters: rwlock; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
/// Returns: PP_OK; PP_OWNER_DIED: acquired, after a writer died (readers are told until somebody wrote); PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
/// Threads: any; no second read by who has one, and no upgrade.
/// Death: the reads of a dead reader are released; a dead writer is told of.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rwlock_acquire_write(rwlock: *const pp_rwlock_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let rwlock = &call.shared("rwlock", rwlock)?.0;
        acquired(wait(timeout, |time| rwlock.acquire_write(time))?)
    })
}

/// Releases the rwlock that was acquired to write.
///
/// Parameters: rwlock; error: may be NULL.
/// Returns: PP_OK; PP_NOT_HELD; PP_GONE.
/// Threads: any of the process.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rwlock_release_write(rwlock: *const pp_rwlock_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("rwlock", rwlock)?.0.release_write()?))
}

/// How many reads are held.
///
/// Parameters: rwlock; readers: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rwlock_readers(rwlock: *const pp_rwlock_t, readers: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("readers", readers)?;
        let rwlock = &call.shared("rwlock", rwlock)?.0;
        out.set(rwlock.readers());
        Ok(())
    })
}

/// The living process that holds it to write.
///
/// Parameters: rwlock; owner: gets it, 0: nobody; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a dead holder is nobody.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_rwlock_writer(rwlock: *const pp_rwlock_t, owner: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("owner", owner)?;
        let rwlock = &call.shared("rwlock", rwlock)?.0;
        out.set(rwlock.writer().map_or(0, Owner::to_bits));
        Ok(())
    })
}
