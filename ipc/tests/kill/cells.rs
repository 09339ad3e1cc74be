//! Values and arrays: in the directory, whole, or not at all; their chunk with the last user, whoever that was; a cell of one store is the old or the new one, and of larger changes the next
//! one is told. And one cell of a list in a named block.

use polyproc_ipc::{Array, BytesQueue, ErrorKind, Fabric, LockError, ShareableItem, ShareableList, Value};
use polyproc_testkit::helper::{Answer, Helper};
use polyproc_testkit::step::{Point, Table};

use crate::objects::begin;
use crate::put::with_two;
use crate::scene::{LONG, Scene, case, drain, finish, sampled, sweep, whole};

const NAME: &str = "cells of the victim";
/// In a chunk of a slab, and in an extent.
const FEW: usize = 24;
const MANY: usize = 9000;

pub(crate) fn run(table: &mut Table) {
    create(table);
    destroy(table);
    in_use(table);
    leave(table);
    change(table);
    list(table);
}

fn contents(len: usize) -> Vec<u64> {
    (0..len as u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1).collect()
}

fn with_an_array(fabric: &Fabric) -> BytesQueue {
    Array::create(fabric, NAME, &contents(FEW)).unwrap();
    with_two(fabric)
}

fn with_a_retired_header(fabric: &Fabric) -> BytesQueue {
    let queue = with_an_array(fabric);
    fabric.remove(NAME).unwrap();
    queue
}

/// Nothing is left but the queue's header and this many of arrays, once nobody uses one.
fn end(scene: &Scene, arrays: usize) {
    sweep(&scene.fabric);
    drain(&scene.queue);
    finish(&scene.fabric, &scene.queue, &[1 + arrays]);
}

/// Uses an array and destroys it.
fn exercise(array: Array<u64>) {
    array.update(0, |cell| *cell = 5).unwrap();
    array.fetch_add(0, 1).unwrap();
    assert_eq!(array.get(0).unwrap(), 6);
    array.destroy().unwrap();
    assert_eq!(array.load(0).unwrap_err().kind(), ErrorKind::Gone);
}

fn create(table: &mut Table) {
    for (operation, len, setup) in [
        ("create a named array", FEW, &with_two as &dyn Fn(&Fabric) -> BytesQueue),
        ("create a named array in a retired header", FEW, &with_a_retired_header),
        ("create a named array in an extent", MANY, &with_two),
    ] {
        let expected = contents(len);
        table.run(
            &case("array", operation).must_see(&["not made", "made"]),
            || Scene::new(setup),
            |Scene { fabric, .. }, mark| {
                fabric.member().unwrap();
                mark.around(|| Array::create(fabric, NAME, &expected).unwrap());
            },
            |scene, point| {
                begin(&scene, point);
                let (array, label) = match Array::open(&scene.fabric, NAME) {
                    Ok(array) => {
                        assert_eq!(array.to_vec().unwrap(), expected);
                        (array, "made")
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::NotFound);
                        (Array::create(&scene.fabric, NAME, &expected).unwrap(), "not made")
                    }
                };
                exercise(array);
                end(&scene, 1);
                label
            },
        );
    }
    table.run(
        &case("array", "create an unnamed value").must_see(&["not made", "made"]),
        || Scene::new(&with_two),
        |Scene { fabric, .. }, mark| {
            fabric.member().unwrap();
            mark.around(|| std::mem::forget(Value::new(fabric, 7_u32).unwrap()));
        },
        |scene, point| {
            let label = ["not made", "made"][scene.fabric.objects().unwrap().len() - 1];
            begin(&scene, point);
            sweep(&scene.fabric);
            assert_eq!(scene.fabric.objects().unwrap().len(), 1, "what the victim made goes with it");
            let value = Value::new(&scene.fabric, 8_u32).unwrap();
            assert_eq!(value.get().unwrap(), 8);
            drop(value);
            end(&scene, 1);
            label
        },
    );
}

/// What the directory says of the array; if it is there, it is whole, and goes now.
fn there(scene: &Scene) -> &'static str {
    match Array::open(&scene.fabric, NAME) {
        Ok(array) => {
            assert_eq!(array.to_vec().unwrap(), contents(FEW));
            exercise(array);
            "there"
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            "gone"
        }
    }
}

fn judge(scene: Scene, point: &Point) -> &'static str {
    begin(&scene, point);
    let label = there(&scene);
    end(&scene, 1);
    label
}

fn destroy(table: &mut Table) {
    table.run(
        &case("array", "destroy, and drop the last handle").must_see(&["there", "gone"]),
        || Scene::new(&with_an_array),
        |Scene { fabric, .. }, mark| {
            let array = Array::<u64>::open(fabric, NAME).unwrap();
            mark.around(move || {
                array.destroy().unwrap();
                drop(array);
            });
        },
        judge,
    );
    table.run(
        &case("array", "destroy by name what nobody uses").must_see(&["there", "gone"]),
        || Scene::new(&with_an_array),
        |Scene { fabric, .. }, mark| {
            fabric.member().unwrap();
            mark.around(|| fabric.remove(NAME).unwrap());
        },
        judge,
    );
    table.run(
        &case("array", "last handle of an unnamed value dropped").must_see(&["there", "gone"]),
        || Scene::new(&with_two),
        |Scene { fabric, .. }, mark| {
            let value = Value::new(fabric, 7_u64).unwrap();
            mark.around(move || drop(value));
        },
        |scene, point| {
            let label = ["gone", "there"][scene.fabric.objects().unwrap().len() - 1];
            begin(&scene, point);
            end(&scene, 1);
            label
        },
    );
}

/// Somebody alive has the array in view while it is destroyed, and sees its cells and nobody else's until it lets go.
fn in_use(table: &mut Table) {
    table.run(
        &case("array", "destroy under a view of the living").must_see(&["there", "gone"]),
        || {
            let scene = Scene::new(&with_an_array);
            let helper = Helper::fork(|line| {
                let array = Array::<u64>::open(&scene.fabric, NAME).unwrap();
                let start = array.as_ptr().unwrap() as usize;
                line.say(1);
                line.await_go();
                let gone = array.to_vec().is_err();
                assert_eq!(array.as_ptr().map(|at| at as usize).ok(), (!gone).then_some(start));
                drop(array);
                line.say(2);
                line.await_go(); // lives on with nothing in hand
                0
            });
            assert_eq!(helper.answer(LONG), Answer::Said(1));
            (helper, scene)
        },
        |(_, scene), mark| {
            scene.fabric.member().unwrap();
            mark.around(|| scene.fabric.remove(NAME).unwrap());
        },
        |(helper, scene), point| {
            begin(&scene, point);
            let label = there(&scene);
            sweep(&scene.fabric);
            let before = whole(&scene.fabric).held_chunks;
            // Destroyed by now, and held for the helper. What is new goes elsewhere, in another header.
            let new = Array::create(&scene.fabric, NAME, &contents(FEW)).unwrap();
            assert_eq!(whole(&scene.fabric).held_chunks, before + 2);
            helper.go();
            assert_eq!(helper.answer(LONG), Answer::Said(2));
            assert_eq!(whole(&scene.fabric).held_chunks, before + 1, "the chunk goes with its last user");
            exercise(new);
            helper.kill();
            end(&scene, 2);
            label
        },
    );
}

fn leave(table: &mut Table) {
    table.run(
        &case("array", "open and close").must_see(&["there"]),
        || Scene::new(&with_an_array),
        |Scene { fabric, .. }, mark| {
            fabric.member().unwrap();
            mark.around(|| drop(Array::<u64>::open(fabric, NAME).unwrap()));
        },
        judge,
    );
    table.run(
        &case("array", "last user of a destroyed array").must_see(&["gone"]),
        || Scene::new(&with_an_array),
        |Scene { fabric, .. }, mark| {
            let array = Array::<u64>::open(fabric, NAME).unwrap();
            fabric.remove(NAME).unwrap();
            mark.around(move || drop(array));
        },
        judge,
    );
}

/// Changes a value in a child that has not used it before: the child's pin is part of it.
fn change(table: &mut Table) {
    type Act<'a> = &'a dyn Fn(&Value<u64>);
    let operations: [(&str, Act<'_>); 4] = [
        ("set under the lock", &|value| value.set(8).unwrap()),
        ("update under the lock", &|value| value.update(|value| *value += 1).unwrap()),
        ("fetch_add", &|value| assert_eq!(value.fetch_add(1).unwrap(), 7)),
        ("compare_exchange", &|value| assert_eq!(value.compare_exchange(7, 8).unwrap(), Ok(7))),
    ];
    for (operation, act) in operations {
        table.run(
            &case("value", operation).must_see(&["before", "after"]),
            || {
                let scene = Scene::new(&with_two);
                let value = Value::new(&scene.fabric, 7_u64).unwrap();
                (scene, value)
            },
            |(scene, value), mark| {
                scene.fabric.member().unwrap();
                mark.around(|| act(value));
            },
            |(scene, value), point| {
                begin(&scene, point);
                let now = match value.get() {
                    Ok(now) => now,
                    Err(LockError::OwnerDied(guard)) => guard.get().unwrap(),
                    Err(LockError::Failed(error)) => panic!("{error:?}"),
                };
                assert_eq!(value.get().unwrap(), now, "a death is told once");
                let label = match now {
                    7 => "before",
                    8 => "after",
                    other => panic!("{other}"),
                };
                value.set(1).unwrap();
                value.destroy().unwrap();
                drop(value);
                end(&scene, 1);
                label
            },
        );
    }
    table.run(
        &case("array", "write a range under the lock").must_see(&["before", "after", "told"]),
        || {
            let scene = Scene::new(&with_two);
            let array = Array::new(&scene.fabric, &[7_u8; 300]).unwrap();
            (scene, array)
        },
        |(scene, array), mark| {
            scene.fabric.member().unwrap();
            mark.around(|| array.write_range(0, &[8; 300]).unwrap());
        },
        |(scene, array), point| {
            begin(&scene, point);
            let label = match array.to_vec() {
                Ok(now) if now == [7; 300] => "before",
                Ok(now) if now == [8; 300] => "after",
                Ok(_) => panic!("half written, and nobody was told"),
                Err(LockError::OwnerDied(guard)) => {
                    assert!(guard.to_vec().unwrap().iter().all(|cell| [7, 8].contains(cell)));
                    "told"
                }
                Err(LockError::Failed(error)) => panic!("{error:?}"),
            };
            array.destroy().unwrap();
            drop(array);
            end(&scene, 1);
            label
        },
    );
}

fn list(table: &mut Table) {
    let (old, new) = (ShareableItem::from("o".repeat(50)), ShareableItem::from(vec![b'n'; 47]));
    table.run(
        &sampled(polyproc_testkit::step::Case::new("shareable list", "set"), 100).must_see(&["before", "after"]),
        || ShareableList::create(None, std::slice::from_ref(&old)).unwrap(),
        |list, mark| mark.around(|| list.set(0, new.clone()).unwrap()),
        |list, _| {
            let now = list.get(0).unwrap();
            list.set(0, 1_i64).unwrap();
            assert_eq!(list.get(0).unwrap(), 1_i64.into());
            list.unlink().unwrap();
            if now == old {
                return "before";
            }
            assert_eq!(now, new);
            "after"
        },
    );
}
