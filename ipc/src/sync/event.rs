//! The event: a flag that processes wait for. No lock: one word says all.
//!
//! Offsets in the object (after the common header of 192 bytes):
//!
//! | offset | word |
//! | --- | --- |
//! | 192 | state: bit 0 set, bits 1 to 31 how often it was set, bits 32 to 63 the era: how many events this chunk was before |
//! | 256 | wait word (u32) |
//!
//! | transition | by | store |
//! | --- | --- | --- |
//! | clear -> set | any process | compare-and-swap: bit 0 and the count + 1; then everybody is woken |
//! | set -> clear | any process | compare-and-swap: bit 0 |
//! | any -> the next era, clear, count 0 | destruction, after birth := 0 | compare-and-swap; then everybody is woken |
//!
//! A waiter goes on when the event is set, or was set since it came: its count is another one. So a set that is cleared at once releases everybody who was waiting. A handle knows its era, so a late
//! set or clear cannot touch the next event in the chunk. Killed between the swap and the wake: sleepers sleep a nap at most. Waiters leave nothing behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::wait;
use crate::error::Result;
use crate::fabric::Fabric;
use crate::fabric::handle::{Handle, How, gone, shared_object};
use crate::fabric::kinds::Ops;
use crate::objects::{HEADER, Header, Kind};
use crate::poll::{Pollable, Source};
use crate::shm::{Deadline, Shm};

const STATE: usize = HEADER;
const WAIT: usize = HEADER + 64;
const SIZE: usize = HEADER + 128;

const SET: u64 = 1;

/// A flag between processes: clear at first; who waits for it goes on once somebody has set it.
///
/// As the reference. A [`set`](Event::set) followed at once by a [`clear`](Event::clear) still releases everybody who was waiting.
///
/// **When a process dies** nothing changes: the event is as it left it, and no waiter's death takes anything from the others.
///
/// ```
/// use polyproc_ipc::{Event, Fabric};
/// use std::time::Duration;
/// let fabric = Fabric::new()?;
/// let ready = Event::new(&fabric)?;
/// assert!(!ready.wait(Some(Duration::ZERO))?);
/// ready.set()?;
/// assert!(ready.wait(None)?);
/// ready.clear()?;
/// assert!(!ready.is_set());
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone)]
pub struct Event {
    handle: Arc<Handle>,
    /// Which of the events that the chunk was and will be; of one that is gone already: any.
    era: u32,
}

impl Event {
    /// An event without a name. It goes with its last handle here, unless its [ticket](Event::ticket) was made.
    pub fn new(fabric: &Fabric) -> Result<Event> {
        Event::get(fabric, How::New)
    }

    /// Makes the event of this name.
    pub fn create(fabric: &Fabric, name: &str) -> Result<Event> {
        Event::get(fabric, How::Create(name))
    }

    /// Opens the event of this name.
    pub fn open(fabric: &Fabric, name: &str) -> Result<Event> {
        Event::get(fabric, How::Open(name))
    }

    /// Opens the event of this name, or makes it.
    pub fn open_or_create(fabric: &Fabric, name: &str) -> Result<Event> {
        Event::get(fabric, How::OpenOrCreate(name))
    }

    /// Sets the event and wakes everybody who waits for it. Nothing if it is set.
    pub fn set(&self) -> Result<()> {
        self.change(|state| if is_set(state) { state } else { u64::from(era(state)) << 32 | u64::from((state as u32 | 1).wrapping_add(2)) })?;
        // Also where it was set already: whoever did may have been killed before its wake.
        wait::wake(self.words().1, u32::MAX);
        Ok(())
    }

    /// Clears the event. Nothing if it is clear.
    pub fn clear(&self) -> Result<()> {
        self.change(|state| state & !SET)
    }

    /// Whether the event is set. A destroyed one is not.
    pub fn is_set(&self) -> bool {
        self.state().is_ok_and(is_set)
    }

    /// Waits until the event is set, or was set meanwhile: true. False: not within `time` (`None`: however long it takes).
    pub fn wait(&self, time: Option<Duration>) -> Result<bool> {
        let came = self.state()?;
        if is_set(came) {
            return Ok(true);
        }
        let (state, waiting, _) = self.words();
        let ready = || state.load(Ordering::Relaxed) != came || !self.is_meant();
        let attempt = || Ok((self.state()? != came).then_some(()));
        Ok(self.handle.until(waiting, Deadline::after(time), ready, attempt)?.is_some())
    }

    /// A descriptor for event loops, readable when the event is set: see [`Pollable`].
    pub fn pollable(&self) -> Result<Pollable> {
        Pollable::new(self.clone())
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn of(handle: Handle) -> Event {
        let mut event = Event { handle: Arc::new(handle), era: 0 };
        event.era = era(event.words().0.load(Ordering::Acquire));
        event
    }

    fn get(fabric: &Fabric, how: How<'_>) -> Result<Event> {
        // Nothing to fill in: a new chunk is zeroed, and a destruction leaves the next event's state.
        Handle::get(fabric, Kind::Event, how, SIZE, |_, _| Ok(())).map(Event::of)
    }

    /// State, wait word, birth.
    #[inline(always)]
    fn words(&self) -> (&AtomicU64, &AtomicU32, &AtomicU64) {
        let object = self.handle.fixed::<SIZE>();
        (object.u64(STATE), object.u32(WAIT), object.u64(24))
    }

    fn is_meant(&self) -> bool {
        self.words().2.load(Ordering::Acquire) == self.handle.id.birth
    }

    /// The state, of the event that is meant.
    #[inline(always)]
    fn state(&self) -> Result<u64> {
        let state = self.words().0.load(Ordering::Acquire);
        if era(state) == self.era && self.is_meant() { Ok(state) } else { Err(gone(Kind::Event)) }
    }

    #[inline(always)]
    fn change(&self, to: impl Fn(u64) -> u64) -> Result<()> {
        let word = self.words().0;
        loop {
            let state = self.state()?;
            let next = to(state);
            if next == state || word.compare_exchange_weak(state, next, Ordering::SeqCst, Ordering::Relaxed).is_ok() {
                return Ok(());
            }
        }
    }
}

fn is_set(state: u64) -> bool {
    state & SET != 0
}

fn era(state: u64) -> u32 {
    (state >> 32) as u32
}

impl Source for Event {
    fn arm(&self) -> Option<(&AtomicU32, u32)> {
        let announced = wait::announce(self.words().1);
        // One that is gone is tried, and says so.
        self.state().is_ok_and(|state| !is_set(state)).then(|| (self.words().1, announced))
    }

    fn fabric(&self) -> &Fabric {
        self.handle.fabric()
    }
}

shared_object!(Event, Kind::Event, SIZE, "event");

pub(crate) const OPS: Ops = Ops { quiesce, outlive: None, hold: None };

/// Ends an event; repeated, it begins one more era, which does no harm.
fn quiesce(shm: &Shm, object: Header<'_>) -> Result<()> {
    object.birth().store(0, Ordering::Release);
    let at = shm.segment.fixed::<SIZE>(object.offset)?;
    let next = |state: u64| u64::from(era(state).wrapping_add(1)) << 32;
    let _ = at.u64(STATE).fetch_update(Ordering::SeqCst, Ordering::Relaxed, |state| Some(next(state)));
    wait::wake(at.u32(WAIT), u32::MAX);
    Ok(())
}

const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Event>();
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_set_does_not_touch_the_next_event_in_the_chunk() {
        let fabric = Fabric::builder().cap(4 << 20).private().unwrap();
        let old = Event::new(&fabric).unwrap();
        old.set().unwrap();
        old.destroy().unwrap();
        let new = Event::new(&fabric).unwrap();
        assert_eq!((new.handle.id.offset, new.era), (old.handle.id.offset, old.era.wrapping_add(1)));
        assert!(!new.is_set());
        assert!(old.set().is_err() && old.clear().is_err() && old.wait(None).is_err());
        // Even one that has looked at the birth before it went.
        let (state, _, birth) = new.words();
        birth.store(old.handle.id.birth, Ordering::Relaxed);
        assert!(old.set().is_err());
        birth.store(new.handle.id.birth, Ordering::Relaxed);
        assert_eq!(state.load(Ordering::Relaxed), u64::from(new.era) << 32);
    }

    #[test]
    fn the_count_stays_below_the_era() {
        let fabric = Fabric::builder().cap(4 << 20).private().unwrap();
        let event = Event::new(&fabric).unwrap();
        event.words().0.store(u64::from(u32::MAX - 1), Ordering::Relaxed);
        event.set().unwrap();
        assert!(event.is_set());
        assert_eq!(era(event.words().0.load(Ordering::Relaxed)), event.era);
        event.clear().unwrap();
        assert_eq!(event.words().0.load(Ordering::Relaxed), 0);
    }
}
