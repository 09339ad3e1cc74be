//! Panics of tasks as records: message, place and backtrace, caught where the task was called.
//!
//! The hook keeps what the process had before for every other panic. Must not know what becomes of the record.
//!
//! **Fork.** The standard library has locks around the hook and around backtraces. A copy of a process made while another thread is in them would wait for ever, where it sets a hook or panics.
//! So a process that forks has the hook before, its copies set none, and nobody is in the hook while a copy is made.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

static INSTALLED: AtomicBool = AtomicBool::new(false);
static PRINTS: AtomicBool = AtomicBool::new(true);
/// Held by who is in the hook, and over a fork.
static INSIDE: Mutex<()> = Mutex::new(());

use crate::error::{ErrorKind, Failure};

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static SEEN: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
    /// This thread has [`INSIDE`]: a hook may fork, and a hook may panic.
    static MINE: Cell<bool> = const { Cell::new(false) };
}

/// Sets the hook that records panics of watched calls, once in a process and its forks: upon the same hook it would only do the same again. Unless it was told [not to](print), it also prints them, as the process prints any panic.
pub(crate) fn install() {
    if INSTALLED.swap(true, Ordering::Relaxed) {
        return;
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        let _inside = enter();
        let watched = WATCHED.get();
        if watched {
            let place = info.location().map(|place| format!(" ({place})")).unwrap_or_default();
            let message = format!("{}{place}", text(info.payload()));
            let backtrace = Backtrace::force_capture().to_string();
            SEEN.with_borrow_mut(|seen| *seen = Some((message, backtrace)));
        }
        // Where panics abort, nobody will catch this one and report it.
        if !watched || PRINTS.load(Ordering::Relaxed) || cfg!(panic = "abort") {
            before(info);
        }
    }));
}

/// Whether panics of watched calls are printed in this process.
pub(crate) fn print(print: bool) {
    PRINTS.store(print, Ordering::Relaxed);
}

/// Keeps other threads out of the hook until it is dropped; for a fork, which asks for it before all other locks.
pub(crate) fn hold_still() -> Entered {
    install();
    let first = !MINE.replace(true);
    Entered(first.then(|| INSIDE.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// What [`hold_still`] gives; nothing, where this thread has it already.
pub(crate) struct Entered(Option<MutexGuard<'static, ()>>);

/// In the hook. Who forks may wait for a lock that this thread panicked with, so this waits for a moment only.
fn enter() -> Entered {
    if MINE.get() {
        return Entered(None);
    }
    for _ in 0..1000 {
        match INSIDE.try_lock() {
            Ok(guard) => {
                MINE.set(true);
                return Entered(Some(guard));
            }
            Err(TryLockError::Poisoned(_)) => INSIDE.clear_poison(),
            Err(TryLockError::WouldBlock) => std::thread::sleep(std::time::Duration::from_millis(1)),
        }
    }
    Entered(None)
}

impl Drop for Entered {
    fn drop(&mut self) {
        if self.0.is_some() {
            MINE.set(false);
        }
    }
}

/// Calls `body`; its panic becomes a failure of task `name`.
pub(crate) fn watch<T>(name: &str, body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let before = WATCHED.replace(true);
    let answer = std::panic::catch_unwind(AssertUnwindSafe(body));
    WATCHED.set(before);
    answer.unwrap_or_else(|payload| {
        // A task may have set a hook of its own: then only the payload is known.
        let seen = SEEN.with_borrow_mut(Option::take);
        let (message, backtrace) = seen.unwrap_or_else(|| (text(&*payload).into(), String::new()));
        // A payload whose drop panics must not end the worker.
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| drop(payload))).map_err(std::mem::forget);
        Err(Failure { number: ErrorKind::Panicked.number(), task: name.into(), message, backtrace })
    })
}

fn text(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "a value that is no text"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_and_a_value_passes() {
        assert_eq!(watch("t", || Ok(7)), Ok(7));
        let failure = watch::<()>("t", || std::panic::panic_any(String::from("lost"))).unwrap_err();
        assert_eq!((&*failure.task, &*failure.message), ("t", "lost"));
        assert_eq!(failure.number, ErrorKind::Panicked.number());
    }
}
