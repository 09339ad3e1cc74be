//! Nothing is left behind: a peer plays something of everything, also with deaths, and afterwards has the descriptors, children, mappings and files that it had before.

use std::path::PathBuf;
use std::process;
use std::thread;

use polyproc_ipc::{Backing, BytesQueue, Fabric, Lock, Queue};
use polyproc_testkit::leak::{Snapshot, Watch};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::temp::TempDir;
use polyproc_testkit::watchdog::{Watchdog, watchdog};

use crate::common::{LONG, inherited, peer_in, play, whole};

#[test]
fn nothing_is_left_behind() {
    watchdog(LONG * 2, || {
        let dir = TempDir::new("last");
        play("last::scenario", dir.path());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    });
}

/// Mappings of a fabric's memory in this process.
fn mappings() -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("polyproc (deleted)") || line.contains(".memory")).map(str::to_owned).collect()
}

#[test]
#[ignore = "a role"]
fn scenario() {
    if !peer::is("last::scenario") {
        return;
    }
    let _dog = Watchdog::new(LONG);
    let dir = PathBuf::from(peer::arg("POLYPROC_DIR"));
    // Once before, so that what the library keeps for ever (nothing, for a descriptor) is there.
    everything();
    let before: Snapshot = Watch::new().dir(&dir).take();
    assert!(mappings().is_empty(), "{:?}", mappings());
    for _ in 0..3 {
        everything();
        before.assert_same();
        assert!(mappings().is_empty(), "{:?}", mappings());
    }
}

fn everything() {
    let private = Fabric::builder().cap(16 << 20).private().unwrap();
    let named = Fabric::builder().cap(16 << 20).create("named").unwrap();
    let filed = Fabric::builder().cap(16 << 20).backing(Backing::File).create("filed").unwrap();
    let again = Fabric::open("named").unwrap();
    for fabric in [&private, &named, &filed, &again] {
        let queue = BytesQueue::create(fabric, &format!("queue {:?}", fabric.member()), 0).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| (0..100).for_each(|i| queue.put(&vec![1; i * 100]).unwrap()));
            (0..100).for_each(|_| drop(queue.get().unwrap()));
        });
        queue.put(&[2; 5000]).unwrap();
        drop(queue.get_lease().unwrap());
        let lock = Lock::new(fabric).unwrap();
        drop(lock.lock().unwrap());
        lock.acquire(None).unwrap();
    }
    let mut peers = [peer_in(&private, "last::member").arg("HOW", "inherited").start(), Peer::spawn("last::member", &[("HOW", "filed")])];
    peers.iter_mut().for_each(|peer| peer.expect("HOLDS", LONG));
    peers.iter_mut().for_each(|peer| assert!(!peer.kill().success()));
    for fabric in [&private, &filed] {
        assert_eq!(fabric.sweep().unwrap(), 1);
        assert_eq!(fabric.members().len(), 1);
        whole(fabric);
    }
    // A handle that outlives the others keeps the fabric, and no longer.
    let queue = Queue::<u8>::new(&named, 0).unwrap();
    drop((private, named, filed, again));
    queue.put(&1).unwrap();
    assert_eq!(queue.get().unwrap(), 1);
    // One whose last members are killed.
    let mut alone = Peer::spawn("last::member", &[("HOW", "alone")]);
    alone.expect("HOLDS", LONG);
    alone.kill();
    assert_eq!(Fabric::collect_names().unwrap(), ["alone"]);
    assert!(Fabric::open("nobody").is_err());
}

#[test]
#[ignore = "a role"]
fn member() {
    if peer::is("last::member") {
        let fabric = match peer::arg("HOW").as_str() {
            "inherited" => inherited(),
            "alone" => Fabric::builder().cap(16 << 20).backing(Backing::File).create("alone").unwrap(),
            name => Fabric::open(name).unwrap(),
        };
        let queue = BytesQueue::open_or_create(&fabric, &format!("of {}", process::id()), 0).unwrap();
        queue.put(&[1; 9000]).unwrap();
        let _held = (queue.get_lease().unwrap(), queue.loan(100_000).unwrap(), Lock::new(&fabric).unwrap().acquire(None).unwrap());
        peer::say("HOLDS");
        peer::park();
    }
}
