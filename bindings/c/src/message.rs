//! Messages: what queues, connections, dicts and lists hand out. Data and its codec; simple values read at once.

use std::ffi::c_char;

use std::ffi::c_void;

use polyproc::Message;
use polyproc::codec::body_of;

use crate::abi::PP_CODEC_RAW;
use crate::boundary::{answer, free, guard};
use crate::error::{Fault, pp_error_t};
use crate::msgpack::{Item, Read};

/// A message, value or key that was handed out. Large ones are shared memory, which is given back by the free.
#[repr(transparent)]
pub struct pp_message_t(pub(crate) Message);

impl From<Message> for pp_message_t {
    fn from(message: Message) -> pp_message_t {
        pp_message_t(message)
    }
}

/// Several messages.
pub struct pp_messages_t(Vec<Option<pp_message_t>>);

impl pp_messages_t {
    pub(crate) fn of(messages: Vec<Message>) -> pp_messages_t {
        pp_messages_t(messages.into_iter().map(|message| Some(pp_message_t(message))).collect())
    }
}

impl pp_message_t {
    /// The one value that the message is.
    fn item(&self) -> Result<Item<'_>, Fault> {
        if self.0.codec() & !polyproc::codec::WITH_BLOCKS == PP_CODEC_RAW {
            return Err(Fault::Own(crate::abi::PP_DECODE, format!("the message is {} raw bytes, and no value", self.0.len())));
        }
        let mut read = Read::new(self.body()?);
        let item = read.next()?.ok_or_else(|| Fault::Own(crate::abi::PP_DECODE, "the message is empty, and no value".into()))?;
        Ok(item)
    }

    /// The bytes of the value, blocks left aside.
    pub(crate) fn body(&self) -> Result<&[u8], Fault> {
        Ok(body_of(&self.0, self.0.codec())?)
    }
}

/// Frees a message, and gives its shared memory back.
///
/// Parameters: message: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_message_free(message: *mut pp_message_t) {
    free(message);
}

/// The data of a message, lent until the message is freed. Shared memory must not be written to.
///
/// Parameters: message: may be NULL; len: gets its bytes, may be NULL.
/// Returns: where it is; not NULL but for a message of NULL.
/// Threads: any.
/// Death: the data goes with this process; pp_queue_lease keeps a message safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_message_data(message: *const pp_message_t, len: *mut usize) -> *const c_void {
    answer(std::ptr::null(), |call| {
        let message = call.shared("message", message)?;
        if let Some(out) = call.maybe_out(len) {
            out.set(message.0.len());
        }
        Ok(message.0.as_ptr().cast())
    })
}

/// How the data is encoded.
///
/// Parameters: message: may be NULL.
/// Returns: PP_CODEC_RAW, PP_CODEC_VALUE, or another number that its sender gave; with bit 7 set, blocks lie beside the value.
/// Threads: any.
/// Death: the data goes with this process; pp_queue_lease keeps a message safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_message_codec(message: *const pp_message_t) -> u8 {
    answer(PP_CODEC_RAW, |call| Ok(call.shared("message", message)?.0.codec()))
}

/// Whether the data is a view of shared memory and not a copy.
///
/// Parameters: message: may be NULL.
/// Returns: whether it is.
/// Threads: any.
/// Death: the data goes with this process; pp_queue_lease keeps a message safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_message_is_shared(message: *const pp_message_t) -> bool {
    answer(false, |call| Ok(call.shared("message", message)?.0.is_shared()))
}

/// Why the message is a dead letter, if it is one.
///
/// Parameters: message: may be NULL; deliveries: gets how often it had been handed out, may be NULL.
/// Returns: 0: it is none; 1: given back too often; 2: its lease ran out too often; 3: its holders died too often; 4: buried.
/// Threads: any.
/// Death: the data goes with this process; pp_queue_lease keeps a message safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_message_dead_letter(message: *const pp_message_t, deliveries: *mut u32) -> i32 {
    answer(0, |call| {
        let Some(letter) = call.shared("message", message)?.0.dead_letter() else { return Ok(0) };
        if let Some(out) = call.maybe_out(deliveries) {
            out.set(letter.deliveries);
        }
        Ok(letter.reason as i32)
    })
}

/// The integer that the message is.
///
/// Parameters: message; value: gets it; error: may be NULL.
/// Returns: PP_OK; PP_WRONG_TYPE: it is something else, which the error names; PP_DECODE: it is no value.
/// Threads: any.
/// Death: the data goes with this process; pp_queue_lease keeps a message safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_message_int(message: *const pp_message_t, value: *mut i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("value", value)?;
        out.set(call.shared("message", message)?.item()?.int()?);
        Ok(())
    })
}

/// The integer that the message is, not negative.
///
/// Parameters: message; value: gets it; error: may be NULL.
/// Returns: PP_OK; PP_WRONG_TYPE: it is something else, which the error names; PP_DECODE: it is no value.
/// Threads: any.
/// Death: the data goes with this process; pp_queue_lease keeps a message safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_message_uint(message: *const pp_message_t, value: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("value", value)?;
        out.set(call.shared("message", message)?.item()?.uint()?);
        Ok(())
    })
}

/// The float that the message is; an integer too, if a double has it exactly.
///
/// Parameters: message; value: gets it; error: may be NULL.
/// Returns: PP_OK; PP_WRONG_TYPE: it is something else, which the error names; PP_DECODE: it is no value.
/// Threads: any.
/// Death: the data goes with this process; pp_queue_lease keeps a message safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_message_float(message: *const pp_message_t, value: *mut f64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("value", value)?;
        out.set(call.shared("message", message)?.item()?.float()?);
        Ok(())
    })
}

/// The bool that the message is.
///
/// Parameters: message; value: gets it; error: may be NULL.
/// Returns: PP_OK; PP_WRONG_TYPE: it is something else, which the error names; PP_DECODE: it is no value.
/// Threads: any.
/// Death: the data goes with this process; pp_queue_lease keeps a message safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_message_bool(message: *const pp_message_t, value: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("value", value)?;
        out.set(call.shared("message", message)?.item()?.bool()?);
        Ok(())
    })
}

/// The text that the message is: a string value, or raw bytes that are UTF-8. It does not end with a NUL.
///
/// Parameters: message; text: gets it, lent until the message is freed; len: gets its bytes; error: may be NULL.
/// Returns: PP_OK; PP_WRONG_TYPE: it is something else, which the error names; PP_DECODE: it is no value.
/// Threads: any.
/// Death: the data goes with this process; pp_queue_lease keeps a message safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_message_text(message: *const pp_message_t, text: *mut *const c_char, len: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let (text, len) = (call.out("text", text)?, call.out("len", len)?);
        let message = call.shared("message", message)?;
        let found = if message.0.codec() == PP_CODEC_RAW {
            std::str::from_utf8(&message.0).map_err(|_| Fault::Own(crate::abi::PP_WRONG_TYPE, "the message is raw bytes that are not UTF-8".into()))?
        } else {
            message.item()?.text()?
        };
        text.set(found.as_ptr().cast());
        len.set(found.len());
        Ok(())
    })
}

/// Frees several messages, with those that were not taken out.
///
/// Parameters: messages: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_messages_free(messages: *mut pp_messages_t) {
    free(messages);
}

/// How many messages there are.
///
/// Parameters: messages: may be NULL.
/// Returns: the number.
/// Threads: any.
/// Death: the data goes with this process; pp_queue_lease keeps a message safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_messages_len(messages: *const pp_messages_t) -> usize {
    answer(0, |call| Ok(call.shared("messages", messages)?.0.len()))
}

/// One of several messages, lent until they are freed or it is taken.
///
/// Parameters: messages: may be NULL; index.
/// Returns: the message; NULL: none of that number, or it was taken.
/// Threads: any.
/// Death: the data goes with this process; pp_queue_lease keeps a message safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_messages_get(messages: *const pp_messages_t, index: usize) -> *const pp_message_t {
    answer(std::ptr::null(), |call| {
        let found = call.shared("messages", messages)?.0.get(index).and_then(Option::as_ref);
        Ok(found.map_or(std::ptr::null(), std::ptr::from_ref))
    })
}

/// Takes one of several messages out, to be freed by itself.
///
/// Parameters: messages; index; message: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND: none of that number, or it was taken before.
/// Threads: one at a time.
/// Death: the data goes with this process; pp_queue_lease keeps a message safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_messages_take(messages: *mut pp_messages_t, index: usize, message: *mut *mut pp_message_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("message", message)?;
        let found = call.unique("messages", messages)?.0.get_mut(index).and_then(Option::take);
        out.give(found.ok_or_else(|| Fault::Own(crate::abi::PP_NOT_FOUND, format!("there is no message {index} here, or it was taken")))?);
        Ok(())
    })
}

/// The message that came with an error, so that it is not lost: one that did not fit, or could not be put.
///
/// Parameters: error_object; message: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND: none came with it.
/// Threads: one at a time.
/// Death: the data goes with this process; pp_queue_lease keeps a message safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_error_take_message(error_object: *mut pp_error_t, message: *mut *mut pp_message_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("message", message)?;
        let letter = call.unique("error_object", error_object)?.letter.take();
        out.give(pp_message_t(letter.ok_or_else(|| Fault::Own(crate::abi::PP_NOT_FOUND, "no message came with this error".into()))?));
        Ok(())
    })
}
