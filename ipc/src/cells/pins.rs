//! Pins: which processes use the cells of an object, so that the chunk with the cells outlives the object for as long as somebody may still touch it.
//!
//! Every process with a handle has one bit in the object (its slot's), set when its first handle is made and cleared when the last one goes. Destroying the object ends its birth at once;
//! the chunk goes back to the heap with the last pin. Until then the object's header is *kept*: it is not used for another object. So **a pointer or a late access reaches the cells
//! of the object it was meant for, or nothing**, whether that object lives or not, and without a lock on the way.
//!
//! All under the pins lock:
//!
//! | step | stores | killed in between |
//! | --- | --- | --- |
//! | pin | birth is the one meant? bit := 1 | a bit of the dead: cleared by `outlive` |
//! | unpin | bit := 0, then *settle* | the repair (settle) or `outlive` goes on |
//! | destroy | kept := 1, birth := 0, then *settle* | before birth: the object lives, and `kept` means nothing in one that does; after: the directory's repair destroys again |
//! | settle | if kept, birth 0 and no bit is set: data chunk -> PRIVATE(me), data := 0, chunk -> FREE, kept := 0 | repeated by whoever takes the lock next; a chunk that is PRIVATE to the dead is the sweep's |
//!
//! A sweep calls `outlive` for every listed and every kept object before it frees what the dead held, so `data` never names a free chunk. An object that is being made is not kept, so that no late
//! settle takes its new chunk away. Each process counts its handles for itself (`Registry`); a forked child is another member and pins at its first use, or is told `Gone`.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::layout::Words;
use crate::error::{Error, ErrorKind, Result};
use crate::heap::cell::Cell;
use crate::shm::Owner;
use crate::sync::guard::Guard;
use crate::sys;

/// The pins lock, held; what its last holder did not finish is finished.
pub(crate) fn lock(w: Words<'_>) -> Result<Guard<'_>> {
    Guard::enter(w.shm, w.pins_lock(), |me| settle(w, me))
}

/// Gives the cells back if the object is destroyed and nobody uses them. Under the pins lock.
pub(crate) fn settle(w: Words<'_>, me: Owner) -> Result<()> {
    if w.kept().load(Ordering::Acquire) == 0 || w.birth().load(Ordering::Acquire) != 0 || w.is_pinned() {
        return Ok(());
    }
    if w.data().load(Ordering::Acquire) != 0 {
        w.shm.give_back(w.data(), Cell::held(w.offset), me)?;
    }
    // Last: from here on the header may be used again.
    w.kept().store(0, Ordering::Release);
    Ok(())
}

/// Takes a member's pin out, whoever that is.
pub(crate) fn unpin(w: Words<'_>, member: Owner) -> Result<()> {
    let guard = lock(w)?;
    let (word, bit) = w.pin(member);
    word.fetch_and(!bit, Ordering::Release);
    settle(w, guard.me)
}

fn pin(w: Words<'_>, birth: u64) -> Result<()> {
    let guard = lock(w)?;
    alive(w, birth)?;
    let (word, bit) = w.pin(guard.me);
    word.fetch_or(bit, Ordering::Release);
    Ok(())
}

fn alive(w: Words<'_>, birth: u64) -> Result<()> {
    if w.birth().load(Ordering::Acquire) == birth {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Gone, "this value or array was destroyed"))
}

/// One object as one member of one fabric has it: the fabric, the member, the object's offset and birth.
type Key = ([u8; 16], Owner, u64, u64);

/// How many handles of each object this process has. A forked child begins with none, and with a lock that no thread of its parent's can hold.
struct Registry {
    forks: u64,
    handles: Mutex<HashMap<Key, usize>>,
    next: OnceLock<Box<Registry>>,
}

static FIRST: OnceLock<Registry> = OnceLock::new();

impl Registry {
    fn new() -> Registry {
        Registry { forks: sys::forks(), handles: Mutex::default(), next: OnceLock::new() }
    }

    /// This process's own.
    fn lock() -> MutexGuard<'static, HashMap<Key, usize>> {
        let mut at = FIRST.get_or_init(Registry::new);
        while at.forks != sys::forks() {
            at = at.next.get_or_init(|| Box::new(Registry::new()));
        }
        at.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one more handle of the object, which is pinned from now on. [`ErrorKind::Gone`] if it is not alive.
pub(crate) fn enter(w: Words<'_>, birth: u64) -> Result<Owner> {
    let me = w.shm.me()?;
    let mut handles = Registry::lock();
    let count = handles.entry((w.shm.segment.id(), me, w.offset, birth)).or_insert(0);
    let entered = if *count == 0 { pin(w, birth) } else { alive(w, birth) };
    if entered.is_ok() {
        *count += 1;
    } else if *count == 0 {
        handles.remove(&(w.shm.segment.id(), me, w.offset, birth));
    }
    entered.map(|()| me)
}

/// Counts one handle less, that `me` entered with; the last one takes the pin out.
pub(crate) fn leave(w: Words<'_>, me: Owner, birth: u64) -> Result<()> {
    let key = (w.shm.segment.id(), me, w.offset, birth);
    let mut handles = Registry::lock();
    match handles.get_mut(&key) {
        Some(count) if *count > 1 => *count -= 1,
        Some(_) => {
            handles.remove(&key);
            unpin(w, me)?;
        }
        None => {}
    }
    Ok(())
}
