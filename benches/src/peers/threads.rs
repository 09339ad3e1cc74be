//! Mutexes that know one process only, their users threads: what could be had if nothing were shared between processes.

use std::sync::PoisonError;

use crate::harness::shared::SharedPage;
use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::lock::{Job, Section, Shape};

/// A mutex under test.
pub(crate) trait Mutex: Sync {
    fn with(&self, inside: impl FnOnce());
}

#[derive(Default)]
pub(crate) struct Std(std::sync::Mutex<()>);

impl Mutex for Std {
    fn with(&self, inside: impl FnOnce()) {
        let _held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inside();
    }
}

#[derive(Default)]
pub(crate) struct ParkingLot(parking_lot::Mutex<()>);

impl Mutex for ParkingLot {
    fn with(&self, inside: impl FnOnce()) {
        let _held = self.0.lock();
        inside();
    }
}

/// One round: a thread where other subjects have a process.
pub(crate) fn round(shape: Shape, mutex: &impl Mutex, budget: Budget) -> Result<Sample, Trouble> {
    let page = SharedPage::new()?;
    let start = member::now();
    let reports = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..shape.processes())
            .map(|number| {
                let (arguments, page) = (shape.job(number, budget), &page);
                // A thread's failure is a text: `Trouble` need not cross threads.
                scope.spawn(move || {
                    let work = || {
                        let job = Job::parse(&mut arguments.iter())?;
                        job.pin()?;
                        job.run(page, &mut Held(mutex), start)
                    };
                    work().map_err(|trouble: Trouble| trouble.to_string())
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a thread panicked".to_owned()).and_then(|report| report))
            .collect::<Result<Vec<_>, String>>()
    });
    shape.sample(&reports.map_err(Trouble::failed)?, &page)
}

struct Held<'a, M>(&'a M);

impl<M: Mutex> Section for Held<'_, M> {
    #[inline]
    fn with(&mut self, inside: impl FnOnce()) -> Result<(), Trouble> {
        self.0.with(inside);
        Ok(())
    }
}
