//! `cargo xtask python`: builds the Python package, installs it into an environment of its own, and runs its tests there.
//!
//! The environment is `target/python-venv`; it is made by the first run, with what the tests need.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What builds the package, and what its tests are written with.
const TOOLS: &[&str] = &["maturin>=1.5,<2", "pytest", "hypothesis", "numpy"];

/// Builds, installs, and runs pytest with `arguments`; `--release` first builds as for users, `--build` first runs no test.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> ExitCode {
    match chore(root, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Whether there is a Python that environments can be made with.
pub(crate) fn is_there() -> bool {
    Command::new(interpreter()).args(["-c", "import venv, ensurepip"]).stderr(std::process::Stdio::null()).status().is_ok_and(|status| status.success())
}

fn interpreter() -> String {
    env::var("POLYPROC_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

fn chore(root: &Path, mut arguments: &[&str]) -> Result<(), String> {
    let (mut release, mut test) = (false, true);
    while let [first @ ("--release" | "--build"), rest @ ..] = arguments {
        (release, test) = (release || *first == "--release", test && *first != "--build");
        arguments = rest;
    }
    let bin = environment(root)?;
    let mut maturin = Command::new(bin.join("maturin"));
    maturin.current_dir(root.join("bindings/python")).args(["develop", "--quiet"]).env("VIRTUAL_ENV", root.join(VENV)).env_remove("CONDA_PREFIX");
    done(maturin.args(release.then_some("--release")), "building the package")?;
    if test {
        done(
            Command::new(bin.join("python")).current_dir(root.join("bindings/python")).args(["-m", "pytest", "-q"]).args(arguments),
            "the tests of the package",
        )?;
    }
    Ok(())
}

const VENV: &str = "target/python-venv";

/// The programs of the environment, which is made if it is not there, or not whole.
fn environment(root: &Path) -> Result<PathBuf, String> {
    let venv = root.join(VENV);
    let (bin, whole) = (venv.join("bin"), venv.join("whole"));
    if !whole.exists() {
        done(Command::new(interpreter()).args(["-m", "venv", "--clear"]).arg(&venv), "making an environment for Python")?;
        done(Command::new(bin.join("python")).args(["-m", "pip", "install", "--quiet"]).args(TOOLS), "installing what the tests need")?;
        std::fs::write(&whole, "").map_err(|error| format!("{}: {error}", whole.display()))?;
    }
    Ok(bin)
}

fn done(command: &mut Command, what: &str) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{what} failed ({status})")),
        Err(error) => Err(format!("{what} cannot run: {error}")),
    }
}
