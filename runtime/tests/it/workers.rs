//! A worker's life: how many calls it runs, its hooks, what it keeps, its number, its processors and variables.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use polyproc::{ErrorKind, Fabric, Pool, Queue, task, worker};

use crate::death::die_by;
use crate::pool::square;
use crate::{kill, until, watched};

#[task]
fn who(n: u64) -> (u64, u32) {
    (n, std::process::id())
}

fn queue<T: serde::Serialize + serde::de::DeserializeOwned>() -> Queue<T> {
    Queue::new(&Fabric::current().unwrap(), 0).unwrap()
}

#[test]
fn a_worker_leaves_after_so_many_calls() {
    watched(|| {
        for chunk in [1, 2, 7, 100] {
            // Not one death is allowed: leaving is none.
            let pool = Pool::builder().workers(2).chunk_size(chunk).max_tasks_per_worker(3).restart_limit(0, Duration::from_secs(600)).build().unwrap();
            let results = pool.map(who, 0..50).unwrap();
            assert!(results.iter().map(|(n, _)| *n).eq(0..50), "in order, none lost");
            let mut calls = BTreeMap::new();
            for (_, pid) in &results {
                *calls.entry(pid).or_insert(0) += 1;
            }
            assert!(calls.values().all(|&count| count <= 3), "chunks of {chunk}: {calls:?}");
            let single: Vec<_> = (0..10).map(|n| pool.apply_async(who, (n,)).unwrap()).collect();
            assert!(single.iter().enumerate().all(|(n, result)| result.get().unwrap().0 == n as u64));
            pool.close();
            pool.join().unwrap();
        }
    });
}

#[test]
fn a_worker_that_dies_in_its_last_call_fails_that_call_only() {
    watched(|| {
        let pool = Pool::builder().workers(1).max_tasks_per_worker(1).build().unwrap();
        for _ in 0..5 {
            assert_eq!(pool.apply(die_by, (9,)).unwrap_err().signal(), Some(9));
            assert_eq!(pool.apply(square, (3,)).unwrap(), 9);
        }
    });
}

/// What a start hook leaves for calls.
struct Prepared {
    word: String,
    calls: AtomicU64,
}

#[task]
fn prepare(word: String, ran: Queue<u32>) {
    assert!(worker::get::<Prepared>().is_none(), "the hook ran twice in one process");
    worker::set(Prepared { word, calls: AtomicU64::new(0) });
    ran.put(&std::process::id()).unwrap();
}

#[task]
fn prepared() -> (String, u64, usize, u32) {
    worker::with(|kept: &Prepared| {
        let calls = kept.calls.fetch_add(1, Ordering::Relaxed);
        (kept.word.clone(), calls, worker::number().unwrap(), std::process::id())
    })
}

#[test]
fn the_start_hook_runs_once_in_each_worker_before_its_calls() {
    watched(|| {
        let ran = queue();
        let pool = Pool::builder().workers(3).on_start(prepare, ("ready".into(), ran.clone())).build().unwrap();
        let mut calls = BTreeMap::new();
        for _ in 0..60 {
            let (word, before, number, pid) = pool.apply(prepared, ()).unwrap();
            assert_eq!((&*word, number < 3), ("ready", true));
            let (count, known) = calls.entry(pid).or_insert((0, number));
            assert_eq!((*count, *known), (before, number), "what a worker keeps is its own");
            *count += 1;
        }
        until(|| ran.len() == 3);
        until(|| pool.workers().iter().all(|worker| worker.ready));
        let mut pids: Vec<u32> = (0..3).map(|_| ran.get().unwrap()).collect();
        pids.sort_unstable();
        assert!(pids.iter().copied().eq(pool.workers().iter().map(|worker| worker.pid)), "each ran it, and nobody else");
        // A successor begins with nothing, runs the hook again, and has the number of the one that died.
        for victim in pids {
            kill(victim);
            let successor = ran.get().unwrap();
            until(|| pool.workers().iter().all(|worker| worker.ready && worker.pid != victim) && pool.workers().len() == 3);
            assert!(pool.workers().iter().any(|worker| worker.pid == successor));
        }
        let mut numbers: Vec<usize> = Vec::new();
        while numbers.len() < 3 {
            let number = pool.apply(prepared, ()).unwrap().2;
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1, 2]);
    });
}

#[task]
fn never_ready(why: String) {
    panic!("not today: {why}");
}

#[test]
fn a_start_hook_that_always_fails_ends_the_pool_with_its_message() {
    watched(|| {
        let pool = Pool::builder().workers(2).on_start(never_ready, ("no licence".into(),)).build().unwrap();
        let pending: Vec<_> = (0..20).filter_map(|n| pool.apply_async(square, (n,)).ok()).collect();
        for error in pending.iter().map(|result| result.get().unwrap_err()).chain([pool.apply(square, (1,)).unwrap_err()]) {
            assert_eq!((error.kind(), error.exit_code()), (ErrorKind::GaveUp, Some(1)), "{error}");
            assert!(error.to_string().contains("never_ready") && error.to_string().contains("not today: no licence"), "{error}");
            assert!(error.message().is_some_and(|text| text.starts_with("not today: no licence")) && error.task().is_some());
        }
        pool.join().unwrap();
        // One that kills its process instead.
        let pool = Pool::builder().workers(2).on_start(die_by, (6,)).build().unwrap();
        let error = pool.apply(square, (1,)).unwrap_err();
        assert_eq!((error.kind(), error.signal()), (ErrorKind::GaveUp, Some(6)), "{error}");
    });
}

#[task]
fn ready_at_last(failures: Queue<u32>) {
    assert!(failures.try_get().is_err(), "not yet");
}

#[test]
fn a_start_hook_that_fails_at_times_is_tried_again() {
    watched(|| {
        let failures = queue();
        (0..6).for_each(|n| failures.put(&n).unwrap());
        let pool = Pool::builder().workers(2).on_start(ready_at_last, (failures,)).build().unwrap();
        assert_eq!(pool.map(square, 0..10).unwrap().len(), 10);
    });
}

#[task]
fn add(n: u64) {
    *worker::get_or_set(Mutex::<u64>::default).lock().unwrap() += n;
}

#[task]
fn sum(bytes: usize) -> (u64, Vec<u8>) {
    (*worker::get_or_set(Mutex::<u64>::default).lock().unwrap(), vec![7; bytes])
}

#[test]
fn what_exit_hooks_return_is_collected() {
    watched(|| {
        // Large enough to go by a chunk of the fabric, too.
        for (bytes, most) in [(0, u64::MAX), (100_000, u64::MAX), (10, 4)] {
            let pool = Pool::builder().workers(3).max_tasks_per_worker(most).on_exit(sum, (bytes,)).build().unwrap();
            pool.map(add, 1..=100).unwrap();
            pool.close();
            pool.join().unwrap();
            let results: Vec<_> = pool.exit_results::<(u64, Vec<u8>)>().into_iter().map(Result::unwrap).collect();
            assert_eq!(results.iter().map(|(total, _)| total).sum::<u64>(), 5050);
            assert!(results.iter().all(|(_, block)| block.len() == bytes));
            assert!(if most == 4 { results.len() >= 25 } else { results.len() == 3 }, "{}", results.len());
            assert!(pool.exit_results::<()>().is_empty(), "each is handed out once");
        }
    });
}

#[task]
fn gone_wrong() {
    panic!("at the very end");
}

#[test]
fn exit_hooks_that_fail_die_or_say_too_much() {
    watched(|| {
        let over = |pool: Pool| {
            assert_eq!(pool.map(square, 0..10).unwrap().len(), 10);
            pool.close();
            pool.join().unwrap();
            pool.exit_results::<(u64, Vec<u8>)>()
        };
        let failed = over(Pool::builder().workers(2).on_exit(gone_wrong, ()).build().unwrap());
        assert_eq!(failed.len(), 2);
        assert!(
            failed.iter().all(|result| matches!(result, Err(error) if error.kind() == ErrorKind::Panicked && error.message().unwrap().contains("very end")))
        );
        let fabric = Fabric::builder().cap(16 << 20).private().unwrap();
        let large = over(Pool::builder().workers(2).fabric(&fabric).on_exit(sum, (24 << 20,)).build().unwrap());
        assert_eq!(large.len(), 2);
        assert!(large.iter().all(|result| matches!(result, Err(error) if error.kind() == ErrorKind::BadResult)), "{large:?}");
        assert_eq!(over(Pool::builder().workers(2).on_exit(die_by, (9,)).build().unwrap()).len(), 0);
        let terminated = Pool::builder().workers(2).on_exit(sum, (0,)).build().unwrap();
        assert_eq!(terminated.apply(square, (2,)).unwrap(), 4);
        terminated.terminate();
        terminated.join().unwrap();
        assert!(terminated.exit_results::<(u64, Vec<u8>)>().is_empty());
    });
}

#[task]
fn without_state() -> u64 {
    worker::with(|kept: &Prepared| kept.calls.load(Ordering::Relaxed))
}

#[test]
fn state_that_nobody_set_fails_the_call() {
    watched(|| {
        let error = Pool::new(1).unwrap().apply(without_state, ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert!(error.to_string().contains("Prepared") && error.to_string().contains("on_start"), "{error}");
    });
}

/// The processors of the calling process's main thread, and of all of its threads together.
#[task]
fn processors() -> (usize, Vec<String>) {
    let list = |path: std::path::PathBuf| {
        let status = std::fs::read_to_string(path.join("status")).unwrap();
        status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned()
    };
    let threads = std::fs::read_dir("/proc/self/task").unwrap().map(|task| list(task.unwrap().path()));
    (worker::number().unwrap_or(usize::MAX), threads.collect())
}

#[test]
fn workers_run_where_they_are_pinned() {
    watched(|| {
        let own = processors().1;
        let all: Vec<usize> = (0..1024).filter(|&cpu| rustix::thread::sched_getaffinity(None).unwrap().is_set(cpu)).collect();
        let pool = Pool::builder().workers(3).pin_cpus(true).build().unwrap();
        let whole = Pool::builder().workers(2).pin_cpus_to([all.clone()]).build().unwrap();
        for _ in 0..30 {
            let (number, threads) = pool.apply(processors, ()).unwrap();
            let expected = all[number % all.len()].to_string();
            assert!(threads.iter().all(|list| *list == expected), "worker {number}: {threads:?}");
        }
        assert_eq!(whole.apply(processors, ()).unwrap().1[0], own[0]);
        assert_eq!(processors().1[0], own[0], "the maker runs where it did");
        for bad in [vec![], vec![vec![]], vec![all.clone(), vec![100_000]]] {
            let error = Pool::builder().workers(1).pin_cpus_to(bad).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Ipc(polyproc::ipc::ErrorKind::InvalidArgument), "{error}");
        }
    });
}

#[task]
fn variable(name: String) -> Option<String> {
    std::env::var(name).ok()
}

#[test]
fn libraries_are_told_how_many_threads() {
    watched(|| {
        let name = || ("OMP_NUM_THREADS".to_owned(),);
        let here = std::env::var("OMP_NUM_THREADS").ok();
        let shared = Pool::builder().workers(1).build().unwrap().apply(variable, name()).unwrap();
        assert_eq!(shared, Some(here.clone().unwrap_or_else(|| polyproc::available_cpus().to_string())));
        let many = Pool::builder().workers_between(1, 1000).build().unwrap().apply(variable, name()).unwrap();
        assert_eq!(many, Some(here.clone().unwrap_or_else(|| "1".into())));
        assert_eq!(Pool::builder().workers(1).library_threads(3).build().unwrap().apply(variable, name()).unwrap().as_deref(), Some("3"));
        assert_eq!(Pool::builder().workers(1).library_threads(0).build().unwrap().apply(variable, name()).unwrap(), here);
    });
}
