//! Boost's `unordered_map` in `managed_shared_memory`, through a small C++ program (`cpp/boost_map.cpp`). It knows how to call that program, and nothing of Boost itself.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::crew::Crew;
use crate::harness::system::shared_name;
use crate::harness::{Budget, Sample, Trouble};
use crate::peers::cpp::Program;
use crate::scenarios::dict::Shape;

const SOURCE: Program = Program {
    name: "boost_map",
    source: include_str!("../../cpp/boost_map.cpp"),
    header: "boost/unordered_map.hpp",
    libraries: &[],
    missing: "needs g++ and Boost's headers: apt-get install g++ libboost-dev",
};

/// The map, made and filled at the first round, removed when dropped.
pub(crate) struct Side(Option<String>);

impl Side {
    pub(crate) fn new() -> Side {
        Side(None)
    }

    pub(crate) fn round(&mut self, shape: Shape, budget: Budget) -> Result<Sample, Trouble> {
        self.make(shape)?;
        let Some(name) = &self.0 else { return Err(Trouble::failed("no map")) };
        let mut crew = Crew::new()?;
        for arguments in shape.jobs(budget) {
            let mut command = Command::new(program()?);
            command.arg("run").args(arguments).arg(name);
            crew.command("boost_map", command)?;
        }
        shape.measure(crew)
    }

    fn make(&mut self, shape: Shape) -> Result<(), Trouble> {
        if self.0.is_none() {
            let name = shared_name("boost-map");
            self.0 = Some(name.clone());
            call(&["create", &name, &shape.size.to_string(), &shape.keys.to_string()])?;
        }
        Ok(())
    }
}

/// Bytes of memory of a filled map, for each of its keys.
pub(crate) fn bytes(shape: Shape) -> Result<Sample, Trouble> {
    let mut side = Side::new();
    side.make(shape)?;
    let blocks = std::fs::metadata(Path::new("/dev/shm").join(side.0.as_deref().unwrap_or_default()))?.blocks();
    Ok(Sample::Amount((blocks * 512) as f64 / shape.keys as f64))
}

impl Drop for Side {
    fn drop(&mut self) {
        if let Some(name) = &self.0
            && let Err(trouble) = call(&["remove", name])
        {
            eprintln!("{trouble}");
        }
    }
}

fn call(arguments: &[&str]) -> Result<(), Trouble> {
    let status = Command::new(program()?).args(arguments).status()?;
    if status.success() { Ok(()) } else { Err(Trouble::failed(format!("boost_map {arguments:?}: {status}"))) }
}

/// The program's path; built once per run if it is missing or its source has changed.
fn program() -> Result<&'static Path, Trouble> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PROGRAM.get_or_init(|| SOURCE.build()).as_deref().map_err(|text| Trouble::Missing(text.clone()))
}
