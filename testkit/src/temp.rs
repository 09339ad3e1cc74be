//! Names and directories that no other test, run or process uses. Knows nothing of what is put there.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs, process};

/// A name that starts with `label` and that nobody else has: it holds the process id, the time and a counter.
///
/// Letters, digits and `-` only (as long as `label` keeps to them), at most 40 bytes longer than `label`.
///
/// ```
/// use polyproc_testkit::temp::unique_name;
/// assert_ne!(unique_name("jobs"), unique_name("jobs"));
/// ```
pub fn unique_name(label: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
    format!("{label}-{}-{:x}-{count}", process::id(), nanos & 0xff_ffff_ffff)
}

/// A directory of its own (mode 0700), removed with everything in it on drop, also when the test panics.
///
/// In a forked child the drop removes nothing: the directory belongs to the process that made it.
///
/// ```
/// let dir = polyproc_testkit::temp::TempDir::new("example");
/// std::fs::write(dir.path().join("file"), b"text").unwrap();
/// let path = dir.path().to_owned();
/// drop(dir);
/// assert!(!path.exists());
/// ```
#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
    maker: u32,
}

impl TempDir {
    /// Makes the directory under the system's directory for temporary files.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn new(label: &str) -> TempDir {
        use std::os::unix::fs::DirBuilderExt;
        let path = env::temp_dir().join(unique_name(label));
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap_or_else(|error| panic!("cannot make the temporary directory {}: {error}", path.display()));
        TempDir { path, maker: process::id() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if self.maker == process::id() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_is_private_and_goes() {
        let dir = TempDir::new("testkit");
        let path = dir.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        fs::create_dir(path.join("inner")).unwrap();
        drop(dir);
        assert!(!path.exists());
    }
}
