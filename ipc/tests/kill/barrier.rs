//! Barriers: whoever dies at whatever instruction, a round is released for all or broken for all, and nobody waits for the dead.

use std::time::Duration;

use polyproc_ipc::{Barrier, BytesQueue, ErrorKind, Fabric, Result};
use polyproc_testkit::helper::{Answer, Helper};
use polyproc_testkit::step::{Case, Mark, Point, Table};

use crate::repair::Pair;
use crate::scene::{LONG, Turn, assert_in_order, case, fabric, reshape, sampled, sweep, whole};

/// What a party says.
const INSIDE: u8 = 10;
const PASSED: u8 = 1;
const BROKEN: u8 = 2;
const GONE: u8 = 3;

const NAME: &str = "made by the victim";

/// A fabric with a barrier, a queue to reshape the heap with, and some who wait.
struct State {
    parties: Vec<Helper>,
    fabric: Fabric,
    barrier: Barrier,
    queue: BytesQueue,
}

impl State {
    fn new(parties: usize) -> State {
        let fabric = fabric();
        let queue = BytesQueue::new(&fabric, 0).expect("a queue");
        drop(queue.loan(1).expect("a chunk, so that there is a slab for entries"));
        let barrier = Barrier::create(&fabric, "barrier", parties, None).expect("a barrier");
        State { parties: Vec::new(), fabric, barrier, queue }
    }

    /// One party that waits once, when it is let go and `ready` says so.
    fn party(&self, ready: &dyn Fn() -> bool) -> Helper {
        let helper = Helper::fork(|line| {
            self.fabric.member().unwrap();
            line.say(INSIDE);
            line.await_go();
            while !ready() {
                std::thread::yield_now();
            }
            line.say(match self.barrier.wait() {
                Ok(_) => PASSED,
                Err(error) if error.kind() == ErrorKind::BrokenBarrier => BROKEN,
                Err(error) if error.kind() == ErrorKind::Gone => GONE,
                Err(error) => panic!("a party: {error:?}"),
            });
            line.await_go(); // lives on: what is judged is the victim's death
            0
        });
        assert_eq!(helper.answer(LONG), Answer::Said(INSIDE));
        helper
    }

    /// A barrier of so many, and one who waits.
    fn with_one_waiting(parties: usize) -> State {
        let mut state = State::new(parties);
        let helper = state.party(&|| true);
        helper.go();
        while state.barrier.n_waiting().unwrap() == 0 {
            std::thread::yield_now();
        }
        state.parties.push(helper);
        state
    }

    /// Two wait of three, and one of them is killed.
    fn with_a_dead_party() -> State {
        let state = State::with_one_waiting(3);
        let dies = state.party(&|| true);
        dies.go();
        while state.barrier.n_waiting().unwrap() != 2 {
            std::thread::yield_now();
        }
        dies.kill();
        state.parties.iter().for_each(Helper::stop); // else it sweeps
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
            Turn::Use => drop(self.barrier.n_waiting().unwrap()),
            Turn::Reshape => {
                reshape(&self.queue);
                sweep(&self.fabric);
                whole(&self.fabric);
            }
        }
    }

    fn answer(&self) -> u8 {
        match self.parties[0].answer(LONG) {
            Answer::Said(said) => said,
            other => panic!("the party must get on: {other:?}"),
        }
    }

    /// The barrier can be healed, and nothing is left of anybody; `most` entries at most were ever needed.
    fn finish(self, most: usize) {
        let State { parties, fabric, barrier, queue } = self;
        drop(parties);
        sweep(&fabric);
        barrier.reset().unwrap();
        assert_eq!((barrier.broken(), barrier.n_waiting().unwrap()), (false, 0));
        assert_eq!(
            barrier.wait_timeout(Duration::ZERO).map_err(|error| error.kind()),
            if barrier.parties() == 1 { Ok(0) } else { Err(ErrorKind::BrokenBarrier) }
        );
        barrier.destroy().unwrap();
        queue.destroy().unwrap();
        let report = whole(&fabric);
        assert!(report.held_chunks <= 2 + most, "{} chunks are held", report.held_chunks);
        assert_eq!((report.private_chunks, report.members, report.objects), (0, 1, 0));
    }
}

pub(crate) fn run(table: &mut Table) {
    coming(table);
    last_to_come(table);
    let_through(table);
    abort_and_reset(table);
    sweeping(table);
    destroying(table);
    making(table);
    repairs(table);
}

/// The victim comes, and its time is up at once.
fn coming(table: &mut Table) {
    for (name, before) in [("first ever", false), ("an entry is there", true)] {
        let row = table.run(
            &case("barrier", &format!("wait that times out, {name}")).must_see(&["whole", "broken"]),
            || {
                let state = State::new(2);
                if before {
                    assert!(state.barrier.wait_timeout(Duration::ZERO).is_err());
                    state.barrier.reset().unwrap();
                }
                state
            },
            |state, mark| {
                state.join();
                mark.around(|| assert!(state.barrier.wait_timeout(Duration::ZERO).is_err()));
            },
            |state, point| {
                state.begin(point);
                sweep(&state.fabric);
                let label = if state.barrier.broken() { "broken" } else { "whole" };
                assert_eq!(state.barrier.n_waiting().unwrap(), 0);
                state.finish(1);
                label
            },
        );
        assert_in_order(&row, "whole", "broken");
    }
}

/// One waits, and the victim comes last.
fn last_to_come(table: &mut Table) {
    let plain: &dyn Fn(&Barrier) -> Result<usize> = &|barrier| barrier.wait();
    let acting: &dyn Fn(&Barrier) -> Result<usize> = &|barrier| barrier.wait_then(None, || Ok(()));
    for (operation, wait) in [("wait of the last to come", plain), ("wait of the last to come, with an action", acting)] {
        let row = table.run(
            &case("barrier", operation).must_see(&["not come", "broken", "released"]),
            || State::with_one_waiting(2),
            |state, mark| {
                state.join();
                mark.around(|| assert_eq!(wait(&state.barrier).unwrap(), 1));
            },
            |state, point| {
                state.begin(point);
                sweep(&state.fabric);
                let label = if state.barrier.broken() {
                    if state.answer() == PASSED { "released" } else { "broken" }
                } else {
                    assert_eq!((state.barrier.wait().unwrap(), state.answer()), (1, PASSED));
                    "not come"
                };
                state.finish(3);
                label
            },
        );
        assert_in_order(&row, "not come", "broken");
        assert_in_order(&row, "broken", "released");
    }
}

/// The victim waits, and another comes last. Whenever the victim dies, it is missed: in this round or in the next.
fn let_through(table: &mut Table) {
    table.run(
        &case("barrier", "wait of the first to come").must_see(&["not come", "broken", "released"]),
        || {
            let mut state = State::new(2);
            // After the victim, or when that is dead.
            let alive = || state.fabric.members().iter().filter(|member| member.alive).count();
            let helper = state.party(&|| state.barrier.n_waiting().unwrap() == 1 || alive() < 3);
            state.parties.push(helper);
            state
        },
        |state, mark| {
            state.join();
            state.parties[0].go();
            mark.around(|| state.barrier.wait().unwrap());
        },
        |state, point| {
            if Turn::of(point) != Turn::Use {
                sweep(&state.fabric);
            }
            // The helper comes in its own time: until then it is not known whom it meets.
            let label = loop {
                if state.barrier.n_waiting().unwrap() == 1 && sweep(&state.fabric) == 0 && state.barrier.n_waiting().unwrap() == 1 {
                    assert!(state.barrier.wait_timeout(LONG).is_ok());
                    assert_eq!(state.answer(), PASSED);
                    break "not come";
                }
                sweep(&state.fabric);
                if let Answer::Said(said) = state.parties[0].answer(Duration::from_millis(1)) {
                    sweep(&state.fabric);
                    assert!(state.barrier.broken(), "the dead one is missed");
                    break if said == PASSED { "released" } else { "broken" };
                }
            };
            state.finish(3);
            label
        },
    );
}

fn abort_and_reset(table: &mut Table) {
    for (operation, broken) in [("abort", true), ("reset", false)] {
        let row = table.run(
            &case("barrier", operation).must_see(&["before", "after"]),
            || State::with_one_waiting(2),
            |state, mark| {
                state.join();
                mark.around(|| if broken { state.barrier.abort().unwrap() } else { state.barrier.reset().unwrap() });
            },
            |state, point| {
                state.begin(point);
                sweep(&state.fabric);
                let label = if state.barrier.n_waiting().unwrap() == 1 {
                    assert_eq!((state.barrier.wait().unwrap(), state.answer()), (1, PASSED));
                    "before"
                } else {
                    assert_eq!((state.answer(), state.barrier.broken()), (BROKEN, broken));
                    "after"
                };
                state.finish(2);
                label
            },
        );
        assert_in_order(&row, "before", "after");
    }
}

/// The victim sweeps a dead party.
fn sweeping(table: &mut Table) {
    table.run(
        &sampled(Case::new("barrier", "sweep of a dead party"), 40).must_see(&["broken"]),
        State::with_a_dead_party,
        |state, mark| {
            state.join();
            mark.around(|| assert_eq!(state.fabric.sweep().unwrap(), 1));
        },
        judge_swept,
    );
}

fn judge_swept(state: State, point: &Point) -> &'static str {
    state.parties.iter().for_each(Helper::resume);
    state.begin(point);
    sweep(&state.fabric);
    assert!(state.barrier.broken());
    assert_eq!(state.answer(), BROKEN);
    state.finish(2);
    "broken"
}

fn destroying(table: &mut Table) {
    table.run(
        &case("directory", "destroy a barrier that somebody waits at").must_see(&["there", "gone"]),
        || State::with_one_waiting(2),
        |state, mark| {
            state.join();
            mark.around(|| state.barrier.destroy().unwrap());
        },
        |state, point| {
            if Turn::of(point) != Turn::Use {
                sweep(&state.fabric);
            }
            let label = match Barrier::open(&state.fabric, "barrier") {
                Ok(found) => {
                    assert_eq!((found.wait().unwrap(), state.answer()), (1, PASSED));
                    found.destroy().unwrap();
                    "there"
                }
                Err(error) => {
                    assert_eq!((error.kind(), state.answer()), (ErrorKind::NotFound, GONE));
                    "gone"
                }
            };
            assert_eq!(state.barrier.wait().unwrap_err().kind(), ErrorKind::Gone);
            sweep(&state.fabric);
            assert!(whole(&state.fabric).held_chunks <= 4, "two headers, two entries");
            label
        },
    );
}

fn making(table: &mut Table) {
    for (operation, retired) in [("create a named barrier", false), ("create a named barrier in a retired header", true)] {
        table.run(
            &case("directory", operation).must_see(&["not made", "made"]),
            || {
                let state = State::new(1);
                if retired {
                    let old = Barrier::create(&state.fabric, NAME, 1, None).unwrap();
                    old.wait().unwrap();
                    old.abort().unwrap();
                    old.destroy().unwrap();
                }
                state
            },
            |state, mark| {
                state.join();
                mark.around(|| Barrier::create(&state.fabric, NAME, 1, None).unwrap());
            },
            |state, point| {
                state.begin(point);
                let label = if Barrier::open(&state.fabric, NAME).is_ok() { "made" } else { "not made" };
                let made = Barrier::open_or_create(&state.fabric, NAME, 1, None).unwrap();
                assert_eq!((made.parties(), made.broken(), made.wait().unwrap()), (1, false, 0));
                made.destroy().unwrap();
                state.finish(4);
                label
            },
        );
    }
}

fn repairs(table: &mut Table) {
    let wait: &dyn Fn(&State, &Mark) = &|state, mark| {
        state.join();
        mark.around(|| drop(state.barrier.wait()));
    };
    let pair = Pair { name: "wait of one party after a wait of one party", setup: &|| State::new(1), first: wait, second: wait };
    pair.run(table, &["whole"], &|state, point| {
        state.begin(point);
        state.finish(3);
        "whole"
    });

    let reset: &dyn Fn(&State, &Mark) = &|state, mark| {
        state.join();
        mark.around(|| state.barrier.reset().unwrap());
    };
    let abort: &dyn Fn(&State, &Mark) = &|state, mark| {
        state.join();
        mark.around(|| state.barrier.abort().unwrap());
    };
    let pair = Pair { name: "abort after a reset", setup: &|| State::with_one_waiting(2), first: reset, second: abort };
    pair.run(table, &["told"], &|state, point| {
        state.begin(point);
        sweep(&state.fabric);
        if state.barrier.n_waiting().unwrap() == 1 {
            assert_eq!((state.barrier.wait().unwrap(), state.answer()), (1, PASSED));
            state.finish(2);
            return "neither";
        }
        assert_eq!(state.answer(), BROKEN);
        state.finish(2);
        "told"
    });
}
