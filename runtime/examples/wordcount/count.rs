//! Counting words: in one text, and in a batch of files as a worker does it. Knows nothing of pools and processes.
//!
//! A word is a maximal run of alphanumeric characters (`char::is_alphanumeric`), in lower case (`str::to_lowercase`).

use std::collections::HashMap;
use std::ffi::OsString;
use std::hash::{BuildHasherDefault, Hasher};
use std::path::Path;
use std::{fs, str};

use serde::{Deserialize, Serialize};

/// Files for one call of a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) number: usize,
    /// Paths as the system has them: not every path is text, and a `PathBuf` must be text to travel.
    pub(crate) paths: Vec<OsString>,
}

/// What a worker answers for one batch.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) batch: usize,
    /// The worker.
    pub(crate) pid: u32,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) words: Words,
    pub(crate) skipped: Vec<Skipped>,
}

/// A file or directory that was not counted.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Skipped {
    pub(crate) path: String,
    pub(crate) reason: String,
}

impl Skipped {
    pub(crate) fn new(path: &Path, reason: impl ToString) -> Skipped {
        Skipped { path: path.display().to_string(), reason: reason.to_string() }
    }
}

/// Counts the words of the files of one batch. A file that cannot be read, or is no UTF-8, is skipped.
pub(crate) fn count_batch(batch: &Batch) -> Counted {
    let mut counted = Counted { batch: batch.number, pid: std::process::id(), files: 0, bytes: 0, words: Words::default(), skipped: Vec::new() };
    for path in batch.paths.iter().map(Path::new) {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                counted.skipped.push(Skipped::new(path, error));
                continue;
            }
        };
        match str::from_utf8(&bytes) {
            Ok(text) => {
                counted.words.add_text(text);
                counted.files += 1;
                counted.bytes += bytes.len() as u64;
            }
            Err(_) => counted.skipped.push(Skipped::new(path, "not UTF-8 text")),
        }
    }
    counted
}

/// How often each word occurs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Words {
    counts: HashMap<String, u64, BuildHasherDefault<WordHasher>>,
    total: u64,
}

impl Words {
    /// All words, the repeated ones repeatedly.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Every word with its count, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(word, &count)| (word.as_str(), count))
    }

    /// How many different words.
    pub(crate) fn distinct(&self) -> usize {
        self.counts.len()
    }

    /// Takes in what somebody else counted.
    pub(crate) fn merge(&mut self, other: Words) {
        self.total += other.total;
        if self.counts.len() < other.counts.len() {
            let smaller = std::mem::replace(&mut self.counts, other.counts);
            self.add_counts(smaller);
        } else {
            self.add_counts(other.counts);
        }
    }

    /// The `most` most frequent words, and among equally frequent ones the first in the order of their characters.
    pub(crate) fn top(&self, most: usize) -> Vec<(&str, u64)> {
        let mut words: Vec<_> = self.counts.iter().map(|(word, &count)| (word.as_str(), count)).collect();
        let order = |a: &(&str, u64), b: &(&str, u64)| b.1.cmp(&a.1).then(a.0.cmp(b.0));
        if most < words.len() {
            words.select_nth_unstable_by(most, order);
            words.truncate(most);
        }
        words.sort_unstable_by(order);
        words
    }

    /// Counts the words of one text.
    pub(crate) fn add_text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut lower = String::new();
        let mut at = 0;
        while at < bytes.len() {
            if CLASS[bytes[at] as usize] == GAP {
                at += 1;
                continue;
            }
            let start = at;
            let mut seen = 0;
            // ASCII is told by a table; anything else is looked at character by character.
            loop {
                let class = bytes.get(at).map_or(GAP, |&byte| CLASS[byte as usize]);
                match class {
                    GAP => break,
                    WIDE => match text[at..].chars().next() {
                        Some(character) if character.is_alphanumeric() => {
                            seen |= WIDE;
                            at += character.len_utf8();
                        }
                        _ => break,
                    },
                    _ => {
                        seen |= class;
                        at += 1;
                    }
                }
            }
            let word = &text[start..at];
            if word.is_empty() {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
            } else if seen & WIDE != 0 {
                self.add(&word.to_lowercase(), 1);
            } else if seen & UPPER != 0 {
                lower.clear();
                lower.push_str(word);
                lower.make_ascii_lowercase();
                self.add(&lower, 1);
            } else {
                self.add(word, 1);
            }
            self.total += u64::from(!word.is_empty());
        }
    }

    fn add(&mut self, word: &str, times: u64) {
        // Most words were seen before: a look costs no allocation, an entry would.
        match self.counts.get_mut(word) {
            Some(count) => *count += times,
            None => _ = self.counts.insert(word.to_owned(), times),
        }
    }

    fn add_counts(&mut self, counts: HashMap<String, u64, BuildHasherDefault<WordHasher>>) {
        for (word, times) in counts {
            *self.counts.entry(word).or_default() += times;
        }
    }
}

const GAP: u8 = 0;
const LOWER: u8 = 1;
const UPPER: u8 = 2;
const WIDE: u8 = 4;

/// What each byte is: between words, in a word, in a word and to be lowered, or part of a character beyond ASCII.
static CLASS: [u8; 256] = {
    let mut class = [GAP; 256];
    let mut byte = 0;
    while byte < 256 {
        class[byte] = match byte as u8 {
            b'a'..=b'z' | b'0'..=b'9' => LOWER,
            b'A'..=b'Z' => UPPER,
            0x80.. => WIDE,
            _ => GAP,
        };
        byte += 1;
    }
    class
};

/// Multiply and rotate, eight bytes at a time: several times faster than the standard hasher for words. It resists no attacker, who could here only
/// make the count of his own files slow.
#[derive(Default)]
pub(crate) struct WordHasher(u64);

impl WordHasher {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.mix(u64::from(byte));
    }

    fn finish(&self) -> u64 {
        // The table takes its index from the low bits, which a multiplication mixes least.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Vec<(String, u64)> {
        let mut words = Words::default();
        words.add_text(text);
        words.top(usize::MAX).into_iter().map(|(word, count)| (word.to_owned(), count)).collect()
    }

    /// The definition, word for word and slow.
    fn count_slowly(text: &str) -> Vec<(String, u64)> {
        let mut counts: HashMap<String, u64> = HashMap::new();
        for word in text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()) {
            *counts.entry(word.to_lowercase()).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        counts
    }

    #[test]
    fn words_are_runs_of_alphanumerics() {
        let expected = [("a1", 2), ("b", 1), ("c", 1), ("größe", 1)].map(|(word, count)| (word.to_owned(), count));
        assert_eq!(count("A1, b_C\ta1\u{a0}GRÖßE"), expected);
        assert_eq!(count(""), []);
        assert_eq!(count(" .,;—\u{2003}\0"), []);
    }

    #[test]
    fn any_text_counts_as_the_definition_says() {
        let pieces =
            ["a", "Z", "9", " ", "_", "-", "é", "É", "ß", "İ", "Σ", "ς", "—", "\u{301}", "中文", "😀", "²", "ǅ", "\n", "\0", "\u{a0}", "ﬁ", "٣", "Ⅷ", "word"];
        let mut state = 7_u64;
        for len in 0..400 {
            let mut text = String::new();
            for _ in 0..len {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
            }
            assert_eq!(count(&text), count_slowly(&text), "{text:?}");
        }
    }

    #[test]
    fn merging_is_counting_all_at_once() {
        let texts = ["one two two three three three", "Two 2", "", "three four"];
        for split in 0..=texts.len() {
            let (mut first, mut second, mut all) = (Words::default(), Words::default(), Words::default());
            texts[..split].iter().for_each(|text| first.add_text(text));
            texts[split..].iter().for_each(|text| second.add_text(text));
            texts.iter().for_each(|text| all.add_text(text));
            first.merge(second);
            assert_eq!(first, all);
            assert_eq!((first.total(), first.distinct()), (10, 5));
        }
    }

    #[test]
    fn the_top_is_ordered_by_count_and_then_by_word() {
        let mut words = Words::default();
        words.add_text("b b a a c d d d");
        assert_eq!(words.top(3), [("d", 3), ("a", 2), ("b", 2)]);
        assert_eq!(words.top(0), []);
        assert_eq!(words.top(9).len(), 4);
    }

    #[test]
    fn files_that_are_no_text_are_skipped_and_named() {
        let dir = std::env::temp_dir().join(format!("polyproc-wordcount-count-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("good"), "one two").unwrap();
        fs::write(dir.join("bad"), b"one \xff two").unwrap();
        let paths = ["good", "bad", "none"].map(|name| dir.join(name).into_os_string()).to_vec();
        let counted = count_batch(&Batch { number: 3, paths });
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!((counted.batch, counted.files, counted.bytes, counted.words.total()), (3, 1, 7, 2));
        assert_eq!(counted.pid, std::process::id());
        assert_eq!(counted.skipped.len(), 2);
        assert!(counted.skipped[0].path.ends_with("bad") && counted.skipped[0].reason.contains("UTF-8"));
        assert!(counted.skipped[1].path.ends_with("none"));
    }
}
