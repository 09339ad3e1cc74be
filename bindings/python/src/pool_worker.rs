//! The worker's side of a pool: Python functions as offered tasks, and being a worker.
//!
//! | task | arguments | result |
//! | --- | --- | --- |
//! | `python:call` | a *frame* of the function and `(args, kwds)` | a frame of the value |
//! | `python:map`, `python:starmap` | a frame of the function and a list of items | a frame of the list of values |
//! | `python:start`, `python:exit` | none | nothing; a frame of the value of `polyproc._pool_work._exit()` |
//! | any other name | neutral values | a neutral value |
//!
//! A frame is an array of pairs: a codec number, and bytes. A function that raises is a failure whose backtrace is the traceback, a zero byte and the exception (`polyproc._pool_work._failure`). Must not know pools.

use std::cell::RefCell;
use std::sync::Once;

use polyproc::codec::MESSAGEPACK;
use polyproc::{Encoded, Failure, OfferedCall, worker};
use pyo3::exceptions::{PySystemExit, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyTuple, PyType};

use crate::pool_call::raise;
use crate::value::{Outgoing, from_bytes, outgoing};

/// Messages as a frame.
pub(crate) fn frame(messages: &[&Outgoing]) -> PyResult<Vec<u8>> {
    let size = 1 + messages.iter().map(|message| message.len() + 6).sum::<usize>();
    let mut bytes = Vec::with_capacity(size);
    bytes.push(0x90 | (2 * messages.len()) as u8);
    for message in messages {
        // Codec numbers with bit 7 take two bytes, others one: both are written as two.
        bytes.extend_from_slice(&[0xCC, message.codec(), 0xC6]);
        let len = u32::try_from(message.len()).map_err(|_| pyo3::exceptions::PyOverflowError::new_err("a value of a call may take 4 GiB at most"))?;
        bytes.extend_from_slice(&len.to_be_bytes());
        if let Some(whole) = message.bytes() {
            bytes.extend_from_slice(whole);
        } else {
            let at = bytes.len();
            bytes.resize(at + message.len(), 0);
            message.write(&mut bytes[at..]);
        }
    }
    Ok(bytes)
}

/// The messages of a frame, each with its codec; `None` for anything else.
pub(crate) fn unframe<const N: usize>(bytes: &[u8]) -> Option<[(u8, &[u8]); N]> {
    let (&head, mut rest) = bytes.split_first()?;
    if usize::from(head) != 0x90 | (2 * N) {
        return None;
    }
    let mut messages = [(0, &[][..]); N];
    for message in &mut messages {
        let ([0xCC, codec, 0xC6, a, b, c, d], after) = rest.split_first_chunk::<7>()? else { return None };
        let (body, after) = after.split_at_checked(u32::from_be_bytes([*a, *b, *c, *d]) as usize)?;
        (*message, rest) = ((*codec, body), after);
    }
    rest.is_empty().then_some(messages)
}

thread_local! {
    static FUNCTION: RefCell<Option<(Vec<u8>, Py<PyAny>)>> = const { RefCell::new(None) };
}

/// A function from its pickle. One that has no state is remembered, and so found without unpickling.
fn function<'py>(py: Python<'py>, (codec, bytes): (u8, &[u8])) -> PyResult<Bound<'py, PyAny>> {
    let known = FUNCTION.with_borrow(|known| known.as_ref().filter(|(of, _)| of == bytes).map(|(_, function)| function.clone_ref(py)));
    if let Some(known) = known {
        return Ok(known.into_bound(py));
    }
    let function = from_bytes(py, bytes, codec)?;
    if is_stateless(&function) {
        FUNCTION.set(Some((bytes.to_vec(), function.clone().unbind())));
    }
    Ok(function)
}

/// Whether it is pickled as a name, and nothing else.
pub(crate) fn is_stateless(function: &Bound<'_, PyAny>) -> bool {
    static FUNCTION_TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = function.py();
    let of_functions =
        FUNCTION_TYPE.get_or_try_init(py, || -> PyResult<_> { Ok(py.import("types")?.getattr("FunctionType")?.cast_into::<PyType>()?.unbind()) });
    of_functions.is_ok_and(|kind| function.get_type().is(kind)) || function.get_type().is(py.get_type::<PyType>())
}

/// What a function raised, as the failure of its call.
fn failure(py: Python<'_>, error: PyErr) -> Failure {
    let said = py
        .import("polyproc._pool_work")
        .and_then(|module| module.call_method1("_failure", (error.clone_ref(py).into_value(py),))?.extract::<(String, String)>());
    match said {
        Ok((message, backtrace)) => Failure::failed(message).with_backtrace(backtrace),
        Err(_) => Failure::failed(error.to_string()),
    }
}

/// The value of a call as a frame; one that cannot be encoded is a failure that shows it.
fn answer(py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Encoded> {
    match outgoing(value) {
        Ok(message) => Ok(Encoded::from(frame(&[&message])?)),
        Err(error) => Err(PyErr::from_value(py.import("polyproc._pool_work")?.call_method1("_cannot_send", (error.into_value(py), value))?)),
    }
}

fn damaged() -> Failure {
    Failure::bad_arguments("the arguments are no frame of this version of polyproc for Python")
}

fn call(call: &OfferedCall<'_>) -> Result<Encoded, Failure> {
    let [of, arguments] = unframe(call.bytes()).ok_or_else(damaged)?;
    Python::attach(|py| {
        let run = || -> PyResult<Encoded> {
            let function = function(py, of)?;
            let arguments = from_bytes(py, arguments.1, arguments.0)?.cast_into::<PyTuple>()?;
            let args = arguments.get_item(0)?.cast_into::<PyTuple>()?;
            let value = match arguments.get_item(1) {
                Ok(kwds) => function.call(args, Some(&kwds.cast_into::<PyDict>()?))?,
                Err(_) => function.call1(args)?,
            };
            answer(py, &value)
        };
        run().map_err(|error| failure(py, error))
    })
}

fn map(call: &OfferedCall<'_>, star: bool) -> Result<Encoded, Failure> {
    let [of, items] = unframe(call.bytes()).ok_or_else(damaged)?;
    Python::attach(|py| {
        let run = || -> PyResult<Encoded> {
            let function = function(py, of)?;
            let items = from_bytes(py, items.1, items.0)?.cast_into::<PyList>()?;
            // In Python's own loops: a call from there costs less than one from here.
            let results = if star { py.import("itertools")?.getattr("starmap")? } else { py.import("builtins")?.getattr("map")? }.call1((function, items))?;
            let values = py.get_type::<PyList>().call1((results,))?;
            answer(py, &values)
        };
        run().map_err(|error| failure(py, error))
    })
}

fn hook(name: &'static str) -> Result<Encoded, Failure> {
    Python::attach(|py| {
        let run = || answer(py, &py.import("polyproc._pool_work")?.call_method0(name)?);
        run().map_err(|error| failure(py, error))
    })
}

/// Offers what every pool of Python uses; once in a process and its forks.
pub(crate) fn offer_all(py: Python<'_>) -> PyResult<()> {
    static ONCE: Once = Once::new();
    let mut done = Ok(());
    ONCE.call_once(|| {
        done = polyproc::offer("python:call", call)
            .and_then(|()| polyproc::offer("python:map", |call| map(call, false)))
            .and_then(|()| polyproc::offer("python:starmap", |call| map(call, true)))
            .and_then(|()| polyproc::offer("python:start", |_| hook("_start")))
            .and_then(|()| polyproc::offer("python:exit", |_| hook("_exit")));
    });
    done.map_err(|error| raise(py, &error))
}

/// Neutral arguments: what a task of any language takes. TypeError for anything that only Python has.
pub(crate) fn neutral(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<u8>> {
    let message = outgoing(value)?;
    if message.codec() != MESSAGEPACK {
        return Err(PyTypeError::new_err(format!(
            "{what} must be plain values (None, bool, int, float, str, bytes, list, tuple, set, dict), as other languages have them, and nothing twice"
        )));
    }
    Ok(message.to_vec())
}

/// Offers a function as the task `name` of this process, to callers of any language.
#[pyfunction]
pub(crate) fn offer(py: Python<'_>, name: &str, function: Py<PyAny>) -> PyResult<()> {
    let run = move |call: &OfferedCall<'_>| {
        Python::attach(|py| {
            let run = || -> PyResult<Encoded> {
                if call.parcel().is_some() {
                    return Err(PyTypeError::new_err("arguments in blocks of another language are not known to this version"));
                }
                let args = from_bytes(py, call.bytes(), MESSAGEPACK)?.cast_into::<PyList>()?;
                let value = function.bind(py).call1(args.to_tuple())?;
                Ok(Encoded::from(neutral(&value, "the result of a task")?))
            };
            run().map_err(|error| failure(py, error))
        })
    };
    polyproc::offer(name, run).map_err(|error| raise(py, &error))
}

/// Makes this process the worker of a pool for which its starter was given `line`; answers its exit code.
#[pyfunction]
pub(crate) fn serve(py: Python<'_>, line: &str) -> PyResult<i32> {
    offer_all(py)?;
    let on_signal = || {
        Python::attach(|py| {
            let error = py.check_signals().err()?;
            if error.is_instance_of::<PySystemExit>(py) {
                return Some(error.value(py).getattr("code").and_then(|code| code.extract()).unwrap_or(1));
            }
            error.print(py);
            Some(1)
        })
    };
    py.detach(|| worker::serve_with_signals(line, on_signal)).map_err(|error| raise(py, &error))
}

/// Whether the task that runs in this thread was told to stop: it was cancelled, or its soft limit has passed.
#[pyfunction]
pub(crate) fn cancelled() -> bool {
    polyproc::cancelled()
}

/// The number of this worker in its pool, from 0; None in a process that is no worker.
#[pyfunction]
pub(crate) fn worker_number() -> Option<usize> {
    worker::number()
}
