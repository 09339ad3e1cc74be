//! How cost grows: the same work with more of it, more bytes, more entries, more processes. Each series is a curve of the book. The work is that of the other scenarios; only the numbers
//! are here.

use super::{dict, list, lock, members, queue};
use crate::harness::{Scenario, Unit};
use crate::peers::pthread::Kind;
use crate::peers::{boost, boost_map, dashmap, heavy, os_queue, procspawn, pthread, rayon, zeromq};
use crate::{ours, ours::queue::Style};

const QUEUE: &str = "A bounded queue of 1024 messages of 128 B, as many producers as consumers, as in queue/4to4 (one of each: pinned, as in queue/1to1). Messages of all together per second.";
const PAYLOAD: &str = "As queue/1to1, put and get one by one, from 16 B to 64 MiB (from 16 MiB on, the queue holds 4); bytes per second.";
const DICT: &str = "As dict/get with values of 64 B, from a thousand keys to ten million. Each process looks up a million keys (four times the keys there are, if that is less) before the clock starts: its pages are \
mapped then.";
const WARM: u64 = 1_000_000;
const DICT_BYTES: &str = "The memory of such a dict with all its keys, divided by their number: 16 B of key and 64 B of value each. Filled once.";
const POOL: &str = "As pool/noop by apply_async, with 1 to 64 workers. rayon: as many threads.";
const POOL_START: &str = "A pool of so many workers made, as many no-op results fetched, dropped with its processes gone; divided by the number of workers.";
const LOCK: &str = "As lock/contended, 1 to 32 processes at one lock (one or two: pinned). Increments of all together per second.";

/// The first of these, and one more where it is quick; else all.
fn points<T: Copy>(quick: bool, short: usize, all: &[T]) -> Vec<T> {
    if quick { vec![all[0], all[short]] } else { all.to_vec() }
}

pub(crate) fn scenarios(quick: bool) -> Vec<Scenario> {
    let mut all = Vec::new();
    all.extend(points(quick, 2, &[1, 2, 4, 8]).into_iter().map(queues));
    all.extend(points(quick, 2, &[16, 256, 4 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20]).into_iter().map(payload));
    let keys = points(quick, 2, &[1_000, 10_000, 100_000, 1_000_000, 10_000_000]);
    all.extend(keys.iter().map(|&keys| dict_get(keys)));
    all.extend(keys.iter().map(|&keys| dict_bytes(keys)));
    let items = points(quick, 2, &[1_000, 10_000, 100_000, 1_000_000, 10_000_000]);
    all.extend(items.iter().map(|&items| list::append(items)));
    all.extend(items.iter().map(|&items| list::bytes(items)));
    let workers = points(quick, 3, &[1, 2, 4, 8, 16, 32, 64]);
    all.extend(workers.iter().map(|&workers| pool(workers)));
    all.extend(workers.iter().map(|&workers| pool_start(workers)));
    all.extend(points(quick, 3, &[1, 2, 4, 8, 16, 32]).into_iter().map(locks));
    let processes = points(quick, 2, &[1, 10, 100, 1_000]);
    all.extend(processes.iter().map(|&processes| members::join(processes)));
    all.extend(processes.iter().map(|&processes| members::bytes(processes)));
    all
}

fn queues(side: u64) -> Scenario {
    let shape = queue::Shape { producers: side, consumers: side, size: 128 };
    let scenario = Scenario::new("grow/queue", format!("{side}to{side}"), Unit::PerSecond("msg/s"), QUEUE)
        .along("producers, and as many consumers", side as f64)
        .ours("put/get", shape.first(), move |budget| ours::queue::round(shape, Style::One, budget))
        .peer("boost message_queue", shape.first(), move |budget| boost::round(shape, budget))
        .peer("ZeroMQ", shape.first() / 8, move |budget| zeromq::round(shape, budget));
    queue::with_crossbeam(scenario, shape)
}

fn payload(size: usize) -> Scenario {
    let shape = queue::Shape { producers: 1, consumers: 1, size };
    let scenario = Scenario::new("grow/payload", bytes_label(size), Unit::Flow("bytes/s", size as f64), PAYLOAD)
        .along("bytes of a message", size as f64)
        .ours("put/get", shape.first(), move |budget| ours::queue::round(shape, Style::One, budget))
        .peer("boost message_queue", shape.first(), move |budget| boost::round(shape, budget))
        .peer("ZeroMQ", shape.first() / 8, move |budget| zeromq::round(shape, budget))
        .peer("pipe", shape.first() / 8, move |budget| os_queue::round(shape, os_queue::Kind::Pipe, budget));
    heavy::for_copies(scenario, shape)
}

fn dict_shape(keys: u64) -> dict::Shape {
    dict::Shape { processes: 1, size: 64, reads: 100, keys, warm: (4 * keys).min(WARM) }
}

fn dict_get(keys: u64) -> Scenario {
    let shape = dict_shape(keys);
    let (mut ours, mut boost, mut dashmap) = (ours::dict::Side::new(), boost_map::Side::new(), dashmap::Side::new());
    Scenario::new("grow/dict-get", count_label(keys), Unit::Each("ns", 1e-9), DICT)
        .along("keys", keys as f64)
        .ours("dict", dict::FIRST, move |budget| ours.round(shape, budget))
        .peer("boost::unordered_map", dict::FIRST, move |budget| boost.round(shape, budget))
        .limit("dashmap", dict::FIRST, move |budget| dashmap.round(shape, budget))
}

fn dict_bytes(keys: u64) -> Scenario {
    let shape = dict_shape(keys);
    Scenario::new("grow/dict-bytes", count_label(keys), Unit::Amount("bytes a key"), DICT_BYTES)
        .along("keys", keys as f64)
        .ours("dict", 1, list::once(move || ours::dict::bytes(shape)))
        .peer("boost::unordered_map", 1, list::once(move || boost_map::bytes(shape)))
}

fn pool(workers: usize) -> Scenario {
    Scenario::new("grow/pool", format!("{workers}-workers"), Unit::PerSecond("tasks/s"), POOL)
        .along("workers", workers as f64)
        .ours("apply_async", 5000, move |budget| ours::pool::one_by_one(workers, budget))
        .peer("procspawn Pool", 500, move |budget| procspawn::one_by_one(workers, budget))
        .limit("rayon spawn (threads)", 50_000, move |budget| rayon::one_by_one(workers, budget))
}

fn pool_start(workers: usize) -> Scenario {
    Scenario::new("grow/pool-start", format!("{workers}-workers"), Unit::Each("ms a worker", 1e-3 * workers as f64), POOL_START)
        .along("workers", workers as f64)
        .ours("Pool", 1, move |budget| ours::pool::start(workers, budget))
        .peer("procspawn Pool", 1, move |budget| procspawn::start(workers, budget))
        .limit("rayon (threads)", 10, move |budget| rayon::start(workers, budget))
}

fn locks(processes: u64) -> Scenario {
    let shape = lock::Shape { processes, reads: false };
    Scenario::new("grow/lock", format!("{processes}-processes"), Unit::PerSecond("increments/s"), LOCK)
        .along("processes", processes as f64)
        .ours("Lock", lock::FIRST, move |budget| ours::lock::round(shape, ours::lock::Kind::Lock, budget))
        .peer("pthread robust pshared", lock::FIRST, move |budget| pthread::round(shape, Kind::Robust, budget))
        .peer("pthread plain pshared", lock::FIRST, move |budget| pthread::round(shape, Kind::Plain, budget))
}

fn bytes_label(size: usize) -> String {
    match size {
        0..0x400 => format!("{size}B"),
        0x400..0x10_0000 => format!("{}KiB", size >> 10),
        _ => format!("{}MiB", size >> 20),
    }
}

/// A count as a part of a name.
pub(super) fn count_label(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}
