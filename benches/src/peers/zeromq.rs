//! ZeroMQ's PUSH and PULL over `ipc://`, through a small C++ program (`cpp/zeromq.cpp`). It knows how to call that program, and nothing of ZeroMQ itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::crew::Crew;
use crate::harness::system::shared_name;
use crate::harness::{Budget, Sample, Trouble};
use crate::peers::cpp::Program;
use crate::scenarios::queue::Shape;

const SOURCE: Program = Program {
    name: "zeromq",
    source: include_str!("../../cpp/zeromq.cpp"),
    header: "zmq.h",
    libraries: &["-lzmq"],
    missing: "needs g++ and ZeroMQ: apt-get install g++ libzmq3-dev",
};

/// One round: a fresh socket for each consumer, each producer connected to all of them.
pub(crate) fn round(shape: Shape, budget: Budget) -> Result<Sample, Trouble> {
    let sockets: Vec<Socket> = (0..shape.consumers).map(|_| Socket(Path::new("/dev/shm").join(shared_name("zeromq")))).collect();
    // Half of the room at each end. Without a limit where there are several consumers: a full one would be passed over, and those that count on their share would wait for ever.
    let room = if shape.consumers == 1 { shape.capacity().div_ceil(2) } else { 0 };
    let mut crew = Crew::new()?;
    let mut consumers = sockets.iter();
    for job in shape.jobs(budget) {
        let mut command = Command::new(program()?);
        command.args(job.arguments()).arg(room.to_string()).arg(shape.producers.to_string());
        if job.produces {
            command.args(sockets.iter().map(|socket| &socket.0));
        } else {
            command.args(consumers.next().map(|socket| &socket.0));
        }
        crew.command("zeromq", command)?;
    }
    shape.measure(crew)
}

/// A socket's file, removed when dropped.
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0); // there is none if no consumer came so far
    }
}

/// The program's path; built once per run if it is missing or its source has changed.
fn program() -> Result<&'static Path, Trouble> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PROGRAM.get_or_init(|| SOURCE.build()).as_deref().map_err(|text| Trouble::Missing(text.clone()))
}
