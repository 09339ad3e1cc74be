//! Queues: two internal locks around a chain of byte rings.
//!
//! | file | idea |
//! | --- | --- |
//! | `layout` | the words and where they stand |
//! | `ring` | one ring: records between a tail and a head |
//! | `put` | the producer side, growth, its repair |
//! | `get` | the consumer side, leaving rings, its repair, the end of a queue |
//! | `entry` | the ledger of what was taken and is not done with |
//! | `lease`, `leased` | messages taken but not yet acknowledged: in the queue, and as their holder has them |
//! | `holders` | who has what on lease, for people who look
//! | `timed` | leases that run out, messages that come back later |
//! | `dead` | dead letters, and how they go to another queue |
//! | `joined` | who waits until all is done |
//! | `message` | what getters receive, and chunks filled in place |
//! | `quick` | the usual case of short messages in a straight line |
//! | `waiting` | how a getter waits |
//! | `bytes`, `builder` | [`BytesQueue`]: the public face; how one is made |
//! | this file, `typed` | [`Queue`]: the same with Rust values; its leases |

mod builder;
mod bytes;
mod dead;
mod entry;
mod get;
mod holders;
mod joined;
mod layout;
mod lease;
mod leased;
mod message;
mod privately;
mod put;
mod quick;
mod ring;
mod timed;
mod typed;
mod waiting;

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use builder::QueueBuilder;
pub use bytes::{BytesQueue, Unsent};
pub use dead::{DeadLetter, DeadReason};
pub use holders::LeaseInfo;
pub use leased::{Lease, Reclaimed};
pub(crate) use message::View;
pub use message::{Loan, Message};
pub use privately::Privately;
pub(crate) use privately::before_fork;
pub use typed::TypedLease;

use crate::block::parcel::WITH_BLOCKS;
use crate::block::{Packing, Parcel};
use crate::codec;
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::kinds::{Held, Ops, Parting};
use crate::fabric::{Fabric, Ticket};
use crate::objects::{Header, ObjectId};
use crate::shm::{Deadline, Owner, Shm};
use crate::sync::wait;
use layout::{Lane, Words};
use ring::{Record, Ring};

/// A queue of Rust values between processes: [`BytesQueue`] with MessagePack on top, so that every other language reads them too. All that is said there holds here.
///
/// A queue is itself such a value: sent through a queue, it arrives as a handle of the same queue.
///
/// **Errors** beyond those of [`BytesQueue`]: [`ErrorKind::Encode`] for a value that does not serialise (nothing was put), [`ErrorKind::Decode`] for a message that is not a `T`
/// ([`Error::into_message`] gives it back).
///
/// ```
/// use polyproc_ipc::{Fabric, Queue};
/// let fabric = Fabric::new()?;
/// let jobs = Queue::<(String, Queue<u64>)>::new(&fabric, 0)?;
/// let answers = Queue::<u64>::new(&fabric, 0)?;
/// jobs.put(&("count me".into(), answers.clone()))?;
///
/// let (text, back) = jobs.get()?; // in whatever process
/// back.put(&(text.len() as u64))?;
/// assert_eq!(answers.get()?, 8);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub struct Queue<T> {
    bytes: BytesQueue,
    values: PhantomData<fn(T) -> T>,
}

impl<T> Queue<T> {
    fn of(bytes: BytesQueue) -> Queue<T> {
        Queue { bytes, values: PhantomData }
    }

    /// As [`BytesQueue::builder`].
    pub fn builder() -> QueueBuilder<Queue<T>> {
        QueueBuilder::unset()
    }

    /// As [`BytesQueue::new`].
    pub fn new(fabric: &Fabric, capacity: usize) -> Result<Queue<T>> {
        BytesQueue::new(fabric, capacity).map(Queue::of)
    }

    /// As [`BytesQueue::create`].
    pub fn create(fabric: &Fabric, name: &str, capacity: usize) -> Result<Queue<T>> {
        BytesQueue::create(fabric, name, capacity).map(Queue::of)
    }

    /// As [`BytesQueue::open`].
    pub fn open(fabric: &Fabric, name: &str) -> Result<Queue<T>> {
        BytesQueue::open(fabric, name).map(Queue::of)
    }

    /// As [`BytesQueue::open_or_create`].
    pub fn open_or_create(fabric: &Fabric, name: &str, capacity: usize) -> Result<Queue<T>> {
        BytesQueue::open_or_create(fabric, name, capacity).map(Queue::of)
    }

    /// As [`BytesQueue::from_ticket`].
    pub fn from_ticket(ticket: &Ticket) -> Result<Queue<T>> {
        BytesQueue::from_ticket(ticket).map(Queue::of)
    }

    /// As [`BytesQueue::ticket`].
    pub fn ticket(&self) -> Ticket {
        self.bytes.ticket()
    }

    /// As [`BytesQueue::destroy`].
    pub fn destroy(&self) -> Result<()> {
        self.bytes.destroy()
    }

    /// The same queue, message by message as bytes.
    pub fn bytes(&self) -> &BytesQueue {
        &self.bytes
    }

    /// As [`BytesQueue::len`].
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// As [`BytesQueue::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// As [`BytesQueue::is_full`].
    pub fn is_full(&self) -> bool {
        self.bytes.is_full()
    }

    /// As [`BytesQueue::capacity`].
    pub fn capacity(&self) -> Option<usize> {
        self.bytes.capacity()
    }

    /// As [`BytesQueue::task_done`].
    pub fn task_done(&self) -> Result<()> {
        self.bytes.task_done()
    }

    /// As [`BytesQueue::join`].
    pub fn join(&self) -> Result<()> {
        self.bytes.join()
    }

    /// As [`BytesQueue::join_timeout`].
    pub fn join_timeout(&self, time: Duration) -> Result<()> {
        self.bytes.join_timeout(time)
    }

    /// As [`BytesQueue::close`].
    pub fn close(&self) -> Result<()> {
        self.bytes.close()
    }

    /// As [`BytesQueue::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.bytes.is_closed()
    }
}

impl<T: Serialize> Queue<T> {
    /// Puts a value; waits while the queue is full.
    pub fn put(&self, value: &T) -> Result<()> {
        self.put_value(0, value, None)
    }

    /// Puts a value; waits at most `time` while the queue is full.
    pub fn put_timeout(&self, value: &T, time: Duration) -> Result<()> {
        self.put_value(0, value, Some(time))
    }

    /// Puts a value if there is room at this moment; else [`ErrorKind::Full`].
    pub fn try_put(&self, value: &T) -> Result<()> {
        self.put_value(0, value, Some(Duration::ZERO)).map_err(bytes::timeout_is(ErrorKind::Full))
    }

    /// Puts a value into a lane, as [`BytesQueue::put_to`]; waits while the queue is full.
    pub fn put_to(&self, lane: usize, value: &T) -> Result<()> {
        self.put_value(lane, value, None)
    }

    /// As [`Queue::put_to`]; waits at most `time` while the queue is full.
    pub fn put_to_timeout(&self, lane: usize, value: &T, time: Duration) -> Result<()> {
        self.put_value(lane, value, Some(time))
    }

    /// Puts a value that is not needed here any more; waits while the queue is full. A [`Block`](crate::Block) in it that was made in the fabric, or received, goes without a copy, if no other handle of it is
    /// left in this process.
    ///
    /// # Errors
    ///
    /// As [`Queue::put`]; where the queue did not take it, or had no memory for it, the encoded value is in [`Error::into_message`].
    pub fn give(&self, value: T) -> Result<()> {
        let (mut packing, mut body) = (Packing::new(), Vec::new());
        packing.encode(&value, &mut body)?;
        drop(value);
        if packing.is_empty() {
            let put = self.bytes.put_as(0, &body, codec::MESSAGEPACK, None);
            return put.map_err(|error| error.with_message(Message::own(body, codec::MESSAGEPACK)));
        }
        self.bytes.put_parcel(0, packing, &body, None)
    }

    fn put_value(&self, lane: usize, value: &T, time: Option<Duration>) -> Result<()> {
        packed(value, |packing, body| {
            if packing.is_empty() { self.bytes.put_as(lane, body, codec::MESSAGEPACK, time) } else { self.bytes.put_parcel(lane, packing, body, time) }
        })
    }

    /// Puts all values in order, as [`BytesQueue::put_many`], up to the first that does not serialise; how many.
    pub fn put_many(&self, values: &[T]) -> Result<usize> {
        let mut done = 0;
        for batch in values.chunks(64) {
            let mut encoded: Vec<Vec<u8>> = Vec::with_capacity(batch.len());
            let fault = batch.iter().find_map(|value| codec::to_vec(value).map(|bytes| encoded.push(bytes)).err());
            let slices: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
            let (put, result) = self.bytes.put_batch(0, &slices, codec::MESSAGEPACK, Deadline::Never, true);
            done += put;
            if let Err(error) = result.and(fault.map_or(Ok(()), Err)) {
                return if done == 0 { Err(error) } else { Ok(done) };
            }
        }
        Ok(done)
    }
}

impl<T: DeserializeOwned> Queue<T> {
    /// Gets the next value; waits for one.
    pub fn get(&self) -> Result<T> {
        decoded(self.bytes.get()?)
    }

    /// Gets the next value; waits at most `time` for one.
    pub fn get_timeout(&self, time: Duration) -> Result<T> {
        decoded(self.bytes.get_timeout(time)?)
    }

    /// Gets the next value if there is one at this moment; else [`ErrorKind::Empty`].
    pub fn try_get(&self) -> Result<T> {
        decoded(self.bytes.try_get()?)
    }

    /// Gets up to `max` values: waits for the first, then takes what is there. Each is decoded as the iterator reaches it, so that one that is not a `T` harms no other.
    ///
    /// ```
    /// # use polyproc_ipc::{Fabric, Queue, Result};
    /// # let queue = Queue::<u64>::new(&Fabric::new()?, 0)?;
    /// queue.put_many(&[1, 2, 3])?;
    /// let values: Vec<u64> = queue.get_many(10)?.collect::<Result<_>>()?;
    /// assert_eq!(values, [1, 2, 3]);
    /// # Ok::<(), polyproc_ipc::Error>(())
    /// ```
    pub fn get_many(&self, max: usize) -> Result<Values<T>> {
        Ok(Values { messages: self.bytes.get_many(max)?.into_iter(), values: PhantomData })
    }
}

/// Values that were taken together: [`Queue::get_many`].
pub struct Values<T> {
    messages: std::vec::IntoIter<Message>,
    values: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Iterator for Values<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        self.messages.next().map(decoded)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.messages.size_hint()
    }
}

impl<T: DeserializeOwned> ExactSizeIterator for Values<T> {}

impl<T> fmt::Debug for Values<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values", self.messages.len())
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Encodes into a buffer that this thread keeps, and uses the bytes.
pub(crate) fn encoded<T: Serialize, R>(value: &T, put: impl FnOnce(&[u8]) -> Result<R>) -> Result<R> {
    with_scratch(|buffer| {
        codec::encode(value, buffer)?;
        put(buffer)
    })
}

/// As [`encoded`], with the blocks beside the bytes.
fn packed<T: Serialize, R>(value: &T, put: impl FnOnce(Packing, &[u8]) -> Result<R>) -> Result<R> {
    with_scratch(|buffer| {
        let mut packing = Packing::new();
        packing.encode(value, buffer)?;
        put(packing, buffer)
    })
}

fn with_scratch<R>(fill: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut buffer) => {
            buffer.clear();
            let done = fill(&mut buffer);
            if buffer.capacity() > 1 << 20 {
                *buffer = Vec::new();
            }
            done
        }
        // A value whose serialisation puts into a queue itself.
        Err(_) => fill(&mut Vec::new()),
    })
}

pub(crate) fn decoded<T: DeserializeOwned>(message: Message) -> Result<T> {
    let value = if message.codec() == codec::MESSAGEPACK {
        codec::decode(&message)
    } else if message.codec() == codec::MESSAGEPACK | WITH_BLOCKS {
        let parcel = Parcel::open(message)?;
        return parcel.decode(parcel.body()).map_err(|error| match parcel.into_message() {
            Some(message) => error.with_message(message),
            None => error,
        });
    } else {
        Err(Error::new(ErrorKind::Decode, format!("the message is of codec {}, not MessagePack: get it as bytes", message.codec())))
    };
    value.map_err(|error| error.with_message(message))
}

impl<T> From<BytesQueue> for Queue<T> {
    fn from(bytes: BytesQueue) -> Queue<T> {
        Queue::of(bytes)
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Queue::of(self.bytes.clone())
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.fmt(f)
    }
}

impl<T> Serialize for Queue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.bytes.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Queue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Queue<T>, D::Error> {
        BytesQueue::deserialize(deserializer).map(Queue::of)
    }
}

/// What queues do in the fabric.
pub(crate) const OPS: Ops = Ops { quiesce, outlive: Some(outlive), hold: Some(hold) };

/// Ends a queue that is about to be destroyed; may be repeated.
fn quiesce(shm: &Shm, object: Header<'_>) -> Result<()> {
    let w = Words::of(shm, ObjectId { offset: object.offset, birth: 0 })?;
    get::end(w)?;
    wait::wake(w.data(), u32::MAX);
    wait::wake(w.space(), u32::MAX);
    wait::wake(w.done(), u32::MAX);
    Ok(())
}

/// Brings a queue past the death or leave of a member, before the sweep frees what that one held. After a death: repairs both sides if they need it, so that no word of theirs names a chunk that
/// is about to be free; gives the dead one's leases back to the front, unless the queue keeps them for whoever reclaims them; and dead letters go on. Of a joinable queue, what the
/// member got and did not finish is lost.
fn outlive(shm: &Shm, object: Header<'_>, gone: Owner, parting: Parting) -> Result<()> {
    let w = Words::of(shm, ObjectId { offset: object.offset, birth: object.birth().load(Ordering::Acquire) })?;
    // Who left has no handle, so no lease: a lease keeps its queue, and that the fabric.
    if parting == Parting::Left && !w.is_joinable() {
        return Ok(());
    }
    let guard = get::lock(w)?;
    drop(put::lock(w)?);
    if w.leases().load(Ordering::Acquire) == 0 {
        return Ok(());
    }
    joined::lose(w, gone)?;
    let mut given_back = 0;
    if w.flags().load(Ordering::Relaxed) & layout::KEEP_DEAD_LEASES == 0 {
        for entry in lease::held_by(w, gone)? {
            lease::give_back(w, entry, None, DeadReason::HolderDied)?;
            given_back += 1;
        }
    }
    dead::forward(w)?;
    drop(guard);
    wait::wake(w.data(), given_back);
    joined::tell(w);
    Ok(())
}

/// Both locks of a queue, for the checker, and the chunks that the queue ought to hold besides its own.
fn hold<'a>(shm: &'a Shm, object: Header<'a>) -> Result<Held<'a>> {
    let w = Words::of(shm, ObjectId { offset: object.offset, birth: object.birth().load(Ordering::Acquire) })?;
    let guards = vec![get::lock(w)?, put::lock(w)?];
    let mut chunks = entry::chunks(w)?;
    let mut rings = HashSet::new();
    for lane in w.all_lanes() {
        hold_lane(w, lane?, &mut rings, &mut chunks)?;
    }
    Ok(Held { guards, chunks })
}

/// The rings of a lane and the chunks that its messages stand in.
fn hold_lane(w: Words<'_>, lane: Lane<'_>, rings: &mut HashSet<u64>, chunks: &mut Vec<u64>) -> Result<()> {
    let mut at = lane.head_ring().load(Ordering::Acquire);
    while at != 0 {
        let ring = Ring::at(w.shm, at)?;
        if !rings.insert(at) {
            return Err(Error::corrupt("a queue's rings run in a circle"));
        }
        chunks.push(at);
        let tail = layout::Mark(ring.tail()?.load(Ordering::Acquire));
        let mut head = layout::Mark(ring.head()?.load(Ordering::Acquire));
        let mut messages = tail.count().wrapping_sub(head.count());
        if messages as usize > ring.size() / 8 {
            return Err(Error::corrupt(format_args!("a ring of {} bytes says it holds {messages} messages", ring.size())));
        }
        while messages > 0 {
            let (record, next) = ring.read(head)?;
            if let Record::Chunk { offset, .. } = record {
                chunks.push(offset);
            }
            head = next;
            messages -= 1;
        }
        if head != tail {
            return Err(Error::corrupt(format_args!("a ring's records end at {head:?} and its tail is {tail:?}")));
        }
        at = ring.next()?.load(Ordering::Acquire);
    }
    Ok(())
}
