//! Models of a semaphore's words (`permits.rs`, `ledger.rs`): permits are neither lost nor doubled, whoever dies where; and nobody sleeps past one.

use std::sync::Arc;
use std::time::Duration;

use loom::cell::Cell;

use crate::atomic::{self, Ordering};
use crate::kernel::{allow_naps, every_death, me, model, process, victim};
use crate::shm::{Owner, Segment, Shm};
use crate::sync::permits::Words;
use crate::sync::wait;

/// Where the semaphore's object stands.
const AT: u64 = 0x100;

/// A semaphore, and something that the holder of its only permit may touch.
struct Scene {
    shm: Shm,
    data: Cell<u32>,
}

impl Scene {
    fn new(value: u32) -> Arc<Scene> {
        let words = [24].into_iter().chain((192..=232).step_by(8)).chain([320]).map(|at| AT + at);
        let segment = Segment::with(words, [256].into_iter().chain((384..416).step_by(4)).map(|at| AT + at));
        let scene = Scene { shm: Shm::new(segment), data: Cell::new(0) };
        scene.words().begin(value, false);
        Arc::new(scene)
    }

    fn words(&self) -> Words<'_> {
        Words::of(&self.shm, AT).expect("the semaphore's words")
    }

    /// As `Semaphore::attempt`.
    fn try_acquire(&self) -> bool {
        let w = self.words();
        let guard = w.lock().expect("whole words");
        let free = w.free().load(Ordering::Relaxed);
        if free > 0 {
            w.take(guard.me.slot(), 1, free).expect("whole words");
        }
        free > 0
    }

    /// As `Handle::until` does it.
    fn acquire(&self) {
        while !self.try_acquire() {
            let w = self.words();
            let announced = wait::announce(w.waiting());
            if w.free().load(Ordering::Relaxed) == 0 {
                wait::sleep(&self.shm, w.waiting(), announced, Duration::from_millis(1));
            }
        }
    }

    /// As `Semaphore::release`.
    fn release(&self, count: u32) {
        let w = self.words();
        let guard = w.lock().expect("whole words");
        let after = w.free().load(Ordering::Relaxed) + u64::from(count);
        w.release(guard.me.slot(), count, after).expect("whole words");
        drop(guard);
        w.wake(count);
    }

    fn add(&self) {
        self.acquire();
        self.data.set(self.data.get() + 1);
        self.release(1);
    }

    fn acquire_and_die(&self) {
        self.acquire();
        atomic::die();
    }

    fn bury(&self, number: usize) {
        self.words().bury(Owner::of_process(number)).expect("whole words");
    }

    /// Total, free, held. After the end of all, and with the words whole.
    fn state(&self) -> (u64, u64, u64) {
        let w = self.words();
        let _guard = w.lock().expect("whole words");
        assert_eq!(w.goal().load(Ordering::Relaxed), 0, "a settling that nobody goes on with");
        (w.total().load(Ordering::Relaxed), w.free().load(Ordering::Relaxed), w.ledger().sum())
    }
}

fn with<R: 'static>(scene: &Arc<Scene>, act: impl FnOnce(&Scene) -> R + 'static) -> impl FnOnce() -> R + 'static {
    let scene = Arc::clone(scene);
    move || act(&scene)
}

#[test]
fn one_permit_is_one_at_a_time_and_nobody_sleeps_for_ever() {
    model(3, || {
        let scene = Scene::new(1);
        let others = [1, 2].map(|number| process(number, with(&scene, Scene::add)));
        for other in others {
            other.join().unwrap();
        }
        assert_eq!((scene.state(), scene.data.get()), ((1, 1, 0), 2));
    });
}

/// Signals: they are released by one who never held them, at once or one by one.
#[test]
fn two_sleepers_are_woken_by_two_signals() {
    for at_once in [true, false] {
        model(2, move || {
            let scene = Scene::new(0);
            let takers = [1, 2].map(|number| process(number, with(&scene, Scene::acquire)));
            if at_once {
                scene.release(2);
            } else {
                scene.release(1);
                scene.release(1);
            }
            for taker in takers {
                taker.join().unwrap();
            }
            // A signal takes a permit from a taker that has one already before it makes another.
            let (total, free, held) = scene.state();
            assert!(free == 0 && held == total && (total == 2 || !at_once && total == 1), "{held} of {total} held, {free} free");
        });
    }
}

#[test]
fn a_burial_wakes_who_waits_for_the_permit_of_the_dead() {
    model(3, || {
        let scene = Scene::new(1);
        let holder = process(1, with(&scene, Scene::acquire_and_die)).join().unwrap();
        assert!(holder.is_none() && scene.state() == (1, 0, 1), "killed with the permit");
        let taker = process(2, with(&scene, Scene::acquire));
        scene.bury(1);
        taker.join().unwrap();
        assert_eq!(scene.state(), (1, 0, 1));
    });
}

/// Killed anywhere between coming and having gone; buried by two who race for it.
#[test]
fn the_permit_of_a_holder_killed_at_any_store_comes_back_once() {
    for stores in every_death() {
        model(2, move || {
            allow_naps();
            let scene = Scene::new(1);
            let dies = victim(
                1,
                stores,
                with(&scene, |scene| {
                    scene.acquire();
                    scene.release(1);
                }),
            );
            let lives = process(
                2,
                with(&scene, |scene| {
                    let mine = scene.try_acquire();
                    if mine {
                        scene.release(1);
                    }
                }),
            );
            let finished = dies.join().unwrap().is_some();
            lives.join().unwrap();
            if !finished {
                let other = process(3, with(&scene, |scene| scene.bury(1)));
                scene.bury(1);
                other.join().unwrap();
            }
            assert_eq!(scene.state(), (1, 1, 0));
        });
    }
}

/// One who buries the dead, killed at any store.
#[test]
fn a_burial_cut_short_is_finished_by_the_next() {
    for stores in every_death() {
        model(2, move || {
            allow_naps();
            let scene = Scene::new(1);
            assert!(process(1, with(&scene, Scene::acquire_and_die)).join().unwrap().is_none(), "killed with the permit");
            let taker = process(2, with(&scene, Scene::acquire));
            let buries = victim(3, stores, with(&scene, |scene| scene.bury(1)));
            if buries.join().unwrap().is_none() {
                scene.bury(1);
            }
            taker.join().unwrap();
            assert_eq!(scene.state(), (1, 0, 1));
        });
    }
}

/// Two permits that others hold are released by one who holds none, and a third that nobody holds: all of it or nothing.
#[test]
fn a_settling_killed_at_any_store_is_done_or_not_begun() {
    for stores in every_death() {
        model(2, move || {
            allow_naps();
            let scene = Scene::new(2);
            assert!(scene.try_acquire());
            assert!(process(4, with(&scene, Scene::try_acquire)).join().unwrap().expect("it lives"));
            let dies = victim(1, stores, with(&scene, |scene| scene.release(3)));
            let lives = process(2, with(&scene, Scene::try_acquire));
            let finished = dies.join().unwrap().is_some();
            let taken = u64::from(lives.join().unwrap().expect("it lives"));
            let state = scene.state();
            let done = (3, 3 - taken, taken);
            assert!(state == done || !finished && taken == 0 && state == (2, 0, 2), "{state:?}, {taken} taken");
        });
    }
}
