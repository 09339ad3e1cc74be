"""C types in shared memory: ctypes objects over cells of the fabric, and locks around them."""

import ctypes
import weakref

from . import _core
from ._stdlib import reduction
from ._stdlib import complete
from ._stdlib import sharedctypes as _reference

__all__ = ["RawValue", "RawArray", "Value", "Array", "copy", "synchronized"]

typecode_to_type = _reference.typecode_to_type

#: By C type: the code of its cells, which other languages know. (What is not here is a structure of so many bytes.)
_CODES = {kind: code for code, kind in typecode_to_type.items()}
_CODES[ctypes.c_bool] = "?"
class_cache = weakref.WeakKeyDictionary()


def _cells(type_, length=None):
    code = _CODES.get(type_)
    return _core.Cells(code, max(ctypes.sizeof(type_), 1), min(ctypes.alignment(type_), 64), length)


def _over(type_, cells, length=None):
    """The ctypes object over cells."""
    reduction.ForkingPickler.register(type_ if length is None else type_ * length, reduce_ctype)
    made = type_ if length is None else type_ * length
    obj = made.from_buffer(cells.memory()) if ctypes.sizeof(made) else made()
    obj._wrapper = cells
    return obj


def _type(typecode_or_type):
    return typecode_to_type.get(typecode_or_type, typecode_or_type)


def RawValue(typecode_or_type, *args):
    """A ctypes object in shared memory, without a lock."""
    type_ = _type(typecode_or_type)
    obj = _over(type_, _cells(type_))
    obj.__init__(*args)
    return obj


def RawArray(typecode_or_type, size_or_initializer):
    """A ctypes array in shared memory, without a lock."""
    type_ = _type(typecode_or_type)
    if isinstance(size_or_initializer, int):
        (type_ * size_or_initializer)  # ctypes' own error for a length that makes no sense
        return _over(type_, _cells(type_, size_or_initializer), size_or_initializer)
    length = len(size_or_initializer)
    obj = _over(type_, _cells(type_, length), length)
    obj.__init__(*size_or_initializer)
    return obj


def _lock(lock, ctx):
    if lock in (True, None):
        if ctx is None:
            from .context import _default_context as ctx
        return ctx.RLock()
    if not hasattr(lock, "acquire"):
        raise AttributeError(f"{lock!r} has no method 'acquire'")
    return lock


def Value(typecode_or_type, *args, lock=True, ctx=None):
    """A value in shared memory, with a lock; without one if `lock` is False."""
    obj = RawValue(typecode_or_type, *args)
    return obj if lock is False else synchronized(obj, _lock(lock, ctx), ctx=ctx)


def Array(typecode_or_type, size_or_initializer, *, lock=True, ctx=None):
    """An array in shared memory, with a lock; without one if `lock` is False."""
    obj = RawArray(typecode_or_type, size_or_initializer)
    return obj if lock is False else synchronized(obj, _lock(lock, ctx), ctx=ctx)


def copy(obj):
    """A copy in shared memory of a ctypes object."""
    kind = type(obj)
    made = _over(obj._type_, _cells(obj._type_, len(obj)), len(obj)) if isinstance(obj, ctypes.Array) else _over(kind, _cells(kind))
    ctypes.pointer(made)[0] = obj
    return made


def synchronized(obj, lock=None, ctx=None):
    """A wrapper that holds a lock in every access."""
    assert not isinstance(obj, SynchronizedBase), "object already synchronized"
    lock = _lock(lock, ctx)
    if isinstance(obj, ctypes._SimpleCData):
        return Synchronized(obj, lock, ctx) if hasattr(obj, "_wrapper") else _reference.Synchronized(obj, lock, ctx)
    if isinstance(obj, ctypes.Array):
        if obj._type_ is ctypes.c_char:
            return SynchronizedString(obj, lock, ctx)
        return SynchronizedArray(obj, lock, ctx) if hasattr(obj, "_wrapper") else _reference.SynchronizedArray(obj, lock, ctx)
    kind = type(obj)
    made = class_cache.get(kind)
    if made is None:
        members = {field[0]: make_property(field[0]) for field in kind._fields_}
        made = class_cache[kind] = type("Synchronized" + kind.__name__, (SynchronizedBase,), members)
    return made(obj, lock, ctx)


def reduce_ctype(obj):
    """How a ctypes object in shared memory travels; another one does as ctypes has it."""
    if not hasattr(obj, "_wrapper"):
        return obj.__reduce_ex__(2)
    if isinstance(obj, ctypes.Array):
        return rebuild_ctype, (obj._type_, obj._wrapper, obj._length_)
    return rebuild_ctype, (type(obj), obj._wrapper, None)


def rebuild_ctype(type_, wrapper, length):
    """The ctypes object, in the process that it came to."""
    return _over(type_, wrapper, length)


def make_property(name):
    """A property of a synchronized object, read and written under its lock."""

    def get(self):
        with self._lock:
            return getattr(self._obj, name)

    def set(self, value):
        with self._lock:
            setattr(self._obj, name, value)

    return property(get, set)


class SynchronizedBase:
    """What all wrappers have: the object and its lock."""

    def __init__(self, obj, lock=None, ctx=None):
        self._obj = obj
        self._lock = _lock(lock, ctx)
        self.acquire, self.release = self._lock.acquire, self._lock.release

    def __enter__(self):
        return self._lock.__enter__()

    def __exit__(self, *error):
        return self._lock.__exit__(*error)

    def __reduce__(self):
        return synchronized, (self._obj, self._lock)

    def get_obj(self):
        """The ctypes object, to be used under the lock."""
        return self._obj

    def get_lock(self):
        """The lock."""
        return self._lock

    def __repr__(self):
        return f"<{type(self).__name__} wrapper for {self._obj}>"


def _guarded(kind, cls, obj, lock, ctx):
    lock = _lock(lock, ctx)
    self = kind.__new__(cls, obj._wrapper, obj, lock)
    SynchronizedBase.__init__(self, obj, lock, ctx)
    return self


class Synchronized(_core.Synchronized, SynchronizedBase):
    """A value under its lock."""

    def __new__(cls, obj, lock=None, ctx=None):
        return _guarded(_core.Synchronized, cls, obj, lock, ctx)

    def __init__(self, obj, lock=None, ctx=None):
        pass


class SynchronizedArray(_core.SynchronizedArray, SynchronizedBase):
    """An array under its lock."""

    def __new__(cls, obj, lock=None, ctx=None):
        return _guarded(_core.SynchronizedArray, cls, obj, lock, ctx)

    def __init__(self, obj, lock=None, ctx=None):
        pass

    def __getslice__(self, start, stop):
        return self[start:stop]

    def __setslice__(self, start, stop, values):
        self[start:stop] = values


class SynchronizedString(SynchronizedArray):
    """An array of characters under its lock."""

    value = make_property("value")
    raw = make_property("raw")

complete(globals(), _reference)
