//! Value and Array: counters of many processes, structs, wrong types, bounds, locks of every sort, holders that die, text, a model.

use std::os::unix::fs::FileExt;
use std::thread;

use polyproc_ipc::bytemuck::{Pod, Zeroable};
use polyproc_ipc::{Acquired, Array, CellType, Cells, Char, ErrorKind, Kind, Lock, LockError, Locking, Queue, Struct, Value, codec};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::watchdog::watchdog;
use proptest::prelude::*;

use crate::common::{Dice, LONG, SHORT, capped, inherited, kind, peer_in, reopened, small, whole};

const PEERS: u64 = 3;
const TURNS: u64 = 4000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[bytemuck(crate = "polyproc_ipc::bytemuck")]
#[repr(C)]
struct Particle {
    at: [f64; 3],
    charge: i32,
    id: u32,
}

impl Struct for Particle {
    const FORMAT: &'static str = "3diI";
}

/// The same bytes, with another meaning.
#[derive(Clone, Copy, Pod, Zeroable)]
#[bytemuck(crate = "polyproc_ipc::bytemuck")]
#[repr(C)]
struct Other {
    words: [u64; 4],
}

impl Struct for Other {
    const FORMAT: &'static str = "4Q";
}

#[test]
fn counters_lose_nothing_under_the_lock_and_by_atomics() {
    watchdog(LONG, || {
        let fabric = small();
        let locked = Value::create(&fabric, "locked", 0_i64).unwrap();
        let atomic = Value::create_with(&fabric, "atomic", 0_u64, Locking::None).unwrap();
        let small = Array::<u8>::create_zeroed(&fabric, "small", 3).unwrap();
        let pair = Value::create(&fabric, "pair", Particle::default()).unwrap();
        let mut peers: Vec<Peer> = (0..PEERS).map(|_| peer_in(&fabric, "cells::counter").start()).collect();
        thread::scope(|scope| {
            (0..2).for_each(|_| drop(scope.spawn(count(&locked, &atomic, &small, &pair))));
        });
        peers.iter_mut().for_each(|peer| assert!(peer.wait(LONG).success()));
        let all = (PEERS + 2) * TURNS;
        assert_eq!((locked.get().unwrap(), atomic.load().unwrap()), (all as i64, all));
        // Neighbours of one word each get their own.
        assert_eq!(small.to_vec().unwrap(), [0, all as u8, (all as u8).wrapping_mul(3)]);
        assert_eq!(pair.get().unwrap(), Particle { at: [all as f64, 0.0, -(all as f64)], charge: all as i32, id: 7 });
        whole(&fabric);
    });
}

fn count<'a>(locked: &'a Value<i64>, atomic: &'a Value<u64>, small: &'a Array<u8>, pair: &'a Value<Particle>) -> impl FnOnce() + 'a {
    || {
        for _ in 0..TURNS {
            locked.update(|count| *count += 1).unwrap();
            atomic.fetch_add(1).unwrap();
            small.fetch_add(1, 1).unwrap();
            small.fetch_sub(2, 253).unwrap();
            let held = pair.lock().unwrap();
            let mut now = held.get().unwrap();
            assert_eq!((now.at[0], now.at[2]), (f64::from(now.charge), -f64::from(now.charge)), "torn");
            now = Particle { at: [now.at[0] + 1.0, 0.0, now.at[2] - 1.0], charge: now.charge + 1, id: 7 };
            // The lock is recursive: the value's own calls go on beside the guard.
            pair.set(now).unwrap();
            assert_eq!(held.get().unwrap(), now);
        }
    }
}

#[test]
#[ignore = "a role"]
fn counter() {
    if peer::is("cells::counter") {
        let fabric = inherited();
        let (locked, atomic) = (Value::open(&fabric, "locked").unwrap(), Value::open(&fabric, "atomic").unwrap());
        let (small, pair) = (Array::open(&fabric, "small").unwrap(), Value::open(&fabric, "pair").unwrap());
        count(&locked, &atomic, &small, &pair)();
    }
}

#[test]
fn compare_exchange_is_one_step() {
    watchdog(LONG, || {
        let fabric = small();
        let cells = Array::new_with(&fabric, &[-1_i16, 0, i16::MAX], Locking::None).unwrap();
        assert_eq!(cells.fetch_add(2, 1).unwrap(), i16::MAX);
        assert_eq!(cells.load(2).unwrap(), i16::MIN);
        assert_eq!(cells.compare_exchange(0, -1, 5).unwrap(), Ok(-1));
        assert_eq!(cells.compare_exchange(0, -1, 6).unwrap(), Err(5));
        assert_eq!((cells.swap(1, -7).unwrap(), cells.swap(1, 3).unwrap()), (0, -7));
        cells.store(1, -2).unwrap();
        assert_eq!(cells.to_vec().unwrap(), [5, -2, i16::MIN]);
        let word = Value::new(&fabric, u32::MAX).unwrap();
        assert_eq!((word.fetch_add(2).unwrap(), word.load().unwrap(), word.fetch_sub(2).unwrap()), (u32::MAX, 1, 1));
        // Of many who want it, each gets it once.
        let ticket = Value::new(&fabric, 0_usize).unwrap();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let mut seen = ticket.load().unwrap();
                        while let Err(now) = ticket.compare_exchange(seen, seen + 1).unwrap() {
                            seen = now;
                        }
                    }
                });
            }
        });
        assert_eq!(ticket.load().unwrap(), 1500);
    });
}

#[test]
#[allow(clippy::float_cmp)] // what was put in comes out, bit by bit
fn every_type_comes_back() {
    watchdog(LONG, || {
        let fabric = small();
        macro_rules! round_trip {
            ($($values:expr),* $(,)?) => {
                $({
                    let values = $values;
                    let array = Array::new(&fabric, &values).unwrap();
                    assert_eq!(array.to_vec().unwrap(), values);
                    let value = Value::new(&fabric, values[0]).unwrap();
                    assert_eq!(value.get().unwrap(), values[0]);
                    value.set(values[1]).unwrap();
                    assert_eq!(value.copy().unwrap().get().unwrap(), values[1]);
                    array.fill(.., values[1]).unwrap();
                    assert_eq!(array.copy().unwrap().snapshot().unwrap().collect::<Vec<_>>(), vec![values[1]; values.len()]);
                })*
            };
        }
        round_trip!(
            [i8::MIN, i8::MAX],
            [u8::MIN, u8::MAX],
            [i16::MIN, -1],
            [u16::MAX, 1],
            [i32::MIN, -1, 7],
            [u32::MAX, 1],
            [i64::MIN, -1],
            [u64::MAX, 1],
            [isize::MIN, 1],
            [usize::MAX, 1],
            [f32::MIN, -0.5],
            [f64::INFINITY, 0.1],
            [true, false, true],
            ['ß', '\u{10FFFF}'],
            [Char(1), Char(200)],
            [Particle { at: [1.0, 2.0, 3.0], charge: -1, id: 1 }, Particle::default()],
        );
        whole(&fabric);
    });
}

#[test]
fn other_types_and_sizes_are_told() {
    watchdog(LONG, || {
        let fabric = small();
        let _numbers = Array::create(&fabric, "numbers", &[1_i64, 2]).unwrap();
        let _one = Value::create(&fabric, "one", Particle::default()).unwrap();
        let _queue = Queue::<u8>::create(&fabric, "queue", 0).unwrap();
        let error = Array::<f64>::open(&fabric, "numbers").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongType);
        assert!(error.to_string().contains("2 cells of type 'q' (8 bytes), not 2 of type 'd' (8 bytes)"), "{error}");
        assert_eq!(kind(Array::<u64>::open(&fabric, "numbers")), ErrorKind::WrongType);
        assert_eq!(kind(Array::<i64>::open_or_create(&fabric, "numbers", 3)), ErrorKind::WrongType);
        assert_eq!(kind(Value::<i64>::open(&fabric, "numbers")), ErrorKind::WrongType);
        assert_eq!(kind(Value::<Other>::open(&fabric, "one")), ErrorKind::WrongType);
        assert_eq!(kind(Value::<i64>::open(&fabric, "queue")), ErrorKind::WrongType);
        assert_eq!(kind(Value::<i64>::open(&fabric, "none")), ErrorKind::NotFound);
        assert_eq!(kind(Value::create(&fabric, "one", 1_u8)), ErrorKind::AlreadyExists);
        assert_eq!(Array::<isize>::open(&fabric, "numbers").unwrap().len(), 2);
        assert_eq!(Value::open_or_create(&fabric, "one", Particle { id: 9, ..Particle::default() }).unwrap().get().unwrap().id, 0);
        // As another language has them: by codes and sizes.
        let longs = Cells::open_or_create(&fabric, Kind::Array, "numbers", &CellType::from_code('l').unwrap(), 2, Locking::None, None).unwrap();
        assert_eq!((longs.len(), longs.cell_type().code(), longs.has_lock()), (2, 'q', true));
        let unnamed = CellType::structure(32, 8, "").unwrap();
        let one = Cells::open_or_create(&fabric, Kind::Value, "one", &unnamed, 1, Locking::Own, None).unwrap();
        assert_eq!(one.cell_type().format(), "3diI");
        for wrong in [
            Cells::create(&fabric, Kind::Value, None, &unnamed, 2, Locking::Own, None),
            Cells::create(&fabric, Kind::Lock, None, &unnamed, 1, Locking::Own, None),
            Cells::create(&fabric, Kind::Array, None, &unnamed, 1, Locking::Own, Some(&[0; 31])),
            Cells::create(&small(), Kind::Array, None, &unnamed, 1, Locking::from(&Lock::new(&fabric).unwrap()), None),
            Cells::create(&fabric, Kind::Array, None, &unnamed, 1, Locking::Given(one.ticket()), None),
        ] {
            assert_eq!(kind(wrong), ErrorKind::InvalidArgument);
        }
        assert_eq!(kind(Array::<u64>::zeroed(&fabric, usize::MAX / 4)), ErrorKind::TooLarge);
        assert_eq!(kind(Array::<u8>::zeroed(&fabric, 1 << 40)), ErrorKind::TooLarge);
        let tight = capped(4 << 20);
        let _most = Array::<u8>::zeroed(&tight, 3 << 20).unwrap();
        assert_eq!(kind(Array::<u8>::zeroed(&tight, 3 << 20)), ErrorKind::OutOfMemory);
        whole(&tight);
        whole(&fabric);
    });
}

#[test]
fn nothing_outside_is_touched() {
    watchdog(LONG, || {
        let fabric = small();
        let array = Array::create(&fabric, "five", &[1_u16, 2, 3, 4, 5]).unwrap();
        let error: polyproc_ipc::Error = array.get(7).unwrap_err().into();
        assert_eq!(error.to_string(), "index 7 is outside array 'five', which has 5 cells");
        assert_eq!(kind(array.set(5, 0)), ErrorKind::InvalidArgument);
        assert_eq!(kind(array.update(usize::MAX, |_| ())), ErrorKind::InvalidArgument);
        assert_eq!(kind(array.fetch_add(5, 0)), ErrorKind::InvalidArgument);
        assert_eq!(kind(array.read_range(2..6)), ErrorKind::InvalidArgument);
        assert_eq!(kind(array.read_range(6..)), ErrorKind::InvalidArgument);
        assert_eq!(kind(array.read_range(..=usize::MAX)), ErrorKind::InvalidArgument);
        assert_eq!(kind(array.write_range(4, &[0, 0])), ErrorKind::InvalidArgument);
        assert_eq!(kind(array.write_range(usize::MAX, &[0, 0])), ErrorKind::InvalidArgument);
        assert_eq!(kind(array.fill(3..9, 0)), ErrorKind::InvalidArgument);
        assert_eq!(kind(array.read_into(1, &mut [0; 5])), ErrorKind::InvalidArgument);
        assert_eq!(kind(array.cells().read(0, &mut [0; 3])), ErrorKind::InvalidArgument);
        assert_eq!(array.to_vec().unwrap(), [1, 2, 3, 4, 5]);
        assert_eq!((array.read_range(5..).unwrap(), array.read_range(1..=2).unwrap()), (vec![], vec![2, 3]));
        let none = Array::<f64>::new(&fabric, &[]).unwrap();
        assert!(none.is_empty() && none.to_vec().unwrap().is_empty());
        assert_eq!(kind(none.get(0)), ErrorKind::InvalidArgument);
        whole(&fabric);
    });
}

#[test]
fn a_killed_holder_is_told_of() {
    watchdog(LONG, || {
        let fabric = small();
        let value = Value::create(&fabric, "held", 1_i32).unwrap();
        let shared = Lock::create(&fabric, "shared").unwrap();
        let array = Array::create_with(&fabric, "given", &[0_u8; 4], Locking::from(&shared)).unwrap();
        for sweep in [false, true] {
            let mut peer = peer_in(&fabric, "cells::holder").start();
            peer.expect("HELD", LONG);
            assert_eq!(kind(value.lock_timeout(SHORT)), ErrorKind::Timeout);
            assert_eq!(kind(array.lock_timeout(SHORT)), ErrorKind::Timeout);
            assert_eq!(value.unlocked().get().unwrap(), 2);
            peer.kill();
            if sweep {
                assert!(fabric.sweep().unwrap() > 0);
            }
            // Nothing was done, and the lock is ours.
            match value.set(9) {
                Err(LockError::OwnerDied(guard)) => {
                    assert_eq!(guard.get().unwrap(), 2);
                    guard.set(1).unwrap();
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(value.get().unwrap(), 1, "the next one is not told");
            assert_eq!(kind(array.get(0)), ErrorKind::OwnerDied);
            assert!(!shared.locked());
            array.set(0, 0).unwrap();
        }
        fabric.sweep().unwrap();
        assert_eq!(whole(&fabric).private_chunks, 0);
    });
}

#[test]
#[ignore = "a role"]
fn holder() {
    if peer::is("cells::holder") {
        let fabric = inherited();
        let (value, array) = (Value::<i32>::open(&fabric, "held").unwrap(), Array::<u8>::open(&fabric, "given").unwrap());
        let (one, _two) = (value.lock().unwrap(), array.lock().unwrap());
        one.set(2).unwrap();
        peer::say("HELD");
        peer::park();
    }
}

#[test]
fn locks_are_own_given_or_none() {
    watchdog(LONG, || {
        let fabric = small();
        let lock = Lock::new(&fabric).unwrap();
        let (a, b) = (Value::new_with(&fabric, 1_u8, Locking::from(&lock)).unwrap(), Array::new_with(&fabric, &[1_u8], Locking::from(&lock)).unwrap());
        let held = a.lock().unwrap();
        assert!(lock.locked());
        assert_eq!(kind(b.lock_timeout(SHORT)), ErrorKind::Timeout);
        held.set(2).unwrap();
        drop(held);
        assert_eq!((a.get().unwrap(), b.get(0).unwrap()), (2, 1));
        let raw = Value::create_with(&fabric, "raw", 5_i32, Locking::None).unwrap();
        assert_eq!(
            (kind(raw.lock()), kind(raw.update(|_| ())), kind(raw.cells().acquire(None))),
            (ErrorKind::InvalidArgument, ErrorKind::InvalidArgument, ErrorKind::InvalidArgument)
        );
        raw.set(6).unwrap();
        let synchronized = raw.synchronized(&lock).unwrap();
        synchronized.update(|value| assert_eq!((std::mem::replace(value, 7), lock.locked()), (6, true))).unwrap();
        assert_eq!(kind(raw.synchronized(Locking::Own)), ErrorKind::InvalidArgument);
        assert_eq!(raw.get().unwrap(), 7);
        // By hand, and again by the same thread, as the reference's recursive lock.
        assert_eq!(kind(b.synchronized(Locking::None).unwrap().cells().release()), ErrorKind::InvalidArgument);
        let own = Value::new(&fabric, 0_u8).unwrap();
        assert_eq!((own.cells().acquire(None).unwrap(), own.cells().acquire(Some(SHORT)).unwrap()), (Acquired::Clean, Acquired::Clean));
        own.cells().release().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!((kind(own.lock_timeout(SHORT)), kind(own.cells().release())), (ErrorKind::Timeout, ErrorKind::NotHeld)));
        });
        own.cells().release().unwrap();
        assert_eq!(kind(own.cells().release()), ErrorKind::NotHeld);
        drop(own.lock().unwrap());
        // A panic in the middle changes nothing and leaves no lock.
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            own.update(|value| {
                *value = 9;
                panic!("on purpose")
            })
        }));
        assert!(panicked.is_err());
        thread::scope(|scope| drop(scope.spawn(|| assert_eq!(own.get().unwrap(), 0))));
        lock.destroy().unwrap();
        assert_eq!((kind(a.get()), kind(b.set(0, 1)), a.unlocked().get().unwrap()), (ErrorKind::Gone, ErrorKind::Gone, 2));
        whole(&fabric);
    });
}

#[test]
fn text_keeps_its_bytes() {
    watchdog(LONG, || {
        let fabric = small();
        let text = Array::<Char>::zeroed(&fabric, 8).unwrap();
        text.set_value(b"hello").unwrap();
        text.set_value(b"ab").unwrap();
        assert_eq!((text.value().unwrap(), text.raw().unwrap()), (b"ab".to_vec(), b"ab\0lo\0\0\0".to_vec()));
        text.set_value(b"12345678").unwrap();
        assert_eq!(text.value().unwrap(), b"12345678");
        assert_eq!(kind(text.set_value(b"123456789")), ErrorKind::InvalidArgument);
        let wide = Array::<char>::zeroed(&fabric, 4).unwrap();
        wide.set_value("äöü").unwrap();
        assert_eq!(wide.value().unwrap(), "äöü");
        wide.cells().write(0, &0xFFFF_FFFF_u32.to_ne_bytes()).unwrap();
        assert_eq!(wide.value().unwrap(), "\u{FFFD}öü");
    });
}

#[test]
fn tickets_lead_to_the_same_cells() {
    watchdog(LONG, || {
        let fabric = small();
        let value = Value::new(&fabric, 1_i32).unwrap();
        let other: Value<i32> = codec::decode(&codec::to_vec(&value).unwrap()).unwrap();
        other.set(2).unwrap();
        assert_eq!(value.get().unwrap(), 2);
        assert_eq!(kind(Value::<u32>::from_ticket(&value.ticket())), ErrorKind::WrongType);
        assert_eq!(kind(Array::<i32>::from_ticket(&value.ticket())), ErrorKind::WrongType);
        assert_eq!(kind(Value::<i32>::from_ticket(&Lock::new(&fabric).unwrap().ticket())), ErrorKind::WrongType);
        drop(value);
        assert_eq!(other.get().unwrap(), 2, "it belongs to the fabric");
        let ticket = other.ticket();
        other.destroy().unwrap();
        assert_eq!(kind(Value::<i32>::from_ticket(&ticket)), ErrorKind::Gone);
        assert_eq!(
            (kind(other.get()), kind(other.load()), kind(other.lock()), kind(other.destroy())),
            (ErrorKind::Gone, ErrorKind::Gone, ErrorKind::Gone, ErrorKind::Gone)
        );
        whole(&fabric);
    });
}

/// Every word of the object but its locks, with anything in it: each call answers.
#[test]
fn damaged_objects_answer() {
    watchdog(LONG, || {
        let (fabric, mut dice) = (capped(4 << 20), Dice(7));
        let array = Array::create(&fabric, "damaged", &[7_u32; 100]).unwrap();
        let file = reopened(&fabric);
        let hex = array.lend().to_string();
        let offset = u64::from_str_radix(&hex[48..64], 16).unwrap().swap_bytes();
        let mut before = [0; 640];
        file.read_exact_at(&mut before, offset).unwrap();
        let mut refused = 0;
        for round in 0..2000 {
            let at = 192 + 8 * dice.below(8 + 17 * (round % 2));
            if (256..512).contains(&at) {
                continue;
            }
            let value = match dice.below(4) {
                0 => dice.below(200),
                1 => offset + 64 * dice.below(100),
                2 => u64::MAX >> dice.below(64),
                _ => dice.roll(),
            };
            file.write_all_at(&value.to_le_bytes(), offset + at).unwrap();
            match Array::<u32>::open(&fabric, "damaged") {
                Ok(open) => drop(open.to_vec().map_err(polyproc_ipc::Error::from)),
                Err(error) => {
                    let told = [ErrorKind::Corrupt, ErrorKind::WrongType, ErrorKind::InvalidArgument, ErrorKind::Gone];
                    assert!(told.contains(&error.kind()), "{error:?}");
                    refused += 1;
                }
            }
            assert_eq!(array.get(99).unwrap(), 7, "who has it open already goes on");
            file.write_all_at(&before[192..256], offset + 192).unwrap();
            file.write_all_at(&before[512..], offset + 512).unwrap();
        }
        assert!(refused > 300, "{refused}");
        whole(&fabric);
    });
}

#[derive(Clone, Debug)]
enum Act {
    Set(usize, i32),
    Write(usize, Vec<i32>),
    Fill(usize, usize, i32),
    Read(usize, usize),
    Add(usize, i32),
}

fn act() -> impl Strategy<Value = Act> {
    let at = 0_usize..60;
    prop_oneof![
        (at.clone(), any::<i32>()).prop_map(|(at, value)| Act::Set(at, value)),
        (at.clone(), prop::collection::vec(any::<i32>(), 0..50)).prop_map(|(at, values)| Act::Write(at, values)),
        (at.clone(), at.clone(), any::<i32>()).prop_map(|(from, end, value)| Act::Fill(from, end, value)),
        (at.clone(), at.clone()).prop_map(|(from, end)| Act::Read(from, end)),
        (at, any::<i32>()).prop_map(|(at, more)| Act::Add(at, more)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ranges_do_as_those_of_a_vec(start in prop::collection::vec(any::<i32>(), 0..50), acts in prop::collection::vec(act(), 1..60)) {
        watchdog(LONG, || {
            let fabric = capped(4 << 20);
            let (array, mut model) = (Array::new(&fabric, &start).unwrap(), start);
            for act in acts {
                match act {
                    Act::Set(at, value) => assert_eq!(array.set(at, value).is_ok(), model.get_mut(at).map(|cell| *cell = value).is_some()),
                    Act::Write(at, values) => {
                        let place = at.checked_add(values.len()).and_then(|end| model.get_mut(at..end));
                        assert_eq!(array.write_range(at, &values).is_ok(), place.map(|cells| cells.copy_from_slice(&values)).is_some());
                    }
                    Act::Fill(from, end, value) if from <= end => {
                        assert_eq!(array.fill(from..end, value).is_ok(), model.get_mut(from..end).map(|cells| cells.fill(value)).is_some());
                    }
                    Act::Read(from, end) if from <= end => assert_eq!(array.read_range(from..end).ok(), model.get(from..end).map(<[i32]>::to_vec)),
                    Act::Fill(..) | Act::Read(..) => {}
                    Act::Add(at, more) => assert_eq!(array.fetch_add(at, more).ok(), model.get_mut(at).map(|cell| { let was = *cell; *cell = was.wrapping_add(more); was })),
                }
                assert_eq!(array.to_vec().unwrap(), model);
            }
            whole(&fabric);
        });
    }
}
