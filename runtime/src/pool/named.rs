//! A pool's name: the description by which guests find the pool, who may have the name, and how a guest comes in.
//!
//! The description is the value of `now` in the dict `pool:<name>`. One exchange of it claims the name; destroying the dict gives it back. What
//! each death leaves stands in `runtime/src/README.md`, "Pools with a name". Must not know what guests do.
//!
//! ```text
//! version u32 | the most workers u32 | owner u64 | 6 * ticket (40 bytes): tasks, results, cancelled, doze, and setup and events or zeros
//! ```

use std::time::Duration;

use polyproc_ipc::{BytesDict, BytesQueue, ErrorKind as Ipc, Fabric, Message, Owner, Ticket};

use super::notes::{self, Join, Note, Role};
use super::table;
use super::worker::damaged;
use crate::error::{Error, ErrorKind, Result};

const VERSION: u32 = 1;
const KEY: &[u8] = b"now";
const TICKETS_AT: usize = 16;
const TICKET: usize = 40;
const SIZE: usize = TICKETS_AT + 6 * TICKET;
/// How long a guest waits for its answer before it looks whether there is still somebody to give it.
const LOOK: Duration = Duration::from_millis(500);

/// What a guest must know of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Description {
    /// The most workers that the pool starts.
    pub(super) workers: u32,
    /// The pool's process.
    pub(super) owner: Owner,
    pub(super) tasks: Ticket,
    pub(super) results: Ticket,
    pub(super) cancelled: Ticket,
    /// The word that says whether the supervisor dozes.
    pub(super) doze: Ticket,
    pub(super) setup: Option<Ticket>,
    pub(super) events: Option<Ticket>,
}

impl Description {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SIZE);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.workers.to_le_bytes());
        out.extend_from_slice(&self.owner.to_bits().to_le_bytes());
        for ticket in [Some(self.tasks), Some(self.results), Some(self.cancelled), Some(self.doze), self.setup, self.events] {
            out.extend_from_slice(&ticket.map_or([0; TICKET], Ticket::to_bytes));
        }
        out
    }

    /// The pool's process, which is in the same place in every version.
    fn owner(bytes: &[u8]) -> Option<Owner> {
        Some(Owner::from_bits(u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?)))
    }

    fn parse(bytes: &[u8], label: &str) -> Result<Description> {
        let word = |at: usize| bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_le_bytes);
        let bad = || damaged(&format!("the description of {label}"));
        match word(0) {
            Some(VERSION) if bytes.len() == SIZE => {}
            Some(version) if version > VERSION => {
                return Err(Error::argument(format!("{label} is of a newer polyproc, whose pools this one does not understand")));
            }
            _ => return Err(bad()),
        }
        let (workers, owner) = (word(4).ok_or_else(bad)?, Description::owner(bytes).ok_or_else(bad)?);
        let maybe = |n: usize| {
            let bytes = &bytes[TICKETS_AT + n * TICKET..][..TICKET];
            bytes.iter().any(|&byte| byte != 0).then(|| Ticket::from_bytes(bytes)).flatten()
        };
        let ticket = |n: usize| maybe(n).ok_or_else(bad);
        let (tasks, results, cancelled, doze) = (ticket(0)?, ticket(1)?, ticket(2)?, ticket(3)?);
        Ok(Description { workers, owner, tasks, results, cancelled, doze, setup: maybe(4), events: maybe(5) })
    }
}

/// How sentences speak of a pool.
fn label(fabric: &Fabric, name: &str) -> String {
    format!("pool '{name}' of {fabric:?}")
}

fn key(name: &str) -> String {
    format!("pool:{name}")
}

/// A name that this process's pool has.
#[derive(Debug)]
pub(super) struct Claim(BytesDict);

impl Claim {
    /// Makes the pool of this description findable; `AlreadyExists` if another one of the name lives.
    pub(super) fn new(fabric: &Fabric, name: &str, description: &Description) -> Result<Claim> {
        loop {
            let dict = BytesDict::open_or_create(fabric, &key(name))?;
            match Claim::attempt(fabric, name, &dict, description) {
                Ok(true) => return Ok(Claim(dict)),
                // Another changed it, or gave the name back.
                Ok(false) => {}
                Err(error) if error.kind() == ErrorKind::Ipc(Ipc::Gone) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn attempt(fabric: &Fabric, name: &str, dict: &BytesDict, description: &Description) -> Result<bool> {
        let found = dict.get_versioned(KEY)?;
        if let Some((bytes, _)) = &found
            && Description::owner(bytes).is_some_and(|owner| fabric.alive(owner))
        {
            let sentence = format!("{} exists already; connect to it, or choose another name", label(fabric, name));
            return Err(polyproc_ipc::Error::new(Ipc::AlreadyExists, sentence).into());
        }
        Ok(dict.compare_and_set(KEY, found.map(|(_, version)| version), &description.encode()[..])?.is_some())
    }

    /// Gives the name back.
    pub(super) fn release(&self) {
        // Only a pool that found this one's process dead could have another entry here.
        let _ = self.0.destroy();
    }
}

/// The description of the pool of this name; `NotFound` if none lives.
pub(super) fn find(fabric: &Fabric, name: &str) -> Result<Description> {
    let absent = |why: &str| Error::from(polyproc_ipc::Error::new(Ipc::NotFound, format!("there is no {}{why}", label(fabric, name))));
    let found = match BytesDict::open(fabric, &key(name)).and_then(|dict| dict.get(KEY)) {
        Err(error) if matches!(error.kind(), Ipc::NotFound | Ipc::Gone) => return Err(absent("")),
        other => other?,
    };
    let bytes = found.ok_or_else(|| absent(""))?;
    if !Description::owner(&bytes).is_some_and(|owner| fabric.alive(owner)) {
        fabric.sweep()?;
        return Err(absent(" any more: its process has died"));
    }
    Description::parse(&bytes, &label(fabric, name))
}

/// What a pool answered to a guest.
#[derive(Debug)]
pub(super) struct Welcome {
    pub(super) number: u32,
    pub(super) page: Option<Ticket>,
}

/// Asks a pool to be let in, and waits for its answer.
pub(super) fn knock(fabric: &Fabric, pool: &Description, results: &BytesQueue, mailbox: &BytesQueue, role: Role) -> Result<Welcome> {
    let join = Join { role, pid: std::process::id(), owner: fabric.member()?, mailbox: mailbox.lend() };
    match results.put(&notes::join(&join)) {
        Err(error) if matches!(error.kind(), Ipc::Closed | Ipc::Gone) => return Err(table::closed()),
        put => put?,
    }
    let answer = loop {
        match mailbox.get_timeout(LOOK) {
            Ok(answer) => break answer,
            Err(error) if error.kind() == Ipc::Timeout => {
                if !fabric.alive(pool.owner) {
                    fabric.sweep()?;
                    return Err(owner_died());
                }
                // What was put before the closing is answered. One that ended without reading on has damaged memory.
                if results.is_closed() {
                    break mailbox.try_get().map_err(|_| table::closed())?;
                }
            }
            Err(error) if error.kind() == Ipc::Closed => {
                return Err(polyproc_ipc::Error::new(Ipc::OutOfMemory, "the fabric has no room for the pool's answer: make room, and try again").into());
            }
            Err(error) => return Err(error.into()),
        }
    };
    read(&answer)
}

fn read(answer: &Message) -> Result<Welcome> {
    match Note::parse(answer) {
        Ok(Note::Welcome { number, page }) => Ok(Welcome { number, page }),
        Ok(Note::Refused { number, sentence }) if number == ErrorKind::PoolClosed.number() => Err(Error::new(ErrorKind::PoolClosed, sentence)),
        Ok(Note::Refused { number, sentence }) if number == Ipc::OutOfMemory.number() => Err(polyproc_ipc::Error::new(Ipc::OutOfMemory, sentence).into()),
        Ok(Note::Refused { sentence, .. }) => Err(Error::argument(sentence)),
        _ => Err(damaged("a pool's answer")),
    }
}

pub(super) fn owner_died() -> Error {
    Error::new(ErrorKind::Terminated, "the process that had the pool died before the call was done")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_pools_and_is_given_back() {
        let fabric = Fabric::new().unwrap();
        let ticket = BytesQueue::new(&fabric, 0).unwrap().lend();
        let owner = fabric.member().unwrap();
        let mine = Description { workers: 2, owner, tasks: ticket, results: ticket, cancelled: ticket, doze: ticket, setup: None, events: Some(ticket) };
        let not_found = ErrorKind::Ipc(Ipc::NotFound);
        assert_eq!(find(&fabric, "jobs").unwrap_err().kind(), not_found);
        // Killed before its claim.
        drop(BytesDict::open_or_create(&fabric, "pool:jobs").unwrap());
        assert_eq!(find(&fabric, "jobs").unwrap_err().kind(), not_found);
        // Of one that died.
        let dead = Description { owner: Owner::from_bits(owner.to_bits() + (1 << 32)), ..mine };
        Claim::new(&fabric, "jobs", &dead).unwrap();
        assert_eq!(find(&fabric, "jobs").unwrap_err().kind(), not_found);
        let claim = Claim::new(&fabric, "jobs", &mine).unwrap();
        assert_eq!(find(&fabric, "jobs").unwrap(), mine);
        assert_eq!(Claim::new(&fabric, "jobs", &mine).unwrap_err().kind(), ErrorKind::Ipc(Ipc::AlreadyExists));
        claim.release();
        assert_eq!(find(&fabric, "jobs").unwrap_err().kind(), not_found);
        let bytes = mine.encode();
        for end in 0..bytes.len() {
            assert!(Description::parse(&bytes[..end], "p").is_err());
        }
        assert!(Description::parse(&[2, 0, 0, 0], "p").unwrap_err().to_string().contains("newer"));
    }
}
