//! An event that everybody sets, clears and waits for: whoever waits goes on, though it was set only for a moment, and whoever was killed.

use std::path::{Path, PathBuf};

use polyproc_ipc::{Event, Fabric};

use crate::kinds::{Kind, Worker};
use crate::ledger::{Act, Dice, Page};
use crate::patience::Patience;

const NAME: &str = "event";
const WAIT: u8 = 1;

pub(crate) struct Flag {
    dir: PathBuf,
    waits: u64,
}

impl Flag {
    pub(crate) fn new(fabric: &Fabric, dir: &Path) -> Flag {
        Event::create(fabric, NAME).expect("an event");
        Flag { dir: dir.to_owned(), waits: 0 }
    }
}

struct User {
    event: Event,
    patience: Patience,
}

impl Kind for Flag {
    fn name(&self) -> &'static str {
        "event"
    }

    fn worker(&self, fabric: &Fabric, _serial: u64) -> Box<dyn Worker> {
        Box::new(User { event: Event::open(fabric, NAME).expect("the event"), patience: Patience::new(fabric, &self.dir) })
    }

    fn enter(&mut self, acts: &[Act]) {
        self.waits += acts.iter().filter(|act| act.done == Some(1)).count() as u64;
    }

    fn verdict(&mut self, fabric: &Fabric) -> String {
        let event = Event::open(fabric, NAME).expect("the event");
        event.set().expect("it is set");
        assert!(event.is_set() && event.wait(None).expect("a wait"));
        format!("{} waits came to their end", self.waits)
    }
}

impl Worker for User {
    fn step(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        match dice.below(4) {
            0 => self.event.set().expect("it is set"),
            1 => {
                self.event.set().expect("it is set");
                self.event.clear().expect("it is clear");
            }
            2 => self.event.clear().expect("it is clear"),
            _ => {
                ledger.intend(WAIT, 0, 0);
                let came = self.patience.wait(NAME, |slice| self.event.wait(Some(slice)).expect("a wait").then_some(()));
                ledger.done(u64::from(came.is_some()));
            }
        }
    }
}
