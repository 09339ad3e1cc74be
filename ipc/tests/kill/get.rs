//! The consumer side of a queue: a message is still there or it was taken, never both, never two at once, and an emptied ring is left or not.

use polyproc_ipc::{BytesQueue, Fabric};
use polyproc_testkit::step::{Mark, Table};

use crate::put::{EIGHTH, fresh, with_a_full_ring};
use crate::scene::{INLINE, LARGE, SMALL, case, id_of, message, on_queue, outcome, put_all};

/// Four messages of these lengths.
fn with(lens: [usize; 4]) -> impl Fn(&Fabric) -> BytesQueue {
    move |fabric| {
        let queue = fresh(fabric);
        for (id, len) in (0..).zip(lens) {
            queue.put(&message(id, len)).unwrap();
        }
        queue
    }
}

/// Two rings, of which the first is empty and not yet left.
pub(crate) fn before_a_hop(fabric: &Fabric) -> BytesQueue {
    let queue = with_a_full_ring(fabric);
    put_all(&queue, 7..9, EIGHTH);
    for id in 0..7 {
        assert_eq!(id_of(&queue.get().unwrap()), id);
    }
    queue
}

pub(crate) fn run(table: &mut Table) {
    let get: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| drop(mark.around(|| queue.get().unwrap()));
    let get_and_drop: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| mark.around(|| drop(queue.get().unwrap()));

    for (operation, len) in [("get inline", INLINE), ("get inline of 2 KiB", 2048)] {
        let outcomes = vec![outcome("before", 0..4, &[0]), outcome("after", 1..4, &[0])];
        on_queue(table, case("queue", operation), &with([len, INLINE, INLINE, INLINE]), get, outcomes, &[1]);
    }
    for (operation, len, take) in [
        ("get 3 KiB (chunk)", SMALL, get),
        ("get 3 KiB and drop it", SMALL, get_and_drop),
        ("get 100 KiB (extent)", LARGE, get),
        ("get 100 KiB and drop it", LARGE, get_and_drop),
    ] {
        let outcomes = vec![outcome("before", 0..4, &[0]), outcome("after", 1..4, &[-1])];
        on_queue(table, case("queue", operation), &with([len, INLINE, len, INLINE]), take, outcomes, &[1]);
    }

    let outcomes = vec![outcome("before", 7..9, &[0, -1]), outcome("after", 8..9, &[-1])];
    on_queue(table, case("queue", "get that leaves an emptied ring"), &before_a_hop, get, outcomes, &[1]);

    // The ring that is left is an extent (the third): its units are anybody's at once.
    let before_a_great_hop = |fabric: &Fabric| {
        let queue = fresh(fabric);
        put_all(&queue, 0..170, EIGHTH);
        for id in 0..168 {
            assert_eq!(id_of(&queue.get().unwrap()), id);
        }
        queue
    };
    let outcomes = vec![outcome("before", 168..170, &[0, -1]), outcome("after", 169..170, &[-1])];
    on_queue(table, case("queue", "get that leaves a ring that is an extent"), &before_a_great_hop, get, outcomes, &[1]);

    let many: &dyn Fn(&BytesQueue, &Mark) = &|queue, mark| mark.around(|| assert_eq!(queue.get_many(3).unwrap().len(), 3));
    // One commit takes them all.
    let outcomes = vec![outcome("before", 0..4, &[0]), outcome("after", 3..4, &[0])];
    on_queue(table, case("queue", "get_many, 3 inline"), &with([INLINE; 4]), many, outcomes, &[1]);

    let outcomes = vec![outcome("before", 0..4, &[0]), outcome("one", 1..4, &[0]), outcome("two", 2..4, &[-1]), outcome("after", 3..4, &[-2])];
    on_queue(table, case("queue", "get_many, inline and chunks"), &with([INLINE, SMALL, LARGE, INLINE]), many, outcomes, &[1]);

    let across = |fabric: &Fabric| {
        let queue = with_a_full_ring(fabric);
        put_all(&queue, 7..9, EIGHTH);
        for id in 0..6 {
            assert_eq!(id_of(&queue.get().unwrap()), id);
        }
        queue
    };
    let outcomes = vec![outcome("before", 6..9, &[0]), outcome("one", 7..9, &[0, -1]), outcome("two", 8..9, &[-1]), outcome("after", [], &[-1])];
    on_queue(table, case("queue", "get_many across rings"), &across, many, outcomes, &[1]);
}
