//! Loans: messages that are built in place, in shared memory, and put without a copy.

use std::ffi::c_void;

use polyproc::{Loan, Unsent};

use crate::abi::{PP_CLOSED, PP_FULL, PP_TIMEOUT};
use crate::boundary::{answer, free, guard};
use crate::error::{Fault, pp_error_t};
use crate::queue::pp_queue_t;
use crate::wait::wait;

/// A chunk of shared memory to be filled and put.
pub struct pp_loan_t(Option<Loan>);

/// A chunk of `len` bytes to be filled in place. What stands in it is whatever stood there before.
///
/// Parameters: queue; len; loan: gets it; error: may be NULL.
/// Returns: PP_OK; PP_OUT_OF_MEMORY; PP_TOO_LARGE.
/// Threads: any.
/// Death: the chunk of a killed process is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_loan(queue: *const pp_queue_t, len: usize, loan: *mut *mut pp_loan_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("loan", loan)?;
        out.give(pp_loan_t(Some(call.shared("queue", queue)?.0.loan(len)?)));
        Ok(())
    })
}

/// The bytes to be filled, lent until the loan is put or freed.
///
/// Parameters: loan: may be NULL; len: gets how many, may be NULL.
/// Returns: where they are, aligned to 64; NULL: the loan was put.
/// Threads: one at a time.
/// Death: the chunk of a killed process is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_loan_data(loan: *mut pp_loan_t, len: *mut usize) -> *mut c_void {
    answer(std::ptr::null_mut(), |call| {
        let loan = call.unique("loan", loan)?.0.as_mut().ok_or_else(put)?;
        if let Some(out) = call.maybe_out(len) {
            out.set(loan.len());
        }
        Ok(loan.as_mut_ptr().cast())
    })
}

/// Puts a filled chunk. With PP_OK the loan is empty, and is freed; else it still has its chunk, and may be put again.
///
/// Parameters: queue; lane: 0 for a queue with one; loan; codec: PP_CODEC_RAW or PP_CODEC_VALUE; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
/// Returns: PP_OK; PP_FULL; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED: of the queue, or the loan was put before; PP_INVALID_ARGUMENT: of another fabric; PP_GONE.
/// Threads: any; the loan one at a time.
/// Death: killed here, it is in the queue, or its chunk is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_put_loan(
    queue: *const pp_queue_t,
    lane: usize,
    loan: *mut pp_loan_t,
    codec: u8,
    timeout: i64,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let queue = &call.shared("queue", queue)?.0;
        let place = &mut call.unique("loan", loan)?.0;
        let filled = place.take().ok_or_else(put)?;
        wait(timeout, |time| {
            queue.put_loan_encoded(lane, filled, codec, time).map_err(|Unsent { error, loan }| {
                *place = Some(loan);
                error
            })
        })
        .map_err(|fault| if timeout == 0 && fault.number() == PP_TIMEOUT { Fault::Own(PP_FULL, "the queue is full at the moment".into()) } else { fault })
    })
}

/// Frees the handle; a chunk that was not put is given back.
///
/// Parameters: loan: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_loan_free(loan: *mut pp_loan_t) {
    free(loan);
}

fn put() -> Fault {
    Fault::Own(PP_CLOSED, "this loan was put".into())
}
