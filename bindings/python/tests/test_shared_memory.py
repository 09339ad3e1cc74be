"""Named blocks, with whoever else has them."""

import multiprocessing.shared_memory as reference
import pickle

import pytest

from polyproc.managers import SharedMemoryManager
from polyproc.shared_memory import ShareableList, SharedMemory


def test_a_block_is_the_references_block():
    block = SharedMemory(create=True, size=100)
    try:
        other = reference.SharedMemory(block.name)
        block.buf[:3] = b"abc"
        assert bytes(other.buf[:3]) == b"abc" and block.size == 100
        other.close()
        again = pickle.loads(pickle.dumps(block))
        assert bytes(again.buf[:3]) == b"abc"
        view = again.buf[:2]
        with pytest.raises(BufferError):
            again.close()
        view.release()
        again.close()
        with pytest.raises(FileExistsError):
            SharedMemory(block.name, create=True, size=1)
    finally:
        block.close()
        block.unlink()
    with pytest.raises(FileNotFoundError):
        SharedMemory(block.name)
    with pytest.raises(ValueError):
        SharedMemory(create=True)


def test_a_list():
    items = ["howdy", b"HoWdY", -273.154, 100, None, True, 42]
    made = ShareableList(items)
    try:
        assert list(made) == items and made.format == "8s8sdqxxxxxx?xxxxxxxx?q"
        made[0] = "hi"
        again = pickle.loads(pickle.dumps(made))
        assert again[0] == "hi" and again.index(42) == 6 and again.count(None) == 1 and len(again) == 7
        with pytest.raises(ValueError, match="exceeds"):
            made[0] = "x" * 100
        with pytest.raises(IndexError):
            made[7]
        again.shm.close()
    finally:
        made.shm.close()
        made.shm.unlink()


def test_a_manager_of_blocks():
    with SharedMemoryManager() as manager:
        block, items = manager.SharedMemory(10), manager.ShareableList([1, 2])
        names = block.name, items.shm.name
        block.close(), items.shm.close()
    for name in names:
        with pytest.raises(FileNotFoundError):
            SharedMemory(name)
