//! Conditions: who is woken and in which order, locks of their own and given ones, waiters and holders that are killed, destruction.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use polyproc_ipc::{Acquired, BytesQueue, Condition, ConditionGuard, ErrorKind, Fabric, Lock, LockError, Waited};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::watchdog::watchdog;

use crate::common::{Dice, LONG, SHORT, inherited, kind, peer_in, small, whole};

const CLEAN: fn(bool) -> Waited = |happened| Waited { happened, acquired: Acquired::Clean };

/// Threads that wait, each in the list before the next begins; they send their number when they were woken.
fn waiting<'s, 'e>(scope: &'s Scope<'s, 'e>, condition: &'e Condition, count: usize) -> (Receiver<usize>, Vec<ScopedJoinHandle<'s, ()>>) {
    let (done, woken) = channel();
    let threads = (0..count)
        .map(|number| {
            let (inside, came) = channel();
            let done = done.clone();
            let thread = scope.spawn(move || {
                let mut guard = condition.lock().unwrap();
                inside.send(()).unwrap();
                assert!(guard.wait(None).unwrap());
                done.send(number).unwrap();
            });
            came.recv().unwrap();
            drop(condition.lock().unwrap()); // it is in the list
            thread
        })
        .collect();
    (woken, threads)
}

#[test]
fn exactly_as_many_as_asked_for_are_woken_and_the_longest_first() {
    watchdog(LONG, || {
        let condition = Condition::new(&small()).unwrap();
        thread::scope(|scope| {
            let (woken, threads) = waiting(scope, &condition, 7);
            for next in 0..2 {
                assert_eq!(condition.lock().unwrap().notify(1).unwrap(), 1);
                assert_eq!(woken.recv().unwrap(), next);
            }
            assert_eq!(condition.lock().unwrap().notify(0).unwrap(), 0);
            assert_eq!(condition.lock().unwrap().notify(3).unwrap(), 3);
            let mut three: Vec<usize> = (0..3).map(|_| woken.recv().unwrap()).collect();
            three.sort_unstable();
            assert_eq!(three, [2, 3, 4]);
            thread::sleep(SHORT * 5);
            assert!(woken.try_recv().is_err(), "nobody else was woken");
            assert_eq!(condition.lock().unwrap().notify_all().unwrap(), 2);
            assert_eq!(woken.recv().unwrap() + woken.recv().unwrap(), 11);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(condition.lock().unwrap().notify_all().unwrap(), 0, "nobody waits, and nothing is kept for later");
        });
        let report = whole(condition.fabric());
        assert_eq!((report.held_chunks, report.private_chunks), (8, 0), "the condition and an entry for each that ever waited at once");
    });
}

#[test]
fn a_wait_that_ends_by_time_has_the_lock_again_as_deep_as_before() {
    watchdog(LONG, || {
        let fabric = small();
        let condition = Condition::new(&fabric).unwrap();
        for time in [Duration::ZERO, Duration::from_micros(10), SHORT, SHORT * 4] {
            let since = Instant::now();
            let mut outer = condition.lock().unwrap();
            let inner = condition.try_lock().unwrap();
            assert_eq!(condition.acquire(None).unwrap(), Acquired::Clean);
            assert!(!outer.wait(Some(time)).unwrap());
            assert_eq!(condition.wait(Some(time)).unwrap(), CLEAN(false));
            let mut asked = 0;
            assert!(!outer.wait_for(|| (asked += 1, false).1, Some(time)).unwrap());
            assert!(asked >= 2 || time.is_zero() && asked == 1, "asked {asked} times");
            assert!(outer.wait_for(|| true, Some(time)).unwrap());
            assert_eq!(condition.wait_for(|| false, Some(time)).unwrap(), CLEAN(false));
            assert!(since.elapsed() >= time * 4);
            // Three deep still, for others not free.
            let other = || thread::scope(|scope| scope.spawn(|| condition.try_lock().map(drop).map_err(|error| kind::<()>(Err(error)))).join().unwrap());
            assert_eq!(other(), Err(ErrorKind::Timeout));
            condition.release().unwrap();
            drop(inner);
            assert_eq!(other(), Err(ErrorKind::Timeout));
            drop(outer);
            assert_eq!(other(), Ok(()));
        }
        assert_eq!(whole(&fabric).held_chunks, 2, "one entry was enough");
    });
}

#[test]
fn without_the_lock_nobody_waits_and_nobody_notifies() {
    watchdog(LONG, || {
        let fabric = small();
        let lock = Lock::new(&fabric).unwrap();
        for condition in [Condition::new(&fabric).unwrap(), Condition::on(&fabric, &lock.lend()).unwrap()] {
            let refused = || {
                assert_eq!(kind(condition.wait(None)), ErrorKind::NotHeld);
                assert_eq!(kind(condition.wait_for(|| true, None)), ErrorKind::NotHeld);
                assert_eq!(kind(condition.notify(1)), ErrorKind::NotHeld);
                assert_eq!(kind(condition.notify_all()), ErrorKind::NotHeld);
                assert_eq!(kind(condition.release()), ErrorKind::NotHeld);
            };
            refused();
            drop(condition.lock().unwrap());
            refused();
        }
        // A lock of its own belongs to a thread.
        let condition = Condition::new(&fabric).unwrap();
        let _guard = condition.lock().unwrap();
        thread::scope(|scope| scope.spawn(|| assert_eq!(kind(condition.notify(1)), ErrorKind::NotHeld)).join().unwrap());
    });
}

#[test]
fn conditions_on_one_lock_and_by_name_are_what_they_say() {
    watchdog(LONG, || {
        let fabric = small();
        let lock = Lock::create(&fabric, "lock").unwrap();
        let made = Condition::create_on(&fabric, "on", &lock.lend()).unwrap();
        assert_eq!(kind(Condition::create_on(&fabric, "on", &lock.lend())), ErrorKind::AlreadyExists);
        let others = [
            Condition::open(&fabric, "on").unwrap(),
            Condition::open_or_create(&fabric, "on").unwrap(),
            Condition::from_ticket(&made.ticket()).unwrap(),
            polyproc_ipc::codec::decode(&polyproc_ipc::codec::to_vec(&made).unwrap()).unwrap(),
        ];
        for other in &others {
            let guard = other.lock().unwrap();
            assert!(lock.locked());
            assert_eq!(kind(made.try_lock()), ErrorKind::Timeout, "a Lock is not recursive");
            drop(guard);
            assert!(!lock.locked());
        }
        let own = Condition::create(&fabric, "own").unwrap();
        let second = Condition::on(&fabric, &lock.ticket()).unwrap();
        drop((own.lock().unwrap(), second.lock().unwrap()));
        // Two conditions on one lock: each wakes its own.
        thread::scope(|scope| {
            let (woken, threads) = waiting(scope, &made, 2);
            let guard = lock.lock().unwrap();
            assert_eq!(second.notify_all().unwrap(), 0);
            assert_eq!(others[0].notify_all().unwrap(), 2);
            assert!(woken.try_recv().is_err(), "they come up when the lock is released");
            drop(guard);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        let queue = BytesQueue::new(&fabric, 0).unwrap();
        assert_eq!(kind(Condition::on(&fabric, &queue.lend())), ErrorKind::WrongType);
        assert_eq!(kind(Condition::on(&small(), &lock.lend())), ErrorKind::InvalidArgument);
        lock.destroy().unwrap();
        assert_eq!(kind(made.lock()), ErrorKind::Gone);
        assert_eq!(kind(Condition::on(&fabric, &lock.lend())), ErrorKind::Gone);
        let _new = Lock::create(&fabric, "lock").unwrap().acquire(None).unwrap();
        assert_eq!(kind(made.lock_timeout(SHORT)), ErrorKind::Gone, "another lock in its place is not meant");
        assert!(second.destroy().is_ok() && own.lock().is_ok());
        whole(&fabric);
    });
}

#[test]
fn destruction_wakes_those_who_wait() {
    watchdog(LONG, || {
        let fabric = small();
        let lock = Lock::new(&fabric).unwrap();
        for given in [false, true] {
            let condition = if given { Condition::create_on(&fabric, "gone", &lock.lend()).unwrap() } else { Condition::create(&fabric, "gone").unwrap() };
            let (inside, came) = channel();
            thread::scope(|scope| {
                let waiters: Vec<_> = (0..3)
                    .map(|_| {
                        let inside = inside.clone();
                        let condition = &condition;
                        scope.spawn(move || {
                            let mut guard = condition.lock().unwrap();
                            inside.send(()).unwrap();
                            kind(guard.wait(None))
                        })
                    })
                    .collect();
                (0..3).for_each(|_| came.recv().unwrap());
                drop(condition.lock().unwrap());
                condition.destroy().unwrap();
                waiters.into_iter().for_each(|waiter| assert_eq!(waiter.join().unwrap(), ErrorKind::Gone));
            });
            assert_eq!(kind(condition.lock()), ErrorKind::Gone);
            assert_eq!(kind(condition.wait(None)), ErrorKind::Gone);
            assert_eq!(kind(condition.notify(1)), ErrorKind::Gone);
            assert!(!lock.locked(), "the guards released the lock that was given");
            // A new one in its place.
            let new = Condition::create(&fabric, "gone").unwrap();
            let guard = new.lock().unwrap();
            assert_eq!(kind(condition.release()), ErrorKind::Gone);
            assert_eq!(guard.notify_all().unwrap(), 0);
            drop(guard);
            new.destroy().unwrap();
        }
        whole(&fabric);
    });
}

/// A peer that waits in the condition named `signal`, and is in the list.
fn waiter(fabric: &Fabric, condition: &Condition) -> Peer {
    let mut peer = peer_in(fabric, "condition::waiter_role").start();
    peer.expect("INSIDE", LONG);
    drop(condition.lock().unwrap());
    peer
}

#[test]
#[ignore = "a role"]
fn waiter_role() {
    if peer::is("condition::waiter_role") {
        let condition = Condition::open(&inherited(), "signal").unwrap();
        let mut guard = condition.lock().unwrap();
        peer::say("INSIDE");
        let told = match guard.wait(None) {
            Ok(told) => format!("{told}"),
            Err(LockError::OwnerDied(told)) => format!("{told}, owner died"),
            Err(LockError::Failed(error)) => format!("{error:?}"),
        };
        drop(guard);
        peer::say(&told);
        peer::park();
    }
}

/// Stops every thread of the peer, and waits until they are.
fn stop(peer: &Peer) {
    peer.stop();
    let threads = format!("/proc/{}/task", peer.pid());
    let stopped = |thread: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap();
        stat.rsplit_once(')').unwrap().1.trim_start().starts_with('T')
    };
    while !std::fs::read_dir(&threads).unwrap().all(|thread| stopped(thread.unwrap())) {
        thread::yield_now();
    }
}

#[test]
fn a_killed_waiter_swallows_no_signal() {
    watchdog(LONG * 2, || {
        let fabric = small();
        let condition = Condition::create(&fabric, "signal").unwrap();
        for swept in [true, false] {
            let (mut first, mut second, third) = (waiter(&fabric, &condition), waiter(&fabric, &condition), waiter(&fabric, &condition));
            stop(&first);
            assert_eq!(condition.lock().unwrap().notify(1).unwrap(), 1, "the one that waits longest, which cannot run now");
            first.kill();
            if swept {
                assert_eq!(fabric.sweep().unwrap(), 1);
            }
            second.expect("true", LONG); // else it sweeps by itself
            // One that dies while it waits is forgotten.
            let (mut third, mut fourth) = (third, waiter(&fabric, &condition));
            third.kill();
            if swept {
                fabric.sweep().unwrap();
            }
            assert_eq!(condition.lock().unwrap().notify(1).unwrap(), 1);
            fourth.expect("true", LONG);
            assert_eq!(condition.lock().unwrap().notify_all().unwrap(), 0);
        }
        assert_eq!(whole(&fabric).held_chunks, 4, "the condition and three entries");
    });
}

#[test]
fn a_signal_passes_through_many_deaths() {
    watchdog(LONG * 2, || {
        let fabric = small();
        let condition = Condition::create(&fabric, "signal").unwrap();
        let mut doomed: Vec<Peer> = (0..4).map(|_| waiter(&fabric, &condition)).collect();
        let mut last: Vec<Peer> = (0..3).map(|_| waiter(&fabric, &condition)).collect();
        doomed.iter().for_each(stop);
        // Two signals to four of the dead: two of the living get on, not one and not three.
        assert_eq!(condition.lock().unwrap().notify(2).unwrap(), 2);
        for peer in &mut doomed {
            peer.kill();
        }
        fabric.sweep().unwrap();
        last[0].expect("true", LONG);
        last[1].expect("true", LONG);
        assert_eq!(condition.lock().unwrap().notify_all().unwrap(), 1);
        last[2].expect("true", LONG);
        whole(&fabric);
    });
}

#[test]
fn the_death_of_the_locks_holder_is_told_by_the_wait() {
    watchdog(LONG * 2, || {
        let fabric = small();
        let lock = Lock::create(&fabric, "given").unwrap();
        for given in [false, true] {
            let condition = if given { Condition::create_on(&fabric, "signal", &lock.lend()).unwrap() } else { Condition::create(&fabric, "signal").unwrap() };
            // It notified us and died before it let go.
            let mut peer = peer_in(&fabric, "condition::notifier_role").start();
            peer.expect("READY", LONG);
            let mut guard = condition.lock().unwrap();
            peer.send("notify");
            thread::scope(|scope| {
                scope.spawn(|| {
                    peer.expect("1", LONG);
                    peer.kill();
                });
                assert!(matches!(guard.wait(None), Err(LockError::OwnerDied(true))));
            });
            assert!(!guard.wait(Some(SHORT)).unwrap(), "a death is told once");
            drop(guard);
            // It died holding the lock, and nobody comes for it but those who wait.
            let mut waiter = waiter(&fabric, &condition);
            let mut peer = peer_in(&fabric, "condition::notifier_role").start();
            peer.expect("READY", LONG);
            peer.send("hold");
            peer.expect("0", LONG);
            peer.kill();
            waiter.expect("true, owner died", LONG);
            drop(condition.lock().unwrap());
            condition.destroy().unwrap();
        }
        whole(&fabric);
    });
}

#[test]
#[ignore = "a role"]
fn notifier_role() {
    if peer::is("condition::notifier_role") {
        let condition = Condition::open(&inherited(), "signal").unwrap();
        peer::say("READY");
        let count = usize::from(peer::hear().unwrap() == "notify");
        condition.acquire(None).unwrap();
        peer::say(&condition.notify(count).unwrap().to_string());
        peer::park();
    }
}

const PRODUCED: u64 = 4000;
const CONSUMERS: usize = 4;

/// What a condition is for: items under its lock, one notification each. Consumers are killed all the time; the rest must come through, without another notification.
#[test]
fn producer_and_consumers_with_kills() {
    watchdog(LONG * 2, || {
        let fabric = small();
        let condition = Condition::create(&fabric, "items").unwrap();
        let items = BytesQueue::create(&fabric, "queue", 0).unwrap();
        let start = || peer_in(&fabric, "condition::consumer_role").start();
        let consumers: Mutex<Vec<Peer>> = Mutex::new((0..CONSUMERS).map(|_| start()).collect());
        thread::scope(|scope| {
            let producer = scope.spawn(|| {
                for item in 0..PRODUCED {
                    let guard = taken(condition.lock());
                    items.put(&item.to_ne_bytes()).unwrap();
                    guard.notify(1).unwrap();
                    drop(guard);
                    if item % 64 == 0 {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            });
            let mut dice = Dice(7);
            let mut kills = 0;
            while !producer.is_finished() || kills < 12 {
                thread::sleep(Duration::from_micros(dice.below(4000)));
                let mut consumers = consumers.lock().unwrap();
                let place = dice.below(CONSUMERS as u64) as usize;
                consumers[place] = start(); // the other is killed by its drop
                kills += 1;
            }
            producer.join().unwrap();
        });
        // Nobody notifies any more but those who are told of a death.
        while !items.is_empty() {
            thread::sleep(SHORT);
        }
        drop(consumers);
        fabric.sweep().unwrap();
        drop(taken(condition.lock()));
        whole(&fabric);
    });
}

/// The guard, whoever had the lock before. If that one died, it may have been notified of an item and not have taken it: all are to look.
fn taken<'a>(lock: Result<ConditionGuard<'a>, LockError<ConditionGuard<'a>>>) -> ConditionGuard<'a> {
    match lock {
        Ok(guard) => guard,
        Err(error) => {
            let guard = error.into_guard().unwrap();
            guard.notify_all().unwrap();
            guard
        }
    }
}

#[test]
#[ignore = "a role"]
fn consumer_role() {
    if peer::is("condition::consumer_role") {
        let fabric = inherited();
        let (condition, items) = (Condition::open(&fabric, "items").unwrap(), BytesQueue::open(&fabric, "queue").unwrap());
        loop {
            let mut guard = taken(condition.lock());
            let mut item = None;
            while item.is_none() {
                match guard.wait_for(|| (item = items.try_get().ok(), item.is_some()).1, Some(LONG)) {
                    Ok(true) => {}
                    Ok(false) => return, // orphaned
                    Err(error) => {
                        assert!(matches!(error, LockError::OwnerDied(_)), "{error:?}");
                        guard.notify_all().unwrap();
                    }
                }
            }
        }
    }
}
