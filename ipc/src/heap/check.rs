//! The heap's part of the segment checker: walks every unit and every cell and accounts for each.
//!
//! Meant for a quiet segment or a live one: it holds the class locks and the unit lock while it looks, so shapes cannot change, only cells may
//! be freed meanwhile. Which HELD chunks ought to exist is told by the objects; here they are only counted and listed.

use std::collections::HashMap;

use super::cell::{Cell, Holder};
use super::classes::{CLASSES, TABLE};
use super::{slabs, units};
use crate::error::Result;
use crate::shm::{Owner, Shm};
use crate::sync::guard::Guard;
use std::sync::atomic::Ordering;

/// What the heap holds.
#[derive(Default)]
pub(crate) struct HeapReport {
    pub(crate) units: u64,
    pub(crate) free_units: u64,
    pub(crate) slabs: u64,
    pub(crate) chunks: u64,
    pub(crate) free_chunks: u64,
    pub(crate) private: Vec<(u64, Owner)>,
    pub(crate) held: HashMap<u64, u64>,
    pub(crate) claimed: Vec<(u64, Owner)>,
    pub(crate) problems: Vec<String>,
}

impl HeapReport {
    fn chunk(&mut self, offset: u64, cell: u64) {
        self.chunks += 1;
        match Cell(cell).holder() {
            Holder::Free => self.free_chunks += 1,
            Holder::Private(owner) => self.private.push((offset, owner)),
            Holder::Claimed(owner) => self.claimed.push((offset, owner)),
            Holder::Held(object) => {
                self.held.insert(offset, object);
            }
            other => self.problems.push(format!("chunk {offset:#x} has a cell of no meaning: {other:?}")),
        }
    }
}

/// Walks the whole heap.
pub(crate) fn check(shm: &Shm) -> Result<HeapReport> {
    let mut report = HeapReport::default();
    let _classes: Vec<Guard<'_>> = (0..CLASSES).map(|class| slabs::lock(shm, class)).collect::<Result<_>>()?;
    let mut listed: HashMap<u64, usize> = HashMap::new();
    for class in 0..CLASSES {
        for slab in slabs::listed(shm, class) {
            let slab = slab?;
            if listed.insert(slab.unit, class).is_some() {
                report.problems.push(format!("slab at unit {} is listed twice", slab.unit));
            }
        }
    }
    let map = units::Units::lock(shm)?;
    report.units = map.count();
    for extent in map.walk() {
        let extent = extent?;
        let offset = units::offset_of(shm, extent.unit);
        match extent.holder() {
            Holder::Free => report.free_units += extent.units,
            Holder::Slab(class) => {
                report.slabs += 1;
                if listed.remove(&extent.unit) != Some(class) {
                    report.problems.push(format!("slab of class {class} at unit {} is not in its class's list", extent.unit));
                }
                if TABLE.get(class).is_none_or(|t| t.units != extent.units) {
                    report.problems.push(format!("slab of class {class} at unit {} has {} units", extent.unit, extent.units));
                    continue;
                }
                for chunk in slabs::Slab::at(shm, extent.unit, class)?.chunks() {
                    let (offset, cell) = chunk?;
                    report.chunk(offset, cell.load(Ordering::Acquire));
                }
            }
            _ => report.chunk(offset, extent.cell.load(Ordering::Acquire)),
        }
    }
    for (unit, class) in listed {
        report.problems.push(format!("class {class} lists a slab at unit {unit}, where none begins"));
    }
    Ok(report)
}
