//! A recursive lock around a pair, taken again and given back in the middle of a change: whoever dies at any depth leaves it to one who is told.

use polyproc_ipc::{Fabric, RLock};

use crate::LONG;
use crate::increments::{Increments, Pair, held};
use crate::kinds::{Kind, Worker};
use crate::ledger::{Act, Dice, Page};

const NAME: &str = "rlock";

pub(crate) struct Recursive(Increments);

impl Recursive {
    pub(crate) fn new(fabric: &Fabric) -> Recursive {
        RLock::create(fabric, NAME).expect("a lock");
        Pair::create(fabric, NAME);
        Recursive(Increments::default())
    }
}

struct Adder {
    lock: RLock,
    pair: Pair,
}

impl Kind for Recursive {
    fn name(&self) -> &'static str {
        "rlock"
    }

    fn worker(&self, fabric: &Fabric, _serial: u64) -> Box<dyn Worker> {
        Box::new(Adder { lock: RLock::open(fabric, NAME).expect("the lock"), pair: Pair::open(fabric, NAME) })
    }

    fn enter(&mut self, acts: &[Act]) {
        for act in acts {
            self.0.enter(act);
        }
    }

    fn verdict(&mut self, fabric: &Fabric) -> String {
        let lock = RLock::open(fabric, NAME).expect("the lock");
        let (_guard, told) = held(lock.lock_timeout(LONG));
        assert_eq!(lock.depth(), 1, "the lock was left in some depth");
        self.0.verdict(Pair::open(fabric, NAME).settle(told))
    }
}

impl Worker for Adder {
    fn step(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        let (_outer, told) = held(self.lock.lock_timeout(LONG));
        assert_eq!(self.lock.depth(), 1, "the depth of whoever died is left");
        let depth = dice.below(4);
        self.pair.add(told, dice, ledger, || {
            let inner: Vec<_> = (0..depth).map(|_| self.lock.try_lock().expect("the own lock, again")).collect();
            assert_eq!(self.lock.depth(), 1 + depth);
            drop(inner);
            assert_eq!(self.lock.depth(), 1);
        });
    }
}
