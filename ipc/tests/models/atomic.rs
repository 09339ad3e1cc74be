//! Loom's atomics under the names of std's; and death: a process that was told to die after so many stores is gone before the next one.
//!
//! Gone means: it unwinds to its end ([`crate::kernel::Kernel::process`]), and what its destructors would store on the way is not stored.

use std::cell::Cell;
use std::panic::resume_unwind;

pub(crate) use loom::sync::atomic::{Ordering, fence};

/// What a killed process unwinds with.
pub(crate) struct Killed;

loom::thread_local! {
    /// Stores and system calls until death.
    static LEFT: Cell<u32> = Cell::new(u32::MAX);
}

/// This process is to die before its store or system call number `stores` (from 0).
pub(crate) fn die_after(stores: u32) {
    LEFT.with(|left| left.set(stores + 1));
}

/// This process dies here.
pub(crate) fn die() {
    LEFT.with(|left| left.set(0));
    resume_unwind(Box::new(Killed));
}

/// This process lives until its end.
pub(crate) fn live() {
    LEFT.with(|left| left.set(u32::MAX));
}

/// Before a store or a system call. False: the process is dead already, and nothing of it has an effect.
pub(crate) fn before_store() -> bool {
    let left = LEFT.with(Cell::get);
    if left == 0 {
        return false;
    }
    if left != u32::MAX {
        LEFT.with(|place| place.set(left - 1));
    }
    if left == 1 {
        resume_unwind(Box::new(Killed));
    }
    true
}

macro_rules! atomic {
    ($name:ident, $int:ty) => {
        #[derive(Debug)]
        pub(crate) struct $name(loom::sync::atomic::$name);

        impl $name {
            pub(crate) fn new(value: $int) -> $name {
                $name(loom::sync::atomic::$name::new(value))
            }
            pub(crate) fn load(&self, order: Ordering) -> $int {
                self.0.load(order)
            }
            pub(crate) fn store(&self, value: $int, order: Ordering) {
                if before_store() {
                    self.0.store(value, order);
                }
            }
            pub(crate) fn swap(&self, value: $int, order: Ordering) -> $int {
                if before_store() { self.0.swap(value, order) } else { 0 }
            }
            pub(crate) fn compare_exchange(&self, from: $int, to: $int, good: Ordering, bad: Ordering) -> Result<$int, $int> {
                if before_store() { self.0.compare_exchange(from, to, good, bad) } else { Err(!from) }
            }
            /// Never fails for nothing, as on the machines that we run on; a retry would only make the model larger.
            pub(crate) fn compare_exchange_weak(&self, from: $int, to: $int, good: Ordering, bad: Ordering) -> Result<$int, $int> {
                self.compare_exchange(from, to, good, bad)
            }
            pub(crate) fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                if before_store() { self.0.fetch_add(value, order) } else { 0 }
            }
            pub(crate) fn fetch_sub(&self, value: $int, order: Ordering) -> $int {
                if before_store() { self.0.fetch_sub(value, order) } else { 0 }
            }
        }
    };
}

atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);
