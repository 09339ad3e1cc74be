//! Proves the kill tests themselves: that each instant of an operation is seen, that a torn one is caught, that a breakpoint
//! leads to the same place as single steps, and that a victim which hangs or dies by itself is a failure and no hang.
#![allow(unsafe_code)]

use std::process::ExitCode;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use polyproc_testkit::helper::{Answer, Helper};
use polyproc_testkit::leak::Watch;
use polyproc_testkit::step::{self, Case, Row, Table};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

const LONG: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let before = Watch::new().take();
    let mut table = Table::from_args();
    two_stores(&mut table);
    loops_and_copies(&mut table);
    repair(&mut table);
    waiter(&mut table);
    clock(&mut table);
    if table.wants("toy broken on purpose") {
        broken_ones_are_caught();
    }
    before.assert_same();
    table.finish()
}

/// Two stores: the instant between them is found, and every point before, between and after is named rightly.
fn two_stores(table: &mut Table) {
    let row = table.run(
        &Case::new("toy", "two stores").every_instruction().must_see(&["before", "between", "after"]),
        Shared::new,
        |toy, mark| {
            mark.around(|| {
                toy.words()[0].store(1, SeqCst);
                toy.words()[1].store(1, SeqCst);
            });
        },
        |toy, _| match (toy.get(0), toy.get(1)) {
            (0, 0) => "before",
            (1, 0) => "between",
            (1, 1) => "after",
            other => panic!("the stores in the wrong order: {other:?}"),
        },
    );
    if row.stride == 1 && row.points > 0 {
        assert_eq!(row.points, row.steps + 1, "a point for each step, and one after the end");
        assert_eq!(row.strayed, 0);
        // In the order of time: nothing that is after comes earlier than what is before.
        let last = |label: &str| *row.points_of(label).iter().max().unwrap();
        let first = |label: &str| *row.points_of(label).iter().min().unwrap();
        assert!(last("before") < first("between") && last("between") < first("after"));
    }
}

/// Loops, a long copy and system calls: by breakpoints and by single steps the same is found at each instruction; and between two points that others can tell apart
/// nothing changes.
fn loops_and_copies(table: &mut Table) {
    let find = |table: &mut Table, case: Case| {
        let mut found = Vec::new();
        let row = table.run(
            &case,
            Shared::new,
            |toy, mark| {
                let from = [7_u8; 3000];
                mark.around(|| {
                    for _ in 0..30 {
                        toy.words()[0].fetch_add(1, SeqCst);
                    }
                    toy.copy_in(&from);
                    let _ = rustix::process::getppid();
                    toy.words()[1].fetch_add(1, SeqCst);
                });
            },
            |toy, point| {
                found.push((point.number, toy.get(0), toy.bytes_that_are(7), toy.get(1)));
                "seen"
            },
        );
        (row, found)
    };
    let stride = if cfg!(target_arch = "x86_64") { 1 } else { 20 };
    let (fast, found_fast) = find(table, Case::new("toy", "loop and copy").stride(stride).every_instruction());
    let (slow, found_slow) = find(table, Case::new("toy", "loop and copy, stepped").stride(stride).every_instruction().step_only());
    if fast.stride == 1 && fast.points > 0 {
        assert_eq!((fast.strayed, slow.strayed), (0, 0));
        assert_eq!(found_fast, found_slow, "a breakpoint must lead to the same instant as single steps");
        assert!(found_fast[1..].is_sorted(), "more steps, more done");
        assert_eq!(found_fast[0], (fast.steps, 30, 3000, 1), "the whole run comes first");
        let (few, found_few) = find(table, Case::new("toy", "loop and copy, what others see"));
        if few.stride == 1 && few.points > 0 && cfg!(target_arch = "x86_64") {
            assert!(few.points < fast.points / 2, "{} of {} instructions", few.points, fast.points);
            for &(number, count, bytes, last) in &found_fast[1..] {
                let &(_, before) = &found_few[1..].iter().map(|few| (few.0, (few.1, few.2, few.3))).rfind(|few| few.0 <= number).unwrap();
                assert_eq!(before, (count, bytes, last), "a death at {number} leaves what the last point before it leaves");
            }
        }
    }
}

/// A journal that the next one repairs; the repair is killed at every point too, and done again by the check.
fn repair(table: &mut Table) {
    let row = table.run(
        &Case::new("toy", "journalled move").must_see(&["before", "repaired", "after"]),
        Shared::with_ten,
        |toy, mark| mark.around(|| toy.move_one()),
        |toy, _| toy.verdict(),
    );
    for &point in row.points_of("repaired") {
        let second = table.run(
            &Case::new("toy", &format!("repair of a move killed at {point}")),
            || {
                let toy = Shared::with_ten();
                let finished = step::kill_after(point, |mark| mark.around(|| toy.move_one()));
                assert!(!finished && toy.get(2) != 0, "the setup must leave a torn move");
                toy
            },
            |toy, mark| mark.around(|| toy.repair()),
            |toy, _| toy.verdict(),
        );
        assert!(second.failures.is_empty());
    }
}

/// A helper that waits for the victim's lock gets on, wherever in its unlock the victim is killed.
fn waiter(table: &mut Table) {
    table.run(
        &Case::new("toy", "unlock with a waiter").must_see(&["got on"]),
        || {
            let toy = Shared::new();
            let helper = Helper::fork(|line| {
                line.await_go();
                while toy.get(0) != 0 && rustix::process::test_kill_process(toy.owner()).is_ok() {
                    std::thread::yield_now();
                }
                7
            });
            (toy, helper)
        },
        |(toy, helper), mark| {
            helper.until_asleep(LONG);
            toy.words()[0].store(std::process::id() as u64, SeqCst);
            helper.go();
            mark.around(|| toy.words()[0].store(0, SeqCst));
        },
        |(_toy, helper), _| {
            assert_eq!(helper.answer(LONG), Answer::Said(7));
            assert_eq!(helper.answer(LONG), Answer::Died, "it has ended after its word");
            "got on"
        },
    );
}

/// Code that is not in any file of ours, and may take another way each time: the kernel's clock page.
fn clock(table: &mut Table) {
    table.run(
        &Case::new("toy", "reading the clock").must_see(&["before", "after"]),
        Shared::new,
        |toy, mark| {
            mark.around(|| {
                let nanos = std::time::Instant::now().elapsed().as_nanos() as u64;
                toy.words()[0].store(nanos | 1, SeqCst);
            });
        },
        |toy, _| if toy.get(0) == 0 { "before" } else { "after" },
    );
}

/// What the kill tests are for: an operation that can be torn, and victims that do what they must not.
fn broken_ones_are_caught() {
    println!("toys that are broken on purpose; the messages that follow are expected");
    let torn = step::run(
        &Case::new("toy", "move without a journal"),
        Shared::with_ten,
        |toy, mark| {
            mark.around(|| {
                toy.words()[0].fetch_sub(1, SeqCst);
                toy.words()[1].fetch_add(1, SeqCst);
            });
        },
        |toy, _| toy.verdict(),
    );
    if torn.stride == 1 {
        must_fail(&torn, "9 and 0 do not add up to ten");
        assert!(torn.failures[0].contains("before step-"), "names the place in the code: {}", torn.failures[0]);
    }

    let verdict = |_: Shared, _: &step::Point| "";
    let case = |name: &str| Case::new("toy", name);
    must_fail(&step::run(&case("panic"), Shared::new, |_, mark| mark.around(|| panic!("on purpose")), verdict), "panicked");
    must_fail(&step::run(&case("no mark"), Shared::new, |_, _| {}, verdict), "mark.around");
    must_fail(&step::run(&case("setup"), || -> Shared { panic!("no state") }, |_, _| {}, verdict), "no state");
    let endless = |_: &Shared, mark: &step::Mark| mark.around(|| while std::hint::black_box(true) {});
    must_fail(&step::run(&case("endless").max_steps(500), Shared::new, endless, verdict), "not finished after 500 steps");
    let crash = |_: &Shared, mark: &step::Mark| {
        // SAFETY: not sound, and meant not to be: this forked victim must die of its own fault.
        mark.around(|| unsafe { ptr::null_mut::<u8>().write_volatile(1) });
    };
    must_fail(&step::run(&case("crash"), Shared::new, crash, verdict), "signal 11");
    let blocked = |_: &Shared, mark: &step::Mark| {
        let (read, write) = rustix::pipe::pipe().unwrap();
        mark.around(|| rustix::io::read(&read, &mut [0]).unwrap());
        drop(write);
    };
    let blocks = case("blocks").limit(Duration::from_secs(1));
    must_fail(&step::run(&blocks, Shared::new, blocked, verdict), "not there in time");

    // A check that hangs cannot be stopped; it ends the process. So in a process of its own.
    let hangs = case("hangs").limit(Duration::from_secs(1));
    let process = Helper::fork(|_| {
        let check = |_: Shared, _: &step::Point| -> &str {
            loop {
                std::thread::park();
            }
        };
        step::run(&hangs, Shared::new, |_, mark| mark.around(|| {}), check);
        1
    });
    assert_eq!(process.answer(LONG), Answer::Died, "a hanging check ends its process");
}

fn must_fail(row: &Row, reason: &str) {
    assert!(row.failures.iter().any(|text| text.contains(reason)), "{} {}: {:?}", row.object, row.operation, row.failures);
}

/// A page of anonymous shared memory.
struct Shared {
    page: NonNull<u8>,
}

const SIZE: usize = 4096;
const BYTES_AT: usize = 64;

impl Shared {
    fn new() -> Shared {
        // SAFETY: a new mapping at a place that the kernel chooses; nothing else is touched.
        let page = unsafe { mmap_anonymous(ptr::null_mut(), SIZE, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED) };
        Shared { page: NonNull::new(page.expect("a page").cast()).unwrap() }
    }

    fn with_ten() -> Shared {
        let toy = Shared::new();
        toy.words()[0].store(10, SeqCst);
        toy
    }

    fn words(&self) -> &[AtomicU64; 4] {
        // SAFETY: the page is mapped as long as `self` lives, aligned, and these bytes are only used as atomics.
        unsafe { self.page.cast().as_ref() }
    }

    fn get(&self, word: usize) -> u64 {
        self.words()[word].load(SeqCst)
    }

    fn owner(&self) -> rustix::process::Pid {
        // A lock that was given back in the meantime: process 1, which always lives.
        rustix::process::Pid::from_raw(self.get(0) as i32).unwrap_or(rustix::process::Pid::INIT)
    }

    fn copy_in(&self, from: &[u8]) {
        assert!(from.len() <= SIZE - BYTES_AT);
        // SAFETY: the place lies in the page, behind the words, and no reference to it exists.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), self.page.as_ptr().add(BYTES_AT), from.len()) };
    }

    fn bytes_that_are(&self, byte: u8) -> usize {
        // SAFETY: the place lies in the page, behind the words, and is only read as atomics here.
        let at = |index| unsafe { &*self.page.as_ptr().add(index).cast::<AtomicU8>() };
        (BYTES_AT..SIZE).filter(|&index| at(index).load(SeqCst) == byte).count()
    }

    /// Moves one from word 0 to word 1; word 2 is the journal: what word 0 will be, plus one.
    fn move_one(&self) {
        let [from, _, journal, _] = self.words();
        journal.store(from.load(SeqCst), SeqCst);
        self.repair();
    }

    /// Finishes what the journal says. May be killed and done again.
    fn repair(&self) {
        let [from, to, journal, _] = self.words();
        let left = journal.load(SeqCst);
        if left != 0 {
            from.store(left - 1, SeqCst);
            to.store(10 - (left - 1), SeqCst);
            journal.store(0, SeqCst);
        }
    }

    fn verdict(&self) -> &'static str {
        let torn = self.get(2) != 0;
        self.repair();
        let (from, to) = (self.get(0), self.get(1));
        assert!(from + to == 10, "{from} and {to} do not add up to ten");
        match (torn, from) {
            (true, _) => "repaired",
            (false, 10) => "before",
            (false, _) => "after",
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the page was mapped by `new`, and no reference into it outlives `self`.
        let _ = unsafe { munmap(self.page.as_ptr().cast(), SIZE) };
    }
}
