"""In a forked child: take the place of a new interpreter, and run the program in `__main__` as the interpreter does."""

from __future__ import annotations

import builtins
import ctypes
import os
import runpy
import signal
import sys
import warnings
from importlib.machinery import BuiltinImporter, SourceFileLoader
from types import ModuleType

if sys.version_info >= (3, 13):
    import linecache

from runner.backends.local.forkserver.server.program import SEARCHES_FOLDER, Program
from runner.backends.local.forkserver.server.protocol import MARK, MARK_SIZE, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def take_over(request: Request, mark: int) -> None:
    """Give the process a memory group, folder, streams, environment, arguments and random state of its own.

    `mark` is the address at which the kernel reads the server's mark. Raises OSError.
    """
    if request.cgroup is not None:
        with open(request.cgroup, "wb", buffering=0) as group:
            group.write(b"0")
    os.chdir(request.workdir)
    for number, path in ((1, request.stdout), (2, request.stderr)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
        os.dup2(file, number)
        os.close(file)
    for name, value in request.env.items():
        if value is None:
            os.environb.pop(name, None)
        else:
            os.environb[name] = value
    # /proc/PID/environ shows the memory in which the kernel put the environment of the server. The mark is written there,
    # so that a session is found after a crash even if no one recorded its pid.
    ctypes.memmove(mark, request.env[MARK].ljust(MARK_SIZE, b"\0"), MARK_SIZE)
    words = list(map(os.fsdecode, request.command))
    sys.argv = [os.fsdecode(request.mode) or words[request.at], *words[request.at + 1 :]]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv = words
    _reseed()


def _reseed() -> None:
    """Give each generator of random numbers that exists by now a state of its own; `random` does that by itself."""
    numpy_random: Any = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.default_generator.seed()
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None:
        process.ORIGINAL_DIR = os.path.abspath(os.getcwd())
        process.current_process().authkey = os.urandom(32)


def run(request: Request, program: Program) -> int:
    """Run the program. Returns the exit status, or minus the number of the signal by which the process has to die."""
    raised = None
    try:
        _prepare_main(request, program)
        if program.code:
            exec(program.code, vars(sys.modules["__main__"]))
        else:
            runpy._run_module_as_main(program.word)  # type: ignore[attr-defined]
    except BaseException as error:
        raised = error  # handled below, so that what a hook raises has no context
    if raised is None:
        return 0
    raised.__traceback__ = raised.__traceback__ and raised.__traceback__.tb_next  # without the frame of `run`
    return _exit_status(raised.code) if isinstance(raised, SystemExit) else _uncaught(raised)


def _prepare_main(request: Request, program: Program) -> None:
    """Set `__main__`, the names in it, and `sys.path`; show what the compiler warned of."""
    main: Any = ModuleType("__main__")
    sys.modules["__main__"] = main
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    main.__builtins__ = builtins
    main.__loader__ = BuiltinImporter
    if program.code and not request.mode:
        main.__loader__ = SourceFileLoader("__main__", program.word)
        main.__file__, main.__cached__ = program.word, None
    if SEARCHES_FOLDER:
        sys.path.insert(0, "" if request.mode == b"-c" else program.folder)
    if request.mode == b"-c" and sys.version_info >= (3, 13):  # tracebacks show the lines of the code
        key = program.code if hasattr(linecache, "_interactive_cache") else "<string>"
        linecache._register_code(key, program.word + "\n", "<string>")
    for shown in program.warnings:
        warnings.showwarning(shown.message, shown.category, shown.filename, shown.lineno)


def _exit_status(code: object) -> int:
    """Return the exit status that a SystemExit asks for; a code that is not a number is printed to stderr."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF if -(1 << 63) <= code < 1 << 63 else 0xFF
    _write_error(f"{code}\n")
    return 1


def _uncaught(error: BaseException) -> int:
    """Show an uncaught exception through `sys.excepthook`; return the exit status."""
    shown = (type(error), error, error.__traceback__)
    vars(sys).update(last_type=shown[0], last_value=error, last_traceback=shown[2], last_exc=error)
    try:
        sys.excepthook(*shown)
    except SystemExit as instead:
        return _exit_status(instead.code)
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
    except Exception:
        os.write(2, text.encode(errors="backslashreplace"))
