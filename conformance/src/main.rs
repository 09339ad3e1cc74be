//! Runs the conformance suite: every case by every mix of languages. One file per step; this one reads the command line and puts them together.

mod case;
mod driver;
mod language;
mod play;
mod report;
mod value;

use std::collections::VecDeque;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use case::Case;
use language::Language;
use play::{Outcome, Play};
use wildmatch::WildMatch;

const USAGE: &str =
    "usage: cargo run --release -p polyproc-conformance -- [--languages rust,c,...] [--case GLOB] [--json FILE] [--markdown FILE] [--jobs N] [--list]

  --languages  only these; else all that are installed, and those that are not are named
  --case       only cases whose name, such as queue/order/fifo, matches; may be given several times
  --json       one line per play: case, languages of its actors, outcome, and what went wrong
  --markdown   the matrix, as it stands in docs/conformance.md
  --jobs       so many plays at a time (they wait more than they work); 4 unless told
  --list       the cases, and what each is about

The exit status is 0 only if every play passed or is a gap that the language's unsupported.toml lists.";

fn main() -> ExitCode {
    let options = match Options::read() {
        Ok(options) => options,
        Err(fault) => {
            eprintln!("{fault}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(passed) => ExitCode::from(u8::from(!passed)),
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::from(2)
        }
    }
}

struct Options {
    languages: Option<Vec<String>>,
    cases: Vec<WildMatch>,
    json: Option<PathBuf>,
    markdown: Option<PathBuf>,
    jobs: usize,
    list: bool,
}

impl Options {
    fn read() -> Result<Options, String> {
        let mut options = Options { languages: None, cases: Vec::new(), json: None, markdown: None, jobs: 4, list: false };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--languages" => options.languages = Some(value()?.split(',').map(str::to_owned).collect()),
                "--case" => options.cases.push(WildMatch::new(&value()?)),
                "--json" => options.json = Some(value()?.into()),
                "--markdown" => options.markdown = Some(value()?.into()),
                "--jobs" => options.jobs = value()?.parse().map_err(|_| "--jobs needs a number".to_owned())?,
                "--list" => options.list = true,
                "--help" | "-h" => return Err("the conformance suite".into()),
                other => return Err(format!("{other}: unknown")),
            }
        }
        Ok(options)
    }

    fn wants(&self, case: &Case) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|pattern| pattern.matches(&case.name))
    }
}

fn run(options: &Options) -> Result<bool, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = case::load(&folder.join("cases"))?;
    let cases: Vec<Arc<Case>> = all.into_iter().filter(|case| options.wants(case)).map(Arc::new).collect();
    if options.list {
        for case in &cases {
            println!("{:<48} {}", case.name, case.about);
        }
        return Ok(true);
    }
    if cases.is_empty() {
        return Err("no case has such a name; --list names them".into());
    }
    let languages = language::load(&folder.join("drivers"), options.languages.as_deref())?;
    let directory = std::env::temp_dir().join(format!("polyproc-conformance-{}", std::process::id()));
    // Fabrics want a folder that nobody else can enter.
    std::fs::DirBuilder::new().mode(0o700).create(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let outcomes = play_all(&plays(&cases, &languages), &directory, options.jobs.max(1));
    std::fs::remove_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let report = report::Report { cases: &cases, languages: &languages, outcomes: &outcomes };
    report.print();
    if let Some(file) = &options.json {
        std::fs::write(file, report.json()).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    if let Some(file) = &options.markdown {
        std::fs::write(file, report.markdown()).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(report.passed())
}

/// Every case by every pair of languages: the first actor, which makes the objects, in one, the others in the other.
fn plays(cases: &[Arc<Case>], languages: &[Arc<Language>]) -> Vec<Play> {
    let mut plays = Vec::new();
    for case in cases {
        for first in languages {
            for others in languages {
                let mixed = !Arc::ptr_eq(first, others);
                // A model has a world of its own, and is asked only where it knows the behaviour.
                if mixed && (case.actors.len() == 1 || first.model || others.model) || first.model && !case.has_model {
                    continue;
                }
                plays.push(Play { case: case.clone(), first: first.clone(), others: others.clone() });
            }
        }
    }
    plays
}

fn play_all(plays: &[Play], directory: &Path, jobs: usize) -> Vec<Outcome> {
    let waiting: Mutex<VecDeque<usize>> = Mutex::new((0..plays.len()).collect());
    let outcomes: Mutex<Vec<(usize, Outcome)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                let mut idle = driver::Idle::default();
                while let Some(next) = { waiting.lock().unwrap().pop_front() } {
                    let outcome = plays[next].run(next, directory, &mut idle);
                    outcomes.lock().unwrap().push((next, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap();
    outcomes.sort_by_key(|(number, _)| *number);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}
