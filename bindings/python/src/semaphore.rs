//! Semaphores, as `polyproc.synchronize` has them. What a killed process held comes back.

use std::time::Duration;

use polyproc::ipc::{self, ErrorKind};
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;

use crate::error::{self, OrRaise};
use crate::fabric::{self, Fabric};
use crate::pollable::Pollable;
use crate::wait::{limit, wait};

/// A count that never goes below zero. Permits of a process that is killed come back.
#[pyclass(frozen, subclass, module = "polyproc._core")]
pub(crate) struct Semaphore {
    semaphore: ipc::Semaphore,
}

/// A semaphore that is never released above the value that it was made with.
#[pyclass(frozen, subclass, extends = Semaphore, module = "polyproc._core")]
pub(crate) struct BoundedSemaphore;

fn make(py: Python<'_>, value: i64, bounded: bool, fabric: Option<&Bound<'_, Fabric>>, name: Option<&str>, ticket: Option<&[u8]>) -> PyResult<Semaphore> {
    if let Some(bytes) = ticket {
        return Ok(Semaphore { semaphore: ipc::Semaphore::from_ticket(&fabric::ticket(py, bytes)?).or_raise(py)? });
    }
    let value = u32::try_from(value).map_err(|_| PyValueError::new_err("semaphore initial value must be >= 0 and not above SEM_VALUE_MAX"))?;
    let fabric = fabric::place(py, fabric)?;
    let made = match (name, bounded) {
        (None, false) => ipc::Semaphore::new(&fabric, value),
        (Some(name), false) => ipc::Semaphore::open_or_create(&fabric, name, value),
        (None, true) => ipc::BoundedSemaphore::new(&fabric, value).map(|bounded| (*bounded).clone()),
        (Some(name), true) => ipc::BoundedSemaphore::open_or_create(&fabric, name, value).map(|bounded| (*bounded).clone()),
    };
    Ok(Semaphore { semaphore: made.or_raise(py)? })
}

#[pymethods]
impl Semaphore {
    #[new]
    #[pyo3(signature = (value = 1, *, ctx = None, fabric = None, name = None, ticket = None))]
    fn new(
        py: Python<'_>,
        value: i64,
        ctx: Option<Bound<'_, PyAny>>,
        fabric: Option<Bound<'_, Fabric>>,
        name: Option<&str>,
        ticket: Option<&[u8]>,
    ) -> PyResult<Semaphore> {
        drop(ctx);
        make(py, value, false, fabric.as_ref(), name, ticket)
    }

    /// Acquires a permit; False if none was free (in time).
    #[pyo3(signature = (block = true, timeout = None))]
    fn acquire(&self, py: Python<'_>, block: bool, timeout: Option<f64>) -> PyResult<bool> {
        self.take(py, limit(block, timeout))
    }

    /// Gives a permit back, whoever acquired it. ValueError if a bounded semaphore would have more than it was made with.
    fn release(&self, py: Python<'_>) -> PyResult<()> {
        self.semaphore.release(1).map_err(|error| match error.kind() {
            ErrorKind::NotHeld => PyValueError::new_err("semaphore or lock released too many times"),
            ErrorKind::TooLarge => PyOverflowError::new_err("a semaphore cannot have more permits"),
            _ => error::of(py, &error),
        })
    }

    /// A descriptor for event loops, readable when it may be ready.
    fn pollable(&self, py: Python<'_>) -> PyResult<Pollable> {
        Ok(Pollable(self.semaphore.pollable().or_raise(py)?))
    }

    /// How many permits are free.
    fn get_value(&self, py: Python<'_>) -> PyResult<u32> {
        self.semaphore.value().or_raise(py)
    }

    /// Whether none is.
    fn locked(&self) -> bool {
        self.semaphore.locked()
    }

    /// The number of free permits that is never passed; None: no bound.
    #[getter]
    fn bound(&self) -> Option<u32> {
        self.semaphore.bound()
    }

    fn __enter__(&self, py: Python<'_>) -> PyResult<bool> {
        self.take(py, None)
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, py: Python<'_>, _error: &Bound<'_, PyAny>) -> PyResult<()> {
        self.release(py)
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let semaphore = &slf.get().semaphore;
        fabric::reduce(slf.as_any(), semaphore.ticket(), semaphore.fabric())
    }
}

impl Semaphore {
    fn take(&self, py: Python<'_>, time: Option<Duration>) -> PyResult<bool> {
        let taken = match self.semaphore.try_acquire() {
            Err(error) if error.kind() == ErrorKind::Timeout && time != Some(Duration::ZERO) => wait(py, time, |slice| self.semaphore.acquire(slice))?,
            other => other,
        };
        match taken {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Timeout => Ok(false),
            Err(error) => Err(error::of(py, &error)),
        }
    }
}

#[pymethods]
impl BoundedSemaphore {
    #[new]
    #[pyo3(signature = (value = 1, *, ctx = None, fabric = None, name = None, ticket = None))]
    fn new(
        py: Python<'_>,
        value: i64,
        ctx: Option<Bound<'_, PyAny>>,
        fabric: Option<Bound<'_, Fabric>>,
        name: Option<&str>,
        ticket: Option<&[u8]>,
    ) -> PyResult<(BoundedSemaphore, Semaphore)> {
        drop(ctx);
        Ok((BoundedSemaphore, make(py, value, true, fabric.as_ref(), name, ticket)?))
    }
}
