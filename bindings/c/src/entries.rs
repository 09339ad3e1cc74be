//! Going through dicts, sets and lists while others write.

use polyproc::{BytesEntries, BytesIter, Message};

use crate::abi::PP_EMPTY;
use crate::boundary::{free, guard};
use crate::error::{Fault, pp_error_t};
use crate::message::pp_message_t;

/// A way through a dict, set or list.
pub enum pp_entries_t {
    #[doc(hidden)]
    Pairs(BytesEntries<(Message, Message)>),
    #[doc(hidden)]
    Elements(BytesEntries<Message>),
    #[doc(hidden)]
    Items(BytesIter),
}

/// The next entry. PP_EMPTY says that there is none; after any status but PP_OK none comes.
///
/// Parameters: entries; key: gets the key of a dict, the element of a set or the item of a list; value: gets the value of a dict, NULL for the others; may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_EMPTY; PP_GONE.
/// Threads: one at a time.
/// Death: nothing is held between two entries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_entries_next(
    entries: *mut pp_entries_t,
    key: *mut *mut pp_message_t,
    value: *mut *mut pp_message_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let key = call.out("key", key)?;
        let value = call.maybe_out(value);
        let (found, its) = match call.unique("entries", entries)? {
            pp_entries_t::Pairs(entries) => entries.next().transpose()?.map(|(key, value)| (key, Some(value))),
            pp_entries_t::Elements(entries) => entries.next().transpose()?.map(|element| (element, None)),
            pp_entries_t::Items(entries) => entries.next().transpose()?.map(|item| (item, None)),
        }
        .ok_or_else(|| Fault::Own(PP_EMPTY, "there are no more entries".into()))?;
        key.give(found.into());
        match (value, its) {
            (Some(out), Some(its)) => out.give(its.into()),
            (Some(out), None) => out.set(std::ptr::null_mut()),
            (None, _) => {}
        }
        Ok(())
    })
}

/// Frees the way; what it went through stays as it is.
///
/// Parameters: entries: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_entries_free(entries: *mut pp_entries_t) {
    free(entries);
}
