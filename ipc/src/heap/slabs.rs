//! Slabs: small chunks of one size class each, with one cell per chunk.
//!
//! Slab: `+0` next slab of the class (unit index + 1; 0: last), `+64` one cell per chunk, then the chunks ([`super::classes`]).
//! Class header (256 bytes in the segment's fixed part):
//!
//! | offset | word | |
//! | --- | --- | --- |
//! | 0 | lock | held for an allocation |
//! | 8 | free | about how many cells are FREE (a hint: never wrong in what an allocation returns, only in how long it searches) |
//! | 16 | first | newest slab (unit index + 1) |
//! | 24, 32 | cursor | slab (unit index + 1) and cell where the next search begins (hint) |
//! | 40 | intent | slab being linked or unlinked (unit index + 1) |
//! | 48 | top | where the next freed chunk's offset goes among the hints |
//! | 64.. | hints | 24 offsets of chunks freed lately; each is verified before use |
//!
//! **Allocation**: under the class lock one compare-and-swap FREE -> PRIVATE(me) is the commit. **Free**: one compare-and-swap to FREE, no lock.
//! **New slab**: units taken (PRIVATE(me), swept if we die), cells cleared, intent := slab, unit cell := SLAB(class), `next := first`, `first := slab`, intent := none.
//! Killed with the intent set: if the unit says SLAB(class) and `first` is another, the repair links it; else there is nothing to do.
//! **Giving a slab back** (all its cells FREE): intent := slab, unlinked by one store, unit cell := FREE, intent := none. The repair tells linking from unlinking by the
//! intent's high bit, and finishes either.

use std::sync::atomic::{AtomicU64, Ordering};

use super::cell::{Cell, Holder};
use super::classes::{CLASSES, Class, SLAB_HEADER, TABLE};
use super::units::{self, Units};
use crate::error::{Error, Result};
use crate::shm::layout::{CLASS_SIZE, UNIT, at};
use crate::shm::{Fixed, Shm, Span};
use crate::sync::guard::Guard;

const HINTS: u64 = 24;
const UNLINKING: u64 = 1 << 63;

/// The header of one class.
#[derive(Clone, Copy)]
struct Header<'a> {
    at: Fixed<'a, { crate::shm::layout::FIXED }>,
    base: usize,
}

impl<'a> Header<'a> {
    fn of(shm: &'a Shm, class: usize) -> Header<'a> {
        Header { at: shm.segment.header(), base: at::CLASSES + class * CLASS_SIZE }
    }
    fn lock(self) -> &'a AtomicU64 {
        self.at.u64(self.base)
    }
    fn free(self) -> &'a AtomicU64 {
        self.at.u64(self.base + 8)
    }
    fn first(self) -> &'a AtomicU64 {
        self.at.u64(self.base + 16)
    }
    fn cursor_slab(self) -> &'a AtomicU64 {
        self.at.u64(self.base + 24)
    }
    fn cursor_cell(self) -> &'a AtomicU64 {
        self.at.u64(self.base + 32)
    }
    fn intent(self) -> &'a AtomicU64 {
        self.at.u64(self.base + 40)
    }
    fn top(self) -> &'a AtomicU64 {
        self.at.u64(self.base + 48)
    }
    fn hint(self, index: u64) -> &'a AtomicU64 {
        self.at.u64(self.base + 64 + (index % HINTS) as usize * 8)
    }
}

/// One slab, checked to be of the class it is taken for.
#[derive(Clone, Copy)]
pub(crate) struct Slab<'a> {
    pub(crate) unit: u64,
    class: &'static Class,
    bytes: Span<'a>,
    start: u64,
}

impl<'a> Slab<'a> {
    pub(crate) fn at(shm: &'a Shm, unit: u64, class: usize) -> Result<Slab<'a>> {
        let layout = TABLE.get(class).ok_or_else(|| Error::corrupt(format_args!("unit {unit} of {} names size class {class}", shm.label)))?;
        let entry = shm.segment.map_entry(unit)?;
        if units::cell_of(entry).load(Ordering::Acquire) != Cell::slab(class).0 || units::info_of(entry).load(Ordering::Relaxed) != layout.units {
            return Err(Error::corrupt(format_args!("unit {unit} of {} is not a slab of class {class}", shm.label)));
        }
        let start = units::offset_of(shm, unit);
        Ok(Slab { unit, class: layout, bytes: shm.segment.span(start, layout.units * UNIT)?, start })
    }

    fn next(self) -> Result<&'a AtomicU64> {
        self.bytes.u64(0)
    }

    #[inline(always)]
    fn cell(self, index: usize) -> Result<&'a AtomicU64> {
        self.bytes.u64(SLAB_HEADER + index * 8)
    }

    /// Every chunk: offset and cell.
    pub(crate) fn chunks(self) -> impl Iterator<Item = Result<(u64, &'a AtomicU64)>> {
        (0..self.class.chunks).map(move |index| Ok((self.start + self.class.first + index as u64 * self.class.size, self.cell(index)?)))
    }

    /// The cell of the chunk that begins at `offset`.
    #[inline(always)]
    pub(crate) fn find(self, offset: u64) -> Option<&'a AtomicU64> {
        let from = offset.checked_sub(self.start + self.class.first)?;
        let index = from / self.class.size;
        if !from.is_multiple_of(self.class.size) || index >= self.class.chunks as u64 {
            return None;
        }
        self.cell(index as usize).ok()
    }

    pub(crate) fn chunk_size(self) -> u64 {
        self.class.size
    }
}

/// A chunk of `class` for this process; its offset.
pub(crate) fn alloc(shm: &Shm, class: usize) -> Result<u64> {
    let header = Header::of(shm, class);
    let guard = lock(shm, class)?;
    let mine = Cell::private(guard.me).0;
    let take = |cell: &AtomicU64| cell.load(Ordering::Relaxed) == 0 && cell.compare_exchange(0, mine, Ordering::AcqRel, Ordering::Relaxed).is_ok();

    if (header.free().load(Ordering::Relaxed) as i64) > 0 {
        let top = header.top().load(Ordering::Relaxed);
        for back in 1..=4 {
            let hint = header.hint(top.wrapping_sub(back)).swap(0, Ordering::Relaxed);
            if hint != 0
                && let Some(cell) = verify_hint(shm, class, hint)
                && take(cell)
            {
                let _ = header.top().compare_exchange(top, top.wrapping_sub(back), Ordering::Relaxed, Ordering::Relaxed);
                header.free().fetch_sub(1, Ordering::Relaxed);
                return Ok(hint);
            }
        }
        if let Some(offset) = search(shm, class, header, &take)? {
            header.free().fetch_sub(1, Ordering::Relaxed);
            return Ok(offset);
        }
    }
    let slab = new_slab(shm, class, header)?;
    for chunk in slab.chunks() {
        let (offset, cell) = chunk?;
        if take(cell) {
            header.free().fetch_sub(1, Ordering::Relaxed);
            header.cursor_slab().store(slab.unit + 1, Ordering::Relaxed);
            header.cursor_cell().store(1, Ordering::Relaxed);
            return Ok(offset);
        }
    }
    Err(Error::corrupt(format_args!("a new slab of {} has no free chunk", shm.label)))
}

/// Remembers a chunk that was freed just now.
pub(crate) fn freed(shm: &Shm, class: usize, offset: u64) {
    let header = Header::of(shm, class);
    header.free().fetch_add(1, Ordering::Relaxed);
    let top = header.top().fetch_add(1, Ordering::Relaxed);
    header.hint(top).store(offset, Ordering::Relaxed);
}

/// Turns every cell that is exactly `from` into FREE, in all classes, and counts the free cells anew; how many were turned.
pub(crate) fn release_all(shm: &Shm, from: Cell) -> Result<u64> {
    let mut freed = 0;
    for class in 0..CLASSES {
        let header = Header::of(shm, class);
        let _guard = lock(shm, class)?;
        let before = header.free().load(Ordering::Relaxed);
        let mut free = 0_u64;
        for slab in slabs(shm, class, header) {
            for chunk in slab?.chunks() {
                let cell = chunk?.1;
                freed += u64::from(cell.compare_exchange(from.0, Cell::FREE.0, Ordering::AcqRel, Ordering::Relaxed).is_ok());
                free += u64::from(cell.load(Ordering::Relaxed) == Cell::FREE.0);
            }
        }
        // A free that runs beside this is counted at most twice, never missed.
        header.free().fetch_add(free.wrapping_sub(before), Ordering::Relaxed);
    }
    Ok(freed)
}

/// Gives every slab back whose chunks are all free, so that other sizes may use its units; how many units that made.
pub(crate) fn give_back_empty(shm: &Shm) -> Result<u64> {
    let mut units = 0;
    for class in 0..CLASSES {
        let header = Header::of(shm, class);
        let _guard = lock(shm, class)?;
        let all: Vec<Slab<'_>> = slabs(shm, class, header).collect::<Result<_>>()?;
        let mut before: Option<Slab<'_>> = None;
        for slab in all {
            let mut empty = true;
            for chunk in slab.chunks() {
                empty &= chunk?.1.load(Ordering::Acquire) == Cell::FREE.0;
            }
            if !empty {
                before = Some(slab);
                continue;
            }
            header.intent().store((slab.unit + 1) | UNLINKING, Ordering::Release);
            let next = slab.next()?.load(Ordering::Relaxed);
            match before {
                Some(before) => before.next()?.store(next, Ordering::Release),
                None => header.first().store(next, Ordering::Release),
            }
            finish_unlinking(shm, class, header, slab.unit)?;
            header.free().fetch_sub(slab.class.chunks as u64, Ordering::Relaxed);
            units += slab.class.units;
        }
    }
    Ok(units)
}

/// The class lock: for the checker, which looks at all cells.
pub(crate) fn lock(shm: &Shm, class: usize) -> Result<Guard<'_>> {
    Guard::enter(shm, Header::of(shm, class).lock(), |_| repair(shm, class))
}

/// The slabs that the class's list leads to.
pub(crate) fn listed(shm: &Shm, class: usize) -> impl Iterator<Item = Result<Slab<'_>>> {
    slabs(shm, class, Header::of(shm, class))
}

fn slabs<'a>(shm: &'a Shm, class: usize, header: Header<'a>) -> impl Iterator<Item = Result<Slab<'a>>> {
    let mut at = header.first().load(Ordering::Acquire);
    let mut left = shm.segment.units();
    std::iter::from_fn(move || {
        let unit = at.checked_sub(1)?;
        let slab =
            if left == 0 { Err(Error::corrupt(format_args!("the slabs of class {class} of {} form a circle", shm.label))) } else { Slab::at(shm, unit, class) };
        left = left.saturating_sub(1);
        at = match &slab {
            Ok(slab) => slab.next().map_or(0, |next| next.load(Ordering::Acquire)),
            Err(_) => 0,
        };
        Some(slab)
    })
}

fn verify_hint(shm: &Shm, class: usize, offset: u64) -> Option<&AtomicU64> {
    let unit = offset.checked_sub(shm.segment.plan().heap)? / UNIT;
    let count = shm.segment.units();
    if unit >= count {
        return None;
    }
    let entry = shm.segment.map_entry(unit).ok()?;
    let head = match Cell(units::cell_of(entry).load(Ordering::Acquire)).holder() {
        Holder::Slab(_) => unit,
        Holder::Tail => unit.checked_sub(units::info_of(entry).load(Ordering::Relaxed))?,
        _ => return None,
    };
    if unit - head >= TABLE[class].units || units::cell_of(shm.segment.map_entry(head).ok()?).load(Ordering::Acquire) != Cell::slab(class).0 {
        return None;
    }
    Slab::at(shm, head, class).ok()?.find(offset)
}

/// Goes once round the class's slabs from the cursor; the first free chunk.
fn search<'a>(shm: &'a Shm, class: usize, header: Header<'a>, take: &dyn Fn(&AtomicU64) -> bool) -> Result<Option<u64>> {
    let promised = header.free().load(Ordering::Relaxed);
    let first = header.first().load(Ordering::Acquire);
    let cursor = header.cursor_slab().load(Ordering::Relaxed);
    let begin = cursor.checked_sub(1).and_then(|unit| Slab::at(shm, unit, class).ok());
    let mut skip = header.cursor_cell().load(Ordering::Relaxed) as usize;
    let mut at = if begin.is_some() {
        cursor
    } else {
        skip = 0;
        first
    };
    let mut left = shm.segment.units() + 2;
    let mut wrapped = begin.is_none();
    while left > 0 {
        left -= 1;
        let Some(unit) = at.checked_sub(1) else {
            if wrapped {
                break;
            }
            wrapped = true;
            at = first;
            continue;
        };
        let slab = Slab::at(shm, unit, class)?;
        for index in skip..slab.class.chunks {
            if take(slab.cell(index)?) {
                header.cursor_slab().store(at, Ordering::Relaxed);
                header.cursor_cell().store(index as u64 + 1, Ordering::Relaxed);
                return Ok(Some(slab.start + slab.class.first + index as u64 * slab.class.size));
            }
        }
        skip = 0;
        at = slab.next()?.load(Ordering::Acquire);
    }
    // Once round and nothing: what was promised before the search is not there. Frees since are still counted.
    if wrapped {
        header.cursor_slab().store(0, Ordering::Relaxed);
        if begin.is_none() {
            header.free().fetch_sub(promised, Ordering::Relaxed);
        }
    }
    Ok(None)
}

fn new_slab<'a>(shm: &'a Shm, class: usize, header: Header<'a>) -> Result<Slab<'a>> {
    let layout = &TABLE[class];
    let offset = Units::lock(shm)?.take(layout.units)?;
    let unit = (offset - shm.segment.plan().heap) / UNIT;
    let bytes = shm.segment.span(offset, layout.units * UNIT)?;
    for index in 0..layout.chunks {
        bytes.u64(SLAB_HEADER + index * 8)?.store(Cell::FREE.0, Ordering::Relaxed);
    }
    let entry = shm.segment.map_entry(unit)?;
    header.intent().store(unit + 1, Ordering::Release);
    units::cell_of(entry).store(Cell::slab(class).0, Ordering::Release);
    header.free().fetch_add(layout.chunks as u64, Ordering::Relaxed);
    finish_linking(shm, class, header, unit)?;
    Slab::at(shm, unit, class)
}

fn finish_linking(shm: &Shm, class: usize, header: Header<'_>, unit: u64) -> Result<()> {
    let first = header.first().load(Ordering::Relaxed);
    if first != unit + 1 {
        Slab::at(shm, unit, class)?.next()?.store(first, Ordering::Relaxed);
        header.first().store(unit + 1, Ordering::Release);
    }
    header.intent().store(0, Ordering::Release);
    Ok(())
}

fn finish_unlinking(shm: &Shm, class: usize, header: Header<'_>, unit: u64) -> Result<()> {
    if header.cursor_slab().load(Ordering::Relaxed) == unit + 1 {
        header.cursor_slab().store(0, Ordering::Relaxed);
    }
    let cell = units::cell_of(shm.segment.map_entry(unit)?);
    let _ = cell.compare_exchange(Cell::slab(class).0, Cell::FREE.0, Ordering::AcqRel, Ordering::Relaxed);
    header.intent().store(0, Ordering::Release);
    Ok(())
}

fn repair(shm: &Shm, class: usize) -> Result<()> {
    let header = Header::of(shm, class);
    let intent = header.intent().load(Ordering::Acquire);
    let Some(unit) = (intent & !UNLINKING).checked_sub(1) else { return Ok(()) };
    let is_slab = units::cell_of(shm.segment.map_entry(unit)?).load(Ordering::Acquire) == Cell::slab(class).0;
    if intent & UNLINKING == 0 {
        if is_slab {
            return finish_linking(shm, class, header, unit);
        }
    } else if is_slab && slabs(shm, class, header).all(|slab| slab.is_ok_and(|slab| slab.unit != unit)) {
        return finish_unlinking(shm, class, header, unit);
    }
    header.intent().store(0, Ordering::Release);
    Ok(())
}
