//! Nothing is left: no process, no thread, no descriptor.

use polyproc::{ErrorKind, Fabric, Pool, Process, Queue, task};

use crate::pool::square;
use crate::{children_of, kill, runs, until, watched};

#[task]
fn reports_what_is_open(out: Queue<Vec<u32>>) {
    let count = |what: &str| std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count() as u32;
    let round = || {
        let pool = Pool::new(2).unwrap();
        assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
        assert_eq!(pool.imap(square, 0..10).unwrap().count(), 10);
        let waiting = pool.imap(square, 0..).unwrap();
        drop(waiting);
        let ended = Pool::new(1).unwrap();
        drop(ended.apply_async(square, (1,)).unwrap());
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
        let process = Process::spawn(reports_what_is_open, (out.clone(),)).unwrap();
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

#[task]
fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

#[test]
fn the_fabric_is_as_it_was() {
    watched(|| {
        let fabric = Fabric::new().unwrap();
        let look = || {
            fabric.sweep().unwrap();
            let report = fabric.check().unwrap();
            assert!(report.is_whole(), "{report:?}");
            (fabric.objects().unwrap().len(), fabric.members().len(), report.private_chunks)
        };
        let before = {
            fabric.member().unwrap();
            look()
        };
        for round in 0..5 {
            let pool = Pool::builder().workers(2).fabric(&fabric).chunk_size(7).build().unwrap();
            assert_eq!(pool.map(echo, vec![vec![1; 50_000]; 20]).unwrap().len(), 20);
            for worker in pool.workers() {
                if round % 2 == 0 {
                    kill(worker.pid);
                }
            }
            // Some of these fail, some are never waited for.
            let _ = pool.map(echo, vec![vec![1; 50_000]; 50]);
            drop(pool.map_async(echo, vec![vec![2; 50_000]; 50]));
            let process = Process::builder(nothing, ()).fabric(&fabric).start().unwrap();
            assert!(process.join().unwrap().success());
        }
        assert_eq!(look(), before, "objects, members, chunks");
    });
}

#[test]
fn a_full_fabric_fails_calls_and_not_the_pool() {
    watched(|| {
        let fabric = Fabric::builder().cap(16 << 20).private().unwrap();
        let pool = Pool::builder().workers(2).fabric(&fabric).build().unwrap();
        // Too large for the fabric as an argument, then as a result only.
        assert!(pool.apply(echo, (vec![1; 20 << 20],)).is_err());
        let error = pool.apply(blow_up, (20 << 20,)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadResult);
        assert!(error.to_string().contains("blow_up"), "{error}");
        // More results at once than fit: some fail, all settle.
        let results: Vec<_> = (0..64).map(|_| pool.apply_async(blow_up, (1 << 20,)).unwrap()).collect();
        let kept: Vec<_> = results.iter().map(polyproc::AsyncResult::get).collect();
        assert!(kept.iter().any(Result::is_ok) && kept.iter().any(Result::is_err));
        drop((results, kept));
        assert_eq!(pool.apply(blow_up, (1 << 20,)).unwrap().len(), 1 << 20);
    });
}

#[task]
fn blow_up(bytes: usize) -> Vec<u8> {
    vec![7; bytes]
}

/// Uses a pool on both sides of a fork; the answer is the forked process's verdict.
#[task]
#[allow(unsafe_code)]
fn fork_with_a_pool(out: Queue<bool>) {
    let pool = Pool::new(2).unwrap();
    assert_eq!(pool.apply(square, (2,)).unwrap(), 4);
    // SAFETY: the child calls only what this test is about, and _exit.
    match unsafe { libc::fork() } {
        0 => {
            let refused = pool.apply(square, (2,)).is_err() && pool.join().is_err();
            pool.terminate();
            drop(pool);
            // SAFETY: ends the forked process.
            unsafe { libc::_exit(i32::from(!refused)) }
        }
        child => {
            let mut status = -1;
            // SAFETY: waits for the child just made.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            out.put(&(status == 0)).unwrap();
            out.put(&(pool.apply(square, (3,)).unwrap() == 9)).unwrap();
        }
    }
}

#[test]
fn a_fork_leaves_the_pool_to_its_maker() {
    watched(|| {
        let out = Queue::new(&Fabric::current().unwrap(), 0).unwrap();
        let exit = Process::spawn(fork_with_a_pool, (out.clone(),)).unwrap().join().unwrap();
        assert!(exit.success(), "{exit:?}");
        assert!(out.get().unwrap(), "in the fork");
        assert!(out.get().unwrap(), "in its parent");
    });
}

#[task]
#[allow(unsafe_code)]
fn ignores_sigchld() {
    // SAFETY: ignoring a signal installs no code.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    let pool = Pool::new(2).unwrap();
    assert_eq!(pool.map(square, 0..10).unwrap().len(), 10);
    for worker in pool.workers() {
        kill(worker.pid);
    }
    until(|| pool.apply(square, (3,)).is_ok());
    pool.close();
    pool.join().unwrap();
}

#[test]
fn a_program_that_ignores_sigchld_loses_exit_codes_only() {
    watched(|| {
        let exit = Process::spawn(ignores_sigchld, ()).unwrap().join().unwrap();
        assert!(exit.success(), "{exit:?}");
    });
}
