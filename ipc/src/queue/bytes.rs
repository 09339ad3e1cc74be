//! `BytesQueue`: the queue as every language sees it, messages being bytes. Waits here, never while a lock is held.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::builder::QueueBuilder;
use super::get::{self, Getter};
use super::layout::{SIZE, Words};
use super::message::{Loan, Message};
use super::quick::Look;
use super::ring::{INLINE, Payload};
use super::{put, quick, timed, waiting};
use crate::block::Packing;
use crate::block::parcel::WITH_BLOCKS;
use crate::codec;
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::Fabric;
use crate::fabric::handle::{Handle, How, gone, shared_object};
use crate::objects::Kind;
use crate::packed::Packed;
use crate::shm::{Deadline, Nap};
use crate::sync::wait;

/// A queue of byte messages between processes, of any number of putters and getters in any language.
///
/// First in, first out. Messages of up to 2 KiB are copied into the queue; larger ones are copied once, into a chunk of their own (or [built there](BytesQueue::loan)), and the getter
/// reads them in place.
///
/// **When a process dies** in the middle of a put or get, at whatever instruction, that message was either put or not, got or not; nobody else
/// is held up, and nothing is torn. A message that a process got and had not finished with is gone with it, unless it was taken by [`get_lease`](BytesQueue::get_lease).
///
/// **Time**: the plain forms wait for ever, `*_timeout` answers [`ErrorKind::Timeout`], `try_*` answers [`ErrorKind::Empty`] or [`ErrorKind::Full`]. Nothing is lost by an error: what was not put is still the caller's.
///
/// ```
/// use polyproc_ipc::{BytesQueue, Fabric};
/// let fabric = Fabric::new()?;
/// let queue = BytesQueue::new(&fabric, 10)?;
/// queue.put(b"hello")?;
/// assert_eq!(&*queue.get()?, b"hello");
/// queue.close()?;
/// assert!(queue.put(b"too late").is_err());
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone)]
pub struct BytesQueue(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) handle: Handle,
    /// How many looks a getter here spends before it sleeps.
    pub(super) looks: AtomicU32,
    /// The same of a putter.
    pub(super) looks_for_room: AtomicU32,
}

/// A message that could not be put, with the reason. `?` turns it into its error and gives the message's chunk back.
#[derive(Debug)]
pub struct Unsent {
    /// Why.
    pub error: Error,
    /// The message, unharmed.
    pub loan: Loan,
}

impl From<Unsent> for Error {
    fn from(unsent: Unsent) -> Error {
        unsent.error
    }
}

impl BytesQueue {
    /// What a queue may be besides: lanes of priority, joinable, a limit on deliveries, a queue for dead letters.
    pub fn builder() -> QueueBuilder {
        QueueBuilder::unset()
    }

    /// A queue without a name, of at most `capacity` messages (0: as many as the fabric holds). It goes with its last handle here, unless its [ticket](BytesQueue::ticket) was made.
    pub fn new(fabric: &Fabric, capacity: usize) -> Result<BytesQueue> {
        BytesQueue::builder().capacity(capacity).new_in(fabric)
    }

    /// As [`BytesQueue::new`]; but what a dead process had on lease waits for [`BytesQueue::reclaim`] and is not handed out again by itself.
    pub fn new_for_reclaim(fabric: &Fabric, capacity: usize) -> Result<BytesQueue> {
        BytesQueue::builder().capacity(capacity).keep_dead_leases().new_in(fabric)
    }

    /// Makes the queue of this name.
    pub fn create(fabric: &Fabric, name: &str, capacity: usize) -> Result<BytesQueue> {
        BytesQueue::builder().capacity(capacity).create(fabric, name)
    }

    /// Opens the queue of this name.
    pub fn open(fabric: &Fabric, name: &str) -> Result<BytesQueue> {
        BytesQueue::builder().make(fabric, How::Open(name))
    }

    /// Opens the queue of this name, or makes it. One that exists stays as it was made.
    pub fn open_or_create(fabric: &Fabric, name: &str, capacity: usize) -> Result<BytesQueue> {
        BytesQueue::builder().capacity(capacity).open_or_create(fabric, name)
    }

    /// Puts a message; waits while the queue is full.
    #[inline]
    pub fn put(&self, message: &[u8]) -> Result<()> {
        self.put_as(0, message, codec::RAW, None)
    }

    /// Puts a message; waits at most `time` while the queue is full.
    pub fn put_timeout(&self, message: &[u8], time: Duration) -> Result<()> {
        self.put_as(0, message, codec::RAW, Some(time))
    }

    /// Puts a message if there is room at this moment.
    pub fn try_put(&self, message: &[u8]) -> Result<()> {
        self.put_as(0, message, codec::RAW, Some(Duration::ZERO)).map_err(timeout_is(ErrorKind::Full))
    }

    /// Puts a message into a [lane](QueueBuilder::lanes); waits while the queue is full. The lower the number, the sooner it is got. [`ErrorKind::InvalidArgument`] if there is no such lane.
    pub fn put_to(&self, lane: usize, message: &[u8]) -> Result<()> {
        self.put_as(lane, message, codec::RAW, None)
    }

    /// As [`BytesQueue::put_to`]; waits at most `time` while the queue is full.
    pub fn put_to_timeout(&self, lane: usize, message: &[u8], time: Duration) -> Result<()> {
        self.put_as(lane, message, codec::RAW, Some(time))
    }

    /// As [`BytesQueue::put_to`], if there is room at this moment.
    pub fn try_put_to(&self, lane: usize, message: &[u8]) -> Result<()> {
        self.put_as(lane, message, codec::RAW, Some(Duration::ZERO)).map_err(timeout_is(ErrorKind::Full))
    }

    /// Puts a message of any [codec](crate::codec) into a lane; waits at most `time` while the queue is full ([`ErrorKind::Timeout`]), `None`: for ever. For those who encode by themselves.
    pub fn put_encoded<'m>(&self, lane: usize, message: impl Into<Packed<'m>>, time: Option<Duration>) -> Result<()> {
        let Packed { bytes, codec } = message.into();
        self.put_as(lane, bytes, codec, time)
    }

    /// As [`BytesQueue::put_many`], of messages of one codec, into a lane, waiting at most `time` while the queue is full: how many were put, and why no more.
    pub fn put_many_encoded(&self, lane: usize, messages: &[&[u8]], codec: u8, time: Option<Duration>) -> (usize, Result<()>) {
        self.put_batch(lane, messages, codec, Deadline::after(time), true)
    }

    /// As [`BytesQueue::put_loan_as`], into a lane, waiting at most `time` while the queue is full.
    pub fn put_loan_encoded(&self, lane: usize, loan: Loan, codec: u8, time: Option<Duration>) -> Result<(), Unsent> {
        self.put_chunk(lane, loan, codec, Deadline::after(time))
    }

    /// Puts all messages in order under one lock (or as few as may be); waits while the queue is full. How many: all, or fewer if it was closed or memory ran
    /// out on the way; an error only if none was put.
    pub fn put_many(&self, messages: &[&[u8]]) -> Result<usize> {
        let mut done = 0;
        for batch in messages.chunks(64) {
            match self.put_batch(0, batch, codec::RAW, Deadline::Never, true) {
                (put, Ok(())) => done += put,
                (put, Err(error)) => return if done + put == 0 { Err(error) } else { Ok(done + put) },
            }
        }
        Ok(done)
    }

    /// Puts a message and wakes nobody: for a burst of messages that ends with [`BytesQueue::wake`]. A sleeping getter finds it by itself within 50 ms; one that has waited long, within 250.
    pub fn put_quiet(&self, message: &[u8]) -> Result<()> {
        self.put_batch(0, &[message], codec::RAW, Deadline::Never, false).1
    }

    /// Wakes a sleeping getter, if there is something to get.
    pub fn wake(&self) {
        let w = self.words();
        if get::looks_ready(w) {
            std::sync::atomic::fence(Ordering::SeqCst);
            wait::wake(w.data(), 1);
        }
    }

    /// A chunk of `len` bytes to be filled in place and put without a copy.
    pub fn loan(&self, len: usize) -> Result<Loan> {
        let shm = self.0.handle.shm();
        let me = shm.me()?;
        let chunk = self.with_room(|| shm.alloc(len.max(1) as u64))?;
        Ok(Loan::new(self.fabric(), chunk.offset, len, me))
    }

    /// Puts a filled chunk; waits while the queue is full. If it fails, the chunk comes back.
    pub fn put_loan(&self, loan: Loan) -> Result<(), Unsent> {
        self.put_chunk(0, loan, codec::RAW, Deadline::Never)
    }

    /// As [`BytesQueue::put_loan`], of bytes in this [codec](crate::codec).
    pub fn put_loan_as(&self, loan: Loan, codec: u8) -> Result<(), Unsent> {
        self.put_chunk(0, loan, codec, Deadline::Never)
    }

    /// Puts encoded values and their blocks as one message; waits while the queue is full. Blocks that can, stay where they are: see [`Block`](crate::Block).
    ///
    /// # Errors
    ///
    /// As [`BytesQueue::put`]; the message is in [`Error::into_message`].
    pub fn put_packed(&self, packing: Packing, body: &[u8]) -> Result<()> {
        self.put_parcel(0, packing, body, None)
    }

    /// As [`BytesQueue::put_packed`], into a [lane](QueueBuilder::lanes).
    pub fn put_packed_to(&self, lane: usize, packing: Packing, body: &[u8]) -> Result<()> {
        self.put_parcel(lane, packing, body, None)
    }

    /// Gets the next message; waits for one. [`ErrorKind::Closed`] once the queue is closed and drained.
    #[inline]
    pub fn get(&self) -> Result<Message> {
        self.get_within(None)
    }

    /// Gets the next message; waits at most `time` for one.
    pub fn get_timeout(&self, time: Duration) -> Result<Message> {
        self.get_within(Some(time))
    }

    /// Gets the next message if there is one at this moment.
    pub fn try_get(&self) -> Result<Message> {
        let w = self.words();
        match self.take_one(w)? {
            Ok(message) => Ok(message),
            Err(error) => Err(timeout_is(ErrorKind::Empty)(error)),
        }
    }

    /// Gets up to `max` messages: waits for the first, then takes what is there.
    pub fn get_many(&self, max: usize) -> Result<Vec<Message>> {
        self.get_many_within(max, None)
    }

    /// Gets up to `max` messages: waits at most `time` for the first.
    pub fn get_many_timeout(&self, max: usize, time: Duration) -> Result<Vec<Message>> {
        self.get_many_within(max, Some(time))
    }

    /// Messages that can be got, those that came back from a lease included. Exact if nobody puts or gets meanwhile.
    pub fn len(&self) -> usize {
        let Some(w) = self.words_if_here() else { return 0 };
        timed::look_alone(w);
        get::in_rings(w).unwrap_or(0).saturating_add(w.returned() as usize)
    }

    /// Whether the queue holds nothing at this moment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the queue holds its item limit at this moment. Never true without a limit.
    pub fn is_full(&self) -> bool {
        self.capacity().is_some_and(|capacity| self.len() >= capacity)
    }

    /// The item limit; none: as many as the fabric holds.
    pub fn capacity(&self) -> Option<usize> {
        self.words_if_here().map(|w| w.capacity().load(Ordering::Relaxed) as usize).filter(|capacity| *capacity != 0)
    }

    /// Closes the queue for everybody: putters get [`ErrorKind::Closed`] from now on, getters once it is drained.
    pub fn close(&self) -> Result<()> {
        let w = self.words();
        let guard = put::lock(w)?;
        if w.birth().load(Ordering::Relaxed) != w.id.birth {
            return Err(gone(Kind::Queue));
        }
        w.closed().store(1, Ordering::Release);
        drop(guard);
        wait::wake(w.data(), u32::MAX);
        wait::wake(w.space(), u32::MAX);
        Ok(())
    }

    /// Whether the queue was closed.
    pub fn is_closed(&self) -> bool {
        self.words_if_here().is_none_or(Words::is_closed)
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.0.handle
    }

    pub(super) fn of(handle: Handle) -> BytesQueue {
        BytesQueue(Arc::new(Inner { handle, looks: AtomicU32::new(waiting::MOST_LOOKS), looks_for_room: AtomicU32::new(waiting::MOST_LOOKS) }))
    }

    #[inline(always)]
    pub(super) fn words(&self) -> Words<'_> {
        Words::of_handle(&self.0.handle)
    }

    /// The words, unless the queue was destroyed (they may be another queue's by now).
    pub(super) fn words_if_here(&self) -> Option<Words<'_>> {
        Some(self.words()).filter(|w| w.birth().load(Ordering::Acquire) == w.id.birth)
    }

    /// Puts one message of any size.
    #[inline(always)]
    pub(crate) fn put_as(&self, lane: usize, message: &[u8], codec: u8, time: Option<Duration>) -> Result<()> {
        if lane == 0 {
            let w = self.words();
            if quick::put(w, &[message], codec)? == 1 {
                wait::wake(w.data(), 1);
                return Ok(());
            }
        }
        self.put_slowly(lane, message, codec, time)
    }

    #[inline(never)]
    fn put_slowly(&self, lane: usize, message: &[u8], codec: u8, time: Option<Duration>) -> Result<()> {
        self.put_step(lane, &[message], codec, Deadline::after(time), true).map(|_| ())
    }

    /// Puts messages of any size, in order, waiting for room; how many, and why it ended if not with the last.
    pub(crate) fn put_batch(&self, lane: usize, messages: &[&[u8]], codec: u8, deadline: Deadline, wake: bool) -> (usize, Result<()>) {
        let w = self.words();
        let mut done = 0;
        while done < messages.len() {
            let rest = &messages[done..];
            let step = match if lane == 0 { quick::put(w, rest, codec) } else { Ok(0) } {
                Ok(0) => self.put_step(lane, rest, codec, deadline, wake),
                Ok(put) if wake => {
                    wait::wake(w.data(), put as u32);
                    Ok(put)
                }
                other => other,
            };
            match step {
                Ok(put) => done += put,
                Err(error) => return (done, Err(error)),
            }
        }
        (done, Ok(()))
    }

    /// Puts the first message, and as many after it as go with it; waits for room. How many.
    #[inline(never)]
    fn put_step(&self, lane: usize, messages: &[&[u8]], codec: u8, deadline: Deadline, wake: bool) -> Result<usize> {
        let short = messages.iter().take_while(|message| message.len() <= INLINE).count();
        if short == 0 {
            let loan = self.copy_to_chunk(messages[0])?;
            return self.put_chunk(lane, loan, codec, deadline).map(|()| 1).map_err(Error::from);
        }
        let payloads: Vec<Payload<'_>> = messages[..short].iter().map(|message| Payload::Inline(message)).collect();
        self.put_payloads(lane, &payloads, codec, deadline, wake)
    }

    /// Puts encoded values and their blocks, of which there are some.
    pub(crate) fn put_parcel(&self, lane: usize, packing: Packing, body: &[u8], time: Option<Duration>) -> Result<()> {
        if packing.is_empty() {
            return self.put_as(lane, body, codec::MESSAGEPACK, time);
        }
        let codec = codec::MESSAGEPACK | WITH_BLOCKS;
        let loan = packing.finish(self.fabric(), body, |len| self.loan(len))?;
        self.put_chunk(lane, loan, codec, Deadline::after(time)).map_err(|Unsent { error, loan }| error.with_message(loan.into_message(codec)))
    }

    fn copy_to_chunk(&self, message: &[u8]) -> Result<Loan> {
        let mut loan = self.loan(message.len())?;
        loan.copy_from_slice(message);
        Ok(loan)
    }

    pub(crate) fn put_chunk(&self, lane: usize, loan: Loan, codec: u8, deadline: Deadline) -> Result<(), Unsent> {
        if loan.fabric().id() != self.fabric().id() {
            let error = Error::new(ErrorKind::InvalidArgument, format!("the loan is of {:?}, the queue of {:?}", loan.fabric(), self.fabric()));
            return Err(Unsent { error, loan });
        }
        match self.put_payloads(lane, &[Payload::Chunk { offset: loan.offset(), len: loan.len() as u64 }], codec, deadline, true) {
            Ok(_) => {
                loan.forget();
                Ok(())
            }
            Err(error) => Err(Unsent { error, loan }),
        }
    }

    /// Puts at least one of the payloads; waits for room.
    fn put_payloads(&self, lane: usize, payloads: &[Payload<'_>], codec: u8, deadline: Deadline, wake: bool) -> Result<usize> {
        let w = self.words();
        let mut nap = Nap::new();
        loop {
            let done = self.with_room(|| put::put(w, lane, payloads, codec))?;
            if done > 0 {
                if wake {
                    wait::wake(w.data(), done as u32);
                }
                return Ok(done);
            }
            if !deadline.is_over() && self.spin_for_room(w) && !deadline.is_over() {
                continue;
            }
            let Some(time) = deadline.left(nap.next()) else {
                return Err(Error::new(ErrorKind::Timeout, format!("queue {} had no room within the time given", self.0.handle.label())));
            };
            let announced = wait::announce(w.space());
            if waiting::has_room(w) {
                continue;
            }
            wait::sleep(w.shm, w.space(), announced, time);
            self.sweep_now_and_then(&nap);
        }
    }

    /// Calls once more if memory ran out and the dead were holding some.
    fn with_room<T>(&self, call: impl Fn() -> Result<T>) -> Result<T> {
        match call() {
            Err(error) if error.kind() == ErrorKind::OutOfMemory && self.fabric().sweep()? > 0 => call(),
            other => other,
        }
    }

    /// One look under the lock: a message, or why there is none (`Timeout` for empty).
    #[inline(always)]
    fn take_one(&self, w: Words<'_>) -> Result<Result<Message>> {
        let closed = w.is_closed(); // before the look: what was put before the closing is found
        let mut message = Message::empty();
        match quick::get(w, &mut message)? {
            Look::Got((), more) => {
                waiting::after_get(w, more);
                return Ok(Ok(message));
            }
            Look::Nothing => return Ok(Err(self.nothing(closed && !timed::will_come_back(w)))),
            Look::Unusual => {}
        }
        let mut getter = Getter::enter(w)?;
        if let Some(message) = getter.take(self.fabric())? {
            let more = getter.more();
            drop(getter);
            waiting::after_get(w, more);
            return Ok(Ok(message));
        }
        if getter.is_roomy() {
            getter.shrink()?;
        }
        Ok(Err(self.nothing(closed && !timed::will_come_back(w))))
    }

    #[inline(always)]
    fn get_within(&self, time: Option<Duration>) -> Result<Message> {
        let w = self.words();
        // One answer, built where it is returned: a message is worth not being moved.
        let mut answer = Ok(Message::empty());
        if let Ok(message) = &mut answer {
            match quick::get(w, message) {
                Ok(Look::Got((), more)) => waiting::after_get(w, more),
                Ok(_) => answer = self.get_slowly(Deadline::after(time)),
                Err(error) => answer = Err(error),
            }
        }
        answer
    }

    fn get_many_within(&self, max: usize, time: Option<Duration>) -> Result<Vec<Message>> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let w = self.words();
        match quick::get_many(w, max)? {
            Look::Got(all, more) => {
                waiting::after_get(w, more);
                Ok(all)
            }
            _ => self.get_many_slowly(max, Deadline::after(time)),
        }
    }

    #[cold]
    pub(super) fn nothing(&self, closed: bool) -> Error {
        let label = self.0.handle.label();
        if closed {
            Error::new(ErrorKind::Closed, format!("queue {label} is closed and drained"))
        } else {
            Error::new(ErrorKind::Timeout, format!("queue {label} had nothing within the time given"))
        }
    }
}

pub(super) fn timeout_is(kind: ErrorKind) -> impl Fn(Error) -> Error {
    move |error| if error.kind() == ErrorKind::Timeout { Error::new(kind, error.to_string().replace(" within the time given", "")) } else { error }
}

shared_object!(BytesQueue, Kind::Queue, SIZE, "queue");
