//! Messages as Python values. Every length is checked against the bytes that are there; nothing is believed.

use polyproc::codec::{BIG_INTEGER, COMPLEX, FROZEN_SET, MESSAGEPACK, RAW, SET, TUPLE, WITH_BLOCKS};
use polyproc::ipc::{ErrorKind, Message};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyComplex, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple};

use super::{PICKLE, pickled};
use crate::memory::export;

/// Arrays, maps and extensions within one another that are followed.
const DEPTH: usize = 1024;
/// A message from this size on is mapped, not copied.
const MAPPED: usize = 1 << 17;
/// A buffer in it from this size on is its pages.
const OWN_PAGES: usize = 1 << 16;
/// Extension types of the library that are no plain values.
const TICKET: i8 = 6;
const BLOCK: i8 = 8;

/// The value of a received message.
#[inline]
pub(crate) fn from_message(py: Python<'_>, message: Message) -> PyResult<Bound<'_, PyAny>> {
    let codec = message.codec();
    if codec & WITH_BLOCKS != 0 && message.is_shared() && message.len() >= MAPPED {
        return from_large(py, message, codec);
    }
    from_bytes(py, &message, codec)
}

/// Buffers of a large message are its pages, which the kernel copies when they are written to.
#[allow(unsafe_code)]
fn from_large(py: Python<'_>, message: Message, codec: u8) -> PyResult<Bound<'_, PyAny>> {
    let map = match py.detach(|| message.privately()) {
        Ok(Ok(map)) => map,
        Ok(Err(message)) => return from_bytes(py, &message, codec),
        // It cannot be mapped; it can be copied.
        Err(error) => return error.into_message().map_or_else(|| Err(fault(py, "a message is lost".into())), |message| from_bytes(py, &message, codec)),
    };
    // SAFETY: the mapping's bytes, which `map` keeps; nobody has been given a part of them that is read here as a slice later on.
    let bytes = unsafe { std::slice::from_raw_parts(map.as_ptr().cast_const(), map.len()) };
    with_blocks(py, bytes, codec, |from, to| {
        if to - from < OWN_PAGES {
            return Ok(PyByteArray::new(py, &bytes[from..to]).into_any());
        }
        // SAFETY: the bytes stay mapped and are this process's own while a clone of `map` lives; blocks do not overlap the body that is still read.
        unsafe { export(py, map.as_ptr().add(from), to - from, false, Box::new(map.clone())) }
    })
}

/// The value that these bytes are.
#[inline]
pub(crate) fn from_bytes<'py>(py: Python<'py>, bytes: &[u8], codec: u8) -> PyResult<Bound<'py, PyAny>> {
    match codec {
        MESSAGEPACK => plain(py, bytes, bytes, &[]),
        RAW => Ok(PyBytes::new(py, bytes).into_any()),
        PICKLE => pickled::loads(py, bytes, Vec::new()),
        _ => with_blocks(py, bytes, codec, |from, to| Ok(PyByteArray::new(py, &bytes[from..to]).into_any())),
    }
}

/// The value of a message with blocks; `buffer` makes a writable buffer of one.
fn with_blocks<'py>(py: Python<'py>, bytes: &[u8], codec: u8, buffer: impl Fn(usize, usize) -> PyResult<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
    let unknown = || fault(py, format!("codec {codec} is not known to this version of polyproc for Python"));
    if codec & WITH_BLOCKS == 0 {
        return Err(unknown());
    }
    let (body, blocks) = apart(bytes).ok_or_else(|| fault(py, format!("a message of {} bytes is not laid out as one with blocks", bytes.len())))?;
    match codec & !WITH_BLOCKS {
        MESSAGEPACK => plain(py, body, bytes, &blocks),
        PICKLE => {
            let buffers = blocks.iter().map(|(from, to)| buffer(*from, *to)).collect::<PyResult<_>>()?;
            pickled::loads(py, body, buffers)
        }
        _ => Err(unknown()),
    }
}

/// Where a block begins and ends.
type Place = (usize, usize);

/// The body and the places of the blocks, all inside.
fn apart(bytes: &[u8]) -> Option<(&[u8], Vec<Place>)> {
    let word = |at: usize| usize::try_from(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?)).ok();
    let trailer = bytes.len().checked_sub(16)?;
    let (from, count) = (word(trailer)?, word(trailer + 8)?);
    let table = trailer.checked_sub(count.checked_mul(16)?)?;
    let block = |n: usize| {
        let (start, len) = (word(table + n * 16)?, word(table + n * 16 + 8)?);
        let end = start.checked_add(len)?;
        (end <= from).then_some((start, end))
    };
    let blocks = (0..count).map(block).collect::<Option<Vec<_>>>()?;
    // One after the other: a buffer is nobody else's.
    blocks.is_sorted_by(|before, after| before.1 <= after.0).then_some(())?;
    Some((bytes.get(from..table)?, blocks))
}

fn plain<'py>(py: Python<'py>, body: &[u8], whole: &[u8], blocks: &[Place]) -> PyResult<Bound<'py, PyAny>> {
    let mut reader = Reader { py, bytes: body, at: 0, whole, blocks };
    let value = reader.value(0)?;
    if reader.at == body.len() { Ok(value) } else { Err(reader.fault("bytes are left over")) }
}

#[cold]
fn fault(py: Python<'_>, what: String) -> PyErr {
    crate::error::raise(py, ErrorKind::Decode.number(), what)
}

struct Reader<'a, 'py> {
    py: Python<'py>,
    bytes: &'a [u8],
    at: usize,
    whole: &'a [u8],
    blocks: &'a [Place],
}

impl<'a, 'py> Reader<'a, 'py> {
    #[cold]
    fn fault(&self, what: &str) -> PyErr {
        fault(self.py, format!("a message of {} bytes is not a value that Python can hold: {what} (at byte {})", self.bytes.len(), self.at))
    }

    #[inline]
    fn take(&mut self, len: usize) -> PyResult<&'a [u8]> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else { return Err(self.fault("it ends in the middle")) };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> PyResult<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("as many as were taken"))
    }

    /// A length of 1, 2 or 4 bytes.
    fn length(&mut self, bytes: usize) -> PyResult<usize> {
        Ok(self.take(bytes)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    #[inline]
    fn value(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        let first = self.array::<1>()?[0];
        let integer = |number: i64| number.into_pyobject(py).expect("never fails").into_any();
        Ok(match first {
            0x00..=0x7F => integer(i64::from(first)),
            0xE0..=0xFF => integer(i64::from(first as i8)),
            0xC0 => py.None().into_bound(py),
            0xC2 | 0xC3 => (first == 0xC3).into_pyobject(py)?.to_owned().into_any(),
            0xCC => integer(i64::from(self.array::<1>()?[0])),
            0xCD => integer(i64::from(u16::from_be_bytes(self.array()?))),
            0xCE => integer(i64::from(u32::from_be_bytes(self.array()?))),
            0xCF => u64::from_be_bytes(self.array()?).into_pyobject(py)?.into_any(),
            0xD0 => integer(i64::from(i8::from_be_bytes(self.array()?))),
            0xD1 => integer(i64::from(i16::from_be_bytes(self.array()?))),
            0xD2 => integer(i64::from(i32::from_be_bytes(self.array()?))),
            0xD3 => integer(i64::from_be_bytes(self.array()?)),
            0xCA => PyFloat::new(py, f64::from(f32::from_be_bytes(self.array()?))).into_any(),
            0xCB => PyFloat::new(py, f64::from_be_bytes(self.array()?)).into_any(),
            0xA0..=0xBF => self.text(usize::from(first & 31))?,
            0xD9..=0xDB => {
                let len = self.length(1 << (first - 0xD9))?;
                self.text(len)?
            }
            0xC4..=0xC6 => {
                let len = self.length(1 << (first - 0xC4))?;
                PyBytes::new(py, self.take(len)?).into_any()
            }
            0x90..=0x9F => self.list(usize::from(first & 15), depth)?,
            0xDC | 0xDD => {
                let len = self.length(2 << (first - 0xDC))?;
                self.list(len, depth)?
            }
            0x80..=0x8F => self.map(usize::from(first & 15), depth)?,
            0xDE | 0xDF => {
                let len = self.length(2 << (first - 0xDE))?;
                self.map(len, depth)?
            }
            0xD4..=0xD8 => self.extension(1 << (first - 0xD4), depth)?,
            0xC7..=0xC9 => {
                let len = self.length(1 << (first - 0xC7))?;
                self.extension(len, depth)?
            }
            0xC1 => return Err(self.fault("it is not MessagePack")),
        })
    }

    fn text(&mut self, len: usize) -> PyResult<Bound<'py, PyAny>> {
        let bytes = self.take(len)?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.fault("a text in it is not UTF-8"))?;
        Ok(PyString::new(self.py, text).into_any())
    }

    /// Values one after the other. No more room is taken beforehand than there are bytes.
    fn values(&mut self, count: usize, depth: usize) -> PyResult<Vec<Bound<'py, PyAny>>> {
        if depth == DEPTH {
            return Err(self.fault("it is too deep"));
        }
        let mut values = Vec::with_capacity(count.min(self.bytes.len() - self.at));
        for _ in 0..count {
            values.push(self.value(depth + 1)?);
        }
        Ok(values)
    }

    fn list(&mut self, count: usize, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let values = self.values(count, depth)?;
        Ok(PyList::new(self.py, values)?.into_any())
    }

    fn map(&mut self, count: usize, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        if depth == DEPTH {
            return Err(self.fault("it is too deep"));
        }
        let dict = PyDict::new(self.py);
        for _ in 0..count {
            let key = self.key(depth + 1)?;
            let value = self.value(depth + 1)?;
            dict.set_item(key, value).map_err(|error| self.unhashable(error))?;
        }
        Ok(dict.into_any())
    }

    /// A key: an array, which other languages may have as one, is a tuple.
    fn key(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let key = self.value(depth)?;
        match key.cast::<PyList>() {
            Ok(list) => Ok(frozen(list)?.into_any()),
            Err(_) => Ok(key),
        }
    }

    #[cold]
    fn unhashable(&self, error: PyErr) -> PyErr {
        if error.is_instance_of::<pyo3::exceptions::PyTypeError>(self.py) { self.fault("a key in it cannot be one in Python") } else { error }
    }

    fn extension(&mut self, len: usize, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        let kind = self.array::<1>()?[0] as i8;
        let from = self.at;
        let bytes = self.take(len)?;
        match kind {
            TUPLE | SET | FROZEN_SET => {
                self.at = from;
                let values = self.shape(depth)?;
                if self.at != from + len {
                    return Err(self.fault("a tuple or set is not as long as it says"));
                }
                Ok(match kind {
                    TUPLE => PyTuple::new(py, values)?.into_any(),
                    SET => PySet::new(py, values).map_err(|error| self.unhashable(error))?.into_any(),
                    _ => PyFrozenSet::new(py, values).map_err(|error| self.unhashable(error))?.into_any(),
                })
            }
            BIG_INTEGER => {
                static KWARGS: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
                let signed = KWARGS.get_or_try_init(py, || -> PyResult<_> {
                    let kwargs = PyDict::new(py);
                    kwargs.set_item("signed", true)?;
                    Ok(kwargs.unbind())
                })?;
                py.get_type::<PyInt>().call_method("from_bytes", (PyBytes::new(py, bytes), "big"), Some(signed.bind(py)))
            }
            COMPLEX if len == 16 => {
                let part = |at: usize| f64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
                Ok(PyComplex::from_doubles(py, part(0), part(8)).into_any())
            }
            TICKET => {
                static OPEN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
                let open = OPEN.get_or_try_init(py, || -> PyResult<_> { Ok(py.import("polyproc._handles")?.getattr("open_ticket")?.unbind()) })?;
                open.bind(py).call1((PyBytes::new(py, bytes),))
            }
            BLOCK => self.block(bytes),
            other => Err(self.fault(&format!("extension type {other} is not known"))),
        }
    }

    fn shape(&mut self, depth: usize) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let count = match self.array::<1>()?[0] {
            short @ 0x90..=0x9F => usize::from(short & 15),
            0xDC => self.length(2)?,
            0xDD => self.length(4)?,
            _ => return Err(self.fault("a tuple or set in it is no array")),
        };
        self.values(count, depth + 1)
    }

    /// Many plain values in one piece: `array.array` of their type.
    fn block(&self, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        static ARRAY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let broken = || self.fault("a block in it is not one");
        let [form, code, _, _, rest @ ..] = bytes else { return Err(broken()) };
        let data = match form {
            0 => rest,
            1 => {
                let place = u32::from_le_bytes(rest.try_into().map_err(|_| broken())?) as usize;
                let (from, to) = *self.blocks.get(place).ok_or_else(broken)?;
                &self.whole[from..to]
            }
            _ => return Err(broken()),
        };
        if !b"bBhHiIlLqQfd".contains(code) {
            return Err(self.fault("a block in it has values that Python's array module does not have"));
        }
        let array = ARRAY.get_or_try_init(self.py, || -> PyResult<_> { Ok(self.py.import("array")?.getattr("array")?.unbind()) })?;
        array.bind(self.py).call1((char::from(*code).to_string(), PyBytes::new(self.py, data)))
    }
}

/// Lists as tuples, all the way down.
fn frozen<'py>(list: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyTuple>> {
    let items = list.iter().map(|item| match item.cast::<PyList>() {
        Ok(list) => Ok(frozen(list)?.into_any()),
        Err(_) => Ok(item.clone()),
    });
    PyTuple::new(list.py(), items.collect::<PyResult<Vec<_>>>()?)
}
