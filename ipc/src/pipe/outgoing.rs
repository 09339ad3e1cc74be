//! The writing direction of a connection: a message goes out whole, or not at all, or the direction ends. Knows frames; whose turn it is, is not its concern.
//!
//! | when the time is over | what is left |
//! | --- | --- |
//! | before the first byte | [`ErrorKind::Timeout`]: nothing was sent |
//! | after it | the direction is *cut*: the other side reads the end in the middle of a message, which it can tell from a whole one; here every send answers [`ErrorKind::Closed`] |
//!
//! With a time-out, no message is begun before the system says that there is room. Room is then at least a page of a pipe and some ten thousand bytes of a socket, so
//! that a small message is never cut.

use std::io::IoSlice;
use std::os::fd::BorrowedFd;

use rustix::event::PollFlags;
use rustix::io::Errno;

use super::frame::{Header, LONGEST};
use super::stream::{Stream, is_end, timed_out};
use crate::error::{Error, ErrorKind, Result};
use crate::shm::Deadline;
use crate::sys::interrupt;
use crate::sys::socket::{self, MOST_DESCRIPTORS, Medium};

#[derive(Default)]
pub(super) struct Outgoing {
    cut: bool,
}

impl Outgoing {
    /// Sends one message.
    pub(super) fn send(&mut self, stream: &Stream, payload: &[u8], codec: u8, descriptors: &[BorrowedFd<'_>], deadline: Deadline) -> Result<()> {
        if self.cut {
            return Err(Error::new(ErrorKind::Closed, "nothing more can be sent here: an earlier message was cut in the middle"));
        }
        if descriptors.len() > MOST_DESCRIPTORS {
            let sentence = format!("{} descriptors with one message; {MOST_DESCRIPTORS} are the most", descriptors.len());
            return Err(Error::new(ErrorKind::InvalidArgument, sentence));
        }
        if !descriptors.is_empty() && !stream.carries_descriptors() {
            return Err(Error::new(ErrorKind::Unsupported, "only a connection over a Unix socket, with the native frame, carries descriptors"));
        }
        let mut head = [0; LONGEST];
        let len = stream.framing.encode(Header { length: payload.len() as u64, codec, descriptors: descriptors.len() as u8 }, &mut head)?;
        let head = &head[..len];
        if matches!(deadline, Deadline::At(_)) && !stream.wait(PollFlags::OUT, deadline)? {
            return Err(timed_out("sending"));
        }
        let whole = len + payload.len();
        let mut sent = 0;
        let mut firm = None; // from its first byte on, no signal ends it
        while sent < whole {
            sent += self.step(stream, head, payload, descriptors, sent, deadline)?;
            if sent > 0 && firm.is_none() {
                firm = Some(interrupt::firm());
            }
        }
        Ok(())
    }

    /// Writes some bytes from the `sent`th on; how many, 0 after a wait for room.
    fn step(&mut self, stream: &Stream, head: &[u8], payload: &[u8], descriptors: &[BorrowedFd<'_>], sent: usize, deadline: Deadline) -> Result<usize> {
        stream.check_open()?;
        let written = match head.get(sent..) {
            Some(head) => {
                let descriptors = if sent == 0 { descriptors } else { &[] };
                socket::write(stream.fd(), stream.medium, &[IoSlice::new(head), IoSlice::new(payload)], descriptors)
            }
            None => socket::write(stream.fd(), stream.medium, &[IoSlice::new(&payload[sent - head.len()..])], &[]),
        };
        match written {
            Ok(count) => Ok(count),
            Err(Errno::AGAIN) => match stream.wait(PollFlags::OUT, deadline) {
                Ok(true) => Ok(0),
                Ok(false) if sent == 0 => Err(timed_out("sending")),
                Ok(false) => {
                    self.end(stream);
                    let whole = head.len() + payload.len();
                    Err(Error::new(
                        ErrorKind::Closed,
                        format!("the time for sending passed when {sent} of {whole} bytes were out: nothing more can be sent here"),
                    ))
                }
                Err(error) => {
                    self.cut |= sent > 0;
                    Err(error)
                }
            },
            Err(errno) if is_end(errno) => {
                stream.check_open()?;
                self.cut |= sent > 0;
                Err(Error::new(ErrorKind::Closed, "nobody receives at the other side of this connection any more"))
            }
            Err(errno) => {
                if sent > 0 {
                    self.end(stream);
                }
                Err(Error::os(errno, "sending a message"))
            }
        }
    }

    /// The other side is to read the end, now that the message cannot be finished.
    fn end(&mut self, stream: &Stream) {
        self.cut = true;
        match stream.medium {
            Medium::Unix | Medium::Tcp => socket::end_writing(stream.fd()),
            Medium::Pipe => {
                let _ = stream.close();
            }
        }
    }
}
