//! How much memory a process has of its own, and whether the kernel killed for lack of memory. Reads procfs, and knows no pool.

use std::fs::File;
use std::io::{Read, Seek};
use std::time::{Duration, Instant};

use rustix::param::page_size;

/// Bytes of memory that process `pid` has in use and shares with nobody: resident without shared pages.
///
/// The fabric is shared memory: counted, every worker would seem to hold what is one and the same memory. `None` if the process is gone.
pub(crate) fn own_bytes(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    // All zero of a process that has ended and was not collected.
    parse(&text).filter(|&bytes| bytes > 0)
}

/// The pages `resident - shared` of a line of `statm`, in bytes.
fn parse(text: &str) -> Option<u64> {
    let mut fields = text.split_ascii_whitespace().skip(1);
    let (resident, shared): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    resident.saturating_sub(shared).checked_mul(page_size() as u64)
}

/// Looks at this process's own memory, now and then.
#[derive(Debug)]
pub(crate) struct Gauge {
    limit: u64,
    statm: Option<File>,
    looked: Instant,
    over: bool,
    text: String,
}

impl Gauge {
    /// No oftener than that: a look is a system call, and a call of a task may be shorter.
    const PAUSE: Duration = Duration::from_millis(1);

    pub(crate) fn new(limit: u64) -> Gauge {
        Gauge { limit, statm: File::open("/proc/self/statm").ok(), looked: Instant::now(), over: false, text: String::new() }
    }

    /// Whether the last look saw more than the limit; looks anew if it is time.
    pub(crate) fn is_over(&mut self) -> bool {
        if self.looked.elapsed() >= Gauge::PAUSE {
            self.looked = Instant::now();
            self.over = self.read().is_some_and(|bytes| bytes > self.limit);
        }
        self.over
    }

    fn read(&mut self) -> Option<u64> {
        let file = self.statm.as_mut()?;
        self.text.clear();
        file.rewind().ok()?;
        file.read_to_string(&mut self.text).ok()?;
        parse(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_does_not_count() {
        let page = page_size() as u64;
        assert_eq!(parse("1000 300 100 5 0 123 0\n"), Some(200 * page));
        assert_eq!(parse("1000 100 300 5 0 123 0\n"), Some(0));
        assert_eq!(parse("1000 300"), None);
        assert_eq!(parse("1000 many 100"), None);
        assert_eq!(own_bytes(u32::MAX), None);
    }

    #[test]
    fn a_gauge_sees_what_this_process_takes() {
        let before = own_bytes(std::process::id()).unwrap();
        let mut gauge = Gauge::new(before + (24 << 20));
        std::thread::sleep(Gauge::PAUSE);
        assert!(!gauge.is_over());
        let block = vec![1_u8; 64 << 20];
        std::thread::sleep(Gauge::PAUSE);
        assert!(gauge.is_over());
        assert_eq!(block.len(), 64 << 20);
    }
}
