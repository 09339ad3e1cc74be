//! polyproc's locks in a private fabric, by `acquire` and `release`; the counter lies outside the fabric, where the peers' lies too.

use polyproc_ipc::{Error, Fabric, Lock, RLock, RwLock, Semaphore, Ticket};

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
        Kind::RLock => measure("rlock", RLock::new(&fabric)?.ticket()),
        Kind::Semaphore => measure("semaphore", Semaphore::new(&fabric, 1)?.ticket()),
        Kind::Read => measure("read", RwLock::new(&fabric)?.ticket()),
        Kind::Write => measure("write", RwLock::new(&fabric)?.ticket()),
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
        "rlock" => {
            let lock = RLock::from_ticket(&ticket)?;
            job.work(&page, Held(|| lock.acquire(None).map(drop), || lock.release()))
        }
        "semaphore" => {
            let semaphore = Semaphore::from_ticket(&ticket)?;
            job.work(&page, Held(|| semaphore.acquire(None), || semaphore.release(1)))
        }
        "read" => {
            let lock = RwLock::from_ticket(&ticket)?;
            job.work(&page, Held(|| lock.acquire_read(None).map(drop), || lock.release_read()))
        }
        "write" => {
            let lock = RwLock::from_ticket(&ticket)?;
            job.work(&page, Held(|| lock.acquire_write(None).map(drop), || lock.release_write()))
        }
        _ => {
            let lock = Lock::from_ticket(&ticket)?;
            job.work(&page, Held(|| lock.acquire(None).map(drop), || lock.release()))
        }
    }
}

/// How the lock is acquired, and how released.
struct Held<A, R>(A, R);

impl<A: FnMut() -> Result<(), Error>, R: FnMut() -> Result<(), Error>> Section for Held<A, R> {
    #[inline]
    fn with(&mut self, inside: impl FnOnce()) -> Result<(), Trouble> {
        (self.0)()?;
        inside();
        (self.1)()?;
        Ok(())
    }
}
