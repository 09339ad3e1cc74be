//! A queue with all that a queue can have: lanes, a bound, leases with and without a limit, messages that come back later, plain gets that are said to be done, and dead letters, which
//! another queue takes in. Every message ends once, and in the end nothing is unfinished.

use std::time::Duration;

use polyproc_ipc::{BytesQueue, ErrorKind, Fabric, Lease};

use crate::LONG;
use crate::fates::{END, Fates, PUT, TAKE};
use crate::kinds::{Kind, Worker, first_id, id_of, message, unless};
use crate::ledger::{Act, Dice, Page};

const LANES: usize = 3;
const MOST: u32 = 6;
const CAPACITY: usize = 60;
const MOMENT: Duration = Duration::from_millis(2);

pub(crate) struct Jobs {
    name: &'static str,
    /// Messages are also got for good, not only on leases.
    plain: bool,
    messages: Fates,
}

/// The queue, and the one for its dead letters.
fn names(of: &str) -> [String; 2] {
    [of.to_owned(), format!("{of}, dead letters")]
}

impl Jobs {
    pub(crate) fn new(fabric: &Fabric, name: &'static str, plain: bool) -> Jobs {
        let [own, letters] = names(name);
        let letters = BytesQueue::create(fabric, &letters, 0).expect("a queue");
        let jobs = BytesQueue::builder().capacity(CAPACITY).lanes(LANES).joinable().max_deliveries(MOST).dead_letters(&letters);
        jobs.create(fabric, &own).expect("a queue");
        Jobs { name, plain, messages: Fates::default() }
    }
}

impl Kind for Jobs {
    fn name(&self) -> &'static str {
        self.name
    }

    fn worker(&self, fabric: &Fabric, serial: u64) -> Box<dyn Worker> {
        let [jobs, letters] = names(self.name).map(|name| BytesQueue::open(fabric, &name).expect("the queue"));
        Box::new(User { plain: self.plain, jobs, letters, next: first_id(self.name(), serial) })
    }

    fn enter(&mut self, acts: &[Act]) {
        for act in acts {
            self.messages.enter(act);
        }
    }

    fn verdict(&mut self, fabric: &Fabric) -> String {
        let [jobs, letters] = names(self.name).map(|name| BytesQueue::open(fabric, &name).expect("the queue"));
        let mut left = 0;
        while jobs.len() + jobs.delayed() > 0 {
            self.messages.end(id_of(&jobs.get_timeout(LONG).expect("a message that is there, or comes back")));
            jobs.task_done().expect("it is done");
            left += 1;
        }
        assert_eq!((jobs.leased(), jobs.unfinished().expect("a number")), (0, 0), "something is unfinished though all is done or lost");
        jobs.join_timeout(LONG).expect("nothing to wait for");
        while let Some(message) = unless(jobs.get_buried(), &[ErrorKind::Empty]) {
            self.messages.end(id_of(&message));
        }
        let mut dead = 0;
        while let Some(letter) = unless(letters.try_get(), &[ErrorKind::Empty]) {
            assert!(letter.dead_letter().is_some());
            self.messages.end(id_of(&letter));
            dead += 1;
        }
        format!("{}; at the end {left} jobs and {dead} dead letters; {} gets were never said to be done", self.messages.verdict(self.name), jobs.lost())
    }
}

struct User {
    plain: bool,
    jobs: BytesQueue,
    letters: BytesQueue,
    next: u64,
}

impl Worker for User {
    fn step(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        match dice.below(10) {
            0..4 => self.put(dice, ledger),
            4..6 if self.plain => {
                if User::take(&self.jobs, ledger) {
                    self.jobs.task_done().expect("what was got is done");
                }
            }
            6 if self.letters.len() > 20 => {
                let Some(letter) = unless(self.letters.get_lease_timeout(Some(MOMENT)), &[ErrorKind::Timeout, ErrorKind::OutOfMemory]) else { return };
                ledger.intend(END, id_of(&letter), 0);
                letter.ack().expect("an acknowledgement");
                ledger.done(1);
            }
            _ => self.lease(dice, ledger),
        }
    }
}

impl User {
    fn put(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        let (lane, message) = (dice.below(LANES as u64) as usize, message(self.next));
        ledger.intend(PUT, self.next, 1);
        self.next += 1;
        let put = if dice.below(2) == 0 { self.jobs.try_put_to(lane, &message) } else { self.jobs.put_to_timeout(lane, &message, MOMENT) };
        let put = unless(put, &[ErrorKind::Full, ErrorKind::Timeout, ErrorKind::OutOfMemory]);
        ledger.done(u64::from(put.is_some()));
    }

    fn take(queue: &BytesQueue, ledger: &mut Page<'_>) -> bool {
        ledger.intend(TAKE, 1, 0);
        let message = unless(queue.get_timeout(MOMENT), &[ErrorKind::Timeout, ErrorKind::OutOfMemory]);
        if let Some(message) = &message {
            ledger.note(id_of(message));
        }
        ledger.done(0);
        message.is_some()
    }

    fn lease(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        let limit = Duration::from_micros(dice.below(4000));
        let lease = if dice.below(2) == 0 { self.jobs.get_lease_timeout(Some(MOMENT)) } else { self.jobs.lease_for_timeout(limit, Some(MOMENT)) };
        let Some(lease) = unless(lease, &[ErrorKind::Timeout, ErrorKind::OutOfMemory]) else { return };
        assert!((1..=MOST).contains(&lease.deliveries()), "handed out {} times", lease.deliveries());
        let id = id_of(&lease);
        let lost = [ErrorKind::LeaseLost];
        match dice.below(6) {
            0 => drop(lease),
            1 => drop(unless(lease.nak(Duration::from_micros(dice.below(20_000))), &lost)),
            2 if dice.below(4) == 0 => drop(unless(lease.bury(), &lost)),
            _ => {
                ledger.intend(END, id, 0);
                let acknowledged = unless(Lease::ack(lease), &lost);
                ledger.done(u64::from(acknowledged.is_some()));
            }
        }
    }
}
