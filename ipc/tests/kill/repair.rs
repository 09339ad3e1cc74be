//! Two deaths: the second while it repairs what the first left, at every instruction; then the survivors judge.
//!
//! At which points the first victim is to die is found out: where the second operation then takes another number of steps, or ends with another
//! outcome, it took another way through the repair. Of each way one is tried.

use std::collections::{BTreeMap, BTreeSet};

use polyproc_ipc::{BytesQueue, Fabric};
use polyproc_testkit::step::{self, Case, Mark, Point, Table};

use crate::get::before_a_hop;
use crate::lease::two;
use crate::objects::{full, judge_destroyed, with_a_retired_header};
use crate::put::{EIGHTH, fresh, with_a_full_ring, with_two};
use crate::scene::{INLINE, Outcome, SMALL, Scene, Verdict, drain, exercise, finish, message, outcome, sampled, sweep};
use crate::{joined, letters};

/// Points of each second operation in a routine run.
const SAMPLE: u64 = 30;

/// How many first deaths are looked at, and how many ways through a repair are tried, at most: in a routine run, and in a full one.
const ROUTINE: (usize, usize) = (24, 5);
const FULL: (usize, usize) = (120, 8);

pub(crate) fn run(table: &mut Table) {
    producers(table);
    consumers(table);
    leases(table);
    letters(table);
    directory(table);
    heap(table);
    crate::list::repairs(table);
}

type Operation<'a> = &'a dyn Fn(&BytesQueue, &Mark);

/// One pair of operations.
pub(crate) struct Pair<'a, S> {
    pub(crate) name: &'a str,
    pub(crate) setup: &'a dyn Fn() -> S,
    pub(crate) first: &'a dyn Fn(&S, &Mark),
    pub(crate) second: &'a dyn Fn(&S, &Mark),
}

impl<S> Pair<'_, S> {
    pub(crate) fn run(&self, table: &mut Table, must_see: &[&'static str], judge: &dyn Fn(S, &Point) -> &'static str) {
        let title = |point: u64| format!("{}, killed at {point}", self.name);
        if !table.wants(&format!("repair {}", title(0))) {
            return;
        }
        let (mut seen, mut all) = (Vec::new(), false);
        for point in self.ways(judge) {
            let row = table.run(
                &sampled(Case::new("repair", &title(point)), SAMPLE),
                || self.after_kill(point),
                |state, mark| (self.second)(state, mark),
                |state, point| judge(state, point),
            );
            all |= row.stride == 1;
            seen.extend(row.outcomes.into_keys());
        }
        for label in must_see {
            assert!(!all || seen.iter().any(|seen| seen == label), "{}: no pair of kills led to \"{label}\"", self.name);
        }
    }

    /// Points of the first operation after which the second takes different ways: another number of steps, or another end.
    fn ways(&self, judge: &dyn Fn(S, &Point) -> &'static str) -> Vec<u64> {
        let (looks, most) = if step::is_dense() { FULL } else { ROUTINE };
        let state = (self.setup)();
        let points = step::points(2_000_000, |mark| (self.first)(&state, mark));
        drop(state);
        let mut ways = BTreeMap::new();
        for &point in points.iter().rev().step_by(points.len().div_ceil(looks).max(1)) {
            ways.entry(self.look(point, judge)).or_insert(point);
        }
        // A sample of them, and of each end at least one.
        let every = ways.len().div_ceil(most).max(1);
        let mut seen = BTreeSet::new();
        let chosen = ways.into_iter().rev().enumerate().filter(|(n, ((_, label), _))| seen.insert(label.clone()) || n % every == 0);
        chosen.map(|(_, (_, point))| point).collect()
    }

    /// The state, with somebody dead who was killed in the first operation.
    fn after_kill(&self, point: u64) -> S {
        let state = (self.setup)();
        step::kill_after(point, |mark| (self.first)(&state, mark));
        state
    }

    /// How many steps the second operation takes after a kill in the first, and how that ends.
    fn look(&self, point: u64, judge: &dyn Fn(S, &Point) -> &'static str) -> (u64, String) {
        let case = Case::new("repair", self.name).only_whole().max_steps(2_000_000);
        let mut label = "";
        let check = |state, point: &Point| {
            label = judge(state, point);
            ""
        };
        let row = step::run(&case, || self.after_kill(point), self.second, check);
        assert!(row.failures.is_empty(), "{}, killed at {point}: {:?}", self.name, row.failures);
        (row.steps, label.to_owned())
    }
}

/// The same with a chunk of each size class free that the operations here take: making slabs is long, and is killed elsewhere.
fn warm(setup: &dyn Fn(&Fabric) -> BytesQueue) -> impl Fn(&Fabric) -> BytesQueue {
    move |fabric| {
        let queue = setup(fabric);
        for len in [700, 2300, SMALL, 8 << 10, 32 << 10] {
            drop(queue.loan(len).unwrap());
        }
        queue
    }
}

/// Two operations on one queue.
fn on_queue(
    table: &mut Table,
    name: &str,
    setup: &dyn Fn(&Fabric) -> BytesQueue,
    operations: [Operation<'_>; 2],
    outcomes: Vec<Outcome>,
    end: &'static [usize],
    leased: bool,
) {
    let setup = &warm(setup);
    let verdict = Verdict { leased, ..Verdict::new(setup, outcomes, end) };
    let [first, second] = operations.map(|operation| {
        move |scene: &Scene, mark: &Mark| {
            scene.fabric.member().unwrap();
            operation(&scene.queue, mark);
        }
    });
    let pair = Pair { name, setup: &|| Scene::new(setup), first: &first, second: &second };
    pair.run(table, &verdict.labels(), &|scene, point| verdict.judge(scene, point));
}

fn put(id: u8, len: usize) -> impl Fn(&BytesQueue, &Mark) {
    move |queue, mark| {
        let message = message(id, len);
        mark.around(|| queue.put(&message).unwrap());
    }
}

fn producers(table: &mut Table) {
    // Of two puts, either may have happened.
    let outcomes = |had: u8, held: [&'static [isize]; 4]| {
        vec![
            outcome("neither", 0..had, held[0]),
            outcome("first", 0..=had, held[1]),
            outcome("second", (0..had).chain([had + 1]), held[2]),
            outcome("both", 0..had + 2, held[3]),
        ]
    };
    let chunks = outcomes(2, [&[0], &[1], &[0], &[1]]);
    on_queue(table, "put after a put of 3 KiB", &with_two, [&put(2, SMALL), &put(3, INLINE)], chunks, &[1], false);
    let rings = outcomes(7, [&[0, 1], &[1], &[1], &[1]]);
    on_queue(table, "put after a put that adds a ring", &with_a_full_ring, [&put(7, EIGHTH), &put(8, EIGHTH)], rings, &[1], false);
    let first = outcomes(0, [&[0, 1], &[1], &[1], &[1]]);
    on_queue(table, "put after a put into a fresh queue", &fresh, [&put(0, INLINE), &put(1, INLINE)], first, &[1], false);
}

fn consumers(table: &mut Table) {
    let get: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| mark.around(|| drop(queue.try_get().unwrap()));
    let chunks = |fabric: &Fabric| {
        let queue = fresh(fabric);
        crate::scene::put_all(&queue, 0..4, SMALL);
        queue
    };
    let outcomes = vec![outcome("neither", 0..4, &[0]), outcome("one", 1..4, &[-1]), outcome("both", 2..4, &[-2])];
    on_queue(table, "get after a get of 3 KiB", &chunks, [get, get], outcomes, &[1], false);
    let outcomes = vec![outcome("neither", 7..9, &[0, -1]), outcome("one", 8..9, &[-1]), outcome("both", [], &[-1])];
    on_queue(table, "get after a get that leaves a ring", &before_a_hop, [get, get], outcomes, &[1], false);
    let outcomes =
        || vec![outcome("neither", 7..9, &[0, -1]), outcome("got", 8..9, &[-1]), outcome("put", [7, 8, 9], &[0, -1]), outcome("both", [8, 9], &[-1])];
    on_queue(table, "put after a get that leaves a ring", &before_a_hop, [get, &put(9, EIGHTH)], outcomes(), &[1], false);
}

fn leases(table: &mut Table) {
    let lease: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| std::mem::forget(mark.around(|| queue.get_lease().unwrap()));
    let ack: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| {
        let lease = queue.get_lease().unwrap();
        mark.around(|| lease.ack().unwrap());
    };
    let get: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| mark.around(|| drop(queue.try_get().unwrap()));
    for (name, len) in [("inline", INLINE), ("3 KiB", SMALL)] {
        let all = vec![outcome("all there", 0..2, &[0, 1, 2])];
        on_queue(table, &format!("lease after a first lease, {name}"), &two(len), [lease, lease], all, &[1, 2, 3], true);
    }
    // The second takes the first message if the first did not, else the next.
    let outcomes = vec![outcome("neither", 0..2, &[0, 1]), outcome("first", 1..2, &[-1, 0]), outcome("next", 0..1, &[-1, 0])];
    on_queue(table, "get after a first lease, 3 KiB", &two(SMALL), [lease, get], outcomes, &[1, 2], true);
    let outcomes = vec![outcome("neither", 0..2, &[0, 1]), outcome("first", 1..2, &[-1, 0]), outcome("next", 0..1, &[0]), outcome("both", [], &[-1])];
    on_queue(table, "get after an acknowledgement, 3 KiB", &two(SMALL), [ack, get], outcomes, &[1, 2], true);
}

/// A dead letter on its way between two queues; and joinable queues.
fn letters(table: &mut Table) {
    type Act<'a> = &'a dyn Fn(&letters::Pair, &Mark);
    let give_up: Act<'_> = &|pair, mark| {
        let lease = pair.scene.queue.get_lease().unwrap();
        mark.around(|| drop(lease));
    };
    let get: Act<'_> = &|pair, mark| mark.around(|| drop(pair.scene.queue.try_get()));
    let put: Act<'_> = &|pair, mark| {
        let message = message(crate::scene::EXTRA.0, INLINE);
        mark.around(|| pair.letters.as_ref().unwrap().put(&message).unwrap());
    };
    for (len, to) in [(INLINE, "inline"), (SMALL, "3 KiB")] {
        for (name, second) in [("put into the dead letters", put), ("get", get)] {
            let pair = Pair {
                name: &format!("{name} after a dead letter was on its way, {to}"),
                setup: &|| {
                    let pair = letters::pair(len, Some(&fresh));
                    put_and_get(&pair.scene.queue);
                    pair
                },
                first: &|pair: &letters::Pair, mark| {
                    pair.scene.fabric.member().unwrap();
                    give_up(pair, mark);
                },
                second: &|pair, mark| {
                    pair.scene.fabric.member().unwrap();
                    second(pair, mark);
                },
            };
            // The judge wants the second message where it was; the get took it.
            let got = name == "get";
            pair.run(table, &["on lease", "given back"], &|pair, point| {
                if got && pair.scene.queue.is_empty() {
                    pair.scene.queue.put(&message(101, INLINE)).unwrap();
                }
                letters::judge(pair, point)
            });
        }
    }
    let get: Operation<'_> = &|queue, mark| mark.around(|| drop(queue.try_get().unwrap()));
    let pair = Pair {
        name: "get after a get from a joinable queue, 3 KiB",
        setup: &|| Scene::new(&warm(&joined::joinable(SMALL))),
        first: &|scene: &Scene, mark| {
            scene.fabric.member().unwrap();
            get(&scene.queue, mark);
        },
        second: &|scene, mark| {
            scene.fabric.member().unwrap();
            get(&scene.queue, mark);
        },
    };
    pair.run(table, &["neither", "one", "both"], &|scene, point| joined::judge(scene, point, &[("neither", 2, 0), ("one", 1, 1), ("both", 0, 2)]));
}

/// The chunk classes that are used later have a slab.
fn put_and_get(queue: &BytesQueue) {
    for len in [700, 2300, SMALL, 8 << 10] {
        drop(queue.loan(len).unwrap());
    }
}

fn directory(table: &mut Table) {
    let look: &dyn Fn(&Fabric, &Mark) = &|fabric, mark| mark.around(|| drop(fabric.objects().unwrap()));

    let setup = || {
        let scene = Scene::new(&warm(&with_two));
        let full = full(&scene.fabric);
        (scene, full)
    };
    let pair = Pair {
        name: "look after a destruction",
        setup: &setup,
        first: &|(scene, full): &(Scene, BytesQueue), mark| {
            scene.fabric.member().unwrap();
            mark.around(|| full.destroy().unwrap());
        },
        second: &|(scene, _), mark| {
            scene.fabric.member().unwrap();
            look(&scene.fabric, mark);
        },
    };
    pair.run(table, &["there", "gone"], &|(scene, full), point| {
        crate::objects::begin(&scene, point);
        judge_destroyed(&scene, &full, None)
    });

    for (name, setup, end) in [
        ("look after a creation", &with_two as &dyn Fn(&Fabric) -> BytesQueue, &[2_usize] as &'static [usize]),
        ("look after a creation in a retired header", &with_a_retired_header, &[3]),
    ] {
        let pair = Pair {
            name,
            setup: &|| Scene::new(&warm(setup)),
            first: &|scene: &Scene, mark| {
                scene.fabric.member().unwrap();
                mark.around(|| BytesQueue::create(&scene.fabric, "new", 0).unwrap());
            },
            second: &|scene, mark| {
                scene.fabric.member().unwrap();
                look(&scene.fabric, mark);
            },
        };
        pair.run(table, &["not made", "made"], &|scene, point| {
            crate::objects::begin(&scene, point);
            let Scene { fabric, queue } = &scene;
            let label = if BytesQueue::open(fabric, "new").is_ok() { "made" } else { "not made" };
            let new = BytesQueue::open_or_create(fabric, "new", 0).unwrap();
            exercise(&new);
            new.destroy().unwrap();
            sweep(fabric);
            drain(queue);
            finish(fabric, queue, end);
            label
        });
    }
}

/// The heap's own intents: a new slab linked, units reshaped.
fn heap(table: &mut Table) {
    for (name, len) in [("loan after a first loan of a class", 500), ("loan after a loan of an extent", 100 << 10)] {
        let loan: &dyn Fn(&Scene, &Mark) = &|scene, mark| {
            scene.fabric.member().unwrap();
            std::mem::forget(mark.around(|| scene.queue.loan(len).unwrap()));
        };
        let pair = Pair { name, setup: &|| Scene::new(&with_two), first: loan, second: loan };
        pair.run(table, &["whole"], &|scene, point| {
            crate::objects::begin(&scene, point);
            let Scene { fabric, queue } = &scene;
            drop(queue.loan(len).unwrap());
            sweep(fabric);
            drain(queue);
            exercise(queue);
            finish(fabric, queue, &[1]);
            "whole"
        });
    }
}
