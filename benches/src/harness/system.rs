//! The machine and this process on it: names in /dev/shm, descriptors, limits, memory. It knows no scenario.

use std::os::fd::BorrowedFd;

use super::Trouble;

/// A name in /dev/shm that tells whose it is, so that a later run can remove it if this one is killed.
pub(crate) fn shared_name(what: &str) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{NAME_PREFIX}{}-{what}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

const NAME_PREFIX: &str = "polyproc-bench-";

/// Removes what peers of a killed run left in /dev/shm (ours leaves nothing: its memory has no name there).
pub(crate) fn forget_the_dead() {
    let Ok(entries) = std::fs::read_dir("/dev/shm") else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(NAME_PREFIX)) else { continue };
        let Some(Ok(pid)) = rest.split('-').next().map(str::parse::<u32>) else { continue };
        if !std::path::Path::new(&format!("/proc/{pid}")).exists() {
            let _ = std::fs::remove_file(entry.path()); // a parallel run may have been quicker
        }
    }
}

/// procspawn holds three descriptors per queued task.
pub(crate) fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Descriptors that this process has open, without the three standard ones.
pub(crate) fn descriptors() -> Result<usize, Trouble> {
    let mut count = 0;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let number: usize = entry?.file_name().to_string_lossy().parse()?;
        count += usize::from(number > 2);
    }
    Ok(count - 1) // the listing's own
}

/// Bytes of memory behind a descriptor of shared memory.
pub(crate) fn resident(descriptor: BorrowedFd<'_>) -> Result<u64, Trouble> {
    Ok(rustix::fs::fstat(descriptor)?.st_blocks as u64 * 512)
}

/// Proportional set sizes in bytes: what of a process's memory falls to it, where shared pages count by their share.
pub(crate) struct Memory {
    pub(crate) all: u64,
    /// Without the pages of files, which are its program.
    pub(crate) own: u64,
}

/// The memory of a process of this user.
pub(crate) fn memory(pid: u32) -> Result<Memory, Trouble> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let bytes = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        let number = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        number.map(|number| number * 1024).ok_or_else(|| Trouble::failed(format!("smaps_rollup says nothing of {key}")))
    };
    Ok(Memory { all: bytes("Pss:")?, own: bytes("Pss_Anon:")? + bytes("Pss_Shmem:")? })
}

/// Nanoseconds that the threads which a process has now have run.
pub(crate) fn cpu_time(pid: u32) -> Result<u64, Trouble> {
    let mut sum = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that ended since the listing took its time with it.
        let Ok(text) = std::fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        sum += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(sum)
}
