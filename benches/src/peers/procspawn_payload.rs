//! procspawn's pool with large arguments and results: vectors, that its codec takes byte by byte, and its own `Shmem`, that travels as a descriptor.

use std::collections::VecDeque;

use procspawn::serde::{Shmem, with_ipc_mode};
use procspawn::{JoinHandle, Pool};

use crate::harness::{Sample, Trouble};
use crate::scenarios::payload::{Run, WINDOW, add_one, add_up};
use crate::scenarios::pool::WORKERS;

/// Vectors. Not more under way than workers: `spawn` sends the argument, and the worker that should receive it waits until its last result is joined.
pub(crate) fn vectors(run: &Run) -> Result<Sample, Trouble> {
    let pool = Pool::new(WORKERS)?;
    if run.out {
        let change = |mut payload: Vec<u8>| {
            add_one(&mut payload);
            payload
        };
        run.measure(|count| pass(run, count, WORKERS, |number| pool.spawn(run.payload(number), change), |back| add_up(&back)))
    } else {
        run.measure(|count| pass(run, count, WORKERS, |number| pool.spawn(run.payload(number), |payload| add_up(&payload)), |sum| sum))
    }
}

/// Shared memory, made of a vector. Without the mode, in which `Pool::spawn` does not send its argument, `Shmem` would be bytes on one side and a descriptor on the other.
pub(crate) fn shared(run: &Run) -> Result<Sample, Trouble> {
    let pool = Pool::new(WORKERS)?;
    let payload = |number| Shmem::from_bytes(&run.payload(number));
    if run.out {
        let change = |payload: Shmem| {
            let mut bytes = payload.to_vec();
            add_one(&mut bytes);
            Shmem::from_bytes(&bytes)
        };
        run.measure(|count| pass(run, count, WINDOW, |number| with_ipc_mode(|| pool.spawn(payload(number), change)), |back| add_up(&back)))
    } else {
        run.measure(|count| pass(run, count, WINDOW, |number| with_ipc_mode(|| pool.spawn(payload(number), |payload| add_up(&payload))), |sum| sum))
    }
}

fn pass<R>(run: &Run, count: u64, window: usize, spawn: impl Fn(u64) -> JoinHandle<R>, sum: impl Fn(R) -> u64) -> Result<(), Trouble>
where
    R: serde::Serialize + serde::de::DeserializeOwned,
{
    let mut under_way = VecDeque::new();
    let mut next = 0..count;
    loop {
        while under_way.len() < window
            && let Some(number) = next.next()
        {
            under_way.push_back((number, spawn(number)));
        }
        let Some((number, handle)) = under_way.pop_front() else { return Ok(()) };
        run.check(number, sum(handle.join()?))?;
    }
}
