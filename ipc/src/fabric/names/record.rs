//! What a name file says, as text: one header and one record per member, each a line of 128 bytes.
//!
//! Knows bytes and processes; opens nothing but procfs. Every record is written by one write that lies within one page, so a process killed at it
//! has written all or nothing. What is not a record reads as an empty place, whatever it is.

use std::fmt::Write as _;
use std::fs;
use std::os::fd::RawFd;

use super::Backing;
use crate::error::{Error, ErrorKind, Result};
use crate::sys;

/// Bytes of a record, its line end included.
pub(super) const RECORD: usize = 128;

const VERSION: &str = "1";

/// The first record: where the memory is, and which file it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) backing: Backing,
    /// Device and inode of the memory.
    pub(super) identity: (u64, u64),
    /// The fabric's id.
    pub(super) id: [u8; 16],
    /// The boot of the machine in which this was written; empty where the system does not tell.
    pub(super) boot: String,
}

/// What stands where the header should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum First {
    Header(Header),
    /// A header of another version of this library, named here.
    Foreign(String),
    Nonsense,
}

impl Header {
    pub(super) fn to_record(&self) -> [u8; RECORD] {
        let Header { backing, identity: (device, inode), id, boot } = self;
        let backing = match backing {
            Backing::Memory => "memory",
            Backing::File => "file",
        };
        let mut id_text = String::new();
        for byte in id {
            write!(id_text, "{byte:02x}").expect("writing to a string");
        }
        pad(format!("polyproc {VERSION} {backing} {device} {inode} {id_text} {boot}"))
    }

    pub(super) fn parse(record: &[u8]) -> First {
        let Some(line) = line(record) else { return First::Nonsense };
        match line.strip_prefix("polyproc ").and_then(|rest| rest.split(' ').next()) {
            Some(VERSION) => Header::parse_fields(line).map_or(First::Nonsense, First::Header),
            Some(version) if !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()) => First::Foreign(version.to_owned()),
            _ => First::Nonsense,
        }
    }

    fn parse_fields(line: &str) -> Option<Header> {
        let mut words = line.split(' ').skip(2);
        let backing = match words.next()? {
            "memory" => Backing::Memory,
            "file" => Backing::File,
            _ => return None,
        };
        let identity = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let text = words.next().filter(|text| text.len() == 32 && text.is_ascii())?;
        let mut id = [0; 16];
        for (i, byte) in id.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[i * 2..][..2], 16).ok()?;
        }
        let boot = words.next().unwrap_or("").to_owned();
        words.next().is_none().then_some(Header { backing, identity, id, boot })
    }
}

/// A member's record: the process, and the descriptor by which it holds the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) process: Process,
    pub(super) descriptor: RawFd,
}

impl Holder {
    pub(super) fn to_record(self) -> [u8; RECORD] {
        let Holder { process: Process { pid, start, namespace }, descriptor } = self;
        pad(format!("member {pid} {start} {namespace} {descriptor}"))
    }

    pub(super) fn parse(record: &[u8]) -> Option<Holder> {
        let mut words = line(record)?.strip_prefix("member ")?.split(' ');
        let pid = words.next()?.parse().ok().filter(|&pid| pid > 0)?;
        let (start, namespace) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let descriptor = words.next()?.parse().ok().filter(|&descriptor| descriptor >= 0)?;
        words.next().is_none().then_some(Holder { process: Process { pid, start, namespace }, descriptor })
    }
}

/// An empty place, to be used again.
pub(super) fn empty_record() -> [u8; RECORD] {
    pad(String::new())
}

/// A process, such that no other is ever taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// In clock ticks since boot.
    pub(super) start: u64,
    /// Inode of the pid namespace in which `pid` means something.
    pub(super) namespace: u64,
}

impl Process {
    /// This process.
    pub(super) fn current() -> Result<Process> {
        let pid = std::process::id();
        let shown = fs::read_link("/proc/self").ok().and_then(|link| link.to_str()?.parse().ok());
        let start = sys::start_time(pid);
        match rustix::fs::stat("/proc/self/ns/pid") {
            Ok(stat) if shown == Some(pid) && start != 0 => Ok(Process { pid, start, namespace: stat.st_ino }),
            _ => Err(Error::new(ErrorKind::Unsupported, "named fabrics need /proc, and /proc is not mounted for this process's pid namespace; mount it")),
        }
    }

    /// Whether the process has not ended, as far as `here`, of the same pid namespace, can see. A zombie has not ended for this purpose: whether it
    /// still holds anything shows in its descriptors.
    pub(super) fn lives(self, here: Process) -> Life {
        if self.namespace != here.namespace {
            return Life::Unknown;
        }
        if sys::start_time(self.pid) == self.start { Life::Lives } else { Life::Ended }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Lives,
    Ended,
    /// In a pid namespace that cannot be looked into from here.
    Unknown,
}

/// What tells this boot of the machine from all others; empty where the system does not tell.
pub(super) fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.chars().filter(char::is_ascii_hexdigit).take(32).collect()
}

fn pad(mut line: String) -> [u8; RECORD] {
    assert!(line.len() < RECORD, "a record's fields are bounded");
    line.extend(std::iter::repeat_n(' ', RECORD - 1 - line.len()));
    line.push('\n');
    line.as_bytes().try_into().expect("a record's length")
}

/// The text of a whole record without its padding.
fn line(record: &[u8]) -> Option<&str> {
    if record.len() != RECORD {
        return None;
    }
    std::str::from_utf8(record.strip_suffix(b"\n")?).ok().map(|text| text.trim_end_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(backing: Backing) -> Header {
        Header { backing, identity: (u64::MAX, u64::MAX), id: *b"0123456789abcdef", boot: "f".repeat(32) }
    }

    #[test]
    fn records_come_back_also_at_their_longest() {
        for backing in [Backing::Memory, Backing::File] {
            assert_eq!(Header::parse(&header(backing).to_record()), First::Header(header(backing)));
        }
        let unknown_boot = Header { boot: String::new(), ..header(Backing::File) };
        assert_eq!(Header::parse(&unknown_boot.to_record()), First::Header(unknown_boot));
        let holder = Holder { process: Process { pid: u32::MAX, start: u64::MAX, namespace: u64::MAX }, descriptor: RawFd::MAX };
        assert_eq!(Holder::parse(&holder.to_record()), Some(holder));
        assert_eq!(Holder::parse(&empty_record()), None);
    }

    #[test]
    fn another_version_is_seen_as_one() {
        assert_eq!(Header::parse(&pad("polyproc 2 whatever".into())), First::Foreign("2".into()));
        assert_eq!(Header::parse(&pad("polyproc two".into())), First::Nonsense);
    }

    #[test]
    fn nonsense_is_never_a_record() {
        for text in ["", "member", "member 1 2 3", "member 0 2 3 4", "member 1 2 3 -4", "member 1 2 3 4 5", "member -1 2 3 4", "membér 1 2 3 4"] {
            assert_eq!(Holder::parse(&pad(text.into())), None, "{text}");
        }
        for text in ["", "polyproc", "polyproc ", "polyproc 1", "polyproc 1 memory 1 2", "polyproc 1 disk 1 2 00", "polyproc 1 file 1 2 zz"] {
            assert_eq!(Header::parse(&pad(text.into())), First::Nonsense, "{text}");
        }
        let good = header(Backing::Memory).to_record();
        for len in 0..RECORD {
            assert_eq!(Header::parse(&good[..len]), First::Nonsense);
        }
        assert_eq!(Header::parse(&[0xff; RECORD]), First::Nonsense);
        assert_eq!(Holder::parse(&[0; RECORD]), None);
    }

    #[test]
    fn this_process_lives_and_an_older_one_of_its_number_does_not() {
        let me = Process::current().unwrap();
        assert_eq!(me.lives(me), Life::Lives);
        assert_eq!(Process { start: me.start - 1, ..me }.lives(me), Life::Ended);
        assert_eq!(Process { namespace: 1, ..me }.lives(me), Life::Unknown);
    }
}
