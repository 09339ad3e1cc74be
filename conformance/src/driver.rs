//! A driver's process: lines to it, lines from it, its death. Knows the form of lines, no case.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use serde_json::{Value, json};

use crate::language::Language;

/// What a driver answered to a step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Is(Value),
    Error { kind: String, text: String },
    Unsupported,
}

/// A running driver. A model's driver has a process of its own for each actor; ours is one actor.
pub(crate) struct Driver {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    answers: HashMap<u64, Answer>,
    pids: HashMap<String, Pid>,
    errors: Option<std::thread::JoinHandle<String>>,
}

/// Drivers that have nothing to do, for the next play.
#[derive(Default)]
pub(crate) struct Idle(HashMap<String, Vec<Driver>>);

impl Idle {
    pub(crate) fn take(&mut self, language: &Language, directory: &Path) -> Result<Driver, String> {
        match self.0.get_mut(&language.name).and_then(Vec::pop) {
            Some(driver) => Ok(driver),
            None => Driver::start(language, directory),
        }
    }

    /// Keeps a driver whose every step was answered.
    pub(crate) fn give_back(&mut self, language: &Language, driver: Driver) {
        self.0.entry(language.name.clone()).or_default().push(driver);
    }
}

impl Driver {
    fn start(language: &Language, directory: &Path) -> Result<Driver, String> {
        let (program, arguments) = language.run.split_first().ok_or("its driver.toml names no command")?;
        let mut child = Command::new(program)
            .args(arguments)
            .env("POLYPROC_DIR", directory)
            // Whatever it starts, a manager's server for example, is in its group and ends with it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{program}: {error}"))?;
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut errors = child.stderr.take().expect("it is piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = errors.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Ok(Driver { input: child.stdin.take(), child, lines, answers: HashMap::new(), pids: HashMap::new(), errors: Some(errors) })
    }

    /// Sends one line.
    pub(crate) fn send(&mut self, line: &Value) -> Result<(), String> {
        let input = self.input.as_mut().ok_or("its input is closed")?;
        writeln!(input, "{line}").and_then(|()| input.flush()).map_err(|error| format!("it takes no more steps: {error}"))
    }

    /// Asks and waits for the answer.
    pub(crate) fn ask(&mut self, id: u64, mut line: Value, until: Instant) -> Result<Answer, String> {
        line["id"] = json!(id);
        self.send(&line)?;
        self.answer(id, until)?.ok_or_else(|| "it does not answer".into())
    }

    /// The answer to the step of this number, if it comes in time.
    pub(crate) fn answer(&mut self, id: u64, until: Instant) -> Result<Option<Answer>, String> {
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return Ok(Some(answer));
            }
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.read(&line)?,
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => return Err("it ended".into()),
            }
        }
    }

    fn read(&mut self, line: &str) -> Result<(), String> {
        let fault = || format!("it said what is no answer: {line}");
        let mut said: Value = serde_json::from_str(line).map_err(|_| fault())?;
        if let (Some(actor), Some(pid)) = (said["actor"].as_str(), said["pid"].as_i64()) {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(fault)?;
            self.pids.insert(actor.to_owned(), pid);
            return Ok(());
        }
        let id = said["id"].as_u64().ok_or_else(fault)?;
        let answer = if let Some(kind) = said["error"].as_str() {
            Answer::Error { kind: kind.to_owned(), text: said["text"].as_str().unwrap_or_default().to_owned() }
        } else if said["unsupported"] == json!(true) {
            Answer::Unsupported
        } else {
            Answer::Is(said.as_object_mut().and_then(|said| said.remove("is")).ok_or_else(fault)?)
        };
        self.answers.insert(id, answer);
        Ok(())
    }

    /// Kills the actor; returns when it is gone for the kernel. In a model's driver that is one of its processes.
    pub(crate) fn kill(&mut self, actor: &str, until: Instant) -> Result<(), String> {
        match self.pids.get(actor) {
            Some(pid) => kill_process(*pid, Signal::KILL).map_err(|error| error.to_string()),
            None => self.child.kill().and_then(|()| self.child.wait()).map(drop).map_err(|error| error.to_string()),
        }?;
        match self.pids.get(actor) {
            Some(pid) if !has_ended(*pid, until)? => Err("it does not die".into()),
            _ => Ok(()),
        }
    }

    /// Closes its input, which asks it to end, and waits for that.
    pub(crate) fn leave(&mut self, until: Instant) -> Result<(), String> {
        self.input = None;
        let pid = Pid::from_raw(self.child.id() as i32).ok_or("it has no pid")?;
        if !has_ended(pid, until)? {
            return Err("it does not end when its input does".into());
        }
        self.child.wait().map(drop).map_err(|error| error.to_string())
    }

    /// Ends it, whatever it does; what it wrote to its standard error.
    pub(crate) fn end(mut self) -> String {
        self.stop();
        self.errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default()
    }

    fn stop(&mut self) {
        if let Some(group) = Pid::from_raw(self.child.id() as i32) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// Whether the process has ended by then, whoever is to collect it.
fn has_ended(pid: Pid, until: Instant) -> Result<bool, String> {
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return Ok(true),
        other => other.map_err(|error| error.to_string())?,
    };
    let time = until.saturating_duration_since(Instant::now()).try_into().map_err(|_| "too long a time")?;
    poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&time)).map(|ended| ended == 1).map_err(|error| error.to_string())
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop();
    }
}
