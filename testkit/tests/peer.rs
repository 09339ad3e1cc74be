//! Peers: roles of this very binary, what they say and hear, descriptors they inherit, and that none stays behind.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use polyproc_testkit::leak::Watch;
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::temp::{TempDir, unique_name};
use polyproc_testkit::watchdog::watchdog;

const LONG: Duration = Duration::from_secs(60);

#[test]
#[ignore = "a role"]
fn echo() {
    if peer::is("echo") {
        peer::say(&peer::arg("GREETING"));
        while let Some(line) = peer::hear() {
            peer::say(&line);
        }
    }
}

#[test]
#[ignore = "a role"]
fn fails() {
    if peer::is("fails") {
        peer::say("soon");
        panic!("on purpose");
    }
}

#[test]
#[ignore = "a role"]
fn reads_inherited() {
    if peer::is("reads_inherited") {
        for number in [40, 41] {
            peer::say(&std::fs::read_to_string(format!("/proc/self/fd/{number}")).unwrap());
        }
        let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let targets: Vec<_> = open.filter_map(|fd| std::fs::read_link(fd.path()).ok()).collect();
        for name in ["first", "second"] {
            let count = targets.iter().filter(|target| target.ends_with(name)).count();
            assert_eq!(count, 1, "one descriptor to {name} in {targets:?}");
        }
        peer::say("done");
    }
}

#[test]
#[ignore = "a role"]
fn leaves_things() {
    if peer::is("leaves_things") {
        let dir = TempDir::new("leak");
        let name = unique_name("testkit-leak");
        let before = Watch::new().dir(dir.path()).memfds(&name).take();
        before.assert_same();
        let file = File::create(dir.path().join("left")).unwrap();
        let memory = rustix::fs::memfd_create(name.as_str(), rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let child = Peer::spawn("echo", &[("GREETING", "hello")]);
        let found = before.differences();
        for what in ["+ descriptor", "+ child", "+ file", "+ memfd"] {
            assert!(found.iter().any(|line| line.starts_with(what)), "{what} in {found:?}");
        }
        assert!(catch_unwind(|| before.assert_same()).is_err());
        drop((file, memory, child));
        std::fs::remove_file(dir.path().join("left")).unwrap();
        before.assert_settles(LONG);
        peer::say("clean");
    }
}

#[test]
fn a_peer_says_and_hears() {
    watchdog(LONG, || {
        let mut peer = Peer::spawn("echo", &[("GREETING", "hello")]);
        peer.expect("hello", LONG);
        for line in ["one", "two"] {
            peer.send(line);
            peer.expect(line, LONG);
        }
        assert!(peer.wait(LONG).success());
        assert!(peer.wait(LONG).success(), "asked again, the same answer");
    });
}

#[test]
fn a_killed_peer_is_reaped() {
    watchdog(LONG, || {
        let mut peer = Peer::spawn("echo", &[("GREETING", "hello")]);
        peer.expect("hello", LONG);
        peer.stop();
        peer.resume();
        assert_eq!(peer.kill().signal(), Some(9));
        assert_eq!(peer.kill().signal(), Some(9), "killed again, the same answer");
        let dropped = Peer::spawn("echo", &[("GREETING", "hello")]);
        let place = format!("/proc/{}", dropped.pid());
        drop(dropped);
        assert!(!std::path::Path::new(&place).exists());
    });
}

#[test]
fn a_peer_that_fails_is_told_with_what_it_wrote() {
    watchdog(LONG, || {
        let mut peer = Peer::builder("fails").quiet().start();
        peer.expect("soon", LONG);
        let message = catch_unwind(AssertUnwindSafe(|| peer.wait_line(LONG))).unwrap_err();
        let message = message.downcast_ref::<String>().unwrap();
        assert!(message.contains("the peer fails ended") && message.contains("test result: FAILED"), "{message}");
        assert_eq!(peer.wait(LONG).code(), Some(101));
    });
}

#[test]
fn descriptors_go_under_their_numbers() {
    watchdog(LONG, || {
        let dir = TempDir::new("peer");
        let open = |text: &str| {
            let mut file = File::options().create_new(true).read(true).write(true).open(dir.path().join(text)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file
        };
        let (first, second) = (open("first"), open("second"));
        let mut peer = Peer::builder("reads_inherited").fd(second.as_fd(), 40).fd(first.as_fd(), 41).life(LONG).start();
        peer.expect("second", LONG);
        peer.expect("first", LONG);
        peer.expect("done", LONG);
        assert!(peer.wait(LONG).success());
        let mut text = String::new();
        (&first).seek(SeekFrom::Start(0)).unwrap();
        (&first).read_to_string(&mut text).unwrap();
        assert_eq!(text, "first", "the descriptor here is as it was");
    });
}

#[test]
fn what_is_left_is_found() {
    watchdog(LONG, || {
        let mut peer = Peer::spawn("leaves_things", &[]);
        peer.expect("clean", LONG);
        assert!(peer.wait(LONG).success());
    });
}
