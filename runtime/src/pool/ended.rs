//! The end of a pool: as a descriptor, readable once its last thread but the caller's is over. Must not know why it ended.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use polyproc_ipc::{Readiness, Waitable};
use rustix::event::{EventfdFlags, eventfd};

use super::Pool;
use super::table::Phase;
use crate::error::{Error, Result};

/// Is readable for ever once its [`Bell`] was dropped.
pub(super) struct End(Arc<OwnedFd>);

/// Dropped at the end, whatever kind of end that is.
pub(super) struct Bell(Arc<OwnedFd>);

impl End {
    pub(super) fn new() -> Result<End> {
        let descriptor = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|errno| Error::os(errno, "the descriptor of a pool's end"))?;
        Ok(End(Arc::new(descriptor)))
    }

    pub(super) fn bell(&self) -> Bell {
        Bell(self.0.clone())
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

impl Pool {
    /// A descriptor that becomes readable when a closed or terminated pool is over, for `poll` and event loops (an [`Imap`](crate::Imap) that still holds input keeps it from that): then [`join`](Pool::join) does not wait. [`wait()`](crate::wait()) takes the
    /// pool itself, and has a limit:
    ///
    /// ```
    /// use polyproc::Pool;
    /// use std::time::Duration;
    ///
    /// let pool = Pool::new(1)?;
    /// assert!(polyproc::wait(&[&pool], Some(Duration::ZERO))?.is_empty());
    /// pool.close();
    /// assert_eq!(polyproc::wait(&[&pool], Some(Duration::from_secs(60)))?, [0]);
    /// pool.join()?;
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn sentinel(&self) -> BorrowedFd<'_> {
        self.ended.0.as_fd()
    }

    /// Whether it takes calls: not closed, not terminated, and it has not given up.
    pub fn is_open(&self) -> bool {
        matches!(self.shared.phase(), Phase::Open)
    }
}

/// For [`wait()`](crate::wait()): ready once the pool is over.
impl Waitable for Pool {
    fn readiness(&self) -> polyproc_ipc::Result<Readiness<'_>> {
        Ok(Readiness::Readable(self.sentinel()))
    }
}
