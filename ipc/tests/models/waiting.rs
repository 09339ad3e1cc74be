//! Models of `wait.rs`: a sleeper that announced itself is not slept past, whoever clears the bit; and which sleeps the nap is there for.
//!
//! The change that is waited for is a count; it is stored, and then comes the swap that the users of the wait word have there (a lock is released), and the wake.

use std::sync::Arc;
use std::time::Duration;

use crate::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::kernel::{allow_naps, model, process, victim};
use crate::shm::{Segment, Shm};
use crate::sync::wait;

struct Scene {
    shm: Shm,
    word: AtomicU32,
    things: AtomicU64,
    lock: AtomicU64,
}

impl Scene {
    fn new() -> Arc<Scene> {
        Arc::new(Scene { shm: Shm::new(Segment::default()), word: AtomicU32::new(0), things: AtomicU64::new(0), lock: AtomicU64::new(0) })
    }

    /// As a put: the store that commits, the release of the lock, one wake.
    fn put(&self) {
        self.things.fetch_add(1, Ordering::Release);
        self.lock.swap(0, Ordering::Release);
        wait::wake(&self.word, 1);
    }

    /// As a close: all are woken, and all may go.
    fn open_for_all(&self) {
        self.things.store(100, Ordering::Release);
        self.lock.swap(0, Ordering::Release);
        wait::wake(&self.word, u32::MAX);
    }

    /// As a get: try, announce, look once more, sleep.
    fn take(&self) {
        loop {
            if self.try_take() {
                return;
            }
            let announced = wait::announce(&self.word);
            if self.things.load(Ordering::Acquire) == 0 {
                wait::sleep(&self.shm, &self.word, announced, Duration::from_millis(1));
            }
        }
    }

    fn try_take(&self) -> bool {
        let now = self.things.load(Ordering::Acquire);
        now > 0 && self.things.compare_exchange(now, now - 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

fn with(scene: &Arc<Scene>, act: fn(&Scene)) -> impl FnOnce() + 'static {
    let scene = Arc::clone(scene);
    move || act(&scene)
}

#[test]
fn a_sleeper_is_woken_by_the_put_it_waits_for() {
    model(4, || {
        let scene = Scene::new();
        let taker = process(1, with(&scene, Scene::take));
        scene.put();
        taker.join().unwrap();
    });
}

#[test]
fn two_sleepers_and_two_puts_of_one_process() {
    model(2, || {
        let scene = Scene::new();
        let takers = [1, 2].map(|number| process(number, with(&scene, Scene::take)));
        scene.put();
        scene.put();
        for taker in takers {
            taker.join().unwrap();
        }
    });
}

#[test]
fn two_sleepers_and_two_putters() {
    model(1, || {
        let scene = Scene::new();
        let takers = [1, 2].map(|number| process(number, with(&scene, Scene::take)));
        let putter = process(3, with(&scene, Scene::put));
        scene.put();
        putter.join().unwrap();
        for taker in takers {
            taker.join().unwrap();
        }
    });
}

#[test]
fn a_wake_for_all_wakes_all() {
    model(2, || {
        let scene = Scene::new();
        let takers = [1, 2].map(|number| process(number, with(&scene, Scene::take)));
        scene.open_for_all();
        for taker in takers {
            taker.join().unwrap();
        }
    });
}

/// What a sleeper that was killed leaves in the word hides nobody who comes later.
#[test]
fn a_killed_sleeper_hides_nobody() {
    for stores in 0..2 {
        model(4, move || {
            let scene = Scene::new();
            let killed = victim(1, stores, with(&scene, Scene::take)).join().unwrap();
            assert!(killed.is_none(), "killed before its announcement, or before its sleep");
            let taker = process(2, with(&scene, Scene::take));
            scene.put();
            taker.join().unwrap();
        });
    }
}

/// A putter killed anywhere: with naps, who comes after gets on, and what was committed is found.
#[test]
fn a_putter_killed_at_any_store_stops_nobody() {
    for stores in 0..5 {
        model(2, move || {
            allow_naps();
            let scene = Scene::new();
            let taker = process(2, with(&scene, Scene::take));
            let dies = victim(1, stores, with(&scene, Scene::put));
            if stores == 0 {
                scene.put(); // nothing was put by the dead one
            }
            dies.join().unwrap();
            taker.join().unwrap();
        });
    }
}

/// By design: killed between its commit and its wake.
#[test]
#[should_panic(expected = "deadlock")]
fn a_putter_killed_before_its_wake_needs_the_nap() {
    model(2, || {
        let scene = Scene::new();
        let taker = process(2, with(&scene, Scene::take));
        let dies = victim(1, 2, with(&scene, Scene::put));
        dies.join().unwrap();
        taker.join().unwrap();
    });
}

/// By design: a sleeper that was woken and killed before it took anything; the wake-up went with it.
#[test]
#[should_panic(expected = "deadlock")]
fn a_woken_sleeper_that_is_killed_needs_the_nap() {
    model(3, || {
        let scene = Scene::new();
        let dies = victim(1, 2, with(&scene, Scene::take));
        let taker = process(2, with(&scene, Scene::take));
        scene.put();
        dies.join().unwrap();
        taker.join().unwrap();
    });
}
