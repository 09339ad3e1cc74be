"""Every public name of the reference is there, in the package and in its submodules."""

import importlib
import inspect
import pkgutil

import multiprocessing
import pytest

import polyproc

MODULES = ["", *(f".{module.name}" for module in pkgutil.iter_modules(multiprocessing.__path__) if "win32" not in module.name), ".dummy.connection"]


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_there(module):
    reference = importlib.import_module("multiprocessing" + module)
    ours = importlib.import_module("polyproc" + module)
    public = [name for name, value in vars(reference).items() if not name.startswith("_") and (not inspect.ismodule(value) or value.__name__.startswith("multiprocessing"))]
    assert not [name for name in public if not hasattr(ours, name)]
    assert set(getattr(reference, "__all__", ())) <= set(getattr(ours, "__all__", ()))


@pytest.mark.parametrize("module,name", [
    (module, name)
    for module in ("queues", "synchronize", "managers", "shared_memory", "pool", "connection", "context")
    for name, value in vars(importlib.import_module("multiprocessing." + module)).items()
    if inspect.isclass(value) and not name.startswith("_") and value.__module__.startswith("multiprocessing")
])
def test_every_public_method_is_there(module, name):
    reference = getattr(importlib.import_module("multiprocessing." + module), name)
    ours = getattr(importlib.import_module("polyproc." + module), name)
    assert not [method for method in dir(reference) if not method.startswith("_") and not hasattr(ours, method)]


def test_later_names_are_there_in_every_version():
    assert polyproc.Lock().locked() is False and polyproc.RLock().locked() is False and polyproc.Condition().locked() is False
    assert hasattr(polyproc.Process, "interrupt") and "track" in inspect.signature(polyproc.shared_memory.SharedMemory).parameters
    assert polyproc.Manager().set([1]).copy() == {1}
