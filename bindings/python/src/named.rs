//! Named blocks and the lists in them, as `polyproc.shared_memory` has them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use polyproc::ipc::{self, ErrorKind, ShareableItem};
use pyo3::exceptions::{PyBufferError, PyFileExistsError, PyFileNotFoundError, PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyString};

use crate::error;
use crate::memory::{Exports, export_counted};

/// A mapped block of shared memory with a name.
#[allow(clippy::struct_field_names)]
#[pyclass(frozen, module = "polyproc._core")]
pub(crate) struct Block {
    block: Mutex<Option<Arc<ipc::SharedMemory>>>,
    name: String,
    size: usize,
    exports: Exports,
}

/// The exception that the reference has for an error of a named block.
#[cold]
fn of(py: Python<'_>, error: &ipc::Error, name: &str) -> PyErr {
    match error.kind() {
        ErrorKind::NotFound => PyFileNotFoundError::new_err((2, "No such file or directory", format!("/{name}"))),
        ErrorKind::AlreadyExists => PyFileExistsError::new_err((17, "File exists", format!("/{name}"))),
        ErrorKind::BadName | ErrorKind::InvalidArgument => PyValueError::new_err(error.to_string()),
        _ => error::of(py, error),
    }
}

#[pymethods]
impl Block {
    #[new]
    fn new(py: Python<'_>, name: Option<&str>, create: bool, size: usize) -> PyResult<Block> {
        let given = name.unwrap_or("");
        let block = if create { ipc::SharedMemory::create(name, size) } else { ipc::SharedMemory::attach(given) };
        let block = block.map_err(|error| of(py, &error, given))?;
        let (name, size) = (block.name().to_owned(), block.size());
        Ok(Block { block: Mutex::new(Some(Arc::new(block))), name, size, exports: Exports::default() })
    }

    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    #[getter]
    fn size(&self) -> usize {
        self.size
    }

    /// Its bytes, as a writable buffer, which keeps it mapped.
    #[allow(unsafe_code)]
    fn memory<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let block = self.block.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let block = block.ok_or_else(|| PyValueError::new_err("the block is closed"))?;
        let start = block.as_ptr();
        // SAFETY: the block is mapped while the `Arc` lives; that nothing guards its bytes is what a named block is.
        unsafe { export_counted(py, start, self.size, false, Box::new(block), self.exports.clone()) }
    }

    /// Unmaps it. BufferError if something still uses its bytes.
    fn close(&self) -> PyResult<()> {
        if self.exports.load(Ordering::Relaxed) > 0 {
            return Err(PyBufferError::new_err("cannot close exported pointers exist"));
        }
        self.block.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(())
    }

    /// Takes a name away.
    #[staticmethod]
    fn unlink(py: Python<'_>, name: &str) -> PyResult<()> {
        ipc::SharedMemory::unlink_name(name).map_err(|error| of(py, &error, name))
    }
}

/// A list of a fixed number of cells in a named block.
#[pyclass(frozen, subclass, module = "polyproc._core")]
pub(crate) struct CellList {
    list: ipc::ShareableList,
}

fn item(value: &Bound<'_, PyAny>) -> PyResult<ShareableItem> {
    Ok(if value.is_none() {
        ShareableItem::None
    } else if value.is_exact_instance_of::<PyBool>() {
        ShareableItem::Bool(value.extract()?)
    } else if value.is_instance_of::<PyInt>() {
        ShareableItem::Int(value.extract()?)
    } else if value.is_instance_of::<PyFloat>() {
        ShareableItem::Float(value.extract()?)
    } else if value.is_instance_of::<PyString>() {
        ShareableItem::Str(value.extract()?)
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        ShareableItem::Bytes(bytes.as_bytes().to_vec())
    } else {
        return Err(PyTypeError::new_err(format!("a {} cannot be in a ShareableList", value.get_type().name()?)));
    })
}

#[pymethods]
impl CellList {
    #[new]
    #[pyo3(signature = (sequence = None, *, name = None))]
    fn new(py: Python<'_>, sequence: Option<&Bound<'_, PyAny>>, name: Option<&str>) -> PyResult<CellList> {
        let list = match sequence {
            Some(sequence) => {
                let items = sequence.try_iter()?.map(|value| item(&value?)).collect::<PyResult<Vec<_>>>()?;
                ipc::ShareableList::create(name, &items)
            }
            None => ipc::ShareableList::attach(name.ok_or_else(|| PyValueError::new_err("give a sequence, or the name of a list"))?),
        };
        Ok(CellList { list: list.map_err(|error| of(py, &error, name.unwrap_or_default()))? })
    }

    fn __len__(&self) -> usize {
        self.list.len()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, position: isize) -> PyResult<Bound<'py, PyAny>> {
        let item = self.list.get(self.place(position)?).map_err(|error| error::of(py, &error))?;
        Ok(match item {
            ShareableItem::None => py.None().into_bound(py),
            ShareableItem::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
            ShareableItem::Int(value) => value.into_pyobject(py)?.into_any(),
            ShareableItem::Float(value) => value.into_pyobject(py)?.into_any(),
            ShareableItem::Str(value) => value.into_pyobject(py)?.into_any(),
            ShareableItem::Bytes(value) => PyBytes::new(py, &value).into_any(),
        })
    }

    fn __setitem__(&self, py: Python<'_>, position: isize, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let place = self.place(position)?;
        self.list.set(place, item(value)?).map_err(|error| match error.kind() {
            ErrorKind::TooLarge | ErrorKind::InvalidArgument => PyValueError::new_err("bytes/str item exceeds available storage"),
            _ => error::of(py, &error),
        })
    }

    /// Bytes of text that the cell at `position` can hold.
    fn capacity(&self, py: Python<'_>, position: isize) -> PyResult<usize> {
        self.list.capacity(self.place(position)?).map_err(|error| error::of(py, &error))
    }

    #[getter]
    fn block_name(&self) -> &str {
        self.list.shm().name()
    }
}

impl CellList {
    fn place(&self, position: isize) -> PyResult<usize> {
        let len = self.list.len();
        let place = if position < 0 { position + len as isize } else { position };
        usize::try_from(place).ok().filter(|place| *place < len).ok_or_else(|| PyIndexError::new_err("index out of range"))
    }
}
