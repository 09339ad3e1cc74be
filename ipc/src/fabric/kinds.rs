//! What each kind of object does when it is destroyed, when a member dies or leaves, and when the checker looks. The one place that knows all kinds.

use crate::error::Result;
use crate::objects::{Header, Kind};
use crate::shm::{Owner, Shm};
use crate::sync::guard::Guard;
use crate::{cells, dict, list, queue, sync};

/// How a member went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parting {
    /// It was killed, or ended without leaving.
    Died,
    /// It left.
    Left,
}

/// What a kind's objects do.
pub(crate) struct Ops {
    /// Before the object may go: takes its locks, sets its birth to 0 under them, gives back the chunks that it holds, wakes who waits. Runs under the directory lock; may be repeated.
    pub(crate) quiesce: fn(&Shm, Header<'_>) -> Result<()>,
    /// A member died or leaves: the object is brought past that (repaired, so that no word of it names a chunk that the sweep is about to free), and what the member held of it is given
    /// back. Runs under the members table's lock or none, never under the directory's; may be repeated; the object may be destroyed meanwhile. None: nothing to do.
    pub(crate) outlive: Option<Outlive>,
    /// For the checker: all the object's locks, and every chunk that it holds besides its own. Called for destroyed objects too. None: no locks and no chunks.
    pub(crate) hold: Option<Hold>,
}

pub(crate) type Outlive = fn(&Shm, Header<'_>, Owner, Parting) -> Result<()>;
pub(crate) type Hold = for<'a> fn(&'a Shm, Header<'a>) -> Result<Held<'a>>;

/// What the checker holds of an object while it looks.
pub(crate) struct Held<'a> {
    /// All its locks.
    pub(crate) guards: Vec<Guard<'a>>,
    /// Every chunk that it holds besides its own.
    pub(crate) chunks: Vec<u64>,
}

/// What this kind does.
pub(crate) fn ops(kind: Kind) -> &'static Ops {
    match kind {
        Kind::Lock => &sync::lock::OPS,
        Kind::Queue => &queue::OPS,
        Kind::RLock => &sync::rlock::OPS,
        Kind::Semaphore => &sync::semaphore::OPS,
        Kind::Condition => &sync::condition::OPS,
        Kind::Event => &sync::event::OPS,
        Kind::Barrier => &sync::barrier::OPS,
        Kind::RwLock => &sync::rwlock::OPS,
        // An event ring is an array with a meaning of its own.
        Kind::Value | Kind::Array | Kind::Events => &cells::OPS,
        Kind::Dict | Kind::Set | Kind::Namespace => &dict::OPS,
        Kind::List => &list::OPS,
    }
}
