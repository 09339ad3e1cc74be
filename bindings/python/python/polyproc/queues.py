"""Queues on the fabric: no feeder thread, no pipe; what ``put`` returned from is in shared memory and survives every kill."""

from queue import Empty, Full

from . import _core
from ._stdlib import complete
from ._stdlib import queues as _reference

__all__ = ["Queue", "SimpleQueue", "JoinableQueue"]

#: Of the reference; libraries look for it.
_sentinel = getattr(_reference, "_sentinel", object())


class Queue(_core.Queue):
    __doc__ = _core.Queue.__doc__


class JoinableQueue(_core.JoinableQueue):
    __doc__ = _core.JoinableQueue.__doc__


class SimpleQueue(_core.SimpleQueue):
    __doc__ = _core.SimpleQueue.__doc__

complete(globals(), _reference)
