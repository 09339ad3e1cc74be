//! One lock around one counter. This file defines the loops and their checks, the same for every subject; it does not know how a lock
//! is made.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::harness::crew::{Crew, Inherited};
use crate::harness::member::{self, Report};
use crate::harness::shared::SharedPage;
use crate::harness::{Budget, Sample, Scenario, Trouble, Unit};
use crate::ours::lock as ours;
use crate::peers::pthread::{self, Kind};
use crate::peers::raw_sync;

const ALONE: &str = "One process, pinned: acquire, add one to a counter in shared memory with a plain load and store, release; nanoseconds for all three. \
The lock is the user's Lock, which tells the next holder that an owner died; of the peers only the robust mutex does.";
const CONTENDED: &str = "The same loop in 2 processes (pinned to two CPUs) or 4 (not pinned) for a fixed time; increments of all together per second. \
The counter must end at the sum of what the processes counted, which it cannot if two were ever inside at once.";

pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut all = vec![with_all(Scenario::new("lock/uncontended", "", Unit::Each("ns", 1e-9), ALONE), Shape(1))];
    for processes in [2, 4] {
        let variant = format!("{processes}-processes");
        let unit = Unit::PerSecond("increments/s");
        all.push(with_all(Scenario::new("lock/contended", variant, unit, CONTENDED), Shape(processes)));
    }
    all
}

fn with_all(scenario: Scenario, shape: Shape) -> Scenario {
    scenario
        .ours("Lock", FIRST, move |budget| ours::round(shape, budget))
        .peer("pthread robust pshared", FIRST, move |budget| pthread::round(shape, Kind::Robust, budget))
        .peer("pthread plain pshared", FIRST, move |budget| pthread::round(shape, Kind::Plain, budget))
        .peer("raw_sync Mutex", FIRST, move |budget| raw_sync::round(shape, budget))
}

const FIRST: u64 = 200_000;

/// How many processes share the lock.
#[derive(Clone, Copy)]
pub(crate) struct Shape(u64);

impl Shape {
    /// Starts the processes in `role`, each with its job, the counter's page and the subject's own arguments, and checks the counter.
    pub(crate) fn measure(self, role: &str, own: &[String], page: &SharedPage, budget: Budget) -> Result<Sample, Trouble> {
        let descriptor = Inherited::new(page.descriptor())?;
        let mut crew = Crew::new()?;
        for process in 0..self.0 {
            let mut arguments = vec![
                if self.0 == 1 { budget.operations } else { u64::MAX }.to_string(),
                if self.0 == 1 { u64::MAX } else { budget.time.as_nanos() as u64 }.to_string(),
                if self.0 > 2 { "-".to_owned() } else { process.to_string() },
                descriptor.number(),
            ];
            arguments.extend_from_slice(own);
            crew.role(role, &arguments)?;
        }
        drop(descriptor);
        let reports = crew.run()?;
        let counted: u64 = reports.iter().map(|report| report.count).sum();
        let counter = page.counter().load(Ordering::SeqCst);
        if counted != counter {
            return Err(Trouble::failed(format!("the counter is {counter} after {counted} increments: two were inside at once")));
        }
        match Report::sample(&reports, &reports) {
            Sample::Timed { operations, elapsed } if self.0 > 1 => {
                let least = reports.iter().map(|report| report.count).min().unwrap_or(0);
                Ok(Sample::Shared { operations, elapsed, least: (least * self.0) as f64 / operations as f64 })
            }
            alone => Ok(alone),
        }
    }
}

/// What a subject must offer: something done while the lock is held.
pub(crate) trait Section {
    fn with(&mut self, inside: impl FnOnce()) -> Result<(), Trouble>;
}

/// One process's part of a round: so many increments, or so many nanoseconds.
pub(crate) struct Job {
    count: u64,
    time: Duration,
}

impl Job {
    /// Takes the arguments back and enters the role; the subject's own arguments are left.
    pub(crate) fn enter(arguments: &mut std::slice::Iter<'_, String>) -> Result<(Job, SharedPage), Trouble> {
        let count = member::next(arguments, "count")?;
        let time = Duration::from_nanos(member::next(arguments, "time")?);
        let core = member::core(&member::next::<String>(arguments, "core")?);
        let page = SharedPage::open(member::inherited(&member::next::<String>(arguments, "page")?)?)?;
        member::enter(core)?;
        Ok((Job { count, time }, page))
    }

    /// Increments until the count or the time is reached; the clock is read every 64 increments.
    pub(crate) fn work(&self, page: &SharedPage, mut lock: impl Section) -> Result<(), Trouble> {
        let counter = page.counter();
        // The first pass through a lock joins, maps and registers; it is not what is measured.
        lock.with(|| ())?;
        let start = member::start()?;
        let until = start.saturating_add(self.time.as_nanos() as u64);
        let mut done = 0;
        while done < self.count && (until == u64::MAX || member::now() < until) {
            let some = 64.min(self.count - done);
            for _ in 0..some {
                lock.with(|| counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed))?;
            }
            done += some;
        }
        member::done(Report { start, end: member::now(), count: done, sum: 0 })
    }
}
