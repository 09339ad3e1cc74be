//! Blocks: columns of plain values in messages, arguments and results, as `polyproc::Block` has them.

use std::ffi::c_void;

use polyproc::ipc::{CellType, RawBlock};

use crate::abi::PP_WRONG_TYPE;
use crate::boundary::{Call, guard};
use crate::error::{Fault, pp_error_t};
use crate::message::pp_message_t;
use crate::reader::{PP_TYPE_EXTENSION, pp_item_t};
use crate::task::pp_call_t;
use crate::writer::pp_writer_t;

/// The extension type of a block, in `extension` of pp_item_t.
pub const PP_EXTENSION_BLOCK: i32 = 8;

/// Many plain values in one piece, where they lie.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pp_block_t {
    /// The values; NULL: there are none. Read them as an array where `aligned` says so, else copy them out (memcpy).
    pub data: *const c_void,
    /// How many.
    pub count: usize,
    /// Bytes of each.
    pub value_size: usize,
    /// Their type, one of Python's codes: 'c' 'b' 'B' 'h' 'H' 'i' 'I' 'f' 'l' 'L' 'q' 'Q' 'd', or 'S' for a structure.
    pub code: i32,
    /// Whether they lie as an array of their type does.
    pub aligned: bool,
}

/// The extension that an item of a value is.
fn extension(call: &Call, item: *const pp_item_t) -> Result<&[u8], Fault> {
    let item = call.slice("item", item, 1)?[0];
    if item.kind != PP_TYPE_EXTENSION || item.extension != PP_EXTENSION_BLOCK {
        return Err(Fault::Own(PP_WRONG_TYPE, "the item is no block (an extension of type 8)".into()));
    }
    call.bytes("item.data", item.data, item.len)
}

fn lent(block: RawBlock<'_>) -> pp_block_t {
    let align = CellType::from_code(block.code.into()).map_or(align_of::<u64>(), |cell| cell.align());
    let start = block.bytes.as_ptr();
    let data = if block.bytes.is_empty() { std::ptr::null() } else { start.cast() };
    pp_block_t { data, count: block.bytes.len() / block.size, value_size: block.size, code: block.code.into(), aligned: start.addr().is_multiple_of(align) }
}

/// The block that an item of a message's value is: its values, in place.
///
/// Parameters: message; item: as pp_read_next gave it, of the bytes of pp_message_value; block: gets it, lent until the message is freed; error: may be NULL.
/// Returns: PP_OK; PP_WRONG_TYPE: the item is something else; PP_DECODE: it is damaged, or of another message.
/// Threads: any.
/// Death: as pp_message_data.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_message_block(message: *const pp_message_t, item: *const pp_item_t, block: *mut pp_block_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("block", block)?;
        let message = &call.shared("message", message)?.0;
        out.set(lent(RawBlock::of(message, message.codec(), extension(call, item)?)?));
        Ok(())
    })
}

/// The block that an item of a task's arguments is: its values, in place.
///
/// Parameters: call; item: as pp_read_next gave it, of the arguments; block: gets it, lent until the task returns; error: may be NULL.
/// Returns: PP_OK; PP_WRONG_TYPE: the item is something else; PP_DECODE: it is damaged.
/// Threads: any, until the task returns.
/// Death: the submitter still has its own; if the worker dies, whoever is given the call again gets the block again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_call_block(call: *const pp_call_t, item: *const pp_item_t, block: *mut pp_block_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |border| {
        let out = border.out("block", block)?;
        let (call, extension) = (border.shared("call", call)?, extension(border, item)?);
        out.set(lent(call.parcel.as_ref().map_or_else(|| RawBlock::of(&[], 0, extension), |parcel| parcel.raw_block(extension))?));
        Ok(())
    })
}

/// Appends a block: other languages read it as a column of that type. The values are copied, and go inside of the value, wherever that goes.
///
/// Parameters: writer; code: the type of the values, as in pp_block_t; value_size: bytes of each, up to 65535; 0: those of the code; data; count: how many; error: may be NULL.
/// Returns: PP_OK; PP_ENCODE: the value is whole already; PP_INVALID_ARGUMENT: no type that a block can have, or not of that size; PP_TOO_LARGE: more than 4 GiB.
/// Threads: one at a time.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_writer_block(
    writer: *mut pp_writer_t,
    code: i32,
    value_size: usize,
    data: *const c_void,
    count: usize,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let letter = u8::try_from(code).ok().filter(|code| b"cbBhHiIflLqQdS".contains(code));
        let letter = letter.ok_or_else(|| Fault::argument(format!("code is {code}, which is no type that a block can have")))?;
        let known = CellType::from_code(letter.into()).map(|cell| cell.size());
        let size = if value_size == 0 { known.unwrap_or(0) } else { value_size };
        if size == 0 || known.is_some_and(|known| known != size) {
            return Err(Fault::argument(format!("value_size is {value_size}, which is no size of '{}'", char::from(letter))));
        }
        let len = count.checked_mul(size).ok_or_else(|| Fault::argument("count is more than memory can have"))?;
        let block = RawBlock { code: letter, size, bytes: call.bytes("data", data, len)? };
        call.unique("writer", writer)?.put(0, |bytes| Ok(block.append_to(bytes)?))
    })
}
