//! Counts the words of every text file under some directories, on a pool of worker processes.
//!
//! ```text
//! cargo run --release --example wordcount -- [DIR ...] [--json] [--workers N] [--top N]
//! ```
//!
//! This process finds the files and adds up; the workers read and count. Files go out in batches, the biggest first, and results come back as they are
//! ready. If a worker is killed, its batch is reported as not counted, and the others go on.
//!
//! Then the same is done in two other ways, for comparison: the workers add up themselves, in a dict in shared memory (`shared.rs`); and one process does it all.

mod count;
mod report;
mod shared;
mod walk;

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use polyproc::{Pool, task};

use count::{Batch, Counted, Skipped, count_batch};
use report::{Progress, Totals};

const HELP: &str = "\
Counts the words of every text file under the directories, on a pool of worker processes.

usage: wordcount [DIR ...] [--json] [--workers N] [--top N]

  DIR          a directory, or a file; without any, this checkout
  --json       print one JSON object instead of text
  --workers N  so many worker processes; without it, one for each processor
  --top N      show the N most frequent words; without it, 20

A word is a run of letters and digits, in lower case. Directories named .git and
target are not entered, and symbolic links are not followed. Files that cannot be
read, or are not UTF-8 text, are skipped and named on stderr.

Exit status: 0 all is counted, 1 something went wrong, 2 wrong arguments.
";

/// Runs in a worker.
#[task]
fn count_files(batch: Batch) -> Counted {
    count_batch(&batch)
}

struct Options {
    roots: Vec<PathBuf>,
    json: bool,
    workers: usize,
    top: usize,
}

fn main() -> ExitCode {
    let options = match parse(env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => return finish(report::print(HELP), true),
        Err(mistake) => return misused(&mistake),
    };
    let found = match walk::find(&options.roots) {
        Ok(found) => found,
        Err(error) => return misused(&error.to_string()),
    };
    match run(&options, found) {
        Ok((text, complete)) => finish(report::print(&text), complete),
        Err(error) => {
            eprintln!("wordcount: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The whole job; what to print, and whether everything was counted.
fn run(options: &Options, found: walk::Found) -> polyproc::Result<(String, bool)> {
    let mut progress = Progress::start(found.files.len() as u64, found.bytes(), options.workers);
    let mut totals = Totals { skipped: found.skipped.len() as u64, ..Totals::default() };
    found.skipped.iter().for_each(|skipped| progress.skip(skipped));
    let batches = walk::batches(found.files, options.workers);
    // A batch that does not come back was lost with its worker: these are the paths still waited for.
    let mut missing: BTreeMap<usize, Vec<PathBuf>> = batches.iter().map(|batch| (batch.number, batch.paths.iter().map(PathBuf::from).collect())).collect();

    let start = Instant::now();
    let pool = Pool::new(options.workers)?;
    for counted in pool.imap_unordered(count_files, batches)? {
        match counted {
            Ok(counted) => {
                let paths = missing.remove(&counted.batch).unwrap_or_default();
                counted.skipped.iter().for_each(|skipped| progress.skip(skipped));
                totals.add(counted);
                progress.advance(paths.len() as u64);
            }
            Err(error) => progress.say(&format!("wordcount: {error}")),
        }
    }
    let time = start.elapsed();
    drop(pool);

    for path in missing.values().flatten() {
        progress.skip(&Skipped::new(path, "the worker that had it failed"));
        totals.skipped += 1;
    }
    progress.end();
    let text = if options.json {
        report::json(&totals, options.top, time, options.workers)
    } else {
        let shared = count_shared(options, &totals, missing.is_empty());
        let alone = count_alone(options, &totals, missing.is_empty());
        report::text(&totals, options.top, time, [("shared dict", shared), ("this process alone", alone)])
    };
    Ok((text, missing.is_empty()))
}

/// The same job with the workers adding up in shared memory, for comparison; how long it took.
fn count_shared(options: &Options, totals: &Totals, comparable: bool) -> Duration {
    let Ok(found) = walk::find(&options.roots) else { return Duration::ZERO };
    match shared::count(found.files, options.workers) {
        Ok((words, time)) => {
            if comparable && words != totals.words.iter().map(|(word, count)| (word.to_owned(), count)).collect() {
                eprintln!("wordcount: the shared dict has other counts than came back from the workers; files changed meanwhile");
            }
            time
        }
        Err(error) => {
            eprintln!("wordcount: counting into a shared dict: {error}");
            Duration::ZERO
        }
    }
}

/// The same job in this process, for comparison; how long it took.
fn count_alone(options: &Options, totals: &Totals, comparable: bool) -> Duration {
    let Ok(found) = walk::find(&options.roots) else { return Duration::ZERO };
    let mut alone = Totals::default();
    let start = Instant::now();
    for batch in walk::batches(found.files, options.workers) {
        alone.add(count_batch(&batch));
    }
    let time = start.elapsed();
    if comparable && alone.words != totals.words {
        eprintln!("wordcount: one process counted other words than the workers did; files changed meanwhile");
    }
    time
}

fn parse(arguments: impl Iterator<Item = std::ffi::OsString>) -> Result<Option<Options>, String> {
    let mut options = Options { roots: Vec::new(), json: false, workers: polyproc::available_cpus(), top: 20 };
    let mut arguments = arguments;
    let mut only_paths = false;
    while let Some(argument) = arguments.next() {
        let text = argument.to_str().filter(|text| !only_paths && text.starts_with('-'));
        let (name, value) = match text {
            None => {
                options.roots.push(argument.into());
                continue;
            }
            Some(text) => text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value.to_owned()))),
        };
        let mut number = |least: usize, most: usize| {
            let value = value.clone().or_else(|| arguments.next()?.into_string().ok()).ok_or(format!("{name} needs a number"))?;
            let number = value.parse().ok().filter(|number| (least..=most).contains(number));
            number.ok_or(format!("{name} needs a number from {least} to {most}, and '{value}' is none"))
        };
        match name {
            "--workers" => options.workers = number(1, 1000)?,
            "--top" => options.top = number(0, usize::MAX)?,
            "--json" | "--help" | "-h" | "--" if value.is_some() => return Err(format!("{name} takes no value")),
            "--json" => options.json = true,
            "--" => only_paths = true,
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("unknown option '{name}'")),
        }
    }
    if options.roots.is_empty() {
        options.roots.push(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    }
    Ok(Some(options))
}

fn misused(mistake: &str) -> ExitCode {
    eprintln!("wordcount: {mistake}; see --help");
    ExitCode::from(2)
}

fn finish(printed: std::io::Result<()>, complete: bool) -> ExitCode {
    match printed {
        Ok(()) if complete => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("wordcount: writing the result: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Option<Options>, String> {
        parse(arguments.iter().map(Into::into))
    }

    #[test]
    fn arguments_are_understood() {
        let options = parsed(&["a", "--json", "--workers", "3", "--top=5", "--", "--odd"]).unwrap().unwrap();
        assert_eq!(options.roots, [Path::new("a"), Path::new("--odd")]);
        assert_eq!((options.json, options.workers, options.top), (true, 3, 5));
        let options = parsed(&[]).unwrap().unwrap();
        assert!(options.roots[0].join("Cargo.toml").is_file(), "without directories it is this checkout");
        assert!(options.workers >= 1);
        assert!(parsed(&["--help", "--nonsense"]).unwrap().is_none());
    }

    #[test]
    fn mistakes_are_named() {
        let mistakes = [
            (&["--workers"][..], "--workers needs a number"),
            (&["--workers", "0"], "'0'"),
            (&["--workers", "many"], "'many'"),
            (&["--top", "-1"], "'-1'"),
            (&["--json=yes"], "takes no value"),
            (&["--jsom"], "unknown option '--jsom'"),
        ];
        for (arguments, part) in mistakes {
            let mistake = parsed(arguments).err().unwrap();
            assert!(mistake.contains(part), "{mistake}");
        }
    }
}
