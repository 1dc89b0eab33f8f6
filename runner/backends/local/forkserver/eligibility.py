"""Which Python command lines can be forked, and which of their environment an interpreter reads only when it starts."""

from __future__ import annotations

import os
import time

from runner.backends.local.forkserver.server.protocol import CODE, MODULE, SCRIPT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_OPTIONS = frozenset((b"-B", b"-E", b"-I", b"-O", b"-OO", b"-P", b"-S", b"-b", b"-bb", b"-q", b"-s", b"-u"))
"""Options that a fork server is started with; it serves the sessions that have the same ones."""

_STARTUP_PREFIXES = (
    *(b"PYTHON", b"LD_", b"LC_", b"MALLOC_", b"GLIBC_"),
    *(b"OMP_", b"GOMP_", b"KMP_", b"MKL_", b"OPENBLAS_", b"GOTO_", b"BLIS_", b"NUMEXPR_", b"VECLIB_"),
)
_STARTUP_NAMES = frozenset((b"HOME", b"LANG", b"TZ"))
_COLD_VARIABLES = frozenset(
    (
        *(b"PYTHONINSPECT", b"PYTHONVERBOSE", b"PYTHONPROFILEIMPORTTIME", b"PYTHONDUMPREFS", b"PYTHONDUMPREFSFILE"),
        *(b"PYTHONTRACEMALLOC", b"PYTHONPERFSUPPORT", b"COVERAGE_PROCESS_START"),
    )
)
"""Variables with which an interpreter traces or reports what it does from its start to its end."""

_MAX_FOLDERS = 100
"""Folders whose modules are remembered."""

_CLOCK_STEP = 1_000_000_000
"""Nanoseconds after which a change of a folder certainly changes its time stamp."""


class UnfitError(Exception):
    """A session cannot be forked; the message is shown to the user."""


class PythonCommand:
    """A Python command line.

    options: the options of the interpreter
    mode: SCRIPT, MODULE or CODE
    at: index in the command of the script, module name or code
    """

    __slots__ = ("at", "mode", "options")

    def __init__(self, options: tuple[bytes, ...], mode: int, at: int) -> None:
        self.options = options
        self.mode = mode
        self.at = at


def parse(command: list[bytes]) -> PythonCommand:
    """Read `command` as the interpreter does. Raises UnfitError."""
    options: list[bytes] = []
    at = 1
    while at < len(command):
        word = command[at]
        if word in (b"-c", b"-m"):
            if at + 1 == len(command):
                break
            return PythonCommand(tuple(options), CODE if word == b"-c" else MODULE, at + 1)
        if not word.startswith(b"-"):
            return PythonCommand(tuple(options), SCRIPT, at)
        if word == b"-W" and at + 1 < len(command):
            at += 1
            word += command[at]
        elif word not in _OPTIONS and not (word.startswith(b"-W") and len(word) > 2):
            raise UnfitError(f"the option `{os.fsdecode(word)}` needs an interpreter of its own")
        options.append(word)
        at += 1
    raise UnfitError("its command has no script, `-m MODULE` or `-c CODE`")


def startup_variables(env: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the variables that an interpreter and its libraries read only when they start. Raises UnfitError."""
    for name in _COLD_VARIABLES:
        if env.get(name):
            raise UnfitError(f"`{os.fsdecode(name)}` is set")
    path = env.get(b"PYTHONPATH")
    if path and not all(part.startswith(b"/") for part in path.split(b":")):
        raise UnfitError("`PYTHONPATH` has a relative path, which depends on the working directory")
    return {name: value for name, value in env.items() if name.startswith(_STARTUP_PREFIXES) or name in _STARTUP_NAMES}


def program_folder(program: PythonCommand, command: list[bytes], workdir: bytes) -> bytes:
    """Return the folder in which the program's imports are searched for first."""
    if program.mode != SCRIPT:
        return workdir
    return os.path.dirname(os.path.realpath(os.path.join(workdir, command[program.at])))


class ShadowedModules:
    """Finds modules beside a program that a fork would not see, since a preloaded one has the same name."""

    def __init__(self) -> None:
        self._names: dict[bytes, tuple[int, frozenset[bytes]]] = {}  # of modules by folder, with its time stamp

    def first(self, folder: bytes, preloaded: Mapping[bytes, bytes]) -> bytes | None:
        """Return the first name of a module in `folder` that was preloaded from another one, None if there are none.

        `preloaded` are the names of modules and the folders that they were found in.
        """
        for name in sorted(self._modules(folder) & preloaded.keys()):
            if preloaded[name] != folder:
                return name
        return None

    def _modules(self, folder: bytes) -> frozenset[bytes]:
        try:
            changed = os.stat(folder).st_mtime_ns
            if folder in self._names and self._names[folder][0] == changed:
                return self._names[folder][1]
            entries = os.listdir(folder)
        except OSError:  # the program reports it
            return frozenset()
        names = frozenset(name for entry in entries if (name := _module(folder, entry)))
        if changed < time.time_ns() - _CLOCK_STEP:
            if len(self._names) == _MAX_FOLDERS:
                self._names.clear()
            self._names[folder] = (changed, names)
        return names


def _module(folder: bytes, entry: bytes) -> bytes | None:
    """Return the name of the module that an entry of a folder is, None if it is not one."""
    name, _, ending = entry.partition(b".")
    if ending in (b"py", b"pyc") or ending.endswith(b"so"):
        return name
    return name if not ending and os.path.exists(os.path.join(folder, entry, b"__init__.py")) else None
