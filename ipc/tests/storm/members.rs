//! The fabric itself: sweeps by everybody, the table of members, and the checker, which must find the segment whole at any moment of the storm.

use polyproc_ipc::Fabric;

use crate::kinds::{Kind, Worker};
use crate::ledger::{Act, Dice, Page};

pub(crate) const NAME: &str = "members and sweeps";

pub(crate) struct Members;

struct Sweeper {
    fabric: Fabric,
}

impl Kind for Members {
    fn name(&self) -> &'static str {
        NAME
    }

    fn worker(&self, fabric: &Fabric, _serial: u64) -> Box<dyn Worker> {
        Box::new(Sweeper { fabric: fabric.clone() })
    }

    fn enter(&mut self, _acts: &[Act]) {}

    fn verdict(&mut self, fabric: &Fabric) -> String {
        let members = fabric.members();
        assert!(members.iter().all(|member| member.alive), "a dead member is left after the last sweep: {members:?}");
        assert_eq!(members.len(), 1, "only the controller is left");
        "only the controller is left".into()
    }
}

impl Worker for Sweeper {
    fn step(&mut self, dice: &mut Dice, _ledger: &mut Page<'_>) {
        match dice.below(30) {
            0 => {
                let report = self.fabric.check().expect("a segment that can be walked");
                assert!(report.is_whole(), "in the middle of the storm: {:#?}", report.problems);
            }
            1 => {
                let me = self.fabric.member().expect("a place in the table");
                assert!(self.fabric.alive(me) && self.fabric.members().iter().any(|member| member.owner == me));
            }
            2..=9 => drop(self.fabric.sweep().expect("a sweep")),
            _ => {}
        }
    }
}
