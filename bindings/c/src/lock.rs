//! Lock, as `polyproc::Lock` has it.

use polyproc::{Lock, Owner};

use crate::boundary::{free, guard};
use crate::error::pp_error_t;
use crate::fabric::{Wish, pp_fabric_t};
use crate::pollable::pp_pollable_t;
use crate::ticket::{pp_ticket_t, ticket_of};
use crate::wait::{acquired, wait};

/// A lock between processes: at most one holds it, and if that one is killed, the next is told and goes on. The process is the owner: any thread of it may release.
pub struct pp_lock_t(pub(crate) Lock);

/// Opens or makes a lock.
///
/// Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; lock: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: a process that is killed here has made the lock or not; one without a name goes with its maker.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lock_open(
    fabric: *const pp_fabric_t,
    name: *const std::ffi::c_char,
    how: i32,
    lock: *mut *mut pp_lock_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("lock", lock)?;
        let fabric = call.shared("fabric", fabric)?.get();
        let made = match Wish::read(call, name, how)? {
            Wish::New => Lock::new(fabric),
            Wish::Create(name) => Lock::create(fabric, name),
            Wish::Open(name) => Lock::open(fabric, name),
            Wish::OpenOrCreate(name) => Lock::open_or_create(fabric, name),
        };
        out.give(pp_lock_t(made?));
        Ok(())
    })
}

/// The lock that a ticket leads to.
///
/// Parameters: ticket; lock: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
/// Threads: any.
/// Death: the object stays when this process dies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lock_from_ticket(ticket: *const pp_ticket_t, lock: *mut *mut pp_lock_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("lock", lock)?;
        out.give(pp_lock_t(Lock::from_ticket(&ticket_of(call, ticket)?)?));
        Ok(())
    })
}

/// Frees the handle. The lock itself goes only if it has no name and no ticket. Holding it is not ended.
///
/// Parameters: lock: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lock_free(lock: *mut pp_lock_t) {
    free(lock);
}

/// How another process attaches to the lock. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with `lend` true it still goes with its maker.
///
/// Parameters: lock; lend; ticket: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lock_ticket(lock: *const pp_lock_t, lend: bool, ticket: *mut pp_ticket_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("ticket", ticket)?;
        let lock = &call.shared("lock", lock)?.0;
        out.set(if lend { lock.lend() } else { lock.ticket() }.into());
        Ok(())
    })
}

/// Destroys the lock for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
///
/// Parameters: lock; error: may be NULL.
/// Returns: PP_OK; PP_GONE: it was destroyed before.
/// Threads: any.
/// Death: killed here, it is destroyed or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lock_destroy(lock: *const pp_lock_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("lock", lock)?.0.destroy()?))
}

/// Acquires the lock.
///
/// Parameters: lock; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
/// Returns: PP_OK; PP_OWNER_DIED: acquired, from a process that died holding it; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
/// Threads: any; not recursive.
/// Death: a holder that is killed is found within a quarter of a second, at once where somebody sweeps; the next to acquire is told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lock_acquire(lock: *const pp_lock_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let lock = &call.shared("lock", lock)?.0;
        acquired(wait(timeout, |time| lock.acquire(time))?)
    })
}

/// Releases the lock, whoever holds it.
///
/// Parameters: lock; error: may be NULL.
/// Returns: PP_OK; PP_NOT_HELD: nobody holds it; PP_GONE.
/// Threads: any, of any process.
/// Death: killed here, it is released, or the next to acquire is told of the death.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lock_release(lock: *const pp_lock_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("lock", lock)?.0.release()?))
}

/// The living process that holds the lock at this moment, as pp_member_t names it.
///
/// Parameters: lock; owner: gets it, 0: nobody; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a dead holder is nobody.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lock_owner(lock: *const pp_lock_t, owner: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("owner", owner)?;
        out.set(call.shared("lock", lock)?.0.owner().map_or(0, Owner::to_bits));
        Ok(())
    })
}

/// A descriptor that is readable when the lock may be acquired.
///
/// Parameters: lock; pollable: gets it; error: may be NULL.
/// Returns: PP_OK; PP_OS.
/// Threads: any; starts one helper thread of the library, once in a process.
/// Death: as pp_pollable_fd.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lock_pollable(lock: *const pp_lock_t, pollable: *mut *mut pp_pollable_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("pollable", pollable)?;
        out.give(pp_pollable_t(call.shared("lock", lock)?.0.pollable()?));
        Ok(())
    })
}
