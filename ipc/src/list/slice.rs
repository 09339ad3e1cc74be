//! Indices and slices as Python has them: negative ones count from the end, slices have a step and never fail for being out of range. Knows no list.

use std::ops::{Range, RangeFrom, RangeFull, RangeTo};

use crate::error::{Error, ErrorKind, Result};

/// Which items of a list: `start:stop:step` as in Python. What is not given is as there: the whole list, in its order.
///
/// ```
/// use polyproc_ipc::{Fabric, List, Slice};
/// let list = List::<u32>::new(&Fabric::new()?)?;
/// list.extend(&[0, 1, 2, 3, 4])?;
/// assert_eq!(list.get_slice(1..3)?, [1, 2]);
/// assert_eq!(list.get_slice(-2..)?, [3, 4]);
/// assert_eq!(list.get_slice(Slice { step: Some(-2), ..Slice::default() })?, [4, 2, 0]);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// The first index.
    pub start: Option<i64>,
    /// The index before which it ends.
    pub stop: Option<i64>,
    /// How far from one to the next; not 0.
    pub step: Option<i64>,
}

impl Slice {
    /// `start:stop:step`.
    pub fn new(start: Option<i64>, stop: Option<i64>, step: Option<i64>) -> Slice {
        Slice { start, stop, step }
    }

    /// The indices that it names in a list of `len` items.
    pub(super) fn of(self, len: usize) -> Result<Picked> {
        let step = self.step.unwrap_or(1);
        if step == 0 {
            return Err(Error::new(ErrorKind::InvalidArgument, "the step of a slice must not be 0"));
        }
        let len = len as i64;
        let backwards = step < 0;
        // The ends of the way: before the first and behind the last item that may be named.
        let (low, high) = if backwards { (-1, len - 1) } else { (0, len) };
        let place = |index: i64| (if index < 0 { index.saturating_add(len) } else { index }).clamp(low, high);
        let start = self.start.map_or(if backwards { high } else { low }, place);
        let stop = self.stop.map_or(if backwards { low } else { high }, place);
        let way = if backwards { start - stop } else { stop - start };
        let count = if way <= 0 { 0 } else { (way as u64 - 1) / step.unsigned_abs() + 1 };
        Ok(Picked { start, step, count: count as usize })
    }
}

impl From<Range<i64>> for Slice {
    fn from(range: Range<i64>) -> Slice {
        Slice { start: Some(range.start), stop: Some(range.end), step: None }
    }
}

impl From<RangeFrom<i64>> for Slice {
    fn from(range: RangeFrom<i64>) -> Slice {
        Slice { start: Some(range.start), ..Slice::default() }
    }
}

impl From<RangeTo<i64>> for Slice {
    fn from(range: RangeTo<i64>) -> Slice {
        Slice { stop: Some(range.end), ..Slice::default() }
    }
}

impl From<RangeFull> for Slice {
    fn from(_: RangeFull) -> Slice {
        Slice::default()
    }
}

/// The indices that a slice names in a list of a certain length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Picked {
    start: i64,
    step: i64,
    pub(super) count: usize,
}

impl Picked {
    /// The indices, in the slice's order.
    pub(super) fn indices(self) -> impl DoubleEndedIterator<Item = usize> {
        (0..self.count).map(move |number| self.index(number))
    }

    /// Index `number` of the slice, which exists.
    pub(super) fn index(self, number: usize) -> usize {
        (self.start + self.step * number as i64) as usize
    }

    /// Whether the items stand one after the other, so that any number of others may take their place.
    pub(super) fn is_range(self) -> bool {
        self.step == 1
    }

    /// The least range that has all the indices. Of none: the place where a slice with step 1 inserts.
    pub(super) fn span(self) -> Range<usize> {
        if self.count == 0 {
            let start = self.start.max(0) as usize;
            return start..start;
        }
        let (a, b) = (self.index(0), self.index(self.count - 1));
        a.min(b)..a.max(b) + 1
    }
}

/// The place of an item.
pub(super) fn at(index: i64, len: usize) -> Option<usize> {
    let place = if index < 0 { index.checked_add(len as i64)? } else { index };
    usize::try_from(place).ok().filter(|place| *place < len)
}

/// The place before which an insert puts its item.
pub(super) fn before(index: i64, len: usize) -> usize {
    (if index < 0 { index.saturating_add(len as i64) } else { index }).clamp(0, len as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Python's definition says, index by index.
    fn slow(slice: Slice, len: usize) -> Vec<usize> {
        let (n, step) = (len as i64, slice.step.unwrap_or(1));
        let from_end = |i: i64| if i < 0 { i + n } else { i };
        let mut picked = Vec::new();
        if step > 0 {
            let (start, stop) = (from_end(slice.start.unwrap_or(0)).max(0), slice.stop.map_or(n, from_end).min(n));
            let mut i = start;
            while i < stop {
                picked.push(i as usize);
                i += step;
            }
        } else {
            let start = slice.start.map_or(n - 1, from_end).min(n - 1);
            let stop = slice.stop.map_or(-1, |i| from_end(i).max(-1));
            let mut i = start;
            while i > stop {
                picked.push(i as usize);
                i += step;
            }
        }
        picked
    }

    #[test]
    fn slices_are_as_in_python() {
        let ends: Vec<Option<i64>> = (-7..=7).map(Some).chain([None]).collect();
        for len in 0..6 {
            for &start in &ends {
                for &stop in &ends {
                    for step in [None, Some(1), Some(2), Some(3), Some(7), Some(-1), Some(-2), Some(-7)] {
                        let slice = Slice { start, stop, step };
                        let picked: Vec<usize> = slice.of(len).unwrap().indices().collect();
                        assert_eq!(picked, slow(slice, len), "{slice:?} of {len}");
                        let span = slice.of(len).unwrap().span();
                        assert!(picked.iter().all(|i| span.contains(i)) && span.end <= len);
                    }
                }
            }
        }
        let far = Slice::new(Some(i64::MIN), Some(i64::MAX), Some(i64::MAX));
        assert_eq!(far.of(5).unwrap().indices().collect::<Vec<_>>(), [0]);
        let far = Slice::new(Some(i64::MAX), Some(i64::MIN), Some(i64::MIN));
        assert_eq!(far.of(5).unwrap().indices().collect::<Vec<_>>(), [4]);
        assert_eq!(Slice::new(None, None, Some(0)).of(5).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn indices_are_as_in_python() {
        assert_eq!([0, 2, -1, -3].map(|i| at(i, 3)), [Some(0), Some(2), Some(2), Some(0)]);
        assert_eq!([3, -4, i64::MIN, i64::MAX].map(|i| at(i, 3)), [None; 4]);
        assert_eq!([0, 3, 9, -1, -9, i64::MIN, i64::MAX].map(|i| before(i, 3)), [0, 3, 3, 2, 0, 0, 3]);
    }
}
