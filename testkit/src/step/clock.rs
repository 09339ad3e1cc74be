//! The wall clock of a kill point, for a process without threads: SIGALRM. Knows no process but this one.
//!
//! At the limit the wait for the victim returns, and the point is reported as a failure. If that does not help, because
//! setup or check hang, the process ends a little later with a message that says which case, point and phase.
#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::helper::exit_now;

/// From the first alarm to the end of the process.
const GRACE_SECONDS: u32 = 3;

static EXPIRED: AtomicBool = AtomicBool::new(false);
static NAME: AtomicPtr<String> = AtomicPtr::new(ptr::null_mut());
static POINT: AtomicU64 = AtomicU64::new(0);
static PHASE: AtomicU8 = AtomicU8::new(0);

/// What is being done.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Phase {
    Setup,
    Victim,
    Check,
}

/// The clock of one case.
#[derive(Debug)]
pub(crate) struct Clock {
    seconds: u32,
}

impl Clock {
    pub(crate) fn new(limit: Duration) -> Clock {
        let handler: extern "C" fn(libc::c_int) = on_alarm;
        // SAFETY: a zeroed sigaction is a valid one: no flags (so that waits are interrupted) and an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handler as *const () as usize;
        // SAFETY: the handler only uses atomics, write, alarm and _exit.
        unsafe { libc::sigaction(libc::SIGALRM, &raw const action, ptr::null_mut()) };
        Clock { seconds: limit.as_secs().clamp(1, 86_400) as u32 }
    }

    /// Starts with the setup of the point `number` of the case `name`.
    pub(crate) fn start(&self, name: &str, number: u64) {
        // Only replaced when the case changes, and never freed: the handler may be looking at it.
        let known = NAME.load(Relaxed);
        // SAFETY: the pointer is null or comes from the leaked box below.
        if unsafe { known.as_ref() }.is_none_or(|known| known != name) {
            NAME.store(Box::leak(Box::new(name.to_owned())), Relaxed);
        }
        POINT.store(number, Relaxed);
        EXPIRED.store(false, Relaxed);
        enter(Phase::Setup);
        alarm(self.seconds);
    }
}

/// Notes what is being done now.
pub(crate) fn enter(phase: Phase) {
    PHASE.store(phase as u8, Relaxed);
}

/// The current point is done.
pub(crate) fn stop() {
    alarm(0);
}

impl Drop for Clock {
    fn drop(&mut self) {
        stop();
    }
}

/// Whether the time of the current point is over.
pub(crate) fn expired() -> bool {
    EXPIRED.load(Relaxed)
}

fn alarm(seconds: u32) {
    // SAFETY: sets a timer of this process, whose signal is handled below.
    unsafe { libc::alarm(seconds) };
}

extern "C" fn on_alarm(_: libc::c_int) {
    if !EXPIRED.swap(true, Relaxed) {
        alarm(GRACE_SECONDS);
        return;
    }
    // SAFETY: the pointer is null or comes from a leaked box.
    let name = unsafe { NAME.load(Relaxed).as_ref() }.map_or("", |name| name);
    let phase = match PHASE.load(Relaxed) {
        0 => "setup",
        1 => "victim",
        _ => "check",
    };
    let mut digits = [0; 20];
    for piece in ["\nWATCHDOG: ", name, ": point ", decimal(POINT.load(Relaxed), &mut digits), " hangs in its ", phase, "\n"] {
        // SAFETY: the pointer and length are those of a string that lives during the call.
        unsafe { libc::write(2, piece.as_ptr().cast(), piece.len()) };
    }
    exit_now(70)
}

/// `number` in decimal, without allocating.
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &str {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return std::str::from_utf8(&digits[at..]).unwrap_or("?");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn numbers_are_written_whole() {
        for number in [0, 7, 10, 12_345, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string());
        }
    }
}
