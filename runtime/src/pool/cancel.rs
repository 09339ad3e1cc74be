//! Cancelling a job, step by step. The words that decide are in `desk`.
//!
//! 1. The job is entered into the set of the cancelled: no call of it begins from now on, and none of it is run again.
//! 2. The pages of all workers are looked at. A call that one shows has begun: it is left to its own end, told to stop, and condemned after the grace.
//! 3. A *mark* is put into the result queue. Each call that had begun before 1 and that 2 did not see has put its record before the mark, since a worker puts it before it
//!    changes its page. So when the collector comes to the mark, every call without an outcome that 2 did not see has not begun, and never will: it fails.
//! 4. The job leaves the table, and the set, when every one of its calls was met by a worker and skipped, or taken from a dead one.
//!
//! Where only what has not begun is to be cancelled, 2 leaves the running call alone: it is neither told nor condemned.
//!
//! Must not know how a job keeps its outcomes.

use std::sync::Arc;
use std::time::Duration;

use super::desk::Why;
use super::gather::Gather;
use super::table::{Phase, Shared};
use super::warden::{self, Deed};
use crate::error::{Error, Result};

/// What becomes of calls that run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Running {
    /// They are told, and ended after this time.
    Ends(Duration),
    /// They go on, and know of nothing.
    GoesOn,
}

/// Cancels what is not over of a job. False: all of it is; or, if what runs goes on, some of it has begun.
pub(super) fn cancel(shared: &Arc<Shared>, id: u64, job: &Arc<Gather>, task: &str, how: Running) -> Result<bool> {
    if !shared.at_home() {
        return Err(Error::argument("a pool's calls cannot be cancelled in a forked process"));
    }
    if shared.remote().is_some() {
        return Err(Error::argument("a client's calls cannot be cancelled: only the process that has the pool cancels, and only its own"));
    }
    if job.done().is_some() {
        return Ok(false);
    }
    match shared.board.list(id, |each| shared.workers().iter().for_each(|worker| each(&worker.page)), || job.cancel(task)) {
        Ok(true) => {}
        Ok(false) => return Ok(false),
        // The pool ended meanwhile, and every call with it.
        Err(_) if matches!(shared.phase(), Phase::Drained | Phase::Stopped(_)) => return Ok(false),
        Err(error) => return Err(error),
    }
    let mut running = Vec::new();
    let mut begun = Vec::new();
    for worker in shared.workers() {
        if let Some(seen) = worker.look()?.filter(|seen| seen.job == id) {
            begun.push(seen.index);
            if seen.running {
                running.push((worker, seen.serial));
            }
        }
    }
    let none_began = begun.is_empty();
    job.leave_to_itself(begun);
    for (worker, serial) in running {
        let Running::Ends(grace) = how else { continue };
        worker.page.tell(serial)?;
        if grace.is_zero() {
            warden::end_call(shared, &worker, serial, Why::Cancelled);
        } else if grace != Duration::MAX {
            shared.warden.later(shared, grace, Deed::Condemn { worker: Arc::downgrade(&worker), serial })?;
        }
    }
    shared.warden.hurry(id);
    if !shared.mark(id) {
        shared.warden.later(shared, warden::AGAIN, Deed::Mark { job: id })?;
    }
    Ok(none_began || how != Running::GoesOn)
}
