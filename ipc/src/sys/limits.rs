//! How much memory and how many processors this process may use: the machine's, its cgroup's and its affinity's.
//!
//! Reads procfs and the cgroup file system; what cannot be read or understood sets no limit. Knows no fabric.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;
use std::thread;

const MIN_CAP: u64 = 16 << 20;
const CAP_STEP: u64 = 64 << 10;

/// How many bytes a fabric may grow to unless its maker says otherwise: the smaller of half the machine's memory and what the
/// memory cgroups of this process leave at the moment, 16 MiB at least, a multiple of 64 KiB.
pub(crate) fn default_cap() -> u64 {
    let half = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_memory(&text)).map(|total| total / 2);
    let headroom = Groups::of_this_process("memory").and_then(|groups| groups.smallest(memory_headroom));
    choose_cap(half, headroom)
}

/// How many processors this process may use at once: by affinity and by the quota of its cgroups, 1 at least.
///
/// A quota of two and a half processors is two.
pub fn available_cpus() -> usize {
    // The standard library asks for the affinity, and for quotas where the cgroup file system is at its usual place.
    let known = thread::available_parallelism().map_or(1, usize::from);
    let quota = Groups::of_this_process("cpu").and_then(|groups| groups.smallest(cpu_quota));
    quota.map_or(known, |quota| known.min(quota as usize)).max(1)
}

/// Whether another process may run beside this one: by the machine and by its cgroups, whatever this process's own affinity is. One that is pinned to a processor waits for
/// others that are pinned to others.
pub(crate) fn is_parallel() -> bool {
    let online = fs::read_to_string("/sys/devices/system/cpu/online").ok().and_then(|text| cpus_in(&text));
    let set = Groups::of_this_process("cpuset").and_then(|groups| groups.smallest(cpuset));
    let quota = Groups::of_this_process("cpu").and_then(|groups| groups.smallest(cpu_quota));
    let known = online.unwrap_or_else(|| thread::available_parallelism().map_or(1, |count| count.get() as u64));
    [Some(known), set, quota].into_iter().flatten().all(|count| count > 1)
}

/// How many processes of this process's memory cgroup the kernel has killed for lack of memory so far; `None` where that cannot be known.
///
/// A process that was ended by SIGKILL, and this number grew meanwhile: then it was most likely that. (A container's cgroup counts for all that runs in it.)
pub fn out_of_memory_kills() -> Option<u64> {
    static COUNTER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let path = COUNTER.get_or_init(|| Groups::of_this_process("memory")?.counter_of_kills()).as_ref()?;
    statistic(&fs::read_to_string(path).ok()?, "oom_kill")
}

fn choose_cap(half: Option<u64>, headroom: Option<u64>) -> u64 {
    let cap = half.into_iter().chain(headroom).min().unwrap_or(MIN_CAP).max(MIN_CAP);
    cap - cap % CAP_STEP
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total_memory(meminfo: &str) -> Option<u64> {
    let rest = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    rest.trim().strip_suffix("kB")?.trim_end().parse::<u64>().ok()?.checked_mul(1024)
}

/// What one memory cgroup leaves: its limit without what is in use, where file pages that the kernel may drop are not in use.
fn memory_headroom(group: &Path, version: Version) -> Option<u64> {
    let (limit, usage, droppable) = match version {
        Version::V2 => ("memory.max", "memory.current", "inactive_file"),
        Version::V1 => ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    };
    let limit = memory_limit(&read(group, limit)?)?;
    let usage: u64 = read(group, usage)?.trim().parse().ok()?;
    let droppable = read(group, "memory.stat").and_then(|text| statistic(&text, droppable)).unwrap_or(0);
    Some(limit.saturating_sub(usage.saturating_sub(droppable)))
}

/// A limit in bytes. `max`, and the number next to 2^63 that the first version of cgroups shows, are none.
fn memory_limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|&limit: &u64| limit < 1 << 60)
}

/// The number after `key` in lines of `key number`.
fn statistic(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// How many whole processors one cgroup's quota allows.
fn cpu_quota(group: &Path, version: Version) -> Option<u64> {
    match version {
        Version::V2 => {
            let text = read(group, "cpu.max")?;
            let (quota, period) = text.trim().split_once(' ')?;
            whole_cpus(quota, period)
        }
        Version::V1 => whole_cpus(&read(group, "cpu.cfs_quota_us")?, &read(group, "cpu.cfs_period_us")?),
    }
}

/// How many processors one cgroup's processes may be on.
fn cpuset(group: &Path, version: Version) -> Option<u64> {
    let name = match version {
        Version::V2 => "cpuset.cpus.effective",
        Version::V1 => "cpuset.effective_cpus",
    };
    cpus_in(&read(group, name)?)
}

/// How many numbers there are in a list such as `0-3,8`; an empty one says nothing.
fn cpus_in(list: &str) -> Option<u64> {
    let ranges = list.trim().split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        (last.parse::<u64>().ok()?).checked_sub(first.parse().ok()?)?.checked_add(1)
    });
    ranges.sum()
}

/// `quota / period`, 1 at least. `max`, and the -1 of the first version of cgroups, are no quota.
fn whole_cpus(quota: &str, period: &str) -> Option<u64> {
    let quota: u64 = quota.trim().parse().ok()?;
    Some(quota.checked_div(period.trim().parse().ok()?)?.max(1))
}

fn read(group: &Path, file: &str) -> Option<String> {
    fs::read_to_string(group.join(file)).ok()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// The cgroups that limit this process in one respect: directories from its own group up to the mount, in each hierarchy.
#[derive(Debug, PartialEq, Eq)]
struct Groups(Vec<(PathBuf, Version)>);

impl Groups {
    fn of_this_process(controller: &str) -> Option<Groups> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        Some(Groups::parse(&groups, &mounts, controller))
    }

    /// From the texts of `/proc/self/cgroup` and `/proc/self/mountinfo`.
    fn parse(groups: &str, mounts: &str, controller: &str) -> Groups {
        let mut found = Vec::new();
        for mount in mounts.lines().filter_map(Mount::parse) {
            let version = match mount.kind {
                "cgroup2" => Version::V2,
                "cgroup" if mount.options.split(',').any(|option| option == controller) => Version::V1,
                _ => continue,
            };
            let Some(path) = groups.lines().find_map(|line| group_path(line, version, controller)) else { continue };
            // A mount may show only a part of the hierarchy (a container's); a group outside of it is taken for its root.
            let inside = Path::new(path).strip_prefix(unescape(mount.root)).unwrap_or(Path::new(""));
            let top = PathBuf::from(unescape(mount.point));
            let mut own = top.clone();
            if inside.components().all(|part| matches!(part, Component::Normal(_))) {
                own.extend(inside);
            }
            let upward = own.ancestors().take_while(|group| group.starts_with(&top));
            found.extend(upward.map(|group| (group.to_owned(), version)));
        }
        Groups(found)
    }

    fn smallest(&self, limit: fn(&Path, Version) -> Option<u64>) -> Option<u64> {
        self.0.iter().filter_map(|(group, version)| limit(group, *version)).min()
    }

    /// The file of the innermost group that counts kills for lack of memory. A group of the second version counts those below it as well.
    fn counter_of_kills(&self) -> Option<PathBuf> {
        let files = self.0.iter().map(|(group, version)| match version {
            Version::V2 => group.join("memory.events"),
            Version::V1 => group.join("memory.oom_control"),
        });
        files.into_iter().find(|file| fs::read_to_string(file).is_ok_and(|text| statistic(&text, "oom_kill").is_some()))
    }
}

/// The path in a line `number:controllers:path` of `/proc/self/cgroup`, if the line is of that hierarchy.
fn group_path<'a>(line: &'a str, version: Version, controller: &str) -> Option<&'a str> {
    let (number, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    let ours = match version {
        Version::V2 => number == "0" && controllers.is_empty(),
        Version::V1 => controllers.split(',').any(|name| name == controller),
    };
    ours.then_some(path)
}

/// A line of `/proc/self/mountinfo`, as far as it matters here.
struct Mount<'a> {
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Mount<'a>> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let mut after = after.split(' ');
        Some(Mount { root: before.next()?, point: before.next()?, kind: after.next()?, options: after.nth(1)? })
    }
}

/// Blanks and backslashes stand in mountinfo as three octal digits.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut clear = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(u8::is_ascii);
        if let Some(code) = code {
            clear.push(code as char);
            clear.push_str(&part[3..]);
        } else {
            clear.push('\\');
            clear.push_str(part);
        }
    }
    clear
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(groups: &str, mounts: &str, controller: &str) -> Vec<(String, Version)> {
        let found = Groups::parse(groups, mounts, controller).0;
        found.into_iter().map(|(path, version)| (path.to_str().unwrap().to_owned(), version)).collect()
    }

    #[test]
    fn the_answers_here_are_sane() {
        let cap = default_cap();
        assert!(cap >= MIN_CAP && cap.is_multiple_of(CAP_STEP), "{cap}");
        assert!(available_cpus() >= 1);
        assert!(is_parallel() || available_cpus() == 1);
    }

    #[test]
    fn lists_of_processors_are_counted() {
        for (list, count) in
            [("0\n", Some(1)), ("0-3", Some(4)), ("0-3,8,10-11\n", Some(7)), ("", None), ("3-1", None), ("a", None), ("0-18446744073709551615", None)]
        {
            assert_eq!(cpus_in(list), count, "{list:?}");
        }
    }

    #[test]
    fn the_cap_is_the_smaller_one_rounded_down() {
        assert_eq!(choose_cap(Some((64 << 20) + 5), None), 64 << 20);
        assert_eq!(choose_cap(Some(8 << 30), Some((100 << 20) + CAP_STEP + 1)), (100 << 20) + CAP_STEP);
        assert_eq!(choose_cap(Some(8 << 30), Some(0)), MIN_CAP);
        assert_eq!(choose_cap(None, None), MIN_CAP);
    }

    #[test]
    fn meminfo_is_read() {
        assert_eq!(total_memory("MemTotal:       24684096 kB\nMemFree:  5 kB\n"), Some(24_684_096 * 1024));
        assert_eq!(total_memory("MemFree: 5 kB\n"), None);
        assert_eq!(total_memory("MemTotal: lots\n"), None);
        assert_eq!(total_memory("MemTotal: 18446744073709551615 kB\n"), None);
    }

    #[test]
    fn numbers_that_mean_no_limit() {
        assert_eq!(memory_limit("1073741824\n"), Some(1 << 30));
        assert_eq!(memory_limit("max\n"), None);
        assert_eq!(memory_limit("9223372036854771712\n"), None);
        assert_eq!(whole_cpus("max", "100000"), None);
        assert_eq!(whole_cpus("-1\n", "100000\n"), None);
        assert_eq!(whole_cpus("250000\n", "100000\n"), Some(2));
        assert_eq!(whole_cpus("50000", "100000"), Some(1));
        assert_eq!(whole_cpus("50000", "0"), None);
    }

    #[test]
    fn a_statistic_is_found_by_its_whole_name() {
        let text = "inactive_file_extra 1\ntotal_inactive_file 7\ninactive_file 8192\n";
        assert_eq!(statistic(text, "inactive_file"), Some(8192));
        assert_eq!(statistic(text, "total_inactive_file"), Some(7));
        assert_eq!(statistic(text, "active_file"), None);
    }

    #[test]
    fn kills_are_counted_by_the_innermost_group_that_does() {
        let dir = std::env::temp_dir().join(format!("polyproc-limits-{}", std::process::id()));
        let (outer, inner) = (dir.join("a"), dir.join("a/b"));
        fs::create_dir_all(&inner).unwrap();
        let groups = |version| Groups(vec![(inner.clone(), version), (outer.clone(), version)]);
        assert_eq!(groups(Version::V2).counter_of_kills(), None);
        fs::write(outer.join("memory.events"), "low 0\noom 3\noom_kill 2\n").unwrap();
        assert_eq!(groups(Version::V2).counter_of_kills(), Some(outer.join("memory.events")));
        assert_eq!(groups(Version::V1).counter_of_kills(), None);
        // Before Linux 4.13 the first version had this file without that line.
        fs::write(inner.join("memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\n").unwrap();
        fs::write(outer.join("memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n").unwrap();
        let counter = groups(Version::V1).counter_of_kills().unwrap();
        assert_eq!((counter.as_path(), statistic(&fs::read_to_string(&counter).unwrap(), "oom_kill")), (&*outer.join("memory.oom_control"), Some(7)));
        fs::remove_dir_all(&dir).unwrap();
        // Whatever there is here, the number does not fall.
        assert!(out_of_memory_kills() <= out_of_memory_kills());
    }

    #[test]
    fn quotas_of_nested_groups_count_the_smallest() {
        let dir = std::env::temp_dir().join(format!("polyproc-quotas-{}", std::process::id()));
        let (outer, inner) = (dir.join("a"), dir.join("a/b"));
        fs::create_dir_all(&inner).unwrap();
        let quota = |version| Groups(vec![(inner.clone(), version), (outer.clone(), version), (dir.clone(), version)]).smallest(cpu_quota);
        assert_eq!((quota(Version::V1), quota(Version::V2)), (None, None));
        fs::write(inner.join("cpu.max"), "max 100000\n").unwrap();
        fs::write(outer.join("cpu.max"), "350000 100000\n").unwrap();
        assert_eq!(quota(Version::V2), Some(3), "the outer group limits what the inner one leaves open");
        fs::write(inner.join("cpu.max"), "200000 100000\n").unwrap();
        assert_eq!(quota(Version::V2), Some(2));
        for (group, value) in [(&inner, "-1\n"), (&outer, "400000\n")] {
            fs::write(group.join("cpu.cfs_quota_us"), value).unwrap();
            fs::write(group.join("cpu.cfs_period_us"), "100000\n").unwrap();
        }
        assert_eq!(quota(Version::V1), Some(4));
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn the_second_version_has_one_hierarchy() {
        let mounts = "25 21 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let expected = ["/sys/fs/cgroup/a.slice/b.service", "/sys/fs/cgroup/a.slice", "/sys/fs/cgroup"];
        let found = groups("0::/a.slice/b.service\n", mounts, "memory");
        assert_eq!(found, expected.map(|path| (path.to_owned(), Version::V2)));
    }

    #[test]
    fn the_first_version_has_one_hierarchy_for_each_controller() {
        let mounts = "33 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                      35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        let lines = "4:memory:/jobs/7\n2:cpu,cpuacct:/\n0::/\n";
        let memory = ["/sys/fs/cgroup/memory/jobs/7", "/sys/fs/cgroup/memory/jobs", "/sys/fs/cgroup/memory"];
        assert_eq!(groups(lines, mounts, "memory"), memory.map(|path| (path.to_owned(), Version::V1)));
        assert_eq!(groups(lines, mounts, "cpu"), [("/sys/fs/cgroup/cpu,cpuacct".to_owned(), Version::V1)]);
    }

    #[test]
    fn a_container_sees_its_part_of_the_hierarchy() {
        let mounts = "35 31 0:32 /docker/1234 /sys/fs/cgroup/memory\\040here ro - cgroup cgroup rw,memory\n";
        let inside = groups("4:memory:/docker/1234/inner\n", mounts, "memory");
        assert_eq!(inside[0].0, "/sys/fs/cgroup/memory here/inner");
        assert_eq!(inside.len(), 2);
        let outside = groups("4:memory:/elsewhere\n", mounts, "memory");
        assert_eq!(outside, [("/sys/fs/cgroup/memory here".to_owned(), Version::V1)]);
        let above = groups("0::/../..\n", "1 2 0:3 / /cg rw - cgroup2 cgroup2 rw\n", "memory");
        assert_eq!(above, [("/cg".to_owned(), Version::V2)]);
    }

    #[test]
    fn nonsense_is_no_group() {
        assert_eq!(groups("nonsense\n::\n0::\n", "nonsense\n1 2 - cgroup2\n\n", "memory"), []);
        assert_eq!(unescape("a\\040b\\134c\\x\\09"), "a b\\c\\x\\09");
    }
}
