//! `cargo xtask asan`: the unit tests of ipc under the address sanitizer, which only a nightly compiler has. Skips itself, and says why, where there is none.
//!
//! Only the unit tests: those stay in one process. A build of its own (`--target`, so that build scripts and macros go without the sanitizer).

use std::path::Path;
use std::process::{Command, ExitCode};

const NIGHTLY: &str = "+nightly";

pub(crate) fn run(root: &Path, arguments: &[&str]) -> ExitCode {
    let Some(target) = host() else {
        println!(
            "skipped: the address sanitizer needs a nightly toolchain, and `rustc {NIGHTLY}` does not run; `rustup toolchain install nightly --profile minimal` gets one"
        );
        return ExitCode::SUCCESS;
    };
    let mut command = Command::new("cargo");
    // The toolchain that runs this must not be handed on: `+nightly` is to choose.
    for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "RUSTDOC"] {
        command.env_remove(variable);
    }
    command.args([NIGHTLY, "test", "--quiet", "--package", "polyproc-ipc", "--lib", "--target", &target]);
    command.env("RUSTFLAGS", "-Zsanitizer=address").env("ASAN_OPTIONS", "detect_leaks=1:detect_stack_use_after_return=1");
    match command.args(arguments).current_dir(root).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot run cargo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The triple that a nightly compiler builds for; none if there is no nightly compiler.
fn host() -> Option<String> {
    let answer = Command::new("rustc").env_remove("RUSTUP_TOOLCHAIN").args([NIGHTLY, "-vV"]).output().ok().filter(|answer| answer.status.success())?;
    String::from_utf8(answer.stdout).ok()?.lines().find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
}
