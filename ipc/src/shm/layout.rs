//! Where everything in a segment stands (layout version 1; `docs/format.md` is the same table for other languages), and the
//! stamp that is checked before any other byte is believed.

/// `"POLYPROC"` read as a little-endian number; written last by the initialiser.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"POLYPROC");
/// Grows with every change of the layout.
pub(crate) const LAYOUT_VERSION: u32 = 1;
/// Word size in bits, and a byte order mark that reads 0x0102 only on a machine of the same order.
pub(crate) const ABI: u32 = 64 << 16 | 0x0102;

/// Bytes per unit of the heap.
pub(crate) const UNIT: u64 = 64 * 1024;
/// Members at most.
pub(crate) const SLOTS: usize = 1024;
/// Bytes per slot.
pub(crate) const SLOT_SIZE: usize = 128;
/// Buckets of the directory.
pub(crate) const BUCKETS: usize = 256;
/// Bytes per size class header.
pub(crate) const CLASS_SIZE: usize = 256;

/// Offsets of the fixed part, `[0, FIXED)`.
pub(crate) mod at {
    /// Stamp: magic.
    pub(crate) const MAGIC: usize = 0;
    /// Stamp: layout version (u32).
    pub(crate) const VERSION: usize = 8;
    /// Stamp: ABI tag (u32).
    pub(crate) const ABI: usize = 12;
    /// Stamp: cap in bytes.
    pub(crate) const CAP: usize = 16;
    /// Stamp: fabric id, two words.
    pub(crate) const ID: usize = 24;
    /// Sequence of deaths (u32 futex): every sweep of a dead member adds 1 and wakes all.
    pub(crate) const DEATHS: usize = 128;
    /// Counter that numbers objects at their birth.
    pub(crate) const BIRTHS: usize = 192;
    /// Where the next join begins to look for a free slot.
    pub(crate) const NEXT_SLOT: usize = 200;
    /// Lock word of the members table (taken by sweeps).
    pub(crate) const TABLE_LOCK: usize = 256;
    /// Lock word of the directory.
    pub(crate) const DIRECTORY_LOCK: usize = 320;
    /// Directory intent: the object being linked or unlinked; 0: none.
    pub(crate) const DIRECTORY_INTENT: usize = 328;
    /// Lock word of the heap's units.
    pub(crate) const UNIT_LOCK: usize = 384;
    /// Units intent: first unit of the range being reshaped.
    pub(crate) const UNIT_INTENT_START: usize = 392;
    /// Units intent: units in the range being reshaped; 0: none.
    pub(crate) const UNIT_INTENT_COUNT: usize = 400;
    /// Units in the heap.
    pub(crate) const UNITS: usize = 448;
    /// Where the next search for free units begins (a hint).
    pub(crate) const UNIT_CURSOR: usize = 456;
    /// The fabric's name: length, then up to 200 bytes; length 0: private.
    pub(crate) const NAME: usize = 512;
    /// Size class headers.
    pub(crate) const CLASSES: usize = 1024;
    /// Retired objects: offset of the first of each kind.
    pub(crate) const RETIRED: usize = 0x2400;
    /// Directory buckets: offset of each chain's first object.
    pub(crate) const BUCKETS: usize = 0x2800;
    /// Process table.
    pub(crate) const SLOTS: usize = 0x4000;
    /// The unit map begins; its length follows from the cap.
    pub(crate) const MAP: usize = 0x4000 + super::SLOTS * super::SLOT_SIZE;
}

/// Length of the fixed part.
pub(crate) const FIXED: usize = at::MAP;

/// Fields of a slot.
pub(crate) mod slot {
    /// `generation << 32 | state`.
    pub(crate) const STATE: usize = 0;
    /// Process id (u32), as its own pid namespace counts.
    pub(crate) const PID: usize = 8;
    /// Language number (u32).
    pub(crate) const LANGUAGE: usize = 12;
    /// Start time of the process, in ticks since boot.
    pub(crate) const START: usize = 16;
}

const _: () = assert!(at::CLASSES + 32 * CLASS_SIZE <= at::RETIRED && at::RETIRED + 64 * 8 <= at::BUCKETS && at::BUCKETS + BUCKETS * 8 <= at::SLOTS);

/// Bytes of one unit map entry: `cell` and `info`.
pub(crate) const MAP_ENTRY: u64 = 16;

/// The three lengths that follow from a cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Units that the heap may grow to.
    pub(crate) max_units: u64,
    /// Where the heap begins.
    pub(crate) heap: u64,
    /// Bytes of address space for the whole segment.
    pub(crate) reserve: u64,
}

/// Smallest cap: the fixed part and a little heap.
pub(crate) const MIN_CAP: u64 = 1 << 20;
/// Largest cap: what 32 bits of units can count, and any machine's address space can hold.
pub(crate) const MAX_CAP: u64 = 1 << 45;

impl Plan {
    /// The plan of a segment with this cap; none if the cap is out of range.
    pub(crate) fn of(cap: u64) -> Option<Plan> {
        if !(MIN_CAP..=MAX_CAP).contains(&cap) {
            return None;
        }
        let max_units = cap / UNIT;
        let heap = (FIXED as u64 + max_units * MAP_ENTRY).next_multiple_of(UNIT);
        Some(Plan { max_units, heap, reserve: heap + max_units * UNIT })
    }

    /// Bytes of memory that a heap of `units` takes, with all that goes before it.
    pub(crate) fn committed(units: u64) -> u64 {
        FIXED as u64 + (units * MAP_ENTRY).next_multiple_of(4096) + units * UNIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_holds_its_parts() {
        for cap in [MIN_CAP, 64 << 20, 12 << 30, MAX_CAP] {
            let plan = Plan::of(cap).unwrap();
            assert!(plan.heap >= FIXED as u64 + plan.max_units * MAP_ENTRY);
            assert_eq!(plan.heap % UNIT, 0);
            assert_eq!(plan.reserve - plan.heap, plan.max_units * UNIT);
        }
        assert_eq!(Plan::of(0), None);
        assert_eq!(Plan::of(u64::MAX), None);
    }
}
