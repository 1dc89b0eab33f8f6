"""What the parent's modules still hold when a program ends: they are not taken apart, so it would be lost without a word.

Data is written, and `__del__` is called as if its object went.
"""

from __future__ import annotations

import _io
import _thread
import ctypes
import gc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_call_finalizer = ctypes.pythonapi.PyObject_CallFinalizer
"""Once for each object; what it raises is reported as ever."""
_call_finalizer.argtypes = (ctypes.py_object,)
_call_finalizer.restype = None


def files() -> list[Any]:
    """Those that are open, before any program has begun."""
    return [one for one in gc.get_objects() if issubclass(type(one), _io._IOBase)]


def finalize(before: list[Any]) -> None:
    """`before` are the files of the parent; of what has been made since the collector knows all else."""
    found = [*before, *(one for one in gc.get_objects() if _is_to_hear(one))]
    if not _thread._count():  # else it may be in use
        for one in found:
            if type(one).__module__ != "_io":
                _call_finalizer(one)
    for kind in (_io.TextIOWrapper, _io.BufferedWriter, _io.BufferedRandom):  # texts are made of bytes
        for one in found:
            if type(one) is kind:
                try:
                    one.flush()
                except BaseException:  # nobody hears of it, as ever
                    pass


def _is_to_hear(one: object) -> bool:
    try:
        return hasattr(type(one), "__del__")
    except BaseException:
        return False
