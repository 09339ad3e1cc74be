//! What an idle object costs in memory and descriptors. Counted, not timed.

use crate::harness::{Scenario, Unit};
use crate::ours::cost as ours;
use crate::peers::{boost, ipc_channel, procspawn};

const BYTES: Unit = Unit::Amount("bytes");
const DESCRIPTORS: Unit = Unit::Amount("descriptors");
/// The queue whose memory is compared: 1024 messages of 128 bytes.
const CAPACITY: usize = 1024;
const SIZE: usize = 128;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("cost/fabric", "bytes", BYTES, FABRIC).ours("idle Fabric", 1, |_| ours::fabric_bytes()),
        Scenario::new("cost/fabric", "descriptors", DESCRIPTORS, FABRIC_DESCRIPTORS).ours("idle Fabric", 1, |_| ours::fabric_descriptors()),
        Scenario::new("cost/queue", "bytes", BYTES, QUEUE)
            .ours("idle BytesQueue", 1, |_| ours::queue_bytes(CAPACITY))
            .peer("boost message_queue", 1, |_| boost::idle_bytes(CAPACITY, SIZE)),
        Scenario::new("cost/queue", "bytes-once-full", BYTES, USED_QUEUE).ours("used BytesQueue", 1, |_| ours::used_queue_bytes(CAPACITY, SIZE)).peer(
            "boost message_queue",
            1,
            |_| boost::used_bytes(CAPACITY, SIZE),
        ),
        Scenario::new("cost/queue", "descriptors", DESCRIPTORS, QUEUE_DESCRIPTORS).ours("idle BytesQueue", 1, |_| ours::queue_descriptors()).peer(
            "ipc-channel bytes",
            1,
            |_| ipc_channel::descriptors(),
        ),
        Scenario::new("cost/member", "bytes", BYTES, MEMBER).ours("member process", 1, |_| ours::member_bytes()),
        Scenario::new("cost/member", "descriptors", DESCRIPTORS, MEMBER_DESCRIPTORS).ours("member process", 1, |_| ours::member_descriptors()),
        Scenario::new("cost/process", "descriptors", DESCRIPTORS, PROCESS)
            .ours("Process child", 1, |_| ours::process_descriptors())
            .ours("Pool worker", 1, |_| ours::worker_descriptors())
            .peer("procspawn child", 1, |_| procspawn::child_descriptors()),
    ]
}

const FABRIC: &str = "Memory behind a private fabric (st_blocks of its descriptor) that one process has made and joined, with nothing in it. \
Aim: under 1 MiB.";
const FABRIC_DESCRIPTORS: &str = "Descriptors that making and joining it adds to the process. Aim: at most 4 a process, for everything.";
const QUEUE: &str = "Memory that a bounded queue of 1024 messages adds to a fabric, on average over 64 queues; Boost: a queue of 1024 messages of 128 bytes, \
made and never used (its slots are not touched before their first use).";
const USED_QUEUE: &str = "The same queues after 1024 messages of 128 bytes were in them at once; ours were taken out again.";
const QUEUE_DESCRIPTORS: &str = "Descriptors that a queue adds to the process that makes it.";
const MEMBER: &str = "Memory that one more process adds to a fabric by joining it.";
const MEMBER_DESCRIPTORS: &str = "Descriptors that joining adds to that process, not counting the one it inherited.";
const PROCESS: &str = "Descriptors open in a child started by the library while it runs a task, the three standard ones not counted. Aim: at most 4.";
