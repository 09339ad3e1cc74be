//! What pool and worker say to each other, as bytes: batches of calls one way, records the other.
//!
//! All numbers are little-endian. Everything is checked when it is read, and bad bytes are an error, never a panic. Must not
//! know who sends, nor what arguments and values mean.
//!
//! ```text
//! batch    kind 1 | 0 | name length u16 | count u32 | job u64 | first index u64 | name | count * (length u64 | arguments)
//! done     kind 2 | 0 | 0 u16 | 0 u32 | job u64 | index u64 | owner u64 | value
//! failed   kind 3 | 0 | 0 u16 | number i32 | job u64 | index u64 | owner u64 | 3 * (length u64 | text): task, message, backtrace
//! hello    kind 4 | 0 | 0 u16 | worker u32 | owner u64
//! death    kind 5 | 0 | 0 u16 | worker u32 | exit code or minus signal, i64
//! ```

use crate::error::Failure;

const BATCH: u8 = 1;
const DONE: u8 = 2;
const FAILED: u8 = 3;
const HELLO: u8 = 4;
const DEATH: u8 = 5;

const BATCH_HEAD: usize = 24;
const RECORD_HEAD: usize = 32;
const COUNT_AT: usize = 4;
const JOB_AT: usize = 8;

/// The longest task name, in bytes.
pub(crate) const LONGEST_NAME: usize = u16::MAX as usize;

/// The bytes are not what the other side may have written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Damaged;

/// Calls of one task that one worker takes together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) job: u64,
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) name: &'a str,
    items: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Reads a batch; all of its lengths are checked here.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Batch<'a>, Damaged> {
        let mut rest = bytes;
        if word::<2>(&mut rest)? != [BATCH, 0] {
            return Err(Damaged);
        }
        let length = u16::from_le_bytes(word(&mut rest)?);
        let count = u32::from_le_bytes(word(&mut rest)?);
        let (job, first) = (u64::from_le_bytes(word(&mut rest)?), u64::from_le_bytes(word(&mut rest)?));
        let name = std::str::from_utf8(take(&mut rest, length.into())?).map_err(|_| Damaged)?;
        let items = rest;
        for _ in 0..count {
            sized(&mut rest)?;
        }
        if !rest.is_empty() || first.checked_add(count.into()).is_none() {
            return Err(Damaged);
        }
        Ok(Batch { job, first, count, name, items })
    }

    /// The encoded arguments of each call.
    pub(crate) fn items(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.items;
        std::iter::from_fn(move || sized(&mut rest).ok())
    }

    /// The batch without its first `skip` calls; `None` if none is left.
    pub(crate) fn tail(&self, skip: u32) -> Option<Vec<u8>> {
        if skip >= self.count {
            return None;
        }
        let mut tail = BatchBuilder::new(self.job, self.first + u64::from(skip), self.name);
        for item in self.items().skip(skip as usize) {
            tail.push(|out| {
                out.extend_from_slice(item);
                Ok::<_, Damaged>(())
            })
            .ok()?;
        }
        Some(tail.finish())
    }
}

/// The task's name, from a batch's first bytes; of a longer name its beginning.
pub(crate) fn task_of(head: &[u8]) -> Option<String> {
    if !head.starts_with(&[BATCH, 0]) {
        return None;
    }
    let length = u16::from_le_bytes(head.get(2..4)?.try_into().ok()?);
    let name = head.get(BATCH_HEAD..)?;
    Some(lossy(&name[..name.len().min(length.into())]))
}

/// A batch being written.
pub(crate) struct BatchBuilder {
    bytes: Vec<u8>,
    count: u32,
}

impl BatchBuilder {
    /// An empty batch. The caller has checked that the name is not longer than [`LONGEST_NAME`].
    pub(crate) fn new(job: u64, first: u64, name: &str) -> BatchBuilder {
        let name = &name.as_bytes()[..name.len().min(LONGEST_NAME)];
        let mut bytes = Vec::with_capacity(BATCH_HEAD + name.len() + 32);
        bytes.extend_from_slice(&[BATCH, 0]);
        bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&0_u32.to_le_bytes());
        bytes.extend_from_slice(&job.to_le_bytes());
        bytes.extend_from_slice(&first.to_le_bytes());
        bytes.extend_from_slice(name);
        BatchBuilder { bytes, count: 0 }
    }

    /// Adds a call whose arguments `write` appends. If it fails, the batch is as before.
    pub(crate) fn push<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let start = self.bytes.len();
        sized_by(&mut self.bytes, write).inspect_err(|_| self.bytes.truncate(start))?;
        self.count += 1;
        Ok(())
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Bytes written so far.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Says which job the batch belongs to, where that was not known at its start.
    pub(crate) fn set_job(&mut self, job: u64) {
        self.bytes[JOB_AT..JOB_AT + 8].copy_from_slice(&job.to_le_bytes());
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes[COUNT_AT..COUNT_AT + 4].copy_from_slice(&self.count.to_le_bytes());
        self.bytes
    }
}

/// What a worker, or the pool to itself, says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// A call returned; its value starts at byte `at` of the message.
    Done { job: u64, index: u64, owner: u64, at: usize },
    /// A call did not return a value.
    Failed { job: u64, index: u64, owner: u64, failure: Failure },
    /// A worker has joined.
    Hello { worker: u32, owner: u64 },
    /// A worker is gone. The pool says this to itself, behind all that the worker said.
    Death { worker: u32, code: i32 },
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
                let [task, message, backtrace] = [sized(&mut rest)?, sized(&mut rest)?, sized(&mut rest)?].map(lossy);
                Record::Failed { job, index, owner, failure: Failure { number: i32::from_le_bytes(small), task, message, backtrace } }
            }
            HELLO => Record::Hello { worker: u32::from_le_bytes(small), owner: u64::from_le_bytes(word(&mut rest)?) },
            DEATH => {
                let code = i64::from_le_bytes(word(&mut rest)?).try_into().map_err(|_| Damaged)?;
                Record::Death { worker: u32::from_le_bytes(small), code }
            }
            _ => return Err(Damaged),
        };
        if rest.is_empty() { Ok(record) } else { Err(Damaged) }
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
pub(crate) fn failed(out: &mut Vec<u8>, job: u64, index: u64, owner: u64, failure: &Failure) {
    out.clear();
    head(out, FAILED, failure.number.to_le_bytes());
    for word in [job, index, owner] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for text in [&failure.task, &failure.message, &failure.backtrace] {
        out.extend_from_slice(&(text.len() as u64).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
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

fn head(out: &mut Vec<u8>, kind: u8, small: [u8; 4]) {
    out.extend_from_slice(&[kind, 0, 0, 0]);
    out.extend_from_slice(&small);
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Damaged> {
    let (taken, left) = rest.split_at_checked(length).ok_or(Damaged)?;
    *rest = left;
    Ok(taken)
}

fn word<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Damaged> {
    let (taken, left) = rest.split_first_chunk().ok_or(Damaged)?;
    *rest = left;
    Ok(*taken)
}

fn sized<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Damaged> {
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
mod tests {
    use std::io::Write;

    use super::*;

    fn batch(items: &[&[u8]]) -> Vec<u8> {
        let mut batch = BatchBuilder::new(7, 100, "a::b");
        for item in items {
            batch.push(|out| out.write_all(item)).unwrap();
        }
        batch.finish()
    }

    fn records() -> Vec<Vec<u8>> {
        let mut done_record = Vec::new();
        done(&mut done_record, 1, 2, 3);
        done_record.extend_from_slice(b"value");
        let mut failed_record = Vec::new();
        let failure = Failure { number: 103, task: "t".into(), message: "m\u{e9}".into(), backtrace: "0: f".into() };
        failed(&mut failed_record, 1, 2, 3, &failure);
        vec![done_record, failed_record, hello(9, 10), death(9, -9)]
    }

    #[test]
    fn a_batch_reads_as_it_was_written() {
        let bytes = batch(&[b"one", b"", b"three"]);
        let read = Batch::parse(&bytes).unwrap();
        assert_eq!((read.job, read.first, read.count, read.name), (7, 100, 3, "a::b"));
        assert_eq!(read.items().collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
    }

    #[test]
    fn the_tail_keeps_indexes() {
        let bytes = batch(&[b"one", b"two", b"three"]);
        let read = Batch::parse(&bytes).unwrap();
        let tail = read.tail(2).unwrap();
        let tail = Batch::parse(&tail).unwrap();
        assert_eq!((tail.job, tail.first, tail.count, tail.name), (7, 102, 1, "a::b"));
        assert_eq!(tail.items().collect::<Vec<_>>(), [b"three"]);
        assert!(read.tail(3).is_none() && read.tail(u32::MAX).is_none());
    }

    #[test]
    fn a_call_that_cannot_be_written_leaves_no_trace() {
        let mut half = BatchBuilder::new(1, 0, "t");
        half.push(|out| out.write_all(&[1])).unwrap();
        half.push(|out| {
            out.push(2);
            Err(())
        })
        .unwrap_err();
        let bytes = half.finish();
        assert_eq!(Batch::parse(&bytes).unwrap().items().collect::<Vec<_>>(), [[1]]);
    }

    #[test]
    fn records_read_as_they_were_written() {
        let records = records();
        assert_eq!(Record::parse(&records[0]), Ok(Record::Done { job: 1, index: 2, owner: 3, at: 32 }));
        assert_eq!(&records[0][32..], b"value");
        let Ok(Record::Failed { failure, .. }) = Record::parse(&records[1]) else { panic!() };
        assert_eq!((failure.number, &*failure.task, &*failure.message, &*failure.backtrace), (103, "t", "m\u{e9}", "0: f"));
        assert_eq!(Record::parse(&records[2]), Ok(Record::Hello { worker: 9, owner: 10 }));
        assert_eq!(Record::parse(&records[3]), Ok(Record::Death { worker: 9, code: -9 }));
    }

    /// Every prefix, and every single changed byte: an answer, never a panic, and never items beyond the bytes.
    #[test]
    fn bad_bytes_are_an_error_and_never_a_panic() {
        let mut samples = records();
        samples.push(batch(&[b"one", b"two"]));
        for sample in samples {
            for end in 0..sample.len() {
                assert_eq!(Batch::parse(&sample[..end]).err(), Some(Damaged));
                let _ = Record::parse(&sample[..end]);
            }
            for at in 0..sample.len() {
                for value in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut changed = sample.clone();
                    changed[at] = value;
                    if let Ok(batch) = Batch::parse(&changed) {
                        assert_eq!(batch.items().count(), batch.count as usize);
                        let _ = batch.tail(1);
                    }
                    let _ = Record::parse(&changed);
                }
            }
        }
    }
}
