//! Barrier, as `polyproc::Barrier` has it.

use std::ffi::c_char;

use std::ffi::c_void;

use polyproc::{Barrier, interruptible};

use crate::abi::{PP_BROKEN_BARRIER, PP_TIMEOUT};
use crate::boundary::{free, guard};
use crate::error::Fault;
use crate::error::pp_error_t;
use crate::fabric::{Wish, pp_fabric_t};
use crate::ticket::{pp_ticket_t, ticket_of};
use crate::wait::time;

/// Waiting until all have come. A party that dies in a round breaks the barrier.
pub struct pp_barrier_t(pub(crate) Barrier);

/// What the last party to come does before all go on, in its own thread and with no lock held. 0: done; else the barrier is broken. It must return.
pub type pp_action_t = Option<extern "C" fn(context: *mut c_void) -> i32>;

/// Opens or makes a barrier.
///
/// Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; parties: used by who makes it; timeout: of waits that give none, negative: for ever; used by who makes it; barrier: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: killed here, the barrier was made or not; one without a name goes with its maker.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_barrier_open(
    fabric: *const pp_fabric_t,
    name: *const c_char,
    how: i32,
    parties: usize,
    timeout: i64,
    barrier: *mut *mut pp_barrier_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("barrier", barrier)?;
        let fabric = call.shared("fabric", fabric)?.get();
        let made = match Wish::read(call, name, how)? {
            Wish::New => Barrier::new(fabric, parties, time(timeout)),
            Wish::Create(name) => Barrier::create(fabric, name, parties, time(timeout)),
            Wish::Open(name) => Barrier::open(fabric, name),
            Wish::OpenOrCreate(name) => Barrier::open_or_create(fabric, name, parties, time(timeout)),
        };
        out.give(pp_barrier_t(made?));
        Ok(())
    })
}

/// The barrier that a ticket leads to.
///
/// Parameters: ticket; barrier: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
/// Threads: any.
/// Death: the object stays when this process dies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_barrier_from_ticket(ticket: *const pp_ticket_t, barrier: *mut *mut pp_barrier_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("barrier", barrier)?;
        out.give(pp_barrier_t(Barrier::from_ticket(&ticket_of(call, ticket)?)?));
        Ok(())
    })
}

/// Frees the handle. The barrier itself goes only if it has no name and no ticket.
///
/// Parameters: barrier: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_barrier_free(barrier: *mut pp_barrier_t) {
    free(barrier);
}

/// How another process attaches to the barrier. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
///
/// Parameters: barrier; lend; ticket: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_barrier_ticket(barrier: *const pp_barrier_t, lend: bool, ticket: *mut pp_ticket_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("ticket", ticket)?;
        let barrier = &call.shared("barrier", barrier)?.0;
        out.set(if lend { barrier.lend() } else { barrier.ticket() }.into());
        Ok(())
    })
}

/// Destroys the barrier for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
///
/// Parameters: barrier; error: may be NULL.
/// Returns: PP_OK; PP_GONE: it was destroyed before.
/// Threads: any.
/// Death: killed here, it is destroyed or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_barrier_destroy(barrier: *const pp_barrier_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("barrier", barrier)?.0.destroy()?))
}

/// Waits until all parties have come. Unlike elsewhere, a wait that ends early breaks the barrier, for all.
///
/// Parameters: barrier; timeout: nanoseconds, negative: the default that the barrier was made with; index: gets the number of this party, from 0; may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_BROKEN_BARRIER: time was up, a party died, or it was aborted or reset; PP_INTERRUPTED: a signal came, and the barrier is broken by that; PP_GONE.
/// Threads: any.
/// Death: a party that dies breaks the barrier; who waits sees it at the next sweep, about a second later at most.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_barrier_wait(barrier: *const pp_barrier_t, timeout: i64, index: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let barrier = &call.shared("barrier", barrier)?.0;
        let (ended, signalled) = interruptible(|| time(timeout).map_or_else(|| barrier.wait(), |time| barrier.wait_timeout(time)));
        let number = broken_by_signal(ended, signalled)?;
        if let Some(out) = call.maybe_out(index) {
            out.set(number);
        }
        Ok(())
    })
}

/// As pp_barrier_wait, and the last to come runs an action before all go on.
///
/// Parameters: barrier; timeout: nanoseconds, negative for ever; action; context: handed to it; index: may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_BROKEN_BARRIER: time was up, a party died, or it was aborted or reset; PP_INTERRUPTED: a signal came, and the barrier is broken by that; PP_GONE.
/// Threads: any; the action runs in the calling thread.
/// Death: a party that dies breaks the barrier, also in its action.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_barrier_wait_then(
    barrier: *const pp_barrier_t,
    timeout: i64,
    action: pp_action_t,
    context: *mut c_void,
    index: *mut usize,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let barrier = &call.shared("barrier", barrier)?.0;
        let action = action.ok_or_else(|| Fault::null("action"))?;
        let run = || match action(context) {
            0 => Ok(()),
            other => Err(Fault::Own(PP_BROKEN_BARRIER, format!("the action of the barrier answered {other}"))),
        };
        let (ended, signalled) = interruptible(|| barrier.wait_then(time(timeout), run));
        let number = broken_by_signal(ended, signalled)?;
        if let Some(out) = call.maybe_out(index) {
            out.set(number);
        }
        Ok(())
    })
}

/// Makes the barrier whole and empty again; those who wait get PP_BROKEN_BARRIER.
///
/// Parameters: barrier; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_barrier_reset(barrier: *const pp_barrier_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("barrier", barrier)?.0.reset()?))
}

/// Breaks the barrier, for those who wait and those who come.
///
/// Parameters: barrier; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_barrier_abort(barrier: *const pp_barrier_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("barrier", barrier)?.0.abort()?))
}

/// How many have to come.
///
/// Parameters: barrier; parties: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_barrier_parties(barrier: *const pp_barrier_t, parties: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("parties", parties)?;
        let barrier = &call.shared("barrier", barrier)?.0;
        out.set(barrier.parties());
        Ok(())
    })
}

/// How many have come.
///
/// Parameters: barrier; waiting: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_barrier_n_waiting(barrier: *const pp_barrier_t, waiting: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("waiting", waiting)?;
        let barrier = &call.shared("barrier", barrier)?.0;
        out.set(barrier.n_waiting()?);
        Ok(())
    })
}

/// Whether it is broken.
///
/// Parameters: barrier; broken: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_barrier_broken(barrier: *const pp_barrier_t, broken: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("broken", broken)?;
        let barrier = &call.shared("barrier", barrier)?.0;
        out.set(barrier.broken());
        Ok(())
    })
}

/// A wait that a signal ended broke the barrier, as one does whose time is up; the caller is told of the signal.
fn broken_by_signal(ended: Result<usize, impl Into<Fault>>, signalled: bool) -> Result<usize, Fault> {
    ended.map_err(Into::into).map_err(|fault| if signalled && matches!(fault.number(), PP_BROKEN_BARRIER | PP_TIMEOUT) { Fault::interrupted() } else { fault })
}
