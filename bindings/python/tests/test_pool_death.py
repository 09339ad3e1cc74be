"""Workers that die: the task that they were in fails, with the cause, and nothing else."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import polyproc
from polyproc import pool as pools


def sqr(x):
    return x * x


def who():
    return os.getpid()


def dies_by(number):
    os.kill(os.getpid(), number)
    time.sleep(600)


def crashes():
    ctypes.string_at(0)


def leaves(code):
    os._exit(code)


def dies_at_13(n):
    if n == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def works(n):
    total = 0
    for i in range(200):
        total += i
    return n


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_the_cause_is_told(ctx, number):
    with ctx.Pool(1) as pool:
        pid = pool.apply(who)
        with pytest.raises(pools.WorkerDiedError, match="signal") as caught:
            pool.apply(dies_by, (number,))
        assert (caught.value.exitcode, caught.value.pid) == (-number, pid)
        assert pool.apply(sqr, (7,)) == 49


def test_a_crash_in_c_fails_its_task():
    with polyproc.get_context("fork").Pool(1) as pool:
        with pytest.raises(pools.WorkerDiedError, match="SIGSEGV"):
            pool.apply(crashes)
        with pytest.raises(pools.WorkerDiedError) as caught:
            pool.apply(leaves, (7,))
        assert caught.value.exitcode == 7
        assert pool.apply(sqr, (3,)) == 9


def test_others_of_the_map_are_not_lost(ctx):
    with ctx.Pool(2) as pool:
        results = [pool.apply_async(dies_at_13, (n,)) for n in range(40)]
        for n, result in enumerate(results):
            if n == 13:
                with pytest.raises(pools.WorkerDiedError):
                    result.get(60)
            else:
                assert result.get(60) == n
        told = 0
        iterator = pool.imap_unordered(dies_at_13, range(40))
        values = set()
        while True:
            try:
                values.add(next(iterator))
            except StopIteration:
                break
            except pools.WorkerDiedError:
                told += 1
        assert told == 1 and values == set(range(40)) - {13}
        with pytest.raises(pools.WorkerDiedError):
            pool.map(dies_at_13, range(40))


def test_under_random_kills_every_call_is_settled(ctx):
    with ctx.Pool(2) as pool:
        over, kills = threading.Event(), []

        def killer():
            while not over.wait(0.02):
                # Of those that have done something: else nothing is ever done where a start takes longer than a kill.
                ready = [worker.pid for worker in pool.workers() if worker.finished >= 20]
                if ready:
                    victim = ready[len(kills) % len(ready)]
                    try:
                        os.kill(victim, signal.SIGKILL)
                        kills.append(victim)
                    except ProcessLookupError:
                        pass

        thread = threading.Thread(target=killer)
        thread.start()
        good = died = 0
        try:
            while len(kills) < 5:
                results = [pool.apply_async(works, (n,)) for n in range(200)]
                for n, result in enumerate(results):
                    try:
                        assert result.get(60) == n
                        good += 1
                    except pools.WorkerDiedError as error:
                        assert error.exitcode == -signal.SIGKILL and error.pid in kills
                        died += 1
        finally:
            over.set()
            thread.join()
        assert good > 0
        assert pool.map(sqr, range(10)) == [n * n for n in range(10)]


def test_an_idle_worker_that_is_killed_is_replaced(ctx):
    with ctx.Pool(1) as pool:
        for _ in range(3):
            pid = pool.apply(who)
            os.kill(pid, signal.SIGKILL)
            while pool.apply(who) == pid:
                pass


PROGRAM = """
import polyproc, sys, time, os
def who(): return os.getpid()
if __name__ == "__main__":
    pool = polyproc.get_context(sys.argv[1]).Pool(2)
    pool.map(abs, range(10), 1)
    while not all(worker.ready for worker in pool.workers()):
        time.sleep(0.01)
    busy = pool.apply_async(time.sleep, (600,))
    print(*(worker.pid for worker in pool.workers()), flush=True)
    time.sleep(600)
"""


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_workers_end_with_a_killed_parent(tmp_path, ctx):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    child = subprocess.Popen([sys.executable, str(program), ctx.get_start_method()], stdout=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in child.stdout.readline().split()]
    assert len(pids) == 2 and all(map(runs, pids))
    child.kill()
    child.wait()
    while any(map(runs, pids)):
        time.sleep(0.01)
    child.stdout.close()


def test_a_worker_that_cannot_begin_is_told(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import polyproc, sys\n"
        "if __name__ != '__main__':\n"
        "    raise ImportError('not twice')\n"
        "pool = polyproc.get_context('spawn').Pool(1)\n"
        "try:\n"
        "    pool.apply(abs, (-1,))\n"
        "except polyproc.pool.GaveUp as error:\n"
        "    print('told')\n"
        "pool.terminate()\n"
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=100)
    assert done.stdout == "told\n" and "not twice" in done.stderr
