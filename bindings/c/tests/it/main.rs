//! The C library as C sees it: its header, its symbols, the rules of its source, and programs in C and C++ that use every function.

mod cpp;
mod header;
mod nulls;
mod programs;
mod rules;
mod stage;
mod symbols;
mod workers;

use std::path::{Path, PathBuf};

/// The folder of this crate.
fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files of this crate, sorted.
fn sources() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(here().join("src")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let folders: Vec<PathBuf> = files.iter().filter(|path| path.is_dir()).cloned().collect();
    for folder in folders {
        files.extend(std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.retain(|path| path.extension().is_some_and(|e| e == "rs"));
    files.sort();
    files
}

/// The names of all exported functions, sorted, as the source has them.
fn exports() -> Vec<String> {
    let mut names = Vec::new();
    for file in sources() {
        let text = std::fs::read_to_string(file).unwrap();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line.trim_start().starts_with("#[unsafe(no_mangle)]") {
                let signature = lines.next().unwrap();
                let (_, rest) = signature.split_once(" fn ").expect("an export is a function");
                names.push(rest.split('(').next().unwrap().split('<').next().unwrap().to_owned());
            }
        }
    }
    names.sort();
    names
}
