//! Time, dead letters, joining and lanes, through the public face.

use std::thread;
use std::time::{Duration, Instant};

use polyproc_ipc::{BytesQueue, DeadLetter, DeadReason, ErrorKind, Fabric, Lease, Queue};
use polyproc_testkit::peer;
use polyproc_testkit::watchdog::watchdog;

use crate::common::{LONG, SHORT, capped, inherited, kind, peer_in, small, whole};

const HOUR: Duration = Duration::from_secs(3600);

fn drain(queue: &BytesQueue) -> Vec<u8> {
    std::iter::from_fn(|| queue.try_get().ok()).map(|message| message[0]).collect()
}

#[test]
fn a_delayed_message_comes_back_then_and_not_earlier() {
    watchdog(LONG, || {
        let fabric = small();
        for size in [1, 5000] {
            let queue = BytesQueue::new(&fabric, 0).unwrap();
            queue.put(&vec![1; size]).unwrap();
            queue.put(&vec![2; size]).unwrap();
            for delay in [SHORT, SHORT * 10] {
                let lease = queue.get_lease().unwrap();
                let since = Instant::now();
                lease.nak(delay).unwrap();
                assert_eq!((queue.len(), queue.delayed(), queue.leased()), (1, 1, 0));
                let second = queue.get_lease().unwrap();
                assert_eq!(second[0], 2);
                // The getter sleeps until the time has come; nobody wakes it.
                let first = queue.get_lease().unwrap();
                assert!(since.elapsed() >= delay);
                assert_eq!((first[0], first.len()), (1, size));
                drop((first, second));
            }
            assert_eq!(queue.get_lease().unwrap().deliveries(), 5);
            assert_eq!(drain(&queue), [1, 2]);
        }
        whole(&fabric);
    });
}

#[test]
fn a_sleeping_getter_hears_of_a_delay() {
    watchdog(LONG, || {
        let queue = BytesQueue::new(&small(), 0).unwrap();
        queue.put(b"a").unwrap();
        let lease = queue.get_lease().unwrap();
        thread::scope(|scope| {
            let getter = scope.spawn(|| queue.get().map(|message| (message.to_vec(), Instant::now())).unwrap());
            thread::sleep(SHORT * 10);
            let since = Instant::now();
            lease.nak(SHORT).unwrap();
            let (message, when) = getter.join().unwrap();
            assert_eq!(message, b"a");
            assert!(when.duration_since(since) >= SHORT);
        });
    });
}

#[test]
fn a_closed_queue_is_not_drained_while_a_message_is_to_come_back() {
    watchdog(LONG, || {
        let queue = BytesQueue::new(&small(), 0).unwrap();
        queue.put(b"last").unwrap();
        queue.get_lease().unwrap().nak(SHORT).unwrap();
        queue.close().unwrap();
        assert_eq!(kind(queue.try_get()), ErrorKind::Empty);
        assert_eq!(&*queue.get().unwrap(), b"last");
        assert_eq!(kind(queue.get()), ErrorKind::Closed);
    });
}

#[test]
fn a_limited_lease_is_lost_when_its_time_is_over() {
    watchdog(LONG, || {
        let fabric = small();
        for size in [1, 5000] {
            let queue = BytesQueue::new(&fabric, 0).unwrap();
            queue.put(&vec![7; size]).unwrap();
            let lost = queue.lease_for(SHORT).unwrap();
            let since = Instant::now();
            let again = queue.get_lease().unwrap(); // waits until it comes back
            assert!(since.elapsed() + Duration::from_millis(1) >= SHORT || lost.deliveries() == 1);
            assert_eq!((again.deliveries(), again.len()), (2, size));
            assert_eq!(kind(lost.extend(HOUR)), ErrorKind::LeaseLost);
            lost.set_progress(9);
            assert!(lost.iter().all(|byte| *byte == 7) && lost.len() == size);
            assert_eq!(kind(lost.nak(HOUR)), ErrorKind::LeaseLost);
            assert_eq!(kind(again.extend(HOUR)), ErrorKind::InvalidArgument);
            again.ack().unwrap();
            assert_eq!((queue.len(), queue.leased(), queue.delayed()), (0, 0, 0));

            // Extended in time; acknowledged after its time, but before anybody looked; dropped when lost.
            queue.put(&vec![8; size]).unwrap();
            let lease = queue.lease_for(SHORT).unwrap();
            lease.extend(HOUR).unwrap();
            thread::sleep(SHORT * 2);
            assert_eq!((queue.len(), queue.leased()), (0, 1));
            lease.extend(Duration::ZERO).unwrap();
            lease.ack().unwrap();
            queue.put(&vec![9; size]).unwrap();
            let lease = queue.lease_for(Duration::ZERO).unwrap();
            assert_eq!(queue.len(), 1);
            assert_eq!(drain(&queue), [9]);
            drop(lease);
            assert_eq!((queue.len(), whole(&fabric).private_chunks), (0, 0));
        }
    });
}

#[test]
fn a_lease_of_the_same_process_and_entry_is_told_from_the_one_before() {
    watchdog(LONG, || {
        let queue = BytesQueue::new(&small(), 0).unwrap();
        queue.put(b"1").unwrap();
        let first = queue.lease_for(Duration::ZERO).unwrap();
        let second = queue.lease_for(HOUR).unwrap();
        assert_eq!(kind(first.ack()), ErrorKind::LeaseLost);
        assert_eq!(queue.leased(), 1);
        second.ack().unwrap();
        assert_eq!((queue.leased(), queue.len()), (0, 0));
    });
}

#[test]
fn a_limited_lease_outlives_its_queue() {
    watchdog(LONG, || {
        let fabric = small();
        for size in [1, 5000] {
            let queue = BytesQueue::create(&fabric, "short", 0).unwrap();
            queue.put(&vec![1; size]).unwrap();
            queue.put(&vec![2; size]).unwrap();
            let (lease, other) = (queue.lease_for(HOUR).unwrap(), queue.get_lease().unwrap());
            other.nak(HOUR).unwrap();
            queue.destroy().unwrap();
            assert_eq!(whole(&fabric).private_chunks, 0);
            assert_eq!((lease[0], lease.len()), (1, size));
            assert_eq!(kind(lease.extend(HOUR)), ErrorKind::Gone);
            assert_eq!(kind(lease.ack()), ErrorKind::Gone);
            whole(&fabric);
        }
    });
}

#[test]
fn what_was_handed_out_often_enough_is_a_dead_letter() {
    watchdog(LONG, || {
        let fabric = small();
        for size in [1, 2048, 2049, 100_000] {
            let letters = BytesQueue::new(&fabric, 1).unwrap();
            let queue = BytesQueue::builder().max_deliveries(2).dead_letters(&letters).new_in(&fabric).unwrap();
            for byte in 1..=4 {
                queue.put(&vec![byte; size]).unwrap();
            }
            let told = |deliveries, reason| Some(DeadLetter { deliveries, reason });
            queue.get_lease().unwrap().nak(Duration::ZERO).unwrap();
            drop(queue.get_lease().unwrap());
            queue.get_lease().unwrap().bury().unwrap();
            drop(queue.lease_for(Duration::ZERO).unwrap());
            let expired = queue.lease_for(Duration::ZERO).unwrap();
            assert_eq!((queue.len(), letters.len()), (1, 3), "its limit of one does not refuse them");
            assert_eq!(kind(expired.ack()), ErrorKind::LeaseLost);
            for (byte, deliveries, reason) in [(1, 2, DeadReason::GivenBack), (2, 1, DeadReason::Buried), (3, 2, DeadReason::Expired)] {
                let lease = letters.get_lease().unwrap();
                assert_eq!((lease[0], lease.len(), lease.deliveries(), lease.message().dead_letter()), (byte, size, 1, told(deliveries, reason)));
                lease.ack().unwrap();
            }
            assert_eq!((queue.buried(), queue.try_get().unwrap().dead_letter()), (0, None));
            assert_eq!(whole(&fabric).private_chunks, 0);
        }
    });
}

#[test]
fn dead_letters_that_nobody_takes_stay_buried() {
    watchdog(LONG, || {
        let fabric = small();
        let letters = BytesQueue::create(&fabric, "letters", 0).unwrap();
        let queue = BytesQueue::builder().max_deliveries(1).dead_letters(&letters).new_in(&fabric).unwrap();
        assert_eq!(kind(queue.get_buried()), ErrorKind::Empty);
        let give_up = |byte: u8| {
            queue.put(&vec![byte; 4000]).unwrap();
            drop(queue.get_lease().unwrap());
        };
        letters.close().unwrap();
        give_up(1);
        letters.destroy().unwrap();
        give_up(2);
        // Another queue in the same place is another queue.
        let other = BytesQueue::create(&fabric, "letters", 0).unwrap();
        give_up(3);
        assert_eq!((queue.len(), queue.buried(), other.len()), (0, 3, 0));
        queue.close().unwrap();
        assert_eq!(kind(queue.get()), ErrorKind::Closed);
        for byte in 1..=3 {
            let letter = queue.get_buried().unwrap();
            assert_eq!((letter[0], letter.len(), letter.dead_letter().unwrap().reason), (byte, 4000, DeadReason::GivenBack));
        }
        assert_eq!((kind(queue.get_buried()), queue.buried()), (ErrorKind::Empty, 0));
        assert_eq!(whole(&fabric).private_chunks, 0);
        let strange = BytesQueue::new(&small(), 0).unwrap();
        assert_eq!(kind(BytesQueue::builder().dead_letters(&strange).new_in(&fabric)), ErrorKind::InvalidArgument);
    });
}

#[test]
fn dead_letters_wait_for_memory() {
    watchdog(LONG, || {
        let fabric = capped(2 << 20);
        let letters = BytesQueue::new(&fabric, 0).unwrap();
        let queue = BytesQueue::builder().max_deliveries(1).dead_letters(&letters).new_in(&fabric).unwrap();
        queue.put(b"1").unwrap();
        queue.put(b"2").unwrap();
        let (first, second) = (queue.get_lease().unwrap(), queue.get_lease().unwrap());
        let mut all = Vec::new();
        for len in [1 << 20, 64 << 10, 8 << 10, 2048, 64] {
            while let Ok(loan) = queue.loan(len) {
                all.push(loan);
            }
        }
        drop(first);
        assert_eq!((queue.buried(), letters.len()), (1, 0), "there is no memory for a ring");
        drop(all);
        drop(second);
        assert_eq!((queue.buried(), drain(&letters)), (0, b"12".to_vec()));
        whole(&fabric);
    });
}

#[test]
fn joining_waits_for_what_is_not_done() {
    watchdog(LONG, || {
        let fabric = small();
        let queue = Queue::<u32>::builder().joinable().create(&fabric, "tasks").unwrap();
        queue.join().unwrap();
        assert_eq!(kind(queue.task_done()), ErrorKind::NotHeld);
        queue.put_many(&[1, 2, 3, 4]).unwrap();
        assert_eq!(kind(queue.task_done()), ErrorKind::NotHeld, "nothing was got");
        thread::scope(|scope| {
            let joiner = scope.spawn(|| queue.join());
            queue.get().unwrap();
            queue.bytes().get_lease().unwrap().ack().unwrap();
            drop(queue.bytes().get_lease().unwrap());
            queue.get().unwrap();
            assert_eq!(queue.bytes().unfinished().unwrap(), 3);
            queue.task_done().unwrap();
            queue.task_done().unwrap();
            assert_eq!(kind(queue.task_done()), ErrorKind::NotHeld);
            assert_eq!(kind(queue.join_timeout(SHORT)), ErrorKind::Timeout);
            let lease = queue.bytes().get_lease().unwrap();
            assert_eq!((queue.len(), queue.bytes().unfinished().unwrap()), (0, 1));
            assert!(!joiner.is_finished());
            lease.bury().unwrap(); // nobody's work any more
            joiner.join().unwrap().unwrap();
        });
        queue.join_timeout(Duration::ZERO).unwrap();
        assert_eq!(kind(queue.task_done()), ErrorKind::NotHeld);
        let plain = Queue::<u32>::new(&fabric, 0).unwrap();
        assert_eq!((kind(plain.join()), kind(plain.task_done())), (ErrorKind::InvalidArgument, ErrorKind::InvalidArgument));
        thread::scope(|scope| {
            queue.put(&5).unwrap();
            let joiner = scope.spawn(|| queue.join());
            thread::sleep(SHORT);
            queue.destroy().unwrap();
            assert_eq!(kind(joiner.join().unwrap()), ErrorKind::Gone);
        });
        whole(&fabric);
    });
}

/// Gets two items, says that one is done, and waits or ends.
#[test]
#[ignore = "a role"]
fn worker_role() {
    if peer::is("letters::worker_role") {
        let _fabric: Fabric = inherited();
        let queue = BytesQueue::from_ticket(&peer::arg("TICKET").parse().unwrap()).unwrap();
        let _items = [queue.get().unwrap(), queue.get().unwrap(), queue.get().unwrap()];
        queue.task_done().unwrap();
        peer::say("GOT");
        if peer::arg("END") == "park" {
            peer::park();
        }
    }
}

#[test]
fn items_of_a_getter_that_is_gone_are_lost_and_not_waited_for() {
    watchdog(LONG, || {
        let fabric = small();
        let queue = BytesQueue::builder().joinable().create(&fabric, "work").unwrap();
        for (end, before) in [("park", 0), ("leave", 2)] {
            (0..4_u8).for_each(|i| queue.put(&[i]).unwrap());
            let mut worker = peer_in(&fabric, "letters::worker_role").arg("TICKET", &queue.ticket().to_string()).arg("END", end).start();
            worker.expect("GOT", LONG);
            thread::scope(|scope| {
                let joiner = scope.spawn(|| queue.join());
                queue.get().unwrap();
                queue.task_done().unwrap();
                if end == "park" {
                    assert_eq!((queue.unfinished().unwrap(), queue.lost()), (2, before));
                    worker.kill();
                    fabric.sweep().unwrap();
                } else {
                    worker.wait(LONG);
                    fabric.sweep().unwrap();
                }
                joiner.join().unwrap().unwrap();
            });
            assert_eq!((queue.lost(), queue.unfinished().unwrap()), (before + 2, 0));
        }
        // Somebody else did the work after all.
        (0..4).for_each(|_| queue.task_done().unwrap());
        assert_eq!((kind(queue.task_done()), queue.lost()), (ErrorKind::NotHeld, 0));
        whole(&fabric);
    });
}

#[test]
fn the_first_lane_that_holds_something_comes_first() {
    watchdog(LONG, || {
        let fabric = small();
        let queue = BytesQueue::builder().lanes(4).capacity(6).new_in(&fabric).unwrap();
        for (lane, byte) in [(3, 30), (1, 10), (3, 31), (0, 0), (1, 11), (2, 20)] {
            queue.put_to(lane, &vec![byte; if byte % 2 == 0 { 10 } else { 5000 }]).unwrap();
        }
        assert_eq!((queue.len(), queue.is_full()), (6, true));
        for lane in 0..4 {
            assert_eq!(kind(queue.try_put_to(lane, b"x")), ErrorKind::Full, "the limit is for all lanes together");
        }
        assert_eq!(kind(queue.put_to(4, b"x")), ErrorKind::InvalidArgument);
        let taken: Vec<Lease> = (0..3).map(|_| queue.get_lease().unwrap()).collect();
        assert_eq!(taken.iter().map(|lease| lease[0]).collect::<Vec<u8>>(), [0, 10, 11]);
        queue.put_to(0, &[1]).unwrap();
        drop(taken);
        assert_eq!(drain(&queue), [0, 1, 10, 11, 20, 30, 31]);
        for lanes in [0, 9] {
            assert_eq!(kind(BytesQueue::builder().lanes(lanes).new_in(&fabric)), ErrorKind::InvalidArgument);
        }
        thread::scope(|scope| {
            let getter = scope.spawn(|| queue.get_timeout(LONG).unwrap()[0]);
            thread::sleep(SHORT * 5);
            queue.put_to(3, &[33]).unwrap();
            assert_eq!(getter.join().unwrap(), 33);
            (0..6).for_each(|_| queue.put_to(2, b"x").unwrap());
            let putter = scope.spawn(|| queue.put_to_timeout(3, b"y", LONG).unwrap());
            thread::sleep(SHORT * 5);
            assert_eq!(queue.get_many(3).unwrap().len(), 3);
            putter.join().unwrap();
        });
        queue.close().unwrap();
        assert_eq!(queue.get_many(100).unwrap().len(), 4);
        assert_eq!(kind(queue.get()), ErrorKind::Closed);
        assert_eq!(whole(&fabric).private_chunks, 0);
        queue.destroy().unwrap();
        whole(&fabric);
    });
}

#[test]
fn a_drained_queue_gives_its_memory_back() {
    watchdog(LONG, || {
        let fabric = small();
        let free = |fabric: &Fabric| whole(fabric).free_units;
        let queue = BytesQueue::builder().lanes(2).new_in(&fabric).unwrap();
        let mut least = u64::MAX;
        for lane in [0, 1, 0] {
            for _ in 0..1024 {
                queue.put_to(lane, &[1; 128]).unwrap();
            }
            least = least.min(free(&fabric));
            assert_eq!(drain(&queue).len(), 1024);
        }
        assert!(free(&fabric) >= least + 3, "{} units are free, {least} were when it was full", free(&fabric));
        // Who waits gives it back too.
        for _ in 0..1024 {
            queue.put(&[1; 128]).unwrap();
        }
        assert_eq!(queue.get_many(1024).unwrap().len(), 1024);
        let before = free(&fabric);
        thread::scope(|scope| {
            let getter = scope.spawn(|| queue.get().unwrap());
            while free(&fabric) < before + 3 {
                thread::sleep(SHORT);
            }
            queue.put(b"x").unwrap();
            getter.join().unwrap();
        });
        whole(&fabric);
    });
}
