//! `Pool` as long as nobody dies.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use polyproc::{ErrorKind, Fabric, Pool, Queue, ipc, task};

use crate::{until, watched};

#[task]
pub(crate) fn square(n: u64) -> u64 {
    n * n
}

#[task]
fn joined(a: String, b: u8, c: Option<bool>) -> String {
    format!("{a} {b} {c:?}")
}

#[task]
fn nothing() {}

#[task]
fn own_pid() -> u32 {
    std::process::id()
}

#[task(name = "reverse me")]
fn reverse(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.reverse();
    bytes
}

/// Waits until it is told to go on.
#[task]
pub(crate) fn gate(n: u64, open: Queue<u64>) -> u64 {
    open.get().unwrap();
    n
}

#[task]
fn checked(n: u64) -> u64 {
    assert!(n % 10 != 7, "{n} is unlucky");
    n
}

#[task]
fn divided(a: i64, b: i64) -> Result<i64, String> {
    a.checked_div(b).ok_or_else(|| "no".into())
}

#[test]
fn apply_and_map() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        assert_eq!(pool.apply(square, (7,)).unwrap(), 49);
        assert_eq!(pool.apply(joined, ("a".into(), 1, None)).unwrap(), "a 1 None");
        pool.apply(nothing, ()).unwrap();
        assert_eq!(pool.apply(divided, (1, 0)).unwrap(), Err("no".into()));
        assert_eq!(pool.map(square, 0..5).unwrap(), [0, 1, 4, 9, 16]);
        assert_eq!(pool.map(square, []).unwrap(), []);
        assert_eq!(pool.map(square, (0..100).filter(|n| n % 3 == 0)).unwrap().len(), 34);
        let large = pool.map(square, 0..20_000).unwrap();
        assert!(large.iter().zip(0..).all(|(&value, n)| value == n * n));
        assert_eq!(pool.map_chunked(square, 0..10, 3).unwrap().len(), 10);
        assert_eq!(pool.starmap(divided, [(6, 3), (1, 0)]).unwrap(), [Ok(2), Err("no".into())]);
        let later = [pool.map_async(square, 0..10).unwrap(), pool.starmap_async(square, (0..10).map(|n| (n,))).unwrap()];
        assert_eq!(later[0].get().unwrap(), later[1].get().unwrap());
    });
}

#[test]
fn large_values_come_back_whole() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let expected: Vec<u8> = bytes.iter().rev().copied().collect();
        for result in pool.map(reverse, vec![bytes; 3]).unwrap() {
            assert!(result == expected);
        }
    });
}

#[test]
fn all_workers_work_and_none_is_this_process() {
    watched(|| {
        let pool = Pool::builder().workers(3).chunk_size(1).build().unwrap();
        let mut seen = HashSet::new();
        let workers: HashSet<u32> = pool.workers().iter().map(|worker| worker.pid).collect();
        assert_eq!(workers.len(), 3);
        until(|| pool.workers().iter().all(|worker| worker.ready));
        while seen.len() < 3 {
            seen.extend(pool.starmap(own_pid, vec![(); 50]).unwrap());
        }
        assert_eq!(seen, workers);
        let finished: u64 = pool.workers().iter().map(|worker| worker.finished).sum();
        assert!(finished >= 50);
    });
}

#[test]
fn imap_is_lazy_and_in_order() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        let taken = AtomicU64::new(0);
        let endless = (0..).inspect(|_| {
            taken.fetch_add(1, Ordering::Relaxed);
        });
        let values: Vec<u64> = pool.imap(square, endless).unwrap().take(100).map(Result::unwrap).collect();
        assert!(values.iter().zip(0..).all(|(&value, n)| value == n * n));
        assert!(taken.load(Ordering::Relaxed) <= 100 + 8, "{taken:?}");
        let unordered: HashSet<u64> = pool.imap_unordered(square, 0..1000).unwrap().map(Result::unwrap).collect();
        assert_eq!(unordered, (0..1000).map(|n| n * n).collect());
        assert_eq!(pool.imap(square, 0..0).unwrap().count(), 0);
    });
}

#[test]
fn imap_in_chunks() {
    watched(|| {
        let pool = Pool::builder().workers(2).chunk_size(7).build().unwrap();
        assert_eq!(pool.imap(square, 0..100).unwrap().map(Result::unwrap).sum::<u64>(), (0..100).map(|n| n * n).sum());
        assert_eq!(pool.imap_unordered(square, 0..100).unwrap().count(), 100);
    });
}

#[test]
fn unordered_does_not_wait_for_the_slow() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        let open = Queue::new(&Fabric::current().unwrap(), 0).unwrap();
        let slow = pool.apply_async(gate, (1, open.clone())).unwrap();
        let fast: Vec<u64> = pool.imap_unordered(square, 0..50).unwrap().map(Result::unwrap).collect();
        assert_eq!(fast.len(), 50);
        assert!(!slow.ready());
        assert_eq!(slow.successful(), None);
        assert_eq!(slow.get_timeout(Duration::from_millis(5)).unwrap_err().kind(), ErrorKind::Ipc(ipc::ErrorKind::Timeout));
        assert!(!slow.wait(Some(Duration::from_millis(5))));
        open.put(&0).unwrap();
        assert_eq!(slow.get().unwrap(), 1);
        assert_eq!((slow.successful(), slow.get().unwrap()), (Some(true), 1));
    });
}

#[test]
fn a_panic_fails_its_call_alone() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        let results = pool.imap(checked, 0..20).unwrap().collect::<Vec<_>>();
        for (n, result) in results.into_iter().enumerate() {
            if n % 10 == 7 {
                let error = result.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Panicked);
                assert!(error.message().unwrap().starts_with(&format!("{n} is unlucky (")), "{error}");
                assert!(error.backtrace().unwrap().contains("checked"), "{error:?}");
            } else {
                assert_eq!(result.unwrap(), n as u64);
            }
        }
        let map = pool.map_async(checked, 0..40).unwrap();
        assert!(map.get().unwrap_err().message().unwrap().starts_with("7 is"), "the lowest index");
        assert_eq!(map.successful(), Some(false));
    });
}

#[test]
fn callbacks_are_called() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        let (say, hear) = mpsc::channel();
        for n in 0..10 {
            let say = say.clone();
            pool.apply_async_with(square, (n,), move |result| say.send(result.unwrap()).unwrap()).unwrap();
        }
        let sum: u64 = (0..10).map(|_| hear.recv().unwrap()).sum();
        assert_eq!(sum, 285);
        let done = pool.apply_async(square, (3,)).unwrap();
        done.wait(None);
        let now = say.clone();
        done.on_done(move |result| now.send(result.unwrap()).unwrap());
        assert_eq!(hear.recv().unwrap(), 9);
        // One that panics harms nobody.
        pool.apply_async_with(square, (1,), |_| panic!("on purpose")).unwrap();
        assert_eq!(pool.apply(square, (2,)).unwrap(), 4);
    });
}

#[test]
fn a_callback_cannot_wait_for_its_own_pool() {
    watched(|| {
        let pool = std::sync::Arc::new(Pool::new(1).unwrap());
        let (say, hear) = mpsc::channel();
        let inner = pool.clone();
        let callback = move |_: polyproc::Result<u64>| {
            let join = inner.join().unwrap_err().kind();
            let apply = inner.apply(square, (2,)).unwrap_err().kind();
            say.send((join, apply)).unwrap();
            // The last handle of the pool may be dropped here.
        };
        pool.apply_async_with(square, (1,), callback).unwrap();
        drop(pool);
        // The pool ended by drop or went on until the callback: both are an answer.
        if let Ok((join, apply)) = hear.recv() {
            assert_eq!(join, ErrorKind::Ipc(ipc::ErrorKind::InvalidArgument));
            assert!(matches!(apply, ErrorKind::Ipc(ipc::ErrorKind::InvalidArgument) | ErrorKind::Terminated), "{apply:?}");
        }
    });
}

#[test]
fn close_finishes_what_was_submitted() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        let map = pool.map_async(square, 0..1000).unwrap();
        let mut imap = pool.imap(square, 0..100).unwrap();
        assert_eq!(imap.next().unwrap().unwrap(), 0);
        pool.close();
        assert_eq!(pool.apply(square, (1,)).unwrap_err().kind(), ErrorKind::PoolClosed);
        assert_eq!(pool.imap(square, 0..1).map(|_| ()).unwrap_err().kind(), ErrorKind::PoolClosed);
        assert_eq!(imap.by_ref().map(Result::unwrap).count(), 99, "an iterator that was begun goes on");
        pool.join().unwrap();
        assert_eq!(map.get().unwrap().len(), 1000);
        assert!(pool.workers().is_empty());
    });
}

#[test]
fn a_join_does_not_wait_for_an_iterator_nobody_reads() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        let mut imap = pool.imap(square, 0..1000).unwrap();
        imap.next().unwrap().unwrap();
        assert!(pool.join().is_err(), "the pool is open");
        pool.close();
        pool.join().unwrap();
        let rest: Vec<_> = imap.collect();
        assert_eq!(rest.last().unwrap().as_ref().unwrap_err().kind(), ErrorKind::PoolClosed);
        assert!(rest[..rest.len() - 1].iter().all(Result::is_ok));
    });
}

#[test]
fn terminate_fails_what_is_pending() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        let open = Queue::<u64>::new(&Fabric::current().unwrap(), 0).unwrap();
        let pending: Vec<_> = (0..5).map(|n| pool.apply_async(gate, (n, open.clone())).unwrap()).collect();
        let pids: Vec<_> = pool.workers().iter().map(|worker| worker.pid).collect();
        pool.terminate();
        for result in pending {
            assert_eq!(result.get().unwrap_err().kind(), ErrorKind::Terminated);
        }
        assert_eq!(pool.apply(square, (1,)).unwrap_err().kind(), ErrorKind::Terminated);
        pool.join().unwrap();
        assert!(!pids.iter().any(|&pid| crate::runs(pid)));
    });
}

#[test]
fn an_iterator_that_panics_leaves_a_pool_that_can_be_joined() {
    watched(|| {
        let pool = Pool::new(1).unwrap();
        let broken = (0..10).map(|n| if n == 5 { panic!("on purpose") } else { n });
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.map_chunked(square, broken, 2))).unwrap_err();
        pool.close();
        pool.join().unwrap();
    });
}

#[test]
fn many_threads_share_a_pool_and_many_pools_a_fabric() {
    watched(|| {
        let fabric = Fabric::new().unwrap();
        let pools: Vec<_> = (0..2).map(|_| Pool::builder().workers(2).fabric(&fabric).build().unwrap()).collect();
        std::thread::scope(|scope| {
            for pool in &pools {
                for _ in 0..3 {
                    scope.spawn(|| {
                        for n in 0..50 {
                            assert_eq!(pool.apply(square, (n,)).unwrap(), n * n);
                            assert_eq!(pool.map(square, 0..n).unwrap().len(), n as usize);
                        }
                    });
                }
            }
        });
    });
}

#[test]
fn a_worker_may_have_a_pool_of_its_own() {
    #[task]
    fn nested(n: u64) -> Vec<u64> {
        Pool::new(1).unwrap().map(square, 0..n).unwrap()
    }
    watched(|| {
        let pool = Pool::new(1).unwrap();
        assert_eq!(pool.apply(nested, (4,)).unwrap(), [0, 1, 4, 9]);
    });
}
