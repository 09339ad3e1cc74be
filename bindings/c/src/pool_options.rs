//! What a pool is made with, and how calls are run, as C says it. Knows no pool that runs.

use std::ffi::c_char;
use std::time::Duration;

use polyproc::{MemoryLimit, Pool, PoolBuilder, Priority, Retry, StartMethod};

use crate::boundary::{Call, Options};
use crate::datum::pp_datum_t;
use crate::error::Fault;
use crate::fabric::pp_fabric_t;
use crate::process::start_method;
use crate::task::arguments;
use crate::wait::duration;

/// Calls of this priority come after all others.
pub const PP_PRIORITY_LOW: i32 = -1;
/// What calls have without a choice.
pub const PP_PRIORITY_NORMAL: i32 = 0;
/// They go first. There is no ageing.
pub const PP_PRIORITY_HIGH: i32 = 1;

/// Calls are retried also if the task failed, or was over its hard limit; without it, only if their worker died.
pub const PP_CALL_RETRY_ERRORS: u32 = 1;

/// Options of calls. 0 is the default of each; PP_CALL_OPTIONS_INIT begins one.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct pp_call_options_t {
    /// sizeof(pp_call_options_t)
    pub size: usize,
    /// How often a call may be run again. What is run again runs at least once, every other call at most once.
    pub retries: u32,
    /// PP_CALL_ numbers, added.
    pub flags: u32,
    /// Nanoseconds to wait before the second attempt. No worker waits meanwhile.
    pub backoff: i64,
    /// Before each further attempt so many times as long; 0: the same.
    pub backoff_factor: f64,
    /// But never longer than so many nanoseconds; 0: than ten times `backoff`.
    pub backoff_most: i64,
    /// Nanoseconds after which an attempt is told to stop: pp_call_cancelled; 0: never.
    pub soft_limit: i64,
    /// Nanoseconds after which an attempt's worker is killed: PP_TIME_LIMIT; 0: never. Not for pools of other processes.
    pub hard_limit: i64,
    /// A PP_PRIORITY_ number.
    pub priority: i32,
    /// How many calls of a map a worker takes at once; 0: a quarter of each worker's share.
    pub chunk: u32,
}

// SAFETY: numbers only, the first a `usize`.
unsafe impl Options for pp_call_options_t {}

impl pp_call_options_t {
    pub(crate) fn get(&self) -> Result<polyproc::Options, Fault> {
        if self.flags & !PP_CALL_RETRY_ERRORS != 0 {
            return Err(Fault::argument(format!("options.flags is {:#x}, which has bits that are no PP_CALL_ number", self.flags)));
        }
        let mut retry = Retry::on_death(self.retries);
        if self.flags & PP_CALL_RETRY_ERRORS != 0 {
            retry = retry.or_error();
        }
        let (first, most) = (duration("options.backoff", self.backoff)?, duration("options.backoff_most", self.backoff_most)?);
        if first > Duration::ZERO {
            let factor = if self.backoff_factor == 0.0 { 1.0 } else { self.backoff_factor };
            retry = retry.backoff(first, factor, if most.is_zero() { first.saturating_mul(10) } else { most });
        }
        let mut options = polyproc::Options::new().retry(retry).priority(match self.priority {
            PP_PRIORITY_LOW => Priority::Low,
            PP_PRIORITY_NORMAL => Priority::Normal,
            PP_PRIORITY_HIGH => Priority::High,
            other => return Err(Fault::argument(format!("options.priority is {other}, which is no PP_PRIORITY_ number"))),
        });
        let (soft, hard) = (duration("options.soft_limit", self.soft_limit)?, duration("options.hard_limit", self.hard_limit)?);
        if !soft.is_zero() {
            options = options.soft_limit(soft);
        }
        if !hard.is_zero() {
            options = options.hard_limit(hard);
        }
        Ok(if self.chunk > 0 { options.chunk_size(self.chunk as usize) } else { options })
    }
}

/// The pool has no workers of its own: only for one with a name, by which workers join.
pub const PP_POOL_NO_WORKERS: u32 = 1;
/// Each worker runs on one processor only.
pub const PP_POOL_PIN_CPUS: u32 = 2;
/// The pool keeps no events, and no call pays for them.
pub const PP_POOL_NO_EVENTS: u32 = 4;
/// Variables of numeric libraries are left as they are in workers.
pub const PP_POOL_KEEP_THREADS: u32 = 8;

/// Options of a pool. 0 is the default of each; PP_POOL_OPTIONS_INIT begins one.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pp_pool_options_t {
    /// sizeof(pp_pool_options_t)
    pub size: usize,
    /// Where calls and results travel, and what is the workers' current fabric; NULL: this process's current one.
    pub fabric: *const pp_fabric_t,
    /// A name in that fabric, by which other programs join as workers (pp_worker_join) and submit (pp_pool_connect); NULL: none.
    pub name: *const c_char,
    /// How many workers; 0: one for each processor that this process may use.
    pub workers: u32,
    /// With more work, up to so many; 0: as `workers`.
    pub most_workers: u32,
    /// Nanoseconds without need of them after which workers beyond `workers` leave; 0: 10 seconds.
    pub idle_timeout: i64,
    /// The workers' program; NULL: this one, which says pp_main.
    pub program: *const c_char,
    /// PP_START_SPAWN or PP_START_FORKSERVER.
    pub start_method: i32,
    /// PP_POOL_ numbers, added.
    pub flags: u32,
    /// How the pool's calls are run where nothing else is said; NULL: all defaults.
    pub calls: *const pp_call_options_t,
    /// How many submissions may be unfinished before pp_pool_submit says PP_FULL; 0: 65,536.
    pub max_pending: u64,
    /// After so many calls a worker leaves and is replaced; 0: never.
    pub max_tasks_per_worker: u64,
    /// With more bytes of its own after a call, a worker leaves and is replaced; 0: any.
    pub soft_memory: u64,
    /// With more bytes of its own it is killed, and its call fails with PP_MEMORY_LIMIT; 0: any.
    pub hard_memory: u64,
    /// The pool gives up after more deaths of workers than that within `restart_within`; 0: no limit, but for ten in a row before they could do anything.
    pub restart_deaths: u64,
    /// Nanoseconds.
    pub restart_within: i64,
    /// Threads of numeric libraries in each worker; 0: so many that all workers together have one for each processor.
    pub library_threads: u32,
    /// How many of the last events are kept, 16 to 2^24; 0: 2,048.
    pub events: u32,
    /// The name of their ring, which then stays when the pool is gone; NULL: none.
    pub events_name: *const c_char,
    /// A task that runs in every worker before its first call; NULL: none.
    pub on_start: *const c_char,
    /// Its arguments; NULL: none.
    pub on_start_arguments: *const pp_datum_t,
    /// How many.
    pub on_start_count: usize,
    /// A task that runs in every worker that leaves in order; NULL: none.
    pub on_exit: *const c_char,
    /// Its arguments; NULL: none.
    pub on_exit_arguments: *const pp_datum_t,
    /// How many.
    pub on_exit_count: usize,
}

impl Default for pp_pool_options_t {
    fn default() -> pp_pool_options_t {
        let (text, value) = (std::ptr::null(), std::ptr::null());
        pp_pool_options_t {
            size: 0,
            fabric: std::ptr::null(),
            name: text,
            workers: 0,
            most_workers: 0,
            idle_timeout: 0,
            program: text,
            start_method: 0,
            flags: 0,
            calls: std::ptr::null(),
            max_pending: 0,
            max_tasks_per_worker: 0,
            soft_memory: 0,
            hard_memory: 0,
            restart_deaths: 0,
            restart_within: 0,
            library_threads: 0,
            events: 0,
            events_name: text,
            on_start: text,
            on_start_arguments: value,
            on_start_count: 0,
            on_exit: text,
            on_exit_arguments: value,
            on_exit_count: 0,
        }
    }
}

// SAFETY: numbers and pointers only, the first a `usize`.
unsafe impl Options for pp_pool_options_t {}

impl pp_pool_options_t {
    pub(crate) fn builder(&self, call: &Call) -> Result<PoolBuilder, Fault> {
        const KNOWN: u32 = PP_POOL_NO_WORKERS | PP_POOL_PIN_CPUS | PP_POOL_NO_EVENTS | PP_POOL_KEEP_THREADS;
        if self.flags & !KNOWN != 0 {
            return Err(Fault::argument(format!("options.flags is {:#x}, which has bits that are no PP_POOL_ number", self.flags)));
        }
        let mut builder = self.size_of(Pool::builder())?;
        if let Some(fabric) = call.maybe(self.fabric) {
            builder = builder.fabric(fabric.get());
        }
        if let Some(name) = call.maybe_text("options.name", self.name)? {
            builder = builder.name(name);
        }
        if let Some(program) = call.maybe_os_text(self.program) {
            builder = builder.program(program);
        }
        builder = builder.start_method(start_method(self.start_method)?.unwrap_or(StartMethod::Spawn)).pin_cpus(self.flags & PP_POOL_PIN_CPUS != 0);
        if !self.calls.is_null() {
            builder = builder.options(call.options("options.calls", self.calls)?.get()?);
        }
        if self.max_pending > 0 {
            builder = builder.max_pending(usize::try_from(self.max_pending).unwrap_or(usize::MAX));
        }
        if self.max_tasks_per_worker > 0 {
            builder = builder.max_tasks_per_worker(self.max_tasks_per_worker);
        }
        builder = match (self.soft_memory, self.hard_memory) {
            (0, 0) => builder,
            (soft, 0) => builder.memory_limit(MemoryLimit::soft(soft)),
            (0, hard) => builder.memory_limit(MemoryLimit::hard(hard)),
            (soft, hard) => builder.memory_limit(MemoryLimit::soft(soft).or_hard(hard)),
        };
        let within = duration("options.restart_within", self.restart_within)?;
        if self.restart_deaths > 0 || !within.is_zero() {
            builder = builder.restart_limit(usize::try_from(self.restart_deaths).unwrap_or(usize::MAX), within);
        }
        if self.flags & PP_POOL_KEEP_THREADS != 0 {
            builder = builder.library_threads(0);
        } else if self.library_threads > 0 {
            builder = builder.library_threads(self.library_threads as usize);
        }
        self.hooks(call, self.events_of(call, builder)?)
    }

    fn size_of(&self, builder: PoolBuilder) -> Result<PoolBuilder, Fault> {
        let idle = duration("options.idle_timeout", self.idle_timeout)?;
        let builder = if idle.is_zero() { builder } else { builder.idle_timeout(idle) };
        let (least, most) = (self.workers as usize, self.most_workers as usize);
        if self.flags & PP_POOL_NO_WORKERS != 0 {
            if least > 0 || most > 0 {
                return Err(Fault::argument("options.workers and options.most_workers are 0 where the pool has no workers of its own"));
            }
            return Ok(builder.workers(0));
        }
        Ok(match (least, most) {
            (0, 0) => builder,
            (0, most) => builder.workers_between(1, most),
            (least, 0) => builder.workers(least),
            (least, most) => builder.workers_between(least, most),
        })
    }

    fn events_of(&self, call: &Call, builder: PoolBuilder) -> Result<PoolBuilder, Fault> {
        const FEW: usize = 2048;
        if self.flags & PP_POOL_NO_EVENTS != 0 {
            return Ok(builder.events(0));
        }
        let count = if self.events == 0 { FEW } else { self.events as usize };
        Ok(match call.maybe_text("options.events_name", self.events_name)? {
            Some(name) => builder.events_named(name, count),
            None if self.events == 0 => builder,
            None => builder.events(count),
        })
    }

    fn hooks(&self, call: &Call, mut builder: PoolBuilder) -> Result<PoolBuilder, Fault> {
        if let Some(task) = call.maybe_text("options.on_start", self.on_start)? {
            builder = builder.on_start_named(task, arguments(call, "options.on_start_arguments", self.on_start_arguments, self.on_start_count)?);
        }
        if let Some(task) = call.maybe_text("options.on_exit", self.on_exit)? {
            builder = builder.on_exit_named(task, arguments(call, "options.on_exit_arguments", self.on_exit_arguments, self.on_exit_count)?);
        }
        Ok(builder)
    }
}
