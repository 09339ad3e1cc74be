//! The victim: a forked process under ptrace that is run to a chosen instruction and killed. Knows no case and no outcome.
//!
//! The victim stops itself by SIGSTOP before and after its operation; a step ends with SIGTRAP, so the two cannot be mixed
//! up. No other signal reaches it. If this process ends, the kernel kills the victim.
#![allow(unsafe_code)]

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::{panic, ptr};

use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

use super::clock;
use super::outside::Outside;
use super::plan::{Trace, Way};
use crate::helper::exit_now;

const PANICKED: i32 = 101;
const NOT_TRACED: i32 = 102;
const NOT_MARKED: i32 = 103;

/// Marks the operation in the victim's closure.
#[derive(Debug)]
pub struct Mark(());

impl Mark {
    /// Runs `operation`, which is what the victim is killed in. If it panics, the victim ends, and the case has failed.
    #[inline(never)]
    pub fn around<R>(&self, operation: impl FnOnce() -> R) -> R {
        stop_self();
        let result = black_box(operation());
        stop_self();
        result
    }
}

/// Why the victim stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It has made its steps.
    Step,
    /// It has finished its operation.
    Mark,
}

/// A forked and traced process; killed and reaped on drop.
#[derive(Debug)]
pub(crate) struct Victim {
    pid: libc::pid_t,
    reaped: bool,
    /// The processors this process had before it was put beside the victim.
    home: Option<CpuSet>,
}

impl Victim {
    /// Forks a process that runs `body`. The caller has made sure that this process has one thread.
    pub(crate) fn fork(body: impl FnOnce(&Mark)) -> Victim {
        // SAFETY: the process has one thread, so the child's copy of it is whole.
        match unsafe { libc::fork() } {
            -1 => panic!("cannot fork a victim: {}", std::io::Error::last_os_error()),
            0 => {
                // SAFETY: asks to be traced by the parent; no memory is involved.
                if unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) } != 0 {
                    exit_now(NOT_TRACED);
                }
                // A victim must not panic. The message is enough: a backtrace would be stepped through as well.
                panic::set_hook(Box::new(|info| {
                    eprintln!("the victim {info}");
                    exit_now(PANICKED)
                }));
                body(&Mark(()));
                exit_now(NOT_MARKED)
            }
            pid => Victim { pid, reaped: false, home: None },
        }
    }

    /// Lets it run to the start of its operation.
    pub(crate) fn reach_start(&mut self) -> Result<(), String> {
        while self.wait()? != libc::SIGSTOP {
            self.resume(libc::PTRACE_CONT)?;
        }
        self.request(libc::PTRACE_SETOPTIONS, 0, libc::PTRACE_O_EXITKILL as u64)?;
        self.side_by_side();
        Ok(())
    }

    /// Steps to the end of the operation and notes where it stood on the way.
    pub(crate) fn trace(&mut self, max_steps: u64) -> Result<Trace, String> {
        let mut trace = Trace::default();
        let mut outside = Outside::of(self.pid);
        loop {
            let pc = self.pc();
            trace.push(pc, outside.sees(pc, || self.registers()));
            if self.step()? == Stop::Mark {
                return Ok(trace);
            }
            if trace.len() as u64 > max_steps {
                return Err(format!("the operation was not finished after {max_steps} steps; it stands at {}", self.place()));
            }
        }
    }

    /// Goes to a kill point, or to the end of the operation if that comes first.
    pub(crate) fn go(&mut self, way: &Way) -> Result<Stop, String> {
        if let Some((address, hits)) = way.breakpoint
            && self.reach_breakpoint(address, hits)? == Stop::Mark
        {
            return Ok(Stop::Mark);
        }
        for _ in 0..way.steps {
            if self.step()? == Stop::Mark {
                return Ok(Stop::Mark);
            }
        }
        Ok(Stop::Step)
    }

    /// The address of its next instruction; 0 where this cannot be told.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn pc(&self) -> u64 {
        self.request_peek(libc::PTRACE_PEEKUSER, RIP).unwrap_or(0)
    }

    fn registers(&self) -> Option<libc::user_regs_struct> {
        let mut registers = MaybeUninit::<libc::user_regs_struct>::uninit();
        // SAFETY: the process is this one's stopped victim, and the request fills the whole record if it answers 0.
        let answer = unsafe { libc::ptrace(libc::PTRACE_GETREGS, self.pid, 0, registers.as_mut_ptr()) };
        // SAFETY: written by the call above.
        (answer == 0).then(|| unsafe { registers.assume_init() })
    }

    /// The address of its next instruction; 0 where this cannot be told.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) fn pc(&self) -> u64 {
        0
    }

    fn step(&mut self) -> Result<Stop, String> {
        loop {
            self.resume(libc::PTRACE_SINGLESTEP)?;
            match self.wait()? {
                libc::SIGTRAP => return Ok(Stop::Step),
                libc::SIGSTOP => return Ok(Stop::Mark),
                _ => {} // a signal from outside, which it never sees; nothing was run
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn reach_breakpoint(&mut self, address: u64, hits: u64) -> Result<Stop, String> {
        const INT3: u64 = 0xcc;
        let (word, shift) = (address & !7, (address & 7) * 8);
        let plain = self.request_peek(libc::PTRACE_PEEKTEXT, word)?;
        let trapped = plain & !(0xff << shift) | INT3 << shift;
        self.request(libc::PTRACE_POKETEXT, word, trapped)?;
        for hit in 1..=hits {
            loop {
                self.resume(libc::PTRACE_CONT)?;
                match self.wait()? {
                    libc::SIGTRAP => break,
                    libc::SIGSTOP => return Ok(Stop::Mark),
                    _ => {}
                }
            }
            if self.pc() != address + 1 {
                return Err(format!("it trapped at {}, where no breakpoint is", self.place()));
            }
            self.request(libc::PTRACE_POKEUSER, RIP, address)?;
            self.request(libc::PTRACE_POKETEXT, word, plain)?;
            if hit < hits {
                if self.step()? == Stop::Mark {
                    return Ok(Stop::Mark);
                }
                self.request(libc::PTRACE_POKETEXT, word, trapped)?;
            }
        }
        Ok(Stop::Step)
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn reach_breakpoint(&mut self, _address: u64, _hits: u64) -> Result<Stop, String> {
        unreachable!("ways have breakpoints on x86-64 only")
    }

    /// Lets it go on without the signal that stopped it.
    fn resume(&self, how: libc::c_uint) -> Result<(), String> {
        self.request(how, 0, 0)
    }

    /// Waits until it stops; answers the signal that stopped it.
    fn wait(&mut self) -> Result<libc::c_int, String> {
        let mut status = 0;
        // SAFETY: `status` is a valid place for the answer; the process is a child of this one.
        while unsafe { libc::waitpid(self.pid, ptr::from_mut(&mut status), libc::__WALL) } != self.pid {
            let error = std::io::Error::last_os_error();
            assert_eq!(error.kind(), std::io::ErrorKind::Interrupted, "waiting for the victim: {error}");
            if clock::expired() {
                return Err(format!("it was not there in time; it stands at {}", self.place()));
            }
        }
        if libc::WIFSTOPPED(status) {
            let signal = libc::WSTOPSIG(status);
            return match signal {
                libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE | libc::SIGABRT | libc::SIGSYS => {
                    Err(format!("it got signal {signal} of its own making, at {}", self.place()))
                }
                _ => Ok(signal),
            };
        }
        self.reaped = true;
        Err(match libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)) {
            Some(PANICKED) => "it panicked; its message is above".to_owned(),
            Some(NOT_TRACED) => "this system does not permit ptrace".to_owned(),
            Some(NOT_MARKED) => "its closure must call mark.around once".to_owned(),
            _ => format!("it ended by itself, with the status {status:#x}"),
        })
    }

    /// Puts both processes on one processor, which halves the time of a step. The victim stays there.
    fn side_by_side(&mut self) {
        let Ok(home) = sched_getaffinity(None) else { return };
        let mut here = CpuSet::new();
        here.set(sched_getcpu());
        let pid = rustix::process::Pid::from_raw(self.pid);
        if sched_setaffinity(pid, &here).is_ok() && sched_setaffinity(None, &here).is_ok() {
            self.home = Some(home);
        }
    }

    fn place(&self) -> String {
        crate::procfs::place(self.pc())
    }

    fn request(&self, what: libc::c_uint, address: u64, data: u64) -> Result<(), String> {
        // SAFETY: the process is this one's stopped victim; the request writes to its memory or registers, not to ours.
        match unsafe { libc::ptrace(what, self.pid, address, data) } {
            -1 => Err(format!("ptrace request {what}: {}", std::io::Error::last_os_error())),
            _ => Ok(()),
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn request_peek(&self, what: libc::c_uint, address: u64) -> Result<u64, String> {
        // SAFETY: errno is this thread's own.
        unsafe { *libc::__errno_location() = 0 };
        // SAFETY: the process is this one's stopped victim; the word that is read is returned by value.
        let word = unsafe { libc::ptrace(what, self.pid, address, 0) };
        let error = std::io::Error::last_os_error();
        if word == -1 && error.raw_os_error() != Some(0) {
            return Err(format!("ptrace request {what} at {address:#x}: {error}"));
        }
        Ok(word as u64)
    }
}

#[cfg(target_arch = "x86_64")]
const RIP: u64 = std::mem::offset_of!(libc::user_regs_struct, rip) as u64;

impl Drop for Victim {
    fn drop(&mut self) {
        if !self.reaped {
            // SAFETY: a child that is not reaped keeps its id, so the signal can reach nobody else.
            unsafe { libc::kill(self.pid, libc::SIGKILL) };
            let mut status = 0;
            loop {
                // SAFETY: `status` is a valid place for the answer; the process is a child of this one.
                let found = unsafe { libc::waitpid(self.pid, ptr::from_mut(&mut status), libc::__WALL) };
                // A stop may be reported once more before the end is.
                if found == self.pid && !libc::WIFSTOPPED(status) || found == -1 && !interrupted() {
                    break;
                }
            }
        }
        if let Some(home) = self.home.take() {
            let _ = sched_setaffinity(None, &home);
        }
    }
}

fn interrupted() -> bool {
    std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
}

/// Stops this process until its tracer lets it go on.
fn stop_self() {
    // SAFETY: a signal to this process itself, which is traced: the tracer sees it and never delivers it.
    unsafe { libc::kill(libc::getpid(), libc::SIGSTOP) };
}
