//! Pickles, with their large buffers beside them. Knows the pickler of `polyproc._pickle` and Python's buffers; not how a message is laid out.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyList, PyTuple};

static DUMPS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// `Py_buffer`: in the limited API from 3.11 on, and the same in all versions that there are.
#[repr(C)]
pub(crate) struct RawBuffer {
    pub(crate) buf: *mut c_void,
    pub(crate) obj: *mut ffi::PyObject,
    pub(crate) len: ffi::Py_ssize_t,
    pub(crate) itemsize: ffi::Py_ssize_t,
    pub(crate) readonly: c_int,
    pub(crate) ndim: c_int,
    pub(crate) format: *mut c_char,
    pub(crate) shape: *mut ffi::Py_ssize_t,
    pub(crate) strides: *mut ffi::Py_ssize_t,
    pub(crate) suboffsets: *mut ffi::Py_ssize_t,
    pub(crate) internal: *mut c_void,
}

unsafe extern "C" {
    fn PyObject_GetBuffer(object: *mut ffi::PyObject, view: *mut RawBuffer, flags: c_int) -> c_int;
    fn PyBuffer_Release(view: *mut RawBuffer);
}

/// The bytes of an object with a buffer in one piece, exported while this lives.
pub(crate) struct View(Box<RawBuffer>);

// SAFETY: an exported buffer stays where it is until it is released, which `drop` does with the interpreter's lock; between them only its bytes are read.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    /// Asks for the bytes; BufferError if they are not in one piece.
    pub(crate) fn of(object: &Bound<'_, PyAny>, writable: bool) -> PyResult<View> {
        let mut raw = Box::new(RawBuffer {
            buf: std::ptr::null_mut(),
            obj: std::ptr::null_mut(),
            len: 0,
            itemsize: 0,
            readonly: 0,
            ndim: 0,
            format: std::ptr::null_mut(),
            shape: std::ptr::null_mut(),
            strides: std::ptr::null_mut(),
            suboffsets: std::ptr::null_mut(),
            internal: std::ptr::null_mut(),
        });
        // SAFETY: PyBUF_SIMPLE (0) or PyBUF_WRITABLE (1) of a living object, into a place that stays where it is.
        match unsafe { PyObject_GetBuffer(object.as_ptr(), &raw mut *raw, c_int::from(writable)) } {
            0 => Ok(View(raw)),
            _ => Err(PyErr::fetch(object.py())),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len as usize
    }

    /// Copies them all to a place of their length. Whoever writes to them meanwhile may be seen half; the bytes are plain.
    pub(crate) fn copy_to(&self, place: &mut [u8]) {
        assert_eq!(place.len(), self.len(), "a place of the buffer's length");
        if self.len() != 0 {
            // SAFETY: `len` bytes from `buf` on are exported; the place is our own.
            unsafe { std::ptr::copy_nonoverlapping(self.0.buf.cast::<u8>(), place.as_mut_ptr(), place.len()) }
        }
    }

    /// Calls `act` with the bytes, which only this thread's caller may change meanwhile.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&[u8]) -> R) -> R {
        if self.len() == 0 {
            return act(&[]);
        }
        // SAFETY: `len` bytes from `buf` on are exported while `self` lives. A program whose other threads write to them meanwhile gets some mixture of bytes, and nothing else depends on them.
        act(unsafe { std::slice::from_raw_parts(self.0.buf.cast::<u8>(), self.len()) })
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: exported by `of`, and released once.
        Python::attach(|_| unsafe { PyBuffer_Release(&raw mut *self.0) });
    }
}

/// The pickle of a value, and its large buffers.
pub(crate) fn dumps(value: &Bound<'_, PyAny>) -> PyResult<(Vec<u8>, Vec<View>)> {
    let py = value.py();
    let function = DUMPS.get_or_try_init(py, || -> PyResult<_> { Ok(py.import("polyproc._pickle")?.getattr("dumps")?.unbind()) })?;
    let answer = function.call1(py, (value,))?;
    let (body, buffers): (Bound<'_, PyAny>, Bound<'_, PyList>) = answer.extract(py)?;
    let views = buffers.iter().map(|buffer| View::of(&buffer, false)).collect::<PyResult<_>>()?;
    Ok((View::of(&body, false)?.with(<[u8]>::to_vec), views))
}

/// The value of a pickle with these buffers.
pub(crate) fn loads<'py>(py: Python<'py>, body: &[u8], buffers: Vec<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
    let function = LOADS.get_or_try_init(py, || -> PyResult<_> { Ok(py.import("polyproc._pickle")?.getattr("loads")?.unbind()) })?;
    function.bind(py).call1((PyBytes::new(py, body), PyTuple::new(py, buffers)?))
}
