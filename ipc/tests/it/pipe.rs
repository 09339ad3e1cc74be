//! Connections: messages of all sizes, threads, time-outs, descriptors and connections inside messages, children as the other side.
#![allow(unsafe_code)]

use std::io::Read;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use polyproc_ipc::{Connection, ErrorKind, Framing, pipe, pipe_one_way, wait};
use polyproc_testkit::peer::{self, Builder, Peer};
use polyproc_testkit::watchdog::{Watchdog, watchdog};

use crate::common::{LONG, SHORT, kind};
use crate::fork::{ended_well, in_child};

/// The number under which a peer inherits its side.
const HANDED: i32 = 41;

fn peer_with<'a>(side: &'a Connection, role: &str) -> Builder<'a> {
    Peer::builder(role).fd(side.as_fd(), HANDED)
}

/// In a peer: the side that it inherited.
fn inherited() -> Connection {
    // SAFETY: the starter of this peer put a descriptor there, and nothing else here knows of it.
    Connection::from_fd(unsafe { OwnedFd::from_raw_fd(HANDED) }).expect("the inherited side")
}

#[test]
fn messages_of_all_sizes() {
    let _dog = Watchdog::new(LONG * 5);
    let (a, b) = pipe().unwrap();
    for len in [0, 1, 7, 8, 4096, 65_536, 1 << 20, 300 << 20] {
        let message: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        thread::scope(|scope| {
            scope.spawn(|| a.send_bytes(&message).unwrap());
            assert!(b.recv_bytes().unwrap() == message, "{len} bytes");
        });
    }
    b.send_bytes(b"").unwrap();
    assert_eq!(a.recv_bytes_into(&mut []).unwrap(), 0);
}

#[test]
#[ignore = "takes more than 2 GiB of memory; run it by name"]
fn a_message_longer_than_any_i32() {
    let (a, b) = pipe().unwrap();
    for framing in [Framing::Native, Framing::Reference] {
        let (a, b) =
            (Connection::from_fd(a.duplicate_fd().unwrap()).unwrap().framed(framing), Connection::from_fd(b.duplicate_fd().unwrap()).unwrap().framed(framing));
        let message = vec![0; (2 << 30) + 5];
        thread::scope(|scope| {
            scope.spawn(|| a.send_bytes(&message).unwrap());
            assert_eq!(b.recv_bytes().unwrap().len(), message.len());
        });
    }
}

#[test]
fn messages_of_many_threads_do_not_mix() {
    let _dog = Watchdog::new(LONG);
    let (a, b) = pipe().unwrap();
    let total = thread::scope(|scope| {
        for thread in 0..4_u8 {
            let a = &a;
            scope.spawn(move || (0..100_usize).for_each(|i| a.send_bytes(&vec![thread; i * 997]).unwrap()));
        }
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut bytes = 0;
                    for _ in 0..200 {
                        let message = b.recv_bytes().unwrap();
                        assert!(message.iter().all(|&byte| byte == message[0]));
                        bytes += message.len();
                    }
                    bytes
                })
            })
            .collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).sum::<usize>()
    });
    assert_eq!(total, 4 * 997 * 99 * 100 / 2);
}

#[test]
fn time_outs_change_nothing() {
    let _dog = Watchdog::new(LONG);
    let (a, b) = pipe().unwrap();
    let before = Instant::now();
    assert_eq!(kind(b.recv_bytes_timeout(SHORT)), ErrorKind::Timeout);
    assert!(before.elapsed() >= SHORT);
    assert!(!b.poll(Some(Duration::ZERO)).unwrap());
    let mut sent = 0_u64;
    let error = loop {
        match a.send_timeout(&sent, SHORT) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(sent > 10 && b.poll(None).unwrap());
    assert_eq!((0..sent).find(|&i| b.recv::<u64>().unwrap() != i), None);
    a.send_timeout(&"more", SHORT).unwrap();
    assert_eq!(b.recv_timeout::<String>(LONG).unwrap(), "more");
}

#[test]
fn a_turn_is_waited_for_no_longer_than_asked() {
    let _dog = Watchdog::new(LONG);
    let (a, b) = pipe().unwrap();
    thread::scope(|scope| {
        let reader = scope.spawn(|| b.recv_bytes().unwrap());
        while b.duplicate_fd().is_ok() {
            thread::yield_now(); // until the other thread has its turn
        }
        assert_eq!(kind(b.recv_bytes_timeout(SHORT)), ErrorKind::Timeout);
        a.send_bytes(b"x").unwrap();
        assert_eq!(reader.join().unwrap(), b"x");
    });
}

#[test]
fn what_is_too_long_is_not_lost() {
    let (a, b) = pipe().unwrap();
    a.send_bytes(&[7; 1000]).unwrap();
    let error = b.recv_bytes_max(999).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("1000"), "{error}");
    assert_eq!(b.recv_bytes_max(1000).unwrap(), [7; 1000]);

    a.send(&"a value").unwrap();
    let error = b.recv_bytes_into(&mut [0; 3]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(polyproc_ipc::codec::decode::<String>(&error.into_message().unwrap()).unwrap(), "a value");
    let mut buffer = [0; 8];
    a.send_bytes(b"next").unwrap();
    assert_eq!(b.recv_bytes_into(&mut buffer).unwrap(), 4);
    assert_eq!(&buffer[..5], b"next\0");

    let b = b.limited(10);
    a.send_bytes(&[1; 11]).unwrap();
    assert_eq!(kind(b.recv_bytes()), ErrorKind::TooLarge);
    assert_eq!(b.recv_bytes_max(11).unwrap().len(), 11);
}

#[test]
fn a_message_of_another_kind_comes_with_the_error() {
    let (a, b) = pipe().unwrap();
    a.send_bytes(b"raw").unwrap();
    let error = b.recv::<String>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(&*error.into_message().unwrap(), b"raw");
    a.send(&5_u8).unwrap();
    let error = b.recv::<String>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(polyproc_ipc::codec::decode::<u8>(&error.into_message().unwrap()).unwrap(), 5);
    a.send(&6_u8).unwrap();
    assert_eq!(b.recv_message(None).unwrap().codec(), polyproc_ipc::codec::MESSAGEPACK);
}

#[test]
fn one_way() {
    let (receiver, sender) = pipe_one_way().unwrap();
    assert_eq!(kind(receiver.send_bytes(b"x")), ErrorKind::InvalidArgument);
    assert_eq!(kind(sender.recv_bytes()), ErrorKind::InvalidArgument);
    sender.send_bytes(b"x").unwrap();
    assert_eq!(wait(&[&receiver, &sender], Some(LONG)).unwrap(), [0]);
    // As a child sees them, who knows nothing but the descriptors.
    let bare = Connection::from_fd(receiver.duplicate_fd().unwrap()).unwrap();
    assert_eq!(kind(bare.send_bytes(b"x")), ErrorKind::Closed);
    drop((bare, receiver));
    assert_eq!(wait(&[&sender], Some(LONG)).unwrap(), [0]);
    assert_eq!(kind(sender.send_bytes(b"x")), ErrorKind::Closed);
}

#[test]
fn an_os_pipe_is_a_connection_too() {
    let _dog = Watchdog::new(LONG);
    let (reader, writer) = std::io::pipe().unwrap();
    let (reader, writer) = (Connection::from_fd(reader.into()).unwrap(), Connection::from_fd(writer.into()).unwrap());
    assert!(!reader.is_writable() && !writer.is_readable());
    assert_eq!(kind(reader.recv_bytes_timeout(SHORT)), ErrorKind::Timeout);
    let message = vec![9; 1 << 20];
    thread::scope(|scope| {
        scope.spawn(|| writer.send_bytes(&message).unwrap());
        assert!(reader.recv_bytes().unwrap() == message);
    });
    assert_eq!(kind(writer.send_with(b"x", &[reader.as_fd()])), ErrorKind::Unsupported);
    while writer.send_bytes_timeout(&[1; 100], Duration::ZERO).is_ok() {}
    assert_eq!(kind(writer.send_bytes_timeout(&[1; 100], SHORT)), ErrorKind::Timeout);
    assert_eq!(reader.recv_bytes().unwrap(), [1; 100]);
    drop(reader);
    assert_eq!(kind(writer.send_bytes(b"x")), ErrorKind::Closed);
}

#[test]
fn close_is_seen_by_who_waits_and_by_the_other_side() {
    let _dog = Watchdog::new(LONG);
    let (a, b) = pipe().unwrap();
    thread::scope(|scope| {
        let reader = scope.spawn(|| kind(a.recv_bytes()));
        let waiter = scope.spawn(|| kind(wait(&[&a], None)));
        while a.duplicate_fd().is_ok() {
            thread::yield_now();
        }
        a.close().unwrap();
        a.close().unwrap();
        assert_eq!(reader.join().unwrap(), ErrorKind::Closed);
        assert_eq!(waiter.join().unwrap(), ErrorKind::Closed);
    });
    assert!(a.is_closed());
    assert_eq!(kind(a.send_bytes(b"x")), ErrorKind::Closed);
    assert_eq!(kind(a.into_fd()), ErrorKind::Closed);
    assert_eq!(kind(b.recv_bytes()), ErrorKind::Closed);
}

#[test]
fn descriptors_go_along() {
    let (a, b) = pipe().unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    a.send_with(b"two", &[writer.as_fd(), writer.as_fd()]).unwrap();
    let (message, descriptors) = b.recv_with(Some(LONG)).unwrap();
    assert_eq!((&*message, descriptors.len()), (b"two".as_slice(), 2));
    for fd in &descriptors {
        assert!(rustix::io::fcntl_getfd(fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    }
    rustix::io::write(&descriptors[1], b"through").unwrap();
    drop(descriptors);

    // A plain receive closes them: the last writer is gone after it.
    a.send_with(&vec![1; 100_000], &[writer.as_fd(); 253]).unwrap();
    drop(writer);
    assert_eq!(b.recv_bytes_into(&mut vec![0; 100_000]).unwrap(), 100_000);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "through");
    assert_eq!(kind(a.send_with(b"", &[reader.as_fd(); 254])), ErrorKind::InvalidArgument);
    a.send_with(b"", &[reader.as_fd()]).unwrap();
    assert_eq!(b.recv_with(None).unwrap().1.len(), 1);
}

#[test]
fn descriptors_for_which_there_is_no_number_left() {
    watchdog(LONG, || assert!(Peer::spawn("pipe::has_no_numbers", &[]).wait(LONG).success()));
}

#[test]
#[ignore = "a role"]
fn has_no_numbers() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    if !peer::is("pipe::has_no_numbers") {
        return;
    }
    let (a, b) = pipe().unwrap();
    a.send_with(b"with five", &[a.as_fd(); 5]).unwrap();
    a.send_with(b"with one", &[a.as_fd()]).unwrap();
    // The lowest free number, and one more, are all that is left.
    let free = a.duplicate_fd().unwrap();
    let limit = std::os::fd::AsRawFd::as_raw_fd(&free) as u64 + 2;
    drop(free);
    setrlimit(Resource::Nofile, Rlimit { current: Some(limit), maximum: getrlimit(Resource::Nofile).maximum }).unwrap();
    let error = b.recv_with(Some(LONG)).unwrap_err();
    assert_eq!((error.kind(), error.os_error()), (ErrorKind::Os, Some(libc::EMFILE)));
    assert_eq!(&*error.into_message().unwrap(), b"with five");
    let (message, descriptors) = b.recv_with(Some(LONG)).unwrap();
    assert_eq!((&*message, descriptors.len()), (b"with one".as_slice(), 1), "what came of the five was closed");
}

#[test]
fn threads_may_share_all_of_it() {
    fn shared<T: Send + Sync>() {}
    shared::<Connection>();
    shared::<polyproc_ipc::Listener>();
    shared::<polyproc_ipc::channel::Sender<Vec<u8>>>();
}

#[test]
fn connections_travel_in_values() {
    let (a, b) = pipe().unwrap();
    let (receiver, sender) = pipe_one_way().unwrap();
    let (c, d) = pipe().unwrap();
    a.send(&vec![("one", sender), ("two", c)]).unwrap();
    let mut got: Vec<(String, Connection)> = b.recv().unwrap();
    let (c, sender) = (got.pop().unwrap().1, got.pop().unwrap().1);
    assert!(!sender.is_readable() && c.is_readable());
    sender.send(&1).unwrap();
    assert_eq!(receiver.recv::<u8>().unwrap(), 1);
    c.send(&2).unwrap();
    assert_eq!(d.recv::<u8>().unwrap(), 2);
    drop((sender, c));
    assert_eq!(kind(receiver.recv_bytes()), ErrorKind::Closed, "no copy is left");
    assert_eq!(kind(d.recv_bytes()), ErrorKind::Closed);

    assert_eq!(kind(polyproc_ipc::codec::to_vec(&d)), ErrorKind::Encode, "not outside of a message");
    a.send(&Some(&receiver)).unwrap();
    let bytes = b.recv_bytes().unwrap();
    assert_eq!(bytes, [0xd5, 7, 0, 1], "extension type 7");
    a.send_encoded(&bytes, polyproc_ipc::codec::MESSAGEPACK, None).unwrap();
    assert_eq!(kind(b.recv::<Connection>()), ErrorKind::Decode, "no descriptor came");
    a.send_bytes_timeout(b"goes on", LONG).unwrap();
    assert_eq!(b.recv_bytes().unwrap(), b"goes on");
}

#[test]
fn wait_tells_all_that_are_ready() {
    let _dog = Watchdog::new(LONG);
    let (a, b) = pipe().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let reader = OwnedFd::from(reader);
    let before = Instant::now();
    assert_eq!(wait(&[&b, &reader], Some(SHORT)).unwrap(), []);
    assert!(before.elapsed() >= SHORT);
    assert_eq!(kind(wait(&[], None)), ErrorKind::InvalidArgument);
    assert_eq!(wait(&[], Some(SHORT)).unwrap(), []);
    thread::scope(|scope| {
        scope.spawn(|| a.send_bytes(b"x").unwrap());
        assert_eq!(wait(&[&reader, &b], None).unwrap(), [1]);
    });
    drop(writer);
    assert_eq!(wait(&[&b, &reader, &b.as_fd(), &a], None).unwrap(), [0, 1, 2]);
    a.close().unwrap();
    assert_eq!(kind(wait(&[&a], None)), ErrorKind::Closed);
}

#[test]
fn a_child_as_the_other_side() {
    let _dog = Watchdog::new(LONG);
    let (mine, theirs) = pipe().unwrap();
    let mut peer = peer_with(&theirs, "pipe::answers").start();
    drop(theirs);
    let (answers, back) = pipe().unwrap();
    mine.send(&("count", back)).unwrap();
    assert_eq!(answers.recv::<usize>().unwrap(), 5);
    assert_eq!(kind(answers.recv::<usize>()), ErrorKind::Closed, "the only other holder dropped it");
    drop(mine);
    peer.expect("END", LONG);
    assert!(peer.wait(LONG).success());
}

#[test]
#[ignore = "a role"]
fn answers() {
    if !peer::is("pipe::answers") {
        return;
    }
    let _dog = Watchdog::new(LONG);
    let side = inherited();
    let (text, back): (String, Connection) = side.recv().unwrap();
    back.send(&text.len()).unwrap();
    drop(back);
    assert_eq!(kind(side.recv_bytes()), ErrorKind::Closed);
    peer::say("END");
}

#[test]
fn a_child_killed_in_the_middle_of_a_message() {
    let _dog = Watchdog::new(LONG);
    let (mine, theirs) = pipe().unwrap();
    let mut peer = peer_with(&theirs, "pipe::sends_much").start();
    drop(theirs);
    assert_eq!(mine.recv_bytes().unwrap(), b"whole");
    assert_eq!(kind(mine.recv_bytes_timeout(SHORT)), ErrorKind::Timeout, "the second message is begun and not finished");
    peer.kill();
    assert_eq!(kind(mine.recv_bytes()), ErrorKind::Corrupt);
    assert_eq!(kind(mine.recv_bytes()), ErrorKind::Closed);
    assert_eq!(kind(mine.send_bytes(b"x")), ErrorKind::Closed);
}

#[test]
#[ignore = "a role"]
fn sends_much() {
    if !peer::is("pipe::sends_much") {
        return;
    }
    let side = inherited();
    side.send_bytes(b"whole").unwrap();
    // As a send leaves the stream that is killed in the middle: the header of 64 MiB, and some of them.
    rustix::io::write(&side, &(64_u64 << 20).to_le_bytes()).unwrap();
    rustix::io::write(&side, &[1; 1000]).unwrap();
    peer::park();
}

#[test]
fn a_child_killed_while_it_is_sent_to() {
    let _dog = Watchdog::new(LONG);
    let (mine, theirs) = pipe().unwrap();
    let mut peer = peer_with(&theirs, "pipe::takes_nothing").start();
    drop(theirs);
    peer.expect("HERE", LONG);
    thread::scope(|scope| {
        let sender = scope.spawn(|| kind(mine.send_bytes(&vec![1; 8 << 20])));
        assert_eq!(kind(mine.recv_bytes_timeout(SHORT)), ErrorKind::Timeout);
        peer.kill();
        assert_eq!(sender.join().unwrap(), ErrorKind::Closed);
    });
    assert_eq!(kind(mine.recv_bytes()), ErrorKind::Closed);
}

#[test]
#[ignore = "a role"]
fn takes_nothing() {
    if peer::is("pipe::takes_nothing") {
        let _side = inherited();
        peer::say("HERE");
        peer::park();
    }
}

#[test]
fn a_fork_while_a_thread_receives() {
    watchdog(LONG, || assert!(Peer::spawn("pipe::forks", &[]).wait(LONG).success()));
}

#[test]
#[ignore = "a role"]
fn forks() {
    if !peer::is("pipe::forks") {
        return;
    }
    let _dog = Watchdog::new(LONG);
    let (a, b) = pipe().unwrap();
    thread::scope(|scope| {
        let reader = scope.spawn(|| a.recv_bytes().unwrap());
        while a.duplicate_fd().is_ok() {
            thread::yield_now();
        }
        // In the child, nobody has the turn that the parent's thread has.
        let child = in_child(|| {
            assert_eq!(kind(a.recv_bytes_timeout(SHORT)), ErrorKind::Timeout);
            a.send_bytes(b"from the child").unwrap();
            a.close().unwrap();
        });
        ended_well(child);
        assert_eq!(b.recv_bytes().unwrap(), b"from the child");
        b.send_bytes(b"to the parent").unwrap();
        assert_eq!(reader.join().unwrap(), b"to the parent", "the child's close is the child's own");
    });
}

#[test]
fn signals_end_no_wait() {
    watchdog(LONG, || assert!(Peer::spawn("pipe::is_signalled", &[]).wait(LONG).success()));
}

#[test]
#[ignore = "a role"]
fn is_signalled() {
    extern "C" fn nothing(_: libc::c_int) {}
    if !peer::is("pipe::is_signalled") {
        return;
    }
    let _dog = Watchdog::new(LONG);
    // SAFETY: a handler that does nothing, without SA_RESTART, so that every call that waits is interrupted.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
    }
    let (a, b) = pipe().unwrap();
    // SAFETY: asks for this thread's own name.
    let main = unsafe { libc::pthread_self() } as usize;
    let done = std::sync::atomic::AtomicBool::new(false);
    let message = vec![3; 2 << 20];
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                // SAFETY: the thread lives: it joins this one.
                unsafe { libc::pthread_kill(main as libc::pthread_t, libc::SIGUSR1) };
                thread::yield_now();
            }
        });
        let before = Instant::now();
        assert_eq!(kind(b.recv_bytes_timeout(SHORT)), ErrorKind::Timeout);
        assert_eq!(wait(&[&b], Some(SHORT)).unwrap(), []);
        assert!(before.elapsed() >= SHORT * 2);
        let message = &message;
        scope.spawn(|| a.send_bytes(message).unwrap());
        assert!(b.recv_bytes().unwrap() == *message);
        let other = scope.spawn(|| a.recv_bytes().unwrap());
        b.send_bytes(message).unwrap();
        assert!(other.join().unwrap() == *message);
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
