//! The handle of a call: waiting, asking, calling back, awaiting; several at once; room for so many; and what is done with a bad one.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use polyproc::{AsyncResult, ErrorKind, Fabric, Options, Pool, Priority, Queue, WaitUntil, as_completed, ipc, task, wait_calls};

use crate::pool::{gate, square};
use crate::{until, watched};

#[task]
fn unlucky(n: u64) -> u64 {
    assert!(n != 13, "{n} is unlucky");
    n
}

#[task]
fn noted(n: u64, out: Queue<u64>) {
    out.put(&n).unwrap();
}

#[task]
fn letters(text: String) -> Vec<char> {
    text.chars().collect()
}

pub(crate) fn queue() -> Queue<u64> {
    Queue::new(&Fabric::current().unwrap(), 0).unwrap()
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// An executor of one thread and one future.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// All of these futures.
struct Join<T>(Vec<(AsyncResult<T>, Option<polyproc::Result<T>>)>);

impl<T: Unpin> Future for Join<T> {
    type Output = Vec<polyproc::Result<T>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        for (call, result) in &mut self.0 {
            if result.is_none()
                && let Poll::Ready(value) = Pin::new(call).poll(context)
            {
                *result = Some(value);
            }
        }
        if self.0.iter().any(|(_, result)| result.is_none()) {
            return Poll::Pending;
        }
        Poll::Ready(std::mem::take(&mut self.0).into_iter().filter_map(|(_, result)| result).collect())
    }
}

#[test]
fn a_handle_answers_what_it_is_asked() {
    watched(|| {
        let (pool, open) = (Pool::new(1).unwrap(), queue());
        let later = pool.submit(gate, (5, open.clone())).unwrap();
        let timeout = ErrorKind::Ipc(ipc::ErrorKind::Timeout);
        assert_eq!(later.get_timeout(Duration::ZERO).unwrap_err().kind(), timeout);
        assert!(!later.ready() && !later.wait(Some(Duration::ZERO)) && later.successful().is_none());
        open.put(&0).unwrap();
        assert_eq!(later.get_timeout(Duration::MAX).unwrap(), 5);
        assert!(later.wait(Some(Duration::MAX)) && later.exception().is_none() && later.successful() == Some(true));
        let bad = pool.submit(unlucky, (13,)).unwrap();
        let error = bad.exception().unwrap();
        assert_eq!((error.kind(), error.call_number(), error.attempt()), (ErrorKind::Panicked, Some(0), Some(1)));
        assert_eq!(bad.successful(), Some(false));
        assert_eq!(pool.submit_by_name::<u64>(square.name(), (4,)).unwrap().get().unwrap(), 16);
        assert_eq!(pool.submit_by_name::<u64>("nobody", (4,)).unwrap().get().unwrap_err().kind(), ErrorKind::UnknownTask);
    });
}

#[test]
fn nothing_done_of_a_map_is_lost() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        let later = pool.map_async(unlucky, 10..16).unwrap();
        assert_eq!(later.get().unwrap_err().call_number(), Some(3));
        let all = later.get_all().unwrap();
        let values: Vec<_> = all.iter().map(|result| result.as_ref().ok().copied()).collect();
        assert_eq!(values, [Some(10), Some(11), Some(12), None, Some(14), Some(15)]);
        let elements = pool.submit(letters, ("ab".into(),)).unwrap().get_all().unwrap();
        assert_eq!(elements.into_iter().map(Result::unwrap).collect::<String>(), "ab");
        let open = queue();
        let cut = pool.with(Options::new().chunk_size(1)).starmap_async(gate, (0..4).map(|n| (n, open.clone()))).unwrap();
        open.put(&0).unwrap();
        until(|| pool.workers().iter().map(|worker| worker.finished).sum::<u64>() == 8);
        pool.terminate();
        let all = cut.get_all().unwrap();
        assert_eq!(all.iter().filter(|result| result.is_ok()).count(), 1, "what was done before the end");
        assert!(all.iter().filter_map(|result| result.as_ref().err()).all(|error| error.kind() == ErrorKind::Terminated));
    });
}

#[test]
fn callbacks_are_called_in_their_order_and_a_panic_ends_nothing() {
    watched(|| {
        let (pool, open) = (Pool::new(1).unwrap(), queue());
        let (say, hear) = mpsc::channel();
        let later = pool.submit(gate, (1, open.clone())).unwrap();
        for number in 0..4 {
            let say = say.clone();
            later.on_done(move |result| {
                say.send((number, result.unwrap())).unwrap();
                assert!(number != 1, "a callback that panics");
            });
        }
        open.put(&0).unwrap();
        assert_eq!(hear.iter().take(4).collect::<Vec<_>>(), [(0, 1), (1, 1), (2, 1), (3, 1)]);
        let here = std::thread::current().id();
        later.on_done(move |_| say.send((u64::from(std::thread::current().id() == here), 0)).unwrap());
        assert_eq!(hear.try_recv().unwrap(), (1, 0), "called at once, from here");
        assert_eq!(pool.apply(square, (3,)).unwrap(), 9);
    });
}

#[test]
fn handles_are_futures() {
    watched(|| {
        let pool = Pool::new(2).unwrap();
        assert_eq!(block_on(pool.submit(square, (5,)).unwrap()).unwrap(), 25);
        assert_eq!(block_on(async { pool.submit(unlucky, (13,)).unwrap().await.unwrap_err().kind() }), ErrorKind::Panicked);
        let calls = (0..500).map(|n| (pool.submit(square, (n,)).unwrap(), None)).collect();
        let results = block_on(Join(calls));
        assert!(results.into_iter().map(Result::unwrap).eq((0..500).map(|n| n * n)));
        let map = block_on(pool.map_async(square, 0..100).unwrap()).unwrap();
        assert_eq!(map.len(), 100);
        let open = queue();
        let ended = pool.submit(gate, (1, open)).unwrap();
        let other = std::thread::spawn(move || block_on(ended));
        drop(pool);
        assert_eq!(other.join().unwrap().unwrap_err().kind(), ErrorKind::Terminated);
    });
}

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn only_the_last_waker_is_woken_and_none_after_a_drop() {
    watched(|| {
        let (pool, open) = (Pool::new(1).unwrap(), queue());
        let mut later = pool.submit(gate, (1, open.clone())).unwrap();
        let mut dropped = pool.submit(square, (1,)).unwrap();
        let counts: [Arc<Count>; 3] = Default::default();
        let wakers = counts.clone().map(Waker::from);
        for waker in [&wakers[0], &wakers[0], &wakers[1]] {
            assert!(Pin::new(&mut later).poll(&mut Context::from_waker(waker)).is_pending());
        }
        assert!(Pin::new(&mut dropped).poll(&mut Context::from_waker(&wakers[2])).is_pending());
        drop(dropped);
        open.put(&0).unwrap();
        assert_eq!(pool.apply(square, (2,)).unwrap(), 4, "behind both");
        until(|| counts[1].0.load(Ordering::SeqCst) == 1);
        assert_eq!(counts.each_ref().map(|count| count.0.load(Ordering::SeqCst)), [0, 1, 0]);
        assert!(matches!(Pin::new(&mut later).poll(&mut Context::from_waker(&wakers[0])), Poll::Ready(Ok(1))));
        assert!(matches!(Pin::new(&mut later).poll(&mut Context::from_waker(&wakers[0])), Poll::Ready(Ok(1))), "again");
        assert_eq!(counts.each_ref().map(Arc::strong_count), [2, 2, 2], "nobody keeps a waker");
    });
}

#[test]
fn several_handles_are_waited_for() {
    watched(|| {
        let pools = [Pool::new(1).unwrap(), Pool::new(1).unwrap()];
        let (shut, open) = (queue(), queue());
        let calls =
            [pools[0].submit(gate, (0, shut.clone())).unwrap(), pools[1].submit(gate, (1, open.clone())).unwrap(), pools[1].submit(unlucky, (13,)).unwrap()];
        assert_eq!(wait_calls(&calls, WaitUntil::All, Some(Duration::ZERO)).unwrap(), [false; 3]);
        assert_eq!(wait_calls(&calls, WaitUntil::First, Some(Duration::from_millis(5))).unwrap(), [false; 3]);
        open.put(&0).unwrap();
        assert!(wait_calls(&calls, WaitUntil::First, None).unwrap().contains(&true));
        assert_eq!(wait_calls(&calls, WaitUntil::FirstError, Some(Duration::MAX)).unwrap(), [false, true, true]);
        shut.put(&0).unwrap();
        let some: Vec<_> = calls.iter().collect();
        assert_eq!(wait_calls(&some, WaitUntil::All, None).unwrap(), [true; 3]);
        assert_eq!(wait_calls::<u64, AsyncResult<u64>>(&[], WaitUntil::First, None).unwrap(), []);
    });
}

#[test]
fn handles_come_as_they_are_completed() {
    watched(|| {
        let pools = [Pool::new(1).unwrap(), Pool::new(1).unwrap()];
        let gates = [queue(), queue()];
        let calls = [(0, 0), (1, 1), (1, 1)].map(|(pool, gate_of): (usize, usize)| pools[pool].submit(gate, (7, gates[gate_of].clone())).unwrap());
        let mut completed = as_completed(calls);
        assert!(completed.next_timeout(Duration::ZERO).is_none() && completed.len() == 3);
        gates[1].put(&0).unwrap();
        assert_eq!(completed.next().unwrap().0, 1);
        gates[1].put(&0).unwrap();
        assert_eq!(completed.next_timeout(Duration::MAX).unwrap().0, 2);
        gates[0].put(&0).unwrap();
        let (number, call) = completed.next().unwrap();
        assert_eq!((number, call.get().unwrap()), (0, 7));
        assert!(completed.next().is_none() && completed.is_empty());
    });
}

#[test]
fn a_callback_cannot_wait_for_its_own_pool() {
    watched(|| {
        let (pool, open) = (Pool::new(1).unwrap(), queue());
        let first = pool.submit(gate, (0, open.clone())).unwrap();
        let rest = [pool.submit(gate, (1, open.clone())).unwrap()];
        let (say, hear) = mpsc::channel();
        first.on_done(move |_| {
            let wait = wait_calls(&rest, WaitUntil::All, None).unwrap_err().kind();
            let exception = rest[0].exception().unwrap().kind();
            let (number, call) = as_completed(rest).next().unwrap();
            say.send((wait, exception, number, call.get().unwrap_err().kind())).unwrap();
        });
        open.put(&0).unwrap();
        let refused = ErrorKind::Ipc(ipc::ErrorKind::InvalidArgument);
        assert_eq!(hear.recv().unwrap(), (refused, refused, 0, refused));
        open.put(&0).unwrap();
    });
}

#[test]
fn submissions_wait_for_room_and_callbacks_do_not() {
    watched(|| {
        let pool = Pool::builder().workers(1).max_pending(2).build().unwrap();
        let (open, ran) = (queue(), queue());
        let held: Vec<_> = (0..2).map(|n| pool.submit(gate, (n, open.clone())).unwrap()).collect();
        assert_eq!(pool.try_submit(square, (1,)).unwrap_err().kind(), ErrorKind::Ipc(ipc::ErrorKind::Full));
        std::thread::scope(|scope| {
            let third = scope.spawn(|| pool.submit(square, (3,)).unwrap().get().unwrap());
            let (say, hear) = mpsc::channel();
            std::thread::sleep(Duration::from_millis(20));
            assert!(!third.is_finished(), "no room");
            assert_eq!(pool.map(square, []).unwrap(), [], "a map does not wait");
            let (pool, ran) = (&pool, ran.clone());
            // The callback submits more than there is room for.
            std::thread::scope(|inner| {
                let out = ran.clone();
                let shared = Arc::new(Pool::builder().workers(1).max_pending(1).build().unwrap());
                let own = Arc::clone(&shared);
                shared
                    .apply_async_with(square, (1,), move |_| say.send((0..5).map(|n| own.submit(noted, (n, out.clone())).is_ok()).collect::<Vec<_>>()).unwrap())
                    .unwrap();
                assert_eq!(hear.recv().unwrap(), [true; 5]);
                inner.spawn(move || {
                    shared.close();
                    shared.join().unwrap();
                });
            });
            assert_eq!(ran.len(), 5);
            for _ in 0..2 {
                open.put(&0).unwrap();
            }
            assert_eq!(third.join().unwrap(), 9);
            assert!(wait_calls(&held, WaitUntil::All, None).unwrap().iter().all(|done| *done));
            pool.try_submit(square, (1,)).unwrap().get().unwrap();
        });
        for ends in [Pool::close as fn(&Pool), Pool::terminate] {
            let pool = Pool::builder().workers(1).max_pending(1).build().unwrap();
            let held = pool.submit(gate, (0, open.clone())).unwrap();
            std::thread::scope(|scope| {
                let refused = scope.spawn(|| pool.submit(square, (3,)).unwrap_err().kind());
                std::thread::sleep(Duration::from_millis(20));
                ends(&pool);
                assert!(matches!(refused.join().unwrap(), ErrorKind::PoolClosed | ErrorKind::Terminated));
            });
            open.put(&0).unwrap();
            assert!(held.wait(None));
            let _ = open.try_get();
        }
        assert!(Pool::builder().workers(1).max_pending(0).build().is_err());
    });
}

#[test]
fn priorities_decide_who_is_next() {
    watched(|| {
        let (pool, open, out) = (Pool::new(1).unwrap(), queue(), queue());
        let first = pool.submit(gate, (0, open.clone())).unwrap();
        until(|| pool.workers()[0].ready);
        for (n, priority) in
            [(30, Priority::Low), (20, Priority::Normal), (10, Priority::High), (31, Priority::Low), (21, Priority::Normal), (11, Priority::High)]
        {
            drop(pool.with(Options::new().priority(priority)).submit(noted, (n, out.clone())).unwrap());
        }
        // The gate's call may still be in the queue, behind those of high priority; opened now it changes no order among the rest.
        open.put(&0).unwrap();
        first.get().unwrap();
        pool.close();
        pool.join().unwrap();
        let order: Vec<u64> = std::iter::from_fn(|| out.try_get().ok()).collect();
        assert_eq!(order, [10, 11, 20, 21, 30, 31]);
    });
}

#[test]
fn an_imap_keeps_to_its_window_and_to_a_time() {
    watched(|| {
        let (pool, open) = (Pool::new(2).unwrap(), queue());
        let taken = AtomicUsize::new(0);
        let input = (0..100).inspect(|_| _ = taken.fetch_add(1, Ordering::SeqCst)).map(|n| (n, open.clone()));
        #[task]
        fn held((n, open): (u64, Queue<u64>)) -> u64 {
            gate(n, open)
        }
        let mut results = pool.with(Options::new().window(3).chunk_size(10)).imap(held, input).unwrap();
        let timeout = results.next_timeout(Duration::from_millis(5)).unwrap().unwrap_err();
        assert_eq!((timeout.kind(), taken.load(Ordering::SeqCst)), (ErrorKind::Ipc(ipc::ErrorKind::Timeout), 3));
        (0..100).for_each(|n| open.put(&n).unwrap());
        assert_eq!(results.next_timeout(Duration::MAX).unwrap().unwrap(), 0);
        assert!(results.map(Result::unwrap).eq(1..100));
        assert!(pool.with(Options::new().window(0)).imap(square, 0..2).is_err());
    });
}

#[test]
fn an_ended_pool_says_so() {
    watched(|| {
        let pool = Pool::new(1).unwrap();
        let done = pool.submit(square, (2,)).unwrap();
        assert!(pool.join().is_err(), "it is open");
        pool.close();
        pool.join().unwrap();
        assert_eq!(pool.submit(square, (1,)).unwrap_err().kind(), ErrorKind::PoolClosed);
        assert_eq!(pool.try_submit(square, (1,)).unwrap_err().kind(), ErrorKind::PoolClosed);
        pool.terminate();
        assert_eq!(pool.with(Options::new()).map(square, 0..3).unwrap_err().kind(), ErrorKind::Terminated);
        assert_eq!((done.get().unwrap(), done.cancel().unwrap()), (4, false));
        let open = queue();
        let pool = Pool::new(1).unwrap();
        let pending: Vec<_> = (0..5).map(|n| pool.submit(gate, (n, open.clone())).unwrap()).collect();
        let (say, hear) = mpsc::channel();
        pending[3].on_done(move |result| say.send(result.unwrap_err().kind()).unwrap());
        drop(pool);
        assert_eq!(hear.recv().unwrap(), ErrorKind::Terminated);
        for call in pending {
            assert_eq!(call.exception().unwrap().kind(), ErrorKind::Terminated);
            assert!(!call.cancel().unwrap());
        }
    });
}
