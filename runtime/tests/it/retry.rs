//! Calls that are run again: after a death, after an error, after a wait; and those that must not be.

use std::time::{Duration, Instant};

use polyproc::{ErrorKind, Options, Pool, Queue, Retry, current_call, task};

use crate::pool::square;
use crate::watched;

/// Dies (or panics) in the attempts before `good`, and returns the attempt's number.
#[task]
fn at_last(n: u64, good: u32, dies: bool, padding: Vec<u8>) -> (u64, u32, usize) {
    let attempt = current_call().unwrap().attempt();
    if attempt < good {
        if dies {
            std::process::abort();
        }
        panic!("attempt {attempt} fails");
    }
    (n, attempt, padding.len())
}

#[task]
fn dies_once_at(n: u64, at: u64, begun: Queue<(u64, u32)>) -> u32 {
    let attempt = current_call().unwrap().attempt();
    begun.put(&(n, attempt)).unwrap();
    if n == at && attempt == 1 {
        std::process::abort();
    }
    attempt
}

#[task]
fn waits_for_ever() -> u32 {
    loop {
        std::thread::park();
    }
}

#[test]
fn a_death_is_tried_again_as_often_as_was_said() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        let thrice = pool.with(Options::new().retry(Retry::on_death(2)));
        assert_eq!(thrice.apply(at_last, (5, 3, true, vec![1; 100_000])).unwrap(), (5, 3, 100_000));
        let error = thrice.apply(at_last, (5, 4, true, Vec::new())).unwrap_err();
        assert_eq!((error.kind(), error.attempt(), error.signal()), (ErrorKind::WorkerDied, Some(3), Some(6)), "{error}");
        assert!(error.to_string().contains("attempt 3"), "{error}");
        for never in [Retry::never(), Retry::on_death(0), Retry::on_death(0).or_error()] {
            let error = pool.with(Options::new().retry(never)).apply(at_last, (5, 2, true, Vec::new())).unwrap_err();
            assert_eq!((error.kind(), error.attempt()), (ErrorKind::WorkerDied, Some(1)));
        }
        let by_default = Pool::builder().workers(1).options(Options::new().retry(Retry::on_death(1))).build().unwrap();
        assert_eq!(by_default.apply(at_last, (1, 2, true, Vec::new())).unwrap().1, 2);
    });
}

#[test]
fn an_error_is_tried_again_only_if_that_was_said() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        let deaths = pool.with(Options::new().retry(Retry::on_death(5)));
        let error = deaths.apply(at_last, (5, 2, false, Vec::new())).unwrap_err();
        assert_eq!((error.kind(), error.attempt()), (ErrorKind::Panicked, Some(1)));
        let errors = pool.with(Options::new().retry(Retry::on_death(2).or_error()).chunk_size(4));
        assert_eq!(errors.apply(at_last, (5, 3, false, vec![1; 100_000])).unwrap(), (5, 3, 100_000));
        let error = errors.apply(at_last, (5, 4, false, Vec::new())).unwrap_err();
        assert_eq!((error.kind(), error.attempt(), error.message().map(|text| text.starts_with("attempt 3"))), (ErrorKind::Panicked, Some(3), Some(true)));
        let all = errors.starmap(at_last, (0..20).map(|n| (n, 1 + (n % 3) as u32, n % 2 == 0, Vec::new()))).unwrap();
        assert!(all.into_iter().zip(0..).all(|((n, attempt, _), i)| n == i && attempt == 1 + (i % 3) as u32));
        // What cannot go better the next time is not tried again.
        assert_eq!(errors.submit_by_name::<u64>("nobody", ()).unwrap().get().unwrap_err().attempt(), Some(1));
        assert_eq!(errors.submit_by_name::<u64>(square.name(), ("text",)).unwrap().get().unwrap_err().kind(), ErrorKind::BadArguments);
    });
}

#[test]
fn a_time_limit_is_an_error_of_each_attempt() {
    watched(|| {
        let pool = Pool::new(1).unwrap();
        let limit = Duration::from_millis(20);
        let options = Options::new().hard_limit(limit).retry(Retry::on_death(2));
        let error = pool.with(options).apply(waits_for_ever, ()).unwrap_err();
        assert_eq!((error.kind(), error.attempt()), (ErrorKind::TimeLimit, Some(1)));
        let started = Instant::now();
        let error = pool.with(options.retry(Retry::on_death(2).or_error())).apply(waits_for_ever, ()).unwrap_err();
        assert_eq!((error.kind(), error.attempt()), (ErrorKind::TimeLimit, Some(3)), "{error}");
        assert!(started.elapsed() >= limit * 3);
    });
}

#[test]
fn the_wait_between_attempts_is_kept() {
    watched(|| {
        let pool = Pool::new(1).unwrap();
        let retry = Retry::on_death(3).or_error().backoff(Duration::from_millis(10), 2.0, Duration::from_millis(25));
        let started = Instant::now();
        let later = pool.with(Options::new().retry(retry)).submit(at_last, (1, 4, false, Vec::new())).unwrap();
        assert_eq!(pool.apply(square, (3,)).unwrap(), 9, "the worker does not wait");
        assert_eq!(later.get().unwrap().1, 4);
        assert!(started.elapsed() >= Duration::from_millis(10 + 20 + 25));
        // A pool that is closed meanwhile waits for it.
        let later = pool.with(Options::new().retry(retry)).submit(at_last, (1, 3, false, Vec::new())).unwrap();
        pool.close();
        pool.join().unwrap();
        assert_eq!(later.get().unwrap().1, 3);
    });
}

#[test]
fn what_was_not_begun_moves_and_that_is_no_attempt() {
    watched(|| {
        let begun = Queue::new(&polyproc::Fabric::current().unwrap(), 0).unwrap();
        let pool = Pool::new(1).unwrap();
        let options = Options::new().chunk_size(50);
        for (retry, expected) in [(Retry::on_death(1), Some(2)), (Retry::never(), None)] {
            let all = pool.with(options.retry(retry)).starmap_async(dies_once_at, (0..50).map(|n| (n, 20, begun.clone()))).unwrap().get_all().unwrap();
            for (n, result) in all.into_iter().enumerate() {
                assert_eq!(result.ok(), if n == 20 { expected } else { Some(1) }, "call {n}");
            }
            let mut seen: Vec<(u64, u32)> = std::iter::from_fn(|| begun.try_get().ok()).collect();
            seen.sort_unstable();
            let mut wanted: Vec<(u64, u32)> = (0..50).map(|n| (n, 1)).chain(expected.map(|attempt| (20, attempt))).collect();
            wanted.sort_unstable();
            assert_eq!(seen, wanted, "each began once, and the victim once more if it was to");
        }
    });
}
