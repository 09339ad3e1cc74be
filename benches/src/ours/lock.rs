//! polyproc's locks in a private fabric, by `acquire` and `release`; the counter lies outside the fabric, where the peers' lies too.

use polyproc_ipc::{Fabric, Lock, Ticket};

use crate::harness::crew::Inherited;
use crate::harness::shared::SharedPage;
use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::lock::{Job, Section, Shape};

pub(crate) const ROLE: &str = "lock";

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Lock,
    RLock,
    Semaphore,
    Read,
    Write,
}

/// One round: a fresh fabric with one lock, its processes.
pub(crate) fn round(shape: Shape, kind: Kind, budget: Budget) -> Result<Sample, Trouble> {
    let fabric = Fabric::new()?;
    let page = SharedPage::new()?;
    let descriptor = Inherited::new(fabric.descriptor())?;
    let measure = |name: &str, ticket: Ticket| shape.measure(ROLE, &[name.to_owned(), descriptor.number(), ticket.to_string()], &page, budget);
    match kind {
        Kind::Lock => measure("lock", Lock::new(&fabric)?.ticket()),
        _ => Err(Trouble::failed("later")),
    }
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let (job, page) = Job::enter(&mut arguments)?;
    let name: String = member::next(&mut arguments, "kind")?;
    // The ticket leads to a fabric that this process has attached.
    let _fabric = Fabric::attach(member::inherited(&member::next::<String>(&mut arguments, "fabric")?)?.into())?;
    let ticket: Ticket = member::next(&mut arguments, "ticket")?;
    match name.as_str() {
        _ => job.work(&page, Held(Lock::from_ticket(&ticket)?)),
    }
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
