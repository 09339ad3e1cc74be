//! `Process`: start, join, exit codes, panics, signals, orphans.

use std::io::Read;
use std::time::Duration;

use polyproc::{ErrorKind, Fabric, Process, Queue, task};

use crate::start::{leave, panics, put, stay};
use crate::{children_of, kill, runs, until, watched};

#[task]
fn starts_one_that_stays(ready: Queue<u32>) {
    let child = Process::spawn(stay, (ready,)).unwrap();
    child.join().unwrap();
}

#[task]
fn tells_of_itself(out: Queue<String>) {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    let mut open: Vec<_> = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    open.sort();
    out.put(&format!("{:?}", std::env::var("POLYPROC_CHILD"))).unwrap();
    out.put(&input).unwrap();
    out.put(&open.join(" ")).unwrap();
    out.put(&std::fs::read_to_string("/proc/self/comm").unwrap()).unwrap();
    out.put(&std::env::args().next().unwrap()).unwrap();
}

fn queue<T: serde::Serialize + serde::de::DeserializeOwned>() -> Queue<T> {
    Queue::new(&Fabric::current().unwrap(), 0).unwrap()
}

#[test]
fn a_process_runs_its_task_and_ends() {
    watched(|| {
        let out = queue();
        let process = Process::builder(put, (7, out.clone())).name("putter").start().unwrap();
        assert_eq!(process.name(), "putter");
        assert_eq!(out.get().unwrap(), 7);
        let exit = process.join().unwrap();
        assert!(exit.success(), "{exit:?}");
        assert_eq!((process.exit_code(), process.is_alive()), (Some(0), false));
        assert!(process.join().unwrap().success(), "a second join answers the same");
        assert!(!runs(process.pid()));
    });
}

#[test]
fn a_task_is_still_an_ordinary_function() {
    let out = queue();
    put(3, out.clone());
    assert_eq!(out.get().unwrap(), 3);
    assert_eq!(put.name(), "it::start::put");
}

#[test]
fn exit_codes_come_back() {
    watched(|| {
        for code in [0, 3, 255] {
            let exit = Process::spawn(leave, (code,)).unwrap().join().unwrap();
            assert_eq!((exit.code, exit.signal()), (code, None));
            assert!(exit.failure.is_none(), "{exit:?}");
        }
    });
}

#[test]
fn a_panic_comes_back_with_message_and_backtrace() {
    watched(|| {
        let exit = Process::spawn(panics, ("of this".into(),)).unwrap().join().unwrap();
        assert_eq!(exit.code, 1);
        let failure = exit.failure.unwrap();
        assert_eq!(failure.kind(), ErrorKind::Panicked);
        let message = failure.message().unwrap();
        assert!(message.starts_with("because of this (") && message.contains("start.rs"), "{message}");
        assert!(failure.backtrace().unwrap().contains("panics"), "{failure:?}");
        assert_eq!(failure.task(), Some("it::start::panics"));
    });
}

#[test]
fn signals_are_negative_exit_codes() {
    watched(|| {
        for (terminate, signal) in [(true, 15), (false, 9)] {
            let ready = queue();
            let process = Process::spawn(stay, (ready.clone(),)).unwrap();
            assert_eq!(ready.get().unwrap(), process.pid());
            assert!(process.is_alive());
            assert_eq!(process.exit_code(), None);
            assert!(process.join_timeout(Duration::from_millis(10)).unwrap().is_none());
            if terminate {
                process.terminate().unwrap();
            } else {
                process.kill().unwrap();
            }
            let exit = process.join().unwrap();
            assert_eq!((exit.code, exit.signal()), (-signal, Some(signal)));
            process.kill().unwrap();
        }
    });
}

#[test]
fn the_sentinel_can_be_polled() {
    watched(|| {
        let process = Process::spawn(leave, (0,)).unwrap();
        let mut fds = [rustix::event::PollFd::new(&process, rustix::event::PollFlags::IN)];
        assert_eq!(rustix::event::poll(&mut fds, None), Ok(1));
        assert!(!process.is_alive());
    });
}

#[test]
fn processes_queues_and_connections_are_waited_for_together() {
    watched(|| {
        let results = queue();
        let (here, there) = polyproc::pipe().unwrap();
        let pollable = results.bytes().pollable().unwrap();
        let process = Process::spawn(leave, (0,)).unwrap();
        assert_eq!(polyproc::wait(&[&pollable, &here, &process], None).unwrap(), [2]);
        there.send_bytes(b"x").unwrap();
        assert_eq!(polyproc::wait(&[&pollable, &here], None).unwrap(), [1]);
        results.put(&String::new()).unwrap();
        // The others are ready already, so a wait for all would not wait for this.
        assert!(pollable.wait(None).unwrap());
        assert_eq!(polyproc::wait(&[&pollable, &here, &process], None).unwrap(), [0, 1, 2]);
    });
}

#[test]
fn a_child_inherits_nothing_but_what_it_needs() {
    watched(|| {
        let _open = std::fs::File::open("/dev/null").unwrap();
        let out = queue();
        let process = Process::spawn(tells_of_itself, (out.clone(),)).unwrap();
        assert!(out.get().unwrap().contains("NotPresent"));
        assert_eq!(out.get().unwrap(), "", "standard input is empty");
        let open = out.get().unwrap();
        assert!(open.split(' ').all(|fd| fd.parse::<u32>().unwrap() < 12), "open: {open}");
        let own = std::env::args().next().unwrap();
        let name = own.rsplit('/').next().unwrap();
        assert_eq!(out.get().unwrap().trim_end(), &name[..name.len().min(15)]);
        assert_eq!(out.get().unwrap(), own);
        assert!(process.join().unwrap().success());
    });
}

#[test]
fn a_missing_program_is_a_clear_error() {
    watched(|| {
        let error = Process::builder(leave, (0,)).program("/nowhere/at all").start().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SpawnFailed);
        assert!(error.to_string().contains("/nowhere/at all"), "{error}");
    });
}

#[test]
fn a_program_that_is_no_polyproc_program_is_told_from_a_task() {
    watched(|| {
        let exit = Process::builder(leave, (0,)).program("/bin/true").start().unwrap().join().unwrap();
        assert_eq!(exit.code, 0);
        assert!(!exit.success());
        assert_eq!(exit.failure.unwrap().kind(), ErrorKind::NotStarted);
    });
}

#[test]
fn dropped_processes_run_on_and_leave_no_zombie() {
    watched(|| {
        let ready = queue();
        let pids: Vec<_> = (0..3).map(|_| Process::spawn(stay, (ready.clone(),)).unwrap().pid()).collect();
        for _ in &pids {
            ready.get().unwrap();
        }
        assert!(pids.iter().all(|&pid| runs(pid)));
        for &pid in &pids {
            kill(pid);
        }
        until(|| !pids.iter().any(|&pid| runs(pid)));
        // The next join collects them.
        Process::spawn(leave, (0,)).unwrap().join().unwrap();
        until(|| {
            Process::spawn(leave, (0,)).unwrap().join().unwrap();
            let left = children_of(std::process::id());
            !pids.iter().any(|pid| left.contains(pid))
        });
    });
}

#[test]
fn grandchildren_end_with_a_killed_child() {
    watched(|| {
        let ready = queue();
        let child = Process::spawn(starts_one_that_stays, (ready.clone(),)).unwrap();
        let grandchild = ready.get().unwrap();
        assert!(runs(grandchild));
        child.kill().unwrap();
        child.join().unwrap();
        until(|| !runs(grandchild));
    });
}

#[test]
fn a_fork_holds_nobodys_life_pipe() {
    watched(|| {
        // The child starts a grandchild, then forks a sleeper that outlives it. The grandchild must end all the same.
        let ready = queue();
        let child = Process::spawn(starts_one_and_forks, (ready.clone(),)).unwrap();
        let (one, two) = (ready.get().unwrap(), ready.get().unwrap());
        child.kill().unwrap();
        child.join().unwrap();
        until(|| !runs(one) || !runs(two));
        kill(one);
        kill(two);
    });
}

#[task]
fn starts_one_and_forks(ready: Queue<u32>) {
    let child = Process::spawn(stay, (ready.clone(),)).unwrap();
    fork_a_sleeper(&ready);
    child.join().unwrap();
}

/// A forked process that only sleeps; ended by the test.
#[allow(unsafe_code)]
fn fork_a_sleeper(ready: &Queue<u32>) {
    // SAFETY: the child calls nothing but pause.
    match unsafe { libc::fork() } {
        0 => loop {
            // SAFETY: waits for a signal.
            unsafe { libc::pause() };
        },
        child => ready.put(&(child as u32)).unwrap(),
    }
}
