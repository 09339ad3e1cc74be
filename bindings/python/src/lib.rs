//! `polyproc._core`: the Rust objects as Python types. Translation only; what is Python's own (contexts, managers, names of the reference) is in `python/polyproc`.
//!
//! | file | idea |
//! | --- | --- |
//! | `fabric` | the family's fabric, named fabrics, and how a handle travels |
//! | `error` | an error of the library as the exception that Python has for it |
//! | `wait` | waits without the interpreter's lock, that signals end |
//! | `value` | Python values as messages and back |
//! | one for each object | its methods |

mod barrier;
mod cells;
mod condition;
mod dict;
mod error;
mod event;
mod fabric;
mod fork;
mod hot;
mod lease;
mod list;
mod lock;
mod memory;
mod named;
mod pollable;
mod pool;
mod pool_call;
mod pool_worker;
mod queue;
mod rlock;
mod semaphore;
mod value;
mod wait;

use pyo3::prelude::*;

/// The objects of polyproc. The package `polyproc` is for use; this module is its inside.
#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::barrier::Barrier;
    #[pymodule_export]
    use crate::cells::{Cells, Synchronized, SynchronizedArray};
    #[pymodule_export]
    use crate::condition::Condition;
    #[pymodule_export]
    use crate::dict::{Dict, Namespace, Set};
    #[pymodule_export]
    use crate::event::Event;
    #[pymodule_export]
    use crate::fabric::{Fabric, attach, family};
    #[pymodule_export]
    use crate::fork::{after_fork, before_fork};
    #[pymodule_export]
    use crate::lease::Lease;
    #[pymodule_export]
    use crate::list::List;
    #[pymodule_export]
    use crate::lock::Lock;
    #[pymodule_export]
    use crate::named::{Block, CellList};
    #[pymodule_export]
    use crate::pollable::Pollable;
    #[pymodule_export]
    use crate::pool::{Options, Pool};
    #[pymodule_export]
    use crate::pool_call::{Call, Completions, MapCall};
    #[pymodule_export]
    use crate::pool_worker::{cancelled, offer, serve, worker_number};
    #[pymodule_export]
    use crate::queue::{JoinableQueue, Queue, SimpleQueue};
    #[pymodule_export]
    use crate::rlock::RLock;
    #[pymodule_export]
    use crate::semaphore::{BoundedSemaphore, Semaphore};
    #[pymodule_export]
    use crate::value::{decode_value, encode_value};

    #[pymodule_init]
    fn init(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        crate::hot::install(module.py())
    }
}
