//! polyproc's `Pool` of two processes.

use std::time::Instant;

use polyproc::{AsyncResult, Pool};

use crate::harness::{Budget, Sample, Trouble};
use crate::scenarios::pool::{WORKERS, timed};

/// The task of every round: its argument comes back.
#[polyproc::task]
fn noop(number: u64) -> u64 {
    number
}

/// Every task on its own, then every result.
pub(crate) fn one_by_one(workers: usize, budget: Budget) -> Result<Sample, Trouble> {
    let pool = warm_pool(workers)?;
    let started = Instant::now();
    let mut results: Vec<AsyncResult<u64>> = Vec::with_capacity(budget.operations as usize);
    for number in 0..budget.operations {
        results.push(pool.apply_async(noop, (number,))?);
    }
    let mut sum = 0;
    for result in results {
        sum += result.get()?;
    }
    timed(started, budget.operations, sum)
}

/// One call for all, in chunks.
pub(crate) fn map(budget: Budget) -> Result<Sample, Trouble> {
    let pool = warm_pool(WORKERS)?;
    let started = Instant::now();
    let results: Vec<u64> = pool.map(noop, 0..budget.operations)?;
    timed(started, budget.operations, results.into_iter().sum())
}

/// One in flight.
pub(crate) fn round_trip(budget: Budget) -> Result<Sample, Trouble> {
    let pool = warm_pool(WORKERS)?;
    let started = Instant::now();
    let mut sum = 0;
    for number in 0..budget.operations {
        sum += pool.apply(noop, (number,))?;
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

fn warm_pool(workers: usize) -> Result<Pool, Trouble> {
    let pool = Pool::new(workers)?;
    let results = (0..workers as u64).map(|number| pool.apply_async(noop, (number,))).collect::<Result<Vec<_>, _>>()?;
    for (number, result) in (0..).zip(results) {
        if result.get()? != number {
            return Err(Trouble::failed("polyproc: a wrong result"));
        }
    }
    Ok(pool)
}
