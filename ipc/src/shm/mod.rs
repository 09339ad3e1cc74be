//! Shared memory as a checked, growing range with a process table. Knows no lock and no queue.
//!
//! | file | idea |
//! | --- | --- |
//! | `layout` | where everything stands, and the stamp by which strangers are refused |
//! | `view` | bounded views: the only file that turns an offset into memory |
//! | `segment` | making, attaching and growing the file behind the views |
//! | `members` | the process table: joining, leaving, who is alive, sleeping without waiting for the dead |

pub(crate) mod layout;
pub(crate) mod members;
pub(crate) mod segment;
pub(crate) mod view;

pub(crate) use members::{Deadline, Members, Nap};
pub use members::{Member, Owner};
pub(crate) use segment::Segment;
pub(crate) use view::{Fixed, Span};

/// One attached fabric as the layers above see it: its memory and its members.
pub(crate) struct Shm {
    pub(crate) segment: Segment,
    pub(crate) members: Members,
    /// How messages name this fabric.
    pub(crate) label: String,
    /// Called after this process (or a forked child of it) took a slot: the fabric tells the name's file.
    pub(crate) on_join: OnJoin,
}

/// See [`Shm::on_join`].
pub(crate) type OnJoin = Box<dyn Fn(&Segment) -> crate::error::Result<()> + Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>;
