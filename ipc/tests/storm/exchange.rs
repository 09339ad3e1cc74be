//! A queue that everybody puts to and gets from, in all ways. Messages are numbered: each arrives once, but for those that a killed getter may have had in its hands.

use std::collections::HashMap;
use std::time::Duration;

use polyproc_ipc::{BytesQueue, ErrorKind, Fabric};

use crate::kinds::{Kind, Worker, first_id, id_of, message, unless};
use crate::ledger::{Act, Dice, Page};

const PUT: u8 = 1;
const GET: u8 = 2;
/// A queue without a bound is kept near this length.
const ENOUGH: usize = 100;
const MOMENT: Duration = Duration::from_millis(2);

pub(crate) struct Exchange {
    name: &'static str,
    capacity: usize,
    messages: HashMap<u64, Fate>,
    /// Messages that killed getters may have taken.
    in_hand: u64,
}

#[derive(Clone, Copy, Default)]
struct Fate {
    put: Option<Put>,
    got: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Put {
    Yes,
    No,
    Perhaps,
}

impl Exchange {
    pub(crate) fn new(fabric: &Fabric, name: &'static str, capacity: usize) -> Exchange {
        BytesQueue::create(fabric, name, capacity).expect("a queue");
        Exchange { name, capacity, messages: HashMap::new(), in_hand: 0 }
    }

    fn got(&mut self, id: u64) {
        self.messages.entry(id).or_default().got += 1;
    }
}

impl Kind for Exchange {
    fn name(&self) -> &'static str {
        self.name
    }

    fn worker(&self, fabric: &Fabric, serial: u64) -> Box<dyn Worker> {
        let queue = BytesQueue::open(fabric, self.name).expect("the queue");
        Box::new(Trader { queue, next: first_id(self.name(), serial), bounded: self.capacity > 0 })
    }

    fn enter(&mut self, acts: &[Act]) {
        for act in acts {
            if act.op == GET {
                act.notes.iter().for_each(|&id| self.got(id));
                if act.done.is_none() {
                    self.in_hand += act.a - act.notes.len() as u64;
                }
                continue;
            }
            for number in 0..act.b {
                let put = match act.done {
                    None => Put::Perhaps,
                    Some(count) if number < count => Put::Yes,
                    Some(_) => Put::No,
                };
                self.messages.entry(act.a + number).or_default().put = Some(put);
            }
        }
    }

    fn verdict(&mut self, fabric: &Fabric) -> String {
        let queue = BytesQueue::open(fabric, self.name).expect("the queue");
        let mut left = 0;
        while let Some(message) = unless(queue.try_get(), &[ErrorKind::Empty]) {
            self.got(id_of(&message));
            left += 1;
        }
        let (mut missing, mut arrived, mut perhaps) = (0, 0, 0);
        for (id, fate) in &self.messages {
            match (fate.put, fate.got) {
                (Some(Put::Yes | Put::Perhaps), 1) => arrived += 1,
                (Some(Put::Yes), 0) => missing += 1,
                (Some(Put::Perhaps), 0) => perhaps += 1,
                (Some(Put::No), 0) => {}
                (put, got) => panic!("{}: message {id:#x} (put: {put:?}) arrived {got} times", self.name),
            }
        }
        assert!(missing <= self.in_hand, "{}: {missing} messages are lost, and killed getters can have had {} in their hands", self.name, self.in_hand);
        format!(
            "{arrived} messages arrived, {left} of them at the end; {missing} went with their getter (of {} at most), {perhaps} puts were cut short",
            self.in_hand
        )
    }
}

struct Trader {
    queue: BytesQueue,
    next: u64,
    bounded: bool,
}

impl Worker for Trader {
    fn step(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        let put = if self.bounded { dice.below(2) == 0 } else { self.queue.len() < dice.below(2 * ENOUGH as u64) as usize };
        if put { self.put(dice, ledger) } else { self.get(dice, ledger) }
    }
}

impl Trader {
    fn put(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        let many = !self.bounded && dice.below(6) == 0;
        let count = if many { 3 } else { 1 };
        let first = self.next;
        self.next += count;
        let messages: Vec<Vec<u8>> = (first..first + count).map(message).collect();
        // Memory may be short for a moment, while the dead are not swept yet.
        let refused = [ErrorKind::Full, ErrorKind::Timeout, ErrorKind::OutOfMemory];
        ledger.intend(PUT, first, count);
        let put = if many {
            unless(self.queue.put_many(&messages.iter().map(Vec::as_slice).collect::<Vec<_>>()), &refused).unwrap_or(0) as u64
        } else {
            let done = match dice.below(3) {
                0 => unless(self.queue.try_put(&messages[0]), &refused),
                1 if !self.bounded => unless(self.queue.loan(messages[0].len()), &refused).and_then(|mut loan| {
                    loan.copy_from_slice(&messages[0]);
                    unless(self.queue.put_loan(loan), &refused)
                }),
                _ => unless(self.queue.put_timeout(&messages[0], MOMENT), &refused),
            };
            u64::from(done.is_some())
        };
        ledger.done(put);
    }

    fn get(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        let nothing = [ErrorKind::Empty, ErrorKind::Timeout];
        let many = dice.below(5) == 0;
        ledger.intend(GET, if many { 3 } else { 1 }, 0);
        let messages = match dice.below(2) {
            _ if many => unless(self.queue.get_many_timeout(3, MOMENT), &nothing).unwrap_or_default(),
            0 => unless(self.queue.get_timeout(MOMENT), &nothing).into_iter().collect(),
            _ => unless(self.queue.try_get(), &nothing).into_iter().collect(),
        };
        for message in &messages {
            ledger.note(id_of(message));
        }
        ledger.done(0);
    }
}
