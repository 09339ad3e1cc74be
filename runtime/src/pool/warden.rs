//! The warden: the one thread of a pool that acts when a time has come. It ends calls over their hard limit or their grace, and submits what was to wait.
//!
//! It is started at the first need, so a pool without limits, cancellations and delayed retries has none. Of hard limits nobody tells it when a call begins: as long as
//! there are limited calls it looks at the desk, first when the shortest limit could be over for a call that begins right now, and then when the next
//! running one is due. Its lock is taken last of all. Must not wait for the collector.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use polyproc_ipc::Ticket;
use rustix::process::Signal;

use super::desk::{self, Why};
use super::table::{Shared, Worker};
use crate::error::{Error, ErrorKind, Result};
use crate::wire::Letter;

/// Limits are looked at no more often than this.
const TICK: Duration = Duration::from_millis(1);
/// What stands for a time that no clock can tell: 68 years.
const AGES: Duration = Duration::from_secs(1 << 31);
/// After what time something that a full fabric refused is tried again.
pub(super) const AGAIN: Duration = Duration::from_millis(20);

/// What is to be done at some time.
pub(super) enum Deed {
    /// End this call of this worker, if it still runs. It does not keep what is left of a dead worker.
    Condemn { worker: Weak<Worker>, serial: u64 },
    /// Submit this batch of this job.
    Submit { job: u64, batch: Letter },
    /// Say in the result queue that this job was cancelled.
    Mark { job: u64 },
    /// Put this to a client.
    Tell { reply: Ticket, letter: Letter },
}

#[derive(Default)]
pub(super) struct Warden {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Default)]
struct State {
    thread: Option<JoinHandle<()>>,
    ended: bool,
    /// Something was added since the last look.
    changed: bool,
    added: u64,
    deeds: BTreeMap<(Instant, u64), Deed>,
    /// The hard limits of unfinished jobs, and how many have each.
    limits: BTreeMap<Duration, usize>,
}

impl Warden {
    /// Does `deed` after this time.
    pub(super) fn later(&self, shared: &Arc<Shared>, time: Duration, deed: Deed) -> Result<()> {
        let now = Instant::now();
        let due = now.checked_add(time).unwrap_or(now + AGES);
        let mut state = self.started(shared)?;
        state.added += 1;
        let key = (due, state.added);
        state.deeds.insert(key, deed);
        state.changed = true;
        drop(state);
        self.bell.notify_one();
        Ok(())
    }

    /// Submits now what was to wait of this job.
    pub(super) fn hurry(&self, job: u64) {
        let mut state = self.lock();
        let now = Instant::now();
        let of_job = |deed: &Deed| matches!(deed, Deed::Submit { job: of, .. } if *of == job);
        let mine: Vec<_> = state.deeds.iter().filter(|(_, deed)| of_job(deed)).map(|(key, _)| *key).collect();
        if mine.is_empty() {
            return;
        }
        for key in mine {
            if let Some(deed) = state.deeds.remove(&key) {
                state.deeds.insert((now, key.1), deed);
            }
        }
        state.changed = true;
        drop(state);
        self.bell.notify_one();
    }

    /// From now on there are calls with this limit.
    pub(super) fn guard(&self, shared: &Arc<Shared>, limit: Duration) -> Result<()> {
        let mut state = self.started(shared)?;
        // Otherwise it looks soon enough as it is.
        let shorter = state.limits.first_key_value().is_none_or(|(shortest, _)| limit < *shortest);
        *state.limits.entry(limit).or_default() += 1;
        state.changed |= shorter;
        drop(state);
        if shorter {
            self.bell.notify_one();
        }
        Ok(())
    }

    /// One job with this limit is over.
    pub(super) fn release(&self, limit: Duration) {
        let mut state = self.lock();
        if let Some(count) = state.limits.get_mut(&limit) {
            *count -= 1;
            if *count == 0 {
                state.limits.remove(&limit);
            }
        }
    }

    /// Ends the thread, and waits for it. Nothing is done any more.
    pub(super) fn end(&self) {
        let thread = {
            let mut state = self.lock();
            state.ended = true;
            state.deeds.clear();
            state.thread.take()
        };
        self.bell.notify_one();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    fn started(&self, shared: &Arc<Shared>) -> Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        if state.thread.is_none() && !state.ended {
            let shared = shared.clone();
            let thread = std::thread::Builder::new().name("polyproc-warden".into()).spawn(move || shared.warden.run(&shared));
            state.thread = Some(thread.map_err(|error| Error::new(ErrorKind::SpawnFailed, format!("cannot start a thread of the pool: {error}")))?);
        }
        Ok(state)
    }

    fn run(&self, shared: &Arc<Shared>) {
        let mut state = self.lock();
        while !state.ended {
            state.changed = false;
            let now = Instant::now();
            let mut next = None;
            if let Some(entry) = state.deeds.first_entry() {
                if entry.key().0 <= now {
                    let deed = entry.remove();
                    drop(state);
                    self.act(shared, deed);
                    state = self.lock();
                    continue;
                }
                next = Some(entry.key().0);
            }
            if let Some((&shortest, _)) = state.limits.first_key_value() {
                drop(state);
                let look = watch(shared, shortest).max(TICK);
                state = self.lock();
                next = now.checked_add(look).into_iter().chain(next).min();
            }
            if state.changed || state.ended {
                continue;
            }
            state = match next {
                None => self.bell.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(next) => self.bell.wait_timeout(state, next.saturating_duration_since(Instant::now())).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    fn act(&self, shared: &Arc<Shared>, deed: Deed) {
        let (deed, done) = match deed {
            Deed::Condemn { worker, serial } => return worker.upgrade().into_iter().for_each(|worker| end_call(shared, &worker, serial, Why::Cancelled)),
            Deed::Submit { job, batch } => {
                let done = shared.submit_or_settle(job, &batch);
                (Deed::Submit { job, batch }, done)
            }
            Deed::Mark { job } => (Deed::Mark { job }, shared.mark(job)),
            Deed::Tell { reply, letter } => return shared.tell_client(&reply, letter),
        };
        // It can only be that the fabric is full at this moment; else the pool has ended.
        if !done {
            let _ = self.later(shared, AGAIN, deed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends this call of this worker if it still runs: from then on it puts no record, and only then is it killed.
pub(super) fn end_call(shared: &Shared, worker: &Worker, serial: u64, why: Why) {
    match worker.page.condemn(serial, why) {
        Ok(true) => {
            worker.facts.killed_by_pool.store(true, Ordering::Relaxed);
            let _ = worker.child.signal(Signal::KILL);
        }
        Ok(false) => {}
        Err(error) => shared.stop(&error),
    }
}

/// Ends the calls that are over their limit. After what time the next may be.
fn watch(shared: &Shared, shortest: Duration) -> Duration {
    let mut look = shortest;
    for worker in shared.workers() {
        let seen = match worker.look() {
            Ok(Some(seen)) if seen.running && seen.hard != 0 => seen,
            Ok(_) => continue,
            Err(error) => {
                shared.stop(&error);
                continue;
            }
        };
        match seen.started.saturating_add(seen.hard).saturating_sub(desk::now()) {
            0 => end_call(shared, &worker, seen.serial, Why::OverLimit),
            left => look = look.min(Duration::from_nanos(left)),
        }
    }
    look
}
