//! Barrier, as `polyproc.synchronize.Barrier` is.
//!
//! Its wait is ended by a signal for which Python has a handler; the barrier is broken then, as when time is up.

use polyproc::ipc::{self, ErrorKind, interruptible};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::{self, OrRaise};
use crate::fabric::{self, Fabric};
use crate::wait::within;

/// Waiting until all parties have come. A party that is killed breaks it.
#[allow(clippy::struct_field_names)]
#[pyclass(frozen, subclass, module = "polyproc._core")]
pub(crate) struct Barrier {
    barrier: ipc::Barrier,
    action: Option<Py<PyAny>>,
    timeout: Option<f64>,
}

/// An error of the barrier, or the action's exception.
enum Ended {
    Barrier(ipc::Error),
    Action(PyErr),
}

impl From<ipc::Error> for Ended {
    fn from(error: ipc::Error) -> Ended {
        Ended::Barrier(error)
    }
}

#[pymethods]
impl Barrier {
    #[new]
    #[pyo3(signature = (parties, action = None, timeout = None, *, ctx = None, fabric = None, name = None, ticket = None))]
    #[allow(clippy::too_many_arguments)] // the reference's, and where it is to be made
    fn new(
        py: Python<'_>,
        parties: i64,
        action: Option<Py<PyAny>>,
        timeout: Option<f64>,
        ctx: Option<Bound<'_, PyAny>>,
        fabric: Option<Bound<'_, Fabric>>,
        name: Option<&str>,
        ticket: Option<&[u8]>,
    ) -> PyResult<Barrier> {
        drop(ctx);
        let barrier = match (ticket, name) {
            (Some(bytes), _) => ipc::Barrier::from_ticket(&fabric::ticket(py, bytes)?),
            (None, name) => {
                let parties = usize::try_from(parties).ok().filter(|parties| *parties > 0);
                let parties = parties.ok_or_else(|| PyValueError::new_err("parties must be > 0"))?;
                let fabric = fabric::place(py, fabric.as_ref())?;
                match name {
                    None => ipc::Barrier::new(&fabric, parties, within(timeout)),
                    Some(name) => ipc::Barrier::open_or_create(&fabric, name, parties, within(timeout)),
                }
            }
        };
        Ok(Barrier { barrier: barrier.or_raise(py)?, action, timeout })
    }

    /// Waits until all have come; this party's number, from 0. BrokenBarrierError if the barrier is or gets broken.
    #[pyo3(signature = (timeout = None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<usize> {
        let time = within(timeout.or(self.timeout));
        let action = || self.action.as_ref().map_or(Ok(()), |action| Python::attach(|py| action.call0(py).map(drop)).map_err(Ended::Action));
        let (result, signalled) = py.detach(|| interruptible(|| self.barrier.wait_then(time, action)));
        if signalled {
            py.check_signals()?;
        }
        result.map_err(|ended| match ended {
            Ended::Action(error) => error,
            Ended::Barrier(error) if error.kind() == ErrorKind::Timeout => error::raise(py, ErrorKind::BrokenBarrier.number(), error.to_string()),
            Ended::Barrier(error) => error::of(py, &error),
        })
    }

    /// Begins anew; whoever waits gets BrokenBarrierError.
    fn reset(&self, py: Python<'_>) -> PyResult<()> {
        self.barrier.reset().or_raise(py)
    }

    /// Breaks it.
    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        self.barrier.abort().or_raise(py)
    }

    /// How many make a round.
    #[getter]
    fn parties(&self) -> usize {
        self.barrier.parties()
    }

    /// How many wait at this moment.
    #[getter]
    fn n_waiting(&self, py: Python<'_>) -> PyResult<usize> {
        self.barrier.n_waiting().or_raise(py)
    }

    /// Whether it is broken.
    #[getter]
    fn broken(&self) -> bool {
        self.barrier.broken()
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let this = slf.get();
        let (ticket, fabric) = (this.barrier.ticket(), this.barrier.fabric());
        let arguments = (1, this.action.as_ref().map(|action| action.clone_ref(slf.py())), this.timeout).into_pyobject(slf.py())?;
        fabric::reduce_with(slf.as_any(), ticket, fabric, arguments)
    }
}
