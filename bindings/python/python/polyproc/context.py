"""Contexts: the standard library's ways of starting interpreters, with our objects in the place of its own.

A child knows the family's fabric: a forked one inherits it, a spawned or fork-served one attaches it before its process object is unpickled.
"""

import copyreg

from . import _core, _handles
from ._stdlib import complete
from ._stdlib import context as _reference
from ._stdlib import process as _process

AuthenticationError = _reference.AuthenticationError
BufferTooShort = _reference.BufferTooShort
ProcessError = _reference.ProcessError
TimeoutError = _reference.TimeoutError
assert_spawning = _reference.assert_spawning
get_spawning_popen = _reference.get_spawning_popen
set_spawning_popen = _reference.set_spawning_popen
reduction = _reference.reduction
process = _process

__all__ = ()


class _Child:
    """What all our processes have besides: the fabric goes along, and ``interrupt`` is there in every version."""

    def __reduce_ex__(self, protocol):
        reduced = super().__reduce_ex__(protocol)
        if isinstance(reduced, tuple) and reduced[0] is copyreg.__newobj__:
            return (_remake, (_handles.descriptor(_core.family()), *reduced[1]), *reduced[2:])
        return reduced

    if not hasattr(_process.BaseProcess, "interrupt"):
        def interrupt(self):
            """Interrupts the process: SIGINT, which is KeyboardInterrupt there."""
            import os
            import signal
            self._check_closed()
            if self._popen is not None and self._popen.poll() is None:
                os.kill(self._popen.pid, signal.SIGINT)


def _remake(_fabric, cls, *arguments):
    return cls.__new__(cls, *arguments)


class Process(_Child, _reference.Process):
    __doc__ = "A process that runs a function, by the start method that was set."

    @staticmethod
    def _Popen(process_obj):
        return _default_context.get_context().Process._Popen(process_obj)


class ForkProcess(_Child, _reference.ForkProcess):
    """A process that is a fork of this one."""


class SpawnProcess(_Child, _reference.SpawnProcess):
    """A process in a fresh interpreter."""


class ForkServerProcess(_Child, _reference.ForkServerProcess):
    """A process that is a fork of a server that has no threads."""


class BaseContext(_reference.BaseContext):
    """What all contexts make. The objects are the same in each, and may be handed from one to another."""

    ProcessError = ProcessError
    BufferTooShort = BufferTooShort
    TimeoutError = TimeoutError
    AuthenticationError = AuthenticationError

    def Lock(self):
        """A lock that is not recursive."""
        from .synchronize import Lock
        return Lock(ctx=self.get_context())

    def RLock(self):
        """A lock that its holder may acquire again."""
        from .synchronize import RLock
        return RLock(ctx=self.get_context())

    def Condition(self, lock=None):
        """Waiting until another process says so."""
        from .synchronize import Condition
        return Condition(lock, ctx=self.get_context())

    def Semaphore(self, value=1):
        """A count that never goes below zero."""
        from .synchronize import Semaphore
        return Semaphore(value, ctx=self.get_context())

    def BoundedSemaphore(self, value=1):
        """A semaphore that is never released above its first value."""
        from .synchronize import BoundedSemaphore
        return BoundedSemaphore(value, ctx=self.get_context())

    def Event(self):
        """A flag that processes wait for."""
        from .synchronize import Event
        return Event(ctx=self.get_context())

    def Barrier(self, parties, action=None, timeout=None):
        """Waiting until all parties have come."""
        from .synchronize import Barrier
        return Barrier(parties, action, timeout, ctx=self.get_context())

    def Value(self, typecode_or_type, *args, lock=True):
        """A value in shared memory, with a lock."""
        from .sharedctypes import Value
        return Value(typecode_or_type, *args, lock=lock, ctx=self.get_context())

    def Array(self, typecode_or_type, size_or_initializer, *, lock=True):
        """An array in shared memory, with a lock."""
        from .sharedctypes import Array
        return Array(typecode_or_type, size_or_initializer, lock=lock, ctx=self.get_context())

    def RawValue(self, typecode_or_type, *args):
        """A value in shared memory, without a lock."""
        from .sharedctypes import RawValue
        return RawValue(typecode_or_type, *args)

    def RawArray(self, typecode_or_type, size_or_initializer):
        """An array in shared memory, without a lock."""
        from .sharedctypes import RawArray
        return RawArray(typecode_or_type, size_or_initializer)

    def Manager(self):
        """A manager of objects that all processes share; it has begun."""
        from .managers import SyncManager
        made = SyncManager(ctx=self.get_context())
        made.start()
        return made

    def Pool(self, processes=None, initializer=None, initargs=(), maxtasksperchild=None, **options):
        """A pool of worker processes."""
        from .pool import Pool
        return Pool(processes, initializer, initargs, maxtasksperchild, context=self.get_context(), **options)

    def Queue(self, maxsize=0):
        """A queue of at most `maxsize` values; 0: no limit."""
        from .queues import Queue
        return Queue(maxsize, ctx=self.get_context())

    def JoinableQueue(self, maxsize=0):
        """A queue that counts what is unfinished."""
        from .queues import JoinableQueue
        return JoinableQueue(maxsize, ctx=self.get_context())

    def SimpleQueue(self):
        """A queue without limit and time-outs."""
        from .queues import SimpleQueue
        return SimpleQueue(ctx=self.get_context())

    def Pool(self, processes=None, initializer=None, initargs=(), maxtasksperchild=None, **ours):
        """A pool of worker processes."""
        from .pool import Pool
        return Pool(processes, initializer, initargs, maxtasksperchild, context=self.get_context(), **ours)

    def get_context(self, method=None):
        """The context of a start method; None: this one."""
        if method is None:
            return self
        try:
            ctx = _concrete_contexts[method]
        except KeyError:
            raise ValueError(f"cannot find context for {method!r}") from None
        ctx._check_available()
        return ctx


class DefaultContext(BaseContext, _reference.DefaultContext):
    """The context of the start method that was set, or of the system's default."""

    Process = Process

    @property
    def _actual_context(self):
        """The start method is one thing with the standard library: whoever sets it sets it for both."""
        theirs = _reference._default_context._actual_context
        return None if theirs is None else _concrete_contexts[theirs._name]

    @_actual_context.setter
    def _actual_context(self, ours):
        _reference._default_context._actual_context = None if ours is None else _reference._concrete_contexts[ours._name]

    def __init__(self, context):
        self._default_context = context

    def get_context(self, method=None):
        """The context of a start method; None: of the one that was set, which is fixed by this."""
        if method is None:
            if self._actual_context is None:
                self._actual_context = self._default_context
            return self._actual_context
        return BaseContext.get_context(self, method)

    def set_start_method(self, method, force=False):
        """Sets how processes are started."""
        if self._actual_context is not None and not force:
            raise RuntimeError("context has already been set")
        if method is None and force:
            self._actual_context = None
            return
        self._actual_context = self.get_context(method)


class ForkContext(BaseContext, _reference.ForkContext):
    _name = "fork"
    Process = ForkProcess


class SpawnContext(BaseContext, _reference.SpawnContext):
    _name = "spawn"
    Process = SpawnProcess


class ForkServerContext(BaseContext, _reference.ForkServerContext):
    _name = "forkserver"
    Process = ForkServerProcess


_concrete_contexts = {"fork": ForkContext(), "spawn": SpawnContext(), "forkserver": ForkServerContext()}
_default_context = DefaultContext(_concrete_contexts[_reference._default_context._default_context._name])

_force_start_method = _reference._force_start_method

complete(globals(), _reference)
