//! Names among processes that live, end, are killed and are stopped. Children are this test binary, run again in a role.

use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::*;

const WATCHDOG: Duration = Duration::from_secs(120);
const ID: [u8; 16] = *b"0123456789abcdef";

/// A directory of one test, removed at its end.
struct Temp(PathBuf);

impl Temp {
    fn new() -> Temp {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("polyproc-names-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        Temp(path)
    }

    fn names(&self) -> NameDir {
        NameDir::at(self.0.clone()).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn files(&self) -> usize {
        fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// This binary once more, in a role; killed on drop.
struct Peer(Child, Receiver<String>);

impl Peer {
    fn start(role: &str, dir: &Path) -> Peer {
        let (_, module) = module_path!().split_once("::").unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "--nocapture", "--test-threads=1", &format!("{module}::role_of_a_peer")]);
        let mut child = command.env("POLYPROC_NAMES_ROLE", role).env("POLYPROC_DIR", dir).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, receiver) = channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Peer(child, receiver)
    }

    fn wait_for(&self, word: &str) {
        while !self.1.recv_timeout(WATCHDOG).expect("the peer says what it does").contains(word) {}
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn role_of_a_peer() {
    let Ok(role) = std::env::var("POLYPROC_NAMES_ROLE") else { return };
    let names = NameDir::open().unwrap();
    let memory = sys::memory_file("polyproc-test").unwrap();
    match role.as_str() {
        "member" => {
            join(&names.lock("a").unwrap(), &memory);
            println!("ready");
            thread::park_timeout(WATCHDOG);
        }
        "holder" => {
            let _lock = names.lock("a").unwrap();
            println!("ready");
            thread::park_timeout(WATCHDOG);
        }
        _ => {
            println!("ready");
            let until = Instant::now() + WATCHDOG;
            while Instant::now() < until {
                let lock = names.lock("a").unwrap();
                lock.create_memory_file().unwrap();
                join(&lock, &memory);
                lock.remove_member(memory.as_raw_fd()).unwrap();
            }
        }
    }
}

fn join(lock: &NameLock, memory: &OwnedFd) {
    lock.publish(Backing::Memory, sys::identity(memory.as_fd()).unwrap(), ID).unwrap();
    lock.add_member(memory.as_raw_fd()).unwrap();
}

fn memory() -> OwnedFd {
    sys::memory_file("polyproc-test").unwrap()
}

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.err().expect("an error").kind()
}

#[test]
fn names_follow_the_rules() {
    let long = "n".repeat(MAX_NAME + 1);
    for (name, why) in [("", "empty"), ("a/b", "'/'"), ("a\0", "control"), ("a\n", "control"), (".a", "'.'"), (long.as_str(), "201 bytes")] {
        let error = check_name(name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadName);
        assert!(error.to_string().contains(why), "{error}");
    }
    for name in ["a", "jobs of today", "größe.2", "a.fabric", &long[1..]] {
        check_name(name).unwrap();
    }
    let temp = Temp::new();
    drop(temp.names().lock(&long[1..]).unwrap());
}

#[test]
fn the_directory_is_found_by_the_environment() {
    let temp = Temp::new();
    let own = temp.0.clone();
    let path = |polyproc: &str, xdg: &str| {
        let (polyproc, xdg) = (polyproc.to_owned(), xdg.to_owned());
        dir::runtime_path(move |key| Some(if key == "POLYPROC_DIR" { polyproc.clone() } else { xdg.clone() }.into()))
    };
    assert_eq!(path("/some/where", own.to_str().unwrap()).unwrap(), Path::new("/some/where"));
    assert_eq!(path("", own.to_str().unwrap()).unwrap(), own.join("polyproc"));
    assert_eq!(kind(path("some/where", "")), ErrorKind::InvalidArgument);
    let fallback = path("", "/no/such/directory").unwrap();
    assert!(fallback.file_name().unwrap().to_str().unwrap().starts_with("polyproc-"), "{}", fallback.display());
    let made = NameDir::at(own.join("made")).unwrap();
    assert_eq!(fs::metadata(own.join("made")).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(made.list().unwrap(), [""; 0]);
}

#[test]
fn a_directory_of_others_is_refused() {
    let temp = Temp::new();
    for mode in [0o701, 0o710, 0o777] {
        fs::set_permissions(&temp.0, fs::Permissions::from_mode(mode)).unwrap();
        let error = NameDir::at(temp.0.clone()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::NotOwner);
        assert!(error.to_string().contains(temp.0.to_str().unwrap()), "{error}");
    }
    fs::set_permissions(&temp.0, fs::Permissions::from_mode(0o700)).unwrap();
    let link = temp.file("link");
    symlink(&temp.0, &link).unwrap();
    assert_eq!(kind(NameDir::at(link)), ErrorKind::NotOwner);
    fs::write(temp.file("plain"), "").unwrap();
    assert_eq!(kind(NameDir::at(temp.file("plain"))), ErrorKind::NotOwner);
    // Root can give its directory away; anybody else has the root directory at hand.
    let foreign = if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&temp.0, Some(12345), None).unwrap();
        temp.0.clone()
    } else {
        PathBuf::from("/")
    };
    assert_eq!(kind(NameDir::at(foreign)), ErrorKind::NotOwner);
}

#[test]
fn what_is_no_file_of_ours_is_refused() {
    let temp = Temp::new();
    fs::write(temp.file("victim"), "precious").unwrap();
    symlink(temp.file("victim"), temp.file("link.fabric")).unwrap();
    symlink(temp.file("nowhere"), temp.file("dangling.fabric")).unwrap();
    fs::create_dir(temp.file("directory.fabric")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, temp.file("pipe.fabric"), Mode::RUSR | Mode::WUSR).unwrap();
    for name in ["link", "dangling", "directory", "pipe"] {
        let error = temp.names().lock(name).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::NotOwner, "{name}");
        assert!(error.to_string().contains(&fabric_file(name)), "{error}");
    }
    if rustix::process::geteuid().is_root() {
        fs::write(temp.file("given.fabric"), "").unwrap();
        std::os::unix::fs::chown(temp.file("given.fabric"), Some(12345), None).unwrap();
        assert_eq!(kind(temp.names().lock("given")), ErrorKind::NotOwner);
    }
    assert_eq!(temp.names().gc().unwrap(), [""; 0]);
    assert_eq!(fs::read(temp.file("victim")).unwrap(), b"precious");
}

#[test]
fn a_name_is_there_as_long_as_somebody_has_it() {
    let (temp, first) = (Temp::new(), memory());
    let names = temp.names();
    let lock = names.lock("a").unwrap();
    assert!(matches!(lock.find().unwrap(), Found::Absent));
    join(&lock, &first);
    drop(lock);
    let lock = names.lock("a").unwrap();
    let Found::Memory(second) = lock.find().unwrap() else { panic!("not found") };
    assert_eq!(sys::identity(first.as_fd()).unwrap(), sys::identity(second.as_fd()).unwrap());
    lock.add_member(second.as_raw_fd()).unwrap();
    lock.remove_member(first.as_raw_fd()).unwrap();
    drop(first);
    assert_eq!(names.list().unwrap(), ["a"]);
    assert_eq!(names.gc().unwrap(), [""; 0]);
    let lock = names.lock("a").unwrap();
    assert!(matches!(lock.find().unwrap(), Found::Memory(_)));
    lock.remove_member(second.as_raw_fd()).unwrap();
    assert_eq!(temp.files(), 0);
}

#[test]
fn other_memory_is_not_listed_and_takes_nothing_away() {
    let (temp, mut ours, other) = (Temp::new(), memory(), memory());
    let names = temp.names();
    names.lock("a").unwrap().add_member(other.as_raw_fd()).unwrap();
    assert_eq!(temp.files(), 0, "a lock that publishes nothing leaves nothing");
    join(&names.lock("a").unwrap(), &ours);
    names.lock("a").unwrap().add_member(other.as_raw_fd()).unwrap();
    names.lock("a").unwrap().remove_member(other.as_raw_fd()).unwrap();
    assert!(matches!(names.lock("a").unwrap().find().unwrap(), Found::Memory(_)));
    // A descriptor that was closed, and is another file by now, is no way to the memory.
    rustix::io::dup2(&other, &mut ours).unwrap();
    assert!(matches!(names.lock("a").unwrap().find().unwrap(), Found::Stale));
}

#[test]
fn a_killed_member_leaves_a_stale_name() {
    let temp = Temp::new();
    let names = temp.names();
    let peer = Peer::start("member", &temp.0);
    peer.wait_for("ready");
    assert!(matches!(names.lock("a").unwrap().find().unwrap(), Found::Memory(_)));
    assert_eq!(names.gc().unwrap(), [""; 0]);
    peer.kill();
    assert!(matches!(names.lock("a").unwrap().find().unwrap(), Found::Stale));
    assert_eq!(names.gc().unwrap(), ["a"]);
    assert_eq!(temp.files(), 0);
}

#[test]
fn a_zombie_has_no_name() {
    let temp = Temp::new();
    let mut peer = Peer::start("member", &temp.0);
    peer.wait_for("ready");
    peer.0.kill().unwrap();
    let pid = rustix::process::Pid::from_child(&peer.0);
    let ended = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
    rustix::process::waitid(rustix::process::WaitId::Pid(pid), ended).unwrap();
    assert!(matches!(temp.names().lock("a").unwrap().find().unwrap(), Found::Stale));
}

#[test]
fn the_place_of_a_dead_member_is_used_again() {
    let (temp, ours) = (Temp::new(), memory());
    let names = temp.names();
    join(&names.lock("a").unwrap(), &ours);
    for dead in 0..3 {
        let lock = names.lock("a").unwrap();
        let process = Process { start: 1 + dead, ..Process::current().unwrap() };
        lock.write(2, &Holder { process, descriptor: 0 }.to_record()).unwrap();
        let again = sys::reopen(ours.as_fd()).unwrap();
        lock.add_member(again.as_raw_fd()).unwrap();
        assert_eq!(lock.read().unwrap().len(), 3 * RECORD);
        lock.remove_member(again.as_raw_fd()).unwrap();
    }
}

#[test]
fn a_memory_file_is_there_as_long_as_somebody_locks_it() {
    let temp = Temp::new();
    let names = temp.names();
    let lock = names.lock("a").unwrap();
    fs::write(temp.file("a.memory"), "left over").unwrap();
    let file = lock.create_memory_file().unwrap();
    lock.publish(Backing::File, sys::identity(file.as_fd()).unwrap(), ID).unwrap();
    assert!(matches!(lock.find().unwrap(), Found::Stale));
    assert!(sys::lock_byte(file.as_fd(), LIVENESS.0 + 7).unwrap());
    lock.add_member(file.as_raw_fd()).unwrap();
    let Found::File(found) = lock.find().unwrap() else { panic!("not found") };
    assert_eq!(sys::file_len(found.as_fd()).unwrap(), 0, "what was left over is gone");
    drop((lock, found));
    assert_eq!(names.gc().unwrap(), [""; 0]);
    // Another file in its place is not the fabric's.
    fs::rename(temp.file("a.memory"), temp.file("aside")).unwrap();
    fs::write(temp.file("a.memory"), "other").unwrap();
    assert!(matches!(names.lock("a").unwrap().find().unwrap(), Found::Stale));
    fs::rename(temp.file("aside"), temp.file("a.memory")).unwrap();
    assert!(matches!(names.lock("a").unwrap().find().unwrap(), Found::File(_)));
    sys::unlock_byte(file.as_fd(), LIVENESS.0 + 7).unwrap();
    names.lock("a").unwrap().remove_member(file.as_raw_fd()).unwrap();
    assert_eq!(temp.files(), 0);
    fs::write(temp.file("b.memory"), "alone").unwrap();
    assert_eq!(names.gc().unwrap(), ["b"]);
    assert_eq!(temp.files(), 0);
}

#[test]
fn a_member_in_another_container_is_out_of_reach() {
    let (temp, ours) = (Temp::new(), memory());
    let names = temp.names();
    let lock = names.lock("a").unwrap();
    lock.publish(Backing::Memory, sys::identity(ours.as_fd()).unwrap(), ID).unwrap();
    let process = Process { namespace: 7, ..Process::current().unwrap() };
    lock.write(1, &Holder { process, descriptor: ours.as_raw_fd() }.to_record()).unwrap();
    let error = lock.find().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains("Backing::File") && error.to_string().contains("a.fabric"), "{error}");
    drop(lock);
    assert_eq!(names.gc().unwrap(), [""; 0], "what cannot be judged stays");
    // A member that can be reached is a way in, whoever else there is.
    let lock = names.lock("a").unwrap();
    lock.add_member(ours.as_raw_fd()).unwrap();
    assert!(matches!(lock.find().unwrap(), Found::Memory(_)));
    // Of an earlier boot, nobody lives.
    let First::Header(header) = Header::parse(&lock.read().unwrap()[..RECORD]) else { panic!("a header") };
    lock.write(0, &Header { boot: "0".repeat(32), ..header }.to_record()).unwrap();
    lock.write(2, &record::empty_record()).unwrap();
    assert!(matches!(lock.find().unwrap(), Found::Stale));
}

#[test]
fn any_content_can_be_read_and_replaced() {
    let (temp, ours) = (Temp::new(), memory());
    let names = temp.names();
    join(&names.lock("a").unwrap(), &ours);
    let good = fs::read(temp.file("a.fabric")).unwrap();
    let mut contents: Vec<Vec<u8>> = (0..good.len()).map(|len| good[..len].to_vec()).collect();
    for (i, seed) in (0..good.len()).zip(0_u32..) {
        let mut damaged = good.clone();
        damaged[i] = (seed.wrapping_mul(2_654_435_761) >> 24) as u8;
        contents.push(damaged);
    }
    contents.extend([vec![0; 10_000], vec![0xff; 1000], b"\n".repeat(1000), b"polyproc 1 memory\n".repeat(100), b"\xc3".to_vec()]);
    for content in contents {
        fs::write(temp.file("a.fabric"), &content).unwrap();
        let lock = names.lock("a").unwrap();
        let found = lock.find();
        assert!(!matches!(&found, Ok(Found::File(_))), "{found:?}");
        let _ = lock.add_member(ours.as_raw_fd());
        drop(lock);
        let lock = names.lock("a").unwrap();
        join(&lock, &ours);
        assert!(matches!(lock.find().unwrap(), Found::Memory(_)));
    }
}

#[test]
fn another_version_is_left_alone() {
    let temp = Temp::new();
    let text = format!("{:<127}\n", "polyproc 2 of another time");
    fs::write(temp.file("a.fabric"), &text).unwrap();
    assert_eq!(kind(temp.names().lock("a").unwrap().find()), ErrorKind::ForeignVersion);
    assert_eq!(temp.names().gc().unwrap(), [""; 0]);
    assert_eq!(fs::read_to_string(temp.file("a.fabric")).unwrap(), text);
}

#[test]
fn a_lock_is_for_one_at_a_time() {
    let (temp, ours) = (Temp::new(), memory());
    let made = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let names = temp.names();
                for _ in 0..50 {
                    let lock = names.lock("a").unwrap();
                    if matches!(lock.find().unwrap(), Found::Absent) {
                        assert_eq!(made.fetch_add(1, Ordering::Relaxed), 0, "two made it");
                        join(&lock, &ours);
                    } else {
                        assert_eq!(made.fetch_sub(1, Ordering::Relaxed), 1, "nobody made it");
                        lock.remove_file().unwrap();
                    }
                }
            });
        }
    });
}

#[test]
fn a_stopped_holder_is_named_and_a_killed_one_is_not_waited_for() {
    let temp = Temp::new();
    let peer = Peer::start("holder", &temp.0);
    peer.wait_for("ready");
    let error = temp.names().lock_within("a", Duration::from_millis(20)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("a.fabric"), "{error}");
    assert!(error.to_string().contains(&format!("process {}", peer.0.id())), "{error}");
    peer.kill();
    assert!(matches!(temp.names().lock("a").unwrap().find().unwrap(), Found::Absent));
    assert_eq!(temp.files(), 0);
}

#[test]
fn a_kill_at_any_time_leaves_a_name_that_works() {
    let (temp, ours) = (Temp::new(), memory());
    for round in 0..12_u64 {
        let peer = Peer::start("churn", &temp.0);
        peer.wait_for("ready");
        // Where in its work the peer is by then is left to chance; it is never waited for.
        thread::sleep(Duration::from_micros(200 * round));
        peer.kill();
        let lock = temp.names().lock("a").unwrap();
        assert!(matches!(lock.find().unwrap(), Found::Absent | Found::Stale));
        lock.create_memory_file().unwrap();
        join(&lock, &ours);
        assert!(matches!(lock.find().unwrap(), Found::Memory(_)));
        lock.remove_member(ours.as_raw_fd()).unwrap();
        assert_eq!(temp.files(), 0);
    }
}
