"""Blocks of the standard library; nothing of ours uses them."""

from ._stdlib import complete
from ._stdlib import heap as _reference

__all__ = list(getattr(_reference, "__all__", ()))


def __getattr__(name):
    return getattr(_reference, name)


complete(globals(), _reference)
