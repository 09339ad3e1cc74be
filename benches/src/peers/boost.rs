//! Boost.Interprocess `message_queue`, through a small C++ program (`cpp/boost_mq.cpp`). It knows how to call that program, and nothing of Boost itself.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::crew::Crew;
use crate::harness::system::shared_name;
use crate::harness::{Budget, Sample, Trouble};
use crate::peers::cpp::Program;
use crate::scenarios::queue::{Job, Shape};

const SOURCE: Program = Program {
    name: "boost_mq",
    source: include_str!("../../cpp/boost_mq.cpp"),
    header: "boost/interprocess/ipc/message_queue.hpp",
    libraries: &[],
    missing: "needs g++ and Boost's headers: apt-get install g++ libboost-dev",
};

/// One round: a fresh queue, its producers and consumers.
pub(crate) fn round(shape: Shape, budget: Budget) -> Result<Sample, Trouble> {
    let queue = Queue::new(shape.capacity(), shape.size)?;
    let mut crew = Crew::new()?;
    for job in shape.jobs(budget) {
        crew.command("boost_mq", queue.command(&job))?;
    }
    shape.measure(crew)
}

/// Bytes of memory that a queue occupies that was made and never used.
pub(crate) fn idle_bytes(capacity: usize, size: usize) -> Result<Sample, Trouble> {
    Queue::new(capacity, size)?.bytes()
}

/// The same once the queue has been full.
pub(crate) fn used_bytes(capacity: usize, size: usize) -> Result<Sample, Trouble> {
    let queue = Queue::new(capacity, size)?;
    let job = Job { produces: true, size, first: 0, count: capacity as u64, ordered: true, core: None };
    let mut crew = Crew::new()?;
    crew.command("boost_mq", queue.command(&job))?;
    crew.run()?;
    queue.bytes()
}

/// A queue with a name in /dev/shm, removed when dropped.
struct Queue {
    program: &'static Path,
    name: String,
}

impl Queue {
    fn new(capacity: usize, size: usize) -> Result<Queue, Trouble> {
        let queue = Queue { program: program()?, name: shared_name("boost") };
        queue.call(&["create", &queue.name, &capacity.to_string(), &size.to_string()])?;
        Ok(queue)
    }

    fn command(&self, job: &Job) -> Command {
        let mut command = Command::new(self.program);
        command.args(job.arguments()).arg(&self.name);
        command
    }

    fn bytes(&self) -> Result<Sample, Trouble> {
        let blocks = std::fs::metadata(Path::new("/dev/shm").join(&self.name))?.blocks();
        Ok(Sample::Amount((blocks * 512) as f64))
    }

    fn call(&self, arguments: &[&str]) -> Result<(), Trouble> {
        let status = Command::new(self.program).args(arguments).status()?;
        if status.success() { Ok(()) } else { Err(Trouble::failed(format!("boost_mq {arguments:?}: {status}"))) }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        if let Err(trouble) = self.call(&["remove", &self.name]) {
            eprintln!("{trouble}");
        }
    }
}

/// The program's path; built once per run if it is missing or its source has changed.
fn program() -> Result<&'static Path, Trouble> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PROGRAM.get_or_init(|| SOURCE.build()).as_deref().map_err(|text| Trouble::Missing(text.clone()))
}
