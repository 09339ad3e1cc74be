//! Fabrics, and how a handle travels: the family's fabric is made at the first need, inherited by fork, and attached by descriptor in a spawned child.
//!
//! A handle pickles by `polyproc._handles`, as its class and its ticket, and, while a child is being started, the descriptor of its fabric.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use polyproc::ipc;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyTuple};

use crate::error::OrRaise;

/// One shared world of objects. `Fabric()` is a private one; `Fabric("name")` is found by any program of this user, in any language, and made by the first who asks.
#[pyclass(frozen, subclass, module = "polyproc._core")]
pub(crate) struct Fabric(pub(crate) ipc::Fabric);

#[pymethods]
impl Fabric {
    #[new]
    #[pyo3(signature = (name = None, *, cap = None))]
    fn new(py: Python<'_>, name: Option<&str>, cap: Option<u64>) -> PyResult<Fabric> {
        let builder = cap.into_iter().fold(ipc::Fabric::builder(), ipc::FabricBuilder::cap);
        let made = name.map_or_else(|| builder.clone().private(), |name| builder.clone().open_or_create(name));
        Ok(Fabric(made.or_raise(py)?))
    }

    /// The fabric's name, or None.
    #[getter]
    fn name(&self) -> Option<&str> {
        self.0.name()
    }

    /// Sixteen bytes that no other fabric has.
    #[getter]
    fn id(&self) -> String {
        self.0.id().to_string()
    }

    /// Bytes that it may grow to.
    #[getter]
    fn cap(&self) -> u64 {
        self.0.cap()
    }

    /// Bytes that it takes at the moment.
    #[getter]
    fn size(&self) -> u64 {
        self.0.size()
    }

    /// The descriptor of its memory, for a child to inherit.
    fn fileno(&self) -> RawFd {
        self.0.descriptor().as_raw_fd()
    }

    /// Pids of the processes that use it.
    fn members(&self) -> Vec<u32> {
        self.0.members().into_iter().filter(|member| member.alive).map(|member| member.pid).collect()
    }

    /// Gives back what the dead held; how many they were.
    fn sweep(&self, py: Python<'_>) -> PyResult<usize> {
        py.detach(|| self.0.sweep()).or_raise(py)
    }

    /// Its objects: pairs of a name (or None) and a kind.
    fn objects(&self, py: Python<'_>) -> PyResult<Vec<(Option<String>, Option<String>)>> {
        let all = self.0.objects().or_raise(py)?;
        Ok(all.into_iter().map(|object| (object.name, object.kind.map(|kind| format!("{kind:?}").to_lowercase()))).collect())
    }

    /// Destroys the object of this name.
    fn remove(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.0.remove(name).or_raise(py)
    }

    fn __eq__(&self, other: &Fabric) -> bool {
        self.0.id() == other.0.id()
    }

    fn __hash__(&self) -> u64 {
        self.0.id().to_string().bytes().fold(0, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)))
    }

    fn __repr__(&self) -> String {
        format!("<{:?}>", self.0)
    }

    fn __reduce__(slf: Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let id = slf.get().0.id().to_string();
        helper(slf.py(), "reduce_fabric", &REDUCE_FABRIC)?.call1(slf.py(), (&slf, id))
    }
}

/// The fabric of this family of processes: the inherited one, else a private one, made by the first call.
#[pyfunction]
pub(crate) fn family(py: Python<'_>) -> PyResult<Fabric> {
    Ok(Fabric(current(py)?))
}

/// Attaches the fabric behind a descriptor, which is closed; as this family's, if it is `family`.
#[pyfunction]
#[pyo3(signature = (descriptor, family = false))]
#[allow(unsafe_code)]
pub(crate) fn attach(py: Python<'_>, descriptor: RawFd, family: bool) -> PyResult<Fabric> {
    // SAFETY: `polyproc._handles` hands over a descriptor that it took from `DupFd.detach()`, so nobody else closes it.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let fabric = py.detach(|| ipc::Fabric::attach(descriptor)).or_raise(py)?;
    if family {
        ipc::Fabric::set_current(&fabric);
    }
    Ok(Fabric(fabric))
}

/// The family's fabric.
pub(crate) fn current(py: Python<'_>) -> PyResult<ipc::Fabric> {
    ipc::Fabric::current().or_raise(py)
}

/// Where a new object is to be made.
pub(crate) fn place(py: Python<'_>, given: Option<&Bound<'_, Fabric>>) -> PyResult<ipc::Fabric> {
    given.map_or_else(|| current(py), |fabric| Ok(fabric.get().0.clone()))
}

/// A ticket from its bytes.
pub(crate) fn ticket(py: Python<'_>, bytes: &[u8]) -> PyResult<ipc::Ticket> {
    ipc::Ticket::from_bytes(bytes).ok_or_else(|| ipc::Error::new(ipc::ErrorKind::Decode, "a ticket is 40 bytes")).or_raise(py)
}

static REDUCE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static REDUCE_FABRIC: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// How a handle pickles.
pub(crate) fn reduce(handle: &Bound<'_, PyAny>, ticket: ipc::Ticket, fabric: &ipc::Fabric) -> PyResult<Py<PyAny>> {
    let py = handle.py();
    helper(py, "reduce", &REDUCE)?.call1(py, (handle, PyBytes::new(py, &ticket.to_bytes()), Fabric(fabric.clone())))
}

/// As [`reduce`], of a handle that is made again with more arguments.
pub(crate) fn reduce_with(handle: &Bound<'_, PyAny>, ticket: ipc::Ticket, fabric: &ipc::Fabric, arguments: Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
    let py = handle.py();
    helper(py, "reduce", &REDUCE)?.call1(py, (handle, PyBytes::new(py, &ticket.to_bytes()), Fabric(fabric.clone()), arguments))
}

/// The pid of a member.
pub(crate) fn pid(fabric: &ipc::Fabric, owner: Option<ipc::Owner>) -> Option<u32> {
    let owner = owner?;
    fabric.members().into_iter().find(|member| member.owner == owner).map(|member| member.pid)
}

fn helper<'a>(py: Python<'_>, name: &str, cell: &'a PyOnceLock<Py<PyAny>>) -> PyResult<&'a Py<PyAny>> {
    cell.get_or_try_init(py, || Ok(py.import("polyproc._handles")?.getattr(name)?.unbind()))
}
