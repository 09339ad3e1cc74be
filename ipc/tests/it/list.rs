//! Lists: names and ends, values, what goes beyond Python, full memory, and many processes of which some are killed.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use polyproc_ipc::{BytesList, ErrorKind, Fabric, Item, List, Lock, Queue, Slice, codec};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::watchdog::watchdog;

use crate::common::{Dice, LONG, SHORT, capped, inherited, kind, peer_in, small, whole};

pub(crate) fn slices(items: &[Vec<u8>]) -> Vec<Item<'_>> {
    items.iter().map(Item::from).collect()
}

pub(crate) fn contents(list: &BytesList) -> Vec<Vec<u8>> {
    list.to_vec().unwrap().into_iter().map(polyproc_ipc::Message::into_vec).collect()
}

#[test]
fn a_long_list_stays_one() {
    watchdog(LONG, || {
        let fabric = capped(64 << 20);
        let list = List::<u32>::new(&fabric).unwrap();
        let mut model: Vec<u32> = (0..200_000).collect();
        list.extend(&model[..50_000]).unwrap();
        model[50_000..100_000].iter().for_each(|value| list.append(value).unwrap());
        list.extend(&model[100_000..]).unwrap();
        let mut dice = Dice(7);
        for number in 0..3000 {
            let at = dice.below(model.len() as u64) as usize;
            match dice.below(4) {
                0 => {
                    list.delete(at as i64).unwrap();
                    model.remove(at);
                }
                1 => assert_eq!(list.pop_at(at as i64).unwrap(), model.remove(at)),
                2 => assert_eq!(list.get(at as i64).unwrap(), model[at]),
                _ => {
                    list.insert(at as i64, &number).unwrap();
                    model.insert(at, number);
                }
            }
        }
        assert!(list.equals(&model).unwrap());
        list.delete_slice(Slice::new(None, None, Some(3))).unwrap();
        model = model.iter().enumerate().filter(|(index, _)| index % 3 != 0).map(|(_, value)| *value).collect();
        list.sort().unwrap();
        model.sort_unstable();
        assert!(list.equals(&model).unwrap());
        whole(&fabric);
        list.delete_slice(10..).unwrap();
        assert_eq!(list.to_vec().unwrap(), model[..10]);
        while list.pop().is_ok() {}
        assert!(list.is_empty().unwrap());
        // A few blocks for what is left, and not one for every item that there was.
        assert!(whole(&fabric).held_chunks < 10);
    });
}

#[test]
fn names_tickets_and_ends() {
    watchdog(LONG, || {
        let fabric = small();
        let made = List::<String>::create(&fabric, "one").unwrap();
        assert_eq!(kind(BytesList::create(&fabric, "one")), ErrorKind::AlreadyExists);
        assert_eq!(kind(BytesList::open(&fabric, "two")), ErrorKind::NotFound);
        assert_eq!(kind(Lock::open(&fabric, "one")), ErrorKind::WrongType);
        let sent: List<String> = codec::decode(&codec::to_vec(&made).unwrap()).unwrap();
        made.append(&"a".to_owned()).unwrap();
        assert_eq!(sent.to_vec().unwrap(), ["a"]);
        assert_eq!(List::<String>::from_ticket(&made.lend()).unwrap().get(0).unwrap(), "a");
        assert_eq!(BytesList::open_or_create(&fabric, "one").unwrap().len().unwrap(), 1);
        assert_eq!(format!("{made:?}"), "BytesList 'one'");
        let error = made.get(3).unwrap_err().to_string();
        assert!(error.contains("index 3") && error.contains("'one'") && error.contains("1 items"), "{error}");

        let before = made.version().unwrap();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| kind(sent.wait_changed(before, None)));
            thread::sleep(SHORT);
            made.destroy().unwrap();
            assert_eq!(waiter.join().unwrap(), ErrorKind::Gone);
        });
        assert_eq!(kind(sent.len()), ErrorKind::Gone);
        assert_eq!(kind(sent.append(&"b".to_owned())), ErrorKind::Gone);
        assert_eq!(kind(sent.iter().next().unwrap()), ErrorKind::Gone);
        assert_eq!(kind(sent.destroy()), ErrorKind::Gone);
        // The next one in its place is empty, and not touched by the old handles.
        let new = List::<u8>::create(&fabric, "one").unwrap();
        assert_eq!((new.len().unwrap(), kind(sent.clear())), (0, ErrorKind::Gone));
        whole(&fabric);
    });
}

#[test]
fn values_and_handles() {
    watchdog(LONG, || {
        let fabric = small();
        let list = List::<(String, List<u8>, Queue<u8>)>::new(&fabric).unwrap();
        let (inner, queue) = (List::new(&fabric).unwrap(), Queue::new(&fabric, 0).unwrap());
        list.append(&("both".into(), inner.clone(), queue.clone())).unwrap();
        let (name, there, answers) = list.get(0).unwrap();
        there.append(&7).unwrap();
        answers.put(&8).unwrap();
        assert_eq!((name.as_str(), inner.to_vec().unwrap(), queue.get().unwrap()), ("both", vec![7], 8));

        // Sorting is stable, with a key and without; a value that is not one keeps the list as it is.
        let list = List::<(u8, char)>::new(&fabric).unwrap();
        list.extend(&[(2, 'a'), (1, 'a'), (2, 'b'), (1, 'b')]).unwrap();
        list.sort_by_key(|pair| pair.0).unwrap();
        assert_eq!(list.to_vec().unwrap(), [(1, 'a'), (1, 'b'), (2, 'a'), (2, 'b')]);
        list.sort_by(|a, b| b.1.cmp(&a.1)).unwrap();
        assert_eq!(list.to_vec().unwrap(), [(1, 'b'), (2, 'b'), (1, 'a'), (2, 'a')]);
        assert_eq!((list.index(&(1, 'a')).unwrap(), list.index_in(&(1, 'a'), ..2).unwrap(), list.count(&(9, 'x')).unwrap()), (Some(2), None, 0));
        list.bytes().insert(1, b"not a pair").unwrap();
        let before = contents(list.bytes());
        assert_eq!(kind(list.sort()), ErrorKind::Decode);
        assert_eq!(contents(list.bytes()), before);
        assert_eq!(*list.get(1).unwrap_err().into_message().unwrap(), *b"not a pair");
        assert!(list.contains(&(2, 'b')).unwrap(), "what is no pair equals none");
        assert_eq!(list.iter().flatten().count(), 4);
        assert_eq!(*list.pop_at(1).unwrap_err().into_message().unwrap(), *b"not a pair");
        assert!(list.remove(&(2, 'b')).unwrap() && !list.remove(&(2, 'b')).unwrap());
        assert_eq!(list.plus([(0, 'z')]).unwrap(), [(1, 'b'), (1, 'a'), (2, 'a'), (0, 'z')]);
        assert_eq!(list.times(2).unwrap().len(), 6);
        assert_eq!(kind(list.bytes().rearrange(|_| Ok(vec![0, 0, 1]))), ErrorKind::InvalidArgument);
        assert_eq!(kind(list.repeat(usize::MAX)), ErrorKind::TooLarge);
    });
}

#[test]
fn beyond_python() {
    watchdog(LONG, || {
        let fabric = small();
        let list = List::<i64>::new(&fabric).unwrap();
        list.extend(&[1, i64::MAX - 1]).unwrap();
        assert_eq!(list.increment(0, 5).unwrap(), 6);
        assert_eq!(list.increment(0, i64::from(i32::MIN) * 4).unwrap(), 6 + i64::from(i32::MIN) * 4);
        assert_eq!(list.increment(-1, 1).unwrap(), i64::MAX);
        assert_eq!(kind(list.increment(-1, 1)), ErrorKind::InvalidArgument);
        assert_eq!(kind(list.increment(2, 1)), ErrorKind::InvalidArgument);
        assert_eq!(list.to_vec().unwrap(), [6 + i64::from(i32::MIN) * 4, i64::MAX]);
        list.bytes().append(b"text").unwrap();
        assert_eq!(*list.increment(2, 1).unwrap_err().into_message().unwrap(), *b"text");

        let (value, version) = list.get_with_version(0).unwrap();
        assert!(list.set_at_version(0, version, &(value + 1)).unwrap());
        assert!(!list.set_at_version(0, version, &0).unwrap());
        assert!(!list.compare_and_set(0, &value, &0).unwrap());
        assert!(list.compare_and_set(0, &(value + 1), &3).unwrap());
        assert_eq!(list.update_with(0, |value| value * 7).unwrap(), 21);
        assert_eq!(list.get(0).unwrap(), 21);

        // An update starts again if somebody came between.
        let mut calls = 0;
        list.update_with(0, |value| {
            calls += 1;
            if calls == 1 {
                list.set(0, &100).unwrap();
            }
            value + 1
        })
        .unwrap();
        assert_eq!((calls, list.get(0).unwrap()), (2, 101));
        // So does a sort.
        let (list, mut calls) = (List::<u8>::new(&fabric).unwrap(), 0);
        list.extend(&[3, 1, 2]).unwrap();
        list.sort_by(|a, b| {
            calls += 1;
            if calls == 1 {
                list.append(&0).unwrap();
            }
            a.cmp(b)
        })
        .unwrap();
        assert_eq!(list.to_vec().unwrap(), [0, 1, 2, 3]);
        // And gives up where somebody always does.
        assert_eq!(kind(list.sort_by(|a, b| list.set(3, &3).and(Ok(b.cmp(a))).unwrap())), ErrorKind::Timeout);
        assert_eq!(list.get_slice(..4).unwrap(), [0, 1, 2, 3]);

        let now = list.version().unwrap();
        let since = Instant::now();
        assert_eq!(kind(list.wait_changed(now, Some(SHORT))), ErrorKind::Timeout);
        assert!(since.elapsed() >= SHORT);
        thread::scope(|scope| {
            let waiters: Vec<_> = (0..3).map(|_| scope.spawn(|| list.wait_changed(now, None).unwrap())).collect();
            thread::sleep(SHORT);
            list.append(&1).unwrap();
            waiters.into_iter().for_each(|waiter| assert!(waiter.join().unwrap() > now));
        });
    });
}

#[test]
fn an_iteration_goes_by_index() {
    watchdog(LONG, || {
        let fabric = small();
        let list = List::<u32>::new(&fabric).unwrap();
        list.extend(&(0..100).collect::<Vec<_>>()).unwrap();
        let mut seen = Vec::new();
        for value in &list {
            let value = value.unwrap();
            seen.push(value);
            if value < 50 {
                list.append(&(100 + value)).unwrap(); // is reached
            }
        }
        assert_eq!(seen, (0..150).collect::<Vec<_>>());
        let mut iter = list.iter();
        assert_eq!(iter.next().unwrap().unwrap(), 0);
        list.clear().unwrap();
        assert!(iter.by_ref().count() < 150, "the rest of what was taken together, and no more");
        list.append(&1).unwrap();
        assert!(iter.next().is_none(), "ended for good");
    });
}

#[test]
fn full_memory_changes_nothing() {
    watchdog(LONG, || {
        let fabric = capped(2 << 20);
        let list = BytesList::new(&fabric).unwrap();
        let large = vec![7; 30_000];
        let mut count = 0;
        while list.append(&large).is_ok() {
            count += 1;
        }
        // What does not fit as a whole is not begun.
        let many: Vec<Vec<u8>> = (0..100).map(|_| large.clone()).collect();
        assert_eq!(kind(list.append(&large)), ErrorKind::OutOfMemory);
        list.delete_slice(0..5).unwrap();
        count -= 5;
        let before = list.version().unwrap();
        assert_eq!(kind(list.extend(&slices(&many))), ErrorKind::OutOfMemory);
        assert_eq!(kind(list.set_slice(1..3, &slices(&many))), ErrorKind::OutOfMemory);
        assert_eq!(kind(list.repeat(3)), ErrorKind::OutOfMemory);
        assert_eq!(kind(list.append(&vec![0; 4 << 20])), ErrorKind::TooLarge);
        assert_eq!((list.len().unwrap(), list.version().unwrap()), (count, before));
        assert!(contents(&list).iter().all(|item| *item == large));
        let report = whole(&fabric);
        assert_eq!(report.private_chunks, 0);
        list.clear().unwrap();
        (0..count / 2).for_each(|_| list.append(&large).unwrap());
    });
}

/// Copies of each number, which come and stay together.
const COPIES: usize = 7;
const STORMERS: u64 = 4;

fn large_of(number: u64, copy: usize) -> Vec<u8> {
    number.to_le_bytes().repeat(if copy == 3 { 40 } else { 1 })
}

#[test]
fn a_storm_with_kills() {
    watchdog(LONG * 3, || {
        let fabric = small();
        let list = BytesList::create(&fabric, "storm").unwrap();
        let counts = List::<u64>::create(&fabric, "counts").unwrap();
        counts.append(&0).unwrap();
        let start = |number: u64| peer_in(&fabric, "list::stormer").arg("NUMBER", &number.to_string()).start();
        let mut peers: Vec<Peer> = (0..STORMERS).map(start).collect();
        let (mut dice, mut kills) = (Dice(5), 0);
        let end = Instant::now() + Duration::from_secs(6);
        while Instant::now() < end {
            thread::sleep(Duration::from_millis(dice.below(60)));
            let victim = dice.below(STORMERS) as usize;
            peers[victim].kill();
            kills += 1;
            // Sometimes the others meet the dead first, sometimes the sweep does.
            if dice.below(2) == 0 {
                fabric.sweep().unwrap();
            }
            peers[victim] = start(STORMERS + kills);
        }
        for peer in &mut peers {
            peer.kill();
        }
        fabric.sweep().unwrap();
        let report = whole(&fabric);
        assert_eq!((report.private_chunks, report.unswept, report.unswept_chunks), (0, 0, 0));
        let mut all: HashMap<Vec<u8>, usize> = HashMap::new();
        contents(&list).into_iter().for_each(|item| *all.entry(item).or_default() += 1);
        let passing = all.remove(b"passing".as_slice()).unwrap_or(0);
        assert!(passing as u64 <= STORMERS + kills, "{passing} are left by {kills} dead");
        let numbers = all.keys().filter(|item| item.len() == 8).count();
        for item in all.keys().filter(|item| item.len() == 8) {
            let number = u64::from_le_bytes(item.as_slice().try_into().unwrap());
            assert_eq!((all[item], all.get(&large_of(number, 3))), (COPIES - 1, Some(&1)), "copies of {number:#x}");
        }
        assert_eq!(all.len(), numbers * 2);
        // Each counted once before and once after.
        let counted = counts.get(0).unwrap();
        assert!(counted <= 2 * numbers as u64 + STORMERS + kills && counted + STORMERS + kills >= 2 * numbers as u64, "{counted} counted, {numbers} there");
        assert!(numbers > 0 && kills > 10, "{numbers} numbers and {kills} kills are no storm");
        list.destroy().unwrap();
        counts.destroy().unwrap();
        assert_eq!(whole(&fabric).held_chunks, 2);
    });
}

#[test]
#[ignore = "a role"]
fn stormer() {
    if !peer::is("list::stormer") {
        return;
    }
    let fabric: Fabric = inherited();
    let (list, counts) = (BytesList::open(&fabric, "storm").unwrap(), List::<u64>::open(&fabric, "counts").unwrap());
    let me: u64 = peer::arg("NUMBER").parse().unwrap();
    let mut dice = Dice(me);
    for number in 0.. {
        let number = me << 32 | number;
        let copies: Vec<Vec<u8>> = (0..COPIES).map(|copy| large_of(number, copy)).collect();
        if list.len().unwrap() < 3000 {
            counts.increment(0, 1).unwrap();
            match dice.below(3) {
                0 => list.extend(&slices(&copies)).unwrap(),
                1 => list.set_slice(dice.below(3000) as i64..0, &slices(&copies)).unwrap(),
                _ => list.set_slice(0..0, &slices(&copies)).unwrap(),
            }
            counts.increment(0, 1).unwrap();
        }
        match dice.below(6) {
            0 => list.reverse().unwrap(),
            1 => list
                .rearrange(|items| {
                    let mut order: Vec<usize> = (0..items.len()).collect();
                    order.sort_by(|a, b| items[*a].cmp(&items[*b]));
                    Ok(order)
                })
                .or_else(|error| if error.kind() == ErrorKind::Timeout { Ok(()) } else { Err(error) })
                .unwrap(),
            2 => {
                list.insert(dice.below(3000) as i64, b"passing").unwrap();
                assert!(list.remove(b"passing").unwrap());
            }
            3 => {
                let at = dice.below(3000) as i64;
                if let Ok(item) = list.get(at) {
                    list.compare_and_set(at, &item, &item)
                        .or_else(|error| if error.kind() == ErrorKind::InvalidArgument { Ok(false) } else { Err(error) })
                        .unwrap();
                }
            }
            4 => assert!(list.get_slice(Slice::new(None, None, Some(-3))).unwrap().iter().all(|item| item.len() % 8 == 0 || **item == *b"passing")),
            _ => {
                list.append(b"passing").unwrap();
                assert!(list.remove(b"passing").unwrap());
            }
        }
    }
}
