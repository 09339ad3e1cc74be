//! Every scenario: its name, its definition, and who takes part. A definition says what work each side does; the work itself is in
//! `ours/` and `peers/`.

mod cost;
pub(crate) mod dict;
pub(crate) mod lock;
pub(crate) mod pool;
pub(crate) mod queue;

use crate::harness::Scenario;

/// All scenarios in the order of the table.
pub(crate) fn all() -> Vec<Scenario> {
    [queue::scenarios(), lock::scenarios(), dict::scenarios(), pool::scenarios(), cost::scenarios()].into_iter().flatten().collect()
}
