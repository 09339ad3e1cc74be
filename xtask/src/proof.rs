//! `cargo xtask storm` and `cargo xtask fuzz`: the tests of those names in ipc, for as long as is asked. What they do is theirs.

use std::path::Path;
use std::process::ExitCode;

use crate::cargo;

/// Both run for a minute if nothing else is said.
const SECONDS: u64 = 60;

/// Processes at everything, killed at random: `ipc/tests/storm`.
pub(crate) fn storm(root: &Path, arguments: &[&str]) -> ExitCode {
    run(root, "storm", "POLYPROC_STORM", arguments)
}

/// Random and damaged bytes: `ipc/tests/fuzz`.
pub(crate) fn fuzz(root: &Path, arguments: &[&str]) -> ExitCode {
    run(root, "fuzz", "POLYPROC_FUZZ", arguments)
}

/// Runs the test target `name`, which takes its seconds from `<variable>_SECONDS` and its seed from `<variable>_SEED`.
fn run(root: &Path, name: &str, variable: &str, arguments: &[&str]) -> ExitCode {
    let mut command = cargo(root);
    command.args(["test", "--quiet", "--package", "polyproc-ipc", "--test", name]).env(format!("{variable}_SECONDS"), SECONDS.to_string());
    let mut rest = arguments.iter();
    while let Some(&argument) = rest.next() {
        let which = match argument {
            "--seconds" => "SECONDS",
            "--seed" => "SEED",
            _ => return wrong(name),
        };
        let Some(number) = rest.next().and_then(|text| text.parse::<u64>().ok()) else { return wrong(name) };
        command.env(format!("{variable}_{which}"), number.to_string());
    }
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot run cargo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn wrong(name: &str) -> ExitCode {
    eprintln!("usage: cargo xtask {name} [--seconds N] [--seed N]");
    ExitCode::from(2)
}
