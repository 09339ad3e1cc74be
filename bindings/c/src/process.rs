//! Process, as `polyproc::Process` has it: a command line, or a task that a program offers, in a process of its own.

use std::ffi::{OsStr, c_char};
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use polyproc::{CommandBuilder, Exit, Process, ProcessBuilder, StartMethod, Stdio};

use crate::abi::PP_NOT_FOUND;
use crate::boundary::{Call, Options, answer, free, guard};
use crate::datum::pp_datum_t;
use crate::error::{Fault, c_text, pp_error_t};
use crate::fabric::pp_fabric_t;
use crate::task::arguments;
use crate::wait::{duration, wait_until};

/// A process that was started. Its handles may all be freed while it runs: it goes on, and pp_active_children has it.
pub struct pp_process_t {
    process: Process,
    name: std::ffi::CString,
}

impl pp_process_t {
    fn of(process: Process) -> pp_process_t {
        let name = c_text(process.name());
        pp_process_t { process, name }
    }
}

/// The process is a daemon: it is asked to end (SIGTERM) when this process ends normally, and may not start processes of its own.
pub const PP_PROCESS_DAEMON: u32 = 1;
/// It goes on when this process ends; without it, it ends with this one, however that ends.
pub const PP_PROCESS_OUTLIVE: u32 = 2;
/// It leads a process group of its own, which Ctrl-C of the terminal does not reach.
pub const PP_PROCESS_OWN_GROUP: u32 = 4;
/// Nothing of this process's environment is in its own, only what `environment` sets.
pub const PP_PROCESS_CLEAR_ENVIRONMENT: u32 = 8;

/// A stream as it is without a choice: a task has an empty input, all others are this process's.
pub const PP_STDIO_DEFAULT: i32 = 0;
/// This process's stream.
pub const PP_STDIO_INHERIT: i32 = 1;
/// Nowhere.
pub const PP_STDIO_NULL: i32 = 2;
/// A pipe to this process, which takes its end by pp_process_take_pipe.
pub const PP_STDIO_PIPE: i32 = 3;

/// How processes that run tasks are started, without a choice: PP_START_SPAWN.
pub const PP_START_DEFAULT: i32 = 0;
/// The program is started again. Its main runs up to pp_main.
pub const PP_START_SPAWN: i32 = 1;
/// This process is copied: only for processes, not for the workers of pools.
pub const PP_START_FORK: i32 = 2;
/// A small process with one thread, the program's main up to pp_main, is copied.
pub const PP_START_FORKSERVER: i32 = 3;

/// Options of a process. 0 is the default of each; PP_PROCESS_OPTIONS_INIT begins one.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pp_process_options_t {
    /// sizeof(pp_process_options_t)
    pub size: usize,
    /// The fabric that is the current one there; NULL: this process's current one.
    pub fabric: *const pp_fabric_t,
    /// Its name, for messages; NULL: "Process-1" and so on.
    pub name: *const c_char,
    /// The directory that it starts in; NULL: this process's.
    pub directory: *const c_char,
    /// Of a task: the program that has it; NULL: this one.
    pub program: *const c_char,
    /// Changes of its environment: "NAME=value" sets, "NAME" leaves out. The list ends with NULL; NULL: no changes.
    pub environment: *const *const c_char,
    /// PP_PROCESS_ numbers, added.
    pub flags: u32,
    /// Of a task: a PP_START_ number.
    pub start_method: i32,
    /// Where its input leads: a PP_STDIO_ number, or PP_STDIO_FD(fd), which is copied and stays the caller's.
    pub standard_input: i32,
    /// Where its output leads.
    pub standard_output: i32,
    /// Where its standard error leads.
    pub standard_error: i32,
}

impl Default for pp_process_options_t {
    fn default() -> pp_process_options_t {
        pp_process_options_t {
            size: 0,
            fabric: std::ptr::null(),
            name: std::ptr::null(),
            directory: std::ptr::null(),
            program: std::ptr::null(),
            environment: std::ptr::null(),
            flags: 0,
            start_method: 0,
            standard_input: 0,
            standard_output: 0,
            standard_error: 0,
        }
    }
}

// SAFETY: numbers and pointers only, the first a `usize`.
unsafe impl Options for pp_process_options_t {}

/// The method of a PP_START_ number; none: the default.
pub(crate) fn start_method(number: i32) -> Result<Option<StartMethod>, Fault> {
    match number {
        PP_START_DEFAULT => Ok(None),
        PP_START_SPAWN => Ok(Some(StartMethod::Spawn)),
        PP_START_FORK => Ok(Some(StartMethod::Fork)),
        PP_START_FORKSERVER => Ok(Some(StartMethod::ForkServer)),
        other => Err(Fault::argument(format!("options.start_method is {other}, which is no PP_START_ number"))),
    }
}

fn stdio(call: &Call, name: &str, number: i32) -> Result<Option<Stdio>, Fault> {
    Ok(Some(match number {
        PP_STDIO_DEFAULT => return Ok(None),
        PP_STDIO_INHERIT => Stdio::Inherit,
        PP_STDIO_NULL => Stdio::Null,
        PP_STDIO_PIPE => Stdio::Piped,
        fd if fd < 0 => Stdio::Descriptor(copy(call, name, -1 - fd)?),
        other => return Err(Fault::argument(format!("options.{name} is {other}, which is no PP_STDIO_ number"))),
    }))
}

fn copy(call: &Call, name: &str, fd: i32) -> Result<OwnedFd, Fault> {
    let copy = call.borrow_fd(name, fd)?.try_clone_to_owned();
    copy.map_err(|error| Fault::argument(format!("options.{name}: descriptor {fd} cannot be used: {error}")))
}

/// What both builders have, from the options that both have.
macro_rules! common {
    ($call:ident, $builder:ident, $options:ident) => {{
        let mut builder = $builder;
        const KNOWN: u32 = PP_PROCESS_DAEMON | PP_PROCESS_OUTLIVE | PP_PROCESS_OWN_GROUP | PP_PROCESS_CLEAR_ENVIRONMENT;
        if $options.flags & !KNOWN != 0 {
            return Err(Fault::argument(format!("options.flags is {:#x}, which has bits that are no PP_PROCESS_ number", $options.flags)));
        }
        if let Some(fabric) = $call.maybe($options.fabric) {
            builder = builder.fabric(fabric.get());
        }
        if let Some(name) = $call.maybe_text("options.name", $options.name)? {
            builder = builder.name(name);
        }
        if let Some(directory) = $call.maybe_os_text($options.directory) {
            builder = builder.current_dir(directory);
        }
        if $options.flags & PP_PROCESS_CLEAR_ENVIRONMENT != 0 {
            builder = builder.env_clear();
        }
        for entry in $call.os_texts($options.environment) {
            let bytes = entry.as_bytes();
            builder = match bytes.iter().position(|&byte| byte == b'=') {
                Some(at) => builder.env(OsStr::from_bytes(&bytes[..at]), OsStr::from_bytes(&bytes[at + 1..])),
                None => builder.env_remove(entry),
            };
        }
        builder = builder.daemon($options.flags & PP_PROCESS_DAEMON != 0).outlive($options.flags & PP_PROCESS_OUTLIVE != 0);
        builder = builder.own_group($options.flags & PP_PROCESS_OWN_GROUP != 0);
        if let Some(stream) = stdio($call, "standard_input", $options.standard_input)? {
            builder = builder.stdin(stream);
        }
        if let Some(stream) = stdio($call, "standard_output", $options.standard_output)? {
            builder = builder.stdout(stream);
        }
        if let Some(stream) = stdio($call, "standard_error", $options.standard_error)? {
            builder = builder.stderr(stream);
        }
        builder
    }};
}

fn configure_command(call: &Call, builder: CommandBuilder, options: &pp_process_options_t) -> Result<CommandBuilder, Fault> {
    if !options.program.is_null() || options.start_method != PP_START_DEFAULT {
        return Err(Fault::argument("options.program and options.start_method are for tasks; a command line is a program, and is spawned"));
    }
    Ok(common!(call, builder, options))
}

fn configure_task(call: &Call, builder: ProcessBuilder, options: &pp_process_options_t) -> Result<ProcessBuilder, Fault> {
    let mut builder = common!(call, builder, options);
    if let Some(program) = call.maybe_os_text(options.program) {
        builder = builder.program(program);
    }
    if let Some(method) = start_method(options.start_method)? {
        builder = builder.start_method(method);
    }
    Ok(builder)
}

/// Starts a command line, of a program in any language. One that uses polyproc finds this process's fabric as its current one, and ends with this process.
///
/// Parameters: command: the program, found by PATH if it has no slash, and its arguments, ended by NULL; options: may be NULL; process: gets it; error: may be NULL.
/// Returns: PP_OK; PP_SPAWN_FAILED: which says what is missing; PP_INVALID_ARGUMENT.
/// Threads: any.
/// Death: killed here, there is no process, or one that ends with this process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_process_start_command(
    command: *const *const c_char,
    options: *const pp_process_options_t,
    process: *mut *mut pp_process_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("process", process)?;
        let words = call.os_texts(command);
        let [program, arguments @ ..] = &words[..] else { return Err(Fault::argument("command is NULL or empty: it begins with a program")) };
        let options = call.options("options", options)?;
        let builder = configure_command(call, Process::command(program).args(arguments), &options)?;
        out.give(pp_process_t::of(builder.start()?));
        Ok(())
    })
}

/// Starts a process that runs one task and ends. The task is one of this program, or of options.program: offered before its pp_main, or a task of a Rust program.
///
/// Parameters: task: its name; arguments: `count` of them, raw bytes as byte strings; NULL for none; options: may be NULL; process: gets it; error: may be NULL.
/// Returns: PP_OK; PP_SPAWN_FAILED: which says what is missing; PP_BAD_ARGUMENTS: one is no whole value; PP_INVALID_ARGUMENT. That the task is unknown there is told by pp_process_join.
/// Threads: any.
/// Death: killed here, there is no process, or one that ends with this process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_process_start_task(
    task: *const c_char,
    arguments: *const pp_datum_t,
    count: usize,
    options: *const pp_process_options_t,
    process: *mut *mut pp_process_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("process", process)?;
        let builder = Process::named(call.text("task", task)?, self::arguments(call, "arguments", arguments, count)?);
        let options = call.options("options", options)?;
        out.give(pp_process_t::of(configure_task(call, builder, &options)?.start()?));
        Ok(())
    })
}

/// Frees the handle. The process goes on.
///
/// Parameters: process: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: the process ends with this one all the same, unless it outlives it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_process_free(process: *mut pp_process_t) {
    free(process);
}

/// The process's id. After its end the system may give the same to another process.
///
/// Parameters: process: may be NULL.
/// Returns: its pid; 0 for NULL.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_process_pid(process: *const pp_process_t) -> u32 {
    answer(0, |call| Ok(call.shared("process", process)?.process.pid()))
}

/// The process's name.
///
/// Parameters: process: may be NULL.
/// Returns: text that lives as long as the handle; "" for NULL.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_process_name(process: *const pp_process_t) -> *const c_char {
    answer(c"".as_ptr(), |call| Ok(call.shared("process", process)?.name.as_ptr()))
}

/// Whether the process has not ended yet.
///
/// Parameters: process: may be NULL.
/// Returns: true while it runs.
/// Threads: any.
/// Death: a process that was killed has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_process_is_alive(process: *const pp_process_t) -> bool {
    answer(false, |call| Ok(call.shared("process", process)?.process.is_alive()))
}

/// A descriptor that becomes readable when the process has ended, for poll and event loops.
///
/// Parameters: process; fd: gets it, lent until pp_process_free; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: it is readable at the process's end, however that ends.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_process_fd(process: *const pp_process_t, fd: *mut i32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("fd", fd)?;
        out.set(call.shared("process", process)?.process.sentinel().as_raw_fd());
        Ok(())
    })
}

/// Waits for the end of the process. May be called again, and by several threads.
///
/// Parameters: process; timeout: nanoseconds, negative for ever, 0 a look; exit_code: gets 0: the task returned, or what the command left with; 1: the task failed; negative: minus the signal that ended it; may be NULL;
///   failure: gets why the task did not return, to be freed with pp_error_free, or NULL; may be NULL; error: may be NULL.
/// Returns: PP_OK: it has ended, well or badly; PP_TIMEOUT; PP_INTERRUPTED; PP_OS: another part of the program took the exit status.
/// Threads: any.
/// Death: what the process held of its fabric is given back before this returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_process_join(
    process: *const pp_process_t,
    timeout: i64,
    exit_code: *mut i32,
    failure: *mut *mut pp_error_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let process = &call.shared("process", process)?.process;
        wait_until(timeout, "the process did not end", |time| polyproc::wait(&[process], time).map(|ended| !ended.is_empty()))?;
        tell(call, process.join()?, exit_code, failure);
        Ok(())
    })
}

fn tell(call: &Call, exit: Exit, exit_code: *mut i32, failure: *mut *mut pp_error_t) {
    if let Some(out) = call.maybe_out(exit_code) {
        out.set(exit.code);
    }
    if let Some(out) = call.maybe_out(failure) {
        match exit.failure {
            Some(failure) => out.give(Fault::Runtime(failure).into_error()),
            None => out.set(std::ptr::null_mut()),
        }
    }
}

/// Interrupts the process, as Ctrl-C does (SIGINT). Does not wait; nothing happens if it has ended.
///
/// Parameters: process; error: may be NULL.
/// Returns: PP_OK; PP_OS.
/// Threads: any.
/// Death: never another process is signalled, whatever became of the pid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_process_interrupt(process: *const pp_process_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("process", process)?.process.interrupt()?))
}

/// Asks the process to end (SIGTERM). Does not wait; nothing happens if it has ended.
///
/// Parameters: process; error: may be NULL.
/// Returns: PP_OK; PP_OS.
/// Threads: any.
/// Death: never another process is signalled, whatever became of the pid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_process_terminate(process: *const pp_process_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("process", process)?.process.terminate()?))
}

/// Ends the process at once (SIGKILL). Does not wait; nothing happens if it has ended.
///
/// Parameters: process; error: may be NULL.
/// Returns: PP_OK; PP_OS.
/// Threads: any.
/// Death: never another process is signalled, whatever became of the pid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_process_kill(process: *const pp_process_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("process", process)?.process.kill()?))
}

/// Asks the process to end (SIGTERM), ends it (SIGKILL) if it has not after a grace time, and waits for it; with `tree`, so for all that it started as well.
///
/// Parameters: process; grace: nanoseconds, 0 or more; tree; exit_code: gets it as pp_process_join has it, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_OS: as pp_process_join.
/// Threads: any.
/// Death: killed here, some of the processes were asked or ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_process_terminate_within(
    process: *const pp_process_t,
    grace: i64,
    tree: bool,
    exit_code: *mut i32,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let process = &call.shared("process", process)?.process;
        let grace = duration("grace", grace)?;
        let exit = if tree { process.terminate_tree_within(grace)? } else { process.terminate_within(grace)? };
        tell(call, exit, exit_code, std::ptr::null_mut());
        Ok(())
    })
}

/// This process's end of a stream that was PP_STDIO_PIPE. It is the caller's from now on, to be closed.
///
/// Parameters: process; stream: 0 its input, 1 its output, 2 its standard error; fd: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND: it is no pipe, or was taken before.
/// Threads: any.
/// Death: the pipe is at its end when the process has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_process_take_pipe(process: *const pp_process_t, stream: i32, fd: *mut i32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("fd", fd)?;
        let process = &call.shared("process", process)?.process;
        let taken = match stream {
            0 => process.take_stdin().map(OwnedFd::from),
            1 => process.take_stdout().map(OwnedFd::from),
            2 => process.take_stderr().map(OwnedFd::from),
            other => return Err(Fault::argument(format!("stream is {other}; it is 0, 1 or 2"))),
        };
        let taken =
            taken.ok_or_else(|| Fault::Own(PP_NOT_FOUND, format!("stream {stream} of process '{}' is no pipe, or was taken before", process.name())))?;
        out.set(taken.into_raw_fd());
        Ok(())
    })
}

/// Gives back, at once, all that is held for a process that has ended. The handle must still be freed.
///
/// Parameters: process; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: it still runs.
/// Threads: any.
/// Death: what is not given back goes with this process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_process_close(process: *const pp_process_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("process", process)?.process.clone().close()?))
}

/// The processes that this one started and that have not ended, those without a handle as well. Collects those that have ended.
///
/// Parameters: children: gets up to `room` handles, each to be freed; NULL if `room` is 0; count: gets how many there are, which may be more; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a process that was killed is not among them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_active_children(children: *mut *mut pp_process_t, room: usize, count: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("count", count)?;
        let all = polyproc::active_children();
        let count = all.len();
        call.fill("children", children, room, all.into_iter().map(|child| Box::into_raw(Box::new(pp_process_t::of(child)))))?;
        out.set(count);
        Ok(())
    })
}

/// Which process started this one.
///
/// Parameters: none.
/// Returns: the pid of the process that started this one by polyproc; 0: none did.
/// Threads: any.
/// Death: the pid of a parent that has ended is no process any more.
#[unsafe(no_mangle)]
pub extern "C" fn pp_parent_pid() -> u32 {
    answer(0, |_| Ok(polyproc::parent().map_or(0, |parent| parent.pid())))
}
