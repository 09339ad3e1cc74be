"""Starting an interpreter: the standard library's."""

from ._stdlib import complete
from ._stdlib import popen_spawn_posix as _reference

__all__ = list(getattr(_reference, "__all__", ()))


def __getattr__(name):
    return getattr(_reference, name)


complete(globals(), _reference)
