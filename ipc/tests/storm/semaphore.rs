//! A bounded semaphore: never are more permits held than there are, and those of the killed come back.
//!
//! Each member marks in a place of its own how many it holds, from after it acquired them until before it releases them. Two looks at all places that see the same marks show what was
//! held at one moment between them; whoever is dead counts no more, for its permits may be free already.

use std::time::Duration;

use polyproc_ipc::{Array, BoundedSemaphore, ErrorKind, Fabric, Locking, Owner};

use crate::LONG;
use crate::kinds::{Kind, Worker, unless};
use crate::ledger::{Act, Dice, Page};

const NAME: &str = "semaphore";
const MARKS: &str = "semaphore-marks";
const PERMITS: u32 = 3;
/// As many as a fabric has places for members.
const PLACES: usize = 1024;
const HOLD: u8 = 1;
const MOMENT: Duration = Duration::from_millis(2);

#[derive(Default)]
pub(crate) struct Permits {
    held: u64,
    together: u64,
}

impl Permits {
    pub(crate) fn new(fabric: &Fabric) -> Permits {
        BoundedSemaphore::create(fabric, NAME, PERMITS).expect("a semaphore");
        Array::create_with(fabric, MARKS, &[0_u64; PLACES], Locking::None).expect("the marks");
        Permits::default()
    }
}

/// A mark: whose it is (32 bits of generation, the slot is its place), how often that one marked (24 bits), how many it holds (8 bits).
struct Holder {
    fabric: Fabric,
    semaphore: BoundedSemaphore,
    marks: Array<u64>,
    marked: u64,
}

impl Kind for Permits {
    fn name(&self) -> &'static str {
        "semaphore"
    }

    fn worker(&self, fabric: &Fabric, _serial: u64) -> Box<dyn Worker> {
        let semaphore = BoundedSemaphore::open(fabric, NAME).expect("the semaphore");
        Box::new(Holder { fabric: fabric.clone(), semaphore, marks: Array::open(fabric, MARKS).expect("the marks"), marked: 0 })
    }

    fn enter(&mut self, acts: &[Act]) {
        for act in acts {
            self.held += 1;
            self.together += u64::from(act.done.is_some_and(|held| held == u64::from(PERMITS)));
        }
    }

    fn verdict(&mut self, fabric: &Fabric) -> String {
        let semaphore = BoundedSemaphore::open(fabric, NAME).expect("the semaphore");
        let value = semaphore.value().expect("its value");
        assert_eq!(value, PERMITS, "permits of the dead are not free, or there are more than ever were");
        format!("acquired {} times, all {PERMITS} seen held {} times; all are free", self.held, self.together)
    }
}

impl Holder {
    fn mark(&mut self, count: u32) {
        let me = self.fabric.member().expect("a place in the table");
        self.marked += 1;
        let mark = u64::from(me.generation()) << 32 | (self.marked & 0xFF_FFFF) << 8 | u64::from(count);
        self.marks.store(me.slot(), mark).expect("a mark");
    }

    /// The permits that were held at one moment of this call, if they stood still for one.
    fn seen(&self) -> Option<u64> {
        let look = || {
            let marks = self.marks.unlocked().to_vec().expect("the marks");
            let alive = |place: usize, mark: u64| self.fabric.alive(Owner::from_bits(mark >> 32 << 32 | (place as u64 + 1)));
            let held = marks.into_iter().enumerate().filter(|&(place, mark)| mark & 0xFF > 0 && alive(place, mark));
            held.collect::<Vec<_>>()
        };
        let first = look();
        (first == look()).then(|| first.iter().map(|(_, mark)| mark & 0xFF).sum())
    }
}

impl Worker for Holder {
    fn step(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        let count = 1 + dice.below(3) as u32 / 2;
        let wait = if dice.below(2) == 0 { MOMENT } else { LONG };
        // Who waits for many may be overtaken again and again.
        let wait = if count == 1 { wait } else { MOMENT };
        let acquired = unless(self.semaphore.acquire_many(count, Some(wait)), &[ErrorKind::Timeout, ErrorKind::OutOfMemory]);
        if acquired.is_none() {
            assert!(wait < LONG, "no permit came in a long time");
            return;
        }
        ledger.intend(HOLD, u64::from(count), 0);
        self.mark(count);
        let seen = self.seen();
        assert!(seen.is_none_or(|seen| seen <= u64::from(PERMITS)), "{seen:?} permits are held of {PERMITS}");
        self.mark(0);
        self.semaphore.release(count).expect("a release");
        ledger.done(seen.unwrap_or(0));
    }
}
