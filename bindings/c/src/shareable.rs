//! ShareableList: a fixed number of cells in a named block, as `polyproc::ShareableList` has it.

use std::ffi::c_char;

use polyproc::codec::encode;
use polyproc::{Message, ShareableItem, ShareableList};

use crate::abi::{PP_CODEC_RAW, PP_CODEC_VALUE, PP_DECODE, PP_NOT_FOUND, PP_WRONG_TYPE};
use crate::boundary::{Call, free, guard};
use crate::datum::pp_datum_t;
use crate::error::{Fault, pp_error_t};
use crate::message::pp_message_t;
use crate::msgpack::{Item, Read, head};

/// A list of a fixed number of cells in a named block of shared memory, as Python's ShareableList has it: nil, bools, integers, floats, texts and byte strings, each to be replaced by whatever fits its cell. It needs
/// no fabric, and lives until somebody unlinks it. Two that change the same cell at the same time need a lock.
pub struct pp_shareable_t(ShareableList);

/// What a datum is to a cell.
fn item(call: &Call, name: &str, datum: &pp_datum_t) -> Result<ShareableItem, Fault> {
    let datum = datum.read(call, name)?;
    if datum.codec == PP_CODEC_RAW {
        return Ok(ShareableItem::Bytes(datum.bytes.into_owned()));
    }
    let wrong = |word: &str| Fault::Own(PP_WRONG_TYPE, format!("{name} is {word}; a cell holds nil, a bool, an integer of 64 bits, a float, a text or bytes"));
    if datum.codec != PP_CODEC_VALUE {
        return Err(wrong(&format!("of codec {}", datum.codec)));
    }
    let mut read = Read::new(&datum.bytes);
    let found = read.next()?.filter(|_| read.at == datum.bytes.len()).ok_or_else(|| Fault::Own(PP_DECODE, format!("{name} is not one simple value")))?;
    Ok(match found {
        Item::Nil => ShareableItem::None,
        Item::Bool(value) => ShareableItem::Bool(value),
        Item::Int(value) => ShareableItem::Int(value),
        Item::Float(value) => ShareableItem::Float(value),
        Item::Float32(value) => ShareableItem::Float(value.into()),
        Item::Text(text) => ShareableItem::Str(text.to_owned()),
        Item::Bytes(bytes) => ShareableItem::Bytes(bytes.to_vec()),
        other => return Err(wrong(&other.word())),
    })
}

/// A cell's content as a value.
fn message(item: &ShareableItem) -> Result<Message, Fault> {
    let mut bytes = Vec::new();
    match item {
        ShareableItem::None => encode(&(), &mut bytes)?,
        ShareableItem::Bool(value) => encode(value, &mut bytes)?,
        ShareableItem::Int(value) => encode(value, &mut bytes)?,
        ShareableItem::Float(value) => encode(value, &mut bytes)?,
        ShareableItem::Str(text) => encode(text, &mut bytes)?,
        ShareableItem::Bytes(data) => {
            head(&mut bytes, None, [Some(0xc4), Some(0xc5), Some(0xc6)], data.len() as u64)?;
            bytes.extend_from_slice(data);
        }
    }
    Ok(Message::of(&bytes, PP_CODEC_VALUE))
}

/// Makes a list.
///
/// Parameters: name: NULL: a name is found; items: what the cells hold first; count: how many cells there are, for ever; least: bytes that each cell has room for at least (texts and bytes have room for what they are, and a little more); shareable: gets it; error: may be NULL.
/// Returns: PP_OK; PP_ALREADY_EXISTS; PP_BAD_NAME; PP_WRONG_TYPE: an item is nothing for a cell; PP_TOO_LARGE; PP_OUT_OF_MEMORY: /dev/shm is full.
/// Threads: any.
/// Death: killed here, it was made or not; it stays until it is unlinked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shareable_create(
    name: *const c_char,
    items: *const pp_datum_t,
    count: usize,
    least: usize,
    shareable: *mut *mut pp_shareable_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("shareable", shareable)?;
        let items: Vec<ShareableItem> = call.slice("items", items, count)?.iter().map(|datum| item(call, "items", datum)).collect::<Result<_, _>>()?;
        out.give(pp_shareable_t(ShareableList::with_capacity(call.maybe_text("name", name)?, &items, least)?));
        Ok(())
    })
}

/// Attaches to a list.
///
/// Parameters: name; read_only; shareable: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_BAD_NAME; PP_WRONG_TYPE: the block is something else; PP_FOREIGN_VERSION.
/// Threads: any.
/// Death: it stays until it is unlinked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shareable_attach(name: *const c_char, read_only: bool, shareable: *mut *mut pp_shareable_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("shareable", shareable)?;
        let name = call.text("name", name)?;
        out.give(pp_shareable_t(if read_only { ShareableList::attach_read_only(name) } else { ShareableList::attach(name) }?));
        Ok(())
    })
}

/// Frees the handle. The list stays.
///
/// Parameters: shareable: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: it stays until it is unlinked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shareable_free(shareable: *mut pp_shareable_t) {
    free(shareable);
}

/// The name of a list's block.
///
/// Parameters: shareable; text: gets it with a NUL; room: its bytes, 256 are enough; error: may be NULL.
/// Returns: PP_OK; PP_TOO_LARGE: it does not fit.
/// Threads: any.
/// Death: it stays until it is unlinked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shareable_name(shareable: *const pp_shareable_t, text: *mut c_char, room: usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| call.write_text("text", text, room, call.shared("shareable", shareable)?.0.shm().name()))
}

/// How many cells there are.
///
/// Parameters: shareable; len: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shareable_len(shareable: *const pp_shareable_t, len: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("len", len)?;
        out.set(call.shared("shareable", shareable)?.0.len());
        Ok(())
    })
}

/// Bytes that a cell has room for.
///
/// Parameters: shareable; index; bytes: gets them; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: there is no such cell.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shareable_capacity(shareable: *const pp_shareable_t, index: usize, bytes: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("bytes", bytes)?;
        out.set(call.shared("shareable", shareable)?.0.capacity(index)?);
        Ok(())
    })
}

/// What a cell holds, whole.
///
/// Parameters: shareable; index; message: gets it, a value; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: there is no such cell; PP_TIMEOUT: it changes faster than it can be read; PP_CORRUPT.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shareable_get(shareable: *const pp_shareable_t, index: usize, message: *mut *mut pp_message_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("message", message)?;
        let found = call.shared("shareable", shareable)?.0.get(index)?;
        out.give(self::message(&found)?.into());
        Ok(())
    })
}

/// Replaces what a cell holds. Raw bytes are a byte string.
///
/// Parameters: shareable; index; item: nil, a bool, an integer of 64 bits, a float, a text or bytes; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: there is no such cell, or it was attached read-only; PP_WRONG_TYPE: nothing for a cell; PP_TOO_LARGE: the cell has not so much room.
/// Threads: any; two that change the same cell need a lock.
/// Death: killed here, the cell holds what it held, or the new item.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shareable_set(shareable: *const pp_shareable_t, index: usize, item: pp_datum_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let list = &call.shared("shareable", shareable)?.0;
        Ok(list.set(index, self::item(call, "item", &item)?)?)
    })
}

/// The first cell that holds this.
///
/// Parameters: shareable; item; index: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_WRONG_TYPE: nothing for a cell.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shareable_index_of(shareable: *const pp_shareable_t, item: pp_datum_t, index: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("index", index)?;
        let list = &call.shared("shareable", shareable)?.0;
        let found = list.index(&self::item(call, "item", &item)?)?;
        out.set(found.ok_or_else(|| Fault::Own(PP_NOT_FOUND, format!("no cell of list '{}' holds that", list.shm().name())))?);
        Ok(())
    })
}

/// How many cells hold this.
///
/// Parameters: shareable; item; count: gets it; error: may be NULL.
/// Returns: PP_OK; PP_WRONG_TYPE: nothing for a cell.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shareable_count(shareable: *const pp_shareable_t, item: pp_datum_t, count: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("count", count)?;
        let list = &call.shared("shareable", shareable)?.0;
        out.set(list.count(&self::item(call, "item", &item)?)?);
        Ok(())
    })
}

/// Removes the name; the memory goes with the last who has it.
///
/// Parameters: shareable; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND: somebody was faster.
/// Threads: any.
/// Death: killed here, the name is there or is not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shareable_unlink(shareable: *const pp_shareable_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("shareable", shareable)?.0.unlink()?))
}
