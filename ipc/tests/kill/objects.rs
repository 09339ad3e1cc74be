//! Making and destroying objects: one is in the directory, whole, or not at all; its header chunk is never lost.

use polyproc_ipc::{BytesQueue, ErrorKind, Fabric, Lock};
use polyproc_testkit::helper::{Answer, Helper};
use polyproc_testkit::step::{Mark, Table};

use crate::put::{EIGHTH, with_two};
use crate::scene::{EXTRA, INLINE, LARGE, LONG, SMALL, Scene, Turn, case, drain, exercise, finish, message, put_all, put_extra, reshape, sweep, whole};

const NAME: &str = "made by the victim";

pub(crate) fn run(table: &mut Table) {
    unnamed(table);
    named(table, "create a named queue", &with_two, 2);
    named(table, "create a named queue in a retired header", &with_a_retired_header, 3);
    named_lock(table);
    destroy(table);
    destroy_under_a_lease(table);
    last_handle(table);
}

/// A queue was destroyed before, with a lease entry, which stays with the header.
pub(crate) fn with_a_retired_header(fabric: &Fabric) -> BytesQueue {
    let other = with_two(fabric);
    drop(other.get_lease().unwrap());
    let queue = with_two(fabric);
    other.destroy().unwrap();
    queue
}

/// The survivors' first steps; whether the queue of the scene has one more message.
pub(crate) fn begin(scene: &Scene, number: &polyproc_testkit::step::Point) -> bool {
    let Scene { fabric, queue } = scene;
    match Turn::of(number) {
        Turn::Sweep => {
            sweep(fabric);
            whole(fabric);
            reshape(queue);
        }
        Turn::Use => {
            put_extra(queue);
            return true;
        }
        Turn::Reshape => {
            reshape(queue);
            sweep(fabric);
            whole(fabric);
        }
    }
    false
}

/// What goes with its maker is gone after the sweep, whether it was made or not.
fn unnamed(table: &mut Table) {
    for (operation, setup, end) in [
        ("create an unnamed queue", &with_two as &dyn Fn(&Fabric) -> BytesQueue, 2),
        ("create an unnamed queue in a retired header", &with_a_retired_header, 3),
    ] {
        table.run(
            &case("directory", operation).must_see(&["not made", "made"]),
            || Scene::new(setup),
            |Scene { fabric, .. }, mark| {
                fabric.member().unwrap();
                mark.around(|| BytesQueue::new(fabric, 0).unwrap());
            },
            |scene, point| {
                let made = scene.fabric.objects().unwrap().len() - 1;
                begin(&scene, point);
                sweep(&scene.fabric);
                let Scene { fabric, queue } = &scene;
                assert_eq!(fabric.objects().unwrap().len(), 1, "what the victim made goes with it");
                let next = BytesQueue::new(fabric, 0).unwrap();
                exercise(&next);
                next.destroy().unwrap();
                drain(queue);
                // Both headers, and where a lease entry came with one, that too.
                finish(fabric, queue, &[end]);
                ["not made", "made"][made]
            },
        );
    }
}

fn named(table: &mut Table, operation: &str, setup: &dyn Fn(&Fabric) -> BytesQueue, end: usize) {
    table.run(
        &case("directory", operation).must_see(&["not made", "made"]),
        || Scene::new(setup),
        |Scene { fabric, .. }, mark| {
            fabric.member().unwrap();
            mark.around(|| BytesQueue::create(fabric, NAME, 7).unwrap());
        },
        |scene, point| {
            begin(&scene, point);
            let Scene { fabric, queue } = &scene;
            let (made, label) = match BytesQueue::open(fabric, NAME) {
                Ok(made) => (made, "made"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::NotFound);
                    (BytesQueue::create(fabric, NAME, 7).unwrap(), "not made")
                }
            };
            assert_eq!((made.capacity(), made.len(), made.is_closed()), (Some(7), 0, false));
            exercise(&made);
            made.destroy().unwrap();
            sweep(fabric);
            drain(queue);
            finish(fabric, queue, &[end]);
            label
        },
    );
}

fn named_lock(table: &mut Table) {
    table.run(
        &case("directory", "create a named lock").must_see(&["not made", "made"]),
        || Scene::new(&with_two),
        |Scene { fabric, .. }, mark| {
            fabric.member().unwrap();
            mark.around(|| Lock::create(fabric, NAME).unwrap());
        },
        |scene, point| {
            begin(&scene, point);
            let Scene { fabric, queue } = &scene;
            let label = if Lock::open(fabric, NAME).is_ok() { "made" } else { "not made" };
            let lock = Lock::open_or_create(fabric, NAME).unwrap();
            drop(lock.try_lock().expect("a new lock is free"));
            lock.destroy().unwrap();
            sweep(fabric);
            drain(queue);
            finish(fabric, queue, &[2]);
            label
        },
    );
}

/// The ids in [`full`].
const FULL: std::ops::Range<u8> = 0..13;

/// A named queue with all there is: rings, chunks, extents, a lease that came back.
pub(crate) fn full(fabric: &Fabric) -> BytesQueue {
    let queue = BytesQueue::create(fabric, NAME, 0).unwrap();
    queue.put(&message(0, SMALL)).unwrap();
    drop(queue.get_lease().unwrap());
    put_all(&queue, 1..10, EIGHTH);
    for (id, len) in (10..).zip([SMALL, LARGE, INLINE]) {
        queue.put(&message(id, len)).unwrap();
    }
    queue
}

/// What is left of a full queue that somebody was destroying: all of it, or nothing.
pub(crate) fn judge_destroyed(scene: &Scene, full: &BytesQueue, early: Option<ErrorKind>) -> &'static str {
    let Scene { fabric, queue } = scene;
    let label = match BytesQueue::open(fabric, NAME) {
        Ok(found) => {
            let mut ids = drain(&found);
            if early.is_none() && ids.last() == Some(&EXTRA.0) {
                ids.pop();
            }
            assert!(ids.iter().copied().eq(FULL), "{ids:?} are left");
            found.destroy().unwrap();
            "there"
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            "gone"
        }
    };
    assert!(early != Some(ErrorKind::Gone) || label == "gone", "it was gone and came back");
    assert_eq!(full.put(b"late").unwrap_err().kind(), ErrorKind::Gone);
    assert_eq!(full.try_get().unwrap_err().kind(), ErrorKind::Gone);
    assert_eq!(full.destroy().unwrap_err().kind(), ErrorKind::Gone);
    sweep(fabric);
    drain(queue);
    // Two headers and a lease entry.
    finish(fabric, queue, &[3]);
    label
}

fn destroy(table: &mut Table) {
    let act: &dyn Fn(&BytesQueue, &Mark) = &|full, mark| mark.around(|| full.destroy().unwrap());
    table.run(
        &case("directory", "destroy a full queue").must_see(&["there", "gone"]),
        || {
            let scene = Scene::new(&with_two);
            let full = full(&scene.fabric);
            (scene, full)
        },
        |(scene, full), mark| {
            scene.fabric.member().unwrap();
            act(full, mark);
        },
        |(scene, full), point| {
            // The survivors use the very queue first.
            let early = (Turn::of(point) == Turn::Use).then(|| full.put(&message(EXTRA.0, EXTRA.1)).err().map(|error| error.kind())).flatten();
            begin(&scene, point);
            judge_destroyed(&scene, &full, early)
        },
    );
}

/// Somebody alive has a message on lease; afterwards it holds nothing, whenever it acknowledges.
fn destroy_under_a_lease(table: &mut Table) {
    table.run(
        &case("directory", "destroy a queue under a lease of the living").must_see(&["there", "gone"]),
        || {
            let scene = Scene::new(&with_two);
            let leased = BytesQueue::create(&scene.fabric, NAME, 0).unwrap();
            put_all(&leased, 0..2, LARGE);
            let helper = Helper::fork(|line| {
                let lease = leased.get_lease().unwrap();
                line.say(1);
                line.await_go();
                match lease.ack() {
                    Ok(()) => line.say(2),
                    Err(error) if error.kind() == ErrorKind::Gone => line.say(3),
                    Err(error) => panic!("an acknowledgement: {error:?}"),
                }
                line.await_go(); // lives on with nothing in hand
                0
            });
            assert_eq!(helper.answer(LONG), Answer::Said(1));
            (helper, scene, leased)
        },
        |(_, scene, leased), mark| {
            scene.fabric.member().unwrap();
            mark.around(|| leased.destroy().unwrap());
        },
        |(helper, scene, _), point| {
            let acknowledged = || {
                helper.go();
                match helper.answer(LONG) {
                    Answer::Said(2) => true,
                    Answer::Said(3) => false,
                    other => panic!("the holder of the lease: {other:?}"),
                }
            };
            let early = (Turn::of(point) != Turn::Sweep).then(&acknowledged);
            begin(&scene, point);
            let Scene { fabric, queue } = &scene;
            let label = match BytesQueue::open(fabric, NAME) {
                Ok(found) => {
                    assert!(early.unwrap_or_else(&acknowledged), "gone, and there");
                    assert_eq!(drain(&found), [1]);
                    found.destroy().unwrap();
                    "there"
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::NotFound);
                    assert!(early.is_some() || !acknowledged(), "acknowledged after the end");
                    "gone"
                }
            };
            sweep(fabric);
            assert_eq!(whole(fabric).private_chunks, 0, "the holder of the lease holds nothing");
            helper.kill();
            sweep(fabric);
            drain(queue);
            finish(fabric, queue, &[3]);
            label
        },
    );
}

/// The last handle of a queue without a name goes: a destruction too.
fn last_handle(table: &mut Table) {
    table.run(
        &case("directory", "last handle of a queue dropped").must_see(&["there", "gone"]),
        || Scene::new(&with_two),
        |Scene { fabric, .. }, mark| {
            fabric.member().unwrap();
            let own = BytesQueue::new(fabric, 0).unwrap();
            put_all(&own, 0..9, EIGHTH);
            own.put(&message(9, SMALL)).unwrap();
            mark.around(move || drop(own));
        },
        |scene, point| {
            let label = ["gone", "there"][scene.fabric.objects().unwrap().len() - 1];
            begin(&scene, point);
            sweep(&scene.fabric);
            drain(&scene.queue);
            finish(&scene.fabric, &scene.queue, &[2]);
            label
        },
    );
}
