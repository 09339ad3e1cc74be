//! One process and plain data in shared memory: what the cells cost over memory itself.

use crate::harness::{Scenario, Unit};
use crate::ours::cells as ours;
use crate::peers::memory;

const FIRST: u64 = 100_000;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let ns = Unit::Each("ns", 1e-9);
    vec![
        Scenario::new(
            "cells/add",
            "",
            ns,
            "One process adds 1 to a 64-bit number in shared memory: under its lock, or by one atomic instruction. Nanoseconds each.",
        )
        .ours("Value under its lock", FIRST, ours::add_locked)
        .ours("Value, atomic", FIRST, ours::add_atomic)
        .limit("memory, atomic", FIRST, memory::add_atomic),
        Scenario::new(
            "cells/get",
            "",
            ns,
            "One process reads one element of an array of 100,000 doubles in shared memory, at random, without its lock. Nanoseconds each.",
        )
        .ours("Array", FIRST, ours::get)
        .limit("memory", FIRST, memory::get),
        Scenario::new("cells/copy", "8MB", Unit::Each("us", 1e-6), "A million doubles are copied out of shared memory. Microseconds each time.")
            .ours("Array", 20, ours::copy)
            .limit("memory", 20, memory::copy),
    ]
}

/// Elements of the array that is read at random, and of the one that is copied.
pub(crate) const ELEMENTS: usize = 100_000;
pub(crate) const COPIED: usize = 1_000_000;

/// A number below [`ELEMENTS`] that looks random.
pub(crate) fn roll(random: &mut u64) -> usize {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    (*random >> 16) as usize % ELEMENTS
}
