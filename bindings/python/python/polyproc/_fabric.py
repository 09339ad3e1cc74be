"""Fabrics by name: objects that unrelated programs of one user, in any language, find by name."""

from . import _core


class Fabric(_core.Fabric):
    """One shared world of objects.

    ``Fabric("name")`` is found by any program of this user, in any language, and made by the first who asks; ``Fabric()`` is a private one. It goes with its last process, however that ends.
    An object with a name is opened if it is there, and made if not.

    >>> import os
    >>> world = Fabric(f"doctest-{os.getpid()}")
    >>> world.Queue("jobs").put({"id": 1})
    >>> world.Queue("jobs").get()
    {'id': 1}
    """

    def Queue(self, name=None, maxsize=0, **options):
        """A queue."""
        from .queues import Queue
        return Queue(maxsize, fabric=self, name=name, **options)

    def JoinableQueue(self, name=None, maxsize=0, **options):
        """A queue that counts what is unfinished."""
        from .queues import JoinableQueue
        return JoinableQueue(maxsize, fabric=self, name=name, **options)

    def SimpleQueue(self, name=None):
        """A queue without limit and time-outs."""
        from .queues import SimpleQueue
        return SimpleQueue(fabric=self, name=name)

    def Lock(self, name=None):
        """A lock that is not recursive."""
        from .synchronize import Lock
        return Lock(fabric=self, name=name)

    def RLock(self, name=None):
        """A lock that its holder may acquire again."""
        from .synchronize import RLock
        return RLock(fabric=self, name=name)

    def Semaphore(self, name=None, value=1):
        """A count that never goes below zero."""
        from .synchronize import Semaphore
        return Semaphore(value, fabric=self, name=name)

    def BoundedSemaphore(self, name=None, value=1):
        """A semaphore that is never released above its first value."""
        from .synchronize import BoundedSemaphore
        return BoundedSemaphore(value, fabric=self, name=name)

    def Event(self, name=None):
        """A flag that processes wait for."""
        from .synchronize import Event
        return Event(fabric=self, name=name)

    def Condition(self, name=None, lock=None):
        """Waiting until another process says so. (With a name and without a lock, its lock is named as well.)"""
        from .synchronize import Condition
        return Condition(lock, fabric=self, name=name)

    def Barrier(self, name=None, parties=1, action=None, timeout=None):
        """Waiting until all parties have come."""
        from .synchronize import Barrier
        return Barrier(parties, action, timeout, fabric=self, name=name)

    def dict(self, name=None):
        """A dict of all processes."""
        from .managers import DictProxy
        return DictProxy(fabric=self, name=name)

    def list(self, name=None):
        """A list of all processes."""
        from .managers import ListProxy
        return ListProxy(fabric=self, name=name)

    def set(self, name=None):
        """A set of all processes."""
        from .managers import SetProxy
        return SetProxy(fabric=self, name=name)

    def Namespace(self, name=None):
        """Attributes of all processes."""
        from .managers import NamespaceProxy
        return NamespaceProxy(fabric=self, name=name)
