//! A storm over one pool: calls with all options, cancelled, limited and retried at random, and workers killed at random. Every call settles, and what it says is true.
//! `POLYPROC_STORM_SECONDS` sets how long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use polyproc::{Array, AsyncResult, ErrorKind, Fabric, Options, Pool, Priority, Retry, current_call, task};
use polyproc_testkit::dice::Dice;
use polyproc_testkit::watchdog::watchdog;

use crate::kill;

/// Counts its begin and its end, then spins; some panic, some never end.
#[task]
fn storm(number: usize, steps: u64, way: u8, began: Array<u32>, ended: Array<u32>) -> (usize, u32) {
    let attempt = current_call().unwrap().attempt();
    began.fetch_add(number, 1).unwrap();
    for step in 0..steps {
        std::hint::black_box(step);
    }
    match way {
        1 => panic!("as told"),
        4 => assert!(attempt > 1, "the first attempt fails"),
        2 => {
            while !polyproc::cancelled() {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
        3 => loop {
            std::thread::park();
        },
        _ => {}
    }
    ended.fetch_add(number, 1).unwrap();
    (number, attempt)
}

struct Sent {
    call: AsyncResult<(usize, u32)>,
    way: u8,
    most: u32,
    cancelled: bool,
}

fn send(pool: &Pool, dice: &mut Dice, number: usize, began: &Array<u32>, ended: &Array<u32>) -> Sent {
    // Who never ends by itself has a limit.
    let way = match dice.below(60) {
        0 | 1 => 1,
        2 => 2,
        3 => 3,
        4..9 => 4,
        _ => 0,
    };
    let times = dice.below(3) as u32;
    let mut retry = Retry::on_death(times);
    if dice.below(2) == 0 {
        retry = retry.or_error();
    }
    if dice.below(3) == 0 {
        retry = retry.backoff(Duration::from_millis(1), 2.0, Duration::from_millis(4));
    }
    let mut options = Options::new().retry(retry).priority(*dice.pick(&[Priority::High, Priority::Normal, Priority::Low]));
    if way == 2 {
        options = options.soft_limit(Duration::from_millis(2));
    }
    if way == 3 || dice.below(10) == 0 {
        options = options.hard_limit(Duration::from_millis(3 + dice.below(10)));
    }
    let most = if dice.below(10) == 0 { 3_000_000 } else { 20_000 };
    let steps = dice.below(most);
    let call = pool.with(options).submit(storm, (number, steps, way, began.clone(), ended.clone())).unwrap();
    Sent { call, way, most: times + 1, cancelled: false }
}

fn judge(number: usize, sent: &Sent, began: u32, ended: u32) {
    let about = || format!("call {number}: {:?}, way {}, began {began}, ended {ended}, cancelled {}", sent.call.get(), sent.way, sent.cancelled);
    assert!(began <= sent.most && ended <= began, "{}", about());
    match sent.call.get() {
        Ok((n, attempt)) => {
            assert_eq!(n, number);
            assert!(ended >= 1 && began >= attempt.min(1) && attempt <= sent.most, "{}", about());
            assert!(attempt > 1 || (began, ended) == (1, 1), "{}", about());
        }
        Err(error) => match error.kind() {
            ErrorKind::Panicked => assert!(matches!(sent.way, 1 | 4) && began >= 1, "{}", about()),
            ErrorKind::WorkerDied => assert_eq!(error.signal(), Some(9), "{}", about()),
            ErrorKind::TimeLimit => assert!(error.attempt().is_some(), "{}", about()),
            ErrorKind::Cancelled => assert!(sent.cancelled && (error.attempt().is_some() || sent.most > 1 || began == 0), "{}", about()),
            _ => panic!("{}", about()),
        },
    }
}

#[test]
fn every_call_settles_and_says_what_happened() {
    let seconds = std::env::var("POLYPROC_STORM_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    watchdog(Duration::from_secs(120 + seconds), || {
        let fabric = Fabric::builder().cap(64 << 20).private().unwrap();
        fabric.member().unwrap();
        let look = || {
            fabric.sweep().unwrap();
            let report = fabric.check().unwrap();
            assert!(report.is_whole(), "{report:?}");
            (fabric.objects().unwrap().len(), fabric.members().len(), report.private_chunks)
        };
        let before = look();
        let seed = u64::from(std::process::id());
        println!("seed {seed}");
        let mut dice = Dice(seed);
        let stop = AtomicBool::new(false);
        let (mut calls, mut cancelled, mut again) = (0, 0, 0);
        let pool = Pool::builder().workers(4).fabric(&fabric).max_pending(300).build().unwrap();
        let kills = std::thread::scope(|scope| {
            let hunter = scope.spawn(|| {
                let (mut dice, mut kills) = (Dice(seed + 1), 0);
                while !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_micros(dice.below(20_000)));
                    let ready: Vec<_> = pool.workers().into_iter().filter(|worker| worker.ready).collect();
                    if !ready.is_empty() {
                        kill(dice.pick(&ready).pid);
                        kills += 1;
                    }
                }
                kills
            });
            let start = Instant::now();
            while start.elapsed() < Duration::from_secs(seconds) {
                const ROUND: usize = 400;
                let [began, ended] = [(); 2].map(|()| Array::<u32>::zeroed(&fabric, ROUND).unwrap());
                let mut sent: Vec<Sent> = Vec::new();
                for number in 0..ROUND {
                    sent.push(send(&pool, &mut dice, number, &began, &ended));
                    if dice.below(8) == 0 {
                        let at = dice.below(sent.len() as u64) as usize;
                        let grace = *dice.pick(&[Duration::ZERO, Duration::from_millis(1), Duration::from_millis(5)]);
                        sent[at].cancelled |= sent[at].call.cancel_within(grace).unwrap();
                    }
                }
                for (number, one) in sent.iter().enumerate() {
                    assert!(one.call.wait(None));
                    judge(number, one, began.load(number).unwrap(), ended.load(number).unwrap());
                    calls += 1;
                    cancelled += u32::from(one.cancelled);
                    again += u32::from(one.call.get().is_ok_and(|(_, attempt)| attempt > 1));
                }
                began.destroy().unwrap();
                ended.destroy().unwrap();
            }
            stop.store(true, Ordering::Relaxed);
            hunter.join().unwrap()
        });
        println!("{calls} calls, {kills} kills, {cancelled} cancelled, {again} right at a later attempt");
        assert!(kills > 0 && cancelled > 0 && again > 0);
        pool.close();
        pool.join().unwrap();
        drop(pool);
        assert_eq!(look(), before, "objects, members, chunks");
    });
}
