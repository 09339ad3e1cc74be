//! Random and damaged bytes for everything that reads bytes: each answers, with a value or a typed error, and never with a panic, a signal or a hang.
//!
//! The targets (`targets.rs`) are plain functions of bytes, which `fuzz/` gives to libFuzzer too. Here they run on a stable compiler, for `POLYPROC_FUZZ_SECONDS` (5 if not given;
//! `cargo xtask fuzz` takes a minute) from `POLYPROC_FUZZ_SEED`. The work is done in a peer, which notes each input in a file before it is used, so that a crash has its bytes too.

mod targets;

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};

use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::temp::TempDir;

use targets::{TARGETS, Target};

/// Longer than any input takes.
const LONG: Duration = Duration::from_secs(120);
const LONGEST: usize = 4096;

fn number(key: &str) -> Option<u64> {
    env::var(key).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{key} must be a number, not \"{text}\"")))
}

fn main() {
    let time = Duration::from_secs(number("POLYPROC_FUZZ_SECONDS").unwrap_or(5));
    if peer::is("fuzz") {
        return fuzz(time, Path::new(&peer::arg("FUZZ_DIR")));
    }
    if env::args().any(|argument| argument == "--list") {
        return;
    }
    let dir = TempDir::new("fuzz");
    let text = |path: &Path| path.to_str().expect("a path of text").to_owned();
    let mut peer = Peer::builder("fuzz").arg("FUZZ_DIR", &text(dir.path())).arg("POLYPROC_DIR", &text(&dir.path().join("names"))).life(time + LONG).start();
    let status = peer.wait(time + LONG * 2);
    if !status.success() {
        let last = fs::read(dir.path().join("input")).unwrap_or_default();
        let (head, bytes) = last.split_at(last.len().min(HEAD));
        let len = head.get(24..32).map_or(0, |len| u64::from_le_bytes(len.try_into().expect("8 bytes"))) as usize;
        let name = String::from_utf8_lossy(head.get(..24).unwrap_or_default()).trim_end().to_owned();
        panic!("the fuzzer ended by {status}; its last input, of the target {name}: {}", hex(&bytes[..len.min(bytes.len())]));
    }
}

/// Before an input in its file: the target's name and the input's length.
const HEAD: usize = 32;

fn fuzz(time: Duration, dir: &Path) {
    let seed = number("POLYPROC_FUZZ_SEED").unwrap_or_else(|| RandomState::new().hash_one(0) >> 32);
    eprintln!("fuzzing for {} s, POLYPROC_FUZZ_SEED={seed}", time.as_secs());
    let notes = File::create(dir.join("input")).expect("a file for the input");
    let mut dice = Dice(seed);
    let mut faults = 0;
    for (name, target, seeds) in TARGETS {
        let corpus = seeds();
        let end = Instant::now() + time / TARGETS.len() as u32;
        let mut count = 0_u64;
        while Instant::now() < end {
            let input = dice.input(&corpus);
            let mut note = format!("{name:<24}").into_bytes();
            note.extend_from_slice(&(input.len() as u64).to_le_bytes());
            note.extend_from_slice(&input);
            notes.write_all_at(&note, 0).expect("a note of the input");
            count += 1;
            if !holds(*target, &input) {
                eprintln!("FAULT {name}: {}", hex(&input));
                faults += 1;
            }
        }
        eprintln!("  {name}: {count} inputs");
    }
    assert_eq!(faults, 0, "faults; their inputs are above");
}

/// Whether the target does not panic.
fn holds(target: Target, input: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| target(input))).is_ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Numbers that look random and follow from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.roll() % end.max(1) as u64) as usize
    }

    /// Random bytes, or good ones with some damage.
    fn input(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        if corpus.is_empty() || self.below(8) == 0 {
            let len = [8, 64, 300, LONGEST][self.below(4)];
            return (0..self.below(len)).map(|_| self.roll() as u8).collect();
        }
        let mut bytes = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(6) {
            self.damage(&mut bytes, corpus);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn damage(&mut self, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        /// Bytes at which something changes: borders of MessagePack, digits, ends.
        const ODD: &[u8] = &[0, 1, 0x7F, 0x80, 0x90, 0xC1, 0xC7, 0xD9, 0xDB, 0xDD, 0xDF, 0xFF, b'0', b'9', b' ', b'\n', b'-'];
        let at = self.below(bytes.len() + 1);
        match self.below(7) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, self.roll() as u8),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if at < bytes.len() => bytes[at] = ODD[self.below(ODD.len())],
            4 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            5 => {
                let other = &corpus[self.below(corpus.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[self.below(other.len() + 1)..]);
            }
            _ => {
                let run = vec![ODD[self.below(ODD.len())]; self.below(200)];
                bytes.splice(at..at, run);
            }
        }
    }
}
