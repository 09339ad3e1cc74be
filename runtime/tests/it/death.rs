//! Workers that die: by signal, by exit, in the middle of a call, of a map, at random under load. Every job settles.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use polyproc::{ErrorKind, Fabric, Pool, Queue, task};

use crate::pool::{gate, square};
use crate::{kill, until, watched};

#[task]
pub(crate) fn die_by(signal: i32) {
    let me = rustix::process::getpid();
    let signal = rustix::process::Signal::from_named_raw(signal).unwrap();
    rustix::process::kill_process(me, signal).unwrap();
    loop {
        std::thread::park();
    }
}

#[task]
fn leave(code: i32) {
    std::process::exit(code);
}

#[task]
fn die_at(n: u64, at: u64) -> u64 {
    if n == at {
        std::process::abort();
    }
    n
}

/// Counts itself, so that a call that ran twice shows.
#[task]
fn counted(n: u64, begun: Queue<u64>) -> u64 {
    begun.put(&n).unwrap();
    n
}

/// A little work, so that kills fall into it.
#[task]
pub(crate) fn spin(n: u64) -> u64 {
    let mut x = n;
    for _ in 0..200 {
        x = x.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
    }
    std::hint::black_box(x);
    n
}

fn queue() -> Queue<u64> {
    Queue::new(&Fabric::current().unwrap(), 0).unwrap()
}

#[test]
fn the_cause_comes_back_and_the_pool_goes_on() {
    watched(|| {
        let pool = Pool::new(1).unwrap();
        for signal in [9, 15, 6, 11] {
            let error = pool.apply(die_by, (signal,)).unwrap_err();
            assert_eq!((error.kind(), error.signal(), error.exit_code()), (ErrorKind::WorkerDied, Some(signal), None), "{error}");
            assert!(error.pid().is_some());
            assert_eq!(error.task(), Some("it::death::die_by"));
        }
        for code in [0, 1, 7] {
            let error = pool.apply(leave, (code,)).unwrap_err();
            assert_eq!((error.kind(), error.signal(), error.exit_code()), (ErrorKind::WorkerDied, None, Some(code)), "{error}");
        }
        assert_eq!(pool.apply(square, (7,)).unwrap(), 49);
        assert_eq!(pool.workers().len(), 1);
    });
}

#[test]
fn a_kill_from_outside_fails_the_running_call() {
    watched(|| {
        let pool = Pool::new(1).unwrap();
        let (open, begun) = (queue(), queue());
        #[task]
        fn gated(begun: Queue<u64>, open: Queue<u64>) {
            begun.put(&u64::from(std::process::id())).unwrap();
            open.get().unwrap();
        }
        let first = pool.apply_async(gated, (begun.clone(), open.clone())).unwrap();
        let second = pool.apply_async(gate, (2, open.clone())).unwrap();
        let victim = begun.get().unwrap() as u32;
        kill(victim);
        let error = first.get().unwrap_err();
        assert_eq!((error.kind(), error.signal(), error.pid()), (ErrorKind::WorkerDied, Some(9), Some(victim)));
        open.put(&0).unwrap();
        assert_eq!(second.get().unwrap(), 2, "what had not begun runs on the next worker");
    });
}

#[test]
fn in_a_map_only_the_victim_fails() {
    watched(|| {
        let pool = Pool::builder().workers(2).chunk_size(50).build().unwrap();
        for at in [0, 1, 49, 50, 120, 199] {
            let result = pool.starmap(die_at, (0..200).map(|n| (n, at))).unwrap_err();
            assert_eq!((result.kind(), result.signal()), (ErrorKind::WorkerDied, Some(6)), "{result}");
        }
        let one_by_one = Pool::builder().workers(2).chunk_size(10).build().unwrap();
        #[task]
        fn die_at_13(n: u64) -> u64 {
            die_at(n, 13)
        }
        for (n, result) in (0_u64..40).zip(one_by_one.imap(die_at_13, 0..40).unwrap()) {
            match result {
                Ok(value) => assert_eq!((value, n != 13), (n, true)),
                Err(error) => assert_eq!((n, error.kind()), (13, ErrorKind::WorkerDied)),
            }
        }
    });
}

#[test]
fn an_idle_worker_that_is_killed_is_replaced() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        for round in 0..15 {
            until(|| pool.workers().len() == 2 && pool.workers().iter().all(|worker| worker.ready));
            let victim = pool.workers()[round % 2].pid;
            kill(victim);
            until(|| pool.workers().iter().all(|worker| worker.pid != victim));
        }
        assert_eq!(pool.map(square, 0..3).unwrap(), [0, 1, 4]);
    });
}

#[test]
fn workers_that_cannot_start_make_the_pool_give_up() {
    watched(|| {
        let pool = Pool::builder().workers(2).program("/bin/false").build().unwrap();
        // It may have given up before the call, or with it.
        let error = pool.apply(square, (1,)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::GaveUp);
        assert_eq!(error.exit_code(), Some(1), "{error}");
        assert_eq!(pool.map(square, 0..10).unwrap_err().kind(), ErrorKind::GaveUp);
        pool.join().unwrap();
        let missing = Pool::builder().workers(2).program("/nowhere/at all").build().unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::SpawnFailed);
    });
}

#[test]
fn many_calls_that_kill_do_not_make_it_give_up() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        let results: Vec<_> = pool.imap(die_by, vec![9; 25]).unwrap().collect();
        assert_eq!(results.len(), 25);
        assert!(results.iter().all(|result| result.as_ref().unwrap_err().kind() == ErrorKind::WorkerDied));
        assert_eq!(pool.apply(square, (2,)).unwrap(), 4);
    });
}

/// Kills a random worker of the pool every few milliseconds until told to stop, but lets every worker live at least until it is up.
fn hunt(pool: &Pool, stop: &AtomicBool) -> u32 {
    let (mut kills, mut random) = (0, u64::from(std::process::id()) | 1);
    while !stop.load(Ordering::Relaxed) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(Duration::from_micros(random % 8000));
        let workers = pool.workers();
        if let Some(worker) = workers.get(random as usize % workers.len().max(1)).filter(|worker| worker.ready) {
            kill(worker.pid);
            kills += 1;
        }
    }
    kills
}

#[test]
fn random_kills_under_load_lose_nothing() {
    watched(|| {
        let pool = Pool::builder().workers(3).build().unwrap();
        let stop = AtomicBool::new(false);
        let (mut calls, mut died) = (0_usize, 0_usize);
        let kills = std::thread::scope(|scope| {
            let hunter = scope.spawn(|| hunt(&pool, &stop));
            let start = Instant::now();
            while start.elapsed() < Duration::from_secs(4) {
                let pending = pool.map_async(spin, 0..2000).unwrap();
                for (n, result) in (0..200).zip(pool.imap(spin, 0..200).unwrap()) {
                    calls += 1;
                    match result {
                        Ok(value) => assert_eq!(value, n),
                        Err(error) => {
                            assert_eq!((error.kind(), error.signal()), (ErrorKind::WorkerDied, Some(9)), "{error}");
                            died += 1;
                        }
                    }
                }
                match pending.get() {
                    Ok(values) => assert!(values.into_iter().eq(0..2000)),
                    Err(error) => {
                        assert_eq!((error.kind(), error.signal()), (ErrorKind::WorkerDied, Some(9)), "{error}");
                        died += 1;
                    }
                }
                calls += 2000;
            }
            stop.store(true, Ordering::Relaxed);
            hunter.join().unwrap()
        });
        println!("{calls} calls, {kills} kills, {died} calls or maps failed by them");
        assert!(kills > 10 && died <= kills as usize);
        assert_eq!(pool.map(square, 0..3).unwrap(), [0, 1, 4]);
        pool.close();
        pool.join().unwrap();
    });
}

#[test]
fn no_call_begins_twice() {
    watched(|| {
        let pool = Pool::builder().workers(2).chunk_size(100).build().unwrap();
        let (begun, stop) = (queue(), AtomicBool::new(false));
        let total = 3000;
        std::thread::scope(|scope| {
            let hunter = scope.spawn(|| hunt(&pool, &stop));
            let result = pool.starmap(counted, (0..total).map(|n| (n, begun.clone())));
            stop.store(true, Ordering::Relaxed);
            hunter.join().unwrap();
            if let Err(error) = result {
                assert_eq!(error.kind(), ErrorKind::WorkerDied);
            }
        });
        let mut seen = vec![0; total as usize];
        while let Ok(n) = begun.try_get() {
            seen[n as usize] += 1;
        }
        assert!(seen.iter().all(|&count| count <= 1), "some calls began twice");
    });
}
