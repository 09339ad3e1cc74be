//! What a pool with a name and its guests say to each other beside records, as bytes.
//!
//! All numbers are little-endian. Everything is checked when it is read. Must not know what is done with them.
//!
//! ```text
//! join     kind 20 | role u8 (1 worker, 2 client) | 0 u16 | pid u32 | owner u64 | ticket of the mailbox
//! welcome  kind 21 | 0 | 0 u16 | number u32 | nothing, or the ticket of the worker's page
//! refused  kind 22 | 0 | 0 u16 | number of the error i32 | sentence
//! lost     kind 23 | why u8 | out of memory u8 (0 unknown, 1 no, 2 yes) | text u8 | pid u32 | exit code or minus signal i64 | memory u64, 0: unknown
//!          | memory limit u64, 0: none | attempt u32 | 0 u32 | if text is 1: length u64, what it wrote last to its standard error | batch of the one call
//! ring     kind 24 | 0 | 0 u16 | 0 u32
//! ```
//!
//! `why` is 0 for a death, 1 for cancelled, 2 for over its time.

use std::sync::Arc;

use polyproc_ipc::{Owner, Ticket};

use super::desk::Why;
use super::stderr;
use crate::error::Death;
use crate::wire::{Damaged, sized, word};

const JOIN: u8 = 20;
const WELCOME: u8 = 21;
const REFUSED: u8 = 22;
const LOST: u8 = 23;
const RING: u8 = 24;

/// What a guest wants to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Worker = 1,
    Client = 2,
}

/// Who asks to come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Join {
    pub(super) role: Role,
    pub(super) pid: u32,
    pub(super) owner: Owner,
    pub(super) mailbox: Ticket,
}

/// How a client's call ended with its worker. The batch of it alone, as its next attempt, follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) death: Death,
    pub(super) why: Option<Why>,
    /// The memory limit that its worker was killed for; 0: none.
    pub(super) memory: u64,
    pub(super) attempt: u32,
    /// What its worker wrote last to its standard error, if that is kept.
    pub(super) stderr: Option<Arc<str>>,
}

/// One of them, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Note<'a> {
    Join(Join),
    Welcome { number: u32, page: Option<Ticket> },
    Refused { number: i32, sentence: String },
    Lost(Lost, &'a [u8]),
    Ring,
}

pub(super) fn join(join: &Join) -> Vec<u8> {
    let mut out = vec![JOIN, join.role as u8, 0, 0];
    out.extend_from_slice(&join.pid.to_le_bytes());
    out.extend_from_slice(&join.owner.to_bits().to_le_bytes());
    out.extend_from_slice(&join.mailbox.to_bytes());
    out
}

pub(super) fn welcome(number: u32, page: Option<Ticket>) -> Vec<u8> {
    let mut out = vec![WELCOME, 0, 0, 0];
    out.extend_from_slice(&number.to_le_bytes());
    out.extend(page.into_iter().flat_map(Ticket::to_bytes));
    out
}

pub(super) fn refused(number: i32, sentence: &str) -> Vec<u8> {
    let mut out = vec![REFUSED, 0, 0, 0];
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(sentence.as_bytes());
    out
}

pub(super) fn lost(lost: &Lost, batch: &[u8]) -> Vec<u8> {
    let why = match lost.why {
        None => 0,
        Some(Why::Cancelled) => 1,
        Some(Why::OverLimit) => 2,
    };
    let mut out = vec![LOST, why, lost.death.out_of_memory.map_or(0, |yes| 1 + u8::from(yes)), u8::from(lost.stderr.is_some())];
    out.extend_from_slice(&lost.death.pid.to_le_bytes());
    out.extend_from_slice(&i64::from(lost.death.code).to_le_bytes());
    out.extend_from_slice(&lost.death.resident.unwrap_or(0).to_le_bytes());
    out.extend_from_slice(&lost.memory.to_le_bytes());
    out.extend_from_slice(&u64::from(lost.attempt).to_le_bytes());
    if let Some(text) = lost.stderr.as_deref().map(stderr::for_client) {
        out.extend_from_slice(&(text.len() as u64).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(batch);
    out
}

pub(super) const BELL: [u8; 8] = [RING, 0, 0, 0, 0, 0, 0, 0];

impl Note<'_> {
    pub(super) fn parse(bytes: &[u8]) -> Result<Note<'_>, Damaged> {
        let mut rest = bytes;
        let [kind, first, second, third] = word(&mut rest)?;
        let small: [u8; 4] = word(&mut rest)?;
        if third > u8::from(kind == LOST) || (kind != LOST && (second != 0 || (kind != JOIN && first != 0))) {
            return Err(Damaged);
        }
        match kind {
            JOIN => {
                let role = match first {
                    1 => Role::Worker,
                    2 => Role::Client,
                    _ => return Err(Damaged),
                };
                let owner = Owner::from_bits(u64::from_le_bytes(word(&mut rest)?));
                let mailbox = Ticket::from_bytes(rest).ok_or(Damaged)?;
                Ok(Note::Join(Join { role, pid: u32::from_le_bytes(small), owner, mailbox }))
            }
            WELCOME => {
                let page = if rest.is_empty() { None } else { Some(Ticket::from_bytes(rest).ok_or(Damaged)?) };
                Ok(Note::Welcome { number: u32::from_le_bytes(small), page })
            }
            REFUSED => Ok(Note::Refused { number: i32::from_le_bytes(small), sentence: String::from_utf8_lossy(rest).into_owned() }),
            LOST => {
                let why = match first {
                    0 => None,
                    1 => Some(Why::Cancelled),
                    2 => Some(Why::OverLimit),
                    _ => return Err(Damaged),
                };
                let out_of_memory = match second {
                    0 => None,
                    1 => Some(false),
                    2 => Some(true),
                    _ => return Err(Damaged),
                };
                let code = i64::from_le_bytes(word(&mut rest)?).try_into().map_err(|_| Damaged)?;
                let [resident, memory, attempt] = [word(&mut rest)?, word(&mut rest)?, word(&mut rest)?].map(u64::from_le_bytes);
                let death = Death { pid: u32::from_le_bytes(small), code, resident: Some(resident).filter(|&bytes| bytes != 0), out_of_memory };
                let attempt = attempt.try_into().map_err(|_| Damaged)?;
                let stderr = if third == 1 { Some(String::from_utf8_lossy(sized(&mut rest)?).into()) } else { None };
                Ok(Note::Lost(Lost { death, why, memory, attempt, stderr }, rest))
            }
            RING if bytes == BELL => Ok(Note::Ring),
            _ => Err(Damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use polyproc_ipc::{BytesQueue, Fabric};

    use super::*;

    #[test]
    fn notes_read_as_they_were_written_and_bad_bytes_never_panic() {
        let fabric = Fabric::new().unwrap();
        let ticket = BytesQueue::new(&fabric, 0).unwrap().lend();
        let from = Join { role: Role::Client, pid: 7, owner: Owner::from_bits(8), mailbox: ticket };
        let killed = Lost { death: Death { resident: Some(9), ..Death::new(7, -9) }, why: Some(Why::OverLimit), memory: 5, attempt: 2, stderr: None };
        let said = Lost { stderr: Some("words".into()), ..killed.clone() };
        let all = [join(&from), welcome(3, None), welcome(3, Some(ticket)), refused(105, "no"), lost(&killed, b"batch"), lost(&said, b"batch"), BELL.to_vec()];
        let read: Vec<_> = all.iter().map(|note| Note::parse(note).unwrap()).collect();
        assert_eq!(read[0], Note::Join(from));
        assert_eq!(read[1..3], [Note::Welcome { number: 3, page: None }, Note::Welcome { number: 3, page: Some(ticket) }]);
        assert_eq!(read[3], Note::Refused { number: 105, sentence: "no".into() });
        assert_eq!(read[4..], [Note::Lost(killed, b"batch"), Note::Lost(said, b"batch"), Note::Ring]);
        for sample in &all {
            for end in 0..sample.len() {
                let _ = Note::parse(&sample[..end]);
            }
            for at in 0..sample.len() {
                for value in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut changed = sample.clone();
                    changed[at] = value;
                    let _ = Note::parse(&changed);
                }
            }
        }
    }
}
