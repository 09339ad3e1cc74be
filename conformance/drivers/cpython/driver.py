"""The model: CPython's own multiprocessing, asked the same questions as the drivers of our languages.

It makes the objects of a case as the reference's users do, before the processes that use them, and forks a process for each actor. Every
process writes its own answers; the parent only hands lines on. It knows no case.
"""

import json
import multiprocessing as mp
import multiprocessing.connection
import multiprocessing.managers
import multiprocessing.pool
import multiprocessing.queues
import multiprocessing.shared_memory
import multiprocessing.sharedctypes
import multiprocessing.synchronize
import os
import queue
import signal
import sys
import threading
import time

ctx = mp.get_context("fork")


class Unsupported(Exception):
    pass


# --- values, in the notation of lines

def shown(value):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else {"int": str(value)}
    if isinstance(value, float):
        if value != value:
            return {"float": "nan"}
        return value if abs(value) != float("inf") else {"float": "inf" if value > 0 else "-inf"}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": digits(bytes(value))}
    if isinstance(value, list):
        return [shown(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [shown(item) for item in value]}
    if isinstance(value, frozenset):
        return {"frozenset": [shown(item) for item in value]}
    if isinstance(value, set):
        return {"set": [shown(item) for item in value]}
    if isinstance(value, dict):
        return {"map": [[shown(key), shown(item)] for key, item in value.items()]}
    return {"object": type(value).__name__}


def digits(data):
    if len(data) <= 4096:
        return data.hex()
    total = 0
    for byte in data:
        total = (total * 31 + byte) & 0xFFFFFFFF
    return f"{len(data)} bytes, sum {total}"


def read(value, things):
    if isinstance(value, list):
        return [read(item, things) for item in value]
    if not isinstance(value, dict):
        return value
    (tag, inner), = value.items()
    if tag == "map":
        return {read(key, things): read(item, things) for key, item in inner}
    if tag == "object":
        return things[inner]
    if tag in ("int", "float"):
        return {"int": int, "float": float}[tag](inner)
    if tag == "float32":
        return float(inner)
    if tag == "bytes":
        return bytes.fromhex(inner)
    if tag == "blob":
        return bytes(n % 251 for n in range(inner))
    if tag == "complex":
        return complex(*read(inner, things))
    return {"tuple": tuple, "set": set, "frozenset": frozenset}[tag](read(inner, things))


# --- tasks that every driver offers

def echo(value):
    return value


def add(left, right):
    return left + right


def square(n):
    return n * n


def fail(text):
    raise RuntimeError(text)


def leave(code):
    os._exit(code)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(seconds):
    time.sleep(seconds)
    return seconds


def put(into, value):
    into.put(value)


TASKS = {task.__name__: task for task in (echo, add, square, fail, leave, die, sleep, put)}


# --- steps, by the type of what they are done on

class Step:
    def __init__(self, line, things):
        self.does = line["do"]
        self.args = read(line.get("args", []), things)
        self.timeout = line.get("timeout")
        self.options = line.get("with") or {}
        self.keep = line.get("as")


def limited(step, call):
    """For what answers False when time is up."""
    if call(True, step.timeout) if step.timeout != 0 else call(False):
        return True
    raise TimeoutError


def on_queue(q, step):
    block, timeout = (step.timeout != 0, step.timeout or None)
    simple = isinstance(q, mp.queues.SimpleQueue)
    if step.does == "put":
        return q.put(*step.args) if simple else q.put(*step.args, block, timeout)
    if step.does == "get":
        return q.get() if simple else q.get(block, timeout)
    if step.does == "join":
        if timeout is None:
            return q.join()
        done = threading.Thread(target=q.join, daemon=True)
        done.start()
        done.join(timeout)
        if done.is_alive():
            raise TimeoutError
        return None
    plain = {"len": "qsize", "empty": "empty", "full": "full", "task_done": "task_done"}
    if step.does in plain:
        # Its feeder thread is still at work for a moment.
        time.sleep(0.02)
        return getattr(q, plain[step.does])(*step.args)
    raise Unsupported


def on_lock(lock, step):
    if step.does == "acquire":
        return limited(step, lock.acquire)
    if step.does == "release":
        return lock.release()
    if step.does == "locked" and hasattr(lock, "locked"):
        return lock.locked()
    raise Unsupported


def on_semaphore(semaphore, step):
    if step.does == "value":
        return semaphore.get_value()
    if step.does == "release" and step.args:
        for _ in range(step.args[0]):
            semaphore.release()
        return None
    return on_lock(semaphore, step)


def on_event(event, step):
    if step.does == "wait":
        return event.wait(step.timeout)
    return getattr(event, {"set": "set", "clear": "clear", "is_set": "is_set"}[step.does])()


def on_condition(condition, step):
    if step.does == "wait":
        return condition.wait(step.timeout)
    if step.does in ("notify", "notify_all"):
        getattr(condition, step.does)(*step.args)
        return None
    return on_lock(condition, step)


def on_barrier(barrier, step):
    if step.does == "wait":
        return barrier.wait(step.timeout)
    if step.does in ("reset", "abort"):
        return getattr(barrier, step.does)()
    return getattr(barrier, step.does)


def on_value(value, step):
    if step.does in ("get", "set", "add"):
        if step.does == "get":
            return value.value
        if step.does == "set":
            value.value = step.args[0]
            return None
        with value.get_lock():
            value.value += step.args[0]
            return value.value
    return on_lock(value, step)


def on_array(array, step):
    does, args = step.does, step.args
    if does == "get":
        return array[args[0]]
    if does == "set":
        array[args[0]] = args[1]
        return None
    if does == "add":
        with array.get_lock():
            array[args[0]] += args[1]
            return array[args[0]]
    if does == "slice":
        return listed(array[args[0]:args[1]])
    if does == "set_slice":
        array[args[0]:args[0] + len(args[1])] = args[1]
        return None
    if does == "items":
        return listed(array[:])
    if does == "len":
        return len(array)
    return on_lock(array, step)


def listed(cells):
    """The reference gives the cells of a 'c' array as one bytes object, and those of a 'u' array as one text."""
    if isinstance(cells, bytes):
        return [cells[i:i + 1] for i in range(len(cells))]
    return list(cells)


def on_dict(d, step):
    does, args = step.does, step.args
    simple = {
        "set": lambda k, v: d.__setitem__(k, v), "get": lambda k: d[k], "get_or": d.get, "contains": lambda k: k in d,
        "delete": lambda k: d.__delitem__(k), "pop": d.pop, "pop_or": d.pop, "pop_item": lambda: list(d.popitem()),
        "set_default": d.setdefault, "update": lambda entries: d.update(dict(map(tuple, entries))), "keys": lambda: list(d.keys()),
        "values": lambda: list(d.values()), "items": lambda: [list(pair) for pair in d.items()], "len": lambda: len(d),
        "clear": d.clear, "keys_reversed": lambda: list(reversed(d.keys())),
    }
    if does not in simple:
        raise Unsupported
    return simple[does](*args)


def on_list(items, step):
    does, args = step.does, step.args

    def cut(*bounds):
        return slice(*bounds[:3])

    simple = {
        "append": items.append, "extend": items.extend, "insert": items.insert, "get": lambda i: items[i],
        "set": lambda i, v: items.__setitem__(i, v), "delete": lambda i: items.__delitem__(i), "pop": items.pop,
        "slice": lambda *b: items[cut(*b)], "set_slice": lambda a, b, c, values: items.__setitem__(cut(a, b, c), values),
        "delete_slice": lambda *b: items.__delitem__(cut(*b)), "index": items.index, "count": items.count,
        "contains": lambda v: v in items, "remove": items.remove, "reverse": items.reverse, "sort": items.sort,
        "sort_reverse": lambda: items.sort(reverse=True), "times": lambda n: items * n, "plus": lambda more: items + more,
        "items": lambda: items[:], "len": lambda: len(items), "clear": lambda: items.__delitem__(slice(None)),
        "repeat": lambda n: items.__imul__(n) and None,
    }
    if does not in simple:
        raise Unsupported
    return simple[does](*args)


def on_namespace(namespace, step):
    if step.does == "set":
        return setattr(namespace, *step.args)
    if step.does == "get":
        return getattr(namespace, *step.args)
    if step.does == "delete":
        return delattr(namespace, *step.args)
    raise Unsupported


def on_connection(end, step):
    if step.does in ("recv", "recv_bytes") and step.timeout is not None and not end.poll(step.timeout):
        raise TimeoutError
    if step.does == "poll":
        return end.poll(step.timeout)
    if step.does == "recv_bytes_max":
        return end.recv_bytes(step.args[0])
    return getattr(end, {"send": "send", "recv": "recv", "send_bytes": "send_bytes", "recv_bytes": "recv_bytes", "close": "close"}[step.does])(*step.args)


def on_process(process, step):
    if step.does == "join":
        process.join(step.timeout)
        return process.exitcode
    if step.does == "exit_code":
        return process.exitcode
    if step.does == "has_pid":
        return process.pid > 1
    return getattr(process, {"is_alive": "is_alive", "terminate": "terminate", "kill": "kill"}[step.does])()


class Call:
    def __init__(self, result):
        self.result = result


def on_call(call, step):
    if step.does == "get":
        return call.result.get(step.timeout)
    if step.does == "wait":
        call.result.wait(step.timeout)
        return call.result.ready()
    if step.does == "ready":
        return call.result.ready()
    raise Unsupported


def on_pool(pool, step):
    if step.does == "submit":
        return Call(pool.apply_async(TASKS[step.args[0]], step.args[1]))
    if step.does == "call":
        return pool.apply(TASKS[step.args[0]], step.args[1])
    if step.does == "map":
        return pool.map(square, step.args[0])
    if step.does == "workers":
        return len(pool._pool)
    if step.does in ("close", "terminate", "join"):
        return getattr(pool, step.does)()
    raise Unsupported


def on_memory(block, step):
    if step.does == "read":
        return bytes(block.buf[step.args[0]:step.args[0] + step.args[1]])
    if step.does == "write":
        block.buf[step.args[0]:step.args[0] + len(step.args[1])] = step.args[1]
        return None
    if step.does == "size":
        return block.size
    if step.does == "unlink":
        return block.unlink()
    raise Unsupported


def handler(thing):
    """What carries out steps on this thing."""
    if isinstance(thing, mp.shared_memory.SharedMemory):
        return on_memory
    by_type = [
        (mp.synchronize.Condition, on_condition), (mp.synchronize.Event, on_event), (mp.synchronize.Barrier, on_barrier),
        (mp.synchronize.Semaphore, on_semaphore), (mp.synchronize.SemLock, on_lock), (mp.queues.Queue, on_queue),
        (mp.queues.SimpleQueue, on_queue), (mp.sharedctypes.SynchronizedArray, on_array), (mp.sharedctypes.SynchronizedBase, on_value),
        (mp.managers.DictProxy, on_dict), (mp.managers.BaseListProxy, on_list), (mp.managers.NamespaceProxy, on_namespace),
        (mp.connection.Connection, on_connection), (mp.process.BaseProcess, on_process), (Call, on_call), (mp.pool.Pool, on_pool),
    ]
    for kind, does in by_type:
        if isinstance(thing, kind):
            return does
    if hasattr(thing, "_length_"):
        return on_array
    if hasattr(thing, "value"):
        return on_value
    raise Unsupported


# --- errors, by the names of ours

def kind_of(error, step):
    now = step is not None and step.timeout == 0
    if isinstance(error, queue.Empty):
        return "Empty" if now else "Timeout"
    if isinstance(error, queue.Full):
        return "Full" if now else "Timeout"
    if isinstance(error, (TimeoutError, mp.TimeoutError)):
        return "Timeout"
    if isinstance(error, threading.BrokenBarrierError):
        return "BrokenBarrier"
    if isinstance(error, (EOFError, BrokenPipeError, ConnectionResetError)):
        return "Closed"
    if isinstance(error, IndexError):
        return "InvalidArgument"
    if isinstance(error, (KeyError, AttributeError)):
        return "NotFound"
    if isinstance(error, (AssertionError, RuntimeError)) or "semaphore or lock released too many times" in str(error):
        return "NotHeld" if step is None or step.does not in ("get", "call") else "Panicked"
    if isinstance(error, ValueError) and step is not None and step.does == "task_done":
        return "NotHeld"
    if isinstance(error, ValueError) and step is not None and step.does in ("index", "remove"):
        return "NotFound"
    if isinstance(error, OSError) and "closed" in str(error):
        return "Closed"
    if isinstance(error, OSError) and "message" in str(error):
        return "TooLarge"
    return type(error).__name__


# --- the world

def made(kind, options, manager, things, lasting):
    number = options.get
    lock = options.get("lock", True)
    cells = lambda: read(options.get("contents", []), things)
    simple = {
        "queue": lambda: ctx.JoinableQueue(number("capacity", 0)) if options.get("joinable") else ctx.Queue(number("capacity", 0)),
        "lock": ctx.Lock, "rlock": ctx.RLock, "event": ctx.Event,
        "semaphore": lambda: ctx.Semaphore(number("value", 1)), "bounded_semaphore": lambda: ctx.BoundedSemaphore(number("value", 1)),
        "condition": lambda: ctx.Condition(things.get(options.get("lock"))),
        "barrier": lambda: ctx.Barrier(number("parties", 2), timeout=options.get("timeout")),
        "value": lambda: ctx.Value(options.get("type", "i"), read(options.get("value", 0), things), lock=lock),
        "array": lambda: ctx.Array(options.get("type", "i"), cells(), lock=lock),
        "dict": lambda: manager().dict(), "list": lambda: manager().list(), "namespace": lambda: manager().Namespace(),
        "pipe": ctx.Pipe, "shared_memory": lambda: mp.shared_memory.SharedMemory(create=True, size=options["size"]),
    }
    if kind not in simple:
        raise Unsupported
    thing = simple[kind]()
    if kind == "shared_memory":
        lasting.append(thing)
    return thing


def say(answer):
    os.write(1, (json.dumps(answer) + "\n").encode())


def act(line, things):
    """Carries out one step; the answer."""
    step = None
    try:
        step = Step(line, things)
        if "on" in line:
            thing = things[line["on"]]
            value = handler(thing)(thing, step)
        elif step.does == "spawn":
            value = ctx.Process(target=TASKS[step.args[0]], args=step.args[1])
            value.start()
        elif step.does == "pool":
            value = ctx.Pool(step.args[0])
        else:
            raise Unsupported
        if step.keep:
            things[step.keep] = value
            value = None
        return {"is": shown(value)}
    except (Unsupported, NotImplementedError):
        return {"unsupported": True}
    except Exception as error:
        return {"error": kind_of(error, step), "text": repr(error)}


def actor(lines, things, first):
    for name, thing in list(things.items()):
        if isinstance(thing, tuple):
            mine, other = thing if first else thing[::-1]
            other.close()
            things[name] = mine
    for line in lines:
        line = json.loads(line)
        if line["do"] == "leave":
            say({"id": line["id"], "is": None})
            return
        say({"id": line["id"], **act(line, things)})


def main():
    world, managers, lasting, processes = {}, [], [], {}

    def manager():
        if not managers:
            managers.append(ctx.Manager())
        return managers[0]

    for line in sys.stdin:
        step = json.loads(line)
        if step["do"] == "world":
            names, objects = step["args"]
            things = {}
            try:
                for name, kind, options in objects:
                    things[name] = made(kind, options, manager, things, lasting)
            except Unsupported:
                say({"id": step["id"], "unsupported": True})
                continue
            ends = {name: os.pipe() for name in names}
            for name, (reading, _) in ends.items():
                pid = os.fork()
                if pid == 0:
                    for _, writing in ends.values():
                        os.close(writing)
                    with os.fdopen(reading) as lines:
                        actor(lines, things, name == names[0])
                    for child in mp.active_children():
                        child.kill()
                    os._exit(0)
                os.close(reading)
                say({"actor": name, "pid": pid})
            for thing in things.values():
                for end in thing if isinstance(thing, tuple) else ():
                    end.close()
            world = {name: writing for name, (_, writing) in ends.items()}
            say({"id": step["id"], "is": None})
        elif step["do"] == "end":
            say({"id": step["id"], "is": None})
        else:
            os.write(world[step["actor"]], line.encode())
    for block in lasting:
        try:
            block.unlink()
        except FileNotFoundError:
            pass


if __name__ == "__main__":
    main()
