//! Typed channels of Rust programs: ends inside messages, offers, deaths, and where the crate beneath would panic or wait for ever.

use std::time::{Duration, Instant};

use polyproc_ipc::ErrorKind;
use polyproc_ipc::channel::{Offer, Receiver, Sender, channel, claim};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::watchdog::Watchdog;

use crate::common::{LONG, SHORT, kind};

type Job = (u64, String);

#[test]
fn values_go_through_in_order() {
    let _dog = Watchdog::new(LONG);
    let (sender, receiver) = channel::<Job>().unwrap();
    assert_eq!(kind(receiver.try_recv()), ErrorKind::Empty);
    let before = Instant::now();
    assert_eq!(kind(receiver.recv_timeout(SHORT)), ErrorKind::Timeout);
    assert!(before.elapsed() >= SHORT);
    assert_eq!(kind(receiver.recv_timeout(Duration::from_micros(1))), ErrorKind::Timeout);
    let other = sender.clone();
    sender.send((1, "a".into())).unwrap();
    other.send((2, "b".into())).unwrap();
    drop((sender, other));
    assert_eq!(receiver.recv().unwrap(), (1, "a".into()));
    assert_eq!(receiver.try_recv().unwrap(), (2, "b".into()));
    assert_eq!(kind(receiver.recv()), ErrorKind::Closed);
    assert_eq!(kind(receiver.try_recv()), ErrorKind::Closed);
}

#[test]
fn large_values_and_a_receiver_that_is_gone() {
    let _dog = Watchdog::new(LONG);
    let (sender, receiver) = channel::<Vec<String>>().unwrap();
    let value = vec!["x".repeat(1 << 20); 4];
    let sent = value.clone();
    std::thread::scope(|scope| {
        scope.spawn(|| sender.send(sent).unwrap());
        assert!(receiver.recv().unwrap() == value);
    });
    drop(receiver);
    // A test beside this one may fork, and its child has a copy of the receiver until it ends.
    let refused = std::iter::repeat_with(|| sender.send(vec![])).inspect(|_| std::thread::sleep(Duration::from_millis(1))).find(Result::is_err);
    assert_eq!(kind(refused.unwrap()), ErrorKind::Closed);
}

#[test]
fn ends_travel_in_values() {
    let _dog = Watchdog::new(LONG);
    let (sender, receiver) = channel::<(Sender<u8>, Receiver<Job>)>().unwrap();
    let (answer, answers) = channel().unwrap();
    let (jobs, work) = channel().unwrap();
    sender.send((answer, work)).unwrap();
    jobs.send((9, "before it is received".into())).unwrap();
    let (answer, work) = receiver.recv().unwrap();
    assert_eq!(work.recv().unwrap().0, 9);
    answer.send(7).unwrap();
    assert_eq!(answers.recv().unwrap(), 7);
    drop((answer, work));
    assert_eq!(kind(answers.recv()), ErrorKind::Closed, "no copy is left");
    assert_eq!(kind(jobs.send((1, String::new()))), ErrorKind::Closed);
    assert_eq!(kind(polyproc_ipc::codec::to_vec(&jobs)), ErrorKind::Encode, "not outside of a message");
}

#[test]
fn too_many_ends_are_an_error_and_harm_nothing() {
    let _dog = Watchdog::new(LONG);
    let (sender, receiver) = channel::<Vec<Sender<u8>>>().unwrap();
    let (end, ends) = channel::<u8>().unwrap();
    assert_eq!(kind(sender.send(vec![end.clone(); 64])), ErrorKind::InvalidArgument);
    sender.send(vec![end.clone(); 63]).unwrap();
    let got = receiver.recv().unwrap();
    assert_eq!(got.len(), 63);
    got[62].send(62).unwrap();
    assert_eq!(ends.recv().unwrap(), 62);
    // A receiver can be sent once only.
    let (sender, receiver) = channel::<(u8, Option<Receiver<u8>>)>().unwrap();
    sender.send((1, Some(ends))).unwrap();
    let ends = receiver.recv().unwrap().1.unwrap();
    drop((got, end));
    assert_eq!(kind(ends.recv()), ErrorKind::Closed);
}

#[test]
fn an_offer_that_nobody_claims() {
    let _dog = Watchdog::new(LONG);
    let (sender, receiver) = channel::<u8>().unwrap();
    let mut offer = Offer::new(sender).unwrap();
    let before = Instant::now();
    assert_eq!(kind(offer.accept_timeout(SHORT)), ErrorKind::Timeout);
    assert_eq!(kind(offer.accept_timeout(SHORT)), ErrorKind::Timeout);
    assert!(before.elapsed() >= SHORT * 2);
    let name = offer.name().to_owned();
    assert!(std::path::Path::new(&name).exists());
    offer.into_ends().unwrap().send(3).unwrap();
    assert_eq!(receiver.recv().unwrap(), 3);
    assert!(!std::path::Path::new(&name).exists(), "its thread ended, and with it the file");
    assert_eq!(kind(claim::<Sender<u8>>(&name, LONG)), ErrorKind::NotFound);
    assert_eq!(kind(claim::<Sender<u8>>("a\0b", LONG)), ErrorKind::BadName);
}

#[test]
fn a_claim_waits_no_longer_than_asked() {
    let _dog = Watchdog::new(LONG);
    let (sender, _receiver) = channel::<u8>().unwrap();
    let mut offer = Offer::new(sender).unwrap();
    assert_eq!(kind(claim::<Sender<u8>>(offer.name(), SHORT)), ErrorKind::Timeout);
    // That one is gone when its ends are given.
    assert_eq!(kind(offer.accept_timeout(LONG)), ErrorKind::Closed);
    assert_eq!(kind(offer.accept_timeout(LONG)), ErrorKind::Closed, "and the offer is over");
}

#[test]
fn a_child_claims_and_is_killed_in_the_middle_of_a_message() {
    let _dog = Watchdog::new(LONG);
    let (sender, receiver) = channel::<Vec<u8>>().unwrap();
    let mut offer = Offer::new(sender.clone()).unwrap();
    let mut peer = Peer::spawn("channel::claims", &[("OFFER", offer.name())]);
    offer.accept_timeout(LONG).unwrap();
    assert_eq!(receiver.recv().unwrap(), b"hello");
    let thread = peer.wait_line(LONG);
    // It waits for room: the message is larger than any buffer.
    until_asleep(&format!("/proc/{}/task/{thread}/stat", peer.pid()));
    peer.kill();
    assert_eq!(kind(receiver.recv()), ErrorKind::Corrupt);
    sender.send(vec![1]).unwrap();
    assert_eq!(receiver.recv().unwrap(), [1], "the others go on");
    drop(sender);
    assert_eq!(kind(receiver.recv()), ErrorKind::Closed);
}

/// Until the thread sleeps.
fn until_asleep(stat: &str) {
    let deadline = Instant::now() + LONG;
    while std::fs::read_to_string(stat).unwrap().rsplit_once(") ").is_none_or(|(_, state)| !state.starts_with('S')) {
        assert!(Instant::now() < deadline, "it never sleeps");
        std::thread::yield_now();
    }
}

#[test]
#[ignore = "a role"]
fn claims() {
    if !peer::is("channel::claims") {
        return;
    }
    let sender: Sender<Vec<u8>> = claim(&peer::arg("OFFER"), LONG).unwrap();
    sender.send(b"hello".to_vec()).unwrap();
    peer::say(&rustix::thread::gettid().as_raw_nonzero().to_string());
    sender.send(vec![2; 4 << 20]).unwrap();
    unreachable!("nobody receives it all");
}
