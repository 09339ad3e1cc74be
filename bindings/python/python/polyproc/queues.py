"""Queues on the fabric: no feeder thread, no pipe; what ``put`` returned from is in shared memory and survives every kill."""

from queue import Empty, Full

from . import _core
from ._async import AsyncGet
from ._stdlib import complete
from ._stdlib import queues as _reference

__all__ = ["Queue", "SimpleQueue", "JoinableQueue"]

#: Of the reference; libraries look for it.
_sentinel = getattr(_reference, "_sentinel", object())


class _End:
    """An end of a queue, as the reference's queues have pipes for: ``connection.wait([q._reader])`` is what programs want it for."""

    def __init__(self, queue):
        self._queue, self._pollable = queue, None

    @property
    def closed(self):
        """Whether the queue was closed here."""
        return self._queue._closed

    def fileno(self):
        """A descriptor that is readable when there may be something to get."""
        if self._pollable is None:
            self._pollable = self._queue.pollable()
        else:
            self._pollable.rearm()
        return self._pollable.fileno()

    def poll(self, timeout=0.0):
        """Whether there is something to get (in time)."""
        self.fileno()
        return self._pollable.wait(timeout)

    def close(self):
        """Closes the queue here."""
        self._queue.close()


class _Ends(AsyncGet):
    @property
    def _reader(self):
        return _End(self)

    _writer = _reader


class Queue(_core.Queue, _Ends):
    __doc__ = _core.Queue.__doc__


class JoinableQueue(_core.JoinableQueue, _Ends):
    __doc__ = _core.JoinableQueue.__doc__


class SimpleQueue(_core.SimpleQueue, _Ends):
    __doc__ = _core.SimpleQueue.__doc__

complete(globals(), _reference)
