//! A process that does nothing, started and waited for, again and again. This file defines the loop, the same for every subject; it does not know how a
//! process is started.

use crate::harness::crew::Crew;
use crate::harness::member::{self, Report};
use crate::harness::{Budget, Sample, Scenario, Trouble, Unit};
use crate::ours::process as ours;
use crate::peers::{os_process, procspawn_process};

const START: &str = "In a process made for the round, with one thread of its own: start a process that does nothing, wait for its end, start the next. Process: an empty task, by each start method; the \
fork server is there already. std Command and posix_spawn: this program, which returns from main at once. fork: a copy that ends at once, without a program's start. procspawn: an empty function. \
std thread: a thread instead of a process, as the limit.";

pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut scenario = Scenario::new("process/start", "", Unit::Each("us", 1e-6), START);
    for (name, way) in [("Process, spawn", "spawn"), ("Process, fork", "fork"), ("Process, fork server", "fork-server")] {
        scenario = scenario.ours(name, FIRST, move |budget| round(ours::ROLE, way, budget));
    }
    for (name, way) in [("std Command", "command"), ("posix_spawn", "posix-spawn"), ("fork", "fork")] {
        scenario = scenario.peer(name, FIRST, move |budget| round(os_process::ROLE, way, budget));
    }
    scenario = scenario.limit("std thread", FIRST, |budget| round(os_process::ROLE, "thread", budget));
    vec![scenario.peer("procspawn spawn", FIRST, |budget| round(procspawn_process::ROLE, "spawn", budget))]
}

const FIRST: u64 = 10;

/// One round in a process of its own: what earlier scenarios left in this one (memory, threads) would make its forks dearer.
fn round(role: &str, way: &str, budget: Budget) -> Result<Sample, Trouble> {
    let mut crew = Crew::new()?;
    crew.role(role, &[way.to_owned(), budget.operations.to_string()])?;
    let reports = crew.run()?;
    Ok(Report::sample(&reports, &reports))
}

/// The whole of a role, but for the way that `once` starts a process and waits for its end.
pub(crate) struct Job {
    pub(crate) way: String,
    count: u64,
}

impl Job {
    pub(crate) fn enter(arguments: &[String]) -> Result<Job, Trouble> {
        member::enter(None)?;
        let mut arguments = arguments.iter();
        Ok(Job { way: member::next(&mut arguments, "way")?, count: member::next(&mut arguments, "count")? })
    }

    pub(crate) fn work(&self, mut once: impl FnMut() -> Result<(), Trouble>) -> Result<(), Trouble> {
        once()?; // what only the first start does (a fabric, a fork server) is not what is measured
        let start = member::start()?;
        for _ in 0..self.count {
            once()?;
        }
        member::done(Report { start, end: member::now(), count: self.count, sum: 0 })
    }

    pub(crate) fn unknown(&self) -> Trouble {
        Trouble::failed(format!("there is no way to start a process named {}", self.way))
    }
}
