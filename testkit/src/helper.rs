//! Other processes for a test main that is single-threaded: a forked child that runs a closure beside the test.
//!
//! For the kill tests of [`crate::step`]: somebody who waits in `lock()` or `get()` while the victim is killed, and who must
//! get on. It reports single bytes through a pipe. It dies with the process that forked it.
#![allow(unsafe_code)]

use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitOptions, getppid, kill_process, set_parent_process_death_signal, waitpid};

use crate::{peer, procfs};

/// A forked process that runs a closure; killed and reaped on drop, in the process that forked it.
#[derive(Debug)]
pub struct Helper {
    pid: Pid,
    maker: u32,
    /// Bytes from the helper.
    from: OwnedFd,
    /// Bytes to the helper. Inherited by processes forked later, so that a victim too can say `go`.
    to: OwnedFd,
}

/// The helper's own side, which its closure is given.
#[derive(Debug)]
pub struct Line {
    to: OwnedFd,
    from: OwnedFd,
}

/// What [`Helper::answer`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The helper said this byte.
    Said(u8),
    /// Nothing came in time. The helper lives: it hangs, or the time was too short.
    Silent,
    /// The helper ended without a further byte.
    Died,
}

impl Line {
    /// Says one byte, which the other side reads by [`Helper::answer`].
    ///
    /// # Panics
    /// If the other side is gone.
    pub fn say(&self, byte: u8) {
        put(&self.to, byte);
    }

    /// Waits for [`Helper::go`].
    ///
    /// # Panics
    /// If the other side is gone.
    pub fn await_go(&self) {
        assert!(take(&self.from).is_some(), "who forked this helper is gone");
    }
}

impl Helper {
    /// Forks a helper that runs `body`, then says the byte that `body` returned, and ends. A panic ends it without a byte.
    ///
    /// # Panics
    /// If this process has more than one thread (a fork would copy only this one), or cannot fork.
    pub fn fork(body: impl FnOnce(&Line) -> u8) -> Helper {
        assert_single_threaded();
        let (from, its_to) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
        let (its_from, to) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
        let maker = rustix::process::getpid();
        // SAFETY: the process has one thread, so the child's copy of it is whole.
        match unsafe { libc::fork() } {
            -1 => panic!("cannot fork a helper: {}", std::io::Error::last_os_error()),
            0 => {
                drop((from, to));
                let _ = set_parent_process_death_signal(Some(Signal::KILL));
                let line = Line { to: its_to, from: its_from };
                let orphan = getppid() != Some(maker);
                let done = !orphan && catch_unwind(AssertUnwindSafe(|| line.say(body(&line)))).is_ok();
                exit_now(if done { 0 } else { 101 })
            }
            pid => {
                let pid = Pid::from_raw(pid).expect("fork answers a process id");
                Helper { pid, maker: process::id(), from, to }
            }
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get() as u32
    }

    /// Lets the helper's [`Line::await_go`] return. Works in any process forked after the helper too.
    pub fn go(&self) {
        put(&self.to, 1);
    }

    /// The next byte of the helper.
    pub fn answer(&self, timeout: Duration) -> Answer {
        if !peer::readable(&self.from, timeout) {
            return Answer::Silent;
        }
        take(&self.from).map_or(Answer::Died, Answer::Said)
    }

    /// Waits until the kernel shows the helper asleep, as it is while it waits for another process. Works in any process.
    ///
    /// # Panics
    /// If it is not asleep within `timeout`, or has ended.
    pub fn until_asleep(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        loop {
            let state = procfs::stat(self.pid()).map_or('Z', |stat| stat.state);
            match state {
                'S' => return,
                'Z' | 'X' => panic!("the helper {} has ended instead of going to sleep", self.pid()),
                _ => thread::yield_now(),
            }
            assert!(Instant::now() < deadline, "the helper {} is not asleep after {timeout:?}", self.pid());
        }
    }

    /// Stops it with SIGSTOP: it lives, and does nothing.
    ///
    /// # Panics
    /// If it has ended and been reaped.
    pub fn stop(&self) {
        kill_process(self.pid, Signal::STOP).expect("a helper can be stopped");
    }

    /// Lets it go on after [`Helper::stop`].
    ///
    /// # Panics
    /// If it has ended and been reaped.
    pub fn resume(&self) {
        kill_process(self.pid, Signal::CONT).expect("a helper can be let go on");
    }

    /// Kills it with SIGKILL and reaps it.
    pub fn kill(self) {}
}

impl Drop for Helper {
    fn drop(&mut self) {
        if self.maker == process::id() {
            let _ = kill_process(self.pid, Signal::KILL);
            while matches!(waitpid(Some(self.pid), WaitOptions::empty()), Err(Errno::INTR)) {}
        }
    }
}

/// # Panics
/// If this process has more than one thread.
pub(crate) fn assert_single_threaded() {
    assert!(procfs::threads() == 1, "this process has {} threads and must not fork; put the test in a target with `harness = false`", procfs::threads());
}

/// Ends a forked process at once: no destructors, no buffers flushed, which are all the parent's.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit returns to nobody and touches no memory of this process.
    unsafe { libc::_exit(code) }
}

fn put(fd: &OwnedFd, byte: u8) {
    rustix::io::retry_on_intr(|| rustix::io::write(fd, &[byte])).expect("the other side of the pipe listens");
}

/// One byte, or `None` at the end of the pipe.
fn take(fd: &OwnedFd) -> Option<u8> {
    let mut byte = [0];
    let count = rustix::io::retry_on_intr(|| rustix::io::read(fd, &mut byte)).expect("a pipe can be read");
    (count == 1).then_some(byte[0])
}
