//! Lock, as `polyproc.synchronize.Lock` is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use polyproc::ipc::{self, Acquired, ErrorKind};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::error::OrRaise;
use crate::fabric::{self, Fabric};
use crate::pollable::Pollable;
use crate::wait::{limit, wait};

/// A lock between processes and threads, not recursive. If its holder is killed, the next acquire succeeds, warns (OwnerDiedWarning), and `recovered` is True.
#[pyclass(frozen, subclass, module = "polyproc._core")]
pub(crate) struct Lock {
    pub(crate) lock: ipc::Lock,
    pub(crate) recovered: AtomicBool,
}

#[pymethods]
impl Lock {
    #[new]
    #[pyo3(signature = (*, ctx = None, fabric = None, name = None, ticket = None))]
    fn new(py: Python<'_>, ctx: Option<Bound<'_, PyAny>>, fabric: Option<Bound<'_, Fabric>>, name: Option<&str>, ticket: Option<&[u8]>) -> PyResult<Lock> {
        drop(ctx);
        let lock = match (ticket, name) {
            (Some(bytes), _) => ipc::Lock::from_ticket(&fabric::ticket(py, bytes)?),
            (None, None) => ipc::Lock::new(&fabric::place(py, fabric.as_ref())?),
            (None, Some(name)) => ipc::Lock::open_or_create(&fabric::place(py, fabric.as_ref())?, name),
        };
        Ok(Lock { lock: lock.or_raise(py)?, recovered: AtomicBool::new(false) })
    }

    /// Acquires the lock; False if it was not free (in time).
    #[pyo3(signature = (block = true, timeout = None))]
    fn acquire(&self, py: Python<'_>, block: bool, timeout: Option<f64>) -> PyResult<bool> {
        self.take(py, limit(block, timeout))
    }

    /// Releases the lock, whoever holds it. ValueError if nobody does.
    pub(crate) fn release(&self, py: Python<'_>) -> PyResult<()> {
        self.lock.release().map_err(|error| not_held(py, &error))
    }

    /// A descriptor for event loops, readable when it may be ready.
    fn pollable(&self, py: Python<'_>) -> PyResult<Pollable> {
        Ok(Pollable(self.lock.pollable().or_raise(py)?))
    }

    /// Whether somebody holds it.
    fn locked(&self) -> bool {
        self.lock.locked()
    }

    /// The pid of the process that holds it; None: nobody does.
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

/// What Lock and RLock have in common.
pub(crate) trait Lockable: Sync {
    /// Acquires it, waiting so long.
    fn lock_within(&self, time: Option<Duration>) -> ipc::Result<Acquired>;

    /// Where it stands that the last acquire took it from a dead holder.
    fn told(&self) -> &AtomicBool;

    /// Releases it (once).
    fn give(&self, py: Python<'_>) -> PyResult<()>;

    /// Acquires it; false if it was not free in time. From a dead holder it comes with a warning.
    #[inline(always)]
    fn take(&self, py: Python<'_>, time: Option<Duration>) -> PyResult<bool> {
        match self.lock_within(Some(Duration::ZERO)) {
            Ok(Acquired::Clean) => {
                self.told().store(false, Ordering::Relaxed);
                Ok(true)
            }
            other => self.take_slowly(py, other, time),
        }
    }

    #[cold]
    fn take_slowly(&self, py: Python<'_>, first: ipc::Result<Acquired>, time: Option<Duration>) -> PyResult<bool> {
        let result = match first {
            Err(error) if error.kind() == ErrorKind::Timeout && time != Some(Duration::ZERO) => wait(py, time, |slice| self.lock_within(slice))?,
            other => other,
        };
        let from_the_dead = matches!(result, Ok(Acquired::OwnerDied));
        let answer = acquired(py, result, self.told());
        if from_the_dead && answer.is_err() {
            // The warning is an error here: who is told so does not hold it.
            self.give(py)?;
        }
        answer
    }
}

impl Lockable for Lock {
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

/// What the methods that acquire answer; warned of a dead owner.
pub(crate) fn acquired(py: Python<'_>, result: ipc::Result<Acquired>, recovered: &AtomicBool) -> PyResult<bool> {
    match result {
        Ok(Acquired::Clean) => {
            recovered.store(false, Ordering::Relaxed);
            Ok(true)
        }
        Ok(Acquired::OwnerDied) => {
            recovered.store(true, Ordering::Relaxed);
            warn(py)?;
            Ok(true)
        }
        Err(error) if matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Empty) => Ok(false),
        Err(error) => Err(crate::error::of(py, &error)),
    }
}

static WARN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// `OwnerDiedWarning`, at the line of the program.
pub(crate) fn warn(py: Python<'_>) -> PyResult<()> {
    WARN.get_or_try_init(py, || -> PyResult<_> { Ok(py.import("polyproc._errors")?.getattr("warn_owner_died")?.unbind()) })?.call0(py)?;
    Ok(())
}

#[cold]
fn not_held(py: Python<'_>, error: &ipc::Error) -> PyErr {
    match error.kind() {
        ErrorKind::NotHeld => PyValueError::new_err("semaphore or lock released too many times"),
        _ => crate::error::of(py, error),
    }
}
