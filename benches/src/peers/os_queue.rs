//! What the system itself offers where a queue would be used: a pipe through which messages of one known size go without any frame, and a pair of SEQPACKET sockets.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::harness::crew::{Crew, Inherited};
use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::queue::{Job, Payload, Shape};

pub(crate) const ROLE: &str = "os-queue";

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Pipe,
    Packets,
}

/// One round: a fresh pipe, its producer and its consumer.
pub(crate) fn round(shape: Shape, kind: Kind, budget: Budget) -> Result<Sample, Trouble> {
    let (output, input, name) = match kind {
        Kind::Pipe => {
            let (reader, writer) = std::io::pipe()?;
            (Inherited::new(writer.as_fd())?, Inherited::new(reader.as_fd())?, "pipe")
        }
        Kind::Packets => {
            let (one, other) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
            rustix::net::sockopt::set_socket_send_buffer_size(&one, 1 << 20)?;
            (Inherited::new(one.as_fd())?, Inherited::new(other.as_fd())?, "packets")
        }
    };
    let mut crew = Crew::new()?;
    for job in shape.jobs(budget) {
        let end = if job.produces { &output } else { &input };
        let mut arguments = job.arguments();
        arguments.extend([name.to_owned(), end.number()]);
        crew.role(ROLE, &arguments)?;
    }
    drop((output, input));
    shape.measure(crew)
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let job = Job::enter(&mut arguments)?;
    let packets = member::next::<String>(&mut arguments, "kind")? == "packets";
    let end = member::taken(&member::next::<String>(&mut arguments, "descriptor")?)?;
    let mut payload = Payload::new(job.size);
    match (packets, job.produces) {
        (true, true) => job.produce(1, |numbers| {
            for number in numbers {
                rustix::net::send(&end, payload.stamped(number), SendFlags::NOSIGNAL)?;
            }
            Ok(())
        }),
        (true, false) => job.consume(|check, _| {
            let (_, got) = rustix::net::recv(&end, payload.room(), RecvFlags::empty())?;
            check.see(&payload.room()[..got]);
            Ok(())
        }),
        (false, true) => {
            let mut pipe = File::from(end);
            job.produce(1, |numbers| {
                for number in numbers {
                    pipe.write_all(payload.stamped(number))?;
                }
                Ok(())
            })
        }
        (false, false) => {
            let mut pipe = File::from(end);
            job.consume(|check, _| {
                pipe.read_exact(payload.room())?;
                check.see(payload.room());
                Ok(())
            })
        }
    }
}
