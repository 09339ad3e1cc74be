//! What the library logs, and that children log as their parent does.

use std::process::{Command, Output};

use polyproc::{Fabric, LogLevel, Pool, Process, task};

use crate::{kill, until, watched};

#[task]
fn log_something() {
    tracing::info!(answer = 42, "from a task");
    tracing::debug!("not at this level");
}

#[task]
fn process_that_logs() {
    tracing::warn!("from a process");
    // What it starts logs as well.
    Pool::builder().workers(1).fabric(&Fabric::builder().cap(16 << 20).private().unwrap()).build().unwrap().apply(log_something, ()).unwrap();
}

/// Runs a test of this program by itself, with `RUST_LOG`, and returns what it printed.
fn run(test: &str, filter: Option<&str>) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"]).env_remove("RUST_LOG").env("POLYPROC_LOGS", "1");
    if let Some(filter) = filter {
        command.env("RUST_LOG", filter);
    }
    let Output { status, stderr, .. } = command.output().unwrap();
    let text = String::from_utf8_lossy(&stderr).into_owned();
    assert!(status.success(), "{status}: {text}");
    text
}

/// Lines of this level and process, without what is in brackets.
fn lines<'a>(text: &'a str, of: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(&format!("[{of} "))).filter_map(|line| line.split_once("] ").map(|(_, rest)| rest)).collect()
}

#[test]
fn a_run_is_told_on_standard_error() {
    watched(|| {
        let text = run("logging::a_run_that_logs", None);
        let of = |who: &'static str| lines(&text, who);
        assert!(of("INFO/MainProcess").iter().any(|line| line.starts_with("worker started worker=0 pid=")), "{text}");
        assert!(of("WARN/MainProcess").iter().any(|line| line.starts_with("worker was ended by signal 9 (SIGKILL) worker=0 pid=")), "{text}");
        assert!(of("INFO/MainProcess").iter().any(|line| line.starts_with("worker started worker=1") && line.ends_with("again=true")), "{text}");
        assert!(of("INFO/MainProcess").contains(&"pool is over"), "{text}");
        let line = |job| format!("it::logging: call{{task=it::logging::log_something job={job} call=0 attempt=1}}: from a task answer=42");
        assert_eq!(of("INFO/PoolWorker-2"), [line(1)], "{text}");
        assert_eq!(of("WARN/Process-1").len() + of("WARN/Process").len(), 1, "{text}");
        assert_eq!(of("INFO/PoolWorker-1"), [line(1)], "the worker of a process: {text}");
        assert!(!text.contains("not at this level") && !text.contains("DEBUG"), "{text}");
        let pids = text.lines().filter_map(|line| line.strip_prefix("[")?.split_once(']')?.0.split_once(' ')?.1.parse::<u32>().ok());
        assert!(pids.collect::<std::collections::BTreeSet<_>>().len() >= 4, "{text}");
    });
}

#[test]
fn rust_log_says_more_exactly() {
    watched(|| {
        let text = run("logging::a_run_that_logs", Some("it=debug,polyproc=off"));
        assert!(lines(&text, "DEBUG/PoolWorker-2").contains(&"it::logging: not at this level"), "{text}");
        assert!(!text.contains("worker started"), "{text}");
        let text = run("logging::a_run_that_logs", Some("polyproc=debug"));
        assert!(lines(&text, "DEBUG/PoolWorker-2").contains(&"takes calls"), "{text}");
    });
}

#[test]
#[ignore = "run by the tests above, alone in its process"]
fn a_run_that_logs() {
    if std::env::var_os("POLYPROC_LOGS").is_none() {
        return;
    }
    polyproc::log_to_stderr(LogLevel::INFO).unwrap();
    assert!(polyproc::log_to_stderr(LogLevel::INFO).is_err());
    let fabric = Fabric::builder().cap(16 << 20).private().unwrap();
    let pool = Pool::builder().workers(1).fabric(&fabric).build().unwrap();
    until(|| pool.workers().iter().any(|worker| worker.ready));
    let first = pool.workers()[0].pid;
    kill(first);
    until(|| pool.workers().iter().any(|worker| worker.ready && worker.pid != first));
    pool.apply(log_something, ()).unwrap();
    drop(pool);
    let process = Process::builder(process_that_logs, ()).fabric(&fabric).start().unwrap();
    process.join().unwrap();
}

/// A program that does not ask for it logs nothing, and neither do its children.
#[test]
fn silence_is_inherited() {
    watched(|| {
        let text = run("logging::a_silent_run", Some("trace"));
        assert!(!text.contains("worker") && !text.contains("from a task"), "{text}");
    });
}

#[test]
#[ignore = "run by the test above, alone in its process"]
fn a_silent_run() {
    if std::env::var_os("POLYPROC_LOGS").is_none() {
        return;
    }
    let fabric = Fabric::builder().cap(16 << 20).private().unwrap();
    Pool::builder().workers(1).fabric(&fabric).build().unwrap().apply(log_something, ()).unwrap();
}
