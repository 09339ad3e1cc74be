//! Too few descriptors, too few processes: a clear error at once, nothing left behind, and all works again afterwards.
#![allow(unsafe_code)]

use polyproc::{ErrorKind, Process, task};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::start::{METHODS, apart};
use crate::{children_of, watched};

#[task]
fn nothing() {}

fn with_limit(resource: Resource, current: u64, body: impl FnOnce()) {
    let before = getrlimit(resource);
    setrlimit(resource, Rlimit { current: Some(current), maximum: before.maximum }).unwrap();
    body();
    setrlimit(resource, before).unwrap();
}

fn open() -> u64 {
    std::fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1
}

#[task]
fn has_few_descriptors() {
    let start = |i: usize| Process::builder(nothing, ()).start_method(METHODS[i]).start();
    for i in 0..3 {
        assert!(start(i).unwrap().join().unwrap().success());
    }
    let before = open();
    let highest = std::fs::read_dir("/proc/self/fd").unwrap().flatten().filter_map(|fd| fd.file_name().to_str()?.parse::<u64>().ok()).max().unwrap();
    // No number below is free, so the limit says how many are left.
    let mut filling = vec![std::fs::File::open("/dev/null").unwrap()];
    while std::os::fd::AsRawFd::as_raw_fd(filling.last().unwrap()) as u64 <= highest {
        filling.push(std::fs::File::open("/dev/null").unwrap());
    }
    let highest = std::os::fd::AsRawFd::as_raw_fd(filling.last().unwrap()) as u64;
    let before = before + filling.len() as u64;
    let mut refused = 0;
    for spare in 0..12 {
        for i in 0..3 {
            let mut answer = None;
            with_limit(Resource::Nofile, highest + 1 + spare, || answer = Some(start(i)));
            match answer.unwrap() {
                Ok(process) => drop(process.join().unwrap()),
                Err(error) => {
                    refused += 1;
                    assert_eq!(error.kind(), ErrorKind::SpawnFailed, "{error}");
                    assert!(error.to_string().contains("ulimit -n"), "{error}");
                }
            }
            assert_eq!(open(), before, "{i} with {spare} to spare");
        }
    }
    assert!(refused > 3, "{refused}");
    drop(filling);
    for i in 0..3 {
        assert!(start(i).unwrap().join().unwrap().success());
    }
}

#[test]
fn too_few_descriptors() {
    watched(|| apart(has_few_descriptors, ()));
}

#[task]
fn has_few_processes() {
    let start = |i: usize| Process::builder(nothing, ()).start_method(METHODS[i]).start();
    for i in 0..3 {
        assert!(start(i).unwrap().join().unwrap().success());
    }
    if rustix::process::getuid().is_root() {
        // SAFETY: plain numbers. The limit does not bind root.
        let become_nobody = unsafe { libc::setresuid(54_321, 54_321, 54_321) };
        assert_eq!(become_nobody, 0, "root can be anybody");
    }
    let before = children_of(std::process::id());
    for i in 0..2 {
        with_limit(Resource::Nproc, 1, || {
            let error = start(i).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SpawnFailed, "{error}");
            assert!(error.to_string().contains("ulimit -u"), "{error}");
        });
        assert_eq!(children_of(std::process::id()), before);
    }
}

#[test]
fn too_few_processes() {
    watched(|| apart(has_few_processes, ()));
}
