"""Values and arrays: ctypes' own rules, shared between processes."""

import ctypes

import pytest

import polyproc
from polyproc import sharedctypes


class Point(ctypes.Structure):
    _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_double)]


def add(value, array, point, n):
    for _ in range(n):
        with value.get_lock():
            value.value += 1
    array[0] += 1
    array[1:3] = [20, 30]
    point.x, point.y = 5, 2.5


def test_children_share_them(ctx):
    value, array, point = ctx.Value("i", 1), ctx.Array("d", 4), ctx.Value(Point, 1, 1.5)
    children = [ctx.Process(target=add, args=(value, array, point, 500)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    assert value.value == 1001
    assert array[:] == [2.0, 20.0, 30.0, 0.0] and len(array) == 4 and array[-2] == 30.0
    assert (point.x, point.y) == (5, 2.5)


@pytest.mark.parametrize("code", "bBhHiIlLqQfd")
def test_numbers_are_as_ctypes_has_them(code):
    kind = sharedctypes.typecode_to_type[code]
    value, plain = polyproc.Value(code), kind()
    for number in (0, 1, -1, 127, 200, 2**31, -(2**40), 2**63, 2**64 - 1):
        value.value = plain.value = number
        assert value.value == plain.value and type(value.value) is type(plain.value)
    with pytest.raises(TypeError):
        value.value = "no"
    array = polyproc.Array(code, [1, 2, 3])
    with pytest.raises(IndexError):
        array[3]
    with pytest.raises(IndexError):
        array[-4] = 1
    assert list(array) == [1, 2, 3]


def test_characters_and_locks():
    text = polyproc.Array("c", b"hello")
    text.value = b"hi"
    assert text.value == b"hi" and text.raw == b"hi\0lo" and text[0] == b"h"
    assert polyproc.Value("u", "é").value == "é"
    raw = polyproc.RawArray("i", 3)
    assert list(raw) == [0, 0, 0] and isinstance(raw, ctypes.Array)
    lock = polyproc.Lock()
    assert polyproc.Value("i", lock=lock).get_lock() is lock
    assert isinstance(polyproc.Value("i", lock=False), ctypes.c_int)
    with pytest.raises(AttributeError, match="acquire"):
        polyproc.Value("i", lock="no")
    again = sharedctypes.copy(raw)
    again[0] = 9
    assert (raw[0], again[0]) == (0, 9)
