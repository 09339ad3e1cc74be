"""The standard library's ``multiprocessing``, kept under names of our own.

Everything else imports the originals from here, so that a program in which ``sys.modules["multiprocessing"]`` is this package does not make it import itself.
"""

import importlib
import sys

_NAMES = (
    "connection", "context", "dummy", "dummy.connection", "forkserver", "heap", "managers", "pool", "popen_fork", "popen_forkserver", "popen_spawn_posix", "process",
    "queues", "reduction", "resource_sharer", "resource_tracker", "shared_memory", "sharedctypes", "spawn", "synchronize", "util",
)


def _originals():
    """Imports the originals under their own names, whatever stands in their place, and puts that back."""
    taken = {}
    for name in list(sys.modules):
        if name == "multiprocessing" or name.startswith("multiprocessing."):
            module = sys.modules[name]
            if (getattr(module, "__name__", "") or "").startswith("polyproc"):
                taken[name] = sys.modules.pop(name)
    found = {"": importlib.import_module("multiprocessing")}
    for name in _NAMES:
        found[name.replace(".", "_")] = importlib.import_module("multiprocessing." + name)
    sys.modules.update(taken)
    return found


_found = _originals()
multiprocessing = _found.pop("")
globals().update(_found)


def complete(names, reference):
    """Takes over every public name of a module of the reference that the one with `names` does not have."""
    for name, value in vars(reference).items():
        if not name.startswith("_"):
            names.setdefault(name, value)
