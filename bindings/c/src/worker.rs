//! Worker, as `polyproc::Worker` has it: this program as a worker of a pool that another one has.

use polyproc::{Leaver, Stepped, Worker};

use crate::abi::{PP_POOL_CLOSED, PP_TIMEOUT};
use crate::boundary::{answer, free, guard};
use crate::error::{Fault, pp_error_t};
use crate::fabric::pp_fabric_t;
use crate::pollable::pp_pollable_t;
use crate::wait::time;

/// This program as a worker of a pool with a name: it offers its tasks (pp_task_offer), and runs the calls that it gets.
pub struct pp_worker_t(Worker);

/// What makes a worker leave, from any thread.
pub struct pp_leaver_t(Leaver);

/// Joins a pool that has a name, and waits until it has let this process in. The pool's start hook is run. All workers of a pool should offer the same tasks: any may get any call.
///
/// Parameters: fabric: where the pool is; pool: its name; worker: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND: no pool of this name lives; PP_POOL_CLOSED; PP_INVALID_ARGUMENT: this process has the pool, or is a worker of it already by the same fabric handle; what the start hook failed with.
/// Threads: any.
/// Death: if the pool's process dies meanwhile: PP_NOT_FOUND or PP_POOL_CLOSED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_worker_join(
    fabric: *const pp_fabric_t,
    pool: *const std::ffi::c_char,
    worker: *mut *mut pp_worker_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("worker", worker)?;
        let fabric = call.shared("fabric", fabric)?.get();
        out.give(pp_worker_t(Worker::new(fabric, call.text("pool", pool)?)?));
        Ok(())
    })
}

/// Leaves the pool in order, if that was not done, and frees the handle.
///
/// Parameters: worker: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: as pp_worker_step.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_worker_free(worker: *mut pp_worker_t) {
    free(worker);
}

/// Runs calls until the pool is over, or the worker was asked to leave. Then it has left.
///
/// Parameters: worker; error: may be NULL.
/// Returns: PP_OK: it has left; PP_INTERRUPTED: between two batches of calls, none is lost; PP_CORRUPT.
/// Threads: one at a time; the tasks run in it.
/// Death: as pp_worker_step.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_worker_run(worker: *mut pp_worker_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let worker = &mut call.unique("worker", worker)?.0;
        while worker.step_or_signal(None)? != Stepped::Left {}
        Ok(())
    })
}

/// Waits for a batch of calls and runs it: for programs with a loop of their own. A pool that is closed does not wait for a worker that takes no step.
///
/// Parameters: worker; timeout: nanoseconds to wait for a batch, negative for ever, 0 a look; error: may be NULL.
/// Returns: PP_OK: a batch was run; PP_TIMEOUT: there was none; PP_POOL_CLOSED: the worker has left, because it was asked to or the pool is over; PP_INTERRUPTED: no call was begun; PP_CORRUPT.
/// Threads: one at a time; the tasks run in it.
/// Death: if this process is killed in a call, that call fails with PP_WORKER_DIED or is retried, and the rest of the batch runs elsewhere. If the pool's process dies, the worker has left within a second.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_worker_step(worker: *mut pp_worker_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let worker = &mut call.unique("worker", worker)?.0;
        let fault = |number, sentence: &str| Err(Fault::Own(number, sentence.into()));
        match worker.step_or_signal(time(timeout))? {
            Stepped::Ran => Ok(()),
            Stepped::Idle => fault(PP_TIMEOUT, "the pool had no call for this worker within the time given"),
            Stepped::Left => fault(PP_POOL_CLOSED, "the worker has left the pool: it was asked to, or the pool is over"),
        }
    })
}

/// Leaves the pool now, in order: the exit hook is run. Nothing happens if it has left.
///
/// Parameters: worker; error: may be NULL.
/// Returns: PP_OK.
/// Threads: one at a time; from other threads, see pp_worker_leaver.
/// Death: killed here, it has left or died; no call is lost.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_worker_leave(worker: *mut pp_worker_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        call.unique("worker", worker)?.0.leave();
        Ok(())
    })
}

/// Whether the worker has left, or its pool has ended.
///
/// Parameters: worker: may be NULL.
/// Returns: true if so, and for NULL.
/// Threads: one at a time.
/// Death: the end of a pool's process is seen by the next step.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_worker_has_left(worker: *const pp_worker_t) -> bool {
    answer(true, |call| Ok(call.shared("worker", worker)?.0.has_left()))
}

/// How many batches of calls the worker has taken.
///
/// Parameters: worker: may be NULL.
/// Returns: the number; 0 for NULL.
/// Threads: one at a time.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_worker_batches(worker: *const pp_worker_t) -> u64 {
    answer(0, |call| Ok(call.shared("worker", worker)?.0.batches()))
}

/// A descriptor that is readable when there may be a batch to step for, or the pool is closed or has ended. After a step with PP_TIMEOUT, rearm it. Step about once a second all the same: a leaver, or the death
/// of the pool's process, may not be seen by it at once.
///
/// Parameters: worker; pollable: gets it; error: may be NULL.
/// Returns: PP_OK; PP_POOL_CLOSED: it has left; PP_OS.
/// Threads: one at a time; starts one helper thread of the library, once in a process.
/// Death: as pp_pollable_fd.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_worker_pollable(worker: *const pp_worker_t, pollable: *mut *mut pp_pollable_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("pollable", pollable)?;
        out.give(pp_pollable_t(call.shared("worker", worker)?.0.pollable()?));
        Ok(())
    })
}

/// What makes the worker leave from another thread, or from a signal's handler.
///
/// Parameters: worker; leaver: gets it, and may outlive the worker; error: may be NULL.
/// Returns: PP_OK.
/// Threads: one at a time.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_worker_leaver(worker: *const pp_worker_t, leaver: *mut *mut pp_leaver_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("leaver", leaver)?;
        out.give(pp_leaver_t(call.shared("worker", worker)?.0.leaver()));
        Ok(())
    })
}

/// Frees a leaver.
///
/// Parameters: leaver: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses it any more.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_leaver_free(leaver: *mut pp_leaver_t) {
    free(leaver);
}

/// Asks the worker to leave: when the batch that it runs is over, or within a quarter of a second if it waits. Does not wait for that.
///
/// Parameters: leaver: may be NULL.
/// Returns: nothing.
/// Threads: any; also in the handler of a signal.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_leaver_leave(leaver: *const pp_leaver_t) {
    answer((), |call| {
        call.shared("leaver", leaver)?.0.leave();
        Ok(())
    });
}
