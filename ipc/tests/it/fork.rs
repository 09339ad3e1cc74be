//! Forked children: one that uses the fabric is a member of its own, and what its parent held there stays its parent's.
#![allow(unsafe_code)]

use std::process;
use std::time::Duration;

use polyproc_ipc::{Acquired, BytesQueue, ErrorKind, Fabric, Lock, Queue};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::temp::TempDir;
use polyproc_testkit::watchdog::{Watchdog, watchdog};

use crate::common::{LONG, SHORT, capped, kind, play, whole};

/// Runs `body` (which should move nothing: it is dropped here too) in a forked child, which then ends at once without any destructor; 0 if it went well.
pub(crate) fn in_child(body: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child runs test code in a process where no other thread does more than wait, and ends by _exit.
    match unsafe { libc::fork() } {
        0 => {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).is_ok();
            // SAFETY: ends the child; nothing that is its parent's is flushed or given back.
            unsafe { libc::_exit(i32::from(!done)) }
        }
        pid => {
            assert!(pid > 0, "cannot fork");
            pid
        }
    }
}

#[track_caller]
pub(crate) fn ended_well(pid: libc::pid_t) {
    let mut status = 0;
    // SAFETY: the pid is a child of this process, the status a place to write to.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!((waited, status), (pid, 0), "how the child ended");
}

#[test]
fn a_child_is_a_member_of_its_own() {
    watchdog(LONG, || assert!(Peer::spawn("fork::member", &[]).wait(LONG).success()));
}

#[test]
#[ignore = "a role"]
fn member() {
    if !peer::is("fork::member") {
        return;
    }
    let _dog = Watchdog::new(LONG);
    let fabric = capped(32 << 20);
    let (there, back) = (BytesQueue::new(&fabric, 0).unwrap(), Queue::<(u64, u32, String)>::new(&fabric, 1).unwrap());
    let mine = fabric.member().unwrap();
    let body = || {
        // Nothing was used yet: the parent's slot is not the child's.
        assert!(fabric.alive(mine));
        assert_eq!(there.get().unwrap().len(), 5000);
        let me = fabric.member().unwrap();
        assert_ne!(me, mine);
        back.put(&(me.to_bits(), process::id(), "x".repeat(3000))).unwrap();
        assert_eq!(&*there.get().unwrap(), b"go");
        // A grandchild, the same once more.
        ended_well(in_child(|| {
            assert!(fabric.alive(me) && fabric.alive(mine));
            assert!(![me, mine].contains(&fabric.member().unwrap()));
            back.put(&(0, 0, String::new())).unwrap();
            assert_eq!(fabric.members().iter().filter(|member| member.alive).count(), 3);
        }));
    };
    let child = in_child(body);
    there.put(&[1; 5000]).unwrap();
    let (bits, pid, text) = back.get().unwrap();
    assert_eq!((pid as i32, text.len()), (child, 3000));
    let members = fabric.members();
    assert_eq!(members.len(), 2);
    assert!(members.iter().all(|member| member.alive) && members.iter().any(|member| member.owner.to_bits() == bits && member.pid == pid));
    there.put(b"go").unwrap();
    assert_eq!(back.get().unwrap().0, 0);
    ended_well(child);
    assert_eq!(fabric.sweep().unwrap(), 2, "both ended without leaving");
    let report = whole(&fabric);
    assert_eq!((report.members, report.unswept_chunks, report.private_chunks), (1, 0, 0));
}

#[test]
fn what_the_parent_holds_stays_its_own() {
    watchdog(LONG, || assert!(Peer::spawn("fork::holder", &[]).wait(LONG).success()));
}

#[test]
#[ignore = "a role"]
fn holder() {
    if !peer::is("fork::holder") {
        return;
    }
    let _dog = Watchdog::new(LONG);
    let fabric = capped(32 << 20);
    let lock = Lock::new(&fabric).unwrap();
    let queue = BytesQueue::new(&fabric, 0).unwrap();
    for size in [5000, 10, 70_000, 6000] {
        queue.put(&vec![size as u8; size]).unwrap();
    }
    // Once with a child that only drops, once with one that is a member first.
    for uses in [false, true] {
        let guard = lock.lock().unwrap();
        let message = queue.get().unwrap();
        let lease = queue.get_lease().unwrap();
        let loan = queue.loan(3000).unwrap();
        let mut held = Some((guard, message, lease, loan));
        let before = queue.len();
        let child = in_child(|| {
            if uses {
                fabric.member().unwrap();
                assert_eq!(kind(lock.lock_timeout(SHORT)), ErrorKind::Timeout);
            }
            let (guard, message, lease, loan) = held.take().unwrap();
            assert!(!message.is_empty() && message.iter().all(|byte| *byte == message[0]));
            drop((guard, message, loan));
            drop(lease);
            if uses {
                assert!(lock.locked());
            }
        });
        ended_well(child);
        assert_eq!(lock.owner(), Some(fabric.member().unwrap()));
        assert_eq!(queue.len(), before);
        assert_eq!(whole(&fabric).private_chunks, 2);
        let (guard, message, lease, loan) = held.unwrap();
        assert!(message.iter().all(|byte| *byte == message[0]));
        drop((message, loan));
        lease.ack().unwrap();
        drop(guard);
        assert!(!lock.locked());
        assert_eq!(whole(&fabric).private_chunks, 0);
        assert_eq!(fabric.sweep().unwrap(), usize::from(uses));
    }
    // And what the child holds when it dies is the child's.
    let child = in_child(|| {
        lock.acquire(None).unwrap();
        std::mem::forget(queue.loan(100_000).unwrap());
    });
    ended_well(child);
    assert_eq!(lock.acquire(None).unwrap(), Acquired::OwnerDied);
    lock.release().unwrap();
    assert_eq!(whole(&fabric).unswept_chunks, 1);
    fabric.sweep().unwrap();
    assert_eq!(whole(&fabric).unswept_chunks, 0);
}

#[test]
fn handles_dropped_in_a_child_end_nothing() {
    watchdog(LONG, || assert!(Peer::spawn("fork::dropper", &[]).wait(LONG).success()));
}

#[test]
#[ignore = "a role"]
fn dropper() {
    if !peer::is("fork::dropper") {
        return;
    }
    let _dog = Watchdog::new(LONG);
    let fabric = capped(32 << 20);
    let mut owned = Some((BytesQueue::new(&fabric, 0).unwrap(), fabric.clone()));
    let queue = owned.as_ref().unwrap().0.clone();
    for uses in [false, true] {
        ended_well(in_child(|| {
            if uses {
                queue.put(b"from the child").unwrap();
            }
            let (queue, fabric) = owned.take().unwrap();
            drop(queue);
            drop(fabric);
        }));
        assert_eq!(queue.len(), usize::from(uses));
    }
    // A child that leaves in good order is not one of the dead.
    fabric.sweep().unwrap();
    let mut all = Some((owned, queue, fabric));
    let child = in_child(|| {
        let (owned, queue, fabric) = all.take().unwrap();
        assert_eq!(&*queue.get_timeout(Duration::from_secs(30)).unwrap(), b"from the child");
        drop((owned, queue));
        drop(fabric);
    });
    ended_well(child);
    let (_owned, queue, fabric) = all.unwrap();
    assert_eq!(fabric.sweep().unwrap(), 0);
    queue.put(b"still there").unwrap();
    assert_eq!(whole(&fabric).members, 1);
}

#[test]
fn a_child_keeps_the_name_of_its_parents_fabric() {
    watchdog(LONG, || {
        let dir = TempDir::new("fork");
        play("fork::named", dir.path());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    });
}

#[test]
#[ignore = "a role"]
fn named() {
    if !peer::is("fork::named") {
        return;
    }
    let _dog = Watchdog::new(LONG);
    // The first child makes the fabric and forks the second, and is gone when the second is asked.
    let (reader, writer) = std::io::pipe().unwrap();
    let (go, gone) = std::io::pipe().unwrap();
    let mut gone = Some(gone);
    let first = in_child(|| {
        let fabric = Fabric::create("inherited").unwrap();
        let queue = Queue::<u32>::create(&fabric, "queue", 0).unwrap();
        drop(gone.take());
        let mut held = Some((queue, fabric));
        in_child(|| {
            let (queue, fabric) = held.take().unwrap();
            queue.put(&7).unwrap();
            std::io::Write::write_all(&mut &writer, b"1").unwrap();
            std::io::Read::read(&mut &go, &mut [0]).unwrap(); // until the whole scenario is done
            drop((queue, fabric));
        });
        // It has used the fabric before this process ends.
        std::io::Read::read_exact(&mut &reader, &mut [0]).unwrap();
    });
    ended_well(first);
    let fabric = Fabric::open("inherited").unwrap();
    assert_eq!(Queue::<u32>::open(&fabric, "queue").unwrap().get().unwrap(), 7);
    assert_eq!(fabric.members().len(), 2);
    drop(gone);
    // The second child leaves in its own time; then this process is the last.
    while fabric.members().len() > 1 {
        std::thread::yield_now();
    }
    drop(fabric);
    assert_eq!(kind(Fabric::open("inherited")), ErrorKind::NotFound);
}

/// More deaths than the process table has slots, and nobody who sweeps of his own accord.
#[test]
fn the_dead_do_not_fill_the_table() {
    watchdog(LONG * 2, || assert!(Peer::spawn("fork::many_deaths", &[]).wait(LONG * 2).success()));
}

#[test]
#[ignore = "a role"]
fn many_deaths() {
    if !peer::is("fork::many_deaths") {
        return;
    }
    let _dog = Watchdog::new(LONG * 2);
    let fabric = capped(32 << 20);
    let _lock = Lock::create(&fabric, "lock").unwrap();
    for _ in 0..2100 {
        ended_well(in_child(|| assert!(Lock::open(&fabric, "lock").unwrap().acquire(Some(LONG)).is_ok())));
    }
    assert!(fabric.members().len() <= 1024);
    fabric.sweep().unwrap();
    assert_eq!(fabric.members().len(), 1);
    whole(&fabric);
}
