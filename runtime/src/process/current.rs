//! This process, and its parent, as the program may ask for them. Knows what a child was told, and not how it was started.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use polyproc_ipc::{Readiness, Waitable};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::start::{Call, life};

/// This process. See [`current`].
#[derive(Clone, Debug)]
pub struct CurrentProcess {
    name: String,
    daemon: bool,
    parent: Option<(u32, String)>,
}

impl CurrentProcess {
    /// The name that its parent gave it; `MainProcess` if polyproc did not start it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        std::process::id()
    }

    /// Whether polyproc started it.
    pub fn is_child(&self) -> bool {
        self.parent.is_some()
    }

    /// Whether it is a daemon, which may not start processes.
    pub fn is_daemon(&self) -> bool {
        self.daemon
    }
}

/// The process that started this one. See [`parent`].
#[derive(Debug)]
pub struct ParentProcess {
    pid: u32,
    name: String,
    end: OwnedFd,
}

impl ParentProcess {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has not ended. Only a process that [outlives](crate::ProcessBuilder::outlive) its parent can see that it has.
    pub fn is_alive(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        !matches!(poll(&mut [PollFd::new(&self.end, PollFlags::IN)], Some(&now)), Ok(1..))
    }

    /// A descriptor that becomes readable when the parent has ended.
    pub fn sentinel(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

impl AsFd for ParentProcess {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.sentinel()
    }
}

/// For [`wait()`](crate::wait()): ready once the parent has ended.
impl Waitable for ParentProcess {
    fn readiness(&self) -> polyproc_ipc::Result<Readiness<'_>> {
        Ok(Readiness::Readable(self.sentinel()))
    }
}

static ME: Mutex<Option<CurrentProcess>> = Mutex::new(None);

/// This process: its name, and whether it is a child and a daemon.
///
/// ```
/// use polyproc::{Process, task};
///
/// #[task]
/// fn look() {
///     assert_eq!(polyproc::current().name(), "looker");
///     assert_eq!(polyproc::parent().unwrap().name(), "MainProcess");
/// }
///
/// assert!(polyproc::parent().is_none());
/// assert!(Process::builder(look, ()).name("looker").start()?.join()?.success());
/// # Ok::<(), polyproc::Error>(())
/// ```
pub fn current() -> CurrentProcess {
    lock().clone().unwrap_or_else(|| CurrentProcess { name: String::from("MainProcess"), daemon: false, parent: None })
}

/// The process that started this one, if polyproc did. In a child of the fork server too, that is the process that asked for it.
pub fn parent() -> Option<ParentProcess> {
    let (pid, name) = current().parent?;
    // Without a descriptor to spare nothing can be said of the parent.
    let end = life::parent_end()?.ok()?;
    Some(ParentProcess { pid, name, end })
}

pub(crate) fn name() -> String {
    current().name
}

pub(crate) fn is_daemon() -> bool {
    lock().as_ref().is_some_and(|me| me.daemon)
}

/// From now on this process is what it was told to be.
pub(crate) fn become_what(call: &Call) {
    let me = CurrentProcess { name: call.name.clone(), daemon: call.traits.daemon, parent: Some((call.parent, call.parent_name.clone())) };
    *lock() = Some(me);
}

/// Runs `body` with the lock held, so that a fork finds it free.
pub(crate) fn hold_still<R>(body: impl FnOnce() -> R) -> R {
    let _held = lock();
    body()
}

/// As [`hold_still`], until what it gives is dropped.
pub(crate) fn be_still() -> impl Sized + 'static {
    lock()
}

fn lock() -> MutexGuard<'static, Option<CurrentProcess>> {
    ME.lock().unwrap_or_else(PoisonError::into_inner)
}
