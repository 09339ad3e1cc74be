//! Time and dead letters: a message that is given back for later, runs out of time or is given up is in its queue, or in the other one, or taken; never both, never gone.

use std::cell::RefCell;
use std::time::Duration;

use polyproc_ipc::{BytesQueue, DeadReason, ErrorKind, Fabric, Lease};
use polyproc_testkit::helper::{Answer, Helper};
use polyproc_testkit::step::{Mark, Point, Table};

use crate::lease::{leasing, two, two_and_an_entry};
use crate::put::{fresh, with_a_full_ring};
use crate::scene::{EXTRA, INLINE, LARGE, LONG, SMALL, Scene, TURNS, Turn, case, drain, id_of, on_queue, outcome, put_all, put_extra, reshape, sweep, whole};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn run(table: &mut Table) {
    for (name, len) in [("inline", INLINE), ("3 KiB", SMALL)] {
        leasing(table, &format!("limited lease, {name}"), &two_and_an_entry(len), &|queue| queue.lease_for(HOUR), 1, &[0]);
        nak(table, &format!("nak with a delay, {name}"), len);
        extend(table, &format!("extend, {name}"), len);
        out_of_time(table, &format!("get of what ran out of time, {name}"), len);
    }
    for (name, len) in [("inline", INLINE), ("3 KiB", SMALL), ("100 KiB", LARGE)] {
        for (to, letters) in [("a fresh queue", &fresh as &dyn Fn(&Fabric) -> BytesQueue), ("a full ring", &with_a_full_ring)] {
            if to == "a fresh queue" || len == INLINE {
                moving(table, &format!("a dead letter goes to {to}, {name}"), len, letters);
            }
        }
        taken(table, &format!("get_buried, {name}"), len);
    }
    swept(table);
    out_of_time_for_good(table);
    keep(None);
}

fn nak(table: &mut Table, operation: &str, len: usize) {
    table.run(
        &case("queue", operation).must_see(&["on lease", "delayed"]),
        || Scene::new(&two(len)),
        |Scene { fabric, queue }, mark| {
            fabric.member().unwrap();
            let lease = queue.get_lease().unwrap();
            mark.around(|| lease.nak(HOUR).unwrap());
        },
        |Scene { fabric, queue }, point| {
            turn(&fabric, &queue, point);
            let label = if queue.delayed() == 1 { "delayed" } else { "on lease" };
            let first = u8::from(label == "delayed");
            assert_eq!((queue.leased(), queue.len()), (0, 2 - usize::from(first)));
            assert_eq!(drain(&queue), (first..2).collect::<Vec<u8>>());
            queue.destroy().unwrap();
            whole(&fabric);
            label
        },
    );
}

/// Reshapes and sweeps in some order.
fn turn(fabric: &Fabric, queue: &BytesQueue, point: &Point) {
    if Turn::of(point) == Turn::Reshape {
        reshape(queue);
    }
    sweep(fabric);
    whole(fabric);
    reshape(queue);
}

fn extend(table: &mut Table, operation: &str, len: usize) {
    table.run(
        &case("queue", operation).must_see(&["as before", "extended"]),
        || Scene::new(&two(len)),
        |Scene { fabric, queue }, mark| {
            fabric.member().unwrap();
            let lease = queue.lease_for(HOUR).unwrap();
            mark.around(|| lease.extend(Duration::ZERO).unwrap());
        },
        |Scene { fabric, queue }, point| {
            // Extended to nothing: the message is back before any sweep.
            let label = match id_of(&queue.get().unwrap()) {
                0 => "extended",
                _ => "as before",
            };
            turn(&fabric, &queue, point);
            assert_eq!(drain(&queue), [u8::from(label == "extended")]);
            queue.destroy().unwrap();
            whole(&fabric);
            label
        },
    );
}

thread_local! {
    static KEPT: RefCell<Option<Lease>> = const { RefCell::new(None) };
}

/// A lease that its holder keeps until the next one is made.
fn keep(lease: Option<Lease>) {
    KEPT.set(lease);
}

/// One lease ran out, one message is due again; both come back with the get.
fn due(len: usize) -> impl Fn(&Fabric) -> BytesQueue {
    move |fabric| {
        let queue = fresh(fabric);
        put_all(&queue, 0..3, len);
        let first = queue.get_lease().unwrap();
        keep(Some(queue.lease_for(Duration::ZERO).unwrap()));
        first.nak(Duration::from_nanos(1)).unwrap();
        queue
    }
}

fn out_of_time(table: &mut Table, operation: &str, len: usize) {
    let get: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| drop(mark.around(|| queue.try_get().unwrap()));
    let gone: &[isize] = if len == INLINE { &[0] } else { &[-1] };
    let outcomes = vec![outcome("before", 0..3, &[0]), outcome("after", 1..3, gone)];
    on_queue(table, case("queue", operation), &due(len), get, outcomes, &[3]);
}

/// A queue with two messages whose first delivery is the last, and where its dead letters go.
pub(crate) struct Pair {
    pub(crate) scene: Scene,
    pub(crate) letters: Option<BytesQueue>,
}

pub(crate) fn pair(len: usize, letters: Option<&dyn Fn(&Fabric) -> BytesQueue>) -> Pair {
    let fabric = crate::scene::fabric();
    let letters = letters.map(|make| make(&fabric));
    let mut builder = BytesQueue::builder().max_deliveries(1);
    if let Some(letters) = &letters {
        builder = builder.dead_letters(letters);
    }
    let queue = builder.new_in(&fabric).unwrap();
    put_all(&queue, 100..102, len);
    Pair { scene: Scene { fabric, queue }, letters }
}

/// Whatever was done to the first message, it is a dead letter after the sweep, once.
pub(crate) fn judge(pair: Pair, point: &Point) -> &'static str {
    let Pair { scene: Scene { fabric, queue }, letters } = pair;
    let letters = letters.unwrap();
    match Turn::of(point) {
        Turn::Sweep => {}
        // Either queue may be the first that is used.
        Turn::Use if point.turn >= TURNS => {
            put_extra(&letters);
            assert_eq!(id_of(&queue.get().unwrap()), 101);
        }
        Turn::Use => {
            assert_eq!(id_of(&queue.get().unwrap()), 101);
            put_extra(&letters);
        }
        Turn::Reshape => drop(reshape(&queue)),
    }
    turn(&fabric, &queue, point);
    assert_eq!((queue.leased(), queue.buried()), (0, 0), "nothing stays behind");
    let rest = drain(&queue);
    assert!(rest == [101] || Turn::of(point) == Turn::Use && rest.is_empty(), "{rest:?} are left");
    let mut reason = None;
    let mut others = Vec::new();
    while let Ok(letter) = letters.try_get() {
        match letter.dead_letter() {
            None => others.push(id_of(&letter)),
            Some(told) => {
                assert_eq!((id_of(&letter), told.deliveries), (100, 1));
                assert!(reason.replace(told.reason).is_none(), "the letter came twice");
            }
        }
    }
    others.retain(|id| *id != EXTRA.0);
    assert!(others.is_empty() || others == (0..7).collect::<Vec<u8>>(), "{others:?} were there before");
    queue.destroy().unwrap();
    letters.destroy().unwrap();
    let report = whole(&fabric);
    assert!(report.held_chunks <= 3, "two headers and an entry: {report:?}");
    match reason {
        Some(DeadReason::HolderDied) => "on lease",
        Some(_) => "given back",
        None => panic!("the letter is lost"),
    }
}

fn moving(table: &mut Table, operation: &str, len: usize, letters: &dyn Fn(&Fabric) -> BytesQueue) {
    table.run(
        &case("queue", operation).must_see(&["on lease", "given back"]).turns(2 * TURNS),
        || pair(len, Some(letters)),
        |Pair { scene: Scene { fabric, queue }, .. }, mark| {
            fabric.member().unwrap();
            let lease = queue.get_lease().unwrap();
            mark.around(|| drop(lease));
        },
        judge,
    );
}

/// Somebody died with the message; the victim sweeps.
fn swept(table: &mut Table) {
    table.run(
        &case("queue", "sweep that makes a dead letter").must_see(&["on lease"]).turns(2 * TURNS),
        || {
            let pair = pair(SMALL, Some(&fresh));
            let queue = &pair.scene.queue;
            let helper = Helper::fork(|line| {
                let _lease = queue.get_lease().unwrap();
                line.say(1);
                line.await_go();
                0
            });
            assert_eq!(helper.answer(LONG), Answer::Said(1));
            helper.kill();
            pair
        },
        |Pair { scene: Scene { fabric, .. }, .. }, mark| {
            fabric.member().unwrap();
            mark.around(|| assert_eq!(fabric.sweep().unwrap(), 1));
        },
        judge,
    );
}

/// The only lease ran out; the getter who sees that makes a dead letter of it.
fn out_of_time_for_good(table: &mut Table) {
    table.run(
        &case("queue", "get that makes a dead letter").must_see(&["given back"]).turns(2 * TURNS),
        || {
            let pair = pair(SMALL, Some(&fresh));
            keep(Some(pair.scene.queue.lease_for(Duration::ZERO).unwrap()));
            put_all(&pair.scene.queue, 102..103, INLINE);
            pair
        },
        |Pair { scene: Scene { fabric, queue }, .. }, mark| {
            fabric.member().unwrap();
            mark.around(|| drop(queue.try_get().unwrap()));
        },
        |pair, point| {
            let queue = &pair.scene.queue;
            let next = id_of(&queue.get().unwrap());
            match next {
                101 => assert_eq!(id_of(&queue.get().unwrap()), 102),
                other => assert_eq!(other, 102),
            }
            put_all(queue, 101..102, INLINE); // as the judge expects
            judge(pair, point)
        },
    );
}

fn taken(table: &mut Table, operation: &str, len: usize) {
    table.run(
        &case("queue", operation).must_see(&["before", "after"]),
        || {
            let pair = pair(len, None);
            pair.scene.queue.get_lease().unwrap().bury().unwrap();
            pair
        },
        |Pair { scene: Scene { fabric, queue }, .. }, mark| {
            fabric.member().unwrap();
            drop(mark.around(|| queue.get_buried().unwrap()));
        },
        |Pair { scene: Scene { fabric, queue }, .. }, point| {
            turn(&fabric, &queue, point);
            let label = match queue.buried() {
                1 => {
                    let letter = queue.get_buried().unwrap();
                    assert_eq!((id_of(&letter), letter.dead_letter().unwrap().reason), (100, DeadReason::Buried));
                    "before"
                }
                _ => "after",
            };
            assert_eq!(queue.get_buried().expect_err("nothing is left").kind(), ErrorKind::Empty);
            assert_eq!(drain(&queue), [101]);
            queue.destroy().unwrap();
            whole(&fabric);
            label
        },
    );
}
