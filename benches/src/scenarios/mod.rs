//! Every scenario: its name, its definition, and who takes part. A definition says what work each side does; the work itself is in
//! `ours/` and `peers/`.

pub(crate) mod c;
pub(crate) mod cells;
mod cost;
pub(crate) mod dict;
mod growth;
pub(crate) mod idle;
pub(crate) mod latency;
pub(crate) mod list;
pub(crate) mod lock;
pub(crate) mod members;
pub(crate) mod payload;
pub(crate) mod pipe;
pub(crate) mod pool;
pub(crate) mod process;
pub(crate) mod queue;
pub(crate) mod wake;

use crate::harness::Scenario;

/// All scenarios in the order of the table; the long ends of what grows only where it is not `quick`.
pub(crate) fn all(quick: bool) -> Vec<Scenario> {
    [
        queue::scenarios(),
        lock::scenarios(),
        wake::scenarios(),
        latency::scenarios(),
        cells::scenarios(),
        dict::scenarios(),
        pipe::scenarios(),
        process::scenarios(),
        pool::scenarios(),
        payload::scenarios(),
        cost::scenarios(),
        idle::scenarios(),
        c::scenarios(),
        growth::scenarios(quick),
    ]
    .into_iter()
    .flatten()
    .collect()
}
