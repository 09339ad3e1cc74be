//! Tasks with 8 MiB of argument, and 8 MiB of result: what it costs to get data into a pool and out of it. This file defines the data, what is done with them and the checks, the same for
//! every subject; it does not know how they travel.

use std::time::Instant;

use polyproc::Block;

use crate::harness::{Budget, Sample, Scenario, Trouble, Unit};
use crate::ours::payload as ours;
use crate::peers::{memory, procspawn_payload as procspawn, rayon};

const IN: &str = "A warm pool of 2; payloads of 8 MiB, 64 at most a round. The parent makes each (a copy of one template, stamped), a task adds up one word of every page of it, and the parent checks the \
sum. Payloads per second, making included. Pool: imap with its own window; Block: made of the vector. procspawn: 2 tasks under way with vectors (a third would wait for ever: its argument is sent while every worker's result \
waits to be joined), 8 with its Shmem. rayon: threads, to which the vector is moved, 8 under way; memcpy: one thread that copies it once more; both as limits.";
const IN_AND_OUT: &str = "The same, and the task adds one to those words and returns the payload, which the parent adds up (memcpy: copied once more each way). procspawn Shmem: read-only, so the \
worker changes a copy and makes a new one of it.";

pub(crate) fn scenarios() -> Vec<Scenario> {
    let scenario = |out| {
        let (variant, definition) = if out { ("8MiB-in-and-out", IN_AND_OUT) } else { ("8MiB-in", IN) };
        Scenario::new("pool/payload", variant, Unit::PerSecond("payloads/s"), definition)
            .ours("Block<u8>", FIRST, move |budget| ours::round::<Block<u8>>(&Run::new(out, budget)))
            .ours("Vec<u8>", FIRST, move |budget| ours::round::<Vec<u8>>(&Run::new(out, budget)))
            .peer("procspawn Vec<u8>", FIRST, move |budget| procspawn::vectors(&Run::new(out, budget)))
            .peer("procspawn Shmem", FIRST, move |budget| procspawn::shared(&Run::new(out, budget)))
            .limit("rayon (threads)", FIRST, move |budget| rayon::payload(&Run::new(out, budget)))
            .limit("memcpy", FIRST, move |budget| memory::payload(&Run::new(out, budget)))
    };
    vec![scenario(false), scenario(true)]
}

const FIRST: u64 = 2;
const MOST: u64 = 64;
/// Payloads before the clock starts: pages of both sides are there then.
const WARM: u64 = 2;
/// Payloads under way at once, where a subject has no bound of its own.
pub(crate) const WINDOW: usize = 8;
const SIZE: usize = 8 << 20;
const PAGE: usize = 4096;

/// One round: its payloads, and how they are checked.
pub(crate) struct Run {
    template: Vec<u8>,
    sum: u64,
    count: u64,
    /// Whether payloads come back.
    pub(crate) out: bool,
}

impl Run {
    fn new(out: bool, budget: Budget) -> Run {
        let mut random = 1_u64;
        let mut template = Vec::with_capacity(SIZE);
        while template.len() < SIZE {
            // Bytes of all values: some codecs write small ones shorter.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            template.extend_from_slice(&random.to_le_bytes());
        }
        let sum = add_up(&template).wrapping_sub(word(&template));
        Run { template, sum, count: budget.operations.clamp(FIRST, MOST), out }
    }

    /// Runs a few payloads through `pass`, and then the round's with the clock.
    pub(crate) fn measure(&self, mut pass: impl FnMut(u64) -> Result<(), Trouble>) -> Result<Sample, Trouble> {
        pass(WARM)?;
        let begin = Instant::now();
        pass(self.count)?;
        Ok(Sample::Timed { operations: self.count, elapsed: begin.elapsed() })
    }

    /// The payload of this number.
    pub(crate) fn payload(&self, number: u64) -> Vec<u8> {
        let mut payload = self.template.clone();
        payload[..8].copy_from_slice(&number.to_le_bytes());
        payload
    }

    /// Checks what the task made of a payload: its sum, or that of the payload which came back.
    pub(crate) fn check(&self, number: u64, sum: u64) -> Result<(), Trouble> {
        let added = if self.out { (SIZE / PAGE) as u64 } else { 0 };
        if sum == self.sum.wrapping_add(number).wrapping_add(added) { Ok(()) } else { Err(Trouble::failed(format!("payload {number} is not what was sent"))) }
    }
}

/// The task of payloads in.
pub(crate) fn add_up(payload: &[u8]) -> u64 {
    payload.chunks(PAGE).map(word).fold(0, u64::wrapping_add)
}

/// The task of payloads in and out.
pub(crate) fn add_one(payload: &mut [u8]) {
    for page in payload.chunks_mut(PAGE) {
        let more = word(page).wrapping_add(1);
        page[..8].copy_from_slice(&more.to_le_bytes());
    }
}

fn word(page: &[u8]) -> u64 {
    page.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
