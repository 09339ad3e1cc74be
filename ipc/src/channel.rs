//! Typed channels between Rust processes, on the `ipc-channel` crate: one receiver, any number of senders, and both ends travel inside messages. Knows no fabric.
//!
//! For messages that other languages read too, and for several receivers, use [`Queue`](crate::Queue) or [`pipe`](crate::pipe()).
//!
//! What that crate leaves open is closed here, at the border:
//!
//! | there | here |
//! | --- | --- |
//! | `accept` of a one-shot server waits for ever | [`Offer::accept_timeout`] only |
//! | more than 64 ends in a message: panic | 63 at most, else [`ErrorKind::InvalidArgument`], and nothing is sent |
//! | a message that is not what it should be, or descriptors lost on the way: panic | [`ErrorKind::Corrupt`] |
//! | a signal ends a call with an error | the call goes on (a send of some 200 KB or more, or of a receiver, answers [`ErrorKind::Interrupted`]; a handler with `SA_RESTART` never causes that) |
//! | a sender killed in the middle of a large message looks like the end of the channel | `Corrupt`, and the channel goes on |
//! | SIGPIPE where the program does not ignore it | never |
//! | a time-out under a millisecond is none, one over 24 days is for ever | as it says |
//! | an end that does not encode leaves the others before it to the next message | values are encoded first, by MessagePack, with bytes in one piece |
//!
//! What cannot be closed from outside, because the descriptors are private there: `send` waits while the receiver's buffer (about 200 KB) is full, and has no time-out; the rest of a large message
//! is awaited without a time-out, so that a *stopped* (not killed) sender holds up its receiver, whatever its time-out; a receiver cannot be given to [`wait`](crate::wait()); and a process killed while it offers leaves the directory of that offer among the temporary files.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender, OpaqueIpcSender};
use ipc_channel::{IpcError, TryRecvError};
use rustix::io::Errno;
use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec;
use crate::error::{Error, ErrorKind, Result};
use crate::shm::Deadline;
use crate::sys::socket::without_sigpipe;

/// The most ends in one message: one less than that crate takes, which adds one of its own to a large message.
const MOST_ENDS: usize = 63;
/// A message of up to so many bytes goes in one piece, on any system.
const ONE_PIECE: usize = 32 << 10;

/// A new channel.
///
/// ```
/// use polyproc_ipc::channel::{Sender, channel};
/// let (requests, server) = channel::<(String, Sender<u64>)>()?;
/// let (answer, answers) = channel::<u64>()?;
/// requests.send(("count me".into(), answer))?;
///
/// let (text, back) = server.recv()?; // in whatever process has the receiver
/// back.send(text.len() as u64)?;
/// assert_eq!(answers.recv()?, 8);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub fn channel<T: Serialize + DeserializeOwned>() -> Result<(Sender<T>, Receiver<T>)> {
    let (sender, receiver) = ipc::channel::<Envelope>().map_err(|error| os(&error, "making a channel"))?;
    Ok((Sender { inner: sender.to_opaque(), values: PhantomData }, Receiver::of(receiver)))
}

/// The sending end of a [`channel`]; clones send into the same one. A value that an enclosing message takes along to another process.
pub struct Sender<T> {
    inner: OpaqueIpcSender,
    values: PhantomData<fn(T)>,
}

impl<T: Serialize> Sender<T> {
    /// Sends a value, and the ends in it. Waits while the receiver's buffer is full. An error drops the value; nothing was sent then.
    ///
    /// **Errors**: [`ErrorKind::Encode`]; [`ErrorKind::InvalidArgument`] for more than 63 ends in it; [`ErrorKind::Closed`] if the receiver is gone, with its process or without.
    pub fn send(&self, value: T) -> Result<()> {
        let outer = LEAVING.replace(Some(Ends::default()));
        let encoded = codec::to_vec(&value);
        let ends = LEAVING.replace(outer).unwrap_or_default();
        let count = ends.senders.len() + ends.receivers.len();
        if count > MOST_ENDS {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("{count} ends of channels in one message; {MOST_ENDS} are the most")));
        }
        deliver(&self.inner, &Arc::new(encoded?), ends)
    }
}

fn deliver(to: &OpaqueIpcSender, bytes: &Arc<Vec<u8>>, ends: Ends) -> Result<()> {
    let again = ends.receivers.is_empty() && bytes.len() <= ONE_PIECE;
    let to = to.clone().to::<Envelope>();
    let mut first = Some(ends.receivers);
    loop {
        let envelope = Envelope { bytes: Bytes(Arc::clone(bytes)), senders: ends.senders.clone(), receivers: first.take().unwrap_or_default() };
        match catch_unwind(AssertUnwindSafe(|| without_sigpipe(|| to.send(envelope)))) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(IpcError::Io(error))) if again && error.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(Err(IpcError::Io(error))) => return Err(os(&error, "sending into a channel")),
            Ok(Err(IpcError::Disconnected)) => return Err(closed()),
            Ok(Err(IpcError::SerializationError(error))) => return Err(Error::new(ErrorKind::Encode, format!("a message cannot be encoded: {error}"))),
            Err(_) => return Err(Error::new(ErrorKind::Unsupported, "the ipc-channel crate panicked while it sent a message")),
        }
    }
}

/// The receiving end of a [`channel`]. A value that an enclosing message takes along to another process; it is gone here then.
pub struct Receiver<T> {
    inner: RefCell<Option<IpcReceiver<Envelope>>>,
    /// Received, and not handed out yet.
    kept: RefCell<VecDeque<Envelope>>,
    values: PhantomData<fn() -> T>,
}

impl<T> Receiver<T> {
    fn of(inner: IpcReceiver<Envelope>) -> Receiver<T> {
        Receiver { inner: RefCell::new(Some(inner)), kept: RefCell::default(), values: PhantomData }
    }
}

impl<T: DeserializeOwned> Receiver<T> {
    /// The next value; waits for one. [`ErrorKind::Closed`] once no process has a sender any more and everything was received.
    ///
    /// [`ErrorKind::Corrupt`] if a sender died in the middle of a large message: that one is lost, and the channel goes on. [`ErrorKind::Decode`] if the message is not a `T`: it is lost.
    pub fn recv(&self) -> Result<T> {
        self.recv_until(Deadline::Never)
    }

    /// The next value, if it comes within `time`; else [`ErrorKind::Timeout`].
    pub fn recv_timeout(&self, time: Duration) -> Result<T> {
        self.recv_until(Deadline::after(Some(time)))
    }

    /// The next value, if it is there; else [`ErrorKind::Empty`].
    pub fn try_recv(&self) -> Result<T> {
        self.recv_timeout(Duration::ZERO).map_err(|error| match error.kind() {
            ErrorKind::Timeout => Error::new(ErrorKind::Empty, "the channel is empty"),
            _ => error,
        })
    }

    fn recv_until(&self, deadline: Deadline) -> Result<T> {
        let envelope = self.next(deadline)?;
        let arriving = Arriving { senders: envelope.senders.into_iter().map(Some).collect(), receivers: envelope.receivers.into_iter().map(Some).collect() };
        let outer = ARRIVING.replace(arriving);
        let value = codec::decode(&envelope.bytes.0);
        drop(ARRIVING.replace(outer));
        value
    }

    fn next(&self, deadline: Deadline) -> Result<Envelope> {
        if let Some(envelope) = self.kept.borrow_mut().pop_front() {
            return Ok(envelope);
        }
        let inner = self.inner.borrow();
        let inner = inner.as_ref().ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "this receiver was sent to another process"))?;
        loop {
            let left = deadline.left(Duration::from_secs(3600));
            match take(inner, deadline, left.unwrap_or_default())? {
                Taken::Message(envelope) => return Ok(*envelope),
                Taken::Nothing if left.is_none() => return Err(Error::new(ErrorKind::Timeout, "the time given for receiving from a channel passed")),
                Taken::Nothing => {}
                Taken::End => return self.judge(inner),
            }
        }
    }

    /// The end was reported: of the channel, which is reported again then, or of one sender in the middle of a message.
    fn judge(&self, inner: &IpcReceiver<Envelope>) -> Result<Envelope> {
        match take(inner, Deadline::after(Some(Duration::ZERO)), Duration::ZERO)? {
            Taken::End => return Err(closed()),
            Taken::Message(envelope) => self.kept.borrow_mut().push_back(*envelope),
            Taken::Nothing => {}
        }
        Err(Error::new(ErrorKind::Corrupt, "a sender of this channel ended in the middle of a message, which is lost; receive the next one"))
    }
}

enum Taken {
    Message(Box<Envelope>),
    Nothing,
    End,
}

/// One look into the channel; with a deadline, at most `time` long (and then in whole milliseconds, rounded up).
fn take(inner: &IpcReceiver<Envelope>, deadline: Deadline, time: Duration) -> Result<Taken> {
    let look = || match deadline {
        Deadline::Never => inner.recv().map_err(TryRecvError::IpcError),
        Deadline::At(_) => inner.try_recv_timeout(Duration::from_millis(time.as_micros().div_ceil(1000) as u64)),
    };
    match catch_unwind(AssertUnwindSafe(look)) {
        Ok(Ok(envelope)) => Ok(Taken::Message(Box::new(envelope))),
        Ok(Err(TryRecvError::Empty)) => Ok(Taken::Nothing),
        Ok(Err(TryRecvError::IpcError(IpcError::Disconnected))) => Ok(Taken::End),
        Ok(Err(TryRecvError::IpcError(IpcError::Io(error)))) => match Errno::from_io_error(&error) {
            Some(Errno::INTR) => Ok(Taken::Nothing),
            Some(Errno::CONNRESET) => Ok(Taken::End),
            _ => Err(os(&error, "receiving from a channel")),
        },
        Ok(Err(TryRecvError::IpcError(IpcError::SerializationError(error)))) => {
            Err(Error::new(ErrorKind::Corrupt, format!("a channel had a message that is none: {error}")))
        }
        Err(_) => Err(Error::new(ErrorKind::Corrupt, "a channel had a message that is none, or lost descriptors of one (are too many files open?)")),
    }
}

/// Ends of channels for a child or any other process of this user to [`claim`], once, by a name that fits an environment variable or a command line.
///
/// **If the process dies** that is to claim them, before it does: [`ErrorKind::Timeout`], and the offer stands; after it connected: [`ErrorKind::Closed`]. The ends are still here then.
///
/// ```
/// use polyproc_ipc::channel::{Offer, channel, claim, Sender};
/// use std::time::Duration;
/// let (sender, receiver) = channel::<String>()?;
/// let mut offer = Offer::new(sender)?;
/// let name = offer.name().to_owned(); // for the child
///
/// let child = std::thread::spawn(move || claim::<Sender<String>>(&name, Duration::from_secs(60))?.send("hello".into()));
/// offer.accept_timeout(Duration::from_secs(60))?;
/// assert_eq!(receiver.recv()?, "hello");
/// child.join().unwrap()?;
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub struct Offer<E> {
    name: String,
    ends: Option<E>,
    server: Option<IpcOneShotServer<Claim>>,
    /// From the thread that waits in the server, while there is one.
    claims: Option<mpsc::Receiver<Result<Claim>>>,
}

/// What who connects to an offer says.
#[derive(Serialize, Deserialize)]
enum Claim {
    /// Send them here.
    Here(OpaqueIpcSender),
    /// From the offer itself, to end the thread that waits.
    GiveUp,
}

impl<E: Serialize + DeserializeOwned> Offer<E> {
    /// Offers `ends`: a sender, a receiver, or whatever value has some in it.
    pub fn new(ends: E) -> Result<Offer<E>> {
        let server =
            catch_unwind(IpcOneShotServer::new).map_err(|_| Error::new(ErrorKind::Unsupported, "the directory for temporary files has no name of text"))?;
        let (server, name) = server.map_err(|error| os(&error, "offering ends of channels"))?;
        Ok(Offer { name, ends: Some(ends), server: Some(server), claims: None })
    }

    /// What [`claim`] needs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives the ends to who claims them, if somebody does within `time`. After [`ErrorKind::Timeout`] it may be called again.
    pub fn accept_timeout(&mut self, time: Duration) -> Result<()> {
        let spoilt = || Error::new(ErrorKind::Closed, "this offer is over: its ends were claimed, or who claimed them died; make another");
        if let Some(server) = self.server.take() {
            let (tell, claims) = mpsc::channel();
            let wait = move || {
                let accepted = catch_unwind(AssertUnwindSafe(|| server.accept()));
                let _ = tell.send(match accepted {
                    Ok(Ok((_, claim))) => Ok(claim),
                    Ok(Err(_)) => Err(Error::new(ErrorKind::Closed, "who connected to this offer ended before claiming it")),
                    Err(_) => Err(Error::new(ErrorKind::Corrupt, "who connected to this offer sent something else than a claim")),
                });
            };
            thread::Builder::new().name("polyproc-offer".into()).spawn(wait).map_err(|error| os(&error, "starting a thread that waits for a claim"))?;
            self.claims = Some(claims);
        }
        let claim = match self.claims.as_ref().ok_or_else(spoilt)?.recv_timeout(time) {
            Ok(claim) => claim,
            Err(mpsc::RecvTimeoutError::Timeout) => return Err(Error::new(ErrorKind::Timeout, "nobody claimed this offer in the time given")),
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(spoilt()),
        };
        self.claims = None;
        let Claim::Here(inner) = claim? else { return Err(spoilt()) };
        let ends = self.ends.take().ok_or_else(spoilt)?;
        Sender { inner, values: PhantomData }.send(ends)
    }

    /// The ends, if nobody has claimed them.
    pub fn into_ends(mut self) -> Option<E> {
        self.ends.take()
    }
}

impl<E> Drop for Offer<E> {
    fn drop(&mut self) {
        // The thread waits in `accept`, which has no other way to end. Another one tells it, because others who connected may be before us, and that takes as long as they do.
        if let Some(claims) = self.claims.take() {
            let name = std::mem::take(&mut self.name);
            let tell = move || {
                if let Ok(door) = IpcSender::<Claim>::connect(name) {
                    let _ = without_sigpipe(|| door.send(Claim::GiveUp));
                }
            };
            let _ = thread::Builder::new().name("polyproc-offer-end".into()).spawn(tell);
            // Once it has ended, the socket's file is gone. Only a claimer who hangs keeps it.
            let _ = claims.recv_timeout(Duration::from_secs(1));
        }
    }
}

/// Takes the ends that another process [offers](Offer) under this name; waits for it at most `time`.
///
/// [`ErrorKind::NotFound`] if there is no such offer (any more), [`ErrorKind::Closed`] if it ends before it is given.
pub fn claim<E: Serialize + DeserializeOwned>(name: &str, time: Duration) -> Result<E> {
    let deadline = Deadline::after(Some(time));
    // Longer names would be cut there, and zeros would panic.
    if name.len() > 107 || name.contains('\0') {
        return Err(Error::new(ErrorKind::BadName, "this is not the name of an offer"));
    }
    let door = IpcSender::<Claim>::connect(name.to_owned()).map_err(|_| Error::new(ErrorKind::NotFound, format!("there is no offer at {name}")))?;
    let (sender, receiver) = ipc::channel::<Envelope>().map_err(|error| os(&error, "making a channel"))?;
    match without_sigpipe(|| door.send(Claim::Here(sender.to_opaque()))) {
        Ok(()) => Receiver::<E>::of(receiver).recv_until(deadline),
        Err(_) => Err(closed()),
    }
}

/// What travels: a value's encoding, and the ends that it names by number.
#[derive(Serialize, Deserialize)]
struct Envelope {
    bytes: Bytes,
    senders: Vec<OpaqueIpcSender>,
    receivers: Vec<IpcReceiver<Envelope>>,
}

/// The ends in a value that is being encoded.
#[derive(Default)]
struct Ends {
    senders: Vec<OpaqueIpcSender>,
    receivers: Vec<IpcReceiver<Envelope>>,
}

/// The ends in a value that is being decoded, each to be taken once.
#[derive(Default)]
struct Arriving {
    senders: Vec<Option<OpaqueIpcSender>>,
    receivers: Vec<Option<IpcReceiver<Envelope>>>,
}

thread_local! {
    static LEAVING: RefCell<Option<Ends>> = const { RefCell::new(None) };
    static ARRIVING: RefCell<Arriving> = const { RefCell::new(Arriving { senders: Vec::new(), receivers: Vec::new() }) };
}

const ELSEWHERE: &str = "an end of a channel travels in messages of channels and in offers only";

/// Puts an end into the message that this thread encodes; its number there.
fn leave<S: Serializer>(serializer: S, put: impl FnOnce(&mut Ends) -> std::result::Result<usize, &'static str>) -> std::result::Result<S::Ok, S::Error> {
    let number = LEAVING.with_borrow_mut(|leaving| put(leaving.as_mut().ok_or(ELSEWHERE)?));
    serializer.serialize_u64(number.map_err(S::Error::custom)? as u64 - 1)
}

/// Takes an end out of the message that this thread decodes, by its number there.
fn arrive<'de, D: Deserializer<'de>, E>(deserializer: D, ends: impl FnOnce(&mut Arriving) -> &mut Vec<Option<E>>) -> std::result::Result<E, D::Error> {
    let number = u64::deserialize(deserializer)?;
    let end = ARRIVING.with_borrow_mut(|arriving| ends(arriving).get_mut(usize::try_from(number).ok()?).and_then(Option::take));
    end.ok_or_else(|| D::Error::custom(ELSEWHERE))
}

impl<T> Serialize for Sender<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        leave(serializer, |ends| {
            ends.senders.push(self.inner.clone());
            Ok(ends.senders.len())
        })
    }
}

impl<'de, T> Deserialize<'de> for Sender<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Sender<T>, D::Error> {
        arrive(deserializer, |arriving| &mut arriving.senders).map(|inner| Sender { inner, values: PhantomData })
    }
}

impl<T> Serialize for Receiver<T> {
    /// Takes the receiver out of this process, also if the message is not sent in the end.
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        leave(serializer, |ends| {
            if !self.kept.borrow().is_empty() {
                return Err("this receiver has a message that was received already: receive it first");
            }
            ends.receivers.push(self.inner.take().ok_or("this receiver was sent to another process")?);
            Ok(ends.receivers.len())
        })
    }
}

impl<'de, T> Deserialize<'de> for Receiver<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Receiver<T>, D::Error> {
        arrive(deserializer, |arriving| &mut arriving.receivers).map(Receiver::of)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender { inner: self.inner.clone(), values: PhantomData }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sender of {}", std::any::type_name::<T>())
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receiver of {}", std::any::type_name::<T>())
    }
}

impl<E> fmt::Debug for Offer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offer at {}", self.name)
    }
}

/// Bytes in one piece: a plain vector would be encoded number by number.
struct Bytes(Arc<Vec<u8>>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Bytes, D::Error> {
        struct Raw;
        impl Visitor<'_> for Raw {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> std::result::Result<Bytes, E> {
                Ok(Bytes(Arc::new(bytes.to_vec())))
            }
        }
        deserializer.deserialize_bytes(Raw)
    }
}

fn os(error: &std::io::Error, what: &str) -> Error {
    match Errno::from_io_error(error) {
        Some(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => closed(),
        Some(errno) => Error::os(errno, what),
        None => Error::new(ErrorKind::Os, format!("{what}: {error}")),
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "nobody has the other end of this channel any more")
}
