//! Memory that Python sees as a buffer: a type of its own, made by hand since the limited API of 3.9 has no word for buffers. Knows addresses and what keeps them; not what is there.
#![allow(unsafe_code)]

use std::any::Any;
use std::ffi::{c_int, c_uint, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::value::RawBuffer;

/// Slot numbers of `bf_getbuffer` and `bf_releasebuffer`, which 3.9 knows already.
const GET_BUFFER: c_int = 1;
const RELEASE_BUFFER: c_int = 2;

unsafe extern "C" {
    fn PyBuffer_FillInfo(view: *mut RawBuffer, owner: *mut ffi::PyObject, start: *mut c_void, len: ffi::Py_ssize_t, readonly: c_int, flags: c_int) -> c_int;
}

/// What keeps the memory.
type Keeper = Box<dyn Any + Send + Sync>;

/// How many buffers of a memory are in use.
pub(crate) type Exports = Arc<AtomicUsize>;

#[repr(C)]
struct Object {
    base: ffi::PyObject,
    start: *mut u8,
    len: usize,
    readonly: c_int,
    /// A boxed [`Keeper`] with the count of exports, owned; null before it is set.
    keeper: *mut (Keeper, Exports),
}

static TYPE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// An object whose buffer is `len` bytes at `start`.
///
/// # Safety
/// The bytes stay mapped, and may be read (and written, unless `readonly`) by anybody, while `keeper` lives.
pub(crate) unsafe fn export(py: Python<'_>, start: *mut u8, len: usize, readonly: bool, keeper: Keeper) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: as the caller says.
    unsafe { export_counted(py, start, len, readonly, keeper, Exports::default()) }
}

/// As [`export`], with a count of the buffers in use.
///
/// # Safety
/// As of [`export`].
pub(crate) unsafe fn export_counted(
    py: Python<'_>,
    start: *mut u8,
    len: usize,
    readonly: bool,
    keeper: Keeper,
    exports: Exports,
) -> PyResult<Bound<'_, PyAny>> {
    let class = TYPE.get_or_try_init(py, || make(py))?;
    let class = class.as_ptr().cast::<ffi::PyTypeObject>();
    // SAFETY: the type is the one below, whose instances are `Object`s; a fresh one is all zeros behind its head.
    unsafe {
        let object = ffi::PyType_GenericAlloc(class, 0);
        if object.is_null() {
            return Err(PyErr::fetch(py));
        }
        let fields = object.cast::<Object>();
        (*fields).start = start;
        (*fields).len = len;
        (*fields).readonly = c_int::from(readonly);
        (*fields).keeper = Box::into_raw(Box::new((keeper, exports)));
        Ok(Bound::from_owned_ptr(py, object))
    }
}

fn make(py: Python<'_>) -> PyResult<Py<PyAny>> {
    let slot = |slot: c_int, function: *mut c_void| ffi::PyType_Slot { slot, pfunc: function };
    let mut slots = [
        slot(ffi::Py_tp_dealloc, dealloc as *mut c_void),
        slot(ffi::Py_tp_new, new as *mut c_void),
        slot(GET_BUFFER, get_buffer as *mut c_void),
        slot(RELEASE_BUFFER, release_buffer as *mut c_void),
        slot(ffi::Py_tp_doc, c"Memory of a fabric, or mapped from one, as a buffer.".as_ptr().cast_mut().cast()),
        slot(0, std::ptr::null_mut()),
    ];
    let mut spec = ffi::PyType_Spec {
        name: c"polyproc._core.Memory".as_ptr(),
        basicsize: size_of::<Object>() as c_int,
        itemsize: 0,
        flags: ffi::Py_TPFLAGS_DEFAULT as c_uint,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the slots' functions have their slots' types, and the names live for ever.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec)).map(Bound::unbind) }
}

unsafe extern "C" fn new(_class: *mut ffi::PyTypeObject, _args: *mut ffi::PyObject, _kwargs: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: called by the interpreter.
    unsafe { PyTypeError::new_err("Memory is made by polyproc only").restore(Python::assume_attached()) };
    std::ptr::null_mut()
}

unsafe extern "C" fn dealloc(object: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter once, for an object of the type above; nobody has its buffer any more, since a view holds the object.
    unsafe {
        let class = ffi::Py_TYPE(object);
        let keeper = (*object.cast::<Object>()).keeper;
        if !keeper.is_null() {
            drop(Box::from_raw(keeper));
        }
        let free = ffi::PyType_GetSlot(class, ffi::Py_tp_free);
        let free: ffi::freefunc = std::mem::transmute(free);
        free(object.cast());
        ffi::Py_DECREF(class.cast());
    }
}

unsafe extern "C" fn get_buffer(object: *mut ffi::PyObject, view: *mut RawBuffer, flags: c_int) -> c_int {
    // SAFETY: called by the interpreter for an object of the type above, with a view to be filled.
    unsafe {
        let fields = &*object.cast::<Object>();
        let filled = PyBuffer_FillInfo(view, object, fields.start.cast(), fields.len as ffi::Py_ssize_t, fields.readonly, flags);
        if filled == 0 && !fields.keeper.is_null() {
            (*fields.keeper).1.fetch_add(1, Ordering::Relaxed);
        }
        filled
    }
}

unsafe extern "C" fn release_buffer(object: *mut ffi::PyObject, _view: *mut RawBuffer) {
    // SAFETY: called by the interpreter for an object of the type above, once for each buffer.
    unsafe {
        let keeper = (*object.cast::<Object>()).keeper;
        if !keeper.is_null() {
            (*keeper).1.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
