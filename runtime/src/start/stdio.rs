//! Where a process's standard streams lead. Knows descriptors, and no process.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;

use super::SAFE;
use super::tail::Tail;

/// Where a standard stream of a process leads. A task has an empty input and this process's output and error unless something else is chosen; a command has all three of
/// this process.
///
/// ```
/// use polyproc::{Process, Stdio};
/// use std::io::Read;
///
/// let echo = Process::command("echo").arg("hello").stdout(Stdio::Piped).start()?;
/// let mut text = String::new();
/// echo.take_stdout().unwrap().read_to_string(&mut text).unwrap();
/// assert_eq!(text, "hello\n");
/// assert!(echo.join()?.success());
/// # Ok::<(), polyproc::Error>(())
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Stdio {
    /// Nowhere: nothing to read, and what is written is gone.
    #[default]
    Null,
    /// Where this process's stream leads.
    Inherit,
    /// To this process, which takes its end from the handle: [`Process::take_stdin`](crate::Process::take_stdin) and so on.
    Piped,
    /// To this descriptor. It is closed here when the process was started.
    Descriptor(OwnedFd),
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Stdio {
        Stdio::Descriptor(fd)
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Stdio {
        Stdio::Descriptor(file.into())
    }
}

/// A child's three streams, ready to be given to it; none: as it is here. All are above the numbers that a start uses.
pub(super) type Streams = [Option<OwnedFd>; 3];

/// This process's ends of what was piped.
#[derive(Debug, Default)]
pub(crate) struct Pipes {
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
    /// What is kept of its standard error.
    pub(crate) tail: Option<Tail>,
}

/// Opens what was chosen.
pub(super) fn open(choices: [Stdio; 3]) -> Result<(Streams, Pipes), Errno> {
    let mut pipes = Pipes::default();
    let [stdin, stdout, stderr] = choices;
    let streams = [one(stdin, true, &mut pipes.stdin)?, one(stdout, false, &mut pipes.stdout)?, one(stderr, false, &mut pipes.stderr)?];
    Ok((streams, pipes))
}

fn one(choice: Stdio, reads: bool, ours: &mut Option<OwnedFd>) -> Result<Option<OwnedFd>, Errno> {
    Ok(match choice {
        Stdio::Inherit => None,
        Stdio::Null => {
            let flags = if reads { OFlags::RDONLY } else { OFlags::WRONLY };
            Some(above(rustix::fs::open(c"/dev/null", flags | OFlags::CLOEXEC, Mode::empty())?)?)
        }
        Stdio::Piped => {
            let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            let (theirs, kept) = if reads { (read, write) } else { (write, read) };
            *ours = Some(kept);
            Some(above(theirs)?)
        }
        Stdio::Descriptor(fd) => Some(above(fd)?),
    })
}

/// `fd`, or a copy of it, where a child's fixed descriptors cannot overwrite it.
pub(super) fn above(fd: OwnedFd) -> Result<OwnedFd, Errno> {
    use std::os::fd::AsRawFd;
    if fd.as_raw_fd() >= SAFE { Ok(fd) } else { rustix::io::fcntl_dupfd_cloexec(fd.as_fd(), SAFE) }
}
