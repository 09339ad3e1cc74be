//! What a job is to the pool's table and collector: calls that were submitted together, each of which comes to an outcome. Must not know how they are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use polyproc_ipc::{Message, Parcel, codec};
use serde::de::DeserializeOwned;

use super::options::Options;
use crate::encoded::Answer;
use crate::error::{CallId, Error, Result};

/// What a call came to: its encoded value, or why there is none.
pub(super) type Outcome = Result<Payload>;

/// An encoded value where it arrived, from byte `at` on: nothing is copied before somebody decodes it.
#[derive(Debug)]
pub(super) enum Payload {
    Message {
        message: Message,
        at: usize,
    },
    /// With blocks beside it.
    Parcel {
        parcel: Arc<Parcel>,
        at: usize,
    },
}

impl Payload {
    /// The value as it came.
    pub(super) fn answer(&self) -> Answer {
        match self {
            Payload::Message { message, at } => Answer::own(message.get(*at..).unwrap_or_default()),
            Payload::Parcel { parcel, at } => Answer::in_parcel(parcel.clone(), *at),
        }
    }

    pub(super) fn decode<R: DeserializeOwned>(&self) -> polyproc_ipc::Result<R> {
        match self {
            Payload::Message { message, at } => codec::decode(message.get(*at..).unwrap_or_default()),
            Payload::Parcel { parcel, at } => parcel.decode(parcel.body().get(*at..).unwrap_or_default()),
        }
    }
}

/// What follows from what was done to a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use = "the job may have to leave the table"]
pub(super) struct Settled {
    /// It was the last outcome: the job is to be announced.
    pub(super) complete: bool,
    /// No worker will meet a call of it any more: it leaves the table.
    pub(super) over: bool,
}

/// Calls that were submitted together.
pub(super) trait Job: Send + Sync {
    /// Keeps the outcome of a call, unless it has one.
    fn settle(&self, index: u64, outcome: Outcome) -> Settled;
    /// Whether this call has no outcome yet.
    fn is_open(&self, index: u64) -> bool;
    /// The attempts that failed and led to another, under the job's lock.
    fn retried(&self, look: &mut dyn FnMut(&mut Retried));
    /// Ends every call that has no outcome yet with `error`. True if there were any.
    fn fail(&self, error: &Error) -> bool;
    /// How its calls are to be run.
    fn options(&self) -> &Options;
    /// Takes no further input.
    fn cut(&self) -> Settled {
        Settled::default()
    }
    /// Whether no call of it may begin any more.
    fn is_cancelled(&self) -> bool {
        false
    }
    /// Fails the calls of a cancelled job that had not begun.
    fn skip(&self) -> Settled {
        Settled::default()
    }
    /// Called once, when every call has its outcome.
    fn announce(&self) {}
    /// How many calls it has, and how many of them are not over.
    fn counts(&self) -> (u64, u64);
}

/// The last attempt of each call that failed and led to the next. A worker that dies behind the record of a failed call has it on its lease still, so that its end may be told twice.
#[derive(Debug, Default)]
pub(super) struct Retried(BTreeMap<u64, u32>);

impl Retried {
    /// Whether this attempt, or a later one, has led to another.
    pub(super) fn has(&self, call: CallId) -> bool {
        self.0.get(&call.number).is_some_and(|&attempt| attempt >= call.attempt)
    }

    /// This attempt leads to another.
    pub(super) fn add(&mut self, call: CallId) {
        self.0.insert(call.number, call.attempt);
    }

    /// The call has its outcome.
    pub(super) fn forget(&mut self, number: u64) {
        if !self.0.is_empty() {
            self.0.remove(&number);
        }
    }
}

/// What happens to a job that finds as many unfinished ones as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// It waits.
    Wait,
    /// It is refused.
    Refuse,
    /// It enters all the same.
    Ignore,
}
