//! Error objects: what went wrong, in words and with what came with it. Knows the errors of the crates; not how they came about.

use std::ffi::{CString, c_char};

use polyproc::ipc;
use polyproc::ipc::Message;

use crate::abi::{PP_INTERNAL, PP_INTERRUPTED, PP_INVALID_ARGUMENT};
use crate::boundary::{answer, free};

/// An error that a call made for its caller, who frees it with pp_error_free.
pub struct pp_error_t {
    number: i32,
    message: CString,
    cause: Option<Box<pp_error_t>>,
    os: i32,
    remote: Remote,
    pub(crate) letter: Option<Message>,
}

impl pp_error_t {
    /// What it says.
    pub(crate) fn sentence(&self) -> String {
        self.message.to_string_lossy().into_owned()
    }
}

/// What came from another process.
#[derive(Default)]
struct Remote {
    task: Option<CString>,
    message: Option<CString>,
    backtrace: Option<CString>,
    stderr: Option<CString>,
    call: i64,
    attempt: u32,
    pid: u32,
    signal: i32,
    exit_code: i32,
    resident: u64,
    out_of_memory: i32,
}

/// What went wrong in the body of an export.
pub(crate) enum Fault {
    Ipc(ipc::Error),
    Runtime(polyproc::Error),
    Own(i32, String),
    /// With a message that would be lost otherwise.
    Letter(i32, String, Box<Message>),
}

impl Fault {
    /// A parameter that is NULL and must not be.
    #[cold]
    pub(crate) fn null(name: &str) -> Fault {
        Fault::argument(format!("{name} is NULL"))
    }

    #[cold]
    pub(crate) fn argument(sentence: impl Into<String>) -> Fault {
        Fault::Own(PP_INVALID_ARGUMENT, sentence.into())
    }

    #[cold]
    pub(crate) fn interrupted() -> Fault {
        Fault::Own(PP_INTERRUPTED, "a signal ended the wait; run what it asks for and call again".into())
    }

    #[cold]
    pub(crate) fn internal(said: &str) -> Fault {
        Fault::Own(PP_INTERNAL, format!("a defect of polyproc: {said}"))
    }

    #[cold]
    pub(crate) fn with_message(number: i32, sentence: String, message: Message) -> Fault {
        Fault::Letter(number, sentence, Box::new(message))
    }

    pub(crate) fn number(&self) -> i32 {
        match self {
            Fault::Ipc(error) => error.kind().number(),
            Fault::Runtime(error) => error.kind().number(),
            Fault::Own(number, _) | Fault::Letter(number, ..) => *number,
        }
    }

    pub(crate) fn into_error(self) -> pp_error_t {
        let number = self.number();
        let plain = |sentence: &str| pp_error_t {
            number,
            message: c_text(sentence),
            cause: None,
            os: 0,
            remote: Remote { call: -1, out_of_memory: -1, ..Remote::default() },
            letter: None,
        };
        match self {
            Fault::Own(_, sentence) => plain(&sentence),
            Fault::Letter(_, sentence, letter) => pp_error_t { letter: Some(*letter), ..plain(&sentence) },
            Fault::Ipc(error) => {
                let mut made = plain(&error.to_string());
                made.os = error.os_error().unwrap_or(0);
                made.letter = error.into_message();
                made
            }
            Fault::Runtime(error) => {
                let mut made = plain(&error.to_string());
                let text = |text: Option<&str>| text.map(c_text);
                made.remote = Remote {
                    task: text(error.task()),
                    message: text(error.message()),
                    backtrace: text(error.backtrace()),
                    stderr: text(error.stderr()),
                    call: error.call_number().map_or(-1, |number| number as i64),
                    attempt: error.attempt().unwrap_or(0),
                    pid: error.pid().unwrap_or(0),
                    signal: error.signal().unwrap_or(0),
                    exit_code: error.exit_code().unwrap_or(-1),
                    resident: error.resident().unwrap_or(0),
                    out_of_memory: error.out_of_memory().map_or(-1, i32::from),
                };
                let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<ipc::Error>());
                made.os = source.and_then(ipc::Error::os_error).unwrap_or(0);
                made.cause = source.filter(|source| source.kind().number() != number).map(|source| {
                    let mut cause = plain(&source.to_string());
                    (cause.number, cause.os) = (source.kind().number(), source.os_error().unwrap_or(0));
                    Box::new(cause)
                });
                made
            }
        }
    }
}

impl From<ipc::Error> for Fault {
    fn from(error: ipc::Error) -> Fault {
        Fault::Ipc(error)
    }
}

impl From<polyproc::Error> for Fault {
    fn from(error: polyproc::Error) -> Fault {
        Fault::Runtime(error)
    }
}

/// The text for C: a NUL in it is shown as U+2400.
pub(crate) fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{2400}")).unwrap_or_default()
}

/// Frees an error.
///
/// Parameters: error: may be NULL.
/// Returns: nothing.
/// Threads: any, once.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_error_free(error: *mut pp_error_t) {
    free(error);
}

/// Which kind of error it is: the status that the call returned.
///
/// Parameters: error: may be NULL.
/// Returns: one of the PP_ numbers; PP_OK for NULL.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_error_kind(error: *const pp_error_t) -> i32 {
    answer(0, |call| Ok(call.shared("error", error)?.number))
}

/// One sentence that names what failed, and says what to do.
///
/// Parameters: error: may be NULL.
/// Returns: text that lives as long as the error; "" for NULL.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_error_message(error: *const pp_error_t) -> *const c_char {
    answer(c"".as_ptr(), |call| Ok(call.shared("error", error)?.message.as_ptr()))
}

/// The operating system's error number, where there is one.
///
/// Parameters: error: may be NULL.
/// Returns: an errno; 0: none.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_error_os(error: *const pp_error_t) -> i32 {
    answer(0, |call| Ok(call.shared("error", error)?.os))
}

/// What led to the error, where that is an error of its own.
///
/// Parameters: error: may be NULL.
/// Returns: an error that lives as long as this one and is not freed by itself; NULL: none.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_error_cause(error: *const pp_error_t) -> *const pp_error_t {
    answer(std::ptr::null(), |call| Ok(call.shared("error", error)?.cause.as_deref().map_or(std::ptr::null(), std::ptr::from_ref)))
}

/// The name of the task that failed.
///
/// Parameters: error: may be NULL.
/// Returns: text that lives as long as the error; NULL: not an error of a task.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_error_task(error: *const pp_error_t) -> *const c_char {
    remote(error, std::ptr::null(), |remote| pointer(remote.task.as_ref()))
}

/// What the task's process said of its failure: a panic's or an exception's message.
///
/// Parameters: error: may be NULL.
/// Returns: text that lives as long as the error; NULL: nothing.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_error_remote_message(error: *const pp_error_t) -> *const c_char {
    remote(error, std::ptr::null(), |remote| pointer(remote.message.as_ref()))
}

/// The task's stack where it failed, in its own language's form.
///
/// Parameters: error: may be NULL.
/// Returns: text that lives as long as the error; NULL: none.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_error_remote_backtrace(error: *const pp_error_t) -> *const c_char {
    remote(error, std::ptr::null(), |remote| pointer(remote.backtrace.as_ref()))
}

/// The last that the process that died wrote to its standard error, if its pool or process keeps that.
///
/// Parameters: error: may be NULL.
/// Returns: text that lives as long as the error; NULL: none is known.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_error_stderr(error: *const pp_error_t) -> *const c_char {
    remote(error, std::ptr::null(), |remote| pointer(remote.stderr.as_ref()))
}

/// Which call it was of those submitted together: the index in a map, 0 for a single call.
///
/// Parameters: error: may be NULL.
/// Returns: the number; -1: not an error of a call.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_error_call(error: *const pp_error_t) -> i64 {
    remote(error, -1, |remote| remote.call)
}

/// Which attempt of the call it was, from 1.
///
/// Parameters: error: may be NULL.
/// Returns: the attempt; 0: it never began, or not an error of a call.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_error_attempt(error: *const pp_error_t) -> u32 {
    remote(error, 0, |remote| remote.attempt)
}

/// The process that died.
///
/// Parameters: error: may be NULL.
/// Returns: its pid; 0: none died.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_error_pid(error: *const pp_error_t) -> u32 {
    remote(error, 0, |remote| remote.pid)
}

/// The signal that ended the process, as 9 for SIGKILL.
///
/// Parameters: error: may be NULL.
/// Returns: the signal; 0: none, or it is not known.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_error_signal(error: *const pp_error_t) -> i32 {
    remote(error, 0, |remote| remote.signal)
}

/// The code with which the process ended by itself.
///
/// Parameters: error: may be NULL.
/// Returns: the code; -1: it did not, or it is not known.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_error_exit_code(error: *const pp_error_t) -> i32 {
    remote(error, -1, |remote| remote.exit_code)
}

/// How many bytes of memory of its own the process that died had when last seen.
///
/// Parameters: error: may be NULL.
/// Returns: bytes; 0: not known.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_error_resident(error: *const pp_error_t) -> u64 {
    remote(error, 0, |remote| remote.resident)
}

/// Whether the kernel killed the process for lack of memory.
///
/// Parameters: error: may be NULL.
/// Returns: 1 yes, 0 no, -1: that cannot be told.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_error_out_of_memory(error: *const pp_error_t) -> i32 {
    remote(error, -1, |remote| remote.out_of_memory)
}

fn remote<R>(error: *const pp_error_t, otherwise: R, read: impl FnOnce(&Remote) -> R) -> R {
    answer(otherwise, |call| Ok(read(&call.shared("error", error)?.remote)))
}

fn pointer(text: Option<&CString>) -> *const c_char {
    text.map_or(std::ptr::null(), |text| text.as_ptr())
}
