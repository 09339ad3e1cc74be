//! Models of the queue's two sides (`put.rs`, `get.rs`, `ring.rs`): messages arrive whole, once and in order, over tiny rings that are full after two; a death at any
//! store of either side loses or doubles nothing; and an ending queue leaves nothing behind, whoever puts meanwhile.

use std::sync::Arc;
use std::time::Duration;

use crate::atomic::{self, Ordering};
use crate::error::ErrorKind;
use crate::fabric::Fabric;
use crate::fabric::handle::Handle;
use crate::heap::cell::{Cell, Holder};
use crate::heap::{CAPACITY, ENTRIES, RINGS, place};
use crate::kernel::{allow_naps, every_death, model, process, victim};
use crate::objects::ObjectId;
use crate::queue::dead::DeadReason;
use crate::queue::get::{self, Getter};
use crate::queue::layout::{JOINABLE, Words};
use crate::queue::quick::{self, Look};
use crate::queue::ring::Payload;
use crate::queue::{BytesQueue, Message, entry, joined, lease, put};
use crate::shm::{Owner, Segment, Shm};
use crate::sync::wait;

/// Where the queue's object stands.
const AT: u64 = 0x100;
const ID: ObjectId = ObjectId { offset: AT, birth: 7 };

struct Scene(BytesQueue);

impl Scene {
    /// An empty queue without a ring or an entry, and free chunks for four rings.
    fn new() -> Arc<Scene> {
        Scene::with(0, 0)
    }

    /// The same with chunks for entries too, and with bits of the aside word.
    fn with(entries: u64, aside: u64) -> Arc<Scene> {
        let words = |from: u64, to: u64| (from..=to).step_by(8);
        let object = [24].into_iter().chain(words(192, 248)).chain(words(256, 344)).chain(words(384, 560)).map(|at| AT + at);
        let rings = (0..RINGS)
            .map(place)
            .flat_map(move |start| [start - 8, start, start + 8, start + 128, start + 256].into_iter().chain(words(start + 384, start + CAPACITY - 8)));
        let entries = (RINGS..RINGS + ENTRIES.min(entries)).map(place).flat_map(move |start| words(start - 8, start + 80));
        let segment = Segment::with(object.chain(rings).chain(entries), [AT + 576, AT + 640, AT + 704]);
        let scene = Scene(BytesQueue(Handle { id: ID, shm: Shm::new(segment) }));
        scene.words().birth().store(ID.birth, Ordering::Relaxed);
        scene.words().aside().store(aside, Ordering::Relaxed);
        Arc::new(scene)
    }

    fn words(&self) -> Words<'_> {
        self.0.words()
    }

    /// As `BytesQueue::put_as`. False: the queue was destroyed.
    fn put(&self, value: u64) -> bool {
        if quick::put(self.words(), &[&value.to_le_bytes()], 0).expect("a whole queue") == 1 {
            wait::wake(self.words().data(), 1);
            return true;
        }
        match put::put(self.words(), 0, &[Payload::Inline(&value.to_le_bytes())], 0) {
            Ok(count) => {
                assert_eq!(count, 1, "an unbounded queue takes what it is given");
                wait::wake(self.words().data(), 1);
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Gone, "{error:?}");
                false
            }
        }
    }

    /// As `BytesQueue::try_get`.
    fn try_get(&self) -> Option<u64> {
        let mut message = Message::empty();
        match quick::get(self.words(), &mut message).expect("a whole queue") {
            Look::Got((), _) => return Some(message.0),
            Look::Nothing => return None,
            Look::Unusual => {}
        }
        let mut getter = Getter::enter(self.words()).expect("the consumer side");
        getter.take(&Fabric).expect("a whole queue").map(|message| message.0)
    }

    /// As `BytesQueue::get`: try, announce, look once more, sleep.
    fn get(&self) -> u64 {
        let w = self.words();
        loop {
            if let Some(got) = self.try_get() {
                return got;
            }
            let announced = wait::announce(w.data());
            if !get::looks_ready(w) {
                wait::sleep(w.shm, w.data(), announced, Duration::from_millis(1));
            }
        }
    }

    /// As `BytesQueue::lease` and an acknowledgement.
    fn lease_and_acknowledge(&self) -> Option<u64> {
        let (leased, value) = self.lease()?;
        let getter = Getter::enter(self.words()).expect("the consumer side");
        let entry = lease::held(&getter, leased.entry, leased.serial).expect("a whole entry").expect("held still");
        lease::acknowledge(&getter, entry, false).expect("a whole entry");
        drop(getter);
        joined::tell(self.words());
        Some(value)
    }

    fn lease(&self) -> Option<(lease::Leased, u64)> {
        let mut getter = Getter::enter(self.words()).expect("the consumer side");
        let leased = lease::lease(&mut getter, None).expect("a whole queue")?;
        let lease::LeasedBytes::Copy(Message(value)) = leased.what else { panic!("no chunk was put") };
        Some((leased, value))
    }

    /// As `outlive` in `src/queue/mod.rs`, of a queue without dead letters.
    fn outlive(&self, number: usize) {
        let (w, gone) = (self.words(), Owner::of_process(number));
        let guard = get::lock(w).expect("the consumer side");
        drop(put::lock(w).expect("the producer side"));
        joined::lose(w, gone).expect("a whole ledger");
        let held = lease::held_by(w, gone).expect("a whole ledger");
        for &entry in &held {
            lease::give_back(w, entry, None, DeadReason::HolderDied).expect("a whole entry");
        }
        drop(guard);
        wait::wake(w.data(), held.len() as u32);
        joined::tell(w);
    }

    fn drain(&self) -> Vec<u64> {
        std::iter::from_fn(|| self.try_get()).collect()
    }

    /// Every chunk of an entry that the queue holds is in its ledger.
    fn assert_listed(&self, entries: u64) {
        let _getter = Getter::enter(self.words()).expect("the consumer side");
        let listed = entry::chunks(self.words()).expect("a whole ledger");
        for number in RINGS..RINGS + entries {
            let holds = self.words().shm.chunk(place(number)).expect("a chunk").holder() == Holder::Held(AT);
            assert_eq!(holds, listed.contains(&place(number)), "chunk {number}");
        }
    }

    /// Nothing is left: no ring, no chunk but what `sweep` would give back.
    fn assert_ended(&self) {
        let w = self.words();
        let lane = w.lane(0).expect("the first lane");
        assert_eq!((lane.head_ring().load(Ordering::Acquire), lane.tail_ring().load(Ordering::Acquire)), (0, 0), "a ring is left in a queue that has ended");
        for number in 0..RINGS {
            let cell = w.shm.chunk(place(number)).expect("a chunk").cell.load(Ordering::Acquire);
            assert_ne!(cell, Cell::held(AT).0, "the queue that has ended holds a chunk");
        }
    }
}

fn with<R: 'static>(scene: &Arc<Scene>, act: impl FnOnce(&Scene) -> R + 'static) -> impl FnOnce() -> R + 'static {
    let scene = Arc::clone(scene);
    move || act(&scene)
}

/// The first ring is made while the getter looks.
#[test]
fn a_message_arrives_whole_and_wakes_its_getter() {
    model(3, || {
        let scene = Scene::new();
        let putter = process(1, with(&scene, |scene| assert!(scene.put(11))));
        assert_eq!(scene.get(), 11);
        putter.join().unwrap();
    });
}

/// Two fill a ring; the third finds room or adds a ring, as it happens, and the getter goes over.
#[test]
fn four_messages_over_tiny_rings_arrive_in_order() {
    model(2, || {
        let scene = Scene::new();
        assert!(scene.put(1));
        let putter = process(1, with(&scene, |scene| (2..=4).for_each(|value| assert!(scene.put(value)))));
        let got: Vec<u64> = (0..4).map(|_| scene.get()).collect();
        assert_eq!(got, [1, 2, 3, 4]);
        putter.join().unwrap();
        assert_eq!(scene.drain(), []);
    });
}

#[test]
fn two_getters_share_what_is_there() {
    model(2, || {
        let scene = Scene::new();
        assert!(scene.put(1));
        let other = process(1, with(&scene, Scene::get));
        assert!(scene.put(2));
        let mine = scene.get();
        let others = other.join().unwrap().expect("it lives");
        assert_eq!(mine + others, 3);
        assert_eq!(scene.drain(), []);
    });
}

/// A putter that adds the first ring, or another one, killed at any store.
#[test]
fn a_putter_killed_at_any_store_tears_nothing() {
    for before in [0, 2] {
        for stores in every_death() {
            model(1, move || {
                allow_naps();
                let scene = Scene::new();
                (1..=before).for_each(|value| assert!(scene.put(value)));
                let dies = victim(1, stores, with(&scene, |scene| scene.put(8)));
                let lives = process(2, with(&scene, |scene| scene.put(9)));
                let finished = dies.join().unwrap().is_some();
                lives.join().unwrap();
                let mut got = scene.drain();
                let count = got.len() as u64 - before;
                assert!(got.drain(..before as usize).eq(1..=before), "what was there is there, in order");
                assert!(got.contains(&9) && if finished { count == 2 } else { count <= 2 } && (count == 1 || got.contains(&8)), "{got:?}");
            });
        }
    }
}

/// A getter that takes, or leaves a ring, killed at any store: the message it was at is taken or there, all others are there.
#[test]
fn a_getter_killed_at_any_store_takes_one_at_most() {
    for leaves in [false, true] {
        for stores in every_death() {
            model(1, move || {
                allow_naps();
                let scene = Scene::new();
                (1..=3).for_each(|value| assert!(scene.put(value)));
                if leaves {
                    assert_eq!((scene.get(), scene.get()), (1, 2));
                }
                let dies = victim(1, stores, with(&scene, Scene::get));
                let lives = process(2, with(&scene, |scene| scene.put(4)));
                let got = dies.join().unwrap();
                lives.join().unwrap();
                let first = if leaves { 3 } else { 1 };
                let left = scene.drain();
                let taken = left.first() != Some(&first);
                assert!(got.is_none_or(|got| got == first && taken));
                assert!(left.iter().copied().eq(first + u64::from(taken)..=4), "{left:?}");
            });
        }
    }
}

/// The end of a queue while somebody puts its first message: what was put goes with the queue, and nothing is left for the next queue in this chunk.
#[test]
fn a_queue_that_ends_leaves_nothing_to_the_next() {
    for before in [0, 1, 2] {
        model(2, move || {
            let scene = Scene::new();
            (1..=before).for_each(|value| assert!(scene.put(value)));
            let putter = process(1, with(&scene, |scene| scene.put(9)));
            get::end(scene.words()).expect("the end of the queue");
            putter.join().unwrap();
            assert!(!scene.put(10), "nothing can be put after the end");
            scene.assert_ended();
        });
    }
}

/// The same, killed at any store and repeated by somebody else, as the directory does it.
#[test]
fn an_end_cut_short_is_finished_by_the_next() {
    for stores in every_death() {
        model(1, move || {
            allow_naps();
            let scene = Scene::new();
            (1..=3).for_each(|value| assert!(scene.put(value)));
            let dies = victim(1, stores, with(&scene, |scene| get::end(scene.words()).expect("the end of the queue")));
            let putter = process(2, with(&scene, |scene| scene.put(9)));
            dies.join().unwrap();
            putter.join().unwrap();
            get::end(scene.words()).expect("the end, once more");
            scene.assert_ended();
        });
    }
}

/// What a dead one had on lease comes back to the front, and wakes one who sleeps.
#[test]
fn what_comes_back_from_the_dead_wakes_a_getter() {
    model(3, || {
        let scene = Scene::with(1, 0);
        assert!(scene.put(1));
        let dies = process(
            1,
            with(&scene, |scene| {
                assert!(scene.lease().is_some());
                atomic::die();
            }),
        );
        assert!(dies.join().unwrap().is_none(), "killed with a lease");
        let getter = process(2, with(&scene, Scene::get));
        scene.outlive(1);
        assert_eq!(getter.join().unwrap(), Some(1));
    });
}

/// Leased and acknowledged, or there as before; and no entry is lost.
#[test]
fn a_leaser_killed_at_any_store_loses_nothing() {
    for stores in every_death() {
        model(1, move || {
            allow_naps();
            let scene = Scene::with(2, 0);
            (1..=2).for_each(|value| assert!(scene.put(value)));
            let dies = victim(1, stores, with(&scene, Scene::lease_and_acknowledge));
            let lives = process(2, with(&scene, |scene| scene.put(3)));
            let finished = dies.join().unwrap();
            lives.join().unwrap();
            match finished {
                Some(leased) => assert_eq!(leased, Some(1)),
                None => scene.outlive(1),
            }
            let left = scene.drain();
            assert!(left == [2, 3] || finished.is_none() && left == [1, 2, 3], "{left:?}");
            scene.assert_listed(2);
        });
    }
}

/// The same by two, of whom the dead one's message goes to the other if it comes back in time.
#[test]
fn leases_of_two_are_told_apart() {
    for stores in every_death() {
        model(1, move || {
            allow_naps();
            let scene = Scene::with(2, 0);
            (1..=2).for_each(|value| assert!(scene.put(value)));
            let dies = victim(1, stores, with(&scene, Scene::lease_and_acknowledge));
            let lives = process(2, with(&scene, Scene::lease_and_acknowledge));
            let finished = dies.join().unwrap();
            if finished.is_none() {
                scene.outlive(1);
            }
            let others = lives.join().unwrap().expect("it lives").expect("there were two");
            let left = scene.drain();
            let other = 3 - others;
            assert!(
                if finished.is_some() { left.is_empty() && finished == Some(Some(other)) } else { left.is_empty() || left == [other] },
                "{left:?} left, {others} taken"
            );
            scene.assert_listed(2);
        });
    }
}

#[test]
fn who_joins_is_woken_by_the_last_that_is_done() {
    model(2, || {
        let scene = Scene::with(2, JOINABLE);
        (1..=2).for_each(|value| assert!(scene.put(value)));
        let worker = process(
            1,
            with(&scene, |scene| {
                scene.get();
                scene.0.task_done().expect("it was got");
            }),
        );
        let other = process(
            2,
            with(&scene, |scene| {
                scene.get();
                scene.0.task_done().expect("it was got");
            }),
        );
        scene.0.join().expect("a whole queue");
        assert_eq!(scene.0.unfinished().expect("a whole queue"), 0);
        worker.join().unwrap();
        other.join().unwrap();
    });
}

/// Whoever joins gets on, whether the dead one had taken the item or not, and `lost` says no more than what it took.
#[test]
fn a_worker_killed_at_any_store_is_not_waited_for() {
    for stores in every_death() {
        model(1, move || {
            allow_naps();
            let scene = Scene::with(2, JOINABLE);
            assert!(scene.put(1));
            let dies = victim(
                1,
                stores,
                with(&scene, |scene| {
                    scene.get();
                    scene.0.task_done().expect("it was got");
                }),
            );
            let finished = dies.join().unwrap().is_some();
            let joiner = process(2, with(&scene, |scene| scene.0.join().expect("a whole queue")));
            if !finished {
                scene.outlive(1);
            }
            let taken = scene.try_get().is_none();
            if !taken {
                scene.0.task_done().expect("it was got");
            }
            joiner.join().unwrap();
            let lost = scene.0.lost();
            assert!(if finished || !taken { lost == 0 } else { lost <= 1 }, "{lost} lost");
            assert_eq!(scene.0.unfinished().expect("a whole queue"), 0);
            scene.assert_listed(2);
        });
    }
}
