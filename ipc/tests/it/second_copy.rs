//! Two copies of the library in one process, as where a program and a plug-in each bring one: two members, each with its own locks and its own life.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::process::Command;

use polyproc_ipc::{ErrorKind, Lock, Queue};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::watchdog::watchdog;

use crate::common::{LONG, small, whole};
use crate::fork::{ended_well, in_child};

/// The other copy's calls: `testkit/second`.
#[derive(Clone, Copy)]
struct Second {
    attach: extern "C" fn(RawFd) -> i64,
    count: extern "C" fn(u64) -> i64,
    leave: extern "C" fn(),
}

/// Builds the library, beside this program, and loads it.
fn load() -> Second {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let folder: PathBuf = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", "polyproc-second", "--target-dir"]).arg(folder.parent().unwrap());
    if folder.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.status().expect("cargo").success(), "polyproc-second could not be built");
    let path = CString::new(folder.join("libpolyproc_second.so").to_str().unwrap()).unwrap();
    // SAFETY: a library of our own, whose initialisers are the standard library's.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    assert!(!library.is_null(), "{path:?} could not be loaded");
    let symbol = |name: &str| {
        let name = CString::new(name).unwrap();
        // SAFETY: the library stays loaded for the life of the process.
        let symbol = unsafe { libc::dlsym(library, name.as_ptr()) };
        assert!(!symbol.is_null(), "{name:?} is missing");
        symbol
    };
    // SAFETY: `testkit/second` has these functions with these types.
    unsafe {
        Second {
            attach: std::mem::transmute::<*mut libc::c_void, extern "C" fn(RawFd) -> i64>(symbol("second_attach")),
            count: std::mem::transmute::<*mut libc::c_void, extern "C" fn(u64) -> i64>(symbol("second_count")),
            leave: std::mem::transmute::<*mut libc::c_void, extern "C" fn()>(symbol("second_leave")),
        }
    }
}

#[test]
fn two_copies_are_two_members() {
    watchdog(LONG * 5, || assert!(Peer::spawn("second_copy::both", &[]).wait(LONG * 5).success()));
}

#[test]
#[ignore = "a role"]
fn both() {
    if !peer::is("second_copy::both") {
        return;
    }
    let second = load();
    let fabric = small();
    let lock = Lock::create(&fabric, "lock").unwrap();
    let numbers = Queue::<u64>::create(&fabric, "numbers", 0).unwrap();
    numbers.put(&1).unwrap();
    let slot = (second.attach)(fabric.descriptor().as_raw_fd());
    assert!(slot >= 0 && slot as usize != fabric.member().unwrap().slot(), "slot {slot}");
    assert_eq!(fabric.members().iter().filter(|member| member.alive).count(), 2);
    assert_eq!((second.count)(60_000), 0);
    let held = lock.lock().unwrap();
    assert_eq!((second.count)(20), -i64::from(ErrorKind::Timeout.number()), "what one copy holds, the other waits for");
    drop(held);
    assert_eq!((second.count)(60_000), 0);
    // A forked child is a member of its own in each copy, and its end is no harm to the parent's two.
    let child = in_child(|| {
        assert_eq!(numbers.get().unwrap(), 3);
        numbers.put(&3).unwrap();
        assert_eq!((second.count)(60_000), 0);
        assert_eq!(fabric.members().iter().filter(|member| member.alive).count(), 4);
    });
    ended_well(child);
    assert_eq!(fabric.sweep().unwrap(), 2);
    assert_eq!((second.count)(60_000), 0);
    (second.leave)();
    assert_eq!(fabric.members().len(), 1);
    assert_eq!(numbers.try_get().unwrap(), 5);
    whole(&fabric);
}
