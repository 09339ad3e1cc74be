//! Going through a table in the order of insertion, a batch from each shard at a time: no shard is locked for longer than a batch takes.
//!
//! The place in each shard is a *sequence number*, so it survives growth, compaction and other people's deletions. The iterator ends at the number that was next when it began. So it
//! gives every entry that is there all the time exactly once (with the value of some moment), an entry that comes or goes meanwhile at most once, and it ends whatever others put in.

use std::collections::VecDeque;
use std::fmt;

use super::entry::Entry;
use super::shard::Locked;
use super::table::Table;
use crate::error::Result;
use std::sync::atomic::Ordering;

/// Entries of a shard that are taken at a time: first, and from then on.
const BATCH: (usize, usize) = (4, 64);
/// A batch ends when it has this many bytes.
const ENOUGH: usize = 64 << 10;

/// Entries as `read` makes them.
pub(crate) struct Entries<T> {
    table: Table,
    read: fn(Entry<'_>) -> Result<T>,
    backward: bool,
    /// None: not begun.
    shards: Option<Vec<Ahead<T>>>,
    over: bool,
}

/// What is known of one shard.
struct Ahead<T> {
    /// The next look is for sequence numbers from `low` on and below `high`.
    low: u64,
    high: u64,
    batch: usize,
    ready: VecDeque<(u64, T)>,
    drained: bool,
}

impl<T> Entries<T> {
    pub(crate) fn new(table: &Table, backward: bool, read: fn(Entry<'_>) -> Result<T>) -> Entries<T> {
        Entries { table: table.clone(), read, backward, shards: None, over: false }
    }

    fn advance(&mut self) -> Result<Option<T>> {
        let w = self.table.words();
        if self.shards.is_none() {
            self.table.here()?;
            let high = w.sequence().load(Ordering::Acquire);
            let shard = |_| Ahead { low: 0, high, batch: BATCH.0, ready: VecDeque::new(), drained: false };
            self.shards = Some((0..w.shards()?).map(shard).collect());
        }
        let shards = self.shards.get_or_insert_default();
        for (index, ahead) in shards.iter_mut().enumerate() {
            if ahead.ready.is_empty() && !ahead.drained {
                let shard = Locked::enter(w, w.shard(index))?;
                ahead.fill(&shard, self.backward, self.read)?;
            }
        }
        let first = |ahead: &Ahead<T>| ahead.ready.front().map(|(sequence, _)| if self.backward { u64::MAX - sequence } else { *sequence });
        let next = shards.iter_mut().filter(|ahead| !ahead.ready.is_empty()).min_by_key(|ahead| first(ahead));
        Ok(next.and_then(|ahead| ahead.ready.pop_front()).map(|(_, entry)| entry))
    }
}

impl<T> Ahead<T> {
    fn fill(&mut self, shard: &Locked<'_>, backward: bool, read: fn(Entry<'_>) -> Result<T>) -> Result<()> {
        self.drained = true;
        let Some(arena) = shard.arena() else { return Ok(()) };
        let (mut first, mut end) = (arena.first_from(self.low)?, arena.first_from(self.high)?);
        let mut bytes = 0;
        while first < end {
            if self.ready.len() >= self.batch || bytes >= ENOUGH {
                self.drained = false;
                break;
            }
            let slot = if backward { end - 1 } else { first };
            let offset = arena.entry(slot)?.load(Ordering::Relaxed);
            let sequence = arena.sequence(slot)?;
            if offset != 0 {
                let entry = Entry::at(shard.words(), offset)?;
                bytes += entry.len();
                self.ready.push_back((sequence, read(entry)?));
            }
            if backward {
                (end, self.high) = (slot, sequence);
            } else {
                (first, self.low) = (slot + 1, sequence.saturating_add(1));
            }
        }
        self.batch = BATCH.1;
        Ok(())
    }
}

impl<T> Iterator for Entries<T> {
    type Item = Result<T>;

    /// An error ends the iteration: nothing comes after it.
    fn next(&mut self) -> Option<Result<T>> {
        if self.over {
            return None;
        }
        let next = self.advance().transpose();
        self.over = !matches!(next, Some(Ok(_)));
        next
    }
}

impl<T> fmt::Debug for Entries<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entries of {}", self.table.handle().label())
    }
}
