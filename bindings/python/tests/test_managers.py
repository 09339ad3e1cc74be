"""Dicts, lists and the rest of a manager, without a server."""

import collections.abc
import copy
import queue

import pytest

import polyproc
from polyproc import managers


@pytest.fixture
def manager():
    with polyproc.Manager() as made:
        yield made


def change(d, items, s, space, value, array, q, lock):
    with lock:
        d["child"] = {"nested": [1, 2.5, None]}
        d["count"] += 1
    items.append("child")
    s.add(("a", "tuple"))
    space.x = 7
    value.value += 1
    array[1] = 11
    q.put("done")


def test_children_change_them(ctx):
    with ctx.Manager() as m:
        d, items, s, space = m.dict(count=1), m.list([1]), m.set([1]), m.Namespace(y=2)
        value, array, q, lock = m.Value("i", 3), m.Array("i", [1, 2]), m.Queue(), m.Lock()
        child = ctx.Process(target=change, args=(d, items, s, space, value, array, q, lock))
        child.start()
        assert q.get(timeout=60) == "done"
        child.join()
        assert child.exitcode == 0
        assert d.copy() == {"count": 2, "child": {"nested": [1, 2.5, None]}}
        assert items[:] == [1, "child"] and s.copy() == {1, ("a", "tuple")}
        assert (space.x, space.y, value.value, list(array[:])) == (7, 2, 4, [1, 11])
        assert not polyproc.active_children(), "there is no server"


def test_a_dict_is_as_pythons(manager):
    plain, d = {}, manager.dict()
    for key in (1, 1.0, True, "a", b"a", ("t", 1), None, frozenset([1]), 2**70):
        plain[key] = d[key] = [key]
    assert d.copy() == plain and d.keys() == list(plain) and d.items() == list(plain.items()) and len(d) == len(plain)
    assert list(d) == list(plain) and d.values() == list(plain.values())
    assert d.get("no") is None and d.get("no", 5) == 5 and d.pop("no", 6) == 6 and "no" not in d
    with pytest.raises(KeyError):
        d["no"]
    with pytest.raises(KeyError):
        del d["no"]
    with pytest.raises(KeyError):
        d.pop("no")
    with pytest.raises(TypeError):
        d[[]] = 1
    assert d.popitem() == plain.popitem() and d.setdefault("a", 9) == ["a"] and d.setdefault("new", 9) == 9
    assert (d | {"z": 1})["z"] == 1 and isinstance(d | {}, dict)
    d |= {"y": 2}
    assert d["y"] == 2 and isinstance(d, managers.DictProxy) and isinstance(d, collections.abc.MutableMapping) and isinstance(d, managers.BaseProxy)
    assert copy.deepcopy(d) == d.copy() and str(d) == str(d.copy()) and repr(d).startswith("<DictProxy object, typeid 'dict' at 0x")
    assert d.increment("n", 5) == 5 and d.increment("n") == 6
    value, version = d.get_versioned("n")
    assert d.compare_and_set("n", version, 8) and d.compare_and_set("n", version, 9) is None and d["n"] == 8
    d.clear()
    assert not d.copy()


def test_a_list_is_as_pythons(manager):
    items = manager.list(range(6))
    items[1:3] = ["a", "b", "c"]
    del items[0], items[-1]
    items.insert(0, None)
    items.extend((9, 9))
    assert items[:] == [None, "a", "b", "c", 3, 4, 9, 9] and items[-1] == 9 and items[::-2] == [9, 4, "c", "a"]
    assert items.count(9) == 2 and items.index("c") == 3 and "b" in items and items.pop(1) == "a" and items.pop() == 9
    items.remove(9.0)
    with pytest.raises(ValueError):
        items.remove("no")
    with pytest.raises(IndexError):
        items[99]
    with pytest.raises(IndexError):
        items.pop(99)
    numbers = manager.list([3, 1, 2])
    numbers.sort(reverse=True)
    numbers *= 2
    numbers += [0]
    numbers.reverse()
    assert numbers[:] == [0, 1, 2, 3, 1, 2, 3] and numbers + [1] == [0, 1, 2, 3, 1, 2, 3, 1] and 2 * manager.list([1]) == [1, 1]
    numbers.sort(key=lambda n: -n)
    assert list(numbers) == [3, 3, 2, 2, 1, 1, 0] and list(reversed(numbers)) == [0, 1, 1, 2, 2, 3, 3]
    with pytest.raises(KeyError):
        numbers.sort(key={}.__getitem__)


def test_a_set_is_as_pythons(manager):
    s = manager.set("abc")
    assert s | {"d"} == set("abcd") and {"a"} & s == {"a"} and s - manager.set("a") == set("bc") and s >= {"a"} and len(s) == 3 and "a" in s
    s ^= {"a", "z"}
    s.discard("nothing")
    with pytest.raises(KeyError):
        s.remove("nothing")
    assert s.copy() == set("bcz") and sorted(s) == ["b", "c", "z"] and s.pop() in "bcz"


def test_shared_things_in_shared_things(manager):
    outer = manager.dict(inner=manager.list([1]))
    outer["inner"].append(2)
    assert outer["inner"][:] == [1, 2]
    q = manager.Queue(1)
    outer["q"] = q
    outer["q"].put("x")
    with pytest.raises(queue.Full):
        q.put_nowait(1)
    assert q.get() == "x"
    q.task_done()
    q.join()
    assert manager.Pool


def test_namespace(manager):
    space = manager.Namespace(a=1)
    space._own = 2
    assert str(space) == "Namespace(a=1)" and space._own == 2
    del space.a
    assert not hasattr(space, "a")


class Counter:
    def __init__(self):
        self.n = 0

    def up(self):
        self.n += 1
        return self.n


class Mine(managers.SyncManager):
    pass


Mine.register("Counter", Counter)


def test_registered_types_have_a_server():
    with Mine() as m:
        assert not polyproc.active_children()
        d = m.dict(a=1)
        counter = m.Counter()
        assert [counter.up(), counter.up()] == [1, 2] and d["a"] == 1 and len(polyproc.active_children()) == 1
    assert not polyproc.active_children()
