//! Leases: whatever their holder was doing when it died, the message is in the queue again or was acknowledged; never both, never gone.

use std::time::Duration;

use polyproc_ipc::{BytesQueue, Fabric, Lease, Owner, Result};
use polyproc_testkit::helper::{Answer, Helper};
use polyproc_testkit::step::{Mark, Point, Row, Table};

use crate::put::fresh;
use crate::scene::{
    EXTRA, INLINE, LARGE, LONG, SMALL, Scene, Turn, Verdict, assert_in_order, case, drain, finish, id_of, judged, message, outcome, put_extra, reshape, sweep,
    whole,
};

/// A queue of two messages of this length.
pub(crate) fn two(len: usize) -> impl Fn(&Fabric) -> BytesQueue {
    move |fabric| {
        let queue = fresh(fabric);
        crate::scene::put_all(&queue, 0..2, len);
        queue
    }
}

/// The same, and a lease entry is there already.
pub(crate) fn two_and_an_entry(len: usize) -> impl Fn(&Fabric) -> BytesQueue {
    move |fabric| {
        let queue = fresh(fabric);
        queue.put(&message(99, INLINE)).unwrap();
        queue.get_lease().unwrap().ack().unwrap();
        crate::scene::put_all(&queue, 0..2, len);
        queue
    }
}

/// The same, and the first message was on lease once and came back.
fn one_of_two_returned(len: usize) -> impl Fn(&Fabric) -> BytesQueue {
    returned_first(two(len))
}

/// The first message was on lease once and came back.
pub(crate) fn returned_first(setup: impl Fn(&Fabric) -> BytesQueue) -> impl Fn(&Fabric) -> BytesQueue {
    move |fabric| {
        let queue = setup(fabric);
        drop(queue.get_lease().unwrap());
        queue
    }
}

/// Destroys a queue of which only its header and its ledger may be left.
pub(crate) fn assert_empty_at_the_end(fabric: &Fabric, queue: &BytesQueue) {
    finish(fabric, queue, &[1, 2, 3]);
}

pub(crate) fn run(table: &mut Table) {
    for (name, len) in [("inline", INLINE), ("3 KiB", SMALL)] {
        leasing(table, &format!("first lease ever, {name}"), &two(len), &BytesQueue::get_lease, 1, &[0, 1]);
        leasing(table, &format!("lease, {name}"), &two_and_an_entry(len), &BytesQueue::get_lease, 1, &[0]);
        leasing(table, &format!("lease of what came back, {name}"), &one_of_two_returned(len), &BytesQueue::get_lease, 2, &[0]);
        giving_back(table, &format!("give a lease back, {name}"), len);
    }
    for (name, len, after) in [("inline", INLINE, &[0]), ("3 KiB", SMALL, &[-1]), ("100 KiB", LARGE, &[-1])] {
        let ack: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| {
            let lease = queue.get_lease().unwrap();
            mark.around(|| lease.ack().unwrap());
        };
        taken(table, &format!("acknowledge, {name}"), &two_and_an_entry(len), ack, after);
        let keep: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| {
            let lease = queue.get_lease().unwrap();
            std::mem::forget(mark.around(|| lease.ack_and_keep().unwrap()));
        };
        taken(table, &format!("acknowledge and keep, {name}"), &two_and_an_entry(len), keep, after);
        let get: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| drop(mark.around(|| queue.get().unwrap()));
        taken(table, &format!("get of what came back, {name}"), &one_of_two_returned(len), get, after);
    }
    reclaiming(table);
    destroyed(table);
}

/// The victim takes the first message on a lease. It is in the queue again after the sweep; how often it was handed out tells what happened.
pub(crate) fn leasing(
    table: &mut Table,
    operation: &str,
    setup: &dyn Fn(&Fabric) -> BytesQueue,
    lease: &dyn Fn(&BytesQueue) -> Result<Lease>,
    next_delivery: u32,
    held: &'static [isize],
) {
    let verdict = Verdict::new(setup, vec![], &[2]);
    let row = table.run(
        &case("queue", operation).must_see(&["not handed out", "handed out"]),
        || Scene::new(setup),
        |Scene { fabric, queue }, mark| {
            fabric.member().unwrap();
            std::mem::forget(mark.around(|| lease(queue).unwrap()));
        },
        |Scene { fabric, queue }, point| {
            let extra = swept_in_turn(&fabric, &queue, point, &|| {
                let more = whole(&fabric).held_chunks as isize - verdict.held as isize;
                assert!(held.contains(&more), "{more} chunks more are held than before");
            });
            assert_eq!(queue.len(), if extra { 3 } else { 2 }, "what was on lease is counted again");
            let lease = queue.get_lease_timeout(Some(LONG)).unwrap();
            assert_eq!(id_of(&lease), 0, "what came back is at the front");
            let label = if lease.deliveries() == next_delivery { "not handed out" } else { "handed out" };
            assert!(lease.deliveries() <= next_delivery + 1);
            lease.ack().unwrap();
            assert_eq!(drain(&queue), if extra { vec![1, EXTRA.0] } else { vec![1] });
            finish(&fabric, &queue, verdict.end);
            label
        },
    );
    assert_in_order(&row, "not handed out", "handed out");
}

/// Sweeps as it is the point's turn; `look` when nothing was used since. Whether one more message is in the queue.
fn swept_in_turn(fabric: &Fabric, queue: &BytesQueue, point: &Point, look: &dyn Fn()) -> bool {
    match Turn::of(point) {
        Turn::Sweep => {
            sweep(fabric);
            look();
            reshape(queue);
        }
        Turn::Use => {
            put_extra(queue);
            sweep(fabric);
            return true;
        }
        Turn::Reshape => {
            reshape(queue);
            sweep(fabric);
            look();
        }
    }
    false
}

/// The victim takes the first message away for good.
fn taken(table: &mut Table, operation: &str, setup: &dyn Fn(&Fabric) -> BytesQueue, take: &dyn Fn(&BytesQueue, &Mark), after: &'static [isize]) -> Row {
    let outcomes = vec![outcome("before", 0..2, &[0]), outcome("after", 1..2, after)];
    let verdict = Verdict { leased: true, ..Verdict::new(setup, outcomes, &[2]) };
    judged(table, case("queue", operation), setup, take, &verdict)
}

/// The victim drops its lease: at once in the queue again, or when the fabric is swept.
fn giving_back(table: &mut Table, operation: &str, len: usize) {
    let row = table.run(
        &case("queue", operation).must_see(&["still on lease", "given back"]),
        || Scene::new(&two_and_an_entry(len)),
        |Scene { fabric, queue }, mark| {
            fabric.member().unwrap();
            let lease = queue.get_lease().unwrap();
            mark.around(|| drop(lease));
        },
        |Scene { fabric, queue }, point| {
            let lease = queue.get_lease_timeout(Some(LONG)).unwrap();
            let label = match (id_of(&lease), lease.deliveries()) {
                (0, 2) => "given back",
                (1, 1) => "still on lease",
                other => panic!("a survivor gets {other:?}"),
            };
            drop(lease);
            let extra = swept_in_turn(&fabric, &queue, point, &|| drop(whole(&fabric)));
            assert_eq!(drain(&queue), if extra { vec![0, 1, EXTRA.0] } else { vec![0, 1] });
            finish(&fabric, &queue, if label == "given back" { &[2] } else { &[3] });
            label
        },
    );
    assert_in_order(&row, "still on lease", "given back");
}

/// Somebody died with two leases; the victim reclaims them.
fn reclaiming(table: &mut Table) {
    let setup = || {
        let fabric = crate::scene::fabric();
        let queue = BytesQueue::new_for_reclaim(&fabric, 0).unwrap();
        for (id, len) in (0..).zip([INLINE, SMALL, INLINE]) {
            queue.put(&message(id, len)).unwrap();
        }
        let scene = Scene { fabric, queue };
        let helper = Helper::fork(|line| {
            let leases = [scene.queue.get_lease().unwrap(), scene.queue.get_lease().unwrap()];
            leases[1].set_progress(17);
            line.say(1);
            line.await_go();
            0
        });
        assert_eq!(helper.answer(LONG), Answer::Said(1));
        helper.kill();
        let dead = scene.fabric.members().iter().find(|member| !member.alive).expect("the dead holder").owner;
        (scene, dead)
    };
    for swept in [false, true] {
        table.run(
            &case("queue", if swept { "reclaim from the dead and swept" } else { "reclaim" }).must_see(&["before", "one", "after"]),
            || {
                let (scene, dead) = setup();
                if swept {
                    sweep(&scene.fabric);
                }
                (scene, dead)
            },
            |(Scene { fabric, queue }, dead), mark| {
                fabric.member().unwrap();
                mark.around(|| assert_eq!(queue.reclaim(*dead).unwrap().len(), 2));
            },
            |(Scene { fabric, queue }, dead), point| {
                let extra = swept_in_turn(&fabric, &queue, point, &|| drop(whole(&fabric)));
                let mut left = reclaimed(&queue, dead);
                left.sort_unstable();
                let label = match left.as_slice() {
                    [(0, 0), (1, 17)] => "before",
                    [(0, 0) | (1, 17)] => "one",
                    [] => "after",
                    other => panic!("{other:?} are left to reclaim"),
                };
                assert_eq!(drain(&queue), if extra { vec![2, EXTRA.0] } else { vec![2] });
                finish(&fabric, &queue, &[3]);
                label
            },
        );
    }
}

fn reclaimed(queue: &BytesQueue, dead: Owner) -> Vec<(u8, u64)> {
    queue.reclaim(dead).unwrap().iter().map(|lease| (id_of(&lease.message), lease.progress)).collect()
}

/// The queue is destroyed with the dead one's lease in it, before any sweep.
fn destroyed(table: &mut Table) {
    table.run(
        &case("queue", "lease, then the queue is destroyed").must_see(&["gone"]),
        || Scene::new(&two_and_an_entry(SMALL)),
        |Scene { fabric, queue }, mark| {
            fabric.member().unwrap();
            mark.around(|| queue.get_lease_timeout(Some(Duration::ZERO)).unwrap());
        },
        |Scene { fabric, queue }, _| {
            queue.destroy().unwrap();
            assert_eq!(sweep(&fabric), 1);
            let report = whole(&fabric);
            assert_eq!((report.held_chunks, report.private_chunks), (2, 0));
            "gone"
        },
    );
}
