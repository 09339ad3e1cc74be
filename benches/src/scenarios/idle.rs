//! A pool of two that has nothing to do: the memory, descriptors and CPU time that it takes. It does not know how a pool is made.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::pool::WORKERS;
use crate::harness::crew::Crew;
use crate::harness::member::{self, Report};
use crate::harness::{Budget, Sample, Scenario, Trouble, Unit, system};
use crate::ours::idle as ours;
use crate::peers::procspawn_idle as procspawn;

const BYTES: Unit = Unit::Amount("bytes");

pub(crate) fn scenarios() -> Vec<Scenario> {
    let both = |variant, unit, definition| ours(variant, unit, definition).peer("procspawn Pool", 1, move |budget| round(procspawn::ROLE, variant, budget));
    vec![
        both("bytes", BYTES, WHOLE),
        both("parent-bytes", BYTES, PARENT),
        both("worker-bytes", BYTES, WORKER),
        ours("fabric-bytes", BYTES, FABRIC),
        both("descriptors", Unit::Amount("descriptors"), DESCRIPTORS),
        both("cpu", Unit::Amount("percent"), CPU),
    ]
}

fn ours(variant: &'static str, unit: Unit, definition: &'static str) -> Scenario {
    Scenario::new("cost/pool", variant, unit, definition).ours("Pool", 1, move |budget| round(ours::ROLE, variant, budget))
}

const WHOLE: &str = "What the machine's memory loses to a pool of 2 that has done a no-op task in each worker and is idle: the proportional set sizes (smaps_rollup) of the process that made it and of its \
workers, less that of the process before. The process is made for the round, and does nothing else.";
const PARENT: &str = "The part of it that the process which made the pool has itself: growth of its proportional set size, without the pages of its program, of which the workers take a share off it.";
const WORKER: &str = "The proportional set size of one worker of that pool, its share of the program's pages included, on average over the two.";
const FABRIC: &str = "Memory behind the fabric of that pool (st_blocks of its descriptor); it is part of the figures above.";
const DESCRIPTORS: &str = "Descriptors that the idle pool of 2 adds to the process that made it. Those of a worker: cost/process.";
const CPU: &str = "CPU time of all threads of the idle pool's three processes during 10 s (0.5 s with --quick), in percent of one CPU.";

/// One round in a process of its own, so that nothing of earlier scenarios is counted.
fn round(role: &str, figure: &str, budget: Budget) -> Result<Sample, Trouble> {
    let idle = Duration::from_millis(if budget.time < Duration::from_millis(100) { 500 } else { 10_000 });
    let mut crew = Crew::new()?;
    crew.role(role, &[figure.to_owned(), idle.as_millis().to_string()])?;
    let report = crew.run()?[0];
    Ok(Sample::Amount(report.count as f64 / report.sum as f64))
}

/// What a subject must offer.
pub(crate) trait IdlePool: Sized {
    /// A pool of [`WORKERS`].
    fn make() -> Result<Self, Trouble>;
    /// As many tasks as there are workers, all under way at once: who ran them.
    fn pids(&self) -> Result<Vec<u32>, Trouble>;
    /// Bytes of the memory that its processes share.
    fn shared_bytes(&self) -> Result<u64, Trouble>;
}

/// The whole of a role.
pub(crate) fn work<P: IdlePool>(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let (figure, idle): (String, u64) = (member::next(&mut arguments, "figure")?, member::next(&mut arguments, "time")?);
    member::enter(None)?;
    let start = member::start()?;
    let own = std::process::id();
    let (before, descriptors) = (system::memory(own)?, system::descriptors()?);
    let pool = P::make()?;
    let workers = all_workers(&pool)?;
    let parent = system::memory(own)?;
    let workers_memory = || workers.iter().map(|&pid| system::memory(pid).map(|memory| memory.all)).sum::<Result<u64, Trouble>>();
    let (count, of) = match figure.as_str() {
        "bytes" => ((parent.all + workers_memory()?).saturating_sub(before.all), 1),
        "parent-bytes" => (parent.own.saturating_sub(before.own), 1),
        "worker-bytes" => (workers_memory()?, WORKERS as u64),
        "fabric-bytes" => (pool.shared_bytes()?, 1),
        "descriptors" => ((system::descriptors()? - descriptors) as u64, 1),
        "cpu" => {
            let used = || std::iter::once(&own).chain(&workers).map(|&pid| system::cpu_time(pid)).sum::<Result<u64, Trouble>>();
            let (begin, before) = (member::now(), used()?);
            std::thread::sleep(Duration::from_millis(idle));
            (100 * used()?.saturating_sub(before), member::now() - begin)
        }
        other => return Err(Trouble::failed(format!("there is no figure named {other}"))),
    };
    drop(pool);
    member::done(Report { start, end: member::now(), count, sum: of })
}

/// A worker that starts slowly leaves the first tasks to the other: they are repeated until each had one.
fn all_workers(pool: &impl IdlePool) -> Result<BTreeSet<u32>, Trouble> {
    let (mut seen, begin) = (BTreeSet::new(), Instant::now());
    while seen.len() < WORKERS {
        if begin.elapsed() > Duration::from_secs(30) {
            return Err(Trouble::failed(format!("only {} of {WORKERS} workers ever ran a task", seen.len())));
        }
        seen.extend(pool.pids()?);
    }
    Ok(seen)
}
