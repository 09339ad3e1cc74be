//! Semaphores, recursive locks and reader-writer locks whose holders are killed, leave, or are forked.

use std::process;
use std::thread;
use std::time::Duration;

use polyproc_ipc::{Acquired, Error, ErrorKind, Fabric, LockError};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::watchdog::{Watchdog, watchdog};

use crate::common::{LONG, SHORT, capped, kind, small, whole};
use crate::fork::{ended_well, in_child};
use crate::sync::{All, until};

/// Kills a peer that did `words`; with a waiter, or with nobody until afterwards; with somebody who sweeps, or without.
fn after_a_death(words: &str, then: impl Fn(&All) + Sync) {
    for (wait, sweep) in [(false, false), (false, true), (true, false), (true, true)] {
        let all = All::make(small());
        let mut peer = all.peer(words);
        thread::scope(|scope| {
            let waiter = wait.then(|| scope.spawn(|| then(&all)));
            thread::sleep(if wait { SHORT } else { Duration::ZERO });
            peer.kill();
            if sweep {
                all.fabric.sweep().unwrap();
            }
            match waiter {
                Some(waiter) => waiter.join().unwrap(),
                None => then(&all),
            }
        });
        all.fabric.sweep().unwrap();
        assert_eq!((all.rlock.locked(), all.semaphore.value().unwrap(), all.rwlock.locked()), (false, 3, false), "after {words}");
        whole(&all.fabric);
    }
}

#[test]
fn a_killed_thread_s_recursive_lock_is_told_and_had() {
    watchdog(LONG, || {
        after_a_death("rlock rlock rlock", |all| {
            assert!(matches!(all.rlock.lock(), Err(LockError::OwnerDied(_))));
            let guard = all.rlock.try_lock().expect("told once");
            assert_eq!(all.rlock.depth(), 1);
            drop(guard);
        });
    });
}

#[test]
fn a_killed_holder_s_permits_come_back() {
    watchdog(LONG, || {
        after_a_death("permits", |all| {
            let permits = all.semaphore.permits(3, None).unwrap();
            assert!(all.semaphore.locked());
            drop(permits);
        });
        after_a_death("permit permit", |all| drop(all.semaphore.permits(3, Some(LONG)).unwrap()));
        // Also by a mere try.
        let all = All::make(small());
        let mut peer = all.peer("permits");
        assert_eq!(kind(all.semaphore.try_acquire()), ErrorKind::Timeout);
        peer.kill();
        all.semaphore.try_acquire().unwrap();
        assert_eq!(all.semaphore.value().unwrap(), 2);
    });
}

#[test]
fn killed_readers_vanish() {
    watchdog(LONG, || {
        after_a_death("read read", |all| assert_eq!(all.rwlock.write().map(drop).map_err(drop), Ok(())));
        let all = All::make(small());
        let mut peers: Vec<Peer> = (0..3).map(|_| all.peer("read read")).collect();
        assert_eq!(all.rwlock.readers(), 6);
        for peer in &mut peers {
            peer.kill();
        }
        drop(all.rwlock.try_write().unwrap());
        assert_eq!(all.rwlock.readers(), 0);
    });
}

#[test]
fn a_killed_writer_is_told_until_somebody_got_in_to_write() {
    watchdog(LONG, || {
        after_a_death("write", |all| {
            assert!(matches!(all.rwlock.read(), Err(LockError::OwnerDied(_))));
            assert!(matches!(all.rwlock.try_read(), Err(LockError::OwnerDied(_))));
            assert_eq!(all.rwlock.acquire_write(Some(LONG)).unwrap(), Acquired::OwnerDied);
            all.rwlock.release_write().unwrap();
            drop(all.rwlock.read().unwrap());
            drop(all.rwlock.write().unwrap());
        });
        after_a_death("write", |all| {
            assert!(matches!(all.rwlock.write(), Err(LockError::OwnerDied(_))));
            drop(all.rwlock.read().unwrap());
        });
        let all = All::make(small());
        all.peer("write").kill();
        let error: Error = all.rwlock.try_write().unwrap_err().into();
        assert_eq!((error.kind(), all.rwlock.locked()), (ErrorKind::OwnerDied, false));
    });
}

#[test]
fn a_writer_that_died_waiting_is_in_nobody_s_way() {
    watchdog(LONG, || {
        let all = All::make(small());
        let reader = all.rwlock.read().unwrap();
        let mut peer = all.peer("wait-to-write");
        // It holds new readers back.
        until(|| all.rwlock.try_read().is_err());
        assert_eq!(kind(all.rwlock.read_timeout(SHORT)), ErrorKind::Timeout);
        thread::scope(|scope| {
            let waiter = scope.spawn(|| all.rwlock.read().map(drop).unwrap());
            thread::sleep(SHORT);
            peer.kill();
            waiter.join().unwrap();
        });
        drop(all.rwlock.try_read().unwrap());
        drop(reader);
        // One that gave up is not either.
        let reader = all.rwlock.read().unwrap();
        assert_eq!(kind(all.rwlock.write_timeout(SHORT)), ErrorKind::Timeout);
        drop(all.rwlock.try_read().unwrap());
        drop(reader);
        assert!(!all.rwlock.locked());
    });
}

#[test]
fn a_semaphore_counts_signals() {
    watchdog(LONG, || {
        let fabric = small();
        let all = All::make(fabric);
        all.semaphore.acquire_many(3, None).unwrap();
        // The permits are ours; signals of a peer give back what we have, and so on.
        let mut peer = all.peer("signal signal");
        all.semaphore.acquire_many(2, Some(LONG)).unwrap();
        assert_eq!((all.semaphore.value().unwrap(), all.semaphore.held().unwrap()), (0, 3));
        peer.kill();
        all.fabric.sweep().unwrap();
        assert_eq!(all.semaphore.value().unwrap(), 0, "who signalled holds nothing");
        // Of a consumer that dies, what nobody signalled since comes back.
        all.semaphore.release(3).unwrap();
        let mut consumer = all.peer("permits");
        all.semaphore.release(2).unwrap();
        assert_eq!(all.semaphore.value().unwrap(), 2);
        consumer.kill();
        all.fabric.sweep().unwrap();
        assert_eq!(all.semaphore.value().unwrap(), 3);
        whole(&all.fabric);
    });
}

#[test]
fn a_forked_child_holds_nothing() {
    watchdog(LONG, || assert!(Peer::spawn("parting::forker", &[]).wait(LONG).success()));
}

#[test]
#[ignore = "a role"]
fn forker() {
    if !peer::is("parting::forker") {
        return;
    }
    let _dog = Watchdog::new(LONG);
    let all = All::make(capped(32 << 20));
    let (guard, permit, read) = (all.rlock.lock().unwrap(), all.semaphore.permits(2, None).unwrap(), all.rwlock.read().unwrap());
    let parent = process::id();
    let mut held = Some((guard, permit, read));
    ended_well(in_child(|| {
        assert_ne!(process::id(), parent);
        // What was inherited does nothing here, before the first use and after.
        drop(held.take());
        assert_eq!((all.rlock.depth(), all.semaphore.held().unwrap(), all.semaphore.value().unwrap()), (0, 0, 1));
        assert!(all.rlock.locked() && all.rwlock.readers() == 1);
        assert_eq!([kind(all.rlock.release()), kind(all.rwlock.release_read())], [ErrorKind::NotHeld; 2]);
        all.semaphore.acquire(None).unwrap();
        all.rwlock.acquire_read(None).unwrap();
        assert!(!all.event.wait(Some(Duration::ZERO)).unwrap());
        all.event.set().unwrap();
    }));
    assert!(all.event.wait(None).unwrap());
    assert_eq!((all.semaphore.value().unwrap(), all.rwlock.readers()), (0, 2));
    drop(all.semaphore.permit().unwrap()); // the child's, which ended with it in hand
    assert_eq!(all.fabric.sweep().unwrap(), 1);
    assert_eq!((all.semaphore.value().unwrap(), all.rwlock.readers(), all.rlock.depth()), (1, 1, 1));
    drop(held);
    assert_eq!((all.semaphore.value().unwrap(), all.rwlock.locked(), all.rlock.locked()), (3, false, false));
    whole(&all.fabric);
}

#[test]
fn what_a_leaving_member_holds_comes_back() {
    watchdog(LONG, || {
        let fabric = small();
        let all = All::make(fabric.clone());
        let mine = all.fabric.descriptor().try_clone_to_owned().unwrap();
        let other = All::open(Fabric::attach(mine).unwrap());
        other.semaphore.acquire_many(3, None).unwrap();
        other.rwlock.acquire_read(None).unwrap();
        assert_eq!((all.semaphore.value().unwrap(), all.semaphore.held().unwrap(), all.rwlock.readers()), (0, 0, 1));
        drop(other);
        assert_eq!((all.semaphore.value().unwrap(), all.rwlock.readers()), (3, 0));
        assert_eq!(fabric.members().len(), 1);
    });
}
