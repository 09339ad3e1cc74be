//! A lock for many readers or one writer around a pair: writers make its halves unequal and equal again, readers must see them equal, unless they are told that a writer died.

use polyproc_ipc::{ErrorKind, Fabric, LockError, RwLock};

use crate::LONG;
use crate::increments::{Increments, Pair, held};
use crate::kinds::{Kind, Worker};
use crate::ledger::{Act, Dice, Page};

const NAME: &str = "rwlock";
const READ: u8 = 2;

pub(crate) struct Shared {
    increments: Increments,
    reads: u64,
    told: u64,
}

impl Shared {
    pub(crate) fn new(fabric: &Fabric) -> Shared {
        RwLock::create(fabric, NAME).expect("a lock");
        Pair::create(fabric, NAME);
        Shared { increments: Increments::default(), reads: 0, told: 0 }
    }
}

struct User {
    lock: RwLock,
    pair: Pair,
}

impl Kind for Shared {
    fn name(&self) -> &'static str {
        "rwlock"
    }

    fn worker(&self, fabric: &Fabric, _serial: u64) -> Box<dyn Worker> {
        Box::new(User { lock: RwLock::open(fabric, NAME).expect("the lock"), pair: Pair::open(fabric, NAME) })
    }

    fn enter(&mut self, acts: &[Act]) {
        for act in acts {
            if act.op == READ {
                self.reads += 1;
                self.told += act.a;
            } else {
                self.increments.enter(act);
            }
        }
    }

    fn verdict(&mut self, fabric: &Fabric) -> String {
        let lock = RwLock::open(fabric, NAME).expect("the lock");
        assert_eq!((lock.readers(), lock.writer()), (0, None), "somebody dead still holds it");
        let (guard, told) = held(lock.try_write());
        let increments = self.increments.verdict(Pair::open(fabric, NAME).settle(told));
        drop(guard);
        assert!(!held(lock.try_read()).1, "a death is told after a writer was told");
        format!("{increments}; {} reads, {} of them told", self.reads, self.told)
    }
}

impl Worker for User {
    fn step(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        if dice.below(3) == 0 {
            let (_guard, told) = held(self.lock.write_timeout(LONG));
            return self.pair.add(told, dice, ledger, || {});
        }
        let locked = match self.lock.try_read() {
            Err(LockError::Failed(error)) if error.kind() == ErrorKind::Timeout => self.lock.read_timeout(LONG),
            at_once => at_once,
        };
        let (_guard, told) = held(locked);
        self.pair.value(told);
        ledger.intend(READ, u64::from(told), 0);
        self.pair.value(told);
        ledger.done(0);
    }
}
