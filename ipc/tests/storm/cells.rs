//! Values and arrays: a pair under an array's own lock, and sums by atomic additions, exact but for the one that each killed worker had in flight.

use polyproc_ipc::{Array, Fabric, Value};

use crate::LONG;
use crate::increments::{ADD, Increments, held};
use crate::kinds::{Kind, Worker};
use crate::ledger::{Act, Dice, Page};

const PAIR: &str = "cells-pair";
const SUM: &str = "cells-sum";
const SUMS: &str = "cells-sums";
/// The additions' operations begin here: the value, then the cells of the array.
const FIRST: u8 = 8;
const PLACES: usize = 9;

pub(crate) struct Cells {
    increments: Increments,
    /// By place: what was added, and what may have been added besides.
    sums: [(u64, u64); PLACES],
}

impl Cells {
    pub(crate) fn new(fabric: &Fabric) -> Cells {
        Array::create(fabric, PAIR, &[0_u64, 0]).expect("an array");
        Value::create(fabric, SUM, 0_u64).expect("a value");
        Array::<u64>::create_zeroed(fabric, SUMS, PLACES - 1).expect("an array");
        Cells { increments: Increments::default(), sums: [(0, 0); PLACES] }
    }
}

struct User {
    pair: Array<u64>,
    sum: Value<u64>,
    sums: Array<u64>,
}

impl User {
    fn open(fabric: &Fabric) -> User {
        User {
            pair: Array::open(fabric, PAIR).expect("the pair"),
            sum: Value::open(fabric, SUM).expect("the value"),
            sums: Array::open(fabric, SUMS).expect("the array"),
        }
    }

    fn load(&self, place: usize) -> u64 {
        if place == 0 { self.sum.load().expect("the value") } else { self.sums.load(place - 1).expect("a cell") }
    }

    /// The pair's value; under its lock.
    fn settle(&self, told: bool) -> u64 {
        let pair = self.pair.unlocked().to_vec().expect("the pair");
        assert!(pair[0] == pair[1] || told && pair[0] == pair[1] + 1, "{pair:?}, and the lock {} of a death", if told { "told" } else { "did not tell" });
        pair[0]
    }
}

impl Kind for Cells {
    fn name(&self) -> &'static str {
        "values and arrays"
    }

    fn worker(&self, fabric: &Fabric, _serial: u64) -> Box<dyn Worker> {
        Box::new(User::open(fabric))
    }

    fn enter(&mut self, acts: &[Act]) {
        for act in acts {
            if act.op == ADD {
                self.increments.enter(act);
            } else {
                let (done, perhaps) = &mut self.sums[usize::from(act.op - FIRST)];
                *if act.done.is_some() { done } else { perhaps } += act.a;
            }
        }
    }

    fn verdict(&mut self, fabric: &Fabric) -> String {
        let user = User::open(fabric);
        for (place, &(done, perhaps)) in self.sums.iter().enumerate() {
            let sum = user.load(place);
            assert!((done..=done + perhaps).contains(&sum), "cell {place} has {sum}; added were {done}, and perhaps {perhaps}");
        }
        let (_guard, told) = held(user.pair.lock_timeout(LONG));
        let pair = self.increments.verdict(user.settle(told));
        let (done, perhaps) = self.sums.iter().fold((0, 0), |all, sum| (all.0 + sum.0, all.1 + sum.1));
        format!("a pair of {pair}; sums of {done}, of {perhaps} it is not known")
    }
}

impl Worker for User {
    fn step(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        if dice.below(3) == 0 {
            let (guard, told) = held(self.pair.lock_timeout(LONG));
            let next = self.settle(told) + 1;
            ledger.intend(ADD, next, u64::from(told));
            guard.set(0, next).expect("the first half");
            guard.set(1, next).expect("the second half");
            return ledger.done(0);
        }
        let (place, more) = (dice.below(PLACES as u64) as usize, 1 + dice.below(9));
        ledger.intend(FIRST + place as u8, more, 0);
        match (place, dice.below(2)) {
            (0, 0) => drop(self.sum.fetch_add(more).expect("an addition")),
            (0, _) => {
                let mut current = self.sum.load().expect("the value");
                while let Err(other) = self.sum.compare_exchange(current, current + more).expect("an exchange") {
                    current = other;
                }
            }
            _ => drop(self.sums.fetch_add(place - 1, more).expect("an addition")),
        }
        ledger.done(0);
    }
}
