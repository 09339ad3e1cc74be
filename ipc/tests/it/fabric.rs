//! Named fabrics between unrelated processes: who makes one, who finds it, and what is left when its members end. Every scenario plays in peers with a runtime
//! directory of their own.

use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use polyproc_ipc::{Backing, ErrorKind, Fabric, Lock, Queue};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::temp::TempDir;
use polyproc_testkit::watchdog::{Watchdog, watchdog};

use crate::common::{LONG, capped, kind, play, whole};

const BOTH: [Backing; 2] = [Backing::Memory, Backing::File];

pub(crate) fn runtime_dir() -> PathBuf {
    PathBuf::from(peer::arg("POLYPROC_DIR"))
}

pub(crate) fn files() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(runtime_dir()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn make(backing: Backing, name: &str) -> Fabric {
    Fabric::builder().cap(16 << 20).backing(backing).create(name).unwrap()
}

/// A peer that has made or opened the fabric `name`, and does what it is told.
fn member(name: &str, how: &str) -> Peer {
    let mut peer = Peer::spawn("fabric::member_role", &[("NAME", name), ("HOW", how)]);
    peer.expect("READY", LONG);
    peer
}

#[test]
#[ignore = "a role"]
fn member_role() {
    if peer::is("fabric::member_role") {
        let name = peer::arg("NAME");
        let fabric = match peer::arg("HOW").as_str() {
            "memory" => make(Backing::Memory, &name),
            "file" => make(Backing::File, &name),
            _ => Fabric::open(&name).unwrap(),
        };
        let queue = Queue::<String>::open_or_create(&fabric, "queue", 0).unwrap();
        peer::say("READY");
        while let Some(line) = peer::hear() {
            match line.as_str() {
                "leave" => return,
                text => queue.put(&format!("{text} by {}", std::process::id())).unwrap(),
            }
        }
    }
}

#[test]
fn names_are_made_found_and_given_back() {
    let dir = TempDir::new("names");
    watchdog(LONG * 2, || play("fabric::names", dir.path()));
}

#[test]
#[ignore = "a role"]
fn names() {
    if !peer::is("fabric::names") {
        return;
    }
    for backing in BOTH {
        assert_eq!(kind(Fabric::open("jobs")), ErrorKind::NotFound);
        assert!(files().is_empty());
        let made = make(backing, "jobs");
        assert_eq!((made.name(), made.cap()), (Some("jobs"), 16 << 20));
        let error = Fabric::create("jobs").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains("'jobs'"), "{error}");
        let mut other = member("jobs", "open");
        assert_eq!(made.members().len(), 2);
        // Opened a second time here as well: a member of its own, of the same fabric.
        let opened = Fabric::builder().cap(1 << 20).open_or_create("jobs").unwrap();
        assert_eq!((opened.id(), opened.cap(), opened.members().len()), (made.id(), 16 << 20, 3));
        other.send("hello");
        let queue = Queue::<String>::open(&made, "queue").unwrap();
        assert_eq!(queue.get().unwrap(), format!("hello by {}", other.pid()));
        // The maker may leave first.
        let id = made.id();
        drop((made, queue));
        assert_eq!(Fabric::open("jobs").unwrap().id(), id);
        drop(opened);
        assert_eq!(Fabric::open("jobs").unwrap().id(), id);
        other.send("leave");
        assert!(other.wait(LONG).success());
        assert_eq!(files(), [""; 0]);
        // A new one of that name is another one.
        let new = make(backing, "jobs");
        assert_ne!(new.id(), id);
        assert!(new.objects().unwrap().is_empty());
        whole(&new);
    }
    for bad in ["", "a/b", "..", ".hidden", "a\0b", "tab\t", &"x".repeat(201), &"é".repeat(300)] {
        for result in [Fabric::create(bad), Fabric::open(bad), Fabric::open_or_create(bad)] {
            assert_eq!(kind(result), ErrorKind::BadName, "{bad:?}");
        }
    }
    for good in ["x".repeat(200), "with blank".to_owned(), "é.fabric".to_owned()] {
        drop(make(Backing::File, &good));
    }
    assert_eq!(files(), [""; 0]);
    assert_eq!(kind(Fabric::builder().cap(1).create("jobs")), ErrorKind::InvalidArgument);
    assert_eq!(kind(Fabric::builder().cap(1).backing(Backing::File).open_or_create("jobs")), ErrorKind::InvalidArgument);
    assert_eq!(files(), [""; 0], "a failed making leaves nothing");
}

#[test]
fn of_many_that_come_at_once_one_makes_it() {
    watchdog(LONG * 2, || {
        let dir = TempDir::new("race");
        let dir = dir.path().to_str().unwrap();
        let mut peers: Vec<Peer> = (0..8).map(|_| Peer::spawn("fabric::racer", &[("POLYPROC_DIR", dir)])).collect();
        for round in 0..20 {
            peers.iter_mut().for_each(|peer| peer.send(&format!("race-{round}")));
            let told: Vec<String> = peers.iter_mut().map(|peer| peer.wait_line(LONG)).collect();
            let made = told.iter().filter(|line| line.starts_with("made")).count();
            assert_eq!(made, 1, "round {round}: {told:?}");
            let mut ids: Vec<&str> = told.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
            ids.dedup();
            assert_eq!(ids.len(), 1, "round {round}: {told:?}");
            peers.iter_mut().for_each(|peer| peer.send("let go"));
            peers.iter_mut().for_each(|peer| peer.expect("gone", LONG));
            assert_eq!(std::fs::read_dir(dir).unwrap().count(), 0);
        }
    });
}

#[test]
#[ignore = "a role"]
fn racer() {
    if peer::is("fabric::racer") {
        while let Some(name) = peer::hear() {
            let backing = BOTH[name.len() % 2];
            let fabric = Fabric::builder().cap(4 << 20).backing(backing).open_or_create(&name).unwrap();
            // Who makes the queue made it, whoever made the fabric; all must meet in one.
            let made = Lock::create(&fabric, "mine").is_ok();
            peer::say(&format!("{} {}", if made { "made" } else { "found" }, fabric.id()));
            assert_eq!(peer::hear().as_deref(), Some("let go"));
            drop(fabric);
            peer::say("gone");
        }
    }
}

#[test]
fn exactly_one_create_succeeds() {
    watchdog(LONG * 2, || {
        let dir = TempDir::new("create");
        let dir = dir.path().to_str().unwrap();
        let mut peers: Vec<Peer> = (0..8).map(|_| Peer::spawn("fabric::creator", &[("POLYPROC_DIR", dir)])).collect();
        for round in 0..20 {
            peers.iter_mut().for_each(|peer| peer.send(&format!("{}{round}", "x".repeat(round % 2))));
            let told: Vec<String> = peers.iter_mut().map(|peer| peer.wait_line(LONG)).collect();
            assert_eq!(told.iter().filter(|line| *line == "made").count(), 1, "{told:?}");
            peers.iter_mut().for_each(|peer| peer.send("let go"));
            peers.iter_mut().for_each(|peer| peer.expect("gone", LONG));
        }
        assert_eq!(std::fs::read_dir(dir).unwrap().count(), 0);
    });
}

#[test]
#[ignore = "a role"]
fn creator() {
    if peer::is("fabric::creator") {
        while let Some(name) = peer::hear() {
            let made = Fabric::builder().cap(4 << 20).backing(BOTH[name.len() % 2]).create(&name);
            peer::say(match &made {
                Ok(_) => "made",
                Err(error) if error.kind() == ErrorKind::AlreadyExists => "exists",
                Err(error) => panic!("{error}"),
            });
            assert_eq!(peer::hear().as_deref(), Some("let go"));
            drop(made);
            peer::say("gone");
        }
    }
}

#[test]
fn nothing_is_left_of_killed_members() {
    let dir = TempDir::new("killed");
    watchdog(LONG * 2, || play("fabric::killed", dir.path()));
}

#[test]
#[ignore = "a role"]
fn killed() {
    if !peer::is("fabric::killed") {
        return;
    }
    for (backing, how) in [(Backing::Memory, "memory"), (Backing::File, "file")] {
        // Found by an opener, by a maker, by the collection.
        for (turn, name) in ["opened", "made", "collected"].into_iter().enumerate() {
            let (mut first, mut second) = (member(name, how), member(name, "open"));
            let outside = Fabric::open(name).unwrap();
            let Ok(owner) = outside.member() else { panic!() };
            let dead: Vec<_> = outside.members().into_iter().map(|member| member.owner).filter(|other| *other != owner).collect();
            assert_eq!(dead.len(), 2);
            first.kill();
            assert_eq!(dead.iter().filter(|owner| outside.alive(**owner)).count(), 1);
            // The name lives on in the second, also for newcomers, who sweep.
            assert_eq!(Fabric::open(name).unwrap().members().len(), 3);
            assert_eq!(outside.members().len(), 2);
            drop(outside);
            second.kill();
            assert!(!files().is_empty());
            match turn {
                0 => assert_eq!(kind(Fabric::open(name)), ErrorKind::NotFound),
                1 => drop(make(backing, name)),
                _ => assert_eq!(Fabric::collect_names().unwrap(), [name]),
            }
            assert_eq!(files(), [""; 0]);
        }
    }
    // The collection leaves the living alone.
    let (living, mut dead) = (make(Backing::Memory, "living"), member("dead", "file"));
    std::fs::write(runtime_dir().join("orphan.memory"), "").unwrap();
    std::fs::write(runtime_dir().join("not of ours"), "").unwrap();
    dead.kill();
    assert_eq!(Fabric::collect_names().unwrap(), ["dead", "orphan"]);
    assert_eq!(files(), ["living.fabric", "not of ours"]);
    drop(living);
    assert_eq!(files(), ["not of ours"]);
}

#[test]
fn a_name_file_of_nonsense_is_no_fabric() {
    let dir = TempDir::new("nonsense");
    watchdog(LONG, || play("fabric::nonsense", dir.path()));
}

#[test]
#[ignore = "a role"]
fn nonsense() {
    if !peer::is("fabric::nonsense") {
        return;
    }
    let path = runtime_dir().join("odd.fabric");
    for content in [&b""[..], b"\n", b"nonsense", &[0xff; 4096], &[b' '; 128], b"polyproc 1 memory 1 2 3 4\n"] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(kind(Fabric::open("odd")), ErrorKind::NotFound, "{content:?}");
        std::fs::write(&path, content).unwrap();
        drop(make(Backing::File, "odd"));
        assert!(files().is_empty(), "{content:?}");
    }
    std::fs::write(&path, format!("{:<127}\n", "polyproc 9 of the future")).unwrap();
    let error = Fabric::open("odd").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignVersion);
    assert!(error.to_string().contains("odd.fabric"), "{error}");
    assert_eq!(kind(Fabric::create("odd")), ErrorKind::ForeignVersion);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(kind(Fabric::create("odd")), ErrorKind::NotOwner);
    std::fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
    assert_eq!(kind(Fabric::open_or_create("odd")), ErrorKind::NotOwner);
}

#[test]
fn a_directory_of_others_is_refused() {
    watchdog(LONG, || {
        let dir = TempDir::new("owner");
        play("fabric::refused", dir.path());
    });
}

#[test]
#[ignore = "a role"]
fn refused() {
    if !peer::is("fabric::refused") {
        return;
    }
    let dir = runtime_dir();
    let refused = || {
        for result in [Fabric::create("x"), Fabric::open("x"), Fabric::open_or_create("x")] {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotOwner);
            assert!(error.to_string().contains(dir.to_str().unwrap()), "{error}");
        }
        assert_eq!(kind(Fabric::collect_names()), ErrorKind::NotOwner);
    };
    for mode in [0o755, 0o770, 0o701, 0o1777] {
        std::fs::set_permissions(&dir, PermissionsExt::from_mode(mode)).unwrap();
        refused();
    }
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o700)).unwrap();
    if std::os::unix::fs::chown(&dir, Some(12_345), None).is_ok() {
        refused();
        std::os::unix::fs::chown(&dir, Some(rustix::process::geteuid().as_raw()), None).unwrap();
    } else {
        println!("skipped: only root may give a directory away");
    }
    drop(Fabric::create("x").unwrap());
    // A file of another user in it, as `su` leaves.
    std::fs::write(dir.join("x.fabric"), "").unwrap();
    if std::os::unix::fs::chown(dir.join("x.fabric"), Some(12_345), None).is_ok() {
        assert_eq!(kind(Fabric::create("x")), ErrorKind::NotOwner);
    }
    std::fs::remove_file(dir.join("x.fabric")).unwrap();
    // No directory at all, and one that is made at need.
    std::fs::remove_dir(&dir).unwrap();
    std::fs::write(&dir, "a file").unwrap();
    assert_eq!(kind(Fabric::create("x")), ErrorKind::NotOwner);
    std::fs::remove_file(&dir).unwrap();
    drop(Fabric::create("x").unwrap());
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o7777, 0o700);
}

#[test]
fn the_process_table_lists_members_and_has_an_end() {
    watchdog(LONG, || assert!(Peer::spawn("fabric::table", &[]).wait(LONG).success()));
}

#[test]
#[ignore = "a role"]
fn table() {
    if !peer::is("fabric::table") {
        return;
    }
    let _dog = Watchdog::new(LONG);
    let fabric = capped(1 << 20);
    let me = &fabric.members()[0];
    assert_eq!((me.pid, me.alive, me.owner, me.language), (std::process::id(), true, fabric.member().unwrap(), 1));
    assert!(me.start_time > 0);
    let attach = || Fabric::attach(fabric.descriptor().as_fd().try_clone_to_owned().unwrap());
    let mut others: Vec<Fabric> = Vec::new();
    let error = loop {
        match attach() {
            Ok(other) => others.push(other),
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), others.len()), (ErrorKind::TooManyMembers, 1023));
    assert_eq!(fabric.members().iter().filter(|member| member.alive).count(), 1024);
    let gone = others.swap_remove(500).member().unwrap();
    assert!(!fabric.alive(gone));
    others.push(attach().unwrap());
    assert!(!fabric.alive(gone), "the slot is another's now");
    let descriptors: Vec<_> = others.iter().map(|other| other.descriptor().as_raw_fd()).collect();
    drop(others);
    assert_eq!(fabric.members().len(), 1);
    assert!(descriptors.iter().all(|fd| !Path::new(&format!("/proc/self/fd/{fd}")).exists()));
    whole(&fabric);
}
