//! The parent's side of a round in several processes: start them, wait until each is ready, let all go at one instant, collect what
//! each reports. Any program that speaks the four lines of `member.rs` can be in a crew; it knows no more of them.

use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter};
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::Trouble;
use super::member::Report;

/// First argument of a process of ours that is a member of a crew.
pub(crate) const ROLE: &str = "__role";
/// First argument of a process of ours that ends at once: what a process costs that does nothing.
pub(crate) const NOTHING: &str = "__nothing";

/// A round that has not ended by then is broken; its processes are killed. Not a limit on speed: rounds last well under a second.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Processes of one round. Dropping it kills and collects those that still run.
pub(crate) struct Crew {
    members: Vec<Member>,
    gate: PipeReader,
    go: Option<PipeWriter>,
    deadline: Instant,
}

struct Member {
    what: String,
    child: Child,
    lines: Receiver<String>,
}

impl Crew {
    pub(crate) fn new() -> Result<Crew, Trouble> {
        let (gate, go) = std::io::pipe()?;
        Ok(Crew { members: Vec::new(), gate, go: Some(go), deadline: Instant::now() + WATCHDOG })
    }

    /// Starts this program again in a role.
    pub(crate) fn role(&mut self, name: &str, arguments: &[String]) -> Result<(), Trouble> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(ROLE).arg(name).args(arguments);
        self.command(name, command)
    }

    /// Starts any program that speaks the same lines.
    pub(crate) fn command(&mut self, what: &str, mut command: Command) -> Result<(), Trouble> {
        let mut child = command.stdin(Stdio::from(self.gate.try_clone()?)).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| Trouble::failed("a child without standard output"))?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        self.members.push(Member { what: what.to_owned(), child, lines });
        Ok(())
    }

    /// The next line of the newest member, which must begin with `word`; its rest.
    pub(crate) fn hear(&mut self, word: &str) -> Result<String, Trouble> {
        let newest = self.members.len() - 1;
        self.members[newest].hear(word, self.deadline)
    }

    /// Waits for every member to be ready, lets all go, and returns their reports in the order of their start.
    pub(crate) fn run(self) -> Result<Vec<Report>, Trouble> {
        Ok(self.run_to_hear(None)?.0)
    }

    /// The same where the newest member, before its report, says a line that begins with `word`; its rest.
    pub(crate) fn run_to_hear(mut self, word: Option<&str>) -> Result<(Vec<Report>, String), Trouble> {
        for member in &mut self.members {
            member.hear("ready", self.deadline)?;
        }
        drop(self.go.take()); // the pipe's only writer: every member reads its end at once
        let said = word.map_or_else(|| Ok(String::new()), |word| self.hear(word))?;
        let mut reports = Vec::new();
        for member in &mut self.members {
            reports.push(Report::parse(&member.hear("done", self.deadline)?)?);
        }
        for member in &mut self.members {
            let status = member.child.wait()?;
            if !status.success() {
                return Err(Trouble::failed(format!("{} ended with {status}", member.what)));
            }
        }
        Ok((reports, said))
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for member in &mut self.members {
            let _ = member.child.kill(); // it may be gone already
            let _ = member.child.wait();
        }
    }
}

impl Member {
    fn hear(&mut self, word: &str, deadline: Instant) -> Result<String, Trouble> {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => match line.strip_prefix(word) {
                Some(rest) => Ok(rest.trim().to_owned()),
                None => Err(Trouble::failed(format!("{} said {line:?} instead of {word:?}", self.what))),
            },
            Err(RecvTimeoutError::Timeout) => Err(Trouble::failed(format!("{} did not say {word:?} in {} s", self.what, WATCHDOG.as_secs()))),
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.child.wait()?;
                Err(Trouble::failed(format!("{} ended with {status} before it said {word:?}", self.what)))
            }
        }
    }
}

/// A copy of a descriptor that children inherit, and its number for their arguments. Dropped in the parent once they are started.
pub(crate) struct Inherited(OwnedFd);

impl Inherited {
    pub(crate) fn new(descriptor: BorrowedFd<'_>) -> Result<Inherited, Trouble> {
        Ok(Inherited(rustix::io::dup(descriptor)?)) // dup(2) leaves close-on-exec off
    }

    pub(crate) fn number(&self) -> String {
        self.0.as_raw_fd().to_string()
    }
}
