//! Event, as `polyproc.synchronize.Event` is.

use polyproc::ipc;
use pyo3::prelude::*;

use crate::error::OrRaise;
use crate::fabric::{self, Fabric};
use crate::pollable::Pollable;
use crate::wait::{wait_until, within};

/// A flag that processes wait for.
#[pyclass(frozen, subclass, module = "polyproc._core")]
pub(crate) struct Event {
    event: ipc::Event,
}

#[pymethods]
impl Event {
    #[new]
    #[pyo3(signature = (*, ctx = None, fabric = None, name = None, ticket = None))]
    fn new(py: Python<'_>, ctx: Option<Bound<'_, PyAny>>, fabric: Option<Bound<'_, Fabric>>, name: Option<&str>, ticket: Option<&[u8]>) -> PyResult<Event> {
        drop(ctx);
        let event = match (ticket, name) {
            (Some(bytes), _) => ipc::Event::from_ticket(&fabric::ticket(py, bytes)?),
            (None, None) => ipc::Event::new(&fabric::place(py, fabric.as_ref())?),
            (None, Some(name)) => ipc::Event::open_or_create(&fabric::place(py, fabric.as_ref())?, name),
        };
        Ok(Event { event: event.or_raise(py)? })
    }

    /// A descriptor for event loops, readable when it may be ready.
    fn pollable(&self, py: Python<'_>) -> PyResult<Pollable> {
        Ok(Pollable(self.event.pollable().or_raise(py)?))
    }

    /// Whether it is set.
    fn is_set(&self) -> bool {
        self.event.is_set()
    }

    /// Sets it, and wakes whoever waits.
    fn set(&self, py: Python<'_>) -> PyResult<()> {
        self.event.set().or_raise(py)
    }

    /// Clears it.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.event.clear().or_raise(py)
    }

    /// Waits until it is set; False if time is up first.
    #[pyo3(signature = (timeout = None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        if self.event.is_set() {
            return Ok(true);
        }
        wait_until(py, within(timeout), |slice| self.event.wait(slice))?.or_raise(py)
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let event = &slf.get().event;
        fabric::reduce(slf.as_any(), event.ticket(), event.fabric())
    }
}
