"""The tests of one suite and start method as classes, taken from the installed Python. Children of the tests import this module by its name, so what they need of a class is found here."""

import importlib
import os
import unittest

METHOD = os.environ["CPYTHON_SUITE_METHOD"]


def of_multiprocessing(into):
    from test import _test_multiprocessing

    _test_multiprocessing.install_tests_in_module_dict(into, METHOD)


def of_futures(into):
    """Classes of test_concurrent_futures for process pools; each module's own set-up is done by its classes."""
    prefix = {"fork": "ProcessPoolFork", "forkserver": "ProcessPoolForkserver", "spawn": "ProcessPoolSpawn"}[METHOD]
    for name in ("as_completed", "deadlock", "init", "process_pool", "shutdown", "wait"):
        try:
            module = importlib.import_module(f"test.test_concurrent_futures.test_{name}")
        except ImportError:
            continue
        module.setUpModule()
        for name, value in vars(module).items():
            if isinstance(value, type) and issubclass(value, unittest.TestCase) and name.startswith(prefix):
                if METHOD == "fork" and name.startswith("ProcessPoolForkserver"):
                    continue
                into[name] = value


def of_main_handling(into):
    try:
        from test import test_multiprocessing_main_handling as module
    except ImportError:
        return
    name = {"fork": "ForkCmdLineTest", "forkserver": "ForkServerCmdLineTest", "spawn": "SpawnCmdLineTest"}[METHOD]
    into[name] = getattr(module, name)
    into["tearDownModule"] = module.tearDownModule


LOADERS = {"multiprocessing": of_multiprocessing, "futures": of_futures, "main_handling": of_main_handling}

if os.environ.get("CPYTHON_SUITE"):
    LOADERS[os.environ["CPYTHON_SUITE"]](globals())
