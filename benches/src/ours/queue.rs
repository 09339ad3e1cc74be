//! polyproc's `BytesQueue` in a private fabric: one by one, in batches of 16, and built in place.

use polyproc_ipc::{BytesQueue, Error, Fabric, Ticket};

use crate::harness::crew::{Crew, Inherited};
use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::queue::{Job, Payload, Shape, stamp};

pub(crate) const ROLE: &str = "queue";
const BATCH: usize = 16;

#[derive(Clone, Copy)]
pub(crate) enum Style {
    One,
    Many,
    Loan,
}

/// One round: a fresh fabric with one queue, its producers and consumers.
pub(crate) fn round(shape: Shape, style: Style, budget: Budget) -> Result<Sample, Trouble> {
    let fabric = Fabric::new()?;
    let queue = BytesQueue::new(&fabric, shape.capacity())?;
    let descriptor = Inherited::new(fabric.descriptor())?;
    let mut crew = Crew::new()?;
    for job in shape.jobs(budget) {
        let mut arguments = job.arguments();
        let style = match style {
            Style::One => "one",
            Style::Many => "many",
            Style::Loan => "loan",
        };
        arguments.extend([style.to_owned(), descriptor.number(), queue.ticket().to_string()]);
        crew.role(ROLE, &arguments)?;
    }
    drop(descriptor);
    shape.measure(crew)
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let job = Job::enter(&mut arguments)?;
    let style: String = member::next(&mut arguments, "style")?;
    // The ticket leads to a fabric that this process has attached.
    let _fabric = Fabric::attach(member::inherited(&member::next::<String>(&mut arguments, "fabric")?)?.into())?;
    let ticket: Ticket = member::next(&mut arguments, "ticket")?;
    let queue = BytesQueue::from_ticket(&ticket)?;
    match (job.produces, style.as_str()) {
        (true, "one") => put(&job, &queue),
        (true, "many") => put_many(&job, &queue),
        (true, _) => put_loan(&job, &queue),
        (false, "many") => job.consume(|check, wanted| {
            for message in queue.get_many(BATCH.min(wanted as usize))? {
                check.see(&message);
            }
            Ok(())
        }),
        (false, _) => job.consume(|check, _| {
            check.see(&queue.get()?);
            Ok(())
        }),
    }
}

fn put(job: &Job, queue: &BytesQueue) -> Result<(), Trouble> {
    let mut payload = Payload::new(job.size);
    job.produce(1, |numbers| {
        for number in numbers {
            queue.put(payload.stamped(number))?;
        }
        Ok(())
    })
}

fn put_many(job: &Job, queue: &BytesQueue) -> Result<(), Trouble> {
    let mut payloads: Vec<Payload> = (0..BATCH).map(|_| Payload::new(job.size)).collect();
    job.produce(BATCH as u64, |numbers| {
        let mut batch: [&[u8]; BATCH] = [&[]; BATCH];
        let mut filled = 0;
        for (number, payload) in numbers.zip(&mut payloads) {
            batch[filled] = payload.stamped(number);
            filled += 1;
        }
        let taken = queue.put_many(&batch[..filled])?;
        if taken == filled { Ok(()) } else { Err(Trouble::failed(format!("put_many took {taken} of {filled}"))) }
    })
}

fn put_loan(job: &Job, queue: &BytesQueue) -> Result<(), Trouble> {
    job.produce(1, |numbers| {
        for number in numbers {
            let mut loan = queue.loan(job.size)?;
            stamp(&mut loan, number);
            queue.put_loan(loan).map_err(Error::from)?;
        }
        Ok(())
    })
}
