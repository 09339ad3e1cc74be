//! A pool with a name in a storm: workers that join, leave and are killed, clients that come, submit and are killed, all at random for a while.
//!
//! `POLYPROC_STORM_SECONDS` says for how long (3 unless set). Every call of those that live settles, each runs at most once, and nothing is left behind.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use polyproc::{Array, ErrorKind, Fabric, Pool, Process, Stepped, Worker, task};
use polyproc_testkit::dice::Dice;
use polyproc_testkit::leak::Snapshot;
use polyproc_testkit::temp::unique_name;
use polyproc_testkit::watchdog::watchdog;

use crate::kill;

const CALLS: u64 = 500;

#[task]
fn effect(n: u64, fabric: String, counts: String) -> u64 {
    let fabric = Fabric::open(&fabric).unwrap();
    Array::<u64>::open(&fabric, &counts).unwrap().fetch_add(n as usize, 1).unwrap();
    n
}

/// Joins again and again, for some batches each time, until the pool is over.
#[task]
fn comes_and_goes(fabric: String, seed: u64) {
    let mut dice = Dice(seed);
    let fabric = Fabric::open(&fabric).unwrap();
    while let Ok(mut worker) = Worker::new(&fabric, "storm") {
        for _ in 0..dice.below(60) {
            if worker.step(Some(Duration::from_millis(20))).unwrap() == Stepped::Left {
                return;
            }
        }
    }
}

/// Submits calls, by single ones and maps, and counts what they did, until the pool is over.
#[task]
fn submits(fabric_name: String, seed: u64) {
    let fabric = Fabric::open(&fabric_name).unwrap();
    let name = format!("counts{seed}");
    let counts = Array::<u64>::open_or_create(&fabric, &name, CALLS as usize).unwrap();
    'rounds: loop {
        let Ok(pool) = Pool::connect(&fabric, "storm") else { break };
        counts.unlocked().fill(.., 0).unwrap();
        let args = |n: u64| (n, fabric_name.clone(), name.clone());
        let single: Result<Vec<_>, _> = (0..CALLS / 2).map(|n| pool.submit(effect, args(n))).collect();
        let mapped = pool.starmap_async(effect, (CALLS / 2..CALLS).map(args));
        let (Ok(single), Ok(mapped)) = (single, mapped) else { break };
        let mut results: Vec<_> = single.iter().map(polyproc::AsyncResult::get).collect();
        results.extend(mapped.get_all().unwrap_or_default());
        for ((n, result), count) in (0..).zip(&results).zip(counts.unlocked().to_vec().unwrap()) {
            match result {
                Ok(value) => assert_eq!((*value, count), (n, 1)),
                Err(error) if error.kind() == ErrorKind::WorkerDied => assert!(count <= 1, "call {n} ran {count} times"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::PoolClosed, "{error}");
                    break 'rounds;
                }
            }
        }
    }
}

#[task]
fn storm(seconds: u64) {
    let name = unique_name("named-storm");
    let make = || {
        let fabric = Fabric::builder().cap(64 << 20).create(&name).unwrap();
        let pool = Pool::builder().fabric(&fabric).name("storm").workers(1).build().unwrap();
        (fabric, pool)
    };
    // The first makes what is made once.
    assert_eq!(make().1.apply(crate::death::spin, (1,)).unwrap(), 1);
    let open = Snapshot::take();
    let (fabric, pool) = make();
    let (stop, kills) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut dice = Dice(u64::from(std::process::id()));
            let mut seed = 0;
            let mut start = |guest: bool| {
                seed += 1;
                let args = (name.clone(), seed);
                if guest { Process::spawn(comes_and_goes, args).unwrap() } else { Process::spawn(submits, args).unwrap() }
            };
            let mut all: Vec<(bool, Process)> = [true, true, false, false].into_iter().map(|guest| (guest, start(guest))).collect();
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20 + dice.below(100)));
                let at = dice.below(5) as usize;
                if at == 4 {
                    // One of the pool's own, which it replaces.
                    pool.workers().iter().filter(|worker| worker.ready && !worker.joined).for_each(|worker| kill(worker.pid));
                } else {
                    kill(all[at].1.pid());
                    assert_eq!(all[at].1.join().unwrap().signal(), Some(9), "it ended by itself before the kill");
                    all[at].1 = start(all[at].0);
                }
                kills.fetch_add(1, Ordering::Relaxed);
            }
            pool.close();
            pool.join().unwrap();
            for (_, process) in all {
                let exit = process.join().unwrap();
                assert!(exit.success(), "{exit:?}");
            }
        });
        // The pool's own calls go on meanwhile.
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(seconds) {
            for result in pool.map_async(crate::death::spin, 0..500).unwrap().get_all().unwrap() {
                if let Err(error) = result {
                    assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    println!("{kills:?} kills");
    drop(pool);
    fabric.sweep().unwrap();
    let report = fabric.check().unwrap();
    assert!(report.is_whole(), "{report:?}");
    let left: Vec<_> = fabric.objects().unwrap().into_iter().filter(|object| !object.name.as_deref().unwrap_or("").starts_with("counts")).collect();
    assert!(left.is_empty(), "{left:?}");
    drop(fabric);
    open.assert_settles(Duration::from_secs(60));
}

#[test]
fn a_storm_of_guests_loses_nothing_and_leaves_nothing() {
    let seconds = std::env::var("POLYPROC_STORM_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    watchdog(Duration::from_secs(120 + 2 * seconds), || {
        let exit = Process::spawn(storm, (seconds,)).unwrap().join().unwrap();
        assert!(exit.success(), "{exit:?}");
    });
}
