//! A number in two places of which each value is made by one worker, under a lock: the verdict that every kind of lock shares.
//!
//! A value made twice would mean that two held the lock at once; one made by nobody, that an increment was lost. Whoever dies between the two places leaves them unequal, and
//! the next owner must be told.

use std::thread;
use std::time::Duration;

use polyproc_ipc::{Array, Fabric, LockError, Locking};

use crate::ledger::{Act, Dice, Page};

pub(crate) const ADD: u8 = 1;

/// What the workers wrote down of it.
#[derive(Default)]
pub(crate) struct Increments {
    /// By value: how many made it, and how many died while they may have made it.
    values: Vec<(u32, u32)>,
    told: u64,
}

impl Increments {
    pub(crate) fn enter(&mut self, act: &Act) {
        let value = act.a as usize;
        if self.values.len() <= value {
            self.values.resize(value + 1, (0, 0));
        }
        let (done, perhaps) = &mut self.values[value];
        *if act.done.is_some() { done } else { perhaps } += 1;
        self.told += act.b;
    }

    /// # Panics
    /// If a value up to the last was not made once, or one after it was made.
    pub(crate) fn verdict(&self, last: u64) -> String {
        for (value, &(done, perhaps)) in self.values.iter().enumerate().skip(1) {
            let good = if value as u64 > last { done == 0 } else { done == 1 || done == 0 && perhaps > 0 };
            assert!(good, "{value} of {last} was made {done} times, and perhaps {perhaps} times more");
        }
        assert!(last == 0 || last < self.values.len() as u64, "the counter says {last}, and nobody wrote that down");
        format!("{last} increments, {} times told of a death", self.told)
    }
}

/// The two places, in shared memory and with no lock of their own.
pub(crate) struct Pair(Array<u64>);

impl Pair {
    pub(crate) fn create(fabric: &Fabric, name: &str) -> Pair {
        Pair(Array::create_with(fabric, &Pair::name(name), &[0, 0], Locking::None).expect("a pair"))
    }

    pub(crate) fn open(fabric: &Fabric, name: &str) -> Pair {
        Pair(Array::open(fabric, &Pair::name(name)).expect("the pair"))
    }

    fn name(of: &str) -> String {
        format!("{of}-pair")
    }

    /// The value, for who holds the lock for reading.
    ///
    /// # Panics
    /// If the places differ and the lock told of no death.
    pub(crate) fn value(&self, told: bool) -> u64 {
        let [first, second] = [0, 1].map(|place| self.0.load(place).expect("a place"));
        assert!(first == second || told && first == second + 1, "{first} and {second}, and the lock {} of a death", if told { "told" } else { "did not tell" });
        first
    }

    /// The same, for who may write: the places are one again.
    pub(crate) fn settle(&self, told: bool) -> u64 {
        let value = self.value(told);
        self.0.store(1, value).expect("a place");
        value
    }

    /// One more, `between` the two places whatever is to be tried there.
    pub(crate) fn add(&self, told: bool, dice: &mut Dice, ledger: &mut Page<'_>, between: impl FnOnce()) {
        let next = self.settle(told) + 1;
        ledger.intend(ADD, next, u64::from(told));
        self.0.store(0, next).expect("a place");
        if dice.below(200) == 0 {
            thread::sleep(Duration::from_millis(1)); // so that many are killed just here
        }
        between();
        self.0.store(1, next).expect("a place");
        ledger.done(0);
    }
}

/// The guard, and whether the last owner died with the lock.
///
/// # Panics
/// If the lock failed.
#[track_caller]
pub(crate) fn held<G>(locked: Result<G, LockError<G>>) -> (G, bool) {
    match locked {
        Ok(guard) => (guard, false),
        Err(LockError::OwnerDied(guard)) => (guard, true),
        Err(LockError::Failed(error)) => panic!("the lock cannot be had: {error:?}"),
    }
}
