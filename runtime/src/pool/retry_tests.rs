//! Tests of retries at one instant that no timing can hit: the worker is killed behind the record of a failed call, before its next *begin*. The record has
//! led to the next attempt by then, and the death must not lead to it once more.

use polyproc_ipc::{Fabric, Queue};

use super::worker::tests::die_behind_record;
use super::{Options, Pool, Retry};
use crate::task;

/// Fails in its first attempt, and takes its worker with it when that was said.
#[task]
fn fails_first(n: u64, begun: Queue<(u64, u32)>) -> u64 {
    let attempt = crate::current_call().unwrap().attempt();
    begun.put(&(n, attempt)).unwrap();
    if attempt == 1 {
        die_behind_record();
        panic!("the first attempt fails");
    }
    n
}

#[task]
fn passes(n: u64) -> u64 {
    n
}

fn twice() -> Options {
    Options::new().retry(Retry::on_death(5).or_error()).chunk_size(3)
}

/// What began, once each call has begun as often as it will.
fn all_of(begun: &Queue<(u64, u32)>) -> Vec<(u64, u32)> {
    let mut all: Vec<_> = std::iter::from_fn(|| begun.try_get().ok()).collect();
    all.sort_unstable();
    all
}

#[test]
fn a_death_behind_a_failure_is_no_second_failure() {
    let pool = Pool::builder().workers(1).build().unwrap();
    let begun = Queue::new(&Fabric::current().unwrap(), 0).unwrap();
    assert_eq!(pool.with(twice()).apply(fails_first, (7, begun.clone())).unwrap(), 7);
    // In a batch, whose rest moves on.
    assert_eq!(pool.with(twice()).starmap(fails_first, (0..3).map(|n| (n, begun.clone()))).unwrap(), [0, 1, 2]);
    let results = pool.with(twice()).imap(passes, 0..3).unwrap();
    assert!(results.map(Result::unwrap).eq(0..3));
    // Workers run what is in the queue before they leave, whether anybody waits for it or not.
    pool.close();
    pool.join().unwrap();
    assert_eq!(all_of(&begun), [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2), (7, 1), (7, 2)]);
}

#[test]
fn nor_is_it_one_for_a_client() {
    let fabric = Fabric::builder().cap(16 << 20).private().unwrap();
    let pool = Pool::builder().fabric(&fabric).name("retries").workers(1).build().unwrap();
    let begun = Queue::new(&fabric, 0).unwrap();
    let client = Pool::connect(&fabric, "retries").unwrap();
    assert_eq!(client.with(twice()).starmap(fails_first, (0..3).map(|n| (n, begun.clone()))).unwrap(), [0, 1, 2]);
    // The one worker takes batches in their order.
    assert_eq!(client.apply(passes, (1,)).unwrap(), 1);
    assert_eq!(all_of(&begun), [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)]);
    drop(client);
    pool.close();
    pool.join().unwrap();
}
