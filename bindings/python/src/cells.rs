//! Values and arrays of C types in shared memory, as `polyproc.sharedctypes` stands on. A ctypes object lies over the cells (`memory`); what is asked for most, numbers, goes here without it.

use polyproc::ipc::{self, CellType, Kind, Locking};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyInt};

use crate::error::OrRaise;
use crate::fabric::{self, Fabric};
use crate::lock::{Lock, Lockable};
use crate::memory::export;
use crate::rlock::RLock;

/// Cells of one C type in shared memory.
#[pyclass(frozen, module = "polyproc._core")]
pub(crate) struct Cells(ipc::Cells);

#[pymethods]
impl Cells {
    /// `count` cells of a type code, or (None) of `size` bytes and an alignment; all zero.
    #[new]
    #[pyo3(signature = (code = None, size = 1, align = 1, count = None, *, fabric = None, name = None, ticket = None))]
    #[allow(clippy::too_many_arguments)] // what it is, and where it is to be made
    fn new(
        py: Python<'_>,
        code: Option<char>,
        size: usize,
        align: usize,
        count: Option<usize>,
        fabric: Option<Bound<'_, Fabric>>,
        name: Option<&str>,
        ticket: Option<&[u8]>,
    ) -> PyResult<Cells> {
        if let Some(bytes) = ticket {
            return Ok(Cells(ipc::Cells::from_ticket(&fabric::ticket(py, bytes)?).or_raise(py)?));
        }
        let fabric = fabric::place(py, fabric.as_ref())?;
        let cell = match code.and_then(CellType::from_code) {
            Some(cell) => cell,
            None => CellType::structure(size, align, "").or_raise(py)?,
        };
        let kind = if count.is_some() { Kind::Array } else { Kind::Value };
        let count = count.unwrap_or(1);
        let made = match name {
            None => ipc::Cells::create(&fabric, kind, None, &cell, count, Locking::None, None),
            Some(name) => ipc::Cells::open_or_create(&fabric, kind, name, &cell, count, Locking::Own, None),
        };
        Ok(Cells(made.or_raise(py)?))
    }

    /// The cells as a writable buffer.
    #[allow(unsafe_code)]
    fn memory<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let start = self.0.as_ptr().or_raise(py)?;
        let len = self.0.len() * self.0.cell_type().size();
        // SAFETY: the pointer stays valid while a clone of the handle lives, and the buffer keeps one. Whoever writes to cells without their lock has himself to thank, as with the reference.
        unsafe { export(py, start, len, false, Box::new(self.0.clone())) }
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let cells = &slf.get().0;
        fabric::reduce(slf.as_any(), cells.ticket(), cells.fabric())
    }
}

/// The lock of a value or array: ours, or whatever has `acquire` and `release`.
enum Held {
    Lock(Py<Lock>),
    RLock(Py<RLock>),
    Other(Py<PyAny>),
}

impl Held {
    fn of(lock: &Bound<'_, PyAny>) -> Held {
        match (lock.cast::<Lock>(), lock.cast::<RLock>()) {
            (Ok(lock), _) => Held::Lock(lock.clone().unbind()),
            (_, Ok(lock)) => Held::RLock(lock.clone().unbind()),
            _ => Held::Other(lock.clone().unbind()),
        }
    }

    #[inline]
    fn hold<R>(&self, py: Python<'_>, act: impl FnOnce() -> PyResult<R>) -> PyResult<R> {
        match self {
            Held::Lock(lock) => lock.get().take(py, None).map(drop)?,
            Held::RLock(lock) => lock.get().take(py, None).map(drop)?,
            Held::Other(lock) => lock.call_method0(py, "acquire").map(drop)?,
        }
        let result = act();
        let released = match self {
            Held::Lock(lock) => lock.get().release(py),
            Held::RLock(lock) => lock.get().release(py),
            Held::Other(lock) => lock.call_method0(py, "release").map(drop),
        };
        let result = result?;
        released.map(|()| result)
    }
}

/// Cells under a lock, and the ctypes object that lies over them.
struct Guarded {
    cells: Py<Cells>,
    code: u8,
    lock: Held,
    object: Py<PyAny>,
}

impl Guarded {
    fn of(cells: &Bound<'_, Cells>, object: Py<PyAny>, lock: &Bound<'_, PyAny>) -> Guarded {
        Guarded { cells: cells.clone().unbind(), code: cells.get().0.cell_type().code() as u8, lock: Held::of(lock), object }
    }

    /// The number in a cell; none if it is no number.
    #[inline]
    fn number<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        let cells = &self.cells.get().0;
        let mut bytes = [0; 8];
        let size = match self.code {
            b'b' | b'B' => 1,
            b'h' | b'H' => 2,
            b'i' | b'I' | b'f' => 4,
            b'l' | b'L' | b'q' | b'Q' | b'd' => 8,
            _ => return Ok(None),
        };
        cells.read(index, &mut bytes[..size]).or_raise(py)?;
        let word = u64::from_le_bytes(bytes);
        let number = match self.code {
            b'b' => i64::from(word as i8),
            b'h' => i64::from(word as i16),
            b'i' => i64::from(word as i32),
            b'f' => return Ok(Some(PyFloat::new(py, f64::from(f32::from_bits(word as u32))).into_any())),
            b'd' => return Ok(Some(PyFloat::new(py, f64::from_bits(word)).into_any())),
            b'L' | b'Q' => return Ok(Some(word.into_pyobject(py)?.into_any())),
            _ => word as i64,
        };
        Ok(Some(number.into_pyobject(py)?.into_any()))
    }

    /// Stores a number, as ctypes would: too large a one is cut. False if it is none, or the cell not for one.
    #[inline]
    fn store(&self, value: &Bound<'_, PyAny>, index: usize) -> PyResult<bool> {
        let (cells, py) = (&self.cells.get().0, value.py());
        let bytes = match self.code {
            b'f' | b'd' if value.is_exact_instance_of::<PyFloat>() => {
                let number: f64 = value.extract()?;
                if self.code == b'd' { number.to_bits() } else { u64::from((number as f32).to_bits()) }.to_le_bytes()
            }
            b'b' | b'B' | b'h' | b'H' | b'i' | b'I' | b'l' | b'L' | b'q' | b'Q' if value.is_exact_instance_of::<PyInt>() => match value.extract::<i64>() {
                Ok(number) => number.to_le_bytes(),
                Err(_) => return Ok(false),
            },
            _ => return Ok(false),
        };
        let size = cells.cell_type().size();
        cells.write(index, &bytes[..size]).or_raise(py)?;
        Ok(true)
    }
}

/// A value under its lock.
#[pyclass(frozen, subclass, module = "polyproc._core")]
pub(crate) struct Synchronized(Guarded);

/// An array under its lock.
#[pyclass(frozen, subclass, module = "polyproc._core")]
pub(crate) struct SynchronizedArray(Guarded);

#[pymethods]
impl Synchronized {
    #[new]
    fn new(cells: &Bound<'_, Cells>, object: Py<PyAny>, lock: &Bound<'_, PyAny>) -> Synchronized {
        Synchronized(Guarded::of(cells, object, lock))
    }

    /// The value, read and written under the lock.
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let this = &self.0;
        this.lock.hold(py, || match this.number(py, 0)? {
            Some(number) => Ok(number),
            None => this.object.bind(py).getattr("value"),
        })
    }

    #[setter]
    fn set_value(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let this = &self.0;
        this.lock.hold(py, || if this.store(value, 0)? { Ok(()) } else { this.object.bind(py).setattr("value", value) })
    }
}

#[pymethods]
impl SynchronizedArray {
    #[new]
    fn new(cells: &Bound<'_, Cells>, object: Py<PyAny>, lock: &Bound<'_, PyAny>) -> SynchronizedArray {
        SynchronizedArray(Guarded::of(cells, object, lock))
    }

    fn __len__(&self) -> usize {
        self.0.cells.get().0.len()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let this = &self.0;
        this.lock.hold(py, || {
            if let Some(place) = self.place(index)?
                && let Some(number) = this.number(py, place)?
            {
                return Ok(number);
            }
            this.object.bind(py).get_item(index)
        })
    }

    fn __setitem__(&self, py: Python<'_>, index: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let this = &self.0;
        this.lock.hold(py, || {
            if let Some(place) = self.place(index)?
                && this.store(value, place)?
            {
                return Ok(());
            }
            this.object.bind(py).set_item(index, value)
        })
    }
}

impl SynchronizedArray {
    /// Which cell an index means; none if it is no plain number.
    #[inline]
    fn place(&self, index: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        if !index.is_exact_instance_of::<PyInt>() {
            return Ok(None);
        }
        let len = self.0.cells.get().0.len();
        let place: isize = index.extract().map_err(|_| PyIndexError::new_err("invalid index"))?;
        let place = if place < 0 { place + len as isize } else { place };
        usize::try_from(place).ok().filter(|place| *place < len).map(Some).ok_or_else(|| PyIndexError::new_err("invalid index"))
    }
}
