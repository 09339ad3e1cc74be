//! Semaphores, recursive locks, reader-writer locks and events between processes: exclusion, whose release it is, time-outs, names, destruction under waiters.

use std::thread;
use std::time::{Duration, Instant};

use polyproc_ipc::{Acquired, BoundedSemaphore, ErrorKind, Event, Fabric, Lock, RLock, RwLock, Semaphore};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::temp::TempDir;
use polyproc_testkit::watchdog::watchdog;

use crate::common::{LONG, SHORT, add_to_pair, inherited, kind, pair_of, peer_in, small, whole};

const PEERS: u64 = 3;
const TURNS: u64 = 150;

/// Waits, without an upper bound of its own, until it is so.
pub(crate) fn until(what: impl Fn() -> bool) {
    while !what() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Peers and two threads here count in a file under what lets one in at a time; all turns are counted.
fn counted(fabric: &Fabric, role: &str, turn: impl Fn(u64, &dyn Fn()) + Sync) {
    let dir = TempDir::new("sync");
    let path = dir.path().join("pair");
    std::fs::write(&path, [0; 16]).unwrap();
    let mut peers: Vec<Peer> = (0..PEERS).map(|_| peer_in(fabric, role).arg("PAIR", path.to_str().unwrap()).start()).collect();
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..TURNS).for_each(|number| turn(number, &|| add_to_pair(&file))));
        }
    });
    peers.iter_mut().for_each(|peer| assert!(peer.wait(LONG).success()));
    assert_eq!(pair_of(&file), [(PEERS + 2) * TURNS; 2]);
    whole(fabric);
}

/// In a peer: the same.
fn count(turn: impl Fn(u64, &dyn Fn())) {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(peer::arg("PAIR")).unwrap();
    (0..TURNS).for_each(|number| turn(number, &|| add_to_pair(&file)));
}

fn rlock_turn(lock: &RLock, number: u64, inside: &dyn Fn()) {
    let _outer = match number % 3 {
        0 => lock.lock().unwrap(),
        1 => loop {
            if let Ok(guard) = lock.try_lock() {
                break guard;
            }
            thread::yield_now();
        },
        _ => loop {
            if let Ok(guard) = lock.lock_timeout(Duration::from_micros(50)) {
                break guard;
            }
        },
    };
    assert_eq!(lock.acquire(Some(Duration::ZERO)).unwrap(), Acquired::Clean);
    inside();
    lock.release().unwrap();
    assert_eq!(lock.depth(), 1, "still inside");
}

fn semaphore_turn(semaphore: &Semaphore, number: u64, inside: &dyn Fn()) {
    match number % 4 {
        0 => {
            let _permit = semaphore.permit().unwrap();
            inside();
        }
        1 => {
            while semaphore.try_acquire().is_err() {
                thread::yield_now();
            }
            inside();
            semaphore.release(1).unwrap();
        }
        2 => {
            semaphore.acquire(None).unwrap();
            inside();
            semaphore.release(1).unwrap();
        }
        _ => {
            while semaphore.acquire(Some(Duration::from_micros(50))).is_err() {}
            inside();
            semaphore.release(1).unwrap();
        }
    }
}

fn rwlock_turn(lock: &RwLock, number: u64, inside: &dyn Fn()) {
    drop(lock.read().unwrap());
    match number % 3 {
        0 => {
            let _all = lock.write().unwrap();
            assert_eq!(lock.readers(), 0);
            inside();
        }
        1 => {
            while lock.acquire_write(Some(Duration::from_micros(50))).is_err() {}
            inside();
            lock.release_write().unwrap();
        }
        _ => {
            while lock.try_write().map(|_all| inside()).is_err() {
                thread::yield_now();
            }
        }
    }
}

#[test]
fn one_at_a_time_is_inside() {
    watchdog(LONG, || {
        let fabric = small();
        let lock = RLock::create(&fabric, "r").unwrap();
        counted(&fabric, "sync::rlock_counter", |number, inside| rlock_turn(&lock, number, inside));
        assert!(!lock.locked());
        let semaphore = BoundedSemaphore::create(&fabric, "s", 1).unwrap();
        counted(&fabric, "sync::semaphore_counter", |number, inside| semaphore_turn(&semaphore, number, inside));
        assert_eq!((semaphore.value().unwrap(), semaphore.held().unwrap()), (1, 0));
        let lock = RwLock::create(&fabric, "w").unwrap();
        counted(&fabric, "sync::rwlock_counter", |number, inside| rwlock_turn(&lock, number, inside));
        assert!(!lock.locked());
    });
}

#[test]
#[ignore = "a role"]
fn rlock_counter() {
    if peer::is("sync::rlock_counter") {
        let lock = RLock::open(&inherited(), "r").unwrap();
        count(|number, inside| rlock_turn(&lock, number, inside));
    }
}

#[test]
#[ignore = "a role"]
fn semaphore_counter() {
    if peer::is("sync::semaphore_counter") {
        let semaphore = BoundedSemaphore::open(&inherited(), "s").unwrap();
        count(|number, inside| semaphore_turn(&semaphore, number, inside));
    }
}

#[test]
#[ignore = "a role"]
fn rwlock_counter() {
    if peer::is("sync::rwlock_counter") {
        let lock = RwLock::open(&inherited(), "w").unwrap();
        count(|number, inside| rwlock_turn(&lock, number, inside));
    }
}

/// All objects of these tests and those of `parting`, by their names, in a fabric.
pub(crate) struct All {
    pub(crate) fabric: Fabric,
    pub(crate) rlock: RLock,
    pub(crate) semaphore: Semaphore,
    pub(crate) rwlock: RwLock,
    pub(crate) event: Event,
}

impl All {
    pub(crate) fn make(fabric: Fabric) -> All {
        RLock::create(&fabric, "rlock").unwrap();
        Semaphore::create(&fabric, "semaphore", 3).unwrap();
        RwLock::create(&fabric, "rwlock").unwrap();
        Event::create(&fabric, "event").unwrap();
        All::open(fabric)
    }

    pub(crate) fn open(fabric: Fabric) -> All {
        let rlock = RLock::open(&fabric, "rlock").unwrap();
        let (semaphore, rwlock) = (Semaphore::open(&fabric, "semaphore").unwrap(), RwLock::open(&fabric, "rwlock").unwrap());
        let event = Event::open(&fabric, "event").unwrap();
        All { fabric, rlock, semaphore, rwlock, event }
    }

    /// A peer that does what the words tell it, one after the other, and then lives until it is killed.
    pub(crate) fn peer(&self, words: &str) -> Peer {
        let mut peer = peer_in(&self.fabric, "sync::actor").arg("WORDS", words).start();
        peer.expect("DONE", LONG);
        peer
    }
}

#[test]
#[ignore = "a role"]
fn actor() {
    if !peer::is("sync::actor") {
        return;
    }
    let all = All::open(inherited());
    for word in peer::arg("WORDS").split(' ') {
        match word {
            "rlock" => assert_eq!(all.rlock.acquire(None).unwrap(), Acquired::Clean),
            "permit" => all.semaphore.acquire(None).unwrap(),
            "permits" => all.semaphore.acquire_many(3, None).unwrap(),
            "signal" => all.semaphore.release(1).unwrap(),
            "read" => drop(all.rwlock.acquire_read(None).unwrap()),
            "write" => drop(all.rwlock.acquire_write(None).unwrap()),
            "set" => all.event.set().unwrap(),
            // Begins to wait, in a thread of its own.
            "wait-to-write" => {
                let lock = all.rwlock.clone();
                thread::spawn(move || lock.acquire_write(None).unwrap());
            }
            "wait-for-event" => {
                let event = all.event.clone();
                thread::spawn(move || event.wait(None).unwrap());
            }
            other => panic!("{other}"),
        }
    }
    peer::say("DONE");
    while let Some(word) = peer::hear() {
        let answer = match word.as_str() {
            "release-rlock" => format!("{:?}", all.rlock.release().is_ok()),
            "release-read" => format!("{:?}", all.rwlock.release_read().is_ok()),
            "release-write" => format!("{:?}", all.rwlock.release_write().is_ok()),
            "held" => all.semaphore.held().unwrap().to_string(),
            other => panic!("{other}"),
        };
        peer::say(&answer);
    }
}

#[test]
fn neither_readers_nor_writers_starve() {
    watchdog(LONG, || {
        let fabric = small();
        let lock = RwLock::new(&fabric).unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        let more = || !done.load(std::sync::atomic::Ordering::Relaxed);
        thread::scope(|scope| {
            // Reads that overlap for ever; and writers for ever.
            let crowd: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        while more() {
                            let _read = lock.read().unwrap();
                            thread::sleep(Duration::from_micros(300));
                        }
                    })
                })
                .collect();
            (0..10).for_each(|_| drop(lock.write().unwrap()));
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            crowd.into_iter().for_each(|reader| reader.join().unwrap());
            done.store(false, std::sync::atomic::Ordering::Relaxed);
            let crowd: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        while more() {
                            let _all = lock.write().unwrap();
                            thread::sleep(Duration::from_micros(300));
                        }
                    })
                })
                .collect();
            (0..10).for_each(|_| drop(lock.read().unwrap()));
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            crowd.into_iter().for_each(|writer| writer.join().unwrap());
        });
        assert!(!lock.locked());
    });
}

#[test]
fn releases_belong_to_whom_they_belong() {
    watchdog(LONG, || {
        let all = All::make(small());
        // A recursive lock is its thread's.
        let guard = all.rlock.lock().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!((kind(all.rlock.release()), all.rlock.depth()), (ErrorKind::NotHeld, 0));
                assert_eq!(kind(all.rlock.try_lock()), ErrorKind::Timeout);
            });
        });
        let mut other = all.peer("read permit");
        other.send("release-rlock");
        other.expect("false", LONG);
        drop(guard);
        assert_eq!(kind(all.rlock.release()), ErrorKind::NotHeld);
        // A read is its process's; any thread of it may release.
        assert_eq!(kind(all.rwlock.release_read()), ErrorKind::NotHeld);
        assert_eq!(kind(all.rwlock.release_write()), ErrorKind::NotHeld);
        all.rwlock.acquire_read(None).unwrap();
        thread::scope(|scope| scope.spawn(|| all.rwlock.release_read().unwrap()).join().unwrap());
        assert_eq!(all.rwlock.readers(), 1);
        other.send("release-write");
        other.expect("false", LONG);
        other.send("release-read");
        other.expect("true", LONG);
        assert_eq!(all.rwlock.readers(), 0);
        // A permit is anybody's to release: then its holder holds it no more.
        assert_eq!(all.semaphore.value().unwrap(), 2);
        all.semaphore.release(1).unwrap();
        other.send("held");
        other.expect("0", LONG);
        assert_eq!(all.semaphore.value().unwrap(), 3);
        other.kill();
        all.fabric.sweep().unwrap();
        assert_eq!(all.semaphore.value().unwrap(), 3, "nothing came back a second time");
        all.semaphore.release(2).unwrap();
        assert_eq!(all.semaphore.value().unwrap(), 5, "one that has no bound");
    });
}

#[test]
fn bounds_hold_and_errors_change_nothing() {
    watchdog(LONG, || {
        let fabric = small();
        let bounded = BoundedSemaphore::create(&fabric, "b", 2).unwrap();
        assert_eq!((bounded.bound(), kind(bounded.release(1))), (Some(2), ErrorKind::NotHeld));
        bounded.acquire(None).unwrap();
        assert_eq!(kind(Semaphore::open(&fabric, "b").unwrap().release(2)), ErrorKind::NotHeld);
        assert_eq!((bounded.value().unwrap(), bounded.held().unwrap()), (1, 1));
        assert_eq!(kind(bounded.acquire_many(3, None)), ErrorKind::InvalidArgument);
        assert_eq!(kind(bounded.acquire_many(0, None)), ErrorKind::InvalidArgument);
        assert_eq!(kind(bounded.release(0)), ErrorKind::InvalidArgument);
        bounded.release(1).unwrap();
        let plain = Semaphore::create(&fabric, "p", Semaphore::MAX).unwrap();
        assert_eq!((plain.bound(), kind(plain.release(1))), (None, ErrorKind::TooLarge));
        plain.acquire(None).unwrap();
        assert_eq!(kind(plain.release(2)), ErrorKind::TooLarge);
        assert_eq!((plain.value().unwrap(), plain.held().unwrap()), (Semaphore::MAX - 1, 1));
        assert_eq!(kind(Semaphore::new(&fabric, Semaphore::MAX + 1)), ErrorKind::TooLarge);
        assert_eq!(kind(BoundedSemaphore::open(&fabric, "p")), ErrorKind::WrongType);
        assert_eq!(kind(BoundedSemaphore::from_ticket(&plain.ticket())), ErrorKind::WrongType);
        assert_eq!(kind(BoundedSemaphore::open_or_create(&fabric, "p", 1)), ErrorKind::WrongType);
        assert_eq!(BoundedSemaphore::from_ticket(&bounded.ticket()).unwrap().value().unwrap(), 2);
        // A guard gives back what is still its process's, and no more.
        let guard = bounded.permit().unwrap();
        bounded.release(1).unwrap();
        drop(guard);
        assert_eq!(bounded.value().unwrap(), 2);
        whole(&fabric);
    });
}

#[test]
fn time_outs_last_at_least_their_time() {
    watchdog(LONG, || {
        let all = All::make(small());
        let _peer = all.peer("rlock permits read");
        let writing = RwLock::new(&all.fabric).unwrap();
        writing.acquire_write(None).unwrap();
        for time in [Duration::ZERO, Duration::from_micros(10), SHORT, SHORT * 3] {
            let since = Instant::now();
            assert_eq!(kind(all.rlock.lock_timeout(time)), ErrorKind::Timeout);
            assert_eq!(kind(all.semaphore.acquire(Some(time))), ErrorKind::Timeout);
            assert_eq!(kind(all.semaphore.permit_timeout(time)), ErrorKind::Timeout);
            assert_eq!(kind(all.rwlock.write_timeout(time)), ErrorKind::Timeout);
            assert_eq!(kind(writing.read_timeout(time)), ErrorKind::Timeout);
            assert!(!all.event.wait(Some(time)).unwrap());
            assert!(since.elapsed() >= time * 6);
        }
        assert_eq!(kind(all.rlock.try_lock()), ErrorKind::Timeout);
        assert_eq!(kind(all.semaphore.try_permit()), ErrorKind::Timeout);
    });
}

#[test]
fn an_event_releases_all_who_wait_even_if_cleared_at_once() {
    watchdog(LONG, || {
        let all = All::make(small());
        for round in 0..20 {
            thread::scope(|scope| {
                let waiters: Vec<_> = (0..4).map(|_| scope.spawn(|| all.event.wait(None).unwrap())).collect();
                thread::sleep(if round % 4 == 0 { SHORT } else { Duration::ZERO });
                if round % 2 == 0 {
                    // One that comes only after the clearing waits for the next set.
                    until(|| {
                        all.event.set().unwrap();
                        all.event.clear().unwrap();
                        waiters.iter().all(thread::ScopedJoinHandle::is_finished)
                    });
                } else {
                    all.event.set().unwrap();
                }
                waiters.into_iter().for_each(|waiter| assert!(waiter.join().unwrap()));
            });
            assert_eq!(all.event.is_set(), round % 2 == 1);
            all.event.clear().unwrap();
        }
        // A setter and a waiter that are killed.
        let mut waiter = all.peer("wait-for-event");
        thread::scope(|scope| {
            let here = scope.spawn(|| all.event.wait(None).unwrap());
            waiter.kill();
            all.peer("set").kill();
            assert!(here.join().unwrap());
        });
        assert!(all.event.is_set());
    });
}

#[test]
fn all_who_wait_are_told_of_the_destruction() {
    watchdog(LONG, || {
        let all = All::make(small());
        let (reading, writing) = (RwLock::new(&all.fabric).unwrap(), &all.rwlock);
        let _peer = all.peer("rlock permits");
        reading.acquire_read(None).unwrap();
        writing.acquire_write(None).unwrap();
        let waits: [&(dyn Fn() -> ErrorKind + Sync); 5] =
            [&|| kind(all.rlock.lock()), &|| kind(all.semaphore.acquire(None)), &|| kind(reading.write()), &|| kind(writing.read()), &|| {
                kind(all.event.wait(None))
            }];
        thread::scope(|scope| {
            let waiters: Vec<_> = waits.iter().flat_map(|wait| [wait; 3]).map(|wait| scope.spawn(wait)).collect();
            thread::sleep(SHORT * 2);
            for name in ["rlock", "semaphore", "rwlock", "event"] {
                all.fabric.remove(name).unwrap();
            }
            reading.destroy().unwrap();
            // Others in their places, that are not free: nobody waits for these by mistake.
            let next = All::make(all.fabric.clone());
            next.rlock.acquire(None).unwrap();
            next.semaphore.acquire_many(3, None).unwrap();
            next.rwlock.acquire_write(None).unwrap();
            let more = RwLock::new(&all.fabric).unwrap();
            more.acquire_write(None).unwrap();
            waiters.into_iter().for_each(|waiter| assert_eq!(waiter.join().unwrap(), ErrorKind::Gone));
            assert_eq!((next.rlock.depth(), next.semaphore.value().unwrap()), (1, 0));
            assert!(next.rwlock.writer().is_some() && more.writer().is_some() && !next.event.is_set());
        });
        waits.iter().for_each(|wait| assert_eq!(wait(), ErrorKind::Gone));
        assert_eq!([kind(all.rlock.release()), kind(all.semaphore.release(1)), kind(all.semaphore.value())], [ErrorKind::Gone; 3]);
        assert_eq!([kind(all.rwlock.release_write()), kind(all.event.set()), kind(all.event.clear())], [ErrorKind::Gone; 3]);
        assert!(!all.rlock.locked() && !all.semaphore.locked() && !all.rwlock.locked() && !all.event.is_set());
        whole(&all.fabric);
    });
}

#[test]
fn names_tickets_and_copies_are_one() {
    watchdog(LONG, || {
        let all = All::make(small());
        assert_eq!(kind(Lock::open(&all.fabric, "rlock")), ErrorKind::WrongType);
        assert_eq!(kind(Event::open(&all.fabric, "semaphore")), ErrorKind::WrongType);
        assert_eq!(kind(Semaphore::create(&all.fabric, "semaphore", 9)), ErrorKind::AlreadyExists);
        assert_eq!(kind(RwLock::open(&all.fabric, "none")), ErrorKind::NotFound);
        let again: Semaphore = polyproc_ipc::codec::decode(&polyproc_ipc::codec::to_vec(&all.semaphore).unwrap()).unwrap();
        let same = [
            Semaphore::open_or_create(&all.fabric, "semaphore", 9).unwrap(),
            all.semaphore.clone(),
            again,
            Semaphore::from_ticket(&all.semaphore.lend()).unwrap(),
        ];
        same.iter().zip([2, 1, 0]).for_each(|(one, left)| {
            one.acquire(None).unwrap();
            assert!(same.iter().all(|other| other.value().unwrap() == left));
        });
        let (rlock, rwlock) = (RLock::from_ticket(&all.rlock.ticket()).unwrap(), RwLock::open_or_create(&all.fabric, "rwlock").unwrap());
        let (_a, _b) = (rlock.lock().unwrap(), all.rlock.lock().unwrap());
        assert_eq!(rlock.depth(), 2);
        let _read = rwlock.read().unwrap();
        assert_eq!(all.rwlock.readers(), 1);
        Event::from_ticket(&all.event.ticket()).unwrap().set().unwrap();
        assert!(Event::open_or_create(&all.fabric, "event").unwrap().is_set());
    });
}
