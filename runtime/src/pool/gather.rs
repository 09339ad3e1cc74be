//! Calls whose outcomes are wanted all together (`submit`, `map`): the job behind an `AsyncResult`.
//!
//! A call is *open* until it has an outcome, and *unanswered* until no worker can meet it any more. That is the same, but for calls that were cancelled before
//! they ran: they have their outcome at once, and the job stays in the pool's table until workers have skipped them. Outcomes are kept encoded, and decoded in the
//! thread that asks. Must not know workers or queues.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::options::Options;
use super::table::{Job, Outcome, Payload, Retried, Settled};
use crate::error::{Error, ErrorKind, Result};

pub(super) type Callback = Box<dyn FnOnce(&[Outcome]) + Send>;

/// A job that is done when every call of it is.
pub(super) struct Gather {
    options: Options,
    state: Mutex<State>,
    changed: Condvar,
    done: OnceLock<Vec<Outcome>>,
}

struct State {
    slots: Vec<Option<Outcome>>,
    /// Calls without an outcome.
    open: usize,
    /// Calls that have an outcome and that a worker will still meet.
    unanswered: HashSet<u64>,
    retried: Retried,
    growing: bool,
    waiting: usize,
    callbacks: Vec<Callback>,
    wakers: Vec<Waker>,
    cancel: Option<Cancel>,
}

/// What is known of a cancelled job.
struct Cancel {
    task: Box<str>,
    /// Calls that had begun when it was cancelled: their own end decides.
    begun: HashSet<u64>,
}

impl Gather {
    /// A job of `count` calls; if it grows, more of them come until [`Gather::grown`].
    pub(super) fn new(options: Options, count: usize, growing: bool) -> Gather {
        let slots = std::iter::repeat_with(|| None).take(count).collect();
        let (unanswered, retried) = (HashSet::new(), Retried::default());
        let state = State { slots, open: count, unanswered, retried, growing, waiting: 0, callbacks: Vec::new(), wakers: Vec::new(), cancel: None };
        Gather { options, state: Mutex::new(state), changed: Condvar::new(), done: OnceLock::new() }
    }

    /// A job of one call, whose outcome is called back from the collector.
    pub(super) fn with_callback(options: Options, callback: Callback) -> Gather {
        let gather = Gather::new(options, 1, false);
        gather.lock().callbacks.push(callback);
        gather
    }

    /// The outcomes of all calls, once each has one.
    pub(super) fn done(&self) -> Option<&[Outcome]> {
        self.done.get().map(Vec::as_slice)
    }

    /// Makes room for `count` more calls.
    pub(super) fn grow(&self, count: usize) {
        let mut state = self.lock();
        if state.growing {
            let length = state.slots.len() + count;
            state.slots.resize_with(length, || None);
            state.open += count;
        }
    }

    /// Settles the last `count` calls, which could not be submitted.
    pub(super) fn abandon(&self, count: usize, error: &Error) {
        let length = self.lock().slots.len();
        for index in length.saturating_sub(count)..length {
            // The job still grows, so this cannot complete it.
            let _ = self.settle(index as u64, Err(error.clone()));
        }
    }

    /// No more calls come.
    pub(super) fn grown(&self) -> Settled {
        let mut state = self.lock();
        if !std::mem::take(&mut state.growing) {
            return Settled::default();
        }
        self.look(state)
    }

    /// The job is cancelled, but for the calls that `begun` says; again, for more of them. False: it is done.
    pub(super) fn cancel(&self, task: &str) -> bool {
        let mut state = self.lock();
        if self.done.get().is_some() {
            return false;
        }
        state.cancel.get_or_insert_with(|| Cancel { task: task.into(), begun: HashSet::new() });
        true
    }

    /// These calls of the cancelled job had begun.
    pub(super) fn leave_to_itself(&self, begun: impl IntoIterator<Item = u64>) {
        if let Some(cancel) = &mut self.lock().cancel {
            cancel.begun.extend(begun);
        }
    }

    /// Waits until all is done, or `limit` has passed.
    pub(super) fn wait(&self, limit: Option<Duration>) -> Option<&[Outcome]> {
        if let Some(done) = self.done() {
            return Some(done);
        }
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut state = self.lock();
        state.waiting += 1;
        while self.done.get().is_none() {
            state = match until {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state.waiting -= 1;
        self.done()
    }

    /// Calls back with the outcomes: at once if they are there.
    pub(super) fn on_done(&self, callback: Callback) {
        let mut state = self.lock();
        if let Some(done) = self.done.get() {
            drop(state);
            call(callback, done);
        } else {
            state.callbacks.push(callback);
        }
    }

    /// Wakes this waker when all is done. False: it is, and nothing will wake it.
    pub(super) fn watch(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        if self.done.get().is_some() {
            return false;
        }
        if !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
        true
    }

    /// The waker is not interested any more.
    pub(super) fn unwatch(&self, waker: &Waker) {
        // Dropped without the lock: a waker is somebody else's code.
        let gone: Vec<Waker> = self.lock().wakers.extract_if(.., |known| known.will_wake(waker)).collect();
        drop(gone);
    }

    /// Completes the job if no call is open, and says what follows.
    fn look(&self, mut state: MutexGuard<'_, State>) -> Settled {
        if state.growing || state.open > 0 {
            return Settled::default();
        }
        let over = state.unanswered.is_empty();
        if self.done.get().is_some() {
            return Settled { complete: false, over };
        }
        let outcomes = std::mem::take(&mut state.slots).into_iter().flatten().collect();
        let waiting = state.waiting > 0;
        let _ = self.done.set(outcomes);
        drop(state);
        if waiting {
            self.changed.notify_all();
        }
        Settled { complete: true, over }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job for Gather {
    fn settle(&self, index: u64, outcome: Outcome) -> Settled {
        let mut guard = self.lock();
        let state = &mut *guard;
        match usize::try_from(index).ok().and_then(|index| state.slots.get_mut(index)) {
            Some(slot @ None) => {
                *slot = Some(outcome);
                state.open -= 1;
            }
            // A call that was cancelled, and that no worker will meet any more.
            _ if !state.unanswered.is_empty() && state.unanswered.remove(&index) => {}
            _ => return Settled::default(),
        }
        self.look(guard)
    }

    fn is_open(&self, index: u64) -> bool {
        usize::try_from(index).is_ok_and(|index| self.lock().slots.get(index).is_some_and(Option::is_none))
    }

    fn retried(&self, look: &mut dyn FnMut(&mut Retried)) {
        look(&mut self.lock().retried);
    }

    fn fail(&self, error: &Error) -> bool {
        let mut state = self.lock();
        if self.done.get().is_some() {
            return false;
        }
        if state.slots.is_empty() {
            state.slots.push(None);
        }
        for slot in state.slots.iter_mut().filter(|slot| slot.is_none()) {
            *slot = Some(Err(error.clone()));
        }
        (state.open, state.growing) = (0, false);
        self.look(state).complete
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn is_cancelled(&self) -> bool {
        self.lock().cancel.is_some()
    }

    fn skip(&self) -> Settled {
        let mut state = self.lock();
        let State { slots, open, unanswered, cancel: Some(cancel), .. } = &mut *state else { return Settled::default() };
        for (index, slot) in (0_u64..).zip(slots.iter_mut()) {
            if slot.is_none() && !cancel.begun.contains(&index) {
                *slot = Some(Err(Error::skipped(&cancel.task, index)));
                *open -= 1;
                unanswered.insert(index);
            }
        }
        self.look(state)
    }

    fn counts(&self) -> (u64, u64) {
        let state = self.lock();
        match self.done.get() {
            Some(done) => (done.len() as u64, 0),
            None => (state.slots.len() as u64, state.open as u64),
        }
    }

    fn announce(&self) {
        let (callbacks, wakers) = {
            let mut state = self.lock();
            (std::mem::take(&mut state.callbacks), std::mem::take(&mut state.wakers))
        };
        let Some(done) = self.done.get() else { return };
        for waker in wakers {
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| waker.wake()));
        }
        for callback in callbacks {
            call(callback, done);
        }
    }
}

/// A callback that panics is printed as any panic, and takes no thread with it, whichever thread that happens to be.
fn call(callback: Callback, outcomes: &[Outcome]) {
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| callback(outcomes)));
}

/// The value of the only call.
pub(super) fn one<R: DeserializeOwned>(outcomes: &[Outcome], task: &str) -> Result<R> {
    match outcomes {
        [outcome] => value(outcome, task),
        // A job of one call has one outcome.
        _ => Err(super::worker::damaged("a result of the pool")),
    }
}

/// The values of all calls, or the error of the first that failed.
pub(super) fn all<R: DeserializeOwned>(outcomes: &[Outcome], task: &str) -> Result<Vec<R>> {
    if let Some(Err(error)) = outcomes.iter().find(|outcome| outcome.is_err()) {
        return Err(error.clone());
    }
    outcomes.iter().map(|outcome| value(outcome, task)).collect()
}

pub(super) fn value<R: DeserializeOwned>(outcome: &Outcome, task: &str) -> Result<R> {
    let payload: &Payload = outcome.as_ref().map_err(Error::clone)?;
    payload.decode().map_err(|error| {
        let wanted = std::any::type_name::<R>();
        Error::because(ErrorKind::BadResult, format!("the result of task '{task}' is no {wanted}"), error)
    })
}
