"""What the tests share: the three ways of starting a process, and an end to every test that hangs."""

import faulthandler
import os

import pytest

import polyproc

#: Seconds after which a test is hung: all stacks are written, and the run ends.
HUNG = float(os.environ.get("POLYPROC_TEST_HUNG", "120"))


@pytest.fixture(autouse=True)
def watchdog():
    faulthandler.dump_traceback_later(HUNG, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(params=["fork", "spawn", "forkserver"])
def ctx(request):
    return polyproc.get_context(request.param)
