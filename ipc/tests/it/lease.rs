//! Leases: messages that are taken but stay the queue's until they are acknowledged, through drops, deaths and the queue's end.

use std::thread;

use polyproc_ipc::{BytesQueue, ErrorKind, Fabric, Lease, Owner};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::watchdog::watchdog;

use crate::common::{LONG, SHORT, inherited, kind, peer_in, small, whole};

/// The first byte of each message that is there, in order.
fn drain(queue: &BytesQueue) -> Vec<u8> {
    std::iter::from_fn(|| queue.try_get().ok()).map(|message| message[0]).collect()
}

fn fill(queue: &BytesQueue, sizes: &[usize]) {
    for (i, size) in sizes.iter().enumerate() {
        queue.put(&vec![i as u8; *size]).unwrap();
    }
}

#[test]
fn an_acknowledged_message_is_done_with() {
    watchdog(LONG, || {
        let fabric = small();
        let queue = BytesQueue::new(&fabric, 0).unwrap();
        fill(&queue, &[10, 2048, 2049, 100_000, 1]);
        for (i, size) in [10, 2048, 2049, 100_000].into_iter().enumerate() {
            let lease = queue.get_lease().unwrap();
            assert!(*lease == *vec![i as u8; size]);
            assert_eq!((lease.deliveries(), queue.len()), (1, 4 - i));
            lease.ack().unwrap();
        }
        assert_eq!(drain(&queue), [4]);
        let report = whole(&fabric);
        assert_eq!((report.private_chunks, report.held_chunks), (0, 3), "header, ring, one entry used again and again");
    });
}

#[test]
fn what_is_dropped_goes_back_to_the_front_in_order() {
    watchdog(LONG, || {
        let fabric = small();
        let queue = BytesQueue::new(&fabric, 0).unwrap();
        fill(&queue, &[1, 5000, 1, 70_000, 1, 1]);
        let mut leases: Vec<Lease> = (0..5).map(|_| queue.get_lease().unwrap()).collect();
        assert_eq!(queue.len(), 1);
        // In any order of dropping, what was put first comes first.
        for index in [3, 0, 1, 0, 0] {
            drop(leases.remove(index));
        }
        assert_eq!(queue.len(), 6);
        let again = queue.get_lease().unwrap();
        assert_eq!((again[0], again.deliveries()), (0, 2));
        drop(again);
        let third = queue.get_lease().unwrap();
        assert_eq!((third[0], third.deliveries()), (0, 3));
        third.ack().unwrap();
        assert_eq!(drain(&queue), [1, 2, 3, 4, 5]);
        assert_eq!(whole(&fabric).private_chunks, 0);
    });
}

#[test]
fn a_waiting_getter_gets_what_comes_back() {
    watchdog(LONG, || {
        let queue = BytesQueue::new(&small(), 0).unwrap();
        for size in [1, 9000] {
            queue.put(&vec![7; size]).unwrap();
            let lease = queue.get_lease().unwrap();
            thread::scope(|scope| {
                let getter = scope.spawn(|| queue.get().unwrap().len());
                thread::sleep(SHORT);
                drop(lease);
                assert_eq!(getter.join().unwrap(), size);
            });
        }
        // What is on lease when the queue is closed comes back all the same.
        queue.put(b"last").unwrap();
        let lease = queue.get_lease().unwrap();
        queue.close().unwrap();
        assert_eq!(kind(queue.try_get()), ErrorKind::Closed);
        drop(lease);
        assert_eq!(&*queue.get().unwrap(), b"last");
        assert_eq!(kind(queue.get()), ErrorKind::Closed);
    });
}

#[test]
fn leases_do_not_count_against_the_limit_and_many_may_be_out() {
    watchdog(LONG, || {
        let fabric = small();
        let queue = BytesQueue::new(&fabric, 2).unwrap();
        let mut leases = Vec::new();
        for i in 0..200_u8 {
            queue.try_put(&[i]).unwrap();
            leases.push(queue.get_lease().unwrap());
        }
        whole(&fabric);
        for lease in leases.drain(..100) {
            lease.ack().unwrap();
        }
        drop(leases);
        assert_eq!(queue.len(), 100);
        assert_eq!(drain(&queue), (100..200).collect::<Vec<u8>>());
        queue.try_put(b"1").unwrap();
        whole(&fabric);
    });
}

#[test]
fn a_lease_outlives_its_queue() {
    watchdog(LONG, || {
        let fabric = small();
        let queue = BytesQueue::create(&fabric, "leased", 0).unwrap();
        fill(&queue, &[5, 50_000, 50_000]);
        let (small_one, large, dropped) = (queue.get_lease().unwrap(), queue.get_lease().unwrap(), queue.get_lease().unwrap());
        queue.destroy().unwrap();
        assert_eq!(whole(&fabric).private_chunks, 2, "the chunks are their reader's");
        // A new queue in the same place, which uses the entries again.
        let new = BytesQueue::create(&fabric, "leased", 0).unwrap();
        new.put(b"new").unwrap();
        let lease = new.get_lease().unwrap();
        large.set_progress(99);
        small_one.set_progress(99);
        assert!(large.iter().all(|byte| *byte == 1) && large.len() == 50_000);
        assert_eq!(kind(small_one.ack()), ErrorKind::Gone);
        assert_eq!(kind(large.ack()), ErrorKind::Gone);
        drop(dropped);
        assert_eq!(whole(&fabric).private_chunks, 0);
        assert_eq!((new.len(), &*lease), (0, &b"new"[..]));
        lease.ack().unwrap();
        assert!(new.is_empty());
        whole(&fabric);
    });
}

/// A peer that has taken `count` messages on lease from the queue of `ticket`.
fn holder(fabric: &Fabric, queue: &BytesQueue, count: usize) -> (Peer, Owner) {
    let mut peer = peer_in(fabric, "lease::holder_role").arg("TICKET", &queue.ticket().to_string()).arg("COUNT", &count.to_string()).start();
    let owner = Owner::from_bits(peer.wait_line(LONG).parse().unwrap());
    assert!(fabric.alive(owner));
    (peer, owner)
}

#[test]
#[ignore = "a role"]
fn holder_role() {
    if peer::is("lease::holder_role") {
        let fabric = inherited();
        let queue = BytesQueue::from_ticket(&peer::arg("TICKET").parse().unwrap()).unwrap();
        let count: usize = peer::arg("COUNT").parse().unwrap();
        let leases: Vec<Lease> = (0..count).map(|_| queue.get_lease().unwrap()).collect();
        leases.iter().for_each(|lease| lease.set_progress(1000 + u64::from(lease[0])));
        peer::say(&fabric.member().unwrap().to_bits().to_string());
        peer::park();
    }
}

#[test]
fn what_a_killed_holder_had_comes_back_with_the_sweep() {
    watchdog(LONG, || {
        let fabric = small();
        let queue = BytesQueue::new(&fabric, 0).unwrap();
        fill(&queue, &[10, 3000, 10, 200_000, 10, 10]);
        let (mut peer, owner) = holder(&fabric, &queue, 5);
        assert_eq!(queue.len(), 1);
        assert_eq!(kind(queue.reclaim(owner)), ErrorKind::InvalidArgument);
        thread::scope(|scope| {
            assert_eq!(queue.get().unwrap()[0], 5);
            let getter = scope.spawn(|| queue.get_lease().map(|lease| (lease[0], lease.deliveries(), lease.ack())).unwrap());
            thread::sleep(SHORT);
            peer.kill();
            assert!(!fabric.alive(owner));
            assert_eq!(fabric.sweep().unwrap(), 1);
            assert!(matches!(getter.join().unwrap(), (0, 2, Ok(()))));
        });
        assert_eq!(queue.len(), 4);
        let second = queue.get_lease().unwrap();
        assert_eq!((second[0], second.len(), second.deliveries()), (1, 3000, 2));
        drop(second);
        assert_eq!(drain(&queue), [1, 2, 3, 4]);
        assert!(queue.reclaim(owner).unwrap().is_empty());
        let report = whole(&fabric);
        assert_eq!((report.private_chunks, report.unswept), (0, 0));
    });
}

#[test]
fn a_queue_for_reclaim_keeps_them_for_who_asks() {
    watchdog(LONG, || {
        let fabric = small();
        let queue = BytesQueue::new_for_reclaim(&fabric, 0).unwrap();
        fill(&queue, &[10, 3000, 10, 10]);
        drop(queue.get_lease().unwrap()); // a drop goes back here too
        let (mut peer, owner) = holder(&fabric, &queue, 3);
        peer.kill();
        fabric.sweep().unwrap();
        assert_eq!(queue.len(), 1);
        whole(&fabric);
        let mut reclaimed = queue.reclaim(owner).unwrap();
        reclaimed.sort_by_key(|reclaimed| reclaimed.message[0]);
        let told: Vec<_> = reclaimed.iter().map(|r| (r.message[0], r.message.len(), r.progress, r.deliveries)).collect();
        assert_eq!(told, [(0, 10, 1000, 2), (1, 3000, 1001, 1), (2, 10, 1002, 1)]);
        assert!(reclaimed[1].message.is_shared());
        assert!(queue.reclaim(owner).unwrap().is_empty());
        drop(reclaimed);
        assert_eq!(drain(&queue), [3]);
        assert_eq!(whole(&fabric).private_chunks, 0);
    });
}

/// Who holds what is listed, with the first bytes of each message, wherever it is kept; and listing changes nothing.
#[test]
fn leases_are_listed() {
    let fabric = small();
    let queue = BytesQueue::new(&fabric, 0).unwrap();
    fill(&queue, &[10, 5000, 100_000, 3]);
    assert_eq!(queue.leases(8).unwrap(), []);
    let held: Vec<Lease> = (0..3).map(|_| queue.get_lease().unwrap()).collect();
    held[1].set_progress(77);
    let mut listed = queue.leases(16).unwrap();
    listed.sort_by_key(|lease| lease.head[0]);
    let me = fabric.member().unwrap();
    let expected: Vec<_> = [(0, vec![0; 10]), (77, vec![1; 16]), (0, vec![2; 16])].into_iter().map(|(progress, head)| (me, progress, 1, head)).collect();
    let found: Vec<_> = listed.into_iter().map(|lease| (lease.holder, lease.progress, lease.deliveries, lease.head)).collect();
    assert_eq!(found, expected);
    assert!(queue.leases(0).unwrap().iter().all(|lease| lease.head.is_empty()));
    held.into_iter().for_each(|lease| lease.ack().unwrap());
    assert_eq!(queue.leases(8).unwrap(), []);
    assert_eq!(drain(&queue), [3]);
    queue.destroy().unwrap();
    assert_eq!(kind(queue.leases(8)), ErrorKind::Gone);
    whole(&fabric);
}
