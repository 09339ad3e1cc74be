//! dashmap in one process, its users threads: what could be had if nothing were shared between processes.

use ::dashmap::DashMap;

use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::dict::{Job, Map, Shape, fill};

/// The map, filled at the first round.
pub(crate) struct Side(Option<DashMap<Vec<u8>, Vec<u8>>>);

impl Side {
    pub(crate) fn new() -> Side {
        Side(None)
    }

    pub(crate) fn round(&mut self, shape: Shape, budget: Budget) -> Result<Sample, Trouble> {
        if self.0.is_none() {
            let map = DashMap::new();
            fill(&mut Shared(&map), shape)?;
            self.0 = Some(map);
        }
        let Some(map) = &self.0 else { return Err(Trouble::failed("no map")) };
        let start = member::now();
        let reports = std::thread::scope(|scope| {
            let threads: Vec<_> = shape
                .jobs(budget)
                .into_iter()
                // A thread's failure is a text: `Trouble` need not cross threads.
                .map(|arguments| {
                    scope.spawn(move || {
                        Job::parse(&mut arguments.iter()).and_then(|job| job.run(&mut Shared(map), start)).map_err(|trouble| trouble.to_string())
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().map_err(|_| "a thread panicked".to_owned()).and_then(|report| report))
                .collect::<Result<Vec<_>, String>>()
        });
        Ok(shape.sample(&reports.map_err(Trouble::failed)?))
    }
}

struct Shared<'a>(&'a DashMap<Vec<u8>, Vec<u8>>);

impl Map for Shared<'_> {
    fn get(&mut self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, Trouble> {
        let found = self.0.get(key);
        if let Some(value) = &found {
            out.extend_from_slice(value);
        }
        Ok(found.is_some())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Trouble> {
        match self.0.get_mut(key) {
            Some(mut old) => old.copy_from_slice(value),
            None => drop(self.0.insert(key.to_vec(), value.to_vec())),
        }
        Ok(())
    }
}
