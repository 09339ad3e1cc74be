//! Workers that somebody else starts: this program by `std::process::Command`, and copies of it by `fork`. Deaths mean what they mean for the pool's own.
#![allow(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use polyproc::{
    Collected, Error, ErrorKind, Fabric, Pool, PoolBuilder, Process, Queue, StartedWorker, Starter, StillForFork, WorkerOrder, interrupt_waits, task, worker,
};

use crate::death::{die_by, spin};
use crate::pool::square;
use crate::{kill, runs, until, watched};

const POST: &str = "POLYPROC_TEST_POST";

/// Not a test: what a worker that was started by `Command` does. Without its line, nothing.
#[test]
fn role_of_a_worker() {
    if let Ok(line) = std::env::var(POST) {
        std::process::exit(worker::serve(&line).unwrap_or(1));
    }
}

/// Starts this program again; collects it itself, or leaves that to the pool.
struct ByCommand {
    collects: bool,
}

struct Spawned(u32, Option<Mutex<Child>>);

impl Starter for ByCommand {
    fn start(&self, order: &WorkerOrder) -> Result<Box<dyn StartedWorker>, String> {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["starter::role_of_a_worker", "--exact"]).env(POST, &order.line).envs(order.environment.clone()).stdout(Stdio::null());
        let child = command.spawn().unwrap();
        Ok(Box::new(Spawned(child.id(), self.collects.then(|| Mutex::new(child)))))
    }
}

impl StartedWorker for Spawned {
    fn pid(&self) -> u32 {
        self.0
    }

    fn collect(&self) -> Collected {
        use std::os::unix::process::ExitStatusExt as _;
        let Some(child) = &self.1 else { return Collected::ByPool };
        let status = child.lock().unwrap().wait().unwrap();
        status.code().or_else(|| status.signal().map(|signal| -signal)).map_or(Collected::Unknown, Collected::Code)
    }
}

/// Copies this process.
struct ByFork;

struct Forked(u32);

impl StartedWorker for Forked {
    fn pid(&self) -> u32 {
        self.0
    }
}

fn fork(child: impl FnOnce() -> i32) -> Box<dyn StartedWorker> {
    let still = StillForFork::hold();
    // SAFETY: the child goes on in this thread, and leaves by `_exit`.
    let pid = unsafe { libc::fork() };
    drop(still);
    if pid == 0 {
        let code = child();
        // SAFETY: ends the process.
        unsafe { libc::_exit(code) }
    }
    assert!(pid > 0);
    Box::new(Forked(pid as u32))
}

impl Starter for ByFork {
    fn start(&self, order: &WorkerOrder) -> Result<Box<dyn StartedWorker>, String> {
        Ok(fork(|| worker::serve(&order.line).unwrap_or(1)))
    }
}

/// A fabric that a started program finds.
fn fabric(what: &str) -> Fabric {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("starter-{what}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    Fabric::builder().cap(32 << 20).create(&name).unwrap()
}

/// A builder for each way of starting.
fn builders(what: &str) -> [PoolBuilder; 3] {
    let private = Fabric::builder().cap(32 << 20).private().unwrap();
    [
        Pool::builder().fabric(&private).starter(ByFork),
        Pool::builder().fabric(&fabric(what)).starter(ByCommand { collects: false }),
        Pool::builder().fabric(&fabric(what)).starter(ByCommand { collects: true }),
    ]
}

#[task]
fn who(n: u64) -> (u64, u32, Option<usize>) {
    (n, std::process::id(), worker::number())
}

#[test]
fn they_work_and_leave_and_nothing_stays() {
    watched(|| {
        for builder in builders("work") {
            let pool = builder.workers(2).chunk_size(1).build().unwrap();
            until(|| pool.workers().iter().all(|worker| worker.ready));
            let pids: BTreeSet<u32> = pool.workers().iter().map(|worker| worker.pid).collect();
            let results = pool.map(who, 0..50).unwrap();
            assert!(results.iter().map(|result| result.0).eq(0..50));
            assert!(results.iter().all(|result| pids.contains(&result.1) && result.2.is_some_and(|number| number < 2)), "{results:?}");
            pool.close();
            pool.join().unwrap();
            assert!(pids.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()), "collected");
        }
    });
}

#[test]
fn a_death_fails_its_call_and_says_how() {
    watched(|| {
        for builder in builders("death") {
            let pool = builder.workers(1).build().unwrap();
            for signal in [9, 15] {
                let error = pool.apply(die_by, (signal,)).unwrap_err();
                assert_eq!((error.kind(), error.signal()), (ErrorKind::WorkerDied, Some(signal)), "{error}");
            }
            assert_eq!(pool.apply(square, (7,)).unwrap(), 49);
            for _ in 0..3 {
                until(|| pool.workers().len() == 1 && pool.workers()[0].ready);
                let victim = pool.workers()[0].pid;
                kill(victim);
                until(|| pool.workers().iter().all(|worker| worker.pid != victim));
            }
            assert_eq!(pool.apply(square, (3,)).unwrap(), 9);
        }
    });
}

#[test]
fn a_worker_leaves_after_so_many_calls() {
    watched(|| {
        for builder in builders("calls") {
            // Not one death is allowed: leaving is none.
            let pool = builder.workers(2).chunk_size(7).max_tasks_per_worker(3).restart_limit(0, Duration::from_secs(600)).build().unwrap();
            let results = pool.map(who, 0..20).unwrap();
            assert!(results.iter().map(|result| result.0).eq(0..20));
            let mut calls = BTreeMap::new();
            for result in &results {
                *calls.entry(result.1).or_insert(0) += 1;
            }
            assert!(calls.values().all(|&count| count <= 3), "{calls:?}");
        }
    });
}

#[test]
fn too_many_deaths_are_too_many() {
    watched(|| {
        for builder in builders("limit") {
            let pool = builder.workers(1).restart_limit(2, Duration::from_secs(600)).build().unwrap();
            let errors: Vec<Error> = (0..3).map(|_| pool.apply(die_by, (9,)).unwrap_err()).collect();
            assert!(errors.iter().all(|error| error.kind() == ErrorKind::WorkerDied), "{errors:?}");
            until(|| !pool.is_open());
            assert_eq!(pool.apply(square, (1,)).unwrap_err().kind(), ErrorKind::GaveUp);
        }
    });
}

#[test]
fn under_random_kills_every_call_is_settled() {
    watched(|| {
        for builder in builders("storm") {
            let pool = builder.workers(2).chunk_size(5).build().unwrap();
            let (over, died) = (AtomicBool::new(false), AtomicU32::new(0));
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    for round in 0.. {
                        if over.load(Ordering::Relaxed) {
                            break;
                        }
                        let ready: Vec<_> = pool.workers().into_iter().filter(|worker| worker.ready).collect();
                        if let Some(victim) = ready.get(round % 2) {
                            kill(victim.pid);
                        }
                        std::thread::sleep(Duration::from_millis(3));
                    }
                });
                // Until enough were in a call.
                while died.load(Ordering::Relaxed) < 5 {
                    let results: Vec<_> = pool.imap(spin, 0..1_000).unwrap().collect();
                    assert_eq!(results.len(), 1_000);
                    for (n, result) in (0..).zip(results) {
                        match result {
                            Ok(value) => assert_eq!(value, n),
                            Err(error) => {
                                assert_eq!((error.kind(), error.signal()), (ErrorKind::WorkerDied, Some(9)));
                                died.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                }
                over.store(true, Ordering::Relaxed);
            });
        }
    });
}

/// Starts so many, and then refuses.
struct AFew(ByFork, AtomicU32);

impl Starter for AFew {
    fn start(&self, order: &WorkerOrder) -> Result<Box<dyn StartedWorker>, String> {
        match self.1.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
            Ok(_) => self.0.start(order),
            Err(_) => Err("no more of them".into()),
        }
    }
}

#[test]
fn a_start_that_fails_is_told() {
    watched(|| {
        for first in 0..2 {
            let error = Pool::builder().workers(2).starter(AFew(ByFork, AtomicU32::new(first))).build().unwrap_err();
            assert!(error.to_string().contains("no more of them"), "{error}");
        }
        let pool = Pool::builder().workers(1).starter(AFew(ByFork, AtomicU32::new(1))).build().unwrap();
        assert_eq!(pool.apply(die_by, (9,)).unwrap_err().kind(), ErrorKind::WorkerDied);
        let error = pool.apply(square, (1,)).unwrap_err();
        assert!(error.kind() == ErrorKind::GaveUp && error.to_string().contains("no more of them"), "{error}");
    });
}

/// Starts what never becomes a worker; and collects it before anybody looks, or not.
struct Futile(bool);

impl Starter for Futile {
    fn start(&self, _: &WorkerOrder) -> Result<Box<dyn StartedWorker>, String> {
        let mut child = Command::new("true").spawn().unwrap();
        if self.0 {
            child.wait().unwrap();
        }
        Ok(Box::new(Spawned(child.id(), Some(Mutex::new(child)))))
    }
}

#[test]
fn what_never_becomes_a_worker_makes_the_pool_give_up() {
    watched(|| {
        for collected in [false, true] {
            let pool = Pool::builder().workers(2).starter(Futile(collected)).build().unwrap();
            assert_eq!(pool.apply(square, (1,)).unwrap_err().kind(), ErrorKind::GaveUp);
        }
    });
}

#[task]
fn has_a_pool(told: Queue<Vec<u32>>) {
    let fabric = fabric("orphans");
    let pools = [Pool::builder().workers(2).starter(ByFork), Pool::builder().fabric(&fabric).workers(2).starter(ByCommand { collects: true })];
    let pools = pools.map(|builder| builder.build().unwrap());
    until(|| pools.iter().flat_map(Pool::workers).all(|worker| worker.ready));
    let _busy = pools.each_ref().map(|pool| pool.submit(never_ends, ()).unwrap());
    told.put(&pools.iter().flat_map(Pool::workers).map(|worker| worker.pid).collect()).unwrap();
    never_ends();
}

#[task]
fn never_ends() {
    loop {
        std::thread::park();
    }
}

#[test]
fn they_end_with_the_pools_process() {
    watched(|| {
        let told = Queue::new(&Fabric::current().unwrap(), 0).unwrap();
        let process = Process::spawn(has_a_pool, (told.clone(),)).unwrap();
        let pids = told.get().unwrap();
        assert!(pids.len() == 4 && pids.iter().all(|&pid| runs(pid)));
        process.kill().unwrap();
        process.join().unwrap();
        until(|| !pids.iter().any(|&pid| runs(pid)));
    });
}

static SIGNALLED: AtomicBool = AtomicBool::new(false);

extern "C" fn on_signal(_: libc::c_int) {
    SIGNALLED.store(true, Ordering::Relaxed);
    interrupt_waits();
}

/// A worker that leaves when a signal says so, or only looks.
struct Listening(bool);

impl Starter for Listening {
    fn start(&self, order: &WorkerOrder) -> Result<Box<dyn StartedWorker>, String> {
        Ok(fork(|| {
            // SAFETY: the handler only sets a flag and adds to a counter.
            unsafe { libc::signal(libc::SIGUSR1, on_signal as *const () as libc::sighandler_t) };
            // It is asked without a signal, too.
            worker::serve_with_signals(&order.line, || (SIGNALLED.swap(false, Ordering::Relaxed) && self.0).then_some(7)).unwrap_or(1)
        }))
    }
}

#[test]
fn a_signal_is_seen_to_while_a_worker_waits() {
    watched(|| {
        for leaves in [true, false] {
            let none = Duration::from_secs(600);
            let pool = Pool::builder().workers(1).starter(Listening(leaves)).restart_limit(0, none).build().unwrap();
            for _ in 0..3 {
                // It has begun: the handler is set.
                let pid = pool.apply(who, (1,)).unwrap().1;
                let me = rustix::process::Pid::from_raw(pid as i32).unwrap();
                rustix::process::kill_process(me, rustix::process::Signal::USR1).unwrap();
                if leaves {
                    until(|| pool.workers().iter().all(|worker| worker.pid != pid));
                }
                assert_eq!(pool.apply(who, (1,)).unwrap().1 != pid, leaves);
            }
        }
    });
}

#[test]
fn lines_that_are_none_are_refused() {
    watched(|| {
        for line in ["", "1:2:3", "1:1:0::zz"] {
            assert_eq!(worker::serve(line).unwrap_err().kind(), ErrorKind::Ipc(polyproc::ipc::ErrorKind::InvalidArgument));
        }
        struct Keeps(Arc<Mutex<Vec<String>>>);
        impl Starter for Keeps {
            fn start(&self, order: &WorkerOrder) -> Result<Box<dyn StartedWorker>, String> {
                self.0.lock().unwrap().push(order.line.clone());
                ByFork.start(order)
            }
        }
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let pool = Pool::builder().workers(1).starter(Keeps(lines.clone())).build().unwrap();
        assert_eq!(pool.apply(square, (2,)).unwrap(), 4);
        // A line is good for one process; and for none of another fabric's members.
        let used = fork_and_serve(&lines.lock().unwrap()[0]);
        assert_eq!(used, 44);
        assert!(Pool::builder().starter(ByFork).capture_stderr(100).build().is_err());
    });
}

/// The exit code of a process that serves with this line; 44: it was refused.
fn fork_and_serve(line: &str) -> i32 {
    let child = fork(|| worker::serve(line).map_or(44, |_| 0));
    let pid = rustix::process::Pid::from_raw(child.pid() as i32);
    let (_, status) = rustix::process::waitpid(pid, rustix::process::WaitOptions::empty()).unwrap().unwrap();
    status.exit_status().unwrap_or(-1)
}
