//! Queue, as `polyproc::BytesQueue` has it: putting, getting, counts, work that is joined. Leases and loans are beside it.

use std::ffi::c_char;

use std::ffi::c_void;

use polyproc::BytesQueue;

use crate::abi::{PP_EMPTY, PP_FULL, PP_TIMEOUT, PP_TOO_LARGE};
use crate::boundary::{Call, Options};
use crate::boundary::{free, guard};
use crate::datum::pp_datum_t;
use crate::error::Fault;
use crate::error::pp_error_t;
use crate::fabric::{Wish, pp_fabric_t};
use crate::message::{pp_message_t, pp_messages_t};
use crate::pollable::pp_pollable_t;
use crate::ticket::{pp_ticket_t, ticket_of};
use crate::wait::{interruptibly, wait};

/// First in first out, any number of putters and getters, in any language.
pub struct pp_queue_t(pub(crate) BytesQueue);

/// Options of a queue that is made; PP_QUEUE_OPTIONS_INIT begins one.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pp_queue_options_t {
    /// sizeof(pp_queue_options_t)
    pub size: usize,
    /// Messages that it holds at most; 0: as many as the fabric holds.
    pub capacity: usize,
    /// Lanes of priority, 1 to 8; 0: 1. A getter gets from the first that is not empty.
    pub lanes: usize,
    /// It counts what is unfinished, for pp_queue_task_done and pp_queue_join.
    pub joinable: u32,
    /// How often a message is handed out on a lease, at most; 0: no limit. One that comes back after that is a dead letter.
    pub max_deliveries: u32,
    /// Where dead letters go: another queue of the same fabric; NULL: they stay, buried.
    pub dead_letters: *const pp_queue_t,
    /// What a dead process had on lease waits for pp_queue_reclaim, and is not handed out again by itself.
    pub keep_dead_leases: u32,
}

impl Default for pp_queue_options_t {
    fn default() -> Self {
        pp_queue_options_t { size: 0, capacity: 0, lanes: 0, joinable: 0, max_deliveries: 0, dead_letters: std::ptr::null(), keep_dead_leases: 0 }
    }
}

// SAFETY: numbers and a pointer, the first a `usize`.
unsafe impl Options for pp_queue_options_t {}

fn builder(call: &Call, options: *const pp_queue_options_t) -> Result<polyproc::QueueBuilder, Fault> {
    let options = call.options("options", options)?;
    let mut builder = BytesQueue::builder().capacity(options.capacity).lanes(options.lanes.max(1)).max_deliveries(options.max_deliveries);
    if options.joinable != 0 {
        builder = builder.joinable();
    }
    if options.keep_dead_leases != 0 {
        builder = builder.keep_dead_leases();
    }
    Ok(match call.maybe(options.dead_letters) {
        Some(letters) => builder.dead_letters(&letters.0),
        None => builder,
    })
}

/// A try says that the queue is full (or empty), where a wait says that time was up.
fn tried(timeout: i64, otherwise: i32, what: &str) -> impl Fn(Fault) -> Fault {
    move |fault| if timeout == 0 && fault.number() == PP_TIMEOUT { Fault::Own(otherwise, format!("the queue is {what} at the moment")) } else { fault }
}

/// Opens or makes a queue.
///
/// Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; options: may be NULL, used by who makes it; queue: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: killed here, the queue was made or not; one without a name goes with its maker.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_open(
    fabric: *const pp_fabric_t,
    name: *const c_char,
    how: i32,
    options: *const pp_queue_options_t,
    queue: *mut *mut pp_queue_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("queue", queue)?;
        let fabric = call.shared("fabric", fabric)?.get();
        let made = match Wish::read(call, name, how)? {
            Wish::New => builder(call, options)?.new_in(fabric),
            Wish::Create(name) => builder(call, options)?.create(fabric, name),
            Wish::Open(name) => BytesQueue::open(fabric, name),
            Wish::OpenOrCreate(name) => builder(call, options)?.open_or_create(fabric, name),
        };
        out.give(pp_queue_t(made?));
        Ok(())
    })
}

/// The queue that a ticket leads to.
///
/// Parameters: ticket; queue: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
/// Threads: any.
/// Death: the object stays when this process dies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_from_ticket(ticket: *const pp_ticket_t, queue: *mut *mut pp_queue_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("queue", queue)?;
        out.give(pp_queue_t(BytesQueue::from_ticket(&ticket_of(call, ticket)?)?));
        Ok(())
    })
}

/// Frees the handle. The queue itself goes only if it has no name and no ticket.
///
/// Parameters: queue: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_free(queue: *mut pp_queue_t) {
    free(queue);
}

/// How another process attaches to the queue. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
///
/// Parameters: queue; lend; ticket: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_ticket(queue: *const pp_queue_t, lend: bool, ticket: *mut pp_ticket_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("ticket", ticket)?;
        let queue = &call.shared("queue", queue)?.0;
        out.set(if lend { queue.lend() } else { queue.ticket() }.into());
        Ok(())
    })
}

/// Destroys the queue for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
///
/// Parameters: queue; error: may be NULL.
/// Returns: PP_OK; PP_GONE: it was destroyed before.
/// Threads: any.
/// Death: killed here, it is destroyed or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_destroy(queue: *const pp_queue_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("queue", queue)?.0.destroy()?))
}

/// A descriptor that is readable when there is something to get, or the queue is closed.
///
/// Parameters: queue; pollable: gets it; error: may be NULL.
/// Returns: PP_OK; PP_OS.
/// Threads: any; starts one helper thread of the library, once in a process.
/// Death: as pp_pollable_fd.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_pollable(queue: *const pp_queue_t, pollable: *mut *mut pp_pollable_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("pollable", pollable)?;
        out.give(pp_pollable_t(call.shared("queue", queue)?.0.pollable()?));
        Ok(())
    })
}

/// Puts a message: data as pp_raw, pp_text, pp_value and the like make it.
///
/// Parameters: queue; datum; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
/// Returns: PP_OK; PP_FULL: a try, with no room; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED; PP_OUT_OF_MEMORY; PP_TOO_LARGE; PP_GONE. What was not put is still the caller's.
/// Threads: any.
/// Death: killed here, it is in the queue or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_put(queue: *const pp_queue_t, datum: pp_datum_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let queue = &call.shared("queue", queue)?.0;
        let datum = datum.read(call, "datum")?;
        wait(timeout, |time| queue.put_encoded(0, &datum, time)).map_err(tried(timeout, PP_FULL, "full"))
    })
}

/// Puts a message into a lane of priority.
///
/// Parameters: queue; lane: 0 for a queue with one; datum; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
/// Returns: PP_OK; PP_FULL: a try, with no room; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED; PP_OUT_OF_MEMORY; PP_TOO_LARGE; PP_GONE. What was not put is still the caller's. PP_INVALID_ARGUMENT: no such lane.
/// Threads: any.
/// Death: killed here, it is in the queue or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_put_to(queue: *const pp_queue_t, lane: usize, datum: pp_datum_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let queue = &call.shared("queue", queue)?.0;
        let datum = datum.read(call, "datum")?;
        wait(timeout, |time| queue.put_encoded(lane, &datum, time)).map_err(tried(timeout, PP_FULL, "full"))
    })
}

/// Puts messages of one codec in order, under as few locks as may be.
///
/// Parameters: queue; lane: 0 for a queue with one; data; count; timeout: nanoseconds, negative for ever, 0 a try; done: gets how many were put, whatever the status; error: may be NULL.
/// Returns: PP_OK; PP_FULL: a try, with no room; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED; PP_OUT_OF_MEMORY; PP_TOO_LARGE; PP_GONE. What was not put is still the caller's.
/// Threads: any.
/// Death: killed here, the first so many are in the queue.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_put_many(
    queue: *const pp_queue_t,
    lane: usize,
    data: *const pp_datum_t,
    count: usize,
    timeout: i64,
    done: *mut usize,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let done = call.out("done", done)?;
        let mut put = 0;
        let ended = (|| {
            let queue = &call.shared("queue", queue)?.0;
            let data: Vec<_> = call.slice("data", data, count)?.iter().map(|datum| datum.read(call, "data")).collect::<Result<_, _>>()?;
            let Some(first) = data.first() else { return Ok(()) };
            if data.iter().any(|datum| datum.codec != first.codec) {
                return Err(Fault::argument("data: all messages of one call are of one codec"));
            }
            let messages: Vec<&[u8]> = data.iter().map(|datum| &*datum.bytes).collect();
            wait(timeout, |time| {
                let ended = queue.put_many_encoded(lane, &messages, first.codec, time);
                put = ended.0;
                ended.1
            })
        })();
        done.set(put);
        ended.map_err(tried(timeout, PP_FULL, "full"))
    })
}

/// Puts raw bytes and wakes nobody: for a burst that ends with pp_queue_wake. Waits while the queue is full.
///
/// Parameters: queue; data; len; error: may be NULL.
/// Returns: PP_OK; PP_FULL: a try, with no room; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED; PP_OUT_OF_MEMORY; PP_TOO_LARGE; PP_GONE. What was not put is still the caller's.
/// Threads: any.
/// Death: killed here, it is in the queue or not. A sleeping getter finds it by itself within a quarter of a second.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_put_quiet(queue: *const pp_queue_t, data: *const c_void, len: usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let queue = &call.shared("queue", queue)?.0;
        let data = call.bytes("data", data, len)?;
        interruptibly(|| queue.put_quiet(data))
    })
}

/// Wakes a sleeping getter, if there is something to get.
///
/// Parameters: queue; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_wake(queue: *const pp_queue_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        call.shared("queue", queue)?.0.wake();
        Ok(())
    })
}

/// Gets the next message.
///
/// Parameters: queue; timeout: nanoseconds, negative for ever, 0 a try; message: gets it; error: may be NULL.
/// Returns: PP_OK; PP_EMPTY: a try, with nothing there; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED: closed and drained; PP_GONE.
/// Threads: any.
/// Death: killed here, the message is in the queue or with this process, and gone with it; pp_queue_lease keeps it safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_get(queue: *const pp_queue_t, timeout: i64, message: *mut *mut pp_message_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("message", message)?;
        let queue = &call.shared("queue", queue)?.0;
        out.give(get(queue, timeout)?.into());
        Ok(())
    })
}

/// Gets the next message into the caller's memory: for plain structures. The message must fit; one that does not comes with the error (pp_error_take_message), so it is not lost.
///
/// Parameters: queue; buffer; size: its bytes; timeout: nanoseconds, negative for ever, 0 a try; len: gets the bytes of the message; error: may be NULL.
/// Returns: PP_OK; PP_EMPTY: a try, with nothing there; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED: closed and drained; PP_GONE. PP_TOO_LARGE.
/// Threads: any.
/// Death: killed here, the message is in the queue or with this process, and gone with it; pp_queue_lease keeps it safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_get_into(
    queue: *const pp_queue_t,
    buffer: *mut c_void,
    size: usize,
    timeout: i64,
    len: *mut usize,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("len", len)?;
        let queue = &call.shared("queue", queue)?.0;
        let buffer = call.buffer("buffer", buffer, size)?;
        let message = get(queue, timeout)?;
        let Some(part) = buffer.get_mut(..message.len()) else {
            let sentence = format!("a message of {} bytes does not fit into a buffer of {size}", message.len());
            return Err(Fault::with_message(PP_TOO_LARGE, sentence, message));
        };
        part.copy_from_slice(&message);
        out.set(message.len());
        Ok(())
    })
}

/// Gets up to `max` messages: waits for the first, then takes what is there.
///
/// Parameters: queue; max; timeout: nanoseconds, negative for ever, 0 a try; messages: gets them; error: may be NULL.
/// Returns: PP_OK; PP_EMPTY: a try, with nothing there; PP_TIMEOUT; PP_INTERRUPTED; PP_CLOSED: closed and drained; PP_GONE.
/// Threads: any.
/// Death: killed here, the message is in the queue or with this process, and gone with it; pp_queue_lease keeps it safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_get_many(
    queue: *const pp_queue_t,
    max: usize,
    timeout: i64,
    messages: *mut *mut pp_messages_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("messages", messages)?;
        let queue = &call.shared("queue", queue)?.0;
        let got = wait(timeout, |time| time.map_or_else(|| queue.get_many(max), |time| queue.get_many_timeout(max, time)));
        out.give(pp_messages_t::of(got.map_err(tried(timeout, PP_EMPTY, "empty"))?));
        Ok(())
    })
}

/// Closes the queue for everybody: putters get PP_CLOSED from now on, getters once it is drained.
///
/// Parameters: queue; error: may be NULL.
/// Returns: PP_OK, also for the second time; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_close(queue: *const pp_queue_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("queue", queue)?.0.close()?))
}

/// Whether the queue was closed.
///
/// Parameters: queue; closed: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_is_closed(queue: *const pp_queue_t, closed: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("closed", closed)?;
        let queue = &call.shared("queue", queue)?.0;
        out.set(queue.is_closed());
        Ok(())
    })
}

/// Messages that can be got at this moment.
///
/// Parameters: queue; len: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_len(queue: *const pp_queue_t, len: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("len", len)?;
        let queue = &call.shared("queue", queue)?.0;
        out.set(queue.len());
        Ok(())
    })
}

/// Messages that it holds at most.
///
/// Parameters: queue; capacity: gets it, 0: no limit; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_queue_capacity(queue: *const pp_queue_t, capacity: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("capacity", capacity)?;
        let queue = &call.shared("queue", queue)?.0;
        out.set(queue.capacity().unwrap_or(0));
        Ok(())
    })
}

fn get(queue: &BytesQueue, timeout: i64) -> Result<polyproc::Message, Fault> {
    let got = wait(timeout, |time| match time {
        None => queue.get(),
        Some(time) if time.is_zero() => queue.try_get(),
        Some(time) => queue.get_timeout(time),
    });
    got.map_err(tried(timeout, PP_EMPTY, "empty"))
}
