//! Models of `word.rs`: never two owners, no wake-up lost, every death told; and which sleeps the nap is there for.

use std::sync::Arc;

use loom::cell::Cell;

use crate::atomic::{AtomicU64, Ordering};
use crate::kernel::{self, allow_naps, me, model, process, victim};
use crate::shm::{Deadline, Owner, Segment, Shm};
use crate::sync::word::{self, Acquired};

/// A lock, and two places that it protects. Loom finds it if two processes are in there at once.
struct Locked {
    shm: Shm,
    word: AtomicU64,
    data: [Cell<u32>; 2],
}

impl Locked {
    fn new() -> Arc<Locked> {
        Arc::new(Locked { shm: Shm::new(Segment::default()), word: AtomicU64::new(0), data: [Cell::new(0), Cell::new(0)] })
    }

    fn acquire(&self) -> Acquired {
        word::acquire(&self.shm, &self.word, me(), Deadline::Never).expect("no deadline")
    }

    fn get(&self, place: usize) -> u32 {
        self.data[place].get()
    }

    fn set(&self, place: usize, to: u32) {
        self.data[place].set(to);
    }

    /// Adds one to both places; a death may fall between them (the store of another word stands for the instant).
    fn add(&self, between: &AtomicU64) {
        let told = self.acquire() == Acquired::OwnerDied;
        let (first, second) = (self.get(0), self.get(1));
        assert!(first == second || told, "torn, and nobody was told");
        self.set(0, first + 1);
        between.store(1, Ordering::Relaxed);
        self.set(1, first + 1);
        word::release(&self.word);
    }

    /// After the end of all.
    fn count(&self) -> u32 {
        let told = self.acquire() == Acquired::OwnerDied;
        let (first, second) = (self.get(0), self.get(1));
        assert!(first == second || told, "torn, and nobody was told");
        first
    }
}

fn adder(lock: &Arc<Locked>) -> impl FnOnce() + 'static {
    let lock = Arc::clone(lock);
    move || lock.add(&AtomicU64::new(0))
}

/// Stores and system calls of one `add` without a wait: acquire, between, release; with waits there are more.
const STORES: u32 = 6;

#[test]
fn two_never_hold_it_at_once_and_nobody_sleeps_for_ever() {
    model(4, || {
        let lock = Locked::new();
        let others = [1, 2].map(|number| process(number, adder(&lock)));
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(lock.count(), 2);
    });
}

#[test]
fn nor_do_three() {
    model(2, || {
        let lock = Locked::new();
        let others = [1, 2, 3].map(|number| process(number, adder(&lock)));
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(lock.count(), 3);
    });
}

/// With naps everybody gets on, whoever died where; and whoever finds it torn was told.
#[test]
fn a_death_at_any_store_is_told_and_stops_nobody() {
    for stores in 0..STORES {
        model(3, move || {
            allow_naps();
            let lock = Locked::new();
            let dies = victim(1, stores, adder(&lock));
            let lives = process(2, adder(&lock));
            let finished = dies.join().unwrap().is_some();
            lives.join().unwrap();
            let count = lock.count();
            // The dead one's increment is there or not; the other one's always is.
            assert!(if finished { count == 2 } else { count == 1 || count == 2 }, "{count}");
        });
    }
}

/// Two deaths: of the owner, and of the one who takes over from it.
#[test]
fn a_death_while_taking_over_is_told_to_the_next() {
    for stores in 0..STORES {
        model(2, move || {
            allow_naps();
            let lock = Locked::new();
            assert!(victim(1, 1, adder(&lock)).join().unwrap().is_none(), "killed holding it");
            let dies = victim(2, stores, adder(&lock));
            let lives = process(3, adder(&lock));
            let finished = dies.join().unwrap().is_some();
            lives.join().unwrap();
            let count = lock.count();
            assert!((1 + u32::from(finished)..=3).contains(&count), "{count}");
        });
    }
}

/// By design: killed between its release and its wake-up. Without the nap the sleeper sleeps for ever.
#[test]
#[should_panic(expected = "deadlock")]
fn killed_before_its_wake_needs_the_nap() {
    model(2, || {
        let lock = Locked::new();
        lock.acquire();
        let waiter = process(1, adder(&lock));
        let holder = {
            let lock = Arc::clone(&lock);
            victim(2, 1, move || word::release(&lock.word))
        };
        holder.join().unwrap();
        waiter.join().unwrap();
    });
}

/// By design: a sweep that ended between the waiter's look at the owner and its sleep. The sweep wakes those who sleep already; the nap is for the others.
#[test]
#[should_panic(expected = "deadlock")]
fn a_sweep_before_the_sleep_needs_the_nap() {
    swept(false);
}

#[test]
fn with_the_nap_a_sweep_at_any_moment_will_do() {
    swept(true);
}

fn swept(naps: bool) {
    model(2, move || {
        if naps {
            allow_naps();
        }
        let lock = Locked::new();
        let dies = victim(1, 1, adder(&lock));
        assert!(dies.join().unwrap().is_none(), "killed holding it");
        let waiter = process(2, adder(&lock));
        lock.shm.announce_death();
        waiter.join().unwrap();
    });
}

/// A lock whose repair failed: it was handed back to the dead, and everybody who comes is told, one after the other. (Loom orders a plain store and another process's
/// compare-and-swap differently than any machine does, so the two do not overlap here.)
#[test]
fn what_was_handed_back_to_the_dead_is_told_again() {
    model(3, || {
        allow_naps();
        let lock = Locked::new();
        lock.acquire();
        word::hand_back(&lock.word, Owner::DEAD);
        let others = [1, 2].map(|number| {
            let lock = Arc::clone(&lock);
            process(number, move || {
                let told = lock.acquire() == Acquired::OwnerDied;
                assert!(word::release_own(&lock.word, me()));
                told
            })
        });
        let told = others.map(|other| other.join().unwrap().expect("it lives"));
        assert_eq!(told.iter().filter(|&&told| told).count(), 1, "told once");
        assert_eq!(lock.acquire(), Acquired::Clean);
    });
}
