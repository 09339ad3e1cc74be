//! Dicts, sets and namespaces: an entry is there or not, whole and in its place; the index finds what the slots say; every chunk belongs to somebody.

use polyproc_ipc::{BytesDict, BytesQueue, BytesSet, ErrorKind, Fabric, Namespace, Packed, codec};
use polyproc_testkit::step::{Mark, Point, Table};

use crate::repair::Pair;
use crate::scene::{INLINE, LARGE, SMALL, Turn, case, fabric, id_of, message, reshape, sweep, whole};

/// Put by the survivors, whatever they find.
const EXTRA: u8 = 200;
/// The index has room for so many without growing, where there is one shard.
const FIRST_ROOM: u8 = 5;
const NAME: &str = "made by the victim";

/// What a dict holds: key and value by their numbers, in order.
type Contents = Vec<(u8, u8)>;
type Setup<'a> = &'a dyn Fn(&Fabric) -> BytesDict;
type Operation<'a> = &'a dyn Fn(&BytesDict, &Mark);

struct Room {
    fabric: Fabric,
    /// To reshape the heap by.
    queue: BytesQueue,
    dict: BytesDict,
}

impl Room {
    fn new(setup: Setup<'_>) -> Room {
        let fabric = fabric();
        let queue = BytesQueue::new(&fabric, 0).expect("a queue");
        let dict = setup(&fabric);
        Room { fabric, queue, dict }
    }
}

fn key(id: u8) -> [u8; 3] {
    [id, id ^ 0x55, 7]
}

/// A dict of so many shards with these keys, each with the value of its number.
fn with(shards: usize, ids: std::ops::Range<u8>, len: usize) -> impl Fn(&Fabric) -> BytesDict {
    move |fabric| {
        let dict = BytesDict::with_shards(fabric, None, shards).expect("a dict");
        // A chunk of the class is free, and a larger arena's too: making slabs is long, and is killed elsewhere.
        let warm = BytesDict::with_shards(fabric, None, 1).expect("another dict");
        (0..12).for_each(|id| assert!(warm.set(&key(id), &message(id, if id < 2 { len } else { INLINE })).expect("a set of the setup") > 0));
        warm.clear().expect("a clear");
        warm.destroy().expect("its end");
        for id in ids.clone() {
            dict.set(&key(id), &message(id, len)).expect("a set of the setup");
        }
        dict
    }
}

fn contents(dict: &BytesDict) -> Contents {
    let all = dict.snapshot().expect("a snapshot");
    assert_eq!(all.len(), dict.len(), "the length is that of what is there");
    let lazily: Vec<Vec<u8>> = dict.keys().map(|key| key.expect("a key").to_vec()).collect();
    assert!(all.iter().map(|(key, _)| &**key).eq(lazily.iter().map(Vec::as_slice)));
    let contents: Contents = all.iter().map(|(key, value)| (key[0], id_of(value))).collect();
    // The index says the same as the slots.
    for (id, value) in &contents {
        assert_eq!(id_of(&dict.get(&key(*id)).expect("a look").expect("what is listed is found")), *value);
    }
    (0..=255)
        .filter(|id| !contents.iter().any(|(there, _)| there == id))
        .for_each(|id| assert!(!dict.contains(&key(id)).expect("a look"), "{id} is found and not listed"));
    contents
}

/// The survivors' first steps; what they then find.
fn begin(room: &Room, point: &Point) -> Contents {
    let Room { fabric, queue, dict } = room;
    match Turn::of(point) {
        Turn::Sweep => {
            sweep(fabric);
            whole(fabric);
            reshape(queue);
        }
        Turn::Use => {
            dict.set(&key(EXTRA), &message(EXTRA, INLINE)).expect("a set by a survivor");
            let mut found = contents(dict);
            assert_eq!(found.pop(), Some((EXTRA, EXTRA)), "what came last is last");
            dict.delete(&key(EXTRA)).expect("a deletion by a survivor");
            sweep(fabric);
            assert_eq!(contents(dict), found);
            return found;
        }
        Turn::Reshape => {
            reshape(queue);
            sweep(fabric);
            whole(fabric);
        }
    }
    contents(dict)
}

/// All goes on, and nothing is left at the end but what may be.
fn finish(room: Room, headers: &[usize]) {
    let Room { fabric, queue, dict } = room;
    let mut expected = contents(&dict);
    for id in 210..230 {
        dict.set(&key(id), &message(id, INLINE)).expect("a set by a survivor");
        expected.push((id, id));
    }
    for id in [211, 215] {
        dict.set(&key(id), &message(1, SMALL)).expect("a replacement by a survivor");
        expected.iter_mut().find(|entry| entry.0 == id).expect("it is there").1 = 1;
    }
    assert_eq!(*dict.pop_item().expect("the last").0, key(229));
    expected.pop();
    let first = expected.remove(0);
    dict.delete(&key(first.0)).expect("a deletion by a survivor");
    assert_eq!(contents(&dict), expected);
    assert_eq!(whole(&fabric).private_chunks, 0);
    dict.clear().expect("a clear by a survivor");
    assert_eq!(contents(&dict), []);
    dict.destroy().expect("the end of the dict");
    queue.destroy().expect("the end of the queue");
    let report = whole(&fabric);
    assert!(headers.contains(&report.held_chunks), "{} chunks are held after the end, not one of {headers:?}", report.held_chunks);
    assert_eq!((report.private_chunks, report.members, report.objects), (0, 1, 0), "{report:?}");
}

fn judge(room: Room, point: &Point, outcomes: &[(&'static str, Contents)]) -> &'static str {
    let found = begin(&room, point);
    let Some((label, _)) = outcomes.iter().find(|(_, contents)| *contents == found) else { panic!("the dict holds {found:?}") };
    finish(room, &[3]);
    label
}

fn same(ids: impl IntoIterator<Item = u8>) -> Contents {
    ids.into_iter().map(|id| (id, id)).collect()
}

fn row(table: &mut Table, operation: &str, setup: Setup<'_>, act: Operation<'_>, after: Contents) {
    let before = contents(&Room::new(setup).dict);
    let outcomes = if before == after { vec![("the same", before)] } else { vec![("before", before), ("after", after)] };
    let labels: Vec<&'static str> = outcomes.iter().map(|(label, _)| *label).collect();
    table.run(
        &case("dict", operation).must_see(&labels),
        || Room::new(setup),
        |room, mark| {
            room.fabric.member().expect("the victim joins");
            act(&room.dict, mark);
        },
        |room, point| judge(room, point, &outcomes),
    );
}

fn set(id: u8, value: u8, len: usize) -> impl Fn(&BytesDict, &Mark) {
    move |dict, mark| {
        let value = message(value, len);
        mark.around(|| dict.set(&key(id), &value).unwrap());
    }
}

/// Five slots are used, three of them dead.
fn worn(fabric: &Fabric) -> BytesDict {
    let dict = with(1, 0..FIRST_ROOM, INLINE)(fabric);
    (0..3).for_each(|id| dict.delete(&key(id)).expect("a deletion of the setup"));
    dict
}

pub(crate) fn run(table: &mut Table) {
    inserts(table);
    deletions(table);
    conditions(table);
    reads(table);
    others(table);
    made_and_destroyed(table);
    repairs(table);
}

fn inserts(table: &mut Table) {
    row(table, "set, the first key", &with(1, 0..0, INLINE), &set(0, 0, INLINE), same(0..1));
    row(table, "set, a new key", &with(1, 0..2, INLINE), &set(2, 2, INLINE), same(0..3));
    row(table, "set, a new key of 3 KiB", &with(1, 0..2, SMALL), &set(2, 2, SMALL), same(0..3));
    row(table, "set, a new key of 100 KiB", &with(1, 0..2, INLINE), &set(2, 2, LARGE), same(0..3));
    row(table, "set that grows", &with(1, 0..FIRST_ROOM, INLINE), &set(9, 9, INLINE), same((0..FIRST_ROOM).chain([9])));
    row(table, "set that compacts", &worn, &set(9, 9, INLINE), same([3, 4, 9]));
    let replaced = vec![(0, 0), (1, 9), (2, 2)];
    row(table, "set, a known key", &with(1, 0..3, INLINE), &set(1, 9, INLINE), replaced.clone());
    row(table, "set, a known key, 100 KiB", &with(1, 0..3, LARGE), &set(1, 9, LARGE), replaced);
}

fn deletions(table: &mut Table) {
    let delete = |id: u8| move |dict: &BytesDict, mark: &Mark| mark.around(|| dict.delete(&key(id)).unwrap());
    row(table, "delete the first", &with(1, 0..3, INLINE), &delete(0), same([1, 2]));
    row(table, "delete the last", &with(1, 0..3, INLINE), &delete(2), same([0, 1]));
    row(table, "delete 100 KiB", &with(1, 0..3, LARGE), &delete(1), same([0, 2]));
    row(table, "take", &with(4, 0..3, SMALL), &|dict, mark| assert_eq!(id_of(&mark.around(|| dict.take(&key(1)).unwrap()).unwrap()), 1), same([0, 2]));
    row(table, "pop_item", &with(4, 0..9, INLINE), &|dict, mark| assert_eq!(mark.around(|| dict.pop_item().unwrap()).0[0], 8), same(0..8));
    row(table, "clear", &with(4, 0..12, INLINE), &|dict, mark| mark.around(|| dict.clear().unwrap()), vec![]);
}

fn conditions(table: &mut Table) {
    let three = with(4, 0..3, INLINE);
    row(
        table,
        "compare_and_set",
        &three,
        &|dict, mark| {
            let (_, version) = dict.get_versioned(&key(1)).unwrap().unwrap();
            let value = message(9, INLINE);
            assert!(mark.around(|| dict.compare_and_set(&key(1), Some(version), &value).unwrap()).is_some());
        },
        vec![(0, 0), (1, 9), (2, 2)],
    );
    row(
        table,
        "compare_and_set in vain",
        &three,
        &|dict, mark| {
            let value = message(9, INLINE);
            assert!(mark.around(|| dict.compare_and_set(&key(1), Some(77), &value).unwrap()).is_none());
        },
        same(0..3),
    );
    row(
        table,
        "compare_and_delete",
        &three,
        &|dict, mark| {
            let (_, version) = dict.get_versioned(&key(0)).unwrap().unwrap();
            assert!(mark.around(|| dict.compare_and_delete(&key(0), version).unwrap()));
        },
        same(1..3),
    );
    row(
        table,
        "set_default",
        &three,
        &|dict, mark| {
            let value = message(9, INLINE);
            assert_eq!(id_of(&mark.around(|| dict.set_default(&key(9), &value).unwrap())), 9);
        },
        same([0, 1, 2, 9]),
    );
}

fn reads(table: &mut Table) {
    let five = with(4, 0..5, INLINE);
    row(table, "get", &five, &|dict, mark| assert_eq!(id_of(&mark.around(|| dict.item(&key(3)).unwrap())), 3), same(0..5));
    row(table, "snapshot", &five, &|dict, mark| assert_eq!(mark.around(|| dict.snapshot().unwrap()).len(), 5), same(0..5));
    row(table, "items", &five, &|dict, mark| assert_eq!(mark.around(|| dict.items().count()), 5), same(0..5));
}

/// Integers, keys in another form, sets, namespaces: judged by what they hold.
fn others(table: &mut Table) {
    let numbers = |fabric: &Fabric| {
        let dict = with(1, 0..2, INLINE)(fabric);
        dict.increment(b"n", 5).expect("an integer");
        dict
    };
    for (operation, name, was) in [("increment", b"n", 5), ("increment an absent key", b"m", 0)] {
        table.run(
            &case("dict", operation).must_see(&["before", "after"]),
            || Room::new(&numbers),
            |room, mark| {
                room.fabric.member().unwrap();
                mark.around(|| assert_eq!(room.dict.increment(name, 2).unwrap(), was + 2));
            },
            |room, point| {
                let sum = || room.dict.increment(name, 0).expect("a sum");
                if Turn::of(point) == Turn::Sweep {
                    sweep(&room.fabric);
                    whole(&room.fabric);
                }
                let found = sum();
                reshape(&room.queue);
                sweep(&room.fabric);
                assert_eq!(sum(), found);
                for name in [b"n", b"m"] {
                    drop(room.dict.take(name).expect("an end"));
                }
                assert_eq!(contents(&room.dict), same(0..2));
                finish(room, &[3]);
                if found == was { "before" } else { "after" }
            },
        );
    }
    let one = codec::to_vec(&1).unwrap();
    let other = codec::to_vec(&1.0).unwrap();
    let packed = |bytes: &'static [u8]| Packed { bytes, codec: codec::MESSAGEPACK };
    let (one, other) = (packed(one.leak()), packed(other.leak()));
    table.run(
        &case("dict", "set, a known key in another form").must_see(&["before", "after"]),
        || {
            let room = Room::new(&with(1, 0..2, INLINE));
            room.dict.set(other, &message(7, INLINE)).unwrap();
            room
        },
        |room, mark| {
            room.fabric.member().unwrap();
            let value = message(8, INLINE);
            mark.around(|| room.dict.set(one, &value).unwrap());
        },
        |room, point| {
            if Turn::of(point) != Turn::Use {
                reshape(&room.queue);
                sweep(&room.fabric);
            }
            assert_eq!(&*room.dict.keys().last().unwrap().unwrap(), other.bytes, "the form given first stays");
            let found = id_of(&room.dict.pop(one).unwrap());
            sweep(&room.fabric);
            assert_eq!(contents(&room.dict), same(0..2));
            finish(room, &[3]);
            if found == 7 { "before" } else { "after" }
        },
    );
    table.run(
        &case("dict", "a set's add and discard").must_see(&["before", "added", "after"]),
        || {
            let fabric = fabric();
            let set = BytesSet::new(&fabric).unwrap();
            set.add(b"a").unwrap();
            (fabric, set)
        },
        |(fabric, set), mark| {
            fabric.member().unwrap();
            mark.around(|| assert!(set.add(b"b").unwrap() && set.discard(b"a").unwrap()));
        },
        |(fabric, set), point| {
            if Turn::of(point) == Turn::Sweep {
                sweep(&fabric);
            }
            let (a, b) = (set.contains(b"a").unwrap(), set.contains(b"b").unwrap());
            assert_eq!(set.len(), usize::from(a) + usize::from(b));
            sweep(&fabric);
            whole(&fabric);
            set.destroy().unwrap();
            assert_eq!(whole(&fabric).held_chunks, 1);
            match (a, b) {
                (true, false) => "before",
                (true, true) => "added",
                (false, true) => "after",
                (false, false) => panic!("both are gone"),
            }
        },
    );
    table.run(
        &case("dict", "a namespace's set").must_see(&["before", "after"]),
        || {
            let fabric = fabric();
            let space = Namespace::new(&fabric).unwrap();
            space.set("a", &1).unwrap();
            (fabric, space)
        },
        |(fabric, space), mark| {
            fabric.member().unwrap();
            mark.around(|| space.set("b", "text").unwrap());
        },
        |(fabric, space), point| {
            if Turn::of(point) == Turn::Sweep {
                sweep(&fabric);
            }
            let names = space.names().unwrap();
            sweep(&fabric);
            whole(&fabric);
            space.set("c", &2).unwrap();
            space.destroy().unwrap();
            assert_eq!(whole(&fabric).held_chunks, 1);
            match names.len() {
                1 => "before",
                2 => "after",
                other => panic!("{other} names"),
            }
        },
    );
}

fn made_and_destroyed(table: &mut Table) {
    table.run(
        &case("dict", "create").must_see(&["not made", "made"]),
        || Room::new(&with(4, 0..3, INLINE)),
        |room, mark| {
            room.fabric.member().unwrap();
            mark.around(|| BytesDict::create(&room.fabric, NAME).unwrap());
        },
        |room, point| {
            assert_eq!(begin(&room, point), same(0..3));
            let label = if BytesDict::open(&room.fabric, NAME).is_ok() { "made" } else { "not made" };
            let dict = BytesDict::open_or_create(&room.fabric, NAME).unwrap();
            assert!(dict.is_empty());
            (0..20).for_each(|id| assert!(dict.set(&key(id), &message(id, INLINE)).unwrap() > 0));
            assert_eq!(contents(&dict), same(0..20));
            dict.destroy().unwrap();
            finish(room, &[3]);
            label
        },
    );
    let full = || {
        let room = Room::new(&with(4, 0..3, INLINE));
        let dict = BytesDict::create(&room.fabric, NAME).unwrap();
        (0..9).for_each(|id| assert!(dict.set(&key(id), &message(id, if id == 5 { LARGE } else { INLINE })).unwrap() > 0));
        (room, dict)
    };
    let act = |(room, dict): &(Room, BytesDict), mark: &Mark| {
        room.fabric.member().unwrap();
        mark.around(|| dict.destroy().unwrap());
    };
    let judge = |(room, dict): (Room, BytesDict), point: &Point| {
        assert_eq!(begin(&room, point), same(0..3));
        let label = match dict.len() {
            9 if BytesDict::open(&room.fabric, NAME).is_ok() => {
                assert_eq!(contents(&dict), same(0..9));
                dict.destroy().unwrap();
                "there"
            }
            _ => {
                assert_eq!(dict.get(&key(1)).unwrap_err().kind(), ErrorKind::Gone);
                assert_eq!(BytesDict::open(&room.fabric, NAME).unwrap_err().kind(), ErrorKind::NotFound);
                "gone"
            }
        };
        // The next one gets the same header, and is empty.
        let next = BytesDict::create(&room.fabric, NAME).unwrap();
        assert_eq!(contents(&next), []);
        assert!(next.set(&key(1), &message(1, INLINE)).unwrap() > 0);
        next.destroy().unwrap();
        finish(room, &[3, 4]);
        label
    };
    table.run(&case("dict", "destroy").must_see(&["there", "gone"]), full, act, judge);
    let look = |(room, _): &(Room, BytesDict), mark: &Mark| {
        room.fabric.member().unwrap();
        mark.around(|| drop(room.fabric.objects().unwrap()));
    };
    Pair { name: "look after the destruction of a dict", setup: &full, first: &act, second: &look }.run(table, &["there", "gone"], &judge);
}

/// Two deaths.
fn repairs(table: &mut Table) {
    let pair = |table: &mut Table, name: &str, setup: Setup<'_>, operations: [Operation<'_>; 2], outcomes: Vec<(&'static str, Contents)>| {
        let labels: Vec<&'static str> = outcomes.iter().map(|(label, _)| *label).collect();
        let [first, second] = operations.map(|act| {
            move |room: &Room, mark: &Mark| {
                room.fabric.member().unwrap();
                act(&room.dict, mark);
            }
        });
        Pair { name, setup: &|| Room::new(setup), first: &first, second: &second }.run(table, &labels, &|room, point| judge(room, point, &outcomes));
    };
    let get: Operation<'_> = &|dict, mark| mark.around(|| drop(dict.get(&key(1)).unwrap()));
    let delete: Operation<'_> = &|dict, mark| mark.around(|| drop(dict.take(&key(0)).unwrap()));
    let clear: Operation<'_> = &|dict, mark| mark.around(|| dict.clear().unwrap());
    let sweeping: Operation<'_> = &|dict, mark| mark.around(|| assert!(dict.fabric().sweep().unwrap() < 2));
    let (two, full) = (with(1, 0..2, INLINE), with(1, 0..FIRST_ROOM, INLINE));
    pair(table, "sweep after an insertion", &two, [&set(2, 2, INLINE), sweeping], vec![("before", same(0..2)), ("after", same(0..3))]);
    pair(table, "get after a replacement", &two, [&set(1, 9, INLINE), get], vec![("before", same(0..2)), ("after", vec![(0, 0), (1, 9)])]);
    pair(table, "get after a deletion", &two, [delete, get], vec![("before", same(0..2)), ("after", same(1..2))]);
    let grown = (0..FIRST_ROOM).chain([9]);
    pair(table, "get after a growth", &full, [&set(9, 9, INLINE), get], vec![("before", same(0..FIRST_ROOM)), ("after", same(grown))]);
    let outcomes = vec![("before", same(0..2)), ("after", vec![])];
    pair(table, "clear after a clear", &two, [clear, clear], outcomes);
}
