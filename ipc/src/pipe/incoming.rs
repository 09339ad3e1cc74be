//! The reading direction of a connection: a message comes in piece by piece, and what has come is kept over time-outs. Knows frames; whose turn it is, is not its concern.
//!
//! | state | fields | what a call that ends here leaves |
//! | --- | --- | --- |
//! | between messages | `got` = 0 | nothing |
//! | in a header | `got` > 0, no `header` | the bytes so far; the next call goes on |
//! | header known | `header` | the message, still in the stream: too long for the caller, or not all there yet; the next call goes on |
//! | broken | `broken` | nothing more can be read: a torn message, or what no sender writes |
//!
//! The stream's end between messages is [`ErrorKind::Closed`]; anywhere else it tears a message, which is [`ErrorKind::Corrupt`] once, so that a short message is never
//! taken for a whole one and a torn one never for a proper end.

use std::os::fd::OwnedFd;

use rustix::event::PollFlags;
use rustix::io::Errno;

use super::frame::{Decoded, Header, LONGEST};
use super::stream::{Stream, is_end, timed_out};
use crate::error::{Error, ErrorKind, Result};
use crate::queue::Message;
use crate::shm::Deadline;
use crate::sys::socket;

/// How much memory is taken before any of a message's bytes have come.
const FIRST: usize = 1 << 20;

#[derive(Default)]
pub(super) struct Incoming {
    head: [u8; LONGEST],
    got: usize,
    header: Option<Header>,
    body: Vec<u8>,
    descriptors: Vec<OwnedFd>,
    /// The system had no numbers left for descriptors that came.
    lost: bool,
    broken: bool,
}

/// A whole message.
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    pub(super) codec: u8,
    pub(super) descriptors: Vec<OwnedFd>,
}

impl Incoming {
    /// Whether nothing of a message has been read that is not handed out.
    pub(super) fn is_idle(&self) -> bool {
        self.got == 0 && !self.broken
    }

    /// The next message, if it has no more than `most` bytes; else [`ErrorKind::TooLarge`], and it can still be received.
    pub(super) fn receive(&mut self, stream: &Stream, most: u64, deadline: Deadline) -> Result<Frame> {
        let header = self.header(stream, deadline)?;
        if header.length > most {
            let length = header.length;
            return Err(Error::new(ErrorKind::TooLarge, format!("the next message has {length} bytes, and {most} were allowed; it can still be received")));
        }
        self.body(stream, header, deadline)
    }

    /// The next message into `buffer`; its length. One that does not fit comes with the error.
    pub(super) fn receive_into(&mut self, stream: &Stream, most: u64, deadline: Deadline, buffer: &mut [u8]) -> Result<usize> {
        let header = self.header(stream, deadline)?;
        let length = header.length;
        if length <= buffer.len() as u64 && self.body.is_empty() && !self.lost {
            let buffer = &mut buffer[..length as usize];
            self.fill(stream, buffer, deadline)?;
            self.reset();
            return Ok(length as usize);
        }
        let frame = self.receive(stream, most.max(buffer.len() as u64), deadline)?;
        if let Some(buffer) = buffer.get_mut(..frame.bytes.len()) {
            buffer.copy_from_slice(&frame.bytes);
            return Ok(frame.bytes.len());
        }
        let sentence = format!("a message of {length} bytes does not fit into a buffer of {}; it comes with this error", buffer.len());
        Err(Error::new(ErrorKind::TooLarge, sentence).with_message(Message::own(frame.bytes, frame.codec)))
    }

    /// The header of the next message, once it is whole and what it says can be.
    fn header(&mut self, stream: &Stream, deadline: Deadline) -> Result<Header> {
        if self.broken {
            return Err(Error::new(ErrorKind::Closed, "nothing more can be received here: an earlier message was torn or forged"));
        }
        if let Some(header) = self.header {
            return Ok(header);
        }
        loop {
            match stream.framing.decode(&self.head[..self.got]) {
                Ok(Decoded::Needs(len)) => self.read_head(stream, len, deadline)?,
                Ok(Decoded::Whole(header)) => {
                    if usize::from(header.descriptors) != self.descriptors.len() && !self.lost {
                        let (said, came) = (header.descriptors, self.descriptors.len());
                        let sentence = format!("the other side sent no frame of a message: it says {said} descriptors, and {came} came; close this connection");
                        return Err(self.break_off(Error::new(ErrorKind::Corrupt, sentence)));
                    }
                    self.header = Some(header);
                    return Ok(header);
                }
                Err(error) => return Err(self.break_off(error)),
            }
        }
    }

    fn read_head(&mut self, stream: &Stream, len: usize, deadline: Deadline) -> Result<()> {
        loop {
            let room = &mut self.head[self.got..len];
            let read = if stream.carries_descriptors() {
                socket::read_with(stream.fd(), room, &mut self.descriptors).map(|(count, lost)| {
                    self.lost |= lost;
                    count
                })
            } else {
                socket::read(stream.fd(), stream.medium, room)
            };
            match self.step(stream, read, deadline)? {
                0 => {}
                count => {
                    self.got += count;
                    return Ok(());
                }
            }
        }
    }

    /// What one read means: bytes, or 0 after a wait for them.
    fn step(&mut self, stream: &Stream, read: Result<usize, Errno>, deadline: Deadline) -> Result<usize> {
        // After a close the number leads elsewhere.
        stream.check_open()?;
        match read {
            Ok(0) => Err(self.ended()),
            Err(errno) if is_end(errno) => Err(self.ended()),
            Ok(count) => Ok(count),
            Err(Errno::AGAIN) if stream.wait(PollFlags::IN, deadline)? => Ok(0),
            Err(Errno::AGAIN) => Err(timed_out("receiving")),
            Err(errno) => Err(Error::os(errno, "receiving a message")),
        }
    }

    fn ended(&mut self) -> Error {
        if self.got == 0 {
            return Error::new(ErrorKind::Closed, "the other side of this connection is closed");
        }
        let sentence = match self.header {
            Some(header) => format!("the other side ended in the middle of a message of {} bytes", header.length),
            None => "the other side ended in the middle of a message's header".to_owned(),
        };
        self.break_off(Error::new(ErrorKind::Corrupt, sentence))
    }

    fn break_off(&mut self, error: Error) -> Error {
        *self = Incoming { broken: true, ..Incoming::default() };
        error
    }

    fn reset(&mut self) {
        *self = Incoming::default();
    }

    fn body(&mut self, stream: &Stream, header: Header, deadline: Deadline) -> Result<Frame> {
        let length = header.length as usize;
        while self.body.len() < length {
            let left = length - self.body.len();
            if self.body.len() == self.body.capacity() {
                self.grow(left.min(self.body.len().max(FIRST)))?;
            }
            let read = socket::read_onto(stream.fd(), stream.medium, &mut self.body, left);
            self.step(stream, read, deadline)?;
        }
        let frame = Frame { bytes: std::mem::take(&mut self.body), codec: header.codec, descriptors: std::mem::take(&mut self.descriptors) };
        let lost = self.lost;
        self.reset();
        if lost {
            let error = Error::os(Errno::MFILE, "descriptors that came with a message are lost (the message itself comes with this error)");
            return Err(error.with_message(Message::own(frame.bytes, frame.codec)));
        }
        Ok(frame)
    }

    fn grow(&mut self, more: usize) -> Result<()> {
        let have = self.body.len();
        self.body.try_reserve_exact(more).map_err(|_| {
            Error::new(ErrorKind::OutOfMemory, format!("no memory for {more} bytes more of a message of which {have} have come; it can still be received"))
        })
    }

    /// Fills all of `buffer` from the stream; what came of a message that did not come whole is kept.
    fn fill(&mut self, stream: &Stream, buffer: &mut [u8], deadline: Deadline) -> Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            let read = socket::read(stream.fd(), stream.medium, &mut buffer[filled..]);
            match self.step(stream, read, deadline) {
                Ok(count) => filled += count,
                Err(error) => {
                    if !self.broken {
                        self.grow(filled)?;
                        self.body.extend_from_slice(&buffer[..filled]);
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
