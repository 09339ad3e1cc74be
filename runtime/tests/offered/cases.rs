//! What is offered, from outside: calls from pools and clients, processes, workers of every origin, and what goes wrong.

use std::time::Duration;

use polyproc::{AsyncResult, Block, Completions, Encoded, Error, ErrorKind, Fabric, Options, Pool, Process, Queue, Retry, ipc};
use polyproc_testkit::temp::unique_name;
use rustix::event::{PollFd, PollFlags, poll};

use crate::{POOL, fixed};

fn arguments<A: serde::Serialize>(arguments: A) -> Encoded {
    Encoded::arguments(&arguments).unwrap()
}

fn fails(pool: &Pool, task: &str, args: Encoded) -> Error {
    pool.submit_encoded(task, args).unwrap().get().unwrap_err()
}

pub(crate) fn a_pool_runs_what_is_offered() {
    let pool = Pool::new(2).unwrap();
    assert_eq!(pool.call::<i64>("divide", (42, 6)).unwrap(), 7);
    assert_eq!(pool.apply(fixed, (1,)).unwrap(), 2);
    let given = Encoded::of(&(1, "two", 3.5, Some(vec![4_u8]), ())).unwrap();
    let answer = pool.submit_encoded("echo", given.clone()).unwrap().get().unwrap();
    assert_eq!(answer.bytes(), given.bytes());
    let calls = (0..1000).map(|n| arguments((n, 1)));
    let values: Vec<i64> = pool.map_encoded("divide", calls).unwrap().get().unwrap().iter().map(|answer| answer.decode().unwrap()).collect();
    assert_eq!(values, (0..1000).collect::<Vec<_>>());
    assert!(pool.map_encoded("divide", []).unwrap().get().unwrap().is_empty());
    let both = pool.map_encoded("divide", [arguments((1, 0)), arguments((8, 2))]).unwrap();
    assert_eq!((both.call_count(), both.answer_of(1).unwrap().bytes()), (2, &[4][..]));
    assert!(both.answer_of(0).is_err() && both.answer_of(2).is_err());
    // A fixed task can be called by bytes as well.
    assert_eq!(pool.submit_encoded("fixed", arguments((8,))).unwrap().get().unwrap().bytes(), [9]);
}

pub(crate) fn a_failure_has_message_and_backtrace() {
    let pool = Pool::new(1).unwrap();
    let error = fails(&pool, "divide", arguments((1, 0)));
    assert_eq!((error.kind(), error.task(), error.attempt()), (ErrorKind::Panicked, Some("divide"), Some(1)));
    assert_eq!((error.message(), error.backtrace()), (Some("1 divided by 0"), Some("in divide, line 7")));
    assert_eq!(error.to_string(), "task 'divide' failed: 1 divided by 0");
    let error = fails(&pool, "panics", arguments(()));
    assert_eq!((error.kind(), error.task()), (ErrorKind::Panicked, Some("panics")));
    assert!(error.to_string().starts_with("task 'panics' panicked: out of luck"), "{error}");
    let error = fails(&pool, "divide", arguments(("x", 1)));
    assert_eq!((error.kind(), error.task()), (ErrorKind::BadArguments, Some("divide")), "{error}");
    let error = fails(&pool, "particular", arguments(()));
    assert_eq!((error.kind(), &*error.to_string()), (ErrorKind::BadArguments, "the arguments do not fit task 'particular': only on Sundays"));
    // Of a map each fails or not by itself.
    let all = pool.map_encoded("divide", (0..3).map(|n| arguments((6, n)))).unwrap().answers().unwrap();
    assert!(all[0].is_err());
    assert_eq!(all[1..].iter().map(|answer| answer.as_ref().unwrap().decode::<i64>().unwrap()).collect::<Vec<_>>(), [6, 3]);
    // Another attempt may go better, where that was asked for; its arguments came back.
    assert_eq!(fails(&pool, "flaky", arguments(())).attempt(), Some(1));
    let again = pool.with(Options::new().retry(Retry::on_death(1).or_error()));
    assert_eq!(again.submit_encoded("flaky", arguments(())).unwrap().get().unwrap().decode::<u32>().unwrap(), 2);
}

pub(crate) fn what_is_no_value_is_refused_where_it_was_made() {
    let pool = Pool::new(1).unwrap();
    let pid = pool.workers()[0].pid;
    for bad in [&[][..], &[0xc1], &[1, 2], &[0x92, 1], &[0xa2, 0xff, 0xff], &[0xdd, 0xff, 0xff, 0xff, 0xff]] {
        let error = fails(&pool, "raw", arguments((bad,)));
        assert_eq!((error.kind(), error.task()), (ErrorKind::BadResult, Some("raw")), "{error}");
        assert!(error.to_string().contains("task 'raw'"), "{error}");
    }
    assert_eq!(pool.submit_encoded("raw", arguments((&[7_u8],))).unwrap().get().unwrap().bytes(), [7]);
    assert_eq!(pool.workers()[0].pid, pid, "the worker is as it was");
}

pub(crate) fn bad_arguments_are_refused_here() {
    let pool = Pool::new(1).unwrap();
    for bad in [&[][..], &[0xc0], &[0x91], &[0x90, 0x90], &[0x91, 0xc1]] {
        for error in [
            pool.submit_encoded("echo", bad.to_vec().into()).map(drop).unwrap_err(),
            pool.map_encoded("echo", [arguments((1,)), bad.to_vec().into()]).map(drop).unwrap_err(),
            Process::named("echo", bad.to_vec().into()).start().map(drop).unwrap_err(),
            Pool::builder().workers(1).on_start_named("echo", bad.to_vec().into()).build().map(drop).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::BadArguments, "{error}");
            assert!(error.to_string().contains("'echo'"), "{error}");
        }
    }
    let long = "x".repeat(70_000);
    assert_eq!(pool.submit_encoded(&long, arguments(())).map(drop).unwrap_err().kind(), ErrorKind::UnknownTask);
    assert_eq!(pool.call::<i64>("divide", (9, 3)).unwrap(), 3);
}

pub(crate) fn an_unknown_task_is_named_with_what_is_offered() {
    let pool = Pool::new(1).unwrap();
    let error = fails(&pool, "nothing like it", arguments(()));
    assert_eq!((error.kind(), error.task()), (ErrorKind::UnknownTask, Some("nothing like it")));
    let text = error.to_string();
    assert!(text.contains("'nothing like it'") && text.contains("offers back, die, divide, echo,"), "{text}");
    let exit = Process::named("nothing like it", arguments(())).start().unwrap().join().unwrap();
    assert_eq!(exit.failure.unwrap().kind(), ErrorKind::UnknownTask);
}

pub(crate) fn a_name_is_offered_once() {
    for name in ["echo", "fixed"] {
        let error = polyproc::offer(name, |_| unreachable!()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AmbiguousTask, "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    for name in ["", &*"x".repeat(65_536)] {
        let error = polyproc::offer(name, |_| unreachable!()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Ipc(ipc::ErrorKind::InvalidArgument), "{error}");
    }
}

pub(crate) fn a_killed_worker_fails_its_call_alone() {
    let pool = Pool::new(2).unwrap();
    let others = pool.map_encoded("divide", (0..100).map(|n| arguments((n, 1)))).unwrap();
    let error = fails(&pool, "die", arguments((9,)));
    assert_eq!((error.kind(), error.task(), error.signal()), (ErrorKind::WorkerDied, Some("die"), Some(9)), "{error}");
    assert!(error.pid().is_some_and(|pid| pid > 1));
    assert_eq!(others.get().unwrap().len(), 100);
    // What stands behind it in its batch runs elsewhere.
    let together = pool.with(Options::new().chunk_size(3));
    let all = together.map_encoded("die", [9, 15, 0].map(|signal| arguments((signal,)))).unwrap().answers().unwrap();
    assert_eq!(all.iter().map(|answer| answer.as_ref().unwrap_err().signal()).collect::<Vec<_>>(), [Some(9), Some(15), None]);
    let again = pool.with(Options::new().retry(Retry::on_death(2)));
    assert_eq!(again.submit_encoded("die", arguments((9,))).unwrap().get().unwrap_err().attempt(), Some(3));
    let short = pool.with(Options::new().hard_limit(Duration::from_millis(20)));
    // A signal that is ignored leaves the task where it is.
    let error = short.submit_encoded("die", arguments((2,))).unwrap().get().unwrap_err();
    assert_eq!((error.kind(), error.task()), (ErrorKind::TimeLimit, Some("die")), "{error}");
}

pub(crate) fn blocks_go_in_and_out() {
    let fabric = Fabric::builder().cap(64 << 20).private().unwrap();
    let pool = Pool::builder().workers(1).fabric(&fabric).build().unwrap();
    let block: Block<f64> = (0..50_000).map(f64::from).collect();
    let answer = pool.submit_encoded("back", arguments((block.clone(), 7))).unwrap().get().unwrap();
    assert!(answer.bytes().len() < 100 && answer.parcel().is_some());
    let (back, seven): (Block<f64>, u8) = answer.decode().unwrap();
    assert!(back == block && back.is_shared() && seven == 7);
    // In a map each call has its own blocks, among others without.
    let calls = (0..10_u32).map(|n| arguments((vec![n; if n % 3 == 0 { 2000 } else { 2 }].into_iter().collect::<Block<u32>>(),)));
    let answers = pool.with(Options::new().chunk_size(4)).map_encoded("back", calls).unwrap().get().unwrap();
    for (n, answer) in (0..).zip(&answers) {
        let (block,): (Block<u32>,) = answer.decode().unwrap();
        assert!(block.iter().all(|&value| value == n) && block.len() == if n % 3 == 0 { 2000 } else { 2 }, "{n}");
    }
    let twice = answers[0].clone();
    drop(answers);
    assert_eq!(twice.decode::<(Block<u32>,)>().unwrap().0[1999], 0);
    drop((back, answer, twice, pool));
    fabric.sweep().unwrap();
    let report = fabric.check().unwrap();
    assert!(report.is_whole() && report.private_chunks == 0, "{report:?}");
}

pub(crate) fn a_process_runs_what_is_offered() {
    let queue = Queue::<u64>::new(&Fabric::current().unwrap(), 0).unwrap();
    let process = Process::named("put", arguments((queue.clone(), 5_u64))).name("putter").start().unwrap();
    assert!(process.join().unwrap().success());
    assert_eq!((queue.get().unwrap(), process.name()), (5, "putter"));
    let exit = Process::named("divide", arguments((1, 0))).stderr(polyproc::Stdio::Null).start().unwrap().join().unwrap();
    let failure = exit.failure.unwrap();
    assert_eq!((exit.code, failure.kind(), failure.message()), (1, ErrorKind::Panicked, Some("1 divided by 0")));
    let exit = Process::named("die", arguments((9,))).start().unwrap().join().unwrap();
    assert_eq!(exit.signal(), Some(9));
    // By whatever way it is started.
    for method in [polyproc::StartMethod::Fork, polyproc::StartMethod::ForkServer] {
        let process = Process::named("put", arguments((queue.clone(), 6_u64))).start_method(method).start().unwrap();
        assert!(process.join().unwrap().success());
        assert_eq!(queue.get().unwrap(), 6);
    }
}

fn named_pool(name: &str, workers: usize) -> (Fabric, Pool) {
    let fabric = Fabric::builder().cap(64 << 20).create(name).unwrap();
    let pool = Pool::builder().fabric(&fabric).name(POOL).workers(workers).build().unwrap();
    (fabric, pool)
}

pub(crate) fn a_worker_that_joined_runs_what_is_offered() {
    let name = unique_name("offered");
    let (fabric, pool) = named_pool(&name, 0);
    let early = pool.submit_encoded("divide", arguments((6, 2))).unwrap();
    let guest = Process::named("join", arguments((&name,))).start().unwrap();
    assert_eq!({ early }.get().unwrap().decode::<i64>().unwrap(), 3);
    assert_eq!(pool.call::<i64>("divide", (42, 6)).unwrap(), 7);
    let error = fails(&pool, "divide", arguments((1, 0)));
    assert_eq!((error.kind(), error.backtrace()), (ErrorKind::Panicked, Some("in divide, line 7")));
    assert_eq!(fails(&pool, "raw", arguments(([0xc1_u8],))).kind(), ErrorKind::BadResult);
    assert_eq!(fails(&pool, "nothing like it", arguments(())).kind(), ErrorKind::UnknownTask);
    let error = fails(&pool, "die", arguments((9,)));
    assert_eq!((error.kind(), error.task(), error.pid()), (ErrorKind::WorkerDied, Some("die"), Some(guest.pid())), "{error}");
    assert_eq!(guest.join().unwrap().signal(), Some(9));
    let second = Process::named("join", arguments((&name,))).start().unwrap();
    assert_eq!(pool.call::<i64>("divide", (9, 3)).unwrap(), 3);
    pool.close();
    pool.join().unwrap();
    assert!(second.join().unwrap().success());
    drop(pool);
    fabric.sweep().unwrap();
    assert!(fabric.check().unwrap().is_whole());
}

pub(crate) fn a_client_calls_what_is_offered() {
    let name = unique_name("offered");
    let (_fabric, pool) = named_pool(&name, 2);
    let client = Process::named("submit", arguments((&name,))).start().unwrap();
    let exit = client.join().unwrap();
    assert!(exit.success(), "{exit:?}");
    drop(pool);
}

pub(crate) fn hooks_may_be_offered() {
    let pool = Pool::builder().workers(2).on_start_named("remember", arguments((5_u64,))).on_exit_named("number", arguments(())).build().unwrap();
    assert_eq!(pool.call::<Option<u64>>("number", ()).unwrap(), Some(5));
    pool.close();
    pool.join().unwrap();
    let answers = pool.exit_answers();
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().bytes() == [5]), "{answers:?}");
    let pool = Pool::builder().workers(1).on_start_named("divide", arguments((1, 0))).build().unwrap();
    let error = fails(&pool, "echo", arguments(()));
    assert_eq!((error.kind(), error.message()), (ErrorKind::GaveUp, Some("1 divided by 0")), "{error}");
}

pub(crate) fn completions_tell_of_every_end() {
    let (here, there) = (Pool::new(1).unwrap(), Pool::new(1).unwrap());
    let fabric = Fabric::current().unwrap();
    let gate = Queue::<u64>::new(&fabric, 0).unwrap();
    let completions = Completions::new().unwrap();
    let readable = || poll(&mut [PollFd::new(&completions, PollFlags::IN)], Some(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1;
    let never: AsyncResult<polyproc::Answer> = here.with(Options::new()).submit_encoded("die", arguments((2,))).unwrap();
    completions.add(&never, 1);
    assert!(!readable() && completions.try_next().is_none());
    assert_eq!(completions.next(Some(Duration::from_millis(5))).unwrap(), None);
    let map = there.map_encoded("divide", (0..10).map(|n| arguments((n, 1)))).unwrap();
    completions.add(&map, 2);
    assert_eq!(completions.next(None).unwrap(), Some(2));
    assert!(!readable());
    // One that is over already, and one whose handle is gone.
    completions.add(&map, 3);
    assert!(readable());
    completions.add(&there.submit_encoded("put", arguments((gate.clone(), 1_u64))).unwrap(), 4);
    assert_eq!(completions.next(None).unwrap(), Some(3));
    assert_eq!(completions.next(None).unwrap(), Some(4));
    assert_eq!(gate.get().unwrap(), 1);
    assert!(never.cancel_within(Duration::ZERO).unwrap());
    assert_eq!(ipc::wait(&[&completions], None).unwrap(), [0]);
    assert_eq!(completions.try_next(), Some(1));
    assert_eq!(never.get().unwrap_err().kind(), ErrorKind::Cancelled);
    // The ends of a pool that ends come too.
    let lost: Vec<_> = (0..5).map(|_| here.submit_encoded("die", arguments((2,))).unwrap()).collect();
    for call in &lost {
        completions.add(call, 9);
    }
    here.terminate();
    for _ in 0..5 {
        assert_eq!(completions.next(None).unwrap(), Some(9));
    }
    assert!(!readable());
}
