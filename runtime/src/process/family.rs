//! The children of this process: who runs, who has to be collected, and which daemons are to be told when this process ends.
//!
//! A process is in the list from its start until somebody sees that it ended, with or without a handle; so a dropped handle leaves no zombie behind for longer than until
//! the next start, join, or [`active_children`]. In a forked child the list is its parent's, and forgotten.
#![allow(unsafe_code)]

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Signal;

use super::Process;
use super::started::Started;
use crate::start::fork_generation;

/// How long the daemons have to end when their parent does.
const GRACE: Duration = Duration::from_secs(1);

static CHILDREN: Mutex<Vec<Arc<Started>>> = Mutex::new(Vec::new());
/// `fork_generation() + 1` of the process that has registered its end.
static REGISTERED: AtomicU32 = AtomicU32::new(0);

/// The processes that this one started and that have not ended, those without a handle as well. Collects those that have ended.
///
/// ```
/// use polyproc::{Process, active_children, task};
/// use std::time::Duration;
///
/// #[task]
/// fn sleep() {
///     std::thread::sleep(Duration::from_secs(600));
/// }
///
/// drop(Process::spawn(sleep, ())?);
/// for child in active_children() {
///     child.terminate()?;
///     child.join()?;
/// }
/// assert!(active_children().is_empty());
/// # Ok::<(), polyproc::Error>(())
/// ```
pub fn active_children() -> Vec<Process> {
    collect();
    lock().iter().map(|started| Process::of(started.clone())).collect()
}

/// Enters a process that was started.
pub(super) fn enter(started: &Arc<Started>) {
    if started.daemon && REGISTERED.swap(fork_generation() + 1, Ordering::Relaxed) != fork_generation() + 1 {
        // SAFETY: a plain function for the whole life of the program, which may be called at its end. In a forked child it never is: that leaves by another way.
        unsafe { libc::atexit(at_exit) };
    }
    lock().push(started.clone());
}

/// Collects every process that has ended.
pub(super) fn collect() {
    // Looked at without the lock: what ended is swept, and whatever that takes, others may start processes meanwhile.
    let all = match CHILDREN.try_lock() {
        Ok(children) if !children.is_empty() => children.clone(),
        _ => return,
    };
    let ended: Vec<_> = all.into_iter().filter(|started| started.has_ended()).collect();
    if ended.is_empty() {
        return;
    }
    lock().retain(|started| !ended.iter().any(|ended| Arc::ptr_eq(ended, started)));
    for started in ended {
        let _ = started.settle();
    }
}

/// Tells the daemons that it is over, and gives them a moment.
pub(crate) fn end_daemons() {
    let Ok(children) = CHILDREN.try_lock() else { return };
    let daemons: Vec<_> = children.iter().filter(|started| started.daemon && !started.has_ended()).cloned().collect();
    drop(children);
    for daemon in &daemons {
        let _ = daemon.child.signal(Signal::TERM);
    }
    let until = Instant::now() + GRACE;
    for daemon in &daemons {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let time = left.try_into().ok();
            let ended = poll(&mut [PollFd::from_borrowed_fd(daemon.child.sentinel().as_fd(), PollFlags::IN)], time.as_ref());
            if ended.is_ok_and(|count| count > 0) || left.is_zero() {
                break;
            }
        }
        let _ = daemon.child.reap();
    }
}

extern "C" fn at_exit() {
    // A process that was forked behind our back has its parent's handlers, and none of its children.
    if REGISTERED.load(Ordering::Relaxed) == fork_generation() + 1 {
        end_daemons();
    }
}

/// In a forked child: the children are its parent's, and so are the pipes to them, whose end nobody would see while they were open here too.
pub(crate) fn forget() {
    for started in lock().drain(..) {
        started.forget_pipes();
    }
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

fn lock() -> MutexGuard<'static, Vec<Arc<Started>>> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}
