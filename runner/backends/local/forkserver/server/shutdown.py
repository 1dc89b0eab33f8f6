"""The end of a session, in the order of Py_FinalizeEx: threads, `atexit`, streams, the modules of the program.

Preloaded modules are not taken apart: this would write to every page of memory that the sessions share, which costs ten
times as much as the rest of a session. So what only they hold is not finalized, and destructors of C libraries do not run.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import io
import os
import signal
import sys
import weakref
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_FLUSH_FAILED = 120
"""The exit status of CPython if a standard stream could not be flushed."""

_fflush = ctypes.PyDLL(None).fflush
"""Keeps the GIL, so that no other thread runs."""


def finish(status: int, preloaded: frozenset[str]) -> NoReturn:
    """Exit with `status`, or die by the signal -status; `preloaded` are the modules that are not the program's own."""
    threading: Any = sys.modules.get("threading")
    try:
        if threading is not None:
            threading._shutdown()
    except BaseException as error:
        sys.__excepthook__(type(error), error, error.__traceback__)
    try:
        atexit._run_exitfuncs()
    except BaseException:  # Python 3.9 raises what it has already shown
        pass
    flushed = _flush()
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    sys.setswitchinterval(3600)  # daemon threads stop here
    _drop_program(preloaded)
    flushed = _flush() and flushed
    _fflush(None)
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status if flushed else _FLUSH_FAILED)


def _drop_program(preloaded: frozenset[str]) -> None:
    """Drop the program's own modules, so that their open files are written and `__del__` runs."""
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            setattr(sys, name, None)
    _flush_files()
    own = []
    for name in reversed(sys.modules):  # no further than needed: to look at a module copies the page that it lies in
        if name in preloaded:
            break
        own.append(name)
    remaining = []
    for name in (*own, "__main__"):
        module = sys.modules.pop(name, None)
        if isinstance(module, ModuleType):
            remaining.append(weakref.ref(module))
    module = None
    gc.collect()
    for reference in remaining:
        module = reference()
        if module is not None:
            _empty(module)
    gc.collect()


def _flush_files() -> None:
    """Flush the files that the program has left open: the collector may close a file before its buffer is written."""
    for kind in (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom):
        for file in gc.get_objects():
            if type(file) is kind:
                _flush_stream(file)


def _empty(module: ModuleType) -> None:
    """Set the names of a module to None, as the interpreter does: first those with one underscore at the start."""
    scope = module.__dict__
    for private in (True, False):
        for name in [name for name in scope if (name[:1] == "_" and name[1:2] != "_") is private]:
            if name != "__builtins__":
                scope[name] = None


def _flush() -> bool:
    """Return whether everything written to the standard streams could be flushed."""
    flushed = _flush_stream(getattr(sys, "stdout", None))
    return _flush_stream(getattr(sys, "stderr", None)) and flushed


def _flush_stream(stream: Any) -> bool:
    if stream is None:
        return True
    try:
        if stream.closed:
            return True
    except BaseException:
        pass
    try:
        stream.flush()
    except BaseException:
        return False
    return True
