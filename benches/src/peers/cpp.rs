//! Peers in C++: small programs that are built on first use, with g++ beside this program. It knows how to build one, and nothing of what it does.

use std::path::PathBuf;
use std::process::Command;

/// A program and what it needs.
pub(crate) struct Program {
    /// Its name, that of its source file without the ending.
    pub(crate) name: &'static str,
    pub(crate) source: &'static str,
    /// What it is linked with, beyond threads.
    pub(crate) libraries: &'static [&'static str],
    /// A header without which it cannot be built, and what to say then.
    pub(crate) header: &'static str,
    pub(crate) missing: &'static str,
}

impl Program {
    /// Builds it, if it is missing or its source has changed; its path.
    pub(crate) fn build(&self) -> Result<PathBuf, String> {
        let error = |error: std::io::Error| error.to_string();
        let folder = std::env::current_exe().map_err(error)?.with_file_name("polyproc-bench-peers");
        let file = format!("{}.cpp", self.name);
        let (source, program) = (folder.join(&file), folder.join(self.name));
        std::fs::create_dir_all(&folder).map_err(error)?;
        if program.exists() && std::fs::read_to_string(&source).is_ok_and(|text| text == self.source) {
            return Ok(program);
        }
        if !self.has_header() {
            return Err(self.missing.to_owned());
        }
        // Under other names first, so that a parallel run never sees a half-written program.
        let own = |what: &str| folder.join(format!("{}-{what}", std::process::id()));
        let (new_source, new_program) = (own(&file), own(self.name));
        std::fs::write(&new_source, self.source).map_err(error)?;
        let built = Command::new("g++")
            .args(["-O2", "-std=c++17", "-o"])
            .args([&new_program, &new_source])
            .args(self.libraries)
            .args(["-lpthread", "-lrt"])
            .output()
            .map_err(error)?;
        if !built.status.success() {
            let _ = std::fs::remove_file(&new_source);
            return Err(format!("g++ could not build {file}: {}", String::from_utf8_lossy(&built.stderr)));
        }
        std::fs::rename(&new_program, &program).map_err(error)?;
        std::fs::rename(&new_source, &source).map_err(error)?;
        Ok(program)
    }

    /// Whether g++ is there and finds the header.
    fn has_header(&self) -> bool {
        let found = Command::new("g++").args(["-std=c++17", "-E", "-include", self.header, "-x", "c++", "-o", "/dev/null", "/dev/null"]).output();
        found.is_ok_and(|output| output.status.success())
    }
}
