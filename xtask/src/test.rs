//! `cargo xtask test`: looks for the tools that tests need, runs every suite whose tools are there, and sums up.
//!
//! A tool that is not installed is named, and what needs it is skipped; where `CI=true`, that is a failure.

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::{cargo, kill_table, python};

/// A program that a suite needs, under any of its names.
struct Tool {
    name: &'static str,
    commands: &'static [&'static str],
    package: &'static str,
    /// What happens without it.
    without: &'static str,
}

const C: Tool = Tool { name: "a C compiler", commands: &["cc", "gcc", "clang"], package: "gcc", without: "nothing can be linked" };
const PYTHON: Tool = Tool { name: "python3", commands: &["python3"], package: "python3", without: "tests with a side in Python skip themselves" };
const TOOLS: &[&Tool] = &[&C, &PYTHON];

/// A run of tests that is told apart in the summary.
struct Suite {
    name: &'static str,
    needs: &'static [&'static Tool],
    command: &'static [&'static str],
}

/// The benches are measured, not tested: `.ci/run` has a short run of them. They pull in their peers, which no test needs.
const SUITES: &[Suite] = &[
    Suite {
        name: "unit and integration tests",
        needs: &[&C],
        command: &["test", "--workspace", "--exclude", "polyproc-benches", "--lib", "--bins", "--tests", "--examples", "--no-fail-fast"],
    },
    Suite {
        name: "doc tests",
        needs: &[&C],
        command: &["test", "--workspace", "--exclude", "polyproc-benches", "--features", "polyproc/progress", "--doc", "--no-fail-fast"],
    },
];

enum Outcome {
    Passed,
    Failed,
    Skipped,
}

/// Runs all suites, each to its end even if one before it failed. `arguments` are added to each.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> ExitCode {
    let ci = env::var("CI").is_ok_and(|value| value == "true");
    let missing: Vec<&Tool> = TOOLS.iter().copied().filter(|tool| !tool.is_installed()).collect();
    for tool in &missing {
        eprintln!("{} is not installed (Debian: apt-get install {}): {}", tool.name, tool.package, tool.without);
    }
    let mut summary = Vec::new();
    for suite in SUITES {
        let began = Instant::now();
        let can_run = suite.needs.iter().all(|tool| !missing.iter().any(|missing| missing.name == tool.name));
        let outcome = if can_run { suite.run(root, arguments) } else { Outcome::Skipped };
        summary.push((suite.name, outcome, began.elapsed()));
    }
    if python::is_there() {
        println!("\n=== tests of the Python package ===");
        let began = Instant::now();
        let outcome = if python::run(root, &[]) == ExitCode::SUCCESS { Outcome::Passed } else { Outcome::Failed };
        summary.push(("tests of the Python package", outcome, began.elapsed()));
    } else {
        summary.push(("tests of the Python package", Outcome::Skipped, std::time::Duration::ZERO));
    }
    println!("\n{:<28} {:<8} {:>9}", "suite", "outcome", "seconds");
    let mut failed = false;
    for (name, outcome, took) in summary {
        let word = match outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
            Outcome::Skipped => "skipped",
        };
        println!("{name:<28} {word:<8} {:>9.1}", took.as_secs_f64());
        failed |= matches!(outcome, Outcome::Failed);
    }
    for tool in &missing {
        println!("without {}: {}{}", tool.name, tool.without, if ci { ", which CI must not do" } else { "" });
    }
    failed |= ci && !missing.is_empty();
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

impl Tool {
    fn is_installed(&self) -> bool {
        let answers = |command: &&str| Command::new(command).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
        self.commands.iter().any(answers)
    }
}

impl Suite {
    fn run(&self, root: &Path, arguments: &[&str]) -> Outcome {
        println!("\n=== {} ===", self.name);
        let mut command = cargo(root);
        command.args(self.command).args(arguments);
        // A sample of every row, so that the time is bounded; `cargo xtask kill-table` runs them whole.
        if env::var_os("POLYPROC_KILL_STRIDE").is_none() && env::var_os("POLYPROC_KILL_POINTS").is_none() {
            command.env("POLYPROC_KILL_POINTS", kill_table::QUICK_POINTS);
        }
        match command.status() {
            Ok(status) if status.success() => Outcome::Passed,
            Ok(_) => Outcome::Failed,
            Err(error) => {
                eprintln!("cannot run cargo: {error}");
                Outcome::Failed
            }
        }
    }
}
