//! Many putters and getters in many processes at once: every message arrives once, whole, and in the order of its putter. Some of them are stopped for a while
//! (a stopped process is not a dead one), and all use the queue from several threads.

use std::thread;
use std::time::Duration;

use polyproc_ipc::{BytesQueue, ErrorKind, Fabric};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::watchdog::watchdog;

use crate::common::{Dice, LONG, capped, inherited, peer_in, small, whole};

const MESSAGES: u64 = 20_000;
const PUTTERS: u64 = 4;
const GETTERS: usize = 4;
const EACH: u64 = MESSAGES / PUTTERS;
const HEAD: usize = 16;

/// Message `number` of `putter`: who, which, and bytes that follow from both, 0 to 8 KiB in all.
fn message(putter: u64, number: u64) -> Vec<u8> {
    let mut dice = Dice(putter << 32 | number);
    let len = HEAD + dice.below(8192 - HEAD as u64 + 1) as usize;
    let mut bytes = Vec::with_capacity(len + 8);
    bytes.extend_from_slice(&putter.to_ne_bytes());
    bytes.extend_from_slice(&number.to_ne_bytes());
    while bytes.len() < len {
        bytes.extend_from_slice(&dice.roll().to_ne_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// What was received: how many, and the sum of their numbers, by putter.
#[derive(Default)]
struct Ledger([(u64, u64, Option<u64>); PUTTERS as usize]);

impl Ledger {
    /// Enters a message, which must be whole and come after all others of its putter that were entered here.
    fn enter(&mut self, bytes: &[u8]) {
        let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
        let (putter, number) = (word(0), word(8));
        assert!(bytes == message(putter, number), "message {number} of {putter} is torn");
        let (count, sum, last) = &mut self.0[putter as usize];
        assert!(last.is_none_or(|last| last < number), "message {number} of {putter} came after {last:?}");
        (*count, *sum, *last) = (*count + 1, *sum + number, Some(number));
    }

    fn add(&mut self, text: &str) {
        let mut numbers = text.split(' ').map(|number| number.parse::<u64>().unwrap());
        for (count, sum, _) in &mut self.0 {
            *count += numbers.next().unwrap();
            *sum += numbers.next().unwrap();
        }
    }

    fn text(&self) -> String {
        self.0.iter().map(|(count, sum, _)| format!("{count} {sum}")).collect::<Vec<_>>().join(" ")
    }
}

fn run(capacity: usize, cap: u64, disturb: bool) {
    let fabric = capped(cap);
    let queue = BytesQueue::create(&fabric, "crowd", capacity).unwrap();
    let mut getters: Vec<Peer> = (0..GETTERS).map(|_| peer_in(&fabric, "crowd::getter").start()).collect();
    let mut putters: Vec<Peer> = (0..PUTTERS).map(|putter| peer_in(&fabric, "crowd::putter").arg("PUTTER", &putter.to_string()).start()).collect();
    if disturb {
        let mut dice = Dice(1);
        for _ in 0..40 {
            let peer = if dice.below(2) == 0 { dice.pick(&putters) } else { dice.pick(&getters) };
            peer.stop();
            thread::sleep(std::time::Duration::from_millis(dice.below(20)));
            assert_eq!(fabric.sweep().unwrap(), 0, "a stopped process was taken for dead");
            peer.resume();
        }
    }
    putters.iter_mut().for_each(|peer| peer.expect("PUT", LONG));
    queue.close().unwrap();
    let mut ledger = Ledger::default();
    getters.iter_mut().for_each(|peer| ledger.add(&peer.wait_line(LONG)));
    for (count, sum, _) in ledger.0 {
        assert_eq!((count, sum), (EACH, EACH * (EACH - 1) / 2));
    }
    putters.iter_mut().chain(&mut getters).for_each(|peer| assert!(peer.wait(LONG).success()));
    let report = whole(&fabric);
    assert_eq!((report.private_chunks, report.members, report.unswept), (0, 1, 0));
}

#[test]
fn an_unbounded_queue_between_eight_processes() {
    watchdog(LONG * 2, || run(0, 256 << 20, false));
}

#[test]
fn a_bounded_queue_between_eight_processes_that_are_stopped_at_times() {
    watchdog(LONG * 2, || run(50, 16 << 20, true));
}

#[test]
#[ignore = "a role"]
fn putter() {
    if peer::is("crowd::putter") {
        let fabric = inherited();
        let queue = BytesQueue::open(&fabric, "crowd").unwrap();
        let putter: u64 = peer::arg("PUTTER").parse().unwrap();
        put_all(&fabric, &queue, putter);
        peer::say("PUT");
    }
}

/// By all the ways of putting.
fn put_all(fabric: &Fabric, queue: &BytesQueue, putter: u64) {
    let mut number = 0;
    while number < EACH {
        let batch: Vec<Vec<u8>> = (number..EACH.min(number + 5)).map(|number| message(putter, number)).collect();
        match number / 5 % 4 {
            0 => {
                let slices: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
                assert_eq!(queue.put_many(&slices).unwrap(), batch.len());
            }
            1 => batch.iter().for_each(|bytes| {
                let mut loan = queue.loan(bytes.len()).unwrap();
                loan.copy_from_slice(bytes);
                queue.put_loan(loan).unwrap();
            }),
            2 => batch.iter().for_each(|bytes| while queue.try_put(bytes).is_err() {}),
            _ => batch.iter().for_each(|bytes| queue.put(bytes).unwrap()),
        }
        number += batch.len() as u64;
    }
    assert!(fabric.alive(fabric.member().unwrap()));
}

#[test]
#[ignore = "a role"]
fn getter() {
    if peer::is("crowd::getter") {
        let queue = BytesQueue::open(&inherited(), "crowd").unwrap();
        let mut all = Ledger::default();
        let ledgers = thread::scope(|scope| {
            [0, 1]
                .map(|way| {
                    scope.spawn({
                        let queue = &queue;
                        move || get_all(queue, way)
                    })
                })
                .map(|thread| thread.join().unwrap())
        });
        ledgers.iter().for_each(|ledger| all.add(&ledger.text()));
        peer::say(&all.text());
    }
}

/// By all the ways of getting, until the queue is closed and drained.
fn get_all(queue: &BytesQueue, way: u64) -> Ledger {
    let mut ledger = Ledger::default();
    let mut turn = way;
    loop {
        turn += 1;
        let result = match turn % 4 {
            0 => queue.get_many(6).map(|messages| messages.iter().for_each(|message| ledger.enter(message))),
            1 => queue.get_lease().map(|lease| {
                ledger.enter(&lease);
                assert_eq!(lease.deliveries(), 1);
                lease.ack().unwrap();
            }),
            2 => queue.try_get().map(|message| ledger.enter(&message)),
            _ => queue.get().map(|message| ledger.enter(&message)),
        };
        match result.map_err(|error| error.kind()) {
            Ok(()) | Err(ErrorKind::Empty) => {}
            Err(ErrorKind::Closed) => return ledger,
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn who_joins_where_the_table_is_nearly_full_may_begin_with_a_sweep() {
    let fabric = small();
    let mut last = peer_in(&fabric, "crowd::last_slots").start();
    last.expect("all but the last slots were used", LONG);
    let mut dead = peer_in(&fabric, "crowd::last_slots").arg("STAY", "1").start();
    dead.expect("here", LONG);
    dead.kill();
    last.send("sweep");
    // A lock that its own holder waits for is taken for damaged after 8 seconds.
    last.expect("swept 1", Duration::from_secs(7));
    drop(last);
    whole(&fabric);
}

#[test]
#[ignore = "a role"]
fn last_slots() {
    if !peer::is("crowd::last_slots") {
        return;
    }
    if std::env::var("STAY").is_ok() {
        let _here = inherited();
        peer::say("here");
        peer::hear();
        return;
    }
    // The table has 1024 slots, the last 64 of which are a reason to sweep.
    while inherited().members().last().unwrap().owner.slot() < 970 {}
    peer::say("all but the last slots were used");
    peer::hear();
    let fabric = inherited();
    peer::say(&format!("swept {}", fabric.sweep().unwrap()));
}
