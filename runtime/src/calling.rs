//! The call that a task is in: what a task may ask about itself while it runs in a worker.
//!
//! Known to the thread that runs the task; other threads get it as a value. Must not know how a call came or what becomes of its result.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::pool::desk::{self, Page};
use crate::wire::Terms;

/// The call that a worker is running: what [`current_call`] gives. It may go to other threads of the worker.
///
/// ```
/// use std::time::Duration;
/// use polyproc::{Options, Pool, current_call, task};
///
/// /// Works in steps, and stops early if it is told to.
/// #[task]
/// fn steps(most: u64) -> u64 {
///     let call = current_call().expect("runs in a worker");
///     (0..most).take_while(|_| !call.cancelled()).inspect(|_| std::thread::sleep(Duration::from_millis(1))).count() as u64
/// }
///
/// let pool = Pool::new(1)?;
/// let in_time = pool.with(Options::new().soft_limit(Duration::from_millis(20))).apply(steps, (1_000_000,))?;
/// assert!(in_time < 1_000_000);
/// # Ok::<(), polyproc::Error>(())
/// ```
#[derive(Clone)]
pub struct CurrentCall {
    task: Arc<str>,
    number: u64,
    attempt: u32,
    started: u64,
    soft: u64,
    hard: u64,
    serial: u64,
    page: Page,
}

struct Running {
    call: CurrentCall,
    active: bool,
}

thread_local! {
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
}

/// The call that this thread is running for a pool; `None` outside of a worker, and in other threads of one.
pub fn current_call() -> Option<CurrentCall> {
    RUNNING.with_borrow(|running| running.as_ref().filter(|running| running.active).map(|running| running.call.clone()))
}

/// Whether the call that this thread is running was told to stop: [`CurrentCall::cancelled`]. False outside of a worker.
///
/// It costs a few nanoseconds, so a task may ask in its inner loop.
pub fn cancelled() -> bool {
    RUNNING.with_borrow(|running| running.as_ref().is_some_and(|running| running.active && running.call.cancelled()))
}

impl CurrentCall {
    /// The task's name.
    pub fn task(&self) -> &str {
        &self.task
    }

    /// Which call it is of those that were submitted together, from 0: the index in a map, 0 for a single call.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Which attempt of the call this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether the call was told to stop: its handle was cancelled, or its soft limit has passed. What a task does then is its own affair; if it was cancelled,
    /// its process is ended when the grace is over.
    pub fn cancelled(&self) -> bool {
        self.page.told(self.serial) || (self.soft != 0 && desk::now() >= self.started.saturating_add(self.soft))
    }

    /// When the call should be over, by its soft limit.
    pub fn deadline(&self) -> Option<Instant> {
        self.after(self.soft)
    }

    /// When the process is ended if the call is not over, by its hard limit.
    pub fn hard_deadline(&self) -> Option<Instant> {
        self.after(self.hard)
    }

    fn after(&self, limit: u64) -> Option<Instant> {
        if limit == 0 {
            return None;
        }
        let (now, due) = (desk::now(), self.started.saturating_add(limit));
        let here = Instant::now();
        if due >= now { here.checked_add(Duration::from_nanos(due - now)) } else { here.checked_sub(Duration::from_nanos(now - due)) }
    }
}

impl fmt::Debug for CurrentCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurrentCall").field("task", &self.task).field("number", &self.number).field("attempt", &self.attempt).finish_non_exhaustive()
    }
}

/// This thread is about to run calls of `task`, from number `first` on. None of them runs yet.
pub(crate) fn prepare(task: &Arc<str>, first: u64, terms: &Terms, page: &Page) {
    RUNNING.with_borrow_mut(|running| match running {
        Some(Running { call, .. }) if Arc::ptr_eq(&call.task, task) => {
            (call.number, call.attempt, call.soft, call.hard) = (first, terms.attempt, terms.soft, terms.hard);
        }
        _ => {
            let Terms { attempt, soft, hard, .. } = *terms;
            let call = CurrentCall { task: task.clone(), number: first, attempt, started: 0, soft, hard, serial: 0, page: page.clone() };
            *running = Some(Running { call, active: false });
        }
    });
}

/// Runs a call of the prepared task as the current one.
#[inline]
pub(crate) fn with<T>(number: u64, serial: u64, started: u64, body: impl FnOnce() -> T) -> T {
    let change = |active| {
        RUNNING.with_borrow_mut(|running| {
            if let Some(running) = running {
                (running.call.number, running.call.serial, running.call.started, running.active) = (number, serial, started, active);
            }
        });
    };
    change(true);
    // A panic of the task is caught in the body.
    let answer = body();
    change(false);
    answer
}

#[cfg(test)]
mod tests {
    use polyproc_ipc::Fabric;

    use super::*;

    #[test]
    fn a_call_is_current_only_while_it_runs() {
        let page = Page::new(&Fabric::new().unwrap()).unwrap();
        let task: Arc<str> = "a::b".into();
        let terms = Terms { lane: 0, attempt: 2, bring_back: false, soft: 1, hard: u64::MAX, reply: None };
        assert!(current_call().is_none() && !cancelled());
        prepare(&task, 7, &terms, &page);
        assert!(current_call().is_none());
        let seen = with(8, 1, desk::now() - 5, || (current_call().unwrap(), cancelled()));
        assert_eq!((seen.0.task(), seen.0.number(), seen.0.attempt(), seen.1), ("a::b", 8, 2, true));
        assert!(seen.0.deadline().unwrap() <= Instant::now());
        assert!(seen.0.hard_deadline().is_none_or(|at| at > Instant::now()));
        assert!(current_call().is_none() && !cancelled());
    }
}
