//! Processes that are not started yet: one that runs a task, and one that is a command line. Must not know how processes are started.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use polyproc_ipc::{BytesQueue, Fabric};
use rustix::process::Signal;

use super::started::{Ran, Started};
use super::{Process, family};
use crate::boot::Entry;
use crate::child::Child;
use crate::error::{Error, ErrorKind, Result};
use crate::start::{Launch, Launched, Options, Pipes, StartMethod, What, launch, shared_options};
use crate::task::{Task, TaskFn};
use crate::wire::{BatchBuilder, Letter, Terms};

/// A process to be started that runs a task. See [`Process::builder`].
#[must_use = "nothing runs before `start`"]
pub struct ProcessBuilder {
    task: Cow<'static, str>,
    call: Result<Letter>,
    fabric: Option<Fabric>,
    program: Option<PathBuf>,
    method: Option<StartMethod>,
    options: Options,
}

/// A process to be started that is a command line. See [`Process::command`].
#[must_use = "nothing runs before `start`"]
pub struct CommandBuilder {
    program: OsString,
    arguments: Vec<OsString>,
    fabric: Option<Fabric>,
    options: Options,
}

shared_options!(ProcessBuilder);
shared_options!(CommandBuilder);

impl ProcessBuilder {
    pub(super) fn new<F: TaskFn>(task: Task<F>, args: F::Args) -> ProcessBuilder {
        let name = task.name();
        let mut batch = BatchBuilder::new(0, 0, name, Terms::PLAIN);
        let call = batch.push(args).map(|()| batch.finish());
        let call = call.map_err(|error| Error::because(ErrorKind::BadArguments, format!("the arguments of task '{name}' cannot be encoded"), error));
        ProcessBuilder::of(Cow::Borrowed(name), call)
    }

    /// The process of a call that is encoded, or cannot be.
    pub(super) fn of(task: Cow<'static, str>, call: Result<Letter>) -> ProcessBuilder {
        ProcessBuilder { task, call, fabric: None, program: None, method: None, options: Options::for_task() }
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

    /// How the process is started. Without it: as was [set](crate::set_start_method) for all.
    pub fn start_method(mut self, method: StartMethod) -> ProcessBuilder {
        self.method = Some(method);
        self
    }

    /// Keeps the last `bytes` bytes of what the process writes to its standard error, for [`Exit::stderr`](crate::Exit::stderr) and for errors that tell of its end
    /// ([`Error::stderr`]). 0: nothing is kept, as without this.
    ///
    /// It is seen as well, where it would be without this; with [`Stdio::Null`](crate::Stdio::Null) as [`stderr`](ProcessBuilder::stderr) it is only kept. That goes through a thread of the process: it never waits
    /// for this one, and what was written is there whatever killed it. Text may be seen twice that was just on its way when the process was killed; what children of the process write after
    /// its end is not seen. Python's `multiprocessing` has nothing like it.
    ///
    /// ```
    /// use polyproc::{Process, Stdio, task};
    ///
    /// #[task]
    /// fn complains() {
    ///     eprintln!("the disk is full");
    ///     std::process::abort();
    /// }
    ///
    /// let exit = Process::builder(complains, ()).capture_stderr(1000).stderr(Stdio::Null).start()?.join()?;
    /// assert_eq!((exit.signal(), exit.stderr.as_deref()), (Some(6), Some("the disk is full\n")));
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn capture_stderr(mut self, bytes: usize) -> ProcessBuilder {
        self.options.tail = u32::try_from(bytes).unwrap_or(u32::MAX);
        self
    }

    /// Starts the process.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpawnFailed`], which says what is missing; [`ErrorKind::BadArguments`]; `InvalidArgument` for names and values that cannot be (as of a [tail](ProcessBuilder::capture_stderr) of more than 16 MiB), for another program with a
    /// start method that copies this one, and in a daemon; or an error of the fabric. The task did not run then, and nothing is left.
    pub fn start(self) -> Result<Process> {
        let call = self.call?;
        let fabric = self.fabric.map_or_else(Fabric::current, Ok)?;
        let mailbox = BytesQueue::new(&fabric, 0)?;
        let clean = |error: Error| {
            let _ = mailbox.destroy();
            error
        };
        let name = self.options.name.clone().unwrap_or_else(next_name);
        let (daemon, group) = (self.options.daemon, self.options.group);
        let what = self.program.as_deref().map_or(What::Own, What::Program);
        let entry = Entry::Process { mailbox: mailbox.lend() };
        let launched = launch(Launch { entry, fabric: &fabric, method: self.method, what, name: &name }, self.options).map_err(clean)?;
        let (child, pipes) = split(launched);
        let put = if call.packing.is_empty() { mailbox.put(&call.body) } else { mailbox.put_packed(call.packing, &call.body) };
        if let Err(error) = put {
            let _ = child.signal(Signal::KILL);
            let _ = child.wait(None);
            return Err(clean(error.into()));
        }
        let ran = Ran::Task { task: self.task, mailbox };
        Ok(entered(Started::new(name, ran, daemon, group, child, fabric, pipes)))
    }
}

impl CommandBuilder {
    pub(super) fn new(program: &OsStr) -> CommandBuilder {
        CommandBuilder { program: program.to_owned(), arguments: Vec::new(), fabric: None, options: Options::for_command() }
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> CommandBuilder {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// More arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> CommandBuilder {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// The fabric that is `Fabric::current()` in the command, if it contains polyproc. Without it: this process's current one.
    pub fn fabric(mut self, fabric: &Fabric) -> CommandBuilder {
        self.fabric = Some(fabric.clone());
        self
    }

    /// Starts the process.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpawnFailed`], which says what is missing: the program (not there, no file, not executable), the directory, descriptors or processes;
    /// `InvalidArgument` for names and values that cannot be, and in a daemon; or an error of the fabric. No process was started then.
    pub fn start(self) -> Result<Process> {
        let fabric = self.fabric.map_or_else(Fabric::current, Ok)?;
        let name = self.options.name.clone().unwrap_or_else(next_name);
        let (daemon, group) = (self.options.daemon, self.options.group);
        let what = What::Command(self.program.as_ref(), &self.arguments);
        // The numbers are filled in where the descriptors are known.
        let entry = Entry::Command { memory: 0, life: 0 };
        let launched = launch(Launch { entry, fabric: &fabric, method: Some(StartMethod::Spawn), what, name: &name }, self.options)?;
        let (child, pipes) = split(launched);
        Ok(entered(Started::new(name, Ran::Command, daemon, group, child, fabric, pipes)))
    }
}

fn split(mut launched: Launched) -> (Child, Pipes) {
    let mut pipes = std::mem::take(&mut launched.pipes);
    launched.pipes.tail = pipes.tail.take();
    (Child::new(launched), pipes)
}

fn entered(started: Started) -> Process {
    family::collect();
    let started = Arc::new(started);
    family::enter(&started);
    Process::of(started)
}

fn next_name() -> String {
    static STARTED: AtomicU64 = AtomicU64::new(0);
    format!("Process-{}", STARTED.fetch_add(1, Ordering::Relaxed) + 1)
}
