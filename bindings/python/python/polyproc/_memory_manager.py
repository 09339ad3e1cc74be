"""SharedMemoryManager: named blocks that go with it, without a server process."""

from . import managers, shared_memory
from ._stdlib import util


class SharedMemoryManager(managers.SyncManager):
    """Makes named blocks and lists in them, and unlinks them when it is shut down, at the latest at the end of its process."""

    _registry = {}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._blocks = []

    def start(self, initializer=None, initargs=()):
        """Begins."""
        super().start(initializer, initargs)
        self._end = util.Finalize(self, _unlink, (self._blocks,), exitpriority=0)

    def SharedMemory(self, size):
        """A new block of so many bytes."""
        self._check()
        return self._mine(shared_memory.SharedMemory(None, create=True, size=size))

    def ShareableList(self, sequence):
        """A new list in a block."""
        self._check()
        made = shared_memory.ShareableList(sequence)
        self._mine(made.shm)
        return made

    def shutdown(self):
        """Unlinks all that it made."""
        if self._state.value == managers.State.STARTED:
            self._end()
        super().shutdown()

    def _check(self):
        if self._state.value != managers.State.STARTED:
            raise ValueError("the manager has not been started, or has been shut down")

    def _mine(self, block):
        self._blocks.append(block.name)
        return block


def _unlink(names):
    while names:
        name = names.pop()
        try:
            block = shared_memory.SharedMemory(name, track=True)
        except FileNotFoundError:
            continue
        block.close()
        block.unlink()
