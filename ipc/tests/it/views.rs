//! Cells in place: large arrays, and that a view of a destroyed array, wherever it is, touches nothing that belongs to something else.
#![allow(unsafe_code)]

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;
use std::{process, thread};

use polyproc_ipc::{Array, BytesQueue, ErrorKind, Fabric, LockError, Value};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::watchdog::{Watchdog, watchdog};

use crate::common::{Dice, LONG, SHORT, capped, inherited, kind, peer_in, whole};

const LEN: usize = 20_000;

#[test]
fn large_arrays_are_shared_in_place() {
    watchdog(LONG, || {
        let fabric = capped(64 << 20);
        let count = 3 << 20;
        let array = Array::<u64>::create_zeroed(&fabric, "big", count).unwrap();
        assert_eq!(array.as_ptr().unwrap() as usize % 64, 0);
        {
            let _held = array.lock().unwrap();
            // SAFETY: this process alone uses the array.
            let cells = unsafe { array.as_mut_slice() }.unwrap();
            assert!(cells.iter().all(|cell| *cell == 0));
            cells.iter_mut().zip(0..).for_each(|(cell, i)| *cell = i);
        }
        let other = Array::<u64>::open(&fabric, "big").unwrap();
        assert_eq!((other.get(count - 1).unwrap(), other.read_range(count - 2..).unwrap()), (count as u64 - 1, vec![count as u64 - 2, count as u64 - 1]));
        let mut peer = peer_in(&fabric, "views::adder").start();
        assert!(peer.wait(LONG).success());
        // SAFETY: the peer has ended.
        let sum: u64 = unsafe { other.as_slice() }.unwrap().iter().sum();
        assert_eq!(sum, (count as u64 + 1) * count as u64 / 2);
        array.destroy().unwrap();
        drop((array, other));
        // Its memory is there for others, and a new array in it begins at 0.
        let next = Array::<u64>::zeroed(&fabric, count).unwrap();
        assert!(next.to_vec().unwrap().iter().all(|cell| *cell == 0));
        whole(&fabric);
    });
}

#[test]
#[ignore = "a role"]
fn adder() {
    if peer::is("views::adder") {
        let array = Array::<u64>::open(&inherited(), "big").unwrap();
        let _held = array.lock().unwrap();
        // SAFETY: the other process waits for this one.
        unsafe { array.as_mut_slice() }.unwrap().iter_mut().for_each(|cell| *cell += 1);
    }
}

/// A peer that looks at the array named `seen` in place.
fn viewer(fabric: &Fabric) -> Peer {
    let mut peer = peer_in(fabric, "views::viewer_role").start();
    peer.expect("SEEN", LONG);
    peer
}

#[test]
#[ignore = "a role"]
fn viewer_role() {
    if !peer::is("views::viewer_role") {
        return;
    }
    let fabric = inherited();
    let array = Array::<u64>::open(&fabric, "seen").unwrap();
    let again = Array::<u64>::open(&fabric, "seen").unwrap();
    let start = array.as_ptr().unwrap();
    peer::say("SEEN");
    while let Some(word) = peer::hear() {
        match word.as_str() {
            "scribble" => {
                for at in 0..LEN {
                    // SAFETY: the array has LEN cells, and one of its handles lives.
                    unsafe {
                        assert_eq!(start.add(at).read_volatile(), at as u64, "somebody else's bytes");
                        start.add(at).write_volatile(!0);
                        start.add(at).write_volatile(at as u64);
                    }
                }
                assert_eq!((kind(array.get(0)), kind(again.load(0))), (ErrorKind::Gone, ErrorKind::Gone));
                peer::say("DONE");
            }
            "end" => break,
            other => panic!("{other}"),
        }
    }
}

/// Arrays and messages that would take the place of one that was freed, full of what no view may change.
fn neighbours(fabric: &Fabric) -> (Vec<Array<u64>>, BytesQueue) {
    let arrays: Vec<_> = (0..40).map(|i| Array::new(fabric, &vec![!i; LEN]).unwrap()).collect();
    let queue = BytesQueue::new(fabric, 0).unwrap();
    (0..20_u8).for_each(|i| queue.put(&vec![i; LEN * 8]).unwrap());
    (arrays, queue)
}

fn are_untouched((arrays, queue): (Vec<Array<u64>>, BytesQueue)) {
    arrays.iter().zip(0..).for_each(|(array, i)| assert!(array.to_vec().unwrap().iter().all(|cell| *cell == !i)));
    (0..20_u8).for_each(|i| assert!(queue.get().unwrap().iter().all(|byte| *byte == i)));
}

#[test]
fn views_outlive_the_array_and_touch_nothing_else() {
    watchdog(LONG, || {
        for killed in [false, true] {
            let fabric = capped(32 << 20);
            let numbers: Vec<u64> = (0..LEN as u64).collect();
            let array = Array::create(&fabric, "seen", &numbers).unwrap();
            let (mut one, mut two) = (viewer(&fabric), viewer(&fabric));
            let ours = array.as_ptr().unwrap();
            array.destroy().unwrap();
            // The same name at once, in another header.
            let new = Array::create(&fabric, "seen", &[5_u64]).unwrap();
            let others = neighbours(&fabric);
            for peer in [&mut one, &mut two] {
                peer.send("scribble");
                peer.expect("DONE", LONG);
            }
            // SAFETY: our handle of the destroyed array lives.
            assert_eq!(unsafe { ours.add(LEN - 1).read_volatile() }, LEN as u64 - 1);
            are_untouched(others);
            assert_eq!(new.to_vec().unwrap(), [5]);
            // Two headers and two data chunks; the old one's goes with its last user, and not before.
            assert_eq!(whole(&fabric).held_chunks, 40 + 1 + 4);
            drop(array);
            one.send("end");
            assert!(one.wait(LONG).success());
            assert_eq!(whole(&fabric).held_chunks, 40 + 1 + 4);
            if killed {
                two.kill();
                assert_eq!(fabric.sweep().unwrap(), 1);
            } else {
                two.send("end");
                assert!(two.wait(LONG).success());
            }
            assert_eq!(whole(&fabric).held_chunks, 40 + 1 + 3);
            // The header is used again now.
            let next = Array::new(&fabric, &[1_u64]).unwrap();
            assert_eq!(whole(&fabric).held_chunks, 40 + 1 + 4);
            drop((new, next));
        }
    });
}

#[test]
fn the_maker_dies_and_the_view_stays() {
    watchdog(LONG, || {
        let fabric = capped(32 << 20);
        let mut maker = peer_in(&fabric, "views::maker").start();
        let ticket = maker.wait_line(LONG).parse().unwrap();
        let array = Array::<u64>::from_ticket(&ticket).unwrap();
        let start = array.as_ptr().unwrap();
        maker.kill();
        assert_eq!(fabric.sweep().unwrap(), 1);
        assert_eq!(kind(array.get(3)), ErrorKind::Gone);
        let others = neighbours(&fabric);
        // SAFETY: our handle of the destroyed array lives.
        unsafe {
            assert_eq!(start.add(LEN - 1).read_volatile(), 7);
            (0..LEN).for_each(|at| start.add(at).write_volatile(99));
        }
        are_untouched(others);
        let before = whole(&fabric).held_chunks;
        drop(array);
        assert_eq!(whole(&fabric).held_chunks, before - 1);
    });
}

#[test]
#[ignore = "a role"]
fn maker() {
    if peer::is("views::maker") {
        let array = Array::new(&inherited(), &vec![7_u64; LEN]).unwrap();
        peer::say(&array.lend().to_string());
        peer::park();
    }
}

const TAG: u64 = 0xCE11 << 48;

/// Many make, use, view and destroy arrays of a few names, and are killed at it. At the end every chunk is accounted for, and none is kept for the dead.
#[test]
fn a_storm_of_deaths_leaves_nothing_kept() {
    watchdog(LONG * 2, || {
        let fabric = capped(32 << 20);
        let queue = BytesQueue::create(&fabric, "traffic", 0).unwrap();
        queue.put(&[7; 4000]).unwrap();
        queue.get().unwrap();
        let only_queue = whole(&fabric).held_chunks;
        let mut dice = Dice(5);
        let mut peers: Vec<Peer> = (0..3).map(|_| peer_in(&fabric, "views::churner").start()).collect();
        for round in 0..45 {
            let index = dice.below(3) as usize;
            peers[index].expect("CHURNING", LONG);
            thread::sleep(Duration::from_micros(dice.below(4000)));
            assert_eq!(peers[index].kill().signal(), Some(libc::SIGKILL), "it ended by itself");
            if round % 3 != 0 {
                fabric.sweep().unwrap();
                whole(&fabric);
            }
            peers[index] = peer_in(&fabric, "views::churner").start();
        }
        for peer in &mut peers {
            peer.kill();
        }
        fabric.sweep().unwrap();
        while queue.try_get().is_ok() {}
        NAMES.iter().for_each(|name| drop(fabric.remove(name)));
        // New arrays use up every header that is not kept; then each brings one of its own.
        let (mut arrays, mut held) = (Vec::new(), whole(&fabric).held_chunks);
        loop {
            arrays.push(Array::new(&fabric, &[1_u64]).unwrap());
            let now = whole(&fabric).held_chunks;
            if now == held + 2 {
                assert_eq!(now, only_queue + 2 * arrays.len(), "some array is kept that nobody uses");
                break;
            }
            held = now;
        }
    });
}

const NAMES: [&str; 3] = ["a", "b", "c"];

#[test]
#[ignore = "a role"]
fn churner() {
    if !peer::is("views::churner") {
        return;
    }
    let fabric = inherited();
    let (queue, mut dice) = (BytesQueue::open(&fabric, "traffic").unwrap(), Dice(process::id().into()));
    let mut kept = Vec::new();
    for turn in 0.. {
        if turn == 20 {
            peer::say("CHURNING");
        }
        let array = match Array::<u64>::open_or_create(&fabric, NAMES[dice.below(3) as usize], 500) {
            Ok(array) => array,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Gone, "{error:?}");
                continue;
            }
        };
        let Ok(start) = array.as_ptr() else { continue };
        if dice.below(3) == 0 {
            let _ = array.destroy();
        }
        for at in 0..500 {
            // SAFETY: the array has 500 cells, and its handle lives.
            let seen = unsafe { start.add(at).read_volatile() };
            assert!(seen == 0 || seen & TAG == TAG, "{seen:#x} is somebody else's");
            // SAFETY: as above.
            unsafe { start.add(at).write_volatile(TAG | turn) };
        }
        match array.fill(..10, TAG) {
            Ok(()) | Err(LockError::OwnerDied(_)) => {}
            Err(LockError::Failed(error)) => assert_eq!(error.kind(), ErrorKind::Gone, "{error:?}"),
        }
        queue.put(&[7; 4000]).unwrap();
        if let Ok(message) = queue.try_get() {
            assert!(message.iter().all(|byte| *byte == 7), "a message that was written over");
        }
        // Some views live on for a while.
        kept.push(array);
        if kept.len() > 4 {
            kept.swap_remove(dice.below(5) as usize);
        }
    }
}

#[test]
fn a_forked_child_has_pins_of_its_own() {
    watchdog(LONG, || assert!(Peer::spawn("views::forker", &[]).wait(LONG).success()));
}

/// Runs `body` in a forked child, which must end well.
fn in_child(body: impl FnOnce()) {
    // SAFETY: this process does nothing beside; the child ends by _exit.
    match unsafe { libc::fork() } {
        0 => {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).is_ok();
            // SAFETY: ends the child; nothing that is its parent's is given back.
            unsafe { libc::_exit(i32::from(!done)) }
        }
        pid => {
            let mut status = 0;
            // SAFETY: the pid is a child of this process, the status a place to write to.
            assert_eq!((unsafe { libc::waitpid(pid, &raw mut status, 0) }, status), (pid, 0));
        }
    }
}

#[test]
#[ignore = "a role"]
fn forker() {
    if !peer::is("views::forker") {
        return;
    }
    let _dog = Watchdog::new(LONG);
    let fabric = capped(32 << 20);
    let value = Value::create(&fabric, "value", 1_u32).unwrap();
    let array = Array::create(&fabric, "array", &vec![0_u8; LEN]).unwrap();
    let held = value.lock().unwrap();
    let before = whole(&fabric).held_chunks;
    in_child(|| {
        // It does not hold its parent's lock, and its copy of the guard does not give that back.
        assert_eq!(kind(value.lock_timeout(SHORT)), ErrorKind::Timeout);
        let clone = array.clone();
        array.set(1, 9).unwrap();
        // Destroyed here, still in use by the parent and by this very child.
        clone.destroy().unwrap();
        assert_eq!(kind(array.get(0)), ErrorKind::Gone);
        value.fetch_add(1).unwrap();
        assert_eq!(whole(&fabric).held_chunks, before);
        in_child(|| assert_eq!(kind(array.get(0)), ErrorKind::Gone));
        drop((clone, Value::<u32>::open(&fabric, "value").unwrap()));
        // Many pin and unpin at once.
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..200).for_each(|_| drop(Value::<u32>::open(&fabric, "value").unwrap())));
            }
        });
    });
    held.update(|count| *count += 1).unwrap();
    drop(held);
    assert_eq!((value.get().unwrap(), kind(array.get(0))), (3, ErrorKind::Gone));
    // The children ended without giving back what they had; the parent's pin is there still.
    assert_eq!(fabric.sweep().unwrap(), 2);
    assert_eq!(whole(&fabric).held_chunks, before);
    drop(array);
    assert_eq!(whole(&fabric).held_chunks, before - 1);
}
