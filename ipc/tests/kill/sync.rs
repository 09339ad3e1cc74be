//! Recursive locks, semaphores, reader-writer locks and events: what the dead held comes back exactly, who gets in after a dead writer is told, and whoever waits goes on.

use polyproc_ipc::{Acquired, Event, Fabric, LockError, RLock, RwLock, Semaphore};
use polyproc_testkit::step::{Case, Mark, Point, Row, Table};

use crate::scene::{LONG, Turn, assert_in_order, case, fabric, one_dead, sweep, whole};

/// Permits of the semaphore.
pub(crate) const PERMITS: u32 = 3;

/// A fabric with one of each.
pub(crate) struct All {
    pub(crate) fabric: Fabric,
    pub(crate) rlock: RLock,
    pub(crate) semaphore: Semaphore,
    pub(crate) rwlock: RwLock,
    pub(crate) event: Event,
}

impl All {
    pub(crate) fn new() -> All {
        let fabric = fabric();
        let (rlock, semaphore) = (RLock::new(&fabric).unwrap(), Semaphore::new(&fabric, PERMITS).unwrap());
        let (rwlock, event) = (RwLock::new(&fabric).unwrap(), Event::new(&fabric).unwrap());
        All { fabric, rlock, semaphore, rwlock, event }
    }

    pub(crate) fn lock(&self) {
        let _ = self.rlock.acquire(None).unwrap();
    }

    pub(crate) fn read(&self) {
        let _ = self.rwlock.acquire_read(None).unwrap();
    }

    pub(crate) fn write(&self) {
        let _ = self.rwlock.acquire_write(None).unwrap();
    }

    pub(crate) fn with_two_permits() -> All {
        let all = All::new();
        all.semaphore.acquire_many(2, None).unwrap();
        all
    }

    /// With somebody dead who did `what`.
    fn after(what: impl FnOnce(&All)) -> All {
        let all = All::new();
        one_dead(&all.fabric, || what(&all));
        all
    }

    /// Nothing is held, everything works, and nothing is left of it in the end.
    pub(crate) fn finish(self) {
        let All { fabric, rlock, semaphore, rwlock, event } = self;
        sweep(&fabric);
        assert_eq!((semaphore.value().unwrap(), semaphore.held().unwrap(), rwlock.readers()), (PERMITS, 0, 0));
        assert!(!rlock.locked() && rwlock.writer().is_none());
        assert_eq!(rlock.acquire(Some(LONG)).unwrap(), Acquired::Clean, "a death is told once");
        assert_eq!((rlock.acquire(None).unwrap(), rlock.depth()), (Acquired::Clean, 2));
        rlock.release().unwrap();
        rlock.release().unwrap();
        drop(semaphore.permits(PERMITS, Some(LONG)).unwrap());
        assert_eq!(rwlock.acquire_write(Some(LONG)).unwrap(), Acquired::Clean, "a writer's death is told to one writer");
        rwlock.release_write().unwrap();
        drop((rwlock.try_read().unwrap(), rwlock.try_read().unwrap()));
        event.set().unwrap();
        assert!(event.wait(None).unwrap());
        event.clear().unwrap();
        assert!(!event.is_set());
        // A stage that forked a helper keeps its objects when the handles go.
        rlock.destroy().unwrap();
        semaphore.destroy().unwrap();
        rwlock.destroy().unwrap();
        event.destroy().unwrap();
        let report = whole(&fabric);
        assert_eq!((report.held_chunks, report.private_chunks, report.objects, report.members), (4, 0, 0, 1));
    }
}

type Act<'a> = &'a dyn Fn(&All, &Mark);

/// One row; `judge` looks at what is left, and leaves nothing held by the living.
fn row(table: &mut Table, case: Case, setup: &dyn Fn() -> All, act: Act<'_>, judge: &dyn Fn(&All, &Point) -> &'static str) -> Row {
    table.run(
        &case,
        setup,
        |all, mark| {
            all.fabric.member().expect("the victim joins");
            act(all, mark);
        },
        |all, point| {
            if Turn::of(point) == Turn::Sweep {
                sweep(&all.fabric);
            }
            let label = judge(&all, point);
            all.finish();
            label
        },
    )
}

pub(crate) fn run(table: &mut Table) {
    rlocks(table);
    semaphores(table);
    anonymous(table);
    rwlocks(table);
    events(table);
}

fn rlocks(table: &mut Table) {
    let judge = |all: &All, _: &Point| match all.rlock.lock_timeout(LONG) {
        Ok(_guard) => "free",
        Err(LockError::OwnerDied(_guard)) => {
            assert_eq!(all.rlock.depth(), 1, "how deep the dead one was is forgotten");
            "owner died"
        }
        Err(LockError::Failed(error)) => panic!("a survivor cannot have the lock: {error:?}"),
    };
    let both = ["free", "owner died"];
    let acquire: Act<'_> = &|all, mark| mark.around(|| all.lock());
    let found = row(table, case("rlock", "acquire").must_see(&both), &All::new, acquire, &judge);
    assert_in_order(&found, "free", "owner died");
    let release: Act<'_> = &|all, mark| {
        all.lock();
        mark.around(|| all.rlock.release().unwrap());
    };
    let found = row(table, case("rlock", "release").must_see(&both), &All::new, release, &judge);
    assert_in_order(&found, "owner died", "free");
    let again: Act<'_> = &|all, mark| {
        let outer = all.rlock.lock().unwrap();
        mark.around(|| drop(all.rlock.lock().unwrap()));
        drop(outer);
    };
    row(table, case("rlock", "lock once more and unlock").must_see(&["owner died"]), &All::new, again, &judge);
    let from_the_dead: Act<'_> = &|all, mark| assert_eq!(mark.around(|| all.rlock.acquire(None).unwrap()), Acquired::OwnerDied);
    let setup = || All::after(|all| (0..3).for_each(|_| assert_eq!(all.rlock.acquire(None).unwrap(), Acquired::Clean)));
    row(table, case("rlock", "acquire from the dead").must_see(&["owner died"]), &setup, from_the_dead, &judge);
}

/// Whatever the dead have is free for who waits, and for who sweeps.
pub(crate) fn all_permits(all: &All, point: &Point) -> &'static str {
    let label = match (Turn::of(point), all.semaphore.value().unwrap()) {
        (Turn::Sweep, value) => {
            assert_eq!(value, PERMITS, "after the sweep");
            "free"
        }
        (_, PERMITS) => "free",
        (_, value) => {
            assert!(value == 0 || value == PERMITS - 1, "{value} permits are free");
            "held"
        }
    };
    drop(all.semaphore.permits(PERMITS, Some(LONG)).unwrap());
    label
}

fn semaphores(table: &mut Table) {
    let both = ["free", "held"];
    for (name, count) in [("1", 1), ("3", PERMITS)] {
        let acquire: Act<'_> = &|all, mark| mark.around(|| all.semaphore.acquire_many(count, None).unwrap());
        row(table, case("semaphore", &format!("acquire {name}")).must_see(&both), &All::new, acquire, &all_permits);
        let release: Act<'_> = &|all, mark| {
            all.semaphore.acquire_many(count, None).unwrap();
            mark.around(|| all.semaphore.release(count).unwrap());
        };
        row(table, case("semaphore", &format!("release {name}")).must_see(&both), &All::new, release, &all_permits);
    }
    let permit: Act<'_> = &|all, mark| {
        let permit = all.semaphore.permit().unwrap();
        mark.around(|| drop(permit));
    };
    row(table, case("semaphore", "permit dropped").must_see(&both), &All::new, permit, &all_permits);
    let held = || All::after(|all| all.semaphore.acquire_many(PERMITS, None).unwrap());
    let from_the_dead: Act<'_> = &|all, mark| mark.around(|| all.semaphore.acquire(None).unwrap());
    row(table, case("semaphore", "acquire from the dead").must_see(&both), &held, from_the_dead, &all_permits);
    let outlive: Act<'_> = &|all, mark| assert_eq!(mark.around(|| all.fabric.sweep().unwrap()), 1);
    row(table, case("semaphore", "outlive a holder").must_see(&both), &held, outlive, &all_permits);
}

/// The stage holds two permits; the victim, which holds `own`, releases four: its own, then the stage's; the rest is added.
fn anonymous(table: &mut Table) {
    for own in [0, 1] {
        table.run(
            &case("semaphore", &format!("release of 4 by one that holds {own}")).must_see(&["before", "after"]),
            All::with_two_permits,
            |all, mark| {
                all.fabric.member().unwrap();
                (0..own).for_each(|_| all.semaphore.acquire(None).unwrap());
                mark.around(|| all.semaphore.release(4).unwrap());
            },
            |all, point| {
                let mut taken = 0;
                if Turn::of(point) == Turn::Use {
                    all.semaphore.try_acquire().unwrap(); // there is always one, if only from the dead
                    taken = 1;
                }
                sweep(&all.fabric);
                let state = (all.semaphore.value().unwrap() + taken, all.semaphore.held().unwrap());
                whole(&all.fabric);
                match state {
                    (1, held) if held == 2 + taken => "before",
                    (free, held) if (free, held) == (5 - own, taken) => "after",
                    other => panic!("free and held: {other:?}"),
                }
            },
        );
    }
}

pub(crate) fn read_or_write(all: &All, _: &Point) -> &'static str {
    let label = match all.rwlock.read_timeout(LONG) {
        Ok(_guard) => "free",
        Err(LockError::OwnerDied(_guard)) => "owner died",
        Err(LockError::Failed(error)) => panic!("a survivor cannot read: {error:?}"),
    };
    // Told again, until somebody wrote.
    let told = all.rwlock.acquire_write(Some(LONG)).unwrap();
    assert_eq!(told == Acquired::OwnerDied, label == "owner died");
    all.rwlock.release_write().unwrap();
    label
}

fn rwlocks(table: &mut Table) {
    let readers = |all: &All, point: &Point| {
        let label = if Turn::of(point) == Turn::Sweep || all.rwlock.readers() == 0 { "free" } else { "read" };
        assert_eq!(all.rwlock.acquire_write(Some(LONG)).unwrap(), Acquired::Clean);
        all.rwlock.release_write().unwrap();
        label
    };
    let read: Act<'_> = &|all, mark| mark.around(|| all.read());
    row(table, case("rwlock", "read").must_see(&["free", "read"]), &All::new, read, &readers);
    let unread: Act<'_> = &|all, mark| {
        let guard = all.rwlock.read().unwrap();
        mark.around(|| drop(guard));
    };
    row(table, case("rwlock", "release of a read").must_see(&["free", "read"]), &All::new, unread, &readers);

    let both = ["free", "owner died"];
    let write: Act<'_> = &|all, mark| mark.around(|| all.write());
    let found = row(table, case("rwlock", "write").must_see(&both), &All::new, write, &read_or_write);
    assert_in_order(&found, "free", "owner died");
    let unwrite: Act<'_> = &|all, mark| {
        let guard = all.rwlock.write().unwrap();
        mark.around(|| drop(guard));
    };
    let found = row(table, case("rwlock", "release of a write").must_see(&both), &All::new, unwrite, &read_or_write);
    assert_in_order(&found, "owner died", "free");

    let written = || All::after(All::write);
    let told = ["owner died"];
    row(table, case("rwlock", "read after a dead writer").must_see(&told), &written, read, &read_or_write);
    row(table, case("rwlock", "write after a dead writer").must_see(&told), &written, write, &read_or_write);
    let outlive: Act<'_> = &|all, mark| assert_eq!(mark.around(|| all.fabric.sweep().unwrap()), 1);
    row(table, case("rwlock", "outlive a writer").must_see(&told), &written, outlive, &read_or_write);
    let was_read = || All::after(|all| (0..2).for_each(|_| all.read()));
    let never = |all: &All, point: &Point| {
        read_or_write(all, point);
        "got on"
    };
    row(table, case("rwlock", "write after a dead reader").must_see(&["got on"]), &was_read, write, &never);
    row(table, case("rwlock", "outlive a reader").must_see(&["got on"]), &was_read, outlive, &never);
    // One that waits to write in vain, and is killed so: nobody minds.
    let in_vain: Act<'_> = &|all, mark| {
        all.read();
        assert!(mark.around(|| all.rwlock.acquire_write(Some(std::time::Duration::ZERO))).is_err());
    };
    row(table, case("rwlock", "write in vain").must_see(&["got on"]), &All::new, in_vain, &|all, _| {
        drop(all.rwlock.read_timeout(LONG).unwrap());
        drop(all.rwlock.write_timeout(LONG).unwrap());
        "got on"
    });
}

fn events(table: &mut Table) {
    let judge = |all: &All, _: &Point| {
        let label = if all.event.is_set() { "set" } else { "clear" };
        assert_eq!(all.event.wait(Some(std::time::Duration::ZERO)).unwrap(), label == "set");
        all.event.set().unwrap();
        assert!(all.event.wait(None).unwrap());
        label
    };
    let both = ["set", "clear"];
    let set: Act<'_> = &|all, mark| mark.around(|| all.event.set().unwrap());
    let found = row(table, case("event", "set").must_see(&both), &All::new, set, &judge);
    assert_in_order(&found, "clear", "set");
    let clear: Act<'_> = &|all, mark| mark.around(|| all.event.clear().unwrap());
    let is_set = || {
        let all = All::new();
        all.event.set().unwrap();
        all
    };
    let found = row(table, case("event", "clear").must_see(&both), &is_set, clear, &judge);
    assert_in_order(&found, "set", "clear");
    let wait: Act<'_> = &|all, mark| assert!(!mark.around(|| all.event.wait(Some(std::time::Duration::from_micros(100))).unwrap()));
    row(table, case("event", "wait in vain").must_see(&["clear"]), &All::new, wait, &judge);
}
