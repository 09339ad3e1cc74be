//! A dict: every worker has keys of its own, whose last value its ledger says; and counters that all share, exact but for the one step that each killed worker had in flight.
//!
//! The controller looks at a worker's keys when it is reaped, and takes them out: so entries come and go in the middle of the storm.

use std::collections::HashMap;

use polyproc_ipc::{BytesDict, ErrorKind, Fabric, codec};

use crate::kinds::{Kind, Worker, first_id, id_of, message, unless};
use crate::ledger::{Act, Dice, Page};

const NAME: &str = "dict";
const KEYS: u64 = 6;
const COUNTERS: usize = 4;
const SET: u8 = 1;
const DELETE: u8 = 2;
/// The counters' operations begin here.
const FIRST: u8 = 8;

pub(crate) struct Entries {
    dict: BytesDict,
    acts: u64,
    /// By counter: what was added, and what may have been added besides.
    counters: [(u64, u64); COUNTERS],
}

impl Entries {
    pub(crate) fn new(fabric: &Fabric) -> Entries {
        Entries { dict: BytesDict::create(fabric, NAME).expect("a dict"), acts: 0, counters: [(0, 0); COUNTERS] }
    }
}

/// A worker's key: `a` of an act is its number.
fn key(number: u64) -> Vec<u8> {
    format!("{number:#x} {}", "-".repeat((number % 90) as usize)).into_bytes()
}

fn counter(number: usize) -> Vec<u8> {
    format!("counter {number}").into_bytes()
}

fn number(bytes: &[u8]) -> u64 {
    codec::decode(bytes).expect("a number")
}

fn value_of(dict: &BytesDict, key: &[u8]) -> Option<u64> {
    dict.get(key).expect("an answer").map(|value| id_of(&value))
}

impl Kind for Entries {
    fn name(&self) -> &'static str {
        "dict"
    }

    fn worker(&self, fabric: &Fabric, serial: u64) -> Box<dyn Worker> {
        let dict = BytesDict::open(fabric, NAME).expect("the dict");
        Box::new(Writer { dict, first: serial << 8, next: first_id(self.name(), serial), mine: HashMap::new() })
    }

    fn enter(&mut self, acts: &[Act]) {
        // By key: the values that it may have. A value that was refused for want of memory is the one before.
        let mut keys: HashMap<u64, Vec<Option<u64>>> = HashMap::new();
        for act in acts {
            self.acts += 1;
            if act.op >= FIRST {
                let (done, perhaps) = &mut self.counters[usize::from(act.op - FIRST)];
                *if act.done.is_some() { done } else { perhaps } += act.done.unwrap_or(1) * act.a;
                continue;
            }
            let after = (act.op == SET).then_some(act.b);
            let may_be = keys.entry(act.a).or_insert_with(|| vec![None]);
            match act.done {
                Some(0) => {}
                Some(_) => *may_be = vec![after],
                None => may_be.push(after),
            }
        }
        for (number, may_be) in keys {
            let found = value_of(&self.dict, &key(number));
            assert!(may_be.contains(&found), "key {number:#x} has {found:x?} and must have one of {may_be:x?}");
            self.dict.take(&key(number)).expect("it is taken out");
        }
    }

    fn verdict(&mut self, _fabric: &Fabric) -> String {
        let mut sum = 0;
        for (place, (done, perhaps)) in self.counters.into_iter().enumerate() {
            let value = self.dict.get(&counter(place)).expect("an answer").map_or(0, |value| number(&value));
            assert!((done..=done + perhaps).contains(&value), "counter {place} has {value}; added were {done}, and perhaps {perhaps}");
            sum += value;
        }
        let left: Vec<_> = self.dict.snapshot().expect("all entries").into_iter().filter(|(key, _)| !key.starts_with(b"counter")).collect();
        assert!(left.is_empty() && self.dict.len() <= COUNTERS, "{left:?} are left, and nobody wrote them down");
        format!("{} acts; counters of {sum}", self.acts)
    }
}

struct Writer {
    dict: BytesDict,
    first: u64,
    next: u64,
    mine: HashMap<u64, u64>,
}

impl Worker for Writer {
    fn step(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        let short = [ErrorKind::OutOfMemory];
        match dice.below(8) {
            0..3 => {
                let (place, more) = (dice.below(COUNTERS as u64) as usize, 1 + dice.below(3));
                ledger.intend(FIRST + place as u8, more, 0);
                let done = unless(self.dict.increment(&counter(place), more as i64), &short);
                ledger.done(u64::from(done.is_some()));
            }
            3 => {
                // What others have may be anything, but whole.
                for (key, value) in unless(self.dict.snapshot(), &short).unwrap_or_default() {
                    if key.starts_with(b"counter") {
                        number(&value)
                    } else {
                        id_of(&value)
                    };
                }
            }
            act => self.own(act == 4, dice, ledger),
        }
    }
}

impl Writer {
    fn own(&mut self, delete: bool, dice: &mut Dice, ledger: &mut Page<'_>) {
        let short = [ErrorKind::OutOfMemory];
        let number = self.first + dice.below(KEYS);
        let name = key(number);
        let before = self.dict.get_versioned(&name).expect("an answer");
        assert_eq!(before.as_ref().map(|(value, _)| id_of(value)), self.mine.get(&number).copied(), "key {number:#x} is this worker's alone");
        let version = before.map(|(_, version)| version);
        if delete {
            ledger.intend(DELETE, number, 0);
            let taken = unless(self.dict.take(&name), &short);
            ledger.done(u64::from(taken.is_some()));
            if let Some(value) = taken {
                assert_eq!(value.map(|value| id_of(&value)), self.mine.remove(&number));
            }
            return;
        }
        self.next += 1;
        ledger.intend(SET, number, self.next);
        let message = message(self.next);
        let set = if dice.below(2) == 0 {
            unless(self.dict.set(&name, &message), &short)
        } else {
            unless(self.dict.compare_and_set(&name, version, &message), &short).map(|set| set.expect("nobody else changes this key"))
        };
        ledger.done(u64::from(set.is_some()));
        if set.is_some() {
            self.mine.insert(number, self.next);
        }
    }
}
