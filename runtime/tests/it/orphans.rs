//! Whoever is killed, and when: no orphan, no zombie, and the next start works.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use polyproc::{ErrorKind, Process, Queue, StartMethod, fork_server_pid, ipc, task};
use polyproc_testkit::dice::Dice;

use crate::start::{METHODS, apart, queue, stay};
use crate::{children_of, kill, runs, until, watched};

fn method(number: usize) -> StartMethod {
    METHODS[number]
}

fn start_one(by: usize, ready: &Queue<u32>) -> Process {
    Process::builder(stay, (ready.clone(),)).start_method(method(by)).start().unwrap()
}

#[task]
fn starts_some_of_each(told: Queue<Vec<u32>>) {
    let ready = queue();
    let children: Vec<_> = (0..6).map(|i| start_one(i % 3, &ready)).collect();
    for _ in &children {
        ready.get().unwrap();
    }
    let mut pids: Vec<u32> = children.iter().map(Process::pid).collect();
    pids.push(fork_server_pid().unwrap());
    told.put(&pids).unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn children_of_every_method_end_with_a_killed_parent() {
    watched(|| {
        for by in 0..3 {
            let told = queue();
            let process = Process::builder(starts_some_of_each, (told.clone(),)).start_method(method(by)).start().unwrap();
            let pids: Vec<u32> = told.get().unwrap();
            assert!(pids.iter().all(|&pid| runs(pid)));
            process.kill().unwrap();
            assert_eq!(process.join().unwrap().signal(), Some(9));
            until(|| !pids.iter().any(|&pid| runs(pid)));
        }
    });
}

#[task]
fn starts_for_ever(by: usize) {
    let ready = queue::<u32>();
    loop {
        drop(start_one(by, &ready));
        if ready.len() > 8 {
            for child in polyproc::active_children() {
                child.kill().unwrap();
            }
            while ready.try_get().is_ok() {}
        }
    }
}

/// Processes with this text in the environment that they were started with.
fn marked(mark: &str) -> Vec<u32> {
    let has = |pid: &u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|entry| entry == mark.as_bytes())
    };
    let pids = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(has).filter(|&pid| runs(pid)).collect()
}

#[test]
fn a_parent_killed_at_any_moment_of_a_start_leaves_nobody() {
    watched(|| {
        let mut dice = Dice(u64::from(std::process::id()));
        for round in 0..30 {
            let value = format!("{}-{round}", std::process::id());
            let process = Process::builder(starts_for_ever, (round % 3,)).env("POLYPROC_TEST_MARK", &value).start().unwrap();
            std::thread::sleep(Duration::from_micros(dice.below(20_000)));
            process.kill().unwrap();
            process.join().unwrap();
            let mark = format!("POLYPROC_TEST_MARK={value}");
            until(|| marked(&mark).is_empty());
        }
    });
}

#[task]
fn returns_when_told(go: Queue<u32>, ready: Queue<u32>) {
    ready.put(&std::process::id()).unwrap();
    match go.get().unwrap() {
        0 => {}
        1 => panic!("as told"),
        code => std::process::exit(code as i32),
    }
}

#[task]
fn loses_its_server() {
    let (go, ready) = (queue(), queue());
    let start = || Process::builder(returns_when_told, (go.clone(), ready.clone())).start_method(StartMethod::ForkServer).start().unwrap();
    let children: Vec<_> = (0..4).map(|_| start()).collect();
    for _ in &children {
        ready.get().unwrap();
    }
    let first = fork_server_pid().unwrap();
    kill(first);
    until(|| fork_server_pid().is_none());
    assert!(children.iter().all(Process::is_alive), "they go on");
    // The next start makes a new one.
    let next = start();
    ready.get().unwrap();
    assert_ne!(fork_server_pid().unwrap(), first);
    children[3].kill().unwrap();
    assert_eq!(children[3].join().unwrap_err().kind(), ErrorKind::Ipc(ipc::ErrorKind::Os), "nobody collected it for us");
    // All wait at one queue, so it is open who does what: return, panic, leave with 7, return.
    for how in [0, 1, 7, 0] {
        go.put(&how).unwrap();
    }
    let (mut known, mut lost) = (Vec::new(), 0);
    for child in children[..3].iter().chain([&next]) {
        match child.join() {
            Ok(exit) => known.push(exit.code),
            Err(error) => {
                lost += 1;
                assert_eq!(error.kind(), ErrorKind::Ipc(ipc::ErrorKind::Os), "{error}");
            }
        }
    }
    known.sort_unstable();
    // Who returned or panicked is known by its mailbox; who left by itself only to a server that lives.
    assert!((&*known, lost) == (&[0, 0, 1], 1) || (&*known, lost) == (&[0, 0, 1, 7], 0), "{known:?}, {lost}");
    assert!(children.iter().all(|child| !child.is_alive()));
}

#[task]
fn starts_while_its_server_is_killed() {
    let go = queue();
    let ready = queue();
    let mut dice = Dice(7);
    let (mut started, killed, enough) = (0, AtomicU32::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !enough.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_micros(dice.below(40_000)));
                if let Some(server) = fork_server_pid() {
                    kill(server);
                    killed.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        while started < 20 || killed.load(Ordering::Relaxed) < 20 {
            match Process::builder(returns_when_told, (go.clone(), ready.clone())).start_method(StartMethod::ForkServer).start() {
                Ok(process) => {
                    started += 1;
                    go.put(&0).unwrap();
                    // It ran once, whatever became of the server, and returned.
                    assert_eq!(ready.get().unwrap(), process.pid());
                    assert!(process.join().unwrap().success());
                    assert!(ready.is_empty());
                }
                // Two servers killed in one start.
                Err(error) => assert_eq!(error.kind(), ErrorKind::SpawnFailed, "{error}"),
            }
        }
        enough.store(true, Ordering::Relaxed);
    });
    assert!(polyproc::active_children().is_empty());
}

#[test]
fn a_killed_server_takes_nobody_along() {
    watched(|| {
        apart(loses_its_server, ());
        apart(starts_while_its_server_is_killed, ());
    });
}

#[task]
fn ignores_sigchld() {
    // SAFETY: ignoring a signal installs no code.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    loses_exit_codes_only();
}

#[task]
fn waits_for_any_child() {
    std::thread::Builder::new()
        .name("polyproc-test-waiter".into())
        .spawn(|| {
            loop {
                // SAFETY: no status is asked for.
                if unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) } < 0 {
                    std::thread::yield_now();
                }
            }
        })
        .unwrap();
    loses_exit_codes_only();
}

fn loses_exit_codes_only() {
    let (go, ready) = (queue(), queue());
    for by in 0..3 {
        for round in 0..3 {
            for how in [0, 1, 7] {
                let process = Process::builder(returns_when_told, (go.clone(), ready.clone())).start_method(method(by)).start().unwrap();
                assert_eq!(ready.get().unwrap(), process.pid(), "{by} {round}");
                go.put(&how).unwrap();
                match (process.join(), how) {
                    (Ok(exit), 0) => assert!(exit.success(), "{exit:?}"),
                    (Ok(exit), 1) => assert_eq!(exit.failure.unwrap().kind(), ErrorKind::Panicked),
                    (Ok(exit), _) => assert_eq!(exit.code, 7, "the waiter was late"),
                    (Err(error), _) => assert_eq!((error.kind(), how), (ErrorKind::Ipc(ipc::ErrorKind::Os), 7), "{error}"),
                }
                assert!(!process.is_alive());
            }
            // A command may be over before it can be watched.
            let quick = Process::command("true").start().unwrap();
            assert!(quick.join().is_ok_and(|exit| exit.success()) || !quick.is_alive());
        }
    }
    assert!(polyproc::active_children().is_empty());
    until(|| children_of(std::process::id()).into_iter().all(|child| Some(child) == fork_server_pid()));
}

#[test]
fn programs_that_wait_for_any_child_or_ignore_them_lose_exit_codes_only() {
    watched(|| {
        apart(ignores_sigchld, ());
        apart(waits_for_any_child, ());
    });
}

#[task]
fn starts_one_that_outlives(by: usize, ready: Queue<u32>) {
    let _child = Process::builder(outlives, (ready,)).start_method(method(by)).outlive(true).start().unwrap();
    loop {
        std::thread::park();
    }
}

#[task]
fn outlives(ready: Queue<u32>) {
    let parent = polyproc::parent().unwrap();
    ready.put(&std::process::id()).unwrap();
    polyproc::wait(&[&parent], None).unwrap();
    assert!(!parent.is_alive());
    ready.put(&0).unwrap();
}

#[test]
fn who_outlives_goes_on_and_sees_its_parents_end() {
    watched(|| {
        for by in 0..3 {
            let ready = queue();
            let process = Process::spawn(starts_one_that_outlives, (by, ready.clone())).unwrap();
            let child = ready.get().unwrap();
            process.kill().unwrap();
            process.join().unwrap();
            assert_eq!(ready.get().unwrap(), 0, "it saw its parent's end, and lived");
            until(|| !runs(child));
        }
    });
}
