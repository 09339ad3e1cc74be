//! polyproc's `Event`, one for each way, and its `Condition`, in a private fabric.

use std::sync::atomic::Ordering;

use polyproc_ipc::{Condition, Event, Fabric, Ticket};

use crate::harness::crew::Inherited;
use crate::harness::shared::SharedPage;
use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::wake::{Job, Turns, measure};

pub(crate) const ROLE: &str = "wake";

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Event,
    Condition,
}

/// One round: a fresh fabric with two events or one condition, both processes.
pub(crate) fn round(kind: Kind, budget: Budget) -> Result<Sample, Trouble> {
    let fabric = Fabric::new()?;
    let page = SharedPage::new()?;
    let descriptor = Inherited::new(fabric.descriptor())?;
    let tickets = match kind {
        Kind::Event => vec![Event::new(&fabric)?.ticket(), Event::new(&fabric)?.ticket()],
        Kind::Condition => vec![Condition::new(&fabric)?.ticket()],
    };
    let mut arguments = vec![descriptor.number()];
    arguments.extend(tickets.iter().map(Ticket::to_string));
    measure(ROLE, &arguments, &page, budget)
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let (job, page) = Job::enter(&mut arguments)?;
    // The tickets lead to a fabric that this process has attached.
    let _fabric = Fabric::attach(member::inherited(&member::next::<String>(&mut arguments, "fabric")?)?.into())?;
    let first: Ticket = member::next(&mut arguments, "ticket")?;
    if arguments.len() == 0 {
        return job.work(&page, &mut Conditioned(Condition::from_ticket(&first)?));
    }
    let second: Ticket = member::next(&mut arguments, "ticket")?;
    let events = [Event::from_ticket(&first)?, Event::from_ticket(&second)?];
    job.work(&page, &mut Pair { events, side: job.side as usize })
}

struct Pair {
    events: [Event; 2],
    side: usize,
}

impl Turns for Pair {
    fn wait(&mut self, page: &SharedPage, turn: u64) -> Result<(), Trouble> {
        while page.counter().load(Ordering::Acquire) < turn {
            self.events[self.side].wait(None)?;
            self.events[self.side].clear()?;
        }
        Ok(())
    }

    fn pass(&mut self, page: &SharedPage, turn: u64) -> Result<(), Trouble> {
        page.counter().store(turn, Ordering::Release);
        self.events[1 - self.side].set()?;
        Ok(())
    }
}

struct Conditioned(Condition);

impl Turns for Conditioned {
    fn wait(&mut self, page: &SharedPage, turn: u64) -> Result<(), Trouble> {
        self.0.acquire(None)?;
        let waited = self.0.wait_for(|| page.counter().load(Ordering::Relaxed) >= turn, None)?;
        self.0.release()?;
        if waited.happened { Ok(()) } else { Err(Trouble::failed("the other process died")) }
    }

    fn pass(&mut self, page: &SharedPage, turn: u64) -> Result<(), Trouble> {
        self.0.acquire(None)?;
        page.counter().store(turn, Ordering::Relaxed);
        self.0.notify(1)?;
        self.0.release()?;
        Ok(())
    }
}
