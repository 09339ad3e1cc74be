//! The kill storm: eight processes at random on all objects at once, one of them killed with SIGKILL every few milliseconds and another started; in the end a ledger
//! proves that nothing was lost or doubled, the checker finds the fabric whole, and no process is left.
//!
//! | file | idea |
//! | --- | --- |
//! | `main` | the controller: starts, kills, reaps, collects ledgers, judges |
//! | `ledger` | what a worker writes down before and after each act, so that of a killed one only the act in flight is uncertain |
//! | `kinds` | **the list of kinds**, and the trait that each one's file implements |
//! | `increments`, `fates`, `patience` | what kinds share: a number that grows by ones, numbered things that come and go once, waits without end |
//! | `counter`, `rlock`, `rwlock`, `semaphore`, `event`, `condition`, `barrier`, `cells`, `dict`, `set`, `list`, `exchange`, `leases`, `jobs`, `churn`, `members`, `names` | one kind each |
//!
//! A kind is added by one file and one line in `kinds.rs`. `POLYPROC_STORM_SECONDS` says how long (10 if not given; `cargo xtask storm` takes a minute),
//! `POLYPROC_STORM_SEED` repeats the dice, though not the schedule of the kernel, `POLYPROC_STORM_ONLY` names the kinds that are wanted (parts of their names, with commas).

mod barrier;
mod cells;
mod churn;
mod condition;
mod counter;
mod dict;
mod event;
mod exchange;
mod fates;
mod increments;
mod jobs;
mod kinds;
mod leases;
mod ledger;
mod list;
mod members;
mod names;
mod patience;
mod rlock;
mod rwlock;
mod semaphore;
mod set;

use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, panic, thread};

use polyproc_ipc::Fabric;
use polyproc_testkit::helper::{Answer, Helper};
use polyproc_testkit::leak::Watch;
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::temp::TempDir;

use kinds::{Kind, Worker};
use ledger::{Dice, Ledger, Life};

const WORKERS: usize = 8;
/// Fewer would be no storm: it goes on until there were so many.
const KILLS_A_MINUTE: u64 = 1000;
/// Between two kills, in milliseconds: half of this on average.
const PAUSE: u64 = 12;
/// Longer than any act takes on a busy machine; whoever takes longer is stuck.
pub(crate) const LONG: Duration = Duration::from_secs(60);
const CAP: u64 = 96 << 20;
/// What a worker says at its end.
const LEFT: u8 = 1;

fn number(key: &str) -> Option<u64> {
    env::var(key).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{key} must be a number, not \"{text}\"")))
}

/// The controller is a process of its own, with a directory for names that nobody else uses, and is ended by the kernel if it hangs.
fn main() {
    let seconds = number("POLYPROC_STORM_SECONDS").unwrap_or(10);
    if peer::is("storm") {
        return control(Duration::from_secs(seconds), Path::new(&peer::arg("STORM_DIR")));
    }
    if env::args().any(|argument| argument == "--list") {
        return;
    }
    let dir = TempDir::new("storm");
    let names = dir.path().join("names");
    let life = Duration::from_secs(seconds) + LONG * 4;
    let text = |path: &Path| path.to_str().expect("a path of text").to_owned();
    let mut controller = Peer::builder("storm").arg("STORM_DIR", &text(dir.path())).arg("POLYPROC_DIR", &text(&names)).life(life).start();
    let status = controller.wait(life + LONG);
    assert!(status.success(), "the storm ended by {status}");
}

/// A worker, as the controller sees it.
struct Running {
    serial: u64,
    helper: Helper,
}

fn control(time: Duration, dir: &Path) {
    let before = Watch::new().take();
    let seed = number("POLYPROC_STORM_SEED").unwrap_or_else(|| RandomState::new().hash_one(0) >> 32);
    eprintln!("storm of {} s, POLYPROC_STORM_SEED={seed}", time.as_secs());
    let mut dice = Dice(seed);
    {
        let fabric = Fabric::builder().cap(CAP).private().expect("a fabric");
        let mut kinds = kinds::all(&fabric, dir);
        let (mut killed, mut left, mut serial) = (0_u64, 0_u64, 0_u64);
        let mut start = |kinds: &[Box<dyn Kind>], dice: &mut Dice| {
            serial += 1;
            let (serial, seed) = (serial, dice.roll());
            Running { serial, helper: Helper::fork(|_| work(serial, seed, kinds, &fabric, dir)) }
        };
        let mut workers: Vec<Running> = (0..WORKERS).map(|_| start(&kinds, &mut dice)).collect();
        let end = Instant::now() + time;
        while Instant::now() < end || killed < time.as_secs() * KILLS_A_MINUTE / 60 {
            thread::sleep(Duration::from_micros(dice.below(PAUSE * 1000)));
            assert_no_fault(dir);
            let victim = workers.swap_remove(dice.below(WORKERS as u64) as usize);
            match victim.helper.answer(Duration::ZERO) {
                Answer::Silent => killed += 1,
                Answer::Said(_) => left += 1,
                Answer::Died => panic!("worker {} ended by itself", victim.serial),
            }
            reap(victim, &mut kinds, dir);
            workers.push(start(&kinds, &mut dice));
        }
        fs::write(dir.join("stop"), "").expect("the sign to stop");
        for worker in workers {
            let told = worker.helper.answer(LONG);
            let last = || Life::read(&ledger_of(dir, worker.serial), worker.serial).acts.last().map(|act| format!("{act:?}"));
            assert_eq!(told, Answer::Said(LEFT), "worker {} does not come to its end; its last act: {:?}", worker.serial, last());
            reap(worker, &mut kinds, dir);
        }
        assert_no_fault(dir);
        fabric.sweep().expect("a last sweep");
        eprintln!("{killed} killed, {left} left by themselves and {WORKERS} at the end, of {serial}");
        for kind in &mut kinds {
            eprintln!("  {}: {}", kind.name(), kind.verdict(&fabric));
        }
        drop(kinds);
        for object in fabric.objects().expect("a list of objects") {
            fabric.remove(&object.name.expect("an object without a name is left by somebody dead")).expect("a removal");
        }
        let report = fabric.check().expect("a check");
        assert!(report.is_whole(), "{:#?}", report.problems);
        assert_eq!((report.members, report.objects, report.private_chunks, report.unswept, report.unswept_chunks), (1, 0, 0, 0, 0), "{report:?}");
    }
    before.assert_same();
}

/// A worker that fails writes down why, first of all: else it might be killed while it is still failing.
fn assert_no_fault(dir: &Path) {
    if let Ok(fault) = fs::read_to_string(dir.join("fault")) {
        panic!("{fault}");
    }
}

fn ledger_of(dir: &Path, serial: u64) -> std::path::PathBuf {
    dir.join(format!("ledger-{serial}"))
}

/// Kills a worker if it still runs, and enters what it wrote down.
fn reap(worker: Running, kinds: &mut [Box<dyn Kind>], dir: &Path) {
    worker.helper.kill();
    let path = ledger_of(dir, worker.serial);
    let life = Life::read(&path, worker.serial);
    let _ = fs::remove_file(&path); // there is none if it was killed before it began
    for (index, kind) in kinds.iter_mut().enumerate() {
        kind.enter(&life.of(index));
    }
}

/// A worker's whole life: it takes up every kind and does what the dice say, until it is killed, told to stop, or leaves early.
fn work(serial: u64, seed: u64, kinds: &[Box<dyn Kind>], inherited: &Fabric, dir: &Path) -> u8 {
    let fault = dir.join("fault");
    panic::set_hook(Box::new(move |info| {
        let _ = fs::write(&fault, format!("worker {serial} {info}"));
    }));
    let mut dice = Dice(seed);
    let mut ledger = Ledger::create(&ledger_of(dir, serial));
    // Half of them as forked children of a member, half with a mapping of their own.
    let fabric = if dice.below(2) == 0 { inherited.clone() } else { attached(inherited) };
    let mut workers: Vec<Box<dyn Worker>> = kinds.iter().map(|kind| kind.worker(&fabric, serial)).collect();
    let steps = if dice.below(8) == 0 { dice.below(500) } else { u64::MAX };
    let stop = dir.join("stop");
    for _ in 0..steps {
        if stop.exists() {
            break;
        }
        let kind = dice.below(workers.len() as u64) as usize;
        workers[kind].step(&mut dice, &mut ledger.of(kind));
    }
    LEFT
}

/// The same fabric, by an opening and a mapping of its own.
fn attached(fabric: &Fabric) -> Fabric {
    let path = format!("/proc/self/fd/{}", fabric.descriptor().as_raw_fd());
    let file = OpenOptions::new().read(true).write(true).open(path).expect("the memory of a fabric");
    Fabric::attach(OwnedFd::from(file)).expect("the fabric, attached")
}
