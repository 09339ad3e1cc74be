"""Pipes, listeners and clients: the standard library's, whose descriptors travel with ours."""

from ._stdlib import complete
from ._stdlib import connection as _reference

__all__ = list(getattr(_reference, "__all__", ()))


def __getattr__(name):
    return getattr(_reference, name)


complete(globals(), _reference)
