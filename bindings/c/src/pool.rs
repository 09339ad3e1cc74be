//! Pool, as `polyproc::Pool` has it, and as one of another process that is connected to (`polyproc::PoolClient`): submitting calls of tasks by name.

use std::ffi::c_char;
use std::os::fd::AsRawFd;

use polyproc::{Calls, Pool, PoolClient};

use crate::abi::{PP_NOT_FOUND, PP_UNSUPPORTED};
use crate::boundary::{answer, free, guard};
use crate::datum::pp_datum_t;
use crate::error::{Fault, pp_error_t};
use crate::fabric::{check_abi, pp_fabric_t};
use crate::future::pp_future_t;
use crate::pool_options::{pp_call_options_t, pp_pool_options_t};
use crate::task::{arguments, encode};
use crate::wait::wait_until;

/// Worker processes that run tasks: of this process (pp_pool_create), or of another (pp_pool_connect).
pub enum pp_pool_t {
    /// Made here.
    Own(Pool),
    /// Connected to.
    Client(PoolClient),
}

impl pp_pool_t {
    fn own(&self) -> Result<&Pool, Fault> {
        match self {
            pp_pool_t::Own(pool) => Ok(pool),
            pp_pool_t::Client(_) => Err(Fault::Own(PP_UNSUPPORTED, "this pool is another process's, and only that one can do this with it".into())),
        }
    }

    fn calls(&self, options: polyproc::Options) -> Calls<'_> {
        match self {
            pp_pool_t::Own(pool) => pool.with(options),
            pp_pool_t::Client(client) => client.with(options),
        }
    }
}

/// How far a pool is: pp_pool_progress. `submitted` is the sum of the others.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct pp_progress_t {
    /// Calls that the pool was ever given.
    pub submitted: u64,
    /// Calls that returned a value.
    pub done: u64,
    /// Calls that ended without one.
    pub failed: u64,
    /// Calls that a worker is in.
    pub running: u64,
    /// Calls that no worker has begun.
    pub queued: u64,
}

/// One worker of a pool: pp_pool_worker.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct pp_worker_info_t {
    /// The process's id.
    pub pid: u32,
    /// What it calls its place (pp_worker_place).
    pub place: u32,
    /// How many calls it has finished.
    pub finished: u64,
    /// How many bytes of its own it had when the pool last looked; 0: not known.
    pub memory: u64,
    /// 1: it has joined the fabric and takes calls.
    pub ready: u8,
    /// 1: it joined by itself (pp_worker_join); its place means nothing then.
    pub joined: u8,
}

/// Makes a pool and starts its workers, without waiting until they are up; called through pp_pool_create, which passes the ABI of the header.
///
/// Parameters: abi: PP_ABI; options: NULL for all defaults; pool: gets it; error: may be NULL.
/// Returns: PP_OK; PP_SPAWN_FAILED: one of the first workers cannot be started, and none is left running; PP_BAD_ARGUMENTS: of a hook; PP_ALREADY_EXISTS: a living pool has the name; PP_OUT_OF_MEMORY; PP_INVALID_ARGUMENT; PP_FOREIGN_VERSION.
/// Threads: any; starts two or three threads of the library, which run no code of yours.
/// Death: the workers end with this process, even if it is killed, and the pool's name is free again. A worker that is killed fails the one call that it was running, and is replaced.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pool_create_abi(abi: u32, options: *const pp_pool_options_t, pool: *mut *mut pp_pool_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        check_abi(abi)?;
        let out = call.out("pool", pool)?;
        let builder = call.options("options", options)?.builder(call)?;
        out.give(pp_pool_t::Own(builder.build()?));
        Ok(())
    })
}

/// Connects to a pool of this name, which another process has, to submit calls to it.
///
/// Parameters: fabric: where the pool is; name; pool: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND: no pool of this name lives; PP_POOL_CLOSED; PP_INVALID_ARGUMENT: its process cannot be watched from here, as in another pid namespace.
/// Threads: any; starts two threads of the library, which run no code of yours.
/// Death: if the pool's process dies, each call that is not done fails with PP_TERMINATED at once; if this one dies, its calls that have not begun are mostly not run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pool_connect(fabric: *const pp_fabric_t, name: *const c_char, pool: *mut *mut pp_pool_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("pool", pool)?;
        let fabric = call.shared("fabric", fabric)?.get();
        out.give(pp_pool_t::Client(Pool::connect(fabric, call.text("name", name)?)?));
        Ok(())
    })
}

/// Frees the handle. A pool that was made here is terminated first, if it is not over: its workers are killed. What is not done fails with PP_TERMINATED; its futures stay readable.
///
/// Parameters: pool: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more. Waits for the pool's threads.
/// Death: killed here, the pool ends with the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pool_free(pool: *mut pp_pool_t) {
    free(pool);
}

/// Submits one call of a task of any language. Does not wait.
///
/// Parameters: pool; task: its name; arguments: `count` of them, raw bytes as byte strings; NULL for none; options: NULL: as the pool was made with; future: gets it; error: may be NULL.
/// Returns: PP_OK: an error of the task is the future's; PP_BAD_ARGUMENTS: one is no whole value; PP_FULL: as many submissions are unfinished as may be, so wait for one; PP_POOL_CLOSED; PP_TERMINATED; PP_GAVE_UP; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: if the worker is killed in the call, the future has PP_WORKER_DIED, which names task, pid and signal, or the call is retried as options say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pool_submit(
    pool: *const pp_pool_t,
    task: *const c_char,
    arguments: *const pp_datum_t,
    count: usize,
    options: *const pp_call_options_t,
    future: *mut *mut pp_future_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("future", future)?;
        let (pool, task) = (call.shared("pool", pool)?, call.text("task", task)?);
        let arguments = self::arguments(call, "arguments", arguments, count)?;
        let submitted = if options.is_null() {
            match pool {
                pp_pool_t::Own(pool) => pool.try_submit_encoded(task, arguments)?,
                pp_pool_t::Client(client) => client.try_submit_encoded(task, arguments)?,
            }
        } else {
            pool.calls(call.options("options", options)?.get()?).try_submit_encoded(task, arguments)?
        };
        out.give(pp_future_t::one(submitted)?);
        Ok(())
    })
}

/// Submits many calls of one task, which go to the workers in chunks. Does not wait.
///
/// Parameters: pool; task: its name; arguments: of the first call, then of the second, and so on; each: how many a call has; calls: how many calls; options: NULL: as the pool was made with; future: gets one for all of them; error: may be NULL.
/// Returns: PP_OK: errors of calls are the future's; PP_BAD_ARGUMENTS: names the first call of which one is no whole value; else as pp_pool_submit, but for PP_FULL. Nothing was submitted then.
/// Threads: any.
/// Death: as pp_pool_submit, each call for itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pool_map(
    pool: *const pp_pool_t,
    task: *const c_char,
    arguments: *const pp_datum_t,
    each: usize,
    calls: usize,
    options: *const pp_call_options_t,
    future: *mut *mut pp_future_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("future", future)?;
        let (pool, task) = (call.shared("pool", pool)?, call.text("task", task)?);
        let all = each.checked_mul(calls).ok_or_else(|| Fault::argument(format!("calls: {calls} calls of {each} arguments are too many")))?;
        let arguments = call.slice("arguments", arguments, all)?;
        let calls = (0..calls).map(|at| encode(call, "arguments", &arguments[at * each..(at + 1) * each])).collect::<Result<Vec<_>, _>>()?;
        let submitted = if options.is_null() {
            match pool {
                pp_pool_t::Own(pool) => pool.map_encoded(task, calls)?,
                pp_pool_t::Client(client) => client.map_encoded(task, calls)?,
            }
        } else {
            pool.calls(call.options("options", options)?.get()?).map_encoded(task, calls)?
        };
        out.give(pp_future_t::many(submitted)?);
        Ok(())
    })
}

/// The pool takes no more work; what was submitted runs to its end, then the workers leave. Does not wait.
///
/// Parameters: pool; error: may be NULL.
/// Returns: PP_OK, also if it was closed before; PP_UNSUPPORTED: it is another process's.
/// Threads: any.
/// Death: killed here, the pool ends with the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pool_close(pool: *const pp_pool_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        call.shared("pool", pool)?.own()?.close();
        Ok(())
    })
}

/// Ends the workers at once, with SIGKILL. Every call that is not done fails with PP_TERMINATED. Does not wait.
///
/// Parameters: pool; error: may be NULL.
/// Returns: PP_OK; PP_UNSUPPORTED: it is another process's.
/// Threads: any.
/// Death: killed here, the pool ends with the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pool_terminate(pool: *const pp_pool_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        call.shared("pool", pool)?.own()?.terminate();
        Ok(())
    })
}

/// Waits until a closed or terminated pool is over: every call done, every worker gone.
///
/// Parameters: pool; timeout: nanoseconds, negative for ever, 0 a look; error: may be NULL.
/// Returns: PP_OK; PP_TIMEOUT; PP_INTERRUPTED; PP_INVALID_ARGUMENT: the pool is open, and would never end; PP_UNSUPPORTED: it is another process's.
/// Threads: any.
/// Death: workers that die meanwhile are replaced until all calls are done.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pool_join(pool: *const pp_pool_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let pool = call.shared("pool", pool)?.own()?;
        if pool.is_open() {
            return Err(Fault::argument("the pool is open, and would never end: close or terminate it before the join"));
        }
        wait_until(timeout, "the pool is not over", |time| polyproc::wait(&[pool], time).map(|over| !over.is_empty()))?;
        Ok(pool.join()?)
    })
}

/// A descriptor that becomes readable when a closed or terminated pool is over, for poll and event loops.
///
/// Parameters: pool; fd: gets it, lent until pp_pool_free; error: may be NULL.
/// Returns: PP_OK; PP_UNSUPPORTED: it is another process's.
/// Threads: any.
/// Death: it is readable also when the pool has given up, because its workers died.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pool_fd(pool: *const pp_pool_t, fd: *mut i32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("fd", fd)?;
        out.set(call.shared("pool", pool)?.own()?.sentinel().as_raw_fd());
        Ok(())
    })
}

/// Whether the pool takes calls, as far as this process knows.
///
/// Parameters: pool: may be NULL.
/// Returns: false once it was closed, terminated, has given up, or its process has died; and for NULL.
/// Threads: any.
/// Death: that of another process's pool is known within a second.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pool_is_open(pool: *const pp_pool_t) -> bool {
    answer(false, |call| {
        Ok(match call.shared("pool", pool)? {
            pp_pool_t::Own(pool) => pool.is_open(),
            pp_pool_t::Client(client) => client.is_open(),
        })
    })
}

/// From now on the pool has so many workers: more are started at once, those too many leave one by one as they become idle. Does not wait.
///
/// Parameters: pool; workers: at least 1; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT; PP_UNSUPPORTED: it is another process's.
/// Threads: any.
/// Death: no call is lost by a change of size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pool_resize(pool: *const pp_pool_t, workers: u32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("pool", pool)?.own()?.resize(workers as usize)?))
}

/// One of the workers that there are at this moment, in the order of their pids.
///
/// Parameters: pool; index: from 0; worker: gets what is known of it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND: there are not so many; PP_UNSUPPORTED: it is another process's.
/// Threads: any. From one call to the next, workers may come and go.
/// Death: a worker whose death the pool has not seen to yet is still there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pool_worker(pool: *const pp_pool_t, index: usize, worker: *mut pp_worker_info_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("worker", worker)?;
        let workers = call.shared("pool", pool)?.own()?.workers();
        let found =
            workers.get(index).ok_or_else(|| Fault::Own(PP_NOT_FOUND, format!("the pool has {} workers, and none with index {index}", workers.len())))?;
        out.set(pp_worker_info_t {
            pid: found.pid,
            place: found.number as u32,
            finished: found.finished,
            memory: found.memory.unwrap_or(0),
            ready: found.ready.into(),
            joined: found.joined.into(),
        });
        Ok(())
    })
}

/// How far the pool is.
///
/// Parameters: pool; progress: gets it; error: may be NULL.
/// Returns: PP_OK; PP_UNSUPPORTED: it is another process's.
/// Threads: any.
/// Death: no death makes a number wrong.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pool_progress(pool: *const pp_pool_t, progress: *mut pp_progress_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("progress", progress)?;
        let now = call.shared("pool", pool)?.own()?.progress();
        out.set(pp_progress_t { submitted: now.submitted, done: now.done, failed: now.failed, running: now.running, queued: now.queued });
        Ok(())
    })
}

/// What the exit hook returned in the workers that have left in order since the last call of this function, each once, in their order.
///
/// Parameters: pool; future: gets one that is done, with a result or an error for each; error: may be NULL.
/// Returns: PP_OK; PP_UNSUPPORTED: it is another process's.
/// Threads: any.
/// Death: a worker that was killed has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pool_exit_results(pool: *const pp_pool_t, future: *mut *mut pp_future_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("future", future)?;
        out.give(pp_future_t::done(call.shared("pool", pool)?.own()?.exit_answers())?);
        Ok(())
    })
}

/// Writes what the pool and its workers did until now, as far as its events are still there, to a file that ui.perfetto.dev and chrome://tracing show.
///
/// Parameters: pool; path: of the file; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: the pool keeps no events; PP_OS: of the file; PP_UNSUPPORTED: it is another process's.
/// Threads: any.
/// Death: killed here, the file is not whole. What was recorded before a crash of a pool with options.events_name is in that ring: pp_events_open, pp_events_read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_pool_trace(pool: *const pp_pool_t, path: *const c_char, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let path = call.maybe_os_text(path).ok_or_else(|| Fault::null("path"))?;
        Ok(call.shared("pool", pool)?.own()?.trace(path)?)
    })
}
