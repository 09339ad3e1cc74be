//! What a queue may be, said before it is made.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use super::BytesQueue;
use super::layout::{JOINABLE, KEEP_DEAD_LEASES, LANES, MANY_LANES, SIZE};
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::Fabric;
use crate::fabric::handle::{Handle, How};
use crate::objects::{HEADER, Kind};

/// How a queue is to be made: [`BytesQueue::builder`], [`Queue::builder`](crate::Queue::builder).
///
/// ```
/// use polyproc_ipc::{BytesQueue, ErrorKind, Fabric};
/// let fabric = Fabric::new()?;
/// let failed = BytesQueue::create(&fabric, "failed", 0)?;
/// let jobs = BytesQueue::builder().capacity(100).lanes(2).max_deliveries(2).dead_letters(&failed).create(&fabric, "jobs")?;
/// jobs.put_to(1, b"later")?;
/// jobs.put(b"a job that nobody can do")?;
///
/// drop(jobs.get_lease()?); // given back; a second time, and it has been handed out often enough
/// drop(jobs.get_lease()?);
/// assert_eq!(&*jobs.get()?, b"later");
/// let letter = failed.get()?;
/// assert_eq!((&*letter, letter.dead_letter().unwrap().deliveries), (&b"a job that nobody can do"[..], 2));
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[must_use]
pub struct QueueBuilder<Q = BytesQueue> {
    capacity: usize,
    lanes: usize,
    flags: u64,
    joinable: bool,
    most_deliveries: u32,
    dead_letters: Option<BytesQueue>,
    queue: PhantomData<fn() -> Q>,
}

impl<Q: From<BytesQueue>> QueueBuilder<Q> {
    pub(super) fn unset() -> Self {
        QueueBuilder { capacity: 0, lanes: 1, flags: 0, joinable: false, most_deliveries: 0, dead_letters: None, queue: PhantomData }
    }

    /// Messages that it holds at most, all lanes together; 0: as many as the fabric holds.
    pub fn capacity(mut self, messages: usize) -> Self {
        self.capacity = messages;
        self
    }

    /// Lanes of priority, 1 to 8. A getter gets from the first lane that is not empty; a plain put goes into lane 0, [`put_to`](BytesQueue::put_to) into any.
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.lanes = lanes;
        self
    }

    /// The queue counts what is unfinished, for [`task_done`](BytesQueue::task_done) and [`join`](BytesQueue::join).
    pub fn joinable(mut self) -> Self {
        self.joinable = true;
        self
    }

    /// How often a message is handed out on a lease, at most; 0: no limit. One that comes back after that is handed out no more: it is a dead letter.
    pub fn max_deliveries(mut self, times: u32) -> Self {
        self.most_deliveries = times;
        self
    }

    /// Where dead letters go: into another queue of the same fabric. It is named and not kept alive. While it is not there, closed, or out of memory, they stay in the new queue
    /// ([buried](BytesQueue::buried)), and so they do if no such queue is given; never is one lost. Its capacity does not refuse them.
    pub fn dead_letters(mut self, queue: &BytesQueue) -> Self {
        self.dead_letters = Some(queue.clone());
        self
    }

    /// What a dead process had on lease waits for [`reclaim`](BytesQueue::reclaim), and is not handed out again by itself.
    pub fn keep_dead_leases(mut self) -> Self {
        self.flags |= KEEP_DEAD_LEASES;
        self
    }

    /// A queue without a name: as [`BytesQueue::new`].
    pub fn new_in(self, fabric: &Fabric) -> Result<Q> {
        self.make(fabric, How::New)
    }

    /// The queue of this name, which must not exist.
    pub fn create(self, fabric: &Fabric, name: &str) -> Result<Q> {
        self.make(fabric, How::Create(name))
    }

    /// Opens the queue of this name, or makes it. One that exists stays as it was made.
    pub fn open_or_create(self, fabric: &Fabric, name: &str) -> Result<Q> {
        self.make(fabric, How::OpenOrCreate(name))
    }

    pub(super) fn make(self, fabric: &Fabric, how: How<'_>) -> Result<Q> {
        if !(1..=LANES).contains(&self.lanes) {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("a queue has 1 to {LANES} lanes, not {}", self.lanes)));
        }
        if let Some(letters) = &self.dead_letters
            && letters.fabric().id() != fabric.id()
        {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("{letters:?} is of {:?}, and cannot take dead letters of {fabric:?}", letters.fabric()),
            ));
        }
        let letters = self.dead_letters.as_ref().map_or((0, 0), |queue| (queue.handle().id.offset, queue.handle().id.birth));
        let aside = if self.joinable { JOINABLE } else { 0 } | if self.lanes > 1 { MANY_LANES } else { 0 };
        let words = [
            (HEADER, self.capacity as u64),
            (HEADER + 8, self.flags),
            (HEADER + 16, 0), // closed
            (HEADER + 24, self.lanes as u64),
            (HEADER + 32, u64::from(self.most_deliveries)),
            (HEADER + 40, letters.0),
            (HEADER + 48, letters.1),
            (408, aside),
            (488, 0), // due
            (504, 0), // buried
            (560, 0), // lost
        ];
        let handle = Handle::get(fabric, Kind::Queue, how, SIZE, |_, body| {
            words.iter().try_for_each(|(at, word)| {
                body.u64(at - HEADER)?.store(*word, Ordering::Release);
                Ok(())
            })
        })?;
        Ok(Q::from(BytesQueue::of(handle)))
    }
}

impl<Q> fmt::Debug for QueueBuilder<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueBuilder")
            .field("capacity", &self.capacity)
            .field("lanes", &self.lanes)
            .field("joinable", &self.joinable)
            .field("max_deliveries", &self.most_deliveries)
            .field("dead_letters", &self.dead_letters)
            .finish_non_exhaustive()
    }
}
