"""What goes wrong with pools and their calls, by the numbers that every language shares."""

from concurrent.futures import CancelledError as _Cancelled

from . import _errors
from ._errors import Error
from ._stdlib import managers

RemoteError = managers.RemoteError


class TaskError(Error):
    """A task ended its process, or tried to: it raised SystemExit or KeyboardInterrupt, which is ``__cause__``."""

    number = 130


class UnknownTask(Error, LookupError):
    """No worker offers a task of this name."""


class BadArguments(Error, TypeError):
    """The arguments do not fit the task."""


class BadResult(Error):
    """The result does not fit into the fabric, or cannot be sent."""


class WorkerDiedError(Error):
    """The process that ran the task died: ``pid``, and ``exitcode``, which is minus the signal if one ended it."""


class MemoryLimitError(WorkerDiedError, MemoryError):
    """The worker took more memory than the pool allows, and was killed in this call."""


class TaskTimeoutError(WorkerDiedError, TimeoutError):
    """The call did not end within its time-out, and its worker was killed."""


class CancelledError(Error, _Cancelled):
    """The call was cancelled."""


class PoolClosed(Error, ValueError):
    """The pool takes no more work."""


class Terminated(Error):
    """The pool was terminated before the call was done."""


class CannotStart(Error, OSError):
    """A worker cannot be started."""


class GaveUp(Error, RuntimeError):
    """Workers died again and again before they could do anything, so the pool starts no more."""


_errors.BY_NUMBER.update({
    100: UnknownTask, 101: BadArguments, 102: BadResult, 103: RemoteError, 104: WorkerDiedError, 105: PoolClosed, 106: Terminated, 107: CannotStart, 108: GaveUp, 109: WorkerDiedError,
    110: UnknownTask, 111: CancelledError, 112: TaskTimeoutError, 120: MemoryLimitError,
})


def make(number, sentence, facts):
    """The exception for an error of a call. ``facts``: pid, signal, exit code, the task's name, and where it failed."""
    pid, signal, code, task, backtrace = facts
    if number == 103:
        return RemoteError(f"{sentence}\n{backtrace}" if backtrace else sentence)
    error = _errors.BY_NUMBER.get(number, Error)(sentence)
    error.number = number
    if isinstance(error, Error):
        error.pid, error.task = pid, task
        error.exitcode = -signal if signal is not None else code
    return error
