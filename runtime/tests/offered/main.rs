//! A program whose tasks are offered while it runs: its children begin in `main`, where `boot_here!` stands. So it has a `main` of its own, and plays test after test.

mod cases;

use std::time::Duration;

use polyproc::{Completions, Encoded, Fabric, Failure, Options, Pool, Queue, Retry, Worker, current_call, ipc, task};
use polyproc_testkit::watchdog::watchdog;

pub(crate) const POOL: &str = "offered";

/// There are such tasks beside.
#[task(name = "fixed")]
pub(crate) fn fixed(n: u64) -> u64 {
    n + 1
}

fn main() -> polyproc::Result<()> {
    offer_all()?;
    polyproc::boot_here!();
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    if std::env::args().any(|argument| argument == "--list") {
        return Ok(());
    }
    let cases: &[(&str, fn())] = &[
        ("a_pool_runs_what_is_offered", cases::a_pool_runs_what_is_offered),
        ("a_failure_has_message_and_backtrace", cases::a_failure_has_message_and_backtrace),
        ("what_is_no_value_is_refused_where_it_was_made", cases::what_is_no_value_is_refused_where_it_was_made),
        ("bad_arguments_are_refused_here", cases::bad_arguments_are_refused_here),
        ("an_unknown_task_is_named_with_what_is_offered", cases::an_unknown_task_is_named_with_what_is_offered),
        ("a_name_is_offered_once", cases::a_name_is_offered_once),
        ("a_killed_worker_fails_its_call_alone", cases::a_killed_worker_fails_its_call_alone),
        ("blocks_go_in_and_out", cases::blocks_go_in_and_out),
        ("a_process_runs_what_is_offered", cases::a_process_runs_what_is_offered),
        ("a_worker_that_joined_runs_what_is_offered", cases::a_worker_that_joined_runs_what_is_offered),
        ("a_client_calls_what_is_offered", cases::a_client_calls_what_is_offered),
        ("hooks_may_be_offered", cases::hooks_may_be_offered),
        ("completions_tell_of_every_end", cases::completions_tell_of_every_end),
    ];
    let mut played = 0;
    for (name, case) in cases.iter().filter(|(name, _)| name.contains(&filter)) {
        watchdog(Duration::from_secs(120), case);
        println!("{name} ... ok");
        played += 1;
    }
    println!("{played} of {} cases passed", cases.len());
    Ok(())
}

fn offer_all() -> polyproc::Result<()> {
    polyproc::offer("echo", |call| Ok(Encoded::from(call.bytes().to_vec())))?;
    polyproc::offer("divide", |call| {
        let (a, b): (i64, i64) = call.arguments()?;
        let quotient = a.checked_div(b).ok_or_else(|| Failure::failed(format!("{a} divided by {b}")).with_backtrace("in divide, line 7"))?;
        Ok(Encoded::of(&quotient)?)
    })?;
    polyproc::offer("flaky", |_| match current_call().map_or(0, |call| call.attempt()) {
        1 => Err(Failure::failed("not the first time")),
        attempt => Ok(Encoded::of(&attempt)?),
    })?;
    polyproc::offer("raw", |call| Ok(Encoded::from(call.arguments::<(Vec<u8>,)>()?.0)))?;
    polyproc::offer("particular", |_| Err(Failure::bad_arguments("only on Sundays")))?;
    polyproc::offer("panics", |_| panic!("out of luck"))?;
    polyproc::offer("die", |call| {
        let (signal,): (i32,) = call.arguments()?;
        let me = rustix::process::getpid();
        let signal = rustix::process::Signal::from_named_raw(signal).ok_or_else(|| Failure::bad_arguments("no signal"))?;
        let _ = rustix::process::kill_process(me, signal);
        loop {
            std::thread::park();
        }
    })?;
    polyproc::offer("back", |call| {
        // The blocks of the arguments go back as they lie.
        let mut packing = ipc::Packing::new();
        if let Some(parcel) = call.parcel() {
            packing.adopt(parcel);
        }
        Ok(Encoded::with_blocks(call.bytes().to_vec(), packing))
    })?;
    polyproc::offer("put", |call| {
        let (queue, n): (Queue<u64>, u64) = call.arguments()?;
        queue.put(&n)?;
        Ok(Encoded::of(&())?)
    })?;
    polyproc::offer("number", |_| Ok(Encoded::of(&polyproc::worker::get::<u64>().map(|n| *n))?))?;
    polyproc::offer("remember", |call| {
        polyproc::worker::set(call.arguments::<(u64,)>()?.0);
        Ok(Encoded::of(&())?)
    })?;
    polyproc::offer("join", |call| {
        let (fabric,): (String,) = call.arguments()?;
        let mut worker = Worker::join(&fabric, POOL)?;
        let pollable = worker.pollable()?;
        // As an event loop does it.
        while worker.step(Some(Duration::ZERO))? != polyproc::Stepped::Left {
            pollable.rearm()?;
            ipc::wait(&[&pollable], Some(Duration::from_secs(1)))?;
        }
        Ok(Encoded::of(&worker.batches())?)
    })?;
    polyproc::offer("submit", |call| {
        let (fabric,): (String,) = call.arguments()?;
        let pool = Pool::connect(&Fabric::open(&fabric)?, POOL)?;
        let completions = Completions::new()?;
        let calls = (0..20).map(|n| pool.submit_encoded("divide", Encoded::arguments(&(n, 1))?)).collect::<polyproc::Result<Vec<_>>>()?;
        for call in &calls {
            completions.add(call, 0);
        }
        for _ in &calls {
            completions.next(None)?;
        }
        let sum: i64 = calls.iter().map(|call| call.get().unwrap().decode::<i64>().unwrap()).sum();
        assert_eq!(sum, 190);
        assert_eq!(pool.call::<i64>("divide", (8, 2))?, 4);
        let error = pool.map_encoded("divide", (0..3).map(|n| Encoded::arguments(&(1, n)).unwrap()))?.get().unwrap_err();
        assert_eq!((error.kind(), error.call_number()), (polyproc::ErrorKind::Panicked, Some(0)));
        let patient = pool.with(Options::new().retry(Retry::on_death(1).or_error()));
        assert_eq!(patient.submit_encoded("flaky", Encoded::arguments(&())?)?.get()?.decode::<u32>()?, 2);
        let error = pool.submit_encoded("die", Encoded::arguments(&(9,))?)?.get().unwrap_err();
        assert_eq!((error.kind(), error.task()), (polyproc::ErrorKind::WorkerDied, Some("die")), "{error}");
        Ok(Encoded::of(&())?)
    })
}
