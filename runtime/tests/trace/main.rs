//! A pool's events and its trace: what it says of calls, deaths and restarts, and that it is there after a crash.
//!
//! A program of its own, because with `serde_json` in it `assert_eq!` knows too many types for the other tests.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use polyproc::{ErrorKind, Events, Fabric, Pool, task, trace};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::temp::TempDir;
use polyproc_testkit::watchdog::watchdog;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Runs a test; one that hangs ends the program with a message.
fn watched(body: impl FnOnce()) {
    watchdog(Duration::from_secs(120), body);
}

/// Waits until `condition` holds; the watchdog is the limit.
fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[task]
fn double(n: u64) -> u64 {
    assert!(n != 13, "unlucky");
    n * 2
}

#[task]
fn end_by_signal() {
    let _ = kill_process(Pid::from_raw(std::process::id() as i32).unwrap(), Signal::KILL);
}

#[task]
fn spin_until_killed() {
    loop {
        std::thread::park();
    }
}

/// Whether a process exists and is no zombie.
fn runs(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !matches!(stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next()), None | Some('Z' | 'X'))
}

fn fabric() -> Fabric {
    Fabric::builder().cap(32 << 20).private().unwrap()
}

/// The parts of a trace, after its form was checked: every event has its fields, and calls of one worker do not overlap.
fn parse(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let whole: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let events = whole["traceEvents"].as_array().unwrap().clone();
    let mut ends: BTreeMap<u64, f64> = BTreeMap::new();
    for event in &events {
        let number = |key: &str| event[key].as_f64().unwrap_or_else(|| panic!("no {key} in {event}"));
        assert!(event["name"].is_string() && event["args"].is_object(), "{event}");
        assert!(event["pid"].is_u64() && event["tid"] == event["pid"], "{event}");
        assert!(number("ts") >= 0.0, "{event}");
        match event["ph"].as_str() {
            Some("X") => {
                assert!(number("dur") >= 0.0, "{event}");
                let end = ends.entry(event["tid"].as_u64().unwrap()).or_default();
                // Microseconds with three places are exact enough in a double.
                assert!(number("ts") + 0.0005 >= *end, "a worker is in two calls: {event}");
                *end = number("ts") + number("dur");
            }
            Some("i") => assert_eq!(event["s"], "p", "{event}"),
            Some("M") => assert!(event["args"]["name"].is_string(), "{event}"),
            other => panic!("{other:?}"),
        }
    }
    events
}

fn of<'a>(events: &'a [Value], phase: &'a str, name: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["ph"] == phase && event["name"] == name)
}

#[test]
fn a_trace_tells_calls_deaths_and_restarts() {
    watched(|| {
        let dir = TempDir::new("trace");
        let path = dir.path().join("out.json");
        let pool = Pool::builder().workers(2).fabric(&fabric()).events(4096).build().unwrap();
        pool.map(double, 0..300).unwrap_err();
        let died = pool.apply(end_by_signal, ()).unwrap_err();
        assert_eq!(died.kind(), ErrorKind::WorkerDied);
        until(|| pool.workers().iter().filter(|worker| worker.ready).count() == 2);
        pool.trace(&path).unwrap();
        let events = parse(&path);
        let calls: Vec<_> = of(&events, "X", double.name()).collect();
        assert_eq!(calls.len(), 300);
        let mut indices: Vec<_> = calls.iter().map(|call| call["args"]["index"].as_u64().unwrap()).collect();
        indices.sort_unstable();
        assert_eq!(indices, (0..300).collect::<Vec<_>>());
        let failed: Vec<_> = calls.iter().filter(|call| call["args"]["outcome"] == "failed").collect();
        assert_eq!((failed.len(), failed[0]["args"]["index"].as_u64()), (1, Some(13)));
        assert!(calls.iter().all(|call| call["args"]["outcome"] == if call["args"]["index"] == 13 { "failed" } else { "returned" }));
        let victim = u64::from(died.pid().unwrap());
        let last: Vec<_> = of(&events, "X", end_by_signal.name()).collect();
        assert_eq!((last.len(), last[0]["pid"].as_u64(), last[0]["args"]["outcome"].as_str()), (1, Some(victim), Some("worker died")));
        let deaths: Vec<_> = of(&events, "i", "died").collect();
        assert_eq!((deaths.len(), deaths[0]["pid"].as_u64(), deaths[0]["args"]["how"].as_str()), (1, Some(victim), Some("was ended by signal 9 (SIGKILL)")));
        assert_eq!((of(&events, "i", "started").count(), of(&events, "i", "started again").count()), (2, 1));
        let names: Vec<_> = of(&events, "M", "thread_name").map(|event| event["args"]["name"].as_str().unwrap()).collect();
        assert_eq!(names.len(), 3);
        assert!(["worker 0", "worker 1", "worker 2"].iter().all(|name| names.contains(name)), "{names:?}");
        // And after its end the pool can still be asked.
        pool.close();
        pool.join().unwrap();
        pool.trace(&path).unwrap();
        assert_eq!(of(&parse(&path), "i", "left").count(), 2);
    });
}

#[test]
fn a_small_ring_keeps_the_last_calls() {
    watched(|| {
        let dir = TempDir::new("trace");
        let path = dir.path().join("out.json");
        let pool = Pool::builder().workers(2).fabric(&fabric()).events(16).build().unwrap();
        pool.map(double, 100..1100).unwrap();
        let history = pool.events().unwrap().read().unwrap();
        assert_eq!((history.next, history.overwritten), (2002, 1986));
        pool.trace(&path).unwrap();
        let calls = of(&parse(&path), "X", double.name()).count();
        assert!((7..=8).contains(&calls), "{calls}");
        assert_eq!(pool.trace(dir.path()).unwrap_err().kind(), ErrorKind::Ipc(polyproc::ipc::ErrorKind::Os));
    });
}

#[test]
fn a_pool_without_events() {
    watched(|| {
        let fabric = fabric();
        let pool = Pool::builder().workers(1).fabric(&fabric).events(0).build().unwrap();
        assert_eq!(pool.map(double, 0..5).unwrap(), [0, 2, 4, 6, 8]);
        assert!(pool.events().is_none());
        assert_eq!(fabric.objects().unwrap().len(), 4, "two queues, the page of the worker and the set of the cancelled");
        let path = std::env::temp_dir().join("polyproc-no-trace.json");
        assert_eq!(pool.trace(&path).unwrap_err().kind(), ErrorKind::Ipc(polyproc::ipc::ErrorKind::InvalidArgument));
        assert!(!path.exists());
        // Asked for more than there is room for: an error, where the usual ring would be left out.
        assert!(Pool::builder().workers(1).fabric(&fabric).events(1 << 24).build().is_err());
        let tight = Fabric::builder().cap(1 << 20).private().unwrap();
        let loan = polyproc::BytesQueue::new(&tight, 0).unwrap();
        loan.put(b"its ring has room beside it for others").unwrap();
        let mut held: Vec<_> = std::iter::from_fn(|| loan.loan(65_000).ok()).collect();
        let pool = loop {
            match Pool::builder().workers(1).fabric(&tight).build() {
                Ok(pool) => break pool,
                // Not even room for its queues.
                Err(error) => assert_eq!(error.kind(), ErrorKind::Ipc(polyproc::ipc::ErrorKind::OutOfMemory)),
            }
            drop(held.pop().expect("the whole fabric is enough"));
        };
        assert!(!held.is_empty() && pool.events().is_none());
    });
}

#[test]
fn nothing_is_left_of_an_unnamed_ring_and_a_named_one_stays() {
    watched(|| {
        let fabric = fabric();
        for round in 1..=2 {
            let pool = Pool::builder().workers(1).fabric(&fabric).events_named("history", 64).build().unwrap();
            let result = pool.map_async(double, 0..3).unwrap();
            result.wait(None);
            drop(pool);
            // Each worker: started, three calls, gone; the second pool goes on where the first ended.
            assert_eq!(Events::open(&fabric, "history").unwrap().read().unwrap().next, round * 8);
        }
        fabric.remove("history").unwrap();
        let pool = Pool::builder().workers(1).fabric(&fabric).build().unwrap();
        let result = pool.apply_async(double, (1,)).unwrap();
        assert_eq!(result.get().unwrap(), 2);
        drop(pool);
        assert_eq!(fabric.objects().unwrap().len(), 0);
        assert_eq!(fabric.check().unwrap().problems, [""; 0]);
    });
}

/// The program with the pool is killed; another, which has the fabric open, reads what happened.
#[test]
fn the_events_of_a_crashed_run() {
    watched(|| {
        let dir = TempDir::new("crashed");
        let mut watcher = Peer::builder("watcher").arg("POLYPROC_DIR", dir.path().to_str().unwrap()).start();
        let status = watcher.wait(Duration::from_secs(100));
        assert!(status.success(), "{status}");
    });
}

#[test]
#[ignore = "a role"]
fn watcher() {
    if !peer::is("watcher") {
        return;
    }
    let fabric = Fabric::builder().cap(32 << 20).create("crashed").unwrap();
    let mut run = Peer::builder("crashing").arg("POLYPROC_DIR", &peer::arg("POLYPROC_DIR")).start();
    let line = run.wait_line(Duration::from_secs(60));
    run.kill();
    let workers: Vec<u32> = line.split(' ').map(|pid| pid.parse().unwrap()).collect();
    until(|| workers.iter().all(|pid| !runs(*pid)));
    fabric.sweep().unwrap();
    let path = Path::new(&peer::arg("POLYPROC_DIR")).join("crash.json");
    trace::write(&Events::open(&fabric, "last words").unwrap(), &path).unwrap();
    let events = parse(&path);
    assert_eq!(of(&events, "X", double.name()).count(), 50);
    let open: Vec<_> = of(&events, "X", spin_until_killed.name()).collect();
    assert_eq!((open.len(), open[0]["args"]["outcome"].as_str()), (1, Some("not over")));
    assert_eq!(fabric.check().unwrap().problems, [""; 0]);
}

#[test]
#[ignore = "a role"]
fn crashing() {
    if !peer::is("crashing") {
        return;
    }
    let fabric = Fabric::open("crashed").unwrap();
    let pool = Pool::builder().workers(2).fabric(&fabric).events_named("last words", 1024).build().unwrap();
    pool.map(double, 100..150).unwrap();
    drop(pool.apply_async(spin_until_killed, ()).unwrap());
    until(|| pool.progress().running == 1 && pool.progress().workers.iter().any(|worker| worker.since.is_some()));
    peer::say(&pool.workers().iter().map(|worker| worker.pid.to_string()).collect::<Vec<_>>().join(" "));
    peer::park();
}
