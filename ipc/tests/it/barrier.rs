//! Barriers: rounds of processes and threads, actions, time-outs, abort and reset, parties that die or leave, destruction.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use polyproc_ipc::{Barrier, BytesQueue, Error, ErrorKind, Fabric, Lock, Queue, Result};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::temp::TempDir;
use polyproc_testkit::watchdog::watchdog;

use crate::common::{LONG, SHORT, inherited, kind, peer_in, small, whole};

const PEERS: usize = 3;
const THREADS: usize = 2;
const ROUNDS: u64 = 150;
const PARTIES: usize = PEERS * THREADS + THREADS;

/// Takes part in all rounds as party `id`: nobody may be behind, and nobody more than a round ahead. Says its number of each round.
fn rounds(barrier: &Barrier, numbers: &Queue<(u64, usize)>, file: &std::fs::File, id: usize) {
    for round in 1..=ROUNDS {
        file.write_all_at(&round.to_ne_bytes(), id as u64 * 8).unwrap();
        let number = barrier.wait().unwrap();
        numbers.put(&(round, number)).unwrap();
        let mut all = [0; PARTIES * 8];
        file.read_exact_at(&mut all, 0).unwrap();
        for other in all.chunks(8) {
            let other = u64::from_ne_bytes(other.try_into().unwrap());
            assert!((round..=round + 1).contains(&other), "a party is in round {other} while another has left round {round}");
        }
    }
}

fn rounds_in_threads(barrier: &Barrier, numbers: &Queue<(u64, usize)>, path: &str, first: usize) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    thread::scope(|scope| {
        for id in first..first + THREADS {
            let file = &file;
            scope.spawn(move || rounds(barrier, numbers, file, id));
        }
    });
}

#[test]
fn all_have_come_before_any_goes_on() {
    watchdog(LONG, || {
        let (fabric, dir) = (small(), TempDir::new("barrier"));
        let barrier = Barrier::create(&fabric, "rounds", PARTIES, None).unwrap();
        let numbers = Queue::create(&fabric, "numbers", 0).unwrap();
        let path = dir.path().join("rounds");
        std::fs::write(&path, [0; PARTIES * 8]).unwrap();
        let path = path.to_str().unwrap();
        let mut peers: Vec<Peer> =
            (0..PEERS).map(|peer| peer_in(&fabric, "barrier::round_role").arg("FILE", path).arg("FIRST", &(peer * THREADS).to_string()).start()).collect();
        rounds_in_threads(&barrier, &numbers, path, PEERS * THREADS);
        for peer in &mut peers {
            peer.expect("DONE", LONG);
        }
        let mut all: Vec<(u64, usize)> = (0..ROUNDS as usize * PARTIES).map(|_| numbers.get().unwrap()).collect();
        all.sort_unstable();
        let expected = (1..=ROUNDS).flat_map(|round| (0..PARTIES).map(move |number| (round, number)));
        assert!(all.into_iter().eq(expected), "in each round each number is somebody's");
        assert_eq!((barrier.n_waiting().unwrap(), barrier.broken(), barrier.parties()), (0, false, PARTIES));
        whole(&fabric);
        // Who leaves breaks nothing.
        for peer in &mut peers {
            peer.send("leave");
            assert!(peer.wait(LONG).success());
        }
        assert_eq!(fabric.sweep().unwrap(), 0);
        assert!(!barrier.broken());
    });
}

#[test]
#[ignore = "a role"]
fn round_role() {
    if peer::is("barrier::round_role") {
        let fabric = inherited();
        let barrier = Barrier::open(&fabric, "rounds").unwrap();
        rounds_in_threads(&barrier, &Queue::open(&fabric, "numbers").unwrap(), &peer::arg("FILE"), peer::arg("FIRST").parse().unwrap());
        peer::say("DONE");
        peer::hear();
    }
}

/// Waits until so many wait.
fn until_waiting(barrier: &Barrier, count: usize) {
    while barrier.n_waiting().unwrap() != count {
        thread::yield_now();
    }
}

#[test]
fn the_last_one_acts_before_anybody_goes_on() {
    watchdog(LONG, || {
        let (acted, fabric) = (Arc::new(AtomicUsize::new(0)), small());
        let barrier = Barrier::new(&fabric, 3, None).unwrap();
        let count = Arc::clone(&acted);
        let inner = barrier.clone();
        let acting = barrier.clone().with_action(move || {
            assert_eq!(inner.n_waiting()?, 0, "all have come");
            thread::sleep(SHORT);
            if count.fetch_add(1, Ordering::SeqCst) == 9 { inner.abort() } else { Ok(()) }
        });
        // More threads than parties: whoever comes while the action runs is of the next round.
        let passed = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    loop {
                        let before = acted.load(Ordering::SeqCst);
                        match acting.wait_timeout(LONG) {
                            Ok(_) => assert!(acted.load(Ordering::SeqCst) > before),
                            Err(error) => return assert_eq!(error.kind(), ErrorKind::BrokenBarrier),
                        }
                        passed.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!((acted.load(Ordering::SeqCst), passed.load(Ordering::SeqCst)), (10, 27));
        drop(acting);
        whole(&fabric);
    });
}

#[test]
fn a_failing_action_breaks_the_barrier() {
    watchdog(LONG, || {
        let barrier = Barrier::new(&small(), 2, None).unwrap();
        let alone = |act: &dyn Fn()| {
            thread::scope(|scope| {
                let waiter = scope.spawn(|| kind(barrier.wait()));
                until_waiting(&barrier, 1);
                act();
                assert_eq!(waiter.join().unwrap(), ErrorKind::BrokenBarrier);
            });
            assert!(barrier.broken());
            assert_eq!(kind(barrier.wait()), ErrorKind::BrokenBarrier);
            assert_eq!(kind(barrier.wait_timeout(SHORT)), ErrorKind::BrokenBarrier);
            barrier.reset().unwrap();
            assert!(!barrier.broken());
        };
        let failing = barrier.clone().with_action(|| Err(Error::new(ErrorKind::Unsupported, "no")));
        alone(&|| assert_eq!(kind(failing.wait()), ErrorKind::Unsupported));
        alone(&|| assert!(catch_unwind(AssertUnwindSafe(|| barrier.wait_then(None, || -> Result<()> { panic!("in the action") }))).is_err()));
        // Aborted and reset while it runs: it has not happened for anybody.
        alone(&|| assert_eq!(kind(barrier.wait_then(None, || barrier.abort())), ErrorKind::BrokenBarrier));
        alone(&|| {
            assert_eq!(kind(barrier.wait_then(None, || barrier.reset())), ErrorKind::BrokenBarrier);
            barrier.abort().unwrap();
        });
        // Time does not run while the action runs.
        thread::scope(|scope| {
            let waiter = scope.spawn(|| barrier.wait_timeout(SHORT * 20).unwrap());
            until_waiting(&barrier, 1);
            let acts = barrier.wait_then(None, || -> Result<()> {
                thread::sleep(SHORT * 40);
                Ok(())
            });
            assert_eq!((acts.unwrap(), waiter.join().unwrap()), (1, 0));
        });
        whole(barrier.fabric());
    });
}

#[test]
fn time_outs_break_the_barrier_for_all() {
    watchdog(LONG, || {
        let fabric = small();
        let barrier = Barrier::new(&fabric, 3, None).unwrap();
        for time in [Duration::ZERO, Duration::from_micros(10), SHORT] {
            thread::scope(|scope| {
                let waiter = scope.spawn(|| kind(barrier.wait()));
                until_waiting(&barrier, 1);
                let since = Instant::now();
                assert_eq!(kind(barrier.wait_timeout(time)), ErrorKind::BrokenBarrier);
                assert!(since.elapsed() >= time);
                assert_eq!(waiter.join().unwrap(), ErrorKind::BrokenBarrier);
            });
            assert!(barrier.broken());
            barrier.reset().unwrap();
        }
        // The barrier's own time-out.
        Barrier::create(&fabric, "own", 2, Some(SHORT)).unwrap();
        let since = Instant::now();
        assert_eq!(kind(Barrier::open(&fabric, "own").unwrap().wait()), ErrorKind::BrokenBarrier);
        assert!(since.elapsed() >= SHORT);
        assert_eq!(kind(Barrier::new(&fabric, 0, None)), ErrorKind::InvalidArgument);
        let one = Barrier::new(&fabric, 1, Some(Duration::ZERO)).unwrap();
        for _ in 0..1000 {
            assert_eq!(one.wait().unwrap(), 0);
        }
        whole(&fabric);
    });
}

#[test]
fn abort_and_reset_wake_those_who_wait() {
    watchdog(LONG, || {
        let fabric = small();
        let barrier = Barrier::new(&fabric, 4, None).unwrap();
        for turn in 0..20 {
            thread::scope(|scope| {
                let waiters: Vec<_> = (0..3).map(|_| scope.spawn(|| kind(barrier.wait()))).collect();
                until_waiting(&barrier, 3);
                if turn % 2 == 0 {
                    barrier.abort().unwrap();
                } else {
                    barrier.reset().unwrap();
                }
                waiters.into_iter().for_each(|waiter| assert_eq!(waiter.join().unwrap(), ErrorKind::BrokenBarrier));
            });
            assert_eq!((barrier.broken(), barrier.n_waiting().unwrap()), (turn % 2 == 0, 0));
            barrier.reset().unwrap();
            // And whole again.
            thread::scope(|scope| {
                let parties: Vec<_> = (0..4).map(|_| scope.spawn(|| barrier.wait().unwrap())).collect();
                assert_eq!(parties.into_iter().map(|party| party.join().unwrap()).sum::<usize>(), 6);
            });
        }
        let report = whole(&fabric);
        assert!(report.held_chunks <= 1 + 2 * 4, "{} chunks: entries are used again", report.held_chunks);
    });
}

/// A peer that does `what` with the barrier named `parties`.
fn party(fabric: &Fabric, what: &str) -> Peer {
    let mut peer = peer_in(fabric, "barrier::party_role").arg("WHAT", what).start();
    peer.expect("READY", LONG);
    peer
}

#[test]
#[ignore = "a role"]
fn party_role() {
    if peer::is("barrier::party_role") {
        let fabric = inherited();
        let barrier = Barrier::open(&fabric, "parties").unwrap();
        peer::say("READY");
        match peer::arg("WHAT").as_str() {
            "act" => drop(barrier.wait_then(None, || -> Result<()> {
                peer::say("ACTING");
                peer::park()
            })),
            "wait" => {
                let told = barrier.wait().map_or_else(|error| format!("{:?}", error.kind()), |number| number.to_string());
                peer::say(&told);
            }
            other => panic!("{other}"),
        }
        peer::hear(); // then leaves
    }
}

#[test]
fn a_party_that_is_killed_while_it_waits_breaks_the_barrier() {
    watchdog(LONG * 2, || {
        let fabric = small();
        let barrier = Barrier::create(&fabric, "parties", 3, None).unwrap();
        for swept in [true, false] {
            let mut dies = party(&fabric, "wait");
            let mut lives = party(&fabric, "wait");
            until_waiting(&barrier, 2);
            dies.kill();
            if swept {
                assert_eq!(fabric.sweep().unwrap(), 1);
                assert!(barrier.broken());
            }
            lives.expect("BrokenBarrier", LONG); // else it sweeps by itself
            assert!(barrier.broken());
            assert_eq!(kind(barrier.wait()), ErrorKind::BrokenBarrier);
            barrier.reset().unwrap();
            whole(&fabric);
        }
        // While it runs the action.
        let barrier = {
            barrier.destroy().unwrap();
            Barrier::create(&fabric, "parties", 2, None).unwrap()
        };
        let mut lives = party(&fabric, "wait");
        until_waiting(&barrier, 1);
        let mut acts = party(&fabric, "act");
        acts.expect("ACTING", LONG);
        assert_eq!((barrier.n_waiting().unwrap(), barrier.broken()), (0, false));
        acts.kill();
        lives.expect("BrokenBarrier", LONG);
        whole(&fabric);
    });
}

#[test]
fn a_party_that_is_killed_between_rounds_breaks_the_next() {
    watchdog(LONG * 2, || {
        let fabric = small();
        let barrier = Barrier::create(&fabric, "parties", 2, None).unwrap();
        for swept in [true, false] {
            let mut peer = party(&fabric, "wait");
            barrier.wait().unwrap();
            peer.wait_line(LONG);
            peer.kill();
            if swept {
                assert_eq!(fabric.sweep().unwrap(), 1);
                assert!(barrier.broken());
            }
            assert_eq!(kind(barrier.wait()), ErrorKind::BrokenBarrier, "nobody would come");
            barrier.reset().unwrap();
        }
        // One that leaves, or took part in an earlier round only, or before a reset, is missed by nobody.
        let mut leaves = party(&fabric, "wait");
        barrier.wait().unwrap();
        let mut stays = party(&fabric, "wait");
        barrier.wait().unwrap();
        let mut other = party(&fabric, "wait");
        barrier.wait().unwrap();
        for peer in [&mut leaves, &mut stays, &mut other] {
            peer.wait_line(LONG);
        }
        stays.kill();
        assert_eq!((fabric.sweep().unwrap(), barrier.broken()), (1, false));
        leaves.send("leave");
        assert!(leaves.wait(LONG).success());
        barrier.reset().unwrap();
        other.kill();
        assert_eq!((fabric.sweep().unwrap(), barrier.broken()), (1, false));
        let mut last = party(&fabric, "wait");
        barrier.wait().unwrap();
        last.wait_line(LONG);
        last.send("leave");
        assert!(last.wait(LONG).success());
        fabric.sweep().unwrap();
        assert!(!barrier.broken());
        whole(&fabric);
    });
}

#[test]
fn a_destroyed_barrier_is_gone() {
    watchdog(LONG, || {
        let fabric = small();
        let barrier = Barrier::create(&fabric, "gone", 4, None).unwrap();
        assert_eq!(kind(Lock::open(&fabric, "gone")), ErrorKind::WrongType);
        let handles = [Barrier::from_ticket(&barrier.ticket()).unwrap(), Barrier::open_or_create(&fabric, "gone", 9, None).unwrap()];
        thread::scope(|scope| {
            let waiters: Vec<_> = handles.iter().map(|barrier| scope.spawn(|| kind(barrier.wait()))).collect();
            until_waiting(&barrier, 2);
            assert_eq!(handles[1].parties(), 4);
            fabric.remove("gone").unwrap();
            waiters.into_iter().for_each(|waiter| assert_eq!(waiter.join().unwrap(), ErrorKind::Gone));
        });
        let new = Barrier::create(&fabric, "gone", 2, None).unwrap();
        new.abort().unwrap();
        for error in [barrier.abort(), barrier.reset(), barrier.wait().map(drop), barrier.n_waiting().map(drop)] {
            assert_eq!(kind(error), ErrorKind::Gone);
        }
        assert_eq!((new.broken(), barrier.broken()), (true, false));
        // Destroyed by the action.
        let new = Barrier::new(&fabric, 1, None).unwrap();
        assert_eq!(kind(new.wait_then(None, || new.destroy())), ErrorKind::Gone);
        assert_eq!(kind(new.wait()), ErrorKind::Gone);
        assert!(BytesQueue::open(&fabric, "gone").is_err());
        whole(&fabric);
    });
}
