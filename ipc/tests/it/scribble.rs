//! Damaged segments: a fabric full of everything, some words of it overwritten, then every operation. Each must answer: `Ok` or a typed error, in
//! bounded time and memory, and never a panic, a signal or a hang.
//!
//! The work is done in a peer, which notes the seed and the operation in a file before each call, so that even a crash is told. What is not tested
//! is an internal lock word that names a *living* member: that cannot be told from a lock that is held.
//!
//! `POLYPROC_SCRIBBLE` is the number of rounds, `POLYPROC_SCRIBBLE_SEED` the first seed.
#![allow(unsafe_code)]

use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, thread};

use polyproc_ipc::{BytesDict, BytesList, BytesQueue, Events, Fabric, Lease, List, Loan, Lock, Message, Owner, Packed, Queue, Slice, Ticket};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::temp::TempDir;

use crate::common::{Dice, capped, reopened};

const ROUNDS: u64 = 3000;
const MOMENT: Duration = Duration::from_micros(200);
/// A round takes some milliseconds; one that takes this long hangs.
const HANG: Duration = Duration::from_secs(40);
const CAP: u64 = 8 << 20;

fn number(key: &str, default: u64) -> u64 {
    env::var(key).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn every_call_on_damaged_memory_answers() {
    let dir = TempDir::new("scribble");
    let status = dir.path().join("status");
    std::fs::write(&status, "nothing").unwrap();
    let (rounds, seed) = (number("POLYPROC_SCRIBBLE", ROUNDS), number("POLYPROC_SCRIBBLE_SEED", 0));
    let life = Duration::from_secs(120 + rounds / 20);
    let mut peer = Peer::builder("scribble::scribbler")
        .arg("STATUS", status.to_str().unwrap())
        .arg("ROUNDS", &rounds.to_string())
        .arg("SEED", &seed.to_string())
        .life(life)
        .start();
    let mut faults = Vec::new();
    let ended = loop {
        let Ok(line) = catch_unwind(AssertUnwindSafe(|| peer.wait_line(life))) else { break peer.wait(life) };
        if line == "DONE" {
            break peer.wait(life);
        }
        eprintln!("{line}");
        faults.push(line);
    };
    let last = std::fs::read_to_string(&status).unwrap();
    assert!(ended.success(), "the scribbler ended by {ended} in: {last}");
    assert!(faults.is_empty(), "{} faults, the first: {}", faults.len(), faults[0]);
}

/// Where the scribbler stands, for whoever finds it dead.
struct Status {
    file: std::fs::File,
    text: Mutex<String>,
    round: AtomicU64,
}

impl Status {
    fn note(&self, seed: u64, act: &str) {
        let text = format!("seed {seed}, {act:<40}");
        self.file.write_all_at(text.as_bytes(), 0).unwrap();
        *self.text.lock().unwrap() = text;
    }
}

#[test]
#[ignore = "a role"]
fn scribbler() {
    if !peer::is("scribble::scribbler") {
        return;
    }
    // A runaway allocation ends this process and not the machine.
    let limit = libc::rlimit { rlim_cur: 2 << 30, rlim_max: 2 << 30 };
    // SAFETY: the limit is a valid structure for the call.
    unsafe { libc::setrlimit(libc::RLIMIT_DATA, &raw const limit) };
    let file = std::fs::OpenOptions::new().write(true).open(peer::arg("STATUS")).unwrap();
    let status = Arc::new(Status { file, text: Mutex::new(String::new()), round: AtomicU64::new(0) });
    watch(Arc::clone(&status));
    let panicked = Arc::new(Mutex::new(String::new()));
    let said = Arc::clone(&panicked);
    std::panic::set_hook(Box::new(move |info| {
        let text = info.to_string().replace('\n', " ");
        eprintln!("{text}\n{}", std::backtrace::Backtrace::capture());
        *said.lock().unwrap() = text;
    }));
    let first: u64 = peer::arg("SEED").parse().unwrap();
    let rounds: u64 = peer::arg("ROUNDS").parse().unwrap();
    let mut faults = 0;
    for seed in first..first + rounds {
        status.round.fetch_add(1, Ordering::Relaxed);
        if catch_unwind(AssertUnwindSafe(|| round(seed, &status))).is_err() {
            peer::say(&format!("{}: {}", status.text.lock().unwrap(), panicked.lock().unwrap()));
            faults += 1;
            if faults > 50 {
                break;
            }
        }
    }
    peer::say("DONE");
}

/// Ends the process if a round does not.
fn watch(status: Arc<Status>) {
    thread::spawn(move || {
        let mut seen = 0;
        loop {
            thread::sleep(HANG);
            let now = status.round.load(Ordering::Relaxed);
            if now == seen {
                eprintln!("SCRIBBLE hangs in: {}", status.text.lock().unwrap());
                process::abort();
            }
            seen = now;
        }
    });
}

/// A fabric with something of every kind in it.
struct World {
    fabric: Fabric,
    rings: BytesQueue,
    chunks: BytesQueue,
    bounded: BytesQueue,
    leased: BytesQueue,
    kept: BytesQueue,
    rich: BytesQueue,
    typed: Queue<(u32, String)>,
    dict: BytesDict,
    space: BytesDict,
    leases: Vec<Lease>,
    messages: Vec<Message>,
    loans: Vec<Loan>,
    free: Lock,
    held: Lock,
    short: BytesList,
    long: List<u32>,
    events: Events,
    dead: Vec<Owner>,
    ticket: Ticket,
}

fn build(dice: &mut Dice) -> World {
    let fabric = capped(CAP);
    let make = |name: &str, capacity| BytesQueue::create(&fabric, name, capacity).unwrap();
    let (rings, chunks, bounded, leased) = (make("rings", 0), make("chunks", 0), make("bounded", 8), make("leased", 0));
    let kept = BytesQueue::new_for_reclaim(&fabric, 0).unwrap();
    let rich = BytesQueue::builder().lanes(3).joinable().max_deliveries(2).dead_letters(&bounded).create(&fabric, "rich").unwrap();
    for i in 0..60 + dice.below(60) {
        rings.put(&vec![i as u8; dice.below(400) as usize]).unwrap();
    }
    for _ in 0..dice.below(40) {
        rings.get().unwrap();
    }
    for i in 0..6 {
        chunks.put(&vec![i; 1000 + dice.below(30_000) as usize]).unwrap();
    }
    (0..8_u8).for_each(|i| bounded.put(&[i; 10]).unwrap());
    for i in 0..12_u8 {
        leased.put(&vec![i; if i % 4 == 1 { 4000 } else { 100 }]).unwrap();
        kept.put(&[i; 8]).unwrap();
        rich.put_to(usize::from(i) % 3, &vec![i; if i % 4 == 1 { 4000 } else { 100 }]).unwrap();
    }
    rich.get().unwrap();
    (0..3).for_each(|_| rich.get_lease().unwrap().nak(if dice.below(2) == 0 { MOMENT } else { HANG }).unwrap());
    rich.get_lease().unwrap().bury().unwrap();
    // Retired objects, one with lease entries.
    for _ in 0..2 {
        let gone = BytesQueue::new(&fabric, 0).unwrap();
        gone.put(b"1").unwrap();
        let lease = gone.get_lease().unwrap();
        gone.destroy().unwrap();
        drop(lease);
        Lock::new(&fabric).unwrap().destroy().unwrap();
    }
    let mut dead = Vec::new();
    let dead_lock = Lock::create(&fabric, "of the dead").unwrap();
    let (short, long) = (BytesList::create(&fabric, "short").unwrap(), List::create(&fabric, "long").unwrap());
    (0..20_u8).for_each(|i| short.append(&vec![i; [0, 5, 40, 3000][usize::from(i) % 4]]).unwrap());
    long.extend(&(0..3000).collect::<Vec<u32>>()).unwrap();
    if dice.below(3) == 0 {
        dead.push(leave_a_dead_member(&fabric, &leased, &kept, &dead_lock));
    }
    let leases: Vec<Lease> = (0..4).map(|_| leased.get_lease().unwrap()).collect();
    drop(leased.get_lease().unwrap());
    let leases = leases.into_iter().chain([rich.lease_for(MOMENT * 10).unwrap(), rich.lease_for(HANG).unwrap()]).collect();
    let messages = vec![chunks.get().unwrap(), chunks.get().unwrap()];
    let loans = vec![chunks.loan(100).unwrap(), chunks.loan(70_000).unwrap()];
    let (free, held) = (Lock::new(&fabric).unwrap(), Lock::create(&fabric, "held").unwrap());
    held.acquire(None).unwrap();
    let typed = Queue::create(&fabric, "typed", 0).unwrap();
    typed.put_many(&[(1, "one".to_owned()), (2, "two".to_owned())]).unwrap();
    let ticket = rings.ticket();
    let events = Events::create(&fabric, "events", 16).unwrap();
    (0..20 + dice.below(20)).for_each(|i| events.record(i as u8, events.intern(&format!("name {}", i % 6)).unwrap(), i as u32, i).unwrap());
    let (dict, space) = (BytesDict::create(&fabric, "dict").unwrap(), BytesDict::with_shards(&fabric, None, 1).unwrap());
    for i in 0..60 + dice.below(60) {
        dict.set(&[i as u8, 1], &vec![i as u8; dice.below(300) as usize]).unwrap();
        space.set(&[i as u8 % 9], b"attribute").unwrap();
    }
    dict.increment(b"number", 1).unwrap();
    (0..20).for_each(|i| drop(dict.take(&[i, 1]).unwrap()));
    dict.set(b"large", &vec![5; 70_000]).unwrap();
    World { fabric, rings, chunks, bounded, leased, kept, rich, typed, dict, space, leases, messages, loans, free, held, short, long, events, dead, ticket }
}

/// A forked child that holds something of everything when it ends.
fn leave_a_dead_member(fabric: &Fabric, leased: &BytesQueue, kept: &BytesQueue, lock: &Lock) -> Owner {
    let before: Vec<Owner> = fabric.members().iter().map(|member| member.owner).collect();
    // SAFETY: the child calls the library, which is made for that, and ends by _exit.
    match unsafe { libc::fork() } {
        0 => {
            let (a, b) = (leased.get_lease(), kept.get_lease());
            let (c, d) = (lock.acquire(None), leased.loan(500));
            let done = a.is_ok() && b.is_ok() && c.is_ok() && d.is_ok();
            // SAFETY: ends the child at once; nothing of it is given back, which is meant.
            unsafe { libc::_exit(i32::from(!done)) }
        }
        pid => {
            assert!(pid > 0, "cannot fork");
            let mut status = 0;
            // SAFETY: the pid is a child of this process, the status a place to write to.
            let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
            assert_eq!((waited, status), (pid, 0));
            fabric.members().into_iter().map(|member| member.owner).find(|owner| !before.contains(owner)).unwrap()
        }
    }
}

/// Overwrites 1 to 64 places.
fn scribble(fabric: &Fabric, dice: &mut Dice) {
    let file = reopened(fabric);
    let len = file.metadata().unwrap().len() as usize & !7;
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, 0).unwrap();
    let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
    let map = 0x4000 + 1024 * 128;
    let heap = len - fabric_units(&word) as usize * 0x1_0000;
    let used: Vec<usize> = (heap..len).step_by(8).filter(|&at| word(at) != 0 && word(at) != 0x0707_0707_0707_0707).collect();
    let offsets: Vec<u64> = (0..len).step_by(8).map(word).filter(|&v| v >= heap as u64 && v < len as u64 && v.is_multiple_of(8)).collect();
    // Words that are neither a message's bytes nor unused: what matters most.
    let links: Vec<usize> = used.iter().copied().filter(|&at| word(at) < 1 << 52 || word(at) >> 60 != 0).collect();
    let most = *dice.pick(&[2, 4, 64]);
    let places = 1 + dice.below(most);
    for _ in 0..places {
        let at = match dice.below(100) {
            0..15 => dice.below(512) as usize,
            15..25 => 1024 + dice.below(32 * 256) as usize,
            25..32 => 0x2400 + dice.below(16) as usize,
            32..42 => 0x2800 + dice.below(2048) as usize,
            42..47 => 0x4000 + dice.below(4 * 128) as usize,
            47..60 => map + dice.below(fabric_units(&word) * 16) as usize,
            60..70 => *dice.pick(&used),
            70..90 => *dice.pick(&links),
            90..95 => heap + dice.below((len - heap) as u64) as usize,
            _ => dice.below(len as u64) as usize,
        };
        if dice.below(3) == 0 {
            file.write_all_at(&[dice.roll() as u8], at as u64).unwrap();
            continue;
        }
        let at = at & !7;
        let end = len as u64;
        let value = match dice.below(14) {
            0 => 0,
            1 => u64::MAX,
            2 => 1,
            3 => dice.below(64),
            4 => end - 8 * dice.below(64),
            5 => end + 64 * dice.below(64),
            6..9 => *dice.pick(&offsets),
            9 => *dice.pick(&offsets) + 1 + dice.below(7),
            10 => word(at) ^ 1 << dice.below(64),
            11 => word(at).wrapping_add(1),
            12 => *dice.pick(&[1 << 63, i64::MAX as u64, u64::from(u32::MAX), 1 << 32, 1 << 31, 1 << 60, 2 << 60, 3 << 60]),
            _ => word(at) ^ dice.roll() << 32,
        };
        file.write_all_at(&value.to_ne_bytes(), at as u64).unwrap();
    }
}

/// The number of units that the segment says it has, before it is damaged.
fn fabric_units(word: &dyn Fn(usize) -> u64) -> u64 {
    word(448)
}

/// Whether a put without a time-out surely ends: a queue that was given a limit by the damage may well be full.
fn never_full(queue: &BytesQueue) -> bool {
    queue.capacity().is_none()
}

type Act = (&'static str, fn(&mut World));

/// What is done to a damaged world. Answers are not looked at: any is right.
const ACTS: &[Act] = &[
    ("put", |w| w.queues().iter().for_each(|q| drop(q.put_timeout(b"a message", MOMENT)))),
    ("put large", |w| w.queues().iter().for_each(|q| drop(q.put_timeout(&[7; 5000], MOMENT)))),
    ("put very large", |w| drop(w.chunks.put_timeout(&vec![7; 100_000], MOMENT))),
    ("put too large", |w| drop(w.chunks.put_timeout(&vec![7; CAP as usize], MOMENT))),
    ("try_put", |w| w.queues().iter().for_each(|q| drop(q.try_put(&[1; 2000])))),
    ("put_many", |w| [&w.rings, &w.chunks].into_iter().filter(|q| never_full(q)).for_each(|q| drop(q.put_many(&[b"a", &[2; 3000], b"", &[3; 500]])))),
    ("put_quiet", |w| {
        drop(Some(&w.rings).filter(|q| never_full(q)).map(|q| q.put_quiet(b"quiet")));
        w.rings.wake();
    }),
    ("put typed", |w| {
        drop(Some(w.typed.bytes()).filter(|q| never_full(q)).map(|_| w.typed.put_many(&[(3, "three".into())])));
        drop(w.typed.try_put(&(4, "four".into())));
    }),
    ("get", |w| w.queues().iter().for_each(|q| (0..3).for_each(|_| drop(q.get_timeout(MOMENT))))),
    ("try_get", |w| w.queues().iter().for_each(|q| drop(q.try_get()))),
    ("get_many", |w| w.queues().iter().for_each(|q| drop(q.get_many_timeout(20, MOMENT)))),
    ("get all", |w| w.queues().iter().for_each(|q| drop(q.get_many_timeout(usize::MAX, MOMENT)))),
    ("get typed", |w| drop(w.typed.get_timeout(MOMENT))),
    ("lease", |w| {
        let new: Vec<Lease> = w.queues().iter().filter_map(|q| q.get_lease_timeout(Some(MOMENT)).ok()).collect();
        w.leases.extend(new);
    }),
    ("lease for", |w| {
        let new: Vec<Lease> = w.queues().iter().filter_map(|q| q.lease_for_timeout(MOMENT, Some(MOMENT)).ok()).collect();
        new.into_iter().for_each(|lease| drop((lease.extend(MOMENT), lease.nak(MOMENT))));
    }),
    ("nak", |w| drop(w.leases.pop().map(|lease| lease.nak(MOMENT)))),
    ("bury", |w| w.queues().iter().for_each(|q| drop(q.get_lease_timeout(Some(MOMENT)).and_then(Lease::bury)))),
    ("buried", |w| w.queues().iter().for_each(|q| drop((q.get_buried(), q.buried(), q.delayed(), q.leased())))),
    ("join", |w| w.queues().iter().for_each(|q| drop((q.join_timeout(MOMENT), q.task_done(), q.unfinished(), q.lost())))),
    ("lanes", |w| (0..9).for_each(|lane| drop((w.rich.put_to_timeout(lane, &[7; 300], MOMENT), w.rich.put_to_timeout(lane, &[7; 3000], MOMENT))))),
    ("ack", |w| drop(w.leases.pop().map(Lease::ack))),
    ("drop lease", |w| drop(w.leases.pop())),
    ("progress", |w| w.leases.iter().for_each(|lease| lease.set_progress(lease.len() as u64 + lease.first().copied().unwrap_or(0) as u64))),
    ("look", |w| w.queues().iter().for_each(|q| drop((q.len(), q.is_empty(), q.is_full(), q.capacity(), q.is_closed(), format!("{q:?}"))))),
    ("read messages", |w| w.messages.iter().for_each(|m| drop((m.to_vec(), m.codec(), m.is_shared())))),
    ("drop message", |w| drop(w.messages.pop())),
    ("put loan", |w| {
        if never_full(&w.chunks)
            && let Some(mut loan) = w.loans.pop()
        {
            loan.fill(9);
            drop(w.chunks.put_loan(loan));
        }
    }),
    ("loan", |w| drop(w.chunks.loan(3000))),
    ("lock", |w| {
        drop(w.free.lock_timeout(MOMENT));
        drop(w.held.lock_timeout(MOMENT));
    }),
    ("try_lock", |w| drop((w.free.try_lock(), w.held.try_lock()))),
    ("release", |w| drop((w.held.release(), w.free.release(), w.free.owner(), w.held.locked(), format!("{:?}", w.held)))),
    ("list, grow", |w| {
        drop((w.short.append(b"small"), w.short.append(&[1; 100]), w.short.insert(3, b"x"), w.long.append(&1), w.long.insert(700, &2)));
        drop((w.short.extend(&[Packed::from(b"a"), Packed::from(&[2; 90])]), w.long.extend(&[5; 600]), w.short.repeat(2)));
    }),
    ("list, read", |w| {
        drop((w.short.len(), w.short.get(5), w.short.to_vec(), w.long.to_vec(), w.long.get(-1), w.long.get(1500), format!("{:?}", w.long)));
        drop((w.short.index(&[2; 40], None, None), w.long.index(&2999), w.short.count(b""), w.short.iter().count(), w.long.iter().count()));
    }),
    ("list, set", |w| {
        drop((w.short.set(2, b"y"), w.short.set(3, &[3; 70]), w.long.set(1000, &1), w.long.increment(9, 1), w.long.compare_and_set(0, &0, &1)));
        drop((w.short.set_slice(2..4, &[Packed::from(b"z")]), w.long.set_slice(Slice::new(Some(0), Some(9), Some(3)), &[1, 2, 3])));
    }),
    ("list, shrink", |w| {
        drop((w.short.pop(), w.short.pop_at(1), w.short.delete(0), w.short.remove(b"x"), w.long.pop(), w.long.delete(600)));
        drop(w.long.delete_slice(Slice::new(None, None, Some(2))));
    }),
    ("list, order", |w| drop((w.short.reverse(), w.long.reverse(), w.long.sort(), w.long.wait_changed(0, Some(MOMENT))))),
    ("list, end", |w| drop((w.short.clear(), w.long.destroy(), BytesList::new(&w.fabric).and_then(|l| l.append(b"new"))))),
    ("events", |w| {
        drop((w.events.read().map(|h| assert!(h.events.len() <= 16)), w.events.intern("name 3"), w.events.read_from(7)));
        (0..20).for_each(|i| drop((w.events.record(1, polyproc_ipc::EventName::OTHER, 2, 3), w.events.intern(&format!("new {i}")))));
        drop((w.events.read(), Events::open(&w.fabric, "events").and_then(|e| e.read()), Events::new(&w.fabric, 100).and_then(|e| e.destroy())));
    }),
    ("create", |w| drop((BytesQueue::create(&w.fabric, "new", 3), Lock::create(&w.fabric, "new lock"), Lock::create(&w.fabric, "rings")))),
    ("new", |w| drop((BytesQueue::new(&w.fabric, 0).and_then(|q| q.put(b"x")), Lock::new(&w.fabric)))),
    ("open", |w| {
        let queue = BytesQueue::open(&w.fabric, "rings").and_then(|q| q.get_timeout(MOMENT));
        drop((queue, Lock::open(&w.fabric, "of the dead").and_then(|l| l.acquire(Some(MOMENT)))));
    }),
    ("open_or_create", |w| drop((BytesQueue::open_or_create(&w.fabric, "typed", 0), Lock::open_or_create(&w.fabric, "another")))),
    ("remove", |w| drop((w.fabric.remove("bounded"), w.fabric.remove("new"), w.fabric.remove("not there")))),
    ("check", |w| drop(w.fabric.check())),
    ("sweep", |w| drop(w.fabric.sweep())),
    ("members", |w| drop((w.fabric.members(), w.fabric.objects(), w.fabric.size(), w.fabric.member()))),
    ("reclaim", |w| w.dead.iter().for_each(|&owner| drop((w.kept.reclaim(owner), w.leased.reclaim(owner), w.fabric.alive(owner))))),
    ("ticket", |w| drop((BytesQueue::from_ticket(&w.ticket).and_then(|q| q.try_get()), Lock::from_ticket(&w.ticket)))),
    ("attach", |w| {
        if let Ok(other) = Fabric::attach(OwnedFd::from(reopened(&w.fabric))) {
            drop(BytesQueue::open(&other, "chunks").and_then(|q| q.put_timeout(&[5; 3000], MOMENT)));
            drop(BytesQueue::new(&other, 0).and_then(|q| q.put_timeout(&[5; 300], MOMENT)));
            drop((other.sweep(), other.check()));
        }
    }),
    ("dict set", |w| {
        (0..80).for_each(|i| drop((w.dict.set(&[i, 1], &[i; 90]), w.dict.set(&[i, 2], b"new"), w.space.set(&[i], b"new"))));
        drop((w.dict.set(b"large", &[6; 5000]), w.dict.set_default(b"absent", b"1"), w.dict.compare_and_set(b"large", Some(3), b"2")));
    }),
    ("dict get", |w| (0..80).for_each(|i| drop((w.dict.get(&[i, 1]), w.dict.contains(&[i, 2]), w.space.get(&[i]))))),
    ("dict delete", |w| (0..40).for_each(|i| drop((w.dict.delete(&[i, 1]), w.dict.take(&[i, 2]), w.space.delete(&[i]), w.dict.pop_item())))),
    ("dict increment", |w| drop((w.dict.increment(b"number", 2), w.dict.increment(b"other", 2), w.space.increment(&[0], 1)))),
    ("dict look", |w| drop((w.dict.len(), w.dict.version(), w.dict.wait_change(0, Some(MOMENT)), w.dict.wait_key(b"number", None, Some(MOMENT))))),
    ("dict iterate", |w| {
        drop((w.dict.snapshot().map(|all| all.len()), w.dict.items().count(), w.dict.keys_reversed().count(), w.space.values().count()));
        assert!(w.dict.keys().take(3).count() <= 3);
        drop(w.space.items_reversed().last());
    }),
    ("dict copy", |w| drop((w.space.copy(), w.dict.copy().and_then(|copy| copy.update_from(&w.space))))),
    ("dict clear", |w| drop((w.space.clear(), w.space.len(), w.space.set(b"after", b"it")))),
    ("dict destroy", |w| drop((w.space.destroy(), w.space.get(b"x")))),
    ("close", |w| drop((w.bounded.close(), w.chunks.close()))),
    ("destroy", |w| drop((w.rings.destroy(), w.leased.destroy(), w.held.destroy(), w.dict.destroy()))),
];

impl World {
    fn queues(&self) -> [&BytesQueue; 6] {
        [&self.rings, &self.chunks, &self.bounded, &self.leased, &self.kept, &self.rich]
    }
}

fn round(seed: u64, status: &Status) {
    status.note(seed, "building");
    let mut dice = Dice(seed);
    let mut world = build(&mut dice);
    scribble(&world.fabric, &mut dice);
    let mut order: Vec<usize> = (0..ACTS.len()).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, dice.below(i as u64 + 1) as usize);
    }
    for act in order {
        status.note(seed, ACTS[act].0);
        ACTS[act].1(&mut world);
    }
    status.note(seed, "dropping");
    drop(world);
}
