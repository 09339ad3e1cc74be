//! Panics of tasks as records: message, place and backtrace, caught where the task was called.
//!
//! The hook keeps what the process had before for every other panic. Must not know what becomes of the record.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo};

use crate::error::{ErrorKind, Failure};

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static SEEN: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

/// Sets the hook that records panics of watched calls. With `print`, they are also printed as the process prints any panic.
pub(crate) fn install(print: bool) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        let watched = WATCHED.get();
        if watched {
            let place = info.location().map(|place| format!(" ({place})")).unwrap_or_default();
            let message = format!("{}{place}", text(info.payload()));
            let backtrace = Backtrace::force_capture().to_string();
            SEEN.with_borrow_mut(|seen| *seen = Some((message, backtrace)));
        }
        // Where panics abort, nobody will catch this one and report it.
        if print || !watched || cfg!(panic = "abort") {
            before(info);
        }
    }));
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
