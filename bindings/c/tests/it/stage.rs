//! The library as it is installed: header, shared library under its soname, static library, in a folder of their own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::here;

/// A file that cargo built beside this test.
pub(crate) fn built(name: &str) -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let deps = exe.parent().unwrap();
    let found = [deps.join(name), deps.parent().unwrap().join(name)].into_iter().filter(|path| path.exists());
    found.max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap()).unwrap_or_else(|| panic!("cargo built no {name} beside {}", exe.display()))
}

/// The folder, with `include` and `lib`.
pub(crate) fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        remove_what_ended_runs_left();
        let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("polyproc-c-{}", std::process::id()));
        fs::create_dir_all(prefix.join("include")).unwrap();
        fs::create_dir_all(prefix.join("lib")).unwrap();
        fs::copy(here().join("include/polyproc.h"), prefix.join("include/polyproc.h")).unwrap();
        symlink(built("libpolyproc_c.so"), prefix.join("lib/libpolyproc.so.1")).unwrap();
        symlink("libpolyproc.so.1", prefix.join("lib/libpolyproc.so")).unwrap();
        fs::create_dir_all(prefix.join("lib/pkgconfig")).unwrap();
        let template = fs::read_to_string(here().join("polyproc.pc.in")).unwrap();
        let text = template.replace("@PREFIX@", &prefix.display().to_string()).replace("@VERSION@", env!("CARGO_PKG_VERSION"));
        fs::write(prefix.join("lib/pkgconfig/polyproc.pc"), text).unwrap();
        stage_cpp(&prefix);
        prefix
    })
}

/// The headers for C++, and what CMake asks.
fn stage_cpp(prefix: &Path) {
    let (cpp, cmake) = (here().join("../cpp"), prefix.join("lib/cmake/polyproc"));
    fs::create_dir_all(&cmake).unwrap();
    for name in ["polyproc.hpp", "polyproc"] {
        symlink(cpp.join("include").join(name), prefix.join("include").join(name)).unwrap();
    }
    fs::copy(cpp.join("cmake/polyprocConfig.cmake"), cmake.join("polyprocConfig.cmake")).unwrap();
    let template = fs::read_to_string(cpp.join("cmake/polyprocConfigVersion.cmake.in")).unwrap();
    fs::write(cmake.join("polyprocConfigVersion.cmake"), template.replace("@VERSION@", env!("CARGO_PKG_VERSION"))).unwrap();
}

/// The folder is used until the test process ends, so the next one removes it.
fn remove_what_ended_runs_left() {
    for entry in fs::read_dir(env!("CARGO_TARGET_TMPDIR")).unwrap().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix("polyproc-c-")?.split('-').next()?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Removes the folder when the last test that used it is over.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A folder for the programs of one test.
    pub(crate) fn new(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("polyproc-c-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
