//! Pools of two worker processes and tasks that return their argument: what the pool itself costs. It does not know how a pool carries
//! a task.

use std::time::Instant;

use crate::harness::{Sample, Scenario, Trouble, Unit};
use crate::ours::pool as ours;
use crate::peers::{procspawn, rayon};

/// Worker processes of every pool here.
pub(crate) const WORKERS: usize = 2;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("pool/noop", "", Unit::PerSecond("tasks/s"), NOOP)
            .ours("apply_async", 5000, |budget| ours::one_by_one(WORKERS, budget))
            .ours("map", 50_000, ours::map)
            .peer("procspawn Pool", 500, |budget| procspawn::one_by_one(WORKERS, budget))
            .limit("rayon spawn (threads)", 50_000, |budget| rayon::one_by_one(WORKERS, budget))
            .limit("rayon map (threads)", 500_000, rayon::map),
        Scenario::new("pool/round-trip", "", Unit::Each("us", 1e-6), ROUND_TRIP)
            .ours("apply", 200, ours::round_trip)
            .peer("procspawn Pool", 200, procspawn::round_trip)
            .limit("rayon (threads)", 1000, rayon::round_trip),
        Scenario::new("pool/start", "", Unit::Each("ms", 1e-3), START)
            .ours("Pool", 3, |budget| ours::start(WORKERS, budget))
            .peer("procspawn Pool", 3, |budget| procspawn::start(WORKERS, budget))
            .limit("rayon (threads)", 30, |budget| rayon::start(WORKERS, budget)),
    ]
}

const NOOP: &str = "A warm pool of 2, no-op tasks (u64 in, the same u64 out). apply_async: every task submitted on its own, then every result \
fetched and added up; procspawn: every task spawned, then joined (at most 5000 at once: three descriptors each). map: one call, chunks chosen by the pool. \
rayon: two threads, as the limit; spawn and a channel, or a parallel map.";
const ROUND_TRIP: &str = "A warm pool of 2, one no-op task in flight: submitted, result fetched, the next. rayon: install.";
const START: &str =
    "A pool of 2 made, two no-op results fetched, the pool dropped with its processes gone (procspawn: dropped as it drops; rayon: threads, as the limit).";

/// Ends a timed round of tasks that returned 0, 1, 2, ...
pub(crate) fn timed(started: Instant, tasks: u64, sum: u64) -> Result<Sample, Trouble> {
    let elapsed = started.elapsed();
    if sum != (0..tasks).sum::<u64>() {
        return Err(Trouble::failed(format!("{tasks} tasks returned numbers that add up to {sum}")));
    }
    Ok(Sample::Timed { operations: tasks, elapsed })
}
