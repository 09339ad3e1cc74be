//! `Process`: one task, or one command line, in a process of its own, as its parent holds it. Must not know how processes are started.
//!
//! | file | idea |
//! | --- | --- |
//! | `builder` | what is to be started |
//! | `started` | the call, its outcome, and the child's side of them |
//! | `family` | the list of children, and the end of daemons |
//! | `current` | this process and its parent |
//! | `tree` | ending a process with all that it started |

mod builder;
pub(crate) mod current;
pub(crate) mod family;
mod started;
mod tree;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::time::Duration;

use polyproc_ipc::{Readiness, Waitable};
use rustix::process::Signal;

pub use builder::{CommandBuilder, ProcessBuilder};
pub use current::{CurrentProcess, ParentProcess, current, parent};
pub use family::active_children;
pub(crate) use started::child;
use started::{Ran, Started};

use crate::child::End;
use crate::encoded::Encoded;
use crate::error::{Error, Result};
use crate::pool::calls;
use crate::task::{Task, TaskFn};

/// A process that runs one task, or one command line.
///
/// A task's process is this program, started again or copied ([`StartMethod`](crate::StartMethod)): it finds before `main` that it is a child, runs the task, and
/// ends. Its standard input is empty, output and error are this process's, unless [something else](crate::Stdio) is chosen. Clones are handles of the same process.
///
/// **Deaths.** If the child is killed, [`join`](Process::join) says by which signal, and what the child held of the fabric is given back. If
/// this process ends, however it ends, the child is ended too, unless it [outlives](ProcessBuilder::outlive); it is not waited for. A handle that is dropped leaves the child
/// running, and no zombie: [`active_children`] has it.
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
#[derive(Clone)]
pub struct Process(Arc<Started>);

/// How a process ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Exit {
    /// 0: the task returned; 1: it panicked, or could not be called; another positive number: it left with this code; negative: minus the
    /// signal that ended it.
    pub code: i32,
    /// Why the task did not return: a panic with message and backtrace, an unknown name, arguments that do not fit, or
    /// [`ErrorKind::NotStarted`](crate::ErrorKind::NotStarted) if the process ended before it took its call.
    pub failure: Option<Error>,
    /// The last that the process wrote to its standard error, if that was [captured](ProcessBuilder::capture_stderr); what is no UTF-8 of it is replaced.
    pub stderr: Option<String>,
}

impl Exit {
    /// Whether the task returned, or the command ended with 0.
    pub fn success(&self) -> bool {
        self.code == 0 && self.failure.is_none()
    }

    /// The signal that ended the process.
    pub fn signal(&self) -> Option<i32> {
        (self.code < 0).then_some(-self.code)
    }
}

impl Process {
    /// Starts `task` with `args` in a process of its own.
    ///
    /// # Errors
    ///
    /// As [`ProcessBuilder::start`].
    pub fn spawn<F: TaskFn>(task: Task<F>, args: F::Args) -> Result<Process> {
        Process::builder(task, args).start()
    }

    /// A process that is not started yet, to be given a name, a fabric, an environment, a start method and so on.
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
        ProcessBuilder::new(task, args)
    }

    /// As [`builder`](Process::builder), by the task's name, with arguments that are encoded already: for tasks that this program [offers](crate::offer()), or that another [program](ProcessBuilder::program) has.
    ///
    /// ```
    /// use polyproc::{Encoded, Process, task};
    ///
    /// #[task(name = "leave")]
    /// fn leave(code: i32) {
    ///     std::process::exit(code);
    /// }
    ///
    /// let process = Process::named("leave", Encoded::arguments(&(3,))?).start()?;
    /// assert_eq!(process.join()?.code, 3);
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn named(task: &str, arguments: Encoded) -> ProcessBuilder {
        ProcessBuilder::of(Cow::Owned(task.into()), calls::letter(task, arguments))
    }

    /// A process that is a command line, of a program in any language. A name without a slash is looked for in `PATH`.
    ///
    /// A program that contains polyproc runs its `main`, finds this process's fabric as its `Fabric::current()`, and ends with this process. The fabric's memory and the life pipe are its descriptors
    /// 3 and 4, and the variable `POLYPROC_CHILD` says so. An ordinary program does not care; it is not ended by this process's death, only
    /// by what it notices itself, as the end of a pipe.
    ///
    /// ```
    /// use polyproc::Process;
    ///
    /// let process = Process::command("sh").args(["-c", "exit 3"]).start()?;
    /// assert_eq!(process.join()?.code, 3);
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn command(program: impl AsRef<OsStr>) -> CommandBuilder {
        CommandBuilder::new(program.as_ref())
    }

    fn of(started: Arc<Started>) -> Process {
        Process(started)
    }

    /// The name given to it, or `Process-1` and so on.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The process's id. After its end the system may give the same to another process.
    pub fn pid(&self) -> u32 {
        self.0.child.pid()
    }

    /// Whether it is a [daemon](ProcessBuilder::daemon).
    pub fn is_daemon(&self) -> bool {
        self.0.daemon
    }

    /// Whether the process has not ended yet.
    pub fn is_alive(&self) -> bool {
        if self.0.child.at_home() { matches!(self.0.child.reap(), Ok(None)) } else { !self.0.child.has_ended() }
    }

    /// As [`Exit::code`]; `None` while the process runs, or if nobody knows (see [`join`](Process::join)).
    pub fn exit_code(&self) -> Option<i32> {
        match self.0.child.reap() {
            Ok(Some(End::Code(code))) => Some(code),
            Ok(Some(End::Lost)) => self.0.settle().ok().map(|exit| exit.code),
            _ => None,
        }
    }

    /// A descriptor that becomes readable when the process has ended, for `poll` and event loops. [`wait()`](crate::wait()) takes processes themselves, many at once, beside queues and connections:
    ///
    /// ```
    /// use polyproc::{Process, Waitable};
    ///
    /// let quick = Process::command("true").start()?;
    /// let slow = Process::command("sleep").arg("600").start()?;
    /// let things: [&dyn Waitable; 2] = [&slow, &quick];
    /// assert_eq!(polyproc::wait(&things, None)?, [1]);
    /// slow.kill()?;
    /// assert_eq!(slow.join()?.signal(), Some(9));
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn sentinel(&self) -> BorrowedFd<'_> {
        self.0.child.sentinel()
    }

    /// Waits for the end of the process. May be called again, from any thread.
    ///
    /// # Errors
    ///
    /// A panic of the task is no error of this call: see [`Exit::failure`]. An error of kind `Os` if another part of the program took
    /// the exit status (a wait for any child, or an ignored SIGCHLD), or the fork server was killed before it could tell, and the task neither returned nor panicked. `InvalidArgument` in
    /// a process that was forked from the one that started it.
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

    /// Interrupts the process, as Ctrl-C does (SIGINT). Does not wait; nothing happens if it has ended.
    pub fn interrupt(&self) -> Result<()> {
        self.0.child.signal(Signal::INT)
    }

    /// Asks the process to end (SIGTERM). Does not wait; nothing happens if it has ended.
    pub fn terminate(&self) -> Result<()> {
        self.0.child.signal(Signal::TERM)
    }

    /// Ends the process at once (SIGKILL). Does not wait; nothing happens if it has ended.
    pub fn kill(&self) -> Result<()> {
        self.0.child.signal(Signal::KILL)
    }

    /// Asks the process to end (SIGTERM), ends it (SIGKILL) if it has not after `grace`, and waits for it.
    ///
    /// What it started by polyproc ends with it. For other processes that it started, see [`terminate_tree_within`](Process::terminate_tree_within).
    ///
    /// # Errors
    ///
    /// As [`join`](Process::join).
    pub fn terminate_within(&self, grace: Duration) -> Result<Exit> {
        self.terminate()?;
        if let Some(exit) = self.join_timeout(grace)? {
            return Ok(exit);
        }
        self.kill()?;
        self.join()
    }

    /// As [`terminate_within`](Process::terminate_within), with all that the process started, and what that started, and so on: each is asked to end, and whatever is left after `grace` is
    /// killed.
    ///
    /// The descendants are found through `/proc`, and held by pidfds from then on, so a number that is given to another process meanwhile is never touched. A
    /// descendant whose parent is gone already is nobody's descendant, and not found, nor one that is being made while its parent dies; but with a [group of its own](ProcessBuilder::own_group) the
    /// process and all that stays in its group are signalled in one step, which nothing slips through.
    ///
    /// ```
    /// use polyproc::Process;
    /// use std::time::Duration;
    ///
    /// let shell = Process::command("sh").args(["-c", "sleep 600 & sleep 600"]).own_group(true).start()?;
    /// let exit = shell.terminate_tree_within(Duration::from_secs(10))?;
    /// assert_eq!(exit.signal(), Some(15));
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`join`](Process::join).
    pub fn terminate_tree_within(&self, grace: Duration) -> Result<Exit> {
        tree::end(self, grace)?;
        self.join()
    }

    /// Gives the handle back, and with it, at once, all that is held for the process.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the process still runs: join or kill it first. It goes on then, and [`active_children`] has it.
    pub fn close(self) -> Result<()> {
        if self.is_alive() {
            return Err(Error::argument(format!(
                "process '{}' (pid {}) cannot be closed while it runs: join, terminate or kill it first",
                self.name(),
                self.pid()
            )));
        }
        // How it ended is of no interest to who closes it.
        let _ = self.0.settle();
        family::collect();
        Ok(())
    }

    /// This process's end of the child's input, if that was [piped](crate::Stdio::Piped) and not taken before. Drop it, and the child reads the end.
    pub fn take_stdin(&self) -> Option<ChildStdin> {
        self.0.pipe(|pipes| pipes.stdin.take()).map(ChildStdin::from)
    }

    /// This process's end of the child's output, if that was [piped](crate::Stdio::Piped) and not taken before.
    pub fn take_stdout(&self) -> Option<ChildStdout> {
        self.0.pipe(|pipes| pipes.stdout.take()).map(ChildStdout::from)
    }

    /// This process's end of the child's standard error, if that was [piped](crate::Stdio::Piped) and not taken before.
    pub fn take_stderr(&self) -> Option<ChildStderr> {
        self.0.pipe(|pipes| pipes.stderr.take()).map(ChildStderr::from)
    }

    fn wait(&self, limit: Option<Duration>) -> Result<Option<Exit>> {
        if self.0.child.wait(limit)?.is_none() {
            return Ok(None);
        }
        let exit = self.0.settle();
        family::collect();
        exit.map(Some)
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
        let mut out = f.debug_struct("Process");
        out.field("name", &self.name()).field("pid", &self.pid());
        if let Ran::Task { task, .. } = &self.0.what {
            out.field("task", task);
        }
        out.finish_non_exhaustive()
    }
}
