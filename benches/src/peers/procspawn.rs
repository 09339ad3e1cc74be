//! procspawn's pool of processes: a function's address and its argument go out by ipc-channel, its result comes back the same way.

use std::time::Instant;

use procspawn::{JoinHandle, Pool};

use crate::harness::{Budget, Sample, Trouble, system};
use crate::scenarios::pool::{WORKERS, timed};

/// Tasks queued at once: each holds three descriptors, and `spawn` panics where they run out.
fn most() -> Result<u64, Trouble> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    Ok((limit.saturating_sub(system::descriptors()? as u64 + 64) / 4).min(5000))
}

/// All spawned, then all joined.
pub(crate) fn one_by_one(workers: usize, budget: Budget) -> Result<Sample, Trouble> {
    let tasks = budget.operations.min(most()?);
    let pool = warm_pool(workers)?;
    let started = Instant::now();
    let handles: Vec<JoinHandle<u64>> = (0..tasks).map(|number| spawn(&pool, number)).collect();
    let mut sum = 0;
    for handle in handles {
        sum += handle.join()?;
    }
    timed(started, tasks, sum)
}

/// One in flight.
pub(crate) fn round_trip(budget: Budget) -> Result<Sample, Trouble> {
    let pool = warm_pool(WORKERS)?;
    let started = Instant::now();
    let mut sum = 0;
    for number in 0..budget.operations {
        sum += spawn(&pool, number).join()?;
    }
    timed(started, budget.operations, sum)
}

/// Made, as many results as workers, dropped.
pub(crate) fn start(workers: usize, budget: Budget) -> Result<Sample, Trouble> {
    let started = Instant::now();
    for _ in 0..budget.operations {
        drop(warm_pool(workers)?);
    }
    Ok(Sample::Timed { operations: budget.operations, elapsed: started.elapsed() })
}

/// Descriptors open in a child, its three standard ones included.
pub(crate) fn child_descriptors() -> Result<Sample, Trouble> {
    // Counted inside the child, in a task; the listing itself is not counted.
    let count = procspawn::spawn((), |()| system::descriptors().unwrap_or(0)).join()?;
    if count == 0 { Err(Trouble::failed("procspawn: the child could not list its descriptors")) } else { Ok(Sample::Amount(count as f64)) }
}

fn warm_pool(workers: usize) -> Result<Pool, Trouble> {
    let pool = Pool::new(workers)?;
    let handles: Vec<JoinHandle<u64>> = (0..workers as u64).map(|number| spawn(&pool, number)).collect();
    for (number, handle) in (0..).zip(handles) {
        if handle.join()? != number {
            return Err(Trouble::failed("procspawn: a wrong result"));
        }
    }
    Ok(pool)
}

fn spawn(pool: &Pool, number: u64) -> JoinHandle<u64> {
    pool.spawn(number, |number: u64| number)
}
