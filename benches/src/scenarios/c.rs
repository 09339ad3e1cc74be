//! Calls through the C header, beside the same in Rust; and a queue with a C program at one end. This file defines the traffic; it does not know how a C program is built.

use crate::harness::{Scenario, Unit};
use crate::ours::c::{Language, calls, one_to_one};
use crate::peers::zeromq;
use crate::scenarios::queue::Shape;

/// Keys of the dict that is asked, each of which is its own value.
pub(crate) const KEYS: i64 = 1024;

const CALLS: &str = "One process, pinned, alone with its object: a C program by polyproc.h, and a Rust program by the crate. lock: acquire and release. queue: put 16 bytes and get them, read where they \
lie. dict: get an integer by an integer key, of 1024. Nanoseconds for all of it; what the header costs is the difference.";
const ONE_TO_ONE: &str = "As queue/1to1, one message per call, with a C program as the producer, or at both ends. ZeroMQ: PUSH and PULL between two C++ programs. Rust to Rust: both ends by the crate, as the limit.";

/// What is called.
#[derive(Clone, Copy)]
pub(crate) enum Calls {
    Lock,
    Queue,
    Dict,
}

impl Calls {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Calls::Lock => "lock",
            Calls::Queue => "queue",
            Calls::Dict => "dict",
        }
    }
}

pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for what in [Calls::Lock, Calls::Queue, Calls::Dict] {
        let scenario = Scenario::new("c/call", what.name(), Unit::Each("ns", 1e-9), CALLS);
        let scenario = scenario.ours("the C header", 100_000, move |budget| calls(what, Language::C, budget));
        all.push(scenario.limit("Rust", 100_000, move |budget| calls(what, Language::Rust, budget)));
    }
    for (label, size) in [("128B", 128), ("64KiB", 64 << 10)] {
        let shape = Shape { producers: 1, consumers: 1, size };
        let way = |from, to| move |budget| one_to_one(shape, from, to, budget);
        all.push(
            Scenario::new("c/1to1", label, Unit::PerSecond("msg/s"), ONE_TO_ONE)
                .ours("C to Rust", shape.first(), way(Language::C, Language::Rust))
                .ours("C to C", shape.first(), way(Language::C, Language::C))
                .peer("ZeroMQ", shape.first() / 8, move |budget| zeromq::round(shape, budget))
                .limit("Rust to Rust", shape.first(), way(Language::Rust, Language::Rust)),
        );
    }
    all
}
