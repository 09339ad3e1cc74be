//! Objects that come and go under a few names, and without one: made, opened, used and destroyed by everybody at once. Answers are checked, not counted: whatever was
//! begun must be whole for the next who comes.

use std::time::Duration;

use polyproc_ipc::{BytesQueue, ErrorKind, Fabric, Lock};

use crate::kinds::{Kind, Worker, first_id, id_of, message, unless};
use crate::ledger::{Act, Dice, Page};

const NAMES: u64 = 5;
const MOMENT: Duration = Duration::from_millis(2);
/// What an object that somebody else destroys, or makes as another kind, may answer.
const FAIR: [ErrorKind; 9] = [
    ErrorKind::NotFound,
    ErrorKind::AlreadyExists,
    ErrorKind::WrongType,
    ErrorKind::Gone,
    ErrorKind::Closed,
    ErrorKind::Empty,
    ErrorKind::Timeout,
    ErrorKind::OutOfMemory,
    ErrorKind::OwnerDied,
];

pub(crate) struct Churn;

struct Churner {
    fabric: Fabric,
    queue: Option<BytesQueue>,
    lock: Option<Lock>,
    next: u64,
}

impl Kind for Churn {
    fn name(&self) -> &'static str {
        "objects that come and go"
    }

    fn worker(&self, fabric: &Fabric, serial: u64) -> Box<dyn Worker> {
        Box::new(Churner { fabric: fabric.clone(), queue: None, lock: None, next: first_id(self.name(), serial) })
    }

    fn enter(&mut self, _acts: &[Act]) {}

    fn verdict(&mut self, fabric: &Fabric) -> String {
        let mut there = 0;
        for number in 0..NAMES {
            let removed = unless(fabric.remove(&name(number)), &[ErrorKind::NotFound]);
            there += u64::from(removed.is_some());
            assert!(BytesQueue::open(fabric, &name(number)).is_err_and(|error| error.kind() == ErrorKind::NotFound));
        }
        format!("{there} of {NAMES} names were in use at the end")
    }
}

fn name(number: u64) -> String {
    format!("churn-{number}")
}

impl Worker for Churner {
    fn step(&mut self, dice: &mut Dice, _ledger: &mut Page<'_>) {
        let name = name(dice.below(NAMES));
        match dice.below(9) {
            0 => self.queue = unless(BytesQueue::create(&self.fabric, &name, 0), &FAIR),
            1 => self.queue = unless(BytesQueue::open_or_create(&self.fabric, &name, 0), &FAIR),
            2 => self.lock = unless(Lock::open_or_create(&self.fabric, &name), &FAIR),
            3 => {
                unless(self.fabric.remove(&name), &FAIR);
            }
            4 => {
                self.queue.take().and_then(|queue| unless(queue.destroy(), &FAIR));
                self.lock.take().and_then(|lock| unless(lock.destroy(), &FAIR));
            }
            5 => self.unnamed(),
            _ => self.use_them(),
        }
    }
}

impl Churner {
    fn use_them(&mut self) {
        if let Some(queue) = &self.queue {
            self.next += 1;
            unless(queue.put(&message(self.next)), &FAIR);
            if queue.len() > 5 {
                for message in unless(queue.get_many_timeout(4, MOMENT), &FAIR).unwrap_or_default() {
                    id_of(&message);
                }
            }
        }
        if let Some(lock) = &self.lock {
            drop(unless(lock.lock_timeout(MOMENT), &FAIR));
        }
    }

    /// An object without a name, that goes with its handle or with its maker.
    fn unnamed(&mut self) {
        let Some(queue) = unless(BytesQueue::new(&self.fabric, 0), &FAIR) else { return };
        self.next += 1;
        if unless(queue.put(&message(self.next)), &FAIR).is_some() {
            let id = id_of(&queue.get().expect("what was just put"));
            assert_eq!(id, self.next, "a message of another queue, or of the one that stood here before");
        }
    }
}
