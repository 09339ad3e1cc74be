//! Limits of workers: memory, soft and hard; deaths in a time; what the system refuses.

use std::os::fd::AsRawFd;
use std::time::Duration;

use polyproc::{Array, ErrorKind, Fabric, MemoryLimit, Pool, Process, Queue, ipc, task, worker};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::death::die_by;
use crate::pool::{gate, square};
use crate::{children_of, kill, until, watched};

const MIB: u64 = 1 << 20;

/// Takes memory and keeps it; the answer is the process.
#[task]
fn keep(mib: usize) -> u32 {
    worker::set(vec![1_u8; mib << 20]);
    std::process::id()
}

/// Takes memory and gives it back before it returns.
#[task]
fn borrow(mib: usize) -> u32 {
    std::hint::black_box(vec![1_u8; mib << 20]);
    std::process::id()
}

/// Takes memory until somebody does something about it.
#[task]
fn devour(begun: Queue<u32>) {
    begun.put(&std::process::id()).unwrap();
    let mut all = Vec::new();
    // A bound, so that a limit that does not hold fails the test and not the machine.
    while all.len() < 512 {
        all.push(vec![1_u8; MIB as usize]);
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn above_the_soft_limit_a_worker_leaves_after_its_call() {
    watched(|| {
        let limit = MemoryLimit::soft(64 * MIB);
        let pool = Pool::builder().workers(1).memory_limit(limit).restart_limit(0, Duration::from_secs(600)).build().unwrap();
        let first = pool.apply(keep, (8,)).unwrap();
        assert_eq!(pool.apply(borrow, (128,)).unwrap(), first, "what it gave back does not count");
        assert_eq!(pool.apply(keep, (128,)).unwrap(), first, "the call itself does not fail");
        let second = pool.apply(keep, (8,)).unwrap();
        assert_ne!(first, second);
        // In the middle of a chunk, too.
        let pids = pool.map_chunked(keep, [8, 128, 8, 8, 128, 8], 6).unwrap();
        assert!(pids[0] == pids[1] && pids[1] != pids[2] && pids[2] == pids[4] && pids[4] != pids[5], "{pids:?}");
    });
}

#[task]
fn fill_shared(mib: usize) -> u32 {
    let array = Array::<u8>::zeroed(&Fabric::current().unwrap(), mib << 20).unwrap();
    array.fill(.., 7).unwrap();
    std::process::id()
}

#[test]
fn the_fabric_does_not_count_as_a_workers_memory() {
    watched(|| {
        let fabric = Fabric::builder().cap(256 * MIB).private().unwrap();
        let pool = Pool::builder().workers(1).fabric(&fabric).memory_limit(MemoryLimit::soft(48 * MIB)).build().unwrap();
        assert_eq!(pool.apply(fill_shared, (96,)).unwrap(), pool.apply(fill_shared, (96,)).unwrap());
    });
}

#[test]
fn above_the_hard_limit_a_worker_is_killed_and_its_call_fails() {
    watched(|| {
        let begun = Queue::new(&Fabric::current().unwrap(), 0).unwrap();
        let pool = Pool::builder().workers(2).memory_limit(MemoryLimit::soft(64 * MIB).or_hard(96 * MIB)).build().unwrap();
        for _ in 0..3 {
            let error = pool.apply(devour, (begun.clone(),)).unwrap_err();
            assert_eq!((error.kind(), error.signal()), (ErrorKind::MemoryLimit, Some(9)), "{error}");
            assert_eq!((error.pid(), error.out_of_memory()), (Some(begun.get().unwrap()), Some(false)));
            assert!(error.resident().is_some_and(|bytes| bytes > 96 * MIB) && error.task().is_some_and(|task| task.ends_with("devour")), "{error}");
            assert_eq!(pool.map(square, 0..10).unwrap().len(), 10);
        }
    });
}

#[test]
fn a_limit_that_allows_nothing_is_refused() {
    for bad in [MemoryLimit::soft(0), MemoryLimit::hard(0), MemoryLimit::soft(2).or_hard(1)] {
        let error = Pool::builder().workers(1).memory_limit(bad).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Ipc(ipc::ErrorKind::InvalidArgument), "{error}");
    }
    assert!(Pool::builder().workers(1).max_tasks_per_worker(0).build().is_err());
    for (least, most) in [(0, 3), (3, 2), (0, 0)] {
        let error = Pool::builder().workers_between(least, most).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Ipc(ipc::ErrorKind::InvalidArgument), "{error}");
    }
    assert!(Pool::new(1).unwrap().resize(0).is_err());
}

#[task]
fn hold(mib: usize, open: Queue<u64>) {
    let block = vec![1_u8; mib << 20];
    open.get().unwrap();
    drop(std::hint::black_box(block));
}

#[test]
fn a_death_tells_how_much_memory_was_last_seen() {
    watched(|| {
        let open = Queue::new(&Fabric::current().unwrap(), 0).unwrap();
        let pool = Pool::new(1).unwrap();
        // The pool looks now and then: with patience, it has seen this call.
        let mut patience = Duration::from_millis(150);
        loop {
            let running = pool.apply_async(hold, (48, open.clone())).unwrap();
            std::thread::sleep(patience);
            pool.workers().iter().for_each(|worker| kill(worker.pid));
            let error = running.get().unwrap_err();
            assert_eq!((error.kind(), error.signal()), (ErrorKind::WorkerDied, Some(9)), "{error}");
            assert_ne!(error.out_of_memory(), Some(true), "it was us");
            if error.resident().is_some_and(|bytes| bytes >= 48 * MIB) {
                break;
            }
            patience *= 2;
        }
    });
}

#[test]
fn more_deaths_than_allowed_end_the_pool() {
    watched(|| {
        let open = Queue::<u64>::new(&Fabric::current().unwrap(), 0).unwrap();
        let pool = Pool::builder().workers(2).restart_limit(3, Duration::from_secs(600)).build().unwrap();
        let waiting: Vec<_> = (0..5).map(|n| pool.apply_async(gate, (n, open.clone())).unwrap()).collect();
        // They die one after the other, while the first of these waits: three are made good.
        for round in 0..4 {
            until(|| pool.workers().len() == 2 && pool.workers().iter().all(|worker| worker.ready));
            let victim = pool.workers()[round % 2].pid;
            kill(victim);
            until(|| pool.workers().iter().all(|worker| worker.pid != victim));
        }
        let error = pool.apply(square, (1,)).unwrap_err();
        assert_eq!((error.kind(), error.signal()), (ErrorKind::GaveUp, Some(9)), "{error}");
        assert!(error.to_string().contains('4') && error.to_string().contains("600s"), "{error}");
        for result in waiting {
            assert!(matches!(result.get().unwrap_err().kind(), ErrorKind::GaveUp | ErrorKind::WorkerDied));
        }
        pool.join().unwrap();
        // By themselves, deaths in calls are no reason.
        let pool = Pool::new(1).unwrap();
        assert!((0..15).all(|_| pool.apply(die_by, (9,)).is_err()));
        assert_eq!(pool.apply(square, (2,)).unwrap(), 4);
    });
}

/// Lowers a limit of this process for as long as `body` runs.
fn with_limit(resource: Resource, soft: u64, body: impl FnOnce()) {
    let before = getrlimit(resource);
    setrlimit(resource, Rlimit { current: Some(soft), maximum: before.maximum }).unwrap();
    body();
    setrlimit(resource, before).unwrap();
}

#[task]
fn few_descriptors() {
    let fabric = Fabric::current().unwrap();
    let pool = Pool::new(3).unwrap();
    assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
    let objects = fabric.objects().unwrap().len();
    let lowest = std::fs::File::open("/dev/null").unwrap().as_raw_fd() as u64;
    // None left at all, then enough to begin with.
    with_limit(Resource::Nofile, lowest, || {
        assert!(Pool::new(3).is_err());
        assert_eq!(fabric.objects().unwrap().len(), objects, "nothing was made");
    });
    with_limit(Resource::Nofile, lowest + 2, || {
        let error = Pool::new(3).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SpawnFailed, "{error}");
        assert!(error.to_string().contains("ulimit -n"), "{error}");
        assert_eq!(fabric.objects().unwrap().len(), objects, "nothing was made");
    });
    assert_eq!(children_of(std::process::id()).len(), 3, "nothing was started");
    with_limit(Resource::Nofile, lowest, || {
        // A worker that cannot be replaced: the others do the work.
        kill(pool.workers()[0].pid);
        until(|| pool.workers().len() == 2);
        for _ in 0..20 {
            assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
        }
    });
    until(|| pool.workers().len() == 3 && pool.workers().iter().all(|worker| worker.ready));
    assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
}

#[test]
fn without_descriptors_nothing_starts_and_what_runs_goes_on() {
    watched(|| {
        let exit = Process::spawn(few_descriptors, ()).unwrap().join().unwrap();
        assert!(exit.success(), "{exit:?}");
    });
}

/// As another user, as the limit does not hold for the first.
#[task]
#[allow(unsafe_code)]
fn few_processes() {
    // SAFETY: plain calls; the C library changes all threads of this process, which runs nothing else.
    let changed = unsafe { libc::getuid() != 0 || (libc::setgroups(0, std::ptr::null()) == 0 && libc::setgid(65_534) == 0 && libc::setuid(65_534) == 0) };
    assert!(changed, "cannot become another user");
    let fabric = Fabric::current().unwrap();
    let objects = fabric.objects().unwrap().len();
    with_limit(Resource::Nproc, 1, || {
        let error = Pool::new(3).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SpawnFailed, "{error}");
        assert!(error.to_string().contains("ulimit -u") || error.to_string().contains("thread"), "{error}");
    });
    assert!(children_of(std::process::id()).is_empty(), "nothing was started");
    assert_eq!(fabric.objects().unwrap().len(), objects, "nothing was made");
}

#[test]
fn without_processes_a_pool_is_refused() {
    watched(|| {
        let exit = Process::spawn(few_processes, ()).unwrap().join().unwrap();
        assert!(exit.success(), "{exit:?}");
    });
}

#[test]
fn a_program_that_cannot_be_started_is_told_at_once() {
    watched(|| {
        let fabric = Fabric::builder().cap(16 << 20).private().unwrap();
        fabric.member().unwrap();
        let objects = fabric.objects().unwrap().len();
        let dir = polyproc_testkit::temp::TempDir::new("polyproc-program");
        let plain = dir.path().join("plain");
        std::fs::write(&plain, "no program").unwrap();
        for path in [dir.path().join("missing"), plain, dir.path().to_owned()] {
            let error = Pool::builder().workers(2).fabric(&fabric).program(&path).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SpawnFailed, "{error}");
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        }
        fabric.sweep().unwrap();
        assert_eq!(fabric.objects().unwrap().len(), objects, "nothing is left in the fabric");
    });
}
