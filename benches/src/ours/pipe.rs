//! polyproc's `Connection`, both ends handed to the processes by descriptor.

use std::os::fd::AsFd as _;

use polyproc_ipc::{Connection, pipe};

use crate::harness::crew::{Crew, Inherited};
use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::pipe::{Job, Pipe, Shape};

pub(crate) const ROLE: &str = "pipe";

/// One round: a fresh pipe, both sides.
pub(crate) fn round(shape: Shape, budget: Budget) -> Result<Sample, Trouble> {
    let (one, other) = pipe()?;
    let mut crew = Crew::new()?;
    for (mut arguments, end) in shape.jobs(budget).into_iter().zip([one, other]) {
        let inherited = Inherited::new(end.duplicate_fd()?.as_fd())?;
        arguments.push(inherited.number());
        crew.role(ROLE, &arguments)?;
    }
    shape.measure(crew)
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let job = Job::enter(&mut arguments)?;
    let descriptor: String = member::next(&mut arguments, "descriptor")?;
    job.work(&mut End(Connection::from_fd(member::taken(&descriptor)?)?))
}

struct End(Connection);

impl Pipe for End {
    fn send(&mut self, message: &[u8]) -> Result<(), Trouble> {
        Ok(self.0.send_bytes(message)?)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<(), Trouble> {
        let got = self.0.recv_bytes_into(buffer)?;
        if got == buffer.len() { Ok(()) } else { Err(Trouble::failed(format!("a message of {got} bytes"))) }
    }
}
