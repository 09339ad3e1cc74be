//! `Calls`: a pool's calls with options; everything that submits goes through here.
//!
//! It types calls, encodes them into batches, and enters their job. Must not know what becomes of a batch.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::gather::{self, Gather};
use super::handle::AsyncResult;
use super::imap::Imap;
use super::options::Options;
use super::table::{Job, Room, Shared};
use crate::encoded::Encoded;
use crate::error::{Error, ErrorKind, Result};
use crate::task::{Task, TaskFn, encode_args_alone};
use crate::wire::{BatchBuilder, LONGEST_NAME, Letter, Terms};

/// A batch of calls is cut at this size, so that large arguments spread over the workers.
pub(super) const LARGE_BATCH: usize = 256 << 10;

/// A pool's calls with [`Options`]: what [`Pool::with`](crate::Pool::with) gives. Its methods are those of the pool, where each is explained.
#[derive(Clone, Copy)]
#[must_use = "nothing is submitted yet"]
pub struct Calls<'p> {
    pub(super) shared: &'p Arc<Shared>,
    pub(super) options: Options,
}

impl<'p> Calls<'p> {
    pub(super) fn new(shared: &'p Arc<Shared>, options: Options) -> Calls<'p> {
        Calls { shared, options }
    }

    /// As [`Pool::submit`](crate::Pool::submit).
    pub fn submit<F: TaskFn>(&self, task: Task<F>, args: F::Args) -> Result<AsyncResult<F::Output>> {
        self.submit_one(Cow::Borrowed(task.name()), Room::Wait, |batch| batch.push(args))
    }

    /// As [`Pool::try_submit`](crate::Pool::try_submit).
    pub fn try_submit<F: TaskFn>(&self, task: Task<F>, args: F::Args) -> Result<AsyncResult<F::Output>> {
        self.submit_one(Cow::Borrowed(task.name()), Room::Refuse, |batch| batch.push(args))
    }

    /// As [`Pool::submit_by_name`](crate::Pool::submit_by_name).
    pub fn submit_by_name<R: DeserializeOwned>(&self, name: &str, args: impl Serialize) -> Result<AsyncResult<R>> {
        check_name(name)?;
        let encoded = encode_args_alone(&args).map_err(|error| bad_arguments(name, 0, error))?;
        if !matches!(encoded.first(), Some(0x90..=0x9f | 0xdc | 0xdd)) {
            let sentence = format!("the arguments of task '{name}' are no tuple: one argument is given as (value,), none as ()");
            return Err(Error::new(ErrorKind::BadArguments, sentence));
        }
        self.submit_one(Cow::Owned(name.into()), Room::Wait, |batch| {
            batch.push_encoded(&encoded);
            Ok(())
        })
    }

    /// As [`Pool::apply_async_with`](crate::Pool::apply_async_with).
    pub fn submit_with<F: TaskFn>(&self, task: Task<F>, args: F::Args, callback: impl FnOnce(Result<F::Output>) + Send + 'static) -> Result<()> {
        let name = task.name();
        let mut batch = self.batch(name)?;
        batch.push(args).map_err(|error| bad_arguments(name, 0, error))?;
        let job = Gather::with_callback(self.options, Box::new(move |outcomes| callback(gather::one(outcomes, name))));
        self.submit_job(&Arc::new(job), Room::Wait, batch).map(drop)
    }

    /// As [`Pool::apply`](crate::Pool::apply).
    pub fn apply<F: TaskFn>(&self, task: Task<F>, args: F::Args) -> Result<F::Output> {
        self.submit(task, args)?.get()
    }

    /// As [`Pool::map`](crate::Pool::map).
    pub fn map<A, R>(&self, task: Task<fn(A) -> R>, items: impl IntoIterator<Item = A>) -> Result<Vec<R>>
    where
        fn(A) -> R: TaskFn<Args = (A,), Output = R>,
        A: Serialize,
        R: DeserializeOwned,
    {
        self.map_async(task, items)?.get()
    }

    /// As [`Pool::map_async`](crate::Pool::map_async).
    pub fn map_async<A, R>(&self, task: Task<fn(A) -> R>, items: impl IntoIterator<Item = A>) -> Result<AsyncResult<Vec<R>>>
    where
        fn(A) -> R: TaskFn<Args = (A,), Output = R>,
        A: Serialize,
        R: DeserializeOwned,
    {
        self.submit_all(task.name(), items.into_iter().map(|item| (item,)))
    }

    /// As [`Pool::starmap`](crate::Pool::starmap).
    pub fn starmap<F: TaskFn>(&self, task: Task<F>, items: impl IntoIterator<Item = F::Args>) -> Result<Vec<F::Output>> {
        self.starmap_async(task, items)?.get()
    }

    /// As [`Pool::starmap_async`](crate::Pool::starmap_async).
    pub fn starmap_async<F: TaskFn>(&self, task: Task<F>, items: impl IntoIterator<Item = F::Args>) -> Result<AsyncResult<Vec<F::Output>>> {
        self.submit_all(task.name(), items.into_iter())
    }

    /// As [`Pool::imap`](crate::Pool::imap).
    pub fn imap<A, R, I>(&self, task: Task<fn(A) -> R>, items: I) -> Result<Imap<I::IntoIter, R>>
    where
        fn(A) -> R: TaskFn<Args = (A,), Output = R>,
        A: Serialize,
        R: DeserializeOwned,
        I: IntoIterator<Item = A>,
    {
        Imap::new(self.shared, Cow::Borrowed(task.name()), items.into_iter(), true, self.options)
    }

    /// As [`Pool::imap_unordered`](crate::Pool::imap_unordered).
    pub fn imap_unordered<A, R, I>(&self, task: Task<fn(A) -> R>, items: I) -> Result<Imap<I::IntoIter, R>>
    where
        fn(A) -> R: TaskFn<Args = (A,), Output = R>,
        A: Serialize,
        R: DeserializeOwned,
        I: IntoIterator<Item = A>,
    {
        Imap::new(self.shared, Cow::Borrowed(task.name()), items.into_iter(), false, self.options)
    }

    /// An empty batch of a job that has no number yet.
    pub(super) fn batch(&self, task: &str) -> Result<BatchBuilder> {
        self.options.check()?;
        Ok(BatchBuilder::new(0, 0, task, self.shared.terms(&self.options)))
    }

    fn submit_one<R: DeserializeOwned>(
        &self,
        task: Cow<'static, str>,
        room: Room,
        write: impl FnOnce(&mut BatchBuilder) -> polyproc_ipc::Result<()>,
    ) -> Result<AsyncResult<R>> {
        let mut batch = self.batch(&task)?;
        write(&mut batch).map_err(|error| bad_arguments(&task, 0, error))?;
        let job = Arc::new(Gather::new(self.options, 1, false));
        let id = self.submit_job(&job, room, batch)?;
        Ok(AsyncResult { job, id, shared: self.shared.clone(), task, decode: gather::one, many: false, polled: None })
    }

    /// Submits the one batch of a job: its number.
    pub(super) fn submit_job(&self, job: &Arc<Gather>, room: Room, mut batch: BatchBuilder) -> Result<u64> {
        let id = self.shared.enter(job.clone(), room)?;
        batch.set_job(id);
        match self.shared.submit(batch.finish()) {
            Ok(()) => Ok(id),
            Err(error) => {
                self.shared.leave(id);
                // Stopped meanwhile: the job has its answer, and has called back.
                if job.done().is_some() { Ok(id) } else { Err(error) }
            }
        }
    }

    fn submit_all<A: Serialize, R: DeserializeOwned>(&self, task: &'static str, items: impl Iterator<Item = A>) -> Result<AsyncResult<Vec<R>>> {
        self.options.check()?;
        match (self.options.chunk.or(self.shared.settings.chunk), items.size_hint()) {
            (Some(chunk), _) => self.submit_chunks(task, items, chunk),
            (None, (low, Some(high))) if low == high => self.submit_chunks(task, items, self.share(low)),
            _ => {
                let items: Vec<A> = items.collect();
                let chunk = self.share(items.len());
                self.submit_chunks(task, items.into_iter(), chunk)
            }
        }
    }

    /// A quarter of each worker's share: coarse enough to be cheap, fine enough that all end at about the same time; and no more than a worker may run.
    pub(super) fn share(&self, calls: usize) -> usize {
        let settings = &self.shared.settings;
        let most = settings.setup.most_calls.map_or(usize::MAX, |calls| calls as usize);
        calls.div_ceil(4 * settings.bounds.most.max(1)).min(most).max(1)
    }

    fn submit_chunks<A: Serialize, R: DeserializeOwned>(
        &self,
        task: &'static str,
        items: impl Iterator<Item = A>,
        chunk: usize,
    ) -> Result<AsyncResult<Vec<R>>> {
        let job = Arc::new(Gather::new(self.options, 0, true));
        let growth = Growth { id: self.shared.enter(job.clone(), Room::Ignore)?, shared: self.shared, job: &job };
        let (id, terms) = (growth.id, self.shared.terms(&self.options));
        let mut batch = BatchBuilder::new(id, 0, task, terms);
        let mut first = 0;
        for item in items {
            batch.push(item).map_err(|error| bad_arguments(task, first + u64::from(batch.count()), error))?;
            if batch.count() as usize >= chunk || batch.size() >= LARGE_BATCH {
                first += u64::from(batch.count());
                let full = std::mem::replace(&mut batch, BatchBuilder::new(id, first, task, terms));
                growth.submit(full)?;
            }
        }
        if batch.count() > 0 {
            growth.submit(batch)?;
        }
        drop(growth);
        Ok(AsyncResult { job, id, shared: self.shared.clone(), task: Cow::Borrowed(task), decode: gather::all, many: true, polled: None })
    }
}

impl fmt::Debug for Calls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").field("options", &self.options).finish_non_exhaustive()
    }
}

/// A job that still grows. However its submission ends, also by an iterator's panic, the job can end.
pub(super) struct Growth<'a> {
    pub(super) id: u64,
    pub(super) shared: &'a Shared,
    pub(super) job: &'a Gather,
}

impl Growth<'_> {
    pub(super) fn submit(&self, batch: BatchBuilder) -> Result<()> {
        let count = batch.count() as usize;
        self.job.grow(count);
        self.shared.submit(batch.finish()).inspect_err(|error| self.job.abandon(count, error))
    }
}

impl Drop for Growth<'_> {
    fn drop(&mut self) {
        let settled = self.job.grown();
        self.shared.follow(self.id, self.job as &dyn Job, settled);
    }
}

/// A call of `task` with these arguments, as a batch of its own that belongs to no job.
pub(crate) fn letter(task: &str, arguments: Encoded) -> Result<Letter> {
    check_name(task)?;
    arguments.check_arguments().map_err(|error| bad_arguments(task, 0, error))?;
    let mut batch = BatchBuilder::new(0, 0, task, Terms::PLAIN);
    batch.push_letter(arguments.into_letter());
    Ok(batch.finish())
}

/// Whether a task can have this name.
pub(super) fn check_name(task: &str) -> Result<()> {
    if task.len() > LONGEST_NAME {
        return Err(Error::new(ErrorKind::UnknownTask, format!("no task has a name of {} bytes", task.len())));
    }
    Ok(())
}

pub(super) fn bad_arguments(task: &str, index: u64, error: polyproc_ipc::Error) -> Error {
    Error::because(ErrorKind::BadArguments, format!("the arguments of task '{task}' (call {index}) cannot be encoded"), error)
}
