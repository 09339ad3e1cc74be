//! Iteration by index, a batch at a time, with no lock held between two batches.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::bytes::BytesList;
use super::many::{BATCH, BATCH_BYTES};
use super::typed::decoded;
use crate::error::Result;
use crate::queue::Message;

/// The items of a list in order: [`BytesList::iter`].
///
/// It goes by index, as Python's does: it takes up to 64 items at once and goes on behind them, wherever that is by then. So what is appended meanwhile is reached, and if something is
/// inserted or deleted before it, it meets an item twice or not at all. Writers are never held up. After an error it ends.
pub struct BytesIter {
    list: BytesList,
    next: usize,
    batch: std::vec::IntoIter<Message>,
    ended: bool,
}

impl BytesList {
    /// The items in order. For a picture of one instant: [`BytesList::to_vec`].
    pub fn iter(&self) -> BytesIter {
        BytesIter { list: self.clone(), next: 0, batch: Vec::new().into_iter(), ended: false }
    }
}

impl Iterator for BytesIter {
    type Item = Result<Message>;

    fn next(&mut self) -> Option<Result<Message>> {
        if let Some(item) = self.batch.next() {
            return Some(Ok(item));
        }
        if self.ended {
            return None;
        }
        match self.list.batch(self.next, BATCH, BATCH_BYTES) {
            Ok(batch) => {
                self.next += batch.len();
                self.ended = batch.is_empty();
                self.batch = batch.into_iter();
                self.batch.next().map(Ok)
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}

impl std::iter::FusedIterator for BytesIter {}

impl IntoIterator for &BytesList {
    type Item = Result<Message>;
    type IntoIter = BytesIter;

    fn into_iter(self) -> BytesIter {
        self.iter()
    }
}

impl std::fmt::Debug for BytesIter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BytesIter of {:?} before index {}", self.list, self.next - self.batch.len())
    }
}

/// The values of a list in order: [`List::iter`](crate::List::iter). As [`BytesIter`]; one that is not a `T` is an error of its own, and the next is reached all the same.
pub struct Iter<T> {
    items: BytesIter,
    values: PhantomData<fn() -> T>,
}

impl<T> Iter<T> {
    pub(super) fn of(items: BytesIter) -> Iter<T> {
        Iter { items, values: PhantomData }
    }
}

impl<T: DeserializeOwned> Iterator for Iter<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        Some(self.items.next()?.and_then(decoded))
    }
}

impl<T: DeserializeOwned> std::iter::FusedIterator for Iter<T> {}

impl<T> std::fmt::Debug for Iter<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.items.fmt(f)
    }
}
