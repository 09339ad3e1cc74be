//! What all kill tests share: a fresh small fabric for each point, messages that know whether they are torn, and the judgement of what a victim left.
//!
//! Survivors come in three orders, because each finds other faults: sweep first; use the object first, with the dead still in the table; or
//! reshape the whole heap first, so that nothing may rest on a chunk that is free.

use std::time::Duration;

use polyproc_ipc::{Acquired, BytesQueue, ErrorKind, Fabric, Lock, Report};
use polyproc_testkit::step::{Case, Mark, Point, Row, Table};

/// Small enough that a reshaping of the whole heap is cheap.
pub(crate) const CAP: u64 = 4 << 20;
/// What extents are made of.
pub(crate) const UNIT: usize = 64 << 10;
/// Longer than anything takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(40);
/// Message lengths: in the ring, in a chunk of a slab, in an extent.
pub(crate) const INLINE: usize = 40;
pub(crate) const SMALL: usize = 3 << 10;
pub(crate) const LARGE: usize = 100 << 10;
/// A chunk message of the size class of a lease entry, so that a chunk given back wrongly has a new holder soon.
pub(crate) const EXTRA: (u8, usize) = (200, 2300);
/// Points that a row takes in a routine run.
const SAMPLE: u64 = 150;

/// How many [`Turn`]s there are.
pub(crate) const TURNS: u64 = 3;

/// What the survivors do first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Sweep,
    Use,
    Reshape,
}

impl Turn {
    pub(crate) fn of(point: &Point) -> Turn {
        match point.turn % TURNS {
            0 => Turn::Sweep,
            1 => Turn::Use,
            _ => Turn::Reshape,
        }
    }
}

/// A case of which a routine run takes a sample.
pub(crate) fn case(object: &str, operation: &str) -> Case {
    sampled(Case::new(object, operation), SAMPLE)
}

/// A case of which a routine run takes about `sample` points. Each has its turn with every order of the survivors.
pub(crate) fn sampled(case: Case, sample: u64) -> Case {
    case.sample(sample).turns(TURNS).limit(Duration::from_secs(120)).max_steps(2_000_000)
}

pub(crate) fn fabric() -> Fabric {
    Fabric::builder().cap(CAP).private().expect("a small fabric")
}

/// A message whose every byte follows from its number.
pub(crate) fn message(id: u8, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at as u8).wrapping_mul(7) ^ (at >> 8) as u8 ^ id).collect()
}

/// The number of a message.
///
/// # Panics
/// If it is torn.
pub(crate) fn id_of(bytes: &[u8]) -> u8 {
    let id = *bytes.first().expect("a message is never empty here");
    assert!(bytes == message(id, bytes.len()), "message {id} of {} bytes is torn", bytes.len());
    id
}

/// Takes all that is there.
pub(crate) fn drain(queue: &BytesQueue) -> Vec<u8> {
    let mut ids = Vec::new();
    loop {
        match queue.try_get() {
            Ok(message) => ids.push(id_of(&message)),
            Err(error) if matches!(error.kind(), ErrorKind::Empty | ErrorKind::Closed) => return ids,
            Err(error) => panic!("the queue cannot be drained: {error:?}"),
        }
    }
}

/// Sweeps, and makes sure that no dead member is left.
pub(crate) fn sweep(fabric: &Fabric) -> usize {
    let swept = fabric.sweep().expect("a sweep");
    assert!(fabric.members().iter().all(|member| member.alive), "a dead member is left after the sweep");
    swept
}

/// The checker's report of a fabric in which nobody dead holds anything.
pub(crate) fn whole(fabric: &Fabric) -> Report {
    let report = fabric.check().expect("a check");
    assert!(report.is_whole(), "not whole: {:?}", report.problems);
    assert_eq!((report.unswept, report.unswept_chunks), (0, 0), "left by the dead: {report:?}");
    report
}

/// Takes the whole heap, writes to it and gives it back, first in single units and then in large extents: nothing that was free before is what it was. How many units
/// could be had. (Only when the very last unit is taken, the caller who finds no more sweeps by itself.)
pub(crate) fn reshape(any: &BytesQueue) -> usize {
    take(any, UNIT);
    take(any, CAP as usize / 2)
}

/// Takes chunks of this length and, when there are no more, of half of it, down to a unit.
fn take(any: &BytesQueue, mut len: usize) -> usize {
    let mut held = Vec::new();
    while len >= UNIT {
        match any.loan(len) {
            Ok(mut loan) => {
                loan.chunks_mut(UNIT).for_each(|unit| unit[..4096].fill(0xEE));
                held.push(loan);
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error:?}");
                len /= 2;
            }
        }
    }
    held.iter().map(|loan| loan.len() / UNIT).sum()
}

/// Puts the message that comes after all others.
pub(crate) fn put_extra(queue: &BytesQueue) {
    queue.put(&message(EXTRA.0, EXTRA.1)).expect("a put before the sweep");
}

/// Messages of each kind go through an empty queue.
pub(crate) fn exercise(queue: &BytesQueue) {
    for (id, len) in [(101, INLINE), (102, SMALL), (103, LARGE), (104, INLINE)] {
        queue.put(&message(id, len)).expect("a put by a survivor");
    }
    assert_eq!(drain(queue), [101, 102, 103, 104]);
}

/// Puts messages with these numbers, all of one length.
pub(crate) fn put_all(queue: &BytesQueue, ids: std::ops::Range<u8>, len: usize) {
    for id in ids {
        queue.put(&message(id, len)).expect("a put of the setup");
    }
}

/// A fabric with one queue.
pub(crate) struct Scene {
    pub(crate) fabric: Fabric,
    pub(crate) queue: BytesQueue,
}

impl Scene {
    pub(crate) fn new(setup: &dyn Fn(&Fabric) -> BytesQueue) -> Scene {
        let fabric = fabric();
        let queue = setup(&fabric);
        Scene { fabric, queue }
    }
}

/// What may be found: the messages in the queue, and by how many the chunks held may differ from before.
pub(crate) struct Outcome {
    pub(crate) label: &'static str,
    pub(crate) ids: Vec<u8>,
    pub(crate) held: &'static [isize],
}

pub(crate) fn outcome(label: &'static str, ids: impl IntoIterator<Item = u8>, held: &'static [isize]) -> Outcome {
    Outcome { label, ids: ids.into_iter().collect(), held }
}

/// What a queue may look like after a kill.
pub(crate) struct Verdict {
    pub(crate) outcomes: Vec<Outcome>,
    /// Chunks held before.
    pub(crate) held: usize,
    /// Chunks that may be held when the queue is drained and destroyed: its retired header, and lease entries.
    pub(crate) end: &'static [usize],
    /// Messages may be on lease to the dead: they are back when the fabric was swept, not before.
    pub(crate) leased: bool,
}

impl Verdict {
    pub(crate) fn new(setup: &dyn Fn(&Fabric) -> BytesQueue, outcomes: Vec<Outcome>, end: &'static [usize]) -> Verdict {
        let scene = Scene::new(setup);
        let held = whole(&scene.fabric).held_chunks;
        scene.queue.destroy().expect("the destruction of a trial queue");
        Verdict { outcomes, held, end, leased: false }
    }

    /// Judges what is left of the scene.
    pub(crate) fn judge(&self, scene: Scene, point: &Point) -> &'static str {
        let Scene { fabric, queue } = &scene;
        let turn = Turn::of(point);
        let mut report = None;
        match turn {
            Turn::Sweep => {
                sweep(fabric);
                report = Some(whole(fabric));
                reshape(queue);
            }
            Turn::Use => {
                put_extra(queue);
                if self.leased {
                    sweep(fabric);
                }
            }
            Turn::Reshape => {
                reshape(queue);
                sweep(fabric);
                report = Some(whole(fabric));
            }
        }
        let mut ids = drain(queue);
        if turn == Turn::Use {
            assert_eq!(ids.pop(), Some(EXTRA.0), "the last message is the one put last");
            sweep(fabric);
        }
        let Some(outcome) = self.outcomes.iter().find(|outcome| outcome.ids == ids) else { panic!("the queue holds {ids:?}") };
        if let Some(report) = report {
            let held = report.held_chunks as isize - self.held as isize;
            assert!(outcome.held.contains(&held), "{}: {held} chunks more are held than before, and not one of {:?}", outcome.label, outcome.held);
            assert_eq!(report.private_chunks, 0, "nobody alive holds a chunk of its own");
        }
        exercise(queue);
        finish(fabric, queue, self.end);
        outcome.label
    }

    pub(crate) fn labels(&self) -> Vec<&'static str> {
        self.outcomes.iter().map(|outcome| outcome.label).collect()
    }
}

/// Destroys the drained queue; nothing is left but what may be.
pub(crate) fn finish(fabric: &Fabric, queue: &BytesQueue, end: &[usize]) {
    queue.destroy().expect("the destruction of the queue");
    let report = whole(fabric);
    assert!(end.contains(&report.held_chunks), "{} chunks are held after the end, and not one of {end:?}", report.held_chunks);
    assert_eq!((report.private_chunks, report.members, report.objects), (0, 1, 0), "{report:?}");
}

/// Kills a member at every instruction of one operation on a queue.
pub(crate) fn on_queue(
    table: &mut Table,
    case: Case,
    setup: &dyn Fn(&Fabric) -> BytesQueue,
    operation: &dyn Fn(&BytesQueue, &Mark),
    outcomes: Vec<Outcome>,
    end: &'static [usize],
) -> Row {
    judged(table, case, setup, operation, &Verdict::new(setup, outcomes, end))
}

/// As [`on_queue`], with a verdict made before.
pub(crate) fn judged(table: &mut Table, case: Case, setup: &dyn Fn(&Fabric) -> BytesQueue, operation: &dyn Fn(&BytesQueue, &Mark), verdict: &Verdict) -> Row {
    table.run(
        &case.must_see(&verdict.labels()),
        || Scene::new(setup),
        |scene, mark| {
            scene.fabric.member().expect("the victim joins");
            operation(&scene.queue, mark);
        },
        |scene, point| verdict.judge(scene, point),
    )
}

/// Waits for a lock once, so that what the library finds out at its first wait (how many processors there are) is known in every victim, and not stepped through in
/// the first one only.
pub(crate) fn warm_up() {
    let fabric = fabric();
    let lock = Lock::new(&fabric).expect("a lock");
    one_dead(&fabric, || assert_eq!(lock.acquire(None).unwrap(), Acquired::Clean));
    assert_eq!(lock.acquire(None).unwrap(), Acquired::OwnerDied);
    lock.destroy().expect("the destruction of the lock");
}

/// A member that did `what` and was killed.
pub(crate) fn one_dead(fabric: &Fabric, what: impl FnOnce()) {
    polyproc_testkit::step::kill_after(1, |mark| {
        fabric.member().expect("the victim of the setup joins");
        what();
        mark.around(|| {});
    });
}

/// More steps, more done: none of `later` came before any of `earlier`. (At one point both may be, where another process takes part; of victims that went another way the number says nothing.)
pub(crate) fn assert_in_order(row: &Row, earlier: &str, later: &str) {
    let (last, first) = (row.points_of(earlier).iter().max(), row.points_of(later).iter().min());
    let in_order = last.is_none() || first.is_none() || last <= first;
    assert!(in_order || row.strayed > 0, "{}: \"{earlier}\" at {last:?} and \"{later}\" at {first:?} already", row.operation);
}
