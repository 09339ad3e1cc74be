//! Other processes for a test: the test binary runs itself again and plays one role.
//!
//! A role is an ordinary `#[ignore]`d test that does nothing unless it is run as a peer, so an ordinary test run, even with
//! `--ignored`, passes over it. It gets its arguments from the environment and talks by lines.
//!
//! ```no_run
//! use polyproc_testkit::peer::{self, Peer};
//! use std::time::Duration;
//!
//! // #[test] #[ignore = "a peer of killed_holder"]
//! fn holder() {
//!     if peer::is("crash::holder") {
//!         let name = peer::arg("FABRIC");
//!         // ... take the lock of that fabric
//!         peer::say("READY");
//!         peer::park();
//!     }
//! }
//!
//! // #[test]
//! fn killed_holder() {
//!     let mut holder = Peer::spawn("crash::holder", &[("FABRIC", "jobs")]);
//!     holder.expect("READY", Duration::from_secs(30));
//!     holder.kill();
//!     // ... the lock must be free again
//! }
//! ```
//!
//! A peer never outlives its test: it is killed when its `Peer` is dropped or a watchdog aborts, a parked one ends
//! when its parent is gone, and the kernel ends it after [`Builder::life`] whatever happens.
#![allow(unsafe_code)]

use std::env;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

const ROLE: &str = "POLYPROC_TEST_PEER";
/// Marks the lines that a peer says, since the test harness writes to the same place.
const SAID: &str = "@peer ";

/// Whether this process was started to play the role `name`.
pub fn is(name: &str) -> bool {
    env::var(ROLE).is_ok_and(|role| role == name)
}

/// An argument that the starter passed.
///
/// # Panics
/// If it did not.
pub fn arg(key: &str) -> String {
    env::var(key).unwrap_or_else(|_| panic!("this peer was started without the argument {key}"))
}

/// Says one line to the starter, who reads it by [`Peer::wait_line`].
///
/// # Panics
/// If `line` holds a line break, or the starter is gone.
pub fn say(line: &str) {
    assert!(!line.contains('\n'), "a peer says one line at a time");
    // One write, and a line break before it: the harness has not ended its own line.
    std::io::stdout().write_all(format!("\n{SAID}{line}\n").as_bytes()).expect("the starter of this peer listens");
    std::io::stdout().flush().expect("the starter of this peer listens");
}

/// Waits for one line that the starter sends by [`Peer::send`]. `None` once the starter is gone.
pub fn hear() -> Option<String> {
    let mut line = String::new();
    let count = std::io::stdin().read_line(&mut line).expect("standard input of a peer");
    (count > 0).then(|| line.trim_end().to_owned())
}

/// Stays until killed; ends the process when the starter is gone.
pub fn park() -> ! {
    while hear().is_some() {}
    std::process::exit(0)
}

/// How a peer is started: see [`Peer::builder`].
#[derive(Debug)]
pub struct Builder<'a> {
    name: String,
    command: Command,
    fds: Vec<(BorrowedFd<'a>, RawFd)>,
    life: Duration,
}

/// A running peer; killed and reaped on drop.
#[derive(Debug)]
pub struct Peer {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    /// Read and not yet handed out.
    unread: Vec<u8>,
    /// What else the process wrote, for messages.
    other: String,
    status: Option<ExitStatus>,
}

impl<'a> Builder<'a> {
    /// Passes an argument, by the environment.
    #[must_use]
    pub fn arg(mut self, key: &str, value: &str) -> Self {
        self.command.env(key, value);
        self
    }

    /// Lets the peer inherit `fd` under the number `number`, whatever flags it has here.
    ///
    /// # Panics
    /// If `number` is below 10: standard streams, and what the standard library needs to start a process.
    #[must_use]
    pub fn fd(mut self, fd: BorrowedFd<'a>, number: RawFd) -> Self {
        assert!(number >= 10, "pass descriptors under the number 10 or above, not {number}");
        self.fds.push((fd, number));
        self
    }

    /// After how long the kernel ends the peer even if nobody else does (whole seconds; ten minutes if not given).
    #[must_use]
    pub fn life(mut self, life: Duration) -> Self {
        self.life = life;
        self
    }

    /// Drops what the peer writes to standard error: for peers that are meant to fail loudly.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.command.stderr(Stdio::null());
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// If the process cannot be started.
    pub fn start(mut self) -> Peer {
        let pairs: Vec<(RawFd, RawFd)> = self.fds.iter().map(|(fd, number)| (fd.as_raw_fd(), *number)).collect();
        let seconds = self.life.as_secs().clamp(1, 86_400) as libc::c_uint;
        let mut moved: Vec<RawFd> = vec![-1; pairs.len()];
        let prepare = move || {
            // SAFETY: alarm touches nothing of this process but its timer, which lasts over the exec.
            unsafe { libc::alarm(seconds) };
            hand_over(&pairs, &mut moved)
        };
        // SAFETY: the closure makes only calls that are safe between fork and exec, and allocates nothing.
        unsafe { self.command.pre_exec(prepare) };
        let mut child = self.command.spawn().unwrap_or_else(|error| panic!("cannot start the peer {}: {error}", self.name));
        live().push(child.id());
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("standard output is a pipe");
        Peer { name: self.name, child, stdin, stdout, unread: Vec::new(), other: String::new(), status: None }
    }
}

impl Peer {
    /// Starts this binary again as the test `name` (the whole path, as `--exact` wants it) with `args` in its environment.
    ///
    /// # Panics
    /// If the process cannot be started.
    pub fn spawn(name: &str, args: &[(&str, &str)]) -> Peer {
        args.iter().fold(Peer::builder(name), |builder, (key, value)| builder.arg(key, value)).start()
    }

    /// As [`Peer::spawn`], with more to say about it.
    pub fn builder<'a>(name: &str) -> Builder<'a> {
        let mut command = Command::new("/proc/self/exe");
        command.args([name, "--exact", "--include-ignored", "--nocapture", "--test-threads=1"]).env(ROLE, name).stdin(Stdio::piped()).stdout(Stdio::piped());
        Builder { name: name.to_owned(), command, fds: Vec::new(), life: Duration::from_secs(600) }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line the peer [`say`]s.
    ///
    /// # Panics
    /// If none comes within `timeout`, or the peer ends first; the message holds what it wrote instead.
    pub fn wait_line(&mut self, timeout: Duration) -> String {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(line) = self.next_line() {
                return line;
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                panic!("the peer {} said nothing within {timeout:?}; it wrote:\n{}", self.name, self.other)
            };
            if !readable(&self.stdout, left) {
                continue;
            }
            let mut piece = [0; 4096];
            let count = self.stdout.read(&mut piece).expect("the pipe from the peer");
            if count == 0 {
                let status = self.wait(timeout);
                panic!("the peer {} ended ({status}) without a word; it wrote:\n{}", self.name, self.other)
            }
            self.unread.extend_from_slice(&piece[..count]);
        }
    }

    /// Waits for the next line and checks that it is `line`.
    ///
    /// # Panics
    /// If it is not, or as [`Peer::wait_line`].
    pub fn expect(&mut self, line: &str, timeout: Duration) {
        let said = self.wait_line(timeout);
        assert_eq!(said, line, "what the peer {} said", self.name);
    }

    /// Sends one line, which the peer reads by [`hear`]. A peer that is gone hears nothing; that is no error here.
    pub fn send(&mut self, line: &str) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(format!("{line}\n").as_bytes());
        }
    }

    /// Kills it with SIGKILL and reaps it. Nothing happens if it has ended already.
    pub fn kill(&mut self) -> ExitStatus {
        if let Some(status) = self.status {
            return status;
        }
        let _ = self.child.kill();
        let status = self.child.wait().expect("a child of this process");
        self.ended(status)
    }

    /// Stops it (SIGSTOP), as a machine that swaps or a debugger would; [`Peer::resume`] lets it go on.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a stopped peer go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits for its end and reaps it.
    ///
    /// # Panics
    /// If it is still running after `timeout` (it is killed by the drop that follows).
    pub fn wait(&mut self, timeout: Duration) -> ExitStatus {
        if let Some(status) = self.status {
            return status;
        }
        // Closed, so that a parked peer ends; a child that is not reaped keeps its id, so the pidfd is surely its own.
        drop(self.stdin.take());
        let pidfd = pidfd_open(self.raw_pid(), PidfdFlags::empty()).expect("a descriptor for a child");
        assert!(readable(&pidfd, timeout), "the peer {} is still running after {timeout:?}", self.name);
        let status = self.child.wait().expect("a child of this process");
        self.ended(status)
    }

    fn next_line(&mut self) -> Option<String> {
        while let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.unread.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            match line.strip_prefix(SAID) {
                Some(said) => return Some(said.to_owned()),
                None if line.is_empty() => {}
                None => {
                    self.other.push_str(&line);
                    self.other.push('\n');
                }
            }
        }
        None
    }

    fn raw_pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            kill_process(self.raw_pid(), signal).expect("a child that is not reaped can be signalled");
        }
    }

    fn ended(&mut self, status: ExitStatus) -> ExitStatus {
        live().retain(|&pid| pid != self.child.id());
        self.status = Some(status);
        status
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The peers of this process that are not reaped.
static LIVE: Mutex<Vec<u32>> = Mutex::new(Vec::new());

fn live() -> std::sync::MutexGuard<'static, Vec<u32>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills every peer of this process, which is about to abort.
pub(crate) fn kill_all() -> Vec<u32> {
    let pids = live().clone();
    for pid in &pids {
        if let Some(pid) = Pid::from_raw(*pid as i32) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    pids
}

/// Whether `fd` has something to read (or its end) within `timeout`.
pub(crate) fn readable(fd: &impl std::os::fd::AsFd, timeout: Duration) -> bool {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = left.try_into().expect("a time-out that the kernel understands");
        match poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&left)) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("poll: {error}"),
        }
    }
}

/// In the new process, before exec: puts each descriptor under its number, first out of the way of all the numbers.
fn hand_over(pairs: &[(RawFd, RawFd)], moved: &mut [RawFd]) -> std::io::Result<()> {
    let above = pairs.iter().map(|&(_, number)| number).max().unwrap_or(0) + 1;
    for (&(fd, _), moved) in pairs.iter().zip(moved.iter_mut()) {
        // SAFETY: the descriptor is borrowed by the builder, so it is open; the copy is closed by exec.
        *moved = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, above) };
        if *moved < 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    for (&(_, number), &moved) in pairs.iter().zip(moved.iter()) {
        // SAFETY: both are plain numbers of this new process; whatever stood at `number` was to be closed by exec.
        if unsafe { libc::dup2(moved, number) } < 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(())
}
