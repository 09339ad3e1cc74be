"""The examples say the same with the standard library and with ours."""

import os
import pathlib
import subprocess
import sys

TUTORIAL = pathlib.Path(__file__).parent.parent / "examples" / "tutorial.py"


def said(package):
    environment = {name: value for name, value in os.environ.items() if name != "TUTORIAL"}
    return subprocess.run([sys.executable, TUTORIAL, package], env=environment, stdout=subprocess.PIPE, check=True, timeout=100).stdout.decode()


def test_the_tutorial_says_the_same():
    assert said("polyproc") == said("multiprocessing")
