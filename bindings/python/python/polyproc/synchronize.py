"""Locks and what else processes wait for, on the fabric: safe against SIGKILL of whoever holds them.

Each is the extension's own type; the classes here add names for ``repr`` and how a condition keeps its lock.
"""

import os
import threading
import time

from . import _core, _handles
from ._async import AsyncAcquire, AsyncWait
from ._stdlib import complete
from ._stdlib import synchronize as _reference
from ._stdlib import process

__all__ = ["Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "Event", "Barrier"]

#: The largest value of a semaphore.
SEM_VALUE_MAX = 2**31 - 1

BrokenBarrierError = threading.BrokenBarrierError


def _holder(owner, mine):
    """How the reference names who holds a lock."""
    if owner is None:
        return "None"
    if owner != os.getpid():
        return "SomeOtherProcess"
    if not mine:
        return "SomeOtherThread"
    name = process.current_process().name
    thread = threading.current_thread().name
    return name if thread == "MainThread" else f"{name}|{thread}"


class Lock(_core.Lock, AsyncAcquire):
    __doc__ = _core.Lock.__doc__
    __slots__ = ("__weakref__",)  # without a dict, a method is found faster

    def __repr__(self):
        return f"<{type(self).__name__}(owner={_holder(self.owner(), True)})>"


class RLock(_core.RLock, AsyncAcquire):
    __doc__ = _core.RLock.__doc__
    __slots__ = ("__weakref__",)  # without a dict, a method is found faster

    def __repr__(self):
        owner, depth = self.owner(), self.depth()
        count = depth if depth or owner is None else "nonzero"
        return f"<{type(self).__name__}({_holder(owner, depth > 0)}, {count})>"


class Semaphore(_core.Semaphore, AsyncAcquire):
    __doc__ = _core.Semaphore.__doc__
    __slots__ = ("__weakref__",)  # without a dict, a method is found faster

    def __repr__(self):
        return f"<{type(self).__name__}(value={self.get_value()})>"


class BoundedSemaphore(_core.BoundedSemaphore, AsyncAcquire):
    __doc__ = _core.BoundedSemaphore.__doc__
    __slots__ = ("__weakref__",)  # without a dict, a method is found faster

    def __repr__(self):
        return f"<{type(self).__name__}(value={self.get_value()}, maxvalue={self.bound})>"


class Condition(_core.Condition):
    """Waiting until another process says so, on a lock of its own or a given one. A waiter that is killed is forgotten."""

    def __new__(cls, lock=None, *, ctx=None, fabric=None, name=None, ticket=None):
        if lock is None:
            lock = RLock(ctx=ctx, fabric=fabric, name=name and name + ".lock")
        self = super().__new__(cls, lock, name=name, ticket=ticket)
        self._lock = lock
        self.acquire, self.release, self.locked = lock.acquire, lock.release, lock.locked
        return self

    def __init__(self, lock=None, *, ctx=None, fabric=None, name=None, ticket=None):
        pass

    def __enter__(self):
        return self._lock.__enter__()

    def __exit__(self, *error):
        return self._lock.__exit__(*error)

    def wait_for(self, predicate, timeout=None):
        """Waits until `predicate` says yes; its last answer."""
        end = None if timeout is None else time.monotonic() + timeout
        while not (answer := predicate()):
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                break
            self.wait(left)
        return answer

    def __repr__(self):
        return f"<{type(self).__name__}({self._lock!r})>"

    def __reduce__(self):
        own = {name: value for name, value in self.__dict__.items() if name not in ("_lock", "acquire", "release", "locked")}
        return _handles.rebuild, (type(self), self.ticket(), _handles.descriptor(self.fabric), self._lock), own or None


class Event(_core.Event, AsyncWait):
    __doc__ = _core.Event.__doc__

    def __repr__(self):
        return f"<{type(self).__qualname__} at {id(self):#x} {'set' if self.is_set() else 'unset'}>"


class Barrier(_core.Barrier):
    __doc__ = _core.Barrier.__doc__

    def __repr__(self):
        state = "broken" if self.broken else f"waiters={self.n_waiting}/{self.parties}"
        return f"<{type(self).__module__}.{type(self).__qualname__} at {id(self):#x}: {state}>"

complete(globals(), _reference)
