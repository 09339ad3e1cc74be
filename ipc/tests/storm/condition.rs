//! A bounded buffer in shared memory, under a lock with two conditions: what is put arrives once, and nobody stays stuck, neither by a killed owner nor by a killed one who was notified.

use std::path::{Path, PathBuf};
use std::time::Duration;

use polyproc_ipc::{Array, Condition, ConditionGuard, Fabric, Lock, LockError, Locking};

use crate::LONG;
use crate::fates::{END, Fates, PUT};
use crate::increments::held;
use crate::kinds::{Kind, Worker, first_id};
use crate::ledger::{Act, Dice, Page};
use crate::patience::Patience;

const LOCK: &str = "buffer-lock";
const FILLED: &str = "buffer-filled";
const EMPTIED: &str = "buffer-emptied";
const BUFFER: &str = "buffer";
const ROOM: u64 = 4;
/// Cells of the buffer: how many were ever got, how many ever put, and the last of those.
const GOT: usize = 0;
const GIVEN: usize = 1;
const FIRST: usize = 2;

pub(crate) struct Buffer {
    dir: PathBuf,
    items: Fates,
}

impl Buffer {
    pub(crate) fn new(fabric: &Fabric, dir: &Path) -> Buffer {
        let lock = Lock::create(fabric, LOCK).expect("a lock");
        for name in [FILLED, EMPTIED] {
            Condition::create_on(fabric, name, &lock.ticket()).expect("a condition");
        }
        Array::create_with(fabric, BUFFER, &[0_u64; FIRST + ROOM as usize], Locking::None).expect("a buffer");
        Buffer { dir: dir.to_owned(), items: Fates::default() }
    }
}

impl Kind for Buffer {
    fn name(&self) -> &'static str {
        "conditions and buffer"
    }

    fn worker(&self, fabric: &Fabric, serial: u64) -> Box<dyn Worker> {
        let condition = |name| Condition::open(fabric, name).expect("the condition");
        let buffer = Array::open(fabric, BUFFER).expect("the buffer");
        let next = first_id(self.name(), serial);
        Box::new(Trader { filled: condition(FILLED), emptied: condition(EMPTIED), buffer, next, patience: Patience::new(fabric, &self.dir) })
    }

    fn enter(&mut self, acts: &[Act]) {
        for act in acts {
            self.items.enter(act);
        }
    }

    fn verdict(&mut self, fabric: &Fabric) -> String {
        let buffer = Array::<u64>::open(fabric, BUFFER).expect("the buffer").unlocked().to_vec().expect("the cells");
        let left = buffer[GOT]..buffer[GIVEN];
        left.clone().for_each(|number| self.items.end(buffer[FIRST + (number % ROOM) as usize]));
        format!("{}, {} of them left at the end", self.items.verdict(self.name()), left.count())
    }
}

struct Trader {
    filled: Condition,
    emptied: Condition,
    buffer: Array<u64>,
    next: u64,
    patience: Patience,
}

impl Trader {
    fn cell(&self, place: usize) -> u64 {
        self.buffer.load(place).expect("a cell")
    }

    /// The lock, once `ready`. One store commits each change of the buffer, so a death leaves nothing to be repaired; but those whom it would have notified must be told.
    fn until<'a>(
        &self,
        condition: &'a Condition,
        ready: impl Fn() -> bool,
        wait: impl FnOnce(&mut dyn FnMut(Duration) -> Option<()>) -> Option<()>,
    ) -> Option<ConditionGuard<'a>> {
        let (mut guard, told) = held(condition.lock_timeout(LONG));
        let tell = || [&self.filled, &self.emptied].map(|condition| condition.notify_all().expect("a notification"));
        if told {
            tell();
        }
        let came = ready().then_some(()).or_else(|| {
            wait(&mut |slice| match guard.wait_for(&ready, Some(slice)) {
                Ok(came) => came.then_some(()),
                Err(LockError::OwnerDied(_)) => {
                    tell();
                    ready().then_some(())
                }
                Err(LockError::Failed(error)) => panic!("a wait failed: {error:?}"),
            })
        });
        came.map(|()| guard)
    }
}

impl Worker for Trader {
    fn step(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        let (put, next) = (dice.below(2) == 0, self.next);
        let full = || self.cell(GIVEN) - self.cell(GOT) == ROOM;
        let empty = || self.cell(GIVEN) == self.cell(GOT);
        let wait = |wait: &mut dyn FnMut(Duration) -> Option<()>| self.patience.wait("buffer", wait);
        let (place, other) = if put { (GIVEN, &self.filled) } else { (GOT, &self.emptied) };
        let guard = if put { self.until(&self.emptied, || !full(), wait) } else { self.until(&self.filled, || !empty(), wait) };
        let Some(guard) = guard else { return };
        let number = self.cell(place);
        let slot = FIRST + (number % ROOM) as usize;
        if put {
            self.buffer.store(slot, next).expect("a cell");
            ledger.intend(PUT, next, 1);
        } else {
            ledger.intend(END, self.cell(slot), 0);
        }
        self.buffer.store(place, number + 1).expect("a cell");
        other.notify(1).expect("a notification");
        drop(guard);
        self.next += u64::from(put);
        ledger.done(1);
    }
}
