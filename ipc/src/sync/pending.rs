//! A condition's wait in two halves, for event loops: begun with the lock held, finished when a descriptor is readable. Knows the condition's list; how it is told, is `waiters.rs`'s.
//!
//! Between the halves this process stands in the list like any other waiter, and what a death then leaves is the same.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::condition::{Condition, Waited};
use super::waiters::{Fate, Key};
use crate::error::Result;
use crate::fabric::Fabric;
use crate::fabric::handle::gone;
use crate::objects::Kind;
use crate::poll::{Pollable, Source};
use crate::shm::Owner;

/// A wait for a [`Condition`] that was begun and not finished: [`Condition::begin_wait`]. Its descriptor is readable once the condition was notified.
///
/// Dropped without being finished, it leaves the list; a notification that it has got by then goes to the one who waits longest.
///
/// ```
/// use polyproc_ipc::{Condition, Fabric};
/// use std::time::Duration;
/// let fabric = Fabric::new()?;
/// let condition = Condition::new(&fabric)?;
/// condition.acquire(None)?;
/// let pending = condition.begin_wait()?; // the lock is free now
/// condition.acquire(None)?;
/// assert_eq!(condition.notify(1)?, 1);
/// condition.release()?;
/// assert!(pending.wait(Some(Duration::from_secs(10)))?); // or any event loop, on its descriptor
/// assert!(pending.finish()?.happened);
/// condition.release()?; // it was acquired again
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub struct PendingWait {
    pollable: Pollable,
    place: Place,
    me: Owner,
    depth: u64,
    finished: bool,
}

#[derive(Clone)]
struct Place {
    condition: Condition,
    key: Key,
}

impl Condition {
    /// Releases the lock, however deep it is held, and stands in the list of waiters from now on: the first half of [`Condition::wait`].
    ///
    /// # Errors
    /// As [`Condition::wait`]; the lock is still held then.
    pub fn begin_wait(&self) -> Result<PendingWait> {
        let me = self.handle().shm().me()?;
        let key = self.enlist(me)?;
        let place = Place { condition: self.clone(), key };
        let pollable = match Pollable::new(place.clone()) {
            Ok(pollable) => pollable,
            Err(error) => {
                place.leave()?;
                return Err(error);
            }
        };
        let depth = self.release_for_wait(me)?;
        Ok(PendingWait { pollable, place, me, depth, finished: false })
    }
}

impl PendingWait {
    /// Acquires the lock again, as deep as it was and however long that takes: the second half. Whether the condition was notified, and how the lock came.
    ///
    /// # Errors
    /// As [`Condition::wait`].
    pub fn finish(mut self) -> Result<Waited> {
        self.finished = true;
        let acquired = self.place.condition.acquire_after_wait(self.me, self.depth);
        let fate = self.place.leave()?;
        let acquired = acquired?;
        match fate {
            Fate::Notified => Ok(Waited { happened: true, acquired }),
            Fate::Withdrawn => Ok(Waited { happened: false, acquired }),
            Fate::Broken | Fate::Gone => Err(gone(Kind::Condition)),
        }
    }

    /// Whether the descriptor is readable.
    pub fn is_ready(&self) -> bool {
        self.pollable.is_ready()
    }

    /// Waits until the descriptor is readable; `None`: however long it takes. False: time was up.
    pub fn wait(&self, time: Option<Duration>) -> Result<bool> {
        self.pollable.wait(time)
    }
}

impl AsFd for PendingWait {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pollable.as_fd()
    }
}

impl std::fmt::Debug for PendingWait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PendingWait for {:?}, {}", self.place.condition, if self.is_ready() { "notified" } else { "not notified" })
    }
}

impl Drop for PendingWait {
    fn drop(&mut self) {
        // In a forked child, the place in the list is the parent's.
        if !self.finished
            && self.place.condition.handle().shm().me_if_joined() == Some(self.me)
            && let Ok(Fate::Notified) = self.place.leave()
        {
            // Of a condition that was destroyed, nobody waits.
            let _ = self.place.condition.notify_unheld(1);
        }
    }
}

impl Place {
    fn leave(&self) -> Result<Fate> {
        Ok(self.condition.waiters()?.place(self.key)?.leave())
    }
}

impl Source for Place {
    fn arm(&self) -> Option<(&AtomicU32, u32)> {
        // Of damaged memory, the second half tells.
        self.condition.waiters().and_then(|waiters| waiters.place(self.key)).ok()?.arm()
    }

    fn fabric(&self) -> &Fabric {
        self.condition.fabric()
    }
}
