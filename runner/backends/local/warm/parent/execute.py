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

from runner.backends.local.warm.parent.become import CODE, MODULE, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, TracebackType
    from typing import Any, NoReturn

_HERE = os.path.dirname(os.path.abspath(__file__))
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
            _module(os.fsdecode(request.command[request.at]), scope)
        else:
            exec(_code(request, scope), scope)
    except BaseException as error:
        raised = error  # to be shown when it is handled no more: what is raised meanwhile has no context
    status = 0 if raised is None else _asked(raised) if isinstance(raised, SystemExit) else _uncaught(raised)
    if request.mode not in (MODULE, CODE):
        scope.pop("__file__", None)
    return status


def _module(name: str, scope: dict[str, Any]) -> None:
    scope["__loader__"] = _frozen.BuiltinImporter
    sys.path[:0] = [os.getcwd()] if _looks_beside() else []
    runpy._run_module_as_main(name)  # type: ignore[attr-defined]


def _code(request: Request, scope: dict[str, Any]) -> CodeType:
    """What to run, compiled; the import path and the scope are then what it expects."""
    target = os.fsdecode(request.command[request.at])
    try:
        if request.mode == CODE:
            code = compile(_dedented(target), "<string>", "exec", dont_inherit=True)
            sys.path[:0] = [""] if _looks_beside() else []
            scope["__loader__"] = _frozen.BuiltinImporter
            return code
        with open(target, "rb") as file:
            source = file.read()
        path = os.path.join(os.getcwd(), target) if sys.version_info >= (3, 9) else target
        code = compile(source, path, "exec", dont_inherit=True)
    except Exception:
        _start_afresh(request)
    sys.path[:0] = [os.path.dirname(os.path.realpath(target))] if _looks_beside() else []
    scope.update(__file__=path, __cached__=None, __loader__=_external.SourceFileLoader("__main__", path))
    return code


def _looks_beside() -> bool:
    """Whether the program's own folder is searched for modules."""
    return not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))


def _dedented(text: str) -> str:
    if sys.version_info >= (3, 14):
        import textwrap

        text = textwrap.dedent(text)
    return text


def _start_afresh(request: Request) -> NoReturn:
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    os.execve(sys.executable, request.command, request.env)


def _asked(error: SystemExit) -> int:
    """The exit status of a SystemExit."""
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF if -(1 << 63) <= code < 1 << 63 else 0xFF
    try:
        sys.stderr.write(str(code))
    except Exception:
        pass
    try:
        sys.stderr.write("\n")
    except Exception:
        pass
    return 1


def _uncaught(error: BaseException) -> int:
    """Show it as the interpreter does; the exit status."""
    trace = _outside(error.__traceback__)
    kind = type(error)
    error.__traceback__ = trace
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    try:
        sys.excepthook(kind, error, trace)
    except SystemExit as instead:
        return _asked(instead)
    except BaseException as instead:
        instead.__traceback__ = _outside(instead.__traceback__)
        sys.stderr.write("Error in sys.excepthook:\n")
        sys.__excepthook__(type(instead), instead, instead.__traceback__)
        sys.stderr.write("\nOriginal exception was:\n")
        sys.__excepthook__(kind, error, trace)
    return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1


def _outside(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without our own frames, which are its first."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_HERE):
        trace = trace.tb_next
    return trace
