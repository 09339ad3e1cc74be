//! What a pool is made with, checked, and the start of its workers and threads. Must not know what they do.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use polyproc_ipc::Fabric;
use rustix::thread::CpuSet;

use super::elastic::Bounds;
use super::ended::End;
use super::journal::Keep;
use super::limits::MemoryLimit;
use super::options::Options;
use super::setup::Setup;
use super::starter::Means;
use super::stderr::Stderr;
use super::table::Shared;
use super::{Pool, cpus, hooks, supervisor};
use crate::encoded::Encoded;
use crate::error::{Error, ErrorKind, Result};
use crate::start::StartMethod;
use crate::task::{Task, TaskFn};

/// How long a worker that may go is idle before it does, unless that is said.
const IDLE: Duration = Duration::from_secs(10);

/// What a pool is made with. See [`Pool::builder`].
///
/// ```
/// use polyproc::{MemoryLimit, Pool, task};
/// use std::time::Duration;
///
/// #[task]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// let pool = Pool::builder()
///     .workers_between(1, 4)
///     .idle_timeout(Duration::from_secs(5))
///     .max_tasks_per_worker(1000)
///     .memory_limit(MemoryLimit::soft(512 << 20).or_hard(1 << 30))
///     .restart_limit(20, Duration::from_secs(60))
///     .build()?;
/// assert_eq!(pool.map(square, 0..4)?, [0, 1, 4, 9]);
/// # Ok::<(), polyproc::Error>(())
/// ```
#[derive(Default)]
#[must_use = "no worker is started before `build`"]
pub struct PoolBuilder {
    workers: Option<(usize, usize)>,
    idle: Option<Duration>,
    fabric: Option<Fabric>,
    chunk: Option<usize>,
    program: Option<PathBuf>,
    options: Options,
    max_pending: Option<usize>,
    most_calls: Option<u64>,
    on_start: Option<Result<Vec<u8>>>,
    on_exit: Option<Result<Vec<u8>>>,
    exit_task: Option<String>,
    memory: MemoryLimit,
    restarts: Option<(usize, Duration)>,
    pin: Pin,
    threads: Option<usize>,
    events: Keep,
    method: StartMethod,
    name: Option<String>,
    pub(super) means: Means,
    pub(super) stderr: Stderr,
}

/// On which processors workers run.
#[derive(Default)]
enum Pin {
    #[default]
    Anywhere,
    OneEach,
    To(Vec<Vec<usize>>),
}

/// How many jobs a pool holds at most, if nothing else was said.
const MAX_PENDING: usize = 65_536;

/// The supervisor's stack, and where a starter may fork on it; only what is used takes memory.
const STACK: usize = 2 << 20;
const STACK_TO_FORK: usize = 16 << 20;

/// What the user chose, checked, with the rest filled in. It does not change while the pool lives.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// The name by which other processes find it, if it has one.
    pub(super) name: Option<String>,
    /// How many workers.
    pub(super) bounds: Bounds,
    /// How many calls of a map a worker takes at once, if that was said.
    pub(super) chunk: Option<usize>,
    /// The workers' program; this one if none was given.
    pub(super) program: Option<PathBuf>,
    /// How calls are run if nothing else is said.
    pub(super) options: Options,
    /// How many unfinished jobs there may be before `submit` waits.
    pub(super) max_pending: usize,
    /// What workers are told.
    pub(super) setup: Setup,
    /// The name of the exit hook's task.
    pub(super) exit_task: Option<String>,
    pub(super) memory: MemoryLimit,
    /// So many deaths within the time are the last that are made good.
    pub(super) restarts: Option<(usize, Duration)>,
    /// Processors of the workers by their place; none: anywhere.
    pub(super) cpus: Vec<CpuSet>,
    /// Variables that are set in workers.
    pub(super) environment: Vec<(String, String)>,
    /// Which events are kept.
    pub(super) events: Keep,
    /// How they are started.
    pub(super) method: StartMethod,
    /// By whom, if not by the pool.
    pub(super) means: Means,
    /// Where their standard error leads.
    pub(super) stderr: Stderr,
}

impl PoolBuilder {
    /// How many workers. Without it: one for each processor that this process may use, by affinity and by its cgroup's quota.
    pub fn workers(self, count: usize) -> PoolBuilder {
        self.workers_between(count, count)
    }

    /// As many workers as there is work for, between `least` and `most`. The pool begins with `least`; it starts more when calls wait and every worker has one, and
    /// lets those leave that are too many for the [idle time](PoolBuilder::idle_timeout). They leave in order: no call is lost by it, and nobody who has one is asked to.
    pub fn workers_between(mut self, least: usize, most: usize) -> PoolBuilder {
        self.workers = Some((least, most));
        self
    }

    /// How long fewer calls than workers must be under way before a pool of [changing size](PoolBuilder::workers_between) lets workers leave. Without it: 10 seconds.
    pub fn idle_timeout(mut self, idle: Duration) -> PoolBuilder {
        self.idle = Some(idle);
        self
    }

    /// The fabric through which calls and results travel, and which is `Fabric::current()` in the workers. Without it: this process's current one.
    pub fn fabric(mut self, fabric: &Fabric) -> PoolBuilder {
        self.fabric = Some(fabric.clone());
        self
    }

    /// How many calls of a map a worker takes at once. Without it: a quarter of each worker's share.
    pub fn chunk_size(mut self, calls: usize) -> PoolBuilder {
        self.chunk = Some(calls);
        self
    }

    /// Another program for the workers; it must contain polyproc and the tasks. Without it: this program.
    pub fn program(mut self, path: impl Into<PathBuf>) -> PoolBuilder {
        self.program = Some(path.into());
        self
    }

    /// How the pool's calls are run, unless [`Pool::with`] says otherwise for some.
    pub fn options(mut self, options: Options) -> PoolBuilder {
        self.options = options;
        self
    }

    /// How many submissions may be unfinished: where there are as many, [`Pool::submit`] and its like wait for one to be over, and [`Pool::try_submit`] says `Full`. In callbacks nothing waits. Without it:
    /// 65,536.
    ///
    /// A map counts as one, however many items it has, and does not wait. The bound is there for programs that submit in a loop and would never notice that the pool cannot keep up. A map is
    /// noticed: its items are given in one piece, `map` waits for them anyway, and `map_async` is to return before they are done, which it could not if it had to wait for them in
    /// between. So the arguments of a map are all in the fabric at once, and if they do not fit, it fails with `OutOfMemory`; what was submitted of it by then is run, and
    /// its results are dropped. For more items, or larger ones, than should be there at once, there is [`Pool::imap`], which counts as one, too, and reads on only as results are taken: its bound is
    /// [`Options::window`].
    pub fn max_pending(mut self, submissions: usize) -> PoolBuilder {
        self.max_pending = Some(submissions);
        self
    }

    /// A worker leaves after so many calls, and another takes its place (the reference's `maxtasksperchild`): for tasks that leak. It counts calls, not chunks of a map; of
    /// a chunk larger than what is left to it, it runs as many as it may, and the next worker gets the rest. This is no death, and fails no call.
    ///
    /// ```
    /// use polyproc::{Pool, task};
    ///
    /// #[task]
    /// fn pid() -> u32 {
    ///     std::process::id()
    /// }
    ///
    /// let pool = Pool::builder().workers(1).max_tasks_per_worker(2).build()?;
    /// let pids: Vec<u32> = (0..4).map(|_| pool.apply(pid, ())).collect::<polyproc::Result<_>>()?;
    /// assert!(pids[0] == pids[1] && pids[1] != pids[2] && pids[2] == pids[3]);
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn max_tasks_per_worker(mut self, calls: u64) -> PoolBuilder {
        self.most_calls = Some(calls);
        self
    }

    /// Runs `task` with `args` in every worker before its first call (the reference's `initializer`); what it returns is dropped. What it prepares for the calls it keeps by
    /// [`worker::set`](crate::worker::set()), where there is an example.
    ///
    /// If it panics, fails or kills its worker, another is started; after ten of them in a row the pool gives up, and every call fails with [`ErrorKind::GaveUp`], with the
    /// panic's [message](Error::message).
    pub fn on_start<F: TaskFn>(mut self, task: Task<F>, args: F::Args) -> PoolBuilder {
        self.on_start = Some(hooks::encode(task.name(), &args));
        self
    }

    /// Runs `task` with `args` in every worker that leaves in order: because the pool was closed, has too many workers, or limits their calls or memory. What it returns is
    /// collected: [`Pool::exit_results`], where there is an example. A worker that dies, or is ended by [`Pool::terminate`], does not run it.
    pub fn on_exit<F: TaskFn>(mut self, task: Task<F>, args: F::Args) -> PoolBuilder {
        self.on_exit = Some(hooks::encode(task.name(), &args));
        self.exit_task = Some(task.name().into());
        self
    }

    /// As [`on_start`](PoolBuilder::on_start), by the task's name, with arguments that are encoded already.
    pub fn on_start_named(mut self, task: &str, arguments: Encoded) -> PoolBuilder {
        self.on_start = Some(hooks::of(task, arguments));
        self
    }

    /// As [`on_exit`](PoolBuilder::on_exit), by the task's name, with arguments that are encoded already.
    pub fn on_exit_named(mut self, task: &str, arguments: Encoded) -> PoolBuilder {
        self.on_exit = Some(hooks::of(task, arguments));
        self.exit_task = Some(task.into());
        self
    }

    /// How much memory each worker may have of its own: resident, without what it shares with others, so the fabric does not count.
    ///
    /// With more than the *soft* limit after a call, a worker leaves in order and is replaced; it looks after each call, though no oftener than once in a millisecond.
    /// With more than the *hard* limit it is killed, and the call that it runs fails with [`ErrorKind::MemoryLimit`] and the [size](Error::resident); the pool measures
    /// fifty times a second while calls run, so a call that is faster than that may have more for a moment.
    pub fn memory_limit(mut self, limit: MemoryLimit) -> PoolBuilder {
        self.memory = limit;
        self
    }

    /// The pool makes up to `deaths` deaths of workers good within any time as long as `within`; with one more it gives up: every call fails with [`ErrorKind::GaveUp`],
    /// which names the last death. Without it there is no limit; but ten workers in a row that die before they can begin a call are always too many.
    pub fn restart_limit(mut self, deaths: usize, within: Duration) -> PoolBuilder {
        self.restarts = Some((deaths, within));
        self
    }

    /// Whether each worker runs on one processor only, from its first instruction on: of those that this process may use, in turn by the worker's
    /// [number](crate::worker::number). Without it: wherever this process may.
    pub fn pin_cpus(mut self, pin: bool) -> PoolBuilder {
        self.pin = if pin { Pin::OneEach } else { Pin::Anywhere };
        self
    }

    /// The processors of each worker, in turn by its [number](crate::worker::number): worker `n` has set `n` modulo the number of sets.
    pub fn pin_cpus_to(mut self, sets: impl IntoIterator<Item = Vec<usize>>) -> PoolBuilder {
        self.pin = Pin::To(sets.into_iter().collect());
        self
    }

    /// How many threads numeric libraries (OpenMP, OpenBLAS, MKL, BLIS, Accelerate, NumExpr, Numba, rayon, Polars) start in a worker, by the variables they read, such as
    /// `OMP_NUM_THREADS`; 0 leaves all variables as they are.
    ///
    /// Without it: so many that all workers together have one thread for each processor, where a variable that this process has set stays as it is.
    pub fn library_threads(mut self, threads: usize) -> PoolBuilder {
        self.threads = Some(threads);
        self
    }

    /// How many of the last events (starts and ends of workers, begins and ends of calls) the pool keeps, for [`Pool::trace`] and [`Pool::progress`]: 16 to 2^24, rounded up to a power of two, of
    /// 32 bytes each in the fabric; 0: none, and no call pays for them. Without it: 2,048, if the fabric has room for them. They go with the pool.
    pub fn events(mut self, count: usize) -> PoolBuilder {
        self.events = Keep::Last(count);
        self
    }

    /// As [`events`](PoolBuilder::events), in an [`Events`](crate::Events) ring of this name, which stays when the pool is gone, and can be read by any process that has the fabric open, also
    /// after a crash: see [`trace::write`](crate::trace::write). If there is a ring of this name already, it is used.
    pub fn events_named(mut self, name: impl Into<String>, count: usize) -> PoolBuilder {
        self.events = Keep::Named(name.into(), count);
        self
    }

    /// How workers are started: by [`StartMethod::Spawn`] (which it is without this) or [`StartMethod::ForkServer`]. `Fork` is refused: a pool has threads, whose locks a copy of
    /// this process would inherit.
    pub fn start_method(mut self, method: StartMethod) -> PoolBuilder {
        self.method = method;
        self
    }

    /// Makes the pool findable by this name in its fabric: any process that has the fabric open may offer its tasks to it ([`Worker`](crate::Worker), where there is an example) and submit to it
    /// ([`Pool::connect`]). Mostly of use in a fabric with a name. A pool with a name may have no workers of its own: `workers(0)`.
    ///
    /// The name is free again when the pool is over, or its process has died, however that was. As long as it is not, [`build`](PoolBuilder::build) answers `AlreadyExists`.
    pub fn name(mut self, name: impl Into<String>) -> PoolBuilder {
        self.name = Some(name.into());
        self
    }

    /// Starts the workers, and returns without waiting until they are up.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for no workers, chunks of nothing, and other bounds that allow nothing; [`ErrorKind::BadArguments`] for those of a hook; [`ErrorKind::SpawnFailed`] if
    /// one of the first workers cannot be started; or an error of the fabric. Nothing is left running then. A worker that cannot be *re*placed later is tried
    /// again from time to time, and the pool works with those it has; without any it gives up.
    pub fn build(self) -> Result<Pool> {
        let settings = self.settings()?;
        let foreign = settings.means.is_foreign();
        let fabric = self.fabric.map_or_else(Fabric::current, Ok)?;
        let ended = End::new()?;
        let shared = Arc::new(Shared::new(fabric, settings)?);
        let mut live = Vec::with_capacity(shared.settings.bounds.least);
        let mut failed = None;
        for place in 0..shared.settings.bounds.least {
            match shared.start_worker(place as u32, false) {
                Ok(worker) => live.push(worker),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        if let Some(error) = &failed {
            shared.stop(error);
        }
        let body = {
            let shared = shared.clone();
            let over = ended.bell();
            move || {
                let _over = over;
                supervisor::run(&shared, live);
            }
        };
        // What a starter forks goes on with the stack of the thread that did it, and runs any code there.
        let stack = if foreign { STACK_TO_FORK } else { STACK };
        match std::thread::Builder::new().name("polyproc-supervise".into()).stack_size(stack).spawn(body) {
            Ok(supervisor) => {
                // Also after a failure: the supervisor ends at once then, and takes what was started with it.
                let pool = Pool { shared, supervisor: Mutex::new(Some(supervisor)), ended };
                failed.map_or(Ok(pool), Err)
            }
            Err(error) => {
                supervisor::clear_away(&shared);
                Err(failed.unwrap_or_else(|| Error::new(ErrorKind::SpawnFailed, format!("cannot start a thread of the pool: {error}"))))
            }
        }
    }

    pub(super) fn settings(&self) -> Result<Settings> {
        let usable = polyproc_ipc::available_cpus();
        let (least, most) = self.workers.unwrap_or((usable, usable));
        let idle = self.idle.unwrap_or(IDLE);
        if (least == 0 || most == 0) && (self.name.is_none() || most != 0) {
            return Err(Error::argument("a pool needs at least one worker, unless it has a name, by which workers join"));
        }
        if least > most {
            return Err(Error::argument(format!("a pool cannot have between {least} and {most} workers: the least is above the most")));
        }
        if self.chunk == Some(0) {
            return Err(Error::argument("a chunk needs at least one call"));
        }
        if self.max_pending == Some(0) {
            return Err(Error::argument("a pool needs room for at least one unfinished call"));
        }
        self.options.check()?;
        if self.most_calls == Some(0) {
            return Err(Error::argument("a worker needs at least one call before it leaves"));
        }
        self.stderr.check()?;
        if let Some(fault) = self.memory.fault() {
            return Err(Error::argument(fault));
        }
        let cpus = match &self.pin {
            Pin::Anywhere => Vec::new(),
            Pin::OneEach => cpus::one_each()?,
            Pin::To(lists) => cpus::checked(lists)?,
        };
        if self.method == StartMethod::Fork {
            return Err(Error::argument("workers cannot be forks of a process with threads, as a pool has: use StartMethod::Spawn or StartMethod::ForkServer"));
        }
        if self.method == StartMethod::ForkServer && !cpus.is_empty() {
            return Err(Error::argument("workers that the fork server starts cannot be pinned to processors: use StartMethod::Spawn"));
        }
        if self.means.is_foreign() && !self.stderr.is_plain() {
            return Err(Error::argument("the standard error of workers by a starter is the starter's, and cannot be captured or hidden by the pool"));
        }
        let environment = match self.threads {
            Some(0) => Vec::new(),
            Some(threads) => cpus::thread_variables(threads, true),
            None => cpus::thread_variables((usable / most.max(1)).max(1), false),
        };
        let setup = Setup {
            most_calls: self.most_calls,
            soft_memory: self.memory.soft_bytes(),
            on_start: self.on_start.clone().transpose()?,
            on_exit: self.on_exit.clone().transpose()?,
        };
        Ok(Settings {
            name: self.name.clone(),
            bounds: Bounds { least, most, idle },
            chunk: self.chunk,
            program: self.program.clone(),
            setup,
            exit_task: self.exit_task.clone(),
            memory: self.memory,
            restarts: self.restarts,
            cpus,
            environment,
            options: self.options,
            method: self.method,
            means: self.means.clone(),
            stderr: self.stderr,
            events: self.events.clone(),
            max_pending: self.max_pending.unwrap_or(MAX_PENDING),
        })
    }
}
