//! The atomics of the files that `tests/models` checks: that target compiles the same files with a model checker's atomics under this name. Here they are std's.

pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
