//! What a worker writes down: before an act what it is about to do, after it what came of it. The writes are in the kernel's hands at once, so they outlive a kill.
//! Knows no kind; the meaning of the numbers is the kinds'.
//!
//! A record has 32 bytes (so none crosses a page, and a kill leaves it whole or not at all): kind, phase and operation; two numbers; a serial number.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

pub(crate) use polyproc_testkit::dice::Dice;

const RECORD: usize = 32;

const INTENT: u64 = 1;
const NOTE: u64 = 2;
const DONE: u64 = 3;

/// A worker's ledger.
pub(crate) struct Ledger {
    file: File,
    serial: u64,
}

/// The ledger, for the acts of one kind.
pub(crate) struct Page<'a> {
    ledger: &'a mut Ledger,
    kind: u64,
}

impl Ledger {
    pub(crate) fn create(path: &Path) -> Ledger {
        Ledger { file: File::create_new(path).expect("a ledger"), serial: 0 }
    }

    pub(crate) fn of(&mut self, kind: usize) -> Page<'_> {
        Page { ledger: self, kind: kind as u64 }
    }
}

impl Page<'_> {
    /// About to do `op` on `a` and `b`.
    pub(crate) fn intend(&mut self, op: u8, a: u64, b: u64) {
        self.write(INTENT, op, a, b);
    }

    /// Something that came of it, while it goes on.
    pub(crate) fn note(&mut self, a: u64) {
        self.write(NOTE, 0, a, 0);
    }

    /// It is done, with this answer.
    pub(crate) fn done(&mut self, a: u64) {
        self.write(DONE, 0, a, 0);
    }

    fn write(&mut self, phase: u64, op: u8, a: u64, b: u64) {
        self.ledger.serial += 1;
        let words = [self.kind << 16 | phase << 8 | u64::from(op), a, b, self.ledger.serial];
        let mut record = [0; RECORD];
        record.chunks_exact_mut(8).zip(words).for_each(|(place, word)| place.copy_from_slice(&word.to_le_bytes()));
        self.ledger.file.write_all(&record).expect("a ledger can be written");
    }
}

/// One act, as its worker wrote it down.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    kind: usize,
    pub(crate) op: u8,
    pub(crate) a: u64,
    pub(crate) b: u64,
    pub(crate) notes: Vec<u64>,
    /// The answer; none: the worker was killed in it.
    pub(crate) done: Option<u64>,
}

/// All that one worker wrote.
pub(crate) struct Life {
    pub(crate) acts: Vec<Act>,
}

impl Life {
    /// # Panics
    /// If the ledger itself is torn, or an act begins before the one before it is done.
    pub(crate) fn read(path: &Path, worker: u64) -> Life {
        let bytes = fs::read(path).unwrap_or_default(); // killed before it made one
        assert!(bytes.len().is_multiple_of(RECORD), "the ledger of worker {worker} is torn");
        let mut acts: Vec<Act> = Vec::new();
        for (serial, record) in (1..).zip(bytes.chunks_exact(RECORD)) {
            let word = |at: usize| u64::from_le_bytes(record[at * 8..][..8].try_into().expect("8 bytes"));
            assert_eq!(word(3), serial, "the ledger of worker {worker} has a gap");
            let (kind, phase) = ((word(0) >> 16) as usize, word(0) >> 8 & 0xFF);
            if phase == INTENT {
                assert!(acts.last().is_none_or(|act| act.done.is_some()), "worker {worker} began an act within another");
                acts.push(Act { kind, op: word(0) as u8, a: word(1), b: word(2), notes: Vec::new(), done: None });
                continue;
            }
            let act = acts.last_mut().filter(|act| act.kind == kind && act.done.is_none()).expect("an act that was begun");
            if phase == NOTE { act.notes.push(word(1)) } else { act.done = Some(word(1)) }
        }
        Life { acts }
    }

    /// The acts of one kind.
    pub(crate) fn of(&self, kind: usize) -> Vec<Act> {
        self.acts.iter().filter(|act| act.kind == kind).cloned().collect()
    }
}
