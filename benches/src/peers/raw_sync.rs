//! raw_sync's `Mutex` in a block of the shared_memory crate, opened by name in every process as their documentation shows.
#![allow(unsafe_code)]

use raw_sync::locks::{LockImpl, LockInit as _, Mutex};
use shared_memory::{Shmem, ShmemConf};

use crate::harness::shared::SharedPage;
use crate::harness::system::shared_name;
use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::lock::{Job, Section, Shape};

pub(crate) const ROLE: &str = "raw_sync";

/// One round: a fresh block with a fresh mutex, its processes.
pub(crate) fn round(shape: Shape, budget: Budget) -> Result<Sample, Trouble> {
    let block = ShmemConf::new().size(4096).os_id(shared_name("raw_sync")).create()?;
    // SAFETY: the block is live, page aligned and longer than the mutex; nobody uses it yet.
    let mutex = unsafe { Mutex::new(block.as_ptr(), block.as_ptr()) };
    let (mutex, _) = mutex.map_err(text)?;
    let page = SharedPage::new()?;
    let sample = shape.measure(ROLE, &[block.get_os_id().to_owned()], &page, budget);
    drop(mutex); // before the block that it points into
    sample
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let (job, page) = Job::enter(&mut arguments)?;
    let block: Shmem = ShmemConf::new().os_id(member::next::<String>(&mut arguments, "block")?).open()?;
    // SAFETY: the parent made the mutex in this block before it started this process; the block outlives it.
    let mutex = unsafe { Mutex::from_existing(block.as_ptr(), block.as_ptr()) };
    let (mutex, _) = mutex.map_err(text)?;
    job.work(&page, Held(mutex))
}

struct Held(Box<dyn LockImpl>);

impl Section for Held {
    #[inline]
    fn with(&mut self, inside: impl FnOnce()) -> Result<(), Trouble> {
        let guard = self.0.lock().map_err(text)?;
        inside();
        drop(guard);
        Ok(())
    }
}

/// Its errors are boxed strings.
fn text(error: impl std::fmt::Display) -> Trouble {
    Trouble::failed(format!("raw_sync: {error}"))
}
