//! Ending a process with all of its descendants.
//!
//! The tree is walked through `/proc`, from the root down, again and again until a walk finds nobody new. A descendant is held by a pidfd from the moment it is found, and taken for one only if, with the pidfd
//! open and the process alive, its parent is still the one that it was found under: so no number that was given to another process is ever signalled. Nobody is stopped meanwhile (a stopped process would stay so if this one
//! died then). A root that leads a group is signalled as a group first, which the system does in one step; the root is not collected before, so the group's number is still its own.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

use super::Process;
use crate::child::readable;
use crate::error::Result;

struct Member {
    pid: Pid,
    pidfd: OwnedFd,
    told: bool,
}

/// Asks all to end; after `grace`, kills who is left. The root is left to be collected.
pub(super) fn end(root: &Process, grace: Duration) -> Result<()> {
    let mut members = Vec::new();
    tell(root, &mut members, Signal::TERM)?;
    if wait(root, &members, Instant::now().checked_add(grace)) {
        return Ok(());
    }
    for member in &mut members {
        member.told = false;
    }
    tell(root, &mut members, Signal::KILL)?;
    wait(root, &members, None);
    Ok(())
}

/// Signals the whole tree. What was found before is in it for good, whoever its parent is by now.
fn tell(root: &Process, members: &mut Vec<Member>, signal: Signal) -> Result<()> {
    // First the walk: who dies takes the way to its children along.
    while grow(root, members) {}
    // A leader that has ended holds the number of its group until it is collected.
    if root.0.group
        && root.0.child.holds_its_number()
        && let Some(group) = Pid::from_raw(root.pid() as i32)
    {
        // Refused where nobody of it is left.
        let _ = kill_process_group(group, signal);
    }
    loop {
        // The root last, and parents after their children: a parent that is told first may start others, or leave its children to nobody.
        for member in members.iter_mut().rev().filter(|member| !member.told) {
            let _ = pidfd_send_signal(&member.pidfd, signal);
            member.told = true;
        }
        if !grow(root, members) {
            break;
        }
    }
    root.0.child.signal(signal)
}

/// Finds descendants that are not known yet; whether there were any.
fn grow(root: &Process, members: &mut Vec<Member>) -> bool {
    let before = members.len();
    let root_pid = Pid::from_raw(root.pid() as i32).filter(|_| root.0.child.holds_its_number());
    if let Some(pid) = root_pid {
        find_children(pid, members);
    }
    let mut at = 0;
    while at < members.len() {
        let pid = members[at].pid;
        find_children(pid, members);
        at += 1;
    }
    members.len() > before
}

fn find_children(parent: Pid, members: &mut Vec<Member>) {
    let parent_pid = parent.as_raw_nonzero().get();
    let Ok(threads) = std::fs::read_dir(format!("/proc/{parent_pid}/task")) else { return };
    for thread in threads.flatten() {
        let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for pid in children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
            if members.iter().any(|member| member.pid == pid && !ended(&member.pidfd)) {
                continue;
            }
            let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
            // What /proc says is of the process that the pidfd holds if that is alive after it was read.
            if parent_of(pid) == Some(parent_pid) && !ended(&pidfd) {
                members.push(Member { pid, pidfd, told: false });
            }
        }
    }
}

fn parent_of(pid: Pid) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name in parentheses may contain anything.
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}

fn ended(pidfd: &OwnedFd) -> bool {
    readable(pidfd.as_fd(), Some(Duration::ZERO)).unwrap_or(true)
}

/// Waits until all have ended; whether they did.
fn wait(root: &Process, members: &[Member], until: Option<Instant>) -> bool {
    loop {
        let all = std::iter::once(root.sentinel()).chain(members.iter().map(|member| member.pidfd.as_fd()));
        let running: Vec<_> = all.filter(|fd| !readable(*fd, Some(Duration::ZERO)).unwrap_or(true)).collect();
        let Some(&first) = running.first() else { return true };
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return false;
        }
        let time = left.and_then(|left| left.try_into().ok());
        let _ = poll(&mut [PollFd::from_borrowed_fd(first, PollFlags::IN)], time.as_ref());
    }
}
