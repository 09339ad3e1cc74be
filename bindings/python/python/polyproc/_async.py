"""Forms for asyncio: a wait is for a descriptor that is readable when the object may be ready, so no thread is blocked."""

import asyncio

from queue import Empty


async def _ready(pollable, deadline):
    """Waits until the descriptor is readable. False: time was up."""
    loop = asyncio.get_running_loop()
    if pollable.is_ready():
        return True
    ready = loop.create_future()

    def tell():
        if not ready.done():
            ready.set_result(True)

    loop.add_reader(pollable.fileno(), tell)
    try:
        left = None if deadline is None else max(deadline - loop.time(), 0)
        await asyncio.wait_for(ready, left)
        return True
    except asyncio.TimeoutError:
        return False
    finally:
        loop.remove_reader(pollable.fileno())


async def until(pollable, attempt, timeout):
    """Tries again whenever the object may be ready, until `attempt` answers a pair whose first is true."""
    loop = asyncio.get_running_loop()
    deadline = None if timeout is None else loop.time() + timeout
    watched = pollable()
    while True:
        done, answer = attempt()
        if done:
            return True, answer
        if not await _ready(watched, deadline):
            return False, answer
        watched.rearm()


class AsyncGet:
    """What queues have for asyncio."""

    async def get_async(self, timeout=None):
        """As ``get``, for asyncio."""

        def attempt():
            try:
                return True, self.get_nowait()
            except Empty:
                return False, None

        done, value = attempt()
        if not done:
            done, value = await until(self.pollable, attempt, timeout)
        if not done:
            raise Empty
        return value

    def __aiter__(self):
        return self

    async def __anext__(self):
        from ._errors import ClosedError

        try:
            return await self.get_async()
        except ClosedError:
            raise StopAsyncIteration from None


class AsyncAcquire:
    """What locks and semaphores have for asyncio."""

    __slots__ = ()

    async def acquire_async(self, timeout=None):
        """As ``acquire``, for asyncio."""
        if self.acquire(False):
            return True
        done, _ = await until(self.pollable, lambda: (self.acquire(False), None), timeout)
        return done

    async def __aenter__(self):
        return await self.acquire_async()

    async def __aexit__(self, *error):
        self.release()


class AsyncWait:
    """What events have for asyncio."""

    async def wait_async(self, timeout=None):
        """As ``wait``, for asyncio."""
        done, _ = await until(self.pollable, lambda: (self.is_set(), None), timeout)
        return done
