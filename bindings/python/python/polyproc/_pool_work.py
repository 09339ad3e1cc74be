"""What a pool's workers do: their life, their hooks, and how what a task raised travels. Knows no pool.

The extension module calls ``_start``, ``_exit``, ``_failure``, ``_cannot_send`` and ``_revive`` by these names.
"""

import base64
import functools
import os
import pickle
import signal
import sys

from . import _core, _pool_errors
from ._stdlib import pool as _reference
from ._stdlib import reduction

# Exceptions travel as the reference's do.
ExceptionWithTraceback = _reference.ExceptionWithTraceback
MaybeEncodingError = _reference.MaybeEncodingError


_hooks = (None, (), None)

# Numbers of errors that say that the pool is over: Gone; InvalidArgument, whose process is no member any more.
_OVER = (17, 22)


def work(_fabric, line, initializer, initargs, finish):
    """The life of a worker. The fabric came with its process."""
    global _hooks
    # Ctrl-C goes to all processes of a terminal; a worker ends with its pool.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _hooks = (initializer, initargs, finish)
    try:
        code = _core.serve(line)
    except _pool_errors.Error as error:
        if os.getppid() == 1 or error.number in _OVER:
            code = 1
        else:
            raise
    if code:
        sys.exit(code)


def _start():
    initializer, initargs, _ = _hooks
    if initializer is not None:
        initializer(*initargs)


def _exit():
    return _hooks[2]()


def _failure(error):
    """What a task raised, for the other side: a sentence; the traceback, a zero byte, and the exception."""
    import traceback

    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    message = f"{type(error).__name__}: {error}"
    sent = error if isinstance(error, MaybeEncodingError) else ExceptionWithTraceback(error, error.__traceback__)
    try:
        data = reduction.ForkingPickler.dumps(sent)
    except Exception as why:
        data = reduction.ForkingPickler.dumps(MaybeEncodingError(why, error))
    return message.replace("\0", " "), text.replace("\0", " ") + "\0" + base64.b64encode(data).decode("ascii")


def _cannot_send(error, value):
    return MaybeEncodingError(error, value)


def _revive(data, text):
    """The exception that a task raised; as text if it cannot be made here."""
    try:
        error = pickle.loads(base64.b64decode(data))
        if not isinstance(error, BaseException):
            raise TypeError("no exception")
    except Exception:
        return _pool_errors.RemoteError(text)
    if isinstance(error, Exception):
        return error
    # Raised here it would end this process.
    told = _pool_errors.TaskError(f"the task ended with {error!r}")
    told.__cause__ = error
    return told


def task(function=None, *, name=None):
    """Offers a function to callers of every language, as the task ``name`` (``module.function`` without one). Arguments and result are plain values.

    >>> @task(name="double")
    ... def double(n):
    ...     return 2 * n
    >>> double(4)
    8
    """
    if function is None:
        return functools.partial(task, name=name)
    module = "__main__" if function.__module__ == "__mp_main__" else function.__module__
    function.__polyproc_task__ = name or f"{module}.{function.__qualname__}"
    _core.offer(function.__polyproc_task__, function)
    return function
