//! Kills a process at every instant of an operation that others can tell from the one before, and asks each time whether what is left is whole.
//!
//! A *case* is three closures. For every kill point, the test process (the *stage*) runs `setup`, forks the *victim*, lets it
//! run exactly so many instructions of the operation, kills it by SIGKILL, reaps it, and runs `check`, which names
//! what it found or panics. An instruction is a step of the processor; a system call is one.
//!
//! **Kill points.** What a death leaves is the memory that was shared, and what the kernel holds. So there is a kill point at the start, after each instruction that
//! writes to shared memory or is a system call, and after the end: a death at any other instruction leaves the same as one of these
//! (`outside.rs` tells them by decoding each instruction as it is stepped over; `tests/step.rs` proves it by comparing the memory).
//! [`Case::every_instruction`] makes every instruction a point, and so it is off x86-64.
//!
//! The stage forks, so it must have one thread: put such tests in a target with `harness = false`.
//!
//! ```no_run
//! use polyproc_testkit::step::{Case, Table};
//! # struct Queue; impl Queue { fn new() -> Self { Queue } fn join(&self) {} fn put(&self, _: u8) {} fn len(&self) -> usize { 0 } }
//!
//! fn main() -> std::process::ExitCode {
//!     let mut table = Table::from_args();
//!     table.run(
//!         &Case::new("queue", "put").must_see(&["before", "after"]),
//!         Queue::new, // in the stage: fresh state for each kill point, cheap
//!         |queue, mark| {
//!             queue.join(); // in the victim: not stepped through
//!             mark.around(|| queue.put(7)); // the operation: killed at each instruction in here
//!         },
//!         |queue, _point| match queue.len() {
//!             // in the stage again, with the victim dead
//!             0 => "before",
//!             1 => "after",
//!             other => panic!("{other} messages after one put"),
//!         },
//!     );
//!     table.finish()
//! }
//! ```
//!
//! **A kill in a repair** is a case whose `setup` already leaves somebody dead, so that the operation of the victim is to
//! repair: call [`kill_after`] in `setup`. At which points that is of interest, the first case says: [`Row::points_of`].
//!
//! ```no_run
//! # use polyproc_testkit::step::{self, Case, Table};
//! # struct Queue; impl Queue { fn new() -> Self { Queue } fn put(&self, _: u8) {} fn len(&self) -> usize { 0 } }
//! # let mut table = Table::from_args();
//! # let first = table.run(&Case::new("queue", "put"), Queue::new, |q, mark| mark.around(|| q.put(1)), |_, _| "repaired");
//! for &point in first.points_of("repaired").iter().step_by(10) {
//!     table.run(
//!         &Case::new("queue", &format!("put, repairing a put killed at {point}")),
//!         || {
//!             let queue = Queue::new();
//!             step::kill_after(point, |mark| mark.around(|| queue.put(1)));
//!             queue
//!         },
//!         |queue, mark| mark.around(|| queue.put(2)),
//!         |queue, _| if queue.len() > 2 { panic!("a message too many") } else { "whole" },
//!     );
//! }
//! ```
//!
//! **A waiter** that must get on is a [`Helper`](crate::helper::Helper) in the state. Where the victim must be first (it holds the
//! lock that the helper waits for), let the victim say `helper.go()` and `helper.until_asleep()` before its `mark.around`.
//!
//! ```no_run
//! # use polyproc_testkit::{helper::{Answer, Helper}, step::{Case, Table}};
//! # use std::time::Duration;
//! # #[derive(Clone)] struct Lock; impl Lock { fn new() -> Self { Lock } fn lock(&self) {} fn unlock(&self) {} }
//! # let mut table = Table::from_args();
//! # let long = Duration::from_secs(20);
//! table.run(
//!     &Case::new("lock", "unlock with a waiter"),
//!     || {
//!         let lock = Lock::new();
//!         let helper = Helper::fork(|line| { line.await_go(); lock.lock(); 1 });
//!         (lock, helper)
//!     },
//!     |(lock, helper), mark| {
//!         lock.lock();
//!         helper.go();
//!         helper.until_asleep(long);
//!         mark.around(|| lock.unlock());
//!     },
//!     |(_lock, helper), _| {
//!         assert_eq!(helper.answer(long), Answer::Said(1), "the waiter must get the lock");
//!         "got on"
//!     },
//! );
//! ```
//!
//! **Cost.** The first run of a case steps through the whole operation and notes where it stood after each step. A
//! later run goes to its kill point at full speed, by a breakpoint in the victim's own copy of the code, and steps only the
//! rest, so a case costs about the same for each point instead of more and more (x86-64; elsewhere each run is stepped
//! from the start). A victim that takes another way than the first run is killed all the same, after as many steps;
//! the row counts these as *strayed*. Inside one repeated string instruction (`rep movsb`) four points stand for all.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `POLYPROC_KILL_EVERY` | every instruction is a kill point, in all cases |
//! | `POLYPROC_KILL_STRIDE` | only every n-th point, whatever the case says |
//! | `POLYPROC_KILL_POINTS` | at most so many points of each case, spread over it; a short operation is still taken whole |
//! | `POLYPROC_KILL_OFFSET` | the first point; random below the stride if not given. A huge stride and an offset repeat one point |
//! | `POLYPROC_KILL_ONLY` | only cases whose `object: operation` contains this |
//! | `POLYPROC_KILL_SHARD` | `k/n`: only the k-th of n parts of the cases (k from 0), to run several processes side by side |
//! | `POLYPROC_KILL_OUT` | a file to which each row is appended for programs to read: see `report.rs` |

mod clock;
mod outside;
mod plan;
mod report;
mod table;
mod victim;

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

pub use table::{Row, Table};
pub use victim::Mark;

use crate::helper::assert_single_threaded;
use crate::procfs;
use clock::{Clock, Phase};
use plan::{Trace, Way};
use victim::{Stop, Victim};

/// After so many broken points a case is given up: they have one cause.
const ENOUGH_FAILURES: usize = 3;

/// What is killed, and how densely.
#[derive(Debug, Clone)]
pub struct Case {
    object: String,
    operation: String,
    stride: u64,
    sample: u64,
    turns: u64,
    only_whole: bool,
    max_steps: u64,
    limit: Duration,
    must_see: Vec<&'static str>,
    step_only: bool,
    every: bool,
}

impl Case {
    /// Every instruction of `operation` on `object`; the two names are for the table.
    pub fn new(object: &str, operation: &str) -> Case {
        Case {
            object: object.to_owned(),
            operation: operation.to_owned(),
            stride: 1,
            sample: u64::MAX,
            turns: 1,
            only_whole: false,
            max_steps: 200_000,
            limit: Duration::from_secs(60),
            must_see: Vec::new(),
            step_only: false,
            every: false,
        }
    }

    /// Only every `stride`-th point, from a random first one, which is printed.
    #[must_use]
    pub fn stride(mut self, stride: u64) -> Case {
        self.stride = stride.max(1);
        self
    }

    /// At most so many points, spread over the operation, unless the environment says how many.
    #[must_use]
    pub fn sample(mut self, points: u64) -> Case {
        self.sample = points.max(1);
        self
    }

    /// Each kill point so many times, with [`Point::turn`] from 0 on: for checks that survive in several ways.
    #[must_use]
    pub fn turns(mut self, turns: u64) -> Case {
        self.turns = turns.max(1);
        self
    }

    /// Only the whole operation, with the victim killed after its end.
    #[must_use]
    pub fn only_whole(mut self) -> Case {
        self.only_whole = true;
        self
    }

    /// How many steps the operation may take (200,000 if not given); more is a failure, for it seems to wait for somebody.
    #[must_use]
    pub fn max_steps(mut self, steps: u64) -> Case {
        self.max_steps = steps;
        self
    }

    /// How long one point may take with its setup and check (one minute if not given); more is a failure.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Case {
        self.limit = limit;
        self
    }

    /// Outcomes that must each be seen at least once. Not asked of a run that leaves points out.
    #[must_use]
    pub fn must_see(mut self, labels: &[&'static str]) -> Case {
        self.must_see = labels.to_vec();
        self
    }

    /// Kills at every instruction, also where nobody can see that it was run.
    #[must_use]
    pub fn every_instruction(mut self) -> Case {
        self.every = true;
        self
    }

    /// Never runs the victim by a breakpoint: for operations that start threads or share their memory with a child, which
    /// would run into it. Slower: each point is stepped to from the start.
    #[must_use]
    pub fn step_only(mut self) -> Case {
        self.step_only = true;
        self
    }
}

/// Where the victim was killed; given to `check`.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// How many steps of the operation the victim had run.
    pub number: u64,
    /// Whether the operation was finished, and the victim killed just after it.
    pub finished: bool,
    /// Which of the case's turns this is.
    pub turn: u64,
    pc: u64,
}

impl Point {
    /// The file and address of the next instruction, as `addr2line -fipe <file> <address>` takes them.
    pub fn place(&self) -> String {
        procfs::place(self.pc)
    }
}

/// Runs a case and returns its row. A broken point is in [`Row::failures`]; nothing is asserted here.
///
/// [`Table::run`] does the same, and fails the test main at the end; that is what most tests want.
///
/// # Panics
/// If this process has more than one thread.
pub fn run<S, L: Into<String>>(case: &Case, setup: impl FnMut() -> S, victim: impl Fn(&S, &Mark), check: impl FnMut(S, &Point) -> L) -> Row {
    assert_single_threaded();
    let mut stage = Stage { case, setup, victim, check, clock: Clock::new(case.limit) };
    let mut row = Row::new(&case.object, &case.operation, case.stride, 0);
    let began = Instant::now();
    if let Err(failure) = stage.all_points(&mut row) {
        row.fail(failure);
    }
    row.seconds = began.elapsed().as_secs_f64();
    if row.stride == 1 && row.failures.is_empty() {
        for label in &case.must_see {
            if row.points_of(label).is_empty() {
                row.fail(format!("no point had the outcome \"{label}\""));
            }
        }
    }
    row
}

/// Forks a victim and kills it after `steps` steps of its operation; `true` if the operation was finished before.
///
/// For setups that leave a dead process behind. The kill points of a case are numbered in the same way.
///
/// # Panics
/// If this process has more than one thread, or the victim ends by itself.
pub fn kill_after(steps: u64, victim: impl FnOnce(&Mark)) -> bool {
    assert_single_threaded();
    let mut process = Victim::fork(victim);
    let stop = process.reach_start().and_then(|()| process.go(&Way::steps(steps)));
    match stop {
        Ok(stop) => stop == Stop::Mark,
        Err(failure) => panic!("the victim of this setup: {failure}"),
    }
}

/// The kill points of an operation, the last of which is its end: what [`kill_after`] takes.
///
/// # Panics
/// If this process has more than one thread, or the victim ends by itself or takes more than `max_steps`.
pub fn points(max_steps: u64, victim: impl FnOnce(&Mark)) -> Vec<u64> {
    assert_single_threaded();
    let mut process = Victim::fork(victim);
    let trace = process.reach_start().and_then(|()| process.trace(max_steps));
    let trace = trace.unwrap_or_else(|failure| panic!("the victim whose points are asked for: {failure}"));
    trace.ways(false, false).iter().map(|way| way.point).chain([trace.len() as u64]).collect()
}

/// Whether the environment asks for every point (`POLYPROC_KILL_STRIDE=1`).
pub fn is_dense() -> bool {
    table::number("POLYPROC_KILL_STRIDE") == Some(1)
}

/// A case being run.
struct Stage<'a, Setup, Body, Check> {
    case: &'a Case,
    setup: Setup,
    victim: Body,
    check: Check,
    clock: Clock,
}

impl<S, L, Setup, Body, Check> Stage<'_, Setup, Body, Check>
where
    L: Into<String>,
    Setup: FnMut() -> S,
    Body: Fn(&S, &Mark),
    Check: FnMut(S, &Point) -> L,
{
    /// `Err` is a failure after which the case cannot go on.
    fn all_points(&mut self, row: &mut Row) -> Result<(), String> {
        let trace = self.whole(row)?;
        row.steps = trace.len() as u64;
        let ways = trace.ways(self.case.step_only, self.case.every || env::var_os("POLYPROC_KILL_EVERY").is_some());
        row.states = ways.len() as u64 + 1;
        if self.case.only_whole {
            return Ok(());
        }
        let turns = self.case.turns;
        (row.stride, row.offset) = table::density(self.case, ways.len() as u64 * turns);
        for at in (row.offset..ways.len() as u64 * turns).step_by(row.stride as usize) {
            if row.failures.len() >= ENOUGH_FAILURES {
                return Err(format!("given up after {ENOUGH_FAILURES} broken points"));
            }
            self.point(row, &trace, &ways[(at / turns) as usize], at % turns)?;
        }
        Ok(())
    }

    /// The first run: the whole operation, noting every step; the victim is killed just after it.
    fn whole(&mut self, row: &mut Row) -> Result<Trace, String> {
        let state = self.fresh(row, 0)?;
        let mut process = self.start(&state)?;
        let trace = process.trace(self.case.max_steps)?;
        let point = Point { number: trace.len() as u64, finished: true, turn: 0, pc: process.pc() };
        drop(process);
        self.judge(row, state, &point);
        Ok(trace)
    }

    fn point(&mut self, row: &mut Row, trace: &Trace, way: &Way, turn: u64) -> Result<(), String> {
        let mut state = self.fresh(row, way.point)?;
        let mut process = self.start(&state)?;
        let mut stop = process.go(way)?;
        if stop == Stop::Mark && !way.is_steps_only() {
            // It went another way, round the breakpoint: once more, a step at a time.
            drop((process, state));
            state = self.fresh(row, way.point)?;
            process = self.start(&state)?;
            stop = process.go(&Way::steps(way.point))?;
        }
        let point = Point { number: way.point, finished: stop == Stop::Mark, turn, pc: process.pc() };
        if trace.pc(way.point) != point.pc {
            row.strayed += 1;
        }
        drop(process);
        self.judge(row, state, &point);
        Ok(())
    }

    fn fresh(&mut self, row: &Row, number: u64) -> Result<S, String> {
        self.clock.start(&row.name(), number);
        catch_unwind(AssertUnwindSafe(&mut self.setup)).map_err(|panic| format!("the setup: {}", text_of(&*panic)))
    }

    fn start(&mut self, state: &S) -> Result<Victim, String> {
        clock::enter(Phase::Victim);
        let mut process = Victim::fork(|mark| (self.victim)(state, mark));
        process.reach_start()?;
        Ok(process)
    }

    fn judge(&mut self, row: &mut Row, state: S, point: &Point) {
        clock::enter(Phase::Check);
        match catch_unwind(AssertUnwindSafe(|| (self.check)(state, point).into())) {
            Ok(label) => row.count(label, point.number),
            Err(panic) => row.fail(format!(
                "killed {}at point {} of {}, before {}: {}",
                if point.finished { "after the end, " } else { "" },
                point.number,
                row.steps.max(point.number),
                point.place(),
                text_of(&*panic)
            )),
        }
        clock::stop();
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}
