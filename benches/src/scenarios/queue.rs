//! Byte messages through one queue: P producer processes to C consumer processes. This file defines the traffic and its checks, the same
//! for every subject; it does not know how a subject carries a message.
//!
//! A message of sequence number `n` holds `n` in its first 8 bytes and `!n` in its last 8 (16 bytes: nothing else). Producer `p` sends
//! the numbers `p * each .. (p + 1) * each`. Every consumer takes the same number of messages, looks at both ends of every one,
//! and reports the sum of the numbers; a single producer's must also arrive in order.

use std::ops::Range;

use crate::harness::crew::Crew;
use crate::harness::member::{self, Report};
use crate::harness::{Budget, Sample, Scenario, Trouble, Unit};
use crate::ours::queue::{self as ours, Style};
use crate::peers::{boost, channels, heavy, ipc_channel, os_queue, zeromq};

const SIZES: [(&str, usize); 5] = [("16B", 16), ("128B", 128), ("1KiB", 1 << 10), ("64KiB", 64 << 10), ("1MiB", 1 << 20)];
const MESSAGES: Unit = Unit::PerSecond("msg/s");
const LARGE: usize = 64 << 10;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for (label, size) in SIZES {
        let shape = Shape { producers: 1, consumers: 1, size };
        let mut scenario = with_ours(Scenario::new("queue/1to1", label, MESSAGES, ONE_TO_ONE), shape)
            .peer("boost message_queue", shape.first(), move |budget| boost::round(shape, budget))
            .peer("ZeroMQ", shape.first() / 8, move |budget| zeromq::round(shape, budget))
            .peer("ipc-channel bytes", shape.first() / 8, move |budget| ipc_channel::round(shape, budget))
            .peer("pipe", shape.first() / 8, move |budget| os_queue::round(shape, os_queue::Kind::Pipe, budget));
        if size <= LARGE {
            // A packet is one buffer of the kernel's: large ones do not go.
            scenario = scenario.peer("SEQPACKET", shape.first() / 8, move |budget| os_queue::round(shape, os_queue::Kind::Packets, budget));
        }
        scenario = with_crossbeam(heavy::for_queue(scenario, shape), shape);
        if let Some(rtrb) = inline(size, [channels::rtrb::<16>, channels::rtrb::<128>, channels::rtrb::<1024>]) {
            scenario = scenario.limit("rtrb (threads)", shape.first(), move |budget| rtrb(shape, budget));
        }
        all.push(scenario);
    }
    for (label, size) in SIZES {
        let shape = Shape { producers: 4, consumers: 4, size };
        let scenario = with_ours(Scenario::new("queue/4to4", label, MESSAGES, FOUR_TO_FOUR), shape)
            .peer("boost message_queue", shape.first(), move |budget| boost::round(shape, budget))
            .peer("ZeroMQ", shape.first() / 8, move |budget| zeromq::round(shape, budget));
        all.push(with_crossbeam(scenario, shape));
    }
    let shape = Shape { producers: 4, consumers: 1, size: 128 };
    let scenario = with_ours(Scenario::new("queue/4to1", "128B", MESSAGES, FOUR_TO_ONE), shape)
        .peer("boost message_queue", shape.first(), move |budget| boost::round(shape, budget))
        .peer("ZeroMQ", shape.first() / 8, move |budget| zeromq::round(shape, budget))
        .peer("ipc-channel bytes", shape.first() / 8, move |budget| ipc_channel::round(shape, budget));
    all.push(with_crossbeam(scenario, shape));
    all
}

/// Channels that carry their messages inside: only for the sizes that would be carried so.
pub(crate) fn with_crossbeam(scenario: Scenario, shape: Shape) -> Scenario {
    match inline(shape.size, [channels::crossbeam::<16>, channels::crossbeam::<128>, channels::crossbeam::<1024>]) {
        Some(crossbeam) => scenario.limit("crossbeam (threads)", shape.first(), move |budget| crossbeam(shape, budget)),
        None => scenario,
    }
}

type ByThreads = fn(Shape, Budget) -> Result<Sample, Trouble>;

fn inline(size: usize, of: [ByThreads; 3]) -> Option<ByThreads> {
    [16, 128, 1024].iter().position(|&known| known == size).map(|index| of[index])
}

const ONE_TO_ONE: &str = "One producer process pinned to a CPU, one consumer process pinned to another, a bounded queue (1024 messages; 64 of \
64 KiB, 16 of 1 MiB). The producer stamps both ends of a 64-byte aligned buffer and sends it; the consumer checks order and both ends of every message. \
put/get: one message per call; the bytes are copied in, and read in place where they lie. put_many/get_many: the same, 16 messages per call from 16 buffers (1 MiB or 16 MiB of them for the large sizes, which no longer fit the near caches). loan: built in \
place, no copy. Boost: copied in, copied out into a 64-byte aligned buffer. ZeroMQ: PUSH and PULL over ipc://, copied in, read in place. iceoryx2: copy: copied in, read in place; loan: built in place; the consumer asks again and again \
(polling), and is never asleep. ipc-channel: its bytes channel, copied in and out by the kernel; its capacity is \
the socket buffer's. pipe: messages of one size known to both, without any frame; SEQPACKET: a packet each. crossbeam, rtrb: threads of one process, the message inside the channel, as limits; rtrb's turn in a circle where they would wait.";
const FOUR_TO_FOUR: &str = "As 1to1 with four producers and four consumers, not pinned; each consumer takes a quarter of the messages; count, sum and \
both ends of every message are checked. ZeroMQ has no bound here: a consumer that is full would be passed over. ipc-channel is not here: its receiver cannot be shared (see queue/4to1).";
const FOUR_TO_ONE: &str = "As 4to4 with one consumer, so that ipc-channel can take part.";

pub(crate) fn with_ours(scenario: Scenario, shape: Shape) -> Scenario {
    let scenario = scenario.ours("put/get", shape.first(), move |budget| ours::round(shape, Style::One, budget)).ours(
        "put_many/get_many of 16",
        shape.first(),
        move |budget| ours::round(shape, Style::Many, budget),
    );
    if shape.size < LARGE {
        return scenario;
    }
    scenario.ours("loan", shape.first(), move |budget| ours::round(shape, Style::Loan, budget))
}

/// Who sends what to whom.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) producers: u64,
    pub(crate) consumers: u64,
    pub(crate) size: usize,
}

impl Shape {
    /// Messages that a bounded queue holds.
    pub(crate) fn capacity(self) -> usize {
        match self.size {
            0..LARGE => 1024,
            LARGE..0x10_0000 => 64,
            0x10_0000..0x100_0000 => 16,
            _ => 4,
        }
    }

    /// A first guess for calibration.
    pub(crate) fn first(self) -> u64 {
        match self.size {
            0..LARGE => 40_000,
            LARGE..0x100_0000 => 800,
            _ => 16,
        }
    }

    /// The jobs of a round: producers first. Every producer and every consumer has the same number of messages, a multiple of 16.
    pub(crate) fn jobs(self, budget: Budget) -> Vec<Job> {
        let total = budget.operations.next_multiple_of(16 * self.producers.max(self.consumers));
        let pinned = self.producers == 1 && self.consumers == 1;
        let job = |part, parts, produces: bool| Job {
            produces,
            size: self.size,
            first: part * (total / parts),
            count: total / parts,
            ordered: self.producers == 1 && self.consumers == 1,
            core: pinned.then_some(usize::from(!produces)),
        };
        let producers = (0..self.producers).map(|part| job(part, self.producers, true));
        producers.chain((0..self.consumers).map(|part| job(part, self.consumers, false))).collect()
    }

    /// Lets a crew of producers (first) and consumers go and checks what arrived.
    pub(crate) fn measure(self, crew: Crew) -> Result<Sample, Trouble> {
        self.sample(&crew.run()?)
    }

    pub(crate) fn sample(self, reports: &[Report]) -> Result<Sample, Trouble> {
        let (sent, received) = reports.split_at(self.producers as usize);
        let total = |reports: &[Report]| reports.iter().fold((0, 0_u64), |(count, sum), one| (count + one.count, sum.wrapping_add(one.sum)));
        if total(sent) != total(received) {
            return Err(Trouble::failed(format!("(count, sum) of what was sent is {:?}, of what arrived {:?}", total(sent), total(received))));
        }
        Ok(Report::sample(reports, received))
    }
}

/// One process's part of a round.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) produces: bool,
    pub(crate) size: usize,
    pub(crate) first: u64,
    pub(crate) count: u64,
    pub(crate) ordered: bool,
    pub(crate) core: Option<usize>,
}

impl Job {
    /// As arguments, for our roles and for other programs.
    pub(crate) fn arguments(&self) -> Vec<String> {
        vec![
            if self.produces { "produce" } else { "consume" }.to_owned(),
            self.size.to_string(),
            self.first.to_string(),
            self.count.to_string(),
            if self.ordered { "ordered" } else { "any" }.to_owned(),
            self.core.map_or_else(|| "-".to_owned(), |core| core.to_string()),
        ]
    }

    /// Takes the arguments back and enters the role.
    pub(crate) fn enter(arguments: &mut std::slice::Iter<'_, String>) -> Result<Job, Trouble> {
        let job = Job {
            produces: member::next::<String>(arguments, "direction")? == "produce",
            size: member::next(arguments, "message size")?,
            first: member::next(arguments, "first number")?,
            count: member::next(arguments, "count")?,
            ordered: member::next::<String>(arguments, "order")? == "ordered",
            core: member::core(&member::next::<String>(arguments, "core")?),
        };
        member::enter(job.core)?;
        Ok(job)
    }

    /// Sends every message: `put` stamps and sends the numbers it is given, at most `step` of them.
    pub(crate) fn produce(&self, step: u64, put: impl FnMut(Range<u64>) -> Result<(), Trouble>) -> Result<(), Trouble> {
        member::done(self.send_all(member::start()?, step, put)?)
    }

    /// The same for a thread, which has no gate of its own.
    pub(crate) fn send_all(&self, start: u64, step: u64, mut put: impl FnMut(Range<u64>) -> Result<(), Trouble>) -> Result<Report, Trouble> {
        let end = self.first + self.count;
        let mut next = self.first;
        while next < end {
            let upto = end.min(next + step);
            put(next..upto)?;
            next = upto;
        }
        let sum = (self.first..end).fold(0, u64::wrapping_add);
        Ok(Report { start, end: member::now(), count: self.count, sum })
    }

    /// Takes every message: `get` shows what it received to the check, at least one message and at most as many as are wanted.
    pub(crate) fn consume(&self, get: impl FnMut(&mut Check, u64) -> Result<(), Trouble>) -> Result<(), Trouble> {
        member::done(self.take_all(member::start()?, get)?)
    }

    /// The same for a thread.
    pub(crate) fn take_all(&self, start: u64, mut get: impl FnMut(&mut Check, u64) -> Result<(), Trouble>) -> Result<Report, Trouble> {
        let mut check = Check { size: self.size, ordered: self.ordered, count: 0, sum: 0, wrong: None };
        while check.count < self.count {
            let wanted = self.count - check.count;
            get(&mut check, wanted)?;
        }
        let end = member::now();
        match check.wrong {
            Some(wrong) => Err(Trouble::failed(wrong)),
            None => Ok(Report { start, end, count: check.count, sum: check.sum }),
        }
    }
}

/// Looks at every message that arrives.
pub(crate) struct Check {
    size: usize,
    ordered: bool,
    count: u64,
    sum: u64,
    wrong: Option<String>,
}

impl Check {
    #[inline]
    pub(crate) fn see(&mut self, message: &[u8]) {
        let number = message.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let last = message.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        if message.len() != self.size || last != !number || (self.ordered && number != self.count) {
            self.wrong.get_or_insert_with(|| format!("message {}: {} bytes, number {number}, last bytes {last:x}", self.count, message.len()));
        }
        self.count += 1;
        self.sum = self.sum.wrapping_add(number);
    }
}

/// Writes a message's number into both of its ends.
#[inline]
pub(crate) fn stamp(message: &mut [u8], number: u64) {
    if let Some(bytes) = message.first_chunk_mut() {
        *bytes = number.to_le_bytes();
    }
    if let Some(bytes) = message.last_chunk_mut() {
        *bytes = (!number).to_le_bytes();
    }
}

/// A message's buffer, 64-byte aligned like those of every subject.
pub(crate) struct Payload {
    bytes: Vec<u8>,
    offset: usize,
    length: usize,
}

impl Payload {
    pub(crate) fn new(length: usize) -> Payload {
        let bytes = vec![0x5a; length + 64];
        let offset = bytes.as_ptr().align_offset(64);
        Payload { bytes, offset, length }
    }

    #[inline]
    pub(crate) fn stamped(&mut self, number: u64) -> &[u8] {
        let message = self.room();
        stamp(message, number);
        message
    }

    /// The buffer, for what receives into one.
    #[inline]
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.offset..self.offset + self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_share_the_numbers_out() {
        let budget = Budget { operations: 1000, time: std::time::Duration::ZERO };
        let jobs = Shape { producers: 4, consumers: 1, size: 128 }.jobs(budget);
        let sent: Vec<(u64, u64)> = jobs.iter().filter(|job| job.produces).map(|job| (job.first, job.count)).collect();
        assert_eq!(sent, [(0, 256), (256, 256), (512, 256), (768, 256)]);
        assert_eq!(jobs[4].count, 1024);
    }

    #[test]
    fn the_check_sees_a_torn_a_late_and_a_short_message() {
        let check = || Check { size: 16, ordered: true, count: 0, sum: 0, wrong: None };
        let mut payload = Payload::new(16);
        let mut good = check();
        good.see(payload.stamped(0));
        good.see(payload.stamped(1));
        assert_eq!((good.wrong, good.count, good.sum), (None, 2, 1));
        let mut torn = payload.stamped(0).to_vec();
        torn[15] ^= 1;
        let late = payload.stamped(1).to_vec();
        for bad in [&torn[..], &late, &payload.stamped(0)[..8]] {
            let mut check = check();
            check.see(bad);
            assert!(check.wrong.is_some());
        }
    }
}
