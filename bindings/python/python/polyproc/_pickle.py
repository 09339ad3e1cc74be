"""The pickler behind values that are not plain: the standard library's for processes, protocol 5, large buffers beside the pickle."""

import io
import pickle

from ._stdlib import reduction

#: Buffers from this size on are not copied into the pickle.
LARGE = 2048

loads_ = pickle.loads


def _bytearray(buffer):
    return buffer if type(buffer) is bytearray else bytearray(buffer)


def _memoryview(buffer, fmt, shape):
    view = memoryview(buffer)
    return view if (fmt, shape) == ("B", (view.nbytes,)) else view.cast("B").cast(fmt, shape)


class _Pickler(reduction.ForkingPickler):
    """Knows two more types."""

    def reducer_override(self, obj):
        kind = type(obj)
        if kind is memoryview:
            data = obj if obj.c_contiguous else memoryview(bytearray(obj.tobytes()))
            return _memoryview, (pickle.PickleBuffer(data) if data.nbytes >= LARGE else bytearray(data.tobytes()), obj.format, tuple(obj.shape))
        if kind is bytearray and len(obj) >= LARGE:
            return _bytearray, (pickle.PickleBuffer(obj),)
        return NotImplemented


def dumps(obj):
    """The pickle, and the large buffers of it."""
    file, buffers = io.BytesIO(), []

    def beside(buffer):
        raw = buffer.raw()
        if raw.nbytes < LARGE:
            return True
        buffers.append(raw)
        return False

    _Pickler(file, 5, True, beside).dump(obj)
    return file.getbuffer(), buffers


def loads(data, buffers):
    """The value of a pickle and its buffers, which are writable and nobody else's."""
    return pickle.loads(data, buffers=buffers)
