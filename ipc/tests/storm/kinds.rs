//! The kinds of objects that the storm goes over: the trait that each implements in a file of its own, and the one list of them.

use std::path::Path;

use polyproc_ipc::{Error, ErrorKind, Fabric};

use crate::ledger::{Act, Dice, Page};

/// A kind, in the controller. Its objects are made by its constructor.
pub(crate) trait Kind {
    fn name(&self) -> &'static str;

    /// Takes the kind up in a worker, which runs in a process forked from the controller.
    fn worker(&self, fabric: &Fabric, serial: u64) -> Box<dyn Worker>;

    /// Enters what one worker did. Workers are entered as they end; of each at most the last act is uncertain.
    fn enter(&mut self, acts: &[Act]);

    /// Everybody is gone and swept: looks at what is left and at all that was entered. What was done, in a few words.
    ///
    /// # Panics
    /// If something was lost or doubled.
    fn verdict(&mut self, fabric: &Fabric) -> String;
}

/// A kind, in a worker.
pub(crate) trait Worker {
    /// Does one thing, with intents and answers in the ledger where the verdict needs them.
    ///
    /// # Panics
    /// If a call answers what it must not.
    fn step(&mut self, dice: &mut Dice, ledger: &mut Page<'_>);
}

/// **All kinds**; a new one is a line here. If `POLYPROC_STORM_ONLY` is set: those whose name contains it, and who sweeps,
/// for a table full of the dead lets nobody in.
pub(crate) fn all(fabric: &Fabric, dir: &Path) -> Vec<Box<dyn Kind>> {
    let mut all: Vec<Box<dyn Kind>> = vec![
        Box::new(crate::counter::Counter::new(fabric, dir)),
        Box::new(crate::rlock::Recursive::new(fabric)),
        Box::new(crate::rwlock::Shared::new(fabric)),
        Box::new(crate::semaphore::Permits::new(fabric)),
        Box::new(crate::event::Flag::new(fabric, dir)),
        Box::new(crate::condition::Buffer::new(fabric, dir)),
        Box::new(crate::barrier::Rounds::new(fabric, dir)),
        Box::new(crate::cells::Cells::new(fabric)),
        Box::new(crate::dict::Entries::new(fabric)),
        Box::new(crate::set::Elements::new(fabric, "set", false)),
        Box::new(crate::set::Elements::new(fabric, "set by name", true)),
        Box::new(crate::list::Items::new(fabric, "list", false)),
        Box::new(crate::list::Items::new(fabric, "list by name", true)),
        Box::new(crate::exchange::Exchange::new(fabric, "unbounded queue", 0)),
        Box::new(crate::exchange::Exchange::new(fabric, "bounded queue", 16)),
        Box::new(crate::leases::Leases::new(fabric)),
        Box::new(crate::jobs::Jobs::new(fabric, "jobs", true)),
        Box::new(crate::jobs::Jobs::new(fabric, "leased jobs", false)),
        Box::new(crate::churn::Churn),
        Box::new(crate::members::Members),
        Box::new(crate::names::Names),
    ];
    let only = std::env::var("POLYPROC_STORM_ONLY").unwrap_or_default();
    all.retain(|kind| kind.name() == crate::members::NAME || only.split(',').any(|only| kind.name().contains(only)));
    all
}

/// The answer, or none if the error is one of `allowed`.
///
/// # Panics
/// If it is another error.
#[track_caller]
pub(crate) fn unless<T>(result: Result<T, impl Into<Error>>, allowed: &[ErrorKind]) -> Option<T> {
    match result.map_err(Into::into) {
        Ok(value) => Some(value),
        Err(error) if allowed.contains(&error.kind()) => None,
        Err(error) => panic!("an error that must not be here: {error:?}"),
    }
}

/// Where the numbers of a worker's messages begin: no two of it for any two workers or kinds are the same.
pub(crate) fn first_id(kind: &str, serial: u64) -> u64 {
    u64::from(kind.bytes().fold(0, |sum: u8, byte| sum.wrapping_mul(31).wrapping_add(byte))) << 56 | serial << 32
}

/// A message whose length and every byte follow from its number: inline, in a chunk, in an extent.
pub(crate) fn message(id: u64) -> Vec<u8> {
    let mut dice = Dice(id);
    let len = match dice.below(40) {
        0 => 66_000 + dice.below(40_000),
        1..=8 => 2049 + dice.below(8000),
        _ => 8 + dice.below(300),
    };
    let mut bytes = id.to_le_bytes().to_vec();
    while bytes.len() < len as usize {
        bytes.extend_from_slice(&dice.roll().to_le_bytes());
    }
    bytes.truncate(len as usize);
    bytes
}

/// The number of a message.
///
/// # Panics
/// If it is torn.
pub(crate) fn id_of(bytes: &[u8]) -> u64 {
    let id = u64::from_le_bytes(bytes[..8].try_into().expect("at least 8 bytes"));
    assert!(bytes == message(id), "message {id:#x} of {} bytes is torn", bytes.len());
    id
}
