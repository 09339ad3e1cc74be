//! Which processors workers run on, and how many threads numeric libraries start in them.
//!
//! A set is given to the thread that starts a worker, for that moment: so the worker has it from its first instruction on. Must not know what workers do.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::error::{Error, ErrorKind, Result};

/// By these, numeric libraries are told how many threads to start.
const THREAD_VARIABLES: [&str; 9] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "POLARS_MAX_THREADS",
];

/// The variables for workers that may have so many threads each; those that are set in this process stay as they are, unless the number was `given`.
pub(super) fn thread_variables(threads: usize, given: bool) -> Vec<(String, String)> {
    let wanted = THREAD_VARIABLES.into_iter().filter(|name| given || std::env::var_os(name).is_none());
    wanted.map(|name| (name.into(), threads.to_string())).collect()
}

/// One set for each processor that this thread may run on.
pub(super) fn one_each() -> Result<Vec<CpuSet>> {
    let all = allowed()?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| all.is_set(cpu)).map(|cpu| set_of(&[cpu])).collect())
}

/// These sets, checked: none is empty, and of each this thread may use at least one processor.
pub(super) fn checked(lists: &[Vec<usize>]) -> Result<Vec<CpuSet>> {
    if lists.is_empty() {
        return Err(Error::argument("workers cannot be pinned to no processors: give at least one set"));
    }
    let all = allowed()?;
    for list in lists {
        if !list.iter().any(|&cpu| cpu < CpuSet::MAX_CPU && all.is_set(cpu)) {
            return Err(Error::argument(format!("workers cannot be pinned to processors {list:?}: this process may use none of them, but {all:?}")));
        }
    }
    Ok(lists.iter().map(|list| set_of(list)).collect())
}

/// While it lives, this thread runs on these processors, and what it starts does so for good.
#[derive(Debug)]
pub(super) struct Pinned {
    before: CpuSet,
}

impl Pinned {
    /// The set of the worker in this place; `None` if there are no sets.
    pub(super) fn to(sets: &[CpuSet], place: u32) -> Result<Option<Pinned>> {
        let Some(set) = sets.get(place as usize % sets.len().max(1)) else { return Ok(None) };
        let before = allowed()?;
        sched_setaffinity(None, set).map_err(|errno| {
            let source = polyproc_ipc::Error::os(errno, "sched_setaffinity");
            Error::because(ErrorKind::SpawnFailed, format!("a worker cannot be pinned to {set:?}"), source)
        })?;
        Ok(Some(Pinned { before }))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // It was allowed a moment ago. If it no longer is, the system has given this thread other processors, which stay.
        let _ = sched_setaffinity(None, &self.before);
    }
}

fn allowed() -> Result<CpuSet> {
    sched_getaffinity(None).map_err(|errno| Error::os(errno, "asking which processors this process may use"))
}

fn set_of(cpus: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    cpus.iter().filter(|&&cpu| cpu < CpuSet::MAX_CPU).for_each(|&cpu| set.set(cpu));
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_ends_with_its_guard() {
        let before = allowed().unwrap();
        let sets = one_each().unwrap();
        assert_eq!(sets.len(), before.count() as usize);
        for place in 0..2 * sets.len() as u32 {
            let pinned = Pinned::to(&sets, place).unwrap();
            assert_eq!(allowed().unwrap(), sets[place as usize % sets.len()]);
            drop(pinned);
            assert_eq!(allowed().unwrap(), before);
        }
        assert!(Pinned::to(&[], 3).unwrap().is_none());
    }

    #[test]
    fn sets_that_cannot_be_used_are_refused() {
        let first = (0..CpuSet::MAX_CPU).find(|&cpu| allowed().unwrap().is_set(cpu)).unwrap();
        assert!(checked(&[]).is_err() && checked(&[vec![]]).is_err() && checked(&[vec![first], vec![9999]]).is_err());
        assert_eq!(checked(&[vec![first, 9999]]).unwrap()[0].count(), 1);
    }
}
