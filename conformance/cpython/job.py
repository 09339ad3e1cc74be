"""One job of the runner: `job.py suite method report [Class.test ...]` runs these tests and writes a line of JSON for each, or without any writes the list of them."""

import json
import os
import sys
import time
import traceback
import unittest


class Result(unittest.TestResult):
    """Writes down what begins and how it ended, at once: the job may be killed."""

    def __init__(self, path):
        super().__init__()
        self.file = open(path, "a", encoding="utf-8")
        self.how, self.text, self.began = None, "", 0.0

    def write(self, test, how, text=""):
        entry = {"test": name(test), "how": how, "seconds": round(time.monotonic() - self.began, 3), "text": text}
        print(json.dumps(entry), file=self.file, flush=True)

    def startTest(self, test):
        super().startTest(test)
        self.how, self.text, self.began = "ok", "", time.monotonic()
        self.write(test, "begins")

    def stopTest(self, test):
        super().stopTest(test)
        self.write(test, self.how, self.text)

    def note(self, how, error):
        # The worst counts, and its text.
        if self.how in (None, "ok", "skip"):
            self.how, self.text = how, "".join(traceback.format_exception(*error))

    def addError(self, test, error):
        super().addError(test, error)
        self.note("error", error)
        if not isinstance(test, unittest.TestCase):
            print("".join(traceback.format_exception(*error)), file=sys.stderr, flush=True)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.note("fail", error)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.note("fail", error)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        if self.how == "ok":
            self.how, self.text = "skip", reason

    def addExpectedFailure(self, test, error):
        super().addExpectedFailure(test, error)
        self.how = "expected"

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.how = "fail"


def name(test):
    return ".".join(test.id().split(".")[-2:])


def tests_of(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


def main():
    which, method, report, *wanted = sys.argv[1:]
    os.environ["CPYTHON_SUITE"], os.environ["CPYTHON_SUITE_METHOD"] = which, method
    # Programs that tests start are to see the environment, and with it the package.
    from test.support import script_helper

    script_helper.__dict__["__cached_interp_requires_environment"] = True
    import suite

    found = list(tests_of(unittest.defaultTestLoader.loadTestsFromModule(suite)))
    if not wanted:
        with open(report, "w", encoding="utf-8") as file:
            json.dump([name(test) for test in found], file)
        return
    # A module's set-up and tear-down are run where the classes say they are at home.
    sys.modules.setdefault("suite", suite)
    unittest.TestSuite([unittest.TestSuite(test for test in found if name(test) in wanted)]).run(Result(report))


if __name__ == "__main__":
    main()
