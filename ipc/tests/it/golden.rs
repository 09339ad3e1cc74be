//! Golden bytes: what stands in a segment, in a ticket, in a message and in an encoded value, byte for byte, as `docs/format.md` states it. Later versions read these bytes
//! or refuse them by name.
//!
//! `golden/segment-1.txt` is a whole segment that a process left behind, a line for each run of equal words that are not 0: offset, count, value, in hexadecimal.
//! Until the first release it may be made anew, when the layout changes and says so: `POLYPROC_GOLDEN=write cargo test -p polyproc-ipc --test it golden`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use polyproc_ipc::{Block, BytesQueue, ErrorKind, Events, Fabric, Lock, Queue, Ticket, codec};
use polyproc_testkit::temp::TempDir;
use polyproc_testkit::watchdog::watchdog;
use serde::{Deserialize, Serialize, Serializer};

use crate::common::{LONG, capped, kind, reopened, whole};

const MAGIC: u64 = u64::from_le_bytes(*b"POLYPROC");
/// Layout version 1, and the ABI tag: 64 bits per word, least significant byte first.
const STAMP: u64 = 1 | (64 << 16 | 0x0102) << 32;
const SLOTS: u64 = 0x4000;
const FIXED: u64 = 0x24000;

fn word(file: &File, at: u64) -> u64 {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, at).unwrap();
    u64::from_le_bytes(bytes)
}

fn words(file: &File, range: std::ops::Range<u64>) -> BTreeMap<u64, u64> {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    file.read_exact_at(&mut bytes, range.start).unwrap();
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    (range.start..).step_by(8).zip(bytes.chunks_exact(8).map(word)).filter(|&(_, word)| word != 0).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Of the fixed part of a fresh fabric with one member nothing is set but this.
#[test]
fn a_fresh_fabric() {
    let fabric = capped(8 << 20);
    let me = fabric.member().unwrap();
    let mut found = words(&reopened(&fabric), 0..FIXED);
    let mut take = |at: u64| found.remove(&at).unwrap_or_else(|| panic!("nothing stands at {at:#x}"));
    assert_eq!((take(0), take(8), take(16)), (MAGIC, STAMP, 8 << 20));
    let id = [take(24).to_le_bytes(), take(32).to_le_bytes()].concat();
    assert_eq!(hex(&id), fabric.id().to_string());
    assert_eq!(take(200), 1, "where the next join looks for a slot");
    assert_eq!((me.slot(), take(SLOTS)), (0, u64::from(me.generation()) << 32 | 1), "slot 0 is live");
    assert_eq!(take(SLOTS + 8), u64::from(std::process::id()) | 1 << 32, "its process, and the language Rust");
    assert!(take(SLOTS + 16) > 0, "when that process was started");
    assert_eq!(found, BTreeMap::new(), "nothing else is set");
}

const TICKET: &str = "000102030405060708090a0b0c0d0e0f\
                      0200000000000000\
                      0080120000000000\
                      6300000000000000";

#[test]
fn tickets() {
    let ticket: Ticket = TICKET.parse().unwrap();
    assert_eq!(ticket.to_string(), TICKET);
    assert_eq!(ticket.kind(), Some(polyproc_ipc::Kind::Queue));
    assert_eq!(ticket.fabric().to_string(), TICKET[..32]);
    // MessagePack: ext 8 (c7) of 40 bytes (28), type 6.
    let bytes = codec::to_vec(&ticket).unwrap();
    assert_eq!(hex(&bytes), format!("c72806{TICKET}"));
    assert_eq!(codec::decode::<Ticket>(&bytes).unwrap(), ticket);
    // Of another extension type it is no ticket.
    let other: Vec<u8> = bytes.iter().enumerate().map(|(at, &byte)| if at == 2 { 7 } else { byte }).collect();
    assert_eq!(kind(codec::decode::<Ticket>(&other)), ErrorKind::Decode);
}

/// A block is an extension of type 8: here with its bytes, or beside, in a message whose parts have their places.
#[test]
fn blocks() {
    let block = Block::from(vec![1_u16, 0x203]);
    let bytes = codec::to_vec(&block).unwrap();
    // ext 8 (c7) of 8 bytes, type 8: form 0, code 'H', 2 bytes a value.
    assert_eq!(hex(&bytes), "d70800480200".to_owned() + "01000302");
    assert_eq!(codec::decode::<Block<u16>>(&bytes).unwrap(), block);

    let fabric = capped(8 << 20);
    let queue = Queue::<(u8, Block<u8>, Block<u64>)>::new(&fabric, 0).unwrap();
    queue.put(&(5, vec![9; 1500].into(), vec![u64::MAX; 200].into())).unwrap();
    let message = queue.bytes().get().unwrap();
    assert_eq!(message.codec(), 0x81);
    let (blocks, rest) = message.split_at(1536 + 1600);
    assert!(blocks[..1500].iter().all(|&byte| byte == 9) && blocks[1536..].iter().all(|&byte| byte == 255));
    let body = "9305".to_owned() + "d70801420100" + "00000000" + "d70801510800" + "01000000";
    let table = [0, 1500, 1536, 1600, 1536 + 1600, 2].map(u64::to_le_bytes).concat();
    assert_eq!(hex(rest), body + &hex(&table));
}

/// As byte strings are encoded.
#[derive(Debug)]
struct Bytes(&'static [u8]);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    id: u32,
    tags: Vec<String>,
    more: Option<Box<Record>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Choice {
    Nothing,
    One(u8),
    Two(u8, bool),
    Named { x: i8 },
}

#[track_caller]
fn value<T: Serialize + std::fmt::Debug>(value: T, golden: &str) {
    assert_eq!(hex(&codec::to_vec(&value).unwrap()), golden, "{value:?}");
}

/// And back.
#[track_caller]
fn both<T: Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(is: T, golden: &str) {
    value(&is, golden);
    let bytes: Vec<u8> = (0..golden.len() / 2).map(|i| u8::from_str_radix(&golden[2 * i..][..2], 16).unwrap()).collect();
    assert_eq!(codec::decode::<T>(&bytes).unwrap(), is, "{golden}");
}

#[test]
fn values() {
    both(0_u8, "00");
    both(127_u64, "7f");
    both(128_u64, "cc80");
    both(65_535_u32, "cdffff");
    both(65_536_u64, "ce00010000");
    both(u64::MAX, "cfffffffffffffffff");
    both(-1_i64, "ff");
    both(-32_i8, "e0");
    both(-33_i64, "d0df");
    both(-129_i32, "d1ff7f");
    both(i64::from(i32::MIN), "d280000000");
    both(i64::MIN, "d38000000000000000");
    both(1.5_f32, "ca3fc00000");
    both(0.1_f64, "cb3fb999999999999a");
    both(-0.0_f64, "cb8000000000000000");
    both(f64::INFINITY, "cb7ff0000000000000");
    value(f64::NAN, "cb7ff8000000000000");
    assert!(codec::decode::<f64>(&[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]).unwrap().is_nan());
    both(true, "c3");
    both(String::new(), "a0");
    both("h\u{e9}".to_owned(), "a368c3a9");
    both("x".repeat(32), &format!("d920{}", "78".repeat(32)));
    both("x".repeat(256), &format!("da0100{}", "78".repeat(256)));
    value(Bytes(&[0, 255]), "c40200ff");
    value(Bytes(&[7; 256]), &format!("c50100{}", "07".repeat(256)));
    both(None::<u8>, "c0");
    both(Some(5_u8), "05");
    both((), "c0");
    both((1_u8, "two".to_owned(), 3.0_f32), "9301a374776fca40400000");
    both(vec![vec![1_u16], vec![], vec![2, 300]], "939101909202cd012c");
    both(vec![0_u8; 16], "dc001000000000000000000000000000000000");
    both(BTreeMap::from([(1_u8, "a".to_owned()), (2, "b".to_owned())]), "8201a16102a162");
    let inner = Record { id: 2, tags: vec![], more: None };
    both(Record { id: 1, tags: vec!["t".into()], more: Some(inner.into()) }, "83a2696401a47461677391a174a46d6f726583a2696402a47461677390a46d6f7265c0");
    both(Choice::Nothing, "a74e6f7468696e67");
    both(Choice::One(9), "81a34f6e6509");
    both(Choice::Two(1, false), "81a354776f9201c2");
    both(Choice::Named { x: -1 }, "81a54e616d656481a178ff");
}

/// Records in a ring: raw bytes, a typed value, and one in a chunk.
#[test]
fn ring_records() {
    let fabric = capped(8 << 20);
    let queue = Queue::<u16>::create(&fabric, "ring", 0).unwrap();
    queue.bytes().put(b"eleven byte").unwrap();
    queue.put(&300).unwrap();
    queue.bytes().put(&[0xAB; 3000]).unwrap();
    let file = reopened(&fabric);
    let object = u64::from_le_bytes(unhex(&queue.ticket().to_string())[24..32].try_into().unwrap());
    assert_eq!((word(&file, object + 8), word(&file, object + 16), word(&file, object + 64)), (2, 0, u64::from(u32::from_le_bytes(*b"ring"))));
    let ring = word(&file, object + 392);
    assert_eq!(word(&file, object + 264), ring, "one ring, at both ends");
    assert_eq!((word(&file, ring), word(&file, ring + 8)), (8192 - 384, 0), "bytes in its buffer, no next ring");
    // 24, 16 and 24 bytes: count << 32 | offset / 8.
    assert_eq!((word(&file, ring + 128), word(&file, ring + 256)), (3 << 32 | 8, 0), "tail and head");
    let buffer: Vec<u64> = (0..8).map(|number| word(&file, ring + 384 + number * 8)).collect();
    let chunk = buffer[6];
    let inline = |len: u64, codec: u64| len | 1 << 32 | codec << 40;
    assert_eq!(buffer[..2], [inline(11, 0), u64::from_le_bytes(*b"eleven b")]);
    assert_eq!(buffer[2] & 0xFF_FFFF, 0x65_74_79, "three more bytes, and padding that means nothing");
    assert_eq!((buffer[3], buffer[4] & 0xFF_FFFF), (inline(3, 1), 0x2c_01_cd), "MessagePack of 300 is cd 01 2c");
    assert_eq!((buffer[5], buffer[7]), (16 | 2 << 32, 3000), "a chunk: its offset and the message's length");
    assert_eq!(word(&file, chunk), 0xABAB_ABAB_ABAB_ABAB);
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..][..2], 16).unwrap()).collect()
}

/// An event ring: its geometry, a name, and events with their seals, which every language must compute alike.
#[test]
fn event_rings() {
    let fabric = capped(8 << 20);
    let ring = Events::create(&fabric, "events", 16).unwrap();
    let name = ring.intern("a task").unwrap();
    (0..2).for_each(|i| ring.record_at(1_000_000_007 + i, 3, name, 4711, 5 << 32 | 6).unwrap());
    let file = reopened(&fabric);
    let object = u64::from_le_bytes(unhex(&ring.ticket().to_string())[24..32].try_into().unwrap());
    assert_eq!((word(&file, object + 8), word(&file, object + 192), word(&file, object + 208)), (15, u64::from(b'Q'), 336), "kind, type and number of cells");
    let data = word(&file, object + 216);
    let found: Vec<(u64, u64)> = words(&file, data..data + 336 * 8).into_iter().map(|(at, word)| (at - data, word)).collect();
    let about = 3 << 56 | 1 << 32 | 0x1267; // 4711
    let first = 128 + 16 * 128;
    assert_eq!(
        found,
        [
            (0, 16),
            (8, 16),
            (64, 2),
            (128, 1 << 30 | 6),
            (136, u64::from_le_bytes(*b"a task\0\0")),
            (first, SEALS[0]),
            (first + 8, 1_000_000_007),
            (first + 16, about),
            (first + 24, 5 << 32 | 6),
            (first + 32, SEALS[1]),
            (first + 40, 1_000_000_008),
            (first + 48, about),
            (first + 56, 5 << 32 | 6),
        ]
    );
}

const SEALS: [u64; 2] = [0xf135_d8c0, 0x1_b4df_6707];

fn golden_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/segment-1.txt")
}

/// What stands in the golden segment.
fn fill(fabric: &Fabric) {
    let queue = BytesQueue::create(fabric, "golden queue", 5).unwrap();
    queue.put(b"taken").unwrap();
    queue.put(b"inline").unwrap();
    queue.put(&[0x5A; 5000]).unwrap();
    queue.put(&vec![0xA5; 100_000]).unwrap();
    assert_eq!(&queue.get().unwrap()[..], b"taken");
    Queue::<(u32, String)>::create(fabric, "golden values", 0).unwrap().put(&(7, "seven".into())).unwrap();
    let lease = queue.get_lease().unwrap();
    assert_eq!(&lease[..], b"inline");
    std::mem::forget(lease); // the maker is dead for whoever reads this, and so the message is back
    let lock = Lock::create(fabric, "golden lock").unwrap();
    lock.acquire(None).unwrap();
}

fn as_text(file: &File) -> String {
    let len = file.metadata().unwrap().len();
    let all: Vec<(u64, u64)> = words(file, 0..len).into_iter().collect();
    let mut text = format!("{len:x} bytes\n");
    for run in all.chunk_by(|a, b| a.0 + 8 == b.0 && a.1 == b.1) {
        writeln!(text, "{:x} {:x} {:x}", run[0].0, run.len(), run[0].1).unwrap();
    }
    text
}

/// The golden segment as a file, with these words changed.
fn golden(dir: &Path, changes: &[(u64, u64)]) -> File {
    let text = fs::read_to_string(golden_path()).unwrap();
    let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let file = File::options().read(true).write(true).create(true).truncate(true).open(dir.join("segment")).unwrap();
    let mut lines = text.lines();
    file.set_len(number(lines.next().unwrap().strip_suffix(" bytes").unwrap())).unwrap();
    for line in lines {
        let [at, count, value] = line.split(' ').map(number).collect::<Vec<_>>()[..] else { panic!("not a line of a segment: {line}") };
        file.write_all_at(&value.to_le_bytes().repeat(count as usize), at).unwrap();
    }
    for (at, value) in changes {
        file.write_all_at(&value.to_le_bytes(), *at).unwrap();
    }
    file
}

/// A segment that another version's process left is read: messages, a lease of the dead, a lock of the dead.
#[test]
fn a_whole_segment() {
    if std::env::var("POLYPROC_GOLDEN").is_ok_and(|wish| wish == "write") {
        let fabric = capped(2 << 20);
        fill(&fabric);
        fs::create_dir_all(golden_path().parent().unwrap()).unwrap();
        fs::write(golden_path(), as_text(&reopened(&fabric))).unwrap();
    }
    watchdog(LONG, || {
        let dir = TempDir::new("golden");
        let fabric = Fabric::attach(OwnedFd::from(golden(dir.path(), &[]))).unwrap();
        assert_eq!((fabric.cap(), fabric.name()), (2 << 20, None));
        assert_eq!(fabric.sweep().unwrap(), 1, "whoever made it is dead");
        let queue = BytesQueue::open(&fabric, "golden queue").unwrap();
        assert_eq!(queue.capacity(), Some(5));
        assert_eq!(&queue.get().unwrap()[..], b"inline");
        assert_eq!(&queue.get().unwrap()[..], &[0x5A; 5000]);
        assert_eq!(&queue.get().unwrap()[..], &vec![0xA5; 100_000][..]);
        assert_eq!(Queue::<(u32, String)>::open(&fabric, "golden values").unwrap().get().unwrap(), (7, "seven".into()));
        assert_eq!(Lock::open(&fabric, "golden lock").unwrap().acquire(None).unwrap(), polyproc_ipc::Acquired::OwnerDied);
        whole(&fabric);
    });
}

/// A segment of another layout or machine is refused by name.
#[test]
fn foreign_segments() {
    let dir = TempDir::new("foreign");
    let refused = |at, value| kind(Fabric::attach(OwnedFd::from(golden(dir.path(), &[(at, value)]))));
    assert_eq!(refused(8, STAMP + 1), ErrorKind::ForeignVersion);
    assert_eq!(refused(8, STAMP - 1), ErrorKind::ForeignVersion);
    assert_eq!(refused(8, 1 | (32 << 16 | 0x0102) << 32), ErrorKind::ForeignAbi);
    assert_eq!(refused(0, MAGIC.swap_bytes()), ErrorKind::ForeignAbi);
    assert_eq!(refused(0, MAGIC + 1), ErrorKind::NotAFabric);
}
