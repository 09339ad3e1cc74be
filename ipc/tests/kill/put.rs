//! The producer side of a queue: a message is put or not, whole, in its place, and its chunk belongs to somebody.

use polyproc_ipc::{BytesQueue, ErrorKind, Fabric};
use polyproc_testkit::helper::{Answer, Helper};
use polyproc_testkit::step::Table;

use crate::scene::{INLINE, LARGE, LONG, SMALL, Scene, Turn, case, drain, finish, message, on_queue, outcome, put_all, reshape, sweep, whole};

/// Eight of these are too much for the first ring.
pub(crate) const EIGHTH: usize = 1000;

pub(crate) fn fresh(fabric: &Fabric) -> BytesQueue {
    BytesQueue::new(fabric, 0).expect("a queue")
}

pub(crate) fn with_two(fabric: &Fabric) -> BytesQueue {
    let queue = fresh(fabric);
    put_all(&queue, 0..2, INLINE);
    queue
}

/// The first ring has no room for one more message of this length.
pub(crate) fn with_a_full_ring(fabric: &Fabric) -> BytesQueue {
    let queue = fresh(fabric);
    put_all(&queue, 0..7, EIGHTH);
    queue
}

/// Two rings, both full; the next ring is an extent.
fn with_two_full_rings(fabric: &Fabric) -> BytesQueue {
    let queue = with_a_full_ring(fabric);
    put_all(&queue, 7..39, EIGHTH);
    queue
}

pub(crate) fn run(table: &mut Table) {
    let put_one = |id: u8, len: usize| {
        move |queue: &BytesQueue, mark: &polyproc_testkit::step::Mark| {
            let message = message(id, len);
            mark.around(|| queue.put(&message).unwrap());
        }
    };
    let simple = |table: &mut Table, operation: &str, setup: &dyn Fn(&Fabric) -> BytesQueue, had: u8, len, before, after| {
        let outcomes = vec![outcome("before", 0..had, before), outcome("after", 0..=had, after)];
        on_queue(table, case("queue", operation), setup, &put_one(had, len), outcomes, &[1]);
    };
    simple(table, "put inline", &with_two, 2, INLINE, &[0], &[0]);
    simple(table, "put inline of 2 KiB", &with_two, 2, 2048, &[0], &[0]);
    // A ring that was linked by the dead stays; one that was not goes.
    simple(table, "put into a fresh queue", &fresh, 0, INLINE, &[0, 1], &[1]);
    simple(table, "put that adds a ring", &with_a_full_ring, 7, EIGHTH, &[0, 1], &[1]);
    simple(table, "put that adds a ring that is an extent", &with_two_full_rings, 39, EIGHTH, &[0, 1], &[1]);
    simple(table, "put 3 KiB (chunk)", &with_two, 2, SMALL, &[0], &[1]);
    simple(table, "put 100 KiB (extent)", &with_two, 2, LARGE, &[0], &[1]);
    simple(table, "put 3 KiB into a fresh queue", &fresh, 0, SMALL, &[0, 1], &[2]);

    many(table);
    loans(table);
    close(table);
    waiting_getter(table);
}

fn many(table: &mut Table) {
    let outcomes = vec![outcome("before", 0..2, &[0]), outcome("after", 0..7, &[0])];
    let five: &dyn Fn(&BytesQueue, &_) = &|queue: &BytesQueue, mark: &polyproc_testkit::step::Mark| {
        let messages: Vec<Vec<u8>> = (2..7).map(|id| message(id, INLINE)).collect();
        let slices: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        mark.around(|| assert_eq!(queue.put_many(&slices).unwrap(), 5));
    };
    on_queue(table, case("queue", "put_many, 5 inline"), &with_two, five, outcomes, &[1]);

    // Two fit, then a ring is added: what stands in the old one is put by then.
    let with_five = |fabric: &Fabric| {
        let queue = fresh(fabric);
        put_all(&queue, 0..5, EIGHTH);
        queue
    };
    let outcomes = vec![outcome("before", 0..5, &[0]), outcome("two of five", 0..7, &[0, 1]), outcome("after", 0..10, &[1])];
    let five: &dyn Fn(&BytesQueue, &_) = &|queue: &BytesQueue, mark: &polyproc_testkit::step::Mark| {
        let messages: Vec<Vec<u8>> = (5..10).map(|id| message(id, EIGHTH)).collect();
        let slices: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        mark.around(|| assert_eq!(queue.put_many(&slices).unwrap(), 5));
    };
    on_queue(table, case("queue", "put_many that adds a ring"), &with_five, five, outcomes, &[1]);

    let outcomes = vec![
        outcome("before", 0..2, &[0]),
        outcome("the inline ones", 0..4, &[0]),
        outcome("and a chunk", 0..5, &[1]),
        outcome("and one inline", 0..6, &[1]),
        outcome("after", 0..7, &[2]),
    ];
    let mixed: &dyn Fn(&BytesQueue, &_) = &|queue: &BytesQueue, mark: &polyproc_testkit::step::Mark| {
        let lens = [INLINE, INLINE, SMALL, INLINE, LARGE];
        let messages: Vec<Vec<u8>> = (2..7).zip(lens).map(|(id, len)| message(id, len)).collect();
        let slices: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        mark.around(|| assert_eq!(queue.put_many(&slices).unwrap(), 5));
    };
    on_queue(table, case("queue", "put_many, inline and chunks"), &with_two, mixed, outcomes, &[1]);
}

fn loans(table: &mut Table) {
    for (operation, len) in [("put_loan, 3 KiB", SMALL), ("put_loan, 100 KiB", LARGE)] {
        let outcomes = vec![outcome("before", 0..2, &[0]), outcome("after", 0..3, &[1])];
        let put: &dyn Fn(&BytesQueue, &_) = &|queue: &BytesQueue, mark: &polyproc_testkit::step::Mark| {
            let mut loan = queue.loan(len).unwrap();
            loan.copy_from_slice(&message(2, len));
            mark.around(|| queue.put_loan(loan).unwrap());
        };
        on_queue(table, case("queue", operation), &with_two, put, outcomes, &[1]);
    }
}

fn close(table: &mut Table) {
    table.run(
        &case("queue", "close").must_see(&["before", "after"]),
        || Scene::new(&with_two),
        |Scene { fabric, queue }, mark| {
            fabric.member().unwrap();
            mark.around(|| queue.close().unwrap());
        },
        |Scene { fabric, queue }, point| {
            match Turn::of(point) {
                Turn::Sweep => sweep(&fabric),
                Turn::Use => 0,
                Turn::Reshape => reshape(&queue),
            };
            let label = match queue.put(&message(2, INLINE)) {
                Ok(()) => "before",
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Closed);
                    "after"
                }
            };
            assert_eq!(queue.is_closed(), label == "after");
            assert_eq!(drain(&queue), if label == "after" { vec![0, 1] } else { vec![0, 1, 2] });
            let end = queue.get_timeout(std::time::Duration::ZERO).expect_err("nothing is left").kind();
            assert_eq!(end, if label == "after" { ErrorKind::Closed } else { ErrorKind::Timeout });
            sweep(&fabric);
            finish(&fabric, &queue, &[1]);
            label
        },
    );
}

/// Somebody waits for a message while its putter is killed: it gets that message, or goes on waiting and gets the next.
fn waiting_getter(table: &mut Table) {
    for (operation, len) in [("put inline, a getter waiting", INLINE), ("put 3 KiB, a getter waiting", SMALL)] {
        table.run(
            &case("queue", operation).must_see(&["before", "after"]),
            || {
                let scene = Scene::new(&fresh);
                put_all(&scene.queue, 0..1, INLINE);
                let Scene { fabric, queue } = &scene;
                let helper = Helper::fork(|line| {
                    fabric.member().unwrap();
                    loop {
                        line.say(id_of_next(queue));
                    }
                });
                assert_eq!(helper.answer(LONG), Answer::Said(0));
                (helper, scene) // the helper goes first
            },
            |(helper, Scene { fabric, queue }), mark| {
                fabric.member().unwrap();
                let message = message(7, len);
                helper.until_asleep(LONG);
                mark.around(|| queue.put(&message).unwrap());
            },
            |(helper, Scene { fabric, queue }), point| {
                if Turn::of(point) == Turn::Sweep {
                    sweep(&fabric);
                }
                queue.put(&message(9, INLINE)).unwrap();
                let label = match helper.answer(LONG) {
                    Answer::Said(9) => "before",
                    Answer::Said(7) => {
                        assert_eq!(helper.answer(LONG), Answer::Said(9), "the next message comes after");
                        "after"
                    }
                    other => panic!("the getter must get on: {other:?}"),
                };
                helper.kill();
                sweep(&fabric);
                assert_eq!(drain(&queue), []);
                whole(&fabric);
                finish(&fabric, &queue, &[1]);
                label
            },
        );
    }
}

fn id_of_next(queue: &BytesQueue) -> u8 {
    crate::scene::id_of(&queue.get().expect("the waiting getter gets"))
}
