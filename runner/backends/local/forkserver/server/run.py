"""Run a program in `__main__` as the interpreter does, and find its exit status.

A program that cannot be compiled, or is not a plain source file, is left to a new interpreter in the same process, which
reports the error in its own words.
"""

from __future__ import annotations

import builtins
import os
import runpy
import signal
import sys
import warnings
from importlib.machinery import BuiltinImporter, SourceFileLoader
from types import ModuleType

if sys.version_info >= (3, 13):
    import linecache

from runner.backends.local.forkserver.server.preload import searches_program_folder
from runner.backends.local.forkserver.server.protocol import CODE, MODULE, SCRIPT, ForkRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any, NoReturn

_CACHED_PROGRAMS = 64


class Compiler:
    """Compiles each program once in the server, for all children that run the same source."""

    def __init__(self) -> None:
        self._cache: dict[tuple[str, str | bytes], CodeType | None] = {}

    def compile(self, request: ForkRequest) -> CodeType | None:
        """Return the program of a request; None if the child has to compile it, to show warnings or errors."""
        if request.mode == MODULE:
            return None
        try:
            key = _source(request, os.path.realpath(os.fsdecode(request.workdir)))
        except OSError:
            return None
        if key not in self._cache:
            if len(self._cache) == _CACHED_PROGRAMS:
                self._cache.clear()
            self._cache[key] = self._quietly(*key)
        return self._cache[key]

    @staticmethod
    def _quietly(path: str, source: str | bytes) -> CodeType | None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                return compile(source, path, "exec", dont_inherit=True)
            except Exception:
                return None


def _source(request: ForkRequest, cwd: str) -> tuple[str, str | bytes]:
    """Return the file name of a program, as in its code, and its text. Raises OSError."""
    target = os.fsdecode(request.command[request.at])
    if request.mode == CODE:
        if sys.version_info >= (3, 14):
            import textwrap

            target = textwrap.dedent(target)
        return "<string>", target
    path = os.path.join(cwd, target)
    with open(path, "rb") as file:
        return path, file.read()


def run(request: ForkRequest, code: CodeType | None, main: dict[str, Any]) -> int:
    """Run the program, whose `__main__` starts with the names in `main`; `code` is None if it is not compiled yet.

    Returns the exit status, or minus the number of the signal by which the process has to die.
    """
    module = sys.modules["__main__"] = ModuleType("__main__")
    scope = module.__dict__
    scope.update(main, __builtins__=builtins, __doc__=None)
    if "__annotations__" in scope:
        scope["__annotations__"] = {}
    raised = None
    try:
        if request.mode == MODULE:
            _prepare_module(request, scope)
            runpy._run_module_as_main(os.fsdecode(request.command[request.at]))  # type: ignore[attr-defined]
        else:
            exec(_prepare_code(request, code, scope), scope)
    except BaseException as error:
        raised = error  # handled below, so that what a hook raises has no context
    if raised is None:
        status = 0
    else:
        raised.__traceback__ = raised.__traceback__ and raised.__traceback__.tb_next  # without the frame of `run`
        status = _system_exit(raised) if isinstance(raised, SystemExit) else _uncaught(raised)
        raised = None  # a cycle with the frames of the program, whose open files the collector would not flush
    if request.mode == SCRIPT:
        scope.pop("__file__", None)
    return status


def _prepare_module(request: ForkRequest, scope: dict[str, Any]) -> None:
    """Set `sys.path` and the names of a scope for `-m`."""
    known = sys.modules.get(os.fsdecode(request.command[request.at]))
    if known is not None and not hasattr(known, "__path__"):  # runpy would warn that it is imported already
        _start_interpreter(request)
    scope["__loader__"] = BuiltinImporter
    del scope["__file__"], scope["__cached__"]
    if searches_program_folder():
        sys.path.insert(0, os.getcwd())


def _prepare_code(request: ForkRequest, code: CodeType | None, scope: dict[str, Any]) -> CodeType:
    """Return the compiled program of a script or `-c`; set `sys.path` and the names of its scope."""
    if code is None:
        try:
            path, source = _source(request, os.getcwd())
            code = compile(source, path, "exec", dont_inherit=True)
        except Exception:
            _start_interpreter(request)
    if request.mode == CODE:
        folder = ""
        del scope["__file__"], scope["__cached__"]
        scope["__loader__"] = BuiltinImporter
        if sys.version_info >= (3, 13):  # tracebacks show the lines of the code
            key = code if hasattr(linecache, "_interactive_cache") else "<string>"
            linecache._register_code(key, _source(request, "")[1] + "\n", "<string>")
    else:
        path = code.co_filename
        folder = os.path.dirname(os.path.realpath(path))
        scope.update(__file__=path, __cached__=None, __loader__=SourceFileLoader("__main__", path))
    if searches_program_folder():
        sys.path.insert(0, folder)
    return code


def _start_interpreter(request: ForkRequest) -> NoReturn:
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    os.execve(sys.executable, request.command, request.env)


def _system_exit(error: SystemExit) -> int:
    """Return the exit status that a SystemExit asks for; a code that is not a number is printed to stderr."""
    try:
        code: Any = error.code
    except BaseException:
        code = error
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF if -(1 << 63) <= code < 1 << 63 else 0xFF
    try:
        if getattr(sys, "stderr", None) is None:
            os.write(2, str(code).encode(errors="backslashreplace"))
        else:
            sys.stderr.write(str(code))
    except BaseException:
        pass
    _write_error("\n")
    return 1


def _uncaught(error: BaseException) -> int:
    """Show an uncaught exception through `sys.excepthook`; return the exit status."""
    shown = (type(error), error, error.__traceback__)
    sys.last_type, sys.last_value, sys.last_traceback = shown
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    if not hasattr(sys, "excepthook"):
        _write_error("sys.excepthook is missing\n")
        sys.excepthook = sys.__excepthook__
    try:
        sys.excepthook(*shown)
    except SystemExit as instead:
        return _system_exit(instead)
    except BaseException as instead:
        instead.__traceback__ = instead.__traceback__ and instead.__traceback__.tb_next
        _write_error("Error in sys.excepthook:\n")
        sys.__excepthook__(type(instead), instead, instead.__traceback__)
        _write_error("\nOriginal exception was:\n")
        sys.__excepthook__(*shown)
    return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1


def _write_error(text: str) -> None:
    try:
        sys.stderr.write(text)
    except BaseException:
        os.write(2, text.encode())
