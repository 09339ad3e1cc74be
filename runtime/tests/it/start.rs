//! The start methods: what a child finds, what it leaves alone, and that all else is the same.
#![allow(unsafe_code)]

use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use polyproc::{ErrorKind, Fabric, Process, Queue, StartMethod, Stdio, fork_server_pid, ipc, set_fork_server_preload, set_start_method, task};

use crate::{until, watched};

pub(crate) const METHODS: [StartMethod; 3] = [StartMethod::Spawn, StartMethod::Fork, StartMethod::ForkServer];

#[task]
pub(crate) fn put(value: u64, out: Queue<u64>) {
    out.put(&value).unwrap();
}

#[task]
pub(crate) fn leave(code: i32) {
    std::process::exit(code);
}

#[task]
pub(crate) fn panics(why: String) {
    panic!("because {why}");
}

#[task]
pub(crate) fn stay(ready: Queue<u32>) {
    ready.put(&std::process::id()).unwrap();
    loop {
        std::thread::park();
    }
}

#[task]
fn nothing() {}

pub(crate) fn queue<T: serde::Serialize + serde::de::DeserializeOwned>() -> Queue<T> {
    Queue::new(&Fabric::current().unwrap(), 0).unwrap()
}

/// Runs a task in a process of its own, where it may do what would disturb other tests.
pub(crate) fn apart<F: polyproc::TaskFn>(task: polyproc::Task<F>, args: F::Args) {
    let exit = Process::spawn(task, args).unwrap().join().unwrap();
    assert!(exit.success(), "{exit:?}");
}

#[test]
fn every_method_runs_tasks_and_tells_how_they_ended() {
    watched(|| {
        for method in METHODS {
            let out = queue();
            let process = Process::builder(put, (7, out.clone())).start_method(method).start().unwrap();
            assert_eq!(out.get().unwrap(), 7);
            assert!(process.join().unwrap().success(), "{method:?}");
            assert_eq!((process.exit_code(), process.is_alive()), (Some(0), false));
            for code in [0, 3, 255] {
                let exit = Process::builder(leave, (code,)).start_method(method).start().unwrap().join().unwrap();
                assert_eq!((exit.code, exit.failure.is_none()), (code, true), "{method:?}");
            }
            let failure = Process::builder(panics, ("of this".into(),)).start_method(method).start().unwrap().join().unwrap().failure.unwrap();
            assert_eq!(failure.kind(), ErrorKind::Panicked);
            assert!(failure.message().unwrap().starts_with("because of this"), "{method:?}: {failure}");
            let ready = queue();
            for signal in [2, 9, 15] {
                // A copy of this process ignores what this one does.
                if signal == 2 && method == StartMethod::Fork && ignores_interrupts() {
                    continue;
                }
                let process = Process::builder(stay, (ready.clone(),)).start_method(method).start().unwrap();
                assert_eq!(ready.get().unwrap(), process.pid(), "{method:?}");
                assert!(process.is_alive() && process.exit_code().is_none());
                assert!(process.join_timeout(Duration::from_millis(5)).unwrap().is_none());
                match signal {
                    2 => process.interrupt().unwrap(),
                    9 => process.kill().unwrap(),
                    _ => process.terminate().unwrap(),
                }
                assert_eq!(process.join().unwrap().signal(), Some(signal), "{method:?}");
                process.kill().unwrap();
            }
        }
    });
}

/// Whether this process was started with Ctrl-C ignored, as one in the background may be.
fn ignores_interrupts() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap().trim();
    u64::from_str_radix(ignored, 16).unwrap() & 1 << (2 - 1) != 0
}

#[task]
fn looks_around(out: Queue<Vec<String>>) {
    let me = polyproc::current();
    let parent = polyproc::parent().unwrap();
    assert!(parent.is_alive() && me.is_child());
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    print!("to output");
    eprint!("to error");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    out.put(&vec![
        me.name().into(),
        parent.name().into(),
        parent.pid().to_string(),
        input,
        std::env::current_dir().unwrap().display().to_string(),
        variable("POLYPROC_TEST_A"),
        variable("POLYPROC_TEST_B"),
        variable("HOME"),
        variable("POLYPROC_CHILD"),
    ])
    .unwrap();
}

#[test]
fn every_method_takes_every_option() {
    watched(|| {
        for method in METHODS {
            let out = queue();
            let process = Process::builder(looks_around, (out.clone(),))
                .start_method(method)
                .name("with: 100% of it")
                .stdin(Stdio::Piped)
                .stdout(Stdio::Piped)
                .stderr(Stdio::Piped)
                .current_dir("/usr")
                .env("POLYPROC_TEST_A", "a=a")
                .envs([("POLYPROC_TEST_B", "x")])
                .env_remove("POLYPROC_TEST_B")
                .env_remove("HOME")
                .own_group(true)
                .start()
                .unwrap();
            process.take_stdin().unwrap().write_all(b"from here").unwrap();
            let (mut output, mut error) = (String::new(), String::new());
            process.take_stdout().unwrap().read_to_string(&mut output).unwrap();
            process.take_stderr().unwrap().read_to_string(&mut error).unwrap();
            let exit = process.join().unwrap();
            assert!(exit.success(), "{method:?}: {exit:?}");
            let me = std::process::id().to_string();
            assert_eq!(out.get().unwrap(), ["with: 100% of it", "MainProcess", &*me, "from here", "/usr", "a=a", "", "", ""], "{method:?}");
            assert!(output.ends_with("to output") || method == StartMethod::Fork, "{method:?}: {output}");
            assert!(error.ends_with("to error") || method == StartMethod::Fork, "{method:?}: {error}");
            assert!(process.take_stdout().is_none(), "taken once");
        }
    });
}

#[task]
fn with_a_clear_environment(out: Queue<Vec<String>>) {
    out.put(&std::env::vars().map(|(name, value)| format!("{name}={value}")).collect()).unwrap();
}

#[test]
fn an_environment_can_be_cleared() {
    watched(|| {
        for method in METHODS {
            let out = queue();
            let start = Process::builder(with_a_clear_environment, (out.clone(),)).start_method(method).env("LOST", "1").env_clear().env("KEPT", "2");
            assert!(start.start().unwrap().join().unwrap().success());
            assert_eq!(out.get().unwrap(), ["KEPT=2"], "{method:?}");
        }
    });
}

#[test]
fn what_cannot_be_is_refused_at_once() {
    watched(|| {
        let argument = ErrorKind::Ipc(ipc::ErrorKind::InvalidArgument);
        for method in METHODS {
            let start = || Process::builder(nothing, ()).start_method(method);
            let bad = [
                (start().env("A\0B", "x"), argument, "A\0B"),
                (start().env("A", "x\0y"), argument, "'A'"),
                (start().env("", "x"), argument, "name of an environment"),
                (start().env("A=B", "x"), argument, "A=B"),
                (start().current_dir("/nowhere/at all"), ErrorKind::SpawnFailed, "/nowhere/at all"),
                (start().current_dir("/etc/passwd"), ErrorKind::SpawnFailed, "/etc/passwd"),
                (start().current_dir("/a\0b"), argument, "zero byte"),
                (start().daemon(true).outlive(true), argument, "daemon"),
            ];
            for (builder, kind, words) in bad {
                let error = builder.start().unwrap_err();
                assert_eq!(error.kind(), kind, "{error}");
                assert!(error.to_string().contains(words), "{error}");
            }
        }
        let error = Process::builder(nothing, ()).program("/bin/true").start_method(StartMethod::Fork).start().unwrap_err();
        assert_eq!(error.kind(), argument);
    });
}

static SEEN: AtomicU64 = AtomicU64::new(0);

#[task]
fn what_was_set(out: Queue<u64>) {
    out.put(&SEEN.load(Ordering::Relaxed)).unwrap();
}

#[test]
fn a_fork_has_the_memory_as_it_was_and_handles_that_work() {
    watched(|| {
        SEEN.store(77, Ordering::Relaxed);
        let out = queue();
        let process = Process::builder(what_was_set, (out.clone(),)).start_method(StartMethod::Fork).start().unwrap();
        assert_eq!(out.get().unwrap(), 77);
        assert!(process.join().unwrap().success());
        let process = Process::builder(what_was_set, (out.clone(),)).start_method(StartMethod::ForkServer).start().unwrap();
        assert_eq!(out.get().unwrap(), 0);
        assert!(process.join().unwrap().success());
    });
}

extern "C" fn says_that_it_ended() {
    let text = b"[handler]";
    // SAFETY: writes constant bytes to a descriptor.
    unsafe { libc::write(1, text.as_ptr().cast(), text.len()) };
}

#[task]
fn forks_with_things_to_do_at_its_end() {
    // SAFETY: a plain function.
    unsafe { libc::atexit(says_that_it_ended) };
    print!("[half a line]");
    // SAFETY: prints constant text into the C library's buffer.
    unsafe { libc::printf(c"[half of C]".as_ptr()) };
    for code in [0, 3] {
        let child = Process::builder(prints_and_leaves, (code,)).start_method(StartMethod::Fork).start().unwrap();
        assert_eq!(child.join().unwrap().code, code);
    }
}

#[task]
fn prints_and_leaves(code: i32) {
    print!("[child {code}]");
    if code > 0 {
        std::process::exit(code);
    }
}

#[test]
fn a_fork_writes_nothing_twice_and_runs_no_handler_of_its_parent() {
    watched(|| {
        let process = Process::builder(forks_with_things_to_do_at_its_end, ()).stdout(Stdio::Piped).start().unwrap();
        let mut text = String::new();
        process.take_stdout().unwrap().read_to_string(&mut text).unwrap();
        assert!(process.join().unwrap().success());
        for (what, count) in [("[half a line]", 1), ("[half of C]", 1), ("[handler]", 1), ("[child 0]", 1), ("[child 3]", 1)] {
            assert_eq!(text.matches(what).count(), count, "{what} in {text}");
        }
    });
}

#[task]
fn forks_beside_a_thread() {
    let fork = || Process::builder(nothing, ()).start_method(StartMethod::Fork).start().unwrap().join().unwrap();
    assert!(fork().success());
    eprintln!("[now with a thread]");
    std::thread::spawn(|| {
        loop {
            std::thread::park();
        }
    });
    assert!(fork().success());
    assert!(fork().success());
}

#[test]
fn a_fork_beside_threads_is_warned_of_once() {
    watched(|| {
        let process = Process::builder(forks_beside_a_thread, ()).stderr(Stdio::Piped).start().unwrap();
        let mut text = String::new();
        process.take_stderr().unwrap().read_to_string(&mut text).unwrap();
        assert!(process.join().unwrap().success(), "{text}");
        let (before, after) = text.split_once("[now with a thread]").unwrap();
        assert!(!before.contains("forks while"), "{text}");
        assert_eq!(after.matches("forks while 1 other thread").count(), 1, "{text}");
    });
}

static LOADED: OnceLock<u32> = OnceLock::new();

#[task]
fn load() {
    LOADED.set(std::process::id()).unwrap();
}

#[task]
fn where_was_it_loaded(out: Queue<(u32, u32)>) {
    let kernel_parent = rustix::process::getppid().unwrap().as_raw_nonzero().get() as u32;
    out.put(&(*LOADED.get().unwrap(), kernel_parent)).unwrap();
}

#[task]
fn uses_a_preloaded_server() {
    assert!(fork_server_pid().is_none());
    set_fork_server_preload(&[load]).unwrap();
    set_start_method(StartMethod::ForkServer);
    let out = queue();
    for _ in 0..3 {
        assert!(Process::spawn(where_was_it_loaded, (out.clone(),)).unwrap().join().unwrap().success());
        let server = fork_server_pid().unwrap();
        assert_eq!(out.get().unwrap(), (server, server));
    }
    assert!(set_fork_server_preload(&[]).is_err(), "it runs already");
    // Children have the choice of their parent.
    let methods = queue();
    assert!(Process::spawn(what_method, (methods.clone(),)).unwrap().join().unwrap().success());
    assert_eq!(methods.get().unwrap(), "ForkServer");
}

#[task]
fn what_method(out: Queue<String>) {
    out.put(&format!("{:?}", polyproc::start_method())).unwrap();
}

#[task]
fn fails_to_load() {
    panic!("nothing to load");
}

#[task]
fn uses_a_server_that_cannot_preload() {
    set_fork_server_preload(&[fails_to_load]).unwrap();
    for _ in 0..3 {
        let error = Process::builder(nothing, ()).start_method(StartMethod::ForkServer).start().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SpawnFailed);
        assert!(error.to_string().contains("nothing to load"), "{error}");
    }
    assert!(Process::spawn(nothing, ()).unwrap().join().unwrap().success());
}

#[test]
fn the_server_preloads_once() {
    watched(|| {
        apart(uses_a_preloaded_server, ());
        apart(uses_a_server_that_cannot_preload, ());
    });
}

#[task]
fn lists_what_is_open(out: Queue<Vec<String>>) {
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    out.put(&open.filter_map(|entry| Some(std::fs::read_link(entry.path()).ok()?.display().to_string())).collect()).unwrap();
}

/// How often both kinds of children are asked what they have open.
const ROUNDS: usize = 4;

#[task]
fn compares_what_is_open(out: Queue<Vec<String>>) {
    let ready = queue();
    // Others of the server's run meanwhile.
    let others: Vec<_> = (0..3).map(|_| Process::builder(stay, (ready.clone(),)).start_method(StartMethod::ForkServer).start().unwrap()).collect();
    for _ in &others {
        ready.get().unwrap();
    }
    for method in [StartMethod::Spawn, StartMethod::ForkServer].repeat(ROUNDS) {
        let process = Process::builder(lists_what_is_open, (out.clone(),)).start_method(method).start().unwrap();
        assert!(process.join().unwrap().success());
    }
    for other in others {
        other.kill().unwrap();
        other.join().unwrap();
    }
    let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let round = || {
        for method in METHODS {
            assert!(Process::builder(nothing, ()).start_method(method).start().unwrap().join().unwrap().success());
            drop(Process::builder(nothing, ()).start_method(method).start().unwrap());
        }
        while !polyproc::active_children().is_empty() {
            std::thread::yield_now();
        }
        count()
    };
    let first = round();
    // What another thread, or the server, has open for a moment is no leak.
    for _ in 0..5 {
        let last = round();
        until(|| last <= first || count() <= first);
    }
    let server = fork_server_pid().unwrap();
    until(|| std::fs::read_dir(format!("/proc/{server}/fd")).unwrap().flatten().count() <= 5);
}

#[test]
fn no_descriptor_is_left_or_passed_on() {
    watched(|| {
        let out = queue::<Vec<String>>();
        apart(compares_what_is_open, (out.clone(),));
        let kinds = |open: Vec<String>| {
            let mut kinds: Vec<String> = open.into_iter().map(|name| name.split([':', '[']).next().unwrap().to_owned()).collect();
            kinds.sort();
            kinds
        };
        let sockets = |kinds: &[String]| kinds.iter().filter(|kind| *kind == "socket").count();
        let rounds: Vec<_> = (0..ROUNDS).map(|_| (kinds(out.get().unwrap()), kinds(out.get().unwrap()))).collect();
        // A thread of the child may just have had something open; a leak is there each time.
        assert!(rounds.iter().any(|(spawned, served)| sockets(served) == sockets(spawned) && served.len() == spawned.len()), "{rounds:?}");
    });
}

#[test]
fn an_input_read_ahead_is_the_parents() {
    watched(|| {
        let out = queue();
        let process = Process::builder(reads_a_line_and_forks, (out.clone(),)).stdin(Stdio::Piped).start().unwrap();
        process.take_stdin().unwrap().write_all(b"one\ntwo\n").unwrap();
        assert!(process.join().unwrap().success());
        assert_eq!((out.get().unwrap(), out.get().unwrap(), out.get().unwrap()), ("one\n".into(), String::new(), "two\n".into()));
    });
}

#[task]
fn reads_a_line_and_forks(out: Queue<String>) {
    let line = || {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        line
    };
    out.put(&line()).unwrap();
    assert!(Process::builder(reads_a_line, (out.clone(),)).start_method(StartMethod::Fork).start().unwrap().join().unwrap().success());
    out.put(&line()).unwrap();
}

#[task]
fn reads_a_line(out: Queue<String>) {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    out.put(&line).unwrap();
}

#[test]
fn workers_come_from_the_server_too() {
    watched(|| {
        let pool = polyproc::Pool::builder().workers(2).start_method(StartMethod::ForkServer).build().unwrap();
        assert_eq!(pool.map(crate::pool::square, 0..100).unwrap().len(), 100);
        let victim = pool.workers()[0].pid;
        crate::kill(victim);
        crate::until(|| pool.workers().len() == 2 && pool.workers().iter().all(|worker| worker.pid != victim));
        assert_eq!(pool.apply(crate::pool::square, (7,)).unwrap(), 49);
        pool.close();
        pool.join().unwrap();
        let error = polyproc::Pool::builder().start_method(StartMethod::Fork).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Ipc(ipc::ErrorKind::InvalidArgument));
    });
}

#[test]
fn streams_can_be_files() {
    watched(|| {
        let dir = polyproc_testkit::temp::TempDir::new("start");
        for (i, method) in METHODS.into_iter().enumerate() {
            let path = dir.path().join(i.to_string());
            let file = std::fs::File::create(&path).unwrap();
            let exit = Process::builder(prints_and_leaves, (0,)).start_method(method).stdout(file).start().unwrap().join().unwrap();
            assert!(exit.success());
            assert!(std::fs::metadata(&path).unwrap().size() == 9 || method == StartMethod::Fork);
        }
    });
}
