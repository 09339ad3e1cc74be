//! The calls that programs make most, without what a call by PyO3 costs under the limited API of 3.9 (a tuple, a dict and their taking apart): `acquire()` without arguments, `release`, and `with`.
//!
//! Each is a C function of its own in the place of the method; arguments go to the method that was there, kept as `_acquire`.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyClass, ffi};

use crate::lock::{Lock, Lockable};
use crate::rlock::RLock;

/// `METH_FASTCALL` and `METH_KEYWORDS`, in every version from 3.7 on, and in the limited API from 3.10.
const FAST_WITH_KEYWORDS: c_int = 0x80 | 0x02;
const FAST: c_int = 0x80;

type Object = *mut ffi::PyObject;
type Fast = unsafe extern "C" fn(Object, *const Object, ffi::Py_ssize_t) -> Object;
type FastWithKeywords = unsafe extern "C" fn(Object, *const Object, ffi::Py_ssize_t, Object) -> Object;

unsafe extern "C" {
    fn PyDescr_NewMethod(class: *mut ffi::PyTypeObject, method: *mut ffi::PyMethodDef) -> Object;
}

/// A class of locks whose methods are replaced.
trait Hot: PyClass<Frozen = pyo3::pyclass::boolean_struct::True> + Lockable {}

impl Hot for Lock {}

impl Hot for RLock {}

/// Puts the functions in their places.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    replace::<Lock>(py)?;
    replace::<RLock>(py)
}

fn replace<T: Hot>(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<T>();
    class.setattr("_acquire", class.getattr("acquire")?)?;
    // SAFETY: the function has the type that its flags say; what the interpreter calls is a pointer of one size.
    let acquire = unsafe { std::mem::transmute::<FastWithKeywords, ffi::PyCFunction>(acquire::<T>) };
    // SAFETY: as above.
    let exit = unsafe { std::mem::transmute::<Fast, ffi::PyCFunction>(exit::<T>) };
    let doc = c"acquire($self, /, block=True, timeout=None)\n--\n\nAcquires the lock; False if it was not free (in time).";
    method(&class, c"acquire", acquire, FAST_WITH_KEYWORDS, doc)?;
    method(&class, c"release", release::<T>, ffi::METH_NOARGS, c"release($self, /)\n--\n\nReleases the lock.")?;
    method(&class, c"__enter__", enter::<T>, ffi::METH_NOARGS, c"__enter__($self, /)\n--\n\nAcquires the lock.")?;
    method(&class, c"__exit__", exit, FAST, c"__exit__($self, /, *error)\n--\n\nReleases the lock.")
}

fn method(class: &Bound<'_, pyo3::types::PyType>, name: &'static CStr, function: ffi::PyCFunction, flags: c_int, doc: &'static CStr) -> PyResult<()> {
    let definition =
        ffi::PyMethodDef { ml_name: name.as_ptr(), ml_meth: ffi::PyMethodDefPointer { PyCFunction: function }, ml_flags: flags, ml_doc: doc.as_ptr() };
    // The descriptor refers to it for as long as the type lives, which is for ever.
    let definition = Box::leak(Box::new(definition));
    // SAFETY: a type of this module and a definition that stays; a new reference or an error comes back.
    let descriptor = unsafe { Bound::from_owned_ptr_or_err(class.py(), PyDescr_NewMethod(class.as_type_ptr(), definition))? };
    class.setattr(name.to_str().expect("ASCII"), descriptor)
}

/// The lock that a method was called on. The descriptor has checked that it is one.
///
/// # Safety
/// `object` is an instance of `T`'s class, and the interpreter's lock is held.
#[inline(always)]
unsafe fn lock<T: Hot>(object: &Object) -> &T {
    // SAFETY: as the caller says; a `Py` is a pointer to an object and nothing more, and this one is only looked through.
    unsafe { &*std::ptr::from_ref(object).cast::<Py<T>>() }.get()
}

/// What a C function answers.
fn answer(py: Python<'_>, result: PyResult<Object>) -> Object {
    result.unwrap_or_else(|error| {
        error.restore(py);
        std::ptr::null_mut()
    })
}

fn truth(value: bool) -> Object {
    // SAFETY: both live for ever.
    new_reference(unsafe { if value { ffi::Py_True() } else { ffi::Py_False() } })
}

fn none() -> Object {
    // SAFETY: it lives for ever.
    new_reference(unsafe { ffi::Py_None() })
}

fn new_reference(object: Object) -> Object {
    // SAFETY: an object that lives.
    unsafe { ffi::Py_INCREF(object) };
    object
}

unsafe extern "C" fn acquire<T: Hot>(object: Object, arguments: *const Object, count: ffi::Py_ssize_t, names: Object) -> Object {
    // SAFETY: called by the interpreter, with its lock held, for an instance of the class; `arguments` are `count` and then as many as there are names.
    unsafe {
        let py = Python::assume_attached();
        if count == 0 && names.is_null() {
            return answer(py, lock::<T>(&object).take(py, None).map(truth));
        }
        let general = || -> PyResult<Object> {
            let count = count as usize;
            let argument = |at: usize| Bound::from_borrowed_ptr(py, *arguments.add(at));
            let positional = PyTuple::new(py, (0..count).map(argument))?;
            let keywords = PyDict::new(py);
            if !names.is_null() {
                for (at, name) in Bound::from_borrowed_ptr(py, names).cast_into::<PyTuple>()?.iter().enumerate() {
                    keywords.set_item(name, argument(count + at))?;
                }
            }
            let method = Bound::from_borrowed_ptr(py, object).getattr("_acquire")?;
            Ok(method.call(positional, Some(&keywords))?.into_ptr())
        };
        answer(py, general())
    }
}

unsafe extern "C" fn release<T: Hot>(object: Object, _nothing: Object) -> Object {
    // SAFETY: called by the interpreter, with its lock held, for an instance of the class.
    unsafe {
        let py = Python::assume_attached();
        answer(py, lock::<T>(&object).give(py).map(|()| none()))
    }
}

unsafe extern "C" fn enter<T: Hot>(object: Object, _nothing: Object) -> Object {
    // SAFETY: as above.
    unsafe {
        let py = Python::assume_attached();
        answer(py, lock::<T>(&object).take(py, None).map(truth))
    }
}

unsafe extern "C" fn exit<T: Hot>(object: Object, _arguments: *const Object, _count: ffi::Py_ssize_t) -> Object {
    // SAFETY: as above.
    unsafe { release::<T>(object, std::ptr::null_mut()) }
}
