//! Events: a ring of the last events of many processes, and a small table of names, that a crash leaves readable.
//!
//! | file | idea |
//! | --- | --- |
//! | `layout` | where the words stand, and that they are where they say |
//! | `ring` | one event: how it is written without a lock, and how a reader knows that it is whole |
//! | `names` | the table of names: only ever added to |
//!
//! In the directory and the heap a ring is an array of 64-bit cells (`cells/`): made, destroyed, pinned and freed as one, which is why a writer needs no lock to know that the memory is still
//! the ring's. What the words in it mean is said here. Must not know what the events are about.

mod layout;
mod names;
mod ring;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::cells::{CellType, Cells, Locking};
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::handle::How;
use crate::fabric::{Fabric, Ticket};
use crate::objects::Kind;
use crate::sys;
use layout::Geometry;

/// The last events of many processes: a ring of 32-byte records, each with a kind, a name, two numbers and a time.
///
/// Writing takes some tens of nanoseconds, no lock and no waiting; the oldest records are overwritten. Any process that has the fabric open can [`read`](Events::read) at any
/// time. What kinds and numbers mean is between those who write and read; a pool's are in `docs/format.md`.
///
/// **When a process dies**, what it had recorded stays. An event that it was in the middle of is missing, and counts as [`torn`](History::torn); nobody waits for it. A ring with a name is there
/// as long as its fabric is: after the death of its maker and of every writer, for whoever still has the fabric open.
///
/// ```
/// use polyproc_ipc::{Events, Fabric};
/// let fabric = Fabric::new()?;
/// let events = Events::create(&fabric, "what happened", 1024)?;
/// let name = events.intern("resize")?;
/// events.record(1, name, 7, 42)?;
///
/// let history = Events::open(&fabric, "what happened")?.read()?;
/// let event = &history.events[0];
/// assert_eq!((event.kind, event.name.as_deref(), event.who, event.value), (1, Some("resize"), 7, 42));
/// assert_eq!((history.overwritten, history.torn), (0, 0));
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone)]
pub struct Events {
    cells: Cells,
    geometry: Geometry,
    /// Names that this process has looked up.
    known: Arc<RwLock<HashMap<Box<str>, EventName>>>,
}

/// A name in a ring's table, by its number. [`EventName::OTHER`] is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventName(u16);

impl EventName {
    /// What a name is that the table has no room for, and the name of an event that has none.
    pub const OTHER: EventName = EventName(0);

    /// The number, as in shared memory.
    pub fn number(self) -> u16 {
        self.0
    }
}

/// One event as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventRecord {
    /// Its place among all events that were ever recorded in this ring, from 0.
    pub number: u64,
    /// When, in nanoseconds of the clock of [`Events::now`].
    pub time: u64,
    /// What happened.
    pub kind: u8,
    /// To what; none if it had no name or the table of names was full.
    pub name: Option<Arc<str>>,
    /// By whom, or to whom.
    pub who: u32,
    /// A number that belongs to it.
    pub value: u64,
}

/// What [`Events::read`] found, the oldest first.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct History {
    /// The events that are whole.
    pub events: Vec<EventRecord>,
    /// How many older events (than asked for and still there) were overwritten.
    pub overwritten: u64,
    /// How many in between are not whole: their writer was killed, is at it, or was overtaken by the whole ring.
    pub torn: u64,
    /// The number of the next event: where the next [`read_from`](Events::read_from) goes on.
    pub next: u64,
}

impl Events {
    /// The fewest and the most events that a ring can hold.
    pub const CAPACITIES: std::ops::RangeInclusive<usize> = layout::LEAST..=layout::MOST;

    /// A ring without a name, for `capacity` events (rounded up to a power of two). It goes with its last handle here, unless its [ticket](Events::ticket) was made.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a capacity outside [`Events::CAPACITIES`]; `TooLarge` or `OutOfMemory` if the fabric has no room for it.
    pub fn new(fabric: &Fabric, capacity: usize) -> Result<Events> {
        Events::make(fabric, How::New, capacity)
    }

    /// Makes the ring of this name.
    pub fn create(fabric: &Fabric, name: &str, capacity: usize) -> Result<Events> {
        Events::make(fabric, How::Create(name), capacity)
    }

    /// Opens the ring of this name.
    pub fn open(fabric: &Fabric, name: &str) -> Result<Events> {
        Events::of(Cells::open_as(fabric, Kind::Events, name)?)
    }

    /// Opens the ring of this name, whatever its capacity is, or makes it.
    pub fn open_or_create(fabric: &Fabric, name: &str, capacity: usize) -> Result<Events> {
        match Events::open(fabric, name) {
            Err(error) if error.kind() == ErrorKind::NotFound => Events::make(fabric, How::OpenOrCreate(name), capacity),
            other => other,
        }
    }

    /// The ring that a ticket leads to.
    pub fn from_ticket(ticket: &Ticket) -> Result<Events> {
        Events::of(Cells::from_ticket_as(ticket, Kind::Events)?)
    }

    /// Records an event that happens now. `who` and `value` are the writer's to choose.
    ///
    /// # Errors
    ///
    /// `Gone` if the ring was destroyed.
    #[inline]
    pub fn record(&self, kind: u8, name: EventName, who: u32, value: u64) -> Result<()> {
        self.record_at(sys::now(), kind, name, who, value)
    }

    /// As [`record`](Events::record), of an event that happened at `time` by the clock of [`Events::now`].
    #[inline]
    pub fn record_at(&self, time: u64, kind: u8, name: EventName, who: u32, value: u64) -> Result<()> {
        let event = ring::Event { time, about: ring::about(kind, name.0, who), value };
        ring::write(self.cells.attached().data()?, self.geometry, event)
    }

    /// The number of a name in this ring's table, where it is put if it is new. [`EventName::OTHER`] if the table is full (it has a place for every sixteenth event, 16 at least) or the name is
    /// empty. Of a name longer than 120 bytes the end is kept.
    pub fn intern(&self, name: &str) -> Result<EventName> {
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(*known);
        }
        let attached = self.cells.attached();
        let found = EventName(names::intern(attached.shm(), attached.data()?, self.geometry, name)?);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Bounded, however many names come that the table has no room for.
        if known.len() < 4 * self.geometry.names() {
            known.insert(name.into(), found);
        }
        Ok(found)
    }

    /// All events that are still there. Others may go on recording meanwhile.
    pub fn read(&self) -> Result<History> {
        self.read_from(0)
    }

    /// The events from number `from` on.
    pub fn read_from(&self, from: u64) -> Result<History> {
        let data = self.cells.attached().data()?;
        let mut history = History::default();
        let found = ring::read(data, self.geometry, from)?;
        (history.overwritten, history.torn, history.next) = (found.overwritten, found.torn, found.next);
        // After the events: a name is in the table before it is used.
        let names = names::all(data, self.geometry)?;
        history.events = found.events.into_iter().map(|(number, event)| event.decode(number, &names)).collect();
        Ok(history)
    }

    /// Now, by the clock of the events: nanoseconds, never set, the same for all processes of the machine.
    pub fn now() -> u64 {
        sys::now()
    }

    /// How many events the ring holds before it overwrites the oldest.
    pub fn capacity(&self) -> usize {
        self.geometry.events()
    }

    /// How another process attaches to this ring. From now on it belongs to the fabric and lives until destroyed.
    pub fn ticket(&self) -> Ticket {
        self.cells.ticket()
    }

    /// A ticket for a child or another process that will not outlive this handle: the ring still goes with its maker's last handle, or with its maker's death.
    pub fn lend(&self) -> Ticket {
        self.cells.lend()
    }

    /// Destroys the ring. Whoever uses it from then on gets [`ErrorKind::Gone`].
    pub fn destroy(&self) -> Result<()> {
        self.cells.destroy()
    }

    /// The fabric that the ring lives in.
    pub fn fabric(&self) -> &Fabric {
        self.cells.fabric()
    }

    fn make(fabric: &Fabric, how: How<'_>, capacity: usize) -> Result<Events> {
        let geometry = Geometry::of(capacity).ok_or_else(|| {
            let (least, most) = (Events::CAPACITIES.start(), Events::CAPACITIES.end());
            Error::new(ErrorKind::InvalidArgument, format!("an event ring holds {least} to {most} events, not {capacity}"))
        })?;
        Events::of(Cells::make(fabric, Kind::Events, how, &word_type(), geometry.words(), Locking::None, Some(&geometry.contents()))?)
    }

    fn of(cells: Cells) -> Result<Events> {
        cells.expect(&word_type(), None)?;
        let geometry = layout::found(cells.attached().data()?, cells.len())?;
        Ok(Events { cells, geometry, known: Arc::default() })
    }
}

/// What the cells of a ring are.
fn word_type() -> CellType {
    CellType::from_code('Q').expect("Q is a type code")
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.cells.fmt(f)
    }
}

impl serde::Serialize for Events {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.ticket().serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Events {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Events, D::Error> {
        Events::from_ticket(&Ticket::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Events>();
};
