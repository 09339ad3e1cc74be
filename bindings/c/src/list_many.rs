//! List: slices, and what goes through the whole list.

use std::ffi::c_void;

use polyproc::{Message, Packed, Slice};

use crate::abi::PP_NOT_FOUND;
use crate::boundary::{Call, guard};
use crate::datum::{Datum, pp_datum_t};
use crate::entries::pp_entries_t;
use crate::error::{Fault, pp_error_t};
use crate::list::pp_list_t;
use crate::message::{pp_message_t, pp_messages_t};

/// In a slice: not given.
pub const PP_NONE: i64 = i64::MIN;

/// `start:stop:step`, as Python has it; each may be PP_NONE.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pp_slice_t {
    /// The first index.
    pub start: i64,
    /// The index before which it ends.
    pub stop: i64,
    /// How far from one to the next; not 0.
    pub step: i64,
}

impl From<pp_slice_t> for Slice {
    fn from(slice: pp_slice_t) -> Slice {
        let given = |index: i64| Some(index).filter(|index| *index != PP_NONE);
        Slice::new(given(slice.start), given(slice.stop), given(slice.step))
    }
}

/// Compares two items for pp_list_sort: negative, 0 or positive, as for qsort, and always the same for the same items. It must return.
pub type pp_compare_t = Option<extern "C" fn(a: *const pp_message_t, b: *const pp_message_t, context: *mut c_void) -> i32>;

fn read_all(call: &Call, items: *const pp_datum_t, count: usize) -> Result<Vec<Datum<'_>>, Fault> {
    call.slice("items", items, count)?.iter().map(|item| item.read(call, "items")).collect()
}

/// Appends several items, in one step.
///
/// Parameters: list; items; count; error: may be NULL.
/// Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_extend(list: *const pp_list_t, items: *const pp_datum_t, count: usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let items = read_all(call, items, count)?;
        let packed: Vec<Packed<'_>> = items.iter().map(Packed::from).collect();
        Ok(call.shared("list", list)?.0.extend(&packed)?)
    })
}

/// The items of a slice, of one instant.
///
/// Parameters: list; slice; messages: gets them; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: a step of 0; PP_GONE.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_get_slice(list: *const pp_list_t, slice: pp_slice_t, messages: *mut *mut pp_messages_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("messages", messages)?;
        out.give(pp_messages_t::of(call.shared("list", list)?.0.get_slice(slice)?));
        Ok(())
    })
}

/// The items of a list and then these, as new messages; the list stays as it is.
///
/// Parameters: list; items; count; messages: gets them; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_plus(
    list: *const pp_list_t,
    items: *const pp_datum_t,
    count: usize,
    messages: *mut *mut pp_messages_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("messages", messages)?;
        let items = read_all(call, items, count)?;
        let packed: Vec<Packed<'_>> = items.iter().map(Packed::from).collect();
        out.give(pp_messages_t::of(call.shared("list", list)?.0.plus(&packed)?));
        Ok(())
    })
}

/// The items of a list so many times over, as new messages; the list stays as it is.
///
/// Parameters: list; times: 0: none; messages: gets them; error: may be NULL.
/// Returns: PP_OK; PP_TOO_LARGE: more than memory can hold; PP_GONE.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_times(list: *const pp_list_t, times: usize, messages: *mut *mut pp_messages_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("messages", messages)?;
        out.give(pp_messages_t::of(call.shared("list", list)?.0.times(times)?));
        Ok(())
    })
}

/// Puts items in place of a slice, in one step; of a slice with a step other than 1, exactly as many.
///
/// Parameters: list; slice; items; count; error: may be NULL.
/// Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE. PP_INVALID_ARGUMENT.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_set_slice(
    list: *const pp_list_t,
    slice: pp_slice_t,
    items: *const pp_datum_t,
    count: usize,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let items = read_all(call, items, count)?;
        let packed: Vec<Packed<'_>> = items.iter().map(Packed::from).collect();
        Ok(call.shared("list", list)?.0.set_slice(slice, &packed)?)
    })
}

/// Deletes the items of a slice, in one step.
///
/// Parameters: list; slice; error: may be NULL.
/// Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE. PP_INVALID_ARGUMENT.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_delete_slice(list: *const pp_list_t, slice: pp_slice_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("list", list)?.0.delete_slice(slice)?))
}

/// Where the first item is that is equal: the same bytes and codec.
///
/// Parameters: list; item; start: or PP_NONE; stop: or PP_NONE; index: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_GONE.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_index_of(
    list: *const pp_list_t,
    item: pp_datum_t,
    start: i64,
    stop: i64,
    index: *mut usize,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("index", index)?;
        let range: Slice = pp_slice_t { start, stop, step: PP_NONE }.into();
        let found = call.shared("list", list)?.0.index(&item.read(call, "item")?, range.start, range.stop)?;
        out.set(found.ok_or_else(|| Fault::Own(PP_NOT_FOUND, "the list has no such item".into()))?);
        Ok(())
    })
}

/// Whether an equal item is there.
///
/// Parameters: list; item; found: gets it; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_contains(list: *const pp_list_t, item: pp_datum_t, found: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("found", found)?;
        out.set(call.shared("list", list)?.0.contains(&item.read(call, "item")?)?);
        Ok(())
    })
}

/// How many equal items there are.
///
/// Parameters: list; item; count: gets it; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_count(list: *const pp_list_t, item: pp_datum_t, count: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("count", count)?;
        out.set(call.shared("list", list)?.0.count(&item.read(call, "item")?)?);
        Ok(())
    })
}

/// Deletes the first equal item.
///
/// Parameters: list; item; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_remove(list: *const pp_list_t, item: pp_datum_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        if call.shared("list", list)?.0.remove(&item.read(call, "item")?)? {
            return Ok(());
        }
        Err(Fault::Own(PP_NOT_FOUND, "the list has no such item".into()))
    })
}

/// Reverses the list, in one step.
///
/// Parameters: list; error: may be NULL.
/// Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_reverse(list: *const pp_list_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("list", list)?.0.reverse()?))
}

/// Repeats the list so often, in one step; 0 empties it.
///
/// Parameters: list; times; error: may be NULL.
/// Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE.
/// Threads: any.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_repeat(list: *const pp_list_t, times: usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("list", list)?.0.repeat(times)?))
}

/// Sorts the list, in one step for others. Equal items keep their order. If it is changed meanwhile, it begins anew.
///
/// Parameters: list; compare; context: handed to it; error: may be NULL.
/// Returns: PP_OK; PP_OUT_OF_MEMORY: nothing was changed; PP_GONE. PP_TIMEOUT: it was changed too often meanwhile, and is as it was.
/// Threads: any; the comparison runs in the calling thread, with no lock held.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_sort(list: *const pp_list_t, compare: pp_compare_t, context: *mut c_void, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let list = &call.shared("list", list)?.0;
        let compare = compare.ok_or_else(|| Fault::null("compare"))?;
        let seen = |message: &Message| std::ptr::from_ref(message).cast::<pp_message_t>();
        Ok(list.rearrange(|items| {
            let mut order: Vec<usize> = (0..items.len()).collect();
            order.sort_by(|a, b| compare(seen(&items[*a]), seen(&items[*b]), context).cmp(&0));
            Ok(order)
        })?)
    })
}

/// Goes through the list by index while others write.
///
/// Parameters: list; entries: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is held between two items.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_list_iterate(list: *const pp_list_t, entries: *mut *mut pp_entries_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("entries", entries)?;
        out.give(pp_entries_t::Items(call.shared("list", list)?.0.iter()));
        Ok(())
    })
}
