"""multiprocessing over shared memory, for every language, safe against SIGKILL.

``import polyproc as multiprocessing`` in the place of ``import multiprocessing`` is meant to be all that a program needs.
"""

import importlib
import os
import types

from . import _stdlib  # first: it keeps the originals
from . import _core, context
from ._errors import OwnerDiedWarning
from ._fabric import Fabric
from ._stdlib import reduction as reducer  # noqa: F401
from .context import *  # noqa: F401,F403

from ._stdlib import multiprocessing as _reference

_names = [name for name in dir(context._default_context) if not name.startswith("_") and name != "reducer"]
globals().update((name, getattr(context._default_context, name)) for name in _names)

os.register_at_fork(before=_core.before_fork, after_in_parent=_core.after_fork, after_in_child=_core.after_fork)

#: As in the reference: the numbers of two more levels of the logger.
SUBDEBUG = 5
SUBWARNING = 25

__all__ = [*_names, "reducer", "Fabric", "OwnerDiedWarning"]  # noqa: F822

for _name, _value in vars(_reference).items():
    if not _name.startswith("_") and not isinstance(_value, types.ModuleType):
        globals().setdefault(_name, _value)


#: What pools have besides, by the module that is imported when it is asked for.
_LATER = {"task": "pool", "cancelled": "pool", "worker_number": "pool"}


def __getattr__(name):
    """Submodules are there without an import of their own."""
    if name in _LATER:
        return getattr(importlib.import_module("polyproc." + _LATER[name]), name)
    if not name.startswith("_"):
        try:
            return importlib.import_module("polyproc." + name)
        except ModuleNotFoundError as error:
            if error.name != "polyproc." + name:
                raise
    raise AttributeError(f"module 'polyproc' has no attribute {name!r}")
