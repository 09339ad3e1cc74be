//! Processes that write one dict and are killed at any moment: nothing is lost, nothing is doubled, and a reader beside them sees order.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use polyproc_ipc::{BytesDict, Dict, ErrorKind, Fabric};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::watchdog::watchdog;

use crate::common::{Dice, LONG, capped, inherited, peer_in, whole};

const WORKERS: u64 = 4;
const KILLS: u64 = 60;
/// Numbers that all add to.
const SHARED: u64 = 8;
const FIXED: u64 = 300;

type Numbers = Dict<(String, u64), u64>;

fn start(fabric: &Fabric, worker: u64) -> Peer {
    peer_in(fabric, "dict_storm::worker").arg("WORKER", &worker.to_string()).start()
}

#[test]
fn killed_writers_lose_and_double_nothing() {
    watchdog(LONG * 2, || {
        let fabric = capped(64 << 20);
        let dict = Numbers::create(&fabric, "storm").unwrap();
        (0..FIXED).for_each(|i| {
            dict.set(&("fixed".into(), i), &0).unwrap();
        });
        let mut workers: Vec<Peer> = (0..WORKERS).map(|worker| start(&fabric, worker)).collect();
        let mut dice = Dice(11);
        for kill in 0..KILLS {
            thread::sleep(Duration::from_micros(3000 + dice.below(12_000)));
            // The fixed keys stay all the time: each is seen once, in order, whatever the others do.
            let fixed: Vec<u64> = dict.keys().map(Result::unwrap).filter(|key| key.0 == "fixed").map(|key| key.1).collect();
            assert_eq!(fixed, (0..FIXED).collect::<Vec<_>>());
            let victim = dice.below(WORKERS);
            workers[victim as usize].kill();
            if kill % 3 == 0 {
                fabric.sweep().unwrap();
            }
            if kill % 10 == 0 {
                whole(&fabric);
            }
            workers[victim as usize] = start(&fabric, victim);
        }
        for worker in &mut workers {
            worker.kill();
        }
        fabric.sweep().unwrap();
        let report = whole(&fabric);
        assert_eq!((report.private_chunks, report.unswept, report.unswept_chunks), (0, 0, 0));
        let all: BTreeMap<(String, u64), u64> = dict.snapshot().unwrap().into_iter().collect();
        assert_eq!(all.len(), dict.len());
        let sum = |name: &str| all.range((name.to_owned(), 0)..=(name.to_owned(), u64::MAX)).map(|(_, n)| n).sum::<u64>();
        let (begun, shared, done) = (sum("begun"), sum("shared"), sum("done"));
        // Every round is three increments, one after the other: a death leaves at most one round unfinished.
        let deaths = KILLS + WORKERS;
        assert!(begun > deaths, "{begun} rounds");
        assert!(begun - deaths <= shared && shared <= begun && done <= shared && begun - deaths <= done, "{begun} begun, {shared} added, {done} done");
        // Of the chain of keys that each worker made and deleted, one or two are left.
        for worker in 0..WORKERS {
            let chain = all.keys().filter(|key| key.0 == format!("chain {worker}")).count();
            assert!((1..=2).contains(&chain), "worker {worker} has {chain} keys");
        }
        dict.destroy().unwrap();
        assert_eq!(whole(&fabric).held_chunks, 1);
    });
}

#[test]
#[ignore = "a role"]
fn worker() {
    if !peer::is("dict_storm::worker") {
        return;
    }
    let fabric = inherited();
    let dict = Numbers::open(&fabric, "storm").unwrap();
    let worker: u64 = peer::arg("WORKER").parse().unwrap();
    let key = |name: &str, number| (name.to_owned(), number);
    let chain = format!("chain {worker}");
    // What a killed predecessor left.
    let mut mine: Vec<u64> = dict.keys().map(Result::unwrap).filter(|key| key.0 == chain).map(|key| key.1).collect();
    mine.sort_unstable();
    assert!(mine.len() <= 2, "{mine:?}");
    if let [first, second] = mine[..] {
        assert_eq!(first + 1, second);
        dict.delete(&key(&chain, first)).unwrap();
    }
    let mut last = mine.last().copied().unwrap_or_else(|| {
        dict.set(&key(&chain, 0), &0).unwrap();
        0
    });
    let mut dice = Dice(u64::from(std::process::id()));
    loop {
        dict.increment(&key("begun", worker), 1).unwrap();
        dict.increment(&key("shared", dice.below(SHARED)), 1).unwrap();
        if dice.below(2) == 0 {
            dict.increment(&key("done", worker), 1).unwrap();
        } else {
            dict.update_with(&key("done", worker), |n| Some(n.unwrap_or(0) + 1)).unwrap();
        }
        dict.set(&key(&chain, last + 1), &last).unwrap();
        assert_eq!(dict.pop(&key(&chain, last)).unwrap(), last.saturating_sub(1));
        last += 1;
        dict.set(&key("fixed", dice.below(FIXED)), &last).unwrap();
    }
}

#[test]
fn killed_poppers_and_clearers_leave_it_whole() {
    watchdog(LONG * 2, || {
        let fabric = capped(64 << 20);
        let dict = BytesDict::create(&fabric, "heap").unwrap();
        let mut workers: Vec<Peer> = (0..WORKERS).map(|_| peer_in(&fabric, "dict_storm::popper").start()).collect();
        let mut dice = Dice(12);
        for kill in 0..KILLS {
            thread::sleep(Duration::from_micros(2000 + dice.below(8000)));
            let victim = dice.below(WORKERS) as usize;
            workers[victim].kill();
            workers[victim] = peer_in(&fabric, "dict_storm::popper").start();
            if kill % 6 == 0 {
                fabric.sweep().unwrap();
                whole(&fabric);
            }
        }
        for worker in &mut workers {
            worker.kill();
        }
        // Used first, swept after.
        let snapshot = dict.snapshot().unwrap();
        assert_eq!(snapshot.len(), dict.len());
        for (key, value) in &snapshot {
            assert!(value.iter().all(|byte| *byte == key[0]), "a value is torn");
        }
        for (key, _) in snapshot.iter().rev() {
            assert_eq!(*dict.pop_item().unwrap().0, **key);
        }
        assert!(dict.is_empty());
        fabric.sweep().unwrap();
        assert_eq!(whole(&fabric).private_chunks, 0);
        dict.destroy().unwrap();
        assert_eq!(whole(&fabric).held_chunks, 1);
    });
}

#[test]
#[ignore = "a role"]
fn popper() {
    if !peer::is("dict_storm::popper") {
        return;
    }
    let fabric = inherited();
    let dict = BytesDict::open(&fabric, "heap").unwrap();
    let mut dice = Dice(u64::from(std::process::id()));
    loop {
        let key = dice.below(2000).to_le_bytes();
        match dice.below(1000) {
            0..450 => assert!(dict.set(&key, &vec![key[0]; dice.below(300) as usize]).unwrap() > 0),
            450..700 => drop(dict.take(&key).unwrap()),
            700..990 => match dict.pop_item() {
                Ok((key, value)) => assert!(value.iter().all(|byte| *byte == key[0])),
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
            },
            990..998 => assert!(dict.items().all(|item| item.is_ok_and(|(key, value)| value.iter().all(|byte| *byte == key[0])))),
            _ => dict.clear().unwrap(),
        }
    }
}
