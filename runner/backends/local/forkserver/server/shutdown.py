"""The end of a session, in the order of Py_FinalizeEx: threads, `atexit`, streams, the modules of the program.

Preloaded modules are not taken apart: this would write to every page of memory that the sessions share, which costs ten
times as much as the rest of a session. So what only they hold is not finalized, and destructors of C libraries do not run.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import io
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_FLUSH_FAILED = 120
"""The exit status of CPython if a standard stream could not be flushed."""

_fflush = ctypes.PyDLL(None).fflush
"""Keeps the GIL, so that no other thread runs."""


def finish(status: int, preloaded: frozenset[str]) -> NoReturn:
    """Exit with `status`, or die by the signal -status; `preloaded` are the modules that are not the program's own."""
    threading: Any = sys.modules.get("threading")  # to import it would cost each session 50 page faults
    for step in (*([threading._shutdown] if threading else ()), atexit._run_exitfuncs):
        with contextlib.suppress(BaseException):  # they have shown what failed
            step()
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
        vars(sys).pop(name, None)
    for file in gc.get_objects():  # the collector may close a file before its buffer is written
        if type(file) in (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom):
            with contextlib.suppress(Exception):
                file.flush()
    file = None
    own = ["__main__"]
    for name in reversed(sys.modules):  # no further than needed: to look at a name copies the page that it lies in
        if name in preloaded:
            break
        own.append(name)
    for name in own:
        sys.modules.pop(name, None)
    gc.collect()


def _flush() -> bool:
    """Return whether everything written to the standard streams could be flushed."""
    flushed = True
    for stream in (getattr(sys, "stdout", None), getattr(sys, "stderr", None)):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except Exception:
            flushed = False
    return flushed
