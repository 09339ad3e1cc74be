//! Set: Python's operators and comparisons, of a set and any elements.

use polyproc::{BytesSet, Message, Packed};

use crate::boundary::{Call, guard};
use crate::datum::{Datum, pp_datum_t};
use crate::error::{Fault, pp_error_t};
use crate::message::pp_messages_t;
use crate::set::pp_set_t;

/// Elements for an operator: some data, or those of a set. Made by pp_elements or pp_elements_of; it is read during the call only.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pp_elements_t {
    /// The elements; NULL if there are none, or a set is given.
    pub items: *const pp_datum_t,
    /// How many.
    pub count: usize,
    /// Another set, whose elements they are; NULL: they are `items`.
    pub set: *const pp_set_t,
}

impl pp_elements_t {
    /// Calls the operator of a set with these.
    fn with<R>(self, call: &Call, set: *const pp_set_t, act: impl FnOnce(&BytesSet, &[Packed<'_>]) -> polyproc::ipc::Result<R>) -> Result<R, Fault> {
        let set = &call.shared("set", set)?.0;
        let items = call.slice("elements.items", self.items, self.count)?;
        let Some(other) = call.maybe(self.set) else {
            let data: Vec<Datum<'_>> = items.iter().map(|item| item.read(call, "elements.items")).collect::<Result<_, _>>()?;
            return Ok(act(set, &data.iter().map(Packed::from).collect::<Vec<_>>())?);
        };
        if !items.is_empty() {
            return Err(Fault::argument("elements has items and a set; it is one of both"));
        }
        let elements: Vec<Message> = other.0.items().collect::<Result<_, _>>()?;
        Ok(act(set, &elements.iter().map(Packed::from).collect::<Vec<_>>())?)
    }
}

/// What one side or the other has: own elements first, each side in its order. Each side is looked at in its own time.
///
/// Parameters: set; elements: the other side; messages: gets them; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_GONE: one of both was destroyed.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_union(set: *const pp_set_t, elements: pp_elements_t, messages: *mut *mut pp_messages_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("messages", messages)?;
        out.give(pp_messages_t::of(elements.with(call, set, BytesSet::union)?));
        Ok(())
    })
}

/// What both have, in the order of this set. Each side is looked at in its own time.
///
/// Parameters: set; elements: the other side; messages: gets them; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_GONE: one of both was destroyed.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_intersection(
    set: *const pp_set_t,
    elements: pp_elements_t,
    messages: *mut *mut pp_messages_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("messages", messages)?;
        out.give(pp_messages_t::of(elements.with(call, set, BytesSet::intersection)?));
        Ok(())
    })
}

/// What only this set has, in its order. Each side is looked at in its own time.
///
/// Parameters: set; elements: the other side; messages: gets them; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_GONE: one of both was destroyed.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_difference(
    set: *const pp_set_t,
    elements: pp_elements_t,
    messages: *mut *mut pp_messages_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("messages", messages)?;
        out.give(pp_messages_t::of(elements.with(call, set, BytesSet::difference)?));
        Ok(())
    })
}

/// What only one of the two has: own elements first, each side in its order. Each side is looked at in its own time.
///
/// Parameters: set; elements: the other side; messages: gets them; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_GONE: one of both was destroyed.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_symmetric_difference(
    set: *const pp_set_t,
    elements: pp_elements_t,
    messages: *mut *mut pp_messages_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("messages", messages)?;
        out.give(pp_messages_t::of(elements.with(call, set, BytesSet::symmetric_difference)?));
        Ok(())
    })
}

/// Adds all of these elements, each by itself.
///
/// Parameters: set; elements; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_OUT_OF_MEMORY: some were done; PP_GONE: one of both was destroyed.
/// Threads: any.
/// Death: killed here, some of them were done; each is done or is not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_update(set: *const pp_set_t, elements: pp_elements_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| elements.with(call, set, BytesSet::update))
}

/// Takes out what is not among these elements, each by itself.
///
/// Parameters: set; elements; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_OUT_OF_MEMORY: some were done; PP_GONE: one of both was destroyed.
/// Threads: any.
/// Death: killed here, some of them were done; each is done or is not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_intersection_update(set: *const pp_set_t, elements: pp_elements_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| elements.with(call, set, BytesSet::intersection_update))
}

/// Takes out these elements, each by itself.
///
/// Parameters: set; elements; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_OUT_OF_MEMORY: some were done; PP_GONE: one of both was destroyed.
/// Threads: any.
/// Death: killed here, some of them were done; each is done or is not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_difference_update(set: *const pp_set_t, elements: pp_elements_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| elements.with(call, set, BytesSet::difference_update))
}

/// Takes out those of these elements that are there, and adds the others, each by itself.
///
/// Parameters: set; elements; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_OUT_OF_MEMORY: some were done; PP_GONE: one of both was destroyed.
/// Threads: any.
/// Death: killed here, some of them were done; each is done or is not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_symmetric_difference_update(set: *const pp_set_t, elements: pp_elements_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| elements.with(call, set, BytesSet::symmetric_difference_update))
}

/// Whether every element of the set is among these.
///
/// Parameters: set; elements; answer: gets whether it is so; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_GONE: one of both was destroyed.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_is_subset(set: *const pp_set_t, elements: pp_elements_t, answer: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("answer", answer)?;
        out.set(elements.with(call, set, BytesSet::is_subset)?);
        Ok(())
    })
}

/// Whether each of these elements is in the set.
///
/// Parameters: set; elements; answer: gets whether it is so; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_GONE: one of both was destroyed.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_is_superset(set: *const pp_set_t, elements: pp_elements_t, answer: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("answer", answer)?;
        out.set(elements.with(call, set, BytesSet::is_superset)?);
        Ok(())
    })
}

/// Whether none of these elements is in the set.
///
/// Parameters: set; elements; answer: gets whether it is so; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: an element cannot be one; PP_GONE: one of both was destroyed.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_set_is_disjoint(set: *const pp_set_t, elements: pp_elements_t, answer: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("answer", answer)?;
        out.set(elements.with(call, set, BytesSet::is_disjoint)?);
        Ok(())
    })
}
