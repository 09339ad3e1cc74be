//! The process table: joining, leaving, and the sweep itself as the one who is killed.

use std::cell::RefCell;

use polyproc_ipc::{Acquired, BytesQueue, Fabric, Lock};
use polyproc_testkit::step::Table;

use crate::put::{EIGHTH, with_two};
use crate::scene::{INLINE, LARGE, LONG, SMALL, Scene, Turn, case, drain, exercise, fabric, finish, message, one_dead, put_all, reshape, sweep, whole};

pub(crate) fn run(table: &mut Table) {
    join(table);
    leave(table);
    sweep_killed(table);
}

fn join(table: &mut Table) {
    table.run(
        &case("members", "join").must_see(&["before", "joined"]),
        || Scene::new(&with_two),
        |Scene { fabric, .. }, mark| {
            mark.around(|| fabric.member().unwrap());
        },
        |Scene { fabric, queue }, point| {
            if Turn::of(point) == Turn::Use {
                assert_eq!(drain(&queue), [0, 1]);
            }
            let dead = fabric.members().iter().filter(|member| !member.alive).count();
            assert_eq!(sweep(&fabric), dead);
            drain(&queue);
            exercise(&queue);
            // Whoever comes next has a slot.
            one_dead(&fabric, || {});
            assert_eq!(sweep(&fabric), 1);
            finish(&fabric, &queue, &[1]);
            ["before", "joined"][dead]
        },
    );
}

/// The last handle of a process goes, with all that the process made.
fn leave(table: &mut Table) {
    table.run(
        &case("members", "leave").must_see(&["a member", "left"]),
        || RefCell::new(Some(fabric())),
        |state, mark| {
            let fabric = state.take().expect("the stage's fabric");
            let queue = BytesQueue::new(&fabric, 0).unwrap();
            put_all(&queue, 0..9, EIGHTH);
            queue.put(&message(9, SMALL)).unwrap();
            queue.put(&message(10, LARGE)).unwrap();
            let lock = Lock::new(&fabric).unwrap();
            lock.acquire(None).unwrap();
            let loans = (queue.loan(SMALL).unwrap(), queue.loan(LARGE).unwrap());
            mark.around(move || drop((loans, lock, queue, fabric)));
        },
        |state, point| {
            let fabric = state.take().expect("the stage's own copy");
            let dead = fabric.members().len() - 1;
            let other = BytesQueue::new(&fabric, 0).unwrap();
            if Turn::of(point) == Turn::Reshape {
                reshape(&other);
            }
            sweep(&fabric);
            exercise(&other);
            let report = whole(&fabric);
            assert_eq!((report.objects, report.private_chunks), (1, 0));
            other.destroy().unwrap();
            let report = whole(&fabric);
            // Retired headers: of the lock, and of one queue or two.
            assert!((2..=3).contains(&report.held_chunks) && report.private_chunks == 0, "{report:?}");
            if dead == 1 { "a member" } else { "left" }
        },
    );
}

/// Somebody died with all kinds of things in hand; the victim sweeps.
struct Estate {
    fabric: Fabric,
    queue: BytesQueue,
    lock: Lock,
}

impl Estate {
    fn new() -> Estate {
        let fabric = fabric();
        let queue = with_two(&fabric);
        let lock = Lock::new(&fabric).unwrap();
        let estate = Estate { fabric, queue, lock };
        let Estate { fabric, queue, lock } = &estate;
        one_dead(fabric, || {
            assert_eq!(lock.acquire(None).unwrap(), Acquired::Clean);
            std::mem::forget((queue.get_lease().unwrap(), queue.loan(SMALL).unwrap(), queue.loan(LARGE).unwrap()));
            queue.put(&message(2, SMALL)).unwrap();
            let own = BytesQueue::new(fabric, 0).unwrap();
            put_all(&own, 0..9, EIGHTH);
            own.put(&message(9, SMALL)).unwrap();
            own.put(&message(10, LARGE)).unwrap();
            std::mem::forget(own);
        });
        estate
    }

    /// Chunks held when all was swept.
    fn settled(&self) -> usize {
        let report = whole(&self.fabric);
        assert_eq!((report.private_chunks, report.objects, report.members), (0, 2, 1));
        report.held_chunks
    }
}

fn sweep_killed(table: &mut Table) {
    let held = {
        let estate = Estate::new();
        assert_eq!(sweep(&estate.fabric), 1);
        estate.settled()
    };
    table.run(
        &case("members", "sweep").must_see(&["to be swept again", "swept"]),
        Estate::new,
        |estate, mark| {
            estate.fabric.member().unwrap();
            mark.around(|| estate.fabric.sweep().unwrap());
        },
        |estate, point| {
            let Estate { fabric, queue, lock } = &estate;
            let dead = fabric.members().iter().filter(|member| !member.alive).count();
            match Turn::of(point) {
                Turn::Sweep => {}
                Turn::Use => queue.put(&message(3, INLINE)).unwrap(),
                Turn::Reshape => assert!(reshape(queue) > 0),
            }
            sweep(fabric);
            assert_eq!(estate.settled(), held, "chunks held after the sweep");
            assert_eq!(lock.acquire(Some(LONG)).unwrap(), Acquired::OwnerDied);
            lock.release().unwrap();
            assert_eq!(drain(queue), if Turn::of(point) == Turn::Use { vec![0, 1, 2, 3] } else { vec![0, 1, 2] });
            exercise(queue);
            lock.destroy().unwrap();
            finish(fabric, queue, &[4]);
            match dead {
                1 => "swept",
                2 => "to be swept again",
                other => panic!("{other} are dead"),
            }
        },
    );
}
