//! polyproc's `Pool` with large arguments and results. A new type that carries them is two tasks, one `impl`, and one line in `scenarios/payload.rs`.

use std::ops::Deref;

use polyproc::{Block, Pool, Task};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::harness::{Sample, Trouble};
use crate::scenarios::payload::{Run, add_one, add_up};
use crate::scenarios::pool::WORKERS;

/// A type that carries a payload.
pub(crate) trait Payload: From<Vec<u8>> + Deref<Target = [u8]> + Serialize + DeserializeOwned + 'static {
    const IN: Task<fn(Self) -> u64>;
    const IN_AND_OUT: Task<fn(Self) -> Self>;
}

impl Payload for Vec<u8> {
    const IN: Task<fn(Self) -> u64> = take_vec;
    const IN_AND_OUT: Task<fn(Self) -> Self> = change_vec;
}

impl Payload for Block<u8> {
    const IN: Task<fn(Self) -> u64> = take_block;
    const IN_AND_OUT: Task<fn(Self) -> Self> = change_block;
}

#[polyproc::task]
fn take_block(payload: Block<u8>) -> u64 {
    add_up(&payload)
}

#[polyproc::task]
fn change_block(mut payload: Block<u8>) -> Block<u8> {
    add_one(&mut payload);
    payload
}

#[polyproc::task]
fn take_vec(payload: Vec<u8>) -> u64 {
    add_up(&payload)
}

#[polyproc::task]
fn change_vec(mut payload: Vec<u8>) -> Vec<u8> {
    add_one(&mut payload);
    payload
}

/// Payloads in the order of their numbers, made as the window takes them.
pub(crate) fn round<P: Payload>(run: &Run) -> Result<Sample, Trouble> {
    let pool = Pool::new(WORKERS)?;
    run.measure(|count| {
        let payloads = (0..count).map(|number| P::from(run.payload(number)));
        if run.out {
            for (number, back) in (0..).zip(pool.imap(P::IN_AND_OUT, payloads)?) {
                run.check(number, add_up(&back?))?;
            }
        } else {
            for (number, sum) in (0..).zip(pool.imap(P::IN, payloads)?) {
                run.check(number, sum?)?;
            }
        }
        Ok(())
    })
}
