//! Condition, as `polyproc::Condition` has it, and its wait in two halves for event loops.

use std::ffi::c_char;

use std::os::fd::{AsFd, AsRawFd};

use polyproc::{Condition, PendingWait, Ticket};

use crate::abi::PP_TIMEOUT;
use crate::boundary::Call;
use crate::boundary::{free, guard};
use crate::error::Fault;
use crate::error::pp_error_t;
use crate::fabric::{Wish, pp_fabric_t};
use crate::ticket::{pp_ticket_t, ticket_of};
use crate::wait::{acquired, time, wait, wait_until};

/// Waiting until another process says so. It stands on a recursive lock of its own, or on a lock or rlock that was given.
pub struct pp_condition_t(pub(crate) Condition);

/// A wait whose lock was released and that stands in the list of waiters: the first half of pp_condition_wait.
pub struct pp_pending_wait_t(Option<PendingWait>);

fn given(call: &Call, lock: *const pp_ticket_t) -> Result<Option<Ticket>, Fault> {
    if lock.is_null() { Ok(None) } else { ticket_of(call, lock).map(Some) }
}

/// How a wait ended, with the lock held in any case.
fn waited(waited: polyproc::Waited, signalled: bool) -> Result<(), Fault> {
    acquired(waited.acquired)?;
    match (waited.happened, signalled) {
        (true, _) => Ok(()),
        (false, true) => Err(Fault::interrupted()),
        (false, false) => Err(Fault::Own(PP_TIMEOUT, "the condition was not notified within the time given; its lock is held".into())),
    }
}

/// Opens or makes a condition.
///
/// Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; lock: of the lock or rlock that it is to stand on; NULL: a recursive one of its own; used by who makes it; condition: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: killed here, the condition was made or not; one without a name goes with its maker.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_condition_open(
    fabric: *const pp_fabric_t,
    name: *const c_char,
    how: i32,
    lock: *const pp_ticket_t,
    condition: *mut *mut pp_condition_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("condition", condition)?;
        let fabric = call.shared("fabric", fabric)?.get();
        let lock = given(call, lock)?;
        let made = match Wish::read(call, name, how)? {
            Wish::New => lock.map_or_else(|| Condition::new(fabric), |lock| Condition::on(fabric, &lock)),
            Wish::Create(name) => lock.map_or_else(|| Condition::create(fabric, name), |lock| Condition::create_on(fabric, name, &lock)),
            Wish::Open(name) => Condition::open(fabric, name),
            Wish::OpenOrCreate(name) => lock.map_or_else(|| Condition::open_or_create(fabric, name), |lock| Condition::open_or_create_on(fabric, name, &lock)),
        };
        out.give(pp_condition_t(made?));
        Ok(())
    })
}

/// The condition that a ticket leads to.
///
/// Parameters: ticket; condition: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
/// Threads: any.
/// Death: the object stays when this process dies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_condition_from_ticket(ticket: *const pp_ticket_t, condition: *mut *mut pp_condition_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("condition", condition)?;
        out.give(pp_condition_t(Condition::from_ticket(&ticket_of(call, ticket)?)?));
        Ok(())
    })
}

/// Frees the handle. The condition itself goes only if it has no name and no ticket.
///
/// Parameters: condition: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_condition_free(condition: *mut pp_condition_t) {
    free(condition);
}

/// How another process attaches to the condition. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
///
/// Parameters: condition; lend; ticket: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_condition_ticket(condition: *const pp_condition_t, lend: bool, ticket: *mut pp_ticket_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("ticket", ticket)?;
        let condition = &call.shared("condition", condition)?.0;
        out.set(if lend { condition.lend() } else { condition.ticket() }.into());
        Ok(())
    })
}

/// Destroys the condition for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
///
/// Parameters: condition; error: may be NULL.
/// Returns: PP_OK; PP_GONE: it was destroyed before.
/// Threads: any.
/// Death: killed here, it is destroyed or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_condition_destroy(condition: *const pp_condition_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("condition", condition)?.0.destroy()?))
}

/// Acquires the condition's lock.
///
/// Parameters: condition; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
/// Returns: PP_OK; PP_OWNER_DIED: acquired, from a process that died holding it; PP_TIMEOUT; PP_INTERRUPTED; PP_GONE.
/// Threads: any; a recursive lock belongs to the thread.
/// Death: a killed holder is found within a quarter of a second; the next to acquire is told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_condition_acquire(condition: *const pp_condition_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let condition = &call.shared("condition", condition)?.0;
        acquired(wait(timeout, |time| condition.acquire(time))?)
    })
}

/// Releases the condition's lock once.
///
/// Parameters: condition; error: may be NULL.
/// Returns: PP_OK; PP_NOT_HELD; PP_GONE.
/// Threads: the one that acquired it, if the lock is recursive.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_condition_release(condition: *const pp_condition_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("condition", condition)?.0.release()?))
}

/// Releases the lock, however deep it is held, waits for a notification, and acquires it again as deep. The lock is held again with every status but PP_NOT_HELD and PP_GONE.
///
/// Parameters: condition; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
/// Returns: PP_OK: notified; PP_TIMEOUT; PP_INTERRUPTED; PP_OWNER_DIED: the lock came from a process that died holding it, so look at the state; PP_NOT_HELD: the lock is not held; PP_GONE.
/// Threads: the one that holds the lock, if it is recursive.
/// Death: a killed waiter takes no notification with it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_condition_wait(condition: *const pp_condition_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let condition = &call.shared("condition", condition)?.0;
        let (ended, signalled) = polyproc::interruptible(|| condition.wait(time(timeout)));
        waited(ended?, signalled && timeout != 0)
    })
}

/// Wakes up to `count` of those who wait, the longest first.
///
/// Parameters: condition; count: SIZE_MAX: all; woken: gets how many, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_NOT_HELD: the lock is not held; PP_GONE.
/// Threads: the one that holds the lock, if it is recursive.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_condition_notify(condition: *const pp_condition_t, count: usize, woken: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let woken_now = call.shared("condition", condition)?.0.notify(count)?;
        if let Some(out) = call.maybe_out(woken) {
            out.set(woken_now);
        }
        Ok(())
    })
}

/// The first half of a wait for an event loop: releases the lock and stands in the list of waiters from now on.
///
/// Parameters: condition; pending: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_HELD; PP_GONE; PP_OS. The lock is still held unless it is PP_OK.
/// Threads: the one that holds the lock, if it is recursive; starts one helper thread of the library, once in a process.
/// Death: a killed waiter takes no notification with it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_condition_begin_wait(condition: *const pp_condition_t, pending: *mut *mut pp_pending_wait_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("pending", pending)?;
        out.give(pp_pending_wait_t(Some(call.shared("condition", condition)?.0.begin_wait()?)));
        Ok(())
    })
}

/// A descriptor that is readable when the wait is over.
///
/// Parameters: pending; fd: gets it, lent until the wait is finished or freed; error: may be NULL.
/// Returns: PP_OK; PP_CLOSED: it is finished.
/// Threads: any.
/// Death: as pp_pollable_fd.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pending_wait_fd(pending: *const pp_pending_wait_t, fd: *mut i32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("fd", fd)?;
        out.set(call.shared("pending", pending)?.get()?.as_fd().as_raw_fd());
        Ok(())
    })
}

/// Waits until it is over; the lock is not acquired yet.
///
/// Parameters: pending; timeout: nanoseconds, negative for ever, 0 a look; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED.
/// Threads: any.
/// Death: as pp_pollable_fd.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pending_wait_wait(pending: *const pp_pending_wait_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let pending = call.shared("pending", pending)?.get()?;
        wait_until(timeout, "nobody notified the condition", |time| pending.wait(time))
    })
}

/// The second half: acquires the lock again, as deep as it was and however long that takes. The handle must still be freed.
///
/// Parameters: pending; error: may be NULL.
/// Returns: PP_OK: notified; PP_TIMEOUT: it was not, and the lock is held; PP_OWNER_DIED; PP_GONE; PP_CLOSED: it was finished before.
/// Threads: one at a time.
/// Death: a killed waiter takes no notification with it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pending_wait_finish(pending: *mut pp_pending_wait_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let pending = call.unique("pending", pending)?.0.take().ok_or_else(finished)?;
        waited(pending.finish()?, false)
    })
}

/// Frees the handle. A wait that was not finished leaves the list of waiters, and the lock stays released.
///
/// Parameters: pending: may be NULL.
/// Returns: nothing.
/// Threads: any, once.
/// Death: a killed waiter takes no notification with it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pending_wait_free(pending: *mut pp_pending_wait_t) {
    free(pending);
}

impl pp_pending_wait_t {
    fn get(&self) -> Result<&PendingWait, Fault> {
        self.0.as_ref().ok_or_else(finished)
    }
}

fn finished() -> Fault {
    Fault::Own(crate::abi::PP_CLOSED, "this wait was finished".into())
}
