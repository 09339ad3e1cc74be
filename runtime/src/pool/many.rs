//! Waiting for several handles at once, even of several pools: `wait_calls` and `as_completed`.
//!
//! Each handle gets a waker that puts the handle's number into one inbox. Must not know pools beyond that.

use std::borrow::Borrow;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use super::handle::{AsyncResult, own_callback};
use super::table::is_any_collector;
use crate::error::Result;

/// What [`wait_calls`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitUntil {
    /// One of them is over.
    First,
    /// All are over.
    All,
    /// All are over, or one has failed.
    FirstError,
}

/// Numbers of handles whose results have come.
#[derive(Default)]
struct Inbox {
    arrived: Mutex<VecDeque<usize>>,
    changed: Condvar,
}

impl Inbox {
    fn put(&self, number: usize) {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).push_back(number);
        self.changed.notify_all();
    }

    /// The next number; `None` when the time is over.
    fn take(&self, until: Option<Instant>, may_wait: bool) -> Option<usize> {
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(number) = arrived.pop_front() {
                return Some(number);
            }
            if !may_wait {
                return None;
            }
            arrived = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(arrived).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return None,
                Some(left) => self.changed.wait_timeout(arrived, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }
}

struct Number {
    number: usize,
    inbox: Arc<Inbox>,
}

impl Wake for Number {
    fn wake(self: Arc<Self>) {
        self.inbox.put(self.number);
    }
}

/// A handle, watched for as long as this lives.
struct Watched<T, H: Borrow<AsyncResult<T>>> {
    call: Option<H>,
    waker: Waker,
    result: std::marker::PhantomData<fn() -> T>,
}

impl<T, H: Borrow<AsyncResult<T>>> Watched<T, H> {
    fn new(call: H, number: usize, inbox: &Arc<Inbox>) -> Watched<T, H> {
        let waker = Waker::from(Arc::new(Number { number, inbox: inbox.clone() }));
        if !call.borrow().job.watch(&waker) {
            inbox.put(number);
        }
        Watched { call: Some(call), waker, result: std::marker::PhantomData }
    }

    fn is_own_callback(&self) -> bool {
        self.call.as_ref().is_some_and(|call| !call.borrow().ready() && call.borrow().is_own_callback())
    }
}

impl<T, H: Borrow<AsyncResult<T>>> Drop for Watched<T, H> {
    fn drop(&mut self) {
        if let Some(call) = &self.call {
            call.borrow().job.unwatch(&self.waker);
        }
    }
}

/// Waits for several handles, which may be of several pools, but no longer than `limit`. The answer has for each handle whether its result is there.
///
/// # Errors
///
/// `InvalidArgument` in a callback of the pool of one that is not done: it would wait for itself.
///
/// ```
/// use polyproc::{Pool, WaitUntil, task, wait_calls};
///
/// #[task]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// let (here, there) = (Pool::new(1)?, Pool::new(1)?);
/// let calls = [here.submit(square, (2,))?, there.submit(square, (3,))?];
/// assert!(wait_calls(&calls, WaitUntil::First, None)?.contains(&true));
/// assert_eq!(wait_calls(&calls, WaitUntil::All, None)?, [true, true]);
/// # Ok::<(), polyproc::Error>(())
/// ```
pub fn wait_calls<T, H: Borrow<AsyncResult<T>>>(calls: &[H], until: WaitUntil, limit: Option<Duration>) -> Result<Vec<bool>> {
    let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
    let inbox = Arc::new(Inbox::default());
    let watched: Vec<_> = (0..).zip(calls).map(|(number, call)| Watched::<T, &AsyncResult<T>>::new(call.borrow(), number, &inbox)).collect();
    let mut left = calls.len();
    while left > 0 {
        let may_wait = !(is_any_collector() && watched.iter().any(Watched::is_own_callback));
        let Some(number) = inbox.take(deadline, may_wait) else {
            if may_wait {
                break;
            }
            return Err(own_callback());
        };
        left -= 1;
        let enough = match until {
            WaitUntil::First => true,
            WaitUntil::All => false,
            WaitUntil::FirstError => calls[number].borrow().successful() == Some(false),
        };
        if enough {
            break;
        }
    }
    Ok(calls.iter().map(|call| call.borrow().ready()).collect())
}

/// Gives handles, which may be of several pools, in the order in which their results come, each with its number among those given, from 0.
///
/// ```
/// use polyproc::{Pool, as_completed, task};
///
/// #[task]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// let pool = Pool::new(2)?;
/// let calls = (0..5).map(|n| pool.submit(square, (n,))).collect::<polyproc::Result<Vec<_>>>()?;
/// for (number, call) in as_completed(calls) {
///     assert_eq!(call.get()?, (number * number) as u64);
/// }
/// # Ok::<(), polyproc::Error>(())
/// ```
pub fn as_completed<T>(calls: impl IntoIterator<Item = AsyncResult<T>>) -> AsCompleted<T> {
    let inbox = Arc::new(Inbox::default());
    let left = (0..).zip(calls).map(|(number, call)| (number, Watched::new(call, number, &inbox))).collect();
    AsCompleted { inbox, left }
}

/// Handles in the order in which their results come: what [`as_completed`] returns. In a callback of the pool of one that is not done it does not wait, as that would be for ever, and gives the rest
/// as they are. Dropping it drops the handles that are left.
#[must_use = "an iterator does nothing before it is asked"]
pub struct AsCompleted<T> {
    inbox: Arc<Inbox>,
    left: BTreeMap<usize, Watched<T, AsyncResult<T>>>,
}

impl<T> AsCompleted<T> {
    /// As [`next`](Iterator::next), but waits no longer than `limit`; `None` then as well as at the end, which [`len`](AsCompleted::len) tells apart.
    pub fn next_timeout(&mut self, limit: Duration) -> Option<(usize, AsyncResult<T>)> {
        self.take(Instant::now().checked_add(limit))
    }

    /// How many handles it has not given.
    pub fn len(&self) -> usize {
        self.left.len()
    }

    /// Whether it has given all handles.
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    fn take(&mut self, until: Option<Instant>) -> Option<(usize, AsyncResult<T>)> {
        loop {
            let first = *self.left.first_key_value()?.0;
            let may_wait = !(is_any_collector() && self.left.values().any(Watched::is_own_callback));
            let number = match self.inbox.take(until, may_wait) {
                Some(number) => number,
                None if may_wait => return None,
                None => first,
            };
            // One that was given before it was done is not there any more.
            if let Some(mut watched) = self.left.remove(&number)
                && let Some(call) = watched.call.take()
            {
                call.job.unwatch(&watched.waker);
                return Some((number, call));
            }
        }
    }
}

impl<T> Iterator for AsCompleted<T> {
    type Item = (usize, AsyncResult<T>);

    fn next(&mut self) -> Option<(usize, AsyncResult<T>)> {
        self.take(None)
    }
}

impl<T> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted").field("left", &self.len()).finish_non_exhaustive()
    }
}
