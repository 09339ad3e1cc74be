//! Everything at once: workers are killed at random for a while, under thousands of calls, while they are recycled and the pool grows and shrinks.
//!
//! `POLYPROC_STORM_SECONDS` says for how long (3 unless set; 60 is what a release is tested with). Every call settles; each that
//! succeeded was run exactly once, each that failed at most once; nothing is left behind.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use polyproc::{Array, AsyncResult, ErrorKind, Fabric, Pool, Process, task};
use polyproc_testkit::dice::Dice;
use polyproc_testkit::leak::Snapshot;
use polyproc_testkit::watchdog::watchdog;

use crate::kill;

/// Calls whose effects are counted at the same time.
const CALLS: u64 = 4000;

/// Counts itself, does a little, and says who it was.
#[task]
fn effect(n: u64, counts: Array<u64>) -> u64 {
    counts.fetch_add(n as usize, 1).unwrap();
    let mut x = n;
    for _ in 0..(n % 7) * 400 {
        x = std::hint::black_box(x.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1));
    }
    n
}

/// Kills a worker every few milliseconds, wherever it stands: also one that has not joined yet.
fn hunt(pool: &Pool, stop: &AtomicBool, kills: &AtomicU64) {
    let mut dice = Dice(u64::from(std::process::id()));
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_micros(500 + dice.below(8000)));
        let workers = pool.workers();
        let Some(victim) = workers.get(dice.below(workers.len().max(1) as u64) as usize) else { continue };
        // Now and then one that is only just starting; not always, or the pool would rightly give up.
        if victim.ready || dice.below(8) == 0 {
            kill(victim.pid);
            kills.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Seen {
    succeeded: u64,
    failed: u64,
}

/// Submits every call, by single calls and by maps, and waits for all of them.
fn round(pool: &Pool, counts: &Array<u64>, seen: &mut Seen) {
    counts.unlocked().fill(.., 0).unwrap();
    let mut single: Vec<(u64, AsyncResult<u64>)> = Vec::new();
    let mut n = 0;
    for (k, size) in [1, 50, 1, 1, 400, 1, 9, 1].into_iter().cycle().enumerate() {
        if n >= CALLS / 2 {
            break;
        }
        let end = (n + size).min(CALLS / 2);
        if size == 1 || k == 0 {
            single.push((n, pool.apply_async(effect, (n, counts.clone())).unwrap()));
            n += 1;
        } else {
            // One result each, so that each can be told apart: a chunk of many calls under one lease.
            for m in n..end {
                single.push((m, pool.apply_async(effect, (m, counts.clone())).unwrap()));
            }
            n = end;
        }
    }
    let mapped: Vec<_> = pool.starmap_async(effect, (CALLS / 2..CALLS).map(|n| (n, counts.clone()))).into_iter().collect();
    let mut succeeded = vec![false; CALLS as usize];
    for (n, result) in &single {
        match result.get() {
            Ok(value) => {
                assert_eq!(value, *n);
                succeeded[*n as usize] = true;
            }
            Err(error) => {
                assert_eq!((error.kind(), error.signal()), (ErrorKind::WorkerDied, Some(9)), "{error}");
                seen.failed += 1;
            }
        }
    }
    for result in &mapped {
        match result.get() {
            Ok(values) => {
                assert!(values.iter().copied().eq(CALLS / 2..CALLS));
                succeeded[(CALLS / 2) as usize..].fill(true);
            }
            Err(error) => assert_eq!((error.kind(), error.signal()), (ErrorKind::WorkerDied, Some(9)), "{error}"),
        }
    }
    for (n, (count, succeeded)) in counts.unlocked().to_vec().unwrap().into_iter().zip(&succeeded).enumerate() {
        assert!(if *succeeded { count == 1 } else { count <= 1 }, "call {n} ran {count} times, and succeeded: {succeeded}");
    }
    seen.succeeded += succeeded.iter().filter(|&&succeeded| succeeded).count() as u64;
}

/// The whole storm, in a process where nothing else is opened meanwhile.
#[task]
fn storm(seconds: u64) {
    let fabric = Fabric::builder().cap(128 << 20).private().unwrap();
    let counts = Array::<u64>::zeroed(&fabric, CALLS as usize).unwrap();
    let make = || {
        let builder = Pool::builder().workers_between(1, 4).idle_timeout(Duration::from_millis(20)).max_tasks_per_worker(300);
        builder.fabric(&fabric).on_exit(crate::pool::square, (1,)).build().unwrap()
    };
    // The first makes what is made once.
    assert_eq!(make().apply(effect, (0, counts.clone())).unwrap(), 0);
    let look = || {
        fabric.sweep().unwrap();
        let report = fabric.check().unwrap();
        assert!(report.is_whole(), "{report:?}");
        (fabric.objects().unwrap().len(), fabric.members().len(), report.private_chunks)
    };
    let (before, open) = (look(), Snapshot::take());
    let (stop, kills) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut seen = Seen { succeeded: 0, failed: 0 };
    let pool = make();
    std::thread::scope(|scope| {
        scope.spawn(|| hunt(&pool, &stop, &kills));
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(seconds) {
            round(&pool, &counts, &mut seen);
        }
        stop.store(true, Ordering::Relaxed);
    });
    let kills = kills.into_inner();
    println!("{} calls succeeded, {} single calls failed, {kills} kills", seen.succeeded, seen.failed);
    assert!(seen.succeeded > 0 && kills > 10 && seen.failed <= kills);
    // The pool is as good as new.
    round(&pool, &counts, &mut Seen { succeeded: 0, failed: 0 });
    pool.close();
    pool.join().unwrap();
    assert!(pool.exit_results::<u64>().iter().all(|result| matches!(result, Ok(1))));
    drop(pool);
    assert_eq!(look(), before, "objects, members, chunks");
    open.assert_settles(Duration::from_secs(60));
}

#[test]
fn a_storm_of_kills_loses_nothing_and_leaves_nothing() {
    let seconds = std::env::var("POLYPROC_STORM_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    watchdog(Duration::from_secs(120 + 2 * seconds), || {
        let exit = Process::spawn(storm, (seconds,)).unwrap().join().unwrap();
        assert!(exit.success(), "{exit:?}");
    });
}
