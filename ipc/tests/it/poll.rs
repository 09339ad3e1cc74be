//! Descriptors for event loops: readable when the object is ready, by whatever made it so, a death too; many at once; not a forked child's.

use std::os::fd::{AsFd, AsRawFd};
use std::thread;
use std::time::Duration;

use polyproc_ipc::{Acquired, BytesQueue, ErrorKind, Lock, LockError, Pollable};
use polyproc_testkit::peer;
use polyproc_testkit::watchdog::watchdog;

use crate::common::{LONG, SHORT, inherited, kind, peer_in, small, whole};

fn ready(pollable: &Pollable) -> bool {
    pollable.wait(Some(LONG)).unwrap()
}

#[test]
fn a_free_lock_is_readable() {
    watchdog(LONG, || {
        let fabric = small();
        let lock = Lock::new(&fabric).unwrap();
        let pollable = lock.pollable().unwrap();
        assert!(pollable.is_ready());
        let held = lock.lock().unwrap();
        pollable.rearm().unwrap();
        assert!(!pollable.wait(Some(SHORT)).unwrap());
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(SHORT);
                drop(held);
            });
            assert!(ready(&pollable));
        });
        assert!(pollable.as_raw_fd() >= 0 && pollable.as_fd().as_raw_fd() == pollable.as_raw_fd());
        lock.destroy().unwrap();
        pollable.rearm().unwrap();
        assert!(pollable.is_ready(), "a lock that is gone is tried, and says so");
        assert_eq!(kind(lock.try_lock()), ErrorKind::Gone);
        whole(&fabric);
    });
}

#[test]
fn a_queue_is_readable_while_there_is_something() {
    watchdog(LONG, || {
        let fabric = small();
        let queue = BytesQueue::create(&fabric, "jobs", 0).unwrap();
        let pollable = queue.pollable().unwrap();
        assert!(!pollable.wait(Some(SHORT)).unwrap());
        let mut putter = peer_in(&fabric, "poll::putter").start();
        let mut got = 0;
        while got < 500 {
            assert!(ready(&pollable));
            while let Ok(message) = queue.try_get() {
                assert_eq!(&*message, b"job");
                got += 1;
            }
            pollable.rearm().unwrap();
        }
        assert!(putter.wait(LONG).success());
        pollable.rearm().unwrap();
        assert!(!pollable.is_ready());
        queue.close().unwrap();
        assert!(ready(&pollable), "the end is something to get, too");
        whole(&fabric);
    });
}

#[test]
#[ignore = "a role"]
fn putter() {
    if peer::is("poll::putter") {
        let queue = BytesQueue::open(&inherited(), "jobs").unwrap();
        for i in 0..500 {
            queue.put(b"job").unwrap();
            if i % 50 == 0 {
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

#[test]
fn a_death_makes_it_readable() {
    watchdog(LONG, || {
        let fabric = small();
        let lock = Lock::create(&fabric, "held").unwrap();
        let mut holder = peer_in(&fabric, "poll::holder").start();
        while !lock.locked() {
            thread::yield_now();
        }
        let pollable = lock.pollable().unwrap();
        assert!(!pollable.wait(Some(SHORT)).unwrap());
        holder.kill();
        holder.wait(LONG);
        assert!(ready(&pollable));
        assert!(matches!(lock.try_lock(), Err(LockError::OwnerDied(_))));
    });
}

#[test]
#[ignore = "a role"]
fn holder() {
    if peer::is("poll::holder") {
        let lock = Lock::open(&inherited(), "held").unwrap();
        assert_eq!(lock.acquire(None).unwrap(), Acquired::Clean);
        thread::sleep(LONG);
    }
}

/// More than the system can watch at once.
#[test]
fn many_are_watched() {
    watchdog(LONG, || {
        let fabric = small();
        let queues: Vec<BytesQueue> = (0..200).map(|_| BytesQueue::new(&fabric, 0).unwrap()).collect();
        let pollables: Vec<Pollable> = queues.iter().map(|queue| queue.pollable().unwrap()).collect();
        assert!(pollables.iter().all(|pollable| !pollable.is_ready()));
        for (queue, pollable) in queues.iter().zip(&pollables) {
            queue.put(b"x").unwrap();
            assert!(ready(pollable));
        }
        drop(pollables);
        for queue in queues {
            queue.destroy().unwrap();
        }
        whole(&fabric);
    });
}
