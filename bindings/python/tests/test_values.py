"""Values arrive equal and of the same types, by whichever way they went."""

import array
import collections
import decimal
import enum
import math
import os
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyproc
from polyproc import _core

numpy = pytest.importorskip("numpy")

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text() | st.binary() | st.integers(-(2**80), 2**80)
plain_keys = scalars.filter(lambda value: value == value)
keys = plain_keys | st.tuples(plain_keys, plain_keys) | st.frozensets(plain_keys, max_size=3)
values = st.recursive(
    scalars | keys,
    lambda inner: st.lists(inner) | st.dictionaries(keys, inner) | st.tuples(inner) | st.tuples(inner, inner) | st.sets(keys) | st.frozensets(keys),
    max_leaves=12,
)


def same(a, b):
    """Equal, and of the same types all the way down; a NaN is a NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a), list(b)) and same(list(a.values()), list(b.values()))
    if isinstance(a, (set, frozenset)):
        return a == b and sorted(type(item).__name__ for item in a) == sorted(type(item).__name__ for item in b)
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    return a == b


@settings(max_examples=300, deadline=None)
@given(values)
def test_plain_values_are_neutral_and_come_back_the_same(value):
    codec, data = _core.encode(value)
    assert codec == 1 or not is_utf8(value)
    assert same(_core.decode(codec, data), value)


def is_utf8(value):
    try:
        return bool(repr(value).encode())
    except UnicodeEncodeError:
        return False


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_damaged_bytes_are_an_error_and_never_more(data):
    for codec in (1, 0x81, 0x82):
        try:
            _core.decode(codec, data if codec != 0x82 else data[:3])
        except Exception as error:
            assert isinstance(error, (pickle.UnpicklingError, EOFError, ValueError, IndexError)), repr(error)


class Color(enum.IntEnum):
    RED = 1


class Text(str):
    pass


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize("value", [Color.RED, Text("a"), Point(1, 2), decimal.Decimal("1.5"), {"a": Color.RED}, [collections.OrderedDict(a=1)], bytearray(b"x"), "\ud800", len, range(3)])
def test_others_are_pickled_and_keep_their_types(value):
    codec, data = _core.encode(value)
    assert codec == 2
    again = _core.decode(codec, data)
    assert again == value and type(again) is type(value)


def test_identity_and_recursion_inside_one_message():
    inner = [1]
    a, b = _core.decode(*_core.encode([inner, inner]))
    assert a is b
    inner.append(inner)
    again = _core.decode(*_core.encode(inner))
    assert again[1] is again
    same_twice = {"x": {}}
    same_twice["y"] = same_twice["x"]
    again = _core.decode(*_core.encode(same_twice))
    assert again["x"] is again["y"]
    deep = []
    for _ in range(150):
        deep = [deep]
    assert _core.encode(deep)[0] == 1 and _core.decode(*_core.encode(deep)) == deep


@pytest.mark.parametrize("size", [0, 1, 2047, 2048, 5000, 70_000, 3_000_000])
def test_buffers_arrive_writable_and_private(size):
    q = polyproc.Queue()
    data = os.urandom(size)
    for sent in (data, bytearray(data), memoryview(bytearray(data)), array.array("B", data), numpy.frombuffer(data, dtype="u1").copy(), {"a": [data, numpy.frombuffer(data, "u1")]}):
        q.put(sent)
        got = q.get()
        assert type(got) is type(sent)
        if isinstance(sent, dict):
            assert got["a"][0] == data and bytes(got["a"][1]) == data
            continue
        assert bytes(got) == data
        if not isinstance(sent, bytes) and size:
            got[0] = (int(got[0]) + 1) % 256
            got[-1] = 7
            assert bytes(got[1:-1]) == data[1:-1] and got[-1] == 7 and bytes(sent) == data


def test_arrays_of_all_kinds():
    q = polyproc.Queue()
    for made in (
        numpy.arange(100_000.0).reshape(100, 1000),
        numpy.asfortranarray(numpy.arange(60_000).reshape(200, 300)),
        numpy.arange(100_000)[::2],
        numpy.zeros((3, 0)),
        numpy.array(["a", None], dtype=object),
        numpy.zeros(50_000, dtype=[("x", "i4"), ("y", "f8")]),
    ):
        q.put(made)
        got = q.get()
        assert got.dtype == made.dtype and got.shape == made.shape and (got == made).all()
        assert got.flags.writeable
        if got.size:
            got[0] = made[-1]


def read_and_exit(array, q):
    q.put(float(array.sum()))


def test_a_forked_child_keeps_what_the_parent_gives_up():
    """A mapped array is a copy of the child's own, whatever becomes of the chunk."""
    ctx = polyproc.get_context("fork")
    q, go, out = ctx.Queue(), ctx.Event(), ctx.Queue()
    q.put(numpy.ones(1_000_000))
    got = q.get()
    child = ctx.Process(target=wait_and_sum, args=(got, go, out))
    child.start()
    got[:] = 5
    del got
    q.put(numpy.full(1_000_000, 9.0))
    go.set()
    assert out.get(timeout=60) == 1_000_000
    child.join()
    assert q.get()[0] == 9


def wait_and_sum(array, go, out):
    go.wait()
    out.put(float(array.sum()))


def test_memory_is_given_back():
    q, fabric = polyproc.Queue(), _core.family()
    for _ in range(3):
        before = fabric.size
        for _ in range(40):
            q.put(numpy.zeros(1_000_000))
            q.get()
    assert fabric.size == before


def test_what_does_not_pickle_is_told_at_the_put():
    q = polyproc.Queue()
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        q.put(lambda: 1)
    assert q.empty()
