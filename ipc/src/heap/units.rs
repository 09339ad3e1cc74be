//! Extents: runs of whole 64 KiB units, from which slabs and large chunks are made; growth of the segment.
//!
//! The unit map has an entry `{cell, info}` per unit. Where something begins, `cell` says who holds it and `info` how many units it
//! has; inside it, `cell` is TAIL and `info` the distance to its head (inside a free extent neither need be up to date; an `info` of 0 is never a head).
//!
//! Only the holder of the unit lock turns FREE heads into anything else; frees (to FREE) happen at any time without it.
//!
//! **Taking `k` units** from a run of adjacent free extents `[s, s + n)`, n > k or several heads: (1) intent := {s, n}; (2) inner entries become TAIL, the
//! rest's head `{FREE, n - k}` is written at `s + k`; (3) `info(s) := k`; (4) `cell(s) := PRIVATE(me)`, the commit; (5) intent := none. A run of one head with n = k needs its inner entries as TAIL and (4) only.
//! **Killed** before (4): the repair finds `cell(s)` FREE and rewrites `[s, s + n)` as one free extent. After (4): the repair clears the intent (if the sweep freed `s` meanwhile,
//! the rewrite is right too, since nobody can have taken the rest without the lock).
//!
//! **Growing**: file and map are reserved (kernel), the new head is written, then `units := more`, the commit. Every step may be repeated.

use std::sync::atomic::{AtomicU64, Ordering};

use super::cell::{Cell, Holder};
use crate::error::{Error, ErrorKind, Result};
use crate::shm::layout::{UNIT, at};
use crate::shm::{Fixed, Shm};
use crate::sync::guard::Guard;

/// Least and most units that the heap grows by at once, unless a chunk needs more.
const GROW: std::ops::RangeInclusive<u64> = 4..=64;

/// The unit lock, held, with the map.
pub(crate) struct Units<'a> {
    shm: &'a Shm,
    guard: Guard<'a>,
}

/// One thing in the heap: where it begins, how many units it has, and its cell.
#[derive(Clone, Copy)]
pub(crate) struct Extent<'a> {
    pub(crate) unit: u64,
    pub(crate) units: u64,
    pub(crate) cell: &'a AtomicU64,
}

impl Extent<'_> {
    pub(crate) fn holder(&self) -> Holder {
        Cell(self.cell.load(Ordering::Acquire)).holder()
    }
}

#[inline(always)]
pub(crate) fn cell_of(entry: Fixed<'_, 16>) -> &AtomicU64 {
    entry.u64(0)
}

#[inline(always)]
pub(crate) fn info_of(entry: Fixed<'_, 16>) -> &AtomicU64 {
    entry.u64(8)
}

/// The offset of a unit's first byte.
#[inline(always)]
pub(crate) fn offset_of(shm: &Shm, unit: u64) -> u64 {
    shm.segment.plan().heap + unit * UNIT
}

impl<'a> Units<'a> {
    pub(crate) fn lock(shm: &'a Shm) -> Result<Units<'a>> {
        let header = shm.segment.header();
        let guard = Guard::enter(shm, header.u64(at::UNIT_LOCK), |_| repair(shm))?;
        Ok(Units { shm, guard })
    }

    pub(crate) fn count(&self) -> u64 {
        self.shm.segment.units()
    }

    /// Everything in the heap, in order of offset.
    pub(crate) fn walk(&self) -> impl Iterator<Item = Result<Extent<'a>>> + use<'a> {
        let (shm, count) = (self.shm, self.count());
        let mut unit = 0;
        std::iter::from_fn(move || {
            if unit >= count {
                return None;
            }
            let extent = head(shm, unit, count);
            unit = extent.as_ref().map_or(count, |e| unit + e.units);
            Some(extent)
        })
    }

    /// Takes `units` adjacent units for this process; their first byte's offset.
    pub(crate) fn take(&mut self, units: u64) -> Result<u64> {
        let count = self.count();
        let cursor = self.shm.segment.header().u64(at::UNIT_CURSOR);
        let from = cursor.load(Ordering::Relaxed);
        let begin = if from < count && head(self.shm, from, count).is_ok() { from } else { 0 };
        let mut last = None;
        // The second search goes over all: a free run may lie on both sides of where the first began.
        for start in [begin, 0] {
            if let Some(run) = self.find(start, units, &mut last)? {
                let offset = self.carve(run, units)?;
                cursor.store(run.0 + units, Ordering::Relaxed);
                return Ok(offset);
            }
        }
        // `last` is the free run at the heap's end, if any; growth adds to it.
        let (start, have) = last.unwrap_or((count, 0));
        self.grow(count, units - have)?;
        let run = (start, self.count() - start);
        self.carve(run, units)
    }

    /// First run of adjacent free extents of `units` or more from `start` on; `last` is the run that reaches the heap's end.
    fn find(&self, start: u64, units: u64, last: &mut Option<(u64, u64)>) -> Result<Option<(u64, u64)>> {
        let count = self.count();
        let mut run: Option<(u64, u64)> = None;
        let mut unit = start;
        while unit < count {
            let extent = head(self.shm, unit, count)?;
            if extent.holder() == Holder::Free {
                let (first, had) = run.unwrap_or((unit, 0));
                let now = (first, had + extent.units);
                if now.1 >= units {
                    return Ok(Some(now));
                }
                run = Some(now);
            } else {
                run = None;
            }
            unit += extent.units;
        }
        *last = run;
        Ok(None)
    }

    /// Makes the first `units` of a free run this process's.
    fn carve(&mut self, (start, total): (u64, u64), units: u64) -> Result<u64> {
        let entry = |unit| self.shm.segment.map_entry(unit);
        let first = entry(start)?;
        let mine = Cell::private(self.guard.me).0;
        if info_of(first).load(Ordering::Relaxed) == units {
            self.write_tails(start, units)?;
            cell_of(first).store(mine, Ordering::Release);
            return Ok(offset_of(self.shm, start));
        }
        let header = self.shm.segment.header();
        header.u64(at::UNIT_INTENT_START).store(start, Ordering::Relaxed);
        header.u64(at::UNIT_INTENT_COUNT).store(total, Ordering::Release);
        // Heads of extents that the run was made of, beyond the part taken, become inner units of the rest.
        let mut unit = start;
        while unit < start + total {
            let here = entry(unit)?;
            let next = unit + info_of(here).load(Ordering::Relaxed).max(1);
            if unit > start + units {
                cell_of(here).store(Cell::TAIL.0, Ordering::Relaxed);
            }
            unit = next;
        }
        if total > units {
            let rest = entry(start + units)?;
            info_of(rest).store(total - units, Ordering::Relaxed);
            cell_of(rest).store(Cell::FREE.0, Ordering::Release);
        }
        self.write_tails(start, units)?;
        info_of(first).store(units, Ordering::Release);
        cell_of(first).store(mine, Ordering::Release);
        header.u64(at::UNIT_INTENT_COUNT).store(0, Ordering::Release);
        Ok(offset_of(self.shm, start))
    }

    /// Makes the inner entries of an extent lead to its head, while that is still FREE.
    fn write_tails(&self, start: u64, units: u64) -> Result<()> {
        for distance in 1..units {
            let inner = self.shm.segment.map_entry(start + distance)?;
            info_of(inner).store(distance, Ordering::Relaxed);
            cell_of(inner).store(Cell::TAIL.0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Adds at least `need` units at the end, as one free extent.
    fn grow(&mut self, count: u64, need: u64) -> Result<()> {
        let shm = self.shm;
        let plan = shm.segment.plan();
        let room = |more: u64| count + more <= plan.max_units && crate::shm::layout::Plan::committed(count + more) <= shm.segment.cap();
        if !room(need) {
            return Err(full(shm, need));
        }
        let mut more = need.max((count / 4).clamp(*GROW.start(), *GROW.end()));
        if !room(more) {
            more = need;
        }
        if shm.segment.grow_to(count + more).is_err() {
            more = need;
            shm.segment.grow_to(count + more).map_err(|_| full(shm, need))?;
        }
        let new = shm.segment.map_entry(count)?;
        cell_of(new).store(Cell::FREE.0, Ordering::Relaxed);
        info_of(new).store(more, Ordering::Release);
        shm.segment.header().u64(at::UNITS).store(count + more, Ordering::Release);
        Ok(())
    }

    /// Turns every head whose cell is exactly `from` into a free extent.
    pub(crate) fn release_all(&mut self, from: Cell) -> Result<u64> {
        let mut freed = 0;
        for extent in self.walk() {
            freed += u64::from(extent?.cell.compare_exchange(from.0, Cell::FREE.0, Ordering::AcqRel, Ordering::Relaxed).is_ok());
        }
        Ok(freed)
    }
}

#[cold]
fn full(shm: &Shm, need: u64) -> Error {
    let (label, cap) = (&shm.label, shm.segment.cap());
    let bytes = need.saturating_mul(UNIT);
    Error::new(
        ErrorKind::OutOfMemory,
        format!("{label} is at its cap of {cap} bytes or the system is out of memory ({bytes} more were needed); free something or make it with a larger cap"),
    )
}

/// What begins at `unit`, checked.
pub(crate) fn head(shm: &Shm, unit: u64, count: u64) -> Result<Extent<'_>> {
    let entry = shm.segment.map_entry(unit)?;
    let units = info_of(entry).load(Ordering::Acquire);
    let cell = cell_of(entry);
    let kind = Cell(cell.load(Ordering::Acquire)).holder();
    if units == 0 || units > count.saturating_sub(unit) || matches!(kind, Holder::Tail | Holder::Unknown) {
        return Err(Error::corrupt(format_args!("unit {unit} of {count} in {} says {kind:?} of {units} units", shm.label)));
    }
    Ok(Extent { unit, units, cell })
}

/// Makes the range of an unfinished reshape one free extent, or finds that it was finished.
fn repair(shm: &Shm) -> Result<()> {
    let header = shm.segment.header();
    let (start, total) = (header.u64(at::UNIT_INTENT_START).load(Ordering::Relaxed), header.u64(at::UNIT_INTENT_COUNT).load(Ordering::Acquire));
    if total != 0 {
        let count = shm.segment.units();
        if start >= count || total > count - start {
            return Err(Error::corrupt(format_args!("{}: units {start} and {total} more are said to be reshaped, of {count}", shm.label)));
        }
        let first = shm.segment.map_entry(start)?;
        if cell_of(first).load(Ordering::Acquire) == Cell::FREE.0 {
            for unit in start + 1..start + total {
                cell_of(shm.segment.map_entry(unit)?).store(Cell::TAIL.0, Ordering::Relaxed);
            }
            info_of(first).store(total, Ordering::Release);
        }
        header.u64(at::UNIT_INTENT_COUNT).store(0, Ordering::Release);
    }
    Ok(())
}

/// Gives a large chunk back: `from` is what its cell must say. Without a lock.
pub(crate) fn free(shm: &Shm, extent: Extent<'_>, from: Cell) -> bool {
    let done = extent.cell.compare_exchange(from.0, Cell::FREE.0, Ordering::AcqRel, Ordering::Relaxed).is_ok();
    if done {
        shm.segment.header().u64(at::UNIT_CURSOR).store(extent.unit, Ordering::Relaxed);
    }
    done
}
