//! `BytesList`: the list as every language sees it, items being bytes with a codec. Here: making one, single items, and the ends.

use std::sync::Arc;

use super::change::Fresh;
use super::edit::Locked;
use super::item::Slot;
use super::layout::{SIZE, Words};
use super::slice;
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::Fabric;
use crate::fabric::handle::{Handle, How, shared_object};
use crate::objects::Kind;
use crate::packed::Packed;
use crate::queue::Message;
use std::sync::atomic::Ordering;

/// A list of byte items between processes, in any language: the manager's list without a server.
///
/// Indices and slices are as in Python: negative ones count from the end. Every call is one step for everybody else: an `extend` of many items is seen whole or not at all, and a slice
/// is of one instant. Items of up to seven bytes stand in the list itself, larger ones in memory of their own that never changes, and is copied out.
///
/// Append, set and pop from the end take the same time however long the list is. Insert, delete and slice assignment in the middle copy a block of at most 510 items and the list's
/// directory, 16 bytes per block.
///
/// **Equal** items, for [`index`](BytesList::index), [`remove`](BytesList::remove), [`count`](BytesList::count) and so on, are here those of the same bytes and codec;
/// [`List`](crate::List) compares values.
///
/// **When a process dies** in the middle of a call, at whatever instruction, that call has happened or it has not; nobody else is held up, and nothing is left behind.
///
/// **Errors**: an index outside the list is [`ErrorKind::InvalidArgument`]; [`ErrorKind::OutOfMemory`] changes nothing; a destroyed list is [`ErrorKind::Gone`].
///
/// ```
/// use polyproc_ipc::{BytesList, Fabric};
/// let list = BytesList::new(&Fabric::new()?)?;
/// list.append(b"one")?;
/// list.append(b"three")?;
/// list.insert(-1, b"two")?;
/// assert_eq!(&*list.get(1)?, b"two");
/// assert_eq!(&*list.pop()?, b"three");
/// assert_eq!(list.len()?, 2);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone)]
pub struct BytesList(Arc<Handle>);

impl BytesList {
    /// A list without a name. It goes with its last handle here, unless its [ticket](BytesList::ticket) was made.
    pub fn new(fabric: &Fabric) -> Result<BytesList> {
        BytesList::get_by(fabric, How::New)
    }

    /// Makes the list of this name.
    pub fn create(fabric: &Fabric, name: &str) -> Result<BytesList> {
        BytesList::get_by(fabric, How::Create(name))
    }

    /// Opens the list of this name.
    pub fn open(fabric: &Fabric, name: &str) -> Result<BytesList> {
        BytesList::get_by(fabric, How::Open(name))
    }

    /// Opens the list of this name, or makes it.
    pub fn open_or_create(fabric: &Fabric, name: &str) -> Result<BytesList> {
        BytesList::get_by(fabric, How::OpenOrCreate(name))
    }

    /// How many items the list has.
    pub fn len(&self) -> Result<usize> {
        Ok(self.enter()?.len())
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The item at `index`.
    #[inline]
    pub fn get(&self, index: i64) -> Result<Message> {
        let list = self.enter()?;
        let at = self.place(index, list.len())?;
        list.read(at)
    }

    /// Another item at `index`.
    #[inline]
    pub fn set<'i>(&self, index: i64, item: impl Into<Packed<'i>>) -> Result<()> {
        self.put(item.into(), |list, slot, fresh| list.set(self.place(index, list.len())?, slot, fresh))
    }

    /// Adds an item at the end.
    #[inline]
    pub fn append<'i>(&self, item: impl Into<Packed<'i>>) -> Result<()> {
        self.put(item.into(), |list, slot, fresh| list.extend(&[slot], fresh))
    }

    /// Adds all items at the end, or none of them.
    pub fn extend(&self, items: &[Packed<'_>]) -> Result<()> {
        #[allow(clippy::redundant_closure_for_method_calls)] // the method alone is for one lifetime only
        self.put_all(items, |list, slots, fresh| list.extend(slots, fresh))
    }

    /// Puts an item before the one at `index`; before the first or behind the last if there is no such index.
    pub fn insert<'i>(&self, index: i64, item: impl Into<Packed<'i>>) -> Result<()> {
        self.put(item.into(), |list, slot, fresh| {
            let at = slice::before(index, list.len());
            list.replace(at..at, &[slot], Vec::new(), fresh)
        })
    }

    /// Takes the last item out.
    pub fn pop(&self) -> Result<Message> {
        self.pop_at(-1)
    }

    /// Takes the item at `index` out.
    pub fn pop_at(&self, index: i64) -> Result<Message> {
        self.with_room(|| {
            let list = self.enter()?;
            let at = self.place(index, list.len())?;
            let item = list.read(at)?;
            BytesList::delete_in(&list, at)?;
            list.leave();
            Ok(item)
        })
    }

    /// Deletes the item at `index`.
    pub fn delete(&self, index: i64) -> Result<()> {
        self.with_room(|| {
            let list = self.enter()?;
            BytesList::delete_in(&list, self.place(index, list.len())?)?;
            list.leave();
            Ok(())
        })
    }

    /// Deletes all items.
    pub fn clear(&self) -> Result<()> {
        let list = self.enter()?;
        list.clear()?;
        list.leave();
        Ok(())
    }

    fn get_by(fabric: &Fabric, how: How<'_>) -> Result<BytesList> {
        // The words of a list that was destroyed are as those of a new one: it was emptied by then.
        Ok(BytesList::of(Handle::get(fabric, Kind::List, how, SIZE, |_, _| Ok(()))?))
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.0
    }

    fn of(handle: Handle) -> BytesList {
        BytesList(Arc::new(handle))
    }

    #[inline(always)]
    pub(super) fn words(&self) -> Words<'_> {
        Words::of_handle(&self.0)
    }

    #[inline(always)]
    pub(super) fn enter(&self) -> Result<Locked<'_>> {
        Locked::enter(self.words())
    }

    /// The place of an item that must exist.
    #[inline(always)]
    pub(super) fn place(&self, index: i64, len: usize) -> Result<usize> {
        slice::at(index, len).ok_or_else(|| self.outside(index, len))
    }

    #[cold]
    fn outside(&self, index: i64, len: usize) -> Error {
        let what = if len == 0 { "is empty".to_owned() } else { format!("has {len} items") };
        Error::new(ErrorKind::InvalidArgument, format!("there is no item at index {index}: list {} {what}", self.handle().label()))
    }

    /// Deletes an item that exists.
    pub(super) fn delete_in(list: &Locked<'_>, at: usize) -> Result<()> {
        if at + 1 == list.len() {
            return list.pop();
        }
        list.replace(at..at + 1, &[], list.slot(at)?.chunk().into_iter().collect(), Fresh::new(list.w.shm)?)
    }

    /// Makes one item ready outside of any lock, and acts with it under the list's.
    #[inline(always)]
    pub(super) fn put<R>(&self, item: Packed<'_>, act: impl Fn(&Locked<'_>, u64, Fresh<'_>) -> Result<R>) -> Result<R> {
        self.with_room(|| {
            let w = self.words();
            let mut fresh = Fresh::new(w.shm)?;
            let slot = fresh.item(item)?;
            let list = self.enter()?;
            let done = act(&list, slot, fresh)?;
            list.leave();
            Ok(done)
        })
    }

    /// As [`put`](BytesList::put), with many items.
    pub(super) fn put_all<R>(&self, items: &[Packed<'_>], act: impl Fn(&Locked<'_>, &[u64], Fresh<'_>) -> Result<R>) -> Result<R> {
        self.with_room(|| {
            let w = self.words();
            let mut fresh = Fresh::new(w.shm)?;
            let slots: Vec<u64> = items.iter().map(|item| fresh.item(*item)).collect::<Result<_>>()?;
            let list = self.enter()?;
            let done = act(&list, &slots, fresh)?;
            list.leave();
            Ok(done)
        })
    }

    /// Calls once more if memory ran out and the dead were holding some.
    #[inline(always)]
    pub(super) fn with_room<R>(&self, call: impl Fn() -> Result<R>) -> Result<R> {
        match call() {
            Err(error) if error.kind() == ErrorKind::OutOfMemory && self.fabric().sweep()? > 0 => call(),
            other => other,
        }
    }

    /// The list's version, from a look without its lock.
    pub(super) fn version_now(&self) -> Option<u64> {
        let w = self.words();
        (w.birth().load(Ordering::Acquire) == w.id.birth).then(|| w.version().load(Ordering::Acquire))
    }
}

/// The chunks of the items in these slots.
pub(super) fn chunks_of(slots: impl IntoIterator<Item = u64>) -> Vec<u64> {
    slots.into_iter().filter_map(|slot| Slot(slot).chunk()).collect()
}

shared_object!(BytesList, Kind::List, SIZE, "list");
