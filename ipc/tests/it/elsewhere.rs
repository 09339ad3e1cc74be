//! Named fabrics in odd places: on a small file system that fills up, and in another pid namespace, as containers are. Where this user may not make such a place, the test
//! says so and is skipped.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use polyproc_ipc::{Acquired, Backing, BytesQueue, ErrorKind, Fabric, Lock, Queue};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::temp::TempDir;
use polyproc_testkit::watchdog::watchdog;
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::common::{LONG, kind, play, whole};
use crate::fabric::{files, make, runtime_dir};

fn c_text(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap()
}

/// Gives this thread mounts of its own, with a small tmpfs at `dir`. False, with the reason printed, where that is not allowed.
fn mount_small(dir: &Path, size: &str) -> bool {
    let options = CString::new(format!("size={size},mode=0700")).unwrap();
    let (path, root) = (c_text(dir), c"/");
    // SAFETY: all texts are valid for the calls, and the mounts are seen by this thread only.
    let done = unsafe {
        libc::unshare(libc::CLONE_NEWNS) == 0
            && libc::mount(std::ptr::null(), root.as_ptr(), std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE, std::ptr::null()) == 0
            && libc::mount(c"none".as_ptr(), path.as_ptr(), c"tmpfs".as_ptr(), 0, options.as_ptr().cast()) == 0
    };
    if !done {
        peer::say(&format!("skipped: a tmpfs cannot be mounted: {}", std::io::Error::last_os_error()));
    }
    done
}

#[test]
fn a_file_system_that_is_full_is_out_of_memory_and_no_signal() {
    watchdog(LONG * 2, || {
        for (role, size) in [
            ("elsewhere::in_small_mount", "64m"),
            ("elsewhere::in_tiny_mount", "100k"),
            ("elsewhere::in_tiny_mount", "4k"),
            ("elsewhere::in_tiny_mount", "160k"),
        ] {
            let dir = TempDir::new("mount");
            let mut peer = Peer::spawn(role, &[("POLYPROC_DIR", dir.path().to_str().unwrap()), ("SIZE", size)]);
            let said = peer.wait_line(LONG);
            println!("{role} {size}: {said}");
            assert!(peer.wait(LONG).success());
        }
    });
}

#[test]
#[ignore = "a role"]
fn in_small_mount() {
    if !peer::is("elsewhere::in_small_mount") || !mount_small(&runtime_dir(), &peer::arg("SIZE")) {
        return;
    }
    let fabric = Fabric::builder().cap(1 << 30).backing(Backing::File).create("small").unwrap();
    let queue = BytesQueue::new(&fabric, 0).unwrap();
    for size in [300_000, 2000, 30_000] {
        let mut count = 0_usize;
        let error = loop {
            match queue.put(&vec![count as u8; size]) {
                Ok(()) => count += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        assert!(error.to_string().contains("'small'"), "{error}");
        assert!(count * size > 30 << 20, "{count} messages of {size} bytes in 64 MB");
        whole(&fabric);
        for i in 0..count {
            let message = queue.get().unwrap();
            assert!(message.len() == size && message.iter().all(|byte| *byte == i as u8));
        }
        assert!(queue.is_empty());
    }
    assert!(kind(queue.put(&vec![0; 100 << 20])) == ErrorKind::OutOfMemory);
    queue.put(&vec![1; 40 << 20]).unwrap();
    let large = queue.get().unwrap();
    assert_eq!((large.len(), kind(queue.put(&vec![0; 30 << 20]))), (40 << 20, ErrorKind::OutOfMemory));
    drop(large);
    queue.put(&vec![1; 30 << 20]).unwrap();
    drop((queue, fabric));
    assert_eq!(files(), [""; 0]);
    peer::say("full, and told so");
}

#[test]
#[ignore = "a role"]
fn in_tiny_mount() {
    if !peer::is("elsewhere::in_tiny_mount") || !mount_small(&runtime_dir(), &peer::arg("SIZE")) {
        return;
    }
    let told = match Fabric::builder().cap(16 << 20).backing(Backing::File).create("tiny") {
        Ok(fabric) => BytesQueue::new(&fabric, 0).unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(told.kind(), ErrorKind::OutOfMemory), "{told:?}");
    assert_eq!(files(), [""; 0]);
    peer::say(&told.to_string());
}

#[test]
fn another_pid_namespace() {
    watchdog(LONG * 2, || {
        let dir = TempDir::new("namespace");
        play("elsewhere::outside", dir.path());
    });
}

#[test]
#[ignore = "a role"]
fn outside() {
    if !peer::is("elsewhere::outside") {
        return;
    }
    let memory = make(Backing::Memory, "memory");
    let file = make(Backing::File, "file");
    let lock = Lock::create(&file, "lock").unwrap();
    let (from, to) = (Queue::<u64>::create(&file, "from inside", 0).unwrap(), Queue::<u64>::create(&file, "to inside", 0).unwrap());
    for end in ["leaves", "dies"] {
        let mut inside = Peer::spawn("elsewhere::inside", &[("END", end)]);
        let told = inside.wait_line(LONG);
        if told.starts_with("skipped") {
            return println!("{told}");
        }
        assert_eq!(told, "reached");
        assert_eq!(from.get_timeout(LONG).unwrap(), 7);
        let members = file.members();
        assert_eq!((members.len(), members.iter().filter(|member| member.alive).count()), (2, 2));
        assert_eq!(file.sweep().unwrap(), 0);
        assert!(lock.locked() && lock.owner() != Some(file.member().unwrap()));
        to.put(&8).unwrap();
        inside.expect("ended", LONG);
        assert!(inside.wait(LONG).success());
        assert_eq!(file.members().iter().filter(|member| member.alive).count(), 1);
        assert_eq!(file.sweep().unwrap(), usize::from(end == "dies"));
        assert!(!lock.locked());
        if end == "dies" {
            assert_eq!(lock.acquire(None).unwrap(), Acquired::OwnerDied);
            lock.release().unwrap();
        }
    }
    whole(&file);
    drop((lock, from, to, file, memory));
    assert_eq!(files(), [""; 0]);
}

#[test]
#[ignore = "a role"]
fn inside() {
    if !peer::is("elsewhere::inside") {
        return;
    }
    // SAFETY: only this thread and its children are concerned.
    if unsafe { libc::unshare(libc::CLONE_NEWPID | libc::CLONE_NEWNS) } != 0 {
        return peer::say(&format!("skipped: no pid namespace can be made: {}", std::io::Error::last_os_error()));
    }
    // SAFETY: the child runs test code while no other thread does more than wait, and ends by _exit.
    match unsafe { libc::fork() } {
        0 => {
            let done = std::panic::catch_unwind(first_of_namespace).is_ok();
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(i32::from(!done)) }
        }
        child => {
            let mut status = 0;
            // SAFETY: a child of this process, and a place to write to.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0);
            peer::say("ended");
        }
    }
}

/// What the first process of the new namespace does.
fn first_of_namespace() {
    // The first process of a namespace heeds no signal but this one; nobody else would end it.
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    assert_eq!(std::process::id(), 1);
    // SAFETY: all texts are valid for the calls; the mounts are this process's own.
    let mounted = unsafe {
        libc::mount(std::ptr::null(), c"/".as_ptr(), std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE, std::ptr::null()) == 0
            && libc::mount(c"proc".as_ptr(), c"/proc".as_ptr(), c"proc".as_ptr(), 0, std::ptr::null()) == 0
    };
    if !mounted {
        return peer::say(&format!("skipped: /proc cannot be mounted: {}", std::io::Error::last_os_error()));
    }
    for result in [Fabric::open("memory"), Fabric::create("memory"), Fabric::open_or_create("memory")] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable);
        assert!(error.to_string().contains("'memory'") && error.to_string().contains("Backing::File"), "{error}");
    }
    assert!(Fabric::collect_names().unwrap().is_empty(), "what cannot be judged stays");
    let file = Fabric::open("file").unwrap();
    assert!(file.members().iter().all(|member| member.alive));
    assert_eq!(file.sweep().unwrap(), 0);
    let (lock, queue) = (Lock::open(&file, "lock").unwrap(), Queue::<u64>::open(&file, "to inside").unwrap());
    let guard = lock.lock().unwrap();
    Queue::<u64>::open(&file, "from inside").unwrap().put(&7).unwrap();
    peer::say("reached");
    assert_eq!(queue.get_timeout(LONG).unwrap(), 8);
    if peer::arg("END") == "leaves" {
        drop(guard);
        drop((lock, queue, file));
    } else {
        std::mem::forget((guard, file.clone()));
    }
}
