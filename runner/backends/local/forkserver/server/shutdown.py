"""The end of the interpreter, in its own order (Py_FinalizeEx), but for taking apart what was preloaded.

That would touch every page that is shared, for ten times the cost of the whole session.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
import signal
import sys
import weakref
from typing import NamedTuple

from runner.backends.local.forkserver.server import finalizers, library_exit, unraisable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, NoReturn

_FLUSH_FAILED = 120
_libc = ctypes.PyDLL(None)  # calls of it keep the GIL, so no thread runs on
_fflush = _libc.fflush  # found here, not by each fork

_BY_NAME = sys.version_info < (3, 13)
"""Whether what has failed is named by itself, and not what was being done."""

_FLUSHING = f"Exception ignored {'on' if sys.version_info < (3, 14) else 'while'} flushing sys.stdout"

_STREAMS = ("stdout", "stderr")
_LAST = ("last_type", "last_value", "last_traceback", "last_exc")


class Before(NamedTuple):
    """What a fork has found: the `modules` that are not its program's own, the `files` that these have open, and of its
    libraries whether they are `quiet` at the end, and their measure `loaded`."""

    modules: frozenset[str]
    files: list[Any]
    quiet: bool
    loaded: bytes


def before() -> Before:
    return Before(
        frozenset(sys.modules) - {"__main__"}, finalizers.files(), library_exit.nothing_to_do(), library_exit.loaded()
    )


def finish(status: int, before: Before) -> NoReturn:
    """Exit with this status (minus a signal's number: die by it)."""
    threading = sys.modules.get("threading")
    if threading is not None:
        try:
            threading._shutdown()
        except BaseException as error:
            unraisable.report(error, *((None, threading) if _BY_NAME else ("Exception ignored on threading shutdown",)))
    try:
        atexit._run_exitfuncs()
    except BaseException:  # 3.9 and older raise, once more, what they have shown
        pass
    flushed, quiet = leave(before)
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    code = status if flushed else _FLUSH_FAILED
    if quiet:
        _fflush(None)
    else:
        _libc.exit(code)
    os._exit(code)


def leave(before: Before) -> tuple[bool, bool]:
    """Let go of what is the program's; whether all that was written could be flushed, and whether no library is to be asked."""
    flushed = _flush_both()
    for name in _STREAMS:
        original = getattr(sys, f"__{name}__", None)
        if getattr(sys, name, None) is not original:
            setattr(sys, name, original)
    _let_go(before)
    flushed = flushed and _flush_both()
    return flushed, before.quiet and library_exit.loaded() == before.loaded


def _let_go(before: Before) -> None:
    """Drop the program's modules, so that `__del__` runs; those which something else holds are emptied."""
    for name in _LAST:
        if hasattr(sys, name):
            setattr(sys, name, None)
    kept = [weakref.ref(sys.modules.pop(name)) for name in _own(before.modules)]
    sys.modules["io"] = None  # type: ignore[assignment]  # as it is by then: no lines of the source are shown any more
    gc.collect()
    finalizers.finalize(before.files)
    for reference in reversed(kept):
        module = reference()
        if module is not None:
            _empty(module)
    gc.collect()


def _own(preloaded: frozenset[str]) -> list[str]:
    """The names of the program's modules, in the order of their import: those behind all that was there."""
    own = ["__main__"] if "__main__" in sys.modules else []
    later: list[str] = []
    for name in reversed(sys.modules):
        if name in preloaded:
            break
        later.insert(0, name)
    return own + later


def _empty(module: ModuleType) -> None:
    """Names with one underscore first, as the interpreter does it."""
    scope = module.__dict__
    for private in (True, False):
        for name in [name for name in scope if (name[:1] == "_" and name[1:2] != "_") is private]:
            if name != "__builtins__":
                scope[name] = None


def _flush_both() -> bool:
    """Whether all that was written could be flushed."""
    return _flush("stdout") & _flush("stderr")


def _flush(name: str) -> bool:
    stream: Any = getattr(sys, name, None)
    if stream is None or _closed(stream):
        return True
    try:
        stream.flush()
    except BaseException as error:
        if name == "stdout":
            unraisable.report(error, *((None, stream) if _BY_NAME else (_FLUSHING,)))
        return False
    return True


def _closed(stream: Any) -> bool:
    try:
        return bool(stream.closed)
    except BaseException:
        return False
