//! Which files are to be counted, and in which batches. Reads directories and sizes, and no file.

use std::cmp::Reverse;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::count::{Batch, Skipped};

/// Directories of this name are not entered.
pub(crate) const SKIPPED_NAMES: [&str; 2] = [".git", "target"];

/// A batch is full at this many bytes or files, so that small files do not cost a round trip each; or at fewer bytes where there is little to do.
const BATCH_BYTES: u64 = 1 << 20;
const BATCH_FILES: usize = 64;
/// Batches for each worker, at least, as long as they do not become tiny.
const BATCHES_EACH: u64 = 8;
const TINY: u64 = 16 << 10;

/// The files found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Path and size of every regular file, each once.
    pub(crate) files: Vec<(PathBuf, u64)>,
    /// What could not be looked at.
    pub(crate) skipped: Vec<Skipped>,
}

impl Found {
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, size)| size).sum()
    }
}

/// Finds all regular files under `roots`, which are directories or files. Symbolic links below a root are not followed, and directories named `.git`
/// or `target` below it are not entered.
pub(crate) fn find(roots: &[PathBuf]) -> io::Result<Found> {
    let mut found = Found::default();
    for root in roots {
        let root = root.canonicalize().map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", root.display())))?;
        let kind = fs::metadata(&root)?;
        if kind.is_dir() {
            enter(root, &mut found);
        } else if kind.is_file() {
            found.files.push((root, kind.len()));
        } else {
            return Err(io::Error::other(format!("{} is neither a directory nor a file", root.display())));
        }
    }
    // Roots may overlap.
    found.files.sort_unstable();
    found.files.dedup_by(|a, b| a.0 == b.0);
    Ok(found)
}

fn enter(root: PathBuf, found: &mut Found) {
    let mut open = vec![root];
    while let Some(directory) = open.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) => {
                found.skipped.push(Skipped::new(&directory, error));
                continue;
            }
        };
        for entry in entries {
            let looked = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)));
            match looked {
                Ok((path, kind)) if kind.is_dir() && !is_skipped(&path) => open.push(path),
                Ok((path, kind)) if kind.is_file() => found.files.push((path, kind.len())),
                // Neither links nor pipes, sockets and devices are texts.
                Ok(_) => {}
                // It went while we looked.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => found.skipped.push(Skipped::new(&directory, error)),
            }
        }
    }
}

fn is_skipped(directory: &Path) -> bool {
    directory.file_name().is_some_and(|name| SKIPPED_NAMES.iter().any(|skipped| name == *skipped))
}

/// Batches of about one mebibyte, the biggest files first, so that no worker has a big one left at the end.
pub(crate) fn batches(mut files: Vec<(PathBuf, u64)>, workers: usize) -> Vec<Batch> {
    let all: u64 = files.iter().map(|(_, size)| size).sum();
    let most = (all / (workers as u64 * BATCHES_EACH)).clamp(TINY, BATCH_BYTES);
    files.sort_by_key(|(_, size)| Reverse(*size));
    let mut batches: Vec<Batch> = Vec::new();
    let mut bytes = 0;
    for (path, size) in files {
        let full = batches.last().is_none_or(|batch| batch.paths.len() >= BATCH_FILES || bytes >= most);
        if full {
            batches.push(Batch { number: batches.len(), paths: Vec::new() });
            bytes = 0;
        }
        bytes += size;
        batches.last_mut().expect("one was just made").paths.push(path.into_os_string());
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    struct Temp(PathBuf);

    impl Temp {
        fn new(name: &str) -> Temp {
            let path = std::env::temp_dir().join(format!("polyproc-wordcount-{name}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Temp(path.canonicalize().unwrap())
        }

        fn put(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Temp {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn links_and_build_directories_are_left_out() {
        let temp = Temp::new("walk");
        let expected = [temp.put("a", "1"), temp.put("b/c", "22"), temp.put("b/targets/d", ""), temp.put("git/target", "4444")];
        temp.put("target/e", "5");
        temp.put("b/.git/f", "6");
        symlink(temp.0.join("a"), temp.0.join("link")).unwrap();
        symlink(&temp.0, temp.0.join("b/loop")).unwrap();
        let found = find(std::slice::from_ref(&temp.0)).unwrap();
        let paths: Vec<_> = found.files.iter().map(|(path, _)| path.clone()).collect();
        assert_eq!(paths, expected);
        assert_eq!(found.bytes(), 7);
        assert!(found.skipped.is_empty());
        // What is named is counted, and only once.
        let roots = [temp.0.clone(), temp.0.join("b/../b"), temp.0.join("a"), temp.0.join("link"), temp.0.join("target")];
        assert_eq!(find(&roots).unwrap().files.len(), expected.len() + 1);
        assert!(find(&["/dev/null".into()]).unwrap_err().to_string().contains("/dev/null"));
        assert!(find(&[temp.0.join("none")]).unwrap_err().to_string().contains("none"));
    }

    #[test]
    fn batches_are_full_and_hold_every_file_once() {
        let mut files: Vec<(PathBuf, u64)> = (0..200).map(|i| (PathBuf::from(format!("small{i}")), i)).collect();
        files.extend((0..5).map(|i| (PathBuf::from(format!("big{i}")), 700_000 + i)));
        files.push(("giant".into(), 1 << 30));
        let batches = batches(files, 2);
        assert_eq!(batches[0].paths, ["giant"]);
        assert_eq!(batches[1].paths, ["big4", "big3"]);
        assert!(batches.iter().enumerate().all(|(i, batch)| batch.number == i && (1..=BATCH_FILES).contains(&batch.paths.len())));
        let mut all: Vec<_> = batches.iter().flat_map(|batch| &batch.paths).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 206);
        assert_eq!(batches.len(), 3 + 4);
        assert!(super::batches(Vec::new(), 1).is_empty());
        let few = super::batches((0..20).map(|i| (PathBuf::from(format!("few{i}")), 10_000)).collect(), 2);
        assert_eq!(few.len(), 10, "two files are more than a tiny batch");
    }
}
