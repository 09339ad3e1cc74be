//! A list: numbers that are put in once, at the end, in front and in the middle, one or several, and taken out once, from anywhere.

use polyproc_ipc::{BytesList, ErrorKind, Fabric, ListItem};

use crate::fates::{END, Fates, PUT, TAKE};
use crate::kinds::{Kind, Worker, first_id, id_of, message, unless};
use crate::ledger::{Act, Dice, Page};

/// More than stand in one block.
const ENOUGH: u64 = 600;
/// Items of so many bytes stand in the list itself.
const INLINE: usize = 7;

pub(crate) struct Items {
    name: &'static str,
    /// Items are removed by what they are, so that every one can be accounted for; else whichever stands somewhere is popped.
    by_name: bool,
    fates: Fates,
}

impl Items {
    pub(crate) fn new(fabric: &Fabric, name: &'static str, by_name: bool) -> Items {
        BytesList::create(fabric, name).expect("a list");
        Items { name, by_name, fates: Fates::default() }
    }
}

/// Every second item is short.
fn item(id: u64) -> Vec<u8> {
    if id.is_multiple_of(2) { id.to_le_bytes()[..INLINE].to_vec() } else { message(id) }
}

fn id(kind: &str, item: &[u8]) -> u64 {
    if item.len() > INLINE {
        return id_of(item);
    }
    let mut bytes = first_id(kind, 0).to_le_bytes();
    bytes[..INLINE].copy_from_slice(item);
    u64::from_le_bytes(bytes)
}

impl Kind for Items {
    fn name(&self) -> &'static str {
        self.name
    }

    fn worker(&self, fabric: &Fabric, serial: u64) -> Box<dyn Worker> {
        let list = BytesList::open(fabric, self.name).expect("the list");
        Box::new(User { name: self.name, by_name: self.by_name, list, next: first_id(self.name, serial) })
    }

    fn enter(&mut self, acts: &[Act]) {
        for act in acts {
            self.fates.enter(act);
        }
    }

    fn verdict(&mut self, fabric: &Fabric) -> String {
        let left = BytesList::open(fabric, self.name).and_then(|list| list.to_vec()).expect("all items");
        for item in &left {
            self.fates.end(id(self.name, item));
        }
        format!("{}, {} of them left at the end", self.fates.verdict(self.name), left.len())
    }
}

struct User {
    name: &'static str,
    by_name: bool,
    list: BytesList,
    next: u64,
}

impl Worker for User {
    fn step(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        let len = self.list.len().expect("its length") as u64;
        match dice.below(30) {
            // All are moved, and none comes or goes.
            0 => drop(unless(self.list.reverse(), &[ErrorKind::OutOfMemory])),
            1 => drop(unless(self.list.get(dice.below(len) as i64), &[ErrorKind::InvalidArgument]).map(|item| id(self.name, &item))),
            _ if len < dice.below(2 * ENOUGH) => self.put(len, dice, ledger),
            _ if self.by_name => self.remove(len, dice, ledger),
            _ => self.take(len, dice, ledger),
        }
    }
}

impl User {
    fn put(&mut self, len: u64, dice: &mut Dice, ledger: &mut Page<'_>) {
        let count = if dice.below(4) == 0 { 1 + dice.below(40) } else { 1 };
        let first = self.next;
        self.next += count;
        let bytes: Vec<Vec<u8>> = (first..self.next).map(item).collect();
        let items: Vec<ListItem<'_>> = bytes.iter().map(ListItem::from).collect();
        let at = dice.below(len + 1) as i64;
        ledger.intend(PUT, first, count);
        let put = match dice.below(3) {
            0 if count == 1 => self.list.append(items[0]),
            1 if count == 1 => self.list.insert(at, items[0]),
            0 => self.list.extend(&items),
            _ => self.list.set_slice(at..at, &items),
        };
        ledger.done(if unless(put, &[ErrorKind::OutOfMemory]).is_some() { count } else { 0 });
    }

    fn remove(&mut self, len: u64, dice: &mut Dice, ledger: &mut Page<'_>) {
        let Some(item) = unless(self.list.get(dice.below(len) as i64), &[ErrorKind::InvalidArgument]) else { return };
        ledger.intend(END, id(self.name, &item), 0);
        let was_there = unless(self.list.remove(&item), &[ErrorKind::OutOfMemory]);
        ledger.done(u64::from(was_there == Some(true)));
    }

    fn take(&mut self, len: u64, dice: &mut Dice, ledger: &mut Page<'_>) {
        ledger.intend(TAKE, 1, 0);
        let taken = match dice.below(3) {
            0 => self.list.pop(),
            1 => self.list.pop_at(0),
            _ => self.list.pop_at(dice.below(len) as i64),
        };
        // Others take too: it may be shorter by now.
        if let Some(taken) = unless(taken, &[ErrorKind::InvalidArgument, ErrorKind::OutOfMemory]) {
            ledger.note(id(self.name, &taken));
        }
        ledger.done(0);
    }
}
