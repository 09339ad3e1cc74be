//! raw_sync's `Event`, one for each way, in a block of the shared_memory crate, opened by name in both processes as their documentation shows.
#![allow(unsafe_code)]

use std::sync::atomic::Ordering;

use raw_sync::Timeout;
use raw_sync::events::{Event, EventImpl, EventInit as _, EventState};
use shared_memory::{Shmem, ShmemConf};

use crate::harness::shared::SharedPage;
use crate::harness::system::shared_name;
use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::wake::{Job, Turns, measure};

pub(crate) const ROLE: &str = "raw-sync-event";
/// Where each of the two events stands in the block.
const PLACES: [usize; 2] = [0, 1024];

pub(crate) fn round(budget: Budget) -> Result<Sample, Trouble> {
    let block = ShmemConf::new().size(4096).os_id(shared_name("raw_sync")).create()?;
    let mut events = Vec::new();
    for place in PLACES {
        // SAFETY: the block is live, page aligned and long enough for an event at each place; nobody uses it yet.
        events.push(unsafe { Event::new(block.as_ptr().add(place), true) }.map_err(text)?.0);
    }
    let page = SharedPage::new()?;
    let sample = measure(ROLE, &[block.get_os_id().to_owned()], &page, budget);
    drop(events); // before the block that they point into
    sample
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let (job, page) = Job::enter(&mut arguments)?;
    let block: Shmem = ShmemConf::new().os_id(member::next::<String>(&mut arguments, "block")?).open()?;
    let mut events = Vec::new();
    for place in PLACES {
        // SAFETY: the parent made an event at each place before it started this process; the block outlives them.
        events.push(unsafe { Event::from_existing(block.as_ptr().add(place)) }.map_err(text)?.0);
    }
    let done = job.work(&page, &mut Pair { events: &events, side: job.side as usize });
    drop(events);
    done
}

struct Pair<'a> {
    events: &'a [Box<dyn EventImpl>],
    side: usize,
}

impl Turns for Pair<'_> {
    fn wait(&mut self, page: &SharedPage, turn: u64) -> Result<(), Trouble> {
        while page.counter().load(Ordering::Acquire) < turn {
            self.events[self.side].wait(Timeout::Infinite).map_err(text)?;
        }
        Ok(())
    }

    fn pass(&mut self, page: &SharedPage, turn: u64) -> Result<(), Trouble> {
        page.counter().store(turn, Ordering::Release);
        self.events[1 - self.side].set(EventState::Signaled).map_err(text)
    }
}

/// Its errors are boxed strings.
fn text(error: impl std::fmt::Display) -> Trouble {
    Trouble::failed(format!("raw_sync: {error}"))
}
