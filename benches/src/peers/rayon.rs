//! rayon's pool of threads: what could be had if nothing were shared between processes.

use std::hint::black_box;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::harness::{Budget, Sample, Trouble};
use crate::scenarios::payload::{Run, WINDOW, add_one, add_up};
use crate::scenarios::pool::{WORKERS, timed};

/// Every task on its own, its result through a channel.
pub(crate) fn one_by_one(workers: usize, budget: Budget) -> Result<Sample, Trouble> {
    let pool = warm_pool(workers)?;
    let started = Instant::now();
    let (sender, results) = channel();
    for number in 0..budget.operations {
        let sender = sender.clone();
        pool.spawn(move || send(&sender, number));
    }
    drop(sender);
    let sum = results.iter().sum();
    timed(started, budget.operations, sum)
}

/// One call for all.
pub(crate) fn map(budget: Budget) -> Result<Sample, Trouble> {
    let pool = warm_pool(WORKERS)?;
    let started = Instant::now();
    let results: Vec<u64> = pool.install(|| (0..budget.operations).into_par_iter().map(noop).collect());
    timed(started, budget.operations, results.into_iter().sum())
}

/// One in flight.
pub(crate) fn round_trip(budget: Budget) -> Result<Sample, Trouble> {
    let pool = warm_pool(WORKERS)?;
    let started = Instant::now();
    let sum = (0..budget.operations).map(|number| pool.install(|| noop(number))).sum();
    timed(started, budget.operations, sum)
}

/// Made, as many results as threads, dropped.
pub(crate) fn start(workers: usize, budget: Budget) -> Result<Sample, Trouble> {
    let started = Instant::now();
    for _ in 0..budget.operations {
        drop(warm_pool(workers)?);
    }
    Ok(Sample::Timed { operations: budget.operations, elapsed: started.elapsed() })
}

/// Vectors, moved to the threads and back.
pub(crate) fn payload(run: &Run) -> Result<Sample, Trouble> {
    let pool = warm_pool(WORKERS)?;
    run.measure(|count| {
        let (sender, results) = channel();
        let mut sent = 0;
        for received in 0..count {
            while sent < count.min(received + WINDOW as u64) {
                let (sender, number, mut payload, out) = (sender.clone(), sent, run.payload(sent), run.out);
                pool.spawn(move || {
                    let done = if out {
                        add_one(&mut payload);
                        (0, payload)
                    } else {
                        (add_up(&payload), Vec::new())
                    };
                    let _ = sender.send((number, done)); // nobody waits for it after a failed check
                });
                sent += 1;
            }
            let (number, (sum, back)) = results.recv()?;
            run.check(number, if run.out { add_up(&back) } else { sum })?;
        }
        Ok(())
    })
}

fn send(results: &Sender<u64>, number: u64) {
    let _ = results.send(noop(number)); // fails only where the round has failed already
}

fn noop(number: u64) -> u64 {
    black_box(number)
}

fn warm_pool(workers: usize) -> Result<ThreadPool, Trouble> {
    let pool = ThreadPoolBuilder::new().num_threads(workers).build()?;
    let (sender, results) = channel();
    for number in 0..workers as u64 {
        let sender = sender.clone();
        pool.spawn(move || send(&sender, number));
    }
    drop(sender);
    if results.iter().sum::<u64>() == (0..workers as u64).sum::<u64>() { Ok(pool) } else { Err(Trouble::failed("rayon: a wrong result")) }
}
