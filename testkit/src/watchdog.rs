//! A test that hangs ends with a message instead: which test, how long, and where each of its threads stands.
//!
//! A watchdog is a thread, so it does not follow a fork: see [`crate::step`] and [`crate::helper`] for those. The whole
//! process is aborted, because a thread that hangs cannot be stopped in any other way.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fs, process};

use crate::peer;

/// Runs `body` and returns what it returns. If it is not finished after `limit`, the process is aborted.
///
/// Choose `limit` for a slow and busy machine: it is a net below the test, not a measurement.
///
/// ```
/// use std::time::Duration;
/// let sum = polyproc_testkit::watchdog::watchdog(Duration::from_secs(60), || 1 + 1);
/// assert_eq!(sum, 2);
/// ```
pub fn watchdog<R>(limit: Duration, body: impl FnOnce() -> R) -> R {
    let _guard = Watchdog::new(limit);
    body()
}

/// The same as a guard: the process is aborted if it is not dropped within the limit.
#[derive(Debug)]
pub struct Watchdog {
    alive: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    maker: u32,
}

impl Watchdog {
    /// Starts the clock. The message names the current thread, which the test harness names after the test.
    ///
    /// # Panics
    /// If no thread can be started.
    pub fn new(limit: Duration) -> Watchdog {
        let test = thread::current().name().unwrap_or("a thread without a name").to_owned();
        let (alive, watched) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("watchdog".into())
            .spawn(move || {
                if watched.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                    bark(&test, limit);
                }
            })
            .expect("the watchdog needs a thread");
        Watchdog { alive: Some(alive), thread: Some(thread), maker: process::id() }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.alive.take());
        // The thread stayed behind in the parent if this is a forked child; there is nothing to join then.
        if let Some(thread) = self.thread.take().filter(|_| self.maker == process::id()) {
            let _ = thread.join();
        }
    }
}

/// Ends the process with a message. Written past the test harness's capture, which would swallow it.
fn bark(test: &str, limit: Duration) -> ! {
    let mut text = format!("\nWATCHDOG: {test} was not finished after {limit:?}; process {} is aborted\n", process::id());
    for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |what: &str| fs::read_to_string(task.path().join(what)).unwrap_or_default().trim().to_owned();
        let state = read("stat").rsplit(')').next().and_then(|rest| rest.trim().chars().next()).unwrap_or('?');
        let call = read("syscall").split(' ').next().unwrap_or_default().to_owned();
        let _ = writeln!(text, "  thread {:<18} state {state}  in system call {call} {}", read("comm"), read("wchan"));
    }
    for peer in peer::kill_all() {
        let _ = writeln!(text, "  peer {peer} killed");
    }
    let _ = std::io::stderr().write_all(text.as_bytes());
    process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Peer;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn a_body_in_time_passes_its_value() {
        assert_eq!(watchdog(Duration::from_secs(60), || 7), 7);
    }

    #[test]
    #[ignore = "a peer of a_hang_ends_the_process"]
    fn hangs() {
        if peer::is("watchdog::tests::hangs") {
            watchdog(Duration::from_millis(20), || {
                loop {
                    thread::park();
                }
            });
        }
    }

    #[test]
    fn a_hang_ends_the_process() {
        let mut peer = Peer::builder("watchdog::tests::hangs").quiet().start();
        assert_eq!(peer.wait(Duration::from_secs(60)).signal(), Some(libc::SIGABRT));
    }
}
