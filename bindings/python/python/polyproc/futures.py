"""``concurrent.futures`` on the fabric's pool: a worker that dies fails one future, and the executor goes on.

``ProcessPoolExecutor`` is the reference's, with what later versions added, in every version. Beside it, ``submit_with`` for calls with time limits and retries, and ``Future.cancel_running``.
"""

import itertools
import os
import threading
import weakref
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, CancelledError, Executor, TimeoutError, as_completed, wait  # noqa: F401
from concurrent.futures import Future as _Future
from concurrent.futures.process import BrokenProcessPool

from . import _core
from . import pool as _pool
from ._stdlib import util

__all__ = [
    "ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION", "BrokenProcessPool", "CancelledError", "Executor", "Future", "ProcessPoolExecutor", "TimeoutError", "WorkerDied", "as_completed", "wait",
]


class WorkerDied(_pool.WorkerDiedError, BrokenProcessPool):
    """The process that ran the call died: ``pid`` and ``exitcode``. Other calls, and the executor, go on."""


class Future(_Future):
    """The result of a call in another process."""

    _call = None

    def cancel(self):
        """Cancels the call if it has not begun."""
        call = self._call
        if call is not None and not self.done():
            try:
                if not call.cancel_pending():
                    return False
            except _pool.Error:
                return False
        return super().cancel()

    def cancel_running(self, grace=1.0):
        """Cancels the call even if it runs: it is told (``polyproc.pool.cancelled()``), and after ``grace`` seconds its worker is killed. False: it was over."""
        return self._call is not None and not self.done() and self._call.cancel(grace)

    def _finish(self):
        """The call is over."""
        call, self._call = self._call, None
        if not self.set_running_or_notify_cancel():
            return
        try:
            result = call.get(0)
        except _pool.TaskError as error:
            # As the reference: who asks gets what ended the task, even if that is SystemExit.
            self.set_exception(error.__cause__ or error)
        except _pool.CancelledError as error:
            self.set_exception(CancelledError(str(error)))
        except (_pool.MemoryLimitError, _pool.TaskTimeoutError) as error:
            self.set_exception(error)
        except _pool.WorkerDiedError as error:
            died = WorkerDied(*error.args)
            died.pid, died.exitcode, died.task = error.pid, error.exitcode, error.task
            self.set_exception(died)
        except (_pool.GaveUp, _pool.Terminated) as error:
            broken = BrokenProcessPool(str(error))
            broken.__cause__ = error
            self.set_exception(broken)
        except BaseException as error:
            self.set_exception(error)
        else:
            self.set_result(result)


class ProcessPoolExecutor(Executor):
    """Runs calls in worker processes. More parameters, by keyword, are those of ``polyproc.pool.Pool``."""

    def __init__(self, max_workers=None, mp_context=None, initializer=None, initargs=(), *, max_tasks_per_child=None, **ours):
        if max_workers is None:
            max_workers = len(os.sched_getaffinity(0)) or 1
        elif max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if max_tasks_per_child is not None:
            if not isinstance(max_tasks_per_child, int):
                raise TypeError("max_tasks_per_child must be an integer")
            if max_tasks_per_child <= 0:
                raise ValueError("max_tasks_per_child must be >= 1")
        if mp_context is None:
            from .context import _concrete_contexts, _default_context
            mp_context = _default_context.get_context() if max_tasks_per_child is None else _concrete_contexts["spawn"]
        elif max_tasks_per_child is not None and mp_context.get_start_method(allow_none=False) == "fork":
            raise ValueError("max_tasks_per_child is incompatible with the 'fork' multiprocessing start method; supply a different mp_context.")
        self._max_workers, self._mp_context = max_workers, mp_context
        self._make = lambda: _pool.Pool(max_workers, initializer, initargs, max_tasks_per_child, context=mp_context, **ours)
        self._pool = None
        self._lock = threading.Lock()
        self._shutdown = False
        self._pending = set()

    def _started(self):
        if self._shutdown:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if self._pool is None:
            self._pool = self._make()
            # A running executor is left to the program's end, and then waits for its calls, as the reference does.
            self._at_exit = util.Finalize(None, _wait_at_exit, args=(weakref.ref(self),), exitpriority=20)
        elif not self._pool._inner.is_open():
            raise BrokenProcessPool("the pool has given up starting workers: they died again and again")
        return self._pool

    def submit(self, fn, /, *args, **kwargs):
        """Runs ``fn(*args, **kwargs)`` in a worker; answers its future."""
        return self._submit(None, fn, args, kwargs)

    def submit_with(self, options, fn, /, *args, **kwargs):
        """As ``submit``, with options of ``Pool.with_options``, as a dict."""
        return self._submit(_core.Options(**options), fn, args, kwargs)

    def _submit(self, options, fn, args, kwargs, chunk=False):
        with self._lock:
            pool = self._started()
            future = Future()
            if chunk:
                future._call = pool._inner.chunk(fn, args, True, options, pool)
            else:
                future._call = pool._inner.call(fn, args, kwargs, options, pool)
            self._pending.add(future)

            def tell(future=future, pending=self._pending):
                # Not before nobody waits for it: who sees it done may look here.
                pending.discard(future)
                future._finish()
            pool._announcer.add(future._call, tell)
        return future

    def map(self, fn, *iterables, timeout=None, chunksize=1, buffersize=None):
        """An iterator over ``fn`` of the items, in their order; in chunks of ``chunksize``, and no more than ``buffersize`` chunks ahead of what was taken, if that is given."""
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if buffersize is not None and not isinstance(buffersize, int):
            raise TypeError("buffersize must be an integer or None")
        if buffersize is not None and buffersize < 1:
            raise ValueError("buffersize must be None or > 0")
        import time

        end = None if timeout is None else time.monotonic() + timeout
        items = zip(*iterables)
        chunks = iter(lambda: list(itertools.islice(items, chunksize)), [])

        def submit(chunk):
            return self._submit(None, fn, chunk, None, chunk=True)

        futures = [submit(chunk) for chunk in itertools.islice(chunks, buffersize)]
        futures.reverse()
        return _results(futures, chunks if buffersize else None, submit, end)

    def shutdown(self, wait=True, *, cancel_futures=False):
        """Takes no more calls. What was submitted runs to its end, or is cancelled if it has not begun and that is asked for."""
        with self._lock:
            self._shutdown = True
            pool = self._pool
            pending = list(self._pending)
        if pool is None:
            return
        if cancel_futures:
            for future in pending:
                future.cancel()
        pool.close()
        if wait:
            pool.join()
            self._at_exit.cancel()

    def terminate_workers(self):
        """Ends the executor and its workers at once; what is not done fails."""
        self._end()

    def kill_workers(self):
        """Ends the executor and its workers at once; what is not done fails."""
        self._end()

    def _end(self):
        with self._lock:
            self._shutdown = True
            pool = self._pool
        if pool is not None:
            pool.terminate()
            self._at_exit.cancel()

    def _close_quietly(self):
        if self._pool is not None and self._pool._state == _pool.RUN:
            self._pool.close()

    def __del__(self):
        # Nobody submits any more. What was submitted runs to its end as long as somebody holds a future of it.
        if getattr(self, "_pool", None) is not None:
            self._close_quietly()


def _wait_at_exit(reference):
    executor = reference()
    if executor is not None and executor._pool is not None:
        executor._close_quietly()
        executor._pool.join()


def _results(futures, chunks, submit, end):
    """Results of chunks in order; futures are reversed, so that each is let go of when it was taken."""
    import time

    try:
        while futures:
            if chunks is not None:
                following = next(chunks, None)
                if following is not None:
                    futures.insert(0, submit(following))
            future = futures.pop()
            try:
                result = future.result() if end is None else future.result(end - time.monotonic())
            except BaseException:
                future.cancel()
                raise
            del future
            yield from result
    finally:
        for future in futures:
            future.cancel()
