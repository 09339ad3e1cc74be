//! Tasks: C functions that a program offers under names, what they are told of the call they run, and the line of `main` where a child begins.

use std::ffi::{CString, c_char, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use polyproc::{CurrentCall, Encoded, Failure, OfferedCall, Packing, Parcel, RawBlock};

use crate::abi::{PP_CODEC_RAW, PP_CODEC_VALUE, PP_PANICKED};
use crate::block::PP_EXTENSION_BLOCK;
use crate::boundary::{Call, answer, free, guard};
use crate::datum::pp_datum_t;
use crate::error::{Fault, c_text, pp_error_t};
use crate::fabric::check_abi;
use crate::msgpack::{Item, Read, head};
use crate::writer::pp_writer_t;

/// The call that a task runs. It lives until the task returns; any thread may ask it.
pub struct pp_call_t {
    task: CString,
    current: Option<CurrentCall>,
    failure: Mutex<Option<Failure>>,
    /// Where the blocks of the arguments lie, if they have some.
    pub(crate) parcel: Option<Arc<Parcel>>,
}

impl pp_call_t {
    fn fail(&self, failure: Failure) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }
}

/// A task: reads its arguments (encoded, a list with an item for each, for pp_read_list and so on), writes its result, one value (nothing written is nil), and returns 0. All are lent until it returns. If it fails it returns
/// another number, best that of pp_call_fail.
/// It is called by the thread that runs calls: the one in pp_main, pp_worker_run or pp_worker_step. No exception and no longjmp may leave it.
pub type pp_task_t = Option<extern "C" fn(context: *mut c_void, call: *const pp_call_t, arguments: *const c_void, len: usize, result: *mut pp_writer_t) -> i32>;

/// Offers a function as the task `name` of this process, from now on and for good: to pools that it joins, and, if this is said before pp_main, to whoever starts this program as a worker or for a call.
///
/// Parameters: name: UTF-8, up to 65,535 bytes; task; context: given to each of its calls, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_AMBIGUOUS_TASK: the name is taken; PP_INVALID_ARGUMENT.
/// Threads: any. The task is called by several threads at once if several run calls.
/// Death: if the process is killed in the task, its call fails with PP_WORKER_DIED, which names task, pid and signal, or is retried; nothing else is lost.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_task_offer(name: *const c_char, task: pp_task_t, context: *mut c_void, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let name = call.text("name", name)?;
        let task = task.ok_or_else(|| Fault::null("task"))?;
        // An address that is handed on as it is; that several threads may use what is there is said above.
        let context = AtomicPtr::new(context);
        Ok(polyproc::offer(name, move |offered| run(task, context.load(Ordering::Relaxed), offered))?)
    })
}

type Task = extern "C" fn(*mut c_void, *const pp_call_t, *const c_void, usize, *mut pp_writer_t) -> i32;

fn run(task: Task, context: *mut c_void, offered: &OfferedCall<'_>) -> Result<Encoded, Failure> {
    let call = pp_call_t { task: c_text(offered.task()), current: polyproc::current_call(), failure: Mutex::default(), parcel: offered.parcel().cloned() };
    let mut result = pp_writer_t::default();
    let status = task(context, &raw const call, offered.bytes().as_ptr().cast(), offered.bytes().len(), &raw mut result);
    match call.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(failure) => Err(failure),
        None if status == 0 && result.written().is_empty() => Ok(Encoded::of(&())?),
        None if status == 0 => Ok(with_blocks(result.written().to_vec(), call.parcel.as_deref())),
        None => Err(Failure::failed(format!("it returned {status}, and did not say why by pp_call_fail"))),
    }
}

/// A result, and, where it hands on a block of the arguments that lies beside them, those blocks.
fn with_blocks(result: Vec<u8>, parcel: Option<&Parcel>) -> Encoded {
    let Some(parcel) = parcel else { return Encoded::from(result) };
    let mut read = Read::new(&result);
    let is_block = |item: &Item<'_>| matches!(item, Item::Extension(kind, bytes) if i32::from(*kind) == PP_EXTENSION_BLOCK && RawBlock::is_beside(bytes));
    let hands_on = std::iter::from_fn(|| read.next().ok().flatten()).any(|item| is_block(&item));
    if !hands_on {
        return Encoded::from(result);
    }
    let mut packing = Packing::new();
    packing.adopt(parcel);
    Encoded::with_blocks(result, packing)
}

/// The arguments of a call: a list with these as its items.
pub(crate) fn arguments(border: &Call, name: &str, data: *const pp_datum_t, count: usize) -> Result<Encoded, Fault> {
    encode(border, name, border.slice(name, data, count)?)
}

/// As [`arguments`], of data that lies there. Raw bytes become a byte string.
pub(crate) fn encode(border: &Call, name: &str, data: &[pp_datum_t]) -> Result<Encoded, Fault> {
    let mut bytes = Vec::new();
    head(&mut bytes, Some((0x90, 16)), [None, Some(0xdc), Some(0xdd)], data.len() as u64)?;
    for datum in data {
        let item = datum.read(border, name)?;
        match item.codec {
            PP_CODEC_VALUE => {}
            PP_CODEC_RAW => head(&mut bytes, None, [Some(0xc4), Some(0xc5), Some(0xc6)], item.bytes.len() as u64)?,
            other => return Err(Fault::argument(format!("{name}: an argument of codec {other} cannot be sent; it is a value, or raw bytes"))),
        }
        bytes.extend_from_slice(&item.bytes);
    }
    Ok(Encoded::from(bytes))
}

/// Where this program, if it was started by polyproc to run a call or as the worker of a pool, does that, and never returns; called through pp_main, which passes the ABI of the header. In any other process it does nothing.
/// It stands in main behind every pp_task_offer and before all else.
///
/// Parameters: abi: PP_ABI; error: may be NULL.
/// Returns: PP_OK: this is an ordinary process, and main goes on; PP_FOREIGN_VERSION: the library has another ABI.
/// Threads: the main thread.
/// Death: a child ends with the process that started it, even if that is killed, unless it was told to outlive it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_main_abi(abi: u32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |_| {
        check_abi(abi)?;
        polyproc::boot_here!();
        Ok(())
    })
}

/// Says why the task that is running failed. The caller's error is PP_PANICKED, with this message as pp_error_remote_message; it is retried where errors are.
///
/// Parameters: call; message: what went wrong, in one sentence; backtrace: where, may be NULL.
/// Returns: PP_PANICKED, to be returned by the task; PP_INVALID_ARGUMENT, to be returned as well, if call or message is NULL or no UTF-8.
/// Threads: any, until the task returns.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_call_fail(call: *const pp_call_t, message: *const c_char, backtrace: *const c_char) -> i32 {
    let status = guard(std::ptr::null_mut(), |border| {
        let call = border.shared("call", call)?;
        let failure = Failure::failed(border.text("message", message)?);
        call.fail(match border.maybe_text("backtrace", backtrace)? {
            Some(backtrace) => failure.with_backtrace(backtrace),
            None => failure,
        });
        Ok(())
    });
    if status == 0 { PP_PANICKED } else { status }
}

/// As pp_call_fail, with what an error of this library says. The error is freed.
///
/// Parameters: call; error: may be NULL, then the task failed without a reason.
/// Returns: as pp_call_fail.
/// Threads: any, until the task returns.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_call_fail_with(call: *const pp_call_t, error: *mut pp_error_t) -> i32 {
    let status = guard(std::ptr::null_mut(), |border| {
        let message = border.maybe(error).map_or_else(|| "no reason was given".to_owned(), pp_error_t::sentence);
        border.shared("call", call)?.fail(Failure::failed(message));
        Ok(())
    });
    free(error);
    if status == 0 { PP_PANICKED } else { status }
}

/// Says that the arguments do not fit the task that is running. The caller's error is PP_BAD_ARGUMENTS; it is not retried.
///
/// Parameters: call; message: what was expected.
/// Returns: as pp_call_fail.
/// Threads: any, until the task returns.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_call_bad_arguments(call: *const pp_call_t, message: *const c_char) -> i32 {
    let status = guard(std::ptr::null_mut(), |border| {
        let call = border.shared("call", call)?;
        call.fail(Failure::bad_arguments(border.text("message", message)?));
        Ok(())
    });
    if status == 0 { PP_PANICKED } else { status }
}

/// The name by which the task was called.
///
/// Parameters: call: may be NULL.
/// Returns: text that lives until the task returns; "" for NULL.
/// Threads: any, until the task returns.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_call_task(call: *const pp_call_t) -> *const c_char {
    answer(c"".as_ptr(), |border| Ok(border.shared("call", call)?.task.as_ptr()))
}

/// Which call this is of those submitted together, from 0.
///
/// Parameters: call: may be NULL.
/// Returns: the number; 0 for a single call, and outside of a pool.
/// Threads: any, until the task returns.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_call_number(call: *const pp_call_t) -> u64 {
    read(call, 0, CurrentCall::number)
}

/// Which attempt of the call this is, from 1.
///
/// Parameters: call: may be NULL.
/// Returns: the attempt; 0 outside of a pool.
/// Threads: any, until the task returns.
/// Death: an attempt in which a worker died counts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_call_attempt(call: *const pp_call_t) -> u32 {
    read(call, 0, CurrentCall::attempt)
}

/// Whether the call was told to stop: it was cancelled, or its soft limit has passed. A task may ask in its inner loop.
///
/// Parameters: call: may be NULL.
/// Returns: true: the task had better fail, or return what it has; if it was cancelled, its process is ended when the grace is over.
/// Threads: any, until the task returns.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_call_cancelled(call: *const pp_call_t) -> bool {
    read(call, false, CurrentCall::cancelled)
}

/// How long until the call is told to stop by its soft limit, or, if it has none, until its worker is killed by its hard limit.
///
/// Parameters: call: may be NULL.
/// Returns: nanoseconds, 0: now; -1: there is no limit.
/// Threads: any, until the task returns.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_call_time_left(call: *const pp_call_t) -> i64 {
    read(call, -1, |call| {
        let due = call.deadline().or_else(|| call.hard_deadline());
        due.map_or(-1, |due| i64::try_from(due.saturating_duration_since(Instant::now()).as_nanos()).unwrap_or(i64::MAX))
    })
}

/// The place of this process in the pool whose worker it is: no two that live at the same time have the same, and a worker that is started in place of another has the other's.
///
/// Parameters: none.
/// Returns: the place, from 0; -1: the process was not started as a worker.
/// Threads: any.
/// Death: a successor has the place of the dead one.
#[unsafe(no_mangle)]
pub extern "C" fn pp_worker_place() -> i64 {
    answer(-1, |_| Ok(polyproc::worker::number().map_or(-1, |place| place as i64)))
}

fn read<R>(call: *const pp_call_t, otherwise: R, ask: impl FnOnce(&CurrentCall) -> R) -> R
where
    R: Copy,
{
    answer(otherwise, |border| Ok(border.shared("call", call)?.current.as_ref().map_or(otherwise, ask)))
}
