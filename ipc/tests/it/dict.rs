//! Dicts, sets and namespaces: what Python's do, what versions add, iteration beside writers, full memory, and the end of a dict. `dict_model` and `dict_storm` have the model and the kills.

use std::collections::{BTreeSet, HashMap};
use std::thread;

use polyproc_ipc::{BytesDict, BytesSet, Dict, ErrorKind, Fabric, Kind, Lock, Namespace, Queue, Result, Set, Versioned, codec};
use polyproc_testkit::peer;
use polyproc_testkit::watchdog::watchdog;
use serde::{Deserialize, Serialize};

use crate::common::{LONG, SHORT, capped, inherited, kind, peer_in, small, whole};

fn all<T>(items: impl Iterator<Item = Result<T>>) -> Vec<T> {
    items.map(Result::unwrap).collect()
}

#[test]
fn a_dict_does_what_pythons_does() {
    watchdog(LONG, || {
        let fabric = small();
        let dict = Dict::<String, u32>::create(&fabric, "d").unwrap();
        assert!(dict.is_empty() && dict.get("a").unwrap().is_none());
        assert_eq!(kind(dict.item("a")), ErrorKind::NotFound);
        dict.update([("a".to_owned(), 1), ("b".to_owned(), 2), ("c".to_owned(), 3)]).unwrap();
        dict.set("b", &20).unwrap(); // keeps its place
        assert_eq!(dict.snapshot().unwrap(), [("a".into(), 1), ("b".into(), 20), ("c".into(), 3)]);
        assert_eq!((dict.len(), dict.item("b").unwrap(), dict.get_or("x", 9).unwrap()), (3, 20, 9));
        assert!(dict.contains("a").unwrap() && !dict.contains("x").unwrap());

        assert_eq!((dict.set_default("a", &7).unwrap(), dict.set_default("d", &4).unwrap()), (1, 4));
        assert_eq!((dict.pop("b").unwrap(), dict.pop_or("b", 5).unwrap(), kind(dict.pop("b"))), (20, 5, ErrorKind::NotFound));
        dict.set("b", &2).unwrap(); // comes last now
        assert_eq!(all(dict.keys()), ["a", "c", "d", "b"]);
        assert_eq!(all(dict.values()), [1, 3, 4, 2]);
        assert_eq!(all(dict.keys_reversed()), ["b", "d", "c", "a"]);
        assert_eq!(all(dict.items_reversed())[0], ("b".into(), 2));
        dict.delete("c").unwrap();
        assert_eq!(kind(dict.delete("c")), ErrorKind::NotFound);
        assert_eq!(dict.pop_item().unwrap(), ("b".into(), 2));

        let copy = dict.copy().unwrap();
        dict.clear().unwrap();
        assert_eq!((dict.len(), copy.len(), kind(dict.pop_item())), (0, 2, ErrorKind::NotFound));
        assert!(dict.snapshot().unwrap().is_empty() && dict.items().next().is_none() && dict.get("a").unwrap().is_none());
        dict.set("z", &26).unwrap();
        dict.update_from(&copy).unwrap();
        let local: HashMap<String, u32> = all(dict.items()).into_iter().collect();
        assert_eq!(local, HashMap::from([("z".into(), 26), ("a".into(), 1), ("d".into(), 4)]));
        let made = Dict::<(u8, bool), f64>::from_keys(&fabric, [(1, true), (2, false), (1, true)], &0.5).unwrap();
        assert_eq!(all(made.items()), [((1, true), 0.5), ((2, false), 0.5)]);
        drop((dict, copy, made));
        whole(&fabric);
    });
}

#[test]
fn keys_compare_as_in_python() {
    watchdog(LONG, || {
        let fabric = small();
        let dict = BytesDict::new(&fabric).unwrap();
        let one = codec::to_vec(&1).unwrap();
        let one_float = codec::to_vec(&1.0).unwrap();
        let yes = codec::to_vec(&true).unwrap();
        dict.set((&one_float[..], codec::MESSAGEPACK), b"first").unwrap();
        dict.set((&one[..], codec::MESSAGEPACK), b"second").unwrap();
        assert_eq!(&*dict.item((&yes[..], codec::MESSAGEPACK)).unwrap(), b"second");
        let keys = all(dict.keys());
        assert_eq!((keys.len(), &keys[0][..]), (1, &one_float[..]), "the key given first stays");
        // Also through growth, a replacement by another form, and a copy.
        dict.set((&yes[..], codec::MESSAGEPACK), &[3; 5000]).unwrap();
        (0..200_u8).for_each(|i| {
            dict.set(&[i], b"x").unwrap();
        });
        assert_eq!(&all(dict.copy().unwrap().keys())[0][..], &one_float[..]);
        // The same bytes in another codec are another key.
        assert_eq!(dict.get(&one).unwrap().map(|value| value.to_vec()), Some(b"x".to_vec()));
        assert!(dict.take((&one[..], codec::MESSAGEPACK)).unwrap().is_some_and(|value| *value == [3; 5000]));
        assert!(dict.contains(&one).unwrap());
        let map = codec::to_vec(&HashMap::from([(1, 2)])).unwrap();
        assert_eq!(kind(dict.set((&map[..], codec::MESSAGEPACK), b"")), ErrorKind::InvalidArgument);
        whole(&fabric);
    });
}

#[test]
fn versions_decide_who_was_first() {
    watchdog(LONG, || {
        let fabric = small();
        let dict = Dict::<String, i64>::new(&fabric).unwrap();
        let first = dict.compare_and_set("k", None, &1).unwrap().expect("it is absent");
        assert_eq!(dict.compare_and_set("k", None, &9).unwrap(), None);
        let second = dict.set("k", &2).unwrap();
        assert!(second > first);
        assert_eq!(dict.compare_and_set("k", Some(first), &9).unwrap(), None);
        assert_eq!(dict.get_versioned("k").unwrap(), Some(Versioned { value: 2, version: second }));
        assert!(!dict.compare_and_delete("k", first).unwrap() && dict.compare_and_delete("k", second).unwrap());
        assert!(!dict.compare_and_delete("k", second).unwrap());
        assert!(dict.set("k", &3).unwrap() > second, "no version comes twice, not even of a key that was gone");
        dict.clear().unwrap();
        assert!(dict.set("k", &3).unwrap() > second + 1);

        assert_eq!(dict.update_with("new", |old| Some(old.unwrap_or(10) + 1)).unwrap(), Some(11));
        assert_eq!(dict.update_with("new", |_| None).unwrap(), None);
        assert_eq!(dict.update_with("new", |_| None).unwrap(), None);
        // A function that is overtaken runs again.
        let mut calls = 0;
        let done = dict.update_with("k", |old| {
            calls += 1;
            if calls == 1 {
                dict.set("k", &100).unwrap();
            }
            old.map(|n| n + 1)
        });
        assert_eq!((done.unwrap(), calls), (Some(101), 2));
    });
}

#[test]
fn integers_are_added_to_in_place() {
    watchdog(LONG, || {
        let fabric = small();
        let dict = Dict::<u8, u64>::new(&fabric).unwrap();
        assert_eq!((dict.increment(&1, 5).unwrap(), dict.increment(&1, -2).unwrap(), dict.item(&1).unwrap()), (5, 3, 3));
        dict.set(&2, &(u64::MAX - 1)).unwrap();
        assert_eq!(dict.increment(&2, 1).unwrap(), u64::MAX);
        assert_eq!(kind(dict.increment(&2, 1)), ErrorKind::InvalidArgument);
        assert_eq!(dict.item(&2).unwrap(), u64::MAX);
        let key = codec::to_vec(&3).unwrap();
        assert_eq!(dict.bytes().increment((&key[..], codec::MESSAGEPACK), i64::MIN).unwrap(), i128::from(i64::MIN));
        assert_eq!(kind(dict.bytes().increment((&key[..], codec::MESSAGEPACK), -1)), ErrorKind::InvalidArgument);
        let text = Dict::<u8, String>::from_ticket(&dict.ticket()).unwrap();
        text.set(&4, &"four".into()).unwrap();
        let error = dict.increment(&4, 1).unwrap_err();
        assert_eq!((error.kind(), codec::decode::<String>(&error.into_message().unwrap()).unwrap()), (ErrorKind::Decode, "four".into()));
        dict.destroy().unwrap();
        assert_eq!(whole(&fabric).private_chunks, 0);
    });
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
struct Job {
    name: String,
    sizes: Vec<u16>,
}

#[test]
fn values_of_any_type_and_size() {
    watchdog(LONG, || {
        let fabric = small();
        let jobs = Dict::<String, Job>::create(&fabric, "jobs").unwrap();
        for len in [0, 1, 100, 3000, 40_000, 200_000] {
            let job = Job { name: len.to_string(), sizes: vec![7; len] };
            jobs.set(&job.name, &job).unwrap();
            assert_eq!(jobs.item(&job.name).unwrap(), job);
        }
        let numbers = Dict::<String, u8>::open(&fabric, "jobs").unwrap();
        let error = numbers.get("100").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert_eq!(codec::decode::<Job>(&error.into_message().unwrap()).unwrap().name, "100");
        numbers.bytes().set(b"raw", b"value").unwrap();
        let raw: Vec<_> = numbers.keys().filter_map(Result::err).collect();
        assert_eq!((raw.len(), raw[0].kind()), (1, ErrorKind::Decode), "one key of another codec harms no other");
        assert_eq!(numbers.keys().filter_map(Result::ok).count(), 6);
        // One that can never fit, and long keys.
        assert_eq!(kind(numbers.bytes().set(b"raw", &vec![0; 65 << 20])), ErrorKind::TooLarge);
        let long = vec![7; 100_000];
        numbers.bytes().set(&long, b"long").unwrap();
        assert_eq!(&*numbers.bytes().item(&long).unwrap(), b"long");
        assert_eq!(&*numbers.bytes().item(b"raw").unwrap(), b"value");
        whole(&fabric);
    });
}

#[test]
fn handles_are_values() {
    watchdog(LONG, || {
        let fabric = small();
        let queues = Dict::<String, Queue<u64>>::create(&fabric, "queues").unwrap();
        queues.set("numbers", &Queue::new(&fabric, 0).unwrap()).unwrap();
        let mut peer = peer_in(&fabric, "dict::fills_a_queue").start();
        assert_eq!(queues.item("numbers").unwrap().get().unwrap(), 41);
        assert!(peer.wait(LONG).success());
        let locks = Dict::<u8, Lock>::new(&fabric).unwrap();
        locks.set(&1, &Lock::new(&fabric).unwrap()).unwrap();
        drop(locks.item(&1).unwrap().try_lock().unwrap());
        // A dict in a dict, by its ticket.
        let outer = Dict::<String, Dict<String, u8>>::new(&fabric).unwrap();
        outer.set("inner", &Dict::new(&fabric).unwrap()).unwrap();
        outer.item("inner").unwrap().set("x", &1).unwrap();
        assert_eq!(outer.item("inner").unwrap().item("x").unwrap(), 1);
        assert_eq!(outer.ticket().kind(), Some(Kind::Dict));
        whole(&fabric);
    });
}

#[test]
#[ignore = "a role"]
fn fills_a_queue() {
    if peer::is("dict::fills_a_queue") {
        let queues = Dict::<String, Queue<u64>>::open(&inherited(), "queues").unwrap();
        queues.item("numbers").unwrap().put(&41).unwrap();
    }
}

#[test]
fn iteration_goes_on_beside_writers() {
    watchdog(LONG, || {
        let fabric = small();
        let dict = Dict::<u32, u32>::new(&fabric).unwrap();
        (0..2000).for_each(|i| {
            dict.set(&i, &0).unwrap();
        });
        let mut items = dict.items();
        let first: Vec<u32> = items.by_ref().take(100).map(|item| item.unwrap().0).collect();
        assert_eq!(first, (0..100).collect::<Vec<_>>());
        // Growth, deletions, compaction, replacements and new keys meanwhile.
        (2000..20_000).for_each(|i| {
            dict.set(&i, &1).unwrap();
        });
        (0..2000).filter(|i| i % 3 == 0).for_each(|i| dict.delete(&i).unwrap());
        (0..2000).filter(|i| i % 3 == 1).for_each(|i| {
            dict.set(&i, &2).unwrap();
        });
        (1000..1300).for_each(|i| drop(dict.pop_or(&i, 0)));
        (1000..1300).for_each(|i| {
            dict.set(&i, &3).unwrap();
        });
        let rest: Vec<u32> = items.map(|item| item.unwrap().0).collect();
        assert!(rest.is_sorted() && rest.iter().all(|i| *i < 2000), "in order, and nothing that came later");
        let stayed: Vec<u32> = (100..2000).filter(|i| i % 3 != 0 && !(1000..1300).contains(i)).collect();
        let seen: BTreeSet<u32> = rest.iter().copied().collect();
        assert_eq!(seen.len(), rest.len(), "nothing twice");
        assert!(stayed.iter().all(|i| seen.contains(i)));
        let reversed = all(dict.keys_reversed());
        let mut forward = all(dict.keys());
        forward.reverse();
        assert_eq!(forward, reversed);
        assert_eq!(forward.len(), dict.len());
        // Cleared under the iterator: it ends.
        let mut items = dict.items();
        items.next().unwrap().unwrap();
        dict.clear().unwrap();
        assert!(items.count() < 2000);
        // Destroyed under it: it says so, once.
        dict.set(&1, &1).unwrap();
        let mut items = dict.items();
        dict.destroy().unwrap();
        assert_eq!(kind(items.next().unwrap()), ErrorKind::Gone);
        assert!(items.next().is_none());
        whole(&fabric);
    });
}

#[test]
fn a_change_is_waited_for() {
    watchdog(LONG, || {
        let fabric = small();
        let dict = Dict::<String, u32>::new(&fabric).unwrap();
        let version = dict.version().unwrap();
        assert_eq!(kind(dict.wait_change(version, Some(SHORT))), ErrorKind::Timeout);
        assert_eq!(kind(dict.wait_key("k", None, Some(SHORT))), ErrorKind::Timeout);
        for change in 0..4 {
            let version = dict.version().unwrap();
            let before = dict.get_versioned("k").unwrap().map(|k| k.version);
            thread::scope(|scope| {
                let dicts = scope.spawn(|| dict.wait_change(version, None).unwrap());
                let keys = scope.spawn(|| dict.wait_key("k", before, None).unwrap());
                thread::sleep(SHORT);
                dict.set("another", &1).unwrap();
                assert_ne!(dicts.join().unwrap(), version);
                thread::sleep(SHORT);
                assert!(!keys.is_finished());
                match change {
                    0 => assert!(dict.set("k", &1).unwrap() > 0),
                    1 => dict.delete("k").unwrap(),
                    2 => assert_eq!(dict.increment("k", 1).unwrap(), 1),
                    _ => dict.clear().unwrap(),
                }
                assert_eq!(keys.join().unwrap().map(|k| k.version), dict.get_versioned("k").unwrap().map(|k| k.version));
            });
        }
        let version = dict.version().unwrap();
        thread::scope(|scope| {
            let change = scope.spawn(|| kind(dict.wait_change(version, None)));
            let key = scope.spawn(|| kind(dict.wait_key("k", None, None)));
            thread::sleep(SHORT);
            dict.destroy().unwrap();
            assert_eq!((change.join().unwrap(), key.join().unwrap()), (ErrorKind::Gone, ErrorKind::Gone));
        });
    });
}

#[test]
fn full_memory_changes_nothing() {
    watchdog(LONG, || {
        let fabric = capped(2 << 20);
        let dict = Dict::<u32, Vec<u8>>::new(&fabric).unwrap();
        let value = vec![7_u8; 40];
        let mut put = 0;
        let error = loop {
            match dict.set(&put, &value) {
                Ok(_) => put += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        assert!(put > 2000, "{put}");
        assert_eq!((dict.len(), all(dict.keys())), (put as usize, (0..put).collect::<Vec<_>>()));
        assert_eq!(kind(dict.set(&0, &vec![1; 300_000])), ErrorKind::OutOfMemory);
        assert_eq!((dict.item(&0).unwrap(), whole(&fabric).private_chunks), (value.clone(), 0));
        // Room comes back with deletions, and a cleared dict takes most of them again: which shards grow when differs from fabric to fabric, and what is free is not moved together.
        (0..put / 2).for_each(|i| dict.delete(&i).unwrap());
        (0..put / 4).for_each(|i| {
            dict.set(&i, &value).unwrap();
        });
        dict.clear().unwrap();
        (0..put * 3 / 4).for_each(|i| {
            dict.set(&i, &value).unwrap();
        });
        dict.destroy().unwrap();
        assert_eq!(whole(&fabric).held_chunks, 1, "the retired header");
    });
}

#[test]
fn a_destroyed_dict_is_gone_for_everybody() {
    watchdog(LONG, || {
        let fabric = small();
        let old = Dict::<u32, u32>::create(&fabric, "d").unwrap();
        (0..100).for_each(|i| {
            old.set(&i, &i).unwrap();
        });
        assert_eq!(kind(Dict::<u32, u32>::create(&fabric, "d")), ErrorKind::AlreadyExists);
        assert_eq!(kind(Set::<u32>::open(&fabric, "d")), ErrorKind::WrongType);
        let ticket = old.ticket();
        old.destroy().unwrap();
        let gone = || {
            assert_eq!(kind(old.get(&1)), ErrorKind::Gone);
            assert_eq!(kind(old.set(&1, &1)), ErrorKind::Gone);
            assert_eq!(kind(old.clear()), ErrorKind::Gone);
            assert_eq!(kind(old.pop_item()), ErrorKind::Gone);
            assert_eq!(kind(old.snapshot()), ErrorKind::Gone);
            assert_eq!(kind(old.version()), ErrorKind::Gone);
            assert_eq!(kind(old.wait_change(0, None)), ErrorKind::Gone);
            assert_eq!(kind(Dict::<u8, u8>::from_ticket(&ticket)), ErrorKind::Gone);
            assert_eq!(kind(old.items().next().unwrap()), ErrorKind::Gone);
            assert_eq!(old.len(), 0);
        };
        gone();
        // Another dict in the same place has nothing to do with it, and may have other shards.
        let new = Dict::<u32, u32>::with_shards(&fabric, Some("d"), 2).unwrap();
        assert!(new.is_empty() && new.get(&1).unwrap().is_none());
        (0..50).for_each(|i| {
            new.set(&i, &i).unwrap();
        });
        gone();
        assert_eq!(all(new.keys()), (0..50).collect::<Vec<_>>());
        assert_eq!(kind(BytesDict::with_shards(&fabric, None, 3)), ErrorKind::InvalidArgument);
        assert_eq!(kind(BytesDict::with_shards(&fabric, None, 32)), ErrorKind::InvalidArgument);
        assert_eq!(kind(BytesDict::with_shards(&fabric, None, 0)), ErrorKind::InvalidArgument);
        new.destroy().unwrap();
        let report = whole(&fabric);
        assert_eq!((report.held_chunks, report.objects), (1, 0));
    });
}

#[test]
fn a_set_has_pythons_operators() {
    watchdog(LONG, || {
        let fabric = small();
        let (a, b) = (Set::<u32>::create(&fabric, "a").unwrap(), Set::<u32>::new(&fabric).unwrap());
        assert!(a.add(&1).unwrap() && !a.add(&1).unwrap());
        a.update([2, 3, 4, 2]).unwrap();
        b.update([3, 4, 5]).unwrap();
        assert_eq!((a.len(), a.snapshot().unwrap(), all(a.items())), (4, vec![1, 2, 3, 4], vec![1, 2, 3, 4]));
        assert_eq!(a.union(&b).unwrap(), [1, 2, 3, 4, 5]);
        assert_eq!(a.union([9, 9, 1]).unwrap(), [1, 2, 3, 4, 9]);
        assert_eq!(a.intersection(&b).unwrap(), [3, 4]);
        assert_eq!(a.difference(&b).unwrap(), [1, 2]);
        assert_eq!(a.symmetric_difference(&b).unwrap(), [1, 2, 5]);
        assert!(!a.is_subset(&b).unwrap() && a.is_subset(0..9).unwrap() && a.is_superset([1, 2]).unwrap() && !a.is_superset(&b).unwrap());
        assert!(a.is_disjoint([7, 8]).unwrap() && !a.is_disjoint(&b).unwrap() && a.is_subset(&a).unwrap());
        a.symmetric_difference_update([1, 1, 6]).unwrap();
        assert_eq!(a.snapshot().unwrap(), [2, 3, 4, 6]);
        a.difference_update(&b).unwrap();
        assert_eq!(a.snapshot().unwrap(), [2, 6]);
        a.update(&b).unwrap();
        a.intersection_update([6, 3, 5]).unwrap();
        assert_eq!(a.snapshot().unwrap(), [6, 3, 5]);
        assert!(a.discard(&3).unwrap() && !a.discard(&3).unwrap() && a.contains(&6).unwrap());
        assert_eq!((kind(a.remove(&3)), a.pop().unwrap(), a.pop().unwrap(), kind(a.pop())), (ErrorKind::NotFound, 5, 6, ErrorKind::NotFound));
        // Elements that Python calls equal are one.
        let mixed = Set::<f64>::from_ticket(&b.ticket()).unwrap();
        assert!(mixed.contains(&3.0).unwrap() && !mixed.add(&4.0).unwrap() && !mixed.contains(&3.5).unwrap());
        b.clear().unwrap();
        assert!(b.is_empty() && a.is_empty());
        let raw = BytesSet::open(&fabric, "a").unwrap();
        raw.add(b"raw").unwrap();
        assert_eq!(kind(a.pop()), ErrorKind::Decode);
        whole(&fabric);
    });
}

#[test]
fn a_namespace_has_attributes_of_any_type() {
    watchdog(LONG, || {
        let fabric = small();
        let space = Namespace::create(&fabric, "space").unwrap();
        assert_eq!(kind(space.get::<u8>("x")), ErrorKind::NotFound);
        space.set("x", &5).unwrap();
        space.set("text", "five").unwrap();
        space.set("queue", &Queue::<u8>::new(&fabric, 0).unwrap()).unwrap();
        (0..100).for_each(|i| space.set(&format!("n{i}"), &i).unwrap());
        assert_eq!((space.get::<u8>("x").unwrap(), space.get::<String>("text").unwrap()), (5, "five".into()));
        space.get::<Queue<u8>>("queue").unwrap().put(&1).unwrap();
        assert_eq!(kind(space.get::<String>("x")), ErrorKind::Decode);
        space.set("x", "now text").unwrap();
        (0..100).for_each(|i| space.delete(&format!("n{i}")).unwrap());
        assert_eq!(kind(space.delete("n1")), ErrorKind::NotFound);
        let other = Namespace::open(&fabric, "space").unwrap();
        assert_eq!(other.names().unwrap(), ["x", "text", "queue"]);
        other.set_bytes("raw", b"bytes").unwrap();
        assert_eq!((&*space.get_bytes("raw").unwrap(), space.contains("raw").unwrap(), space.items().unwrap().len()), (&b"bytes"[..], true, 4));
        assert_eq!(kind(space.wait_change(space.version().unwrap(), Some(SHORT))), ErrorKind::Timeout);
        space.destroy().unwrap();
        assert_eq!(kind(other.names()), ErrorKind::Gone);
        whole(&fabric);
    });
}

#[test]
fn a_million_entries() {
    watchdog(LONG * 5, || {
        let fabric: Fabric = capped(512 << 20);
        let dict = BytesDict::new(&fabric).unwrap();
        let count = 1_000_000_u32;
        (0..count).for_each(|i| {
            dict.set(&i.to_le_bytes(), &i.to_be_bytes()).unwrap();
        });
        assert_eq!(dict.len(), count as usize);
        assert!((0..count).step_by(997).all(|i| *dict.item(&i.to_le_bytes()).unwrap() == i.to_be_bytes()));
        assert!(dict.get(&count.to_le_bytes()).unwrap().is_none());
        let mut next = 0_u32;
        for key in dict.keys() {
            assert_eq!(*key.unwrap(), next.to_le_bytes());
            next += 1;
        }
        assert_eq!(next, count);
        (0..count).filter(|i| i % 4 != 0).for_each(|i| dict.delete(&i.to_le_bytes()).unwrap());
        assert_eq!((dict.len(), dict.keys().count()), (count as usize / 4, count as usize / 4));
        assert_eq!(&*dict.pop_item().unwrap().0, (count - 4).to_le_bytes());
        dict.clear().unwrap();
        assert!(dict.is_empty());
        dict.destroy().unwrap();
        assert_eq!(whole(&fabric).held_chunks, 1);
    });
}
