//! Leases: messages that stay the queue's until they are done with.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use polyproc::ipc::{self, ErrorKind};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::{self, OrRaise};
use crate::value::from_bytes;

/// A message on lease. If this process is killed, or the lease runs out, it goes back to the queue and somebody else gets it.
///
/// As a context manager it is acknowledged at the end, and given back if there was an exception.
#[allow(clippy::struct_field_names)]
#[pyclass(frozen, module = "polyproc._core")]
pub(crate) struct Lease {
    lease: Mutex<Option<ipc::Lease>>,
    value: Py<PyAny>,
    deliveries: u32,
}

impl Lease {
    /// The lease, with its message decoded. A message that cannot be decoded goes back.
    pub(crate) fn of(py: Python<'_>, lease: ipc::Lease) -> PyResult<Lease> {
        let value = from_bytes(py, &lease, lease.message().codec())?.unbind();
        let deliveries = lease.deliveries();
        Ok(Lease { lease: Mutex::new(Some(lease)), value, deliveries })
    }

    fn end(&self, py: Python<'_>, act: impl FnOnce(ipc::Lease) -> ipc::Result<()>) -> PyResult<()> {
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner).take();
        let lease = lease.ok_or_else(|| PyValueError::new_err("this lease has ended"))?;
        act(lease).or_raise(py)
    }
}

fn duration(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|error| PyValueError::new_err(error.to_string()))
}

#[pymethods]
impl Lease {
    /// The message.
    #[getter]
    fn value(&self, py: Python<'_>) -> Py<PyAny> {
        self.value.clone_ref(py)
    }

    /// How often it was handed out, this time included.
    #[getter]
    fn deliveries(&self) -> u32 {
        self.deliveries
    }

    /// The message is done with.
    fn ack(&self, py: Python<'_>) -> PyResult<()> {
        self.end(py, ipc::Lease::ack)
    }

    /// It goes back, to be handed out again after `delay` seconds.
    #[pyo3(signature = (delay = 0.0))]
    fn nak(&self, py: Python<'_>, delay: f64) -> PyResult<()> {
        let delay = duration(delay)?;
        self.end(py, |lease| lease.nak(delay))
    }

    /// It can never be done: a dead letter from now on.
    fn bury(&self, py: Python<'_>) -> PyResult<()> {
        self.end(py, ipc::Lease::bury)
    }

    /// The lease ends `seconds` from now.
    fn extend(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        let limit = duration(seconds)?;
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        lease.as_ref().ok_or_else(|| PyValueError::new_err("this lease has ended"))?.extend(limit).or_raise(py)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(&self, py: Python<'_>, kind: &Bound<'_, PyAny>, _error: &Bound<'_, PyAny>, _trace: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some(lease) = self.lease.lock().unwrap_or_else(PoisonError::into_inner).take() else { return Ok(()) };
        match if kind.is_none() { lease.ack() } else { lease.nak(Duration::ZERO) } {
            // What went wrong in the body says more.
            Err(error) if !kind.is_none() && error.kind() == ErrorKind::LeaseLost => Ok(()),
            Err(error) => Err(error::of(py, &error)),
            Ok(()) => Ok(()),
        }
    }
}
