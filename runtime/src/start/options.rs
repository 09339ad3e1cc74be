//! What the user may choose for any process that is started, whatever it runs and however it starts, and the checks of it.
//!
//! What can be told beforehand is told here, in a sentence that names it: the system's answer would not say which of the many things was missing.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use serde::{Deserialize, Serialize};

use super::{Stdio, VARIABLE, tail};
use crate::error::{Error, ErrorKind, Result};

/// What was chosen.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) name: Option<String>,
    pub(crate) daemon: bool,
    pub(crate) outlives: bool,
    pub(crate) group: bool,
    pub(crate) environment: Environment,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) stdio: [Stdio; 3],
    /// So many of the last bytes of its standard error are kept.
    pub(crate) tail: u32,
}

impl Options {
    /// As a task has it: an empty input, this process's output and error.
    pub(crate) fn for_task() -> Options {
        Options::with([Stdio::Null, Stdio::Inherit, Stdio::Inherit])
    }

    /// As a command has it: all three streams are this process's.
    pub(crate) fn for_command() -> Options {
        Options::with([Stdio::Inherit, Stdio::Inherit, Stdio::Inherit])
    }

    fn with(stdio: [Stdio; 3]) -> Options {
        Options { name: None, daemon: false, outlives: false, group: false, environment: Environment::default(), directory: None, stdio, tail: 0 }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.daemon && self.outlives {
            return Err(Error::argument("a process cannot be a daemon, which ends with its parent, and outlive it"));
        }
        if self.tail > 0 {
            self.check_tail()?;
        }
        self.environment.check()?;
        self.directory.as_deref().map_or(Ok(()), check_directory)
    }
}

impl Options {
    fn check_tail(&self) -> Result<()> {
        if self.tail > tail::MOST {
            return Err(Error::argument(format!("capture_stderr keeps at most {} bytes", tail::MOST)));
        }
        if !matches!(self.stdio[2], Stdio::Inherit | Stdio::Null) {
            return Err(Error::argument(
                "standard error that leads elsewhere is for whoever reads it there: capture_stderr goes with Stdio::Inherit and Stdio::Null",
            ));
        }
        if rustix::process::getrlimit(rustix::process::Resource::Fsize).current.is_some() {
            return Err(Error::argument(
                "capture_stderr keeps what is written in a file in memory, and this process has a limit for the size of files (`ulimit -f`)",
            ));
        }
        Ok(())
    }
}

/// Changes of the environment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Environment {
    clear: bool,
    /// By name, as bytes; none: removed.
    changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Environment {
    pub(crate) fn set(&mut self, name: &OsStr, value: &OsStr) {
        self.changes.insert(name.as_bytes().to_vec(), Some(value.as_bytes().to_vec()));
    }

    pub(crate) fn remove(&mut self, name: &OsStr) {
        self.changes.insert(name.as_bytes().to_vec(), None);
    }

    /// Nothing of this process's environment, and nothing of what was said before.
    pub(crate) fn clear(&mut self) {
        self.clear = true;
        self.changes.clear();
    }

    pub(super) fn is_kept(&self) -> bool {
        !self.clear && self.changes.is_empty()
    }

    fn check(&self) -> Result<()> {
        for (name, value) in &self.changes {
            let shown = String::from_utf8_lossy(name);
            if name.is_empty() || name.contains(&b'=') || name.contains(&0) {
                return Err(Error::argument(format!("'{shown}' cannot be the name of an environment variable: it is empty, or contains '=' or a zero byte")));
            }
            if value.as_ref().is_some_and(|value| value.contains(&0)) {
                return Err(Error::argument(format!("the environment variable '{shown}' cannot have a value with a zero byte")));
            }
        }
        Ok(())
    }

    /// What this process's environment becomes: names and values.
    pub(super) fn changed(&self) -> Vec<(OsString, OsString)> {
        let own = std::env::vars_os().filter(|(name, _)| name != VARIABLE && !self.clear && !self.changes.contains_key(name.as_bytes()));
        let new = self.changes.iter().filter(|(name, _)| name.as_slice() != VARIABLE.as_bytes());
        let new = new.filter_map(|(name, value)| Some((OsString::from_vec(name.clone()), OsString::from_vec(value.clone()?))));
        own.chain(new).collect()
    }

    /// The same as a program takes it, with `call` in it.
    pub(super) fn strings(&self, call: &str) -> Vec<CString> {
        let entry = |name: &OsStr, value: &OsStr| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok();
        let changed = self.changed();
        let changed = changed.iter().filter_map(|(name, value)| entry(name, value));
        changed.chain(entry(VARIABLE.as_ref(), call.as_ref())).collect()
    }
}

fn check_directory(path: &Path) -> Result<()> {
    let shown = path.display();
    let refused = |errno| {
        let source = polyproc_ipc::Error::os(errno, "current_dir");
        Error::because(ErrorKind::SpawnFailed, format!("a process cannot start in {shown}"), source)
    };
    if path.as_os_str().as_bytes().contains(&0) {
        return Err(Error::argument("the path of a current_dir cannot contain a zero byte"));
    }
    let stat = rustix::fs::stat(path).map_err(refused)?;
    if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir() {
        return Err(refused(rustix::io::Errno::NOTDIR));
    }
    access(path, Access::EXEC_OK).map_err(refused)
}

/// The file that a program's name leads to: as it is if it has a slash (seen from this process's directory), else the first of that name in this process's `PATH`.
/// Checked, as far as that can be told before: it exists, is a file, and may be executed.
pub(crate) fn find_program(name: &OsStr) -> Result<PathBuf> {
    if name.is_empty() || name.as_bytes().contains(&0) {
        return Err(Error::argument("the path of a program cannot be empty or contain a zero byte"));
    }
    if name.as_bytes().contains(&b'/') {
        let path = std::path::absolute(name).unwrap_or_else(|_| PathBuf::from(name));
        return executable(&path).map(|()| path).map_err(|errno| {
            let source = polyproc_ipc::Error::os(errno, "program");
            Error::because(ErrorKind::SpawnFailed, format!("cannot start a process of {}", Path::new(name).display()), source)
        });
    }
    let places = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/bin:/usr/bin"));
    let mut best = rustix::io::Errno::NOENT;
    for place in std::env::split_paths(&places) {
        // An empty entry is the current directory, as for every shell.
        let path = if place.as_os_str().is_empty() { PathBuf::from(".") } else { place }.join(name);
        match executable(&path) {
            Ok(()) => return Ok(std::path::absolute(&path).unwrap_or(path)),
            Err(rustix::io::Errno::ACCESS) => best = rustix::io::Errno::ACCESS,
            Err(_) => {}
        }
    }
    let source = polyproc_ipc::Error::os(best, "search in PATH");
    Err(Error::because(ErrorKind::SpawnFailed, format!("cannot start a process of '{}'", Path::new(name).display()), source))
}

fn executable(path: &Path) -> std::result::Result<(), rustix::io::Errno> {
    let stat = rustix::fs::stat(path)?;
    match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
        rustix::fs::FileType::Directory => Err(rustix::io::Errno::ISDIR),
        rustix::fs::FileType::RegularFile => access(path, Access::EXEC_OK),
        _ => Err(rustix::io::Errno::ACCESS),
    }
}

/// The methods that every builder of a process has.
macro_rules! shared_options {
    ($builder:ident) => {
        impl $builder {
            /// The process's name, for messages and for you; it is [`current`](crate::current)`().name()` there.
            pub fn name(mut self, name: impl Into<String>) -> $builder {
                self.options.name = Some(name.into());
                self
            }

            /// Whether the process is a daemon. When this process ends normally (by returning from `main` or `std::process::exit`), it asks its daemons to end (SIGTERM) and gives
            /// them a second, where others end at once. A daemon may not start processes of its own.
            pub fn daemon(mut self, daemon: bool) -> $builder {
                self.options.daemon = daemon;
                self
            }

            /// Whether the process goes on when this one ends. Without it, it ends with this process, however that ends.
            pub fn outlive(mut self, outlive: bool) -> $builder {
                self.options.outlives = outlive;
                self
            }

            /// Whether the process leads a process group of its own. Ctrl-C of the terminal does not reach it then, and a
            /// [tree](crate::Process::terminate_tree_within) that stays in the group is ended in one step.
            pub fn own_group(mut self, own: bool) -> $builder {
                self.options.group = own;
                self
            }

            /// Sets a variable of the process's environment.
            pub fn env(mut self, name: impl AsRef<std::ffi::OsStr>, value: impl AsRef<std::ffi::OsStr>) -> $builder {
                self.options.environment.set(name.as_ref(), value.as_ref());
                self
            }

            /// Sets variables of the process's environment.
            pub fn envs<N: AsRef<std::ffi::OsStr>, V: AsRef<std::ffi::OsStr>>(mut self, variables: impl IntoIterator<Item = (N, V)>) -> $builder {
                for (name, value) in variables {
                    self.options.environment.set(name.as_ref(), value.as_ref());
                }
                self
            }

            /// Leaves a variable out of the process's environment.
            pub fn env_remove(mut self, name: impl AsRef<std::ffi::OsStr>) -> $builder {
                self.options.environment.remove(name.as_ref());
                self
            }

            /// Leaves all of this process's environment out; what is set after this is in it.
            pub fn env_clear(mut self) -> $builder {
                self.options.environment.clear();
                self
            }

            /// The directory that the process starts in. The program's own path is seen from this process's directory.
            pub fn current_dir(mut self, directory: impl Into<std::path::PathBuf>) -> $builder {
                self.options.directory = Some(directory.into());
                self
            }

            /// Where its standard input leads.
            pub fn stdin(mut self, stdin: impl Into<crate::Stdio>) -> $builder {
                self.options.stdio[0] = stdin.into();
                self
            }

            /// Where its standard output leads.
            pub fn stdout(mut self, stdout: impl Into<crate::Stdio>) -> $builder {
                self.options.stdio[1] = stdout.into();
                self
            }

            /// Where its standard error leads.
            pub fn stderr(mut self, stderr: impl Into<crate::Stdio>) -> $builder {
                self.options.stdio[2] = stderr.into();
                self
            }
        }
    };
}
pub(crate) use shared_options;
