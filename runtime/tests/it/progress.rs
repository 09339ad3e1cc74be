//! Progress as data, and told again and again.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use polyproc::{Fabric, Pool, Progress, Semaphore, task};

use crate::{until, watched};

#[task]
fn pass(gate: Semaphore, n: u64) -> u64 {
    gate.acquire(None).unwrap();
    assert!(n != 5, "five");
    n
}

#[task]
fn same(n: u64) -> u64 {
    n
}

fn fabric() -> Fabric {
    Fabric::builder().cap(32 << 20).private().unwrap()
}

fn sums(progress: &Progress) {
    assert_eq!(progress.submitted, progress.done + progress.failed + progress.running + progress.queued, "{progress:?}");
}

#[test]
fn every_call_is_counted_where_it_is() {
    watched(|| {
        let fabric = fabric();
        let gate = Semaphore::new(&fabric, 0).unwrap();
        // Nobody gets through this one, so that the first eight calls are those that end.
        let shut = Semaphore::new(&fabric, 0).unwrap();
        let pool = Pool::builder().workers(2).fabric(&fabric).chunk_size(1).build().unwrap();
        assert_eq!((pool.progress().submitted, pool.progress().over), (0, false));
        let before = Instant::now();
        let job = pool.starmap_async(pass, (0..10).map(|n| (if n < 8 { gate.clone() } else { shut.clone() }, n))).unwrap();
        until(|| pool.progress().running == 2);
        let progress = pool.progress();
        sums(&progress);
        assert_eq!((progress.submitted, progress.done, progress.failed, progress.queued), (10, 0, 0, 8));
        assert_eq!(progress.workers.iter().map(|worker| worker.number).collect::<Vec<_>>(), [0, 1]);
        until(|| pool.progress().workers.iter().all(|worker| worker.since.is_some()));
        for worker in pool.progress().workers {
            assert_eq!(worker.busy_with.as_deref(), Some(pass.name()));
            assert!(worker.since.is_some_and(|since| since >= before && since <= Instant::now()), "{worker:?}");
            assert!(crate::runs(worker.pid));
        }
        assert_eq!((job.progress().done, job.progress().total), (0, 10));
        (0..4).for_each(|_| gate.release(1).unwrap());
        until(|| job.progress().done == 4);
        (0..4).for_each(|_| gate.release(1).unwrap());
        until(|| job.progress().done == 8);
        let progress = pool.progress();
        sums(&progress);
        assert_eq!((progress.done, progress.failed), (7, 1));
        let finished: u64 = progress.workers.iter().map(|worker| worker.finished).sum();
        let failed: u64 = progress.workers.iter().map(|worker| worker.failed).sum();
        assert_eq!((finished, failed), (8, 1));
        // The others fail with the pool.
        pool.terminate();
        assert!(job.get().is_err());
        let progress = pool.progress();
        sums(&progress);
        assert_eq!((progress.submitted, progress.done, progress.failed, progress.queued + progress.running), (10, 7, 3, 0));
        pool.join().unwrap();
        let progress = pool.progress();
        assert!(progress.over && progress.workers.is_empty(), "{progress:?}");
    });
}

#[test]
fn a_killed_worker_s_call_has_failed() {
    watched(|| {
        let fabric = fabric();
        let gate = Semaphore::new(&fabric, 0).unwrap();
        let pool = Pool::builder().workers(1).fabric(&fabric).build().unwrap();
        let job = pool.apply_async(pass, (gate.clone(), 1)).unwrap();
        until(|| pool.progress().running == 1);
        crate::kill(pool.workers()[0].pid);
        job.get().unwrap_err();
        let progress = pool.progress();
        sums(&progress);
        assert_eq!((progress.submitted, progress.failed, progress.running), (1, 1, 0));
    });
}

#[test]
fn an_imap_counts_what_it_has_submitted() {
    watched(|| {
        let pool = Pool::builder().workers(1).fabric(&fabric()).build().unwrap();
        let mut squares = pool.imap(same, 0..100).unwrap();
        assert_eq!(squares.progress().total, 0);
        squares.next().unwrap().unwrap();
        let progress = squares.progress();
        assert!(progress.done >= 1 && progress.total >= progress.done && progress.total < 100, "{progress:?}");
        assert_eq!(squares.by_ref().count(), 99);
        assert_eq!((squares.progress().done, squares.progress().total), (100, 100));
        assert_eq!(pool.progress().submitted, 100);
    });
}

#[test]
fn reports_come_and_end_with_the_pool() {
    watched(|| {
        let pool = Pool::builder().workers(2).fabric(&fabric()).build().unwrap();
        let (say, hear) = mpsc::channel::<Progress>();
        pool.on_progress(Duration::ZERO, move |progress| drop(say.send(progress.clone()))).unwrap();
        assert_eq!(hear.recv().unwrap().submitted, 0);
        pool.map(same, 0..50).unwrap();
        until(|| hear.try_iter().any(|progress| progress.done == 50));
        // One that panics is called no more, and does no harm.
        let mut calls = 0;
        pool.on_progress(Duration::from_millis(1), move |_| {
            calls += 1;
            assert!(calls == 1, "called again after a panic");
            std::panic::resume_unwind(Box::new("no more"));
        })
        .unwrap();
        pool.close();
        pool.join().unwrap();
        let last = hear.iter().last().unwrap();
        assert!(last.over && last.done == 50, "{last:?}");
        // Of a pool that is over: at once.
        let (say, hear) = mpsc::channel::<bool>();
        pool.on_progress(Duration::from_secs(1000), move |progress| say.send(progress.over).unwrap()).unwrap();
        assert_eq!(hear.recv(), Ok(true));
        assert_eq!(hear.recv(), Err(mpsc::RecvError));
        // This thread is not taken for one of the pool's.
        pool.join().unwrap();
    });
}

/// A reporter that waits long is woken by the pool's end; one that holds the pool itself drops it.
#[test]
fn a_pool_s_end_waits_for_no_period() {
    watched(|| {
        let pool = std::sync::Arc::new(Pool::builder().workers(1).fabric(&fabric()).build().unwrap());
        let (say, hear) = mpsc::channel::<bool>();
        let held = pool.clone();
        pool.on_progress(Duration::from_secs(10_000), move |progress| {
            if progress.over {
                assert!(held.join().is_err(), "it would wait for itself");
            }
            say.send(progress.over).unwrap();
        })
        .unwrap();
        assert_eq!(hear.recv(), Ok(false));
        pool.terminate();
        assert_eq!(hear.recv(), Ok(true));
        drop(pool);
        assert_eq!(hear.recv(), Err(mpsc::RecvError));
    });
}
