//! A fabric with a name, of which the last member goes again and again: opened, made, used, left and cleared by everybody at once, in a directory that is the storm's own.

use polyproc_ipc::{BytesQueue, ErrorKind, Fabric};

use crate::kinds::{Kind, Worker, first_id, id_of, message, unless};
use crate::ledger::{Act, Dice, Page};

const NAME: &str = "storm";
const CAP: u64 = 4 << 20;

pub(crate) struct Names;

struct Visitor {
    fabric: Option<Fabric>,
    next: u64,
}

fn enter() -> Fabric {
    Fabric::builder().cap(CAP).open_or_create(NAME).expect("the fabric of this name")
}

impl Kind for Names {
    fn name(&self) -> &'static str {
        "a fabric by name"
    }

    fn worker(&self, _fabric: &Fabric, serial: u64) -> Box<dyn Worker> {
        Box::new(Visitor { fabric: None, next: first_id(self.name(), serial) })
    }

    fn enter(&mut self, _acts: &[Act]) {}

    fn verdict(&mut self, _fabric: &Fabric) -> String {
        let last = enter();
        last.sweep().expect("a sweep");
        let report = last.check().expect("a check");
        assert!(report.is_whole() && report.members == 1 && report.unswept == 0, "{report:?}");
        drop(last);
        Fabric::collect_names().expect("the names are cleared");
        assert!(Fabric::open(NAME).is_err_and(|error| error.kind() == ErrorKind::NotFound), "the name is still there though nobody is");
        "whole, and the name is gone with its last member".into()
    }
}

impl Worker for Visitor {
    fn step(&mut self, dice: &mut Dice, _ledger: &mut Page<'_>) {
        match (&self.fabric, dice.below(20)) {
            (None, 0) => self.fabric = Some(enter()),
            (Some(_), 0) => self.fabric = None,
            (_, 1) => drop(Fabric::collect_names().expect("the names are cleared")),
            (Some(fabric), 2..=8) => {
                let queue = unless(BytesQueue::open_or_create(fabric, "visitors", 20), &[ErrorKind::OutOfMemory]);
                let Some(queue) = queue else { return };
                self.next += 1;
                let full = [ErrorKind::Full, ErrorKind::OutOfMemory];
                if unless(queue.try_put(&message(self.next)), &full).is_none() {
                    let _ = unless(queue.try_get(), &[ErrorKind::Empty]).map(|message| id_of(&message));
                }
            }
            _ => {}
        }
    }
}
