//! What workers say at their beginning and end, as the pool takes it in: failed start hooks, and the results of exit hooks.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use polyproc_ipc::{ErrorKind as Ipc, Message};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::calls::bad_arguments;
use super::table::{Payload, Shared, Worker};
use super::{Pool, gather};
use crate::encoded::Encoded;
use crate::error::{Error, Failure, Result};
use crate::task::encode_args_alone;
use crate::wire::{BatchBuilder, Record, Terms};

/// A hook as workers get it: a batch of one call.
pub(super) fn encode<A: Serialize>(task: &str, args: &A) -> Result<Vec<u8>> {
    let mut batch = BatchBuilder::new(0, 0, task, Terms::PLAIN);
    batch.push_encoded(&encode_args_alone(args).map_err(|error| bad_arguments(task, 0, error))?);
    Ok(batch.finish().body)
}

/// The same by name. It has no blocks beside it: what workers are told is bytes.
pub(super) fn of(task: &str, arguments: Encoded) -> Result<Vec<u8>> {
    let letter = super::calls::letter(task, arguments)?;
    if !letter.packing.is_empty() {
        return Err(Error::argument(format!("the arguments of the hook '{task}' cannot have blocks beside them")));
    }
    Ok(letter.body)
}

impl Pool {
    /// What the [`on_exit`](crate::PoolBuilder::on_exit) hook returned in the workers that have left so far, each once, in the order in which they left. After a
    /// [`join`](Pool::join) of a closed pool that is every worker that left in order; one that was killed, also by [`terminate`](Pool::terminate), has none.
    ///
    /// An element is an error if the hook failed there. A pool that lives long and replaces its workers keeps their results until they are asked for.
    ///
    /// ```
    /// use polyproc::{Pool, task, worker};
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// #[task]
    /// fn add(n: u64) {
    ///     worker::get_or_set(AtomicU64::default).fetch_add(n, Ordering::Relaxed);
    /// }
    ///
    /// #[task]
    /// fn sum() -> u64 {
    ///     worker::get_or_set(AtomicU64::default).load(Ordering::Relaxed)
    /// }
    ///
    /// let pool = Pool::builder().workers(2).on_exit(sum, ()).build()?;
    /// pool.map(add, 1..=100)?;
    /// pool.close();
    /// pool.join()?;
    /// let sums = pool.exit_results::<u64>().into_iter().collect::<polyproc::Result<Vec<_>>>()?;
    /// assert_eq!((sums.len(), sums.iter().sum::<u64>()), (2, 5050));
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn exit_results<R: DeserializeOwned>(&self) -> Vec<Result<R>> {
        let task = self.shared.settings.exit_task.as_deref().unwrap_or_default();
        let outcomes = std::mem::take(&mut *self.shared.exits.lock().unwrap_or_else(PoisonError::into_inner));
        outcomes.iter().map(|outcome| gather::value(outcome, task)).collect()
    }
}

impl Shared {
    /// A worker is about to leave in order.
    pub(super) fn take_leave(&self, number: u32, at: Option<usize>, message: Message) {
        if let Some(worker) = self.worker(number) {
            worker.facts.left.store(true, Ordering::Relaxed);
        }
        let Some(inner) = at else { return };
        let outcome = match Record::parse(message.get(inner..).unwrap_or_default()) {
            Ok(Record::Done { at, .. }) => Ok(Payload::Message { message, at: inner + at }),
            Ok(Record::Failed { failure, .. }) => Err(Error::from_failure(failure)),
            // Checked where the outer record was read.
            _ => return,
        };
        self.exits.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
    }

    /// A worker said that it cannot go on.
    pub(super) fn take_complaint(&self, number: u32, failure: Failure) {
        if failure.number == Ipc::Corrupt.number() {
            return self.stop(&Error::from(polyproc_ipc::Error::new(Ipc::Corrupt, failure.message)));
        }
        if let Some(worker) = self.worker(number) {
            let _ = worker.facts.unfit.set(failure);
        }
    }

    /// The worker of this number, if its death was not handled yet.
    pub(super) fn worker(&self, number: u32) -> Option<Arc<Worker>> {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.iter().find(|worker| worker.number == number).cloned()
    }
}
