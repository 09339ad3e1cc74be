//! Joinable queues and lanes: what is unfinished is right after every kill, so that who joins never waits for the dead; and a lane's message is put and got as any other.

use polyproc_ipc::{BytesQueue, Fabric};
use polyproc_testkit::helper::{Answer, Helper};
use polyproc_testkit::step::{Mark, Point, Table};

use crate::lease::{assert_empty_at_the_end, returned_first};
use crate::put::{EIGHTH, fresh};
use crate::scene::{INLINE, LONG, SMALL, Scene, Turn, case, id_of, message, on_queue, outcome, put_all, reshape, sweep, whole};

/// A joinable queue of two messages.
pub(crate) fn joinable(len: usize) -> impl Fn(&Fabric) -> BytesQueue {
    move |fabric| {
        let queue = BytesQueue::builder().joinable().new_in(fabric).unwrap();
        put_all(&queue, 0..2, len);
        queue
    }
}

pub(crate) fn run(table: &mut Table) {
    let get: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| drop(mark.around(|| queue.get().unwrap()));
    let done: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| {
        drop(queue.get().unwrap());
        mark.around(|| queue.task_done().unwrap());
    };
    let second: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| {
        drop(queue.get().unwrap());
        drop(mark.around(|| queue.get().unwrap()));
    };
    let ack: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| {
        let lease = queue.get_lease().unwrap();
        mark.around(|| lease.ack().unwrap());
    };
    // Which (left in the queue, lost) may be found.
    for (name, len) in [("inline", INLINE), ("3 KiB", SMALL)] {
        row(table, &format!("get from a joinable queue, {name}"), &joinable(len), get, &[("before", 2, 0), ("after", 1, 1)]);
        row(table, &format!("second get from a joinable queue, {name}"), &joinable(len), second, &[("before", 1, 1), ("after", 0, 2)]);
        row(table, &format!("get of what came back to a joinable queue, {name}"), &returned_first(joinable(len)), get, &[("before", 2, 0), ("after", 1, 1)]);
        row(table, &format!("acknowledge in a joinable queue, {name}"), &joinable(len), ack, &[("before", 2, 0), ("after", 1, 0)]);
    }
    row(table, "task_done", &joinable(INLINE), done, &[("before", 1, 1), ("after", 1, 0)]);
    losing(table);
    lanes(table);
    shrinking(table);
}

fn row(table: &mut Table, operation: &str, setup: &dyn Fn(&Fabric) -> BytesQueue, act: &dyn Fn(&BytesQueue, &Mark), outcomes: &[(&'static str, usize, usize)]) {
    let labels: Vec<&'static str> = outcomes.iter().map(|(label, ..)| *label).collect();
    table.run(
        &case("queue", operation).must_see(&labels),
        || Scene::new(setup),
        |Scene { fabric, queue }, mark| {
            fabric.member().unwrap();
            act(queue, mark);
        },
        |scene, point| judge(scene, point, outcomes),
    );
}

/// After the sweep everything is accounted for, and `join` ends when the survivors have done the rest.
pub(crate) fn judge(scene: Scene, point: &Point, outcomes: &[(&'static str, usize, usize)]) -> &'static str {
    let Scene { fabric, queue } = scene;
    let mut more = 0;
    match Turn::of(point) {
        Turn::Sweep => {}
        Turn::Use => {
            queue.put(&message(9, INLINE)).unwrap();
            more = 1;
        }
        Turn::Reshape => drop(reshape(&queue)),
    }
    sweep(&fabric);
    whole(&fabric);
    let found = (queue.len() - more, queue.lost());
    let Some((label, ..)) = outcomes.iter().find(|(_, left, lost)| (*left, *lost) == found) else { panic!("left and lost are {found:?}") };
    assert_eq!(queue.unfinished().unwrap(), found.0 + more, "what is in the queue, and nothing else");
    for _ in 0..queue.len() {
        id_of(&queue.get().unwrap());
        assert!(queue.join_timeout(std::time::Duration::ZERO).is_err());
        queue.task_done().unwrap();
    }
    queue.join_timeout(LONG).unwrap();
    assert_eq!((queue.unfinished().unwrap(), queue.lost()), (0, found.1));
    assert_empty_at_the_end(&fabric, &queue);
    label
}

/// Somebody died with two items; the victim sweeps while somebody joins.
fn losing(table: &mut Table) {
    table.run(
        &case("queue", "sweep of a getter with unfinished items, somebody joins").must_see(&["lost"]),
        || {
            let scene = Scene::new(&joinable(INLINE));
            let Scene { fabric, queue } = &scene;
            let dead = Helper::fork(|line| {
                queue.get().unwrap();
                queue.get().unwrap();
                line.say(1);
                line.await_go();
                0
            });
            assert_eq!(dead.answer(LONG), Answer::Said(1));
            dead.kill();
            let joiner = Helper::fork(|line| {
                fabric.member().unwrap();
                queue.join().unwrap();
                line.say(2);
                line.await_go();
                0
            });
            (joiner, scene)
        },
        |(_, Scene { fabric, .. }), mark| {
            fabric.member().unwrap();
            mark.around(|| fabric.sweep().unwrap());
        },
        |(joiner, Scene { fabric, queue }), _| {
            sweep(&fabric);
            assert_eq!(joiner.answer(LONG), Answer::Said(2));
            joiner.kill();
            sweep(&fabric);
            whole(&fabric);
            assert_eq!((queue.lost(), queue.unfinished().unwrap()), (2, 0));
            assert_empty_at_the_end(&fabric, &queue);
            "lost"
        },
    );
}

fn lanes(table: &mut Table) {
    // Lane 2 holds 1 and 2, lane 0 holds 0: in the order of their numbers.
    let setup = |len: usize| {
        move |fabric: &Fabric| {
            let queue = BytesQueue::builder().lanes(3).new_in(fabric).unwrap();
            for (lane, id) in [(2, 1), (2, 2), (0, 0)] {
                queue.put_to(lane, &message(id, len)).unwrap();
            }
            queue
        }
    };
    for (name, len, put, got) in [("inline", INLINE, &[0_isize] as &[isize], &[0_isize] as &[isize]), ("3 KiB", SMALL, &[1], &[-1])] {
        let put_last: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| {
            let message = message(3, len);
            mark.around(|| queue.put_to(2, &message).unwrap());
        };
        // The judge's own message goes into lane 0; so it is not used here.
        let outcomes = vec![outcome("before", 0..3, &[0]), outcome("after", 0..4, put)];
        lane_row(table, &format!("put to a lane, {name}"), &setup(len), put_last, outcomes);
        let get: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| {
            drop(queue.get().unwrap());
            drop(mark.around(|| queue.get().unwrap()));
        };
        let outcomes = vec![outcome("before", 1..3, got), outcome("after", 2..3, if len == INLINE { &[0] } else { &[-2] })];
        lane_row(table, &format!("get from a lane, {name}"), &setup(len), get, outcomes);
    }
    let first: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| {
        let message = message(4, INLINE);
        mark.around(|| queue.put_to(1, &message).unwrap());
    };
    let outcomes = vec![outcome("before", 0..3, &[0, 1]), outcome("after", [0, 4, 1, 2], &[1])];
    lane_row(table, "put to an empty lane", &setup(INLINE), first, outcomes);
}

fn lane_row(table: &mut Table, operation: &str, setup: &dyn Fn(&Fabric) -> BytesQueue, act: &dyn Fn(&BytesQueue, &Mark), outcomes: Vec<crate::scene::Outcome>) {
    let verdict = crate::scene::Verdict::new(setup, outcomes, &[1]);
    table.run(
        &case("queue", operation).must_see(&verdict.labels()),
        || Scene::new(setup),
        |Scene { fabric, queue }, mark| {
            fabric.member().unwrap();
            act(queue, mark);
        },
        |Scene { fabric, queue }, point| {
            let last = Turn::of(point) == Turn::Use;
            if last {
                queue.put_to(2, &message(200, SMALL)).unwrap();
            }
            sweep(&fabric);
            let held = whole(&fabric).held_chunks as isize - verdict.held as isize - isize::from(last);
            let len = queue.len();
            let mut ids = crate::scene::drain(&queue);
            assert_eq!(ids.len(), len);
            if last {
                assert_eq!(ids.pop(), Some(200));
            }
            let Some(outcome) = verdict.outcomes.iter().find(|outcome| outcome.ids == ids) else { panic!("the queue holds {ids:?}") };
            assert!(outcome.held.contains(&held), "{held} chunks more are held");
            crate::scene::finish(&fabric, &queue, &[1]);
            outcome.label
        },
    );
}

/// An empty ring that grew large is given back by the look that finds it empty.
fn shrinking(table: &mut Table) {
    let roomy = |fabric: &Fabric| {
        let queue = fresh(fabric);
        put_all(&queue, 0..100, EIGHTH);
        assert_eq!(queue.get_many(100).unwrap().len(), 100);
        queue
    };
    let look: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| assert!(mark.around(|| queue.try_get()).is_err());
    on_queue(table, case("queue", "look that gives a large ring back"), &roomy, look, vec![outcome("empty", [], &[0, 1])], &[1]);
}
