"""How handles travel: as class and ticket; and while a child is being started, with the descriptor of their fabric."""

import importlib
import threading

from . import _core
from ._stdlib import context, reduction

_ATTACHED = {}
_LOCK = threading.Lock()


def descriptor(fabric, family=False):
    """The fabric for a child that is being started; None where no child is. One for each fabric and child, so that a child inherits one descriptor."""
    popen = context.get_spawning_popen()
    if popen is None:
        return None
    known = popen.__dict__.setdefault("_polyproc_fabrics", {})
    if fabric.id not in known:
        known[fabric.id] = _Inherited(fabric)
    return known[fabric.id]


class _Inherited:
    """The descriptor of a fabric, on its way to a child."""

    def __init__(self, fabric):
        self.id = fabric.id
        self.family = fabric == _core.family()
        self.descriptor = reduction.DupFd(fabric.fileno())

    def __reduce__(self):
        return arrive, (self.id, self.family, self.descriptor)


def arrive(ident, family, duplicate):
    """In the child: attaches the fabric, unless it is known. Answers its identity."""
    with _LOCK:
        if ident not in _ATTACHED:
            _ATTACHED[ident] = _core.attach(duplicate.detach(), family)
    return ident


def reduce(handle, ticket, fabric, arguments=()):
    """What a handle's ``__reduce__`` answers."""
    state = getattr(handle, "__dict__", None) or None
    return rebuild, (type(handle), ticket, descriptor(fabric), *arguments), state


def rebuild(cls, ticket, _fabric, *arguments):
    """The handle, in the process that it came to."""
    return cls.__new__(cls, *arguments, ticket=ticket)


def reduce_fabric(fabric, ident):
    """What a fabric's ``__reduce__`` answers."""
    return rebuild_fabric, (ident, fabric.name, descriptor(fabric))


def rebuild_fabric(ident, name, _fabric):
    """The fabric, where it is attached or has a name."""
    if ident in _ATTACHED:
        return _ATTACHED[ident]
    family = _core.family()
    if family.id == ident:
        return family
    if name:
        from ._fabric import Fabric
        return Fabric(name)
    raise BY_NUMBER[18]("a private fabric travels to children only")


def open_ticket(ticket):
    """The object that a ticket inside a value leads to."""
    kind = int.from_bytes(ticket[16:24], "little")
    if kind not in _CLASSES:
        raise BY_NUMBER[13](f"an object of kind {kind} cannot be opened from a value")
    module, name = _CLASSES[kind]
    cls = getattr(importlib.import_module("polyproc." + module), name)
    return rebuild(cls, ticket, None, *((1,) if name == "Barrier" else ()))


#: By the number of the kind of object (docs/format.md): module and class.
_CLASSES = {
    1: ("synchronize", "Lock"), 2: ("queues", "Queue"), 3: ("synchronize", "RLock"), 4: ("synchronize", "Semaphore"), 6: ("synchronize", "Event"), 7: ("synchronize", "Barrier"),
    11: ("managers", "DictProxy"), 12: ("managers", "ListProxy"), 13: ("managers", "SetProxy"), 14: ("managers", "NamespaceProxy"),
}


from ._errors import BY_NUMBER  # noqa: E402  (at the end: the errors need nothing of this)
