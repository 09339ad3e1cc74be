//! The lock of a value or array: its own (recursive, as the reference's default), a given one, or none. Knows locks and births; of the cells, nothing.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::layout::Mode;
use super::object::Cells;
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::handle::{Handle, gone};
use crate::fabric::{Fabric, Ticket};
use crate::objects::{HEADER, Kind, ObjectId};
use crate::shm::{Deadline, Fixed, Owner};
use crate::sync::recursive::{self, Recursive};
use crate::sync::{Acquired, Lock, LockError, RLock, word};

/// Which lock guards a value's or array's cells, chosen when it is made.
#[derive(Clone, Copy, Debug, Default)]
pub enum Locking {
    /// One of its own, which the thread that holds it may take again.
    #[default]
    Own,
    /// None: every access is as it comes. Single cells of up to 8 bytes are read and written whole all the same; larger ones may tear.
    None,
    /// The [`Lock`] or recursive lock of the same fabric that this ticket leads to. Several objects may share one.
    Given(Ticket),
}

impl From<&Lock> for Locking {
    /// The lock belongs to the fabric from now on.
    fn from(lock: &Lock) -> Locking {
        Locking::Given(lock.ticket())
    }
}

impl From<&RLock> for Locking {
    /// The lock belongs to the fabric from now on.
    fn from(lock: &RLock) -> Locking {
        Locking::Given(lock.ticket())
    }
}

impl Locking {
    /// As the object stores it; a given lock is there and of this fabric.
    pub(crate) fn mode(self, fabric: &Fabric) -> Result<Mode> {
        Ok(match self {
            Locking::None => Mode::None,
            Locking::Own => Mode::Own,
            Locking::Given(ticket) => {
                if ticket.fabric() != fabric.id() {
                    return Err(Error::new(ErrorKind::InvalidArgument, format!("the given lock is of fabric {}, not of {fabric:?}", ticket.fabric())));
                }
                let mode = Mode::Given([ticket.kind().map_or(0, |kind| kind as u64), ticket.id().offset, ticket.id().birth]);
                Lockable::of(fabric, mode)?;
                mode
            }
        })
    }
}

/// Bytes of a lock object: the word or words stand behind the header, for both kinds.
const LOCK_SIZE: usize = HEADER + recursive::SIZE;

/// The lock as a process has it.
#[derive(Clone)]
pub(crate) enum Lockable {
    None,
    Own,
    Lock(Arc<Handle>),
    RLock(Arc<Handle>),
}

impl Lockable {
    /// What `mode` names. [`ErrorKind::Gone`] if a given lock was destroyed.
    pub(crate) fn of(fabric: &Fabric, mode: Mode) -> Result<Lockable> {
        let Mode::Given([kind, offset, birth]) = mode else { return Ok(if mode == Mode::Own { Lockable::Own } else { Lockable::None }) };
        let kind = Kind::from_number(kind).filter(|kind| matches!(kind, Kind::Lock | Kind::RLock));
        let Some(kind) = kind else {
            return Err(Error::new(ErrorKind::InvalidArgument, "the lock given to a value or array must be a lock or a recursive lock"));
        };
        let handle = Arc::new(Handle::from_ticket(&Ticket::new(fabric.id(), kind, ObjectId { offset, birth }), kind, LOCK_SIZE)?);
        Ok(if kind == Kind::Lock { Lockable::Lock(handle) } else { Lockable::RLock(handle) })
    }

    fn given(handle: &Handle) -> Fixed<'_, LOCK_SIZE> {
        handle.fixed()
    }

    fn recursive(at: Fixed<'_, LOCK_SIZE>) -> Recursive<'_> {
        Recursive::of(at.u64(HEADER), at.u64(HEADER + 8), at.u64(HEADER + 16))
    }
}

fn none() -> Error {
    Error::new(ErrorKind::InvalidArgument, "this value or array was made without a lock; make it with one, or use the atomic operations")
}

fn timeout(what: &Cells) -> Error {
    Error::new(ErrorKind::Timeout, format!("the lock of {what:?} was not free within the time given"))
}

impl Cells {
    /// Takes the lock, however long it takes or for as long as `time` says ([`ErrorKind::Timeout`]); the caller gives it back with [`Cells::release`].
    /// [`ErrorKind::InvalidArgument`] if there is no lock.
    #[inline]
    pub fn acquire(&self, time: Option<Duration>) -> Result<Acquired> {
        let me = self.attached().me()?;
        let (shm, deadline) = (self.attached().shm(), Deadline::after(time));
        let acquired = match self.lockable() {
            Lockable::None => return Err(none()),
            Lockable::Own => {
                self.attached().alive()?; // another object may live there by now, and its lock be held
                self.attached().words().own_lock().acquire(shm, me, deadline)
            }
            Lockable::Lock(handle) => {
                alive(handle, Kind::Lock)?;
                word::acquire(shm, Lockable::given(handle).u64(HEADER), me, deadline)
            }
            Lockable::RLock(handle) => {
                alive(handle, Kind::RLock)?;
                Lockable::recursive(Lockable::given(handle)).acquire(shm, me, deadline)
            }
        };
        let acquired = acquired.ok_or_else(|| timeout(self))?;
        // Destroyed while we waited: the lock ends with its object, and what we took is given back.
        let ended = match self.lockable() {
            Lockable::Lock(handle) => alive(handle, Kind::Lock).err(),
            Lockable::RLock(handle) => alive(handle, Kind::RLock).err(),
            _ => None,
        };
        if let Some(error) = ended.or_else(|| self.attached().alive().err()) {
            self.release_as(me);
            return Err(error);
        }
        Ok(acquired)
    }

    /// Gives the lock back; [`ErrorKind::NotHeld`] if this thread (for a given [`Lock`]: this process) does not have it.
    #[inline]
    pub fn release(&self) -> Result<()> {
        let me = self.attached().me()?;
        self.attached().alive()?;
        match self.lockable() {
            Lockable::None => return Err(none()),
            Lockable::Own => {}
            Lockable::Lock(handle) => alive(handle, Kind::Lock)?,
            Lockable::RLock(handle) => alive(handle, Kind::RLock)?,
        }
        if self.release_as(me) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NotHeld, format!("the lock of {self:?} was released, but it was not held here")))
    }

    /// Takes the lock; it is given back when the guard is dropped.
    pub fn lock(&self) -> Result<CellsGuard<'_>, LockError<CellsGuard<'_>>> {
        self.guard(None)
    }

    pub(crate) fn guard(&self, time: Option<Duration>) -> Result<CellsGuard<'_>, LockError<CellsGuard<'_>>> {
        let acquired = self.acquire(time)?;
        let guard = CellsGuard { cells: self, me: self.attached().me()?, thread: PhantomData };
        match acquired {
            Acquired::Clean => Ok(guard),
            Acquired::OwnerDied => Err(LockError::OwnerDied(guard)),
        }
    }

    /// The guard for one operation: none where there is no lock.
    #[inline]
    pub(crate) fn enter(&self) -> Result<Option<CellsGuard<'_>>, LockError<CellsGuard<'_>>> {
        if matches!(self.lockable(), Lockable::None) { Ok(None) } else { self.guard(None).map(Some) }
    }

    /// Gives the lock back if `me` (and this thread, where that counts) has it. The words may be another object's by now; then it is not ours.
    fn release_as(&self, me: Owner) -> bool {
        match self.lockable() {
            Lockable::None => false,
            Lockable::Own => self.attached().words().own_lock().release(me),
            Lockable::Lock(handle) => word::release_own(Lockable::given(handle).u64(HEADER), me),
            Lockable::RLock(handle) => Lockable::recursive(Lockable::given(handle)).release(me),
        }
    }

    /// Whether the objects whose lock we would give back are still those in which we took it.
    fn lock_lives(&self) -> bool {
        match self.lockable() {
            Lockable::None | Lockable::Own => self.attached().alive().is_ok(),
            Lockable::Lock(handle) => alive(handle, Kind::Lock).is_ok(),
            Lockable::RLock(handle) => alive(handle, Kind::RLock).is_ok(),
        }
    }
}

fn alive(handle: &Handle, kind: Kind) -> Result<()> {
    if Lockable::given(handle).u64(24).load(Ordering::Acquire) == handle.id.birth { Ok(()) } else { Err(gone(kind)) }
}

/// The lock of a value or array, held by this thread until the guard is dropped.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct CellsGuard<'a> {
    pub(crate) cells: &'a Cells,
    me: Owner,
    /// The lock is this thread's.
    thread: PhantomData<*const ()>,
}

impl Drop for CellsGuard<'_> {
    fn drop(&mut self) {
        // Not in a forked child, and not if the lock is gone and its place another's.
        if self.cells.attached().shm().me_if_joined() == Some(self.me) && self.cells.lock_lives() {
            self.cells.release_as(self.me);
        }
    }
}

impl std::fmt::Debug for CellsGuard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "lock of {:?}", self.cells)
    }
}
