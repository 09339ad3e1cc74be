"""More than the reference has: leases, lanes, named fabrics, asyncio, shutting down for everybody."""

import asyncio
import doctest
import os
import queue
import time
from multiprocessing import connection

import pytest

import polyproc


def take_and_wait(q, told):
    with q.lease() as message:
        told.put(message.value)
        time.sleep(600)


def test_a_killed_holders_message_goes_back(ctx):
    q, told = ctx.Queue(), ctx.Queue()
    q.put("job")
    child = ctx.Process(target=take_and_wait, args=(q, told))
    child.start()
    assert told.get(timeout=60) == "job" and q.empty() and q.leased() == 1
    child.kill()
    with q.lease(timeout=60) as message:
        assert (message.value, message.deliveries) == ("job", 2)
    child.join()
    assert q.empty() and q.leased() == 0


def test_a_lease_ends_by_what_happened():
    letters = polyproc.queues.Queue()
    q = polyproc.queues.Queue(max_deliveries=2, dead_letters=letters)
    q.put("bad")
    for _ in range(2):
        with pytest.raises(KeyError), q.lease():
            raise KeyError
    assert q.empty() and letters.get() == "bad"
    q.put("later")
    q.lease().nak(0.01)
    lease = q.lease(timeout=60, limit=60)
    lease.extend(90)
    lease.ack()
    with pytest.raises(ValueError):
        lease.ack()
    with pytest.raises(queue.Empty):
        q.lease(False)


def test_lanes_and_many():
    q = polyproc.queues.Queue(lanes=3)
    q.put_to(2, "low")
    q.put_many(["a", b"x" * 5000, "b"])
    assert q.get_many(10) == ["a", b"x" * 5000, "b", "low"]
    small = polyproc.Queue(2)
    small.put_many(range(2))
    with pytest.raises(queue.Full):
        small.put_many([1], timeout=0.01)
    with pytest.raises(queue.Full):
        small.put(1, timeout=0.01)
    assert small.full() and small.maxsize == 2


def test_shutdown_is_for_everybody():
    q = polyproc.Queue()
    q.put(1)
    q.shutdown()
    with pytest.raises(ValueError):
        q.put(2)
    assert q.get() == 1
    with pytest.raises(ValueError):
        q.get()


def fill(name):
    world = polyproc.Fabric(name)
    world.Queue("jobs").put(["from", "afar"])
    world.dict("d")["k"] = (1, 2)
    world.Lock("l").acquire()


def test_a_named_fabric():
    name = f"pytest-{os.getpid()}"
    world = polyproc.Fabric(name)
    ctx = polyproc.get_context("spawn")
    child = ctx.Process(target=fill, args=(name,))
    child.start()
    child.join()
    assert world.Queue("jobs").get() == ["from", "afar"] and world.dict("d")["k"] == (1, 2)
    with pytest.warns(polyproc.OwnerDiedWarning):
        assert world.Lock("l").acquire(timeout=60)
    assert ("jobs", "queue") in world.objects() and os.getpid() in world.members() and world.name == name
    with pytest.raises(TypeError):
        world.Lock("jobs")
    world.remove("jobs")
    condition = world.Condition("c")
    with condition:
        condition.notify()
    world.set("s").add(1), world.list("i").append(1), world.Event("e").set(), world.Namespace("n")


def test_asyncio():
    async def main():
        q, lock, event, pipe = polyproc.Queue(), polyproc.Lock(), polyproc.Event(), []
        with pytest.raises(queue.Empty):
            await q.get_async(timeout=0.01)
        waiting = asyncio.ensure_future(q.get_async())
        await asyncio.sleep(0)
        q.put("x")
        assert await waiting == "x"
        async with lock:
            assert not await lock.acquire_async(timeout=0.01)
            later = asyncio.ensure_future(lock.acquire_async())
            await asyncio.sleep(0)
        assert await later and lock.locked()
        lock.release()
        assert not await event.wait_async(0.01)
        event.set()
        assert await event.wait_async()
        q.put_many("ab")
        q.shutdown()
        async for value in q:
            pipe.append(value)
        assert pipe == ["a", "b"]

    asyncio.run(main())


def test_a_queue_among_what_is_waited_for():
    q = polyproc.Queue()
    assert connection.wait([q._reader], 0.01) == []
    q.put(1)
    reader = q._reader
    assert connection.wait([reader], 60) == [reader] and reader.poll() and not reader.closed


def test_doctests():
    from polyproc import _fabric
    assert doctest.testmod(_fabric).failed == 0
