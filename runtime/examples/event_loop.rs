//! One thread, one `poll`, and everything that can happen: messages of a queue, ends of processes, results of a pool, and a timer.
//!
//! ```text
//! cargo run --release --example event_loop
//! ```
//!
//! Two processes put readings into a queue; one of them is killed on the way. The loop never waits in a queue, a join or a result: it waits in `poll`, and what is ready is
//! taken without waiting. An event loop of another library (mio, tokio's `AsyncFd`, glib) takes the same descriptors.

use std::error::Error;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use polyproc::{Fabric, Pool, Process, Queue, task};
use rustix::event::{PollFd, PollFlags, poll};

/// How often the loop looks up without an event.
const TICK: Duration = Duration::from_millis(50);
const READINGS: u32 = 20;

/// What a process has seen.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Reading {
    from: String,
    value: u32,
}

/// Puts readings, one every few milliseconds; without an end if it is to be killed.
#[task]
fn sense(from: String, readings: Queue<Reading>, endless: bool) {
    for value in 0.. {
        if value == READINGS && !endless {
            return;
        }
        readings.put(&Reading { from: from.clone(), value }).expect("the queue is open");
        std::thread::sleep(Duration::from_millis(3));
    }
}

#[task]
fn digest(value: u32) -> u64 {
    (0..200_000).fold(u64::from(value), |sum, n| sum.wrapping_mul(31).wrapping_add(n))
}

/// What the loop has met.
#[derive(Debug, Default)]
struct Met {
    readings: u32,
    digests: usize,
    left: u32,
    killed: u32,
    ticks: u32,
}

fn main() -> ExitCode {
    match watch() {
        Ok(met) => {
            println!("{met:?}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("event_loop: {error}");
            ExitCode::FAILURE
        }
    }
}

fn watch() -> Result<Met, Box<dyn Error>> {
    let fabric = Fabric::current()?;
    let readings = Queue::<Reading>::new(&fabric, 100)?;
    let ready = readings.bytes().pollable()?;
    let pool = Pool::new(2)?;
    let mut digests = Vec::new();
    let mut processes = vec![
        Process::builder(sense, ("steady".into(), readings.clone(), false)).name("steady").start()?,
        Process::builder(sense, ("doomed".into(), readings.clone(), true)).name("doomed").start()?,
    ];
    let mut met = Met::default();
    let mut ticked = Instant::now();
    while !processes.is_empty() || !readings.is_empty() || !digests.is_empty() {
        let mut watched: Vec<BorrowedFd<'_>> = vec![ready.as_fd()];
        watched.extend(processes.iter().map(Process::sentinel));
        let mut polled: Vec<PollFd<'_>> = watched.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        let left = TICK.saturating_sub(ticked.elapsed());
        poll(&mut polled, Some(&left.try_into()?))?;

        while let Ok(reading) = readings.try_get() {
            met.readings += 1;
            if reading.value % 5 == 0 {
                println!("{} says {}", reading.from, reading.value);
                digests.push(pool.apply_async(digest, (reading.value,))?);
            }
        }
        ready.rearm()?;
        // What is done is taken, what is not stays; nothing of it waits.
        digests.retain(|result| {
            met.digests += usize::from(result.ready());
            !result.ready()
        });
        for process in processes.extract_if(.., |process| !process.is_alive()) {
            let exit = process.join()?;
            println!("{} is over: {}", process.name(), exit.code);
            if exit.success() { met.left += 1 } else { met.killed += 1 }
        }
        if ticked.elapsed() >= TICK {
            (met.ticks, ticked) = (met.ticks + 1, Instant::now());
        }
        if met.left > 0
            && let Some(doomed) = processes.first()
        {
            doomed.kill()?;
        }
    }
    Ok(met)
}

#[test]
fn everything_is_met() {
    let met = watch().unwrap();
    assert!(met.readings >= READINGS && met.digests >= 4, "{met:?}");
    assert_eq!((met.left, met.killed), (1, 1), "{met:?}");
}
