//! Whose turn it is to read, or to write: one thread at a time, the others wait at most until their deadline. Knows no stream.
//!
//! The state of a direction (say, half a message) is taken out for the length of a turn and put back after. A forked child begins with a state of its own, and
//! nobody's turn: half a message that the parent has read is the parent's to finish, and a lock that one of the parent's threads held at the fork holds up nobody there.

use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::shm::Deadline;
use crate::sys;

/// How long a waiter sleeps before it looks whether a signal is to end its wait.
const SLICE: Duration = Duration::from_millis(250);

/// The state of one direction, one for each process that uses it after forks.
pub(super) struct Turns<T> {
    /// How many forks lay before the process whose state this is.
    forks: u64,
    idle: Mutex<Idle<T>>,
    freed: Condvar,
    next: OnceLock<Box<Turns<T>>>,
}

/// The state while it is nobody's turn, and how many wait for theirs: a notice that nobody waits for would be a system call all the same.
struct Idle<T> {
    state: Option<T>,
    waiting: usize,
}

/// A turn: the state, until dropped.
pub(super) struct Turn<'a, T> {
    of: &'a Turns<T>,
    state: Option<T>,
}

impl<T: Default> Turns<T> {
    pub(super) fn new() -> Turns<T> {
        sys::count_forks();
        Turns { forks: sys::forks(), idle: Mutex::new(Idle { state: Some(T::default()), waiting: 0 }), freed: Condvar::new(), next: OnceLock::new() }
    }

    /// Waits for the turn; none once the deadline is over.
    pub(super) fn take(&self, deadline: Deadline) -> Option<Turn<'_, T>> {
        let mine = self.mine();
        let mut idle = mine.lock();
        loop {
            if let Some(state) = idle.state.take() {
                return Some(Turn { of: mine, state: Some(state) });
            }
            let time = deadline.left(SLICE)?;
            idle.waiting += 1;
            idle = mine.freed.wait_timeout(idle, time).unwrap_or_else(PoisonError::into_inner).0;
            idle.waiting -= 1;
        }
    }

    fn mine(&self) -> &Turns<T> {
        let now = sys::forks();
        let mut turns = self;
        while turns.forks != now {
            turns = turns.next.get_or_init(|| Box::new(Turns::new()));
        }
        turns
    }
}

impl<T> Turns<T> {
    fn lock(&self) -> MutexGuard<'_, Idle<T>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Turn<'_, T> {
    pub(super) fn state(&mut self) -> &mut T {
        self.state.as_mut().expect("a turn has the state until it is dropped")
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let mut idle = self.of.lock();
        idle.state = self.state.take();
        let wanted = idle.waiting > 0;
        drop(idle);
        if wanted {
            self.of.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_no_longer_than_asked() {
        let turns = Turns::<u32>::new();
        let mut first = turns.take(Deadline::Never).unwrap();
        *first.state() = 7;
        assert!(turns.take(Deadline::after(Some(Duration::from_millis(5)))).is_none());
        assert!(turns.take(Deadline::after(Some(Duration::ZERO))).is_none());
        std::thread::scope(|scope| {
            let other = scope.spawn(|| *turns.take(Deadline::Never).unwrap().state());
            drop(first);
            assert_eq!(other.join().unwrap(), 7);
        });
    }
}
