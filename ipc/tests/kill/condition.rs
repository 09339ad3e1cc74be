//! Conditions: whoever dies at whatever instruction, a signal is told once, to somebody alive; no entry is lost, and the lock passes on.

use std::time::Duration;

use polyproc_ipc::{Acquired, BytesQueue, Condition, ConditionGuard, ErrorKind, Fabric, Lock, LockError};
use polyproc_testkit::helper::{Answer, Helper};
use polyproc_testkit::step::{Case, Mark, Point, Table};

use crate::repair::Pair;
use crate::scene::{LONG, Turn, assert_in_order, case, fabric, one_dead, reshape, sampled, sweep, whole};

/// What a waiter says of its wait.
const INSIDE: u8 = 10;
const TOLD: u8 = 1;
const OWNER_DIED: u8 = 2;
const NOT_TOLD: u8 = 3;
const GONE: u8 = 4;

const NAME: &str = "made by the victim";

/// A fabric with a condition, a queue to reshape the heap with, and some who wait.
struct State {
    waiters: Vec<Helper>,
    fabric: Fabric,
    condition: Condition,
    queue: BytesQueue,
}

impl State {
    fn new(on_a_lock: bool) -> State {
        let fabric = fabric();
        let queue = BytesQueue::new(&fabric, 0).expect("a queue");
        drop(queue.loan(1).expect("a chunk, so that there is a slab for entries"));
        let condition = if on_a_lock {
            let lock = Lock::create(&fabric, "lock").expect("a lock");
            Condition::create_on(&fabric, "condition", &lock.lend()).expect("a condition")
        } else {
            Condition::create(&fabric, "condition").expect("a condition")
        };
        State { waiters: Vec::new(), fabric, condition, queue }
    }

    /// So many wait, in this order.
    fn with_waiters(on_a_lock: bool, count: usize) -> State {
        let mut state = State::new(on_a_lock);
        for _ in 0..count {
            let helper = Helper::fork(|line| {
                let mut guard = state.condition.lock().unwrap();
                line.say(INSIDE);
                line.say(how(guard.wait(None)));
                drop(guard);
                line.await_go(); // lives on: what is judged is the victim's death
                0
            });
            assert_eq!(helper.answer(LONG), Answer::Said(INSIDE));
            drop(self::taken(state.condition.lock())); // it is in the list
            state.waiters.push(helper);
        }
        state
    }

    /// One was notified, and was killed before it went on; two more wait.
    fn with_a_dead_one_that_was_told() -> State {
        let mut state = State::with_waiters(false, 3);
        let guard = state.condition.lock().unwrap();
        assert_eq!(guard.notify(1).unwrap(), 1);
        state.waiters.remove(0).kill();
        drop(guard);
        state.waiters.iter().for_each(Helper::stop); // else they sweep
        state
    }

    fn join(&self) {
        self.fabric.member().expect("the victim joins");
    }

    fn begin(&self, point: &Point) {
        match Turn::of(point) {
            Turn::Sweep => {
                sweep(&self.fabric);
                whole(&self.fabric);
                reshape(&self.queue);
            }
            Turn::Use => drop(taken(self.condition.lock_timeout(LONG))),
            Turn::Reshape => {
                reshape(&self.queue);
                sweep(&self.fabric);
                whole(&self.fabric);
            }
        }
    }

    fn answer(&self, waiter: usize) -> u8 {
        match self.waiters[waiter].answer(LONG) {
            Answer::Said(said) => said,
            other => panic!("waiter {waiter} must get on: {other:?}"),
        }
    }

    /// Everybody who still waits is told, nothing is left of anybody; `most` entries at most were ever needed.
    fn finish(self, most: usize) {
        let State { waiters, fabric, condition, queue } = self;
        drop(waiters);
        sweep(&fabric);
        drop(taken(condition.lock_timeout(LONG)));
        let mut guard = condition.lock_timeout(LONG).expect("a death is told once");
        assert_eq!(guard.notify_all().unwrap(), 0, "the dead wait for nothing");
        assert!(!guard.wait(Some(Duration::ZERO)).unwrap());
        drop(guard);
        condition.destroy().unwrap();
        queue.destroy().unwrap();
        let report = whole(&fabric);
        let others = report.objects + 2; // the lock, if there is one, the headers
        assert!(report.held_chunks <= others + most.max(1), "{} chunks are held", report.held_chunks);
        assert_eq!((report.private_chunks, report.members), (0, 1));
    }
}

fn how(waited: Result<bool, LockError<bool>>) -> u8 {
    match waited {
        Ok(true) => TOLD,
        Ok(false) => NOT_TOLD,
        Err(LockError::OwnerDied(_)) => OWNER_DIED,
        Err(LockError::Failed(error)) if error.kind() == ErrorKind::Gone => GONE,
        Err(error) => panic!("a wait: {error:?}"),
    }
}

fn taken<'a>(lock: Result<ConditionGuard<'a>, LockError<ConditionGuard<'a>>>) -> ConditionGuard<'a> {
    lock.or_else(LockError::into_guard).expect("a survivor gets the lock")
}

pub(crate) fn run(table: &mut Table) {
    locking(table);
    time_out(table);
    notifying(table);
    notified(table);
    passing_on(table);
    destroying(table);
    making(table);
    repairs(table);
}

fn locking(table: &mut Table) {
    for (name, on_a_lock) in [("own lock", false), ("given lock", true)] {
        let verdict = |state: State, point: &Point| {
            if Turn::of(point) != Turn::Use {
                sweep(&state.fabric);
            }
            let label = match state.condition.lock_timeout(LONG) {
                Ok(_) => "free",
                Err(LockError::OwnerDied(_)) => "owner died",
                Err(LockError::Failed(error)) => panic!("a survivor cannot have the lock: {error:?}"),
            };
            state.finish(0);
            label
        };
        let row = table.run(
            &case("condition", &format!("acquire, {name}")).must_see(&["free", "owner died"]),
            || State::new(on_a_lock),
            |state, mark| {
                state.join();
                mark.around(|| state.condition.acquire(None).unwrap());
            },
            verdict,
        );
        assert_in_order(&row, "free", "owner died");
        let row = table.run(
            &case("condition", &format!("release, {name}")).must_see(&["free", "owner died"]),
            || State::new(on_a_lock),
            |state, mark| {
                state.join();
                state.condition.acquire(None).unwrap();
                mark.around(|| state.condition.release().unwrap());
            },
            verdict,
        );
        assert_in_order(&row, "owner died", "free");
    }
}

/// A wait of no time: into the list, lock released, acquired, out of the list.
fn time_out(table: &mut Table) {
    for (name, on_a_lock, before) in [("first ever", false, 0), ("an entry is there", false, 1), ("given lock", true, 1)] {
        table.run(
            &case("condition", &format!("wait that times out, {name}")).must_see(&["owner died", "free"]),
            || {
                let state = State::new(on_a_lock);
                for _ in 0..before {
                    assert!(!state.condition.lock().unwrap().wait(Some(Duration::ZERO)).unwrap());
                }
                state
            },
            |state, mark| {
                state.join();
                let mut guard = state.condition.lock().unwrap();
                mark.around(|| assert!(!guard.wait(Some(Duration::ZERO)).unwrap()));
                std::mem::forget(guard);
            },
            |state, point| {
                if Turn::of(point) != Turn::Use {
                    state.begin(point);
                }
                let label = match state.condition.lock_timeout(LONG) {
                    Ok(guard) => {
                        assert_eq!(guard.notify(1).unwrap(), 0, "the dead one is passed over");
                        "free"
                    }
                    Err(error) => {
                        assert_eq!(error.into_guard().unwrap().notify_all().unwrap(), 0);
                        "owner died"
                    }
                };
                state.finish(1);
                label
            },
        );
    }
}

/// Two wait, the victim notifies one and releases.
fn notifying(table: &mut Table) {
    for (name, on_a_lock) in [("own lock", false), ("given lock", true)] {
        let row = table.run(
            &sampled(Case::new("condition", &format!("notify and release, {name}")), 60).must_see(&["owner died", "told"]),
            || State::with_waiters(on_a_lock, 2),
            |state, mark| {
                state.join();
                let guard = state.condition.lock().unwrap();
                mark.around(|| {
                    assert_eq!(guard.notify(1).unwrap(), 1);
                    drop(guard);
                });
            },
            |state, point| {
                if point.turn != 0 {
                    sweep(&state.fabric); // else the waiters do, after a while
                }
                // Notified. If nobody had come for the dead one's lock before the sweep, the other is woken too, and either may be told of the death.
                let first = state.answer(0);
                sweep(&state.fabric);
                let left = state.condition.lock_timeout(LONG).expect("one of them was told of the death").notify_all().unwrap();
                let said = [first, state.answer(1)];
                assert!(said.iter().all(|said| matches!(*said, TOLD | OWNER_DIED)), "{said:?}");
                let label = if said.contains(&OWNER_DIED) { "owner died" } else { "told" };
                assert!(left == 1 || left == 0 && label == "owner died", "{left} still waited");
                state.finish(2);
                label
            },
        );
        assert_in_order(&row, "owner died", "told");
    }
}

/// The victim waits and is notified by somebody who then waits itself: either the victim has the lock again, or the signal goes back to that one.
fn notified(table: &mut Table) {
    const NOBODY: u8 = 20;
    table.run(
        &case("condition", "wait that is notified").must_see(&["not in the list", "passed on", "went on"]),
        || {
            let mut state = State::new(false);
            let helper = Helper::fork(|line| {
                state.fabric.member().unwrap();
                line.say(INSIDE);
                line.await_go();
                let mut guard = taken(state.condition.lock());
                let told = guard.notify(1).unwrap();
                if told == 1 {
                    line.say(how(guard.wait(None)));
                } else {
                    line.say(NOBODY);
                }
                drop(guard);
                line.await_go();
                0
            });
            assert_eq!(helper.answer(LONG), Answer::Said(INSIDE));
            state.waiters.push(helper);
            state
        },
        |state, mark| {
            state.join();
            let mut guard = state.condition.lock().unwrap();
            state.waiters[0].go();
            mark.around(|| assert!(guard.wait(None).unwrap()));
            std::mem::forget(guard);
        },
        |state, point| {
            // The dead one's lock, or its signal: the helper gets on, at the latest by a sweep of its own.
            if point.turn != 0 {
                sweep(&state.fabric);
            }
            let label = match state.answer(0) {
                NOBODY => "not in the list",
                TOLD => "passed on",
                OWNER_DIED => "went on",
                other => panic!("the other was told {other}"),
            };
            state.finish(2);
            label
        },
    );
}

/// The victim sweeps a dead one that was notified: of the two that wait, one is notified, and only one.
fn passing_on(table: &mut Table) {
    table.run(
        &sampled(Case::new("condition", "sweep of one that was notified"), 40).must_see(&["passed on"]),
        State::with_a_dead_one_that_was_told,
        |state, mark| {
            state.join();
            mark.around(|| assert_eq!(state.fabric.sweep().unwrap(), 1));
        },
        judge_passed_on,
    );
}

fn judge_passed_on(state: State, point: &Point) -> &'static str {
    state.waiters.iter().for_each(Helper::resume);
    state.begin(point);
    sweep(&state.fabric);
    assert_eq!(state.answer(0), TOLD, "the one that waits longest");
    assert_eq!(state.condition.lock_timeout(LONG).unwrap().notify_all().unwrap(), 1, "the other still waits");
    assert_eq!(state.answer(1), TOLD);
    state.finish(3);
    "passed on"
}

fn destroying(table: &mut Table) {
    table.run(
        &case("directory", "destroy a condition that somebody waits for").must_see(&["there", "gone"]),
        || State::with_waiters(false, 1),
        |state, mark| {
            state.join();
            mark.around(|| state.condition.destroy().unwrap());
        },
        |state, point| {
            if Turn::of(point) != Turn::Use {
                sweep(&state.fabric);
            }
            let label = match Condition::open(&state.fabric, "condition") {
                Ok(found) => {
                    assert_eq!(taken(found.lock()).notify_all().unwrap(), 1);
                    assert_eq!(state.answer(0), TOLD);
                    found.destroy().unwrap();
                    "there"
                }
                Err(error) => {
                    assert_eq!((error.kind(), state.answer(0)), (ErrorKind::NotFound, GONE));
                    "gone"
                }
            };
            assert!(state.condition.lock().map(drop).is_err_and(|error| error.into_guard().is_err_and(|error| error.kind() == ErrorKind::Gone)));
            sweep(&state.fabric);
            assert_eq!(whole(&state.fabric).held_chunks, 3, "two headers and an entry");
            label
        },
    );
}

fn making(table: &mut Table) {
    for (operation, retired) in [("create a named condition", false), ("create a named condition in a retired header", true)] {
        table.run(
            &case("directory", operation).must_see(&["not made", "made"]),
            || {
                let state = State::new(true);
                if retired {
                    // Destroyed while held, with an entry.
                    let old = Condition::create(&state.fabric, NAME).unwrap();
                    let mut guard = old.lock().unwrap();
                    assert!(!guard.wait(Some(Duration::ZERO)).unwrap());
                    old.destroy().unwrap();
                }
                state
            },
            |state, mark| {
                state.join();
                mark.around(|| Condition::create(&state.fabric, NAME).unwrap());
            },
            |state, point| {
                state.begin(point);
                let label = if Condition::open(&state.fabric, NAME).is_ok() { "made" } else { "not made" };
                let made = Condition::open_or_create(&state.fabric, NAME).unwrap();
                assert_eq!(made.acquire(None).unwrap(), Acquired::Clean);
                assert!(!made.wait(Some(Duration::ZERO)).unwrap().happened);
                made.release().unwrap();
                made.destroy().unwrap();
                state.finish(3);
                label
            },
        );
    }
}

fn repairs(table: &mut Table) {
    let wait: &dyn Fn(&State, &Mark) = &|state, mark| {
        state.join();
        let mut guard = taken(state.condition.lock());
        mark.around(|| drop(guard.wait(Some(Duration::ZERO))));
    };
    let pair = Pair { name: "wait after a first wait", setup: &|| State::new(false), first: wait, second: wait };
    pair.run(table, &["whole"], &|state, point| {
        state.begin(point);
        state.finish(2);
        "whole"
    });
}

/// What the library finds out at its first wait is found out before the stepping.
pub(crate) fn warm_up() {
    let state = State::with_waiters(false, 1);
    one_dead(&state.fabric, || assert_eq!(taken(state.condition.lock()).notify(1).unwrap(), 1));
    sweep(&state.fabric);
    assert!(matches!(state.answer(0), TOLD | OWNER_DIED));
    state.finish(1);
}
