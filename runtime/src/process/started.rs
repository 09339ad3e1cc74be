//! A process once it was started, shared by its handles and the list of children; and the child's side of the same story.
//!
//! The call and its outcome travel through a queue, the *mailbox*. The parent puts the call **after** it has the child's pidfd, so that no child has run which its parent could not
//! watch; the child waits for it, runs it, and puts the outcome.
//!
//! | in the mailbox when the child has ended | it died |
//! | --- | --- |
//! | the call | before it took its call |
//! | nothing | after it took the call, before it put the outcome; or it left by itself |
//! | `done` or `failed` | after the task returned or failed: with this, even an exit code that somebody else collected is known |

use std::borrow::Cow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use polyproc_ipc::{BytesQueue, Fabric, Packing, Parcel, Ticket};

use super::Exit;
use crate::child::{Child, End};
use crate::error::{Death, Error, ErrorKind, Failure, Result};
use crate::start::Pipes;
use crate::task::Exchange;
use crate::wire::{self, Batch, Record};
use crate::{panic, registry};

pub(super) struct Started {
    pub(super) name: String,
    pub(super) what: Ran,
    pub(super) daemon: bool,
    pub(super) group: bool,
    pub(super) child: Child,
    pub(super) fabric: Fabric,
    pub(super) pipes: Mutex<Pipes>,
    exit: OnceLock<Result<Exit>>,
}

/// What the process runs.
pub(super) enum Ran {
    Task { task: Cow<'static, str>, mailbox: BytesQueue },
    Command,
}

impl Started {
    pub(super) fn new(name: String, what: Ran, daemon: bool, group: bool, child: Child, fabric: Fabric, pipes: Pipes) -> Started {
        Started { name, what, daemon, group, child, fabric, pipes: Mutex::new(pipes), exit: OnceLock::new() }
    }

    /// Whether the process has ended, and was collected.
    pub(super) fn has_ended(&self) -> bool {
        !matches!(self.child.reap(), Ok(None))
    }

    /// Takes this process's end of a pipe.
    pub(super) fn pipe<R>(&self, take: impl FnOnce(&mut Pipes) -> R) -> R {
        take(&mut self.pipes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// In a forked child, where a thread of the parent may have been at the pipes: then they stay.
    pub(super) fn forget_pipes(&self) {
        if let Ok(mut pipes) = self.pipes.try_lock() {
            *pipes = Pipes::default();
        }
    }

    /// After the end: gives back what the child held, and says how it ended, every time the same.
    pub(super) fn settle(&self) -> Result<Exit> {
        let Some(end) = self.child.reap()? else {
            return Err(Error::argument(format!("process '{}' (pid {}) still runs", self.name, self.child.pid())));
        };
        self.exit.get_or_init(|| self.read(end)).clone()
    }

    fn read(&self, end: End) -> Result<Exit> {
        // A sweep that fails is repeated by the next member that needs it.
        let _ = self.fabric.sweep();
        let pid = self.child.pid();
        let lost = || {
            let sentence = format!(
                "the exit status of process '{}' (pid {pid}) was taken by another part of the program (a wait for any child, or an ignored SIGCHLD), or went \
                 with the fork server",
                self.name
            );
            Error::from(polyproc_ipc::Error::new(polyproc_ipc::ErrorKind::Os, sentence))
        };
        let Ran::Task { task, mailbox } = &self.what else {
            let End::Code(code) = end else { return Err(lost()) };
            return Ok(Exit { code, failure: None, stderr: None });
        };
        let left = mailbox.try_get();
        let _ = mailbox.destroy();
        let record = left.ok().map(|message| Record::parse(&message));
        let code = match (end, &record) {
            (End::Code(code), _) => code,
            (End::Lost, Some(Ok(Record::Done { .. }))) => 0,
            (End::Lost, Some(Ok(Record::Failed { .. }))) => 1,
            (End::Lost, _) => return Err(lost()),
        };
        let failure = match record {
            Some(Ok(Record::Failed { failure, .. })) => Some(Error::from_failure(failure)),
            Some(Err(_)) => Some(self.not_started(code, task)),
            Some(Ok(_)) | None => None,
        };
        let stderr = self.child.stderr();
        let failure = failure.map(|failure| failure.saying(stderr.clone()));
        Ok(Exit { code, failure, stderr: stderr.map(|text| text.to_string()) })
    }

    fn not_started(&self, code: i32, task: &str) -> Error {
        let death = Death::new(self.child.pid(), code);
        let sentence = format!(
            "process '{}' (pid {}) {death} before it took its call of task '{task}'; what it printed may say why, and a program given as its own must contain polyproc",
            self.name, death.pid
        );
        Error::with_death(ErrorKind::NotStarted, death, sentence)
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
    let outcome = match mailbox.get() {
        Ok(message) => match Parcel::open(message).map_err(|_| wire::Damaged).and_then(|parcel| Ok(run(&Batch::parse(parcel.body())?, &parcel))) {
            Ok(outcome) => outcome,
            Err(wire::Damaged) => Err(Failure::new(ErrorKind::BadArguments, "", "the call of a process is damaged")),
        },
        Err(error) => Err(Failure::new(ErrorKind::NotStarted, "", format!("a process cannot read its call: {error}"))),
    };
    let mut record = Vec::new();
    let code = match outcome {
        Ok(()) => {
            wire::done(&mut record, 0, 0, 0);
            0
        }
        Err(failure) => {
            // A panic was printed where it happened.
            if failure.number != ErrorKind::Panicked.number() {
                eprintln!("polyproc: {}", Error::from_failure(failure.clone()));
            }
            wire::failed(&mut record, [0; 3], 1, &failure, &[]);
            1
        }
    };
    // The parent may be done with the fabric, or the fabric full: the exit code still says it.
    let _ = mailbox.put(&record);
    code
}

fn run(batch: &Batch<'_>, parcel: &Arc<Parcel>) -> std::result::Result<(), Failure> {
    let arguments = batch.items().next().unwrap_or_default();
    let run = registry::find(batch.name)?;
    panic::watch(batch.name, || run.call(&mut Exchange { arguments, parcel: Some(parcel), packing: &mut Packing::new(), output: &mut Vec::new() }))
}
