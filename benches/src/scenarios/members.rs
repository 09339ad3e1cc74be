//! A fabric that many processes use: what one more costs in time and memory. The processes are copies (fork) of one that does nothing else: each joins, says so, and waits for the end.
#![allow(unsafe_code)]

use std::io::{PipeReader, PipeWriter, Read as _, Write as _};

use polyproc_ipc::Fabric;

use super::growth::count_label;
use crate::harness::crew::Crew;
use crate::harness::member::{self, Report};
use crate::harness::{Budget, Sample, Scenario, Trouble, Unit, system};

pub(crate) const ROLE: &str = "members";

const JOIN: &str = "A process with a private fabric forks so many copies of itself, one after the other; each joins the fabric, says so, and waits. From the first fork until the last has joined, divided by their number. \
fork: the same without a fabric.";
const BYTES: &str = "What they add to the memory of the fabric, divided by their number. (Nothing, as long as the table of members is part of every fabric: see cost/fabric/bytes.)";

pub(crate) fn join(processes: u64) -> Scenario {
    Scenario::new("grow/members-join", count_label(processes), Unit::Each("us a process", 1e-6), JOIN)
        .along("processes", processes as f64)
        .ours("Fabric", processes, move |budget| Ok(round(true, processes, budget)?.0))
        .limit("fork", processes, move |budget| Ok(round(false, processes, budget)?.0))
}

pub(crate) fn bytes(processes: u64) -> Scenario {
    Scenario::new("grow/members-bytes", count_label(processes), Unit::Amount("bytes a process"), BYTES).along("processes", processes as f64).ours(
        "Fabric",
        processes,
        move |budget| Ok(round(true, processes, Budget { operations: processes, ..budget })?.1),
    )
}

/// The time and the memory of one more. The families are made in a process of their own, one after the other.
fn round(fabric: bool, processes: u64, budget: Budget) -> Result<(Sample, Sample), Trouble> {
    let families = (budget.operations / processes).max(1);
    let mut crew = Crew::new()?;
    crew.role(ROLE, &[u8::from(fabric).to_string(), processes.to_string(), families.to_string()])?;
    let reports = crew.run()?;
    let members = (families * processes) as f64;
    // The report's end is not the clock's: it counts only the joining.
    Ok((Report::sample(&reports, &reports), Sample::Amount(reports[0].sum as f64 / members)))
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    member::enter(None)?;
    let mut arguments = arguments.iter();
    let with_fabric = member::next::<u8>(&mut arguments, "fabric")? == 1;
    let (processes, families): (u64, u64) = (member::next(&mut arguments, "processes")?, member::next(&mut arguments, "families")?);
    let start = member::start()?;
    let (mut joining, mut added) = (0, 0);
    for _ in 0..families {
        let fabric = if with_fabric { Some(Fabric::builder().cap(CAP).private()?) } else { None };
        if let Some(fabric) = &fabric {
            fabric.member()?;
        }
        let resident = || fabric.as_ref().map_or(Ok(0), |fabric| system::resident(fabric.descriptor()));
        let before = resident()?;
        let begin = member::now();
        let family = Family::make(processes, fabric.as_ref())?;
        joining += member::now() - begin;
        let members = fabric.as_ref().map_or(processes + 1, |fabric| fabric.members().len() as u64);
        if members != processes + 1 {
            return Err(Trouble::failed(format!("the fabric has {members} members, not {processes} and this process")));
        }
        added += resident()?.saturating_sub(before);
        family.end()?;
    }
    member::done(Report { start, end: start + joining, count: families * processes, sum: added })
}

/// Room for a thousand members.
const CAP: u64 = 256 << 20;
const JOINED: u8 = 1;

/// Processes that wait until the writing end is dropped.
struct Family {
    pids: Vec<libc::pid_t>,
    hold: Option<PipeWriter>,
}

impl Family {
    fn make(processes: u64, fabric: Option<&Fabric>) -> Result<Family, Trouble> {
        let (mut joined, says) = std::io::pipe()?;
        let (waits, hold) = std::io::pipe()?;
        let mut family = Family { pids: Vec::new(), hold: Some(hold) };
        for _ in 0..processes {
            // SAFETY: this process has one thread, so that its copy may do what it likes; it ends by `_exit`.
            match unsafe { libc::fork() } {
                -1 => return Err(std::io::Error::last_os_error().into()),
                0 => {
                    family.pids.clear();
                    family.hold = None;
                    child(fabric, &says, &waits);
                }
                pid => family.pids.push(pid),
            }
        }
        drop(says);
        let mut said = vec![0; processes as usize];
        joined.read_exact(&mut said)?;
        if said.iter().any(|&byte| byte != JOINED) {
            return Err(Trouble::failed("a process could not join"));
        }
        Ok(family)
    }

    fn end(mut self) -> Result<(), Trouble> {
        self.hold = None;
        while let Some(pid) = self.pids.pop() {
            collect(pid)?;
        }
        Ok(())
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        self.hold = None;
        for pid in self.pids.drain(..) {
            let _ = collect(pid); // the round has failed already
        }
    }
}

fn collect(pid: libc::pid_t) -> Result<(), Trouble> {
    let mut status = 0;
    // SAFETY: a child of this process that nobody else waits for; the status is ours to write to.
    if unsafe { libc::waitpid(pid, &raw mut status, 0) } == pid { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}

fn child(fabric: Option<&Fabric>, mut says: &PipeWriter, mut waits: &PipeReader) -> ! {
    let word = if fabric.is_none_or(|fabric| fabric.member().is_ok()) { JOINED } else { 0 };
    let _ = says.write_all(&[word]); // the parent is gone, and so is what this process waits for
    let _ = waits.read(&mut [0]);
    // SAFETY: ends the copy without running anything of the process that it is a copy of.
    unsafe { libc::_exit(0) };
}
