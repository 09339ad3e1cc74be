//! Waits that signals end, for programs whose language runs its handlers between calls. Knows no wait: they say that a signal came, and ask whether they are to end.
//!
//! A wait in the scope of [`interruptible`] ends as if its time were up, and the scope then says why. A signal is known by the system call that it ended, or, also where its handler restarts
//! system calls or ran just before the sleep, by [`interrupt_waits`] in the handler. What must not end half done (the library's own locks, a lock that a wait gives back, a message that is
//! half sent) asks for [`firm`].

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

static CALLS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether this thread is in a scope, and [`CALLS`] when it entered it.
    static SCOPE: Cell<Option<u64>> = const { Cell::new(None) };
    static CAME: Cell<bool> = const { Cell::new(false) };
    static FIRM: Cell<u32> = const { Cell::new(0) };
}

/// Runs `body`; in it, a signal ends this thread's waits as if their time were up (an error of kind `Timeout`, or false). The second answer is whether a signal came.
///
/// A barrier that is waited for so breaks, as when time is up; a message that is half sent is sent to its end.
///
/// ```
/// use polyproc_ipc::{Event, Fabric, interrupt_waits, interruptible};
/// let event = Event::new(&Fabric::new()?)?;
/// let (result, signalled) = interruptible(|| {
///     interrupt_waits();                                   // a signal's handler may call this
///     event.wait(None)
/// });
/// assert!(!result? && signalled);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub fn interruptible<R>(body: impl FnOnce() -> R) -> (R, bool) {
    struct Restore(Option<u64>, bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            SCOPE.set(self.0);
            CAME.set(self.1);
        }
    }
    let before = Restore(SCOPE.replace(Some(CALLS.load(Ordering::Relaxed))), CAME.replace(false));
    let result = body();
    let came = has_come();
    drop(before);
    (result, came)
}

/// Ends all waits of this process that are in [`interruptible`], within a quarter of a second. It may be called by the handler of a signal.
pub fn interrupt_waits() {
    CALLS.fetch_add(1, Ordering::Relaxed);
}

/// A system call ended because a signal came.
pub(crate) fn came() {
    CAME.set(true);
}

/// Whether a wait of this thread is to end.
#[inline]
pub(crate) fn due() -> bool {
    FIRM.get() == 0 && has_come()
}

/// While it lives, no wait of this thread is ended by a signal.
pub(crate) struct Firm(());

pub(crate) fn firm() -> Firm {
    FIRM.set(FIRM.get() + 1);
    Firm(())
}

impl Drop for Firm {
    fn drop(&mut self) {
        FIRM.set(FIRM.get() - 1);
    }
}

#[inline]
fn has_come() -> bool {
    SCOPE.get().is_some_and(|entered| CAME.get() || entered != CALLS.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_scope_is_interrupted_and_never_what_is_firm() {
        came();
        assert!(!due(), "outside a scope");
        let ((), came_inside) = interruptible(|| {
            assert!(!due(), "what came before the scope is not its");
            interrupt_waits();
            assert!(due());
            let held = firm();
            assert!(!due());
            drop(held);
            assert!(due());
            let ((), inner) = interruptible(|| ());
            assert!(!inner);
        });
        assert!(came_inside && !due());
    }
}
