//! Dict, set and namespace, as `polyproc.managers` has them: no server, one call is one step for everybody. Keys are the same if Python says so (`1`, `1.0` and `True` are one key).

use std::time::Duration;

use polyproc::ipc::{self, BytesDict, BytesSet, ErrorKind, Message, Packed};
use pyo3::exceptions::{PyAttributeError, PyKeyError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyTuple};

use crate::error::{self, OrRaise};
use crate::fabric::{self, Fabric};
use crate::value::{Outgoing, from_message, outgoing};
use crate::wait::{wait, within};

/// A dict of all processes.
#[pyclass(frozen, subclass, module = "polyproc._core")]
pub(crate) struct Dict {
    dict: BytesDict,
}

/// A set of all processes.
#[pyclass(frozen, subclass, module = "polyproc._core")]
pub(crate) struct Set {
    set: BytesSet,
}

/// Attributes of all processes.
#[pyclass(frozen, subclass, module = "polyproc._core")]
pub(crate) struct Namespace {
    namespace: ipc::Namespace,
}

/// A value to be stored.
pub(crate) struct Stored {
    message: Outgoing,
    whole: Option<Vec<u8>>,
}

impl Stored {
    #[inline]
    pub(crate) fn of(value: &Bound<'_, PyAny>) -> PyResult<Stored> {
        let message = outgoing(value)?;
        let whole = message.bytes().is_none().then(|| message.to_vec());
        Ok(Stored { message, whole })
    }

    /// As [`Stored::of`], of what must be a key.
    fn key(value: &Bound<'_, PyAny>) -> PyResult<Stored> {
        value.hash()?;
        Stored::of(value)
    }

    #[inline]
    pub(crate) fn packed(&self) -> Packed<'_> {
        Packed::from((self.message.bytes().or(self.whole.as_deref()).unwrap_or_default(), self.message.codec()))
    }
}

#[cold]
fn absent(key: &Bound<'_, PyAny>) -> PyErr {
    PyKeyError::new_err(key.clone().unbind())
}

fn pairs(py: Python<'_>, entries: Vec<(Message, Message)>) -> PyResult<Bound<'_, PyList>> {
    let pairs = entries.into_iter().map(|(key, value)| PyTuple::new(py, [from_message(py, key)?, from_message(py, value)?]));
    PyList::new(py, pairs.collect::<PyResult<Vec<_>>>()?)
}

#[pymethods]
impl Dict {
    #[new]
    #[pyo3(signature = (*_init, fabric = None, name = None, ticket = None, **_kwargs))]
    fn new(
        py: Python<'_>,
        _init: &Bound<'_, PyTuple>,
        fabric: Option<Bound<'_, Fabric>>,
        name: Option<&str>,
        ticket: Option<&[u8]>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Dict> {
        let dict = match (ticket, name) {
            (Some(bytes), _) => BytesDict::from_ticket(&fabric::ticket(py, bytes)?),
            (None, None) => BytesDict::new(&fabric::place(py, fabric.as_ref())?),
            (None, Some(name)) => BytesDict::open_or_create(&fabric::place(py, fabric.as_ref())?, name),
        };
        Ok(Dict { dict: dict.or_raise(py)? })
    }

    fn __len__(&self) -> usize {
        self.dict.len()
    }

    fn __contains__(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.dict.contains(Stored::key(key)?.packed()).or_raise(py)
    }

    fn __getitem__<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match self.dict.get(Stored::key(key)?.packed()).or_raise(py)? {
            Some(value) => from_message(py, value),
            None => Err(absent(key)),
        }
    }

    fn __setitem__(&self, py: Python<'_>, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.dict.set(Stored::key(key)?.packed(), Stored::of(value)?.packed()).map(drop).or_raise(py)
    }

    fn __delitem__(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<()> {
        self.dict.delete(Stored::key(key)?.packed()).map_err(|error| if error.kind() == ErrorKind::NotFound { absent(key) } else { error::of(py, &error) })
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.keys(py)?.try_iter()?.into_any())
    }

    /// The value of a key, or `default`.
    #[pyo3(signature = (key, default = None))]
    fn get<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>, default: Option<Bound<'py, PyAny>>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.dict.get(Stored::key(key)?.packed()).or_raise(py)? {
            Some(value) => from_message(py, value).map(Some),
            None => Ok(default),
        }
    }

    /// Takes a key out: the value it had, else `default`, else KeyError.
    #[pyo3(signature = (key, *default))]
    fn pop<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>, default: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        match self.dict.take(Stored::key(key)?.packed()).or_raise(py)? {
            Some(value) => from_message(py, value),
            None => default.get_item(0).map_err(|_| absent(key)),
        }
    }

    /// Takes out the entry whose key came last.
    fn popitem<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let (key, value) = self.dict.pop_item().map_err(|error| match error.kind() {
            ErrorKind::NotFound => PyKeyError::new_err("popitem(): dictionary is empty"),
            _ => error::of(py, &error),
        })?;
        Ok((from_message(py, key)?, from_message(py, value)?))
    }

    /// The value of a key; where it is absent, it is given `default` first.
    #[pyo3(signature = (key, default = None))]
    fn setdefault<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>, default: Option<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        let default = default.unwrap_or_else(|| py.None().into_bound(py));
        from_message(py, self.dict.set_default(Stored::key(key)?.packed(), Stored::of(&default)?.packed()).or_raise(py)?)
    }

    /// Empties it.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.dict.clear().or_raise(py)
    }

    /// All keys, as a list.
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let keys = self.dict.keys().map(|key| from_message(py, key.or_raise(py)?));
        PyList::new(py, keys.collect::<PyResult<Vec<_>>>()?)
    }

    /// All values, as a list.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let values = self.dict.values().map(|value| from_message(py, value.or_raise(py)?));
        PyList::new(py, values.collect::<PyResult<Vec<_>>>()?)
    }

    /// All pairs of a key and a value at one instant, as a list.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        pairs(py, self.dict.snapshot().or_raise(py)?)
    }

    /// A plain dict of what is there at one instant.
    fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let copy = PyDict::new(py);
        for (key, value) in self.dict.snapshot().or_raise(py)? {
            copy.set_item(from_message(py, key)?, from_message(py, value)?)?;
        }
        Ok(copy)
    }

    /// The value of a key and its version; None if it is absent.
    fn get_versioned<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Option<(Bound<'py, PyAny>, u64)>> {
        let found = self.dict.get_versioned(Stored::key(key)?.packed()).or_raise(py)?;
        found.map(|(value, version)| Ok((from_message(py, value)?, version))).transpose()
    }

    /// Gives a key a value if it has the version `expected` (None: is absent): the new version, or None if nothing was changed.
    fn compare_and_set(&self, py: Python<'_>, key: &Bound<'_, PyAny>, expected: Option<u64>, value: &Bound<'_, PyAny>) -> PyResult<Option<u64>> {
        self.dict.compare_and_set(Stored::key(key)?.packed(), expected, Stored::of(value)?.packed()).or_raise(py)
    }

    /// Adds to the integer that a key has, in one step; an absent one counts as 0. The sum.
    #[pyo3(signature = (key, delta = 1))]
    fn increment(&self, py: Python<'_>, key: &Bound<'_, PyAny>, delta: i64) -> PyResult<i128> {
        self.dict.increment(Stored::key(key)?.packed(), delta).or_raise(py)
    }

    /// A number that is another one after every change.
    fn version(&self, py: Python<'_>) -> PyResult<u64> {
        self.dict.version().or_raise(py)
    }

    /// Waits until `version` is another than `since`; what it is then.
    #[pyo3(signature = (since, timeout = None))]
    fn wait_change(&self, py: Python<'_>, since: u64, timeout: Option<f64>) -> PyResult<u64> {
        wait(py, within(timeout), |slice: Option<Duration>| self.dict.wait_change(since, slice))?.or_raise(py)
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let dict = &slf.get().dict;
        fabric::reduce(slf.as_any(), dict.ticket(), dict.fabric())
    }
}

#[pymethods]
impl Set {
    #[new]
    #[pyo3(signature = (*_init, fabric = None, name = None, ticket = None))]
    fn new(py: Python<'_>, _init: &Bound<'_, PyTuple>, fabric: Option<Bound<'_, Fabric>>, name: Option<&str>, ticket: Option<&[u8]>) -> PyResult<Set> {
        let set = match (ticket, name) {
            (Some(bytes), _) => BytesSet::from_ticket(&fabric::ticket(py, bytes)?),
            (None, None) => BytesSet::new(&fabric::place(py, fabric.as_ref())?),
            (None, Some(name)) => BytesSet::open_or_create(&fabric::place(py, fabric.as_ref())?, name),
        };
        Ok(Set { set: set.or_raise(py)? })
    }

    fn __len__(&self) -> usize {
        self.set.len()
    }

    fn __contains__(&self, py: Python<'_>, element: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.set.contains(Stored::key(element)?.packed()).or_raise(py)
    }

    /// Adds an element.
    fn add(&self, py: Python<'_>, element: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set.add(Stored::key(element)?.packed()).map(drop).or_raise(py)
    }

    /// Takes an element out, if it is there.
    fn discard(&self, py: Python<'_>, element: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set.discard(Stored::key(element)?.packed()).map(drop).or_raise(py)
    }

    /// Takes an element out; KeyError if it is not there.
    fn remove(&self, py: Python<'_>, element: &Bound<'_, PyAny>) -> PyResult<()> {
        if self.set.discard(Stored::key(element)?.packed()).or_raise(py)? { Ok(()) } else { Err(absent(element)) }
    }

    /// Takes some element out; KeyError if there is none.
    fn pop<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let element = self.set.pop().map_err(|error| match error.kind() {
            ErrorKind::NotFound => PyKeyError::new_err("pop from an empty set"),
            _ => error::of(py, &error),
        })?;
        from_message(py, element)
    }

    /// Empties it.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.set.clear().or_raise(py)
    }

    /// A plain set of what is there at one instant.
    fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PySet>> {
        let elements = self.set.snapshot().or_raise(py)?.into_iter().map(|element| from_message(py, element));
        PySet::new(py, elements.collect::<PyResult<Vec<_>>>()?)
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let set = &slf.get().set;
        fabric::reduce(slf.as_any(), set.ticket(), set.fabric())
    }
}

#[pymethods]
impl Namespace {
    #[new]
    #[pyo3(signature = (*, fabric = None, name = None, ticket = None, **_kwargs))]
    fn new(
        py: Python<'_>,
        fabric: Option<Bound<'_, Fabric>>,
        name: Option<&str>,
        ticket: Option<&[u8]>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Namespace> {
        let namespace = match (ticket, name) {
            (Some(bytes), _) => ipc::Namespace::from_ticket(&fabric::ticket(py, bytes)?),
            (None, None) => ipc::Namespace::new(&fabric::place(py, fabric.as_ref())?),
            (None, Some(name)) => ipc::Namespace::open_or_create(&fabric::place(py, fabric.as_ref())?, name),
        };
        Ok(Namespace { namespace: namespace.or_raise(py)? })
    }

    /// The value of a name; AttributeError if it has none.
    fn _read<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        from_message(py, self.namespace.get_bytes(name).map_err(|error| no_attribute(py, name, &error))?)
    }

    /// Gives a name a value.
    fn _write(&self, py: Python<'_>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.namespace.set_bytes(name, Stored::of(value)?.packed()).or_raise(py)
    }

    /// Takes a name away.
    fn _erase(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.namespace.delete(name).map_err(|error| no_attribute(py, name, &error))
    }

    /// All names and values, as a plain dict.
    fn _read_all<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        for (name, value) in self.namespace.items().or_raise(py)? {
            all.set_item(name, from_message(py, value)?)?;
        }
        Ok(all)
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let namespace = &slf.get().namespace;
        fabric::reduce(slf.as_any(), namespace.ticket(), namespace.fabric())
    }
}

#[cold]
fn no_attribute(py: Python<'_>, name: &str, error: &ipc::Error) -> PyErr {
    match error.kind() {
        ErrorKind::NotFound => PyAttributeError::new_err(format!("'Namespace' object has no attribute '{name}'")),
        _ => error::of(py, error),
    }
}
