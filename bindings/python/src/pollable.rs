//! Descriptors for event loops.

use std::os::fd::{AsRawFd, RawFd};

use polyproc::ipc;
use pyo3::prelude::*;

use crate::error::OrRaise;
use crate::wait::{wait_until, within};

/// A descriptor that is readable when the object may be ready. `rearm` before the next wait.
#[pyclass(frozen, module = "polyproc._core")]
pub(crate) struct Pollable(pub(crate) ipc::Pollable);

#[pymethods]
impl Pollable {
    /// The descriptor, for `select`, `poll`, `asyncio` and `connection.wait`.
    fn fileno(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Watches the object again. If it is ready now, the descriptor is readable when this returns.
    fn rearm(&self, py: Python<'_>) -> PyResult<()> {
        self.0.rearm().or_raise(py)
    }

    /// Whether the descriptor is readable.
    fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    /// Waits until it is; False if time is up first.
    #[pyo3(signature = (timeout = None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        wait_until(py, within(timeout), |slice| self.0.wait(slice))?.or_raise(py)
    }
}
