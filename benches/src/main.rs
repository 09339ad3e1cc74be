//! `polyproc-benches`: one command that measures every scenario with its peers in the same interleaved run. This file knows the
//! command line and where a process that was started as a role goes; it knows no scenario by itself.

mod book;
mod harness;
mod ours;
mod peers;
mod scenarios;

use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use harness::machine::Machine;
use harness::{Outcome, Plan, Trouble};

const USAGE: &str = "usage: polyproc-benches [--quick] [--json FILE] [--list] [FILTER]
       polyproc-benches --book FILE [--into FOLDER]

  --quick        3 short rounds instead of 5, and less of what grows: a look, not a figure to quote
  --json FILE    also write a line on the machine and one JSON object per line and comparison to FILE
  --list         print the scenarios with their definitions and measure nothing
  FILTER         only scenarios whose name contains this text, e.g. queue/1to1 or lock
  --book FILE    measure nothing: make RESULTS.md and pictures/ out of the lines that --json wrote
  --into FOLDER  where to put them, instead of this crate's folder";

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == harness::NOTHING) {
        return ExitCode::SUCCESS;
    }
    // A task of the procspawn peer ends inside this call; it must come before all that follows.
    procspawn::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == harness::ROLE => role(rest),
        _ => Options::parse(&arguments).and_then(|options| options.run()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            eprintln!("polyproc-benches: {trouble}");
            ExitCode::FAILURE
        }
    }
}

/// What a process that a subject started does: one file per subject, each with its roles.
fn role(arguments: &[String]) -> Result<bool, Trouble> {
    let (name, rest) = arguments.split_first().ok_or_else(|| Trouble::failed("a role needs a name"))?;
    match name.as_str() {
        ours::queue::ROLE => ours::queue::role(rest)?,
        ours::c::ROLE => ours::c::role(rest)?,
        ours::lock::ROLE => ours::lock::role(rest)?,
        scenarios::members::ROLE => scenarios::members::role(rest)?,
        ours::latency::ROLE => ours::latency::role(rest)?,
        ours::dict::ROLE => ours::dict::role(rest)?,
        ours::pipe::ROLE => ours::pipe::role(rest)?,
        ours::wake::ROLE => ours::wake::role(rest)?,
        ours::cost::ROLE => ours::cost::role(rest)?,
        ours::process::ROLE => ours::process::role(rest)?,
        ours::idle::ROLE => ours::idle::role(rest)?,
        peers::os_queue::ROLE => peers::os_queue::role(rest)?,
        peers::os_process::ROLE => peers::os_process::role(rest)?,
        peers::procspawn_process::ROLE => peers::procspawn_process::role(rest)?,
        peers::procspawn_idle::ROLE => peers::procspawn_idle::role(rest)?,
        peers::ipc_channel::ROLE => peers::ipc_channel::role(rest)?,
        peers::lmdb::ROLE => peers::lmdb::role(rest)?,
        peers::redis::ROLE => peers::redis::role(rest)?,
        peers::ipc_channel_pipe::ROLE => peers::ipc_channel_pipe::role(rest)?,
        peers::std_pipe::ROLE => peers::std_pipe::role(rest)?,
        peers::pthread_cond::ROLE => peers::pthread_cond::role(rest)?,
        peers::raw_sync_event::ROLE => peers::raw_sync_event::role(rest)?,
        peers::pthread::ROLE => peers::pthread::role(rest)?,
        peers::raw_latency::ROLE => peers::raw_latency::role(rest)?,
        peers::raw_sync::ROLE => peers::raw_sync::role(rest)?,
        #[cfg(feature = "heavy")]
        heavy if peers::iceoryx2::ROLES.contains(&heavy) => peers::iceoryx2::role(heavy, rest)?,
        other => return Err(Trouble::failed(format!("there is no role named {other}"))),
    }
    Ok(true)
}

#[derive(Default)]
struct Options {
    quick: bool,
    list: bool,
    help: bool,
    json: Option<String>,
    book: Option<String>,
    into: Option<PathBuf>,
    filter: String,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Options, Trouble> {
        let mut options = Options::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut file = || rest.next().cloned().ok_or_else(|| Trouble::failed(format!("{argument} needs a name behind it")));
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--list" => options.list = true,
                "--help" | "-h" => options.help = true,
                "--json" => options.json = Some(file()?),
                "--book" => options.book = Some(file()?),
                "--into" => options.into = Some(file()?.into()),
                option if option.starts_with('-') => {
                    return Err(Trouble::failed(format!("there is no option {option}\n{USAGE}")));
                }
                filter if options.filter.is_empty() => filter.clone_into(&mut options.filter),
                more => return Err(Trouble::failed(format!("one filter only, and {more} is a second\n{USAGE}"))),
            }
        }
        Ok(options)
    }

    /// False if a subject failed.
    fn run(&self) -> Result<bool, Trouble> {
        if self.help {
            println!("{USAGE}");
            return Ok(true);
        }
        if let Some(file) = &self.book {
            let folder = self.into.clone().unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
            book::write(file, &folder, &scenarios::all(false))?;
            return Ok(true);
        }
        let mut chosen = scenarios::all(self.quick);
        chosen.retain(|scenario| scenario.full_name().contains(&self.filter));
        if chosen.is_empty() {
            return Err(Trouble::failed(format!("no scenario's name contains {}; see --list", self.filter)));
        }
        if self.list {
            for scenario in &chosen {
                println!("{} ({})\n    {}", scenario.full_name(), scenario.unit.name(), scenario.definition);
            }
            return Ok(true);
        }
        if !peers::heavy::HERE && !in_ci() {
            let error = with_heavy_peers();
            println!("iceoryx2 is left out: cargo could not be started ({error})");
        }
        let mut json = self.json.as_ref().map(File::create).transpose()?;
        harness::system::forget_the_dead();
        harness::system::raise_descriptor_limit();
        let plan = if self.quick { Plan { rounds: 3, time: Duration::from_millis(40) } } else { Plan { rounds: 5, time: Duration::from_millis(300) } };
        let machine = Machine::look(&plan);
        println!("{}", machine.line());
        if let Some(file) = &mut json {
            file.write_all(machine.json_line().as_bytes())?;
        }
        let mut whole = true;
        for scenario in chosen {
            let outcome = scenario.run(&plan);
            print!("{}", outcome.table());
            if let Some(file) = &mut json {
                file.write_all(outcome.json_lines().as_bytes())?;
            }
            whole &= is_whole(&outcome);
        }
        Ok(whole)
    }
}

/// A peer that is not installed is a note on a developer's machine and an error in CI.
fn is_whole(outcome: &Outcome) -> bool {
    outcome.failed == 0 && (outcome.missing == 0 || !in_ci())
}

fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// Becomes this program once more, built with the peers that take long to build. Returns only if that could not be tried.
fn with_heavy_peers() -> std::io::Error {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--package", "polyproc-benches", "--features", "heavy", "--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    if cfg!(not(debug_assertions)) {
        command.arg("--release");
    }
    if let Ok(program) = std::env::current_exe()
        && let Some(folder) = program.ancestors().nth(2)
    {
        command.arg("--target-dir").arg(folder);
    }
    command.arg("--").args(std::env::args_os().skip(1)).exec()
}
