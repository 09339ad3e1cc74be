//! The lock that a user's object stands on: one of its own, or a `Lock` or `RLock` that the user gave. Knows lock words and births; not whose object it is.
//!
//! Three words in the object say which: `+0` kind (0: its own; else [`Kind`] of a lock), `+8` offset and `+16` birth of that lock's object. They are set when the object is made and never change
//! in its life. A lock that was destroyed, or whose chunk is another lock's, answers `Gone`. Both kinds of lock have their words at [`HEADER`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::recursive::Recursive;
use super::word::{self, Acquired};
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::handle::gone;
use crate::fabric::{Fabric, Ticket};
use crate::objects::{HEADER, Header, Kind, ObjectId};
use crate::shm::{Deadline, Owner, Shm, Span};
use crate::sys;

/// Bytes of the words that say which lock.
pub(crate) const WORDS: usize = 24;
/// Bytes that a lock's object has at least.
const LOCK: usize = HEADER + 64;
/// How long somebody waits before it looks whether the lock still is the one meant.
const SLICE: Duration = Duration::from_secs(1);

/// Which lock a new object is to stand on.
#[derive(Clone, Copy)]
pub(crate) enum Choice {
    Own,
    Given(Kind, ObjectId),
}

impl Choice {
    /// The lock that a ticket leads to, checked to be one of `fabric`'s.
    pub(crate) fn given(fabric: &Fabric, ticket: &Ticket) -> Result<Choice> {
        if ticket.fabric() != fabric.id() {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("the ticket leads to a lock of another fabric than {}", fabric.shm().label)));
        }
        let kind = ticket.kind().filter(|kind| matches!(kind, Kind::Lock | Kind::RLock));
        let kind = kind.ok_or_else(|| Error::new(ErrorKind::WrongType, "the ticket leads to no lock; give the ticket of a Lock or an RLock"))?;
        given(fabric.shm(), kind, ticket.id())?;
        Ok(Choice::Given(kind, ticket.id()))
    }

    /// Stores it at `at` of an object that is being made.
    pub(crate) fn store(self, object: Span<'_>, at: usize) -> Result<()> {
        let words = match self {
            Choice::Own => [0; 3],
            Choice::Given(kind, id) => [kind as u64, id.offset, id.birth],
        };
        words.into_iter().enumerate().try_for_each(|(i, word)| {
            object.u64(at + i * 8)?.store(word, Ordering::Relaxed);
            Ok(())
        })
    }
}

/// The lock, found.
#[derive(Clone, Copy)]
pub(crate) struct UserLock<'a> {
    shm: &'a Shm,
    words: Words<'a>,
    /// Of the lock's object, and what it must say.
    birth: (&'a AtomicU64, u64),
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Words<'a> {
    /// Whoever in the process.
    Plain(&'a AtomicU64),
    /// A thread, as often as it likes.
    Recursive(Recursive<'a>),
}

impl<'a> UserLock<'a> {
    /// The lock that the three words say; `own` if it is the object's own, of which `kind` and `birth` are.
    #[inline(always)]
    pub(crate) fn find(shm: &'a Shm, which: [&'a AtomicU64; 3], own: Recursive<'a>, birth: (&'a AtomicU64, u64), kind: Kind) -> Result<UserLock<'a>> {
        let number = which[0].load(Ordering::Acquire);
        let lock = if number == 0 { UserLock { shm, words: Words::Recursive(own), birth, kind } } else { Self::find_given(shm, number, which, birth, kind)? };
        lock.check()?;
        Ok(lock)
    }

    #[inline(never)]
    fn find_given(shm: &'a Shm, number: u64, which: [&'a AtomicU64; 3], birth: (&'a AtomicU64, u64), kind: Kind) -> Result<UserLock<'a>> {
        let id = ObjectId { offset: which[1].load(Ordering::Acquire), birth: which[2].load(Ordering::Acquire) };
        // The words are this object's if it still is.
        if birth.0.load(Ordering::Acquire) != birth.1 {
            return Err(gone(kind));
        }
        let kind = Kind::from_number(number).ok_or_else(|| Error::corrupt(format_args!("a lock of unknown kind {number}")))?;
        given(shm, kind, id)
    }

    /// Takes the lock (once more, if this thread has a recursive one); none if time is up first.
    #[inline(always)]
    pub(crate) fn acquire(self, me: Owner, time: Option<Duration>) -> Result<Option<Acquired>> {
        let taken = match self.words {
            Words::Plain(word) => word::try_acquire(word, me),
            Words::Recursive(words) => words.try_acquire(me),
        };
        if !taken {
            return self.acquire_at(me, 1, Deadline::after(time));
        }
        // Another lock may live in the chunk by now.
        if let Err(error) = self.check() {
            self.release_all(me);
            return Err(error);
        }
        Ok(Some(Acquired::Clean))
    }

    /// Takes it again as deep as it was, however long that takes.
    pub(crate) fn acquire_again(self, me: Owner, depth: u64) -> Result<Acquired> {
        let _firm = sys::interrupt::firm();
        loop {
            if let Some(acquired) = self.acquire_at(me, depth, Deadline::Never)? {
                return Ok(acquired);
            }
        }
    }

    /// Gives it back once. False: it is not `me` (and this thread, of a recursive one) who has it.
    #[inline(always)]
    pub(crate) fn release(self, me: Owner) -> bool {
        self.check().is_ok()
            && match self.words {
                Words::Plain(word) => word::release_own(word, me),
                Words::Recursive(words) => words.release(me),
            }
    }

    /// Gives it back altogether; how deep it was.
    pub(crate) fn release_all(self, me: Owner) -> u64 {
        match self.words {
            Words::Plain(word) => u64::from(word::release_own(word, me)),
            Words::Recursive(words) => words.release_all(me),
        }
    }

    /// Whether `me` has it: this thread of it, if the lock is recursive.
    #[inline(always)]
    pub(crate) fn is_mine(self, me: Owner) -> bool {
        match self.words {
            Words::Plain(word) => word::owner(word.load(Ordering::Relaxed)) == me,
            Words::Recursive(words) => words.is_mine(me),
        }
    }

    /// Whose word it is at the moment.
    pub(crate) fn owner(self) -> Owner {
        word::owner(self.word().load(Ordering::Relaxed))
    }

    fn word(self) -> &'a AtomicU64 {
        match self.words {
            Words::Plain(word) => word,
            Words::Recursive(words) => words.word,
        }
    }

    #[inline(always)]
    fn check(self) -> Result<()> {
        if self.birth.0.load(Ordering::Acquire) == self.birth.1 { Ok(()) } else { Err(gone(self.kind)) }
    }

    #[cold]
    #[inline(never)]
    fn acquire_at(self, me: Owner, depth: u64, deadline: Deadline) -> Result<Option<Acquired>> {
        loop {
            let free = word::is_free(self.word().load(Ordering::Relaxed));
            let slice = if free { deadline } else { Deadline::after(Some(deadline.left(SLICE).unwrap_or_default())) };
            let acquired = match self.words {
                Words::Plain(word) => word::acquire(self.shm, word, me, slice),
                Words::Recursive(words) => words.acquire_again(self.shm, me, depth.max(1), slice),
            };
            // Another lock may live in the chunk by now.
            if let Err(error) = self.check() {
                if acquired.is_some() {
                    self.release_all(me);
                }
                return Err(error);
            }
            if acquired.is_some() || deadline.is_over() {
                return Ok(acquired);
            }
        }
    }
}

/// The lock of a user's own, checked to be that.
fn given(shm: &Shm, kind: Kind, id: ObjectId) -> Result<UserLock<'_>> {
    let object = Header::at(shm, id.offset)?;
    if object.kind() != kind as u64 || object.birth().load(Ordering::Acquire) != id.birth {
        return Err(gone(kind));
    }
    let at = shm.segment.fixed::<LOCK>(id.offset)?;
    let words = match kind {
        Kind::Lock => Words::Plain(at.u64(HEADER)),
        Kind::RLock => Words::Recursive(Recursive::at(at.span(), HEADER)?),
        _ => return Err(Error::corrupt(format_args!("a {} in the place of a lock", kind.word()))),
    };
    Ok(UserLock { shm, words, birth: (object.birth(), id.birth), kind })
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::fabric::Fabric;
    use crate::fabric::handle::{Handle, How};
    use crate::objects::{HEADER, Kind};
    use crate::sync::condition::Condition;
    use crate::sync::recursive::Recursive;
    use crate::sync::word::Acquired;

    #[test]
    fn a_recursive_lock_that_was_given_comes_back_as_deep_as_it_was() {
        let fabric = Fabric::builder().cap(4 << 20).private().unwrap();
        let handle = Handle::get(&fabric, Kind::RLock, How::New, HEADER + 64, |_, _| Ok(())).unwrap();
        let me = fabric.member().unwrap();
        let words = Recursive::at(handle.fixed::<256>().span(), HEADER).unwrap();
        let condition = Condition::on(&fabric, &handle.lend(Kind::RLock)).unwrap();
        for depth in 1..4 {
            assert_eq!(condition.acquire(None).unwrap(), Acquired::Clean);
            assert_eq!(words.depth(me), depth);
        }
        let mut guard = condition.lock().unwrap();
        assert!(!guard.wait(Some(std::time::Duration::from_millis(2))).unwrap());
        drop(guard);
        assert_eq!(words.depth(me), 3);
        for _ in 0..3 {
            condition.release().unwrap();
        }
        assert_eq!((words.depth(me), condition.release().unwrap_err().kind()), (0, ErrorKind::NotHeld));
    }
}
