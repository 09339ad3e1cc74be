//! One dict of 100,000 keys that processes share. This file defines the loops and their checks, the same for every subject; it does not know how a dict is made.

use std::time::Duration;

use crate::harness::crew::Crew;
use crate::harness::member::{self, Report};
use crate::harness::{Budget, Sample, Scenario, Trouble, Unit};
use crate::ours::dict as ours;
use crate::peers::{boost_map, dashmap, lmdb, redis};

const GET: &str = "One process, pinned, 100,000 keys of 16 bytes: look a random key up and copy its value out; values of 64 B or 1 KiB.";
const SET: &str = "The same, replacing the value of a random key.";
const MIXED: &str = "Four processes, not pinned, for a fixed time: nine of ten operations look a random key up, one replaces its value. \
dashmap is threads in one process: the limit of what could be had without sharing between processes.";

/// Keys in every dict but those that grow.
const KEYS: u64 = 100_000;
pub(crate) const FIRST: u64 = 20_000;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for (size, label) in [(64, "64B"), (1024, "1KiB")] {
        let unit = Unit::PerSecond("op/s");
        all.push(with_all(Scenario::new("dict/get", label, unit, GET), Shape { processes: 1, size, reads: 100, keys: KEYS, warm: 0 }));
        all.push(with_all(Scenario::new("dict/set", label, unit, SET), Shape { processes: 1, size, reads: 0, keys: KEYS, warm: 0 }));
        all.push(with_all(Scenario::new("dict/90-10-by-4", label, unit, MIXED), Shape { processes: 4, size, reads: 90, keys: KEYS, warm: 0 }));
    }
    all
}

fn with_all(scenario: Scenario, shape: Shape) -> Scenario {
    let (mut ours, mut boost, mut lmdb, mut redis, mut dashmap) =
        (ours::Side::new(), boost_map::Side::new(), lmdb::Side::new(), redis::Side::new(), dashmap::Side::new());
    scenario
        .ours("dict", FIRST, move |budget| ours.round(shape, budget))
        .peer("boost::unordered_map", FIRST, move |budget| boost.round(shape, budget))
        .peer("LMDB", FIRST, move |budget| lmdb.round(shape, budget))
        .peer("redis", FIRST, move |budget| redis.round(shape, budget))
        .limit("dashmap", FIRST, move |budget| dashmap.round(shape, budget))
}

/// How many use the dict, how long a value is, how many of a hundred operations are reads.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) processes: u64,
    pub(crate) size: usize,
    pub(crate) reads: u64,
    pub(crate) keys: u64,
    /// Keys that each process looks up before the clock starts: where the dict is large, its pages are mapped then.
    pub(crate) warm: u64,
}

impl Shape {
    /// One argument list per process.
    pub(crate) fn jobs(self, budget: Budget) -> Vec<Vec<String>> {
        (0..self.processes)
            .map(|process| {
                vec![
                    if self.processes == 1 { budget.operations } else { u64::MAX }.to_string(),
                    if self.processes == 1 { u64::MAX } else { budget.time.as_nanos() as u64 }.to_string(),
                    if self.processes > 1 { "-".to_owned() } else { process.to_string() },
                    self.size.to_string(),
                    self.reads.to_string(),
                    (process + 1).to_string(),
                    self.keys.to_string(),
                    self.warm.to_string(),
                ]
            })
            .collect()
    }

    /// Runs the processes and adds their operations up.
    pub(crate) fn measure(self, crew: Crew) -> Result<Sample, Trouble> {
        Ok(self.sample(&crew.run()?))
    }

    pub(crate) fn sample(self, reports: &[Report]) -> Sample {
        match Report::sample(reports, reports) {
            Sample::Timed { operations, elapsed } if self.processes > 1 => {
                let least = reports.iter().map(|report| report.count).min().unwrap_or(0);
                Sample::Shared { operations, elapsed, least: (least * self.processes) as f64 / operations as f64 }
            }
            alone => alone,
        }
    }
}

/// What a subject must offer.
pub(crate) trait Map {
    /// Copies the value of `key` into `out`, which is empty. False: there is none.
    fn get(&mut self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, Trouble>;
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Trouble>;
    /// Sets many, where that can be had faster than one by one: for the filling, which is not measured.
    fn fill(&mut self, pairs: &mut dyn Iterator<Item = ([u8; 16], Vec<u8>)>) -> Result<(), Trouble> {
        for (key, value) in pairs {
            self.set(&key, &value)?;
        }
        Ok(())
    }
}

/// The key of a number.
pub(crate) fn key(number: u64) -> [u8; 16] {
    let mut key = *b"key-000000000000";
    let mut rest = number;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// A value of that key: its number at both ends.
pub(crate) fn stamp(value: &mut [u8], number: u64) {
    let end = value.len() - 8;
    value[..8].copy_from_slice(&number.to_le_bytes());
    value[end..].copy_from_slice(&number.to_le_bytes());
}

/// Every key with its value.
pub(crate) fn fill(map: &mut impl Map, shape: Shape) -> Result<(), Trouble> {
    map.fill(&mut (0..shape.keys).map(|number| {
        let mut value = vec![0; shape.size];
        stamp(&mut value, number);
        (key(number), value)
    }))
}

/// One process's part of a round.
pub(crate) struct Job {
    count: u64,
    time: Duration,
    core: Option<usize>,
    size: usize,
    reads: u64,
    seed: u64,
    keys: u64,
    warm: u64,
}

impl Job {
    /// Takes the arguments back; the subject's own are left.
    pub(crate) fn parse(arguments: &mut std::slice::Iter<'_, String>) -> Result<Job, Trouble> {
        Ok(Job {
            count: member::next(arguments, "count")?,
            time: Duration::from_nanos(member::next(arguments, "time")?),
            core: member::core(&member::next::<String>(arguments, "core")?),
            size: member::next(arguments, "size")?,
            reads: member::next(arguments, "reads")?,
            seed: member::next(arguments, "seed")?,
            keys: member::next(arguments, "number of keys")?,
            warm: member::next(arguments, "number of keys before the start")?,
        })
    }

    /// The same, at the beginning of a role.
    pub(crate) fn enter(arguments: &mut std::slice::Iter<'_, String>) -> Result<Job, Trouble> {
        let job = Job::parse(arguments)?;
        member::enter(job.core)?;
        Ok(job)
    }

    /// The whole of a role.
    pub(crate) fn work(&self, map: &mut impl Map) -> Result<(), Trouble> {
        // The first pass through a dict joins and maps; it is not what is measured.
        map.get(&key(0), &mut Vec::new())?;
        let (mut out, mut random) = (Vec::new(), !self.seed);
        for _ in 0..self.warm {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            out.clear();
            map.get(&key((random >> 16) % self.keys), &mut out)?;
        }
        let start = member::start()?;
        member::done(self.run(map, start)?)
    }

    /// Operations until the count or the time is reached; the clock is read every 64.
    pub(crate) fn run(&self, map: &mut impl Map, start: u64) -> Result<Report, Trouble> {
        let until = start.saturating_add(self.time.as_nanos() as u64);
        let (mut value, mut out, mut random, mut done) = (vec![0; self.size], Vec::with_capacity(self.size), self.seed, 0);
        while done < self.count && (until == u64::MAX || member::now() < until) {
            let some = 64.min(self.count - done);
            for _ in 0..some {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let number = (random >> 16) % self.keys;
                if random % 100 < self.reads {
                    out.clear();
                    let found = map.get(&key(number), &mut out)?;
                    if !found || out.len() != self.size || out[..8] != number.to_le_bytes() || out[self.size - 8..] != number.to_le_bytes() {
                        return Err(Trouble::failed(format!("key {number} has a value of {} bytes that is not its own", out.len())));
                    }
                } else {
                    stamp(&mut value, number);
                    map.set(&key(number), &value)?;
                }
            }
            done += some;
        }
        Ok(Report { start, end: member::now(), count: done, sum: 0 })
    }
}
