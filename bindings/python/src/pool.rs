//! The Rust pool for `polyproc.pool`: made with a starter, which is a Python function, and given calls of Python functions. Must not know what workers do with them.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use polyproc::ipc::interruptible;
use polyproc::{Collected, Encoded, MemoryLimit, Priority, Retry, StartedWorker, Starter, WorkerOrder};
use pyo3::exceptions::{PyAttributeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::fabric::{self, Fabric};
use crate::pool_call::{Call, MapCall, raise};
use crate::pool_worker::{frame, is_stateless, neutral, offer_all};
use crate::value::{Outgoing, outgoing};
use crate::wait::within;

/// How long a wait lasts before it looks for a signal that came just before it slept.
const SLICE: Duration = Duration::from_millis(250);

/// Starts workers by a Python function, which answers the pid and a function that collects.
struct ByPython {
    start: Py<PyAny>,
    /// What it raised last.
    raised: Arc<Mutex<Option<PyErr>>>,
}

struct Started {
    pid: u32,
    collect: Py<PyAny>,
}

impl Starter for ByPython {
    fn start(&self, order: &WorkerOrder) -> Result<Box<dyn StartedWorker>, String> {
        Python::attach(|py| {
            let answer = self.start.call1(py, (&order.line, order.number, order.environment.clone()));
            let (pid, collect) = answer.and_then(|answer| answer.extract::<(u32, Py<PyAny>)>(py)).map_err(|error| {
                let text = error.to_string();
                *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                text
            })?;
            Ok(Box::new(Started { pid, collect }) as Box<dyn StartedWorker>)
        })
    }
}

impl StartedWorker for Started {
    fn pid(&self) -> u32 {
        self.pid
    }

    fn collect(&self) -> Collected {
        Python::attach(|py| {
            let code = self.collect.call0(py).and_then(|code| code.extract::<Option<i32>>(py));
            code.ok().flatten().map_or(Collected::Unknown, Collected::Code)
        })
    }
}

/// How calls are run.
#[pyclass(frozen, module = "polyproc._core")]
pub(crate) struct Options(polyproc::Options);

#[pymethods]
impl Options {
    #[new]
    #[pyo3(signature = (*, retries = 0, retry_errors = false, backoff = 0.0, backoff_factor = 2.0, backoff_max = 60.0, timeout = None, soft_timeout = None, priority = "normal"))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        retries: u32,
        retry_errors: bool,
        backoff: f64,
        backoff_factor: f64,
        backoff_max: f64,
        timeout: Option<f64>,
        soft_timeout: Option<f64>,
        priority: &str,
    ) -> PyResult<Options> {
        let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).map_err(|error| PyValueError::new_err(format!("{seconds} is no time: {error}")));
        let retry = Retry::on_death(retries).backoff(seconds(backoff)?, backoff_factor, seconds(backoff_max)?);
        let mut options = polyproc::Options::new().retry(if retry_errors { retry.or_error() } else { retry }).priority(match priority {
            "high" => Priority::High,
            "normal" => Priority::Normal,
            "low" => Priority::Low,
            _ => return Err(PyValueError::new_err(format!("a priority is 'high', 'normal' or 'low', and not {priority:?}"))),
        });
        if let Some(limit) = timeout {
            options = options.hard_limit(seconds(limit)?);
        }
        if let Some(limit) = soft_timeout {
            options = options.soft_limit(seconds(limit)?);
        }
        Ok(Options(options))
    }
}

thread_local! {
    /// The last function that was pickled, if that is a name only, and its pickle.
    static FUNCTION: RefCell<Option<(Py<PyAny>, Vec<u8>)>> = const { RefCell::new(None) };
}

/// A value as a message. What the pickler finds nowhere by its name is a PicklingError in every version.
fn encode(value: &Bound<'_, PyAny>) -> PyResult<Outgoing> {
    let py = value.py();
    outgoing(value).map_err(|error| {
        let make = || -> PyResult<PyErr> {
            let class = py.import("pickle")?.getattr("PicklingError")?;
            Ok(PyErr::from_value(class.call1((error.value(py).to_string(),))?))
        };
        if !error.is_instance_of::<PyAttributeError>(py) {
            return error;
        }
        make().map_or_else(
            |other| other,
            |told| {
                told.set_cause(py, Some(error));
                told
            },
        )
    })
}

/// A frame of the function and what goes with it.
fn frame_of(function: &Bound<'_, PyAny>, with: &Outgoing) -> PyResult<Encoded> {
    let known = FUNCTION.with_borrow(|known| {
        let (of, head) = known.as_ref()?;
        of.is(function).then(|| {
            let mut bytes = Vec::with_capacity(head.len() + with.len() + 7);
            bytes.extend_from_slice(head);
            bytes
        })
    });
    if let Some(mut bytes) = known {
        // The frame of one message, without its head, goes behind.
        bytes.extend_from_slice(&frame(&[with])?[1..]);
        return Ok(Encoded::from(bytes));
    }
    let pickled = encode(function)?;
    let bytes = frame(&[&pickled, with])?;
    if is_stateless(function) {
        let head = bytes[..1 + 7 + pickled.len()].to_vec();
        FUNCTION.set(Some((function.clone().unbind(), head)));
    }
    Ok(Encoded::from(bytes))
}

/// The inside of `polyproc.pool.Pool`.
#[pyclass(frozen, module = "polyproc._core")]
pub(crate) struct Pool {
    /// Until it is dropped.
    pool: Option<polyproc::Pool>,
}

impl Pool {
    fn inner(&self) -> &polyproc::Pool {
        self.pool.as_ref().expect("it is taken by drop alone")
    }

    fn submit(
        &self,
        py: Python<'_>,
        task: &str,
        arguments: Encoded,
        options: Option<&Bound<'_, Options>>,
        keep: Option<Py<PyAny>>,
        neutral: bool,
    ) -> PyResult<Call> {
        let options = options.map(|options| options.get().0);
        let submit = || match options {
            Some(options) => self.inner().with(options).submit_encoded(task, arguments),
            None => self.inner().submit_encoded(task, arguments),
        };
        let call = py.detach(submit).map_err(|error| raise(py, &error))?;
        Ok(Call::one(call, neutral, keep))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let pool = self.pool.take();
        // Its threads may want the interpreter while they end.
        Python::attach(|py| py.detach(|| drop(pool)));
    }
}

#[pymethods]
impl Pool {
    #[new]
    #[pyo3(signature = (workers, start, *, fabric = None, name = None, initialize = false, finish = false, most_calls = None, soft_memory = None, hard_memory = None, restarts = None, events = None))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        workers: usize,
        start: Py<PyAny>,
        fabric: Option<Bound<'_, Fabric>>,
        name: Option<String>,
        initialize: bool,
        finish: bool,
        most_calls: Option<u64>,
        soft_memory: Option<u64>,
        hard_memory: Option<u64>,
        restarts: Option<(usize, f64)>,
        events: Option<usize>,
    ) -> PyResult<Pool> {
        offer_all(py)?;
        let raised = Arc::<Mutex<Option<PyErr>>>::default();
        let none = || Encoded::from(vec![0x90]);
        let mut builder = polyproc::Pool::builder().workers(workers).fabric(&fabric::place(py, fabric.as_ref())?).library_threads(0);
        builder = builder.starter(ByPython { start, raised: raised.clone() });
        builder = name.into_iter().fold(builder, polyproc::PoolBuilder::name);
        builder = most_calls.into_iter().fold(builder, polyproc::PoolBuilder::max_tasks_per_worker);
        builder = events.into_iter().fold(builder, polyproc::PoolBuilder::events);
        builder = if initialize { builder.on_start_named("python:start", none()) } else { builder };
        builder = if finish { builder.on_exit_named("python:exit", none()) } else { builder };
        builder = match (soft_memory, hard_memory) {
            (Some(soft), Some(hard)) => builder.memory_limit(MemoryLimit::soft(soft).or_hard(hard)),
            (Some(soft), None) => builder.memory_limit(MemoryLimit::soft(soft)),
            (None, Some(hard)) => builder.memory_limit(MemoryLimit::hard(hard)),
            (None, None) => builder,
        };
        if let Some((deaths, within)) = restarts {
            let within = Duration::try_from_secs_f64(within).map_err(|error| PyValueError::new_err(error.to_string()))?;
            builder = builder.restart_limit(deaths, within);
        }
        let pool = py.detach(|| builder.build()).map_err(|error| {
            let started = raised.lock().unwrap_or_else(PoisonError::into_inner).take();
            started.unwrap_or_else(|| raise(py, &error))
        })?;
        Ok(Pool { pool: Some(pool) })
    }

    /// Runs `function(*args, **kwds)` in a worker.
    #[pyo3(signature = (function, args, kwds = None, options = None, keep = None))]
    fn call(
        &self,
        py: Python<'_>,
        function: &Bound<'_, PyAny>,
        args: Bound<'_, PyTuple>,
        kwds: Option<Bound<'_, PyDict>>,
        options: Option<Bound<'_, Options>>,
        keep: Option<Py<PyAny>>,
    ) -> PyResult<Call> {
        let arguments = match kwds.filter(|kwds| !kwds.is_empty()) {
            Some(kwds) => PyTuple::new(py, [args.into_any(), kwds.into_any()])?,
            None => PyTuple::new(py, [args])?,
        };
        let message = encode(&arguments)?;
        let frame = frame_of(function, &message)?;
        drop(message);
        self.submit(py, "python:call", frame, options.as_ref(), keep, false)
    }

    /// Runs `function` on every item of a list, in a worker, as one call: `function(*item)` if it is to be `star`.
    #[pyo3(signature = (function, items, star, options = None, keep = None))]
    fn chunk(
        &self,
        py: Python<'_>,
        function: &Bound<'_, PyAny>,
        items: &Bound<'_, PyAny>,
        star: bool,
        options: Option<Bound<'_, Options>>,
        keep: Option<Py<PyAny>>,
    ) -> PyResult<Call> {
        let frame = frame_of(function, &encode(items)?)?;
        self.submit(py, if star { "python:starmap" } else { "python:map" }, frame, options.as_ref(), keep, false)
    }

    /// The same for all items, in chunks of `size`, under one handle.
    #[pyo3(signature = (function, items, size, star, options = None, keep = None))]
    #[allow(clippy::too_many_arguments)]
    fn chunks(
        &self,
        py: Python<'_>,
        function: &Bound<'_, PyAny>,
        items: &Bound<'_, PyList>,
        size: usize,
        star: bool,
        options: Option<Bound<'_, Options>>,
        keep: Option<Py<PyAny>>,
    ) -> PyResult<Py<MapCall>> {
        let mut frames = Vec::with_capacity(items.len() / size.max(1) + 1);
        let mut at = 0;
        while at < items.len() {
            let chunk = items.get_slice(at, at + size);
            frames.push(frame_of(function, &encode(&chunk)?)?);
            at += size;
        }
        let task = if star { "python:starmap" } else { "python:map" };
        let options = options.map_or_else(polyproc::Options::new, |options| options.get().0).chunk_size(1);
        let calls = py.detach(|| self.inner().with(options).map_encoded(task, frames)).map_err(|error| raise(py, &error))?;
        Call::chunks(py, calls, keep)
    }

    /// Runs the task `name`, of any language, with plain arguments.
    #[pyo3(signature = (name, args, options = None, keep = None))]
    fn named(&self, py: Python<'_>, name: &str, args: &Bound<'_, PyTuple>, options: Option<Bound<'_, Options>>, keep: Option<Py<PyAny>>) -> PyResult<Call> {
        let arguments = Encoded::from(neutral(args.to_list().as_any(), "arguments of a task of any language")?);
        self.submit(py, name, arguments, options.as_ref(), keep, true)
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.inner().close());
    }

    fn terminate(&self, py: Python<'_>) {
        py.detach(|| self.inner().terminate());
    }

    /// Waits until a closed or terminated pool is over; false: time is up.
    #[pyo3(signature = (timeout = None))]
    fn join(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let end = within(timeout).and_then(|time| std::time::Instant::now().checked_add(time));
        loop {
            let left = end.map(|end| end.saturating_duration_since(std::time::Instant::now()));
            let slice = left.map_or(SLICE, |left| left.min(SLICE));
            let (over, _) = py.detach(|| interruptible(|| polyproc::wait(&[self.inner()], Some(slice))));
            if over.is_ok_and(|over| !over.is_empty()) {
                return py.detach(|| self.inner().join()).map(|()| true).map_err(|error| raise(py, &error));
            }
            py.check_signals()?;
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(false);
            }
        }
    }

    /// Whether it takes calls.
    fn is_open(&self) -> bool {
        self.inner().is_open()
    }

    /// Readable when a closed or terminated pool is over.
    fn fileno(&self) -> i32 {
        use std::os::fd::AsRawFd as _;
        self.inner().sentinel().as_raw_fd()
    }

    fn resize(&self, py: Python<'_>, workers: usize) -> PyResult<()> {
        py.detach(|| self.inner().resize(workers)).map_err(|error| raise(py, &error))
    }

    /// For each worker: pid, number, ready, finished, memory.
    fn workers(&self, py: Python<'_>) -> Vec<(u32, usize, bool, u64, Option<u64>)> {
        let workers = py.detach(|| self.inner().workers());
        workers.into_iter().map(|worker| (worker.pid, worker.number, worker.ready, worker.finished, worker.memory)).collect()
    }

    /// What exit functions returned or raised since the last time.
    fn exit_results(&self, py: Python<'_>) -> PyResult<Vec<(bool, Py<PyAny>)>> {
        let answers = py.detach(|| self.inner().exit_answers());
        let value = |answer: polyproc::Result<polyproc::Answer>| match answer {
            Ok(answer) => Ok((true, crate::pool_call::framed(py, &answer)?.unbind())),
            Err(error) => Ok((false, raise(py, &error).into_value(py).into_any())),
        };
        answers.into_iter().map(value).collect()
    }

    /// Counts of calls: submitted, running, done, failed.
    fn progress(&self, py: Python<'_>) -> (u64, u64, u64, u64) {
        let progress = py.detach(|| self.inner().progress());
        (progress.submitted, progress.running, progress.done, progress.failed)
    }

    /// Writes what pool and workers did to a file for Perfetto.
    fn trace(&self, py: Python<'_>, path: std::path::PathBuf) -> PyResult<()> {
        py.detach(|| self.inner().trace(path)).map_err(|error| raise(py, &error))
    }
}
