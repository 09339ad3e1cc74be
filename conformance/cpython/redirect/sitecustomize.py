"""Puts a package in the place of multiprocessing, in every Python that is started with this folder on its path.

The standard library's modules are imported first, so that what the package takes from them is theirs. Then `multiprocessing` and each public submodule that the package has of its own are the package's; the others stay.
"""

import os
import sys


def redirect(package):
    import importlib
    import pkgutil

    # When a test's child begins, its command line may name modules of multiprocessing: all of them are there.
    standard = importlib.import_module("multiprocessing")
    for entry in pkgutil.walk_packages(standard.__path__, "multiprocessing."):
        if "win32" not in entry.name:
            importlib.import_module(entry.name)
    ours = importlib.import_module(package)
    for entry in pkgutil.walk_packages(ours.__path__, package + "."):
        theirs = "multiprocessing" + entry.name[len(package) :]
        if theirs in sys.modules:
            sys.modules[theirs] = importlib.import_module(entry.name)
    sys.modules["multiprocessing"] = ours
    for name in list(sys.modules):
        # As after an import: a submodule is an attribute.
        if name.startswith("multiprocessing.") and name.count(".") == 1 and not hasattr(ours, name.partition(".")[2]):
            setattr(ours, name.partition(".")[2], sys.modules[name])


name = os.environ.get("CPYTHON_SUITE_PACKAGE", "multiprocessing")
if name != "multiprocessing":
    try:
        redirect(name)
    except BaseException:
        import traceback

        traceback.print_exc()
        print(f"{name} cannot take the place of multiprocessing", file=sys.stderr, flush=True)
        os._exit(70)
