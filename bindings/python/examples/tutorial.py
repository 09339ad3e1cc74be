"""The programs that every introduction to multiprocessing shows, each as a function. They run with the standard library and with polyproc, and say the same:

    python examples/tutorial.py polyproc
    python examples/tutorial.py multiprocessing
"""

import importlib
import os
import sys
import time

multiprocessing = importlib.import_module(os.environ.setdefault("TUTORIAL", sys.argv[1] if len(sys.argv) > 1 else "polyproc"))


def greet(name, q):
    q.put(f"hello, {name}")


class Counter(multiprocessing.Process):
    def __init__(self, upto, total):
        super().__init__()
        self.upto, self.total = upto, total

    def run(self):
        for number in range(self.upto):
            with self.total.get_lock():
                self.total.value += number


def square(number):
    return number * number


def sleepy(number):
    time.sleep(number / 100)
    return number


def add(a, b=0):
    return a + b


def fail(what):
    raise ValueError(what)


def consume(jobs, results):
    for job in iter(jobs.get, None):
        results.put(job * 10)


def answer(connection):
    connection.send({"got": connection.recv()})
    connection.close()


def fill(array):
    for index in range(len(array)):
        array[index] *= 2


def note(shared, names, worker):
    shared[worker] = worker * 2
    names.append(worker)


def process_with_arguments():
    q = multiprocessing.Queue()
    process = multiprocessing.Process(target=greet, args=("world",), kwargs={"q": q})
    process.start()
    print(q.get())
    process.join()
    print("exit code", process.exitcode)


def subclass_with_run():
    total = multiprocessing.Value("i", 0)
    processes = [Counter(100, total) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    print("total", total.value)


def queue_between_two():
    jobs, results = multiprocessing.Queue(), multiprocessing.Queue()
    process = multiprocessing.Process(target=consume, args=(jobs, results))
    process.start()
    for job in (1, 2, 3, None):
        jobs.put(job)
    print([results.get() for _ in range(3)])
    process.join()


def pipe():
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=answer, args=(theirs,))
    process.start()
    ours.send([1, "two"])
    print(ours.recv())
    process.join()


def array_under_a_lock():
    array = multiprocessing.Array("i", range(5))
    process = multiprocessing.Process(target=fill, args=(array,))
    process.start()
    process.join()
    print(array[:])


def managed():
    with multiprocessing.Manager() as manager:
        shared, names = manager.dict(), manager.list()
        processes = [multiprocessing.Process(target=note, args=(shared, names, worker)) for worker in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        print(sorted(shared.items()), sorted(names))


def pools():
    with multiprocessing.Pool(2) as pool:
        print(pool.map(square, range(6)))
        print(sorted(pool.imap_unordered(sleepy, [3, 1, 2])))
        print(pool.starmap(add, [(1, 2), (3, 4)]))
        called, failed = [], []
        good = pool.apply_async(add, (1,), {"b": 2}, callback=called.append)
        bad = pool.apply_async(fail, ("on purpose",), error_callback=failed.append)
        print(good.get())
        try:
            bad.get()
        except ValueError as error:
            print("ValueError:", error)
        pending = pool.map_async(sleepy, [50])
        try:
            pending.get(timeout=0.01)
        except multiprocessing.TimeoutError:
            print("not yet")
        print(pending.get(timeout=60))
        pool.close()
        pool.join()
        print(called, [str(error) for error in failed])


if __name__ == "__main__":
    for program in (process_with_arguments, subclass_with_run, queue_between_two, pipe, array_under_a_lock, managed, pools):
        print("--", program.__name__)
        program()
