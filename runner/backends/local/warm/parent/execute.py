"""Running a program as the interpreter itself would, from its first line to the exit of the process."""

from __future__ import annotations

import atexit
import builtins
import ctypes
import gc
import os
import runpy
import signal
import sys
from types import ModuleType

from runner.backends.local.warm.parent.become import CODE, SCRIPT, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, TracebackType
    from typing import Any, NoReturn

_HERE = os.path.dirname(os.path.abspath(__file__))
_FLUSH_FAILED = 120
_frozen: Any = sys.modules["_frozen_importlib"]
_external: Any = sys.modules["_frozen_importlib_external"]
_exit = ctypes.PyDLL(None).exit
"""exit(3): unlike os._exit it runs what libraries have left to be done at the end. The GIL is kept, so no thread runs on."""


def execute(request: Request, main: dict[str, Any]) -> NoReturn:
    """Run it in a `__main__` that begins with what is in `main`, and exit as the interpreter would."""
    module = ModuleType("__main__")
    scope = module.__dict__
    scope.update(main)
    scope["__builtins__"] = builtins
    scope["__doc__"] = None
    if "__annotations__" in scope:
        scope["__annotations__"] = {}
    for name in ("__file__", "__cached__"):
        scope.pop(name, None)
    sys.modules["__main__"] = module
    raised = None
    try:
        code = _prepare(request, scope)
        if code is not None:
            exec(code, scope)
    except BaseException as error:
        raised = error  # to be shown when it is handled no more: what is raised meanwhile has no context
    status = 0 if raised is None else _asked(raised) if isinstance(raised, SystemExit) else _uncaught(raised)
    if request.mode == SCRIPT:
        scope.pop("__file__", None)
    _end(status, scope)


def _prepare(request: Request, scope: dict[str, Any]) -> CodeType | None:
    """The program's code; None if it has run already, as a module or an archive."""
    first = [] if getattr(sys.flags, "safe_path", False) or sys.flags.isolated else [""]
    target = os.fsdecode(request.command[request.at])
    if request.mode == CODE:
        sys.path[:0] = first
        scope["__loader__"] = _frozen.BuiltinImporter
        return compile(_dedented(target), "<string>", "exec", dont_inherit=True)
    if request.mode == SCRIPT and not _is_archive(target):
        return _script(target, bool(first), scope, os.fsdecode(request.command[0]))
    scope["__loader__"] = _frozen.BuiltinImporter
    if request.mode == SCRIPT:
        sys.path.insert(0, target)
        runpy._run_module_as_main("__main__", alter_argv=False)  # type: ignore[attr-defined]
    else:
        sys.path[:0] = [os.getcwd()] if first else []
        runpy._run_module_as_main(target)  # type: ignore[attr-defined]
    return None


def _dedented(text: str) -> str:
    if sys.version_info < (3, 14):
        return text
    import textwrap

    return textwrap.dedent(text)


def _is_archive(path: str) -> bool:
    """Whether an importer has to look for `__main__` in it: a folder or a zip file."""
    for hook in sys.path_hooks:
        try:
            hook(path)
        except ImportError:
            continue
        return True
    return False


def _script(path: str, first: bool, scope: dict[str, Any], interpreter: str) -> CodeType:
    if first:
        sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
    if sys.version_info >= (3, 9):
        path = os.path.join(os.getcwd(), path)
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        sys.stderr.write(f"{interpreter}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}\n")
        _end(2, scope)
    scope.update(__file__=path, __cached__=None, __loader__=_external.SourceFileLoader("__main__", path))
    return compile(source, path, "exec", dont_inherit=True)


def _asked(error: SystemExit) -> int:
    """The exit status of a SystemExit."""
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF if -(1 << 63) <= code < 1 << 63 else 0xFF
    _flush(sys.stdout)
    try:
        print(code, file=sys.stderr)
        _flush(sys.stderr)
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


def _end(status: int, scope: dict[str, Any]) -> NoReturn:
    """What the interpreter does at its end, in its order, but for taking apart what was preloaded."""
    threading = sys.modules.get("threading")
    if threading is not None:
        try:
            threading._shutdown()  # type: ignore[attr-defined]
        except BaseException as error:
            _ignored(error, threading)
    try:
        atexit._run_exitfuncs()
    except BaseException:  # 3.9 and older raise, once more, what they have shown
        pass
    flushed = _flush(sys.stdout) & _flush(sys.stderr)
    _clear(scope)
    flushed = _flush(sys.stdout) & _flush(sys.stderr) & flushed
    if status < 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    _exit(status if flushed else _FLUSH_FAILED)
    os._exit(status)


def _clear(scope: dict[str, Any]) -> None:
    """Let go of the program's globals, so that `__del__` runs: names with an underscore first, as the interpreter does."""
    sys.modules.pop("__main__", None)
    for private in (True, False):
        for name in [name for name in scope if (name[:1] == "_" and name[1:2] != "_") is private]:
            if name != "__builtins__":
                scope[name] = None
    gc.collect()


def _flush(stream: Any) -> bool:
    """Whether all of it could be written."""
    if stream is None or getattr(stream, "closed", False):
        return True
    try:
        stream.flush()
    except BaseException as error:
        if stream is sys.stdout:
            _ignored(error, stream)
        return False
    return True


def _ignored(error: BaseException, where: object) -> None:
    print(f"Exception ignored in: {where!r}\n{type(error).__name__}: {error}", file=sys.stderr)
