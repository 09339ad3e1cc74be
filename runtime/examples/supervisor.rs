//! A supervisor that survives its workers being killed: it runs calls on a pool, kills workers at random, shows progress and events, and ends with a trace file.
//!
//! `cargo run --release --example supervisor [-- SECONDS [TRACE.json]]`. It ends with code 0 only if every call was settled, and every one that was not in a killed worker's hands returned its value.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use polyproc::{AsyncResult, ErrorKind, LogLevel, Pool, Progress, task};
use rustix::process::{Pid, Signal, kill_process};

const WORKERS: usize = 4;
/// A worker is killed that often.
const EVERY: Duration = Duration::from_millis(120);
/// Calls that are submitted at once.
const WAVE: u64 = 500;
/// Events that the pool keeps.
const EVENTS: usize = 1 << 16;

/// Some work: how many steps the number takes down to 1, where an even one is halved and an odd one becomes three times as much and one; counted many times over.
#[task]
fn collatz(from: u64) -> u64 {
    (0..400).map(|_| walk(std::hint::black_box(from))).max().unwrap_or_default()
}

fn walk(mut n: u64) -> u64 {
    let mut steps = 0;
    while n > 1 {
        n = if n.is_multiple_of(2) { n / 2 } else { 3 * n + 1 };
        steps += 1;
    }
    steps
}

/// What became of the calls.
#[derive(Default)]
struct Tally {
    good: u64,
    died: u64,
    /// What must not be: by its sentence, how often.
    bad: BTreeMap<String, u64>,
}

impl Tally {
    fn add(&mut self, n: u64, result: polyproc::Result<u64>) {
        match result {
            Ok(value) if value == walk(n) => self.good += 1,
            Ok(value) => *self.bad.entry(format!("collatz({n}) was {value}")).or_default() += 1,
            Err(error) if error.kind() == ErrorKind::WorkerDied => self.died += 1,
            Err(error) => *self.bad.entry(error.to_string()).or_default() += 1,
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().map_or(Ok(3.0), |text| text.parse::<f64>());
    let (Ok(seconds), trace) = (seconds, arguments.next().map(PathBuf::from)) else {
        eprintln!("usage: supervisor [SECONDS [TRACE.json]]");
        return ExitCode::from(2);
    };
    let trace = trace.unwrap_or_else(|| std::env::temp_dir().join("polyproc-supervisor.json"));
    match run(Duration::from_secs_f64(seconds.clamp(0.1, 3600.0)), &trace) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("supervisor: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all went well.
fn run(time: Duration, trace: &std::path::Path) -> polyproc::Result<bool> {
    polyproc::log_to_stderr(LogLevel::ERROR)?;
    let pool = Pool::builder().workers(WORKERS).events(EVENTS).build()?;
    pool.on_progress(Duration::from_millis(500), show)?;
    let (began, mut next_kill, mut killed) = (Instant::now(), Instant::now() + EVERY, 0);
    let (mut tally, mut submitted, mut dice) = (Tally::default(), 0, u64::from(std::process::id()) | 1);
    let mut waiting: Vec<(u64, AsyncResult<u64>)> = Vec::new();
    while began.elapsed() < time || !waiting.is_empty() {
        if waiting.is_empty() {
            for n in submitted + 1..=submitted + WAVE {
                waiting.push((n, pool.apply_async(collatz, (n,))?));
            }
            submitted += WAVE;
        }
        // The oldest, but no longer than until the next kill is due.
        if waiting[0].1.wait(Some(next_kill.saturating_duration_since(Instant::now()))) {
            let (n, result) = waiting.remove(0);
            tally.add(n, result.get());
        }
        if Instant::now() >= next_kill {
            killed += u64::from(kill_one(&pool, &mut dice));
            next_kill = Instant::now() + EVERY;
        }
    }
    pool.close();
    pool.join()?;
    report(&pool, &tally, submitted, killed);
    pool.trace(trace)?;
    println!("the whole run as a picture: load {} at https://ui.perfetto.dev", trace.display());
    Ok(tally.bad.is_empty() && tally.good + tally.died == submitted && tally.died <= killed)
}

/// Kills a worker that has shown that it works; false if there is none.
fn kill_one(pool: &Pool, dice: &mut u64) -> bool {
    *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let workers: Vec<_> = pool.workers().into_iter().filter(|worker| worker.ready && worker.finished > 0).collect();
    let Some(victim) = workers.get((*dice >> 33) as usize % workers.len().max(1)) else { return false };
    // The pool has not collected it, so the pid is its own, if it is dead already, too.
    Pid::from_raw(victim.pid as i32).is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
}

fn show(progress: &Progress) {
    println!("{} calls: {} done, {} failed, {} running, {} queued", progress.submitted, progress.done, progress.failed, progress.running, progress.queued);
    for worker in &progress.workers {
        let since = worker.since.map_or_else(String::new, |since| format!(" for {:.1} ms", since.elapsed().as_secs_f64() * 1e3));
        let busy = worker.busy_with.as_deref().map_or_else(|| "idle".into(), |task| format!("in {task}{since}"));
        println!("  worker {:>3} (pid {}): {} finished, {busy}", worker.number, worker.pid, worker.finished);
    }
}

fn report(pool: &Pool, tally: &Tally, submitted: u64, killed: u64) {
    println!("{submitted} calls: {} returned, {} were in a worker that was killed; {killed} workers were killed", tally.good, tally.died);
    for (what, count) in &tally.bad {
        println!("{count} x {what}");
    }
    let Some(history) = pool.events().and_then(|events| events.read().ok()) else { return };
    let count = |kind| history.events.iter().filter(|event| event.kind == kind).count();
    let [started, again, gone] = [polyproc::trace::STARTED, polyproc::trace::RESTARTED, polyproc::trace::GONE].map(count);
    println!(
        "events: {started} workers started, {again} started again, {gone} gone; {} events in all, {} overwritten, {} torn",
        history.next, history.overwritten, history.torn
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_settled_while_workers_are_killed() {
        let trace = std::env::temp_dir().join(format!("polyproc-supervisor-{}.json", std::process::id()));
        let went_well = run(Duration::from_secs(1), &trace).unwrap();
        let text = std::fs::read_to_string(&trace).unwrap();
        std::fs::remove_file(&trace).unwrap();
        assert!(went_well);
        let trace: serde_json::Value = serde_json::from_str(&text).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        for phase in ["M", "X", "i"] {
            assert!(events.iter().any(|event| event["ph"] == phase), "{phase}");
        }
    }
}
