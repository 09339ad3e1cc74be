//! What every file of the repository must keep to, as tests: an opening, a length, and no unsafe code outside a known list.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::files::{Source, rust_sources};

/// The committed list of files that allow unsafe code.
const UNSAFE_FILES: &str = "docs/unsafe-files.txt";

/// Writes the list anew, from what the files say now. The change of the list is then for a reviewer to see.
pub(crate) fn write_unsafe_files(root: &Path) -> ExitCode {
    let mut text = String::from("# The files that allow unsafe code. Kept by `cargo xtask unsafe-files`, checked by the tests of xtask.\n");
    for path in unsafe_files(&rust_sources(root)) {
        let _ = writeln!(text, "{path}");
    }
    match fs::write(root.join(UNSAFE_FILES), text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write {UNSAFE_FILES}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The files with an attribute that allows the lint `unsafe_code`, sorted.
fn unsafe_files(sources: &[Source]) -> Vec<&str> {
    sources.iter().filter(|source| allows_unsafe(&source.text)).map(|source| source.path.as_str()).collect()
}

fn allows_unsafe(text: &str) -> bool {
    let allows = |line: &str| line.starts_with('#') && line.contains("unsafe_code") && !line.contains("deny");
    text.lines().map(str::trim_start).any(allows)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST_LINES: usize = 500;
    /// Files that may be longer, each with its reason.
    const MAY_BE_LONG: &[&str] = &[];

    fn sources() -> Vec<Source> {
        let sources = rust_sources(&crate::root());
        assert!(sources.iter().any(|source| source.path == "xtask/src/tidy.rs"), "the files are found at all");
        sources
    }

    fn assert_none(broken: Vec<String>, rule: &str) {
        assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
    }

    #[test]
    fn every_file_opens_with_what_it_is() {
        let broken = sources().into_iter().filter(|source| !source.text.starts_with("//!"));
        assert_none(broken.map(|source| source.path).collect(), "a file must open with `//!` lines on what it is");
    }

    #[test]
    fn no_file_is_too_long() {
        let lines = |source: &Source| source.text.lines().count();
        let sources = sources();
        let long = sources.iter().filter(|source| lines(source) > MOST_LINES);
        let broken = long.filter(|source| !MAY_BE_LONG.contains(&source.path.as_str()));
        assert_none(broken.map(|source| format!("{} has {} lines", source.path, lines(source))).collect(), "a file is one idea, in at most 500 lines");
        for path in MAY_BE_LONG {
            let still = sources.iter().any(|source| source.path == *path && lines(source) > MOST_LINES);
            assert!(still, "{path} is no longer too long; take it off the list");
        }
    }

    #[test]
    fn unsafe_code_is_where_the_list_says() {
        let list = fs::read_to_string(crate::root().join(UNSAFE_FILES))
            .unwrap_or_else(|error| panic!("cannot read {UNSAFE_FILES} ({error}); `cargo xtask unsafe-files` writes it"));
        let listed: Vec<&str> = list.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        let sources = sources();
        let found = unsafe_files(&sources);
        let new = found.iter().filter(|path| !listed.contains(path)).map(|path| format!("{path} is not on the list"));
        let old = listed.iter().filter(|path| !found.contains(path)).map(|path| format!("{path} is on the list only"));
        assert_none(new.chain(old).collect(), "the files that allow unsafe code changed; if that is meant, run `cargo xtask unsafe-files` and commit the list");
    }

    #[test]
    fn an_attribute_counts_and_a_mention_does_not() {
        assert!(allows_unsafe("//! Text.\n#![allow(unsafe_code)]\n"));
        assert!(allows_unsafe("mod a {\n    #[expect(unsafe_code, reason = \"...\")]\n    fn f() {}\n}\n"));
        assert!(!allows_unsafe("//! On unsafe_code.\n#![deny(unsafe_code)]\n// #![allow(unsafe_code)]\n"));
    }
}
