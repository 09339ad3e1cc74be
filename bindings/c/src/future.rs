//! Futures: the results of calls that run meanwhile, and one descriptor for the ends of many of them.

use std::os::fd::{AsFd, AsRawFd};

use polyproc::{Answer, AsyncResult, Completions, Message, Packing};

use crate::abi::PP_CODEC_VALUE;
use crate::boundary::{answer, free, guard};
use crate::error::{Fault, pp_error_t};
use crate::message::pp_message_t;
use crate::wait::{duration, wait_until};

/// The results of one call, or of those of a map: there, or to come. To free it does not cancel them.
pub struct pp_future_t {
    results: Results,
    /// Readable once all are there, and not taken from.
    over: Completions,
}

enum Results {
    One(AsyncResult<Answer>),
    Many(AsyncResult<Vec<Answer>>),
    Done(Vec<polyproc::Result<Answer>>),
}

/// Ends of calls, each by a key, and a descriptor that is readable while there are any. Made by pp_completions_open.
pub struct pp_completions_t(Completions);

impl pp_future_t {
    pub(crate) fn one(result: AsyncResult<Answer>) -> Result<pp_future_t, Fault> {
        let over = Completions::new()?;
        over.add(&result, 0);
        Ok(pp_future_t { results: Results::One(result), over })
    }

    pub(crate) fn many(results: AsyncResult<Vec<Answer>>) -> Result<pp_future_t, Fault> {
        let over = Completions::new()?;
        over.add(&results, 0);
        Ok(pp_future_t { results: Results::Many(results), over })
    }

    pub(crate) fn done(results: Vec<polyproc::Result<Answer>>) -> Result<pp_future_t, Fault> {
        let over = Completions::new()?;
        over.put(0);
        Ok(pp_future_t { results: Results::Done(results), over })
    }

    fn is_done(&self) -> bool {
        match &self.results {
            Results::One(result) => result.ready(),
            Results::Many(results) => results.ready(),
            Results::Done(_) => true,
        }
    }

    fn count(&self) -> usize {
        match &self.results {
            Results::One(_) => 1,
            Results::Many(results) => results.call_count(),
            Results::Done(results) => results.len(),
        }
    }

    fn wait(&self, timeout: i64) -> Result<(), Fault> {
        wait_until(timeout, "not all of the calls are done", |time| {
            Ok::<_, polyproc::ipc::Error>(self.is_done() || !polyproc::wait(&[&self.over], time)?.is_empty())
        })
    }

    /// Only of one that is done.
    fn answer(&self, call: usize) -> Result<Answer, Fault> {
        Ok(match &self.results {
            Results::One(result) => result.answer_of(call)?,
            Results::Many(results) => results.answer_of(call)?,
            Results::Done(results) => {
                let found = results.get(call).ok_or_else(|| Fault::argument(format!("call {call}: there are {}", results.len())))?;
                found.clone()?
            }
        })
    }
}

/// Frees the handle. Calls that are not done run on, and nobody sees their results.
///
/// Parameters: future: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: nothing is left behind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_future_free(future: *mut pp_future_t) {
    free(future);
}

/// How many calls it stands for.
///
/// Parameters: future: may be NULL.
/// Returns: 1 for a call, as many as were given for a map; 0 for NULL.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_future_count(future: *const pp_future_t) -> usize {
    answer(0, |call| Ok(call.shared("future", future)?.count()))
}

/// Whether all calls are over, well or badly.
///
/// Parameters: future: may be NULL.
/// Returns: true if so; false for NULL.
/// Threads: any.
/// Death: a call whose worker died, and that is not retried, is over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_future_is_done(future: *const pp_future_t) -> bool {
    answer(false, |call| Ok(call.shared("future", future)?.is_done()))
}

/// Waits until all calls are over, well or badly.
///
/// Parameters: future; timeout: nanoseconds, negative for ever, 0 a look; error: may be NULL.
/// Returns: PP_OK: pp_future_result does not wait any more; PP_TIMEOUT; PP_INTERRUPTED.
/// Threads: any.
/// Death: as pp_future_result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_future_wait(future: *const pp_future_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| call.shared("future", future)?.wait(timeout))
}

/// The result of one of the calls; waits, if not all are over. May be called again, for each call.
///
/// Parameters: future; index: which call, 0 for a single one; timeout: nanoseconds, negative for ever, 0 a look; result: gets the value, as pp_message_int and so on read it, to be freed, which may outlive the future; NULL if it is not wanted; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; else why the call did not return: PP_PANICKED (pp_error_remote_message, pp_error_remote_backtrace), PP_WORKER_DIED (pp_error_task, pp_error_pid, pp_error_signal), PP_UNKNOWN_TASK,
///   PP_BAD_ARGUMENTS, PP_BAD_RESULT, PP_CANCELLED, PP_TIME_LIMIT, PP_MEMORY_LIMIT, PP_TERMINATED, PP_POOL_CLOSED, PP_GAVE_UP.
/// Threads: any.
/// Death: a worker's death is a result as well, so no wait is without end; that of another process's pool is PP_TERMINATED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_future_result(
    future: *const pp_future_t,
    index: usize,
    timeout: i64,
    result: *mut *mut pp_message_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let future = call.shared("future", future)?;
        future.wait(timeout)?;
        let answer = future.answer(index)?;
        if let Some(out) = call.maybe_out(result) {
            out.give(pp_message_t::from(message_of(&answer)));
        }
        Ok(())
    })
}

/// Cancels what is not over. A call that has not begun never will; one that runs is told (pp_call_cancelled), and if it is not over after the grace, its worker is killed, and nothing else is lost by that. Does not wait.
///
/// Parameters: future; grace: nanoseconds, 0 or more; cancelled: gets false if all was over already, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: the pool is another process's, and only that one cancels; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: killed here, the calls go on or end with their pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_future_cancel(future: *const pp_future_t, grace: i64, cancelled: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let grace = duration("grace", grace)?;
        let done = match &call.shared("future", future)?.results {
            Results::One(result) => result.cancel_within(grace)?,
            Results::Many(results) => results.cancel_within(grace)?,
            Results::Done(_) => false,
        };
        if let Some(out) = call.maybe_out(cancelled) {
            out.set(done);
        }
        Ok(())
    })
}

/// A descriptor that becomes readable, and stays so, when all calls are over, for poll and event loops.
///
/// Parameters: future; fd: gets it, lent until pp_future_free; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: as pp_future_result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_future_fd(future: *const pp_future_t, fd: *mut i32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("fd", fd)?;
        out.set(call.shared("future", future)?.over.as_fd().as_raw_fd());
        Ok(())
    })
}

/// An empty set of ends.
///
/// Parameters: completions: gets it; error: may be NULL.
/// Returns: PP_OK; PP_OS: no descriptor to spare.
/// Threads: any.
/// Death: nothing is left behind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_completions_open(completions: *mut *mut pp_completions_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("completions", completions)?;
        out.give(pp_completions_t(Completions::new()?));
        Ok(())
    })
}

/// Frees the set and closes its descriptor. The calls go on.
///
/// Parameters: completions: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses it any more.
/// Death: nothing is left behind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_completions_free(completions: *mut pp_completions_t) {
    free(completions);
}

/// From now on the set tells of the end of this future's calls: once, when all of them are over, and at once if they are. The future may be freed.
///
/// Parameters: completions; future: of any pool; key: what it tells then; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: as pp_future_result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_completions_add(completions: *const pp_completions_t, future: *const pp_future_t, key: u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let completions = &call.shared("completions", completions)?.0;
        match &call.shared("future", future)?.results {
            Results::One(result) => completions.add(result, key),
            Results::Many(results) => completions.add(results, key),
            Results::Done(_) => completions.put(key),
        }
        Ok(())
    })
}

/// The next end, in the order in which calls ended.
///
/// Parameters: completions; timeout: nanoseconds, negative for ever, 0 a look; key: gets the one that was given with the future; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED.
/// Threads: any; each end is told to one.
/// Death: as pp_future_result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_completions_next(completions: *const pp_completions_t, timeout: i64, key: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("key", key)?;
        let completions = &call.shared("completions", completions)?.0;
        let mut next = None;
        wait_until(timeout, "none of the calls ended", |time| {
            next = completions.next(time)?;
            Ok::<_, polyproc::Error>(next.is_some())
        })?;
        out.set(next.unwrap_or_default());
        Ok(())
    })
}

/// A descriptor that is readable while there are ends to be taken, for poll and event loops.
///
/// Parameters: completions; fd: gets it, lent until pp_completions_free; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: as pp_future_result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_completions_fd(completions: *const pp_completions_t, fd: *mut i32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("fd", fd)?;
        out.set(call.shared("completions", completions)?.0.as_fd().as_raw_fd());
        Ok(())
    })
}

/// A result as a message; blocks that lie beside it, if it has some, come along.
fn message_of(answer: &Answer) -> Message {
    let Some(parcel) = answer.parcel() else { return Message::of(answer.bytes(), PP_CODEC_VALUE) };
    let mut packing = Packing::new();
    packing.adopt(parcel);
    packing.into_message(answer.bytes())
}
