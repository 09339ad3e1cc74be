//! The chores of this repository: `cargo xtask <chore>`. One file per chore; this one only finds it.

mod files;
mod test;
mod tidy;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <chore>

  test [ARGUMENTS]   every test of the workspace, doc tests too; the arguments go to `cargo test`
  unsafe-files       writes docs/unsafe-files.txt, the list of files that allow unsafe code, anew";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["test", rest @ ..] => test::run(&root(), rest),
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
