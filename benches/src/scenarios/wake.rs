//! Two processes that wake each other in turn. This file defines the loop and its check, the same for every subject; it does not know how one is woken.

use std::sync::atomic::Ordering;

use crate::harness::crew::{Crew, Inherited};
use crate::harness::member::{self, Report};
use crate::harness::shared::SharedPage;
use crate::harness::{Budget, Sample, Scenario, Trouble, Unit};
use crate::ours::wake as ours;
use crate::peers::{heavy, pthread_cond, raw_sync_event};

const ROUND: &str = "Two processes, each pinned to a CPU, take turns: one adds 1 to a counter in shared memory and wakes the other, which does the same. Microseconds for there and back. \
Events are a pair, one for each way, cleared by who waited; conditions are one, with the counter as what is waited for.";

pub(crate) fn scenarios() -> Vec<Scenario> {
    let each = Unit::Each("us", 1e-6);
    vec![
        heavy::for_event(
            Scenario::new("wake/event", "", each, ROUND)
                .ours("Event", FIRST, |budget| ours::round(ours::Kind::Event, budget))
                .peer("raw_sync Event", FIRST, raw_sync_event::round)
                .peer("pthread cond pshared", FIRST, pthread_cond::round),
        ),
        Scenario::new("wake/condition", "", each, ROUND).ours("Condition", FIRST, |budget| ours::round(ours::Kind::Condition, budget)).peer(
            "pthread cond pshared",
            FIRST,
            pthread_cond::round,
        ),
    ]
}

const FIRST: u64 = 3_000;

/// Starts both processes in `role`, each with its job, the counter's page and the subject's own arguments, and checks the counter.
pub(crate) fn measure(role: &str, own: &[String], page: &SharedPage, budget: Budget) -> Result<Sample, Trouble> {
    let descriptor = Inherited::new(page.descriptor())?;
    let mut crew = Crew::new()?;
    for side in 0..2 {
        let mut arguments = vec![side.to_string(), budget.operations.to_string(), descriptor.number()];
        arguments.extend_from_slice(own);
        crew.role(role, &arguments)?;
    }
    drop(descriptor);
    let reports = crew.run()?;
    let counter = page.counter().load(Ordering::SeqCst);
    if counter != 2 * budget.operations {
        return Err(Trouble::failed(format!("the counter is {counter} after {} turns", 2 * budget.operations)));
    }
    Ok(Report::sample(&reports, &reports[..1]))
}

/// What a subject must offer: it is called in turn, and `turn` counts from 0 over both sides.
pub(crate) trait Turns {
    /// Waits until the counter says `turn`.
    fn wait(&mut self, page: &SharedPage, turn: u64) -> Result<(), Trouble>;
    /// Makes the counter `turn` and wakes the other.
    fn pass(&mut self, page: &SharedPage, turn: u64) -> Result<(), Trouble>;
}

/// One side's part of a round.
pub(crate) struct Job {
    pub(crate) side: u64,
    count: u64,
}

impl Job {
    /// Takes the arguments back and enters the role; the subject's own arguments are left.
    pub(crate) fn enter(arguments: &mut std::slice::Iter<'_, String>) -> Result<(Job, SharedPage), Trouble> {
        let job = Job { side: member::next(arguments, "side")?, count: member::next(arguments, "count")? };
        let page = SharedPage::open(member::inherited(&member::next::<String>(arguments, "page")?)?)?;
        member::enter(Some(job.side as usize))?;
        Ok((job, page))
    }

    pub(crate) fn work(&self, page: &SharedPage, subject: &mut impl Turns) -> Result<(), Trouble> {
        let start = member::start()?;
        for round in 0..self.count {
            let mine = 2 * round + self.side;
            if mine > 0 {
                subject.wait(page, mine)?;
            }
            if page.counter().load(Ordering::Acquire) != mine {
                return Err(Trouble::failed(format!("woken for turn {mine} at another")));
            }
            subject.pass(page, mine + 1)?;
        }
        if self.side == 0 {
            subject.wait(page, 2 * self.count)?;
        }
        member::done(Report { start, end: member::now(), count: self.count, sum: 0 })
    }
}
