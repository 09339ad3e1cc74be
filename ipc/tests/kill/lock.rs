//! The user's lock: whoever dies holding it, the next is told; whoever dies not holding it, nobody notices.

use polyproc_ipc::{Acquired, Fabric, Lock, LockError};
use polyproc_testkit::helper::{Answer, Helper};
use polyproc_testkit::step::{Point, Table};

use crate::scene::{LONG, Turn, assert_in_order, case, fabric, one_dead, sweep, whole};

struct Locked {
    fabric: Fabric,
    lock: Lock,
}

impl Locked {
    fn new() -> Locked {
        let fabric = fabric();
        let lock = Lock::new(&fabric).expect("a lock");
        Locked { fabric, lock }
    }

    fn left_by_the_dead() -> Locked {
        let state = Locked::new();
        one_dead(&state.fabric, || assert_eq!(state.lock.acquire(None).unwrap(), Acquired::Clean));
        state
    }

    fn join(&self) {
        self.fabric.member().expect("the victim joins");
    }

    /// Acquires as a survivor does; then nothing is left of anybody.
    fn verdict(self, point: &Point) -> &'static str {
        if Turn::of(point) != Turn::Use {
            sweep(&self.fabric);
        }
        let label = match self.lock.lock_timeout(LONG) {
            Ok(_guard) => "free",
            Err(LockError::OwnerDied(_guard)) => "owner died",
            Err(LockError::Failed(error)) => panic!("a survivor cannot have the lock: {error:?}"),
        };
        assert_eq!(self.lock.acquire(Some(LONG)).unwrap(), Acquired::Clean, "a death is told once");
        self.lock.release().unwrap();
        sweep(&self.fabric);
        self.lock.destroy().unwrap();
        let report = whole(&self.fabric);
        assert_eq!((report.held_chunks, report.private_chunks, report.objects), (1, 0, 0));
        label
    }
}

pub(crate) fn run(table: &mut Table) {
    let row = table.run(
        &case("lock", "acquire").must_see(&["free", "owner died"]),
        Locked::new,
        |state, mark| {
            state.join();
            mark.around(|| state.lock.acquire(None).unwrap());
        },
        Locked::verdict,
    );
    assert_in_order(&row, "free", "owner died");

    let row = table.run(
        &case("lock", "release (guard dropped)").must_see(&["free", "owner died"]),
        Locked::new,
        |state, mark| {
            state.join();
            let guard = state.lock.lock().unwrap();
            mark.around(|| drop(guard));
        },
        Locked::verdict,
    );
    assert_in_order(&row, "owner died", "free");

    table.run(
        &case("lock", "lock and unlock").must_see(&["free", "owner died"]),
        Locked::new,
        |state, mark| {
            state.join();
            mark.around(|| drop(state.lock.lock().unwrap()));
        },
        Locked::verdict,
    );

    table.run(
        &case("lock", "acquire from the dead").must_see(&["owner died"]),
        Locked::left_by_the_dead,
        |state, mark| {
            state.join();
            mark.around(|| assert_eq!(state.lock.acquire(None).unwrap(), Acquired::OwnerDied));
        },
        Locked::verdict,
    );

    table.run(
        &case("lock", "acquire from the dead and swept, release").must_see(&["owner died", "free"]),
        || {
            let state = Locked::left_by_the_dead();
            sweep(&state.fabric);
            state
        },
        |state, mark| {
            state.join();
            mark.around(|| drop(state.lock.lock().map_err(LockError::into_guard)));
        },
        Locked::verdict,
    );

    waiter(table);
}

/// Somebody sleeps for the lock while its holder is killed in the release.
fn waiter(table: &mut Table) {
    table.run(
        &case("lock", "release with a waiter").must_see(&["free", "owner died"]),
        || {
            let state = Locked::new();
            let helper = Helper::fork(|line| {
                state.fabric.member().unwrap();
                line.say(0);
                line.await_go();
                let acquired = state.lock.acquire(None).unwrap();
                state.lock.release().unwrap();
                line.say(if acquired == Acquired::Clean { 1 } else { 2 });
                line.await_go(); // lives on: what is judged is the victim's death
                0
            });
            assert_eq!(helper.answer(LONG), Answer::Said(0));
            (helper, state) // the helper goes first
        },
        |(helper, state), mark| {
            state.join();
            let guard = state.lock.lock().unwrap();
            helper.go();
            helper.until_asleep(LONG);
            mark.around(|| drop(guard));
        },
        |(helper, state), point| {
            if Turn::of(point) == Turn::Sweep {
                sweep(&state.fabric);
            }
            let told = helper.answer(LONG);
            assert!(matches!(told, Answer::Said(1 | 2)), "the waiter must get on: {told:?}");
            helper.kill();
            assert_eq!(state.verdict(point), "free", "the waiter was told already");
            if told == Answer::Said(1) { "free" } else { "owner died" }
        },
    );
}
