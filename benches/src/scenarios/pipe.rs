//! Two processes and a pipe between them. This file defines the loops and their checks, the same for every subject; it does not know how a pipe is made.

use crate::harness::crew::Crew;
use crate::harness::member::{self, Report};
use crate::harness::{Budget, Sample, Scenario, Trouble, Unit};
use crate::ours::pipe as ours;
use crate::peers::{ipc_channel_pipe as ipc_channel, std_pipe};

const STREAM: &str = "One process sends messages as fast as it can, another receives each into a buffer of its own; each pinned to a CPU. Messages per second; both ends of every message are \
checked. All of these go through the kernel; two polyproc processes that share a fabric would use a queue.";
const ROUND: &str = "One message of 64 B there and one back; each process pinned to a CPU. Microseconds for both.";

pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for (size, label) in [(64, "64B"), (1024, "1KiB"), (64 << 10, "64KiB"), (1 << 20, "1MiB")] {
        all.push(with_all(Scenario::new("pipe/stream", label, Unit::PerSecond("msg/s"), STREAM), Shape { size, answers: false }));
    }
    all.push(with_all(Scenario::new("pipe/round-trip", "64B", Unit::Each("us", 1e-6), ROUND), Shape { size: 64, answers: true }));
    all
}

fn with_all(scenario: Scenario, shape: Shape) -> Scenario {
    let first = if shape.size > 10_000 { 300 } else { 5_000 };
    let scenario = scenario
        .ours("Connection", first, move |budget| ours::round(shape, budget))
        .peer("std pipe", first, move |budget| std_pipe::round(shape, std_pipe::Kind::Pipe, budget))
        .peer("ipc-channel", first, move |budget| ipc_channel::round(shape, budget));
    // A packet is one buffer of the kernel's: large ones do not go.
    if shape.size > 100_000 { scenario } else { scenario.peer("SEQPACKET", first, move |budget| std_pipe::round(shape, std_pipe::Kind::Packets, budget)) }
}

/// How long a message is, and whether each is answered.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    size: usize,
    answers: bool,
}

impl Shape {
    /// The arguments of the side that sends first, and of the other.
    pub(crate) fn jobs(self, budget: Budget) -> [Vec<String>; 2] {
        [true, false].map(|first| vec![u8::from(first).to_string(), self.size.to_string(), u8::from(self.answers).to_string(), budget.operations.to_string()])
    }

    pub(crate) fn measure(self, crew: Crew) -> Result<Sample, Trouble> {
        let reports = crew.run()?;
        // A stream is done when the last message was received, a conversation when the last answer was.
        let timed = usize::from(!self.answers);
        Ok(Report::sample(&reports, &reports[timed..=timed]))
    }
}

/// What a subject must offer.
pub(crate) trait Pipe {
    fn send(&mut self, message: &[u8]) -> Result<(), Trouble>;
    /// Receives the next message into `buffer`, which has its length.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<(), Trouble>;
}

/// One side's part of a round.
pub(crate) struct Job {
    pub(crate) first: bool,
    size: usize,
    answers: bool,
    count: u64,
}

impl Job {
    /// Takes the arguments back and enters the role; the subject's own arguments are left.
    pub(crate) fn enter(arguments: &mut std::slice::Iter<'_, String>) -> Result<Job, Trouble> {
        let job = Job {
            first: member::next::<u8>(arguments, "side")? == 1,
            size: member::next(arguments, "size")?,
            answers: member::next::<u8>(arguments, "answers")? == 1,
            count: member::next(arguments, "count")?,
        };
        member::enter(Some(usize::from(!job.first)))?;
        Ok(job)
    }

    pub(crate) fn work(&self, pipe: &mut impl Pipe) -> Result<(), Trouble> {
        let mut buffer = vec![0; self.size];
        let start = member::start()?;
        for number in 0..self.count {
            if self.first {
                stamp(&mut buffer, number);
                pipe.send(&buffer)?;
                if self.answers {
                    pipe.receive(&mut buffer)?;
                    check(&buffer, !number)?;
                }
            } else {
                pipe.receive(&mut buffer)?;
                check(&buffer, number)?;
                if self.answers {
                    stamp(&mut buffer, !number);
                    pipe.send(&buffer)?;
                }
            }
        }
        member::done(Report { start, end: member::now(), count: self.count, sum: 0 })
    }
}

fn stamp(message: &mut [u8], number: u64) {
    let end = message.len() - 8;
    message[..8].copy_from_slice(&number.to_le_bytes());
    message[end..].copy_from_slice(&number.to_le_bytes());
}

fn check(message: &[u8], number: u64) -> Result<(), Trouble> {
    if message[..8] == number.to_le_bytes() && message[message.len() - 8..] == number.to_le_bytes() {
        Ok(())
    } else {
        Err(Trouble::failed(format!("message {number} is not what was sent")))
    }
}
