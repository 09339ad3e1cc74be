//! The chores of this repository: `cargo xtask <chore>`. One file per chore; this one only finds it.

mod asan;
mod c_library;
mod files;
mod kill_table;
mod proof;
mod python;
mod test;
mod tidy;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "usage: cargo xtask <chore>

  test [ARGUMENTS]            every test of the workspace, doc tests too, the kill tests as a sample; the arguments go to `cargo test`
  kill-table [--quick]        kills at every instruction of every operation (with --quick at a sample) and writes docs/kill-table.md (target/kill-table.md);
                              --stride N: at every N-th; --jobs N: so many processes; --out FILE: where to write it
  storm [--seconds N] [--seed N]   a minute of processes at everything, killed at random; a ledger proves that nothing was lost or doubled
  fuzz [--seconds N] [--seed N]    a minute of random and damaged bytes in everything that reads bytes
  asan                        the unit tests of ipc under the address sanitizer (needs a nightly toolchain)
  header                      writes bindings/c/include/polyproc.h and bindings/c/symbols.txt anew, from the source of the C library
  install-c --prefix DIR      builds the C library and installs it there, with its headers for C and C++ and its files for pkg-config and CMake
  python [--release] [--build] [ARGUMENTS]   builds the Python package, installs it into target/python-venv, and runs its tests (not with --build); the arguments go to pytest
  unsafe-files                writes docs/unsafe-files.txt, the list of files that allow unsafe code, anew";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["test", rest @ ..] => test::run(&root(), rest),
        ["kill-table", rest @ ..] => kill_table::run(&root(), rest),
        ["storm", rest @ ..] => proof::storm(&root(), rest),
        ["fuzz", rest @ ..] => proof::fuzz(&root(), rest),
        ["asan", rest @ ..] => asan::run(&root(), rest),
        ["install-c", rest @ ..] => c_library::install(&root(), rest),
        ["python", rest @ ..] => python::run(&root(), rest),
        ["header"] => c_library::header(&root()),
        ["unsafe-files"] => tidy::write_unsafe_files(&root()),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// Cargo, as this was started by it, in the workspace.
fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command.current_dir(root);
    command
}
