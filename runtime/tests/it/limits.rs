//! Limits and cancellation: told, then ended, and nobody but the call that was meant.

use std::time::{Duration, Instant};

use polyproc::{Array, ErrorKind, Fabric, Options, Pool, Queue, Retry, cancelled, current_call, task};
use polyproc_testkit::dice::Dice;

use crate::futures::queue;
use crate::pool::{gate, square};
use crate::{until, watched};

const SOON: Duration = Duration::from_millis(20);

/// Says that it runs, and goes on for ever.
#[task]
fn deaf(begun: Queue<u64>) {
    begun.put(&u64::from(std::process::id())).unwrap();
    loop {
        std::thread::park();
    }
}

/// Says that it runs, and ends when it is told to.
#[task]
fn polite(begun: Queue<u64>) -> u64 {
    begun.put(&0).unwrap();
    while !cancelled() {
        std::hint::spin_loop();
    }
    7
}

#[task]
fn endless_at(n: u64, at: u64) -> u64 {
    if n == at {
        loop {
            std::thread::park();
        }
    }
    n
}

/// Writes down that it began, then takes so many steps.
#[task]
fn stepping(number: usize, steps: u64, began: Array<u64>) -> usize {
    began.fetch_add(number, 1).unwrap();
    for step in 0..steps {
        std::hint::black_box(step);
    }
    number
}

#[task]
fn about_itself() -> (String, u64, u32, bool, bool, bool) {
    let call = current_call().unwrap();
    let other = std::thread::spawn(current_call).join().unwrap();
    (call.task().into(), call.number(), call.attempt(), call.deadline().is_some(), call.hard_deadline().is_some_and(|at| at > Instant::now()), other.is_some())
}

#[test]
fn a_call_knows_itself() {
    watched(|| {
        assert!(current_call().is_none() && !cancelled());
        let pool = Pool::new(1).unwrap();
        assert_eq!(pool.apply(about_itself, ()).unwrap(), (about_itself.name().into(), 0, 1, false, false, false));
        let limited = Options::new().soft_limit(Duration::from_secs(60)).hard_limit(Duration::MAX).chunk_size(3);
        let all = pool.with(limited.hard_limit(Duration::from_secs(60))).starmap(about_itself, vec![(); 5]).unwrap();
        for (n, one) in (0..).zip(all) {
            assert_eq!(one, (about_itself.name().into(), n, 1, true, true, false));
        }
        assert_eq!(pool.with(limited).apply(square, (2,)).unwrap(), 4, "limits for ever");
    });
}

#[test]
fn what_has_not_begun_never_runs_and_fails_at_once() {
    watched(|| {
        let (pool, open) = (Pool::new(1).unwrap(), queue());
        let began = Array::zeroed(&Fabric::current().unwrap(), 3).unwrap();
        let first = pool.submit(gate, (0, open.clone())).unwrap();
        let single = pool.submit(stepping, (0, 0, began.clone())).unwrap();
        let map = pool.starmap_async(stepping, [1, 2].map(|n| (n, 0, began.clone()))).unwrap();
        assert!(single.cancel().unwrap() && map.cancel().unwrap() && map.cancel().unwrap());
        // The only worker is busy, so nobody has skipped them yet.
        let error = single.get().unwrap_err();
        assert_eq!((error.kind(), error.attempt(), error.pid()), (ErrorKind::Cancelled, None, None), "{error}");
        let errors: Vec<_> = map.get_all().unwrap().into_iter().map(|result| result.unwrap_err().call_number()).collect();
        assert_eq!(errors, [Some(0), Some(1)]);
        assert!(!single.cancel().unwrap() && !first.ready());
        open.put(&0).unwrap();
        assert_eq!(first.get().unwrap(), 0);
        pool.close();
        pool.join().unwrap();
        assert_eq!(began.to_vec().unwrap(), [0; 3]);
    });
}

#[test]
fn who_listens_ends_by_itself() {
    watched(|| {
        let (pool, begun) = (Pool::new(1).unwrap(), queue());
        let worker = pool.workers()[0].pid;
        let call = pool.submit(polite, (begun.clone(),)).unwrap();
        begun.get().unwrap();
        assert!(call.cancel_within(Duration::MAX).unwrap());
        assert_eq!(call.get().unwrap(), 7, "what it ended with counts");
        let call = pool.with(Options::new().soft_limit(SOON)).submit(polite, (begun.clone(),)).unwrap();
        assert_eq!(call.get().unwrap(), 7);
        assert_eq!(pool.workers()[0].pid, worker, "nobody was killed");
    });
}

#[test]
fn who_does_not_listen_is_ended_and_nobody_else() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        let begun = queue();
        for grace in [Duration::ZERO, SOON] {
            let call = pool.submit(deaf, (begun.clone(),)).unwrap();
            let pid = begun.get().unwrap() as u32;
            let started = Instant::now();
            assert!(call.cancel_within(grace).unwrap());
            let error = call.get().unwrap_err();
            assert!(started.elapsed() >= grace);
            assert_eq!((error.kind(), error.attempt(), error.pid(), error.signal()), (ErrorKind::Cancelled, Some(1), Some(pid), Some(9)), "{error}");
            assert!(error.to_string().contains(&pid.to_string()) && error.task() == Some(deaf.name()));
            until(|| pool.workers().len() == 2 && pool.workers().iter().all(|worker| worker.pid != pid));
        }
        assert_eq!(pool.map(square, 0..4).unwrap(), [0, 1, 4, 9]);
    });
}

#[test]
fn a_hard_limit_ends_one_call_of_a_batch() {
    watched(|| {
        let pool = Pool::new(1).unwrap();
        let limited = Options::new().hard_limit(SOON).chunk_size(10);
        let started = Instant::now();
        let all = pool.with(limited).starmap_async(endless_at, (0..10).map(|n| (n, 4))).unwrap().get_all().unwrap();
        assert!(started.elapsed() >= SOON);
        for (n, result) in (0..).zip(&all) {
            match result {
                Ok(value) => assert_eq!(*value, n),
                Err(error) => {
                    assert_eq!((n, error.kind(), error.call_number(), error.attempt()), (4, ErrorKind::TimeLimit, Some(4), Some(1)));
                    let sentence = error.to_string();
                    assert!(sentence.contains("20ms") && sentence.contains(&error.pid().unwrap().to_string()), "{sentence}");
                }
            }
        }
        assert_eq!(all.iter().filter(|result| result.is_ok()).count(), 9);
        let kinds: Vec<_> = pool.with(limited).imap(endless_at_2, 0..4).unwrap().map(|result| result.map_err(|error| error.kind())).collect();
        assert_eq!(kinds, [Ok(0), Ok(1), Err(ErrorKind::TimeLimit), Ok(3)]);
        // Limits of different length, one behind the other.
        let long = pool.with(Options::new().hard_limit(Duration::from_secs(100))).submit(square, (3,)).unwrap();
        let short = pool.with(Options::new().hard_limit(SOON)).submit(endless_at, (1, 1)).unwrap();
        assert_eq!((long.get().unwrap(), short.get().unwrap_err().kind()), (9, ErrorKind::TimeLimit));
        assert!(pool.with(Options::new().hard_limit(Duration::ZERO)).submit(square, (1,)).is_err());
    });
}

#[task]
fn endless_at_2(n: u64) -> u64 {
    endless_at(n, 2)
}

#[test]
fn a_callback_may_cancel() {
    watched(|| {
        let (pool, open, begun) = (Pool::new(1).unwrap(), queue(), queue());
        let first = pool.submit(gate, (0, open.clone())).unwrap();
        let second = pool.submit(deaf, (begun,)).unwrap();
        let (say, hear) = std::sync::mpsc::channel();
        first.on_done(move |_| say.send((second.cancel_within(SOON), second)).unwrap());
        open.put(&0).unwrap();
        let (cancelled, second) = hear.recv().unwrap();
        assert!(cancelled.unwrap());
        assert_eq!(second.get().unwrap_err().kind(), ErrorKind::Cancelled);
    });
}

#[test]
fn a_call_that_waits_for_its_next_attempt_can_be_cancelled() {
    watched(|| {
        let pool = Pool::new(1).unwrap();
        let patient = Options::new().retry(Retry::on_death(3).or_error().backoff(Duration::MAX, 1.0, Duration::MAX));
        #[task]
        fn panics(begun: Queue<u64>) {
            begun.put(&0).unwrap();
            panic!("as it must");
        }
        let begun = queue();
        let call = pool.with(patient).submit(panics, (begun.clone(),)).unwrap();
        begun.get().unwrap();
        // Its failure is handled before what comes after it.
        assert_eq!(pool.apply(square, (2,)).unwrap(), 4);
        assert!(!call.ready() && call.cancel().unwrap());
        assert_eq!(call.get().unwrap_err().kind(), ErrorKind::Cancelled);
        pool.close();
        pool.join().unwrap();
        assert!(begun.is_empty(), "it ran once");
    });
}

/// Calls are cancelled at every moment of their lives, between others that must not notice.
#[test]
fn cancelling_races_with_finishing() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        let mut dice = Dice(u64::from(std::process::id()));
        let fabric = Fabric::current().unwrap();
        let (mut never, mut ended, mut finished) = (0, 0, 0);
        let mut round = 0;
        while round < 60 || never == 0 || ended == 0 || finished == 0 {
            round += 1;
            const CALLS: usize = 40;
            let began = Array::zeroed(&fabric, CALLS).unwrap();
            // Short calls are mostly cancelled before or after, long ones in the middle.
            let most = if round % 2 == 0 { 200_000 } else { 3_000_000 };
            let calls: Vec<_> = (0..CALLS).map(|n| pool.submit(stepping, (n, dice.below(most), began.clone())).unwrap()).collect();
            let mut chosen = Vec::new();
            for _ in 0..CALLS / 4 {
                for _ in 0..dice.below(60_000) {
                    std::hint::spin_loop();
                }
                let first = calls.iter().position(|call| !call.ready()).unwrap_or(0);
                let n = (first + dice.below(6) as usize).min(CALLS - 1);
                let grace = *dice.pick(&[Duration::ZERO, Duration::from_micros(100), Duration::MAX]);
                calls[n].cancel_within(grace).unwrap();
                chosen.push(n);
            }
            for (n, call) in calls.iter().enumerate() {
                let _ = call.wait(None);
                let count = |expected: u64| assert_eq!(began.load(n).unwrap(), expected, "call {n}: {call:?}");
                match call.get() {
                    Ok(value) => {
                        assert_eq!(value, n);
                        count(1);
                        finished += u32::from(chosen.contains(&n));
                    }
                    Err(error) => {
                        assert!(chosen.contains(&n) && error.kind() == ErrorKind::Cancelled, "call {n}: {error}");
                        if error.attempt().is_none() {
                            count(0);
                            never += 1;
                        } else {
                            assert!(began.load(n).unwrap() <= 1);
                            ended += 1;
                        }
                    }
                }
            }
            began.destroy().unwrap();
        }
        println!("of the cancelled, {never} never ran, {ended} were ended, {finished} were faster");
        pool.close();
        pool.join().unwrap();
    });
}
