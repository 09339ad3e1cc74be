//! How long a message of 16 bytes is under way. This file defines the two conversations, what is timed and how it is checked, the same for every subject; it does not know how a message
//! travels.
//!
//! Both sides know the page: its counter holds the receiver's pid, word 0 how many messages it has dealt with.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::harness::crew::{Crew, Inherited};
use crate::harness::member::{self, Report};
use crate::harness::shared::SharedPage;
use crate::harness::{Budget, Percentiles, Sample, Scenario, Trouble, Unit};
use crate::ours::latency as ours;
use crate::peers::{heavy, raw_latency};

pub(crate) fn scenarios() -> Vec<Scenario> {
    let ns = Unit::Each("ns one way", 1e-9);
    let both = Shape::Spinning;
    let spinning = Scenario::new("latency/spinning", "16B", ns, SPINNING)
        .ours("try_get again and again", FIRST, move |budget| ours::round(both, ours::Style::Polling, budget))
        .ours("get", FIRST, move |budget| ours::round(both, ours::Style::Waiting, budget))
        .limit("a word of memory", FIRST, move |budget| raw_latency::round(both, raw_latency::Kind::Memory, budget));
    let asleep = Shape::Asleep;
    let sleeping = Scenario::new("latency/asleep", "16B", ns, ASLEEP)
        .ours("get", FIRST_ASLEEP, move |budget| ours::round(asleep, ours::Style::Waiting, budget))
        .peer("raw futex", FIRST_ASLEEP, move |budget| raw_latency::round(asleep, raw_latency::Kind::Futex, budget))
        .peer("pipe", FIRST_ASLEEP, move |budget| raw_latency::round(asleep, raw_latency::Kind::Pipe, budget));
    vec![heavy::for_latency(spinning, both), heavy::for_latency(sleeping, asleep)]
}

const SPINNING: &str = "Two processes, each pinned to a CPU, and 16 bytes one way and back, over and over, so that the receiver is there already. The sender stamps the time, the receiver reads the clock when it has \
the message: nanoseconds one way, the reading of the clock included. get: sleeps if nothing comes for long, which does not happen here. iceoryx2: asks again and again. A word of memory: the stamp in one cache line, as the limit.";
const ASLEEP: &str = "The same one way only, and the sender waits before each message until the kernel says that the receiver sleeps, and 50 us more. raw futex: the stamp in shared memory, FUTEX_WAIT and FUTEX_WAKE. \
iceoryx2: published as a copy, then its notifier wakes the listener.";

const FIRST: u64 = 20_000;
const FIRST_ASLEEP: u64 = 100;
/// Not timed: joining, mapping, first use.
const WARM: u64 = 20;
const DEALT_WITH: usize = 0;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    Spinning,
    Asleep,
}

impl Shape {
    /// Starts both processes in `role`, the sender first, each with its job, the page and the subject's own arguments.
    pub(crate) fn measure(self, role: &str, own: &[String], page: &SharedPage, budget: Budget) -> Result<Sample, Trouble> {
        let descriptor = Inherited::new(page.descriptor())?;
        let mut crew = Crew::new()?;
        for side in 0..2 {
            let mut arguments = vec![side.to_string(), u8::from(self == Shape::Asleep).to_string(), budget.operations.to_string(), descriptor.number()];
            arguments.extend_from_slice(own);
            crew.role(role, &arguments)?;
        }
        drop(descriptor);
        let (reports, said) = crew.run_to_hear(Some("each"))?;
        let Sample::Timed { operations, elapsed } = Report::sample(&reports, &reports[1..]) else { return Err(Trouble::failed("nothing was timed")) };
        Ok(Sample::Spread { operations, elapsed, each: Percentiles::parse(&said)? })
    }
}

/// What a subject must offer. Both of its ends: what one side sends, the other receives.
pub(crate) trait Courier {
    fn send(&mut self, message: [u64; 2]) -> Result<(), Trouble>;
    fn receive(&mut self) -> Result<[u64; 2], Trouble>;
}

/// One side's part of a round.
pub(crate) struct Job {
    /// 0 sends first, 1 is timed.
    pub(crate) side: usize,
    pub(crate) asleep: bool,
    count: u64,
}

impl Job {
    /// Takes the arguments back and enters the role; the subject's own arguments are left.
    pub(crate) fn enter(arguments: &mut std::slice::Iter<'_, String>) -> Result<(Job, SharedPage), Trouble> {
        let job =
            Job { side: member::next(arguments, "side")?, asleep: member::next::<u8>(arguments, "asleep")? == 1, count: member::next(arguments, "count")? };
        let page = SharedPage::open(member::inherited(&member::next::<String>(arguments, "page")?)?)?;
        member::enter(Some(job.side))?;
        if job.side == 1 {
            page.counter().store(std::process::id() as u64, Ordering::SeqCst);
        }
        Ok((job, page))
    }

    pub(crate) fn work(&self, page: &SharedPage, courier: &mut impl Courier) -> Result<(), Trouble> {
        let start = member::start()?;
        if self.side == 0 {
            for number in 0..self.count + WARM {
                if self.asleep {
                    until_asleep(page, number)?;
                }
                courier.send([member::now(), number])?;
                if !self.asleep {
                    check(courier.receive()?, number)?;
                }
            }
            return member::done(Report { start, end: member::now(), count: self.count, sum: 0 });
        }
        let mut times = Vec::with_capacity(self.count as usize);
        for number in 0..self.count + WARM {
            let message = courier.receive()?;
            let now = member::now();
            check(message, number)?;
            if number >= WARM {
                times.push(now.saturating_sub(message[0]));
            }
            if self.asleep {
                page.word(DEALT_WITH).store(number + 1, Ordering::Release);
            } else {
                courier.send([now, number])?;
            }
        }
        let end = member::now();
        let each = Percentiles::of(times).ok_or_else(|| Trouble::failed("no message was timed"))?;
        member::say(&format!("each {}", each.to_line()))?;
        member::done(Report { start, end, count: self.count, sum: 0 })
    }
}

fn check(message: [u64; 2], number: u64) -> Result<(), Trouble> {
    if message[1] == number { Ok(()) } else { Err(Trouble::failed(format!("message {number} arrived as {}", message[1]))) }
}

/// Until the receiver has dealt with `number` messages and sleeps again, and a little longer: its CPU is idle then.
fn until_asleep(page: &SharedPage, number: u64) -> Result<(), Trouble> {
    let status = format!("/proc/{}/stat", page.counter().load(Ordering::SeqCst));
    let begin = Instant::now();
    loop {
        if page.word(DEALT_WITH).load(Ordering::Acquire) == number {
            // The state is the first letter behind the name, which is in parentheses.
            let text = std::fs::read_to_string(&status)?;
            if text.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S')) {
                break;
            }
        }
        if begin.elapsed() > Duration::from_secs(30) {
            return Err(Trouble::failed("the receiver never slept"));
        }
        std::hint::spin_loop();
    }
    let slept = Instant::now();
    while slept.elapsed() < Duration::from_micros(50) {
        std::hint::spin_loop();
    }
    Ok(())
}
