"""The lock family between processes, and what the reference raises."""

import threading
import time

import pytest

import polyproc


def release_later(lock, event):
    event.wait()
    lock.release()


def test_any_process_releases_a_lock_and_only_the_thread_an_rlock(ctx):
    lock, event = ctx.Lock(), ctx.Event()
    child = ctx.Process(target=release_later, args=(lock, event))
    child.start()
    assert lock.acquire() and not lock.acquire(False) and not lock.acquire(timeout=0.01)
    event.set()
    assert lock.acquire(timeout=60)
    lock.release()
    child.join()

    rlock = ctx.RLock()
    with rlock, rlock:
        assert repr(rlock) == "<RLock(MainProcess, 2)>"
        refused = []
        thread = threading.Thread(target=lambda: refused.append(rlock.acquire(False)))
        thread.start()
        thread.join()
        assert refused == [False]
    with pytest.raises(AssertionError, match="not owned"):
        rlock.release()
    assert repr(rlock) == "<RLock(None, 0)>"


def test_reprs_and_locked():
    lock = polyproc.Lock()
    assert repr(lock) == "<Lock(owner=None)>" and not lock.locked()
    with lock:
        assert repr(lock) == "<Lock(owner=MainProcess)>" and lock.locked()
    assert repr(polyproc.Semaphore(3)) == "<Semaphore(value=3)>"
    assert repr(polyproc.BoundedSemaphore(2)) == "<BoundedSemaphore(value=2, maxvalue=2)>"


def test_semaphores():
    semaphore = polyproc.Semaphore(2)
    assert semaphore.acquire() and semaphore.acquire() and not semaphore.acquire(False)
    assert semaphore.locked() and semaphore.get_value() == 0
    for _ in range(3):
        semaphore.release()
    assert semaphore.get_value() == 3
    with pytest.raises(ValueError, match="too many times"):
        polyproc.BoundedSemaphore(1).release()
    with pytest.raises(ValueError):
        polyproc.Semaphore(-1)


def hold_permit(semaphore, q):
    semaphore.acquire()
    q.put("held")
    time.sleep(600)


def test_a_killed_holders_permit_comes_back(ctx):
    semaphore, q = ctx.Semaphore(1), ctx.SimpleQueue()
    child = ctx.Process(target=hold_permit, args=(semaphore, q))
    child.start()
    assert q.get() == "held" and not semaphore.acquire(False)
    child.kill()
    assert semaphore.acquire(timeout=60)
    child.join()


def waiter(condition, ready, woken, timeout):
    with condition:
        ready.put(1)
        woken.put(condition.wait(timeout))


def test_condition(ctx):
    condition, ready, woken = ctx.Condition(), ctx.SimpleQueue(), ctx.SimpleQueue()
    children = [ctx.Process(target=waiter, args=(condition, ready, woken, 60)) for _ in range(3)]
    for child in children:
        child.start()
    for _ in children:
        ready.get()
    with condition:
        condition.notify(2)
    assert [woken.get(), woken.get()] == [True, True]
    with condition:
        assert woken.empty()
        condition.notify_all()
    assert woken.get() is True
    for child in children:
        child.join()
    with condition:
        assert condition.wait(0.01) is False
        assert condition.wait_for(lambda: 7, 0.01) == 7
    with pytest.raises(AssertionError):
        condition.wait(0.01)
    with pytest.raises(AssertionError):
        condition.notify()


def party(barrier, out):
    out.put(barrier.wait(60))


def test_barrier(ctx):
    barrier, out = ctx.Barrier(3), ctx.Queue()
    children = [ctx.Process(target=party, args=(barrier, out)) for _ in range(2)]
    for child in children:
        child.start()
    mine = barrier.wait(60)
    assert sorted([mine, out.get(timeout=60), out.get(timeout=60)]) == [0, 1, 2]
    for child in children:
        child.join()
    with pytest.raises(threading.BrokenBarrierError):
        barrier.wait(0.01)
    assert barrier.broken
    barrier.reset()
    assert not barrier.broken and barrier.parties == 3 and barrier.n_waiting == 0
    calls = []
    alone = ctx.Barrier(1, action=lambda: calls.append(1))
    assert alone.wait() == 0 and calls == [1]
