//! The pool's events: what pool and workers write into the ring, and that no ring costs nothing. What the events mean is in `trace.rs`.

use polyproc_ipc::{ErrorKind as Ipc, EventName, Events, Fabric, Ticket};

use crate::error::Result;
use crate::trace;

/// Events of a pool of which nothing was said.
const USUAL: usize = 2048;

/// Whether a pool keeps events, and where.
#[derive(Clone, Debug, Default)]
pub(super) enum Keep {
    /// As many as usual, if the fabric has room for them.
    #[default]
    Usual,
    /// So many; none: 0.
    Last(usize),
    /// So many, in a ring of this name that stays when the pool is gone.
    Named(String, usize),
}

/// The parent's side.
pub(super) struct Journal {
    events: Option<Events>,
    stays: bool,
}

impl Journal {
    pub(super) fn new(fabric: &Fabric, keep: &Keep) -> Result<Journal> {
        let events = match keep {
            Keep::Usual => match Events::new(fabric, USUAL) {
                Err(error) if matches!(error.kind(), Ipc::OutOfMemory | Ipc::TooLarge) => None,
                other => Some(other?),
            },
            Keep::Last(0) => None,
            Keep::Last(count) => Some(Events::new(fabric, *count)?),
            Keep::Named(name, count) => Some(Events::open_or_create(fabric, name, *count)?),
        };
        Ok(Journal { events, stays: matches!(keep, Keep::Named(..)) })
    }

    pub(super) fn events(&self) -> Option<&Events> {
        self.events.as_ref()
    }

    /// For a worker.
    pub(super) fn lend(&self) -> Option<Ticket> {
        self.events.as_ref().map(Events::lend)
    }

    pub(super) fn started(&self, pid: u32, number: u32, again: bool) {
        self.record(if again { trace::RESTARTED } else { trace::STARTED }, pid, number.into());
    }

    /// `code`: exit code or minus signal.
    pub(super) fn gone(&self, pid: u32, code: i32) {
        self.record(trace::GONE, pid, i64::from(code) as u64);
    }

    pub(super) fn gave_up(&self) {
        self.record(trace::GAVE_UP, std::process::id(), 0);
    }

    /// Gives the ring back, unless it has a name.
    pub(super) fn end(&self) {
        if let Some(events) = &self.events
            && !self.stays
        {
            let _ = events.destroy();
        }
    }

    fn record(&self, kind: u8, who: u32, value: u64) {
        if let Some(events) = &self.events {
            // An event that cannot be recorded stops nothing: damaged memory is told by what needs it.
            let _ = events.record(kind, EventName::OTHER, who, value);
        }
    }
}

/// A worker's side.
pub(super) struct Calls {
    events: Option<Events>,
    pid: u32,
    task: EventName,
    call: u64,
    /// When the last call ended, if nothing but its record came since.
    ended: Option<u64>,
}

impl Calls {
    pub(super) fn new(ring: Option<&Ticket>) -> Calls {
        // Gone if the pool is: then there will be no calls.
        let events = ring.and_then(|ticket| Events::from_ticket(ticket).ok());
        Calls { events, pid: std::process::id(), task: EventName::OTHER, call: 0, ended: None }
    }

    /// A batch of calls of this task begins.
    pub(super) fn enter(&mut self, task: &str) {
        if let Some(events) = &self.events {
            self.task = events.intern(task).unwrap_or(EventName::OTHER);
            self.ended = None;
        }
    }

    pub(super) fn begin(&mut self, job: u64, index: u64) {
        if let Some(events) = &self.events {
            self.call = job << 32 | index & 0xffff_ffff;
            // The end of the call before is near enough, and saves a look at the clock.
            let time = self.ended.take().unwrap_or_else(Events::now);
            let _ = events.record_at(time, trace::BEGAN, self.task, self.pid, self.call);
        }
    }

    pub(super) fn end(&mut self, good: bool) {
        if let Some(events) = &self.events {
            let time = Events::now();
            let _ = events.record_at(time, if good { trace::RETURNED } else { trace::FAILED }, self.task, self.pid, self.call);
            self.ended = Some(time);
        }
    }
}
