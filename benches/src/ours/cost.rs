//! What polyproc's objects cost while nothing happens: memory behind the fabric, descriptors of the processes.

use polyproc::{BytesQueue, Fabric, Pool, Process, Queue};

use crate::harness::crew::{Crew, Inherited};
use crate::harness::member::{self, Report};
use crate::harness::{Sample, Trouble, system};

pub(crate) const ROLE: &str = "member";

/// Bytes of a private fabric that this process has joined and where nothing was made.
pub(crate) fn fabric_bytes() -> Result<Sample, Trouble> {
    let fabric = Fabric::new()?;
    fabric.member()?;
    Ok(Sample::Amount(system::resident(fabric.descriptor())? as f64))
}

/// Descriptors of the process that made and joined it.
pub(crate) fn fabric_descriptors() -> Result<Sample, Trouble> {
    let before = system::descriptors()?;
    let fabric = Fabric::new()?;
    fabric.member()?;
    let after = system::descriptors()?;
    Ok(Sample::Amount((after - before) as f64))
}

/// Bytes that a queue adds to a fabric, on average over 64: small objects share pages.
pub(crate) fn queue_bytes(capacity: usize) -> Result<Sample, Trouble> {
    let fabric = Fabric::new()?;
    fabric.member()?;
    let before = system::resident(fabric.descriptor())?;
    let queues = (0..QUEUES).map(|_| BytesQueue::new(&fabric, capacity)).collect::<Result<Vec<_>, _>>()?;
    let after = system::resident(fabric.descriptor())?;
    drop(queues);
    Ok(Sample::Amount((after - before) as f64 / f64::from(QUEUES)))
}

const QUEUES: u32 = 64;

/// Bytes that a queue has added to the fabric once `capacity` messages of `size` bytes were in it and were taken out again.
pub(crate) fn used_queue_bytes(capacity: usize, size: usize) -> Result<Sample, Trouble> {
    let fabric = Fabric::new()?;
    let queue = BytesQueue::new(&fabric, capacity)?;
    let before = system::resident(fabric.descriptor())?;
    let message = vec![0x5a; size];
    for _ in 0..capacity {
        queue.try_put(&message)?;
    }
    for _ in 0..capacity {
        queue.try_get()?;
    }
    let after = system::resident(fabric.descriptor())?;
    Ok(Sample::Amount((after - before) as f64))
}

/// Descriptors that a queue adds.
pub(crate) fn queue_descriptors() -> Result<Sample, Trouble> {
    let fabric = Fabric::new()?;
    fabric.member()?;
    let before = system::descriptors()?;
    let queue = BytesQueue::new(&fabric, 1024)?;
    let after = system::descriptors()?;
    drop(queue);
    Ok(Sample::Amount((after - before) as f64))
}

/// What another process that joins adds to the fabric.
pub(crate) fn member_bytes() -> Result<Sample, Trouble> {
    member().map(|(bytes, _)| Sample::Amount(bytes as f64))
}

/// Descriptors that joining costs the process that joins, not counting the one it inherited.
pub(crate) fn member_descriptors() -> Result<Sample, Trouble> {
    member().map(|(_, descriptors)| Sample::Amount(descriptors as f64))
}

fn member() -> Result<(u64, u64), Trouble> {
    let fabric = Fabric::new()?;
    fabric.member()?;
    let before = system::resident(fabric.descriptor())?;
    let descriptor = Inherited::new(fabric.descriptor())?;
    let mut crew = Crew::new()?;
    crew.role(ROLE, &[descriptor.number()])?;
    drop(descriptor);
    crew.hear("joined")?;
    let after = system::resident(fabric.descriptor())?;
    let reports = crew.run()?;
    Ok((after - before, reports[0].count))
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    member::enter(None)?;
    let mut arguments = arguments.iter();
    let inherited: String = member::next(&mut arguments, "fabric")?;
    let before = system::descriptors()?;
    let fabric = Fabric::attach(member::inherited(&inherited)?.into())?;
    fabric.member()?;
    let after = system::descriptors()?;
    member::say("joined")?;
    let start = member::start()?;
    member::done(Report { start, end: member::now(), count: (after - before) as u64, sum: 0 })
}

/// What a child says of itself.
#[polyproc::task]
fn own_descriptors() -> u64 {
    system::descriptors().map_or(0, |count| count as u64)
}

/// The same for a process that has no pool to answer through.
#[polyproc::task]
fn report_descriptors(answer: Queue<u64>) {
    // A lost answer is seen by the parent, which waits for the end of this process.
    let _ = answer.put(&own_descriptors());
}

/// Descriptors open in a child `Process` while it runs its task.
pub(crate) fn process_descriptors() -> Result<Sample, Trouble> {
    let answer = Queue::new(&Fabric::current()?, 0)?;
    let process = Process::spawn(report_descriptors, (answer.clone(),))?;
    process.join()?;
    child_count(answer.try_get()?)
}

/// Descriptors open in a worker of a pool while it runs a task.
pub(crate) fn worker_descriptors() -> Result<Sample, Trouble> {
    child_count(Pool::new(2)?.apply(own_descriptors, ())?)
}

fn child_count(count: u64) -> Result<Sample, Trouble> {
    if count == 0 {
        return Err(Trouble::failed("the child could not list its descriptors"));
    }
    Ok(Sample::Amount(count as f64))
}
