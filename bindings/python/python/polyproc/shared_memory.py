"""Blocks of shared memory with a name, and lists in them. Their memory is reserved when they are made, so that a full ``/dev/shm`` is an error there and not a bus error later.

A block lives until it is unlinked. With ``track=True``, as by default, the standard library's resource tracker unlinks it when the program that made it ends without doing so, also
by a kill; who attaches to a block does not answer for it.
"""

import secrets
import types

from . import _core
from ._stdlib import complete
from ._stdlib import shared_memory as _reference
from ._stdlib import resource_tracker

__all__ = ["SharedMemory", "ShareableList"]


_SHM_NAME_PREFIX = "/pp_"
_USE_POSIX = True


def _make_filename():
    """A name that hardly anybody has."""
    return _SHM_NAME_PREFIX + secrets.token_hex(6)


def _fresh(size):
    while True:
        try:
            return _core.Block(_make_filename()[1:], True, size)
        except FileExistsError:
            continue


class SharedMemory:
    """A block of shared memory with a name: a new one (`create`), or one that there is."""

    _block = None
    _buf = None
    _track = True

    def __init__(self, name=None, create=False, size=0, *, track=True):
        if not size >= 0:
            raise ValueError("'size' must be a positive integer")
        if create and size == 0:
            raise ValueError("'size' must be a positive number different from zero")
        if name is None and not create:
            raise ValueError("'name' can only be None if create=True")
        self._track = track
        self._block = _core.Block(name.lstrip("/"), bool(create), size) if name is not None else _fresh(size)
        self._name, self._size = "/" + self._block.name, self._block.size
        self._buf = memoryview(self._block.memory())
        if track and create:
            resource_tracker.register(self._name, "shared_memory")

    def __del__(self):
        try:
            self.close()
        except BufferError:
            pass  # a buffer of it is still in use, and keeps the memory

    def __reduce__(self):
        return type(self), (self.name, False, self.size)

    def __repr__(self):
        return f"{type(self).__name__}({self.name!r}, size={self.size})"

    @property
    def buf(self):
        """Its bytes."""
        return self._buf

    @property
    def name(self):
        """Its name, by which others attach."""
        return self._name[1:]

    @property
    def size(self):
        """How many bytes."""
        return self._size

    def close(self):
        """This object is done with it; BufferError if something still uses `buf`."""
        if self._buf is not None:
            self._buf.release()
            self._buf = None
        if self._block is not None:
            self._block.close()

    def unlink(self):
        """Takes the name away: the memory goes with the last who uses it."""
        if self._name:
            _core.Block.unlink(self.name)
            if self._track:
                resource_tracker.unregister(self._name, "shared_memory")


class ShareableList(_core.CellList):
    """A list of a fixed number of cells in a named block: None, bools, integers, floats, text and bytes."""

    def __new__(cls, sequence=None, *, name=None):
        if not isinstance(sequence, ShareableList):
            return super().__new__(cls, sequence, name=name)
        # A copy has cells of the same sizes.
        self = super().__new__(cls, [_room(sequence, position) for position in range(len(sequence))], name=name)
        for position, value in enumerate(sequence):
            self[position] = value
        return self

    def __init__(self, sequence=None, *, name=None):
        self.shm = SharedMemory(self.block_name, track=False)
        if sequence is not None:
            self.shm._track = True
            resource_tracker.register(self.shm._name, "shared_memory")

    def __reduce__(self):
        return _attach, (type(self), self.shm.name)

    def __repr__(self):
        return f"{type(self).__name__}({list(self)}, name={self.shm.name!r})"

    def _letters(self, position, value):
        if isinstance(value, (str, bytes)):
            return f"{self.capacity(position)}s"
        return {bool: "xxxxxxx?", type(None): "xxxxxx?x", float: "d"}.get(type(value), "q")

    @property
    def format(self):
        """The types of the cells, in letters of the ``struct`` module."""
        return "".join(self._letters(position, value) for position, value in enumerate(self))

    def _get_packing_format(self, position):
        return self._letters(position, self[position])

    def count(self, value):
        """How often a value is there."""
        return sum(value == item for item in self)

    def index(self, value):
        """Where a value is first."""
        for position, item in enumerate(self):
            if value == item:
                return position
        raise ValueError("ShareableList.index(x): x not in list")

    __class_getitem__ = classmethod(types.GenericAlias)


def _room(items, position):
    """Something that needs as much room as there is at `position`."""
    value = items[position]
    if isinstance(value, bytes):
        return b"\0" * items.capacity(position)
    return "\0" * (items.capacity(position) - 1) if isinstance(value, str) else value


def _attach(cls, name):
    return cls(name=name)

complete(globals(), _reference)
