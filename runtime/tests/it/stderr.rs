//! What workers and processes wrote last to their standard error: it comes back with their death, whatever killed them, and is seen as well.

use std::fs::File;
use std::io::{Read, Seek, Write};

use polyproc::{Array, ErrorKind, Fabric, Pool, Process, Queue, StartMethod, Stdio, ipc, task};
use polyproc_testkit::temp::unique_name;

use crate::{kill, until, watched};

const METHODS: [StartMethod; 3] = [StartMethod::Spawn, StartMethod::Fork, StartMethod::ForkServer];

fn say(text: &str) {
    assert_eq!(rustix::io::write(std::io::stderr(), text.as_bytes()), Ok(text.len()));
}

fn die() -> ! {
    kill(std::process::id());
    loop {
        std::thread::park();
    }
}

/// Says it from Rust, from another program, and by a plain system call, and ends as was said.
#[task]
fn speaks(n: u64, how: i32) {
    // A test program takes what its macros print.
    let mut error = std::io::stderr();
    writeln!(error, "rust {n}").unwrap();
    let status = std::process::Command::new("sh").args(["-c", "echo shell >&2"]).status().unwrap();
    assert!(status.success());
    say("last\n");
    match how {
        0 => {}
        1 => die(),
        _ => std::process::exit(how),
    }
}

#[task]
fn leads_to() -> String {
    std::fs::read_link("/proc/self/fd/2").unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_process_s_last_words_come_with_its_exit() {
    watched(|| {
        for method in METHODS {
            for how in [0, 1, 7] {
                let process = Process::builder(speaks, (5, how)).start_method(method).capture_stderr(4096).stderr(Stdio::Null).start().unwrap();
                let exit = process.join().unwrap();
                assert_eq!(exit.stderr.as_deref(), Some("rust 5\nshell\nlast\n"), "{method:?} {how}");
                assert_eq!((exit.success(), exit.code), (how == 0, if how == 1 { -9 } else { how }));
            }
            let short = Process::builder(speaks, (5, 1)).start_method(method).capture_stderr(8).stderr(Stdio::Null).start().unwrap();
            assert_eq!(short.join().unwrap().stderr.as_deref(), Some("ll\nlast\n"));
            let none = Process::builder(speaks, (5, 0)).start_method(method).stderr(Stdio::Null).start().unwrap();
            assert_eq!(none.join().unwrap().stderr, None);
        }
    });
}

#[test]
fn it_is_seen_as_well() {
    watched(|| {
        #[task]
        fn runs_a_pool(hide: bool, method: u8) {
            let method = [StartMethod::Spawn, StartMethod::ForkServer][usize::from(method)];
            let pool = Pool::builder().workers(1).start_method(method).capture_stderr(100).hide_stderr(hide).build().unwrap();
            pool.apply(speaks, (1, 0)).unwrap();
            let error = pool.apply(speaks, (2, 1)).unwrap_err();
            let words = |n| format!("rust {n}\nshell\nlast\n");
            assert_eq!(error.stderr(), Some(&*format!("{}{}", words(1), words(2))), "{error}");
            let error = pool.apply(speaks, (3, 7)).unwrap_err();
            assert_eq!(error.stderr(), Some(&*words(3)), "another worker's has its own");
            let process = Process::builder(speaks, (4, 0)).capture_stderr(100).start().unwrap();
            assert!(process.join().unwrap().success());
        }
        for (hide, method) in [(false, 0), (false, 1), (true, 0)] {
            let mut file = File::from(rustix::fs::memfd_create(c"seen", rustix::fs::MemfdFlags::CLOEXEC).unwrap());
            let process = Process::builder(runs_a_pool, (hide, method)).stderr(file.try_clone().unwrap()).start().unwrap();
            let exit = process.join().unwrap();
            let mut seen = String::new();
            file.rewind().unwrap();
            file.read_to_string(&mut seen).unwrap();
            assert!(exit.success(), "{seen}");
            for n in 1..=4 {
                assert_eq!(seen.contains(&format!("rust {n}\n")), !hide || n == 4, "{seen}");
            }
            assert!(seen.matches("shell\nlast\n").count() >= if hide { 1 } else { 4 }, "{seen}");
        }
    });
}

/// Writes numbered lines until it is killed; the number of the last that was written whole stands in the array.
#[task]
fn counts_aloud(said: Array<u64>) {
    for n in 1.. {
        say(&format!("line {n}\n"));
        said.unlocked().set(0, n).unwrap();
    }
}

#[test]
fn whenever_it_is_killed_nothing_is_missing() {
    watched(|| {
        let fabric = Fabric::builder().cap(16 << 20).private().unwrap();
        for (round, method) in (0..30).zip(METHODS.into_iter().cycle()) {
            let said = Array::zeroed(&fabric, 1).unwrap();
            let process = Process::builder(counts_aloud, (said.clone(),)).fabric(&fabric).start_method(method);
            let process = process.capture_stderr(1000).stderr(Stdio::Null).start().unwrap();
            let until_line = 1 + round * round;
            until(|| said.unlocked().get(0).unwrap() >= until_line);
            process.kill().unwrap();
            let text = process.join().unwrap().stderr.unwrap();
            let last: u64 = said.unlocked().get(0).unwrap();
            let numbers: Vec<u64> = text.lines().rev().take(20).map_while(|line| line.strip_prefix("line ")?.parse().ok()).collect();
            assert!(numbers.first().is_some_and(|&n| n == last || n == last + 1), "{last}: {text}");
            assert!(numbers.windows(2).all(|pair| pair[0] == pair[1] + 1), "{text}");
            assert!(numbers.len() == 20 || numbers.len() as u64 == numbers[0], "{text}");
        }
    });
}

/// Says more than any pipe holds, and then that it has.
#[task]
fn talks(begun: Queue<u32>, go: Queue<u32>, done: Queue<u32>) {
    begun.put(&std::process::id()).unwrap();
    go.get().unwrap();
    for n in 0..40_000 {
        say(&format!("{n:>99}\n"));
    }
    done.put(&0).unwrap();
    go.get().unwrap();
    die();
}

/// Has a pool, and is stopped.
#[task]
fn is_stopped(begun: Queue<u32>, go: Queue<u32>, done: Queue<u32>) {
    let pool = Pool::builder().workers(1).capture_stderr(1000).hide_stderr(true).build().unwrap();
    let error = pool.apply(talks, (begun, go, done)).unwrap_err();
    let text = error.stderr().unwrap();
    assert!(text.len() == 1000 && text.ends_with(" 39999\n"), "{text}");
}

#[test]
fn a_worker_does_not_wait_for_a_parent_that_is_stopped() {
    watched(|| {
        let fabric = Fabric::builder().cap(32 << 20).private().unwrap();
        let [begun, go, done] = [(); 3].map(|()| Queue::<u32>::new(&fabric, 0).unwrap());
        let parent = Process::builder(is_stopped, (begun.clone(), go.clone(), done.clone())).fabric(&fabric).start().unwrap();
        let signal = |signal| rustix::process::kill_process(rustix::process::Pid::from_raw(parent.pid() as i32).unwrap(), signal).unwrap();
        let worker = begun.get().unwrap();
        signal(rustix::process::Signal::STOP);
        go.put(&0).unwrap();
        done.get().unwrap();
        assert!(crate::runs(worker));
        signal(rustix::process::Signal::CONT);
        go.put(&0).unwrap();
        let exit = parent.join().unwrap();
        assert!(exit.success(), "{exit:?}");
    });
}

#[test]
fn every_error_of_a_worker_s_end_has_it() {
    watched(|| {
        #[task]
        fn never_starts() {
            eprintln!("no");
            std::process::exit(9);
        }
        #[task]
        fn stays() {
            eprintln!("busy");
            loop {
                std::thread::park();
            }
        }
        let pool = Pool::builder().workers(1).on_start(never_starts, ()).capture_stderr(100).hide_stderr(true).build().unwrap();
        let error = pool.apply(speaks, (1, 0)).unwrap_err();
        assert_eq!((error.kind(), error.stderr()), (ErrorKind::GaveUp, Some("no\n")), "{error}");
        let pool = Pool::builder().workers(1).capture_stderr(100).hide_stderr(true).build().unwrap();
        let limited = polyproc::Options::new().hard_limit(std::time::Duration::from_millis(50));
        // The limit may come before the word.
        until(|| pool.with(limited).apply(stays, ()).unwrap_err().stderr() == Some("busy\n"));
        let plain = Pool::builder().workers(1).hide_stderr(true).build().unwrap();
        assert_eq!(plain.apply(leads_to, ()).unwrap(), "/dev/null", "nothing is between");
        assert_eq!(plain.apply(speaks, (1, 1)).unwrap_err().stderr(), None);
        assert!(pool.apply(leads_to, ()).unwrap().starts_with("pipe:"));
        // A client is told, too.
        let name = unique_name("words");
        let fabric = Fabric::builder().cap(32 << 20).create(&name).unwrap();
        let pool = Pool::builder().fabric(&fabric).name("words").workers(1).capture_stderr(100).hide_stderr(true).build().unwrap();
        let client = Pool::connect(&fabric, "words").unwrap();
        let error = client.apply(speaks, (1, 1)).unwrap_err();
        assert_eq!((error.kind(), error.stderr()), (ErrorKind::WorkerDied, Some("rust 1\nshell\nlast\n")), "{error}");
        drop((client, pool));
    });
}

#[test]
fn what_cannot_be_kept_is_refused() {
    watched(|| {
        let invalid = ErrorKind::Ipc(ipc::ErrorKind::InvalidArgument);
        let error = Pool::builder().workers(1).capture_stderr(usize::MAX).build().unwrap_err();
        assert_eq!(error.kind(), invalid, "{error}");
        let error = Process::builder(speaks, (1, 0)).capture_stderr(100).stderr(Stdio::Piped).start().unwrap_err();
        assert_eq!(error.kind(), invalid, "{error}");
        // A program without polyproc.
        let error = Process::builder(speaks, (1, 0)).capture_stderr(100).stderr(Stdio::Null).program("/bin/cat").start().unwrap().join().unwrap();
        assert_eq!(error.failure.map(|failure| (failure.kind(), failure.stderr().is_some())), Some((ErrorKind::NotStarted, true)));
    });
}

/// Descriptors of captured processes go with their handles.
#[test]
fn no_descriptor_is_left() {
    watched(|| {
        #[task]
        fn starts_many() {
            let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
            let run = |method| Process::builder(speaks, (1, 1)).start_method(method).capture_stderr(10).stderr(Stdio::Null).start().unwrap().join().unwrap();
            METHODS.into_iter().map(run).for_each(drop);
            let before = open();
            METHODS.into_iter().cycle().take(12).map(run).for_each(drop);
            assert_eq!(open(), before);
        }
        let exit = Process::spawn(starts_many, ()).unwrap().join().unwrap();
        assert!(exit.success(), "{exit:?}");
    });
}
