//! The user's lock: exclusion between processes and threads, owners that die, time-outs, release by others, names and destruction.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use polyproc_ipc::{Acquired, BytesQueue, ErrorKind, Fabric, Lock, LockError};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::temp::TempDir;
use polyproc_testkit::watchdog::watchdog;

use crate::common::{LONG, SHORT, add_to_pair, inherited, kind, pair_of, peer_in, small, whole};

const PEERS: u64 = 3;
const TURNS: u64 = 3000;

#[test]
fn at_most_one_is_inside() {
    watchdog(LONG, || {
        let (fabric, dir) = (small(), TempDir::new("lock"));
        let lock = Lock::create(&fabric, "pair").unwrap();
        let path = dir.path().join("pair");
        std::fs::write(&path, [0; 16]).unwrap();
        let mut peers: Vec<Peer> = (0..PEERS).map(|_| peer_in(&fabric, "lock::adder").arg("PAIR", path.to_str().unwrap()).start()).collect();
        let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..TURNS {
                        let _inside = lock.lock().unwrap();
                        add_to_pair(&file);
                    }
                });
            }
        });
        peers.iter_mut().for_each(|peer| assert!(peer.wait(LONG).success()));
        assert_eq!(pair_of(&file), [(PEERS + 2) * TURNS; 2]);
        assert!(!lock.locked());
        whole(&fabric);
    });
}

#[test]
#[ignore = "a role"]
fn adder() {
    if peer::is("lock::adder") {
        let lock = Lock::open(&inherited(), "pair").unwrap();
        let file = std::fs::OpenOptions::new().read(true).write(true).open(peer::arg("PAIR")).unwrap();
        for turn in 0..TURNS {
            // By all the ways in.
            match turn % 3 {
                0 => drop(lock.lock().unwrap()),
                1 => while lock.try_lock().map(|_inside| add_to_pair(&file)).is_err() {},
                _ => while lock.lock_timeout(Duration::from_micros(50)).map(|_inside| add_to_pair(&file)).is_err() {},
            }
            if turn % 3 == 0 {
                assert_eq!(lock.acquire(None).unwrap(), Acquired::Clean);
                add_to_pair(&file);
                lock.release().unwrap();
            }
        }
    }
}

/// A peer that holds the lock named `held`.
fn holder(fabric: &Fabric) -> Peer {
    let mut peer = peer_in(fabric, "lock::holder_role").start();
    peer.expect("HELD", LONG);
    peer
}

#[test]
#[ignore = "a role"]
fn holder_role() {
    if peer::is("lock::holder_role") {
        let fabric = inherited();
        let lock = Lock::open(&fabric, "held").unwrap();
        let guard = lock.lock().unwrap();
        peer::say("HELD");
        while let Some(word) = peer::hear() {
            assert_eq!(word, "release?");
            peer::say(&format!("{:?}", lock.owner() == Some(fabric.member().unwrap())));
        }
        drop(guard);
    }
}

#[test]
fn the_next_is_told_of_a_killed_owner() {
    watchdog(LONG, || {
        let fabric = small();
        let lock = Lock::create(&fabric, "held").unwrap();
        for sweep in [false, true] {
            for wait in [false, true] {
                let mut peer = holder(&fabric);
                assert!(lock.locked());
                thread::scope(|scope| {
                    let waiter = wait.then(|| scope.spawn(|| matches!(lock.lock(), Err(LockError::OwnerDied(_)))));
                    thread::sleep(if wait { SHORT } else { Duration::ZERO });
                    peer.kill();
                    if sweep {
                        assert_eq!(fabric.sweep().unwrap(), 1);
                    }
                    match waiter {
                        Some(waiter) => assert!(waiter.join().unwrap()),
                        // Also a mere try gets it.
                        None => assert!(matches!(lock.try_lock(), Err(LockError::OwnerDied(_)))),
                    }
                });
                assert!(!lock.locked());
                // Only the next is told, not the one after.
                assert_eq!(lock.acquire(None).unwrap(), Acquired::Clean);
                lock.release().unwrap();
                fabric.sweep().unwrap();
            }
        }
        let mut peer = holder(&fabric);
        peer.kill();
        let error: polyproc_ipc::Error = lock.lock().unwrap_err().into();
        assert_eq!((error.kind(), lock.locked()), (ErrorKind::OwnerDied, false));
        let mut peer = holder(&fabric);
        peer.kill();
        let guard = lock.lock_timeout(SHORT).unwrap_err().into_guard().unwrap();
        assert!(lock.locked());
        drop(guard);
        fabric.sweep().unwrap();
        whole(&fabric);
    });
}

#[test]
fn a_stopped_owner_is_not_dead() {
    watchdog(LONG, || {
        let fabric = small();
        let lock = Lock::create(&fabric, "held").unwrap();
        let mut peer = holder(&fabric);
        let owner = lock.owner().unwrap();
        peer.stop();
        assert_eq!(fabric.sweep().unwrap(), 0);
        assert!(fabric.alive(owner));
        assert_eq!(kind(lock.lock_timeout(SHORT * 10)), ErrorKind::Timeout);
        assert_eq!(lock.owner(), Some(owner));
        peer.resume();
        peer.send("release?");
        peer.expect("true", LONG);
        assert!(peer.wait(LONG).success());
        assert_eq!(lock.acquire(Some(LONG)).unwrap(), Acquired::Clean, "it let go itself");
    });
}

#[test]
fn time_outs_last_at_least_their_time() {
    watchdog(LONG, || {
        let fabric = small();
        let lock = Lock::new(&fabric).unwrap();
        let guard = lock.lock().unwrap();
        for time in [Duration::ZERO, Duration::from_micros(10), SHORT, SHORT * 4] {
            let since = Instant::now();
            assert_eq!(kind(lock.lock_timeout(time)), ErrorKind::Timeout);
            assert_eq!(kind(lock.acquire(Some(time))), ErrorKind::Timeout);
            assert!(since.elapsed() >= time * 2);
        }
        assert_eq!(kind(lock.try_lock()), ErrorKind::Timeout);
        // Freed while somebody waits.
        thread::scope(|scope| {
            let waiters: Vec<_> = (0..4).map(|_| scope.spawn(|| lock.lock_timeout(Duration::MAX).map(drop).unwrap())).collect();
            thread::sleep(SHORT);
            drop(guard);
            waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        });
        assert!(!lock.locked());
        assert_eq!(kind(lock.release()), ErrorKind::NotHeld);
    });
}

#[test]
fn any_process_may_release() {
    watchdog(LONG, || {
        let fabric = small();
        let lock = Lock::create(&fabric, "held").unwrap();
        let mut peer = holder(&fabric);
        lock.release().unwrap();
        assert_eq!(kind(lock.release()), ErrorKind::NotHeld);
        // The guard there does not release what is ours now.
        let ours = lock.lock().unwrap();
        assert!(peer.wait(LONG).success());
        assert!(lock.locked());
        assert_eq!(lock.owner(), Some(fabric.member().unwrap()));
        drop(ours);
        // Acquired by one thread, released by another.
        lock.acquire(None).unwrap();
        thread::scope(|scope| scope.spawn(|| lock.release().unwrap()).join().unwrap());
        assert!(!lock.locked());
    });
}

#[test]
fn names_tickets_and_copies_are_one_lock() {
    watchdog(LONG, || {
        let fabric = small();
        let made = Lock::create(&fabric, "one").unwrap();
        assert_eq!(kind(Lock::create(&fabric, "one")), ErrorKind::AlreadyExists);
        assert_eq!(kind(Lock::open(&fabric, "two")), ErrorKind::NotFound);
        assert_eq!(kind(BytesQueue::open_or_create(&fabric, "one", 0)), ErrorKind::WrongType);
        let text = codec_round_trip(&made);
        let others = [Lock::open_or_create(&fabric, "one").unwrap(), Lock::from_ticket(&made.ticket()).unwrap(), made.clone(), text];
        let guard = made.lock().unwrap();
        others.iter().for_each(|other| assert!(other.locked() && other.try_lock().is_err()));
        drop(guard);
        others.iter().for_each(|other| drop(other.lock().unwrap()));
        // Unnamed ones are each their own.
        let unnamed: Vec<Lock> = (0..20).map(|_| Lock::new(&fabric).unwrap()).collect();
        let guards: Vec<_> = unnamed.iter().map(|lock| lock.try_lock().unwrap()).collect();
        assert_eq!(guards.len(), 20);
        let tickets: HashSet<String> = unnamed.iter().map(|lock| lock.ticket().to_string()).collect();
        assert_eq!(tickets.len(), 20);
        whole(&fabric);
    });
}

fn codec_round_trip(lock: &Lock) -> Lock {
    polyproc_ipc::codec::decode(&polyproc_ipc::codec::to_vec(lock).unwrap()).unwrap()
}

#[test]
fn a_destroyed_lock_is_gone() {
    watchdog(LONG, || {
        let fabric = small();
        let lock = Lock::create(&fabric, "gone").unwrap();
        let guard = lock.lock().unwrap();
        thread::scope(|scope| {
            let waiters: Vec<_> = (0..4).map(|_| scope.spawn(|| kind(lock.lock()))).collect();
            thread::sleep(SHORT);
            fabric.remove("gone").unwrap();
            waiters.into_iter().for_each(|waiter| assert_eq!(waiter.join().unwrap(), ErrorKind::Gone));
        });
        assert_eq!(kind(lock.try_lock()), ErrorKind::Gone);
        assert_eq!(kind(lock.release()), ErrorKind::Gone);
        assert_eq!(kind(lock.destroy()), ErrorKind::Gone);
        assert!(!lock.locked());
        // A new lock in its place is not touched by the old handle and the old guard.
        let new = Lock::create(&fabric, "gone").unwrap();
        let held = new.lock().unwrap();
        assert!(!lock.locked());
        assert_eq!(kind(lock.lock_timeout(SHORT)), ErrorKind::Gone);
        drop(guard);
        assert!(new.locked());
        drop(held);
        assert_eq!(kind(lock.lock()), ErrorKind::Gone);
        assert!(!new.locked());
        whole(&fabric);
    });
}
