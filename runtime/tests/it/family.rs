//! Who is whose child: the list of children, daemons, trees, and handles that are closed, cloned, or in the wrong process.
#![allow(unsafe_code)]

use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use polyproc::{ErrorKind, Process, Queue, StartMethod, Stdio, Waitable, active_children, ipc, task};

use crate::start::{METHODS, apart, queue, stay};
use crate::{runs, until, watched};

const ARGUMENT: ErrorKind = ErrorKind::Ipc(ipc::ErrorKind::InvalidArgument);

#[task]
fn lists_its_children() {
    assert!(active_children().is_empty());
    let ready = queue();
    for method in METHODS {
        let process = Process::builder(stay, (ready.clone(),)).name("kept").start_method(method).start().unwrap();
        let pid = process.pid();
        drop(process);
        ready.get().unwrap();
        let [child] = &active_children()[..] else { panic!("one child") };
        assert_eq!((child.pid(), child.name(), child.is_daemon()), (pid, "kept", false));
        child.kill().unwrap();
        assert_eq!(child.join().unwrap().signal(), Some(9));
        assert!(active_children().is_empty());
    }
    // Nobody has a handle, and nobody joins: looking is enough to leave no zombie.
    drop(Process::command("true").start().unwrap());
    until(|| active_children().is_empty());
    assert!(crate::children_of(std::process::id()).len() == 1, "the fork server");
}

#[test]
fn the_list_of_children_is_true() {
    watched(|| apart(lists_its_children, ()));
}

#[test]
fn a_running_process_cannot_be_closed() {
    watched(|| {
        let ready = queue();
        let process = Process::builder(stay, (ready.clone(),)).name("busy").start().unwrap();
        let kept = process.clone();
        ready.get().unwrap();
        let error = process.close().unwrap_err();
        assert_eq!(error.kind(), ARGUMENT);
        assert!(error.to_string().contains("'busy'"), "{error}");
        assert!(active_children().iter().any(|child| child.pid() == kept.pid()));
        kept.kill().unwrap();
        kept.join().unwrap();
        assert!(!active_children().iter().any(|child| child.pid() == kept.pid()));
        kept.close().unwrap();
    });
}

#[task]
fn forks_with_a_child(out: Queue<bool>) {
    let ready = queue();
    let child = Process::spawn(stay, (ready.clone(),)).unwrap();
    ready.get().unwrap();
    // SAFETY: the child calls only what this test is about, and _exit.
    match unsafe { libc::fork() } {
        0 => {
            let refused = child.join().is_err_and(|error| error.kind() == ARGUMENT) && child.exit_code().is_none() && child.is_alive();
            drop(child);
            // SAFETY: ends the forked process.
            unsafe { libc::_exit(i32::from(!refused)) }
        }
        fork => {
            let mut status = -1;
            // SAFETY: waits for the child just made.
            unsafe { libc::waitpid(fork, &raw mut status, 0) };
            out.put(&(status == 0)).unwrap();
            assert!(child.is_alive());
            child.kill().unwrap();
            assert_eq!(child.join().unwrap().signal(), Some(9));
        }
    }
}

#[test]
fn a_handle_in_a_fork_is_refused_and_harmless() {
    watched(|| {
        let out = queue();
        apart(forks_with_a_child, (out.clone(),));
        assert!(out.get().unwrap());
    });
}

#[task]
fn tries_to_start(out: Queue<String>) {
    assert!(polyproc::current().is_daemon());
    let refused = [Process::command("false").start().unwrap_err(), Process::command("true").start().unwrap_err()];
    assert!(refused.iter().all(|error| error.kind() == ARGUMENT));
    out.put(&refused[0].to_string()).unwrap();
}

#[test]
fn a_daemon_has_no_children() {
    watched(|| {
        for method in METHODS {
            let out = queue();
            let daemon = Process::builder(tries_to_start, (out.clone(),)).name("the daemon").daemon(true).start_method(method).start().unwrap();
            assert!(daemon.is_daemon());
            assert!(daemon.join().unwrap().success());
            assert!(out.get().unwrap().contains("'the daemon' is a daemon"));
        }
    });
}

#[task]
fn has_a_daemon(go: Queue<u32>) {
    // Nothing that lives long and could keep the stream open is started.
    let script = "trap 'echo told; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    let _daemon = Process::command("sh").args(["-c", script]).daemon(true).start().unwrap();
    let _other = Process::command("sh").args(["-c", "read nothing"]).stdin(Stdio::Piped).start().unwrap();
    if go.get().unwrap() == 7 {
        std::process::exit(7);
    }
}

#[test]
fn daemons_are_told_when_their_parent_ends() {
    watched(|| {
        for (method, code) in METHODS.into_iter().zip([0, 7, 7]) {
            let go = queue();
            let process = Process::builder(has_a_daemon, (go.clone(),)).start_method(method).stdout(Stdio::Piped).start().unwrap();
            let mut lines = BufReader::new(process.take_stdout().unwrap());
            let mut text = String::new();
            while !text.ends_with("ready\n") {
                lines.read_line(&mut text).unwrap();
            }
            go.put(&(code as u32)).unwrap();
            assert_eq!(process.join().unwrap().code, code);
            text.clear();
            lines.read_to_string(&mut text).unwrap();
            assert_eq!(text, "told\n", "{method:?}");
        }
    });
}

#[test]
fn who_does_not_end_when_asked_is_killed() {
    watched(|| {
        let process = Process::command("sh").args(["-c", "trap '' TERM; echo ready; while :; do sleep 600; done"]).stdout(Stdio::Piped).start().unwrap();
        let mut line = String::new();
        BufReader::new(process.take_stdout().unwrap()).read_line(&mut line).unwrap();
        assert!(process.join_timeout(Duration::ZERO).unwrap().is_none());
        let exit = process.terminate_tree_within(Duration::from_millis(100)).unwrap();
        assert_eq!(exit.signal(), Some(9));
        let polite = Process::command("sleep").arg("600").start().unwrap();
        assert_eq!(polite.terminate_within(Duration::MAX).unwrap().signal(), Some(15));
    });
}

/// A tree of shells; each tells its number, and `rude` ones ignore being asked.
fn tree(own_group: bool) -> (Process, Vec<u32>) {
    let script = r"
        echo $$
        (sh -c 'trap : TERM; echo $$; (sh -c '\''trap \'\'' TERM; echo $$; while :; do sleep 600; done'\'') & sleep 600 & echo $!; while :; do wait; done') &
        (sh -c 'echo $$; exec sleep 600') &
        while :; do wait; done
    ";
    let script = script.replace(r"trap \'\'' TERM", r"trap : TERM");
    let process = Process::command("sh").arg("-c").arg(script).own_group(own_group).stdout(Stdio::Piped).start().unwrap();
    let lines = BufReader::new(process.take_stdout().unwrap()).lines();
    let pids: Vec<u32> = lines.take(5).map(|line| line.unwrap().trim().parse().unwrap()).collect();
    (process, pids)
}

#[test]
fn a_tree_ends_to_its_last_leaf() {
    watched(|| {
        for own_group in [false, true] {
            let (process, pids) = tree(own_group);
            assert_eq!(pids[0], process.pid());
            assert!(pids.iter().all(|&pid| runs(pid)), "{pids:?}");
            process.terminate_tree_within(Duration::from_millis(200)).unwrap();
            until(|| !pids.iter().any(|&pid| runs(pid)));
        }
    });
}

#[test]
fn one_of_many_is_waited_for() {
    watched(|| {
        let ready = queue();
        let mut processes: Vec<Process> = (0..9).map(|i| Process::builder(stay, (ready.clone(),)).start_method(METHODS[i % 3]).start().unwrap()).collect();
        for _ in &processes {
            ready.get().unwrap();
        }
        while !processes.is_empty() {
            let victim = processes.len() / 2;
            processes[victim].kill().unwrap();
            let things: Vec<&dyn Waitable> = processes.iter().map(|process| process as &dyn Waitable).collect();
            assert_eq!(polyproc::wait(&things, None).unwrap(), [victim]);
            assert_eq!(processes.remove(victim).join().unwrap().signal(), Some(9));
        }
    });
}

#[test]
fn main_is_nobodys_child() {
    let me = polyproc::current();
    assert_eq!((me.name(), me.pid(), me.is_child(), me.is_daemon()), ("MainProcess", std::process::id(), false, false));
    assert!(polyproc::parent().is_none());
    assert_eq!(polyproc::start_method(), StartMethod::Spawn);
}
