"""What the parent's modules still hold when a program ends: they are not taken apart, so it would be lost without a word.

Data is written, and `__del__` is called as if its object went.
"""

from __future__ import annotations

import _io
import _thread
import ctypes
import gc
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BUFFERED = (_io.TextIOWrapper, _io.BufferedWriter, _io.BufferedRandom)
"""Those in C that keep data back, in the order in which they pass it on."""

_call_finalizer = ctypes.pythonapi.PyObject_CallFinalizer
"""Once for each object; what it raises is reported as ever."""
_call_finalizer.argtypes = (ctypes.py_object,)
_call_finalizer.restype = None


def files() -> list[Any]:
    """Those that an import has opened, before any program has begun."""
    standard = set(map(id, (sys.stdin, sys.stdout, sys.stderr)))
    return [
        one
        for one in gc.get_objects()
        if issubclass(type(one), _io._IOBase)
        and (type(one).__module__ != "_io" or type(one) in _BUFFERED)
        and id(one) not in standard
    ]


def finalize(before: list[Any]) -> None:
    """`before` are the files of the parent; of what has been made since, the collector knows all else."""
    made = gc.get_objects()
    kinds = set(filter(_has_to_hear, set(map(type, made))))
    if not kinds and not before:
        return
    found = [*before, *(one for one in made if type(one) in kinds)]
    if not _thread._count():  # else it may be in use
        for one in found:
            if type(one).__module__ != "_io":
                _call_finalizer(one)
    for kind in _BUFFERED:
        for one in found:
            if type(one) is kind:
                try:
                    one.flush()
                except BaseException:  # nobody hears of it, as ever
                    pass


def _has_to_hear(kind: type) -> bool:
    try:
        return hasattr(kind, "__del__")
    except BaseException:
        return False
