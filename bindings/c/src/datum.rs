//! Data that a caller hands in: bytes with a codec, or a simple value that is encoded here. By value, so that a call needs no handle for it.

use std::borrow::Cow;
use std::ffi::c_void;

use polyproc::codec::to_vec;
use polyproc::{Packed, Ticket};

use crate::abi::{PP_CODEC_RAW, PP_CODEC_VALUE};
use crate::boundary::Call;
use crate::error::Fault;

/// `data` and `len` are bytes of the codec `codec`.
pub const PP_FORM_BYTES: i32 = 0;
/// `data` and `len` are UTF-8, to be sent as a string value.
pub const PP_FORM_TEXT: i32 = 1;
/// `integer` is the value.
pub const PP_FORM_INT: i32 = 2;
/// `integer`, as uint64_t, is the value.
pub const PP_FORM_UINT: i32 = 3;
/// `number` is the value.
pub const PP_FORM_FLOAT: i32 = 4;
/// `integer` is 0 for false, else true.
pub const PP_FORM_BOOL: i32 = 5;
/// The value nil (None, null).
pub const PP_FORM_NIL: i32 = 6;
/// `data` is a pp_ticket_t: the value is the object that it leads to.
pub const PP_FORM_TICKET: i32 = 7;

/// Data to be put, sent or stored, or a key to be looked for. Made by pp_raw, pp_text, pp_int, pp_uint, pp_float, pp_bool, pp_nil, pp_object, pp_encoded, or from a writer; it is read
/// during the call only.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pp_datum_t {
    /// A PP_FORM_ number.
    pub form: i32,
    /// PP_CODEC_RAW, PP_CODEC_VALUE or another; for PP_FORM_BYTES.
    pub codec: u8,
    /// The bytes, if the form has some.
    pub data: *const c_void,
    /// How many.
    pub len: usize,
    /// The integer, if the form has one.
    pub integer: i64,
    /// The float, if the form has one.
    pub number: f64,
}

/// A datum as bytes.
pub(crate) struct Datum<'a> {
    pub(crate) bytes: Cow<'a, [u8]>,
    pub(crate) codec: u8,
}

impl pp_datum_t {
    pub(crate) fn read<'a>(&self, call: &'a Call, name: &str) -> Result<Datum<'a>, Fault> {
        let value = |bytes| Ok(Datum { bytes: Cow::Owned(bytes), codec: PP_CODEC_VALUE });
        match self.form {
            PP_FORM_BYTES => Ok(Datum { bytes: Cow::Borrowed(call.bytes(name, self.data, self.len)?), codec: self.codec }),
            PP_FORM_TEXT => {
                let text = std::str::from_utf8(call.bytes(name, self.data, self.len)?).map_err(|_| Fault::argument(format!("{name} is not UTF-8")))?;
                value(to_vec(text)?)
            }
            PP_FORM_INT => value(to_vec(&self.integer)?),
            PP_FORM_UINT => value(to_vec(&(self.integer as u64))?),
            PP_FORM_FLOAT => value(to_vec(&self.number)?),
            PP_FORM_BOOL => value(to_vec(&(self.integer != 0))?),
            PP_FORM_NIL => value(to_vec(&())?),
            PP_FORM_TICKET => {
                let ticket = Ticket::from_bytes(call.bytes(name, self.data, 40)?).ok_or_else(|| Fault::argument(format!("{name} is not a ticket")))?;
                value(to_vec(&ticket)?)
            }
            other => Err(Fault::argument(format!("{name}.form is {other}, which is no PP_FORM_ number"))),
        }
    }

    /// A datum of these bytes, which live elsewhere.
    pub(crate) fn of(bytes: &[u8], codec: u8) -> pp_datum_t {
        pp_datum_t { form: PP_FORM_BYTES, codec, data: bytes.as_ptr().cast(), len: bytes.len(), integer: 0, number: 0.0 }
    }
}

impl<'a> From<&'a Datum<'_>> for Packed<'a> {
    fn from(datum: &'a Datum<'_>) -> Packed<'a> {
        Packed { bytes: &datum.bytes, codec: datum.codec }
    }
}

const _: () = assert!(PP_CODEC_RAW == polyproc::codec::RAW && PP_CODEC_VALUE == polyproc::codec::MESSAGEPACK);
