//! The library's own lock: held within one call, never across a wait or user code, and given out only after the
//! protected structure was repaired if its last holder died.

use std::time::Duration;

use super::atomic::{AtomicU64, Ordering};
use super::word::{self, Acquired};
use crate::error::{Error, Result};
use crate::shm::{Deadline, Owner, Shm};

/// How long a lock that is held for microseconds may stay with one running process before the word is taken for damaged.
const PATIENCE: u32 = 8;
const SLICE: Duration = Duration::from_secs(1);

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
        match wait(shm, word, me)? {
            Acquired::Clean => Ok(Guard { word, me }),
            Acquired::OwnerDied => match repair(me) {
                Ok(()) => Ok(Guard { word, me }),
                Err(error) => {
                    word::hand_back(word, Owner::DEAD);
                    Err(error)
                }
            },
        }
    }
}

/// Waits for the lock; gives up only where a damaged word names a living process that never took it.
fn wait(shm: &Shm, word: &AtomicU64, me: Owner) -> Result<Acquired> {
    let mut same = (Owner::NOBODY, 0);
    loop {
        if let Some(acquired) = word::acquire(shm, word, me, Deadline::after(Some(SLICE))) {
            return Ok(acquired);
        }
        let holder = word::owner(word.load(Ordering::Relaxed));
        same = (holder, if holder == same.0 { same.1 + 1 } else { 1 });
        // A stopped process holds what it holds for as long as it is stopped; one that cannot be looked at may be.
        if same.1 >= PATIENCE && shm.seen_running(holder) {
            return Err(Error::corrupt(format_args!("a lock of {} names {holder:?}, which has not let go of it for {PATIENCE} s", shm.label)));
        }
    }
}

impl Drop for Guard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        word::release(self.word);
    }
}
