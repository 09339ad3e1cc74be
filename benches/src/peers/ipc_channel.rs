//! ipc-channel: its bytes channel, one receiver. The consumer makes the channel and sends its sending end to each producer, which
//! is how that crate carries a channel to another process.

use ipc_channel::ipc::{IpcBytesSender, IpcOneShotServer, IpcSender, bytes_channel};

use crate::harness::crew::Crew;
use crate::harness::{Budget, Sample, Trouble, member, system};
use crate::scenarios::queue::{Job, Payload, Shape};

pub(crate) const ROLE: &str = "ipc-channel";

/// One round: producers first, each waiting for the sending end, then the consumer that hands it to them.
pub(crate) fn round(shape: Shape, budget: Budget) -> Result<Sample, Trouble> {
    let mut crew = Crew::new()?;
    let mut servers = Vec::new();
    for job in shape.jobs(budget) {
        let mut arguments = job.arguments();
        if job.produces {
            crew.role(ROLE, &arguments)?;
            servers.push(crew.hear("server")?);
        } else {
            arguments.append(&mut servers);
            crew.role(ROLE, &arguments)?;
        }
    }
    shape.measure(crew)
}

/// Descriptors that one channel holds in the process that made it.
pub(crate) fn descriptors() -> Result<Sample, Trouble> {
    let before = system::descriptors()?;
    let channel = bytes_channel()?;
    let after = system::descriptors()?;
    drop(channel);
    Ok(Sample::Amount((after - before) as f64))
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let job = Job::enter(&mut arguments)?;
    if job.produces {
        let (server, name) = IpcOneShotServer::<IpcBytesSender>::new()?;
        member::say(&format!("server {name}"))?;
        let (_, sender) = server.accept()?;
        let mut payload = Payload::new(job.size);
        return job.produce(1, |numbers| {
            for number in numbers {
                sender.send(payload.stamped(number))?;
            }
            Ok(())
        });
    }
    let (sender, receiver) = bytes_channel()?;
    for server in arguments {
        IpcSender::<IpcBytesSender>::connect(server.clone())?.send(sender.clone())?;
    }
    drop(sender);
    job.consume(|check, _| {
        check.see(&receiver.recv()?);
        Ok(())
    })
}
