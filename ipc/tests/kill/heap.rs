//! The heap, by loans: a chunk is the dead one's, and so goes back with the next sweep, or it is free; and no unit is ever lost.

use polyproc_ipc::{BytesQueue, ErrorKind, Fabric, Loan};
use polyproc_testkit::step::{Mark, Table};

use crate::put::fresh;
use crate::scene::{LARGE, Turn, UNIT, case, fabric, finish, reshape, sweep, whole};

/// In a class that nothing else here uses.
const SMALL: usize = 500;

/// A fabric, a queue that loans, and what the stage holds on loan.
struct Heap {
    fabric: Fabric,
    queue: BytesQueue,
    held: Vec<Loan>,
}

impl Heap {
    fn new() -> Heap {
        let fabric = fabric();
        let queue = fresh(&fabric);
        Heap { fabric, queue, held: Vec::new() }
    }

    fn with(lens: &[usize]) -> Heap {
        let mut heap = Heap::new();
        heap.held = lens.iter().map(|&len| heap.queue.loan(len).unwrap()).collect();
        heap
    }

    /// Takes all that is left, in single units.
    fn filled(mut self) -> Heap {
        loop {
            match self.queue.loan(UNIT) {
                Ok(loan) => self.held.push(loan),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
                    return self;
                }
            }
        }
    }

    /// The heap is full but for three adjacent free extents of three units, given back in this order.
    fn with_three_free(order: [usize; 3]) -> Heap {
        let mut heap = Heap::with(&[3 * UNIT; 3]).filled();
        let mut three: Vec<Option<Loan>> = heap.held.drain(..3).map(Some).collect();
        for index in order {
            three[index] = None;
        }
        heap
    }

    /// A chunk was freed by somebody, so that the class is known and has one to give.
    fn warm() -> Heap {
        let heap = Heap::with(&[SMALL, LARGE, SMALL]);
        Heap { held: Vec::new(), ..heap }
    }
}

/// Kills in `operation`; `labels`: by how many chunks are left by the dead before the sweep.
fn on_heap(table: &mut Table, operation: &str, labels: [&'static str; 2], setup: &dyn Fn() -> Heap, act: &dyn Fn(&BytesQueue, &Mark)) {
    // How many units can be had when all is given back, without a death.
    let units = {
        let mut heap = setup();
        heap.held.clear();
        let units = reshape(&heap.queue);
        heap.queue.destroy().unwrap();
        units
    };
    let must_see: Vec<&'static str> = labels.into_iter().filter(|label| *label != "never").collect();
    table.run(
        &case("heap", operation).must_see(&must_see),
        setup,
        |heap, mark| {
            heap.fabric.member().unwrap();
            act(&heap.queue, mark);
        },
        |mut heap, point| {
            let mine = heap.held.len();
            let first = heap.fabric.check().unwrap();
            assert!(first.is_whole(), "before the sweep: {:?}", first.problems);
            assert_eq!(first.private_chunks, mine, "what the living hold");
            let label = labels.get(first.unswept_chunks).unwrap_or_else(|| panic!("{first:?}"));
            match Turn::of(point) {
                Turn::Sweep => {
                    sweep(&heap.fabric);
                    assert_eq!(whole(&heap.fabric).private_chunks, mine);
                    reshape(&heap.queue);
                }
                Turn::Use => {
                    heap.held.clear();
                    crate::scene::exercise(&heap.queue);
                    sweep(&heap.fabric);
                }
                Turn::Reshape => {
                    reshape(&heap.queue);
                    sweep(&heap.fabric);
                    assert_eq!(whole(&heap.fabric).private_chunks, mine);
                }
            }
            heap.held.clear();
            crate::scene::exercise(&heap.queue);
            finish(&heap.fabric, &heap.queue, &[1]);
            assert_eq!(reshape(&heap.queue), units, "units to be had when all is given back");
            assert_eq!(whole(&heap.fabric).private_chunks, 0);
            *label
        },
    );
}

pub(crate) fn run(table: &mut Table) {
    let loan = |len: usize| move |queue: &BytesQueue, mark: &Mark| drop(mark.around(|| queue.loan(len).unwrap()));
    let give_back = |len: usize| {
        move |queue: &BytesQueue, mark: &Mark| {
            let loan = queue.loan(len).unwrap();
            mark.around(|| drop(loan));
        }
    };
    let taking = ["before", "after"];
    let giving = ["after", "before"];
    let both = |len: usize| move |queue: &BytesQueue, mark: &Mark| mark.around(|| drop(queue.loan(len).unwrap()));

    on_heap(table, "loan of a small chunk", taking, &Heap::warm, &loan(SMALL));
    on_heap(table, "first loan of a class (slab, growth)", taking, &Heap::new, &loan(SMALL));
    on_heap(table, "first loan of a class of four units", taking, &Heap::new, &loan(20 << 10));
    on_heap(table, "small loan given back", giving, &Heap::warm, &give_back(SMALL));
    on_heap(table, "small loan taken and given back", taking, &Heap::warm, &both(SMALL));
    on_heap(table, "loan of an extent", taking, &Heap::warm, &loan(LARGE));
    on_heap(table, "loan of an extent (growth)", taking, &Heap::new, &loan(LARGE));
    on_heap(table, "loan of a great extent (growth)", taking, &Heap::new, &loan(1 << 20));
    on_heap(table, "extent given back", giving, &Heap::warm, &give_back(LARGE));

    // With the slab full, the next loan looks in vain and makes a new one.
    let full_slab = || Heap::with(&[SMALL; 125]);
    on_heap(table, "small loan beside a full slab", taking, &full_slab, &loan(SMALL));

    cap(table);
    shapes(table);
}

/// At the cap: an error that changes nothing, and slabs that are not used make room.
fn cap(table: &mut Table) {
    let refused: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| {
        let error = mark.around(|| queue.loan(1 << 20).map(drop)).expect_err("the heap is full");
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    };
    on_heap(table, "loan at the cap (refused)", ["nothing", "never"], &|| Heap::new().filled(), refused);

    // The class of 500 bytes has an empty slab; the rest is full.
    let with_an_empty_slab = || {
        let mut heap = Heap::with(&[SMALL, 20 << 10]).filled();
        heap.held.drain(..2);
        heap
    };
    let act: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| drop(mark.around(|| queue.loan(4 * UNIT).unwrap()));
    on_heap(table, "loan at the cap by giving slabs back", ["before", "after"], &with_an_empty_slab, act);
}

/// Three adjacent free extents: merged, split, taken whole.
fn shapes(table: &mut Table) {
    let loan = |units: usize| move |queue: &BytesQueue, mark: &Mark| drop(mark.around(|| queue.loan(units * UNIT).unwrap()));
    let taking = ["before", "after"];
    for order in [[0, 1, 2], [2, 1, 0], [0, 2, 1]] {
        let setup = move || Heap::with_three_free(order);
        for (what, units) in [("one unit of three", 1), ("one extent of three", 3), ("eight units of three extents", 8), ("all nine units", 9)] {
            on_heap(table, &format!("loan of {what}, freed {order:?}"), taking, &setup, &loan(units));
        }
    }
    two_loans(table);
}

/// A split, and what was split off given back: what the dead one left is none, one or two chunks, and in the end nine units are one again.
fn two_loans(table: &mut Table) {
    table.run(
        &case("heap", "two loans, the second given back").must_see(&["none", "one", "two"]),
        || Heap::with_three_free([1, 0, 2]),
        |heap, mark| {
            heap.fabric.member().unwrap();
            mark.around(|| {
                let first = heap.queue.loan(2 * UNIT).unwrap();
                drop(heap.queue.loan(4 * UNIT).unwrap());
                first
            });
        },
        |mut heap, _| {
            let label = ["none", "one", "two"][heap.fabric.check().unwrap().unswept_chunks];
            sweep(&heap.fabric);
            drop(heap.queue.loan(9 * UNIT).expect("nine units are free again"));
            heap.held.clear();
            finish(&heap.fabric, &heap.queue, &[1]);
            label
        },
    );
}
