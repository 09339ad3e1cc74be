//! Reading values without a MessagePack library: one item after the other, in the bytes where they are.

use std::ffi::c_char;

use std::ffi::c_void;

use polyproc::Ticket;

use crate::abi::{PP_DECODE, PP_EMPTY, PP_WRONG_TYPE};
use crate::boundary::guard;
use crate::error::{Fault, pp_error_t};
use crate::message::pp_message_t;
use crate::msgpack::{Item, Read, TICKET};
use crate::ticket::pp_ticket_t;

/// Nil (None, null).
pub const PP_TYPE_NIL: i32 = 0;
/// A bool: `integer` is 0 or 1.
pub const PP_TYPE_BOOL: i32 = 1;
/// An integer: `integer`.
pub const PP_TYPE_INT: i32 = 2;
/// An integer above INT64_MAX: `integer`, as uint64_t.
pub const PP_TYPE_UINT: i32 = 3;
/// A float: `number`; `len` is 4 where it came as one of 32 bits, else 8.
pub const PP_TYPE_FLOAT: i32 = 4;
/// A string: `data` and `len`, UTF-8 without a NUL at its end.
pub const PP_TYPE_TEXT: i32 = 5;
/// A byte string: `data` and `len`.
pub const PP_TYPE_BYTES: i32 = 6;
/// A list (or tuple): its `count` items come next.
pub const PP_TYPE_LIST: i32 = 7;
/// A map: a key and its value, for each of its `count` entries, come next.
pub const PP_TYPE_MAP: i32 = 8;
/// An extension type: `extension`, `data` and `len`. Type 6 is a ticket (pp_read_ticket).
pub const PP_TYPE_EXTENSION: i32 = 9;

/// One item of a value; what it points to is in the bytes that were read.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pp_item_t {
    /// A PP_TYPE_ number.
    pub kind: i32,
    /// The extension type, of an extension.
    pub extension: i32,
    /// Items of a list, entries of a map.
    pub count: u64,
    /// An integer or bool.
    pub integer: i64,
    /// A float.
    pub number: f64,
    /// A text, byte string or extension; NULL for all else.
    pub data: *const c_void,
    /// Its bytes; of a float, how many it came in.
    pub len: usize,
}

impl pp_item_t {
    fn of(item: Item<'_>) -> pp_item_t {
        let none = pp_item_t { kind: PP_TYPE_NIL, extension: 0, count: 0, integer: 0, number: 0.0, data: std::ptr::null(), len: 0 };
        let with = |kind, bytes: &[u8]| pp_item_t { kind, data: bytes.as_ptr().cast(), len: bytes.len(), ..none };
        match item {
            Item::Nil => none,
            Item::Bool(value) => pp_item_t { kind: PP_TYPE_BOOL, integer: value.into(), ..none },
            Item::Int(integer) => pp_item_t { kind: PP_TYPE_INT, integer, ..none },
            Item::Uint(value) => pp_item_t { kind: PP_TYPE_UINT, integer: value as i64, ..none },
            Item::Float(number) => pp_item_t { kind: PP_TYPE_FLOAT, number, len: 8, ..none },
            Item::Float32(number) => pp_item_t { kind: PP_TYPE_FLOAT, number: number.into(), len: 4, ..none },
            Item::Text(text) => with(PP_TYPE_TEXT, text.as_bytes()),
            Item::Bytes(bytes) => with(PP_TYPE_BYTES, bytes),
            Item::List(count) => pp_item_t { kind: PP_TYPE_LIST, count, ..none },
            Item::Map(count) => pp_item_t { kind: PP_TYPE_MAP, count, ..none },
            Item::Extension(kind, bytes) => pp_item_t { extension: kind.into(), ..with(PP_TYPE_EXTENSION, bytes) },
        }
    }
}

fn wrong(item: Item<'_>, wanted: &str) -> Fault {
    Fault::Own(PP_WRONG_TYPE, format!("the value is {}, not {wanted}", item.word()))
}

fn ended() -> Fault {
    Fault::Own(PP_EMPTY, "there are no more items".into())
}

/// The encoded value of a message, for pp_read_next and its like; blocks that lie beside it are left aside.
///
/// Parameters: message; data: gets it, lent until the message is freed; len: gets its bytes; error: may be NULL.
/// Returns: PP_OK; PP_DECODE: the message is raw bytes, or of a codec that is not known here, or damaged.
/// Threads: any.
/// Death: as pp_message_data.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_message_value(message: *const pp_message_t, data: *mut *const c_void, len: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let (data, len) = (call.out("data", data)?, call.out("len", len)?);
        let message = call.shared("message", message)?;
        let codec = message.0.codec() & !polyproc::codec::WITH_BLOCKS;
        if codec != polyproc::codec::MESSAGEPACK {
            return Err(Fault::Own(PP_DECODE, format!("the message is {} bytes of codec {codec}, and no value", message.0.len())));
        }
        let body = message.body()?;
        data.set(body.as_ptr().cast());
        len.set(body.len());
        Ok(())
    })
}

/// Reads the next item.
///
/// Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; item: gets it; what it points to is in `data`; error: may be NULL.
/// Returns: PP_OK; PP_EMPTY: there are no more; PP_DECODE: the bytes are damaged.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_read_next(data: *const c_void, len: usize, at: *mut usize, item: *mut pp_item_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("item", item)?;
        let at = call.unique("at", at)?;
        let mut read = Read::from(call.bytes("data", data, len)?, *at);
        out.set(pp_item_t::of(read.next()?.ok_or_else(ended)?));
        *at = read.at;
        Ok(())
    })
}

/// Goes past the next value, whatever is in it.
///
/// Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; error: may be NULL.
/// Returns: PP_OK; PP_EMPTY: there are no more; PP_DECODE: the bytes are damaged.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_read_skip(data: *const c_void, len: usize, at: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let at = call.unique("at", at)?;
        let mut read = Read::from(call.bytes("data", data, len)?, *at);
        if !read.skip()? {
            return Err(ended());
        }
        *at = read.at;
        Ok(())
    })
}

/// Reads a nil.
///
/// Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; error: may be NULL.
/// Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_read_nil(data: *const c_void, len: usize, at: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let at = call.unique("at", at)?;
        let mut read = Read::from(call.bytes("data", data, len)?, *at);
        match read.next()?.ok_or_else(ended)? {
            Item::Nil => *at = read.at,
            other => return Err(wrong(other, "nil")),
        }
        Ok(())
    })
}

/// Reads an integer that int64_t holds.
///
/// Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; value: gets it; error: may be NULL.
/// Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_read_int(data: *const c_void, len: usize, at: *mut usize, value: *mut i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let value = call.out("value", value)?;
        let at = call.unique("at", at)?;
        let mut read = Read::from(call.bytes("data", data, len)?, *at);
        let item = read.next()?.ok_or_else(ended)?;
        value.set(item.int()?);
        *at = read.at;
        Ok(())
    })
}

/// Reads an integer that uint64_t holds.
///
/// Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; value: gets it; error: may be NULL.
/// Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_read_uint(data: *const c_void, len: usize, at: *mut usize, value: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let value = call.out("value", value)?;
        let at = call.unique("at", at)?;
        let mut read = Read::from(call.bytes("data", data, len)?, *at);
        let item = read.next()?.ok_or_else(ended)?;
        value.set(item.uint()?);
        *at = read.at;
        Ok(())
    })
}

/// Reads a float, or an integer that a double has exactly.
///
/// Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; value: gets it; error: may be NULL.
/// Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_read_float(data: *const c_void, len: usize, at: *mut usize, value: *mut f64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let value = call.out("value", value)?;
        let at = call.unique("at", at)?;
        let mut read = Read::from(call.bytes("data", data, len)?, *at);
        let item = read.next()?.ok_or_else(ended)?;
        value.set(item.float()?);
        *at = read.at;
        Ok(())
    })
}

/// Reads a bool.
///
/// Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; value: gets it; error: may be NULL.
/// Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_read_bool(data: *const c_void, len: usize, at: *mut usize, value: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let value = call.out("value", value)?;
        let at = call.unique("at", at)?;
        let mut read = Read::from(call.bytes("data", data, len)?, *at);
        let item = read.next()?.ok_or_else(ended)?;
        value.set(item.bool()?);
        *at = read.at;
        Ok(())
    })
}

/// Reads a string; it does not end with a NUL.
///
/// Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; text: gets it, in `data`; text_len: gets its bytes; error: may be NULL.
/// Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_read_text(
    data: *const c_void,
    len: usize,
    at: *mut usize,
    text: *mut *const c_char,
    text_len: *mut usize,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let text = call.out("text", text)?;
        let text_len = call.out("text_len", text_len)?;
        let at = call.unique("at", at)?;
        let mut read = Read::from(call.bytes("data", data, len)?, *at);
        let item = read.next()?.ok_or_else(ended)?;
        let found = item.text()?;
        text.set(found.as_ptr().cast());
        text_len.set(found.len());
        *at = read.at;
        Ok(())
    })
}

/// Reads a byte string.
///
/// Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; bytes: gets it, in `data`; bytes_len: gets how many; error: may be NULL.
/// Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_read_bytes(
    data: *const c_void,
    len: usize,
    at: *mut usize,
    bytes: *mut *const c_void,
    bytes_len: *mut usize,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let bytes = call.out("bytes", bytes)?;
        let bytes_len = call.out("bytes_len", bytes_len)?;
        let at = call.unique("at", at)?;
        let mut read = Read::from(call.bytes("data", data, len)?, *at);
        let item = read.next()?.ok_or_else(ended)?;
        let Item::Bytes(found) = item else { return Err(wrong(item, "a byte string")) };
        bytes.set(found.as_ptr().cast());
        bytes_len.set(found.len());
        *at = read.at;
        Ok(())
    })
}

/// Reads the head of a list; its items come next.
///
/// Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; count: gets how many; error: may be NULL.
/// Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_read_list(data: *const c_void, len: usize, at: *mut usize, count: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let count = call.out("count", count)?;
        let at = call.unique("at", at)?;
        let mut read = Read::from(call.bytes("data", data, len)?, *at);
        let item = read.next()?.ok_or_else(ended)?;
        let Item::List(found) = item else { return Err(wrong(item, "a list")) };
        count.set(found);
        *at = read.at;
        Ok(())
    })
}

/// Reads the head of a map; a key and its value, for each entry, come next.
///
/// Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; count: gets how many entries; error: may be NULL.
/// Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_read_map(data: *const c_void, len: usize, at: *mut usize, count: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let count = call.out("count", count)?;
        let at = call.unique("at", at)?;
        let mut read = Read::from(call.bytes("data", data, len)?, *at);
        let item = read.next()?.ok_or_else(ended)?;
        let Item::Map(found) = item else { return Err(wrong(item, "a map")) };
        count.set(found);
        *at = read.at;
        Ok(())
    })
}

/// Reads an object, as its ticket.
///
/// Parameters: data: encoded bytes, as pp_message_value lends them; len; at: where the next item begins, 0 at first; moved behind it with PP_OK; ticket: gets it; error: may be NULL.
/// Returns: PP_OK; PP_EMPTY: there are no more; PP_WRONG_TYPE: it is something else, which the error names, and stays to be read; PP_DECODE.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_read_ticket(data: *const c_void, len: usize, at: *mut usize, ticket: *mut pp_ticket_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let ticket = call.out("ticket", ticket)?;
        let at = call.unique("at", at)?;
        let mut read = Read::from(call.bytes("data", data, len)?, *at);
        let item = read.next()?.ok_or_else(ended)?;
        let Item::Extension(TICKET, found) = item else { return Err(wrong(item, "an object (a ticket)")) };
        let found = Ticket::from_bytes(found).ok_or_else(|| Fault::Own(PP_DECODE, format!("a ticket has 40 bytes, not {}", found.len())))?;
        ticket.set(found.into());
        *at = read.at;
        Ok(())
    })
}
