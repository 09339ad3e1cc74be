//! List, as `polyproc.managers` has it: every call is one step for everybody.

use polyproc::ipc::{self, BytesList, ErrorKind, Packed, Slice};
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PySlice, PyTuple};

use crate::dict::Stored;
use crate::error::{self, OrRaise};
use crate::fabric::{self, Fabric};
use crate::value::from_message;

/// A list of all processes.
#[pyclass(frozen, subclass, module = "polyproc._core")]
pub(crate) struct List {
    list: BytesList,
}

/// What stands in brackets.
enum At {
    Item(i64),
    Items(Slice),
}

impl At {
    fn of(index: &Bound<'_, PyAny>) -> PyResult<At> {
        let Ok(slice) = index.cast::<PySlice>() else {
            return index.extract().map(At::Item).map_err(|_| PyTypeError::new_err("list indices must be integers or slices"));
        };
        let part = |name: &str| slice.getattr(name)?.extract::<Option<i64>>();
        let step = part("step")?;
        if step == Some(0) {
            return Err(PyValueError::new_err("slice step cannot be zero"));
        }
        Ok(At::Items(Slice::new(part("start")?, part("stop")?, step)))
    }
}

fn outside(py: Python<'_>, error: &ipc::Error) -> PyErr {
    match error.kind() {
        ErrorKind::InvalidArgument => PyIndexError::new_err("list index out of range"),
        _ => error::of(py, error),
    }
}

fn stored(items: &Bound<'_, PyAny>) -> PyResult<Vec<Stored>> {
    items.try_iter()?.map(|item| Stored::of(&item?)).collect()
}

#[pymethods]
impl List {
    #[new]
    #[pyo3(signature = (*_init, fabric = None, name = None, ticket = None))]
    fn new(py: Python<'_>, _init: &Bound<'_, PyTuple>, fabric: Option<Bound<'_, Fabric>>, name: Option<&str>, ticket: Option<&[u8]>) -> PyResult<List> {
        let list = match (ticket, name) {
            (Some(bytes), _) => BytesList::from_ticket(&fabric::ticket(py, bytes)?),
            (None, None) => BytesList::new(&fabric::place(py, fabric.as_ref())?),
            (None, Some(name)) => BytesList::open_or_create(&fabric::place(py, fabric.as_ref())?, name),
        };
        Ok(List { list: list.or_raise(py)? })
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.list.len().or_raise(py)
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match At::of(index)? {
            At::Item(index) => from_message(py, self.list.get(index).map_err(|error| outside(py, &error))?),
            At::Items(slice) => {
                let items = self.list.get_slice(slice).or_raise(py)?.into_iter().map(|item| from_message(py, item));
                Ok(PyList::new(py, items.collect::<PyResult<Vec<_>>>()?)?.into_any())
            }
        }
    }

    fn __setitem__(&self, py: Python<'_>, index: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        match At::of(index)? {
            At::Item(index) => self.list.set(index, Stored::of(value)?.packed()).map_err(|error| outside(py, &error)),
            At::Items(slice) => {
                let items = stored(value)?;
                let packed: Vec<Packed<'_>> = items.iter().map(Stored::packed).collect();
                self.list.set_slice(slice, &packed).map_err(|error| match error.kind() {
                    ErrorKind::InvalidArgument => PyValueError::new_err(error.to_string()),
                    _ => error::of(py, &error),
                })
            }
        }
    }

    fn __delitem__(&self, py: Python<'_>, index: &Bound<'_, PyAny>) -> PyResult<()> {
        match At::of(index)? {
            At::Item(index) => self.list.delete(index).map_err(|error| outside(py, &error)),
            At::Items(slice) => self.list.delete_slice(slice).or_raise(py),
        }
    }

    /// Adds an item at the end.
    fn append(&self, py: Python<'_>, item: &Bound<'_, PyAny>) -> PyResult<()> {
        self.list.append(Stored::of(item)?.packed()).or_raise(py)
    }

    /// Adds all items at the end, or none.
    fn extend(&self, py: Python<'_>, items: &Bound<'_, PyAny>) -> PyResult<()> {
        let items = stored(items)?;
        let packed: Vec<Packed<'_>> = items.iter().map(Stored::packed).collect();
        self.list.extend(&packed).or_raise(py)
    }

    /// Puts an item before the one at `index`.
    fn insert(&self, py: Python<'_>, index: i64, item: &Bound<'_, PyAny>) -> PyResult<()> {
        self.list.insert(index, Stored::of(item)?.packed()).or_raise(py)
    }

    /// Takes the item at `index` out.
    #[pyo3(signature = (index = -1))]
    fn pop<'py>(&self, py: Python<'py>, index: i64) -> PyResult<Bound<'py, PyAny>> {
        from_message(py, self.list.pop_at(index).map_err(|error| outside(py, &error))?)
    }

    /// Takes the first item out whose encoding is that of `item`; whether there was one.
    fn remove_same(&self, py: Python<'_>, item: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.list.remove(Stored::of(item)?.packed()).or_raise(py)
    }

    /// Deletes all items.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.list.clear().or_raise(py)
    }

    /// Turns it round.
    fn reverse(&self, py: Python<'_>) -> PyResult<()> {
        self.list.reverse().or_raise(py)
    }

    /// Becomes itself so many times over.
    fn repeat(&self, py: Python<'_>, times: usize) -> PyResult<()> {
        self.list.repeat(times).or_raise(py)
    }

    /// Puts the items into the order that `order` answers: a function from a plain list of the items to a list of their places.
    fn rearrange(&self, py: Python<'_>, order: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut raised = None;
        let done = self.list.rearrange(|messages| {
            let ask = || -> PyResult<Vec<usize>> {
                let items = messages.iter().map(|message| crate::value::from_bytes(py, message, message.codec()));
                order.call1((PyList::new(py, items.collect::<PyResult<Vec<_>>>()?)?,))?.extract()
            };
            ask().map_err(|error| {
                raised = Some(error);
                ipc::Error::new(ErrorKind::InvalidArgument, "the order of the items is not known")
            })
        });
        raised.map_or_else(|| done.or_raise(py), Err)
    }

    /// A plain list of what is there at one instant.
    fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let items = self.list.to_vec().or_raise(py)?.into_iter().map(|item| from_message(py, item));
        PyList::new(py, items.collect::<PyResult<Vec<_>>>()?)
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let list = &slf.get().list;
        fabric::reduce(slf.as_any(), list.ticket(), list.fabric())
    }
}
