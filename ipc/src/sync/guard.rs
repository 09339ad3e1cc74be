//! The library's own lock: held within one call, never across a wait or user code, and given out only after the
//! protected structure was repaired if its last holder died.

use std::sync::atomic::AtomicU64;

use super::word::{self, Acquired};
use crate::error::{Error, Result};
use crate::shm::{Deadline, Owner, Shm};

/// The lock, held. Dropping it gives it back.
pub(crate) struct Guard<'a> {
    word: &'a AtomicU64,
    /// Who holds it: this process.
    pub(crate) me: Owner,
}

impl<'a> Guard<'a> {
    /// Takes the lock. If its last holder died, `repair` runs first; it may itself be killed and is then repeated by the next. If the
    /// repair fails (damaged memory), the lock stays with the dead, so that everybody after is told the same.
    #[inline(always)]
    pub(crate) fn enter(shm: &'a Shm, word: &'a AtomicU64, repair: impl FnOnce(Owner) -> Result<()>) -> Result<Guard<'a>> {
        let me = shm.me()?;
        if word::try_acquire(word, me) {
            return Ok(Guard { word, me });
        }
        Self::enter_slow(shm, word, me, repair)
    }

    #[cold]
    #[inline(never)]
    fn enter_slow(shm: &'a Shm, word: &'a AtomicU64, me: Owner, repair: impl FnOnce(Owner) -> Result<()>) -> Result<Guard<'a>> {
        match word::acquire(shm, word, me, Deadline::Never) {
            Some(Acquired::Clean) => Ok(Guard { word, me }),
            Some(Acquired::OwnerDied) => match repair(me) {
                Ok(()) => Ok(Guard { word, me }),
                Err(error) => {
                    word::hand_back(word, Owner::DEAD);
                    Err(error)
                }
            },
            None => Err(Error::corrupt("a lock without a deadline reached one")),
        }
    }
}

impl Drop for Guard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        word::release(self.word);
    }
}
