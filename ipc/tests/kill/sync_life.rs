//! More of the things that processes wait for: waiters who must go on, making and destroying by name, and two deaths, the second in the repair of what the first left.

use polyproc_ipc::{ErrorKind, Event, Fabric, RLock, RwLock, Semaphore};
use polyproc_testkit::helper::{Answer, Helper, Line};
use polyproc_testkit::step::{Mark, Point, Table};

use crate::repair::Pair;
use crate::scene::{LONG, Turn, case, sweep, whole};
use crate::sync::{All, PERMITS, all_permits, read_or_write};

const NAME: &str = "made by the victim";

pub(crate) fn run(table: &mut Table) {
    waiters(table);
    made_and_destroyed(table);
    twice(table);
}

/// Somebody sleeps while the one is killed that lets it go on.
fn waiters(table: &mut Table) {
    let mut with_waiter = |operation: &str, before: &dyn Fn(&All), wait: &dyn Fn(&All), act: &dyn Fn(&All), after: &dyn Fn(&All)| {
        table.run(
            &case("waiter", operation).must_see(&["went on"]),
            || {
                let all = All::new();
                let helper = Helper::fork(|line: &Line| {
                    all.fabric.member().unwrap();
                    line.say(0);
                    line.await_go();
                    wait(&all);
                    line.say(1);
                    line.await_go(); // lives on: what is judged is the victim's death
                    0
                });
                assert_eq!(helper.answer(LONG), Answer::Said(0));
                (helper, all) // the helper goes first
            },
            |(helper, all), mark| {
                all.fabric.member().unwrap();
                before(all);
                helper.go();
                helper.until_asleep(LONG);
                mark.around(|| act(all));
            },
            |(helper, all), point| {
                if Turn::of(point) == Turn::Sweep {
                    sweep(&all.fabric);
                }
                after(&all);
                assert_eq!(helper.answer(LONG), Answer::Said(1), "the waiter must get on");
                helper.kill();
                all.event.clear().unwrap();
                all.finish();
                "went on"
            },
        );
    };
    let none = |_: &All| ();
    with_waiter(
        "release of a permit",
        &|all| all.semaphore.acquire_many(PERMITS, None).unwrap(),
        &|all| drop(all.semaphore.permit().unwrap()),
        &|all| all.semaphore.release(1).unwrap(),
        &none,
    );
    with_waiter(
        "release of permits, of which many are waited for",
        &|all| all.semaphore.acquire_many(PERMITS, None).unwrap(),
        &|all| drop(all.semaphore.permits(2, None).unwrap()),
        &|all| all.semaphore.release(2).unwrap(),
        &none,
    );
    with_waiter(
        "release of a write, with a reader",
        &|all| all.write(),
        &|all| {
            all.read();
            all.rwlock.release_read().unwrap();
            all.write();
            all.rwlock.release_write().unwrap();
        },
        &|all| all.rwlock.release_write().unwrap(),
        &none,
    );
    with_waiter(
        "release of a read, with a writer",
        &|all| all.read(),
        &|all| drop(all.rwlock.write().unwrap()),
        &|all| all.rwlock.release_read().unwrap(),
        &none,
    );
    with_waiter(
        "release of a recursive lock",
        &|all| all.lock(),
        &|all| {
            all.lock();
            all.rlock.release().unwrap();
        },
        &|all| all.rlock.release().unwrap(),
        &none,
    );
    with_waiter("set", &none, &|all| assert!(all.event.wait(None).unwrap()), &|all| all.event.set().unwrap(), &|all| {
        if !all.event.is_set() {
            all.event.set().unwrap();
        }
    });
}

/// One of each kind by name: made whole or not at all, destroyed whole or not at all.
fn made_and_destroyed(table: &mut Table) {
    type Make = fn(&Fabric) -> polyproc_ipc::Result<()>;
    let kinds: [(&str, Make, Make); 4] = [
        ("rlock", |fabric| RLock::create(fabric, NAME).map(drop), |fabric| RLock::open(fabric, NAME).map(|lock| drop(lock.try_lock().unwrap()))),
        (
            "semaphore",
            |fabric| Semaphore::create(fabric, NAME, 2).map(drop),
            |fabric| {
                Semaphore::open(fabric, NAME).map(|made| {
                    drop(made.permits(2, Some(LONG)).unwrap());
                    assert_eq!(made.value().unwrap(), 2);
                })
            },
        ),
        (
            "rwlock",
            |fabric| RwLock::create(fabric, NAME).map(drop),
            |fabric| {
                RwLock::open(fabric, NAME).map(|lock| {
                    drop(lock.read().unwrap());
                    drop(lock.write().unwrap());
                })
            },
        ),
        ("event", |fabric| Event::create(fabric, NAME).map(drop), |fabric| Event::open(fabric, NAME).map(|event| assert!(!event.is_set()))),
    ];
    for (word, create, try_out) in kinds {
        for used_before in [false, true] {
            let setup = || {
                let all = All::new();
                if used_before {
                    create(&all.fabric).unwrap();
                    all.fabric.remove(NAME).unwrap();
                }
                all
            };
            let place = if used_before { "a retired header" } else { "a new chunk" };
            table.run(
                &case("directory", &format!("create a {word} in {place}")).must_see(&["not made", "made"]),
                setup,
                |all, mark| {
                    all.fabric.member().unwrap();
                    mark.around(|| create(&all.fabric).unwrap());
                },
                |all, point| judge_named(&all, point, create, try_out, ["not made", "made"]),
            );
        }
        table.run(
            &case("directory", &format!("destroy a {word}")).must_see(&["there", "gone"]),
            || {
                let all = All::new();
                create(&all.fabric).unwrap();
                all
            },
            |all, mark| {
                all.fabric.member().unwrap();
                mark.around(|| all.fabric.remove(NAME).unwrap());
            },
            |all, point| judge_named(&all, point, create, try_out, ["gone", "there"]),
        );
    }
}

fn judge_named(
    all: &All,
    point: &Point,
    create: fn(&Fabric) -> polyproc_ipc::Result<()>,
    try_out: fn(&Fabric) -> polyproc_ipc::Result<()>,
    labels: [&'static str; 2],
) -> &'static str {
    if Turn::of(point) == Turn::Sweep {
        sweep(&all.fabric);
    }
    let there = match try_out(&all.fabric) {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            create(&all.fabric).unwrap();
            try_out(&all.fabric).unwrap();
            false
        }
    };
    all.fabric.remove(NAME).unwrap();
    sweep(&all.fabric);
    let report = whole(&all.fabric);
    assert_eq!((report.objects, report.held_chunks, report.private_chunks), (4, 5, 0));
    labels[usize::from(there)]
}

/// The operation of a victim that joins first.
fn joined(act: &'static dyn Fn(&All)) -> impl Fn(&All, &Mark) {
    move |all, mark| {
        all.fabric.member().unwrap();
        mark.around(|| act(all));
    }
}

/// Two deaths: the second in the repair of what the first left.
fn twice(table: &mut Table) {
    let release = joined(&|all| all.semaphore.release(4).unwrap());
    let look = joined(&|all| assert!(all.semaphore.value().unwrap() < 6));
    let clean = joined(&|all| assert!(all.fabric.sweep().unwrap() < 2));
    for (name, second) in
        [("look after a release of 4", &look as &dyn Fn(&All, &Mark)), ("sweep after a release of 4", &clean), ("release of 4 after another", &release)]
    {
        let pair = Pair { name, setup: &All::with_two_permits, first: &release, second };
        pair.run(table, &[], &|all: All, _| {
            sweep(&all.fabric);
            let label = match (all.semaphore.value().unwrap(), all.semaphore.held().unwrap()) {
                (1, 2) => "neither",
                (5, 0) => "one",
                (9, 0) => "both",
                other => panic!("free and held: {other:?}"),
            };
            whole(&all.fabric);
            label
        });
    }
    let acquire = joined(&|all| all.semaphore.acquire_many(PERMITS, Some(LONG)).unwrap());
    let pair = Pair { name: "acquire after an acquire", setup: &All::new, first: &acquire, second: &acquire };
    pair.run(table, &[], &|all: All, point| {
        if Turn::of(point) == Turn::Sweep {
            sweep(&all.fabric);
        }
        let label = all_permits(&all, point);
        all.finish();
        label
    });
    let write = joined(&|all| all.write());
    let read = joined(&|all| all.read());
    for (name, first, second) in [("write after a write", &write, &write), ("read after a write", &write, &read), ("write after a read", &read, &write)] {
        let pair = Pair { name, setup: &All::new, first, second };
        pair.run(table, &[], &|all: All, point| {
            if Turn::of(point) == Turn::Sweep {
                sweep(&all.fabric);
            }
            let label = read_or_write(&all, point);
            all.finish();
            label
        });
    }
}
