//! What pool and worker say to each other, as bytes: batches of calls one way, records the other.
//!
//! All numbers are little-endian. Everything is checked when it is read, and bad bytes are an error, never a panic. Must not
//! know who sends, nor what arguments and values mean.
//!
//! ```text
//! batch    kind 1 | lane u8 | name length u16 | count u32 | job u64 | first index u64 | attempt u32 | flags u32 | soft limit u64 | hard limit u64
//!          | with flag 2: ticket of the reply queue (40 bytes) | name | count * (length u64 | arguments)
//! done     kind 2 | 0 | 0 u16 | 0 u32 | job u64 | index u64 | owner u64 | value
//! failed   kind 3 | 0 | 0 u16 | number i32 | job u64 | index u64 | owner u64 | attempt u32 | 0 u32
//!          | 4 * (length u64 | bytes): task, message, backtrace, and the call's arguments if they were asked for
//! hello    kind 4 | 0 | 0 u16 | worker u32 | owner u64
//! death    kind 5 | 0 | 0 u16 | worker u32 | exit code or minus signal, i64
//! cancel   kind 6 | 0 | 0 u16 | 0 u32 | job u64
//! leave    kind 16 | 0 | 0 u16 | 0 u32 (among the batches: whoever takes it leaves)
//! bye      kind 17 | 0 | 0 u16 | worker u32 | nothing, or the exit hook's `done` or `failed`
//! unfit    kind 18 | 0 | 0 u16 | worker u32 | a `failed`
//! ```
//!
//! Limits are in nanoseconds, 0 for none. Flag 1: a call that fails sends its arguments back, as it may be run again. Kinds 20 to 24 are in `pool/notes.rs`.

use polyproc_ipc::Ticket;

use polyproc_ipc::Packing;
use serde::Serialize;

use crate::error::Failure;
pub(crate) use crate::letter::Letter;
use crate::task::encode_args;

const BATCH: u8 = 1;
const DONE: u8 = 2;
const FAILED: u8 = 3;
const HELLO: u8 = 4;
const DEATH: u8 = 5;
const CANCEL: u8 = 6;
const LEAVE: u8 = 16;
const BYE: u8 = 17;
const UNFIT: u8 = 18;

/// The flag of a batch whose calls bring their arguments back when they fail.
const BRING_BACK: u32 = 1;
/// The flag of a batch whose records go into a queue of their own.
const REPLY: u32 = 2;
const TICKET: usize = 40;

const BATCH_HEAD: usize = 48;
const RECORD_HEAD: usize = 32;
/// Where the record begins that is inside of a `bye` or `unfit`.
const INNER_AT: usize = 8;
const COUNT_AT: usize = 4;
const JOB_AT: usize = 8;
const FLAGS_AT: usize = 28;

/// The longest task name, in bytes.
pub(crate) const LONGEST_NAME: usize = u16::MAX as usize;

/// The bytes are not what the other side may have written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Damaged;

/// How the calls of a batch are to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The lane of the task queue.
    pub(crate) lane: u8,
    /// Which attempt this is, from 1.
    pub(crate) attempt: u32,
    /// Whether a call that fails sends its arguments back.
    pub(crate) bring_back: bool,
    /// Nanoseconds after which a call is told to stop; 0: never.
    pub(crate) soft: u64,
    /// Nanoseconds after which a call's worker is ended; 0: never.
    pub(crate) hard: u64,
    /// Where its records go, if not to the pool.
    pub(crate) reply: Option<Ticket>,
}

impl Terms {
    /// A first attempt with nothing special.
    pub(crate) const PLAIN: Terms = Terms { lane: 0, attempt: 1, bring_back: false, soft: 0, hard: 0, reply: None };

    /// The same for the next attempt.
    pub(crate) fn again(self) -> Terms {
        Terms { attempt: self.attempt.saturating_add(1), ..self }
    }
}

/// Calls of one task that one worker takes together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) job: u64,
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) terms: Terms,
    pub(crate) name: &'a str,
    items: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Reads a batch; all of its lengths are checked here.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Batch<'a>, Damaged> {
        let mut rest = bytes;
        let [BATCH, lane] = word::<2>(&mut rest)? else { return Err(Damaged) };
        let length = u16::from_le_bytes(word(&mut rest)?);
        let count = u32::from_le_bytes(word(&mut rest)?);
        let (job, first) = (u64::from_le_bytes(word(&mut rest)?), u64::from_le_bytes(word(&mut rest)?));
        let (attempt, flags) = (u32::from_le_bytes(word(&mut rest)?), u32::from_le_bytes(word(&mut rest)?));
        let (soft, hard) = (u64::from_le_bytes(word(&mut rest)?), u64::from_le_bytes(word(&mut rest)?));
        let reply = if flags & REPLY == 0 { None } else { Some(Ticket::from_bytes(take(&mut rest, TICKET)?).ok_or(Damaged)?) };
        let terms = Terms { lane, attempt, bring_back: flags & BRING_BACK != 0, soft, hard, reply };
        let name = std::str::from_utf8(take(&mut rest, length.into())?).map_err(|_| Damaged)?;
        let items = rest;
        for _ in 0..count {
            sized(&mut rest)?;
        }
        if !rest.is_empty() || first.checked_add(count.into()).is_none() {
            return Err(Damaged);
        }
        Ok(Batch { job, first, count, terms, name, items })
    }

    /// The encoded arguments of each call.
    pub(crate) fn items(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.items;
        std::iter::from_fn(move || sized(&mut rest).ok())
    }

    /// The batch without its first `skip` calls; `None` if none is left.
    pub(crate) fn tail(&self, skip: u32) -> Option<Vec<u8>> {
        self.part(skip, u32::MAX, self.terms)
    }

    /// Call number `at` of the batch alone, on other terms; `None` if there is none.
    pub(crate) fn single(&self, at: u32, terms: Terms) -> Option<Vec<u8>> {
        self.part(at, 1, terms)
    }

    fn part(&self, skip: u32, most: u32, terms: Terms) -> Option<Vec<u8>> {
        if skip >= self.count {
            return None;
        }
        let mut part = BatchBuilder::new(self.job, self.first + u64::from(skip), self.name, terms);
        for item in self.items().skip(skip as usize).take(most as usize) {
            part.push_encoded(item);
        }
        Some(part.finish().body)
    }
}

/// The lane of the task queue into which a finished batch goes.
pub(crate) fn lane(batch: &[u8]) -> usize {
    batch.get(1).copied().map_or(0, usize::from)
}

/// The task's name, from a batch's first bytes; of a longer name its beginning.
pub(crate) fn task_of(head: &[u8]) -> Option<String> {
    if head.first() != Some(&BATCH) {
        return None;
    }
    let length = u16::from_le_bytes(head.get(2..4)?.try_into().ok()?);
    let flags = u32::from_le_bytes(head.get(FLAGS_AT..FLAGS_AT + 4)?.try_into().ok()?);
    let name = head.get(BATCH_HEAD + if flags & REPLY == 0 { 0 } else { TICKET }..)?;
    Some(lossy(&name[..name.len().min(length.into())]))
}

/// A batch being written.
pub(crate) struct BatchBuilder {
    bytes: Vec<u8>,
    packing: Packing,
    count: u32,
}

impl BatchBuilder {
    /// An empty batch. The caller has checked that the name is not longer than [`LONGEST_NAME`].
    pub(crate) fn new(job: u64, first: u64, name: &str, terms: Terms) -> BatchBuilder {
        let name = &name.as_bytes()[..name.len().min(LONGEST_NAME)];
        let mut bytes = Vec::with_capacity(BATCH_HEAD + name.len() + 32);
        bytes.extend_from_slice(&[BATCH, terms.lane]);
        bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&0_u32.to_le_bytes());
        bytes.extend_from_slice(&job.to_le_bytes());
        bytes.extend_from_slice(&first.to_le_bytes());
        bytes.extend_from_slice(&terms.attempt.to_le_bytes());
        let flags = if terms.bring_back { BRING_BACK } else { 0 } | if terms.reply.is_some() { REPLY } else { 0 };
        bytes.extend_from_slice(&flags.to_le_bytes());
        bytes.extend_from_slice(&terms.soft.to_le_bytes());
        bytes.extend_from_slice(&terms.hard.to_le_bytes());
        if let Some(reply) = terms.reply {
            bytes.extend_from_slice(&reply.to_bytes());
        }
        bytes.extend_from_slice(name);
        BatchBuilder { bytes, packing: Packing::new(), count: 0 }
    }

    /// Adds a call with these arguments, which are dropped. If it fails, the batch is as before.
    pub(crate) fn push<A: Serialize>(&mut self, arguments: A) -> polyproc_ipc::Result<()> {
        let start = self.bytes.len();
        let packing = &mut self.packing;
        sized_by(&mut self.bytes, |out| encode_args(&arguments, packing, out)).inspect_err(|_| self.bytes.truncate(start))?;
        self.count += 1;
        Ok(())
    }

    /// Adds a call whose arguments are encoded already.
    pub(crate) fn push_encoded(&mut self, arguments: &[u8]) {
        self.bytes.extend_from_slice(&(arguments.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(arguments);
        self.count += 1;
    }

    /// Adds a call whose arguments are encoded already, and have blocks beside them: only to an empty batch, whose blocks they become.
    pub(crate) fn push_letter(&mut self, arguments: Letter) {
        debug_assert!(self.packing.is_empty(), "places in an encoded body count from the first block");
        self.packing = arguments.packing;
        self.push_encoded(&arguments.body);
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Bytes written so far, and in blocks.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() + self.packing.size()
    }

    /// Says which job the batch belongs to, where that was not known at its start.
    pub(crate) fn set_job(&mut self, job: u64) {
        self.bytes[JOB_AT..JOB_AT + 8].copy_from_slice(&job.to_le_bytes());
    }

    pub(crate) fn finish(mut self) -> Letter {
        self.bytes[COUNT_AT..COUNT_AT + 4].copy_from_slice(&self.count.to_le_bytes());
        Letter { body: self.bytes, packing: self.packing }
    }
}

/// What a worker, or the pool to itself, says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// A call returned; its value starts at byte `at` of the message.
    Done { job: u64, index: u64, owner: u64, at: usize },
    /// A call did not return a value.
    Failed { job: u64, index: u64, owner: u64, attempt: u32, failure: Failure, arguments: Vec<u8> },
    /// A worker has joined.
    Hello { worker: u32, owner: u64 },
    /// A worker is gone. The pool says this to itself, behind all that the worker said.
    Death { worker: u32, code: i32 },
    /// A job was cancelled. The pool says this to itself, behind the records of all calls that had ended by then.
    Cancel { job: u64 },
    /// A worker is about to leave in order; what its exit hook returned stands in the record that begins at byte `at`, if there is one.
    Bye { worker: u32, at: Option<usize> },
    /// A worker cannot go on, and why.
    Unfit { worker: u32, failure: Failure },
}

impl Record {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Record, Damaged> {
        let mut rest = bytes;
        let [kind, 0, 0, 0] = word(&mut rest)? else { return Err(Damaged) };
        let small = word::<4>(&mut rest)?;
        let record = match kind {
            DONE | FAILED => {
                let [job, index, owner] = [word(&mut rest)?, word(&mut rest)?, word(&mut rest)?].map(u64::from_le_bytes);
                if kind == DONE {
                    return Ok(Record::Done { job, index, owner, at: RECORD_HEAD });
                }
                let (attempt, 0) = (u32::from_le_bytes(word(&mut rest)?), u32::from_le_bytes(word(&mut rest)?)) else { return Err(Damaged) };
                let [task, message, backtrace] = [sized(&mut rest)?, sized(&mut rest)?, sized(&mut rest)?].map(lossy);
                let failure = Failure { number: i32::from_le_bytes(small), task, message, backtrace };
                Record::Failed { job, index, owner, attempt, failure, arguments: sized(&mut rest)?.to_vec() }
            }
            HELLO => Record::Hello { worker: u32::from_le_bytes(small), owner: u64::from_le_bytes(word(&mut rest)?) },
            DEATH => {
                let code = i64::from_le_bytes(word(&mut rest)?).try_into().map_err(|_| Damaged)?;
                Record::Death { worker: u32::from_le_bytes(small), code }
            }
            CANCEL if small == [0; 4] => Record::Cancel { job: u64::from_le_bytes(word(&mut rest)?) },
            BYE => {
                let at = if rest.is_empty() { None } else { Some(INNER_AT) };
                return match at.map(|_| Record::parse_inner(rest)).transpose()? {
                    None | Some(Record::Done { .. } | Record::Failed { .. }) => Ok(Record::Bye { worker: u32::from_le_bytes(small), at }),
                    Some(_) => Err(Damaged),
                };
            }
            UNFIT => match Record::parse_inner(rest)? {
                Record::Failed { failure, .. } => return Ok(Record::Unfit { worker: u32::from_le_bytes(small), failure }),
                _ => return Err(Damaged),
            },
            _ => return Err(Damaged),
        };
        if rest.is_empty() { Ok(record) } else { Err(Damaged) }
    }

    /// The record inside of another, which has none in it in turn.
    fn parse_inner(bytes: &[u8]) -> Result<Record, Damaged> {
        match bytes.first() {
            Some(&(DONE | FAILED)) => Record::parse(bytes),
            _ => Err(Damaged),
        }
    }
}

/// Starts a `done` record in `out`, which is emptied first; the value is appended by the caller.
pub(crate) fn done(out: &mut Vec<u8>, job: u64, index: u64, owner: u64) {
    out.clear();
    head(out, DONE, [0; 4]);
    for word in [job, index, owner] {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

/// Writes a `failed` record to `out`, which is emptied first.
pub(crate) fn failed(out: &mut Vec<u8>, [job, index, owner]: [u64; 3], attempt: u32, failure: &Failure, arguments: &[u8]) {
    out.clear();
    head(out, FAILED, failure.number.to_le_bytes());
    for word in [job, index, owner, u64::from(attempt)] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for bytes in [failure.task.as_bytes(), failure.message.as_bytes(), failure.backtrace.as_bytes(), arguments] {
        out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        out.extend_from_slice(bytes);
    }
}

pub(crate) fn hello(worker: u32, owner: u64) -> Vec<u8> {
    let mut out = Vec::new();
    head(&mut out, HELLO, worker.to_le_bytes());
    out.extend_from_slice(&owner.to_le_bytes());
    out
}

pub(crate) fn death(worker: u32, code: i32) -> Vec<u8> {
    let mut out = Vec::new();
    head(&mut out, DEATH, worker.to_le_bytes());
    out.extend_from_slice(&i64::from(code).to_le_bytes());
    out
}

pub(crate) fn cancel(job: u64) -> Vec<u8> {
    let mut out = Vec::new();
    head(&mut out, CANCEL, [0; 4]);
    out.extend_from_slice(&job.to_le_bytes());
    out
}

/// What is put among the batches for each worker that is not wanted any more.
pub(crate) const LEAVE_NOTE: [u8; 8] = [LEAVE, 0, 0, 0, 0, 0, 0, 0];

/// Whether this was put to make a worker leave.
pub(crate) fn is_leave(bytes: &[u8]) -> bool {
    bytes == LEAVE_NOTE
}

/// `inner` is a `done` or `failed` record, or empty.
pub(crate) fn bye(worker: u32, inner: &[u8]) -> Vec<u8> {
    around(BYE, worker, inner)
}

pub(crate) fn unfit(worker: u32, failure: &Failure) -> Vec<u8> {
    let mut inner = Vec::new();
    failed(&mut inner, [0; 3], 0, failure, &[]);
    around(UNFIT, worker, &inner)
}

fn around(kind: u8, worker: u32, inner: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(INNER_AT + inner.len());
    head(&mut out, kind, worker.to_le_bytes());
    out.extend_from_slice(inner);
    out
}

fn head(out: &mut Vec<u8>, kind: u8, small: [u8; 4]) {
    out.extend_from_slice(&[kind, 0, 0, 0]);
    out.extend_from_slice(&small);
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Damaged> {
    let (taken, left) = rest.split_at_checked(length).ok_or(Damaged)?;
    *rest = left;
    Ok(taken)
}

pub(crate) fn word<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Damaged> {
    let (taken, left) = rest.split_first_chunk().ok_or(Damaged)?;
    *rest = left;
    Ok(*taken)
}

pub(crate) fn sized<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Damaged> {
    let length = u64::from_le_bytes(word(rest)?);
    take(rest, usize::try_from(length).map_err(|_| Damaged)?)
}

fn sized_by<E>(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
    let at = out.len();
    out.extend_from_slice(&[0; 8]);
    write(out)?;
    let length = (out.len() - at - 8) as u64;
    out[at..at + 8].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
