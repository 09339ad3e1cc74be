//! The child's side of a round: pin, say `ready`, wait for the gate, work, say `done`. It knows nothing of what is measured.
//!
//! The lines, the same for every program: `ready` once everything is set up; then end of file on standard input is the start for
//! all at once; then `done START END COUNT SUM`, nanoseconds of `CLOCK_MONOTONIC`. A subject may say a line of its own before `ready`.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::str::FromStr;
use std::time::Duration;

use rustix::process::Signal;
use rustix::thread::CpuSet;

use super::{Sample, Trouble};

/// What a member reports: when it was let go, when its last operation was done, how many there were, and a sum to check.
#[derive(Clone, Copy)]
pub(crate) struct Report {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) count: u64,
    pub(crate) sum: u64,
}

impl Report {
    pub(crate) fn parse(text: &str) -> Result<Report, Trouble> {
        let numbers: Vec<u64> = text.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        match numbers[..] {
            [start, end, count, sum] => Ok(Report { start, end, count, sum }),
            _ => Err(Trouble::failed(format!("a report of four numbers was expected, not {text:?}"))),
        }
    }

    /// From the moment the first of `all` was let go until the last of `timed` was done.
    pub(crate) fn sample(all: &[Report], timed: &[Report]) -> Sample {
        let start = all.iter().map(|report| report.start).min().unwrap_or(0);
        let end = timed.iter().map(|report| report.end).max().unwrap_or(0);
        let operations = timed.iter().map(|report| report.count).sum();
        Sample::Timed { operations, elapsed: Duration::from_nanos(end.saturating_sub(start).max(1)) }
    }
}

/// First call of every role: ends with its parent, and pins itself to the given one of the CPUs allowed (counted from 0).
pub(crate) fn enter(core: Option<usize>) -> Result<(), Trouble> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    pin(core)
}

/// Pins this thread to the given one of the CPUs allowed.
pub(crate) fn pin(core: Option<usize>) -> Result<(), Trouble> {
    if let Some(core) = core {
        let allowed = cpus();
        let mut set = CpuSet::new();
        set.set(allowed[core % allowed.len()]);
        rustix::thread::sched_setaffinity(None, &set)?;
    }
    Ok(())
}

/// Says a line to the parent.
pub(crate) fn say(line: &str) -> Result<(), Trouble> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

/// Says `ready`, waits for the gate, and returns the time at which it opened.
pub(crate) fn start() -> Result<u64, Trouble> {
    say("ready")?;
    let mut nothing = [0; 1];
    while std::io::stdin().lock().read(&mut nothing)? != 0 {}
    Ok(now())
}

/// Last call of every role.
pub(crate) fn done(report: Report) -> Result<(), Trouble> {
    say(&format!("done {} {} {} {}", report.start, report.end, report.count, report.sum))
}

/// Nanoseconds on the clock that all processes share.
pub(crate) fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The CPUs this process may use.
pub(crate) fn cpus() -> Vec<usize> {
    let Ok(set) = rustix::thread::sched_getaffinity(None) else { return vec![0] };
    (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect()
}

/// The next argument of a role, as a number or whatever it should be.
pub(crate) fn next<T: FromStr>(arguments: &mut std::slice::Iter<'_, String>, what: &str) -> Result<T, Trouble> {
    let text = arguments.next().ok_or_else(|| Trouble::failed(format!("the role's {what} is missing")))?;
    text.parse().map_err(|_| Trouble::failed(format!("{text:?} is no {what}")))
}

/// The core argument: a number, or `-` for not pinned.
pub(crate) fn core(text: &str) -> Option<usize> {
    text.parse().ok()
}

/// Opens again a descriptor that was inherited under this number.
pub(crate) fn inherited(number: &str) -> Result<File, Trouble> {
    Ok(File::options().read(true).write(true).open(format!("/proc/self/fd/{number}"))?)
}

/// Takes a descriptor that was inherited under this number; only where it cannot be opened again, as a socket cannot.
pub(crate) fn taken(number: &str) -> Result<OwnedFd, Trouble> {
    let number: RawFd = number.parse()?;
    std::fs::read_link(format!("/proc/self/fd/{number}"))?; // it is open
    // SAFETY: the parent left this descriptor open for this role alone, and nothing else here knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
