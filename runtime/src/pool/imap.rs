//! `Imap`: results one by one while input is still being read, with a bounded window between the two.
//!
//! Input is taken only as results are taken, so an endless iterator is fine. Must not know workers or queues.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use polyproc_ipc::ErrorKind as Ipc;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::gather::value;
use super::handle::own_callback;
use super::options::Options;
use super::table::{self, Job, Outcome, Retried, Room, Settled, Shared, is_collector};
use crate::error::{Error, ErrorKind, Result};
use crate::wire::BatchBuilder;

/// An iterator over the results of a task: what `imap` and `imap_unordered` return.
///
/// At most a window of calls, four chunks for each worker unless [`Options::window`] says otherwise, is under way or waiting to be taken. A call that fails is an `Err` in its place,
/// and the rest go on. Dropping the iterator takes no more input; calls that are under way run to their end.
///
/// ```
/// use polyproc::{Pool, task};
///
/// #[task]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// let pool = Pool::new(2)?;
/// let first = pool.imap(square, 1..)?.take(3).collect::<polyproc::Result<Vec<_>>>()?;
/// assert_eq!(first, [1, 4, 9]);
/// # Ok::<(), polyproc::Error>(())
/// ```
#[must_use = "an iterator does nothing before it is asked"]
pub struct Imap<I: Iterator, R> {
    shared: Arc<Shared>,
    job: Arc<Stream>,
    id: u64,
    task: Cow<'static, str>,
    /// `None` once it is exhausted, or must not be read any more.
    input: Option<I>,
    next: u64,
    chunk: usize,
    window: usize,
    result: PhantomData<fn() -> R>,
}

/// The job behind an `Imap`.
struct Stream {
    options: Options,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    ordered: bool,
    /// The index of the first slot.
    base: u64,
    slots: VecDeque<Slot>,
    /// Outcomes in the order of their arrival, if that is the order asked for.
    ready: VecDeque<Outcome>,
    left: usize,
    retried: Retried,
    /// Calls that were ever added.
    submitted: u64,
    growing: bool,
    /// Why no more input may be taken.
    cut: Option<Error>,
    waiting: bool,
}

enum Slot {
    Waiting,
    Ready(Outcome),
    Taken,
}

impl<A: Serialize, I: Iterator<Item = A>, R: DeserializeOwned> Imap<I, R> {
    pub(super) fn new(shared: &Arc<Shared>, task: Cow<'static, str>, input: I, ordered: bool, options: Options) -> Result<Imap<I, R>> {
        options.check()?;
        let chunk = options.chunk.or(shared.settings.chunk).unwrap_or(1);
        let window = options.window.unwrap_or_else(|| chunk.saturating_mul(4).saturating_mul(shared.settings.bounds.most.max(1)));
        let chunk = chunk.min(window);
        let (slots, ready, retried) = (VecDeque::new(), VecDeque::new(), Retried::default());
        let state = State { ordered, base: 0, slots, ready, left: 0, retried, submitted: 0, growing: true, cut: None, waiting: false };
        let job = Arc::new(Stream { options, state: Mutex::new(state), changed: Condvar::new() });
        let id = shared.enter(job.clone(), Room::Ignore)?;
        Ok(Imap { shared: shared.clone(), job, id, task, input: Some(input), next: 0, chunk, window, result: PhantomData })
    }

    /// Takes input until the window is full.
    fn feed(&mut self) {
        while self.input.is_some() && self.job.under_way() + self.chunk <= self.window {
            let first = self.next;
            let mut batch = BatchBuilder::new(self.id, first, &self.task, self.shared.terms(&self.job.options));
            let mut refused = None;
            while batch.count() < self.chunk as u32 && refused.is_none() {
                // User code runs here, so nothing is locked.
                let Some(argument) = self.input.as_mut().and_then(Iterator::next) else {
                    self.input = None;
                    break;
                };
                if let Some(error) = self.job.cut_by() {
                    self.input = None;
                    refused = Some(error);
                } else if let Err(error) = batch.push((argument,)) {
                    let sentence = format!("argument {} of task '{}' cannot be encoded", first + u64::from(batch.count()), self.task);
                    refused = Some(Error::because(ErrorKind::BadArguments, sentence, error));
                }
            }
            let count = batch.count();
            self.job.extend(count, refused.as_ref());
            self.next += u64::from(count) + u64::from(refused.is_some());
            if count > 0
                && let Err(error) = self.shared.submit(batch.finish())
            {
                self.input = None;
                for i in 0..count {
                    // The job still grows, so this cannot complete it.
                    let _ = self.job.settle(first + u64::from(i), Err(error.clone()));
                }
            }
        }
        if self.input.is_none() {
            self.end();
        }
    }
}

impl<I: Iterator, R> Imap<I, R> {
    /// Calls that were submitted, and how many of them are not over.
    pub(super) fn counts(&self) -> (u64, u64) {
        self.job.counts()
    }

    /// How many results are still to be taken, if the input says how much there is of it.
    #[cfg(feature = "progress")]
    pub(crate) fn expected(&self) -> Option<u64> {
        let (least, most) = self.input.as_ref().map_or((0, Some(0)), Iterator::size_hint);
        most.filter(|most| *most == least).map(|most| (most + self.job.under_way()) as u64)
    }

    /// Takes no more input; the job leaves the table with its last call.
    fn end(&mut self) {
        if self.job.grown() {
            self.shared.leave(self.id);
        }
    }
}

impl<A: Serialize, I: Iterator<Item = A>, R: DeserializeOwned> Imap<I, R> {
    /// As [`next`](Iterator::next), but waits no longer than `limit`: then it is an error of kind `Timeout`, nothing was taken, and the iteration can go on.
    pub fn next_timeout(&mut self, limit: Duration) -> Option<Result<R>> {
        self.step(Some(limit))
    }

    fn step(&mut self, limit: Option<Duration>) -> Option<Result<R>> {
        self.feed();
        let outcome = match self.job.take(!is_collector(&self.shared), limit) {
            Ok(outcome) => outcome?,
            Err(error) => return Some(Err(error)),
        };
        Some(value(&outcome, &self.task))
    }
}

impl<A: Serialize, I: Iterator<Item = A>, R: DeserializeOwned> Iterator for Imap<I, R> {
    type Item = Result<R>;

    fn next(&mut self) -> Option<Result<R>> {
        self.step(None)
    }
}

impl<I: Iterator, R> Drop for Imap<I, R> {
    fn drop(&mut self) {
        if self.shared.at_home() {
            self.end();
        }
    }
}

impl<I: Iterator, R> fmt::Debug for Imap<I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap").field("task", &self.task).field("submitted", &self.next).finish_non_exhaustive()
    }
}

impl Stream {
    /// Calls that were submitted and whose outcomes nobody has taken.
    fn under_way(&self) -> usize {
        let state = self.lock();
        if state.ordered { state.slots.len() } else { state.left + state.ready.len() }
    }

    fn cut_by(&self) -> Option<Error> {
        self.lock().cut.clone()
    }

    /// Adds `count` calls, and behind them one that failed already.
    fn extend(&self, count: u32, refused: Option<&Error>) {
        let mut state = self.lock();
        state.submitted += u64::from(count) + u64::from(refused.is_some());
        match state.cut.clone() {
            // Stopped meanwhile: nothing settles these any more.
            Some(error) if !state.growing => (0..count).for_each(|_| state.refuse(&error)),
            _ => {
                state.slots.extend(std::iter::repeat_with(|| Slot::Waiting).take(count as usize));
                state.left += count as usize;
            }
        }
        if let Some(error) = refused {
            state.refuse(error);
        }
    }

    /// True if this ended the job's growth and nothing is left.
    fn grown(&self) -> bool {
        let mut state = self.lock();
        std::mem::take(&mut state.growing) && state.left == 0
    }

    /// The next outcome, as soon as it is there; `None` at the end.
    fn take(&self, may_wait: bool, limit: Option<Duration>) -> Result<Option<Outcome>> {
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut state = self.lock();
        loop {
            if let Some(outcome) = state.pop() {
                return Ok(Some(outcome));
            }
            if state.left == 0 {
                return Ok(None);
            }
            if !may_wait {
                return Err(own_callback());
            }
            state.waiting = true;
            state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return Err(polyproc_ipc::Error::new(Ipc::Timeout, "the next result of an imap is not there yet").into()),
                Some(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        if waiting {
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pop(&mut self) -> Option<Outcome> {
        if !self.ordered {
            return self.ready.pop_front();
        }
        match self.slots.pop_front()? {
            Slot::Ready(outcome) => {
                self.base += 1;
                Some(outcome)
            }
            slot => {
                self.slots.push_front(slot);
                None
            }
        }
    }

    /// Adds a call that failed before it could be submitted.
    fn refuse(&mut self, error: &Error) {
        if self.ordered {
            self.slots.push_back(Slot::Ready(Err(error.clone())));
        } else {
            self.slots.push_back(Slot::Taken);
            self.ready.push_back(Err(error.clone()));
            self.forget_taken();
        }
    }

    fn forget_taken(&mut self) {
        while matches!(self.slots.front(), Some(Slot::Taken)) {
            self.slots.pop_front();
            self.base += 1;
        }
    }
}

impl Job for Stream {
    fn settle(&self, index: u64, outcome: Outcome) -> Settled {
        let mut state = self.lock();
        let (ordered, at) = (state.ordered, index.checked_sub(state.base).and_then(|at| usize::try_from(at).ok()));
        match at.and_then(|at| state.slots.get_mut(at)) {
            Some(slot @ Slot::Waiting) if ordered => *slot = Slot::Ready(outcome),
            Some(slot @ Slot::Waiting) => {
                *slot = Slot::Taken;
                state.ready.push_back(outcome);
                state.forget_taken();
            }
            _ => return Settled::default(),
        }
        state.retried.forget(index);
        state.left -= 1;
        let complete = state.left == 0 && !state.growing;
        self.wake(state);
        Settled { complete, over: complete }
    }

    fn is_open(&self, index: u64) -> bool {
        let state = self.lock();
        let at = index.checked_sub(state.base).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| state.slots.get(at)).is_some_and(|slot| matches!(slot, Slot::Waiting))
    }

    fn retried(&self, look: &mut dyn FnMut(&mut Retried)) {
        look(&mut self.lock().retried);
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn fail(&self, error: &Error) -> bool {
        let mut state = self.lock();
        let ordered = state.ordered;
        let mut failed = 0;
        for slot in state.slots.iter_mut().filter(|slot| matches!(slot, Slot::Waiting)) {
            *slot = if ordered { Slot::Ready(Err(error.clone())) } else { Slot::Taken };
            failed += 1;
        }
        if !ordered {
            state.ready.extend(std::iter::repeat_with(|| Err(error.clone())).take(failed));
            state.forget_taken();
        }
        (state.left, state.growing, state.cut) = (0, false, Some(error.clone()));
        self.wake(state);
        true
    }

    fn counts(&self) -> (u64, u64) {
        let state = self.lock();
        (state.submitted, state.left as u64)
    }

    fn cut(&self) -> Settled {
        let mut state = self.lock();
        if !state.growing {
            return Settled::default();
        }
        state.cut = Some(table::closed());
        state.growing = false;
        let complete = state.left == 0;
        self.wake(state);
        Settled { complete, over: complete }
    }
}
