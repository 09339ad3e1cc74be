//! RLock, as `polyproc.synchronize.RLock` is. The holder is a thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use polyproc::ipc::{self, Acquired, ErrorKind};
use pyo3::exceptions::PyAssertionError;
use pyo3::prelude::*;

use crate::error::{self, OrRaise};
use crate::fabric::{self, Fabric};
use crate::lock::Lockable;
use crate::pollable::Pollable;
use crate::wait::limit;

/// A lock that its holder, a thread, may acquire again. If its holder is killed, the next acquire succeeds, warns (OwnerDiedWarning), and `recovered` is True.
#[pyclass(frozen, subclass, module = "polyproc._core")]
pub(crate) struct RLock {
    pub(crate) lock: ipc::RLock,
    pub(crate) recovered: AtomicBool,
}

#[pymethods]
impl RLock {
    #[new]
    #[pyo3(signature = (*, ctx = None, fabric = None, name = None, ticket = None))]
    fn new(py: Python<'_>, ctx: Option<Bound<'_, PyAny>>, fabric: Option<Bound<'_, Fabric>>, name: Option<&str>, ticket: Option<&[u8]>) -> PyResult<RLock> {
        drop(ctx);
        let lock = match (ticket, name) {
            (Some(bytes), _) => ipc::RLock::from_ticket(&fabric::ticket(py, bytes)?),
            (None, None) => ipc::RLock::new(&fabric::place(py, fabric.as_ref())?),
            (None, Some(name)) => ipc::RLock::open_or_create(&fabric::place(py, fabric.as_ref())?, name),
        };
        Ok(RLock { lock: lock.or_raise(py)?, recovered: AtomicBool::new(false) })
    }

    /// Acquires the lock, or once more; False if it was not free (in time).
    #[pyo3(signature = (block = true, timeout = None))]
    fn acquire(&self, py: Python<'_>, block: bool, timeout: Option<f64>) -> PyResult<bool> {
        self.take(py, limit(block, timeout))
    }

    /// Releases the lock once. AssertionError if this thread does not hold it.
    pub(crate) fn release(&self, py: Python<'_>) -> PyResult<()> {
        self.lock.release().map_err(|error| match error.kind() {
            ErrorKind::NotHeld => PyAssertionError::new_err("attempt to release recursive lock not owned by thread"),
            _ => error::of(py, &error),
        })
    }

    /// A descriptor for event loops, readable when it may be ready.
    fn pollable(&self, py: Python<'_>) -> PyResult<Pollable> {
        Ok(Pollable(self.lock.pollable().or_raise(py)?))
    }

    /// Whether somebody holds it.
    fn locked(&self) -> bool {
        self.lock.locked()
    }

    /// How often this thread holds it.
    fn depth(&self) -> u64 {
        self.lock.depth()
    }

    /// The pid of the process whose thread holds it; None: nobody does.
    fn owner(&self) -> Option<u32> {
        fabric::pid(self.lock.fabric(), self.lock.owner())
    }

    /// Whether the last acquire by this handle took it from a process that died holding it.
    #[getter]
    fn recovered(&self) -> bool {
        self.recovered.load(Ordering::Relaxed)
    }

    fn __enter__(&self, py: Python<'_>) -> PyResult<bool> {
        self.take(py, None)
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, py: Python<'_>, _error: &Bound<'_, PyAny>) -> PyResult<()> {
        self.release(py)
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let lock = &slf.get().lock;
        fabric::reduce(slf.as_any(), lock.ticket(), lock.fabric())
    }
}

impl Lockable for RLock {
    #[inline(always)]
    fn lock_within(&self, time: Option<Duration>) -> ipc::Result<Acquired> {
        self.lock.acquire(time)
    }

    fn told(&self) -> &AtomicBool {
        &self.recovered
    }

    #[inline(always)]
    fn give(&self, py: Python<'_>) -> PyResult<()> {
        self.release(py)
    }
}
