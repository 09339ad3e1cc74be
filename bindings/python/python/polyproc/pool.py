"""Pools of worker processes on the fabric. A worker that dies costs the task it was in, and nothing else.

``Pool`` is the reference's, with all its methods. Beside them: options for calls (``with_options``: retries, time limits, priority), ``cancel`` of handles, limits of memory, progress and
traces, ``call`` for tasks of other languages, and ``task`` for functions that other languages may call.
"""

import collections
import functools
import itertools
import os
import threading
import warnings

from . import _core
from ._pool_errors import (  # noqa: F401
    Error,
    BadArguments, BadResult, CancelledError, CannotStart, GaveUp, MemoryLimitError, PoolClosed, RemoteError, TaskError, TaskTimeoutError, Terminated, UnknownTask, WorkerDiedError,
)
from ._pool_handles import (  # noqa: F401
    ApplyResult, AsyncResult, IMapIterator, IMapUnorderedIterator, MapResult, TimeoutError,
    Announcer, Feed, ToldMap, ToldOne,
)
from ._pool_work import ExceptionWithTraceback, MaybeEncodingError, task, work  # noqa: F401
from ._stdlib import complete
from ._stdlib import pool as _reference
from ._stdlib import connection, util

RemoteTraceback = _reference.RemoteTraceback
rebuild_exc = _reference.rebuild_exc
mapstar = _reference.mapstar
starmapstar = _reference.starmapstar

__all__ = ["Pool", "ThreadPool", "task", "cancelled", "worker_number"]

INIT = "INIT"
RUN = "RUN"
CLOSE = "CLOSE"
TERMINATE = "TERMINATE"

cancelled = _core.cancelled
worker_number = _core.worker_number


class _Starter:
    """Starts worker processes by a context, and keeps those that live."""

    def __init__(self, make, ctx, fabric, hooks):
        self.make, self.ctx, self.fabric, self.hooks = make, ctx, fabric, hooks
        self.processes = []

    def __call__(self, line, number, environment):
        process = self.make(self.ctx, target=work, args=(self.fabric, line, *self.hooks))
        process.name = process.name.replace("Process", "PoolWorker")
        process.daemon = True
        process.start()
        self.processes.append(process)
        util.debug("added worker")
        return process.pid, functools.partial(self.collect, process)

    def collect(self, process):
        process.join()
        if process in self.processes:
            self.processes.remove(process)
        return process.exitcode


class _Calls:
    """The calls of a pool, with some options."""

    _options = None

    def _check_running(self):
        if self._state != RUN:
            raise ValueError("Pool not running")

    def apply(self, func, args=(), kwds={}):
        """Runs ``func(*args, **kwds)`` in a worker, and waits for its value."""
        return self.apply_async(func, args, kwds).get()

    def apply_async(self, func, args=(), kwds={}, callback=None, error_callback=None):
        """Runs ``func(*args, **kwds)`` in a worker; answers a handle. A callback is called by a thread of the pool."""
        self._check_running()
        call = self._inner.call(func, args if type(args) is tuple else tuple(args), kwds if type(kwds) is dict else dict(kwds), self._options, self._keep)
        return self._told(ToldOne, call, callback, error_callback) if callback or error_callback else call

    def map(self, func, iterable, chunksize=None):
        """Runs ``func(item)`` for every item, and waits for the list of the values."""
        return self.map_async(func, iterable, chunksize).get()

    def map_async(self, func, iterable, chunksize=None, callback=None, error_callback=None):
        """As ``map``; answers a handle."""
        return self._map_async(func, iterable, False, chunksize, callback, error_callback)

    def starmap(self, func, iterable, chunksize=None):
        """Runs ``func(*item)`` for every item, and waits for the list of the values."""
        return self.starmap_async(func, iterable, chunksize).get()

    def starmap_async(self, func, iterable, chunksize=None, callback=None, error_callback=None):
        """As ``starmap``; answers a handle."""
        return self._map_async(func, iterable, True, chunksize, callback, error_callback)

    def _map_async(self, func, iterable, star, chunksize, callback, error_callback):
        self._check_running()
        items = iterable if type(iterable) is list else list(iterable)
        if chunksize is None:
            chunksize, extra = divmod(len(items), self._processes * 4)
            if extra:
                chunksize += 1
        if not items:
            chunksize = 1
        elif chunksize < 1:
            raise ValueError(f"Chunksize must be 1+, not {chunksize:n}")
        call = self._inner.chunks(func, items, chunksize, star, self._options, self._keep)
        return self._told(ToldMap, call, callback, error_callback) if callback or error_callback else call

    def _told(self, kind, call, callback, error_callback):
        told = kind(call, callback, error_callback)
        self._announcer.add(told, told._tell)
        return told

    def imap(self, func, iterable, chunksize=1, buffersize=None):
        """An iterator over ``func(item)`` of every item, in their order. A thread of the pool reads the items; no more than ``buffersize`` ahead of what was taken, if that is given."""
        return self._imap(IMapIterator, func, iterable, chunksize, buffersize)

    def imap_unordered(self, func, iterable, chunksize=1, buffersize=None):
        """As ``imap``, with the values in the order in which they arrive."""
        return self._imap(IMapUnorderedIterator, func, iterable, chunksize, buffersize)

    def _imap(self, kind, func, iterable, chunksize, buffersize):
        self._check_running()
        if chunksize < 1:
            raise ValueError(f"Chunksize must be 1+, not {chunksize:n}")
        if buffersize is not None:
            if not isinstance(buffersize, int):
                raise TypeError("buffersize must be an integer or None")
            if buffersize < 1:
                raise ValueError("buffersize must be None or > 0")
        inner, options, keep, pool = self._inner, self._options, self._keep, self._pool_object
        if chunksize == 1:
            def submit(item):
                return inner.call(func, (item,), None, options, keep)
            return kind(Feed(pool, submit, iter(iterable), buffersize), pool)

        def submit(items):
            return inner.chunk(func, items, False, options, keep)
        chunks = iter(lambda it=iter(iterable): list(itertools.islice(it, chunksize)), [])
        found = kind(Feed(pool, submit, chunks, buffersize and -(-buffersize // chunksize)), pool)
        return (item for chunk in found for item in chunk)

    def call(self, name, *args):
        """Runs the task ``name`` of whatever language, and waits for its value. Arguments and value are plain."""
        return self.call_async(name, *args).get()

    def call_async(self, name, *args):
        """As ``call``; answers a handle."""
        self._check_running()
        return self._inner.named(getattr(name, "__polyproc_task__", name), args, self._options, self._keep)


class _View(_Calls):
    """A pool's calls with options of their own."""

    def __init__(self, pool, options):
        self._pool_object, self._options = pool, options
        self._inner, self._processes, self._keep, self._announcer = pool._inner, pool._processes, pool, pool._announcer

    @property
    def _state(self):
        return self._pool_object._state


class Pool(_Calls):
    """Worker processes that run functions.

    The parameters after ``context`` are ours: ``fabric`` in which it works and ``name`` by which programs of other languages find it there; ``memory_limit`` (bytes of its own with which a worker is
    killed) and ``soft_memory_limit`` (with which it leaves after a call); ``restart_limit`` (deaths, seconds); ``worker_exit``, whose values ``exit_results`` has; ``events`` kept for ``trace``; and those of
    ``with_options`` for all calls.
    """

    _wrap_exception = True

    @staticmethod
    def Process(ctx, *args, **kwds):
        """Makes the process of a worker."""
        return ctx.Process(*args, **kwds)

    def __init__(
        self, processes=None, initializer=None, initargs=(), maxtasksperchild=None, context=None, *, fabric=None, name=None, memory_limit=None, soft_memory_limit=None, restart_limit=None,
        worker_exit=None, events=None, **options,
    ):
        self._state = INIT
        if context is None:
            from .context import _default_context
            context = _default_context.get_context()
        self._ctx = context
        if processes is None:
            processes = len(os.sched_getaffinity(0)) or 1
        if processes < 1:
            raise ValueError("Number of processes must be at least 1")
        if maxtasksperchild is not None and (not isinstance(maxtasksperchild, int) or maxtasksperchild <= 0):
            raise ValueError("maxtasksperchild must be a positive int or None")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if worker_exit is not None and not callable(worker_exit):
            raise TypeError("worker_exit must be a callable")
        self._processes, self._maxtasksperchild = processes, maxtasksperchild
        self._options = _core.Options(**options) if options else None
        fabric = _core.family() if fabric is None else fabric
        self._starter = _Starter(type(self).Process, context, fabric, (initializer, initargs, worker_exit))
        self._inner = _core.Pool(
            processes, self._starter, fabric=fabric, name=name, initialize=initializer is not None, finish=worker_exit is not None, most_calls=maxtasksperchild, soft_memory=soft_memory_limit,
            hard_memory=memory_limit, restarts=restart_limit, events=events,
        )
        self._announcer = Announcer()
        self._feeders, self._feeder_lock = 0, threading.Lock()
        self._feeds = set()
        self._terminate = util.Finalize(self, self._end, args=(self._inner, self._announcer, self._feeds), exitpriority=15)
        self._state = RUN

    # Handles keep the pool.
    @property
    def _keep(self):
        return self

    @property
    def _pool_object(self):
        return self

    @property
    def _pool(self):
        return list(self._starter.processes) if hasattr(self, "_starter") else []

    def _repopulate_pool(self):
        """The pool does that by itself."""

    def __del__(self, _warn=warnings.warn, RUN=RUN):
        if self._state == RUN:
            _warn(f"unclosed running multiprocessing pool {self!r}", ResourceWarning, source=self)

    def __repr__(self):
        cls = type(self)
        return f"<{cls.__module__}.{cls.__qualname__} state={self._state} pool_size={len(self._pool)}>"

    def __reduce__(self):
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")

    def __enter__(self):
        self._check_running()
        return self

    def __exit__(self, exc_type, exc_val, exc_tb):
        self.terminate()

    @staticmethod
    def _end(inner, announcer, feeds):
        inner.terminate()
        inner.join()
        for feed in list(feeds):
            feed.stop()
        announcer.end()

    def _feeding(self, change):
        with self._feeder_lock:
            self._feeders += change
            last = self._feeders == 0
        if last and self._state == CLOSE:
            self._inner.close()

    def close(self):
        """Takes no more work. What was submitted runs to its end, the input of an ``imap`` too; then the workers leave."""
        if self._state == RUN:
            self._state = CLOSE
            self._feeding(0)

    def terminate(self):
        """Ends the workers at once. What is not done fails with ``Terminated``."""
        self._state = TERMINATE
        self._terminate()

    def join(self):
        """Waits until a closed or terminated pool is over."""
        if self._state == RUN:
            raise ValueError("Pool is still running")
        if self._state not in (CLOSE, TERMINATE):
            raise ValueError("In unknown state")
        self._inner.join()
        self._announcer.end()

    # Ours.

    def with_options(self, **options):
        """The pool's calls with these options in place of its own.

        ``retries`` after a worker's death, ``retry_errors`` after what a task raised too, with ``backoff`` seconds that grow by ``backoff_factor`` up to ``backoff_max``; ``timeout``, with which a call's worker is
        killed, and ``soft_timeout``, with which it is told; ``priority``: "high", "normal" or "low".
        """
        return _View(self, _core.Options(**options))

    def resize(self, processes):
        """From now on the pool has so many workers; those too many leave in order."""
        self._inner.resize(processes)
        self._processes = processes

    def workers(self):
        """For each worker: its pid, number, whether it is ready, how many calls it has finished, and its own memory in bytes."""
        return [WorkerInfo(*worker) for worker in self._inner.workers()]

    def progress(self):
        """How many calls were submitted, are running, are done, and failed. A chunk is one call."""
        return Progress(*self._inner.progress())

    def exit_results(self):
        """What ``worker_exit`` returned in workers that have left since the last time; one that raised raises here."""
        results = []
        for good, value in self._inner.exit_results():
            if not good:
                raise value
            results.append(value)
        return results

    def trace(self, path):
        """Writes what the pool and its workers did to a file that ui.perfetto.dev shows."""
        self._inner.trace(os.fspath(path))


class _Notifier:
    """What wakes the thread that looks after a pool of threads: a pipe."""

    def __init__(self):
        self._reader, self._writer = connection.Pipe(duplex=False)

    def put(self, _):
        self._writer.send_bytes(b"!")

    def empty(self):
        return not self._reader.poll()

    def get(self):
        self._reader.recv_bytes()


class _ThreadContext:
    """All that a pool of threads asks of a context."""

    SimpleQueue = _Notifier


class ThreadPool(_reference.ThreadPool):
    """A pool of threads: the standard library's."""

    def __init__(self, processes=None, initializer=None, initargs=()):
        _reference.Pool.__init__(self, processes, initializer, initargs, context=_ThreadContext)


WorkerInfo = collections.namedtuple("WorkerInfo", "pid number ready finished memory")
Progress = collections.namedtuple("Progress", "submitted running done failed")

complete(globals(), _reference)
