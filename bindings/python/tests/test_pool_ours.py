"""What our pools have beside the reference's: options, cancel, limits, tasks of any language, results of workers' ends."""

import json
import os
import signal
import time

import pytest

import polyproc
from polyproc import pool as pools


def sqr(x):
    return x * x


def dies_first(queue):
    """The first attempt dies."""
    if queue.get(timeout=60) == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return "second"


def raises_first(queue):
    if queue.get(timeout=60) == "die":
        raise ValueError("first")
    return "second"


def waits(begun, seconds=600.0):
    begun.put(os.getpid())
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if pools.cancelled():
            return "told"
        time.sleep(0.01)


def stubborn(begun):
    begun.put(os.getpid())
    time.sleep(600)


def grows(size):
    data = b"x" * size
    time.sleep(600)
    return len(data)


_count = 0


def count(n):
    global _count
    _count += n
    return pools.worker_number()


def counted():
    return _count


@pytest.fixture
def pool():
    with polyproc.get_context("fork").Pool(2) as pool:
        yield pool


def test_retries(pool):
    queue = polyproc.Queue()
    queue.put_many(["die", "live"] * 2)
    again = pool.with_options(retries=2, backoff=0.01)
    assert again.apply(dies_first, (queue,)) == "second"
    with pytest.raises(ValueError):
        again.apply(raises_first, (queue,))
    assert queue.get() == "live"
    queue.put_many(["die", "live"])
    assert pool.with_options(retries=1, retry_errors=True).apply(raises_first, (queue,)) == "second"


def test_time_limits(pool):
    begun = polyproc.Queue()
    with pytest.raises(TimeoutError) as caught:
        pool.with_options(timeout=0.1).apply(stubborn, (begun,))
    assert isinstance(caught.value, pools.TaskTimeoutError) and not isinstance(caught.value, polyproc.TimeoutError)
    assert pool.with_options(soft_timeout=0.05).apply(waits, (begun,)) == "told"
    assert pool.apply(sqr, (2,)) == 4


def test_cancel(pool):
    begun = polyproc.Queue()
    running = [pool.apply_async(stubborn, (begun,)) for _ in range(2)]
    waiting = pool.apply_async(sqr, (1,))
    begun.get(timeout=60), begun.get(timeout=60)
    assert waiting.cancel() and running[0].cancel(grace=0.05)
    for call in (waiting, running[0]):
        with pytest.raises(pools.CancelledError):
            call.get(60)
    assert not waiting.cancel()
    told = pool.apply_async(waits, (begun,))
    begun.get(timeout=60)
    assert told.cancel(grace=None) and told.get(60) == "told"


def test_memory_limit():
    with polyproc.get_context("fork").Pool(1, memory_limit=300 << 20) as pool:
        with pytest.raises(MemoryError) as caught:
            pool.apply(grows, (400 << 20,))
        assert isinstance(caught.value, pools.WorkerDiedError)
        assert pool.apply(sqr, (2,)) == 4


def test_restart_limit():
    with polyproc.get_context("fork").Pool(1, restart_limit=(0, 60.0)) as pool:
        with pytest.raises(pools.WorkerDiedError):
            pool.apply(os._exit, (3,))
        with pytest.raises(pools.GaveUp):
            while True:
                pool.apply(sqr, (1,))


def test_exit_results_and_numbers():
    pool = polyproc.get_context("fork").Pool(2, worker_exit=counted)
    assert set(pool.map(count, [1] * 100, 1)) <= {0, 1}
    pool.close()
    pool.join()
    assert sum(pool.exit_results()) == 100 and pool.exit_results() == []


def test_progress_resize_and_trace(pool, tmp_path):
    pool.map(sqr, range(100), 10)
    assert pool.progress() == (10, 0, 10, 0)
    pool.resize(3)
    while len(pool.workers()) != 3:
        time.sleep(0.01)
    assert pool.map(sqr, range(5)) == [0, 1, 4, 9, 16]
    path = tmp_path / "trace.json"
    pool.trace(path)
    assert json.loads(path.read_text())["traceEvents"]


@pools.task(name="test.half")
def half(n):
    return n / 2


@pools.task
def echo(*values):
    return list(values)


def test_tasks_by_name(pool):
    assert half(4) == 2
    assert pool.call("test.half", 5) == 2.5
    values = [None, True, -(1 << 70), 1.5, "\u00e9", b"\0", [1], (2, 3), {"a": {4}}]
    assert pool.call(echo, *values) == values
    with pytest.raises(pools.UnknownTask, match="test.none"):
        pool.call("test.none")
    with pytest.raises(TypeError):
        pool.call("test.half", "x")
    with pytest.raises(TypeError, match="plain values"):
        pool.call("test.half", object())
    with pytest.raises(polyproc.pool.Error):
        pools.task(name="test.half")(half)


def test_bad_options(pool):
    for bad in ({"priority": "urgent"}, {"timeout": -1.0}, {"backoff": float("nan")}):
        with pytest.raises(ValueError):
            pool.with_options(**bad)
    with pytest.raises(TypeError):
        pool.with_options(nonsense=1)
