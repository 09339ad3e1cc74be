//! Calls by name with encoded arguments, whose results stay encoded: what bindings of other languages submit. Must not know what the bytes say.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError};

use super::calls::{self, Calls, Growth, LARGE_BATCH};
use super::gather::Gather;
use super::handle::AsyncResult;
use super::table::{Job as _, Outcome, Room};
use super::worker::damaged;
use super::{Pool, PoolClient};
use crate::encoded::{Answer, Encoded};
use crate::error::{Error, Result};
use crate::wire::BatchBuilder;

impl Calls<'_> {
    /// As [`Pool::submit_encoded`].
    pub fn submit_encoded(&self, task: &str, arguments: Encoded) -> Result<AsyncResult<Answer>> {
        self.submit_raw(task, arguments, Room::Wait)
    }

    /// As [`submit_encoded`](Calls::submit_encoded), but where the pool holds as many submissions as it may, the error is `Full`.
    pub fn try_submit_encoded(&self, task: &str, arguments: Encoded) -> Result<AsyncResult<Answer>> {
        self.submit_raw(task, arguments, Room::Refuse)
    }

    /// As [`Pool::map_encoded`].
    pub fn map_encoded(&self, task: &str, calls: impl IntoIterator<Item = Encoded>) -> Result<AsyncResult<Vec<Answer>>> {
        calls::check_name(task)?;
        self.options.check()?;
        let calls: Vec<Encoded> = calls.into_iter().collect();
        for (index, call) in (0..).zip(&calls) {
            call.check_arguments().map_err(|error| calls::bad_arguments(task, index, error))?;
        }
        let chunk = self.options.chunk.or(self.shared.settings.chunk).unwrap_or_else(|| self.share(calls.len()));
        let job = Arc::new(Gather::new(self.options, 0, true));
        let growth = Growth { id: self.shared.enter(job.clone(), Room::Ignore)?, shared: self.shared, job: &job };
        let (id, terms) = (growth.id, self.shared.terms(&self.options));
        let mut batch = BatchBuilder::new(id, 0, task, terms);
        for (index, call) in (0_u64..).zip(calls) {
            // Places of blocks count in one message, so a call with blocks has its own.
            let alone = call.has_blocks();
            if batch.count() > 0 && (alone || batch.count() as usize >= chunk || batch.size() >= LARGE_BATCH) {
                growth.submit(std::mem::replace(&mut batch, BatchBuilder::new(id, index, task, terms)))?;
            }
            batch.push_letter(call.into_letter());
            if alone {
                growth.submit(std::mem::replace(&mut batch, BatchBuilder::new(id, index + 1, task, terms)))?;
            }
        }
        if batch.count() > 0 {
            growth.submit(batch)?;
        }
        drop(growth);
        Ok(AsyncResult { job, id, shared: self.shared.clone(), task: Cow::Owned(task.into()), decode: all, many: true, polled: None })
    }

    fn submit_raw(&self, task: &str, arguments: Encoded, room: Room) -> Result<AsyncResult<Answer>> {
        calls::check_name(task)?;
        arguments.check_arguments().map_err(|error| calls::bad_arguments(task, 0, error))?;
        let mut batch = self.batch(task)?;
        batch.push_letter(arguments.into_letter());
        let job = Arc::new(Gather::new(self.options, 1, false));
        let id = self.submit_job(&job, room, batch)?;
        Ok(AsyncResult { job, id, shared: self.shared.clone(), task: Cow::Owned(task.into()), decode: one, many: false, polled: None })
    }
}

impl Pool {
    /// As [`submit_by_name`](Pool::submit_by_name), with arguments that are encoded already, and a result that stays encoded: for who learns types only while it runs. The task may be of any language.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadArguments`](crate::ErrorKind::BadArguments) if the arguments are not one whole MessagePack array; otherwise as [`submit`](Pool::submit). Nothing was submitted then.
    ///
    /// ```
    /// use polyproc::{Encoded, Pool, task};
    ///
    /// #[task(name = "greet")]
    /// fn greet(name: String) -> String {
    ///     format!("hello {name}")
    /// }
    ///
    /// let pool = Pool::new(1)?;
    /// let later = pool.submit_encoded("greet", Encoded::arguments(&("you",))?)?;
    /// assert_eq!(later.get()?.bytes(), b"\xa9hello you"); // a text of nine bytes, as MessagePack has it
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn submit_encoded(&self, task: &str, arguments: Encoded) -> Result<AsyncResult<Answer>> {
        self.with(self.shared.settings.options).submit_encoded(task, arguments)
    }

    /// As [`submit_encoded`](Pool::submit_encoded), but where the pool holds as many submissions as it [may](crate::PoolBuilder::max_pending), the error is `Full`: for who must not wait.
    pub fn try_submit_encoded(&self, task: &str, arguments: Encoded) -> Result<AsyncResult<Answer>> {
        self.with(self.shared.settings.options).try_submit_encoded(task, arguments)
    }

    /// Many calls of one task at once, each with its encoded arguments. See [`submit_encoded`](Pool::submit_encoded).
    ///
    /// # Errors
    ///
    /// As there; the error names the first call whose arguments are no array.
    ///
    /// ```
    /// # use polyproc::{Encoded, Pool, task};
    /// # #[task(name = "second power")]
    /// # fn square(n: u64) -> u64 { n * n }
    /// let pool = Pool::new(2)?;
    /// let calls = (0..4).map(|n| Encoded::arguments(&(n,)).unwrap());
    /// let squares: Vec<u64> = pool.map_encoded("second power", calls)?.get()?.iter().map(|answer| answer.decode().unwrap()).collect();
    /// assert_eq!(squares, [0, 1, 4, 9]);
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn map_encoded(&self, task: &str, calls: impl IntoIterator<Item = Encoded>) -> Result<AsyncResult<Vec<Answer>>> {
        self.with(self.shared.settings.options).map_encoded(task, calls)
    }

    /// As [`exit_results`](Pool::exit_results), still encoded.
    pub fn exit_answers(&self) -> Vec<Result<Answer>> {
        let outcomes = std::mem::take(&mut *self.shared.exits.lock().unwrap_or_else(PoisonError::into_inner));
        outcomes.iter().map(answer).collect()
    }
}

impl PoolClient {
    /// As [`Pool::submit_encoded`].
    pub fn submit_encoded(&self, task: &str, arguments: Encoded) -> Result<AsyncResult<Answer>> {
        self.calls().submit_encoded(task, arguments)
    }

    /// As [`Pool::try_submit_encoded`].
    pub fn try_submit_encoded(&self, task: &str, arguments: Encoded) -> Result<AsyncResult<Answer>> {
        self.calls().try_submit_encoded(task, arguments)
    }

    /// As [`Pool::map_encoded`].
    pub fn map_encoded(&self, task: &str, calls: impl IntoIterator<Item = Encoded>) -> Result<AsyncResult<Vec<Answer>>> {
        self.calls().map_encoded(task, calls)
    }
}

impl<T> AsyncResult<T> {
    /// Waits until all calls are over, and gives the result of one of them, as it came, or its error. A single call has number 0.
    ///
    /// # Errors
    ///
    /// That of the call; `InvalidArgument` for a number that no call has, and as [`get_all`](AsyncResult::get_all).
    pub fn answer_of(&self, call: usize) -> Result<Answer> {
        let outcomes = self.outcomes(None)?;
        outcomes.get(call).map_or_else(|| Err(Error::argument(format!("there is no call {call}: there are {}", outcomes.len()))), answer)
    }

    /// How many calls these are.
    pub fn call_count(&self) -> usize {
        self.job.counts().0 as usize
    }
}

impl AsyncResult<Vec<Answer>> {
    /// As [`get_all`](AsyncResult::get_all): waits until all calls are over, and gives for each its result or its error.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn answers(&self) -> Result<Vec<Result<Answer>>> {
        Ok(self.outcomes(None)?.iter().map(answer).collect())
    }
}

fn answer(outcome: &Outcome) -> Result<Answer> {
    outcome.as_ref().map(super::job::Payload::answer).map_err(Clone::clone)
}

fn one(outcomes: &[Outcome], _: &str) -> Result<Answer> {
    match outcomes {
        [outcome] => answer(outcome),
        // A job of one call has one outcome.
        _ => Err(damaged("a result of the pool")),
    }
}

/// All of them, or the error of the first that failed.
fn all(outcomes: &[Outcome], _: &str) -> Result<Vec<Answer>> {
    outcomes.iter().map(answer).collect()
}
