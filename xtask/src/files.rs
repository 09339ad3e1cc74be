//! Finds the source files of the repository. Knows nothing of what is asked of them.

use std::fs;
use std::path::{Path, PathBuf};

/// A Rust file: its path from the root, with `/`, and its text.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All Rust files below `root`, sorted; not those in hidden folders, build output or packages that others installed.
///
/// # Panics
/// If a file cannot be read: a check that saw only a part would be worth nothing.
pub(crate) fn rust_sources(root: &Path) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(root, &mut paths);
    paths.sort();
    let read = |path: PathBuf| Source {
        text: fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display())),
        path: path.strip_prefix(root).expect("found below the root").display().to_string(),
    };
    paths.into_iter().map(read).collect()
}

fn collect(dir: &Path, paths: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("cannot read {}: {error}", dir.display()));
    for entry in entries {
        let entry = entry.expect("an entry of a folder");
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kind = entry.file_type().expect("the kind of an entry");
        if kind.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
            collect(&entry.path(), paths);
        } else if kind.is_file() && name.ends_with(".rs") {
            paths.push(entry.path());
        }
    }
}
