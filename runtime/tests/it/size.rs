//! Pools that grow and shrink: by what waits, by idleness, by order; under load and under fire, and no call is lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use polyproc::{ErrorKind, Fabric, Pool, Queue, task};
use polyproc_testkit::dice::Dice;

use crate::death::{die_by, spin};
use crate::pool::{gate, square};
use crate::{children_of, kill, runs, until, watched};

#[task]
fn nothing() {}

fn gates() -> Queue<u64> {
    Queue::new(&Fabric::current().unwrap(), 0).unwrap()
}

#[test]
fn it_grows_while_calls_wait_and_shrinks_when_they_do_not() {
    watched(|| {
        let pool = Pool::builder().workers_between(1, 3).idle_timeout(Duration::from_millis(40)).on_exit(nothing, ()).build().unwrap();
        assert_eq!(pool.apply(square, (2,)).unwrap(), 4);
        assert_eq!(pool.workers().len(), 1, "one call after the other needs one worker");
        for round in 1..=3 {
            let open = gates();
            let waiting: Vec<_> = (0..5).map(|n| pool.apply_async(gate, (n, open.clone())).unwrap()).collect();
            until(|| pool.workers().len() == 3 && pool.workers().iter().all(|worker| worker.ready));
            (0..5).for_each(|n| open.put(&n).unwrap());
            assert!(waiting.iter().enumerate().all(|(n, result)| result.get().unwrap() == n as u64));
            until(|| pool.workers().len() == 1);
            assert_eq!(pool.apply(square, (3,)).unwrap(), 9);
            // Who went has left in order.
            assert_eq!(pool.exit_results::<()>().len(), 2, "round {round}");
        }
    });
}

#[test]
fn a_worker_that_is_needed_stays() {
    watched(|| {
        let pool = Pool::builder().workers_between(1, 2).idle_timeout(Duration::from_millis(20)).build().unwrap();
        let open = gates();
        let both: Vec<_> = (0..2).map(|n| pool.apply_async(gate, (n, open.clone())).unwrap()).collect();
        until(|| pool.workers().len() == 2 && pool.workers().iter().all(|worker| worker.ready));
        let before: Vec<u32> = pool.workers().iter().map(|worker| worker.pid).collect();
        std::thread::sleep(Duration::from_millis(200));
        assert!(before.iter().copied().eq(pool.workers().iter().map(|worker| worker.pid)), "both have a call for ten times the idle time");
        open.put(&0).unwrap();
        open.put(&0).unwrap();
        assert!(both.iter().all(|result| result.get().is_ok()));
        until(|| pool.workers().len() == 1);
    });
}

#[test]
fn it_has_the_size_it_is_told() {
    watched(|| {
        let pool = Pool::builder().workers(2).restart_limit(0, Duration::from_secs(600)).build().unwrap();
        for size in [4, 1, 3, 3, 1, 2] {
            pool.resize(size).unwrap();
            assert_eq!(pool.map(square, 0..50).unwrap().len(), 50);
            until(|| pool.workers().len() == size);
            until(|| children_of(std::process::id()).iter().filter(|pid| pool.workers().iter().any(|worker| worker.pid == **pid)).count() == size);
        }
        // Told again before it could follow.
        for size in [5, 1, 4, 2, 1, 3] {
            pool.resize(size).unwrap();
        }
        until(|| pool.workers().len() == 3);
        assert_eq!(pool.map(square, 0..50).unwrap().len(), 50);
        assert_eq!(pool.workers().len(), 3);
        pool.close();
        pool.join().unwrap();
    });
}

#[test]
fn no_call_is_lost_while_it_changes_size() {
    watched(|| {
        let elastic = Pool::builder().workers_between(1, 3).idle_timeout(Duration::from_millis(10)).build().unwrap();
        let told = Pool::builder().workers(1).build().unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut dice = Dice(u64::from(std::process::id()));
                while !stop.load(Ordering::Relaxed) {
                    told.resize(1 + dice.below(3) as usize).unwrap();
                    std::thread::sleep(Duration::from_micros(dice.below(9000)));
                }
            });
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(1500) {
                for pool in [&elastic, &told] {
                    assert!(pool.map(spin, 0..500).unwrap().into_iter().eq(0..500));
                }
                std::thread::sleep(Duration::from_millis(u64::from(start.elapsed().subsec_micros() % 4) * 10));
            }
            stop.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn kills_while_it_changes_size_leave_the_right_number() {
    watched(|| {
        let pool = Pool::builder().workers(3).build().unwrap();
        let mut dice = Dice(7 + u64::from(std::process::id()));
        for round in 0..25 {
            let calls = pool.map_async(spin, 0..400).unwrap();
            let size = 1 + dice.below(4) as usize;
            pool.resize(size).unwrap();
            // Before, while and after leave notes are taken.
            std::thread::sleep(Duration::from_micros(dice.below(6000)));
            let victims = pool.workers();
            if let Some(victim) = victims.get(dice.below(victims.len() as u64) as usize).filter(|victim| victim.ready) {
                kill(victim.pid);
                until(|| !runs(victim.pid));
            }
            if let Err(error) = calls.get() {
                assert_eq!((error.kind(), error.signal()), (ErrorKind::WorkerDied, Some(9)), "{error}");
            }
            until(|| pool.workers().len() == size);
            assert_eq!(pool.map(square, 0..20).unwrap().len(), 20, "round {round}");
            until(|| pool.workers().len() == size && pool.workers().iter().all(|worker| worker.ready));
        }
    });
}

#[test]
fn a_worker_that_dies_while_it_leaves_has_left() {
    watched(|| {
        // Killed in its exit hook: behind its last call, before it says goodbye, with a leave note or the rest of a chunk in hand.
        let pool = Pool::builder().workers(4).on_exit(die_by, (9,)).build().unwrap();
        for size in [1, 3, 2] {
            pool.resize(size).unwrap();
            until(|| pool.workers().len() == size && pool.workers().iter().all(|worker| worker.ready));
            assert_eq!(pool.map(square, 0..50).unwrap().len(), 50);
            assert_eq!(pool.workers().len(), size);
        }
        let pool = Pool::builder().workers(2).max_tasks_per_worker(3).chunk_size(10).on_exit(die_by, (9,)).build().unwrap();
        assert!(pool.map(square, 0..60).unwrap().into_iter().eq((0..60).map(|n| n * n)), "no call fails by it");
        pool.close();
        pool.join().unwrap();
        assert!(pool.exit_results::<()>().is_empty());
    });
}
