//! `cargo xtask header`: the C library's committed header and symbol list, written anew.
//!
//! The generator is a test of the library's crate, which also compares; so nothing else need build it.

use std::path::Path;
use std::process::ExitCode;

use crate::cargo;

/// Writes `include/polyproc.h` and `symbols.txt`.
pub(crate) fn header(root: &Path) -> ExitCode {
    let mut command = cargo(root);
    command
        .args(["test", "--quiet", "--package", "polyproc-c", "--test", "it", "--", "the_committed_header", "the_library_exports"])
        .env("POLYPROC_WRITE", "1");
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot run cargo: {error}");
            ExitCode::FAILURE
        }
    }
}
