//! Calls on their way: what `apply_async` and `map_async` answer. A result is decoded when somebody asks for it, by who asks. Must not know how calls are submitted.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use polyproc::ipc::interruptible;
use polyproc::{Answer, AsyncResult, Error, ErrorKind};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::pool_worker::unframe;
use crate::value::from_bytes;
use crate::wait::within;

/// So long a wait is one of the processor's before it is one that a signal ends.
const SHORT: Duration = Duration::from_micros(500);
/// A signal that came just before the wait is seen after this.
const SLICE: Duration = Duration::from_millis(250);

/// An error of the library as an exception: what a task raised, as it was raised.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    let make = || -> PyResult<Bound<'_, PyAny>> {
        if let (ErrorKind::Panicked, Some((text, exception))) = (error.kind(), error.backtrace().and_then(|text| text.split_once('\0'))) {
            return py.import("polyproc._pool_work")?.call_method1("_revive", (exception, text));
        }
        let facts = (error.pid(), error.signal(), error.exit_code(), error.task().map(str::to_owned), error.backtrace().map(str::to_owned));
        py.import("polyproc._pool_errors")?.call_method1("make", (error.kind().number(), error.to_string(), facts))
    };
    make().map_or_else(|error| error, PyErr::from_value)
}

/// The calls behind a handle.
enum Behind {
    /// One, whose value is a frame; or neutral.
    One(AsyncResult<Answer>, bool),
    /// Chunks, each with a frame of a list.
    Chunks(AsyncResult<Vec<Answer>>),
}

/// The result of calls that a pool runs.
#[pyclass(frozen, subclass, weakref, module = "polyproc.pool", name = "ApplyResult")]
pub(crate) struct Call {
    behind: Arc<Behind>,
    /// The pool, which lives as long as somebody may ask for the result.
    keep: Option<Py<PyAny>>,
    /// Decoded once, or raised once: later callers get the same object.
    known: Mutex<Option<Result<Py<PyAny>, Py<PyAny>>>>,
}

/// The result of a map.
#[pyclass(frozen, subclass, extends = Call, module = "polyproc.pool", name = "MapResult")]
pub(crate) struct MapCall;

impl Call {
    pub(crate) fn one(call: AsyncResult<Answer>, neutral: bool, keep: Option<Py<PyAny>>) -> Call {
        Call { behind: Arc::new(Behind::One(call, neutral)), keep, known: Mutex::new(None) }
    }

    pub(crate) fn chunks(py: Python<'_>, calls: AsyncResult<Vec<Answer>>, keep: Option<Py<PyAny>>) -> PyResult<Py<MapCall>> {
        let call = Call { behind: Arc::new(Behind::Chunks(calls)), keep, known: Mutex::new(None) };
        Py::new(py, PyClassInitializer::from(call).add_subclass(MapCall))
    }

    fn over(&self) -> bool {
        match &*self.behind {
            Behind::One(call, _) => call.ready(),
            Behind::Chunks(calls) => calls.ready(),
        }
    }

    fn wait_briefly(&self, time: Duration) -> bool {
        match &*self.behind {
            Behind::One(call, _) => call.wait(Some(time)),
            Behind::Chunks(calls) => calls.wait(Some(time)),
        }
    }

    /// Has `key` put there when all is over.
    pub(crate) fn announce(&self, to: &polyproc::Completions, key: u64) {
        match &*self.behind {
            Behind::One(call, _) => to.add(call, key),
            Behind::Chunks(calls) => to.add(calls, key),
        }
    }

    /// Waits; false: time is up.
    fn wait_for(&self, py: Python<'_>, time: Option<Duration>) -> PyResult<bool> {
        if self.over() {
            return Ok(true);
        }
        if time == Some(Duration::ZERO) {
            return Ok(false);
        }
        let end = time.and_then(|time| Instant::now().checked_add(time));
        if py.detach(|| self.wait_briefly(time.map_or(SHORT, |time| time.min(SHORT)))) {
            return Ok(true);
        }
        let bell = polyproc::Completions::new().map_err(|error| raise(py, &error))?;
        self.announce(&bell, 0);
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let slice = left.map_or(SLICE, |left| left.min(SLICE));
            let _ = py.detach(|| interruptible(|| bell.next(Some(slice))));
            if self.over() {
                return Ok(true);
            }
            py.check_signals()?;
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(false);
            }
        }
    }

    /// The value of a call that is over.
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match &*self.behind {
            Behind::One(call, true) => {
                let answer = call.get().map_err(|error| raise(py, &error))?;
                from_bytes(py, answer.bytes(), polyproc::codec::MESSAGEPACK)
            }
            Behind::One(call, false) => framed(py, &call.get().map_err(|error| raise(py, &error))?),
            Behind::Chunks(calls) => {
                let answers = calls.get().map_err(|error| raise(py, &error))?;
                let mut chunks = answers.iter().map(|answer| -> PyResult<_> { Ok(framed(py, answer)?.cast_into::<PyList>()?) });
                let all = match chunks.next() {
                    Some(first) => first?,
                    None => PyList::empty(py),
                };
                for chunk in chunks {
                    all.call_method1("extend", (chunk?,))?;
                }
                Ok(all.into_any())
            }
        }
    }

    /// The same, remembered.
    fn outcome(&self, py: Python<'_>) -> Result<Py<PyAny>, Py<PyAny>> {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let copy = |known: &Result<Py<PyAny>, Py<PyAny>>| match known {
            Ok(value) => Ok(value.clone_ref(py)),
            Err(error) => Err(error.clone_ref(py)),
        };
        if let Some(known) = &*lock() {
            return copy(known);
        }
        // Decoding runs any code, so nothing is locked.
        let outcome = self.value(py).map(Bound::unbind).map_err(|error| error.into_value(py).into_any());
        copy(lock().get_or_insert(outcome))
    }
}

pub(crate) fn framed<'py>(py: Python<'py>, answer: &Answer) -> PyResult<Bound<'py, PyAny>> {
    let [(codec, bytes)] = unframe(answer.bytes()).ok_or_else(|| PyValueError::new_err("a worker answered with something else than a value"))?;
    from_bytes(py, bytes, codec)
}

#[pymethods]
impl Call {
    /// Another handle of the same calls.
    #[new]
    #[pyo3(signature = (of, *_args))]
    fn new(of: &Bound<'_, Call>, _args: &Bound<'_, PyTuple>) -> Call {
        Call { behind: of.get().behind.clone(), keep: of.get().keep.as_ref().map(|keep| keep.clone_ref(of.py())), known: Mutex::new(None) }
    }

    /// Whether the result is there, good or bad.
    fn ready(&self) -> bool {
        self.over()
    }

    /// Whether the calls returned without raising. ValueError while they are not over.
    fn successful(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let this = slf.get();
        if !this.over() {
            return Err(PyValueError::new_err(format!("{} not ready", slf.repr()?)));
        }
        Ok(this.outcome(slf.py()).is_ok())
    }

    /// Waits until the result is there, or `timeout` seconds have passed.
    #[pyo3(signature = (timeout = None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        self.wait_for(py, within(timeout)).map(drop)
    }

    /// The result, when it is there; or what the call raised. TimeoutError if that takes longer than `timeout` seconds.
    #[pyo3(signature = (timeout = None))]
    fn get(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        if !self.wait_for(py, within(timeout))? {
            return Err(PyErr::from_type(py.import("polyproc.pool")?.getattr("TimeoutError")?.cast_into()?, ()));
        }
        self.outcome(py).map_err(|error| PyErr::from_value(error.into_bound(py)))
    }

    /// Cancels what is not over. A call that has not begun never will; one that runs is told (`polyproc.cancelled()`), and after `grace` seconds its worker is killed. False: it was over.
    #[pyo3(signature = (grace = 1.0))]
    fn cancel(&self, py: Python<'_>, grace: Option<f64>) -> PyResult<bool> {
        let grace = within(grace).unwrap_or(Duration::MAX);
        py.detach(|| match &*self.behind {
            Behind::One(call, _) => call.cancel_within(grace),
            Behind::Chunks(calls) => calls.cancel_within(grace),
        })
        .map_err(|error| raise(py, &error))
    }

    /// Cancels only what has not begun. True: nothing of it runs.
    fn cancel_pending(&self, py: Python<'_>) -> PyResult<bool> {
        py.detach(|| match &*self.behind {
            Behind::One(call, _) => call.cancel_pending(),
            Behind::Chunks(calls) => calls.cancel_pending(),
        })
        .map_err(|error| raise(py, &error))
    }
}

#[pymethods]
impl MapCall {
    /// Another handle of the same calls.
    #[new]
    #[pyo3(signature = (of, *args))]
    fn new(of: &Bound<'_, Call>, args: &Bound<'_, PyTuple>) -> PyClassInitializer<MapCall> {
        PyClassInitializer::from(Call::new(of, args)).add_subclass(MapCall)
    }
}

/// Keys of calls that are over, in that order.
#[pyclass(frozen, module = "polyproc._core")]
pub(crate) struct Completions(polyproc::Completions);

thread_local! {
    static KEYS: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

#[pymethods]
impl Completions {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Completions> {
        Ok(Completions(polyproc::Completions::new().map_err(|error| raise(py, &error))?))
    }

    /// Has `key` come once the call is over.
    fn add(&self, call: &Bound<'_, Call>, key: u64) {
        call.get().announce(&self.0, key);
    }

    /// Has `key` come at once.
    fn put(&self, key: u64) {
        self.0.put(key);
    }

    /// Waits for keys, and takes those that are there, `most` at most; none: time is up.
    #[pyo3(signature = (timeout = None, most = 64))]
    fn take(&self, py: Python<'_>, timeout: Option<f64>, most: usize) -> PyResult<Vec<u64>> {
        let mut keys = KEYS.take();
        keys.clear();
        let end = within(timeout).and_then(|time| Instant::now().checked_add(time));
        loop {
            while keys.len() < most
                && let Some(key) = self.0.try_next()
            {
                keys.push(key);
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if !keys.is_empty() || left.is_some_and(|left| left.is_zero()) {
                let taken = keys.clone();
                KEYS.set(keys);
                return Ok(taken);
            }
            let slice = left.map_or(SLICE, |left| left.min(SLICE));
            if let (Ok(Some(key)), _) = py.detach(|| interruptible(|| self.0.next(Some(slice)))) {
                keys.push(key);
            }
            py.check_signals()?;
        }
    }
}
