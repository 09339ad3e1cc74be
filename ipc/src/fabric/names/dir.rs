//! The runtime directory: where it is, and that nobody but this user can have put anything into it.
//!
//! Knows files and who owns them; what is in them is not its concern. The directory is checked once, through a descriptor, and every file is
//! then opened through that descriptor, so that nobody can put another directory in its place in between.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result};

/// An open runtime directory.
pub(super) struct RuntimeDir {
    fd: OwnedFd,
    path: PathBuf,
}

impl RuntimeDir {
    /// Opens the directory at `path`, and makes it (mode 0700) if there is none.
    pub(super) fn open(path: PathBuf) -> Result<RuntimeDir> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::open(&path, flags, Mode::empty());
        let opened = match open() {
            Err(Errno::NOENT) => match rustix::fs::mkdir(&path, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => open(),
                Err(errno) => Err(errno),
            },
            other => other,
        };
        let refuse = |why: String| {
            let path = path.display();
            Err(Error::new(ErrorKind::NotOwner, format!("runtime directory {path} {why}; or set POLYPROC_DIR to another directory")))
        };
        let fd = match opened {
            Ok(fd) => fd,
            Err(Errno::NOTDIR | Errno::LOOP) => return refuse("is not a directory (a symbolic link is none): remove it".into()),
            Err(errno) => {
                let path = path.display();
                return Err(Error::os(errno, format_args!("opening runtime directory {path} (POLYPROC_DIR may name another directory)")));
            }
        };
        let stat = rustix::fs::fstat(&fd).map_err(|errno| Error::os(errno, "looking at the runtime directory"))?;
        let me = rustix::process::geteuid().as_raw();
        if stat.st_uid != me {
            return refuse(format!("belongs to user {} and this process is user {me}: have it removed", stat.st_uid));
        }
        if stat.st_mode & 0o077 != 0 {
            return refuse(format!("is open to other users (mode {:o}): make its mode 0700", stat.st_mode & 0o7777));
        }
        Ok(RuntimeDir { fd, path })
    }

    /// The path of a file, for sentences.
    pub(super) fn path_of(&self, file: &str) -> PathBuf {
        self.path.join(file)
    }

    /// Opens a file to read and write; none if there is none. Refuses what is no regular file of this user.
    pub(super) fn open_file(&self, file: &str, extra: OFlags) -> Result<Option<OwnedFd>> {
        let refuse = |why: &str| {
            let path = self.path_of(file);
            Err(Error::new(ErrorKind::NotOwner, format!("{} {why}; remove it", path.display())))
        };
        // Not blocking, in case that a pipe stands there: it is opened, seen and refused.
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | extra;
        let fd = match rustix::fs::openat(&self.fd, file, flags, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => return refuse("is not a regular file"),
            Err(errno) => return Err(Error::os(errno, format_args!("opening {}", self.path_of(file).display()))),
        };
        let stat = rustix::fs::fstat(&fd).map_err(|errno| Error::os(errno, format_args!("looking at {}", self.path_of(file).display())))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return refuse("is not a regular file");
        }
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return refuse("belongs to another user");
        }
        Ok(Some(fd))
    }

    /// Whether the file that is open as `fd` is still the one of this name.
    pub(super) fn is_linked(&self, file: &str, fd: BorrowedFd<'_>) -> bool {
        let there = rustix::fs::statat(&self.fd, file, AtFlags::SYMLINK_NOFOLLOW);
        let here = rustix::fs::fstat(fd);
        matches!((there, here), (Ok(there), Ok(here)) if identity(&there) == identity(&here))
    }

    /// Removes a file; one that is not there is removed already.
    pub(super) fn remove(&self, file: &str) -> Result<()> {
        match rustix::fs::unlinkat(&self.fd, file, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(Error::os(errno, format_args!("removing {}", self.path_of(file).display()))),
        }
    }

    /// The names of all files that are text.
    pub(super) fn files(&self) -> Result<Vec<String>> {
        let failed = |errno| Error::os(errno, format_args!("listing runtime directory {}", self.path.display()));
        let mut files = Vec::new();
        for entry in Dir::read_from(self.fd.as_fd()).map_err(failed)? {
            files.extend(entry.map_err(failed)?.file_name().to_str().ok().map(str::to_owned));
        }
        Ok(files)
    }
}

/// Device and inode.
pub(super) fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

/// Where this user's runtime directory is. `environment` answers as `std::env::var_os` does.
pub(super) fn runtime_path(environment: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf> {
    let set = |key| environment(key).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = set("POLYPROC_DIR") {
        if path.is_absolute() {
            return Ok(path);
        }
        return Err(Error::new(ErrorKind::InvalidArgument, format!("POLYPROC_DIR is '{}'; it must be an absolute path", path.display())));
    }
    let me = rustix::process::geteuid().as_raw();
    // Under `su` and `sudo` the variable may still name the directory of the user that one was.
    let mine = |path: &PathBuf| path.is_absolute() && rustix::fs::stat(path).is_ok_and(|stat| stat.st_uid == me && is_directory(&stat));
    if let Some(path) = set("XDG_RUNTIME_DIR").filter(mine) {
        return Ok(path.join("polyproc"));
    }
    let memory = Path::new("/dev/shm");
    let base = if is_writable_directory(memory).is_ok() { memory } else { Path::new("/tmp") };
    Ok(base.join(format!("polyproc-{me}")))
}

fn is_writable_directory(path: &Path) -> io::Result<()> {
    let stat = rustix::fs::stat(path)?;
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)?;
    if is_directory(&stat) { Ok(()) } else { Err(Errno::NOTDIR.into()) }
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}
