//! The few facts about processes that the testkit reads from procfs. Read-only, and no process is ever signalled here.

use std::fs;

/// One process as `/proc/<pid>/stat` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: u32,
    pub(crate) name: String,
    /// `R` running, `S` asleep, `D` in the kernel, `Z` ended and not reaped, `t` stopped by a tracer.
    pub(crate) state: char,
    pub(crate) parent: u32,
}

/// The process `pid`, or `None` if there is none.
pub(crate) fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// All process ids that procfs lists.
pub(crate) fn pids() -> Vec<u32> {
    let Ok(dir) = fs::read_dir("/proc") else { return Vec::new() };
    dir.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// How many threads this process has.
pub(crate) fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// Where `address` lies in this process: the mapped file and the offset in it, as `addr2line` wants them.
pub(crate) fn place(address: u64) -> String {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (Some(range), Some(offset)) = (words.next(), words.nth(1)) else { continue };
        let Some((from, to)) = range.split_once('-') else { continue };
        let hex = |text: &str| u64::from_str_radix(text, 16).unwrap_or(0);
        if (hex(from)..hex(to)).contains(&address) {
            let file = words.nth(2).unwrap_or("anonymous memory");
            let file = file.rsplit('/').next().unwrap_or(file);
            // What `addr2line` takes is the address in the file's own numbering, which starts at the first mapping of the file.
            let base = base_of(&maps, line.split_whitespace().nth(5)).unwrap_or(hex(from) - hex(offset));
            return format!("{file}+{:#x}", address - base);
        }
    }
    format!("{address:#x}")
}

fn base_of(maps: &str, file: Option<&str>) -> Option<u64> {
    let first = maps.lines().find(|line| line.split_whitespace().nth(5) == file)?;
    u64::from_str_radix(first.split_once('-')?.0, 16).ok()
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name stands in parentheses and may itself contain both spaces and parentheses.
    let (open, close) = (text.find('(')?, text.rfind(')')?);
    let mut rest = text.get(close + 1..)?.split_whitespace();
    Some(Stat {
        pid: text.get(..open)?.trim().parse().ok()?,
        name: text.get(open + 1..close)?.to_owned(),
        state: rest.next()?.chars().next()?,
        parent: rest.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_is_read_whole() {
        let stat = parse_stat("12 (a) b (c) S 7 12 12 0").unwrap();
        assert_eq!(stat, Stat { pid: 12, name: "a) b (c".into(), state: 'S', parent: 7 });
    }

    #[test]
    fn own_process_is_found() {
        let stat = stat(std::process::id()).unwrap();
        assert_eq!(stat.pid, std::process::id());
        assert!(pids().contains(&stat.pid));
        assert!(threads() >= 1);
    }

    #[test]
    fn code_is_placed_in_its_file() {
        let place = place(parse_stat as *const () as u64);
        let exe = std::env::current_exe().unwrap();
        assert!(place.starts_with(exe.file_name().unwrap().to_str().unwrap()), "{place}");
    }
}
