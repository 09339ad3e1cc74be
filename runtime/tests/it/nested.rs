//! Pools inside of workers: they work, and end with their worker, however it ends.

use polyproc::{ErrorKind, Fabric, Pool, Queue, task};

use crate::pool::{gate, square};
use crate::{children_of, kill, runs, until, watched};

/// Sums squares in a pool of its own, one level deeper for each `depth`.
#[task]
fn deep(n: u64, depth: u32) -> u64 {
    if depth == 0 {
        return Pool::new(2).unwrap().map(square, 0..n).unwrap().into_iter().sum();
    }
    Pool::new(1).unwrap().call("it::nested::deep", (n, depth - 1)).unwrap()
}

#[test]
fn a_task_may_have_a_pool_of_its_own() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        let results: Vec<_> = (0..4).map(|n| pool.apply_async(deep, (10 + n, 2)).unwrap()).collect();
        for (n, result) in results.iter().enumerate() {
            assert_eq!(result.get().unwrap(), (0..10 + n as u64).map(|n| n * n).sum());
        }
        until(|| pool.workers().iter().all(|worker| children_of(worker.pid).is_empty()));
    });
}

#[task]
fn waits_in_a_pool(begun: Queue<u32>, open: Queue<u64>) {
    let pool = Pool::new(3).unwrap();
    until(|| pool.workers().iter().all(|worker| worker.ready));
    for worker in pool.workers() {
        begun.put(&worker.pid).unwrap();
    }
    pool.map(gate_of_one, vec![open; 3]).unwrap();
}

#[task]
fn gate_of_one(open: Queue<u64>) {
    gate(0, open);
}

#[test]
fn killing_a_worker_ends_the_pool_inside_of_it() {
    watched(|| {
        let fabric = Fabric::builder().cap(64 << 20).private().unwrap();
        let (begun, open) = (Queue::new(&fabric, 0).unwrap(), Queue::<u64>::new(&fabric, 0).unwrap());
        // Tickets of both are made with the first call that takes them.
        let look = || {
            fabric.sweep().unwrap();
            let report = fabric.check().unwrap();
            assert!(report.is_whole(), "{report:?}");
            (fabric.objects().unwrap().len(), report.private_chunks)
        };
        let pool = Pool::builder().workers(1).fabric(&fabric).build().unwrap();
        let before = {
            assert_eq!(pool.apply(square, (1,)).unwrap(), 1);
            look()
        };
        for _ in 0..3 {
            let running = pool.apply_async(waits_in_a_pool, (begun.clone(), open.clone())).unwrap();
            let inner: Vec<u32> = (0..3).map(|_| begun.get().unwrap()).collect();
            let outer = pool.workers()[0].pid;
            assert!(inner.iter().all(|&pid| runs(pid)));
            kill(outer);
            let error = running.get().unwrap_err();
            assert_eq!((error.kind(), error.pid()), (ErrorKind::WorkerDied, Some(outer)));
            until(|| !inner.iter().any(|&pid| runs(pid)));
            drop(running);
            // A successor that starts before its predecessor is buried has a page of its own, which the next one gets.
            until(|| look().0 <= before.0 + 1);
        }
        assert_eq!(pool.apply(square, (3,)).unwrap(), 9);
    });
}
