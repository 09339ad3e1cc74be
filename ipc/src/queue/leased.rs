//! Messages on a lease, as who takes and holds them sees them; what a dead holder left; and what nobody is to have any more.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::dead::{self, DeadReason};
use super::entry::{self, BURIED, DELAYED, Entry, LEASED};
use super::get::Getter;
use super::lease::{self, LeasedBytes};
use super::message::Message;
use super::{BytesQueue, joined, timed, waiting};
use crate::error::{Error, ErrorKind, Result};
use crate::shm::{Deadline, Owner};
use crate::sync::wait;

/// A message taken on a lease: see [`BytesQueue::get_lease`]. Its bytes, by `Deref`. Dropped, the message goes back to the front of its lane.
#[derive(Debug)]
pub struct Lease {
    queue: BytesQueue,
    entry: u64,
    serial: u64,
    me: Owner,
    deliveries: u32,
    /// Of a chunk: a view that frees nothing, the queue holds it; with a limit, a copy.
    bytes: Message,
    /// The chunk that the bytes are a view of; 0: they are a copy.
    chunk: u64,
    limited: bool,
    done: bool,
}

/// What a dead process had on lease: see [`BytesQueue::reclaim`].
#[derive(Debug)]
pub struct Reclaimed {
    /// The message; it is the caller's now.
    pub message: Message,
    /// What the dead process last said by [`Lease::set_progress`].
    pub progress: u64,
    /// How often the message was handed out.
    pub deliveries: u32,
}

/// How a lease is to end.
#[derive(Clone, Copy)]
enum End {
    Done,
    /// Done, and its chunk is this process's.
    Kept,
    Back(Option<Duration>),
    Buried,
}

impl BytesQueue {
    /// Gets the next message *on a lease*: it stays the queue's until it is [acknowledged](Lease::ack). If the lease is dropped, or its holder dies, the message goes back to the front
    /// (for a holder's death: when the fabric is next swept). At least once, where a plain get is at most once.
    pub fn get_lease(&self) -> Result<Lease> {
        self.lease_by(None, None)
    }

    /// As [`BytesQueue::get_lease`], waiting at most `time`; `None`: for ever.
    pub fn get_lease_timeout(&self, time: Option<Duration>) -> Result<Lease> {
        self.lease_by(None, time)
    }

    /// As [`BytesQueue::get_lease`], but for a limited time: after `limit` the message goes back although its holder lives, unless it said [`extend`](Lease::extend) meanwhile. The
    /// time begins when the message was got; its bytes are a copy. (The clock is the machine's; processes in time namespaces with offsets of their own must not share such a queue.)
    pub fn lease_for(&self, limit: Duration) -> Result<Lease> {
        self.lease_by(Some(limit), None)
    }

    /// As [`BytesQueue::lease_for`], waiting at most `time`; `None`: for ever.
    pub fn lease_for_timeout(&self, limit: Duration, time: Option<Duration>) -> Result<Lease> {
        self.lease_by(Some(limit), time)
    }

    fn lease_by(&self, limit: Option<Duration>, time: Option<Duration>) -> Result<Lease> {
        let mut lease = self.wait_for(Deadline::after(time), |w| {
            let mut getter = Getter::enter(w)?;
            let Some(leased) = lease::lease(&mut getter, limit)? else { return Ok(None) };
            let (me, more) = (getter.me, getter.more());
            drop(getter);
            waiting::after_get(w, more);
            let (bytes, chunk) = match leased.what {
                LeasedBytes::Copy(message) => (message, 0),
                LeasedBytes::Chunk { offset, len, tags } => (Message::view(self.fabric(), offset, len, Owner::NOBODY, tags), offset),
            };
            let queue = self.clone();
            Ok(Some(Lease { queue, entry: leased.entry, serial: leased.serial, me, deliveries: leased.deliveries, bytes, chunk, limited: false, done: false }))
        })?;
        if let Some(limit) = limit {
            if lease.chunk != 0 {
                let copy = lease.bytes.to_copy();
                lease.set_limit(limit)?;
                (lease.bytes, lease.chunk) = (copy, 0);
            }
            lease.limited = true;
            timed::tell(self.words(), limit);
        }
        Ok(lease)
    }

    /// Takes out what a dead process had on lease. [`ErrorKind::InvalidArgument`] if it lives.
    pub fn reclaim(&self, dead: Owner) -> Result<Vec<Reclaimed>> {
        if self.handle().shm().alive(dead) {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("{dead:?} lives: what it has on lease is its own")));
        }
        let getter = Getter::enter(self.words())?;
        let all = lease::reclaim(&getter, dead, self.fabric())?;
        Ok(all.into_iter().map(|(message, progress, deliveries)| Reclaimed { message, progress, deliveries }).collect())
    }

    /// How many messages are on lease at this moment.
    pub fn leased(&self) -> usize {
        self.count(LEASED)
    }

    /// How many messages come back at a later time: see [`Lease::nak`]. They do not count in [`len`](BytesQueue::len).
    pub fn delayed(&self) -> usize {
        self.count(DELAYED)
    }

    /// How many messages are buried: dead letters that no [dead-letter queue](crate::QueueBuilder::dead_letters) has taken. They do not count in [`len`](BytesQueue::len).
    pub fn buried(&self) -> usize {
        self.count(BURIED)
    }

    /// Takes the dead letter that was put first out of those that are [buried](BytesQueue::buried) here; [`ErrorKind::Empty`] if there is none.
    pub fn get_buried(&self) -> Result<Message> {
        let getter = Getter::enter(self.words())?;
        dead::take(&getter, self.fabric())?.ok_or_else(|| Error::new(ErrorKind::Empty, format!("queue {} has no buried message", self.handle().label())))
    }

    /// Looks under the lock: what is due went back before.
    fn count(&self, state: u64) -> usize {
        let w = self.words();
        let look = || {
            let _getter = Getter::enter(w)?;
            timed::look(w)?;
            entry::count(w, state)
        };
        look().unwrap_or(0) as usize
    }
}

impl Lease {
    /// The message is done with: it leaves the queue for good. [`ErrorKind::LeaseLost`] if the lease ran out and the message went back; then nothing was changed.
    ///
    /// A message goes back when somebody looks at the queue after the lease ran out (gets, counts, waits); until then its holder may still acknowledge or extend it, since nobody else saw it.
    pub fn ack(mut self) -> Result<()> {
        self.done = true;
        self.end(End::Done)
    }

    /// As [`ack`](Lease::ack), and the message is this process's, as one that was got without a lease. Nothing is copied. If the queue is [gone](ErrorKind::Gone), the message is in the error.
    pub fn ack_and_keep(mut self) -> Result<Message> {
        self.done = true;
        let ended = self.end(End::Kept);
        let message = || self.bytes.again().owned_by(if self.chunk == 0 { Owner::NOBODY } else { self.me });
        match ended {
            Ok(()) => Ok(message()),
            Err(error) if error.kind() == ErrorKind::Gone && !self.limited => Err(error.with_message(message())),
            Err(error) => Err(error),
        }
    }

    /// The message cannot be done now: it goes back, to be handed out again after `delay` (zero: at once) and not earlier. If it was handed out as often as the
    /// queue [allows](crate::QueueBuilder::max_deliveries), it is a dead letter instead. [`ErrorKind::LeaseLost`] as for [`ack`](Lease::ack).
    ///
    /// Who waits in a get when the time comes gets it then. A closed queue is not drained while a message is to come back. **If this process dies** in the middle, the message went back, or
    /// is on lease to the dead.
    pub fn nak(mut self, delay: Duration) -> Result<()> {
        self.done = true;
        self.end(End::Back(Some(delay)))
    }

    /// The message can never be done: it is a dead letter from now on. [`ErrorKind::LeaseLost`] as for [`ack`](Lease::ack).
    pub fn bury(mut self) -> Result<()> {
        self.done = true;
        self.end(End::Buried)
    }

    /// The lease ends `limit` from now, whatever its limit was. [`ErrorKind::LeaseLost`] as for [`ack`](Lease::ack); [`ErrorKind::InvalidArgument`] for a lease without a limit.
    pub fn extend(&self, limit: Duration) -> Result<()> {
        if !self.limited {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("this lease of queue {} has no limit to be extended", self.queue.handle().label())));
        }
        self.set_limit(limit)?;
        timed::tell(self.queue.words(), limit);
        Ok(())
    }

    /// How often this message was handed out, this time included.
    pub fn deliveries(&self) -> u32 {
        self.deliveries
    }

    /// The message: its codec, and whether it is a dead letter of another queue.
    pub fn message(&self) -> &Message {
        &self.bytes
    }

    /// Leaves a word that whoever [reclaims](BytesQueue::reclaim) this lease after our death will read. One store (of a lease with a limit, under the queue's lock).
    #[inline]
    pub fn set_progress(&self, progress: u64) {
        // Of a queue that was destroyed, the entry may be another queue's by now.
        let Some(w) = self.queue.words_if_here() else { return };
        if self.limited {
            let _ = self.with_entry(|_, entry| entry.progress().map(|word| word.store(progress, Ordering::Release)));
        } else if let Ok(word) = Entry::at(w, self.entry).and_then(Entry::progress) {
            word.store(progress, Ordering::Release);
        }
    }

    fn set_limit(&self, limit: Duration) -> Result<()> {
        self.with_entry(|getter, entry| lease::limit(getter.w, entry, limit))
    }

    /// Under the lock, if the lease is still this one's.
    fn with_entry<T>(&self, act: impl FnOnce(&Getter<'_>, Entry<'_>) -> Result<T>) -> Result<T> {
        let getter = Getter::enter(self.queue.words())?;
        let lost =
            || Error::new(ErrorKind::LeaseLost, format!("the time of a lease of queue {} ran out and its message went back", self.queue.handle().label()));
        if getter.me != self.me {
            return Err(lost()); // a forked child: the lease is its parent's
        }
        match lease::held(&getter, self.entry, self.serial)? {
            Some(entry) => act(&getter, entry),
            None if self.limited => Err(lost()),
            None => Err(Error::corrupt("a lease is not where it was")),
        }
    }

    fn end(&self, how: End) -> Result<()> {
        let shm = self.queue.handle().shm();
        if shm.me_if_joined() != Some(self.me) {
            return Ok(()); // a forked child: the lease is its parent's
        }
        let w = self.queue.words();
        let ended = self.with_entry(|getter, entry| match how {
            End::Done => lease::acknowledge(getter, entry, false),
            End::Kept => lease::acknowledge(getter, entry, true),
            End::Back(later) => {
                lease::give_back(w, entry, later, DeadReason::GivenBack)?;
                dead::forward(w)
            }
            End::Buried => {
                dead::bury(w, entry, DeadReason::Buried)?;
                dead::forward(w)
            }
        });
        match &ended {
            Err(error) if error.kind() == ErrorKind::Gone && !self.limited => lease::let_go(w, self.entry, self.chunk, self.me, matches!(how, End::Kept))?,
            Err(_) => {}
            Ok(()) => match how {
                End::Back(Some(time)) if !time.is_zero() => timed::tell(w, time),
                End::Back(_) => wait::wake(w.data(), 1),
                End::Done | End::Kept | End::Buried => {}
            },
        }
        if !matches!(how, End::Back(_)) || w.most_deliveries().load(Ordering::Relaxed) != 0 {
            joined::tell(w);
        }
        ended
    }
}

impl std::ops::Deref for Lease {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.done {
            // Damaged memory or an ended queue: there is no front to go back to. A lease that ran out: the message is there already.
            let _ = self.end(End::Back(None));
        }
    }
}
