//! What a test leaves behind: descriptors, children, files and memfds, before and after. Reads only; removes nothing.
//!
//! Descriptors and children belong to the whole process, so compare them where no other test runs beside: in a target of
//! its own, or in a peer.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use crate::procfs;

/// What to look at besides the descriptors and children of this process.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    dirs: Vec<PathBuf>,
    memfds: Option<String>,
}

/// How things stood at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    watch: Watch,
    /// What there was, by a name that stays the same, and what to say about it.
    found: BTreeMap<String, String>,
}

impl Watch {
    /// Descriptors and children only.
    pub fn new() -> Watch {
        Watch::default()
    }

    /// Also the files in `dir` and below.
    #[must_use]
    pub fn dir(mut self, dir: &Path) -> Watch {
        self.dirs.push(dir.to_owned());
        self
    }

    /// Also memfds whose name starts with `prefix`, which any process of this user holds open or mapped. Make the name unique
    /// to the test: other tests may run.
    #[must_use]
    pub fn memfds(mut self, prefix: &str) -> Watch {
        self.memfds = Some(prefix.to_owned());
        self
    }

    /// Looks.
    pub fn take(self) -> Snapshot {
        let mut found = BTreeMap::new();
        descriptors(&mut found);
        children(&mut found);
        for dir in &self.dirs {
            files(dir, &mut found);
        }
        if let Some(prefix) = &self.memfds {
            memfds(prefix, &mut found);
        }
        Snapshot { watch: self, found }
    }
}

impl Snapshot {
    /// The descriptors and children of this process, zombies too.
    ///
    /// ```
    /// let before = polyproc_testkit::leak::Snapshot::take();
    /// drop(std::fs::File::open("/dev/null").unwrap());
    /// before.assert_same();
    /// ```
    pub fn take() -> Snapshot {
        Watch::new().take()
    }

    /// What came (`+`) and went (`-`) since; empty if nothing did.
    pub fn differences(&self) -> Vec<String> {
        let now = self.watch.clone().take();
        let came = now.found.iter().filter(|(name, _)| !self.found.contains_key(*name)).map(|(_, text)| format!("+ {text}"));
        let went = self.found.iter().filter(|(name, _)| !now.found.contains_key(*name)).map(|(_, text)| format!("- {text}"));
        came.chain(went).collect()
    }

    /// # Panics
    /// If anything came or went since; the message lists it.
    pub fn assert_same(&self) {
        let differences = self.differences();
        assert!(differences.is_empty(), "not as it was before:\n  {}", differences.join("\n  "));
    }

    /// As [`Snapshot::assert_same`], for what other processes give back in their own time: waits until all is as it was.
    ///
    /// # Panics
    /// If it is not within `timeout`.
    pub fn assert_settles(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline && !self.differences().is_empty() {
            thread::yield_now();
        }
        self.assert_same();
    }
}

fn descriptors(found: &mut BTreeMap<String, String>) {
    for fd in fs::read_dir("/proc/self/fd").into_iter().flatten().flatten() {
        let Ok(target) = fs::read_link(fd.path()) else { continue };
        // The descriptor by which this very directory is read shows up in it.
        if !target.starts_with(format!("/proc/{}/fd", process::id())) {
            let text = format!("descriptor {} to {}", fd.file_name().display(), target.display());
            found.insert(text.clone(), text);
        }
    }
}

fn children(found: &mut BTreeMap<String, String>) {
    let me = process::id();
    for child in procfs::pids().into_iter().filter_map(procfs::stat).filter(|stat| stat.parent == me) {
        let text = format!("child {} ({}, state {})", child.pid, child.name, child.state);
        // A child that ends becomes a zombie, which is a difference; one that runs or sleeps is not.
        found.insert(format!("child {} {}", child.pid, child.state == 'Z'), text);
    }
}

fn files(dir: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let text = format!("file {}", entry.path().display());
        found.insert(text.clone(), text);
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files(&entry.path(), found);
        }
    }
}

/// By inode, so that another holder of the same memory is no difference.
fn memfds(prefix: &str, found: &mut BTreeMap<String, String>) {
    let start = format!("/memfd:{prefix}");
    let me = fs::metadata("/proc/self").map_or(0, |data| data.uid());
    for pid in procfs::pids() {
        let place = PathBuf::from(format!("/proc/{pid}"));
        if fs::metadata(&place).map_or(true, |data| data.uid() != me) {
            continue;
        }
        let mut add = |name: &str, inode: u64| {
            found.entry(format!("memfd {name} {inode}")).or_insert_with(|| format!("memfd {name} held by process {pid}"));
        };
        for fd in fs::read_dir(place.join("fd")).into_iter().flatten().flatten() {
            let Ok(target) = fs::read_link(fd.path()) else { continue };
            if let Some(name) = target.to_str().filter(|target| target.starts_with(&start)) {
                add(name, fs::metadata(fd.path()).map_or(0, |data| data.ino()));
            }
        }
        for line in fs::read_to_string(place.join("maps")).unwrap_or_default().lines() {
            if let Some(at) = line.find(&start) {
                add(&line[at..], line.split_whitespace().nth(4).and_then(|inode| inode.parse().ok()).unwrap_or(0));
            }
        }
    }
}
