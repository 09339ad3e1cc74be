//! Event rings: what is read is what was recorded, by several writers, after crashes, and against a model.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use polyproc_ipc::{ErrorKind, EventName, Events, Fabric, Lock, Queue, codec};
use polyproc_testkit::peer;
use polyproc_testkit::temp::TempDir;
use polyproc_testkit::watchdog::watchdog;
use proptest::prelude::*;

use crate::common::{LONG, capped, inherited, kind, peer_in, play, reopened, whole};

#[test]
fn the_last_events_in_their_order() {
    let fabric = capped(8 << 20);
    let ring = Events::new(&fabric, 16).unwrap();
    assert_eq!(ring.capacity(), 16);
    assert_eq!(ring.read().unwrap().events, []);
    let names = [ring.intern("a").unwrap(), ring.intern("b").unwrap()];
    let began = Events::now();
    for i in 0..40_u32 {
        ring.record(i as u8, names[i as usize % 2], i, u64::from(i) << 32).unwrap();
    }
    let history = ring.read().unwrap();
    assert_eq!((history.overwritten, history.torn, history.next), (24, 0, 40));
    assert_eq!(history.events.iter().map(|event| event.number).collect::<Vec<_>>(), (24..40).collect::<Vec<_>>());
    for event in &history.events {
        let i = event.number as u32;
        assert_eq!((event.kind, event.who, event.value), (i as u8, i, u64::from(i) << 32));
        assert_eq!(event.name.as_deref(), Some(["a", "b"][i as usize % 2]));
    }
    assert!(history.events.is_sorted_by_key(|event| event.time) && history.events[0].time >= began && Events::now() >= history.events[15].time);
    // What is new since then, and what of that was missed.
    ring.record_at(5, 1, EventName::OTHER, 2, 3).unwrap();
    let more = ring.read_from(history.next).unwrap();
    assert_eq!((more.events.len(), more.overwritten, more.next), (1, 0, 41));
    assert_eq!((more.events[0].time, more.events[0].name.as_deref()), (5, None));
    assert_eq!(ring.read_from(10).unwrap().overwritten, 15);
    let none = ring.read_from(1000).unwrap();
    assert_eq!((none.events.len(), none.overwritten, none.next), (0, 0, 41));
    drop(ring);
    assert_eq!(whole(&fabric).objects, 0);
}

#[test]
fn a_full_table_of_names_answers_other() {
    let fabric = capped(8 << 20);
    let ring = Events::new(&fabric, 100).unwrap();
    assert_eq!(ring.capacity(), 128);
    let numbers: Vec<u16> = (0..20).map(|i| ring.intern(&format!("name {i}")).unwrap().number()).collect();
    assert_eq!(numbers[..16], (1..=16).collect::<Vec<u16>>());
    assert_eq!(numbers[16..], [0; 4]);
    assert_eq!(ring.intern("").unwrap(), EventName::OTHER);
    // Another handle finds the same, and a long name by its end.
    let other = Events::from_ticket(&ring.lend()).unwrap();
    assert_eq!(other.intern("name 7").unwrap().number(), 8);
    let fresh = Events::new(&fabric, 16).unwrap();
    let long = format!("{}::end", "x".repeat(500));
    fresh.record(1, fresh.intern(&long).unwrap(), 0, 0).unwrap();
    let name = fresh.read().unwrap().events[0].name.clone().unwrap();
    assert!(name.len() == 120 && name.ends_with("x::end"), "{name}");
}

#[test]
fn names_tickets_and_bad_requests() {
    let fabric = capped(8 << 20);
    for capacity in [0, 15, (1 << 24) + 1, usize::MAX] {
        assert_eq!(kind(Events::new(&fabric, capacity)), ErrorKind::InvalidArgument);
    }
    assert_eq!(kind(Events::new(&fabric, 1 << 20)), ErrorKind::TooLarge);
    assert_eq!(kind(Events::open(&fabric, "ring")), ErrorKind::NotFound);
    let ring = Events::create(&fabric, "ring", 16).unwrap();
    assert_eq!(kind(Events::create(&fabric, "ring", 16)), ErrorKind::AlreadyExists);
    assert_eq!(kind(Lock::open(&fabric, "ring")), ErrorKind::WrongType);
    assert_eq!(kind(polyproc_ipc::Array::<u64>::open(&fabric, "ring")), ErrorKind::WrongType);
    assert_eq!(kind(polyproc_ipc::Cells::from_ticket(&ring.ticket())), ErrorKind::WrongType);
    assert_eq!(
        kind(polyproc_ipc::Cells::create(&fabric, polyproc_ipc::Kind::Events, None, ring_type(), 100, polyproc_ipc::Locking::None, None)),
        ErrorKind::InvalidArgument
    );
    Lock::create(&fabric, "lock").unwrap();
    assert_eq!(kind(Events::open(&fabric, "lock")), ErrorKind::WrongType);
    // As it is, whatever capacity is asked for.
    assert_eq!(Events::open_or_create(&fabric, "ring", 999).unwrap().capacity(), 16);
    let sent: Events = codec::decode(&codec::to_vec(&ring).unwrap()).unwrap();
    sent.record(3, EventName::OTHER, 0, 0).unwrap();
    assert_eq!(ring.read().unwrap().events.len(), 1);
    assert_eq!(format!("{ring:?}"), "event ring 'ring'");
    ring.destroy().unwrap();
    assert_eq!(kind(sent.record(1, EventName::OTHER, 0, 0)), ErrorKind::Gone);
    assert_eq!(kind(sent.read()), ErrorKind::Gone);
    assert_eq!(kind(sent.intern("new")), ErrorKind::Gone);
    assert_eq!(kind(Events::from_ticket(&ring.lend())), ErrorKind::Gone);
    assert!(Events::open_or_create(&fabric, "ring", 32).unwrap().read().unwrap().events.is_empty(), "nothing is left of the last one");
    whole(&fabric);
}

fn ring_type() -> &'static polyproc_ipc::CellType {
    static TYPE: std::sync::OnceLock<polyproc_ipc::CellType> = std::sync::OnceLock::new();
    TYPE.get_or_init(|| polyproc_ipc::CellType::from_code('Q').unwrap())
}

/// Damage of the words that say how large the ring is, is told when it is opened; of events and names it is a missing event or name.
#[test]
fn damage_is_told() {
    use std::os::unix::fs::FileExt;
    let fabric = capped(8 << 20);
    let ring = Events::create(&fabric, "ring", 16).unwrap();
    let name = ring.intern("the only name").unwrap();
    (0..16).for_each(|i| ring.record(1, name, i, 0).unwrap());
    let file = reopened(&fabric);
    let mut all = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut all, 0).unwrap();
    let at = all.windows(13).position(|bytes| bytes == b"the only name").unwrap() as u64 - 8;
    let data = at - 128;
    let word = |at: u64| u64::from_le_bytes(all[at as usize..][..8].try_into().unwrap());
    assert_eq!((word(data), word(data + 8), word(data + 64)), (16, 16, 16), "events, names, next");
    let with = |at: u64, value: u64, look: &dyn Fn()| {
        file.write_all_at(&value.to_le_bytes(), at).unwrap();
        look();
        file.write_all_at(&word(at).to_le_bytes(), at).unwrap();
    };
    for value in [0, 15, 32, 1 << 40, u64::MAX] {
        with(data, value, &|| assert_eq!(kind(Events::open(&fabric, "ring")), ErrorKind::Corrupt));
        with(data + 8, value, &|| assert_eq!(kind(Events::open(&fabric, "ring")), ErrorKind::Corrupt));
    }
    for next in [1 << 40, u64::MAX] {
        with(data + 64, next, &|| {
            let history = ring.read().unwrap();
            assert_eq!((history.events.len(), history.torn, history.overwritten), (0, 16, next - 16));
        });
    }
    for state in [0, 1 << 30 | 0x79, 1 << 30 | 5 | 1 << 33, u64::MAX, 1 << 31 | 0x400] {
        with(at, state, &|| assert!(ring.read().unwrap().events.iter().all(|event| event.name.is_none())));
    }
    with(at + 8, u64::MAX, &|| assert_eq!(ring.read().unwrap().events[0].name, None, "not text"));
    for byte in 0..4 {
        with(data + 128 + 16 * 128 + 5 * 32 + byte * 8, 12_345, &|| {
            let history = ring.read().unwrap();
            assert_eq!((history.events.len(), history.torn), (15, 1));
        });
    }
    assert_eq!(ring.read().unwrap().events.len(), 16);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two handles in any order, against a list.
    #[test]
    fn against_a_model(acts in proptest::collection::vec((0_usize..4, 0_u8..12, any::<u32>(), any::<u64>()), 0..150), capacity in 16_usize..64) {
        let fabric = capped(8 << 20);
        let one = Events::new(&fabric, capacity).unwrap();
        let two = Events::from_ticket(&one.lend()).unwrap();
        let (mut model, mut read) = (Vec::new(), 0);
        for (act, name, who, value) in acts {
            let ring = if act % 2 == 0 { &one } else { &two };
            if act == 3 {
                let history = ring.read_from(read).unwrap();
                let first = model.len().saturating_sub(ring.capacity()).max(read as usize);
                let found: Vec<_> = history.events.into_iter().map(|event| (event.name.unwrap().to_string(), event.who, event.value)).collect();
                prop_assert_eq!(&found[..], &model[first..]);
                prop_assert_eq!((history.overwritten, history.torn, history.next), (first as u64 - read, 0, model.len() as u64));
                read = history.next;
            } else {
                let text = format!("name {name}");
                ring.record(name, ring.intern(&text).unwrap(), who, value).unwrap();
                model.push((text, who, value));
            }
        }
    }
}

/// What a storm's writer records, so that a mixture of two would show: all parts follow from one number.
fn put(ring: &Events, who: u32, i: u64) {
    let name = ring.intern(&format!("name {}", i % 5)).unwrap();
    ring.record((i % 251) as u8, name, who, i * 0x9e37_79b9 + u64::from(who)).unwrap();
}

/// Checks every event of a reader; the last number of each writer.
fn check(events: &[polyproc_ipc::EventRecord], last: &mut BTreeMap<u32, u64>) {
    for event in events {
        let i = (event.value - u64::from(event.who)) / 0x9e37_79b9;
        assert_eq!(event.value, i * 0x9e37_79b9 + u64::from(event.who), "{event:?}");
        assert_eq!(event.kind, (i % 251) as u8, "{event:?}");
        assert_eq!(event.name.as_deref(), Some(&*format!("name {}", i % 5)), "{event:?}");
        if let Some(before) = last.insert(event.who, i) {
            assert!(before < i, "a writer's events keep their order: {before} before {event:?}");
        }
    }
}

/// Several threads write into a ring so small that they overtake each other, and one reads: nothing that is read is a mixture.
#[test]
fn many_writers_and_a_reader() {
    watchdog(LONG, || {
        let fabric = capped(8 << 20);
        let ring = Events::new(&fabric, 16).unwrap();
        let (start, over) = (Barrier::new(5), AtomicBool::new(false));
        thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|who| {
                    let (ring, start) = (ring.clone(), &start);
                    scope.spawn(move || {
                        start.wait();
                        (0..100_000).for_each(|i| put(&ring, who, i));
                    })
                })
                .collect();
            let reader = scope.spawn(|| {
                start.wait();
                let (mut from, mut last, mut seen) = (0, BTreeMap::new(), 0);
                while !over.load(Ordering::Relaxed) {
                    let history = ring.read_from(from).unwrap();
                    check(&history.events, &mut last);
                    seen += history.events.len() as u64 + history.overwritten + history.torn;
                    from = history.next;
                }
                assert_eq!(seen, from, "every event is read, overwritten or torn");
            });
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            over.store(true, Ordering::Relaxed);
            reader.join().unwrap();
        });
        assert_eq!(ring.read().unwrap().next, 400_000);
    });
}

/// Processes write and are killed; what they had recorded is there, and the table of names has none twice that was not added twice at once.
#[test]
fn writers_that_are_killed() {
    watchdog(LONG * 2, || {
        let fabric = capped(8 << 20);
        let ring = Events::create(&fabric, "ring", 1024).unwrap();
        let said = Queue::<u32>::create(&fabric, "said", 0).unwrap();
        for round in 0..5_u32 {
            let mut writers: Vec<_> = (0..3).map(|i| peer_in(&fabric, "events::writer").arg("WHO", &(round * 3 + i).to_string()).start()).collect();
            (0..3).for_each(|_| assert!(said.get().unwrap() / 3 == round));
            let until = ring.read().unwrap().next + 5000;
            while ring.read().unwrap().next < until {
                check(&ring.read().unwrap().events, &mut BTreeMap::new());
            }
            for writer in &mut writers {
                writer.kill();
            }
            fabric.sweep().unwrap();
            let history = ring.read().unwrap();
            check(&history.events, &mut BTreeMap::new());
            assert!(history.torn <= 3 * (u64::from(round) + 1), "each writer was in the middle of one at most: {}", history.torn);
            assert_eq!(history.events.len() as u64 + history.torn, 1024);
        }
        drop((ring, said));
        whole(&fabric);
    });
}

#[test]
#[ignore = "a role"]
fn writer() {
    if !peer::is("events::writer") {
        return;
    }
    let fabric = inherited();
    let ring = Events::open(&fabric, "ring").unwrap();
    let who = peer::arg("WHO").parse().unwrap();
    Queue::open(&fabric, "said").unwrap().put(&who).unwrap();
    for i in 0.. {
        put(&ring, who, i); // until it is killed
    }
}

/// By name, from a process that has nothing to do with the one that made the ring and was killed.
#[test]
fn read_after_its_maker_was_killed() {
    let dir = TempDir::new("events");
    play("events::survivor", dir.path());
}

#[test]
#[ignore = "a role"]
fn survivor() {
    if !peer::is("events::survivor") {
        return;
    }
    let fabric = Fabric::builder().cap(8 << 20).create("events").unwrap();
    let mut maker = peer::Peer::builder("events::maker").arg("POLYPROC_DIR", &peer::arg("POLYPROC_DIR")).start();
    maker.wait_line(LONG);
    maker.kill();
    let history = Events::open(&fabric, "what happened").unwrap().read().unwrap();
    assert_eq!(history.events.iter().map(|event| event.name.as_deref().unwrap()).collect::<Vec<_>>(), ["begin", "end"]);
    whole(&fabric);
}

#[test]
#[ignore = "a role"]
fn maker() {
    if !peer::is("events::maker") {
        return;
    }
    let fabric = Fabric::open("events").unwrap();
    let ring = Events::create(&fabric, "what happened", 64).unwrap();
    for name in ["begin", "end"] {
        ring.record(1, ring.intern(name).unwrap(), 0, 0).unwrap();
    }
    peer::say("recorded");
    peer::park();
}

#[test]
fn a_million_events() {
    let fabric = capped(8 << 20);
    let ring = Events::new(&fabric, 2048).unwrap();
    let name = ring.intern("a task").unwrap();
    let began = std::time::Instant::now();
    (0..1_000_000).for_each(|i| ring.record(1, name, 2, i).unwrap());
    println!("{:.1} ns per event", began.elapsed().as_nanos() as f64 / 1e6);
    assert_eq!(ring.read().unwrap().next, 1_000_000);
}
