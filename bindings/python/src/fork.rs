//! What is done around a fork by Python: what this process made is the child's too, and no thread has a lock of the library while the copy is made. Knows no object.

use std::cell::RefCell;

use polyproc::{StillForFork, ipc};
use pyo3::prelude::*;

use crate::error::OrRaise;

thread_local! {
    static STILL: RefCell<Vec<StillForFork>> = const { RefCell::new(Vec::new()) };
}

/// Before a fork. What this process made belongs to its fabrics from now on, since the child has it too.
#[pyfunction]
pub(crate) fn before_fork(py: Python<'_>) -> PyResult<()> {
    let kept = ipc::Fabric::keep_all().or_raise(py);
    // Last: what comes before may need the locks.
    STILL.with_borrow_mut(|still| still.push(StillForFork::hold()));
    kept
}

/// Behind it, in both processes, by the thread that forked.
#[pyfunction]
pub(crate) fn after_fork() {
    drop(STILL.with_borrow_mut(Vec::pop));
}
