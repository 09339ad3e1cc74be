//! What goes wrong with processes, pools and tasks: a kind with a number that every language shares, one sentence, and
//! what the other process said.
//!
//! Knows no process and no pool. An error of the crate below keeps its own number.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What every fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. [`ErrorKind::number`] never changes and is the same in every language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No task of this name is in the other process's program.
    UnknownTask,
    /// The arguments cannot be encoded here, or do not fit the task there.
    BadArguments,
    /// The result cannot be encoded there, or is not of the type asked for here.
    BadResult,
    /// The task panicked, or, offered at run time or by another language, said that it failed. [`Error::message`] and [`Error::backtrace`] say why and where.
    Panicked,
    /// The process that ran the task died: [`Error::pid`], and [`Error::signal`] or [`Error::exit_code`].
    WorkerDied,
    /// The pool was closed, and takes no more work.
    PoolClosed,
    /// The pool was terminated, or dropped, before the result was there.
    Terminated,
    /// The operating system could not start a process.
    SpawnFailed,
    /// Workers died again and again before they could do anything, so the pool stopped starting new ones.
    GaveUp,
    /// A process ended before it took its call.
    NotStarted,
    /// Two tasks of one program have the same name.
    AmbiguousTask,
    /// The call was cancelled: before it ran, or while it ran, and then its worker was ended.
    Cancelled,
    /// The call did not end within its hard limit, and its worker was ended.
    TimeLimit,
    /// The worker took more memory than the pool allows, and was killed in this call: [`Error::resident`].
    MemoryLimit,
    /// An error of shared memory, of an argument or of time: see [`polyproc_ipc::ErrorKind`].
    Ipc(polyproc_ipc::ErrorKind),
}

impl ErrorKind {
    /// The number that every language shares. This crate's own start at 100.
    pub fn number(self) -> i32 {
        match self {
            ErrorKind::UnknownTask => 100,
            ErrorKind::BadArguments => 101,
            ErrorKind::BadResult => 102,
            ErrorKind::Panicked => 103,
            ErrorKind::WorkerDied => 104,
            ErrorKind::PoolClosed => 105,
            ErrorKind::Terminated => 106,
            ErrorKind::SpawnFailed => 107,
            ErrorKind::GaveUp => 108,
            ErrorKind::NotStarted => 109,
            ErrorKind::AmbiguousTask => 110,
            ErrorKind::Cancelled => 111,
            ErrorKind::TimeLimit => 112,
            ErrorKind::MemoryLimit => 120,
            ErrorKind::Ipc(kind) => kind.number(),
        }
    }

    /// The kind of a failure that a worker may report. Any other number, from a newer worker, is a failed task.
    pub(crate) fn reported(number: i32) -> ErrorKind {
        match number {
            100 => ErrorKind::UnknownTask,
            101 => ErrorKind::BadArguments,
            102 => ErrorKind::BadResult,
            109 => ErrorKind::NotStarted,
            110 => ErrorKind::AmbiguousTask,
            111 => ErrorKind::Cancelled,
            _ => ErrorKind::Panicked,
        }
    }
}

/// An error: its kind, one sentence that names what failed, and what came with it. Cloning is cheap.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    sentence: String,
    failure: Option<Failure>,
    death: Option<Death>,
    call: Option<CallId>,
    stderr: Option<Arc<str>>,
    source: Option<polyproc_ipc::Error>,
}

impl Inner {
    fn new(kind: ErrorKind, sentence: String) -> Inner {
        Inner { kind, sentence, failure: None, death: None, call: None, stderr: None, source: None }
    }
}

/// How a process ended, as far as it is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Death {
    pub(crate) pid: u32,
    /// The exit code, or minus the signal.
    pub(crate) code: i32,
    /// The last size seen, in bytes.
    pub(crate) resident: Option<u64>,
    /// Whether the kernel killed it for lack of memory; `None`: that cannot be told.
    pub(crate) out_of_memory: Option<bool>,
}

impl Death {
    /// The code of an end of which nobody told how it was: the process was no child of the pool.
    pub(crate) const UNKNOWN: i32 = i32::MIN;

    /// A death of which nothing else is known.
    pub(crate) fn new(pid: u32, code: i32) -> Death {
        Death { pid, code, resident: None, out_of_memory: None }
    }
}

/// Which call of those submitted together, and which attempt of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallId {
    pub(crate) number: u64,
    pub(crate) attempt: u32,
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}, attempt {}", self.number, self.attempt)
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Death::UNKNOWN => write!(f, "died; how is not known, as it had joined by itself")?,
            code if code < 0 => write!(f, "was ended by {}", signal_name(-code))?,
            code => write!(f, "ended with exit code {code}")?,
        }
        if self.out_of_memory == Some(true) {
            write!(f, " for lack of memory")?;
            if let Some(bytes) = self.resident {
                write!(f, " (it had {} MiB when last seen)", bytes >> 20)?;
            }
        }
        Ok(())
    }
}

/// Why a task did not return a value, as an [offered](crate::offer()) task says it. A plain record, so that it crosses languages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    pub(crate) number: i32,
    pub(crate) task: String,
    pub(crate) message: String,
    pub(crate) backtrace: String,
}

impl Failure {
    /// The number of a task that said itself that it failed.
    pub(crate) const OWN: i32 = 130;

    /// Whether it was the task's own doing, so that another attempt may go better.
    pub(crate) fn is_own(&self) -> bool {
        self.number == Failure::OWN || self.number == ErrorKind::Panicked.number()
    }

    pub(crate) fn new(kind: ErrorKind, task: &str, message: impl Into<String>) -> Failure {
        Failure { number: kind.number(), task: task.into(), message: message.into(), backtrace: String::new() }
    }
}

impl Error {
    /// An error of `kind` with its sentence.
    #[cold]
    pub(crate) fn new(kind: ErrorKind, sentence: impl Into<String>) -> Error {
        Error::of(Inner::new(kind, sentence.into()))
    }

    fn of(inner: Inner) -> Error {
        Error(Arc::new(inner))
    }

    #[cold]
    pub(crate) fn argument(sentence: impl Into<String>) -> Error {
        Error::from(polyproc_ipc::Error::new(polyproc_ipc::ErrorKind::InvalidArgument, sentence))
    }

    #[cold]
    pub(crate) fn os(errno: rustix::io::Errno, what: impl fmt::Display) -> Error {
        Error::from(polyproc_ipc::Error::os(errno, what))
    }

    #[cold]
    pub(crate) fn from_failure(failure: Failure) -> Error {
        let kind = ErrorKind::reported(failure.number);
        let sentence = match kind {
            ErrorKind::Panicked if failure.number == Failure::OWN => format!("task '{}' failed: {}", failure.task, failure.message),
            ErrorKind::Panicked => format!("task '{}' panicked: {}", failure.task, failure.message),
            _ => failure.message.clone(),
        };
        Error::of(Inner { failure: Some(failure), ..Inner::new(kind, sentence) })
    }

    /// What a worker said of a call.
    #[cold]
    pub(crate) fn failed(failure: Failure, call: CallId) -> Error {
        match ErrorKind::reported(failure.number) {
            ErrorKind::Cancelled => Error::skipped(&failure.task, call.number),
            _ => Error::from_failure(failure).at(call),
        }
    }

    #[cold]
    pub(crate) fn died(death: Death, task: &str, call: CallId) -> Error {
        let sentence = format!("the worker (pid {}) that ran task '{task}' ({call}) {death}", death.pid);
        Error::ended(ErrorKind::WorkerDied, task, sentence, death).at(call)
    }

    /// A call that was cancelled before it began.
    #[cold]
    pub(crate) fn skipped(task: &str, number: u64) -> Error {
        let sentence = format!("task '{task}' (call {number}) was cancelled before it ran");
        let failure = Some(Failure::new(ErrorKind::Cancelled, task, ""));
        Error::of(Inner { failure, call: Some(CallId { number, attempt: 0 }), ..Inner::new(ErrorKind::Cancelled, sentence) })
    }

    /// A call that was cancelled while it ran, and had not ended within the grace.
    #[cold]
    pub(crate) fn cancelled(death: Death, task: &str, call: CallId) -> Error {
        let sentence = format!("task '{task}' ({call}) was cancelled while it ran; its worker (pid {}) was ended", death.pid);
        Error::ended(ErrorKind::Cancelled, task, sentence, death).at(call)
    }

    /// A call whose worker was ended because it took longer than `limit`.
    #[cold]
    pub(crate) fn time_limit(death: Death, task: &str, call: CallId, limit: Duration) -> Error {
        let sentence = format!("task '{task}' ({call}) did not end within its limit of {limit:?}; its worker (pid {}) was ended", death.pid);
        Error::ended(ErrorKind::TimeLimit, task, sentence, death).at(call)
    }

    fn ended(kind: ErrorKind, task: &str, sentence: String, death: Death) -> Error {
        Error::of(Inner { failure: Some(Failure::new(kind, task, "")), death: Some(death), ..Inner::new(kind, sentence) })
    }

    /// The same of this call. Only for an error that was just made.
    fn at(mut self, call: CallId) -> Error {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.call = Some(call);
        }
        self
    }

    /// The same with what the process wrote last to its standard error. Only for an error that was just made.
    pub(crate) fn saying(mut self, stderr: Option<Arc<str>>) -> Error {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.stderr = stderr;
        }
        self
    }

    #[cold]
    pub(crate) fn with_death(kind: ErrorKind, death: Death, sentence: String) -> Error {
        Error::of(Inner { death: Some(death), ..Inner::new(kind, sentence) })
    }

    /// The pool gave up; `cause` is what a worker said, if one said anything.
    #[cold]
    pub(crate) fn gave_up(death: Death, cause: Option<Failure>, sentence: String) -> Error {
        Error::of(Inner { failure: cause, death: Some(death), ..Inner::new(ErrorKind::GaveUp, sentence) })
    }

    /// A worker was killed in this call because it had more memory than `limit`.
    #[cold]
    pub(crate) fn memory_limit(death: Death, limit: u64, task: &str, call: CallId) -> Error {
        let seen = death.resident.unwrap_or(limit);
        let sentence = format!(
            "the worker (pid {}) that ran task '{task}' ({call}) was killed: it had {} MiB of its own ({seen} bytes), and the pool allows {} MiB ({limit} bytes)",
            death.pid,
            seen >> 20,
            limit >> 20
        );
        Error::ended(ErrorKind::MemoryLimit, task, sentence, death).at(call)
    }

    /// `source`, said again as `kind` with a sentence in front of it.
    #[cold]
    pub(crate) fn because(kind: ErrorKind, sentence: impl fmt::Display, source: polyproc_ipc::Error) -> Error {
        let sentence = format!("{sentence}: {source}");
        Error::of(Inner { source: Some(source), ..Inner::new(kind, sentence) })
    }

    /// Which kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What the task's panic, or its failure, said.
    pub fn message(&self) -> Option<&str> {
        self.0.failure.as_ref().map(|failure| &*failure.message).filter(|text| !text.is_empty())
    }

    /// The task's stack where it panicked.
    pub fn backtrace(&self) -> Option<&str> {
        self.0.failure.as_ref().map(|failure| &*failure.backtrace).filter(|text| !text.is_empty())
    }

    /// The task's name.
    pub fn task(&self) -> Option<&str> {
        self.0.failure.as_ref().map(|failure| &*failure.task).filter(|text| !text.is_empty())
    }

    /// Which call it was of those that were submitted together, from 0: the index in a map, 0 for a single call.
    pub fn call_number(&self) -> Option<u64> {
        self.0.call.map(|call| call.number)
    }

    /// Which attempt of the call it was, from 1; `None` for a call that never began.
    pub fn attempt(&self) -> Option<u32> {
        self.0.call.map(|call| call.attempt).filter(|&attempt| attempt > 0)
    }

    /// The process that died.
    pub fn pid(&self) -> Option<u32> {
        self.0.death.map(|death| death.pid)
    }

    /// The last that the process that died, or failed to start, wrote to its standard error, also in calls before this one; if the
    /// [pool](crate::PoolBuilder::capture_stderr) or the [process](crate::ProcessBuilder::capture_stderr) keeps that.
    pub fn stderr(&self) -> Option<&str> {
        self.0.stderr.as_deref()
    }

    /// The signal that ended the process, as 9 for SIGKILL.
    pub fn signal(&self) -> Option<i32> {
        self.0.death.and_then(|death| death.code.checked_neg()).filter(|&signal| signal > 0)
    }

    /// How many bytes of memory the process had of its own (resident, without what it shares) when the pool last looked, which it does about ten times a second while
    /// calls run, or oftener with a [memory limit](crate::PoolBuilder::memory_limit). `None` if it never did.
    pub fn resident(&self) -> Option<u64> {
        self.0.death.and_then(|death| death.resident)
    }

    /// Whether the kernel killed the process for lack of memory: it was ended by a SIGKILL that the pool did not send, and the count of such kills in this process's
    /// cgroup grew meanwhile. `None` if that cannot be told: no cgroup that counts, or more such deaths at once than kills.
    pub fn out_of_memory(&self) -> Option<bool> {
        self.0.death.and_then(|death| death.out_of_memory)
    }

    /// The code with which the process ended by itself.
    pub fn exit_code(&self) -> Option<i32> {
        self.0.death.map(|death| death.code).filter(|&code| code >= 0)
    }
}

impl From<polyproc_ipc::Error> for Error {
    fn from(source: polyproc_ipc::Error) -> Error {
        let (kind, sentence) = (ErrorKind::Ipc(source.kind()), source.to_string());
        Error::of(Inner { source: Some(source), ..Inner::new(kind, sentence) })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.sentence)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0.sentence)?;
        match self.backtrace() {
            Some(backtrace) => write!(f, "\n{backtrace}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGSYS => "SIGSYS",
        _ => return format!("signal {signal}"),
    };
    format!("signal {signal} ({name})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_fixed() {
        assert_eq!(ErrorKind::UnknownTask.number(), 100);
        assert_eq!(ErrorKind::GaveUp.number(), 108);
        assert_eq!(ErrorKind::AmbiguousTask.number(), 110);
        assert_eq!((ErrorKind::Cancelled.number(), ErrorKind::TimeLimit.number()), (111, 112));
        assert_eq!(ErrorKind::MemoryLimit.number(), 120);
        assert_eq!(ErrorKind::Ipc(polyproc_ipc::ErrorKind::Timeout).number(), 1);
    }

    #[test]
    fn a_death_tells_signal_from_code() {
        let call = CallId { number: 3, attempt: 2 };
        let killed = Error::died(Death::new(7, -9), "a::b", call);
        assert_eq!((killed.signal(), killed.exit_code(), killed.pid()), (Some(9), None, Some(7)));
        assert_eq!(killed.to_string(), "the worker (pid 7) that ran task 'a::b' (call 3, attempt 2) was ended by signal 9 (SIGKILL)");
        assert_eq!((killed.task(), killed.call_number(), killed.attempt(), killed.resident()), (Some("a::b"), Some(3), Some(2), None));
        let left = Error::died(Death::new(7, 0), "a::b", call);
        assert_eq!((left.signal(), left.exit_code()), (None, Some(0)));
    }

    #[test]
    fn what_is_known_of_a_death_is_said() {
        let death = Death { resident: Some(3 << 20), out_of_memory: Some(true), ..Death::new(7, -9) };
        assert_eq!(death.to_string(), "was ended by signal 9 (SIGKILL) for lack of memory (it had 3 MiB when last seen)");
        let error = Error::died(death, "t", CallId { number: 0, attempt: 1 });
        assert_eq!((error.resident(), error.out_of_memory()), (Some(3 << 20), Some(true)));
    }

    #[test]
    fn a_number_from_a_newer_worker_is_a_failed_task() {
        let failure = Failure { number: 999, task: "t".into(), message: "m".into(), backtrace: String::new() };
        let error = Error::from_failure(failure);
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert_eq!((error.message(), error.task(), error.backtrace()), (Some("m"), Some("t"), None));
    }
}
