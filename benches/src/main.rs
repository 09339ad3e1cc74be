//! `polyproc-benches`: one command that measures every scenario with its peers in the same interleaved run. This file knows the
//! command line and where a process that was started as a role goes; it knows no scenario by itself.

mod harness;
mod ours;
mod peers;
mod scenarios;

use std::fs::File;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use harness::{Outcome, Plan, Trouble};

const USAGE: &str = "usage: polyproc-benches [--quick] [--json FILE] [--list] [FILTER]

  --quick      3 short rounds instead of 5: a look, not a figure to quote (a minute or two)
  --json FILE  also write one JSON object per line and comparison to FILE
  --list       print the scenarios with their definitions and measure nothing
  FILTER       only scenarios whose name contains this text, e.g. queue/1to1 or lock";

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
        ours::lock::ROLE => ours::lock::role(rest)?,
        ours::dict::ROLE => ours::dict::role(rest)?,
        ours::pipe::ROLE => ours::pipe::role(rest)?,
        ours::wake::ROLE => ours::wake::role(rest)?,
        ours::cost::ROLE => ours::cost::role(rest)?,
        ours::process::ROLE => ours::process::role(rest)?,
        ours::idle::ROLE => ours::idle::role(rest)?,
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
        peers::raw_sync::ROLE => peers::raw_sync::role(rest)?,
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
    filter: String,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Options, Trouble> {
        let mut options = Options::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--list" => options.list = true,
                "--help" | "-h" => options.help = true,
                "--json" => {
                    let file = rest.next().ok_or_else(|| Trouble::failed("--json needs a file name"))?;
                    options.json = Some(file.clone());
                }
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
        let mut chosen = scenarios::all();
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
        let mut json = self.json.as_ref().map(File::create).transpose()?;
        harness::system::forget_the_dead();
        harness::system::raise_descriptor_limit();
        let plan = if self.quick { Plan { rounds: 3, time: Duration::from_millis(40) } } else { Plan { rounds: 5, time: Duration::from_millis(300) } };
        println!("{}", harness::system::machine(&plan));
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
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    outcome.failed == 0 && (outcome.missing == 0 || !ci)
}
