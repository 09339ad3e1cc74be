//! polyproc's side of every scenario, a file each. Public API only, as any user would write it.

pub(crate) mod c;
pub(crate) mod cells;
pub(crate) mod cost;
pub(crate) mod dict;
pub(crate) mod idle;
pub(crate) mod latency;
pub(crate) mod list;
pub(crate) mod lock;
pub(crate) mod payload;
pub(crate) mod pipe;
pub(crate) mod pool;
pub(crate) mod process;
pub(crate) mod queue;
pub(crate) mod wake;
