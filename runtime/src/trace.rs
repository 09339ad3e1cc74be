//! What a pool's events mean, and a run as a Chrome trace: the file that Perfetto and chrome://tracing show as a picture over time.
//!
//! Events are read from an [`Events`] ring, of a pool that runs or of one that crashed. Must not know how a pool works: all that it knows is the table.
//!
//! | kind | happened | name | who | value |
//! | --- | --- | --- | --- | --- |
//! | 1 | a worker was started | | its pid | its number in the pool |
//! | 2 | a worker was started in the place of one that is gone | | its pid | its number in the pool |
//! | 3 | a call began | task | pid | `job << 32 \| index` (32 bits of each) |
//! | 4 | it returned | task | pid | as above |
//! | 5 | it failed | task | pid | as above |
//! | 6 | a worker is gone | | its pid | exit code or minus signal, as i64 |
//! | 7 | the pool gave up | | the pool's pid | 0 |

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use polyproc_ipc::{EventRecord, Events, History};
use rustix::io::Errno;

use crate::error::{Death, Error, Result};

/// A worker was started.
pub const STARTED: u8 = 1;
/// A worker was started in the place of one that is gone.
pub const RESTARTED: u8 = 2;
/// A call began.
pub const BEGAN: u8 = 3;
/// A call returned.
pub const RETURNED: u8 = 4;
/// A call failed: it panicked, its task is not there, its result cannot be sent.
pub const FAILED: u8 = 5;
/// A worker is gone.
pub const GONE: u8 = 6;
/// The pool gave up.
pub const GAVE_UP: u8 = 7;

/// Writes all events of `events` that are still there to a file that <https://ui.perfetto.dev> and `chrome://tracing` load.
///
/// Every worker is a process of the trace, with a bar for each call and a mark for its start and its end. Of a pool that runs, [`Pool::trace`](crate::Pool::trace) does it. After a crash, open the
/// ring by the name that the pool was given ([`PoolBuilder::events_named`](crate::PoolBuilder::events_named)): it is there as long as any process has the fabric open.
///
/// A call whose begin was overwritten is left out. One whose end is missing lasts until its worker is gone, or until the last event, and says so in its arguments.
///
/// # Errors
///
/// Of the ring (`Gone`), or of the file.
///
/// ```
/// use polyproc::{Events, Fabric, Pool, task};
///
/// #[task]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// let fabric = Fabric::new()?; // where a crash is to be looked at later: Fabric::open_or_create("jobs")
/// let pool = Pool::builder().workers(2).fabric(&fabric).events_named("events of jobs", 1024).build()?;
/// pool.map(square, 0..100)?;
/// drop(pool);
///
/// let path = std::env::temp_dir().join(format!("polyproc-trace-{}.json", std::process::id()));
/// polyproc::trace::write(&Events::open(&fabric, "events of jobs")?, &path)?;
/// # let text = std::fs::read_to_string(&path).unwrap();
/// # assert!(text.matches("\"ph\":\"X\"").count() >= 100, "{text}");
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), polyproc::Error>(())
/// ```
pub fn write(events: &Events, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let history = events.read()?;
    let written = File::create(path).and_then(|file| {
        let mut file = BufWriter::new(file);
        file.write_all(render(&history).as_bytes())?;
        file.flush()
    });
    written.map_err(|error| Error::os(Errno::from_io_error(&error).unwrap_or(Errno::IO), format!("writing the trace {}", path.display())))
}

/// The trace of one history, as text.
pub(crate) fn render(history: &History) -> String {
    let events = &history.events;
    let from = events.iter().map(|event| event.time).min().unwrap_or(0);
    let until = events.iter().map(|event| event.time).max().unwrap_or(0);
    let mut out = Out { text: String::from("{\"displayTimeUnit\":\"ms\",\"traceEvents\":["), from, first: true };
    for (pid, number) in workers(events) {
        let name = number.map_or_else(|| format!("worker (pid {pid})"), |number| format!("worker {number} (pid {pid})"));
        out.metadata(pid, "process_name", &name);
        out.metadata(pid, "thread_name", &number.map_or_else(|| "worker".into(), |number| format!("worker {number}")));
    }
    let mut open: BTreeMap<u32, &EventRecord> = BTreeMap::new();
    for event in events {
        let before = match event.kind {
            BEGAN => open.insert(event.who, event),
            // Not a start: it may be recorded after the first call's begin.
            RETURNED | FAILED | GONE => open.remove(&event.who),
            _ => None,
        };
        if let Some(before) = before {
            let outcome = match event.kind {
                RETURNED if event.value == before.value => "returned",
                FAILED if event.value == before.value => "failed",
                GONE => "worker died",
                _ => "not known",
            };
            out.call(before, event.time, outcome);
        }
        match event.kind {
            STARTED => out.mark(event, "started", ""),
            RESTARTED => out.mark(event, "started again", ""),
            GONE => {
                let code = i32::try_from(event.value as i64).unwrap_or(i32::MIN);
                let how = if code == 0 { "left".into() } else { Death::new(event.who, code).to_string() };
                out.mark(event, if code == 0 { "left" } else { "died" }, &how);
            }
            GAVE_UP => out.mark(event, "the pool gave up", ""),
            _ => {}
        }
    }
    for call in open.values() {
        out.call(call, until, "not over");
    }
    let _ = write!(out.text, "\n],\"otherData\":{{\"overwritten\":{},\"torn\":{}}}}}\n", history.overwritten, history.torn);
    out.text
}

/// Every pid that is a worker's, and its number if its start is still there.
fn workers(events: &[EventRecord]) -> BTreeMap<u32, Option<u64>> {
    let mut workers = BTreeMap::new();
    for event in events {
        match event.kind {
            STARTED | RESTARTED => drop(workers.insert(event.who, Some(event.value))),
            BEGAN | RETURNED | FAILED | GONE => drop(workers.entry(event.who).or_insert(None)),
            _ => {}
        }
    }
    workers
}

struct Out {
    text: String,
    /// The time that is 0.
    from: u64,
    first: bool,
}

impl Out {
    /// Begins an event of this phase, up to its name.
    fn begin(&mut self, phase: char, pid: u32, time: u64, name: &str) {
        let comma = if std::mem::take(&mut self.first) { "\n" } else { ",\n" };
        let _ = write!(self.text, "{comma}{{\"ph\":\"{phase}\",\"pid\":{pid},\"tid\":{pid},\"ts\":{},\"name\":", micros(time.saturating_sub(self.from)));
        string(&mut self.text, name);
    }

    fn metadata(&mut self, pid: u32, what: &str, name: &str) {
        self.begin('M', pid, self.from, what);
        self.text.push_str(",\"args\":{\"name\":");
        string(&mut self.text, name);
        self.text.push_str("}}");
    }

    fn call(&mut self, began: &EventRecord, ended: u64, outcome: &str) {
        self.begin('X', began.who, began.time, began.name.as_deref().unwrap_or("a task"));
        let (job, index) = (began.value >> 32, began.value as u32);
        let length = micros(ended.saturating_sub(began.time));
        let _ = write!(self.text, ",\"dur\":{length},\"cat\":\"call\",\"args\":{{\"job\":{job},\"index\":{index},\"outcome\":\"{outcome}\"}}}}");
    }

    fn mark(&mut self, event: &EventRecord, name: &str, how: &str) {
        self.begin('i', event.who, event.time, name);
        self.text.push_str(",\"s\":\"p\",\"cat\":\"worker\",\"args\":{\"how\":");
        string(&mut self.text, how);
        self.text.push_str("}}");
    }
}

/// Nanoseconds as microseconds, exactly: rounding would make calls overlap.
fn micros(nanos: u64) -> String {
    format!("{}.{:03}", nanos / 1000, nanos % 1000)
}

/// Appends a string of JSON.
fn string(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            char if char < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use polyproc_ipc::Fabric;
    use serde_json::Value;

    use super::*;

    /// What a trace says of these events (time, kind, name, who, value).
    fn trace(events: &[(u64, u8, &str, u32, u64)]) -> Vec<Value> {
        let fabric = Fabric::builder().cap(4 << 20).private().unwrap();
        let ring = Events::new(&fabric, 64).unwrap();
        for (time, kind, name, who, value) in events {
            ring.record_at(*time, *kind, ring.intern(name).unwrap(), *who, *value).unwrap();
        }
        let text = render(&ring.read().unwrap());
        let parsed: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        parsed["traceEvents"].as_array().unwrap().clone()
    }

    fn calls(events: &[Value]) -> Vec<(u64, f64, f64, &str, &str)> {
        let calls = events.iter().filter(|event| event["ph"] == "X");
        calls
            .map(|event| {
                let number = |key: &str| event[key].as_f64().unwrap();
                (event["pid"].as_u64().unwrap(), number("ts"), number("dur"), event["name"].as_str().unwrap(), event["args"]["outcome"].as_str().unwrap())
            })
            .collect()
    }

    #[test]
    fn a_call_is_a_bar_from_begin_to_end() {
        let events = trace(&[
            (1000, STARTED, "", 50, 0),
            (2000, BEGAN, "a::b", 50, 7 << 32 | 3),
            (4500, RETURNED, "a::b", 50, 7 << 32 | 3),
            (4500, BEGAN, "a::b", 50, 7 << 32 | 4),
            (5001, FAILED, "a::b", 50, 7 << 32 | 4),
        ]);
        assert_eq!(calls(&events), [(50, 1.0, 2.5, "a::b", "returned"), (50, 3.5, 0.501, "a::b", "failed")]);
        let args = &events.iter().find(|event| event["ph"] == "X").unwrap()["args"];
        assert_eq!((args["job"].as_u64(), args["index"].as_u64()), (Some(7), Some(3)));
        let names: Vec<_> = events.iter().filter(|event| event["ph"] == "M").map(|event| event["args"]["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["worker 0 (pid 50)", "worker 0"]);
    }

    #[test]
    fn what_is_cut_short_says_so() {
        let killed = (-9_i64) as u64;
        let events = trace(&[
            (10_000, BEGAN, "t", 1, 1),
            (10_500, BEGAN, "t", 2, 2),
            (11_000, BEGAN, "u", 2, 3), // the end of the call before is torn
            (12_000, GONE, "", 1, killed),
            (12_500, RESTARTED, "", 3, 9),
            (13_000, RETURNED, "t", 4, 5), // its begin was overwritten
            (14_000, GAVE_UP, "", 99, 0),
        ]);
        assert_eq!(calls(&events), [(2, 0.5, 0.5, "t", "not known"), (1, 0.0, 2.0, "t", "worker died"), (2, 1.0, 3.0, "u", "not over")]);
        let marks: Vec<_> =
            events.iter().filter(|event| event["ph"] == "i").map(|event| (event["name"].as_str().unwrap(), event["args"]["how"].as_str().unwrap())).collect();
        assert_eq!(marks, [("died", "was ended by signal 9 (SIGKILL)"), ("started again", ""), ("the pool gave up", "")]);
    }

    #[test]
    fn names_are_escaped_and_nothing_is_a_trace_too() {
        let odd = "quote \" slash \\ line \n bell \u{7} \u{e9}";
        let events = trace(&[(1, BEGAN, odd, 1, 0), (2, RETURNED, odd, 1, 0)]);
        assert_eq!(calls(&events)[0].3, odd);
        assert!(trace(&[]).is_empty());
    }
}
