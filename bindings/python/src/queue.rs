//! Queues, as `polyproc.queues` has them. No thread feeds them: what `put` returned from is in shared memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use polyproc::ipc::{self, BytesQueue, ErrorKind, Message};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::error::{self, OrRaise};
use crate::fabric::{self, Fabric};
use crate::lease::Lease;
use crate::pollable::Pollable;
use crate::value::{Outgoing, from_message, outgoing};
use crate::wait::{limit, wait, within};

/// Messages that one call of `put_many` puts at a time.
const BATCH: usize = 64;
/// From this size on a copy lets other threads run.
const LONG_COPY: usize = 1 << 16;

/// A first-in first-out queue between processes. `put` returns when the message is in shared memory; nothing is lost when a process is killed.
#[allow(clippy::struct_field_names)]
#[pyclass(frozen, subclass, module = "polyproc._core")]
pub(crate) struct Queue {
    pub(crate) queue: BytesQueue,
    closed: AtomicBool,
    used: AtomicBool,
}

/// A queue that counts what is unfinished.
#[pyclass(frozen, subclass, extends = Queue, module = "polyproc._core")]
pub(crate) struct JoinableQueue;

/// A queue without limit and time-outs.
#[pyclass(frozen, subclass, module = "polyproc._core")]
pub(crate) struct SimpleQueue {
    pub(crate) queue: BytesQueue,
    closed: AtomicBool,
}

/// What a queue may be besides.
#[derive(Default)]
struct Extras<'a> {
    joinable: bool,
    lanes: Option<usize>,
    most_deliveries: Option<u32>,
    dead_letters: Option<&'a BytesQueue>,
}

fn make(
    py: Python<'_>,
    maxsize: i64,
    extras: &Extras<'_>,
    fabric: Option<&Bound<'_, Fabric>>,
    name: Option<&str>,
    ticket: Option<&[u8]>,
) -> PyResult<BytesQueue> {
    if let Some(bytes) = ticket {
        return BytesQueue::from_ticket(&fabric::ticket(py, bytes)?).or_raise(py);
    }
    let fabric = fabric::place(py, fabric)?;
    let builder = BytesQueue::builder().capacity(usize::try_from(maxsize).unwrap_or(0));
    let builder = if extras.joinable { builder.joinable() } else { builder };
    let builder = extras.lanes.into_iter().fold(builder, ipc::QueueBuilder::lanes);
    let builder = extras.most_deliveries.into_iter().fold(builder, ipc::QueueBuilder::max_deliveries);
    let builder = extras.dead_letters.into_iter().fold(builder, ipc::QueueBuilder::dead_letters);
    match name {
        None => builder.new_in(&fabric),
        Some(name) => builder.open_or_create(&fabric, name),
    }
    .or_raise(py)
}

#[pymethods]
impl Queue {
    #[new]
    #[pyo3(signature = (maxsize = 0, *, ctx = None, fabric = None, name = None, lanes = None, max_deliveries = None, dead_letters = None, ticket = None))]
    #[allow(clippy::too_many_arguments)] // the reference's, where it is to be made, and what it may be besides
    fn new(
        py: Python<'_>,
        maxsize: i64,
        ctx: Option<Bound<'_, PyAny>>,
        fabric: Option<Bound<'_, Fabric>>,
        name: Option<&str>,
        lanes: Option<usize>,
        max_deliveries: Option<u32>,
        dead_letters: Option<Bound<'_, Queue>>,
        ticket: Option<&[u8]>,
    ) -> PyResult<Queue> {
        drop(ctx);
        let dead_letters = dead_letters.as_ref().map(|queue| &queue.get().queue);
        let extras = Extras { joinable: false, lanes, most_deliveries: max_deliveries, dead_letters };
        Ok(Queue::of(make(py, maxsize, &extras, fabric.as_ref(), name, ticket)?))
    }

    /// Puts a value; waits while the queue is full. `queue.Full` if it is full (and stays so).
    #[pyo3(signature = (obj, block = true, timeout = None))]
    fn put(slf: &Bound<'_, Self>, obj: &Bound<'_, PyAny>, block: bool, timeout: Option<f64>) -> PyResult<()> {
        let this = slf.get();
        this.check_open(slf)?;
        this.used.store(true, Ordering::Relaxed);
        put(slf.py(), &this.queue, obj, limit(block, timeout))
    }

    /// As `put(obj, False)`.
    fn put_nowait(slf: &Bound<'_, Self>, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        Queue::put(slf, obj, false, None)
    }

    /// Puts all values in order, many at a time; waits while the queue is full.
    #[pyo3(signature = (objs, timeout = None))]
    fn put_many(slf: &Bound<'_, Self>, objs: &Bound<'_, PyAny>, timeout: Option<f64>) -> PyResult<()> {
        let this = slf.get();
        this.check_open(slf)?;
        this.used.store(true, Ordering::Relaxed);
        put_many(slf.py(), &this.queue, objs, within(timeout))
    }

    /// Gets the next value; waits for one. `queue.Empty` if there is none (in time).
    #[pyo3(signature = (block = true, timeout = None))]
    fn get<'py>(slf: &Bound<'py, Self>, block: bool, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        this.check_open(slf)?;
        from_message(slf.py(), get(slf.py(), &this.queue, limit(block, timeout))?)
    }

    /// As `get(False)`.
    fn get_nowait<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Queue::get(slf, false, None)
    }

    /// Gets up to `max` values as a list: waits for the first, then takes what is there.
    #[pyo3(signature = (max, block = true, timeout = None))]
    fn get_many<'py>(slf: &Bound<'py, Self>, max: usize, block: bool, timeout: Option<f64>) -> PyResult<Bound<'py, PyList>> {
        let (this, py) = (slf.get(), slf.py());
        this.check_open(slf)?;
        let (queue, time) = (&this.queue, limit(block, timeout));
        let messages = match queue.get_many_timeout(max, Duration::ZERO) {
            Err(error) if not_yet(&error) && time != Some(Duration::ZERO) => {
                wait(py, time, |slice| queue.get_many_timeout(max, slice.unwrap_or(Duration::MAX)))?
            }
            other => other,
        };
        let messages = messages.map_err(|error| exception(py, &error, false))?;
        let values = messages.into_iter().map(|message| from_message(py, message)).collect::<PyResult<Vec<_>>>()?;
        PyList::new(py, values)
    }

    /// Puts a value into a lane of priority: the lower the number, the sooner it is got.
    #[pyo3(signature = (lane, obj, block = true, timeout = None))]
    fn put_to(slf: &Bound<'_, Self>, lane: usize, obj: &Bound<'_, PyAny>, block: bool, timeout: Option<f64>) -> PyResult<()> {
        let this = slf.get();
        this.check_open(slf)?;
        this.used.store(true, Ordering::Relaxed);
        put_to(slf.py(), &this.queue, lane, obj, limit(block, timeout))
    }

    /// Gets the next message on lease; waits for one. With `limit`, it goes back after so many seconds.
    #[pyo3(signature = (block = true, timeout = None, *, limit = None))]
    fn lease(slf: &Bound<'_, Self>, block: bool, timeout: Option<f64>, limit: Option<f64>) -> PyResult<Lease> {
        let (this, py) = (slf.get(), slf.py());
        this.check_open(slf)?;
        let most = limit.map(Duration::try_from_secs_f64).transpose().map_err(|error| PyValueError::new_err(error.to_string()))?;
        let lease = wait(py, crate::wait::limit(block, timeout), |slice| match most {
            None => this.queue.get_lease_timeout(slice),
            Some(most) => this.queue.lease_for_timeout(most, slice),
        })?;
        Lease::of(py, lease.map_err(|error| exception(py, &error, false))?)
    }

    /// A descriptor for event loops, readable when there may be something to get.
    fn pollable(&self, py: Python<'_>) -> PyResult<Pollable> {
        Ok(Pollable(self.queue.pollable().or_raise(py)?))
    }

    /// How many messages are on lease.
    fn leased(&self) -> usize {
        self.queue.leased()
    }

    /// How many values are in it at this moment.
    fn qsize(&self) -> usize {
        self.queue.len()
    }

    /// Whether there is none at this moment.
    fn empty(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let this = slf.get();
        if this.closed.load(Ordering::Relaxed) && this.used.load(Ordering::Relaxed) {
            return Err(PyOSError::new_err("the queue is closed"));
        }
        Ok(this.queue.is_empty())
    }

    /// Whether it holds its limit at this moment.
    fn full(&self) -> bool {
        self.queue.is_full()
    }

    /// This process puts and gets no more. Others do: `shutdown` is for all.
    fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Nothing has to be waited for: what `put` returned from is in the queue.
    #[allow(clippy::unused_self)]
    fn join_thread(&self) {}

    /// Nothing has to be waited for in any case.
    #[allow(clippy::unused_self)]
    fn cancel_join_thread(&self) {}

    /// Closes the queue for everybody: nothing can be put any more, and once it is drained, nobody waits for a value. With `immediate` it is emptied now.
    #[pyo3(signature = (immediate = false))]
    fn shutdown(&self, py: Python<'_>, immediate: bool) -> PyResult<()> {
        self.queue.close().or_raise(py)?;
        while immediate && self.queue.try_get().is_ok() {}
        Ok(())
    }

    #[getter]
    fn _closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Its limit; 0: none.
    #[getter]
    fn maxsize(&self) -> usize {
        self.queue.capacity().unwrap_or(0)
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let queue = &slf.get().queue;
        fabric::reduce(slf.as_any(), queue.ticket(), queue.fabric())
    }
}

impl Queue {
    fn of(queue: BytesQueue) -> Queue {
        Queue { queue, closed: AtomicBool::new(false), used: AtomicBool::new(false) }
    }

    #[inline]
    fn check_open(&self, slf: &Bound<'_, Self>) -> PyResult<()> {
        if self.closed.load(Ordering::Relaxed) { Err(PyValueError::new_err(format!("Queue {slf:?} is closed"))) } else { Ok(()) }
    }
}

#[pymethods]
impl JoinableQueue {
    #[new]
    #[pyo3(signature = (maxsize = 0, *, ctx = None, fabric = None, name = None, lanes = None, max_deliveries = None, dead_letters = None, ticket = None))]
    #[allow(clippy::too_many_arguments)] // the reference's, where it is to be made, and what it may be besides
    fn new(
        py: Python<'_>,
        maxsize: i64,
        ctx: Option<Bound<'_, PyAny>>,
        fabric: Option<Bound<'_, Fabric>>,
        name: Option<&str>,
        lanes: Option<usize>,
        max_deliveries: Option<u32>,
        dead_letters: Option<Bound<'_, Queue>>,
        ticket: Option<&[u8]>,
    ) -> PyResult<(JoinableQueue, Queue)> {
        drop(ctx);
        let dead_letters = dead_letters.as_ref().map(|queue| &queue.get().queue);
        let extras = Extras { joinable: true, lanes, most_deliveries: max_deliveries, dead_letters };
        Ok((JoinableQueue, Queue::of(make(py, maxsize, &extras, fabric.as_ref(), name, ticket)?)))
    }

    /// One value that was got is done with.
    fn task_done(slf: &Bound<'_, Self>) -> PyResult<()> {
        let queue = &slf.as_super().get().queue;
        queue.task_done().map_err(|error| match error.kind() {
            ErrorKind::NotHeld | ErrorKind::InvalidArgument => PyValueError::new_err("task_done() called too many times"),
            _ => error::of(slf.py(), &error),
        })
    }

    /// Waits until everything that was put is done with; False if time is up first.
    #[pyo3(signature = (timeout = None))]
    fn join(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<Option<bool>> {
        let queue = &slf.as_super().get().queue;
        match wait(slf.py(), within(timeout), |slice| queue.join_timeout(slice.unwrap_or(Duration::MAX)))? {
            Ok(()) => Ok(timeout.map(|_| true)),
            Err(error) if not_yet(&error) => Ok(Some(false)),
            Err(error) => Err(error::of(slf.py(), &error)),
        }
    }
}

#[pymethods]
impl SimpleQueue {
    #[new]
    #[pyo3(signature = (*, ctx = None, fabric = None, name = None, ticket = None))]
    fn new(
        py: Python<'_>,
        ctx: Option<Bound<'_, PyAny>>,
        fabric: Option<Bound<'_, Fabric>>,
        name: Option<&str>,
        ticket: Option<&[u8]>,
    ) -> PyResult<SimpleQueue> {
        drop(ctx);
        Ok(SimpleQueue { queue: make(py, 0, &Extras::default(), fabric.as_ref(), name, ticket)?, closed: AtomicBool::new(false) })
    }

    /// Puts a value.
    fn put(&self, py: Python<'_>, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        self.check_open()?;
        put(py, &self.queue, obj, None)
    }

    /// Gets the next value; waits for one.
    fn get<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.check_open()?;
        from_message(py, get(py, &self.queue, None)?)
    }

    /// As `get`, but `queue.Empty` if there is none at this moment.
    fn get_nowait<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.check_open()?;
        from_message(py, get(py, &self.queue, Some(Duration::ZERO))?)
    }

    /// A descriptor for event loops, readable when there may be something to get.
    fn pollable(&self, py: Python<'_>) -> PyResult<Pollable> {
        Ok(Pollable(self.queue.pollable().or_raise(py)?))
    }

    #[getter]
    fn _closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Whether there is none at this moment.
    fn empty(&self) -> PyResult<bool> {
        self.check_open()?;
        Ok(self.queue.is_empty())
    }

    /// This process puts and gets no more.
    fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let queue = &slf.get().queue;
        fabric::reduce(slf.as_any(), queue.ticket(), queue.fabric())
    }
}

impl SimpleQueue {
    #[inline]
    fn check_open(&self) -> PyResult<()> {
        if self.closed.load(Ordering::Relaxed) { Err(PyOSError::new_err("the queue is closed")) } else { Ok(()) }
    }
}

fn not_yet(error: &ipc::Error) -> bool {
    matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Empty | ErrorKind::Full)
}

/// An error of a queue: `queue.Full` and `queue.Empty` are what the reference raises when time is up.
#[cold]
fn exception(py: Python<'_>, error: &ipc::Error, putting: bool) -> PyErr {
    match (not_yet(error), putting) {
        (true, true) => error::raise(py, ErrorKind::Full.number(), String::new()),
        (true, false) => error::raise(py, ErrorKind::Empty.number(), String::new()),
        (false, _) => error::of(py, error),
    }
}

#[inline]
fn put(py: Python<'_>, queue: &BytesQueue, value: &Bound<'_, PyAny>, time: Option<Duration>) -> PyResult<()> {
    put_to(py, queue, 0, value, time)
}

#[inline]
fn put_to(py: Python<'_>, queue: &BytesQueue, lane: usize, value: &Bound<'_, PyAny>, time: Option<Duration>) -> PyResult<()> {
    let message = outgoing(value)?;
    let Some(bytes) = message.bytes() else { return put_large(py, queue, lane, &message, time) };
    match queue.put_encoded(lane, (bytes, message.codec()), Some(Duration::ZERO)) {
        Ok(()) => Ok(()),
        Err(error) if not_yet(&error) && time != Some(Duration::ZERO) => {
            let put = wait(py, time, |slice| queue.put_encoded(lane, (bytes, message.codec()), slice))?;
            put.map_err(|error| exception(py, &error, true))
        }
        Err(error) => Err(exception(py, &error, true)),
    }
}

/// Straight into a chunk of shared memory.
fn put_large(py: Python<'_>, queue: &BytesQueue, lane: usize, message: &Outgoing, time: Option<Duration>) -> PyResult<()> {
    let fill = || {
        let mut loan = queue.loan(message.len())?;
        message.write(&mut loan);
        Ok(loan)
    };
    let filled = if message.len() < LONG_COPY { fill() } else { py.detach(fill) };
    let mut loan = Some(filled.or_raise(py)?);
    let mut attempt = |slice: Option<Duration>| {
        let taken = loan.take().expect("it comes back with an error");
        queue.put_loan_encoded(lane, taken, message.codec(), slice).map_err(|unsent| {
            loan = Some(unsent.loan);
            unsent.error
        })
    };
    let put = match attempt(Some(Duration::ZERO)) {
        Err(error) if not_yet(&error) && time != Some(Duration::ZERO) => wait(py, time, attempt)?,
        other => other,
    };
    put.map_err(|error| exception(py, &error, true))
}

fn put_many(py: Python<'_>, queue: &BytesQueue, values: &Bound<'_, PyAny>, time: Option<Duration>) -> PyResult<()> {
    let mut batch: Vec<Outgoing> = Vec::with_capacity(BATCH);
    let mut values = values.try_iter()?;
    loop {
        let next = values.next().transpose()?.map(|value| outgoing(&value)).transpose()?;
        let fits = next.as_ref().is_some_and(|next| next.bytes().is_some() && batch.first().is_none_or(|first| first.codec() == next.codec()));
        if batch.len() == BATCH || (!fits && !batch.is_empty()) {
            put_batch(py, queue, &batch, time)?;
            batch.clear();
        }
        match next {
            None => return Ok(()),
            Some(message) if message.bytes().is_none() => put_large(py, queue, 0, &message, time)?,
            Some(message) => batch.push(message),
        }
    }
}

fn put_batch(py: Python<'_>, queue: &BytesQueue, batch: &[Outgoing], time: Option<Duration>) -> PyResult<()> {
    let messages: Vec<&[u8]> = batch.iter().filter_map(Outgoing::bytes).collect();
    let mut done = 0;
    let put = wait(py, time, |slice| {
        let (put, ended) = queue.put_many_encoded(0, &messages[done..], batch[0].codec(), slice);
        done += put;
        ended
    })?;
    put.map_err(|error| exception(py, &error, true))
}

#[inline]
fn get(py: Python<'_>, queue: &BytesQueue, time: Option<Duration>) -> PyResult<Message> {
    match queue.try_get() {
        Ok(message) => Ok(message),
        Err(error) if not_yet(&error) && time != Some(Duration::ZERO) => {
            let got = wait(py, time, |slice| queue.get_timeout(slice.unwrap_or(Duration::MAX)))?;
            got.map_err(|error| exception(py, &error, false))
        }
        Err(error) => Err(exception(py, &error, false)),
    }
}
