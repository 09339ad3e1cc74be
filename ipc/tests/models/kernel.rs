//! The kernel of the model: futexes, and who lives. A process is a thread of loom's.
//!
//! Futex wait and wake are each one step under the kernel's own lock, which is what the real one's bucket lock and its two barriers come to: either the waker sees the
//! sleeper, or the sleeper sees the waker's store.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use loom::sync::{Condvar, Mutex};
use loom::thread::{self, JoinHandle};

use crate::atomic::{self, AtomicU32, AtomicU64, Killed, Ordering};
use crate::shm::Owner;

/// Processes at most: loom's own limit is five threads, one of which is the model's main.
const PROCESSES: usize = 5;

loom::thread_local! {
    /// The process that this thread is; 0 for the model's main thread.
    static ME: Cell<usize> = Cell::new(0);
}

loom::lazy_static! {
    /// One kernel for each execution of a model.
    static ref KERNEL: Kernel = Kernel { state: Mutex::new(State::default()), woken: Condvar::new() };
}

std::thread_local! {
    /// Whether a victim died since this was last asked. (Of the test, not of one execution: loom runs all processes in its thread.)
    static DIED: Cell<bool> = const { Cell::new(false) };
}

pub(crate) struct Kernel {
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Default)]
struct State {
    /// Addresses of two words, and who sleeps on them, in the order of their coming.
    asleep: Vec<(usize, usize, usize)>,
    dead: [bool; PROCESSES],
    /// Whether a sleep may end by itself.
    nap: bool,
}

/// A word that can be slept on.
pub(crate) trait Futex {
    fn address(&self) -> usize;
    fn now(&self) -> u32;
}

impl Futex for AtomicU32 {
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
    fn now(&self) -> u32 {
        self.load(Ordering::Relaxed)
    }
}

/// Of a 64-bit word the low half is the futex.
impl Futex for AtomicU64 {
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
    fn now(&self) -> u32 {
        self.load(Ordering::Relaxed) as u32
    }
}

/// Runs `body` in every order that there is with at most so many preemptions (a switch away from a process that could have gone on), with everything that its loads
/// may see. How many runs that were, is printed.
///
/// # Panics
/// If one of them panics, deadlocks, or touches plain data from two processes at once.
pub(crate) fn model(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        body();
    });
    println!("{} runs", runs.load(Ordering::Relaxed));
}

/// From now on in this execution a sleep may end by itself, after others have gone on.
pub(crate) fn allow_naps() {
    KERNEL.state.lock().unwrap().nap = true;
}

/// This thread's process.
pub(crate) fn me() -> Owner {
    Owner::of_process(ME.with(Cell::get))
}

/// How many stores the [`victim`] of a model may do: one after the other, until there was no execution in which it was killed.
pub(crate) fn every_death() -> impl Iterator<Item = u32> {
    DIED.set(true);
    (0..).take_while(|_| DIED.replace(false))
}

/// A process that lives until `body` ends.
pub(crate) fn process<R: 'static>(number: usize, body: impl FnOnce() -> R + 'static) -> JoinHandle<Option<R>> {
    start(number, None, body)
}

/// A process that is killed before its store or system call number `stores`; it answers `None` if it came to that.
pub(crate) fn victim<R: 'static>(number: usize, stores: u32, body: impl FnOnce() -> R + 'static) -> JoinHandle<Option<R>> {
    start(number, Some(stores), body)
}

fn start<R: 'static>(number: usize, stores: Option<u32>, body: impl FnOnce() -> R + 'static) -> JoinHandle<Option<R>> {
    thread::spawn(move || {
        ME.with(|me| me.set(number));
        if let Some(stores) = stores {
            atomic::die_after(stores);
        }
        match catch_unwind(AssertUnwindSafe(body)) {
            Ok(result) => {
                atomic::live();
                Some(result)
            }
            Err(end) if end.is::<Killed>() => {
                KERNEL.state.lock().unwrap().dead[number] = true;
                DIED.set(DIED.get() || stores.is_some());
                None
            }
            Err(other) => resume_unwind(other),
        }
    })
}

pub(crate) fn alive(owner: Owner) -> bool {
    owner.process().is_some_and(|number| !KERNEL.state.lock().unwrap().dead[number])
}

/// Sleeps while both words hold what is expected of them.
pub(crate) fn sleep(word: &impl Futex, expected: u32, deaths: &AtomicU32, seen: u32) {
    if !atomic::before_store() {
        return;
    }
    let me = ME.with(Cell::get);
    let mut state = KERNEL.state.lock().unwrap();
    if word.now() != expected || deaths.now() != seen {
        return;
    }
    if state.nap {
        drop(state);
        thread::yield_now();
        return;
    }
    state.asleep.push((word.address(), deaths.address(), me));
    while state.asleep.iter().any(|&(_, _, who)| who == me) {
        state = KERNEL.woken.wait(state).unwrap();
    }
}

/// Wakes up to `count` sleepers; how many.
pub(crate) fn wake(word: &impl Futex, count: u32) -> usize {
    if !atomic::before_store() {
        return 0;
    }
    let mut state = KERNEL.state.lock().unwrap();
    let before = state.asleep.len();
    let mut left = count;
    state.asleep.retain(|&(first, second, _)| {
        let wakes = left > 0 && (first == word.address() || second == word.address());
        left -= u32::from(wakes);
        !wakes
    });
    let woken = before - state.asleep.len();
    if woken > 0 {
        KERNEL.woken.notify_all();
    }
    woken
}
