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
use crate::peers::{raw_sync, threads};

const ALONE: &str = "One process, pinned: acquire, add one to a counter in shared memory with a plain load and store, release; nanoseconds for all three. \
The lock is the user's Lock, which tells the next holder that an owner died; of the peers only the robust mutex does.";
const CONTENDED: &str = "The same loop in 2 processes (pinned to two CPUs) or 4 (not pinned) for a fixed time; increments of all together per second. \
The counter must end at the sum of what the processes counted, which it cannot if two were ever inside at once.";

const READ: &str = "The same with a lock for many readers or one writer, taken for reading; the counter is only read.";
const WRITE: &str = "The same with a lock for many readers or one writer, taken for writing.";
const RECURSIVE: &str = "The same with a lock that its thread may take again, taken once.";
const PERMIT: &str = "The same with a semaphore of one permit.";

pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for processes in [1, 2, 4] {
        let shape = Shape { processes, reads: false };
        all.push(
            named("lock", shape, if processes == 1 { ALONE } else { CONTENDED })
                .ours("Lock", FIRST, move |budget| ours::round(shape, ours::Kind::Lock, budget))
                .peer("pthread robust pshared", FIRST, move |budget| pthread::round(shape, Kind::Robust, budget))
                .peer("pthread plain pshared", FIRST, move |budget| pthread::round(shape, Kind::Plain, budget))
                .peer("raw_sync Mutex", FIRST, move |budget| raw_sync::round(shape, budget))
                .limit("std Mutex (threads)", FIRST, move |budget| threads::round(shape, &threads::Std::default(), budget))
                .limit("parking_lot (threads)", FIRST, move |budget| threads::round(shape, &threads::ParkingLot::default(), budget)),
        );
    }
    for processes in [1, 2] {
        let shape = Shape { processes, reads: false };
        all.push(named("rlock", shape, RECURSIVE).ours("RLock", FIRST, move |budget| ours::round(shape, ours::Kind::RLock, budget)).peer(
            "pthread recursive robust",
            FIRST,
            move |budget| pthread::round(shape, Kind::RecursiveRobust, budget),
        ));
        all.push(named("semaphore", shape, PERMIT).ours("Semaphore", FIRST, move |budget| ours::round(shape, ours::Kind::Semaphore, budget)).peer(
            "POSIX sem_t",
            FIRST,
            move |budget| pthread::round(shape, Kind::Semaphore, budget),
        ));
        all.push(named("rwlock-write", shape, WRITE).ours("RwLock", FIRST, move |budget| ours::round(shape, ours::Kind::Write, budget)).peer(
            "pthread rwlock",
            FIRST,
            move |budget| pthread::round(shape, Kind::Write, budget),
        ));
        let shape = Shape { processes, reads: true };
        all.push(named("rwlock-read", shape, READ).ours("RwLock", FIRST, move |budget| ours::round(shape, ours::Kind::Read, budget)).peer(
            "pthread rwlock",
            FIRST,
            move |budget| pthread::round(shape, Kind::Read, budget),
        ));
    }
    all
}

fn named(what: &'static str, shape: Shape, definition: &'static str) -> Scenario {
    match shape.processes {
        1 => Scenario::new(what, "uncontended", Unit::Each("ns", 1e-9), definition),
        many => Scenario::new(what, format!("contended/{many}-processes"), Unit::PerSecond("increments/s"), definition),
    }
}

pub(crate) const FIRST: u64 = 200_000;

/// How many processes share the lock, and whether they only read what it protects.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) processes: u64,
    pub(crate) reads: bool,
}

impl Shape {
    /// Starts the processes in `role`, each with its job, the counter's page and the subject's own arguments, and checks the counter.
    pub(crate) fn measure(self, role: &str, own: &[String], page: &SharedPage, budget: Budget) -> Result<Sample, Trouble> {
        let descriptor = Inherited::new(page.descriptor())?;
        let mut crew = Crew::new()?;
        for process in 0..self.processes {
            let mut arguments = self.job(process, budget);
            arguments.push(descriptor.number());
            arguments.extend_from_slice(own);
            crew.role(role, &arguments)?;
        }
        drop(descriptor);
        self.sample(&crew.run()?, page)
    }

    /// The arguments of one process's job.
    pub(crate) fn job(self, process: u64, budget: Budget) -> Vec<String> {
        vec![
            if self.processes == 1 { budget.operations } else { u64::MAX }.to_string(),
            if self.processes == 1 { u64::MAX } else { budget.time.as_nanos() as u64 }.to_string(),
            if self.processes > 2 { "-".to_owned() } else { process.to_string() },
            u8::from(self.reads).to_string(),
        ]
    }

    pub(crate) fn processes(self) -> u64 {
        self.processes
    }

    /// Checks the counter against the reports and adds them up.
    pub(crate) fn sample(self, reports: &[Report], page: &SharedPage) -> Result<Sample, Trouble> {
        let counted: u64 = reports.iter().map(|report| report.count).sum();
        let counter = page.counter().load(Ordering::SeqCst);
        if !self.reads && counted != counter {
            return Err(Trouble::failed(format!("the counter is {counter} after {counted} increments: two were inside at once")));
        }
        match Report::sample(reports, reports) {
            Sample::Timed { operations, elapsed } if self.processes > 1 => {
                let least = reports.iter().map(|report| report.count).min().unwrap_or(0);
                Ok(Sample::Shared { operations, elapsed, least: (least * self.processes) as f64 / operations as f64 })
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
    core: Option<usize>,
    reads: bool,
}

impl Job {
    pub(crate) fn parse(arguments: &mut std::slice::Iter<'_, String>) -> Result<Job, Trouble> {
        Ok(Job {
            count: member::next(arguments, "count")?,
            time: Duration::from_nanos(member::next(arguments, "time")?),
            core: member::core(&member::next::<String>(arguments, "core")?),
            reads: member::next::<u8>(arguments, "reads")? == 1,
        })
    }

    /// Takes the arguments back and enters the role; the subject's own arguments are left.
    pub(crate) fn enter(arguments: &mut std::slice::Iter<'_, String>) -> Result<(Job, SharedPage), Trouble> {
        let job = Job::parse(arguments)?;
        let page = SharedPage::open(member::inherited(&member::next::<String>(arguments, "page")?)?)?;
        member::enter(job.core)?;
        Ok((job, page))
    }

    /// The whole of a role.
    pub(crate) fn work(&self, page: &SharedPage, mut lock: impl Section) -> Result<(), Trouble> {
        // The first pass through a lock joins, maps and registers; it is not what is measured.
        lock.with(|| ())?;
        let start = member::start()?;
        member::done(self.run(page, &mut lock, start)?)
    }

    pub(crate) fn pin(&self) -> Result<(), Trouble> {
        member::pin(self.core)
    }

    /// Increments until the count or the time is reached; the clock is read every 64 increments.
    pub(crate) fn run(&self, page: &SharedPage, lock: &mut impl Section, start: u64) -> Result<Report, Trouble> {
        let counter = page.counter();
        let until = start.saturating_add(self.time.as_nanos() as u64);
        let (mut done, mut sum) = (0, 0_u64);
        while done < self.count && (until == u64::MAX || member::now() < until) {
            let some = 64.min(self.count - done);
            for _ in 0..some {
                if self.reads {
                    lock.with(|| sum = sum.wrapping_add(counter.load(Ordering::Relaxed)))?;
                } else {
                    lock.with(|| counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed))?;
                }
            }
            done += some;
        }
        Ok(Report { start, end: member::now(), count: done, sum })
    }
}
