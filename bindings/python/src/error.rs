//! An error of the library as the exception that Python has for it. Knows numbers and classes only; the classes are in `polyproc._errors`.

use polyproc::ipc;
use pyo3::exceptions::{PyInterruptedError, PyOSError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

/// By number: the class.
static CLASSES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// The exception for an error of number `number`.
pub(crate) fn raise(py: Python<'_>, number: i32, sentence: String) -> PyErr {
    let classes =
        CLASSES.get_or_try_init(py, || -> PyResult<Py<PyDict>> { Ok(py.import("polyproc._errors")?.getattr("BY_NUMBER")?.cast_into::<PyDict>()?.unbind()) });
    let class = match classes.and_then(|classes| classes.bind(py).as_any().get_item(number)) {
        Ok(class) => class,
        Err(error) => return error,
    };
    class.call1((sentence,)).map_or_else(|error| error, PyErr::from_value)
}

/// As [`raise`], of an error of shared memory.
pub(crate) fn of(py: Python<'_>, error: &ipc::Error) -> PyErr {
    match (error.kind(), error.os_error()) {
        (ipc::ErrorKind::Os, Some(number)) => PyOSError::new_err((number, error.to_string())),
        (ipc::ErrorKind::Interrupted, _) => PyInterruptedError::new_err(error.to_string()),
        (kind, _) => raise(py, kind.number(), error.to_string()),
    }
}

/// `?` for results of the library.
pub(crate) trait OrRaise<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for ipc::Result<T> {
    #[inline]
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| of(py, &error))
    }
}
