"""Managers: shared dicts, lists and the rest without a server process.

What a plain ``Manager()`` makes lies in the fabric, and any process that has it works on it directly. Only types that a program registers itself, and managers that
others connect to by an address, have the standard library's server.
"""

import array as _array
import collections.abc
import copy as _copy
import types

from . import _core, queues, synchronize
from . import context as _context
from ._stdlib import complete, process
from ._stdlib import managers as _reference

__all__ = ["BaseManager", "SyncManager", "BaseProxy", "Token", "SharedMemoryManager"]  # noqa: F822

BaseProxy = _reference.BaseProxy
ProcessError = _context.ProcessError
State = _reference.State


class BaseManager(_reference.BaseManager):
    """A manager of registered types, with the standard library's server."""

    def __init__(self, address=None, authkey=None, serializer="pickle", ctx=None, *, shutdown_timeout=1.0):
        super().__init__(address, authkey, serializer, ctx or _context._default_context.get_context())
        self._shutdown_timeout = shutdown_timeout


class _Local(BaseProxy):
    """What proxies of objects in the fabric have: there is nobody to call."""

    def __init__(self, *args, **kwargs):
        pass

    def _callmethod(self, methodname, args=(), kwds={}):
        return getattr(self, methodname)(*args, **kwds)

    def _getvalue(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return _copy.deepcopy(self._getvalue(), memo)

    def __repr__(self):
        return f"<{type(self).__name__} object, typeid {self._typeid!r} at {id(self):#x}>"

    def __str__(self):
        return repr(self._getvalue())


class DictProxy(_core.Dict, _Local):
    """A dict of all processes. A change of a mutable value is shared when it is assigned again, or when the value is itself shared."""

    _typeid = "dict"

    def update(self, *args, **kwargs):
        """Sets all that a dict or pairs, and keyword arguments, have; each by itself."""
        for key, value in _entries(*args, **kwargs):
            self[key] = value

    def __iter__(self):
        keys = self.keys()
        for key in keys:
            if len(self) != len(keys):
                raise RuntimeError("dictionary changed size during iteration")
            yield key

    def __or__(self, other):
        if not isinstance(other, (dict, DictProxy)):
            return NotImplemented
        return {**self.copy(), **dict(other.items())}

    def __ror__(self, other):
        if not isinstance(other, (dict, DictProxy)):
            return NotImplemented
        return {**dict(other.items()), **self.copy()}

    def __ior__(self, other):
        self.update(other)
        return self

    def __reversed__(self):
        return reversed(self.keys())

    def fromkeys(self, iterable, value=None):
        """A plain dict of these keys."""
        return dict.fromkeys(iterable, value)

    __class_getitem__ = classmethod(types.GenericAlias)


def _entries(*args, **kwargs):
    if len(args) > 1:
        raise TypeError(f"update expected at most 1 argument, got {len(args)}")
    for other in args:
        if hasattr(other, "keys"):
            yield from (other.items() if hasattr(other, "items") else ((key, other[key]) for key in other.keys()))
        else:
            for entry in other:
                key, value = entry
                yield key, value
    yield from kwargs.items()


class BaseListProxy(_core.List, _Local):
    """A list of all processes."""

    _typeid = "list"

    def __contains__(self, item):
        return item in self.copy()

    def __add__(self, other):
        return self.copy() + (other.copy() if isinstance(other, BaseListProxy) else other)

    def __mul__(self, times):
        return self.copy() * times

    __rmul__ = __mul__

    def __imul__(self, times):
        self.repeat(max(times, 0))
        return self

    def __iadd__(self, items):
        self.extend(items)
        return self

    def __reversed__(self):
        return reversed(self.copy())

    def count(self, item):
        """How often an item is there."""
        return self.copy().count(item)

    def index(self, item, *bounds):
        """Where an item is first."""
        return self.copy().index(item, *bounds)

    def remove(self, item):
        """Takes the first item out that equals this one."""
        while True:
            items = self.copy()
            if self.remove_same(items[items.index(item)]):
                return

    def sort(self, *, key=None, reverse=False):
        """Sorts it, in one step for everybody."""

        def order(items):
            by = (lambda i: items[i]) if key is None else (lambda i: key(items[i]))
            return sorted(range(len(items)), key=by, reverse=reverse)

        self.rearrange(order)


class ListProxy(BaseListProxy):
    """A list of all processes. A change of a mutable item is shared when it is assigned again, or when the item is itself shared."""

    __class_getitem__ = classmethod(types.GenericAlias)


class SetProxy(_core.Set, _Local):
    """A set of all processes."""

    _typeid = "set"

    def __iter__(self):
        return iter(self.copy())

    def update(self, *others):
        """Adds all elements of others."""
        for other in others:
            for element in _plain(other):
                self.add(element)

    def difference_update(self, *others):
        """Takes out all elements of others."""
        for other in others:
            for element in _plain(other):
                self.discard(element)

    def intersection_update(self, *others):
        """Keeps what all others have."""
        for element in self.copy() - self.copy().intersection(*map(_plain, others)):
            self.discard(element)

    def symmetric_difference_update(self, other):
        """Takes out what both have, and adds the rest of the other."""
        other = set(_plain(other))
        both = self.copy() & other
        self.update(other - both)
        self.difference_update(both)

    def __ior__(self, other):
        self.update(_only_set(other))
        return self

    def __iand__(self, other):
        self.intersection_update(_only_set(other))
        return self

    def __isub__(self, other):
        self.difference_update(_only_set(other))
        return self

    def __ixor__(self, other):
        self.symmetric_difference_update(_only_set(other))
        return self

    __class_getitem__ = classmethod(types.GenericAlias)


def _plain(other):
    return other.copy() if isinstance(other, SetProxy) else other


def _only_set(other):
    if not isinstance(other, (set, frozenset, SetProxy)):
        raise TypeError(f"unsupported operand type for a set: {type(other).__name__!r}")
    return other


def _by_copy(name):
    method = getattr(set, name)

    def call(self, *others):
        return method(self.copy(), *map(_plain, others))

    call.__name__, call.__doc__ = name, method.__doc__
    return call


for _name in (
    "__and__", "__or__", "__sub__", "__xor__", "__rand__", "__ror__", "__rsub__", "__rxor__", "__le__", "__lt__", "__ge__", "__gt__",
    "union", "intersection", "difference", "symmetric_difference", "isdisjoint", "issubset", "issuperset",
):
    setattr(SetProxy, _name, _by_copy(_name))

collections.abc.MutableMapping.register(DictProxy)
collections.abc.MutableSequence.register(BaseListProxy)
collections.abc.MutableSet.register(SetProxy)


class Namespace(_reference.Namespace):
    """Attributes, in this process only."""


class NamespaceProxy(_core.Namespace, _Local):
    """Attributes of all processes. Names that begin with an underscore are this process's own."""

    def __getattr__(self, name):
        if name[:1] == "_":
            return object.__getattribute__(self, name)
        return object.__getattribute__(self, "_read")(name)

    def __setattr__(self, name, value):
        if name[:1] == "_":
            object.__setattr__(self, name, value)
        else:
            self._write(name, value)

    def __delattr__(self, name):
        if name[:1] == "_":
            object.__delattr__(self, name)
        else:
            self._erase(name)

    def _getvalue(self):
        return Namespace(**self._read_all())

    _typeid = "Namespace"


class Value(_reference.Value):
    """A value, in this process only."""


class ValueProxy(_core.Namespace, _Local):
    """A value of all processes, of any type that can be sent."""

    _typeid = "Value"

    def get(self):
        """The value."""
        return self._read("value")

    def set(self, value):
        """Another value."""
        self._write("value", value)

    value = property(get, set)

    def _getvalue(self):
        return Value(self._read("typecode"), self._read("value"))

    __class_getitem__ = classmethod(types.GenericAlias)


class ArrayProxy(_core.List, _Local):
    """An ``array.array`` of all processes, of fixed length."""

    _typeid = "Array"

    def __getitem__(self, index):
        found = super().__getitem__(index)
        return _array.array(self._typecode, found) if isinstance(index, slice) else found

    def __setitem__(self, index, value):
        if isinstance(index, slice):
            value = list(_array.array(self._typecode, value))
            if len(value) != len(range(*index.indices(len(self)))):
                raise ValueError("an array of all processes keeps its length")
        else:
            (value,) = _array.array(self._typecode, [value])
        super().__setitem__(index, value)

    def _getvalue(self):
        return _array.array(self._typecode, self.copy())


class _Lock(synchronize.Lock):
    """A manager's lock, whose error is that of ``threading.Lock``, as in the reference."""

    def release(self):
        try:
            super().release()
        except ValueError:
            raise RuntimeError("release unlocked lock") from None


class EventProxy(_core.Event, _Local):
    """An event of a manager."""

    _typeid = "Event"

    __str__ = object.__str__


def Array(typecode, sequence, lock=True):
    """An array, in this process only."""
    return _array.array(typecode, sequence)



class SyncManager(BaseManager):
    """Makes objects that all processes share. There is no server, unless a type was registered by the program, the manager has an address, or `start` was given an initializer."""

    _registry = dict(_reference.SyncManager._registry)

    def __init__(self, address=None, authkey=None, serializer="pickle", ctx=None, *, shutdown_timeout=1.0):
        super().__init__(address, authkey, serializer, ctx, shutdown_timeout=shutdown_timeout)
        self._asked_address = address
        self._remote = False
        self._process = None
        self._stop = None

    def start(self, initializer=None, initargs=()):
        """Begins. A server is started only where one is needed."""
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if self._state.value != State.INITIAL:
            what = {State.STARTED: "Already started server", State.SHUTDOWN: "Manager has shut down"}.get(self._state.value, f"Unknown state {self._state.value!r}")
            raise ProcessError(what)
        if initializer is not None or self._asked_address is not None:
            self._start_server(initializer, initargs)
        self._state.value = State.STARTED

    def _start_server(self, initializer=None, initargs=()):
        self._state.value = State.INITIAL
        BaseManager.start(self, initializer, initargs)
        self._stop = self.__dict__.pop("shutdown")

    def connect(self):
        """Connects to a manager that others serve; what this one makes is made there."""
        super().connect()
        self._remote = True

    def _create(self, typeid, /, *args, **kwds):
        if self._state.value == State.STARTED and not self._remote and self._process is None:
            self._start_server()
        return super()._create(typeid, *args, **kwds)

    def shutdown(self):
        """Ends it. What it made lives on with whoever has it."""
        if self._stop is not None:
            self._stop()
        self._state.value = State.SHUTDOWN

    def join(self, timeout=None):
        """Waits for the server, if there is one."""
        if self._process is not None:
            super().join(timeout)

    def _has_server(self):
        return self._remote or self._process is not None

    def _debug_info(self):
        return super()._debug_info() if self._has_server() else ""

    def _number_of_objects(self):
        return super()._number_of_objects() if self._has_server() else 0

    def __reduce__(self):
        server = (self._address, bytes(self._authkey), self._serializer) if self._has_server() else None
        return _rebuild_manager, (type(self), server, self._remote)

    def __enter__(self):
        if self._state.value == State.INITIAL:
            self.start()
        assert self._state.value == State.STARTED
        return self

    def _local(self):
        """Whether objects are made here; else with the server that it is connected to."""
        assert self._state.value == State.STARTED, "server not yet started"
        return not self._remote


def _rebuild_manager(cls, server, remote):
    if server is None:
        made = cls()
    else:
        address, authkey, serializer = server
        made = cls(address, process.AuthenticationString(authkey), serializer)
        made._process = None
    made._remote = remote or server is not None
    made._state.value = State.STARTED
    return made


def _maker(name, make):
    def method(self, *args, **kwds):
        if self._local():
            return make(self._ctx, *args, **kwds)
        return getattr(_reference.SyncManager, name)(self, *args, **kwds)

    method.__name__ = name
    method.__doc__ = f"A {name} of all processes."
    setattr(SyncManager, name, method)


def _dict(ctx, *args, **kwargs):
    made = DictProxy()
    made.update(*args, **kwargs)
    return made


def _list(ctx, items=()):
    made = ListProxy()
    made.extend(items)
    return made


def _set(ctx, elements=()):
    made = SetProxy()
    made.update(elements)
    return made


def _namespace(ctx, **kwargs):
    made = NamespaceProxy()
    for name, value in kwargs.items():
        made._write(name, value)
    return made


def _value(ctx, typecode, value, lock=True):
    made = ValueProxy()
    made._write("typecode", typecode)
    made._write("value", value)
    return made


def _make_array(ctx, typecode, sequence, lock=True):
    made = ArrayProxy()
    made._typecode = typecode
    made.extend(list(_array.array(typecode, sequence)))
    return made


for _name, _make in {
    "dict": _dict,
    "list": _list,
    "set": _set,
    "Namespace": _namespace,
    "Value": _value,
    "Array": _make_array,
    "Queue": lambda ctx, maxsize=0: queues.JoinableQueue(maxsize, ctx=ctx),
    "JoinableQueue": lambda ctx, maxsize=0: queues.JoinableQueue(maxsize, ctx=ctx),
    "Lock": lambda ctx: _Lock(ctx=ctx),
    "RLock": lambda ctx: synchronize.RLock(ctx=ctx),
    "Semaphore": lambda ctx, value=1: synchronize.Semaphore(value, ctx=ctx),
    "BoundedSemaphore": lambda ctx, value=1: synchronize.BoundedSemaphore(value, ctx=ctx),
    "Condition": lambda ctx, lock=None: synchronize.Condition(lock, ctx=ctx),
    "Event": lambda ctx: EventProxy(ctx=ctx),
    "Barrier": lambda ctx, parties, action=None, timeout=None: synchronize.Barrier(parties, action, timeout, ctx=ctx),
    "Pool": lambda ctx, *args, **kwargs: ctx.Pool(*args, **kwargs),
}.items():
    _maker(_name, _make)

from ._memory_manager import SharedMemoryManager  # noqa: E402

complete(globals(), _reference)
