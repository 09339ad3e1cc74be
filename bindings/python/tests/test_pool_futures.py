"""The executor: the whole API of the reference, and a death that costs one future."""

import os
import signal
import subprocess
import sys
import time

import pytest

import polyproc
from polyproc import futures


def sqr(x):
    return x * x


def raises(x):
    raise ValueError(x)


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


def waits(queue, answer=None):
    queue.get(timeout=60)
    return answer


def begins(begun, queue):
    begun.put(1)
    return queue.get(timeout=60)


@pytest.fixture
def executor():
    with futures.ProcessPoolExecutor(2, mp_context=polyproc.get_context("fork")) as executor:
        yield executor


def test_every_start_method(ctx):
    with futures.ProcessPoolExecutor(2, mp_context=ctx) as executor:
        assert executor.submit(sqr, 7).result(60) == 49
        assert list(executor.map(sqr, range(10), chunksize=3)) == [n * n for n in range(10)]
        assert list(executor.map(pow, [2, 3], [4, 2])) == [16, 9]


def test_a_death_costs_one_future(executor):
    good = [executor.submit(sqr, n) for n in range(20)]
    victim = executor.submit(dies)
    more = [executor.submit(sqr, n) for n in range(20)]
    error = victim.exception(60)
    assert isinstance(error, futures.BrokenProcessPool) and isinstance(error, futures.WorkerDied) and error.exitcode == -signal.SIGKILL
    assert [future.result(60) for future in good + more] == [n * n for n in range(20)] * 2
    assert executor.submit(sqr, 3).result(60) == 9


def test_futures_as_the_reference_has_them(executor):
    future = executor.submit(raises, "x")
    done, _ = futures.wait([future], timeout=60)
    assert done == {future} and isinstance(future.exception(), ValueError) and future.done() and not future.cancelled()
    assert {future.result() for future in futures.as_completed([executor.submit(sqr, n) for n in range(5)])} == {0, 1, 4, 9, 16}
    told = []
    executor.submit(sqr, 4).add_done_callback(lambda future: told.append(future.result()))
    while not told:
        time.sleep(0.001)
    assert told == [16]
    with pytest.raises(SystemExit):
        executor.submit(sys.exit, 3).result(60)


def test_cancel(executor):
    begun, queue = polyproc.Queue(), polyproc.Queue()
    running = [executor.submit(begins, begun, queue) for _ in range(2)]
    waiting = executor.submit(sqr, 1)
    begun.get(timeout=60), begun.get(timeout=60)
    assert waiting.cancel() and waiting.cancelled() and not running[0].cancel()
    with pytest.raises(futures.CancelledError):
        waiting.result()
    queue.put("one")
    futures.wait(running, return_when=futures.FIRST_COMPLETED)
    left = [future for future in running if not future.done()]
    assert len(left) == 1 and left[0].cancel_running(grace=0.01)
    with pytest.raises(futures.CancelledError):
        left[0].result(60)


def test_shutdown_cancels_what_has_not_begun():
    executor = futures.ProcessPoolExecutor(1, mp_context=polyproc.get_context("fork"))
    begun, queue = polyproc.Queue(), polyproc.Queue()
    running = executor.submit(begins, begun, queue)
    waiting = [executor.submit(sqr, n) for n in range(5)]
    begun.get(timeout=60)
    executor.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in waiting) and not running.done()
    queue.put("end")
    executor.shutdown()
    assert running.result() == "end"
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(sqr, 1)


def test_times_and_bounds(executor):
    queue = polyproc.Queue()
    with pytest.raises(TimeoutError):
        list(executor.map(waits, [queue], timeout=0.1))
    queue.put(1)
    read = []

    def numbers():
        for n in range(50):
            read.append(n)
            yield n

    results = executor.map(sqr, numbers(), buffersize=4)
    for n in range(20):
        assert next(results) == n * n and len(read) <= n + 1 + 4
    assert len(list(results)) == 30
    with pytest.raises(TimeoutError):
        executor.submit_with({"timeout": 0.05}, time.sleep, 600).result(60)
    for bad in ({"max_workers": 0}, {"max_tasks_per_child": 0}):
        with pytest.raises(ValueError):
            futures.ProcessPoolExecutor(**bad)


def test_workers_are_ended_at_once():
    for end in ("terminate_workers", "kill_workers"):
        executor = futures.ProcessPoolExecutor(1, mp_context=polyproc.get_context("fork"))
        future = executor.submit(time.sleep, 600)
        getattr(executor, end)()
        assert isinstance(future.exception(60), futures.BrokenProcessPool)


def test_a_program_ends_when_its_calls_have(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import time\n"
        "from polyproc.futures import ProcessPoolExecutor\n"
        "def say(n):\n"
        "    time.sleep(0.05)\n"
        "    print(n, flush=True)\n"
        "if __name__ == '__main__':\n"
        "    executor = ProcessPoolExecutor(1)\n"
        "    for n in range(3):\n"
        "        executor.submit(say, n)\n"
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=100)
    assert (done.stdout, done.stderr, done.returncode) == ("0\n1\n2\n", "", 0)
