//! Processes and pools, started for real. One program: its children are this test program again.

mod bad_input;
mod blocks;
mod command;
mod death;
mod family;
mod futures;
mod last;
mod limits;
mod logging;
mod named;
mod named_limits;
mod named_storm;
mod nested;
mod orphans;
mod pool;
mod process;
mod progress;
mod retry;
mod size;
mod start;
mod start_limits;
mod starter;
mod stderr;
mod storm;
mod worker_limits;
mod worker_storm;
mod workers;

use std::time::Duration;

use polyproc_testkit::watchdog::watchdog;

/// Runs a test; one that hangs ends the program with a message.
pub(crate) fn watched(body: impl FnOnce()) {
    watchdog(Duration::from_secs(120), body);
}

/// Waits until `condition` holds; the watchdog is the limit.
pub(crate) fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Processes of this user session whose parent is `pid`, by procfs.
pub(crate) fn children_of(pid: u32) -> Vec<u32> {
    let mut children = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.extend(list.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
    }
    children
}

/// Whether a process exists and is no zombie.
pub(crate) fn runs(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !matches!(stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next()), None | Some('Z' | 'X'))
}

pub(crate) fn kill(pid: u32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid as i32) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}
