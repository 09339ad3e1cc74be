"""The tracker of named things: the standard library's. Of ours only named blocks of shared memory use it."""

from ._stdlib import complete
from ._stdlib import resource_tracker as _reference

__all__ = list(getattr(_reference, "__all__", ()))


def __getattr__(name):
    return getattr(_reference, name)


complete(globals(), _reference)
