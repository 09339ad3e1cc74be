//! The meaning of queues: order, limits, time, closing, large messages, tickets, destruction, values.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use polyproc_ipc::{BytesQueue, ErrorKind, Fabric, Kind, Lock, Queue, Ticket, codec};
use polyproc_testkit::peer;
use polyproc_testkit::watchdog::watchdog;
use serde::{Deserialize, Serialize, Serializer};

use crate::common::{LONG, SHORT, capped, inherited, kind, peer_in, small, whole};

#[test]
fn first_in_first_out() {
    watchdog(LONG, || {
        let fabric = small();
        let queue = BytesQueue::new(&fabric, 0).unwrap();
        // Enough for several rings of the chain, of all sizes around the longest inline one.
        let messages: Vec<Vec<u8>> = (0..2000_usize).map(|i| vec![i as u8; i * 7 % 2100]).collect();
        for message in &messages {
            queue.put(message).unwrap();
        }
        assert_eq!(queue.len(), messages.len());
        for message in &messages {
            assert_eq!(*queue.get().unwrap(), **message);
        }
        assert!(queue.is_empty());
        assert_eq!(kind(queue.try_get()), ErrorKind::Empty);
        whole(&fabric);
    });
}

#[test]
fn a_bounded_queue_is_full_at_its_limit() {
    watchdog(LONG, || {
        for capacity in [1, 2, 3, 10, 1000] {
            let fabric = small();
            let queue = BytesQueue::new(&fabric, capacity).unwrap();
            assert_eq!(queue.capacity(), Some(capacity));
            for i in 0..capacity {
                assert!(!queue.is_full());
                assert_eq!(queue.len(), i);
                queue.try_put(&[1; 100]).unwrap();
            }
            assert!(queue.is_full());
            for size in [1, 5000] {
                assert_eq!(kind(queue.try_put(&vec![2; size])), ErrorKind::Full);
                let since = Instant::now();
                assert_eq!(kind(queue.put_timeout(&vec![2; size], SHORT)), ErrorKind::Timeout);
                assert!(since.elapsed() >= SHORT);
            }
            queue.get().unwrap();
            queue.try_put(&[3; 5000]).unwrap();
            assert_eq!(kind(queue.try_put(b"")), ErrorKind::Full);
            for _ in 0..capacity - 1 {
                assert_eq!(queue.get().unwrap()[0], 1);
            }
            assert_eq!(queue.get().unwrap().len(), 5000);
            assert_eq!(whole(&fabric).private_chunks, 0);
        }
        assert_eq!(BytesQueue::new(&small(), 0).unwrap().capacity(), None);
    });
}

#[test]
fn a_getter_waits_at_least_its_time() {
    watchdog(LONG, || {
        let queue = BytesQueue::new(&small(), 0).unwrap();
        for time in [Duration::ZERO, Duration::from_micros(10), SHORT, SHORT * 5] {
            let since = Instant::now();
            assert_eq!(kind(queue.get_timeout(time)), ErrorKind::Timeout);
            assert_eq!(kind(queue.get_many_timeout(3, time)), ErrorKind::Timeout);
            assert_eq!(kind(queue.get_lease_timeout(Some(time))), ErrorKind::Timeout);
            assert!(since.elapsed() >= time * 3);
        }
        queue.put(b"now").unwrap();
        assert_eq!(&*queue.get_timeout(Duration::MAX).unwrap(), b"now");
    });
}

#[test]
fn a_sleeping_getter_and_a_sleeping_putter_are_woken() {
    watchdog(LONG, || {
        let fabric = small();
        let queue = BytesQueue::new(&fabric, 1).unwrap();
        thread::scope(|scope| {
            let putter = scope.spawn(|| (0..200_u8).for_each(|i| queue.put(&[i]).unwrap()));
            for i in 0..200_u8 {
                if i % 50 == 0 {
                    thread::sleep(SHORT); // the putter sleeps; then the getter does
                }
                assert_eq!(*queue.get().unwrap(), [i]);
            }
            putter.join().unwrap();
        });
        whole(&fabric);
    });
}

#[test]
fn closing_is_for_everybody() {
    watchdog(LONG, || {
        let fabric = small();
        let queue = BytesQueue::new(&fabric, 2).unwrap();
        let empty = BytesQueue::new(&fabric, 0).unwrap();
        queue.put(b"1").unwrap();
        queue.put(&[2; 3000]).unwrap();
        thread::scope(|scope| {
            let putters = [scope.spawn(|| queue.put(b"3")), scope.spawn(|| queue.put(&[4; 4000]))];
            let many = scope.spawn(|| queue.put_many(&[b"5", b"6"]));
            let getters = [scope.spawn(|| empty.get()), scope.spawn(|| empty.get())];
            let lease = scope.spawn(|| empty.get_lease().map(drop));
            thread::sleep(SHORT);
            queue.close().unwrap();
            empty.close().unwrap();
            putters.into_iter().for_each(|putter| assert_eq!(kind(putter.join().unwrap()), ErrorKind::Closed));
            assert_eq!(kind(many.join().unwrap()), ErrorKind::Closed);
            getters.into_iter().for_each(|getter| assert_eq!(kind(getter.join().unwrap()), ErrorKind::Closed));
            assert_eq!(kind(lease.join().unwrap()), ErrorKind::Closed);
        });
        assert!(queue.is_closed() && empty.is_closed());
        queue.close().unwrap();
        assert_eq!(kind(queue.try_put(b"")), ErrorKind::Closed);
        assert_eq!(kind(queue.put_timeout(&[0; 9000], SHORT)), ErrorKind::Closed);
        assert_eq!(queue.len(), 2);
        assert_eq!(&*queue.get().unwrap(), b"1");
        assert_eq!(queue.try_get().unwrap().len(), 3000);
        assert_eq!(kind(queue.get()), ErrorKind::Closed);
        assert_eq!(kind(queue.try_get()), ErrorKind::Closed);
        assert_eq!(kind(queue.get_many(5)), ErrorKind::Closed);
        assert_eq!(kind(queue.get_timeout(SHORT)), ErrorKind::Closed);
        assert_eq!(whole(&fabric).private_chunks, 0);
    });
}

#[test]
fn many_at_once() {
    watchdog(LONG, || {
        let queue = BytesQueue::new(&small(), 0).unwrap();
        let messages: Vec<Vec<u8>> = (0..500_usize).map(|i| vec![i as u8; if i % 50 == 0 { 10_000 } else { i }]).collect();
        let slices: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        assert_eq!(queue.put_many(&slices).unwrap(), 500);
        assert_eq!(queue.put_many(&[]).unwrap(), 0);
        assert!(queue.get_many(0).unwrap().is_empty());
        let mut got = queue.get_many(7).unwrap();
        assert_eq!(got.len(), 7);
        while got.len() < 500 {
            got.extend(queue.get_many(usize::MAX).unwrap());
        }
        assert!(got.iter().zip(&messages).all(|(got, put)| **got == **put));

        // A bounded queue takes more than its limit at once, as room comes.
        let queue = BytesQueue::new(queue.fabric(), 5).unwrap();
        thread::scope(|scope| {
            let putter = scope.spawn(|| queue.put_many(&slices).unwrap());
            for message in &messages {
                assert_eq!(*queue.get().unwrap(), **message);
            }
            assert_eq!(putter.join().unwrap(), 500);
        });
    });
}

#[test]
fn large_messages_are_seen_in_place() {
    watchdog(LONG, || {
        let fabric = small();
        let queue = BytesQueue::new(&fabric, 0).unwrap();
        queue.put(b"the ring is there").unwrap();
        queue.get().unwrap();
        let before = whole(&fabric).held_chunks;
        for size in [0, 1, 112, 113, 2047, 2048, 2049, 4096, 32 << 10, (32 << 10) + 1, 64 << 10, (64 << 10) + 1, 1 << 20, 5 << 20] {
            let bytes: Vec<u8> = (0..size).map(|i| (i * 31 + size) as u8).collect();
            queue.put(&bytes).unwrap();
            assert_eq!(whole(&fabric).held_chunks, before + usize::from(size > 2048), "{size}");
            let message = queue.get().unwrap();
            assert!(*message == *bytes, "{size}");
            assert_eq!(message.is_shared(), size > 2048, "{size}");
            let report = whole(&fabric);
            assert_eq!((report.private_chunks, report.held_chunks), (usize::from(size > 2048), before), "{size}");
            if size % 2 == 0 {
                drop(message);
            } else {
                assert!(message.into_vec() == bytes);
            }
            assert_eq!(whole(&fabric).private_chunks, 0, "{size}");
        }
    });
}

#[test]
fn a_loan_is_built_in_place() {
    watchdog(LONG, || {
        let fabric = small();
        let queue = BytesQueue::new(&fabric, 1).unwrap();
        for size in [0, 1, 100, 70_000] {
            let mut loan = queue.loan(size).unwrap();
            assert_eq!(loan.len(), size);
            loan.fill(7);
            queue.put_loan(loan).unwrap();
            let message = queue.get().unwrap();
            assert!(message.is_shared() && message.len() == size && message.iter().all(|byte| *byte == 7));
        }
        drop(queue.loan(5000).unwrap());
        assert_eq!(whole(&fabric).private_chunks, 0);
        // What cannot be put comes back whole.
        let mut loan = queue.loan(9).unwrap();
        loan.copy_from_slice(b"unharmed!");
        queue.close().unwrap();
        let unsent = queue.put_loan(loan).unwrap_err();
        assert_eq!((unsent.error.kind(), &*unsent.loan), (ErrorKind::Closed, &b"unharmed!"[..]));
        let other = BytesQueue::new(&small(), 0).unwrap();
        let unsent = other.put_loan(unsent.loan).unwrap_err();
        assert_eq!(unsent.error.kind(), ErrorKind::InvalidArgument);
        drop(unsent);
        assert_eq!(whole(&fabric).private_chunks, 0);
    });
}

#[test]
fn a_quiet_put_is_found_without_a_wake() {
    watchdog(LONG, || {
        let queue = BytesQueue::new(&small(), 0).unwrap();
        thread::scope(|scope| {
            let getter = scope.spawn(|| (queue.get().unwrap(), queue.get().unwrap()));
            thread::sleep(SHORT);
            queue.put_quiet(b"1").unwrap();
            queue.put_quiet(&[2; 3000]).unwrap();
            queue.wake();
            let (first, second) = getter.join().unwrap();
            assert_eq!((&*first, second.len()), (&b"1"[..], 3000));
        });
        queue.wake();
    });
}

#[test]
fn a_queue_travels_through_a_queue_and_through_text() {
    watchdog(LONG, || {
        let fabric = small();
        let jobs = Queue::<(u64, Queue<String>)>::new(&fabric, 0).unwrap();
        let answers = Queue::<String>::new(&fabric, 0).unwrap();
        let mut worker = peer_in(&fabric, "queue::ticket_worker").arg("TICKET", &jobs.ticket().to_string()).start();
        for i in 0..10 {
            jobs.put(&(i, answers.clone())).unwrap();
            assert_eq!(answers.get().unwrap(), format!("answer {i}"));
        }
        jobs.close().unwrap();
        assert!(worker.wait(LONG).success());
        let ticket: Ticket = jobs.ticket().to_string().parse().unwrap();
        assert_eq!((ticket, ticket.kind(), ticket.fabric()), (jobs.ticket(), Some(Kind::Queue), fabric.id()));
        assert_eq!(kind(Lock::from_ticket(&ticket)), ErrorKind::WrongType);
        jobs.destroy().unwrap();
        assert_eq!(kind(BytesQueue::from_ticket(&ticket)), ErrorKind::Gone);
        drop((jobs, answers, fabric));
        assert_eq!(kind(BytesQueue::from_ticket(&ticket)), ErrorKind::NotAttached);
        assert!("no ticket".parse::<Ticket>().is_err());
    });
}

#[test]
#[ignore = "a role"]
fn ticket_worker() {
    if peer::is("queue::ticket_worker") {
        let _fabric = inherited();
        let jobs = Queue::<(u64, Queue<String>)>::from_ticket(&peer::arg("TICKET").parse().unwrap()).unwrap();
        loop {
            match jobs.get() {
                Ok((number, back)) => back.put(&format!("answer {number}")).unwrap(),
                Err(error) => return assert_eq!(error.kind(), ErrorKind::Closed),
            }
        }
    }
}

#[test]
fn a_destroyed_queue_is_gone_for_everybody() {
    watchdog(LONG, || {
        let fabric = small();
        let before = whole(&fabric);
        let full = BytesQueue::create(&fabric, "full", 1).unwrap();
        let empty = BytesQueue::create(&fabric, "empty", 0).unwrap();
        full.put(&[1; 5000]).unwrap();
        thread::scope(|scope| {
            let getters: Vec<_> = (0..3).map(|_| scope.spawn(|| empty.get())).collect();
            let full = &full;
            let putters: Vec<_> = (0..3).map(|i| scope.spawn(move || full.put(&vec![2; i * 3000]))).collect();
            thread::sleep(SHORT);
            full.destroy().unwrap();
            fabric.remove("empty").unwrap();
            getters.into_iter().for_each(|getter| assert_eq!(kind(getter.join().unwrap()), ErrorKind::Gone));
            putters.into_iter().for_each(|putter| assert_eq!(kind(putter.join().unwrap()), ErrorKind::Gone));
        });
        assert_eq!(kind(full.put(b"")), ErrorKind::Gone);
        assert_eq!(kind(full.try_get()), ErrorKind::Gone);
        assert_eq!(kind(full.close()), ErrorKind::Gone);
        assert_eq!(kind(full.destroy()), ErrorKind::Gone);
        assert_eq!(kind(fabric.remove("full")), ErrorKind::NotFound);
        assert_eq!(kind(BytesQueue::open(&fabric, "full")), ErrorKind::NotFound);
        // Another queue in the same place has nothing to do with the old handles.
        let (new, other) = (BytesQueue::create(&fabric, "full", 7).unwrap(), BytesQueue::create(&fabric, "empty", 9).unwrap());
        for queue in [&new, &other] {
            assert_eq!((queue.len(), queue.is_closed()), (0, false));
            queue.put(b"new").unwrap();
        }
        for old in [&full, &empty] {
            assert_eq!((old.len(), old.capacity(), kind(old.get())), (0, None, ErrorKind::Gone));
        }
        assert_eq!(&*new.get().unwrap(), b"new");
        new.destroy().unwrap();
        other.destroy().unwrap();
        let after = whole(&fabric);
        assert_eq!((after.objects, after.private_chunks), (before.objects, 0));
        assert_eq!(after.held_chunks, 2, "two retired headers, to be used again");
    });
}

#[test]
fn an_unnamed_queue_goes_with_its_last_handle_or_its_maker() {
    watchdog(LONG, || {
        let fabric = small();
        let mut maker = peer_in(&fabric, "queue::maker").start();
        maker.expect("MADE", LONG);
        assert_eq!(whole(&fabric).objects, 2, "one unnamed, one ticketed");
        maker.kill();
        assert_eq!(fabric.sweep().unwrap(), 1);
        assert_eq!(fabric.sweep().unwrap(), 0);
        let report = whole(&fabric);
        assert_eq!((report.objects, report.private_chunks, report.unswept, report.members), (1, 0, 0, 1));
    });
}

#[test]
#[ignore = "a role"]
fn maker() {
    if peer::is("queue::maker") {
        let fabric = inherited();
        drop(BytesQueue::new(&fabric, 0).unwrap());
        assert!(fabric.objects().unwrap().is_empty());
        let own = BytesQueue::new(&fabric, 0).unwrap();
        own.put(&[1; 4000]).unwrap();
        let given = BytesQueue::new(&fabric, 0).unwrap();
        given.ticket();
        let owners: Vec<_> = fabric.objects().unwrap().into_iter().map(|object| object.owner).collect();
        assert!(owners.contains(&None) && owners.contains(&Some(fabric.member().unwrap())));
        peer::say("MADE");
        peer::park();
    }
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
enum Shape {
    Point,
    Line { from: (i32, i32), to: (i32, i32) },
    Named(String, Option<BTreeMap<String, Vec<f64>>>),
}

struct Stubborn(bool);

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 { Err(serde::ser::Error::custom("I will not")) } else { serializer.serialize_u8(1) }
    }
}

#[test]
fn values_come_back_as_they_were() {
    watchdog(LONG, || {
        let fabric = small();
        let queue = Queue::<Shape>::new(&fabric, 0).unwrap();
        let map = BTreeMap::from([("é".to_owned(), vec![1.5, f64::MAX]), (String::new(), vec![])]);
        let shapes = [
            Shape::Point,
            Shape::Line { from: (i32::MIN, 0), to: (1, i32::MAX) },
            Shape::Named("x".repeat(10_000), Some(map)),
            Shape::Named(String::new(), None),
        ];
        assert_eq!(queue.put_many(&shapes).unwrap(), 4);
        assert_eq!(queue.get().unwrap(), shapes[0]);
        assert_eq!(queue.get_timeout(SHORT).unwrap(), shapes[1]);
        assert_eq!(queue.get_many(9).unwrap().map(Result::unwrap).collect::<Vec<_>>(), shapes[2..]);
        assert_eq!(kind(queue.try_get()), ErrorKind::Empty);
        queue.try_put(&shapes[2]).unwrap();
        queue.put_timeout(&shapes[3], SHORT).unwrap();
        assert_eq!((queue.try_get().unwrap(), queue.get().unwrap()), (shapes[2].clone(), shapes[3].clone()));
        whole(&fabric);
    });
}

#[test]
fn what_cannot_be_encoded_or_decoded_is_not_lost() {
    watchdog(LONG, || {
        let fabric = capped(8 << 20);
        let stubborn = Queue::<Stubborn>::new(&fabric, 0).unwrap();
        assert_eq!(kind(stubborn.put(&Stubborn(true))), ErrorKind::Encode);
        assert_eq!(kind(stubborn.put_many(&[Stubborn(true), Stubborn(false)])), ErrorKind::Encode);
        assert_eq!(stubborn.len(), 0);
        let many: Vec<Stubborn> = (0..100).map(|i| Stubborn(i == 70)).collect();
        assert_eq!(stubborn.put_many(&many).unwrap(), 70);
        assert_eq!(stubborn.len(), 70);

        let (text, number) = (Queue::<String>::create(&fabric, "typed", 0).unwrap(), Queue::<u8>::open(&fabric, "typed").unwrap());
        let long = "long".repeat(1000);
        text.put_many(&["short".to_owned(), long.clone(), "3".to_owned()]).unwrap();
        number.put(&4).unwrap();
        text.bytes().put(b"raw").unwrap();
        let error = number.get().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert_eq!(codec::decode::<String>(&error.into_message().unwrap()).unwrap(), "short");
        let mut got = number.get_many(10).unwrap();
        assert_eq!(got.len(), 4);
        let message = got.next().unwrap().unwrap_err().into_message().unwrap();
        assert_eq!((codec::decode::<String>(&message).unwrap(), message.is_shared(), message.codec()), (long, true, codec::MESSAGEPACK));
        assert_eq!(kind(got.next().unwrap()), ErrorKind::Decode);
        assert_eq!(got.next().unwrap().unwrap(), 4);
        let raw = got.next().unwrap().unwrap_err();
        assert_eq!((raw.kind(), &*raw.into_message().unwrap()), (ErrorKind::Decode, &b"raw"[..]));
        drop((message, got));
        assert_eq!(whole(&fabric).private_chunks, 0);
    });
}

#[test]
fn names_lead_to_one_queue() {
    watchdog(LONG, || {
        let fabric = small();
        let made = BytesQueue::create(&fabric, "jobs", 3).unwrap();
        assert_eq!(kind(BytesQueue::create(&fabric, "jobs", 3)), ErrorKind::AlreadyExists);
        let opened = BytesQueue::open_or_create(&fabric, "jobs", 99).unwrap();
        made.put(b"x").unwrap();
        assert_eq!((opened.capacity(), &*opened.get().unwrap()), (Some(3), &b"x"[..]));
        assert_eq!(kind(BytesQueue::open(&fabric, "work")), ErrorKind::NotFound);
        assert_eq!(kind(Lock::open(&fabric, "jobs")), ErrorKind::WrongType);
        assert_eq!(kind(Lock::open_or_create(&fabric, "jobs")), ErrorKind::WrongType);
        for bad in ["", "a/b", "a\0b", "line\n", &"x".repeat(129)] {
            assert_eq!(kind(BytesQueue::open_or_create(&fabric, bad, 0)), ErrorKind::BadName, "{bad:?}");
            assert_eq!(kind(fabric.remove(bad)), ErrorKind::BadName, "{bad:?}");
        }
        let long = "é".repeat(64);
        BytesQueue::create(&fabric, &long, 0).unwrap();
        let names: Vec<_> = fabric.objects().unwrap().into_iter().filter_map(|object| object.name).collect();
        assert!(names.len() == 2 && names.contains(&long) && names.contains(&"jobs".to_owned()));
        drop((made, opened));
        assert_eq!(fabric.objects().unwrap().len(), 2, "a named queue outlives its handles");
        whole(&fabric);
    });
}

#[test]
fn the_empty_name_leads_to_no_unnamed_object() {
    let fabric = small();
    let queues: Vec<_> = (0..600).map(|_| BytesQueue::new(&fabric, 0).unwrap()).collect();
    assert_eq!(kind(fabric.remove("")), ErrorKind::BadName);
    queues.iter().for_each(|queue| queue.put(b"still here").unwrap());
    let other = Fabric::new().unwrap();
    assert_ne!(fabric.id(), other.id());
}
