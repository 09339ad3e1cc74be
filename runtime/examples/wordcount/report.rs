//! What the user sees: progress while it runs, and the result as text or as one JSON object.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::count::{Counted, Skipped, Words};

/// Everything that was counted.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) words: Words,
    /// Files and bytes by worker.
    pub(crate) shares: BTreeMap<u32, (u64, u64)>,
    pub(crate) skipped: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, counted: Counted) {
        self.files += counted.files;
        self.bytes += counted.bytes;
        self.skipped += counted.skipped.len() as u64;
        let share = self.shares.entry(counted.pid).or_default();
        share.0 += counted.files;
        share.1 += counted.bytes;
        self.words.merge(counted.words);
    }
}

/// Progress on stderr: a bar on a terminal, else a line for every quarter of the files.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    total: u64,
    done: u64,
    quarters: u64,
}

impl Progress {
    pub(crate) fn start(files: u64, bytes: u64, workers: usize) -> Progress {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:40} {pos}/{len} files, {elapsed}, {eta} left");
            ProgressBar::new(files).with_style(style.expect("the template is right"))
        });
        if bar.is_none() {
            eprintln!("counting {files} files, {:.1} MB, on {workers} worker processes", megabytes(bytes));
        }
        Progress { bar, total: files, done: 0, quarters: 0 }
    }

    pub(crate) fn advance(&mut self, files: u64) {
        self.done += files;
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        } else if self.done * 4 / self.total.max(1) > self.quarters {
            self.quarters = self.done * 4 / self.total.max(1);
            eprintln!("{} of {} files", self.done, self.total);
        }
    }

    pub(crate) fn skip(&self, skipped: &Skipped) {
        self.say(&format!("skipped {}: {}", skipped.path, skipped.reason));
    }

    /// A line that does not break the bar.
    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    pub(crate) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The result as one JSON object.
pub(crate) fn json(totals: &Totals, top: usize, time: Duration, workers: usize) -> String {
    let object = json!({
        "files": totals.files,
        "skipped": totals.skipped,
        "bytes": totals.bytes,
        "words": totals.words.total(),
        "distinct": totals.words.distinct(),
        "top": totals.words.top(top),
        "seconds": time.as_secs_f64(),
        "workers": workers,
    });
    format!("{object}\n")
}

/// The result for people. `others` are the times of the same job done in other ways.
pub(crate) fn text(totals: &Totals, top: usize, time: Duration, others: [(&str, Duration); 2]) -> String {
    let mut text = String::new();
    let top = totals.words.top(top);
    let wide = top.first().map_or(1, |(_, count)| count.to_string().len());
    for (word, count) in top {
        let _ = writeln!(text, "{count:>wide$}  {word}");
    }
    let Totals { files, bytes, words, shares, skipped } = totals;
    let (count, distinct) = (words.total(), words.distinct());
    let _ = writeln!(text, "\n{files} files ({skipped} skipped), {:.1} MB, {count} words, {distinct} different ones\n", megabytes(*bytes));
    for (pid, (files, bytes)) in shares {
        let share = 100.0 * *bytes as f64 / (totals.bytes as f64).max(1.0);
        let _ = writeln!(text, "worker {pid:<8} {files:>8} files {:>9.1} MB {share:>5.1} %", megabytes(*bytes));
    }
    let speed = |time: Duration| megabytes(*bytes) / time.as_secs_f64().max(1e-9);
    let pool = format!("{} worker processes", shares.len());
    let _ = writeln!(text, "\n{pool:<20} {:>8.3} s {:>8.1} MB/s, starting them included", time.as_secs_f64(), speed(time));
    for (way, time) in others {
        let _ = writeln!(text, "{way:<20} {:>8.3} s {:>8.1} MB/s, the files in the cache by then", time.as_secs_f64(), speed(time));
    }
    text
}

/// Writes to stdout. A reader that has seen enough (`| head`) is no error.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals() -> Totals {
        let mut totals = Totals::default();
        for (pid, words) in [(7, "the cat the"), (8, "a \"quoted\" cat")] {
            let mut counted =
                Counted { batch: 0, pid, files: 2, bytes: 1_000_000, words: Words::default(), skipped: vec![Skipped { path: "x".into(), reason: "y".into() }] };
            counted.words.add_text(words);
            totals.add(counted);
        }
        totals
    }

    #[test]
    fn the_object_has_what_another_program_needs() {
        let text = json(&totals(), 2, Duration::from_millis(1500), 3);
        let object: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected = json!({
            "files": 4, "skipped": 2, "bytes": 2_000_000, "words": 6, "distinct": 4, "top": [["cat", 2], ["the", 2]], "seconds": 1.5, "workers": 3,
        });
        assert_eq!(object, expected);
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn the_text_names_every_worker_and_all_times() {
        let text = text(&totals(), 3, Duration::from_millis(500), [("one", Duration::from_secs(1)), ("two", Duration::from_secs(2))]);
        for part in ["2  cat\n2  the\n1  a\n", "4 files (2 skipped), 2.0 MB, 6 words", "worker 7", "50.0 %", "4.0 MB/s", "2.0 MB/s", "1.0 MB/s"] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
    }
}
