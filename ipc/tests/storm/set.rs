//! A set: numbers that are added once, and taken out once, by whom ever, each by name or by whichever comes first.

use polyproc_ipc::{BytesSet, ErrorKind, Fabric};

use crate::fates::{END, Fates, PUT, TAKE};
use crate::kinds::{Kind, Worker, first_id, id_of, message, unless};
use crate::ledger::{Act, Dice, Page};

const ENOUGH: u64 = 80;

pub(crate) struct Elements {
    name: &'static str,
    /// Elements are taken out by what they are, so that every one can be accounted for; else also whichever comes first.
    by_name: bool,
    fates: Fates,
}

impl Elements {
    pub(crate) fn new(fabric: &Fabric, name: &'static str, by_name: bool) -> Elements {
        BytesSet::create(fabric, name).expect("a set");
        Elements { name, by_name, fates: Fates::default() }
    }
}

struct User {
    by_name: bool,
    set: BytesSet,
    next: u64,
}

impl Kind for Elements {
    fn name(&self) -> &'static str {
        self.name
    }

    fn worker(&self, fabric: &Fabric, serial: u64) -> Box<dyn Worker> {
        Box::new(User { by_name: self.by_name, set: BytesSet::open(fabric, self.name).expect("the set"), next: first_id(self.name(), serial) })
    }

    fn enter(&mut self, acts: &[Act]) {
        for act in acts {
            self.fates.enter(act);
        }
    }

    fn verdict(&mut self, fabric: &Fabric) -> String {
        let set = BytesSet::open(fabric, self.name).expect("the set");
        let left = set.snapshot().expect("all elements");
        assert_eq!(left.len(), set.len(), "the set says it has another number of elements");
        for element in &left {
            self.fates.end(id_of(element));
        }
        format!("{}, {} of them left at the end", self.fates.verdict(self.name), left.len())
    }
}

impl Worker for User {
    fn step(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        let short = [ErrorKind::OutOfMemory];
        if (self.set.len() as u64) < dice.below(2 * ENOUGH) {
            self.next += 1;
            ledger.intend(PUT, self.next, 1);
            let added = unless(self.set.add(&message(self.next)), &short);
            assert_ne!(added, Some(false), "{:#x} was there before it was added", self.next);
            ledger.done(u64::from(added.is_some()));
        } else if !self.by_name && dice.below(2) == 0 {
            ledger.intend(TAKE, 1, 0);
            if let Some(element) = unless(self.set.pop(), &[ErrorKind::NotFound, ErrorKind::OutOfMemory]) {
                ledger.note(id_of(&element));
            }
            ledger.done(0);
        } else {
            let all = unless(self.set.snapshot(), &short).unwrap_or_default();
            let Some(element) = all.get(dice.below(all.len() as u64) as usize) else { return };
            ledger.intend(END, id_of(element), 0);
            let was_there = unless(self.set.discard(element), &short);
            ledger.done(u64::from(was_there == Some(true)));
        }
    }
}
