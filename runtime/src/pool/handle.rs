//! `AsyncResult`, the handle of calls that run meanwhile: waiting for them, asking, calling back, awaiting, and cancelling.
//!
//! Must not know what a worker is; how a call is cancelled stands in `cancel`.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use polyproc_ipc::ErrorKind as Ipc;
use serde::de::DeserializeOwned;

use super::cancel::{self, Running};
use super::gather::{self, Gather};
use super::table::{Outcome, Shared, is_collector};
use crate::error::{Error, Result};

/// How long a cancelled call may go on before its worker is killed, if nothing else was said.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// The result of calls that run meanwhile: what `submit`, `apply_async` and `map_async` return.
///
/// It can be waited for, called back from, awaited in any executor ([`Future`]), and cancelled. Dropping it does not cancel the calls.
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
/// let later = pool.submit(square, (7,))?;
/// assert!(later.wait(None));
/// assert_eq!(later.get()?, 49);
/// assert_eq!(later.successful(), Some(true));
/// # Ok::<(), polyproc::Error>(())
/// ```
#[must_use = "the calls run, but nobody will see what they return"]
pub struct AsyncResult<T> {
    pub(super) job: Arc<Gather>,
    pub(super) id: u64,
    pub(super) shared: Arc<Shared>,
    pub(super) task: Cow<'static, str>,
    pub(super) decode: fn(&[Outcome], &str) -> Result<T>,
    /// Whether it is a map, whose calls each have a value.
    pub(super) many: bool,
    /// Whom the last poll left to be woken.
    pub(super) polled: Option<Waker>,
}

impl<T> AsyncResult<T> {
    /// Waits for the result. May be called again: it is decoded anew each time.
    ///
    /// # Errors
    ///
    /// What the task failed with: [`ErrorKind::Panicked`](crate::ErrorKind::Panicked), [`ErrorKind::WorkerDied`](crate::ErrorKind::WorkerDied) and so on; for a map, the error of the lowest index,
    /// once all calls are over. [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled), [`ErrorKind::TimeLimit`](crate::ErrorKind::TimeLimit), and
    /// [`ErrorKind::Terminated`](crate::ErrorKind::Terminated) if the pool ended first. `InvalidArgument` in a callback of the same pool, for a
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
        self.ready() || (!self.is_own_callback() && self.job.wait(limit).is_some())
    }

    /// Whether the result is there, good or bad.
    pub fn ready(&self) -> bool {
        self.job.done().is_some()
    }

    /// Whether all calls returned a value; `None` while some are not over.
    pub fn successful(&self) -> Option<bool> {
        self.job.done().map(|outcomes| outcomes.iter().all(Result::is_ok))
    }

    /// Waits until all calls are over: the error that [`get`](AsyncResult::get) would give, without decoding a value; `None` if there is none.
    pub fn exception(&self) -> Option<Error> {
        match self.outcomes(None) {
            Ok(outcomes) => outcomes.iter().find_map(|outcome| outcome.as_ref().err().cloned()),
            Err(error) => Some(error),
        }
    }

    /// As [`cancel_within`](AsyncResult::cancel_within), with a grace of one second.
    pub fn cancel(&self) -> Result<bool> {
        self.cancel_within(GRACE)
    }

    /// Cancels what is not over. A call that has not begun never will, and fails at once. One that runs is told ([`cancelled`](crate::cancelled)); if it is not over after `grace`, its
    /// worker is killed and replaced, and only this call is lost: others that the worker held run elsewhere. A call that ends within the grace has the result that
    /// it ended with. False: all was over already, and nothing happened. It does not wait; the error is [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled).
    ///
    /// A cancelled call is not run again, whatever was said of retries. `Duration::MAX` is a grace without end: the call is only told.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` if the fabric is full, and nothing was cancelled then; `InvalidArgument` in a forked process.
    ///
    /// ```
    /// use std::time::Duration;
    /// use polyproc::{ErrorKind, Pool, task};
    ///
    /// #[task]
    /// fn never_ends() {
    ///     loop {
    ///         std::thread::park();
    ///     }
    /// }
    ///
    /// let pool = Pool::new(1)?;
    /// let (running, waiting) = (pool.submit(never_ends, ())?, pool.submit(never_ends, ())?);
    /// assert!(waiting.cancel()? && running.cancel_within(Duration::from_millis(10))?);
    /// assert_eq!(waiting.get().unwrap_err().kind(), ErrorKind::Cancelled);
    /// assert_eq!(running.get().unwrap_err().kind(), ErrorKind::Cancelled);
    /// assert!(!running.cancel()?);
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn cancel_within(&self, grace: Duration) -> Result<bool> {
        cancel::cancel(&self.shared, self.id, &self.job, &self.task, Running::Ends(grace))
    }

    /// Cancels only what has not begun, as futures of other libraries have it: that never will, and fails at once. True: nothing of it runs, so all that was not over is cancelled. What runs goes on and is not told, but will not be run again.
    ///
    /// # Errors
    ///
    /// As [`cancel_within`](AsyncResult::cancel_within).
    ///
    /// ```
    /// use polyproc::{ErrorKind, Fabric, Pool, Queue, task};
    ///
    /// #[task]
    /// fn waits(begun: Queue<u8>, open: Queue<u8>) -> u8 {
    ///     begun.put(&0).unwrap();
    ///     open.get().unwrap()
    /// }
    ///
    /// let fabric = Fabric::current()?;
    /// let (begun, open) = (Queue::new(&fabric, 0)?, Queue::new(&fabric, 0)?);
    /// let pool = Pool::new(1)?;
    /// let (running, waiting) = (pool.submit(waits, (begun.clone(), open.clone()))?, pool.submit(waits, (begun.clone(), open.clone()))?);
    /// begun.get()?;
    /// assert!(waiting.cancel_pending()? && !running.cancel_pending()?);
    /// open.put(&7)?;
    /// assert_eq!(running.get()?, 7);
    /// assert_eq!(waiting.get().unwrap_err().kind(), ErrorKind::Cancelled);
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn cancel_pending(&self) -> Result<bool> {
        cancel::cancel(&self.shared, self.id, &self.job, &self.task, Running::GoesOn)
    }

    /// Waits on all the outcomes; in a callback of the same pool that would be for ever.
    pub(super) fn outcomes(&self, limit: Option<Duration>) -> Result<&[Outcome]> {
        if !self.ready() && self.is_own_callback() {
            return Err(own_callback());
        }
        self.job.wait(limit).ok_or_else(|| polyproc_ipc::Error::new(Ipc::Timeout, format!("task '{}' is not done yet", self.task)).into())
    }

    fn take(&self, limit: Option<Duration>) -> Result<T> {
        (self.decode)(self.outcomes(limit)?, &self.task)
    }

    /// Whether this is a callback of the result's pool, which must not wait.
    pub(super) fn is_own_callback(&self) -> bool {
        is_collector(&self.shared)
    }
}

pub(super) fn own_callback() -> Error {
    Error::argument("a callback cannot wait for a result of its own pool: the thread that runs it brings the results")
}

impl<R: DeserializeOwned> AsyncResult<Vec<R>> {
    /// Waits until all calls are over, and gives for each its value or its error, so that nothing done is lost.
    ///
    /// Of a single call that returned a vector, these are the vector's elements.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` in a callback of the same pool; for a single call, what [`get`](AsyncResult::get) says.
    ///
    /// ```
    /// # use polyproc::{Pool, task};
    /// #[task]
    /// fn inverse(n: u64) -> u64 {
    ///     100 / n
    /// }
    ///
    /// let pool = Pool::new(2)?;
    /// let all = pool.map_async(inverse, [5, 0, 2])?.get_all()?;
    /// assert_eq!(*all[0].as_ref().unwrap(), 20);
    /// assert!(all[1].is_err() && all[2].is_ok());
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn get_all(&self) -> Result<Vec<Result<R>>> {
        let outcomes = self.outcomes(None)?;
        if self.many {
            Ok(outcomes.iter().map(|outcome| gather::value(outcome, &self.task)).collect())
        } else {
            Ok(self.take(None)?.into_iter().map(Ok).collect())
        }
    }
}

impl<T: 'static> AsyncResult<T> {
    /// Calls back with the result once it is there: from the thread that brings the pool's results, or from this one if it is there
    /// already, or from the one that terminates the pool. There may be any number of callbacks; they are called in their order. One should be short, as every other result waits for it; one
    /// that panics is reported on stderr, and changes nothing.
    ///
    /// ```
    /// # use polyproc::{Pool, task};
    /// # #[task]
    /// # fn square(n: u64) -> u64 { n * n }
    /// let pool = Pool::new(2)?;
    /// let (say, hear) = std::sync::mpsc::channel();
    /// pool.submit(square, (7,))?.on_done(move |result| say.send(result).unwrap());
    /// assert_eq!(hear.recv().unwrap()?, 49);
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn on_done(&self, callback: impl FnOnce(Result<T>) + Send + 'static) {
        let (decode, task) = (self.decode, self.task.clone());
        self.job.on_done(Box::new(move |outcomes| callback(decode(outcomes, &task))));
    }
}

/// Ready with the result, in any executor. It is woken from the thread that brings the pool's results. It may be polled again after that, and then is ready at once.
impl<T> Future for AsyncResult<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        if !self.ready() {
            if let Some(before) = self.polled.take_if(|before| !before.will_wake(context.waker())) {
                self.job.unwatch(&before);
            }
            if self.job.watch(context.waker()) {
                self.polled = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        self.polled = None;
        Poll::Ready(self.take(None))
    }
}

impl<T> Drop for AsyncResult<T> {
    fn drop(&mut self) {
        if let Some(waker) = self.polled.take() {
            self.job.unwatch(&waker);
        }
    }
}

impl<T> fmt::Debug for AsyncResult<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncResult").field("task", &self.task).field("ready", &self.ready()).finish_non_exhaustive()
    }
}
