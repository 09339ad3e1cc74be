"""Processes: the standard library's, so that ``current_process()`` is one thing."""

from ._stdlib import complete
from ._stdlib import process as _reference

__all__ = list(getattr(_reference, "__all__", ()))


def __getattr__(name):
    return getattr(_reference, name)


complete(globals(), _reference)
