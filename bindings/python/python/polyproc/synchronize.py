"""Locks and what else processes wait for, on the fabric: safe against SIGKILL of whoever holds them."""

from . import _core

__all__ = ["Lock"]


class Lock(_core.Lock):
    __doc__ = _core.Lock.__doc__

    def __repr__(self):
        return f"<{type(self).__name__} ({'locked' if self.locked() else 'unlocked'})>"
