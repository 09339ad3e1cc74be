//! Tickets: how an object travels to another process, as 40 bytes or as text. Attaching is each object's.

use std::ffi::c_char;

use polyproc::Ticket;

use crate::boundary::{Call, answer, guard};
use crate::error::{Fault, pp_error_t};

/// A ticket: plain bytes, to be copied and sent as one likes. It does not keep its object alive.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pp_ticket_t {
    /// As docs/format.md has them.
    pub bytes: [u8; 40],
}

/// Bytes of a ticket as text, its NUL included.
pub const PP_TICKET_TEXT: usize = 81;

impl From<Ticket> for pp_ticket_t {
    fn from(ticket: Ticket) -> pp_ticket_t {
        pp_ticket_t { bytes: ticket.to_bytes() }
    }
}

/// The ticket behind a pointer.
pub(crate) fn ticket_of(call: &Call, ticket: *const pp_ticket_t) -> Result<Ticket, Fault> {
    let ticket = call.shared("ticket", ticket)?;
    Ticket::from_bytes(&ticket.bytes).ok_or_else(|| Fault::argument("these bytes are not a ticket"))
}

/// What a ticket leads to.
///
/// Parameters: ticket: may be NULL.
/// Returns: a PP_KIND_ number; 0: a kind that this version does not know, or NULL.
/// Threads: any.
/// Death: nothing is looked up, so the object may be gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_ticket_kind(ticket: *const pp_ticket_t) -> i32 {
    answer(0, |call| Ok(ticket_of(call, ticket)?.kind().map_or(0, |kind| kind as i32)))
}

/// The identity of the fabric that the ticket's object lives in, as pp_fabric_id tells it.
///
/// Parameters: ticket; id: gets 16 bytes; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is looked up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_ticket_fabric(ticket: *const pp_ticket_t, id: *mut u8, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let ticket = call.shared("ticket", ticket)?;
        call.buffer("id", id.cast(), 16)?.copy_from_slice(&ticket.bytes[..16]);
        Ok(())
    })
}

/// A ticket as text, for a command line or an environment variable.
///
/// Parameters: ticket; text: gets 80 hexadecimal digits and a NUL (PP_TICKET_TEXT bytes); error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_ticket_to_text(ticket: *const pp_ticket_t, text: *mut c_char, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let digits = ticket_of(call, ticket)?.to_string();
        call.write_text("text", text, PP_TICKET_TEXT, &digits)
    })
}

/// The ticket of a text.
///
/// Parameters: text: 80 hexadecimal digits; ticket: gets it; error: may be NULL.
/// Returns: PP_OK; PP_DECODE: it is not a ticket.
/// Threads: any.
/// Death: nothing is looked up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_ticket_from_text(text: *const c_char, ticket: *mut pp_ticket_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("ticket", ticket)?;
        out.set(call.text("text", text)?.parse::<Ticket>()?.into());
        Ok(())
    })
}
