//! The size classes: which chunk size serves a length, and how a slab of each class is laid out. Arithmetic only.

use crate::shm::layout::UNIT;

/// Size classes: 64 to 256 by 64, then four per doubling up to 32 KiB.
pub(crate) const CLASSES: usize = 32;
/// Largest length that a class serves; more is an extent of whole units.
pub(crate) const LARGEST: u64 = 32 * 1024;
/// Bytes at the start of a slab before its cells.
pub(crate) const SLAB_HEADER: usize = 64;

/// How a slab of one class is laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    /// Bytes per chunk.
    pub(crate) size: u64,
    /// Units per slab.
    pub(crate) units: u64,
    /// Chunks per slab.
    pub(crate) chunks: usize,
    /// Where the first chunk begins, from the slab's start.
    pub(crate) first: u64,
}

/// The class that serves `len` bytes (1..=[`LARGEST`]).
#[inline(always)]
pub(crate) fn class_of(len: u64) -> usize {
    debug_assert!(len <= LARGEST);
    if len <= 256 {
        return (len.max(1) as usize - 1) / 64;
    }
    let doubling = (len - 1).ilog2();
    let quarter = ((len - 1) >> (doubling - 2)) & 3;
    (4 + (doubling as usize - 8) * 4) + quarter as usize
}

const fn layout(class: usize) -> Class {
    let size = if class < 4 {
        (class as u64 + 1) * 64
    } else {
        let base = 256_u64 << ((class - 4) / 4);
        base + ((class - 4) % 4 + 1) as u64 * (base / 4)
    };
    let units = if size <= 2048 { 1 } else { 4 };
    let bytes = units * UNIT;
    let mut chunks = (bytes - SLAB_HEADER as u64) / (size + 8);
    let mut first = (SLAB_HEADER as u64 + chunks * 8).next_multiple_of(64);
    while first + chunks * size > bytes {
        chunks -= 1;
        first = (SLAB_HEADER as u64 + chunks * 8).next_multiple_of(64);
    }
    Class { size, units, chunks: chunks as usize, first }
}

/// All classes by number.
pub(crate) static TABLE: [Class; CLASSES] = {
    let mut table = [layout(0); CLASSES];
    let mut class = 1;
    while class < CLASSES {
        table[class] = layout(class);
        class += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_has_the_smallest_class_that_holds_it() {
        for len in 1..=LARGEST {
            let class = class_of(len);
            assert!(TABLE[class].size >= len, "{len}");
            assert!(class == 0 || TABLE[class - 1].size < len, "{len}");
        }
        assert_eq!(TABLE[CLASSES - 1].size, LARGEST);
    }

    #[test]
    fn slabs_hold_their_chunks() {
        for class in &TABLE {
            assert!(class.first + class.chunks as u64 * class.size <= class.units * UNIT);
            assert!(class.first as usize >= SLAB_HEADER + class.chunks * 8);
            assert_eq!(class.first % 64, 0);
            assert_eq!(class.size % 64, 0);
        }
    }
}
