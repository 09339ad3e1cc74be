//! Nothing is left: no process, no thread, no descriptor.

use polyproc::{Fabric, Pool, Process, Queue, task};

use crate::pool::square;
use crate::{children_of, runs, until, watched};

#[task]
fn report(out: Queue<Vec<u32>>) {
    let count = |what: &str| std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count() as u32;
    let round = || {
        let pool = Pool::new(2).unwrap();
        assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
        assert_eq!(pool.imap(square, 0..10).unwrap().count(), 10);
        let waiting = pool.imap(square, 0..).unwrap();
        drop(waiting);
        let ended = Pool::new(1).unwrap();
        let _ = ended.apply_async(square, (1,)).unwrap();
        ended.close();
        ended.join().unwrap();
        Process::spawn(nothing, ()).unwrap().join().unwrap();
        drop(Process::spawn(nothing, ()).unwrap());
    };
    // The first round makes what is made once: the life pipe, the current fabric's member.
    round();
    until(|| settled() == 0);
    out.put(&vec![count("fd"), count("task"), settled()]).unwrap();
    for _ in 0..5 {
        round();
    }
    until(|| settled() == 0);
    out.put(&vec![count("fd"), count("task"), settled()]).unwrap();
}

/// Children that are left, after the forgotten were collected.
fn settled() -> u32 {
    Process::spawn(nothing, ()).unwrap().join().unwrap();
    children_of(std::process::id()).len() as u32
}

#[task]
fn nothing() {}

/// In a process of its own, as other tests open things meanwhile.
#[test]
fn nothing_is_left_behind() {
    watched(|| {
        let out = Queue::new(&Fabric::current().unwrap(), 0).unwrap();
        let process = Process::spawn(report, (out.clone(),)).unwrap();
        let exit = process.join().unwrap();
        assert!(exit.success(), "{exit:?}");
        let (first, last) = (out.get().unwrap(), out.get().unwrap());
        assert_eq!(first, last, "descriptors, threads, children");
    });
}

#[task]
fn pool_of_sleepers(out: Queue<u32>) {
    let pool = Pool::new(3).unwrap();
    until(|| pool.workers().iter().all(|worker| worker.ready));
    for worker in pool.workers() {
        out.put(&worker.pid).unwrap();
    }
    loop {
        std::thread::park();
    }
}

#[test]
fn workers_end_with_a_killed_parent() {
    watched(|| {
        let out = Queue::new(&Fabric::current().unwrap(), 0).unwrap();
        let process = Process::spawn(pool_of_sleepers, (out.clone(),)).unwrap();
        let workers: Vec<u32> = (0..3).map(|_| out.get().unwrap()).collect();
        assert!(workers.iter().all(|&pid| runs(pid)));
        process.kill().unwrap();
        process.join().unwrap();
        until(|| !workers.iter().any(|&pid| runs(pid)));
    });
}
