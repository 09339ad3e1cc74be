"""What the calls of a pool are waited by: callbacks, and the iterators of ``imap`` with the threads that feed them. Knows handles of calls, and of a pool only that it counts its feeders."""

import collections
import itertools
import sys
import threading

from . import _core
from ._pool_errors import GaveUp, Terminated
from ._stdlib import context as _context

TimeoutError = _context.TimeoutError
ApplyResult = AsyncResult = _core.ApplyResult
MapResult = _core.MapResult


class Announcer:
    """A thread that says when calls are over, to those who want to be told."""

    END = 0

    def __init__(self):
        self.completions = _core.Completions()
        self.waiting = {}
        self.keys = itertools.count(1)
        self.thread = None
        self.lock = threading.Lock()

    def add(self, call, tell):
        """Has ``tell()`` called when the call is over."""
        with self.lock:
            if self.thread is None:
                self.thread = threading.Thread(target=self.run, name="polyproc-callbacks", daemon=True)
                self.thread.start()
            key = next(self.keys)
            self.waiting[key] = tell
        self.completions.add(call, key)

    def run(self):
        while True:
            for key in self.completions.take():
                if key == self.END:
                    return
                try:
                    self.waiting.pop(key)()
                except Exception:
                    # As of any thread: reported, and the others are told all the same.
                    threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), self.thread)))

    def end(self):
        """Waits until everybody is told; when all calls are over."""
        with self.lock:
            thread, self.thread = self.thread, None
        if thread is not None:
            self.completions.put(self.END)
            if thread is not threading.current_thread():
                thread.join()


class _Told:
    """A handle whose callbacks are called before it is ready."""

    def __init__(self, call, callback, error_callback):
        self._event = threading.Event()
        self._callbacks = callback, error_callback

    def _tell(self):
        callback, error_callback = self._callbacks
        try:
            try:
                value = ApplyResult.get(self, 0)
            except BaseException as error:
                if error_callback:
                    error_callback(error)
            else:
                if callback:
                    callback(value)
        finally:
            self._callbacks = None, None
            self._event.set()

    def ready(self):
        return self._event.is_set()

    def wait(self, timeout=None):
        self._event.wait(timeout)

    def successful(self):
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        return super().successful()

    def get(self, timeout=None):
        if not self._event.wait(timeout):
            raise TimeoutError
        return super().get(0)


class ToldOne(_Told, ApplyResult):
    pass


class ToldMap(_Told, MapResult):
    pass


class Feed:
    """Submits what an iterator gives, from a thread, and collects the ends. What ``imap`` answers reads from it."""

    END = (1 << 64) - 1

    def __init__(self, pool, submit, items, buffersize):
        self.pool, self.submit, self.items = pool, submit, items
        self.completions = _core.Completions()
        self.calls = {}
        self.count = None
        self.room = threading.Semaphore(buffersize) if buffersize else None
        self.stopped = False
        pool._feeding(+1)
        pool._feeds.add(self)
        self.thread = threading.Thread(target=self.run, name="polyproc-imap", daemon=True)
        self.thread.start()

    def run(self):
        index = 0
        try:
            for item in self.items:
                if self.room:
                    self.room.acquire()
                if self.stopped:
                    raise Terminated("the pool was terminated before its input was read")
                try:
                    call = self.calls[index] = self.submit(item)
                    self.completions.add(call, index)
                except (Terminated, GaveUp):
                    raise
                except Exception as error:
                    self.fail(index, error)
                index += 1
        except BaseException as error:
            self.fail(index, error)
            index += 1
        finally:
            self.count = index
            self.completions.put(self.END)
            pool, self.pool, self.submit, self.items = self.pool, None, None, None
            pool._feeding(-1)
            pool._feeds.discard(self)

    def stop(self):
        """The pool is over: ends the thread, which must not be in a call of ours when the interpreter ends. One that waits for the program's own input is not, and is not waited for long."""
        self.stopped = True
        if self.room:
            self.room.release()
        if self.thread is not threading.current_thread():
            self.thread.join(1.0)

    def fail(self, index, error):
        self.calls[index] = error
        self.completions.put(index)

    def take(self, index):
        call = self.calls.pop(index)
        if self.room:
            self.room.release()
        if isinstance(call, BaseException):
            raise call
        return call.get(0)


class IMapIterator:
    """Results in the order of the input, each when it is there."""

    def __init__(self, feed, pool):
        self._feed, self._pool = feed, pool
        self._index = 0
        self._arrived = set()
        self._lock = threading.Lock()

    def __iter__(self):
        return self

    def next(self, timeout=None):
        """The next result; TimeoutError if it is not there after ``timeout`` seconds."""
        feed = self._feed
        with self._lock:
            while self._index not in self._arrived:
                if feed.count is not None and self._index >= feed.count:
                    self._pool = None
                    raise StopIteration from None
                keys = feed.completions.take(timeout)
                if not keys:
                    raise TimeoutError from None
                self._arrived.update(key for key in keys if key != feed.END)
            index = self._index
            self._arrived.discard(index)
            self._index += 1
        return feed.take(index)

    __next__ = next


class IMapUnorderedIterator(IMapIterator):
    """Results in the order in which they arrive."""

    def __init__(self, feed, pool):
        super().__init__(feed, pool)
        self._arrived = collections.deque()

    def next(self, timeout=None):
        """The next result; TimeoutError if there is none after ``timeout`` seconds."""
        feed = self._feed
        with self._lock:
            while not self._arrived:
                if feed.count is not None and self._index >= feed.count:
                    self._pool = None
                    raise StopIteration from None
                keys = feed.completions.take(timeout)
                if not keys:
                    raise TimeoutError from None
                self._arrived.extend(key for key in keys if key != feed.END)
            index = self._arrived.popleft()
            self._index += 1
        return feed.take(index)

    __next__ = next
