//! `cargo xtask header`: the C library's committed header and symbol list, written anew. `cargo xtask install-c`: the library, as a program in C or C++ finds it.
//!
//! The header's generator is a test of the library's crate, which also compares; so nothing else need build it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
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

/// Builds the library and copies it, its headers for C and C++, and its files for pkg-config and CMake below a prefix.
pub(crate) fn install(root: &Path, arguments: &[&str]) -> ExitCode {
    let ["--prefix", prefix] = arguments else {
        eprintln!("usage: cargo xtask install-c --prefix DIR");
        return ExitCode::from(2);
    };
    match install_to(root, Path::new(prefix)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("nothing, or not everything, was installed: {why}");
            ExitCode::FAILURE
        }
    }
}

fn install_to(root: &Path, prefix: &Path) -> Result<(), String> {
    let said = |what: &Path| {
        let what = what.display().to_string();
        move |error: std::io::Error| format!("{what}: {error}")
    };
    let built = built(root)?;
    let here = root.join("bindings/c");
    let (lib, include, pkgconfig) = (prefix.join("lib"), prefix.join("include"), prefix.join("lib/pkgconfig"));
    for folder in [&lib, &include, &pkgconfig] {
        fs::create_dir_all(folder).map_err(said(folder))?;
    }
    let prefix = fs::canonicalize(prefix).map_err(said(prefix))?;
    let abi = number(&here.join("src/abi.rs"), "pub const PP_ABI: u32 = ", ";")?;
    let version = number(&root.join("Cargo.toml"), "version = \"", "\"")?;
    let (full, soname) = (format!("libpolyproc.so.{abi}.{version}"), format!("libpolyproc.so.{abi}"));
    // A program that runs keeps the file that it has: a new one takes its place.
    let put = |from: PathBuf, name: &Path| {
        let _ = fs::remove_file(name);
        fs::copy(&from, name).map(drop).map_err(said(&from))
    };
    put(built.join("libpolyproc_c.so"), &lib.join(&full))?;
    put(built.join("libpolyproc_c.a"), &lib.join("libpolyproc.a"))?;
    put(here.join("include/polyproc.h"), &include.join("polyproc.h"))?;
    for (name, target) in [(soname.as_str(), &full), ("libpolyproc.so", &soname)] {
        let link = lib.join(name);
        let _ = fs::remove_file(&link);
        symlink(target, &link).map_err(said(&link))?;
    }
    let template = here.join("polyproc.pc.in");
    let text = fs::read_to_string(&template).map_err(said(&template))?;
    let file = pkgconfig.join("polyproc.pc");
    fs::write(&file, text.replace("@PREFIX@", &prefix.display().to_string()).replace("@VERSION@", &version)).map_err(said(&file))?;
    install_cpp(&root.join("bindings/cpp"), &prefix, &version)?;
    println!("installed polyproc {version} (ABI {abi}) in {}; PKG_CONFIG_PATH is {}", prefix.display(), prefix.join("lib/pkgconfig").display());
    Ok(())
}

/// The headers for C++, and what CMake asks.
fn install_cpp(here: &Path, prefix: &Path, version: &str) -> Result<(), String> {
    let said = |what: &Path| {
        let what = what.display().to_string();
        move |error: std::io::Error| format!("{what}: {error}")
    };
    let (include, parts, cmake) = (prefix.join("include"), prefix.join("include/polyproc"), prefix.join("lib/cmake/polyproc"));
    fs::create_dir_all(&cmake).map_err(said(&cmake))?;
    let _ = fs::remove_dir_all(&parts); // parts of another version would stay
    fs::create_dir_all(&parts).map_err(said(&parts))?;
    let from = here.join("include/polyproc");
    for part in fs::read_dir(&from).map_err(said(&from))? {
        let part = part.map_err(said(&from))?;
        fs::copy(part.path(), parts.join(part.file_name())).map_err(said(&part.path()))?;
    }
    let header = here.join("include/polyproc.hpp");
    fs::copy(&header, include.join("polyproc.hpp")).map_err(said(&header))?;
    let config = here.join("cmake/polyprocConfig.cmake");
    fs::copy(&config, cmake.join("polyprocConfig.cmake")).map_err(said(&config))?;
    let template = here.join("cmake/polyprocConfigVersion.cmake.in");
    let text = fs::read_to_string(&template).map_err(said(&template))?;
    let file = cmake.join("polyprocConfigVersion.cmake");
    fs::write(&file, text.replace("@VERSION@", version)).map_err(said(&file))
}

/// Builds the library; the folder that it is in.
fn built(root: &Path) -> Result<PathBuf, String> {
    let mut command = cargo(root);
    let output = command.args(["build", "--release", "--package", "polyproc-c", "--message-format", "json-render-diagnostics"]);
    let output = output.stderr(std::process::Stdio::inherit()).output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err("the library does not build".into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let file = text.split('"').rfind(|word| word.ends_with("libpolyproc_c.so")).ok_or("cargo did not say where the library is")?;
    Path::new(file).parent().map(Path::to_owned).ok_or_else(|| "the library is nowhere".to_owned())
}

/// What stands in a line of a file, between these.
fn number(file: &Path, before: &str, after: &str) -> Result<String, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let found = text.lines().find_map(|line| line.strip_prefix(before)?.strip_suffix(after).map(str::to_owned));
    found.ok_or_else(|| format!("{} has no line that begins with {before}", file.display()))
}
