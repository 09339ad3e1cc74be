//! Plain Python values as MessagePack. Knows nothing of pickle: it answers "not plain", and somebody else sees to the value.
#![allow(unsafe_code)]

use std::collections::HashSet;
use std::ffi::c_char;
use std::ptr;

use polyproc::codec::{BIG_INTEGER, COMPLEX, FROZEN_SET, SET, TUPLE};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyComplex, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple};
use pyo3::{PyTypeInfo, ffi};

/// Bytes from which on they are a part.
const LARGE: usize = 2048;
/// Containers within one another; deeper, a pickle may say what it thinks of it.
const DEPTH: usize = 200;
/// A text or byte string of this length that occurs twice is worth a memo, which a pickle has.
const WORTH_A_MEMO: usize = 1024;

unsafe extern "C" {
    // In the limited API from 3.10 on, in every library since 3.3.
    fn PyUnicode_AsUTF8AndSize(text: *mut ffi::PyObject, size: *mut ffi::Py_ssize_t) -> *const c_char;
}

/// Why it is not all encoded.
pub(crate) enum Not {
    /// There is something in it that is no plain value, or that is there twice.
    Plain,
    Possible(PyErr),
}

impl From<PyErr> for Not {
    fn from(error: PyErr) -> Not {
        Not::Possible(error)
    }
}

/// Bytes that are inserted into the body at `at`, which counts the body alone.
pub(crate) struct Part {
    pub(crate) at: usize,
    pub(crate) len: usize,
    start: *const u8,
    /// Keeps them.
    _bytes: Py<PyBytes>,
}

// SAFETY: bytes objects never change and stay where they are, so any thread may read them while the reference lives.
unsafe impl Send for Part {}
// SAFETY: as above.
unsafe impl Sync for Part {}

impl Part {
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes of an object that `_bytes` keeps.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

/// What is being written.
pub(crate) struct Writer {
    pub(crate) body: Vec<u8>,
    pub(crate) parts: Vec<Part>,
    /// Addresses of what more than one reference leads to.
    met: HashSet<usize>,
}

impl Writer {
    pub(crate) fn new(body: Vec<u8>) -> Writer {
        Writer { body, parts: Vec::new(), met: HashSet::new() }
    }

    #[inline]
    pub(crate) fn value(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> Result<(), Not> {
        let py = value.py();
        let kind = value.get_type_ptr();
        if kind == PyInt::type_object_raw(py) {
            self.integer(value)
        } else if kind == PyString::type_object_raw(py) {
            self.text(value)
        } else if kind == PyFloat::type_object_raw(py) {
            self.body.push(0xCB);
            // SAFETY: a float was asked for its number; it cannot fail.
            let number = unsafe { ffi::PyFloat_AsDouble(value.as_ptr()) };
            self.float(number);
            Ok(())
        } else if value.is_none() {
            self.body.push(0xC0);
            Ok(())
        } else if kind == PyBool::type_object_raw(py) {
            self.body.push(if value.is_truthy()? { 0xC3 } else { 0xC2 });
            Ok(())
        } else if kind == PyBytes::type_object_raw(py) {
            self.bytes(value)
        } else if depth == DEPTH {
            Err(Not::Plain)
        } else if kind == PyDict::type_object_raw(py) {
            self.once(value)?;
            // SAFETY: exactly a dict, as its type says.
            let dict = unsafe { value.cast_unchecked::<PyDict>() };
            self.head(dict.len(), 0x80, 16, [0, 0xDE, 0xDF])?;
            for (key, value) in dict {
                self.value(&key, depth + 1)?;
                self.value(&value, depth + 1)?;
            }
            Ok(())
        } else if kind == PyList::type_object_raw(py) {
            self.once(value)?;
            // SAFETY: exactly a list, as its type says.
            let list = unsafe { value.cast_unchecked::<PyList>() };
            let before = list.len();
            self.array_head(before)?;
            for item in list {
                self.value(&item, depth + 1)?;
            }
            if list.len() == before { Ok(()) } else { Err(Not::Plain) }
        } else if kind == PyTuple::type_object_raw(py) {
            // SAFETY: exactly a tuple, as its type says.
            let tuple = unsafe { value.cast_unchecked::<PyTuple>() };
            self.shape(TUPLE, tuple.len(), tuple.iter_borrowed().map(pyo3::Borrowed::to_owned), depth)
        } else if kind == PySet::type_object_raw(py) {
            self.once(value)?;
            // SAFETY: exactly a set, as its type says.
            let set = unsafe { value.cast_unchecked::<PySet>() };
            self.shape(SET, set.len(), set.iter(), depth)
        } else if kind == PyFrozenSet::type_object_raw(py) {
            // SAFETY: exactly a frozenset, as its type says.
            let set = unsafe { value.cast_unchecked::<PyFrozenSet>() };
            self.shape(FROZEN_SET, set.len(), set.iter(), depth)
        } else if kind == PyComplex::type_object_raw(py) {
            self.body.extend_from_slice(&[0xD8, COMPLEX as u8]);
            // SAFETY: a complex number was asked for its parts; it cannot fail.
            let (real, imaginary) = unsafe { (ffi::PyComplex_RealAsDouble(value.as_ptr()), ffi::PyComplex_ImagAsDouble(value.as_ptr())) };
            self.body.extend_from_slice(&real.to_be_bytes());
            self.body.extend_from_slice(&imaginary.to_be_bytes());
            Ok(())
        } else {
            Err(Not::Plain)
        }
    }

    /// What is met for the second time is shared, or in itself.
    fn once(&mut self, value: &Bound<'_, PyAny>) -> Result<(), Not> {
        // One reference is its holder's, and one ours: then nothing else in the message leads to it. (What holds only itself ends at the greatest depth.)
        if value.get_refcnt() <= 2 || self.met.insert(value.as_ptr() as usize) { Ok(()) } else { Err(Not::Plain) }
    }

    fn integer(&mut self, value: &Bound<'_, PyAny>) -> Result<(), Not> {
        let mut overflow = 0;
        // SAFETY: an int was asked for its number; what does not fit is told by `overflow`.
        let number = unsafe { ffi::PyLong_AsLongLongAndOverflow(value.as_ptr(), &raw mut overflow) };
        if overflow != 0 {
            return self.long_integer(value);
        }
        if number >= 0 {
            self.unsigned(number as u64);
        } else if number >= -32 {
            self.body.push(number as u8);
        } else if number >= -128 {
            self.body.extend_from_slice(&[0xD0, number as u8]);
        } else if let Ok(short) = i16::try_from(number) {
            self.tagged(0xD1, &short.to_be_bytes());
        } else if let Ok(word) = i32::try_from(number) {
            self.tagged(0xD2, &word.to_be_bytes());
        } else {
            self.tagged(0xD3, &number.to_be_bytes());
        }
        Ok(())
    }

    fn unsigned(&mut self, number: u64) {
        if number < 128 {
            self.body.push(number as u8);
        } else if number < 256 {
            self.body.extend_from_slice(&[0xCC, number as u8]);
        } else if let Ok(short) = u16::try_from(number) {
            self.tagged(0xCD, &short.to_be_bytes());
        } else if let Ok(word) = u32::try_from(number) {
            self.tagged(0xCE, &word.to_be_bytes());
        } else {
            self.tagged(0xCF, &number.to_be_bytes());
        }
    }

    #[cold]
    fn long_integer(&mut self, value: &Bound<'_, PyAny>) -> Result<(), Not> {
        if let Ok(number) = value.extract::<u64>() {
            self.unsigned(number);
            return Ok(());
        }
        // Two's complement has a sign bit; -2^n needs no more bits than 2^n - 1 has.
        let bits = if value.lt(0)? { value.call_method0("__invert__")?.call_method0("bit_length")? } else { value.call_method0("bit_length")? };
        let bits: usize = bits.extract()?;
        let kwargs = PyDict::new(value.py());
        kwargs.set_item("signed", true)?;
        let bytes = value.call_method("to_bytes", (bits / 8 + 1, "big"), Some(&kwargs))?;
        let bytes = bytes.cast_into::<PyBytes>().map_err(PyErr::from)?;
        self.extension(BIG_INTEGER, bytes.as_bytes().len())?;
        self.body.extend_from_slice(bytes.as_bytes());
        Ok(())
    }

    fn float(&mut self, number: f64) {
        // Every NaN is the same one.
        let bits = if number.is_nan() { 0x7FF8_0000_0000_0000 } else { number.to_bits() };
        self.body.extend_from_slice(&bits.to_be_bytes());
    }

    fn text(&mut self, value: &Bound<'_, PyAny>) -> Result<(), Not> {
        let mut len = 0;
        // SAFETY: exactly a str; the answer lives as long as it, and is copied at once.
        let text = unsafe { PyUnicode_AsUTF8AndSize(value.as_ptr(), &raw mut len) };
        if text.is_null() {
            // Lone surrogates, which UTF-8 does not have.
            drop(PyErr::take(value.py()));
            return Err(Not::Plain);
        }
        let len = len as usize;
        if len >= WORTH_A_MEMO {
            self.once(value)?;
        }
        match len {
            0..32 => self.body.push(0xA0 | len as u8),
            _ => self.head(len, 0, 0, [0xD9, 0xDA, 0xDB])?,
        }
        let at = self.body.len();
        self.body.reserve(len);
        // SAFETY: `len` bytes were reserved, and are all written; the text is another place.
        unsafe {
            ptr::copy_nonoverlapping(text.cast::<u8>(), self.body.as_mut_ptr().add(at), len);
            self.body.set_len(at + len);
        }
        Ok(())
    }

    fn bytes(&mut self, value: &Bound<'_, PyAny>) -> Result<(), Not> {
        // SAFETY: exactly bytes, as its type says.
        let bytes = unsafe { value.cast_unchecked::<PyBytes>() };
        let len = bytes.as_bytes().len();
        if len >= WORTH_A_MEMO {
            self.once(value)?;
        }
        self.head(len, 0, 0, [0xC4, 0xC5, 0xC6])?;
        if len >= LARGE {
            self.parts.push(Part { at: self.body.len(), len, start: bytes.as_bytes().as_ptr(), _bytes: bytes.clone().unbind() });
        } else {
            self.body.extend_from_slice(bytes.as_bytes());
        }
        Ok(())
    }

    fn array_head(&mut self, len: usize) -> Result<(), Not> {
        self.head(len, 0x90, 16, [0, 0xDC, 0xDD])
    }

    /// The head of what has `len` items or bytes: in the first byte, below `short`; else by one, two or four bytes.
    fn head(&mut self, len: usize, first: u8, short: usize, by: [u8; 3]) -> Result<(), Not> {
        if len < short {
            self.body.push(first | len as u8);
        } else if by[0] != 0 && len < 256 {
            self.body.extend_from_slice(&[by[0], len as u8]);
        } else if let Ok(len) = u16::try_from(len) {
            self.tagged(by[1], &len.to_be_bytes());
        } else if let Ok(len) = u32::try_from(len) {
            self.tagged(by[2], &len.to_be_bytes());
        } else {
            return Err(Not::Plain);
        }
        Ok(())
    }

    fn tagged(&mut self, tag: u8, bytes: &[u8]) {
        self.body.push(tag);
        self.body.extend_from_slice(bytes);
    }

    fn extension(&mut self, kind: i8, len: usize) -> Result<(), Not> {
        let fixed = match len {
            1 => 0xD4,
            2 => 0xD5,
            4 => 0xD6,
            8 => 0xD7,
            16 => 0xD8,
            _ => 0,
        };
        if fixed == 0 {
            self.head(len, 0, 0, [0xC7, 0xC8, 0xC9])?;
        } else {
            self.body.push(fixed);
        }
        self.body.push(kind as u8);
        Ok(())
    }

    /// An array in an extension, whose head says how long it is and so is written when that is known.
    fn shape<'py>(&mut self, kind: i8, count: usize, items: impl Iterator<Item = Bound<'py, PyAny>>, depth: usize) -> Result<(), Not> {
        let (at, parts) = (self.body.len(), self.parts.len());
        self.array_head(count)?;
        for item in items {
            self.value(&item, depth + 1)?;
        }
        let inside: usize = self.parts[parts..].iter().map(|part| part.len).sum();
        let end = self.body.len();
        self.extension(kind, end - at + inside)?;
        // The head was written behind: it goes in front.
        let head = self.body.len() - end;
        self.body[at..].rotate_right(head);
        self.parts[parts..].iter_mut().for_each(|part| part.at += head);
        Ok(())
    }
}
