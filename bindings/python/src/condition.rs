//! Condition, as `polyproc.synchronize.Condition` is: waiting and notifying. The lock that it stands on is another object, which the Python class keeps beside it.

use std::sync::atomic::AtomicBool;

use polyproc::ipc::{self, Acquired, ErrorKind};
use pyo3::exceptions::{PyAssertionError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::{self, OrRaise};
use crate::fabric::{self, Fabric};
use crate::lock::{Lock, acquired};
use crate::rlock::RLock;
use crate::wait::{wait_until, within};

/// Waiting until another process says so.
#[pyclass(frozen, subclass, module = "polyproc._core")]
pub(crate) struct Condition {
    condition: ipc::Condition,
    recovered: AtomicBool,
}

#[pymethods]
impl Condition {
    /// On a lock of ours.
    #[new]
    #[pyo3(signature = (lock = None, *, name = None, ticket = None, **_more))]
    fn new(
        py: Python<'_>,
        lock: Option<&Bound<'_, PyAny>>,
        name: Option<&str>,
        ticket: Option<&[u8]>,
        _more: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Condition> {
        if let Some(bytes) = ticket {
            return Ok(Condition::of(ipc::Condition::from_ticket(&fabric::ticket(py, bytes)?).or_raise(py)?));
        }
        let (fabric, lent) = match (lock.map(|lock| lock.cast::<Lock>()), lock.map(|lock| lock.cast::<RLock>())) {
            (Some(Ok(lock)), _) => (lock.get().lock.fabric().clone(), lock.get().lock.lend()),
            (_, Some(Ok(lock))) => (lock.get().lock.fabric().clone(), lock.get().lock.lend()),
            _ => return Err(PyTypeError::new_err("a condition stands on a Lock or an RLock of polyproc")),
        };
        let made = match name {
            None => ipc::Condition::on(&fabric, &lent),
            Some(name) => ipc::Condition::open_or_create_on(&fabric, name, &lent),
        };
        Ok(Condition::of(made.or_raise(py)?))
    }

    /// Releases the lock, waits for a notification, and acquires the lock again; False if time was up first.
    #[pyo3(signature = (timeout = None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let mut died = false;
        let happened = wait_until(py, within(timeout), |slice| {
            let waited = self.condition.wait(slice)?;
            died |= waited.acquired == Acquired::OwnerDied;
            Ok(waited.happened)
        })?;
        let happened = happened.map_err(|error| not_mine(py, &error, "must acquire() condition before using wait()"))?;
        if died {
            acquired(py, Ok(Acquired::OwnerDied), &self.recovered)?;
        }
        Ok(happened)
    }

    /// Wakes up to `n` that wait.
    #[pyo3(signature = (n = 1))]
    fn notify(&self, py: Python<'_>, n: usize) -> PyResult<()> {
        self.condition.notify(n).map(drop).map_err(|error| not_mine(py, &error, "lock is not owned"))
    }

    /// Wakes all that wait.
    fn notify_all(&self, py: Python<'_>) -> PyResult<()> {
        self.notify(py, usize::MAX)
    }

    /// What leads to it, as bytes; from now on it belongs to its fabric.
    fn ticket<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.condition.ticket().to_bytes())
    }

    /// The fabric that it lives in.
    #[getter]
    fn fabric(&self) -> Fabric {
        Fabric(self.condition.fabric().clone())
    }
}

impl Condition {
    fn of(condition: ipc::Condition) -> Condition {
        Condition { condition, recovered: AtomicBool::new(false) }
    }
}

#[cold]
fn not_mine(py: Python<'_>, error: &ipc::Error, what: &'static str) -> PyErr {
    match error.kind() {
        ErrorKind::NotHeld => PyAssertionError::new_err(what),
        _ => error::of(py, error),
    }
}
