//! Waiting from event loops: a descriptor that becomes readable when an object is ready. One helper thread per process, started on first use, sleeps on the wait words of all of them.
//!
//! | state of a [`Pollable`] | the descriptor | who changes it |
//! | --- | --- | --- |
//! | ARMED: the helper watches the object | not readable | the helper, when the object is ready: to FIRED |
//! | FIRED: the object was ready | readable | its user, by [`Pollable::rearm`]: to ARMED, or FIRED again at once |
//!
//! Nothing of this is in shared memory but the SLEEPERS bit that every sleeper leaves in a wait word; so a process killed here leaves what a killed waiter leaves. The helper naps like any other
//! sleeper (250 ms at most), so that a waker killed before its wake delays it and never stops it. Knows an object only as a [`Source`].

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::fabric::Fabric;
use crate::pipe::{Readiness, Waitable};
use crate::sys;

/// What the helper needs to know of an object.
pub(crate) trait Source: Send + Sync {
    /// Announces a sleeper and looks. None: ready. Else the futex to sleep on, and the value that it must still have.
    fn arm(&self) -> Option<(&AtomicU32, u32)>;
    /// For sweeping, now and then.
    fn fabric(&self) -> &Fabric;
}

/// A descriptor that becomes readable when a queue has something to get, an event is set, a lock or permit is free, or a condition was notified; for `poll`, `epoll` and the event loops of
/// every language.
///
/// Readable means *try now*: somebody else may be faster. Do it by the object's `try_` form, and when that finds nothing more, call [`rearm`](Pollable::rearm) before the next poll.
///
/// **When a process dies**: what its death makes ready (a lock, a permit, a message that was on lease) makes the descriptor readable, at once where somebody sweeps the fabric, else within
/// about a second. **Fork**: it belongs to the process that made it; in a forked child, `rearm` answers [`ErrorKind::Unsupported`]: make a new one there.
///
/// ```
/// use polyproc_ipc::{Fabric, Lock};
/// use std::time::Duration;
/// let fabric = Fabric::new()?;
/// let lock = Lock::new(&fabric)?;
/// let held = lock.lock()?;
/// let pollable = lock.pollable()?;
/// assert!(!pollable.is_ready());
/// drop(held);
/// assert!(pollable.wait(Some(Duration::from_secs(10)))?);
/// let _held = lock.try_lock()?;
/// pollable.rearm()?;
/// assert!(!pollable.is_ready());
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub struct Pollable(Arc<Watch>);

struct Watch {
    descriptor: OwnedFd,
    armed: AtomicBool,
    source: Box<dyn Source>,
    /// The process that this belongs to: `forks()` there.
    process: u64,
}

impl Pollable {
    pub(crate) fn new(source: impl Source + 'static) -> Result<Pollable> {
        let watch = Watch { descriptor: sys::signal_descriptor()?, armed: AtomicBool::new(false), source: Box::new(source), process: sys::forks() };
        let pollable = Pollable(Arc::new(watch));
        helper::add(&pollable.0)?;
        pollable.rearm()?;
        Ok(pollable)
    }

    /// Watches the object again. If it is ready now, the descriptor is readable when this returns.
    pub fn rearm(&self) -> Result<()> {
        let watch = &*self.0;
        if watch.process != sys::forks() {
            return Err(Error::new(ErrorKind::Unsupported, "this pollable descriptor is the parent process's; make one here"));
        }
        watch.armed.store(false, Ordering::SeqCst);
        sys::clear_signal(watch.descriptor.as_fd());
        if watch.source.arm().is_none() {
            sys::signal(watch.descriptor.as_fd());
        } else {
            watch.armed.store(true, Ordering::SeqCst);
            helper::poke();
        }
        Ok(())
    }

    /// Whether the descriptor is readable.
    pub fn is_ready(&self) -> bool {
        sys::is_signalled(self.0.descriptor.as_fd())
    }

    /// Waits until the descriptor is readable; `None`: however long it takes. False: time was up.
    pub fn wait(&self, time: Option<Duration>) -> Result<bool> {
        sys::wait_readable(self.0.descriptor.as_fd(), time)
    }
}

impl AsFd for Pollable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.descriptor.as_fd()
    }
}

impl AsRawFd for Pollable {
    fn as_raw_fd(&self) -> RawFd {
        self.0.descriptor.as_raw_fd()
    }
}

/// For [`wait()`](crate::wait()), beside connections and plain descriptors.
impl Waitable for Pollable {
    fn readiness(&self) -> Result<Readiness<'_>> {
        Ok(Readiness::Readable(self.as_fd()))
    }

    fn confirm(&self) -> Result<bool> {
        // Somebody else may have been faster: then it is watched again.
        self.rearm()?;
        Ok(self.is_ready())
    }
}

impl std::fmt::Debug for Pollable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pollable, descriptor {}, {}", self.as_raw_fd(), if self.is_ready() { "ready" } else { "not ready" })
    }
}

/// The helper thread.
mod helper {
    use std::os::fd::AsFd as _;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Arc, Mutex, PoisonError, Weak};
    use std::time::Duration;

    use super::Watch;
    use crate::error::{Error, ErrorKind, Result};
    use crate::shm::Nap;
    use crate::sys;

    /// Who is watched, and in which process (`forks() + 1`) the thread runs; a forked child has none until it needs one.
    static WATCHED: Mutex<(u64, Vec<Weak<Watch>>)> = Mutex::new((0, Vec::new()));
    /// Changes whenever the helper must look again.
    static POKES: AtomicU32 = AtomicU32::new(0);
    /// How long the helper sleeps where nothing is armed.
    const IDLE: Duration = Duration::from_secs(3600);

    pub(super) fn add(watch: &Arc<Watch>) -> Result<()> {
        let process = sys::forks() + 1;
        let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.0 != process {
            watched.1.clear();
            std::thread::Builder::new()
                .name("polyproc-poll".to_owned())
                .spawn(move || run(process))
                .map_err(|e| Error::new(ErrorKind::Os, format!("starting the thread that waits for event loops: {e}")))?;
            watched.0 = process;
        }
        watched.1.push(Arc::downgrade(watch));
        Ok(())
    }

    pub(super) fn poke() {
        POKES.fetch_add(1, Ordering::SeqCst);
        sys::futex_wake(&POKES, 1);
    }

    fn run(process: u64) {
        let mut nap = Nap::new();
        let mut pokes_before = 0;
        while sys::forks() + 1 == process {
            let pokes = POKES.load(Ordering::SeqCst);
            let watched = all();
            let mut words = vec![(&POKES, pokes)];
            let mut fired = false;
            let mut armed: Vec<&Arc<Watch>> = Vec::new();
            for watch in watched.iter().filter(|watch| watch.armed.load(Ordering::SeqCst)) {
                if let Some(sleep_on) = watch.source.arm() {
                    words.push(sleep_on);
                    armed.push(watch);
                } else if watch.armed.swap(false, Ordering::SeqCst) {
                    sys::signal(watch.descriptor.as_fd());
                    fired = true;
                }
            }
            if fired || pokes != pokes_before {
                nap = Nap::new();
                pokes_before = pokes;
            }
            let time = match armed.len() {
                0 => IDLE,
                // More than the system watches at once: those at the end are looked at by the clock.
                many if many >= sys::MOST_WORDS => nap.next().min(Duration::from_millis(5)),
                _ => nap.next(),
            };
            sys::futex_wait_any(&words, time);
            if !armed.is_empty() && nap.is_long() {
                for watch in armed {
                    // What is waited for may be held by somebody who died with nobody to notice. Damaged memory is told by the call that meets it.
                    let _ = watch.source.fabric().sweep();
                }
            }
        }
    }

    fn all() -> Vec<Arc<Watch>> {
        let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        watched.1.retain(|watch| watch.strong_count() > 0);
        watched.1.iter().filter_map(Weak::upgrade).collect()
    }
}

const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Pollable>();
};
