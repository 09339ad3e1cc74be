//! Listeners and clients: keys, strangers, the files of sockets, and CPython as the other side.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use polyproc_ipc::{Address, Connection, ErrorKind, Framing, Listener, Peering, Result, connect, connect_timeout, wait};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::temp::TempDir;
use polyproc_testkit::watchdog::Watchdog;

use crate::common::{Dice, LONG, SHORT, kind, play};

fn terms() -> Peering {
    Peering::new().authkey(b"the key")
}

fn here(dir: &TempDir) -> Address {
    Address::Unix(dir.path().join("s"))
}

fn local() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// Connects in a thread, to be joined after an accept.
fn client(listener: &Listener, terms: &Peering) -> thread::JoinHandle<Result<Connection>> {
    let (address, terms) = (listener.address().clone(), terms.clone());
    thread::spawn(move || connect(&address, &terms))
}

/// A bare stream to the listener.
fn stranger(listener: &Listener) -> UnixStream {
    let Address::Unix(path) = listener.address() else { panic!("a Unix socket") };
    UnixStream::connect(path).unwrap()
}

#[test]
fn with_a_key_and_without_over_unix_and_tcp() {
    let _dog = Watchdog::new(LONG);
    let dir = TempDir::new("meet");
    for terms in [Peering::new(), terms(), terms().framing(Framing::Reference)] {
        for address in [here(&dir), local().into()] {
            let listener = Listener::bind(address, &terms).unwrap();
            let other = client(&listener, &terms);
            let mine = listener.accept().unwrap();
            let other = other.join().unwrap().unwrap();
            let message = vec![5; 1 << 20];
            thread::scope(|scope| {
                scope.spawn(|| other.send_bytes(&message).unwrap());
                assert!(mine.recv_bytes().unwrap() == message);
            });
            mine.send_bytes(b"back").unwrap();
            assert_eq!(other.recv_bytes().unwrap(), b"back");
            match listener.address() {
                Address::Tcp(address) => {
                    assert!(address.port() != 0 && matches!(listener.last_accepted(), Some(Address::Tcp(from)) if from != *address));
                    assert_eq!(kind(mine.send_with(b"", &[std::os::fd::AsFd::as_fd(&other)])), ErrorKind::Unsupported);
                }
                _ => assert_eq!(listener.last_accepted(), None),
            }
            drop(other);
            assert_eq!(kind(mine.recv_bytes()), ErrorKind::Closed);
        }
    }
}

#[test]
fn who_has_another_key_stays_outside() {
    let _dog = Watchdog::new(LONG);
    let listener = Listener::private(&terms()).unwrap();
    let wrong = client(&listener, &Peering::new().authkey(b"another key"));
    assert_eq!(kind(listener.accept_timeout(SHORT * 5)), ErrorKind::Timeout);
    assert_eq!(kind(wrong.join().unwrap()), ErrorKind::NotAuthenticated);
    let right = client(&listener, &terms());
    listener.accept().unwrap();
    right.join().unwrap().unwrap();

    let listener = Listener::private(&terms().report_refused(true)).unwrap();
    let wrong = client(&listener, &Peering::new().authkey(b"another key"));
    assert_eq!(kind(listener.accept()), ErrorKind::NotAuthenticated);
    assert_eq!(kind(wrong.join().unwrap()), ErrorKind::NotAuthenticated);
}

#[test]
fn a_stranger_who_hangs_holds_up_nobody() {
    let _dog = Watchdog::new(LONG);
    let listener = Listener::private(&terms().handshake_time(LONG).backlog(100)).unwrap();
    let mut strangers: Vec<_> = (0..20).map(|_| stranger(&listener)).collect();
    strangers[0].write_all(&[3, 0]).unwrap();
    let right = client(&listener, &terms());
    listener.accept().unwrap();
    right.join().unwrap().unwrap();

    let listener = Listener::private(&terms().handshake_time(SHORT).report_refused(true)).unwrap();
    let _stranger = stranger(&listener);
    assert_eq!(kind(listener.accept()), ErrorKind::NotAuthenticated, "its time is over");
}

#[test]
fn a_listener_without_key_keeps_a_client_with_key_no_longer_than_the_handshake() {
    let _dog = Watchdog::new(LONG);
    let listener = Listener::private(&Peering::new()).unwrap();
    let before = Instant::now();
    assert_eq!(kind(connect(listener.address(), &terms().handshake_time(SHORT))), ErrorKind::Timeout);
    assert!(before.elapsed() >= SHORT);
    assert_eq!(kind(connect_timeout(listener.address(), &terms(), SHORT)), ErrorKind::Timeout);
}

#[test]
fn any_bytes_at_the_door_are_answered() {
    let _dog = Watchdog::new(LONG);
    let listener = Listener::private(&terms().allow_md5(true).handshake_time(SHORT).backlog(1000)).unwrap();
    let mut dice = Dice(5);
    for _ in 0..300 {
        let mut stranger = stranger(&listener);
        for _ in 0..dice.below(3) {
            let mut bytes: Vec<u8> = (0..dice.below(80)).map(|_| dice.roll() as u8).collect();
            if dice.below(2) == 0 {
                // A frame that can be, with something like an answer in it.
                let start = *dice.pick(&[b"{sha256}".as_slice(), b"{md5}", b"#CHALLENGE#", b"#WELCOME#", b"{", b""]);
                bytes = [start, &bytes].concat();
                bytes = [&(bytes.len() as u64).to_le_bytes(), bytes.as_slice()].concat();
            }
            let _ = stranger.write_all(&bytes);
        }
        if dice.below(2) == 0 {
            assert_eq!(kind(listener.accept_timeout(Duration::ZERO)), ErrorKind::Timeout);
        }
    }
    // A time that is short for strangers can be too short for a friend on a busy machine, who comes again then.
    let friend = thread::spawn({
        let address = listener.address().clone();
        move || while connect(&address, &terms()).is_err_and(|error| error.kind() == ErrorKind::NotAuthenticated) {}
    });
    listener.accept().unwrap();
    drop(listener);
    friend.join().unwrap();
}

#[test]
fn an_accept_goes_on_where_its_time_ran_out() {
    let _dog = Watchdog::new(LONG);
    let listener = Listener::private(&terms()).unwrap();
    assert_eq!(wait(&[&listener], Some(SHORT)).unwrap(), []);
    let other = client(&listener, &terms());
    // Each wait ends for the client's next step, although none of the accepts waits for it.
    let mine = loop {
        assert_eq!(wait(&[&listener], Some(LONG)).unwrap(), [0]);
        match listener.accept_timeout(Duration::ZERO) {
            Ok(connection) => break connection,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Timeout),
        }
    };
    mine.send(&1).unwrap();
    assert_eq!(other.join().unwrap().unwrap().recv::<u8>().unwrap(), 1);
    assert_eq!(wait(&[&listener], Some(SHORT)).unwrap(), [], "who was let in is at the door no more");
}

#[test]
fn nobody_listens_and_nobody_accepts() {
    let _dog = Watchdog::new(LONG);
    let dir = TempDir::new("meet");
    assert_eq!(kind(connect(&here(&dir), &terms())), ErrorKind::NotFound);
    let long = dir.path().join("x".repeat(200));
    assert_eq!(kind(connect(&long.as_path().into(), &terms())), ErrorKind::InvalidArgument);
    assert_eq!(kind(Listener::bind(long, &terms())), ErrorKind::InvalidArgument);
    let listener = Listener::bind(here(&dir), &Peering::new().backlog(0)).unwrap();
    let _waiting = stranger(&listener);
    let before = Instant::now();
    assert_eq!(kind(connect_timeout(listener.address(), &Peering::new(), SHORT)), ErrorKind::Timeout);
    assert!(before.elapsed() >= SHORT);
    let address = listener.address().clone();
    drop(listener);
    assert_eq!(kind(connect(&address, &terms())), ErrorKind::NotFound);
}

#[test]
fn close_ends_who_accepts_and_removes_the_file() {
    let _dog = Watchdog::new(LONG);
    let dir = TempDir::new("meet");
    let listener = Listener::bind(here(&dir), &terms()).unwrap();
    assert_eq!(kind(Listener::bind(here(&dir), &terms())), ErrorKind::AlreadyExists);
    thread::scope(|scope| {
        let acceptor = scope.spawn(|| kind(listener.accept()));
        drop(stranger(&listener));
        listener.close().unwrap();
        listener.close().unwrap();
        assert_eq!(acceptor.join().unwrap(), ErrorKind::Closed);
    });
    assert!(listener.is_closed() && !dir.path().join("s").exists());
    assert_eq!(kind(wait(&[&listener], None)), ErrorKind::Closed);

    // The file of another listener at the same path is not removed.
    let first = Listener::bind(here(&dir), &terms()).unwrap();
    fs::rename(dir.path().join("s"), dir.path().join("t")).unwrap();
    let _second = Listener::bind(here(&dir), &terms()).unwrap();
    drop(first);
    assert!(dir.path().join("s").exists());
}

#[test]
fn a_private_place_is_private_and_goes() {
    let _dog = Watchdog::new(LONG);
    let listener = Listener::private(&terms()).unwrap();
    let Address::Unix(path) = listener.address().clone() else { panic!("a Unix socket") };
    let place = path.parent().unwrap();
    assert_eq!(fs::metadata(place).unwrap().permissions().mode() & 0o777, 0o700);
    let _other = Listener::private(&terms()).unwrap();
    assert!(place.exists(), "a place in use is not collected");
    drop(listener);
    assert!(!place.exists());
}

#[test]
fn the_place_of_a_killed_listener_goes_with_the_next() {
    let _dog = Watchdog::new(LONG);
    let dir = TempDir::new("meet");
    let mut peer = Peer::spawn("pipe_meet::listens", &[("POLYPROC_DIR", dir.path().to_str().unwrap())]);
    let path = peer.wait_line(LONG);
    assert_eq!(kind(connect_timeout(&Path::new(&path).into(), &terms(), SHORT)), ErrorKind::Timeout, "it lives, and does not accept");
    peer.kill();
    assert!(Path::new(&path).exists());
    play("pipe_meet::listens_and_ends", dir.path());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
#[ignore = "a role"]
fn listens() {
    if peer::is("pipe_meet::listens") {
        let listener = Listener::private(&terms()).unwrap();
        peer::say(&listener.address().to_string());
        peer::park();
    }
}

#[test]
#[ignore = "a role"]
fn listens_and_ends() {
    if peer::is("pipe_meet::listens_and_ends") {
        drop(Listener::private(&terms()).unwrap());
    }
}

/// A python of this system that runs `script`, and whether it is older than 3.12 and knows MD5 only; none if there is no python.
fn python(script: &str, argument: &str) -> Option<(Python, bool)> {
    let name = std::env::var("POLYPROC_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let version =
        Command::new(&name).args(["-c", "import multiprocessing.connection, sys; print(sys.version_info >= (3, 12))"]).stderr(Stdio::null()).output().ok();
    let Some(version) = version.filter(|version| version.status.success()) else {
        println!("skipped: there is no {name} with multiprocessing");
        return None;
    };
    let old = String::from_utf8_lossy(&version.stdout).trim() == "False";
    let child = Command::new(&name).args(["-c", script, argument]).stdin(Stdio::null()).spawn().expect("python starts");
    Some((Python(child), old))
}

struct Python(Child);

impl Python {
    fn ends_well(mut self) {
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn as_in_python(old: bool) -> Peering {
    terms().framing(Framing::Reference).allow_md5(old)
}

#[test]
fn cpython_connects() {
    let _dog = Watchdog::new(LONG * 2);
    let script = "
import sys
from multiprocessing.connection import Client, wait
c = Client(sys.argv[1], authkey=b'the key')
c.send_bytes(b'from python')
assert c.recv_bytes() == b'x' * 1000000
c.send_bytes(b'')
c.send_bytes(b'y' * 70000)
assert c.poll(None) and wait([c]) == [c]
try: c.recv_bytes()
except EOFError: c.close()
";
    let dir = TempDir::new("meet");
    let listener = Listener::bind(here(&dir), &as_in_python(true)).unwrap();
    let Address::Unix(path) = listener.address() else { panic!("a Unix socket") };
    let Some((python, old)) = python(script, path.to_str().unwrap()) else { return };
    let c = listener.accept().unwrap();
    assert_eq!(c.recv_bytes().unwrap(), b"from python");
    c.send_bytes(&vec![b'x'; 1_000_000]).unwrap();
    assert_eq!(c.recv_bytes().unwrap(), b"");
    assert_eq!(c.recv_bytes().unwrap(), vec![b'y'; 70_000]);
    drop(c);
    python.ends_well();

    // And who does not allow MD5 refuses an old one, but no new one.
    drop(listener);
    let listener = Listener::bind(here(&dir), &as_in_python(false).report_refused(true)).unwrap();
    let script = "
import sys
from multiprocessing.connection import Client
from multiprocessing import AuthenticationError
try: Client(sys.argv[1], authkey=b'the key')
except (AuthenticationError, EOFError, ConnectionResetError): sys.exit(0 if sys.version_info < (3, 12) else 3)
";
    let (python, _) = self::python(script, dir.path().join("s").to_str().unwrap()).expect("python is there still");
    assert_eq!(listener.accept().map(drop).map_err(|error| error.kind()), if old { Err(ErrorKind::NotAuthenticated) } else { Ok(()) });
    python.ends_well();
}

#[test]
fn cpython_listens() {
    let _dog = Watchdog::new(LONG * 2);
    let script = "
import sys
from multiprocessing.connection import Listener
from multiprocessing import AuthenticationError
with Listener(sys.argv[1], authkey=b'the key') as l:
    try: l.accept(); sys.exit(2)
    except AuthenticationError: pass
    with l.accept() as c:
        while True:
            try: c.send_bytes(c.recv_bytes())
            except EOFError: break
";
    let dir = TempDir::new("meet");
    let path = dir.path().join("s");
    let Some((python, old)) = python(script, path.to_str().unwrap()) else { return };
    let address = Address::from(path);
    let wrong = as_in_python(old).authkey(b"another key");
    while connect(&address, &wrong).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        thread::yield_now();
    }
    let c = connect(&address, &as_in_python(old)).unwrap();
    for len in [0, 1, 16_384, 16_385, 3_000_000] {
        let message = vec![7; len];
        thread::scope(|scope| {
            scope.spawn(|| c.send_bytes(&message).unwrap());
            assert!(c.recv_bytes().unwrap() == message, "{len}");
        });
    }
    drop(c);
    python.ends_well();
}
