//! Lists: whatever a process was killed in has happened to the list or has not, and every chunk belongs to somebody.

use std::sync::LazyLock;

use polyproc_ipc::{BytesList, BytesQueue, ErrorKind, Fabric, Packed, Slice, codec};
use polyproc_testkit::step::{Mark, Point, Table};

use crate::repair::Pair;
use crate::scene::{LARGE, LONG, SMALL, Turn, case, fabric, message, reshape, sweep, whole};

const NAME: &str = "the list";
/// Lengths of items: in the slot, in a small chunk.
const SLOT: usize = 5;
const CHUNK: usize = 40;
/// Slots of a first block, and of a full one.
const FIRST: usize = 30;
const FULL: usize = 510;
/// Blocks that the first directory has room for.
const ENTRIES: usize = 14;

type Setup = fn(&BytesList);
type Operation = fn(&BytesList);

/// A fabric with one list; the queue is there to reshape the heap.
struct Listed {
    fabric: Fabric,
    list: BytesList,
    queue: BytesQueue,
}

impl Listed {
    fn new(setup: Setup) -> Listed {
        let fabric = fabric();
        let queue = BytesQueue::new(&fabric, 0).expect("a queue");
        let list = BytesList::create(&fabric, NAME).expect("a list");
        setup(&list);
        Listed { fabric, list, queue }
    }

    fn join(&self) {
        self.fabric.member().expect("the victim joins");
    }

    /// The survivors' first steps, and what they find then.
    fn found(&self, point: &Point) -> Vec<Vec<u8>> {
        match Turn::of(point) {
            Turn::Sweep => {
                sweep(&self.fabric);
                whole(&self.fabric);
                reshape(&self.queue);
            }
            Turn::Use => {
                self.list.append(&message(200, 2300)).expect("an append before the sweep");
                let mut found = contents(&self.list);
                assert_eq!(found.pop(), Some(message(200, 2300)), "the last item is the one appended last");
                self.list.pop().expect("a pop before the sweep");
                sweep(&self.fabric);
                assert_eq!(contents(&self.list), found, "the sweep changes no list");
                return found;
            }
            Turn::Reshape => {
                reshape(&self.queue);
                sweep(&self.fabric);
            }
        }
        let report = whole(&self.fabric);
        assert_eq!(report.private_chunks, 0, "nobody alive holds a chunk of its own");
        contents(&self.list)
    }

    /// The list works, and leaves nothing.
    fn finish(self) {
        let Listed { fabric, list, queue } = &self;
        let was = contents(list);
        list.append(&message(1, SMALL)).unwrap();
        list.insert(0, &message(2, SLOT)).unwrap();
        list.reverse().unwrap();
        assert_eq!((list.pop().unwrap().into_vec(), list.pop_at(0).unwrap().into_vec()), (message(2, SLOT), message(1, SMALL)));
        list.reverse().unwrap();
        assert_eq!(contents(list), was);
        whole(fabric);
        list.destroy().unwrap();
        queue.destroy().unwrap();
        let report = whole(fabric);
        assert_eq!((report.held_chunks, report.private_chunks, report.members, report.objects), (2, 0, 1, 0), "{report:?}");
    }
}

fn contents(list: &BytesList) -> Vec<Vec<u8>> {
    list.iter().map(|item| item.expect("an item for a survivor").into_vec()).collect()
}

/// Adds items of these lengths by turns.
fn fill(list: &BytesList, count: usize, lens: &[usize]) {
    let items: Vec<Vec<u8>> = (0..count).map(|id| message(id as u8, lens[id % lens.len()])).collect();
    list.extend(&items.iter().map(Packed::from).collect::<Vec<_>>()).expect("an extend of the setup");
}

fn empty(_: &BytesList) {}

fn few(list: &BytesList) {
    fill(list, 6, &[SLOT, CHUNK]);
}

fn mixed(list: &BytesList) {
    fill(list, 8, &[SLOT, CHUNK, SMALL, LARGE]);
}

/// The first block has no more room.
fn full_block(list: &BytesList) {
    fill(list, FIRST, &[SLOT]);
}

/// Neither has the directory.
fn full_directory(list: &BytesList) {
    fill(list, ENTRIES * FULL, &[SLOT]);
}

/// The last block is empty, but still there.
fn empty_last_block(list: &BytesList) {
    fill(list, FIRST - 1, &[SLOT]);
    list.append(&message(99, CHUNK)).unwrap();
    list.append(&message(100, SLOT)).unwrap();
    list.pop().unwrap();
}

/// Two full blocks and a third.
fn long(list: &BytesList) {
    fill(list, 2 * FULL + 40, &[SLOT]);
    list.set(FULL as i64, &message(3, CHUNK)).unwrap();
}

fn numbers(list: &BytesList) {
    let item = codec::to_vec(&5).unwrap();
    list.append(Packed { bytes: &item, codec: codec::MESSAGEPACK }).unwrap();
}

/// Items that operations put in, made before any stepping: by the trial of each row.
static READY: LazyLock<[Vec<u8>; 6]> =
    LazyLock::new(|| [message(9, SLOT), message(9, CHUNK), message(9, SMALL), message(9, LARGE), message(1, CHUNK), message(3, CHUNK)]);

fn nine(len: usize) -> &'static Vec<u8> {
    READY[..4].iter().find(|item| item.len() == len).expect("an item of this length")
}

fn one() -> &'static Vec<u8> {
    &READY[4]
}

fn the_fourth() -> &'static Vec<u8> {
    &READY[5]
}

fn extend_three(list: &BytesList) {
    list.extend(&[SLOT, CHUNK, SMALL].map(|len| Packed::from(nine(len)))).unwrap();
}

fn set_three(list: &BytesList, slice: impl Into<Slice>) {
    list.set_slice(slice, &[CHUNK, SLOT, CHUNK].map(|len| Packed::from(nine(len)))).unwrap();
}

fn sort_down(list: &BytesList) {
    list.rearrange(|items| {
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by(|a, b| items[*b][..].cmp(&items[*a][..]));
        Ok(order)
    })
    .unwrap();
}

/// What is done, and to which list.
const ROWS: &[(&str, Setup, Operation)] = &[
    ("append to an empty list", empty, |list| list.append(nine(SLOT)).unwrap()),
    ("append in the slot", few, |list| list.append(nine(SLOT)).unwrap()),
    ("append a chunk", few, |list| list.append(nine(CHUNK)).unwrap()),
    ("append an extent", few, |list| list.append(nine(LARGE)).unwrap()),
    ("append that adds a block", full_block, |list| list.append(nine(SLOT)).unwrap()),
    ("append a chunk that adds a block", full_block, |list| list.append(nine(CHUNK)).unwrap()),
    ("append that grows the directory", full_directory, |list| list.append(nine(CHUNK)).unwrap()),
    ("set, slot to slot", few, |list| list.set(0, nine(SLOT)).unwrap()),
    ("set, slot to chunk", few, |list| list.set(0, nine(CHUNK)).unwrap()),
    ("set, chunk to slot", few, |list| list.set(1, nine(SLOT)).unwrap()),
    ("set, chunk to chunk", few, |list| list.set(1, nine(CHUNK)).unwrap()),
    ("set, extent to extent", mixed, |list| list.set(3, nine(LARGE)).unwrap()),
    ("pop a slot", |list| fill(list, 3, &[SLOT]), |list| drop(list.pop().unwrap())),
    ("pop a chunk", few, |list| drop(list.pop().unwrap())),
    ("pop that drops an empty block", empty_last_block, |list| drop(list.pop().unwrap())),
    ("insert in the middle", few, |list| list.insert(3, nine(CHUNK)).unwrap()),
    ("insert that splits a block", long, |list| list.insert(100, nine(SLOT)).unwrap()),
    ("delete in the middle", few, |list| list.delete(1).unwrap()),
    ("delete of a block's first item", long, |list| list.delete(FULL as i64).unwrap()),
    ("pop_at", mixed, |list| drop(list.pop_at(2).unwrap())),
    ("remove", few, |list| assert!(list.remove(the_fourth()).unwrap())),
    ("set a slice", few, |list| set_three(list, 1..5)),
    ("set a slice with a step", few, |list| set_three(list, Slice::new(None, None, Some(-2)))),
    ("delete a slice with a step", mixed, |list| list.delete_slice(Slice::new(None, None, Some(2))).unwrap()),
    ("delete a slice over blocks", long, |list| list.delete_slice(100..1000).unwrap()),
    ("extend in the block", few, extend_three),
    ("extend an empty list", empty, extend_three),
    ("extend over the block", |list| fill(list, FIRST - 1, &[SLOT]), extend_three),
    ("extend over the directory", |list| fill(list, ENTRIES * FULL - 1, &[SLOT]), extend_three),
    ("repeat", few, |list| list.repeat(2).unwrap()),
    ("reverse", mixed, |list| list.reverse().unwrap()),
    ("sort", mixed, sort_down),
    ("clear", mixed, |list| list.clear().unwrap()),
    ("increment in the slot", numbers, |list| assert_eq!(list.increment(0, 1).unwrap(), 6)),
    ("increment to a chunk", numbers, |list| assert_eq!(list.increment(0, 1 << 40).unwrap(), 5 + (1 << 40))),
    ("compare and set", few, |list| assert!(list.compare_and_set(1, one(), nine(CHUNK)).unwrap())),
];

/// What the list may hold after a kill.
fn ends(setup: Setup, operation: Operation) -> [Vec<Vec<u8>>; 2] {
    let trial = Listed::new(setup);
    let before = contents(&trial.list);
    operation(&trial.list);
    let after = contents(&trial.list);
    assert_ne!(before, after, "an operation that changes nothing tells nothing");
    trial.finish();
    [before, after]
}

fn judge(state: Listed, point: &Point, ends: &[Vec<Vec<u8>>; 2]) -> &'static str {
    let found = state.found(point);
    let Some(end) = ends.iter().position(|end| *end == found) else {
        panic!("{} items are found, where {} were before and {} after: torn", found.len(), ends[0].len(), ends[1].len())
    };
    state.finish();
    ["before", "after"][end]
}

pub(crate) fn run(table: &mut Table) {
    for &(name, setup, operation) in ROWS {
        if !table.wants(&format!("list {name}")) {
            continue;
        }
        let ends = ends(setup, operation);
        table.run(
            &case("list", name).must_see(&["before", "after"]),
            || Listed::new(setup),
            |state, mark| {
                state.join();
                mark.around(|| operation(&state.list));
            },
            |state, point| judge(state, point, &ends),
        );
    }
    create(table);
    destroy(table);
    waiter(table);
}

fn create(table: &mut Table) {
    for (name, with_retired) in [("create", false), ("create in a retired header", true)] {
        table.run(
            &case("list", name).must_see(&["not made", "made"]),
            || {
                let state = Listed::new(few);
                if with_retired {
                    let other = BytesList::new(&state.fabric).unwrap();
                    mixed(&other);
                    other.destroy().unwrap();
                }
                state
            },
            |state, mark| {
                state.join();
                mark.around(|| BytesList::create(&state.fabric, "made by the victim").unwrap());
            },
            |state, point| {
                state.found(point);
                let label = if BytesList::open(&state.fabric, "made by the victim").is_ok() { "made" } else { "not made" };
                let made = BytesList::open_or_create(&state.fabric, "made by the victim").unwrap();
                assert!(made.is_empty().unwrap());
                mixed(&made);
                whole(&state.fabric);
                made.destroy().unwrap();
                state.list.destroy().unwrap();
                state.queue.destroy().unwrap();
                assert_eq!(whole(&state.fabric).held_chunks, 3, "three headers and nothing else");
                label
            },
        );
    }
}

fn destroy(table: &mut Table) {
    table.run(
        &case("list", "destroy").must_see(&["there", "gone"]),
        || Listed::new(mixed),
        |state, mark| {
            state.join();
            mark.around(|| state.list.destroy().unwrap());
        },
        |state, point| {
            let label = judge_destroyed(&state, point);
            state.queue.destroy().unwrap();
            assert_eq!(whole(&state.fabric).held_chunks, 2);
            label
        },
    );
}

fn judge_destroyed(state: &Listed, point: &Point) -> &'static str {
    let early = (Turn::of(point) == Turn::Use).then(|| state.list.append(b"early").err().map(|error| error.kind())).flatten();
    match Turn::of(point) {
        Turn::Reshape => drop(reshape(&state.queue)),
        Turn::Sweep => drop(sweep(&state.fabric)),
        Turn::Use => {}
    }
    let label = match BytesList::open(&state.fabric, NAME) {
        Ok(found) => {
            assert_eq!((early, found.len().unwrap()), (None, 8 + usize::from(Turn::of(point) == Turn::Use)), "all of it, or nothing");
            found.destroy().unwrap();
            "there"
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            "gone"
        }
    };
    assert_eq!(state.list.append(b"late").unwrap_err().kind(), ErrorKind::Gone);
    sweep(&state.fabric);
    reshape(&state.queue);
    label
}

/// Somebody waits for a change while the one who makes it is killed.
fn waiter(table: &mut Table) {
    use polyproc_testkit::helper::{Answer, Helper};
    table.run(
        &case("list", "append with a waiter").must_see(&["after"]),
        || {
            let state = Listed::new(few);
            let version = state.list.version().unwrap();
            nine(CHUNK);
            let helper = Helper::fork(|line| {
                state.fabric.member().unwrap();
                line.say(0);
                line.await_go();
                state.list.wait_changed(version, Some(LONG)).unwrap();
                line.say(1);
                line.await_go();
                0
            });
            assert_eq!(helper.answer(LONG), Answer::Said(0));
            (helper, state)
        },
        |(helper, state), mark: &Mark| {
            state.join();
            helper.go();
            helper.until_asleep(LONG);
            mark.around(|| state.list.append(nine(CHUNK)).unwrap());
        },
        |(helper, state), point| {
            let label = if state.list.len().unwrap() == 7 { "after" } else { "before" };
            if label == "before" {
                state.list.append(nine(CHUNK)).unwrap();
            }
            assert_eq!(helper.answer(LONG), Answer::Said(1), "the waiter must get on");
            helper.kill();
            assert_eq!(state.found(point).len(), 7);
            state.finish();
            label
        },
    );
}

/// A second death, in the repair of what the first left.
pub(crate) fn repairs(table: &mut Table) {
    for wanted in
        ["append a chunk", "set, chunk to chunk", "insert in the middle", "set a slice", "delete a slice with a step", "extend over the directory", "clear"]
    {
        let &(name, setup, operation) = ROWS.iter().find(|row| row.0 == wanted).expect("a row of this name");
        let ends = ends(setup, operation);
        let pair = Pair {
            name: &format!("list: {name}, then a look"),
            setup: &|| Listed::new(setup),
            first: &|state: &Listed, mark| {
                state.join();
                mark.around(|| operation(&state.list));
            },
            second: &|state: &Listed, mark| {
                state.join();
                mark.around(|| state.list.len().unwrap());
            },
        };
        pair.run(table, &["before", "after"], &|state, point| judge(state, point, &ends));
    }
    let pair = Pair {
        name: "list: destroy, then destroy",
        setup: &|| Listed::new(mixed),
        first: &|state: &Listed, mark| {
            state.join();
            mark.around(|| state.list.destroy().unwrap());
        },
        second: &|state: &Listed, mark| {
            state.join();
            mark.around(|| drop(state.list.destroy()));
        },
    };
    pair.run(table, &["there", "gone"], &|state, point| judge_destroyed(&state, point));
}
