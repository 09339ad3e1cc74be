"""Pools as the reference has them."""

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings
import weakref

import pytest

import polyproc
from polyproc import pool as pools


def sqr(x, wait=0.0):
    time.sleep(wait)
    return x * x


def add(a, b=10, *, c=0):
    return a + b + c


def who(_=None):
    return os.getpid()


def raises(x):
    raise ValueError(f"no {x}")


def quits(code):
    sys.exit(code)


def interrupts():
    raise KeyboardInterrupt("by a task")


class Unsent(Exception):
    """Cannot be made again from its arguments."""

    def __init__(self, one, two):
        super().__init__(one)


def raises_unsent():
    raise Unsent("first", "second")


def cannot_be_sent():
    return lambda: 1


@pytest.fixture
def pool():
    with polyproc.get_context("fork").Pool(2) as pool:
        yield pool
    pool.join()


def test_every_start_method_has_all_calls(ctx):
    with ctx.Pool(2) as pool:
        assert pool.apply(add, (1,), {"c": 5}) == 16
        assert pool.apply_async(add, [1, 2]).get(60) == 3
        assert pool.map(sqr, range(20)) == [n * n for n in range(20)]
        assert pool.starmap(add, [(1, 2), (3, 4)]) == [3, 7]
        assert list(pool.imap(sqr, range(20))) == [n * n for n in range(20)]
        assert sorted(pool.imap_unordered(sqr, range(20), 3)) == [n * n for n in range(20)]
        assert repr(pool) == "<polyproc.pool.Pool state=RUN pool_size=2>"
        assert {worker.pid for worker in pool.workers()} == {process.pid for process in pool._pool}
    pool.join()
    assert not polyproc.active_children()


def test_callbacks_come_before_the_result(pool):
    told = []
    result = pool.apply_async(sqr, (3,), callback=told.append)
    assert result.get(60) == 9 and told == [9]
    result = pool.map_async(raises, [1], callback=told.append, error_callback=lambda error: told.append(str(error)))
    result.wait(60)
    assert told == [9, "no 1"] and result.ready() and not result.successful()
    assert isinstance(result, pools.MapResult) and isinstance(result, pools.AsyncResult)


def test_a_callback_that_raises_stops_no_other(pool, monkeypatch):
    seen = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))
    first = pool.apply_async(sqr, (1,), callback=lambda _: 1 / 0)
    assert first.get(60) == 1
    assert pool.apply_async(sqr, (2,), callback=seen.append).get(60) == 4
    assert seen == [ZeroDivisionError, 4]


def test_times(pool):
    result = pool.apply_async(sqr, (2, 1.0))
    began = time.monotonic()
    with pytest.raises(polyproc.TimeoutError):
        result.get(0.05)
    assert time.monotonic() - began >= 0.05
    with pytest.raises(ValueError, match="not ready"):
        result.successful()
    assert result.get() == 4 and result.successful() and result.get() == 4
    iterator = pool.imap(sqr, [0.3])
    slow = pool.imap(time.sleep, [0.5])
    with pytest.raises(polyproc.TimeoutError):
        slow.next(0.05)
    assert slow.next() is None and iterator.next() == 0.3 * 0.3
    with pytest.raises(StopIteration):
        iterator.next()


def test_exceptions_come_with_their_traceback(pool):
    with pytest.raises(ValueError, match="no 1") as caught:
        pool.apply(raises, (1,))
    assert type(caught.value.__cause__) is pools.RemoteTraceback and "in raises" in str(caught.value.__cause__)
    with pytest.raises(ValueError):
        pool.map(raises, range(3))
    with pytest.raises(ValueError):
        list(pool.imap_unordered(raises, range(3)))


def test_what_ends_a_process_fails_a_task_only(pool):
    pids = set(pool.map(who, range(50), 1))
    with pytest.raises(pools.TaskError, match=r"SystemExit\(3\)") as caught:
        pool.apply(quits, (3,))
    assert isinstance(caught.value.__cause__, SystemExit)
    with pytest.raises(pools.TaskError, match="KeyboardInterrupt"):
        pool.apply(interrupts)
    assert set(pool.map(who, range(50), 1)) <= pids | {worker.pid for worker in pool.workers()}


def test_what_cannot_travel_says_so(pool):
    for unsent in (lambda: 1, lambda x: x):
        with pytest.raises(pickle.PicklingError, match="lambda"):
            pool.apply_async(unsent)
        with pytest.raises(pickle.PicklingError, match="lambda"):
            pool.map_async(unsent, [1])

    class Local:
        pass

    with pytest.raises(pickle.PicklingError, match="Local"):
        pool.apply_async(sqr, (Local(),))
    with pytest.raises(pools.MaybeEncodingError, match="lambda") as caught:
        pool.apply(cannot_be_sent)
    assert "lambda" in caught.value.value
    with pytest.raises(pools.RemoteError, match="first"):
        pool.apply(raises_unsent)


def failing(n):
    yield from range(n)
    raise KeyError("input")


def test_input_that_fails(pool):
    with pytest.raises(KeyError):
        pool.map(sqr, failing(3))
    for iterator in (pool.imap(sqr, failing(3)), pool.imap(sqr, failing(3), 1)):
        assert [next(iterator) for _ in range(3)] == [0, 1, 4]
        with pytest.raises(KeyError):
            next(iterator)
        with pytest.raises(StopIteration):
            next(iterator)


def test_a_buffer_bounds_what_is_read_ahead(pool):
    read = []

    def numbers():
        for n in range(100):
            read.append(n)
            yield n

    iterator = pool.imap(sqr, numbers(), buffersize=5)
    for n in range(50):
        assert next(iterator) == n * n
        assert len(read) <= n + 1 + 6
    assert len(list(iterator)) == 50
    for bad, error in ((0, ValueError), (-1, ValueError), ("5", TypeError)):
        with pytest.raises(error):
            pool.imap(sqr, [], buffersize=bad)


def test_a_closed_pool_reads_what_was_begun():
    pool = polyproc.get_context("fork").Pool(2)
    iterator = pool.imap(sqr, (time.sleep(0.001) or n for n in range(100)))
    result = pool.apply_async(sqr, (5,))
    pool.close()
    with pytest.raises(ValueError, match="Pool not running"):
        pool.apply(sqr, (1,))
    pool.join()
    assert list(iterator) == [n * n for n in range(100)] and result.get() == 25


def test_state_is_checked():
    pool = polyproc.get_context("fork").Pool(1)
    with pytest.raises(ValueError, match="still running"):
        pool.join()
    with pytest.raises(NotImplementedError):
        pickle.dumps(pool)
    pending = pool.apply_async(time.sleep, (600,))
    pool.terminate()
    pool.join()
    with pytest.raises(pools.Terminated):
        pending.get(60)
    for bad in ({"processes": 0}, {"maxtasksperchild": 0}, {"maxtasksperchild": "x"}):
        with pytest.raises(ValueError):
            polyproc.Pool(**{"processes": 1, **bad})
    with pytest.raises(TypeError):
        polyproc.Pool(1, initializer=5)


def test_a_pool_that_is_forgotten_warns_and_ends():
    pool = polyproc.get_context("fork").Pool(1)
    seen, (process,) = weakref.ref(pool), pool._pool
    with pytest.warns(ResourceWarning, match="unclosed running"):
        del pool
        gc.collect()
    assert seen() is None
    process.join()
    assert not process.is_alive()


def test_a_handle_keeps_its_pool():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        result = polyproc.get_context("fork").Pool(1).apply_async(sqr, (3, 0.2))
        gc.collect()
        assert result.get(60) == 9
        del result
        gc.collect()


_kept = None


def keep(value):
    global _kept
    _kept = value


def kept(_=None):
    return _kept


def fails():
    raise RuntimeError("no start")


def test_initializer(ctx):
    with ctx.Pool(2, keep, ("here",)) as pool:
        assert pool.map(kept, range(4), 1) == ["here"] * 4


def test_an_initializer_that_fails_ends_the_pool():
    with polyproc.get_context("fork").Pool(2, fails) as pool:
        with pytest.raises(pools.GaveUp, match="no start"):
            pool.apply(sqr, (1,))


def test_workers_are_replaced_after_so_many_tasks():
    with polyproc.get_context("fork").Pool(2, maxtasksperchild=3) as pool:
        pids = [result.get(60) for result in [pool.apply_async(who) for _ in range(30)]]
    assert max(pids.count(pid) for pid in pids) <= 3


def test_objects_of_the_fabric_travel(pool):
    queue, lock = polyproc.Queue(), polyproc.Lock()
    pool.apply(put_under, (queue, lock, "value"))
    assert queue.get(timeout=60) == "value"


def put_under(queue, lock, value):
    with lock:
        queue.put(value)


def test_large_values_travel(pool):
    data = os.urandom(3 << 20)
    assert pool.apply(reverse, (data,)) == data[::-1]
    array = bytearray(data)
    assert pool.apply(reverse, (array,)) == data[::-1]


def reverse(data):
    return bytes(data[::-1])


def test_ctrl_c_ends_a_wait_at_once(pool):
    result = pool.apply_async(time.sleep, (600,))
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        result.get()
    assert pool.apply(sqr, (2,)) == 4


PROGRAM = """
import polyproc, sys, time
def sqr(x): return x * x
if __name__ == "__main__":
    pool = polyproc.get_context(sys.argv[1]).Pool(2)
    print(pool.map(sqr, range(3)), flush=True)
    pending = pool.apply_async(time.sleep, (600,))
    iterator = pool.imap(sqr, range(3))
    {last}
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("last", ["pass", "sys.exit(0)", "1 / 0", "del pool"])
def test_a_program_ends_with_a_live_pool(tmp_path, method, last):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.replace("{last}", last))
    done = subprocess.run([sys.executable, str(program), method], capture_output=True, text=True, timeout=100)
    assert done.stdout == "[0, 1, 4]\n"
    if last == "1 / 0":
        assert done.returncode == 1 and done.stderr.count("Traceback") == 1
    else:
        assert done.returncode == 0 and done.stderr == ""


def test_subclasses_may_choose_the_process():
    made = []

    class Mine(pools.Pool):
        @staticmethod
        def Process(ctx, *args, **kwds):
            made.append(1)
            return ctx.Process(*args, **kwds)

    with Mine(2, context=polyproc.get_context("fork")) as pool:
        assert pool.map(sqr, [2]) == [4] and len(made) == 2


def test_threads():
    with pools.ThreadPool(2) as pool:
        assert pool.map(sqr, range(5)) == [0, 1, 4, 9, 16]
