//! `BytesList`, many items at once: slices, searching, turning round, repeating, and a new order.

use super::bytes::{BytesList, chunks_of};
use super::change::Fresh;
use super::edit::Locked;
use super::item::{self, Slot};
use super::slice::Slice;
use crate::error::{Error, ErrorKind, Result};
use crate::packed::Packed;
use crate::queue::Message;

/// How often an order is worked out again because the list was changed meanwhile.
const ATTEMPTS: usize = 64;
/// Items, and about how many bytes of them, that an iteration takes at once.
pub(super) const BATCH: usize = 64;
pub(super) const BATCH_BYTES: usize = 64 << 10;

impl BytesList {
    /// The items of a slice, of one instant.
    pub fn get_slice(&self, slice: impl Into<Slice>) -> Result<Vec<Message>> {
        let list = self.enter()?;
        let picked = slice.into().of(list.len())?;
        let span = picked.span();
        let slots = list.slots(span.clone())?;
        picked.indices().map(|index| item::read(list.w, Slot(slots[index - span.start]))).collect()
    }

    /// All items, of one instant.
    pub fn to_vec(&self) -> Result<Vec<Message>> {
        self.get_slice(..)
    }

    /// All items of one instant, and then these: Python's `+`.
    pub fn plus(&self, more: &[Packed<'_>]) -> Result<Vec<Message>> {
        let mut all = self.to_vec()?;
        all.extend(more.iter().map(|item| Message::of(item.bytes, item.codec)));
        Ok(all)
    }

    /// All items of one instant, so many times over: Python's `*`.
    pub fn times(&self, times: usize) -> Result<Vec<Message>> {
        let items = self.to_vec()?;
        let mut all = Vec::new();
        // Not even the places for them: that is an answer, and not the end of the process.
        let places = items.len().checked_mul(times).filter(|places| all.try_reserve_exact(*places).is_ok());
        places.ok_or_else(|| Error::new(ErrorKind::TooLarge, format!("{times} times {} items are more than memory can hold", items.len())))?;
        all.extend(std::iter::repeat_n(&items, times).flatten().map(|item| Message::of(item, item.codec())));
        Ok(all)
    }

    /// The items of a slice become these. With a step of 1 they may be more or fewer than there were (so an empty slice inserts); else [`ErrorKind::InvalidArgument`] if they are not
    /// as many.
    pub fn set_slice(&self, slice: impl Into<Slice>, items: &[Packed<'_>]) -> Result<()> {
        let slice = slice.into();
        self.put_all(items, |list, new, fresh| {
            let picked = slice.of(list.len())?;
            let span = picked.span();
            if picked.is_range() {
                return list.replace(span.clone(), new, chunks_of(list.slots(span)?), fresh);
            }
            if picked.count != new.len() {
                let sentence = format!("a slice of {} items with a step cannot become {} items: list {}", picked.count, new.len(), self.handle().label());
                return Err(Error::new(ErrorKind::InvalidArgument, sentence));
            }
            let mut slots = list.slots(span.clone())?;
            let old: Vec<u64> = picked.indices().zip(new).map(|(index, slot)| std::mem::replace(&mut slots[index - span.start], *slot)).collect();
            list.replace(span, &slots, chunks_of(old), fresh)
        })
    }

    /// Deletes the items of a slice.
    pub fn delete_slice(&self, slice: impl Into<Slice>) -> Result<()> {
        let slice = slice.into();
        self.with_room(|| {
            let list = self.enter()?;
            let picked = slice.of(list.len())?;
            if picked.count == 0 {
                return Ok(());
            }
            let span = picked.span();
            let mut slots = list.slots(span.clone())?;
            let old: Vec<u64> = picked.indices().map(|index| std::mem::take(&mut slots[index - span.start])).collect();
            slots.retain(|slot| *slot != 0);
            list.replace(span, &slots, chunks_of(old), Fresh::new(list.w.shm)?)?;
            list.leave();
            Ok(())
        })
    }

    /// The first index from `start` on and before `stop` at which an equal item stands.
    pub fn index<'i>(&self, item: impl Into<Packed<'i>>, start: Option<i64>, stop: Option<i64>) -> Result<Option<usize>> {
        let list = self.enter()?;
        let range = Slice::new(start, stop, None).of(list.len())?.span();
        find(&list, range, item.into())
    }

    /// Whether the list has an equal item.
    pub fn contains<'i>(&self, item: impl Into<Packed<'i>>) -> Result<bool> {
        Ok(self.index(item, None, None)?.is_some())
    }

    /// How many equal items the list has.
    pub fn count<'i>(&self, item: impl Into<Packed<'i>>) -> Result<usize> {
        let (list, item) = (self.enter()?, item.into());
        let mut count = 0;
        for slot in list.slots(0..list.len())? {
            count += usize::from(item::is(list.w, Slot(slot), item)?);
        }
        Ok(count)
    }

    /// Deletes the first equal item. False: there is none.
    pub fn remove<'i>(&self, item: impl Into<Packed<'i>>) -> Result<bool> {
        let item = item.into();
        self.with_room(|| {
            let list = self.enter()?;
            let Some(at) = find(&list, 0..list.len(), item)? else { return Ok(false) };
            BytesList::delete_in(&list, at)?;
            list.leave();
            Ok(true)
        })
    }

    /// The first item of a slice with step 1 that `wanted` says yes to, with its index; batch by batch, so that no lock is held while it says so.
    pub(super) fn scan(&self, slice: Slice, mut wanted: impl FnMut(&Message) -> bool) -> Result<Option<(usize, Message)>> {
        let picked = slice.of(self.len()?)?;
        if !picked.is_range() {
            return Err(Error::new(ErrorKind::InvalidArgument, "a search goes through a slice with step 1"));
        }
        let span = picked.span();
        let mut at = span.start;
        // The end that was given is kept to; a list that grows at an open end is followed.
        let end = if slice.stop.is_some() { span.end } else { usize::MAX };
        while at < end {
            let batch = self.batch(at, (end - at).min(BATCH), BATCH_BYTES)?;
            if batch.is_empty() {
                break;
            }
            for item in batch {
                if wanted(&item) {
                    return Ok(Some((at, item)));
                }
                at += 1;
            }
        }
        Ok(None)
    }

    /// Deletes the item at `at` if it is this one. False: another stands there, or none.
    pub(super) fn delete_if(&self, at: usize, item: &Message) -> Result<bool> {
        self.with_room(|| {
            let list = self.enter()?;
            if at >= list.len() || !item::is(list.w, list.slot(at)?, item.into())? {
                return Ok(false);
            }
            BytesList::delete_in(&list, at)?;
            list.leave();
            Ok(true)
        })
    }

    /// Turns the order round.
    pub fn reverse(&self) -> Result<()> {
        self.with_room(|| {
            let list = self.enter()?;
            let mut slots = list.slots(0..list.len())?;
            slots.reverse();
            list.replace(0..slots.len(), &slots, Vec::new(), Fresh::new(list.w.shm)?)?;
            list.leave();
            Ok(())
        })
    }

    /// The list becomes itself, so many times over; 0 makes it empty.
    pub fn repeat(&self, times: usize) -> Result<()> {
        match times {
            0 => return self.clear(),
            1 => return self.len().map(drop),
            _ => {}
        }
        for _ in 0..ATTEMPTS {
            let (version, items) = self.snapshot()?;
            if items.is_empty() {
                return Ok(());
            }
            // Each item takes a slot at least.
            if items.len().checked_mul(times).is_none_or(|items| items as u64 > self.fabric().cap() / 8) {
                return Err(Error::new(ErrorKind::TooLarge, format!("{times} times {} items are more than {:?} can hold", items.len(), self.fabric())));
            }
            let items: Vec<Packed<'_>> = std::iter::repeat_n(&items, times - 1).flatten().map(Packed::from).collect();
            let done = self.put_all(&items, |list, slots, fresh| {
                if list.version() != version {
                    return Ok(false);
                }
                list.extend(slots, fresh).map(|()| true)
            })?;
            if done {
                return Ok(());
            }
        }
        Err(self.contended("repeated"))
    }

    /// Puts the items into another order: `order` is given all of them and answers with their old indices in the new order. It is called without any lock held; if
    /// the list was changed meanwhile it is called again with what is there then, and after 64 times the answer is [`ErrorKind::Timeout`] and nothing was changed. This is
    /// how a language sorts by its own notion of order.
    ///
    /// **Errors**: those of `order`; [`ErrorKind::InvalidArgument`] if its answer does not name every index once.
    pub fn rearrange(&self, mut order: impl FnMut(&[Message]) -> Result<Vec<usize>>) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let (version, items) = self.snapshot()?;
            let order = order(&items)?;
            let mut seen = vec![false; items.len()];
            let once = order.len() == items.len() && order.iter().all(|index| seen.get_mut(*index).is_some_and(|seen| !std::mem::replace(seen, true)));
            if !once {
                return Err(Error::new(ErrorKind::InvalidArgument, format!("the new order of {} items does not name each of them once", items.len())));
            }
            if order.is_sorted() {
                return Ok(()); // the order that there is
            }
            drop(items);
            let done = self.with_room(|| {
                let list = self.enter()?;
                if list.version() != version {
                    return Ok(false);
                }
                let old = list.slots(0..list.len())?;
                let new: Option<Vec<u64>> = order.iter().map(|index| old.get(*index).copied()).collect();
                let Some(new) = new.filter(|new| new.len() == old.len()) else { return Ok(false) };
                list.replace(0..new.len(), &new, Vec::new(), Fresh::new(list.w.shm)?)?;
                list.leave();
                Ok(true)
            })?;
            if done {
                return Ok(());
            }
        }
        Err(self.contended("put in order"))
    }

    /// All items and the version that they are of.
    fn snapshot(&self) -> Result<(u64, Vec<Message>)> {
        let list = self.enter()?;
        let items = list.slots(0..list.len())?.into_iter().map(|slot| item::read(list.w, Slot(slot))).collect::<Result<_>>()?;
        Ok((list.version(), items))
    }

    /// Up to so many items (or about so many bytes) from `start` on, of one instant.
    pub(super) fn batch(&self, start: usize, items: usize, bytes: usize) -> Result<Vec<Message>> {
        let list = self.enter()?;
        let end = start.saturating_add(items).min(list.len());
        let (mut batch, mut size) = (Vec::new(), 0);
        if start >= end {
            return Ok(batch);
        }
        for slot in list.slots(start..end)? {
            batch.push(item::read(list.w, Slot(slot))?);
            size += batch.last().map_or(0, |item| item.len());
            if size >= bytes {
                break;
            }
        }
        Ok(batch)
    }

    fn contended(&self, what: &str) -> Error {
        Error::new(ErrorKind::Timeout, format!("list {} could not be {what}: others changed it {ATTEMPTS} times meanwhile", self.handle().label()))
    }
}

fn find(list: &Locked<'_>, range: std::ops::Range<usize>, item: Packed<'_>) -> Result<Option<usize>> {
    for (index, slot) in range.clone().zip(list.slots(range)?) {
        if item::is(list.w, Slot(slot), item)? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}
