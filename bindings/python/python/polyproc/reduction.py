"""The pickler and descriptors that travel: the standard library's."""

from ._stdlib import complete
from ._stdlib import reduction as _reference

__all__ = list(getattr(_reference, "__all__", ()))


def __getattr__(name):
    return getattr(_reference, name)


complete(globals(), _reference)
