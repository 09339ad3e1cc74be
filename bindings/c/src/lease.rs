//! Messages on a lease, and what a dead holder left.

use polyproc::{Lease, Owner};

use crate::abi::PP_CLOSED;
use crate::boundary::{answer, free, guard};
use crate::error::{Fault, pp_error_t};
use crate::message::{pp_message_t, pp_messages_t};
use crate::queue::pp_queue_t;
use crate::wait::{duration, wait};

/// A message that stays the queue's until it is acknowledged. It ends once, by ack, ack_keep, nack or bury; the handle is freed after that.
pub struct pp_lease_t(Option<Lease>);

impl pp_lease_t {
    fn get(&self) -> Result<&Lease, Fault> {
        self.0.as_ref().ok_or_else(ended)
    }
}

fn ended() -> Fault {
    Fault::Own(PP_CLOSED, "this lease was ended".into())
}

/// Gets the next message on a lease: should this process die, or free the lease, the message goes back to the front of its queue.
///
/// Parameters: queue; limit: nanoseconds after which it goes back although its holder lives; 0: no limit; timeout: nanoseconds, negative for ever, 0 a try; lease: gets it; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT: nothing there (a try too); PP_INTERRUPTED; PP_CLOSED: closed and drained; PP_GONE.
/// Threads: any.
/// Death: the message of a holder that is killed goes back at the next sweep, with its count of deliveries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_lease(queue: *const pp_queue_t, limit: i64, timeout: i64, lease: *mut *mut pp_lease_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("lease", lease)?;
        let queue = &call.shared("queue", queue)?.0;
        let limit = duration("limit", limit)?;
        let got = wait(timeout, |time| if limit.is_zero() { queue.get_lease_timeout(time) } else { queue.lease_for_timeout(limit, time) });
        out.give(pp_lease_t(Some(got?)));
        Ok(())
    })
}

/// The message is done with: it leaves the queue for good.
///
/// Parameters: lease; error: may be NULL.
/// Returns: PP_OK; PP_LEASE_LOST: its time ran out and the message went back; PP_CLOSED: the lease was ended before; PP_GONE.
/// Threads: one at a time.
/// Death: killed here, it is done, or on lease to the dead and goes back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lease_ack(lease: *mut pp_lease_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.unique("lease", lease)?.0.take().ok_or_else(ended)?.ack()?))
}

/// As pp_lease_ack, and the message is this process's, without a copy.
///
/// Parameters: lease; message: gets it; error: may be NULL.
/// Returns: PP_OK; PP_LEASE_LOST: its time ran out and the message went back; PP_CLOSED: the lease was ended before; PP_GONE.
/// Threads: one at a time.
/// Death: killed here, it is done, or on lease to the dead and goes back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lease_ack_keep(lease: *mut pp_lease_t, message: *mut *mut pp_message_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("message", message)?;
        out.give(call.unique("lease", lease)?.0.take().ok_or_else(ended)?.ack_and_keep()?.into());
        Ok(())
    })
}

/// The message cannot be done now: it goes back, and is handed out again after `delay`.
///
/// Parameters: lease; delay: nanoseconds; error: may be NULL.
/// Returns: PP_OK; PP_LEASE_LOST: its time ran out and the message went back; PP_CLOSED: the lease was ended before; PP_GONE.
/// Threads: one at a time.
/// Death: killed here, it is done, or on lease to the dead and goes back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lease_nack(lease: *mut pp_lease_t, delay: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let delay = duration("delay", delay)?;
        Ok(call.unique("lease", lease)?.0.take().ok_or_else(ended)?.nak(delay)?)
    })
}

/// The message can never be done: it is a dead letter from now on.
///
/// Parameters: lease; error: may be NULL.
/// Returns: PP_OK; PP_LEASE_LOST: its time ran out and the message went back; PP_CLOSED: the lease was ended before; PP_GONE.
/// Threads: one at a time.
/// Death: killed here, it is done, or on lease to the dead and goes back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lease_bury(lease: *mut pp_lease_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.unique("lease", lease)?.0.take().ok_or_else(ended)?.bury()?))
}

/// The lease ends `limit` from now, whatever its limit was.
///
/// Parameters: lease; limit: nanoseconds; error: may be NULL.
/// Returns: PP_OK; PP_LEASE_LOST: its time ran out and the message went back; PP_CLOSED: the lease was ended before; PP_GONE. PP_INVALID_ARGUMENT: a lease without a limit.
/// Threads: any.
/// Death: killed here, it is done, or on lease to the dead and goes back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lease_extend(lease: *const pp_lease_t, limit: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let limit = duration("limit", limit)?;
        Ok(call.shared("lease", lease)?.get()?.extend(limit)?)
    })
}

/// Leaves a word that whoever looks at leases, or reclaims this one after our death, will read.
///
/// Parameters: lease; progress; error: may be NULL.
/// Returns: PP_OK; PP_CLOSED.
/// Threads: any.
/// Death: one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lease_set_progress(lease: *const pp_lease_t, progress: u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        call.shared("lease", lease)?.get()?.set_progress(progress);
        Ok(())
    })
}

/// The message, lent until the lease is ended or freed.
///
/// Parameters: lease: may be NULL.
/// Returns: the message; NULL: the lease was ended.
/// Threads: any.
/// Death: the message goes back when this process dies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lease_message(lease: *const pp_lease_t) -> *const pp_message_t {
    answer(std::ptr::null(), |call| Ok(std::ptr::from_ref(call.shared("lease", lease)?.get()?.message()).cast()))
}

/// How often the message was handed out, this time included.
///
/// Parameters: lease: may be NULL.
/// Returns: the number; 0: the lease was ended.
/// Threads: any.
/// Death: deaths of earlier holders count.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lease_deliveries(lease: *const pp_lease_t) -> u32 {
    answer(0, |call| Ok(call.shared("lease", lease)?.get()?.deliveries()))
}

/// Frees the handle. If the lease was not ended, the message goes back.
///
/// Parameters: lease: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: the message of a killed holder goes back at the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_lease_free(lease: *mut pp_lease_t) {
    free(lease);
}

/// Takes out what a dead process had on lease; for queues with keep_dead_leases.
///
/// Parameters: queue; dead: as pp_member_t names it; messages: gets them; progress: gets the progress of up to `room` of them, may be NULL with 0; room; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: it lives; PP_GONE.
/// Threads: any.
/// Death: killed here, each message is with the dead still, or with this process and gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_reclaim(
    queue: *const pp_queue_t,
    dead: u64,
    messages: *mut *mut pp_messages_t,
    progress: *mut u64,
    room: usize,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("messages", messages)?;
        let reclaimed = call.shared("queue", queue)?.0.reclaim(Owner::from_bits(dead))?;
        call.fill("progress", progress, room, reclaimed.iter().map(|r| r.progress))?;
        out.give(pp_messages_t::of(reclaimed.into_iter().map(|r| r.message).collect()));
        Ok(())
    })
}
