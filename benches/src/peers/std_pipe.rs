//! What the system itself offers: a pair of `std::io::pipe`, each message behind its length; and a pair of SEQPACKET sockets, each message a packet.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::harness::crew::{Crew, Inherited};
use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::pipe::{Job, Pipe, Shape};

pub(crate) const ROLE: &str = "std-pipe";

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Pipe,
    Packets,
}

/// One round: fresh pipes, both sides.
pub(crate) fn round(shape: Shape, kind: Kind, budget: Budget) -> Result<Sample, Trouble> {
    let [first, second] = shape.jobs(budget);
    let mut crew = Crew::new()?;
    match kind {
        Kind::Pipe => {
            let (there, back) = (std::io::pipe()?, std::io::pipe()?);
            start(&mut crew, first, "pipe", &[there.1.as_fd(), back.0.as_fd()])?;
            start(&mut crew, second, "pipe", &[back.1.as_fd(), there.0.as_fd()])?;
        }
        Kind::Packets => {
            let (one, other) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
            for socket in [&one, &other] {
                rustix::net::sockopt::set_socket_send_buffer_size(socket, 1 << 20)?;
            }
            start(&mut crew, first, "packets", &[one.as_fd()])?;
            start(&mut crew, second, "packets", &[other.as_fd()])?;
        }
    }
    shape.measure(crew)
}

fn start(crew: &mut Crew, mut arguments: Vec<String>, kind: &str, descriptors: &[BorrowedFd<'_>]) -> Result<(), Trouble> {
    let inherited = descriptors.iter().map(|descriptor| Inherited::new(*descriptor)).collect::<Result<Vec<_>, _>>()?;
    arguments.push(kind.to_owned());
    arguments.extend(inherited.iter().map(Inherited::number));
    crew.role(ROLE, &arguments)
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let job = Job::enter(&mut arguments)?;
    let kind: String = member::next(&mut arguments, "kind")?;
    let number: String = member::next(&mut arguments, "descriptor")?;
    if kind == "packets" {
        return job.work(&mut Packets(member::taken(&number)?));
    }
    let output = member::taken(&number)?.into();
    let input = member::taken(&member::next::<String>(&mut arguments, "descriptor")?)?.into();
    job.work(&mut Framed { output, input, frame: Vec::new() })
}

struct Framed {
    output: File,
    input: File,
    frame: Vec<u8>,
}

impl Pipe for Framed {
    fn send(&mut self, message: &[u8]) -> Result<(), Trouble> {
        // Small messages in one call with their length, large ones without the copy.
        self.frame.clear();
        self.frame.extend_from_slice(&(message.len() as u64).to_le_bytes());
        if message.len() <= 16 << 10 {
            self.frame.extend_from_slice(message);
            return Ok(self.output.write_all(&self.frame)?);
        }
        self.output.write_all(&self.frame)?;
        Ok(self.output.write_all(message)?)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<(), Trouble> {
        let mut length = [0; 8];
        self.input.read_exact(&mut length)?;
        if u64::from_le_bytes(length) != buffer.len() as u64 {
            return Err(Trouble::failed("a frame of another length"));
        }
        Ok(self.input.read_exact(buffer)?)
    }
}

struct Packets(std::os::fd::OwnedFd);

impl Pipe for Packets {
    fn send(&mut self, message: &[u8]) -> Result<(), Trouble> {
        rustix::net::send(&self.0, message, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<(), Trouble> {
        let (_, got) = rustix::net::recv(&self.0, &mut *buffer, RecvFlags::empty())?;
        if got == buffer.len() { Ok(()) } else { Err(Trouble::failed(format!("a packet of {got} bytes"))) }
    }
}
