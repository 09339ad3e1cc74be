//! `Process`: one task in a process of its own.
//!
//! The call and its outcome travel through a queue of two messages, the mailbox: the parent puts the call before it starts the child, and looks
//! after the child's end at what is there: an outcome, nothing, or still the call. Must not know how processes are started.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use polyproc_ipc::{BytesQueue, Fabric, Readiness, Ticket, Waitable};
use rustix::process::Signal;

use crate::boot::Entry;
use crate::child::{self, Child, End};
use crate::error::{Death, Error, ErrorKind, Failure, Result};
use crate::task::{Task, TaskFn, encode_args};
use crate::wire::{self, Batch, BatchBuilder, Record};
use crate::{panic, registry};

/// A process that runs one task.
///
/// It is this program, started again: it finds before `main` that it is a child, runs the task, and ends. Its standard input is
/// empty, output and error are this process's.
///
/// **Deaths.** If the child is killed, [`join`](Process::join) says by which signal, and what the child held of the fabric is given back. If
/// this process ends, however it ends, the child is ended too. A handle that is dropped leaves the child running, and no zombie.
///
/// ```
/// use polyproc::{Process, Queue, Fabric, task};
///
/// #[task]
/// fn greet(name: String, answers: Queue<String>) {
///     answers.put(&format!("hello {name}")).unwrap();
/// }
///
/// let answers = Queue::new(&Fabric::current()?, 0)?;
/// let process = Process::spawn(greet, ("you".into(), answers.clone()))?;
/// assert_eq!(answers.get()?, "hello you");
/// assert!(process.join()?.success());
/// # Ok::<(), polyproc::Error>(())
/// ```
pub struct Process {
    name: String,
    task: &'static str,
    started: Option<Started>,
}

struct Started {
    child: Child,
    fabric: Fabric,
    mailbox: BytesQueue,
    exit: OnceLock<Exit>,
}

/// How a process ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Exit {
    /// 0: the task returned; 1: it panicked, or could not be called; another positive number: it left with this code; negative: minus the
    /// signal that ended it.
    pub code: i32,
    /// Why the task did not return: a panic with message and backtrace, an unknown name, arguments that do not fit, or
    /// [`ErrorKind::NotStarted`] if the process ended before it took its call.
    pub failure: Option<Error>,
}

impl Exit {
    /// Whether the task returned.
    pub fn success(&self) -> bool {
        self.code == 0 && self.failure.is_none()
    }

    /// The signal that ended the process.
    pub fn signal(&self) -> Option<i32> {
        (self.code < 0).then_some(-self.code)
    }
}

/// A process to be started. See [`Process::builder`].
#[must_use = "nothing runs before `start`"]
pub struct ProcessBuilder {
    task: &'static str,
    call: Result<Vec<u8>>,
    name: Option<String>,
    fabric: Option<Fabric>,
    program: Option<PathBuf>,
}

impl Process {
    /// Starts `task` with `args` in a process of its own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpawnFailed`], [`ErrorKind::BadArguments`], or an error of the fabric. No process was started then.
    pub fn spawn<F: TaskFn>(task: Task<F>, args: F::Args) -> Result<Process> {
        Process::builder(task, args).start()
    }

    /// A process that is not started yet, to be given a name or a fabric.
    ///
    /// ```
    /// use polyproc::{Process, task};
    ///
    /// #[task]
    /// fn leave(code: i32) {
    ///     std::process::exit(code);
    /// }
    ///
    /// let process = Process::builder(leave, (3,)).name("leaver").start()?;
    /// assert_eq!(process.name(), "leaver");
    /// assert_eq!(process.join()?.code, 3);
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn builder<F: TaskFn>(task: Task<F>, args: F::Args) -> ProcessBuilder {
        let name = task.name();
        let mut batch = BatchBuilder::new(0, 0, name);
        let call = batch.push(|out| encode_args(&args, out)).map(|()| batch.finish());
        let call = call.map_err(|error| Error::because(ErrorKind::BadArguments, format!("the arguments of task '{name}' cannot be encoded"), error));
        ProcessBuilder { task: name, call, name: None, fabric: None, program: None }
    }

    /// The name given to it, or `Process-1` and so on.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process's id. After its end the system may give the same to another process.
    pub fn pid(&self) -> u32 {
        self.started().child.pid()
    }

    /// Whether the process has not ended yet.
    pub fn is_alive(&self) -> bool {
        matches!(self.started().child.reap(), Ok(None))
    }

    /// As [`Exit::code`]; `None` while the process runs, or if another part of the program took its exit status.
    pub fn exit_code(&self) -> Option<i32> {
        match self.started().child.reap() {
            Ok(Some(End::Code(code))) => Some(code),
            _ => None,
        }
    }

    /// A descriptor that becomes readable when the process has ended, for `poll` and event loops.
    pub fn sentinel(&self) -> BorrowedFd<'_> {
        self.started().child.sentinel()
    }

    /// Waits for the end of the process. May be called again, from any thread.
    ///
    /// # Errors
    ///
    /// A panic of the task is no error of this call: see [`Exit::failure`]. An error of kind `Os` if another part of the program took
    /// the exit status (a wait for any child, or an ignored SIGCHLD).
    pub fn join(&self) -> Result<Exit> {
        match self.wait(None)? {
            Some(exit) => Ok(exit),
            None => unreachable!("a wait without a limit ends with the process"),
        }
    }

    /// As [`join`](Process::join), but waits no longer than `limit`; `None` if the process still runs then.
    pub fn join_timeout(&self, limit: Duration) -> Result<Option<Exit>> {
        self.wait(Some(limit))
    }

    /// Asks the process to end (SIGTERM). Does not wait; nothing happens if it has ended.
    pub fn terminate(&self) -> Result<()> {
        self.started().child.signal(Signal::TERM)
    }

    /// Ends the process at once (SIGKILL). Does not wait; nothing happens if it has ended.
    pub fn kill(&self) -> Result<()> {
        self.started().child.signal(Signal::KILL)
    }

    fn wait(&self, limit: Option<Duration>) -> Result<Option<Exit>> {
        child::reap_orphans();
        let started = self.started();
        let Some(end) = started.child.wait(limit)? else { return Ok(None) };
        let code = match end {
            End::Code(code) => code,
            End::Lost => {
                let pid = started.child.pid();
                let sentence = format!(
                    "the exit status of process '{}' (pid {pid}) was taken by another part of the program: a wait for any child, or \
                     an ignored SIGCHLD",
                    self.name
                );
                return Err(polyproc_ipc::Error::new(polyproc_ipc::ErrorKind::Os, sentence).into());
            }
        };
        Ok(Some(started.exit.get_or_init(|| started.settle(code, &self.name, self.task)).clone()))
    }

    /// There from start to drop.
    fn started(&self) -> &Started {
        match &self.started {
            Some(started) => started,
            None => unreachable!("only drop takes the child out"),
        }
    }
}

impl Started {
    /// Gives back what the ended child held, and reads what it left.
    fn settle(&self, code: i32, name: &str, task: &str) -> Exit {
        // A sweep that fails is repeated by the next member that needs it.
        let _ = self.fabric.sweep();
        let failure = match self.mailbox.try_get() {
            Ok(message) => match Record::parse(&message) {
                Ok(Record::Failed { failure, .. }) => Some(Error::from_failure(failure)),
                Ok(_) => None,
                Err(_) => {
                    let death = Death::new(self.child.pid(), code);
                    let sentence = format!(
                        "process '{name}' (pid {}) {death} before it took its call of task '{task}'; what it printed may say why, and a \
                         program given as its own must contain polyproc",
                        death.pid
                    );
                    Some(Error::with_death(ErrorKind::NotStarted, death, sentence))
                }
            },
            Err(_) => None,
        };
        let _ = self.mailbox.destroy();
        Exit { code, failure }
    }
}

impl child::Orphan for Started {
    fn collect(&self) -> bool {
        if matches!(self.child.reap(), Ok(None)) {
            return false;
        }
        let _ = self.fabric.sweep();
        let _ = self.mailbox.destroy();
        true
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(started) = self.started.take()
            && started.exit.get().is_none()
        {
            child::adopt(Box::new(started));
        }
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.sentinel()
    }
}

/// For [`wait()`](crate::wait()): ready once the process has ended.
impl Waitable for Process {
    fn readiness(&self) -> polyproc_ipc::Result<Readiness<'_>> {
        Ok(Readiness::Readable(self.sentinel()))
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("name", &self.name).field("pid", &self.pid()).field("task", &self.task).finish_non_exhaustive()
    }
}

impl ProcessBuilder {
    /// The process's name, for messages and for you.
    pub fn name(mut self, name: impl Into<String>) -> ProcessBuilder {
        self.name = Some(name.into());
        self
    }

    /// The fabric that is `Fabric::current()` in the child. Without it: this process's current one.
    pub fn fabric(mut self, fabric: &Fabric) -> ProcessBuilder {
        self.fabric = Some(fabric.clone());
        self
    }

    /// Another program to run the task; it must contain polyproc and a task of this name. Without it: this program.
    pub fn program(mut self, path: impl Into<PathBuf>) -> ProcessBuilder {
        self.program = Some(path.into());
        self
    }

    /// Starts the process.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpawnFailed`], [`ErrorKind::BadArguments`], or an error of the fabric. No process was started then.
    pub fn start(self) -> Result<Process> {
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let call = self.call?;
        let fabric = self.fabric.map_or_else(Fabric::current, Ok)?;
        let mailbox = BytesQueue::new(&fabric, 0)?;
        let started = mailbox.put(&call).map_err(Error::from).and_then(|()| {
            let entry = Entry::Process { mailbox: mailbox.lend() };
            Child::start(self.program.as_deref(), entry, &fabric)
        });
        let child = match started {
            Ok(child) => child,
            Err(error) => {
                let _ = mailbox.destroy();
                return Err(error);
            }
        };
        let count = STARTED.fetch_add(1, Ordering::Relaxed) + 1;
        let name = self.name.unwrap_or_else(|| format!("Process-{count}"));
        Ok(Process { name, task: self.task, started: Some(Started { child, fabric, mailbox, exit: OnceLock::new() }) })
    }
}

/// The child's side: takes the call, runs it, leaves the outcome. The answer is the exit code.
pub(crate) fn child(mailbox: &Ticket) -> i32 {
    let mailbox = match BytesQueue::from_ticket(mailbox) {
        Ok(mailbox) => mailbox,
        Err(error) => {
            eprintln!("polyproc: a process cannot find its call: {error}");
            return 1;
        }
    };
    let failure = match mailbox.try_get() {
        Ok(message) => match Batch::parse(&message) {
            Ok(batch) => run(&batch),
            Err(wire::Damaged) => Failure::new(ErrorKind::BadArguments, "", "the call of a process is damaged").into(),
        },
        Err(error) => Failure::new(ErrorKind::NotStarted, "", format!("a process cannot read its call: {error}")).into(),
    };
    let Some(failure) = failure else { return 0 };
    if failure.number != ErrorKind::Panicked.number() {
        eprintln!("polyproc: {}", failure.message);
    }
    let mut record = Vec::new();
    wire::failed(&mut record, 0, 0, 0, &failure);
    // The parent may be done with the fabric, or the fabric full: the exit code still says it.
    let _ = mailbox.put(&record);
    1
}

fn run(batch: &Batch<'_>) -> Option<Failure> {
    let arguments = batch.items().next().unwrap_or_default();
    let run = match registry::find(batch.name) {
        Ok(run) => run,
        Err(failure) => return Some(failure),
    };
    panic::watch(batch.name, || run(arguments, &mut Vec::new())).err()
}
