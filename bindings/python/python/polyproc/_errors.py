"""Exceptions and warnings. Each error of the library has a class; where the reference has one for it, ours is a subclass of that, or it is that."""

import pickle
import queue
import threading
import warnings

from ._stdlib import context, process


class Error(context.ProcessError):
    """An error of the library, with the number that every language shares (``number``)."""

    number = 0


class Timeout(Error, context.TimeoutError, TimeoutError):
    """The time given passed first. Nothing was changed."""


class ClosedError(*((Error, queue.ShutDown, ValueError) if hasattr(queue, "ShutDown") else (Error, ValueError))):
    """The queue was shut down (and, for who gets, is drained)."""


class OutOfMemory(Error, MemoryError):
    """The fabric's cap, or the system's memory, does not allow it. Nothing was lost."""


class TooLarge(Error, ValueError):
    """One message is larger than the fabric could ever hold, or than the receiver allows."""


class Corrupt(Error):
    """Shared memory holds something that this library does not write."""


class ForeignFabric(Error):
    """The segment was made by another version, on another kind of machine, or is no fabric."""


class NotFound(Error, LookupError):
    """Nothing has this name."""


class AlreadyExists(Error, FileExistsError):
    """Something has this name already."""


class WrongType(Error, TypeError):
    """The name or ticket leads to an object of another kind."""


class BadName(Error, ValueError):
    """The name is empty, too long, or has a character that names may not have."""


class NotOwner(Error, PermissionError):
    """A directory or file belongs to somebody else, or is open to others."""


class TooManyMembers(Error):
    """The fabric's process table is full."""


class Gone(Error, ReferenceError):
    """The object was destroyed."""


class NotAttached(Error):
    """The object's fabric is not one that this process has."""


class EncodeError(Error, pickle.PicklingError):
    """A value cannot be encoded."""


class DecodeError(Error, pickle.UnpicklingError):
    """A message is not a value that Python can hold."""


class Unreachable(Error):
    """The fabric lives where this process cannot reach it."""


class InvalidArgument(Error, ValueError):
    """An argument makes no sense."""


class NotHeld(Error, ValueError):
    """Release of what nobody holds."""


class Unsupported(Error, NotImplementedError):
    """This system lacks something that the call needs."""


class OwnerDied(Error):
    """A lock's last owner died holding it."""


class BrokenBarrier(Error, threading.BrokenBarrierError):
    """The barrier is broken; ``reset`` heals it."""


class LeaseLost(Error):
    """The lease ran out, and its message went back."""


class NotAuthenticated(Error, context.AuthenticationError):
    """The other side does not know the key."""


class OwnerDiedWarning(RuntimeWarning):
    """A lock was acquired from a process that died holding it: what it protects may be half changed."""


#: By the number that every language shares.
BY_NUMBER = {
    1: Timeout, 2: queue.Empty, 3: queue.Full, 4: ClosedError, 5: OutOfMemory, 6: TooLarge, 7: Corrupt, 8: ForeignFabric, 9: ForeignFabric, 10: ForeignFabric, 11: NotFound,
    12: AlreadyExists, 13: WrongType, 14: BadName, 15: NotOwner, 16: TooManyMembers, 17: Gone, 18: NotAttached, 19: EncodeError, 20: DecodeError, 21: Unreachable, 22: InvalidArgument,
    23: NotHeld, 24: Error, 25: Error, 26: Unsupported, 27: OwnerDied, 28: BrokenBarrier, 29: LeaseLost, 30: NotAuthenticated,
}
for _number, _class in BY_NUMBER.items():
    if issubclass(_class, Error) and not _class.number:
        _class.number = _number


def warn_owner_died():
    """Called by the extension, which has no frame: the line is the program's."""
    warnings.warn("the lock was acquired, but its last owner died holding it; check what it protects", OwnerDiedWarning, stacklevel=2)
