//! Queue: what is on lease, delayed, buried, unfinished; work that is joined.

use crate::boundary::guard;
use crate::error::pp_error_t;
use crate::message::pp_message_t;
use crate::queue::pp_queue_t;
use crate::wait::wait;

/// A lease of a queue, as pp_queue_leases tells it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pp_lease_info_t {
    /// The process that has it, as pp_member_t names it.
    pub holder: u64,
    /// What that process last said by pp_lease_set_progress.
    pub progress: u64,
    /// How often the message was handed out.
    pub deliveries: u32,
}

/// Messages that are on lease at this moment.
///
/// Parameters: queue; count: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_leased(queue: *const pp_queue_t, count: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("count", count)?;
        let queue = &call.shared("queue", queue)?.0;
        out.set(queue.leased());
        Ok(())
    })
}

/// Messages that come back at a later time (pp_lease_nack).
///
/// Parameters: queue; count: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_delayed(queue: *const pp_queue_t, count: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("count", count)?;
        let queue = &call.shared("queue", queue)?.0;
        out.set(queue.delayed());
        Ok(())
    })
}

/// Dead letters that no dead-letter queue has taken.
///
/// Parameters: queue; count: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_buried(queue: *const pp_queue_t, count: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("count", count)?;
        let queue = &call.shared("queue", queue)?.0;
        out.set(queue.buried());
        Ok(())
    })
}

/// Takes the oldest buried dead letter.
///
/// Parameters: queue; message: gets it; error: may be NULL.
/// Returns: PP_OK; PP_EMPTY; PP_GONE.
/// Threads: any.
/// Death: killed here, the message is in the queue or with this process, and gone with it; pp_queue_lease keeps it safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_get_buried(queue: *const pp_queue_t, message: *mut *mut pp_message_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("message", message)?;
        out.give(call.shared("queue", queue)?.0.get_buried()?.into());
        Ok(())
    })
}

/// Says that one message that was got from a joinable queue is done with.
///
/// Parameters: queue; error: may be NULL.
/// Returns: PP_OK; PP_NOT_HELD: more than were got; PP_INVALID_ARGUMENT: not joinable; PP_GONE.
/// Threads: any, of any process.
/// Death: what a dead process had got counts as done, and in pp_queue_lost.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_task_done(queue: *const pp_queue_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("queue", queue)?.0.task_done()?))
}

/// Waits until nothing is unfinished: in the queue, on lease, or got and not done.
///
/// Parameters: queue; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_INVALID_ARGUMENT: not joinable; PP_GONE.
/// Threads: any.
/// Death: what a dead process had got counts as done, and in pp_queue_lost.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_join(queue: *const pp_queue_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let queue = &call.shared("queue", queue)?.0;
        wait(timeout, |time| time.map_or_else(|| queue.join(), |time| queue.join_timeout(time)))
    })
}

/// What pp_queue_join waits for.
///
/// Parameters: queue; count: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_unfinished(queue: *const pp_queue_t, count: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("count", count)?;
        let queue = &call.shared("queue", queue)?.0;
        out.set(queue.unfinished()?);
        Ok(())
    })
}

/// Messages that went with processes that had got them from a joinable queue.
///
/// Parameters: queue; count: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_lost(queue: *const pp_queue_t, count: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("count", count)?;
        let queue = &call.shared("queue", queue)?.0;
        out.set(queue.lost());
        Ok(())
    })
}

/// The leases at this moment.
///
/// Parameters: queue; infos: gets up to `room` of them, may be NULL with 0; room; count: gets how many there are; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: leases of the dead are there until somebody sweeps.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_leases(
    queue: *const pp_queue_t,
    infos: *mut pp_lease_info_t,
    room: usize,
    count: *mut usize,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("count", count)?;
        let leases = call.shared("queue", queue)?.0.leases(0)?;
        call.fill("infos", infos, room, leases.iter().map(|l| pp_lease_info_t { holder: l.holder.to_bits(), progress: l.progress, deliveries: l.deliveries }))?;
        out.set(leases.len());
        Ok(())
    })
}
