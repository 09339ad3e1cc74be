//! The one error type of this crate: a kind with a number that every language shares, and a sentence.
//!
//! Knows no object and no system call; everything else may use it.

use std::fmt;

use crate::queue::Message;

/// What every fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. The numbers never change and are the same in every language; 0 is success and never an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum ErrorKind {
    /// The time given for the call passed first. Nothing was changed.
    Timeout = 1,
    /// `try_get` on a queue that holds nothing at the moment.
    Empty = 2,
    /// `try_put` on a queue that holds its item limit.
    Full = 3,
    /// The queue was closed (and, for a getter, drained); or the connection is at its end.
    Closed = 4,
    /// The fabric's cap, or the system's memory, does not allow the growth that the call needed. Nothing was lost.
    OutOfMemory = 5,
    /// One message or chunk is larger than the fabric could ever hold; or a received one is larger than the receiver allows.
    TooLarge = 6,
    /// Shared memory, or what came through a connection, holds something that this library does not write; or a message ended in the middle.
    Corrupt = 7,
    /// The segment was made by a version with another layout.
    ForeignVersion = 8,
    /// The segment was made by a program with another word size or byte order.
    ForeignAbi = 9,
    /// The file or descriptor is not a fabric at all.
    NotAFabric = 10,
    /// Nothing has this name.
    NotFound = 11,
    /// Something has this name already.
    AlreadyExists = 12,
    /// The name leads to an object of another kind.
    WrongType = 13,
    /// The name is empty, too long, or has a character that names may not have.
    BadName = 14,
    /// A directory or file belongs to somebody else, or is open to others.
    NotOwner = 15,
    /// The process table is full.
    TooManyMembers = 16,
    /// The object was destroyed; the handle or ticket is stale.
    Gone = 17,
    /// The ticket belongs to a fabric that this process has not attached.
    NotAttached = 18,
    /// A value cannot be encoded.
    Encode = 19,
    /// A message cannot be decoded as the type asked for. [`Error::into_message`] gives it back.
    Decode = 20,
    /// The fabric lives where this process cannot reach it (another pid namespace).
    Unreachable = 21,
    /// An argument makes no sense.
    InvalidArgument = 22,
    /// Release of a lock that nobody holds.
    NotHeld = 23,
    /// The operating system refused; [`Error::os_error`] has its number.
    Os = 24,
    /// A signal arrived in a wait that was to end by signals.
    Interrupted = 25,
    /// This system lacks something that the call needs.
    Unsupported = 26,
    /// A lock's last owner died holding it. Only where `?` turned [`LockError::OwnerDied`](crate::LockError::OwnerDied) into an error; the lock was released again, with the guard that came with it.
    OwnerDied = 27,
    /// The barrier is broken: a wait ran out of time, a party died, its action failed, or somebody aborted or reset it. [`Barrier::reset`](crate::Barrier::reset) heals it.
    BrokenBarrier = 28,
    /// The time of a lease ran out and its message went back; nothing was changed.
    LeaseLost = 29,
    /// The other side of a connection does not know the key, or does not speak the protocol by which it would show that.
    NotAuthenticated = 30,
}

impl ErrorKind {
    /// The number that every language shares.
    pub fn number(self) -> i32 {
        self as i32
    }
}

/// An error: its kind, one sentence that names the object and says what to do, and what came with it.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    sentence: String,
    os: Option<rustix::io::Errno>,
    message: Option<Message>,
}

impl Error {
    /// An error of `kind` with its sentence.
    #[cold]
    pub fn new(kind: ErrorKind, sentence: impl Into<String>) -> Error {
        Error(Box::new(Inner { kind, sentence: sentence.into(), os: None, message: None }))
    }

    /// An error of the operating system: `what` says which act failed.
    #[cold]
    pub fn os(errno: rustix::io::Errno, what: impl fmt::Display) -> Error {
        let kind = match errno {
            rustix::io::Errno::NOMEM | rustix::io::Errno::NOSPC => ErrorKind::OutOfMemory,
            rustix::io::Errno::INTR => ErrorKind::Interrupted,
            _ => ErrorKind::Os,
        };
        Error(Box::new(Inner { kind, sentence: format!("{what}: {errno}"), os: Some(errno), message: None }))
    }

    #[cold]
    pub(crate) fn corrupt(what: impl fmt::Display) -> Error {
        Error::new(ErrorKind::Corrupt, format!("shared memory is damaged: {what}"))
    }

    #[cold]
    pub(crate) fn with_message(mut self, message: Message) -> Error {
        self.0.message = Some(message);
        self
    }

    pub(crate) fn take_message(&mut self) -> Option<Message> {
        self.0.message.take()
    }

    /// Which kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operating system's error number, where there is one.
    pub fn os_error(&self) -> Option<i32> {
        self.0.os.map(rustix::io::Errno::raw_os_error)
    }

    /// The message that could not be decoded ([`ErrorKind::Decode`]), or did not fit ([`ErrorKind::TooLarge`]), so that nothing is lost.
    pub fn into_message(self) -> Option<Message> {
        self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.sentence)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0.sentence)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_fixed() {
        assert_eq!(ErrorKind::Timeout.number(), 1);
        assert_eq!(ErrorKind::Corrupt.number(), 7);
        assert_eq!(ErrorKind::Unsupported.number(), 26);
    }

    #[test]
    fn an_os_error_keeps_its_number() {
        let error = Error::os(rustix::io::Errno::NOSPC, "growing fabric 'a'");
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        assert_eq!(error.os_error(), Some(libc::ENOSPC));
        assert!(error.to_string().starts_with("growing fabric 'a': "));
    }
}
