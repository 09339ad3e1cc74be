//! Models of those who wait in order (`waiters.rs`), under a lock as a condition has it: a notification reaches one who waits, and is neither lost nor doubled by a death, nor by one who
//! gives up at the same time.

use std::sync::Arc;
use std::time::Duration;

use loom::cell::Cell;

use crate::atomic::{self, AtomicU64, Ordering};
use crate::heap::{ENTRIES, RINGS, cell, place};
use crate::kernel::{allow_naps, every_death, me, model, process, victim};
use crate::shm::{Deadline, Owner, Segment, Shm};
use crate::sync::guard::Guard;
use crate::sync::waiters::{Fate, Key, NOTIFIED, Place, WAITING, Waiters, state};
use crate::sync::word;

/// Where the condition's object stands, and its words.
const AT: u64 = 0x100;
const LOCK: u64 = 192;
const LIST: u64 = 200;

/// A condition, its users' lock, and a count of things under that.
struct Scene {
    shm: Shm,
    lock: AtomicU64,
    things: AtomicU64,
}

impl Scene {
    fn new() -> Arc<Scene> {
        let object = (LOCK..LIST + 48).step_by(8).map(|at| AT + at);
        let entries = (RINGS..RINGS + ENTRIES).map(place).flat_map(|start| (start - 8..start + 64).step_by(8));
        Arc::new(Scene { shm: Shm::new(Segment::with(object.chain(entries), [])), lock: AtomicU64::new(0), things: AtomicU64::new(0) })
    }

    /// The list, under its own lock.
    fn list<R>(&self, act: impl FnOnce(Waiters<'_>) -> R) -> R {
        let waiters = self.waiters();
        let word = self.shm.segment.span(AT + LOCK, 8).and_then(|span| span.u64(0)).expect("the lock");
        let _guard = Guard::enter(&self.shm, word, |me| waiters.repair(me)).expect("a whole list");
        act(waiters)
    }

    fn waiters(&self) -> Waiters<'_> {
        let object = self.shm.segment.span(AT, 256).expect("the object");
        Waiters::of(&self.shm, AT, object, LIST as usize).expect("the list's words")
    }

    fn acquire(&self) {
        word::acquire(&self.shm, &self.lock, me(), Deadline::Never).expect("no deadline");
    }

    fn enlist(&self, me: Owner) -> Key {
        self.list(|waiters| waiters.enlist(me, 0).map(Place::key)).expect("room to wait in")
    }

    /// As `Condition::wait`, with the lock held.
    fn wait(&self) -> Fate {
        let place = self.waiters().place(self.enlist(me())).expect("its place");
        word::release(&self.lock);
        while place.still_waits() {
            place.sleep(&self.shm, Duration::from_millis(1));
        }
        self.acquire();
        place.leave()
    }

    /// Waits for a thing and takes it.
    fn take(&self) {
        self.acquire();
        loop {
            let things = self.things.load(Ordering::Relaxed);
            if things > 0 {
                self.things.store(things - 1, Ordering::Relaxed);
                break;
            }
            assert_eq!(self.wait(), Fate::Notified, "nothing else ends this wait");
        }
        word::release(&self.lock);
    }

    /// Adds things, one notification for each; or one for all.
    fn put(&self, things: u64, most: usize) {
        self.acquire();
        self.things.store(self.things.load(Ordering::Relaxed) + things, Ordering::Relaxed);
        self.notify(most);
        word::release(&self.lock);
    }

    fn notify(&self, most: usize) -> usize {
        self.list(|waiters| waiters.notify(most)).expect("a whole list")
    }

    /// As the sweep has it.
    fn outlive(&self, number: usize) {
        self.list(|waiters| waiters.outlive(Owner::of_process(number))).expect("a whole list");
    }

    /// The state of who waits by this key.
    fn state(&self, owner: usize) -> Option<u64> {
        let entries = self.waiters().entries().map(|entry| entry.expect("a whole list"));
        entries.filter(|entry| entry.owner() == Owner::of_process(owner)).map(|entry| state(entry.word())).next()
    }

    /// After the end of all: chunks that the list holds are in it, and no others are held.
    fn assert_whole(&self) {
        let listed = self.list(|waiters| waiters.chunks().expect("a whole list"));
        for number in RINGS..RINGS + ENTRIES {
            let holds = self.shm.chunk(place(number)).expect("a chunk").holder() == cell::Holder::Held(AT);
            assert_eq!(holds, listed.contains(&place(number)), "chunk {number}");
        }
    }
}

fn with<R: 'static>(scene: &Arc<Scene>, act: impl FnOnce(&Scene) -> R + 'static) -> impl FnOnce() -> R + 'static {
    let scene = Arc::clone(scene);
    move || act(&scene)
}

#[test]
fn a_notification_ends_the_wait_it_is_for() {
    model(3, || {
        let scene = Scene::new();
        let taker = process(1, with(&scene, Scene::take));
        scene.put(1, 1);
        taker.join().unwrap();
    });
}

#[test]
fn two_wait_and_each_is_told() {
    for at_once in [true, false] {
        model(2, move || {
            let scene = Scene::new();
            let takers = [1, 2].map(|number| process(number, with(&scene, Scene::take)));
            if at_once {
                scene.put(2, usize::MAX);
            } else {
                scene.put(1, 1);
                scene.put(1, 1);
            }
            for taker in takers {
                taker.join().unwrap();
            }
            assert_eq!(scene.things.load(Ordering::Relaxed), 0);
            scene.assert_whole();
        });
    }
}

/// Two wait and one of them is killed; there are things for both: the other one gets its own, whatever the dead one was told or held.
#[test]
fn a_waiter_killed_at_any_store_takes_no_notification_with_it() {
    for stores in every_death() {
        model(1, move || {
            allow_naps();
            let scene = Scene::new();
            let dies = victim(1, stores, with(&scene, Scene::take));
            let lives = process(2, with(&scene, Scene::take));
            scene.put(1, 1);
            scene.put(1, 1);
            let finished = dies.join().unwrap().is_some();
            if !finished {
                scene.outlive(1);
            }
            lives.join().unwrap();
            scene.assert_whole();
        });
    }
}

/// Who notifies is killed: whoever comes after, notifies again.
#[test]
fn a_notifier_killed_at_any_store_leaves_the_list_whole() {
    for stores in every_death() {
        model(1, move || {
            allow_naps();
            let scene = Scene::new();
            let taker = process(2, with(&scene, Scene::take));
            let dies = victim(1, stores, with(&scene, |scene| scene.put(1, 1)));
            let finished = dies.join().unwrap().is_some();
            if !finished {
                scene.put(1, 1);
            }
            taker.join().unwrap();
            scene.assert_whole();
        });
    }
}

/// A notification that a dead one had is passed on by one who is killed on the way, while the heir gives up: it comes to one who waits, and to one only.
#[test]
fn a_notification_is_passed_on_once() {
    for stores in every_death() {
        model(3, move || {
            allow_naps();
            let scene = Scene::new();
            // Entries that others left: whoever links one does it for itself.
            let left = [(); 3].map(|()| scene.enlist(me()));
            for key in left {
                assert_eq!(scene.waiters().place(key).expect("its place").leave(), Fate::Withdrawn);
            }
            let [_, heir, _] = [1, 3, 4].map(|number| scene.enlist(Owner::of_process(number)));
            assert_eq!(scene.notify(1), 1);
            assert!(process(1, atomic::die).join().unwrap().is_none(), "told, and killed");
            let leaver = process(3, with(&scene, move |scene| scene.waiters().place(heir).expect("its place").leave()));
            let dies = victim(2, stores, with(&scene, |scene| scene.outlive(1)));
            dies.join().unwrap();
            scene.outlive(1);
            let fate = leaver.join().unwrap().expect("it lives");
            let last = scene.state(4).expect("it waits");
            let expected = if fate == Fate::Notified { WAITING } else { NOTIFIED };
            assert_eq!((last, scene.state(1)), (expected, Some(0)), "{fate:?}");
        });
    }
}
