//! The targets: functions of bytes that must return, whatever the bytes are. Shared by the stable harness beside this file and by libFuzzer (`fuzz/`). Each has some good inputs to begin with.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use polyproc_ipc::{Block, BytesQueue, Fabric, Lock, Packing, Parcel, Queue, Ticket, codec};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

pub(crate) type Target = fn(&[u8]);
type Seeds = fn() -> Vec<Vec<u8>>;

/// All targets, with inputs to begin with.
pub(crate) const TARGETS: &[(&str, Target, Seeds)] = &[
    ("ticket_text", ticket_text, ticket_text_seeds),
    ("ticket_bytes", ticket_bytes, || vec![codec::to_vec(&a_ticket()).expect("a ticket"), codec::to_vec(&vec![a_ticket(); 3]).expect("tickets")]),
    ("values", values, value_seeds),
    ("blocks", blocks, block_seeds),
    ("name_file", name_file, name_file_seeds),
    ("segment", segment, segment_seeds),
];

fn a_ticket() -> Ticket {
    let text = "000102030405060708090a0b0c0d0e0f020000000000000000801200000000006300000000000000";
    text.parse().expect("a ticket")
}

fn ticket_text_seeds() -> Vec<Vec<u8>> {
    vec![a_ticket().to_string().into_bytes(), a_ticket().to_string().to_uppercase().into_bytes()]
}

/// A text that is a ticket is one both ways.
pub(crate) fn ticket_text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(ticket) = text.parse::<Ticket>() {
        assert_eq!(ticket.to_string().parse::<Ticket>().expect("its own text"), ticket);
        attach(&ticket);
    }
}

/// A ticket of no fabric that is attached leads nowhere.
fn attach(ticket: &Ticket) {
    assert!(BytesQueue::from_ticket(ticket).is_err() && Lock::from_ticket(ticket).is_err());
}

pub(crate) fn ticket_bytes(bytes: &[u8]) {
    again::<Ticket>(bytes);
    again::<Vec<Ticket>>(bytes);
    again::<(String, Option<Ticket>)>(bytes);
    if let Ok(ticket) = codec::decode::<Ticket>(bytes) {
        attach(&ticket);
    }
}

/// Something of every shape, itself inside itself.
#[derive(Debug, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Number(f64),
    Text { text: String, at: (i64, u8) },
    Pair(Box<Tree>, Box<Tree>),
    Many(Vec<Tree>),
    Named(BTreeMap<String, Tree>),
}

/// A queue that messages with blocks go through, and come from as they are.
fn parcels() -> &'static BytesQueue {
    static QUEUE: OnceLock<BytesQueue> = OnceLock::new();
    QUEUE.get_or_init(|| BytesQueue::new(&Fabric::builder().cap(16 << 20).private().expect("a fabric"), 0).expect("a queue"))
}

fn block_seeds() -> Vec<Vec<u8>> {
    let (mut packing, mut body) = (Packing::new(), Vec::new());
    let value = (Block::from(vec![7_u8; 1100]), Block::from(vec![1.5_f64; 130]), Block::from(vec![3_u8; 5]));
    packing.encode(&value, &mut body).expect("blocks");
    parcels().put_packed(packing, &body).expect("room");
    vec![parcels().get().expect("the message").into_vec(), codec::to_vec(&value).expect("blocks")]
}

/// Whatever the bytes, blocks lie inside their message, or are refused.
pub(crate) fn blocks(bytes: &[u8]) {
    again::<(Block<u8>, Block<f64>, Block<u8>)>(bytes);
    let mut loan = parcels().loan(bytes.len()).expect("room");
    loan[..bytes.len()].copy_from_slice(bytes);
    parcels().put_loan_as(loan, codec::MESSAGEPACK | codec::WITH_BLOCKS).expect("room");
    let Ok(parcel) = parcels().get().map_err(drop).and_then(|message| Parcel::open(message).map_err(drop)) else { return };
    if let Ok((one, two, three)) = parcel.decode::<(Block<u8>, Block<f64>, Block<u8>)>(parcel.body()) {
        assert!(one.len() + two.len() * 8 + three.len() <= bytes.len() * 3);
        let _ = (one.iter().max(), two.iter().sum::<f64>(), three.iter().max());
    }
}

fn value_seeds() -> Vec<Vec<u8>> {
    let leaf = || Box::new(Tree::Leaf);
    let text = Tree::Text { text: "text".into(), at: (-7, 200) };
    let tree = Tree::Pair(leaf(), Box::new(Tree::Many(vec![Tree::Number(0.5), text, Tree::Named(BTreeMap::from([("a".into(), Tree::Leaf)]))])));
    vec![
        codec::to_vec(&tree).expect("a tree"),
        codec::to_vec(&(1_u8, "two", 3.0, None::<u8>, [true, false])).expect("a tuple"),
        codec::to_vec(&BTreeMap::from([(1_i64, vec!["x", "y"]), (-2, vec![])])).expect("a map"),
        codec::to_vec(&vec![u64::MAX; 20]).expect("numbers"),
        vec![0x91; 2000],
        vec![0xDD, 0xFF, 0xFF, 0xFF, 0xFF],
        vec![0xC6, 0xFF, 0xFF, 0xFF, 0xFF, 0],
    ]
}

pub(crate) fn values(bytes: &[u8]) {
    again::<Tree>(bytes);
    again::<(u8, String, f64, Option<u8>, [bool; 2])>(bytes);
    again::<BTreeMap<i64, Vec<String>>>(bytes);
    again::<Vec<u64>>(bytes);
    again::<Vec<Vec<i8>>>(bytes);
    again::<(char, f32, i128)>(bytes);
    again::<String>(bytes);
    again::<()>(bytes);
    let _ = codec::decode::<IgnoredAny>(bytes);
    let _ = codec::decode::<Vec<IgnoredAny>>(bytes);
}

/// What was decoded is encoded, decoded and encoded again to the same bytes.
fn again<T: Serialize + DeserializeOwned + Debug>(bytes: &[u8]) {
    let Ok(value) = codec::decode::<T>(bytes) else { return };
    let once = codec::to_vec(&value).expect("a value that was decoded");
    let back: T = codec::decode(&once).unwrap_or_else(|error| panic!("{value:?} does not come back: {error}"));
    assert_eq!(codec::to_vec(&back).expect("the same value"), once);
}

fn name_file_seeds() -> Vec<Vec<u8>> {
    let line = |text: &str| format!("{text:<127}\n").into_bytes();
    let header = |backing: &str| line(&format!("polyproc 1 {backing} 1 2 000102030405060708090a0b0c0d0e0f 0123456789abcdef0123456789abcdef"));
    let member = line(&format!("member {} 12345 4026531836 40", std::process::id()));
    vec![[header("memory"), member.clone(), line("")].concat(), [header("file"), member].concat(), line("polyproc 2 something else"), header("memory")]
}

/// The file of a name, found by everything that looks names up. `POLYPROC_DIR` must be set, to a directory for this alone.
pub(crate) fn name_file(bytes: &[u8]) {
    let Some(dir) = std::env::var_os("POLYPROC_DIR").map(PathBuf::from) else { return };
    let _ = fs::DirBuilder::new().mode(0o700).create(&dir);
    let path = dir.join("fuzzed.fabric");
    fs::write(&path, bytes).expect("the file of a name");
    drop(Fabric::open("fuzzed"));
    let _ = Fabric::collect_names();
    fs::write(&path, bytes).expect("the file of a name");
    if let Ok(fabric) = Fabric::builder().cap(1 << 20).open_or_create("fuzzed") {
        let report = fabric.check().expect("a fabric that was made or opened");
        assert!(report.is_whole(), "{report:?}");
    }
    let _ = fs::remove_file(&path);
}

/// Twelve bytes each: an offset and the word that is put there.
fn segment_seeds() -> Vec<Vec<u8>> {
    let patch = |at: u32, word: u64| [at.to_le_bytes().to_vec(), word.to_le_bytes().to_vec()].concat();
    let (_, len) = base();
    vec![
        patch(0x2400, 0x31000),
        patch(448, 1 << 40),
        [patch(0x24000, 4 << 60), patch(0x24008, 9)].concat(),
        (0..40).flat_map(|number| patch(0x31000 + number * 200, 1 << number)).collect(),
        (0..40).flat_map(|number| patch((*len as u32) - 8 * (number + 1), u64::MAX)).collect(),
    ]
}

/// A segment with something of everything in it, as a process left it.
fn base() -> &'static (Vec<u8>, u64) {
    static BASE: OnceLock<(Vec<u8>, u64)> = OnceLock::new();
    BASE.get_or_init(|| {
        let fabric = Fabric::builder().cap(2 << 20).private().expect("a fabric");
        let queue = BytesQueue::create(&fabric, "queue", 0).expect("a queue");
        for len in [10, 3000, 70_000, 40, 40] {
            queue.put(&vec![7; len]).expect("a put");
        }
        drop(queue.get_lease().expect("a lease"));
        std::mem::forget(queue.get_lease().expect("a lease"));
        Queue::<u32>::create(&fabric, "bounded", 2).and_then(|queue| queue.put(&3)).expect("a put");
        Lock::create(&fabric, "lock").and_then(|lock| lock.acquire(None)).expect("a lock");
        let file = reopened(&fabric);
        let mut bytes = vec![0; file.metadata().expect("its length").len() as usize];
        file.read_exact_at(&mut bytes, 0).expect("its bytes");
        let len = bytes.len() as u64;
        (bytes, len)
    })
}

fn reopened(fabric: &Fabric) -> File {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", fabric.descriptor().as_raw_fd());
    File::options().read(true).write(true).open(path).expect("the memory of a fabric")
}

/// A segment that was attached with these words in it.
pub(crate) fn segment(bytes: &[u8]) {
    const MOMENT: Duration = Duration::from_micros(100);
    let (good, len) = base();
    // A file without a name: it goes with its last opening.
    let file = reopened(&Fabric::builder().cap(2 << 20).private().expect("a fabric"));
    file.write_all_at(good, 0).expect("a copy of the segment");
    for patch in bytes.chunks_exact(12) {
        let at = u64::from(u32::from_le_bytes(patch[..4].try_into().expect("4 bytes"))) % (len / 8) * 8;
        if at >= 40 {
            file.write_all_at(&patch[4..], at).expect("a word of the segment");
        }
    }
    let Ok(fabric) = Fabric::attach(OwnedFd::from(file)) else { return };
    drop((fabric.objects(), fabric.members(), fabric.check()));
    if let Ok(queue) = BytesQueue::open(&fabric, "queue") {
        drop((queue.len(), queue.put_timeout(&[1; 40], MOMENT), queue.put_timeout(&[1; 3000], MOMENT)));
        drop((queue.get_timeout(MOMENT), queue.get_many_timeout(9, MOMENT), queue.get_lease_timeout(Some(MOMENT))));
    }
    if let Ok(queue) = Queue::<u32>::open(&fabric, "bounded") {
        drop((queue.put_timeout(&1, MOMENT), queue.get_timeout(MOMENT)));
    }
    drop(Lock::open(&fabric, "lock").and_then(|lock| lock.acquire(Some(MOMENT))));
    drop((fabric.sweep(), BytesQueue::create(&fabric, "new", 0).and_then(|queue| queue.put_timeout(&[2; 9], MOMENT))));
    drop((fabric.remove("queue"), fabric.remove("bounded"), fabric.check()));
}
