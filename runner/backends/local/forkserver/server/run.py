"""Running a program as the interpreter itself would, from its first line to the exit of the process.

What fails before the first line runs, and what is no plain source, is left to a fresh interpreter in the same process: it
says what there is to say in its own words.
"""

from __future__ import annotations

import builtins
import os
import runpy
import signal
import sys
from types import ModuleType

from runner.backends.local.forkserver.server.code_cache import compiled, path_of, show_lines
from runner.backends.local.forkserver.server.request import CODE, MODULE, SCRIPT, Request, looks_beside
from runner.backends.local.forkserver.server.unraisable import outside, report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any, NoReturn

_LEAVES = (3, 12) <= sys.version_info < (3, 12, 8) or (3, 13) <= sys.version_info < (3, 13, 1)
"""Whether what fails as a SystemExit is looked at is reported later, at the first occasion (gh-125842)."""

_frozen: Any = sys.modules["_frozen_importlib"]
_external: Any = sys.modules["_frozen_importlib_external"]


def execute(request: Request, main: dict[str, Any]) -> int:
    """Run it in a `__main__` that begins with what is in `main`. Returns the exit status, minus a signal's number if it
    has to die by one."""
    module = sys.modules["__main__"] = ModuleType("__main__")
    scope = module.__dict__
    scope.update(main, __builtins__=builtins, __doc__=None)
    if "__annotations__" in scope:
        scope["__annotations__"] = {}
    for name in ("__file__", "__cached__"):
        scope.pop(name, None)
    raised = None
    try:
        if request.mode == MODULE:
            _module(request, scope)
        else:
            exec(_code(request, scope), scope)
    except BaseException as error:
        raised = error  # to be shown when it is handled no more: what is raised meanwhile has no context
    status = 0 if raised is None else _asked(raised) if isinstance(raised, SystemExit) else _uncaught(raised)
    if request.mode == SCRIPT:
        scope.pop("__file__", None)
    return status


def _module(request: Request, scope: dict[str, Any]) -> None:
    known = sys.modules.get(request.target)
    if known is not None and not hasattr(known, "__path__"):  # it would be warned of what nobody has imported
        _start_afresh(request)
    scope["__loader__"] = _frozen.BuiltinImporter
    sys.path[:0] = [os.getcwd()] if looks_beside() else []
    runpy._run_module_as_main(request.target)  # type: ignore[attr-defined]


def _code(request: Request, scope: dict[str, Any]) -> CodeType:
    """What to run, compiled; the import path and the scope are then what it expects."""
    cwd = os.getcwd() if request.mode == SCRIPT else ""
    code = request.code
    if code is None or (request.mode == SCRIPT and cwd != request.cwd):
        try:
            code = compiled(request, cwd)
        except Exception:
            _start_afresh(request)
    if request.mode == CODE:
        sys.path[:0] = [""] if looks_beside() else []
        scope["__loader__"] = _frozen.BuiltinImporter
        show_lines(request.target, code)
        return code
    path = path_of(request, cwd)
    sys.path[:0] = [os.path.dirname(os.path.realpath(request.target))] if looks_beside() else []
    scope.update(__file__=path, __cached__=None, __loader__=_external.SourceFileLoader("__main__", path))
    return code


def _start_afresh(request: Request) -> NoReturn:
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    os.execve(sys.executable, request.command, request.env)


def _asked(error: SystemExit) -> int:
    """The exit status of a SystemExit."""
    try:
        code = error.code
    except BaseException:
        code = error  # type: ignore[assignment]
    if code is None:
        return 0
    if isinstance(code, int):
        if -(1 << 63) <= code < 1 << 63:
            return code & 0xFF
        _left(OverflowError("Python int too large to convert to C long"))
        return 0xFF
    _say(code)
    return 1


def _say(code: object) -> None:
    """A line to stderr, or past it where there is none."""
    left = None
    try:
        text = str(code)
        if getattr(sys, "stderr", None) is None:
            os.write(2, text.encode(errors="backslashreplace"))
        else:
            sys.stderr.write(text)
    except BaseException as failed:
        left = failed
    _write("\n")
    if left is not None:
        _left(left)


def _write(text: str) -> None:
    """To stderr, or past it where that fails."""
    try:
        sys.stderr.write(text)
    except BaseException:
        os.write(2, text.encode())


def _left(error: BaseException) -> None:
    if _LEAVES:
        report(error, "Exception ignored on threading shutdown" if sys.version_info >= (3, 13) else None)


def _uncaught(error: BaseException) -> int:
    """Show it as the interpreter does; the exit status."""
    trace = outside(error.__traceback__)
    kind = type(error)
    error.__traceback__ = trace
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    if not hasattr(sys, "excepthook"):
        _write("sys.excepthook is missing\n")
        sys.excepthook = sys.__excepthook__
    try:
        sys.excepthook(kind, error, trace)
    except SystemExit as instead:
        return _asked(instead)
    except BaseException as instead:
        instead.__traceback__ = outside(instead.__traceback__)
        _write("Error in sys.excepthook:\n")
        sys.__excepthook__(type(instead), instead, instead.__traceback__)
        _write("\nOriginal exception was:\n")
        sys.__excepthook__(kind, error, trace)
    return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
