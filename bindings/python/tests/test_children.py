"""Children of every start method use what the parent made."""

import os
import pickle
import queue
import signal
import time
import warnings

import pytest

import polyproc


def put_and_count(q, lock, n):
    for i in range(n):
        with lock:
            q.put((os.getpid(), i))


def test_children_put_and_lock(ctx):
    q, lock = ctx.Queue(), ctx.Lock()
    children = [ctx.Process(target=put_and_count, args=(q, lock, 50)) for _ in range(2)]
    for child in children:
        child.start()
    got = [q.get(timeout=60) for _ in range(100)]
    for child in children:
        child.join()
        assert child.exitcode == 0
        assert [i for pid, i in got if pid == child.pid] == list(range(50))
    assert q.empty()


def make_and_send(q):
    inner = polyproc.Queue()
    inner.put("from a child")
    q.put(inner)  # from now on it belongs to the fabric


def test_a_childs_queue_outlives_it(ctx):
    q = ctx.Queue()
    child = ctx.Process(target=make_and_send, args=(q,))
    child.start()
    child.join()
    assert q.get(timeout=60).get(timeout=60) == "from a child"


def hold(lock, q):
    lock.acquire()
    q.put("held")
    time.sleep(600)


@pytest.mark.parametrize("kind", ["Lock", "RLock"])
@pytest.mark.parametrize("acquire", [lambda lock: lock.acquire(timeout=60), lambda lock: lock.acquire(), lambda lock: lock.__enter__()], ids=["timeout", "plain", "with"])
@pytest.mark.parametrize("waits", [True, False])
def test_a_killed_holder_is_told(ctx, kind, acquire, waits):
    q, lock = ctx.Queue(), getattr(ctx, kind)()
    child = ctx.Process(target=hold, args=(lock, q))
    child.start()
    assert q.get(timeout=60) == "held"
    assert not lock.acquire(False)
    child.kill()
    if not waits:
        child.join()
    with pytest.warns(polyproc.OwnerDiedWarning):
        assert acquire(lock)
    assert lock.recovered
    lock.release()
    child.join()
    assert lock.acquire() and not lock.recovered
    lock.release()


def test_a_warning_that_is_an_error_leaves_the_lock_free(ctx):
    q, lock = ctx.Queue(), ctx.Lock()
    child = ctx.Process(target=hold, args=(lock, q))
    child.start()
    assert q.get(timeout=60) == "held"
    child.kill()
    child.join()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(polyproc.OwnerDiedWarning):
            lock.acquire()
    assert not lock.locked()


def test_nothing_of_the_standard_library_is_used(ctx, tmp_path):
    """No semaphore or segment by name, and no resource tracker for our objects."""
    before = set(os.listdir("/dev/shm"))
    q, lock = ctx.Queue(), ctx.Lock()
    q.put(lock)
    assert q.get().acquire(False)
    assert not {name for name in set(os.listdir("/dev/shm")) - before if name.startswith(("sem.", "psm_"))}


def test_a_handler_that_raises_ends_a_wait_and_another_does_not():
    q, calls = polyproc.Queue(), []

    def handler(*_):
        calls.append(time.monotonic())
        if len(calls) == 2:
            raise KeyError("on purpose")

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        with pytest.raises(KeyError):
            q.get()
        assert len(calls) == 2
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        began = time.monotonic()
        with pytest.raises(queue.Empty):
            q.get(timeout=0.3)
        assert time.monotonic() - began >= 0.3
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_handles_pickle():
    lock = polyproc.Lock()
    again = pickle.loads(pickle.dumps(lock))
    with again:
        assert lock.locked()
    assert not lock.locked()
    with pytest.raises(ValueError, match="released too many times"):
        lock.release()
