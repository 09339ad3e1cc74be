//! Building values without a MessagePack library: one item after the other; a list or map is its head and then its items.

use std::ffi::c_void;

use polyproc::Ticket;
use polyproc::codec::encode;
use serde::Serialize;

use crate::abi::{PP_CODEC_VALUE, PP_ENCODE};
use crate::boundary::{free, guard};
use crate::datum::pp_datum_t;
use crate::error::{Fault, pp_error_t};
use crate::msgpack::{Read, head};
use crate::ticket::{pp_ticket_t, ticket_of};

/// A value that is being built.
#[derive(Default)]
pub struct pp_writer_t {
    bytes: Vec<u8>,
    /// Items that open lists and maps still need, the innermost last.
    open: Vec<u64>,
    /// Whether there is a whole value.
    whole: bool,
}

impl pp_writer_t {
    /// Appends one item; `items` more belong into it. Nothing is changed if that fails.
    pub(crate) fn put(&mut self, items: u64, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Fault>) -> Result<(), Fault> {
        if self.whole {
            return Err(Fault::Own(PP_ENCODE, "the value is whole: a second one needs a list around both, or pp_writer_clear".into()));
        }
        let len = self.bytes.len();
        if let Err(fault) = write(&mut self.bytes) {
            self.bytes.truncate(len);
            return Err(fault);
        }
        if items > 0 {
            self.open.push(items);
            return Ok(());
        }
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return Ok(());
            }
            self.open.pop();
        }
        self.whole = true;
        Ok(())
    }

    fn put_plain(&mut self, value: impl Serialize) -> Result<(), Fault> {
        self.put(0, |bytes| Ok(encode(&value, bytes)?))
    }

    /// What was written so far.
    pub(crate) fn written(&self) -> &[u8] {
        &self.bytes
    }

    fn whole(&self) -> Result<&[u8], Fault> {
        match self.open.last() {
            _ if self.whole => Ok(&self.bytes),
            Some(left) => {
                Err(Fault::Own(PP_ENCODE, format!("the value is not whole: its innermost list or map needs {left} more (a key and its value are two)")))
            }
            None => Err(Fault::Own(PP_ENCODE, "nothing was written".into())),
        }
    }
}

/// A writer of one value.
///
/// Parameters: writer: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_new(writer: *mut *mut pp_writer_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        call.out("writer", writer)?.give(pp_writer_t::default());
        Ok(())
    })
}

/// Frees a writer.
///
/// Parameters: writer: may be NULL.
/// Returns: nothing.
/// Threads: any, once.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_free(writer: *mut pp_writer_t) {
    free(writer);
}

/// Begins anew, with the memory that there is.
///
/// Parameters: writer; error: may be NULL.
/// Returns: PP_OK.
/// Threads: one at a time.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_clear(writer: *mut pp_writer_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let writer = call.unique("writer", writer)?;
        writer.bytes.clear();
        writer.open.clear();
        writer.whole = false;
        Ok(())
    })
}

/// Appends nil.
///
/// Parameters: writer; error: may be NULL.
/// Returns: PP_OK; PP_ENCODE: the value is whole already.
/// Threads: one at a time.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_nil(writer: *mut pp_writer_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| call.unique("writer", writer)?.put_plain(()))
}

/// Appends a bool.
///
/// Parameters: writer; value; error: may be NULL.
/// Returns: PP_OK; PP_ENCODE: the value is whole already.
/// Threads: one at a time.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_bool(writer: *mut pp_writer_t, value: bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| call.unique("writer", writer)?.put_plain(value))
}

/// Appends an integer.
///
/// Parameters: writer; value; error: may be NULL.
/// Returns: PP_OK; PP_ENCODE: the value is whole already.
/// Threads: one at a time.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_int(writer: *mut pp_writer_t, value: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| call.unique("writer", writer)?.put_plain(value))
}

/// Appends an integer without sign.
///
/// Parameters: writer; value; error: may be NULL.
/// Returns: PP_OK; PP_ENCODE: the value is whole already.
/// Threads: one at a time.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_uint(writer: *mut pp_writer_t, value: u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| call.unique("writer", writer)?.put_plain(value))
}

/// Appends a float of 64 bits.
///
/// Parameters: writer; value; error: may be NULL.
/// Returns: PP_OK; PP_ENCODE: the value is whole already.
/// Threads: one at a time.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_float(writer: *mut pp_writer_t, value: f64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| call.unique("writer", writer)?.put_plain(value))
}

/// Appends a float of 32 bits.
///
/// Parameters: writer; value; error: may be NULL.
/// Returns: PP_OK; PP_ENCODE: the value is whole already.
/// Threads: one at a time.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_float32(writer: *mut pp_writer_t, value: f32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| call.unique("writer", writer)?.put_plain(value))
}

/// Appends a string.
///
/// Parameters: writer; text: UTF-8; len: its bytes; error: may be NULL.
/// Returns: PP_OK; PP_ENCODE: the value is whole already.
/// Threads: one at a time.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_text(writer: *mut pp_writer_t, text: *const c_void, len: usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let text = std::str::from_utf8(call.bytes("text", text, len)?).map_err(|_| Fault::argument("text is not UTF-8"))?;
        call.unique("writer", writer)?.put_plain(text)
    })
}

/// Appends a byte string.
///
/// Parameters: writer; data; len; error: may be NULL.
/// Returns: PP_OK; PP_ENCODE: the value is whole already. PP_ENCODE: 4 GiB or more.
/// Threads: one at a time.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_bytes(writer: *mut pp_writer_t, data: *const c_void, len: usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let data = call.bytes("data", data, len)?;
        call.unique("writer", writer)?.put(0, |bytes| {
            head(bytes, None, [Some(0xc4), Some(0xc5), Some(0xc6)], data.len() as u64)?;
            bytes.extend_from_slice(data);
            Ok(())
        })
    })
}

/// Appends the head of a list: its items come next.
///
/// Parameters: writer; count: of items; error: may be NULL.
/// Returns: PP_OK; PP_ENCODE: the value is whole already. PP_ENCODE: too many.
/// Threads: one at a time.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_list(writer: *mut pp_writer_t, count: u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| call.unique("writer", writer)?.put(count, |bytes| head(bytes, Some((0x90, 16)), [None, Some(0xdc), Some(0xdd)], count)))
}

/// Appends the head of a map: a key and its value, for each entry, come next.
///
/// Parameters: writer; count: of entries; error: may be NULL.
/// Returns: PP_OK; PP_ENCODE: the value is whole already. PP_ENCODE: too many.
/// Threads: one at a time.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_map(writer: *mut pp_writer_t, count: u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let writer = call.unique("writer", writer)?;
        writer.put(count.saturating_mul(2), |bytes| head(bytes, Some((0x80, 16)), [None, Some(0xde), Some(0xdf)], count))
    })
}

/// Appends a value of an extension type of docs/format.md, or of one that both sides agree on.
///
/// Parameters: writer; kind: -128 to 127; data; len; error: may be NULL.
/// Returns: PP_OK; PP_ENCODE: the value is whole already.
/// Threads: one at a time.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_extension(writer: *mut pp_writer_t, kind: i32, data: *const c_void, len: usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let data = call.bytes("data", data, len)?;
        let kind = i8::try_from(kind).map_err(|_| Fault::argument(format!("kind is {kind}; an extension type is -128 to 127")))?;
        call.unique("writer", writer)?.put(0, |bytes| {
            if matches!(data.len(), 1 | 2 | 4 | 8 | 16) {
                bytes.push(0xd4 + data.len().trailing_zeros() as u8);
            } else {
                head(bytes, None, [Some(0xc7), Some(0xc8), Some(0xc9)], data.len() as u64)?;
            }
            bytes.push(kind as u8);
            bytes.extend_from_slice(data);
            Ok(())
        })
    })
}

/// Appends an object, by its ticket: whoever reads the value gets the object itself.
///
/// Parameters: writer; ticket; error: may be NULL.
/// Returns: PP_OK; PP_ENCODE: the value is whole already.
/// Threads: one at a time.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_ticket(writer: *mut pp_writer_t, ticket: *const pp_ticket_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let ticket: Ticket = ticket_of(call, ticket)?;
        call.unique("writer", writer)?.put_plain(ticket)
    })
}

/// Appends a value that is encoded already.
///
/// Parameters: writer; data; len; error: may be NULL.
/// Returns: PP_OK; PP_ENCODE: the value is whole already. PP_DECODE: it is not a value.
/// Threads: one at a time.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_value(writer: *mut pp_writer_t, data: *const c_void, len: usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let data = call.bytes("data", data, len)?;
        let mut read = Read::new(data);
        if !read.skip()? || read.at != data.len() {
            return Err(Fault::argument("data is not exactly one value"));
        }
        call.unique("writer", writer)?.put(0, |bytes| {
            bytes.extend_from_slice(data);
            Ok(())
        })
    })
}

/// The encoded value, lent until the writer is written to, cleared or freed.
///
/// Parameters: writer; data: gets it; len: gets its bytes; error: may be NULL.
/// Returns: PP_OK; PP_ENCODE: the value is not whole.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_data(writer: *const pp_writer_t, data: *mut *const c_void, len: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let (data, len) = (call.out("data", data)?, call.out("len", len)?);
        let bytes = call.shared("writer", writer)?.whole()?;
        data.set(bytes.as_ptr().cast());
        len.set(bytes.len());
        Ok(())
    })
}

/// The value as data to be put, sent or stored, lent as pp_writer_data.
///
/// Parameters: writer; datum: gets it; error: may be NULL.
/// Returns: PP_OK; PP_ENCODE: the value is not whole.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_datum(writer: *const pp_writer_t, datum: *mut pp_datum_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("datum", datum)?;
        out.set(pp_datum_t::of(call.shared("writer", writer)?.whole()?, PP_CODEC_VALUE));
        Ok(())
    })
}
