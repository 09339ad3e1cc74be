//! Every scenario: its name, its definition, and who takes part. A definition says what work each side does; the work itself is in
//! `ours/` and `peers/`.

pub(crate) mod cells;
mod cost;
pub(crate) mod dict;
pub(crate) mod idle;
pub(crate) mod lock;
pub(crate) mod payload;
pub(crate) mod pipe;
pub(crate) mod pool;
pub(crate) mod process;
pub(crate) mod queue;
pub(crate) mod wake;

use crate::harness::Scenario;

/// All scenarios in the order of the table.
pub(crate) fn all() -> Vec<Scenario> {
    [
        queue::scenarios(),
        lock::scenarios(),
        wake::scenarios(),
        cells::scenarios(),
        dict::scenarios(),
        pipe::scenarios(),
        process::scenarios(),
        pool::scenarios(),
        payload::scenarios(),
        cost::scenarios(),
        idle::scenarios(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
