//! `BytesList`, what goes beyond Python: versions, compare and set, optimistic updates, counting, and waiting for a change.

use std::time::Duration;

use super::bytes::BytesList;
use super::change::Fresh;
use super::item;
use crate::codec;
use crate::error::{Error, ErrorKind, Result};
use crate::packed::Packed;
use crate::queue::Message;
use crate::shm::Deadline;

impl BytesList {
    /// The list's version: it grows with every change to the list.
    pub fn version(&self) -> Result<u64> {
        Ok(self.enter()?.version())
    }

    /// The item at `index`, and the version of the list that it is of.
    pub fn get_with_version(&self, index: i64) -> Result<(Message, u64)> {
        let list = self.enter()?;
        let at = self.place(index, list.len())?;
        Ok((list.read(at)?, list.version()))
    }

    /// Another item at `index`, if the list is still of this version. False: it was changed meanwhile, and nothing was done.
    pub fn set_at_version<'i>(&self, index: i64, version: u64, item: impl Into<Packed<'i>>) -> Result<bool> {
        self.put(item.into(), |list, slot, fresh| {
            if list.version() != version {
                return Ok(false);
            }
            list.set(self.place(index, list.len())?, slot, fresh).map(|()| true)
        })
    }

    /// Another item at `index`, if an item equal to `expected` stands there. False: another stands there, and nothing was done.
    pub fn compare_and_set<'e, 'i>(&self, index: i64, expected: impl Into<Packed<'e>>, item: impl Into<Packed<'i>>) -> Result<bool> {
        let expected = expected.into();
        self.put(item.into(), |list, slot, fresh| {
            let at = self.place(index, list.len())?;
            if !item::is(list.w, list.slot(at)?, expected)? {
                return Ok(false);
            }
            list.set(at, slot, fresh).map(|()| true)
        })
    }

    /// What stands at `index` becomes what `change` makes of it: bytes and codec. `change` is called without any lock held, and again if another item stands there by then.
    pub fn update(&self, index: i64, mut change: impl FnMut(&Message) -> Result<(Vec<u8>, u8)>) -> Result<()> {
        loop {
            let old = self.get(index)?;
            let (bytes, codec) = change(&old)?;
            if self.compare_and_set(index, &old, Packed { bytes: &bytes, codec })? {
                return Ok(());
            }
        }
    }

    /// Adds `delta` to the integer at `index`, in one step for everybody; the sum.
    ///
    /// **Errors**: [`ErrorKind::Decode`] if no MessagePack integer stands there ([`Error::into_message`] has what does), [`ErrorKind::InvalidArgument`] if the sum is not an `i64`; nothing was changed.
    pub fn increment(&self, index: i64, delta: i64) -> Result<i64> {
        self.with_room(|| {
            let list = self.enter()?;
            let at = self.place(index, list.len())?;
            let old = list.read(at)?;
            let number = if old.codec() == codec::MESSAGEPACK { codec::decode::<i64>(&old).ok() } else { None };
            let Some(number) = number else {
                let sentence = format!("what stands at index {index} of list {} is not an integer of 64 bits", self.handle().label());
                return Err(Error::new(ErrorKind::Decode, sentence).with_message(old));
            };
            let Some(sum) = number.checked_add(delta) else {
                return Err(Error::new(ErrorKind::InvalidArgument, format!("{number} and {delta} are more than 64 bits hold")));
            };
            let mut fresh = Fresh::new(list.w.shm)?;
            let slot = fresh.item(Packed::messagepack(&codec::to_vec(&sum)?))?;
            list.set(at, slot, fresh)?;
            list.leave();
            Ok(sum)
        })
    }

    /// Waits until the list's version is not `version` any more, at most `time` (`None`: for ever); the version then. Without any change it may be told of one that a process was
    /// killed in before it happened.
    ///
    /// ```
    /// # use polyproc_ipc::{BytesList, Fabric};
    /// # let list = BytesList::new(&Fabric::new()?)?;
    /// let before = list.version()?;
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| list.append(b"new"));
    ///     list.wait_changed(before, None)
    /// })?;
    /// assert_eq!(list.len()?, 1);
    /// # Ok::<(), polyproc_ipc::Error>(())
    /// ```
    pub fn wait_changed(&self, version: u64, time: Option<Duration>) -> Result<u64> {
        let changed = self.handle().until(
            self.words().changes(),
            Deadline::after(time),
            || self.version_now() != Some(version),
            || {
                let now = self.version()?;
                Ok((now != version).then_some(now))
            },
        )?;
        changed.ok_or_else(|| Error::new(ErrorKind::Timeout, format!("list {} was not changed within the time given", self.handle().label())))
    }
}
