//! Event rings: in the directory, whole, or not at all; an event is there, whole, or missing; a name is in the table or not, and its place is never lost.

use polyproc_ipc::{BytesQueue, ErrorKind, EventName, Events, Fabric};
use polyproc_testkit::step::{Mark, Point, Table, kill_after, points};

use crate::objects::begin;
use crate::put::with_two;
use crate::scene::{Scene, case, drain, finish, sweep};

const NAME: &str = "ring of the victim";
const CAPACITY: usize = 16;
/// A ring of that capacity has so many places for names.
const PLACES: usize = 16;

pub(crate) fn run(table: &mut Table) {
    create(table);
    destroy(table);
    record(table);
    intern(table);
    take_over(table);
}

fn with_a_ring(fabric: &Fabric) -> BytesQueue {
    let ring = Events::create(fabric, NAME, CAPACITY).unwrap();
    let name = ring.intern("before").unwrap();
    (0..3).for_each(|i| ring.record(1, name, i, 7).unwrap());
    with_two(fabric)
}

/// The ring has gone round once.
fn with_a_full_ring(fabric: &Fabric) -> BytesQueue {
    let queue = with_a_ring(fabric);
    let ring = Events::open(fabric, NAME).unwrap();
    let name = ring.intern("before").unwrap();
    (3..CAPACITY as u32 + 5).for_each(|i| ring.record(1, name, i, 7).unwrap());
    queue
}

fn with_a_retired_header(fabric: &Fabric) -> BytesQueue {
    let queue = with_a_ring(fabric);
    fabric.remove(NAME).unwrap();
    queue
}

/// Nothing is left but the queue's header and this many of rings.
fn end(scene: &Scene, rings: usize) {
    sweep(&scene.fabric);
    drain(&scene.queue);
    finish(&scene.fabric, &scene.queue, &[1 + rings]);
}

/// Fills the ring and the table to the last place, and destroys it.
fn exercise(ring: Events) {
    let names: Vec<EventName> = (0..PLACES as u32).map(|i| ring.intern(&format!("later {i}")).unwrap()).collect();
    for (who, name) in (0..).zip(&names) {
        ring.record(9, *name, who, 1).unwrap();
    }
    let history = ring.read().unwrap();
    assert_eq!((history.events.len(), history.torn), (CAPACITY, 0), "after one more round every place is whole");
    for (i, event) in history.events.iter().enumerate() {
        assert_eq!((event.kind, event.who, event.value), (9, i as u32, 1));
        let said = format!("later {i}");
        assert_eq!(event.name.as_deref(), (names[i] != EventName::OTHER).then_some(&*said));
    }
    ring.destroy().unwrap();
    assert_eq!(ring.read().unwrap_err().kind(), ErrorKind::Gone);
    assert_eq!(ring.record(9, EventName::OTHER, 0, 0).unwrap_err().kind(), ErrorKind::Gone);
}

fn create(table: &mut Table) {
    for (operation, setup) in
        [("create a named ring", &with_two as &dyn Fn(&Fabric) -> BytesQueue), ("create a named ring in a retired header", &with_a_retired_header)]
    {
        table.run(
            &case("event ring", operation).must_see(&["not made", "made"]),
            || Scene::new(setup),
            |Scene { fabric, .. }, mark| {
                fabric.member().unwrap();
                mark.around(|| Events::create(fabric, NAME, CAPACITY).unwrap());
            },
            |scene, point| {
                begin(&scene, point);
                let (ring, label) = match Events::open(&scene.fabric, NAME) {
                    Ok(ring) => (ring, "made"),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::NotFound);
                        (Events::create(&scene.fabric, NAME, CAPACITY).unwrap(), "not made")
                    }
                };
                assert_eq!((ring.capacity(), ring.read().unwrap().next), (CAPACITY, 0));
                exercise(ring);
                end(&scene, 1);
                label
            },
        );
    }
}

fn destroy(table: &mut Table) {
    table.run(
        &case("event ring", "destroy, and drop the last handle").must_see(&["there", "gone"]),
        || Scene::new(&with_a_ring),
        |Scene { fabric, .. }, mark| {
            let ring = Events::open(fabric, NAME).unwrap();
            mark.around(move || {
                ring.destroy().unwrap();
                drop(ring);
            });
        },
        |scene, point| {
            begin(&scene, point);
            let label = match Events::open(&scene.fabric, NAME) {
                Ok(ring) => {
                    assert_eq!(ring.read().unwrap().events.len(), 3);
                    exercise(ring);
                    "there"
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::NotFound);
                    "gone"
                }
            };
            end(&scene, 1);
            label
        },
    );
}

fn record(table: &mut Table) {
    for (operation, setup, old) in
        [("record", &with_a_ring as &dyn Fn(&Fabric) -> BytesQueue, 0..3_u32), ("record over an old event", &with_a_full_ring, 6..21)]
    {
        table.run(
            &case("event ring", operation).must_see(&["not recorded", "missing", "recorded"]),
            || Scene::new(setup),
            |Scene { fabric, .. }, mark| {
                let ring = Events::open(fabric, NAME).unwrap();
                let name = ring.intern("before").unwrap();
                mark.around(|| ring.record(2, name, 77, 88).unwrap());
            },
            |scene, point| {
                begin(&scene, point);
                let ring = Events::open(&scene.fabric, NAME).unwrap();
                let history = ring.read().unwrap();
                let mut found = history.events.clone();
                let last = found.pop_if(|event| event.kind == 2);
                if let Some(last) = &last {
                    assert_eq!((last.name.as_deref(), last.who, last.value), (Some("before"), 77, 88));
                    assert_eq!(last.number + 1, history.next);
                }
                let claimed = history.next > u64::from(old.end);
                let label = match (claimed, &last, history.torn) {
                    (false, None, 0) => "not recorded",
                    (true, None, 1) => "missing",
                    (true, Some(_), 0) => "recorded",
                    other => panic!("{other:?}"),
                };
                // Before its number is claimed, the oldest is still there.
                let oldest = if old.start == 6 && !claimed { 5 } else { old.start };
                assert_eq!(found.iter().map(|event| event.who).collect::<Vec<_>>(), (oldest..old.end).collect::<Vec<_>>());
                exercise(ring);
                end(&scene, 1);
                label
            },
        );
    }
}

/// What the victim's name is in the survivors' eyes; then every place of the table can be filled.
fn judge_names(scene: Scene, point: &Point) -> &'static str {
    begin(&scene, point);
    sweep(&scene.fabric);
    let ring = Events::open(&scene.fabric, NAME).unwrap();
    // "before" is the first; the next name takes the place that the victim did not fill.
    let other = ring.intern("another").unwrap().number();
    let label = match other {
        2 => "not there",
        3 => "there",
        other => panic!("place {other}"),
    };
    assert_eq!(ring.intern("new").unwrap().number(), if label == "there" { 2 } else { 3 });
    let rest: Vec<u16> = (0..PLACES).map(|i| ring.intern(&format!("name {i}")).unwrap().number()).collect();
    assert_eq!(rest.iter().filter(|number| **number != 0).count(), PLACES - 3, "no place is lost: {rest:?}");
    ring.destroy().unwrap();
    drop(ring);
    end(&scene, 1);
    label
}

fn intern(table: &mut Table) {
    table.run(
        &case("event ring", "add a name").must_see(&["not there", "there"]),
        || Scene::new(&with_a_ring),
        |Scene { fabric, .. }, mark| {
            let ring = Events::open(fabric, NAME).unwrap();
            mark.around(|| assert_eq!(ring.intern("new").unwrap().number(), 2));
        },
        judge_names,
    );
}

/// Adds a name in the place of one who was killed while it filled that.
fn take_over(table: &mut Table) {
    let add = |fabric: &Fabric, mark: &Mark| {
        let ring = Events::open(fabric, NAME).unwrap();
        mark.around(|| assert_eq!(ring.intern("new").unwrap().number(), 2));
    };
    // The last point at which the name is not there yet: the place is claimed by then.
    let mut before = None;
    table.run(
        &case("event ring", "add a name in a dead one's place").must_see(&["not there", "there"]),
        || {
            let before = *before.get_or_insert_with(|| {
                let is_there = |steps| {
                    let scene = Scene::new(&with_a_ring);
                    kill_after(steps, |mark| add(&scene.fabric, mark));
                    sweep(&scene.fabric);
                    Events::open(&scene.fabric, NAME).unwrap().intern("another").unwrap().number() == 3
                };
                let scene = Scene::new(&with_a_ring);
                let points = points(2_000_000, |mark| add(&scene.fabric, mark));
                points[points.partition_point(|&steps| !is_there(steps)) - 1]
            });
            let scene = Scene::new(&with_a_ring);
            kill_after(before, |mark| add(&scene.fabric, mark));
            scene
        },
        |Scene { fabric, .. }, mark| add(fabric, mark),
        judge_names,
    );
}
