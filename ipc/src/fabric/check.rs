//! The checker: walks the whole segment and accounts for every chunk. Used by every test, and by people who want to know.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use super::Fabric;
use super::kinds::ops;
use crate::error::Result;
use crate::heap;
use crate::objects::Kind;
use crate::sync::guard::Guard;

/// What [`Fabric::check`] found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Living members.
    pub members: usize,
    /// Dead members that nobody has swept yet.
    pub unswept: usize,
    /// Objects in the directory.
    pub objects: usize,
    /// Units (64 KiB) in the heap, and how many of them are free.
    pub units: u64,
    /// Free units.
    pub free_units: u64,
    /// Slabs of small chunks.
    pub slabs: u64,
    /// Chunks in slabs and extents, free ones included.
    pub chunks: u64,
    /// Chunks that are free.
    pub free_chunks: u64,
    /// Chunks that a living member holds for itself.
    pub private_chunks: usize,
    /// Chunks that a dead member held and the next sweep gives back.
    pub unswept_chunks: usize,
    /// Chunks that objects hold.
    pub held_chunks: usize,
    /// Everything that should not be: chunks that nobody accounts for, or two do, lists that lead astray. Empty: the segment is whole.
    pub problems: Vec<String>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Holds the directory, then every object's locks, then the heap's, while it looks: the picture is of one instant.
pub(super) fn check(fabric: &Fabric) -> Result<Report> {
    let shm = fabric.shm();
    let directory = fabric.directory()?;
    let mut report = Report::default();
    let mut guards: Vec<Guard<'_>> = Vec::new();
    let mut expected: HashMap<u64, u64> = HashMap::new();
    let mut expect = |problems: &mut Vec<String>, chunk: u64, object: u64| {
        if let Some(other) = expected.insert(chunk, object) {
            problems.push(format!("chunk {chunk:#x} belongs to object {object:#x} and to object {other:#x}"));
        }
    };
    let mut live: Vec<_> = directory.all().collect::<Result<_>>()?;
    // Who takes the locks of two objects takes those of the younger one first.
    live.sort_by_key(|object| Reverse(object.birth().load(Ordering::Acquire)));
    let retired: Vec<_> = directory.retired().collect::<Result<_>>()?;
    report.objects = live.len();
    let mut seen = HashSet::new();
    for object in live.iter().chain(&retired) {
        if !seen.insert(object.offset) {
            report.problems.push(format!("object {:#x} is listed twice", object.offset));
            continue; // its locks are held by this very walk
        }
        expect(&mut report.problems, object.offset, object.offset);
        match Kind::from_number(object.kind()) {
            Some(kind) => {
                let Some(hold) = ops(kind).hold else { continue };
                let held = hold(shm, *object)?;
                guards.extend(held.guards);
                for chunk in held.chunks {
                    expect(&mut report.problems, chunk, object.offset);
                }
            }
            None => report.problems.push(format!("object {:#x} is of unknown kind {}", object.offset, object.kind())),
        }
    }
    let heap = heap::check::check(shm)?;
    for (chunk, object) in &heap.held {
        if expected.remove(chunk) != Some(*object) {
            report.problems.push(format!("chunk {chunk:#x} says that object {object:#x} holds it, which does not know it"));
        }
    }
    for (chunk, object) in expected {
        report.problems.push(format!("object {object:#x} leads to chunk {chunk:#x}, which does not say that it holds it"));
    }
    for (chunk, owner) in &heap.private {
        if shm.alive(*owner) {
            report.private_chunks += 1;
        } else {
            report.unswept_chunks += 1;
        }
        if chunk % 64 != 0 {
            report.problems.push(format!("chunk {chunk:#x} is not aligned"));
        }
    }
    for (chunk, owner) in &heap.claimed {
        report.problems.push(format!("chunk {chunk:#x} was in transit to {owner:?} and belongs to nobody now"));
    }
    report.problems.extend(heap.problems);
    for member in shm.list_members() {
        if member.alive { report.members += 1 } else { report.unswept += 1 }
    }
    report.held_chunks = heap.held.len();
    (report.units, report.free_units, report.slabs) = (heap.units, heap.free_units, heap.slabs);
    (report.chunks, report.free_chunks) = (heap.chunks, heap.free_chunks);
    Ok(report)
}
