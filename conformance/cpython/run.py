#!/usr/bin/env python3
"""Runs CPython's own tests of multiprocessing with another package in its place.

The tests are those of the Python that runs this; nothing of them is copied. Each test class is a job of its own, with a
time limit; several run at a time. What a package may fail, and why, is in a data file (see README.md). Standard library only.

    python conformance/cpython/run.py                              # polyproc, every start method
    python conformance/cpython/run.py --package multiprocessing    # the control: the standard library itself
    python conformance/cpython/run.py --method spawn --only 'WithProcessesTestPool*'
"""

import argparse
import collections
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
METHODS = ("fork", "forkserver", "spawn")
SUITES = ("multiprocessing", "futures", "main_handling")
GOOD = ("ok", "skip", "expected")

Outcome = collections.namedtuple("Outcome", "suite method test how seconds text")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", default="polyproc", help="what takes the place of multiprocessing (default: %(default)s)")
    parser.add_argument("--path", action="append", default=[], help="a folder in which the package is found; may be repeated")
    parser.add_argument("--method", action="append", choices=METHODS, help="start method; may be repeated (default: all)")
    parser.add_argument("--suite", action="append", choices=SUITES, help="may be repeated (default: all that this Python has)")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="only tests 'Class.test' that match; may be repeated")
    parser.add_argument("--jobs", type=int, default=max(2, (os.cpu_count() or 2)), help="classes at a time (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=180.0, help="seconds for a class (default: %(default)s)")
    parser.add_argument("--allowed", type=pathlib.Path, default=HERE / "allowed.txt", help="what the package may fail, and why")
    parser.add_argument("--once", action="store_true", help="do not run what failed a second time, alone")
    parser.add_argument("--results", type=pathlib.Path, help="writes every outcome to this file, as JSON")
    parser.add_argument("--verbose", action="store_true", help="shows the text of every failure")
    return parser.parse_args()


def allowed(path, package):
    """Rules (method pattern, test pattern, reason) of the data file, for this package."""
    rules = []
    if package == "multiprocessing":
        return rules
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        fields = line.split(None, 2)
        if len(fields) != 3:
            sys.exit(f"{path}:{number}: a line is: method, test, reason")
        rules.append(tuple(fields))
    return rules


def environment(options, folder, method):
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    search = [HERE / "redirect", HERE, *options.path]
    if options.package == "multiprocessing":
        search = search[1:]
    variables.update(
        PYTHONPATH=os.pathsep.join(str(pathlib.Path(part).resolve()) for part in search),
        CPYTHON_SUITE_PACKAGE=options.package,
        CPYTHON_SUITE_METHOD=method,
        TMPDIR=str(folder),
    )
    return variables


def job(options, suite, method, tests, limit):
    """Runs tests, whose names are 'Class.test', in a process of their own. Every one of them has an outcome."""
    # Short: the names of sockets are in it, and those are limited.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cps"))
    report = folder / "report"
    command = [sys.executable, "-W", "ignore", str(HERE / "job.py"), suite, method, str(report), *tests]
    began = time.monotonic()
    over = False
    with open(folder / "output", "w+b") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(options, folder, method), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            over = True
        end_session(process)
        output.seek(0)
        said = output.read().decode(errors="replace")[-6000:]
    outcomes, running = {}, None
    for line in report.read_text().splitlines() if report.exists() else ():
        entry = json.loads(line)
        if entry["how"] == "begins":
            running = entry["test"]
        else:
            running = None
            outcomes[entry["test"]] = Outcome(suite, method, entry["test"], entry["how"], entry["seconds"], entry["text"])
    shutil.rmtree(folder, ignore_errors=True)
    seconds = time.monotonic() - began
    for test in tests:
        if test not in outcomes:
            why = f"the class took longer than {limit:.0f} s" if over else f"the process of the class ended with code {process.returncode}"
            if test == running:
                why += ", in this test"
            outcomes[test] = Outcome(suite, method, test, "time" if over else "lost", seconds if test == running else 0.0, f"{why}\n{said}")
    return list(outcomes.values())


def end_session(process):
    """Nothing that a job has started outlives it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def listed(options, suite, method):
    """The tests of a suite, by class; none where this Python does not have it."""
    with tempfile.TemporaryDirectory(prefix="cps") as folder:
        report = pathlib.Path(folder) / "report"
        command = [sys.executable, "-W", "ignore", str(HERE / "job.py"), suite, method, str(report)]
        done = subprocess.run(command, cwd=folder, env=environment(options, folder, method), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"the tests cannot be listed ({suite}, {method}):\n{done.stderr or done.stdout}")
        classes = collections.defaultdict(list)
        for test in json.loads(report.read_text()):
            if not options.only or any(fnmatch.fnmatch(test, pattern) for pattern in options.only):
                classes[test.split(".")[0]].append(test)
        return classes


def run(options):
    work = []
    for suite in options.suite or SUITES:
        for method in options.method or METHODS:
            classes = listed(options, suite, method)
            work += [(suite, method, tests) for tests in classes.values()]
    # Long ones first.
    work.sort(key=lambda item: -len(item[2]))
    outcomes = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as threads:
        futures = [threads.submit(job, options, *item, options.limit) for item in work]
        for count, future in enumerate(concurrent.futures.as_completed(futures), 1):
            outcomes += future.result()
            print(f"\r{count} of {len(futures)} classes", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return outcomes


def again(options, outcomes):
    """What failed, a second time and alone: then nothing before it in its class, and no load, is the cause."""
    settled = []
    for outcome in outcomes:
        if outcome.how not in GOOD:
            second = job(options, outcome.suite, outcome.method, [outcome.test], options.limit)[0]
            if second.how == "ok":
                outcome = outcome._replace(how="second")
        settled.append(outcome)
    return settled


def judge(options, outcomes):
    """Prints the summary. The answer is the exit status."""
    rules = allowed(options.allowed, options.package)
    used, bad, excused = set(), [], []
    for outcome in outcomes:
        rule = next((rule for rule in rules if fnmatch.fnmatch(outcome.method, rule[0]) and fnmatch.fnmatch(outcome.test, rule[1])), None)
        if outcome.how in (*GOOD, "second"):
            continue
        if rule is None:
            bad.append(outcome)
        else:
            used.add(rule)
            excused.append((outcome, rule))
    for outcome in sorted(bad):
        last = outcome.text.strip().splitlines()[-1:] or [""]
        print(f"{outcome.how.upper():6} {outcome.method:10} {outcome.suite}: {outcome.test}: {outcome.text if options.verbose else last[0][:200]}")
    for outcome, rule in sorted(excused):
        print(f"allowed {outcome.method:10} {outcome.suite}: {outcome.test} ({rule[2]})")
    for outcome in sorted(outcome for outcome in outcomes if outcome.how == "second"):
        print(f"second {outcome.method:10} {outcome.suite}: {outcome.test}: passed alone")
    if not (options.only or options.method or options.suite):
        for rule in rules:
            if rule not in used:
                print(f"no exception needed any more: {rule[0]} {rule[1]}")
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"\nCPython {version}, {options.package} as multiprocessing\n")
    print(f"{'suite':16} {'method':11} {'tests':>6} {'passed':>7} {'second':>7} {'skipped':>8} {'allowed':>8} {'failed':>7}")
    groups = collections.defaultdict(list)
    for outcome in outcomes:
        groups[outcome.suite, outcome.method].append(outcome)
    for (suite, method), group in sorted(groups.items(), key=lambda item: (SUITES.index(item[0][0]), item[0][1])):
        count = collections.Counter(outcome.how for outcome in group)
        let_go = sum(outcome.method == method and outcome.suite == suite for outcome, _ in excused)
        passed = count["ok"] + count["expected"] + count["second"]
        failed = len(group) - passed - count["skip"] - let_go
        print(f"{suite:16} {method:11} {len(group):6} {passed:7} {count['second']:7} {count['skip']:8} {let_go:8} {failed:7}")
    return 1 if bad or not outcomes else 0


def main():
    options = arguments()
    outcomes = run(options)
    if not options.once:
        outcomes = again(options, outcomes)
    if options.results:
        options.results.write_text(json.dumps([outcome._asdict() for outcome in outcomes], indent=1))
    return judge(options, outcomes)


if __name__ == "__main__":
    sys.exit(main())
