//! `Completions`: one descriptor for the ends of any number of calls, for event loops and for those who may not be called back.
//!
//! Each call gets a waker that puts its key into one inbox. The descriptor is readable as long as the inbox has something: both change under the inbox's lock. Must not know pools beyond that.

use std::collections::VecDeque;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use polyproc_ipc::{ErrorKind as Ipc, Readiness, Waitable, interruptible, wait};
use rustix::event::{EventfdFlags, eventfd};

use super::handle::AsyncResult;
use crate::error::{Error, Result};

/// The ends of calls, also of several pools, each by a key that is given with it. No callback and no thread: a descriptor is readable while there are keys to be taken.
///
/// ```
/// use polyproc::{Completions, Pool, task};
/// use std::os::fd::AsFd;
///
/// #[task]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// let pool = Pool::new(2)?;
/// let completions = Completions::new()?;
/// let calls = (0..5).map(|n| pool.submit(square, (n,))).collect::<polyproc::Result<Vec<_>>>()?;
/// for (key, call) in (0..).zip(&calls) {
///     completions.add(call, key);
/// }
/// let _for_an_event_loop = completions.as_fd();
/// for _ in &calls {
///     let key = completions.next(None)?.expect("there is no limit");
///     assert_eq!(calls[key as usize].get()?, key * key);
/// }
/// # Ok::<(), polyproc::Error>(())
/// ```
#[derive(Clone)]
pub struct Completions(Arc<Inbox>);

struct Inbox {
    bell: OwnedFd,
    arrived: Mutex<VecDeque<u64>>,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, VecDeque<u64>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, key: u64) {
        let mut arrived = self.lock();
        arrived.push_back(key);
        if arrived.len() == 1 {
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }

    fn take(&self) -> Option<u64> {
        let mut arrived = self.lock();
        let key = arrived.pop_front()?;
        if arrived.is_empty() {
            let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        }
        Some(key)
    }
}

struct Key {
    key: u64,
    inbox: Arc<Inbox>,
}

impl Wake for Key {
    fn wake(self: Arc<Self>) {
        self.inbox.put(self.key);
    }
}

impl Completions {
    /// An empty set.
    ///
    /// # Errors
    ///
    /// `Os` if there is no descriptor to spare.
    pub fn new() -> Result<Completions> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|errno| Error::os(errno, "the descriptor of completions"))?;
        Ok(Completions(Arc::new(Inbox { bell, arrived: Mutex::default() })))
    }

    /// Gives `key` once the calls of this handle are over, or at once if they are. The handle may be dropped; one that was added twice gives two keys.
    pub fn add<T>(&self, calls: &AsyncResult<T>, key: u64) {
        let waker = Waker::from(Arc::new(Key { key, inbox: self.0.clone() }));
        if !calls.job.watch(&waker) {
            self.0.put(key);
        }
    }

    /// Gives `key` at once, as if calls had ended: so that one descriptor can tell of other things too.
    pub fn put(&self, key: u64) {
        self.0.put(key);
    }

    /// The next key, in the order in which calls ended; `None`: there is none at the moment.
    pub fn try_next(&self) -> Option<u64> {
        self.0.take()
    }

    /// Waits for the next key, no longer than `limit`; `None`: time is up.
    ///
    /// # Errors
    ///
    /// `Interrupted` if a signal came meanwhile ([`interruptible`]), so that its handler can be seen to; nothing was taken then.
    pub fn next(&self, limit: Option<Duration>) -> Result<Option<u64>> {
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            if let Some(key) = self.0.take() {
                return Ok(Some(key));
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            // Another thread may have taken what made it readable.
            let (waited, signalled) = interruptible(|| wait(&[self], left));
            if waited?.is_empty() && signalled {
                return Err(polyproc_ipc::Error::new(Ipc::Interrupted, "a signal ended a wait for calls").into());
            }
        }
    }
}

impl AsFd for Completions {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.bell.as_fd()
    }
}

/// For [`wait()`](crate::wait()): ready while there are keys to be taken.
impl Waitable for Completions {
    fn readiness(&self) -> polyproc_ipc::Result<Readiness<'_>> {
        Ok(Readiness::Readable(self.as_fd()))
    }
}

impl fmt::Debug for Completions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completions").field("arrived", &self.0.lock().len()).finish_non_exhaustive()
    }
}
