//! A lock around a counter that is written in two places, one after the other: whoever dies between the two leaves it torn, and the next owner is told and repairs it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use polyproc_ipc::{Fabric, Lock};

use crate::LONG;
use crate::increments::{ADD, Increments, held};
use crate::kinds::{Kind, Worker};
use crate::ledger::{Act, Dice, Page};

const NAME: &str = "counter";

pub(crate) struct Counter {
    path: PathBuf,
    increments: Increments,
}

/// The two places.
struct Both(File);

impl Both {
    fn open(path: &Path) -> Both {
        Both(OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).expect("the counter"))
    }

    fn get(&self) -> (u64, u64) {
        let mut bytes = [0; 16];
        self.0.read_exact_at(&mut bytes, 0).expect("the counter can be read");
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        (word(0), word(8))
    }

    fn set(&self, place: u64, value: u64) {
        self.0.write_all_at(&value.to_le_bytes(), place * 8).expect("the counter can be written");
    }

    /// Makes the two places one again if the last owner died; the value.
    fn settle(&self, told: bool) -> u64 {
        let (first, second) = self.get();
        assert!(first == second || told && first == second + 1, "{first} and {second}, and the lock {} of a death", if told { "told" } else { "did not tell" });
        self.set(1, first);
        first
    }
}

impl Counter {
    pub(crate) fn new(fabric: &Fabric, dir: &Path) -> Counter {
        Lock::create(fabric, NAME).expect("a lock");
        let path = dir.join("counter");
        let both = Both::open(&path);
        both.set(0, 0);
        both.set(1, 0);
        Counter { path, increments: Increments::default() }
    }
}

struct Adder {
    lock: Lock,
    both: Both,
}

impl Kind for Counter {
    fn name(&self) -> &'static str {
        "lock and counter"
    }

    fn worker(&self, fabric: &Fabric, _serial: u64) -> Box<dyn Worker> {
        Box::new(Adder { lock: Lock::open(fabric, NAME).expect("the lock"), both: Both::open(&self.path) })
    }

    fn enter(&mut self, acts: &[Act]) {
        for act in acts {
            self.increments.enter(act);
        }
    }

    fn verdict(&mut self, fabric: &Fabric) -> String {
        let lock = Lock::open(fabric, NAME).expect("the lock");
        let (_guard, told) = held(lock.lock_timeout(LONG));
        let last = Both::open(&self.path).settle(told);
        self.increments.verdict(last)
    }
}

impl Worker for Adder {
    fn step(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        let (_guard, told) = held(self.lock.lock_timeout(LONG));
        let next = self.both.settle(told) + 1;
        ledger.intend(ADD, next, u64::from(told));
        self.both.set(0, next);
        if dice.below(200) == 0 {
            thread::sleep(Duration::from_millis(1)); // so that many are killed just here
        }
        self.both.set(1, next);
        ledger.done(0);
    }
}
