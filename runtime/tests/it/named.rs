//! Pools with a name: other programs join them and submit to them, leave, and are killed, and so is the pool.

use std::time::Duration;

use polyproc::{ErrorKind, Fabric, Options, Pool, PoolClient, Process, Queue, Retry, Stepped, Worker, ipc, task};
use polyproc_testkit::temp::unique_name;

use crate::death::{die_by, spin};
use crate::pool::{gate, square};
use crate::{kill, until, watched};

const POOL: &str = "jobs";

fn make(name: &str, workers: usize) -> (Fabric, Pool) {
    let fabric = Fabric::builder().cap(64 << 20).create(name).unwrap();
    let pool = Pool::builder().fabric(&fabric).name(POOL).workers(workers).build().unwrap();
    (fabric, pool)
}

fn queue(fabric: &Fabric, name: &str) -> Queue<u64> {
    Queue::open_or_create(fabric, name, 0).unwrap()
}

/// Joins the pool, and works until it is over.
#[task]
pub(crate) fn joins(fabric: String) {
    let fabric = Fabric::open(&fabric).unwrap();
    let mut worker = Worker::new(&fabric, POOL).unwrap();
    if let Ok(told) = Queue::<u64>::open(&fabric, "in") {
        told.put(&0).unwrap();
    }
    worker.run().unwrap();
    assert!(worker.has_left() && worker.step(None).unwrap() == Stepped::Left);
}

/// Joins, and leaves when something is in the queue `leave`; says how many batches it had.
#[task]
fn joins_for_a_while(fabric: String) {
    let mut worker = Worker::join(&fabric, POOL).unwrap();
    let leaver = worker.leaver();
    let (order, answer) = { (queue(&Fabric::open(&fabric).unwrap(), "leave"), queue(&Fabric::open(&fabric).unwrap(), "left")) };
    let listener = std::thread::spawn(move || {
        order.get().unwrap();
        leaver.leave();
    });
    worker.run().unwrap();
    listener.join().unwrap();
    answer.put(&worker.batches()).unwrap();
    // The process goes on, and may come again.
    let fabric = Fabric::open(&fabric).unwrap();
    let mut worker = Worker::new(&fabric, POOL).unwrap();
    assert_eq!(Worker::new(&fabric, POOL).unwrap_err().kind(), ErrorKind::Ipc(ipc::ErrorKind::InvalidArgument));
    while worker.step(Some(Duration::from_millis(1))).unwrap() != Stepped::Ran {}
    drop(worker);
    answer.put(&0).unwrap();
}

fn joined(pool: &Pool) -> Vec<u32> {
    pool.workers().into_iter().filter(|worker| worker.joined).map(|worker| worker.pid).collect()
}

/// Nothing of the pool is left in its fabric, and every chunk is accounted for.
fn assert_bare(fabric: &Fabric, objects: usize) {
    fabric.sweep().unwrap();
    let report = fabric.check().unwrap();
    assert!(report.is_whole(), "{report:?}");
    let left = fabric.objects().unwrap();
    assert_eq!(left.len(), objects, "{left:?}");
}

#[test]
fn programs_join_a_pool_and_leave_it() {
    watched(|| {
        let name = unique_name("join");
        let (fabric, pool) = make(&name, 0);
        let (leave, left) = (queue(&fabric, "leave"), queue(&fabric, "left"));
        let early = pool.submit(square, (3,)).unwrap();
        let stays = Process::spawn(joins, (name.clone(),)).unwrap();
        assert_eq!({ early }.get().unwrap(), 9); // the handle goes: it would keep the pool's memory
        let guest = Process::spawn(joins_for_a_while, (name.clone(),)).unwrap();
        until(|| joined(&pool).len() == 2);
        assert_eq!(pool.map(spin, 0..2000).unwrap(), (0..2000).collect::<Vec<_>>());
        // Every one of them takes part: each holds one of two gates.
        let open = queue(&fabric, "open");
        let both: Vec<_> = (0..2).map(|n| pool.submit(gate, (n, open.clone())).unwrap()).collect();
        until(|| pool.progress().running == 2);
        open.put_many(&[0, 0]).unwrap();
        assert!(both.into_iter().all(|call| call.get().is_ok()));
        leave.put(&1).unwrap();
        assert!(left.get().unwrap() > 0);
        until(|| joined(&pool).len() == 2); // it came again
        until(|| {
            pool.map_chunked(spin, 0..4, 1).unwrap();
            left.try_get().is_ok()
        });
        assert!(guest.join().unwrap().success());
        until(|| joined(&pool).len() == 1);
        assert_eq!(pool.apply(square, (7,)).unwrap(), 49);
        pool.close();
        pool.join().unwrap();
        assert!(stays.join().unwrap().success());
        drop(pool);
        assert_bare(&fabric, 3);
    });
}

#[test]
fn a_killed_guest_fails_its_call_and_nothing_else() {
    watched(|| {
        let name = unique_name("killed");
        let (fabric, pool) = make(&name, 0);
        let guest = Process::spawn(joins, (name.clone(),)).unwrap();
        let open = queue(&fabric, "open");
        // One batch: the first runs, the others wait in the hands of the guest.
        let all = pool.with(Options::new().chunk_size(4)).starmap_async(gate, (0..4).map(|n| (n, open.clone()))).unwrap();
        until(|| pool.progress().running == 1);
        kill(guest.pid());
        until(|| joined(&pool).is_empty());
        let _second = Process::spawn(joins, (name.clone(),)).unwrap();
        open.put_many(&[0, 0, 0]).unwrap();
        let all = { all }.get_all().unwrap(); // the handle goes: it would keep the pool's memory
        let error = all[0].as_ref().unwrap_err();
        assert_eq!((error.kind(), error.pid(), error.signal(), error.exit_code()), (ErrorKind::WorkerDied, Some(guest.pid()), None, None), "{error}");
        assert!(error.to_string().contains("joined by itself"), "{error}");
        assert!(all[1..].iter().all(Result::is_ok), "{all:?}");
        // Retried, where that was asked for.
        let again = pool.with(Options::new().retry(Retry::on_death(1))).submit(gate, (5, open.clone())).unwrap();
        until(|| pool.progress().running == 1);
        joined(&pool).into_iter().for_each(kill);
        let _third = Process::spawn(joins, (name.clone(),)).unwrap();
        open.put(&0).unwrap();
        assert!({ again }.get().is_ok());
        // Over its limit, it is killed as any other.
        let error = pool.with(Options::new().hard_limit(Duration::from_millis(20))).apply(gate, (6, open.clone())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimeLimit, "{error}");
        until(|| joined(&pool).is_empty());
        drop(pool);
        drop(open);
        assert_bare(&fabric, 1);
    });
}

fn connect(name: &str) -> PoolClient {
    Pool::connect(&Fabric::open(name).unwrap(), POOL).unwrap()
}

/// Everything that a client may do, from another process.
#[task]
fn submits(fabric: String) {
    #[task]
    fn divide(n: u64) -> u64 {
        100 / n
    }
    let open = queue(&Fabric::open(&fabric).unwrap(), "open");
    let pool = connect(&fabric);
    assert_eq!(pool.map(square, 0..1000).unwrap(), (0..1000).map(|n| n * n).collect::<Vec<_>>());
    assert_eq!(pool.imap(square, 0..).unwrap().take(50).map(Result::unwrap).sum::<u64>(), (0..50).map(|n| n * n).sum());
    assert_eq!(pool.call::<u64>("it::pool::square", (7,)).unwrap(), 49);
    assert_eq!(pool.call::<u64>("no such task", (7,)).unwrap_err().kind(), ErrorKind::UnknownTask);
    let panicked = pool.apply(divide, (0,)).unwrap_err();
    assert_eq!((panicked.kind(), panicked.task()), (ErrorKind::Panicked, Some("it::named::divide")), "{panicked}");
    let panicked = pool.with(Options::new().retry(Retry::on_death(2).or_error())).apply(divide, (0,)).unwrap_err();
    assert_eq!((panicked.kind(), panicked.attempt()), (ErrorKind::Panicked, Some(3)), "{panicked}");
    let died = pool.apply(die_by, (9,)).unwrap_err();
    assert_eq!((died.kind(), died.signal(), died.task()), (ErrorKind::WorkerDied, Some(9), Some("it::death::die_by")), "{died}");
    let died = pool.with(Options::new().retry(Retry::on_death(2))).apply(die_by, (9,)).unwrap_err();
    assert_eq!((died.kind(), died.attempt()), (ErrorKind::WorkerDied, Some(3)), "{died}");
    // What stands behind the victim in its batch runs elsewhere.
    let all = pool.with(Options::new().chunk_size(3)).starmap_async(die_by, [(9,), (15,), (6,)]).unwrap().get_all().unwrap();
    assert_eq!(all.iter().map(|result| result.as_ref().unwrap_err().signal()).collect::<Vec<_>>(), [Some(9), Some(15), Some(6)]);
    let invalid = ErrorKind::Ipc(ipc::ErrorKind::InvalidArgument);
    assert_eq!(pool.with(Options::new().hard_limit(Duration::from_secs(1))).submit(square, (1,)).unwrap_err().kind(), invalid);
    let waits = pool.submit(gate, (1, open.clone())).unwrap();
    assert_eq!(waits.cancel().unwrap_err().kind(), invalid);
    open.put(&0).unwrap();
    assert!(waits.get().is_ok());
    // Dropped with a call under way.
    let left = pool.submit(gate, (2, open.clone())).unwrap();
    drop(pool);
    assert_eq!(left.get().unwrap_err().kind(), ErrorKind::Terminated);
    open.put(&0).unwrap();
}

#[test]
fn calls_are_submitted_from_anywhere() {
    watched(|| {
        let name = unique_name("submit");
        let (fabric, pool) = make(&name, 2);
        let open = queue(&fabric, "open");
        let clients: Vec<_> = (0..2).map(|_| Process::spawn(submits, (name.clone(),)).unwrap()).collect();
        // The pool's own calls go on among them.
        for _ in 0..20 {
            assert_eq!(pool.with(Options::new().retry(Retry::on_death(20))).map(square, 0..100).unwrap().len(), 100);
        }
        for client in clients {
            let exit = client.join().unwrap();
            assert!(exit.success(), "{exit:?}");
        }
        // From the same process as well.
        let here = Pool::connect(&fabric, POOL).unwrap();
        assert_eq!(here.apply(square, (7,)).unwrap(), 49);
        pool.close();
        pool.join().unwrap();
        assert_eq!(here.apply(square, (7,)).unwrap_err().kind(), ErrorKind::PoolClosed);
        drop((pool, here, open));
        assert_bare(&fabric, 1);
    });
}

#[task]
fn leaves_calls_behind(fabric: String) {
    let open = queue(&Fabric::open(&fabric).unwrap(), "open");
    let pool = connect(&fabric);
    let _all: Vec<_> = (0..100).map(|n| pool.submit(gate, (n, open.clone())).unwrap()).collect();
    queue(&Fabric::open(&fabric).unwrap(), "submitted").put(&0).unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_client_leaves_nothing() {
    watched(|| {
        let name = unique_name("client");
        let (fabric, pool) = make(&name, 2);
        let (open, submitted) = (queue(&fabric, "open"), queue(&fabric, "submitted"));
        let client = Process::spawn(leaves_calls_behind, (name.clone(),)).unwrap();
        submitted.get().unwrap();
        kill(client.pid());
        client.join().unwrap();
        fabric.sweep().unwrap();
        // The two that run at most are let go; the others are not run, and hold nobody up.
        open.put_many(&[0; 4]).unwrap();
        assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
        pool.close();
        pool.join().unwrap();
        drop((pool, open));
        assert_bare(&fabric, 2);
    });
}

/// Has the pool, until it is killed.
#[task]
fn has_the_pool(fabric: String, workers: usize) {
    let fabric = Fabric::open(&fabric).unwrap();
    let pool = Pool::builder().fabric(&fabric).name(POOL).workers(workers).build().unwrap();
    queue(&fabric, "ready").put(&0).unwrap();
    loop {
        std::thread::park();
        let _ = pool.workers();
    }
}

#[test]
fn a_killed_owner_fails_its_clients_and_frees_its_guests_and_the_name() {
    watched(|| {
        let name = unique_name("owner");
        let fabric = Fabric::builder().cap(64 << 20).create(&name).unwrap();
        let (ready, open, come) = (queue(&fabric, "ready"), queue(&fabric, "open"), queue(&fabric, "in"));
        let not_found = ErrorKind::Ipc(ipc::ErrorKind::NotFound);
        assert_eq!(Pool::connect(&fabric, POOL).unwrap_err().kind(), not_found);
        assert_eq!(Worker::new(&fabric, POOL).unwrap_err().kind(), not_found);
        for own in [1, 0] {
            let owner = Process::spawn(has_the_pool, (name.clone(), own)).unwrap();
            ready.get().unwrap();
            let guests: Vec<_> = (0..2).map(|_| Process::spawn(joins, (name.clone(),)).unwrap()).collect();
            for _ in &guests {
                come.get().unwrap();
            }
            let client = connect(&name);
            let error = Pool::builder().fabric(&fabric).name(POOL).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Ipc(ipc::ErrorKind::AlreadyExists), "{error}");
            assert_eq!(client.map(square, 0..100).unwrap().len(), 100);
            let pending: Vec<_> = (0..10).map(|n| client.submit(gate, (n, open.clone())).unwrap()).collect();
            kill(owner.pid());
            for call in pending {
                assert_eq!(call.get().unwrap_err().kind(), ErrorKind::Terminated);
            }
            assert_eq!(client.apply(square, (1,)).unwrap_err().kind(), ErrorKind::Terminated);
            assert_eq!(Pool::connect(&fabric, POOL).unwrap_err().kind(), not_found);
            // Those in a gate find out when it opens.
            open.put_many(&[0; 3]).unwrap();
            for guest in guests {
                let exit = guest.join().unwrap();
                assert!(exit.success(), "{exit:?}");
            }
            owner.join().unwrap();
            while open.try_get().is_ok() {}
        }
        let pool = Pool::builder().fabric(&fabric).name(POOL).workers(1).build().unwrap();
        assert_eq!(Pool::connect(&fabric, POOL).unwrap().apply(square, (3,)).unwrap(), 9);
        drop((pool, ready, open, come));
        assert_bare(&fabric, 3);
    });
}

#[test]
fn a_pool_that_ends_tells_its_guests() {
    watched(|| {
        for terminate in [false, true] {
            let name = unique_name("ends");
            let (fabric, pool) = make(&name, 1);
            let open = queue(&fabric, "open");
            let guest = Process::spawn(joins, (name.clone(),)).unwrap();
            until(|| joined(&pool).len() == 1);
            let client = connect(&name);
            let gates: Vec<_> = (0..2).map(|n| client.submit(gate, (n, open.clone())).unwrap()).collect();
            until(|| open.is_empty() && client.is_open() && pool.progress().workers.iter().all(|worker| worker.busy_with.is_some()));
            if terminate {
                pool.terminate();
                pool.join().unwrap();
                for call in gates {
                    assert_eq!(call.get().unwrap_err().kind(), ErrorKind::PoolClosed);
                }
                open.put_many(&[0, 0]).unwrap();
            } else {
                let late = client.submit(square, (5,)).unwrap();
                pool.close();
                open.put_many(&[0, 0]).unwrap();
                pool.join().unwrap();
                assert!(gates.iter().all(|call| call.get().is_ok()));
                assert_eq!(late.get().unwrap(), 25);
            }
            assert!(guest.join().unwrap().success());
            assert_eq!(client.submit(square, (1,)).map(drop).unwrap_err().kind(), ErrorKind::PoolClosed);
            assert_eq!(Pool::connect(&fabric, POOL).unwrap_err().kind(), ErrorKind::Ipc(ipc::ErrorKind::NotFound));
            drop((pool, client, open));
            assert_bare(&fabric, 1);
        }
    });
}

#[test]
fn a_name_that_cannot_be_is_refused() {
    watched(|| {
        let fabric = Fabric::builder().cap(16 << 20).private().unwrap();
        let kind = |builder: polyproc::PoolBuilder| builder.fabric(&fabric).build().unwrap_err().kind();
        assert_eq!(kind(Pool::builder().name("a/b")), ErrorKind::Ipc(ipc::ErrorKind::BadName));
        assert_eq!(kind(Pool::builder().workers(0)), ErrorKind::Ipc(ipc::ErrorKind::InvalidArgument));
        assert_eq!(kind(Pool::builder().workers_between(0, 2).name("b")), ErrorKind::Ipc(ipc::ErrorKind::InvalidArgument));
        let pool = Pool::builder().workers(0).name("b").fabric(&fabric).build().unwrap();
        assert_eq!(kind(Pool::builder().name("b")), ErrorKind::Ipc(ipc::ErrorKind::AlreadyExists));
        assert_eq!(Worker::new(&fabric, "b").unwrap_err().kind(), ErrorKind::Ipc(ipc::ErrorKind::InvalidArgument));
        drop(pool);
        assert_bare(&fabric, 0);
    });
}
