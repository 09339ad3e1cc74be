//! How unrelated programs of one user find a named fabric, and what is left when they die.
//!
//! Knows files, descriptors and processes; what is in the memory is not its concern. There is no server: a name is a small file `<name>.fabric` in a
//! directory that only this user may enter, and the memory is reached through a living member's descriptor in procfs, or is itself a file
//! `<name>.memory` beside it.
//!
//! | file | idea |
//! | --- | --- |
//! | `dir` | the runtime directory and who may have written there |
//! | `record` | the text of a name file, and which process is meant |
//!
//! A name file is changed only under its lock (`flock`), which the kernel drops with its holder. What a kill of the holder leaves:
//!
//! | killed | left | who clears it |
//! | --- | --- | --- |
//! | after the lock, before `publish` is done | an empty file: the name is free | the next lock of the name, or `gc` |
//! | after `create_memory_file`, before `publish` is done | a memory file that no header names | the next maker, or `gc` |
//! | after `publish`, before its first `add_member` | a header without a living member: stale | the next maker, or `gc` |
//! | later, as a member | its record; the name is stale when it was the last | the next member takes the place; the next maker, or `gc` |
//! | in `remove_file` | the memory file is gone, the header names it still: stale | the next maker, or `gc` |

mod dir;
mod record;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result};
use crate::sys::{self, ChildClosed};
use dir::{RuntimeDir, identity};
use record::{First, Header, Holder, Life, Process, RECORD};

/// Bytes that a name may have.
pub(crate) const MAX_NAME: usize = 200;

/// Where the memory of a named fabric lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// In anonymous memory, which the kernel frees with the last member. It is reached through a living member's descriptor, so all must be of one user
    /// and in one pid namespace.
    Memory,
    /// In a file of the runtime directory (`POLYPROC_DIR`), for containers that share nothing but that directory. It takes the space of that file system,
    /// and if all members are killed it stays until the next maker of the name, or a collection of names, removes it.
    File,
}

/// What a name leads to.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing: the name is free.
    Absent,
    /// A fabric whose members have all ended.
    Stale,
    /// Anonymous memory that a living member holds.
    Memory(OwnedFd),
    /// A memory file that a living member has open.
    File(OwnedFd),
}

/// The runtime directory of this user.
pub(crate) struct NameDir(Arc<RuntimeDir>);

/// A name, locked against all other processes and threads. While one thread has it, it must not lock the same name again.
pub(crate) struct NameLock {
    dir: Arc<RuntimeDir>,
    name: String,
    /// A forked child must not keep it: the lock belongs to the opening, and would outlive its taker's death in the child.
    file: ChildClosed,
    linked: Cell<bool>,
}

/// How long a lock may stay with holders that change nothing. They need microseconds, so this is a stopped process.
const PATIENCE: Duration = Duration::from_secs(10);
/// The bytes of a memory file that its members lock, one each, for as long as they live.
const LIVENESS: (u64, u64) = (1 << 40, 1 << 16);
/// More records than a fabric has members: what stands behind them is not read.
const MAX_RECORDS: usize = 1 << 16;

/// This user's runtime directory, made and checked: nobody else can have put anything into it.
pub(crate) fn runtime_directory() -> Result<PathBuf> {
    let path = dir::runtime_path(|key| std::env::var_os(key))?;
    RuntimeDir::open(path.clone()).map(|_| path)
}

impl NameDir {
    /// Opens the runtime directory, and makes it if there is none: `POLYPROC_DIR`, else `polyproc` in `XDG_RUNTIME_DIR` if that is this user's, else
    /// `polyproc-<uid>` in `/dev/shm` or `/tmp`. [`ErrorKind::NotOwner`] if it is somebody else's or open to others.
    pub(crate) fn open() -> Result<NameDir> {
        NameDir::at(dir::runtime_path(|key| std::env::var_os(key))?)
    }

    fn at(path: PathBuf) -> Result<NameDir> {
        RuntimeDir::open(path).map(|dir| NameDir(Arc::new(dir)))
    }

    /// Locks a name, used or not. Waits for other lockers; [`ErrorKind::Timeout`] if one of them is stopped.
    pub(crate) fn lock(&self, name: &str) -> Result<NameLock> {
        self.lock_within(name, PATIENCE)
    }

    fn lock_within(&self, name: &str, patience: Duration) -> Result<NameLock> {
        check_name(name)?;
        let mut wait = Wait::new(patience);
        loop {
            let Some(file) = self.0.open_file(&fabric_file(name), OFlags::CREATE)? else {
                return Err(Error::os(Errno::NOENT, "making a name file: the runtime directory was removed meanwhile"));
            };
            let lock = NameLock { dir: Arc::clone(&self.0), name: name.to_owned(), file: ChildClosed::new(), linked: Cell::new(false) };
            lock.file.set(file);
            while !lock.try_flock()? {
                wait.nap(&lock)?;
            }
            // The holder before may have removed the file that we waited for.
            if self.0.is_linked(&fabric_file(name), lock.file()?) {
                lock.linked.set(true);
                return Ok(lock);
            }
        }
    }

    /// All names that have a file, in order.
    pub(crate) fn list(&self) -> Result<Vec<String>> {
        let files = self.0.files()?.into_iter();
        let mut names: Vec<String> = files.filter_map(|file| Some(file.strip_suffix(".fabric").or(file.strip_suffix(".memory"))?.to_owned())).collect();
        names.retain(|name| check_name(name).is_ok());
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Removes the files of names that no living member has; those names. Names that cannot be judged from here stay.
    pub(crate) fn gc(&self) -> Result<Vec<String>> {
        let mut removed = Vec::new();
        for name in self.list()? {
            let Ok(lock) = self.lock(&name) else { continue };
            if let Ok(Found::Absent | Found::Stale) = lock.find() {
                lock.remove_file()?;
                removed.push(name);
            }
        }
        Ok(removed)
    }
}

impl NameLock {
    /// What the name leads to. [`ErrorKind::Unreachable`] if a member may live where this process cannot reach it,
    /// [`ErrorKind::ForeignVersion`] if another version of this library wrote the file.
    pub(crate) fn find(&self) -> Result<Found> {
        let content = self.read()?;
        if content.is_empty() {
            return Ok(Found::Absent);
        }
        let Some(header) = self.header(&content)? else { return Ok(Found::Stale) };
        match header.backing {
            Backing::Memory => self.find_memory(&header, &content),
            Backing::File => self.find_file(&header),
        }
    }

    /// Makes the name lead to this memory. Whoever had the name before is forgotten, so [`NameLock::find`] must have found nobody.
    pub(crate) fn publish(&self, backing: Backing, identity: (u64, u64), id: [u8; 16]) -> Result<()> {
        if backing == Backing::Memory {
            self.dir.remove(&memory_file(&self.name))?;
        }
        rustix::fs::ftruncate(self.file()?, 0).map_err(|errno| self.failed(errno, "emptying"))?;
        self.write(0, &Header { backing, identity, id, boot: record::boot_id() }.to_record())
    }

    /// Lists this process as one that holds the memory by `descriptor`. If the name is free by now, or leads to other memory, nothing happens: whoever
    /// inherited the memory lives on without the name.
    pub(crate) fn add_member(&self, descriptor: RawFd) -> Result<()> {
        let content = self.read()?;
        if !self.leads_to(&content, descriptor)? {
            return Ok(());
        }
        let me = Holder { process: Process::current()?, descriptor };
        let mut place = content.len().div_ceil(RECORD);
        for (i, holder) in holders(&content) {
            match holder {
                Some(holder) if holder == me => return Ok(()),
                Some(holder) if holder.process.lives(me.process) != Life::Ended => {}
                _ => place = place.min(i),
            }
        }
        self.write(place, &me.to_record())
    }

    /// Takes this process's record for `descriptor` out. If nobody else has the name, its files go as well.
    pub(crate) fn remove_member(self, descriptor: RawFd) -> Result<()> {
        let content = self.read()?;
        if !self.leads_to(&content, descriptor)? {
            return Ok(());
        }
        let me = Holder { process: Process::current()?, descriptor };
        for (i, _) in holders(&content).filter(|(_, holder)| *holder == Some(me)) {
            self.write(i, &record::empty_record())?;
        }
        match self.find() {
            Ok(Found::Stale) => self.remove_file(),
            _ => Ok(()),
        }
    }

    /// Removes the name with its files. The lock ends with them.
    pub(crate) fn remove_file(self) -> Result<()> {
        self.unlink()
    }

    /// Makes the memory file of this name, empty. One that is there already is removed, so [`NameLock::find`] must have found nobody.
    pub(crate) fn create_memory_file(&self) -> Result<OwnedFd> {
        let file = memory_file(&self.name);
        self.dir.remove(&file)?;
        let made = self.dir.open_file(&file, OFlags::CREATE | OFlags::EXCL)?;
        made.ok_or_else(|| Error::os(Errno::NOENT, format_args!("making {}", self.dir.path_of(&file).display())))
    }

    fn find_memory(&self, header: &Header, content: &[u8]) -> Result<Found> {
        let here = Process::current()?;
        let mut out_of_reach = None;
        for holder in holders(content).filter_map(|(_, holder)| holder) {
            let pid = holder.process.pid;
            match holder.process.lives(here) {
                Life::Ended => {}
                Life::Lives => match open_through(holder, header.identity) {
                    Ok(Some(memory)) => return Ok(Found::Memory(memory)),
                    Ok(None) => {}
                    Err(errno) => out_of_reach = Some(format!("the descriptors of its member, process {pid}, cannot be opened ({errno})")),
                },
                // What was written before the machine last started has no living member.
                Life::Unknown if header.boot != record::boot_id() => {}
                Life::Unknown => out_of_reach = Some("its members are in another pid namespace (another container)".to_owned()),
            }
        }
        let Some(why) = out_of_reach else { return Ok(Found::Stale) };
        let (name, path) = (&self.name, self.dir.path_of(&fabric_file(&self.name)));
        let advice = "create it with Backing::File in a directory (POLYPROC_DIR) that all its members share";
        let sentence = format!("fabric '{name}' cannot be reached: {why}; {advice}, or remove {} if they have ended", path.display());
        Err(Error::new(ErrorKind::Unreachable, sentence))
    }

    fn find_file(&self, header: &Header) -> Result<Found> {
        let Some(memory) = self.dir.open_file(&memory_file(&self.name), OFlags::empty())? else { return Ok(Found::Stale) };
        let held = sys::identity(memory.as_fd())? == header.identity && sys::lock_range_held(memory.as_fd(), LIVENESS.0, LIVENESS.1)?;
        Ok(if held { Found::File(memory) } else { Found::Stale })
    }

    /// Whether the name leads to the memory behind this process's `descriptor`.
    fn leads_to(&self, content: &[u8], descriptor: RawFd) -> Result<bool> {
        let Some(header) = self.header(content)? else { return Ok(false) };
        let stat = rustix::fs::stat(format!("/proc/self/fd/{descriptor}"))
            .map_err(|errno| Error::os(errno, format_args!("looking at descriptor {descriptor} of fabric '{}' (is /proc mounted?)", self.name)))?;
        Ok(identity(&stat) == header.identity)
    }

    fn header(&self, content: &[u8]) -> Result<Option<Header>> {
        match Header::parse(content.get(..RECORD).unwrap_or(&[])) {
            First::Header(header) => Ok(Some(header)),
            First::Nonsense => Ok(None),
            First::Foreign(version) => {
                let path = self.dir.path_of(&fabric_file(&self.name));
                let sentence = format!("{} was written by another version of polyproc (format {version}); use that version, or another name", path.display());
                Err(Error::new(ErrorKind::ForeignVersion, sentence))
            }
        }
    }

    fn file(&self) -> Result<BorrowedFd<'_>> {
        self.file.get().ok_or_else(|| Error::new(ErrorKind::Gone, format!("the lock of the name '{}' was taken before a fork; take it anew", self.name)))
    }

    fn try_flock(&self) -> Result<bool> {
        match rustix::fs::flock(self.file()?, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(false),
            Err(errno) => Err(self.failed(errno, "locking")),
        }
    }

    fn read(&self) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let mut part = [0; 32 * RECORD];
        while content.len() < MAX_RECORDS * RECORD {
            match rustix::io::pread(self.file()?, &mut part, content.len() as u64) {
                Ok(0) => break,
                Ok(got) => content.extend_from_slice(&part[..got]),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(self.failed(errno, "reading")),
            }
        }
        Ok(content)
    }

    fn write(&self, place: usize, record: &[u8; RECORD]) -> Result<()> {
        loop {
            match rustix::io::pwrite(self.file()?, record, (place * RECORD) as u64) {
                Ok(RECORD) => return Ok(()),
                Ok(_) => return Err(self.failed(Errno::NOSPC, "writing")),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(self.failed(errno, "writing")),
            }
        }
    }

    /// The memory file goes first: a memory file without a name file would be found by nobody.
    fn unlink(&self) -> Result<()> {
        self.dir.remove(&memory_file(&self.name))?;
        self.dir.remove(&fabric_file(&self.name))?;
        self.linked.set(false);
        Ok(())
    }

    fn failed(&self, errno: Errno, doing: &str) -> Error {
        Error::os(errno, format_args!("{doing} {}", self.dir.path_of(&fabric_file(&self.name)).display()))
    }
}

impl Drop for NameLock {
    fn drop(&mut self) {
        let Some(file) = self.file.get() else { return };
        // A lock that made the file and published nothing leaves nothing.
        if self.linked.get() && rustix::fs::fstat(file).is_ok_and(|stat| stat.st_size == 0) {
            let _ = self.unlink();
        }
        let _ = rustix::fs::flock(file, FlockOperation::Unlock);
    }
}

/// Waiting for a name's lock. The kernel's own wait knows no time-out, so it is naps; the time counts anew whenever a holder changed the file.
struct Wait {
    patience: Duration,
    nap: Duration,
    seen: Option<(u64, i64, u64, i64)>,
    since: Instant,
}

impl Wait {
    fn new(patience: Duration) -> Wait {
        Wait { patience, nap: Duration::from_micros(100), seen: None, since: Instant::now() }
    }

    fn nap(&mut self, lock: &NameLock) -> Result<()> {
        let stat = rustix::fs::fstat(lock.file()?).map_err(|errno| lock.failed(errno, "looking at"))?;
        let now = Some((stat.st_ino, stat.st_mtime as i64, stat.st_mtime_nsec as u64, stat.st_size as i64));
        if self.seen != now {
            self.seen = now;
            self.since = Instant::now();
        } else if self.since.elapsed() >= self.patience {
            let path = lock.dir.path_of(&fabric_file(&lock.name));
            let holder = holder_of(stat.st_ino).map_or("a process".to_owned(), |pid| format!("process {pid}"));
            let sentence = format!("{} is locked by {holder}, which does not go on (is it stopped?); let it go on or end it", path.display());
            return Err(Error::new(ErrorKind::Timeout, sentence));
        }
        std::thread::sleep(self.nap);
        self.nap = (self.nap * 2).min(Duration::from_millis(10));
        Ok(())
    }
}

/// The process that holds the `flock` of the file with this inode, for a sentence.
fn holder_of(inode: u64) -> Option<u32> {
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let ours = |line: &&str| line.contains(" FLOCK ") && line.contains(&format!(":{inode} ")) && !line.contains("->");
    locks.lines().find(ours)?.split_ascii_whitespace().nth(4)?.parse().ok()
}

/// Every place for a member's record behind the header, with what is in it.
fn holders(content: &[u8]) -> impl Iterator<Item = (usize, Option<Holder>)> {
    content.chunks(RECORD).enumerate().skip(1).map(|(i, record)| (i, Holder::parse(record)))
}

/// Opens the memory that `holder` has by its descriptor. None: it has it no longer.
fn open_through(holder: Holder, memory: (u64, u64)) -> Result<Option<OwnedFd>, Errno> {
    let pid = holder.process.pid;
    // The first thread of a process may have ended before the others; its own descriptors are gone then.
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let threads = threads.filter_map(|entry| entry.file_name().into_string().ok());
    for thread in std::iter::once(pid.to_string()).chain(threads) {
        let path = format!("/proc/{pid}/task/{thread}/fd/{}", holder.descriptor);
        // Looked at before it is opened: opening another file than the one meant might do something.
        let found = rustix::fs::stat(&path).and_then(|stat| {
            if identity(&stat) != memory {
                return Ok(None);
            }
            let fd = rustix::fs::open(&path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
            Ok((identity(&rustix::fs::fstat(&fd)?) == memory).then_some(fd))
        });
        match found {
            Err(Errno::NOENT | Errno::SRCH) => {}
            other => return other,
        }
    }
    Ok(None)
}

/// Says which rule a name breaks, if it breaks one.
fn check_name(name: &str) -> Result<()> {
    let rule = match name {
        "" => "it is empty".to_owned(),
        _ if name.len() > MAX_NAME => format!("it has {} bytes, and {MAX_NAME} are allowed", name.len()),
        _ if name.contains('/') => "it contains '/'".to_owned(),
        _ if name.contains(char::is_control) => "it contains a control character".to_owned(),
        _ if name.starts_with('.') => "it starts with '.'".to_owned(),
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::BadName, format!("{name:?} cannot be the name of a fabric: {rule}; choose another name")))
}

fn fabric_file(name: &str) -> String {
    format!("{name}.fabric")
}

fn memory_file(name: &str) -> String {
    format!("{name}.memory")
}
