//! Event rings, as `polyproc::Events` has them: the last events of many processes, readable after a crash.

use std::ffi::c_char;

use std::ffi::CString;

use polyproc::{EventName, Events, History};

use crate::abi::PP_NOT_FOUND;
use crate::boundary::{free, guard};
use crate::error::pp_error_t;
use crate::error::{Fault, c_text};
use crate::fabric::{Wish, pp_fabric_t};
use crate::ticket::{pp_ticket_t, ticket_of};

/// A ring of the last events of many processes.
pub struct pp_events_t(pub(crate) Events);

/// Events that were read.
pub struct pp_history_t {
    history: History,
    names: Vec<Option<CString>>,
}

/// One event.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pp_event_record_t {
    /// Its place among all events that were ever recorded in this ring, from 0.
    pub number: u64,
    /// When, in nanoseconds of the clock of pp_events_now.
    pub time: u64,
    /// A number that belongs to it.
    pub value: u64,
    /// To what, lent until the history is freed; NULL: it had no name, or there was no room for it.
    pub name: *const c_char,
    /// By whom, or to whom.
    pub who: u32,
    /// What happened.
    pub kind: u8,
}

fn name_of(events: &Events, name: Option<&str>) -> Result<EventName, Fault> {
    Ok(name.map(|name| events.intern(name)).transpose()?.unwrap_or(EventName::OTHER))
}

/// Opens or makes a ring of events.
///
/// Parameters: fabric; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; capacity: events that it holds, used by who makes it; events: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else; PP_BAD_NAME; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: killed here, the ring of events was made or not; one without a name goes with its maker.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_events_open(
    fabric: *const pp_fabric_t,
    name: *const c_char,
    how: i32,
    capacity: usize,
    events: *mut *mut pp_events_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("events", events)?;
        let fabric = call.shared("fabric", fabric)?.get();
        let made = match Wish::read(call, name, how)? {
            Wish::New => Events::new(fabric, capacity),
            Wish::Create(name) => Events::create(fabric, name, capacity),
            Wish::Open(name) => Events::open(fabric, name),
            Wish::OpenOrCreate(name) => Events::open_or_create(fabric, name, capacity),
        };
        out.give(pp_events_t(made?));
        Ok(())
    })
}

/// The ring of events that a ticket leads to.
///
/// Parameters: ticket; events: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
/// Threads: any.
/// Death: the object stays when this process dies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_events_from_ticket(ticket: *const pp_ticket_t, events: *mut *mut pp_events_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("events", events)?;
        out.give(pp_events_t(Events::from_ticket(&ticket_of(call, ticket)?)?));
        Ok(())
    })
}

/// Frees the handle. The ring of events itself goes only if it has no name and no ticket.
///
/// Parameters: events: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_events_free(events: *mut pp_events_t) {
    free(events);
}

/// How another process attaches to the ring of events. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
///
/// Parameters: events; lend; ticket: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_events_ticket(events: *const pp_events_t, lend: bool, ticket: *mut pp_ticket_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("ticket", ticket)?;
        let events = &call.shared("events", events)?.0;
        out.set(if lend { events.lend() } else { events.ticket() }.into());
        Ok(())
    })
}

/// Destroys the ring of events for everybody: who waits for it or uses it from then on gets PP_GONE. The handle must still be freed.
///
/// Parameters: events; error: may be NULL.
/// Returns: PP_OK; PP_GONE: it was destroyed before.
/// Threads: any.
/// Death: killed here, it is destroyed or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_events_destroy(events: *const pp_events_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("events", events)?.0.destroy()?))
}

/// Records an event, now. It takes no lock.
///
/// Parameters: events; kind: what happened; name: to what, may be NULL; who: by whom; value: a number that belongs to it; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: an event whose writer is killed in it is missing, and counted as torn.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_events_record(events: *const pp_events_t, kind: u8, name: *const c_char, who: u32, value: u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let events = &call.shared("events", events)?.0;
        let name = name_of(events, call.maybe_text("name", name)?)?;
        Ok(events.record(kind, name, who, value)?)
    })
}

/// Records an event of some time.
///
/// Parameters: events; time: of pp_events_now; kind: what happened; name: to what, may be NULL; who: by whom; value: a number that belongs to it; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: an event whose writer is killed in it is missing, and counted as torn.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_events_record_at(
    events: *const pp_events_t,
    time: u64,
    kind: u8,
    name: *const c_char,
    who: u32,
    value: u64,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let events = &call.shared("events", events)?.0;
        let name = name_of(events, call.maybe_text("name", name)?)?;
        Ok(events.record_at(time, kind, name, who, value)?)
    })
}

/// The events from a number on that are still there, the oldest first.
///
/// Parameters: events; from: 0: all; history: gets them; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_events_read(events: *const pp_events_t, from: u64, history: *mut *mut pp_history_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("history", history)?;
        let history = call.shared("events", events)?.0.read_from(from)?;
        let names = history.events.iter().map(|event| event.name.as_deref().map(c_text)).collect();
        out.give(pp_history_t { history, names });
        Ok(())
    })
}

/// How many events the ring holds.
///
/// Parameters: events; capacity: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_events_capacity(events: *const pp_events_t, capacity: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("capacity", capacity)?;
        let events = &call.shared("events", events)?.0;
        out.set(events.capacity());
        Ok(())
    })
}

/// The clock of events, which all processes of the machine share.
///
/// Parameters: .
/// Returns: nanoseconds.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_events_now() -> u64 {
    crate::boundary::answer(0, |_| Ok(Events::now()))
}

/// What was found.
///
/// Parameters: history; events: gets how many are whole, may be NULL; overwritten: gets how many older ones were overwritten, may be NULL; torn: gets how many in between are not whole, may be NULL; next: gets where the next read goes on, may be NULL; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_history_counts(
    history: *const pp_history_t,
    events: *mut usize,
    overwritten: *mut u64,
    torn: *mut u64,
    next: *mut u64,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let history = &call.shared("history", history)?.history;
        if let Some(out) = call.maybe_out(events) {
            out.set(history.events.len());
        }
        for (place, count) in [(overwritten, history.overwritten), (torn, history.torn), (next, history.next)] {
            if let Some(out) = call.maybe_out(place) {
                out.set(count);
            }
        }
        Ok(())
    })
}

/// One of the events.
///
/// Parameters: history; index; record: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND: none of that number.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_history_get(history: *const pp_history_t, index: usize, record: *mut pp_event_record_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("record", record)?;
        let found = call.shared("history", history)?;
        let event = found.history.events.get(index).ok_or_else(|| Fault::Own(PP_NOT_FOUND, format!("there is no event {index} here")))?;
        let name = found.names[index].as_ref().map_or(std::ptr::null(), |name| name.as_ptr());
        out.set(pp_event_record_t { number: event.number, time: event.time, value: event.value, name, who: event.who, kind: event.kind });
        Ok(())
    })
}

/// Frees events that were read.
///
/// Parameters: history: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_history_free(history: *mut pp_history_t) {
    free(history);
}
