//! Calls whose outcomes are wanted all together (`apply`, `map`), and `AsyncResult`, by which they are waited for.
//!
//! Outcomes are kept encoded, and decoded in the thread that asks. Must not know workers or queues.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use polyproc_ipc::{ErrorKind as Ipc, codec};
use serde::de::DeserializeOwned;

use super::table::{Job, Outcome, Payload, Shared, is_collector};
use crate::error::{Error, ErrorKind, Result};

pub(super) type Callback = Box<dyn FnOnce(&[Outcome]) + Send>;

/// A job that is done when every call of it is.
pub(super) struct Gather {
    state: Mutex<State>,
    changed: Condvar,
    done: OnceLock<Vec<Outcome>>,
}

struct State {
    slots: Vec<Option<Outcome>>,
    left: usize,
    growing: bool,
    waiting: usize,
    callback: Option<Callback>,
}

impl Gather {
    /// A job of `count` calls; if it grows, more of them come until [`Gather::grown`].
    pub(super) fn new(count: usize, growing: bool) -> Gather {
        let slots = std::iter::repeat_with(|| None).take(count).collect();
        let state = State { slots, left: count, growing, waiting: 0, callback: None };
        Gather { state: Mutex::new(state), changed: Condvar::new(), done: OnceLock::new() }
    }

    /// A job of one call, whose outcome is called back from the collector.
    pub(super) fn with_callback(callback: Callback) -> Gather {
        let gather = Gather::new(1, false);
        gather.lock().callback = Some(callback);
        gather
    }

    /// Whether every outcome is there.
    pub(super) fn is_done(&self) -> bool {
        self.done.get().is_some()
    }

    /// Makes room for `count` more calls.
    pub(super) fn grow(&self, count: usize) {
        let mut state = self.lock();
        if state.growing {
            let length = state.slots.len() + count;
            state.slots.resize_with(length, || None);
            state.left += count;
        }
    }

    /// Settles the last `count` calls, which could not be submitted.
    pub(super) fn abandon(&self, count: usize, error: &Error) {
        let length = self.lock().slots.len();
        for index in length.saturating_sub(count)..length {
            // The job still grows, so this cannot complete it.
            self.settle(index as u64, Err(error.clone()));
        }
    }

    /// No more calls come. True if all are settled: the job leaves the table.
    pub(super) fn grown(&self) -> bool {
        let mut state = self.lock();
        let complete = std::mem::take(&mut state.growing) && state.left == 0;
        if complete {
            self.complete(state);
        }
        complete
    }

    fn complete(&self, mut state: MutexGuard<'_, State>) {
        let outcomes = std::mem::take(&mut state.slots).into_iter().flatten().collect();
        let waiting = state.waiting > 0;
        let _ = self.done.set(outcomes);
        drop(state);
        if waiting {
            self.changed.notify_all();
        }
    }

    fn wait(&self, limit: Option<Duration>) -> Option<&[Outcome]> {
        if let Some(done) = self.done.get() {
            return Some(done);
        }
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut state = self.lock();
        state.waiting += 1;
        while self.done.get().is_none() {
            state = match until {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state.waiting -= 1;
        self.done.get().map(Vec::as_slice)
    }

    /// Calls back with the outcomes: at once if they are there.
    fn on_done(&self, callback: Callback) {
        let mut state = self.lock();
        if let Some(done) = self.done.get() {
            drop(state);
            call(callback, done);
        } else {
            state.callback = Some(callback);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job for Gather {
    fn settle(&self, index: u64, outcome: Outcome) -> bool {
        let mut state = self.lock();
        match usize::try_from(index).ok().and_then(|index| state.slots.get_mut(index)) {
            Some(slot @ None) => *slot = Some(outcome),
            _ => return false,
        }
        state.left -= 1;
        let complete = state.left == 0 && !state.growing;
        if complete {
            self.complete(state);
        }
        complete
    }

    fn fail(&self, error: &Error) {
        let mut state = self.lock();
        if self.done.get().is_none() {
            if state.slots.is_empty() {
                state.slots.push(None);
            }
            for slot in state.slots.iter_mut().filter(|slot| slot.is_none()) {
                *slot = Some(Err(error.clone()));
            }
            (state.left, state.growing) = (0, false);
            self.complete(state);
        }
    }

    fn counts(&self) -> (u64, u64) {
        let state = self.lock();
        match self.done.get() {
            Some(done) => (done.len() as u64, 0),
            None => (state.slots.len() as u64, state.left as u64),
        }
    }

    fn announce(&self) {
        let callback = self.lock().callback.take();
        if let (Some(callback), Some(done)) = (callback, self.done.get()) {
            call(callback, done);
        }
    }
}

/// A callback that panics is printed as any panic, and takes no thread with it, whichever thread that happens to be.
fn call(callback: Callback, outcomes: &[Outcome]) {
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| callback(outcomes)));
}

/// The result of calls that run meanwhile: what `apply_async` and `map_async` return.
///
/// Dropping it does not cancel the calls.
///
/// ```
/// use polyproc::{Pool, task};
///
/// #[task]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// let pool = Pool::new(2)?;
/// let later = pool.apply_async(square, (7,))?;
/// assert!(later.wait(None));
/// assert_eq!(later.get()?, 49);
/// assert_eq!(later.successful(), Some(true));
/// # Ok::<(), polyproc::Error>(())
/// ```
#[must_use = "the calls run, but nobody will see what they return"]
pub struct AsyncResult<T> {
    pub(super) job: Arc<Gather>,
    pub(super) shared: Arc<Shared>,
    pub(super) task: Cow<'static, str>,
    pub(super) decode: fn(&[Outcome], &str) -> Result<T>,
}

impl<T> AsyncResult<T> {
    /// Waits for the result. May be called again: it is decoded anew each time.
    ///
    /// # Errors
    ///
    /// What the task failed with: [`ErrorKind::Panicked`], [`ErrorKind::WorkerDied`] and so on; for a map, the error of the lowest index,
    /// once all calls are over. [`ErrorKind::Terminated`] if the pool ended first. `InvalidArgument` in a callback of the same pool, for a
    /// result that is not there: it would wait for itself.
    pub fn get(&self) -> Result<T> {
        self.take(None)
    }

    /// As [`get`](AsyncResult::get), but waits no longer than `limit`: then the error is `Timeout`, and the result can still be had later.
    pub fn get_timeout(&self, limit: Duration) -> Result<T> {
        self.take(Some(limit))
    }

    /// Waits until the result is there, or `limit` has passed; true if it is there.
    pub fn wait(&self, limit: Option<Duration>) -> bool {
        self.ready() || (!is_collector(&self.shared) && self.job.wait(limit).is_some())
    }

    /// Whether the result is there, good or bad.
    pub fn ready(&self) -> bool {
        self.job.is_done()
    }

    /// Whether all calls returned a value; `None` while some are not over.
    pub fn successful(&self) -> Option<bool> {
        self.job.done.get().map(|outcomes| outcomes.iter().all(Result::is_ok))
    }

    fn take(&self, limit: Option<Duration>) -> Result<T> {
        if !self.ready() && is_collector(&self.shared) {
            return Err(Error::argument("a callback cannot wait for a result of its own pool: the thread that runs it brings the results"));
        }
        if let Some(outcomes) = self.job.wait(limit) {
            return (self.decode)(outcomes, &self.task);
        }
        Err(polyproc_ipc::Error::new(Ipc::Timeout, format!("task '{}' is not done yet", self.task)).into())
    }
}

impl<T: 'static> AsyncResult<T> {
    /// Calls back with the result once it is there: from the thread that brings the pool's results, or from this one if it is there
    /// already, or from the one that terminates the pool. The callback should be short, as every other result waits for it.
    ///
    /// ```
    /// # use polyproc::{Pool, task};
    /// # #[task]
    /// # fn square(n: u64) -> u64 { n * n }
    /// let pool = Pool::new(2)?;
    /// let (say, hear) = std::sync::mpsc::channel();
    /// pool.apply_async(square, (7,))?.on_done(move |result| say.send(result).unwrap());
    /// assert_eq!(hear.recv().unwrap()?, 49);
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn on_done(self, callback: impl FnOnce(Result<T>) + Send + 'static) {
        let (decode, task) = (self.decode, self.task);
        self.job.on_done(Box::new(move |outcomes| callback(decode(outcomes, &task))));
    }
}

impl<T> fmt::Debug for AsyncResult<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncResult").field("task", &self.task).field("ready", &self.ready()).finish_non_exhaustive()
    }
}

/// The value of the only call.
pub(super) fn one<R: DeserializeOwned>(outcomes: &[Outcome], task: &str) -> Result<R> {
    match outcomes {
        [outcome] => value(outcome, task),
        // A job of one call has one outcome.
        _ => Err(super::worker::damaged()),
    }
}

/// The values of all calls, or the error of the first that failed.
pub(super) fn all<R: DeserializeOwned>(outcomes: &[Outcome], task: &str) -> Result<Vec<R>> {
    if let Some(Err(error)) = outcomes.iter().find(|outcome| outcome.is_err()) {
        return Err(error.clone());
    }
    outcomes.iter().map(|outcome| value(outcome, task)).collect()
}

pub(super) fn value<R: DeserializeOwned>(outcome: &Outcome, task: &str) -> Result<R> {
    let payload: &Payload = outcome.as_ref().map_err(Error::clone)?;
    codec::decode(payload.bytes()).map_err(|error| {
        let wanted = std::any::type_name::<R>();
        Error::because(ErrorKind::BadResult, format!("the result of task '{task}' is no {wanted}"), error)
    })
}
