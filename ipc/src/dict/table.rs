//! What dicts, sets and namespaces do, in bytes: which shards are entered for it, what is decided under their locks, who is woken after. No lock is held when a call returns or user code runs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::entry::{Entry, Own};
use super::keys::{self, Key, Seed};
use super::layout::{SIZE, Words};
use super::shard::{Found, Locked};
use crate::codec;
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::Fabric;
use crate::fabric::handle::{Handle, How};
use crate::objects::Kind;
use crate::packed::Packed;
use crate::queue::Message;
use crate::shm::Deadline;

/// A dict, set or namespace.
#[derive(Clone)]
pub(crate) struct Table(Arc<Inner>);

struct Inner {
    handle: Handle,
    seed: Seed,
    kind: Kind,
}

/// When a write is to be done.
#[derive(Clone, Copy)]
pub(crate) enum When {
    Always,
    /// If the key has this version, or is absent.
    At(Option<u64>),
}

impl Table {
    pub(crate) fn get_by(fabric: &Fabric, kind: Kind, how: How<'_>, shards: usize) -> Result<Table> {
        if !shards.is_power_of_two() || shards > super::layout::SHARDS {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("a {} has 1, 2, 4, 8 or 16 shards, not {shards}", kind.word())));
        }
        let handle = Handle::get(fabric, kind, how, SIZE, |_, body| {
            // All else is 0 in a new chunk; in one that was used before, the shards are empty, and the counters go on.
            body.u64(0)?.store(shards as u64, Ordering::Release);
            Ok(())
        })?;
        Ok(Table::of(handle, kind))
    }

    pub(crate) fn of(handle: Handle, kind: Kind) -> Table {
        let seed = Seed::of(handle.fabric().id());
        Table(Arc::new(Inner { handle, seed, kind }))
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.0.handle
    }

    #[inline(always)]
    pub(crate) fn words(&self) -> Words<'_> {
        Words::of_handle(&self.0.handle, self.0.kind)
    }

    #[inline(always)]
    pub(crate) fn key<'k>(&self, bytes: &'k [u8], codec: u8) -> Result<Key<'k>> {
        Key::new(self.0.seed, bytes, codec)
    }

    #[inline(always)]
    fn enter(&self, key: &Key<'_>) -> Result<Locked<'_>> {
        let w = self.words();
        Locked::enter(w, w.shard(key.shard(w.shards()?)))
    }

    /// All shards in use, entered in their order: what is found is of one instant.
    fn enter_all(&self) -> Result<Vec<Locked<'_>>> {
        let w = self.words();
        (0..w.shards()?).map(|index| Locked::enter(w, w.shard(index))).collect()
    }

    /// Calls once more if memory ran out and the dead were holding some.
    #[inline(always)]
    fn with_room<T>(&self, call: impl Fn() -> Result<T>) -> Result<T> {
        match call() {
            Err(error) if error.kind() == ErrorKind::OutOfMemory && self.0.handle.fabric().sweep()? > 0 => call(),
            other => other,
        }
    }

    /// The value and its version.
    #[inline]
    pub(crate) fn get(&self, key: &Key<'_>) -> Result<Option<(Message, u64)>> {
        let shard = self.enter(key)?;
        shard.find(key)?.map(|found| read(found.entry)).transpose()
    }

    #[inline]
    pub(crate) fn contains(&self, key: &Key<'_>) -> Result<bool> {
        Ok(self.enter(key)?.find(key)?.is_some())
    }

    /// Puts a value, if it is time to; its version if it did.
    #[inline]
    pub(crate) fn write(&self, key: &Key<'_>, value: Packed<'_>, when: When) -> Result<Option<u64>> {
        let version = self.with_room(|| {
            let w = self.words();
            // Built before the lock is taken, and given back if it is not needed.
            let new = Own::entry(w.shm, key, key.given, value)?;
            let mut shard = self.enter(key)?;
            let found = shard.find(key)?;
            if is_time(found, when)? { shard.put(key, value, new, found).map(Some) } else { Ok(None) }
        })?;
        if version.is_some() {
            self.words().tell();
        }
        Ok(version)
    }

    /// Takes a key out, if it is there and it is time to; what stood there.
    pub(crate) fn take(&self, key: &Key<'_>, when: When) -> Result<Option<Message>> {
        let mut shard = self.enter(key)?;
        let Some(found) = shard.find(key)? else { return Ok(None) };
        if !is_time(Some(found), when)? {
            return Ok(None);
        }
        let taken = found.entry.value()?;
        shard.delete(found)?;
        drop(shard);
        self.words().tell();
        Ok(Some(taken))
    }

    /// Takes a key out without looking at its value; whether it was there.
    pub(crate) fn delete(&self, key: &Key<'_>) -> Result<bool> {
        let mut shard = self.enter(key)?;
        let Some(found) = shard.find(key)? else { return Ok(false) };
        shard.delete(found)?;
        drop(shard);
        self.words().tell();
        Ok(true)
    }

    /// Takes out the entry that was put in last: key and value.
    pub(crate) fn take_last(&self) -> Result<Option<(Message, Message)>> {
        let mut shards = self.enter_all()?;
        let mut last = None;
        for (index, shard) in shards.iter().enumerate() {
            if let Some((sequence, slot)) = shard.last()? {
                last = last.max(Some((sequence, index, slot)));
            }
        }
        let Some((_, index, slot)) = last else { return Ok(None) };
        let found = shards[index].found(slot)?;
        let taken = (found.entry.key()?, found.entry.value()?);
        shards[index].delete(found)?;
        drop(shards);
        self.words().tell();
        Ok(Some(taken))
    }

    /// Adds to the integer that a key has (MessagePack; absent: 0); the sum.
    pub(crate) fn add(&self, key: &Key<'_>, delta: i64) -> Result<i128> {
        let sum = self.with_room(|| {
            let w = self.words();
            let mut shard = self.enter(key)?;
            let found = shard.find(key)?;
            let now = found.map_or(Ok(0), |found| integer_of(found.entry))?;
            let sum = now + i128::from(delta);
            if !(i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&sum) {
                let sentence = format!(
                    "{now} and {delta} add up to an integer that does not fit into 64 bits; the {} {} is as it was",
                    w.kind.word(),
                    self.0.handle.label()
                );
                return Err(Error::new(ErrorKind::InvalidArgument, sentence));
            }
            let mut bytes = Vec::with_capacity(9);
            keys::put_integer(&mut bytes, sum);
            let value = Packed { bytes: &bytes, codec: codec::MESSAGEPACK };
            let new = Own::entry(w.shm, key, key.given, value)?;
            shard.put(key, value, new, found)?;
            Ok(sum)
        })?;
        self.words().tell();
        Ok(sum)
    }

    /// Empties it: one commit.
    pub(crate) fn clear(&self) -> Result<()> {
        let w = self.words();
        let shards = self.enter_all()?;
        w.epoch().store(w.epoch().load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        drop(shards);
        w.tell();
        // What it held goes with the next to enter each shard; here that is us.
        for index in 0..w.shards()? {
            drop(Locked::enter(w, w.shard(index))?);
        }
        Ok(())
    }

    /// How many entries. Exact if nobody writes meanwhile; 0 if it was destroyed.
    pub(crate) fn len(&self) -> usize {
        let w = self.words();
        if !w.is_here() {
            return 0;
        }
        let epoch = w.epoch().load(Ordering::Acquire);
        let live = w.all_shards().filter(|shard| shard.epoch().load(Ordering::Acquire) == epoch).map(|shard| shard.live().load(Ordering::Acquire) as usize);
        live.fold(0, usize::saturating_add)
    }

    /// Every entry as `read` makes it, in the order of insertion, all of one instant. Writers wait meanwhile.
    pub(crate) fn snapshot<T>(&self, read: impl Fn(Entry<'_>) -> Result<T>) -> Result<Vec<T>> {
        let shards = self.enter_all()?;
        let mut all = Vec::new();
        for shard in &shards {
            let Some(arena) = shard.arena() else { continue };
            for slot in 0..arena.used()? {
                let entry = arena.entry(slot)?.load(Ordering::Relaxed);
                if entry != 0 {
                    all.push((arena.sequence(slot)?, read(Entry::at(shard.words(), entry)?)?));
                }
            }
        }
        drop(shards);
        all.sort_unstable_by_key(|(sequence, _)| *sequence);
        Ok(all.into_iter().map(|(_, entry)| entry).collect())
    }

    /// Waits until the version is another than `since`; what it is then, if that comes in time.
    pub(crate) fn wait(&self, since: u64, time: Option<Duration>) -> Result<Option<u64>> {
        let w = self.words();
        let changed = || !w.is_here() || w.version() != since;
        self.0.handle.until(w.changes(), Deadline::after(time), changed, || {
            self.here()?;
            Ok(Some(w.version()).filter(|version| *version != since))
        })
    }

    /// Waits until a key's version is another than `since` (none: absent); what it has then (none: it is absent). [`ErrorKind::Timeout`] if that does not come in time.
    pub(crate) fn wait_key(&self, key: &Key<'_>, since: Option<u64>, time: Option<Duration>) -> Result<Option<(Message, u64)>> {
        let w = self.words();
        let seen = std::cell::Cell::new(0);
        let changed = || !w.is_here() || w.version() != seen.get();
        let found = self.0.handle.until(w.changes(), Deadline::after(time), changed, || {
            seen.set(w.version());
            let now = self.get(key)?;
            Ok((now.as_ref().map(|(_, version)| *version) != since).then_some(now))
        })?;
        found.ok_or_else(|| {
            Error::new(ErrorKind::Timeout, format!("a key of {} {} did not change within the time given", self.0.kind.word(), self.0.handle.label()))
        })
    }

    /// [`ErrorKind::Gone`] if it was destroyed.
    pub(crate) fn here(&self) -> Result<()> {
        if self.words().is_here() { Ok(()) } else { Err(crate::fabric::handle::gone(self.0.kind)) }
    }

    /// The answer where a key must be there and is not.
    #[cold]
    pub(crate) fn absent(&self) -> Error {
        Error::new(ErrorKind::NotFound, format!("{} {} has no such key", self.0.kind.word(), self.0.handle.label()))
    }
}

#[inline(always)]
fn read(entry: Entry<'_>) -> Result<(Message, u64)> {
    Ok((entry.value()?, entry.version()?))
}

#[inline(always)]
fn is_time(found: Option<Found<'_>>, when: When) -> Result<bool> {
    match when {
        When::Always => Ok(true),
        When::At(expected) => Ok(found.map(|found| found.entry.version()).transpose()? == expected),
    }
}

fn integer_of(entry: Entry<'_>) -> Result<i128> {
    let value = entry.value()?;
    let number = if value.codec() == codec::MESSAGEPACK { keys::integer(&value) } else { None };
    number.ok_or_else(|| Error::new(ErrorKind::Decode, "what stands there is not an integer, so nothing can be added to it").with_message(value))
}
