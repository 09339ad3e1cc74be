//! The library's own lock: held within one call, never across a wait or user code, and given out only after the
//! protected structure was repaired if its last holder died.

use std::time::{Duration, Instant};

use super::atomic::{AtomicU64, Ordering};
use super::word::{self, Acquired};
use crate::error::{Error, Result};
use crate::shm::{Deadline, Owner, Shm};

/// How long a lock that is held for microseconds may stay with one running process before the word is taken for damaged.
const PATIENCE: Duration = Duration::from_secs(8);
const SLICE: Duration = Duration::from_secs(1);
/// How long a waiter waits that must look up now and then.
const GLANCE: Duration = Duration::from_millis(1);

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

    /// As [`Guard::enter`], but asks between short sleeps whether the lock is still wanted. None: it is no longer.
    pub(crate) fn enter_while(
        shm: &'a Shm,
        word: &'a AtomicU64,
        wanted: impl Fn() -> bool,
        repair: impl FnOnce(Owner) -> Result<()>,
    ) -> Result<Option<Guard<'a>>> {
        let me = shm.me()?;
        wait(shm, word, me, GLANCE, wanted)?.map(|acquired| Self::entered(word, me, acquired, repair)).transpose()
    }

    #[cold]
    #[inline(never)]
    fn enter_slow(shm: &'a Shm, word: &'a AtomicU64, me: Owner, repair: impl FnOnce(Owner) -> Result<()>) -> Result<Guard<'a>> {
        loop {
            if let Some(acquired) = wait(shm, word, me, SLICE, || true)? {
                return Self::entered(word, me, acquired, repair);
            }
        }
    }

    fn entered(word: &'a AtomicU64, me: Owner, acquired: Acquired, repair: impl FnOnce(Owner) -> Result<()>) -> Result<Guard<'a>> {
        match acquired {
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

/// Waits for the lock; gives up only where a damaged word names a living process that never took it. None: it is not wanted any longer.
fn wait(shm: &Shm, word: &AtomicU64, me: Owner, slice: Duration, wanted: impl Fn() -> bool) -> Result<Option<Acquired>> {
    let _firm = crate::sys::interrupt::firm();
    let mut same = (Owner::NOBODY, Instant::now());
    while wanted() {
        if let Some(acquired) = word::acquire(shm, word, me, Deadline::after(Some(slice))) {
            return Ok(Some(acquired));
        }
        let holder = word::owner(word.load(Ordering::Relaxed));
        if holder != same.0 {
            same = (holder, Instant::now());
        }
        // A stopped process holds what it holds for as long as it is stopped; one that cannot be looked at may be.
        if same.1.elapsed() >= PATIENCE && shm.seen_running(holder) {
            return Err(Error::corrupt(format_args!("a lock of {} names {holder:?}, which has not let go of it for {PATIENCE:?}", shm.label)));
        }
    }
    Ok(None)
}

impl Drop for Guard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        word::release(self.word);
    }
}
