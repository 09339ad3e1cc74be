//! polyproc's `Lock` in a private fabric, by `acquire` and `release`; the counter lies outside the fabric, where the peers' lies too.

use polyproc_ipc::{Fabric, Lock, Ticket};

use crate::harness::crew::Inherited;
use crate::harness::shared::SharedPage;
use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::lock::{Job, Section, Shape};

pub(crate) const ROLE: &str = "lock";

/// One round: a fresh fabric with one lock, its processes.
pub(crate) fn round(shape: Shape, budget: Budget) -> Result<Sample, Trouble> {
    let fabric = Fabric::new()?;
    let lock = Lock::new(&fabric)?;
    let page = SharedPage::new()?;
    let descriptor = Inherited::new(fabric.descriptor())?;
    shape.measure(ROLE, &[descriptor.number(), lock.ticket().to_string()], &page, budget)
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let (job, page) = Job::enter(&mut arguments)?;
    // The ticket leads to a fabric that this process has attached.
    let _fabric = Fabric::attach(member::inherited(&member::next::<String>(&mut arguments, "fabric")?)?.into())?;
    let ticket: Ticket = member::next(&mut arguments, "ticket")?;
    job.work(&page, Held(Lock::from_ticket(&ticket)?))
}

struct Held(Lock);

impl Section for Held {
    #[inline]
    fn with(&mut self, inside: impl FnOnce()) -> Result<(), Trouble> {
        self.0.acquire(None)?;
        inside();
        self.0.release()?;
        Ok(())
    }
}
