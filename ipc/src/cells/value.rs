//! Value: one cell with a Rust type, and what the handles of values and arrays have in common.

use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

use bytemuck::Zeroable;

use super::locking::{CellsGuard, Locking};
use super::object::Cells;
use super::types::Cell;
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::Fabric;
use crate::objects::Kind;
use crate::sync::LockError;

/// One typed cell that processes of every language share, in a C layout and with a lock.
///
/// [`get`](Value::get), [`set`](Value::set) and [`update`](Value::update) take the lock; [`lock`](Value::lock) holds it over several steps; [`unlocked`](Value::unlocked) takes none; integers have
/// atomic operations beside it. A value that was made without a lock ([`Locking::None`]) simply takes none. Its own lock is recursive, and the thread's.
///
/// **When a process dies holding the lock**, the next call that takes it does nothing but answer [`LockError::OwnerDied`] with a guard: through it the cell can be looked at, put right and used.
/// With `?` that becomes an error of [`ErrorKind::OwnerDied`], and the call after it goes on. A cell of up to 8 bytes is never half written; a larger one can be, by a death or
/// where somebody writes without the lock.
///
/// **Destroyed**: calls answer [`ErrorKind::Gone`]. **Fork**: a forked child has the value and none of its parent's locks.
///
/// ```
/// use polyproc_ipc::{Fabric, Value};
/// let fabric = Fabric::new()?;
/// let counter = Value::new(&fabric, 40_i64)?;
/// counter.update(|count| *count += 1)?;
/// counter.fetch_add(1)?;
/// {
///     let held = counter.lock()?;
///     assert_eq!(held.get()?, 42);
///     held.set(0)?;
/// }
/// assert_eq!(counter.get()?, 0);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub struct Value<T> {
    pub(super) cells: Cells,
    pub(super) cell: PhantomData<fn() -> T>,
}

/// A value's cell, used without taking its lock.
pub struct Element<'a, T> {
    cells: &'a Cells,
    cell: PhantomData<fn() -> T>,
}

/// A value with its lock held until the guard is dropped. [`Element`]'s calls do not lock again.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct ValueGuard<'a, T> {
    element: Element<'a, T>,
    _guard: CellsGuard<'a>,
}

/// What a call that takes the lock answers.
pub(super) type Locked<R, G> = Result<R, LockError<G>>;

/// The same with another guard.
pub(super) fn with<G, H>(locked: Locked<G, G>, guard: impl FnOnce(G) -> H) -> Locked<H, H> {
    match locked {
        Ok(held) => Ok(guard(held)),
        Err(LockError::OwnerDied(held)) => Err(LockError::OwnerDied(guard(held))),
        Err(LockError::Failed(error)) => Err(LockError::Failed(error)),
    }
}

impl<T: Cell> Value<T> {
    /// A value without a name. It goes with its last handle here, unless its [ticket](Value::ticket) was made.
    pub fn new(fabric: &Fabric, initial: T) -> Result<Value<T>> {
        Value::new_with(fabric, initial, Locking::Own)
    }

    /// A value without a name, with a lock to be chosen.
    pub fn new_with(fabric: &Fabric, initial: T, locking: Locking) -> Result<Value<T>> {
        Value::of(Cells::create(fabric, Kind::Value, None, &T::TYPE, 1, locking, Some(&T::bytes_of(&[initial])))?)
    }

    /// Makes the value of this name.
    pub fn create(fabric: &Fabric, name: &str, initial: T) -> Result<Value<T>> {
        Value::create_with(fabric, name, initial, Locking::Own)
    }

    /// Makes the value of this name, with a lock to be chosen.
    pub fn create_with(fabric: &Fabric, name: &str, initial: T, locking: Locking) -> Result<Value<T>> {
        Value::of(Cells::create(fabric, Kind::Value, Some(name), &T::TYPE, 1, locking, Some(&T::bytes_of(&[initial])))?)
    }

    /// Opens the value of this name; [`ErrorKind::WrongType`] if it is of another type.
    pub fn open(fabric: &Fabric, name: &str) -> Result<Value<T>> {
        Value::of(Cells::open(fabric, Kind::Value, name)?)
    }

    /// Opens the value of this name, or makes it; [`ErrorKind::WrongType`] if it is there with another type.
    pub fn open_or_create(fabric: &Fabric, name: &str, initial: T) -> Result<Value<T>> {
        Value::of(Cells::open_or_create(fabric, Kind::Value, name, &T::TYPE, 1, Locking::Own, Some(&T::bytes_of(&[initial])))?)
    }

    /// A typed handle; [`ErrorKind::WrongType`] if the cells are of another type, or not one.
    pub fn of(cells: Cells) -> Result<Value<T>> {
        cells.expect(&T::TYPE, Some(1))?;
        if cells.kind() != Kind::Value {
            return Err(Error::new(ErrorKind::WrongType, format!("{cells:?} is not a value")));
        }
        Ok(Value { cells, cell: PhantomData })
    }

    /// What the cell holds.
    #[inline]
    pub fn get(&self) -> Locked<T, ValueGuard<'_, T>> {
        let _held = self.enter()?;
        Ok(self.unlocked().get()?)
    }

    /// Replaces what the cell holds.
    #[inline]
    pub fn set(&self, value: T) -> Locked<(), ValueGuard<'_, T>> {
        let _held = self.enter()?;
        Ok(self.unlocked().set(value)?)
    }

    /// Changes what the cell holds, under the lock; nothing is changed if `change` panics. [`ErrorKind::InvalidArgument`] if there is no lock.
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> Locked<R, ValueGuard<'_, T>> {
        let held = self.lock()?;
        Ok(held.update(change)?)
    }

    /// Takes the lock, however long it takes. [`ErrorKind::InvalidArgument`] if there is none.
    pub fn lock(&self) -> Locked<ValueGuard<'_, T>, ValueGuard<'_, T>> {
        with(self.cells.guard(None), |guard| self.held(guard))
    }

    /// Takes the lock if that is possible within `time`; else [`ErrorKind::Timeout`].
    pub fn lock_timeout(&self, time: Duration) -> Locked<ValueGuard<'_, T>, ValueGuard<'_, T>> {
        with(self.cells.guard(Some(time)), |guard| self.held(guard))
    }

    /// The cell without its lock: for values that have none, for readers who can do with any state, and for who took the lock with [`Cells::acquire`].
    #[inline]
    pub fn unlocked(&self) -> Element<'_, T> {
        Element { cells: &self.cells, cell: PhantomData }
    }

    /// A new value without a name and with a lock of its own, that holds the same.
    pub fn copy(&self) -> Locked<Value<T>, ValueGuard<'_, T>> {
        let held = self.get()?;
        Ok(Value::new(self.fabric(), held)?)
    }

    /// The cell's place in memory, as [`Cells::as_ptr`] has it.
    pub fn as_ptr(&self) -> Result<*mut T::Stored> {
        Ok(self.cells.as_ptr()?.cast())
    }

    #[inline]
    fn enter(&self) -> Locked<Option<CellsGuard<'_>>, ValueGuard<'_, T>> {
        self.cells.enter().map_err(|error| match error {
            LockError::OwnerDied(guard) => LockError::OwnerDied(self.held(guard)),
            LockError::Failed(error) => LockError::Failed(error),
        })
    }

    fn held<'a>(&'a self, guard: CellsGuard<'a>) -> ValueGuard<'a, T> {
        ValueGuard { element: self.unlocked(), _guard: guard }
    }
}

impl<T: Cell> Element<'_, T> {
    /// What the cell holds.
    #[inline]
    pub fn get(&self) -> Result<T> {
        let mut stored = T::Stored::zeroed();
        self.cells.read(0, bytemuck::bytes_of_mut(&mut stored))?;
        Ok(T::from_stored(stored))
    }

    /// Replaces what the cell holds.
    #[inline]
    pub fn set(&self, value: T) -> Result<()> {
        self.cells.write(0, bytemuck::bytes_of(&value.to_stored()))
    }

    /// Changes what the cell holds: what others write meanwhile is lost, unless they and we hold the lock.
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R> {
        let mut value = self.get()?;
        let answer = change(&mut value);
        self.set(value)?;
        Ok(answer)
    }
}

impl<'a, T> Deref for ValueGuard<'a, T> {
    type Target = Element<'a, T>;

    fn deref(&self) -> &Element<'a, T> {
        &self.element
    }
}

impl<T> std::fmt::Debug for ValueGuard<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ValueGuard of {:?}", self.element.cells)
    }
}

/// What the handles of values and arrays have in common.
macro_rules! typed_handle {
    ($name:ident, $word:literal) => {
        impl<T: Cell> $name<T> {
            #[doc = concat!("The ", $word, " that a ticket leads to; [`ErrorKind::WrongType`] if its cells are of another type.")]
            pub fn from_ticket(ticket: &crate::fabric::Ticket) -> Result<$name<T>> {
                $name::of(Cells::from_ticket(ticket)?)
            }

            #[doc = concat!("A handle of this ", $word, " whose calls take another lock. The ", $word, " itself, and what other handles and tickets of it do, stays as it is.")]
            pub fn synchronized(&self, locking: impl Into<Locking>) -> Result<$name<T>> {
                $name::of(self.cells.synchronized(locking.into())?)
            }

            #[doc = concat!("How another process attaches to this ", $word, ". From now on it belongs to the fabric and lives until destroyed.")]
            pub fn ticket(&self) -> crate::fabric::Ticket {
                self.cells.ticket()
            }

            #[doc = concat!("A ticket for a child or another process that will not outlive this handle: the ", $word, " still goes with its maker's last handle, or with its maker's death.")]
            pub fn lend(&self) -> crate::fabric::Ticket {
                self.cells.lend()
            }

            #[doc = concat!("Destroys the ", $word, ". Whoever uses it from then on gets [`ErrorKind::Gone`]; pointers and slices stay valid for as long as their handles live.")]
            pub fn destroy(&self) -> Result<()> {
                self.cells.destroy()
            }

            #[doc = concat!("The fabric that the ", $word, " lives in.")]
            pub fn fabric(&self) -> &Fabric {
                self.cells.fabric()
            }

            #[doc = concat!("The ", $word, " without its Rust type.")]
            pub fn cells(&self) -> &Cells {
                &self.cells
            }
        }

        impl<T> Clone for $name<T> {
            fn clone(&self) -> Self {
                $name { cells: self.cells.clone(), cell: PhantomData }
            }
        }

        impl<T> std::fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.cells.fmt(f)
            }
        }

        impl<T> serde::Serialize for $name<T> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.cells.serialize(serializer)
            }
        }

        impl<'de, T: Cell> serde::Deserialize<'de> for $name<T> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name<T>, D::Error> {
                $name::of(Cells::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(super) use typed_handle;

typed_handle!(Value, "value");
