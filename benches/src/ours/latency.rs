//! polyproc's `BytesQueue`, one for each way, in a private fabric.

use polyproc_ipc::{BytesQueue, ErrorKind, Fabric, Ticket};

use crate::harness::crew::Inherited;
use crate::harness::shared::SharedPage;
use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::latency::{Courier, Job, Shape};

pub(crate) const ROLE: &str = "latency";

#[derive(Clone, Copy)]
pub(crate) enum Style {
    Polling,
    Waiting,
}

/// One round: a fresh fabric with two queues, both processes.
pub(crate) fn round(shape: Shape, style: Style, budget: Budget) -> Result<Sample, Trouble> {
    let fabric = Fabric::new()?;
    let (there, back) = (BytesQueue::new(&fabric, 16)?, BytesQueue::new(&fabric, 16)?);
    let descriptor = Inherited::new(fabric.descriptor())?;
    let style = if matches!(style, Style::Polling) { "polling" } else { "waiting" };
    shape.measure(ROLE, &[style.to_owned(), descriptor.number(), there.ticket().to_string(), back.ticket().to_string()], &SharedPage::new()?, budget)
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let (job, page) = Job::enter(&mut arguments)?;
    let polling = member::next::<String>(&mut arguments, "style")? == "polling";
    // The tickets lead to a fabric that this process has attached.
    let _fabric = Fabric::attach(member::inherited(&member::next::<String>(&mut arguments, "fabric")?)?.into())?;
    let mut queue = || -> Result<BytesQueue, Trouble> { Ok(BytesQueue::from_ticket(&member::next::<Ticket>(&mut arguments, "ticket")?)?) };
    let (there, back) = (queue()?, queue()?);
    let (output, input) = if job.side == 0 { (there, back) } else { (back, there) };
    job.work(&page, &mut Queues { output, input, polling })
}

struct Queues {
    output: BytesQueue,
    input: BytesQueue,
    polling: bool,
}

impl Courier for Queues {
    fn send(&mut self, message: [u64; 2]) -> Result<(), Trouble> {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&message[0].to_le_bytes());
        bytes[8..].copy_from_slice(&message[1].to_le_bytes());
        Ok(self.output.put(&bytes)?)
    }

    fn receive(&mut self) -> Result<[u64; 2], Trouble> {
        let message = loop {
            if !self.polling {
                break self.input.get()?;
            }
            match self.input.try_get() {
                Err(error) if error.kind() == ErrorKind::Empty => std::hint::spin_loop(),
                other => break other?,
            }
        };
        let (Some(first), Some(last)) = (message.first_chunk(), message.last_chunk()) else { return Err(Trouble::failed("a short message")) };
        Ok([u64::from_le_bytes(*first), u64::from_le_bytes(*last)])
    }
}
