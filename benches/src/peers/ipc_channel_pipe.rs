//! ipc-channel as a pipe: a bytes channel there and one back, their ends exchanged as that crate does it.

use ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcSender, bytes_channel};

use crate::harness::crew::Crew;
use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::pipe::{Job, Pipe, Shape};

pub(crate) const ROLE: &str = "ipc-channel-pipe";

/// What the second side hands to the first: where to send, and where answers come from.
type Ends = (IpcBytesSender, IpcBytesReceiver);

pub(crate) fn round(shape: Shape, budget: Budget) -> Result<Sample, Trouble> {
    let [first, mut second] = shape.jobs(budget);
    let mut crew = Crew::new()?;
    crew.role(ROLE, &first)?;
    second.push(crew.hear("server")?);
    crew.role(ROLE, &second)?;
    shape.measure(crew)
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let job = Job::enter(&mut arguments)?;
    let mut side = if job.first {
        let (server, name) = IpcOneShotServer::<Ends>::new()?;
        member::say(&format!("server {name}"))?;
        let (_, (sender, receiver)) = server.accept()?;
        Side { sender, receiver }
    } else {
        let ((there, receiver), (sender, back)) = (bytes_channel()?, bytes_channel()?);
        IpcSender::<Ends>::connect(member::next(&mut arguments, "server")?)?.send((there, back))?;
        Side { sender, receiver }
    };
    job.work(&mut side)
}

struct Side {
    sender: IpcBytesSender,
    receiver: IpcBytesReceiver,
}

impl Pipe for Side {
    fn send(&mut self, message: &[u8]) -> Result<(), Trouble> {
        Ok(self.sender.send(message)?)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<(), Trouble> {
        let message = self.receiver.recv()?;
        if message.len() != buffer.len() {
            return Err(Trouble::failed(format!("a message of {} bytes", message.len())));
        }
        // Theirs is a vector already; the loop looks at its two ends in the buffer.
        let end = buffer.len() - 8;
        buffer[..8].copy_from_slice(&message[..8]);
        buffer[end..].copy_from_slice(&message[end..]);
        Ok(())
    }
}
